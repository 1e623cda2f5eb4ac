//! Deputies: named, accepted, ended; and what somebody may decide in the place of others at an instant.

use super::{Desk, DeskError, Done, Rules, Who, line_manager, roles_of};
use crate::record::Record;
use scruple_core::{Id, Timestamp, new_id};
use scruple_flow::{Approver, ApproverKind, Deputy, DeputyAs, DeputyState, Person, RoleCode, Window};
use scruple_policy::{Act, ActScope};
use scruple_store::{
    Store, Tx, deputies_in_force, find_deputy, find_person, insert_deputy, lock_person, suspensions, update_deputy,
};
use std::collections::BTreeSet;

/// Whom somebody would name.
#[derive(Clone, Copy, Debug)]
pub struct DeputyAsk {
    /// Who would stand in.
    pub deputy: Id<Person>,
    /// As what.
    pub capacity: DeputyAs,
    /// From when; none: from now on.
    pub starts_at: Option<Timestamp>,
    /// Until when.
    pub ends_at: Timestamp,
}

/// Somebody for whom another stands in, who is here, with the roles that he holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deputised {
    /// Who.
    pub person: Id<Person>,
    /// What he holds now: of a deputy of his own nothing is in it.
    pub roles: BTreeSet<RoleCode>,
}

/// The act that somebody does as a deputy.
const fn act(capacity: DeputyAs) -> Act {
    match capacity {
        DeputyAs::Approver => Act::Decide,
        DeputyAs::Reviewer => Act::Reviews,
    }
}

