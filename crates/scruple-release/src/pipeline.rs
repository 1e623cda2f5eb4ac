//! The way of one request: decide, fetch, project, record, and only then an answer. Gateway and Lens come through here.
//!
//! It knows no HTTP beside the numbers of statuses, no token and no store: who asks, in which role, is settled when a
//! request comes here. Time and randomness are arguments.

mod attachment;
mod chart;
mod collection;
mod evaluate;
mod everything;
mod read;
mod search;
mod sight;
mod versions;

pub use chart::patients_of;
pub use evaluate::{Asking, ElementShown, Evaluation, Ruling, Shown, Thing};
pub use search::Scope;
pub(crate) use search::Spot;
pub use sight::Link;

use crate::decided::Policy;
use crate::outcome::No;
use crate::page;
use crate::release::{Asked, Released, actor, refused, sha256};
use crate::upstream::{Share, Upstream, UpstreamError};
use futures_util::future::try_join_all;
use rand_core::CryptoRng;
use scruple_core::limits::{CHUNK_BYTES_MAX, CHUNK_RESOURCES_MAX};
use scruple_core::{Clock, Counts, Entry, EntryBody, RequestFacts, Timestamp, new_id};
use scruple_ledger::{AppendError, Receipt, Recorder, Urgency};
use scruple_policy::Refusal;
use scruple_seal::{ColumnKey, TokenKey};
use sight::{By, Side, Sight, Visible};
use std::collections::{BTreeSet, HashSet};
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

/// Randomness of one request.
pub type RequestRng = dyn CryptoRng + Send;

/// What becomes of a request. Nothing else leaves.
pub enum Answer {
    /// Resources.
    Released(Released),
    /// One resource, with its ETag (RFC 9110, 8.8.3).
    Read(Released, String),
    /// One resource that the caller has as it is: it was recorded, and stays here (304).
    Unchanged(Released, String),
    /// A no that was recorded: its status, its code, and an OperationOutcome.
    Refused(u16, &'static str, Released),
    /// It could not be recorded, so that nothing is said but that (503).
    Unrecorded,
}

/// What a pipeline works with.
pub struct Pipeline {
    policy: RwLock<Arc<Policy>>,
    upstream: Arc<dyn Upstream>,
    recorder: Arc<Recorder>,
    token: TokenKey,
    page: ColumnKey,
    base: String,
}

/// The parts of a pipeline.
pub struct Parts {
    /// The active policy.
    pub policy: Policy,
    /// Where resources come from.
    pub upstream: Arc<dyn Upstream>,
    /// Where entries go.
    pub recorder: Arc<Recorder>,
    /// The key of pseudonyms.
    pub token: TokenKey,
    /// The key of page tokens.
    pub page: ColumnKey,
    /// The address under which callers know the gateway, as in links: `https://gateway.example/fhir`.
    pub base: String,
}

/// One caller with one request.
pub struct Request<'a> {
    /// Who asks, as what, for what.
    pub asked: &'a Asked,
    /// What is asked, for the record.
    pub facts: RequestFacts,
    /// When it is decided.
    pub now: Timestamp,
    /// Tells when it is released.
    pub clock: &'a dyn Clock,
    /// Asks once more, before anything leaves, whether the caller may still act so: a token, a grant, a role can end while
    /// records are fetched (expiry-at-decision).
    pub holds: &'a Holds<'a>,
}

/// Whether a caller may still act as when the request was begun; the no to tell him if not.
pub type Holds<'a> = dyn Fn() -> Holding<'a> + Sync + 'a;

/// What [`Holds`] answers.
pub type Holding<'a> = Pin<Box<dyn Future<Output = Result<(), No>> + Send + 'a>>;

/// Of a request that is refused anyway, nothing is asked.
#[must_use]
pub fn holding<'a>() -> Holding<'a> {
    Box::pin(std::future::ready(Ok(())))
}

/// Why a request ends without resources: a no to be recorded.
pub(crate) enum Stop {
    No(No),
    Unrecorded,
}

impl From<No> for Stop {
    fn from(no: No) -> Self {
        Self::No(no)
    }
}

