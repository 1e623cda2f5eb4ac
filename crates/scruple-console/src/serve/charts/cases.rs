//! Complaints about a chart: from the history to the reader's answer, to the decision, to the letter.

use super::{about, shown, words};
use crate::pages::charts::answer::AnswerPage;
use crate::pages::charts::case::CasePage;
use crate::pages::charts::letter::LetterPage;
use crate::pages::parts::{Field, Happened};
use crate::serve::words as said;
use crate::serve::{Form, Signed, Site, broken, done, id, not_done, page, unknown, when, with_done};
use crate::words::{Area, Mark};
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use scruple_app::charts::{is_of_patient, letter_draft};
use scruple_app::{CaseAsk, DeskError};
use scruple_core::{Phi, Timestamp};
use scruple_flow::{CaseFinding, CaseState, ChartCase};
use scruple_store::{StoreError, find_question};
use std::sync::Arc;

pub(in crate::serve) async fn open(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(question): Path<String>,
    form: Form,
) -> Response {
    let (Some(question_id), Some(reader)) = (id(&question), id(form.text("reader"))) else {
        return unknown(signed.frame(&site, Some(Area::Charts)));
    };
    let about = match about(&site, &signed, &question, reader).await {
        Ok(Some(about)) => about,
        Ok(None) => return unknown(signed.frame(&site, Some(Area::Charts))),
        Err(_) => return broken(signed.frame(&site, Some(Area::Charts))),
    };
    let typed = form.text("complaint").to_owned();
    let who = signed.who();
    let ask = CaseAsk { question: question_id, reader, about, complaint: Phi::new(typed.clone()) };
    let opened = site.desk(async |desk| desk.open_case(who, ask).await).await;
    match opened {
        Ok(case) => done(&format!("/cases/{}", case.id), "case-opened"),
        Err(error @ DeskError::Case(_)) => {
            site.refused("/charts/{id}/case", error.code(), Some(signed.person())).await;
            let sentence = said::sentence(&error);
            let failed = (form.text("reader"), said::wrong(&typed, &sentence), sentence);
            super::show(&site, &signed, &question, StatusCode::UNPROCESSABLE_ENTITY, "", Some(failed)).await
        }
        Err(error) => not_done(&site, &signed, "/charts/{id}/case", &error).await,
    }
}

/// A case, if who looks is told of it.
async fn find(site: &Site, signed: &Signed, case: &str) -> Result<Option<ChartCase>, DeskError> {
    let Some(id) = id(case) else { return Ok(None) };
    let pack = site.pack();
    signed.viewer.case(&site.parts.store, &*pack, id).await
}

pub(in crate::serve) async fn case(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(case): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    match find(&site, &signed, &case).await {
        Ok(Some(case)) => show(&site, &signed, &case, StatusCode::OK, &query.unwrap_or_default(), None).await,
        Ok(None) => unknown(signed.frame(&site, Some(Area::Charts))),
        Err(_) => broken(signed.frame(&site, Some(Area::Charts))),
    }
}

async fn show(
    site: &Site,
    signed: &Signed,
    case: &ChartCase,
    status: StatusCode,
    query: &str,
    failed: Option<(&DeskError, &str)>,
) -> Response {
    match build(site, signed, case, query, failed).await {
        Ok(view) => page(status, &view),
        Err(error) => {
            tracing::error!(error = %error, "a case cannot be shown");
            broken(signed.frame(site, Some(Area::Charts)))
        }
    }
}

