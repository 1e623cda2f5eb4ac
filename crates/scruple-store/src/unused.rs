//! Rows of notices of roles that are held and not used. That a notice takes a role at its end is compared when access is decided.

use crate::error::expect_rows;
use crate::limits::PAGE_ROWS_MAX;
use crate::{StoreError, Tx};
use scruple_core::{Id, Timestamp};
use scruple_flow::unused::{UnusedNotice, UnusedState};
use scruple_flow::{Grant, Person, RoleCode};
use uuid::Uuid;

pub(crate) const OBJECTION: &str = "unused_notice.objection";

/// A role that is held, with since when it is not used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnusedGrant {
    /// The grant.
    pub grant: Id<Grant>,
    /// Who holds it.
    pub person: Id<Person>,
    /// The role.
    pub role: RoleCode,
    /// When it was last used, or kept, or began.
    pub since: Timestamp,
}

row! { struct UnusedGrantRow {
    id: Uuid, person: Uuid, role: String, starts_at: i64, used_at: Option<i64>, kept_at: Option<i64>,
} }

/// Roles that are held at `now`, that began, were used and were kept before an instant alone, and are not noticed: one page of at most
/// [`PAGE_ROWS_MAX`] after a grant. A role in which nobody at all opened a record since is left out: then its use is not seen here.
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn unused_grants(
    tx: &mut Tx,
    (before, now): (Timestamp, Timestamp),
    after: Option<Id<Grant>>,
) -> Result<Vec<UnusedGrant>, StoreError> {
    const SQL: &str =
        "SELECT role_grant.id, role_grant.person, role_grant.role, role_grant.starts_at,
                              (SELECT MAX(at) FROM chart_access WHERE chart_access.grant_id = role_grant.id AND outcome = 'opened') AS used_at,
                              (SELECT MAX(closed_at) FROM unused_notice WHERE unused_notice.grant_id = role_grant.id AND state = 'kept') AS kept_at
                       FROM role_grant JOIN person ON person.id = role_grant.person
                       WHERE role_grant.id > $1 AND role_grant.starts_at <= $2 AND ends_at > $3 AND revoked_at IS NULL
                         AND (left_at IS NULL OR left_at > $3)
                         AND NOT EXISTS (SELECT 1 FROM chart_access WHERE chart_access.grant_id = role_grant.id
                                                                       AND outcome = 'opened' AND at > $2)
                         AND NOT EXISTS (SELECT 1 FROM unused_notice
                                         WHERE unused_notice.grant_id = role_grant.id
                                           AND (closed_at IS NULL OR state = 'kept' AND closed_at > $2))
                         AND EXISTS (SELECT 1 FROM chart_access WHERE chart_access.role = role_grant.role AND grant_id IS NOT NULL
                                                                   AND outcome = 'opened' AND at > $2)
                       ORDER BY role_grant.id LIMIT $4";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let rows: Vec<UnusedGrantRow> = on_engine!(tx, |conn| {
        let query = sqlx::query_as(SQL).bind(after).bind(before.micros()).bind(now.micros()).bind(PAGE_ROWS_MAX);
        query.fetch_all(conn).await?
    });
    let read = |row: UnusedGrantRow| {
        let role = row.role.parse().map_err(|_| StoreError::Inconsistent {
            table: "role_grant",
            column: "role",
            id: row.id,
        })?;
        let since = [Some(row.starts_at), row.used_at, row.kept_at].into_iter().flatten().max();
        Ok(UnusedGrant {
            grant: Id::from_uuid(row.id),
            person: Id::from_uuid(row.person),
            role,
            since: Timestamp::from_micros(since.unwrap_or(row.starts_at)),
        })
    };
    rows.into_iter().map(read).collect()
}

row! { struct NoticeRow {
    id: Uuid, grant_id: Uuid, person: Uuid, since: i64, noticed_at: i64, ends_at: i64, state: String,
    objection_sealed: Option<Vec<u8>>, closed_by: Option<Uuid>, closed_at: Option<i64>, version: i64,
} }

