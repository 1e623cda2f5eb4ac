//! Who opened a chart, and why.
//!
//! A question is recorded before anything is told; its id is the address of its history, and names no patient. The patient's name
//! comes through the gateway each time, under the question.

mod cases;
mod reads;
mod used;
mod words;

pub(super) use cases::{answer, answering, ask as ask_reader, case, decide, letter, letter_page, letter_text, open};
pub(super) use reads::reads;
pub(super) use used::{asked_of, under, uses, watched};
pub(super) use words::{case as case_mark, opened};

use super::{Form, Signed, Site, broken, id, not_done, page, people, unknown, when, with_done};
use crate::pages::charts::ask::{AskChart, AskedBefore, OpenCase};
use crate::pages::charts::history::{ChartHistory, HistoryGroup, OpenCaseForm, OpeningRow, ReaderRow, Whose};
use crate::pages::charts::report::{ChartReport, ReportRow};
use crate::pages::parts::{Coded, Field, Person as Shown};
use crate::serve::words as said;
use crate::words::Area;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use scruple_app::charts::{ChartError, History, Reader, Standing, Why};
use scruple_app::limits::INDEX_WAIT_MAX;
use scruple_app::{ChartAsk, DeskError};
use scruple_core::{ConditionMask, Id, Phi, Relationship, RequestFacts, Timestamp, month_of};
use scruple_fhir::dictionary;
use scruple_flow::{ChartQuestion, ElevationKind, Person, QuestionCause, RequestState};
use scruple_policy::{Act, Pack, Question};
use scruple_release::{Answer, Asked, Request, holding};
use scruple_store::{
    SourceKind, StoreError, Tx, find_person, find_question, find_request, list_cases_of_question, list_grants_of,
    list_open_cases, list_questions, list_sources, open_grants,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

const DAY: i64 = 24 * 3_600_000_000;
/// So long after a question its own look still stands in its history.
const LOOK_MICROS: i64 = 15 * 60_000_000;
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

async fn build_ask(site: &Site, signed: &Signed, typed: &Typed, query: &str) -> Result<AskChart, StoreError> {
    let (now, pack) = (site.now(), site.pack());
    let mut tx = site.parts.store.begin_read().await?;
    let sources = list_sources(&mut tx).await?;
    let mut before = Vec::new();
    for question in list_questions(&mut tx, None).await?.into_iter().take(BEFORE_MAX) {
        before.push(AskedBefore {
            href: format!("/charts/{}", question.id),
            patient: said::last_four(name_of_key(question.patient.expose())),
            from: when(question.from),
            until: when(question.until),
            cause: words::cause(question.cause).to_owned(),
            by: shown(&mut tx, &pack, question.asked_by).await?,
            at: when(question.asked_at),
        });
    }
    let mut cases = Vec::new();
    // Nobody reads here that a case is about himself.
    for case in list_open_cases(&mut tx).await?.into_iter().filter(|case| case.reader != signed.person()) {
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

/// The period that was chosen.
fn period(typed: &Typed, now: Timestamp) -> Result<(Timestamp, Timestamp), [Option<&'static str>; 3]> {
    if typed.period == "days" {
        // A little longer, so that this look stands in it.
        return Ok((now.plus_micros(-30 * DAY), now.plus_micros(LOOK_MICROS)));
    }
    if let Some(back) = typed.period.strip_prefix("month-").and_then(|back| back.parse::<u32>().ok()) {
        return month_of(now, back).ok_or([None, Some("Choose a month."), None]);
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
    let period = match period(&typed, site.now()) {
        Ok(period) => period,
        Err(wrong) => {
            typed.wrong = wrong;
            return asking(&site, &signed, StatusCode::UNPROCESSABLE_ENTITY, &typed, "").await;
        }
    };
    let number = typed.patient.trim().trim_start_matches("MR ").trim().to_owned();
    let is_number = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'/');
    if number.is_empty() || number.len() > 64 || !number.bytes().all(is_number) {
        typed.wrong = [Some("Type a record number as it stands in the chart."), None, None];
        return asking(&site, &signed, StatusCode::UNPROCESSABLE_ENTITY, &typed, "").await;
    }
    let number = number.trim_start_matches("Patient/").to_owned();
    let mut found = match site.parts.pipeline.patients_of(&number).await {
        Ok(found) => found,
        Err(error) => {
            site.refused("/charts", error.code(), Some(signed.person())).await;
            typed.failed =
                Some("The record system does not answer, so that it is not known whose number that is.".to_owned());
            return asking(&site, &signed, StatusCode::SERVICE_UNAVAILABLE, &typed, "").await;
        }
    };
    let (patient, numbers) = match (found.len(), found.pop_first()) {
        // Whom the record system does not know, a log may name all the same.
        (0, _) | (_, None) => (format!("number:{number}"), Default::default()),
        (1, Some((id, numbers))) => (format!("Patient/{id}"), numbers),
        (_, Some(_)) => {
            let wrong = "More than one patient has this number. Type the id of one in the record system.";
            typed.wrong = [Some(wrong), None, None];
            return asking(&site, &signed, StatusCode::UNPROCESSABLE_ENTITY, &typed, "").await;
        }
    };
    let mut keys = vec![patient.clone()];
    let plain = |number: &&String| !number.chars().any(char::is_control);
    keys.extend(numbers.iter().filter(plain).map(|number| format!("number:{number}")));
    if let Some(id) = patient.strip_prefix("Patient/") {
        // A log may write the id where others write the number.
        keys.push(format!("number:{id}"));
    }
    keys.dedup();
    let ask = ChartAsk {
        patient: Phi::new(patient),
        keys: Phi::new(keys),
        period,
        cause: QuestionCause::of(&typed.cause).unwrap_or(QuestionCause::Other),
    };
    let who = signed.who();
    let asked = site
        .desk(async |desk| {
            let done = desk.ask_about_chart(who, ask).await?;
            Ok((done.now, Some(done.position)))
        })
        .await;
    match asked {
        Ok(question) => Redirect::to(&format!("/charts/{}", question.id)).into_response(),
        Err(error) => not_done(&site, &signed, "/charts", &error).await,
    }
}

/// A question with what is told of it.
struct Told {
    question: ChartQuestion,
    history: History,
    /// The index had not yet what the ledger had.
    is_behind: bool,
}

async fn told(site: &Site, question: &str) -> Result<Option<Told>, Failed> {
    let Some(id) = id(question) else { return Ok(None) };
    let found = find_question(&mut site.parts.store.begin_read().await?, id).await?;
    let Some(question) = found else { return Ok(None) };
    let is_behind = match site.parts.pipeline.recorded() {
        Some(entries) => !site.parts.index.reach(entries, INDEX_WAIT_MAX).await,
        None => true,
    };
    let history = History::of(&site.parts.store, &site.parts.pipeline, &question).await?;
    Ok(Some(Told { question, history, is_behind }))
}

/// The patient, as the gateway shows him to who looks, under the question.
async fn whose(site: &Site, signed: &Signed, question: &ChartQuestion) -> Whose {
    let key = question.patient.expose();
    let number = format!("MR {}", name_of_key(key));
    let Some(patient) = key.strip_prefix("Patient/") else {
        let name = "The record system knows no patient by this number.".to_owned();
        return Whose { name, born: String::new(), number };
    };
    let read = read_patient(site, signed, question, patient).await;
    let Some(resource) = read else {
        return Whose { name: "The name does not show now.".to_owned(), born: String::new(), number };
    };
    let text = |pointer: &str| resource.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let given = resource.pointer("/name/0/given").and_then(Value::as_array).into_iter().flatten();
    let given: Vec<&str> = given.filter_map(Value::as_str).collect();
    let name = match (given.is_empty(), text("/name/0/family")) {
        (true, family) if family.is_empty() => text("/name/0/text"),
        (_, family) => format!("{} {family}", given.join(" ")).trim().to_owned(),
    };
    let identifiers = resource.get("identifier").and_then(Value::as_array).into_iter().flatten();
    let is_record = |one: &&Value| one.pointer("/type/coding/0/code").and_then(Value::as_str) == Some("MR");
    let record = identifiers.filter(is_record).find_map(|one| one.get("value").and_then(Value::as_str));
    Whose {
        name: if name.is_empty() { "The name does not show now.".to_owned() } else { name },
        born: text("/birthDate"),
        number: record.map_or(number, |record| format!("MR {record}")),
    }
}

async fn read_patient(site: &Site, signed: &Signed, question: &ChartQuestion, patient: &str) -> Option<Value> {
    let (now, pack) = (site.now(), site.pack());
    let mut tx = site.parts.store.begin_read().await.ok()?;
    let person = find_person(&mut tx, signed.person()).await.ok()??;
    let held = open_grants(&mut tx, signed.person(), now).await.ok()?;
    drop(tx);
    let may = |role: &str| pack.console.scope(Act::Charts, [role]).is_some();
    let grant = held.into_iter().find(|grant| grant.window.contains(now) && may(grant.role.as_str()))?;
    let role = pack.roles.get(grant.role.as_str())?;
    let asked = Asked {
        subject: person.login.into_inner(),
        question: Question { role: role.name.clone(), purpose: role.purpose.clone(), conditions: ConditionMask::NONE },
        relationship: Relationship::Resolved,
        grant: Some(grant.id.to_string()),
        practitioners: Vec::new(),
        opened: BTreeMap::from([(patient.to_owned(), format!("inquiry ChartQuestion/{}", question.id).into())]),
        limited: BTreeMap::new(),
    };
    let facts = RequestFacts {
        interaction: "read".to_owned(),
        resource_type: Some("Patient".to_owned()),
        id: Some(patient.to_owned()),
        parameters: Vec::new(),
        request_id: None,
        source: Some("console".to_owned()),
        lacking: Vec::new(),
    };
    let holds = || holding();
    let request = Request { asked: &asked, facts, now, clock: site.parts.clock.as_ref(), holds: &holds };
    let kind = dictionary().resource("Patient")?;
    let mut rng = (site.parts.rng)();
    match site.parts.pipeline.read(request, kind, patient, None, &mut *rng).await {
        Answer::Read(released, _) | Answer::Released(released) => serde_json::from_slice(released.bytes()).ok(),
        Answer::Unchanged(..) | Answer::Refused(..) | Answer::Unrecorded => None,
    }
}

/// Who approved what a history rests on, by elevation.
async fn approvers(site: &Site, history: &History) -> Result<words::Approvers, StoreError> {
    let (mut found, pack) = (BTreeMap::new(), site.pack());
    let mut tx = site.parts.store.begin_read().await?;
    for opening in history.readers.iter().flat_map(|reader| &reader.openings) {
        let Why::Opened(elevation) = &opening.why else { continue };
        let ElevationKind::Asked { request } = elevation.held.kind else { continue };
        let id = elevation.held.id.to_string();
        if found.contains_key(&id) {
            continue;
        }
        let request = find_request(&mut tx, request).await?;
        let Some(RequestState::Approved { approvals, .. }) = request.map(|request| request.state) else { continue };
        let mut names = Vec::new();
        for approval in &approvals {
            names.push(shown(&mut tx, &pack, approval.by).await?.name);
        }
        found.insert(id, names.join(" and "));
    }
    Ok(found)
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
        let Some(id) = id(question) else { return Ok(None) };
        let Some(found) = find_question(&mut site.parts.store.begin_read().await?, id).await? else { return Ok(None) };
        let patient = whose(site, signed, &found).await;
        match told(site, question).await? {
            Some(told) => build(site, signed, told, patient, (query, failed)).await.map(Some),
            None => Ok(None),
        }
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
    let approvers = approvers(site, &history).await?;
    let mut tx = site.parts.store.begin_read().await?;
    let mut cases = Vec::new();
    // Nobody reads here that a case is about himself.
    let others = list_cases_of_question(&mut tx, question.id).await?;
    for case in others.into_iter().filter(|case| case.reader != signed.person()) {
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
            OpenCaseForm { action: format!("/charts/{}/case", question.id), reader: person.id.to_string(), complaint }
        });
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
    Ok(ChartHistory {
        frame: with_done(signed.frame(site, Some(Area::Charts)), query),
        csrf: signed.csrf.clone(),
        as_of: when(now),
        patient,
        from: when(question.from),
        until: when(question.until.min(now)),
        cause: words::cause(question.cause).to_owned(),
        asked_by,
        summary: summary(&history),
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
        report: format!("/charts/{}/report", question.id),
        failed: failed.map(|(.., why)| why),
    })
}

/// Who only asked who opened a chart, or saw nothing of it, has not opened it.
const fn asked(why: &Why) -> bool {
    matches!(why, Why::Inquiry | Why::SawNothing)
}

/// `5 people opened this chart 31 times. Nothing explains what 1 of them did.` The office's own questions do not count.
fn summary(history: &History) -> String {
    let readers = || history.readers.iter().filter(|reader| !reader.openings.iter().all(|one| asked(&one.why)));
    let people = readers().count();
    let unexplained = readers().filter(|reader| reader.standing() == Standing::Unexplained).count();
    let times = readers().flat_map(|reader| &reader.openings).filter(|one| !asked(&one.why)).count();
    let many = |number: usize, one: &str, more: &str| if number == 1 { one.to_owned() } else { more.to_owned() };
    if people == 0 {
        return "Nobody opened this chart in that time, as far as the logs here tell.".to_owned();
    }
    let who = many(people, "person", "people");
    let often = many(times, "once", &format!("{times} times"));
    let rest = match unexplained {
        0 => "All of it is explained, or stands below with what it rests on.".to_owned(),
        1 => "Nothing explains what 1 of them did.".to_owned(),
        number => format!("Nothing explains what {number} of them did."),
    };
    format!("{people} {who} opened this chart {often}. {rest}")
}

fn reader_row(
    history: &History,
    reader: &Reader,
    person: Shown,
    why: impl Fn(&scruple_app::charts::Opening) -> Coded,
) -> ReaderRow {
    let mut reasons: Vec<Coded> = Vec::new();
    let mut sources: Vec<String> = Vec::new();
    let mut openings: Vec<&scruple_app::charts::Opening> = reader.openings.iter().collect();
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
        last: when(last),
        count: reader.openings.len(),
        kinds: words::kinds(reader.openings.iter().map(|opening| &opening.facts)),
        sources,
        rows: rows.collect(),
        more: reader.openings.len().saturating_sub(ROWS_MAX),
        open_case: None,
    }
}

/// Every opening as a table to take away.
pub(super) async fn export(State(site): State<Arc<Site>>, signed: Signed, Path(question): Path<String>) -> Response {
    let built = async {
        let Some(told) = told(&site, &question).await? else { return Ok(None) };
        let pack = site.pack();
        let approvers = approvers(&site, &told.history).await?;
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

/// The history in plain words, for the patient. What the privacy office looked up itself is in it.
pub(super) async fn report(State(site): State<Arc<Site>>, signed: Signed, Path(question): Path<String>) -> Response {
    let built = async {
        let Some(told) = told(&site, &question).await? else { return Ok(None) };
        let patient = whose(&site, &signed, &told.question).await;
        let pack = site.pack();
        let mut tx = site.parts.store.begin_read().await?;
        let mut rows = Vec::new();
        for reader in told.history.readers.iter().filter(|reader| reader.standing() != Standing::Tried) {
            let (name, job) = match &reader.person {
                Some(person) => (person.name.expose().clone(), job(&mut tx, &pack, person).await?),
                None => ("Somebody whom we do not know yet".to_owned(), String::new()),
            };
            let worst = reader.openings.iter().min_by_key(|opening| opening.why.standing());
            let (first, last) = reader.between().unwrap_or((told.question.from, told.question.until));
            let kinds = words::kinds(reader.openings.iter().map(|opening| &opening.facts));
            let kinds: Vec<String> = kinds.into_iter().map(|kind| kind.words).collect();
            rows.push(ReportRow {
                name,
                job,
                why: worst.map_or("", |opening| words::why_to_patient(&opening.why)).to_owned(),
                kinds: kinds.join(", "),
                first: when(first),
                last: when(last),
                count: reader.openings.len(),
            });
        }
        drop(tx);
        let sources = told.history.sources.values().map(|source| match source.kind {
            SourceKind::Gateway => "the gateway of the record system".to_owned(),
            _ => format!("the access log of {}", source.code),
        });
        Ok(Some(ChartReport {
            frame: signed.frame(&site, Some(Area::Charts)),
            back: format!("/charts/{}", told.question.id),
            made: when(site.now()),
            patient: patient.name,
            number: patient.number,
            from: when(told.question.from),
            until: when(told.question.until.min(site.now())),
            rows,
            sources: sources.collect(),
            help: site.parts.help.clone(),
        }))
    };
    match built.await {
        Ok(Some(view)) => page(StatusCode::OK, &view),
        Ok(None) => unknown(signed.frame(&site, Some(Area::Charts))),
        Err::<_, Failed>(_) => broken(signed.frame(&site, Some(Area::Charts))),
    }
}

/// What a case is to be about: everything that the reader opened in the period of the question.
async fn about(site: &Site, question: &str, reader: Id<Person>) -> Result<Option<(Timestamp, Timestamp)>, DeskError> {
    let Ok(Some(told)) = told(site, question).await else { return Ok(None) };
    let found = told.history.readers.iter().find(|one| one.person.as_ref().is_some_and(|person| person.id == reader));
    Ok(found.and_then(Reader::between))
}
