//! The migrations, compiled in: the same numbers and names on both engines, forward only.

use crate::Engine;
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// Number, name, text for SQLite, text for PostgreSQL.
const MIGRATIONS: &[(i64, &str, &str, &str)] = &[
    (
        1,
        "state",
        include_str!("../migrations/sqlite/0001_state.sql"),
        include_str!("../migrations/postgres/0001_state.sql"),
    ),
    (
        2,
        "practitioner_link",
        include_str!("../migrations/sqlite/0002_practitioner_link.sql"),
        include_str!("../migrations/postgres/0002_practitioner_link.sql"),
    ),
    (
        3,
        "directory",
        include_str!("../migrations/sqlite/0003_directory.sql"),
        include_str!("../migrations/postgres/0003_directory.sql"),
    ),
    (
        4,
        "access_request",
        include_str!("../migrations/sqlite/0004_access_request.sql"),
        include_str!("../migrations/postgres/0004_access_request.sql"),
    ),
    (
        5,
        "sign_in",
        include_str!("../migrations/sqlite/0005_sign_in.sql"),
        include_str!("../migrations/postgres/0005_sign_in.sql"),
    ),
    (
        6,
        "idempotency",
        include_str!("../migrations/sqlite/0006_idempotency.sql"),
        include_str!("../migrations/postgres/0006_idempotency.sql"),
    ),
    (
        7,
        "chart_access",
        include_str!("../migrations/sqlite/0007_chart_access.sql"),
        include_str!("../migrations/postgres/0007_chart_access.sql"),
    ),
    (
        8,
        "pack_version",
        include_str!("../migrations/sqlite/0008_pack_version.sql"),
        include_str!("../migrations/postgres/0008_pack_version.sql"),
    ),
    (
        9,
        "kinds",
        include_str!("../migrations/sqlite/0009_kinds.sql"),
        include_str!("../migrations/postgres/0009_kinds.sql"),
    ),
    (
        10,
        "desk",
        include_str!("../migrations/sqlite/0010_desk.sql"),
        include_str!("../migrations/postgres/0010_desk.sql"),
    ),
    (
        11,
        "account_life",
        include_str!("../migrations/sqlite/0011_account_life.sql"),
        include_str!("../migrations/postgres/0011_account_life.sql"),
    ),
    (
        12,
        "access_task",
        include_str!("../migrations/sqlite/0012_access_task.sql"),
        include_str!("../migrations/postgres/0012_access_task.sql"),
    ),
    (
        13,
        "request_opening",
        include_str!("../migrations/sqlite/0013_request_opening.sql"),
        include_str!("../migrations/postgres/0013_request_opening.sql"),
    ),
    (
        14,
        "steps_and_use",
        include_str!("../migrations/sqlite/0014_steps_and_use.sql"),
        include_str!("../migrations/postgres/0014_steps_and_use.sql"),
    ),
    (
        15,
        "feed_applied",
        include_str!("../migrations/sqlite/0015_feed_applied.sql"),
        include_str!("../migrations/postgres/0015_feed_applied.sql"),
    ),
    (
        16,
        "devices",
        include_str!("../migrations/sqlite/0016_devices.sql"),
        include_str!("../migrations/postgres/0016_devices.sql"),
    ),
    (
        17,
        "connected_systems",
        include_str!("../migrations/sqlite/0017_connected_systems.sql"),
        include_str!("../migrations/postgres/0017_connected_systems.sql"),
    ),
    (
        18,
        "emergency",
        include_str!("../migrations/sqlite/0018_emergency.sql"),
        include_str!("../migrations/postgres/0018_emergency.sql"),
    ),
    (
        19,
        "case_paper",
        include_str!("../migrations/sqlite/0019_case_paper.sql"),
        include_str!("../migrations/postgres/0019_case_paper.sql"),
    ),
    (
        20,
        "project",
        include_str!("../migrations/sqlite/0020_project.sql"),
        include_str!("../migrations/postgres/0020_project.sql"),
    ),
    (
        21,
        "access_place",
        include_str!("../migrations/sqlite/0021_access_place.sql"),
        include_str!("../migrations/postgres/0021_access_place.sql"),
    ),
    (
        22,
        "guesses",
        include_str!("../migrations/sqlite/0022_guesses.sql"),
        include_str!("../migrations/postgres/0022_guesses.sql"),
    ),
    (
        23,
        "review_question",
        include_str!("../migrations/sqlite/0023_review_question.sql"),
        include_str!("../migrations/postgres/0023_review_question.sql"),
    ),
];

pub(crate) fn migrator(engine: Engine) -> Migrator {
    let migration = |&(number, name, sqlite, postgres): &(i64, &'static str, &'static str, &'static str)| {
        let text = match engine {
            Engine::Sqlite => sqlite,
            Engine::Postgres => postgres,
        };
        Migration::new(number, name.into(), MigrationType::Simple, text.into_sql_str(), false)
    };
    Migrator::with_migrations(MIGRATIONS.iter().map(migration).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::ConnectOptions as _;
    use sqlx::sqlite::SqliteConnectOptions;
    use std::path::Path;

    /// A house in which somebody had mistyped more than once can be upgraded, and what was counted counts on.
    #[tokio::test]
    async fn guesses_from_before_the_upgrade_count_on() {
        let options = SqliteConnectOptions::new().in_memory(true).foreign_keys(false);
        let mut conn = options.connect().await.unwrap();
        let all = migrator(Engine::Sqlite);
        let before = all.iter().filter(|one| one.version < 22).cloned().collect();
        Migrator::with_migrations(before).run_direct(None, &mut conn, false).await.unwrap();
        let row = "INSERT INTO sign_in_failure (person, failures, since) VALUES (x'01', 4, 5)";
        sqlx::query(row).execute(&mut conn).await.unwrap();
        all.run_direct(None, &mut conn, false).await.unwrap();
        let counted = sqlx::query_scalar::<_, i64>("SELECT in_a_row FROM sign_in_failure").fetch_one(&mut conn).await;
        assert_eq!(counted.unwrap(), 4);
    }

    #[test]
    fn every_migration_file_is_compiled_in_and_has_its_twin() {
        let expected: Vec<_> = MIGRATIONS.iter().map(|(number, name, ..)| format!("{number:04}_{name}.sql")).collect();
        for engine in ["sqlite", "postgres"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(engine);
            let mut found: Vec<_> = std::fs::read_dir(folder)
                .unwrap()
                .map(|file| file.unwrap().file_name().into_string().unwrap())
                .collect();
            found.sort();
            assert_eq!(found, expected, "{engine}");
        }
    }
}
