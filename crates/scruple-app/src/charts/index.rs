//! [`Indexer`]: takes what the ledger tells of charts into the index, each entry exactly once.
//!
//! The mark of how far it has come stands in the same transaction as the rows, so that a crash repeats nothing and leaves nothing
//! out. It reads the ledger's files and writes none of them.

use super::AccessFacts;
use crate::limits::{INDEX_ENTRIES_MAX, INDEX_PEOPLE_MAX, INDEX_POLL};
use crate::stop::stopped;
use rand_core::Rng;
use scruple_core::{
    Actor, Clock, DecisionFacts, Entry, EntryBody, Id, Phi, Relationship, RequestFacts, Timestamp, new_id,
};
use scruple_flow::{Elevation, Grant, Login, Person};
use scruple_ledger::{Entries, FileSystem, LedgerError, Payload, entries};
use scruple_policy::INSIDE;
use scruple_store::{
    AccessBasis, AccessOutcome, AccessSource, LedgerPart, NewChartAccess, SourceKind, Store, StoreError, access_cursor,
    find_grant, find_person_by_login, find_release,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

/// What the gateway is called among the sources.
const GATEWAY: &str = "gateway";

/// Why the index does not go on.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The database failed.
    #[error("the index cannot be written")]
    Store(#[from] StoreError),
    /// The ledger cannot be read.
    #[error("the ledger cannot be read")]
    Ledger(#[source] LedgerError),
    /// There is no key to open the ledger's entries with.
    #[error("the ledger's entries are closed: their key is not there")]
    Closed,
    /// An entry was written by a newer version, or is damaged.
    #[error("entry {0} cannot be read")]
    Unreadable(u64),
    /// Another kind of log is called as the gateway is.
    #[error("another kind of log is called `{GATEWAY}`")]
    Source,
    /// A task was ended from outside.
    #[error("reading was stopped")]
    Stopped,
}

impl IndexError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Store(_) => "database_unavailable",
            Self::Ledger(_) => "ledger_unreadable",
            Self::Closed => "ledger_closed",
            Self::Unreadable(_) => "entry_unreadable",
            Self::Source => "source_taken",
            Self::Stopped => "stopped",
        }
    }
}

/// How far the index is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexState {
    /// Entries of the ledger that it has.
    pub entries: u64,
    /// Why it does not go on.
    pub failing: Option<&'static str>,
}

/// Asks how far the index is, and wakes it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct IndexHandle {
    state: watch::Receiver<IndexState>,
    wake: Arc<Notify>,
}

impl IndexHandle {
    /// How far it is.
    #[must_use]
    pub fn state(&self) -> IndexState {
        *self.state.borrow()
    }

    /// Wakes it, and waits until it has so many entries, at most for `bound`. False: it has not, or not yet.
    pub async fn reach(&self, entries: u64, bound: Duration) -> bool {
        self.wake.notify_one();
        let mut state = self.state.clone();
        let reached = state.wait_for(|state| state.entries >= entries);
        matches!(tokio::time::timeout(bound, reached).await, Ok(Ok(_)))
    }
}

/// Reads one ledger into the index.
pub struct Indexer {
    store: Store,
    ledger: PathBuf,
    log: i64,
    clock: Arc<dyn Clock>,
    rng: Box<dyn Rng + Send>,
    /// Whose grant or login it is, as far as that was looked up.
    people: HashMap<String, Id<Person>>,
    source: Option<Id<AccessSource>>,
    state: watch::Sender<IndexState>,
    wake: Arc<Notify>,
}

impl Indexer {
    /// An indexer of the ledger in a folder. `log`: the number of its node's shard.
    #[must_use]
    pub fn new(
        store: Store,
        (ledger, log): (PathBuf, i64),
        clock: Arc<dyn Clock>,
        rng: Box<dyn Rng + Send>,
    ) -> (Self, IndexHandle) {
        let (sender, state) = watch::channel(IndexState { entries: 0, failing: None });
        let wake = Arc::new(Notify::new());
        let handle = IndexHandle { state, wake: Arc::clone(&wake) };
        (Self { store, ledger, log, clock, rng, people: HashMap::new(), source: None, state: sender, wake }, handle)
    }

