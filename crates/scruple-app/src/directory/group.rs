//! Groups: who is in them, and which role one stands for. Whoever comes out of a group that stands for a role loses what
//! that role gave, unless another group of his stands for it too. Coming into one gives nothing.

use super::apply::{About, grants, union};
use super::read::{GroupView, members};
use super::{Directory, DirectoryError, Done};
use crate::record::Record;
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::directory::{Change, Lost};
use scruple_store::{
    Aggregate, Group, HeldGrant, Person, RoleCode, Subject, Subjects, Tx, add_member, find_group, find_person,
    groups_of, insert_group, map_group, mark_group_deleted, remove_member, update_group,
};
use serde_json::json;
use std::collections::BTreeSet;

/// What the directory tells of one group, whole.
#[derive(Clone, Debug)]
pub struct GroupOrder {
    /// What it is called.
    pub display: Phi<String>,
    /// Its id in the directory.
    pub external_id: Option<Phi<String>>,
    /// Who is in it. A member whom nobody knows is refused.
    pub members: BTreeSet<Id<Person>>,
}

/// Whom a change of a group touched, and what it took.
#[derive(Default)]
struct Touched {
    subjects: Subjects,
    revoked: Vec<HeldGrant>,
    /// Who lost the role.
    losers: Vec<Id<Person>>,
    changes: Vec<Change>,
}

impl Touched {
    fn told(&self) -> Vec<String> {
        self.losers.iter().map(ToString::to_string).collect()
    }
}

