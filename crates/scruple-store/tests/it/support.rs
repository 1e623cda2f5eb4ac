//! A database per test, a sealer with real AES-256-GCM, and the few things that most cases begin with.

use crate::postgres::{Shared, shared};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hmac, rand};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use scruple_core::{Id, Phi, Timestamp, new_id};
use scruple_store::{
    Aggregate, Durability, Engine, Event, Grant, GrantRequest, NewEvent, NewGrant, NewPerson, Options, Person,
    Position, SealError, Sealer, ShardId, ShardLease, Store, StoreError, Subject, Subjects, Tx, Window, insert_grant,
    insert_person,
};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use std::hash::{BuildHasher, Hasher};
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};
use uuid::Uuid;

pub const SHARD: ShardId = ShardId(1);
pub const NODE: &str = "node-a";

/// 2026-03-01T08:00:00Z and so many seconds.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::parse("2026-03-01T08:00:00Z").unwrap().plus_micros(seconds * 1_000_000)
}

/// AES-256-GCM with a random nonce before the ciphertext; column and row are the additional data.
pub struct AesSealer {
    key: LessSafeKey,
    index: hmac::Key,
}

impl AesSealer {
    pub fn new(secret: [u8; 32]) -> Self {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &secret).unwrap());
        Self { key, index: hmac::Key::new(hmac::HMAC_SHA256, &secret) }
    }

    fn aad(column: &str, id: Uuid) -> Aad<Vec<u8>> {
        Aad::from([column.as_bytes(), id.as_bytes()].concat())
    }
}

impl Sealer for AesSealer {
    fn seal(&self, column: &'static str, id: Uuid, clear: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).map_err(SealError::new)?;
        let mut body = clear.to_vec();
        let bound = Nonce::assume_unique_for_key(nonce);
        self.key.seal_in_place_append_tag(bound, Self::aad(column, id), &mut body).map_err(SealError::new)?;
        Ok([&nonce[..], &body].concat())
    }

    fn open(&self, column: &'static str, id: Uuid, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or_else(|| SealError::new("too short"))?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(SealError::new)?;
        let mut body = body.to_vec();
        let clear = self.key.open_in_place(nonce, Self::aad(column, id), &mut body).map_err(SealError::new)?;
        Ok(clear.to_vec())
    }

    fn blind(&self, column: &'static str, clear: &[u8]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.index);
        context.update(column.as_bytes());
        context.update(&[0]);
        context.update(clear);
        context.sign().as_ref().try_into().unwrap()
    }
}

pub fn sealer() -> Box<dyn Sealer> {
    Box::new(AesSealer::new([7; 32]))
}

/// One test's database, and the shard that it writes on.
pub struct TestDb {
    pub store: Store,
    pub address: String,
    pub file: Option<PathBuf>,
    pub lease: ShardLease,
    rng: Mutex<ChaCha20Rng>,
}

/// The address of the PostgreSQL server, if there is one.
pub fn postgres_address() -> Option<&'static str> {
    static SERVER: OnceLock<Option<Shared>> = OnceLock::new();
    let server = SERVER.get_or_init(|| shared().expect("PostgreSQL is there and does not start"));
    server.as_ref().map(|server| server.address.as_str())
}

/// Runs a case on a database of its own, which is removed afterwards unless the case fails.
pub async fn with_db(engine: Engine, case: impl AsyncFnOnce(&TestDb)) {
    match engine {
        Engine::Sqlite => {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("state.db");
            let db = TestDb::open(format!("sqlite:{}", file.display()), Some(file)).await;
            case(&db).await;
            db.store.close().await;
        }
        Engine::Postgres => {
            let Some(server) = postgres_address() else {
                println!("postgres: not run (no server binaries, no {})", crate::postgres::VARIABLE);
                return;
            };
            let name = format!("scruple_{:016x}", std::hash::RandomState::new().build_hasher().finish());
            let mut admin = PgConnection::connect(server).await.unwrap();
            let create =
                format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'");
            sqlx::query(AssertSqlSafe(create)).execute(&mut admin).await.unwrap();
            let (host, _) = server.rsplit_once('/').unwrap();
            let db = TestDb::open(format!("{host}/{name}"), None).await;
            case(&db).await;
            db.store.close().await;
            let drop = format!("DROP DATABASE {name} WITH (FORCE)");
            sqlx::query(AssertSqlSafe(drop)).execute(&mut admin).await.unwrap();
        }
    }
}

impl TestDb {
    async fn open(address: String, file: Option<PathBuf>) -> Self {
        let store = connect(&address).await;
        store.migrate().await.unwrap();
        let lease = store.acquire_shard(SHARD, NODE, at(0), at(60)).await.unwrap().unwrap();
        Self { store, address, file, lease, rng: Mutex::new(ChaCha20Rng::from_seed([1; 32])) }
    }

    /// The same database over connections of its own: another process.
    pub async fn second_store(&self) -> Store {
        connect(&self.address).await
    }

    pub fn id<T>(&self) -> Id<T> {
        new_id(at(0), &mut *self.rng.lock().unwrap())
    }

