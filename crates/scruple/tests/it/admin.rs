//! `scruple admin link`: beside a running node and without one, with an entry for each change.

use crate::node::{Node, config, eventually, serving, with_a_biller};
use crate::support::{World, entries_of};
use serde_json::{Value, json};
use std::time::Duration;

fn link(world: &World, words: &str) -> crate::support::Ran {
    let words = words.split(' ');
    world.run(["admin", "link"].into_iter().chain(words).chain(["--config", "scruple.toml"]))
}

/// Kind and number of subjects of each change of a link in the ledger.
fn changes(world: &World) -> Vec<Value> {
    let entries = entries_of(&world.run(["ledger", "show", "--json"]).ends(0));
    let bodies = entries.iter().map(|entry| &entry["entry"]["body"]);
    let of_links =
        bodies.filter(|body| body["aggregate"].as_str().is_some_and(|name| name.starts_with("practitioner_link:")));
    of_links.map(|body| json!([body["event"], body["subjects"].as_array().unwrap().len()])).collect()
}

#[test]
fn links_are_confirmed_and_ended_beside_a_node_and_its_ledger_gets_each_change() {
    let world = World::new();
    let (pack, _) = with_a_biller(&world);
    let config = config(&world, &pack, "");
    let mut node = Node::serve(world.command(serving(&config)));
    let made = link(&world, "add ben.bill Practitioner/b --confirmed-by demo-approver --json").ends(0).json();
    assert_eq!((&made["person"], &made["state"]), (&json!("ben.bill"), &json!("open")), "{made}");
    assert_eq!(made["event"], json!({ "shard": 1_000, "seq": 1 }));
    let shared = link(&world, "add demo-requester Practitioner/b --confirmed-by demo-approver").ends(0);
    assert_eq!(shared.text(), "demo-requester is Practitioner/b, as demo-approver confirms\n");
    shared.tells(&["another person is linked to Practitioner/b too"]);
    let listed = link(&world, "list ben.bill --json").ends(0).json();
    assert_eq!(listed["links"][0]["state"], "ambiguous", "{listed}");
    link(&world, "end demo-requester Practitioner/b --ended-by demo-requester").ends(0);
    let listed = link(&world, "list ben.bill").ends(0);
    let words = ["Practitioner/b ", " open ", "confirmed by demo-approver at 20"];
    assert!(words.iter().all(|word| listed.text().contains(word)), "{}", listed.text());
    let expected =
        [json!(["practitioner_linked", 1]), json!(["practitioner_linked", 2]), json!(["practitioner_unlinked", 2])];
    eventually("the entries", Duration::from_secs(20), || (changes(&world) == expected).then_some(()));
    assert_eq!(node.check("drainer"), "ok");
    node.stops();

    // Without a node a change waits for the next start.
    let ended = link(&world, "end ben.bill Practitioner/b --ended-by demo-approver --json").ends(0).json();
    assert_eq!((&ended["state"], &ended["ended_by"]), (&json!("ended"), &json!("demo-approver")), "{ended}");
    assert_eq!(changes(&world).len(), 3);
    let mut node = Node::serve(world.command(serving(&config)));
    eventually("the entry", Duration::from_secs(20), || (changes(&world).len() == 4).then_some(()));
    node.stops();
    world.run(["ledger", "verify"]).ends(0);
}

#[test]
fn what_cannot_be_linked_is_said_and_changes_nothing() {
    let world = World::new();
    let (pack, _) = with_a_biller(&world);
    config(&world, &pack, "");
    for (words, expected) in [
        ("add ben.bill Practitioner/b --confirmed-by ben.bill", "`--confirmed-by` names somebody else than `ben.bill`"),
        ("add ben.bill Practitioner/b --confirmed-by nobody", "`nobody`: who confirms or ends it is not known here"),
        (
            "add nobody Practitioner/b --confirmed-by demo-approver",
            "`nobody`: the person to be linked is not known here",
        ),
        ("end ben.bill Practitioner/b --ended-by demo-approver", "the person is not linked to this practitioner"),
        ("add ben.bill Patient/b --confirmed-by demo-approver", "neither `Practitioner/ID` nor `PractitionerRole/ID`"),
        ("add ben.bill Practitioner/b", "--confirmed-by <LOGIN>"),
        ("list nobody", "nobody here has the login `nobody`"),
    ] {
        link(&world, words).ends(2).tells(&[expected]);
    }
    assert_eq!(link(&world, "list ben.bill").ends(0).text(), "ben.bill is linked to no practitioner\n");
    let mut nowhere = world.command(["admin", "link", "list", "ben.bill"]);
    let ran = crate::support::Ran::of(nowhere.env("SCRUPLE_STATE", world.path("nowhere")).output().unwrap());
    ran.ends(2).tells(&["no node has run on the state folder"]);
    assert!(!world.path("nowhere").exists());
}
