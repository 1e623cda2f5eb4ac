//! Reviews of emergencies: in groups of like cases, each by itself, and the reader's own sentence.

use super::{Form, Signed, Site, broken, charts, done, id, not_done, page, unknown, when, with_done, words};
use crate::pages::emergency::list::{Emergencies, Group};
use crate::pages::emergency::one::{Case, Decide, EmergencyCase};
use crate::pages::emergency::tell::Tell;
use crate::pages::parts::{Coded, Happened, Link, Person as Shown};
use crate::words::{Area, Mark, ReviewState as StateMark};
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::DeskError;
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::{Elevation, ElevationKind, EmergencyReview, Finding, Person, ReviewState};
use scruple_store::{StoreError, find_elevation, find_person, find_review, list_elevations, list_open_reviews};
use std::collections::BTreeMap;
use std::sync::Arc;

const MONTH_MICROS: i64 = 30 * 24 * 3_600_000_000;

async fn name(site: &Site, person: Id<Person>) -> Result<String, StoreError> {
    let found = find_person(&mut site.parts.store.begin_read().await?, person).await?;
    Ok(found.map(|person| person.name.into_inner()).unwrap_or_default())
}

/// A review with what it is of, and how often its reader does so.
struct Loaded {
    review: EmergencyReview,
    elevation: Elevation,
    month: usize,
}

async fn load(site: &Site, review: EmergencyReview) -> Result<Option<Loaded>, StoreError> {
    let now = site.now();
    let mut tx = site.parts.store.begin_read().await?;
    let Some(elevation) = find_elevation(&mut tx, review.elevation).await? else { return Ok(None) };
    let own = list_elevations(&mut tx, review.reader, None).await?;
    let since = now.plus_micros(-MONTH_MICROS);
    let month = own
        .iter()
        .filter(|one| matches!(one.held.kind, ElevationKind::Emergency { .. }) && one.granted_at >= since)
        .count();
    Ok(Some(Loaded { review, elevation, month }))
}

fn reason(elevation: &Elevation) -> Coded {
    match elevation.held.kind {
        ElevationKind::Emergency { reason, .. } => {
            Coded { words: words::emergency(reason).to_owned(), code: reason.code().to_owned() }
        }
        _ => Coded { words: String::new(), code: String::new() },
    }
}

fn mark(review: &EmergencyReview, now: Timestamp) -> Mark {
    match &review.state {
        ReviewState::Closed(verdict) if verdict.finding == Finding::Justified => StateMark::Justified,
        ReviewState::Closed(_) => StateMark::Case,
        _ if review.due_at <= now => StateMark::Late,
        ReviewState::Asked { .. } => StateMark::Asked,
        ReviewState::Open => StateMark::Open,
    }
    .mark()
}

async fn case(site: &Site, loaded: &Loaded) -> Result<Case, StoreError> {
    let Loaded { review, elevation, month } = loaded;
    let now = site.now();
    let until = elevation.ended.map_or(elevation.held.window.ends_at(), |end| end.at).min(now);
    let lasted = until.micros().saturating_sub(elevation.held.window.starts_at().micros());
    let said = review.account.as_ref().map(|account| account.expose().clone());
    let before = Some(elevation.justification.expose().clone()).filter(|words| !words.is_empty());
    let pack = site.pack();
    let (read, reads) = charts::under(&mut site.parts.store.begin_read().await?, elevation.held.id).await?;
    Ok(Case {
        href: format!("/emergency/{}", review.id),
        person: Shown {
            href: String::new(),
            name: name(site, review.reader).await?,
            job: words::role(&pack, &elevation.held.role),
        },
        patient: words::last_four(elevation.held.patient.id()),
        opened: when(elevation.granted_at),
        length: words::length(lasted),
        reason: reason(elevation),
        said: said.or(before),
        next: Vec::new(),
        read,
        reads,
        beyond: Vec::new(),
        frequency: format!("{month} in 30 days."),
        flags: Vec::new(),
        due: when(review.due_at),
        state: mark(review, now),
    })
}

pub(super) async fn list(State(site): State<Arc<Site>>, signed: Signed, RawQuery(query): RawQuery) -> Response {
    match build_list(&site, &signed, &query.unwrap_or_default()).await {
        Ok(view) => page(StatusCode::OK, &view),
        Err(error) => {
            tracing::error!(error = %error, "emergencies cannot be listed");
            broken(signed.frame(&site, Some(Area::Emergency)))
        }
    }
}