    pub fn event(&self, version: i64, aggregate: &Aggregate, subjects: impl Into<Subjects>) -> NewEvent<'static> {
        NewEvent {
            id: self.id::<Event>(),
            aggregate: aggregate.clone(),
            version,
            at: at(0),
            kind: "test",
            subjects: subjects.into(),
            body: b"facts",
        }
    }

    /// An aggregate that nothing else touches.
    pub fn aggregate(&self) -> Aggregate {
        Aggregate::new("test", self.id::<Event>())
    }

    /// Commits with one event that names `subjects`.
    pub async fn commit(&self, tx: Tx, subjects: impl Into<Subjects>) -> Result<Position, StoreError> {
        let event = self.event(1, &self.aggregate(), subjects);
        tx.commit(&self.lease, &[event]).await.map(|positions| positions[0])
    }

    pub async fn begin(&self) -> Tx {
        self.store.begin().await.unwrap()
    }

    pub async fn read(&self) -> Tx {
        self.store.begin_read().await.unwrap()
    }

    /// A person who is there.
    pub async fn person(&self, login: &str) -> Id<Person> {
        let person = self.new_person(login);
        let mut tx = self.begin().await;
        insert_person(&mut tx, &person).await.unwrap();
        self.commit(tx, Subject::Person(person.id)).await.unwrap();
        person.id
    }

    pub fn new_person(&self, login: &str) -> NewPerson {
        NewPerson {
            id: self.id(),
            login: login.parse().unwrap(),
            name: Phi::new(format!("Name of {login}")),
            contact: None,
            created_at: at(0),
        }
    }

    /// Three people: who gets, who asks, who approves.
    pub async fn three(&self) -> [Id<Person>; 3] {
        [self.person("holder").await, self.person("asker").await, self.person("approver").await]
    }

    pub fn request(&self, [holder, asker, _]: [Id<Person>; 3], role: &str, window: (i64, i64)) -> GrantRequest {
        GrantRequest {
            id: self.id::<Grant>(),
            person: holder,
            role: role.parse().unwrap(),
            window: Window::new(at(window.0), at(window.1)).unwrap(),
            requested_by: asker,
            justification: Phi::new("builds claims".to_owned()),
        }
    }

    /// A grant that is there, approved at second 0.
    pub async fn grant(&self, people: [Id<Person>; 3], role: &str, window: (i64, i64)) -> Id<Grant> {
        let request = self.request(people, role, window);
        let id = request.id;
        let mut tx = self.begin().await;
        insert_grant(&mut tx, &NewGrant::approved(request, people[2], at(0)).unwrap()).await.unwrap();
        self.commit(tx, Subject::Person(people[0])).await.unwrap();
        id
    }

    /// Runs a statement past the store, as somebody with the database's password could.
    pub async fn raw(&self, sql: &str) -> Result<u64, sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.store.engine() {
            Engine::Sqlite => {
                let mut conn = SqliteConnection::connect(&self.address).await?;
                Ok(sqlx::raw_sql(sql).execute(&mut conn).await?.rows_affected())
            }
            Engine::Postgres => {
                let mut conn = PgConnection::connect(&self.address).await?;
                Ok(sqlx::raw_sql(sql).execute(&mut conn).await?.rows_affected())
            }
        }
    }

    /// Runs the statement of this engine past the store.
    pub async fn raw_either(&self, sqlite: &str, postgres: &str) -> Result<u64, sqlx::Error> {
        self.raw(match self.store.engine() {
            Engine::Sqlite => sqlite,
            Engine::Postgres => postgres,
        })
        .await
    }

    /// Takes the triggers of the event table away: what only the owner of the database can do.
    pub async fn without_event_triggers(&self, sql: &str) {
        let sqlite =
            format!("DROP TRIGGER event_no_update; DROP TRIGGER event_no_delete; DROP TRIGGER event_in_order; {sql};");
        let postgres = format!("ALTER TABLE event DISABLE TRIGGER USER; {sql};");
        self.raw_either(&sqlite, &postgres).await.unwrap();
    }
}

pub async fn connect(address: &str) -> Store {
    Store::connect(Options::parse(address, Durability::Relaxed).unwrap(), sealer()).await.unwrap()
}

/// The text of an error and all its sources, `Debug` included.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error:?} {error}");
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text} {error:?} {error}");
        source = error.source();
    }
    text
}

impl TestDb {
    /// Whether bytes stand anywhere in the database: in SQLite's files, write-ahead log included; in any column of any
    /// table of PostgreSQL and in the table's files, where the server's data are on this machine.
    pub async fn holds(&self, needle: &[u8]) -> bool {
        if let Some(file) = &self.file {
            let folder = std::fs::read_dir(file.parent().unwrap()).unwrap();
            return folder
                .map(|file| std::fs::read(file.unwrap().path()).unwrap())
                .any(|bytes| contains(&bytes, needle));
        }
        let mut conn = PgConnection::connect(&self.address).await.unwrap();
        let hex: String = needle.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = String::from_utf8_lossy(needle);
        let tables: Vec<(String,)> =
            sqlx::query_as("SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'")
                .fetch_all(&mut conn)
                .await
                .unwrap();
        assert!(tables.len() > 6, "{tables:?}");
        for (table,) in tables {
            let rows = format!("SELECT whole::text FROM {table} AS whole");
            let rows: Vec<(String,)> = sqlx::query_as(AssertSqlSafe(rows)).fetch_all(&mut conn).await.unwrap();
            if rows.iter().any(|(row,)| row.contains(&*text) || row.contains(&hex)) {
                return true;
            }
        }
        // The files themselves, dead rows included.
        sqlx::query("CHECKPOINT").execute(&mut conn).await.unwrap();
        let (folder,): (String,) = sqlx::query_as(
            "SELECT current_setting('data_directory') || '/base/' || oid FROM pg_database WHERE datname = current_database()",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();
        let Ok(files) = std::fs::read_dir(folder) else { return false };
        files.filter_map(|file| std::fs::read(file.unwrap().path()).ok()).any(|bytes| contains(&bytes, needle))
    }
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}
