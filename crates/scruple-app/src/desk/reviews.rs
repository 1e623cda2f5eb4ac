//! Reviews of emergencies: told by the reader, asked about, closed by somebody else.

use super::{Desk, DeskError, Done, Who, deputised, line_manager, roles_of, vouched_for_by};
use crate::record::{Acting, Record};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::{
    CaseWorker, ChartCase, ChartQuestion, DeputyAs, EmergencyReview, Finding, NewCase, Person, QuestionCause,
    ReviewError, Reviewer,
};
use scruple_policy::Act;
use scruple_store::{Position, Tx, find_elevation, find_review, insert_case, insert_question, update_review};

/// What became of like cases.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Alike {
    /// Those that were closed.
    pub closed: usize,
    /// Those that were left.
    pub left: usize,
    /// The last event of it, to wait for.
    pub position: Option<Position>,
}

/// How a review is closed.
#[derive(Clone, Copy)]
enum Closing {
    /// By itself.
    Alone(Finding),
    /// As justified, together with like ones.
    Alike,
}

impl Desk<'_> {
    /// The reader tells what an emergency was for.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn tell_review(
        &mut self,
        who: Who,
        id: Id<EmergencyReview>,
        version: i64,
        account: Phi<String>,
    ) -> Result<Done<EmergencyReview>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        roles_of(&mut tx, who.person, at).await?;
        let review = seen(&mut tx, id, version).await?;
        let last = review.account.clone();
        let told = review.tell(who.person, account, last.as_ref().map(|last| last.expose().as_str()), at)?;
        self.put_review(tx, told, version, ((who.person, None), at)).await
    }

    /// Asks the reader what an emergency was for, in words that he reads.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn ask_reader(
        &mut self,
        who: Who,
        id: Id<EmergencyReview>,
        version: i64,
        words: Phi<String>,
    ) -> Result<Done<EmergencyReview>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let review = seen(&mut tx, id, version).await?;
        let (by, acting) = self.reviewer(&mut tx, who, &review, at).await?;
        let asked = review.ask(by, words, at)?;
        self.put_review(tx, asked, version, (acting, at)).await
    }

    /// Closes the review of an emergency. What was not justified is a case about the reader at once, under the id of the review.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn close_review(
        &mut self,
        who: Who,
        id: Id<EmergencyReview>,
        version: i64,
        finding: Finding,
        rationale: Phi<String>,
    ) -> Result<Done<EmergencyReview>, DeskError> {
        self.close_as(who, (id, version), Closing::Alone(finding), rationale).await
    }

    async fn close_as(
        &mut self,
        who: Who,
        (id, version): (Id<EmergencyReview>, i64),
        closing: Closing,
        rationale: Phi<String>,
    ) -> Result<Done<EmergencyReview>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let review = seen(&mut tx, id, version).await?;
        let (by, acting) = self.reviewer(&mut tx, who, &review, at).await?;
        let closed = match closing {
            Closing::Alone(finding) => review.close(by, finding, rationale.clone(), at)?,
            Closing::Alike => {
                let elevation = find_elevation(&mut tx, review.elevation).await?.ok_or(DeskError::Unknown)?;
                review.close_alike(&elevation.held, by, rationale.clone(), at)?
            }
        };
        update_review(&mut tx, &closed, version).await?;
        let mut records = vec![Record::review(&closed, version + 1, at, acting)];
        if matches!(closing, Closing::Alone(Finding::Unjustified)) {
            records.extend(self.case_of(&mut tx, &closed, by, rationale, at).await?);
        }
        self.commit(tx, &records, EmergencyReview { version: version + 1, ..closed }).await
    }

    /// Opens the case about an emergency that was not justified: the question is who opened this chart while it was open.
    async fn case_of(
        &mut self,
        tx: &mut Tx,
        review: &EmergencyReview,
        by: Reviewer,
        complaint: Phi<String>,
        at: Timestamp,
    ) -> Result<[Record; 2], DeskError> {
        let elevation = find_elevation(tx, review.elevation).await?.ok_or(DeskError::Unknown)?;
        let (from, until) = (elevation.held.window.starts_at(), elevation.held.window.ends_at());
        let patient = elevation.held.patient.reference().expose().clone();
        // A log may write the id where others write the number.
        let keys = vec![patient.clone(), format!("number:{}", elevation.held.patient.id())];
        let question = ChartQuestion {
            id: Id::from_uuid(review.id.uuid()),
            patient: Phi::new(patient),
            keys: Phi::new(keys),
            from,
            until,
            cause: QuestionCause::Incident,
            asked_by: by.person,
            asked_at: at,
        };
        insert_question(tx, &question).await?;
        let (id, reader) = (Id::from_uuid(review.id.uuid()), review.reader);
        let new = NewCase { id, question: question.id, reader, about: (from, until), complaint };
        let worker = CaseWorker { person: by.person, is_of_the_same_line: by.is_of_the_same_line };
        let case = ChartCase::open(new, worker, at)?;
        insert_case(tx, &case).await?;
        Ok([Record::chart_asked(&question), Record::case(&case, 1, at, by.person)])
    }

    /// Closes like cases as justified by one sentence, each for itself: one that has gone on meanwhile, that somebody else must
    /// review, or that stands alone (`EmergencyReview::stands_alone`) is left as it is.
    ///
    /// # Errors
    /// See [`DeskError`]; what was closed before it stays closed.
    pub async fn justify_alike(
        &mut self,
        who: Who,
        reviews: &[(Id<EmergencyReview>, i64)],
        rationale: &Phi<String>,
    ) -> Result<Alike, DeskError> {
        let mut alike = Alike::default();
        for (id, version) in reviews {
            let rationale = rationale.clone();
            match self.close_as(who, (*id, *version), Closing::Alike, rationale).await {
                Ok(done) => {
                    alike.closed += 1;
                    alike.position = Some(done.position);
                }
                Err(
                    DeskError::Changed
                    | DeskError::Unknown
                    | DeskError::Review(
                        ReviewError::NotIndependent | ReviewError::StandsAlone | ReviewError::Transition { .. },
                    ),
                ) => alike.left += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(alike)
    }

    /// Somebody as a reviewer: himself if the console lets him, else in the place of the first for whom he stands in and whom it lets.
    /// Neither of the two may be close to the reader.
    async fn reviewer(
        &mut self,
        tx: &mut Tx,
        who: Who,
        review: &EmergencyReview,
        at: Timestamp,
    ) -> Result<(Reviewer, Acting), DeskError> {
        let roles = roles_of(tx, who.person, at).await?;
        let own = close_to_reader(tx, who.person, review.reader).await?;
        let himself = Reviewer { person: who.person, is_of_the_same_line: own };
        if self.rules.scope(Act::Reviews, &roles).is_some() {
            return Ok((himself, (who.person, None)));
        }
        let mut refused = None;
        for other in deputised(tx, (who.person, DeputyAs::Reviewer), at).await? {
            if self.rules.scope(Act::Reviews, &other.roles).is_none() {
                continue;
            }
            let close =
                own || other.person == review.reader || close_to_reader(tx, other.person, review.reader).await?;
            let found = (Reviewer { is_of_the_same_line: close, ..himself }, (who.person, Some(other.person)));
            if !close {
                return Ok(found);
            }
            refused = Some(found);
        }
        refused.ok_or(DeskError::Forbidden)
    }

    async fn put_review(
        &mut self,
        mut tx: Tx,
        review: EmergencyReview,
        version: i64,
        (acting, at): (Acting, Timestamp),
    ) -> Result<Done<EmergencyReview>, DeskError> {
        update_review(&mut tx, &review, version).await?;
        let record = Record::review(&review, version + 1, at, acting);
        self.commit(tx, &[record], EmergencyReview { version: version + 1, ..review }).await
    }
}

/// Whether somebody and the reader have the same line manager, one is the other's, or the reader made the other's sign-in.
async fn close_to_reader(tx: &mut Tx, person: Id<Person>, reader: Id<Person>) -> Result<bool, DeskError> {
    let over_reader = line_manager(tx, reader).await?;
    let over_person = line_manager(tx, person).await?;
    Ok(over_reader.is_some_and(|over| over == person || over_person == Some(over))
        || over_person == Some(reader)
        || vouched_for_by(tx, person, &[reader]).await?)
}

async fn seen(tx: &mut Tx, id: Id<EmergencyReview>, version: i64) -> Result<EmergencyReview, DeskError> {
    let review = find_review(tx, id).await?.ok_or(DeskError::Unknown)?;
    if review.version == version { Ok(review) } else { Err(DeskError::Changed) }
}
