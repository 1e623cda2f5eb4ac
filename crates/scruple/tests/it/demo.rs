//! `scruple demo` as a newcomer, and a program, meet it.

use crate::node::{Asking, Node};
use crate::support::{World, entries_of};
use scruple_hospital::Hospital;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

fn start(world: &World) -> (Node, Value) {
    Node::demo(world.command(["demo", "--json", "--listen", "127.0.0.1:0", "--data", "try"]))
}

fn token<'a>(line: &'a Value, role: &str) -> &'a str {
    let personas = line["personas"].as_array().unwrap();
    personas.iter().find(|one| one["role"] == role).unwrap()["token"].as_str().unwrap()
}

/// Role, purpose and name of each.
fn people(line: &Value) -> Vec<[String; 3]> {
    let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
    let personas = line["personas"].as_array().unwrap();
    personas.iter().map(|one| ["role", "purpose", "name"].map(|key| text(one, key))).collect()
}

#[test]
fn the_demo_serves_each_persona_its_own_and_starts_again_on_the_same_folder() {
    let world = World::new();
    let (mut node, line) = start(&world);

    // The line, as programs read it.
    assert_eq!(line["gateway"], format!("http://{}/fhir", node.gateway));
    assert_eq!(line["console"], format!("http://{}/", node.console));
    let ledger = Path::new(line["ledger"].as_str().unwrap()).to_owned();
    assert!(ledger.is_absolute() && ledger.join("checkpoint").is_file(), "{}", ledger.display());
    let names = people(&line);
    assert!(names.len() >= 5 && names.iter().flatten().all(|text| !text.is_empty()), "{names:?}");

    // One patient, each as the persona needs it.
    let target = format!("/fhir/Patient/{}", Hospital::patient_id(1));
    let desk = node.get(&target, token(&line, "front_desk")).is(200).json();
    let nurse = node.get(&target, token(&line, "nurse")).is(200).json();
    let analyst = node.get(&target, token(&line, "quality_analyst")).is(200).json();
    assert!(desk["address"][0]["line"].is_array() && desk["name"].is_array(), "{desk}");
    assert!(nurse["address"][0]["line"].is_null() && nurse["name"].is_array(), "{nurse}");
    assert!(analyst["name"].is_null() && analyst != nurse, "{analyst}");
    let support = node.get(&target, token(&line, "it_support")).is(200).json();
    let is_scrambled =
        |value: &Value| value.as_str().is_some_and(|text| text.chars().all(|letter| "Xx'- ".contains(letter)));
    assert!(is_scrambled(&support["name"][0]["family"]), "{support}");
    let search = format!("/fhir/Observation?patient={}&category=laboratory&_count=5", Hospital::patient_id(1));
    let labs = node.get(&search, token(&line, "nurse")).is(200).json();
    assert_eq!((&labs["resourceType"], &labs["type"]), (&"Bundle".into(), &"searchset".into()));
    assert!(labs["entry"].as_array().is_some_and(|entries| !entries.is_empty()), "{labs}");
    assert_eq!(node.get(&search, token(&line, "front_desk")).is(403).code(), "parameter_not_permitted");
    Asking::get("/fhir/metadata", None).ask(&node.gateway).unwrap().is(200);
    Asking::get(&target, None).ask(&node.gateway).unwrap().is(401);

    // Console, health, metrics.
    for page in ["/", "/lens"] {
        let page = Asking::get(page, None).ask(&node.console).unwrap();
        assert!(page.status == 200 || page.status == 303, "{}", page.text());
        assert!(page.status == 303 || page.text().contains("<h1"), "{}", page.text());
    }
    assert_eq!(node.health("/healthz").is(200).text(), "ok\n");
    assert_eq!(node.health("/readyz").is(200).json()["ready"], true);
    let metrics = node.health("/metrics").is(200).text();
    let counted = |line: &&str| line.starts_with("scruple_gateway_requests_total{") && !line.starts_with('#');
    let sum: u64 =
        metrics.lines().filter(counted).map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(sum, 8, "as many as were asked: {metrics}");
    assert!(metrics.contains(r#"status="403""#), "{metrics}");

    // An orderly end leaves nothing outside the checkpoint.
    node.stops();
    let report = world.run(["ledger", "verify", "--json", "try/ledger"]).ends(0).json();
    assert_eq!((&report["good"], &report["not_under_checkpoint"]), (&true.into(), &0.into()), "{report}");
    let entries = entries_of(&world.run(["ledger", "show", "--json", "try/ledger"]).ends(0));
    let subjects: Vec<&Value> = entries.iter().map(|entry| &entry["entry"]["body"]["actor"]["subject"]).collect();
    assert!(subjects.iter().filter(|subject| subject.is_string()).count() >= 7, "{subjects:?}");
    // Who treats somebody is linked to a practitioner: nurse and physician.
    let linked = entries.iter().filter(|entry| entry["entry"]["body"]["event"] == "practitioner_linked").count();
    assert_eq!(linked, 2);

    let seeded = entries.iter().filter(|entry| entry["entry"]["body"]["kind"] == "event").count();
    assert!(seeded >= names.len(), "grants are events, and these are in the ledger: {seeded}");

    // Again: the same people, and what they held before still opens.
    let (mut again, second) = start(&world);
    assert_eq!(people(&second), names);
    let after = again.get(&target, token(&line, "front_desk")).is(200).json();
    assert_eq!(after["name"], desk["name"]);
    again.get(&target, token(&second, "front_desk")).is(200);
    again.stops();
    let report = world.run(["ledger", "verify", "--json", "try/ledger"]).ends(0).json();
    assert_eq!((&report["good"], &report["not_under_checkpoint"]), (&true.into(), &0.into()), "{report}");
    assert!(report["entries"].as_u64().unwrap() > entries.len() as u64);
    // Nobody is seeded twice.
    let entries = entries_of(&world.run(["ledger", "show", "--json", "try/ledger"]).ends(0));
    // Who has not set up sign-in gets a link at each start.
    let of_events = entries.iter().map(|entry| &entry["entry"]["body"]).filter(|body| body["kind"] == "event");
    let (links, events): (Vec<_>, Vec<_>) = of_events.partition(|body| body["event"] == "enrolment_invited");
    let before = second["sign_in"].as_array().unwrap().len();
    assert_eq!((events.len() + before, links.len()), (seeded, 2 * before), "{entries:?}");
}

/// With ties looked up, the demo shows the whole way: refused, asked, agreed to.
#[test]
fn the_demo_with_ties_refuses_a_nurse_whom_the_patient_does_not_concern() {
    let world = World::new();
    let (mut node, line) =
        Node::demo(world.command(["demo", "--json", "--ties", "--listen", "127.0.0.1:0", "--data", "try"]));
    let nurse = token(&line, "nurse");
    let own = node.get("/fhir/Patient?_count=100", nurse).is(200).json();
    let own: Vec<&str> =
        own["entry"].as_array().unwrap().iter().map(|one| one["resource"]["id"].as_str().unwrap()).collect();
    assert!(!own.is_empty() && own.len() < 10, "{own:?}");
    let other = (1..).map(Hospital::patient_id).find(|id| !own.contains(&id.as_str())).unwrap();
    node.get(&format!("/fhir/Patient/{}", own[0]), nurse).is(200);
    assert_eq!(node.get(&format!("/fhir/Patient/{other}"), nurse).status, 404);
    let roles: Vec<&str> =
        line["sign_in"].as_array().unwrap().iter().map(|one| one["role"].as_str().unwrap()).collect();
    for role in ["nurse", "physician", "manager", "privacy_officer", "administrator"] {
        assert!(roles.contains(&role), "{roles:?}");
    }
    node.stops();
}

/// A folder whose name a shell would cut in two.
const ODD: &str = "it's a try";

#[test]
fn the_demo_in_words_names_what_to_open_and_its_curl_lines_work() {
    let world = World::new();
    let mut child = world.command(["demo", "--listen", "127.0.0.1:0", "--data", ODD]).spawn().unwrap();
    let out = crate::node::Heard::listen(child.stdout.take().unwrap());
    let err = crate::node::Heard::listen(child.stderr.take().unwrap());
    out.says("which ends the demo)");
    let text = out.text();
    let after = |name: &str| text.split_once(name).unwrap().1.split_whitespace().next().unwrap().to_owned();
    let (console, gateway) = (after("Lens, in a browser"), after("Gateway, FHIR R4"));
    let address = |url: &str| url.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    assert_eq!(Asking::get("/lens", None).ask(&address(&console)).unwrap().status, 200, "{text}");
    for role in ["front_desk", "biller", "nurse", "physician", "quality_analyst", "it_support"] {
        let row = text.lines().find(|line| line.contains(&format!(" {role} ")) && !line.contains("curl"));
        let row = row.unwrap_or_else(|| panic!("{role} is not in {text}"));
        assert!(row.trim_end().ends_with(&format!("tokens/{role}")), "{row}");
    }
    let curls: Vec<&str> = text.lines().map(str::trim).filter(|line| line.starts_with("curl ")).collect();
    assert_eq!(curls.len(), 5, "{text}");
    assert_eq!(curls.iter().filter(|line| line.contains(&gateway)).count(), 3, "{curls:?}");
    let mut answers = Vec::new();
    if Command::new("curl").arg("--version").output().is_ok_and(|ran| ran.status.success()) {
        for line in &curls {
            let ran = world.under("sh", ["-c", line]).output().unwrap();
            let answer: Value = serde_json::from_slice(&ran.stdout)
                .unwrap_or_else(|error| panic!("{line}: {error}: {}", String::from_utf8_lossy(&ran.stderr)));
            assert_ne!(answer["resourceType"], "OperationOutcome", "{line}: {answer}");
            answers.push(answer);
        }
        assert_ne!(answers[0], answers[1]);
        assert_eq!(answers[2]["resourceType"], "Bundle");
        assert!(answers[2]["entry"].as_array().is_some_and(|entries| !entries.is_empty()), "{}", answers[2]);
        assert_eq!(answers[3]["decision"], false, "a biller and laboratory results: {}", answers[3]);
        assert!(answers[4]["items"].as_array().is_some_and(|items| !items.is_empty()), "{}", answers[4]);
    } else {
        println!("the curl lines are not run: there is no curl");
    }
    // Tokens are files that only their owner reads.
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(world.path(ODD).join("tokens/nurse")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o077, 0, "{mode:o}");
    let script = format!("kill -TERM {}", child.id());
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
    let code =
        crate::node::eventually("the end", std::time::Duration::from_secs(10), || child.try_wait().unwrap()).code();
    assert_eq!(code, Some(0), "{}", err.text());
}

#[test]
fn what_a_demo_cannot_start_with_is_told() {
    let world = World::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    world
        .run(["demo", "--json", "--listen", &address, "--data", "try"])
        .ends(2)
        .tells(&[&format!("cannot listen on {address}"), "or 0 for a free one"]);
    std::fs::write(world.path("file"), "").unwrap();
    world.run(["demo", "--json", "--data", "file"]).ends(2).tells(&["file"]);
    world.run(["demo", "--upstream", "not a url", "--data", "try"]).ends(2).tells(&["`upstream.url`"]);
    world.run(["demo", "--files", "--json"]).ends(2);
}
