//! A simulated disk, and runs that cut its power: for the tests of this crate and of others.
//!
//! [`SimStorage`] keeps what was written apart from what is durable. At a power cut any subset of the unsynced sectors,
//! lengths, names and removals survives. [`power_cuts`] cuts after every operation of seeded runs, and [`reserve_power_cuts`] does
//! so with an emergency reserve.

mod cuts;
mod disk;
mod reserve;
mod script;

pub use cuts::power_cuts;
pub use disk::{Keep, SimStorage};
pub use reserve::reserve_power_cuts;
pub use script::Findings;
