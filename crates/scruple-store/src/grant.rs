//! Rows of grants.

use crate::engine::Conn;
use crate::error::expect_rows;
use crate::limits::{BULK_ROWS_MAX, OPEN_GRANTS_MAX, PAGE_ROWS_MAX};
use crate::{StoreError, Tx};
use scruple_core::{Id, Timestamp};
use scruple_flow::{Grant, HeldGrant, NewGrant, Person, Revocation, RoleCode, Window};
use std::collections::BTreeMap;
use uuid::Uuid;

pub(crate) const JUSTIFICATION: &str = "role_grant.justification";

row! { struct HeldRow { id: Uuid, person: Uuid, role: String, starts_at: i64, ends_at: i64 } }

impl TryFrom<HeldRow> for HeldGrant {
    type Error = StoreError;

    fn try_from(row: HeldRow) -> Result<Self, StoreError> {
        let inconsistent = |column| StoreError::Inconsistent { table: "role_grant", column, id: row.id };
        // relies on (grant-window)
        let window = Window::new(Timestamp::from_micros(row.starts_at), Timestamp::from_micros(row.ends_at));
        Ok(Self {
            id: Id::from_uuid(row.id),
            person: Id::from_uuid(row.person),
            role: row.role.parse().map_err(|_| inconsistent("role"))?,
            window: window.map_err(|_| inconsistent("ends_at"))?,
        })
    }
}

row! { struct OpenRow {
    id: Uuid, person: Uuid, role: String, starts_at: i64, ends_at: i64, moved_at: Option<i64>,
    unused_at: Option<i64>,
} }

impl OpenRow {
    /// The grant until it ends, or a move or a notice takes it; `None` if that is before it begins.
    fn into_held(self) -> Result<Option<HeldGrant>, StoreError> {
        let Self { id, person, role, starts_at, ends_at, moved_at, unused_at } = self;
        // relies on (unused-ends)
        let taken_at = [moved_at, unused_at].into_iter().flatten().min();
        let held = HeldGrant::try_from(HeldRow { id, person, role, starts_at, ends_at })?;
        let ends_at = held.window.ends_at().min(taken_at.map_or(held.window.ends_at(), Timestamp::from_micros));
        Ok(Window::new(held.window.starts_at(), ends_at).ok().map(|window| HeldGrant { window, ..held }))
    }
}

row! { struct GrantRow {
    id: Uuid, person: Uuid, role: String, starts_at: i64, ends_at: i64, requested_by: Uuid, approved_by: Uuid,
    granted_at: i64, justification_sealed: Vec<u8>, revoked_by: Option<Uuid>, revoked_at: Option<i64>, version: i64,
} }

impl GrantRow {
    fn into_grant(self, tx: &Tx) -> Result<Grant, StoreError> {
        let Self { id, person, role, starts_at, ends_at, .. } = self;
        let revoked = match (self.revoked_by, self.revoked_at) {
            (None, None) => None,
            (Some(by), Some(at)) => Some(Revocation { by: Id::from_uuid(by), at: Timestamp::from_micros(at) }),
            _ => return Err(StoreError::Inconsistent { table: "role_grant", column: "revoked_at", id }),
        };
        // relies on (two-people)
        if self.approved_by == person || self.approved_by == self.requested_by {
            return Err(StoreError::Inconsistent { table: "role_grant", column: "approved_by", id });
        }
        Ok(Grant {
            held: HeldRow { id, person, role, starts_at, ends_at }.try_into()?,
            requested_by: Id::from_uuid(self.requested_by),
            approved_by: Id::from_uuid(self.approved_by),
            granted_at: Timestamp::from_micros(self.granted_at),
            justification: tx.open_text(JUSTIFICATION, id, &self.justification_sealed)?,
            revoked,
            version: self.version,
        })
    }
}

