//! `/search`: one search over all that somebody may see here. What is typed stands in no address: it may be anything.

use super::{Form, Signed, Site, broken, page, people, projects, when, words};
use crate::pages::parts::Link;
use crate::pages::search::{Found, FoundGroup, Search};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use scruple_app::{DeskError, Rules as _};
use scruple_core::Id;
use scruple_flow::Person;
use scruple_policy::{Act, ActScope};
use scruple_store::{
    StoreError, find_case, find_elevation, find_pack, find_person, find_question, find_request, find_review,
};
use std::sync::Arc;

/// Rows under one heading.
const ROWS_MAX: usize = 20;
/// Letters that are looked for: fewer would find everything.
const LETTERS_MIN: usize = 2;

/// Pages by what people call them, each with what it asks.
const PLACES: [(&str, &str, &str, Act); 17] = [
    ("/access", "My access", "sessions steps training unused end", Act::Access),
    ("/door", "A chart that does not open", "doors declare care emergency refused", Act::Ask),
    ("/ask", "Ask for extra access", "request role chart", Act::Ask),
    ("/requests", "Requests", "approve decide waiting", Act::Ask),
    ("/projects", "Projects", "assessment process research study", Act::Ask),
    ("/tasks", "Tasks of oversight and support", "ticket session vendor manager", Act::Ask),
    ("/deputies", "Deputies", "delegate stand in leave absence", Act::Access),
    ("/guide", "The rules in plain words", "hipaa minimum necessary regulation law", Act::Access),
    ("/exceptions", "Everything outside of a role", "exceptions register broad extra", Act::Exceptions),
    ("/emergency", "Emergencies to review", "break glass review", Act::Reviews),
    ("/emergency/figures", "Emergencies in numbers", "statistics break glass", Act::Reviews),
    ("/charts", "Who opened a chart", "history complaint access log patient", Act::Charts),
    ("/papers", "Complaints and their papers", "case counsel privilege staff", Act::Papers),
    ("/people", "People", "workforce staff leaver", Act::People),
    ("/people/findings", "What is wrong with accounts", "findings orphaned dormant idle shared", Act::People),
    ("/roles", "Roles", "mapping matrix policy", Act::Roles),
    ("/roles/versions", "Versions of the policy", "draft publish rollback replay", Act::Roles),
];

/// `GET /search`
pub(super) async fn ask(State(site): State<Arc<Site>>, signed: Signed) -> Response {
    answer(&site, &signed, "").await
}

/// `POST /search`
pub(super) async fn find(State(site): State<Arc<Site>>, signed: Signed, form: Form) -> Response {
    answer(&site, &signed, form.text("q")).await
}

async fn answer(site: &Site, signed: &Signed, asked: &str) -> Response {
    let groups = if asked.chars().count() < LETTERS_MIN { Ok(Vec::new()) } else { groups(site, signed, asked).await };
    match groups {
        Ok(groups) => {
            let view = Search {
                frame: signed.frame(site, None),
                csrf: signed.csrf.clone(),
                asked: asked.to_owned(),
                is_short: !asked.is_empty() && asked.chars().count() < LETTERS_MIN,
                groups,
            };
            page(StatusCode::OK, &view)
        }
        Err(error) => {
            tracing::error!(error = %error, "nothing can be looked for");
            broken(signed.frame(site, None))
        }
    }
}

async fn groups(site: &Site, signed: &Signed, asked: &str) -> Result<Vec<FoundGroup>, DeskError> {
    let wanted = asked.to_lowercase();
    let mut groups = vec![
        FoundGroup { heading: "By its number", rows: by_id(site, signed, asked).await? },
        FoundGroup { heading: "People", rows: of_people(site, signed, &wanted).await? },
        FoundGroup { heading: "Roles", rows: of_roles(site, signed, &wanted) },
        FoundGroup { heading: "Projects", rows: of_projects(site, signed, &wanted).await? },
        FoundGroup { heading: "Pages", rows: of_pages(site, signed, &wanted) },
        FoundGroup { heading: "Rules", rows: of_rules(&wanted) },
    ];
    for group in &mut groups {
        group.rows.truncate(ROWS_MAX);
    }
    groups.retain(|group| !group.rows.is_empty());
    Ok(groups)
}

fn found(href: String, label: String, about: String) -> Found {
    Found { link: Link { href, label }, about }
}

