//! `scruple demo`, `scruple synth`, and the help of everything.

use crate::support::{World, files};

#[test]
fn the_demo_shows_one_patient_to_five_roles_and_verifies_the_ledger() {
    let world = World::new();
    let ran = world.run(["demo", "--files", "--dir", "try"]).ends(0);
    let text = ran.text();
    assert_eq!(ran.err, "");
    let patient = text.split_once("4. One patient, ").unwrap().1.split_once(',').unwrap().0;
    assert!(patient.starts_with("pat-"), "{patient}");
    let rows: Vec<&str> = text.split_once("4. One patient").unwrap().1.lines().skip(1).take(5).collect();
    for (row, role) in rows.iter().zip(["front_desk", "biller", "nurse", "physician", "quality_analyst"]) {
        assert!(row.trim().starts_with(role) && row.contains("name "), "{row}");
        let all = files(&world.path("try").join(role));
        let shown =
            all.iter().any(|file| std::fs::read_to_string(file).unwrap().contains(&format!("\"id\":\"{patient}\"")));
        assert!(shown, "{patient} is in the output for {role}");
    }
    assert!(rows[1] != rows[4].replace("quality_analyst", "biller"), "an analyst does not see what a biller sees");
    assert!(text.contains("verified: nothing is wrong."), "{text}");
    world.run(["ledger", "verify", "try/ledger"]).ends(0);
    // What is not a demo's is left alone.
    world.input("mine.txt", "mine");
    world.run(["demo", "--files", "--dir", "in"]).ends(2).tells(&["is not a folder of the demo"]);
    assert!(world.path("in/mine.txt").exists());
}

#[test]
fn the_same_seed_makes_the_same_hospital() {
    let world = World::new();
    let make = |out: &str, seed: &str, format: &str| {
        let args = ["synth", "--patients", "3", "--seed", seed, "--as-of", "2026-03-01T08:00:00Z", "--format", format];
        let totals = world.run(args.iter().copied().chain(["--json", "--out", out])).ends(0).json();
        let names = files(&world.path(out));
        let bytes: Vec<_> =
            names.iter().map(|path| (path.file_name().unwrap().to_owned(), std::fs::read(path).unwrap())).collect();
        let written: usize = bytes.iter().map(|(_, bytes)| bytes.len()).sum();
        assert_eq!((&totals["bytes"], &totals["patients"]), (&written.into(), &3.into()));
        bytes
    };
    for format in ["ndjson", "bundles"] {
        let name = |number: u8| format!("{format}{number}");
        let first = make(&name(1), "7", format);
        assert!(first.len() > 3);
        assert!(first == make(&name(2), "7", format));
        assert!(first != make(&name(3), "8", format));
    }
    world.run(["synth", "--out", "ndjson1"]).ends(2).tells(&["is not empty"]);
    world.run(["synth", "--out", "x", "--as-of", "yesterday"]).ends(2);
}

#[test]
fn the_help_of_every_command_says_how_it_is_used() {
    let world = World::new();
    let mut left: Vec<Vec<String>> = vec![Vec::new()];
    let mut seen = Vec::new();
    while let Some(command) = left.pop() {
        let ran = world.run(command.iter().map(String::as_str).chain(["--help"])).ends(0);
        let text = ran.text();
        assert!(
            text.contains(&format!("Usage: {}", [&["scruple".to_owned()], command.as_slice()].concat().join(" "))),
            "{text}"
        );
        let listed = text.split_once("\nCommands:\n").map_or("", |(_, rest)| rest.split("\n\n").next().unwrap());
        let names = listed
            .lines()
            .filter_map(|line| line.strip_prefix("  ")?.split(' ').next().filter(|name| !name.is_empty()));
        for name in names.filter(|name| *name != "help") {
            left.push([command.as_slice(), &[name.to_owned()]].concat());
        }
        seen.push(command.join(" "));
    }
    assert_eq!(seen.len(), 88, "{seen:?}");
    for (command, example) in [
        ("filter", "scruple filter --role biller"),
        ("explain", "scruple explain --role"),
        ("demo", "scruple demo"),
        ("synth", "scruple synth --patients"),
        ("serve", "scruple serve --config"),
        ("check-upstream", "scruple check-upstream http"),
    ] {
        let text = world.run([command, "--help"]).ends(0);
        let behind = text.text().split_once("\nExample").unwrap().1.to_owned();
        assert!(behind.contains(example), "{behind}");
    }
    assert_eq!(world.run([""; 0]).code, Some(2));
    world.run(["filer"]).ends(2).tells(&["filter"]);
}
