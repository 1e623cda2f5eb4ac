//! Papers in the files of complaints, and the file to take along.

use super::{Form, Signed, Site, auth, broken, done, id, not_done, page, people, unknown, when, with_done, words};
use crate::pages::papers::list::{Matter, Matters};
use crate::pages::papers::one::{Paper, PapersPage};
use crate::pages::parts::Person as Shown;
use crate::words::{Area, Mark};
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use scruple_app::{CasePack, Desk, DeskError, Done, PaperAsk, Papers};
use scruple_core::{Id, Phi};
use scruple_flow::{CasePaper, ChartCase, PaperError, PaperState, Wall};
use scruple_policy::Act;
use scruple_store::limits::PAGE_ROWS_MAX;
use scruple_store::{StoreError, Tx, list_cases};
use std::fmt::Write as _;
use std::sync::Arc;

/// `GET /papers`
pub(super) async fn list(State(site): State<Arc<Site>>, signed: Signed, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let before = query.strip_prefix("before=").and_then(id);
    match build_list(&site, &signed, before).await {
        Ok(view) => page(StatusCode::OK, &view),
        Err(error) => {
            tracing::error!(error = %error, "complaints cannot be listed");
            broken(signed.frame(&site, Some(Area::Papers)))
        }
    }
}

async fn build_list(site: &Site, signed: &Signed, before: Option<Id<ChartCase>>) -> Result<Matters, DeskError> {
    let mut tx = site.parts.store.begin_read().await?;
    let cases = list_cases(&mut tx, before).await?;
    let is_full = i64::try_from(cases.len()).is_ok_and(|count| count >= PAGE_ROWS_MAX);
    let after = cases.last().filter(|_| is_full).map(|last| format!("/papers?before={}", last.id));
    drop(tx);
    let who = signed.who();
    let told = site.read(async |desk| desk.told_of(who, cases).await).await?;
    let mut tx = site.parts.store.begin_read().await?;
    let mut rows = Vec::with_capacity(told.len());
    for case in told {
        rows.push(Matter {
            href: format!("/cases/{}/papers", case.id),
            reader: shown(&mut tx, case.reader).await?,
            opened: when(case.opened_at),
            state: super::charts::case_mark(&case.state),
        });
    }
    drop(tx);
    Ok(Matters { frame: signed.frame(site, Some(Area::Papers)), as_of: when(site.now()), rows, after })
}

async fn shown(tx: &mut Tx, person: Id<scruple_flow::Person>) -> Result<Shown, StoreError> {
    Ok(Shown { href: String::new(), name: people::name(tx, person).await?, job: String::new() })
}

/// What was typed, and what was wrong with it: of a new paper, or of the reason for letting one out.
#[derive(Default)]
struct Typed {
    text: String,
    wall: String,
    reason: Option<(Id<CasePaper>, String)>,
    failed: Option<DeskError>,
}

/// `GET /cases/{id}/papers`
pub(super) async fn one(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(case): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(case) = id(&case) else { return unknown(signed.frame(&site, Some(Area::Papers))) };
    show(&site, &signed, case, StatusCode::OK, &query.unwrap_or_default(), &Typed::default()).await
}

async fn show(
    site: &Site,
    signed: &Signed,
    case: Id<ChartCase>,
    status: StatusCode,
    query: &str,
    typed: &Typed,
) -> Response {
    let who = signed.who();
    let read = site.read(async |desk| desk.papers(who, case).await).await;
    let papers = match read {
        Ok(papers) => papers,
        Err(error) => return not_done(site, signed, "/cases/{id}/papers", &error).await,
    };
    match build(site, signed, &papers, query, typed).await {
        Ok(view) => page(status, &view),
        Err(error) => {
            tracing::error!(error = %error, "papers cannot be shown");
            broken(signed.frame(site, Some(Area::Papers)))
        }
    }
}

const fn wall_words(wall: Wall) -> &'static str {
    match wall {
        Wall::Counsel => "counsel's wall",
        Wall::Staff => "the wall of matters of staff",
    }
}

const fn raise_words(wall: Wall, is_back: bool) -> &'static str {
    match (wall, is_back) {
        (_, true) => "Put back behind the wall",
        (Wall::Counsel, false) => "Put behind counsel's wall",
        (Wall::Staff, false) => "Put behind the wall of matters of staff",
    }
}

