//! Deputies: named, accepted, ended; what they decide, and what nobody decides by them.

use super::ENGINE;
use super::desk::{House, TestRules, WORDS, vouch};
use crate::support::{TestLog, World, at, with_world};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use scruple_app::directory::{Directory, GroupOrder, UserOrder};
use scruple_app::{DeputyAsk, DeskError, Emergency, Narrower, Viewer, Who, Whose};
use scruple_core::{Id, Phi};
use scruple_flow::directory::{Attributes, Leave, LeaveState, Presence};
use scruple_flow::{
    AccessRequest, Approval, ApproverKind, Deputy, DeputyAs, DeputyState, EmergencyReason, Finding, RequestState,
    ReviewError,
};
use scruple_store::{
    Subject, find_deputy, find_request, insert_leave, list_deputies_of, list_open_reviews, mark_person_left,
};

const HOUR_MICROS: i64 = 3_600_000_000;

/// `principal` names `deputy` from now on for so many seconds, who accepts.
async fn stands_in(house: &mut House<'_>, (principal, deputy): (&str, &str), capacity: DeputyAs) -> Deputy {
    let (principal, deputy) = (house.who(principal), house.who(deputy));
    let ask = DeputyAsk { deputy: deputy.person, capacity, starts_at: None, ends_at: at(50_000) };
    let named = house.desk().name_deputy(principal, ask).await.unwrap().now;
    house.desk().accept_deputy(deputy, named.id, 1).await.unwrap().now
}

async fn approve(house: &mut House<'_>, who: &str, request: &AccessRequest) -> Result<AccessRequest, &'static str> {
    let who = house.who(who);
    let done = house.desk().approve(who, request.id, request.version, Narrower::default()).await;
    done.map(|done| done.now).map_err(|error| error.code())
}

/// Somebody as the directory tells of him.
fn told(login: &str) -> UserOrder {
    UserOrder {
        login: login.parse().unwrap(),
        name: Phi::new(login.to_owned()),
        contact: None,
        attributes: Attributes::default(),
        presence: Presence { active: Some(true), on_leave: None },
        document: Phi::new(Vec::new()),
        effective_at: None,
    }
}

async fn leave(house: &House<'_>, whose: &str) {
    let leave = Leave {
        id: house.world.id(),
        person: house.people[whose],
        starts_at: house.world.now(),
        noted_by: house.people["pia"],
        state: LeaveState::Open,
        version: 1,
    };
    let mut tx = house.world.store.begin().await.unwrap();
    insert_leave(&mut tx, &leave, house.world.now()).await.unwrap();
    house.world.commit(tx, Subject::Person(leave.person)).await;
}

#[tokio::test]
async fn a_deputy_decides_while_he_stands_in_and_not_before_or_after() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (mia, bob) = (house.who("mia"), house.who("bob"));
        let request = house.submitted(&["a"]).await;
        assert_eq!(approve(&mut house, "bob", &request).await, Err("act_not_permitted"));
        let window = (Some(at(3_600)), at(7_200));
        let ask =
            DeputyAsk { deputy: bob.person, capacity: DeputyAs::Approver, starts_at: window.0, ends_at: window.1 };
        let named = house.desk().name_deputy(mia, ask).await.unwrap().now;
        world.clock.advance_micros(HOUR_MICROS);
        assert_eq!(approve(&mut house, "bob", &request).await, Err("act_not_permitted"), "named is not accepted");
        assert_eq!(house.desk().accept_deputy(mia, named.id, 1).await.unwrap_err().code(), "not_your_deputy");
        house.desk().accept_deputy(bob, named.id, 1).await.unwrap();
        let decided = approve(&mut house, "bob", &request).await.unwrap();
        let RequestState::Approved { approvals, .. } = &decided.state else { panic!("{decided:?}") };
        let kind = ApproverKind::Role("manager".parse().unwrap());
        let expected = Approval { by: bob.person, acting_for: Some(mia.person), kind, at: world.now() };
        assert_eq!(approvals, &[expected]);
        assert_eq!(house.opened("nora", "TREAT").await, ["a"]);
        let stored = find_request(&mut world.store.begin_read().await.unwrap(), request.id).await.unwrap().unwrap();
        assert_eq!(stored, decided);

        let second = house.submitted(&["b"]).await;
        world.clock.advance_micros(HOUR_MICROS - 1);
        let seen = |house: &House<'_>, now| {
            let (store, roles) = (world.store.clone(), ["biller".parse().unwrap()].into());
            let person = house.people["bob"];
            async move {
                let viewer = Viewer::load(&store, (person, roles), now).await.unwrap();
                let page = viewer.requests(&store, &TestRules, (Whose::Decide, now), (None, 10)).await;
                page.unwrap().rows.len()
            }
        };
        assert_eq!(seen(&house, world.now()).await, 1, "he sees what he decides");
        world.clock.advance_micros(1);
        assert_eq!(seen(&house, world.now()).await, 0);
        assert_eq!(approve(&mut house, "bob", &second).await, Err("act_not_permitted"), "over at its instant");
    })
    .await;
}

