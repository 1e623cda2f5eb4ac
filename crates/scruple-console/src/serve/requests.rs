//! Asking for access, and deciding on it.

mod export;
mod gaps;
mod longer;
mod standing;

pub(super) use export::{confirm as confirm_export, export};
pub(super) use longer::{extend, reading_of_export};
pub(super) use standing::{Standing, confirm_end, end, standing};

use super::{
    Form, Signed, Site, auth, broken, done, door, id, kinds, message, not_done, page, people, unknown, when, with_done,
    words,
};
use crate::pages::parts::{Coded, Field, Happened, Order, Paging, Person as Shown, Pick, Sort};
use crate::pages::plain::confirm::Confirm;
use crate::pages::requests::ask::{Ask as AskPage, Form as AskForm, Rule, Subject};
use crate::pages::requests::list::{RequestRow, Requests};
use crate::pages::requests::one::{Deciding, Narrow, Own, Refuse, Request};
use crate::words::{Area, Mark, RequestState as StateMark};
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use gaps::Gaps;
use scruple_app::{
    Ask, Change, Changed, DeskError, NOT_SHOWN, Narrower, Opened, Rules, change_of, open_projects, opened_by,
};
use scruple_core::{Id, Phi, Timestamp, new_id};
use scruple_flow::{
    AccessRequest, KindCode, Kinds, Person, ProjectError, RequestError, RequestState, RequestTask, RoleCode,
};
use scruple_policy::{Act, ActScope, Pack};
use scruple_store::limits::PAGE_ROWS_MAX;
use scruple_store::{
    StoreError, find_request, list_pending_requests, list_requests, list_requests_decided_by, list_requests_of,
    open_grants,
};
use std::collections::BTreeSet;
use std::sync::Arc;

const HOUR: i64 = 3_600_000_000;
const PRESETS: [(&str, &str, i64); 3] =
    [("shift", "12 hours", 12), ("day", "24 hours", 24), ("week", "7 days", 7 * 24)];

pub(super) async fn shown(site: &Site, person: Id<Person>) -> Result<Shown, StoreError> {
    let now = site.now();
    let mut tx = site.parts.store.begin_read().await?;
    let name = people::name(&mut tx, person).await?;
    let pack = site.pack();
    let held = open_grants(&mut tx, person, now).await?;
    let roles: BTreeSet<&RoleCode> = held.iter().filter(|one| one.window.contains(now)).map(|one| &one.role).collect();
    let job = roles.into_iter().map(|role| words::role(&pack, role)).collect::<Vec<_>>().join(", ");
    Ok(Shown { href: String::new(), name, job })
}

/// A request as a row.
pub(super) async fn row(site: &Site, request: &AccessRequest, for_me: bool) -> Result<RequestRow, StoreError> {
    let (now, pack) = (site.now(), site.pack());
    let Standing { state, until, .. } = standing(&mut site.parts.store.begin_read().await?, request, now).await?;
    Ok(RequestRow {
        href: format!("/requests/{}", request.id),
        person: shown(site, request.person).await?,
        what: vec![what(&pack, request)],
        patients: words::patients(request),
        purpose: words::purpose(request.wanted.purpose.as_deref()),
        asked: when(request.submitted_at),
        age: words::ago(request.submitted_at, now),
        until: when(until),
        state: state.mark(),
        for_me,
    })
}

fn what(pack: &Pack, request: &AccessRequest) -> Coded {
    let role = words::role_coded(pack, &request.wanted.role);
    match request.wanted.kinds.codes() {
        _ if request.wanted.patients.is_empty() => role,
        None => Coded { words: format!("everything in charts, as {}", role.words), ..role },
        Some(codes) if codes.len() == 1 => {
            Coded { words: format!("one kind of information, as {}", role.words), ..role }
        }
        Some(codes) => Coded { words: format!("{} kinds of information, as {}", codes.len(), role.words), ..role },
    }
}

/// The same, kind by kind.
fn whats(pack: &Pack, request: &AccessRequest) -> Vec<Coded> {
    match request.wanted.kinds.codes() {
        Some(_) => kinds::named(pack, &request.wanted.kinds),
        None => vec![what(pack, request)],
    }
}

pub(super) async fn list(State(site): State<Arc<Site>>, signed: Signed, RawQuery(query): RawQuery) -> Response {
    match build_list(&site, &signed, &query.unwrap_or_default()).await {
        Ok(view) => page(StatusCode::OK, &view),
        Err(error) => {
            tracing::error!(error = %error, "requests cannot be listed");
            broken(signed.frame(&site, Some(Area::Requests)))
        }
    }
}

