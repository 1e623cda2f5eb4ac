//! Two at one time, on two nodes where the engine has them: one of them wins, whichever it is, and what is then held is what the
//! one who won has said.

use super::ENGINE;
use super::desk::TestRules;
use crate::support::{World, at, keys, roles, with_world};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use scruple_app::{Ask, Desk, DeskError, Narrower, Who};
use scruple_core::{Clock, FixedClock, Id, Phi};
use scruple_flow::{AccessRequest, Kinds, RequestError, RequestTask};
use scruple_store::{Engine, Person, ShardId, ShardLease, Store, find_request, open_elevations};

/// Each race is run so often: either may win.
const ROUNDS: u64 = 12;

/// Two nodes. SQLite has one, with two tasks.
struct Nodes {
    stores: [Store; 2],
    leases: [ShardLease; 2],
    nurse: Id<Person>,
    managers: [Id<Person>; 2],
    privacy: Id<Person>,
}

impl Nodes {
    async fn open(world: &World) -> Self {
        let (store, lease) = match ENGINE {
            Engine::Sqlite => (world.store.clone(), world.lease.clone()),
            Engine::Postgres => {
                let store = world.second_store(Box::new(keys(7))).await;
                let lease = store.acquire_shard(ShardId(2), "node-b", at(0), at(60)).await.unwrap().unwrap();
                (store, lease)
            }
        };
        let mut people = Vec::new();
        for (login, role) in [("nora", "nurse"), ("mia", "manager"), ("max", "manager"), ("pia", "privacy_officer")] {
            let person = world.person(login).await;
            world.grant(person, role, (0, 100_000)).await;
            people.push(person);
        }
        let stores = [world.store.clone(), store];
        let leases = [world.lease.clone(), lease];
        Self { stores, leases, nurse: people[0], managers: [people[1], people[2]], privacy: people[3] }
    }

    fn desk<'a>(&'a self, node: usize, clock: &'a dyn Clock, rng: &'a mut ChaCha20Rng) -> Desk<'a> {
        Desk { store: &self.stores[node], lease: &self.leases[node], clock, rng, rules: &TestRules }
    }

    /// A request of the nurse for one patient, for two hours.
    async fn submitted(&self, world: &World, round: u64) -> AccessRequest {
        let ask = Ask {
            person: None,
            role: "nurse".parse().unwrap(),
            purpose: None,
            patients: [format!("p{round}").parse().unwrap()].into(),
            task: Some(RequestTask::Cover),
            kinds: Some(Kinds::Whole),
            starts_at: None,
            ends_at: world.now().plus_micros(7_200_000_000),
            justification: Phi::new(format!("Second look at the wound, case {round}")),
            ticket: None,
            acknowledged: None,
        };
        let mut rng = generator(round);
        let who = Who { person: self.nurse, stepped_up: true };
        self.desk(0, &*world.clock, &mut rng).submit(who, ask).await.unwrap().now
    }

    /// Where a request stands, and how many records of its patient are open to the nurse.
    async fn stands(&self, world: &World, request: &AccessRequest) -> (String, usize) {
        let mut tx = self.stores[1].begin_read().await.unwrap();
        let found = find_request(&mut tx, request.id).await.unwrap().unwrap();
        let open = open_elevations(&mut tx, self.nurse, world.now()).await.unwrap();
        let open = open.iter().filter(|one| request.wanted.patients.contains(&one.patient)).count();
        (found.state.code().to_owned(), open)
    }
}

fn generator(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(1_000 + seed)
}

