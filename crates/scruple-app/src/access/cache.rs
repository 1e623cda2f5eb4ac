//! [`AccessCache`]: what each person holds, by the subject of the token.
//!
//! Three rules keep it true. An entry goes when an event names its person, one of his roles, or everyone. An entry that
//! was loaded while such an event was processed is not kept and not used. And nothing is answered once the feed has not
//! been read for a second: so a revocation holds within that second also when the database is cut off.
//!
//! It deliberately remembers no subject that is unknown: nothing in the feed would tell that he was added.

use super::Held;
use super::held::Touched;
use super::uses::Uses;
use crate::limits::{
    ACCESS_ENTRIES_MAX, ACCESS_LOAD_ATTEMPTS_MAX, ACCESS_LOAD_TIMEOUT, ACCESS_LOADS_MAX, FEED_FRESH_MICROS,
    FEED_LOOKS_MAX, TASKS_SEEN_MAX,
};
use scruple_core::{Id, Timestamp};
use scruple_flow::{AccessTask, DevicePosture};
use scruple_store::{
    Access, Feed, KnownDevice, Login, Person, RoleCode, ShardVector, Store, StoreError, find_person_by_login,
    load_access, load_device,
};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::Semaphore;

/// Why it cannot be said what somebody holds. The request is refused, alike for every subject.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The feed was not read for too long.
    #[error("what changed of late is not known")]
    Stale,
    /// The feed overtook every load.
    #[error("access changed during each of {attempts} loads")]
    Overtaken {
        /// How often it was loaded.
        attempts: u32,
    },
    /// The database did not answer in time.
    #[error("access was not loaded within {limit_ms} ms")]
    Timeout {
        /// The limit.
        limit_ms: u128,
    },
    /// The database failed.
    #[error("access cannot be loaded")]
    Store(#[from] StoreError),
}

impl AccessError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Stale => "access_feed_stale",
            Self::Overtaken { .. } | Self::Timeout { .. } | Self::Store(_) => "access_unavailable",
        }
    }
}

/// What persons hold, by the subject of their tokens. Shared by reference or `Arc`.
pub struct AccessCache {
    store: Store,
    entries_max: usize,
    loads: Semaphore,
    fresh: Freshness,
    kept: RwLock<Kept>,
    uses: Uses,
    /// The tasks under which something was read of late, to be written down.
    seen: Mutex<BTreeSet<Id<AccessTask>>>,
}

#[derive(Default)]
struct Kept {
    entries: HashMap<Box<str>, Entry>,
    /// Devices, also those that nobody has told of: an event names the device that is told of first, too.
    devices: HashMap<Id<DevicePosture>, Arc<KnownDevice>>,
    /// How far the feed has been processed.
    seen: ShardVector,
    /// What was processed of late, oldest first.
    looks: VecDeque<Look>,
    /// What was processed before that: a load that is older cannot be compared.
    forgotten: ShardVector,
    /// How often the database went back. A load that began before it did is of another history.
    restores: u64,
}

struct Entry {
    held: Arc<Held>,
    /// Whether it was asked for since room was last made.
    used: AtomicBool,
}

/// One look at the feed that named somebody.
struct Look {
    vector: ShardVector,
    touched: Touched,
}

