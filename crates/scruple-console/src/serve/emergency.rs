//! Reviews of emergencies: in groups of like cases, each by itself, and the reader's own sentence.

use super::{Form, Signed, Site, broken, charts, done, id, not_done, page, people, unknown, when, with_done, words};
use crate::pages::emergency::list::{Emergencies, Group, Other};
use crate::pages::emergency::one::{Case, Decide, EmergencyCase, Question};
use crate::pages::emergency::tell::Tell;
use crate::pages::parts::{Coded, Field, Happened, Person as Shown, When};
use crate::words::{Area, Mark, ReviewState as StateMark};
use aws_lc_rs::digest;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::DeskError;
use scruple_app::message::told_of;
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::{
    Elevation, ElevationKind, EmergencyReason, EmergencyReview, Finding, Person, ReviewState, Sentence,
};
use scruple_policy::Act;
use scruple_store::{
    Event, StoreError, find_elevation, find_review, list_closed_reviews, list_elevations, list_open_reviews,
    load_access,
};
use std::collections::BTreeMap;
use std::sync::Arc;

const MONTH_MICROS: i64 = 30 * words::DAY;

async fn name(site: &Site, person: Id<Person>) -> Result<String, StoreError> {
    people::name(&mut site.parts.store.begin_read().await?, person).await
}

/// A review with what it is of, where its reader works, and how often he does so.
struct Loaded {
    review: EmergencyReview,
    elevation: Elevation,
    unit: Option<String>,
    month: usize,
}

/// Why a review is no part of a group: what stands alone comes first, in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Alone {
    Protected,
    Awaited,
    Asked,
}

impl Alone {
    const fn sentence(self) -> &'static str {
        match self {
            Self::Protected => "Protected information was asked for too, so that it is decided by itself.",
            Self::Awaited => "The reader was asked and has not answered yet, so that it is decided by itself.",
            Self::Asked => "The reader was asked, so that it is decided by itself.",
        }
    }
}

impl Loaded {
    /// Whether it is decided by itself, as the desk has it, and why.
    fn alone(&self) -> Option<Alone> {
        let held = &self.elevation.held;
        self.review.stands_alone(held).then(|| match &self.review.state {
            _ if held.protected_at.is_some() => Alone::Protected,
            ReviewState::Asked { .. } => Alone::Awaited,
            _ => Alone::Asked,
        })
    }

    /// What the reader said by himself: since, or when he opened the chart. An answer is told with its question.
    fn said(&self) -> Option<String> {
        let before = Some(self.elevation.justification.expose().clone()).filter(|words| !words.is_empty());
        let is_answered = self.review.asked.as_ref().is_some_and(|asked| asked.answered_at.is_some());
        let since = self.review.account.as_ref().filter(|_| !is_answered).map(|account| account.expose().clone());
        since.or(before)
    }

    /// Whether the reader has said why, before or since.
    fn is_told(&self) -> bool {
        self.review.account.is_some() || !self.elevation.justification.expose().is_empty()
    }
}

