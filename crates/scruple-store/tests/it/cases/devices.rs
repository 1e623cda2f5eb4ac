//! Devices as their management tells them: newer messages alone, each once; the sessions on a device; the feed names it.

use super::ENGINE;
use crate::support::{TestDb, at, with_db};
use scruple_core::Id;
use scruple_flow::{DeviceFacts, DevicePosture, DeviceStatus, DeviceTold};
use scruple_store::{
    NewSession, StoreError, Subject, end_sessions_on, find_device, insert_device, insert_session, load_device,
    open_sessions, take_signal, update_device,
};

fn told(status: DeviceStatus, second: i64) -> DeviceTold {
    DeviceTold { status, facts: DeviceFacts::default(), at: at(second) }
}

async fn insert(db: &TestDb, device: &DevicePosture) -> Result<(), StoreError> {
    let mut tx = db.begin().await;
    insert_device(&mut tx, device).await?;
    db.commit(tx, Subject::Device(device.id)).await.map(drop)
}

async fn update(db: &TestDb, device: &DevicePosture) -> Result<(), StoreError> {
    let mut tx = db.begin().await;
    update_device(&mut tx, device).await?;
    db.commit(tx, Subject::Device(device.id)).await.map(drop)
}

#[tokio::test]
async fn a_device_is_kept_as_it_was_told_of_last_and_the_feed_names_it() {
    with_db(ENGINE, async |db| {
        let id: Id<DevicePosture> = db.id();
        let before = load_device(&mut db.read().await, id).await.unwrap();
        assert_eq!(before.posture, None);
        let first = DevicePosture::first(id, told(DeviceStatus::Compliant, 10));
        insert(db, &first).await.unwrap();
        assert!(matches!(insert(db, &first).await, Err(StoreError::Conflict(_))), "it is there");
        let feed = db.store.subjects_since(&before.vector).await.unwrap();
        assert!(feed.subjects.contains(&Subject::Device(id)));
        let facts = DeviceFacts { disk_encrypted: Some(false), managed: Some(true), ..DeviceFacts::default() };
        let message = DeviceTold { facts, ..told(DeviceStatus::NotCompliant, 20) };
        let second = first.told(message).unwrap();
        update(db, &second).await.unwrap();
        assert!(matches!(update(db, &second).await, Err(StoreError::RowsAffected { .. })), "another was first");
        let late = DevicePosture { told_at: at(15), version: 3, ..second };
        assert!(matches!(update(db, &late).await, Err(StoreError::RowsAffected { .. })), "something newer is known");
        assert_eq!(find_device(&mut db.read().await, id).await.unwrap(), Some(second));
        let after = load_device(&mut db.read().await, id).await.unwrap();
        assert_eq!(after.posture, Some(second));
        assert!(after.vector.covers(&feed.vector));
        for wrong in [
            "UPDATE device_posture SET told_at = told_at - 1, version = version + 1",
            "UPDATE device_posture SET status = 'compliant', version = version + 1",
            "UPDATE device_posture SET status = 'fine', told_at = told_at + 1, version = version + 1",
            "UPDATE device_posture SET managed = 2, told_at = told_at + 1, version = version + 1",
            "UPDATE device_posture SET managed = 0",
            "DELETE FROM device_posture",
        ] {
            assert!(db.raw(wrong).await.is_err(), "{wrong}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_message_is_taken_once_and_forgotten_when_it_is_too_old_to_come_again() {
    with_db(ENGINE, async |db| {
        let take = async |number: u8, second: i64, forget: i64| {
            let mut tx = db.begin().await;
            let taken = take_signal(&mut tx, [number; 32], at(second), at(forget)).await.unwrap();
            db.commit(tx, Subject::Everyone).await.unwrap();
            taken
        };
        assert!(take(1, 10, 0).await);
        assert!(!take(1, 11, 0).await);
        assert!(take(2, 12, 0).await);
        assert!(!take(1, 20, 10).await, "not yet old enough");
        assert!(take(1, 20, 11).await, "forgotten");
        assert!(!take(2, 20, 11).await);
        // What is not committed is not taken.
        let mut tx = db.begin().await;
        assert!(take_signal(&mut tx, [3; 32], at(30), at(0)).await.unwrap());
        drop(tx);
        assert!(take(3, 31, 0).await);
        assert!(db.raw("UPDATE signal_taken SET taken_at = 1").await.is_err());
    })
    .await;
}

#[tokio::test]
async fn the_sessions_on_a_device_end_together_and_others_stay() {
    with_db(ENGINE, async |db| {
        let [ana, ben, _] = db.three().await;
        let (lost, other): (Id<DevicePosture>, Id<DevicePosture>) = (db.id(), db.id());
        let mut tx = db.begin().await;
        let mut on = Vec::new();
        for (number, person, device_id) in
            [(1, ana, Some(lost)), (2, ben, Some(lost)), (3, ana, Some(other)), (4, ben, None)]
        {
            let (id, token_hash) = (db.id(), [number; 32]);
            let (device, method) = ("personal", "oidc");
            let new = NewSession { id, person, token_hash, device, method, device_id, at: at(0) };
            insert_session(&mut tx, &new).await.unwrap();
            on.push((id, person));
        }
        db.commit(tx, Subject::Everyone).await.unwrap();
        let mut tx = db.begin().await;
        let mut ended = end_sessions_on(&mut tx, lost, "device_not_in_order", at(5)).await.unwrap();
        assert_eq!(end_sessions_on(&mut tx, lost, "device_not_in_order", at(6)).await.unwrap(), [], "they are over");
        db.commit(tx, Subject::Everyone).await.unwrap();
        ended.sort();
        let mut expected = on[..2].to_vec();
        expected.sort();
        assert_eq!(ended, expected);
        for (person, left) in [(ana, on[2].0), (ben, on[3].0)] {
            let open = open_sessions(&mut db.read().await, person).await.unwrap();
            assert_eq!(open.iter().map(|session| session.id).collect::<Vec<_>>(), [left]);
        }
    })
    .await;
}
