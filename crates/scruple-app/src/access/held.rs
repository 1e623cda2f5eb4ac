//! [`Held`]: what one person holds, as it was loaded, and what of it holds at an instant.

use scruple_core::{Id, Timestamp};
use scruple_flow::step::{Step, missing};
use scruple_flow::{AccessTask, DevicePosture, ElevationKind, HeldElevation, HeldTask, Kinds};
use scruple_release::Limited;
use scruple_store::{Access, Grant, HeldGrant, Person, PractitionerRef, RoleCode, ShardVector, Subject};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// What one person holds.
///
/// It is asked with an instant each time, so that a grant begins and ends at its microsecond and no job is needed for it
/// (**expiry-at-decision**).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    // Grants in the order of their roles, of one role the one that ends last first.
    access: Access,
}

/// A role that is held at an instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ActiveRole<'a> {
    /// The role.
    pub role: &'a RoleCode,
    /// The grant that gives it; of several the one that ends last.
    pub grant: Id<Grant>,
}

impl Held {
    /// What was loaded.
    #[must_use]
    pub fn new(mut access: Access) -> Self {
        let order = |grant: &HeldGrant| (grant.role.clone(), Reverse(grant.window.ends_at()), grant.id);
        access.grants.sort_by_cached_key(order);
        Self { access }
    }

    /// The person.
    #[must_use]
    pub const fn person(&self) -> Id<Person> {
        self.access.person
    }

    /// Who the person is in the record system: the practitioners of his links, in order, without those that are ambiguous.
    /// Not for one who has left: he holds no role that could ask.
    #[must_use]
    pub fn practitioners(&self) -> &[PractitionerRef] {
        &self.access.practitioners
    }

    /// The patients whose records are opened to him at `now`, in a role and for a purpose, beyond those to whom the role relates
    /// him, and what opens each. For break-glass (`BTG`) those of his emergencies alone.
    #[must_use]
    pub fn opened(&self, role: &RoleCode, purpose: &str, now: Timestamp) -> BTreeMap<String, String> {
        let whole = self.elevations(role, purpose, now).filter(|one| one.kinds == Kinds::Whole);
        whole.map(|one| (one.patient.id().to_owned(), by(one))).collect()
    }

    /// Of [`Held::opened`], those of whom an emergency confirmed what is specially protected too.
    #[must_use]
    pub fn protected(&self, role: &RoleCode, purpose: &str, now: Timestamp) -> BTreeSet<String> {
        let confirmed = self.elevations(role, purpose, now).filter(|one| one.protected_at.is_some());
        confirmed.map(|one| one.patient.id().to_owned()).collect()
    }

    /// The patients of whose records some kinds of information alone are opened to him, and nothing more: what several elevations
    /// open of one is opened together.
    #[must_use]
    pub fn limited(&self, role: &RoleCode, purpose: &str, now: Timestamp) -> BTreeMap<String, Limited> {
        let whole = self.opened(role, purpose, now);
        let mut limited: BTreeMap<String, Limited> = BTreeMap::new();
        for one in self.elevations(role, purpose, now).filter(|one| !whole.contains_key(one.patient.id())) {
            let Some(kinds) = one.kinds.codes() else { continue };
            let nothing = || Limited { kinds: BTreeSet::new(), by: Vec::new() };
            let open = limited.entry(one.patient.id().to_owned()).or_insert_with(nothing);
            open.kinds.extend(kinds.iter().map(ToString::to_string));
            open.by.push(by(one));
        }
        limited
    }

