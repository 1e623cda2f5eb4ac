//! Versions at the desk: drafted, proposed with their case, decided by a second person, activated; an older one is drafted anew.

use super::content::{ProvedPack, pack_bytes};
use super::replay::Replay;
use crate::desk::{Desk, DeskError, Done, Who, roles_of, vouched_for_by};
use crate::record::Record;
use scruple_core::{ENGINE_VERSION, Id, PackHash, Phi, Timestamp, new_id};
use scruple_flow::{MappingCause, PackCase, PackError, PackOrigin, PackReviewer, PackState, PackVersion, RoleCode};
use scruple_policy::{Act, Comparison, compare};
use scruple_store::{
    NewPackVersion, Tx, active_pack_as_of, find_pack, insert_pack, keep_pack_content, list_open_mapping_reviews,
    update_pack,
};
use std::collections::BTreeSet;

/// What is shown of a proposal before anybody decides.
pub struct PolicyCase {
    /// The active pack that it was compared with.
    pub base: PackHash,
    /// The difference in words.
    pub comparison: Comparison,
    /// What it would have done.
    pub replay: Replay,
}

/// The case of a draft against the active pack.
#[must_use]
pub fn made_case(active: &ProvedPack, draft: &ProvedPack, replay: Replay) -> PolicyCase {
    PolicyCase { base: active.hash(), comparison: compare(active.side(), draft.side()), replay }
}

impl PolicyCase {
    fn stored(&self, at: Timestamp) -> PackCase {
        PackCase {
            base: Some(self.base),
            changed: self.comparison.roles().into_iter().map(str::to_owned).collect(),
            replay: self.replay.summary().to_string(),
            at,
        }
    }
}