impl AccessCache {
    /// An empty cache. It answers nothing until the feed was read once.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self::with_limit(store, ACCESS_ENTRIES_MAX)
    }

    /// The same with another limit of entries, at least one.
    #[must_use]
    pub fn with_limit(store: Store, entries_max: usize) -> Self {
        Self {
            store,
            entries_max: entries_max.max(1),
            loads: Semaphore::new(ACCESS_LOADS_MAX),
            fresh: Freshness::default(),
            kept: RwLock::default(),
            uses: Uses::default(),
            seen: Mutex::default(),
        }
    }

    /// Remembers that something is read in a role, so that the tasks by which it is do not end idle. It costs nothing where there
    /// is no task, or none of which it is time to write it down.
    pub fn sees(&self, held: &Held, role: &RoleCode, now: Timestamp) {
        let mut tasks = held.tasks_to_see(role, now).peekable();
        if tasks.peek().is_some() {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let room = TASKS_SEEN_MAX.saturating_sub(seen.len());
            seen.extend(tasks.take(room));
        }
    }

    /// The tasks under which something was read since this was last asked.
    #[must_use]
    pub fn take_seen(&self) -> BTreeSet<Id<AccessTask>> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the subject holds, if that is in memory and fresh: no SQL, no waiting, nothing but a counter changed.
    #[must_use]
    pub fn try_held(&self, subject: &str, now: Timestamp) -> Option<Arc<Held>> {
        if self.fresh.holds(now) { self.find(subject) } else { None }
    }

    /// What the subject holds, loaded if need be. Nobody of that login: `Ok(None)`.
    ///
    /// A load may take its time: whoever decides asks [`Held`] with a clock read after it.
    ///
    /// # Errors
    /// See [`AccessError`]; the request is refused.
    pub async fn held(&self, subject: &str, now: Timestamp) -> Result<Option<Arc<Held>>, AccessError> {
        if !self.fresh.holds(now) {
            return Err(AccessError::Stale);
        }
        if let Some(held) = self.find(subject) {
            return Ok(Some(held));
        }
        let Ok(login) = subject.parse() else {
            return Ok(None);
        };
        let loaded = tokio::time::timeout(ACCESS_LOAD_TIMEOUT, self.load_and_keep(subject, &login, now)).await;
        loaded.unwrap_or(Err(AccessError::Timeout { limit_ms: ACCESS_LOAD_TIMEOUT.as_millis() }))
    }

    /// What is known of a device, loaded if need be. Nobody has told of it: `Ok(None)`.
    ///
    /// # Errors
    /// See [`AccessError`].
    pub async fn device(
        &self,
        device: Id<DevicePosture>,
        now: Timestamp,
    ) -> Result<Option<DevicePosture>, AccessError> {
        if !self.fresh.holds(now) {
            return Err(AccessError::Stale);
        }
        if let Some(known) = self.read().devices.get(&device) {
            return Ok(known.posture);
        }
        let loaded = tokio::time::timeout(ACCESS_LOAD_TIMEOUT, self.load_device(device)).await;
        loaded.unwrap_or(Err(AccessError::Timeout { limit_ms: ACCESS_LOAD_TIMEOUT.as_millis() }))
    }

    async fn load_device(&self, device: Id<DevicePosture>) -> Result<Option<DevicePosture>, AccessError> {
        let _turn = self.loads.acquire().await;
        for _ in 0..ACCESS_LOAD_ATTEMPTS_MAX {
            let restores = self.read().restores;
            let known = Arc::new(load_device(&mut self.store.begin_read().await?, device).await?);
            let mut kept = self.write();
            let touches = |touched: &Touched| touched.touches_device(device);
            if kept.restores == restores && !kept.is_overtaken(&known.vector, touches) {
                if kept.devices.len() >= self.entries_max {
                    kept.devices.clear();
                }
                kept.devices.insert(device, Arc::clone(&known));
                return Ok(known.posture);
            }
        }
        Err(AccessError::Overtaken { attempts: ACCESS_LOAD_ATTEMPTS_MAX })
    }

    /// Whether the feed is fresh at `now`.
    #[must_use]
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.fresh.holds(now)
    }

    /// Remembers that somebody has used his account, for [`AccessCache::write_uses`].
    pub fn note_use(&self, person: Id<Person>, now: Timestamp) {
        self.uses.note(person, now);
    }

    /// Writes down who has used his account since. Answers with how many.
    ///
    /// # Errors
    /// The database failed; it is noted again at the next use.
    pub async fn write_uses(&self) -> Result<usize, StoreError> {
        let uses = self.uses.take();
        if uses.is_empty() {
            return Ok(0);
        }
        let written = self.store.note_use(&uses).await;
        written.inspect_err(|_| self.uses.forget(&uses)).map(|()| uses.len())
    }

    /// How many persons' access is in memory.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.read().entries.len()
    }

    /// How far the feed has been processed.
    pub(crate) fn seen(&self) -> ShardVector {
        self.read().seen.clone()
    }

    /// Processes one look at the feed that was begun at `started`.
    pub(crate) fn process(&self, feed: Feed, started: Timestamp) {
        {
            let mut kept = self.write();
            if !feed.vector.covers(&kept.seen) {
                kept.begin_anew(&feed.vector);
            } else if !feed.subjects.is_empty() {
                kept.evict(feed.subjects.into_iter().collect(), &feed.vector);
            }
            kept.seen = feed.vector;
        }
        self.fresh.stamp(started);
    }

    /// Tells that a look at the feed has failed, at `now`.
    pub(crate) fn missed(&self, now: Timestamp) {
        self.fresh.expire(now);
    }

    async fn load_and_keep(
        &self,
        subject: &str,
        login: &Login,
        now: Timestamp,
    ) -> Result<Option<Arc<Held>>, AccessError> {
        // It is never closed; were it, the load would run without its turn.
        let _turn = self.loads.acquire().await;
        for _ in 0..ACCESS_LOAD_ATTEMPTS_MAX {
            // Whoever had the turn before may have loaded the same.
            if let Some(held) = self.find(subject) {
                return Ok(Some(held));
            }
            let restores = self.read().restores;
            let Some(access) = load(&self.store, subject, login, now).await? else {
                return Ok(None);
            };
            let held = Arc::new(Held::new(access));
            if self.keep(subject, &held, restores) {
                return Ok(Some(held));
            }
        }
        Err(AccessError::Overtaken { attempts: ACCESS_LOAD_ATTEMPTS_MAX })
    }

    fn find(&self, subject: &str) -> Option<Arc<Held>> {
        let kept = self.read();
        let entry = kept.entries.get(subject)?;
        // Most find it set: only a change makes the other processors fetch it anew.
        if !entry.used.load(Ordering::Relaxed) {
            entry.used.store(true, Ordering::Relaxed);
        }
        Some(Arc::clone(&entry.held))
    }

    /// Keeps what was loaded, unless something was processed meanwhile that the load may lack.
    // INVARIANT (no-stale-entry): for every entry, no processed event above its vector touches it.
    fn keep(&self, subject: &str, held: &Arc<Held>, restores: u64) -> bool {
        let mut kept = self.write();
        if kept.restores != restores || kept.overtook(held) {
            return false;
        }
        if kept.entries.len() >= self.entries_max {
            kept.make_room(self.entries_max);
        }
        kept.entries.insert(subject.into(), Entry { held: Arc::clone(held), used: AtomicBool::new(true) });
        true
    }

    fn read(&self) -> RwLockReadGuard<'_, Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Kept> {
        self.kept.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for AccessCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessCache").field("entries", &self.entries()).finish_non_exhaustive()
    }
}

