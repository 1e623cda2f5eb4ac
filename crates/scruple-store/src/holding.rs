//! What a measure of everybody needs, each in one statement: nothing here opens a column.

use crate::{StoreError, Tx};
use scruple_core::{Id, Timestamp};
use scruple_flow::{Grant, Person, RoleCode};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Everybody who is here, by id, and whether he is on leave.
///
/// # Errors
/// The database failed.
pub async fn people_here(tx: &mut Tx, now: Timestamp) -> Result<Vec<(Id<Person>, bool)>, StoreError> {
    const SQL: &str = "SELECT person.id, EXISTS (SELECT 1 FROM person_leave
                                                 WHERE person_leave.person = person.id AND starts_at <= $1 AND closed_at IS NULL)
                       FROM person WHERE left_at IS NULL OR left_at > $1 ORDER BY person.id";
    let rows: Vec<(Uuid, bool)> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(now.micros()).fetch_all(conn).await?);
    Ok(rows.into_iter().map(|(id, is_away)| (Id::from_uuid(id), is_away)).collect())
}

/// The roles for which the groups of people stand: each person and role, in the order of their ids.
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn job_roles(tx: &mut Tx) -> Result<Vec<(Id<Person>, RoleCode)>, StoreError> {
    const SQL: &str = "SELECT DISTINCT scim_member.person, scim_group.role
                       FROM scim_member JOIN scim_group ON scim_group.id = scim_member.scim_group
                       WHERE deleted_at IS NULL AND scim_group.role IS NOT NULL ORDER BY scim_member.person, scim_group.role";
    let rows: Vec<(Uuid, String)> = on_engine!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await?);
    let one = |(person, role): (Uuid, String)| {
        let inconsistent = StoreError::Inconsistent { table: "scim_group", column: "role", id: person };
        Ok((Id::from_uuid(person), role.parse().map_err(|_| inconsistent)?))
    };
    rows.into_iter().map(one).collect()
}

/// The grants in force at `now` that were asked for and approved: each stands under the id of its request.
///
/// # Errors
/// The database failed.
pub async fn asked_grants(tx: &mut Tx, now: Timestamp) -> Result<BTreeSet<Id<Grant>>, StoreError> {
    const SQL: &str = "SELECT role_grant.id FROM role_grant JOIN access_request ON access_request.id = role_grant.id
                       WHERE access_request.state = 'approved' AND role_grant.ends_at > $1 AND revoked_at IS NULL";
    let rows: Vec<(Uuid,)> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(now.micros()).fetch_all(conn).await?);
    Ok(rows.into_iter().map(|(id,)| Id::from_uuid(id)).collect())
}
