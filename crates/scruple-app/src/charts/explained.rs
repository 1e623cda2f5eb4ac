//! Why somebody opened a chart, as a sentence: the same on pages and for programs.

use super::{History, Why};
use crate::words::{declared, emergency, lower_first, task_kind};
use scruple_flow::{ElevationKind, RequestState};
use scruple_policy::Pack;
use scruple_store::{AccessBasis, StoreError, Tx, find_person, find_request};
use std::collections::BTreeMap;

/// Who approved a request, by the id of the elevation that it opened.
pub type Approvers = BTreeMap<String, String>;

/// Who approved what a history rests on.
///
/// # Errors
/// The database failed.
pub async fn approvers(tx: &mut Tx, history: &History) -> Result<Approvers, StoreError> {
    let mut found = Approvers::new();
    for opening in history.readers.iter().flat_map(|reader| &reader.openings) {
        let Why::Opened(elevation) = &opening.why else { continue };
        let ElevationKind::Asked { request } = elevation.held.kind else { continue };
        let id = elevation.held.id.to_string();
        if found.contains_key(&id) {
            continue;
        }
        let request = find_request(tx, request).await?;
        let Some(RequestState::Approved { approvals, .. }) = request.map(|request| request.state) else { continue };
        let mut names = Vec::new();
        for approval in &approvals {
            let person = find_person(tx, approval.by).await?;
            names.push(person.map(|person| person.name.into_inner()).unwrap_or_default());
        }
        found.insert(id, names.join(" and "));
    }
    Ok(found)
}

/// Why, in words, and what it rests on by its code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explained {
    /// A sentence.
    pub words: String,
    /// `Encounter/e1`, `Elevation/id`, a role; empty where there is none.
    pub code: String,
}

/// Why, as a sentence. `role`: in which somebody acted.
#[must_use]
pub fn explained(why: &Why, pack: &Pack, role: Option<&str>, approvers: &Approvers) -> Explained {
    let told = |words: String, code: &str| Explained { words, code: code.to_owned() };
    match why {
        Why::Related { kind, on, afterwards } => {
            let words = match kind {
                AccessBasis::Encounter => "Takes part in a visit of the patient",
                AccessBasis::Appointment => "Has an appointment with the patient",
                AccessBasis::CareTeam => "Is of the patient's care team",
                AccessBasis::Panel => "Is the patient's own doctor",
                _ => "Is related to the patient",
            };
            let found = if *afterwards { ", as the record system says" } else { "" };
            told(format!("{words}{found}."), on)
        }
        Why::Opened(elevation) => {
            let id = elevation.held.id.to_string();
            let words = match &elevation.held.kind {
                ElevationKind::Declared(reason) => {
                    format!("Said to care for the patient: {}.", lower_first(declared(*reason)))
                }
                ElevationKind::Emergency { reason, .. } => {
                    format!("Opened it in an emergency: {}.", lower_first(emergency(*reason)))
                }
                ElevationKind::Asked { .. } => match approvers.get(&id) {
                    Some(names) => format!("Asked for this patient, and {names} approved."),
                    None => "Asked for this patient, and it was approved.".to_owned(),
                },
            };
            told(words, &format!("Elevation/{id}"))
        }
        Why::Tasked(task) => {
            let kind = task_kind(task.order.kind);
            told(
                format!("Under a task, {kind}, that somebody else approved."),
                &format!("AccessTask/{}", task.order.id),
            )
        }
        Why::Inquiry => told("The privacy office asked about this chart.".to_owned(), "ChartQuestion"),
        Why::Role => {
            let label = role.and_then(|role| pack.roles.get(role)).map_or("The role", |role| role.label.as_str());
            told(format!("{label}: the policy asks this role for no tie to the patient."), role.unwrap_or_default())
        }
        Why::Nothing => {
            told("No visit, appointment, care team, request, declared care or emergency that is known.".to_owned(), "")
        }
        Why::Left => told("Had left the organisation by then.".to_owned(), ""),
        Why::NoRole => told("Held no role here at that time.".to_owned(), ""),
        Why::Stranger => told("Nobody here is known by that name.".to_owned(), ""),
        Why::NotAsked => {
            told("Not judged now: the record system does not answer, or there are too many.".to_owned(), "")
        }
        Why::SawNothing => told("Asked for the chart, and nothing of it was shown.".to_owned(), ""),
    }
}
