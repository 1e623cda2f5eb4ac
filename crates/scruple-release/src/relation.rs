//! What makes a relationship between a caller and a patient (docs/view.md, 2), judged on resources of the record system.

use scruple_core::{Span, Timestamp};
use scruple_fhir::about::named;
use scruple_policy::{Reach, RelatedBy};
use serde_json::Value;

/// A kind of what makes a relationship.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    Encounter,
    Appointment,
    CareTeam,
    Panel,
}

impl Kind {
    /// Those that count for a role.
    pub fn of(by: &RelatedBy) -> Vec<Self> {
        let counts = [
            (Self::Encounter, by.encounter.is_some()),
            (Self::Appointment, by.appointment.is_some()),
            (Self::CareTeam, by.care_team.is_some()),
            (Self::Panel, by.panel),
        ];
        counts.into_iter().filter_map(|(kind, counts)| counts.then_some(kind)).collect()
    }

    /// The type whose resources tell, and the parameters that name patient and caller.
    pub const fn search(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Encounter => ("Encounter", "patient", "participant"),
            Self::Appointment => ("Appointment", "patient", "actor"),
            Self::CareTeam => ("CareTeam", "patient", "participant"),
            Self::Panel => ("Patient", "_id", "general-practitioner"),
        }
    }

    pub const fn word(self) -> &'static str {
        match self {
            Self::Encounter => "encounter",
            Self::Appointment => "appointment",
            Self::CareTeam => "care_team",
            Self::Panel => "panel",
        }
    }
}

/// The longest appointment, in microseconds: so that those that are over need not all be looked at.
const APPOINTMENT_MICROS_MAX: i64 = 31 * DAY;
/// The statuses of an Encounter that is not over.
const GOING_ON: &str = "planned,arrived,triaged,in-progress,onleave";
/// One day, in microseconds.
const DAY: i64 = 24 * 3_600_000_000;

/// The searches by which relationships are found: the type, and the parameters that name patient and caller.
#[must_use]
pub fn relationship_searches() -> [(&'static str, &'static str, &'static str); 4] {
    [Kind::Encounter, Kind::Appointment, Kind::CareTeam, Kind::Panel].map(Kind::search)
}

/// Who asks, in which way he can be related, and when.
pub(crate) struct Caller<'a> {
    pub practitioners: &'a [String],
    pub by: &'a RelatedBy,
    pub now: Timestamp,
}

