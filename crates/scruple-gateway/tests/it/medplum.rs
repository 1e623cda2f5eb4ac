//! In front of Medplum's router: a FHIR server that others wrote. `cargo xtask test` starts one.

use crate::pairs::{assert_held, plan, run, run_related, seed};
use scruple_pairs::Behind;

#[test]
fn callers_cannot_tell_stores_apart_before_medplum() {
    let Some(medplum) = Behind::medplum() else {
        println!("skipped: SCRUPLE_TEST_MEDPLUM is not set; `cargo xtask test` starts a server");
        return;
    };
    assert_held(&run("biller", "HPAYMT", &medplum, &plan(600), seed() + 6), "biller before Medplum");
    assert_held(&run("nurse", "TREAT", &medplum, &plan(600), seed() + 7), "nurse before Medplum");
    assert_held(&run_related("nurse", "TREAT", &medplum, &plan(600), seed() + 8), "nurse, related, before Medplum");
}