async fn build(
    site: &Site,
    signed: &Signed,
    case: &ChartCase,
    query: &str,
    failed: Option<(&DeskError, &str)>,
) -> Result<CasePage, StoreError> {
    let pack = site.pack();
    let mut tx = site.parts.store.begin_read().await?;
    let reader = shown(&mut tx, &pack, case.reader).await?;
    let of_patient = find_question(&mut tx, case.question).await?.is_some_and(|question| is_of_patient(question.cause));
    let mut events = vec![Happened {
        at: when(case.opened_at),
        mark: Mark::wait("Opened"),
        sentence: format!("{} opened the case.", shown(&mut tx, &pack, case.opened_by).await?.name),
        said: None,
    }];
    if let Some((by, at)) = case.asked {
        events.push(Happened {
            at: when(at),
            mark: Mark::wait("Asked"),
            sentence: format!("{} asked the reader.", shown(&mut tx, &pack, by).await?.name),
            said: None,
        });
    }
    if let Some((_, at)) = &case.answer {
        let sentence = format!("{} answered.", reader.name);
        events.push(Happened { at: when(*at), mark: Mark::good("Answered"), sentence, said: None });
    }
    if let Some(verdict) = case.state.verdict() {
        let sentence = format!("{} decided.", shown(&mut tx, &pack, verdict.by).await?.name);
        let mark = words::case(&CaseState::Decided(verdict.clone()));
        events.push(Happened { at: when(verdict.at), mark, sentence, said: None });
    }
    if let CaseState::Lettered(_, letter) = &case.state {
        let sentence = format!("{} made the letter.", shown(&mut tx, &pack, letter.by).await?.name);
        events.push(Happened { at: when(letter.at), mark: Mark::over("Letter made"), sentence, said: None });
    }
    events.sort_by(|one, other| one.at.iso.cmp(&other.at.iso));
    drop(tx);
    let typed = |default: &str| match failed {
        Some((error @ DeskError::Case(_), typed)) => said::wrong(typed, &said::sentence(error)),
        Some((_, typed)) => said::field(typed),
        None => said::field(default),
    };
    let path = |act: &str| format!("/cases/{}/{act}", case.id);
    let is_open = matches!(case.state, CaseState::Open | CaseState::Asked | CaseState::Answered);
    let letter = matches!(case.state, CaseState::Decided(_))
        .then(|| (path("letter"), typed(&draft(case, of_patient, &site.parts.help))));
    Ok(CasePage {
        frame: with_done(signed.frame(site, Some(Area::Charts)), query),
        csrf: signed.csrf.clone(),
        failed: failed.map(|(error, _)| said::sentence(error)),
        as_of: when(site.now()),
        reader,
        of_patient,
        state: words::case(&case.state),
        history: format!("/charts/{}", case.question),
        first: when(case.about.0),
        last: when(case.about.1),
        complaint: case.complaint.expose().clone(),
        answer: case.answer.as_ref().map(|(text, _)| text.expose().clone()),
        rationale: case.state.verdict().map(|verdict| verdict.rationale.expose().clone()),
        version: case.version,
        ask: matches!(case.state, CaseState::Open | CaseState::Answered).then(|| path("ask")),
        decide: is_open.then(|| (path("decide"), typed(""))),
        letter,
        made: matches!(case.state, CaseState::Lettered(..)).then(|| path("letter")),
        papers: path("papers"),
        events,
    })
}

/// The letter as it is proposed.
fn draft(case: &ChartCase, of_patient: bool, help: &str) -> String {
    let day = |at: Timestamp| when(at).words.split(',').next().unwrap_or_default().to_owned();
    let (first, last) = (day(case.about.0), day(case.about.1));
    let period = if first == last { format!("on {first}") } else { format!("between {first} and {last}") };
    letter_draft(case.state.verdict().map(|verdict| verdict.finding), of_patient, &period, help)
}

