//! A node killed in an emergency (BG-04): what opened the chart is kept, and every answer that came out has its record.

use crate::node::{Answer, Asking, Node, eventually, request_ids};
use crate::routes::{enrolled, send};
use crate::support::{World, entries_of};
use scruple_hospital::Hospital;
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Callers who read at one time.
const READERS: usize = 4;

fn demo(world: &World) -> (Node, Value) {
    Node::demo(world.command(["demo", "--json", "--listen", "127.0.0.1:0", "--data", "try"]))
}

fn entries(world: &World) -> Vec<Value> {
    entries_of(&world.run(["ledger", "show", "--json", "try/ledger"]).ends(0))
}

/// Reads until the node is gone; every whole answer.
fn reading(gateway: &str, token: &str, target: &str, answered: &AtomicUsize) -> Vec<Answer> {
    let mut all = Vec::new();
    loop {
        match Asking::get(target, Some(token)).ask(gateway) {
            Ok(answer) => all.push(answer),
            Err(_) => return all,
        }
        answered.fetch_add(1, Ordering::SeqCst);
    }
}

/// Killed after so many answers, while others are under way.
fn killed_after(answers: usize) {
    let world = World::new();
    let (mut node, line) = demo(&world);
    let nurse = enrolled(&node, &line, "megan.doyle", "nurse").cookie;
    let personas = line["personas"].as_array().unwrap();
    let token = personas.iter().find(|one| one["role"] == "nurse").unwrap()["token"].as_str().unwrap().to_owned();
    let patient = Hospital::patient_id(3);
    let opened = send(&node, "/door/emergency", &nurse, &format!("about={patient}&reason=life_threat"));
    assert!(opened.status < 400, "{}", opened.status);
    let (gateway, target) = (node.gateway.clone(), format!("/fhir/Patient/{patient}"));
    let answered = AtomicUsize::new(0);
    let got: Vec<Answer> = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .filter(|_| answers > 0)
            .map(|_| scope.spawn(|| reading(&gateway, &token, &target, &answered)))
            .collect();
        if answers > 0 {
            eventually("answers", Duration::from_secs(30), || {
                (answered.load(Ordering::SeqCst) >= answers).then_some(())
            });
        }
        node.child.kill().unwrap();
        node.child.wait().unwrap();
        readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect()
    });

    // Before the next start: what came out is recorded, whatever it was.
    let recorded = request_ids(&entries(&world));
    let shown = got.iter().filter(|answer| answer.status == 200).count();
    assert!(answers == 0 || shown > 0, "somebody read the chart");
    for answer in &got {
        let id = answer.header("x-request-id").unwrap().to_owned();
        assert!(recorded.contains(&id), "an answer with status {} came out without its record", answer.status);
    }

    // With the next start the activation and its review are there, in the ledger too, and nothing is wrong with it.
    let (mut node, _) = demo(&world);
    node.stops();
    let after = entries(&world);
    let events = |kind: &str| after.iter().filter(|entry| entry["entry"]["body"]["event"] == kind).count();
    assert_eq!([events("emergency_activated"), events("review_opened")], [1, 1]);
    world.run(["ledger", "verify", "try/ledger"]).ends(0);
}

#[test]
fn an_emergency_outlives_a_kill_right_behind_it() {
    killed_after(0);
}

#[test]
fn what_was_read_in_an_emergency_before_a_kill_is_recorded() {
    for answers in [1, 40] {
        killed_after(answers);
    }
}