/// Whatever has this id, as far as somebody sees it where it stands.
async fn by_id(site: &Site, signed: &Signed, asked: &str) -> Result<Vec<Found>, DeskError> {
    let Some(any) = super::id::<Person>(asked) else { return Ok(Vec::new()) };
    let (pack, now, uuid) = (site.pack(), site.now(), any.uuid());
    let mut rows = Vec::new();
    let mut tx = site.parts.store.begin_read().await?;
    if let Some(request) = find_request(&mut tx, Id::from_uuid(uuid)).await?
        && signed.viewer.sees(&*pack, &request, now)
    {
        let about = format!("asked {}", when(request.submitted_at).words);
        rows.push(found(format!("/requests/{uuid}"), "A request for access".to_owned(), about));
    }
    if signed.may(&pack, Act::Reviews) {
        // An emergency is known by the record that it opened, too.
        let elevation = find_elevation(&mut tx, Id::from_uuid(uuid)).await?;
        let review = match elevation.map(|one| one.held.kind) {
            Some(scruple_flow::ElevationKind::Emergency { review, .. }) => Some(review),
            _ => Some(Id::from_uuid(uuid)),
        };
        if let Some(id) = review
            && let Some(review) = find_review(&mut tx, id).await?
        {
            let about = format!("opened {}", when(review.opened_at).words);
            rows.push(found(format!("/emergency/{}", review.id), "An emergency".to_owned(), about));
        }
    }
    if signed.may(&pack, Act::Charts) {
        if let Some(question) = find_question(&mut tx, Id::from_uuid(uuid)).await? {
            let about = format!("asked {}", when(question.asked_at).words);
            rows.push(found(format!("/charts/{uuid}"), "The history of a chart".to_owned(), about));
        }
        let case = find_case(&mut tx, Id::from_uuid(uuid)).await?;
        let who = signed.who();
        let case = site.read(async |desk| desk.told_of(who, case.into_iter().collect()).await).await?;
        rows.extend(case.iter().map(|case| {
            let about = format!("opened {}", when(case.opened_at).words);
            found(format!("/cases/{uuid}"), "A case".to_owned(), about)
        }));
    }
    if signed.may(&pack, Act::Roles)
        && let Some(version) = find_pack(&mut tx, Id::from_uuid(uuid)).await?
    {
        let about = format!("drafted {}", when(version.drafted_at).words);
        rows.push(found(format!("/roles/versions/{uuid}"), "A version of the policy".to_owned(), about));
    }
    if sees_person(site, signed, any)
        && let Some(person) = find_person(&mut tx, any).await?
    {
        rows.push(found(format!("/people/{uuid}"), person.name.expose().clone(), "a person".to_owned()));
    }
    drop(tx);
    let who = signed.who();
    let project = site.read(async |desk| desk.project(who, Id::from_uuid(uuid)).await).await;
    match project {
        Ok(project) => {
            let title = project.assessment.title.expose().clone();
            rows.push(found(format!("/projects/{uuid}"), title, "a project".to_owned()));
        }
        Err(DeskError::Unknown) => {}
        Err(error) => return Err(error),
    }
    Ok(rows)
}

fn sees_person(site: &Site, signed: &Signed, person: Id<Person>) -> bool {
    match site.pack().scope(Act::People, &signed.roles) {
        Some(ActScope::All) => true,
        Some(ActScope::Team) => signed.reports.contains(&person),
        Some(ActScope::Own) | None => false,
    }
}

async fn of_people(site: &Site, signed: &Signed, wanted: &str) -> Result<Vec<Found>, StoreError> {
    let Some(scope) = site.pack().scope(Act::People, &signed.roles) else { return Ok(Vec::new()) };
    let mut tx = site.parts.store.begin_read().await?;
    let is_wanted = |person: &Person| {
        person.name.expose().to_lowercase().contains(wanted) || person.login.expose().contains(wanted)
    };
    let mut all = Vec::new();
    if scope == ActScope::All {
        for id in site.roster.find(&site.parts.store, wanted, (None, ROWS_MAX)).await? {
            all.extend(find_person(&mut tx, id).await?);
        }
    } else {
        for report in &signed.reports {
            all.extend(find_person(&mut tx, *report).await?.filter(is_wanted));
        }
    }
    let mut rows = Vec::new();
    for person in all.into_iter().take(ROWS_MAX) {
        let (job, _) = people::job(&mut tx, &person).await?;
        rows.push(found(format!("/people/{}", person.id), person.name.into_inner(), job));
    }
    Ok(rows)
}

fn of_roles(site: &Site, signed: &Signed, wanted: &str) -> Vec<Found> {
    let pack = site.pack();
    if !signed.may(&pack, Act::Roles) {
        return Vec::new();
    }
    let all = pack.roles.values().filter(|role| !role.is_profile);
    let all = all.filter(|role| role.label.to_lowercase().contains(wanted) || role.name.contains(wanted));
    all.map(|role| {
        let purpose = words::purpose(Some(&role.purpose)).words;
        found(format!("/roles/{}", role.name), role.label.clone(), format!("for {purpose}"))
    })
    .collect()
}

async fn of_projects(site: &Site, signed: &Signed, wanted: &str) -> Result<Vec<Found>, DeskError> {
    let (who, now) = (signed.who(), site.now());
    let all = site.read(async |desk| desk.projects(who, None).await).await?;
    let all = all.into_iter().filter(|one| one.assessment.title.expose().to_lowercase().contains(wanted));
    Ok(all
        .map(|one| {
            let state = projects::mark(&one, now).word.to_lowercase();
            found(format!("/projects/{}", one.id), one.assessment.title.into_inner(), state)
        })
        .collect())
}

fn of_pages(site: &Site, signed: &Signed, wanted: &str) -> Vec<Found> {
    let pack = site.pack();
    let of_words = |label: &str, more: &str| label.to_lowercase().contains(wanted) || more.contains(wanted);
    let all = PLACES.iter().filter(|(.., act)| signed.may(&pack, *act));
    let all = all.filter(|(_, label, more, _)| of_words(label, more));
    all.map(|(href, label, ..)| found((*href).to_owned(), (*label).to_owned(), String::new())).collect()
}

fn of_rules(wanted: &str) -> Vec<Found> {
    let all = crate::guide::RULES.iter();
    let all = all
        .filter(|rule| [rule.title, rule.citation, rule.plain].iter().any(|text| text.to_lowercase().contains(wanted)));
    all.map(|rule| found(format!("/guide#{}", rule.id), rule.title.to_owned(), rule.citation.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::PLACES;
    use crate::serve::{Asks, ROUTES};

    #[test]
    fn a_page_that_is_found_is_a_route_that_asks_the_same() {
        for (href, label, _, act) in PLACES {
            let route = ROUTES.iter().find(|(method, path, _)| *method == "GET" && *path == href);
            assert_eq!(route.map(|(.., asks)| *asks), Some(Asks::Act(act)), "{label}");
        }
    }
}