async fn load(site: &Site, review: EmergencyReview) -> Result<Option<Loaded>, StoreError> {
    let now = site.now();
    let mut tx = site.parts.store.begin_read().await?;
    let Some(elevation) = find_elevation(&mut tx, review.elevation).await? else { return Ok(None) };
    let own = list_elevations(&mut tx, review.reader, None).await?;
    let since = now.plus_micros(-MONTH_MICROS);
    let month = own
        .iter()
        .filter(|one| match one.held.kind {
            ElevationKind::Emergency { reason, .. } => reason != EmergencyReason::Drill && one.granted_at >= since,
            _ => false,
        })
        .count();
    let unit = people::unit(&mut tx, review.reader).await?;
    Ok(Some(Loaded { review, elevation, unit, month }))
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

async fn case(site: &Site, signed: &Signed, loaded: &Loaded) -> Result<Case, StoreError> {
    let Loaded { review, elevation, month, .. } = loaded;
    let now = site.now();
    let until = elevation.ended.map_or(elevation.held.window.ends_at(), |end| end.at).min(now);
    let lasted = until.micros().saturating_sub(elevation.held.window.starts_at().micros());
    let pack = site.pack();
    let (read, reads) = charts::under(&mut site.parts.store.begin_read().await?, elevation.held.id).await?;
    Ok(Case {
        href: format!("/emergency/{}", review.id),
        person: Shown {
            href: String::new(),
            name: name(site, review.reader).await?,
            job: words::role(&pack, &elevation.held.role),
        },
        patient: words::chart(elevation.held.patient.id()),
        opened: when(elevation.granted_at),
        length: words::length(lasted),
        reason: reason(elevation),
        said: loaded.said(),
        not_given: Sentence::at(elevation.granted_at, loaded.is_told(), now) == Sentence::NotGiven,
        protected: elevation.held.protected_at.map(when),
        question: question(site, review).await?,
        chart: signed.may(&pack, Act::Charts).then(|| review.id.to_string()),
        next: assessed(site, loaded).await?,
        read,
        reads,
        beyond: Vec::new(),
        frequency: format!("{month} in 30 days."),
        flags: Vec::new(),
        due: when(review.due_at),
        state: mark(review, now),
    })
}

/// What the reader was asked, and the answer.
async fn question(site: &Site, review: &EmergencyReview) -> Result<Option<Question>, StoreError> {
    let (by, at, asked) = match (&review.asked, &review.state) {
        (Some(asked), _) => (asked.by, asked.at, asked.words.expose().clone()),
        // Asked before the words were kept.
        (None, ReviewState::Asked { by, at }) => (*by, *at, String::new()),
        (None, _) => return Ok(None),
    };
    let answered_at = review.asked.as_ref().and_then(|asked| asked.answered_at);
    let answer = answered_at.zip(review.account.as_ref()).map(|(at, account)| (when(at), account.expose().clone()));
    Ok(Some(Question { at: when(at), by: name(site, by).await?, words: asked, answer }))
}

/// What the record system says of the reader and the patient, when it was opened and a day later (or now).
async fn assessed(site: &Site, loaded: &Loaded) -> Result<Vec<(When, String)>, StoreError> {
    let (opened, held) = (loaded.elevation.granted_at, &loaded.elevation.held);
    let now = site.now();
    let access = load_access(&mut site.parts.store.begin_read().await?, held.person, now).await?;
    let practitioners: Vec<String> = access
        .map(|access| access.practitioners.iter().map(|one| one.as_str().to_owned()).collect())
        .unwrap_or_default();
    let later = opened.plus_micros(words::DAY).min(now);
    let (role, patient) = (held.role.as_str(), held.patient.id());
    let related = site.parts.pipeline.related(role, &practitioners, patient, &[opened, later]).await;
    let Ok(found) = related else {
        return Ok(vec![(when(now), "The record system does not answer; look again later.".to_owned())]);
    };
    let word = |on: &String| on.split(' ').next().unwrap_or_default().replace('_', " ");
    let mut told = Vec::new();
    let before = found.first().and_then(Option::as_ref).map(word);
    told.push((
        when(opened),
        match &before {
            Some(kind) => format!("The record system had the reader in the patient's {kind}."),
            None => "Nothing in the record system related the reader to the patient.".to_owned(),
        },
    ));
    if let (None, Some(kind)) = (before, found.get(1).and_then(Option::as_ref).map(word)) {
        told.push((when(later), format!("By then the record system had him in the patient's {kind}.")));
    }
    Ok(told)
}

pub(super) async fn list(State(site): State<Arc<Site>>, signed: Signed, RawQuery(query): RawQuery) -> Response {
    show_list(&site, &signed, &query.unwrap_or_default(), StatusCode::OK, None).await
}

/// Like cases that were not closed, with why and what was typed.
struct NotClosed<'a> {
    cases: &'a [String],
    error: &'a DeskError,
    typed: &'a str,
}

async fn show_list(
    site: &Site,
    signed: &Signed,
    query: &str,
    status: StatusCode,
    failed: Option<NotClosed<'_>>,
) -> Response {
    match build_list(site, signed, query, failed).await {
        Ok(view) => page(status, &view),
        Err(error) => {
            tracing::error!(error = %error, "emergencies cannot be listed");
            broken(signed.frame(site, Some(Area::Emergency)))
        }
    }
}

/// What makes cases alike: the role, the reason, the unit, and whether the reader has said why. What stands alone is like itself only.
type Likeness = (String, String, Option<String>, bool, Option<Id<EmergencyReview>>);

