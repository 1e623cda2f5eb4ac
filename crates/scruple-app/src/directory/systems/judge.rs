//! Compares what a system was read to grant with what is held here now. It asks no system anything, so that it can be done every few
//! seconds: what ends here is asked to be removed there at once.

use super::super::{Directory, DirectoryError};
use super::{SystemTimes, drift_record};
use crate::limits::SYSTEM_LEAVES_MAX;
use crate::record::Record;
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::connected::{
    ConnectedSystem, Drift, DriftCause, DriftError, DriftKind, DriftState, SystemRight, There,
};
use scruple_store::{
    DriftFilter, Person, StoreError, SystemHolding, Tx, due_removals, find_holding, find_open_drift, insert_drift,
    list_drift, list_holdings_of, missing_holdings, unbacked_holdings, undecided_rights,
};
use std::collections::BTreeMap;

/// What is wrong: of which kind, with which account by its reference, with which right.
type Key = (DriftKind, Option<String>, Option<Id<SystemRight>>);

/// Something that is wrong now.
struct Wrong {
    kind: DriftKind,
    cause: DriftCause,
    account: Option<Phi<There>>,
    person: Option<Id<Person>>,
    right: Option<Id<SystemRight>>,
}

impl Wrong {
    fn held(holding: SystemHolding, kind: DriftKind, cause: DriftCause) -> Self {
        let SystemHolding { account, person, right, .. } = holding;
        Self { kind, cause, account: Some(account), person, right }
    }

    const fn of_system(kind: DriftKind, right: Option<Id<SystemRight>>) -> Self {
        Self { kind, cause: DriftCause::Drift, account: None, person: None, right }
    }

    fn key(&self) -> Key {
        (self.kind, self.account.as_ref().map(|there| there.expose().reference.clone()), self.right)
    }
}

fn key(drift: &Drift) -> Key {
    (drift.kind, drift.account.as_ref().map(|there| there.expose().reference.clone()), drift.right)
}

const fn cause(has_ended: bool) -> DriftCause {
    if has_ended { DriftCause::Ended } else { DriftCause::Drift }
}

/// What an account there has: a right of it, or that it can be used.
const fn kind(right: Option<Id<SystemRight>>) -> DriftKind {
    if right.is_some() { DriftKind::Extra } else { DriftKind::Orphan }
}

