//! People and access with the real program in a real browser, from a cold start.

use crate::node::{Node, config, eventually, issuer, serving, token};
use crate::support::{World, entries_of, shipped_pack};
use scruple_hospital::Hospital;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const CLIENT_SECRET: &str = "a-secret-of-the-console-at-the-provider-0123456789";
const SCIM_TOKEN: &str = "a-token-of-hr-that-nobody-guesses-0123456789";

pub fn no_browser() -> bool {
    let none = std::env::var_os("SCRUPLE_TEST_BROWSER").is_none();
    if none {
        println!("skipped: SCRUPLE_TEST_BROWSER is not set; `cargo xtask test` installs a browser");
    }
    none
}

/// Runs a journey of `tests/browser`, which finds nothing wrong.
pub fn journey(world: &World, name: &str, arguments: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/browser/{name}.mjs"));
    let screenshots = std::env::var_os("SCRUPLE_SCREENSHOTS")
        .map_or_else(|| world.path("screenshots"), |dir| Path::new(&dir).join(name));
    let ran = Command::new("node").arg(script).args(arguments).arg(screenshots).output().unwrap();
    if !ran.status.success() {
        let refused = if world.path("state/ledger").exists() { bodies(world) } else { Vec::new() };
        let refused: Vec<String> = refused.into_iter().filter(|body| body.contains("refused")).collect();
        let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        panic!("{out}\n{err}\nrefused: {refused:#?}");
    }
}

/// The bodies of all entries that are in the ledger now.
fn bodies(world: &World) -> Vec<String> {
    let entries = entries_of(&world.run(["ledger", "show", "--json"]).ends(0));
    entries.iter().map(|entry| entry["entry"]["body"].to_string()).collect()
}

#[test]
fn a_nurse_asks_a_manager_approves_and_the_privacy_office_takes_it_back() {
    if no_browser() {
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
    let gateway = format!("http://{}/fhir", node.gateway);
    let links = [link("administrator"), link("privacy_officer")];
    let patient = Hospital::patient_id(1);
    journey(&world, "people", &[&site, &gateway, &nurse, &links[0], &links[1], SCIM_TOKEN, &patient]);

    // Each of it is in the ledger: what was asked and opened, who was refused, what the reads rest on.
    let found = eventually("the last entries", Duration::from_secs(20), || {
        let found = bodies(&world);
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

#[test]
fn people_sign_in_at_the_provider_of_their_organisation() {
    if no_browser() {
        return;
    }
    let world = World::new();
    std::fs::write(world.path("scim-token"), SCIM_TOKEN).unwrap();
    std::fs::write(world.path("client-secret"), CLIENT_SECRET).unwrap();
    issuer(&world, "jwks.json");
    let provider = format!("http://127.0.0.1:{}", free_port());
    let more = format!(
        "[scim]\ntoken_file = \"scim-token\"\n\
         [oidc]\nissuer = \"{provider}\"\nclient_id = \"scruple\"\nclient_secret_file = \"client-secret\"\n\
         label = \"St. Elsewhere\"\n"
    );
    let config = config(&world, &shipped_pack(), &more);
    let mut node = Node::serve(world.command(serving(&config)));
    let names = ["--administrator-name", "Ola Lund", "--privacy-officer-name", "Ines Vogt"];
    let logins = ["--administrator", "ola.lund", "--privacy-officer", "ines.vogt"];
    let words = ["admin", "bootstrap", "--json", "--config", "scruple.toml"];
    world.run(words.into_iter().chain(names).chain(logins)).ends(0);
    let site = format!("http://localhost:{}", node.console.rsplit_once(':').unwrap().1);
    journey(&world, "oidc", &[&site, &provider, CLIENT_SECRET, "ola.lund", SCIM_TOKEN]);

    let found = eventually("the last entries", Duration::from_secs(20), || {
        let found = bodies(&world);
        let refused = found.iter().filter(|body| body.contains("console_refused")).count();
        (refused >= 8).then_some(found)
    });
    let count = |word: &str| found.iter().filter(|body| body.contains(word)).count();
    let expected = [
        ("credential_added", 2, 2),
        ("sign_in_failed", 2, 2),
        ("identity_confirmed", 1, 1),
        ("oidc_flow", 2, 9),
        ("oidc_one_factor", 1, 1),
        ("8f14-", 0, 0),
        (CLIENT_SECRET, 0, 0),
    ];
    for (word, least, most) in expected {
        assert!((least..=most).contains(&count(word)), "{word}: {} of {least}..={most}", count(word));
    }
    node.stops();
    world.run(["ledger", "verify"]).ends(0);
}

/// A port on which nothing listens now.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