async fn build_list(
    site: &Site,
    signed: &Signed,
    query: &str,
    failed: Option<NotClosed<'_>>,
) -> Result<Emergencies, StoreError> {
    let now = site.now();
    let state = query.split('&').find_map(|pair| pair.strip_prefix("state=")).unwrap_or("open");
    let mut tx = site.parts.store.begin_read().await?;
    let open = list_open_reviews(&mut tx).await?;
    let (number, oldest) = (open.len(), open.iter().map(|one| one.opened_at).min());
    let chosen = match state {
        "closed" => list_closed_reviews(&mut tx, now).await?,
        "asked" => open.into_iter().filter(|one| matches!(one.state, ReviewState::Asked { .. })).collect(),
        _ => open,
    };
    drop(tx);
    let mut groups: BTreeMap<Likeness, Vec<Loaded>> = BTreeMap::new();
    for review in chosen {
        let Some(loaded) = load(site, review).await? else { continue };
        let role = loaded.elevation.held.role.to_string();
        let alone = loaded.alone().map(|_| loaded.review.id);
        let key = (role, reason(&loaded.elevation).code, loaded.unit.clone(), loaded.is_told(), alone);
        groups.entry(key).or_default().push(loaded);
    }
    let mut shown = Vec::new();
    for (number, members) in groups.into_values().enumerate() {
        let alone = members.first().and_then(Loaded::alone);
        let group = group(site, signed, (number, members.as_slice()), failed.as_ref()).await?;
        shown.extend(group.map(|group| ((alone.is_none(), alone, group.due.iso.clone()), group)));
    }
    shown.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(Emergencies {
        frame: with_done(signed.frame(site, Some(Area::Emergency)), query),
        csrf: signed.csrf.clone(),
        failed: failed.map(|failed| words::sentence(failed.error)),
        as_of: when(now),
        state: words::pick(&[("open", "to review"), ("asked", "reader asked"), ("closed", "closed")], state),
        open: number,
        oldest: oldest.map(|at| words::length(now.micros().saturating_sub(at.micros()))).unwrap_or_default(),
        groups: shown.into_iter().map(|(_, group)| group).collect(),
        export: String::new(),
    })
}

async fn group(
    site: &Site,
    signed: &Signed,
    (number, members): (usize, &[Loaded]),
    failed: Option<&NotClosed<'_>>,
) -> Result<Option<Group>, StoreError> {
    let (now, pack) = (site.now(), site.pack());
    let Some(drawn) = members.get(drawn_by_chance(members, now)) else { return Ok(None) };
    let due = members.iter().map(|one| one.review.due_at).min().unwrap_or(now);
    let is_open = !matches!(drawn.review.state, ReviewState::Closed(_));
    let mut others = Vec::new();
    for one in members.iter().filter(|one| one.review.id != drawn.review.id) {
        let (read, _) = charts::under(&mut site.parts.store.begin_read().await?, one.elevation.held.id).await?;
        others.push(Other {
            href: format!("/emergency/{}", one.review.id),
            name: name(site, one.review.reader).await?,
            opened: when(one.elevation.granted_at),
            patient: words::chart(one.elevation.held.patient.id()),
            said: one.said(),
            read,
        });
    }
    let mut alike = vec![format!("All of them by {}.", words::role(&pack, &drawn.elevation.held.role))];
    alike.extend(drawn.unit.as_ref().map(|unit| format!("All of them work on {unit}.")));
    let not_given =
        members.iter().all(|one| Sentence::at(one.elevation.granted_at, one.is_told(), now) == Sentence::NotGiven);
    let told = if drawn.is_told() {
        "Each reader has said why."
    } else if not_given {
        "No sentence was given before the shift ended."
    } else {
        "Nobody has said why yet."
    };
    alike.push(told.to_owned());
    // What nobody has explained is not closed in a heap.
    let cases: Vec<String> = if members.len() > 1 && drawn.is_told() {
        members.iter().map(|one| format!("{}:{}", one.review.id, one.review.version)).collect()
    } else {
        Vec::new()
    };
    let failed = failed.filter(|failed| !cases.is_empty() && cases.iter().any(|case| failed.cases.contains(case)));
    let note =
        failed.map_or_else(|| words::field(""), |failed| words::wrong(failed.typed, &words::sentence(failed.error)));
    let action =
        if cases.is_empty() { format!("/emergency/{}/decide", drawn.review.id) } else { "/emergency/alike".to_owned() };
    Ok(Some(Group {
        id: format!("g{number}"),
        reason: reason(&drawn.elevation),
        alike,
        count: members.len(),
        due: when(due),
        late: is_open && due <= now,
        alone: drawn.alone().filter(|_| is_open).map(|alone| alone.sentence().to_owned()),
        drawn: case(site, signed, drawn).await?,
        others,
        decide: is_open.then_some(Decide {
            action,
            version: drawn.review.version,
            cases,
            may_ask: drawn.review.asked.is_none(),
            note,
        }),
    }))
}

