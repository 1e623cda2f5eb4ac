//! Steps before the first record: a role is not given before its training is complete, and nobody trains himself.

use super::ENGINE;
use crate::support::{World, at, with_world};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use scruple_app::directory::{AccountOrder, Directory, Finding, findings};
use scruple_app::{Ask, Desk, DeskError, Narrower, Rules, Trained, Who, steps_for};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::step::{Step, StepError, StepKind};
use scruple_flow::{
    AccountKind, ApprovalRule, ApproverKind, KindCode, Kinds, PatientRef, Person, RequestTask, RoleCode,
};
use scruple_policy::{Act, ActScope, DeskRules, Reminder};
use std::collections::BTreeSet;

struct House;

fn steps() -> Vec<Step> {
    let step = |name: &str, kind| Step { name: name.to_owned(), kind, days: 365, label: String::new() };
    vec![step("basics", StepKind::Training), step("rules", StepKind::Acknowledgement)]
}

impl Rules for House {
    fn approval(&self, _: &RoleCode, _: Option<&Kinds>) -> Option<ApprovalRule> {
        let needs = vec![ApproverKind::Role("manager".parse().unwrap())];
        Some(ApprovalRule { needs, hours_max: 8, decide_hours: 4, step_up: false, backup: None })
    }

    fn kinds(&self, _: &RoleCode, _: Option<&str>) -> BTreeSet<KindCode> {
        BTreeSet::new()
    }

    fn kinds_of_type(&self, _: &str) -> BTreeSet<KindCode> {
        BTreeSet::new()
    }

    fn may_declare(&self, _: &RoleCode) -> bool {
        false
    }

    fn may_break_glass(&self, _: &RoleCode) -> bool {
        false
    }

    fn is_practice(&self, _: &PatientRef) -> bool {
        false
    }

    fn reminder(&self, _: &RoleCode, _: bool) -> Option<Reminder> {
        None
    }

    fn desk(&self) -> DeskRules {
        DeskRules::default()
    }

    fn steps(&self, role: &RoleCode) -> Vec<Step> {
        if role.as_str() == "nurse" { steps() } else { Vec::new() }
    }

    fn step(&self, name: &str) -> Option<Step> {
        steps().into_iter().find(|step| step.name == name)
    }

    fn scope(&self, act: Act, roles: &BTreeSet<RoleCode>) -> Option<ActScope> {
        let holds = |code: &str| roles.iter().any(|role| role.as_str() == code);
        match act {
            Act::Ask => Some(ActScope::Own),
            Act::Decide if holds("manager") => Some(ActScope::All),
            Act::Admit if holds("administrator") => Some(ActScope::All),
            _ => None,
        }
    }
}

