//! The life of accounts: idle ones are noticed and end by the clock, systems need somebody who answers for them, and what a leaver
//! answered for goes to others.

use super::ENGINE;
use crate::support::{SHARD, World, at, with_world};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use scruple_app::directory::{
    AccountOrder, Directory, DirectoryError, Finding, IdleLook, SCIM_LOGIN, UserOrder, endings, find_user, findings,
};
use scruple_core::{Id, Phi};
use scruple_flow::directory::{Attributes, Employment, Presence};
use scruple_flow::{AccountError, AccountKind, DormancyError, IdleRules};
use scruple_store::{Account, Person, Subject, find_account, load_access};

const DAY: i64 = 86_400;

/// Runs one use case as somebody, a second after the one before.
async fn acting<T>(world: &World, by: Id<Person>, act: impl AsyncFnOnce(&mut Directory<'_>) -> T) -> T {
    world.clock.advance_micros(1_000_000);
    let mut rng = ChaCha20Rng::seed_from_u64(world.now().micros().unsigned_abs());
    let (store, lease, clock) = (&world.store, &world.lease, &*world.clock);
    act(&mut Directory { store, lease, clock, rng: &mut rng, by }).await
}

fn order(login: &str, manager: Option<Id<Person>>, employment: Employment) -> UserOrder {
    UserOrder {
        login: login.parse().unwrap(),
        name: Phi::new(format!("canary-name-{login}")),
        contact: None,
        attributes: Attributes { manager, employment: Some(employment), ..Attributes::default() },
        presence: Presence { active: Some(true), on_leave: None },
        document: Phi::new(b"canary-document".to_vec()),
        effective_at: None,
    }
}

async fn create(world: &World, order: &UserOrder) -> Result<Id<Person>, DirectoryError> {
    let done = acting(world, world.asker, async |directory| directory.create_user(order).await).await;
    done.map(|done| done.value.record.person.id)
}

async fn told(world: &World, login: &str, manager: Option<Id<Person>>, employment: Employment) -> Id<Person> {
    create(world, &order(login, manager, employment)).await.unwrap()
}

/// Gives a role that lasts longer than any test.
async fn holds(world: &World, person: Id<Person>) {
    world.grant(person, "nurse", (0, 400 * DAY)).await;
}

async fn look(world: &World) -> IdleLook {
    let mut rng = ChaCha20Rng::seed_from_u64(world.now().micros().unsigned_abs());
    let mut directory = Directory::of_the_clock(&world.store, &world.lease, &*world.clock, &mut rng);
    directory.look_for_idle(&IdleRules::default()).await.unwrap()
}

fn to_day(world: &World, day: i64) {
    let until = at(day * DAY).micros() - world.now().micros();
    assert!(until > 0);
    world.clock.advance_micros(until);
}

/// Whether somebody holds a role now, on a node that has just begun.
async fn has_role(world: &World, login: &str) -> bool {
    let (cache, _) = world.fresh_cache().await;
    !world.roles(&cache, login).await.unwrap().is_empty()
}

/// The codes of what is found of a person.
async fn found(world: &World, person: Id<Person>) -> Vec<&'static str> {
    let all = findings(&world.store, world.now()).await.unwrap();
    all.iter().filter(|finding| finding.person() == Some(person)).map(Finding::code).collect()
}

