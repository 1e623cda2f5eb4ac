//! The console in a real Chromium: axe, keyboard, widths, without JavaScript. `cargo xtask test` says where the browser is.

use crate::support::{ACTIVE, now};
use scruple_console::{HospitalLens, HospitalLensOptions, router, sample_router};
use scruple_core::{Clock, FixedClock};
use scruple_hospital::{Hospital, Options, Persona};
use scruple_ledger::{Ledger, OpenOptions};
use scruple_seal::{RootKey, Secret, SystemRng};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

#[test]
fn a_browser_finds_nothing_wrong_in_light() {
    finds_nothing_wrong("light");
}

#[test]
fn a_browser_finds_nothing_wrong_in_the_dark() {
    finds_nothing_wrong("dark");
}

#[test]
fn a_browser_finds_nothing_wrong_on_a_telephone() {
    finds_nothing_wrong("phone");
}

#[test]
fn the_console_is_used_by_keyboard_and_with_a_passkey() {
    finds_nothing_wrong("use");
}

fn finds_nothing_wrong(part: &str) {
    if std::env::var_os("SCRUPLE_TEST_BROWSER").is_none() {
        println!("skipped: SCRUPLE_TEST_BROWSER is not set; `cargo xtask test` installs a browser");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(FixedClock::new(now()));
    let options = OpenOptions::new("test/ledger", Arc::clone(&clock));
    let ledger = Arc::new(Ledger::create_or_open(&dir.path().join("ledger"), options).unwrap());
    let lens = HospitalLens::new(HospitalLensOptions {
        hospital: Hospital::generate(&Options {
            patients: Persona::fixed().len(),
            seed: 1,
            as_of: now(),
            canary: false,
        }),
        active: Box::new(|| Arc::clone(&ACTIVE)),
        ledger: Box::new(move || Some(Arc::clone(&ledger))),
        clock,
        token: RootKey::new(Secret::generate(&mut SystemRng)).token().unwrap(),
        rng: Box::new(SystemRng),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    runtime.spawn(async move { axum::serve(listener, router(Arc::new(lens)).merge(sample_router())).await });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/axe.mjs");
    let screenshots = std::env::var_os("SCRUPLE_SCREENSHOTS").unwrap_or_else(|| "-".into());
    let ran = Command::new("node").arg(script).arg(base).arg(screenshots).arg(part).output().unwrap();
    assert!(ran.status.success(), "{}\n{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
}
