//! Who opened a chart, and why.
//!
//! A question is recorded before anything is told; its id is the address of its history, and names no patient. The patient's name
//! comes through the gateway each time, under the question.

mod cases;
mod reads;
mod report;
mod used;
mod words;

pub(super) use cases::{answer, answering, ask as ask_reader, case, decide, letter, letter_page, letter_text, open};
pub(super) use reads::reads;
pub(super) use report::report;
pub(super) use used::{asked_of, under, uses, watched};
pub(super) use words::{case as case_mark, opened};

use super::{Form, Signed, Site, broken, id, not_done, page, people, unknown, when, with_done};
use crate::pages::charts::ask::{AskChart, AskedBefore, OpenCase};
use crate::pages::charts::history::{ChartHistory, HistoryGroup, OpenCaseForm, OpeningRow, ReaderRow, Whose};
use crate::pages::parts::{Coded, Field, Person as Shown};
use crate::serve::words as said;
use crate::words::Area;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use scruple_app::charts::{
    ChartError, ChartOf, History, Looking, Named, NumberError, Opening, Reader, Standing, Told, Why, acts, apart,
    approvers, chart_of, is_known, is_of_patient, last_days, named, summary,
};
use scruple_app::{ChartAsk, DeskError};
use scruple_core::{Id, Phi, Timestamp, month_of};
use scruple_flow::{ChartQuestion, Person, QuestionCause};
use scruple_policy::Pack;
use scruple_store::{StoreError, Tx, find_person, list_grants_of, list_questions, list_sources};
use std::collections::BTreeMap;
use std::sync::Arc;

const DAY: i64 = 24 * 3_600_000_000;
/// Days of the period that is proposed.
const DAYS: i64 = 30;
/// Months that can be chosen by name.
const MONTHS: u32 = 24;
/// Questions on the page that were asked before.
const BEFORE_MAX: usize = 20;
/// Roles of one person that are named.
const ROLES_MAX: usize = 3;
/// Rows of one person on the page.
const ROWS_MAX: usize = 100;

/// Why a history is not shown.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Chart(#[from] ChartError),
    #[error(transparent)]
    Desk(#[from] DeskError),
}

