//! Projects: proposed with an assessment of what is minimum necessary, decided by somebody else, ended with what was given for them.

use super::parameters::{OnceKey, Paging, SeenVersion};
use super::query::Query;
use super::requests::message;
use super::shown::{self, PersonRef, parse_time, time};
use crate::body;
use crate::body::Json;
use crate::caller::Caller;
use crate::fail::Fail;
use crate::replay::{self, Done};
use crate::service::Service;
use axum::extract::{Path, RawQuery, Request, State};
use axum::response::Response;
use scruple_app::{DeskError, ProjectAsk};
use scruple_core::{Id, Phi};
use scruple_flow::{Assessment, DataLevel, KindCode, Kinds, Project, RoleCode};
use scruple_store::{find_person_by_login, find_project};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
use utoipa::ToSchema;

/// A project, with what is assessed.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewProject {
    /// What it is called; nothing of a patient.
    #[schema(min_length = 1, max_length = 200)]
    pub title: String,
    /// What it is for (HL7 v3 ActReason).
    #[schema(min_length = 1, max_length = 64, example = "HRESCH")]
    pub purpose_of_use: String,
    /// The login of who answers for it; without it the caller.
    #[schema(max_length = 320)]
    pub owner: Option<String>,
    /// The roles of those who work in it.
    #[schema(min_items = 1, max_items = 16)]
    pub roles: Vec<String>,
    /// The kinds of information that it needs, as a request names them.
    #[schema(min_items = 1, max_items = 64)]
    pub kinds: Vec<String>,
    /// From where to where they go, and who else gets them.
    #[schema(min_length = 12, max_length = 2000)]
    pub flows: String,
    /// How long they are kept, and what becomes of them then.
    #[schema(min_length = 12, max_length = 2000)]
    pub retention: String,
    pub level: Level,
    /// Why a lower level does not do; not needed for the lowest.
    #[schema(max_length = 2000)]
    #[serde(default)]
    pub level_reason: String,
    /// Its last moment, within a year.
    #[schema(format = DateTime)]
    pub ends_at: String,
}

/// The level of data.
#[derive(Deserialize, Clone, Copy, Debug, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Level {
    /// Nobody can be told from it.
    Deidentified,
    /// A limited data set.
    Limited,
    /// Patients are named in it.
    Identified,
}

/// A project.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct ProjectShown {
    #[schema(format = Uuid)]
    pub id: String,
    pub title: String,
    pub purpose_of_use: String,
    pub owner: PersonRef,
    pub proposed_by: PersonRef,
    #[schema(format = DateTime)]
    pub proposed_at: String,
    pub roles: Vec<String>,
    pub kinds: Vec<String>,
    pub flows: String,
    pub retention: String,
    /// `deidentified`, `limited` or `identified`.
    pub level: String,
    pub level_reason: String,
    #[schema(format = DateTime)]
    pub ends_at: String,
    /// `proposed`, `approved`, `refused`, `withdrawn` or `ended`.
    pub state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<PersonRef>,
    #[schema(format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The version that `If-Match` names, in quotation marks.
    pub version: i64,
}

/// Projects.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Projects {
    pub items: Vec<ProjectShown>,
    /// The cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What was looked at.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assessed {
    /// In a sentence.
    #[schema(min_length = 12, max_length = 2000)]
    pub comment: String,
}

const LIST: &str = "projects";

