//! The service before `scim2 test` of python-scim, which knows the RFCs and not us. `cargo xtask test` installs it.

use crate::support::{Service, TOKEN};
use std::process::Command;

/// The program `scim2`.
const VARIABLE: &str = "SCRUPLE_TEST_SCIM2";

#[test]
fn the_tester_of_python_scim_finds_nothing_wrong() {
    let Some(program) = std::env::var_os(VARIABLE) else {
        println!(
            "skipped: {VARIABLE} is not set; `cargo xtask test` installs what tests/scim2/requirements.txt of this crate \
             names (`python3 -m venv DIR && DIR/bin/pip install -r requirements.txt`, then {VARIABLE}=DIR/bin/scim2)"
        );
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).unwrap();
    let base = format!("http://{}/scim/v2", listener.local_addr().unwrap());
    let service = runtime.block_on(Service::at(&base));
    let router = service.router();
    runtime.spawn(async move { axum::serve(listener, router).await });
    let ran = Command::new(&program)
        .args(["--url", &base, "--header", &format!("Authorization: Bearer {TOKEN}"), "test", "--verbose"])
        .env("NO_COLOR", "1")
        .output()
        .unwrap_or_else(|error| panic!("{VARIABLE} names no program that can be started: {error}"));
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && !out.contains("ERROR") && !out.contains("CRITICAL"), "{out}\n{err}");
    // It says how many checks there were: a tester that found nothing to check is no pass.
    let passed = out.matches("SUCCESS").count();
    assert!(passed > 60, "{passed} checks\n{out}\n{err}");
}
