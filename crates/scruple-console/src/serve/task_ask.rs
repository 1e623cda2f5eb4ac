//! Asking for an access task: a case of oversight, or a session of support.

use super::tasks::{capital, kinds};
use super::{Form, Signed, Site, done, door, not_done, page, words};
use crate::pages::parts::Pick;
use crate::pages::tasks::ask::AskTask;
use crate::words::Area;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::{DeskError, TaskAsk};
use scruple_core::Phi;
use scruple_flow::{PatientRef, TaskError, TaskKind, Ticket};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What was typed.
#[derive(Default)]
struct Typed {
    /// It was sent: what it lacks is said.
    sent: bool,
    kind: String,
    reason: String,
    numbers: String,
    system: String,
    ticket: String,
    minutes: String,
}

/// `GET /tasks/ask`
pub(super) async fn ask(State(site): State<Arc<Site>>, signed: Signed) -> Response {
    asking(&site, &signed, &Typed::default(), StatusCode::OK, None)
}

fn asking(site: &Site, signed: &Signed, typed: &Typed, status: StatusCode, failed: Option<&DeskError>) -> Response {
    let pack = site.pack();
    let own = kinds(&pack, signed);
    let choices: Vec<(String, String)> =
        own.iter().map(|(role, kind)| (format!("{role} {}", kind.code()), capital(words::task_kind(*kind)))).collect();
    let mut kind = words::pick(&choices, &typed.kind);
    let has_support = own.iter().any(|(_, kind)| kind.is_support());
    let system = if has_support {
        let mut systems = vec![("", "none")];
        systems.extend(pack.systems.iter().map(|system| (system.name.as_str(), system.label.as_str())));
        words::pick(&systems, &typed.system)
    } else {
        Pick::default()
    };
    let said = failed.map(words::sentence).unwrap_or_default();
    let of = |value: &str, is_wrong: bool| if is_wrong { words::wrong(value, &said) } else { words::field(value) };
    let gaps = if typed.sent { Gaps::of(typed) } else { Gaps::default() };
    let left = |value: &str, gap: Option<&str>, is_wrong: bool| match gap {
        Some(said) => words::wrong(value, said),
        None => of(value, is_wrong),
    };
    kind.error = gaps.kind.map(str::to_owned);
    if matches!(failed, Some(DeskError::NotAllowed | DeskError::RoleNotHeld)) {
        kind.error = Some(said.clone());
    }
    let view = AskTask {
        frame: signed.frame(site, Some(Area::Requests)),
        csrf: signed.csrf.clone(),
        failed: failed.map(words::sentence).or_else(|| {
            (gaps != Gaps::default()).then(|| "Nothing was sent. What is missing is named at its place.".to_owned())
        }),
        kind: kind.required(),
        reason: left(&typed.reason, gaps.reason, matches!(failed, Some(DeskError::Task(TaskError::Reason(_)))))
            .required(),
        numbers: left(
            &typed.numbers,
            gaps.numbers,
            matches!(failed, Some(DeskError::Task(TaskError::Patients) | DeskError::Unknown)),
        ),
        numbers_max: scruple_flow::limits::REQUEST_PATIENTS_MAX,
        system,
        ticket: of(&typed.ticket, matches!(failed, Some(DeskError::Task(TaskError::NoTicket)))),
        minutes: of(&typed.minutes, matches!(failed, Some(DeskError::Task(TaskError::TooLong { .. })))),
    };
    page(status, &view)
}

/// `POST /tasks/ask`
pub(super) async fn submit(State(site): State<Arc<Site>>, signed: Signed, form: Form) -> Response {
    let text = |name: &str| form.text(name).to_owned();
    let typed = Typed {
        sent: true,
        kind: text("kind"),
        reason: text("reason"),
        numbers: text("numbers"),
        system: text("system"),
        ticket: text("ticket"),
        minutes: text("minutes"),
    };
    if Gaps::of(&typed) != Gaps::default() {
        site.refused("/tasks/ask", "form_incomplete", Some(signed.person())).await;
        return asking(&site, &signed, &typed, StatusCode::UNPROCESSABLE_ENTITY, None);
    }
    let who = signed.who();
    let submitted = match read(&typed) {
        Ok(ask) => {
            let ask = TaskAsk { patients: door::all_known(&site, ask.patients).await, ..ask };
            let run = site.desk(async |desk| desk.submit_task(who, ask).await);
            run.await
        }
        Err(error) => Err(error),
    };
    match submitted {
        Ok(task) => done(&format!("/tasks/{}", task.order.id), "asked"),
        Err(error @ DeskError::Store(_)) => not_done(&site, &signed, "/tasks/ask", &error).await,
        Err(error) => {
            site.refused("/tasks/ask", error.code(), Some(signed.person())).await;
            asking(&site, &signed, &typed, StatusCode::UNPROCESSABLE_ENTITY, Some(&error))
        }
    }
}

/// What was left open, all of it at once.
#[derive(Default, PartialEq, Eq)]
struct Gaps {
    kind: Option<&'static str>,
    reason: Option<&'static str>,
    numbers: Option<&'static str>,
}

impl Gaps {
    fn of(typed: &Typed) -> Self {
        Self {
            kind: typed.kind.is_empty().then_some("Choose a task."),
            reason: scruple_flow::reason(&typed.reason, None).err().map(words::weak),
            numbers: typed.numbers.is_empty().then_some("Type the record numbers of the case, one a line."),
        }
    }
}

fn read(typed: &Typed) -> Result<TaskAsk, DeskError> {
    let (role, kind) = typed.kind.split_once(' ').ok_or(DeskError::NotAllowed)?;
    let kind = TaskKind::of(kind).ok_or(DeskError::NotAllowed)?;
    let numbers = typed.numbers.split(['\n', ',', ';']).map(str::trim).filter(|number| !number.is_empty());
    let patients: Result<BTreeSet<PatientRef>, _> = numbers.map(str::parse).collect();
    let minutes = match typed.minutes.as_str() {
        "" => None,
        text => Some(text.parse().unwrap_or(0)),
    };
    let ticket = Ticket { system: typed.system.clone(), number: Phi::new(typed.ticket.clone()) };
    Ok(TaskAsk {
        role: role.parse().map_err(|_| DeskError::NotAllowed)?,
        kind,
        ticket: kind.is_support().then_some(ticket),
        patients: patients.map_err(|_| DeskError::Task(TaskError::Patients))?,
        minutes,
        justification: Phi::new(typed.reason.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_becomes_a_task_or_a_sentence_about_it() {
        let typed = |kind: &str, numbers: &str, minutes: &str| Typed {
            kind: kind.to_owned(),
            numbers: numbers.to_owned(),
            minutes: minutes.to_owned(),
            ..Typed::default()
        };
        let ask = read(&typed("manager complaint", "MR-1\nMR-2, MR-2", "")).unwrap();
        assert_eq!((ask.kind, ask.patients.len(), ask.minutes), (TaskKind::Complaint, 2, None));
        assert!(ask.ticket.is_none());
        assert_eq!(read(&typed("it_support support", "MR-1", "x")).unwrap().minutes, Some(0));
        for (kind, numbers, code) in [
            ("", "MR-1", "not_requestable"),
            ("manager gossip", "MR-1", "not_requestable"),
            ("Manager complaint", "MR-1", "not_requestable"),
            ("manager complaint", "MR 1", "patients_too_many"),
        ] {
            assert_eq!(read(&typed(kind, numbers, "")).unwrap_err().code(), code, "{kind}");
        }
    }
}
