//! Requests: handed in, approved, refused, taken back, over.

use super::steps::has_taken;
use super::{
    ASKED_OPEN_MAX, Deputised, Desk, DeskError, Done, Who, apart, change_of, deputised, has_room, holds, line_manager,
    roles_of, vouched_for_by,
};
use crate::message::{Told, tell};
use crate::record::Record;
use scruple_core::{Id, Phi, Timestamp, new_id};
use scruple_flow::{
    AccessRequest, Approval, Approver, ApproverKind, DeputyAs, Grant, GrantRequest, Kinds, NewElevation, NewGrant,
    PatientRef, Person, Project, RequestError, RequestState, RequestTask, Revocation, RoleCode, Wanted, Window,
};
use scruple_policy::{Act, SERVICE_ACCOUNT};
use scruple_store::{
    Tx, find_grant, find_request, find_system, insert_elevation, insert_grant, insert_project_request, insert_request,
    list_overdue_requests, list_requests_of, revoke_grant, update_request,
};
use std::collections::BTreeSet;

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Who would get it; none: who asks.
    pub person: Option<Id<Person>>,
    /// The role to act in.
    pub role: RoleCode,
    /// The one purpose of use that it is for (HL7 v3 ActReason); none: those of the role.
    pub purpose: Option<String>,
    /// The patients whose records it opens; none: the role itself.
    pub patients: BTreeSet<PatientRef>,
    /// For what kind of task; there is no request without one.
    pub task: Option<RequestTask>,
    /// Which kinds of information of these patients; there is no request of patients without them.
    pub kinds: Option<Kinds>,
    /// From when; none: from now on.
    pub starts_at: Option<Timestamp>,
    /// Until when.
    pub ends_at: Timestamp,
    /// What it is for.
    pub justification: Phi<String>,
    /// The number of a ticket or case.
    pub ticket: Option<String>,
    /// The id of the text on what is minimum necessary here, which he says that he has read.
    pub acknowledged: Option<String>,
}

/// What an approver leaves of a request.
#[derive(Clone, Debug, Default)]
pub struct Narrower {
    /// The patients that stay; none: all.
    pub patients: Option<BTreeSet<PatientRef>>,
    /// The kinds of information that stay; none: all.
    pub kinds: Option<Kinds>,
    /// Until when; none: as asked.
    pub ends_at: Option<Timestamp>,
    /// What the request was seen to change, as [`Change::basis`](super::Change); none: it was not looked at.
    pub against: Option<String>,
}

