//! The gateway over HTTP under load, with faults, kills and power cuts: each complete answer has its record.

mod client;
pub mod crash;
mod expected;
pub mod kill;
pub mod load;
mod records;

pub use client::{Client, Got};
pub use records::{Records, is_unrecorded};

use crate::node::{Person, hospital};
use scruple_hospital::Hospital;

/// Patients of the hospital behind the gateway.
const PATIENTS: usize = 40;

/// Targets that somebody asks for: reads, searches, what is not there and what is refused.
fn targets(person: &Person) -> Vec<String> {
    let mut targets = vec![
        "/fhir/Patient/none".to_owned(),
        "/fhir/Patient?unknown=1".to_owned(),
        "/fhir/AuditEvent".to_owned(),
        "/fhir/Condition?_count=20".to_owned(),
        "/fhir/Encounter?_count=50&_total=accurate".to_owned(),
    ];
    for index in 0..PATIENTS {
        let id = Hospital::patient_id(index);
        targets.push(format!("/fhir/Patient/{id}"));
        targets.push(format!("/fhir/Observation?patient={id}&_count=50"));
        targets.push(format!("/fhir/Coverage?patient={id}"));
        let resources = hospital(PATIENTS).record(index).resources;
        let some = resources.iter().step_by(9);
        targets.extend(some.map(|resource| format!("/fhir/{}/{}", resource.kind(), resource.id())));
    }
    // Each person begins somewhere else.
    let first = person.login.bytes().map(usize::from).sum::<usize>() % targets.len().max(1);
    targets.rotate_left(first);
    targets
}

/// A request as bytes.
fn request(target: &str, token: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nhost: gateway.invalid\r\nauthorization: Bearer {token}\r\naccept: application/fhir+json\r\n\r\n")
        .into_bytes()
}
