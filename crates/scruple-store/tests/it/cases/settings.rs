//! Connecting: what is asserted, and that migrations run once.

use super::ENGINE;
use crate::support::{sealer, with_db};
use scruple_store::{Durability, Engine, Options, Store, StoreError};

#[tokio::test]
async fn a_store_that_must_be_durable_is_or_does_not_open() {
    with_db(ENGINE, async |db| {
        let options = Options::parse(&db.address, Durability::Full).unwrap();
        let full = Store::connect(options, sealer()).await;
        let fsync = db.raw("SELECT 1").await.is_ok() && ENGINE == Engine::Sqlite || fsync_is_on(&db.address).await;
        match full {
            Ok(store) => {
                assert!(fsync, "a server without fsync was taken");
                assert_eq!(store.engine(), ENGINE);
                store.close().await;
            }
            Err(StoreError::Setting { setting, found, needed }) => {
                assert!(!fsync);
                assert_eq!((setting, found.as_str(), needed), ("fsync", "off", "on"));
            }
            Err(other) => panic!("{other:?}"),
        }
    })
    .await;
}

async fn fsync_is_on(address: &str) -> bool {
    use sqlx::Connection;
    if ENGINE == Engine::Sqlite {
        return true;
    }
    let mut conn = sqlx::PgConnection::connect(address).await.unwrap();
    let (fsync,): (String,) = sqlx::query_as("SHOW fsync").fetch_one(&mut conn).await.unwrap();
    fsync == "on"
}

#[tokio::test]
async fn migrating_again_changes_nothing_and_a_changed_or_newer_history_is_refused() {
    with_db(ENGINE, async |db| {
        db.store.migrate().await.unwrap();
        db.raw("UPDATE _sqlx_migrations SET version = 9999 WHERE version = 1").await.unwrap();
        assert!(matches!(db.store.migrate().await, Err(StoreError::Migrate(_))));
        db.raw_either(
            "UPDATE _sqlx_migrations SET version = 1, checksum = x'00' WHERE version = 9999",
            "UPDATE _sqlx_migrations SET version = 1, checksum = '\\x00' WHERE version = 9999",
        )
        .await
        .unwrap();
        assert!(matches!(db.store.migrate().await, Err(StoreError::Migrate(_))));
    })
    .await;
}

#[test]
fn an_address_of_another_kind_is_refused_without_repeating_it() {
    for address in ["mysql://root:hunter2@db/x", "postgres://u:hunter2@host:port:x", "", "state.db"] {
        let refused = Options::parse(address, Durability::Full).err().unwrap();
        assert!(!crate::support::chain(&refused).contains("hunter2"), "{address}");
    }
}
