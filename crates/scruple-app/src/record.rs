//! [`Record`]: what the event of a change will tell, while the change is being made.

use crate::message::{About, Receipt};
use scruple_core::{Id, Timestamp};
use scruple_flow::{
    ALERT_DAYS, AccessRequest, Alert, AlertOf, CaseState, ChartCase, ChartQuestion, Deputy, DeputyState, DevicePosture,
    Elevation, ElevationKind, EmergencyReview, MappingReview, NewElevation, PackCase, PackState, PackVersion,
    PatientRef, RequestState, ReviewState, Revocation, UseReview, UseState,
};
use scruple_store::{
    Aggregate, Credential, CredentialKind, Enrolment, Event, Grant, GrantRequest, LinkEnd, LinkRequest, LogImport,
    NewEvent, NewMappingReview, Person, PractitionerLink, Session, Subject, Subjects,
};
use serde_json::{Value, json};

/// What a message tells, and of what.
type Told<'a> = (&'a str, Id<About>);

/// Who acts, and in whose place, if in somebody's.
pub(crate) type Acting = (Id<Person>, Option<Id<Person>>);

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
        body: &Value,
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

    pub(crate) fn revoked(grant: &Grant, end: Revocation) -> Self {
        let body = json!({
            "grant": grant.held.id.to_string(),
            "person": grant.held.person.to_string(),
            "role": grant.held.role.as_str(),
            "revoked_by": end.by.to_string(),
        });
        Self {
            aggregate: Aggregate::new("grant", grant.held.id),
            version: grant.version.saturating_add(1),
            at: end.at,
            kind: "role_revoked",
            subjects: Subject::Person(grant.held.person).into(),
            body: body.to_string().into_bytes(),
        }
    }

    /// What has become of a request, with all of it: whoever reads the log needs no other place.
    pub(crate) fn request(request: &AccessRequest, version: i64, at: Timestamp, by: Id<Person>) -> Self {
        let wanted = &request.wanted;
        let mut body = json!({
            "request": request.id.to_string(),
            "person": request.person.to_string(),
            "requested_by": request.requested_by.to_string(),
            "by": by.to_string(),
            "role": wanted.role.as_str(),
            "purpose": wanted.purpose,
            "patients": wanted.patients.iter().map(PatientRef::id).collect::<Vec<_>>(),
            "task": wanted.task.code(),
            "kinds": wanted.kinds.to_string(),
            "starts_at": wanted.window.starts_at().micros(),
            "ends_at": wanted.window.ends_at().micros(),
            "needs": request.rule.needs.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "decide_by": request.decide_by.micros(),
            "backup": request.rule.backup.as_ref().map(|backup| backup.kind.to_string()),
            "escalates_at": request.escalates_at().map(Timestamp::micros),
            "extends": request.extends.map(|earlier| earlier.request.to_string()),
            "extension": request.extends.map(|earlier| earlier.number),
            "acknowledged": request.acknowledged,
            "state": request.state.code(),
            "justification": request.justification.expose(),
            "ticket": request.ticket,
        });
        let approvals = match &request.state {
            RequestState::Pending { approvals } | RequestState::Approved { approvals, .. } => approvals.as_slice(),
            _ => &[],
        };
        if let Value::Object(fields) = &mut body {
            let told = approvals.iter().map(|one| {
                json!({
                    "by": one.by.to_string(),
                    "acting_for": one.acting_for.map(|who| who.to_string()),
                    "kind": one.kind.to_string(),
                    "at": one.at.micros(),
                })
            });
            fields.insert("approvals".to_owned(), told.collect());
            if let RequestState::Denied { comment, .. } = &request.state {
                fields.insert("comment".to_owned(), json!(comment.expose()));
            }
        }
        Self {
            aggregate: Aggregate::new("access_request", request.id),
            version,
            at,
            kind: match (&request.state, approvals) {
                (RequestState::Draft, _) => "request_drafted",
                (RequestState::Pending { .. }, []) => "request_submitted",
                (RequestState::Pending { .. }, _) => "request_seconded",
                (RequestState::Approved { .. }, _) => "request_approved",
                (RequestState::Denied { .. }, _) => "request_denied",
                (RequestState::Expired { .. }, _) => "request_expired",
                (RequestState::Cancelled { .. }, _) => "request_cancelled",
                (RequestState::Failed { .. }, _) => "request_failed",
            },
            // Nobody's access changes by a request; what it opens has an event of its own.
            subjects: Subjects::none(),
            body: body.to_string().into_bytes(),
        }
    }

    /// An alert refuses nobody anything.
    pub(crate) fn alert(alert: &Alert) -> Self {
        let (person, role) = match &alert.of {
            AlertOf::RequestsOfPerson(person) | AlertOf::EmergenciesOfPerson(person) => {
                (Some(person.to_string()), None)
            }
            AlertOf::RequestsForRole(role) => (None, Some(role.as_str())),
        };
        let body = json!({
            "alert": alert.id.to_string(),
            "kind": alert.of.code(),
            "person": person,
            "role": role,
            "count": alert.count,
            "limit": alert.limit,
            "days": ALERT_DAYS,
            "suggestion": alert.of.suggestion(),
        });
        Self::new((Aggregate::new("alert", alert.id), 1), "alert_raised", alert.raised_at, Subjects::none(), &body)
    }

    /// Nobody's access changes by a deputy: what he decides has an event of its own.
    pub(crate) fn deputy(deputy: &Deputy, version: i64, at: Timestamp, by: Id<Person>) -> Self {
        let body = json!({
            "deputy_relation": deputy.id.to_string(),
            "principal": deputy.principal.to_string(),
            "deputy": deputy.deputy.to_string(),
            "capacity": deputy.capacity.code(),
            "starts_at": deputy.window.starts_at().micros(),
            "ends_at": deputy.window.ends_at().micros(),
            "by": by.to_string(),
        });
        let kind = match deputy.state {
            DeputyState::Named => "deputy_named",
            DeputyState::Accepted { .. } => "deputy_accepted",
            DeputyState::Ended { .. } => "deputy_ended",
        };
        Self::new((Aggregate::new("deputy", deputy.id), version), kind, at, Subjects::none(), &body)
    }

    pub(crate) fn elevated(new: &NewElevation) -> Self {
        let opening = new.opening();
        let (reason, request, review) = match new.kind() {
            ElevationKind::Asked { request } => (None, Some(request.to_string()), None),
            ElevationKind::Declared(reason) => (Some(reason.code()), None, None),
            ElevationKind::Emergency { reason, review } => (Some(reason.code()), None, Some(review.to_string())),
        };
        let body = json!({
            "elevation": opening.id.to_string(),
            "kind": new.kind().code(),
            "person": opening.person.to_string(),
            "role": opening.role.as_str(),
            "purpose": opening.purpose,
            "patient": opening.patient.id(),
            "kinds": opening.kinds.to_string(),
            "reason": reason,
            "request": request,
            "review": review,
            "starts_at": opening.window.starts_at().micros(),
            "ends_at": opening.window.ends_at().micros(),
            "justification": opening.justification.expose(),
        });
        Self {
            aggregate: Aggregate::new("elevation", opening.id),
            version: 1,
            at: new.at(),
            kind: match new.kind() {
                ElevationKind::Asked { .. } => "elevation_granted",
                ElevationKind::Declared(_) => "relationship_declared",
                ElevationKind::Emergency { .. } => "emergency_activated",
            },
            subjects: Subject::Person(opening.person).into(),
            body: body.to_string().into_bytes(),
        }
    }

    /// `elevation` is as it was before.
    pub(crate) fn elevation_ended(elevation: &Elevation, end: Revocation) -> Self {
        let body = json!({
            "elevation": elevation.held.id.to_string(),
            "kind": elevation.held.kind.code(),
            "person": elevation.held.person.to_string(),
            "ended_by": end.by.to_string(),
        });
        Self {
            aggregate: Aggregate::new("elevation", elevation.held.id),
            version: elevation.version.saturating_add(1),
            at: end.at,
            kind: "elevation_ended",
            subjects: Subject::Person(elevation.held.person).into(),
            body: body.to_string().into_bytes(),
        }
    }

    /// What 42 CFR 2.51 asks to be written down at once stands in it and in the emergency that it is of: to whom and by whom it is
    /// opened, when, and the nature of the emergency. `elevation` is as it is now.
    pub(crate) fn protected_confirmed(elevation: &Elevation, version: i64, at: Timestamp) -> Self {
        let held = &elevation.held;
        let (reason, review) = match held.kind {
            ElevationKind::Emergency { reason, review } => (Some(reason.code()), Some(review.to_string())),
            _ => (None, None),
        };
        let body = json!({
            "elevation": held.id.to_string(),
            "kind": held.kind.code(),
            "person": held.person.to_string(),
            "role": held.role.as_str(),
            "patient": held.patient.id(),
            "reason": reason,
            "review": review,
            "protected_at": held.protected_at.map(Timestamp::micros),
        });
        let aggregate = (Aggregate::new("elevation", held.id), version);
        Self::new(aggregate, "emergency_protected_confirmed", at, Subject::Person(held.person), &body)
    }

    pub(crate) fn review_opened(review: Id<EmergencyReview>, new: &NewElevation, due_at: Timestamp) -> Self {
        let body = json!({
            "review": review.to_string(),
            "elevation": new.opening().id.to_string(),
            "reader": new.opening().person.to_string(),
            "due_at": due_at.micros(),
            "state": "open",
        });
        Self {
            aggregate: Aggregate::new("emergency_review", review),
            version: 1,
            at: new.at(),
            kind: "review_opened",
            subjects: Subjects::none(),
            body: body.to_string().into_bytes(),
        }
    }

    pub(crate) fn review(review: &EmergencyReview, version: i64, at: Timestamp, (by, acting_for): Acting) -> Self {
        let rationale =
            if let ReviewState::Closed(verdict) = &review.state { Some(verdict.rationale.expose()) } else { None };
        let question = review.asked.as_ref().filter(|_| matches!(review.state, ReviewState::Asked { .. }));
        let body = json!({
            "review": review.id.to_string(),
            "elevation": review.elevation.to_string(),
            "reader": review.reader.to_string(),
            "by": by.to_string(),
            "acting_for": acting_for.map(|other| other.to_string()),
            "state": review.state.code(),
            "account": review.account.as_ref().map(|account| account.expose()),
            "question_words": question.map(|asked| asked.words.expose()),
            "rationale": rationale,
        });
        Self {
            aggregate: Aggregate::new("emergency_review", review.id),
            version,
            at,
            kind: match &review.state {
                ReviewState::Open => "review_told",
                ReviewState::Asked { .. } => "review_asked",
                ReviewState::Closed(_) => "review_closed",
            },
            subjects: Subjects::none(),
            body: body.to_string().into_bytes(),
        }
    }

    pub(crate) fn use_review(review: &UseReview, version: i64, at: Timestamp, by: Id<Person>) -> Self {
        let comment = if let UseState::Closed { comment, .. } = &review.state { Some(comment.expose()) } else { None };
        let body = json!({
            "use_review": review.id.to_string(),
            "elevation": review.elevation.to_string(),
            "reader": review.reader.to_string(),
            "beside": review.beside.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "unused": review.unused,
            "by": by.to_string(),
            "state": review.state.code(),
            "comment": comment,
        });
        let kind = if comment.is_some() { "use_closed" } else { "use_compared" };
        Self::new((Aggregate::new("use_review", review.id), version), kind, at, Subjects::none(), &body)
    }

    /// The patient stands in the question, sealed, and not in what others read of it.
    pub(crate) fn chart_asked(question: &ChartQuestion) -> Self {
        let body = json!({
            "question": question.id.to_string(),
            "cause": question.cause.code(),
            "from": question.from.micros(),
            "until": question.until.micros(),
            "by": question.asked_by.to_string(),
        });
        let aggregate = (Aggregate::new("chart_question", question.id), 1);
        Self::new(aggregate, "chart_asked", question.asked_at, Subjects::none(), &body)
    }

    pub(crate) fn case(case: &ChartCase, version: i64, at: Timestamp, by: Id<Person>) -> Self {
        let verdict = case.state.verdict();
        let body = json!({
            "case": case.id.to_string(),
            "question": case.question.to_string(),
            "reader": case.reader.to_string(),
            "by": by.to_string(),
            "state": case.state.code(),
            "complaint": case.complaint.expose(),
            "answer": case.answer.as_ref().map(|(text, _)| text.expose()),
            "finding": verdict.map(|verdict| verdict.finding.code()),
            "rationale": verdict.map(|verdict| verdict.rationale.expose()),
        });
        let kind = match &case.state {
            CaseState::Open => "case_opened",
            CaseState::Asked => "case_reader_asked",
            CaseState::Answered => "case_answered",
            CaseState::Decided(_) => "case_decided",
            CaseState::Lettered(..) => "case_lettered",
        };
        Self::new((Aggregate::new("chart_case", case.id), version), kind, at, Subjects::none(), &body)
    }

    pub(crate) fn log_import(import: &LogImport, code: &str, operator: &str) -> Self {
        let counts = import.counts;
        let body = json!({
            "import": import.id.to_string(),
            "source": code,
            "operator": operator,
            "lines": counts.lines,
            "added": counts.added,
            "known": counts.known,
            "refused": counts.refused,
            "unknown_people": counts.unknown_people,
        });
        let (version, kind, at) = match import.ended_at {
            None => (1, "log_import_begun", import.started_at),
            Some(at) => (2, "log_import_ended", at),
        };
        Self::new((Aggregate::new("log_import", import.id), version), kind, at, Subjects::none(), &body)
    }

    /// What has become of a version of the policy, with all that was decided on.
    pub(crate) fn pack(pack: &PackVersion, version: i64, at: Timestamp, by: Option<Id<Person>>) -> Self {
        let case: Option<&PackCase> = match &pack.state {
            PackState::Proposed(case) | PackState::Approved(case, _) | PackState::Refused { case, .. } => Some(case),
            PackState::Active(term) | PackState::Superseded { term, .. } => term.decided.as_ref().map(|(case, _)| case),
            PackState::Draft | PackState::Checked { .. } | PackState::Withdrawn { .. } => None,
        };
        let comment = if let PackState::Refused { comment, .. } = &pack.state { Some(comment.expose()) } else { None };
        let body = json!({
            "pack_version": pack.id.to_string(),
            "pack": pack.hash.to_string(),
            "engine": pack.engine,
            "origin": pack.origin.code(),
            "state": pack.state.code(),
            "by": by.map(|by| by.to_string()),
            "rationale": pack.rationale.expose(),
            "base": case.and_then(|case| case.base).map(|base| base.to_string()),
            "changed": case.map(|case| case.changed.iter().collect::<Vec<_>>()),
            "replay": case.map(|case| case.replay.as_str()),
            "comment": comment,
        });
        let (kind, subjects) = match &pack.state {
            PackState::Draft => ("policy_drafted", Subjects::none()),
            PackState::Checked { .. } => ("policy_checked", Subjects::none()),
            PackState::Proposed(_) => ("policy_proposed", Subjects::none()),
            PackState::Approved(..) => ("policy_approved", Subjects::none()),
            PackState::Refused { .. } => ("policy_refused", Subjects::none()),
            PackState::Withdrawn { .. } => ("policy_withdrawn", Subjects::none()),
            // What everybody sees may change.
            PackState::Active(_) => ("policy_enacted", Subject::Everyone.into()),
            PackState::Superseded { .. } => ("policy_superseded", Subject::Everyone.into()),
        };
        let aggregate = Aggregate::new("pack_version", pack.id);
        Self { aggregate, version, at, kind, subjects, body: body.to_string().into_bytes() }
    }

    pub(crate) fn mapping_opened(new: &NewMappingReview) -> Self {
        let body = json!({
            "review": new.id.to_string(),
            "role": new.role.as_str(),
            "pack": new.pack.to_string(),
            "cause": new.cause.code(),
            "due_at": new.due_at.micros(),
        });
        let aggregate = (Aggregate::new("mapping_review", new.id), 1);
        Self::new(aggregate, "mapping_review_opened", new.opened_at, Subjects::none(), &body)
    }

    pub(crate) fn mapping_closed(review: &MappingReview, version: i64) -> Self {
        let verdict = review.verdict.as_ref();
        let body = json!({
            "review": review.id.to_string(),
            "role": review.role.as_str(),
            "pack": review.pack.to_string(),
            "by": verdict.map(|verdict| verdict.by.to_string()),
            "decisions": verdict.map(|verdict| {
                let told = verdict.decisions.iter();
                told.map(|(kind, decision)| (kind.clone(), decision.code())).collect::<std::collections::BTreeMap<_, _>>()
            }),
            "comment": verdict.map(|verdict| verdict.comment.expose()),
        });
        let at = verdict.map_or(review.opened_at, |verdict| verdict.at);
        let aggregate = (Aggregate::new("mapping_review", review.id), version);
        Self::new(aggregate, "mapping_review_closed", at, Subjects::none(), &body)
    }

    pub(crate) fn invited(
        id: Id<Enrolment>,
        person: Id<Person>,
        by: Id<Person>,
        at: Timestamp,
        ends_at: Timestamp,
    ) -> Self {
        let body = json!({ "person": person.to_string(), "by": by.to_string(), "ends_at": ends_at.micros() });
        Self::of_sign_in(Aggregate::new("enrolment", id), "enrolment_invited", at, body)
    }

    pub(crate) fn credential_added(
        id: Id<Credential>,
        person: Id<Person>,
        kind: CredentialKind,
        at: Timestamp,
    ) -> Self {
        let body = json!({ "person": person.to_string(), "kind": kind.code() });
        Self::of_sign_in(Aggregate::new("credential", id), "credential_added", at, body)
    }

    pub(crate) fn signed_in(id: Id<Session>, person: Id<Person>, method: &str, device: &str, at: Timestamp) -> Self {
        let body = json!({ "person": person.to_string(), "method": method, "device": device });
        Self::of_sign_in(Aggregate::new("session", id), "signed_in", at, body)
    }

    pub(crate) fn sign_in_failed(id: Id<Event>, person: Id<Person>, code: &str, at: Timestamp) -> Self {
        let body = json!({ "person": person.to_string(), "code": code });
        Self::of_sign_in(Aggregate::new("sign_in", id), "sign_in_failed", at, body)
    }

    /// It stands beside the session's own history: how often a person confirms is not known to its row.
    pub(crate) fn confirmed(session: Id<Session>, person: Id<Person>, method: &str, at: Timestamp) -> Self {
        let body = json!({ "person": person.to_string(), "session": session.to_string(), "method": method });
        Self {
            version: at.micros().max(1),
            ..Self::of_sign_in(Aggregate::new("confirmation", session), "identity_confirmed", at, body)
        }
    }

    pub(crate) fn session_ended(
        session: Id<Session>,
        person: Id<Person>,
        by: Id<Person>,
        reason: &str,
        at: Timestamp,
    ) -> Self {
        let body = json!({ "person": person.to_string(), "by": by.to_string(), "reason": reason });
        Self { version: 2, ..Self::of_sign_in(Aggregate::new("session", session), "session_ended", at, body) }
    }

    /// Nobody has ended it: its device is not in order any more.
    pub(crate) fn session_ended_by_device(
        session: Id<Session>,
        person: Id<Person>,
        reason: &str,
        at: Timestamp,
    ) -> Self {
        let body = json!({ "person": person.to_string(), "reason": reason });
        Self { version: 2, ..Self::of_sign_in(Aggregate::new("session", session), "session_ended", at, body) }
    }

    /// What somebody sees who asks from a device may change by what is told of it.
    pub(crate) fn device_told(device: &DevicePosture, name: &str, at: Timestamp) -> Self {
        let facts = device.facts.named().into_iter().filter_map(|(fact, holds)| Some((fact.to_owned(), json!(holds?))));
        let body = json!({
            "device": device.id.to_string(),
            "name": name,
            "status": device.status.code(),
            "facts": facts.collect::<serde_json::Map<_, _>>(),
            "told_at": device.told_at.micros(),
        });
        let aggregate = (Aggregate::new("device", device.id), device.version);
        Self::new(aggregate, "device_told", at, Subject::Device(device.id), &body)
    }

    pub(crate) fn sessions_ended(id: Id<Event>, person: Id<Person>, by: Id<Person>, ended: u64, at: Timestamp) -> Self {
        let body = json!({ "person": person.to_string(), "by": by.to_string(), "ended": ended });
        Self::of_sign_in(Aggregate::new("sessions", id), "sessions_ended", at, body)
    }

    /// To whom a message about something goes: `told` is what it tells and of what.
    pub(crate) fn message_due((told, about): Told<'_>, version: i64, channels: &[&str], at: Timestamp) -> Self {
        let body = json!({ "told": told, "about": about.to_string(), "channels": channels });
        Self { version, ..Self::of_sign_in(Aggregate::new("message", about), "message_due", at, body) }
    }

    pub(crate) fn message_delivered(
        (told, about): Told<'_>,
        version: i64,
        channel: &str,
        receipt: &Receipt,
        at: Timestamp,
    ) -> Self {
        let Receipt { recipients, status } = receipt;
        let body = json!({
            "told": told, "about": about.to_string(), "channel": channel, "recipients": recipients, "status": status,
        });
        Self { version, ..Self::of_sign_in(Aggregate::new("message", about), "message_delivered", at, body) }
    }

    pub(crate) fn message_failed(
        (told, about): Told<'_>,
        version: i64,
        channel: &str,
        code: &str,
        at: Timestamp,
    ) -> Self {
        let body = json!({ "told": told, "about": about.to_string(), "channel": channel, "code": code });
        Self { version, ..Self::of_sign_in(Aggregate::new("message", about), "message_failed", at, body) }
    }

    /// Nobody's access to records changes by signing in and out.
    fn of_sign_in(aggregate: Aggregate, kind: &'static str, at: Timestamp, body: Value) -> Self {
        Self { aggregate, version: 1, at, kind, subjects: Subjects::none(), body: body.to_string().into_bytes() }
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
