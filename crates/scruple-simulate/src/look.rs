//! What is compared after each step: on every node, for everybody, now and at each instant at which something begins or ends.

use crate::error::{Sound, broken, failed, same};
use crate::model::Model;
use crate::node::{Node, World};
use crate::rules::{BILLER, NURSE, ROLES};
use scruple_app::limits::FEED_FRESH_MICROS;
use scruple_app::{AccessError, Held, select_role};
use scruple_core::{Clock as _, Timestamp};
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
            let whole = held.opened(&code, purpose, at).into_keys().map(|patient| (patient, "*".to_owned()));
            let limited = held.limited(&code, purpose, at).into_iter();
            let limited = limited.map(|(patient, of)| (patient, of.kinds.into_iter().collect::<Vec<_>>().join(" ")));
            let found: BTreeMap<String, String> = limited.chain(whole).collect();
            let expected = model.charts(person, role, emergencies, at).into_iter();
            let expected: BTreeMap<String, String> =
                expected.map(|(patient, kinds)| (crate::model::patient(patient), kinds.to_string())).collect();
            let what = format!("charts of person {person} as {role} for {purpose} at {at}");
            let are_same_patients = found.keys().eq(expected.keys());
            same(if are_same_patients { "never-wider" } else { "expiry-at-decision" }, &what, &found, &expected)?;
        }
    }
    Ok(())
}