    /// Takes in what the ledger has now; returns how many entries it has then.
    ///
    /// # Errors
    /// See [`IndexError`]. What had been taken in before stays.
    pub async fn catch_up(&mut self) -> Result<u64, IndexError> {
        let mut tx = self.store.begin_read().await?;
        let mut next = access_cursor(&mut tx, self.log).await?.unsigned_abs();
        drop(tx);
        let source = self.source().await?;
        let folder = self.ledger.clone();
        let open = move || entries(&folder, Arc::new(FileSystem), None, next).map_err(IndexError::Ledger);
        let mut reading = tokio::task::spawn_blocking(open).await.map_err(|_| IndexError::Stopped)??;
        loop {
            let take = move || batch(reading);
            let (rest, read) = tokio::task::spawn_blocking(take).await.map_err(|_| IndexError::Stopped)?;
            let read = read?;
            if read.is_empty() {
                self.tell(next, None);
                return Ok(next);
            }
            let count = read.len() as u64;
            self.take(next, source, read).await?;
            next = next.saturating_add(count);
            self.tell(next, None);
            reading = rest;
        }
    }

    /// Follows the ledger until `stop` turns true. `size`: the entries that it has.
    pub async fn run(mut self, size: impl Fn() -> Option<u64>, mut stop: watch::Receiver<bool>) {
        let mut pause = Duration::ZERO;
        loop {
            tokio::select! {
                biased;
                () = stopped(&mut stop) => return,
                _ = tokio::time::timeout(INDEX_POLL + pause, self.wake.notified()) => {}
            }
            let known = self.state.borrow().entries;
            if known > 0 && size().is_none_or(|size| size <= known) {
                continue;
            }
            let began = Instant::now();
            let outcome = tokio::select! {
                biased;
                () = stopped(&mut stop) => return,
                outcome = self.catch_up() => outcome,
            };
            // What is read again and again, the segments that are not yet in the tree, takes a tenth of the time at most.
            pause = began.elapsed().saturating_mul(9);
            if let Err(error) = outcome
                && self.tell(known, Some(error.code()))
            {
                tracing::warn!(code = error.code(), "the index of accesses does not go on: {error}");
            }
        }
    }

    fn tell(&self, entries: u64, failing: Option<&'static str>) -> bool {
        self.state.send_if_modified(|state| {
            let new = IndexState { entries: entries.max(state.entries), failing };
            std::mem::replace(state, new) != new
        })
    }

    async fn source(&mut self) -> Result<Id<AccessSource>, IndexError> {
        if let Some(known) = self.source {
            return Ok(known);
        }
        let at = self.clock.now();
        let new = new_id(at, &mut *self.rng);
        self.source = self.store.ensure_source(new, (SourceKind::Gateway, GATEWAY), at).await?;
        self.source.ok_or(IndexError::Source)
    }

    async fn take(
        &mut self,
        from: u64,
        source: Id<AccessSource>,
        read: Vec<(u64, Option<Entry>)>,
    ) -> Result<(), IndexError> {
        let next = from.saturating_add(read.len() as u64);
        let mut begun: BTreeMap<Uuid, Value> = BTreeMap::new();
        let (mut opened, mut closed, mut accesses) = (Vec::new(), Vec::new(), Vec::new());
        for (index, entry) in read {
            let Some(entry) = entry else { continue };
            let drafts = match &entry.body {
                EntryBody::ReleaseOpen { release, actor, decision, request } => {
                    if let Ok(release) = release.parse::<Uuid>() {
                        let context = context(actor, Some(decision), request.as_ref());
                        opened.push((release, Phi::new(context.to_string().into_bytes())));
                        begun.insert(release, context);
                    }
                    continue;
                }
                EntryBody::ReleaseClose { release, .. } => {
                    closed.extend(release.parse::<Uuid>());
                    continue;
                }
                EntryBody::ReleaseChunk { release, references, patients, relations, kinds, .. } => {
                    let Ok(release) = release.parse::<Uuid>() else { continue };
                    let known = match begun.get(&release) {
                        Some(context) => Some(context.clone()),
                        None => self.begun(release).await?,
                    };
                    // A chunk without its beginning: whose it is, is not known, and is not made up.
                    let Some(context) = known else { continue };
                    with_kinds(drafts(&context, Some((references, patients, relations))), kinds)
                }
                EntryBody::Release { actor, decision, request, references, patients, relations, kinds, .. } => {
                    let context = context(actor, Some(decision), request.as_ref());
                    with_kinds(drafts(&context, Some((references, patients, relations))), kinds)
                }
                EntryBody::Refusal { actor, request, .. } => drafts(&context(actor, None, request.as_ref()), None),
                // What another system showed after a decision stands in its own log.
                EntryBody::Notice { .. } | EntryBody::Event { .. } | EntryBody::Evaluation { .. } => continue,
            };
            for draft in drafts {
                accesses.push(self.access(source, (index, entry.at), draft).await?);
            }
        }
        let number = |index: u64| i64::try_from(index).unwrap_or(i64::MAX);
        let part = LedgerPart {
            log: self.log,
            from: number(from),
            next: number(next),
            opened: &opened,
            closed: &closed,
            accesses: &accesses,
        };
        Ok(self.store.index_ledger(&part).await?)
    }

