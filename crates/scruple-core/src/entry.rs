//! [`Entry`]: one record of the ledger, as versioned canonical JSON.
//!
//! The ledger stores the bytes sealed and does not read them. The text is canonical: object keys sorted, no white
//! space, integers only, so that the same facts are the same bytes.

use crate::{ENGINE_VERSION, Timestamp, limits};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the entry format that this build writes.
const FORMAT: u32 = 1;

/// One record of the ledger.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Format version.
    pub v: u32,
    /// Version of the engine that wrote it.
    pub engine: String,
    /// When, in microseconds UTC.
    pub at: Timestamp,
    /// What happened.
    pub body: EntryBody,
}

/// Who acted, and how he is known.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Actor {
    /// The subject: a person's or a system's id; for the command line, `operator:` and the account name.
    pub subject: String,
    /// The role that was chosen among those granted.
    pub role: String,
}

/// How the relationship to the patients was established.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relationship {
    /// The operator of a command says so; nothing was looked up.
    Asserted,
    /// The pack assumes it until relationships are resolved.
    Assumed,
    /// It was looked up in the record system: the record names what it rests on.
    Resolved,
    /// There is none.
    None,
}

/// The tuple that every permit stores (AB-08): the subject is in [`Actor`]; here are the elements, the time bound and
/// the justification.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DecisionFacts {
    /// HL7 v3 ActReason code.
    pub purpose: String,
    /// SHA-256 of the pack, in hexadecimal.
    pub pack: String,
    /// SHA-256 of the decision table, in hexadecimal: the element set that was allowed.
    pub table: String,
    /// The categories that show, each with its view in words.
    pub views: BTreeMap<String, String>,
    /// Conditions that were taken as true.
    pub conditions: Vec<String>,
    /// How the relationship was established.
    pub relationship: Relationship,
    /// Until when the decision may be used.
    pub valid_until: Timestamp,
    /// What the access rests on: tasks of the role, an order number, a case.
    pub justification: String,
    /// The grant by which the subject holds the role; none for an operator of the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
}

/// What was asked over FHIR. Of a search the names of its parameters; their values may be PHI and are nowhere.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RequestFacts {
    /// `read`, `search`, `capabilities`, or what was tried.
    pub interaction: String,
    /// The resource type, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<String>,
    /// The id that was asked for, where it has the form of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Names of known search parameters, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
    /// The id of the HTTP request, as in the answer and the logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The address that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Conditions of sign-in, device, place and hour that did not hold, by name: `inside` where it was asked from outside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacking: Vec<String>,
}

/// What a release held, in numbers.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Resources that were read.
    pub read: u64,
    /// Resources that were released.
    pub released: u64,
    /// Resources that were withheld, by reason.
    pub withheld: BTreeMap<String, u64>,
}

