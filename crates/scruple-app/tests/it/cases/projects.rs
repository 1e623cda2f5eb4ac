//! Projects: no role for one before it was assessed, nothing beyond its assessment, and all of it ends with it (RV-09).

use super::ENGINE;
use crate::support::{World, at, with_world};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use scruple_app::{Ask, Desk, DeskError, Narrower, ProjectAsk, Who, open_projects};
use scruple_core::{Id, Phi, new_id};
use scruple_flow::{AccessRequest, Assessment, DataLevel, Person, Project, RequestTask};
use scruple_policy::{Pack, PackFiles, read};
use scruple_store::{Subject, find_grant, insert_enrolment, use_enrolment};
use std::collections::BTreeMap;
use std::sync::LazyLock;

static PACK: LazyLock<Pack> = LazyLock::new(|| read(&PackFiles::embedded()).unwrap());

const WHY: &str = "The study needs codes and dates of sepsis, and nothing else";
const HOUR: i64 = 3_600_000_000;

/// The privacy office twice, a manager, a nurse who does research, another nurse, an auditor.
struct House<'a> {
    world: &'a World,
    rng: ChaCha20Rng,
    people: BTreeMap<&'static str, Id<Person>>,
}

impl<'a> House<'a> {
    async fn open(world: &'a World) -> Self {
        Self::open_again(world, 5).await
    }

    /// The same with other people of the same logins.
    async fn open_again(world: &'a World, seed: u64) -> Self {
        let mut people = BTreeMap::new();
        for (login, role) in [
            ("pia", "privacy_officer"),
            ("paul", "privacy_officer"),
            ("mia", "manager"),
            ("nora", "nurse"),
            ("nils", "nurse"),
            ("aud", "auditor"),
        ] {
            let person = world.person(&format!("{login}{seed}")).await;
            world.grant(person, role, (0, 10_000_000)).await;
            people.insert(login, person);
        }
        Self { world, rng: ChaCha20Rng::seed_from_u64(seed), people }
    }

    fn who(&self, login: &str) -> Who {
        Who { person: self.people[login], stepped_up: true }
    }

    fn desk(&mut self) -> Desk<'_> {
        let World { store, lease, clock, .. } = self.world;
        Desk { store, lease, clock: clock.as_ref(), rng: &mut self.rng, rules: &*PACK }
    }

    fn project(&self, roles: &[&str]) -> ProjectAsk {
        let said = || Phi::new(WHY.to_owned());
        ProjectAsk {
            owner: None,
            assessment: Assessment {
                title: Phi::new("Sepsis study".to_owned()),
                purpose: "HRESCH".to_owned(),
                roles: roles.iter().map(|role| role.parse().unwrap()).collect(),
                kinds: "diagnoses".parse().unwrap(),
                flows: said(),
                retention: said(),
                level: DataLevel::Limited,
                level_reason: said(),
                ends_at: self.world.now().plus_micros(100 * HOUR),
            },
        }
    }

    async fn approved(&mut self, roles: &[&str]) -> Project {
        let (nora, pia, ask) = (self.who("nora"), self.who("pia"), self.project(roles));
        let proposed = self.desk().propose_project(nora, ask).await.unwrap().now;
        let comment = Phi::new(WHY.to_owned());
        self.desk().decide_project(pia, (proposed.id, 1), true, comment).await.unwrap().now
    }

    /// Asks for a role, for so many hours.
    async fn asked(
        &mut self,
        role: &str,
        hours: i64,
        project: Option<Id<Project>>,
    ) -> Result<AccessRequest, DeskError> {
        let nora = self.who("nora");
        let ask = Ask {
            person: None,
            role: role.parse().unwrap(),
            purpose: None,
            patients: [].into(),
            task: Some(RequestTask::Research),
            kinds: None,
            starts_at: None,
            ends_at: self.world.now().plus_micros(hours * HOUR),
            justification: Phi::new(format!("{WHY} {}", self.world.id::<Person>())),
            ticket: None,
            acknowledged: None,
        };
        let mut ask = ask;
        ask.acknowledged = PACK.reminder(scruple_policy::ReminderOf::Role, role).map(|text| text.id);
        let mut desk = self.desk();
        let id = new_id(desk.clock.now(), desk.rng);
        desk.submit_for(nora, id, ask, project).await.map(|done| done.now)
    }

    /// Approved by all whom the policy asks, as far as they may.
    async fn given(&mut self, request: &AccessRequest) -> Result<AccessRequest, DeskError> {
        let mut now = request.clone();
        for login in ["mia", "pia"] {
            let who = self.who(login);
            now = self.desk().approve(who, request.id, now.version, Narrower::default()).await?.now;
        }
        Ok(now)
    }

    async fn is_held(&self, request: &AccessRequest) -> bool {
        let mut tx = self.world.store.begin_read().await.unwrap();
        let grant = find_grant(&mut tx, Id::from_uuid(request.id.uuid())).await.unwrap();
        grant.is_some_and(|grant| grant.revoked.is_none() && grant.held.window.contains(self.world.now()))
    }
}