async fn desk<T>(world: &World, act: impl AsyncFnOnce(&mut Desk<'_>) -> T) -> T {
    world.clock.advance_micros(1_000_000);
    let mut rng = ChaCha20Rng::seed_from_u64(world.now().micros().unsigned_abs());
    let World { store, lease, clock, .. } = world;
    act(&mut Desk { store, lease, clock: clock.as_ref(), rng: &mut rng, rules: &House }).await
}

const fn who(person: Id<Person>) -> Who {
    Who { person, stepped_up: false }
}

fn trained(login: &str, done_at: Timestamp) -> Trained {
    Trained { login: login.parse().unwrap(), step: "basics".to_owned(), done_at }
}

#[tokio::test]
async fn a_joiner_without_training_is_not_provisioned_and_told_that_training_is_incomplete() {
    with_world(ENGINE, async |world| {
        let [ana, mia, ola] = [world.person("ana").await, world.person("mia").await, world.person("ola").await];
        world.grant(mia, "manager", (0, 100_000)).await;
        world.grant(ola, "administrator", (0, 100_000)).await;
        let ask = Ask {
            person: None,
            role: "nurse".parse().unwrap(),
            purpose: None,
            patients: BTreeSet::new(),
            task: Some(RequestTask::ALL[0]),
            kinds: None,
            starts_at: None,
            ends_at: at(3_600),
            justification: Phi::new("begins on the ward this week".to_owned()),
            ticket: None,
            acknowledged: None,
        };
        let request = desk(world, async |desk| desk.submit(who(ana), ask).await).await.unwrap().now;
        let approve = async || {
            let approved = desk(world, async |desk| desk.approve(who(mia), request.id, 1, Narrower::default()).await);
            approved.await.map(|done| done.now.state.code())
        };
        let asked = steps_for(&world.store, &House, (ana, world.now())).await.unwrap().unwrap();
        assert!(asked.iter().all(|(_, at)| at.is_none()) && asked.len() == 2, "of what he asks for");
        let refused = approve().await.unwrap_err();
        assert_eq!(
            (refused.code(), refused.to_string().contains("training incomplete")),
            ("training_incomplete", true)
        );
        // Nobody trains himself, tells of what lies ahead, of a step that there is not, or of nobody; and not everybody tells.
        let now = world.now();
        for (by, one, expected) in [
            (ana, trained("ana", now), "act_not_permitted"),
            (ola, trained("ola", now), "step_invalid"),
            (ola, trained("ana", now.plus_micros(9_000_000_000)), "step_invalid"),
            (ola, Trained { step: "rules".to_owned(), ..trained("ana", now) }, "step_invalid"),
            (ola, trained("nobody", now), "unknown"),
        ] {
            let no = desk(world, async |desk| desk.record_training(who(by), &[trained("ana", at(0)), one]).await).await;
            assert_eq!(no.unwrap_err().code(), expected);
        }
        assert_eq!(approve().await.unwrap_err().code(), "training_incomplete", "all of it or nothing");
        let record = async || {
            let told = [trained("ana", at(0))];
            desk(world, async |desk| desk.record_training(who(ola), &told).await).await.unwrap().0
        };
        assert_eq!((record().await, record().await), (1, 0), "what is known is not told again");
        assert_eq!(approve().await.unwrap_err().code(), "training_incomplete", "the rules are not read");
        let no = desk(world, async |desk| desk.acknowledge(who(ana), "basics").await).await;
        assert!(matches!(no, Err(DeskError::Step(StepError::Unknown))), "{no:?}");
        desk(world, async |desk| desk.acknowledge(who(ana), "rules").await).await.unwrap();
        assert_eq!(approve().await.unwrap(), "approved");
        let asked = steps_for(&world.store, &House, (ana, world.now())).await.unwrap().unwrap();
        assert!(asked.iter().all(|(_, at)| at.is_some()) && asked.len() == 2);
        let (cache, _) = world.fresh_cache().await;
        let held = cache.held("ana", world.now()).await.unwrap().unwrap();
        assert!(held.missing(&steps(), world.now()).is_empty());
        assert_eq!(held.missing(&steps(), world.now().plus_micros(366 * 86_400_000_000)).len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_system_is_given_no_role_before_somebody_who_is_here_answers_for_it() {
    with_world(ENGINE, async |world| {
        let [crm, mia, owner] = [world.person("crm").await, world.person("mia").await, world.person("owner").await];
        world.grant(mia, "manager", (0, 100_000)).await;
        let ask = Ask {
            person: None,
            role: "service_account".parse().unwrap(),
            purpose: None,
            patients: BTreeSet::new(),
            task: Some(RequestTask::ALL[0]),
            kinds: None,
            starts_at: None,
            ends_at: at(3_600),
            justification: Phi::new("asks for decisions of the referral desk".to_owned()),
            ticket: None,
            acknowledged: None,
        };
        let request = desk(world, async |desk| desk.submit(who(crm), ask).await).await.unwrap().now;
        let approve = async || {
            let approved = desk(world, async |desk| desk.approve(who(mia), request.id, 1, Narrower::default()).await);
            approved.await.map(|done| done.now.state.code())
        };
        assert_eq!(approve().await.unwrap_err().code(), "account_unowned");
        let days = |days: i64| world.now().plus_micros(days * 86_400_000_000);
        let order = AccountOrder {
            kind: AccountKind::Service,
            owner,
            purpose: Phi::new("asks for decisions of the referral desk".to_owned()),
            scopes: vec!["scruple.evaluate".to_owned()],
            rotate_by: days(90),
            review_days: 30,
            ends_at: days(365),
        };
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let (store, lease, clock) = (&world.store, &world.lease, &*world.clock);
        let mut directory = Directory { store, lease, clock, rng: &mut rng, by: mia };
        directory.register_account(crm, None, &order).await.unwrap();
        assert_eq!(approve().await.unwrap(), "approved");
        // Who acts as a system of which nothing is registered is a finding.
        let bare = world.person("bare").await;
        world.grant(bare, "service_account", (0, 100_000)).await;
        let found = findings(&world.store, world.now()).await.unwrap();
        assert!(found.contains(&Finding::NotRegistered(bare)) && !found.contains(&Finding::NotRegistered(crm)));
    })
    .await;
}
