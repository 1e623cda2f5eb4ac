//! A load that is overtaken by the feed, made to happen by a sealer that stands still in the middle of the load.

use super::ENGINE;
use crate::support::{Gate, World, at, practitioners, roles, with_world};
use scruple_app::limits::{ACCESS_LOAD_ATTEMPTS_MAX, ACCESS_LOADS_MAX, FEED_LOOKS_MAX};
use scruple_app::{AccessCache, AccessError, FeedFollower, Held};
use scruple_store::{LinkRequest, NewLink, Subject, confirm_link};
use std::sync::Arc;
use tokio::task::JoinHandle;

type Loading = JoinHandle<Result<Option<Arc<Held>>, AccessError>>;

fn load(cache: &Arc<AccessCache>, subject: &str) -> Loading {
    let (cache, subject) = (Arc::clone(cache), subject.to_owned());
    tokio::spawn(async move { cache.held(&subject, at(0)).await })
}

/// A load of `ana` that has read and not yet come back.
async fn begun(world: &World) -> (Gate, Arc<AccessCache>, FeedFollower, Loading) {
    let (mut gate, cache) = Gate::cache(world).await;
    let follower = world.follower(&cache);
    follower.poll().await.unwrap();
    let loading = load(&cache, "ana");
    gate.arrival().await;
    (gate, cache, follower, loading)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_revoked_while_it_was_loaded_is_neither_kept_nor_answered() {
    with_world(ENGINE, async |world| {
        let (ana, grant) = world.nurse("ana").await;
        let (gate, cache, follower, loading) = begun(world).await;
        world.revoke(ana, grant).await;
        follower.poll().await.unwrap();
        gate.let_go();
        let mut more = gate.open();
        let held = loading.await.unwrap().unwrap().unwrap();
        assert_eq!(roles(&held, at(0)), [""; 0]);
        assert_eq!(roles(&cache.try_held("ana", at(0)).unwrap(), at(0)), [""; 0]);
        assert_eq!(more.recv().await, Some(()), "it was loaded again");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_practitioner_whom_somebody_else_got_while_it_was_loaded_is_neither_kept_nor_answered() {
    with_world(ENGINE, async |world| {
        let (ana, _) = world.nurse("ana").await;
        let (bob, _) = world.nurse("bob").await;
        let link = async |person| {
            let request = LinkRequest { id: world.id(), person, practitioner: "Practitioner/a".parse().unwrap() };
            let mut tx = world.store.begin().await.unwrap();
            let link = NewLink::confirmed(request, world.approver, at(0)).unwrap();
            let subjects = confirm_link(&mut tx, &link).await.unwrap();
            world.commit(tx, subjects).await;
        };
        link(ana).await;
        let (gate, cache, follower, loading) = begun(world).await;
        link(bob).await;
        follower.poll().await.unwrap();
        gate.let_go();
        let mut more = gate.open();
        let held = loading.await.unwrap().unwrap().unwrap();
        assert_eq!(practitioners(&held), [""; 0]);
        assert_eq!(practitioners(&cache.try_held("ana", at(0)).unwrap()), [""; 0]);
        assert_eq!(more.recv().await, Some(()), "it was loaded again");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_revoked_while_it_is_loaded_goes_with_the_next_look() {
    with_world(ENGINE, async |world| {
        let (ana, grant) = world.nurse("ana").await;
        let (gate, cache, follower, loading) = begun(world).await;
        world.revoke(ana, grant).await;
        gate.let_go();
        let _more = gate.open();
        let held = loading.await.unwrap().unwrap().unwrap();
        assert_eq!(roles(&held, at(0)), ["nurse"], "the look is yet to come");
        follower.poll().await.unwrap();
        assert!(cache.try_held("ana", at(0)).is_none());
        assert_eq!(world.roles(&cache, "ana").await.unwrap(), [""; 0]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_role_and_everyone_overtake_a_load_and_what_concerns_others_does_not() {
    with_world(ENGINE, async |world| {
        world.nurse("ana").await;
        for (subject, again) in [
            (Subject::Role("nurse".parse().unwrap()), true),
            (Subject::Everyone, true),
            (Subject::Role("biller".parse().unwrap()), false),
            (Subject::Person(world.asker), false),
        ] {
            let (gate, cache, follower, loading) = begun(world).await;
            world.touch(subject.clone()).await;
            follower.poll().await.unwrap();
            gate.let_go();
            let mut more = gate.open();
            loading.await.unwrap().unwrap().unwrap();
            assert_eq!(more.try_recv().is_ok(), again, "{subject}");
            assert!(cache.try_held("ana", at(0)).is_some());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_load_that_is_overtaken_every_time_ends_in_a_refusal() {
    with_world(ENGINE, async |world| {
        let (ana, _) = world.nurse("ana").await;
        let (mut gate, cache, follower, loading) = begun(world).await;
        for round in 1..=ACCESS_LOAD_ATTEMPTS_MAX {
            if round > 1 {
                gate.arrival().await;
            }
            world.touch(Subject::Person(ana)).await;
            follower.poll().await.unwrap();
            gate.let_go();
        }
        let error = loading.await.unwrap().unwrap_err();
        assert!(matches!(error, AccessError::Overtaken { attempts: ACCESS_LOAD_ATTEMPTS_MAX }), "{error:?}");
        assert_eq!((error.code(), cache.entries()), ("access_unavailable", 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_load_that_is_older_than_what_is_remembered_is_made_again() {
    with_world(ENGINE, async |world| {
        world.nurse("ana").await;
        for (looks, again) in [(FEED_LOOKS_MAX, false), (FEED_LOOKS_MAX + 1, true)] {
            let (gate, _, follower, loading) = begun(world).await;
            for _ in 0..looks {
                world.touch(Subject::Person(world.asker)).await;
                follower.poll().await.unwrap();
            }
            gate.let_go();
            let mut more = gate.open();
            loading.await.unwrap().unwrap().unwrap();
            assert_eq!(more.try_recv().is_ok(), again, "{looks}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_that_went_back_takes_every_entry_and_every_load_under_way() {
    with_world(ENGINE, async |world| {
        world.nurse("ana").await;
        world.nurse("eve").await;
        with_world(ENGINE, async |restored| {
            let (gate, cache, follower, loading) = begun(world).await;
            let back = restored.follower(&cache);
            back.poll().await.unwrap();
            gate.let_go();
            let mut more = gate.open();
            loading.await.unwrap().unwrap().unwrap();
            assert!(more.try_recv().is_ok(), "it was loaded again");
            follower.poll().await.unwrap();
            assert!(cache.held("eve", at(0)).await.unwrap().is_some());
            // What the first history has and the second has not touches ana as well.
            assert_eq!(cache.entries(), 1);
            back.poll().await.unwrap();
            assert_eq!(cache.entries(), 0);
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 12)]
async fn loads_leave_a_connection_to_the_feed() {
    with_world(ENGINE, async |world| {
        let logins: Vec<_> = (0..12).map(|number| format!("p{number}")).collect();
        for login in &logins {
            world.nurse(login).await;
        }
        let (mut gate, cache) = Gate::cache(world).await;
        world.follower(&cache).poll().await.unwrap();
        let loading: Vec<_> = logins.iter().map(|login| load(&cache, login)).collect();
        for _ in 0..ACCESS_LOADS_MAX {
            gate.arrival().await;
        }
        let shared = FeedFollower::new(gate.store.clone(), Arc::clone(&cache), world.clock.clone(), Arc::default());
        shared.poll().await.unwrap();
        assert!(gate.arrived.try_recv().is_err(), "no more than so many at once");
        drop(gate);
        for load in loading {
            assert!(load.await.unwrap().unwrap().is_some());
        }
        assert_eq!(cache.entries(), logins.len());
    })
    .await;
}
