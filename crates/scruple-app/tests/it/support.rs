//! A database and a clock for each test, a ledger on a simulated disk, and the few things that most cases begin with.

use crate::postgres::{self, Shared, shared};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use scruple_app::{AccessCache, DrainHandle, Drainer, FeedFollower, Held, StoreKeys};
use scruple_core::{Clock as _, Entry, EntryBody, FixedClock, Id, Phi, Timestamp, new_id};
use scruple_ledger::simulate::SimStorage;
use scruple_ledger::{Ledger, OpenOptions, Origin, Payload, SEGMENT_BYTES_MIN, entries};
use scruple_seal::{RootKey, Secret};
use scruple_store::{
    Aggregate, Durability, Engine, Grant, GrantRequest, NewEvent, NewGrant, NewPerson, Options, Person, Position,
    Revocation, SealError, Sealer, ShardId, ShardLease, Store, Subject, Subjects, Tx, Window, insert_grant,
    insert_person, revoke_grant,
};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

pub const SHARD: ShardId = ShardId(1);
/// Longer than anything here takes on a machine that is busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(60);

const DIR: &str = "/ledger";

/// 2026-03-01T08:00:00Z and so many seconds.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::parse("2026-03-01T08:00:00Z").unwrap().plus_micros(seconds * 1_000_000)
}

pub fn keys(root: u8) -> StoreKeys {
    let rng = Box::new(ChaCha20Rng::seed_from_u64(2));
    StoreKeys::new(&RootKey::new(Secret::new([root; 32])), rng).unwrap()
}

/// Comes back when the condition holds.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(2));
        while !holds() {
            ticks.tick().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "{what}");
}

/// One test's database, the shard that it writes on, and a clock that begins at second 0.
pub struct World {
    pub store: Store,
    pub clock: Arc<FixedClock>,
    pub lease: ShardLease,
    pub asker: Id<Person>,
    pub approver: Id<Person>,
    address: String,
    rng: Mutex<ChaCha20Rng>,
}

fn postgres_address() -> Option<&'static str> {
    static SERVER: OnceLock<Option<Shared>> = OnceLock::new();
    let server = SERVER.get_or_init(|| shared().expect("PostgreSQL is there and does not start"));
    server.as_ref().map(|server| server.address.as_str())
}

/// The folder of PostgreSQL's client programs.
fn programs() -> Option<PathBuf> {
    let folders =
        std::fs::read_dir("/usr/lib/postgresql").ok()?.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    folders.filter(|folder| folder.join("createdb").is_file()).max()
}

