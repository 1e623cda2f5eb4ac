//! Rows of imports of logs of other systems, and of their lines that were refused: kept apart, and not lost.

use crate::error::expect_rows;
use crate::limits::PAGE_ROWS_MAX;
use crate::{AccessSource, Store, StoreError, Tx};
use scruple_core::{Id, Phi, Timestamp};
use uuid::Uuid;

pub(crate) const LINE: &str = "log_refusal.line";

/// One run over a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogImport {
    /// Its id.
    pub id: Id<Self>,
    /// Whose log.
    pub source: Id<AccessSource>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; one that was killed never did.
    pub ended_at: Option<Timestamp>,
    /// What it found.
    pub counts: ImportCounts,
}

/// What a run over a log found. Every line is new, known, or refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ImportCounts {
    /// Lines, or records.
    pub lines: u64,
    /// Accesses that were new.
    pub added: u64,
    /// Accesses that were there already.
    pub known: u64,
    /// Lines that tell of no access that could be read.
    pub refused: u64,
    /// Accesses by somebody whom nobody here knows.
    pub unknown_people: u64,
}

/// A line that was refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefusedLine {
    /// Its id.
    pub id: Id<Self>,
    /// Its number in the log, from 1.
    pub line: u64,
    /// The field that is wrong.
    pub field: String,
    /// The stable code of what is wrong with it.
    pub reason: String,
    /// The line.
    pub text: Phi<String>,
}

row! { struct ImportRow {
    id: Uuid, source: Uuid, started_at: i64, ended_at: Option<i64>, lines: i64, added: i64, known: i64, refused: i64,
    unknown_people: i64,
} }

impl From<ImportRow> for LogImport {
    fn from(row: ImportRow) -> Self {
        Self {
            id: Id::from_uuid(row.id),
            source: Id::from_uuid(row.source),
            started_at: Timestamp::from_micros(row.started_at),
            ended_at: row.ended_at.map(Timestamp::from_micros),
            counts: ImportCounts {
                lines: row.lines.unsigned_abs(),
                added: row.added.unsigned_abs(),
                known: row.known.unsigned_abs(),
                refused: row.refused.unsigned_abs(),
                unknown_people: row.unknown_people.unsigned_abs(),
            },
        }
    }
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Stores the beginning of a run.
///
/// # Errors
/// [`StoreError::Conflict`]: there is one with this id.
pub async fn begin_import(
    tx: &mut Tx,
    id: Id<LogImport>,
    source: Id<AccessSource>,
    at: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO log_import (id, source, started_at, lines, added, known, refused, unknown_people)
                       VALUES ($1, $2, $3, 0, 0, 0, 0, 0)";
    on_engine!(tx, |conn| {
        sqlx::query(SQL).bind(id.uuid()).bind(source.uuid()).bind(at.micros()).execute(conn).await?;
    });
    Ok(())
}

/// Stores the end of a run, once.
///
/// # Errors
/// [`StoreError::RowsAffected`]: it has ended. [`StoreError::Refused`]: the numbers do not add up.
pub async fn end_import(
    tx: &mut Tx,
    id: Id<LogImport>,
    counts: &ImportCounts,
    at: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE log_import
                       SET ended_at = $2, lines = $3, added = $4, known = $5, refused = $6, unknown_people = $7
                       WHERE id = $1 AND ended_at IS NULL";
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id.uuid())
            .bind(at.micros())
            .bind(number(counts.lines))
            .bind(number(counts.added))
            .bind(number(counts.known))
            .bind(number(counts.refused))
            .bind(number(counts.unknown_people))
            .execute(conn)
            .await?
            .rows_affected()
    });
    expect_rows("log_import", changed, 1)
}

/// The runs, newest first, one page of at most [`PAGE_ROWS_MAX`] before one.
///
/// # Errors
/// The database failed.
pub async fn list_imports(tx: &mut Tx, before: Option<Id<LogImport>>) -> Result<Vec<LogImport>, StoreError> {
    const SQL: &str = "SELECT id, source, started_at, ended_at, lines, added, known, refused, unknown_people
                       FROM log_import WHERE id < $1 ORDER BY id DESC LIMIT $2";
    let before = before.map_or(Uuid::max(), Id::uuid);
    let rows: Vec<ImportRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(before).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    Ok(rows.into_iter().map(Into::into).collect())
}

row! { struct RefusedRow { id: Uuid, line: i64, field: String, reason: String, line_sealed: Vec<u8> } }

/// Lines of a run that were refused, by their numbers, one page of at most [`PAGE_ROWS_MAX`] after a line.
///
/// # Errors
/// The database failed, or a line does not open.
pub async fn list_refused_lines(
    tx: &mut Tx,
    import: Id<LogImport>,
    after: u64,
) -> Result<Vec<RefusedLine>, StoreError> {
    const SQL: &str = "SELECT id, line, field, reason, line_sealed FROM log_refusal
                       WHERE log_import = $1 AND line > $2 ORDER BY line, id LIMIT $3";
    let rows: Vec<RefusedRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(import.uuid()).bind(number(after)).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    let one = |row: RefusedRow| {
        Ok(RefusedLine {
            id: Id::from_uuid(row.id),
            line: row.line.unsigned_abs(),
            field: row.field,
            reason: row.reason,
            text: tx.open_text(LINE, row.id, &row.line_sealed)?,
        })
    };
    rows.into_iter().map(one).collect()
}

impl Store {
    /// Keeps lines that were refused.
    ///
    /// # Errors
    /// The database failed; then none is kept.
    pub async fn keep_refused_lines(&self, import: Id<LogImport>, lines: &[RefusedLine]) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO log_refusal (id, log_import, line, field, reason, line_sealed)
                           VALUES ($1, $2, $3, $4, $5, $6)";
        let mut tx = self.begin().await?;
        for line in lines {
            let sealed = tx.seal(LINE, line.id.uuid(), line.text.expose().as_bytes())?;
            on_engine!(tx, |conn| {
                sqlx::query(SQL)
                    .bind(line.id.uuid())
                    .bind(import.uuid())
                    .bind(number(line.line))
                    .bind(line.field.as_str())
                    .bind(line.reason.as_str())
                    .bind(sealed)
                    .execute(conn)
                    .await?;
            });
        }
        Ok(tx.conn.commit().await?)
    }
}
