//! Who opened a chart, and why: the question, which is recorded before anything is told, and the history that is told under it. Whose
//! chart it is stands in the body of the question and in no address.

use super::parameters::{OnceKey, Paging};
use super::query::Query;
use super::reads::{Read, read};
use super::requests::{message, viewer};
use super::shown::{self, PersonRef, parse_time, time};
use crate::body::{self, Json};
use crate::caller::Caller;
use crate::fail::Fail;
use crate::replay::{self, Done};
use crate::service::Service;
use axum::extract::{Path, RawQuery, Request, State};
use axum::response::Response;
use scruple_app::ChartAsk;
use scruple_app::charts::{
    Approvers, ChartOf, History, Looking, Opening, Reader, Standing, Told, approvers, chart_of, explained, last_days,
    named,
};
use scruple_core::{Id, Phi, Timestamp, month_of};
use scruple_flow::{ChartQuestion, QuestionCause};
use scruple_policy::Pack;
use scruple_store::{ChartAccess, SourceKind};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// Why somebody wants to know.
#[derive(Clone, Copy, Deserialize, Debug, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ChartCause {
    /// Somebody complains.
    Complaint,
    /// The patient, or who speaks for him, wants to know.
    Patient,
    /// The regular review of activity.
    Routine,
    /// An incident is looked into.
    Incident,
    /// Something else.
    Other,
}

impl From<ChartCause> for QuestionCause {
    fn from(cause: ChartCause) -> Self {
        match cause {
            ChartCause::Complaint => Self::Complaint,
            ChartCause::Patient => Self::Patient,
            ChartCause::Routine => Self::Routine,
            ChartCause::Incident => Self::Incident,
            ChartCause::Other => Self::Other,
        }
    }
}

/// Whose chart, which time, and why it is asked. Without `month`, `from` and `until` it is the last 30 days.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewChartQuestion {
    /// The record number as it stands in the chart, or the patient's id in the record system.
    #[schema(min_length = 1, max_length = 64)]
    pub patient: String,
    /// A month.
    #[schema(pattern = "^[0-9]{4}-[0-9]{2}$", example = "2026-03")]
    pub month: Option<String>,
    /// From when on.
    #[schema(format = DateTime)]
    pub from: Option<String>,
    /// Until when.
    #[schema(format = DateTime)]
    pub until: Option<String>,
    pub cause: ChartCause,
}

/// A question about a chart.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct ChartQuestionShown {
    #[schema(format = Uuid)]
    pub id: String,
    /// The last four letters of the patient's number or id.
    pub last_four: String,
    #[schema(format = DateTime)]
    pub from: String,
    #[schema(format = DateTime)]
    pub until: String,
    /// `complaint`, `patient`, `routine`, `incident` or `other`.
    pub cause: String,
    pub asked_by: PersonRef,
    #[schema(format = DateTime)]
    pub asked_at: String,
}

/// Questions about charts.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct ChartQuestions {
    pub items: Vec<ChartQuestionShown>,
    /// The cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Whose chart it is, as the gateway shows him to the caller under the question: that is recorded, and stands in the history.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct ChartPatient {
    /// The record system knows him.
    pub is_known: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub born: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
}

/// One opening of a chart, or a try.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct ChartOpening {
    #[serde(flatten)]
    pub read: Read,
    /// Who, if he is known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonRef>,
    /// Who, as the log names somebody whom nobody here knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// `unexplained`, `emergency`, `role`, `tried` or `explained`.
    pub standing: String,
    /// Why, in a sentence.
    pub explanation: String,
    /// What explains it: `Encounter/id`, `Elevation/id`, a role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rests_on: Option<String>,
    /// The log that tells of it: `gateway`, or what the log is called.
    pub source: String,
    /// `enforced`: through the gateway, recorded before it was shown; `watched`: told by the log of another system.
    pub share: String,
    /// Patients whom the same answer told of; 0: not known.
    pub patients: u64,
    /// What the log of another system calls the act.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workstation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// The clock was put back in that hour: it may also have been then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub or_at: Option<String>,
}

