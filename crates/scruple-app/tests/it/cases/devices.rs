//! What the management of devices tells: once, by its time, to every node, and to the sessions on the device.

use super::ENGINE;
use crate::support::{World, with_world};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use scruple_app::{DeviceDesk, Told, device_id};
use scruple_core::Timestamp;
use scruple_flow::DeviceStatus;
use scruple_identity::signal::{DeviceSignal, Signal};
use scruple_store::{Aggregate, NewSession, Subject, find_device, history, insert_session, open_sessions};
use std::collections::BTreeMap;

const NAME: &str = "laptop-7";

fn told(number: u8, compliant: Option<bool>, at: Timestamp) -> Signal {
    let device = DeviceSignal { device: NAME.to_owned(), compliant, facts: BTreeMap::new(), at };
    Signal { hash: [number; 32], devices: vec![device] }
}

async fn take(world: &World, signal: &Signal) -> Told {
    // Each call draws ids of its own.
    let mut rng = ChaCha20Rng::seed_from_u64(u64::from(signal.hash[0]) << 32);
    let (store, lease) = (&world.store, &world.lease);
    let mut desk = DeviceDesk { store, lease, clock: world.clock.as_ref(), rng: &mut rng };
    desk.take(signal).await.unwrap()
}

async fn status(world: &World) -> Option<DeviceStatus> {
    let mut tx = world.store.begin_read().await.unwrap();
    find_device(&mut tx, device_id(NAME)).await.unwrap().map(|device| device.status)
}

#[tokio::test]
async fn a_message_counts_once_and_never_brings_back_what_a_later_one_took() {
    with_world(ENGINE, async |world| {
        let at = |second: i64| world.now().plus_micros(second * 1_000_000);
        let good = told(1, Some(true), at(-30));
        assert!(matches!(take(world, &good).await, Told::Changed(_)));
        assert!(matches!(take(world, &told(2, Some(false), at(-20))).await, Told::Changed(_)));
        assert_eq!(status(world).await, Some(DeviceStatus::NotCompliant));
        // The first once more, as it was; and under another id, older than what is known.
        assert_eq!(take(world, &good).await, Told::Nothing);
        assert_eq!(take(world, &told(3, Some(true), at(-25))).await, Told::Nothing);
        assert_eq!(status(world).await, Some(DeviceStatus::NotCompliant));
        assert!(matches!(take(world, &told(4, Some(true), at(-10))).await, Told::Changed(_)));
        assert_eq!(status(world).await, Some(DeviceStatus::Compliant));
        // One event for each change, with what was told and nothing of anybody.
        let aggregate = Aggregate::new("device", device_id(NAME));
        let events = history(&mut world.store.begin_read().await.unwrap(), &aggregate, 0).await.unwrap();
        assert_eq!(events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["device_told"; 3]);
        let bodies: Vec<String> =
            events.iter().map(|event| String::from_utf8(event.body.expose().clone()).unwrap()).collect();
        assert!(bodies[1].contains("not_compliant") && bodies[1].contains(NAME), "{}", bodies[1]);
        let nothing = Signal { hash: [9; 32], devices: Vec::new() };
        assert_eq!(take(world, &nothing).await, Told::Nothing);
    })
    .await;
}

#[tokio::test]
async fn every_node_knows_a_device_as_it_was_told_of_last_once_it_has_looked_at_the_feed() {
    with_world(ENGINE, async |world| {
        let (cache, follower) = world.fresh_cache().await;
        let known = async || {
            let found = cache.device(device_id(NAME), world.now()).await.unwrap();
            found.map(|device| device.status)
        };
        assert_eq!(known().await, None, "nobody has told of it");
        take(world, &told(1, Some(true), world.now())).await;
        follower.poll().await.unwrap();
        assert_eq!(known().await, Some(DeviceStatus::Compliant));
        take(world, &told(2, Some(false), world.now())).await;
        follower.poll().await.unwrap();
        assert_eq!(known().await, Some(DeviceStatus::NotCompliant));
        // Once the feed is not read, nothing is told of any device.
        world.clock.advance_micros(1_000_001);
        assert_eq!(cache.device(device_id(NAME), world.now()).await.unwrap_err().code(), "access_feed_stale");
    })
    .await;
}

#[tokio::test]
async fn the_sessions_on_a_device_end_with_it() {
    with_world(ENGINE, async |world| {
        let mut tx = world.store.begin().await.unwrap();
        for (number, device_id) in [(1, Some(device_id(NAME))), (2, None)] {
            let (id, person, token_hash) = (world.id(), world.asker, [number; 32]);
            let (device, method, at) = ("personal", "oidc", world.now());
            let new = NewSession { id, person, token_hash, device, method, device_id, at };
            insert_session(&mut tx, &new).await.unwrap();
        }
        world.commit(tx, Subject::Person(world.asker)).await;
        let open =
            async || open_sessions(&mut world.store.begin_read().await.unwrap(), world.asker).await.unwrap().len();
        take(world, &told(1, Some(true), world.now())).await;
        assert_eq!(open().await, 2);
        take(world, &told(2, Some(false), world.now())).await;
        assert_eq!(open().await, 1);
    })
    .await;
}
