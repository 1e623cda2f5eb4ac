//! Projects: proposed with what is the least that they need, assessed, ended.

use super::{Form, Signed, Site, broken, done, id, kinds, not_done, page, people, unknown, when, with_done, words};
use crate::pages::parts::{Happened, Person as Shown};
use crate::pages::projects::ask::AskProject;
use crate::pages::projects::list::{ProjectRow, Projects};
use crate::pages::projects::one::ProjectPage;
use crate::words::{Area, Mark};
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::{Desk, DeskError, Done, ProjectAsk};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::{Assessment, DataLevel, KindCode, Kinds, Project, ProjectError, ProjectState, RoleCode};
use scruple_policy::{Act, Pack};
use scruple_store::limits::PAGE_ROWS_MAX;
use scruple_store::{StoreError, find_person_by_login, list_project_requests};
use std::collections::BTreeSet;
use std::sync::Arc;

const LEVELS: [(DataLevel, &str, &str); 3] = [
    (
        DataLevel::Deidentified,
        "De-identified: nobody can be told from it (164.514(a))",
        "data from which nobody can be told",
    ),
    (DataLevel::Limited, "A limited data set, with its agreement (164.514(e))", "a limited data set"),
    (DataLevel::Identified, "Patients are named in it", "data in which patients are named"),
];

/// `GET /projects`
pub(super) async fn list(State(site): State<Arc<Site>>, signed: Signed, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let before = query.strip_prefix("before=").and_then(id);
    let who = signed.who();
    let read = site.read(async |desk| desk.projects(who, before).await).await;
    let projects = match read {
        Ok(projects) => projects,
        Err(error) => return not_done(&site, &signed, "/projects", &error).await,
    };
    match rows(&site, &signed, &projects).await {
        Ok(rows) => {
            let is_full = i64::try_from(projects.len()).is_ok_and(|count| count >= PAGE_ROWS_MAX);
            let after = projects.last().filter(|_| is_full).map(|last| format!("/projects?before={}", last.id));
            let frame = with_done(signed.frame(&site, Some(Area::Requests)), &query);
            page(StatusCode::OK, &Projects { frame, as_of: when(site.now()), rows, after })
        }
        Err(error) => {
            tracing::error!(error = %error, "projects cannot be listed");
            broken(signed.frame(&site, Some(Area::Requests)))
        }
    }
}

/// Whether a project waits for somebody.
pub(super) fn waits_for(pack: &Pack, signed: &Signed, project: &Project, now: Timestamp) -> bool {
    let is_own = [project.owner, project.proposed_by].contains(&signed.person());
    project.code_at(now) == "proposed" && !is_own && signed.may(pack, Act::Assess)
}

async fn rows(site: &Site, signed: &Signed, projects: &[Project]) -> Result<Vec<ProjectRow>, StoreError> {
    let (pack, now) = (site.pack(), site.now());
    let mut tx = site.parts.store.begin_read().await?;
    let mut rows = Vec::with_capacity(projects.len());
    for project in projects {
        rows.push(ProjectRow {
            href: format!("/projects/{}", project.id),
            title: project.assessment.title.expose().clone(),
            owner: Shown { href: String::new(), name: people::name(&mut tx, project.owner).await?, job: String::new() },
            for_me: waits_for(&pack, signed, project, now),
            until: when(project.assessment.ends_at),
            state: mark(project, now),
        });
    }
    Ok(rows)
}

pub(super) fn mark(project: &Project, now: Timestamp) -> Mark {
    match project.code_at(now) {
        "proposed" => Mark::wait("To assess"),
        "approved" => Mark::good("Approved"),
        "refused" => Mark::bad("Refused"),
        "withdrawn" => Mark::over("Taken back"),
        _ => Mark::over("Over"),
    }
}

/// What was typed, and what was wrong with it.
#[derive(Default)]
struct Typed {
    headline: String,
    purpose: String,
    owner: String,
    roles: BTreeSet<String>,
    kinds: BTreeSet<String>,
    level: String,
    level_reason: String,
    flows: String,
    retention: String,
    ends: String,
    failed: Option<DeskError>,
}

/// `GET /projects/new`
pub(super) async fn ask(State(site): State<Arc<Site>>, signed: Signed) -> Response {
    asking(&site, &signed, StatusCode::OK, &Typed::default())
}

