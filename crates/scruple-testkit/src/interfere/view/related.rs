//! Whom a resource is about, and to whom the caller is related (`docs/view.md`, 1 and 2).

use crate::interfere::oracle::{Range, literal, range};
use crate::interfere::store::{Store, Stored};
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};

/// What makes a relationship.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RelatedBy {
    /// The caller is in a visit.
    Encounter,
    /// The caller has an appointment.
    Appointment,
    /// The caller is of a care team.
    CareTeam,
    /// The caller is the patient's general practitioner.
    Panel,
}

/// A line of the role: a kind, and for how long before and after it holds, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// The kind.
    pub kind: RelatedBy,
    /// Before it begins.
    pub before: i64,
    /// After it ends.
    pub after: i64,
}

/// What makes the caller's relationships at an instant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Related {
    /// The caller's literals: `Practitioner/1`, `PractitionerRole/2`.
    pub practitioners: Vec<String>,
    /// The role's lines.
    pub windows: Vec<Window>,
    /// The instant of the decision, in microseconds since 1970.
    pub at: i64,
}

/// Elements at which the patients of a bound resource stand.
const SINGLE: [&str; 6] = ["subject", "patient", "beneficiary", "individual", "for", "candidate"];
/// And those of one type: the type, the element, and the part of it.
const OF_TYPE: [(&str, &str, Option<&str>); 4] = [
    ("Appointment", "participant", Some("actor")),
    ("AppointmentResponse", "actor", None),
    ("Group", "member", Some("entity")),
    ("Person", "link", Some("target")),
];

/// A value, or the items of an array.
fn items(value: &Value) -> &[Value] {
    value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice)
}

/// What a Reference names, by a literal.
fn names(reference: &Value) -> Option<(&str, &str)> {
    reference.get("reference").and_then(Value::as_str).and_then(literal)
}

/// The patients of a bound resource; nobody, if its own elements name none. None: one of them nobody knows.
///
/// Reading: a literal of another type than Patient is no patient, and none whom nobody knows either; `participant` without
/// an `actor` names nobody. Of a choice (`subject[x]`) nothing is read.
#[must_use]
pub fn patients(stored: &Stored) -> Option<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    if stored.resource_type == "Patient" {
        found.insert(stored.id.clone());
    }
    if !add(&stored.resource_type, &stored.value, &mut found) {
        return None;
    }
    if found.is_empty() {
        return Some(found);
    }
    // What it contains is about somebody too, and of a Patient that it contains nothing is known.
    for inner in contained(&stored.value) {
        let kind = inner.get("resourceType").and_then(Value::as_str)?;
        if kind == "Patient" || !add(kind, inner, &mut found) {
            return None;
        }
    }
    Some(found)
}

/// The resources that one contains.
pub fn contained(value: &Value) -> impl Iterator<Item = &Value> {
    value.get("contained").and_then(Value::as_array).into_iter().flatten()
}

/// Adds the patients at the elements of one resource. False: one of them nobody knows.
fn add(kind: &str, value: &Value, found: &mut BTreeSet<String>) -> bool {
    let mut references: Vec<&Value> = SINGLE.iter().filter_map(|name| value.get(*name)).flat_map(items).collect();
    for (_, element, part) in OF_TYPE.iter().filter(|(own, ..)| *own == kind) {
        let standing = value.get(*element).map(items).unwrap_or_default().iter();
        match part {
            Some(part) => references.extend(standing.filter_map(|item| item.get(*part)).flat_map(items)),
            None => references.extend(standing),
        }
    }
    for reference in references {
        if reference.get("reference").is_none() && reference.get("identifier").is_none() {
            continue;
        }
        match names(reference) {
            Some(("Patient", id)) => {
                found.insert(id.to_owned());
            }
            Some(_) => {}
            None => return false,
        }
    }
    true
}

impl Related {
    /// The patients to whom the caller is related.
    #[must_use]
    pub fn to(&self, store: &Store) -> HashSet<String> {
        let mut found = HashSet::new();
        for window in &self.windows {
            for stored in store.iter() {
                match (window.kind, stored.resource_type.as_str()) {
                    (RelatedBy::Encounter, "Encounter") => found.extend(self.by_encounter(&stored.value, *window)),
                    (RelatedBy::Appointment, "Appointment") => {
                        found.extend(self.by_appointment(&stored.value, *window))
                    }
                    (RelatedBy::CareTeam, "CareTeam") => found.extend(self.by_team(&stored.value, *window)),
                    (RelatedBy::Panel, "Patient") if self.is_on_panel(&stored.value) => {
                        found.insert(stored.id.clone());
                    }
                    _ => {}
                }
            }
        }
        found
    }

