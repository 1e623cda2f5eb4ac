//! What was read under a right: by a request, an elevation, a grant.

use super::{ROWS_MAX, broken, id, page, unknown, when, words};
use crate::pages::charts::reads::{ReadRow, Reads};
use crate::pages::parts::Coded;
use crate::serve::{Signed, Site, kinds, requests, words as said};
use crate::words::Area;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::Rules as _;
use scruple_app::charts::AccessFacts;
use scruple_core::{Id, Timestamp};
use scruple_flow::{Elevation, ElevationKind, Grant, Person};
use scruple_policy::{Act, ActScope};
use scruple_store::{
    AccessOutcome, AfterAccess, ChartAccess, StoreError, Tx, find_elevation, find_grant, find_request,
    list_accesses_by_grant, list_accesses_under, list_elevations_of_request,
};
use std::sync::Arc;

/// A right under which something can have been read.
struct Right {
    person: Id<Person>,
    under: Coded,
    back: Option<String>,
    named: Vec<Coded>,
    /// What opened single charts; else it is a role.
    elevations: Vec<Id<Elevation>>,
    grant: Option<Id<Grant>>,
}

/// `GET /reads/{kind}/{id}`: of a `request`, a `chart` that was opened, a `role`.
pub(in crate::serve) async fn reads(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path((kind, right)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    let base = format!("/reads/{kind}/{right}");
    let built = async {
        let mut tx = site.parts.store.begin_read().await?;
        let Some(right) = find(&site, &signed, &mut tx, (&kind, &right)).await? else { return Ok(None) };
        build(&site, &signed, &mut tx, right, (&base, &query.unwrap_or_default())).await.map(Some)
    };
    let built: Result<Option<Reads>, StoreError> = built.await;
    match built {
        Ok(Some(view)) => page(StatusCode::OK, &view),
        Ok(None) => unknown(signed.frame(&site, Some(Area::Requests))),
        Err(error) => {
            tracing::error!(error = %error, "what was read cannot be listed");
            broken(signed.frame(&site, Some(Area::Requests)))
        }
    }
}

/// The right of an address, if whoever looks may know of it: whose it is, who agreed to it, and whoever looks into charts. What was
/// read in a role is for him and for them alone.
async fn find(
    site: &Site,
    signed: &Signed,
    tx: &mut Tx,
    (kind, right): (&str, &str),
) -> Result<Option<Right>, StoreError> {
    let pack = site.pack();
    let sees_charts = pack.scope(Act::Charts, &signed.roles) == Some(ActScope::All);
    let role = |code: &scruple_flow::RoleCode| Coded {
        words: format!("the role {}", said::role(&pack, code)),
        code: code.to_string(),
    };
    match kind {
        "role" => {
            let Some(grant) = id(right) else { return Ok(None) };
            let found = find_grant(tx, grant).await?;
            let found = found.filter(|one| sees_charts || one.held.person == signed.person());
            Ok(found.map(|one| Right {
                person: one.held.person,
                under: role(&one.held.role),
                back: None,
                named: Vec::new(),
                elevations: Vec::new(),
                grant: Some(grant),
            }))
        }
        "chart" => {
            let Some(elevation) = id(right) else { return Ok(None) };
            let Some(found) = find_elevation(tx, elevation).await? else { return Ok(None) };
            let (request, back) = match found.held.kind {
                ElevationKind::Asked { request } => {
                    (find_request(tx, request).await?, Some(format!("/requests/{request}")))
                }
                ElevationKind::Emergency { review, .. } if signed.may(&pack, Act::Reviews) => {
                    (None, Some(format!("/emergency/{review}")))
                }
                ElevationKind::Emergency { .. } | ElevationKind::Declared(_) => (None, None),
            };
            let agreed = request.as_ref().is_some_and(|request| signed.viewer.sees(&*pack, request, site.now()));
            let may = sees_charts || agreed || found.held.person == signed.person();
            let words = format!("one chart, opened on {}", when(found.granted_at).words);
            Ok(may.then(|| Right {
                person: found.held.person,
                under: Coded { words, code: format!("Elevation/{elevation}") },
                back: back.filter(|_| agreed || request.is_none()),
                named: kinds::named(&pack, &found.held.kinds),
                elevations: vec![elevation],
                grant: None,
            }))
        }
        "request" => {
            let Some(request) = id(right) else { return Ok(None) };
            let found = find_request(tx, request).await?;
            let Some(found) = found.filter(|one| sees_charts || signed.viewer.sees(&*pack, one, site.now())) else {
                return Ok(None);
            };
            let is_of_role = found.wanted.patients.is_empty();
            if is_of_role && !sees_charts && found.person != signed.person() {
                return Ok(None);
            }
            let opened = list_elevations_of_request(tx, request).await?;
            Ok(Some(Right {
                person: found.person,
                under: Coded {
                    words: format!("extra access, asked for on {}", when(found.submitted_at).words),
                    code: request.to_string(),
                },
                back: Some(format!("/requests/{request}")),
                named: if is_of_role {
                    vec![role(&found.wanted.role)]
                } else {
                    kinds::named(&pack, &found.wanted.kinds)
                },
                elevations: opened.iter().map(|one| one.held.id).collect(),
                // A role that was asked for is granted under the id of the request.
                grant: is_of_role.then(|| Id::from_uuid(request.uuid())),
            }))
        }
        _ => Ok(None),
    }
}

async fn build(
    site: &Site,
    signed: &Signed,
    tx: &mut Tx,
    right: Right,
    (base, query): (&str, &str),
) -> Result<Reads, StoreError> {
    let after = query.strip_prefix("after=").and_then(|text| text.split_once('.'));
    let after: AfterAccess =
        after.and_then(|(at, last)| Some((Timestamp::from_micros(at.parse().ok()?), id::<ChartAccess>(last)?)));
    let mut rows: Vec<ChartAccess> = Vec::new();
    if let Some(grant) = right.grant {
        rows.extend(list_accesses_by_grant(tx, grant, after).await?);
    }
    for elevation in &right.elevations {
        rows.extend(list_accesses_under(tx, *elevation, after).await?);
    }
    rows.sort_by_key(|one| (one.at, one.id));
    let more = rows.len() > ROWS_MAX;
    rows.truncate(ROWS_MAX);
    let next = rows.last().filter(|_| more);
    let next = next.map(|last| format!("{base}?after={}.{}", last.at.micros(), last.id));
    let facts: Vec<AccessFacts> = rows.iter().map(|one| AccessFacts::from_bytes(one.facts.expose())).collect();
    let kinds = words::kinds(
        rows.iter().zip(&facts).filter(|(one, _)| one.outcome == AccessOutcome::Opened).map(|(_, facts)| facts),
    );
    let row = |(one, facts): (&ChartAccess, &AccessFacts)| {
        let shown: Vec<String> = words::kinds(std::iter::once(facts)).into_iter().map(|kind| kind.words).collect();
        let what = match one.outcome {
            AccessOutcome::Refused => "refused".to_owned(),
            AccessOutcome::Opened if !shown.is_empty() => shown.join(", "),
            AccessOutcome::Opened | AccessOutcome::Nothing => "nothing was shown".to_owned(),
        };
        ReadRow {
            at: when(one.at),
            what,
            patient: said::chart_of_key(one.patient.expose()),
            entry: one.entry.map(|entry| format!("entry {entry} of the ledger")).unwrap_or_default(),
        }
    };
    Ok(Reads {
        frame: signed.frame(site, Some(Area::Requests)),
        as_of: when(site.now()),
        under: right.under,
        person: requests::shown(site, right.person).await?,
        back: right.back,
        named: right.named,
        kinds,
        rows: rows.iter().zip(&facts).map(row).collect(),
        next,
    })
}
