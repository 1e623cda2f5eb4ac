//! Complaints about a chart: opened from a history, the reader asked, decided by somebody outside his team, ended by a letter. Whom a
//! complaint is about, and who is of his line, is not told of it.

use super::charts;
use super::parameters::{OnceKey, Paging, SeenVersion};
use super::query::Query;
use super::requests::{message, viewer};
use super::shown::{self, PersonRef, time};
use crate::body::{self, Json};
use crate::caller::Caller;
use crate::fail::Fail;
use crate::replay::{self, Done};
use crate::service::Service;
use axum::extract::{Path, RawQuery, Request, State};
use axum::response::Response;
use scruple_app::{CaseAsk, Desk, DeskError, Done as Acted};
use scruple_core::{Id, Phi};
use scruple_flow::{CaseFinding, CaseState, ChartCase, Person};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// What is complained of.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewChartCase {
    /// Whose access it is about: somebody of the history. It is about all that he opened in its period.
    #[schema(value_type = String, format = Uuid)]
    pub reader: Id<Person>,
    /// What is complained of, in the words of who takes it down.
    #[schema(min_length = 12, max_length = 2000)]
    pub complaint: String,
}

/// What was found.
#[derive(Clone, Copy, Deserialize, Debug, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CaseFound {
    /// The reader's work needed it.
    Permitted,
    /// It did not.
    NotPermitted,
}

/// How a case is decided.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseDecision {
    pub finding: CaseFound,
    /// Why, in a sentence.
    #[schema(min_length = 12, max_length = 2000)]
    pub rationale: String,
}

/// The letter that ends a case.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCaseLetter {
    /// Its words.
    #[schema(min_length = 1)]
    pub text: String,
}

/// A complaint about one reader of one chart.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct CaseShown {
    #[schema(format = Uuid)]
    pub id: String,
    /// The question out of whose history it grew.
    #[schema(format = Uuid)]
    pub question: String,
    pub reader: PersonRef,
    /// The first access that it is about.
    #[schema(format = DateTime)]
    pub first_at: String,
    /// The last.
    #[schema(format = DateTime)]
    pub last_at: String,
    pub complaint: String,
    /// `open`, `asked`, `answered`, `permitted`, `not_permitted` or `lettered`.
    pub state: String,
    pub opened_by: PersonRef,
    #[schema(format = DateTime)]
    pub opened_at: String,
    /// Who asked the reader last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<PersonRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub asked_at: Option<String>,
    /// What the reader answered last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub answered_at: Option<String>,
    /// `permitted` or `not_permitted`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rationale: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<PersonRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub decided_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub letter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lettered_by: Option<PersonRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub lettered_at: Option<String>,
    /// The version that `If-Match` names, in quotation marks.
    pub version: i64,
}

/// Complaints.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Cases {
    pub items: Vec<CaseShown>,
    /// The cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

const LIST: &str = "cases";

async fn person_if_any(service: &Service, person: Option<Id<Person>>) -> Result<Option<PersonRef>, Fail> {
    match person {
        Some(person) => Ok(Some(shown::person(service, person).await?)),
        None => Ok(None),
    }
}

async fn case_shown(service: &Service, one: &ChartCase) -> Result<CaseShown, Fail> {
    let verdict = one.state.verdict();
    let letter = if let CaseState::Lettered(_, letter) = &one.state { Some(letter) } else { None };
    Ok(CaseShown {
        id: one.id.to_string(),
        question: one.question.to_string(),
        reader: shown::person(service, one.reader).await?,
        first_at: time(one.about.0),
        last_at: time(one.about.1),
        complaint: one.complaint.expose().clone(),
        state: one.state.code().to_owned(),
        opened_by: shown::person(service, one.opened_by).await?,
        opened_at: time(one.opened_at),
        asked_by: person_if_any(service, one.asked.map(|(by, _)| by)).await?,
        asked_at: one.asked.map(|(_, at)| time(at)),
        answer: one.answer.as_ref().map(|(text, _)| text.expose().clone()),
        answered_at: one.answer.as_ref().map(|(_, at)| time(*at)),
        finding: verdict.map(|verdict| verdict.finding.code().to_owned()),
        rationale: verdict.map(|verdict| verdict.rationale.expose().clone()),
        decided_by: person_if_any(service, verdict.map(|verdict| verdict.by)).await?,
        decided_at: verdict.map(|verdict| time(verdict.at)),
        letter: letter.map(|letter| letter.text.expose().clone()),
        lettered_by: person_if_any(service, letter.map(|letter| letter.by)).await?,
        lettered_at: letter.map(|letter| time(letter.at)),
        version: one.version,
    })
}

/// A case of which the caller is told.
async fn find(service: &Service, caller: &Caller, text: &str) -> Result<ChartCase, Fail> {
    let id: Id<ChartCase> = text.parse().map_err(|_| Fail::NOT_FOUND)?;
    let found = viewer(service, caller).await?.case(&service.parts.store, &*service.pack(), id).await?;
    found.ok_or(Fail::NOT_FOUND)
}

/// Opens a case about somebody who stands in a history.
#[utoipa::path(
    post,
    path = "/api/v1/charts/{id}/cases",
    operation_id = "create_chart_case",
    tag = "Charts",
    params(
        ("id" = String, Path, description = "The id of the question", format = Uuid),
        OnceKey,
    ),
    request_body = NewChartCase,
    responses(
        (status = 201, description = "It was opened", body = CaseShown, headers(("etag" = String, description = "Its version"), ("location" = String, description = "Its place"))),
        super::Refusals,
    )
)]
pub(crate) async fn create(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(question): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let order: NewChartCase = body::parsed(&bytes)?;
    let said = (&parts.headers, parts.uri.path(), bytes.as_ref());
    replay::once(&service, &caller, said, async |attempt| {
        let id: Id<ChartCase> = Id::from_uuid(attempt.id);
        let find =
            async || Ok(viewer(&service, &caller).await?.case(&service.parts.store, &*service.pack(), id).await?);
        let make = async || opened(&service, &caller, (question.as_str(), id), &order).await;
        let made = attempt.made(find, make).await?;
        let place = format!("{}/api/v1/cases/{}", service.parts.base, made.id);
        Ok(Done::now(&case_shown(&service, &made).await?, made.version)?.created(place))
    })
    .await
}