async fn build_list(site: &Site, signed: &Signed, query: &str) -> Result<Requests, StoreError> {
    let (now, pack) = (site.now(), site.pack());
    let asked =
        |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default();
    let may_all = pack.scope(Act::Requests, &signed.roles) == Some(ActScope::All);
    let may_decide = signed.may_or_stands_in(&pack, Act::Decide);
    let mut whose = vec![("mine", "Mine")];
    if may_decide {
        whose.extend([("decide", "To decide"), ("decided", "Decided by me")]);
    }
    if may_all {
        whose.push(("all", "All"));
    }
    let chosen = asked("whose");
    let chosen =
        if whose.iter().any(|(code, _)| *code == chosen) { chosen } else { whose.get(1).map_or("mine", |one| one.0) };
    let (wanted, before) = (asked("state"), id::<AccessRequest>(asked("before")));
    let mut tx = site.parts.store.begin_read().await?;
    let all = match (chosen, wanted) {
        ("mine", _) => list_requests_of(&mut tx, signed.person(), before).await?,
        ("decided", _) => list_requests_decided_by(&mut tx, signed.person(), before).await?,
        ("all", wanted) if wanted != "waiting" => list_requests(&mut tx, before).await?,
        _ => list_pending_requests(&mut tx, now).await?,
    };
    // Lists of what waits are by when it has to be decided, and have one page.
    let is_paged = chosen != "decide" && (chosen, wanted) != ("all", "waiting");
    let older = all.last().filter(|_| is_paged && all.len() >= usize::try_from(PAGE_ROWS_MAX).unwrap_or(usize::MAX));
    let older = older.map(|last| format!("/requests?whose={chosen}&state={wanted}&before={}", last.id));
    let states = [("", "Any"), ("waiting", "Waiting"), ("active", "Active"), ("refused", "Refused"), ("over", "Over")];
    let is_wanted = |state: StateMark| match (wanted, state) {
        ("waiting", state) => state == StateMark::Waiting,
        ("active", state) => matches!(state, StateMark::Active | StateMark::Approved),
        ("refused", state) => state == StateMark::Refused,
        ("over", state) => {
            !matches!(state, StateMark::Waiting | StateMark::Active | StateMark::Approved | StateMark::Refused)
        }
        _ => true,
    };
    let mut kept = Vec::new();
    for request in all {
        let is_mine = chosen != "decide" || signed.viewer.may_decide(&request, now);
        if is_mine && (wanted.is_empty() || is_wanted(standing(&mut tx, &request, now).await?.state)) {
            kept.push(request);
        }
    }
    drop(tx);
    let by = asked("sort");
    if by == "until" {
        kept.sort_by_key(|request| request.wanted.window.ends_at());
    }
    let mut rows = Vec::with_capacity(kept.len());
    for request in &kept {
        rows.push(row(site, request, signed.viewer.may_decide(request, now)).await?);
    }
    let sort = |code: &str| Sort {
        href: format!("/requests?whose={chosen}&state={wanted}&sort={code}"),
        order: if by == code || by.is_empty() && code == "age" { Order::Down } else { Order::Unsorted },
    };
    Ok(Requests {
        frame: with_done(signed.frame(site, Some(Area::Requests)), query),
        as_of: when(now),
        state: words::pick(&states, wanted),
        whose: words::pick(&whose, chosen),
        by_age: sort("age"),
        by_until: sort("until"),
        paging: Paging {
            first: usize::from(!rows.is_empty()),
            last: rows.len(),
            all: rows.len(),
            before: None,
            after: older,
        },
        rows,
        exceptions: signed.may(&pack, Act::Exceptions).then(|| "/exceptions".to_owned()),
        uses: may_decide.then(|| "/uses".to_owned()),
        figures: signed.may(&pack, Act::Requests).then(|| "/requests/figures".to_owned()),
        export: String::new(),
    })
}

async fn find(site: &Site, signed: &Signed, text: &str) -> Result<Option<AccessRequest>, StoreError> {
    let Some(id) = id(text) else { return Ok(None) };
    let found = find_request(&mut site.parts.store.begin_read().await?, id).await?;
    let (pack, now) = (site.pack(), site.now());
    Ok(found.filter(|request| signed.viewer.sees(&*pack, request, now)))
}

pub(super) async fn one(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(request): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    match find(&site, &signed, &request).await {
        Ok(Some(request)) => show(&site, &signed, &request, StatusCode::OK, &query, Again::default()).await,
        Ok(None) => unknown(signed.frame(&site, Some(Area::Requests))),
        Err(_) => broken(signed.frame(&site, Some(Area::Requests))),
    }
}

/// What of a form of the page has to be looked at again.
#[derive(Clone, Copy, Default)]
struct Again<'a> {
    /// What the desk said.
    failed: Option<&'a DeskError>,
    /// The ground and the reason of a refusal, as they were typed.
    refusing: Option<(&'a str, &'a str)>,
}

async fn show(
    site: &Site,
    signed: &Signed,
    request: &AccessRequest,
    status: StatusCode,
    query: &str,
    again: Again<'_>,
) -> Response {
    if signed.viewer.may_decide(request, site.now()) {
        // How long he had it before him is measured; that it cannot be written down keeps nobody from deciding.
        let opened = site.parts.store.note_opening(request.id, signed.person(), site.now()).await;
        if let Err(error) = opened {
            tracing::warn!(error = %error, "it was not written down that a request was opened");
        }
    }
    match build(site, signed, request, query, again).await {
        Ok(view) => page(status, &view),
        Err(error) => {
            tracing::error!(error = %error, "a request cannot be shown");
            broken(signed.frame(site, Some(Area::Requests)))
        }
    }
}

