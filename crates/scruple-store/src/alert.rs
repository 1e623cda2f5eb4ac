//! Rows of alerts, and what they are counted from.

use crate::limits::PAGE_ROWS_MAX;
use crate::{StoreError, Tx};
use scruple_core::{Id, Timestamp};
use scruple_flow::{Alert, AlertOf, Person};
use uuid::Uuid;

row! { struct AlertRow {
    id: Uuid, kind: String, person: Option<Uuid>, role: Option<String>, count: i64, limited: i64, raised_at: i64,
} }

impl TryFrom<AlertRow> for Alert {
    type Error = StoreError;

    fn try_from(row: AlertRow) -> Result<Self, StoreError> {
        let inconsistent = |column| StoreError::Inconsistent { table: "alert", column, id: row.id };
        let of = match (row.kind.as_str(), row.person.map(Id::from_uuid), row.role) {
            ("requests_of_person", Some(person), None) => AlertOf::RequestsOfPerson(person),
            ("emergencies_of_person", Some(person), None) => AlertOf::EmergenciesOfPerson(person),
            ("requests_for_role", None, Some(role)) => {
                AlertOf::RequestsForRole(role.parse().map_err(|_| inconsistent("role"))?)
            }
            _ => return Err(inconsistent("kind")),
        };
        Ok(Self {
            id: Id::from_uuid(row.id),
            of,
            count: row.count,
            limit: row.limited,
            raised_at: Timestamp::from_micros(row.raised_at),
        })
    }
}

/// The person and the role that an alert is of.
fn whose(of: &AlertOf) -> (Option<Uuid>, Option<&str>) {
    match of {
        AlertOf::RequestsOfPerson(person) | AlertOf::EmergenciesOfPerson(person) => (Some(person.uuid()), None),
        AlertOf::RequestsForRole(role) => (None, Some(role.as_str())),
    }
}

/// Stores an alert.
///
/// # Errors
/// [`StoreError::Conflict`]: the id is taken.
pub async fn insert_alert(tx: &mut Tx, alert: &Alert) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO alert (id, kind, person, role, count, limited, raised_at)
                       VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let (person, role) = whose(&alert.of);
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(alert.id.uuid())
            .bind(alert.of.code())
            .bind(person)
            .bind(role)
            .bind(alert.count)
            .bind(alert.limit)
            .bind(alert.raised_at.micros())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// When the last alert of this was raised.
///
/// # Errors
/// The database failed.
pub async fn last_alert(tx: &mut Tx, of: &AlertOf) -> Result<Option<Timestamp>, StoreError> {
    const SQL: &str = "SELECT MAX(raised_at) FROM alert
                       WHERE kind = $1 AND (person = $2 OR (person IS NULL AND role = $3))";
    let (person, role) = whose(of);
    let (last,): (Option<i64>,) =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(of.code()).bind(person).bind(role).fetch_one(conn).await?);
    Ok(last.map(Timestamp::from_micros))
}

/// The alerts that were raised since an instant, the newest first, at most [`PAGE_ROWS_MAX`].
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn list_alerts(tx: &mut Tx, since: Timestamp) -> Result<Vec<Alert>, StoreError> {
    const SQL: &str = "SELECT id, kind, person, role, count, limited, raised_at FROM alert
                       WHERE raised_at >= $1 ORDER BY raised_at DESC, id DESC LIMIT $2";
    let rows: Vec<AlertRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(since.micros()).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    rows.into_iter().map(TryInto::try_into).collect()
}

/// How often something has happened after an instant, this transaction included.
///
/// # Errors
/// The database failed.
pub async fn count_for_alert(tx: &mut Tx, of: &AlertOf, since: Timestamp) -> Result<i64, StoreError> {
    const SQL_PERSON: &str = "SELECT COUNT(*) FROM access_request
                              WHERE requested_by = $1 AND submitted_at > $2 AND state <> 'draft'";
    const SQL_ROLE: &str = "SELECT COUNT(*) FROM access_request
                            WHERE role = $1 AND submitted_at > $2 AND state <> 'draft'";
    const SQL_EMERGENCIES: &str = "SELECT COUNT(*) FROM elevation
                                   WHERE person = $1 AND granted_at > $2 AND kind = 'emergency'";
    let since = since.micros();
    let person = |sql: &'static str, person: Id<Person>| (sql, person.uuid());
    let (sql, id) = match of {
        AlertOf::RequestsOfPerson(who) => person(SQL_PERSON, *who),
        AlertOf::EmergenciesOfPerson(who) => person(SQL_EMERGENCIES, *who),
        AlertOf::RequestsForRole(role) => {
            let (count,): (i64,) = on_engine!(tx, |conn| {
                sqlx::query_as(SQL_ROLE).bind(role.as_str()).bind(since).fetch_one(conn).await?
            });
            return Ok(count);
        }
    };
    let (count,): (i64,) = on_engine!(tx, |conn| sqlx::query_as(sql).bind(id).bind(since).fetch_one(conn).await?);
    Ok(count)
}
