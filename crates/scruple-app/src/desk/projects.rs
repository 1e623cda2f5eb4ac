//! Projects: proposed with an assessment of what is minimum necessary, decided by somebody else, and the gate before the roles that are
//! given for a project alone.

use super::{Desk, DeskError, Done, Who, roles_of, vouched_for_by};
use crate::record::Record;
use scruple_core::{Id, Phi, Timestamp, new_id};
use scruple_flow::{
    AccessRequest, Assessment, Grant, Person, Project, ProjectError, ProjectState, Revocation, RoleCode, Wanted,
};
use scruple_policy::Act;
use scruple_store::{
    Aggregate, Store, StoreError, Subjects, Tx, end_elevation, find_grant, find_person, find_project,
    find_project_of_request, insert_project, list_elevations_of_request, list_project_requests, list_projects,
    lock_project, revoke_grant, update_project,
};
use serde_json::json;
use std::collections::BTreeSet;

/// A project that is to be assessed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProjectAsk {
    /// Who answers for it; none: who proposes it.
    pub owner: Option<Id<Person>>,
    /// What is assessed.
    pub assessment: Assessment,
}

impl Desk<'_> {
    /// Proposes a project.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn propose_project(&mut self, who: Who, ask: ProjectAsk) -> Result<Done<Project>, DeskError> {
        let id = new_id(self.clock.now(), self.rng);
        self.propose_project_as(who, id, ask).await
    }

    /// The same under an id that was drawn before.
    ///
    /// # Errors
    /// See [`DeskError`]. Under an id that is taken: [`DeskError::Changed`].
    pub async fn propose_project_as(
        &mut self,
        who: Who,
        id: Id<Project>,
        ask: ProjectAsk,
    ) -> Result<Done<Project>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let roles = roles_of(&mut tx, who.person, at).await?;
        self.permits(Act::Ask, &roles)?;
        let owner = ask.owner.unwrap_or(who.person);
        let is_here = find_person(&mut tx, owner).await?.filter(|owner| owner.left_at.is_none_or(|left| left > at));
        is_here.ok_or(DeskError::PersonGone)?;
        if !ask.assessment.roles.iter().all(|role| self.rules.approval(role, None).is_some()) {
            return Err(DeskError::NotAllowed);
        }
        if !self.rules.is_purpose(&ask.assessment.purpose) {
            return Err(ProjectError::Title.into());
        }
        let project = Project::propose(id, owner, ask.assessment, who.person, at)?;
        insert_project(&mut tx, &project).await?;
        let record = record((&project, 1), at, who.person);
        self.commit(tx, &[record], project).await
    }

    /// Approves a project, or refuses it, as it was seen at `version`.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn decide_project(
        &mut self,
        who: Who,
        (id, version): (Id<Project>, i64),
        approves: bool,
        comment: Phi<String>,
    ) -> Result<Done<Project>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let roles = roles_of(&mut tx, who.person, at).await?;
        self.permits(Act::Assess, &roles)?;
        let project = seen(&mut tx, id, version).await?;
        // relies on (two-people)
        if approves && vouched_for_by(&mut tx, who.person, &[project.proposed_by, project.owner]).await? {
            return Err(ProjectError::Own.into());
        }
        let decided =
            if approves { project.approve(who.person, comment, at)? } else { project.deny(who.person, comment, at)? };
        self.put_project(tx, decided, Vec::new(), (who, at)).await
    }

    /// Takes a project back.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn withdraw_project(
        &mut self,
        who: Who,
        (id, version): (Id<Project>, i64),
    ) -> Result<Done<Project>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let roles = roles_of(&mut tx, who.person, at).await?;
        let project = seen(&mut tx, id, version).await?;
        self.shows(who, &roles, &project)?;
        let withdrawn = project.withdraw(who.person, at)?;
        self.put_project(tx, withdrawn, Vec::new(), (who, at)).await
    }

    /// Ends a project, and every role and record that was given for it, in one.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn end_project(
        &mut self,
        who: Who,
        (id, version): (Id<Project>, i64),
    ) -> Result<Done<Project>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let roles = roles_of(&mut tx, who.person, at).await?;
        let oversees = self.rules.scope(Act::Assess, &roles).is_some();
        lock_project(&mut tx, id).await.map_err(|_| DeskError::Unknown)?;
        let project = seen(&mut tx, id, version).await?;
        self.shows(who, &roles, &project)?;
        let ended = project.end(who.person, oversees, at)?;
        let records = end_given(&mut tx, id, Revocation { by: who.person, at }).await?;
        self.put_project(tx, ended, records, (who, at)).await
    }

    /// The projects that somebody sees, newest first: all of them, or those that he proposed or answers for.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn projects(&mut self, who: Who, before: Option<Id<Project>>) -> Result<Vec<Project>, DeskError> {
        let mut tx = self.store.begin_read().await?;
        let at = self.clock.now();
        let roles = roles_of(&mut tx, who.person, at).await?;
        let sees_all = self.rules.scope(Act::Projects, &roles).is_some();
        Ok(list_projects(&mut tx, (!sees_all).then_some(who.person), before).await?)
    }

    /// One project, to whom it is shown.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn project(&mut self, who: Who, id: Id<Project>) -> Result<Project, DeskError> {
        let mut tx = self.store.begin_read().await?;
        let at = self.clock.now();
        let roles = roles_of(&mut tx, who.person, at).await?;
        let project = find_project(&mut tx, id).await?.ok_or(DeskError::Unknown)?;
        self.shows(who, &roles, &project)?;
        Ok(project)
    }

    /// Nothing is told of a project to whom it is not shown.
    fn shows(&self, who: Who, roles: &BTreeSet<RoleCode>, project: &Project) -> Result<(), DeskError> {
        let sees = is_of(project, who.person) || self.rules.scope(Act::Projects, roles).is_some();
        if sees { Ok(()) } else { Err(DeskError::Unknown) }
    }

    async fn put_project(
        &mut self,
        mut tx: Tx,
        project: Project,
        mut records: Vec<Record>,
        (who, at): (Who, Timestamp),
    ) -> Result<Done<Project>, DeskError> {
        let version = project.version + 1;
        update_project(&mut tx, &project, project.version).await?;
        records.push(record((&project, version), at, who.person));
        self.commit(tx, &records, Project { version, ..project }).await
    }

    /// The gate: what is asked for under a project is within its assessment, and a role that is given for projects alone names one.
    pub(super) async fn is_within_project(
        &mut self,
        tx: &mut Tx,
        wanted: &Wanted,
        project: Option<Id<Project>>,
        at: Timestamp,
    ) -> Result<(), DeskError> {
        let Some(id) = project else {
            let needs = self.rules.needs_project(&wanted.role);
            return if needs { Err(ProjectError::Missing.into()) } else { Ok(()) };
        };
        // Held until the commit: it does not end meanwhile.
        lock_project(tx, id).await.map_err(|_| ProjectError::NotApproved)?;
        let project = find_project(tx, id).await?.ok_or(ProjectError::NotApproved)?;
        // What nobody answers for gives nothing.
        let owner = find_person(tx, project.owner).await?;
        if owner.is_none_or(|owner| owner.left_at.is_some_and(|left| left <= at)) {
            return Err(ProjectError::NotApproved.into());
        }
        let of_patients = (!wanted.patients.is_empty()).then_some(&wanted.kinds);
        Ok(project.covers(&wanted.role, of_patients, wanted.window.ends_at(), at)?)
    }

    /// The same before what a request asked for is given: its project may have ended, or the policy may ask for one since.
    pub(super) async fn is_still_within_project(
        &mut self,
        tx: &mut Tx,
        request: &AccessRequest,
        at: Timestamp,
    ) -> Result<(), DeskError> {
        let project = find_project_of_request(tx, request.id).await?;
        self.is_within_project(tx, &request.wanted, project.map(|project| project.id), at).await
    }
}

