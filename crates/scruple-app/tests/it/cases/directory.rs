//! Who is here: being told of gives nothing, and what is told takes at once, or at its instant, on every node.

use super::ENGINE;
use crate::support::{SHARD, TestLog, World, at, practitioners, with_world};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use scruple_app::directory::{
    Directory, DirectoryError, Finding, GroupOrder, UserOrder, count_groups, count_users, find_group, find_groups,
    find_user, find_users, findings, page_of_groups, page_of_users,
};
use scruple_app::{LinkOrder, link_practitioner};
use scruple_core::{EntryBody, Id, Phi};
use scruple_flow::directory::{Attributes, Change, Employment, LeaveError, LeaveState, Lost, Presence, Standing};
use scruple_store::{Person, Subject, find_grant};
use std::collections::BTreeSet;

/// Runs one use case as somebody, a second after the one before.
async fn acting<T>(world: &World, by: Id<Person>, act: impl AsyncFnOnce(&mut Directory<'_>) -> T) -> T {
    world.clock.advance_micros(1_000_000);
    let mut rng = ChaCha20Rng::seed_from_u64(world.now().micros().unsigned_abs());
    let (store, lease, clock) = (&world.store, &world.lease, &*world.clock);
    act(&mut Directory { store, lease, clock, rng: &mut rng, by }).await
}

fn order(login: &str) -> UserOrder {
    UserOrder {
        login: login.parse().unwrap(),
        name: Phi::new(format!("canary-name-{login}")),
        contact: None,
        attributes: Attributes {
            title: Some(Phi::new("canary-title".to_owned())),
            employment: Some(Employment::Employee),
            ..Attributes::default()
        },
        presence: Presence { active: Some(true), on_leave: None },
        document: Phi::new(b"canary-document".to_vec()),
        effective_at: None,
    }
}

fn titled(title: &str, order: UserOrder) -> UserOrder {
    let attributes = Attributes { title: Some(Phi::new(title.to_owned())), ..order.attributes };
    UserOrder { attributes, ..order }
}

fn with(active: bool, on_leave: Option<bool>, order: UserOrder) -> UserOrder {
    UserOrder { presence: Presence { active: Some(active), on_leave }, ..order }
}

async fn create(world: &World, login: &str) -> Id<Person> {
    let done = acting(world, world.asker, async |directory| directory.create_user(&order(login)).await).await.unwrap();
    done.value.record.person.id
}

async fn replace(world: &World, person: Id<Person>, order: &UserOrder) -> Vec<Change> {
    let done = acting(world, world.asker, async |directory| directory.replace_user(person, None, order).await).await;
    done.unwrap().changes
}

/// What somebody holds now, on a node that has just read the feed.
async fn held(world: &World, login: &str) -> Vec<String> {
    let (cache, _) = world.fresh_cache().await;
    world.roles(&cache, login).await.unwrap()
}

async fn standing(world: &World, person: Id<Person>) -> Standing {
    find_user(&world.store, person, world.now()).await.unwrap().unwrap().standing
}

/// The last event of the shard, as its kind and facts.
async fn last(world: &World) -> (String, String) {
    let events = world.store.events_after(SHARD, 0, 500).await.unwrap();
    let event = events.last().unwrap();
    (event.kind.clone(), String::from_utf8(event.body.expose().clone()).unwrap())
}

#[tokio::test]
async fn somebody_new_holds_nothing_until_it_is_approved() {
    with_world(ENGINE, async |world| {
        let ana = create(world, "ana").await;
        assert_eq!((held(world, "ana").await, standing(world, ana).await), (vec![], Standing::Here));
        world.grant(ana, "nurse", (0, 1_000)).await;
        assert_eq!(held(world, "ana").await, ["nurse"]);
        // Told once more, whatever it says, it gives nothing and does nothing.
        let again =
            acting(world, world.asker, async |directory| directory.replace_user(ana, None, &order("ana")).await);
        let again = again.await.unwrap();
        assert_eq!((again.changes, again.position, again.value.record.version), (vec![], None, 1));
        let twice = acting(world, world.asker, async |directory| directory.create_user(&order("ANA")).await).await;
        assert!(matches!(twice, Err(DirectoryError::LoginTaken)), "{twice:?}");
        // One who is told of as gone is recorded, and can be granted nothing.
        let order = with(false, None, order("eve"));
        let eve = acting(world, world.asker, async |directory| directory.create_user(&order).await).await.unwrap();
        assert_eq!(eve.changes, [Change::Joiner, Change::Leaver]);
        assert_eq!(eve.value.standing, Standing::Left);
    })
    .await;
}

#[tokio::test]
async fn a_leaver_is_out_at_the_next_look_of_every_node_with_everything_listed() {
    with_world(ENGINE, async |world| {
        let ana = create(world, "ana").await;
        let grants = [world.grant(ana, "nurse", (0, 1_000)).await, world.grant(ana, "biller", (500, 1_000)).await];
        let report = create(world, "report").await;
        let manager = Attributes { manager: Some(ana), ..order("report").attributes };
        replace(world, report, &UserOrder { attributes: manager, ..order("report") }).await;
        let link = LinkOrder {
            person: "ana".parse().unwrap(),
            practitioner: "Practitioner/a".parse().unwrap(),
            by: "approver".parse().unwrap(),
        };
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let link = link_practitioner(&world.store, &world.lease, &*world.clock, &mut rng, &link).await.unwrap().link.id;
        let (first, first_follower) = world.fresh_cache().await;
        let (second, second_follower) = world.fresh_cache().await;
        for cache in [&first, &second] {
            let held = cache.held("ana", world.now()).await.unwrap().unwrap();
            assert_eq!(practitioners(&held), ["Practitioner/a"]);
            assert_eq!(world.roles(cache, "ana").await.unwrap(), ["nurse"]);
        }
        assert_eq!(replace(world, ana, &with(false, None, order("ana"))).await, [Change::Leaver]);
        let left_at = world.now();
        for (cache, follower) in [(&first, first_follower), (&second, second_follower)] {
            follower.poll().await.unwrap();
            assert_eq!(world.roles(cache, "ana").await.unwrap(), [""; 0]);
        }
        // The record of it: who asked, when it was complete, and everything that was taken.
        let (kind, facts) = last(world).await;
        assert_eq!(kind, "person_left");
        for part in [grants[0].to_string(), grants[1].to_string(), link.to_string(), report.to_string()] {
            assert!(facts.contains(&part), "{facts}");
        }
        for part in [
            format!(r#""requested_by":"{}""#, world.asker),
            format!(r#""completed_at":{}"#, left_at.micros()),
            r#""failed":[]"#.to_owned(),
        ] {
            assert!(facts.contains(&part), "{facts}");
        }
        assert!(!facts.contains("canary"), "{facts}");
        for grant in grants {
            let grant = find_grant(&mut world.store.begin_read().await.unwrap(), grant).await.unwrap().unwrap();
            assert_eq!(grant.revoked.map(|end| (end.by, end.at)), Some((world.asker, left_at)));
        }
        // Twice is once; and whoever reported to him is a finding.
        let events = world.store.events_after(SHARD, 0, 500).await.unwrap().len();
        let now = acting(world, world.asker, async |directory| directory.leaves_now(ana).await).await.unwrap();
        assert_eq!((now.changes, now.position), (vec![], None));
        assert_eq!(replace(world, ana, &with(false, None, order("ana"))).await, []);
        assert_eq!(world.store.events_after(SHARD, 0, 500).await.unwrap().len(), events);
        assert!(findings(&world.store, world.now()).await.unwrap().contains(&Finding::NoManager(report)));
    })
    .await;
}

#[tokio::test]
async fn leaves_now_is_one_act_and_a_rehire_begins_with_nothing() {
    with_world(ENGINE, async |world| {
        let ana = create(world, "ana").await;
        let grant = world.grant(ana, "nurse", (0, 10_000)).await;
        let done = acting(world, world.approver, async |directory| directory.leaves_now(ana).await).await.unwrap();
        assert_eq!((done.changes, done.value.standing), (vec![Change::Leaver], Standing::Left));
        assert_eq!(held(world, "ana").await, [""; 0]);
        assert_eq!(replace(world, ana, &order("ana")).await, [Change::Rehired]);
        assert_eq!((held(world, "ana").await, standing(world, ana).await), (vec![], Standing::Here));
        world.grant(ana, "coder", (0, 10_000)).await;
        assert_eq!(held(world, "ana").await, ["coder"]);
        let before = world.now();
        // Taken out of the directory and told of anew: the same human, the same id, nothing.
        let order = order("ana");
        let out = acting(world, world.asker, async |directory| directory.delete_user(ana, None).await).await.unwrap();
        assert_eq!(out.changes, [Change::Leaver]);
        assert_eq!(find_user(&world.store, ana, world.now()).await.unwrap(), None);
        let twice = acting(world, world.asker, async |directory| directory.delete_user(ana, None).await).await;
        assert!(matches!(twice, Err(DirectoryError::NoPerson)), "{twice:?}");
        let back = acting(world, world.asker, async |directory| directory.create_user(&order).await).await.unwrap();
        assert_eq!((back.value.record.person.id, back.changes), (ana, vec![Change::Rehired]));
        assert_eq!(held(world, "ana").await, [""; 0]);
        // What was held then is still known.
        let mut tx = world.store.begin_read().await.unwrap();
        let then = scruple_store::grants_as_of(&mut tx, before, None, 10).await.unwrap();
        assert_eq!(then.iter().map(|grant| grant.role.as_str()).collect::<Vec<_>>(), ["coder"]);
        assert!(then.iter().all(|held| held.id != grant));
    })
    .await;
}

#[tokio::test]
async fn who_left_before_the_directory_comes_back_with_nothing() {
    with_world(ENGINE, async |world| {
        let (ana, _) = world.nurse("ana").await;
        let mut tx = world.store.begin().await.unwrap();
        scruple_store::mark_person_left(&mut tx, ana, 1, at(0)).await.unwrap();
        world.commit(tx, Subject::Person(ana)).await;
        let order = order("ana");
        let back = acting(world, world.asker, async |directory| directory.create_user(&order).await).await.unwrap();
        assert_eq!((back.value.record.person.id, back.changes), (ana, vec![Change::Rehired]));
        assert_eq!(held(world, "ana").await, [""; 0]);
        // One who is here and known is told of, and neither gets nor loses by it.
        let (bob, _) = world.nurse("bob").await;
        assert_eq!(create(world, "bob").await, bob);
        assert_eq!(held(world, "bob").await, ["nurse"]);
    })
    .await;
}

#[tokio::test]
async fn a_mover_loses_what_the_old_title_gave_unless_it_is_approved_anew() {
    with_world(ENGINE, async |world| {
        let ana = create(world, "ana").await;
        let old = world.grant(ana, "nurse", (0, 10_000)).await;
        assert_eq!(replace(world, ana, &titled("Coder", order("ana"))).await, [Change::Mover(Lost::All)]);
        assert_eq!(held(world, "ana").await, [""; 0]);
        let (kind, facts) = last(world).await;
        assert!(kind == "person_moved" && facts.contains(&old.to_string()) && !facts.contains("Coder"), "{facts}");
        let old = find_grant(&mut world.store.begin_read().await.unwrap(), old).await.unwrap().unwrap();
        assert_eq!(old.revoked.map(|end| end.at), Some(world.now()));
        // With a date to come: nothing changes until then, and from then on no job is needed.
        let again = world.grant_now(ana, "coder").await;
        let kept = world.grant_now(ana, "nurse").await;
        world.clock.advance_micros(1_000_000);
        let effective = world.now().plus_micros(60_000_000);
        let order = UserOrder { effective_at: Some(effective), ..titled("Biller", order("ana")) };
        assert_eq!(replace(world, ana, &order).await, [Change::Mover(Lost::All)]);
        assert_eq!(held(world, "ana").await, ["coder", "nurse"]);
        let found = findings(&world.store, world.now()).await.unwrap();
        let mut grants = vec![(again, "coder".parse().unwrap()), (kept, "nurse".parse().unwrap())];
        grants.sort();
        assert!(found.contains(&Finding::LeftOver { person: ana, grants }), "{found:?}");
        world.clock.advance_micros(1_000_000);
        world.grant_now(ana, "nurse").await;
        let (cache, _) = world.fresh_cache().await;
        let held_then = cache.held("ana", world.now()).await.unwrap().unwrap();
        assert_eq!(crate::support::roles(&held_then, effective.plus_micros(-1)), ["coder", "nurse"]);
        assert_eq!(crate::support::roles(&held_then, effective), ["nurse"], "what was approved anew");
        world.clock.advance_micros(effective.micros() - world.now().micros());
        for settled in [1, 0] {
            let done = acting(world, world.asker, async |directory| directory.settle_moves().await).await.unwrap();
            assert_eq!(done, settled);
        }
        assert_eq!(held(world, "ana").await, ["nurse"]);
        let found = findings(&world.store, world.now()).await.unwrap();
        assert!(!found.iter().any(|one| matches!(one, Finding::LeftOver { .. })), "{found:?}");
    })
    .await;
}

#[tokio::test]
async fn a_planned_move_takes_at_its_instant() {
    with_world(ENGINE, async |world| {
        let ana = create(world, "ana").await;
        world.grant(ana, "nurse", (0, 10_000)).await;
        let effective = world.now().plus_micros(10_000_000);
        acting(world, world.asker, async |directory| directory.plan_move(ana, effective).await).await.unwrap();
        assert_eq!(held(world, "ana").await, ["nurse"]);
        world.clock.advance_micros(effective.micros() - world.now().micros());
        assert_eq!(held(world, "ana").await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_leave_suspends_everything_until_the_manager_confirms_the_return() {
    with_world(ENGINE, async |world| {
        let (ana, boss, chief) =
            (create(world, "ana").await, create(world, "boss").await, create(world, "chief").await);
        let reports_to = |login: &str, manager| {
            let order = order(login);
            UserOrder { attributes: Attributes { manager: Some(manager), ..order.attributes }, ..order }
        };
        replace(world, ana, &reports_to("ana", boss)).await;
        replace(world, boss, &reports_to("boss", chief)).await;
        world.grant(ana, "nurse", (0, 10_000)).await;
        let (cache, follower) = world.fresh_cache().await;
        assert_eq!(world.roles(&cache, "ana").await.unwrap(), ["nurse"]);
        let on_leave = with(true, Some(true), reports_to("ana", boss));
        assert_eq!(replace(world, ana, &on_leave).await, [Change::LeaveStarts]);
        assert_eq!(replace(world, ana, &on_leave).await, []);
        follower.poll().await.unwrap();
        assert_eq!(
            (world.roles(&cache, "ana").await.unwrap(), standing(world, ana).await),
            (vec![], Standing::OnLeave)
        );
        let confirm = async |by| acting(world, by, async |directory| directory.confirm_return(ana).await).await;
        let early = confirm(boss).await;
        assert!(matches!(early, Err(DirectoryError::Leave(LeaveError::NotEnded))), "{early:?}");
        let back = with(true, Some(false), reports_to("ana", boss));
        assert_eq!(replace(world, ana, &back).await, [Change::LeaveEnds]);
        assert_eq!((held(world, "ana").await, standing(world, ana).await), (vec![], Standing::Returning));
        for stranger in [ana, chief, world.asker] {
            let refused = confirm(stranger).await;
            assert!(matches!(refused, Err(DirectoryError::Leave(LeaveError::NotTheManager))), "{refused:?}");
        }
        let done = confirm(boss).await.unwrap();
        assert!(matches!(done.value.state, LeaveState::Closed { by, .. } if by == boss));
        assert_eq!((held(world, "ana").await, standing(world, ana).await), (vec!["nurse".to_owned()], Standing::Here));
        assert!(matches!(confirm(boss).await, Err(DirectoryError::NoLeave)));
        // Planned, it begins by itself; where the manager has left, the next one above confirms.
        let starts_at = world.now().plus_micros(30_000_000);
        let plan =
            async || acting(world, world.asker, async |directory| directory.plan_leave(ana, starts_at).await).await;
        assert_eq!(plan().await.unwrap().changes, [Change::LeaveStarts]);
        assert_eq!((plan().await.unwrap().position, held(world, "ana").await), (None, vec!["nurse".to_owned()]));
        world.clock.advance_micros(starts_at.micros() - world.now().micros());
        assert_eq!(held(world, "ana").await, [""; 0]);
        acting(world, world.asker, async |directory| directory.leaves_now(boss).await).await.unwrap();
        for expected in [vec![Change::LeaveEnds], vec![]] {
            let done = acting(world, world.asker, async |directory| directory.end_leave(ana).await).await.unwrap();
            assert_eq!(done.changes, expected);
        }
        assert!(matches!(confirm(boss).await, Err(DirectoryError::By)), "he has left");
        confirm(chief).await.unwrap();
        assert_eq!(held(world, "ana").await, ["nurse"]);
    })
    .await;
}

#[tokio::test]
async fn who_leaves_during_a_leave_is_not_on_leave_when_he_comes_back() {
    with_world(ENGINE, async |world| {
        let ana = create(world, "ana").await;
        replace(world, ana, &with(true, Some(true), order("ana"))).await;
        replace(world, ana, &with(false, Some(true), order("ana"))).await;
        assert_eq!(replace(world, ana, &order("ana")).await, [Change::Rehired]);
        assert_eq!(standing(world, ana).await, Standing::Here);
        world.grant_now(ana, "nurse").await;
        assert_eq!(held(world, "ana").await, ["nurse"]);
    })
    .await;
}

#[tokio::test]
async fn a_group_gives_nothing_and_takes_its_role_from_who_comes_out() {
    with_world(ENGINE, async |world| {
        let (ana, bob) = (create(world, "ana").await, create(world, "bob").await);
        let group = |members: &[Id<Person>]| GroupOrder {
            display: Phi::new("canary-group".to_owned()),
            external_id: None,
            members: members.iter().copied().collect::<BTreeSet<_>>(),
        };
        let made =
            acting(world, world.asker, async |directory| directory.create_group(&group(&[ana, bob])).await).await;
        let id = made.unwrap().value.group.id;
        assert_eq!(held(world, "ana").await, [""; 0]);
        let unmapped =
            async || findings(&world.store, world.now()).await.unwrap().contains(&Finding::UnmappedGroup(id));
        assert!(unmapped().await);
        let nurse = "nurse".parse().unwrap();
        let map = async || {
            acting(world, world.approver, async |directory| {
                directory.map_group(id, Some(&nurse), &|role| *role == nurse).await
            })
            .await
        };
        let coder = "coder".parse().unwrap();
        let nobody_s = acting(world, world.approver, async |directory| {
            directory.map_group(id, Some(&coder), &|role| *role == nurse).await
        });
        assert!(matches!(nobody_s.await, Err(DirectoryError::NoRole)), "a role that the policy does not have");
        assert!(map().await.unwrap().position.is_some());
        assert_eq!(map().await.unwrap().position, None);
        assert!(!unmapped().await);
        assert_eq!(held(world, "ana").await, [""; 0], "a mapped group gives nothing either");
        for person in [ana, bob] {
            world.grant_now(person, "nurse").await;
            world.grant_now(person, "coder").await;
        }
        let replace = async |members: &[Id<Person>]| {
            acting(world, world.asker, async |directory| directory.replace_group(id, None, &group(members)).await).await
        };
        let lost = Change::Mover(Lost::Roles(BTreeSet::from([nurse.clone()])));
        assert_eq!(replace(&[bob]).await.unwrap().changes, std::slice::from_ref(&lost));
        assert_eq!((held(world, "ana").await, held(world, "bob").await.len()), (vec!["coder".to_owned()], 2));
        assert_eq!(replace(&[bob]).await.unwrap().position, None);
        assert!(matches!(replace(&[world.id()]).await, Err(DirectoryError::NoPerson)));
        let stale =
            acting(world, world.asker, async |directory| directory.replace_group(id, Some(1), &group(&[])).await);
        assert!(matches!(stale.await, Err(DirectoryError::Changed)));
        let out = acting(world, world.asker, async |directory| directory.delete_group(id, None).await).await.unwrap();
        assert_eq!(out.changes, [lost]);
        assert_eq!(held(world, "bob").await, ["coder"]);
        let gone = acting(world, world.asker, async |directory| directory.delete_group(id, None).await).await;
        assert!(matches!(gone, Err(DirectoryError::NoGroup)), "{gone:?}");
    })
    .await;
}

#[tokio::test]
async fn the_directory_is_read_by_index_and_page_by_page() {
    with_world(ENGINE, async |world| {
        let now = world.now();
        let mut ids = vec![create(world, "ana").await, create(world, "bob").await];
        ids.sort_unstable();
        let display = Phi::new("Nurses".to_owned());
        let order = GroupOrder { display: display.clone(), external_id: None, members: ids.iter().copied().collect() };
        let made = acting(world, world.asker, async |directory| directory.create_group(&order).await).await.unwrap();
        let group = made.value;
        assert_eq!((&group.members, count_groups(&world.store).await.unwrap()), (&ids, 1));
        assert_eq!(find_group(&world.store, group.group.id).await.unwrap(), Some(group.clone()));
        assert_eq!(find_groups(&world.store, (Some(&display), None)).await.unwrap(), std::slice::from_ref(&group));
        assert_eq!(page_of_groups(&world.store, None, 10).await.unwrap(), [group]);
        assert_eq!(count_users(&world.store).await.unwrap(), 2);
        let page = page_of_users(&world.store, Some(ids[0]), 10, now).await.unwrap();
        assert_eq!(page.iter().map(|user| user.record.person.id).collect::<Vec<_>>(), [ids[1]]);
        assert_eq!(page[0].groups.len(), 1);
        let ana = find_users(&world.store, (Some(&"ANA".parse().unwrap()), None), now).await.unwrap();
        assert_eq!(ana[0].record.person.login.expose(), "ana");
        let log = TestLog::new();
        world.drainer(&log).0.drain().await.unwrap();
        for (_, entry) in log.entries() {
            let text = String::from_utf8(entry.to_bytes().unwrap()).unwrap();
            assert!(!text.contains("canary"), "{text}");
            assert!(matches!(entry.body, EntryBody::Event { .. }));
        }
    })
    .await;
}

#[tokio::test]
async fn who_acts_is_here_and_takes_nobody_out_but_others() {
    with_world(ENGINE, async |world| {
        let ana = create(world, "ana").await;
        let own = acting(world, ana, async |directory| directory.leaves_now(ana).await).await;
        assert!(matches!(own, Err(DirectoryError::Own)), "{own:?}");
        let stranger = acting(world, world.id(), async |directory| directory.leaves_now(ana).await).await;
        assert!(matches!(stranger, Err(DirectoryError::By)), "{stranger:?}");
        let taken = UserOrder {
            attributes: Attributes { employee_number: Some(Phi::new("canary-7".to_owned())), ..Attributes::default() },
            ..order("bob")
        };
        acting(world, world.asker, async |directory| directory.create_user(&taken).await).await.unwrap();
        let taken = UserOrder { login: "eve".parse().unwrap(), ..taken };
        let error =
            acting(world, world.asker, async |directory| directory.create_user(&taken).await).await.unwrap_err();
        assert!(matches!(error, DirectoryError::NumberTaken) && !format!("{error:?}").contains("canary"), "{error:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_that_races_a_leaver_is_never_left() {
    with_world(ENGINE, async |world| {
        for round in 0..6 {
            let login = format!("ana-{round}");
            let ana = create(world, &login).await;
            let (store, lease, clock) = (&world.store, &world.lease, &*world.clock);
            let mut rng = ChaCha20Rng::seed_from_u64(round);
            let mut directory = Directory { store, lease, clock, rng: &mut rng, by: world.asker };
            let granting = async || world.try_grant(ana, "nurse").await;
            let (left, ..) = tokio::join!(directory.leaves_now(ana), granting(), granting(), granting());
            assert!(left.is_ok(), "{left:?}");
            let mut tx = world.store.begin_read().await.unwrap();
            assert_eq!(scruple_store::open_grants(&mut tx, ana, world.now()).await.unwrap(), [], "round {round}");
        }
    })
    .await;
}
