//! Who is here, what they have, and its end.

use super::access::{Ending, device};
use super::auth::to_confirm;
use super::{
    Form, Signed, Site, broken, charts, done, exceptions, id, message, not_done, page, today, unknown, when, with_done,
    words,
};
use crate::pages::parts::{Happened, Order, Paging, Person as Shown, Sort};
use crate::pages::people::list::{People, PersonRow};
use crate::pages::people::person::{HeldRight, HeldSession, PersonPage};
use crate::pages::plain::confirm::Confirm;
use crate::words::{Area, Mark, PersonState};
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::directory::{DirectoryError, endings};
use scruple_app::{DoorError, Rules as _, steps_for};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::step::{Step, holds_until};
use scruple_flow::{ElevationKind, HeldElevation, Person};
use scruple_policy::{Act, ActScope, Pack};
use scruple_store::{
    StoreError, Tx, find_directory, find_elevation, find_grant, find_person, find_request, last_use, list_credentials,
    list_elevations, list_grants_of, list_persons, open_elevations, open_grants,
};
use std::sync::Arc;

/// Rows of a page.
const ROWS_MAX: usize = 50;
/// Lines of a person's history.
const HISTORY_MAX: usize = 50;

/// Whether a person is within what the console lets somebody see.
fn is_within(signed: &Signed, person: Id<Person>) -> bool {
    match signed.scope {
        ActScope::All => true,
        ActScope::Team => signed.reports.contains(&person),
        ActScope::Own => signed.person() == person,
    }
}

/// The next people of a list, after one.
async fn next(
    site: &Site,
    tx: &mut Tx,
    (signed, search): (&Signed, &str),
    after: Option<Id<Person>>,
) -> Result<Vec<Person>, StoreError> {
    if signed.scope == ActScope::All && search.is_empty() {
        return list_persons(tx, after).await;
    }
    if signed.scope == ActScope::All {
        let mut found = Vec::new();
        for id in site.roster.find(&site.parts.store, search, (after, ROWS_MAX + 1)).await? {
            found.extend(find_person(tx, id).await?);
        }
        return Ok(found);
    }
    let next = signed.reports.iter().find(|report| after.is_none_or(|after| **report > after));
    let found = match next {
        Some(report) => find_person(tx, *report).await?,
        None => None,
    };
    Ok(found.into_iter().collect())
}

/// The name of somebody; of whom nobody knows, none.
pub(super) async fn name(tx: &mut Tx, person: Id<Person>) -> Result<String, StoreError> {
    Ok(find_person(tx, person).await?.map(|person| person.name.into_inner()).unwrap_or_default())
}

/// The department or unit that the directory tells of somebody.
pub(super) async fn unit(tx: &mut Tx, person: Id<Person>) -> Result<Option<String>, StoreError> {
    let known = find_directory(tx, person).await?;
    Ok(known.and_then(|record| record.attributes.department).map(Phi::into_inner))
}

/// What the directory says of a person: title and department, and how he belongs to the house, if HR tells that.
pub(super) async fn job(tx: &mut Tx, person: &Person) -> Result<(String, Option<String>), StoreError> {
    let known = find_directory(tx, person.id).await?.map(|record| record.attributes);
    let Some(known) = known else { return Ok((person.login.expose().clone(), None)) };
    let parts: Vec<String> = [known.title, known.department].into_iter().flatten().map(Phi::into_inner).collect();
    let job = if parts.is_empty() { person.login.expose().clone() } else { parts.join(", ") };
    Ok((job, known.employment.map(|employment| employment.as_str().replace('_', " "))))
}

fn state(person: &Person, has_credentials: bool, now: Timestamp) -> PersonState {
    match person.left_at {
        Some(left) if left <= now => PersonState::Left,
        _ if has_credentials => PersonState::Active,
        _ => PersonState::Invited,
    }
}

pub(super) async fn list(State(site): State<Arc<Site>>, signed: Signed, RawQuery(query): RawQuery) -> Response {
    match build_list(&site, &signed, &query.unwrap_or_default()).await {
        Ok(view) => page(StatusCode::OK, &view),
        Err(error) => {
            tracing::error!(error = %error, "people cannot be listed");
            broken(signed.frame(&site, Some(Area::People)))
        }
    }
}

