//! Refused: one page for "not allowed" and "does not exist", and the three doors on it. What was looked for stands in the body of a
//! form and never in an address.

use super::{Form, Signed, Site, done, not_done, page, requests, when, with_done, words};
use crate::pages::door::find::Find;
use crate::pages::door::refused::{Call, Care, Door, Emergency as EmergencyDoor};
use crate::pages::parts::{Choice, Coded};
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::charts::named;
use scruple_app::{Declaration, DeskError, Emergency, Rules as _};
use scruple_core::Phi;
use scruple_flow::limits::{EMERGENCY_HOURS_MAX, SHIFT_HOURS};
use scruple_flow::{DeclaredReason, EmergencyReason, PatientRef, RoleCode};
use scruple_policy::Relationships;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

const HOUR: i64 = 3_600_000_000;
/// So long the record system is waited for, to tell whose number was typed.
const NUMBER_WAIT_MAX: Duration = Duration::from_secs(2);

pub(super) async fn find(State(site): State<Arc<Site>>, signed: Signed, RawQuery(query): RawQuery) -> Response {
    let frame = with_done(signed.frame(&site, None), &query.unwrap_or_default());
    let view =
        Find { frame, csrf: signed.csrf.clone(), action: "/door".to_owned(), patient: words::field("").required() };
    page(StatusCode::OK, &view)
}

pub(super) async fn show(State(site): State<Arc<Site>>, signed: Signed, form: Form) -> Response {
    let typed = form.text("patient");
    let Ok(patient) = typed.parse::<PatientRef>() else {
        let patient = words::wrong(typed, "Type a record number as it stands in the chart.").required();
        let view =
            Find { frame: signed.frame(&site, None), csrf: signed.csrf.clone(), action: "/door".to_owned(), patient };
        return page(StatusCode::UNPROCESSABLE_ENTITY, &view);
    };
    doors(&site, &signed, &patient, StatusCode::OK, Again::default())
}

/// The patient of what was typed: a record number stands for the patient whom the record system knows by it, as rights and records name
/// him. What it does not know, or while it does not answer, stays as it was typed: nothing of this keeps anybody from an emergency, and
/// nobody is told which it was.
async fn known(site: &Site, typed: PatientRef) -> PatientRef {
    let found = timeout(NUMBER_WAIT_MAX, named(&site.parts.pipeline, typed.id())).await;
    match found {
        Ok(Ok(named)) => named.patient.expose().parse().unwrap_or(typed),
        Ok(Err(_)) | Err(_) => typed,
    }
}

/// The same of several, in the time of one: those that are not found out by then stay as they were typed.
pub(super) async fn all_known(site: &Site, typed: BTreeSet<PatientRef>) -> BTreeSet<PatientRef> {
    let until = Instant::now() + NUMBER_WAIT_MAX;
    let mut all = BTreeSet::new();
    for patient in typed {
        let found = timeout_at(until, known(site, patient.clone())).await;
        all.insert(found.unwrap_or(patient));
    }
    all
}

/// The first of a person's roles for which the policy says yes.
fn role_that(signed: &Signed, may: impl Fn(&RoleCode) -> bool) -> Option<RoleCode> {
    signed.roles.iter().find(|role| may(role)).cloned()
}

/// What of the page has to be looked at again.
#[derive(Clone, Copy, Default)]
struct Again<'a> {
    /// What the desk said.
    failed: Option<&'a DeskError>,
    /// What is missing for care.
    care: Option<&'static str>,
}