async fn build_list(site: &Site, signed: &Signed, query: &str) -> Result<Emergencies, StoreError> {
    let now = site.now();
    let open = list_open_reviews(&mut site.parts.store.begin_read().await?).await?;
    let (number, oldest) = (open.len(), open.iter().map(|one| one.opened_at).min());
    // Like cases: the same reason in the same role, told or not yet told.
    let mut groups: BTreeMap<(String, String, bool), Vec<Loaded>> = BTreeMap::new();
    for review in open {
        let Some(loaded) = load(site, review).await? else { continue };
        let key = (
            loaded.elevation.held.role.to_string(),
            reason(&loaded.elevation).code,
            loaded.review.account.is_some() || !loaded.elevation.justification.expose().is_empty(),
        );
        groups.entry(key).or_default().push(loaded);
    }
    let mut shown = Vec::new();
    for (number, ((_, _, told), members)) in groups.into_iter().enumerate() {
        let Some(drawn) = members.first() else { continue };
        let due = members.iter().map(|one| one.review.due_at).min().unwrap_or(now);
        let mut others = Vec::new();
        for one in members.iter().skip(1) {
            others.push(Link {
                href: format!("/emergency/{}", one.review.id),
                label: format!("{}, {}", name(site, one.review.reader).await?, when(one.elevation.granted_at).words),
            });
        }
        let pack = site.pack();
        shown.push(Group {
            id: format!("g{number}"),
            reason: reason(&drawn.elevation),
            alike: vec![
                format!("All of them by {}.", words::role(&pack, &drawn.elevation.held.role)),
                if told { "The reader has said why.".to_owned() } else { "Nobody has said why yet.".to_owned() },
            ],
            count: members.len(),
            due: when(due),
            late: due <= now,
            drawn: case(site, drawn).await?,
            others,
            decide: Decide {
                action: format!("/emergency/{}/decide", drawn.review.id),
                version: drawn.review.version,
                count: 1,
                note: words::field(""),
            },
        });
    }
    Ok(Emergencies {
        frame: with_done(signed.frame(site, Some(Area::Emergency)), query),
        csrf: signed.csrf.clone(),
        failed: None,
        as_of: when(now),
        unit: words::pick(&[("", "Every unit")], ""),
        state: words::pick(&[("", "Open")], ""),
        open: number,
        oldest: oldest.map(|at| words::length(now.micros().saturating_sub(at.micros()))).unwrap_or_default(),
        groups: shown,
        export: String::new(),
    })
}

async fn find(site: &Site, review: &str) -> Result<Option<Loaded>, StoreError> {
    let Some(id) = id(review) else { return Ok(None) };
    let found = find_review(&mut site.parts.store.begin_read().await?, id).await?;
    match found {
        Some(review) => load(site, review).await,
        None => Ok(None),
    }
}

pub(super) async fn one(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(review): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    match find(&site, &review).await {
        Ok(Some(loaded)) => show(&site, &signed, &loaded, StatusCode::OK, &query.unwrap_or_default(), None).await,
        Ok(None) => unknown(signed.frame(&site, Some(Area::Emergency))),
        Err(_) => broken(signed.frame(&site, Some(Area::Emergency))),
    }
}

async fn show(
    site: &Site,
    signed: &Signed,
    loaded: &Loaded,
    status: StatusCode,
    query: &str,
    failed: Option<(&DeskError, &str)>,
) -> Response {
    let built = async {
        let review = &loaded.review;
        let is_open = !matches!(review.state, ReviewState::Closed(_)) && review.reader != signed.person();
        let mut history = vec![Happened {
            at: when(review.opened_at),
            mark: StateMark::Open.mark(),
            sentence: format!("{} opened the chart in an emergency.", name(site, review.reader).await?),
            said: None,
        }];
        match &review.state {
            ReviewState::Asked { by, at } => history.push(Happened {
                at: when(*at),
                mark: StateMark::Asked.mark(),
                sentence: format!("{} asked the reader.", name(site, *by).await?),
                said: None,
            }),
            ReviewState::Closed(verdict) => history.push(Happened {
                at: when(verdict.at),
                mark: mark(review, site.now()),
                sentence: format!("{} closed it: {}.", name(site, verdict.by).await?, verdict.finding.code()),
                said: Some(verdict.rationale.expose().clone()),
            }),
            ReviewState::Open => {}
        }
        let note = match failed {
            Some((error @ DeskError::Review(_), typed)) => words::wrong(typed, &words::sentence(error)),
            _ => words::field(""),
        };
        let action = format!("/emergency/{}/decide", review.id);
        let decide = Decide { action, version: review.version, count: 1, note };
        Ok::<_, StoreError>(EmergencyCase {
            frame: with_done(signed.frame(site, Some(Area::Emergency)), query),
            csrf: signed.csrf.clone(),
            failed: failed.map(|(error, _)| words::sentence(error)),
            case: case(site, loaded).await?,
            decide: is_open.then_some(decide),
            history,
        })
    };
    match built.await {
        Ok(view) => page(status, &view),
        Err(_) => broken(signed.frame(site, Some(Area::Emergency))),
    }
}

