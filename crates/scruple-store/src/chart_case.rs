//! Rows of questions about charts, and of the cases that grow out of them.

use crate::error::expect_rows;
use crate::limits::PAGE_ROWS_MAX;
use crate::{StoreError, Tx};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::{CaseFinding, CaseLetter, CaseState, CaseVerdict, ChartCase, ChartQuestion, Person, QuestionCause};
use uuid::Uuid;

pub(crate) const PATIENT: &str = "chart_question.patient";
pub(crate) const KEYS: &str = "chart_question.keys";
pub(crate) const COMPLAINT: &str = "chart_case.complaint";
pub(crate) const ANSWER: &str = "chart_case.answer";
pub(crate) const RATIONALE: &str = "chart_case.rationale";
pub(crate) const LETTER: &str = "chart_case.letter";

row! { struct QuestionRow {
    id: Uuid, patient_sealed: Vec<u8>, keys_sealed: Vec<u8>, from_at: i64, until_at: i64, cause: String, asked_by: Uuid,
    asked_at: i64,
} }

impl QuestionRow {
    fn into_question(self, tx: &Tx) -> Result<ChartQuestion, StoreError> {
        let id = self.id;
        let inconsistent = StoreError::Inconsistent { table: "chart_question", column: "cause", id };
        let keys = tx.open_text(KEYS, id, &self.keys_sealed)?.into_inner();
        Ok(ChartQuestion {
            id: Id::from_uuid(id),
            patient: tx.open_text(PATIENT, id, &self.patient_sealed)?,
            keys: Phi::new(keys.lines().map(str::to_owned).collect()),
            from: Timestamp::from_micros(self.from_at),
            until: Timestamp::from_micros(self.until_at),
            cause: QuestionCause::of(&self.cause).ok_or(inconsistent)?,
            asked_by: Id::from_uuid(self.asked_by),
            asked_at: Timestamp::from_micros(self.asked_at),
        })
    }
}

/// Stores a question.
///
/// # Errors
/// The database failed, or refuses it.
pub async fn insert_question(tx: &mut Tx, question: &ChartQuestion) -> Result<(), StoreError> {
    const SQL: &str =
        "INSERT INTO chart_question (id, patient_blind, patient_sealed, keys_sealed, from_at, until_at, cause,
                                                   asked_by, asked_at)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let id = question.id.uuid();
    let blind = tx.store.sealer().blind(PATIENT, question.patient.expose().as_bytes());
    let patient = tx.seal(PATIENT, id, question.patient.expose().as_bytes())?;
    let keys = tx.seal(KEYS, id, question.keys.expose().join("\n").as_bytes())?;
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id)
            .bind(blind.as_slice())
            .bind(patient)
            .bind(keys)
            .bind(question.from.micros())
            .bind(question.until.micros())
            .bind(question.cause.code())
            .bind(question.asked_by.uuid())
            .bind(question.asked_at.micros())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Finds a question by its id.
///
/// # Errors
/// The database failed, the row is inconsistent, or a column does not open.
pub async fn find_question(tx: &mut Tx, id: Id<ChartQuestion>) -> Result<Option<ChartQuestion>, StoreError> {
    const SQL: &str = "SELECT id, patient_sealed, keys_sealed, from_at, until_at, cause, asked_by, asked_at
                       FROM chart_question WHERE id = $1";
    let row: Option<QuestionRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(id.uuid()).fetch_optional(conn).await?);
    row.map(|row| row.into_question(tx)).transpose()
}

/// The questions, newest first, at most [`PAGE_ROWS_MAX`] before one.
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_questions(tx: &mut Tx, before: Option<Id<ChartQuestion>>) -> Result<Vec<ChartQuestion>, StoreError> {
    const SQL: &str = "SELECT id, patient_sealed, keys_sealed, from_at, until_at, cause, asked_by, asked_at
                       FROM chart_question WHERE id < $1 ORDER BY id DESC LIMIT $2";
    let before = before.map_or(Uuid::max(), Id::uuid);
    let rows: Vec<QuestionRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(before).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    rows.into_iter().map(|row| row.into_question(tx)).collect()
}

row! { struct CaseRow {
    id: Uuid, question: Uuid, reader: Uuid, about_from: i64, about_until: i64, complaint_sealed: Vec<u8>, state: String,
    finding: Option<String>, opened_by: Uuid, opened_at: i64, asked_by: Option<Uuid>, asked_at: Option<i64>,
    answer_sealed: Option<Vec<u8>>, answered_at: Option<i64>, decided_by: Option<Uuid>, decided_at: Option<i64>,
    rationale_sealed: Option<Vec<u8>>, letter_sealed: Option<Vec<u8>>, lettered_by: Option<Uuid>, lettered_at: Option<i64>,
    version: i64,
} }

