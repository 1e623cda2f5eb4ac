//! The cache: what is loaded, how long it is believed, and what makes it go.

use super::ENGINE;
use crate::support::{at, roles, with_world};
use scruple_app::limits::{ACCESS_LOAD_TIMEOUT, FEED_FRESH_MICROS};
use scruple_app::{AccessCache, AccessError, select_role};
use scruple_store::limits::CONNECTIONS_MAX;
use scruple_store::{Subject, mark_person_left};
use std::sync::Arc;

#[tokio::test]
async fn what_a_person_holds_is_loaded_once_and_then_found_without_the_database() {
    with_world(ENGINE, async |world| {
        let (_, grant) = world.nurse("ana").await;
        let (cache, _) = world.fresh_cache().await;
        assert!(cache.try_held("ana", at(0)).is_none());
        let held = cache.held("ana", at(0)).await.unwrap().unwrap();
        let active: Vec<_> = held.active(at(0)).map(|active| (active.role.as_str().to_owned(), active.grant)).collect();
        assert_eq!(active, [("nurse".to_owned(), grant)]);
        assert_eq!(held.changes_after(at(0)), Some(at(1_000)));
        assert!(cache.held("ANA", at(0)).await.unwrap().is_none());
        for unknown in ["bob", "", "a b", "ana\u{0}", "'; --", &"a".repeat(10_000)] {
            assert!(cache.held(unknown, at(0)).await.unwrap().is_none(), "{unknown}");
            assert!(cache.try_held(unknown, at(0)).is_none());
        }
        assert_eq!(cache.entries(), 1);
        world.store.close().await;
        assert!(Arc::ptr_eq(&held, &cache.try_held("ana", at(0)).unwrap()));
        assert!(Arc::ptr_eq(&held, &cache.held("ana", at(0)).await.unwrap().unwrap()));
        let failed = cache.held("bob", at(0)).await.unwrap_err();
        assert!(matches!(failed, AccessError::Store(_)), "{failed:?}");
        assert_eq!(failed.code(), "access_unavailable");
    })
    .await;
}

#[tokio::test]
async fn nothing_is_answered_before_the_feed_was_read_nor_after_it_is_stale() {
    with_world(ENGINE, async |world| {
        world.nurse("ana").await;
        let cache = world.cache();
        let stale = async |now| {
            assert!(cache.try_held("ana", now).is_none());
            let error = cache.held("ana", now).await.unwrap_err();
            assert_eq!((error.code(), cache.is_fresh(now)), ("access_feed_stale", false));
        };
        stale(at(0)).await;
        let follower = world.follower(&cache);
        follower.poll().await.unwrap();
        assert!(cache.held("ana", at(0)).await.unwrap().is_some());
        let last = at(0).plus_micros(FEED_FRESH_MICROS);
        assert!(cache.try_held("ana", last).is_some());
        stale(last.plus_micros(1)).await;
        stale(at(0)).await;
        world.clock.advance_micros(5_000_000);
        follower.poll().await.unwrap();
        assert!(cache.try_held("ana", at(5)).is_some(), "what nobody touched is believed again");
    })
    .await;
}

#[tokio::test]
async fn a_grant_begins_and_ends_at_its_microsecond_with_every_background_task_stopped() {
    with_world(ENGINE, async |world| {
        let ana = world.person("ana").await;
        world.grant(ana, "nurse", (10, 20)).await;
        world.grant(ana, "biller", (0, 1_000)).await;
        for (second, before, after) in
            [(10, &["biller"][..], &["biller", "nurse"][..]), (20, &["biller", "nurse"], &["biller"])]
        {
            world.clock.advance_micros(at(second).micros() - world.now().micros() - 500_000);
            let (cache, _) = world.fresh_cache().await;
            let held = cache.held("ana", world.now()).await.unwrap().unwrap();
            assert_eq!(held.changes_after(world.now()), Some(at(second)));
            let last = at(second).plus_micros(-1);
            assert_eq!(roles(&cache.try_held("ana", last).unwrap(), last), before);
            assert_eq!(roles(&cache.try_held("ana", at(second)).unwrap(), at(second)), after);
            let nurse = ["nurse".to_owned()];
            assert_eq!(select_role(&held, &nurse, last).is_ok(), second == 20);
            assert_eq!(select_role(&held, &nurse, at(second)).is_ok(), second == 10);
        }
    })
    .await;
}

