//! What a deed that was done changes. Ids come from the entries, which must tell of the same people.

use super::{Chart, Given, Information, Leave, Look, Model, Moved, Planned, Review};
use crate::deed::Deed;
use crate::error::Sound;
use scruple_core::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;
use uuid::Uuid;

const HOUR: i64 = 3_600_000_000;

/// An entry as it stands in the table of events.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub kind: String,
    pub aggregate: String,
    pub at: Timestamp,
    pub body: Value,
}

impl Seen {
    pub fn id(&self) -> Uuid {
        let id = self.aggregate.rsplit_once(':').and_then(|(_, id)| id.parse().ok());
        id.unwrap_or_default()
    }

    pub fn text(&self, field: &str) -> &str {
        self.body.get(field).and_then(Value::as_str).unwrap_or_default()
    }
}

pub(crate) fn patient(number: usize) -> String {
    format!("canary7f-{number}")
}

impl Model {
    /// Notes that a deed was done. `seen` are its entries.
    pub fn apply(&mut self, deed: &Deed, seen: &[Seen], now: Timestamp) -> Sound<()> {
        self.is_told(deed, seen, now)?;
        let first = seen.first().map(Seen::id).unwrap_or_default();
        match deed {
            Deed::Submit { .. }
            | Deed::Longer { .. }
            | Deed::Approve { .. }
            | Deed::Deny { .. }
            | Deed::Cancel { .. }
            | Deed::Expire => self.apply_request(deed, seen, now),
            Deed::NameDeputy { .. } | Deed::AcceptDeputy { .. } | Deed::EndDeputy { .. } => {
                self.apply_deputy(deed, first, now);
            }
            Deed::Declare { by, role, patient, ends_at } => {
                self.charts.push(Chart { until: *ends_at, ..opened(first, *by, role, *patient, now) });
            }
            Deed::Emergency { by, role, patient } => {
                let chart = seen.get(1).map(Seen::id).unwrap_or_default();
                self.reviews.push(Review { id: first, reader: *by, look: Look::Open, account: None, version: 1 });
                self.charts.push(Chart {
                    is_emergency: true,
                    until: now.plus_micros(4 * HOUR),
                    ..opened(chart, *by, role, *patient, now)
                });
            }
            Deed::EndChart { chart, .. } => end_chart(&mut self.charts[*chart], now),
            Deed::EndGiven { given, .. } => end_given(&mut self.given[*given], now),
            Deed::Tell { review, words, .. } => {
                self.reviews[*review].account = Some(words.clone());
                self.looked(*review, Look::Open);
            }
            Deed::AskReader { review, .. } => self.looked(*review, Look::Asked),
            Deed::Close { review, .. } => self.looked(*review, Look::Justified),
            _ => self.apply_directory(deed, seen, now),
        }
        Ok(())
    }

    fn looked(&mut self, review: usize, look: Look) {
        let review = &mut self.reviews[review];
        review.look = look;
        review.version += 1;
    }

    fn apply_directory(&mut self, deed: &Deed, seen: &[Seen], now: Timestamp) {
        match deed {
            Deed::Replace { person, department, manager, effective_at, .. } => {
                // What a leaver answered for goes up the line that is told with it.
                let told = &mut self.people[*person];
                (told.department, told.manager) = (*department, *manager);
                for one in seen {
                    match one.kind.as_str() {
                        "person_left" => self.leaves(*person, now),
                        "person_rehired" => self.people[*person].left = None,
                        "person_moved" => self.moves(*person, one.id(), effective_at.unwrap_or(now), now),
                        "leave_started" => self.leave_starts(*person, now),
                        "leave_ended" => self.leave_is_over(*person),
                        _ => {}
                    }
                }
            }
            Deed::LeavesNow { person, .. } if !seen.is_empty() => self.leaves(*person, now),
            Deed::Delete { person, .. } => {
                self.people[*person].is_listed = false;
                for group in &mut self.groups {
                    group.members.remove(person);
                }
                if self.is_here(*person) {
                    self.leaves(*person, now);
                }
            }
            Deed::Create { person, .. } => {
                let one = &mut self.people[*person];
                (one.is_listed, one.left) = (true, None);
            }
            Deed::PlanLeave { person, starts_at, .. } => self.leave_starts(*person, (*starts_at).max(now)),
            Deed::EndLeave { person, .. } => self.leave_is_over(*person),
            Deed::ConfirmReturn { person, .. } => self.people[*person].leave = None,
            Deed::PlanMove { person, effective_at, .. } => {
                let id = seen.first().map(Seen::id).unwrap_or_default();
                self.moves(*person, id, *effective_at, now);
            }
            Deed::SettleMoves => seen.iter().for_each(|one| self.settle(one.id())),
            Deed::Members { group, members, .. } => {
                let before = std::mem::replace(&mut self.groups[*group].members, members.clone());
                let role = self.groups[*group].role;
                self.out_of(role, &before.difference(members).copied().collect::<Vec<_>>(), now);
            }
            Deed::MapGroup { group, role, .. } => {
                let before = std::mem::replace(&mut self.groups[*group].role, *role);
                if before != *role {
                    let members: Vec<_> = self.groups[*group].members.iter().copied().collect();
                    self.out_of(before, &members, now);
                }
            }
            Deed::DeleteGroup { group, .. } => {
                let one = &mut self.groups[*group];
                one.is_deleted = true;
                let members: Vec<_> = std::mem::take(&mut one.members).into_iter().collect();
                let role = one.role;
                self.out_of(role, &members, now);
            }
            _ => {}
        }
    }

