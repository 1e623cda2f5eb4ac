//! The service before `scim2 test` of python-scim, which knows the RFCs and not us. `cargo xtask test` installs it.

use crate::support::{Service, TOKEN};
use std::process::Command;

/// The folder of the packages, for `PYTHONPATH`.
const VARIABLE: &str = "SCRUPLE_TEST_SCIM2";

#[test]
fn the_tester_of_python_scim_finds_nothing_wrong() {
    let Some(packages) = std::env::var_os(VARIABLE) else {
        println!(
            "skipped: {VARIABLE} is not set; `cargo xtask test` installs what tests/scim2/requirements.txt of this crate \
             names (`python3 -m pip install --no-deps --target DIR -r requirements.txt`, then {VARIABLE}=DIR)"
        );
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).unwrap();
    let base = format!("http://{}/scim/v2", listener.local_addr().unwrap());
    let service = runtime.block_on(Service::at(&base));
    let router = service.router();
    runtime.spawn(async move { axum::serve(listener, router).await });
    let ran = Command::new("python3")
        .args(["-c", "from scim2_cli import cli; cli()"])
        .args(["--url", &base, "--header", &format!("Authorization: Bearer {TOKEN}"), "test", "--verbose"])
        .env("PYTHONPATH", packages)
        .env("NO_COLOR", "1")
        .output()
        .unwrap_or_else(|error| panic!("python3 cannot be started (apt-get install python3): {error}"));
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && !out.contains("ERROR") && !out.contains("CRITICAL"), "{out}\n{err}");
    // It says how many checks there were: a tester that found nothing to check is no pass.
    let passed = out.matches("SUCCESS").count();
    assert!(passed > 60, "{passed} checks\n{out}\n{err}");
}
