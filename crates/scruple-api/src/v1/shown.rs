//! What goes over the wire: display-ready, and of a patient no more than the caller needs.

use crate::fail::Fail;
use crate::service::Service;
use scruple_app::{Changed, DeskError, Viewer, change_of};
use scruple_core::{Id, Timestamp};
use scruple_flow::{
    AccessRequest, Elevation, ElevationKind, EmergencyReview, Grant, Kinds, PatientRef, Person, RequestState,
    ReviewState,
};
use scruple_store::find_person;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A person.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct PersonRef {
    #[schema(format = Uuid)]
    pub id: String,
    pub login: String,
    pub name: String,
}

/// A patient of a request or elevation. Whoever it opens the record to sees the id, others its last four letters.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct PatientShown {
    /// The place in the request, by which an approval leaves out others.
    pub place: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub last_four: String,
}

/// Somebody's yes.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct ApprovalShown {
    pub by: PersonRef,
    /// In what capacity: a role, or `line_manager`.
    pub kind: String,
    /// In whose place, if in somebody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acting_for: Option<PersonRef>,
    #[schema(format = DateTime)]
    pub at: String,
}

/// A request for access.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct RequestShown {
    #[schema(format = Uuid)]
    pub id: String,
    pub person: PersonRef,
    pub requested_by: PersonRef,
    pub role: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose_of_use: Option<String>,
    /// None: it is for the role itself.
    pub patients: Vec<PatientShown>,
    /// For what kind of task.
    pub task: String,
    /// The kinds of information of these patients; none: all that the role has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<String>>,
    /// It is for all that the role has.
    pub whole: bool,
    #[schema(format = DateTime)]
    pub starts_at: String,
    #[schema(format = DateTime)]
    pub ends_at: String,
    pub justification: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Whose approvals are needed: roles, or `line_manager`.
    pub needs: Vec<String>,
    pub approvals: Vec<ApprovalShown>,
    /// `pending`, `approved`, `denied`, `expired`, `cancelled` or `failed`.
    pub state: String,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    #[schema(format = DateTime)]
    pub submitted_at: String,
    #[schema(format = DateTime)]
    pub decide_by: String,
    /// Who may answer too, once nobody has until `escalates_at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub escalates_at: Option<String>,
    /// The request whose access it prolongs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Uuid)]
    pub extends: Option<String>,
    /// Which extension it is of the access that was asked for first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension: Option<i64>,
    /// The text that was read before it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<String>,
    /// The caller may decide it.
    pub for_me: bool,
    /// What it changes of what the person sees: for whoever may decide it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeShown>,
    /// The version that `If-Match` names, in quotation marks.
    pub version: i64,
}

/// What a request changes of what the person sees of his patients. Everything else stays.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct ChangeShown {
    /// What it was worked out from: an approval that names it in `against` is applied to that alone.
    pub basis: String,
    pub changed: Vec<ChangedShown>,
}

/// A kind of information that is seen otherwise.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct ChangedShown {
    /// Its code: of a category, or `segment:` and that of a segment.
    pub kind: String,
    /// `none`, `full`, or `masked:` and the mask.
    pub before: String,
    pub after: String,
}

/// A record of a patient that is opened to somebody.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct ElevationShown {
    #[schema(format = Uuid)]
    pub id: String,
    pub person: PersonRef,
    /// `asked`, `declared` or `emergency`.
    pub kind: String,
    /// Why, where the person has said so himself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub role: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose_of_use: Option<String>,
    pub patient: PatientShown,
    /// The kinds of information of it that it opens; none: all that the role has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<String>>,
    #[schema(format = DateTime)]
    pub starts_at: String,
    #[schema(format = DateTime)]
    pub ends_at: String,
    /// It opens the record now.
    pub active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub ended_at: Option<String>,
    /// The request that it rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Uuid)]
    pub access_request: Option<String>,
    /// The review of an emergency.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Uuid)]
    pub emergency_review: Option<String>,
    /// When the person confirmed, in an emergency, that what is specially protected is needed too, whether there is any or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub protected_at: Option<String>,
    pub version: i64,
}