impl Directory<'_> {
    /// The directory tells of a group that is not known. It stands for no role until somebody here says for which.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn create_group(&mut self, order: &GroupOrder) -> Result<Done<GroupView>, DirectoryError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        self.check_by(&mut tx, at).await?;
        let id = self.new_id(at);
        insert_group(&mut tx, id, &order.display, order.external_id.as_ref(), at).await?;
        for person in &order.members {
            self.join(&mut tx, id, *person, at).await?;
        }
        let added: Vec<_> = order.members.iter().copied().collect();
        let record = self.group_record((id, 1), "group_added", at, (&added, &[]), (None, &Touched::default()));
        self.finish_group(tx, id, record, Touched::default()).await
    }

    /// The directory tells of a group that it has told of, whole.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn replace_group(
        &mut self,
        id: Id<Group>,
        version: Option<i64>,
        order: &GroupOrder,
    ) -> Result<Done<GroupView>, DirectoryError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        self.check_by(&mut tx, at).await?;
        let group = known(&mut tx, id, version).await?;
        let before: BTreeSet<_> = members(&mut tx, id).await?.into_iter().collect();
        let added: Vec<_> = order.members.difference(&before).copied().collect();
        let removed: Vec<_> = before.difference(&order.members).copied().collect();
        let same = group.display == order.display && group.external_id == order.external_id;
        if same && added.is_empty() && removed.is_empty() {
            let value = GroupView { group, members: before.into_iter().collect() };
            return Ok(Done { value, changes: Vec::new(), position: None });
        }
        update_group(&mut tx, (id, group.version), &order.display, order.external_id.as_ref(), at).await?;
        for person in &added {
            self.join(&mut tx, id, *person, at).await?;
        }
        for person in &removed {
            remove_member(&mut tx, id, *person).await?;
        }
        let role = group.mapping.map(|mapping| mapping.role);
        let touched = self.out_of(&mut tx, role.as_ref(), &removed, at).await?;
        let version = group.version.saturating_add(1);
        let record =
            self.group_record((id, version), "group_changed", at, (&added, &removed), (role.as_ref(), &touched));
        self.finish_group(tx, id, record, touched).await
    }

    /// A group stands for a role, or for none any more. Its members lose what the role before gave. `is_role` says whether
    /// the policy has a role: nobody can be put into one that it has not.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn map_group(
        &mut self,
        id: Id<Group>,
        role: Option<&RoleCode>,
        is_role: &(dyn Fn(&RoleCode) -> bool + Sync),
    ) -> Result<Done<GroupView>, DirectoryError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        self.check_by(&mut tx, at).await?;
        if role.is_some_and(|role| !is_role(role)) {
            return Err(DirectoryError::NoRole);
        }
        let group = known(&mut tx, id, None).await?;
        let before = group.mapping.as_ref().map(|mapping| mapping.role.clone());
        let members = members(&mut tx, id).await?;
        if before.as_ref() == role {
            return Ok(Done { value: GroupView { group, members }, changes: Vec::new(), position: None });
        }
        map_group(&mut tx, (id, group.version), role, self.by, at).await?;
        let touched = self.out_of(&mut tx, before.as_ref(), &members, at).await?;
        let body = json!({
            "group": id.to_string(),
            "role": role.map(RoleCode::as_str),
            "role_before": before.as_ref().map(RoleCode::as_str),
            "by": self.by.to_string(),
            "grants": grants(&touched.revoked),
            "lost_by": touched.told(),
        });
        let aggregate = (Aggregate::new("group", id), group.version.saturating_add(1));
        let record = Record::new(aggregate, "group_mapped", at, touched.subjects.clone(), &body);
        self.finish_group(tx, id, record, touched).await
    }

    /// The directory takes a group out: everybody is out of it.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn delete_group(&mut self, id: Id<Group>, version: Option<i64>) -> Result<Done<()>, DirectoryError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        self.check_by(&mut tx, at).await?;
        let group = known(&mut tx, id, version).await?;
        let removed = members(&mut tx, id).await?;
        mark_group_deleted(&mut tx, id, group.version, at).await?;
        let role = group.mapping.map(|mapping| mapping.role);
        let touched = self.out_of(&mut tx, role.as_ref(), &removed, at).await?;
        let version = group.version.saturating_add(1);
        let record = self.group_record((id, version), "group_removed", at, (&[], &removed), (role.as_ref(), &touched));
        let position = self.commit(tx, &[record]).await?;
        Ok(Done { value: (), changes: touched.changes, position })
    }

    async fn join(
        &mut self,
        tx: &mut Tx,
        group: Id<Group>,
        person: Id<Person>,
        at: Timestamp,
    ) -> Result<(), DirectoryError> {
        find_person(tx, person).await?.ok_or(DirectoryError::NoPerson)?;
        add_member(tx, group, person, at).await?;
        Ok(())
    }

    /// What they lose who came out of a group that stood for `role`.
    async fn out_of(
        &mut self,
        tx: &mut Tx,
        role: Option<&RoleCode>,
        persons: &[Id<Person>],
        at: Timestamp,
    ) -> Result<Touched, DirectoryError> {
        let mut touched = Touched::default();
        let Some(role) = role else { return Ok(touched) };
        for person in persons {
            let groups = groups_of(tx, *person).await?;
            let known = find_person(tx, *person).await?;
            let here = known.filter(|known| known.left_at.is_none_or(|left| left > at));
            let (Some(known), false) = (here, groups.iter().any(|group| group.role.as_ref() == Some(role))) else {
                continue;
            };
            let about = About { person: *person, version: known.version, left_at: None, at, effective_at: at };
            let lost = Lost::Roles(BTreeSet::from([role.clone()]));
            for (_, revoked) in self.moves(tx, about, &lost).await? {
                touched.revoked.extend(revoked);
            }
            touched.losers.push(*person);
            touched.subjects = union(&touched.subjects, &Subject::Person(*person).into());
            touched.changes.push(Change::Mover(lost));
        }
        Ok(touched)
    }

    fn group_record(
        &self,
        (id, version): (Id<Group>, i64),
        kind: &'static str,
        at: Timestamp,
        (added, removed): (&[Id<Person>], &[Id<Person>]),
        (role, touched): (Option<&RoleCode>, &Touched),
    ) -> Record {
        let ids = |persons: &[Id<Person>]| persons.iter().map(ToString::to_string).collect::<Vec<_>>();
        let body = json!({
            "group": id.to_string(),
            "by": self.by.to_string(),
            "added": ids(added),
            "removed": ids(removed),
            "grants": grants(&touched.revoked),
            "role": role.map(RoleCode::as_str),
            "lost_by": touched.told(),
        });
        Record::new((Aggregate::new("group", id), version), kind, at, touched.subjects.clone(), &body)
    }

    async fn finish_group(
        &mut self,
        mut tx: Tx,
        id: Id<Group>,
        record: Record,
        touched: Touched,
    ) -> Result<Done<GroupView>, DirectoryError> {
        let group = known(&mut tx, id, None).await?;
        let value = GroupView { members: members(&mut tx, id).await?, group };
        let position = self.commit(tx, &[record]).await?;
        Ok(Done { value, changes: touched.changes, position })
    }
}

async fn known(tx: &mut Tx, id: Id<Group>, version: Option<i64>) -> Result<Group, DirectoryError> {
    let group = find_group(tx, id).await?.ok_or(DirectoryError::NoGroup)?;
    if version.is_some_and(|version| version != group.version) {
        return Err(DirectoryError::Changed);
    }
    Ok(group)
}
