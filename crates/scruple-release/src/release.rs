//! A release: the decision, then chunk by chunk the record before the bytes.

use crate::chunk::Chunk;
use crate::decided::Decided;
use crate::upstream::Share;
use aws_lc_rs::digest;
use rand_core::Rng;
use scruple_core::{
    Actor, Clock, ConditionMask, Counts, DecisionFacts, DecisionTable, Entry, EntryBody, EntryError, Relationship,
    RequestFacts, Timestamp, new_id,
};
use scruple_ledger::{AppendError, Ledger, Receipt};
use scruple_policy::{Decider, Pack, Question, Refusal};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is asked, and by whom.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Who asks.
    pub subject: String,
    /// Role, purpose and conditions.
    pub question: Question,
    /// How the relationship was established.
    pub relationship: Relationship,
    /// The grant by which the subject holds the role; none for an operator of the command line.
    pub grant: Option<String>,
    /// Who the subject is in the record system: `Practitioner/id`, `PractitionerRole/id`.
    pub practitioners: Vec<String>,
    /// The patients, by id, whose records are opened to the subject beyond that, and what opens each. For break-glass (`BTG`) nobody
    /// else's are.
    pub opened: BTreeMap<String, Opened>,
    /// The patients, by id, of whose records some kinds of information alone are opened. None of them is in `opened`.
    pub limited: BTreeMap<String, Limited>,
}

/// What opens a record beyond a relationship.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// `declared Elevation/id`.
    pub by: String,
    /// Conditions that hold for this patient beside those of the question: what an emergency confirmed.
    pub protected: ConditionMask,
}

impl From<String> for Opened {
    fn from(by: String) -> Self {
        Self { by, protected: ConditionMask::NONE }
    }
}

/// What of a record is opened, where it is not all that the role has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limited {
    /// The kinds of information: codes of categories, and `segment:` with the code of a segment.
    pub kinds: BTreeSet<String>,
    /// What opens them: `asked Elevation/id`.
    pub by: Vec<String>,
}

