//! Rows of projects, and of what was asked for under each.

use crate::error::expect_rows;
use crate::limits::PAGE_ROWS_MAX;
use crate::{StoreError, Tx};
use scruple_core::{Id, Timestamp};
use scruple_flow::{AccessRequest, Assessment, DataLevel, Person, Project, ProjectDecision, ProjectState, RoleCode};
use std::collections::BTreeSet;
use uuid::Uuid;

pub(crate) const HEADLINE: &str = "project.headline";
pub(crate) const FLOWS: &str = "project.flows";
pub(crate) const RETENTION: &str = "project.retention";
pub(crate) const LEVEL_REASON: &str = "project.level_reason";
pub(crate) const COMMENT: &str = "project.comment";

row! { struct ProjectRow {
    id: Uuid, owner: Uuid, headline_sealed: Vec<u8>, purpose: String, roles: String, kinds: String, flows_sealed: Vec<u8>,
    retention_sealed: Vec<u8>, level: String, level_reason_sealed: Vec<u8>, ends_at: i64, proposed_by: Uuid, proposed_at: i64,
    state: String, decided_by: Option<Uuid>, decided_at: Option<i64>, comment_sealed: Option<Vec<u8>>, closed_by: Option<Uuid>,
    closed_at: Option<i64>, version: i64,
} }

impl ProjectRow {
    fn into_project(self, tx: &Tx) -> Result<Project, StoreError> {
        let id = self.id;
        let inconsistent = |column| StoreError::Inconsistent { table: "project", column, id };
        let at = Timestamp::from_micros;
        let comment = self.comment_sealed.map(|sealed| tx.open_text(COMMENT, id, &sealed)).transpose()?;
        let decision = match (self.decided_by, self.decided_at, comment) {
            (None, None, None) => None,
            (Some(by), Some(when), Some(comment)) => {
                Some(ProjectDecision { by: Id::from_uuid(by), at: at(when), comment })
            }
            _ => return Err(inconsistent("decided_by")),
        };
        let closed_at = self.closed_at.map(at);
        let state = match (self.state.as_str(), decision, closed_at, self.closed_by) {
            ("proposed", None, None, None) => ProjectState::Proposed,
            ("approved", Some(decision), None, None) => ProjectState::Approved(decision),
            ("refused", Some(decision), None, None) => ProjectState::Refused(decision),
            ("withdrawn", None, Some(when), None) => ProjectState::Withdrawn(when),
            ("ended", Some(decision), Some(when), Some(by)) => ProjectState::Ended(decision, Id::from_uuid(by), when),
            _ => return Err(inconsistent("state")),
        };
        let roles: Result<BTreeSet<RoleCode>, _> = self.roles.split(' ').map(str::parse).collect();
        Ok(Project {
            id: Id::from_uuid(id),
            owner: Id::from_uuid(self.owner),
            assessment: Assessment {
                title: tx.open_text(HEADLINE, id, &self.headline_sealed)?,
                purpose: self.purpose,
                roles: roles.map_err(|_| inconsistent("roles"))?,
                kinds: self.kinds.parse().map_err(|_| inconsistent("kinds"))?,
                flows: tx.open_text(FLOWS, id, &self.flows_sealed)?,
                retention: tx.open_text(RETENTION, id, &self.retention_sealed)?,
                level: DataLevel::of(&self.level).ok_or_else(|| inconsistent("level"))?,
                level_reason: tx.open_text(LEVEL_REASON, id, &self.level_reason_sealed)?,
                ends_at: at(self.ends_at),
            },
            proposed_by: Id::from_uuid(self.proposed_by),
            proposed_at: at(self.proposed_at),
            state,
            version: self.version,
        })
    }
}

/// Stores a project that was proposed, at version 1.
///
/// # Errors
/// The database failed, or refuses it.
pub async fn insert_project(tx: &mut Tx, project: &Project) -> Result<(), StoreError> {
    const SQL: &str =
        "INSERT INTO project (id, owner, headline_sealed, purpose, roles, kinds, flows_sealed, retention_sealed, level,
                                            level_reason_sealed, ends_at, proposed_by, proposed_at, state, version)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 'proposed', 1)";
    let (id, assessed) = (project.id.uuid(), &project.assessment);
    let headline = tx.seal(HEADLINE, id, assessed.title.expose().as_bytes())?;
    let flows = tx.seal(FLOWS, id, assessed.flows.expose().as_bytes())?;
    let retention = tx.seal(RETENTION, id, assessed.retention.expose().as_bytes())?;
    let level_reason = tx.seal(LEVEL_REASON, id, assessed.level_reason.expose().as_bytes())?;
    let roles: Vec<&str> = assessed.roles.iter().map(RoleCode::as_str).collect();
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id)
            .bind(project.owner.uuid())
            .bind(headline)
            .bind(&assessed.purpose)
            .bind(roles.join(" "))
            .bind(assessed.kinds.to_string())
            .bind(flows)
            .bind(retention)
            .bind(assessed.level.code())
            .bind(level_reason)
            .bind(assessed.ends_at.micros())
            .bind(project.proposed_by.uuid())
            .bind(project.proposed_at.micros())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Stores what has become of a project.