async fn load(store: &Store, subject: &str, login: &Login, now: Timestamp) -> Result<Option<Access>, StoreError> {
    let mut tx = store.begin_read().await?;
    // A subject is compared letter by letter (RFC 7519, 2): what only looks like a login is somebody else.
    let found = find_person_by_login(&mut tx, login).await?;
    let Some(person) = found.filter(|person| person.login.expose() == subject) else {
        return Ok(None);
    };
    load_access(&mut tx, person.id, now).await
}

impl Kept {
    /// The database went back: what is here, and every load under way, is of a history that is no more.
    fn begin_anew(&mut self, vector: &ShardVector) {
        self.entries.clear();
        self.devices.clear();
        self.looks.clear();
        self.forgotten = vector.clone();
        self.restores = self.restores.wrapping_add(1);
    }

    fn evict(&mut self, touched: Touched, vector: &ShardVector) {
        self.entries.retain(|_, entry| !entry.held.is_touched_by(&touched));
        self.devices.retain(|device, _| !touched.touches_device(*device));
        self.looks.push_back(Look { vector: vector.clone(), touched });
        while self.looks.len() > FEED_LOOKS_MAX {
            if let Some(look) = self.looks.pop_front() {
                self.forgotten = look.vector;
            }
        }
    }

    fn overtook(&self, held: &Held) -> bool {
        self.is_overtaken(held.vector(), |touched| held.is_touched_by(touched))
    }

    /// Whether something was processed that a load may lack which began at `loaded`.
    fn is_overtaken(&self, loaded: &ShardVector, touches: impl Fn(&Touched) -> bool) -> bool {
        let lacks = |vector: &ShardVector| !loaded.covers(vector);
        lacks(&self.forgotten) || self.looks.iter().any(|look| lacks(&look.vector) && touches(&look.touched))
    }

