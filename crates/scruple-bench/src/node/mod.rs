//! A gateway for benches and long runs, put together of the parts that `scruple serve` has: in this process over any
//! storage, or as a process of its own over a folder, before a FHIR server that is a process too.
//!
//! It reads no configuration and has no console and no health port: what is measured is the way of a request. Its keys are
//! made up and stand here; it listens on this machine alone.

pub mod content;
mod disk;
mod fhir;
mod parts;
mod process;
mod role;

pub use content::{Content, hospital, resources};
pub use fhir::{Fhir, ROLE as FHIR_ROLE, role as fhir_role};
pub use parts::{
    Person, ROOT_KEY, Setting, SystemClock, Words, Workforce, http_upstream, issuer, root, token, workforce,
};
pub use process::Node;
pub use role::{Command, Order, ROLE as NODE_ROLE, role as node_role};

use scruple_core::Timestamp;

/// The base under which callers know the gateway.
pub const BASE: &str = "http://gateway.invalid/fhir";

/// The present of the hospital, and of gateways whose clock stands still.
pub const NOON: Timestamp = Timestamp::from_micros(1_772_452_800_000_000);

/// Roles that are tried, each with a purpose of its own.
pub const ROLES: [(&str, &str); 6] = [
    ("front_desk", "PATADMIN"),
    ("biller", "HPAYMT"),
    ("nurse", "TREAT"),
    ("physician", "TREAT"),
    ("quality_analyst", "HQUALIMP"),
    ("coder", "HPAYMT"),
];

/// A person in each of [`ROLES`].
#[must_use]
pub fn people() -> Vec<Person> {
    let person = |(role, purpose): (&str, &str)| Person {
        login: format!("bench.{role}"),
        role: role.to_owned(),
        purpose: purpose.to_owned(),
        practitioners: Vec::new(),
    };
    ROLES.into_iter().map(person).collect()
}
