//! Who a person is in the record system: told by the cache, gone within one look of the feed, changed by two people.

use super::ENGINE;
use crate::support::{SHARD, TestLog, World, at, practitioners, with_world};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use scruple_app::limits::FEED_FRESH_MICROS;
use scruple_app::{AccessCache, LinkChanged, LinkOrder, LinkOrderError, link_practitioner, unlink_practitioner};
use scruple_core::EntryBody;
use scruple_store::{LinkEnd, LinkState, Subject, Subjects, mark_person_left};

/// A change by somebody, a microsecond after the one before.
async fn change(
    world: &World,
    is_end: bool,
    [person, practitioner, by]: [&str; 3],
) -> Result<LinkChanged, LinkOrderError> {
    let mut rng = ChaCha20Rng::seed_from_u64(world.now().micros() as u64);
    world.clock.advance_micros(1);
    let [person, by] = [person, by].map(|login| login.parse().unwrap());
    let order = LinkOrder { person, practitioner: practitioner.parse().unwrap(), by };
    let (store, lease, clock) = (&world.store, &world.lease, &*world.clock);
    if is_end {
        unlink_practitioner(store, lease, clock, &mut rng, &order).await
    } else {
        link_practitioner(store, lease, clock, &mut rng, &order).await
    }
}

async fn link(world: &World, person: &str, practitioner: &str) -> LinkChanged {
    change(world, false, [person, practitioner, "approver"]).await.unwrap()
}

async fn unlink(world: &World, person: &str, practitioner: &str) -> LinkChanged {
    change(world, true, [person, practitioner, "asker"]).await.unwrap()
}

async fn are(world: &World, cache: &AccessCache, subject: &str) -> Vec<String> {
    practitioners(&cache.held(subject, world.now()).await.unwrap().unwrap())
}

