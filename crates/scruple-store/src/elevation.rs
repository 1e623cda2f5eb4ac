//! Rows of elevations: one patient's record opened to one person for a time.

use crate::error::expect_rows;
use crate::limits::{OPEN_ELEVATIONS_MAX, PAGE_ROWS_MAX};
use crate::{StoreError, Tx};
use scruple_core::{Id, Timestamp};
use scruple_flow::{
    AccessRequest, DeclaredReason, Elevation, ElevationKind, EmergencyReason, HeldElevation, NewElevation, PatientRef,
    Person, Revocation, Window,
};
use uuid::Uuid;

pub(crate) const PATIENT: &str = "elevation.patient";
pub(crate) const JUSTIFICATION: &str = "elevation.justification";

row! { struct HeldRow {
    id: Uuid, person: Uuid, role: String, purpose: Option<String>, patient_sealed: Vec<u8>, kind: String,
    reason: Option<String>, request: Option<Uuid>, review: Option<Uuid>, kinds: String, starts_at: i64, ends_at: i64,
    protected_at: Option<i64>,
} }

impl HeldRow {
    fn into_held(self, tx: &Tx) -> Result<HeldElevation, StoreError> {
        let id = self.id;
        let inconsistent = |column| StoreError::Inconsistent { table: "elevation", column, id };
        let reason = self.reason.as_deref();
        let kind = match (self.kind.as_str(), reason, self.request, self.review) {
            ("asked", None, Some(request), None) => Some(ElevationKind::Asked { request: Id::from_uuid(request) }),
            ("declared", Some(reason), None, None) => DeclaredReason::of(reason).map(ElevationKind::Declared),
            ("emergency", Some(reason), None, Some(review)) => EmergencyReason::of(reason)
                .map(|reason| ElevationKind::Emergency { reason, review: Id::from_uuid(review) }),
            _ => None,
        };
        let patient = tx.open_text(PATIENT, id, &self.patient_sealed)?;
        // relies on (grant-window)
        let window = Window::new(Timestamp::from_micros(self.starts_at), Timestamp::from_micros(self.ends_at));
        Ok(HeldElevation {
            id: Id::from_uuid(id),
            person: Id::from_uuid(self.person),
            role: self.role.parse().map_err(|_| inconsistent("role"))?,
            purpose: self.purpose,
            patient: patient.expose().parse().map_err(|_| inconsistent("patient"))?,
            kinds: self.kinds.parse().map_err(|_| inconsistent("kinds"))?,
            kind: kind.ok_or_else(|| inconsistent("kind"))?,
            window: window.map_err(|_| inconsistent("ends_at"))?,
            protected_at: self.protected_at.map(Timestamp::from_micros),
        })
    }
}

row! { struct OpenRow {
    id: Uuid, person: Uuid, role: String, purpose: Option<String>, patient_sealed: Vec<u8>, kind: String,
    reason: Option<String>, request: Option<Uuid>, review: Option<Uuid>, kinds: String, starts_at: i64, ends_at: i64,
    protected_at: Option<i64>,
    moved_at: Option<i64>,
} }

impl OpenRow {
    /// The elevation until it ends or a move takes it; `None` if that is before it begins.
    fn into_held(self, tx: &Tx) -> Result<Option<HeldElevation>, StoreError> {
        let Self { id, person, role, purpose, patient_sealed, kind, reason, request, review, kinds, .. } = self;
        let (starts_at, ends_at, protected_at) = (self.starts_at, self.ends_at, self.protected_at);
        let row = HeldRow {
            id,
            person,
            role,
            purpose,
            patient_sealed,
            kind,
            reason,
            request,
            review,
            kinds,
            starts_at,
            ends_at,
            protected_at,
        };
        let held = row.into_held(tx)?;
        let ends_at = held.window.ends_at().min(self.moved_at.map_or(held.window.ends_at(), Timestamp::from_micros));
        Ok(Window::new(held.window.starts_at(), ends_at).ok().map(|window| HeldElevation { window, ..held }))
    }
}

