//! `/access`: what I have, why, and until when; my sessions.

use super::{
    Form, Signed, Site, broken, done, exceptions, id, not_done, page, people, today, unknown, when, with_done, words,
};
use crate::pages::access::mine::{MyAccess, Protected, Right, Session, Step};
use crate::pages::parts::Coded;
use crate::pages::plain::confirm::Confirm;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use scruple_app::{DeskError, extension_rule, steps_for};
use scruple_core::{Id, Timestamp};
use scruple_flow::step::{StepKind, holds_until};
use scruple_flow::{AccessRequest, Elevation, ElevationKind, EmergencyReason, Grant, ReviewState};
use scruple_policy::{Pack, Role};
use scruple_store::{
    StoreError, Tx, find_elevation, find_grant, find_person, find_request, find_review, open_elevations, open_grants,
};
use std::sync::Arc;

pub(super) async fn show(State(site): State<Arc<Site>>, signed: Signed, RawQuery(query): RawQuery) -> Response {
    match build(&site, &signed, &query.unwrap_or_default()).await {
        Ok(view) => page(StatusCode::OK, &view),
        Err(error) => {
            tracing::error!(error = %error, "somebody's access cannot be shown");
            broken(signed.frame(&site, None))
        }
    }
}

async fn build(site: &Site, signed: &Signed, query: &str) -> Result<MyAccess, StoreError> {
    let (now, pack) = (site.now(), site.pack());
    let person = signed.person();
    let mut tx = site.parts.store.begin_read().await?;
    let mut rights = Vec::new();
    for held in open_elevations(&mut tx, person, now).await? {
        let Some(elevation) = find_elevation(&mut tx, held.id).await? else { continue };
        let (source, approver) = match held.kind {
            ElevationKind::Asked { request } => {
                let request = find_request(&mut tx, request).await?;
                let approver = match exceptions::approver(request.as_ref()) {
                    Some(by) => Some(people::name(&mut tx, by).await?),
                    None => None,
                };
                ("your request", approver)
            }
            ElevationKind::Declared(_) => ("your own word", None),
            ElevationKind::Emergency { .. } => ("your own word, in an emergency", None),
        };
        rights.push(Right {
            id: format!("e{}", held.id.uuid().simple()),
            what: today::what_of(&held),
            purpose: words::purpose(held.purpose.as_deref()),
            source: source.to_owned(),
            approver,
            since: when(elevation.granted_at),
            until: Some(when(held.window.ends_at())),
            left: Some(words::left(held.window.ends_at(), now)),
            opens: super::kinds::named(&pack, &held.kinds),
            in_part: Vec::new(),
            closed: Vec::new(),
            conditions: vec![format!("In the role {}, for this one patient.", words::role(&pack, &held.role))],
            used: None,
            tell: sentence(&mut tx, &elevation).await?,
            protected: protected(&elevation, now),
            give_back: Some(format!("/access/end/chart/{}", held.id)),
            extend: match held.kind {
                ElevationKind::Asked { request } => prolonged(site, &mut tx, request).await?,
                ElevationKind::Declared(_) | ElevationKind::Emergency { .. } => None,
            },
        });
    }
    for held in open_grants(&mut tx, person, now).await? {
        let Some(grant) = find_grant(&mut tx, held.id).await? else { continue };
        let approver = find_person(&mut tx, grant.approved_by).await?.map(|person| person.name.into_inner());
        let role = pack.roles.get(held.role.as_str());
        let [opens, in_part, closed] = role.map_or_else(Default::default, |role| kinds(&pack, role));
        rights.push(Right {
            id: format!("g{}", held.id.uuid().simple()),
            what: words::role_coded(&pack, &held.role),
            purpose: role.map_or_else(|| words::purpose(None), |role| words::purpose(Some(&role.purpose))),
            source: format!("the role that was agreed to on {}", when(grant.granted_at).words),
            approver,
            since: when(held.window.starts_at()),
            until: Some(when(held.window.ends_at())),
            left: Some(words::left(held.window.ends_at(), now)),
            opens,
            in_part,
            closed,
            conditions: role.map(|role| scruple_policy::conditions_of(&pack, role)).unwrap_or_default(),
            used: None,
            tell: None,
            protected: None,
            give_back: Some(format!("/access/end/role/{}", held.id)),
            // What was asked for is granted under the id of the request.
            extend: prolonged(site, &mut tx, Id::from_uuid(held.id.uuid())).await?,
        });
    }
    drop(tx);
    let steps = steps_for(&site.parts.store, &*pack, (person, now)).await?.unwrap_or_default();
    let steps = steps.into_iter().map(|(step, at)| {
        let until = at.map(|at| holds_until(&step, at)).filter(|until| now < *until);
        let is_his = step.kind == StepKind::Acknowledgement && until.is_none();
        Step {
            until: until.map(when),
            acknowledge: is_his.then(|| format!("/access/steps/{}", step.name)),
            label: step.label,
        }
    });
    let sessions = site.door(async |door| door.sessions(person).await).await;
    let sessions = sessions.unwrap_or_default().into_iter().map(|one| Session {
        device: device(&one.device).to_owned(),
        shared: one.device == "shared",
        since: when(one.started_at),
        last: when(one.seen_at),
        this: one.id == signed.session.session,
        end: format!("/access/session/{}", one.id),
    });
    Ok(MyAccess {
        frame: with_done(signed.frame(site, None), query),
        csrf: signed.csrf.clone(),
        as_of: when(now),
        rights,
        steps: steps.collect(),
        sessions: sessions.collect(),
    })
}

