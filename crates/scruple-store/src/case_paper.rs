//! Rows of papers in the files of complaints. What stands behind a wall is left out by whoever reads them here.

use crate::error::expect_rows;
use crate::limits::PAGE_ROWS_MAX;
use crate::{StoreError, Tx};
use scruple_core::{Id, Timestamp};
use scruple_flow::{CasePaper, ChartCase, PaperAct, PaperState, Wall};
use uuid::Uuid;

pub(crate) const TEXT: &str = "case_paper.text";
pub(crate) const REASON: &str = "case_paper.reason";

row! { struct PaperRow {
    id: Uuid, chart_case: Uuid, text_sealed: Vec<u8>, written_by: Uuid, written_at: i64, state: String, wall: Option<String>,
    released_by: Option<Uuid>, released_at: Option<i64>, reason_sealed: Option<Vec<u8>>, version: i64,
} }

impl PaperRow {
    fn into_paper(self, tx: &Tx) -> Result<CasePaper, StoreError> {
        let id = self.id;
        let inconsistent = || StoreError::Inconsistent { table: "case_paper", column: "state", id };
        let wall = self.wall.as_deref().map(|code| Wall::of(code).ok_or_else(inconsistent)).transpose()?;
        let reason = self.reason_sealed.map(|sealed| tx.open_text(REASON, id, &sealed)).transpose()?;
        let act = match (self.released_by, self.released_at, reason) {
            (None, None, None) => None,
            (Some(by), Some(at), Some(reason)) => {
                Some(PaperAct { by: Id::from_uuid(by), at: Timestamp::from_micros(at), reason })
            }
            _ => return Err(inconsistent()),
        };
        let state = match (self.state.as_str(), wall, act) {
            ("in_file", None, None) => PaperState::InFile,
            ("walled", Some(wall), None) => PaperState::Walled(wall),
            ("released", Some(wall), Some(act)) => PaperState::Released(wall, act),
            _ => return Err(inconsistent()),
        };
        Ok(CasePaper {
            id: Id::from_uuid(id),
            case: Id::from_uuid(self.chart_case),
            text: tx.open_text(TEXT, id, &self.text_sealed)?,
            written_by: Id::from_uuid(self.written_by),
            written_at: Timestamp::from_micros(self.written_at),
            state,
            version: self.version,
        })
    }
}

/// Stores a paper that was written, at version 1.
///
/// # Errors
/// [`StoreError::Refused`]: whom the complaint is about has written it, or it begins as let out.
pub async fn insert_paper(tx: &mut Tx, paper: &CasePaper) -> Result<(), StoreError> {
    const SQL: &str =
        "INSERT INTO case_paper (id, chart_case, text_sealed, written_by, written_at, state, wall, version)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, 1)";
    let id = paper.id.uuid();
    let text = tx.seal(TEXT, id, paper.text.expose().as_bytes())?;
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id)
            .bind(paper.case.uuid())
            .bind(text)
            .bind(paper.written_by.uuid())
            .bind(paper.written_at.micros())
            .bind(paper.state.code())
            .bind(paper.state.wall().map(Wall::code))
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Stores where a paper stands now.
///
/// # Errors
/// [`StoreError::RowsAffected`]: somebody else has changed it since `version`. [`StoreError::Refused`]: the table does not let it go
/// this way.
pub async fn update_paper(tx: &mut Tx, paper: &CasePaper, version: i64) -> Result<(), StoreError> {
    const SQL: &str =
        "UPDATE case_paper SET state = $3, wall = $4, released_by = $5, released_at = $6, reason_sealed = $7,
                              version = version + 1
                       WHERE id = $1 AND version = $2";
    let id = paper.id.uuid();
    let act = if let PaperState::Released(_, act) = &paper.state { Some(act) } else { None };
    let reason = act.map(|act| tx.seal(REASON, id, act.reason.expose().as_bytes())).transpose()?;
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id)
            .bind(version)
            .bind(paper.state.code())
            .bind(paper.state.wall().map(Wall::code))
            .bind(act.map(|act| act.by.uuid()))
            .bind(act.map(|act| act.at.micros()))
            .bind(reason)
            .execute(conn)
            .await?
            .rows_affected()
    });
    expect_rows("case_paper", changed, 1)
}

/// Finds a paper by its id.
///
/// # Errors
/// The database failed, the row is inconsistent, or a column does not open.
pub async fn find_paper(tx: &mut Tx, id: Id<CasePaper>) -> Result<Option<CasePaper>, StoreError> {
    const SQL: &str =
        "SELECT id, chart_case, text_sealed, written_by, written_at, state, wall, released_by, released_at, reason_sealed,
                              version
                       FROM case_paper WHERE id = $1";
    let row: Option<PaperRow> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(id.uuid()).fetch_optional(conn).await?);
    row.map(|row| row.into_paper(tx)).transpose()
}

/// The papers of a complaint, oldest first, at most [`PAGE_ROWS_MAX`] after one.
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_papers(
    tx: &mut Tx,
    case: Id<ChartCase>,
    after: Option<Id<CasePaper>>,
) -> Result<Vec<CasePaper>, StoreError> {
    const SQL: &str =
        "SELECT id, chart_case, text_sealed, written_by, written_at, state, wall, released_by, released_at, reason_sealed,
                              version
                       FROM case_paper WHERE chart_case = $1 AND id > $2 ORDER BY id LIMIT $3";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let rows: Vec<PaperRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(case.uuid()).bind(after).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    rows.into_iter().map(|row| row.into_paper(tx)).collect()
}