impl Desk<'_> {
    /// Hands a request in. It goes to those whom the policy names.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn submit(&mut self, who: Who, ask: Ask) -> Result<Done<AccessRequest>, DeskError> {
        let id = new_id(self.clock.now(), self.rng);
        self.submit_for(who, id, ask, None).await
    }

    /// The same under an id that was drawn before, and for a project that was assessed: whoever does not know whether it was handed in asks
    /// for the request of that id.
    ///
    /// # Errors
    /// See [`DeskError`]. Under an id that is taken: [`DeskError::Changed`].
    pub async fn submit_for(
        &mut self,
        who: Who,
        id: Id<AccessRequest>,
        ask: Ask,
        project: Option<Id<Project>>,
    ) -> Result<Done<AccessRequest>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let own = roles_of(&mut tx, who.person, at).await?;
        self.permits(Act::Ask, &own)?;
        let person = ask.person.unwrap_or(who.person);
        let is_of_patients = !ask.patients.is_empty();
        // The record of a patient is opened in a role that is held; a purpose narrows that alone.
        if is_of_patients {
            holds(&mut tx, person, &ask.role, at).await?;
        }
        let task = ask.task.ok_or(RequestError::NoTask)?;
        let kinds = match ask.kinds {
            None if is_of_patients => return Err(RequestError::NoKinds.into()),
            kinds => kinds.unwrap_or(Kinds::Whole),
        };
        let rule = self.rules.approval(&ask.role, is_of_patients.then_some(&kinds)).ok_or(DeskError::NotAllowed)?;
        if is_of_patients {
            self.are_of_role(&kinds, &ask.role, ask.purpose.as_deref())?;
        }
        let window = Window::new(ask.starts_at.unwrap_or(at), ask.ends_at).map_err(|_| RequestError::Over)?;
        let draft = AccessRequest {
            id,
            person,
            requested_by: who.person,
            wanted: Wanted {
                role: ask.role,
                purpose: ask.purpose.filter(|_| is_of_patients),
                patients: ask.patients,
                task,
                kinds,
                window,
            },
            justification: ask.justification,
            ticket: ask.ticket,
            rule,
            submitted_at: at,
            decide_by: at,
            extends: None,
            acknowledged: ask.acknowledged,
            state: RequestState::Draft,
            version: 1,
        };
        self.hand_in(tx, (who, at), draft, project).await
    }

    /// Refuses where the policy has a text on what is minimum necessary here, and it was not read, or another one was.
    fn has_read(&self, request: &AccessRequest) -> Result<(), RequestError> {
        let text = self.rules.reminder(&request.wanted.role, !request.wanted.patients.is_empty());
        let is_read = text.is_none_or(|text| request.acknowledged.as_ref() == Some(&text.id));
        if is_read { Ok(()) } else { Err(RequestError::NotRead) }
    }

    /// Hands a draft in, and tells those who decide: now, once half of the time is over, and their backup when its time has come.
    pub(super) async fn hand_in(
        &mut self,
        mut tx: Tx,
        (who, at): (Who, Timestamp),
        draft: AccessRequest,
        project: Option<Id<Project>>,
    ) -> Result<Done<AccessRequest>, DeskError> {
        self.is_within_project(&mut tx, &draft.wanted, project, at).await?;
        let last = list_requests_of(&mut tx, who.person, None).await?.into_iter();
        let last = last.filter(|last| last.requested_by == who.person).map(|last| last.justification).next();
        let request = draft.submit(last.as_ref().map(|last| last.expose().as_str()), at)?;
        self.has_read(&request)?;
        insert_request(&mut tx, &request).await?;
        if let Some(project) = project {
            insert_project_request(&mut tx, project, request.id).await?;
        }
        tell(&mut tx, self.rng, Told::RequestWaits(request.id), at, at).await?;
        let half = request.decide_by.micros().saturating_sub(at.micros()) / 2;
        tell(&mut tx, self.rng, Told::RequestStillWaits(request.id), at, at.plus_micros(half)).await?;
        if let Some(due) = request.escalates_at() {
            tell(&mut tx, self.rng, Told::RequestEscalated(request.id), at, due).await?;
        }
        let mut records = vec![Record::request(&request, 1, at, who.person)];
        records.extend(self.watch_request(&mut tx, &request, at).await?);
        self.commit(tx, &records, request).await
    }

    /// Approves a request, as it was seen at `version`, or less than it. The last approval that is needed opens what was asked for.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn approve(
        &mut self,
        who: Who,
        id: Id<AccessRequest>,
        version: i64,
        narrower: Narrower,
    ) -> Result<Done<AccessRequest>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let request = seen(&mut tx, id, version).await?;
        let mut deciders = self.deciders(&mut tx, who, request.person, at).await?;
        // What was held when it was asked for may have ended since.
        if !request.wanted.patients.is_empty() {
            holds(&mut tx, request.person, &request.wanted.role, at).await?;
        }
        stand_apart(&mut tx, &mut deciders, &request).await?;
        // What was seen to change is what is changed, or nothing is.
        if let Some(against) = &narrower.against
            && change_of(&mut tx, self.rules, &request, at).await?.basis != *against
        {
            return Err(DeskError::Changed);
        }
        let mut wanted = request.wanted.clone();
        if let Some(patients) = narrower.patients {
            wanted.patients = patients;
        }
        if let Some(kinds) = narrower.kinds {
            self.are_of_role(&kinds, &wanted.role, wanted.purpose.as_deref())?;
            wanted.kinds = kinds;
        }
        if let Some(ends_at) = narrower.ends_at {
            wanted.window = Window::new(wanted.window.starts_at(), ends_at).map_err(|_| RequestError::Over)?;
        }
        let asked_by = [request.person, request.requested_by];
        let approved =
            first(&mut tx, &deciders, &asked_by, |decider| request.clone().approve(decider, Some(wanted.clone()), at))
                .await?;
        if matches!(approved.state, RequestState::Approved { .. }) {
            has_taken(&mut tx, self.rules, (approved.person, &approved.wanted.role), at).await?;
            has_owner(&mut tx, (approved.person, &approved.wanted.role), at).await?;
            self.is_still_within_project(&mut tx, &approved, at).await?;
        }
        update_request(&mut tx, &approved, version).await?;
        let mut records = vec![Record::request(&approved, version + 1, at, who.person)];
        if let RequestState::Approved { approvals, .. } = &approved.state {
            for earlier in approvals.iter().filter(|approval| approval.by != who.person) {
                still_may(&mut tx, (earlier, &approved), at).await?;
            }
            records.extend(self.open(&mut tx, &approved, who.person, at).await?);
        }
        self.commit(tx, &records, AccessRequest { version: version + 1, ..approved }).await
    }

    /// Refuses kinds of information that a role does not have: access beyond relationships opens what the role has, and no more.
    fn are_of_role(&self, kinds: &Kinds, role: &RoleCode, purpose: Option<&str>) -> Result<(), RequestError> {
        let Some(named) = kinds.codes() else { return Ok(()) };
        if named.is_subset(&self.rules.kinds(role, purpose)) { Ok(()) } else { Err(RequestError::KindsNotOfRole) }
    }

    /// Gives what a request asked for: a role under the id of the request, or the records of its patients.
    async fn open(
        &mut self,
        tx: &mut Tx,
        request: &AccessRequest,
        approved_by: Id<Person>,
        at: Timestamp,
    ) -> Result<Vec<Record>, DeskError> {
        if request.wanted.patients.is_empty() {
            let window = request.wanted.window;
            let grant = GrantRequest {
                id: Id::from_uuid(request.id.uuid()),
                person: request.person,
                role: request.wanted.role.clone(),
                window: Window::new(window.starts_at().max(at), window.ends_at())?,
                requested_by: request.requested_by,
                justification: request.justification.clone(),
            };
            let record = Record::granted(&grant, approved_by, at);
            insert_grant(tx, &NewGrant::approved(grant, approved_by, at)?).await?;
            return Ok(vec![record]);
        }
        has_room(tx, request.person, request.wanted.patients.len(), ASKED_OPEN_MAX, at).await?;
        let mut records = Vec::with_capacity(request.wanted.patients.len());
        for patient in &request.wanted.patients {
            let new = NewElevation::asked(request, new_id(at, self.rng), patient).ok_or(RequestError::Over)?;
            insert_elevation(tx, &new).await?;
            records.push(Record::elevated(&new));
        }
        Ok(records)
    }

    /// Refuses a request, as it was seen at `version`.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn deny(
        &mut self,
        who: Who,
        id: Id<AccessRequest>,
        version: i64,
        comment: Phi<String>,
    ) -> Result<Done<AccessRequest>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let request = seen(&mut tx, id, version).await?;
        let mut deciders = self.deciders(&mut tx, who, request.person, at).await?;
        for decider in &mut deciders {
            // Whoever is named may say no, wherever he stands.
            let (roles, is_line_manager) = (decider.roles(), decider.kinds.contains(&ApproverKind::LineManager));
            let named = request.rule.needs.iter().filter(|need| need.names(&roles, is_line_manager)).cloned();
            decider.kinds.extend(named);
        }
        // A no by somebody whom the asker let in takes nothing from anybody.
        let denied =
            first(&mut tx, &deciders, &[], |decider| request.clone().deny(decider, comment.clone(), at)).await?;
        self.put(tx, denied, version, at, who).await
    }

    /// Takes a request back.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn cancel(
        &mut self,
        who: Who,
        id: Id<AccessRequest>,
        version: i64,
    ) -> Result<Done<AccessRequest>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        roles_of(&mut tx, who.person, at).await?;
        let request = seen(&mut tx, id, version).await?;
        // Whose it is not is told nothing of it.
        if ![request.person, request.requested_by].contains(&who.person) {
            return Err(DeskError::Unknown);
        }
        let cancelled = request.cancel(who.person, at)?;
        self.put(tx, cancelled, version, at, who).await
    }

    async fn put(
        &mut self,
        mut tx: Tx,
        request: AccessRequest,
        version: i64,
        at: Timestamp,
        who: Who,
    ) -> Result<Done<AccessRequest>, DeskError> {
        update_request(&mut tx, &request, version).await?;
        let record = Record::request(&request, version + 1, at, who.person);
        self.commit(tx, &[record], AccessRequest { version: version + 1, ..request }).await
    }

    /// Writes down which requests are over because nobody decided; they have been since their time, with or without this. Answers
    /// how many.
    ///
    /// # Errors
    /// The database failed; those that were written down stay so.
    pub async fn expire_requests(&mut self) -> Result<usize, DeskError> {
        let now = self.clock.now();
        let overdue = list_overdue_requests(&mut self.store.begin_read().await?, now).await?;
        let mut done = 0;
        for request in overdue {
            let (mut tx, at) = self.begin().await?;
            let (version, person) = (request.version, request.person);
            let Ok(expired) = request.expire(at) else { continue };
            match update_request(&mut tx, &expired, version).await.map_err(DeskError::from) {
                // Somebody has decided, or written it down, meanwhile.
                Err(DeskError::Changed) => continue,
                other => other?,
            }
            let record = Record::request(&expired, version + 1, at, person);
            self.commit(tx, &[record], ()).await?;
            done += 1;
        }
        Ok(done)
    }

    /// Ends a role before its time: by who holds it, asked for it, or agreed to it, or by whoever oversees access.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn end_grant(&mut self, who: Who, id: Id<Grant>, version: i64) -> Result<Done<Grant>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let roles = roles_of(&mut tx, who.person, at).await?;
        let grant = find_grant(&mut tx, id).await?.ok_or(DeskError::Unknown)?;
        let involved = [grant.held.person, grant.requested_by, grant.approved_by];
        if !involved.contains(&who.person) && !self.may_end(&mut tx, who, &roles, grant.held.person).await? {
            return Err(DeskError::Unknown);
        }
        if grant.version != version || grant.revoked.is_some() {
            return Err(DeskError::Changed);
        }
        let revocation = Revocation { by: who.person, at };
        revoke_grant(&mut tx, id, version, revocation).await?;
        let record = Record::revoked(&grant, revocation);
        self.commit(tx, &[record], Grant { revoked: Some(revocation), version: version + 1, ..grant }).await
    }
}

