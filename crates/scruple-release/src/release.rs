//! A release: the decision, then chunk by chunk the record before the bytes.

use crate::chunk::Chunk;
use aws_lc_rs::digest;
use rand_core::Rng;
use scruple_core::{
    Actor, Clock, ConditionMask, Counts, DecisionFacts, DecisionTable, Entry, EntryBody, EntryError, Relationship,
    Timestamp, new_id,
};
use scruple_ledger::{AppendError, Ledger, Receipt};
use scruple_policy::{Decider, Question, Refusal, admit};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How long one decision may be used, in microseconds: a stream that lasts longer decides again.
const DECISION_MICROS_MAX: i64 = 24 * 3_600_000_000;

/// What is asked, and by whom.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Who asks.
    pub subject: String,
    /// Role, purpose and conditions.
    pub question: Question,
    /// How the relationship was established.
    pub relationship: Relationship,
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
    _receipt: Receipt,
}

impl Released {
    /// The bytes, to be sent on.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
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
        let actor = Actor { subject: asked.subject.clone(), role: asked.question.role.clone() };
        let table = match decider.decide(&asked.question) {
            Ok(table) => table,
            Err(refusal) => {
                let pack = decider.pack();
                let known = |code: &String| pack.purposes.iter().any(|purpose| purpose.code == *code);
                // A role or purpose that the pack does not have may be anything, PHI too: it is not written down.
                let role = if pack.roles.contains_key(&actor.role) { actor.role.clone() } else { String::new() };
                let body = EntryBody::Refusal {
                    actor: Actor { role, ..actor },
                    purpose: Some(asked.question.purpose.clone()).filter(known),
                    code: refusal.code().to_owned(),
                    request: None,
                };
                record(ledger, &Entry::new(now, body))?;
                return Err(refusal.into());
            }
        };
        let decision = facts(decider, asked, &table, now)?;
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
            sha256: sha256(&bytes),
            bytes: bytes.len() as u64,
            counts: counts.clone(),
        };
        let receipt = record(self.ledger, &Entry::new(now, body))?;
        Ok((!bytes.is_empty()).then_some(Released { bytes, _receipt: receipt }))
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
            sha256: sha256(&chunk.bytes),
            bytes: chunk.bytes.len() as u64,
        };
        let receipt = record(self.ledger, &Entry::new(self.clock.now(), body))?;
        self.chunks += 1;
        self.resources += resources;
        Ok(Released { bytes: chunk.bytes, _receipt: receipt })
    }
}

/// Records an entry and waits until it is durable.
fn record(ledger: &Ledger, entry: &Entry) -> Result<Receipt, ReleaseError> {
    let bytes = entry.to_bytes().map_err(ReleaseError::Entry)?;
    ledger.append(&bytes, None).map_err(ReleaseError::NotRecorded)
}

fn sha256(bytes: &[u8]) -> String {
    digest::digest(&digest::SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The tuple that every permit stores (AB-08).
fn facts(
    decider: &Decider,
    asked: &Asked,
    table: &DecisionTable,
    now: Timestamp,
) -> Result<DecisionFacts, ReleaseError> {
    let pack = decider.pack();
    let role = admit(pack, &asked.question)?;
    let mut views = BTreeMap::new();
    let mut text = String::new();
    for (category, view) in pack.categories.iter().zip(&table.views) {
        let name = pack.view_name(*view);
        text.push_str(&format!("{}={name};", category.name));
        if view.shows() {
            views.insert(category.name.clone(), name);
        }
    }
    for (segment, limit) in pack.segments.iter().zip(&table.limits) {
        text.push_str(&format!("{}={limit:?};", segment.name));
    }
    text.push_str(&format!("passes={};never={:08x}", table.passes_full_types, table.never_pass.0));
    let tasks: Vec<&str> = role.tasks.iter().map(|task| task.label.as_str()).collect();
    let limit = now.plus_micros(DECISION_MICROS_MAX);
    Ok(DecisionFacts {
        purpose: asked.question.purpose.clone(),
        pack: pack.hash.to_string(),
        table: sha256(text.as_bytes()),
        views,
        conditions: names(decider, asked.question.conditions),
        relationship: asked.relationship,
        valid_until: table.valid_until.map_or(limit, |until| until.min(limit)),
        justification: format!("tasks of {}: {}", role.label, tasks.join("; ")),
        grant: None,
    })
}

fn names(decider: &Decider, conditions: ConditionMask) -> Vec<String> {
    decider.pack().condition_names(conditions).into_iter().map(str::to_owned).collect()
}
