//! Who had what at an instant, told by the entries alone: nothing but the log is read.

use crate::model::Seen;
use scruple_core::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Something that was given for a time.
struct Span {
    person: String,
    /// The role, or the role, the patient and the kinds of information.
    what: String,
    role: String,
    from: i64,
    until: i64,
    given_at: i64,
}

#[derive(Default)]
struct Replay {
    gone: BTreeSet<String>,
    leaves: BTreeMap<String, i64>,
    roles: BTreeMap<String, Span>,
    charts: BTreeMap<String, Span>,
    /// Whose, what was given until when, and when it is lost.
    moves: Vec<(String, i64, i64)>,
    /// The same of charts, of one role if that is said.
    taken: Vec<(String, Option<String>, i64, i64)>,
}

/// What everybody had, by the ids of persons: roles, and charts as `role/patient kinds`.
pub(crate) type Had = BTreeMap<String, BTreeSet<String>>;

/// Who had what at an instant.
pub(crate) fn as_of(seen: &[Seen], at: Timestamp) -> Had {
    let mut replay = Replay::default();
    for one in seen.iter().take_while(|one| one.at <= at) {
        replay.take(one);
    }
    replay.had(at.micros())
}

fn micros(seen: &Seen, field: &str) -> i64 {
    seen.body.get(field).and_then(Value::as_i64).unwrap_or(0)
}

impl Replay {
    fn take(&mut self, seen: &Seen) {
        let person = seen.text("person").to_owned();
        self.lose_charts(seen);
        match seen.kind.as_str() {
            "role_granted" => {
                let role = seen.text("role").to_owned();
                self.roles.insert(seen.text("grant").to_owned(), span(seen, person, role));
            }
            "role_revoked" => drop(self.roles.remove(seen.text("grant"))),
            "elevation_granted" | "relationship_declared" | "emergency_activated" => {
                let what = format!("{}/{} {}", seen.text("role"), seen.text("patient"), seen.text("kinds"));
                self.charts.insert(seen.text("elevation").to_owned(), span(seen, person, what));
            }
            "elevation_ended" => drop(self.charts.remove(seen.text("elevation"))),
            "person_left" => {
                self.roles.retain(|_, one| one.person != person);
                self.charts.retain(|_, one| one.person != person);
                self.leaves.remove(&person);
                self.gone.insert(person);
            }
            "person_rehired" => drop(self.gone.remove(&person)),
            "person_moved" if micros(seen, "effective_at") > seen.at.micros() => {
                self.moves.push((person, seen.at.micros(), micros(seen, "effective_at")));
            }
            "person_moved" | "group_changed" | "group_mapped" | "group_removed" => self.lose(seen),
            "leave_started" => drop(self.leaves.insert(person, micros(seen, "starts_at"))),
            "return_confirmed" => drop(self.leaves.remove(&person)),
            _ => {}
        }
    }

    /// What was opened by the old place is lost with it.
    fn lose_charts(&mut self, seen: &Seen) {
        let at = seen.at.micros();
        let role = if seen.kind == "group_mapped" { seen.text("role_before") } else { seen.text("role") };
        let losers = seen.body.get("lost_by").and_then(Value::as_array).into_iter().flatten();
        for loser in losers.filter_map(Value::as_str) {
            self.taken.push((loser.to_owned(), Some(role.to_owned()), at, at));
        }
        if seen.kind == "person_moved" {
            let effective_at = micros(seen, "effective_at");
            self.taken.push((seen.text("person").to_owned(), None, at, effective_at.max(at)));
        }
    }

    fn lose(&mut self, seen: &Seen) {
        let grants = seen.body.get("grants").and_then(Value::as_array).into_iter().flatten();
        for grant in grants.filter_map(|grant| grant.get("grant")?.as_str()) {
            self.roles.remove(grant);
        }
    }

    fn had(&self, at: i64) -> Had {
        let mut had = Had::new();
        for one in self.roles.values().chain(self.charts.values()) {
            let out = self.gone.contains(&one.person) || self.leaves.get(&one.person).is_some_and(|from| *from <= at);
            let is_chart = one.what != one.role;
            let moved = |(person, given, lost): &(String, i64, i64)| {
                !is_chart && *person == one.person && *given >= one.given_at && *lost <= at
            };
            let taken = |(person, role, given, lost): &(String, Option<String>, i64, i64)| {
                is_chart
                    && *person == one.person
                    && role.as_ref().is_none_or(|role| *role == one.role)
                    && *given >= one.given_at
                    && *lost <= at
            };
            let out = out || self.taken.iter().any(taken);
            if !out && one.from <= at && at < one.until && !self.moves.iter().any(moved) {
                had.entry(one.person.clone()).or_default().insert(one.what.clone());
            }
        }
        had
    }
}

fn span(seen: &Seen, person: String, what: String) -> Span {
    let role = seen.text("role").to_owned();
    let (from, until) = (micros(seen, "starts_at"), micros(seen, "ends_at"));
    Span { person, what, role, from, until, given_at: seen.at.micros() }
}