async fn build_list(site: &Site, signed: &Signed, query: &str) -> Result<People, StoreError> {
    let (now, pack) = (site.now(), site.pack());
    let pairs = scruple_fhir::search::decode_pairs(query).unwrap_or_default();
    let asked = |name: &str| pairs.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.trim());
    let search = asked("q").to_lowercase();
    let after: Option<Id<Person>> = id(asked("after"));
    let mut tx = site.parts.store.begin_read().await?;
    let mut rows = Vec::new();
    let (mut last, mut more) = (after, false);
    'pages: loop {
        let people = next(site, &mut tx, (signed, &search), last).await?;
        if people.is_empty() {
            break;
        }
        for person in people {
            if rows.len() == ROWS_MAX {
                more = true;
                break 'pages;
            }
            last = Some(person.id);
            let found =
                person.name.expose().to_lowercase().contains(&search) || person.login.expose().contains(&search);
            if !found {
                continue;
            }
            let held = open_grants(&mut tx, person.id, now).await?;
            let opened = open_elevations(&mut tx, person.id, now).await?;
            let has_credentials = !list_credentials(&mut tx, person.id).await?.is_empty();
            let (job, relation) = job(&mut tx, &person).await?;
            let rights: Vec<_> =
                held.iter().map(|one| one.id.uuid()).chain(opened.iter().map(|one| one.id.uuid())).collect();
            let mut used: Option<Timestamp> = None;
            for right in rights {
                used = used.max(last_use(&mut tx, right).await?);
            }
            rows.push(PersonRow {
                person: Shown { href: format!("/people/{}", person.id), name: person.name.expose().clone(), job },
                relation,
                roles: held
                    .iter()
                    .filter(|grant| grant.window.contains(now))
                    .map(|grant| words::role_coded(&pack, &grant.role))
                    .collect(),
                extra: opened.len(),
                used: used.map(when),
                state: state(&person, has_credentials, now).mark(),
            });
        }
    }
    let href = |after: Option<Id<Person>>| after.map(|after| format!("/people?after={after}"));
    let sort = || Sort { href: "/people".to_owned(), order: Order::Unsorted };
    Ok(People {
        frame: with_done(signed.frame(site, Some(Area::People)), query),
        as_of: when(now),
        search: asked("q").to_owned(),
        no_team: signed.scope == ActScope::Team && signed.reports.is_empty(),
        unit: words::pick(&[("", "Every unit")], ""),
        relation: words::pick(&[("", "Any")], ""),
        state: words::pick(&[("", "Any")], ""),
        by_name: sort(),
        by_used: sort(),
        paging: Paging {
            first: usize::from(!rows.is_empty()),
            last: rows.len(),
            all: rows.len(),
            before: None,
            after: href(last).filter(|_| more),
        },
        rows,
        export: String::new(),
    })
}

async fn find(site: &Site, signed: &Signed, person: &str) -> Result<Option<Person>, StoreError> {
    let Some(id) = id(person).filter(|id| is_within(signed, *id)) else { return Ok(None) };
    find_person(&mut site.parts.store.begin_read().await?, id).await
}

pub(super) async fn one(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(person): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let found = match find(&site, &signed, &person).await {
        Ok(Some(person)) => build(&site, &signed, person, &query.unwrap_or_default()).await,
        Ok(None) => return unknown(signed.frame(&site, Some(Area::People))),
        Err(error) => Err(error),
    };
    match found {
        Ok(view) => page(StatusCode::OK, &view),
        Err(error) => {
            tracing::error!(error = %error, "a person cannot be shown");
            broken(signed.frame(&site, Some(Area::People)))
        }
    }
}

