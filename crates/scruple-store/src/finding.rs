//! Findings of the directory: what is wrong now, asked of the tables each time. A finding is open for as long as it is
//! true; nothing has to close it.

use crate::limits::PAGE_ROWS_MAX;
use crate::{Group, StoreError, Tx};
use scruple_core::{Id, Timestamp};
use scruple_flow::directory::Employment;
use scruple_flow::{Grant, Person, RoleCode};
use uuid::Uuid;

/// How long a session counts as left behind and not as used by somebody else, in microseconds: the way to another workstation.
const WALK_MICROS: i64 = 60_000_000;

/// A grant that a mover still has from before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeftOver {
    /// Who has it.
    pub person: Id<Person>,
    /// Which.
    pub grant: Id<Grant>,
    /// Its role.
    pub role: RoleCode,
    /// From when on it gives nothing.
    pub effective_at: Timestamp,
}

/// Somebody for whom nobody answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unmanaged {
    /// Who: without a manager who is here or, where it is a service, without an owner.
    pub person: Id<Person>,
    /// How he belongs to the organisation.
    pub employment: Option<Employment>,
}

/// Groups that stand for no role and have members, one page of at most [`PAGE_ROWS_MAX`] after a group.
///
/// # Errors
/// The database failed.
pub async fn unmapped_groups(tx: &mut Tx, after: Option<Id<Group>>) -> Result<Vec<Id<Group>>, StoreError> {
    const SQL: &str = "SELECT id FROM scim_group
                       WHERE id > $1 AND role IS NULL AND deleted_at IS NULL
                         AND EXISTS (SELECT 1 FROM scim_member WHERE scim_member.scim_group = scim_group.id)
                       ORDER BY id LIMIT $2";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let rows: Vec<(Uuid,)> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(after).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    Ok(rows.into_iter().map(|(id,)| Id::from_uuid(id)).collect())
}

row! { struct LeftOverRow { id: Uuid, person: Uuid, role: String, moved_at: i64 } }

/// Grants that movers still have from before: neither revoked nor over, nor approved anew after the move was noted. One
/// page of at most [`PAGE_ROWS_MAX`] after a grant.
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn left_over_grants(
    tx: &mut Tx,
    now: Timestamp,
    after: Option<Id<Grant>>,
) -> Result<Vec<LeftOver>, StoreError> {
    const SQL: &str = "SELECT own.id, own.person, own.role, MIN(effective_at) AS moved_at
                       FROM role_grant AS own
                       JOIN person_move ON person_move.person = own.person AND settled_at IS NULL AND covers_until >= granted_at
                        AND (person_move.role IS NULL OR person_move.role = own.role)
                       WHERE own.id > $1 AND revoked_at IS NULL AND ends_at > $2
                       GROUP BY own.id, own.person, own.role ORDER BY own.id LIMIT $3";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let rows: Vec<LeftOverRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(after).bind(now.micros()).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    let one = |row: LeftOverRow| {
        let inconsistent = |_| StoreError::Inconsistent { table: "role_grant", column: "role", id: row.id };
        Ok(LeftOver {
            person: Id::from_uuid(row.person),
            grant: Id::from_uuid(row.id),
            role: row.role.parse().map_err(inconsistent)?,
            effective_at: Timestamp::from_micros(row.moved_at),
        })
    };
    rows.into_iter().map(one).collect()
}

row! { struct UnmanagedRow { person: Uuid, employment: Option<String> } }

/// Who is here and has no manager, or one who has left. One page of at most [`PAGE_ROWS_MAX`] after a person.
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn unmanaged_persons(
    tx: &mut Tx,
    now: Timestamp,
    after: Option<Id<Person>>,
) -> Result<Vec<Unmanaged>, StoreError> {
    const SQL: &str = "SELECT directory.person, employment
                       FROM directory JOIN person ON person.id = directory.person
                       WHERE directory.person > $1 AND deleted_at IS NULL AND (left_at IS NULL OR left_at > $2)
                         AND NOT EXISTS (SELECT 1 FROM person AS above
                                         WHERE above.id = directory.manager
                                           AND (above.left_at IS NULL OR above.left_at > $2))
                       ORDER BY directory.person LIMIT $3";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let rows: Vec<UnmanagedRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(after).bind(now.micros()).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    let one = |row: UnmanagedRow| Unmanaged {
        person: Id::from_uuid(row.person),
        employment: row.employment.as_deref().and_then(Employment::told),
    };
    Ok(rows.into_iter().map(one).collect())
}

/// Who is here, is no system, and holds no role now: nothing is shown to him. One page of at most [`PAGE_ROWS_MAX`] after a person.
///
/// # Errors
/// The database failed.
pub async fn persons_without_role(
    tx: &mut Tx,
    now: Timestamp,
    after: Option<Id<Person>>,
) -> Result<Vec<Id<Person>>, StoreError> {
    const SQL: &str = "SELECT directory.person
                       FROM directory JOIN person ON person.id = directory.person
                       WHERE directory.person > $1 AND deleted_at IS NULL AND (left_at IS NULL OR left_at > $2)
                         AND (employment IS NULL OR employment <> $3)
                         AND NOT EXISTS (SELECT 1 FROM role_grant
                                         WHERE role_grant.person = directory.person AND revoked_at IS NULL
                                           AND starts_at <= $2 AND ends_at > $2)
                       ORDER BY directory.person LIMIT $4";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let rows: Vec<(Uuid,)> = on_engine!(tx, |conn| {
        let query = sqlx::query_as(SQL).bind(after).bind(now.micros()).bind(Employment::Service.as_str());
        query.bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(|(person,)| Id::from_uuid(person)).collect())
}

/// Who was signed in at two shared workstations at one time, and used both: the one after the other had been opened. One page of at most
/// [`PAGE_ROWS_MAX`] after a person. Sessions alone tell of it: nothing more is kept of where somebody was.
///
/// # Errors
/// The database failed.
pub async fn persons_at_two_places(
    tx: &mut Tx,
    since: Timestamp,
    after: Option<Id<Person>>,
) -> Result<Vec<Id<Person>>, StoreError> {
    const SQL: &str = "SELECT DISTINCT one.person FROM session AS one
                       JOIN session AS other ON other.person = one.person AND other.id <> one.id
                       WHERE one.person > $1 AND one.device = 'shared' AND other.device = 'shared'
                         AND one.seen_at > $2 AND one.started_at <= other.started_at
                         AND one.seen_at > other.started_at + $3 AND other.seen_at > other.started_at
                       ORDER BY one.person LIMIT $4";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let rows: Vec<(Uuid,)> = on_engine!(tx, |conn| {
        let query = sqlx::query_as(SQL).bind(after).bind(since.micros()).bind(WALK_MICROS);
        query.bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(|(person,)| Id::from_uuid(person)).collect())
}