#[tokio::test]
async fn a_human_who_is_idle_for_45_days_is_flagged_and_then_disabled_and_comes_back_by_his_manager() {
    with_world(ENGINE, async |world| {
        let boss = told(world, "boss", None, Employment::Employee).await;
        let [ana, eve] = [
            told(world, "ana", Some(boss), Employment::Employee).await,
            told(world, "eve", Some(boss), Employment::Employee).await,
        ];
        let agent = told(world, "agent", Some(boss), Employment::Agency).await;
        for person in [ana, eve, agent, boss] {
            holds(world, person).await;
        }
        to_day(world, 29);
        assert_eq!(look(world).await, IdleLook::default());
        to_day(world, 31);
        world.store.note_use(&[(boss, world.now())]).await.unwrap();
        assert_eq!(look(world).await, IdleLook { noticed: 1, used: 0 }, "whom an agency has sent, by his own rule");
        to_day(world, 46);
        assert_eq!(look(world).await, IdleLook { noticed: 2, used: 0 });
        assert_eq!(look(world).await, IdleLook::default(), "once");
        assert_eq!(found(world, ana).await, ["account_idle"]);
        assert!(has_role(world, "ana").await, "he has notice");
        assert!(!has_role(world, "agent").await, "whose notice of a week is over");
        // One of the two comes back in time: use is remembered once, and written down beside the requests.
        let (cache, follower) = world.fresh_cache().await;
        assert!(!world.roles(&cache, "eve").await.unwrap().is_empty());
        cache.note_use(eve, world.now());
        cache.note_use(eve, world.now());
        assert_eq!(cache.write_uses().await.unwrap(), 1);
        assert_eq!(look(world).await, IdleLook { noticed: 0, used: 1 });
        follower.poll().await.unwrap();
        to_day(world, 61);
        // From here on nothing runs: the clock alone, on the node that has his access in memory and on one that starts anew.
        let asked = async |login: &str| {
            follower.poll().await.unwrap();
            [!world.roles(&cache, login).await.unwrap().is_empty(), has_role(world, login).await]
        };
        assert_eq!(asked("eve").await, [true; 2]);
        assert_eq!(asked("ana").await, [false; 2]);
        // Use does not bring him back, nor he himself, nor somebody else.
        world.store.note_use(&[(ana, world.now())]).await.unwrap();
        assert_eq!(look(world).await.used, 0);
        for by in [eve, world.approver] {
            let no = acting(world, by, async |directory| directory.restore_account(ana).await).await;
            assert!(matches!(no, Err(DirectoryError::Dormancy(DormancyError::NotTheManager))), "{no:?}");
        }
        let own = acting(world, ana, async |directory| directory.restore_account(ana).await).await;
        assert!(matches!(own, Err(DirectoryError::By)), "whose account is disabled does nothing: {own:?}");
        acting(world, boss, async |directory| directory.restore_account(ana).await).await.unwrap();
        assert!(has_role(world, "ana").await);
        assert_eq!(look(world).await, IdleLook::default(), "he is not idle at once again");
        let again = acting(world, boss, async |directory| directory.restore_account(ana).await).await;
        assert!(matches!(again, Err(DirectoryError::NotIdle)), "{again:?}");
        let kinds: Vec<String> =
            world.store.events_after(SHARD, 0, 500).await.unwrap().into_iter().map(|event| event.kind).collect();
        for kind in ["account_idle", "account_used_again", "account_restored"] {
            assert!(kinds.iter().any(|known| known == kind), "{kind}");
        }
    })
    .await;
}

#[tokio::test]
async fn who_leaves_while_his_account_lies_idle_begins_with_nothing_and_is_not_idle() {
    with_world(ENGINE, async |world| {
        let ana = told(world, "ana", None, Employment::Employee).await;
        holds(world, ana).await;
        to_day(world, 46);
        assert_eq!(look(world).await.noticed, 1);
        acting(world, world.asker, async |directory| directory.leaves_now(ana).await).await.unwrap();
        assert_eq!(found(world, ana).await, Vec::<&str>::new());
        to_day(world, 70);
        let back = order("ana", None, Employment::Employee);
        acting(world, world.asker, async |directory| directory.replace_user(ana, None, &back).await).await.unwrap();
        assert_eq!(look(world).await, IdleLook::default());
        holds(world, ana).await;
        assert!(
            load_access(&mut world.store.begin_read().await.unwrap(), ana, world.now())
                .await
                .unwrap()
                .unwrap()
                .suspended
                .iter()
                .all(|one| !one.contains(world.now()))
        );
    })
    .await;
}

fn registered(world: &World, kind: AccountKind, owner: Id<Person>) -> AccountOrder {
    let days = |days: i64| world.now().plus_micros(days * DAY * 1_000_000);
    AccountOrder {
        kind,
        owner,
        purpose: Phi::new("sends results to the cancer registry".to_owned()),
        scopes: vec!["scruple.evaluate".to_owned()],
        rotate_by: days(90),
        review_days: 30,
        ends_at: days(365),
    }
}

async fn register(
    world: &World,
    person: Id<Person>,
    version: Option<i64>,
    order: &AccountOrder,
) -> Result<Account, DirectoryError> {
    let done = acting(world, world.asker, async |directory| directory.register_account(person, version, order).await);
    done.await.map(|done| done.value)
}