impl CaseRow {
    fn into_case(self, tx: &Tx) -> Result<ChartCase, StoreError> {
        let id = self.id;
        let inconsistent = || StoreError::Inconsistent { table: "chart_case", column: "state", id };
        let text = |column, sealed: Option<Vec<u8>>| sealed.map(|sealed| tx.open_text(column, id, &sealed)).transpose();
        let rationale = text(RATIONALE, self.rationale_sealed)?;
        let letter = text(LETTER, self.letter_sealed)?;
        let answer = text(ANSWER, self.answer_sealed)?;
        let at = Timestamp::from_micros;
        let finding = self.finding.as_deref().map(|code| CaseFinding::of(code).ok_or_else(inconsistent)).transpose()?;
        let verdict = match (finding, self.decided_by, self.decided_at, rationale) {
            (None, None, None, None) => None,
            (Some(finding), Some(by), Some(when), Some(rationale)) => {
                Some(CaseVerdict { finding, by: Id::from_uuid(by), at: at(when), rationale })
            }
            _ => return Err(inconsistent()),
        };
        let letter = match (letter, self.lettered_by, self.lettered_at) {
            (None, None, None) => None,
            (Some(text), Some(by), Some(when)) => Some(CaseLetter { text, by: Id::from_uuid(by), at: at(when) }),
            _ => return Err(inconsistent()),
        };
        let state = match (self.state.as_str(), verdict, letter) {
            ("open", None, None) => CaseState::Open,
            ("asked", None, None) => CaseState::Asked,
            ("answered", None, None) => CaseState::Answered,
            (code, Some(verdict), None) if verdict.finding.code() == code => CaseState::Decided(verdict),
            ("lettered", Some(verdict), Some(letter)) => CaseState::Lettered(verdict, letter),
            _ => return Err(inconsistent()),
        };
        Ok(ChartCase {
            id: Id::from_uuid(id),
            question: Id::from_uuid(self.question),
            reader: Id::from_uuid(self.reader),
            about: (at(self.about_from), at(self.about_until)),
            complaint: tx.open_text(COMPLAINT, id, &self.complaint_sealed)?,
            opened_by: Id::from_uuid(self.opened_by),
            opened_at: at(self.opened_at),
            asked: self.asked_by.zip(self.asked_at).map(|(by, when)| (Id::from_uuid(by), at(when))),
            answer: answer.zip(self.answered_at).map(|(text, when)| (text, at(when))),
            state,
            version: self.version,
        })
    }
}

/// Stores a case, at version 1 and open.
///
/// # Errors
/// The database failed, or refuses it.
pub async fn insert_case(tx: &mut Tx, case: &ChartCase) -> Result<(), StoreError> {
    const SQL: &str =
        "INSERT INTO chart_case (id, question, reader, about_from, about_until, complaint_sealed, state, opened_by,
                                               opened_at, version)
                       VALUES ($1, $2, $3, $4, $5, $6, 'open', $7, $8, 1)";
    let id = case.id.uuid();
    let complaint = tx.seal(COMPLAINT, id, case.complaint.expose().as_bytes())?;
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id)
            .bind(case.question.uuid())
            .bind(case.reader.uuid())
            .bind(case.about.0.micros())
            .bind(case.about.1.micros())
            .bind(complaint)
            .bind(case.opened_by.uuid())
            .bind(case.opened_at.micros())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Stores what has become of a case: that of its columns which its state has brought.
///
/// # Errors
/// [`StoreError::RowsAffected`]: somebody else has changed it since `version`. [`StoreError::Refused`]: the table does not let it
/// go this way.
pub async fn update_case(tx: &mut Tx, case: &ChartCase, version: i64) -> Result<(), StoreError> {
    const SQL_ASKED: &str = "UPDATE chart_case SET state = 'asked', asked_by = $3, asked_at = $4, version = version + 1
                             WHERE id = $1 AND version = $2";
    const SQL_ANSWERED: &str = "UPDATE chart_case SET state = 'answered', answer_sealed = $3, answered_at = $4,
                                       version = version + 1
                                WHERE id = $1 AND version = $2";
    const SQL_DECIDED: &str = "UPDATE chart_case SET state = $3, finding = $3, decided_by = $4, decided_at = $5,
                                      rationale_sealed = $6, version = version + 1
                               WHERE id = $1 AND version = $2";
    const SQL_LETTERED: &str =
        "UPDATE chart_case SET state = 'lettered', letter_sealed = $3, lettered_by = $4, lettered_at = $5,
                                       version = version + 1
                                WHERE id = $1 AND version = $2";
    let id = case.id.uuid();
    let inconsistent = || StoreError::Inconsistent { table: "chart_case", column: "state", id };
    let changed = match &case.state {
        CaseState::Open => return Err(inconsistent()),
        CaseState::Asked => {
            let (by, at) = case.asked.ok_or_else(inconsistent)?;
            on_engine!(tx, |conn| {
                let asked = sqlx::query(SQL_ASKED).bind(id).bind(version).bind(by.uuid()).bind(at.micros());
                asked.execute(conn).await?.rows_affected()
            })
        }
        CaseState::Answered => {
            let (text, at) = case.answer.as_ref().ok_or_else(inconsistent)?;
            let sealed = tx.seal(ANSWER, id, text.expose().as_bytes())?;
            on_engine!(tx, |conn| {
                let answered = sqlx::query(SQL_ANSWERED).bind(id).bind(version).bind(sealed).bind(at.micros());
                answered.execute(conn).await?.rows_affected()
            })
        }
        CaseState::Decided(verdict) => {
            let sealed = tx.seal(RATIONALE, id, verdict.rationale.expose().as_bytes())?;
            on_engine!(tx, |conn| {
                let decided = sqlx::query(SQL_DECIDED).bind(id).bind(version).bind(verdict.finding.code());
                let decided = decided.bind(verdict.by.uuid()).bind(verdict.at.micros()).bind(sealed);
                decided.execute(conn).await?.rows_affected()
            })
        }
        CaseState::Lettered(_, letter) => {
            let sealed = tx.seal(LETTER, id, letter.text.expose().as_bytes())?;
            on_engine!(tx, |conn| {
                let lettered = sqlx::query(SQL_LETTERED).bind(id).bind(version).bind(sealed);
                let lettered = lettered.bind(letter.by.uuid()).bind(letter.at.micros());
                lettered.execute(conn).await?.rows_affected()
            })
        }
    };
    expect_rows("chart_case", changed, 1)
}