/// The place of the one that is read in full: another each day, the same for everybody who looks.
fn drawn_by_chance(members: &[Loaded], now: Timestamp) -> usize {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&now.micros().div_euclid(words::DAY).to_be_bytes());
    for one in members {
        context.update(one.review.id.uuid().as_bytes());
    }
    let number = context.finish().as_ref().iter().take(8).fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    usize::try_from(number.checked_rem(members.len() as u64).unwrap_or(0)).unwrap_or(0)
}

/// `POST /emergency/alike`: like cases, justified by one sentence.
pub(super) async fn alike(State(site): State<Arc<Site>>, signed: Signed, form: Form) -> Response {
    const ROUTE: &str = "/emergency/alike";
    let cases: Vec<String> = form.all("case").map(str::to_owned).collect();
    let parse = |case: &String| {
        let (review, version) = case.split_once(':')?;
        Some((id::<EmergencyReview>(review)?, version.parse::<i64>().ok()?))
    };
    let reviews: Option<Vec<_>> = cases.iter().map(parse).collect();
    let Some(reviews) = reviews.filter(|reviews| !reviews.is_empty()) else {
        return not_done(&site, &signed, ROUTE, &DeskError::Unknown).await;
    };
    let (who, typed) = (signed.who(), form.text("note").to_owned());
    let rationale = Phi::new(typed.clone());
    let closed = site
        .acts(async |desk| {
            let alike = desk.justify_alike(who, &reviews, &rationale).await?;
            Ok((alike, alike.position))
        })
        .await;
    match closed {
        Ok(alike) if alike.left == 0 => done("/emergency", "closed_alike"),
        Ok(_) => done("/emergency", "closed_some"),
        Err(error @ DeskError::Review(_)) => {
            site.refused(ROUTE, error.code(), Some(signed.person())).await;
            let failed = NotClosed { cases: &cases, error: &error, typed: &typed };
            show_list(&site, &signed, "", StatusCode::UNPROCESSABLE_ENTITY, Some(failed)).await
        }
        Err(error) => not_done(&site, &signed, ROUTE, &error).await,
    }
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
        history.extend(told(site, review).await?);
        if let Some(Question { at, by, words, answer }) = question(site, review).await? {
            let said = Some(words).filter(|words| !words.is_empty());
            history.push(Happened {
                at,
                mark: StateMark::Asked.mark(),
                sentence: format!("{by} asked the reader."),
                said,
            });
            history.extend(answer.map(|(at, said)| Happened {
                at,
                mark: Mark::good("Answered"),
                sentence: "The reader answered.".to_owned(),
                said: Some(said),
            }));
        }
        if let ReviewState::Closed(verdict) = &review.state {
            history.push(Happened {
                at: when(verdict.at),
                mark: mark(review, site.now()),
                sentence: format!("{} closed it: {}.", name(site, verdict.by).await?, verdict.finding.code()),
                said: Some(verdict.rationale.expose().clone()),
            });
        }
        let note = match failed {
            Some((error @ DeskError::Review(_), typed)) => words::wrong(typed, &words::sentence(error)),
            _ => words::field(""),
        };
        let action = format!("/emergency/{}/decide", review.id);
        let decide =
            Decide { action, version: review.version, cases: Vec::new(), may_ask: review.asked.is_none(), note };
        Ok::<_, StoreError>(EmergencyCase {
            frame: with_done(signed.frame(site, Some(Area::Emergency)), query),
            csrf: signed.csrf.clone(),
            failed: failed.map(|(error, _)| words::sentence(error)),
            case: case(site, signed, loaded).await?,
            decide: is_open.then_some(decide),
            history,
        })
    };
    match built.await {
        Ok(view) => page(status, &view),
        Err(_) => broken(signed.frame(site, Some(Area::Emergency))),
    }
}