#[tokio::test]
async fn a_link_that_was_ended_is_gone_with_the_next_look_at_the_feed() {
    with_world(ENGINE, async |world| {
        world.nurse("ana").await;
        link(world, "ana", "Practitioner/a").await;
        link(world, "ana", "PractitionerRole/r").await;
        let (cache, follower) = world.fresh_cache().await;
        assert_eq!(are(world, &cache, "ana").await, ["Practitioner/a", "PractitionerRole/r"]);
        assert_eq!(world.roles(&cache, "ana").await.unwrap(), ["nurse"]);
        unlink(world, "ana", "Practitioner/a").await;
        assert_eq!(
            are(world, &cache, "ana").await,
            ["Practitioner/a", "PractitionerRole/r"],
            "the look is yet to come"
        );
        follower.poll().await.unwrap();
        assert!(cache.try_held("ana", world.now()).is_none());
        assert_eq!(are(world, &cache, "ana").await, ["PractitionerRole/r"]);
        assert_eq!(world.roles(&cache, "ana").await.unwrap(), ["nurse"]);
        // Without that look nothing is answered after the second that it is believed for.
        unlink(world, "ana", "PractitionerRole/r").await;
        world.clock.advance_micros(FEED_FRESH_MICROS + 1);
        assert!(cache.try_held("ana", world.now()).is_none());
        follower.poll().await.unwrap();
        assert_eq!(are(world, &cache, "ana").await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_link_of_another_person_takes_the_practitioner_from_both_and_its_end_gives_it_back() {
    with_world(ENGINE, async |world| {
        for login in ["ana", "bob", "eve"] {
            world.nurse(login).await;
        }
        link(world, "ana", "Practitioner/a").await;
        link(world, "eve", "Practitioner/e").await;
        let (cache, follower) = world.fresh_cache().await;
        for (login, expected) in [("ana", &["Practitioner/a"][..]), ("bob", &[]), ("eve", &["Practitioner/e"])] {
            assert_eq!(are(world, &cache, login).await, expected, "{login}");
        }
        let shared = link(world, "bob", "Practitioner/a").await;
        assert_eq!(shared.link.state, LinkState::Ambiguous);
        follower.poll().await.unwrap();
        assert!(cache.try_held("eve", world.now()).is_some(), "whom it does not touch stays");
        for login in ["ana", "bob"] {
            assert!(cache.try_held(login, world.now()).is_none(), "{login}");
            assert_eq!(are(world, &cache, login).await, [""; 0], "{login}");
        }
        unlink(world, "bob", "Practitioner/a").await;
        follower.poll().await.unwrap();
        assert_eq!(are(world, &cache, "ana").await, ["Practitioner/a"]);
        assert_eq!(are(world, &cache, "bob").await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_change_of_a_link_becomes_an_entry_that_names_whom_it_touches_and_no_practitioner() {
    with_world(ENGINE, async |world| {
        let (ana, _) = world.nurse("ana").await;
        let (bob, _) = world.nurse("bob").await;
        let made = link(world, "ana", "Practitioner/canary-a").await;
        link(world, "bob", "Practitioner/canary-a").await;
        let ended = unlink(world, "ana", "Practitioner/canary-a").await;
        let ending = LinkEnd { by: world.asker, at: world.now() };
        assert_eq!((made.link.id, ended.link.state), (ended.link.id, LinkState::Ended(ending)));
        let log = TestLog::new();
        world.drainer(&log).0.drain().await.unwrap();
        let both = || vec![format!("person:{ana}"), format!("person:{bob}")];
        let mut found = Vec::new();
        for (origin, entry) in log.entries() {
            let text = String::from_utf8(entry.to_bytes().unwrap()).unwrap();
            assert!(!text.contains("canary-a"), "{text}");
            let EntryBody::Event { event, aggregate, version, mut subjects } = entry.body else { panic!("{text}") };
            if event.starts_with("practitioner") {
                assert!(aggregate.starts_with("practitioner_link:"), "{aggregate}");
                subjects.sort_unstable();
                found.push((origin.seq, event, version, subjects));
            }
        }
        let mut expected = vec![("practitioner_linked", 1, both()), ("practitioner_unlinked", 2, both())];
        expected.insert(0, ("practitioner_linked", 1, vec![format!("person:{ana}")]));
        for (_, _, subjects) in &mut expected {
            subjects.sort_unstable();
        }
        let told = found.iter().map(|(_, event, version, subjects)| (&**event, *version, subjects.clone()));
        assert_eq!(told.collect::<Vec<_>>(), expected);
        assert_eq!(found[2].0, ended.position.seq.unsigned_abs());
        // The facts stand in the event, sealed.
        let events = world.store.events_after(SHARD, ended.position.seq - 1, 1).await.unwrap();
        let facts = String::from_utf8(events[0].body.expose().clone()).unwrap();
        assert!(facts.contains("Practitioner/canary-a") && facts.contains(&world.asker.to_string()), "{facts}");
        assert_eq!(events[0].subjects, Subjects::new([Subject::Person(ana), Subject::Person(bob)]).unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_link_needs_a_second_person_who_is_here_and_an_end_needs_one_who_is_here() {
    with_world(ENGINE, async |world| {
        let (ana, _) = world.nurse("ana").await;
        let (gone, _) = world.nurse("gone").await;
        link(world, "gone", "Practitioner/g").await;
        let mut tx = world.store.begin().await.unwrap();
        mark_person_left(&mut tx, gone, 1, world.now()).await.unwrap();
        world.commit(tx, Subject::Person(gone)).await;
        let before = link(world, "ana", "Practitioner/a").await.position.seq;
        for (is_end, order, expected) in [
            (false, ["nobody", "Practitioner/b", "approver"], "the person to be linked is not known here, or has left"),
            (false, ["gone", "Practitioner/b", "approver"], "the person to be linked is not known here, or has left"),
            (false, ["ana", "Practitioner/b", "nobody"], "who confirms or ends it is not known here, or has left"),
            (false, ["ana", "Practitioner/b", "gone"], "who confirms or ends it is not known here, or has left"),
            (false, ["ana", "Practitioner/b", "ANA"], "a link is confirmed by a second person"),
            (false, ["ana", "Practitioner/a", "asker"], "the person is linked to this practitioner already"),
            (true, ["ana", "Practitioner/b", "asker"], "the person is not linked to this practitioner"),
            (true, ["ana", "PractitionerRole/a", "asker"], "the person is not linked to this practitioner"),
            (true, ["nobody", "Practitioner/a", "asker"], "the person to be linked is not known here, or has left"),
            (true, ["ana", "Practitioner/a", "gone"], "who confirms or ends it is not known here, or has left"),
        ] {
            let refused = change(world, is_end, order).await.unwrap_err();
            assert_eq!(refused.to_string(), expected, "{order:?}");
        }
        assert_eq!(world.store.events_after(SHARD, before, 10).await.unwrap(), [], "nothing was changed");
        // Whoever has left can be unlinked, and everybody can unlink himself.
        unlink(world, "gone", "Practitioner/g").await;
        let own = change(world, true, ["ana", "Practitioner/a", "ana"]).await.unwrap();
        assert_eq!(own.link.state, LinkState::Ended(LinkEnd { by: ana, at: world.now() }));
        assert!(world.now() > at(0));
    })
    .await;
}
