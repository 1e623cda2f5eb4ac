//! `/systems`: what connected systems really grant, for who answers for them, for whoever sees people, and for managers of theirs.

use super::words::DAY;
use super::{Form, Signed, Site, broken, done, id, message, page, people, unknown, when, with_done, words};
use crate::pages::parts::Person as Shown;
use crate::pages::systems::list::{DriftRow, ExceptForm, SystemRow, Systems, What};
use crate::words::Mark;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::directory::{Directory, DirectoryError, Done, SystemsReach};
use scruple_core::Id;
use scruple_flow::connected::{
    ConnectedSystem, ConnectorKind, Drift, DriftCause, DriftError, DriftKind, DriftState, ReadFailure, Removal,
    RemovalFailure,
};
use scruple_policy::{Act, Pack};
use scruple_store::{DriftFilter, Person, StoreError, Tx, find_system_right, list_connected_systems, list_drift};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows of a page.
const ROWS_MAX: usize = 25;
const DAYS: [(&str, &str); 4] = [("7", "7 days"), ("30", "30 days"), ("90", "90 days"), ("180", "180 days")];

/// What was typed, and why it was not taken.
struct Typed<'a> {
    drift: Id<Drift>,
    why: &'a str,
    days: &'a str,
    error: &'a DirectoryError,
}

/// `GET /systems`
pub(super) async fn list(State(site): State<Arc<Site>>, signed: Signed, RawQuery(query): RawQuery) -> Response {
    show(&site, &signed, StatusCode::OK, &query.unwrap_or_default(), None).await
}

async fn show(site: &Site, signed: &Signed, status: StatusCode, query: &str, typed: Option<Typed<'_>>) -> Response {
    match build(site, signed, query, typed.as_ref()).await {
        Ok(view) => page(status, &view),
        Err(error) => {
            tracing::error!(error = %error, "connected systems cannot be shown");
            broken(signed.frame(site, None))
        }
    }
}

async fn build(site: &Site, signed: &Signed, query: &str, typed: Option<&Typed<'_>>) -> Result<Systems, StoreError> {
    let after = query.split('&').find_map(|pair| pair.strip_prefix("after=")).and_then(id::<Drift>);
    let pack = site.pack();
    let reach = SystemsReach::new(&signed.viewer, &*pack);
    let looking = Looking { signed, pack: &pack };
    let mut tx = site.parts.store.begin_read().await?;
    let (mut all, mut last) = (BTreeMap::new(), None);
    loop {
        let found = list_connected_systems(&mut tx, last).await?;
        let Some(system) = found.last() else { break };
        last = Some(system.id);
        all.extend(found.into_iter().map(|system| (system.id, system)));
    }
    let mut systems = Vec::new();
    for system in all.values().filter(|system| reach.sees_all(system)) {
        systems.push(system_row(&mut tx, looking, system, reach.decides_all(system)).await?);
    }
    let (mut rows, mut last, mut next) = (Vec::new(), after, None);
    'pages: loop {
        let found = list_drift(&mut tx, DriftFilter::default(), last).await?;
        if found.is_empty() {
            break;
        }
        for drift in found {
            let Some(system) = all.get(&drift.system).filter(|system| reach.sees(system, &drift)) else {
                last = Some(drift.id);
                continue;
            };
            if rows.len() >= ROWS_MAX {
                next = last.map(|last| format!("/systems?after={last}"));
                break 'pages;
            }
            last = Some(drift.id);
            let typed = typed.filter(|typed| typed.drift == drift.id);
            rows.push(drift_row(&mut tx, looking, (system, &drift), reach.decides(system, &drift), typed).await?);
        }
    }
    Ok(Systems {
        frame: with_done(signed.frame(site, None), query),
        csrf: signed.csrf.clone(),
        as_of: when(site.now()),
        failed: typed.map(|typed| sentence(typed.error).to_owned()),
        systems,
        rows,
        next,
    })
}

/// Who looks, and at what he may.
#[derive(Clone, Copy)]
struct Looking<'a> {
    signed: &'a Signed,
    pack: &'a Pack,
}

impl Looking<'_> {
    async fn shown(self, tx: &mut Tx, person: Id<Person>) -> Result<Shown, StoreError> {
        let opens = self.signed.viewer.reaches(self.pack, Act::People, person);
        let href = if opens { format!("/people/{person}") } else { String::new() };
        Ok(Shown { href, name: people::name(tx, person).await?, job: String::new() })
    }
}