/// Why nothing is released.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The policy refuses.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The record cannot be written, so that nothing leaves.
    #[error("the ledger does not record")]
    NotRecorded(#[source] AppendError),
    /// The record cannot be made.
    #[error("the record of the release cannot be made")]
    Entry(#[source] EntryError),
    /// The decision is too old.
    #[error("the decision has run out; start again")]
    RunOut,
}

/// Bytes whose record is durable. Nothing else can make one.
// INVARIANT (record-before-release): made only from a receipt.
pub struct Released {
    bytes: Vec<u8>,
    receipts: Vec<Receipt>,
    /// What its bytes take of limited memory, given back with them.
    _shares: Vec<Share>,
}

impl AsRef<[u8]> for Released {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Released {
    /// The bytes, to be sent on.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Of the entries that record them, the indices in the log.
    pub fn entries(&self) -> impl Iterator<Item = u64> {
        self.receipts.iter().map(|receipt| receipt.index)
    }

    /// The same record of what the caller has already: nothing is sent.
    pub(crate) fn without_bytes(self) -> Self {
        Self { bytes: Vec::new(), ..self }
    }

    /// The same record, with a constant outcome in place of the nothing that it records.
    pub(crate) fn with_outcome(self, outcome: Vec<u8>) -> Self {
        debug_assert!(self.bytes.is_empty(), "only what records nothing takes an outcome");
        Self { bytes: outcome, ..self }
    }

    /// What these entries record.
    pub(crate) const fn recorded(bytes: Vec<u8>, receipts: Vec<Receipt>) -> Self {
        Self { bytes, receipts, _shares: Vec::new() }
    }

    /// The same, with the shares that are given back once it is gone.
    pub(crate) fn holding(self, shares: Vec<Share>) -> Self {
        Self { _shares: shares, ..self }
    }
}

/// A release under way. One chunk becomes one entry; more become a chain of entries.
pub struct ReleaseStream<'a> {
    ledger: &'a Ledger,
    clock: &'a dyn Clock,
    id: String,
    actor: Actor,
    decision: DecisionFacts,
    table: Arc<DecisionTable>,
    /// The first chunk waits: if no other comes, it is the whole release.
    first: Option<Chunk>,
    opened: bool,
    chunks: u64,
    /// Resources in the recorded chunks.
    resources: u64,
}

impl<'a> ReleaseStream<'a> {
    /// Decides. A refusal is recorded.
    ///
    /// # Errors
    /// The policy refuses, or the refusal cannot be recorded.
    pub fn open(
        decider: &Decider,
        ledger: &'a Ledger,
        clock: &'a dyn Clock,
        rng: &mut dyn Rng,
        asked: &Asked,
    ) -> Result<Self, ReleaseError> {
        let now = clock.now();
        let decided = match Decided::new(decider, &asked.question) {
            Ok(decided) => decided,
            Err(refusal) => {
                record(ledger, &Entry::new(now, refused(decider.pack(), asked, refusal.code(), None)))?;
                return Err(refusal.into());
            }
        };
        let actor = actor(asked);
        let decision = decided.facts(&asked.question.purpose, asked.relationship, asked.grant.clone(), now);
        let table = decided.table;
        let id = new_id::<Self>(now, rng).to_string();
        Ok(Self { ledger, clock, id, actor, decision, table, first: None, opened: false, chunks: 0, resources: 0 })
    }

    /// The decision.
    #[must_use]
    pub const fn table(&self) -> &Arc<DecisionTable> {
        &self.table
    }

    /// The decision in words, as the ledger has it.
    #[must_use]
    pub const fn decision(&self) -> &DecisionFacts {
        &self.decision
    }

    /// Id of the release.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Gives a chunk in, and gets out what may leave now.
    ///
    /// # Errors
    /// It cannot be recorded; then it does not leave.
    pub fn chunk(&mut self, chunk: Chunk) -> Result<Vec<Released>, ReleaseError> {
        let now = self.clock.now();
        if now >= self.decision.valid_until {
            return Err(ReleaseError::RunOut);
        }
        if !self.opened && self.first.is_none() {
            self.first = Some(chunk);
            return Ok(Vec::new());
        }
        let mut released = Vec::new();
        self.begin(now)?;
        if let Some(first) = self.first.take() {
            released.push(self.record_chunk(first)?);
        }
        released.push(self.record_chunk(chunk)?);
        Ok(released)
    }

    /// Ends the release with what it held.
    ///
    /// # Errors
    /// The end cannot be recorded; the chunk that waited does not leave.
    pub fn close(mut self, counts: &Counts) -> Result<Option<Released>, ReleaseError> {
        let now = self.clock.now();
        if self.opened {
            let body = EntryBody::ReleaseClose {
                release: self.id,
                chunks: self.chunks,
                counts: counts.clone(),
                outcome: "complete".to_owned(),
            };
            record(self.ledger, &Entry::new(now, body))?;
            return Ok(None);
        }
        if now >= self.decision.valid_until {
            return Err(ReleaseError::RunOut);
        }
        let Chunk { bytes, references } = self.first.take().unwrap_or_default();
        let body = EntryBody::Release {
            release: self.id,
            actor: self.actor,
            decision: self.decision,
            request: None,
            references,
            patients: Vec::new(),
            relations: Vec::new(),
            kinds: Vec::new(),
            sha256: sha256(&bytes),
            bytes: bytes.len() as u64,
            counts: counts.clone(),
        };
        let receipt = record(self.ledger, &Entry::new(now, body))?;
        Ok((!bytes.is_empty()).then_some(Released::recorded(bytes, vec![receipt])))
    }

    /// Ends a release that cannot go on. A chunk that waits does not leave, and is not recorded as if it had.
    ///
    /// # Errors
    /// The end cannot be recorded.
    pub fn stop(mut self, counts: &Counts) -> Result<(), ReleaseError> {
        let now = self.clock.now();
        if !self.opened && now >= self.decision.valid_until {
            // Nothing left, and a decision that has run out begins nothing.
            return Ok(());
        }
        self.begin(now)?;
        let counts = Counts { released: self.resources, ..counts.clone() };
        let body =
            EntryBody::ReleaseClose { release: self.id, chunks: self.chunks, counts, outcome: "stopped".to_owned() };
        record(self.ledger, &Entry::new(now, body)).map(drop)
    }

    fn begin(&mut self, now: Timestamp) -> Result<(), ReleaseError> {
        if !self.opened {
            let body = EntryBody::ReleaseOpen {
                release: self.id.clone(),
                actor: self.actor.clone(),
                decision: self.decision.clone(),
                request: None,
            };
            record(self.ledger, &Entry::new(now, body))?;
            self.opened = true;
        }
        Ok(())
    }

    fn record_chunk(&mut self, chunk: Chunk) -> Result<Released, ReleaseError> {
        let resources = chunk.references.len() as u64;
        let body = EntryBody::ReleaseChunk {
            release: self.id.clone(),
            chunk: self.chunks,
            references: chunk.references,
            patients: Vec::new(),
            relations: Vec::new(),
            kinds: Vec::new(),
            sha256: sha256(&chunk.bytes),
            bytes: chunk.bytes.len() as u64,
        };
        let receipt = record(self.ledger, &Entry::new(self.clock.now(), body))?;
        self.chunks += 1;
        self.resources += resources;
        Ok(Released::recorded(chunk.bytes, vec![receipt]))
    }
}

/// Who asks, as entries name him.
pub(crate) fn actor(asked: &Asked) -> Actor {
    Actor { subject: asked.subject.clone(), role: asked.question.role.clone() }
}

/// The entry of a refusal. A role or purpose that the pack does not have may be anything, PHI too: it is not written down.
pub(crate) fn refused(pack: &Pack, asked: &Asked, code: &str, request: Option<RequestFacts>) -> EntryBody {
    let known = |code: &String| pack.purposes.iter().any(|purpose| purpose.code == *code);
    let actor = actor(asked);
    let role = if pack.roles.contains_key(&actor.role) { actor.role.clone() } else { String::new() };
    EntryBody::Refusal {
        actor: Actor { role, ..actor },
        purpose: Some(asked.question.purpose.clone()).filter(known),
        code: code.to_owned(),
        request,
    }
}

/// Records an entry and waits until it is durable.
fn record(ledger: &Ledger, entry: &Entry) -> Result<Receipt, ReleaseError> {
    let bytes = entry.to_bytes().map_err(ReleaseError::Entry)?;
    ledger.append(&bytes, None).map_err(ReleaseError::NotRecorded)
}

/// SHA-256, in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    digest::digest(&digest::SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
