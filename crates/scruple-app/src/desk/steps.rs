//! Steps before the first record: what a role asks for, what somebody has taken, and what is told of it. A role that is held opens no
//! record before its steps are taken, and is not given before; an emergency is never in the way of them.

use super::{Desk, DeskError, Done, Rules, Who, roles_of};
use crate::record::Record;
use scruple_core::{Id, Timestamp, new_id};
use scruple_flow::step::{Step, StepDone, StepError, StepKind, missing};
use scruple_flow::{Login, Person, RoleCode};
use scruple_policy::Act;
use scruple_store::{
    Aggregate, Position, Store, StoreError, Subject, Tx, find_person, find_person_by_login, insert_step,
    list_pending_requests, open_grants, steps_of,
};
use serde_json::json;
use std::collections::BTreeSet;

/// Steps that one call writes down.
pub const STEPS_MAX: usize = 50;

/// That somebody took a course.
#[derive(Clone, Debug)]
pub struct Trained {
    /// Who.
    pub login: Login,
    /// Which.
    pub step: String,
    /// When.
    pub done_at: Timestamp,
}

impl Desk<'_> {
    /// Who acts says that he has read what a step is about.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn acknowledge(&mut self, who: Who, step: &str) -> Result<Done<StepDone>, DeskError> {
        let known = self.rules.step(step).filter(|step| step.kind == StepKind::Acknowledgement);
        let known = known.ok_or(StepError::Unknown)?;
        let (mut tx, at) = self.begin().await?;
        // Who is here: whatever he holds.
        roles_of(&mut tx, who.person, at).await?;
        let done = self.step(who.person, &known, (at, at), who.person)?;
        insert_step(&mut tx, &done).await?;
        let record = step_record(&done);
        self.commit(tx, &[record], done).await
    }

    /// Somebody who adds people tells which courses they took: all of it or nothing. What is known already is not told again; answers
    /// with how many are new.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn record_training(
        &mut self,
        who: Who,
        trained: &[Trained],
    ) -> Result<(usize, Option<Position>), DeskError> {
        if trained.len() > STEPS_MAX {
            return Err(DeskError::TooMany { max: STEPS_MAX as u64 });
        }
        let (mut tx, at) = self.begin().await?;
        let own = roles_of(&mut tx, who.person, at).await?;
        self.permits(Act::Admit, &own)?;
        let mut records = Vec::new();
        for one in trained {
            let known = self.rules.step(&one.step).filter(|step| step.kind == StepKind::Training);
            let known = known.ok_or(StepError::Unknown)?;
            let person = find_person_by_login(&mut tx, &one.login).await?.ok_or(DeskError::Unknown)?;
            if steps_of(&mut tx, person.id).await?.get(&known.name).is_some_and(|last| *last >= one.done_at) {
                continue;
            }
            let done = self.step(person.id, &known, (one.done_at, at), who.person)?;
            insert_step(&mut tx, &done).await?;
            records.push(step_record(&done));
        }
        if records.is_empty() {
            tx.rollback().await?;
            return Ok((0, None));
        }
        let position = self.commit(tx, &records, ()).await?.position;
        Ok((records.len(), Some(position)))
    }

    fn step(
        &mut self,
        person: Id<Person>,
        step: &Step,
        (done_at, noted_at): (Timestamp, Timestamp),
        by: Id<Person>,
    ) -> Result<StepDone, StepError> {
        let (id, name) = (new_id(noted_at, self.rng), step.name.clone());
        StepDone { id, person, step: name, kind: step.kind, done_at, by, noted_at }.checked()
    }
}

/// Refuses where a person has not taken the steps that a role asks for.
pub(super) async fn has_taken(
    tx: &mut Tx,
    rules: &dyn Rules,
    (person, role): (Id<Person>, &RoleCode),
    at: Timestamp,
) -> Result<(), DeskError> {
    let steps = rules.steps(role);
    if steps.is_empty() {
        return Ok(());
    }
    let done = steps_of(tx, person).await?;
    if missing(&steps, |name| done.get(name).copied(), at).is_empty() { Ok(()) } else { Err(DeskError::Training) }
}

/// The steps that a person's roles, held or asked for at `now`, want of him, each with when he last took it. Nobody of that id: none.
///
/// # Errors
/// The database failed.
pub async fn steps_for(
    store: &Store,
    rules: &dyn Rules,
    (person, now): (Id<Person>, Timestamp),
) -> Result<Option<Vec<(Step, Option<Timestamp>)>>, StoreError> {
    let mut tx = store.begin_read().await?;
    if find_person(&mut tx, person).await?.is_none() {
        return Ok(None);
    }
    let held = open_grants(&mut tx, person, now).await?.into_iter().map(|grant| grant.role);
    let pending = list_pending_requests(&mut tx, now).await?.into_iter();
    let asked = pending.filter(|request| request.person == person).map(|request| request.wanted.role);
    let roles: BTreeSet<RoleCode> = held.chain(asked).collect();
    let done = steps_of(&mut tx, person).await?;
    let mut steps: Vec<Step> = Vec::new();
    for step in roles.iter().flat_map(|role| rules.steps(role)) {
        if steps.iter().all(|known| known.name != step.name) {
            steps.push(step);
        }
    }
    let taken = |step: Step| {
        let at = done.get(&step.name).copied();
        (step, at)
    };
    Ok(Some(steps.into_iter().map(taken).collect()))
}

fn step_record(done: &StepDone) -> Record {
    let body = json!({
        "person": done.person.to_string(),
        "step": done.step,
        "kind": done.kind.as_str(),
        "done_at": done.done_at.micros(),
        "by": done.by.to_string(),
    });
    // A role that waited for it opens records from now on.
    let aggregate = (Aggregate::new("step", done.id), 1);
    Record::new(aggregate, "step_taken", done.noted_at, Subject::Person(done.person), &body)
}