impl NoticeRow {
    fn into_notice(self, tx: &Tx) -> Result<UnusedNotice, StoreError> {
        let (at, by) = (self.closed_at.map(Timestamp::from_micros), self.closed_by.map(Id::from_uuid));
        let state = match (self.state.as_str(), at, by) {
            ("noticed", None, None) => UnusedState::Noticed,
            ("objected", None, None) => UnusedState::Objected,
            ("used", Some(at), None) => UnusedState::Used { at },
            ("kept", Some(at), Some(by)) => UnusedState::Kept { at, by },
            ("taken", Some(at), Some(by)) => UnusedState::Taken { at, by },
            _ => return Err(StoreError::Inconsistent { table: "unused_notice", column: "state", id: self.id }),
        };
        let objection = self.objection_sealed.as_deref();
        Ok(UnusedNotice {
            id: Id::from_uuid(self.id),
            grant: Id::from_uuid(self.grant_id),
            person: Id::from_uuid(self.person),
            since: Timestamp::from_micros(self.since),
            noticed_at: Timestamp::from_micros(self.noticed_at),
            ends_at: Timestamp::from_micros(self.ends_at),
            state,
            objection: objection.map(|sealed| tx.open_text(OBJECTION, self.id, sealed)).transpose()?,
            version: self.version,
        })
    }
}

/// Stores a notice, at version 1.
///
/// # Errors
/// [`StoreError::Conflict`]: the role is noticed already.
pub async fn insert_unused(tx: &mut Tx, notice: &UnusedNotice) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO unused_notice (id, grant_id, person, since, noticed_at, ends_at, state, version)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, 1)";
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(notice.id.uuid())
            .bind(notice.grant.uuid())
            .bind(notice.person.uuid())
            .bind(notice.since.micros())
            .bind(notice.noticed_at.micros())
            .bind(notice.ends_at.micros())
            .bind(notice.state.code())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// A notice comes to the state that is given; `notice.version` is the one that this was decided on.
///
/// # Errors
/// [`StoreError::RowsAffected`]: the version is another. [`StoreError::Refused`]: it does not go this way.
pub async fn update_unused(tx: &mut Tx, notice: &UnusedNotice) -> Result<(), StoreError> {
    const SQL: &str =
        "UPDATE unused_notice SET ends_at = $3, state = $4, objection_sealed = $5, closed_by = $6, closed_at = $7,
                                                version = version + 1
                       WHERE id = $1 AND version = $2";
    let id = notice.id.uuid();
    let (at, by) = match notice.state {
        UnusedState::Noticed | UnusedState::Objected => (None, None),
        UnusedState::Used { at } => (Some(at), None),
        UnusedState::Kept { at, by } | UnusedState::Taken { at, by } => (Some(at), Some(by)),
    };
    let objection =
        notice.objection.as_ref().map(|text| tx.seal(OBJECTION, id, text.expose().as_bytes())).transpose()?;
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id)
            .bind(notice.version)
            .bind(notice.ends_at.micros())
            .bind(notice.state.code())
            .bind(objection)
            .bind(by.map(Id::uuid))
            .bind(at.map(Timestamp::micros))
            .execute(conn)
            .await?
            .rows_affected()
    });
    expect_rows("unused_notice", changed, 1)
}

/// Finds a notice.
///
/// # Errors
/// The database failed, or the row is inconsistent.
pub async fn find_unused(tx: &mut Tx, id: Id<UnusedNotice>) -> Result<Option<UnusedNotice>, StoreError> {
    const SQL: &str = "SELECT id, grant_id, person, since, noticed_at, ends_at, state, objection_sealed, closed_by, closed_at, version
                       FROM unused_notice WHERE id = $1";
    let row: Option<NoticeRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(id.uuid()).fetch_optional(conn).await?);
    row.map(|row| row.into_notice(tx)).transpose()
}

/// The notices that are open, of everybody or of one person: one page of at most [`PAGE_ROWS_MAX`] after one.
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn list_unused(
    tx: &mut Tx,
    person: Option<Id<Person>>,
    after: Option<Id<UnusedNotice>>,
) -> Result<Vec<UnusedNotice>, StoreError> {
    const SQL: &str = "SELECT id, grant_id, person, since, noticed_at, ends_at, state, objection_sealed, closed_by, closed_at, version
                       FROM unused_notice WHERE id > $1 AND closed_at IS NULL AND (person = $2 OR $3 = 1) ORDER BY id LIMIT $4";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let whose = person.map_or(Uuid::nil(), Id::uuid);
    let all = i64::from(person.is_none());
    let rows: Vec<NoticeRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(after).bind(whose).bind(all).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    rows.into_iter().map(|row| row.into_notice(tx)).collect()
}
