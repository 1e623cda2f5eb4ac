//! Access tasks: decided, begun, ended, and what runs now.

use super::{Form, Signed, Site, auth, broken, done, id, not_done, page, people, unknown, when, with_done, words};
use crate::pages::parts::{Happened, Person as Shown};
use crate::pages::tasks::list::{TaskRow, Tasks};
use crate::pages::tasks::one::{Close, Task, UnmaskForm};
use crate::words::{Area, Mark};
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::{DeskError, UnmaskAsk, Viewer, Whose};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::{AccessTask, Person, Recording, RoleCode, TaskEnd, TaskError, TaskKind, TaskState, Ticket};
use scruple_policy::{Act, Pack};
use scruple_store::StoreError;
use std::sync::Arc;

const MINUTE: i64 = 60_000_000;
/// Rows of a page.
const ROWS_MAX: usize = 50;

async fn name(site: &Site, person: Id<Person>) -> Result<String, StoreError> {
    people::name(&mut site.parts.store.begin_read().await?, person).await
}

async fn shown(site: &Site, task: &AccessTask) -> Result<Shown, StoreError> {
    let job = words::role(&site.pack(), &task.order.role);
    Ok(Shown { href: String::new(), name: name(site, task.order.person).await?, job })
}

fn mark(state: &TaskState) -> Mark {
    match state {
        TaskState::Pending => Mark::wait("Waiting"),
        TaskState::Approved(_) => Mark::good("Approved"),
        TaskState::Active { .. } => Mark::good("Runs"),
        TaskState::Ended { .. } => Mark::over("Over"),
        TaskState::Denied { .. } => Mark::bad("Refused"),
        TaskState::Expired { .. } => Mark::over("Lapsed"),
        TaskState::Cancelled { .. } => Mark::over("Withdrawn"),
    }
}

fn left(task: &AccessTask, now: Timestamp) -> String {
    match (task.state_at(now), task.runs_out()) {
        (TaskState::Ended { ended, .. }, _) => format!("ended {}", words::ago(ended.at, now)),
        (_, Some((at, _))) if at > now => words::left(at, now),
        _ => String::new(),
    }
}

fn count(task: &AccessTask) -> String {
    match task.order.patients.len() {
        1 => "1 patient".to_owned(),
        many => format!("{many} patients"),
    }
}

fn system(pack: &Pack, task: &AccessTask) -> (String, String) {
    let of = |ticket: &Ticket| {
        let label = pack.system(&ticket.system).map_or_else(|| ticket.system.clone(), |system| system.label.clone());
        (label, ticket.number.expose().clone())
    };
    task.order.ticket.as_ref().map(of).unwrap_or_default()
}

/// The kinds of task that somebody may ask for, with his role.
pub(super) fn kinds(pack: &Pack, signed: &Signed) -> Vec<(RoleCode, TaskKind)> {
    let has = |role: &RoleCode, kind: TaskKind| pack.tasks.contains_key(&(role.to_string(), kind.code().to_owned()));
    let of = |role: &RoleCode| {
        let kinds = TaskKind::ALL.iter().copied().filter(|kind| has(role, *kind));
        kinds.map(|kind| (role.clone(), kind)).collect::<Vec<_>>()
    };
    signed.roles.iter().flat_map(of).collect()
}

/// `GET /tasks`
pub(super) async fn list(State(site): State<Arc<Site>>, signed: Signed, RawQuery(query): RawQuery) -> Response {
    match build_list(&site, &signed, &query.unwrap_or_default()).await {
        Ok(view) => page(StatusCode::OK, &view),
        Err(error) => {
            tracing::error!(error = %error, "tasks cannot be listed");
            broken(signed.frame(&site, Some(Area::Requests)))
        }
    }
}

