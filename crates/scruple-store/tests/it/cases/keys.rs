//! Data keys: durable before use, destroyed once, gone from the disk.

use super::ENGINE;
use crate::support::{TestDb, at, with_db};
use scruple_core::Id;
use scruple_store::limits::PAGE_ROWS_MAX;
use scruple_store::{DataKey, DataKeyState, Engine, NewDataKey, StoreError, Subjects, destroy_data_key};

const WRAPPED: &[u8] = b"wrapped-canary-5d1f";

fn key(db: &TestDb, period: i64) -> NewDataKey {
    NewDataKey {
        id: db.id(),
        scope: "ledger".to_owned(),
        period,
        wrapping_key: "file:1".to_owned(),
        wrapped: WRAPPED.to_vec(),
        created_at: at(0),
    }
}

async fn destroy(db: &TestDb, id: Id<DataKey>) -> Result<(), StoreError> {
    let mut tx = db.begin().await;
    destroy_data_key(&mut tx, id, at(5)).await?;
    db.commit(tx, Subjects::none()).await.map(|_| ())
}

#[tokio::test]
async fn a_data_key_is_found_until_it_is_destroyed_once() {
    with_db(ENGINE, async |db| {
        let key = key(db, 3);
        db.store.put_data_key(&key).await.unwrap();
        assert!(matches!(db.store.put_data_key(&key).await, Err(StoreError::Conflict(_))));
        let found = db.second_store().await.find_data_key(key.id).await.unwrap().unwrap();
        assert_eq!(found.state, DataKeyState::Usable { wrapped: WRAPPED.to_vec() });
        assert_eq!((found.scope.as_str(), found.period, found.wrapping_key.as_str()), ("ledger", 3, "file:1"));
        destroy(db, key.id).await.unwrap();
        let found = db.store.find_data_key(key.id).await.unwrap().unwrap();
        assert_eq!(found.state, DataKeyState::Destroyed { at: at(5) });
        assert!(matches!(destroy(db, key.id).await, Err(StoreError::RowsAffected { table: "data_key", .. })));
        assert!(matches!(destroy(db, db.id()).await, Err(StoreError::RowsAffected { .. })));
        assert_eq!(db.store.find_data_key(db.id()).await.unwrap(), None);
        for attempt in [
            "UPDATE data_key SET destroyed_at = NULL, wrapped = wrapping_key",
            "UPDATE data_key SET scope = 'x'",
            "DELETE FROM data_key",
        ] {
            assert!(db.raw(attempt).await.is_err(), "{attempt}");
        }
    })
    .await;
}

#[tokio::test]
async fn data_keys_are_listed_page_by_page() {
    with_db(ENGINE, async |db| {
        let total = PAGE_ROWS_MAX + 1;
        for period in 0..total {
            db.store.put_data_key(&key(db, period)).await.unwrap();
        }
        let first = db.store.list_data_keys("ledger", None).await.unwrap();
        assert_eq!(first.len() as i64, PAGE_ROWS_MAX);
        let second = db.store.list_data_keys("ledger", first.last().map(|key| key.id)).await.unwrap();
        assert_eq!(second.len(), 1);
        let mut periods: Vec<_> = first.iter().chain(&second).map(|key| key.period).collect();
        periods.sort_unstable();
        assert_eq!(periods, (0..total).collect::<Vec<_>>());
        assert_eq!(db.store.list_data_keys("column", None).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn the_wrapped_bytes_of_a_destroyed_key_are_gone_from_the_files() {
    with_db(ENGINE, async |db| {
        // Neighbours on both sides: nothing writes over the place by chance.
        let keys =
            [0, 1, 2].map(|period| NewDataKey { wrapped: [WRAPPED, &[period as u8; 200]].concat(), ..key(db, period) });
        for neighbour in &keys {
            let wrapped = if neighbour.period == 1 { neighbour.wrapped.clone() } else { vec![b'n'; 200] };
            db.store.put_data_key(&NewDataKey { wrapped, ..neighbour.clone() }).await.unwrap();
        }
        let key = &keys[1];
        db.store.scrub().await.unwrap();
        assert!(db.holds(WRAPPED).await, "the search finds what is there");
        destroy(db, key.id).await.unwrap();
        // On PostgreSQL a transaction anywhere on the server, of a neighbouring test, may still see the old row.
        let calls = if ENGINE == Engine::Sqlite { 1 } else { 50 };
        let mut holds = true;
        for _ in 0..calls {
            db.store.scrub().await.unwrap();
            holds = db.holds(WRAPPED).await;
            if !holds {
                break;
            }
        }
        assert!(!holds);
    })
    .await;
}
