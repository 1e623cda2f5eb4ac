//! Organisations at length: the tests' own simulation, with seeds that nobody chose and longer histories.

use super::run::{Fuzz, progress};
use anyhow::Result;
use rand_chacha::ChaCha20Rng;
use rand_core::Rng as _;
use scruple_simulate::{Databases, organisation};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// The address of a server of PostgreSQL; without it all organisations are on SQLite.
const POSTGRES_VARIABLE: &str = "SCRUPLE_TEST_POSTGRES";
/// One of so many organisations is on PostgreSQL, where its database takes longer than its life.
const POSTGRES_EVERY: u64 = 40;
const STEPS_MIN: u64 = 10;
const STEPS_MAX: u64 = 90;

/// The runner. A case is a line: `organisation SEED STEPS sqlite|postgres`, the seed as sixteen hexadecimal digits.
pub struct Simulate {
    sqlite: Databases,
    postgres: Option<Databases>,
}

fn runtime() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

impl Simulate {
    /// Makes the databases that the others are copies of.
    ///
    /// # Errors
    /// There is no room, or the server that is named does not answer.
    pub fn new() -> Result<Self> {
        let runtime = runtime()?;
        let sqlite = runtime.block_on(Databases::sqlite())?;
        let server = std::env::var(POSTGRES_VARIABLE).ok().filter(|address| !address.is_empty());
        let postgres = match server {
            Some(server) => {
                let prefix = format!("scruple_long_{}", std::process::id());
                Some(runtime.block_on(Databases::postgres(&server, &prefix))?)
            }
            None => None,
        };
        Ok(Self { sqlite, postgres })
    }

    fn read(line: &str) -> Option<(u64, usize, bool)> {
        let mut words = line.trim().strip_prefix("organisation ")?.split(' ');
        let seed = words.next().filter(|digits| digits.len() == 16)?;
        let steps = words.next()?.parse::<u64>().ok().filter(|steps| *steps <= STEPS_MAX)?;
        let on_postgres = match words.next()? {
            "sqlite" => false,
            "postgres" => true,
            _ => return None,
        };
        Some((u64::from_str_radix(seed, 16).ok()?, usize::try_from(steps).ok()?, on_postgres))
    }
}

impl Fuzz for Simulate {
    fn name(&self) -> &'static str {
        "simulate"
    }

    /// With the runs that make a history shorter.
    fn case_time_max(&self) -> Duration {
        Duration::from_secs(600)
    }

    fn make(&self, rng: &mut ChaCha20Rng) -> Vec<u8> {
        let (seed, steps) = (rng.next_u64(), STEPS_MIN + rng.next_u64() % (STEPS_MAX - STEPS_MIN));
        let on_postgres = rng.next_u64().is_multiple_of(POSTGRES_EVERY) && self.postgres.is_some();
        let engine = if on_postgres { "postgres" } else { "sqlite" };
        format!("organisation {seed:016x} {steps} {engine}\n").into_bytes()
    }

    fn check(&self, case: &[u8]) -> Result<(), String> {
        // What a shorter line says is another organisation, and none.
        let Some((seed, steps, on_postgres)) = Self::read(&String::from_utf8_lossy(case)) else { return Ok(()) };
        let databases = if on_postgres { self.postgres.as_ref().unwrap_or(&self.sqlite) } else { &self.sqlite };
        let runtime = runtime().map_err(|error| error.to_string())?;
        match runtime.block_on(organisation(databases, seed, steps)) {
            Ok(_) => Ok(()),
            Err(finding) => {
                // The history names people by numbers alone.
                progress(&finding.to_string());
                Err(finding.error.to_string())
            }
        }
    }
}
