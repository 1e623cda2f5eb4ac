//! What is compared with the rows themselves: every state, whose yes it rests on, and who stands in for whom.

use crate::error::{Sound, broken, failed, same};
use crate::model::{Asked, Capacity, Model};
use crate::node::World;
use crate::perform::capacity;
use scruple_app::deputised;
use scruple_core::{Clock as _, Id};
use scruple_flow::{AccessRequest, DeputyState, Person, RequestState};
use scruple_store::{find_deputy, find_elevation, find_grant, find_person, find_request, find_review, find_session};
use std::collections::BTreeSet;

/// No state is in the database but those that should be.
pub(crate) async fn states(world: &World, model: &Model) -> Sound<()> {
    let Some(node) = world.nodes.first() else { return Ok(()) };
    let doing = failed("reading states");
    let mut tx = node.store.begin_read().await.map_err(&doing)?;
    for (number, asked) in model.asked.iter().enumerate() {
        let found = find_request(&mut tx, Id::from_uuid(asked.id)).await.map_err(&doing)?;
        let Some(found) = found else { return broken("one-entry", format!("request {number} is not there")) };
        let wanted = &found.wanted;
        let patients: BTreeSet<String> = wanted.patients.iter().map(|one| one.id().to_owned()).collect();
        let expected: BTreeSet<String> = asked.patients.iter().map(|one| crate::model::patient(*one)).collect();
        let (found_of, expected_of) = (wanted.kinds.to_string(), asked.kinds.to_string());
        same(
            "never-wider",
            &format!("request {number}"),
            &(patients, found_of, wanted.window.ends_at()),
            &(expected, expected_of, asked.until),
        )?;
        let state = (found.state.code(), found.version);
        same("no-silence-is-yes", &format!("request {number}"), &state, &(asked.outcome.code(), asked.version))?;
        let before = asked.extends.map(|before| (model.asked[before.request].id, before.number, before.since));
        let extends = found.extends.map(|before| (before.request.uuid(), before.number, before.since));
        same("never-wider", &format!("what request {number} prolongs"), &extends, &before)?;
        approvals(model, (number, asked), &found)?;
    }
    for (number, given) in model.given.iter().enumerate() {
        let found = find_grant(&mut tx, Id::from_uuid(given.id)).await.map_err(&doing)?;
        let Some(found) = found else { return broken("one-entry", format!("grant {number} is not there")) };
        let state = (found.held.window.ends_at(), found.revoked.map(|end| end.at), found.version);
        same("as-of", &format!("grant {number}"), &state, &(given.until, given.ended, given.version))?;
    }
    for (number, chart) in model.charts.iter().enumerate() {
        let found = find_elevation(&mut tx, Id::from_uuid(chart.id)).await.map_err(&doing)?;
        let Some(found) = found else { return broken("one-entry", format!("chart {number} is not there")) };
        let state = (found.held.window.ends_at(), found.ended.map(|end| end.at), found.version);
        same("as-of", &format!("chart {number}"), &state, &(chart.until, chart.ended, chart.version))?;
        let (opens, expected) = (found.held.kinds.to_string(), chart.kinds.to_string());
        same("never-wider", &format!("what chart {number} opens"), &opens, &expected)?;
    }
    for (number, one) in model.stand_ins.iter().enumerate() {
        let found = find_deputy(&mut tx, Id::from_uuid(one.id)).await.map_err(&doing)?;
        let Some(found) = found else { return broken("one-entry", format!("deputy {number} is not there")) };
        let state = match found.state {
            DeputyState::Named => (false, false),
            DeputyState::Accepted { .. } => (true, false),
            DeputyState::Ended { accepted, .. } => (accepted.is_some(), true),
        };
        same(
            "two-people",
            &format!("deputy {number}"),
            &(state, found.window.ends_at(), found.version),
            &((one.is_accepted, one.is_ended), one.until, one.version),
        )?;
    }
    for (number, review) in model.reviews.iter().enumerate() {
        let found = find_review(&mut tx, Id::from_uuid(review.id)).await.map_err(&doing)?;
        let found = found.map(|found| (found.state.code(), found.version));
        same("no-silence-is-yes", &format!("review {number}"), &found, &Some((review.look.code(), review.version)))?;
    }
    for (number, staff) in model.people.iter().enumerate() {
        let found = find_person(&mut tx, staff.id).await.map_err(&doing)?;
        let left = found.and_then(|found| found.left_at);
        same("default-deny", &format!("person {number} left"), &left, &staff.left)?;
        // Whoever has left is signed in nowhere.
        let hash = [u8::try_from(number).unwrap_or(0); 32];
        let session = find_session(&mut tx, hash).await.map_err(&doing)?;
        let open = session.is_some_and(|session| session.ended_at.is_none());
        same("default-deny", &format!("session of person {number}"), &open, &!staff.sessions.is_empty())?;
    }
    Ok(())
}

/// Whose yes a request has, in whose place, and as what: of as many people as are needed, of whom none asks or gets.
fn approvals(model: &Model, (number, asked): (usize, &Asked), found: &AccessRequest) -> Sound<()> {
    let (RequestState::Pending { approvals } | RequestState::Approved { approvals, .. }) = &found.state else {
        return Ok(());
    };
    let id = |person: usize| model.people[person].id;
    let told: BTreeSet<(Id<Person>, Option<Id<Person>>, String)> =
        approvals.iter().map(|one| (one.by, one.acting_for, one.kind.to_string())).collect();
    let expected: BTreeSet<(Id<Person>, Option<Id<Person>>, String)> =
        asked.approvals.iter().map(|one| (id(one.by), one.acting_for.map(id), one.need.code().to_owned())).collect();
    same("two-people", &format!("who has approved request {number}"), &told, &expected)?;
    // A principal and his deputy are one.
    let names: Vec<Id<Person>> = approvals.iter().flat_map(|one| [Some(one.by), one.acting_for]).flatten().collect();
    let people: BTreeSet<Id<Person>> = names.iter().copied().collect();
    let is_approved = matches!(found.state, RequestState::Approved { .. });
    let alone = people.contains(&found.person)
        || people.contains(&found.requested_by)
        || people.len() < names.len()
        || is_approved && approvals.len() < asked.needs.len();
    same("two-people", &format!("request {number} was approved by too few"), &alone, &false)
}

/// For whom everybody who is here stands in now.
pub(crate) async fn stand_ins(world: &World, model: &Model) -> Sound<()> {
    let (now, doing) = (world.clock.now(), failed("reading deputies"));
    let Some(node) = world.nodes.first() else { return Ok(()) };
    let mut tx = node.store.begin_read().await.map_err(failed("reading deputies"))?;
    for (person, staff) in model.people.iter().enumerate().filter(|(_, staff)| staff.left.is_none()) {
        for of in Capacity::ALL {
            let found = deputised(&mut tx, (staff.id, capacity(of)), now).await.map_err(&doing)?;
            let found: Vec<Id<Person>> = found.into_iter().map(|one| one.person).collect();
            let expected = model.principals(person, of, now).into_iter();
            let expected: Vec<Id<Person>> = expected.map(|principal| model.people[principal].id).collect();
            same("two-people", &format!("for whom person {person} stands in as {of:?}"), &found, &expected)?;
        }
    }
    Ok(())
}
