//! `GET /`: what waits for whoever looks.

use super::{Signed, Site, broken, charts, page, requests, when, with_done, words};
use crate::pages::parts::{Coded, Person};
use crate::pages::requests::list::RequestRow;
use crate::pages::today::home::{
    AnsweredRow, Count, Counted, EmergencyRow, EndingRow, QuestionRow, SentenceRow, Today,
};
use crate::words::{Area, ReviewState as Shown};
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use scruple_core::Timestamp;
use scruple_flow::{
    AccessRequest, ElevationKind, EmergencyReason, EmergencyReview, HeldElevation, Kinds, ReviewState, Sentence,
};
use scruple_policy::Act;
use scruple_store::{
    StoreError, find_elevation, find_person, list_open_reviews, list_open_reviews_of, list_pending_requests,
    list_requests_of, open_elevations, open_grants,
};
use std::sync::Arc;

/// What ends within so long stands on the page.
const SOON_MICROS: i64 = 7 * 24 * 3_600_000_000;
/// What was answered so long ago still stands on the page.
const ANSWERED_MICROS: i64 = 7 * 24 * 3_600_000_000;
/// Rows of a list here.
const ROWS_MAX: usize = 10;

pub(super) async fn show(State(site): State<Arc<Site>>, signed: Signed, RawQuery(query): RawQuery) -> Response {
    match build(&site, &signed, &query.unwrap_or_default()).await {
        Ok(view) => page(StatusCode::OK, &view),
        Err(error) => {
            tracing::error!(error = %error, "a home cannot be shown");
            broken(signed.frame(&site, Some(Area::Today)))
        }
    }
}

async fn build(site: &Site, signed: &Signed, query: &str) -> Result<Today, StoreError> {
    let (now, pack) = (site.now(), site.pack());
    let person = signed.person();
    let mut tx = site.parts.store.begin_read().await?;
    let own = list_requests_of(&mut tx, person, None).await?;
    let pending = list_pending_requests(&mut tx, now).await?;
    let reviews = list_open_reviews(&mut tx).await?;
    let own_reviews = list_open_reviews_of(&mut tx, person).await?;
    let elevations = open_elevations(&mut tx, person, now).await?;
    let grants = open_grants(&mut tx, person, now).await?;
    drop(tx);
    let mine: Vec<&AccessRequest> = own
        .iter()
        .filter(|request| matches!(words::state(request, now), crate::words::RequestState::Waiting))
        .take(ROWS_MAX)
        .collect();
    let may_decide = signed.may_or_stands_in(&pack, Act::Decide);
    let waits: Vec<&AccessRequest> =
        pending.iter().filter(|request| may_decide && signed.viewer.may_decide(request, now)).collect();
    let mut decide = Vec::new();
    for request in waits.iter().take(ROWS_MAX) {
        let stands = requests::standing(&mut site.parts.store.begin_read().await?, request, now).await?;
        decide.push(requests::row(site, request, &stands, true).await?);
    }
    let mut rows: Vec<RequestRow> = Vec::new();
    for request in mine {
        let stands = requests::standing(&mut site.parts.store.begin_read().await?, request, now).await?;
        rows.push(requests::row(site, request, &stands, false).await?);
    }
    let answered = answered(site, &own, now).await?;
    let oversees = signed.may_or_stands_in(&pack, Act::Reviews);
    let mut emergencies = Vec::new();
    for review in reviews.iter().filter(|_| oversees).take(ROWS_MAX) {
        emergencies.push(emergency(site, review).await?);
    }
    let counts = oversees.then(|| {
        let late = reviews.iter().any(|review| review.due_at <= now);
        vec![
            Count {
                href: "/requests?whose=all&state=waiting".to_owned(),
                number: pending.len().to_string(),
                counted: Counted::Requests,
                oldest: pending.iter().map(|one| one.submitted_at).min().map(|at| words::ago(at, now)),
                late: false,
            },
            Count {
                href: "/emergency".to_owned(),
                number: reviews.len().to_string(),
                counted: Counted::Emergencies,
                oldest: reviews.iter().map(|one| one.opened_at).min().map(|at| words::ago(at, now)),
                late,
            },
        ]
    });
    let soon = now.plus_micros(SOON_MICROS);
    let (mut questions, mut sentences) = (Vec::new(), Vec::new());
    for review in &own_reviews {
        if let ReviewState::Asked { at, .. } = review.state {
            questions.extend(question(site, review, at).await?);
        } else if review.account.is_none() {
            sentences.extend(sentence(site, review).await?);
        }
    }
    sentences.sort_by_key(|(place, _)| *place);
    let mut ending: Vec<(Timestamp, EndingRow)> = Vec::new();
    for grant in grants.iter().filter(|grant| grant.window.ends_at() <= soon) {
        let until = grant.window.ends_at();
        let shown = row("/access".to_owned(), vec![words::role_coded(&pack, &grant.role)], until, now);
        ending.push((until, shown));
    }
    for elevation in &elevations {
        let until = elevation.window.ends_at();
        ending.push((until, row("/access".to_owned(), vec![what_of(elevation)], until, now)));
    }
    ending.sort_by_key(|(until, _)| *until);
    Ok(Today {
        frame: with_done(signed.frame(site, Some(Area::Today)), query),
        as_of: when(now),
        counts,
        decide: may_decide.then_some(decide),
        emergencies: oversees.then_some(emergencies),
        enrolments: None,
        asked: charts::asked_of(site, person).await?,
        questions,
        sentences_more: sentences.len().saturating_sub(ROWS_MAX),
        sentences: sentences.into_iter().map(|(_, row)| row).take(ROWS_MAX).collect(),
        watched: if signed.may(&pack, Act::Charts) { Some(charts::watched(site).await?) } else { None },
        mine: rows,
        ending_more: ending.len().saturating_sub(ROWS_MAX),
        answered,
        ending: ending.into_iter().map(|(_, row)| row).take(ROWS_MAX).collect(),
    })
}

