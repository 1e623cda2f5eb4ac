//! The parts of a gateway.

use super::BASE;
use anyhow::{Context as _, Result};
use rand_core::CryptoRng;
use scruple_app::{AccessCache, FeedFollower, SeedPerson, StoreKeys, seed_workforce};
use scruple_connect::{Base, HttpUpstream, Options as ConnectOptions};
use scruple_core::{Clock, Entry, EntryBody, Timestamp};
use scruple_fhir::search::Dialect;
use scruple_gateway::{AnswerTiming, Gateway, Networks, Parts};
use scruple_identity::{Claims, Issuer, LEEWAY_SECONDS, Parties, Verifier};
use scruple_ledger::{MergedReserve, Notices, Recorder, RefusedCounts};
use scruple_policy::Active;
use scruple_release::{Pipeline, Policy, Upstream};
use scruple_seal::{RootKey, Secret, SystemRng};
use scruple_store::{Durability, Options as StoreOptions, ShardId, ShardLease, Store};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// The shard of a node that stands alone.
pub(super) const SHARD: ShardId = ShardId(1);
/// Microseconds for which its lease is taken: longer than any run.
const LEASE_MICROS: i64 = 24 * 3_600 * 1_000_000;
/// Seconds that a token lasts.
const TOKEN_SECONDS: u32 = 8 * 3_600;
/// Milliseconds for the first look at the feed.
const FIRST_LOOK_MS: u64 = 10_000;

/// The machine's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place here that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// Somebody who asks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Person {
    /// The `sub` of his tokens.
    pub login: String,
    /// The role that he holds and acts in.
    pub role: String,
    /// The purpose of use in his tokens.
    pub purpose: String,
    /// Who he is in the record system.
    #[serde(default)]
    pub practitioners: Vec<String>,
}

/// A made-up key, the same at each start.
pub const ROOT_KEY: [u8; 32] = [7; 32];

/// The same, to derive others of.
#[must_use]
pub fn root() -> RootKey {
    RootKey::new(Secret::new(ROOT_KEY))
}

fn parties() -> Parties {
    Parties { issuer: "http://issuer.invalid".to_owned(), audience: BASE.to_owned() }
}

/// An issuer of tokens with a new key.
///
/// # Errors
/// The crypto library makes none.
pub fn issuer(rng: &mut dyn CryptoRng) -> Result<Issuer> {
    Ok(Issuer::generate(parties(), rng)?)
}

/// A token for somebody.
///
/// # Errors
/// The crypto library does not sign.
pub fn token(issuer: &Issuer, person: &Person, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<String> {
    let claims = Claims {
        subject: person.login.clone(),
        client_id: "bench".to_owned(),
        roles: vec![person.role.clone()],
        purpose: Some(person.purpose.clone()),
        lifetime_seconds: TOKEN_SECONDS,
    };
    Ok(issuer.issue(&claims, now, rng)?)
}

/// A store with people in it, and who holds what of it in memory.
pub struct Workforce {
    /// The store.
    pub store: Store,
    /// The shard that is held in it.
    pub lease: ShardLease,
    /// Who holds what.
    pub cache: Arc<AccessCache>,
    /// Keeps the cache fresh.
    pub follower: FeedFollower,
    /// Wakes it.
    pub wake: Arc<Notify>,
}

/// Opens a store, and adds the people who are not there.
///
/// # Errors
/// The store cannot be opened.
pub async fn workforce(database: &str, clock: &Arc<dyn Clock>, people: &[Person]) -> Result<Workforce> {
    let keys = StoreKeys::new(&root(), Box::new(SystemRng))?;
    let store = Store::connect(StoreOptions::parse(database, Durability::Relaxed)?, Box::new(keys)).await?;
    store.migrate().await?;
    let now = clock.now();
    let lease = store.acquire_shard(SHARD, "bench", now, now.plus_micros(LEASE_MICROS)).await?;
    let lease = lease.context("another process holds the shard")?;
    let practitioners: Vec<Vec<&str>> =
        people.iter().map(|person| person.practitioners.iter().map(String::as_str).collect()).collect();
    let seeds = people.iter().zip(&practitioners).map(|(person, practitioners)| SeedPerson {
        login: &person.login,
        name: &person.login,
        role: &person.role,
        practitioners,
    });
    seed_workforce(&store, &lease, clock.as_ref(), &mut SystemRng, &seeds.collect::<Vec<_>>()).await?;
    let (cache, wake) = (Arc::new(AccessCache::new(store.clone())), Arc::new(Notify::new()));
    let follower = FeedFollower::new(store.clone(), Arc::clone(&cache), Arc::clone(clock), Arc::clone(&wake));
    tokio::time::timeout(Duration::from_millis(FIRST_LOOK_MS), follower.poll()).await??;
    Ok(Workforce { store, lease, cache, follower, wake })
}

/// What a gateway is put together of.
pub struct Setting {
    /// The policy.
    pub active: Arc<Active>,
    /// The FHIR server.
    pub upstream: Arc<dyn Upstream>,
    /// Where entries go.
    pub recorder: Arc<Recorder>,
    /// Who holds what.
    pub access: Arc<AccessCache>,
    /// The keys of the issuer of tokens.
    pub jwks: String,
    /// Whose answers wait for the next of a few times.
    pub timing: AnswerTiming,
    /// The present.
    pub now: Timestamp,
}

impl Setting {
    /// The gateway.
    ///
    /// # Errors
    /// A key cannot be used.
    pub fn gateway(self) -> Result<Gateway> {
        let pipeline = Pipeline::new(scruple_release::Parts {
            policy: Policy::new(self.active),
            upstream: self.upstream,
            recorder: self.recorder,
            token: root().token()?,
            page: root().column("gateway.page")?,
            base: BASE.to_owned(),
        });
        Ok(Gateway::new(Parts {
            pipeline: Arc::new(pipeline),
            access: self.access,
            verifier: Verifier::new(&self.jwks, parties(), LEEWAY_SECONDS)?,
            path: "/fhir".to_owned(),
            timing: self.timing,
            networks: Networks::default(),
            now: self.now,
        }))
    }
}

/// The entries that tell of an outage of the ledger.
pub struct Words(pub Arc<dyn Clock>);

impl Words {
    fn notice(&self, code: &str, facts: impl IntoIterator<Item = (String, String)>) -> Vec<u8> {
        let body = EntryBody::Notice { code: code.to_owned(), facts: facts.into_iter().collect() };
        Entry::new(self.0.now(), body).to_bytes().unwrap_or_default()
    }
}

impl Notices for Words {
    fn refused(&self, refused: &RefusedCounts) -> Vec<u8> {
        self.notice("refused", refused.iter().map(|(code, count)| (code.to_owned(), count.to_string())))
    }

    fn merged(&self, merged: &MergedReserve) -> Vec<u8> {
        self.notice("merged", [("entries".to_owned(), merged.entries.to_string())])
    }
}

/// A server over HTTP as an upstream.
///
/// # Errors
/// The address is none.
pub fn http_upstream(url: &str, call_ms: u64, dialect: Dialect) -> Result<Arc<dyn Upstream>> {
    let mut options = ConnectOptions::new(Base::parse(url)?);
    (options.call_ms, options.dialect) = (call_ms, dialect);
    Ok(Arc::new(HttpUpstream::new(&options)?))
}