/// Stores a grant, at version 1. The row of the person is locked: he cannot leave meanwhile.
///
/// # Errors
/// [`StoreError::RowsAffected`]: there is no such person, or he has left. [`StoreError::Conflict`]: the request was
/// approved already.
pub async fn insert_grant(tx: &mut Tx, grant: &NewGrant) -> Result<(), StoreError> {
    const SQL_PERSON: &str = "UPDATE person SET version = version WHERE id = $1 AND left_at IS NULL";
    const SQL: &str =
        "INSERT INTO role_grant (id, person, role, starts_at, ends_at, requested_by, approved_by, granted_at,
                                               justification_sealed, version)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1)";
    let request = grant.request();
    let justification = tx.seal(JUSTIFICATION, request.id.uuid(), request.justification.expose().as_bytes())?;
    let locked = on_engine!(tx, |conn| {
        sqlx::query(SQL_PERSON).bind(request.person.uuid()).execute(conn).await?.rows_affected()
    });
    expect_rows("person", locked, 1)?;
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(request.id.uuid())
            .bind(request.person.uuid())
            .bind(request.role.as_str())
            .bind(request.window.starts_at().micros())
            .bind(request.window.ends_at().micros())
            .bind(request.requested_by.uuid())
            .bind(grant.approved_by().uuid())
            .bind(grant.granted_at().micros())
            .bind(justification)
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Ends a grant before its time. A clock that runs behind does not keep a grant alive: the end is then its beginning.
///
/// # Errors
/// [`StoreError::RowsAffected`]: the version is another, or it was revoked.
pub async fn revoke_grant(tx: &mut Tx, id: Id<Grant>, version: i64, revocation: Revocation) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE role_grant
                       SET revoked_by = $3, version = version + 1,
                           revoked_at = CASE WHEN granted_at > CAST($4 AS BIGINT) THEN granted_at
                                             ELSE CAST($4 AS BIGINT) END
                       WHERE id = $1 AND version = $2 AND revoked_at IS NULL";
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id.uuid())
            .bind(version)
            .bind(revocation.by.uuid())
            .bind(revocation.at.micros())
            .execute(conn)
            .await?
            .rows_affected()
    });
    expect_rows("role_grant", changed, 1)
}

/// Finds a grant by id.
///
/// # Errors
/// The database failed, the row is inconsistent, or a column does not open.
pub async fn find_grant(tx: &mut Tx, id: Id<Grant>) -> Result<Option<Grant>, StoreError> {
    const SQL: &str = "SELECT id, person, role, starts_at, ends_at, requested_by, approved_by, granted_at,
                              justification_sealed, revoked_by, revoked_at, version
                       FROM role_grant WHERE id = $1";
    let row: Option<GrantRow> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(id.uuid()).fetch_optional(conn).await?);
    row.map(|row| row.into_grant(tx)).transpose()
}

/// Ends every grant of a person that was made until `granted_until`, is neither revoked nor over at the time of the
/// revocation, and is of this role, if one is named. Answers with what was ended, in the order of the ids.
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn revoke_grants(
    tx: &mut Tx,
    person: Id<Person>,
    role: Option<&RoleCode>,
    granted_until: Timestamp,
    revocation: Revocation,
) -> Result<Vec<HeldGrant>, StoreError> {
    const SQL: &str = "UPDATE role_grant
                       SET revoked_by = $4, version = version + 1,
                           revoked_at = CASE WHEN granted_at > CAST($5 AS BIGINT) THEN granted_at
                                             ELSE CAST($5 AS BIGINT) END
                       WHERE person = $1 AND (CAST($2 AS TEXT) IS NULL OR role = $2) AND granted_at <= $3
                         AND revoked_at IS NULL AND ends_at > CAST($5 AS BIGINT)
                       RETURNING id, person, role, starts_at, ends_at";
    let rows: Vec<HeldRow> = on_engine!(tx, |conn| {
        let query = sqlx::query_as(SQL).bind(person.uuid()).bind(role.map(RoleCode::as_str));
        let query = query.bind(granted_until.micros()).bind(revocation.by.uuid()).bind(revocation.at.micros());
        query.fetch_all(conn).await?
    });
    let mut ended = rows.into_iter().map(TryInto::try_into).collect::<Result<Vec<HeldGrant>, _>>()?;
    ended.sort_unstable_by_key(|grant| grant.id);
    Ok(ended)
}