/// Whom a message has told of it, and whom not.
async fn told(site: &Site, review: &EmergencyReview) -> Result<Vec<Happened>, StoreError> {
    let events = told_of(&mut site.parts.store.begin_read().await?, review.id).await?;
    let one = |event: &Event| {
        let body: serde_json::Value = serde_json::from_slice(event.body.expose()).ok()?;
        let channel = body.get("channel")?.as_str()?.to_owned();
        let (mark, sentence) = match event.kind.as_str() {
            "message_delivered" => {
                let number = body.get("recipients").and_then(serde_json::Value::as_u64).unwrap_or(1);
                let many = if number == 1 { "address" } else { "addresses" };
                (Mark::good("Told"), format!("A message by {channel} was taken for {number} {many}."))
            }
            "message_failed" => {
                (Mark::wait("Not told"), format!("A message by {channel} was not taken in three days."))
            }
            _ => return None,
        };
        Some(Happened { at: when(event.at), mark, sentence, said: None })
    };
    Ok(events.iter().filter_map(one).collect())
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
        .desk(async |desk| match finding {
            Some(finding) => desk.close_review(who, id, version, finding, rationale).await,
            None => desk.ask_reader(who, id, version, rationale).await,
        })
        .await;
    match decided {
        Ok(_) if finding == Some(Finding::Unjustified) && signed.may(&site.pack(), Act::Charts) => {
            done(&format!("/cases/{id}"), "case-opened")
        }
        Ok(_) => done("/emergency", if finding.is_some() { "closed" } else { "questioned" }),
        Err(error @ DeskError::Review(_)) => {
            site.refused("/emergency/{id}/decide", error.code(), Some(signed.person())).await;
            show(&site, &signed, &loaded, StatusCode::UNPROCESSABLE_ENTITY, "", Some((&error, &note))).await
        }
        Err(error) => not_done(&site, &signed, "/emergency/{id}/decide", &error).await,
    }
}

/// The reader's own review; another's is not there for him.
async fn own(site: &Site, signed: &Signed, review: &str) -> Result<Option<Loaded>, StoreError> {
    Ok(find(site, review).await?.filter(|loaded| loaded.review.reader == signed.person()))
}

pub(super) async fn telling(State(site): State<Arc<Site>>, signed: Signed, Path(review): Path<String>) -> Response {
    match own(&site, &signed, &review).await {
        Ok(Some(loaded)) => telling_page(&site, &signed, &loaded, StatusCode::OK, words::field("")),
        Ok(None) => unknown(signed.frame(&site, None)),
        Err(_) => broken(signed.frame(&site, None)),
    }
}

fn telling_page(site: &Site, signed: &Signed, loaded: &Loaded, status: StatusCode, account: Field) -> Response {
    let Loaded { review, elevation, .. } = loaded;
    let asked = matches!(review.state, ReviewState::Asked { .. });
    let question = review.asked.as_ref().filter(|_| asked).map(|asked| asked.words.expose().clone());
    let view = Tell {
        frame: signed.frame(site, None),
        csrf: signed.csrf.clone(),
        action: format!("/emergency/{}/tell", review.id),
        version: review.version,
        opened: when(review.opened_at),
        patient: words::chart(elevation.held.patient.id()),
        reason: reason(elevation),
        asked,
        question: question.unwrap_or_default(),
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
    let loaded = match own(&site, &signed, &review).await {
        Ok(Some(loaded)) => loaded,
        Ok(None) => return unknown(signed.frame(&site, None)),
        Err(_) => return broken(signed.frame(&site, None)),
    };
    let (who, id, version) = (signed.who(), loaded.review.id, form.version());
    let typed = form.text("account").to_owned();
    let account = Phi::new(typed.clone());
    let told = site.desk(async |desk| desk.tell_review(who, id, version, account).await).await;
    match told {
        Ok(_) => done("/", "told"),
        Err(error @ DeskError::Review(_)) => {
            site.refused("/emergency/{id}/tell", error.code(), Some(signed.person())).await;
            let account = words::wrong(&typed, &words::sentence(&error));
            telling_page(&site, &signed, &loaded, StatusCode::UNPROCESSABLE_ENTITY, account)
        }
        Err(error) => not_done(&site, &signed, "/emergency/{id}/tell", &error).await,
    }
}
