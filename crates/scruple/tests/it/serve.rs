//! `scruple serve`: what it refuses to start with, and how it takes another policy while it runs.

use crate::node::{ISSUER, Node, config, eventually, issuer, notices, request_ids, serving, token, with_a_biller};
use crate::support::{World, shipped_pack};
use scruple_hospital::Hospital;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

/// The watch interval of the tests, the proof of a small pack, and a machine that is busy.
const RELOAD: Duration = Duration::from_secs(20);

/// Writes a file as editors and deployments do: whole, under another name first.
fn replace(path: &Path, text: &str) {
    let own = path.with_extension("new");
    std::fs::write(&own, text).unwrap();
    std::fs::rename(own, path).unwrap();
}

#[test]
fn serve_does_not_start_with_what_would_be_wrong() {
    let world = World::new();
    let pack = world.pack(&["biller"]);
    let keys = issuer(&world, "jwks.json");
    drop(keys);
    let start = |more: &str, words: &[&str]| {
        let config = config(&world, &pack, more);
        world.run(serving(&config)).ends(2).tells(words);
    };
    // Keys that are none, with file and line; a console that others could reach.
    start("[listn]\n", &["scruple.toml:15: ", "unknown field `listn`", "docs/configuration.md"]);
    start("gatewy = 1\n", &["scruple.toml:15: ", "unknown field `gatewy`"]);
    start("[upstream]\nurl = 7\n", &["scruple.toml:16: ", "invalid type"]);
    let text = std::fs::read_to_string(config(&world, &pack, "")).unwrap();
    std::fs::write(world.path("c"), text.replace("console = \"127.0.0.1:0\"", "console = \"0.0.0.0:0\"")).unwrap();
    world.run(serving(&world.path("c"))).ends(2).tells(&["`listen.console` is 0.0.0.0:0", "loopback"]);
    std::fs::write(world.path("c"), text.replace(&format!("issuer = \"{ISSUER}\"\n"), "")).unwrap();
    world.run(serving(&world.path("c"))).ends(2).tells(&["`tokens.issuer` is missing"]);
    std::fs::write(world.path("c"), text.replace("jwks.json", "nowhere.json")).unwrap();
    world.run(serving(&world.path("c"))).ends(2).tells(&["nowhere.json"]);
    let mut command = world.command(serving(&config(&world, &pack, "")));
    let ran = crate::support::Ran::of(command.env("SCRUPLE__LISTEN__GATEWY", "x").output().unwrap());
    ran.ends(2).tells(&["`SCRUPLE__LISTEN__GATEWY` names no key"]);
    world.run(["serve", "--config", "nowhere.toml"]).ends(2).tells(&["cannot read `nowhere.toml`"]);

    // Everyone would see everyone's records by role: only where the operator says that he wants it.
    start(
        "[upstream]\nurl = \"http://127.0.0.1:9/fhir\"\n",
        &["assumes that every caller has a relationship", "`gateway.allow_assumed_relationships = true`"],
    );
    // A port that another one has.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    std::fs::write(world.path("c"), text.replacen("gateway = \"127.0.0.1:0\"", &format!("gateway = {address:?}"), 1))
        .unwrap();
    world.run(serving(&world.path("c"))).ends(2).tells(&[&format!("cannot listen on {address}")]);
    assert!(!world.ledger().exists() && !world.path("state/scruple.db").exists(), "nothing was touched");

    // A pack that is broken.
    let biller = pack.join("roles/biller.toml");
    let good = std::fs::read_to_string(&biller).unwrap();
    replace(&biller, &(good.clone() + "\n[[permit]]\nview = \"everything\"\n"));
    start("", &["the policy pack has errors, so that nothing is decided", "roles/biller.toml:"]);
    replace(&biller, &good.replace("\"claims\", \"balance\"", "\"claims\", \"no_such_category\""));
    start("", &["roles/biller.toml:", "no_such_category"]);
    std::fs::remove_dir_all(&pack).unwrap();
    start("", &["cannot read the policy pack"]);
    assert!(!world.ledger().exists());
}