async fn opened(
    service: &Service,
    caller: &Caller,
    (question, id): (&str, Id<ChartCase>),
    order: &NewChartCase,
) -> Result<ChartCase, Fail> {
    let question = charts::find(service, caller, question).await?;
    let told = charts::told(service, question).await?;
    let about = told.history.about(order.reader).ok_or(Fail::NOT_FOUND)?;
    let complaint = Phi::new(order.complaint.clone());
    let ask = CaseAsk { question: told.question.id, reader: order.reader, about, complaint };
    let who = caller.who;
    service.desk(async |desk| desk.open_case_as(who, id, ask).await).await
}

/// Lists complaints, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/cases",
    operation_id = "list_cases",
    tag = "Charts",
    params(
        Paging,
    ),
    responses((status = 200, description = "The complaints", body = Cases), super::Refusals)
)]
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Cases>, Fail> {
    let query = Query::of(query.as_deref(), &["limit", "cursor"])?;
    let (limit, before) = (query.limit()?, query.place::<Id<ChartCase>>(&service, &caller, LIST)?);
    let viewer = viewer(&service, &caller).await?;
    let page = viewer.cases(&service.parts.store, &*service.pack(), (before, limit)).await?;
    let mut items = Vec::with_capacity(page.rows.len());
    for row in &page.rows {
        items.push(case_shown(&service, row).await?);
    }
    Ok(Json(Cases { items, next: query.next(&service, &caller, LIST, page.next.as_ref())? }))
}

/// Reads a complaint.
#[utoipa::path(
    get,
    path = "/api/v1/cases/{id}",
    operation_id = "get_case",
    tag = "Charts",
    params(("id" = String, Path, description = "Its id", format = Uuid)),
    responses(
        (status = 200, description = "The complaint", body = CaseShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn one(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Done, Fail> {
    let found = find(&service, &caller, &id).await?;
    Done::now(&case_shown(&service, &found).await?, found.version)
}

/// Does one act on a case of which the caller is told.
async fn act(
    service: &Service,
    caller: &Caller,
    id: &str,
    run: impl AsyncFnOnce(&mut Desk<'_>, Id<ChartCase>) -> Result<Acted<ChartCase>, DeskError>,
) -> Result<Done, Fail> {
    let found = find(service, caller, id).await?;
    let case = service.desk(async |desk| run(desk, found.id).await).await?;
    Done::now(&case_shown(service, &case).await?, case.version)
}

/// Asks the reader, or asks him again after his answer.
#[utoipa::path(
    post,
    path = "/api/v1/cases/{id}/ask",
    operation_id = "ask_case_reader",
    tag = "Charts",
    params(
        ("id" = String, Path, description = "Its id", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    responses(
        (status = 200, description = "The complaint as it is now", body = CaseShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn ask(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let parts = request.into_parts().0;
    let version = replay::version(&parts.headers)?;
    replay::once(&service, &caller, (&parts.headers, parts.uri.path(), b""), async |_| {
        let who = caller.who;
        let run = async |desk: &mut Desk<'_>, case: Id<ChartCase>| desk.ask_about_case(who, case, version).await;
        act(&service, &caller, &id, run).await
    })
    .await
}

/// Decides a complaint, with reasons. A reader who does not answer keeps nobody from it.
#[utoipa::path(
    post,
    path = "/api/v1/cases/{id}/decide",
    operation_id = "decide_case",
    tag = "Charts",
    params(
        ("id" = String, Path, description = "Its id", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    request_body = CaseDecision,
    responses(
        (status = 200, description = "The complaint as it is now", body = CaseShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn decide(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let version = replay::version(&parts.headers)?;
    replay::once(&service, &caller, (&parts.headers, parts.uri.path(), bytes.as_ref()), async |_| {
        let CaseDecision { finding, rationale } = body::parsed(&bytes)?;
        let finding = match finding {
            CaseFound::Permitted => CaseFinding::Permitted,
            CaseFound::NotPermitted => CaseFinding::NotPermitted,
        };
        let (who, rationale) = (caller.who, Phi::new(rationale));
        let run = async |desk: &mut Desk<'_>, case: Id<ChartCase>| {
            desk.decide_case(who, case, version, finding, rationale).await
        };
        act(&service, &caller, &id, run).await
    })
    .await
}

/// Makes the letter that ends a complaint.
#[utoipa::path(
    post,
    path = "/api/v1/cases/{id}/letter",
    operation_id = "letter_case",
    tag = "Charts",
    params(
        ("id" = String, Path, description = "Its id", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    request_body = NewCaseLetter,
    responses(
        (status = 200, description = "The complaint as it is now", body = CaseShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn letter(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let version = replay::version(&parts.headers)?;
    replay::once(&service, &caller, (&parts.headers, parts.uri.path(), bytes.as_ref()), async |_| {
        let NewCaseLetter { text } = body::parsed(&bytes)?;
        let (who, text) = (caller.who, Phi::new(text));
        let run = async |desk: &mut Desk<'_>, case: Id<ChartCase>| desk.letter_case(who, case, version, text).await;
        act(&service, &caller, &id, run).await
    })
    .await
}
