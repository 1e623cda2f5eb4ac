//! Organisations of fixed seeds; one that is found to break something is told by its seed and its shortest history.

use crate::postgres::shared;
use scruple_simulate::{Counts, Databases, organisation};
use std::ops::Range;

const STEPS: usize = 24;

async fn run(databases: &Databases, seeds: Range<u64>, steps: usize) -> Counts {
    let mut counts = Counts::default();
    for seed in seeds {
        match organisation(databases, seed, steps).await {
            Ok(more) => counts.add(more),
            Err(finding) => panic!("{finding}"),
        }
    }
    println!("{counts:?}");
    counts
}

#[tokio::test]
async fn the_first_organisations_keep_every_invariant() {
    let databases = Databases::sqlite().await.unwrap();
    run(&databases, 0..20, STEPS).await;
}