impl From<AppendError> for Stop {
    fn from(_: AppendError) -> Self {
        Self::Unrecorded
    }
}

impl From<UpstreamError> for Stop {
    fn from(error: UpstreamError) -> Self {
        let words = match error {
            UpstreamError::NoRoom => "Too many large answers at one time. Try again, or ask for less.",
            _ => "The record system behind the gateway gives no usable answer. Try again.",
        };
        Self::No(No::new(503, error.code(), words))
    }
}

/// Resources on their way out, with what the record says of them.
#[derive(Default)]
pub(crate) struct Outgoing {
    /// All bytes of the answer.
    pub bytes: Vec<u8>,
    /// The resources in it, in their order.
    pub resources: Vec<Leaving>,
    pub counts: Counts,
    /// Of what all this was made of.
    pub shares: Vec<Share>,
}

/// One resource in an answer.
pub(crate) struct Leaving {
    /// Where its part of the bytes ends.
    end: usize,
    /// `Type/id`.
    reference: String,
    /// The patients that it is about.
    patients: Vec<String>,
    /// What the relationship to them rests on.
    relations: Vec<String>,
    /// Which of several kinds of information it is.
    kinds: Vec<String>,
    by: By,
}

impl Leaving {
    fn new(end: usize, reference: String, visible: Visible) -> Self {
        let Visible { patients, relations, kinds, by, .. } = visible;
        Self { end, reference, patients, relations, kinds, by }
    }
}

/// Whom an answer tells of by what is not in it, for the record.
#[derive(Default)]
struct Told {
    patients: BTreeSet<String>,
    /// What the relationship to them rests on.
    relations: BTreeSet<String>,
    /// By which decisions it tells of them.
    pub sides: BTreeSet<Side>,
}

impl Told {
    pub fn add(&mut self, visible: &Visible) {
        self.patients.extend(visible.patients.iter().cloned());
        self.relations.extend(visible.relations.iter().cloned());
        self.sides.extend(visible.by.side());
    }

    /// Names that no resource in the answer has: patients, and what relationships rest on.
    fn beside(&self, resources: &[Leaving]) -> impl Iterator<Item = (String, bool)> {
        let named = |list: fn(&Leaving) -> &Vec<String>| -> HashSet<String> {
            resources.iter().flat_map(list).cloned().collect()
        };
        let (patients, relations) = (named(|one| &one.patients), named(|one| &one.relations));
        let patients = self.patients.iter().filter(move |name| !patients.contains(*name));
        let relations = self.relations.iter().filter(move |name| !relations.contains(*name));
        patients.map(|name| (name.clone(), true)).chain(relations.map(|name| (name.clone(), false)))
    }
}

