//! Two measures of the whole: how many people have what their role says and no more, and whether the five parts of role-based
//! access are there.

use scruple_core::{Id, Timestamp};
use scruple_flow::Person;
use scruple_store::limits::BULK_ROWS_MAX;
use scruple_store::{HeldGrant, Store, StoreError, Tx, asked_grants, grants_as_of, job_roles, people_here};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of a person for the measure.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PersonRoles {
    /// He is here and not on leave.
    pub is_active: bool,
    /// Roles that he holds now.
    pub held: BTreeSet<String>,
    /// Roles that his job gives him, by the mapping of the directory.
    pub of_job: BTreeSet<String>,
    /// Roles that he holds by an exception that is in force: asked for, approved, with its end.
    pub excepted: BTreeSet<String>,
}

/// The share of people whose access is aligned with their role (FM-07): an exact fraction.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Alignment {
    /// As of when.
    pub at: Timestamp,
    /// People whose roles are those of their job, or excepted.
    pub aligned: usize,
    /// Active people who may see PHI.
    pub of: usize,
    /// People with more, and what is more.
    pub over: BTreeMap<String, BTreeSet<String>>,
    /// Not counted: not active, or without access to PHI.
    pub excluded: usize,
    /// How it is counted.
    pub formula: &'static str,
}

/// Measures it. `phi`: the roles that open PHI.
#[must_use]
pub fn alignment<K: Ord + ToString>(
    people: &BTreeMap<K, PersonRoles>,
    phi: &BTreeSet<String>,
    at: Timestamp,
) -> Alignment {
    let mut measure = Alignment {
        at,
        aligned: 0,
        of: 0,
        over: BTreeMap::new(),
        excluded: 0,
        formula: "active people whose roles that open PHI are those of their job or of an exception in force, divided by active people with such a role",
    };
    for (person, roles) in people {
        let held: BTreeSet<&String> = roles.held.intersection(phi).collect();
        if !roles.is_active || held.is_empty() {
            measure.excluded += 1;
            continue;
        }
        measure.of += 1;
        let more = held.into_iter().filter(|role| !roles.of_job.contains(*role) && !roles.excepted.contains(*role));
        let more: BTreeSet<String> = more.cloned().collect();
        if more.is_empty() {
            measure.aligned += 1;
        } else {
            measure.over.insert(person.to_string(), more);
        }
    }
    measure
}

/// What each person who is here holds now, what his job gives him by the groups of the directory, and what was asked for and
/// approved; by id.
///
/// # Errors
/// The database failed.
pub async fn role_holdings(store: &Store, now: Timestamp) -> Result<BTreeMap<Id<Person>, PersonRoles>, StoreError> {
    let mut tx = store.begin_read().await?;
    let mut people: BTreeMap<Id<Person>, PersonRoles> = BTreeMap::new();
    for (person, is_away) in people_here(&mut tx, now).await? {
        people.insert(person, PersonRoles { is_active: !is_away, ..PersonRoles::default() });
    }
    let asked = asked_grants(&mut tx, now).await?;
    for grant in all_grants(&mut tx, now).await? {
        let Some(roles) = people.get_mut(&grant.person) else { continue };
        if asked.contains(&grant.id) {
            roles.excepted.insert(grant.role.to_string());
        }
        roles.held.insert(grant.role.to_string());
    }
    for (person, role) in job_roles(&mut tx).await? {
        if let Some(roles) = people.get_mut(&person) {
            roles.of_job.insert(role.to_string());
        }
    }
    Ok(people)
}

/// Every grant that is in force at an instant.
///
/// # Errors
/// The database failed.
pub async fn all_grants(tx: &mut Tx, at: Timestamp) -> Result<Vec<HeldGrant>, StoreError> {
    let mut all: Vec<HeldGrant> = Vec::new();
    loop {
        let page = grants_as_of(tx, at, all.last().map(|last| last.id), BULK_ROWS_MAX).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// One of the five parts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Check {
    /// Its name.
    pub part: &'static str,
    /// It is there.
    pub is_good: bool,
    /// What shows it, or what is missing.
    pub evidence: String,
    /// Where that is looked at.
    pub href: &'static str,
}

/// What the five parts rest on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SelfCheck {
    /// Active people, and those of them without any role.
    pub people: (usize, usize),
    /// Roles of the active policy, and those without a task or a reason.
    pub roles: (usize, usize),
    /// Cells that were proved equal at activation; none: nothing is proved.
    pub proved_cells: Option<usize>,
    /// Mappings that are late.
    pub late_mappings: usize,
    /// Exceptions to the ban on broad access, and those that are over.
    pub exceptions: (usize, usize),
}

