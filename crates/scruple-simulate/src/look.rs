//! What is compared after each step: on every node, for everybody, now and at each instant at which something begins or ends.

use crate::error::{Sound, broken, failed, same};
use crate::model::Model;
use crate::node::{Node, World};
use crate::rules::{BILLER, NURSE, ROLES};
use scruple_app::limits::FEED_FRESH_MICROS;
use scruple_app::{AccessError, Held, select_role};
use scruple_core::{Clock as _, Id, Timestamp};
use scruple_store::{find_elevation, find_grant, find_person, find_request, find_review, find_session};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Instants at which what is held is compared ahead.
const AHEAD_MAX: usize = 6;

/// What a node answered last, by person, so that only what is new is compared ahead; and when it last looked.
#[derive(Default)]
pub(crate) struct Looked {
    held: BTreeMap<(usize, usize), Arc<Held>>,
    at: BTreeMap<usize, Timestamp>,
}

impl Looked {
    /// After a crash nothing was answered yet.
    pub fn forget(&mut self) {
        self.held.clear();
        self.at.clear();
    }
}

/// Lets the nodes look at the feed and compares what they answer with what should be. `all`: each node; else the first alone,
/// and the others must say nothing once they have not looked for too long.
pub(crate) async fn look(world: &World, model: &Model, looked: &mut Looked, all: bool) -> Sound<()> {
    let now = world.clock.now();
    for (number, node) in world.nodes.iter().enumerate() {
        if number > 0 && !all {
            let at = looked.at.get(&number);
            if at.is_none_or(|at| now.micros() - at.micros() > FEED_FRESH_MICROS) {
                is_silent(node, model, now).await?;
            }
            continue;
        }
        node.follower.poll().await.map_err(failed("looking at the feed"))?;
        looked.at.insert(number, now);
        for (person, staff) in model.people.iter().enumerate() {
            let held = node.cache.held(&staff.login, now).await.map_err(failed("asking the cache"))?;
            let Some(held) = held else { return broken("default-deny", format!("person {person} is not known")) };
            let ahead = looked.held.get(&(number, person)).is_none_or(|before| !Arc::ptr_eq(before, &held));
            compare(model, person, &held, now)?;
            if ahead {
                // Nothing but the clock decides (expiry-at-decision).
                for instant in model.instants(now).into_iter().take(AHEAD_MAX) {
                    for micros in [-1, 0, 1] {
                        compare(model, person, &held, instant.plus_micros(micros).max(now))?;
                    }
                }
                looked.held.insert((number, person), held);
            }
        }
    }
    Ok(())
}

/// Whom nobody knows is told nothing, on each node.
pub(crate) async fn nobody(world: &World) -> Sound<()> {
    for node in &world.nodes {
        let nobody = node.cache.held("canary7f-nobody", world.clock.now()).await.map_err(failed("asking the cache"))?;
        same("default-deny", "somebody whom nobody knows", &nobody.is_some(), &false)?;
    }
    Ok(())
}

/// What is not known to be true is not told.
pub(crate) async fn is_silent(node: &Node, model: &Model, now: Timestamp) -> Sound<()> {
    for (person, staff) in model.people.iter().enumerate() {
        let told = node.cache.try_held(&staff.login, now).is_some();
        let stale = matches!(node.cache.held(&staff.login, now).await, Err(AccessError::Stale));
        same(
            "default-deny",
            &format!("person {person} from a cache that has not looked"),
            &(told, stale),
            &(false, true),
        )?;
    }
    Ok(())
}

/// What one person holds at an instant.
fn compare(model: &Model, person: usize, held: &Held, at: Timestamp) -> Sound<()> {
    let expected = model.roles(person, at);
    let found: BTreeSet<&str> = held.active(at).map(|active| active.role.as_str()).collect();
    if found != expected {
        let broke = if found.is_subset(&expected) { "care-continues" } else { "expiry-at-decision" };
        return broken(broke, format!("person {person} at {at} holds {found:?}, should hold {expected:?}"));
    }
    for role in ROLES {
        let selected = select_role(held, &[role.to_owned()], at).is_ok();
        same("never-wider", &format!("person {person} at {at} acts as {role}"), &selected, &expected.contains(role))?;
    }
    for role in [NURSE, BILLER] {
        let Ok(code) = role.parse() else { continue };
        for (purpose, emergencies) in [("TREAT", false), ("BTG", true)] {
            let found: BTreeSet<String> = held.opened(&code, purpose, at).into_keys().collect();
            let expected = model.charts(person, role, emergencies, at);
            let expected: BTreeSet<String> = expected.into_iter().map(crate::model::patient).collect();
            let what = format!("charts of person {person} as {role} for {purpose} at {at}");
            same("expiry-at-decision", &what, &found, &expected)?;
        }
    }
    Ok(())
}

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
        same(
            "never-wider",
            &format!("request {number}"),
            &(patients, wanted.window.ends_at()),
            &(expected, asked.until),
        )?;
        let state = (found.state.code(), found.version);
        same("no-silence-is-yes", &format!("request {number}"), &state, &(asked.outcome.code(), asked.version))?;
        if let scruple_flow::RequestState::Approved { approvals, .. } = &found.state {
            let by: BTreeSet<_> = approvals.iter().map(|one| one.by).collect();
            let alone = by.contains(&found.person) || by.contains(&found.requested_by) || by.len() < asked.needs.len();
            same("two-people", &format!("request {number} was approved by one person"), &alone, &false)?;
        }
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
