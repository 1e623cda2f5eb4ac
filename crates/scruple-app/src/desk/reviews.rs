//! Reviews of emergencies: told by the reader, asked about, closed by somebody else.

use super::{Desk, DeskError, Done, Who, line_manager, roles_of, vouched_for_by};
use crate::record::Record;
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::{EmergencyReview, Finding, Reviewer};
use scruple_policy::Act;
use scruple_store::{Tx, find_review, update_review};

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
        let told = review.tell(who.person, account, last.as_ref().map(|last| last.expose().as_str()))?;
        self.put_review(tx, told, version, (who, at)).await
    }

    /// Asks the reader what an emergency was for.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn ask_reader(
        &mut self,
        who: Who,
        id: Id<EmergencyReview>,
        version: i64,
    ) -> Result<Done<EmergencyReview>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let review = seen(&mut tx, id, version).await?;
        let by = self.reviewer(&mut tx, who, &review, at).await?;
        let asked = review.ask(by, at)?;
        self.put_review(tx, asked, version, (who, at)).await
    }

    /// Closes the review of an emergency.
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
        let (mut tx, at) = self.begin().await?;
        let review = seen(&mut tx, id, version).await?;
        let by = self.reviewer(&mut tx, who, &review, at).await?;
        let closed = review.close(by, finding, rationale, at)?;
        self.put_review(tx, closed, version, (who, at)).await
    }

    async fn reviewer(
        &mut self,
        tx: &mut Tx,
        who: Who,
        review: &EmergencyReview,
        at: Timestamp,
    ) -> Result<Reviewer, DeskError> {
        let roles = roles_of(tx, who.person, at).await?;
        self.permits(Act::Reviews, &roles)?;
        let over_reader = line_manager(tx, review.reader).await?;
        let over_reviewer = line_manager(tx, who.person).await?;
        let is_of_the_same_line = over_reader.is_some_and(|over| over == who.person || over_reviewer == Some(over))
            || over_reviewer == Some(review.reader)
            || vouched_for_by(tx, who.person, &[review.reader]).await?;
        Ok(Reviewer { person: who.person, is_of_the_same_line })
    }

    async fn put_review(
        &mut self,
        mut tx: Tx,
        review: EmergencyReview,
        version: i64,
        (who, at): (Who, Timestamp),
    ) -> Result<Done<EmergencyReview>, DeskError> {
        update_review(&mut tx, &review, version).await?;
        let record = Record::review(&review, version + 1, at, who.person);
        self.commit(tx, &[record], EmergencyReview { version: version + 1, ..review }).await
    }
}

async fn seen(tx: &mut Tx, id: Id<EmergencyReview>, version: i64) -> Result<EmergencyReview, DeskError> {
    let review = find_review(tx, id).await?.ok_or(DeskError::Unknown)?;
    if review.version == version { Ok(review) } else { Err(DeskError::Changed) }
}