/// Who opened a chart in a period.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct ChartHistory {
    pub question: ChartQuestionShown,
    /// On the first page alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient: Option<ChartPatient>,
    /// People who opened it, or tried.
    pub people: usize,
    /// Those of whom something is explained by nothing.
    pub unexplained: usize,
    /// All that is told of.
    pub accesses: usize,
    /// Of them those through the gateway.
    pub enforced: usize,
    /// Of them those that the logs of other systems tell of.
    pub watched: usize,
    /// What nobody saw, in words.
    pub unseen: Vec<String>,
    /// There are more than can be told of at once: ask for a shorter time.
    pub is_cut: bool,
    /// The latest entries of the ledger are not in it yet.
    pub is_behind: bool,
    /// Each opening, the oldest first.
    pub items: Vec<ChartOpening>,
    /// The cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

const LIST: &str = "charts";
const HISTORY: &str = "chart-history";
/// Days of a question that names no time.
const DAYS: i64 = 30;
/// For how long a history that was looked at goes on: that one looks stands in it once, with the first page.
const LOOK_MICROS: i64 = 15 * 60_000_000;

/// A history goes on behind an opening, for who has just looked at its first page.
#[derive(Serialize, Deserialize)]
struct Turn {
    at: Timestamp,
    id: Id<ChartAccess>,
    looked_at: Timestamp,
}

impl Turn {
    const fn is_over(&self, now: Timestamp) -> bool {
        now.micros().saturating_sub(self.looked_at.micros()) > LOOK_MICROS
    }
}

async fn question_shown(service: &Service, one: &ChartQuestion) -> Result<ChartQuestionShown, Fail> {
    let key = one.patient.expose();
    Ok(ChartQuestionShown {
        id: one.id.to_string(),
        last_four: shown::last_four(key.split_once(['/', ':']).map_or(key.as_str(), |(_, name)| name)),
        from: time(one.from),
        until: time(one.until),
        cause: one.cause.code().to_owned(),
        asked_by: shown::person(service, one.asked_by).await?,
        asked_at: time(one.asked_at),
    })
}

/// Lists the questions that were asked about charts, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/charts",
    operation_id = "list_chart_questions",
    tag = "Charts",
    params(
        Paging,
    ),
    responses((status = 200, description = "The questions", body = ChartQuestions), super::Refusals)
)]
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<ChartQuestions>, Fail> {
    let query = Query::of(query.as_deref(), &["limit", "cursor"])?;
    let (limit, before) = (query.limit()?, query.place::<Id<ChartQuestion>>(&service, &caller, LIST)?);
    let viewer = viewer(&service, &caller).await?;
    let page = viewer.questions(&service.parts.store, &*service.pack(), (before, limit)).await?;
    let mut items = Vec::with_capacity(page.rows.len());
    for row in &page.rows {
        items.push(question_shown(&service, row).await?);
    }
    Ok(Json(ChartQuestions { items, next: query.next(&service, &caller, LIST, page.next.as_ref())? }))
}

/// Asks who opened a chart. That it is asked is recorded; the id of the question is the place of its history, and names no patient.
#[utoipa::path(
    post,
    path = "/api/v1/charts",
    operation_id = "create_chart_question",
    tag = "Charts",
    params(OnceKey),
    request_body = NewChartQuestion,
    responses(
        (status = 201, description = "It was asked", body = ChartQuestionShown, headers(("location" = String, description = "The place of the history"))),
        super::Refusals,
    )
)]
pub(crate) async fn create(
    State(service): State<Arc<Service>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let order: NewChartQuestion = body::parsed(&bytes)?;
    let said = (&parts.headers, parts.uri.path(), bytes.as_ref());
    replay::once(&service, &caller, said, async |attempt| {
        let id: Id<ChartQuestion> = Id::from_uuid(attempt.id);
        let find =
            async || Ok(viewer(&service, &caller).await?.question(&service.parts.store, &*service.pack(), id).await?);
        let make = async || asked(&service, &caller, id, &order).await;
        let made = attempt.made(find, make).await?;
        let place = format!("{}/api/v1/charts/{}", service.parts.base, made.id);
        Ok(Done::plain(&question_shown(&service, &made).await?)?.created(place))
    })
    .await
}

