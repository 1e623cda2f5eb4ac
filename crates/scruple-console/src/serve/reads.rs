//! What managers opened, for the privacy office: all of it listed, more of it drawn than of others.

use super::{Signed, Site, broken, charts, page, people, when, words};
use crate::pages::parts::Person as Shown;
use crate::pages::tasks::reads::{ReadRow, Reads};
use crate::words::{Area, Mark};
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::charts::{AccessFacts, Sample, Sampled};
use scruple_app::limits::INDEX_WAIT_MAX;
use scruple_core::month_of;
use scruple_flow::RoleCode;
use scruple_policy::{OVERSIGHT_KINDS, Pack};
use scruple_store::{StoreError, find_task};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Months back that can be looked at.
const MONTHS_MAX: u32 = 72;

/// `GET /tasks/reads`
pub(super) async fn list(State(site): State<Arc<Site>>, signed: Signed, RawQuery(query): RawQuery) -> Response {
    match build(&site, &signed, &query.unwrap_or_default()).await {
        Ok(view) => page(StatusCode::OK, &view),
        Err(error) => {
            tracing::error!(error = %error, "what managers opened cannot be listed");
            broken(signed.frame(&site, Some(Area::Requests)))
        }
    }
}

/// The roles by which somebody leads: those that oversee by tasks.
fn leaders(pack: &Pack) -> Vec<RoleCode> {
    let overseeing = pack.tasks.keys().filter(|(_, kind)| OVERSIGHT_KINDS.contains(&kind.as_str()));
    let roles: BTreeSet<RoleCode> = overseeing.filter_map(|(role, _)| role.parse().ok()).collect();
    roles.into_iter().collect()
}

async fn build(site: &Site, signed: &Signed, query: &str) -> Result<Reads, StoreError> {
    let (now, pack) = (site.now(), site.pack());
    let back = query.split('&').find_map(|pair| pair.strip_prefix("back=")?.parse().ok()).unwrap_or(0);
    let back: u32 = std::cmp::min(back, MONTHS_MAX);
    let period = month_of(now, back).unwrap_or((now, now));
    // What was just opened is to be in it.
    let is_behind = match site.parts.pipeline.recorded() {
        Some(entries) => !site.parts.index.reach(entries, INDEX_WAIT_MAX).await,
        None => true,
    };
    let rates = site.parts.sample;
    let sample = Sample::draw(&site.parts.store, &leaders(&pack), period, rates).await?;
    let mut rows = Vec::with_capacity(sample.rows.len());
    // What was drawn comes first, and of both what came from outside.
    let mut order: Vec<&Sampled> = sample.rows.iter().collect();
    order.sort_by_key(|one| (!one.drawn, !one.access.outside));
    for one in order {
        rows.push(row(site, &pack, one).await?);
    }
    let least = match (sample.is_cut, is_behind) {
        (true, _) => " There are more than were looked at.",
        (false, true) => " What was opened in the last moments is not in it yet.",
        (false, false) => "",
    };
    Ok(Reads {
        frame: signed.frame(site, Some(Area::Requests)),
        as_of: when(now),
        month: period.0.to_string().chars().take(7).collect(),
        summary: format!(
            "Managers opened charts {} times, others {} times, {} of them from outside.{least}",
            sample.of_leaders, sample.of_others, sample.from_outside
        ),
        rates: format!(
            "Drawn are {} of a hundred accesses of managers and of those from outside, and {} of others: a house rule.",
            rates.leaders_percent, rates.others_percent
        ),
        rows,
        before: (back < MONTHS_MAX).then(|| format!("/tasks/reads?back={}", back + 1)),
    })
}

async fn row(site: &Site, pack: &Pack, one: &Sampled) -> Result<ReadRow, StoreError> {
    let access = &one.access;
    let mut tx = site.parts.store.begin_read().await?;
    let name = match access.person {
        Some(person) => people::name(&mut tx, person).await?,
        None => access.actor.expose().clone(),
    };
    let task = match access.elevation {
        Some(under) => find_task(&mut tx, scruple_core::Id::from_uuid(under.uuid())).await?,
        None => None,
    };
    let role = access.role.as_deref().and_then(|role| role.parse::<RoleCode>().ok());
    let facts = AccessFacts::from_bytes(access.facts.expose());
    Ok(ReadRow {
        person: Shown {
            href: access.person.map(|person| format!("/people/{person}")).unwrap_or_default(),
            name,
            job: role.map(|role| words::role(pack, &role)).unwrap_or_default(),
        },
        what: charts::opened(&facts),
        patient: words::chart_of_key(access.patient.expose()),
        at: when(access.at),
        mark: match (one.drawn, access.outside) {
            (true, true) => Mark::wait("Drawn, from outside"),
            (true, false) => Mark::wait("Drawn"),
            (false, true) => Mark::over("From outside"),
            (false, false) => Mark::over("Listed"),
        },
        task: task.map(|task| format!("/tasks/{}", task.order.id)),
    })
}
