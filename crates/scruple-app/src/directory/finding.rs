//! Findings: what is wrong with the directory now. Each is open for as long as it is true.

use super::DirectoryError;
use super::idle::has_controls;
use scruple_core::{Id, Timestamp};
use scruple_flow::AccountKind;
use scruple_flow::directory::Employment;
use scruple_policy::SERVICE_ACCOUNT;
use scruple_store::{
    Dormancy, Grant, Group, Login, Person, RoleCode, Store, SystemAccount, Tx, find_account, find_person_by_login,
    holders, left_over_grants, list_dormancies, list_systems, persons_at_two_places, persons_reading_in_turns,
    persons_without_role, unmanaged_persons, unmapped_groups,
};
use std::collections::BTreeSet;

/// The login of the person who stands for SCIM.
pub const SCIM_LOGIN: &str = "scim";

const DAY_MICROS: i64 = 24 * 3_600_000_000;
/// Days for which it is told that an account was used at two places.
const SHARED_USE_DAYS: i64 = 7;

/// Something that somebody has to see to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// A group has members and stands for no role: it gives nothing and explains nothing.
    UnmappedGroup(Id<Group>),
    /// A mover still has grants from before.
    LeftOver {
        /// Who.
        person: Id<Person>,
        /// Which, with their roles.
        grants: Vec<(Id<Grant>, RoleCode)>,
    },
    /// Somebody who is here has no manager who is.
    NoManager(Id<Person>),
    /// A system has no owner who is here: it obtains nothing.
    NoOwner(Id<Person>),
    /// Nobody has used an account for too long: it ends at an instant, or has ended.
    Idle {
        /// Whose.
        person: Id<Person>,
        /// When it was last used.
        used_at: Timestamp,
        /// From when on it gives nothing.
        disabled_at: Timestamp,
    },
    /// A system's account has no registered purpose, scopes, rotation, review and end.
    NotRegistered(Id<Person>),
    /// Nobody has looked at a system's account in its time.
    ReviewLate(Id<Person>),
    /// A system's secrets are older than they may be.
    RotationLate(Id<Person>),
    /// A system's account has ended, and is still here.
    AccountEnded(Id<Person>),
    /// An account for emergencies lacks a control.
    NoControls(Id<Person>),
    /// Somebody of the workforce holds no role: nothing is shown to him.
    NoRole(Id<Person>),
    /// An account was used at two shared workstations of the console at one time, or read charts from two places in turns: more than one
    /// may know how to sign in with it.
    SharedUse(Id<Person>),
}

impl Finding {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnmappedGroup(_) => "unmapped_group",
            Self::LeftOver { .. } => "mover_kept_access",
            Self::NoManager(_) => "no_manager",
            Self::NoOwner(_) => "no_owner",
            Self::Idle { .. } => "account_idle",
            Self::NotRegistered(_) => "account_not_registered",
            Self::ReviewLate(_) => "account_review_late",
            Self::RotationLate(_) => "account_rotation_late",
            Self::AccountEnded(_) => "account_ended",
            Self::NoControls(_) => "emergency_account_without_controls",
            Self::NoRole(_) => "no_role",
            Self::SharedUse(_) => "account_used_at_two_places",
        }
    }

    /// Of whom it is; a group is nobody's.
    #[must_use]
    pub const fn person(&self) -> Option<Id<Person>> {
        match self {
            Self::UnmappedGroup(_) => None,
            Self::LeftOver { person, .. }
            | Self::NoManager(person)
            | Self::NoOwner(person)
            | Self::Idle { person, .. }
            | Self::NotRegistered(person)
            | Self::ReviewLate(person)
            | Self::RotationLate(person)
            | Self::AccountEnded(person)
            | Self::NoControls(person)
            | Self::NoRole(person)
            | Self::SharedUse(person) => Some(*person),
        }
    }
}

/// What is wrong with the directory at `now`: the first page of each kind.
///
/// # Errors
/// The database failed.
pub async fn findings(store: &Store, now: Timestamp) -> Result<Vec<Finding>, DirectoryError> {
    let mut tx = store.begin_read().await?;
    let mut found: Vec<_> = unmapped_groups(&mut tx, None).await?.into_iter().map(Finding::UnmappedGroup).collect();
    let mut left_over = left_over_grants(&mut tx, now, None).await?;
    left_over.sort_by_key(|one| (one.person, one.grant));
    for of_one in left_over.chunk_by(|left, right| left.person == right.person) {
        let grants = of_one.iter().map(|one| (one.grant, one.role.clone())).collect();
        found.extend(of_one.first().map(|one| Finding::LeftOver { person: one.person, grants }));
    }
    for one in unmanaged_persons(&mut tx, now, None).await? {
        // Who answers for a system is asked below.
        if one.employment != Some(Employment::Service) {
            found.push(Finding::NoManager(one.person));
        }
    }
    found.extend(persons_without_role(&mut tx, now, None).await?.into_iter().map(Finding::NoRole));
    for Dormancy { person, used_at, disabled_at, .. } in list_dormancies(&mut tx, None).await? {
        found.push(Finding::Idle { person, used_at, disabled_at });
    }
    let since = now.plus_micros(-SHARED_USE_DAYS * DAY_MICROS);
    let mut shared: BTreeSet<_> = persons_at_two_places(&mut tx, since, None).await?.into_iter().collect();
    shared.extend(persons_reading_in_turns(&mut tx, since).await?);
    found.extend(shared.into_iter().map(Finding::SharedUse));
    let systems = list_systems(&mut tx, now, None).await?;
    // Who acts as a system, and is told of as none.
    let role: Vec<RoleCode> = SERVICE_ACCOUNT.parse().into_iter().collect();
    let acting: BTreeSet<_> = holders(&mut tx, &role, now, None).await?.into_iter().map(|grant| grant.person).collect();
    // The system that tells who is here is one too, though it holds no role.
    let provisioning = match SCIM_LOGIN.parse::<Login>() {
        Ok(login) => find_person_by_login(&mut tx, &login).await?.map(|person| person.id),
        Err(_) => None,
    };
    let bare = acting
        .into_iter()
        .chain(provisioning)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .filter(|person| systems.iter().all(|one| one.person != *person));
    found.extend(bare.map(Finding::NotRegistered));
    for system in systems {
        found.extend(of_system(&mut tx, &system, now).await?);
    }
    Ok(found)
}

async fn of_system(tx: &mut Tx, system: &SystemAccount, now: Timestamp) -> Result<Vec<Finding>, DirectoryError> {
    let mut found = Vec::new();
    if !system.has_owner(now) {
        found.push(Finding::NoOwner(system.person));
    }
    let Some(account) = find_account(tx, system.person).await? else {
        found.push(Finding::NotRegistered(system.person));
        return Ok(found);
    };
    if account.review_due_at() <= now {
        found.push(Finding::ReviewLate(system.person));
    }
    if account.rotate_by <= now {
        found.push(Finding::RotationLate(system.person));
    }
    if account.ends_at <= now {
        found.push(Finding::AccountEnded(system.person));
    }
    if account.kind == AccountKind::Emergency && !has_controls(tx, system.person, now).await? {
        found.push(Finding::NoControls(system.person));
    }
    Ok(found)
}
