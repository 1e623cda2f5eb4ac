//! Alerts: kept as they were raised, and counted from the rows of their days.

use super::ENGINE;
use super::requests::{pending, privacy, stored};
use crate::support::{TestDb, at, with_db};
use scruple_flow::{Alert, AlertOf};
use scruple_store::{StoreError, Subject, count_for_alert, insert_alert, last_alert, list_alerts};

async fn raised(db: &TestDb, alert: &Alert) -> Result<(), StoreError> {
    let mut tx = db.begin().await;
    insert_alert(&mut tx, alert).await?;
    db.commit(tx, Subject::Everyone).await.map(drop)
}

#[tokio::test]
async fn an_alert_is_kept_as_it_was_raised_and_the_last_one_of_each_is_known() {
    with_db(ENGINE, async |db| {
        let [ana, ben, _] = db.three().await;
        let nurse: scruple_flow::RoleCode = "nurse".parse().unwrap();
        let of = [AlertOf::RequestsOfPerson(ana), AlertOf::EmergenciesOfPerson(ana), AlertOf::RequestsForRole(nurse)];
        let mut kept = Vec::new();
        for (number, of) in of.iter().enumerate() {
            assert_eq!(last_alert(&mut db.read().await, of).await.unwrap(), None, "{of:?}");
            let at = at(10 * i64::try_from(number).unwrap());
            let alert = Alert { id: db.id(), of: of.clone(), count: 11, limit: 10, raised_at: at };
            raised(db, &alert).await.unwrap();
            assert_eq!(last_alert(&mut db.read().await, of).await.unwrap(), Some(at), "{of:?}");
            assert!(matches!(raised(db, &alert).await, Err(StoreError::Conflict(_))));
            kept.insert(0, alert);
        }
        assert_eq!(last_alert(&mut db.read().await, &AlertOf::RequestsOfPerson(ben)).await.unwrap(), None);
        let other: scruple_flow::RoleCode = "coder".parse().unwrap();
        assert_eq!(last_alert(&mut db.read().await, &AlertOf::RequestsForRole(other)).await.unwrap(), None);
        assert_eq!(list_alerts(&mut db.read().await, at(0)).await.unwrap(), kept);
        assert_eq!(list_alerts(&mut db.read().await, at(20)).await.unwrap(), kept[..1]);
        let none = Alert { count: 10, id: db.id(), ..kept[0].clone() };
        assert!(raised(db, &none).await.is_err(), "what is within its limit is no alert");
        for attempt in ["UPDATE alert SET count = 99", "DELETE FROM alert"] {
            assert!(db.raw(attempt).await.is_err(), "{attempt}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_counted_is_who_asks_and_for_which_role_after_the_instant() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        for _ in 0..3 {
            stored(db, &pending(db, people, &[], &[privacy()])).await;
        }
        let count =
            async |of: AlertOf, seconds: i64| count_for_alert(&mut db.read().await, &of, at(seconds)).await.unwrap();
        let nurse: scruple_flow::RoleCode = "nurse".parse().unwrap();
        assert_eq!(count(AlertOf::RequestsOfPerson(people[1]), -1).await, 3);
        assert_eq!(count(AlertOf::RequestsOfPerson(people[1]), 0).await, 0);
        assert_eq!(count(AlertOf::RequestsOfPerson(people[0]), -1).await, 0, "for whom it is asked is another");
        assert_eq!(count(AlertOf::RequestsForRole(nurse), -1).await, 3);
        assert_eq!(count(AlertOf::EmergenciesOfPerson(people[0]), -1).await, 0);
    })
    .await;
}