async fn build(
    site: &Site,
    signed: &Signed,
    request: &AccessRequest,
    query: &str,
    again: Again<'_>,
) -> Result<Request, StoreError> {
    let (now, pack) = (site.now(), site.pack());
    let opened = opened_by(&mut site.parts.store.begin_read().await?, request).await?;
    let Standing { state, until, .. } = Standing::of(request, &opened, now);
    let window = request.wanted.window;
    let is_own = [request.person, request.requested_by].contains(&signed.person());
    let base = format!("/requests/{}", request.id);
    let patients = request
        .wanted
        .patients
        .iter()
        .map(|patient| if is_own { patient.id().to_owned() } else { words::chart(patient.id()) });
    let deciding = if state == StateMark::Waiting && signed.viewer.may_decide(request, now) {
        Some(deciding(site, request, &base, again).await?)
    } else {
        None
    };
    let may_export = signed.may(&pack, Act::Requests);
    let is_ended = state == StateMark::Ended;
    let extend = if is_own && !is_ended { longer::form(site, request, again.failed) } else { None };
    let history = history(site, request, &opened).await?;
    let end = !standing::open(&pack, signed, (request, opened), now).is_empty();
    let own = (is_own && (state == StateMark::Waiting || end || extend.is_some())).then(|| Own {
        withdraw: (state == StateMark::Waiting).then(|| format!("{base}/withdraw")),
        end: end.then(|| format!("{base}/end")),
        extend,
    });
    let failed = match (again.failed, again.refusing) {
        (Some(error), _) => Some(words::sentence(error)),
        (None, Some(_)) => Some("Nothing was decided. What is missing is named at its place.".to_owned()),
        (None, None) => None,
    };
    Ok(Request {
        frame: with_done(signed.frame(site, Some(Area::Requests)), query),
        csrf: signed.csrf.clone(),
        failed,
        state: state.mark(),
        person: shown(site, request.person).await?,
        relation: "of this house".to_owned(),
        what: whats(&pack, request),
        patients: patients.collect(),
        count: words::patients(request),
        purpose: words::purpose(request.wanted.purpose.as_deref()),
        task: format!("{}, as {}", kinds::task(request.wanted.task), words::role(&pack, &request.wanted.role)),
        from: when(window.starts_at()),
        until: when(window.ends_at()),
        length: words::length(window.ends_at().micros().saturating_sub(window.starts_at().micros())),
        ended: is_ended.then(|| when(until)),
        reason: request.justification.expose().clone(),
        ticket: request.ticket.clone().unwrap_or_default(),
        history,
        deciding,
        own,
        revoke: (end && !is_own).then(|| format!("{base}/end")),
        // What was read in a role is for him and for those who look into charts.
        reads: (matches!(request.state, RequestState::Approved { .. })
            && (is_own || !request.wanted.patients.is_empty() || signed.may(&pack, Act::Charts)))
        .then(|| format!("/reads/request/{}", request.id)),
        export: may_export.then(|| format!("{base}/export")),
    })
}

async fn deciding(site: &Site, request: &AccessRequest, base: &str, again: Again<'_>) -> Result<Deciding, StoreError> {
    let (now, pack) = (site.now(), site.pack());
    let mut tx = site.parts.store.begin_read().await?;
    let held = open_grants(&mut tx, request.person, now).await?;
    let before = list_requests_of(&mut tx, request.person, Some(request.id)).await?;
    let change = match change_of(&mut tx, &*pack, request, now).await {
        Ok(change) => change,
        Err(DeskError::Store(error)) => return Err(error),
        // He has left: nothing is applied.
        Err(_) => Change { changed: Vec::new(), basis: String::new() },
    };
    let mut alike = Vec::new();
    for one in before.iter().filter(|one| one.wanted.role == request.wanted.role).take(3) {
        let stands = standing(&mut tx, one, now).await?.state.mark();
        let asked = when(one.submitted_at).words;
        alike.push((stands, format!("{} for {}, asked on {asked}.", what(&pack, one).words, words::patients(one))));
    }
    drop(tx);
    let seconded = match &request.state {
        RequestState::Pending { approvals } => approvals.len(),
        _ => 0,
    };
    let mut patients = words::pick::<&str, &str>(&[], "");
    for (place, patient) in request.wanted.patients.iter().enumerate() {
        patients.choices.push(crate::pages::parts::Choice {
            value: place.to_string(),
            label: words::chart(patient.id()),
            chosen: true,
        });
    }
    let presets = PRESETS.iter().filter(|(.., hours)| now.plus_micros(hours * HOUR) < request.wanted.window.ends_at());
    let until: Vec<(&str, String)> = std::iter::once(("", "as asked".to_owned()))
        .chain(presets.map(|(code, label, _)| (*code, format!("{label} from now"))))
        .collect();
    let (ground, reason) = refusal(again);
    Ok(Deciding {
        due: when(request.decide_by),
        held: held
            .iter()
            .filter(|one| one.window.contains(now))
            .map(|one| words::role_coded(&pack, &one.role))
            .collect(),
        changes: changes(&pack, &change),
        against: change.basis,
        alike,
        checks: vec![
            kinds_checked(request),
            (Mark::good("Passed"), "You are neither who asks nor who would get it.".to_owned()),
            (
                Mark::good("Passed"),
                format!(
                    "It lasts no longer than the policy allows ({}).",
                    words::length(request.rule.hours_max * HOUR)
                ),
            ),
        ],
        others: (request.rule.needs.len() > 1)
            .then(|| format!("{seconded} of {} have approved it.", request.rule.needs.len())),
        version: request.version,
        approve: format!("{base}/approve"),
        narrow: Narrow {
            action: format!("{base}/approve"),
            patients,
            kinds: kinds::staying(&pack, request),
            until: words::pick(&until, ""),
            open: false,
        },
        refuse: Refuse { action: format!("{base}/refuse"), ground, reason, open: again.refusing.is_some() },
    })
}

