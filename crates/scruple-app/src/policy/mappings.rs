//! Mappings of roles to kinds of information: when each is due to be looked at, what opens a review before that, and how it is
//! closed. A year is a house rule; the law says reviewed and modified (45 CFR 164.308(a)(4)(ii)(C)).

use crate::desk::{Desk, DeskError, Done, Who, roles_of};
use crate::message::{Told, tell};
use crate::record::Record;
use rand_core::Rng;
use scruple_core::{Id, PackHash, Phi, Timestamp, new_id};
use scruple_flow::{MappingCause, MappingDecision, MappingReview, MappingVerdict, RoleCode};
use scruple_policy::{Act, Pack};
use scruple_store::limits::PAGE_ROWS_MAX;
use scruple_store::{
    NewMappingReview, Position, Store, StoreError, Tx, active_pack_as_of, close_mapping_review, find_mapping_review,
    insert_mapping_review, last_mapping_reviews, list_open_mapping_reviews, list_packs,
};
use std::collections::{BTreeMap, BTreeSet};

/// Days after which a mapping is due to be looked at again (house rule).
pub const MAPPING_DAYS: i64 = 366;
/// Days within which a review that a change has opened is to be closed (house rule).
const CHANGED_DAYS: i64 = 30;
const DAY_MICROS: i64 = 24 * 3_600_000_000;

/// Where the mapping of a role stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MappingState {
    /// When it was last changed or looked at; none: it has no history here.
    pub touched_at: Option<Timestamp>,
    /// Until when it is to be looked at.
    pub due_at: Option<Timestamp>,
    /// A review that is open.
    pub open: Option<MappingReview>,
    /// It is late: a finding.
    pub is_late: bool,
}

/// Where each role of the workforce stands at an instant.
///
/// # Errors
/// The database failed.
pub async fn mapping_states(
    store: &Store,
    pack: &Pack,
    now: Timestamp,
) -> Result<BTreeMap<String, MappingState>, StoreError> {
    let mut tx = store.begin_read().await?;
    let reviewed = last_mapping_reviews(&mut tx).await?;
    let open = list_open_mapping_reviews(&mut tx).await?;
    let changed = changed_at(&mut tx).await?;
    let roles = pack.roles.values().filter(|role| !role.is_profile);
    Ok(roles
        .map(|role| {
            let review = open.iter().find(|review| review.role.as_str() == role.name).cloned();
            let last = changed.get(&role.name).or_else(|| changed.get(ALL)).copied();
            let touched_at = last.max(reviewed.get(&role.name).copied());
            let due = touched_at.map(|at| at.plus_micros(MAPPING_DAYS * DAY_MICROS));
            let due_at = match &review {
                Some(review) => Some(due.map_or(review.due_at, |due| due.min(review.due_at))),
                None => due,
            };
            // What nobody has ever looked at is not in time.
            let is_late = due_at.is_none_or(|due| due <= now);
            (role.name.clone(), MappingState { touched_at, due_at, open: review, is_late })
        })
        .collect())
}

/// The roles that open nothing at `now`: those that nobody has looked at for so many days after the end of their reviews as the policy
/// says. Where it says none, and of clinical roles: none.
///
/// # Errors
/// The database failed.
// relies on (care-continues)
pub async fn overdue_roles(store: &Store, pack: &Pack, now: Timestamp) -> Result<BTreeSet<String>, StoreError> {
    let days = pack.desk.overdue_closes_after_days;
    if days == 0 {
        return Ok(BTreeSet::new());
    }
    let is_clinical =
        |name: &str| pack.roles.get(name).is_none_or(|role| role.passes || role.emergency_access || role.is_profile);
    let over = |review: &MappingReview| review.due_at.plus_micros(days.saturating_mul(DAY_MICROS)) <= now;
    let states = mapping_states(store, pack, now).await?.into_iter();
    let overdue = states.filter(|(name, state)| !is_clinical(name) && state.open.as_ref().is_some_and(over));
    Ok(overdue.map(|(name, _)| name).collect())
}

/// Stands for every role of the first version.
const ALL: &str = "*";

/// When each role was last changed by a version; under [`ALL`], when the history begins.
async fn changed_at(tx: &mut Tx) -> Result<BTreeMap<String, Timestamp>, StoreError> {
    let mut changed = BTreeMap::new();
    let mut last = None;
    loop {
        let page = list_packs(tx, last, PAGE_ROWS_MAX).await?;
        let Some(end) = page.last() else { return Ok(changed) };
        last = Some(end.id);
        for pack in &page {
            use scruple_flow::PackState::{Active, Superseded};
            let (Active(term) | Superseded { term, .. }) = &pack.state else { continue };
            changed.entry(ALL.to_owned()).or_insert(term.since);
            if let Some((case, _)) = &term.decided {
                for role in &case.changed {
                    let at = changed.entry(role.clone()).or_insert(term.since);
                    *at = term.since.max(*at);
                }
            }
        }
    }
}