/// Adds to each who would decide the needs that ask for somebody who stands apart, where he does. Where somebody before him asked for
/// that and he does not, he decides nothing.
async fn stand_apart(tx: &mut Tx, deciders: &mut [Approver], request: &AccessRequest) -> Result<(), DeskError> {
    for decider in deciders {
        match apart::met(tx, request, decider).await {
            Ok(met) => decider.kinds.extend(met),
            Err(DeskError::Request(RequestError::NotEligible)) => decider.kinds.clear(),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What comes of a decision: in his own name if that may be, else in the place of the first for whom it may. Nobody decides whose sign-in,
/// or that of him in whose place he stands, was made by one of `not_let_in_by`.
// relies on (two-people)
async fn first(
    tx: &mut Tx,
    deciders: &[Approver],
    not_let_in_by: &[Id<Person>],
    decide: impl Fn(&Approver) -> Result<AccessRequest, RequestError>,
) -> Result<AccessRequest, DeskError> {
    let mut refused = None;
    for decider in deciders {
        let mut decided = decide(decider);
        for person in std::iter::once(decider.person).chain(decider.acting_for) {
            if vouched_for_by(tx, person, not_let_in_by).await? {
                decided = Err(RequestError::OwnRequest);
            }
        }
        match decided {
            Ok(request) => return Ok(request),
            // What keeps him from it in somebody's place tells more than that he may not himself.
            Err(error) if refused.is_none_or(|known| known == RequestError::NotEligible) => refused = Some(error),
            Err(_) => {}
        }
    }
    Err(refused.map_or(DeskError::Forbidden, DeskError::Request))
}

/// Refuses where somebody who has said yes is no longer what he said it as, or in whose place he said it.
async fn still_may(tx: &mut Tx, (given, request): (&Approval, &AccessRequest), at: Timestamp) -> Result<(), DeskError> {
    let roles = match roles_of(tx, given.by, at).await {
        Err(DeskError::Gone) => return Err(DeskError::ApproverLapsed),
        roles => roles?,
    };
    let roles = match given.acting_for {
        None => roles,
        Some(other) => {
            let all = deputised(tx, (given.by, DeputyAs::Approver), at).await?;
            let held = all.into_iter().find(|one| one.person == other).map(|Deputised { roles, .. }| roles);
            held.ok_or(DeskError::ApproverLapsed)?
        }
    };
    let is_line_manager = line_manager(tx, request.person).await? == Some(given.acting_for.unwrap_or(given.by));
    let is_named = |kind: &ApproverKind| kind.names(&roles, is_line_manager);
    let is_backup = request.backup_at(given.at).is_some_and(is_named);
    if is_backup || is_named(&given.kind) { Ok(()) } else { Err(DeskError::ApproverLapsed) }
}

async fn seen(tx: &mut Tx, id: Id<AccessRequest>, version: i64) -> Result<AccessRequest, DeskError> {
    let request = find_request(tx, id).await?.ok_or(DeskError::Unknown)?;
    if request.version == version { Ok(request) } else { Err(DeskError::Changed) }
}

/// Refuses to make somebody a system for whom nobody who is here answers.
// relies on (system-owned)
async fn has_owner(tx: &mut Tx, (person, role): (Id<Person>, &RoleCode), at: Timestamp) -> Result<(), DeskError> {
    if role.as_str() != SERVICE_ACCOUNT {
        return Ok(());
    }
    let system = find_system(tx, person).await?;
    if system.is_some_and(|system| system.has_owner(at)) { Ok(()) } else { Err(DeskError::Unowned) }
}