async fn build(site: &Site, signed: &Signed, person: Person, query: &str) -> Result<PersonPage, StoreError> {
    let (now, pack) = (site.now(), site.pack());
    let mut tx = site.parts.store.begin_read().await?;
    let may_end = match pack.scope(Act::EndAccess, &signed.roles) {
        Some(ActScope::All) => true,
        Some(ActScope::Team) => signed.reports.contains(&person.id),
        Some(ActScope::Own) | None => false,
    };
    let mut rights = Vec::new();
    for held in open_grants(&mut tx, person.id, now).await? {
        let Some(grant) = find_grant(&mut tx, held.id).await? else { continue };
        let approver = find_person(&mut tx, grant.approved_by).await?;
        let role = pack.roles.get(held.role.as_str());
        rights.push(HeldRight {
            what: words::role_coded(&pack, &held.role),
            purpose: words::purpose(role.map(|role| role.purpose.as_str())),
            source: format!("the agreement of {}", when(grant.granted_at).words),
            approver: approver.map(|person| Shown {
                href: format!("/people/{}", person.id),
                name: person.name.into_inner(),
                job: String::new(),
            }),
            until: Some(when(held.window.ends_at())),
            left: Some(words::left(held.window.ends_at(), now)),
            used: last_use(&mut tx, held.id.uuid()).await?.map(when),
            odd: None,
            end: may_end.then(|| format!("/people/{}/end/role/{}", person.id, held.id)),
        });
    }
    for held in open_elevations(&mut tx, person.id, now).await? {
        let (source, approver) = source(&mut tx, &held).await?;
        rights.push(HeldRight {
            what: today::what(&held),
            purpose: words::purpose(held.purpose.as_deref()),
            source,
            approver,
            until: Some(when(held.window.ends_at())),
            left: Some(words::left(held.window.ends_at(), now)),
            used: last_use(&mut tx, held.id.uuid()).await?.map(when),
            odd: None,
            end: may_end.then(|| format!("/people/{}/end/chart/{}", person.id, held.id)),
        });
    }
    // What somebody opened is for the privacy office alone: not for managers, nor administrators.
    let uses = match pack.scope(Act::Charts, &signed.roles) {
        Some(_) => Some(charts::uses(&mut tx, &person, now).await?),
        None => None,
    };
    let has_credentials = !list_credentials(&mut tx, person.id).await?.is_empty();
    let (job, relation) = job(&mut tx, &person).await?;
    let manager = match find_directory(&mut tx, person.id).await?.and_then(|record| record.attributes.manager) {
        Some(manager) => find_person(&mut tx, manager).await?.map(|person| Shown {
            href: format!("/people/{}", person.id),
            name: person.name.into_inner(),
            job: String::new(),
        }),
        None => None,
    };
    drop(tx);
    let history = history(site, &pack, person.id).await?;
    let sessions = site.door(async |door| door.sessions(person.id).await).await.unwrap_or_default();
    let sessions = sessions.into_iter().filter(|_| may_end).map(|one| HeldSession {
        device: device(&one.device).to_owned(),
        shared: one.device == "shared",
        since: when(one.started_at),
        last: when(one.seen_at),
        end: format!("/people/{}/sessions", person.id),
    });
    let may_admit = signed.may(&pack, Act::Admit);
    Ok(PersonPage {
        frame: with_done(signed.frame(site, Some(Area::People)), query),
        csrf: signed.csrf.clone(),
        as_of: when(now),
        state: state(&person, has_credentials, now).mark(),
        relation: relation.unwrap_or_else(|| "not told by HR".to_owned()),
        manager,
        since: when(person.created_at),
        left: person.left_at.filter(|left| *left <= now).map(when),
        training: training(site, person.id).await?,
        rights,
        sessions: sessions.collect(),
        uses,
        history,
        leaves: (may_end && person.left_at.is_none_or(|left| left > now) && person.id != signed.person())
            .then(|| format!("/people/{}/leave", person.id)),
        give: Some(format!("/ask?subject={}", person.id)),
        enrol: may_admit.then(|| format!("/people/{}/enrol", person.id)),
        person: Shown { href: String::new(), name: person.name.into_inner(), job },
    })
}