/// The grants that a person has or had, newest first, at most [`PAGE_ROWS_MAX`]: each until it was over or revoked.
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn list_grants_of(tx: &mut Tx, person: Id<Person>) -> Result<Vec<HeldGrant>, StoreError> {
    const SQL: &str = "SELECT id, person, role, starts_at,
                              CASE WHEN revoked_at < ends_at THEN revoked_at ELSE ends_at END AS ends_at
                       FROM role_grant
                       WHERE person = $1 AND (revoked_at IS NULL OR revoked_at > starts_at) ORDER BY id DESC LIMIT $2";
    let rows: Vec<HeldRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(person.uuid()).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The grants of a person that are neither revoked nor over, those that have not begun included: the caller filters by
/// [`Window::contains`] and knows when the next one starts or ends. A revocation counts from its commit, whatever the
/// clock of the node that wrote it. What a move takes ends with it: no job is needed for that.
///
/// # Errors
/// The database failed, a row is inconsistent, or there are more than [`OPEN_GRANTS_MAX`].
// INVARIANT (move-takes): a grant that was made before a move was noted gives nothing from the move's effective date on.
// A move that counted at once has revoked them with its commit, so that it covers nothing that was made since; a planned one
// covers what it covered, settled or not, so that past instants stay as they were.
pub async fn open_grants(tx: &mut Tx, person: Id<Person>, now: Timestamp) -> Result<Vec<HeldGrant>, StoreError> {
    const SQL: &str = "SELECT id, person, role, starts_at, ends_at,
                              (SELECT MIN(effective_at) FROM person_move
                               WHERE person_move.person = role_grant.person AND covers_until >= granted_at
                                 AND (settled_at IS NULL OR effective_at > noted_at)
                                 AND (person_move.role IS NULL OR person_move.role = role_grant.role)) AS moved_at,
                              (SELECT MIN(unused_notice.ends_at) FROM unused_notice
                               WHERE unused_notice.grant_id = role_grant.id AND closed_at IS NULL) AS unused_at
                       FROM role_grant
                       WHERE person = $1 AND ends_at > $2 AND revoked_at IS NULL ORDER BY id LIMIT $3";
    let rows: Vec<OpenRow> = on_engine!(tx, |conn| {
        let query = sqlx::query_as(SQL).bind(person.uuid()).bind(now.micros()).bind(OPEN_GRANTS_MAX.saturating_add(1));
        query.fetch_all(conn).await?
    });
    if rows.len() as u64 > OPEN_GRANTS_MAX.unsigned_abs() {
        return Err(StoreError::Limit { what: "open grants of one person", max: OPEN_GRANTS_MAX.unsigned_abs() });
    }
    let mut open = rows.into_iter().filter_map(|row| row.into_held().transpose()).collect::<Result<Vec<_>, _>>()?;
    open.retain(|grant| grant.window.ends_at() > now);
    Ok(open)
}

/// Who held what at a past instant, one page of at most `limit` ([`BULK_ROWS_MAX`]) after a grant: granted by then, begun, not
/// over, not revoked, not taken by a move, the person neither gone nor on leave, his
/// account not disabled.
///
/// # Errors
/// The database failed, or a row is inconsistent.
// relies on (as-of): nothing that this reads is ever changed but from null to a later instant.
pub async fn grants_as_of(
    tx: &mut Tx,
    at: Timestamp,
    after: Option<Id<Grant>>,
    limit: i64,
) -> Result<Vec<HeldGrant>, StoreError> {
    const SQL: &str = "SELECT role_grant.id, role_grant.person, role_grant.role, role_grant.starts_at, ends_at
                       FROM role_grant JOIN person ON person.id = role_grant.person
                       WHERE role_grant.id > $1 AND granted_at <= $2 AND role_grant.starts_at <= $2 AND ends_at > $2
                         AND (revoked_at IS NULL OR revoked_at > $2) AND (left_at IS NULL OR left_at > $2)
                         AND NOT EXISTS (SELECT 1 FROM person_leave
                                         WHERE person_leave.person = role_grant.person AND person_leave.starts_at <= $2
                                           AND (closed_at IS NULL OR closed_at > $2))
                         AND NOT EXISTS (SELECT 1 FROM dormancy
                                         WHERE dormancy.person = role_grant.person AND disabled_at <= $2
                                           AND (closed_at IS NULL OR closed_at > $2))
                         AND NOT EXISTS (SELECT 1 FROM unused_notice
                                         WHERE unused_notice.grant_id = role_grant.id AND unused_notice.ends_at <= $2
                                           AND closed_at IS NULL)
                         AND NOT EXISTS (SELECT 1 FROM person_move
                                         WHERE person_move.person = role_grant.person AND covers_until >= granted_at
                                           AND (settled_at IS NULL OR effective_at > noted_at)
                                           AND effective_at <= $2
                                           AND (person_move.role IS NULL OR person_move.role = role_grant.role))
                       ORDER BY role_grant.id LIMIT $3";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let limit = limit.clamp(1, BULK_ROWS_MAX);
    let rows: Vec<HeldRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(after).bind(at.micros()).bind(limit).fetch_all(conn).await?);
    rows.into_iter().map(TryInto::try_into).collect()
}

