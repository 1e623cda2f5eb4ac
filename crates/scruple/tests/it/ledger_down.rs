//! Without the ledger nothing is released: damaged, in use, not writable, in the way.

use crate::support::{Ran, World, biller, collect, files, flip, patient};
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

const CANARY: &str = "CANARY-c81d";

/// A byte of a segment that is in its first entry.
const IN_AN_ENTRY: usize = 1_000;

/// Nothing came out, and it says so.
#[track_caller]
fn releases_nothing(world: &World, ran: Ran, words: &[&str]) {
    let ran = ran.ends(2).tells(words);
    assert_eq!(ran.out, b"");
    assert_eq!(world.leaks(&ran, &[CANARY]), []);
    assert!(!world.path("out.json").exists() && !world.path("out.json.partial").exists());
}

#[test]
fn a_damaged_ledger_releases_nothing() {
    let world = World::new();
    let pack = world.pack(&["biller"]);
    let input = world.input("in.json", patient("a", CANARY));
    world.filter(&pack, &input, &[]).ends(0);
    let good = world.ledger();
    let segment = files(&good.join("wal")).into_iter().find(|path| path.metadata().unwrap().len() > 0).unwrap();
    let checkpoint = good.join("checkpoint");
    for path in [segment, checkpoint, good.join("kek"), good.join("signer")] {
        let before = std::fs::read(&path).unwrap();
        let name = path.strip_prefix(&good).unwrap().to_str().unwrap().to_owned();
        flip(&path, IN_AN_ENTRY);
        let ran = world.filter_to(&pack, &input, &world.path("out.json"), &[]);
        releases_nothing(&world, ran, &["nothing is released without the ledger in `"]);
        assert_ne!(world.run(["ledger", "verify"]).code, Some(0), "{name}");
        std::fs::write(&path, before).unwrap();
    }
    world.filter(&pack, &input, &[]).ends(0);
    assert_eq!(world.entries().len(), 2, "the runs between have left nothing");
}

#[test]
fn a_ledger_that_another_process_holds_releases_nothing() {
    let world = World::new();
    let pack = world.pack(&["biller"]);
    let input = world.input("in.json", patient("a", CANARY));
    let args = biller(&pack, Path::new("-"), Path::new("-"));
    let mut holder = world.command(args).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = holder.stdin.take().unwrap();
    // More than a pipe holds: when it is written, the other one reads, and that is after it opened the ledger.
    let lines = (0..10_000).map(|n| patient(&format!("p{n}"), "A") + "\n").collect::<String>();
    assert!(lines.len() > 800_000);
    stdin.write_all(lines.as_bytes()).unwrap();

    let ran = world.filter_to(&pack, &input, &world.path("out.json"), &[]);
    releases_nothing(
        &world,
        ran,
        &["nothing is released without the ledger", "; wait until that ends, or name another"],
    );
    // Reading and verifying do not need it.
    world.run(["ledger", "show"]).ends(0);
    world.run(["ledger", "verify"]).ends(0);

    drop(stdin);
    let held = Ran::of(collect(holder)).ends(0);
    assert_eq!(crate::support::ids(&held.out).len(), 10_000);
    world.filter(&pack, &input, &[]).ends(0);
}

#[test]
fn a_ledger_that_cannot_be_written_releases_nothing() {
    let world = World::new();
    let pack = world.pack(&["biller"]);
    let input = world.input("in.json", patient("a", CANARY));
    // A file where the folder should be.
    std::fs::write(world.path("file"), "").unwrap();
    for ledger in ["file", "file/below/ledger"] {
        let ran = world.filter_to(&pack, &input, &world.path("out.json"), &["--ledger", ledger]);
        releases_nothing(&world, ran, &["`file"]);
    }
    // A read-only file system: permissions do not bind root.
    world.filter(&pack, &input, &[]).ends(0);
    let script = "mount --bind state/ledger state/ledger && mount -o remount,ro,bind state/ledger && \"$@\"";
    let args = ["--mount", "sh", "-c", script, "sh", env!("CARGO_BIN_EXE_scruple")].map(str::to_owned);
    if !world.under("unshare", ["--mount", "mount", "--bind", "in", "in"]).status().unwrap().success() {
        println!("the read-only file system is not tried: nothing may be mounted here");
        return;
    }
    let args = args.into_iter().chain(biller(&pack, &input, &world.path("out.json")));
    let ran = Ran::of(world.under("unshare", args).output().unwrap());
    releases_nothing(&world, ran, &["nothing is released without the ledger", "not writable"]);
    assert_eq!(world.entries().len(), 1);
    world.filter(&pack, &input, &[]).ends(0);
}
