//! What compares the engines: equal schemas, every statement prepared on both, every function called by the suite.

use crate::support::{TestDb, with_db};
use scruple_store::{BLIND_COLUMNS, Engine, SEALED_COLUMNS};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqlSafeStr, SqliteConnection};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;

/// Table, column, type, whether it must be there.
type Column = (String, String, String, bool);

async fn columns(db: &TestDb) -> Vec<Column> {
    const SQLITE: &str = "SELECT t.name, c.name, lower(c.type), c.\"notnull\" = 1
                          FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c
                          WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name <> '_sqlx_migrations'
                          ORDER BY 1, 2";
    const POSTGRES: &str = "SELECT table_name::text, column_name::text, data_type::text, is_nullable = 'NO'
                            FROM information_schema.columns
                            WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations' ORDER BY 1, 2";
    let columns: Vec<Column> = match db.store.engine() {
        Engine::Sqlite => {
            let mut conn = SqliteConnection::connect(&db.address).await.unwrap();
            sqlx::query_as(SQLITE).fetch_all(&mut conn).await.unwrap()
        }
        Engine::Postgres => {
            let mut conn = PgConnection::connect(&db.address).await.unwrap();
            sqlx::query_as(POSTGRES).fetch_all(&mut conn).await.unwrap()
        }
    };
    columns
        .into_iter()
        .map(|(table, column, kind, needed)| {
            let kind = match kind.as_str() {
                "integer" | "bigint" => "integer",
                "blob" | "bytea" | "uuid" => "bytes",
                "text" => "text",
                other => panic!("{table}.{column} is {other}"),
            };
            (table, column, kind.to_owned(), needed)
        })
        .collect()
}

/// Unique indexes, each as its table and columns.
async fn unique(db: &TestDb) -> BTreeSet<(String, String)> {
    const SQLITE: &str = "SELECT t.name, (SELECT group_concat(name, ',') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno))
                          FROM sqlite_master AS t JOIN pragma_index_list(t.name) AS i
                          WHERE t.type = 'table' AND t.name <> '_sqlx_migrations' AND i.\"unique\" = 1
                          UNION SELECT 'shard', 'shard'";
    const POSTGRES: &str = "SELECT c.relname::text, string_agg(a.attname::text, ',' ORDER BY k.place)
                            FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
                            CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (column_number, place)
                            JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.column_number
                            WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace AND c.relname <> '_sqlx_migrations'
                            GROUP BY i.indexrelid, c.relname";
    let rows: Vec<(String, String)> = match db.store.engine() {
        Engine::Sqlite => {
            let mut conn = SqliteConnection::connect(&db.address).await.unwrap();
            sqlx::query_as(SQLITE).fetch_all(&mut conn).await.unwrap()
        }
        Engine::Postgres => {
            let mut conn = PgConnection::connect(&db.address).await.unwrap();
            sqlx::query_as(POSTGRES).fetch_all(&mut conn).await.unwrap()
        }
    };
    rows.into_iter().collect()
}

#[tokio::test]
async fn both_engines_have_the_same_columns_and_the_same_unique_indexes() {
    let found = Mutex::new(Vec::new());
    for engine in [Engine::Sqlite, Engine::Postgres] {
        with_db(engine, async |db| {
            let schema = (columns(db).await, unique(db).await);
            found.lock().unwrap().push(schema);
        })
        .await;
    }
    let found = found.into_inner().unwrap();
    let tables: BTreeSet<_> = found[0].0.iter().map(|(table, ..)| table.as_str()).collect();
    let expected = [
        "access_cursor",
        "access_release",
        "access_request",
        "access_source",
        "account",
        "account_use",
        "access_task",
        "alert",
        "case_paper",
        "ceremony",
        "chart_access",
        "chart_case",
        "chart_question",
        "connected_system",
        "credential",
        "data_key",
        "deputy",
        "device_posture",
        "directory",
        "dormancy",
        "drift",
        "elevation",
        "emergency_review",
        "enrolment",
        "event",
        "feed_applied",
        "idempotency_key",
        "job",
        "log_import",
        "log_refusal",
        "mapping_review",
        "pack_content",
        "pack_version",
        "person",
        "person_leave",
        "person_move",
        "practitioner_link",
        "project",
        "project_request",
        "request_approval",
        "request_kind",
        "request_opening",
        "request_patient",
        "role_grant",
        "scim_group",
        "scim_member",
        "session",
        "shard",
        "sign_in_failure",
        "signal_taken",
        "use_review",
        "step_done",
        "system_holding",
        "system_right",
        "unused_notice",
        "task_patient",
        "task_unmask",
    ];
    assert_eq!(tables, expected.into());
    // What holds PHI or personal data is sealed: no such name without the ending.
    for (table, column, kind, _) in &found[0].0 {
        let plain = [
            "login",
            "name",
            "contact",
            "justification",
            "payload",
            "body",
            "title",
            "department",
            "display",
            "document",
        ];
        let is_code = (table.as_str(), column.as_str()) == ("job", "name");
        assert!(is_code || !plain.contains(&column.as_str()), "{table}.{column}");
        assert!(!column.ends_with("_sealed") && !column.ends_with("_blind") || kind == "bytes", "{table}.{column}");
    }
    let endings = |ending: &str| -> BTreeSet<String> {
        let columns = found[0].0.iter().filter_map(|(table, column, ..)| Some((table, column.strip_suffix(ending)?)));
        columns.map(|(table, column)| format!("{table}.{column}")).collect()
    };
    assert_eq!(endings("_sealed"), SEALED_COLUMNS.map(str::to_owned).into());
    assert_eq!(endings("_blind"), BLIND_COLUMNS.map(str::to_owned).into());
    if let [sqlite, postgres] = found.as_slice() {
        assert_eq!(sqlite, postgres);
    }
}