/// The kinds of entries.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EntryBody {
    /// A release of one chunk: decision, references and hash in one record.
    Release {
        /// Id of the release.
        release: String,
        /// Who asked.
        actor: Actor,
        /// Under which decision.
        decision: DecisionFacts,
        /// What was asked; none for the command line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<RequestFacts>,
        /// `Type/id` of each released resource.
        references: Vec<String>,
        /// `Patient/id` of each patient that these concern.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        patients: Vec<String>,
        /// What the relationship to a patient rests on, where it was looked up: `Patient/id encounter Encounter/id`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        relations: Vec<String>,
        /// Of types whose resources are of several kinds of information, which these were: `Observation vitals`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        kinds: Vec<String>,
        /// SHA-256 of the released bytes, in hexadecimal.
        sha256: String,
        /// Released bytes.
        bytes: u64,
        /// What the release held.
        counts: Counts,
    },
    /// The beginning of a release in chunks.
    ReleaseOpen {
        /// Id of the release.
        release: String,
        /// Who asked.
        actor: Actor,
        /// Under which decision.
        decision: DecisionFacts,
        /// What was asked; none for the command line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<RequestFacts>,
    },
    /// One chunk of a release, durable before the chunk leaves.
    ReleaseChunk {
        /// Id of the release.
        release: String,
        /// Number of the chunk, from 0.
        chunk: u64,
        /// `Type/id` of each released resource.
        references: Vec<String>,
        /// `Patient/id` of each patient that these concern.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        patients: Vec<String>,
        /// What the relationship to a patient rests on, where it was looked up: `Patient/id encounter Encounter/id`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        relations: Vec<String>,
        /// Of types whose resources are of several kinds of information, which these were: `Observation vitals`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        kinds: Vec<String>,
        /// SHA-256 of the chunk, in hexadecimal.
        sha256: String,
        /// Bytes of the chunk.
        bytes: u64,
    },
    /// The end of a release in chunks. Where it is missing, at most the recorded chunks left.
    ReleaseClose {
        /// Id of the release.
        release: String,
        /// Chunks that left.
        chunks: u64,
        /// What the release held.
        counts: Counts,
        /// `complete`, or why it stopped.
        outcome: String,
    },
    /// A request that was refused before any data was read.
    Refusal {
        /// Who asked.
        actor: Actor,
        /// The purpose as it was given, when it is a known one.
        purpose: Option<String>,
        /// Stable code of the reason.
        code: String,
        /// What was asked; none for the command line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<RequestFacts>,
    },
    /// A decision that another system asked for (AuthZEN), before that system was told. It holds no record, and what of a
    /// record the system then shows is its own to record.
    Evaluation {
        /// Id of the evaluation, as it was told.
        evaluation: String,
        /// The system that asked, by its login.
        caller: String,
        /// Whom it was about, and in which role.
        actor: Actor,
        /// What was to be done: `read`, or `search/subject`, `search/resource`, `search/action`.
        action: String,
        /// What it was to be done to: `category/labs`, `fhir/Observation`, `Patient/id`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resource: Option<String>,
        /// The patient whom it concerned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        patient: Option<String>,
        /// The purpose as it was given, when it is a known one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        purpose: Option<String>,
        /// Whether it was permitted.
        permitted: bool,
        /// Stable code of the reason.
        code: String,
        /// Under which decision; every permit has it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decision: Option<DecisionFacts>,
        /// What the relationship to the patient rests on.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        relations: Vec<String>,
        /// What a search found, by name.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        found: Vec<String>,
        /// Conditions of sign-in, device, place and hour that did not hold, by name.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lacking: Vec<String>,
        /// The id of the HTTP request, as in the logs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request_id: Option<String>,
    },
    /// Something that Scruple itself did or met: a start, a policy that was not taken, a reserve that was merged.
    Notice {
        /// Stable code.
        code: String,
        /// Facts, by name. No PHI.
        facts: BTreeMap<String, String>,
    },
    /// A change of state from the store's event table.
    Event {
        /// Kind of the event.
        event: String,
        /// The aggregate that changed.
        aggregate: String,
        /// Its version after the change.
        version: i64,
        /// Who is affected.
        subjects: Vec<String>,
    },
}