fn asking(site: &Site, signed: &Signed, status: StatusCode, typed: &Typed) -> Response {
    let pack = site.pack();
    let said = typed.failed.as_ref().map(words::sentence);
    let project = match &typed.failed {
        Some(DeskError::Project(error)) => Some(*error),
        _ => None,
    };
    let sentence = said.clone().unwrap_or_default();
    let of = |value: &str, is_wrong: bool| if is_wrong { words::wrong(value, &sentence) } else { words::field(value) };
    let is_said = |name: &str| matches!(project, Some(ProjectError::Said { field, .. }) if field == name);
    let purposes: Vec<(String, String)> = std::iter::once((String::new(), "Choose one".to_owned()))
        .chain(pack.purposes.iter().map(|one| (one.code.clone(), scruple_policy::purpose_coded(&one.code))))
        .collect();
    let mut purpose = words::pick(&purposes, &typed.purpose);
    if matches!(project, Some(ProjectError::Title)) && typed.purpose.is_empty() {
        purpose.error = Some("Choose what it is for.".to_owned());
    }
    // Those that somebody can be given at all.
    let codes = pack.roles.keys().map(String::as_str).chain([scruple_policy::SERVICE_ACCOUNT]);
    let codes = codes.filter(|code| pack.approval(code, false).is_some()).filter_map(|code| code.parse().ok());
    let codes: Vec<RoleCode> = codes.collect();
    let roles: Vec<(String, String)> = codes.iter().map(|code| (code.to_string(), words::role(&pack, code))).collect();
    let mut roles = words::pick(&roles, "");
    for choice in &mut roles.choices {
        choice.chosen = typed.roles.contains(&choice.value);
    }
    if matches!(project, Some(ProjectError::Roles)) || matches!(typed.failed, Some(DeskError::NotAllowed)) {
        roles.error = Some(sentence.clone());
    }
    let mut groups = kinds::groups(&pack, codes.iter(), &typed.kinds);
    for group in &mut groups {
        // Everything is no answer here.
        group.kinds.retain(|kind| kind.value != kinds::WHOLE);
    }
    groups.retain(|group| !group.kinds.is_empty());
    let levels: Vec<(&str, &str)> = LEVELS.iter().map(|(level, label, _)| (level.code(), *label)).collect();
    let level = if typed.level.is_empty() { DataLevel::Deidentified.code() } else { &typed.level };
    let view = AskProject {
        frame: signed.frame(site, Some(Area::Requests)),
        csrf: signed.csrf.clone(),
        failed: said,
        headline: of(&typed.headline, matches!(project, Some(ProjectError::Title)) && !typed.purpose.is_empty()),
        purpose,
        owner: of(&typed.owner, matches!(typed.failed, Some(DeskError::PersonGone))),
        roles,
        kinds: groups,
        kinds_error: matches!(project, Some(ProjectError::Kinds)).then(|| sentence.clone()),
        level: words::pick(&levels, level),
        level_reason: of(&typed.level_reason, is_said("level_reason")),
        flows: of(&typed.flows, is_said("flows")),
        retention: of(&typed.retention, is_said("retention")),
        ends: of(&typed.ends, matches!(project, Some(ProjectError::Dates))),
    };
    page(status, &view)
}

/// `POST /projects/new`
pub(super) async fn submit(State(site): State<Arc<Site>>, signed: Signed, form: Form) -> Response {
    let text = |name: &str| form.text(name).to_owned();
    let mut typed = Typed {
        headline: text("headline"),
        purpose: text("purpose"),
        owner: text("owner"),
        roles: form.all("role").map(str::to_owned).collect(),
        kinds: form.all("kind").map(str::to_owned).collect(),
        level: text("level"),
        level_reason: text("level_reason"),
        flows: text("flows"),
        retention: text("retention"),
        ends: text("ends"),
        failed: None,
    };
    match proposed(&site, &signed, &typed).await {
        Ok(project) => done(&format!("/projects/{}", project.id), "project-proposed"),
        Err(error @ DeskError::Store(_)) => not_done(&site, &signed, "/projects/new", &error).await,
        Err(error) => {
            site.refused("/projects/new", error.code(), Some(signed.person())).await;
            typed.failed = Some(error);
            asking(&site, &signed, StatusCode::UNPROCESSABLE_ENTITY, &typed)
        }
    }
}

async fn proposed(site: &Site, signed: &Signed, typed: &Typed) -> Result<Project, DeskError> {
    let owner = match typed.owner.as_str() {
        "" => None,
        login => {
            let login = login.parse().map_err(|_| DeskError::PersonGone)?;
            let found = find_person_by_login(&mut site.parts.store.begin_read().await?, &login).await?;
            Some(found.ok_or(DeskError::PersonGone)?.id)
        }
    };
    let ask = ProjectAsk { owner, assessment: read(typed)? };
    let who = signed.who();
    site.desk(async |desk| desk.propose_project(who, ask).await).await
}

