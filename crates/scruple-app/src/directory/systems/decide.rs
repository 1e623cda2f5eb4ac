//! What people decide on connected systems: that one is connected and who answers for it, what its rights stand for, and what becomes
//! of drift.

use super::super::{Directory, DirectoryError, Done};
use super::{SystemsReach, system_record};
use crate::record::Record;
use scruple_core::{Id, Timestamp};
use scruple_flow::RoleCode;
use scruple_flow::connected::{
    ConnectedSystem, ConnectorKind, Drift, DriftError, RightMeaning, SystemCode, SystemRight,
};
use scruple_policy::Pack;
use scruple_store::{
    Aggregate, Person, StoreError, Subjects, Tx, find_connected_system, find_drift, find_person, find_system_right,
    insert_connected_system, list_holdings_of, update_connected_system, update_system_right,
};
use serde_json::json;

/// What is said of a connected system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SystemOrder {
    /// Its code, as the configuration names its connector.
    pub code: SystemCode,
    /// How it is reached.
    pub kind: ConnectorKind,
    /// Who answers for it.
    pub owner: Id<Person>,
    /// Whether what nobody holds here is removed there without asking.
    pub removes_drift: bool,
}

impl Directory<'_> {
    /// Connects a system.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn connect_system(&mut self, order: &SystemOrder) -> Result<Done<ConnectedSystem>, DirectoryError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        self.check_by(&mut tx, at).await?;
        check_owner(&mut tx, order.owner, at).await?;
        let system = ConnectedSystem {
            id: self.new_id(at),
            code: order.code.clone(),
            kind: order.kind,
            owner: order.owner,
            removes_drift: order.removes_drift,
            set_by: self.by,
            set_at: at,
            wanted_at: None,
            looked_at: None,
            read_at: None,
            failure: None,
            version: 1,
        };
        match insert_connected_system(&mut tx, &system).await {
            Err(StoreError::Conflict(_)) => return Err(DirectoryError::SystemTaken),
            inserted => inserted?,
        }
        let record = system_record(&system, 1, "system_connected", self.by, at);
        let position = self.commit(tx, &[record]).await?;
        Ok(Done { value: system, changes: Vec::new(), position })
    }

    /// Says something else of a system; its code stays.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn change_system(
        &mut self,
        (id, version): (Id<ConnectedSystem>, i64),
        order: &SystemOrder,
    ) -> Result<Done<ConnectedSystem>, DirectoryError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        self.check_by(&mut tx, at).await?;
        check_owner(&mut tx, order.owner, at).await?;
        let known = find_connected_system(&mut tx, id).await?.ok_or(DirectoryError::NoSystem)?;
        if known.version != version || known.code != order.code {
            return Err(DirectoryError::Changed);
        }
        let (kind, owner, removes_drift) = (order.kind, order.owner, order.removes_drift);
        let system = ConnectedSystem { kind, owner, removes_drift, set_by: self.by, set_at: at, ..known };
        self.put_system(tx, system, "system_changed", at).await
    }

    /// Somebody wants a system to be read now: the worker does it next.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn want_reading(
        &mut self,
        reach: SystemsReach<'_>,
        id: Id<ConnectedSystem>,
    ) -> Result<Done<ConnectedSystem>, DirectoryError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        self.check_by(&mut tx, at).await?;
        let known = find_connected_system(&mut tx, id).await?;
        let known = known.filter(|system| reach.decides_all(system)).ok_or(DirectoryError::NoSystem)?;
        let system = ConnectedSystem { wanted_at: Some(at), ..known };
        self.put_system(tx, system, "reading_asked", at).await
    }

    async fn put_system(
        &mut self,
        mut tx: Tx,
        system: ConnectedSystem,
        kind: &'static str,
        at: Timestamp,
    ) -> Result<Done<ConnectedSystem>, DirectoryError> {
        update_connected_system(&mut tx, &system).await?;
        let version = system.version.saturating_add(1);
        let record = system_record(&system, version, kind, self.by, at);
        let position = self.commit(tx, &[record]).await?;
        Ok(Done { value: ConnectedSystem { version, ..system }, changes: Vec::new(), position })
    }

    /// Says what a right of a system stands for: a role of the policy, or nothing that the policy is about.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn decide_right(
        &mut self,
        pack: &Pack,
        (id, version): (Id<SystemRight>, i64),
        role: Option<RoleCode>,
    ) -> Result<Done<SystemRight>, DirectoryError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        self.check_by(&mut tx, at).await?;
        if role.as_ref().is_some_and(|role| !pack.roles.contains_key(role.as_str())) {
            return Err(DirectoryError::NoRole);
        }
        let known = find_system_right(&mut tx, id).await?.ok_or(DirectoryError::NoSystem)?;
        if known.version != version {
            return Err(DirectoryError::Changed);
        }
        let was = known.meaning.role().map(ToString::to_string);
        let by = self.by;
        // Nobody says of a right that he has himself that it is nothing.
        if list_holdings_of(&mut tx, by).await?.iter().any(|holding| holding.right == Some(id)) {
            return Err(DriftError::Own.into());
        }
        let meaning = match role {
            Some(role) => RightMeaning::Role { role, by, at },
            None => RightMeaning::Nothing { by, at },
        };
        let right = SystemRight { meaning, ..known };
        update_system_right(&mut tx, &right).await?;
        let version = right.version.saturating_add(1);
        let body = json!({
            "right": right.id.to_string(),
            "system": right.system.to_string(),
            "meaning": right.meaning.code(),
            "role": right.meaning.role().map(RoleCode::as_str),
            "was": was,
            "by": by.to_string(),
        });
        let aggregate = (Aggregate::new("system_right", right.id), version);
        let record = Record::new(aggregate, "right_decided", at, Subjects::none(), &body);
        let position = self.commit(tx, &[record]).await?;
        Ok(Done { value: SystemRight { version, ..right }, changes: Vec::new(), position })
    }

    /// Somebody wants what a system should not grant to be removed there.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn remove_drift(
        &mut self,
        reach: SystemsReach<'_>,
        seen: (Id<Drift>, i64),
    ) -> Result<Done<Drift>, DirectoryError> {
        let (tx, drift, at) = self.seen_drift(reach, seen).await?;
        let cause = drift.cause;
        let asked = drift.asked(Some(self.by), cause, at)?;
        self.decided_drift(tx, asked, "removal_asked", at).await
    }

    /// Somebody lets drift be for a time.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn except_drift(
        &mut self,
        reach: SystemsReach<'_>,
        seen: (Id<Drift>, i64),
        (why, until): (&str, Timestamp),
    ) -> Result<Done<Drift>, DirectoryError> {
        let (tx, drift, at) = self.seen_drift(reach, seen).await?;
        let excepted = drift.excepted(self.by, why, until, at)?;
        self.decided_drift(tx, excepted, "drift_excepted", at).await
    }

    async fn seen_drift(
        &mut self,
        reach: SystemsReach<'_>,
        (id, version): (Id<Drift>, i64),
    ) -> Result<(Tx, Drift, Timestamp), DirectoryError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        self.check_by(&mut tx, at).await?;
        let drift = find_drift(&mut tx, id).await?.ok_or(DirectoryError::NoSystem)?;
        let system = find_connected_system(&mut tx, drift.system).await?.ok_or(DirectoryError::NoSystem)?;
        if !reach.decides(&system, &drift) {
            return Err(DirectoryError::NoSystem);
        }
        if drift.version == version { Ok((tx, drift, at)) } else { Err(DirectoryError::Changed) }
    }

    async fn decided_drift(
        &mut self,
        mut tx: Tx,
        drift: Drift,
        kind: &'static str,
        at: Timestamp,
    ) -> Result<Done<Drift>, DirectoryError> {
        let by = Some(self.by);
        let (drift, record) = self.put_drift(&mut tx, drift, (kind, by), at).await?;
        let position = self.commit(tx, &[record]).await?;
        Ok(Done { value: drift, changes: Vec::new(), position })
    }
}

/// Who answers for a system is here.
async fn check_owner(tx: &mut Tx, owner: Id<Person>, at: Timestamp) -> Result<(), DirectoryError> {
    let found = find_person(tx, owner).await?;
    let is_here = found.is_some_and(|person| person.left_at.is_none_or(|left| left > at));
    if is_here { Ok(()) } else { Err(DirectoryError::NoPerson) }
}