/// Every `const SQL...: &str = "..."` of the crate: file, name, text.
fn statements() -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap() {
        let path = file.unwrap().path();
        let source = std::fs::read_to_string(&path).unwrap();
        for part in source.split("const SQL").skip(1) {
            let Some((name, rest)) = part.split_once(": &str") else { continue };
            if !name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') {
                continue;
            }
            let text = rest.split('"').nth(1).unwrap();
            found.push((
                path.file_stem().unwrap().to_string_lossy().into_owned(),
                format!("SQL{name}"),
                text.to_owned(),
            ));
        }
    }
    assert!(found.len() > 40, "{found:?}");
    found
}

#[tokio::test]
async fn every_statement_is_prepared_by_both_engines() {
    // These are no statements that can be prepared.
    let special = ["BEGIN", "VACUUM"];
    for engine in [Engine::Sqlite, Engine::Postgres] {
        with_db(engine, async |db| {
            for (file, name, text) in statements() {
                let other = if engine == Engine::Sqlite { "SQL_POSTGRES" } else { "SQL_SQLITE" };
                if name == other || special.iter().any(|word| text.starts_with(word)) {
                    continue;
                }
                let sql = AssertSqlSafe(text).into_sql_str();
                let prepared = match engine {
                    Engine::Sqlite => {
                        let mut conn = SqliteConnection::connect(&db.address).await.unwrap();
                        conn.prepare(sql).await.map(|_| ())
                    }
                    Engine::Postgres => {
                        let mut conn = PgConnection::connect(&db.address).await.unwrap();
                        conn.prepare(sql).await.map(|_| ())
                    }
                };
                assert!(prepared.is_ok(), "{engine:?} {file} {name}: {prepared:?}");
            }
        })
        .await;
    }
}

/// Where the dialects differ, by name. A difference more is a decision, made here.
#[test]
fn the_engines_differ_in_these_statements_alone() {
    let differ: BTreeSet<_> = statements()
        .into_iter()
        .filter(|(_, name, _)| name == "SQL_SQLITE" || name == "SQL_POSTGRES")
        .map(|(file, name, _)| (file, name))
        .collect();
    let expected = [
        // Settings are asserted, a read begins, old bytes are rewritten: each engine in its own words.
        ("connect", "SQL_POSTGRES"),
        ("connect", "SQL_SQLITE"),
        // A list as one parameter.
        ("grant", "SQL_POSTGRES"),
        ("grant", "SQL_SQLITE"),
        // A lock on a value that no row has yet; SQLite has one writer.
        ("link", "SQL_POSTGRES"),
    ];
    assert_eq!(differ, expected.iter().map(|(file, name)| ((*file).to_owned(), (*name).to_owned())).collect());
}

#[test]
fn every_function_of_the_store_is_called_by_the_suite() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |folder: &str| -> String {
        std::fs::read_dir(root.join(folder))
            .unwrap()
            .map(|file| file.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| std::fs::read_to_string(path).unwrap())
            .collect()
    };
    let cases = read("tests/it/cases") + &read("tests/it");
    let source = read("src");
    let functions: Vec<_> =
        source.split("pub async fn ").skip(1).map(|rest| rest.split(['(', '<']).next().unwrap()).collect();
    assert!(functions.len() > 30, "{functions:?}");
    for function in functions {
        assert!(cases.contains(&format!("{function}(")), "{function} is called by no case");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_database_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    with_db(Engine::Sqlite, async |db| {
        db.person("ana").await;
        let file = db.address.trim_start_matches("sqlite:").split('?').next().unwrap();
        for end in ["", "-wal", "-shm"] {
            let mode = std::fs::metadata(format!("{file}{end}")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{end}");
        }
    })
    .await;
}