    /// What opens records at `now`, in a role and for a purpose.
    fn elevations<'a>(
        &'a self,
        role: &'a RoleCode,
        purpose: &'a str,
        now: Timestamp,
    ) -> impl Iterator<Item = &'a HeldElevation> {
        let is_out = self.is_out(now);
        let opens = move |one: &&HeldElevation| {
            let for_purpose = match one.kind {
                ElevationKind::Asked { .. } => {
                    one.purpose.as_deref().is_none_or(|only| only == purpose) && purpose != "BTG"
                }
                ElevationKind::Declared(_) => purpose != "BTG",
                ElevationKind::Emergency { .. } => matches!(purpose, "TREAT" | "ETREAT" | "BTG"),
            };
            !is_out && for_purpose && one.role == *role && one.window.contains(now)
        };
        self.access.elevations.iter().filter(opens)
    }

    /// The tasks that are active in a role at `now`: each opens the records of its patients, and what there is of a read is told by it.
    pub fn tasks(&self, role: &RoleCode, now: Timestamp) -> impl Iterator<Item = &HeldTask> {
        let out = self.is_out(now);
        self.access.tasks.iter().filter(move |task| !out && task.role == *role && task.window.contains(now))
    }

    /// The tasks in a role of which a read at `now` is to be written down, so that they do not end idle.
    pub fn tasks_to_see(&self, role: &RoleCode, now: Timestamp) -> impl Iterator<Item = Id<AccessTask>> {
        self.tasks(role, now).filter(move |task| task.seen_from <= now).map(|task| task.id)
    }

    /// How far the shards had come when it was loaded.
    #[must_use]
    pub const fn vector(&self) -> &ShardVector {
        &self.access.vector
    }

    /// Whether he has left.
    #[must_use]
    pub fn has_left(&self, now: Timestamp) -> bool {
        self.access.left_at.is_some_and(|at| at <= now)
    }

    /// Whether his account gives nothing at all, not even what everybody may do.
    #[must_use]
    pub fn is_disabled(&self, now: Timestamp) -> bool {
        // relies on (idle-ends), (system-owned)
        self.access.disabled.iter().any(|one| one.contains(now))
    }

    /// Whether it is the account of a system, registered with who answers for it. Accounts of vendors, and those that wait for an
    /// emergency, are used by humans.
    #[must_use]
    pub const fn is_system(&self) -> bool {
        self.access.is_system
    }

    /// Whether his tokens may be used for something: of a system, what is registered, whatever the token says (**never-wider**).
    #[must_use]
    pub fn may_use(&self, scope: &str) -> bool {
        self.access.scopes.as_ref().is_none_or(|scopes| scopes.iter().any(|known| known == scope))
    }

    /// The steps of these that he has not taken, or not lately enough: until then the role that asks for them opens no record.
    #[must_use]
    pub fn missing<'a>(&self, steps: &'a [Step], now: Timestamp) -> Vec<&'a Step> {
        missing(steps, |name| self.access.steps.get(name).copied(), now)
    }

    /// Whether he has left, is on leave, or his account gives nothing.
    fn is_out(&self, now: Timestamp) -> bool {
        // relies on (leave-suspends), (idle-ends), (system-owned)
        self.has_left(now) || self.access.suspended.iter().any(|suspension| suspension.contains(now))
    }

    /// The roles that are held at `now`, each once, in the order of their codes. Of a person who has left or is on leave:
    /// none.
    pub fn active(&self, now: Timestamp) -> impl Iterator<Item = ActiveRole<'_>> {
        let left = self.is_out(now);
        let mut last: Option<&RoleCode> = None;
        let held = self.access.grants.iter().filter(move |grant| !left && grant.window.contains(now));
        held.filter_map(move |grant| {
            let first = last != Some(&grant.role);
            last = Some(&grant.role);
            first.then_some(ActiveRole { role: &grant.role, grant: grant.id })
        })
    }

    /// The earliest instant after `now` at which [`Held::active`], [`Held::opened`] or [`Held::tasks`] may answer something else, as far as is known now.
    #[must_use]
    pub fn changes_after(&self, now: Timestamp) -> Option<Timestamp> {
        let elevations = self.access.elevations.iter().map(|elevation| elevation.window);
        let shown = self.access.tasks.iter().flat_map(|task| task.unmasked.iter().map(|one| one.window));
        let tasks = self.access.tasks.iter().map(|task| task.window).chain(shown);
        let windows = self.access.grants.iter().map(|grant| grant.window).chain(elevations).chain(tasks);
        let instants = windows.flat_map(|window| [window.starts_at(), window.ends_at()]).chain(self.access.left_at);
        let instants = instants.chain(self.access.suspended.iter().flat_map(|suspension| suspension.instants()));
        instants.filter(|at| *at > now).min()
    }

    /// Whether events with these subjects may alter what is held.
    pub(crate) fn is_touched_by(&self, touched: &Touched) -> bool {
        touched.everyone
            || touched.persons.contains(&self.access.person)
            || self.access.grants.iter().any(|grant| touched.roles.contains(&grant.role))
    }
}