/// Why a request is refused: one of these is chosen.
const GROUNDS: [(&str, &str); 4] = [
    ("role", "The role has what the task needs"),
    ("narrower", "Less would do"),
    ("other", "Somebody else should do it"),
    ("unclear", "It is not clear what it is for"),
];

fn ground_words(code: &str) -> Option<&'static str> {
    GROUNDS.iter().find(|(known, _)| *known == code).map(|(_, words)| *words)
}

/// The fields of a refusal, as they were typed.
fn refusal(again: Again<'_>) -> (Pick, Field) {
    let (ground, reason) = again.refusing.unwrap_or_default();
    let choices: Vec<(&str, &str)> = std::iter::once(("", "Choose one")).chain(GROUNDS).collect();
    let mut pick = words::pick(&choices, ground).required();
    let mut field = words::field(reason).required();
    if again.refusing.is_some() {
        pick.error = ground_words(ground).is_none().then(|| "Choose a ground.".to_owned());
        let said = match again.failed {
            Some(error) => Some(words::sentence(error)),
            None => scruple_flow::reason(reason, None).err().map(|weak| words::weak(weak).to_owned()),
        };
        field.error = said;
    }
    (pick, field)
}

/// What a request changes, in words.
fn changes(pack: &Pack, change: &Change) -> Vec<(Coded, String, String)> {
    let view = |view: &String| match view.as_str() {
        NOT_SHOWN => "not at all".to_owned(),
        "full" => "in full".to_owned(),
        masked => scruple_policy::mask_words(masked.trim_start_matches("masked:")),
    };
    let one = |one: &Changed| match one.kind.parse() {
        Ok(code) => Some((kinds::label(pack, &code), view(&one.before), view(&one.after))),
        Err(_) => None,
    };
    change.changed.iter().filter_map(one).collect()
}

/// Whether it asks for what a task needs, or for all there is.
fn kinds_checked(request: &AccessRequest) -> (Mark, String) {
    let wanted = &request.wanted;
    match wanted.kinds.codes() {
        _ if wanted.patients.is_empty() => {
            (Mark::wait("Look"), "It is for the role itself, and all that it has.".to_owned())
        }
        None => (
            Mark::wait("Look"),
            "It asks for everything that the role has, and names no kinds of information.".to_owned(),
        ),
        Some(_) => (Mark::good("Passed"), "It names the kinds of information, and opens no others.".to_owned()),
    }
}

async fn history(site: &Site, request: &AccessRequest, opened: &Opened) -> Result<Vec<Happened>, StoreError> {
    let name = async |person: Id<Person>| shown(site, person).await.map(|shown| shown.name);
    let read = if request.acknowledged.is_some() { ", having read what is the least here" } else { "" };
    let what =
        request.extends.map_or_else(|| "asked".to_owned(), |earlier| format!("asked for extension {}", earlier.number));
    let mut history = vec![Happened {
        at: when(request.submitted_at),
        mark: StateMark::Waiting.mark(),
        sentence: format!("{} {what}{read}.", name(request.requested_by).await?),
        said: None,
    }];
    if let RequestState::Pending { approvals } | RequestState::Approved { approvals, .. } = &request.state {
        for approval in approvals {
            history.push(Happened {
                at: when(approval.at),
                mark: Mark::good("Approved"),
                sentence: match approval.acting_for {
                    Some(other) => {
                        format!("{} approved it in the place of {}.", name(approval.by).await?, name(other).await?)
                    }
                    None => format!("{} approved it.", name(approval.by).await?),
                },
                said: None,
            });
        }
    }
    let now = site.now();
    if let Some(at) = request.escalates_at().filter(|at| *at <= now && request.state_at(*at).code() == "pending") {
        let sentence = "Nobody had answered: its backup was told, and may decide too.".to_owned();
        history.push(Happened { at: when(at), mark: StateMark::Waiting.mark(), sentence, said: None });
    }
    history.extend(standing::ends(site, request, opened).await?);
    let (at, sentence, said): (Timestamp, String, Option<String>) = match request.state_at(now) {
        RequestState::Approved { .. } if opened.ended().is_some() => return Ok(history),
        RequestState::Denied { by, at, comment } => {
            (at, format!("{} refused it.", name(by).await?), Some(comment.into_inner()))
        }
        RequestState::Cancelled { by, at } => (at, format!("{} withdrew it.", name(by).await?), None),
        RequestState::Expired { at } => (at, "Nobody answered in time.".to_owned(), None),
        RequestState::Approved { .. } if request.wanted.window.ends_at() <= now => {
            (request.wanted.window.ends_at(), "It ended by itself.".to_owned(), None)
        }
        _ => return Ok(history),
    };
    history.push(Happened { at: when(at), mark: words::state(request, now).mark(), sentence, said });
    Ok(history)
}

