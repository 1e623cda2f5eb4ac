//! Access tasks: asked for, approved by a second person, begun, closed, ended by others.

use super::parameters::{OnceKey, Paging, SeenVersion};
use super::query::Query;
use super::requests::{message, viewer};
use super::shown_tasks::{self as shown, TaskShown, UnmaskShown};
use crate::body::{self, Json};
use crate::caller::Caller;
use crate::fail::Fail;
use crate::replay::{self, Done};
use crate::service::Service;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use scruple_app::{DeskError, TaskAsk, UnmaskAsk, Viewer, Whose};
use scruple_core::{Id, Phi};
use scruple_flow::{AccessTask, PatientRef, Recording, TaskKind, Ticket};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
use utoipa::ToSchema;

/// What somebody asks for, for himself.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAccessTask {
    /// The role that he does it in.
    #[schema(max_length = 64, pattern = "^[a-z0-9_-]{1,64}$", example = "manager")]
    pub role: String,
    /// `quality_review`, `complaint`, `staffing`, `audit`, `support` or `remote_support`.
    #[schema(max_length = 64)]
    pub kind: String,
    /// The system, by its name in the policy, for support.
    #[schema(max_length = 64)]
    pub system: Option<String>,
    /// The number of the ticket, for support.
    #[schema(max_length = 200)]
    pub ticket: Option<String>,
    /// The patients of the case, by id.
    #[schema(min_items = 1, max_items = 25)]
    pub patients: Vec<String>,
    /// Minutes that it lasts at most; without it as long as the policy allows.
    #[schema(minimum = 1, maximum = 10080)]
    #[serde(default, deserialize_with = "body::whole_if_any")]
    pub minutes: Option<i64>,
    /// What it is for, in a sentence.
    #[schema(min_length = 12, max_length = 2000)]
    pub justification: String,
}

/// There is nothing to say.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Why it is refused.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TaskRefusal {
    /// In a sentence.
    #[schema(min_length = 12, max_length = 2000)]
    pub comment: String,
}

/// The recording of a remote session; nothing where none is made.
#[derive(Deserialize, Debug, Default, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordingOf {
    /// Where it is kept.
    #[schema(max_length = 1024)]
    pub recording: Option<String>,
    /// Its SHA-256, as 64 hexadecimal digits.
    #[schema(max_length = 64)]
    pub recording_sha256: Option<String>,
}

/// One kind of information of one patient, shown unmasked for minutes.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUnmask {
    /// Whose, by id.
    #[schema(max_length = 64)]
    pub patient: String,
    /// Which kind of information, such as `id_name`.
    #[schema(max_length = 64)]
    pub category: String,
    /// For how many minutes.
    #[schema(minimum = 1, maximum = 10)]
    #[serde(deserialize_with = "body::whole")]
    pub minutes: i64,
    /// Why, in a sentence.
    #[schema(min_length = 12, max_length = 2000)]
    pub reason: String,
}

/// A ticket that was closed.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClosedTicket {
    /// Its number.
    #[schema(max_length = 200)]
    pub ticket: String,
}

/// What a closed ticket ended.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct TicketEnded {
    /// Tasks that ended or were taken back by it.
    pub ended: usize,
}

/// Tasks.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Tasks {
    pub items: Vec<TaskShown>,
    /// The cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

const LIST: &str = "access-tasks";

/// Lists tasks: one's own, those to decide, or all that one may see, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/access-tasks",
    operation_id = "list_access_tasks",
    tag = "Access tasks",
    params(
        ("whose" = Option<String>, Query, description = "`mine`, `decide` or `all`; without it `mine`", pattern = "^(mine|decide|all)$"),
        Paging,
    ),
    responses((status = 200, description = "The tasks", body = Tasks), super::Refusals)
)]
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Tasks>, Fail> {
    let query = Query::of(query.as_deref(), &["whose", "limit", "cursor"])?;
    let known = |text: &str| match text {
        "mine" => Some(Whose::Mine),
        "decide" => Some(Whose::Decide),
        "all" => Some(Whose::All),
        _ => None,
    };
    let whose = query.parsed("whose", known)?.unwrap_or(Whose::Mine);
    let (limit, after) = (query.limit()?, query.place::<Id<AccessTask>>(&service, &caller, LIST)?);
    let viewer = viewer(&service, &caller).await?;
    let (pack, now) = (service.pack(), service.now());
    let page = viewer.tasks(&service.parts.store, &*pack, (whose, now), (after, limit)).await?;
    let mut items = Vec::with_capacity(page.rows.len());
    for row in &page.rows {
        items.push(shown::task(&service, &viewer, row).await?);
    }
    Ok(Json(Tasks { items, next: query.next(&service, &caller, LIST, page.next.as_ref())? }))
}

async fn find(service: &Service, viewer: &Viewer, text: &str) -> Result<AccessTask, Fail> {
    let id = text.parse().map_err(|_| Fail::NOT_FOUND)?;
    viewer.task(&service.parts.store, &*service.pack(), id).await?.ok_or(Fail::NOT_FOUND)
}