    /// Drops what was not asked for since room was last made; where all was, one entry.
    fn make_room(&mut self, entries_max: usize) {
        self.entries.retain(|_, entry| entry.used.swap(false, Ordering::Relaxed));
        while self.entries.len() >= entries_max {
            let Some(any) = self.entries.keys().next().cloned() else { return };
            self.entries.remove(&any);
        }
    }
}

/// Until when the feed counts as known: a second from the start of the last good look.
#[derive(Debug)]
struct Freshness {
    started: AtomicI64,
}

const NEVER: i64 = i64::MIN;

impl Default for Freshness {
    fn default() -> Self {
        Self { started: AtomicI64::new(NEVER) }
    }
}

impl Freshness {
    fn stamp(&self, started: Timestamp) {
        self.started.store(started.micros(), Ordering::Release);
    }

    /// Stale stays stale until the next good look: a clock that is set back must not bring the old one to life.
    fn holds(&self, now: Timestamp) -> bool {
        let started = self.started.load(Ordering::Acquire);
        if started == NEVER {
            return false;
        }
        // A request may have read its clock a little before the look began. One that read it long before is refused, and
        // ends nothing for others.
        let fresh = is_near(started, now);
        if !fresh && now.micros() > started {
            self.forget(started);
        }
        fresh
    }

    /// Makes stale for good what is not fresh at `now`, read by the follower itself: also a look that seems to come from
    /// the future because the clock was set back.
    fn expire(&self, now: Timestamp) {
        let started = self.started.load(Ordering::Acquire);
        if started != NEVER && !is_near(started, now) {
            self.forget(started);
        }
    }

    fn forget(&self, started: i64) {
        // Where another look has come meanwhile, that one stands.
        let _ = self.started.compare_exchange(started, NEVER, Ordering::AcqRel, Ordering::Relaxed);
    }
}

fn is_near(started: i64, now: Timestamp) -> bool {
    now.micros().abs_diff(started) <= FEED_FRESH_MICROS.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::held::tests::held;

    #[test]
    fn room_is_made_by_who_was_not_asked_for_and_else_by_one() {
        let mut kept = Kept::default();
        let put = |kept: &mut Kept, name: &str, used| {
            let held = Arc::new(held(None, &[]));
            kept.entries.insert(name.into(), Entry { held, used: AtomicBool::new(used) });
        };
        for (name, used) in [("a", true), ("b", false), ("c", true)] {
            put(&mut kept, name, used);
        }
        let names = |kept: &Kept| kept.entries.keys().map(ToString::to_string).collect::<BTreeSet<_>>();
        kept.make_room(3);
        assert_eq!(names(&kept), ["a", "c"].map(str::to_owned).into());
        put(&mut kept, "d", true);
        kept.make_room(3);
        assert_eq!(names(&kept), ["d".to_owned()].into());
        put(&mut kept, "e", true);
        kept.entries["d"].used.store(true, Ordering::Relaxed);
        kept.make_room(2);
        assert_eq!(kept.entries.len(), 1);
    }

    #[test]
    fn the_feed_is_fresh_for_one_second_and_stale_until_the_next_look() {
        let at = Timestamp::from_micros;
        let fresh = Freshness::default();
        assert!(!fresh.holds(at(0)), "never read");
        fresh.stamp(at(5_000_000));
        for now in [4_999_000, 5_000_000, 5_999_999, 6_000_000] {
            assert!(fresh.holds(at(now)), "{now}");
        }
        assert!(!fresh.holds(at(6_000_001)));
        assert!(!fresh.holds(at(5_500_000)), "a clock that is set back");
        fresh.stamp(at(7_000_000));
        assert!(fresh.holds(at(7_000_000)));
        assert!(!fresh.holds(at(3_000_000)), "a request that waited long");
        assert!(fresh.holds(at(7_100_000)), "ends nothing for others");
        fresh.expire(at(7_500_000));
        assert!(fresh.holds(at(7_500_000)));
        fresh.expire(at(3_000_000));
        assert!(!fresh.holds(at(7_000_000)), "a look that seems to come from the future");
    }
}