/// The same whether there is such a patient or not: nothing is looked up here.
fn doors(site: &Site, signed: &Signed, patient: &PatientRef, status: StatusCode, again: Again<'_>) -> Response {
    let (pack, now) = (site.pack(), site.now());
    let shift = now.plus_micros(SHIFT_HOURS * HOUR);
    let care = role_that(signed, |role| pack.may_declare(role.as_str())).map(|_| {
        let reasons: Vec<(&str, &str)> =
            DeclaredReason::ALL.iter().map(|reason| (reason.code(), words::declared(*reason))).collect();
        let mut reason = words::pick(&reasons, "").required();
        reason.error = again.care.map(str::to_owned);
        Care { action: "/door/care".to_owned(), reason, until: when(shift) }
    });
    let emergency = role_that(signed, |role| pack.may_break_glass(role)).map(|_| EmergencyDoor {
        action: "/door/emergency".to_owned(),
        reasons: EmergencyReason::ALL
            .iter()
            .filter(|reason| match reason {
                EmergencyReason::Other => false,
                EmergencyReason::Drill => pack.is_practice(patient),
                _ => true,
            })
            .map(|reason| Choice {
                value: reason.code().to_owned(),
                label: words::emergency(*reason).to_owned(),
                chosen: false,
            })
            .collect(),
        length: format!("{EMERGENCY_HOURS_MAX} hours"),
        sentence_due: when(shift),
    });
    let job = signed.roles.iter().map(|role| words::role(&pack, role)).collect::<Vec<_>>().join(", ");
    let view = Door {
        frame: signed.frame(site, None),
        csrf: signed.csrf.clone(),
        // Whole, so that a slip of the fingers is seen: it is who typed it who reads it.
        what: format!("The chart with the number {}", patient.id()),
        about: patient.id().to_owned(),
        why: match pack.relationships {
            Relationships::Assumed => format!(
                "Here your role, {job}, sees its part of every chart without asking, for this policy takes it that every patient is related to \
                 you. What it does not show stays closed."
            ),
            Relationships::Resolved | Relationships::Asserted => {
                format!("Your role, {job}, opens charts of patients to whom the record system relates you.")
            }
        },
        rule: Coded { words: "the rule".to_owned(), code: "45 CFR 164.514(d)(2); relationship".to_owned() },
        failed: again.failed.map(words::sentence),
        care,
        emergency,
        ask: "/door/ask".to_owned(),
        usual: "a working day".to_owned(),
        call: vec![Call { who: site.parts.help.clone(), number: String::new() }],
    };
    page(status, &view)
}

pub(super) async fn care(State(site): State<Arc<Site>>, signed: Signed, form: Form) -> Response {
    let Ok(patient) = form.text("about").parse::<PatientRef>() else {
        return not_done(&site, &signed, "/door/care", &DeskError::Unknown).await;
    };
    let pack = site.pack();
    let role = role_that(&signed, |role| pack.may_declare(role.as_str()));
    let Some(role) = role else { return not_done(&site, &signed, "/door/care", &DeskError::NotAllowed).await };
    let Some(reason) = DeclaredReason::of(form.text("reason")) else {
        site.refused("/door/care", "form_incomplete", Some(signed.person())).await;
        let again = Again { care: Some("Choose why it is not in the system."), ..Again::default() };
        return doors(&site, &signed, &patient, StatusCode::UNPROCESSABLE_ENTITY, again);
    };
    let declaration = Declaration {
        role,
        patient: known(&site, patient.clone()).await,
        reason,
        ends_at: site.now().plus_micros(SHIFT_HOURS * HOUR),
        words: Phi::new(String::new()),
    };
    let who = signed.who();
    let opened = site.desk(async |desk| desk.declare(who, declaration).await).await;
    match opened {
        Ok(_) => done("/access", "declared"),
        Err(error @ DeskError::Elevation(_)) => {
            let again = Again { failed: Some(&error), care: None };
            doors(&site, &signed, &patient, StatusCode::UNPROCESSABLE_ENTITY, again)
        }
        Err(error) => not_done(&site, &signed, "/door/care", &error).await,
    }
}

/// The third door: the form for access, with what was typed at the door.
pub(super) async fn ask(State(site): State<Arc<Site>>, signed: Signed, form: Form) -> Response {
    requests::ask_about(&site, &signed, form.text("about")).await
}

pub(super) async fn emergency(State(site): State<Arc<Site>>, signed: Signed, form: Form) -> Response {
    let Ok(patient) = form.text("about").parse::<PatientRef>() else {
        return not_done(&site, &signed, "/door/emergency", &DeskError::Unknown).await;
    };
    let pack = site.pack();
    let role = role_that(&signed, |role| pack.may_break_glass(role));
    let (Some(role), Some(reason)) = (role, EmergencyReason::of(form.text("reason"))) else {
        return not_done(&site, &signed, "/door/emergency", &DeskError::NotAllowed).await;
    };
    let about = known(&site, patient.clone()).await;
    let order = Emergency { role, patient: about, reason, words: Phi::new(form.text("words").to_owned()) };
    let who = signed.who();
    let opened = site.desk(async |desk| desk.break_glass(who, order).await).await;
    match opened {
        Ok(_) => done("/access", "emergency"),
        Err(error @ DeskError::Elevation(_)) => {
            let again = Again { failed: Some(&error), care: None };
            doors(&site, &signed, &patient, StatusCode::UNPROCESSABLE_ENTITY, again)
        }
        Err(error) => not_done(&site, &signed, "/door/emergency", &error).await,
    }
}
