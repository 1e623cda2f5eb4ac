//! In front of Helios: a FHIR server that others wrote. `cargo xtask test --upstream helios` starts one.

use crate::pairs::{assert_held, plan, run, run_related, seed};
use scruple_pairs::Behind;

#[test]
fn callers_cannot_tell_stores_apart_before_helios() {
    let Some(helios) = Behind::helios() else {
        println!("skipped: SCRUPLE_TEST_HELIOS is not set; `cargo xtask test --upstream helios` starts a server");
        return;
    };
    assert_held(&run("biller", "HPAYMT", &helios, &plan(600), seed() + 9), "biller before Helios");
    assert_held(&run("nurse", "TREAT", &helios, &plan(600), seed() + 10), "nurse before Helios");
    assert_held(&run_related("nurse", "TREAT", &helios, &plan(600), seed() + 11), "nurse, related, before Helios");
}
