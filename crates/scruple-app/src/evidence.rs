//! What stood at an instant, for whoever audits without notice: policy, grants, opened records, requests, reviews, cases, findings.
//!
//! It is made from what is never changed: the events until then, and rows by their instants. Made again years later it is the same
//! text. It names people and patients' records by ids alone and holds none of what somebody wrote.

use scruple_core::{Id, Timestamp};
use scruple_flow::{Elevation, Grant};
use scruple_store::limits::{EVENTS_READ_MAX, PAGE_ROWS_MAX};
use scruple_store::{ElevationFilter, Event, Store, StoreError, Tx, grants_as_of, list_elevations_by_end, list_shards};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The version of the format.
const FORMAT: u32 = 1;
/// What is committed at an instant is there this much later: a transaction is over long before.
const SETTLED_MICROS: i64 = 60_000_000;

/// Kinds of things that say nothing of who had which access: who signed in is a log, and not a state.
const NOT_STANDING: [&str; 7] =
    ["confirmation", "credential", "enrolment", "message", "session", "sessions", "sign_in"];

/// Kinds of things of which not even those who may read evidence are told all: of a complaint somebody may be the reader, and who is asked
/// answers himself.
const CONFIDENTIAL: [&str; 2] = ["chart_case", "case_paper"];
const NOT_OF_CONFIDENTIAL: [&str; 3] = ["by", "question", "reader"];

/// Facts of events that are ids, codes, numbers and instants. Whatever is not named here stays out: what somebody wrote, patients,
/// tickets.
const FACTS: [&str; 66] = [
    "added",
    "approvals",
    "approved_by",
    "base",
    "by",
    "case",
    "cause",
    "changed",
    "code",
    "completed_at",
    "confirmed_by",
    "decide_by",
    "decisions",
    "due_at",
    "effective_at",
    "elevation",
    "elevations",
    "ended_by",
    "ends_at",
    "engine",
    "failed",
    "finding",
    "from",
    "grant",
    "grants",
    "group",
    "had_left_at",
    "import",
    "kind",
    "known",
    "leave",
    "left_at",
    "lines",
    "link",
    "links",
    "lost_by",
    "moves",
    "needs",
    "operator",
    "origin",
    "pack",
    "pack_version",
    "person",
    "purpose",
    "question",
    "reader",
    "reason",
    "refused",
    "removed",
    "replay",
    "reports",
    "request",
    "requested_by",
    "review",
    "revoked_by",
    "role",
    "role_before",
    "roles",
    "sessions",
    "source",
    "starts_at",
    "state",
    "task",
    "unknown_people",
    "until",
    "whole",
];

/// A role that was held.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct HeldThen {
    /// The grant.
    pub grant: String,
    /// Who.
    pub person: String,
    /// Which.
    pub role: String,
    /// From when.
    pub starts_at: String,
    /// Until when.
    pub ends_at: String,
}

/// A patient's record that was open to somebody. Whose it is stands in the store.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct OpenThen {
    /// The elevation.
    pub elevation: String,
    /// To whom.
    pub person: String,
    /// In which role.
    pub role: String,
    /// How it came to be.
    pub kind: &'static str,
    /// From when.
    pub starts_at: String,
    /// Until when.
    pub ends_at: String,
}

/// One change of something.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Step {
    /// What happened.
    pub event: String,
    /// When.
    pub at: String,
    /// Its version since.
    pub version: i64,
    /// Where the event stands, as the ledger's entry names it: `shard/sequence`.
    pub position: String,
}

/// How something stood.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Standing {
    /// What is known of it, the last word on each.
    pub facts: BTreeMap<String, Value>,
    /// How it came there, oldest first.
    pub history: Vec<Step>,
}

/// What stood at an instant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Evidence {
    /// The version of the format.
    pub format: u32,
    /// When.
    pub as_of: String,
    /// SHA-256 of the pack that was in force; none: it is not known to the store.
    pub policy: Option<String>,
    /// The last event of each shard until then: with it the ledger can be searched.
    pub shards: BTreeMap<String, i64>,
    /// How often each kind of event had happened.
    pub events: BTreeMap<String, u64>,
    /// The roles that were held.
    pub grants: Vec<HeldThen>,
    /// The records that were open beyond a role.
    pub exceptions: Vec<OpenThen>,
    /// How everything else stood, by kind and id.
    pub standing: BTreeMap<String, BTreeMap<String, Standing>>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The instant is not a minute ago: what is being committed would be missing.
    #[error("evidence is made of instants that are at least a minute ago")]
    TooRecent,
    /// The database failed.
    #[error("it cannot be read")]
    Store(#[from] StoreError),
}

/// The newest instant of which evidence can be made.
#[must_use]
pub const fn newest(now: Timestamp) -> Timestamp {
    now.plus_micros(-SETTLED_MICROS)
}

