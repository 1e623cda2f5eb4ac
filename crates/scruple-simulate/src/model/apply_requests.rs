//! What a request that goes on changes, and whether its entries tell of it as it is.

use super::apply::opened;
use super::judge::HOUR;
use super::{Approval, Asked, Chart, Extends, Given, Information, Model, Outcome, Seen, patient};
use crate::deed::Deed;
use crate::error::{Sound, broken};
use scruple_core::{Id, Timestamp};
use serde_json::Value;
use std::collections::BTreeSet;
use uuid::Uuid;

/// An id as the entries write it.
fn text(id: Uuid) -> String {
    Id::<()>::from_uuid(id).to_string()
}

impl Model {
    /// Whether the entries tell of whom the deed is, and in whose place it was done.
    pub(super) fn is_told(&self, deed: &Deed, seen: &[Seen], now: Timestamp) -> Sound<()> {
        let id = |person: usize| self.people[person].id.to_string();
        let is_end = |one: &&Seen| one.kind == "deputy_ended";
        // With a leaver more ends than he is told of.
        let last = seen.iter().rev().find(|one| !is_end(one)).or(seen.last());
        let are_of = |person: &str| {
            seen.iter().filter(is_end).all(|one| one.text("principal") == person || one.text("deputy") == person)
        };
        let tells = |field: &str, expected: &str| last.is_none_or(|one| one.text(field) == expected);
        let of = |id: Uuid| seen.first().is_none_or(|one| one.id() == id);
        let right = match deed {
            Deed::Submit { by, person, .. } => tells("requested_by", &id(*by)) && tells("person", &id(*person)),
            Deed::Longer { by, request, .. } => {
                let asked = &self.asked[*request];
                tells("requested_by", &id(*by))
                    && tells("person", &id(asked.person))
                    && tells("extends", &text(asked.id))
            }
            Deed::Declare { by, patient: who, .. } | Deed::Emergency { by, patient: who, .. } => {
                tells("person", &id(*by)) && tells("patient", &patient(*who))
            }
            Deed::Approve { by, request, .. } => {
                let asked = &self.asked[*request];
                let yes = self.yes_of(asked, *by, now);
                of(asked.id) && seen.first().is_none_or(|one| one.text("by") == id(*by) && self.tells_yes(one, yes))
            }
            Deed::Deny { by, request, .. } | Deed::Cancel { by, request, .. } => {
                of(self.asked[*request].id) && tells("by", &id(*by))
            }
            Deed::NameDeputy { by, deputy, .. } => {
                tells("by", &id(*by)) && tells("principal", &id(*by)) && tells("deputy", &id(*deputy))
            }
            Deed::AcceptDeputy { by, stand_in, .. } | Deed::EndDeputy { by, stand_in, .. } => {
                of(self.stand_ins[*stand_in].id) && tells("by", &id(*by))
            }
            Deed::Tell { by, review, .. } => of(self.reviews[*review].id) && tells("by", &id(*by)),
            Deed::AskReader { by, review, .. } | Deed::Close { by, review, .. } => {
                let one = &self.reviews[*review];
                let acting_for = self.reviews_as(*by, one.reader, now).and_then(|hand| hand.acting_for);
                let in_place_of = acting_for.map(id).unwrap_or_default();
                of(one.id) && tells("by", &id(*by)) && tells("acting_for", &in_place_of)
            }
            Deed::EndChart { by, chart, .. } => of(self.charts[*chart].id) && tells("ended_by", &id(*by)),
            Deed::EndGiven { by, given, .. } => of(self.given[*given].id) && tells("revoked_by", &id(*by)),
            Deed::Replace { person, .. }
            | Deed::LeavesNow { person, .. }
            | Deed::Delete { person, .. }
            | Deed::Create { person, .. }
            | Deed::PlanLeave { person, .. }
            | Deed::EndLeave { person, .. }
            | Deed::ConfirmReturn { person, .. }
            | Deed::PlanMove { person, .. } => tells("person", &id(*person)) && are_of(&id(*person)),
            Deed::Members { group, .. } | Deed::MapGroup { group, .. } | Deed::DeleteGroup { group, .. } => {
                of(self.groups[*group].id)
            }
            Deed::Expire | Deed::SettleMoves => true,
        };
        if right { Ok(()) } else { broken("one-entry", format!("{deed:?} is told as {seen:?}")) }
    }

    /// Whether the last yes that an entry tells of is this one.
    fn tells_yes(&self, one: &Seen, yes: Option<Approval>) -> bool {
        let Some(yes) = yes else { return false };
        let told = one.body.get("approvals").and_then(Value::as_array).and_then(|all| all.last());
        let field = |name: &str| told.and_then(|told| told.get(name)).and_then(Value::as_str);
        let id = |person: usize| self.people[person].id.to_string();
        let acting_for = yes.acting_for.map(id);
        field("by") == Some(id(yes.by).as_str())
            && field("acting_for") == acting_for.as_deref()
            && field("kind") == Some(yes.need.code())
    }