async fn asked(
    service: &Service,
    caller: &Caller,
    id: Id<ChartQuestion>,
    order: &NewChartQuestion,
) -> Result<ChartQuestion, Fail> {
    let period = period(order, service.now())?;
    let named = named(&service.parts.pipeline, &order.patient).await?;
    let ask = ChartAsk { patient: named.patient, keys: named.keys, period, cause: order.cause.into() };
    let who = caller.who;
    service.desk(async |desk| desk.ask_about_chart_as(who, id, ask).await).await
}

/// The time that is asked about: a month, from an instant to a later one, or the last days.
fn period(order: &NewChartQuestion, now: Timestamp) -> Result<(Timestamp, Timestamp), Fail> {
    let instant = |text: &str| parse_time(text).ok_or(Fail::TIME);
    match (&order.month, &order.from, &order.until) {
        (None, None, None) => Ok(last_days(now, DAYS)),
        (Some(month), None, None) => {
            let first = parse_time(&format!("{month}-01T00:00:00Z")).ok_or(Fail::PERIOD)?;
            month_of(first, 0).ok_or(Fail::PERIOD)
        }
        (None, Some(from), Some(until)) => {
            let (from, until) = (instant(from)?, instant(until)?);
            if from < until { Ok((from, until)) } else { Err(Fail::PERIOD) }
        }
        _ => Err(Fail::PERIOD),
    }
}