async fn system_row(
    tx: &mut Tx,
    looking: Looking<'_>,
    system: &ConnectedSystem,
    may_decide: bool,
) -> Result<SystemRow, StoreError> {
    Ok(SystemRow {
        code: system.code.to_string(),
        way: match system.kind {
            ConnectorKind::Scim => "by SCIM",
            ConnectorKind::File => "by a file that it writes",
        },
        owner: looking.shown(tx, system.owner).await?,
        state: match (system.read_at, system.failure) {
            (_, Some(_)) => Mark::bad("Not read"),
            (Some(_), None) => Mark::good("Read"),
            (None, None) => Mark::wait("Not read yet"),
        },
        read: system.read_at.map(when),
        failure: system.failure.map(not_read),
        removes_drift: system.removes_drift,
        read_now: may_decide.then(|| format!("/systems/{}/read", system.id)),
    })
}

const fn not_read(failure: ReadFailure) -> &'static str {
    match failure {
        ReadFailure::Unreachable => "it cannot be reached",
        ReadFailure::Timeout => "it did not answer in time",
        ReadFailure::Refused => "it does not take the token",
        ReadFailure::Busy => "it is busy or broken",
        ReadFailure::Malformed => "what it answers cannot be read",
        ReadFailure::Incomplete => "it did not show all of it, or nothing newer than before",
        ReadFailure::Empty => "it shows nobody at all",
        ReadFailure::TooLarge => "it shows more than is taken",
        ReadFailure::NotConfigured => "the configuration has no way to it",
    }
}

async fn drift_row(
    tx: &mut Tx,
    looking: Looking<'_>,
    (system, drift): (&ConnectedSystem, &Drift),
    may_decide: bool,
    typed: Option<&Typed<'_>>,
) -> Result<DriftRow, StoreError> {
    let right = match drift.right {
        Some(right) => find_system_right(tx, right).await?,
        None => None,
    };
    let person = match drift.person {
        Some(person) => Some(looking.shown(tx, person).await?),
        None => None,
    };
    let (said, until) = match &drift.state {
        DriftState::Excepted { reason, until, .. } => (Some(reason.expose().clone()), Some(when(*until))),
        _ => (None, None),
    };
    let is_open = drift.state == DriftState::Open;
    let may_except = is_open && drift.cause == DriftCause::Drift && drift.person != Some(looking.signed.person());
    Ok(DriftRow {
        system: system.code.to_string(),
        what: match drift.kind {
            DriftKind::Extra => What::Extra,
            DriftKind::Orphan => What::Orphan,
            DriftKind::Missing => What::Missing,
            DriftKind::Undecided => What::Undecided,
            DriftKind::Stale => What::Stale,
        },
        person,
        account: drift.account.as_ref().map(|there| there.expose().name.clone()).unwrap_or_default(),
        right: right.map(|right| right.there.expose().name.clone()).unwrap_or_default(),
        has_ended: drift.cause == DriftCause::Ended,
        since: when(drift.opened_at),
        state: match &drift.state {
            DriftState::Open => Mark::wait("To be decided"),
            DriftState::Asked(_) => Mark::wait("Being removed"),
            DriftState::Excepted { .. } => Mark::over("Let be"),
            DriftState::Confirmed { .. } | DriftState::Closed { .. } => Mark::over("Over"),
        },
        note: drift.removal().map(|removal| removal_note(system, removal)),
        said,
        until,
        version: drift.version,
        remove: (may_decide
            && drift.kind.is_removed()
            && (is_open || matches!(drift.state, DriftState::Excepted { .. })))
        .then(|| format!("/systems/drift/{}/remove", drift.id)),
        except: (may_decide && may_except).then(|| ExceptForm {
            action: format!("/systems/drift/{}/except", drift.id),
            why: match typed {
                Some(Typed { why, error: error @ DirectoryError::Drift(DriftError::Reason(_)), .. }) => {
                    words::wrong(why, sentence(error))
                }
                Some(typed) => words::field(typed.why),
                None => words::field(""),
            },
            days: words::pick(&DAYS, typed.map_or("30", |typed| typed.days)),
        }),
    })
}

/// How far a removal is.
fn removal_note(system: &ConnectedSystem, removal: &Removal) -> String {
    if system.kind == ConnectorKind::File {
        return "Who answers for the system removes it there by hand; the next file that shows it gone closes this."
            .to_owned();
    }
    let outcome = match removal.failure {
        None if removal.attempts == 0 => return "It is asked for, and tried next.".to_owned(),
        None => "the system took the order, and is read again",
        Some(RemovalFailure::Unreachable) => "the system cannot be reached",
        Some(RemovalFailure::Timeout) => "the system did not answer in time",
        Some(RemovalFailure::Refused) => "the system refuses",
        Some(RemovalFailure::Busy) => "the system is busy or broken",
        Some(RemovalFailure::StillThere) => "the system took the order, and still grants it",
    };
    let times = if removal.attempts == 1 { "once".to_owned() } else { format!("{} times", removal.attempts) };
    format!("Tried {times}; {outcome}. Next at {}.", when(removal.next_at).words)
}