    fn is_own(&self, reference: Option<&Value>) -> bool {
        let named = reference.and_then(names);
        named.is_some_and(|(kind, id)| self.practitioners.contains(&format!("{kind}/{id}")))
    }

    fn holds(&self, from: Option<i64>, to: Option<i64>) -> bool {
        from.is_none_or(|from| from <= self.at) && to.is_none_or(|to| self.at < to)
    }

    fn by_encounter(&self, value: &Value, window: Window) -> Option<String> {
        let status = status(value)?;
        let known = ["planned", "arrived", "triaged", "in-progress", "onleave", "finished"];
        let is_in = parts(value, "participant").any(|part| {
            let own = period(part.get("period")).is_some_and(|(start, end)| {
                self.holds(
                    start.map(|start| start.from.saturating_sub(window.before)),
                    end.map(|end| end.to.saturating_add(window.after)),
                )
            });
            own && self.is_own(part.get("individual"))
        });
        let (start, end) = period(value.get("period"))?;
        if !known.contains(&status) || !is_in || (status == "finished" && end.is_none()) {
            return None;
        }
        let from = start.map(|start| start.from.saturating_sub(window.before));
        let to = end.map(|end| end.to.saturating_add(window.after));
        patient(value.get("subject")).filter(|_| self.holds(from, to))
    }

    fn by_appointment(&self, value: &Value, window: Window) -> Vec<String> {
        let own = status(value).unwrap_or_default();
        let known = ["pending", "booked", "arrived", "checked-in", "fulfilled"];
        let is_in =
            parts(value, "participant").any(|part| self.is_own(part.get("actor")) && status(part) != Some("declined"));
        let (Ok(Some(start)), Ok(end)) = (time(value, "start"), time(value, "end")) else { return Vec::new() };
        let from = start.from.saturating_sub(window.before);
        let longest = start.from.saturating_add(31 * 24 * 3_600_000_000);
        let to = end.unwrap_or(start).to.min(longest).saturating_add(window.after);
        if !known.contains(&own) || !is_in || !self.holds(Some(from), Some(to)) {
            return Vec::new();
        }
        parts(value, "participant").filter_map(|part| patient(part.get("actor"))).collect()
    }

    fn by_team(&self, value: &Value, window: Window) -> Option<String> {
        if status(value) != Some("active") {
            return None;
        }
        let of_team = period(value.get("period"))?;
        // Reading: a time of another participant that cannot be read undoes nothing.
        let is_in = parts(value, "participant").filter(|part| self.is_own(part.get("member"))).any(|part| {
            let own = period(part.get("period"));
            own.is_some_and(|own| {
                [of_team, own].iter().all(|(start, end)| {
                    self.holds(start.map(|start| start.from), end.map(|end| end.to.saturating_add(window.after)))
                })
            })
        });
        patient(value.get("subject")).filter(|_| is_in)
    }

    fn is_on_panel(&self, value: &Value) -> bool {
        let is_active = value.get("active") != Some(&Value::Bool(false));
        is_active && parts(value, "generalPractitioner").any(|reference| self.is_own(Some(reference)))
    }
}

fn status(value: &Value) -> Option<&str> {
    value.get("status").and_then(Value::as_str)
}

fn parts<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).map(items).unwrap_or_default().iter()
}

fn patient(reference: Option<&Value>) -> Option<String> {
    let (kind, id) = reference.and_then(names)?;
    (kind == "Patient").then(|| id.to_owned())
}

/// A time that may stand. Err: it cannot be read.
fn time(value: &Value, name: &str) -> Result<Option<Range>, ()> {
    match value.get(name) {
        None => Ok(None),
        Some(text) => text.as_str().and_then(range).map(Some).ok_or(()),
    }
}

/// Start and end of a Period that may stand. None: one of them cannot be read.
fn period(value: Option<&Value>) -> Option<(Option<Range>, Option<Range>)> {
    match value {
        None => Some((None, None)),
        Some(value) if value.is_object() => Some((time(value, "start").ok()?, time(value, "end").ok()?)),
        Some(_) => None,
    }
}