fn code<T>(found: Result<T, DeskError>) -> &'static str {
    found.map_or_else(|error| error.code(), |_| "done")
}

#[tokio::test]
async fn a_role_for_projects_is_given_for_one_that_was_assessed_and_ends_with_it() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        assert_eq!(code(house.asked("researcher", 10, None).await), "project_required");
        let (nora, ask) = (house.who("nora"), house.project(&["researcher"]));
        let proposed = house.desk().propose_project(nora, ask).await.unwrap().now;
        assert_eq!(code(house.asked("researcher", 10, Some(proposed.id)).await), "project_not_approved");
        let comment = || Phi::new(WHY.to_owned());
        for (login, expected) in
            [("nora", "act_not_permitted"), ("mia", "act_not_permitted"), ("aud", "act_not_permitted")]
        {
            let who = house.who(login);
            assert_eq!(code(house.desk().decide_project(who, (proposed.id, 1), true, comment()).await), expected);
        }
        // Whom who proposed it has let in decides for him as little.
        let paul = house.who("paul");
        let mut tx = world.store.begin().await.unwrap();
        let (id, lasts) = (world.id(), (at(0), at(10_000_000)));
        insert_enrolment(&mut tx, id, (paul.person, nora.person), [7; 32], lasts).await.unwrap();
        use_enrolment(&mut tx, id, world.now()).await.unwrap();
        world.commit(tx, Subject::Person(paul.person)).await;
        let puppet = house.desk().decide_project(paul, (proposed.id, 1), true, comment()).await;
        assert_eq!(code(puppet), "own_project");
        let pia = house.who("pia");
        house.desk().decide_project(pia, (proposed.id, 1), true, comment()).await.unwrap();
        let again = house.desk().decide_project(pia, (proposed.id, 1), false, comment()).await;
        assert_eq!(code(again), "changed");
        for (role, hours, expected) in [
            ("researcher", 101, "longer_than_project"),
            ("research_coordinator", 10, "beyond_project"),
            ("researcher", 10, "done"),
        ] {
            assert_eq!(code(house.asked(role, hours, Some(proposed.id)).await), expected, "{role} {hours}");
        }
        let request = house.asked("researcher", 50, Some(proposed.id)).await.unwrap();
        house.given(&request).await.unwrap();
        assert!(house.is_held(&request).await);
        // Who neither proposed it nor oversees it is told nothing of it.
        let nils = house.who("nils");
        assert_eq!(code(house.desk().end_project(nils, (proposed.id, 2)).await), "unknown");
        assert_eq!(code(house.desk().project(nils, proposed.id).await), "unknown");
        let aud = house.who("aud");
        assert_eq!(house.desk().projects(aud, None).await.unwrap().len(), 1);
        assert_eq!(house.desk().projects(nils, None).await.unwrap().len(), 0);
        house.desk().end_project(nora, (proposed.id, 2)).await.unwrap();
        assert!(!house.is_held(&request).await);
        assert_eq!(open_projects(&world.store, world.now()).await.unwrap(), []);
        assert_eq!(code(house.asked("researcher", 10, Some(proposed.id)).await), "project_not_approved");
    })
    .await;
}

#[tokio::test]
async fn what_waits_is_not_given_once_its_project_is_over() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let project = house.approved(&["researcher"]).await;
        let request = house.asked("researcher", 50, Some(project.id)).await.unwrap();
        let nora = house.who("nora");
        house.desk().end_project(nora, (project.id, project.version)).await.unwrap();
        assert_eq!(code(house.given(&request).await), "project_not_approved");
        assert!(!house.is_held(&request).await);
    })
    .await;
}

#[tokio::test]
async fn a_project_that_ends_while_its_role_is_given_leaves_nothing_behind() {
    with_world(ENGINE, async |world| {
        for seed in 0..8 {
            let mut house = House::open_again(world, seed).await;
            let project = house.approved(&["researcher"]).await;
            let request = house.asked("researcher", 50, Some(project.id)).await.unwrap();
            let (nora, mia, pia) = (house.who("nora"), house.who("mia"), house.who("pia"));
            let first = house.desk().approve(mia, request.id, 1, Narrower::default()).await.unwrap().now;
            let World { store, lease, clock, .. } = world;
            let (mut one, mut other) = (ChaCha20Rng::seed_from_u64(seed), ChaCha20Rng::seed_from_u64(seed + 100));
            let mut ends = Desk { store, lease, clock: clock.as_ref(), rng: &mut one, rules: &*PACK };
            let mut gives = Desk { store, lease, clock: clock.as_ref(), rng: &mut other, rules: &*PACK };
            let (ended, given) = tokio::join!(
                ends.end_project(nora, (project.id, project.version)),
                gives.approve(pia, request.id, first.version, Narrower::default()),
            );
            // Whoever was first: nothing is held under a project that is over.
            let is_over = ended.is_ok();
            assert!(is_over || given.is_ok(), "{ended:?} {given:?}");
            assert!(!(is_over && house.is_held(&request).await), "{ended:?} {given:?}");
        }
    })
    .await;
}