row! { struct ElevationRow {
    id: Uuid, person: Uuid, role: String, purpose: Option<String>, patient_sealed: Vec<u8>, kind: String,
    reason: Option<String>, request: Option<Uuid>, review: Option<Uuid>, kinds: String, starts_at: i64, ends_at: i64,
    protected_at: Option<i64>, granted_at: i64,
    justification_sealed: Vec<u8>, ended_by: Option<Uuid>, ended_at: Option<i64>, version: i64,
} }

impl ElevationRow {
    fn into_elevation(self, tx: &Tx) -> Result<Elevation, StoreError> {
        let Self { id, person, role, purpose, patient_sealed, kind, reason, request, review, kinds, .. } = self;
        let ended = match (self.ended_by, self.ended_at) {
            (None, None) => None,
            (Some(by), Some(at)) => Some(Revocation { by: Id::from_uuid(by), at: Timestamp::from_micros(at) }),
            _ => return Err(StoreError::Inconsistent { table: "elevation", column: "ended_at", id }),
        };
        let (starts_at, ends_at, protected_at) = (self.starts_at, self.ends_at, self.protected_at);
        let held = HeldRow {
            id,
            person,
            role,
            purpose,
            patient_sealed,
            kind,
            reason,
            request,
            review,
            kinds,
            starts_at,
            ends_at,
            protected_at,
        };
        Ok(Elevation {
            held: held.into_held(tx)?,
            granted_at: Timestamp::from_micros(self.granted_at),
            justification: tx.open_text(JUSTIFICATION, id, &self.justification_sealed)?,
            ended,
            version: self.version,
        })
    }
}

/// Stores an elevation, at version 1. The row of the person is locked: he cannot leave meanwhile. Its request must be approved
/// and name the patient, its review must be there.
///
/// # Errors
/// [`StoreError::RowsAffected`]: there is no such person, or he has left. [`StoreError::Refused`]: nothing stands behind it.
pub async fn insert_elevation(tx: &mut Tx, elevation: &NewElevation) -> Result<(), StoreError> {
    const SQL_PERSON: &str = "UPDATE person SET version = version WHERE id = $1 AND left_at IS NULL";
    const SQL: &str =
        "INSERT INTO elevation (id, person, role, purpose, patient_blind, patient_sealed, kind, reason, request, review,
                                kinds, starts_at, ends_at, granted_at, justification_sealed, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 1)";
    let opening = elevation.opening();
    let id = opening.id.uuid();
    let (reason, request, review) = match elevation.kind() {
        ElevationKind::Asked { request } => (None, Some(request.uuid()), None),
        ElevationKind::Declared(reason) => (Some(reason.code()), None, None),
        ElevationKind::Emergency { reason, review } => (Some(reason.code()), None, Some(review.uuid())),
    };
    let blind = tx.store.sealer().blind(PATIENT, opening.patient.id().as_bytes());
    let patient = tx.seal(PATIENT, id, opening.patient.id().as_bytes())?;
    let justification = tx.seal(JUSTIFICATION, id, opening.justification.expose().as_bytes())?;
    let locked = on_engine!(tx, |conn| {
        sqlx::query(SQL_PERSON).bind(opening.person.uuid()).execute(conn).await?.rows_affected()
    });
    expect_rows("person", locked, 1)?;
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id)
            .bind(opening.person.uuid())
            .bind(opening.role.as_str())
            .bind(opening.purpose.as_deref())
            .bind(blind.as_slice())
            .bind(patient)
            .bind(elevation.kind().code())
            .bind(reason)
            .bind(request)
            .bind(review)
            .bind(opening.kinds.to_string())
            .bind(opening.window.starts_at().micros())
            .bind(opening.window.ends_at().micros())
            .bind(elevation.at().micros())
            .bind(justification)
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Stores that the person has confirmed what is specially protected too.
///
/// # Errors
/// [`StoreError::RowsAffected`]: the version is another, it was confirmed, or ended.
pub async fn confirm_protected(tx: &mut Tx, id: Id<Elevation>, version: i64, at: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE elevation
                       SET version = version + 1,
                           protected_at = CASE WHEN granted_at > CAST($3 AS BIGINT) THEN granted_at
                                               ELSE CAST($3 AS BIGINT) END
                       WHERE id = $1 AND version = $2 AND ended_at IS NULL AND protected_at IS NULL";
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL).bind(id.uuid()).bind(version).bind(at.micros()).execute(conn).await?.rows_affected()
    });
    expect_rows("elevation", changed, 1)
}