fn who(person: Id<Person>) -> Who {
    Who { person, stepped_up: true }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_managers_who_approve_at_one_time_one_does() {
    with_world(ENGINE, async |world| {
        let nodes = Nodes::open(world).await;
        for round in 0..ROUNDS {
            let request = nodes.submitted(world, round).await;
            let [mut a, mut b] = [100, 200].map(|from| generator(from + round));
            let (mut first, mut second) = (nodes.desk(0, &*world.clock, &mut a), nodes.desk(1, &*world.clock, &mut b));
            let [mia, max] = nodes.managers.map(who);
            let (mia, max) = tokio::join!(
                first.approve(mia, request.id, 1, Narrower::default()),
                second.approve(max, request.id, 1, Narrower::default())
            );
            assert!(mia.is_ok() != max.is_ok(), "round {round}: {:?} and {:?}", mia.is_ok(), max.is_ok());
            let refused = mia.err().or(max.err()).unwrap();
            let is_late = matches!(refused, DeskError::Changed | DeskError::Request(RequestError::Transition { .. }));
            assert!(is_late, "{refused:?}");
            assert_eq!(nodes.stands(world, &request).await, ("approved".to_owned(), 1));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_an_approval_and_a_withdrawal_at_one_time_one_counts() {
    with_world(ENGINE, async |world| {
        let nodes = Nodes::open(world).await;
        for round in 0..ROUNDS {
            let request = nodes.submitted(world, round).await;
            let [mut a, mut b] = [100, 200].map(|from| generator(from + round));
            // Each begins first as often as the other.
            let place = usize::from(round.is_multiple_of(2));
            let mut first = nodes.desk(place, &*world.clock, &mut a);
            let mut second = nodes.desk(1 - place, &*world.clock, &mut b);
            let approving = first.approve(who(nodes.managers[0]), request.id, 1, Narrower::default());
            let cancelling = second.cancel(who(nodes.nurse), request.id, 1);
            let (approved, cancelled) = if round.is_multiple_of(3) {
                let (cancelled, approved) = tokio::join!(cancelling, approving);
                (approved, cancelled)
            } else {
                tokio::join!(approving, cancelling)
            };
            assert!(approved.is_ok() != cancelled.is_ok(), "round {round}");
            let expected = if approved.is_ok() { ("approved".to_owned(), 1) } else { ("cancelled".to_owned(), 0) };
            assert_eq!(nodes.stands(world, &request).await, expected, "round {round}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_an_approval_just_in_time_and_the_job_that_ends_the_request_one_counts() {
    with_world(ENGINE, async |world| {
        let nodes = Nodes::open(world).await;
        for round in 0..ROUNDS {
            let request = nodes.submitted(world, round).await;
            // The clock of one node is a moment behind the other's.
            let before = FixedClock::new(request.decide_by.plus_micros(-1));
            let after = FixedClock::new(request.decide_by);
            let [mut a, mut b] = [100, 200].map(|from| generator(from + round));
            let (mut first, mut second) = (nodes.desk(0, &before, &mut a), nodes.desk(1, &after, &mut b));
            let (approved, expired) = tokio::join!(
                first.approve(who(nodes.managers[0]), request.id, 1, Narrower::default()),
                second.expire_requests()
            );
            let expected = if approved.is_ok() { ("approved", 0) } else { ("expired", 1) };
            let (state, _) = nodes.stands(world, &request).await;
            assert_eq!((state.as_str(), expired.unwrap()), expected, "round {round}: {:?}", approved.err());
            // At its instant nobody approves it, whatever the job has written down.
            let mut c = generator(300 + round);
            let mut late = nodes.desk(0, &after, &mut c);
            let late = late.approve(who(nodes.managers[1]), request.id, 1, Narrower::default()).await;
            assert!(late.is_err());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_revoked_while_others_read_is_held_by_nobody_after_the_next_look() {
    with_world(ENGINE, async |world| {
        let nodes = Nodes::open(world).await;
        for round in 0..ROUNDS {
            let login = format!("ana{round}");
            let person = world.person(&login).await;
            let grant = world.grant(person, "nurse", (0, 100_000)).await;
            let caches = [world.cache(), world.cache()];
            let followers = [world.follower(&caches[0]), world.follower(&caches[1])];
            for follower in &followers {
                follower.poll().await.unwrap();
            }
            let mut rng = generator(round);
            let mut desk = nodes.desk(1, &*world.clock, &mut rng);
            let now = world.now();
            let (revoked, first, second, _) = tokio::join!(
                desk.end_grant(who(nodes.privacy), grant, 1),
                caches[0].held(&login, now),
                caches[1].held(&login, now),
                followers[0].poll()
            );
            revoked.unwrap();
            // Before it or after it; both are answers.
            assert!(first.unwrap().is_some() && second.unwrap().is_some());
            for (cache, follower) in caches.iter().zip(&followers) {
                follower.poll().await.unwrap();
                let kept = cache.try_held(&login, now).map(|held| roles(&held, now)).unwrap_or_default();
                assert_eq!(kept, [""; 0], "round {round}");
                let held = cache.held(&login, now).await.unwrap().unwrap();
                assert_eq!(roles(&held, now), [""; 0], "round {round}");
            }
        }
    })
    .await;
}
