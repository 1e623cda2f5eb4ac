//! Access tasks as they go over the wire: of a patient no more than the caller needs.

use super::shown::{PatientShown, PersonRef, patient, person, time};
use crate::fail::Fail;
use crate::service::Service;
use scruple_app::Viewer;
use scruple_flow::{AccessTask, Recording, TaskApproval, TaskState};
use scruple_store::Unmask;
use serde::Serialize;
use utoipa::ToSchema;

/// An access task.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct TaskShown {
    #[schema(format = Uuid)]
    pub id: String,
    pub person: PersonRef,
    pub role: String,
    /// `quality_review`, `complaint`, `staffing`, `audit`, `support` or `remote_support`.
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    pub patients: Vec<PatientShown>,
    pub justification: String,
    /// Minutes that it lasts at most.
    pub minutes: i64,
    /// Minutes without a read after which it is over.
    pub idle_minutes: i64,
    /// Whoever holds one of these roles may approve it.
    pub approvers: Vec<String>,
    /// `pending`, `approved`, `active`, `ended`, `denied`, `expired` or `cancelled`: as it is now, whatever was written down.
    pub state: String,
    #[schema(format = DateTime)]
    pub submitted_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<PersonRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub began_at: Option<String>,
    /// When it is over by the clock, as far as is known now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub runs_out_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub ended_at: Option<String>,
    /// `closed`, `idle`, `limit`, `killed` or `ticket_closed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<PersonRef>,
    /// A recording is owed that nobody has handed in.
    pub recording_owed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording_sha256: Option<String>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The caller may decide it.
    pub for_me: bool,
    /// The caller may end it at once.
    pub may_end: bool,
    /// The version that `If-Match` names, in quotation marks.
    pub version: i64,
}

/// One kind of information of one patient, shown unmasked.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct UnmaskShown {
    #[schema(format = Uuid)]
    pub id: String,
    pub category: String,
    #[schema(format = DateTime)]
    pub ends_at: String,
}

pub(crate) fn unmask(one: &Unmask) -> UnmaskShown {
    UnmaskShown { id: one.id.to_string(), category: one.category.clone(), ends_at: time(one.window.ends_at()) }
}

pub(crate) async fn task(service: &Service, viewer: &Viewer, one: &AccessTask) -> Result<TaskShown, Fail> {
    let (now, pack) = (service.now(), service.pack());
    let state = one.state_at(now);
    let (order, rule) = (&one.order, &one.rule);
    let is_own = order.person == viewer.person;
    let approval: Option<TaskApproval> = match &state {
        TaskState::Approved(approval) | TaskState::Active { approval, .. } | TaskState::Ended { approval, .. } => {
            Some(*approval)
        }
        _ => None,
    };
    let approved_by = match approval {
        Some(approval) => Some(person(service, approval.by).await?),
        None => None,
    };
    let (began_at, ended, recording) = match &state {
        TaskState::Active { began_at, .. } => (Some(*began_at), None, None),
        TaskState::Ended { began_at, ended, recording, .. } => (Some(*began_at), Some(*ended), recording.as_ref()),
        _ => (None, None, None),
    };
    let ended_by = match ended.and_then(|ended| ended.by) {
        Some(by) => Some(person(service, by).await?),
        None => None,
    };
    let comment = if let TaskState::Denied { comment, .. } = &state { Some(comment.expose().clone()) } else { None };
    Ok(TaskShown {
        id: order.id.to_string(),
        person: person(service, order.person).await?,
        role: order.role.to_string(),
        kind: order.kind.code().to_owned(),
        system: order.ticket.as_ref().map(|ticket| ticket.system.clone()),
        ticket: order.ticket.as_ref().map(|ticket| ticket.number.expose().clone()),
        patients: order.patients.iter().enumerate().map(|(place, one)| patient(place, one, is_own)).collect(),
        justification: order.justification.expose().clone(),
        minutes: order.minutes,
        idle_minutes: rule.idle_minutes,
        approvers: rule.approvers.iter().map(ToString::to_string).collect(),
        submitted_at: time(one.submitted_at),
        approved_by,
        began_at: began_at.map(time),
        runs_out_at: one.runs_out().map(|(at, _)| at).filter(|at| *at > now).map(time),
        ended_at: ended.map(|ended| time(ended.at)),
        cause: ended.map(|ended| ended.cause.code().to_owned()),
        ended_by,
        recording_owed: one.owes_recording(now),
        recording: recording.map(|one| one.reference.expose().clone()),
        recording_sha256: recording.map(Recording::digits),
        comment,
        for_me: viewer.may_decide_task(&*pack, one, now),
        may_end: viewer.may_end_task(&*pack, one, now),
        state: state.code().to_owned(),
        version: one.version,
    })
}
