//! Questions about charts, and the cases that grow out of them: asked by the privacy office, answered by the reader, decided by
//! somebody who is not of his team, ended by a letter.

use super::{Desk, DeskError, Done, Who, line_manager, roles_of, vouched_for_by};
use crate::record::Record;
use scruple_core::{Id, Phi, Timestamp, new_id};
use scruple_flow::{CaseFinding, CaseWorker, ChartCase, ChartQuestion, NewCase, Person, QuestionCause};
use scruple_policy::Act;
use scruple_store::{Tx, find_case, find_person, find_question, insert_case, insert_question, update_case};

/// Who opened a chart, asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChartAsk {
    /// Whose chart.
    pub patient: Phi<String>,
    /// By all these the logs may name him.
    pub keys: Phi<Vec<String>>,
    /// From when on, until when.
    pub period: (Timestamp, Timestamp),
    /// Why it is asked.
    pub cause: QuestionCause,
}

/// What a case is to be about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CaseAsk {
    /// The history that it grows out of.
    pub question: Id<ChartQuestion>,
    /// Whose access it is about.
    pub reader: Id<Person>,
    /// The first and the last access that it is about.
    pub about: (Timestamp, Timestamp),
    /// What is complained of.
    pub complaint: Phi<String>,
}

impl Desk<'_> {
    /// Records that somebody asks who opened a chart: what is told afterwards is told under it.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn ask_about_chart(&mut self, who: Who, ask: ChartAsk) -> Result<Done<ChartQuestion>, DeskError> {
        let id = new_id(self.clock.now(), self.rng);
        self.ask_about_chart_as(who, id, ask).await
    }

    /// The same under an id that was drawn before.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn ask_about_chart_as(
        &mut self,
        who: Who,
        id: Id<ChartQuestion>,
        ask: ChartAsk,
    ) -> Result<Done<ChartQuestion>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let roles = roles_of(&mut tx, who.person, at).await?;
        self.permits(Act::Charts, &roles)?;
        if ask.period.0 >= ask.period.1 || ask.keys.expose().is_empty() {
            return Err(DeskError::Unknown);
        }
        let question = ChartQuestion {
            id,
            patient: ask.patient,
            keys: ask.keys,
            from: ask.period.0,
            until: ask.period.1,
            cause: ask.cause,
            asked_by: who.person,
            asked_at: at,
        };
        insert_question(&mut tx, &question).await?;
        let record = Record::chart_asked(&question);
        self.commit(tx, &[record], question).await
    }

    /// Opens a case about one reader of a chart.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn open_case(&mut self, who: Who, ask: CaseAsk) -> Result<Done<ChartCase>, DeskError> {
        let id = new_id(self.clock.now(), self.rng);
        self.open_case_as(who, id, ask).await
    }

    /// The same under an id that was drawn before.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn open_case_as(
        &mut self,
        who: Who,
        id: Id<ChartCase>,
        ask: CaseAsk,
    ) -> Result<Done<ChartCase>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let by = self.case_worker(&mut tx, who, ask.reader, at).await?;
        find_question(&mut tx, ask.question).await?.ok_or(DeskError::Unknown)?;
        find_person(&mut tx, ask.reader).await?.ok_or(DeskError::Unknown)?;
        let new =
            NewCase { id, question: ask.question, reader: ask.reader, about: ask.about, complaint: ask.complaint };
        let case = ChartCase::open(new, by, at)?;
        insert_case(&mut tx, &case).await?;
        let record = Record::case(&case, 1, at, who.person);
        self.commit(tx, &[record], case).await
    }

    /// Asks the reader.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn ask_about_case(
        &mut self,
        who: Who,
        id: Id<ChartCase>,
        version: i64,
    ) -> Result<Done<ChartCase>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let case = seen(&mut tx, id, version).await?;
        let by = self.case_worker(&mut tx, who, case.reader, at).await?;
        let asked = case.ask(by, at)?;
        self.put_case(tx, asked, version, (who, at)).await
    }

    /// The reader answers.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn answer_case(
        &mut self,
        who: Who,
        id: Id<ChartCase>,
        version: i64,
        text: Phi<String>,
    ) -> Result<Done<ChartCase>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        roles_of(&mut tx, who.person, at).await?;
        let case = seen(&mut tx, id, version).await?;
        let answered = case.answer(who.person, text, at)?;
        self.put_case(tx, answered, version, (who, at)).await
    }

    /// Decides a case.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn decide_case(
        &mut self,
        who: Who,
        id: Id<ChartCase>,
        version: i64,
        finding: CaseFinding,
        rationale: Phi<String>,
    ) -> Result<Done<ChartCase>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let case = seen(&mut tx, id, version).await?;
        let by = self.case_worker(&mut tx, who, case.reader, at).await?;
        let decided = case.decide(by, finding, rationale, at)?;
        self.put_case(tx, decided, version, (who, at)).await
    }

    /// Makes the letter that ends a case.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn letter_case(
        &mut self,
        who: Who,
        id: Id<ChartCase>,
        version: i64,
        text: Phi<String>,
    ) -> Result<Done<ChartCase>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let case = seen(&mut tx, id, version).await?;
        let by = self.case_worker(&mut tx, who, case.reader, at).await?;
        let lettered = case.letter(by, text, at)?;
        self.put_case(tx, lettered, version, (who, at)).await
    }

    async fn case_worker(
        &mut self,
        tx: &mut Tx,
        who: Who,
        reader: Id<Person>,
        at: Timestamp,
    ) -> Result<CaseWorker, DeskError> {
        let roles = roles_of(tx, who.person, at).await?;
        self.permits(Act::Charts, &roles)?;
        Ok(CaseWorker { person: who.person, is_of_the_same_line: same_line(tx, who.person, reader).await? })
    }

    async fn put_case(
        &mut self,
        mut tx: Tx,
        case: ChartCase,
        version: i64,
        (who, at): (Who, Timestamp),
    ) -> Result<Done<ChartCase>, DeskError> {
        update_case(&mut tx, &case, version).await?;
        let record = Record::case(&case, version + 1, at, who.person);
        self.commit(tx, &[record], ChartCase { version: version + 1, ..case }).await
    }
}

/// Whether somebody is of the team of whom a complaint is about: the same manager, one the other's, or let in by him.
pub(super) async fn same_line(tx: &mut Tx, worker: Id<Person>, reader: Id<Person>) -> Result<bool, DeskError> {
    let over_reader = line_manager(tx, reader).await?;
    let over_worker = line_manager(tx, worker).await?;
    let is_of_the_same_line = over_reader.is_some_and(|over| over == worker || over_worker == Some(over));
    Ok(is_of_the_same_line || over_worker == Some(reader) || vouched_for_by(tx, worker, &[reader]).await?)
}

/// Whether somebody is told of a complaint: not of one about himself, nor about somebody of his line.
pub(crate) async fn is_told_of(tx: &mut Tx, person: Id<Person>, case: &ChartCase) -> Result<bool, DeskError> {
    Ok(case.reader != person && !same_line(tx, person, case.reader).await?)
}

async fn seen(tx: &mut Tx, id: Id<ChartCase>, version: i64) -> Result<ChartCase, DeskError> {
    let case = find_case(tx, id).await?.ok_or(DeskError::Unknown)?;
    if case.version == version { Ok(case) } else { Err(DeskError::Changed) }
}