fn administer(programs: &Path, program: &str, server: &str, arguments: &[&str]) {
    let mut command = Command::new(programs.join(program));
    let done = command.arg(format!("--maintenance-db={server}")).args(arguments).output().unwrap();
    assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Runs a case on a database of its own, which is removed afterwards unless the case fails.
pub async fn with_world(engine: Engine, case: impl AsyncFnOnce(&World)) {
    match engine {
        Engine::Sqlite => {
            let folder = tempfile::tempdir().unwrap();
            let world = World::open(format!("sqlite:{}", folder.path().join("state.db").display())).await;
            case(&world).await;
            world.store.close().await;
        }
        Engine::Postgres => {
            let (Some(server), Some(programs)) = (postgres_address(), programs()) else {
                println!("postgres: not run (no programs, no {})", postgres::VARIABLE);
                return;
            };
            let name = format!("scruple_{:016x}", std::hash::RandomState::new().build_hasher().finish());
            let settings = ["--template=template0", "--encoding=UTF8", "--locale=C", &name];
            administer(&programs, "createdb", server, &settings);
            let (host, _) = server.rsplit_once('/').unwrap();
            let world = World::open(format!("{host}/{name}")).await;
            case(&world).await;
            world.store.close().await;
            administer(&programs, "dropdb", server, &["--force", &name]);
        }
    }
}

impl World {
    async fn open(address: String) -> Self {
        let options = Options::parse(&address, Durability::Relaxed).unwrap();
        let store = Store::connect(options, Box::new(keys(7))).await.unwrap();
        store.migrate().await.unwrap();
        let lease = store.acquire_shard(SHARD, "node-a", at(0), at(60)).await.unwrap().unwrap();
        let nobody = Id::from_uuid(Uuid::nil());
        let rng = Mutex::new(ChaCha20Rng::from_seed([1; 32]));
        let clock = Arc::new(FixedClock::new(at(0)));
        let mut world = Self { store, clock, lease, asker: nobody, approver: nobody, address, rng };
        world.asker = world.person("asker").await;
        world.approver = world.person("approver").await;
        world
    }

    /// The same database over connections and with a sealer of its own.
    pub async fn second_store(&self, sealer: Box<dyn Sealer>) -> Store {
        Store::connect(Options::parse(&self.address, Durability::Relaxed).unwrap(), sealer).await.unwrap()
    }

    pub fn id<T>(&self) -> Id<T> {
        new_id(at(0), &mut *self.rng.lock().unwrap())
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Commits with one event of an aggregate that nothing else touches.
    pub async fn commit(&self, tx: Tx, subjects: impl Into<Subjects>) -> Position {
        let event = self.event(subjects);
        tx.commit(&self.lease, &[event]).await.unwrap()[0]
    }

    pub fn event(&self, subjects: impl Into<Subjects>) -> NewEvent<'static> {
        NewEvent {
            id: self.id(),
            aggregate: Aggregate::new("test", self.id::<Grant>()),
            version: 1,
            at: at(0),
            kind: "test",
            subjects: subjects.into(),
            body: b"canary facts",
        }
    }

    /// An event that changes nothing but says whom it touches.
    pub async fn touch(&self, subjects: impl Into<Subjects>) -> Position {
        self.commit(self.store.begin().await.unwrap(), subjects).await
    }

    pub async fn person(&self, login: &str) -> Id<Person> {
        let person = NewPerson {
            id: self.id(),
            login: login.parse().unwrap(),
            name: Phi::new(format!("Name of {login}")),
            contact: None,
            created_at: at(0),
        };
        let mut tx = self.store.begin().await.unwrap();
        insert_person(&mut tx, &person).await.unwrap();
        self.commit(tx, Subject::Person(person.id)).await;
        person.id
    }

    pub async fn grant(&self, person: Id<Person>, role: &str, window: (i64, i64)) -> Id<Grant> {
        let request = GrantRequest {
            id: self.id(),
            person,
            role: role.parse().unwrap(),
            window: Window::new(at(window.0), at(window.1)).unwrap(),
            requested_by: self.asker,
            justification: Phi::new("builds claims".to_owned()),
        };
        let id = request.id;
        let mut tx = self.store.begin().await.unwrap();
        insert_grant(&mut tx, &NewGrant::approved(request, self.approver, at(0)).unwrap()).await.unwrap();
        self.commit(tx, Subject::Person(person)).await;
        id
    }

    /// A grant that is approved now, for a long time.
    pub async fn grant_now(&self, person: Id<Person>, role: &str) -> Id<Grant> {
        let window = Window::new(at(0), at(1_000_000)).unwrap();
        let justification = Phi::new("codes claims".to_owned());
        let (id, role) = (self.id(), role.parse().unwrap());
        let request = GrantRequest { id, person, role, window, requested_by: self.asker, justification };
        let mut tx = self.store.begin().await.unwrap();
        insert_grant(&mut tx, &NewGrant::approved(request, self.approver, self.now()).unwrap()).await.unwrap();
        self.commit(tx, Subject::Person(person)).await;
        id
    }

    /// A grant that may come too late; whether it was made.
    pub async fn try_grant(&self, person: Id<Person>, role: &str) -> bool {
        let window = Window::new(at(0), at(1_000_000)).unwrap();
        let justification = Phi::new("codes claims".to_owned());
        let (id, role) = (self.id(), role.parse().unwrap());
        let request = GrantRequest { id, person, role, window, requested_by: self.asker, justification };
        let new = NewGrant::approved(request, self.approver, self.now()).unwrap();
        let mut tx = self.store.begin().await.unwrap();
        if insert_grant(&mut tx, &new).await.is_err() {
            return false;
        }
        self.commit(tx, Subject::Person(person)).await;
        true
    }

    /// A person with one role from second 0 to 1,000.
    pub async fn nurse(&self, login: &str) -> (Id<Person>, Id<Grant>) {
        let person = self.person(login).await;
        (person, self.grant(person, "nurse", (0, 1_000)).await)
    }

    pub async fn revoke(&self, person: Id<Person>, grant: Id<Grant>) -> Position {
        let mut tx = self.store.begin().await.unwrap();
        revoke_grant(&mut tx, grant, 1, Revocation { by: self.asker, at: self.now() }).await.unwrap();
        self.commit(tx, Subject::Person(person)).await
    }

    pub fn cache(&self) -> Arc<AccessCache> {
        Arc::new(AccessCache::new(self.store.clone()))
    }

    pub fn follower(&self, cache: &Arc<AccessCache>) -> FeedFollower {
        FeedFollower::new(self.store.clone(), Arc::clone(cache), self.clock.clone(), Arc::default())
    }

    /// A cache whose feed was read just now, and the follower that read it.
    pub async fn fresh_cache(&self) -> (Arc<AccessCache>, FeedFollower) {
        let cache = self.cache();
        let follower = self.follower(&cache);
        follower.poll().await.unwrap();
        (cache, follower)
    }

    pub async fn roles(&self, cache: &AccessCache, subject: &str) -> Option<Vec<String>> {
        let held = cache.held(subject, self.now()).await.unwrap()?;
        Some(roles(&held, self.now()))
    }

    pub fn drainer(&self, log: &TestLog) -> (Drainer, DrainHandle) {
        Drainer::new(self.store.clone(), log.ledger.clone(), SHARD, Arc::new(Notify::new())).unwrap()
    }
}

pub fn roles(held: &Held, now: Timestamp) -> Vec<String> {
    held.active(now).map(|active| active.role.to_string()).collect()
}

pub fn practitioners(held: &Held) -> Vec<String> {
    held.practitioners().iter().map(ToString::to_string).collect()
}

/// A ledger on a simulated disk.
pub struct TestLog {
    pub disk: SimStorage,
    pub ledger: Arc<Ledger>,
}

impl TestLog {
    pub fn open(disk: SimStorage) -> Self {
        let options = OpenOptions {
            storage: Arc::new(disk.clone()),
            rng: Box::new(ChaCha20Rng::seed_from_u64(disk.operations())),
            segment_bytes: SEGMENT_BYTES_MIN,
            ..OpenOptions::new("log.example/test", Arc::new(FixedClock::new(at(0))))
        };
        let ledger = Arc::new(Ledger::create_or_open(Path::new(DIR), options).unwrap());
        Self { disk, ledger }
    }

    pub fn new() -> Self {
        Self::open(SimStorage::new())
    }

    pub fn entries(&self) -> Vec<(Origin, Entry)> {
        let read = entries(Path::new(DIR), Arc::new(self.disk.clone()), None, 0).unwrap();
        read.map(|entry| {
            let entry = entry.unwrap();
            let Payload::Open(bytes) = entry.payload else { panic!("{:?}", entry.payload) };
            (entry.origin.unwrap(), Entry::from_bytes(&bytes).unwrap())
        })
        .collect()
    }

    /// The positions, in the order in which they stand in the ledger.
    pub fn seqs(&self) -> Vec<u64> {
        self.entries().iter().map(|(origin, _)| origin.seq).collect()
    }

    /// How often each kind of event stands in the ledger.
    pub fn kinds(&self) -> BTreeMap<String, usize> {
        let mut kinds = BTreeMap::new();
        for (_, entry) in self.entries() {
            let EntryBody::Event { event, .. } = entry.body else { panic!("{entry:?}") };
            *kinds.entry(event).or_default() += 1;
        }
        kinds
    }
}

/// A sealer that stands still in the middle of each load of a person until it is let go: the load's transaction has then
/// begun to read. After [`Gate::open`] nothing stands still any more.
pub struct Gate {
    pub arrived: mpsc::UnboundedReceiver<()>,
    pub store: Store,
    go: Sender<()>,
}

struct Gated {
    keys: StoreKeys,
    arrived: mpsc::UnboundedSender<()>,
    go: Mutex<Receiver<()>>,
}

impl Gate {
    pub async fn cache(world: &World) -> (Self, Arc<AccessCache>) {
        let (arrived, arrivals) = mpsc::unbounded_channel();
        let (go, gone) = channel();
        let sealer = Gated { keys: keys(7), arrived, go: Mutex::new(gone) };
        let store = world.second_store(Box::new(sealer)).await;
        (Self { arrived: arrivals, store: store.clone(), go }, Arc::new(AccessCache::new(store)))
    }

    pub async fn arrival(&mut self) {
        let arrived = tokio::time::timeout(PATIENCE, self.arrived.recv()).await;
        assert_eq!(arrived.expect("no load has begun"), Some(()));
    }

    pub fn let_go(&self) {
        self.go.send(()).unwrap();
    }

    /// Lets all go, now and later; what it returns tells of the loads that were not waited for.
    pub fn open(self) -> mpsc::UnboundedReceiver<()> {
        self.arrived
    }
}

impl Sealer for Gated {
    fn seal(&self, column: &'static str, id: Uuid, clear: &[u8]) -> Result<Vec<u8>, SealError> {
        self.keys.seal(column, id, clear)
    }

    fn open(&self, column: &'static str, id: Uuid, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        if column == "person.name" {
            let _ = self.arrived.send(());
            // Gives the worker away: it may be the one that waits for the sockets.
            let _ = tokio::task::block_in_place(|| self.go.lock().unwrap().recv());
        }
        self.keys.open(column, id, sealed)
    }

    fn blind(&self, column: &'static str, clear: &[u8]) -> [u8; 32] {
        self.keys.blind(column, clear)
    }
}