/// What opens a record, as the ledger names it.
fn by(one: &HeldElevation) -> String {
    format!("{} Elevation/{}", one.kind.code(), one.id)
}

/// The subjects of many events by their kinds, so that an entry is compared with each kind once.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    everyone: bool,
    roles: BTreeSet<RoleCode>,
    persons: BTreeSet<Id<Person>>,
    devices: BTreeSet<Id<DevicePosture>>,
}

impl Touched {
    /// Whether events with these subjects may alter what is known of a device.
    pub(crate) fn touches_device(&self, device: Id<DevicePosture>) -> bool {
        self.everyone || self.devices.contains(&device)
    }
}

impl FromIterator<Subject> for Touched {
    fn from_iter<I: IntoIterator<Item = Subject>>(subjects: I) -> Self {
        let mut touched = Self::default();
        for subject in subjects {
            match subject {
                Subject::Everyone => touched.everyone = true,
                Subject::Role(role) => {
                    touched.roles.insert(role);
                }
                Subject::Person(person) => {
                    touched.persons.insert(person);
                }
                Subject::Device(device) => {
                    touched.devices.insert(device);
                }
            }
        }
        touched
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use scruple_flow::directory::Suspension;
    use scruple_flow::{DeclaredReason, EmergencyReason};
    use scruple_store::Window;
    use uuid::Uuid;

    pub(crate) fn at(seconds: i64) -> Timestamp {
        Timestamp::parse("2026-03-01T08:00:00Z").unwrap().plus_micros(seconds * 1_000_000)
    }

    pub(crate) fn id(number: u128) -> Id<Grant> {
        Id::from_uuid(Uuid::from_u128(number))
    }

    /// Grants as (number, role, from, until).
    pub(crate) fn held(left_at: Option<i64>, grants: &[(u128, &str, i64, i64)]) -> Held {
        let person = Id::from_uuid(Uuid::from_u128(99));
        let grant = |(number, role, from, until): &(u128, &str, i64, i64)| HeldGrant {
            id: id(*number),
            person,
            role: role.parse().unwrap(),
            window: Window::new(at(*from), at(*until)).unwrap(),
        };
        Held::new(Access {
            vector: ShardVector::default(),
            person,
            left_at: left_at.map(at),
            suspended: Vec::new(),
            disabled: Vec::new(),
            grants: grants.iter().map(grant).collect(),
            elevations: Vec::new(),
            is_system: false,
            scopes: None,
            steps: BTreeMap::new(),
            tasks: Vec::new(),
            practitioners: Vec::new(),
        })
    }

    fn active(held: &Held, now: Timestamp) -> Vec<(String, Id<Grant>)> {
        held.active(now).map(|active| (active.role.to_string(), active.grant)).collect()
    }

    #[test]
    fn a_grant_begins_and_ends_at_its_microsecond() {
        let held = held(None, &[(1, "nurse", 10, 20)]);
        let nurse = vec![("nurse".to_owned(), id(1))];
        for (now, expected, change) in [
            (at(10).plus_micros(-1), vec![], Some(at(10))),
            (at(10), nurse.clone(), Some(at(20))),
            (at(20).plus_micros(-1), nurse, Some(at(20))),
            (at(20), vec![], None),
        ] {
            assert_eq!((active(&held, now), held.changes_after(now)), (expected, change), "{now}");
        }
    }

    #[test]
    fn of_two_grants_of_a_role_the_one_that_ends_last_counts() {
        let held = held(None, &[(1, "nurse", 0, 20), (2, "biller", 5, 9), (3, "nurse", 10, 30), (4, "nurse", 0, 20)]);
        let named =
            |list: &[(&str, u128)]| list.iter().map(|(role, n)| ((*role).to_owned(), id(*n))).collect::<Vec<_>>();
        for (second, expected, change) in [
            (0, named(&[("nurse", 1)]), Some(5)),
            (5, named(&[("biller", 2), ("nurse", 1)]), Some(9)),
            (9, named(&[("nurse", 1)]), Some(10)),
            (10, named(&[("nurse", 3)]), Some(20)),
            (29, named(&[("nurse", 3)]), Some(30)),
            (30, named(&[]), None),
        ] {
            let found = (active(&held, at(second)), held.changes_after(at(second)));
            assert_eq!(found, (expected, change.map(at)), "{second}");
        }
    }

    #[test]
    fn who_leaves_holds_nothing_from_that_microsecond() {
        let held = held(Some(15), &[(1, "nurse", 10, 20)]);
        assert_eq!(active(&held, at(15).plus_micros(-1)).len(), 1);
        assert_eq!(held.changes_after(at(10)), Some(at(15)));
        assert_eq!(active(&held, at(15)), []);
    }

    #[test]
    fn a_record_is_opened_in_its_role_for_its_purpose_until_its_end() {
        let mut held = held(None, &[(1, "nurse", 0, 100)]);
        let kinds = [
            ("a", ElevationKind::Asked { request: Id::from_uuid(Uuid::from_u128(7)) }, Some("COC")),
            ("d", ElevationKind::Declared(DeclaredReason::Covering), None),
            (
                "e",
                ElevationKind::Emergency {
                    reason: EmergencyReason::LifeThreat,
                    review: Id::from_uuid(Uuid::from_u128(8)),
                },
                None,
            ),
        ];
        held.access.elevations = (1..)
            .zip(kinds)
            .map(|(number, (patient, kind, purpose))| HeldElevation {
                protected_at: matches!(kind, ElevationKind::Emergency { .. }).then(|| at(10)),
                id: Id::from_uuid(Uuid::from_u128(number)),
                person: held.person(),
                role: "nurse".parse().unwrap(),
                purpose: purpose.map(str::to_owned),
                patient: patient.parse().unwrap(),
                kinds: Kinds::Whole,
                kind,
                window: Window::new(at(10), at(20)).unwrap(),
            })
            .collect();
        let nurse: RoleCode = "nurse".parse().unwrap();
        for (second, role, purpose, expected) in [
            (9, "nurse", "TREAT", ""),
            (10, "nurse", "TREAT", "d e"),
            (19, "nurse", "ETREAT", "d e"),
            (10, "nurse", "COC", "a d"),
            (10, "nurse", "BTG", "e"),
            (10, "biller", "TREAT", ""),
            (20, "nurse", "TREAT", ""),
        ] {
            let opened = held.opened(&role.parse().unwrap(), purpose, at(second));
            assert_eq!(opened.keys().cloned().collect::<Vec<_>>().join(" "), expected, "{second} {role} {purpose}");
        }
        let by = held.opened(&nurse, "BTG", at(10));
        assert_eq!(by["e"], "emergency Elevation/00000000-0000-0000-0000-000000000003");
        assert_eq!((held.changes_after(at(0)), held.changes_after(at(10))), (Some(at(10)), Some(at(20))));
        for (purpose, second, expected) in [("BTG", 10, "e"), ("TREAT", 10, "e"), ("COC", 10, ""), ("BTG", 20, "")] {
            let protected = held.protected(&nurse, purpose, at(second));
            assert_eq!(protected.into_iter().collect::<String>(), expected, "{purpose} {second}");
        }
        held.access.left_at = Some(at(15));
        assert_eq!(held.opened(&nurse, "BTG", at(15)), BTreeMap::new());
    }

    #[test]
    fn what_several_open_of_one_record_is_open_together_and_the_whole_takes_all_of_it() {
        let mut held = held(None, &[(1, "nurse", 0, 100)]);
        let open = |number: u128, patient: &str, kinds: &str, (from, until): (i64, i64)| HeldElevation {
            protected_at: None,
            id: Id::from_uuid(Uuid::from_u128(number)),
            person: Id::from_uuid(Uuid::from_u128(99)),
            role: "nurse".parse().unwrap(),
            purpose: None,
            patient: patient.parse().unwrap(),
            kinds: kinds.parse().unwrap(),
            kind: ElevationKind::Asked { request: Id::from_uuid(Uuid::from_u128(7)) },
            window: Window::new(at(from), at(until)).unwrap(),
        };
        held.access.elevations = vec![
            open(1, "a", "labs", (0, 20)),
            open(2, "a", "segment:hiv vitals", (10, 30)),
            open(3, "b", "labs", (0, 30)),
            open(4, "b", "*", (20, 30)),
        ];
        let nurse: RoleCode = "nurse".parse().unwrap();
        for (second, purpose, limited, opened) in [
            (0, "TREAT", "a: labs by 1; b: labs by 1", ""),
            (10, "TREAT", "a: labs segment:hiv vitals by 2; b: labs by 1", ""),
            (20, "TREAT", "a: segment:hiv vitals by 1", "b"),
            (30, "TREAT", "", ""),
            (10, "BTG", "", ""),
        ] {
            let of = |(patient, one): (String, Limited)| {
                let kinds: Vec<String> = one.kinds.into_iter().collect();
                format!("{patient}: {} by {}", kinds.join(" "), one.by.len())
            };
            let found: Vec<String> = held.limited(&nurse, purpose, at(second)).into_iter().map(of).collect();
            assert_eq!(found.join("; "), limited, "{second} {purpose}");
            let whole: Vec<String> = held.opened(&nurse, purpose, at(second)).into_keys().collect();
            assert_eq!(whole.join(" "), opened, "{second} {purpose}");
        }
        held.access.left_at = Some(at(5));
        assert_eq!(held.limited(&nurse, "TREAT", at(5)), BTreeMap::new());
    }

    #[test]
    fn who_is_on_leave_holds_nothing_until_it_is_closed() {
        let mut held = held(None, &[(1, "nurse", 0, 100)]);
        held.access.suspended = vec![
            Suspension { from: Some(at(20)), until: Some(at(30)) },
            Suspension { from: Some(at(60)), until: None },
        ];
        for (second, roles, change) in [(19, 1, 20), (20, 0, 30), (29, 0, 30), (30, 1, 60), (60, 0, 100), (99, 0, 100)]
        {
            assert_eq!((active(&held, at(second)).len(), held.changes_after(at(second))), (roles, Some(at(change))));
        }
        held.access.suspended = vec![Suspension { from: None, until: None }];
        assert_eq!(active(&held, at(-5)), []);
    }

    #[test]
    fn an_event_touches_the_person_his_roles_and_everyone() {
        let held = held(None, &[(1, "nurse", 10, 20)]);
        for (subject, expected) in [
            ("*", true),
            ("role:nurse", true),
            ("role:biller", false),
            ("person:00000000-0000-0000-0000-000000000063", true),
            ("person:00000000-0000-0000-0000-000000000064", false),
        ] {
            let touched = std::iter::once(subject.parse().unwrap()).collect();
            assert_eq!(held.is_touched_by(&touched), expected, "{subject}");
        }
    }
}