#[tokio::test]
async fn a_service_account_without_an_owner_obtains_nothing_and_stands_in_the_review() {
    with_world(ENGINE, async |world| {
        let owner = told(world, "owner", None, Employment::Employee).await;
        let feed = told(world, "feed", None, Employment::Service).await;
        holds(world, feed).await;
        assert!(!has_role(world, "feed").await, "nobody answers for it");
        let (cache, _) = world.fresh_cache().await;
        let held = cache.held("feed", world.now()).await.unwrap().unwrap();
        assert!(held.is_disabled(world.now()), "not even what everybody may do");
        assert_eq!(found(world, feed).await, ["no_owner", "account_not_registered"]);
        let order = registered(world, AccountKind::Service, owner);
        let vague = AccountOrder { purpose: Phi::new("sync".to_owned()), ..order.clone() };
        assert!(matches!(register(world, feed, None, &vague).await, Err(DirectoryError::Purpose)));
        let own = AccountOrder { owner: feed, ..order.clone() };
        let refused = register(world, feed, None, &own).await;
        assert!(matches!(refused, Err(DirectoryError::Account(AccountError::Owner))), "{refused:?}");
        assert_eq!(register(world, feed, None, &order).await.unwrap().version, 1);
        assert!(matches!(register(world, feed, None, &order).await, Err(DirectoryError::Changed)), "once");
        assert!(has_role(world, "feed").await);
        assert_eq!(found(world, feed).await, Vec::<&str>::new());
        // What its tokens may be used for is what is registered, whatever they say.
        let (cache, _) = world.fresh_cache().await;
        let held = cache.held("feed", world.now()).await.unwrap().unwrap();
        assert_eq!([held.may_use("scruple.evaluate"), held.may_use("fhir")], [true, false]);
        // A month later it is to be looked at again, by who answers for it.
        to_day(world, 31);
        assert_eq!(found(world, feed).await, ["account_review_late"]);
        let other = acting(world, world.approver, async |directory| directory.review_account(feed, 1).await).await;
        assert!(matches!(other, Err(DirectoryError::NotTheOwner)), "{other:?}");
        acting(world, owner, async |directory| directory.review_account(feed, 1).await).await.unwrap();
        assert_eq!(found(world, feed).await, Vec::<&str>::new());
        let late = acting(world, owner, async |directory| directory.review_account(feed, 1).await).await;
        assert!(matches!(late, Err(DirectoryError::Changed)), "{late:?}");
        to_day(world, 91);
        assert!(found(world, feed).await.contains(&"account_rotation_late"));
        // Its owner leaves, and nobody is there to take it over: at the next look of every node it obtains nothing.
        let (cache, follower) = world.fresh_cache().await;
        assert!(!world.roles(&cache, "feed").await.unwrap().is_empty());
        acting(world, world.asker, async |directory| directory.leaves_now(owner).await).await.unwrap();
        follower.poll().await.unwrap();
        assert!(world.roles(&cache, "feed").await.unwrap().is_empty());
        assert!(found(world, feed).await.contains(&"no_owner"));
        assert!(!has_role(world, "feed").await);
    })
    .await;
}

/// RB-01: who holds no role stands in the report, is shown nothing, and the privacy office hears of it once a week.
#[tokio::test]
async fn who_holds_no_role_is_a_finding_that_is_told_once_a_week() {
    with_world(ENGINE, async |world| {
        let boss = told(world, "boss", None, Employment::Employee).await;
        holds(world, boss).await;
        let ana = told(world, "ana", Some(boss), Employment::Employee).await;
        assert_eq!(found(world, ana).await, ["no_role"]);
        assert!(!has_role(world, "ana").await);
        let tell =
            async || acting(world, world.asker, async |directory| directory.tell_of_no_role().await).await.unwrap();
        assert_eq!([tell().await, tell().await], [true, false], "once a week");
        assert_eq!(super::messages::letters(world).await, [("people_without_role", None)]);
        to_day(world, 8);
        assert!(tell().await);
        // By the time it is sent she has one: nobody is told.
        holds(world, ana).await;
        assert_eq!(found(world, ana).await, Vec::<&str>::new());
        assert_eq!(super::messages::letters(world).await, []);
        to_day(world, 16);
        assert!(!tell().await);
    })
    .await;
}