/// Why nothing was done, with what to do.
const fn sentence(error: &DirectoryError) -> &'static str {
    match error {
        DirectoryError::Drift(DriftError::Reason(error)) => words::weak(*error),
        DirectoryError::Drift(DriftError::Own) => "Nobody lets a right of his own be. Somebody else has to decide.",
        DirectoryError::Drift(DriftError::Ended) => {
            "What has ended here is removed there. Ask for the role anew if it is needed."
        }
        DirectoryError::Drift(DriftError::Until) => "Drift is let be for at most 180 days.",
        DirectoryError::Changed | DirectoryError::Drift(_) => {
            "It has gone on meanwhile. Look at it again as it is now."
        }
        DirectoryError::By => "You are no longer known here. Call the service desk.",
        _ => "There is no such thing here.",
    }
}

/// Runs a use case of connected systems, and waits until it is in the ledger.
async fn act<T>(
    site: &Site,
    signed: &Signed,
    run: impl AsyncFnOnce(&mut Directory<'_>, SystemsReach<'_>) -> Result<Done<T>, DirectoryError>,
) -> Result<(), DirectoryError> {
    let (pack, mut rng) = (site.pack(), (site.parts.rng)());
    let (store, lease, clock) = (&site.parts.store, &site.parts.lease, site.parts.clock.as_ref());
    let mut directory = Directory { store, lease, clock, rng: &mut *rng, by: signed.person() };
    let done = run(&mut directory, SystemsReach::new(&signed.viewer, &*pack)).await?;
    site.recorded(done.position).await;
    Ok(())
}

async fn answer(
    site: &Site,
    signed: &Signed,
    (route, flash): (&'static str, &'static str),
    ran: Result<(), DirectoryError>,
) -> Response {
    let error = match ran {
        Ok(()) => return done("/systems", flash),
        Err(DirectoryError::Store(source)) => {
            tracing::error!(error = %source, "a use case failed");
            return broken(signed.frame(site, None));
        }
        Err(error) => error,
    };
    let (status, code) = match &error {
        DirectoryError::NoSystem => (StatusCode::NOT_FOUND, "unknown"),
        DirectoryError::Changed => (StatusCode::CONFLICT, "changed"),
        DirectoryError::By => (StatusCode::UNAUTHORIZED, "actor_gone"),
        DirectoryError::Drift(error) => (StatusCode::UNPROCESSABLE_ENTITY, error.code()),
        _ => (StatusCode::UNPROCESSABLE_ENTITY, "not_permitted"),
    };
    site.refused(route, code, Some(signed.person())).await;
    if status == StatusCode::NOT_FOUND {
        return unknown(signed.frame(site, None));
    }
    let links = [("/systems", "Connected systems")];
    message(status, signed.frame(site, None), "Nothing was changed", &[sentence(&error)], &links)
}

/// `POST /systems/{id}/read`
pub(super) async fn read(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(system): Path<String>,
    _: Form,
) -> Response {
    let Some(system) = id::<ConnectedSystem>(&system) else { return unknown(signed.frame(&site, None)) };
    let ran = act(&site, &signed, async |directory, reach| directory.want_reading(reach, system).await).await;
    answer(&site, &signed, ("/systems/{id}/read", "reading"), ran).await
}

/// `POST /systems/drift/{id}/remove`
pub(super) async fn remove(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(drift): Path<String>,
    form: Form,
) -> Response {
    let Some(drift) = id::<Drift>(&drift) else { return unknown(signed.frame(&site, None)) };
    let seen = (drift, form.version());
    let ran = act(&site, &signed, async |directory, reach| directory.remove_drift(reach, seen).await).await;
    answer(&site, &signed, ("/systems/drift/{id}/remove", "removing"), ran).await
}

/// `POST /systems/drift/{id}/except`
pub(super) async fn except(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(drift): Path<String>,
    form: Form,
) -> Response {
    const ROUTE: &str = "/systems/drift/{id}/except";
    let Some(drift) = id::<Drift>(&drift) else { return unknown(signed.frame(&site, None)) };
    let seen = (drift, form.version());
    let (why, days) = (form.text("why").to_owned(), form.text("days").to_owned());
    let count = DAYS.iter().find(|(code, _)| *code == days).and_then(|(code, _)| code.parse().ok()).unwrap_or(0);
    let until = site.now().plus_micros(DAY.saturating_mul(count));
    let ran =
        act(&site, &signed, async |directory, reach| directory.except_drift(reach, seen, (&why, until)).await).await;
    match ran {
        Err(error @ DirectoryError::Drift(DriftError::Reason(_))) => {
            site.refused(ROUTE, "reason_weak", Some(signed.person())).await;
            let typed = Typed { drift, why: &why, days: &days, error: &error };
            show(&site, &signed, StatusCode::UNPROCESSABLE_ENTITY, "", Some(typed)).await
        }
        ran => answer(&site, &signed, (ROUTE, "let-be"), ran).await,
    }
}