/// The projects that something can be asked for under now, newest first: of the last page of them.
///
/// # Errors
/// The database failed.
pub async fn open_projects(store: &Store, now: Timestamp) -> Result<Vec<Project>, StoreError> {
    let mut projects = list_projects(&mut store.begin_read().await?, None, None).await?;
    projects.retain(|project| project.code_at(now) == "approved");
    Ok(projects)
}

/// Ends every role and record that was given for a project.
async fn end_given(tx: &mut Tx, project: Id<Project>, end: Revocation) -> Result<Vec<Record>, DeskError> {
    let mut records = Vec::new();
    let mut after = None;
    loop {
        let requests = list_project_requests(tx, project, after).await?;
        let Some(last) = requests.last().copied() else { return Ok(records) };
        for request in requests {
            // The role of a request stands under its id.
            let grant: Id<Grant> = Id::from_uuid(request.uuid());
            let grant = find_grant(tx, grant).await?.filter(|grant| grant.revoked.is_none());
            if let Some(grant) = grant.filter(|grant| grant.held.window.ends_at() > end.at) {
                revoke_grant(tx, grant.held.id, grant.version, end).await?;
                records.push(Record::revoked(&grant, end));
            }
            for elevation in list_elevations_of_request(tx, request).await? {
                if elevation.ended.is_none() && elevation.held.window.ends_at() > end.at {
                    end_elevation(tx, elevation.held.id, elevation.version, end).await?;
                    records.push(Record::elevation_ended(&elevation, end));
                }
            }
        }
        after = Some(last);
    }
}

fn is_of(project: &Project, person: Id<Person>) -> bool {
    project.owner == person || project.proposed_by == person
}

async fn seen(tx: &mut Tx, id: Id<Project>, version: i64) -> Result<Project, DeskError> {
    let project = find_project(tx, id).await?.ok_or(DeskError::Unknown)?;
    if project.version == version { Ok(project) } else { Err(DeskError::Changed) }
}

fn record((project, version): (&Project, i64), at: Timestamp, by: Id<Person>) -> Record {
    let assessed = &project.assessment;
    let body = json!({
        "project": project.id.to_string(),
        "owner": project.owner.to_string(),
        "by": by.to_string(),
        "state": project.state.code(),
        "purpose": assessed.purpose,
        "roles": assessed.roles.iter().map(RoleCode::as_str).collect::<Vec<_>>(),
        "kinds": assessed.kinds.to_string(),
        "level": assessed.level.code(),
        "ends_at": assessed.ends_at.micros(),
        "approved_by": project.state.decision().map(|decision| decision.by.to_string()),
    });
    let kind = match &project.state {
        ProjectState::Proposed => "project_proposed",
        ProjectState::Approved(_) => "project_approved",
        ProjectState::Refused(_) => "project_refused",
        ProjectState::Withdrawn(_) => "project_withdrawn",
        ProjectState::Ended(..) => "project_ended",
    };
    Record::new((Aggregate::new("project", project.id), version), kind, at, Subjects::none(), &body)
}