fn read(typed: &Typed) -> Result<Assessment, ProjectError> {
    let roles: Result<BTreeSet<RoleCode>, _> = typed.roles.iter().map(|role| role.parse()).collect();
    let codes: Result<BTreeSet<KindCode>, _> = typed.kinds.iter().map(|kind| kind.parse()).collect();
    // The last moment of the day that is named.
    let ends = Timestamp::parse(&format!("{}T23:59:59Z", typed.ends)).map_err(|_| ProjectError::Dates)?;
    Ok(Assessment {
        title: Phi::new(typed.headline.clone()),
        purpose: typed.purpose.clone(),
        roles: roles.map_err(|_| ProjectError::Roles)?,
        kinds: codes.ok().and_then(Kinds::named).ok_or(ProjectError::Kinds)?,
        flows: Phi::new(typed.flows.clone()),
        retention: Phi::new(typed.retention.clone()),
        level: DataLevel::of(&typed.level).unwrap_or(DataLevel::Identified),
        level_reason: Phi::new(typed.level_reason.clone()),
        ends_at: ends,
    })
}

/// `GET /projects/{id}`
pub(super) async fn one(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(project): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(project) = id(&project) else { return unknown(signed.frame(&site, Some(Area::Requests))) };
    show(&site, &signed, project, StatusCode::OK, &query.unwrap_or_default(), None).await
}

async fn show(
    site: &Site,
    signed: &Signed,
    project: Id<Project>,
    status: StatusCode,
    query: &str,
    failed: Option<(&DeskError, &str)>,
) -> Response {
    let who = signed.who();
    let read = site.read(async |desk| desk.project(who, project).await).await;
    let project = match read {
        Ok(project) => project,
        Err(error) => return not_done(site, signed, "/projects/{id}", &error).await,
    };
    match build(site, signed, &project, query, failed).await {
        Ok(view) => page(status, &view),
        Err(error) => {
            tracing::error!(error = %error, "a project cannot be shown");
            broken(signed.frame(site, Some(Area::Requests)))
        }
    }
}

async fn build(
    site: &Site,
    signed: &Signed,
    project: &Project,
    query: &str,
    failed: Option<(&DeskError, &str)>,
) -> Result<ProjectPage, StoreError> {
    let (pack, now) = (site.pack(), site.now());
    let assessed = &project.assessment;
    let mut tx = site.parts.store.begin_read().await?;
    let name = async |tx: &mut scruple_store::Tx, person| people::name(tx, person).await;
    let mut events = vec![Happened {
        at: when(project.proposed_at),
        mark: Mark::wait("Proposed"),
        sentence: format!("{} proposed it.", name(&mut tx, project.proposed_by).await?),
        said: None,
    }];
    if let Some(decision) = project.state.decision() {
        let is_refused = matches!(project.state, ProjectState::Refused(_));
        events.push(Happened {
            at: when(decision.at),
            mark: if is_refused { Mark::bad("Refused") } else { Mark::good("Approved") },
            sentence: format!("{} decided.", name(&mut tx, decision.by).await?),
            said: Some(decision.comment.expose().clone()),
        });
    }
    if let ProjectState::Ended(_, by, at) = &project.state {
        let sentence = format!("{} ended it, with all that was given for it.", name(&mut tx, *by).await?);
        events.push(Happened { at: when(*at), mark: Mark::over("Ended"), sentence, said: None });
    }
    let owner = Shown { href: String::new(), name: name(&mut tx, project.owner).await?, job: String::new() };
    let requests = list_project_requests(&mut tx, project.id, None).await?;
    drop(tx);
    let path = |act: &str| format!("/projects/{}/{act}", project.id);
    let is_own = [project.owner, project.proposed_by].contains(&signed.person());
    let code = project.code_at(now);
    let comment = match failed {
        Some((error, typed)) => words::wrong(typed, &words::sentence(error)),
        None => words::field(""),
    };
    let level = LEVELS.iter().find(|(level, ..)| *level == assessed.level).map_or("", |(.., said)| *said);
    let purpose = words::purpose(Some(&assessed.purpose));
    Ok(ProjectPage {
        frame: with_done(signed.frame(site, Some(Area::Requests)), query),
        csrf: signed.csrf.clone(),
        failed: failed.map(|(error, _)| words::sentence(error)),
        as_of: when(now),
        title: assessed.title.expose().clone(),
        state: mark(project, now),
        owner,
        purpose,
        roles: assessed.roles.iter().map(|role| words::role_coded(&pack, role)).collect(),
        kinds: kinds::named(&pack, &assessed.kinds),
        level,
        level_reason: assessed.level_reason.expose().clone(),
        flows: assessed.flows.expose().clone(),
        retention: assessed.retention.expose().clone(),
        until: when(assessed.ends_at),
        version: project.version,
        decide: waits_for(&pack, signed, project, now).then(|| (path("decide"), comment)),
        withdraw: (is_own && code == "proposed").then(|| path("withdraw")),
        end: (code == "approved" && (is_own || signed.may(&pack, Act::Assess))).then(|| path("end")),
        events,
        requests: requests.iter().map(|request| format!("/requests/{request}")).collect(),
    })
}

