//! Years of a working life, drawn by a seed: joined, granted, moved, on leave, back, out, rehired. After each step what is
//! held is what a few obvious lines say, and at the end each instant is still told as it was then (**as-of**).

use super::ENGINE;
use crate::support::{World, with_world};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};
use scruple_app::directory::{Directory, DirectoryError, UserOrder};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::directory::{Attributes, Presence};
use scruple_store::{Person, grants_as_of};
use std::cell::Cell;

const STEPS: usize = 60;
const SEEDS: u64 = 6;
const SECOND: i64 = 1_000_000;

/// What somebody should hold, step by step and without any cleverness.
#[derive(Default)]
struct Model {
    left: bool,
    /// When the leave that is not closed begins, and whether it is said to be over.
    leave: Option<(Timestamp, bool)>,
    /// Role, and the step in which it was approved.
    grants: Vec<(&'static str, usize)>,
    /// The step in which a move was told, and when it counts.
    moves: Vec<(usize, Timestamp)>,
}

impl Model {
    fn roles(&self, now: Timestamp) -> Vec<String> {
        if self.left || self.leave.is_some_and(|(starts_at, _)| starts_at <= now) {
            return Vec::new();
        }
        let taken = |step: usize| self.moves.iter().any(|(told, at)| *told > step && *at <= now);
        let mut roles: Vec<_> = self.grants.iter().filter(|(_, step)| !taken(*step)).map(|(role, _)| *role).collect();
        roles.sort_unstable();
        roles.dedup();
        roles.into_iter().map(str::to_owned).collect()
    }
}

fn order(title: u32, manager: Id<Person>) -> UserOrder {
    UserOrder {
        login: "ana".parse().unwrap(),
        name: Phi::new("canary-ana".to_owned()),
        contact: None,
        attributes: Attributes {
            title: Some(Phi::new(format!("title {title}"))),
            manager: Some(manager),
            ..Attributes::default()
        },
        presence: Presence::default(),
        document: Phi::new(Vec::new()),
        effective_at: None,
    }
}

/// Lives one life; answers with at how many instants something was held.
async fn live(world: &World, seed: u64) -> usize {
    let mut draw = ChaCha20Rng::seed_from_u64(seed);
    let mut ids = ChaCha20Rng::seed_from_u64(seed + 1_000);
    let (store, lease, clock, asker, boss) = (&world.store, &world.lease, &*world.clock, world.asker, world.approver);
    let mut hr = Directory { store, lease, clock, rng: &mut ids, by: asker };
    let mut title = 0;
    let ana = hr.create_user(&order(title, boss)).await.unwrap().value.record.person.id;
    let mut model = Model::default();
    let mut seen = Vec::new();
    for step in 0..STEPS {
        clock.advance_micros(SECOND);
        let now = world.now();
        let later = now.plus_micros(i64::from(draw.next_u32() % 5) * SECOND);
        let told = |active, on_leave| UserOrder { presence: Presence { active, on_leave }, ..order(title, boss) };
        let act = draw.next_u32() % 14;
        match act {
            0..=4 => {
                let role = ["nurse", "coder", "biller"][draw.next_u32() as usize % 3];
                assert_eq!(world.try_grant(ana, role).await, !model.left, "seed {seed} step {step}");
                if !model.left {
                    model.grants.push((role, step));
                }
            }
            5 => {
                title += 1;
                let order = UserOrder { effective_at: Some(later), ..order(title, boss) };
                hr.replace_user(ana, None, &order).await.unwrap();
                if !model.left {
                    model.moves.push((step, later));
                }
            }
            6 => {
                hr.settle_moves().await.unwrap();
            }
            7 => {
                let planned = hr.plan_leave(ana, later).await;
                assert_eq!(matches!(planned, Err(DirectoryError::NoPerson)), model.left, "{planned:?}");
                if !model.left {
                    let starts_at = model.leave.map_or(later, |(starts_at, _)| starts_at.min(later));
                    model.leave = Some((starts_at, false));
                }
            }
            8 | 9 => {
                let ended = hr.end_leave(ana).await;
                assert_eq!(ended.is_ok(), model.leave.is_some(), "{ended:?}");
                model.leave = model.leave.map(|(starts_at, _)| (starts_at, true));
            }
            10 | 11 => {
                hr.by = boss;
                let confirmed = hr.confirm_return(ana).await;
                hr.by = asker;
                assert_eq!(confirmed.is_ok(), model.leave.is_some_and(|(_, is_over)| is_over), "{confirmed:?}");
                if confirmed.is_ok() {
                    model.leave = None;
                }
            }
            12 => {
                hr.leaves_now(ana).await.unwrap();
                model = Model { left: true, ..Model::default() };
            }
            _ => {
                hr.replace_user(ana, None, &told(Some(true), None)).await.unwrap();
                model.left = false;
            }
        }
        for micros in [1, SECOND / 2] {
            clock.advance_micros(micros);
            let now = world.now();
            let (cache, _) = world.fresh_cache().await;
            let held = world.roles(&cache, "ana").await.unwrap();
            assert_eq!(held, model.roles(now), "seed {seed} step {step}, act {act}");
            seen.push((now, held));
        }
    }
    let holding = seen.iter().filter(|(_, held)| !held.is_empty()).count();
    let mut tx = store.begin_read().await.unwrap();
    for (at, held) in seen {
        let then = grants_as_of(&mut tx, at, None, 200).await.unwrap();
        let mut then: Vec<_> = then.iter().map(|grant| grant.role.to_string()).collect();
        then.sort_unstable();
        then.dedup();
        assert_eq!(then, held, "seed {seed} as of {at}");
    }
    holding
}

#[tokio::test]
async fn a_working_life_is_held_as_the_rules_say_and_told_as_it_was() {
    let held = Cell::new(0);
    for seed in 0..SEEDS {
        with_world(ENGINE, async |world| {
            held.set(held.get() + live(world, seed).await);
        })
        .await;
    }
    // Or it would show nothing.
    assert!(held.get() > 20, "{}", held.get());
}