#[tokio::test]
async fn either_of_the_two_ends_it_at_once_and_nobody_else_knows_of_it() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let request = house.submitted(&["a"]).await;
        for by in ["mia", "bob"] {
            let deputy = stands_in(&mut house, ("mia", "bob"), DeputyAs::Approver).await;
            let (max, by) = (house.who("max"), house.who(by));
            assert_eq!(house.desk().end_deputy(max, deputy.id, 2).await.unwrap_err().code(), "unknown");
            assert_eq!(house.desk().accept_deputy(max, deputy.id, 2).await.unwrap_err().code(), "unknown");
            assert_eq!(house.desk().end_deputy(by, deputy.id, 1).await.unwrap_err().code(), "changed");
            house.desk().end_deputy(by, deputy.id, 2).await.unwrap();
            assert_eq!(approve(&mut house, "bob", &request).await, Err("act_not_permitted"));
            assert_eq!(house.desk().end_deputy(by, deputy.id, 3).await.unwrap_err().code(), "invalid_task_state");
        }
        let log = TestLog::new();
        world.drainer(&log).0.drain().await.unwrap();
        let kinds = log.kinds();
        // One event for each: refused acts leave none.
        for kind in ["deputy_named", "deputy_accepted", "deputy_ended"] {
            assert_eq!(kinds.get(kind), Some(&2), "{kind} of {kinds:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn nobody_names_for_what_he_may_not_do_or_whom_nobody_knows() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let mut code = async |who: &str, deputy: Id<_>, capacity, days: i64| {
            let (who, ends_at) = (house.who(who), at(days * 86_400));
            let ask = DeputyAsk { deputy, capacity, starts_at: None, ends_at };
            house.desk().name_deputy(who, ask).await.map(drop).map_err(|error| error.code())
        };
        let (bob, mia) = (code_of(world, "bob").await, code_of(world, "mia").await);
        assert_eq!(code("nora", bob, DeputyAs::Approver, 1).await, Err("act_not_permitted"));
        assert_eq!(code("mia", bob, DeputyAs::Reviewer, 1).await, Err("act_not_permitted"));
        assert_eq!(code("mia", world.id(), DeputyAs::Approver, 1).await, Err("person_gone"));
        assert_eq!(code("mia", mia, DeputyAs::Approver, 1).await, Err("deputy_himself"));
        assert_eq!(code("mia", bob, DeputyAs::Approver, 31).await, Err("deputy_too_long"));
        assert_eq!(code("mia", bob, DeputyAs::Approver, 0).await, Err("window_over"));
        assert_eq!(code("mia", bob, DeputyAs::Approver, 30).await, Ok(()));
    })
    .await;
}

async fn code_of(world: &World, login: &str) -> Id<scruple_store::Person> {
    let mut tx = world.store.begin_read().await.unwrap();
    scruple_store::find_person_by_login(&mut tx, &login.parse().unwrap()).await.unwrap().unwrap().id
}

/// JX-08: who asks is the approver directly, by a deputy, by a group, by a change of role, and by the deputy of a deputy.
#[tokio::test]
async fn who_asks_never_approves_directly_by_a_deputy_by_a_group_or_by_a_change_of_role() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        // Directly: a manager asks for himself.
        world.grant(house.people["mia"], "nurse", (0, 100_000)).await;
        let mia = house.who("mia");
        let own = house.desk().submit(mia, House::ask(&["a"], 2, WORDS)).await.unwrap().now;
        assert_eq!(approve(&mut house, "mia", &own).await, Err("own_request"), "directly");
        // By a deputy whom he has named, who holds nothing himself, and by one who is a nurse.
        for deputy in ["bob", "nora"] {
            stands_in(&mut house, ("mia", deputy), DeputyAs::Approver).await;
            assert_eq!(approve(&mut house, deputy, &own).await, Err("own_request"), "by {deputy}");
            let (who, words) = (house.who(deputy), Phi::new("Not the patient of this week".to_owned()));
            assert_eq!(house.desk().deny(who, own.id, 1, words).await.unwrap_err().code(), "own_request");
        }
        // He stands in for another manager himself.
        stands_in(&mut house, ("max", "mia"), DeputyAs::Approver).await;
        assert_eq!(approve(&mut house, "mia", &own).await, Err("own_request"), "in another's place");
        // A deputy of a deputy has nothing of the first: max's yes is not bob's by way of mia.
        assert_eq!(approve(&mut house, "bob", &own).await, Err("own_request"), "no chain");

        // By a deputy who asks himself.
        let asked = house.submitted(&["b"]).await;
        assert_eq!(approve(&mut house, "nora", &asked).await, Err("own_request"), "her own, in mia's place");
        // By a group that is mapped to the role of approvers: it gives nothing, and with the role it is still her own.
        group_of_managers(world, house.people["nora"]).await;
        assert_eq!(approve(&mut house, "nora", &asked).await, Err("own_request"), "by a group");
        world.grant(house.people["nora"], "manager", (0, 100_000)).await;
        assert_eq!(approve(&mut house, "nora", &asked).await, Err("own_request"), "after a change of role");
        // Whoever is somebody else decides all the same.
        assert_eq!(approve(&mut house, "max", &asked).await.map(|one| one.state.code()), Ok("approved"));
        assert_eq!(approve(&mut house, "max", &own).await.map(|one| one.state.code()), Ok("approved"));
    })
    .await;
}