/// Why an entry cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// The entry is longer than the log takes.
    #[error("entry of {bytes} bytes is over the limit of {} bytes", limits::ENTRY_BYTES_MAX)]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The bytes are no entry of a known version.
    #[error("entry cannot be read")]
    Unreadable(#[source] serde_json::Error),
    /// The entry was written by a newer version.
    #[error("entry has format version {0}, this build knows 1")]
    Version(u32),
    /// A permit lacks a field that every permit must have.
    #[error("permit lacks its {0}")]
    Incomplete(&'static str),
}

impl Entry {
    /// An entry of this build's version.
    #[must_use]
    pub fn new(at: Timestamp, body: EntryBody) -> Self {
        Self { v: FORMAT, engine: ENGINE_VERSION.to_owned(), at, body }
    }

    /// The canonical bytes.
    ///
    /// # Errors
    /// The entry is too long, or a permit lacks a field.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EntryError> {
        self.validate()?;
        // The same facts are the same bytes, however a dependency has `serde_json` order its maps.
        let mut value = serde_json::to_value(self).map_err(EntryError::Unreadable)?;
        value.sort_all_objects();
        let bytes = serde_json::to_vec(&value).map_err(EntryError::Unreadable)?;
        if bytes.len() > limits::ENTRY_BYTES_MAX {
            return Err(EntryError::TooLong { bytes: bytes.len() });
        }
        Ok(bytes)
    }

    /// Reads an entry back.
    ///
    /// # Errors
    /// The bytes are no entry, of a newer version, or a permit that lacks a field.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EntryError> {
        let value: serde_json::Value = serde_json::from_slice(bytes).map_err(EntryError::Unreadable)?;
        if let Some(version) = value.get("v").and_then(serde_json::Value::as_u64)
            && version != u64::from(FORMAT)
        {
            return Err(EntryError::Version(u32::try_from(version).unwrap_or(u32::MAX)));
        }
        let entry: Self = serde_json::from_value(value).map_err(EntryError::Unreadable)?;
        entry.validate()?;
        Ok(entry)
    }

    /// Checks that a permit has its subject, element set, time bound and justification (AB-08).
    ///
    /// # Errors
    /// Names the field that is missing.
    pub fn validate(&self) -> Result<(), EntryError> {
        let (actor, decision) = match &self.body {
            EntryBody::Release { actor, decision, .. } | EntryBody::ReleaseOpen { actor, decision, .. } => {
                (actor, decision)
            }
            EntryBody::Evaluation { actor, permitted: true, decision, .. } => {
                (actor, decision.as_ref().ok_or(EntryError::Incomplete("element set"))?)
            }
            _ => return Ok(()),
        };
        if actor.subject.is_empty() {
            return Err(EntryError::Incomplete("subject"));
        }
        if decision.table.is_empty() || decision.pack.is_empty() {
            return Err(EntryError::Incomplete("element set"));
        }
        if decision.valid_until <= self.at {
            return Err(EntryError::Incomplete("time bound"));
        }
        if decision.justification.trim().is_empty() {
            return Err(EntryError::Incomplete("justification"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permit() -> Entry {
        let at = Timestamp::parse("2026-03-01T08:00:00Z").unwrap();
        Entry::new(
            at,
            EntryBody::ReleaseOpen {
                release: "r".to_owned(),
                actor: Actor { subject: "operator:ana".to_owned(), role: "biller".to_owned() },
                decision: DecisionFacts {
                    purpose: "HPAYMT".to_owned(),
                    pack: "aa".to_owned(),
                    table: "bb".to_owned(),
                    views: BTreeMap::from([("claims".to_owned(), "full".to_owned())]),
                    conditions: vec!["relationship".to_owned()],
                    relationship: Relationship::Asserted,
                    valid_until: at.plus_micros(1),
                    justification: "build and correct claims".to_owned(),
                    grant: None,
                },
                request: None,
            },
        )
    }

    #[test]
    fn an_entry_reads_back_and_is_canonical() {
        let bytes = permit().to_bytes().unwrap();
        assert_eq!(Entry::from_bytes(&bytes).unwrap(), permit());
        let text = String::from_utf8(bytes).unwrap();
        assert!(
            text.starts_with(r#"{"at":1772352000000000,"body":{"actor":{"role":"biller","subject":"operator:ana"},"#),
            "{text}"
        );
    }

    #[test]
    fn a_permit_that_lacks_one_of_its_four_fields_is_refused() {
        let check = |change: fn(&mut Actor, &mut DecisionFacts), expected: &str| {
            let mut entry = permit();
            if let EntryBody::ReleaseOpen { actor, decision, .. } = &mut entry.body {
                change(actor, decision);
            }
            assert_eq!(entry.to_bytes().unwrap_err().to_string(), format!("permit lacks its {expected}"));
        };
        check(|actor, _| actor.subject.clear(), "subject");
        check(|_, decision| decision.table.clear(), "element set");
        check(|_, decision| decision.valid_until = Timestamp::from_micros(0), "time bound");
        check(|_, decision| decision.justification = " ".to_owned(), "justification");
    }

    #[test]
    fn a_permit_that_was_told_to_another_system_has_the_same_four_fields() {
        let EntryBody::ReleaseOpen { actor, decision, .. } = permit().body else { panic!("no permit") };
        let told = |permitted: bool, decision: Option<DecisionFacts>| {
            let body = EntryBody::Evaluation {
                evaluation: "e".to_owned(),
                caller: "crm".to_owned(),
                actor: actor.clone(),
                action: "read".to_owned(),
                resource: Some("category/claims".to_owned()),
                patient: None,
                purpose: Some("HPAYMT".to_owned()),
                permitted,
                code: "permitted".to_owned(),
                decision,
                relations: Vec::new(),
                found: Vec::new(),
                lacking: Vec::new(),
                request_id: None,
            };
            Entry::new(permit().at, body)
        };
        let bytes = told(true, Some(decision.clone())).to_bytes().unwrap();
        assert_eq!(Entry::from_bytes(&bytes).unwrap(), told(true, Some(decision.clone())));
        assert!(told(false, None).to_bytes().is_ok());
        assert_eq!(told(true, None).to_bytes().unwrap_err().to_string(), "permit lacks its element set");
        let over = DecisionFacts { valid_until: Timestamp::from_micros(0), ..decision };
        assert_eq!(told(true, Some(over)).to_bytes().unwrap_err().to_string(), "permit lacks its time bound");
    }
}