async fn build_list(site: &Site, signed: &Signed, query: &str) -> Result<Tasks, StoreError> {
    let (now, pack) = (site.now(), site.pack());
    let asked =
        |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default();
    let whose = [("mine", "Mine"), ("decide", "To decide"), ("all", "All that I may see")];
    let chosen = match asked("whose") {
        "" if kinds(&pack, signed).is_empty() => "all",
        chosen => whose.iter().map(|(code, _)| *code).find(|code| *code == chosen).unwrap_or("mine"),
    };
    let which = match chosen {
        "decide" => Whose::Decide,
        "all" => Whose::All,
        _ => Whose::Mine,
    };
    let states = [("", "Any"), ("active", "Runs now"), ("open", "Waits or runs"), ("over", "Over")];
    let wanted = asked("state");
    let viewer = &signed.viewer;
    let page = viewer.tasks(&site.parts.store, &*pack, (which, now), (id(asked("after")), ROWS_MAX)).await?;
    let mut rows = Vec::new();
    for task in &page.rows {
        let state = task.state_at(now);
        let is_open = matches!(state, TaskState::Pending | TaskState::Approved(_) | TaskState::Active { .. });
        let is_wanted = match wanted {
            "active" => matches!(state, TaskState::Active { .. }),
            "open" => is_open,
            "over" => !is_open,
            _ => true,
        };
        if is_wanted {
            rows.push(row(site, viewer, task, &state).await?);
        }
    }
    Ok(Tasks {
        frame: with_done(signed.frame(site, Some(Area::Requests)), query),
        as_of: when(now),
        whose: words::pick(&whose, chosen),
        state: words::pick(&states, wanted),
        rows,
        after: page.next.map(|next| format!("/tasks?whose={chosen}&state={wanted}&after={next}")),
        reads: signed.may(&pack, Act::Charts).then(|| "/tasks/reads".to_owned()),
        ask: (!kinds(&pack, signed).is_empty()).then(|| "/tasks/ask".to_owned()),
    })
}

async fn row(site: &Site, viewer: &Viewer, task: &AccessTask, state: &TaskState) -> Result<TaskRow, StoreError> {
    let (now, pack) = (site.now(), site.pack());
    let (system, ticket) = system(&pack, task);
    Ok(TaskRow {
        href: format!("/tasks/{}", task.order.id),
        person: shown(site, task).await?,
        kind: words::task_kind(task.order.kind).to_owned(),
        patients: count(task),
        system,
        ticket,
        asked: when(task.submitted_at),
        age: words::ago(task.submitted_at, now),
        left: left(task, now),
        state: mark(state),
        for_me: viewer.may_decide_task(&*pack, task, now),
        owes: task.owes_recording(now),
    })
}

async fn find(site: &Site, signed: &Signed, text: &str) -> Result<AccessTask, Response> {
    let found = async {
        let Some(id) = id(text) else { return Ok(None) };
        signed.viewer.task(&site.parts.store, &*site.pack(), id).await
    };
    match found.await {
        Ok(Some(task)) => Ok(task),
        Ok(None) => Err(unknown(signed.frame(site, Some(Area::Requests)))),
        Err(error) => {
            tracing::error!(error = %error, "a task cannot be read");
            Err(broken(signed.frame(site, Some(Area::Requests))))
        }
    }
}

/// `GET /tasks/{id}`
pub(super) async fn one(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(task): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    match find(&site, &signed, &task).await {
        Ok(task) => show(&site, &signed, &task, StatusCode::OK, &query.unwrap_or_default(), None).await,
        Err(answer) => answer,
    }
}

async fn show(
    site: &Site,
    signed: &Signed,
    task: &AccessTask,
    status: StatusCode,
    query: &str,
    failed: Option<&DeskError>,
) -> Response {
    match build(site, signed, task, query, failed).await {
        Ok(view) => page(status, &view),
        Err(error) => {
            tracing::error!(error = %error, "a task cannot be shown");
            broken(signed.frame(site, Some(Area::Requests)))
        }
    }
}

async fn build(
    site: &Site,
    signed: &Signed,
    task: &AccessTask,
    query: &str,
    failed: Option<&DeskError>,
) -> Result<Task, StoreError> {
    let (now, pack) = (site.now(), site.pack());
    let viewer = &signed.viewer;
    let state = task.state_at(now);
    let order = &task.order;
    let is_own = order.person == signed.person();
    let (system, ticket) = system(&pack, task);
    let recording = if let TaskState::Ended { recording, .. } = &state { recording.as_ref() } else { None };
    let idle = words::length(task.rule.idle_minutes.saturating_mul(MINUTE));
    let length = words::length(order.minutes.saturating_mul(MINUTE));
    Ok(Task {
        frame: with_done(signed.frame(site, Some(Area::Requests)), query),
        csrf: signed.csrf.clone(),
        failed: failed.map(words::sentence),
        base: format!("/tasks/{}", order.id),
        version: task.version,
        person: shown(site, task).await?,
        kind: capital(words::task_kind(order.kind)),
        count: count(task),
        ends: format!("{idle} after the last read, and {length} after its beginning at the latest"),
        length,
        reason: order.justification.expose().clone(),
        state: mark(&state),
        left: left(task, now),
        system,
        ticket,
        // Also to who asked: he has the numbers, and a page of his holds none (CN-01).
        patients: order.patients.iter().map(|patient| words::chart(patient.id())).collect(),
        recording: recording.map(|one| one.reference.expose().clone()).unwrap_or_default(),
        recording_sha256: recording.map(Recording::digits).unwrap_or_default(),
        decide: viewer.may_decide_task(&*pack, task, now).then(|| match failed {
            Some(error) => words::wrong("", &words::sentence(error)),
            None => words::field(""),
        }),
        begin: is_own && matches!(state, TaskState::Approved(_)),
        unmask: Some(unmask_form(&pack, task)).filter(|form| {
            let runs = matches!(state, TaskState::Active { .. });
            is_own && runs && !form.fields.choices.is_empty()
        }),
        close: closing(task, &state).filter(|_| is_own),
        end: viewer.may_end_task(&*pack, task, now),
        history: history(site, task, &state).await?,
    })
}

pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn unmask_form(pack: &Pack, task: &AccessTask) -> UnmaskForm {
    let patients: Vec<(String, String)> = task
        .order
        .patients
        .iter()
        .enumerate()
        .map(|(place, patient)| (place.to_string(), words::chart(patient.id())))
        .collect();
    let may = |name: &str| task.order.kind.is_support() && pack.may_unmask(task.order.role.as_str(), name);
    let fields: Vec<(&str, &str)> = pack
        .categories
        .iter()
        .filter(|category| may(&category.name))
        .map(|category| (category.name.as_str(), category.label.as_str()))
        .collect();
    UnmaskForm {
        patients: words::pick(&patients, "0"),
        fields: words::pick(&fields, ""),
        minutes: words::pick(&[("5", "5 minutes"), ("10", "10 minutes")], "5"),
        why: words::field(""),
    }
}

/// What is left for who asked to do.
fn closing(task: &AccessTask, state: &TaskState) -> Option<Close> {
    let is_recorded = task.order.kind.is_recorded();
    let with = |heading, act, button, recording: bool| {
        Some(Close { heading, act, button, recording: recording.then(|| words::field("")), sha256: words::field("") })
    };
    match state {
        TaskState::Pending | TaskState::Approved(_) => with("Your task", "close", "Take it back", false),
        TaskState::Active { .. } => with("Your task", "close", "I am done: close it", is_recorded),
        TaskState::Ended { recording: None, .. } if is_recorded => {
            with("Its recording is owed", "recording", "Hand it in", true)
        }
        _ => None,
    }
}

async fn history(site: &Site, task: &AccessTask, state: &TaskState) -> Result<Vec<Happened>, StoreError> {
    let said = |at: Timestamp, mark: Mark, sentence: String, said: Option<String>| Happened {
        at: when(at),
        mark,
        sentence,
        said,
    };
    let asker = name(site, task.order.person).await?;
    let mut all = vec![said(task.submitted_at, Mark::wait("Waiting"), format!("{asker} asked."), None)];
    let (approval, began_at) = match state {
        TaskState::Approved(approval) => (Some(approval), None),
        TaskState::Active { approval, began_at, .. } | TaskState::Ended { approval, began_at, .. } => {
            (Some(approval), Some(*began_at))
        }
        _ => (None, None),
    };
    if let Some(approval) = approval {
        let sentence = format!("{} approved it.", name(site, approval.by).await?);
        all.push(said(approval.at, Mark::good("Approved"), sentence, None));
    }
    if let Some(began_at) = began_at {
        all.push(said(began_at, Mark::good("Runs"), format!("{asker} began."), None));
    }
    match state {
        TaskState::Ended { ended, .. } => {
            let by = match ended.by {
                Some(by) => name(site, by).await?,
                None => String::new(),
            };
            let sentence = match ended.cause {
                TaskEnd::Closed => format!("{by} closed it."),
                TaskEnd::Killed => format!("{by} ended it."),
                TaskEnd::TicketClosed => format!("Its ticket was closed, as {by} said."),
                TaskEnd::Idle => "It ended by itself: nothing was read.".to_owned(),
                TaskEnd::Limit => "It ended by itself, at its limit.".to_owned(),
            };
            all.push(said(ended.at, Mark::over("Over"), sentence, None));
        }
        TaskState::Denied { by, at, comment } => {
            let sentence = format!("{} refused it.", name(site, *by).await?);
            all.push(said(*at, Mark::bad("Refused"), sentence, Some(comment.expose().clone())));
        }
        TaskState::Cancelled { by, at } => {
            let sentence = format!("{} took it back.", name(site, *by).await?);
            all.push(said(*at, Mark::over("Withdrawn"), sentence, None));
        }
        TaskState::Expired { at } => {
            let sentence = "Nobody answered, or nobody began, in time.".to_owned();
            all.push(said(*at, Mark::over("Lapsed"), sentence, None));
        }
        _ => {}
    }
    Ok(all)
}

