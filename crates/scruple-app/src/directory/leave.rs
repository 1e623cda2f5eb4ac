//! Leaves and moves that HR plans, the return that a manager confirms, and the book-keeping of moves that are effective.

use super::apply::{grants, leave_record};
use super::user::{about, in_directory};
use super::{Directory, DirectoryError, Done};
use crate::record::Record;
use scruple_core::{Id, Timestamp};
use scruple_flow::directory::{Change, Leave, Lost, Manager, Standing};
use scruple_flow::limits::MANAGERS_UP_MAX;
use scruple_store::{
    Aggregate, Person, Revocation, Subject, Tx, due_moves, find_directory, find_open_leave, lock_person, revoke_grants,
    settle_move, update_leave,
};
use serde_json::json;

impl Directory<'_> {
    /// A leave begins at an instant to come, or now. One that is planned or goes on begins then if that is earlier.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn plan_leave(
        &mut self,
        person: Id<Person>,
        starts_at: Timestamp,
    ) -> Result<Done<Leave>, DirectoryError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        self.check_by(&mut tx, at).await?;
        let record = in_directory(&mut tx, person, None).await?;
        let standing = Standing::at(at, record.person.left_at, None);
        if standing == Standing::Left {
            return Err(DirectoryError::NoPerson);
        }
        lock_person(&mut tx, person).await?;
        // What was lost for a time before it was told of is not known as lost then: it begins now at the earliest.
        let starts_at = starts_at.max(at);
        if let Some(open) = find_open_leave(&mut tx, person).await?
            && open.clone().starts(starts_at)? == open
        {
            return Ok(Done { value: open, changes: Vec::new(), position: None });
        }
        let record = self.leave_starts(&mut tx, about(&record.person, at, None), starts_at).await?;
        let leave = find_open_leave(&mut tx, person).await?.ok_or(DirectoryError::NoLeave)?;
        let position = self.commit(tx, &[record]).await?;
        Ok(Done { value: leave, changes: vec![Change::LeaveStarts], position })
    }

    /// A leave is said to be over. Everything stays suspended until a manager confirms.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn end_leave(&mut self, person: Id<Person>) -> Result<Done<Leave>, DirectoryError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        self.check_by(&mut tx, at).await?;
        let record = in_directory(&mut tx, person, None).await?;
        let open = find_open_leave(&mut tx, person).await?.ok_or(DirectoryError::NoLeave)?;
        if open.clone().ends(at)? == open {
            return Ok(Done { value: open, changes: Vec::new(), position: None });
        }
        let record = self.leave_ends(&mut tx, about(&record.person, at, None)).await?;
        let leave = find_open_leave(&mut tx, person).await?.ok_or(DirectoryError::NoLeave)?;
        let position = self.commit(tx, &[record]).await?;
        Ok(Done { value: leave, changes: vec![Change::LeaveEnds], position })
    }

    /// The manager, who acts, confirms that somebody is back: what was suspended is held again, as far as its time is not
    /// over.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn confirm_return(&mut self, person: Id<Person>) -> Result<Done<Leave>, DirectoryError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        self.check_by(&mut tx, at).await?;
        let open = find_open_leave(&mut tx, person).await?.ok_or(DirectoryError::NoLeave)?;
        let line = line_above(&mut tx, person, at).await?;
        let closed = open.confirmed(self.by, &line, at)?;
        update_leave(&mut tx, &closed).await?;
        let leave = Leave { version: closed.version.saturating_add(1), ..closed };
        let record = leave_record(&leave, "return_confirmed", self.by, at);
        let position = self.commit(tx, &[record]).await?;
        Ok(Done { value: leave, changes: Vec::new(), position })
    }

    /// Somebody will work elsewhere: all that he holds by then is lost at the instant, unless it is approved anew.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn plan_move(&mut self, person: Id<Person>, effective_at: Timestamp) -> Result<Done<()>, DirectoryError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        self.check_by(&mut tx, at).await?;
        let record = in_directory(&mut tx, person, None).await?;
        let changes = vec![Change::Mover(Lost::All)];
        let records = self.apply(&mut tx, about(&record.person, at, Some(effective_at)), &changes).await?;
        let position = self.commit(tx, &records).await?;
        Ok(Done { value: (), changes, position })
    }

    /// Revokes what moves have taken that are effective: it gives nothing already, and now the tables say so too. Run
    /// twice, or by two at once, it does nothing the second time. Answers with how many moves were settled.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn settle_moves(&mut self) -> Result<usize, DirectoryError> {
        let now = self.clock.now();
        let due = due_moves(&mut self.store.begin_read().await?, now).await?;
        let mut settled = 0;
        for one in due {
            let mut tx = self.store.begin().await?;
            let revocation = Revocation { by: one.noted_by, at: one.effective_at };
            match settle_move(&mut tx, one.id, one.version, now).await.map_err(Into::into) {
                Ok(()) => {}
                Err(DirectoryError::Changed) => continue,
                Err(error) => return Err(error),
            }
            let revoked = revoke_grants(&mut tx, one.person, one.role.as_ref(), one.covers_until, revocation).await?;
            let body = json!({ "person": one.person.to_string(), "grants": grants(&revoked) });
            let aggregate = (Aggregate::new("move", one.id), one.version.saturating_add(1));
            let record = Record::new(aggregate, "move_settled", now, Subject::Person(one.person), &body);
            self.commit(tx, &[record]).await?;
            settled += 1;
        }
        Ok(settled)
    }
}

/// The line above a person, from his own manager upwards.
pub(crate) async fn line_above(tx: &mut Tx, person: Id<Person>, at: Timestamp) -> Result<Vec<Manager>, DirectoryError> {
    let mut line = Vec::new();
    let mut of = person;
    while line.len() < MANAGERS_UP_MAX {
        let Some(manager) = find_directory(tx, of).await?.and_then(|record| record.attributes.manager) else { break };
        let known = scruple_store::find_person(tx, manager).await?;
        let leave = find_open_leave(tx, manager).await?;
        let standing = known.map(|known| Standing::at(at, known.left_at, leave.as_ref()));
        let is_here = matches!(standing, Some(Standing::Here | Standing::LeavePlanned));
        line.push(Manager { person: manager, is_here });
        of = manager;
    }
    Ok(line)
}