impl Pipeline {
    /// A pipeline of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            policy: RwLock::new(Arc::new(parts.policy)),
            upstream: parts.upstream,
            recorder: parts.recorder,
            token: parts.token,
            page: parts.page,
            base: parts.base,
        }
    }

    /// The active policy.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another policy in its place. Requests under way end under the one that they began with.
    pub fn set_policy(&self, policy: Policy) {
        let mut active = self.policy.write().unwrap_or_else(PoisonError::into_inner);
        policy.close_roles(active.closed_roles());
        *active = Arc::new(policy);
    }

    /// Closes these roles and opens all others: nobody has looked in time at what they open.
    pub fn close_roles(&self, roles: BTreeSet<String>) {
        self.policy().close_roles(roles);
    }

    /// The address under which callers know the gateway.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Refuses, and records it. `no` follows from policy, grammar or the state of the system.
    pub async fn refuse(&self, request: Request<'_>, no: No) -> Answer {
        let body = refused(self.policy().pack(), request.asked, no.code, Some(request.facts));
        match self.record(request.now, body, urgency_of(&request.asked.question.purpose)).await {
            Ok(receipt) => Answer::Refused(no.status, no.code, Released::recorded(no.body(), vec![receipt])),
            Err(_) => self.unrecorded(request.asked),
        }
    }

    /// What could not be recorded is counted, and recorded once there is room.
    fn unrecorded(&self, asked: &Asked) -> Answer {
        let known = self.policy().pack().purposes.iter().any(|purpose| purpose.code == asked.question.purpose);
        self.recorder.refused(if known { &asked.question.purpose } else { "no purpose" });
        Answer::Unrecorded
    }

    /// How many entries the ledger has; none while it does not write.
    #[must_use]
    pub fn recorded(&self) -> Option<u64> {
        self.recorder.main().map(|ledger| ledger.size())
    }

    /// Records something that Scruple itself did or met.
    ///
    /// # Errors
    /// It is not recorded.
    pub async fn note(&self, now: Timestamp, code: &str, facts: &[(&str, String)]) -> Result<(), AppendError> {
        let facts = facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let body = EntryBody::Notice { code: code.to_owned(), facts };
        self.record(now, body, Urgency::Other).await.map(drop)
    }

    async fn record(&self, now: Timestamp, body: EntryBody, urgency: Urgency) -> Result<Receipt, AppendError> {
        let Ok(bytes) = Entry::new(now, body).to_bytes() else {
            return Err(AppendError::TooLong { bytes: usize::MAX, limit: scruple_core::limits::ENTRY_BYTES_MAX });
        };
        self.recorder.record(bytes, urgency).await
    }

    /// Records what leaves, and lets it leave. More than one chunk is a chain of entries, all of them durable before.
    async fn release(
        &self,
        request: &Request<'_>,
        sight: &Sight<'_>,
        outgoing: Outgoing,
        rng: &mut RequestRng,
    ) -> Result<Released, Stop> {
        (request.holds)().await?;
        let now = request.clock.now();
        let (decided, relationship) = sight.decided_by(&outgoing.resources);
        if decided.valid_until(request.now) <= now {
            return Err(run_out().into());
        }
        let asked = request.asked;
        let urgency = urgency_of(&asked.question.purpose);
        let release = new_id::<Released>(now, rng).to_string();
        let decision = decided.facts(&asked.question.purpose, relationship, asked.grant.clone(), now);
        let Outgoing { bytes, resources, counts, shares } = outgoing;
        let told: Vec<(String, bool)> = sight.told.beside(&resources).collect();
        let parts = parts(&bytes, resources, told);
        if let [part] = parts.as_slice() {
            let body = EntryBody::Release {
                release,
                actor: actor(asked),
                decision,
                request: Some(request.facts.clone()),
                references: part.references.clone(),
                patients: part.patients.iter().cloned().collect(),
                relations: part.relations.iter().cloned().collect(),
                kinds: part.kinds.iter().cloned().collect(),
                sha256: sha256(&bytes),
                bytes: bytes.len() as u64,
                counts,
            };
            let receipt = self.record(now, body, urgency).await?;
            return Ok(Released::recorded(bytes, vec![receipt]).holding(shares));
        }
        let facts = Some(request.facts.clone());
        let open = EntryBody::ReleaseOpen { release: release.clone(), actor: actor(asked), decision, request: facts };
        let mut entries = vec![open];
        let mut from = 0;
        for part in parts {
            let piece = bytes.get(from..part.end).unwrap_or_default();
            from = part.end;
            entries.push(EntryBody::ReleaseChunk {
                release: release.clone(),
                chunk: entries.len() as u64 - 1,
                references: part.references,
                patients: part.patients.into_iter().collect(),
                relations: part.relations.into_iter().collect(),
                kinds: part.kinds.into_iter().collect(),
                sha256: sha256(piece),
                bytes: piece.len() as u64,
            });
        }
        let chunks = entries.len() as u64 - 1;
        entries.push(EntryBody::ReleaseClose { release, chunks, counts, outcome: "complete".to_owned() });
        let receipts = try_join_all(entries.into_iter().map(|entry| self.record(now, entry, urgency))).await?;
        Ok(Released::recorded(bytes, receipts).holding(shares))
    }

    /// Ends a request that found nothing for this caller: recorded as a decision like any other, told as not found.
    async fn nothing(&self, request: &Request<'_>, sight: &Sight<'_>, rng: &mut RequestRng) -> Result<Answer, Stop> {
        let outgoing = Outgoing { counts: sight.counts.clone(), ..Outgoing::default() };
        let released = self.release(request, sight, outgoing, rng).await?;
        let no = No::not_found();
        Ok(Answer::Refused(no.status, no.code, released.with_outcome(no.body())))
    }

    /// An answer, or what stopped the request as one.
    async fn ended(&self, request: Request<'_>, answered: Result<Answer, Stop>) -> Answer {
        match answered {
            Ok(answer) => answer,
            Err(Stop::No(no)) => self.refuse(request, no).await,
            Err(Stop::Unrecorded) => self.unrecorded(request.asked),
        }
    }

    fn bound(&self, request: &Request<'_>, sight: &Sight<'_>) -> Vec<u8> {
        page::bound(request.asked, &sight.table_hashes())
    }
}

