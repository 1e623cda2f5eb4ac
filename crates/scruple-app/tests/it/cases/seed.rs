//! The workforce of a demo: added once, by grants like any other.

use super::ENGINE;
use crate::support::{SHARD, TestLog, World, at, practitioners, with_world};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use scruple_app::limits::SEED_PEOPLE_MAX;
use scruple_app::{DEMO_APPROVER, DEMO_REQUESTER, SeedError, SeedPerson, Seeded, seed_workforce};
use scruple_store::{LinkEnd, end_link, find_grant, find_person_by_login, list_links, open_grants};
use std::collections::BTreeMap;

const fn line(login: &'static str, name: &'static str, role: &'static str) -> SeedPerson<'static> {
    SeedPerson { login, name, role, practitioners: &[] }
}

const PEOPLE: [SeedPerson<'_>; 4] = [
    line("fd-01", "Canary Front", "front_desk"),
    line("rn-01", "Canary Nurse", "nurse"),
    line("RN-01", "Somebody Else", "unit_clerk"),
    line("rn-01", "Canary Nurse", "nurse"),
];

async fn seed(world: &World, people: &[SeedPerson<'_>]) -> Result<Seeded, SeedError> {
    let mut rng = ChaCha20Rng::seed_from_u64(world.now().micros() as u64);
    // Each run has ids of its own.
    world.clock.advance_micros(1);
    seed_workforce(&world.store, &world.lease, &*world.clock, &mut rng, people).await
}

async fn events(world: &World) -> i64 {
    let mut after = 0;
    loop {
        match world.store.events_after(SHARD, after, 500).await.unwrap().last() {
            Some(event) => after = event.position.seq,
            None => return after,
        }
    }
}

#[tokio::test]
async fn a_workforce_is_seeded_once_with_an_event_for_each_change() {
    with_world(ENGINE, async |world| {
        let before = events(world).await;
        let first = seed(world, &PEOPLE).await.unwrap();
        assert_eq!((first.persons, first.grants), (4, 3));
        assert_eq!(first.last.unwrap().seq, before + 7);
        assert_eq!(events(world).await, before + 7);
        world.clock.advance_micros(60_000_000);
        assert_eq!(seed(world, &PEOPLE).await.unwrap(), Seeded::default());
        assert_eq!(events(world).await, before + 7);
        let log = TestLog::new();
        world.drainer(&log).0.drain().await.unwrap();
        let kinds = log.kinds();
        let expected = [("person_added", 4), ("role_granted", 3), ("test", before as usize)];
        assert_eq!(kinds, BTreeMap::from(expected.map(|(kind, count)| (kind.to_owned(), count))));
        let (cache, _) = world.fresh_cache().await;
        assert_eq!(world.roles(&cache, "fd-01").await.unwrap(), ["front_desk"]);
        assert_eq!(world.roles(&cache, "rn-01").await.unwrap(), ["nurse", "unit_clerk"]);
        for system in [DEMO_REQUESTER, DEMO_APPROVER] {
            assert_eq!(world.roles(&cache, system).await.unwrap(), [""; 0]);
        }
    })
    .await;
}

#[tokio::test]
async fn the_grants_are_asked_for_and_approved_by_two_people_and_end_after_a_year() {
    with_world(ENGINE, async |world| {
        seed(world, &PEOPLE[..1]).await.unwrap();
        let mut tx = world.store.begin_read().await.unwrap();
        let mut ids = Vec::new();
        for login in ["fd-01", DEMO_REQUESTER, DEMO_APPROVER] {
            ids.push(find_person_by_login(&mut tx, &login.parse().unwrap()).await.unwrap().unwrap().id);
        }
        let held = open_grants(&mut tx, ids[0], at(0)).await.unwrap();
        let grant = find_grant(&mut tx, held[0].id).await.unwrap().unwrap();
        assert_eq!((grant.requested_by, grant.approved_by, grant.held.person), (ids[1], ids[2], ids[0]));
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
        assert_eq!(
            (grant.held.window.starts_at(), grant.held.window.ends_at()),
            (world.now(), at(365 * 24 * 3_600).plus_micros(1))
        );
        assert_eq!(grant.justification.expose(), "works as front_desk in the demo");
    })
    .await;
}

#[tokio::test]
async fn seeding_again_adds_who_is_new_and_gives_nobody_back_what_was_taken() {
    with_world(ENGINE, async |world| {
        seed(world, &PEOPLE[..1]).await.unwrap();
        let mut tx = world.store.begin_read().await.unwrap();
        let person = find_person_by_login(&mut tx, &"fd-01".parse().unwrap()).await.unwrap().unwrap().id;
        let grant = open_grants(&mut tx, person, at(0)).await.unwrap()[0].id;
        drop(tx);
        world.revoke(person, grant).await;
        let again = seed(world, &PEOPLE).await.unwrap();
        assert_eq!((again.persons, again.grants), (1, 2));
        let (cache, _) = world.fresh_cache().await;
        assert_eq!(world.roles(&cache, "fd-01").await.unwrap(), [""; 0]);
        assert_eq!(world.roles(&cache, "rn-01").await.unwrap(), ["nurse", "unit_clerk"]);
    })
    .await;
}

#[tokio::test]
async fn links_are_confirmed_by_the_approver_once_and_also_for_those_who_were_there_before() {
    with_world(ENGINE, async |world| {
        seed(world, &PEOPLE[..1]).await.unwrap();
        let front = SeedPerson { practitioners: &["Practitioner/front"], ..PEOPLE[0] };
        let nurse = SeedPerson { practitioners: &["Practitioner/n", "PractitionerRole/n"], ..PEOPLE[1] };
        let again = SeedPerson { practitioners: &["Practitioner/n", "Practitioner/n2"], ..PEOPLE[2] };
        let done = seed(world, &[front, nurse, again]).await.unwrap();
        assert_eq!((done.persons, done.grants, done.links), (1, 2, 4));
        let (cache, _) = world.fresh_cache().await;
        for (login, expected) in [
            ("fd-01", &["Practitioner/front"][..]),
            ("rn-01", &["Practitioner/n", "Practitioner/n2", "PractitionerRole/n"]),
        ] {
            let held = cache.held(login, world.now()).await.unwrap().unwrap();
            assert_eq!(practitioners(&held), expected, "{login}");
        }
        let mut tx = world.store.begin_read().await.unwrap();
        let mut ids = Vec::new();
        for login in ["fd-01", DEMO_APPROVER] {
            ids.push(find_person_by_login(&mut tx, &login.parse().unwrap()).await.unwrap().unwrap().id);
        }
        let links = list_links(&mut tx, ids[0], None, 9).await.unwrap();
        assert_eq!(links.iter().map(|link| link.confirmed_by).collect::<Vec<_>>(), [ids[1]]);
        drop(tx);
        // What was ended stays ended.
        let mut tx = world.store.begin().await.unwrap();
        let end = LinkEnd { by: ids[1], at: world.now() };
        let subjects = end_link(&mut tx, links[0].id, 1, end).await.unwrap();
        world.commit(tx, subjects).await;
        assert_eq!(seed(world, &[front, nurse, again]).await.unwrap(), Seeded::default());
        let log = TestLog::new();
        world.drainer(&log).0.drain().await.unwrap();
        assert_eq!(log.kinds().get("practitioner_linked"), Some(&4));
    })
    .await;
}

#[tokio::test]
async fn a_malformed_line_is_named_and_nothing_is_added() {
    with_world(ENGINE, async |world| {
        let before = events(world).await;
        let many = vec![PEOPLE[0]; SEED_PEOPLE_MAX + 1];
        let bad_login = [PEOPLE[0], line("Moana Canary", "x", "nurse")];
        let bad_role = [PEOPLE[0], PEOPLE[1], line("ok", "x", "Nurse")];
        let patient = SeedPerson { practitioners: &["Practitioner/a", "Patient/a"], ..PEOPLE[1] };
        let bad_practitioner = [PEOPLE[0], patient];
        for (people, expected) in [
            (&many[..], "more than 1000 people"),
            (&bad_login[..], "login of line 2"),
            (&bad_role[..], "role of line 3"),
            (&bad_practitioner[..], "practitioner of line 2"),
        ] {
            assert_eq!(seed(world, people).await.unwrap_err().to_string(), expected);
        }
        // Whoever asks or approves is not given a role by this.
        seed(world, &[line(DEMO_APPROVER, "x", "nurse")]).await.unwrap();
        let himself = SeedPerson { practitioners: &["Practitioner/a"], ..line(DEMO_APPROVER, "x", "nurse") };
        assert_eq!(seed(world, &[himself]).await.unwrap_err().to_string(), "link of line 1");
        assert_eq!(events(world).await, before + 2);
        let (cache, _) = world.fresh_cache().await;
        assert_eq!(world.roles(&cache, DEMO_APPROVER).await.unwrap(), [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_node_that_lost_its_shard_seeds_nothing() {
    with_world(ENGINE, async |world| {
        let before = events(world).await;
        world.store.acquire_shard(SHARD, "node-a", at(0), at(60)).await.unwrap().unwrap();
        let refused = seed(world, &PEOPLE).await.unwrap_err();
        assert!(matches!(refused, SeedError::Store(scruple_store::StoreError::Fenced { .. })), "{refused:?}");
        assert_eq!(events(world).await, before);
    })
    .await;
}
