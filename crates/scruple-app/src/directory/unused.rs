//! Roles that are held and not used: noticed, objected to, decided by the manager, and taken by the clock.

use super::leave::line_above;
use super::{Directory, DirectoryError, Done};
use crate::message::{Told, tell, week};
use crate::record::Record;
use scruple_core::{Id, Timestamp};
use scruple_flow::directory::may_confirm;
use scruple_flow::unused::{UNUSED_DAYS, UnusedNotice, UnusedState};
use scruple_policy::Pack;
use scruple_store::{
    Aggregate, Person, Revocation, StoreError, Subject, Subjects, Tx, find_grant, find_unused, insert_unused, last_use,
    list_unused, persons_without_role, revoke_grant, unused_grants, update_unused,
};
use serde_json::json;

const DAY_MICROS: i64 = 24 * 3_600_000_000;

/// What a look at the use of roles has done.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct UnusedLook {
    /// Roles that are noticed now.
    pub noticed: usize,
    /// Notices that are over because the role was used.
    pub used: usize,
    /// Roles that are written down as taken.
    pub taken: usize,
}

impl Directory<'_> {
    /// Ends the notices of roles that were used, writes down those whose time is over, and notices others. Done twice it is done once;
    /// what is noticed ends by the clock alone. `by`: who stands behind what the clock takes.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn look_for_unused(&mut self, pack: &Pack) -> Result<UnusedLook, DirectoryError> {
        let mut look = UnusedLook::default();
        let now = self.clock.now();
        let mut after = None;
        loop {
            let page = list_unused(&mut self.store.begin_read().await?, None, after).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for notice in page {
                let done = self.go_on(notice, now).await?;
                look.used += usize::from(done == Some("used"));
                look.taken += usize::from(done == Some("taken"));
            }
        }
        let before = now.plus_micros(-UNUSED_DAYS * DAY_MICROS);
        let mut after = None;
        loop {
            let page = unused_grants(&mut self.store.begin_read().await?, (before, now), after).await?;
            let Some(last) = page.last() else { return Ok(look) };
            after = Some(last.grant);
            // A role of another policy is not judged by this one.
            for one in page.into_iter().filter(|one| pack.roles.contains_key(one.role.as_str())) {
                let id = self.new_id(now);
                let notice = UnusedNotice::noticed(id, (one.grant, one.person), one.since, now);
                let Some(notice) = notice else { continue };
                let mut tx = self.store.begin().await?;
                match insert_unused(&mut tx, &notice).await {
                    Ok(()) => {}
                    Err(StoreError::Conflict(_)) => continue,
                    Err(error) => return Err(error.into()),
                }
                for told in [Told::RoleUnused(id), Told::RoleUnusedInTeam(id)] {
                    tell(&mut tx, self.rng, told, now, now).await?;
                }
                let record = unused_record(&notice, 1, "role_unused", now);
                self.commit(tx, &[record]).await?;
                look.noticed += 1;
            }
        }
    }

    /// Tells once a week that there are people who hold no role, while there are.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn tell_of_no_role(&mut self) -> Result<bool, DirectoryError> {
        let now = self.clock.now();
        let mut tx = self.store.begin().await?;
        if persons_without_role(&mut tx, now, None).await?.is_empty() {
            tx.rollback().await?;
            return Ok(false);
        }
        let is_new = tell(&mut tx, self.rng, Told::NoRole(week(now)), now, now).await?;
        if !is_new {
            tx.rollback().await?;
            return Ok(false);
        }
        let body = json!({ "week": week(now).to_string() });
        let record = Record::new(
            (Aggregate::new("role_report", week(now)), 1),
            "people_without_role",
            now,
            Subjects::none(),
            &body,
        );
        self.commit(tx, &[record]).await?;
        Ok(true)
    }

    /// What has become of a notice since.
    async fn go_on(&mut self, notice: UnusedNotice, now: Timestamp) -> Result<Option<&'static str>, DirectoryError> {
        let mut tx = self.store.begin().await?;
        let used = last_use(&mut tx, notice.grant.uuid()).await?.filter(|at| *at > notice.noticed_at);
        let next = match used.map(|at| notice.clone().used(at)) {
            Some(Ok(used)) => used,
            _ => match notice.taken(self.by, now) {
                Ok(taken) => taken,
                Err(_) => return Ok(None),
            },
        };
        match self.put(tx, &next, now).await {
            Ok(_) => Ok(Some(next.state.code())),
            Err(DirectoryError::Changed) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Who holds a role says why he needs it though he does not use it.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn object(
        &mut self,
        (id, version): (Id<UnusedNotice>, i64),
        why: &str,
    ) -> Result<Done<UnusedNotice>, DirectoryError> {
        let (mut tx, notice, at) = self.seen(id, version).await?;
        if notice.person != self.by {
            return Err(DirectoryError::NoPerson);
        }
        let objected = notice.objected(self.by, why, at)?;
        tell(&mut tx, self.rng, Told::RoleObjected(id), at, at).await?;
        self.put(tx, &objected, at).await
    }

    /// The nearest manager who is here decides on an objection.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn decide_unused(
        &mut self,
        (id, version): (Id<UnusedNotice>, i64),
        keeps: bool,
    ) -> Result<Done<UnusedNotice>, DirectoryError> {
        let (mut tx, notice, at) = self.seen(id, version).await?;
        let may = may_confirm(notice.person, self.by, &line_above(&mut tx, notice.person, at).await?);
        let decided = notice.decided(self.by, may, keeps, at)?;
        self.put(tx, &decided, at).await
    }

    async fn seen(
        &mut self,
        id: Id<UnusedNotice>,
        version: i64,
    ) -> Result<(Tx, UnusedNotice, Timestamp), DirectoryError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        self.check_by(&mut tx, at).await?;
        let notice = find_unused(&mut tx, id).await?.ok_or(DirectoryError::NoPerson)?;
        if notice.version == version { Ok((tx, notice, at)) } else { Err(DirectoryError::Changed) }
    }

    async fn put(
        &mut self,
        mut tx: Tx,
        notice: &UnusedNotice,
        now: Timestamp,
    ) -> Result<Done<UnusedNotice>, DirectoryError> {
        update_unused(&mut tx, notice).await?;
        let version = notice.version.saturating_add(1);
        let kind = match notice.state {
            UnusedState::Noticed | UnusedState::Objected => "role_objected",
            UnusedState::Used { .. } => "role_used_again",
            UnusedState::Kept { .. } => "role_kept",
            UnusedState::Taken { .. } => "role_taken",
        };
        let mut records = vec![unused_record(notice, version, kind, now)];
        if let UnusedState::Taken { at, by } = notice.state
            && let Some(grant) = find_grant(&mut tx, notice.grant).await?.filter(|grant| grant.revoked.is_none())
        {
            let end = Revocation { by, at };
            revoke_grant(&mut tx, notice.grant, grant.version, end).await?;
            records.push(Record::revoked(&grant, end));
        }
        let position = self.commit(tx, &records).await?;
        Ok(Done { value: UnusedNotice { version, ..notice.clone() }, changes: Vec::new(), position })
    }
}

/// Whether somebody decides on what a person says of a role that he does not use: the nearest above him who is here.
///
/// # Errors
/// See [`DirectoryError`].
pub async fn decides_unused(
    tx: &mut Tx,
    person: Id<Person>,
    by: Id<Person>,
    at: Timestamp,
) -> Result<bool, DirectoryError> {
    Ok(person != by && may_confirm(person, by, &line_above(tx, person, at).await?))
}

fn unused_record(notice: &UnusedNotice, version: i64, kind: &'static str, at: Timestamp) -> Record {
    let by = match notice.state {
        UnusedState::Kept { by, .. } | UnusedState::Taken { by, .. } => Some(by.to_string()),
        _ => None,
    };
    let body = json!({
        "notice": notice.id.to_string(),
        "grant": notice.grant.to_string(),
        "person": notice.person.to_string(),
        "since": notice.since.micros(),
        "ends_at": notice.ends_at.micros(),
        "state": notice.state.code(),
        "objection": notice.objection.as_ref().map(|text| text.expose()),
        "by": by,
    });
    let aggregate = (Aggregate::new("unused_notice", notice.id), version);
    Record::new(aggregate, kind, at, Subject::Person(notice.person), &body)
}
