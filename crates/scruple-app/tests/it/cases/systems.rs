//! Connected systems: what one grants is compared with what is held here, removed where it should not be, and said to be removed when a
//! whole reading has shown that, whatever goes wrong meanwhile.

use super::ENGINE;
use crate::support::{World, at, with_world};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};
use scruple_app::Viewer;
use scruple_app::directory::{
    Connectors, Directory, DirectoryError, SystemOrder, SystemTimes, SystemsReach, SystemsWork, UserOrder, endings,
};
use scruple_app::ports::{
    AccountShown, NotRemoved, ReadingSystem, RemovalOrder, RemovingThere, Shown, SystemConnector,
};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::connected::{
    ConnectedSystem, ConnectorKind, Drift, DriftError, DriftKind, DriftState, ReadFailure, RemovalFailure, There,
};
use scruple_flow::directory::{Attributes, Employment, Presence};
use scruple_policy::{Pack, PackFiles, read};
use scruple_store::{
    Aggregate, DriftFilter, Person, find_connected_system, history, list_connected_systems, list_drift,
    list_system_rights,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex};

static PACK: LazyLock<Pack> = LazyLock::new(|| read(&PackFiles::embedded()).unwrap());
const TIMES: SystemTimes = SystemTimes { every_micros: 60_000_000, stale_micros: 3_600_000_000 };

/// What a system does with an order to remove.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Removes {
    Does,
    Refuses,
    /// Says yes, and does nothing.
    Forgets,
    /// Does it, and the answer is lost.
    DoesInSilence,
    IsBusy,
}

#[derive(Debug)]
struct State {
    kind: ConnectorKind,
    /// Names by references, and whether each can be used.
    accounts: BTreeMap<String, (String, bool)>,
    /// References of accounts by the right.
    rights: BTreeMap<String, BTreeSet<String>>,
    as_of: Option<Timestamp>,
    reads: Option<ReadFailure>,
    removes: Removes,
    orders: usize,
}

/// A system that is elsewhere.
struct Elsewhere(Mutex<State>);

impl Elsewhere {
    fn new(kind: ConnectorKind) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            kind,
            accounts: BTreeMap::new(),
            rights: BTreeMap::new(),
            as_of: None,
            reads: None,
            removes: Removes::Does,
            orders: 0,
        })))
    }

    fn set<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    fn give(&self, login: &str, rights: &[&str]) {
        self.set(|state| {
            state.accounts.insert(format!("u-{login}"), (login.to_owned(), true));
            for right in rights {
                state.rights.entry((*right).to_owned()).or_default().insert(format!("u-{login}"));
            }
        });
    }

    fn grants(&self, login: &str, right: &str) -> bool {
        self.set(|state| state.rights.get(right).is_some_and(|who| who.contains(&format!("u-{login}"))))
    }

    fn is_active(&self, login: &str) -> bool {
        self.set(|state| state.accounts.get(&format!("u-{login}")).is_some_and(|(_, active)| *active))
    }
}

fn there(reference: &str, name: &str) -> Phi<There> {
    Phi::new(There { reference: reference.to_owned(), name: name.to_owned() })
}

impl SystemConnector for Elsewhere {
    fn kind(&self) -> ConnectorKind {
        self.set(|state| state.kind)
    }

    fn read(&self) -> ReadingSystem<'_> {
        let shown = self.set(|state| {
            if let Some(failure) = state.reads {
                return Err(failure);
            }
            let account = |(reference, (name, is_active)): (&String, &(String, bool))| AccountShown {
                there: there(reference, name),
                is_active: *is_active,
                rights: state
                    .rights
                    .iter()
                    .filter(|(_, who)| who.contains(reference))
                    .map(|(right, _)| right.clone())
                    .collect(),
            };
            let rights = state.rights.keys().map(|right| there(right, &format!("canary {right}"))).collect();
            Ok(Shown { as_of: state.as_of, rights, accounts: state.accounts.iter().map(account).collect() })
        });
        Box::pin(std::future::ready(shown))
    }

    fn remove<'a>(&'a self, order: &'a RemovalOrder) -> RemovingThere<'a> {
        let done = self.set(|state| {
            state.orders += 1;
            let account = &order.account.expose().reference;
            if matches!(state.removes, Removes::Does | Removes::DoesInSilence) {
                match &order.right {
                    Some(right) => {
                        state.rights.get_mut(&right.expose().reference).unwrap().remove(account);
                    }
                    None => state.accounts.get_mut(account).unwrap().1 = false,
                }
            }
            let not = |failure, wait_s| Err(NotRemoved { failure, wait_s });
            match state.removes {
                Removes::Does | Removes::Forgets => Ok(()),
                Removes::Refuses => not(RemovalFailure::Refused, None),
                Removes::DoesInSilence => not(RemovalFailure::Timeout, None),
                Removes::IsBusy => not(RemovalFailure::Busy, Some(7_200)),
            }
        });
        Box::pin(std::future::ready(done))
    }
}

