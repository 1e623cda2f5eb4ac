//! Whose chart is asked about, and what is told of a question: the same on pages and for programs. What is told is told under a
//! question that was recorded before.

use super::{ChartError, History, IndexHandle};
use crate::limits::INDEX_WAIT_MAX;
use scruple_core::{Clock, ConditionMask, Id, Phi, Relationship, RequestFacts, Timestamp};
use scruple_fhir::dictionary;
use scruple_flow::{ChartQuestion, Person, RoleCode};
use scruple_policy::{Act, Question};
use scruple_release::{Answer, Asked, Pipeline, Request, RequestRng, UpstreamError, holding};
use scruple_store::{Store, find_person, open_grants};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const DAY: i64 = 24 * 3_600_000_000;
/// So long after a question its own look still stands in its history.
const LOOK_MICROS: i64 = 15 * 60_000_000;
/// Bytes of a record number.
const NUMBER_BYTES_MAX: usize = 64;

/// The last days: a little longer, so that the look itself stands in them.
#[must_use]
pub const fn last_days(now: Timestamp, days: i64) -> (Timestamp, Timestamp) {
    (now.plus_micros(-days * DAY), now.plus_micros(LOOK_MICROS))
}

/// A patient as a question names him.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    /// `Patient/` and an id, or `number:` and a record number that the record system does not know.
    pub patient: Phi<String>,
    /// By all these the logs may name him.
    pub keys: Phi<Vec<String>>,
}

/// Why it is not known whose chart is meant. No variant holds what was typed.
#[derive(Debug, thiserror::Error)]
pub enum NumberError {
    /// It is no record number.
    #[error("this is no record number")]
    Malformed,
    /// Several patients have it.
    #[error("more than one patient has this number")]
    Several,
    /// The record system cannot be asked.
    #[error("the record system does not answer, so that it is not known whose number it is")]
    Upstream(#[source] UpstreamError),
}

/// The patient of a record number, or of an id of the record system, as somebody types it.
///
/// # Errors
/// See [`NumberError`].
pub async fn named(pipeline: &Pipeline, typed: &str) -> Result<Named, NumberError> {
    let number = typed.trim().trim_start_matches("MR ").trim();
    let is_number = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'/');
    if number.len() > NUMBER_BYTES_MAX || !number.bytes().all(is_number) {
        return Err(NumberError::Malformed);
    }
    let number = number.trim_start_matches("Patient/");
    if number.is_empty() {
        return Err(NumberError::Malformed);
    }
    let mut found = pipeline.patients_of(number).await.map_err(NumberError::Upstream)?;
    let (patient, numbers) = match (found.len(), found.pop_first()) {
        // Whom the record system does not know, a log may name all the same.
        (0, _) | (_, None) => (format!("number:{number}"), BTreeSet::new()),
        (1, Some((id, numbers))) => (format!("Patient/{id}"), numbers),
        (_, Some(_)) => return Err(NumberError::Several),
    };
    let mut keys = vec![patient.clone()];
    let plain = |number: &&String| !number.chars().any(char::is_control);
    keys.extend(numbers.iter().filter(plain).map(|number| format!("number:{number}")));
    if let Some(id) = patient.strip_prefix("Patient/") {
        // A log may write the id where others write the number.
        keys.push(format!("number:{id}"));
    }
    keys.dedup();
    Ok(Named { patient: Phi::new(patient), keys: Phi::new(keys) })
}

/// A question with what is told of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// The question.
    pub question: ChartQuestion,
    /// Who opened the chart.
    pub history: History,
    /// The index had not yet what the ledger had.
    pub is_behind: bool,
}

impl Told {
    /// What is known of a question now.
    ///
    /// # Errors
    /// See [`ChartError`].
    pub async fn of(
        store: &Store,
        pipeline: &Pipeline,
        index: &IndexHandle,
        question: ChartQuestion,
    ) -> Result<Self, ChartError> {
        let is_behind = match pipeline.recorded() {
            Some(entries) => !index.reach(entries, INDEX_WAIT_MAX).await,
            None => true,
        };
        let history = History::of(store, pipeline, &question).await?;
        Ok(Self { question, history, is_behind })
    }
}