pub(super) async fn approve(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(request): Path<String>,
    form: Form,
) -> Response {
    let request = match find(&site, &signed, &request).await {
        Ok(Some(request)) => request,
        Ok(None) => return unknown(signed.frame(&site, Some(Area::Requests))),
        Err(_) => return broken(signed.frame(&site, Some(Area::Requests))),
    };
    let against = Some(form.text("against").to_owned()).filter(|against| !against.is_empty());
    let mut narrower = Narrower { against, ..Narrower::default() };
    let kept: Vec<usize> = form.all("patient").filter_map(|place| place.parse().ok()).collect();
    if form.text("narrower") == "yes" {
        let stays = request.wanted.patients.iter().enumerate().filter(|(place, _)| kept.contains(place));
        let stays: BTreeSet<_> = stays.map(|(_, patient)| patient.clone()).collect();
        if stays.is_empty() && !request.wanted.patients.is_empty() {
            site.refused("/requests/{id}/approve", "nobody_stays", Some(signed.person())).await;
            return message(
                StatusCode::UNPROCESSABLE_ENTITY,
                signed.frame(&site, Some(Area::Requests)),
                "No patient stays",
                &["Nothing was decided. Leave at least one patient, or refuse the request."],
                &[(&format!("/requests/{}", request.id), "Back to the request")],
            );
        }
        narrower.patients = Some(stays);
        let Ok(left) = kinds::left(&site.pack(), &request, form.all("kind")) else {
            site.refused("/requests/{id}/approve", "no_kind_stays", Some(signed.person())).await;
            return message(
                StatusCode::UNPROCESSABLE_ENTITY,
                signed.frame(&site, Some(Area::Requests)),
                "No kind of information stays",
                &["Nothing was decided. Leave at least one kind of information, or refuse the request."],
                &[(&format!("/requests/{}", request.id), "Back to the request")],
            );
        };
        narrower.kinds = left;
    }
    if let Some((.., hours)) = PRESETS.iter().find(|(code, ..)| *code == form.text("until")) {
        narrower.ends_at = Some(site.now().plus_micros(hours * HOUR));
    }
    let (who, version) = (signed.who(), form.version());
    let done_it = site
        .desk(async |desk| {
            let done = desk.approve(who, request.id, version, narrower).await?;
            Ok((done.now, Some(done.position)))
        })
        .await;
    let back = format!("/requests/{}", request.id);
    match done_it {
        Ok(now) if matches!(now.state, RequestState::Approved { .. }) => done(&back, "approved"),
        Ok(_) => done(&back, "seconded"),
        Err(DeskError::Request(RequestError::StepUp)) => auth::to_confirm(&back),
        Err(error) => not_done(&site, &signed, "/requests/{id}/approve", &error).await,
    }
}

pub(super) async fn refuse(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(request): Path<String>,
    form: Form,
) -> Response {
    let request = match find(&site, &signed, &request).await {
        Ok(Some(request)) => request,
        Ok(None) => return unknown(signed.frame(&site, Some(Area::Requests))),
        Err(_) => return broken(signed.frame(&site, Some(Area::Requests))),
    };
    let (ground, reason) = (form.text("ground"), form.text("reason"));
    let refusing = Some((ground, reason));
    let (Some(words), Ok(said)) = (ground_words(ground), scruple_flow::reason(reason, None)) else {
        site.refused("/requests/{id}/refuse", "form_incomplete", Some(signed.person())).await;
        let again = Again { failed: None, refusing };
        return show(&site, &signed, &request, StatusCode::UNPROCESSABLE_ENTITY, "", again).await;
    };
    // The ground stands first in what the person reads, and in the record.
    let (who, version, comment) = (signed.who(), form.version(), Phi::new(format!("{words}. {said}")));
    let refused = site
        .desk(async |desk| {
            let done = desk.deny(who, request.id, version, comment).await?;
            Ok(((), Some(done.position)))
        })
        .await;
    let back = format!("/requests/{}", request.id);
    match refused {
        Ok(()) => done(&back, "refused"),
        Err(DeskError::Request(RequestError::StepUp)) => auth::to_confirm(&back),
        Err(error @ DeskError::Request(RequestError::Reason(_))) => {
            let again = Again { failed: Some(&error), refusing };
            show(&site, &signed, &request, StatusCode::UNPROCESSABLE_ENTITY, "", again).await
        }
        Err(error) => not_done(&site, &signed, "/requests/{id}/refuse", &error).await,
    }
}