async fn acting<T>(world: &World, by: Id<Person>, act: impl AsyncFnOnce(&mut Directory<'_>) -> T) -> T {
    world.clock.advance_micros(1_000_000);
    let mut rng = ChaCha20Rng::seed_from_u64(world.now().micros().unsigned_abs());
    let (store, lease, clock) = (&world.store, &world.lease, &*world.clock);
    act(&mut Directory { store, lease, clock, rng: &mut rng, by }).await
}

/// A worker that has just started: it knows nothing but what is in the database.
async fn works(world: &World, elsewhere: &Arc<Elsewhere>) -> SystemsWork {
    let connectors: Connectors = [("warehouse".to_owned(), Arc::clone(elsewhere) as _)].into();
    world.clock.advance_micros(1_000_000);
    let mut rng = ChaCha20Rng::seed_from_u64(world.now().micros().unsigned_abs());
    let mut directory = Directory::of_the_clock(&world.store, &world.lease, &*world.clock, &mut rng);
    directory.work_on_systems(&connectors, TIMES, &|_| true).await.unwrap()
}

fn pass(world: &World, seconds: i64) {
    world.clock.advance_micros(seconds * 1_000_000);
}

async fn connected(world: &World, kind: ConnectorKind, removes_drift: bool) -> ConnectedSystem {
    let order = SystemOrder { code: "warehouse".parse().unwrap(), kind, owner: world.approver, removes_drift };
    acting(world, world.asker, async |directory| directory.connect_system(&order).await).await.unwrap().value
}

/// The owner says that a right stands for a role, or for nothing.
async fn stands_for(world: &World, system: &ConnectedSystem, right: &str, role: Option<&str>) {
    let rights = list_system_rights(&mut world.store.begin_read().await.unwrap(), system.id, None).await.unwrap();
    let right = rights.into_iter().find(|one| one.there.expose().reference == right).unwrap();
    let role = role.map(|role| role.parse().unwrap());
    let seen = (right.id, right.version);
    acting(world, world.asker, async |directory| directory.decide_right(&PACK, seen, role).await).await.unwrap();
}

async fn drift(world: &World) -> Vec<Drift> {
    let all = DriftFilter { with_over: true, ..DriftFilter::default() };
    list_drift(&mut world.store.begin_read().await.unwrap(), all, None).await.unwrap()
}

/// Each as `kind account state`, the oldest first.
async fn told(world: &World) -> Vec<String> {
    let one = |one: Drift| {
        let account = one.account.map(|there| there.expose().name.clone()).unwrap_or_default();
        format!("{} {account} {}", one.kind.code(), one.state.code())
    };
    drift(world).await.into_iter().map(one).collect()
}

async fn as_somebody<T>(
    world: &World,
    (by, roles): (Id<Person>, &[&str]),
    run: impl AsyncFnOnce(&mut Directory<'_>, SystemsReach<'_>) -> T,
) -> T {
    let roles = roles.iter().map(|role| role.parse().unwrap()).collect();
    let viewer = Viewer::load(&world.store, (by, roles), world.now()).await.unwrap();
    acting(world, by, async |directory| run(directory, SystemsReach::new(&viewer, &*PACK)).await).await
}

async fn kinds_of(world: &World, drift: &Drift) -> Vec<(String, Value)> {
    let mut tx = world.store.begin_read().await.unwrap();
    let events = history(&mut tx, &Aggregate::new("drift", drift.id), 0).await.unwrap();
    let one = |event: scruple_store::Event| (event.kind.clone(), serde_json::from_slice(event.body.expose()).unwrap());
    events.into_iter().map(one).collect()
}

#[tokio::test]
async fn a_right_that_is_given_past_scruple_is_found_by_the_next_reading_and_removed_when_somebody_says_so() {
    with_world(ENGINE, async |world| {
        let elsewhere = Elsewhere::new(ConnectorKind::Scim);
        let (nurse, _) = world.nurse("nia").await;
        elsewhere.give("nia", &["wards"]);
        let system = connected(world, ConnectorKind::Scim, false).await;
        works(world, &elsewhere).await;
        assert_eq!(told(world).await, ["undecided  open"], "a right on which nobody has decided");
        stands_for(world, &system, "wards", Some("nurse")).await;
        works(world, &elsewhere).await;
        assert_eq!(told(world).await, ["undecided  closed"]);

        // Somebody gives a right in the other system, and Scruple knows nothing of it.
        let plain = world.person("pat").await;
        elsewhere.give("pat", &["wards"]);
        elsewhere.give("ghost", &[]);
        assert_eq!(works(world, &elsewhere).await, SystemsWork::default(), "it is not read every time");
        pass(world, 60);
        assert_eq!(works(world, &elsewhere).await.read, 1);
        let expected = ["undecided  closed", "extra pat open", "orphan ghost open"];
        assert_eq!(told(world).await.into_iter().collect::<BTreeSet<_>>(), expected.map(str::to_owned).into());
        pass(world, 600);
        works(world, &elsewhere).await;
        works(world, &elsewhere).await;
        assert!(elsewhere.grants("pat", "wards"), "nothing is removed before somebody has said so");
        let found = drift(world).await;
        let [extra, orphan] = [DriftKind::Extra, DriftKind::Orphan]
            .map(|kind| found.iter().find(|one| one.kind == kind).unwrap().clone());
        assert_eq!(extra.person, Some(plain));

        // Who neither sees people nor answers for the system learns nothing of it; whose it is does not let it be.
        let seen = (extra.id, extra.version);
        let until = world.now().plus_micros(86_400_000_000);
        let no =
            as_somebody(world, (nurse, &["nurse"]), async |directory, reach| directory.remove_drift(reach, seen).await);
        assert!(matches!(no.await, Err(DirectoryError::NoSystem)));
        let why = "The vendor migrates until the end of May";
        let own = as_somebody(world, (plain, &["administrator"]), async |directory, reach| {
            directory.except_drift(reach, seen, (why, until)).await
        });
        assert!(matches!(own.await, Err(DirectoryError::Drift(DriftError::Own))));
        let owner = world.approver;
        let excepted = as_somebody(world, (owner, &[]), async |directory, reach| {
            directory.except_drift(reach, (orphan.id, orphan.version), (why, until)).await
        });
        assert_eq!(excepted.await.unwrap().value.state.code(), "excepted");
        let asked =
            as_somebody(world, (owner, &[]), async |directory, reach| directory.remove_drift(reach, seen).await);
        let asked = asked.await.unwrap().value;
        assert_eq!(asked.state.code(), "asked");
        let late = as_somebody(world, (owner, &[]), async |directory, reach| directory.remove_drift(reach, seen).await);
        assert!(matches!(late.await, Err(DirectoryError::Changed)));
        assert!(elsewhere.grants("pat", "wards"));
        let work = works(world, &elsewhere).await;
        assert_eq!((work.tried, work.read), (1, 1));
        assert!(!elsewhere.grants("pat", "wards"));
        assert!(elsewhere.is_active("pat") && elsewhere.is_active("ghost") && elsewhere.grants("nia", "wards"));
        let events = kinds_of(world, &extra).await;
        let kinds: Vec<&str> = events.iter().map(|(kind, _)| kind.as_str()).collect();
        assert_eq!(kinds, ["drift_found", "removal_asked", "removal_tried", "removal_confirmed"]);
        let (proof, tried) = (&events[3].1, &events[2].1);
        assert!(proof["read_at"].as_i64() >= tried["tried_at"].as_i64() && proof["read_at"].is_i64(), "{proof}");

        // The time for which it was let be is over: somebody decides anew.
        pass(world, 86_400);
        works(world, &elsewhere).await;
        assert!(told(world).await.contains(&"orphan ghost open".to_owned()));
        // The role is approved: what was given past Scruple would be right now.
        elsewhere.give("pat", &["wards"]);
        world.grant_now(plain, "nurse").await;
        pass(world, 60);
        works(world, &elsewhere).await;
        let wrong: Vec<_> =
            told(world).await.into_iter().filter(|one| one.contains("pat") && one.ends_with("open")).collect();
        assert_eq!(wrong, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn somebody_whose_account_was_there_before_him_leaves_all_the_same() {
    with_world(ENGINE, async |world| {
        let elsewhere = Elsewhere::new(ConnectorKind::Scim);
        elsewhere.give("ana", &["wards"]);
        elsewhere.give("bea", &["wards"]);
        let system = connected(world, ConnectorKind::Scim, false).await;
        works(world, &elsewhere).await;
        stands_for(world, &system, "wards", Some("nurse")).await;
        works(world, &elsewhere).await;
        let of = async |name: &str, kind: DriftKind| {
            let all = drift(world).await;
            all.into_iter()
                .find(|one| one.kind == kind && one.account.as_ref().is_some_and(|there| there.expose().name == name))
        };
        assert_eq!(of("ana", DriftKind::Extra).await.unwrap().person, None);
        let (ana, bea) = (world.person("ana").await, world.person("bea").await);
        pass(world, 60);
        works(world, &elsewhere).await;
        // Whose it is was told since.
        assert_eq!(of("ana", DriftKind::Extra).await.unwrap().person, Some(ana));
        for person in [ana, bea] {
            acting(world, world.asker, async |directory| directory.ends_now(person).await).await.unwrap();
        }
        for name in ["ana", "bea"] {
            assert_eq!(of(name, DriftKind::Extra).await.unwrap().state.code(), "asked", "{name}");
        }
        works(world, &elsewhere).await;
        assert!(!elsewhere.grants("ana", "wards") && !elsewhere.is_active("bea"));
    })
    .await;
}

#[tokio::test]
async fn where_that_is_set_drift_is_removed_without_asking_and_a_right_of_nothing_is_let_alone() {
    with_world(ENGINE, async |world| {
        let elsewhere = Elsewhere::new(ConnectorKind::Scim);
        let (nurse, _) = world.nurse("nia").await;
        world.person("pat").await;
        elsewhere.give("nia", &["canteen"]);
        elsewhere.give("pat", &["wards", "canteen"]);
        let system = connected(world, ConnectorKind::Scim, true).await;
        works(world, &elsewhere).await;
        stands_for(world, &system, "wards", Some("nurse")).await;
        stands_for(world, &system, "canteen", None).await;
        works(world, &elsewhere).await;
        works(world, &elsewhere).await;
        assert!(!elsewhere.grants("pat", "wards") && elsewhere.grants("pat", "canteen"));
        let all: BTreeSet<_> = told(world).await.into_iter().collect();
        assert!(all.contains("extra pat confirmed"), "{all:?}");
        assert!(all.contains("missing nia open"), "the role is held here, and nothing of it is there: {all:?}");
        assert!(!all.iter().any(|one| one.contains("orphan")), "{all:?}");
        elsewhere.give("nia", &["wards"]);
        pass(world, 60);
        works(world, &elsewhere).await;
        assert!(told(world).await.contains(&"missing nia closed".to_owned()));
        let _ = nurse;
    })
    .await;
}

#[tokio::test]
async fn what_ends_here_is_removed_there_again_and_again_until_a_reading_shows_it() {
    with_world(ENGINE, async |world| {
        let elsewhere = Elsewhere::new(ConnectorKind::Scim);
        let (_, grant) = world.nurse("nia").await;
        elsewhere.give("nia", &["wards"]);
        let system = connected(world, ConnectorKind::Scim, false).await;
        works(world, &elsewhere).await;
        stands_for(world, &system, "wards", Some("nurse")).await;
        works(world, &elsewhere).await;
        // The grant ends by the clock: nobody revokes it, and no job runs for that.
        elsewhere.set(|state| state.removes = Removes::Refuses);
        let until = at(1_000).micros() - world.now().micros();
        world.clock.advance_micros(until);
        works(world, &elsewhere).await;
        let asked = drift(world).await.into_iter().find(|one| one.kind == DriftKind::Extra).unwrap();
        assert_eq!((asked.cause.code(), asked.state.code()), ("ended", "asked"));
        assert_eq!(asked.removal().unwrap().by, None, "the rule asks");
        for (removes, failure) in [
            (Removes::Refuses, RemovalFailure::Refused),
            (Removes::IsBusy, RemovalFailure::Busy),
            (Removes::Forgets, RemovalFailure::StillThere),
        ] {
            elsewhere.set(|state| state.removes = removes);
            pass(world, 8_000);
            works(world, &elsewhere).await;
            let now = drift(world).await.into_iter().find(|one| one.id == asked.id).unwrap();
            assert_eq!((now.state.code(), now.removal().unwrap().failure), ("asked", Some(failure)), "{removes:?}");
            let orders = elsewhere.set(|state| state.orders);
            works(world, &elsewhere).await;
            assert_eq!(elsewhere.set(|state| state.orders), orders, "not before its next time");
        }
        // It is gone, and the reading fails: nobody says that it is gone.
        elsewhere.set(|state| (state.removes, state.reads) = (Removes::DoesInSilence, Some(ReadFailure::Incomplete)));
        pass(world, 8_000);
        assert_eq!(works(world, &elsewhere).await.failed, 1);
        assert!(!elsewhere.grants("nia", "wards"));
        let now = drift(world).await.into_iter().find(|one| one.id == asked.id).unwrap();
        assert_eq!(now.state.code(), "asked");
        elsewhere.set(|state| state.reads = None);
        pass(world, 60);
        works(world, &elsewhere).await;
        let now = drift(world).await.into_iter().find(|one| one.id == asked.id).unwrap();
        let DriftState::Confirmed { read_at, removal, .. } = now.state else { panic!("{now:?}") };
        assert!(read_at >= removal.tried_at.unwrap());
        let _ = grant;
    })
    .await;
}

#[tokio::test]
async fn a_termination_tells_of_each_system_what_is_removed_failed_and_waits() {
    with_world(ENGINE, async |world| {
        let elsewhere = Elsewhere::new(ConnectorKind::Scim);
        let order = UserOrder {
            login: "lea".parse().unwrap(),
            name: Phi::new("Lea".to_owned()),
            contact: None,
            attributes: Attributes { employment: Some(Employment::Employee), ..Attributes::default() },
            presence: Presence { active: Some(true), on_leave: None },
            document: Phi::new(b"{}".to_vec()),
            effective_at: None,
        };
        let made = acting(world, world.asker, async |directory| directory.create_user(&order).await).await.unwrap();
        let lea = made.value.record.person.id;
        world.grant_now(lea, "nurse").await;
        elsewhere.give("lea", &["wards", "canteen"]);
        elsewhere.give("nia", &[]);
        let system = connected(world, ConnectorKind::Scim, false).await;
        works(world, &elsewhere).await;
        stands_for(world, &system, "wards", Some("nurse")).await;
        works(world, &elsewhere).await;
        let gone = UserOrder { presence: Presence { active: Some(false), on_leave: None }, ..order };
        let left = acting(world, world.asker, async |directory| directory.replace_user(lea, None, &gone).await).await;
        left.unwrap();
        // With the commit in which she leaves, and before any worker runs.
        let count = async || {
            let ending = endings(&world.store, lea).await.unwrap().remove(0);
            let there = |all: &[scruple_app::directory::Entitlement]| {
                let mut kinds: Vec<_> =
                    all.iter().filter(|one| one.system.is_some()).map(|one| one.kind.clone()).collect();
                kinds.sort();
                kinds
            };
            (there(&ending.removed), there(&ending.failed), there(&ending.waiting))
        };
        let all = ["system_account", "system_right", "system_right"].map(str::to_owned).to_vec();
        assert_eq!(count().await, (vec![], vec![], all.clone()));
        elsewhere.set(|state| state.removes = Removes::Refuses);
        works(world, &elsewhere).await;
        assert_eq!(count().await, (vec![], all.clone(), vec![]));
        elsewhere.set(|state| state.removes = Removes::Does);
        pass(world, 60);
        works(world, &elsewhere).await;
        assert_eq!(count().await, (all, vec![], vec![]), "every one, those too that stand for nothing");
        assert!(!elsewhere.is_active("lea") && !elsewhere.grants("lea", "canteen"));
        let ending = endings(&world.store, lea).await.unwrap().remove(0);
        let right = ending.removed.iter().find(|one| one.role.as_deref() == Some("nurse") && one.system.is_some());
        assert_eq!(right.unwrap().system.as_deref(), Some("warehouse"));
    })
    .await;
}

#[tokio::test]
async fn a_reading_that_fails_shows_nobody_or_is_old_changes_nothing_and_too_many_of_them_are_a_finding() {
    with_world(ENGINE, async |world| {
        let elsewhere = Elsewhere::new(ConnectorKind::Scim);
        world.person("pat").await;
        elsewhere.give("pat", &["wards"]);
        let system = connected(world, ConnectorKind::Scim, false).await;
        works(world, &elsewhere).await;
        stands_for(world, &system, "wards", Some("nurse")).await;
        works(world, &elsewhere).await;
        let before = told(world).await;
        assert_eq!(before.last().unwrap(), "extra pat open");
        let known = async || {
            find_connected_system(&mut world.store.begin_read().await.unwrap(), system.id).await.unwrap().unwrap()
        };
        let read_at = known().await.read_at;
        for failure in ReadFailure::ALL {
            elsewhere.set(|state| state.reads = Some(*failure));
            pass(world, 60);
            assert_eq!(works(world, &elsewhere).await.failed, 1, "{failure:?}");
            assert_eq!((told(world).await, known().await.read_at), (before.clone(), read_at), "{failure:?}");
            assert_eq!(known().await.failure, Some(*failure));
        }
        // Nobody at all, and a right of which nobody knows: no reading.
        let accounts = elsewhere.set(|state| {
            state.reads = None;
            std::mem::take(&mut state.accounts)
        });
        pass(world, 60);
        assert_eq!((works(world, &elsewhere).await.failed, known().await.failure), (1, Some(ReadFailure::Empty)));
        elsewhere.set(|state| state.accounts = accounts);
        elsewhere.set(|state| state.as_of = Some(at(0)));
        pass(world, 60);
        assert_eq!((works(world, &elsewhere).await.failed, known().await.failure), (1, Some(ReadFailure::Incomplete)));
        elsewhere.set(|state| state.as_of = None);
        assert_eq!(told(world).await, before);
        let no_way = Elsewhere::new(ConnectorKind::File);
        pass(world, 3_600);
        works(world, &no_way).await;
        assert_eq!(known().await.failure, Some(ReadFailure::NotConfigured), "a way of another kind is none");
        assert_eq!(told(world).await.last().unwrap(), "stale  open");
        pass(world, 60);
        works(world, &elsewhere).await;
        assert_eq!(told(world).await.last().unwrap(), "stale  closed");
    })
    .await;
}

#[tokio::test]
async fn a_system_that_is_a_file_is_asked_nothing_and_the_next_file_tells() {
    with_world(ENGINE, async |world| {
        let elsewhere = Elsewhere::new(ConnectorKind::File);
        let (nurse, grant) = world.nurse("nia").await;
        elsewhere.give("nia", &["wards"]);
        let system = connected(world, ConnectorKind::File, true).await;
        let written = |world: &World| elsewhere.set(|state| state.as_of = Some(world.now()));
        written(world);
        works(world, &elsewhere).await;
        stands_for(world, &system, "wards", Some("nurse")).await;
        world.revoke(nurse, grant).await;
        works(world, &elsewhere).await;
        pass(world, 10_000);
        works(world, &elsewhere).await;
        let asked = drift(world).await.into_iter().find(|one| one.kind == DriftKind::Extra).unwrap();
        assert_eq!((asked.state.code(), asked.removal().unwrap().attempts), ("asked", 0), "who answers for it does it");
        assert_eq!(elsewhere.set(|state| state.orders), 0);
        // Somebody has removed it by hand; a file that was written before it was asked for would say nothing.
        elsewhere.set(|state| state.rights.get_mut("wards").unwrap().clear());
        pass(world, 60);
        works(world, &elsewhere).await;
        let now = drift(world).await.into_iter().find(|one| one.id == asked.id).unwrap();
        assert_eq!(now.state.code(), "asked", "it is the file from before");
        written(world);
        pass(world, 60);
        works(world, &elsewhere).await;
        let now = drift(world).await.into_iter().find(|one| one.id == asked.id).unwrap();
        assert_eq!(now.state.code(), "confirmed");
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_dies_leaves_nothing_half_done_and_holds_the_system_for_a_while_alone() {
    with_world(ENGINE, async |world| {
        let elsewhere = Elsewhere::new(ConnectorKind::Scim);
        let (nurse, grant) = world.nurse("nia").await;
        elsewhere.give("nia", &["wards"]);
        let system = connected(world, ConnectorKind::Scim, false).await;
        works(world, &elsewhere).await;
        stands_for(world, &system, "wards", Some("nurse")).await;
        world.revoke(nurse, grant).await;
        // It has taken the system, asked for the removal there, and dies before it writes anything down.
        let none = Elsewhere::new(ConnectorKind::Scim);
        let connectors: Connectors = [("elsewhere".to_owned(), none as _)].into();
        let asked = acting(world, world.asker, async |directory| {
            directory.work_on_systems(&connectors, TIMES, &|_| true).await.unwrap();
        });
        asked.await;
        let until = world.now().plus_micros(100_000_000);
        assert!(world.store.claim_system(system.id, world.now(), until).await.unwrap());
        elsewhere.set(|state| state.rights.get_mut("wards").unwrap().clear());
        let work = works(world, &elsewhere).await;
        assert_eq!((work.tried, work.read), (0, 0), "it may be alive");
        let extra = async || drift(world).await.into_iter().find(|one| one.kind == DriftKind::Extra).unwrap();
        assert_eq!(extra().await.state.code(), "asked");
        pass(world, 100);
        let work = works(world, &elsewhere).await;
        assert_eq!((work.tried, work.read), (1, 1), "the next one goes on: it asks once more, and reads");
        assert_eq!(extra().await.state.code(), "confirmed");
        assert_eq!(list_connected_systems(&mut world.store.begin_read().await.unwrap(), None).await.unwrap().len(), 1);
    })
    .await;
}

/// Whatever a system does, in whatever order: what is said to be removed was not granted when it was said.
#[tokio::test]
async fn after_any_sequence_of_faults_nothing_is_confirmed_that_the_system_still_grants() {
    with_world(ENGINE, async |world| {
        let elsewhere = Elsewhere::new(ConnectorKind::Scim);
        let logins = ["ana", "ben", "cyd"];
        for login in logins {
            let person = world.person(login).await;
            world.grant(person, "nurse", (0, 50)).await;
            elsewhere.give(login, &["wards", "labs"]);
        }
        let system = connected(world, ConnectorKind::Scim, true).await;
        works(world, &elsewhere).await;
        stands_for(world, &system, "wards", Some("nurse")).await;
        stands_for(world, &system, "labs", Some("coder")).await;
        let mut rng = ChaCha20Rng::seed_from_u64(17);
        let mut draw = |many: u32| rng.next_u32() % many;
        let (mut known, mut confirmed) = (BTreeSet::new(), 0);
        for step in 0..250 {
            let removes = [Removes::Does, Removes::Refuses, Removes::Forgets, Removes::DoesInSilence, Removes::IsBusy];
            let removes = removes[draw(5) as usize];
            let reads = [None, None, Some(ReadFailure::Incomplete), Some(ReadFailure::Timeout)][draw(4) as usize];
            elsewhere.set(|state| (state.removes, state.reads) = (removes, reads));
            if draw(4) == 0 {
                elsewhere.give(logins[draw(3) as usize], &[["wards", "labs"][draw(2) as usize]]);
            }
            pass(world, i64::from([1, 60, 3_600][draw(3) as usize]));
            works(world, &elsewhere).await;
            let rights =
                list_system_rights(&mut world.store.begin_read().await.unwrap(), system.id, None).await.unwrap();
            for one in drift(world).await {
                if one.state.code() != "confirmed" || !known.insert(one.id) {
                    continue;
                }
                let right = rights.iter().find(|right| Some(right.id) == one.right).unwrap();
                let login = &one.account.as_ref().unwrap().expose().name;
                assert!(!elsewhere.grants(login, &right.there.expose().reference), "{step}: {login} {right:?}");
                confirmed += 1;
            }
        }
        assert!(confirmed > 10, "{confirmed}");
    })
    .await;
}
