//! All accesses of a period in the order of their time, for samples: who made them and in which role, and nothing of the patient.

use crate::chart_access::{AfterAccess, behind};
use crate::limits::ACCESS_ROWS_MAX;
use crate::{ChartAccess, Person, StoreError, Tx};
use scruple_core::{Id, Timestamp};
use uuid::Uuid;

/// An access as a sample weighs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessWeighed {
    /// The access.
    pub id: Id<ChartAccess>,
    /// When.
    pub at: Timestamp,
    /// Who, if he is known here.
    pub person: Option<Id<Person>>,
    /// In which role, if the log says so.
    pub role: Option<String>,
    /// From outside.
    pub outside: bool,
}

row! { struct WeighedRow { id: Uuid, at: i64, person: Option<Uuid>, role: Option<String>, outside: i64 } }

/// The accesses of a period that opened something, oldest first, one page of at most [`ACCESS_ROWS_MAX`].
///
/// # Errors
/// The database failed.
pub async fn list_accesses_between(
    tx: &mut Tx,
    (from, until): (Timestamp, Timestamp),
    after: AfterAccess,
) -> Result<Vec<AccessWeighed>, StoreError> {
    const SQL: &str = "SELECT id, at, person, role, outside FROM chart_access
                       WHERE outcome = 'opened' AND at < $1 AND (at > $2 OR (at = $2 AND id > $3))
                       ORDER BY at, id LIMIT $4";
    let (at, id) = behind(after, from);
    let rows: Vec<WeighedRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(until.micros()).bind(at).bind(id).bind(ACCESS_ROWS_MAX).fetch_all(conn).await?
    });
    let one = |row: WeighedRow| AccessWeighed {
        id: Id::from_uuid(row.id),
        at: Timestamp::from_micros(row.at),
        person: row.person.map(Id::from_uuid),
        role: row.role,
        outside: row.outside == 1,
    };
    Ok(rows.into_iter().map(one).collect())
}

/// An access by id.
///
/// # Errors
/// The database failed, the row is inconsistent, or a column does not open.
pub async fn find_access(tx: &mut Tx, id: Id<ChartAccess>) -> Result<Option<ChartAccess>, StoreError> {
    const SQL: &str =
        "SELECT id, source, at, patient_sealed, person, actor_sealed, role, purpose, outcome, basis, grant_id, elevation,
                entry, outside, facts_sealed
         FROM chart_access WHERE id = $1";
    let row: Option<crate::chart_access::AccessRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(id.uuid()).fetch_optional(conn).await?);
    row.map(|row| row.into_access(tx)).transpose()
}
