//! Two thousand organisations of fixed seeds on SQLite, some of them on PostgreSQL with two nodes. One that breaks something is told
//! by its seed and the shortest history that was found.

use crate::postgres::{VARIABLE, shared};
use scruple_simulate::{Counts, Databases, organisation};
use std::hash::{BuildHasher, Hasher};

/// Organisations of one test: as many tests as run side by side.
const EACH: u64 = 250;
const STEPS: usize = 20;
const ON_POSTGRES: u64 = 12;

async fn run(databases: &Databases, from: u64, count: u64) {
    let mut counts = Counts::default();
    for seed in from..from + count {
        match organisation(databases, seed, STEPS).await {
            Ok(more) => counts.add(more),
            Err(finding) => panic!("{finding}"),
        }
    }
    println!("{counts:?}");
    // Or it would show nothing.
    assert_eq!(counts.organisations, count);
    assert!(counts.done > 4 * count && counts.refused > 2 * count, "{counts:?}");
    assert!(counts.races > count / 3 && counts.crashes > count / 3, "{counts:?}");
}

async fn on_sqlite(eighth: u64) {
    run(&Databases::sqlite().await.unwrap(), EACH * eighth, EACH).await;
}

#[tokio::test]
async fn the_first_250_organisations_keep_every_invariant() {
    on_sqlite(0).await;
}

#[tokio::test]
async fn the_second_250_organisations_keep_every_invariant() {
    on_sqlite(1).await;
}

#[tokio::test]
async fn the_third_250_organisations_keep_every_invariant() {
    on_sqlite(2).await;
}

#[tokio::test]
async fn the_fourth_250_organisations_keep_every_invariant() {
    on_sqlite(3).await;
}

#[tokio::test]
async fn the_fifth_250_organisations_keep_every_invariant() {
    on_sqlite(4).await;
}

#[tokio::test]
async fn the_sixth_250_organisations_keep_every_invariant() {
    on_sqlite(5).await;
}

#[tokio::test]
async fn the_seventh_250_organisations_keep_every_invariant() {
    on_sqlite(6).await;
}

#[tokio::test]
async fn the_eighth_250_organisations_keep_every_invariant() {
    on_sqlite(7).await;
}

#[tokio::test]
async fn organisations_with_two_nodes_on_postgresql_keep_every_invariant() {
    let Some(server) = shared().expect("PostgreSQL is there and does not start") else {
        println!("postgres: not run (no programs, no {VARIABLE})");
        return;
    };
    let prefix = format!("scruple_{:016x}", std::hash::RandomState::new().build_hasher().finish());
    let databases = Databases::postgres(&server.address, &prefix).await.unwrap();
    run(&databases, 0, ON_POSTGRES).await;
}