/// Runs one act on a case, and shows the case again.
async fn act(
    site: &Site,
    signed: &Signed,
    (case, route): (&str, &'static str),
    typed: &str,
    run: impl AsyncFnOnce(&mut scruple_app::Desk<'_>, &ChartCase) -> Result<scruple_app::Done<ChartCase>, DeskError>,
    sentence: &'static str,
) -> Response {
    let found = match find(site, signed, case).await {
        Ok(Some(found)) => found,
        Ok(None) => return unknown(signed.frame(site, Some(Area::Charts))),
        Err(_) => return broken(signed.frame(site, Some(Area::Charts))),
    };
    let acted = site.desk(async |desk| run(desk, &found).await).await;
    match acted {
        Ok(_) => done(&format!("/cases/{}", found.id), sentence),
        Err(error @ DeskError::Case(_)) => {
            site.refused(route, error.code(), Some(signed.person())).await;
            show(site, signed, &found, StatusCode::UNPROCESSABLE_ENTITY, "", Some((&error, typed))).await
        }
        Err(error) => not_done(site, signed, route, &error).await,
    }
}

pub(in crate::serve) async fn ask(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(case): Path<String>,
    form: Form,
) -> Response {
    let (who, version) = (signed.who(), form.version());
    let run =
        async |desk: &mut scruple_app::Desk<'_>, case: &ChartCase| desk.ask_about_case(who, case.id, version).await;
    act(&site, &signed, (&case, "/cases/{id}/ask"), "", run, "questioned").await
}

pub(in crate::serve) async fn decide(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(case): Path<String>,
    form: Form,
) -> Response {
    let (who, version, typed) = (signed.who(), form.version(), form.text("note").to_owned());
    let Some(finding) = CaseFinding::of(form.text("decision")) else {
        return not_done(&site, &signed, "/cases/{id}/decide", &DeskError::Unknown).await;
    };
    let rationale = Phi::new(typed.clone());
    let run = async |desk: &mut scruple_app::Desk<'_>, case: &ChartCase| {
        desk.decide_case(who, case.id, version, finding, rationale).await
    };
    act(&site, &signed, (&case, "/cases/{id}/decide"), &typed, run, "case-decided").await
}

pub(in crate::serve) async fn letter(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(case): Path<String>,
    form: Form,
) -> Response {
    let (who, version, typed) = (signed.who(), form.version(), form.text("letter").to_owned());
    let text = Phi::new(typed.clone());
    let run =
        async |desk: &mut scruple_app::Desk<'_>, case: &ChartCase| desk.letter_case(who, case.id, version, text).await;
    act(&site, &signed, (&case, "/cases/{id}/letter"), &typed, run, "lettered").await
}

/// The letter that ended a case.
async fn made(site: &Site, signed: &Signed, case: &str) -> Result<Option<(ChartCase, String, Timestamp)>, DeskError> {
    let found = find(site, signed, case).await?;
    Ok(found.and_then(|case| match &case.state {
        CaseState::Lettered(_, letter) => {
            let (text, at) = (letter.text.expose().clone(), letter.at);
            Some((case, text, at))
        }
        _ => None,
    }))
}

pub(in crate::serve) async fn letter_page(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(case): Path<String>,
) -> Response {
    match made(&site, &signed, &case).await {
        Ok(Some((case, text, at))) => {
            let paragraphs = text.replace('\r', "");
            let paragraphs = paragraphs.split("\n\n").map(str::trim).filter(|part| !part.is_empty());
            let view = LetterPage {
                frame: signed.frame(&site, Some(Area::Charts)),
                back: format!("/cases/{}", case.id),
                plain: format!("/cases/{}/letter.txt", case.id),
                made: when(at),
                paragraphs: paragraphs.map(str::to_owned).collect(),
            };
            page(StatusCode::OK, &view)
        }
        Ok(None) => unknown(signed.frame(&site, Some(Area::Charts))),
        Err(_) => broken(signed.frame(&site, Some(Area::Charts))),
    }
}

pub(in crate::serve) async fn letter_text(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(case): Path<String>,
) -> Response {
    match made(&site, &signed, &case).await {
        Ok(Some((_, text, at))) => {
            let text = format!("{}\n\n{}\n", when(at).words, text.replace('\r', ""));
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
        }
        Ok(None) => unknown(signed.frame(&site, Some(Area::Charts))),
        Err(_) => broken(signed.frame(&site, Some(Area::Charts))),
    }
}

/// The reader's own case, once he is asked; another's, and one that nobody asked him about, is not there for him.
async fn own(site: &Site, signed: &Signed, case: &str) -> Result<Option<ChartCase>, StoreError> {
    let Some(id) = id(case) else { return Ok(None) };
    signed.viewer.asked_case(&site.parts.store, id).await
}

pub(in crate::serve) async fn answering(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(case): Path<String>,
) -> Response {
    match own(&site, &signed, &case).await {
        Ok(Some(case)) => answering_page(&site, &signed, &case, StatusCode::OK, said::field("")),
        Ok(None) => unknown(signed.frame(&site, None)),
        Err(_) => broken(signed.frame(&site, None)),
    }
}

fn answering_page(site: &Site, signed: &Signed, case: &ChartCase, status: StatusCode, account: Field) -> Response {
    let view = AnswerPage {
        frame: signed.frame(site, None),
        csrf: signed.csrf.clone(),
        action: format!("/cases/{}/answer", case.id),
        version: case.version,
        first: day(case.about.0),
        last: day(case.about.1),
        account,
    };
    page(status, &view)
}

/// The day of a moment: he is not told the minute.
pub(in crate::serve) fn day(at: Timestamp) -> crate::pages::parts::When {
    let (year, month, day) = at.civil_date();
    let first = Timestamp::parse(&format!("{year:04}-{month:02}-{day:02}T00:00:00Z")).unwrap_or(at);
    let mut shown = when(first);
    shown.words = shown.words.split(',').next().unwrap_or_default().to_owned();
    shown
}

pub(in crate::serve) async fn answer(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(case): Path<String>,
    form: Form,
) -> Response {
    let case = match own(&site, &signed, &case).await {
        Ok(Some(case)) => case,
        Ok(None) => return unknown(signed.frame(&site, None)),
        Err(_) => return broken(signed.frame(&site, None)),
    };
    let (who, version, typed) = (signed.who(), form.version(), form.text("account").to_owned());
    let text = Phi::new(typed.clone());
    let answered = site.desk(async |desk| desk.answer_case(who, case.id, version, text).await).await;
    match answered {
        Ok(_) => done("/", "answered"),
        Err(error @ DeskError::Case(_)) => {
            site.refused("/cases/{id}/answer", error.code(), Some(signed.person())).await;
            let account = said::wrong(&typed, &said::sentence(&error));
            answering_page(&site, &signed, &case, StatusCode::UNPROCESSABLE_ENTITY, account)
        }
        Err(error) => not_done(&site, &signed, "/cases/{id}/answer", &error).await,
    }
}