/// A role that somebody holds.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct GrantShown {
    #[schema(format = Uuid)]
    pub id: String,
    pub person: PersonRef,
    pub role: String,
    pub approved_by: PersonRef,
    #[schema(format = DateTime)]
    pub granted_at: String,
    #[schema(format = DateTime)]
    pub starts_at: String,
    #[schema(format = DateTime)]
    pub ends_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub revoked_at: Option<String>,
    pub version: i64,
}

/// The review of an emergency.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct ReviewShown {
    #[schema(format = Uuid)]
    pub id: String,
    pub elevation: ElevationShown,
    /// What the reader says it was for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// `open`, `asked`, `justified`, `unjustified` or `escalated`.
    pub state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<PersonRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rationale: Option<String>,
    #[schema(format = DateTime)]
    pub opened_at: String,
    #[schema(format = DateTime)]
    pub due_at: String,
    pub version: i64,
}

/// A list goes on behind this.
#[derive(Serialize, Deserialize)]
pub(crate) struct Spot<T> {
    pub at: Timestamp,
    #[serde(bound = "")]
    pub id: Id<T>,
}

pub(crate) fn time(at: Timestamp) -> String {
    at.to_string()
}

/// The time that a text says. Those that no clock shows are none.
pub(crate) fn parse_time(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text).ok()
}

pub(crate) async fn person(service: &Service, id: Id<Person>) -> Result<PersonRef, Fail> {
    let found = find_person(&mut service.parts.store.begin_read().await?, id).await?;
    let (login, name) = found.map(|one| (one.login.into_inner(), one.name.into_inner())).unwrap_or_default();
    Ok(PersonRef { id: id.to_string(), login, name })
}

pub(crate) fn patient(place: usize, patient: &PatientRef, is_own: bool) -> PatientShown {
    PatientShown { place, id: is_own.then(|| patient.id().to_owned()), last_four: last_four(patient.id()) }
}

/// The last four letters of an id or number.
pub(crate) fn last_four(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    letters.get(letters.len().saturating_sub(4)..).unwrap_or_default().iter().collect()
}

fn codes(kinds: &Kinds) -> Option<Vec<String>> {
    kinds.codes().map(|codes| codes.iter().map(ToString::to_string).collect())
}

pub(crate) async fn request(service: &Service, viewer: &Viewer, one: &AccessRequest) -> Result<RequestShown, Fail> {
    let state = one.state_at(service.now());
    let is_own = viewer.is_involved(one);
    let mut approvals = Vec::new();
    if let RequestState::Pending { approvals: all } | RequestState::Approved { approvals: all, .. } = &state {
        for one in all {
            let by = person(service, one.by).await?;
            let acting_for = match one.acting_for {
                Some(other) => Some(person(service, other).await?),
                None => None,
            };
            approvals.push(ApprovalShown { by, kind: one.kind.to_string(), acting_for, at: time(one.at) });
        }
    }
    let comment = match &state {
        RequestState::Denied { comment, .. } => Some(comment.expose().clone()),
        _ => None,
    };
    let wanted = &one.wanted;
    let patients = wanted.patients.iter().enumerate().map(|(place, one)| patient(place, one, is_own));
    let for_me = matches!(state, RequestState::Pending { .. }) && viewer.may_decide(one, service.now());
    Ok(RequestShown {
        id: one.id.to_string(),
        person: person(service, one.person).await?,
        requested_by: person(service, one.requested_by).await?,
        role: wanted.role.to_string(),
        purpose_of_use: wanted.purpose.clone(),
        patients: patients.collect(),
        task: wanted.task.code().to_owned(),
        kinds: codes(&wanted.kinds),
        whole: wanted.kinds == Kinds::Whole,
        starts_at: time(wanted.window.starts_at()),
        ends_at: time(wanted.window.ends_at()),
        justification: one.justification.expose().clone(),
        ticket: one.ticket.clone(),
        needs: one.rule.needs.iter().map(ToString::to_string).collect(),
        approvals,
        state: state.code().to_owned(),
        comment,
        submitted_at: time(one.submitted_at),
        decide_by: time(one.decide_by),
        backup: one.rule.backup.as_ref().map(|backup| backup.kind.to_string()),
        escalates_at: one.escalates_at().map(time),
        extends: one.extends.map(|earlier| earlier.request.to_string()),
        extension: one.extends.map(|earlier| earlier.number),
        acknowledged: one.acknowledged.clone(),
        for_me,
        change: if for_me { change(service, one).await? } else { None },
        version: one.version,
    })
}

