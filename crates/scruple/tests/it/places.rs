//! Two who use one account at one time, told by from where its tokens come: a real node behind a proxy that says whom it forwards.

use crate::node::{Asking, Node, config, eventually, issuer, seed, serving, token};
use crate::rest::{Api, EVERY_SCOPE, assuming};
use crate::search::find_in_folder;
use crate::support::World;
use scruple_hospital::Hospital;
use serde_json::{Value, json};
use std::time::Duration;

const FIRST: &str = "10.123.45.67";
const OTHER: &str = "10.123.45.68";

/// IL-01: two tokens of one account, used in turns at two addresses, are a finding; one who goes from one address to the other makes none.
#[test]
fn an_account_that_reads_from_two_addresses_in_turns_is_a_finding() {
    let world = World::new();
    let pack = assuming(&world);
    seed(&world.path("state"), &[("nia.nurse", "nurse"), ("noa.nurse", "nurse"), ("ines.vogt", "privacy_officer")]);
    let keys = issuer(&world, "jwks.json");
    let config = config(&world, &pack, "[gateway]\ntrusted_proxies = \"127.0.0.0/8\"\n");
    let mut api = Api { node: Node::serve(world.command(serving(&config))), keys };
    let office = api.token("ines.vogt", EVERY_SCOPE);
    let people = api.get("/api/v1/people", &office).is(200).json();
    let id = |login: &str| -> Value {
        let all = people["items"].as_array().unwrap();
        all.iter().find(|one| one["login"] == login).unwrap()["id"].clone()
    };
    let shared = || -> Vec<Value> {
        let all = api.get("/api/v1/findings", &office).is(200).json();
        let all = all["items"].as_array().unwrap();
        let of = |one: &&Value| one["code"] == "account_used_at_two_places";
        all.iter().filter(of).map(|one| one["person"].clone()).collect()
    };
    let patient = format!("/fhir/Patient/{}", Hospital::patient_id(1));
    let reads = |token: &str, from: &str| {
        let headers = [("X-Forwarded-For", from)];
        let asking = Asking { headers: &headers, ..Asking::get(&patient, Some(token)) };
        asking.ask(&api.node.gateway).unwrap().is(200);
    };
    let of = |login: &str| token(&api.keys, login, "nurse", "TREAT");
    let (noa, nia, another) = (of("noa.nurse"), of("nia.nurse"), of("nia.nurse"));
    for from in [FIRST, FIRST, OTHER, OTHER] {
        reads(&noa, from);
    }
    reads(&nia, FIRST);
    reads(&another, OTHER);
    assert_eq!(shared(), Vec::<Value>::new());
    // The way by which the office looks is no place.
    let question = json!({ "patient": Hospital::patient_id(1), "cause": "routine" });
    let question = api.post("/api/v1/charts", &office, &question, &[]).is(201).json();
    for _ in 0..3 {
        api.get(&format!("/api/v1/charts/{}", question["id"].as_str().unwrap()), &office).is(200);
    }
    reads(&nia, FIRST);
    // The index reads the ledger in its order: when it has the last read, it has those of the one who walked.
    let found = eventually("the finding", Duration::from_secs(20), || Some(shared()).filter(|found| !found.is_empty()));
    assert_eq!(found, [id("nia.nurse")]);
    api.node.stops();
    assert_eq!(find_in_folder(&world.path("state"), &[FIRST, OTHER]), [], "the places are nowhere in clear");
}