impl Caller<'_> {
    /// The patients to whom a resource relates the caller.
    pub fn patients(&self, kind: Kind, resource: &Value) -> Vec<String> {
        match kind {
            Kind::Encounter => self.encounter(resource),
            Kind::Appointment => self.appointment(resource),
            Kind::CareTeam => self.care_team(resource),
            Kind::Panel => self.panel(resource),
        }
        .unwrap_or_default()
    }

    /// The searches for all of a kind that can relate now, each as what narrows it: most of what is over is left out.
    pub fn searches(&self, kind: Kind) -> Vec<Vec<(String, String)>> {
        let status = |codes: &str| ("status".to_owned(), codes.to_owned());
        let since = |micros: i64| {
            let at = Timestamp::from_micros(self.now.micros().saturating_sub(micros.saturating_add(DAY))).to_string();
            ("date".to_owned(), format!("ge{}Z", at.get(..19).unwrap_or(&at)))
        };
        match kind {
            // What goes on may have no times; what is finished relates by its end alone.
            Kind::Encounter => self.by.encounter.map_or_else(Vec::new, |reach| {
                vec![vec![status(GOING_ON)], vec![status("finished"), since(reach.after)]]
            }),
            Kind::Appointment => self
                .by
                .appointment
                .map_or_else(Vec::new, |reach| vec![vec![since(reach.after.saturating_add(APPOINTMENT_MICROS_MAX))]]),
            Kind::CareTeam => vec![vec![status("active")]],
            Kind::Panel => vec![Vec::new()],
        }
    }

    fn encounter(&self, resource: &Value) -> Option<Vec<String>> {
        const ACTIVE: [&str; 6] = ["planned", "arrived", "triaged", "in-progress", "onleave", "finished"];
        let status = word(resource, "status").filter(|status| ACTIVE.contains(status))?;
        let period = Times::of(resource.get("period"))?;
        if status == "finished" && period.to.is_none() {
            return None;
        }
        let reach = self.by.encounter?;
        let is_there = |one: &Value| {
            self.is(one.get("individual")) && Times::of(one.get("period")).is_some_and(|own| self.is_in(own, reach))
        };
        let takes_part = items(resource, "participant").any(is_there);
        (takes_part && self.is_in(period, reach)).then(|| patient(resource.get("subject")))?.map(one)
    }

    fn appointment(&self, resource: &Value) -> Option<Vec<String>> {
        const HELD: [&str; 5] = ["pending", "booked", "arrived", "checked-in", "fulfilled"];
        word(resource, "status").filter(|status| HELD.contains(status))?;
        let start = Span::parse(word(resource, "start")?)?;
        let end = match resource.get("end") {
            Some(end) => Span::parse(end.as_str()?)?,
            None => start,
        };
        let longest = start.from.saturating_add(APPOINTMENT_MICROS_MAX);
        let times = Times { from: Some(start.from), to: Some(end.to.min(longest)) };
        let comes = |one: &Value| self.is(one.get("actor")) && word(one, "status") != Some("declined");
        let takes_part = items(resource, "participant").any(comes) && self.is_in(times, self.by.appointment?);
        let actors = || items(resource, "participant").map(|one| one.get("actor"));
        takes_part.then(|| actors().filter_map(patient).collect())
    }

    fn care_team(&self, resource: &Value) -> Option<Vec<String>> {
        word(resource, "status").filter(|status| *status == "active")?;
        let reach = Reach { before: 0, ..self.by.care_team? };
        let is_now = |period: Option<&Value>| Times::of(period).is_some_and(|times| self.is_in(times, reach));
        let member = |one: &Value| self.is(one.get("member")) && is_now(one.get("period"));
        let belongs = is_now(resource.get("period")) && items(resource, "participant").any(member);
        belongs.then(|| patient(resource.get("subject")))?.map(one)
    }

    fn panel(&self, resource: &Value) -> Option<Vec<String>> {
        let is_theirs = items(resource, "generalPractitioner").any(|one| self.is(Some(one)));
        let is_active = resource.get("active") != Some(&Value::Bool(false));
        (is_theirs && is_active).then(|| word(resource, "id").map(|id| vec![id.to_owned()]))?
    }

    /// Whether a Reference names the caller.
    fn is(&self, reference: Option<&Value>) -> bool {
        let Some((kind, id)) = literal(reference) else { return false };
        self.practitioners.iter().any(|own| own.split_once('/') == Some((kind, id)))
    }

    fn is_in(&self, times: Times, reach: Reach) -> bool {
        let now = self.now.micros();
        let begun = times.from.is_none_or(|from| from.saturating_sub(reach.before) <= now);
        begun && times.to.is_none_or(|to| now < to.saturating_add(reach.after))
    }
}

/// A stretch of time, open where there is no bound.
#[derive(Clone, Copy)]
struct Times {
    from: Option<i64>,
    to: Option<i64>,
}

impl Times {
    /// Of a Period; none if a bound stands that cannot be read.
    fn of(period: Option<&Value>) -> Option<Self> {
        let Some(period) = period else { return Some(Self { from: None, to: None }) };
        if !period.is_object() {
            return None;
        }
        let bound = |key: &str| match period.get(key) {
            Some(value) => value.as_str().and_then(Span::parse).map(Some),
            None => Some(None),
        };
        Some(Self { from: bound("start")?.map(|span| span.from), to: bound("end")?.map(|span| span.to) })
    }
}

fn one(id: String) -> Vec<String> {
    vec![id]
}

fn word<'a>(resource: &'a Value, key: &str) -> Option<&'a str> {
    resource.get(key)?.as_str()
}

fn items<'a>(resource: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    resource.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn literal(reference: Option<&Value>) -> Option<(&str, &str)> {
    named(reference?.get("reference")?.as_str()?)
}