/// Ends an elevation before its time. A clock that runs behind does not keep it alive: the end is then its beginning.
///
/// # Errors
/// [`StoreError::RowsAffected`]: the version is another, or it was ended.
pub async fn end_elevation(
    tx: &mut Tx,
    id: Id<Elevation>,
    version: i64,
    revocation: Revocation,
) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE elevation
                       SET ended_by = $3, version = version + 1,
                           ended_at = CASE WHEN granted_at > CAST($4 AS BIGINT) THEN granted_at
                                           ELSE CAST($4 AS BIGINT) END
                       WHERE id = $1 AND version = $2 AND ended_at IS NULL";
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
    expect_rows("elevation", changed, 1)
}

/// Ends all elevations of a person that are neither ended nor over. Answers how many.
///
/// # Errors
/// The database failed.
pub async fn end_elevations_of(tx: &mut Tx, person: Id<Person>, revocation: Revocation) -> Result<u64, StoreError> {
    const SQL: &str = "UPDATE elevation
                       SET ended_by = $2, version = version + 1,
                           ended_at = CASE WHEN granted_at > CAST($3 AS BIGINT) THEN granted_at
                                           ELSE CAST($3 AS BIGINT) END
                       WHERE person = $1 AND ended_at IS NULL AND ends_at > CAST($3 AS BIGINT)";
    Ok(on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(person.uuid())
            .bind(revocation.by.uuid())
            .bind(revocation.at.micros())
            .execute(conn)
            .await?
            .rows_affected()
    }))
}

/// Finds an elevation by id.
///
/// # Errors
/// The database failed, the row is inconsistent, or a column does not open.
pub async fn find_elevation(tx: &mut Tx, id: Id<Elevation>) -> Result<Option<Elevation>, StoreError> {
    const SQL: &str =
        "SELECT id, person, role, purpose, patient_sealed, kind, reason, request, review, kinds, starts_at, ends_at, protected_at,
                              granted_at, justification_sealed, ended_by, ended_at, version
                       FROM elevation WHERE id = $1";
    let row: Option<ElevationRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(id.uuid()).fetch_optional(conn).await?);
    row.map(|row| row.into_elevation(tx)).transpose()
}

/// The elevations of a person that are neither ended nor over, those that have not begun included. What a move takes ends with
/// it, as grants do: a record that the old place opened does not come back with a role that the new one approves.
///
/// # Errors
/// The database failed, a row is inconsistent, or there are more than [`OPEN_ELEVATIONS_MAX`].
// relies on (move-takes)
pub async fn open_elevations(
    tx: &mut Tx,
    person: Id<Person>,
    now: Timestamp,
) -> Result<Vec<HeldElevation>, StoreError> {
    const SQL: &str =
        "SELECT id, person, role, purpose, patient_sealed, kind, reason, request, review, kinds, starts_at, ends_at, protected_at,
                              (SELECT MIN(effective_at) FROM person_move
                               WHERE person_move.person = elevation.person AND covers_until >= elevation.granted_at
                                 AND (person_move.role IS NULL OR person_move.role = elevation.role)) AS moved_at
                       FROM elevation WHERE person = $1 AND ends_at > $2 AND ended_at IS NULL ORDER BY id LIMIT $3";
    let rows: Vec<OpenRow> = on_engine!(tx, |conn| {
        let limit = OPEN_ELEVATIONS_MAX.saturating_add(1);
        sqlx::query_as(SQL).bind(person.uuid()).bind(now.micros()).bind(limit).fetch_all(conn).await?
    });
    if rows.len() as u64 > OPEN_ELEVATIONS_MAX.unsigned_abs() {
        return Err(StoreError::Limit {
            what: "open elevations of one person",
            max: OPEN_ELEVATIONS_MAX.unsigned_abs(),
        });
    }
    let open = rows.into_iter().filter_map(|row| row.into_held(tx).transpose());
    let mut open = open.collect::<Result<Vec<_>, _>>()?;
    open.retain(|elevation| elevation.window.ends_at() > now);
    Ok(open)
}

