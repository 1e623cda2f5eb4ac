//! Power cuts while the emergency reserve is written and merged: the ledger's own simulation, with many seeds.

use super::crash::first_failure;
use super::run::Fuzz;
use rand_chacha::ChaCha20Rng;
use rand_core::Rng as _;
use scruple_ledger::simulate::reserve_power_cuts;
use std::time::Duration;

/// The runner. A case is a line: `cuts SEED`.
pub struct ReserveCrash;

impl Fuzz for ReserveCrash {
    fn name(&self) -> &'static str {
        "reserve-crash"
    }

    /// Hundreds of cuts with a restart, a merge and a verification each.
    fn case_time_max(&self) -> Duration {
        Duration::from_secs(600)
    }

    fn make(&self, rng: &mut ChaCha20Rng) -> Vec<u8> {
        format!("cuts {}\n", rng.next_u64()).into_bytes()
    }

    fn check(&self, case: &[u8]) -> Result<(), String> {
        let line = String::from_utf8_lossy(case);
        match line.trim().split_once(' ').map(|(kind, seed)| (kind, seed.parse::<u64>())) {
            Some(("cuts", Ok(seed))) => first_failure(&reserve_power_cuts(seed, 1)),
            _ => Ok(()),
        }
    }
}