impl Directory<'_> {
    /// Opens what is wrong now, asks for what is to be removed, and closes what is right or gone. Done twice it is done once. Answers
    /// with how many events that were.
    pub(super) async fn judge(
        &mut self,
        system: &ConnectedSystem,
        times: SystemTimes,
    ) -> Result<usize, DirectoryError> {
        let now = self.clock.now();
        let mut tx = self.store.begin_read().await?;
        let mut wrong = wrongs(&mut tx, system, times, now).await?;
        let (mut open, mut after) = (Vec::new(), None);
        loop {
            let page = list_drift(&mut tx, DriftFilter::open_in(system.id), after).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            open.extend(page);
        }
        drop(tx);
        let mut done = 0;
        for drift in open {
            let next = match wrong.remove(&key(&drift)) {
                Some(wrong) => {
                    let known = drift.clone().of(wrong.person);
                    let told = (known != drift).then(|| (known.clone(), "drift_person_known"));
                    goes_on(&known, (system, &wrong), now).or(told)
                }
                None => self.ends(system, &drift, now).await?,
            };
            if let Some((next, event)) = next {
                done += usize::from(self.noted(next, event, now).await?);
            }
        }
        for wrong in wrong.into_values() {
            done += usize::from(self.found(system, wrong, now).await?);
        }
        Ok(done)
    }

    async fn noted(&mut self, drift: Drift, event: &'static str, now: Timestamp) -> Result<bool, DirectoryError> {
        let mut tx = self.store.begin().await?;
        match self.put_drift(&mut tx, drift, (event, None), now).await {
            Ok((_, record)) => {
                self.commit(tx, &[record]).await?;
                Ok(true)
            }
            // Somebody decided on it meanwhile: the next look sees that.
            Err(DirectoryError::Changed) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn found(&mut self, system: &ConnectedSystem, wrong: Wrong, now: Timestamp) -> Result<bool, DirectoryError> {
        let (drift, event) = self.new_drift(system, wrong, now)?;
        let mut tx = self.store.begin().await?;
        match insert_drift(&mut tx, &drift).await {
            Ok(()) => {}
            // Another node has found it.
            Err(StoreError::Conflict(_)) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let record = drift_record(&drift, 1, event, None, now);
        self.commit(tx, &[record]).await?;
        Ok(true)
    }

    fn new_drift(
        &mut self,
        system: &ConnectedSystem,
        wrong: Wrong,
        now: Timestamp,
    ) -> Result<(Drift, &'static str), DirectoryError> {
        let is_asked = asks(system, &wrong);
        let Wrong { kind, cause, account, person, right } = wrong;
        let (id, state) = (self.new_id(now), DriftState::Open);
        let drift =
            Drift { id, system: system.id, kind, cause, account, person, right, opened_at: now, state, version: 1 };
        Ok(if is_asked { (drift.asked(None, cause, now)?, "removal_asked") } else { (drift, "drift_found") })
    }

    /// What is not wrong any more: gone there, as the last whole reading showed, or right here.
    async fn ends(
        &mut self,
        system: &ConnectedSystem,
        drift: &Drift,
        now: Timestamp,
    ) -> Result<Option<(Drift, &'static str)>, DirectoryError> {
        let right = drift.right.filter(|_| drift.kind != DriftKind::Missing);
        let is_there = match &drift.account {
            Some(account) => {
                let mut tx = self.store.begin_read().await?;
                find_holding(&mut tx, system.id, account.expose(), right).await?.is_some()
            }
            None => true,
        };
        let next = match system.read_at {
            Some(read_at) if !is_there => drift.clone().gone(read_at, now),
            _ if is_there => drift.clone().right(now),
            _ => return Ok(None),
        };
        Ok(match next {
            Ok(next @ Drift { state: DriftState::Confirmed { .. }, .. }) => Some((next, "removal_confirmed")),
            Ok(next) => Some((next, "drift_closed")),
            // It was asked for since: the next reading tells.
            Err(DriftError::ReadTooSoon) => None,
            Err(error) => return Err(error.into()),
        })
    }

    /// Somebody leaves: what he has in connected systems is asked to be removed there, in the transaction in which he does.
    pub(in crate::directory) async fn leaves_systems(
        &mut self,
        tx: &mut Tx,
        person: Id<Person>,
        at: Timestamp,
    ) -> Result<Vec<Record>, DirectoryError> {
        let holdings = list_holdings_of(tx, person).await?;
        if holdings.is_empty() {
            return Ok(Vec::new());
        }
        let mut records = Vec::new();
        for holding in holdings.into_iter().take(SYSTEM_LEAVES_MAX) {
            let (system, kind) = (holding.system, kind(holding.right));
            let wrong = Wrong::held(holding, kind, DriftCause::Ended);
            // Whoever's it was taken to be: the account may have been there before its person was.
            let about = (wrong.account.as_ref().map(Phi::expose), wrong.right);
            match find_open_drift(tx, system, kind, about).await? {
                Some(Drift { state: DriftState::Asked(_), .. }) => {}
                Some(known) => {
                    let asked = known.of(Some(person)).asked(None, DriftCause::Ended, at)?;
                    records.push(self.put_drift(tx, asked, ("removal_asked", Some(self.by)), at).await?.1);
                }
                None => {
                    let Wrong { kind, cause, account, person, right } = wrong;
                    let (id, state) = (self.new_id(at), DriftState::Open);
                    let drift =
                        Drift { id, system, kind, cause, account, person, right, opened_at: at, state, version: 1 };
                    let drift = drift.asked(None, cause, at)?;
                    insert_drift(tx, &drift).await?;
                    records.push(drift_record(&drift, 1, "removal_asked", Some(self.by), at));
                }
            }
        }
        Ok(records)
    }

    /// The removals that are to be tried now.
    pub(super) async fn removals(&mut self, system: &ConnectedSystem) -> Result<Vec<Drift>, DirectoryError> {
        let now = self.clock.now();
        Ok(due_removals(&mut self.store.begin_read().await?, system.id, now).await?)
    }
}

/// Whether nobody has to be asked before it is removed there.
fn asks(system: &ConnectedSystem, wrong: &Wrong) -> bool {
    wrong.kind.is_removed() && (wrong.cause == DriftCause::Ended || system.removes_drift)
}

/// What becomes of drift that is still wrong.
fn goes_on(
    drift: &Drift,
    (system, wrong): (&ConnectedSystem, &Wrong),
    now: Timestamp,
) -> Option<(Drift, &'static str)> {
    let one = || drift.clone();
    match &drift.state {
        DriftState::Open if asks(system, wrong) => Some((one().asked(None, wrong.cause, now).ok()?, "removal_asked")),
        // What has ended since is not let be.
        DriftState::Excepted { .. } if wrong.kind.is_removed() && wrong.cause == DriftCause::Ended => {
            Some((one().asked(None, wrong.cause, now).ok()?, "removal_asked"))
        }
        DriftState::Excepted { .. } => Some((one().reopened(now).ok()?, "drift_reopened")),
        DriftState::Asked(removal) if removal.failure.is_none() => {
            Some((one().still_there(system.read_at?).ok()?, "removal_not_seen"))
        }
        _ => None,
    }
}

async fn wrongs(
    tx: &mut Tx,
    system: &ConnectedSystem,
    times: SystemTimes,
    now: Timestamp,
) -> Result<BTreeMap<Key, Wrong>, DirectoryError> {
    let mut found = Vec::new();
    if system.is_stale(times.stale_micros, now) {
        found.push(Wrong::of_system(DriftKind::Stale, None));
    }
    let mut after = None;
    loop {
        let page = unbacked_holdings(tx, system.id, now, after).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.holding.id);
        let wrong = page.into_iter().map(|one| {
            let kind = kind(one.holding.right);
            Wrong::held(one.holding, kind, cause(one.has_ended))
        });
        found.extend(wrong);
    }
    let mut after = None;
    loop {
        let page = missing_holdings(tx, system.id, now, after).await?;
        let Some((last, right)) = page.last().and_then(|last| Some((last.id, last.right?))) else { break };
        after = Some((last, right));
        found.extend(page.into_iter().map(|one| Wrong::held(one, DriftKind::Missing, DriftCause::Drift)));
    }
    let mut after = None;
    loop {
        let page = undecided_rights(tx, system.id, after).await?;
        let Some(last) = page.last() else { break };
        after = Some(*last);
        found.extend(page.into_iter().map(|right| Wrong::of_system(DriftKind::Undecided, Some(right))));
    }
    Ok(found.into_iter().map(|wrong| (wrong.key(), wrong)).collect())
}