    async fn begun(&mut self, release: Uuid) -> Result<Option<Value>, StoreError> {
        let found = find_release(&mut self.store.begin_read().await?, self.log, release).await?;
        Ok(found.and_then(|facts| serde_json::from_slice(facts.expose()).ok()))
    }

    async fn access(
        &mut self,
        source: Id<AccessSource>,
        (index, at): (u64, Timestamp),
        draft: Draft,
    ) -> Result<NewChartAccess, StoreError> {
        let person = self.person(&draft).await?;
        let role = Some(draft.role).filter(|role| !role.is_empty());
        Ok(NewChartAccess {
            id: new_id(at, &mut *self.rng),
            source,
            once: Phi::new(format!("ledger {} {index} {}", self.log, draft.patient)),
            at,
            patient: Phi::new(draft.patient),
            person,
            actor: Phi::new(draft.subject),
            role,
            purpose: Some(draft.purpose).filter(|purpose| !purpose.is_empty()),
            outcome: draft.outcome,
            basis: draft.basis,
            grant: draft.grant,
            elevation: draft.elevation,
            entry: i64::try_from(index).ok(),
            outside: draft.outside,
            place: draft.place.map(Phi::new),
            facts: Phi::new(draft.facts.to_bytes()),
        })
    }

    /// Whose access it is: by the grant, which stays his whatever his login becomes; else by the login.
    async fn person(&mut self, draft: &Draft) -> Result<Option<Id<Person>>, StoreError> {
        let key = draft.grant.map_or_else(|| draft.subject.clone(), |grant| grant.to_string());
        if let Some(known) = self.people.get(&key) {
            return Ok(Some(*known));
        }
        let mut tx = self.store.begin_read().await?;
        let mut found = match draft.grant {
            Some(grant) => find_grant(&mut tx, grant).await?.map(|grant| grant.held.person),
            None => None,
        };
        if found.is_none()
            && let Ok(login) = draft.subject.parse::<Login>()
        {
            found = find_person_by_login(&mut tx, &login).await?.map(|person| person.id);
        }
        if let Some(person) = found {
            if self.people.len() >= INDEX_PEOPLE_MAX {
                self.people.clear();
            }
            self.people.insert(key, person);
        }
        Ok(found)
    }
}

impl std::fmt::Debug for Indexer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Indexer").field("log", &self.log).finish_non_exhaustive()
    }
}

type Batch = Result<Vec<(u64, Option<Entry>)>, IndexError>;

/// The next entries. One whose key was destroyed tells nothing, and counts as read.
fn batch(mut reading: Entries) -> (Entries, Batch) {
    let mut read = Vec::new();
    for _ in 0..INDEX_ENTRIES_MAX {
        let one = match reading.next() {
            Some(Ok(one)) => one,
            Some(Err(error)) => return (reading, Err(IndexError::Ledger(error))),
            None => break,
        };
        let entry = match &one.payload {
            Payload::Open(bytes) => match Entry::from_bytes(bytes) {
                Ok(entry) => Some(entry),
                Err(_) => return (reading, Err(IndexError::Unreadable(one.index))),
            },
            Payload::Erased { .. } => None,
            Payload::Closed => return (reading, Err(IndexError::Closed)),
            Payload::Failed(_) => return (reading, Err(IndexError::Unreadable(one.index))),
        };
        read.push((one.index, entry));
    }
    (reading, Ok(read))
}