/// Which steps somebody has taken of those that his roles ask for.
async fn training(site: &Site, person: Id<Person>) -> Result<(Mark, String), StoreError> {
    let steps = steps_for(&site.parts.store, &*site.pack(), (person, site.now())).await?.unwrap_or_default();
    let now = site.now();
    let holds = |(step, at): &&(Step, Option<Timestamp>)| at.is_some_and(|at| holds_until(step, at) > now);
    let (all, taken) = (steps.len(), steps.iter().filter(holds).count());
    Ok(match (all, taken) {
        (0, _) => (Mark::good("Nothing asked"), "No role of this person asks for a step.".to_owned()),
        (all, taken) if taken == all => (Mark::good("Complete"), format!("{all} of {all} steps are taken.")),
        (all, taken) => (Mark::wait("Incomplete"), format!("{taken} of {all} steps are taken.")),
    })
}

/// From where somebody has a chart open, and who agreed to it.
async fn source(tx: &mut Tx, held: &HeldElevation) -> Result<(String, Option<Shown>), StoreError> {
    let granted_at = find_elevation(tx, held.id).await?.map_or(held.window.starts_at(), |one| one.granted_at);
    let request = match held.kind {
        ElevationKind::Asked { request } => find_request(tx, request).await?,
        ElevationKind::Declared(_) => {
            return Ok((format!("the person's own word of {}", when(granted_at).words), None));
        }
        ElevationKind::Emergency { .. } => return Ok((format!("the emergency of {}", when(granted_at).words), None)),
    };
    let asked_at = request.as_ref().map_or(granted_at, |request| request.submitted_at);
    let approver = match exceptions::approver(request.as_ref()) {
        Some(by) => Some(Shown { href: format!("/people/{by}"), name: name(tx, by).await?, job: String::new() }),
        None => None,
    };
    Ok((format!("the request of {}", when(asked_at).words), approver))
}

/// What somebody had and has no more, and how the work here ended, each time; the last one first.
async fn history(site: &Site, pack: &Pack, person: Id<Person>) -> Result<Vec<Happened>, StoreError> {
    let mut told = over(site, pack, person).await?;
    told.extend(works(site, person).await?);
    told.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    Ok(told.into_iter().take(HISTORY_MAX).map(|(_, happened)| happened).collect())
}

/// The rights of somebody that are over: from when, until when, and who ended them.
async fn over(site: &Site, pack: &Pack, person: Id<Person>) -> Result<Vec<(Timestamp, Happened)>, StoreError> {
    let now = site.now();
    let mut tx = site.parts.store.begin_read().await?;
    let mut rights = Vec::new();
    for held in list_grants_of(&mut tx, person).await? {
        let ended = find_grant(&mut tx, held.id).await?.and_then(|grant| grant.revoked);
        rights.push((words::role(pack, &held.role), held.window, ended));
    }
    for one in list_elevations(&mut tx, person, None).await? {
        rights.push((today::what(&one.held).words, one.held.window, one.ended));
    }
    let mut told = Vec::new();
    for (what, window, ended) in rights {
        // A right that was ended after its time was over by itself.
        let ended = ended.filter(|end| end.at <= window.ends_at());
        let until = ended.map_or(window.ends_at(), |end| end.at);
        if until > now {
            continue;
        }
        let how = match ended {
            Some(end) if end.by == person => "it was given back".to_owned(),
            Some(end) => format!("{} ended it", name(&mut tx, end.by).await?),
            None => "it ended by itself".to_owned(),
        };
        let (from, to) = (when(window.starts_at()).words, when(until).words);
        let sentence = format!("{what}, from {from} until {to}; {how}.");
        told.push((until, Happened { at: when(until), mark: Mark::over("Over"), sentence, said: None }));
    }
    Ok(told)
}