    /// Out at once, with everything.
    fn leaves(&mut self, person: usize, now: Timestamp) {
        let one = &mut self.people[person];
        one.left = Some(now);
        one.leave = None;
        one.sessions.clear();
        self.given.iter_mut().filter(|one| one.person == person && one.until > now).for_each(|one| end_given(one, now));
        let charts = self.charts.iter_mut().filter(|one| one.person == person && one.until > now);
        charts.for_each(|one| end_chart(one, now));
        self.ends_deputies_of(person, now);
        let Some(heir) = self.nearest(person, now) else { return };
        let reports = self.people.iter_mut().enumerate();
        let reports = reports.filter(|(place, one)| one.is_listed && one.manager == Some(person) && *place != heir);
        reports.for_each(|(_, one)| one.manager = Some(heir));
    }

    fn moves(&mut self, person: usize, id: Uuid, effective_at: Timestamp, now: Timestamp) {
        let effective_at = effective_at.max(now);
        self.moved.push(Moved { person, role: None, covers_until: now, effective_at });
        if effective_at > now {
            self.planned.push(Planned { id, person, covers_until: now, effective_at, is_settled: false });
        } else {
            self.given
                .iter_mut()
                .filter(|one| one.person == person && one.until > now)
                .for_each(|one| end_given(one, now));
        }
    }

    /// Book-keeping: what a move took is revoked too.
    fn settle(&mut self, id: Uuid) {
        let Some(planned) = self.planned.iter_mut().find(|one| one.id == id) else { return };
        planned.is_settled = true;
        let planned = planned.clone();
        let taken = self.given.iter_mut().filter(|one| {
            one.person == planned.person && one.granted_at <= planned.covers_until && one.until > planned.effective_at
        });
        taken.for_each(|one| end_given(one, planned.effective_at));
    }

    fn leave_starts(&mut self, person: usize, starts_at: Timestamp) {
        let leave = &mut self.people[person].leave;
        let starts_at = leave.map_or(starts_at, |leave| leave.starts_at.min(starts_at));
        *leave = Some(Leave { starts_at, is_said_to_be_over: false });
    }

    fn leave_is_over(&mut self, person: usize) {
        if let Some(leave) = &mut self.people[person].leave {
            leave.is_said_to_be_over = true;
        }
    }

    /// Whoever came out of a group that stood for a role loses it, unless another group of his stands for it.
    fn out_of(&mut self, role: Option<&'static str>, persons: &[usize], now: Timestamp) {
        for person in persons {
            let stands = |group: &super::Group| group.role == role && group.members.contains(person);
            if role.is_none() || !self.is_here(*person) || self.groups.iter().any(stands) {
                continue;
            }
            self.moved.push(Moved { person: *person, role, covers_until: now, effective_at: now });
            let lost = |one: &&mut Given| one.person == *person && Some(one.role) == role && one.until > now;
            self.given.iter_mut().filter(lost).for_each(|one| end_given(one, now));
        }
    }
}

pub(super) fn opened(id: Uuid, person: usize, role: &'static str, patient: usize, from: Timestamp) -> Chart {
    let involved = BTreeSet::from([person]);
    let granted_at = from;
    Chart {
        id,
        person,
        role,
        patient,
        kinds: Information::Whole,
        is_emergency: false,
        request: None,
        granted_at,
        from,
        until: from,
        involved,
        ended: None,
        version: 1,
    }
}

fn end_chart(chart: &mut Chart, at: Timestamp) {
    if chart.ended.is_none() {
        chart.ended = Some(at);
        chart.version += 1;
    }
}

fn end_given(given: &mut Given, at: Timestamp) {
    if given.ended.is_none() {
        given.ended = Some(at.max(given.granted_at));
        given.version += 1;
    }
}
