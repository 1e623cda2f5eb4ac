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
/// In how long, in microseconds, a turn from one place to another and back counts as made by two people: one of them has hardly walked
/// there and back.
const TURNS_MICROS: i64 = 600_000_000;

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
/// [`PAGE_ROWS_MAX`] after a person. Of what is read with tokens [`persons_reading_in_turns`] tells.
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

/// Who read charts from two places in turns since an instant: from one, from another after it, and from the first again, within
/// ten minutes in all. Places are compared within one source alone, for each names them in its own way; systems are left out, for they
/// may run at several. Those of whom it is newest first, at most [`PAGE_ROWS_MAX`].
///
/// # Errors
/// The database failed.
pub async fn persons_reading_in_turns(tx: &mut Tx, since: Timestamp) -> Result<Vec<Id<Person>>, StoreError> {
    // An answer about many patients is one reading. Of one place the next reading bounds the turn; the one after it does where it is in
    // time too, for at the instant of the next there may be one at another place.
    const SQL: &str =
        "WITH reading AS (
                           SELECT DISTINCT person, source, place_blind, at FROM chart_access
                           WHERE at > $1 AND person IS NOT NULL AND place_blind IS NOT NULL
                       ), turn AS (
                           SELECT person, source, place_blind, at,
                                  LEAD(at, 1) OVER here AS next_at, LEAD(at, 2) OVER here AS later_at
                           FROM reading WINDOW here AS (PARTITION BY person, source, place_blind ORDER BY at)
                       )
                       SELECT turn.person FROM turn
                       WHERE turn.next_at <= turn.at + $2
                         AND EXISTS (SELECT 1 FROM chart_access AS other
                                     WHERE other.person = turn.person AND other.source = turn.source
                                       AND other.place_blind <> turn.place_blind AND other.at > turn.at
                                       AND other.at < CASE WHEN turn.later_at <= turn.at + $2 THEN turn.later_at ELSE turn.next_at END)
                         AND NOT EXISTS (SELECT 1 FROM account WHERE account.person = turn.person AND account.kind = 'service')
                         AND NOT EXISTS (SELECT 1 FROM directory
                                         WHERE directory.person = turn.person AND directory.employment = 'service')
                       GROUP BY turn.person ORDER BY MAX(turn.at) DESC, turn.person LIMIT $3";
    let rows: Vec<(Uuid,)> = on_engine!(tx, |conn| {
        let query = sqlx::query_as(SQL).bind(since.micros()).bind(TURNS_MICROS);
        query.bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(|(person,)| Id::from_uuid(person)).collect())
}