/// What the parts of a release need to know of it.
fn context(actor: &Actor, decision: Option<&DecisionFacts>, request: Option<&RequestFacts>) -> Value {
    json!({
        "subject": actor.subject,
        "role": actor.role,
        "purpose": decision.map(|decision| decision.purpose.as_str()),
        "grant": decision.and_then(|decision| decision.grant.as_deref()),
        "assumed": decision.is_some_and(|one| matches!(one.relationship, Relationship::Assumed | Relationship::Asserted)),
        "interaction": request.map(|request| request.interaction.as_str()),
        "type": request.and_then(|request| request.resource_type.as_deref()),
        "id": request.and_then(|request| request.id.as_deref()),
        "outside": request.is_some_and(|request| request.lacking.iter().any(|name| name == INSIDE)),
        "source": request.and_then(|request| request.source.as_deref()),
    })
}

/// An access before it is known whose it is.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Draft {
    patient: String,
    subject: String,
    role: String,
    purpose: String,
    outcome: AccessOutcome,
    basis: AccessBasis,
    grant: Option<Id<Grant>>,
    elevation: Option<Id<Elevation>>,
    outside: bool,
    place: Option<String>,
    facts: AccessFacts,
}

/// The patient whom a request names, whatever came of it.
fn named(context: &Value) -> Option<String> {
    let text = |name: &str| context.get(name).and_then(Value::as_str).unwrap_or_default();
    let names_patient = match text("interaction") {
        "search-compartment" | "everything" => true,
        "read" | "vread" | "history-instance" => text("type") == "Patient",
        _ => false,
    };
    (names_patient && !text("id").is_empty()).then(|| format!("Patient/{}", text("id")))
}

/// The same with which of several kinds of information the resources were.
fn with_kinds(mut drafts: Vec<Draft>, kinds: &[String]) -> Vec<Draft> {
    for draft in &mut drafts {
        draft.facts.kinds = kinds.to_vec();
    }
    drafts
}

/// The place of an address: one IPv4 address is one place, whether or not a listener writes it as IPv6. What is no address, such as the
/// console by which somebody looked, is no place.
fn place(source: &str) -> Option<String> {
    source.parse::<IpAddr>().ok().map(|address| address.to_canonical().to_string())
}