/// The elevations of a person, newest first, one page of at most [`PAGE_ROWS_MAX`] before one.
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_elevations(
    tx: &mut Tx,
    person: Id<Person>,
    before: Option<Id<Elevation>>,
) -> Result<Vec<Elevation>, StoreError> {
    const SQL: &str =
        "SELECT id, person, role, purpose, patient_sealed, kind, reason, request, review, kinds, starts_at, ends_at, protected_at,
                              granted_at, justification_sealed, ended_by, ended_at, version
                       FROM elevation WHERE person = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    let before = before.map_or(Uuid::max(), Id::uuid);
    let rows: Vec<ElevationRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(person.uuid()).bind(before).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    rows.into_iter().map(|row| row.into_elevation(tx)).collect()
}

/// Which elevations a register shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ElevationFilter {
    /// As of when: those that were granted by then.
    pub at: Timestamp,
    /// In force or still to come then; else those that are over or ended.
    pub is_open: bool,
    /// The code of a kind; none: all.
    pub kind: Option<&'static str>,
}

/// How many elevations a register has: those of a filter, whatever page is shown.
///
/// # Errors
/// The database failed.
pub async fn count_elevations(tx: &mut Tx, filter: ElevationFilter) -> Result<i64, StoreError> {
    const SQL_OPEN: &str =
        "SELECT COUNT(*) FROM elevation
         WHERE granted_at <= $1 AND ends_at > $1 AND (ended_at IS NULL OR ended_at > $1) AND (CAST($2 AS TEXT) IS NULL OR kind = $2)";
    const SQL_OVER: &str = "SELECT COUNT(*) FROM elevation
         WHERE granted_at <= $1 AND (ends_at <= $1 OR ended_at <= $1) AND (CAST($2 AS TEXT) IS NULL OR kind = $2)";
    let sql = if filter.is_open { SQL_OPEN } else { SQL_OVER };
    let (count,): (i64,) = on_engine!(tx, |conn| {
        sqlx::query_as(sql).bind(filter.at.micros()).bind(filter.kind).fetch_one(conn).await?
    });
    Ok(count)
}

