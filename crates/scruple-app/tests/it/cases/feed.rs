//! The follower as a task: wakes, grows stale, recovers, stops, and says so once.

use super::ENGINE;
use crate::logs::Logs;
use crate::support::{PATIENCE, World, at, until, with_world};
use scruple_app::limits::FEED_POLL;
use scruple_app::{AccessCache, FeedFollower};
use scruple_store::Tx;
use scruple_store::limits::CONNECTIONS_MAX;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

struct Following {
    cache: Arc<AccessCache>,
    wake: Arc<Notify>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// The follower reads over the store of `world`, the cache loads over another.
async fn follow(world: &World) -> Following {
    let store = world.second_store(Box::new(crate::support::keys(7))).await;
    let cache = Arc::new(AccessCache::new(store));
    let wake = Arc::new(Notify::new());
    let follower = FeedFollower::new(world.store.clone(), Arc::clone(&cache), world.clock.clone(), Arc::clone(&wake));
    let (stop, stopping) = watch::channel(false);
    let task = tokio::spawn(follower.run(stopping));
    until("the feed is read", || cache.is_fresh(world.now())).await;
    Following { cache, wake, stop, task }
}

/// All connections of the store of `world`.
async fn cut_off(world: &World) -> Vec<Tx> {
    let mut taken = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        taken.push(world.store.begin_read().await.unwrap());
    }
    taken
}

#[tokio::test]
async fn a_revocation_reaches_the_cache_by_itself_and_at_once_when_the_follower_is_woken() {
    with_world(ENGINE, async |world| {
        let following = follow(world).await;
        for woken in [false, true] {
            let (login, began) = (format!("ana-{woken}"), Instant::now());
            let (ana, grant) = world.nurse(&login).await;
            assert_eq!(world.roles(&following.cache, &login).await.unwrap(), ["nurse"]);
            world.revoke(ana, grant).await;
            if woken {
                following.wake.notify_one();
            }
            until("she is evicted", || following.cache.try_held(&login, world.now()).is_none()).await;
            assert_eq!(world.roles(&following.cache, &login).await.unwrap(), [""; 0]);
            println!("woken {woken}: {:?} of at most {FEED_POLL:?} and a look", began.elapsed());
        }
        following.stop.send(true).unwrap();
        tokio::time::timeout(PATIENCE, following.task).await.unwrap().unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_feed_that_is_cut_off_denies_within_a_second_and_recovers_by_itself() {
    let logs = Logs::default();
    let _guard = tracing::subscriber::set_default(logs.clone());
    with_world(ENGINE, async |world| {
        world.nurse("ana").await;
        let following = follow(world).await;
        assert_eq!(world.roles(&following.cache, "ana").await.unwrap(), ["nurse"]);
        for round in 1..=2 {
            let taken = cut_off(world).await;
            world.clock.advance_micros(1_000_001);
            // A look that began before the clock moved may still come; none that begins later can.
            until("it is stale", || following.cache.try_held("ana", world.now()).is_none()).await;
            assert_eq!(following.cache.held("ana", world.now()).await.unwrap_err().code(), "access_feed_stale");
            until("it is told", || logs.lines().len() == 2 * round - 1).await;
            drop(taken);
            until("it is fresh again", || following.cache.try_held("ana", world.now()).is_some()).await;
            until("it is told", || logs.lines().len() == 2 * round).await;
        }
        drop(following.stop);
        tokio::time::timeout(PATIENCE, following.task).await.unwrap().unwrap();
        assert_eq!(world.now(), at(2).plus_micros(2));
    })
    .await;
    let lines = logs.lines();
    for (number, line) in lines.iter().enumerate() {
        let expected = if number % 2 == 0 {
            "WARN message=access feed cannot be read"
        } else {
            "INFO message=access feed is read again"
        };
        assert!(line.starts_with(expected), "{lines:?}");
    }
}

#[tokio::test]
async fn a_follower_stops_also_while_it_waits_for_the_database() {
    with_world(ENGINE, async |world| {
        let following = follow(world).await;
        let taken = cut_off(world).await;
        following.wake.notify_one();
        tokio::task::yield_now().await;
        following.stop.send(true).unwrap();
        tokio::time::timeout(PATIENCE, following.task).await.unwrap().unwrap();
        drop(taken);
    })
    .await;
}