/// The urgency of a purpose: what serves treatment comes first where there is not room for all, in the ledger as at the
/// gateway (care-continues).
#[must_use]
pub fn urgency_of(purpose: &str) -> Urgency {
    if matches!(purpose, "TREAT" | "ETREAT" | "BTG") { Urgency::Care } else { Urgency::Other }
}

fn no_of(refusal: &Refusal) -> No {
    let words = match refusal {
        Refusal::UnknownRole(_) => "The policy has no such role.".to_owned(),
        Refusal::UnknownPurpose(_) => "The policy has no such purpose of use.".to_owned(),
        Refusal::PurposeNotAllowed { role, purpose, allowed } => {
            format!("Role `{role}` does not act for purpose `{purpose}`; it acts for {allowed}.")
        }
        Refusal::Overdue(_) => {
            "Your role is closed until somebody has looked at what it opens. Call the privacy office.".to_owned()
        }
        Refusal::NoElevation => "Purpose `BTG` needs emergency access that is active.".to_owned(),
    };
    No::new(403, refusal.code(), words)
}

fn run_out() -> No {
    No::new(503, "decision_run_out", "An exception of the policy has ended. Call the privacy office.")
}

/// What one entry records of an answer.
#[derive(Default)]
struct Part {
    /// Where its part of the bytes ends.
    end: usize,
    references: Vec<String>,
    patients: BTreeSet<String>,
    relations: BTreeSet<String>,
    /// There are no more of them than kinds of information.
    kinds: BTreeSet<String>,
    /// Bytes of these names, as an entry has them.
    named: usize,
}

impl Part {
    fn takes(&self, name: &str) -> bool {
        self.named + name.len() + NAME_BYTES <= NAMES_BYTES_MAX
    }

    /// Adds the name of a patient, or of what a relationship rests on, if it is not there.
    fn add(&mut self, name: String, is_patient: bool) {
        let bytes = name.len() + NAME_BYTES;
        let names = if is_patient { &mut self.patients } else { &mut self.relations };
        if names.insert(name) {
            self.named += bytes;
        }
    }
}

/// Bytes of the names in one entry: the rest of it is for the decision.
const NAMES_BYTES_MAX: usize = 40_000;
/// Bytes around a name.
const NAME_BYTES: usize = 3;