/// The page on which the reader says why he opened a chart in an emergency, while that is owed or asked for.
async fn sentence(tx: &mut Tx, elevation: &Elevation) -> Result<Option<String>, StoreError> {
    let ElevationKind::Emergency { reason, review } = elevation.held.kind else { return Ok(None) };
    let Some(found) = find_review(tx, review).await? else { return Ok(None) };
    let is_awaited = match &found.state {
        ReviewState::Open => {
            let is_drill = reason == EmergencyReason::Drill;
            !is_drill && found.account.is_none() && elevation.justification.expose().is_empty()
        }
        ReviewState::Asked { .. } => true,
        ReviewState::Closed(_) => false,
    };
    Ok(is_awaited.then(|| format!("/emergency/{review}/tell")))
}

/// The page on which access is asked for longer, once it is in the last part of its time.
async fn prolonged(site: &Site, tx: &mut Tx, request: Id<AccessRequest>) -> Result<Option<String>, StoreError> {
    let found = find_request(tx, request).await?;
    let (now, rule) = (site.now(), extension_rule(site.pack().desk));
    let found = found.filter(|one| one.wanted.window.contains(now) && one.extended_from(rule) <= now);
    Ok(found.map(|one| format!("/requests/{}", one.id)))
}

pub(super) fn device(code: &str) -> &'static str {
    match code {
        "shared" => "A shared workstation",
        "phone" => "A telephone",
        _ => "A device of one person",
    }
}

/// What a role opens in full, in part, and not, for its main purpose with a relationship.
fn kinds(pack: &Pack, role: &Role) -> [Vec<Coded>; 3] {
    let question = scruple_policy::Question {
        role: role.name.clone(),
        purpose: role.purpose.clone(),
        conditions: pack
            .condition("relationship")
            .map_or(scruple_core::ConditionMask::NONE, |id| scruple_core::ConditionMask::NONE.with(id)),
    };
    let Ok(table) = scruple_policy::table(pack, &question) else { return Default::default() };
    let mut kinds: [Vec<Coded>; 3] = Default::default();
    for (category, view) in pack.categories.iter().zip(&table.views) {
        let place = match view {
            scruple_core::View::Full => 0,
            scruple_core::View::None => 2,
            _ => 1,
        };
        if let Some(list) = kinds.get_mut(place) {
            list.push(Coded { words: category.label.to_lowercase(), code: category.name.clone() });
        }
    }
    kinds
}

pub(super) async fn end_session(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(session): Path<String>,
    _: Form,
) -> Response {
    let Some(session) = id(&session) else { return unknown(signed.frame(&site, None)) };
    let person = signed.person();
    match site.door(async |door| door.end_session(person, session, person).await).await {
        Ok(position) => {
            site.recorded(Some(position)).await;
            if session == signed.session.session {
                return Redirect::to("/sign-in").into_response();
            }
            done("/access", "ended")
        }
        Err(_) => unknown(signed.frame(&site, None)),
    }
}

/// Says that somebody has read what a step is about.
pub(super) async fn acknowledge(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(step): Path<String>,
    _: Form,
) -> Response {
    let who = signed.who();
    let told = site.desk(async |desk| desk.acknowledge(who, &step).await).await;
    match told {
        Ok(_) => done("/access", "acknowledged"),
        Err(DeskError::Step(_)) => unknown(signed.frame(&site, None)),
        Err(error) => not_done(&site, &signed, "/access/steps/{id}", &error).await,
    }
}

