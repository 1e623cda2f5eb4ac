//! What the privacy office asks somebody about his own work. He is told the days, and neither whose chart nor who complains.

use super::parameters::{OnceKey, SeenVersion};
use super::requests::{message, viewer};
use crate::body::{self, Json};
use crate::caller::Caller;
use crate::fail::Fail;
use crate::replay::{self, Done};
use crate::service::Service;
use axum::extract::{Path, RawQuery, Request, State};
use axum::response::Response;
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::{CaseState, ChartCase};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// A question about one's own work.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct OwnQuestion {
    /// The id under which it is answered.
    #[schema(format = Uuid)]
    pub id: String,
    /// The day of the first access that it is about.
    #[schema(format = Date)]
    pub first_day: String,
    /// The day of the last.
    #[schema(format = Date)]
    pub last_day: String,
    /// It is answered.
    pub is_answered: bool,
    /// The version that `If-Match` names, in quotation marks.
    pub version: i64,
}

/// Questions about one's own work that wait for an answer.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct OwnQuestions {
    pub items: Vec<OwnQuestion>,
}

/// What the reader says.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseAnswer {
    /// In his own words.
    #[schema(min_length = 12, max_length = 2000)]
    pub text: String,
}

fn day(at: Timestamp) -> String {
    let (year, month, day) = at.civil_date();
    format!("{year:04}-{month:02}-{day:02}")
}

fn question_shown(case: &ChartCase) -> OwnQuestion {
    OwnQuestion {
        id: case.id.to_string(),
        first_day: day(case.about.0),
        last_day: day(case.about.1),
        is_answered: case.state != CaseState::Asked,
        version: case.version,
    }
}

/// Lists what the privacy office asks the caller about his own work, the oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/access/questions",
    operation_id = "list_my_questions",
    tag = "Access",
    responses((status = 200, description = "The questions", body = OwnQuestions), super::Refusals)
)]
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<OwnQuestions>, Fail> {
    super::query::Query::of(query.as_deref(), &[])?;
    let cases = viewer(&service, &caller).await?.asked_cases(&service.parts.store).await?;
    Ok(Json(OwnQuestions { items: cases.iter().map(question_shown).collect() }))
}

async fn find(service: &Service, caller: &Caller, text: &str) -> Result<ChartCase, Fail> {
    let id: Id<ChartCase> = text.parse().map_err(|_| Fail::NOT_FOUND)?;
    let found = viewer(service, caller).await?.asked_case(&service.parts.store, id).await?;
    found.ok_or(Fail::NOT_FOUND)
}

/// Reads what the caller is asked about his own work, until he has answered.
#[utoipa::path(
    get,
    path = "/api/v1/cases/{id}/answer",
    operation_id = "get_my_question",
    tag = "Access",
    params(("id" = String, Path, description = "Its id", format = Uuid)),
    responses(
        (status = 200, description = "The question", body = OwnQuestion, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn one(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Done, Fail> {
    let found = find(&service, &caller, &id).await?;
    Done::now(&question_shown(&found), found.version)
}

/// Answers what the caller is asked about his own work.
#[utoipa::path(
    post,
    path = "/api/v1/cases/{id}/answer",
    operation_id = "answer_my_question",
    tag = "Access",
    params(
        ("id" = String, Path, description = "Its id", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    request_body = CaseAnswer,
    responses(
        (status = 200, description = "The question as it is now", body = OwnQuestion, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn answer(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let version = replay::version(&parts.headers)?;
    replay::once(&service, &caller, (&parts.headers, parts.uri.path(), bytes.as_ref()), async |attempt| {
        let CaseAnswer { text } = body::parsed(&bytes)?;
        let id: Id<ChartCase> = id.parse().map_err(|_| Fail::NOT_FOUND)?;
        let viewer = viewer(&service, &caller).await?;
        // Done before, with the answer to it lost: it is his answer that is found.
        let find = async || Ok(viewer.answered_case(&service.parts.store, id, version).await?);
        let make = async || {
            let case = viewer.asked_case(&service.parts.store, id).await?.ok_or(Fail::NOT_FOUND)?;
            let (who, text) = (caller.who, Phi::new(text));
            service.desk(async |desk| desk.answer_case(who, case.id, version, text).await).await
        };
        let case = attempt.made(find, make).await?;
        Done::now(&question_shown(&case), case.version)
    })
    .await
}