/// What was typed.
#[derive(Default)]
struct Typed {
    patient: String,
    period: String,
    from: String,
    until: String,
    cause: String,
    failed: Option<String>,
    wrong: [Option<&'static str>; 3],
}

pub(super) async fn ask(State(site): State<Arc<Site>>, signed: Signed, RawQuery(query): RawQuery) -> Response {
    asking(&site, &signed, StatusCode::OK, &Typed::default(), &query.unwrap_or_default()).await
}

async fn asking(site: &Site, signed: &Signed, status: StatusCode, typed: &Typed, query: &str) -> Response {
    match build_ask(site, signed, typed, query).await {
        Ok(view) => page(status, &view),
        Err(error) => {
            tracing::error!(error = %error, "nobody can ask about a chart");
            broken(signed.frame(site, Some(Area::Charts)))
        }
    }
}

/// The periods by name: the last days, then months, then dates that are typed.
fn periods(now: Timestamp) -> Vec<(String, String)> {
    let mut periods = vec![("days".to_owned(), "The last 30 days".to_owned())];
    for back in 0..MONTHS {
        let Some((first, _)) = month_of(now, back) else { continue };
        let words = when(first).words;
        let name = words.split(',').next().and_then(|day| day.split_once(' ')).map(|(_, name)| name.to_owned());
        periods.push((format!("month-{back}"), name.unwrap_or_default()));
    }
    periods.push(("dates".to_owned(), "The dates below".to_owned()));
    periods
}

async fn build_ask(site: &Site, signed: &Signed, typed: &Typed, query: &str) -> Result<AskChart, Failed> {
    let (now, pack) = (site.now(), site.pack());
    let open = signed.viewer.open_cases(&site.parts.store, &*pack).await?;
    let mut tx = site.parts.store.begin_read().await?;
    let sources = list_sources(&mut tx).await?;
    let mut before = Vec::new();
    for question in list_questions(&mut tx, None).await?.into_iter().take(BEFORE_MAX) {
        before.push(AskedBefore {
            href: format!("/charts/{}", question.id),
            patient: said::chart_of_key(question.patient.expose()),
            from: when(question.from),
            until: when(question.until),
            cause: words::cause(question.cause).to_owned(),
            by: shown(&mut tx, &pack, question.asked_by).await?,
            at: when(question.asked_at),
        });
    }
    let mut cases = Vec::new();
    for case in open {
        cases.push(OpenCase {
            href: format!("/cases/{}", case.id),
            reader: shown(&mut tx, &pack, case.reader).await?,
            opened: when(case.opened_at),
            state: words::case(&case.state),
        });
    }
    let field = |value: &str, wrong: Option<&str>| match wrong {
        Some(error) => said::wrong(value, error),
        None => said::field(value),
    };
    let causes = QuestionCause::ALL.map(|cause| (cause.code(), words::cause(cause)));
    let [wrong_patient, wrong_from, wrong_until] = typed.wrong;
    let period = if typed.period.is_empty() { "days" } else { &typed.period };
    Ok(AskChart {
        frame: with_done(signed.frame(site, Some(Area::Charts)), query),
        csrf: signed.csrf.clone(),
        as_of: when(now),
        failed: typed.failed.clone(),
        patient: field(&typed.patient, wrong_patient),
        period: said::pick(&periods(now), period),
        from: field(&typed.from, wrong_from),
        until: field(&typed.until, wrong_until),
        cause: said::pick(&causes, &typed.cause),
        before,
        cases,
        sources: words::sources(sources.iter(), now),
    })
}

/// `Patient/pat-0001` and `number:4471` as people know them.
fn name_of_key(key: &str) -> &str {
    key.trim_start_matches("Patient/").trim_start_matches("number:")
}

async fn shown(tx: &mut Tx, pack: &Pack, person: Id<Person>) -> Result<Shown, StoreError> {
    let Some(person) = find_person(tx, person).await? else {
        return Ok(Shown { href: String::new(), name: String::new(), job: String::new() });
    };
    let job = job(tx, pack, &person).await?;
    Ok(Shown { href: format!("/people/{}", person.id), name: person.name.into_inner(), job })
}

/// What HR says that a person does; where it says nothing, the roles that he was given last.
async fn job(tx: &mut Tx, pack: &Pack, person: &Person) -> Result<String, StoreError> {
    let (job, _) = people::job(tx, person).await?;
    if job != *person.login.expose() {
        return Ok(job);
    }
    let mut labels: Vec<String> = Vec::new();
    for grant in list_grants_of(tx, person.id).await?.into_iter().take(ROLES_MAX) {
        let label = said::role(pack, &grant.role);
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    Ok(if labels.is_empty() { job } else { labels.join(", ") })
}

/// The period that was chosen. Dates that are typed win over the days that are proposed; a month and dates together are no answer.
fn period(typed: &Typed, now: Timestamp) -> Result<(Timestamp, Timestamp), [Option<&'static str>; 3]> {
    let has_dates = [&typed.from, &typed.until].iter().any(|text| !text.trim().is_empty());
    if let Some(back) = typed.period.strip_prefix("month-") {
        if has_dates {
            return Err([None, Some("A month is chosen above, and days are typed here. Leave one of them out."), None]);
        }
        let month = back.parse::<u32>().ok().and_then(|back| month_of(now, back));
        return month.ok_or([None, Some("Choose a month."), None]);
    }
    if typed.period == "days" && !has_dates {
        return Ok(last_days(now, DAYS));
    }
    let day = |text: &str| Timestamp::parse(&format!("{}T00:00:00Z", text.trim())).ok();
    let from = day(&typed.from).ok_or([None, Some("Write the first day as 2026-03-01."), None])?;
    let until = day(&typed.until).ok_or([None, None, Some("Write the last day as 2026-03-31.")])?;
    if until < from {
        return Err([None, None, Some("The last day is before the first.")]);
    }
    Ok((from, until.plus_micros(DAY)))
}

pub(super) async fn submit(State(site): State<Arc<Site>>, signed: Signed, form: Form) -> Response {
    let text = |name: &str| form.text(name).to_owned();
    let mut typed = Typed {
        patient: text("patient"),
        period: text("period"),
        from: text("from"),
        until: text("until"),
        cause: text("cause"),
        ..Typed::default()
    };
    // Of a review it is asked by the review: its page knows the chart by the end of a number alone.
    if let Some(review) = id(form.text("review")) {
        match signed.viewer.review(&site.parts.store, &*site.pack(), review).await {
            Ok(Some((_, elevation))) => typed.patient = elevation.held.patient.id().to_owned(),
            Ok(None) => return unknown(signed.frame(&site, Some(Area::Charts))),
            Err(error) => {
                tracing::error!(error = %error, "the chart of a review cannot be asked about");
                return broken(signed.frame(&site, Some(Area::Charts)));
            }
        }
    }
    let period = match period(&typed, site.now()) {
        Ok(period) => period,
        Err(wrong) => {
            typed.wrong = wrong;
            return asking(&site, &signed, StatusCode::UNPROCESSABLE_ENTITY, &typed, "").await;
        }
    };
    let found = named(&site.parts.pipeline, &typed.patient).await;
    let Named { patient, keys } = match found {
        Ok(named) => named,
        Err(NumberError::Upstream(error)) => {
            site.refused("/charts", error.code(), Some(signed.person())).await;
            typed.failed =
                Some("The record system does not answer, so that it is not known whose number that is.".to_owned());
            return asking(&site, &signed, StatusCode::SERVICE_UNAVAILABLE, &typed, "").await;
        }
        Err(error) => {
            let wrong = match error {
                NumberError::Several => {
                    "More than one patient has this number. Type the id of one in the record system."
                }
                _ => "Type a record number as it stands in the chart.",
            };
            typed.wrong = [Some(wrong), None, None];
            return asking(&site, &signed, StatusCode::UNPROCESSABLE_ENTITY, &typed, "").await;
        }
    };
    let ask =
        ChartAsk { patient, keys, period, cause: QuestionCause::of(&typed.cause).unwrap_or(QuestionCause::Other) };
    let who = signed.who();
    let asked = site.desk(async |desk| desk.ask_about_chart(who, ask).await).await;
    match asked {
        Ok(question) => Redirect::to(&format!("/charts/{}", question.id)).into_response(),
        Err(error) => not_done(&site, &signed, "/charts", &error).await,
    }
}

async fn found(site: &Site, signed: &Signed, question: &str) -> Result<Option<ChartQuestion>, Failed> {
    let Some(id) = id(question) else { return Ok(None) };
    Ok(signed.viewer.question(&site.parts.store, &*site.pack(), id).await?)
}

async fn told_of(site: &Site, question: ChartQuestion) -> Result<Told, Failed> {
    let parts = &site.parts;
    Ok(Told::of(&parts.store, &parts.pipeline, &parts.index, question).await?)
}

async fn told(site: &Site, signed: &Signed, question: &str) -> Result<Option<Told>, Failed> {
    match found(site, signed, question).await? {
        Some(question) => Ok(Some(told_of(site, question).await?)),
        None => Ok(None),
    }
}

/// The patient, as the gateway shows him to who looks, under the question.
async fn whose(site: &Site, signed: &Signed, question: &ChartQuestion) -> Whose {
    let key = question.patient.expose();
    let number = match key.strip_prefix("Patient/") {
        Some(id) => said::chart(id),
        None => format!("MR {}", name_of_key(key)),
    };
    let mut rng = (site.parts.rng)();
    let looking = Looking {
        store: &site.parts.store,
        pipeline: &site.parts.pipeline,
        clock: site.parts.clock.as_ref(),
        rng: &mut *rng,
        person: signed.person(),
        roles: &signed.roles,
        source: "console",
    };
    let hidden = || "The name does not show now".to_owned();
    match chart_of(looking, question).await {
        ChartOf::Nobody => {
            let name = "The record system knows no patient by this number.".to_owned();
            Whose { name, born: String::new(), number }
        }
        ChartOf::Hidden => Whose { name: hidden(), born: String::new(), number },
        ChartOf::Patient { name, born, number: record } => Whose {
            name: name.map_or_else(hidden, Phi::into_inner),
            born: born.into_inner(),
            number: record.map_or(number, |record| format!("MR {}", record.expose())),
        },
    }
}

pub(super) async fn history(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(question): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    show(&site, &signed, &question, StatusCode::OK, &query.unwrap_or_default(), None).await
}

/// A case that was not opened: about whom, what was typed, and why not.
type Unopened<'a> = (&'a str, Field, String);

async fn show(
    site: &Site,
    signed: &Signed,
    question: &str,
    status: StatusCode,
    query: &str,
    failed: Option<Unopened<'_>>,
) -> Response {
    let built = async {
        // The name first: that it is looked at belongs in the history that is shown.
        let Some(question) = found(site, signed, question).await? else { return Ok(None) };
        let mut patient = whose(site, signed, &question).await;
        if let Some(id) = question.patient.expose().strip_prefix("Patient/")
            && patient.number != said::chart(id)
        {
            // As other pages name the chart, beside the number that was typed.
            patient.number = format!("{}, {}", patient.number, said::chart(id));
        }
        let told = told_of(site, question).await?;
        build(site, signed, told, patient, (query, failed)).await.map(Some)
    };
    match built.await {
        Ok(Some(view)) => page(status, &view),
        Ok(None) => unknown(signed.frame(site, Some(Area::Charts))),
        Err::<_, Failed>(error) => {
            tracing::error!(error = %error, "a history cannot be told");
            broken(signed.frame(site, Some(Area::Charts)))
        }
    }
}

async fn build(
    site: &Site,
    signed: &Signed,
    told: Told,
    patient: Whose,
    (query, failed): (&str, Option<Unopened<'_>>),
) -> Result<ChartHistory, Failed> {
    let Told { question, history, is_behind } = told;
    let (now, pack) = (site.now(), site.pack());
    let others = signed.viewer.cases_of(&site.parts.store, &*pack, question.id).await?;
    let mut tx = site.parts.store.begin_read().await?;
    let approvers = approvers(&mut tx, &history).await?;
    let mut cases = Vec::new();
    for case in others {
        cases.push((
            format!("/cases/{}", case.id),
            shown(&mut tx, &pack, case.reader).await?,
            words::case(&case.state),
        ));
    }
    let mut groups: BTreeMap<Standing, Vec<ReaderRow>> = BTreeMap::new();
    for (number, reader) in history.readers.iter().enumerate() {
        let person = match &reader.person {
            Some(person) => {
                let job = job(&mut tx, &pack, person).await?;
                Shown { href: format!("/people/{}", person.id), name: person.name.expose().clone(), job }
            }
            None => Shown { href: String::new(), name: reader.actor.clone(), job: "nobody here".to_owned() },
        };
        let mut row = reader_row(&history, reader, person, |opening| {
            words::why(&opening.why, &pack, opening.access.role.as_deref(), &approvers)
        });
        row.id = format!("p{}", number + 1);
        row.open_case = reader.person.as_ref().filter(|person| person.id != signed.person()).map(|person| {
            let complaint = match &failed {
                Some((reader, field, _)) if *reader == person.id.to_string() => field.clone(),
                _ => said::field(""),
            };
            OpenCaseForm {
                action: format!("/charts/{}/case", question.id),
                reader: person.id.to_string(),
                complaint,
                of_patient: is_of_patient(question.cause),
            }
        });
        row.no_case = reader.person.is_none();
        groups.entry(reader.standing()).or_default().push(row);
    }
    let asked_by = shown(&mut tx, &pack, question.asked_by).await?;
    drop(tx);
    let mut notes = Vec::new();
    if is_behind {
        notes.push(
            "The latest entries of the ledger are not in this history yet. Load it again in a moment.".to_owned(),
        );
    }
    if history.is_cut {
        notes.push("There are more accesses than one page tells of. Ask for a shorter time.".to_owned());
    }
    if history.readers.iter().flat_map(|reader| &reader.openings).any(|opening| opening.why == Why::NotAsked) {
        notes.push(
            "The record system did not answer for some of it: what it would explain stands as unexplained.".to_owned(),
        );
    }
    let late = words::late(&history, question.from);
    if !late.is_empty() {
        let since: Vec<String> = late.iter().map(|(at, source)| format!("{} ({source})", at.words)).collect();
        notes.push(format!("Recorded since {}. What was opened before that is not seen.", since.join(", ")));
    }
    if !is_known(&question) {
        notes.push(
            "The record system knows no such number: there is nobody to write a letter to. Only a log can have named it."
                .to_owned(),
        );
    }
    Ok(ChartHistory {
        frame: with_done(signed.frame(site, Some(Area::Charts)), query),
        csrf: signed.csrf.clone(),
        as_of: when(now),
        patient,
        from: when(question.from),
        until: when(question.until.min(now)),
        cause: words::cause(question.cause).to_owned(),
        asked_by,
        summary: summary(&history, &question),
        notes,
        groups: groups
            .into_iter()
            .map(|(standing, people)| {
                let (id, heading, mark) = words::standing(standing);
                HistoryGroup { id, heading, mark, people }
            })
            .collect(),
        cases,
        sources: words::sources(history.sources.values(), now),
        export: format!("/charts/{}/export", question.id),
        report: is_known(&question).then(|| format!("/charts/{}/report", question.id)),
        failed: failed.map(|(.., why)| why),
    })
}

fn reader_row(history: &History, reader: &Reader, person: Shown, why: impl Fn(&Opening) -> Coded) -> ReaderRow {
    let mut reasons: Vec<Coded> = Vec::new();
    let mut sources: Vec<String> = Vec::new();
    let mut openings: Vec<&Opening> = reader.openings.iter().collect();
    openings.sort_by_key(|opening| opening.why.standing());
    for opening in openings {
        let reason = why(opening);
        if !reasons.iter().any(|known| known.words == reason.words) {
            reasons.push(reason);
        }
        let (_, source) = words::source(history.sources.get(&opening.access.source));
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    let (first, last) = reader.between().unwrap_or((Timestamp::from_micros(0), Timestamp::from_micros(0)));
    let rows = reader.openings.iter().take(ROWS_MAX).map(|opening| OpeningRow {
        at: when(opening.access.at),
        what: words::what(opening),
        why: why(opening),
        right: match (opening.access.elevation, opening.access.grant) {
            (Some(elevation), _) => Some(format!("/reads/chart/{elevation}")),
            (None, grant) => grant.map(|grant| format!("/reads/role/{grant}")),
        },
        source: words::source(history.sources.get(&opening.access.source)).0,
        entry: opening.access.entry.map(|entry| format!("entry {entry} of the ledger")).unwrap_or_default(),
    });
    ReaderRow {
        id: String::new(),
        person,
        why: reasons,
        first: when(first),
        last: words::other(last, first),
        count: reader.openings.len(),
        apart: apart(&reader.openings),
        kinds: words::seen(reader.openings.iter().map(|opening| &opening.facts)),
        did: acts(reader.openings.iter().map(|opening| &opening.facts)).join(", "),
        sources,
        rows: rows.collect(),
        more: reader.openings.len().saturating_sub(ROWS_MAX),
        open_case: None,
        no_case: false,
    }
}

/// Every opening as a table to take away.
pub(super) async fn export(State(site): State<Arc<Site>>, signed: Signed, Path(question): Path<String>) -> Response {
    let built = async {
        let Some(told) = told(&site, &signed, &question).await? else { return Ok(None) };
        let pack = site.pack();
        let approvers = approvers(&mut site.parts.store.begin_read().await?, &told.history).await?;
        let mut text = "when,person,login,role,purpose,what,why,known from,ledger entry\r\n".to_owned();
        for reader in &told.history.readers {
            let name = reader.person.as_ref().map_or("", |person| person.name.expose().as_str());
            for opening in &reader.openings {
                let access = &opening.access;
                let cells = [
                    access.at.to_string(),
                    name.to_owned(),
                    access.actor.expose().clone(),
                    access.role.clone().unwrap_or_default(),
                    access.purpose.clone().unwrap_or_default(),
                    words::what(opening),
                    words::why(&opening.why, &pack, access.role.as_deref(), &approvers).words,
                    words::source(told.history.sources.get(&access.source)).0,
                    access.entry.map(|entry| entry.to_string()).unwrap_or_default(),
                ];
                text.push_str(&cells.map(|cell| super::words::cell(&cell)).join(","));
                text.push_str("\r\n");
            }
        }
        Ok(Some(text))
    };
    match built.await {
        Ok(Some(text)) => {
            let headers = [
                (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
                (header::CONTENT_DISPOSITION, "attachment; filename=\"chart-history.csv\""),
            ];
            (headers, text).into_response()
        }
        Ok(None) => unknown(signed.frame(&site, Some(Area::Charts))),
        Err::<_, Failed>(_) => broken(signed.frame(&site, Some(Area::Charts))),
    }
}

/// What a case is to be about: everything that the reader opened in the period of the question.
async fn about(
    site: &Site,
    signed: &Signed,
    question: &str,
    reader: Id<Person>,
) -> Result<Option<(Timestamp, Timestamp)>, Failed> {
    Ok(told(site, signed, question).await?.and_then(|told| told.history.about(reader)))
}

#[cfg(test)]
mod tests;