/// Tells who opened the chart of a question, each opening with why. That it is looked at is recorded, and stands in the history itself.
#[utoipa::path(
    get,
    path = "/api/v1/charts/{id}",
    operation_id = "get_chart_history",
    tag = "Charts",
    params(
        ("id" = String, Path, description = "The id of the question", format = Uuid),
        ("limit" = Option<u32>, Query, description = "Openings of a page", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses((status = 200, description = "The history", body = ChartHistory), super::Refusals)
)]
pub(crate) async fn one(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<ChartHistory>, Fail> {
    let query = Query::of(query.as_deref(), &["limit", "cursor"])?;
    let list = format!("{HISTORY} {id}");
    let (limit, place) = (query.limit()?, query.place::<Turn>(&service, &caller, &list)?);
    if place.as_ref().is_some_and(|turn| turn.is_over(service.now())) {
        return Err(Fail::CURSOR);
    }
    let question = find(&service, &caller, &id).await?;
    // The name first: that it is looked at belongs in the history that is shown.
    let patient = match place {
        Some(_) => None,
        None => Some(patient(&service, &caller, &question).await),
    };
    let looked_at = place.as_ref().map_or(service.now(), |turn| turn.looked_at);
    let told = told(&service, question).await?;
    let (items, next) = page(&service, &told.history, (place, limit), looked_at).await?;
    let history = &told.history;
    let openings = || history.readers.iter().flat_map(|reader| &reader.openings);
    let enforced = openings().filter(|opening| is_enforced(history, opening)).count();
    let is_unexplained = |reader: &&Reader| reader.standing() == Standing::Unexplained;
    Ok(Json(ChartHistory {
        question: question_shown(&service, &told.question).await?,
        patient,
        people: history.readers.len(),
        unexplained: history.readers.iter().filter(is_unexplained).count(),
        accesses: history.accesses,
        enforced,
        watched: history.accesses.saturating_sub(enforced),
        unseen: unseen(history),
        is_cut: history.is_cut,
        is_behind: told.is_behind,
        items,
        next: query.next(&service, &caller, &list, next.as_ref())?,
    }))
}

/// A question, if the caller may look into charts.
pub(super) async fn find(service: &Service, caller: &Caller, text: &str) -> Result<ChartQuestion, Fail> {
    let id: Id<ChartQuestion> = text.parse().map_err(|_| Fail::NOT_FOUND)?;
    let viewer = viewer(service, caller).await?;
    let found = viewer.question(&service.parts.store, &*service.pack(), id).await?;
    found.ok_or(Fail::NOT_FOUND)
}

/// What is told of a question now.
pub(super) async fn told(service: &Service, question: ChartQuestion) -> Result<Told, Fail> {
    let parts = &service.parts;
    Ok(Told::of(&parts.store, &parts.pipeline, &parts.index, question).await?)
}

async fn patient(service: &Service, caller: &Caller, question: &ChartQuestion) -> ChartPatient {
    let mut rng = (service.parts.rng)();
    let looking = Looking {
        store: &service.parts.store,
        pipeline: &service.parts.pipeline,
        clock: service.parts.clock.as_ref(),
        rng: &mut *rng,
        person: caller.person(),
        roles: &caller.roles,
        source: "api",
    };
    match chart_of(looking, question).await {
        ChartOf::Nobody => ChartPatient { is_known: false, name: None, born: None, number: None },
        ChartOf::Hidden => ChartPatient { is_known: true, name: None, born: None, number: None },
        ChartOf::Patient { name, born, number } => ChartPatient {
            is_known: true,
            name: name.map(Phi::into_inner),
            born: Some(born.into_inner()).filter(|born| !born.is_empty()),
            number: number.map(Phi::into_inner),
        },
    }
}

/// A page of openings, the oldest first, and behind what it goes on.
async fn page(
    service: &Service,
    history: &History,
    (place, limit): (Option<Turn>, usize),
    looked_at: Timestamp,
) -> Result<(Vec<ChartOpening>, Option<Turn>), Fail> {
    let after = place.map(|turn| (turn.at, turn.id));
    let mut rows: Vec<(&Reader, &Opening)> = Vec::new();
    for reader in &history.readers {
        rows.extend(reader.openings.iter().map(|opening| (reader, opening)));
    }
    rows.retain(|(_, opening)| after.is_none_or(|after| spot_of(opening) > after));
    rows.sort_by_key(|(_, opening)| spot_of(opening));
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next =
        rows.last().filter(|_| has_more).map(|(_, last)| Turn { at: last.access.at, id: last.access.id, looked_at });
    let approvers = approvers(&mut service.parts.store.begin_read().await?, history).await?;
    let pack = service.pack();
    let items = rows.iter().map(|row| opening_shown(history, *row, (&*pack, &approvers)));
    Ok((items.collect(), next))
}

fn spot_of(opening: &Opening) -> (Timestamp, Id<ChartAccess>) {
    (opening.access.at, opening.access.id)
}

fn is_enforced(history: &History, opening: &Opening) -> bool {
    history.sources.get(&opening.access.source).is_some_and(|source| source.kind == SourceKind::Gateway)
}

fn opening_shown(
    history: &History,
    (reader, opening): (&Reader, &Opening),
    (pack, approvers): (&Pack, &Approvers),
) -> ChartOpening {
    let (access, facts) = (&opening.access, &opening.facts);
    let why = explained(&opening.why, pack, access.role.as_deref(), approvers);
    let said = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let source = history.sources.get(&access.source);
    ChartOpening {
        read: read(access),
        person: reader.person.as_ref().map(|person| PersonRef {
            id: person.id.to_string(),
            login: person.login.expose().clone(),
            name: person.name.expose().clone(),
        }),
        actor: if reader.person.is_some() { None } else { said(access.actor.expose()) },
        role: access.role.clone(),
        standing: opening.why.standing().code().to_owned(),
        explanation: why.words,
        rests_on: said(&why.code),
        source: source.map_or_else(|| "unknown".to_owned(), |source| source.code.clone()),
        share: if is_enforced(history, opening) { "enforced" } else { "watched" }.to_owned(),
        patients: facts.patients,
        action: said(&facts.action),
        workstation: said(&facts.workstation),
        module: said(&facts.module),
        or_at: facts.or_at.map(time),
    }
}

/// What nobody saw: logs that were never read, and, where there are none, what people open in the record system itself.
fn unseen(history: &History) -> Vec<String> {
    let others = || history.sources.values().filter(|source| source.kind != SourceKind::Gateway);
    let mut told: Vec<String> = others()
        .filter(|source| source.last.is_none())
        .map(|source| format!("What people opened in {}: nothing of its log was read.", source.code))
        .collect();
    if others().next().is_none() {
        told.push("What people open in the record system itself: none of its access logs is read here.".to_owned());
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_goes_on_for_a_quarter_of_an_hour() {
        let at = Timestamp::from_micros(1_000_000);
        let turn = Turn { at, id: Id::from_uuid(uuid::Uuid::nil()), looked_at: at };
        assert!(!turn.is_over(at.plus_micros(LOOK_MICROS)));
        assert!(turn.is_over(at.plus_micros(LOOK_MICROS + 1)));
    }
}