/// Runs one act on a project, and shows it again.
async fn act(
    site: &Site,
    signed: &Signed,
    (project, route): (&str, &'static str),
    typed: &str,
    run: impl AsyncFnOnce(&mut Desk<'_>, Id<Project>) -> Result<Done<Project>, DeskError>,
    sentence: &'static str,
) -> Response {
    let Some(project) = id(project) else { return unknown(signed.frame(site, Some(Area::Requests))) };
    let acted = site.desk(async |desk| run(desk, project).await).await;
    match acted {
        Ok(_) => done(&format!("/projects/{project}"), sentence),
        Err(error @ DeskError::Project(ProjectError::Said { .. })) => {
            site.refused(route, error.code(), Some(signed.person())).await;
            show(site, signed, project, StatusCode::UNPROCESSABLE_ENTITY, "", Some((&error, typed))).await
        }
        Err(error) => not_done(site, signed, route, &error).await,
    }
}

/// `POST /projects/{id}/decide`
pub(super) async fn decide(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(project): Path<String>,
    form: Form,
) -> Response {
    let approves = match form.text("decision") {
        "approve" => true,
        "refuse" => false,
        _ => return not_done(&site, &signed, "/projects/{id}/decide", &DeskError::Unknown).await,
    };
    let (who, version, typed) = (signed.who(), form.version(), form.text("comment").to_owned());
    let comment = Phi::new(typed.clone());
    let run = async |desk: &mut Desk<'_>, id| desk.decide_project(who, (id, version), approves, comment).await;
    let sentence = if approves { "project-approved" } else { "project-refused" };
    act(&site, &signed, (&project, "/projects/{id}/decide"), &typed, run, sentence).await
}

/// `POST /projects/{id}/withdraw`
pub(super) async fn withdraw(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(project): Path<String>,
    form: Form,
) -> Response {
    let (who, version) = (signed.who(), form.version());
    let run = async |desk: &mut Desk<'_>, id| desk.withdraw_project(who, (id, version)).await;
    act(&site, &signed, (&project, "/projects/{id}/withdraw"), "", run, "withdrawn").await
}

/// `POST /projects/{id}/end`
pub(super) async fn end(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(project): Path<String>,
    form: Form,
) -> Response {
    let (who, version) = (signed.who(), form.version());
    let run = async |desk: &mut Desk<'_>, id| desk.end_project(who, (id, version)).await;
    act(&site, &signed, (&project, "/projects/{id}/end"), "", run, "project-ended").await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_becomes_an_assessment_or_says_what_is_wrong() {
        let typed = |role: &str, kind: &str, ends: &str| Typed {
            roles: [role.to_owned()].into(),
            kinds: [kind.to_owned()].into(),
            ends: ends.to_owned(),
            ..Typed::default()
        };
        let good = read(&typed("researcher", "diagnoses", "2028-02-29")).unwrap();
        assert_eq!(good.ends_at, Timestamp::parse("2028-02-29T23:59:59Z").unwrap());
        // What says nothing of the level is taken as the one that needs the best reason.
        assert_eq!(good.level, DataLevel::Identified);
        for (role, kind, ends, code) in [
            ("Researcher", "diagnoses", "2028-02-29", "project_roles"),
            ("researcher", "*", "2028-02-29", "project_kinds"),
            ("researcher", "diagnoses", "2027-02-29", "project_dates"),
            ("researcher", "diagnoses", "", "project_dates"),
        ] {
            assert_eq!(read(&typed(role, kind, ends)).unwrap_err().code(), code, "{role} {kind} {ends}");
        }
    }
}
