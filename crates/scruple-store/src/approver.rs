//! Rows of how people decide: when each first opened what he decided, and what he decided.

use crate::limits::{FACTS_MAX, PAGE_ROWS_MAX};
use crate::{Store, StoreError, Tx};
use scruple_core::{Id, Timestamp};
use scruple_flow::approver::{DecisionFact, Opened};
use scruple_flow::{AccessRequest, Grant, Person, RoleCode};
use uuid::Uuid;

impl Store {
    /// Writes down that somebody who may decide on a request has opened it; the first time counts.
    ///
    /// # Errors
    /// The database failed.
    pub async fn note_opening(
        &self,
        request: Id<AccessRequest>,
        person: Id<Person>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO request_opening (request, person, opened_at) VALUES ($1, $2, $3)
                           ON CONFLICT (request, person) DO NOTHING";
        let mut tx = self.begin().await?;
        on_engine!(tx, |conn| {
            sqlx::query(SQL).bind(request.uuid()).bind(person.uuid()).bind(at.micros()).execute(conn).await?;
        });
        Ok(tx.conn.commit().await?)
    }
}

row! { struct DecisionRow { person: Uuid, decided_at: i64, yes: i64, opened_at: Option<i64>, known_from: Option<i64> } }

/// What people decided in a period on requests for access, the first one first.
///
/// # Errors
/// The database failed, or there are more than [`FACTS_MAX`].
pub async fn decisions_between(
    tx: &mut Tx,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<(Id<Person>, DecisionFact)>, StoreError> {
    const SQL: &str = "SELECT decision.person, decision.decided_at, decision.yes, request_opening.opened_at,
                              (SELECT MIN(opened_at) FROM request_opening) AS known_from
                       FROM (SELECT by_person AS person, request, at AS decided_at, CAST(1 AS BIGINT) AS yes FROM request_approval
                             UNION ALL
                             SELECT decided_by, id, decided_at, CAST(0 AS BIGINT) FROM access_request WHERE state = 'denied') AS decision
                       LEFT JOIN request_opening ON request_opening.request = decision.request
                                                AND request_opening.person = decision.person
                       WHERE decision.decided_at >= $1 AND decision.decided_at < $2
                       ORDER BY decision.decided_at, decision.request LIMIT $3";
    let limit = FACTS_MAX.saturating_add(1);
    let rows: Vec<DecisionRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(from.micros()).bind(until.micros()).bind(limit).fetch_all(conn).await?
    });
    let max = FACTS_MAX.unsigned_abs();
    if rows.len() as u64 > max {
        return Err(StoreError::Limit { what: "decisions of a period", max });
    }
    let read = |row: DecisionRow| {
        let opened = match row.opened_at {
            Some(at) => Opened::At(Timestamp::from_micros(at)),
            // Openings are written down since the first of them.
            None if row.known_from.is_some_and(|from| from <= row.decided_at) => Opened::Never,
            None => Opened::Unknown,
        };
        let decided_at = Timestamp::from_micros(row.decided_at);
        (Id::from_uuid(row.person), DecisionFact { opened, decided_at, is_yes: row.yes == 1 })
    };
    Ok(rows.into_iter().map(read).collect())
}

/// A role that somebody holds and that nobody has agreed to anew for too long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnreviewedGrant {
    /// Which.
    pub grant: Id<Grant>,
    /// Whose.
    pub person: Id<Person>,
    /// The role.
    pub role: RoleCode,
    /// When it was last agreed to.
    pub agreed_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
}

row! { struct UnreviewedRow { id: Uuid, person: Uuid, role: String, granted_at: i64, ends_at: i64 } }

/// The roles that are held at `now` and were last agreed to before an instant: one page of at most [`PAGE_ROWS_MAX`] after a grant. To
/// grant is the one way to agree that there is here now: whoever reviews a grant by another way has to come in here.
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn unreviewed_grants(
    tx: &mut Tx,
    (before, now): (Timestamp, Timestamp),
    after: Option<Id<Grant>>,
) -> Result<Vec<UnreviewedGrant>, StoreError> {
    const SQL: &str = "SELECT role_grant.id, role_grant.person, role, granted_at, ends_at
                       FROM role_grant JOIN person ON person.id = role_grant.person
                       WHERE role_grant.id > $1 AND granted_at <= $2 AND starts_at <= $3 AND ends_at > $3
                         AND revoked_at IS NULL AND (left_at IS NULL OR left_at > $3)
                       ORDER BY role_grant.id LIMIT $4";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let rows: Vec<UnreviewedRow> = on_engine!(tx, |conn| {
        let query = sqlx::query_as(SQL).bind(after).bind(before.micros()).bind(now.micros()).bind(PAGE_ROWS_MAX);
        query.fetch_all(conn).await?
    });
    let read = |row: UnreviewedRow| {
        let role = row.role.parse().map_err(|_| StoreError::Inconsistent {
            table: "role_grant",
            column: "role",
            id: row.id,
        })?;
        Ok(UnreviewedGrant {
            grant: Id::from_uuid(row.id),
            person: Id::from_uuid(row.person),
            role,
            agreed_at: Timestamp::from_micros(row.granted_at),
            ends_at: Timestamp::from_micros(row.ends_at),
        })
    };
    rows.into_iter().map(read).collect()
}