async fn group_of_managers(world: &World, member: Id<scruple_store::Person>) {
    let mut rng = ChaCha20Rng::seed_from_u64(11);
    let mut directory =
        Directory { store: &world.store, lease: &world.lease, clock: &*world.clock, rng: &mut rng, by: world.asker };
    let order =
        GroupOrder { display: Phi::new("those who approve".to_owned()), external_id: None, members: [member].into() };
    let group = directory.create_group(&order).await.unwrap().value.group.id;
    let manager = "manager".parse().unwrap();
    directory.map_group(group, Some(&manager), &|_| true).await.unwrap();
}

#[tokio::test]
async fn a_deputy_decides_nothing_where_who_asks_made_the_sign_in_of_one_of_the_two() {
    for whose in ["bob", "mia"] {
        with_world(ENGINE, async |world| {
            let mut house = House::open(world).await;
            stands_in(&mut house, ("mia", "bob"), DeputyAs::Approver).await;
            let request = house.submitted(&["a"]).await;
            vouch(&house, "nora", whose).await;
            assert_eq!(approve(&mut house, "bob", &request).await, Err("own_request"), "the link of {whose}");
        })
        .await;
    }
}

#[tokio::test]
async fn of_whoever_is_away_or_has_left_nobody_stands_in_the_place() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        for principal in ["mia", "max"] {
            stands_in(&mut house, (principal, "bob"), DeputyAs::Approver).await;
        }
        let request = house.submitted(&["a"]).await;
        leave(&house, "mia").await;
        let mut tx = world.store.begin().await.unwrap();
        mark_person_left(&mut tx, house.people["max"], 1, world.now()).await.unwrap();
        world.commit(tx, Subject::Everyone).await;
        assert_eq!(approve(&mut house, "bob", &request).await, Err("act_not_permitted"));
    })
    .await;
}

/// Whoever comes back begins with nothing: what he was named for, and had named, ended when he went.
#[tokio::test]
async fn who_left_and_came_back_stands_in_for_nobody_and_nobody_for_him() {
    for goes in ["mia", "bob"] {
        with_world(ENGINE, async |world| {
            let mut house = House::open(world).await;
            let deputy = stands_in(&mut house, ("mia", "bob"), DeputyAs::Approver).await;
            let request = house.submitted(&["a"]).await;
            let order = told(goes);
            let (store, lease, clock) = (&world.store, &world.lease, world.clock.as_ref());
            let mut rng = ChaCha20Rng::seed_from_u64(9);
            let mut directory = Directory { store, lease, clock, rng: &mut rng, by: world.asker };
            directory.create_user(&order).await.unwrap();
            directory.leaves_now(house.people[goes]).await.unwrap();
            directory.replace_user(house.people[goes], None, &order).await.unwrap();
            if goes == "mia" {
                world.grant(house.people["mia"], "manager", (0, 100_000)).await;
            }
            assert_eq!(approve(&mut house, "bob", &request).await, Err("act_not_permitted"), "{goes}");
            let mut tx = world.store.begin_read().await.unwrap();
            let ended = find_deputy(&mut tx, deputy.id).await.unwrap().unwrap();
            assert_eq!((ended.code_at(world.now()), ended.version), ("ended", 3), "{goes}");
            let log = TestLog::new();
            let (drainer, _) = world.drainer(&log);
            drainer.drain().await.unwrap();
            assert_eq!(log.kinds()["deputy_ended"], 1, "{goes}");
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deputy_who_is_named_while_he_leaves_is_not_left_standing() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (mia, mut open) = (house.who("mia"), Vec::new());
        for round in 0..6 {
            let leaver = world.person(&format!("leaver-{round}")).await;
            let (store, lease, clock) = (&world.store, &world.lease, world.clock.as_ref());
            let mut rng = ChaCha20Rng::seed_from_u64(7_700 + round);
            let order = told(&format!("leaver-{round}"));
            let mut directory = Directory { store, lease, clock, rng: &mut rng, by: world.asker };
            directory.create_user(&order).await.unwrap();
            let ask = DeputyAsk { deputy: leaver, capacity: DeputyAs::Approver, starts_at: None, ends_at: at(50_000) };
            let mut desk = house.desk();
            let (left, named) = tokio::join!(directory.leaves_now(leaver), desk.name_deputy(mia, ask));
            assert!(left.is_ok(), "{left:?}");
            assert!(named.is_ok() || named.is_err_and(|error| error.code() == "person_gone"));
            let mut tx = world.store.begin_read().await.unwrap();
            let all = list_deputies_of(&mut tx, leaver, None).await.unwrap();
            open.extend(all.into_iter().filter(|one| !matches!(one.state, DeputyState::Ended { .. })));
        }
        assert_eq!(open, []);
    })
    .await;
}

#[tokio::test]
async fn who_is_away_himself_stands_in_for_nobody() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        stands_in(&mut house, ("mia", "bob"), DeputyAs::Approver).await;
        let request = house.submitted(&["a"]).await;
        leave(&house, "bob").await;
        assert_eq!(approve(&mut house, "bob", &request).await, Err("act_not_permitted"));
    })
    .await;
}