/// What came of somebody's requests lately, the last answer first.
async fn answered(site: &Site, own: &[AccessRequest], now: Timestamp) -> Result<Vec<AnsweredRow>, StoreError> {
    let mut found = Vec::new();
    for request in own {
        let stands = requests::standing(&mut site.parts.store.begin_read().await?, request, now).await?;
        if let Some(at) = stands.answered_at.filter(|at| at.plus_micros(ANSWERED_MICROS) > now) {
            found.push((at, request, stands));
        }
    }
    found.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
    found.truncate(ROWS_MAX);
    let mut rows = Vec::with_capacity(found.len());
    for (at, request, stands) in found {
        rows.push(AnsweredRow { request: requests::row(site, request, &stands, false).await?, at: when(at) });
    }
    Ok(rows)
}

fn row(href: String, what: Vec<Coded>, until: Timestamp, now: Timestamp) -> EndingRow {
    EndingRow { href, what, until: when(until), left: words::left(until, now) }
}

/// What the reader is asked about an emergency.
async fn question(site: &Site, review: &EmergencyReview, at: Timestamp) -> Result<Option<QuestionRow>, StoreError> {
    let elevation = find_elevation(&mut site.parts.store.begin_read().await?, review.elevation).await?;
    let Some(elevation) = elevation else { return Ok(None) };
    Ok(Some(QuestionRow {
        href: format!("/emergency/{}/tell", review.id),
        patient: words::chart(elevation.held.patient.id()),
        opened: when(review.opened_at),
        asked: when(at),
        words: review.asked.as_ref().map(|asked| asked.words.expose().clone()).unwrap_or_default(),
    }))
}

/// The sentence that an emergency still needs, with when it is due; none: it was given when the chart was opened, or it was a drill.
async fn sentence(site: &Site, review: &EmergencyReview) -> Result<Option<(Timestamp, SentenceRow)>, StoreError> {
    let elevation = find_elevation(&mut site.parts.store.begin_read().await?, review.elevation).await?;
    let Some(elevation) = elevation else { return Ok(None) };
    // A drill has its own words.
    let is_drill = matches!(elevation.held.kind, ElevationKind::Emergency { reason: EmergencyReason::Drill, .. });
    let is_given = is_drill || !elevation.justification.expose().is_empty();
    let due = Sentence::due(review.opened_at);
    let late = match Sentence::at(review.opened_at, is_given, site.now()) {
        Sentence::Given => return Ok(None),
        Sentence::Owed { .. } => false,
        Sentence::NotGiven => true,
    };
    let href = format!("/emergency/{}/tell", review.id);
    let row = SentenceRow {
        href,
        patient: words::chart(elevation.held.patient.id()),
        reason: reason(elevation.held.kind),
        opened: when(review.opened_at),
        due: when(due),
        late,
    };
    Ok(Some((due, row)))
}

/// A chart that is open, without saying whose.
pub(super) fn what(elevation: &HeldElevation) -> Coded {
    let words = match elevation.kind {
        ElevationKind::Asked { .. } if elevation.kinds == Kinds::Whole => "one chart, as asked",
        ElevationKind::Asked { .. } => "some kinds of information of one chart, as asked",
        ElevationKind::Declared(_) => "one chart, as you care for the patient",
        ElevationKind::Emergency { .. } => "one chart, in an emergency",
    };
    Coded { words: words.to_owned(), code: elevation.kind.code().to_owned() }
}

/// The same, with the end of the number by which one is told from another.
pub(super) fn what_of(elevation: &HeldElevation) -> Coded {
    let Coded { words, code } = what(elevation);
    Coded { words: format!("{words} ({})", words::last_four(elevation.patient.id())), code }
}

/// Why a chart was opened in an emergency.
fn reason(kind: ElevationKind) -> Coded {
    match kind {
        ElevationKind::Emergency { reason, .. } => {
            Coded { words: words::emergency(reason).to_owned(), code: reason.code().to_owned() }
        }
        _ => Coded { words: String::new(), code: String::new() },
    }
}

async fn emergency(site: &Site, review: &EmergencyReview) -> Result<EmergencyRow, StoreError> {
    let now = site.now();
    let mut tx = site.parts.store.begin_read().await?;
    let reader = find_person(&mut tx, review.reader).await?;
    let elevation = find_elevation(&mut tx, review.elevation).await?;
    let patient = elevation.as_ref().map(|one| words::chart(one.held.patient.id())).unwrap_or_default();
    let job = elevation.as_ref().map(|one| words::role(&site.pack(), &one.held.role)).unwrap_or_default();
    let reason =
        elevation.map_or_else(|| Coded { words: String::new(), code: String::new() }, |one| reason(one.held.kind));
    let state = match &review.state {
        _ if review.due_at <= now => Shown::Late,
        ReviewState::Asked { .. } => Shown::Asked,
        _ => Shown::Open,
    };
    Ok(EmergencyRow {
        href: format!("/emergency/{}", review.id),
        person: Person {
            href: String::new(),
            name: reader.map(|person| person.name.into_inner()).unwrap_or_default(),
            job,
        },
        patient,
        reason,
        opened: when(review.opened_at),
        due: when(review.due_at),
        state: state.mark(),
    })
}