pub(super) async fn confirm_withdraw(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(request): Path<String>,
) -> Response {
    match find(&site, &signed, &request).await {
        Ok(Some(request)) => {
            let back = format!("/requests/{}", request.id);
            let view = Confirm {
                frame: signed.frame(&site, Some(Area::Requests)),
                csrf: signed.csrf.clone(),
                action: format!("{back}/withdraw"),
                failed: None,
                question: "Withdraw this request?".to_owned(),
                effects: vec!["Nobody decides on it any more. You can ask again.".to_owned()],
                hidden: vec![("version".to_owned(), request.version.to_string())],
                reason: None,
                button: "Withdraw it".to_owned(),
                back,
            };
            page(StatusCode::OK, &view)
        }
        Ok(None) => unknown(signed.frame(&site, Some(Area::Requests))),
        Err(_) => broken(signed.frame(&site, Some(Area::Requests))),
    }
}

pub(super) async fn withdraw(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(request): Path<String>,
    form: Form,
) -> Response {
    let request = match find(&site, &signed, &request).await {
        Ok(Some(request)) => request,
        Ok(None) => return unknown(signed.frame(&site, Some(Area::Requests))),
        Err(_) => return broken(signed.frame(&site, Some(Area::Requests))),
    };
    let (who, version) = (signed.who(), form.version());
    let withdrawn = site
        .desk(async |desk| {
            let done = desk.cancel(who, request.id, version).await?;
            Ok(((), Some(done.position)))
        })
        .await;
    match withdrawn {
        Ok(()) => done(&format!("/requests/{}", request.id), "withdrawn"),
        Err(error) => not_done(&site, &signed, "/requests/{id}/withdraw", &error).await,
    }
}

/// Whether somebody may ask for another: whoever may read of him.
fn may_ask_for(pack: &Pack, signed: &Signed, person: Id<Person>) -> bool {
    match pack.scope(Act::People, &signed.roles) {
        Some(ActScope::All) => true,
        Some(ActScope::Team) => signed.reports.contains(&person),
        Some(ActScope::Own) | None => false,
    }
}

/// `GET /ask`, for oneself or, with `subject`, for somebody else.
pub(super) async fn ask(State(site): State<Arc<Site>>, signed: Signed, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let subject = query.strip_prefix("subject=").and_then(id::<Person>);
    asking(&site, &signed, &Typed { subject, ..Typed::default() }, StatusCode::OK, None).await
}

/// The form for one chart whose number was typed before: it stands in no address.
pub(super) async fn ask_about(site: &Site, signed: &Signed, number: &str) -> Response {
    let typed = Typed { patients: "numbers".to_owned(), numbers: number.to_owned(), ..Typed::default() };
    asking(site, signed, &typed, StatusCode::OK, None).await
}

/// What was typed.
#[derive(Default)]
struct Typed {
    /// It was sent: what it lacks is said.
    sent: bool,
    subject: Option<Id<Person>>,
    role: String,
    purpose: String,
    patients: String,
    numbers: String,
    until: String,
    reason: String,
    ticket: String,
    task: String,
    kinds: BTreeSet<String>,
    /// The project that it is for, by id; empty: none.
    project: String,
    /// The text that was read, by id.
    acknowledged: String,
}

async fn asking(
    site: &Site,
    signed: &Signed,
    typed: &Typed,
    status: StatusCode,
    failed: Option<&DeskError>,
) -> Response {
    match build_ask(site, signed, typed, failed).await {
        Ok(Some(view)) => page(status, &view),
        Ok(None) => unknown(signed.frame(site, Some(Area::Requests))),
        Err(error) => {
            tracing::error!(error = %error, "nobody can ask");
            broken(signed.frame(site, Some(Area::Requests)))
        }
    }
}