#[tokio::test]
async fn of_two_yeses_none_is_of_a_principal_and_his_deputy_and_the_first_must_still_count_at_the_last() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        // A role needs a manager and the privacy office; mia is both for a while.
        world.grant(house.people["mia"], "privacy_officer", (0, 100_000)).await;
        let deputy = stands_in(&mut house, ("mia", "bob"), DeputyAs::Approver).await;
        let nora = house.who("nora");
        let request = house.desk().submit(nora, House::ask(&[], 8, WORDS)).await.unwrap().now;
        let once = approve(&mut house, "bob", &request).await.unwrap();
        assert_eq!(once.state.code(), "pending");
        assert_eq!(approve(&mut house, "mia", &once).await, Err("approved_twice"));
        assert_eq!(approve(&mut house, "bob", &once).await, Err("approved_twice"));
        let mia = house.who("mia");
        house.desk().end_deputy(mia, deputy.id, 2).await.unwrap();
        assert_eq!(approve(&mut house, "pia", &once).await, Err("approver_lapsed"));
    })
    .await;
}

#[tokio::test]
async fn a_deputy_reviews_emergencies_unless_one_of_the_two_is_close_to_the_reader() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let emergency = |patient: &str| Emergency {
            role: "nurse".parse().unwrap(),
            patient: patient.parse().unwrap(),
            reason: EmergencyReason::TeamCalled,
            words: Phi::new(String::new()),
        };
        let nora = house.who("nora");
        for patient in ["a", "b"] {
            house.desk().break_glass(nora, emergency(patient)).await.unwrap();
        }
        let reviews = list_open_reviews(&mut world.store.begin_read().await.unwrap()).await.unwrap();
        let words = || Phi::new("Seen with the log of the switchboard".to_owned());
        let close = async |house: &mut House<'_>, who: Who, place: usize| {
            let id = reviews[place].id;
            house.desk().close_review(who, id, 1, Finding::Justified, words()).await.map(drop)
        };
        let bob = house.who("bob");
        let refused = close(&mut house, bob, 0).await;
        assert!(matches!(refused, Err(DeskError::Forbidden)), "{refused:?}");
        // An approver's deputy reviews nothing.
        stands_in(&mut house, ("pia", "bob"), DeputyAs::Approver).await;
        let refused = close(&mut house, bob, 0).await;
        assert!(matches!(refused, Err(DeskError::Forbidden)), "{refused:?}");
        stands_in(&mut house, ("pia", "nora"), DeputyAs::Reviewer).await;
        let refused = close(&mut house, nora, 0).await;
        assert!(matches!(refused, Err(DeskError::Review(ReviewError::NotIndependent))), "her own: {refused:?}");
        stands_in(&mut house, ("pia", "bob"), DeputyAs::Reviewer).await;
        close(&mut house, bob, 0).await.unwrap();
        vouch(&house, "nora", "pia").await;
        let refused = close(&mut house, bob, 1).await;
        assert!(matches!(refused, Err(DeskError::Review(ReviewError::NotIndependent))), "{refused:?}");
    })
    .await;
}