/// Finds a case by its id.
///
/// # Errors
/// The database failed, the row is inconsistent, or a column does not open.
pub async fn find_case(tx: &mut Tx, id: Id<ChartCase>) -> Result<Option<ChartCase>, StoreError> {
    const SQL: &str =
        "SELECT id, question, reader, about_from, about_until, complaint_sealed, state, finding, opened_by, opened_at,
                              asked_by, asked_at, answer_sealed, answered_at, decided_by, decided_at, rationale_sealed,
                              letter_sealed, lettered_by, lettered_at, version
                       FROM chart_case WHERE id = $1";
    let row: Option<CaseRow> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(id.uuid()).fetch_optional(conn).await?);
    row.map(|row| row.into_case(tx)).transpose()
}

/// The cases that grew out of a question, oldest first, at most [`PAGE_ROWS_MAX`].
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_cases_of_question(tx: &mut Tx, question: Id<ChartQuestion>) -> Result<Vec<ChartCase>, StoreError> {
    const SQL: &str =
        "SELECT id, question, reader, about_from, about_until, complaint_sealed, state, finding, opened_by, opened_at,
                              asked_by, asked_at, answer_sealed, answered_at, decided_by, decided_at, rationale_sealed,
                              letter_sealed, lettered_by, lettered_at, version
                       FROM chart_case WHERE question = $1 ORDER BY id LIMIT $2";
    let rows: Vec<CaseRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(question.uuid()).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    rows.into_iter().map(|row| row.into_case(tx)).collect()
}

/// All cases, newest first, at most [`PAGE_ROWS_MAX`] before one.
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_cases(tx: &mut Tx, before: Option<Id<ChartCase>>) -> Result<Vec<ChartCase>, StoreError> {
    const SQL: &str =
        "SELECT id, question, reader, about_from, about_until, complaint_sealed, state, finding, opened_by, opened_at,
                              asked_by, asked_at, answer_sealed, answered_at, decided_by, decided_at, rationale_sealed,
                              letter_sealed, lettered_by, lettered_at, version
                       FROM chart_case WHERE id < $1 ORDER BY id DESC LIMIT $2";
    let before = before.map_or(Uuid::max(), Id::uuid);
    let rows: Vec<CaseRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(before).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    rows.into_iter().map(|row| row.into_case(tx)).collect()
}

/// The cases that no letter has ended, oldest first, at most [`PAGE_ROWS_MAX`].
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_open_cases(tx: &mut Tx) -> Result<Vec<ChartCase>, StoreError> {
    const SQL: &str =
        "SELECT id, question, reader, about_from, about_until, complaint_sealed, state, finding, opened_by, opened_at,
                              asked_by, asked_at, answer_sealed, answered_at, decided_by, decided_at, rationale_sealed,
                              letter_sealed, lettered_by, lettered_at, version
                       FROM chart_case WHERE state <> 'lettered' ORDER BY id LIMIT $1";
    let rows: Vec<CaseRow> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    rows.into_iter().map(|row| row.into_case(tx)).collect()
}

/// The cases in which a person was asked and has not answered, oldest first, at most [`PAGE_ROWS_MAX`].
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_cases_asked_of(tx: &mut Tx, reader: Id<Person>) -> Result<Vec<ChartCase>, StoreError> {
    const SQL: &str =
        "SELECT id, question, reader, about_from, about_until, complaint_sealed, state, finding, opened_by, opened_at,
                              asked_by, asked_at, answer_sealed, answered_at, decided_by, decided_at, rationale_sealed,
                              letter_sealed, lettered_by, lettered_at, version
                       FROM chart_case WHERE reader = $1 AND state = 'asked' ORDER BY id LIMIT $2";
    let rows: Vec<CaseRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(reader.uuid()).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    rows.into_iter().map(|row| row.into_case(tx)).collect()
}
