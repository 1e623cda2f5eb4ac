//! Steps before the first record: what the caller's roles ask of him, that he has read the rules, and courses that people took.

use super::parameters::OnceKey;
use super::requests::{message, viewer};
use super::shown::{parse_time, time};
use crate::body::{self, Json};
use crate::caller::Caller;
use crate::fail::Fail;
use crate::replay::{self, Done};
use crate::service::Service;
use axum::extract::{Path, RawQuery, Request, State};
use axum::response::Response;
use scruple_app::directory::DirectoryError;
use scruple_app::{Trained, steps_for};
use scruple_core::{Id, Timestamp};
use scruple_flow::Person;
use scruple_flow::step::{Step, holds_until};
use scruple_policy::Act;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// A step.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct StepShown {
    pub step: String,
    /// `training`: told by somebody else; `acknowledgement`: by the person.
    pub kind: String,
    /// In words.
    pub label: String,
    /// When it was last taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub done_at: Option<String>,
    /// Until when it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub holds_until: Option<String>,
    /// It is taken, and holds now.
    pub is_done: bool,
}

/// What the roles of a person ask of him before the first record.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Steps {
    pub items: Vec<StepShown>,
    /// All of them are taken: his roles open records.
    pub is_complete: bool,
}

/// That somebody took a course.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTraining {
    pub login: String,
    pub step: String,
    #[schema(format = DateTime)]
    pub done_at: String,
}

/// Courses that people took.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trainings {
    #[schema(min_items = 1, max_items = 50)]
    pub items: Vec<NewTraining>,
}

/// What was written down.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Recorded {
    /// Those that were not known yet.
    pub added: usize,
}

async fn of(service: &Service, person: Id<Person>) -> Result<Steps, Fail> {
    let (now, pack) = (service.now(), service.pack());
    let found = steps_for(&service.parts.store, &*pack, (person, now)).await.map_err(DirectoryError::from)?;
    let items: Vec<StepShown> = found.ok_or(Fail::NOT_FOUND)?.iter().map(|(step, at)| shown(step, *at, now)).collect();
    Ok(Steps { is_complete: items.iter().all(|step| step.is_done), items })
}

fn shown(step: &Step, done_at: Option<Timestamp>, now: Timestamp) -> StepShown {
    let until = done_at.map(|at| holds_until(step, at));
    StepShown {
        step: step.name.clone(),
        kind: step.kind.as_str().to_owned(),
        label: step.label.clone(),
        done_at: done_at.map(time),
        holds_until: until.map(time),
        is_done: until.is_some_and(|until| now < until),
    }
}

/// Reads what the roles of the caller ask of him before the first record.
#[utoipa::path(
    get,
    path = "/api/v1/access/steps",
    operation_id = "get_my_steps",
    tag = "Access",
    responses((status = 200, description = "The steps", body = Steps), super::Refusals)
)]
pub(crate) async fn mine(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Steps>, Fail> {
    super::query::Query::of(query.as_deref(), &[])?;
    of(&service, caller.person()).await.map(Json)
}

/// Says that the caller has read what a step is about.
#[utoipa::path(
    post,
    path = "/api/v1/access/steps/{id}/acknowledge",
    operation_id = "acknowledge_step",
    tag = "Access",
    params(
        ("id" = String, Path, description = "The name of the step"),
        OnceKey,
    ),
    responses((status = 200, description = "The steps as they are now", body = Steps), super::Refusals)
)]
pub(crate) async fn acknowledge(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(step): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let parts = request.into_parts().0;
    replay::once(&service, &caller, (&parts.headers, parts.uri.path(), b""), async |_| {
        let who = caller.who;
        service.desk(async |desk| desk.acknowledge(who, &step).await).await?;
        Done::plain(&of(&service, caller.person()).await?)
    })
    .await
}

/// Tells which courses people took: all of it or nothing.
#[utoipa::path(
    post,
    path = "/api/v1/training",
    operation_id = "record_training",
    tag = "People",
    params(
        OnceKey,
    ),
    request_body = Trainings,
    responses((status = 200, description = "What was written down", body = Recorded), super::Refusals)
)]
pub(crate) async fn record(
    State(service): State<Arc<Service>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let told: Trainings = body::parsed(&bytes)?;
    if told.items.is_empty() {
        return Err(Fail::MALFORMED);
    }
    let one = |one: &NewTraining| {
        let login = one.login.parse().map_err(|_| Fail::VALUE)?;
        Ok(Trained { login, step: one.step.clone(), done_at: parse_time(&one.done_at).ok_or(Fail::TIME)? })
    };
    let trained = told.items.iter().map(one).collect::<Result<Vec<Trained>, Fail>>()?;
    let said = (&parts.headers, parts.uri.path(), bytes.as_ref());
    replay::once(&service, &caller, said, async |_| {
        let (who, pack, mut rng) = (caller.who, service.pack(), (service.parts.rng)());
        let (store, lease, clock) = (&service.parts.store, &service.parts.lease, service.parts.clock.as_ref());
        let mut desk = scruple_app::Desk { store, lease, clock, rng: &mut *rng, rules: pack.as_ref() };
        let (added, position) = desk.record_training(who, &trained).await?;
        service.recorded(position).await;
        Done::plain(&Recorded { added })
    })
    .await
}

/// Reads what the roles of a person ask of him before the first record.
#[utoipa::path(
    get,
    path = "/api/v1/people/{id}/steps",
    operation_id = "list_steps_of_person",
    tag = "People",
    params(("id" = String, Path, description = "The person's id", format = Uuid)),
    responses((status = 200, description = "The steps", body = Steps), super::Refusals)
)]
pub(crate) async fn of_person(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Steps>, Fail> {
    let person: Id<Person> = id.parse().map_err(|_| Fail::NOT_FOUND)?;
    let viewer = viewer(&service, &caller).await?;
    if !viewer.reaches(&*service.pack(), Act::People, person) {
        return Err(Fail::NOT_FOUND);
    }
    of(&service, person).await.map(Json)
}