/// Something that has happened to the organisation: a merger, a new unit, a new record system.
#[derive(Clone, Debug)]
pub struct OrganisationChange {
    /// The roles that it bears on; empty: all.
    pub roles: BTreeSet<RoleCode>,
}

impl Desk<'_> {
    /// Opens a review for each role that a change of the organisation bears on and that has none open.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn organisation_changed(
        &mut self,
        who: Who,
        pack: &Pack,
        change: &OrganisationChange,
    ) -> Result<(usize, Option<Position>), DeskError> {
        let (mut tx, at) = self.begin().await?;
        let own = roles_of(&mut tx, who.person, at).await?;
        self.permits(Act::Propose, &own)?;
        let wanted = |role: &RoleCode| change.roles.is_empty() || change.roles.contains(role);
        let roles = workforce(pack).filter(wanted).collect();
        let records = self.open_all(&mut tx, roles, MappingCause::OrganisationChanged, at).await?;
        self.close_up(tx, &records).await
    }

    /// Opens a review for each role whose year is over and that has none open. A job runs it; a second run opens nothing.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn open_due_mappings(&mut self, pack: &Pack) -> Result<(usize, Option<Position>), DeskError> {
        let now = self.clock.now();
        let states = mapping_states(self.store, pack, now).await?;
        let late =
            |role: &RoleCode| states.get(role.as_str()).is_some_and(|state| state.is_late && state.open.is_none());
        let roles: Vec<RoleCode> = workforce(pack).filter(late).collect();
        if roles.is_empty() {
            return Ok((0, None));
        }
        let (mut tx, at) = self.begin().await?;
        let records = self.open_all(&mut tx, roles, MappingCause::Due, at).await?;
        self.close_up(tx, &records).await
    }

    async fn close_up(&mut self, tx: Tx, records: &[Record]) -> Result<(usize, Option<Position>), DeskError> {
        if records.is_empty() {
            tx.rollback().await?;
            return Ok((0, None));
        }
        let done = self.commit(tx, records, ()).await?;
        Ok((records.len(), Some(done.position)))
    }

    async fn open_all(
        &mut self,
        tx: &mut Tx,
        roles: Vec<RoleCode>,
        cause: MappingCause,
        at: Timestamp,
    ) -> Result<Vec<Record>, DeskError> {
        let active = active_pack_as_of(tx, at).await?.ok_or(DeskError::Unknown)?.hash;
        let open = list_open_mapping_reviews(tx).await?;
        let mut records = Vec::new();
        for role in roles.into_iter().filter(|role| !open.iter().any(|review| review.role == *role)) {
            records.push(self.open_mapping(tx, role, active, cause, at).await?);
        }
        Ok(records)
    }

    pub(super) async fn open_mapping(
        &mut self,
        tx: &mut Tx,
        role: RoleCode,
        pack: PackHash,
        cause: MappingCause,
        at: Timestamp,
    ) -> Result<Record, DeskError> {
        let rng: &mut (dyn Rng + Send) = self.rng;
        let due_at = at.plus_micros(CHANGED_DAYS * DAY_MICROS);
        let new = NewMappingReview { id: new_id(at, rng), role, pack, cause, opened_at: at, due_at };
        insert_mapping_review(tx, &new).await?;
        tell(tx, self.rng, Told::MappingDue(new.id), at, at).await?;
        tell(tx, self.rng, Told::MappingLate(new.id), at, due_at).await?;
        Ok(Record::mapping_opened(&new))
    }

    /// Closes a review by a decision for each kind of information that the role has under the active pack.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn close_mapping(
        &mut self,
        who: Who,
        (id, version): (Id<MappingReview>, i64),
        pack: &Pack,
        decisions: BTreeMap<String, MappingDecision>,
        comment: Phi<String>,
    ) -> Result<Done<MappingReview>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let own = roles_of(&mut tx, who.person, at).await?;
        self.permits(Act::Propose, &own)?;
        let review = find_mapping_review(&mut tx, id).await?.ok_or(DeskError::Unknown)?;
        if review.version != version {
            return Err(DeskError::Changed);
        }
        let kinds = kinds_of(pack, review.role.as_str());
        let closed = review.close(&kinds, MappingVerdict { by: who.person, at, decisions, comment })?;
        close_mapping_review(&mut tx, &closed, version).await?;
        let record = Record::mapping_closed(&closed, version + 1);
        self.commit(tx, &[record], MappingReview { version: version + 1, ..closed }).await
    }
}

fn workforce(pack: &Pack) -> impl Iterator<Item = RoleCode> + '_ {
    pack.roles.values().filter(|role| !role.is_profile).filter_map(|role| role.name.parse().ok())
}

/// The kinds of information that a role has.
pub(super) fn kinds_of(pack: &Pack, role: &str) -> BTreeSet<String> {
    let permits = pack.roles.get(role).map_or(&[][..], |role| role.permits.as_slice());
    let categories = permits.iter().flat_map(|permit| &permit.categories);
    categories.map(|category| pack.category_name(*category).to_owned()).collect()
}
