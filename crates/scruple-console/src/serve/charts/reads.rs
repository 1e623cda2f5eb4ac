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
    /// The area that it belongs to.
    area: Area,
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
                back: Some(format!("/roles/{}", one.held.role))
                    .filter(|_| signed.may(&pack, Act::Roles) && pack.roles.contains_key(one.held.role.as_str())),
                area: Area::Roles,
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
            let area = match found.held.kind {
                ElevationKind::Emergency { .. } => Area::Emergency,
                ElevationKind::Asked { .. } | ElevationKind::Declared(_) => Area::Requests,
            };
            Ok(may.then(|| Right {
                person: found.held.person,
                under: Coded { words, code: format!("Elevation/{elevation}") },
                back: back.filter(|_| agreed || request.is_none()),
                area,
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
                area: Area::Requests,
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
    Ok(Reads {
        frame: signed.frame(site, Some(right.area)),
        as_of: when(site.now()),
        under: right.under,
        person: requests::shown(site, right.person).await?,
        back: right.back,
        named: right.named,
        kinds,
        rows: shown(&rows, &facts),
        next,
    })
}

/// The reads as rows. One answer about several patients is one row, with how many they were.
fn shown(rows: &[ChartAccess], facts: &[AccessFacts]) -> Vec<ReadRow> {
    let mut shown: Vec<ReadRow> = Vec::new();
    let mut before: Option<(Timestamp, i64)> = None;
    for (one, facts) in rows.iter().zip(facts) {
        let answer = one.entry.filter(|_| facts.patients > 1).map(|entry| (one.at, entry));
        match shown.last_mut() {
            Some(last) if answer.is_some() && answer == before => {
                last.patient = format!("a list of {} patients", facts.patients);
            }
            _ => shown.push(row(one, facts)),
        }
        before = answer;
    }
    shown
}

fn row(one: &ChartAccess, facts: &AccessFacts) -> ReadRow {
    let kinds: Vec<String> = words::kinds(std::iter::once(facts)).into_iter().map(|kind| kind.words).collect();
    let what = match one.outcome {
        AccessOutcome::Refused => "refused".to_owned(),
        AccessOutcome::Opened if !kinds.is_empty() => kinds.join(", "),
        AccessOutcome::Opened | AccessOutcome::Nothing => "nothing was shown".to_owned(),
    };
    ReadRow {
        at: when(one.at),
        what,
        patient: said::chart_of_key(one.patient.expose()),
        entry: one.entry.map(|entry| format!("entry {entry} of the ledger")).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scruple_core::Phi;
    use scruple_store::AccessBasis;

    #[test]
    fn one_answer_about_many_patients_is_one_row_with_their_number() {
        const ID: &str = "0198c0de-0000-7000-8000-000000000001";
        let access = |patient: &str, entry: i64| ChartAccess {
            id: ID.parse().unwrap(),
            source: ID.parse().unwrap(),
            at: Timestamp::from_micros(entry),
            patient: Phi::new(format!("Patient/{patient}")),
            person: None,
            actor: Phi::new("ana".to_owned()),
            role: None,
            purpose: None,
            outcome: AccessOutcome::Opened,
            basis: AccessBasis::Role,
            grant: None,
            elevation: None,
            entry: Some(entry),
            outside: false,
            facts: Phi::new(Vec::new()),
        };
        let facts = |patients: u64| AccessFacts {
            types: [("Observation".to_owned(), 1)].into(),
            patients,
            ..AccessFacts::default()
        };
        let rows = [
            access("pat-0001", 7),
            access("pat-0002", 7),
            access("pat-0003", 7),
            access("pat-0001", 8),
            access("pat-0001", 9),
        ];
        let told = shown(&rows, &[facts(46), facts(46), facts(46), facts(46), facts(1)]);
        let patients: Vec<&str> = told.iter().map(|row| row.patient.as_str()).collect();
        assert_eq!(patients, ["a list of 46 patients", "chart ..0001", "chart ..0001"]);
        assert!(told.iter().all(|row| row.what == "results and vital signs"));
    }
}