pub(super) async fn decide(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(review): Path<String>,
    form: Form,
) -> Response {
    let loaded = match find(&site, &review).await {
        Ok(Some(loaded)) => loaded,
        Ok(None) => return unknown(signed.frame(&site, Some(Area::Emergency))),
        Err(_) => return broken(signed.frame(&site, Some(Area::Emergency))),
    };
    let (who, id, version) = (signed.who(), loaded.review.id, form.version());
    let note = form.text("note").to_owned();
    let finding = match form.text("decision") {
        "justified" => Some(Finding::Justified),
        "not" => Some(Finding::Unjustified),
        "ask" => None,
        _ => return not_done(&site, &signed, "/emergency/{id}/decide", &DeskError::Unknown).await,
    };
    let rationale = Phi::new(note.clone());
    let decided = site
        .desk(async |desk| {
            let done = match finding {
                Some(finding) => desk.close_review(who, id, version, finding, rationale).await?,
                None => desk.ask_reader(who, id, version).await?,
            };
            Ok(((), Some(done.position)))
        })
        .await;
    match decided {
        Ok(()) => done("/emergency", if finding.is_some() { "closed" } else { "questioned" }),
        Err(error @ DeskError::Review(_)) => {
            site.refused("/emergency/{id}/decide", error.code(), Some(signed.person())).await;
            show(&site, &signed, &loaded, StatusCode::UNPROCESSABLE_ENTITY, "", Some((&error, &note))).await
        }
        Err(error) => not_done(&site, &signed, "/emergency/{id}/decide", &error).await,
    }
}

/// The reader's own review; another's is not there for him.
async fn own(site: &Site, signed: &Signed, review: &str) -> Result<Option<EmergencyReview>, StoreError> {
    Ok(find(site, review).await?.map(|loaded| loaded.review).filter(|review| review.reader == signed.person()))
}

pub(super) async fn telling(State(site): State<Arc<Site>>, signed: Signed, Path(review): Path<String>) -> Response {
    match own(&site, &signed, &review).await {
        Ok(Some(review)) => telling_page(&site, &signed, &review, StatusCode::OK, words::field("")),
        Ok(None) => unknown(signed.frame(&site, None)),
        Err(_) => broken(signed.frame(&site, None)),
    }
}

fn telling_page(
    site: &Site,
    signed: &Signed,
    review: &EmergencyReview,
    status: StatusCode,
    account: crate::pages::parts::Field,
) -> Response {
    let view = Tell {
        frame: signed.frame(site, None),
        csrf: signed.csrf.clone(),
        action: format!("/emergency/{}/tell", review.id),
        version: review.version,
        opened: when(review.opened_at),
        asked: matches!(review.state, ReviewState::Asked { .. }),
        account,
    };
    page(status, &view)
}

pub(super) async fn tell(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(review): Path<String>,
    form: Form,
) -> Response {
    let review = match own(&site, &signed, &review).await {
        Ok(Some(review)) => review,
        Ok(None) => return unknown(signed.frame(&site, None)),
        Err(_) => return broken(signed.frame(&site, None)),
    };
    let (who, version, typed) = (signed.who(), form.version(), form.text("account").to_owned());
    let account = Phi::new(typed.clone());
    let told = site
        .desk(async |desk| {
            let done = desk.tell_review(who, review.id, version, account).await?;
            Ok(((), Some(done.position)))
        })
        .await;
    match told {
        Ok(()) => done("/", "told"),
        Err(error @ DeskError::Review(_)) => {
            site.refused("/emergency/{id}/tell", error.code(), Some(signed.person())).await;
            let account = words::wrong(&typed, &words::sentence(&error));
            telling_page(&site, &signed, &review, StatusCode::UNPROCESSABLE_ENTITY, account)
        }
        Err(error) => not_done(&site, &signed, "/emergency/{id}/tell", &error).await,
    }
}