#[test]
fn a_check_finds_what_a_start_would_refuse() {
    let world = World::new();
    let pack = world.pack(&["biller"]);
    issuer(&world, "jwks.json");
    let check = |more: &str| {
        let config = config(&world, &pack, more);
        world.run(serving(&config).iter().map(String::as_str).chain(["--check"]))
    };
    assert_eq!(check("").ends(0).text(), "configuration and policy are good\n");
    let real = "[upstream]\nurl = \"http://127.0.0.1:9/fhir\"\n";
    check(real).ends(2).tells(&["`gateway.allow_assumed_relationships = true`"]);
    check(&format!("{real}[gateway]\nallow_assumed_relationships = true\n")).ends(0);
    check("[upstream]\nurl = \"ftp://127.0.0.1/fhir\"\n[gateway]\nallow_assumed_relationships = true\n")
        .ends(2)
        .tells(&["`upstream.url`"]);
    std::fs::write(world.path("jwks.json"), "{}").unwrap();
    check("").ends(2).tells(&["`tokens.jwks_file`"]);
    std::fs::remove_file(world.path("jwks.json")).unwrap();
    check("").ends(2).tells(&["jwks.json"]);
    assert!(!world.path("state").exists(), "a check leaves nothing behind");
}

#[test]
fn another_policy_is_taken_within_the_watch_interval_and_a_broken_one_is_not() {
    let world = World::new();
    let (pack, keys) = with_a_biller(&world);
    let mut node = Node::serve(world.command(serving(&config(&world, &pack, ""))));
    let ben = token(&keys, "ben.bill", "biller", "HPAYMT");
    let target = format!("/fhir/Patient/{}", Hospital::patient_id(1));
    let shows_name = || {
        let answer = node.get(&target, &ben).is(200).json();
        assert!(answer["id"].is_string() && answer["gender"].is_string(), "{answer}");
        answer["name"].is_array()
    };
    assert!(shows_name());
    let biller = pack.join("roles/biller.toml");
    let good = std::fs::read_to_string(&biller).unwrap();
    let without = good.replace(r#"categories = ["id_name", "id_birth_sex""#, r#"categories = ["id_birth_sex""#);
    assert_ne!(good, without);
    replace(&biller, &without);
    eventually("the narrower answer", RELOAD, || (!shows_name()).then_some(()));
    assert_eq!(node.check("policy"), "ok");

    // A broken one: the last good one stays, and it is said in three places.
    replace(&biller, &(good.clone() + "\n[[permit]]\nview = \"everything\"\n"));
    eventually("`last_good`", RELOAD, || (node.check("policy") == "last_good").then_some(()));
    assert_eq!(node.health("/readyz").is(200).json()["ready"], true, "the last good one decides on");
    assert!(!shows_name());
    let line = good.lines().count() + 2;
    node.err.find("file and line", |text| {
        let told = text.lines().find(|line| line.contains("the policy was not taken; the last good one stays"))?;
        assert!(told.contains(&format!("roles/biller.toml:{line}: ")), "{told}");
        Some(())
    });
    // A folder that is away for a moment, as while it is checked out anew, is no other policy, and its return is seen.
    let away = world.path("away");
    std::fs::rename(&pack, &away).unwrap();
    node.err.find("that it is away", |text| text.contains("cannot read the policy pack").then_some(()));
    assert!(!shows_name());
    replace(&away.join("roles/biller.toml"), &without);
    std::fs::rename(&away, &pack).unwrap();
    eventually("`ok`", RELOAD, || (node.check("policy") == "ok").then_some(()));
    replace(&biller, &good);
    eventually("the wider answer", RELOAD, || shows_name().then_some(()));
    node.stops();

    let entries = world.entries();
    let refused = notices(&entries, "policy_refused");
    assert_eq!(refused.len(), 2, "each once, however often it was looked at: {refused:?}");
    let taken = notices(&entries, "policy_activated");
    assert_eq!(refused[0]["stays"], taken[0]["policy"]);
    assert_eq!(notices(&entries, "node_started")[0]["policy"], taken.last().unwrap()["policy"]);
    world.run(["ledger", "verify"]).ends(0);
}

#[test]
fn sighup_takes_policy_and_token_keys_anew() {
    let world = World::new();
    let (pack, keys) = with_a_biller(&world);
    let path = config(&world, &pack, "");
    let text = std::fs::read_to_string(&path).unwrap().replace("watch_ms = 100", "watch_ms = 0");
    std::fs::write(&path, text).unwrap();
    let mut node = Node::serve(world.command(serving(&path)));
    let target = format!("/fhir/Patient/{}", Hospital::patient_id(1));
    let ben = token(&keys, "ben.bill", "biller", "HPAYMT");
    assert!(node.get(&target, &ben).is(200).json()["name"].is_array());

    let others = issuer(&world, "others.json");
    let other_ben = token(&others, "ben.bill", "biller", "HPAYMT");
    std::fs::rename(world.path("others.json"), world.path("jwks.json")).unwrap();
    let biller = pack.join("roles/biller.toml");
    let good = std::fs::read_to_string(&biller).unwrap();
    replace(&biller, &good.replace(r#"categories = ["id_name", "id_birth_sex""#, r#"categories = ["id_birth_sex""#));
    node.get(&target, &other_ben).is(401);
    node.signal("HUP");
    node.err.says("policy activated");
    let answer = node.get(&target, &other_ben).is(200).json();
    assert!(answer["name"].is_null(), "{answer}");
    node.get(&target, &ben).is(401);

    // Keys that are none: the earlier ones stay.
    std::fs::write(world.path("jwks.json"), "{}").unwrap();
    replace(&biller, "label =");
    node.signal("HUP");
    node.err.says("the keys of tokens were not taken; the earlier ones stay");
    eventually("`last_good`", RELOAD, || (node.check("policy") == "last_good").then_some(()));
    node.get(&target, &other_ben).is(200);
    node.stops();
    let entries = world.entries();
    assert_eq!((notices(&entries, "policy_activated").len(), notices(&entries, "policy_refused").len()), (1, 1));
    assert_eq!(request_ids(&entries).len(), 5);
}

#[test]
fn a_signal_that_comes_while_it_starts_ends_it_in_order() {
    let world = World::new();
    let pack = world.pack(&["biller"]);
    issuer(&world, "jwks.json");
    let mut command = world.command(serving(&config(&world, &pack, "")));
    let mut child = command.spawn().unwrap();
    let err = crate::node::Heard::listen(child.stderr.take().unwrap());
    err.says("starting");
    let script = format!("kill -HUP {pid}; kill -TERM {pid}", pid = child.id());
    assert!(std::process::Command::new("sh").args(["-c", &script]).status().unwrap().success());
    let code = eventually("the end", Duration::from_secs(20), || child.try_wait().unwrap()).code();
    assert_eq!(code, Some(0), "{}", err.text());
    let report = world.run(["ledger", "verify", "--json"]).ends(0).json();
    assert_eq!((&report["good"], &report["not_under_checkpoint"]), (&true.into(), &0.into()), "{report}");
}

#[test]
fn the_example_in_docs_is_one_that_serve_takes() {
    let world = World::new();
    let pack = world.pack(&["biller"]);
    // Before a real server relationships are looked up, as in the pack that ships.
    std::fs::copy(shipped_pack().join("pack.toml"), pack.join("pack.toml")).unwrap();
    issuer(&world, "jwks.json");
    let example = shipped_pack().join("../docs/scruple.toml");
    let text = std::fs::read_to_string(&example).unwrap();
    // Its paths are those of a server; here are others.
    std::fs::write(world.path("upstream.token"), "secret").unwrap();
    let put = |key: &str, file: &str| {
        let at = text.lines().find(|line| line.trim_start().starts_with(&format!("{key} ="))).unwrap();
        format!("{} = {:?}", key, world.path(file)) + if at.contains('#') { " #" } else { "" }
    };
    let lines = text.lines().map(|line| {
        let key = line.split('=').next().unwrap().trim();
        match key {
            "state" => put(key, "state"),
            "jwks_file" => put(key, "jwks.json"),
            "bearer_file" => put(key, "upstream.token"),
            "dir" if line.contains("policy") => format!("dir = {pack:?}"),
            "dir" => put(key, "ledger"),
            "tls_certificate" | "tls_key" => String::new(),
            _ => line.to_owned(),
        }
    });
    let here = lines.collect::<Vec<_>>().join("\n");
    std::fs::write(world.path("here.toml"), here).unwrap();
    world.run(["serve", "--config", "here.toml", "--check"]).ends(0);
    // The document shows it as it is.
    let document = std::fs::read_to_string(example.with_file_name("serve.md")).unwrap();
    assert!(document.contains(&format!("```toml\n{text}```")), "docs/serve.md holds docs/scruple.toml");
}

#[test]
fn the_reference_of_keys_is_the_one_in_docs() {
    let world = World::new();
    let ran = world.run(["config", "reference"]).ends(0);
    let text = std::fs::read_to_string(shipped_pack().join("../docs/configuration.md")).unwrap();
    assert_eq!(ran.text(), text);
}