/// How somebody's work here ended, each time.
async fn works(site: &Site, person: Id<Person>) -> Result<Vec<(Timestamp, Happened)>, StoreError> {
    let endings = endings(&site.parts.store, person).await.map_err(|error| match error {
        DirectoryError::Store(error) => error,
        // Reading has no other fault.
        _ => StoreError::NoEvent,
    })?;
    let mut tx = site.parts.store.begin_read().await?;
    let mut told = Vec::new();
    for ending in endings {
        let by = match ending.requested_by {
            Some(by) => name(&mut tx, by).await?,
            None => "The directory".to_owned(),
        };
        let mut sentence =
            format!("{by} told that the work here ended: {} rights were taken away", ending.removed.len());
        if let Some(heir) = ending.heir {
            let to = name(&mut tx, heir).await?;
            sentence.push_str(&format!(", {} things went to {to}", ending.passed_on.len()));
        }
        if !ending.waiting.is_empty() {
            sentence.push_str(&format!(", {} are still to be removed in connected systems", ending.waiting.len()));
        }
        let mark = match (ending.failed.is_empty(), ending.waiting.is_empty()) {
            (true, true) => Mark::over("Left"),
            (true, false) => Mark::wait("Left, not all taken"),
            (false, _) => Mark::bad("Left, not all taken"),
        };
        if !ending.failed.is_empty() {
            sentence.push_str(&format!(", and {} could not be taken", ending.failed.len()));
        }
        sentence.push('.');
        let at = ending.completed_at;
        told.push((at, Happened { at: when(at), mark, sentence, said: None }));
    }
    Ok(told)
}

/// `GET /people/{id}/leave`
pub(super) async fn confirm_leave(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(person): Path<String>,
) -> Response {
    match leaver(&site, &signed, &person).await {
        Ok(Some((owner, effects))) => {
            let view = Confirm {
                frame: signed.frame(&site, Some(Area::People)),
                csrf: signed.csrf.clone(),
                action: format!("/people/{person}/leave"),
                failed: None,
                question: format!("{} leaves now?", owner.name.expose()),
                effects,
                hidden: Vec::new(),
                reason: None,
                button: "Leaves now: end everything".to_owned(),
                back: format!("/people/{person}"),
            };
            page(StatusCode::OK, &view)
        }
        Ok(None) => unknown(signed.frame(&site, Some(Area::People))),
        Err(_) => broken(signed.frame(&site, Some(Area::People))),
    }
}

/// Somebody who is here and whose work somebody else may end, with what that does.
async fn leaver(site: &Site, signed: &Signed, person: &str) -> Result<Option<(Person, Vec<String>)>, StoreError> {
    let now = site.now();
    let found = find(site, signed, person).await?;
    let is_here = |one: &Person| one.left_at.is_none_or(|left| left > now) && one.id != signed.person();
    let Some(owner) = found.filter(is_here) else { return Ok(None) };
    let mut tx = site.parts.store.begin_read().await?;
    let roles = open_grants(&mut tx, owner.id, now).await?.len();
    let charts = open_elevations(&mut tx, owner.id, now).await?.len();
    drop(tx);
    let sessions = site.door(async |door| door.sessions(owner.id).await).await.unwrap_or_default().len();
    let counted =
        |number: usize, word: &str| scruple_app::times::counted(i64::try_from(number).unwrap_or(i64::MAX), word);
    let effects = vec![
        format!(
            "Ends {}, {} and {}, on every node within a second.",
            counted(roles, "role"),
            counted(charts, "open chart"),
            counted(sessions, "session")
        ),
        "What the person answers for goes to the manager above.".to_owned(),
        "Nothing comes back by itself: who begins again begins with nothing.".to_owned(),
    ];
    Ok(Some((owner, effects)))
}

/// `POST /people/{id}/leave`
pub(super) async fn leave(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(person): Path<String>,
    _: Form,
) -> Response {
    let owner = match leaver(&site, &signed, &person).await {
        Ok(Some((owner, _))) => owner,
        Ok(None) => return unknown(signed.frame(&site, Some(Area::People))),
        Err(_) => return broken(signed.frame(&site, Some(Area::People))),
    };
    let ended = site.directory(signed.person(), async |directory| directory.ends_now(owner.id).await).await;
    match ended {
        Ok(()) => done(&format!("/people/{person}"), "left"),
        Err(error) => {
            tracing::error!(error = %error, "a work here is not ended");
            broken(signed.frame(&site, Some(Area::People)))
        }
    }
}

