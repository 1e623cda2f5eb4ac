//! The real things: database, ledger on a simulated disk, drainers, a cache on each node; and how they are killed and opened anew.

use crate::error::{SimulateError, Sound, broken, failed};
use crate::model::Seen;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use scruple_app::ports::{Appending, EventLog};
use scruple_app::{AccessCache, DrainHandle, Drainer, FeedFollower, StoreKeys};
use scruple_core::{Clock as _, FixedClock};
use scruple_ledger::simulate::{Keep, SimStorage};
use scruple_ledger::{Ledger, OpenOptions, Origin, SEGMENT_BYTES_MIN};
use scruple_seal::{RootKey, Secret};
use scruple_store::limits::EVENTS_READ_MAX;
use scruple_store::{Durability, Engine, Options, SealError, Sealer, ShardId, ShardLease, Store};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::sync::Notify;
use uuid::Uuid;

pub(crate) const DIR: &str = "/ledger";
const LEASE_MICROS: i64 = 60_000_000;
/// Tries of a drainer that finds entries of a killed one on their way.
const DRAINS_MAX: usize = 200;
const NEVER: i64 = i64::MAX;

/// One process: its connections, its share of the table of events, what it remembers of access.
pub(crate) struct Node {
    pub store: Store,
    pub lease: ShardLease,
    pub cache: Arc<AccessCache>,
    pub follower: FeedFollower,
}

/// A sealer that fails once, after so many values: a use case that is broken off between two of its writes.
struct Tripping {
    keys: StoreKeys,
    left: Arc<AtomicI64>,
}

impl Sealer for Tripping {
    fn seal(&self, column: &'static str, id: Uuid, clear: &[u8]) -> Result<Vec<u8>, SealError> {
        if self.left.load(Ordering::SeqCst) != NEVER && self.left.fetch_sub(1, Ordering::SeqCst) <= 0 {
            self.left.store(NEVER, Ordering::SeqCst);
            return Err(SealError::new("the power of this node was cut"));
        }
        self.keys.seal(column, id, clear)
    }

    fn open(&self, column: &'static str, id: Uuid, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        self.keys.open(column, id, sealed)
    }

    fn blind(&self, column: &'static str, clear: &[u8]) -> [u8; 32] {
        self.keys.blind(column, clear)
    }
}

/// A log whose receipts are not heard of from the one after so many on: the drainer is killed while it waits for it.
struct Killing {
    ledger: Arc<Ledger>,
    left: AtomicI64,
    killed: Arc<Notify>,
}

impl EventLog for Killing {
    fn last_origin(&self, shard: u32) -> Option<u64> {
        EventLog::last_origin(&*self.ledger, shard)
    }

    fn append(&self, payload: Vec<u8>, origin: Origin) -> Appending {
        let appending = EventLog::append(&*self.ledger, payload, origin);
        if self.left.fetch_sub(1, Ordering::SeqCst) > 0 {
            return appending;
        }
        self.killed.notify_one();
        Box::pin(async move {
            let _recorded = appending;
            std::future::pending().await
        })
    }
}

/// All of it.
pub(crate) struct World {
    pub address: String,
    pub engine: Engine,
    pub clock: Arc<FixedClock>,
    pub nodes: Vec<Node>,
    pub ledger: Arc<Ledger>,
    pub disk: SimStorage,
    /// A checkpoint and the key, kept elsewhere.
    pub outside: Option<(Vec<u8>, String)>,
    trip: Arc<AtomicI64>,
    seen: BTreeMap<ShardId, i64>,
    rng: ChaCha20Rng,
}

/// PostgreSQL has two nodes on shards of their own; SQLite is one file of one node, which two caches look at.
const fn shards(engine: Engine) -> [ShardId; 2] {
    match engine {
        Engine::Sqlite => [ShardId(1), ShardId(1)],
        Engine::Postgres => [ShardId(1), ShardId(2)],
    }
}

fn open_ledger(disk: &SimStorage, clock: &Arc<FixedClock>, seed: u64) -> Sound<Arc<Ledger>> {
    let options = OpenOptions {
        storage: Arc::new(disk.clone()),
        rng: Box::new(ChaCha20Rng::seed_from_u64(seed)),
        segment_bytes: SEGMENT_BYTES_MIN,
        ..OpenOptions::new("log.example/simulate", clock.clone())
    };
    Ok(Arc::new(Ledger::create_or_open(Path::new(DIR), options).map_err(failed("opening the ledger"))?))
}

impl World {
    /// Opens a database that has its tables and nothing else.
    pub async fn open(address: &str, clock: Arc<FixedClock>, rng: ChaCha20Rng) -> Sound<Self> {
        let disk = SimStorage::new();
        let ledger = open_ledger(&disk, &clock, disk.operations())?;
        let engine = if address.starts_with("sqlite:") { Engine::Sqlite } else { Engine::Postgres };
        let mut world = Self {
            address: address.to_owned(),
            engine,
            clock,
            nodes: Vec::new(),
            ledger,
            disk,
            outside: None,
            trip: Arc::new(AtomicI64::new(NEVER)),
            seen: BTreeMap::new(),
            rng,
        };
        world.open_nodes().await?;
        Ok(world)
    }

    async fn connect(&self) -> Sound<Store> {
        let root = RootKey::new(Secret::new([7; 32]));
        let rng = Box::new(ChaCha20Rng::seed_from_u64(self.disk.operations()));
        let keys = StoreKeys::new(&root, rng).map_err(failed("deriving keys"))?;
        let sealer = Box::new(Tripping { keys, left: Arc::clone(&self.trip) });
        let options = Options::parse(&self.address, Durability::Relaxed).map_err(failed("reading the address"))?;
        Store::connect(options, sealer).await.map_err(failed("connecting"))
    }