/// Reads a task.
#[utoipa::path(
    get,
    path = "/api/v1/access-tasks/{id}",
    operation_id = "get_access_task",
    tag = "Access tasks",
    params(("id" = String, Path, description = "Its id", format = Uuid)),
    responses(
        (status = 200, description = "The task", body = TaskShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn one(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Done, Fail> {
    let viewer = viewer(&service, &caller).await?;
    let found = find(&service, &viewer, &id).await?;
    Done::now(&shown::task(&service, &viewer, &found).await?, found.version)
}

fn ask(order: &NewAccessTask) -> Result<TaskAsk, Fail> {
    let patients: Result<BTreeSet<PatientRef>, _> = order.patients.iter().map(|text| text.parse()).collect();
    let ticket = match (&order.system, &order.ticket) {
        (Some(system), Some(number)) => Some(Ticket { system: system.clone(), number: Phi::new(number.clone()) }),
        (None, None) => None,
        _ => return Err(Fail::VALUE),
    };
    Ok(TaskAsk {
        role: order.role.parse().map_err(|_| Fail::VALUE)?,
        kind: TaskKind::of(&order.kind).ok_or(Fail::VALUE)?,
        ticket,
        patients: patients.map_err(|_| Fail::VALUE)?,
        minutes: order.minutes,
        justification: Phi::new(order.justification.clone()),
    })
}

/// Asks for a task. It opens nothing before a second person has approved it and who asked has begun.
#[utoipa::path(
    post,
    path = "/api/v1/access-tasks",
    operation_id = "create_access_task",
    tag = "Access tasks",
    params(OnceKey),
    request_body = NewAccessTask,
    responses(
        (status = 201, description = "It was handed in", body = TaskShown, headers(("etag" = String, description = "Its version"), ("location" = String, description = "Its place"))),
        super::Refusals,
    )
)]
pub(crate) async fn create(
    State(service): State<Arc<Service>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let order: NewAccessTask = body::parsed(&bytes)?;
    let said = (&parts.headers, parts.uri.path(), bytes.as_ref());
    replay::once(&service, &caller, said, async |attempt| {
        let viewer = viewer(&service, &caller).await?;
        let id: Id<AccessTask> = Id::from_uuid(attempt.id);
        let find = async || Ok(viewer.task(&service.parts.store, &*service.pack(), id).await?);
        let make = async || {
            let (ask, who) = (ask(&order)?, caller.who);
            service.desk(async |desk| desk.submit_task_as(who, id, ask).await).await
        };
        let made = attempt.made(find, make).await?;
        let shown = shown::task(&service, &viewer, &made).await?;
        let place = format!("{}/api/v1/access-tasks/{}", service.parts.base, made.order.id);
        Ok(Done::now(&shown, made.version)?.created(place))
    })
    .await
}

/// What is done to a task of which the caller has read a version.
enum Step {
    Approve,
    Refuse(Phi<String>),
    Begin,
    Close(Option<Recording>),
    Record(Recording),
}

async fn step(
    service: &Service,
    caller: &Caller,
    (parts, bytes, id): (&Parts, &[u8], &str),
    step: Step,
) -> Result<Response, Fail> {
    let version = replay::version(&parts.headers)?;
    replay::once(service, caller, (&parts.headers, parts.uri.path(), bytes), async |_| {
        let viewer = viewer(service, caller).await?;
        let (id, who) = (find(service, &viewer, id).await?.order.id, caller.who);
        let now = service
            .desk(async |desk| match step {
                Step::Approve => desk.approve_task(who, id, version).await,
                Step::Refuse(comment) => desk.deny_task(who, id, version, comment).await,
                Step::Begin => desk.begin_task(who, id, version).await,
                Step::Close(recording) => desk.close_task(who, id, version, recording).await,
                Step::Record(recording) => desk.record_task(who, id, version, recording).await,
            })
            .await?;
        Done::now(&shown::task(service, &viewer, &now).await?, now.version)
    })
    .await
}

/// Approves a task. It opens nothing before who asked begins.
#[utoipa::path(
    post,
    path = "/api/v1/access-tasks/{id}/approve",
    operation_id = "approve_access_task",
    tag = "Access tasks",
    params(
        ("id" = String, Path, description = "Its id", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    request_body = Nothing,
    responses(
        (status = 200, description = "The task as it is now", body = TaskShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn approve(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let Nothing {} = body::parsed(&bytes)?;
    step(&service, &caller, (&parts, &bytes, &id), Step::Approve).await
}

/// Refuses a task.
#[utoipa::path(
    post,
    path = "/api/v1/access-tasks/{id}/refuse",
    operation_id = "refuse_access_task",
    tag = "Access tasks",
    params(
        ("id" = String, Path, description = "Its id", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    request_body = TaskRefusal,
    responses(
        (status = 200, description = "The task as it is now", body = TaskShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn refuse(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let refusal: TaskRefusal = body::parsed(&bytes)?;
    step(&service, &caller, (&parts, &bytes, &id), Step::Refuse(Phi::new(refusal.comment))).await
}

/// Begins one's own task: its records are open from now on.
#[utoipa::path(
    post,
    path = "/api/v1/access-tasks/{id}/begin",
    operation_id = "begin_access_task",
    tag = "Access tasks",
    params(
        ("id" = String, Path, description = "Its id", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    request_body = Nothing,
    responses(
        (status = 200, description = "The task as it is now", body = TaskShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn begin(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let Nothing {} = body::parsed(&bytes)?;
    step(&service, &caller, (&parts, &bytes, &id), Step::Begin).await
}

fn recording(said: &RecordingOf) -> Result<Option<Recording>, Fail> {
    match (&said.recording, &said.recording_sha256) {
        (None, None) => Ok(None),
        (place, digits) => {
            let (place, digits) = (place.as_deref().unwrap_or_default(), digits.as_deref().unwrap_or_default());
            Ok(Some(Recording::new(place, digits).map_err(DeskError::from)?))
        }
    }
}

/// Closes one's own task, a remote session with its recording; before it began it is taken back.
#[utoipa::path(
    post,
    path = "/api/v1/access-tasks/{id}/close",
    operation_id = "close_access_task",
    tag = "Access tasks",
    params(
        ("id" = String, Path, description = "Its id", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    request_body = RecordingOf,
    responses(
        (status = 200, description = "The task as it is now", body = TaskShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn close(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let recording = recording(&body::parsed(&bytes)?)?;
    step(&service, &caller, (&parts, &bytes, &id), Step::Close(recording)).await
}

/// Hands in the recording of one's own remote session that somebody else, or the clock, has ended.
#[utoipa::path(
    post,
    path = "/api/v1/access-tasks/{id}/recording",
    operation_id = "record_access_task",
    tag = "Access tasks",
    params(
        ("id" = String, Path, description = "Its id", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    request_body = RecordingOf,
    responses(
        (status = 200, description = "The task as it is now", body = TaskShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn record(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let recording = recording(&body::parsed(&bytes)?)?.ok_or(Fail::VALUE)?;
    step(&service, &caller, (&parts, &bytes, &id), Step::Record(recording)).await
}

/// Ends somebody else's task at once: by who approved it, whoever owns its system, or whoever oversees access.
#[utoipa::path(
    post,
    path = "/api/v1/access-tasks/{id}/end",
    operation_id = "end_access_task",
    tag = "Access tasks",
    params(
        ("id" = String, Path, description = "Its id", format = Uuid),
        OnceKey,
    ),
    responses(
        (status = 200, description = "The task as it is now", body = TaskShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn end(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let parts = request.into_parts().0;
    let id: Id<AccessTask> = id.parse().map_err(|_| Fail::NOT_FOUND)?;
    replay::once(&service, &caller, (&parts.headers, parts.uri.path(), b""), async |_| {
        let (viewer, who) = (viewer(&service, &caller).await?, caller.who);
        let now = service.desk(async |desk| desk.end_task(who, id).await).await?;
        Done::now(&shown::task(&service, &viewer, &now).await?, now.version)
    })
    .await
}

/// Shows one kind of information of one patient unmasked for minutes, under one's own support task.
#[utoipa::path(
    post,
    path = "/api/v1/access-tasks/{id}/unmask",
    operation_id = "unmask_field",
    tag = "Access tasks",
    params(
        ("id" = String, Path, description = "Its id", format = Uuid),
        OnceKey,
    ),
    request_body = NewUnmask,
    responses((status = 200, description = "What is shown, and until when", body = UnmaskShown), super::Refusals)
)]
pub(crate) async fn unmask(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let asked: NewUnmask = body::parsed(&bytes)?;
    let said = (&parts.headers, parts.uri.path(), bytes.as_ref());
    replay::once(&service, &caller, said, async |_| {
        let who = caller.who;
        let ask = UnmaskAsk {
            task: id.parse().map_err(|_| Fail::NOT_FOUND)?,
            patient: asked.patient.parse().map_err(|_| Fail::VALUE)?,
            category: asked.category,
            minutes: asked.minutes,
            reason: Phi::new(asked.reason),
        };
        let now = service.desk(async |desk| desk.unmask(who, ask).await).await?;
        Done::plain(&shown::unmask(&now))
    })
    .await
}

/// A ticket was closed: what is open under its number ends, and what has not begun is taken back.
#[utoipa::path(
    post,
    path = "/api/v1/tickets/close",
    operation_id = "close_ticket",
    tag = "Access tasks",
    params(OnceKey),
    request_body = ClosedTicket,
    responses((status = 200, description = "What it ended", body = TicketEnded), super::Refusals)
)]
pub(crate) async fn close_ticket(
    State(service): State<Arc<Service>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let closed: ClosedTicket = body::parsed(&bytes)?;
    let said = (&parts.headers, parts.uri.path(), bytes.as_ref());
    replay::once(&service, &caller, said, async |_| {
        let (who, number) = (caller.who, Phi::new(closed.ticket));
        let ended = service.desk(async |desk| desk.close_ticket(who, &number).await).await?;
        Done::plain(&TicketEnded { ended })
    })
    .await
}