fn patient(reference: Option<&Value>) -> Option<String> {
    literal(reference).filter(|(kind, _)| *kind == "Patient").map(|(_, id)| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn check(kind: Kind, now: &str, resource: &str, expected: &[&str]) {
        let reach = |before: i64, after: i64| Some(Reach { before: before * HOUR, after: after * HOUR });
        let by = RelatedBy { encounter: reach(0, 72), appointment: reach(24, 1), care_team: reach(0, 0), panel: true };
        let practitioners = ["Practitioner/d".to_owned(), "PractitionerRole/r".to_owned()];
        let caller = Caller { practitioners: &practitioners, by: &by, now: Timestamp::parse(now).unwrap() };
        let value = serde_json::from_str(resource).unwrap();
        assert_eq!(caller.patients(kind, &value), expected, "{now} {resource}");
    }

    #[test]
    fn a_visit_relates_whoever_takes_part_until_so_long_after_its_end() {
        let visit = |status: &str, period: &str, individual: &str| {
            format!(
                r#"{{"status":"{status}","subject":{{"reference":"Patient/p"}},"participant":[{{}},{{"individual":{{"reference":"{individual}"}}}}]{period}}}"#
            )
        };
        let past = r#","period":{"start":"2026-03-01T08:00:00Z","end":"2026-03-01T09:00:00Z"}"#;
        let here = |now: &str, expected: &[&str]| {
            check(Kind::Encounter, now, &visit("finished", past, "Practitioner/d"), expected);
        };
        here("2026-03-01T07:59:59Z", &[]);
        here("2026-03-01T08:00:00Z", &["p"]);
        here("2026-03-04T09:00:00Z", &["p"]);
        here("2026-03-04T09:00:01Z", &[]);
        let now = "2026-03-01T08:30:00Z";
        check(Kind::Encounter, now, &visit("in-progress", "", "PractitionerRole/r"), &["p"]);
        check(Kind::Encounter, now, &visit("finished", "", "Practitioner/d"), &[]);
        check(Kind::Encounter, now, &visit("cancelled", past, "Practitioner/d"), &[]);
        check(Kind::Encounter, now, &visit("entered-in-error", past, "Practitioner/d"), &[]);
        for other in ["Practitioner/other", "https://x.example/Practitioner/d", "Practitioner?identifier=1", "#d"] {
            check(Kind::Encounter, now, &visit("in-progress", "", other), &[]);
        }
        for unreadable in [r#"{"start":"2026-03-01T08:00:00Z","end":"next week"}"#, "[{}]", "\"always\"", "null"] {
            let period = format!(r#","period":{unreadable}"#);
            check(Kind::Encounter, now, &visit("in-progress", &period, "Practitioner/d"), &[]);
        }
        check(
            Kind::Encounter,
            now,
            &visit("in-progress", r#","period":{"end":"9999-12-31"}"#, "Practitioner/d"),
            &["p"],
        );
        let left = visit("in-progress", "", "Practitioner/d")
            .replace(r#"{"individual""#, r#"{"period":{"end":"2026-02-26T08:00:00Z"},"individual""#);
        check(Kind::Encounter, now, &left, &[]);
    }

    #[test]
    fn a_leap_day_ends_when_it_is_over() {
        let visit = r#"{"status":"finished","subject":{"reference":"Patient/p"},"participant":[{"individual":{"reference":"Practitioner/d"}}],"period":{"start":"2028-02-29","end":"2028-02-29"}}"#;
        check(Kind::Encounter, "2028-03-03T23:59:59Z", visit, &["p"]);
        check(Kind::Encounter, "2028-03-04T00:00:00Z", visit, &[]);
    }

    #[test]
    fn appointments_teams_and_panels_relate_too() {
        let appointment = r#"{"status":"booked","start":"2026-03-02T08:00:00Z","end":"2026-03-02T09:00:00Z","participant":[
          {"actor":{"reference":"Practitioner/d"}},{"actor":{"reference":"Patient/p"}},{"actor":{"reference":"Patient/q"}}]}"#;
        check(Kind::Appointment, "2026-03-01T08:00:00Z", appointment, &["p", "q"]);
        check(Kind::Appointment, "2026-03-01T07:59:59Z", appointment, &[]);
        check(Kind::Appointment, "2026-03-02T10:00:00Z", appointment, &["p", "q"]);
        check(Kind::Appointment, "2026-03-02T10:00:01Z", appointment, &[]);
        check(Kind::Appointment, "2026-03-02T08:00:00Z", &appointment.replace("booked", "noshow"), &[]);
        let declined = appointment.replacen(r#"{"actor""#, r#"{"status":"declined","actor""#, 1);
        check(Kind::Appointment, "2026-03-02T08:00:00Z", &declined, &[]);
        let team = r#"{"status":"active","subject":{"reference":"Patient/p"},"period":{"start":"2026-01-01"},"participant":[
          {"member":{"reference":"Practitioner/d"},"period":{"end":"2026-02-01"}}]}"#;
        check(Kind::CareTeam, "2026-02-01T23:00:00Z", team, &["p"]);
        check(Kind::CareTeam, "2026-02-02T00:00:00Z", team, &[]);
        check(Kind::CareTeam, "2025-12-31T23:00:00Z", team, &[]);
        check(Kind::CareTeam, "2026-02-01T23:00:00Z", &team.replace("active", "suspended"), &[]);
        let patient = r#"{"id":"p","generalPractitioner":[{"reference":"Practitioner/d"}]}"#;
        check(Kind::Panel, "2026-02-01T23:00:00Z", patient, &["p"]);
        check(
            Kind::Panel,
            "2026-02-01T23:00:00Z",
            r#"{"id":"p","active":false,"generalPractitioner":[{"reference":"Practitioner/d"}]}"#,
            &[],
        );
    }
}