#[tokio::test]
async fn who_leaves_holds_nothing_from_then_on() {
    with_world(ENGINE, async |world| {
        let (ana, _) = world.nurse("ana").await;
        let (cache, follower) = world.fresh_cache().await;
        assert_eq!(world.roles(&cache, "ana").await.unwrap(), ["nurse"]);
        let mut tx = world.store.begin().await.unwrap();
        mark_person_left(&mut tx, ana, 1, at(0).plus_micros(300_000)).await.unwrap();
        world.commit(tx, Subject::Person(ana)).await;
        follower.poll().await.unwrap();
        assert_eq!(world.roles(&cache, "ana").await.unwrap(), ["nurse"]);
        world.clock.advance_micros(299_999);
        assert_eq!(world.roles(&cache, "ana").await.unwrap(), ["nurse"]);
        world.clock.advance_micros(1);
        assert_eq!(world.roles(&cache, "ana").await.unwrap(), [""; 0]);
        let (again, _) = world.fresh_cache().await;
        assert_eq!(world.roles(&again, "ana").await.unwrap(), [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn the_next_look_at_the_feed_evicts_whom_it_names_and_nobody_else() {
    with_world(ENGINE, async |world| {
        let (ana, grant) = world.nurse("ana").await;
        world.nurse("eve").await;
        let zoe = world.person("zoe").await;
        world.grant(zoe, "biller", (0, 1_000)).await;
        let (cache, follower) = world.fresh_cache().await;
        let load_all = async || {
            for login in ["ana", "eve", "zoe"] {
                cache.held(login, at(0)).await.unwrap().unwrap();
            }
        };
        let kept = || ["ana", "eve", "zoe"].map(|login| cache.try_held(login, at(0)).is_some());
        load_all().await;
        world.revoke(ana, grant).await;
        assert_eq!(world.roles(&cache, "ana").await.unwrap(), ["nurse"], "the feed is not yet read");
        follower.poll().await.unwrap();
        assert_eq!(kept(), [false, true, true]);
        assert_eq!(world.roles(&cache, "ana").await.unwrap(), [""; 0]);
        world.grant(ana, "biller", (0, 1_000)).await;
        follower.poll().await.unwrap();
        assert_eq!(world.roles(&cache, "ana").await.unwrap(), ["biller"]);
        for (subject, expected) in [
            (Subject::Role("nurse".parse().unwrap()), [true, false, true]),
            (Subject::Role("biller".parse().unwrap()), [false, true, false]),
            (Subject::Role("researcher".parse().unwrap()), [true; 3]),
            (Subject::Person(world.asker), [true; 3]),
            (Subject::Everyone, [false; 3]),
        ] {
            load_all().await;
            world.touch(subject.clone()).await;
            follower.poll().await.unwrap();
            assert_eq!(kept(), expected, "{subject}");
        }
    })
    .await;
}

#[tokio::test]
async fn two_caches_on_one_database_each_learn_of_a_revocation_by_their_own_look() {
    with_world(ENGINE, async |world| {
        let (ana, grant) = world.nurse("ana").await;
        let (first, first_follower) = world.fresh_cache().await;
        let (second, second_follower) = world.fresh_cache().await;
        for cache in [&first, &second] {
            assert_eq!(world.roles(cache, "ana").await.unwrap(), ["nurse"]);
        }
        world.revoke(ana, grant).await;
        first_follower.poll().await.unwrap();
        assert_eq!(world.roles(&first, "ana").await.unwrap(), [""; 0]);
        assert_eq!(world.roles(&second, "ana").await.unwrap(), ["nurse"]);
        second_follower.poll().await.unwrap();
        assert_eq!(world.roles(&second, "ana").await.unwrap(), [""; 0]);
        // The one whose feed is cut off answers no longer than a second.
        world.clock.advance_micros(900_000);
        first_follower.poll().await.unwrap();
        world.clock.advance_micros(100_001);
        assert!(first.is_fresh(world.now()) && !second.is_fresh(world.now()));
    })
    .await;
}

#[tokio::test]
async fn the_cache_holds_a_bounded_number_and_drops_who_did_not_come_lately() {
    with_world(ENGINE, async |world| {
        for login in ["p0", "p1", "p2", "p3", "p4"] {
            world.nurse(login).await;
        }
        let cache = Arc::new(AccessCache::with_limit(world.store.clone(), 2));
        world.follower(&cache).poll().await.unwrap();
        let kept = |logins: &[&str]| logins.iter().filter(|login| cache.try_held(login, at(0)).is_some()).count();
        // When p2 comes, both others had been asked for, so that one of them goes; when p3 comes, the other had not.
        for (login, entries) in [("p0", 1), ("p1", 2), ("p2", 2), ("p3", 2)] {
            assert_eq!(world.roles(&cache, login).await.unwrap(), ["nurse"]);
            assert_eq!(cache.entries(), entries, "{login}");
        }
        assert_eq!((kept(&["p0", "p1"]), kept(&["p2", "p3"])), (0, 2));
        assert_eq!(world.roles(&cache, "p4").await.unwrap(), ["nurse"]);
        assert_eq!((cache.entries(), kept(&["p4"])), (2, 1));
    })
    .await;
}

#[tokio::test]
async fn a_load_that_gets_no_answer_ends() {
    with_world(ENGINE, async |world| {
        world.nurse("ana").await;
        let (cache, _) = world.fresh_cache().await;
        let mut taken = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            taken.push(world.store.begin_read().await.unwrap());
        }
        let error = cache.held("ana", at(0)).await.unwrap_err();
        assert!(matches!(error, AccessError::Timeout { limit_ms } if limit_ms == ACCESS_LOAD_TIMEOUT.as_millis()));
        assert_eq!(error.code(), "access_unavailable");
        drop(taken);
        assert_eq!(world.roles(&cache, "ana").await.unwrap(), ["nurse"]);
    })
    .await;
}