/// Elevations of everybody by when they were opened, the last one first, one page of at most [`PAGE_ROWS_MAX`] behind one.
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_elevations_by_start(
    tx: &mut Tx,
    filter: ElevationFilter,
    after: Option<(Timestamp, Id<Elevation>)>,
) -> Result<Vec<Elevation>, StoreError> {
    const SQL: &str =
        "SELECT id, person, role, purpose, patient_sealed, kind, reason, request, review, kinds, starts_at, ends_at, protected_at,
                granted_at, justification_sealed, ended_by, ended_at, version
         FROM elevation
         WHERE granted_at <= $1 AND (CAST($2 AS TEXT) IS NULL OR kind = $2)
           AND CASE WHEN ends_at > $1 AND (ended_at IS NULL OR ended_at > $1) THEN 1 ELSE 0 END = $5
           AND (granted_at < $3 OR (granted_at = $3 AND id < $4))
         ORDER BY granted_at DESC, id DESC LIMIT $6";
    let (at, id) = after.map_or((i64::MAX, Uuid::max()), |(at, id)| (at.micros(), id.uuid()));
    let rows: Vec<ElevationRow> = on_engine!(tx, |conn| {
        let query = sqlx::query_as(SQL).bind(filter.at.micros()).bind(filter.kind).bind(at).bind(id);
        query.bind(i32::from(filter.is_open)).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    rows.into_iter().map(|row| row.into_elevation(tx)).collect()
}

/// Elevations of everybody by their end, the next one first, or of those that are over the last one first; one page of at most
/// [`PAGE_ROWS_MAX`] after one.
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_elevations_by_end(
    tx: &mut Tx,
    filter: ElevationFilter,
    after: Option<(Timestamp, Id<Elevation>)>,
) -> Result<Vec<Elevation>, StoreError> {
    const SQL_OPEN: &str =
        "SELECT id, person, role, purpose, patient_sealed, kind, reason, request, review, kinds, starts_at, ends_at, protected_at,
                granted_at, justification_sealed, ended_by, ended_at, version
         FROM elevation
         WHERE granted_at <= $1 AND ends_at > $1 AND (ended_at IS NULL OR ended_at > $1) AND (CAST($2 AS TEXT) IS NULL OR kind = $2)
           AND (ends_at > $3 OR (ends_at = $3 AND id > $4))
         ORDER BY ends_at, id LIMIT $5";
    const SQL_OVER: &str =
        "SELECT id, person, role, purpose, patient_sealed, kind, reason, request, review, kinds, starts_at, ends_at, protected_at,
                granted_at, justification_sealed, ended_by, ended_at, version
         FROM elevation
         WHERE granted_at <= $1 AND (ends_at <= $1 OR ended_at <= $1) AND (CAST($2 AS TEXT) IS NULL OR kind = $2)
           AND (ends_at < $3 OR (ends_at = $3 AND id < $4))
         ORDER BY ends_at DESC, id DESC LIMIT $5";
    let (sql, first) =
        if filter.is_open { (SQL_OPEN, (i64::MIN, Uuid::nil())) } else { (SQL_OVER, (i64::MAX, Uuid::max())) };
    let (ends_at, id) = after.map_or(first, |(ends_at, id)| (ends_at.micros(), id.uuid()));
    let rows: Vec<ElevationRow> = on_engine!(tx, |conn| {
        sqlx::query_as(sql)
            .bind(filter.at.micros())
            .bind(filter.kind)
            .bind(ends_at)
            .bind(id)
            .bind(PAGE_ROWS_MAX)
            .fetch_all(conn)
            .await?
    });
    rows.into_iter().map(|row| row.into_elevation(tx)).collect()
}

/// Who opened a patient's record, newest first, one page of at most [`PAGE_ROWS_MAX`] before one.
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_elevations_of_patient(
    tx: &mut Tx,
    patient: &PatientRef,
    before: Option<Id<Elevation>>,
) -> Result<Vec<Elevation>, StoreError> {
    const SQL: &str =
        "SELECT id, person, role, purpose, patient_sealed, kind, reason, request, review, kinds, starts_at, ends_at, protected_at,
                              granted_at, justification_sealed, ended_by, ended_at, version
                       FROM elevation WHERE patient_blind = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    let blind = tx.store.sealer().blind(PATIENT, patient.id().as_bytes());
    let before = before.map_or(Uuid::max(), Id::uuid);
    let rows: Vec<ElevationRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(blind.as_slice()).bind(before).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    rows.into_iter().map(|row| row.into_elevation(tx)).collect()
}

/// What a request opened, one for each of its patients.
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_elevations_of_request(tx: &mut Tx, request: Id<AccessRequest>) -> Result<Vec<Elevation>, StoreError> {
    const SQL: &str =
        "SELECT id, person, role, purpose, patient_sealed, kind, reason, request, review, kinds, starts_at, ends_at, protected_at,
                granted_at, justification_sealed, ended_by, ended_at, version
         FROM elevation WHERE request = $1 ORDER BY id LIMIT $2";
    let rows: Vec<ElevationRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(request.uuid()).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    rows.into_iter().map(|row| row.into_elevation(tx)).collect()
}
