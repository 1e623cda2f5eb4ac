//! A version of the policy from a folder to every node and back: proposed on the command line, decided in the console by a second
//! person, taken within a second, brought back; and what the commands tell of it.

use crate::node::{Asking, Machine, Node, eventually};
use crate::rest::Call;
use crate::routes::{enrolled, goes_to, send};
use crate::support::{Ran, World, entries_of};
use scruple_core::Clock as _;
use scruple_hospital::Hospital;
use scruple_policy::PackFiles;
use serde_json::{Value, json};
use std::time::Duration;

const WORDS: &str = "The nurse does not call patients and needs no telephone";
const TAKEN: Duration = Duration::from_secs(20);

fn policy(world: &World, args: &[&str]) -> Ran {
    let mut command = world.command(["policy"].iter().chain(args));
    Ran::of(command.env("SCRUPLE_STATE", world.path("try")).output().unwrap())
}

fn edit(world: &World, file: &str, from: &str, to: &str) {
    let path = world.path("draft").join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn a_version_goes_from_a_folder_to_the_node_by_two_people_and_is_brought_back() {
    let world = World::new();
    let (mut node, line) = Node::demo(world.command(["demo", "--json", "--listen", "127.0.0.1:0", "--data", "try"]));
    let officer = enrolled(&node, &line, "ines.vogt", "privacy_officer").cookie;
    let administrator = enrolled(&node, &line, "ola.lund", "administrator").cookie;
    let get = |path: &str, cookie: &str| {
        let headers = [("Cookie", cookie)];
        Asking { method: "GET", target: path, token: None, headers: &headers, form: None }.ask(&node.console).unwrap()
    };
    let personas = line["personas"].as_array().unwrap();
    let nurse = personas.iter().find(|one| one["role"] == "nurse").unwrap()["token"].as_str().unwrap();
    let target = format!("/fhir/Patient/{}", Hospital::patient_id(1));
    let shows_telephone = || node.get(&target, nurse).is(200).json()["telecom"].is_array();
    assert!(shows_telephone());

    // The same pack with one kind less for the nurse.
    policy(&world, &["export", "draft"]).ends(0);
    edit(&world, "pack.toml", "relationships = \"resolved\"", "relationships = \"assumed\"");
    edit(&world, "roles/nurse.toml", "\"contact_telecom\", ", "");
    let told = policy(&world, &["diff", "active", "draft"]).ends(1);
    assert!(told.text().contains("narrower   The nurse no longer sees telephone"), "{}", told.text());
    let replay = policy(&world, &["replay", "draft", "--days", "1", "--json"]).ends(0).json();
    assert_eq!(
        (&replay["accesses"], &replay["refused"], &replay["less"]),
        (&1.into(), &0.into(), &1.into()),
        "{replay}"
    );
    assert_eq!(replay["not_replayed"], 0, "{replay}");
    policy(&world, &["propose", "draft", "--by", "megan.doyle", "--because", WORDS])
        .ends(2)
        .tells(&["may not propose"]);
    policy(&world, &["propose", "draft", "--by", "ines.vogt", "--because", "test"]).ends(2).tells(&["`--because`"]);
    let proposed =
        policy(&world, &["propose", "draft", "--by", "ines.vogt", "--because", WORDS, "--json"]).ends(0).json();
    assert_eq!((&proposed["state"], &proposed["replay"]["less"]), (&"proposed".into(), &1.into()), "{proposed}");
    let version = format!("/roles/versions/{}", proposed["version"].as_str().unwrap());
    let page = get(&version, &administrator).is(200).text();
    for part in ["The nurse no longer sees telephone", "would have refused 0 of 1, and shown less in 1", WORDS] {
        assert!(page.contains(part), "{part}: {page}");
    }

    // Who proposed it does not decide; an approval is on what was seen; nothing is active before it is activated.
    let decide = |what: &str, cookie: &str, fields: &str| send(&node, &format!("{version}/{what}"), cookie, fields);
    assert_eq!(decide("approve", &officer, "version=3").status, 422);
    assert_eq!(decide("approve", &administrator, "version=2").status, 409);
    assert_eq!(decide("activate", &administrator, "version=3").status, 422);
    goes_to(&decide("approve", &administrator, "version=3"));
    assert!(shows_telephone());
    goes_to(&decide("activate", &administrator, "version=4"));
    eventually("the narrower answer", TAKEN, || (!shows_telephone()).then_some(()));
    assert_eq!(node.check("policy"), "ok");

    // A role that a version has changed is to be looked at.
    let fit = get("/roles/fit", &officer).is(200).text();
    assert!(fit.contains("A version of the policy has changed the role"), "{fit}");
    let role = get("/roles/nurse", &officer).is(200).text();
    assert!(role.contains("The nurse no longer sees telephone"), "{role}");
    let roles = get("/roles", &officer).is(200).text();
    let place = |word: &str| roles.find(word).unwrap_or_else(|| panic!("no {word} in {roles}"));
    assert!(place("Behavioural-health clinician") < place("Manager, supervisor"), "by name");
    assert!(place("Manager, supervisor") < place("Vendor support"), "by name");
    let found = get("/roles?sort=risk&q=NURSE", &officer).is(200).text();
    assert!(found.contains("Registered nurse") && !found.contains("Manager, supervisor"), "{found}");
    assert!(get("/roles?q=nothing+of+that", &officer).is(200).text().contains("No role found."));

    // And back, by two people as well.
    let versions = policy(&world, &["versions", "--json"]).ends(0).json();
    let versions = versions["versions"].as_array().unwrap();
    let states: Vec<&Value> = versions.iter().map(|version| &version["state"]).collect();
    assert_eq!(states[..2], [&Value::from("superseded"), &Value::from("active")], "{versions:?}");
    assert_eq!((&versions[1]["drafted_by"], &versions[1]["decided_by"]), (&"ines.vogt".into(), &"ola.lund".into()));
    let first = format!("/roles/versions/{}", versions[0]["version"].as_str().unwrap());
    let again = goes_to(&send(&node, &format!("{first}/back"), &administrator, "version=2"));
    let again = again.split('?').next().unwrap().to_owned();
    goes_to(&send(
        &node,
        &format!("{again}/propose"),
        &administrator,
        "version=2&rationale=Nurses+of+the+home+team+call+patients",
    ));
    assert_eq!(send(&node, &format!("{again}/approve"), &administrator, "version=3").status, 422);
    goes_to(&send(&node, &format!("{again}/approve"), &officer, "version=3"));
    goes_to(&send(&node, &format!("{again}/activate"), &officer, "version=4"));
    eventually("the wider answer", TAKEN, || shows_telephone().then_some(()));

    // Which one was active when, and what a person could see.
    let since = |index: usize| {
        let versions = policy(&world, &["versions", "--json"]).ends(0).json();
        versions["versions"][index]["active_from"].as_str().unwrap().to_owned()
    };
    let as_of = |at: &str| policy(&world, &["as-of", at, "--person", "megan.doyle", "--json"]).ends(0).json();
    let seen = |told: &Value| {
        let roles = told["roles"].as_array().unwrap().clone();
        let nurse = roles.into_iter().find(|role| role["role"] == "nurse").unwrap();
        nurse["needs"].as_array().unwrap().iter().any(|need| need["category"] == "contact_telecom")
    };
    let [narrow, wide] = [as_of(&since(1)), as_of(&since(2))];
    assert_eq!((seen(&narrow), seen(&wide)), (false, true));
    assert_eq!(narrow["version"]["hash"], proposed["hash"]);
    policy(&world, &["as-of", "2001-01-01T00:00:00Z"]).ends(2).tells(&["no version of the policy was active"]);

    // Expected and actual: exactly what was changed by hand is found.
    let expected = policy(&world, &["expected"]).ends(0).text().to_owned();
    assert!(
        expected.lines().count() > 50 && expected.contains("megan.doyle,nurse,medications,full,relationship,grant ")
    );
    let line = expected.lines().find(|line| line.starts_with("megan.doyle,nurse,labs,")).unwrap();
    let actual = expected.replace(&format!("{line}\n"), "") + "\nmegan.doyle,nurse,balance,full,,by hand\n";
    std::fs::write(world.path("actual.csv"), actual).unwrap();
    let drift = policy(&world, &["expected", "--against", "actual.csv"]).ends(1);
    assert_eq!(drift.text(), format!("+ megan.doyle,nurse,balance,full,,by hand\n- {line}\n"));
    let table = policy(&world, &["table", "nurse", "--active", "--json"]).ends(0).json();
    assert_eq!((&table["members"], table["review_due"].is_string()), (&1.into(), true), "{table}");

    node.stops();
    let entries = entries_of(&world.run(["ledger", "show", "--json", "try/ledger"]).ends(0));
    let events = |kind: &str| entries.iter().filter(|entry| entry["entry"]["body"]["event"] == kind).count();
    assert_eq!(["policy_proposed", "policy_approved", "policy_enacted"].map(events), [2, 2, 3]);
    world.run(["ledger", "verify", "try/ledger"]).ends(0);
}

/// RB-13, RB-17: a role that is broad by a signed exception stands in the register with its end; what each may do under which conditions
/// is on his own page, as the policy says it now.
#[test]
fn a_broad_role_is_in_the_register_and_everybody_reads_his_own_conditions() {
    let world = World::new();
    let (mut node, line) = Node::demo(world.command(["demo", "--json", "--listen", "127.0.0.1:0", "--data", "try"]));
    let officer = enrolled(&node, &line, "ines.vogt", "privacy_officer").cookie;
    let administrator = enrolled(&node, &line, "ola.lund", "administrator").cookie;
    let nurse = enrolled(&node, &line, "megan.doyle", "nurse").cookie;
    let get = |path: &str, cookie: &str| {
        let headers = [("Cookie", cookie)];
        let asking = Asking { method: "GET", target: path, token: None, headers: &headers, form: None };
        asking.ask(&node.console).unwrap().is(200).text()
    };
    // What a page says is what the pack says.
    let said = |files: &PackFiles| {
        let pack = scruple_policy::read(files).unwrap();
        scruple_policy::conditions_of(&pack, &pack.roles["nurse"])
    };
    let before = said(&PackFiles::embedded());
    let page = get("/access", &nurse);
    for condition in &before {
        assert!(page.contains(&escaped(condition)), "{condition}\n{page}");
    }
    assert!(!get("/exceptions?kind=broad", &officer).contains("by a signed exception"));

    policy(&world, &["export", "draft"]).ends(0);
    edit(&world, "pack.toml", "relationships = \"resolved\"", "relationships = \"assumed\"");
    edit(
        &world,
        "roles/nurse.toml",
        "unit assignment or encounter; ends 72 h after transfer or discharge",
        "the unit of the day, until the shift ends",
    );
    let physician = world.path("draft").join("roles/physician.toml");
    let text = std::fs::read_to_string(&physician).unwrap();
    let permits = text.find("[[permit]]").unwrap();
    let broad = format!("{}[[permit]]\nview = \"full\"\ntasks = [\"treat\"]\ncategories = [\"*\"]\n", &text[..permits]);
    std::fs::write(&physician, broad).unwrap();
    let until = Machine.now().plus_micros(20 * 24 * 3_600_000_000).civil_date();
    let until = format!("{:04}-{:02}-{:02}", until.0, until.1, until.2);
    std::fs::write(
        world.path("draft").join("exceptions.toml"),
        format!(
            "[[broad]]\nrole = \"physician\"\ncategory = \"*\"\nreason = \"The new analyser is mapped in April\"\n\
             approved_by = \"A. Ruiz, privacy officer\"\nexpires = \"{until}\"\n"
        ),
    )
    .unwrap();
    let proposed =
        policy(&world, &["propose", "draft", "--by", "ines.vogt", "--because", WORDS, "--json"]).ends(0).json();
    let version = format!("/roles/versions/{}", proposed["version"].as_str().unwrap());
    goes_to(&send(&node, &format!("{version}/approve"), &administrator, "version=3"));
    goes_to(&send(&node, &format!("{version}/activate"), &administrator, "version=4"));
    let register = eventually("the register", TAKEN, || {
        let page = get("/exceptions?kind=broad&state=active", &officer);
        page.contains("The new analyser is mapped in April").then_some(page)
    });
    for part in ["Broad role", "A. Ruiz, privacy officer", "by a signed exception", "every kind of information"] {
        assert!(register.contains(part), "{part}\n{register}");
    }
    assert!(register.contains("in 20 days") || register.contains("in 21 days"), "its end: {register}");
    // The condition that was changed is another on the page of whoever has the role.
    let page = get("/access", &nurse);
    assert!(page.contains("the unit of the day, until the shift ends"), "{page}");
    assert!(!page.contains("ends 72 h after transfer"), "{page}");
    node.stops();
}

/// As a page writes it.
fn escaped(text: &str) -> String {
    text.replace('&', "&#38;").replace('<', "&#60;").replace('>', "&#62;").replace('"', "&#34;").replace('\'', "&#39;")
}

#[test]
fn a_node_starts_again_with_the_version_that_people_decided_on() {
    let world = World::new();
    let demo = || world.command(["demo", "--json", "--listen", "127.0.0.1:0", "--data", "try"]);
    let (mut node, line) = Node::demo(demo());
    let administrator = enrolled(&node, &line, "ola.lund", "administrator").cookie;
    policy(&world, &["export", "draft"]).ends(0);
    edit(&world, "pack.toml", "relationships = \"resolved\"", "relationships = \"assumed\"");
    edit(&world, "roles/nurse.toml", "\"contact_telecom\", ", "");
    let proposed =
        policy(&world, &["propose", "draft", "--by", "ines.vogt", "--because", WORDS, "--json"]).ends(0).json();
    let version = format!("/roles/versions/{}", proposed["version"].as_str().unwrap());
    goes_to(&send(&node, &format!("{version}/approve"), &administrator, "version=3"));
    goes_to(&send(&node, &format!("{version}/activate"), &administrator, "version=4"));
    node.stops();
    let (mut node, _) = Node::demo(demo());
    node.stops();
    let entries = entries_of(&world.run(["ledger", "show", "--json", "try/ledger"]).ends(0));
    let started: Vec<&Value> =
        entries.iter().map(|entry| &entry["entry"]["body"]).filter(|body| body["code"] == "node_started").collect();
    assert_eq!(started.last().unwrap()["facts"]["policy"], proposed["hash"]);
}

#[test]
fn a_draft_by_the_api_is_a_version_and_what_is_wrong_with_one_is_told_by_file_and_line() {
    let world = World::new();
    let (node, line) = Node::demo(world.command(["demo", "--json", "--listen", "127.0.0.1:0", "--data", "try"]));
    let token = line["api_token"].as_str().unwrap();
    let biller = PackFiles::embedded().0["roles/biller.toml"].clone();
    let post = |text: &str, rationale: &str, key: &str| {
        let body = json!({ "files": { "roles/biller.toml": text }, "rationale": rationale }).to_string();
        let headers = [("Idempotency-Key", key)];
        let target = "/api/v1/policy-versions";
        let call = Call { method: "POST", target, token: Some(token), headers: &headers, body: Some(&body) };
        call.ask(&node.console)
    };
    let permit = "view = \"full\"\ntasks = [\"statements\"]";
    let without_task = biller.replacen(permit, "view = \"full\"\ntasks = []", 1);
    assert_ne!(without_task, biller);
    let refused = post(&without_task, WORDS, "a").is(422).json();
    let fault = &refused["faults"][0];
    let line_of = 1 + without_task.lines().position(|line| line == "tasks = []").unwrap();
    assert_eq!((&refused["code"], &fault["file"]), (&"policy_faulty".into(), &"roles/biller.toml".into()));
    let told = usize::try_from(fault["line"].as_u64().unwrap()).unwrap();
    assert!(told.abs_diff(line_of) <= 1, "{fault}");
    assert!(fault["what"].as_str().unwrap().contains("without a task"), "{fault}");

    let wider = biller.replacen("[\"statements\"]", "[\"statements\"] # as before", 1);
    let list = || Call::get("/api/v1/policy-versions", token).ask(&node.console).is(200).json();
    let before = list()["items"].as_array().unwrap().len();
    let made = post(&wider, WORDS, "b").is(201);
    let draft = made.json();
    assert_eq!((&draft["state"], &draft["rationale"]), (&"checked".into(), &WORDS.into()), "{draft}");
    assert_eq!(post(&wider, WORDS, "b").is(201).json()["id"], draft["id"], "done once under its key");
    assert_eq!(list()["items"].as_array().unwrap().len(), before + 1, "what was refused is no version");
    let one = format!("/api/v1/policy-versions/{}", draft["id"].as_str().unwrap());
    assert_eq!(Call::get(&one, token).ask(&node.console).is(200).json(), draft);
}