async fn change(service: &Service, one: &AccessRequest) -> Result<Option<ChangeShown>, Fail> {
    let pack = service.pack();
    let mut tx = service.parts.store.begin_read().await?;
    let found = match change_of(&mut tx, &*pack, one, service.now()).await {
        Ok(found) => found,
        Err(DeskError::Store(error)) => return Err(error.into()),
        // He has left: nothing is applied.
        Err(_) => return Ok(None),
    };
    let changed = found.changed.into_iter();
    let changed = changed.map(|Changed { kind, before, after }| ChangedShown { kind, before, after });
    Ok(Some(ChangeShown { basis: found.basis, changed: changed.collect() }))
}

pub(crate) async fn elevation(service: &Service, viewer: &Viewer, one: &Elevation) -> Result<ElevationShown, Fail> {
    let held = &one.held;
    let (reason, access_request, emergency_review) = match held.kind {
        ElevationKind::Asked { request } => (None, Some(request.to_string()), None),
        ElevationKind::Declared(reason) => (Some(reason.code().to_owned()), None, None),
        ElevationKind::Emergency { reason, review } => (Some(reason.code().to_owned()), None, Some(review.to_string())),
    };
    Ok(ElevationShown {
        id: held.id.to_string(),
        person: person(service, held.person).await?,
        kind: held.kind.code().to_owned(),
        reason,
        role: held.role.to_string(),
        purpose_of_use: held.purpose.clone(),
        patient: patient(0, &held.patient, held.person == viewer.person),
        kinds: codes(&held.kinds),
        starts_at: time(held.window.starts_at()),
        ends_at: time(held.window.ends_at()),
        active: one.ended.is_none() && held.window.contains(service.now()),
        ended_at: one.ended.map(|end| time(end.at)),
        access_request,
        emergency_review,
        protected_at: held.protected_at.map(time),
        version: one.version,
    })
}

pub(crate) async fn grant(service: &Service, one: &Grant) -> Result<GrantShown, Fail> {
    Ok(GrantShown {
        id: one.held.id.to_string(),
        person: person(service, one.held.person).await?,
        role: one.held.role.to_string(),
        approved_by: person(service, one.approved_by).await?,
        granted_at: time(one.granted_at),
        starts_at: time(one.held.window.starts_at()),
        ends_at: time(one.held.window.ends_at()),
        revoked_at: one.revoked.map(|end| time(end.at)),
        version: one.version,
    })
}

pub(crate) async fn review(
    service: &Service,
    viewer: &Viewer,
    (one, of): (&EmergencyReview, &Elevation),
) -> Result<ReviewShown, Fail> {
    let closed = if let ReviewState::Closed(verdict) = &one.state { Some(verdict) } else { None };
    let closed_by = match closed {
        Some(verdict) => Some(person(service, verdict.by).await?),
        None => None,
    };
    Ok(ReviewShown {
        id: one.id.to_string(),
        elevation: elevation(service, viewer, of).await?,
        account: one.account.as_ref().map(|account| account.expose().clone()),
        state: one.state.code().to_owned(),
        closed_by,
        rationale: closed.map(|verdict| verdict.rationale.expose().clone()),
        opened_at: time(one.opened_at),
        due_at: time(one.due_at),
        version: one.version,
    })
}