/// What stood at an instant.
///
/// # Errors
/// See [`EvidenceError`].
pub async fn evidence(store: &Store, as_of: Timestamp, now: Timestamp) -> Result<Evidence, EvidenceError> {
    if as_of > newest(now) {
        return Err(EvidenceError::TooRecent);
    }
    let mut made = Evidence {
        format: FORMAT,
        as_of: as_of.to_string(),
        policy: None,
        shards: BTreeMap::new(),
        events: BTreeMap::new(),
        grants: Vec::new(),
        exceptions: Vec::new(),
        standing: BTreeMap::new(),
    };
    let shards = list_shards(&mut store.begin_read().await?).await?;
    for shard in shards {
        let mut after = 0;
        loop {
            let page = store.events_after(shard, after, EVENTS_READ_MAX).await?;
            let Some(last) = page.last() else { break };
            after = last.position.seq;
            // Instants of a shard can stand in turn, where two were written at one time.
            for event in page.iter().filter(|event| event.at <= as_of) {
                made.take(event);
            }
        }
    }
    made.order();
    made.policy = made.in_force();
    let mut tx = store.begin_read().await?;
    made.grants = held(&mut tx, as_of).await?;
    made.exceptions = open(&mut tx, as_of).await?;
    Ok(made)
}

impl Evidence {
    fn take(&mut self, event: &Event) {
        let shard = self.shards.entry(event.position.shard.to_string()).or_default();
        *shard = (*shard).max(event.position.seq);
        *self.events.entry(event.kind.clone()).or_default() += 1;
        let Some((kind, id)) = event.aggregate.as_str().split_once(':') else { return };
        if NOT_STANDING.contains(&kind) {
            return;
        }
        let standing = self.standing.entry(kind.to_owned()).or_default().entry(id.to_owned()).or_default();
        let step = Step {
            event: event.kind.clone(),
            at: event.at.to_string(),
            version: event.version,
            position: format!("{}/{}", event.position.shard, event.position.seq),
        };
        let is_newest = standing.history.iter().all(|known| known.version <= event.version);
        standing.history.push(step);
        let Ok(facts) = serde_json::from_slice::<BTreeMap<String, Value>>(event.body.expose()) else { return };
        let is_told = |name: &str| {
            FACTS.contains(&name) && !(CONFIDENTIAL.contains(&kind) && NOT_OF_CONFIDENTIAL.contains(&name))
        };
        for (name, fact) in facts.into_iter().filter(|(name, _)| is_told(name)) {
            if is_newest || !standing.facts.contains_key(&name) {
                standing.facts.insert(name, fact);
            }
        }
    }

    /// Versions in order, whichever shard they were written on.
    fn order(&mut self) {
        for standing in self.standing.values_mut().flat_map(BTreeMap::values_mut) {
            standing.history.sort_by_key(|step| step.version);
        }
    }

    fn in_force(&self) -> Option<String> {
        let versions = self.standing.get("pack_version")?.values();
        let in_force = versions.filter(|one| one.history.last().is_some_and(|last| last.event == "policy_enacted"));
        let newest = in_force.max_by(|one, other| {
            let at = |standing: &Standing| standing.history.last().map(|last| last.at.clone());
            at(one).cmp(&at(other))
        });
        newest?.facts.get("pack")?.as_str().map(str::to_owned)
    }
}

async fn held(tx: &mut Tx, as_of: Timestamp) -> Result<Vec<HeldThen>, StoreError> {
    let (mut held, mut after): (Vec<HeldThen>, Option<Id<Grant>>) = (Vec::new(), None);
    loop {
        let page = grants_as_of(tx, as_of, after, PAGE_ROWS_MAX).await?;
        let Some(last) = page.last() else { return Ok(held) };
        after = Some(last.id);
        held.extend(page.iter().map(|one| HeldThen {
            grant: one.id.to_string(),
            person: one.person.to_string(),
            role: one.role.to_string(),
            starts_at: one.window.starts_at().to_string(),
            ends_at: one.window.ends_at().to_string(),
        }));
    }
}

async fn open(tx: &mut Tx, as_of: Timestamp) -> Result<Vec<OpenThen>, StoreError> {
    let filter = ElevationFilter { at: as_of, is_open: true, kind: None };
    let (mut open, mut after): (Vec<OpenThen>, Option<(Timestamp, Id<Elevation>)>) = (Vec::new(), None);
    loop {
        let page = list_elevations_by_end(tx, filter, after).await?;
        let Some(last) = page.last() else { return Ok(open) };
        after = Some((last.held.window.ends_at(), last.held.id));
        open.extend(page.iter().map(|one| OpenThen {
            elevation: one.held.id.to_string(),
            person: one.held.person.to_string(),
            role: one.held.role.to_string(),
            kind: one.held.kind.code(),
            starts_at: one.held.window.starts_at().to_string(),
            ends_at: one.held.window.ends_at().to_string(),
        }));
    }
}