/// How many hold each role at an instant, as [`grants_as_of`] tells who does.
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn count_members(tx: &mut Tx, at: Timestamp) -> Result<BTreeMap<RoleCode, u64>, StoreError> {
    const SQL: &str = "SELECT role_grant.role, COUNT(*)
                       FROM role_grant JOIN person ON person.id = role_grant.person
                       WHERE granted_at <= $1 AND role_grant.starts_at <= $1 AND ends_at > $1
                         AND (revoked_at IS NULL OR revoked_at > $1) AND (left_at IS NULL OR left_at > $1)
                         AND NOT EXISTS (SELECT 1 FROM person_leave
                                         WHERE person_leave.person = role_grant.person AND person_leave.starts_at <= $1
                                           AND (closed_at IS NULL OR closed_at > $1))
                         AND NOT EXISTS (SELECT 1 FROM dormancy
                                         WHERE dormancy.person = role_grant.person AND disabled_at <= $1
                                           AND (closed_at IS NULL OR closed_at > $1))
                         AND NOT EXISTS (SELECT 1 FROM unused_notice
                                         WHERE unused_notice.grant_id = role_grant.id AND unused_notice.ends_at <= $1
                                           AND closed_at IS NULL)
                         AND NOT EXISTS (SELECT 1 FROM person_move
                                         WHERE person_move.person = role_grant.person AND covers_until >= granted_at
                                           AND (settled_at IS NULL OR effective_at > noted_at)
                                           AND effective_at <= $1
                                           AND (person_move.role IS NULL OR person_move.role = role_grant.role))
                       GROUP BY role_grant.role";
    let rows: Vec<(String, i64)> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(at.micros()).fetch_all(conn).await?);
    let one = |(role, count): (String, i64)| {
        let role = role.parse().map_err(|_| StoreError::Inconsistent {
            table: "role_grant",
            column: "role",
            id: Uuid::nil(),
        })?;
        Ok((role, count.unsigned_abs()))
    };
    rows.into_iter().map(one).collect()
}

