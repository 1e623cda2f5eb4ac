//! People and access with the real program in a real browser, from a cold start.

use crate::node::{Node, config, eventually, issuer, serving, token};
use crate::support::{World, entries_of, shipped_pack};
use scruple_hospital::Hospital;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const SCIM_TOKEN: &str = "a-token-of-hr-that-nobody-guesses-0123456789";

#[test]
fn a_nurse_asks_a_manager_approves_and_the_privacy_office_takes_it_back() {
    if std::env::var_os("SCRUPLE_TEST_BROWSER").is_none() {
        println!("skipped: SCRUPLE_TEST_BROWSER is not set; `cargo xtask test` installs a browser");
        return;
    }
    let world = World::new();
    // The shipped pack looks relationships up, in the embedded hospital here.
    let pack = shipped_pack();
    std::fs::write(world.path("scim-token"), SCIM_TOKEN).unwrap();
    let keys = issuer(&world, "jwks.json");
    let config = config(&world, &pack, "[scim]\ntoken_file = \"scim-token\"\n");
    let mut node = Node::serve(world.command(serving(&config)));

    let names = ["--administrator-name", "Ola Lund", "--privacy-officer-name", "Ines Vogt"];
    let logins = ["--administrator", "ola.lund", "--privacy-officer", "ines.vogt"];
    let words = ["admin", "bootstrap", "--json", "--config", "scruple.toml"];
    let port = node.console.rsplit_once(':').unwrap().1;
    let site = format!("http://localhost:{port}");
    let made = world.run(words.into_iter().chain(names).chain(logins)).ends(0).json();
    let link = |who: &str| {
        let link = made[who]["link"].as_str().unwrap();
        format!("{site}/{}", link.splitn(4, '/').nth(3).unwrap())
    };
    let again = world.run(words.into_iter().chain(names).chain(logins));
    again.ends(2).tells(&["there is an administrator here already"]);

    let nurse = token(&keys, "megan.doyle", "nurse", "TREAT");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/people.mjs");
    let screenshots = std::env::var_os("SCRUPLE_SCREENSHOTS")
        .map_or_else(|| world.path("screenshots"), |dir| Path::new(&dir).join("people"));
    let mut journey = Command::new("node");
    journey.arg(script).args([&site, &format!("http://{}/fhir", node.gateway), &nurse]);
    journey.args([&link("administrator"), &link("privacy_officer"), SCIM_TOKEN, &Hospital::patient_id(1)]);
    let ran = journey.arg(screenshots).output().unwrap();
    assert!(ran.status.success(), "{}\n{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));

    // Each of it is in the ledger: what was asked and opened, who was refused, what the reads rest on.
    let told = || {
        let entries = entries_of(&world.run(["ledger", "show", "--json"]).ends(0));
        entries.iter().map(|entry| entry["entry"]["body"].to_string()).collect::<Vec<_>>()
    };
    let found = eventually("the last entries", Duration::from_secs(20), || {
        let found = told();
        found.iter().any(|body| body.contains("session_ended")).then_some(found)
    });
    let count = |word: &str| found.iter().filter(|body| body.contains(word)).count();
    for (word, least) in [
        ("request_submitted", 3),
        ("request_approved", 3),
        ("elevation_granted", 1),
        ("relationship_declared", 1),
        ("emergency_activated", 1),
        ("review_opened", 1),
        ("review_closed", 1),
        ("elevation_ended", 2),
        ("sign_in_failed", 1),
        ("console_refused", 5),
        (" asked Elevation/", 1),
        (" declared Elevation/", 1),
        (" emergency Elevation/", 1),
    ] {
        assert!(count(word) >= least, "{word}: {} of {least}", count(word));
    }
    node.stops();
    world.run(["ledger", "verify"]).ends(0);
}