async fn build_ask(
    site: &Site,
    signed: &Signed,
    typed: &Typed,
    failed: Option<&DeskError>,
) -> Result<Option<AskPage>, StoreError> {
    let pack = site.pack();
    let subject = match typed.subject {
        // Whoever may read of people may ask for them.
        Some(person) if !may_ask_for(&pack, signed, person) => return Ok(None),
        Some(person) => Some(Subject { id: person.to_string(), person: shown(site, person).await? }),
        None => None,
    };
    let mut roles: Vec<(String, String)> = vec![(String::new(), "Choose one".to_owned())];
    let code = |name: &str| name.parse::<RoleCode>().ok();
    let askable = pack.roles.values().filter(|role| !role.is_profile).filter_map(|role| code(&role.name));
    let offices = [scruple_policy::ADMINISTRATOR, scruple_policy::COUNSEL, scruple_policy::HUMAN_RESOURCES];
    for role in askable.chain(offices.into_iter().filter_map(code)) {
        let held = if subject.is_none() && signed.roles.contains(&role) { " (yours)" } else { "" };
        roles.push((role.to_string(), format!("{}{held}", words::role(&pack, &role))));
    }
    let gaps = if typed.sent { Gaps::of(typed) } else { Gaps::default() };
    // Who has one role alone means that one.
    let only = signed.roles.first().filter(|_| !typed.sent && subject.is_none() && signed.roles.len() == 1);
    let only = only.filter(|role| Rules::approval(&*pack, role, Some(&Kinds::Whole)).is_some());
    let chosen_role = only.map_or_else(|| typed.role.clone(), ToString::to_string);
    let mut purposes = vec![(String::new(), "those of the role".to_owned())];
    purposes.extend(
        pack.purposes
            .iter()
            .filter(|one| one.code != "BTG")
            .map(|one| (one.code.clone(), scruple_policy::purpose_coded(&one.code))),
    );
    let reason = match failed {
        Some(DeskError::Request(RequestError::Reason(weak))) => words::wrong(&typed.reason, words::weak(*weak)),
        _ => gaps.reason.map_or_else(|| words::field(&typed.reason), |said| words::wrong(&typed.reason, said)),
    };
    let numbers = match failed {
        Some(DeskError::RoleNotHeld) => words::wrong(&typed.numbers, &words::sentence(&DeskError::RoleNotHeld)),
        _ => gaps.numbers.map_or_else(|| words::field(&typed.numbers), |said| words::wrong(&typed.numbers, said)),
    };
    // For somebody else it is not told here which roles he holds.
    let all = pack.roles.values().filter(|role| subject.is_some() && !role.is_profile);
    let opening: BTreeSet<RoleCode> = if subject.is_some() {
        all.filter_map(|role| code(&role.name)).collect()
    } else {
        signed.roles.iter().cloned().collect()
    };
    let longest = longest(&pack, &opening, &roles);
    let presets = longest.presets();
    let mut until = words::pick(&presets, if typed.until.is_empty() { "shift" } else { &typed.until });
    if let Some(error @ DeskError::Request(RequestError::TooLong { .. } | RequestError::Over)) = failed {
        until.error = Some(words::sentence(error));
    }
    until.error = until.error.or_else(|| gaps.until.map(str::to_owned));
    let patients = [
        ("numbers", "These patients, in a role that is mine"),
        ("related", "Everyone to whom the role relates me: the role itself"),
    ];
    let chosen = if typed.patients.is_empty() { "numbers" } else { &typed.patients };
    let mut role = words::pick(&roles, &chosen_role).required();
    role.error = gaps.role.map(str::to_owned);
    if let Some(error @ DeskError::NotAllowed) = failed {
        role.error = Some(words::sentence(error));
    }
    let kinds_error = match failed {
        Some(
            error @ DeskError::Request(
                RequestError::NoKinds | RequestError::KindsNotOfRole | RequestError::KindsOfNobody,
            ),
        ) => Some(words::sentence(error)),
        _ => gaps.kinds.map(str::to_owned),
    };
    let mut task = kinds::tasks(&typed.task).required();
    task.error = gaps.task.map(str::to_owned);
    if let Some(error @ DeskError::Request(RequestError::NoTask)) = failed {
        task.error = Some(words::sentence(error));
    }
    Ok(Some(AskPage {
        frame: signed.frame(site, Some(Area::Requests)),
        csrf: signed.csrf.clone(),
        action: "/ask".to_owned(),
        subject,
        rule: Rule {
            sentences: vec![
                "Ask for the patients, the kinds of information and the time that the task needs, and no more."
                    .to_owned(),
                "Somebody else decides, and may leave less. It ends by itself.".to_owned(),
                "What is opened under it is recorded with your reason.".to_owned(),
            ],
            source: "45 CFR 164.502(b), 164.514(d)".to_owned(),
        },
        form: AskForm {
            failed: failed.map(words::sentence).or_else(|| {
                (!gaps.is_empty()).then(|| "Nothing was sent. What is missing is named at its place.".to_owned())
            }),
            role,
            kinds: kinds::groups(&pack, opening.iter(), &typed.kinds),
            kinds_error,
            purpose: words::pick(&purposes, &typed.purpose),
            patients: Pick { error: gaps.patients.map(str::to_owned), ..words::pick(&patients, chosen) },
            numbers,
            numbers_max: scruple_flow::limits::REQUEST_PATIENTS_MAX,
            until,
            from_at: words::field(""),
            until_at: words::field(""),
            longest: "what the policy allows".to_owned(),
            until_hint: longest.hint(),
            task,
            reason: reason.required(),
            ticket: words::field(&typed.ticket),
            project: project(site, typed, failed).await?,
            reading: longer::reading(
                &pack,
                &chosen_role,
                chosen == "numbers",
                &typed.acknowledged,
                !typed.role.is_empty(),
            ),
        },
    }))
}

/// The longest that is given, in hours.
#[derive(Clone, Copy)]
struct Longest {
    /// For the charts of single patients.
    charts: i64,
    /// For a role itself.
    roles: i64,
}

/// What the policy gives at most of what could be asked for: charts in one of these roles, or one of those.
fn longest(pack: &Pack, opening: &BTreeSet<RoleCode>, askable: &[(String, String)]) -> Longest {
    let hours = |role: &RoleCode, kinds: Option<&Kinds>| Rules::approval(pack, role, kinds).map(|rule| rule.hours_max);
    let roles = askable.iter().filter_map(|(code, _)| code.parse::<RoleCode>().ok());
    Longest {
        charts: opening.iter().filter_map(|role| hours(role, Some(&Kinds::Whole))).max().unwrap_or(0),
        roles: roles.filter_map(|role| hours(&role, None)).max().unwrap_or(0),
    }
}