/// The accesses that one entry tells of. `released`: references, patients, and what relationships rest on; none for a refusal.
fn drafts(context: &Value, released: Option<(&Vec<String>, &Vec<String>, &Vec<String>)>) -> Vec<Draft> {
    let text = |name: &str| context.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let empty = Vec::new();
    let (references, patients, relations) = released.unwrap_or((&empty, &empty, &empty));
    let mut types: BTreeMap<String, u64> = BTreeMap::new();
    for reference in references {
        let kind = reference.split('/').next().unwrap_or_default();
        *types.entry(kind.to_owned()).or_default() += 1;
    }
    let outcome = match (released.is_some(), references.is_empty()) {
        (true, false) => AccessOutcome::Opened,
        (true, true) => AccessOutcome::Nothing,
        (false, _) => AccessOutcome::Refused,
    };
    let mut whom: Vec<String> = patients.clone();
    if whom.is_empty() && references.is_empty() {
        whom.extend(named(context));
    }
    let assumed = context.get("assumed").and_then(Value::as_bool) == Some(true);
    let count = patients.len() as u64;
    let one = |patient: String| {
        let on = relations.iter().find_map(|relation| relation.strip_prefix(&patient)?.strip_prefix(' '));
        let (basis, target) = on.map_or(("", ""), |on| on.split_once(' ').unwrap_or((on, "")));
        let basis = AccessBasis::of(basis).unwrap_or(if assumed { AccessBasis::Assumed } else { AccessBasis::Role });
        Draft {
            subject: text("subject"),
            role: text("role"),
            purpose: text("purpose"),
            outcome,
            basis,
            grant: text("grant").parse().ok(),
            // What is under a task stands under its id, as what is under an elevation does.
            elevation: target
                .strip_prefix("Elevation/")
                .or_else(|| target.strip_prefix("AccessTask/"))
                .and_then(|id| id.parse().ok()),
            outside: context.get("outside").and_then(Value::as_bool) == Some(true),
            place: context.get("source").and_then(Value::as_str).and_then(place),
            facts: AccessFacts {
                types: types.clone(),
                patients: count,
                interaction: text("interaction"),
                relation: on.unwrap_or_default().to_owned(),
                ..AccessFacts::default()
            },
            patient,
        }
    };
    whom.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(interaction: &str, kind: &str, id: &str) -> Value {
        json!({ "subject": "ana", "role": "nurse", "purpose": "TREAT", "grant": null, "assumed": false,
                "interaction": interaction, "type": kind, "id": id })
    }

    fn check(context: &Value, released: Option<[&[&str]; 3]>, expected: &[&str]) {
        let lists =
            released.map(|lists| lists.map(|list| list.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>()));
        let found = drafts(context, lists.as_ref().map(|[one, two, three]| (one, two, three)));
        let words: Vec<String> = found
            .iter()
            .map(|draft| {
                let types: Vec<String> =
                    draft.facts.types.iter().map(|(name, count)| format!("{name} {count}")).collect();
                let elevation = draft.elevation.map(|id| format!(" {id}")).unwrap_or_default();
                format!(
                    "{} {} {}{elevation} {}",
                    draft.patient,
                    draft.outcome.code(),
                    draft.basis.code(),
                    types.join(", ")
                )
            })
            .collect();
        assert_eq!(words, expected);
    }

    #[test]
    fn an_entry_tells_of_each_patient_with_what_his_access_rests_on() {
        let id = "0198c0de-0000-7000-8000-000000000001";
        let opened = format!("Patient/q emergency Elevation/{id}");
        check(
            &of("search-type", "Observation", ""),
            Some([
                &["Observation/1", "Observation/2", "Patient/p"],
                &["Patient/p", "Patient/q", "Patient/pp"],
                &["Patient/p encounter Encounter/e", &opened],
            ]),
            &[
                "Patient/p opened encounter Observation 2, Patient 1",
                &format!("Patient/q opened emergency {id} Observation 2, Patient 1"),
                "Patient/pp opened role Observation 2, Patient 1",
            ],
        );
        let tasked = format!("Patient/p asked AccessTask/{id}");
        let under = format!("Patient/p opened asked {id} Patient 1");
        check(&of("read", "Patient", "p"), Some([&["Patient/p"], &["Patient/p"], &[&tasked]]), &[&under]);
        let mut assumed = of("read", "Patient", "p");
        assumed["assumed"] = json!(true);
        check(&assumed, Some([&["Patient/p"], &["Patient/p"], &[]]), &["Patient/p opened assumed Patient 1"]);
    }

    #[test]
    fn an_address_is_one_place_however_it_is_written() {
        for (source, expected) in [
            ("10.1.1.7", Some("10.1.1.7")),
            ("::ffff:10.1.1.7", Some("10.1.1.7")),
            ("2001:db8:0::7", Some("2001:db8::7")),
            ("console", None),
            ("api", None),
        ] {
            assert_eq!(place(source).as_deref(), expected);
        }
    }

    #[test]
    fn who_found_nothing_or_was_refused_has_tried() {
        check(&of("read", "Patient", "p"), Some([&[], &[], &[]]), &["Patient/p nothing role "]);
        check(&of("everything", "Patient", "p"), None, &["Patient/p refused role "]);
        check(&of("search-compartment", "Observation", "p"), None, &["Patient/p refused role "]);
        check(&of("read", "Observation", "o"), Some([&[], &[], &[]]), &[]);
        check(&of("search-type", "Practitioner", ""), Some([&["Practitioner/1"], &[], &[]]), &[]);
    }
}
