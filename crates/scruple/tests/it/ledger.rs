//! `scruple ledger`: what it verifies, and what it prints.

use crate::support::{World, copy_folder, entries_of, files, flip, patient};
use serde_json::Value;

#[test]
fn verify_tells_what_it_rests_on_and_finds_a_flipped_byte_and_a_rollback() {
    let world = World::new();
    let pack = world.pack(&["biller"]);
    let input = world.input("in.ndjson", (0..600).map(|n| patient(&format!("p{n}"), "A") + "\n").collect::<String>());
    world.filter(&pack, &input, &[]).ends(0);
    let ledger = world.ledger();
    std::fs::copy(ledger.join("vkey"), world.path("vkey")).unwrap();
    copy_folder(&ledger, &world.path("old"));
    world.filter(&pack, &input, &[]).ends(0);
    let entries = world.entries().len();
    assert_eq!(entries, 10);
    std::fs::write(world.path("outside"), world.run(["ledger", "checkpoint"]).ends(0).out).unwrap();

    let good = world.run(["ledger", "verify"]).ends(0);
    let first = "scruple/ledger: 10 entries, 10 under the signed checkpoint, 0 not yet; 10 opened, 0 erased\n";
    assert!(good.text().starts_with(first), "{}", good.text());
    let own = "checked with the folder's own key only: this shows consistency, not that nothing was rewritten\n";
    assert!(good.text().ends_with(&format!("{own}verified: nothing is wrong\n")), "{}", good.text());
    let json = world.run(["ledger", "verify", "--json"]).ends(0).json();
    assert_eq!((&json["good"], &json["entries"], &json["not_under_checkpoint"]), (&true.into(), &10.into(), &0.into()));
    assert_eq!(json["findings"], serde_json::json!([]));

    let key = world.run(["ledger", "verify", "--key", "vkey"]).ends(0);
    assert!(key.text().contains("checked with a key from outside the folder"), "{}", key.text());
    let outside = ["--key", "vkey", "--checkpoint", "outside"];
    let both = world.run(["ledger", "verify"].into_iter().chain(outside)).ends(0);
    assert!(both.text().contains("checked against a checkpoint kept outside the folder"), "{}", both.text());

    // The old folder is consistent: only the checkpoint that was kept tells.
    world.run(["ledger", "verify", "old"]).ends(0);
    world.run(["ledger", "verify", "old", "--key", "vkey"]).ends(0);
    let ran = world.run(["ledger", "verify", "old"].into_iter().chain(outside)).ends(1);
    assert!(ran.text().contains("FOUND ") && ran.text().contains("NOT verified: 1 finding"), "{}", ran.text());
    // What does not hold is not said to hold.
    assert!(!ran.text().contains("nothing up to it was changed"), "{}", ran.text());
    let json = world.run(["ledger", "verify", "old", "--json"].into_iter().chain(outside)).ends(1).json();
    assert_eq!((&json["good"], &json["trust"]), (&false.into(), &Value::Null));

    // A key of another ledger.
    world.filter(&pack, &input, &["--ledger", "other"]).ends(0);
    let ran = world.run(["ledger", "verify", "--key", "other/vkey"]);
    assert_ne!(ran.code, Some(0), "{}", ran.text());

    // A byte of any file. Of the log it is one of the first entry.
    for path in files(&ledger) {
        if path.metadata().unwrap().len() == 0 {
            continue;
        }
        let before = std::fs::read(&path).unwrap();
        flip(&path, 1_000);
        let ran = world.run(["ledger", "verify", "--key", "vkey"]);
        assert!(matches!(ran.code, Some(1 | 2)), "{}: {}", path.display(), ran.text());
        std::fs::write(&path, before).unwrap();
    }
    world.run(["ledger", "verify"].into_iter().chain(outside)).ends(0);
    world.run(["ledger", "verify", "in"]).ends(2).tells(&["cannot verify the ledger in `in`"]);
}

#[test]
fn entries_that_are_not_yet_under_a_checkpoint_are_told() {
    let world = World::new();
    let pack = world.pack(&["biller"]);
    let input =
        world.input("in.ndjson", (0..20_000).map(|n| patient(&format!("p{n}"), "A") + "\n").collect::<String>());
    let mut child = world.command(crate::support::biller(&pack, &input, std::path::Path::new("-"))).spawn().unwrap();
    // Some of it: entries are in the log, and the program stands still because nobody reads on.
    std::io::Read::read_exact(&mut child.stdout.take().unwrap(), &mut [0; 100_000]).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let json = world.run(["ledger", "verify", "--json"]).ends(0).json();
    let number = |key: &str| json[key].as_u64().unwrap();
    assert!(number("entries") >= 2, "{json}");
    assert_eq!(number("not_under_checkpoint"), number("entries") - number("checkpoint_size"));
    let words = world.run(["ledger", "verify"]).ends(0);
    let line = format!(
        "{} under the signed checkpoint, {} not yet",
        number("checkpoint_size"),
        number("not_under_checkpoint")
    );
    assert!(words.text().contains(&line), "{}", words.text());
    assert_eq!(world.entries().len() as u64, number("entries"));
}

#[test]
fn show_tail_and_checkpoint_print_what_they_say() {
    let world = World::new();
    let pack = world.pack(&["biller"]);
    for n in 0..4 {
        let input = world.input(&format!("{n}.json"), patient(&format!("p{n}"), "CANARY-31d7"));
        world.filter(&pack, &input, &[]).ends(0);
    }
    let indices = |args: &[&str]| -> Vec<u64> {
        let ran = world.run(["ledger"].iter().chain(args)).ends(0);
        entries_of(&ran).iter().map(|entry: &Value| entry["index"].as_u64().unwrap()).collect()
    };
    assert_eq!(indices(&["show", "--json"]), [0, 1, 2, 3]);
    assert_eq!(indices(&["show", "--json", "--from", "1", "--count", "2"]), [1, 2]);
    assert_eq!(indices(&["show", "--json", "--from", "3"]), [3]);
    assert_eq!(indices(&["tail", "--json", "-n", "3"]), [1, 2, 3]);
    assert_eq!(indices(&["tail", "--json"]), [0, 1, 2, 3]);
    let words = world.run(["ledger", "show"]).ends(0);
    let lines: Vec<&str> = words.text().lines().collect();
    assert_eq!(lines.len(), 4);
    for (index, line) in lines.iter().enumerate() {
        assert!(line.starts_with(&format!("{index:>6}  20")), "{line}");
        assert!(line.contains("operator:tester as biller for HPAYMT: released 1 resource, "), "{line}");
    }
    assert_eq!(world.run(["ledger", "tail", "-n", "1"]).ends(0).text(), format!("{}\n", lines[3]));
    assert_eq!(crate::search::find(&words.out, &["CANARY-31d7"]), []);

    let note = world.run(["ledger", "checkpoint"]).ends(0);
    assert_eq!(note.out, std::fs::read(world.ledger().join("checkpoint")).unwrap());
    let lines: Vec<&str> = note.text().lines().collect();
    assert_eq!((lines[0], lines[1]), ("scruple/ledger", "4"));
    assert!(lines[4].starts_with("\u{2014} scruple/ledger "), "{}", note.text());
    let json = world.run(["ledger", "checkpoint", "--json"]).ends(0).json();
    assert_eq!(json["checkpoint"], note.text());
    for command in ["show", "tail", "checkpoint"] {
        world.run(["ledger", command, "in"]).ends(2).tells(&["`in`"]);
    }
}