async fn shown(service: &Service, one: &Project) -> Result<ProjectShown, Fail> {
    let (assessed, decision) = (&one.assessment, one.state.decision());
    let decided_by = match decision {
        Some(decision) => Some(shown::person(service, decision.by).await?),
        None => None,
    };
    let kinds = assessed.kinds.codes().map(|codes| codes.iter().map(ToString::to_string).collect());
    Ok(ProjectShown {
        id: one.id.to_string(),
        title: assessed.title.expose().clone(),
        purpose_of_use: assessed.purpose.clone(),
        owner: shown::person(service, one.owner).await?,
        proposed_by: shown::person(service, one.proposed_by).await?,
        proposed_at: time(one.proposed_at),
        roles: assessed.roles.iter().map(ToString::to_string).collect(),
        kinds: kinds.unwrap_or_default(),
        flows: assessed.flows.expose().clone(),
        retention: assessed.retention.expose().clone(),
        level: assessed.level.code().to_owned(),
        level_reason: assessed.level_reason.expose().clone(),
        ends_at: time(assessed.ends_at),
        state: one.code_at(service.now()).to_owned(),
        decided_by,
        decided_at: decision.map(|decision| time(decision.at)),
        comment: decision.map(|decision| decision.comment.expose().clone()),
        version: one.version,
    })
}

/// Lists projects, the newest first: those that the caller proposed or answers for, or all of them.
#[utoipa::path(
    get,
    path = "/api/v1/projects",
    operation_id = "list_projects",
    tag = "Projects",
    params(
        Paging,
    ),
    responses((status = 200, description = "The projects", body = Projects), super::Refusals)
)]
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Projects>, Fail> {
    let query = Query::of(query.as_deref(), &["limit", "cursor"])?;
    let (limit, before) = (query.limit()?, query.place::<Id<Project>>(&service, &caller, LIST)?);
    let who = caller.who;
    let mut rows = service.read(async |desk| desk.projects(who, before).await).await?;
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let mut items = Vec::with_capacity(rows.len());
    for row in &rows {
        items.push(shown(&service, row).await?);
    }
    let next = rows.last().map(|last| last.id).filter(|_| has_more);
    Ok(Json(Projects { items, next: query.next(&service, &caller, LIST, next.as_ref())? }))
}

