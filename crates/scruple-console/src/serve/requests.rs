//! Asking for access, and deciding on it.

mod ask;
mod export;
mod gaps;
mod list;
mod longer;
mod standing;

pub(super) use ask::{ask, ask_about, submit};
pub(super) use export::{confirm as confirm_export, export};
pub(super) use list::{list, row};
pub(super) use longer::{extend, reading_of_export};
pub(super) use standing::{Standing, confirm_end, end, standing};

use super::{
    Form, Signed, Site, auth, broken, done, door, id, kinds, message, not_done, page, people, unknown, when, with_done,
    words,
};
use crate::pages::parts::{Coded, Field, Happened, Person as Shown, Pick};
use crate::pages::plain::confirm::Confirm;
use crate::pages::requests::one::{Deciding, Narrow, Own, Refuse, Request};
use crate::words::{Area, Mark, RequestState as StateMark};
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use list::{what, whats};
use scruple_app::{Change, Changed, DeskError, NOT_SHOWN, Narrower, Opened, change_of, opened_by};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::{AccessRequest, Person, RequestError, RequestState, RoleCode};
use scruple_policy::{Act, Pack};
use scruple_store::{StoreError, find_request, list_requests_of, open_grants};
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
    let done_it = site.desk(async |desk| desk.approve(who, request.id, version, narrower).await).await;
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
    let refused = site.desk(async |desk| desk.deny(who, request.id, version, comment).await).await;
    let back = format!("/requests/{}", request.id);
    match refused {
        Ok(_) => done(&back, "refused"),
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
    let withdrawn = site.desk(async |desk| desk.cancel(who, request.id, version).await).await;
    match withdrawn {
        Ok(_) => done(&format!("/requests/{}", request.id), "withdrawn"),
        Err(error) => not_done(&site, &signed, "/requests/{id}/withdraw", &error).await,
    }
}
