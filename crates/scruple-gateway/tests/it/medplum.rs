//! In front of Medplum's router: a FHIR server that others wrote. Runs where `cargo xtask test` has started one.

use crate::pairs::{OverStore, assert_held};