    async fn open_nodes(&mut self) -> Sound<()> {
        let now = self.clock.now();
        let mut nodes: Vec<Node> = Vec::new();
        for (number, shard) in shards(self.engine).into_iter().enumerate() {
            let (store, lease) = match nodes.first().filter(|first| first.lease.shard() == shard) {
                Some(first) => (first.store.clone(), first.lease.clone()),
                None => {
                    let store = self.connect().await?;
                    let name = format!("node-{number}");
                    let lease = store.acquire_shard(shard, &name, now, now.plus_micros(LEASE_MICROS)).await;
                    let lease = lease.map_err(failed("taking a shard"))?;
                    (store, lease.ok_or(SimulateError::Failed { doing: "taking a shard", why: name })?)
                }
            };
            let cache = Arc::new(AccessCache::new(store.clone()));
            let follower = FeedFollower::new(store.clone(), Arc::clone(&cache), self.clock.clone(), Arc::default());
            nodes.push(Node { store, lease, cache, follower });
        }
        self.nodes = nodes;
        Ok(())
    }

    /// The shards that are written on, each once, with a node of it.
    fn by_shard(&self) -> BTreeMap<ShardId, &Node> {
        self.nodes.iter().rev().map(|node| (node.lease.shard(), node)).collect()
    }

    /// Breaks the next use case off after so many sealed values.
    pub fn trip_after(&self, values: u32) {
        self.trip.store(i64::from(values), Ordering::SeqCst);
    }

    /// Whether it was broken off. Nothing is from here on.
    pub fn has_tripped(&self) -> bool {
        self.trip.swap(NEVER, Ordering::SeqCst) == NEVER
    }

    /// Kills everything and opens it anew; of what the ledger has not synced `keep` stays.
    pub async fn crash(&mut self, keep: Keep) -> Sound<()> {
        // Before anything ends in an orderly way.
        let disk = self.disk.after_power_cut(keep, &mut self.rng);
        for node in self.by_shard().into_values() {
            node.store.close().await;
        }
        self.nodes.clear();
        self.disk = disk;
        self.ledger = open_ledger(&self.disk, &self.clock, self.disk.operations())?;
        self.open_nodes().await?;
        self.has_tripped();
        for node in self.nodes.iter().take(1) {
            node.follower.poll().await.map_err(failed("looking at the feed"))?;
        }
        Ok(())
    }

    /// What was committed since the last look, by shard.
    pub async fn news(&mut self) -> Sound<Vec<Vec<Seen>>> {
        let mut news = Vec::new();
        let mut ends = Vec::new();
        for (shard, node) in self.by_shard() {
            let after = self.seen.get(&shard).copied().unwrap_or(0);
            let events = node.store.events_after(shard, after, EVENTS_READ_MAX).await;
            let events = events.map_err(failed("reading events"))?;
            ends.push((shard, events.last().map_or(after, |event| event.position.seq)));
            let seen = |event: scruple_store::Event| Seen {
                aggregate: event.aggregate.to_string(),
                at: event.at,
                body: serde_json::from_slice(event.body.expose()).unwrap_or_default(),
                kind: event.kind,
            };
            news.push(events.into_iter().map(seen).collect());
        }
        self.seen.extend(ends);
        Ok(news)
    }

    /// Takes to the ledger what is committed, on each node.
    pub async fn drain(&self) -> Sound<()> {
        for (shard, node) in self.by_shard() {
            let (drainer, handle) = drainer(&node.store, self.ledger.clone(), shard)?;
            let mut tries = DRAINS_MAX;
            while let Err(error) = drainer.drain().await {
                tries -= 1;
                if !error.is_passing() || tries == 0 {
                    return broken(
                        "one-entry",
                        format!("events do not reach the ledger: {}", failed("draining")(error)),
                    );
                }
                // Entries of a drainer that was killed are on their way.
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            self.is_durable(shard, &handle)?;
        }
        Ok(())
    }

    /// Kills the drainers after so many receipts, between append and acknowledgement.
    pub async fn kill_drainers(&self, after: u32) -> Sound<()> {
        for (shard, node) in self.by_shard() {
            let killed = Arc::new(Notify::new());
            let left = AtomicI64::new(i64::from(after));
            let log = Killing { ledger: Arc::clone(&self.ledger), left, killed: Arc::clone(&killed) };
            let (drainer, handle) = drainer(&node.store, Arc::new(log), shard)?;
            tokio::select! {
                biased;
                () = killed.notified() => {}
                _ = drainer.drain() => {}
            }
            self.is_durable(shard, &handle)?;
        }
        Ok(())
    }

    /// Nobody is told that an event is recorded which a power cut would take back.
    fn is_durable(&self, shard: ShardId, handle: &DrainHandle) -> Sound<()> {
        let told = handle.position();
        let durable = u32::try_from(shard.0).ok().and_then(|shard| self.ledger.last_origin(shard)).unwrap_or(0);
        if told <= durable {
            return Ok(());
        }
        broken("record-before-release", format!("event {told} is told as recorded, the ledger has {durable}"))
    }

    /// A checkpoint that is kept elsewhere from now on, if there is a newer one.
    pub fn keep_checkpoint(&mut self) -> Sound<()> {
        self.ledger.integrate_now().map_err(failed("integrating"))?;
        self.outside = Some((self.ledger.checkpoint(), self.ledger.vkey()));
        Ok(())
    }

    pub async fn close(&self) {
        for node in self.by_shard().into_values() {
            node.store.close().await;
        }
    }
}

fn drainer(store: &Store, log: Arc<dyn EventLog>, shard: ShardId) -> Sound<(Drainer, DrainHandle)> {
    Drainer::new(store.clone(), log, shard, Arc::default()).map_err(failed("making a drainer"))
}