async fn build(
    site: &Site,
    signed: &Signed,
    papers: &Papers,
    query: &str,
    typed: &Typed,
) -> Result<PapersPage, StoreError> {
    let case = papers.case.id;
    let mut tx = site.parts.store.begin_read().await?;
    let mut rows = Vec::with_capacity(papers.papers.len());
    for paper in &papers.papers {
        rows.push(row(&mut tx, papers, paper, typed).await?);
    }
    let reader = shown(&mut tx, papers.case.reader).await?;
    drop(tx);
    let mut walls = Vec::new();
    if papers.is_office {
        walls.push(("", "With the file"));
    }
    for wall in Wall::ALL.iter().filter(|wall| papers.is_office || papers.walls.contains(wall)) {
        walls.push((
            wall.code(),
            match wall {
                Wall::Counsel => "Behind counsel's wall",
                Wall::Staff => "Behind the wall of matters of staff",
            },
        ));
    }
    let said = typed.failed.as_ref().map(words::sentence);
    let text = match &typed.failed {
        Some(DeskError::Paper(PaperError::Length)) => words::wrong(&typed.text, said.as_deref().unwrap_or_default()),
        _ => words::field(&typed.text),
    };
    let is_office = signed.may(&site.pack(), Act::Charts);
    let back = if is_office { (format!("/cases/{case}"), "The case") } else { ("/papers".to_owned(), "Complaints") };
    Ok(PapersPage {
        frame: with_done(signed.frame(site, Some(Area::Papers)), query),
        csrf: signed.csrf.clone(),
        failed: said,
        as_of: when(site.now()),
        back,
        reader,
        rows,
        write: (text, words::pick(&walls, &typed.wall)),
        pack: papers.is_office.then(|| format!("/cases/{case}/pack")),
        action: format!("/cases/{case}/papers"),
    })
}

async fn row(tx: &mut Tx, papers: &Papers, paper: &CasePaper, typed: &Typed) -> Result<Paper, StoreError> {
    let behind = |wall: &Wall| papers.walls.contains(wall);
    let (state, place) = match &paper.state {
        PaperState::InFile => (Mark::good("In the file"), "the file"),
        PaperState::Walled(wall) => (Mark::bad("Behind the wall"), wall_words(*wall)),
        PaperState::Released(wall, _) => (Mark::wait("Let out"), wall_words(*wall)),
    };
    let walls = match &paper.state {
        PaperState::InFile => papers.walls.iter().map(|wall| (wall.code(), raise_words(*wall, false))).collect(),
        PaperState::Released(wall, _) if behind(wall) => vec![(wall.code(), raise_words(*wall, true))],
        PaperState::Released(..) | PaperState::Walled(_) => Vec::new(),
    };
    let reason = match (&typed.reason, &typed.failed) {
        (Some((of, text)), Some(error)) if *of == paper.id => words::wrong(text, &words::sentence(error)),
        _ => words::field(""),
    };
    let released = match &paper.state {
        PaperState::Released(_, act) => Some((shown(tx, act.by).await?, when(act.at), act.reason.expose().clone())),
        PaperState::InFile | PaperState::Walled(_) => None,
    };
    Ok(Paper {
        state,
        place,
        by: shown(tx, paper.written_by).await?,
        at: when(paper.written_at),
        text: paper.text.expose().clone(),
        version: paper.version,
        walls,
        wall_action: format!("/papers/{}/wall", paper.id),
        release: matches!(paper.state, PaperState::Walled(_))
            .then(|| (format!("/papers/{}/release", paper.id), reason)),
        released,
    })
}

/// `POST /cases/{id}/papers`
pub(super) async fn write(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(case): Path<String>,
    form: Form,
) -> Response {
    let Some(case) = id(&case) else { return unknown(signed.frame(&site, Some(Area::Papers))) };
    let mut typed =
        Typed { text: form.text("text").to_owned(), wall: form.text("wall").to_owned(), ..Typed::default() };
    let wall = match typed.wall.as_str() {
        "" => Ok(None),
        code => Wall::of(code).map(Some).ok_or(DeskError::Unknown),
    };
    let (who, text) = (signed.who(), Phi::new(typed.text.clone()));
    let written = match wall {
        Ok(wall) => site.desk(async |desk| desk.write_paper(who, PaperAsk { case, text, wall }).await).await,
        Err(error) => Err(error),
    };
    match written {
        Ok(_) => done(&format!("/cases/{case}/papers"), "paper-written"),
        Err(error @ DeskError::Paper(_)) => {
            site.refused("/cases/{id}/papers", error.code(), Some(signed.person())).await;
            typed.failed = Some(error);
            show(&site, &signed, case, StatusCode::UNPROCESSABLE_ENTITY, "", &typed).await
        }
        Err(error) => not_done(&site, &signed, "/cases/{id}/papers", &error).await,
    }
}