///
/// # Errors
/// [`StoreError::RowsAffected`]: somebody else has changed it since `version`. [`StoreError::Refused`]: the table does not let it go
/// this way.
pub async fn update_project(tx: &mut Tx, project: &Project, version: i64) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE project SET state = $3, decided_by = $4, decided_at = $5, comment_sealed = COALESCE(comment_sealed, $6),
                              closed_by = $7, closed_at = $8, version = version + 1
                       WHERE id = $1 AND version = $2";
    let id = project.id.uuid();
    let decision = project.state.decision();
    let comment = decision.map(|decision| tx.seal(COMMENT, id, decision.comment.expose().as_bytes())).transpose()?;
    let (closed_by, closed_at) = match &project.state {
        ProjectState::Ended(_, by, at) => (Some(by.uuid()), Some(at.micros())),
        ProjectState::Withdrawn(at) => (None, Some(at.micros())),
        ProjectState::Proposed | ProjectState::Approved(_) | ProjectState::Refused(_) => (None, None),
    };
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id)
            .bind(version)
            .bind(project.state.code())
            .bind(decision.map(|decision| decision.by.uuid()))
            .bind(decision.map(|decision| decision.at.micros()))
            .bind(comment)
            .bind(closed_by)
            .bind(closed_at)
            .execute(conn)
            .await?
            .rows_affected()
    });
    expect_rows("project", changed, 1)
}

/// Finds a project by its id.
///
/// # Errors
/// The database failed, the row is inconsistent, or a column does not open.
pub async fn find_project(tx: &mut Tx, id: Id<Project>) -> Result<Option<Project>, StoreError> {
    const SQL: &str =
        "SELECT id, owner, headline_sealed, purpose, roles, kinds, flows_sealed, retention_sealed, level, level_reason_sealed,
                              ends_at, proposed_by, proposed_at, state, decided_by, decided_at, comment_sealed, closed_by,
                              closed_at, version
                       FROM project WHERE id = $1";
    let row: Option<ProjectRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(id.uuid()).fetch_optional(conn).await?);
    row.map(|row| row.into_project(tx)).transpose()
}

/// Holds the row of a project until the transaction ends: nothing is given for it while it ends, and it does not end meanwhile.
///
/// # Errors
/// [`StoreError::RowsAffected`]: there is no such project.
pub async fn lock_project(tx: &mut Tx, id: Id<Project>) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE project SET version = version WHERE id = $1";
    let changed = on_engine!(tx, |conn| sqlx::query(SQL).bind(id.uuid()).execute(conn).await?.rows_affected());
    expect_rows("project", changed, 1)
}

/// The projects, or those that a person proposed or answers for, newest first, at most [`PAGE_ROWS_MAX`] before one.
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_projects(
    tx: &mut Tx,
    of: Option<Id<Person>>,
    before: Option<Id<Project>>,
) -> Result<Vec<Project>, StoreError> {
    const SQL: &str =
        "SELECT id, owner, headline_sealed, purpose, roles, kinds, flows_sealed, retention_sealed, level, level_reason_sealed,
                              ends_at, proposed_by, proposed_at, state, decided_by, decided_at, comment_sealed, closed_by,
                              closed_at, version
                       FROM project WHERE id < $1 AND ($2 OR owner = $3 OR proposed_by = $3) ORDER BY id DESC LIMIT $4";
    let before = before.map_or(Uuid::max(), Id::uuid);
    let person = of.map_or(Uuid::nil(), Id::uuid);
    let rows: Vec<ProjectRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(before).bind(of.is_none()).bind(person).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    rows.into_iter().map(|row| row.into_project(tx)).collect()
}

/// Writes down that something was asked for under a project.
///
/// # Errors
/// [`StoreError::Refused`]: the project is not approved.
pub async fn insert_project_request(
    tx: &mut Tx,
    project: Id<Project>,
    request: Id<AccessRequest>,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO project_request (project, request) VALUES ($1, $2)";
    on_engine!(tx, |conn| {
        sqlx::query(SQL).bind(project.uuid()).bind(request.uuid()).execute(conn).await?;
    });
    Ok(())
}

/// The project under which something was asked for.
///
/// # Errors
/// The database failed, the row is inconsistent, or a column does not open.
pub async fn find_project_of_request(tx: &mut Tx, request: Id<AccessRequest>) -> Result<Option<Project>, StoreError> {
    const SQL: &str = "SELECT project FROM project_request WHERE request = $1";
    let project: Option<(Uuid,)> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(request.uuid()).fetch_optional(conn).await?);
    match project {
        Some((project,)) => find_project(tx, Id::from_uuid(project)).await,
        None => Ok(None),
    }
}

/// What was asked for under a project, oldest first, at most [`PAGE_ROWS_MAX`] after one.
///
/// # Errors
/// The database failed.
pub async fn list_project_requests(
    tx: &mut Tx,
    project: Id<Project>,
    after: Option<Id<AccessRequest>>,
) -> Result<Vec<Id<AccessRequest>>, StoreError> {
    const SQL: &str =
        "SELECT request FROM project_request WHERE project = $1 AND request > $2 ORDER BY request LIMIT $3";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let rows: Vec<(Uuid,)> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(project.uuid()).bind(after).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(|(request,)| Id::from_uuid(request)).collect())
}
