//! [`Record`]: what the event of a change will tell, while the change is being made.

use scruple_core::{Id, Timestamp};
use scruple_store::{
    Aggregate, Event, Grant, GrantRequest, LinkEnd, LinkRequest, NewEvent, Person, PractitionerLink, Subject, Subjects,
};
use serde_json::json;

/// What an event will tell.
pub(crate) struct Record {
    aggregate: Aggregate,
    version: i64,
    at: Timestamp,
    kind: &'static str,
    subjects: Subjects,
    body: Vec<u8>,
}

impl Record {
    /// What the event of a change will tell; `body` holds ids, codes and instants, and no name.
    pub(crate) fn new(
        (aggregate, version): (Aggregate, i64),
        kind: &'static str,
        at: Timestamp,
        subjects: impl Into<Subjects>,
        body: &serde_json::Value,
    ) -> Self {
        Self { aggregate, version, at, kind, subjects: subjects.into(), body: body.to_string().into_bytes() }
    }

    pub(crate) fn person_added(person: Id<Person>, at: Timestamp) -> Self {
        Self {
            aggregate: Aggregate::new("person", person),
            version: 1,
            at,
            kind: "person_added",
            subjects: Subject::Person(person).into(),
            body: json!({ "person": person.to_string() }).to_string().into_bytes(),
        }
    }

    pub(crate) fn granted(request: &GrantRequest, approved_by: Id<Person>, at: Timestamp) -> Self {
        let grant: Id<Grant> = request.id;
        let body = json!({
            "grant": grant.to_string(),
            "person": request.person.to_string(),
            "role": request.role.as_str(),
            "starts_at": request.window.starts_at().micros(),
            "ends_at": request.window.ends_at().micros(),
            "requested_by": request.requested_by.to_string(),
            "approved_by": approved_by.to_string(),
        });
        Self {
            aggregate: Aggregate::new("grant", grant),
            version: 1,
            at,
            kind: "role_granted",
            subjects: Subject::Person(request.person).into(),
            body: body.to_string().into_bytes(),
        }
    }

    /// `subjects` are those that the store has answered with: others may hold the practitioner too.
    pub(crate) fn linked(request: &LinkRequest, confirmed_by: Id<Person>, at: Timestamp, subjects: Subjects) -> Self {
        let body = json!({
            "link": request.id.to_string(),
            "person": request.person.to_string(),
            "practitioner": request.practitioner.as_str(),
            "confirmed_by": confirmed_by.to_string(),
        });
        Self {
            aggregate: Aggregate::new("practitioner_link", request.id),
            version: 1,
            at,
            kind: "practitioner_linked",
            subjects,
            body: body.to_string().into_bytes(),
        }
    }

    /// `link` is as it was before; `subjects` are those that the store has answered with.
    pub(crate) fn unlinked(link: &PractitionerLink, end: LinkEnd, subjects: Subjects) -> Self {
        let body = json!({
            "link": link.id.to_string(),
            "person": link.person.to_string(),
            "practitioner": link.practitioner.as_str(),
            "ended_by": end.by.to_string(),
        });
        Self {
            aggregate: Aggregate::new("practitioner_link", link.id),
            version: link.version.saturating_add(1),
            at: end.at,
            kind: "practitioner_unlinked",
            subjects,
            body: body.to_string().into_bytes(),
        }
    }

    /// When it happened.
    pub(crate) const fn at(&self) -> Timestamp {
        self.at
    }

    pub(crate) fn event(&self, id: Id<Event>) -> NewEvent<'_> {
        NewEvent {
            id,
            aggregate: self.aggregate.clone(),
            version: self.version,
            at: self.at,
            kind: self.kind,
            subjects: self.subjects.clone(),
            body: &self.body,
        }
    }
}