/// Whether what is specially protected is open too, in an emergency that is open.
fn protected(elevation: &Elevation, now: Timestamp) -> Option<Protected> {
    let held = &elevation.held;
    let is_open = matches!(held.kind, ElevationKind::Emergency { .. }) && held.window.contains(now);
    is_open.then(|| match held.protected_at {
        Some(at) => Protected::Confirmed(when(at)),
        None => {
            let action = format!("/access/charts/{}/protected", held.id);
            Protected::Closed { action, version: elevation.version }
        }
    })
}

/// `POST /access/charts/{id}/protected`: the second confirmation of an emergency.
pub(super) async fn confirm_protected(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(elevation): Path<String>,
    form: Form,
) -> Response {
    const ROUTE: &str = "/access/charts/{id}/protected";
    let Some(elevation) = id::<Elevation>(&elevation) else { return unknown(signed.frame(&site, None)) };
    let (who, version) = (signed.who(), form.version());
    let confirmed = site.desk(async |desk| desk.confirm_protected(who, elevation, version).await).await;
    match confirmed {
        Ok(_) => done("/access", "protected"),
        Err(error) => not_done(&site, &signed, ROUTE, &error).await,
    }
}

/// A right that is about to be ended.
pub(super) enum Ending {
    Role(Grant),
    Chart(Elevation),
}

impl Ending {
    /// The right of an address, if it is there, is a person's, and is not over.
    pub(super) async fn find(site: &Site, kind: &str, right: &str) -> Result<Option<Self>, StoreError> {
        let mut tx = site.parts.store.begin_read().await?;
        let found = match kind {
            "role" => match id(right) {
                Some(id) => find_grant(&mut tx, id).await?.filter(|one| one.revoked.is_none()).map(Self::Role),
                None => None,
            },
            "chart" => match id(right) {
                Some(id) => find_elevation(&mut tx, id).await?.filter(|one| one.ended.is_none()).map(Self::Chart),
                None => None,
            },
            _ => None,
        };
        Ok(found)
    }

    pub(super) const fn person(&self) -> Id<scruple_flow::Person> {
        match self {
            Self::Role(grant) => grant.held.person,
            Self::Chart(elevation) => elevation.held.person,
        }
    }

    pub(super) fn name(&self, pack: &Pack) -> String {
        match self {
            Self::Role(grant) => words::role(pack, &grant.held.role),
            Self::Chart(elevation) => today::what(&elevation.held).words,
        }
    }

    pub(super) async fn end(self, site: &Site, signed: &Signed) -> Result<(), DeskError> {
        let who = signed.who();
        site.acts(async |desk| {
            let position = match &self {
                Self::Role(grant) => desk.end_grant(who, grant.held.id, grant.version).await?.position,
                Self::Chart(elevation) => desk.end_elevation(who, elevation.held.id, elevation.version).await?.position,
            };
            Ok(((), Some(position)))
        })
        .await
    }
}

pub(super) async fn confirm_end(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path((kind, right)): Path<(String, String)>,
) -> Response {
    let found = Ending::find(&site, &kind, &right).await;
    match found.map(|found| found.filter(|ending| ending.person() == signed.person())) {
        Ok(Some(ending)) => {
            let view = Confirm {
                frame: signed.frame(&site, None),
                csrf: signed.csrf.clone(),
                action: format!("/access/end/{kind}/{right}"),
                failed: None,
                question: format!("Give back {}?", ending.name(&site.pack())),
                effects: vec![
                    "Removes 1 right of yours.".to_owned(),
                    "It takes effect in 1 second.".to_owned(),
                    "To have it again you ask for it anew.".to_owned(),
                ],
                hidden: Vec::new(),
                reason: None,
                button: "Give it back".to_owned(),
                back: "/access".to_owned(),
            };
            page(StatusCode::OK, &view)
        }
        Ok(None) => unknown(signed.frame(&site, None)),
        Err(_) => broken(signed.frame(&site, None)),
    }
}

pub(super) async fn end(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path((kind, right)): Path<(String, String)>,
    _: Form,
) -> Response {
    let found = Ending::find(&site, &kind, &right).await;
    match found.map(|found| found.filter(|ending| ending.person() == signed.person())) {
        Ok(Some(ending)) => match ending.end(&site, &signed).await {
            Ok(()) => done("/access", "ended"),
            Err(error) => not_done(&site, &signed, "/access/end/{kind}/{id}", &error).await,
        },
        Ok(None) => unknown(signed.frame(&site, None)),
        Err(_) => broken(signed.frame(&site, None)),
    }
}
