//! Roles that are held and not used: the holder's word, and the manager's.

use super::{Form, Signed, Site, broken, done, id, message, page, people, unknown, when, words};
use crate::pages::access::unused::{Act, UnusedRole};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::directory::{Directory, DirectoryError, decides_unused};
use scruple_core::Id;
use scruple_flow::unused::{UnusedError, UnusedNotice, UnusedState};
use scruple_store::{find_grant, find_unused};
use std::sync::Arc;

const ROUTE: &str = "/access/unused/{id}";

/// A notice, and whether whoever looks is the manager who decides.
struct Found {
    notice: UnusedNotice,
    decides: bool,
}

/// The notice of an address, for its holder and for the manager who decides; for others there is none.
async fn find(site: &Site, signed: &Signed, text: &str) -> Result<Option<Found>, DirectoryError> {
    let Some(id) = id::<UnusedNotice>(text) else { return Ok(None) };
    let mut tx = site.parts.store.begin_read().await?;
    let Some(notice) = find_unused(&mut tx, id).await? else { return Ok(None) };
    let decides = decides_unused(&mut tx, notice.person, signed.person(), site.now()).await?;
    Ok((decides || notice.person == signed.person()).then_some(Found { notice, decides }))
}

async fn build(
    site: &Site,
    signed: &Signed,
    found: &Found,
    typed: Option<(&str, &str)>,
) -> Result<UnusedRole, DirectoryError> {
    let (notice, pack, now) = (&found.notice, site.pack(), site.now());
    let mut tx = site.parts.store.begin_read().await?;
    let grant = find_grant(&mut tx, notice.grant).await?.ok_or(DirectoryError::NoPerson)?;
    let is_own = notice.person == signed.person();
    let person = if is_own { None } else { Some(people::name(&mut tx, notice.person).await?) };
    let act = match notice.state {
        _ if notice.ends_at <= now => Act::Wait("Its time is over: the role has ended.".to_owned()),
        UnusedState::Noticed if is_own => Act::Object(match typed {
            Some((value, error)) => words::wrong(value, error),
            None => words::field(""),
        }),
        UnusedState::Noticed => Act::Wait("Nobody has said yet why the role is needed.".to_owned()),
        UnusedState::Objected if found.decides => Act::Decide,
        UnusedState::Objected => Act::Wait("The manager decides.".to_owned()),
        UnusedState::Used { .. } => Act::Wait("It was used since, and stays.".to_owned()),
        UnusedState::Kept { .. } => Act::Wait("The manager has decided: it stays.".to_owned()),
        UnusedState::Taken { .. } => Act::Wait("It has ended.".to_owned()),
    };
    Ok(UnusedRole {
        frame: signed.frame(site, None),
        csrf: signed.csrf.clone(),
        action: format!("/access/unused/{}", notice.id),
        version: notice.version,
        role: words::role_coded(&pack, &grant.held.role),
        person,
        since: when(notice.since),
        ends: when(notice.ends_at),
        said: notice.objection.as_ref().map(|said| said.expose().clone()),
        act,
    })
}

async fn shown(
    site: &Site,
    signed: &Signed,
    found: &Found,
    (status, typed): (StatusCode, Option<(&str, &str)>),
) -> Response {
    match build(site, signed, found, typed).await {
        Ok(view) => page(status, &view),
        Err(error) => {
            tracing::error!(error = %error, "a role that is not used cannot be shown");
            broken(signed.frame(site, None))
        }
    }
}

pub(super) async fn show(State(site): State<Arc<Site>>, signed: Signed, Path(notice): Path<String>) -> Response {
    match find(&site, &signed, &notice).await {
        Ok(Some(found)) => shown(&site, &signed, &found, (StatusCode::OK, None)).await,
        Ok(None) => unknown(signed.frame(&site, None)),
        Err(_) => broken(signed.frame(&site, None)),
    }
}

/// `POST /access/unused/{id}`: the holder's reason, or the manager's decision.
pub(super) async fn say(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(notice): Path<String>,
    form: Form,
) -> Response {
    let found = match find(&site, &signed, &notice).await {
        Ok(Some(found)) => found,
        Ok(None) => return unknown(signed.frame(&site, None)),
        Err(_) => return broken(signed.frame(&site, None)),
    };
    let (seen, reason): ((Id<UnusedNotice>, i64), &str) = ((found.notice.id, form.version()), form.text("reason"));
    let keeps = match form.text("decision") {
        "keep" => Some(true),
        "take" => Some(false),
        _ => None,
    };
    let mut rng = (site.parts.rng)();
    let (store, lease, clock) = (&site.parts.store, &site.parts.lease, site.parts.clock.as_ref());
    let mut directory = Directory { store, lease, clock, rng: &mut *rng, by: signed.person() };
    let said = match keeps {
        Some(keeps) => directory.decide_unused(seen, keeps).await,
        None => directory.object(seen, reason).await,
    };
    match said {
        Ok(moved) => {
            site.recorded(moved.position).await;
            done(&if keeps.is_some() { "/".to_owned() } else { format!("/access/unused/{}", seen.0) }, "said")
        }
        Err(DirectoryError::Unused(UnusedError::Reason(weak))) => {
            site.refused(ROUTE, "reason_weak", Some(signed.person())).await;
            let typed = Some((reason, words::weak(weak)));
            shown(&site, &signed, &found, (StatusCode::UNPROCESSABLE_ENTITY, typed)).await
        }
        Err(DirectoryError::Store(error)) => {
            tracing::error!(error = %error, "it was not stored what becomes of a role that is not used");
            broken(signed.frame(&site, None))
        }
        Err(error) => {
            site.refused(ROUTE, "unused_not_changed", Some(signed.person())).await;
            let (status, text) = match error {
                DirectoryError::Changed => (StatusCode::CONFLICT, "It has changed meanwhile. Look at it again."),
                DirectoryError::Unused(UnusedError::NotTheManager) => {
                    (StatusCode::FORBIDDEN, "The nearest manager of the person who is here decides.")
                }
                _ => (StatusCode::UNPROCESSABLE_ENTITY, "It stands where this does not follow. Look at it again."),
            };
            let back = format!("/access/unused/{}", seen.0);
            message(status, signed.frame(&site, None), "Nothing was changed", &[text], &[(&back, "Back to it")])
        }
    }
}