impl SelfCheck {
    /// The five parts: inventory, mapping, enforcement, review, exceptions (RB-19).
    #[must_use]
    pub fn checks(&self) -> [Check; 5] {
        let (people, without) = self.people;
        let (roles, bare) = self.roles;
        let (exceptions, over) = self.exceptions;
        [
            Check {
                part: "inventory",
                is_good: people > 0 && without == 0,
                evidence: format!("{people} people are here, {without} of them without a role"),
                href: "/people",
            },
            Check {
                part: "mapping",
                is_good: roles > 0 && bare == 0,
                evidence: format!("{roles} roles name kinds of information with tasks and a reason, {bare} do not"),
                href: "/roles",
            },
            Check {
                part: "enforcement",
                is_good: self.proved_cells.is_some_and(|cells| cells > 0),
                evidence: self.proved_cells.map_or_else(
                    || "the policy that decides is not proved".to_owned(),
                    |cells| {
                        format!("each of the {cells} answers of the policy was worked out in two ways, and both agree")
                    },
                ),
                href: "/roles/versions",
            },
            Check {
                part: "review",
                is_good: self.late_mappings == 0,
                evidence: format!("{} mappings are late", self.late_mappings),
                href: "/roles",
            },
            Check {
                part: "exceptions",
                is_good: over == 0,
                evidence: format!("{exceptions} exceptions to the ban on broad access, {over} of them over"),
                href: "/roles/versions",
            },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn of_twenty_people_three_over_granted_one_excepted_and_two_inactive_make_fifteen_of_eighteen() {
        let mut people = BTreeMap::new();
        for number in 0..20 {
            let mut person = PersonRoles {
                is_active: number >= 2,
                held: roles(&["nurse"]),
                of_job: roles(&["nurse"]),
                excepted: BTreeSet::new(),
            };
            if (5..8).contains(&number) {
                person.held.insert("coder".to_owned());
            }
            if number == 8 {
                person.held.insert("coder".to_owned());
                person.excepted.insert("coder".to_owned());
            }
            people.insert(format!("p{number:02}"), person);
        }
        let measured = alignment(&people, &roles(&["nurse", "coder"]), Timestamp::from_micros(0));
        assert_eq!((measured.aligned, measured.of, measured.excluded), (15, 18, 2));
        assert_eq!(measured.over.keys().collect::<Vec<_>>(), ["p05", "p06", "p07"]);
        assert_eq!(measured, alignment(&people, &roles(&["nurse", "coder"]), Timestamp::from_micros(0)));
        // A role that opens nothing is no access to PHI.
        people.insert(
            "admin".to_owned(),
            PersonRoles { is_active: true, held: roles(&["administrator"]), ..PersonRoles::default() },
        );
        assert_eq!(alignment(&people, &roles(&["nurse", "coder"]), Timestamp::from_micros(0)).of, 18);
    }

    #[test]
    fn what_one_part_lacks_turns_that_part_red_alone() {
        let good =
            SelfCheck { people: (10, 0), roles: (30, 0), proved_cells: Some(7), late_mappings: 0, exceptions: (1, 0) };
        let red = |check: &SelfCheck| -> Vec<&'static str> {
            check.checks().iter().filter(|one| !one.is_good).map(|one| one.part).collect()
        };
        assert!(red(&good).is_empty());
        assert_eq!(red(&SelfCheck { people: (10, 1), ..good.clone() }), ["inventory"]);
        assert_eq!(red(&SelfCheck { roles: (30, 2), ..good.clone() }), ["mapping"]);
        assert_eq!(red(&SelfCheck { proved_cells: None, ..good.clone() }), ["enforcement"]);
        assert_eq!(red(&SelfCheck { late_mappings: 1, ..good.clone() }), ["review"]);
        assert_eq!(red(&SelfCheck { exceptions: (1, 1), ..good }), ["exceptions"]);
    }
}