impl Longest {
    /// The options of a time, without those that nobody is given.
    fn presets(self) -> Vec<(&'static str, String)> {
        let all = PRESETS.into_iter().chain([("month", "30 days", 30 * 24)]);
        let given = all.filter(|(.., hours)| *hours <= self.charts.max(self.roles));
        given
            .map(|(code, label, hours)| {
                let is_of_role = self.charts > 0 && hours > self.charts;
                (code, if is_of_role { format!("{label}, for a role alone") } else { label.to_owned() })
            })
            .collect()
    }

    fn hint(self) -> String {
        match self.charts {
            0 => String::new(),
            hours => format!("The charts of single patients: {} at most.", words::length(hours.saturating_mul(HOUR))),
        }
    }
}

/// The projects that it can be for.
async fn project(site: &Site, typed: &Typed, failed: Option<&DeskError>) -> Result<Pick, StoreError> {
    let open = open_projects(&site.parts.store, site.now()).await?;
    let open = open.into_iter().map(|one| (one.id.to_string(), one.assessment.title.into_inner()));
    let choices: Vec<(String, String)> = std::iter::once((String::new(), "none".to_owned())).chain(open).collect();
    let mut pick = words::pick(&choices, &typed.project);
    if let Some(error @ DeskError::Project(_)) = failed {
        pick.error = Some(words::sentence(error));
    }
    Ok(pick)
}

pub(super) async fn submit(State(site): State<Arc<Site>>, signed: Signed, form: Form) -> Response {
    let typed = Typed {
        sent: true,
        subject: id(form.text("subject")),
        role: form.text("role").to_owned(),
        purpose: form.text("purpose").to_owned(),
        patients: form.text("patients").to_owned(),
        numbers: form.text("numbers").to_owned(),
        until: form.text("until").to_owned(),
        reason: form.text("reason").to_owned(),
        ticket: form.text("ticket").to_owned(),
        task: form.text("task").to_owned(),
        kinds: form.all("kind").map(str::to_owned).collect(),
        project: form.text("project").to_owned(),
        acknowledged: form.text("acknowledged").to_owned(),
    };
    let again = async |error: DeskError| {
        site.refused("/ask", error.code(), Some(signed.person())).await;
        asking(&site, &signed, &typed, StatusCode::UNPROCESSABLE_ENTITY, Some(&error)).await
    };
    if !Gaps::of(&typed).is_empty() {
        site.refused("/ask", "form_incomplete", Some(signed.person())).await;
        return asking(&site, &signed, &typed, StatusCode::UNPROCESSABLE_ENTITY, None).await;
    }
    let Ok(role) = typed.role.parse::<RoleCode>() else { return again(DeskError::NotAllowed).await };
    let is_of_patients = typed.patients == "numbers";
    let patients = match gaps::numbers(&typed.numbers) {
        Ok(patients) if is_of_patients => patients,
        _ => BTreeSet::new(),
    };
    let kinds = if !is_of_patients {
        None
    } else if typed.kinds.contains(kinds::WHOLE) {
        Some(Kinds::Whole)
    } else {
        let codes: Result<BTreeSet<KindCode>, _> = typed.kinds.iter().map(|code| code.parse()).collect();
        codes.ok().and_then(Kinds::named)
    };
    let hours = gaps::hours(&typed.until).unwrap_or(0);
    let ask = Ask {
        person: typed.subject,
        role,
        purpose: Some(typed.purpose.clone()).filter(|purpose| !purpose.is_empty()),
        patients: door::all_known(&site, patients).await,
        task: RequestTask::of(&typed.task),
        kinds,
        starts_at: None,
        ends_at: site.now().plus_micros(hours * HOUR),
        justification: Phi::new(typed.reason.clone()),
        ticket: Some(typed.ticket.clone()).filter(|ticket| !ticket.is_empty()),
        acknowledged: Some(typed.acknowledged.clone()).filter(|text| !text.is_empty()),
    };
    if typed.subject.is_some_and(|person| !may_ask_for(&site.pack(), &signed, person)) {
        return unknown(signed.frame(&site, Some(Area::Requests)));
    }
    let project = match typed.project.as_str() {
        "" => None,
        project => match id(project) {
            Some(project) => Some(project),
            None => return again(DeskError::Project(ProjectError::NotApproved)).await,
        },
    };
    let who = signed.who();
    let submitted = site
        .desk(async |desk| {
            let id = new_id(desk.clock.now(), desk.rng);
            let done = desk.submit_for(who, id, ask, project).await?;
            Ok((done.now, Some(done.position)))
        })
        .await;
    match submitted {
        Ok(request) => done(&format!("/requests/{}", request.id), "asked"),
        Err(error @ DeskError::Store(_)) => not_done(&site, &signed, "/ask", &error).await,
        Err(error) => again(error).await,
    }
}