/// IL-15: who acts as a system and is not registered as one goes on for thirty days, and obtains nothing from then on.
#[tokio::test]
async fn a_system_that_nobody_registers_obtains_nothing_after_its_grace() {
    with_world(ENGINE, async |world| {
        let owner = told(world, "owner", None, Employment::Employee).await;
        let feed = told(world, "feed", Some(owner), Employment::Service).await;
        let bare = world.person("bare").await;
        for system in [feed, bare] {
            world.grant(system, "service_account", (0, 400 * DAY)).await;
        }
        for (person, login) in [(feed, "feed"), (bare, "bare")] {
            assert!(found(world, person).await.contains(&"account_not_registered"), "{login}");
            assert!(has_role(world, login).await, "{login}");
        }
        to_day(world, 31);
        for login in ["feed", "bare"] {
            assert!(!has_role(world, login).await, "{login}");
        }
        register(world, feed, None, &registered(world, AccountKind::Service, owner)).await.unwrap();
        register(world, bare, None, &registered(world, AccountKind::Service, owner)).await.unwrap();
        for (person, login) in [(feed, "feed"), (bare, "bare")] {
            assert!(has_role(world, login).await, "{login}");
            assert!(!found(world, person).await.contains(&"account_not_registered"), "{login}");
        }
        // The one that tells who is here is in the review too, though it holds no role.
        let scim = world.person(SCIM_LOGIN).await;
        assert_eq!(found(world, scim).await, ["account_not_registered"]);
        register(world, scim, None, &registered(world, AccountKind::Service, owner)).await.unwrap();
        assert_eq!(found(world, scim).await, Vec::<&str>::new());
        to_day(world, 80);
        assert_eq!(found(world, scim).await, ["account_review_late"]);
    })
    .await;
}

#[tokio::test]
async fn a_system_without_an_owner_provisions_nobody() {
    with_world(ENGINE, async |world| {
        let hr = told(world, "hr-feed", None, Employment::Service).await;
        let order = order("ana", None, Employment::Employee);
        let no = acting(world, hr, async |directory| directory.create_user(&order).await).await;
        assert!(matches!(no, Err(DirectoryError::By)), "{no:?}");
    })
    .await;
}

