//! `/deputies`: who stands in for me, and for whom I do.

use super::words::DAY;
use super::{Form, Signed, Site, broken, done, id, not_done, page, people, unknown, when, with_done, words};
use crate::pages::deputies::mine::{Deputies, DeputyRow, NameForm};
use crate::pages::parts::Person as Shown;
use crate::words::Mark;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::{DeputyAsk, DeskError, Rules as _};
use scruple_core::Id;
use scruple_flow::{Deputy, DeputyAs, DeputyError};
use scruple_policy::Act;
use scruple_store::{StoreError, find_person_by_login, list_deputies_of};
use std::sync::Arc;

const DAYS: [(&str, &str); 4] = [("1", "1 day"), ("7", "7 days"), ("14", "14 days"), ("30", "30 days")];
/// As what, with the act that one must be let do to name somebody for it.
const CAPACITIES: [(DeputyAs, Act, &str); 2] = [
    (DeputyAs::Approver, Act::Decide, "Decides on requests"),
    (DeputyAs::Reviewer, Act::Reviews, "Reviews emergencies"),
];

/// What was typed, and what was wrong with it.
#[derive(Default)]
struct Typed {
    login: String,
    capacity: String,
    days: String,
    failed: Option<DeskError>,
}

pub(super) async fn show(State(site): State<Arc<Site>>, signed: Signed, RawQuery(query): RawQuery) -> Response {
    answer(&site, &signed, StatusCode::OK, &query.unwrap_or_default(), &Typed::default()).await
}

async fn answer(site: &Site, signed: &Signed, status: StatusCode, query: &str, typed: &Typed) -> Response {
    match build(site, signed, query, typed).await {
        Ok(view) => page(status, &view),
        Err(error) => {
            tracing::error!(error = %error, "deputies cannot be shown");
            broken(signed.frame(site, None))
        }
    }
}

async fn build(site: &Site, signed: &Signed, query: &str, typed: &Typed) -> Result<Deputies, StoreError> {
    let mut tx = site.parts.store.begin_read().await?;
    let mut rows = Vec::new();
    for deputy in list_deputies_of(&mut tx, signed.person(), None).await? {
        let for_me = deputy.principal == signed.person();
        let other = if for_me { deputy.deputy } else { deputy.principal };
        let other = Shown { href: String::new(), name: people::name(&mut tx, other).await?, job: String::new() };
        rows.push(row(site, &deputy, for_me, other));
    }
    drop(tx);
    Ok(Deputies {
        frame: with_done(signed.frame(site, None), query),
        csrf: signed.csrf.clone(),
        as_of: when(site.now()),
        rows,
        form: form(site, signed, typed),
    })
}

fn row(site: &Site, deputy: &Deputy, for_me: bool, other: Shown) -> DeputyRow {
    let code = deputy.code_at(site.now());
    let is_open = matches!(code, "named" | "accepted");
    let (what, base) = (
        match deputy.capacity {
            DeputyAs::Approver => "decides on requests",
            DeputyAs::Reviewer => "reviews emergencies",
        },
        format!("/deputies/{}", deputy.id),
    );
    DeputyRow {
        other,
        for_me,
        what: what.to_owned(),
        from: when(deputy.window.starts_at()),
        until: when(deputy.window.ends_at()),
        state: match code {
            "named" => Mark::wait("Not accepted yet"),
            "accepted" if deputy.is_in_force(site.now()) => Mark::good("Stands in"),
            "accepted" => Mark::wait("Begins later"),
            _ => Mark::over("Over"),
        },
        version: deputy.version,
        accept: (!for_me && code == "named").then(|| format!("{base}/accept")),
        end: is_open.then(|| format!("{base}/end")),
    }
}

fn form(site: &Site, signed: &Signed, typed: &Typed) -> Option<NameForm> {
    let pack = site.pack();
    let mine = CAPACITIES.iter().filter(|(_, act, _)| pack.scope(*act, &signed.roles).is_some());
    let mine: Vec<(&str, &str)> = mine.map(|(capacity, _, label)| (capacity.code(), *label)).collect();
    if mine.is_empty() {
        return None;
    }
    let login = match &typed.failed {
        Some(error @ (DeskError::PersonGone | DeskError::Deputy(DeputyError::Himself))) => {
            words::wrong(&typed.login, &words::sentence(error))
        }
        _ => words::field(&typed.login),
    };
    Some(NameForm {
        failed: typed.failed.as_ref().map(words::sentence),
        login,
        capacity: words::pick(&mine, &typed.capacity),
        days: words::pick(&DAYS, if typed.days.is_empty() { "7" } else { &typed.days }),
    })
}

pub(super) async fn name(State(site): State<Arc<Site>>, signed: Signed, form: Form) -> Response {
    let mut typed = Typed {
        login: form.text("login").to_owned(),
        capacity: form.text("capacity").to_owned(),
        days: form.text("days").to_owned(),
        failed: None,
    };
    match named(&site, &signed, &typed).await {
        Ok(()) => done("/deputies", "named"),
        Err(error @ DeskError::Store(_)) => not_done(&site, &signed, "/deputies", &error).await,
        Err(error) => {
            site.refused("/deputies", error.code(), Some(signed.person())).await;
            typed.failed = Some(error);
            answer(&site, &signed, StatusCode::UNPROCESSABLE_ENTITY, "", &typed).await
        }
    }
}

async fn named(site: &Site, signed: &Signed, typed: &Typed) -> Result<(), DeskError> {
    let login = typed.login.parse().map_err(|_| DeskError::PersonGone)?;
    let person = find_person_by_login(&mut site.parts.store.begin_read().await?, &login).await?;
    let days = DAYS.iter().find(|(code, _)| *code == typed.days).and_then(|(code, _)| code.parse().ok()).unwrap_or(0);
    let ask = DeputyAsk {
        deputy: person.ok_or(DeskError::PersonGone)?.id,
        capacity: DeputyAs::of(&typed.capacity).ok_or(DeskError::Forbidden)?,
        starts_at: None,
        ends_at: site.now().plus_micros(DAY.saturating_mul(days)),
    };
    let who = signed.who();
    site.desk(async |desk| desk.name_deputy(who, ask).await).await.map(drop)
}

pub(super) async fn accept(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(deputy): Path<String>,
    form: Form,
) -> Response {
    changed(&site, &signed, (&deputy, form.version()), true).await
}

pub(super) async fn end(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(deputy): Path<String>,
    form: Form,
) -> Response {
    changed(&site, &signed, (&deputy, form.version()), false).await
}

async fn changed(site: &Site, signed: &Signed, (deputy, version): (&str, i64), accepts: bool) -> Response {
    let Some(deputy): Option<Id<Deputy>> = id(deputy) else { return unknown(signed.frame(site, None)) };
    let who = signed.who();
    let changed = site
        .desk(async |desk| {
            if accepts {
                desk.accept_deputy(who, deputy, version).await
            } else {
                desk.end_deputy(who, deputy, version).await
            }
        })
        .await;
    match changed {
        Ok(_) => done("/deputies", if accepts { "accepted" } else { "deputy-ended" }),
        Err(error) => not_done(site, signed, "/deputies/{id}", &error).await,
    }
}