pub(super) async fn confirm_end(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path((person, kind, right)): Path<(String, String, String)>,
) -> Response {
    let found = async {
        let Some(person) = find(&site, &signed, &person).await? else { return Ok(None) };
        let ending = Ending::find(&site, &kind, &right).await?.filter(|ending| ending.person() == person.id);
        Ok::<_, StoreError>(ending.map(|ending| (person, ending)))
    };
    match found.await {
        Ok(Some((owner, ending))) => {
            let here = site.door(async |door| door.sessions(owner.id).await).await.unwrap_or_default();
            let mut effects =
                vec!["Removes 1 right.".to_owned(), "It takes effect in 1 second, everywhere.".to_owned()];
            if !here.is_empty() {
                effects.push("The person is signed in now.".to_owned());
            }
            let view = Confirm {
                frame: signed.frame(&site, Some(Area::People)),
                csrf: signed.csrf.clone(),
                action: format!("/people/{person}/end/{kind}/{right}"),
                failed: None,
                question: format!("End {} of {}?", ending.name(&site.pack()), owner.name.expose()),
                effects,
                hidden: Vec::new(),
                reason: None,
                button: "End it now".to_owned(),
                back: format!("/people/{person}"),
            };
            page(StatusCode::OK, &view)
        }
        Ok(None) => unknown(signed.frame(&site, Some(Area::People))),
        Err(_) => broken(signed.frame(&site, Some(Area::People))),
    }
}

pub(super) async fn end(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path((person, kind, right)): Path<(String, String, String)>,
    _: Form,
) -> Response {
    let found = async {
        let Some(person) = find(&site, &signed, &person).await? else { return Ok(None) };
        Ok::<_, StoreError>(Ending::find(&site, &kind, &right).await?.filter(|ending| ending.person() == person.id))
    };
    match found.await {
        Ok(Some(ending)) => match ending.end(&site, &signed).await {
            Ok(()) => done(&format!("/people/{person}"), "ended"),
            Err(error) => not_done(&site, &signed, "/people/{id}/end/{kind}/{right}", &error).await,
        },
        Ok(None) => unknown(signed.frame(&site, Some(Area::People))),
        Err(_) => broken(signed.frame(&site, Some(Area::People))),
    }
}

pub(super) async fn end_sessions(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(person): Path<String>,
    _: Form,
) -> Response {
    match find(&site, &signed, &person).await {
        Ok(Some(owner)) => {
            let by = signed.person();
            let ended = site.door(async |door| door.end_sessions(owner.id, None, by).await).await;
            site.recorded(ended.ok()).await;
            done(&format!("/people/{person}"), "ended")
        }
        Ok(None) => unknown(signed.frame(&site, Some(Area::People))),
        Err(_) => broken(signed.frame(&site, Some(Area::People))),
    }
}

/// Makes a new one-time link, which is shown once to whoever asked for it.
pub(super) async fn enrol(
    State(site): State<Arc<Site>>,
    signed: Signed,
    Path(person): Path<String>,
    _: Form,
) -> Response {
    let Some(owner) = id::<Person>(&person).filter(|id| is_within(&signed, *id)) else {
        return unknown(signed.frame(&site, Some(Area::People)));
    };
    if !signed.session.stepped_up {
        return to_confirm(&format!("/people/{owner}"));
    }
    let by = signed.person();
    match site.door(async |door| door.invite(owner, by).await).await {
        Ok((secret, position)) => {
            site.recorded(Some(position)).await;
            let link = format!("/enrol?link={}", secret.expose().as_str());
            message(
                StatusCode::OK,
                signed.frame(&site, Some(Area::People)),
                "A link to set up sign-in",
                &[
                    "Give it to the person, and to nobody else. It works once, for a day, and opens no chart.",
                    "It is shown only now.",
                    &link,
                ],
                &[(&format!("/people/{person}"), "Back to the person")],
            )
        }
        Err(DoorError::OwnLink) => {
            site.refused("/people/{id}/enrol", "link_own", Some(by)).await;
            message(
                StatusCode::FORBIDDEN,
                signed.frame(&site, Some(Area::People)),
                "Somebody else makes a link for you",
                &[
                    "A link opens the console as its person. So that nobody vouches for himself, another person makes yours.",
                ],
                &[(&format!("/people/{person}"), "Back to the person")],
            )
        }
        Err(_) => unknown(signed.frame(&site, Some(Area::People))),
    }
}