#[tokio::test]
async fn an_account_that_waits_for_an_emergency_lies_idle_as_long_as_its_controls_are_there() {
    with_world(ENGINE, async |world| {
        let owner = told(world, "owner", None, Employment::Employee).await;
        let sealed = told(world, "envelope", Some(owner), Employment::Employee).await;
        holds(world, sealed).await;
        let days = |days: i64| world.now().plus_micros(days * DAY * 1_000_000);
        let order =
            AccountOrder { rotate_by: days(360), review_days: 200, ..registered(world, AccountKind::Emergency, owner) };
        register(world, sealed, None, &order).await.unwrap();
        to_day(world, 150);
        world.store.note_use(&[(owner, world.now())]).await.unwrap();
        assert_eq!(look(world).await, IdleLook::default(), "150 days idle, and as it should be");
        assert_eq!(found(world, sealed).await, Vec::<&str>::new());
        to_day(world, 201);
        world.store.note_use(&[(owner, world.now())]).await.unwrap();
        assert_eq!(look(world).await.noticed, 1, "nobody has looked at it");
        let codes = found(world, sealed).await;
        for code in ["account_idle", "account_review_late", "emergency_account_without_controls"] {
            assert!(codes.contains(&code), "{codes:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_generic_login_without_an_owner_is_not_created() {
    with_world(ENGINE, async |world| {
        for (employment, manager) in
            [(Employment::Employee, None), (Employment::Employee, Some(world.approver)), (Employment::Service, None)]
        {
            let no = create(world, &order("frontdesk", manager, employment)).await;
            assert!(matches!(no, Err(DirectoryError::Generic)), "{employment:?} {no:?}");
        }
        let owned = order("frontdesk", Some(world.approver), Employment::Service);
        let kiosk = create(world, &owned).await.unwrap();
        assert!(find_user(&world.store, kiosk, world.now()).await.unwrap().is_some());
        // Nor does somebody become nobody by another login.
        let ana = told(world, "ana", None, Employment::Employee).await;
        let renamed = order("er_shared", None, Employment::Employee);
        let no = acting(world, world.asker, async |directory| directory.replace_user(ana, None, &renamed).await).await;
        assert!(matches!(no, Err(DirectoryError::Generic)), "{no:?}");
    })
    .await;
}

#[tokio::test]
async fn what_a_leaver_answered_for_goes_to_the_nearest_above_who_is_here_and_is_listed() {
    with_world(ENGINE, async |world| {
        let top = told(world, "top", None, Employment::Employee).await;
        let middle = told(world, "middle", Some(top), Employment::Employee).await;
        let boss = told(world, "boss", Some(middle), Employment::Employee).await;
        let report = told(world, "report", Some(boss), Employment::Employee).await;
        let feed = told(world, "feed", Some(boss), Employment::Service).await;
        register(world, feed, None, &registered(world, AccountKind::Service, boss)).await.unwrap();
        let grant = world.grant(boss, "nurse", (0, 1_000)).await;
        holds(world, feed).await;
        // The one in between is on leave.
        let away = UserOrder {
            presence: Presence { active: Some(true), on_leave: Some(true) },
            ..order("middle", Some(top), Employment::Employee)
        };
        acting(world, world.asker, async |directory| directory.replace_user(middle, None, &away).await).await.unwrap();
        acting(world, world.asker, async |directory| directory.leaves_now(boss).await).await.unwrap();
        let mut tx = world.store.begin_read().await.unwrap();
        assert_eq!(find_account(&mut tx, feed).await.unwrap().unwrap().owner, Some(top));
        drop(tx);
        assert!(has_role(world, "feed").await, "it goes on");
        let now = find_user(&world.store, report, world.now()).await.unwrap().unwrap();
        assert_eq!(now.record.attributes.manager, Some(top));
        let ended = endings(&world.store, boss).await.unwrap();
        let [ended] = ended.as_slice() else { panic!("{ended:?}") };
        assert_eq!((ended.requested_by, ended.heir), (Some(world.asker), Some(top)));
        assert!(ended.completed_at >= ended.requested_at);
        let listed = |all: &[scruple_app::directory::Entitlement]| {
            all.iter().map(|one| (one.kind.clone(), one.id.clone())).collect::<Vec<_>>()
        };
        assert_eq!(listed(&ended.removed), [("role".to_owned(), grant.to_string())]);
        assert_eq!(ended.removed[0].role.as_deref(), Some("nurse"));
        let mut expected = vec![("report".to_owned(), report.to_string()), ("report".to_owned(), feed.to_string())];
        expected.sort();
        let mut passed_on = listed(&ended.passed_on);
        assert_eq!(passed_on.remove(0), ("account".to_owned(), feed.to_string()));
        passed_on.sort();
        assert_eq!((passed_on, listed(&ended.failed)), (expected, vec![]));
        // Rehired and gone again: another record.
        let back = order("boss", Some(middle), Employment::Employee);
        acting(world, world.asker, async |directory| directory.replace_user(boss, None, &back).await).await.unwrap();
        acting(world, world.asker, async |directory| directory.leaves_now(boss).await).await.unwrap();
        assert_eq!(endings(&world.store, boss).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn where_nobody_above_is_here_the_privacy_office_has_it_and_it_is_a_finding() {
    with_world(ENGINE, async |world| {
        let boss = told(world, "boss", None, Employment::Employee).await;
        let report = told(world, "report", Some(boss), Employment::Employee).await;
        let feed = told(world, "feed", Some(boss), Employment::Service).await;
        register(world, feed, None, &registered(world, AccountKind::Service, boss)).await.unwrap();
        acting(world, world.asker, async |directory| directory.leaves_now(boss).await).await.unwrap();
        let ended = endings(&world.store, boss).await.unwrap();
        assert_eq!((ended[0].heir, ended[0].passed_on.len()), (None, 3));
        assert_eq!(found(world, report).await, ["no_manager", "no_role"]);
        assert!(found(world, feed).await.contains(&"no_owner"));
        // Somebody takes it over.
        let order = registered(world, AccountKind::Service, world.approver);
        register(world, feed, Some(2), &order).await.unwrap();
        assert!(!found(world, feed).await.contains(&"no_owner"));
        world.touch(Subject::Person(feed)).await;
    })
    .await;
}