/// What is done to a task, as it was seen.
enum Step {
    Approve,
    Refuse(Phi<String>),
    Begin,
    Close(Option<Recording>),
    Record(Recording),
    End,
}

async fn step(site: &Site, signed: &Signed, (text, route, form): (&str, &str, &Form), step: Step) -> Response {
    let task = match find(site, signed, text).await {
        Ok(task) => task,
        Err(answer) => return answer,
    };
    let (who, id, version) = (signed.who(), task.order.id, form.version());
    let word = match &step {
        Step::Approve => "approved",
        Step::Refuse(_) => "refused",
        Step::Begin => "begun",
        Step::Close(_) | Step::End => "ended",
        Step::Record(_) => "recorded",
    };
    let stepped = site
        .desk(async |desk| match step {
            Step::Approve => desk.approve_task(who, id, version).await,
            Step::Refuse(comment) => desk.deny_task(who, id, version, comment).await,
            Step::Begin => desk.begin_task(who, id, version).await,
            Step::Close(recording) => desk.close_task(who, id, version, recording).await,
            Step::Record(recording) => desk.record_task(who, id, version, recording).await,
            Step::End => desk.end_task(who, id).await,
        })
        .await;
    let back = format!("/tasks/{id}");
    match stepped {
        Ok(_) => done(&back, word),
        Err(DeskError::Task(TaskError::StepUp)) => auth::to_confirm(&back),
        Err(error @ DeskError::Task(TaskError::Reason(_) | TaskError::Recording)) => {
            site.refused(route, error.code(), Some(signed.person())).await;
            show(site, signed, &task, StatusCode::UNPROCESSABLE_ENTITY, "", Some(&error)).await
        }
        Err(error) => not_done(site, signed, route, &error).await,
    }
}

pub(super) async fn approve(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(task): Path<String>,
    form: Form,
) -> Response {
    step(&site, &signed, (&task, "/tasks/{id}/approve", &form), Step::Approve).await
}

pub(super) async fn refuse(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(task): Path<String>,
    form: Form,
) -> Response {
    let comment = Phi::new(form.text("reason").to_owned());
    step(&site, &signed, (&task, "/tasks/{id}/refuse", &form), Step::Refuse(comment)).await
}

pub(super) async fn begin(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(task): Path<String>,
    form: Form,
) -> Response {
    step(&site, &signed, (&task, "/tasks/{id}/begin", &form), Step::Begin).await
}

/// The recording that a form names; nothing was typed: none.
fn recording(form: &Form) -> Result<Option<Recording>, TaskError> {
    let (place, digits) = (form.text("recording"), form.text("sha256"));
    if place.is_empty() && digits.is_empty() { Ok(None) } else { Recording::new(place, digits).map(Some) }
}

pub(super) async fn close(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(task): Path<String>,
    form: Form,
) -> Response {
    let route = "/tasks/{id}/close";
    match recording(&form) {
        Ok(recording) => step(&site, &signed, (&task, route, &form), Step::Close(recording)).await,
        Err(error) => not_done(&site, &signed, route, &error.into()).await,
    }
}

pub(super) async fn record(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(task): Path<String>,
    form: Form,
) -> Response {
    let route = "/tasks/{id}/recording";
    match recording(&form).and_then(|recording| recording.ok_or(TaskError::Recording)) {
        Ok(recording) => step(&site, &signed, (&task, route, &form), Step::Record(recording)).await,
        Err(error) => not_done(&site, &signed, route, &error.into()).await,
    }
}

pub(super) async fn end(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(task): Path<String>,
    form: Form,
) -> Response {
    step(&site, &signed, (&task, "/tasks/{id}/end", &form), Step::End).await
}

pub(super) async fn unmask(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(task): Path<String>,
    form: Form,
) -> Response {
    let route = "/tasks/{id}/unmask";
    let task = match find(&site, &signed, &task).await {
        Ok(task) => task,
        Err(answer) => return answer,
    };
    let place = form.text("patient").parse().ok();
    let patient = place.and_then(|place: usize| task.order.patients.iter().nth(place));
    let Some(patient) = patient.cloned() else { return not_done(&site, &signed, route, &DeskError::Unknown).await };
    let ask = UnmaskAsk {
        task: task.order.id,
        patient,
        category: form.text("category").to_owned(),
        minutes: form.text("minutes").parse().unwrap_or(0),
        reason: Phi::new(form.text("why").to_owned()),
    };
    let who = signed.who();
    let unmasked = site.desk(async |desk| desk.unmask(who, ask).await).await;
    match unmasked {
        Ok(_) => done(&format!("/tasks/{}", task.order.id), "unmasked"),
        Err(error) => not_done(&site, &signed, route, &error).await,
    }
}