impl Desk<'_> {
    /// Drafts a version: of files that somebody brings, of a proposal that was made for him, or of an older version that is to
    /// come back. It is checked with it: what cannot be proved is not drafted.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn draft_policy(
        &mut self,
        who: Who,
        proved: &ProvedPack,
        rationale: Phi<String>,
    ) -> Result<Done<PackVersion>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let own = roles_of(&mut tx, who.person, at).await?;
        self.permits(Act::Propose, &own)?;
        keep_pack_content(&mut tx, new_id(at, self.rng), proved.hash(), &pack_bytes(&proved.files), at).await?;
        let criteria = proved.active.pack.criteria.join("\n");
        let new = NewPackVersion {
            id: new_id(at, self.rng),
            hash: proved.hash(),
            engine: ENGINE_VERSION,
            origin: PackOrigin::Person(who.person),
            criteria: &criteria,
            rationale,
            at,
        };
        insert_pack(&mut tx, &new).await?;
        let draft = seen(&mut tx, new.id, 1).await?;
        let first = Record::pack(&draft, 1, at, Some(who.person));
        let checked = draft.check(at)?;
        update_pack(&mut tx, &checked, 1).await?;
        let second = Record::pack(&checked, 2, at, Some(who.person));
        self.commit(tx, &[first, second], PackVersion { version: 2, ..checked }).await
    }

    /// Hands a checked version to a second person, with its difference and its replay.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn propose_policy(
        &mut self,
        who: Who,
        (id, version): (Id<PackVersion>, i64),
        rationale: Phi<String>,
        case: &PolicyCase,
    ) -> Result<Done<PackVersion>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let own = roles_of(&mut tx, who.person, at).await?;
        self.permits(Act::Propose, &own)?;
        let pack = seen(&mut tx, id, version).await?;
        let active = active_pack_as_of(&mut tx, at).await?.map(|active| active.hash);
        if active != Some(case.base) {
            return Err(PackError::BaseChanged.into());
        }
        let proposed = pack.propose(who.person, rationale, case.stored(at))?;
        self.put_pack(tx, proposed, version, (who, at)).await
    }

    /// A second person says yes.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn approve_policy(
        &mut self,
        who: Who,
        id: Id<PackVersion>,
        version: i64,
    ) -> Result<Done<PackVersion>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let pack = seen(&mut tx, id, version).await?;
        let by = self.policy_reviewer(&mut tx, who, &pack, at).await?;
        let approved = pack.approve(&by, at)?;
        self.put_pack(tx, approved, version, (who, at)).await
    }

    /// A second person says no.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn refuse_policy(
        &mut self,
        who: Who,
        id: Id<PackVersion>,
        version: i64,
        comment: Phi<String>,
    ) -> Result<Done<PackVersion>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let pack = seen(&mut tx, id, version).await?;
        let by = self.policy_reviewer(&mut tx, who, &pack, at).await?;
        let refused = pack.refuse(&by, comment, at)?;
        self.put_pack(tx, refused, version, (who, at)).await
    }

    /// Who drafted it takes it back.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn withdraw_policy(
        &mut self,
        who: Who,
        id: Id<PackVersion>,
        version: i64,
    ) -> Result<Done<PackVersion>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        roles_of(&mut tx, who.person, at).await?;
        let withdrawn = seen(&mut tx, id, version).await?.withdraw(who.person, at)?;
        self.put_pack(tx, withdrawn, version, (who, at)).await
    }

    /// Makes an approved version the active one, in the place of the one that it was compared with; every node takes it within a
    /// second. `proved`: it, proved again by this build. A review of the mapping opens for each role that it changes (RB-06, RV-05).
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn activate_policy(
        &mut self,
        who: Who,
        (id, version): (Id<PackVersion>, i64),
        proved: &ProvedPack,
    ) -> Result<Done<PackVersion>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let own = roles_of(&mut tx, who.person, at).await?;
        self.permits(Act::Publish, &own)?;
        let pack = seen(&mut tx, id, version).await?;
        if pack.hash != proved.hash() {
            return Err(DeskError::Changed);
        }
        let old = active_pack_as_of(&mut tx, at).await?;
        let changed = match &pack.state {
            PackState::Approved(case, _) => case.changed.clone(),
            _ => BTreeSet::new(),
        };
        let active = pack.activate(who.person, old.as_ref().map(|old| old.hash), at)?;
        let mut records = Vec::new();
        if let Some(old) = old {
            let before = old.version;
            let old = old.supersede(at)?;
            update_pack(&mut tx, &old, before).await?;
            records.push(Record::pack(&old, before + 1, at, Some(who.person)));
        }
        update_pack(&mut tx, &active, version).await?;
        let open = list_open_mapping_reviews(&mut tx).await?;
        for role in &changed {
            let is_open = open.iter().any(|review| review.role.as_str() == role);
            let here = proved.active.pack.roles.get(role).is_some_and(|role| !role.is_profile);
            if let (Ok(role), false, true) = (role.parse::<RoleCode>(), is_open, here) {
                records.push(self.open_mapping(&mut tx, role, active.hash, MappingCause::RoleChanged, at).await?);
            }
        }
        records.push(Record::pack(&active, version + 1, at, Some(who.person)));
        self.commit(tx, &records, PackVersion { version: version + 1, ..active }).await
    }

    // relies on (two-people): not who drafted it, and nobody whose way in he has made.
    async fn policy_reviewer(
        &mut self,
        tx: &mut Tx,
        who: Who,
        pack: &PackVersion,
        at: Timestamp,
    ) -> Result<PackReviewer, DeskError> {
        let own = roles_of(tx, who.person, at).await?;
        self.permits(Act::Publish, &own)?;
        let is_vouched_for_by_drafter = match pack.origin {
            PackOrigin::Person(by) => vouched_for_by(tx, who.person, &[by]).await?,
            PackOrigin::Shipped | PackOrigin::Folder => false,
        };
        Ok(PackReviewer { person: who.person, is_vouched_for_by_drafter, stepped_up: who.stepped_up })
    }

    async fn put_pack(
        &mut self,
        mut tx: Tx,
        pack: PackVersion,
        version: i64,
        (who, at): (Who, Timestamp),
    ) -> Result<Done<PackVersion>, DeskError> {
        update_pack(&mut tx, &pack, version).await?;
        let record = Record::pack(&pack, version + 1, at, Some(who.person));
        self.commit(tx, &[record], PackVersion { version: version + 1, ..pack }).await
    }
}

async fn seen(tx: &mut Tx, id: Id<PackVersion>, version: i64) -> Result<PackVersion, DeskError> {
    let pack = find_pack(tx, id).await?.ok_or(DeskError::Unknown)?;
    if pack.version == version { Ok(pack) } else { Err(DeskError::Changed) }
}