/// Runs one act on a paper, and shows the papers again.
async fn act(
    site: &Site,
    signed: &Signed,
    route: &'static str,
    run: impl AsyncFnOnce(&mut Desk<'_>) -> Result<Done<CasePaper>, DeskError>,
    sentence: &'static str,
) -> Result<Response, DeskError> {
    let acted = site.desk(async |desk| run(desk).await).await;
    match acted {
        Ok(paper) => Ok(done(&format!("/cases/{}/papers", paper.case), sentence)),
        Err(error @ DeskError::Paper(PaperError::Reason(_) | PaperError::StepUp)) => Err(error),
        Err(error) => Ok(not_done(site, signed, route, &error).await),
    }
}

/// `POST /papers/{id}/wall`
pub(super) async fn wall(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(paper): Path<String>,
    form: Form,
) -> Response {
    let (Some(paper), Some(wall)) = (id(&paper), Wall::of(form.text("wall"))) else {
        return unknown(signed.frame(&site, Some(Area::Papers)));
    };
    let (who, version) = (signed.who(), form.version());
    let run = async |desk: &mut Desk<'_>| desk.wall_paper(who, paper, version, wall).await;
    match act(&site, &signed, "/papers/{id}/wall", run, "paper-walled").await {
        Ok(answer) => answer,
        Err(error) => not_done(&site, &signed, "/papers/{id}/wall", &error).await,
    }
}

/// `POST /papers/{id}/release`
pub(super) async fn release(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(paper): Path<String>,
    form: Form,
) -> Response {
    let Some(paper) = id(&paper) else { return unknown(signed.frame(&site, Some(Area::Papers))) };
    let (who, version, typed) = (signed.who(), form.version(), form.text("reason").to_owned());
    let reason = Phi::new(typed.clone());
    let run = async |desk: &mut Desk<'_>| desk.release_paper(who, paper, version, reason).await;
    let error = match act(&site, &signed, "/papers/{id}/release", run, "paper-released").await {
        Ok(answer) => return answer,
        Err(error) => error,
    };
    let found = async { scruple_store::find_paper(&mut site.parts.store.begin_read().await?, paper).await }.await;
    let case = match found {
        Ok(Some(paper)) => paper.case,
        Ok(None) => return unknown(signed.frame(&site, Some(Area::Papers))),
        Err(_) => return broken(signed.frame(&site, Some(Area::Papers))),
    };
    if matches!(error, DeskError::Paper(PaperError::StepUp)) {
        return auth::to_confirm(&format!("/cases/{case}/papers"));
    }
    site.refused("/papers/{id}/release", error.code(), Some(signed.person())).await;
    let typed = Typed { reason: Some((paper, typed)), failed: Some(error), ..Typed::default() };
    show(&site, &signed, case, StatusCode::UNPROCESSABLE_ENTITY, "", &typed).await
}

/// `POST /cases/{id}/pack`: the file of a complaint as a text to take along.
pub(super) async fn pack(State(site): State<Arc<Site>>, signed: Signed, Path(case): Path<String>, _: Form) -> Response {
    let Some(case) = id::<ChartCase>(&case) else { return unknown(signed.frame(&site, Some(Area::Papers))) };
    let who = signed.who();
    let made = site.desk(async |desk| desk.make_pack(who, case).await).await;
    match made {
        Ok(pack) => {
            let name = format!("attachment; filename=\"complaint-{case}.txt\"");
            let headers =
                [(header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
            (headers, pack_text(&pack)).into_response()
        }
        Err(error) => not_done(&site, &signed, "/cases/{id}/pack", &error).await,
    }
}

/// The file as text. Which papers stand behind a wall, and whether any do, is not told.
fn pack_text(pack: &CasePack) -> String {
    let case = &pack.case;
    let mut text = format!("Case {}\nMade {}\n", case.id, when(pack.made_at).words);
    let mut part = |heading: &str, said: &str| {
        // Writing to a string does not fail.
        let _ = write!(text, "\n{heading}\n\n{}\n", said.replace('\r', ""));
    };
    part(&format!("What it is about, {}", when(case.opened_at).words), case.complaint.expose());
    if let Some((answer, at)) = &case.answer {
        part(&format!("What the reader says, {}", when(*at).words), answer.expose());
    }
    if let Some(verdict) = case.state.verdict() {
        let heading = format!("The decision, {}: {}", when(verdict.at).words, verdict.finding.code());
        part(&heading, verdict.rationale.expose());
    }
    if let scruple_flow::CaseState::Lettered(_, letter) = &case.state {
        part(&format!("The letter, {}", when(letter.at).words), letter.text.expose());
    }
    for paper in &pack.papers {
        part(&format!("Paper {}, {}", paper.id, when(paper.written_at).words), paper.text.expose());
    }
    text.push_str("\nPapers behind a wall, if there are any, are no part of this file.\n");
    text
}