/// Who holds one of these roles now, one page of at most [`PAGE_ROWS_MAX`] after a grant: neither gone nor on leave, and
/// not moved since. No role: nobody.
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn holders(
    tx: &mut Tx,
    roles: &[RoleCode],
    now: Timestamp,
    after: Option<Id<Grant>>,
) -> Result<Vec<HeldGrant>, StoreError> {
    // A list is one parameter on both: an array on PostgreSQL, JSON on SQLite, which has no arrays.
    const SQL_SQLITE: &str = "SELECT role_grant.id, role_grant.person, role_grant.role, role_grant.starts_at, ends_at
                              FROM role_grant JOIN person ON person.id = role_grant.person
                              WHERE role_grant.id > $1 AND role_grant.role IN (SELECT value FROM json_each($2))
                                AND role_grant.starts_at <= $3 AND ends_at > $3 AND revoked_at IS NULL
                                AND (left_at IS NULL OR left_at > $3)
                                AND NOT EXISTS (SELECT 1 FROM person_leave
                                                WHERE person_leave.person = role_grant.person AND person_leave.starts_at <= $3
                                                  AND (closed_at IS NULL OR closed_at > $3))
                                AND NOT EXISTS (SELECT 1 FROM dormancy
                                                WHERE dormancy.person = role_grant.person AND disabled_at <= $3
                                                  AND (closed_at IS NULL OR closed_at > $3))
                                AND NOT EXISTS (SELECT 1 FROM unused_notice
                                                WHERE unused_notice.grant_id = role_grant.id AND unused_notice.ends_at <= $3
                                                  AND closed_at IS NULL)
                                AND NOT EXISTS (SELECT 1 FROM person_move
                                                WHERE person_move.person = role_grant.person AND covers_until >= granted_at
                                                  AND (settled_at IS NULL OR effective_at > noted_at)
                                                  AND effective_at <= $3
                                                  AND (person_move.role IS NULL OR person_move.role = role_grant.role))
                              ORDER BY role_grant.id LIMIT $4";
    const SQL_POSTGRES: &str = "SELECT role_grant.id, role_grant.person, role_grant.role, role_grant.starts_at, ends_at
                                FROM role_grant JOIN person ON person.id = role_grant.person
                                WHERE role_grant.id > $1 AND role_grant.role = ANY($2)
                                  AND role_grant.starts_at <= $3 AND ends_at > $3 AND revoked_at IS NULL
                                  AND (left_at IS NULL OR left_at > $3)
                                  AND NOT EXISTS (SELECT 1 FROM person_leave
                                                  WHERE person_leave.person = role_grant.person AND person_leave.starts_at <= $3
                                                    AND (closed_at IS NULL OR closed_at > $3))
                                  AND NOT EXISTS (SELECT 1 FROM dormancy
                                                  WHERE dormancy.person = role_grant.person AND disabled_at <= $3
                                                    AND (closed_at IS NULL OR closed_at > $3))
                                  AND NOT EXISTS (SELECT 1 FROM unused_notice
                                                  WHERE unused_notice.grant_id = role_grant.id AND unused_notice.ends_at <= $3
                                                    AND closed_at IS NULL)
                                  AND NOT EXISTS (SELECT 1 FROM person_move
                                                  WHERE person_move.person = role_grant.person AND covers_until >= granted_at
                                                    AND (settled_at IS NULL OR effective_at > noted_at)
                                                    AND effective_at <= $3
                                                    AND (person_move.role IS NULL OR person_move.role = role_grant.role))
                                ORDER BY role_grant.id LIMIT $4";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let rows: Vec<HeldRow> = match &mut tx.conn {
        Conn::Sqlite(conn) => {
            // A role's code has no letter that JSON would escape.
            let list: Vec<_> = roles.iter().map(|role| format!("\"{role}\"")).collect();
            let list = format!("[{}]", list.join(","));
            let query = sqlx::query_as(SQL_SQLITE).bind(after).bind(list).bind(now.micros()).bind(PAGE_ROWS_MAX);
            query.fetch_all(&mut **conn).await?
        }
        Conn::Postgres(conn) => {
            let list: Vec<_> = roles.iter().map(|role| role.as_str().to_owned()).collect();
            let query = sqlx::query_as(SQL_POSTGRES).bind(after).bind(list).bind(now.micros()).bind(PAGE_ROWS_MAX);
            query.fetch_all(&mut **conn).await?
        }
    };
    rows.into_iter().map(TryInto::try_into).collect()
}