/// Cuts behind resources, so that each part but one that holds a single large resource is a chunk, and the names of each fit
/// an entry; the last takes the rest of the bytes. A resource about more patients than one entry names has more parts behind
/// its own, which hold no bytes; so have the names, each with whether it is a patient's, of what is not in the answer.
fn parts(bytes: &[u8], resources: Vec<Leaving>, told: Vec<(String, bool)>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut begun = Part::default();
    let mut from = 0;
    let name = |parts: &mut Vec<Part>, begun: &mut Part, name: String, is_patient| {
        if !begun.takes(&name) {
            let end = begun.end;
            parts.push(std::mem::replace(begun, Part { end, ..Part::default() }));
        }
        begun.add(name, is_patient);
    };
    for Leaving { end, reference, patients, relations, kinds, .. } in resources {
        let names = patients.iter().chain(&relations).map(|name| name.len() + NAME_BYTES).sum::<usize>();
        let is_full = end - from > CHUNK_BYTES_MAX
            || begun.references.len() >= CHUNK_RESOURCES_MAX
            || begun.named + reference.len() + names > NAMES_BYTES_MAX;
        if is_full && !begun.references.is_empty() {
            from = begun.end;
            parts.push(std::mem::take(&mut begun));
        }
        begun.end = end;
        begun.named += reference.len() + NAME_BYTES;
        begun.references.push(reference);
        for kind in kinds {
            let bytes = kind.len() + NAME_BYTES;
            if begun.kinds.insert(kind) {
                begun.named += bytes;
            }
        }
        patients.into_iter().for_each(|patient| name(&mut parts, &mut begun, patient, true));
        relations.into_iter().for_each(|relation| name(&mut parts, &mut begun, relation, false));
    }
    told.into_iter().for_each(|(told, is_patient)| name(&mut parts, &mut begun, told, is_patient));
    begun.end = bytes.len();
    parts.push(begun);
    parts
}

#[cfg(test)]
mod tests {
    use super::{By, Leaving, NAMES_BYTES_MAX, Side, parts};
    use scruple_core::limits::{CHUNK_BYTES_MAX, CHUNK_RESOURCES_MAX};

    fn leaving(end: usize, reference: &str, patients: &[String]) -> Leaving {
        let relations = patients.iter().map(|patient| format!("{patient} encounter Encounter/e")).collect();
        Leaving {
            end,
            reference: reference.to_owned(),
            patients: patients.to_vec(),
            relations,
            kinds: vec!["Observation labs".to_owned()],
            by: By::Side(Side::Near),
        }
    }

    fn check(lengths: &[usize], expected: &[(usize, usize)]) {
        let mut end = 0;
        let mut resources = Vec::new();
        for length in lengths {
            end += length;
            resources.push(leaving(end, "Patient/1", &[]));
        }
        let bytes = vec![b' '; end + 1];
        let parts = parts(&bytes, resources, Vec::new());
        assert_eq!(parts.last().map(|part| part.end), Some(bytes.len()));
        let found: Vec<(usize, usize)> = parts.iter().map(|part| (part.end, part.references.len())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_large_answer_is_cut_behind_resources() {
        let half = CHUNK_BYTES_MAX / 2;
        check(&[half, half, half], &[(2 * half, 2), (3 * half + 1, 1)]);
        check(&[3 * CHUNK_BYTES_MAX, 10], &[(3 * CHUNK_BYTES_MAX, 1), (3 * CHUNK_BYTES_MAX + 11, 1)]);
        let many = vec![1; CHUNK_RESOURCES_MAX + 1];
        check(&many, &[(CHUNK_RESOURCES_MAX, CHUNK_RESOURCES_MAX), (CHUNK_RESOURCES_MAX + 2, 1)]);
        check(&[], &[(1, 0)]);
    }

    #[test]
    fn the_names_of_each_part_fit_an_entry_however_many_patients_a_resource_is_about() {
        let patients: Vec<String> = (0..3_000).map(|number| format!("Patient/{number:036}")).collect();
        let resources = vec![
            leaving(10, "Appointment/a", &patients[..5]),
            leaving(20, "Appointment/b", &patients),
            leaving(30, "Appointment/c", &patients[..1]),
        ];
        let parts = parts(&[b' '; 31], resources, Vec::new());
        assert!(parts.iter().all(|part| part.named <= NAMES_BYTES_MAX));
        let mut named: Vec<&String> = parts.iter().flat_map(|part| &part.patients).collect();
        named.sort();
        named.dedup();
        assert_eq!(named.len(), 3_000);
        let relations: std::collections::BTreeSet<&String> = parts.iter().flat_map(|part| &part.relations).collect();
        assert_eq!(relations.len(), 3_000);
        assert_eq!(parts.iter().map(|part| part.references.len()).sum::<usize>(), 3);
        assert!(parts.windows(2).all(|pair| pair[0].end <= pair[1].end));
        assert_eq!(parts.last().map(|part| part.end), Some(31));
    }
}
