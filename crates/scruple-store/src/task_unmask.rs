//! Rows of fields that were shown unmasked under a support task: one kind of information of one patient, for minutes.

use crate::elevation::PATIENT as PATIENT_INDEX;
use crate::limits::PAGE_ROWS_MAX;
use crate::{StoreError, Tx};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::{AccessTask, PatientRef, Window};
use uuid::Uuid;

pub(crate) const PATIENT: &str = "task_unmask.patient";
pub(crate) const REASON: &str = "task_unmask.reason";

/// A field that is shown unmasked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unmask {
    /// Its id.
    pub id: Id<Self>,
    /// The task under which it is.
    pub task: Id<AccessTask>,
    /// Whose.
    pub patient: PatientRef,
    /// Which kind of information.
    pub category: String,
    /// Why.
    pub reason: Phi<String>,
    /// For which time.
    pub window: Window,
}

row! { struct UnmaskRow {
    id: Uuid, task: Uuid, patient_sealed: Vec<u8>, category: String, reason_sealed: Vec<u8>, starts_at: i64, ends_at: i64,
} }

impl UnmaskRow {
    fn into_unmask(self, tx: &Tx) -> Result<Unmask, StoreError> {
        let id = self.id;
        let inconsistent = |column| StoreError::Inconsistent { table: "task_unmask", column, id };
        let patient = tx.open_text(PATIENT, id, &self.patient_sealed)?;
        let window = Window::new(Timestamp::from_micros(self.starts_at), Timestamp::from_micros(self.ends_at));
        Ok(Unmask {
            id: Id::from_uuid(id),
            task: Id::from_uuid(self.task),
            patient: patient.expose().parse().map_err(|_| inconsistent("patient"))?,
            category: self.category,
            reason: tx.open_text(REASON, id, &self.reason_sealed)?,
            window: window.map_err(|_| inconsistent("ends_at"))?,
        })
    }
}

/// Stores that a field is shown unmasked.
///
/// # Errors
/// [`StoreError::Refused`]: the task is not active, not of support, does not name the patient, or it would last too long.
pub async fn insert_unmask(tx: &mut Tx, unmask: &Unmask) -> Result<(), StoreError> {
    const SQL: &str =
        "INSERT INTO task_unmask (id, task, patient_blind, patient_sealed, category, reason_sealed, starts_at, ends_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let id = unmask.id.uuid();
    let blind = tx.store.sealer().blind(PATIENT_INDEX, unmask.patient.id().as_bytes());
    let patient = tx.seal(PATIENT, id, unmask.patient.id().as_bytes())?;
    let reason = tx.seal(REASON, id, unmask.reason.expose().as_bytes())?;
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id)
            .bind(unmask.task.uuid())
            .bind(blind.as_slice())
            .bind(patient)
            .bind(unmask.category.as_str())
            .bind(reason)
            .bind(unmask.window.starts_at().micros())
            .bind(unmask.window.ends_at().micros())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// The fields that were shown unmasked under a task and whose time ends after an instant, at most [`PAGE_ROWS_MAX`].
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_unmasks(tx: &mut Tx, task: Id<AccessTask>, after: Timestamp) -> Result<Vec<Unmask>, StoreError> {
    const SQL: &str = "SELECT id, task, patient_sealed, category, reason_sealed, starts_at, ends_at FROM task_unmask
         WHERE task = $1 AND ends_at > $2 ORDER BY ends_at DESC, id DESC LIMIT $3";
    let rows: Vec<UnmaskRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(task.uuid()).bind(after.micros()).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    rows.into_iter().map(|row| row.into_unmask(tx)).collect()
}