/// Reads a project.
#[utoipa::path(
    get,
    path = "/api/v1/projects/{id}",
    operation_id = "get_project",
    tag = "Projects",
    params(("id" = String, Path, description = "Its id", format = Uuid)),
    responses(
        (status = 200, description = "The project", body = ProjectShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn one(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Done, Fail> {
    let (id, who): (Id<Project>, _) = (id.parse().map_err(|_| Fail::NOT_FOUND)?, caller.who);
    let found = service.read(async |desk| desk.project(who, id).await).await?;
    Done::now(&shown(&service, &found).await?, found.version)
}

/// Proposes a project. Somebody who has not proposed it and does not answer for it decides.
#[utoipa::path(
    post,
    path = "/api/v1/projects",
    operation_id = "create_project",
    tag = "Projects",
    params(OnceKey),
    request_body = NewProject,
    responses(
        (status = 201, description = "It is proposed", body = ProjectShown, headers(("etag" = String, description = "Its version"), ("location" = String, description = "Its place"))),
        super::Refusals,
    )
)]
pub(crate) async fn create(
    State(service): State<Arc<Service>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let order: NewProject = body::parsed(&bytes)?;
    let said = (&parts.headers, parts.uri.path(), bytes.as_ref());
    replay::once(&service, &caller, said, async |attempt| {
        let id: Id<Project> = Id::from_uuid(attempt.id);
        let find = async || Ok(find_project(&mut service.parts.store.begin_read().await?, id).await?);
        let make = async || proposed(&service, &caller, id, &order).await;
        let made = attempt.made(find, make).await?;
        let place = format!("{}/api/v1/projects/{}", service.parts.base, made.id);
        Ok(Done::now(&shown(&service, &made).await?, made.version)?.created(place))
    })
    .await
}

async fn proposed(service: &Service, caller: &Caller, id: Id<Project>, order: &NewProject) -> Result<Project, Fail> {
    let owner = match &order.owner {
        None => None,
        Some(login) => {
            let login = login.parse().map_err(|_| Fail::VALUE)?;
            let found = find_person_by_login(&mut service.parts.store.begin_read().await?, &login).await?;
            Some(found.ok_or(DeskError::PersonGone)?.id)
        }
    };
    let roles: Result<BTreeSet<RoleCode>, _> = order.roles.iter().map(|role| role.parse()).collect();
    let kinds: Result<BTreeSet<KindCode>, _> = order.kinds.iter().map(|kind| kind.parse()).collect();
    let text = |text: &String| Phi::new(text.clone());
    let assessment = Assessment {
        title: text(&order.title),
        purpose: order.purpose_of_use.clone(),
        roles: roles.map_err(|_| Fail::VALUE)?,
        kinds: kinds.ok().and_then(Kinds::named).ok_or(Fail::VALUE)?,
        flows: text(&order.flows),
        retention: text(&order.retention),
        level: match order.level {
            Level::Deidentified => DataLevel::Deidentified,
            Level::Limited => DataLevel::Limited,
            Level::Identified => DataLevel::Identified,
        },
        level_reason: text(&order.level_reason),
        ends_at: parse_time(&order.ends_at).ok_or(Fail::TIME)?,
    };
    let (who, ask) = (caller.who, ProjectAsk { owner, assessment });
    service.desk(async |desk| desk.propose_project_as(who, id, ask).await).await
}

/// Approves a project.
#[utoipa::path(
    post,
    path = "/api/v1/projects/{id}/approve",
    operation_id = "approve_project",
    tag = "Projects",
    params(
        ("id" = String, Path, description = "Its id", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    request_body = Assessed,
    responses(
        (status = 200, description = "As it is now", body = ProjectShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn approve(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    decided(&service, &caller, &id, request, true).await
}

/// Refuses a project.
#[utoipa::path(
    post,
    path = "/api/v1/projects/{id}/refuse",
    operation_id = "refuse_project",
    tag = "Projects",
    params(
        ("id" = String, Path, description = "Its id", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    request_body = Assessed,
    responses(
        (status = 200, description = "As it is now", body = ProjectShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn refuse(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    decided(&service, &caller, &id, request, false).await
}

async fn decided(
    service: &Service,
    caller: &Caller,
    id: &str,
    request: Request,
    approves: bool,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let version = replay::version(&parts.headers)?;
    let decision: Assessed = body::parsed(&bytes)?;
    replay::once(service, caller, (&parts.headers, parts.uri.path(), bytes.as_ref()), async |_| {
        let (id, who): (Id<Project>, _) = (id.parse().map_err(|_| Fail::NOT_FOUND)?, caller.who);
        let comment = Phi::new(decision.comment.clone());
        let now = service.desk(async |desk| desk.decide_project(who, (id, version), approves, comment).await).await?;
        Done::now(&shown(service, &now).await?, now.version)
    })
    .await
}

/// Takes a project back that nobody has decided.
#[utoipa::path(
    post,
    path = "/api/v1/projects/{id}/withdraw",
    operation_id = "withdraw_project",
    tag = "Projects",
    params(
        ("id" = String, Path, description = "Its id", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    responses(
        (status = 200, description = "As it is now", body = ProjectShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn withdraw(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    closed(&service, &caller, &id, request, false).await
}

/// Ends a project, with every role and record that was given for it.
#[utoipa::path(
    post,
    path = "/api/v1/projects/{id}/end",
    operation_id = "end_project",
    tag = "Projects",
    params(
        ("id" = String, Path, description = "Its id", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    responses(
        (status = 200, description = "As it is now", body = ProjectShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn end(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    closed(&service, &caller, &id, request, true).await
}

async fn closed(service: &Service, caller: &Caller, id: &str, request: Request, ends: bool) -> Result<Response, Fail> {
    let parts = request.into_parts().0;
    let version = replay::version(&parts.headers)?;
    replay::once(service, caller, (&parts.headers, parts.uri.path(), b""), async |_| {
        let (id, who): (Id<Project>, _) = (id.parse().map_err(|_| Fail::NOT_FOUND)?, caller.who);
        let now = service
            .desk(async |desk| {
                if ends {
                    desk.end_project(who, (id, version)).await
                } else {
                    desk.withdraw_project(who, (id, version)).await
                }
            })
            .await?;
        Done::now(&shown(service, &now).await?, now.version)
    })
    .await
}