    pub(super) fn apply_request(&mut self, deed: &Deed, seen: &[Seen], now: Timestamp) {
        let id = seen.first().map(Seen::id).unwrap_or_default();
        match deed {
            Deed::Submit { by, person, role, patients, kinds, starts_at, ends_at, words } => {
                self.people[*by].last_words = Some(words.clone());
                let kinds = if patients.is_empty() { Information::Whole } else { kinds.clone() };
                let asked = Asked {
                    id,
                    person: *person,
                    by: *by,
                    role,
                    patients: patients.clone(),
                    kinds,
                    from: starts_at.unwrap_or(now),
                    until: *ends_at,
                    asked_at: now,
                    decide_by: now,
                    needs: Vec::new(),
                    approvals: Vec::new(),
                    extends: None,
                    outcome: Outcome::Pending,
                    version: 1,
                };
                self.hand_in(asked, now);
            }
            Deed::Longer { by, request, ends_at, words } => {
                self.people[*by].last_words = Some(words.clone());
                let before = &self.asked[*request];
                let first = before.extends.map_or((1, before.from), |earlier| (earlier.number + 1, earlier.since));
                let asked = Asked {
                    id,
                    person: before.person,
                    by: *by,
                    role: before.role,
                    // What was ended meanwhile is not prolonged.
                    patients: self.is_left(*request, now).unwrap_or_default(),
                    kinds: before.kinds.clone(),
                    from: before.until,
                    until: *ends_at,
                    asked_at: now,
                    decide_by: now,
                    needs: Vec::new(),
                    approvals: Vec::new(),
                    extends: Some(Extends { request: *request, number: first.0, since: first.1 }),
                    outcome: Outcome::Pending,
                    version: 1,
                };
                self.hand_in(asked, now);
            }
            Deed::Approve { by, request, patients, kinds, ends_at, .. } => {
                let left = (patients.as_ref(), kinds.as_ref(), *ends_at);
                self.approve((*by, *request), left, seen, now);
            }
            Deed::Deny { request, .. } => self.decided(*request, Outcome::Denied),
            Deed::Cancel { request, .. } => self.decided(*request, Outcome::Cancelled),
            _ => {
                for one in seen {
                    let place = self.asked.iter().position(|asked| asked.id == one.id());
                    place.into_iter().for_each(|place| self.decided(place, Outcome::Expired));
                }
            }
        }
    }

    /// A request goes to those whose yes is needed, for as long as the house lets them decide.
    fn hand_in(&mut self, asked: Asked, now: Timestamp) {
        let is_protected = (!asked.patients.is_empty()).then(|| asked.kinds.is_protected());
        let needs = self.house.needs(asked.role, is_protected).unwrap_or_default();
        let decide_by = now.plus_micros(self.house.decide_hours * HOUR).min(asked.until);
        self.asked.push(Asked { needs, decide_by, ..asked });
    }

    fn decided(&mut self, request: usize, outcome: Outcome) {
        let asked = &mut self.asked[request];
        asked.outcome = outcome;
        asked.version += 1;
    }

    fn approve(
        &mut self,
        (by, request): (usize, usize),
        (patients, kinds, ends_at): (Option<&BTreeSet<usize>>, Option<&Information>, Option<Timestamp>),
        seen: &[Seen],
        now: Timestamp,
    ) {
        let Some(yes) = self.yes_of(&self.asked[request], by, now) else { return };
        let asked = &mut self.asked[request];
        asked.version += 1;
        asked.approvals.push(yes);
        asked.patients = patients.unwrap_or(&asked.patients).clone();
        asked.kinds = kinds.unwrap_or(&asked.kinds).clone();
        asked.until = ends_at.unwrap_or(asked.until);
        if asked.approvals.len() < asked.needs.len() {
            return;
        }
        asked.outcome = Outcome::Approved;
        let asked = asked.clone();
        let from = asked.from.max(now);
        if asked.patients.is_empty() {
            // Of a role the grant names the last approver alone.
            let involved = BTreeSet::from([asked.person, asked.by, by]);
            let (person, role, until) = (asked.person, asked.role, asked.until);
            let id = asked.id;
            self.given.push(Given {
                id,
                person,
                role,
                from,
                until,
                granted_at: now,
                involved,
                ended: None,
                version: 1,
            });
            return;
        }
        let approvers = asked.approvals.iter().map(|given| given.by);
        let involved: BTreeSet<usize> = approvers.chain([asked.person, asked.by]).collect();
        for one in seen.iter().skip(1) {
            let number = asked.patients.iter().find(|number| patient(**number) == one.text("patient"));
            let number = number.copied().unwrap_or(usize::MAX);
            self.charts.push(Chart {
                granted_at: now,
                until: asked.until,
                involved: involved.clone(),
                kinds: asked.kinds.clone(),
                request: Some(request),
                ..opened(one.id(), asked.person, asked.role, number, from)
            });
        }
    }
}