/// Those for whom somebody stands in at an instant. Whoever of them is not here, or holds nothing, is left out; whoever is on leave himself
/// stands in for nobody.
///
/// # Errors
/// The database failed.
pub async fn deputised(
    tx: &mut Tx,
    (person, capacity): (Id<Person>, DeputyAs),
    at: Timestamp,
) -> Result<Vec<Deputised>, DeskError> {
    let mut found: Vec<Deputised> = Vec::new();
    // relies on (leave-suspends), (idle-ends)
    if suspensions(tx, person, at).await?.iter().any(|one| one.contains(at)) {
        return Ok(found);
    }
    // relies on (deputy-in-force)
    for one in deputies_in_force(tx, (person, capacity), at).await? {
        if found.iter().any(|known| known.person == one.principal) {
            continue;
        }
        match roles_of(tx, one.principal, at).await {
            Ok(roles) if !roles.is_empty() => found.push(Deputised { person: one.principal, roles }),
            Ok(_) | Err(DeskError::Gone) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// How far somebody may go with an act in the place of others; none: not at all.
///
/// # Errors
/// The database failed.
pub async fn deputy_scope(
    store: &Store,
    rules: &dyn Rules,
    (person, wanted): (Id<Person>, Act),
    at: Timestamp,
) -> Result<Option<ActScope>, DeskError> {
    let Some(capacity) = DeputyAs::ALL.into_iter().find(|one| act(*one) == wanted) else { return Ok(None) };
    let others = deputised(&mut store.begin_read().await?, (person, capacity), at).await?;
    Ok(others.iter().filter_map(|other| rules.scope(wanted, &other.roles)).max())
}

impl Desk<'_> {
    /// Names somebody who stands in for who acts, once he has accepted.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn name_deputy(&mut self, who: Who, ask: DeputyAsk) -> Result<Done<Deputy>, DeskError> {
        let id = new_id(self.clock.now(), self.rng);
        self.name_deputy_as(who, id, ask).await
    }

    /// The same under an id that was drawn before.
    ///
    /// # Errors
    /// See [`DeskError`]. Under an id that is taken: [`DeskError::Changed`].
    pub async fn name_deputy_as(
        &mut self,
        who: Who,
        id: Id<Deputy>,
        ask: DeputyAsk,
    ) -> Result<Done<Deputy>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        // Whoever leaves meanwhile waits, and then ends it.
        for person in BTreeSet::from([who.person, ask.deputy]) {
            lock_person(&mut tx, person).await?;
        }
        let own = roles_of(&mut tx, who.person, at).await?;
        // Nobody passes on what he may not do himself.
        self.permits(act(ask.capacity), &own)?;
        let here = find_person(&mut tx, ask.deputy).await?;
        here.filter(|person| person.left_at.is_none_or(|left| left > at)).ok_or(DeskError::PersonGone)?;
        let window = Window::new(ask.starts_at.unwrap_or(at), ask.ends_at)
            .map_err(|_| DeskError::Deputy(scruple_flow::DeputyError::Over))?;
        let deputy = Deputy {
            id,
            principal: who.person,
            deputy: ask.deputy,
            capacity: ask.capacity,
            window,
            named_at: at,
            state: DeputyState::Named,
            version: 1,
        }
        .named(at)?;
        insert_deputy(&mut tx, &deputy).await?;
        let record = Record::deputy(&deputy, 1, at, who.person);
        self.commit(tx, &[record], deputy).await
    }

    /// The deputy says yes.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn accept_deputy(&mut self, who: Who, id: Id<Deputy>, version: i64) -> Result<Done<Deputy>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        roles_of(&mut tx, who.person, at).await?;
        let accepted = own(&mut tx, who, id, version).await?.accept(who.person, at)?;
        self.put_deputy(tx, accepted, version, (who, at)).await
    }

    /// One of the two ends it; a deputy who has not accepted declines by it.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn end_deputy(&mut self, who: Who, id: Id<Deputy>, version: i64) -> Result<Done<Deputy>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        roles_of(&mut tx, who.person, at).await?;
        let ended = own(&mut tx, who, id, version).await?.end(who.person, at)?;
        self.put_deputy(tx, ended, version, (who, at)).await
    }

    async fn put_deputy(
        &mut self,
        mut tx: Tx,
        deputy: Deputy,
        version: i64,
        (who, at): (Who, Timestamp),
    ) -> Result<Done<Deputy>, DeskError> {
        update_deputy(&mut tx, &deputy, version).await?;
        let record = Record::deputy(&deputy, version + 1, at, who.person);
        self.commit(tx, &[record], Deputy { version: version + 1, ..deputy }).await
    }

    /// As whom somebody may decide on what `of` would get: as himself first, then in the place of each for whom he stands in, as far as
    /// the console lets each of them decide.
    ///
    /// # Errors
    /// He may not decide at all.
    pub(super) async fn deciders(
        &mut self,
        tx: &mut Tx,
        who: Who,
        of: Id<Person>,
        at: Timestamp,
    ) -> Result<Vec<Approver>, DeskError> {
        let roles = roles_of(tx, who.person, at).await?;
        let mut deciders = Vec::new();
        if self.rules.scope(Act::Decide, &roles).is_some() {
            deciders.push(approver(tx, who, None, roles, of).await?);
        }
        for other in deputised(tx, (who.person, DeputyAs::Approver), at).await? {
            if self.rules.scope(Act::Decide, &other.roles).is_some() {
                deciders.push(approver(tx, who, Some(other.person), other.roles, of).await?);
            }
        }
        if deciders.is_empty() { Err(DeskError::Forbidden) } else { Ok(deciders) }
    }
}

/// Somebody as an approver of what `of` would get: by the roles, and as the line manager if it is that of whom he decides in the place.
pub(super) async fn approver(
    tx: &mut Tx,
    who: Who,
    acting_for: Option<Id<Person>>,
    roles: BTreeSet<RoleCode>,
    of: Id<Person>,
) -> Result<Approver, DeskError> {
    let mut kinds: BTreeSet<ApproverKind> = roles.into_iter().map(ApproverKind::Role).collect();
    if line_manager(tx, of).await? == Some(acting_for.unwrap_or(who.person)) {
        kinds.insert(ApproverKind::LineManager);
    }
    Ok(Approver { person: who.person, acting_for, kinds, stepped_up: who.stepped_up })
}

/// A deputy as it was seen, for one of the two; for anybody else there is none.
async fn own(tx: &mut Tx, who: Who, id: Id<Deputy>, version: i64) -> Result<Deputy, DeskError> {
    let found = find_deputy(tx, id).await?;
    let found = found.filter(|one| [one.principal, one.deputy].contains(&who.person)).ok_or(DeskError::Unknown)?;
    if found.version == version { Ok(found) } else { Err(DeskError::Changed) }
}