/// Somebody who looks at the history of a chart.
pub struct Looking<'a> {
    /// The state.
    pub store: &'a Store,
    /// The gateway.
    pub pipeline: &'a Pipeline,
    /// The present.
    pub clock: &'a dyn Clock,
    /// Randomness of this look.
    pub rng: &'a mut RequestRng,
    /// Who.
    pub person: Id<Person>,
    /// The roles in which he looks.
    pub roles: &'a BTreeSet<RoleCode>,
    /// By which way, for the record: `console` or `api`.
    pub source: &'static str,
}

/// Whose chart it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChartOf {
    /// The record system knows nobody by the number.
    Nobody,
    /// He does not show now.
    Hidden,
    /// The patient, as the gateway shows him to who looks.
    Patient {
        /// What he is called, where that shows.
        name: Option<Phi<String>>,
        /// When he was born; empty where that does not show.
        born: Phi<String>,
        /// The record number, where it shows.
        number: Option<Phi<String>>,
    },
}

/// The patient of a question, read through the gateway under the question: that somebody looked stands in the ledger, and in the
/// history itself.
pub async fn chart_of(looking: Looking<'_>, question: &ChartQuestion) -> ChartOf {
    let Some(patient) = question.patient.expose().strip_prefix("Patient/") else { return ChartOf::Nobody };
    let Some(resource) = read_patient(looking, question, patient).await else { return ChartOf::Hidden };
    let text = |pointer: &str| resource.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let given = resource.pointer("/name/0/given").and_then(Value::as_array).into_iter().flatten();
    let given: Vec<&str> = given.filter_map(Value::as_str).collect();
    let name = match (given.is_empty(), text("/name/0/family")) {
        (true, family) if family.is_empty() => text("/name/0/text"),
        (_, family) => format!("{} {family}", given.join(" ")).trim().to_owned(),
    };
    let identifiers = resource.get("identifier").and_then(Value::as_array).into_iter().flatten();
    let is_record = |one: &&Value| one.pointer("/type/coding/0/code").and_then(Value::as_str) == Some("MR");
    let number = identifiers.filter(is_record).find_map(|one| one.get("value").and_then(Value::as_str));
    ChartOf::Patient {
        name: Some(name).filter(|name| !name.is_empty()).map(Phi::new),
        born: Phi::new(text("/birthDate")),
        number: number.map(|number| Phi::new(number.to_owned())),
    }
}

async fn read_patient(looking: Looking<'_>, question: &ChartQuestion, patient: &str) -> Option<Value> {
    let Looking { store, pipeline, clock, rng, person, roles, source } = looking;
    let now = clock.now();
    let policy = pipeline.policy();
    let pack = policy.pack();
    let mut tx = store.begin_read().await.ok()?;
    let found = find_person(&mut tx, person).await.ok()??;
    let held = open_grants(&mut tx, person, now).await.ok()?;
    drop(tx);
    let may = |role: &RoleCode| roles.contains(role) && pack.console.scope(Act::Charts, [role.as_str()]).is_some();
    let grant = held.into_iter().find(|grant| grant.window.contains(now) && may(&grant.role))?;
    let role = pack.roles.get(grant.role.as_str())?;
    let asked = Asked {
        subject: found.login.into_inner(),
        question: Question { role: role.name.clone(), purpose: role.purpose.clone(), conditions: ConditionMask::NONE },
        relationship: Relationship::Resolved,
        grant: Some(grant.id.to_string()),
        practitioners: Vec::new(),
        opened: BTreeMap::from([(patient.to_owned(), format!("inquiry ChartQuestion/{}", question.id).into())]),
        limited: BTreeMap::new(),
    };
    let facts = RequestFacts {
        interaction: "read".to_owned(),
        resource_type: Some("Patient".to_owned()),
        id: Some(patient.to_owned()),
        parameters: Vec::new(),
        request_id: None,
        source: Some(source.to_owned()),
        lacking: Vec::new(),
    };
    let holds = || holding();
    let request = Request { asked: &asked, facts, now, clock, holds: &holds };
    let kind = dictionary().resource("Patient")?;
    match pipeline.read(request, kind, patient, None, rng).await {
        Answer::Read(released, _) | Answer::Released(released) => serde_json::from_slice(released.bytes()).ok(),
        Answer::Unchanged(..) | Answer::Refused(..) | Answer::Unrecorded => None,
    }
}
