//! One organisation by its seed; where something does not hold, the shortest history that was found to show it.

use crate::act::Step;
use crate::databases::Databases;
use crate::draw::Draw;
use crate::error::{SimulateError, Sound};
use crate::run::{Counts, Life};
use std::fmt;

/// Runs that are tried to make a history shorter.
const TRIES_MAX: usize = 120;

/// Something that does not hold, and how it comes about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The seed of the organisation.
    pub seed: u64,
    /// What does not hold.
    pub error: SimulateError,
    /// What happened until then, as short as it was made.
    pub history: Vec<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "organisation of seed {}: {}", self.seed, self.error)?;
        self.history.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

fn steps(seed: u64, count: usize) -> Vec<Step> {
    // Apart from the draws of the founding.
    let mut draw = Draw::new(seed ^ 0x5ca1_ab1e);
    (0..count).map(|_| Step::draw(&mut draw)).collect()
}

/// Lives a history; what was told of it until the end, or until something did not hold.
async fn live(databases: &Databases, seed: u64, steps: &[Step]) -> (Sound<Counts>, Vec<String>) {
    let database = match databases.next() {
        Ok(database) => database,
        Err(error) => return (Err(error), Vec::new()),
    };
    let mut life = match Life::begin(&database.address, seed).await {
        Ok(life) => life,
        Err(error) => return (Err(error), Vec::new()),
    };
    let mut result = Ok(());
    for step in steps {
        result = life.step(step).await;
        if result.is_err() {
            break;
        }
    }
    if result.is_ok() {
        result = life.end().await;
    }
    life.close().await;
    (result.map(|()| life.counts), life.told)
}

fn invariant(error: &SimulateError) -> Option<&'static str> {
    match error {
        SimulateError::Broken { invariant, .. } => Some(invariant),
        SimulateError::Failed { .. } => None,
    }
}

/// Runs the organisation of a seed for so many steps.
///
/// # Errors
/// Something does not hold, or the simulation could not go on.
pub async fn organisation(databases: &Databases, seed: u64, count: usize) -> Result<Counts, Box<Finding>> {
    let mut steps = steps(seed, count);
    let (result, history) = live(databases, seed, &steps).await;
    let mut finding = match result {
        Ok(counts) => return Ok(counts),
        Err(error) => Finding { seed, error, history },
    };
    let Some(broke) = invariant(&finding.error) else { return Err(Box::new(finding)) };
    let mut tries = TRIES_MAX;
    let mut length = steps.len().div_ceil(2);
    while length > 0 && tries > 0 {
        let mut from = 0;
        while from < steps.len() && tries > 0 {
            let until = (from + length).min(steps.len());
            let shorter = [&steps[..from], &steps[until..]].concat();
            tries -= 1;
            match live(databases, seed, &shorter).await {
                (Err(error), history) if invariant(&error) == Some(broke) => {
                    steps = shorter;
                    finding = Finding { seed, error, history };
                }
                _ => from = until,
            }
        }
        length /= 2;
    }
    Err(Box::new(finding))
}
