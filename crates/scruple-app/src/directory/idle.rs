//! Accounts that nobody uses: noticed, then ended by the clock, brought back by a second person.

use super::leave::line_above;
use super::{Directory, DirectoryError, Done};
use crate::record::Record;
use scruple_core::{Id, Timestamp};
use scruple_flow::directory::may_confirm;
use scruple_flow::{AccountKind, Dormancy, DormancyState, IdleRules};
use scruple_store::{
    AccountUse, Aggregate, Person, Subject, Tx, begin_use, close_dormancy, find_account, find_dormancy, find_person,
    find_system, insert_dormancy, last_used, unused_since, used_dormancies,
};
use serde_json::json;

const DAY_MICROS: i64 = 24 * 3_600_000_000;

/// What a look at the use of accounts has done.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct IdleLook {
    /// Accounts that are noticed now.
    pub noticed: usize,
    /// Notices that are over because the account was used.
    pub used: usize,
}

impl Directory<'_> {
    /// Ends the notices of accounts that were used, and notices those that nobody uses. Done twice it is done once, and what is noticed
    /// ends by the clock alone.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn look_for_idle(&mut self, rules: &IdleRules) -> Result<IdleLook, DirectoryError> {
        let used = self.settle_used().await?;
        let now = self.clock.now();
        let shortest = [rules.human, rules.agency, rules.trainee, rules.service, rules.vendor];
        let shortest = shortest.iter().map(|rule| rule.idle_days).min().unwrap_or(0);
        let before = now.plus_micros(-i64::from(shortest) * DAY_MICROS);
        let (mut noticed, mut after) = (0, None);
        loop {
            let page = unused_since(&mut self.store.begin_read().await?, (before, now), after).await?;
            let Some(last) = page.last() else { return Ok(IdleLook { noticed, used }) };
            after = Some(last.person);
            for one in page {
                noticed += usize::from(self.notice(rules, one, now).await?);
            }
        }
    }

    async fn notice(&mut self, rules: &IdleRules, one: AccountUse, now: Timestamp) -> Result<bool, DirectoryError> {
        let mut tx = self.store.begin().await?;
        let kind = AccountKind::judged(one.registered, one.employment);
        let has_controls = has_controls(&mut tx, one.person, now).await?;
        let Some(rule) = rules.rule(kind, has_controls) else { return Ok(false) };
        // He may have come back since the page was read.
        let used_at = last_used(&mut tx, one.person).await?.unwrap_or(one.used_at);
        let id = self.new_id(now);
        let Some(dormancy) = Dormancy::noticed(id, one.person, used_at, rule, now) else { return Ok(false) };
        match insert_dormancy(&mut tx, &dormancy).await {
            Ok(()) => {}
            // Another node has.
            Err(scruple_store::StoreError::Conflict(_)) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let record = dormancy_record(&dormancy, 1, "account_idle", now);
        self.commit(tx, &[record]).await?;
        Ok(true)
    }

    /// Ends the notices of accounts that were used before they were disabled. Answers with how many.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn settle_used(&mut self) -> Result<usize, DirectoryError> {
        let found = used_dormancies(&mut self.store.begin_read().await?).await?;
        let mut settled = 0;
        for (one, used_at) in found {
            let mut tx = self.store.begin().await?;
            let Ok(used) = one.used(used_at) else { continue };
            match close_dormancy(&mut tx, &used).await.map_err(Into::into) {
                Ok(()) => {}
                Err(DirectoryError::Changed) => continue,
                Err(error) => return Err(error),
            }
            let version = used.version.saturating_add(1);
            let record = dormancy_record(&used, version, "account_used_again", self.clock.now());
            self.commit(tx, &[record]).await?;
            settled += 1;
        }
        Ok(settled)
    }

    /// Brings an account back that was disabled: by the nearest manager who is here or, of a system, by who answers for it.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn restore_account(&mut self, person: Id<Person>) -> Result<Done<Dormancy>, DirectoryError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        self.check_by(&mut tx, at).await?;
        let idle = find_dormancy(&mut tx, person).await?.ok_or(DirectoryError::NotIdle)?;
        let may = match find_system(&mut tx, person).await? {
            Some(system) => system.owner == Some(self.by),
            None => may_confirm(person, self.by, &line_above(&mut tx, person, at).await?),
        };
        let restored = idle.restored(self.by, may, at)?;
        close_dormancy(&mut tx, &restored).await?;
        begin_use(&mut tx, person, at).await?;
        let restored = Dormancy { version: restored.version.saturating_add(1), ..restored };
        let record = dormancy_record(&restored, restored.version, "account_restored", at);
        let position = self.commit(tx, &[record]).await?;
        Ok(Done { value: restored, changes: Vec::new(), position })
    }
}

/// Whether what is asked of an account that waits for an emergency is there.
pub(super) async fn has_controls(tx: &mut Tx, person: Id<Person>, now: Timestamp) -> Result<bool, DirectoryError> {
    let Some(account) = find_account(tx, person).await? else { return Ok(false) };
    let owner = match account.owner {
        Some(owner) => find_person(tx, owner).await?,
        None => None,
    };
    let owner_is_here = owner.is_some_and(|owner| owner.left_at.is_none_or(|left| left > now));
    Ok(account.has_controls(owner_is_here, now))
}

pub(super) fn dormancy_record(one: &Dormancy, version: i64, kind: &'static str, at: Timestamp) -> Record {
    let by = match one.state {
        DormancyState::Noticed | DormancyState::Used { .. } => None,
        DormancyState::Restored { by, .. } | DormancyState::Left { by, .. } => Some(by.to_string()),
    };
    let body = json!({
        "dormancy": one.id.to_string(),
        "person": one.person.to_string(),
        "used_at": one.used_at.micros(),
        "disabled_at": one.disabled_at.micros(),
        "by": by,
    });
    Record::new((Aggregate::new("dormancy", one.id), version), kind, at, Subject::Person(one.person), &body)
}
