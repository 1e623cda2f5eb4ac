//! A filter killed in the middle: every byte that came out has its record, and the next run works.

use crate::recorded::{chunks, sha256};
use crate::support::{World, biller, entries_of, patient};
use std::io::Read as _;
use std::path::Path;

#[test]
fn what_came_out_before_a_kill_is_recorded_and_the_next_run_works() {
    let world = World::new();
    let pack = world.pack(&["biller"]);
    let lines = (0..20_000).map(|n| patient(&format!("p{n}"), "A") + "\n").collect::<String>();
    let input = world.input("in.ndjson", lines);
    let whole = world.filter(&pack, &input, &["--ledger", "peace"]).ends(0).out;
    world.filter(&pack, &world.input("one.json", patient("a", "A")), &[]).ends(0);
    for share in [5, 2] {
        let known = world.entries().len();
        let mut child = world.command(biller(&pack, &input, Path::new("-"))).spawn().unwrap();
        let mut pipe = child.stdout.take().unwrap();
        let mut out = vec![0; whole.len() / share];
        pipe.read_exact(&mut out).unwrap();
        child.kill().unwrap();
        // What stands in the pipe came out before.
        pipe.read_to_end(&mut out).unwrap();
        assert_eq!(child.wait().unwrap().code(), None, "it was killed");
        assert!(out.len() < whole.len() && whole.starts_with(&out), "killed in the middle: {}", out.len());

        // Before the next start.
        let entries = entries_of(&world.run(["ledger", "show", "--json"]));
        let mut at = 0;
        for (hash, bytes) in chunks(&entries[known..]) {
            assert_eq!(sha256(&whole[at..at + bytes]), hash);
            at += bytes;
        }
        assert!(at >= out.len(), "{} came out, {at} are recorded", out.len());
        let kinds: Vec<_> = entries[known..].iter().map(|entry| &entry["entry"]["body"]["kind"]).collect();
        assert_eq!(kinds[0], "release_open");
        assert!(!kinds.contains(&&"release_close".into()), "its end is missing");

        // The next run works, changes no entry, and nothing is wrong.
        assert!(world.filter(&pack, &input, &[]).ends(0).out == whole);
        let after = world.entries();
        assert_eq!(after[..entries.len()], entries);
        assert_eq!(after.last().unwrap()["entry"]["body"]["kind"], "release_close");
        world.run(["ledger", "verify"]).ends(0);
    }
    // With a file as the output: what is there is not taken for a whole one.
    let output = world.path("out.ndjson");
    let mut child = world.command(biller(&pack, &input, &output)).spawn().unwrap();
    let partial = world.path("out.ndjson.partial");
    while partial.metadata().map_or(0, |metadata| metadata.len()) == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!output.exists());
    world.filter_to(&pack, &input, &output, &[]).ends(2).tells(&["is left from a run that stopped"]);
    std::fs::remove_file(partial).unwrap();
    world.filter_to(&pack, &input, &output, &[]).ends(0);
    assert!(std::fs::read(output).unwrap() == whole);
}
