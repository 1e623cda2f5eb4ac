//! What is wrong with an input, a question or a pack is refused by name and place, and without a byte of what it holds.

use crate::support::{Ran, World, patient};

const CANARY: &str = "CANARY-9f21";

#[track_caller]
fn keeps_quiet(world: &World, ran: &Ran) {
    assert_eq!(crate::search::find(&ran.out, &[CANARY]), []);
    assert_eq!(world.leaks(ran, &[CANARY]), []);
}

#[test]
fn what_is_no_resource_is_withheld_and_told_by_position_alone() {
    let world = World::new();
    let pack = world.pack(&["biller"]);
    let deep = format!(r#"{{"resourceType":"Patient","x":{}"{CANARY}"{}}}"#, "[".repeat(70), "]".repeat(70));
    let mut latin = patient("a", CANARY).into_bytes();
    let quote = latin.iter().rposition(|byte| *byte == b'"').unwrap();
    latin.insert(quote, 0xfc);
    let not_utf8 = format!("not UTF-8 at byte {quote}");
    let type_of_name = format!(r#"{{"resourceType":"Patient","name":"{CANARY}"}}"#);
    let type_of_gender = format!(r#"{{"resourceType":"Patient","gender":{{"{CANARY}":1}}}}"#);
    let unknown = format!(r#"{{"resourceType":"{CANARY}","id":"a"}}"#);
    let none = format!(r#"{{"id":"{CANARY}"}}"#);
    let twice = format!(r#"{{"resourceType":"Patient","id":"a","id":"{CANARY}"}}"#);
    let cases: [(&str, Vec<u8>, &str); 9] = [
        ("truncated", patient("a", CANARY).into_bytes()[..80].to_vec(), "unexpected end at byte 80"),
        ("deep", deep.into_bytes(), "nested deeper than 64 levels at byte 93"),
        ("not UTF-8", latin, &not_utf8),
        ("wrong type", type_of_name.into_bytes(), "a value of the wrong type at byte 33"),
        ("wrong type", type_of_gender.into_bytes(), "a value of the wrong type at byte 35"),
        ("unknown type", unknown.into_bytes(), "no resource type of FHIR R4 at byte 0"),
        ("no type", none.into_bytes(), "no resource type of FHIR R4 at byte 0"),
        ("array", format!(r#"["{CANARY}"]"#).into_bytes(), "malformed JSON at byte 0"),
        ("twice", twice.into_bytes(), "an element stands twice at byte 40"),
    ];
    for (index, (name, bytes, what)) in cases.iter().enumerate() {
        let input = world.input(&format!("{index}.json"), bytes);
        let output = world.path(format!("{index}.out"));
        let ran = world.filter_to(&pack, &input, &output, &[]).ends(1);
        assert!(ran.text().contains("0 of 1 resource released to role biller for HPAYMT, 1 withheld (1 malformed)"));
        let place = format!("input 1, item 1: {what}");
        assert!(ran.text().contains(&place), "{name}: {}", ran.text());
        assert!(!output.exists() && !world.path(format!("{index}.out.partial")).exists(), "{name}");
        keeps_quiet(&world, &ran);
    }
    let entries = world.entries();
    assert_eq!(entries.len(), cases.len());
    for entry in entries {
        let body = &entry["entry"]["body"];
        assert_eq!((&body["bytes"], &body["counts"]["withheld"]["malformed"]), (&0.into(), &1.into()), "{entry}");
    }
}

#[test]
fn a_resource_over_the_limit_is_withheld_and_the_next_one_is_not() {
    let world = World::new();
    let pack = world.pack(&["biller"]);
    let large = patient("large", &CANARY.repeat((16 << 20) / CANARY.len() + 1));
    assert!(large.len() > 16 << 20);
    let input = world.input("in.ndjson", [large, patient("next", "A")].join("\n"));
    let ran = world.filter(&pack, &input, &[]).ends(1);
    let ran = ran.tells(&["1 of 2 resources", "(1 too large)", "input 1, item 1: resource longer than 16777216 bytes"]);
    assert_eq!(crate::support::ids(&ran.out), ["next"]);
    keeps_quiet(&world, &ran);
}

#[test]
fn an_unknown_role_purpose_or_condition_is_refused_before_the_input_is_read() {
    let world = World::new();
    let pack = world.pack(&["biller"]);
    let input = world.input("in.json", patient("a", CANARY));
    let ask = |role: &str, purpose: &str, more: &[&str]| {
        let args = ["filter", "--role", role, "--purpose", purpose, "--in", "in/in.json", "--out", "out", "--policy"];
        let ran = world.run(args.iter().copied().chain([pack.to_str().unwrap()]).chain(more.iter().copied())).ends(2);
        assert_eq!(ran.text(), "");
        assert!(!world.path("out").exists() && !world.path("out.partial").exists());
        keeps_quiet(&world, &ran);
        ran
    };
    ask("bilker", "HPAYMT", &[])
        .tells(&["unknown role `bilker`", "; the pack has biller, individual, treating_provider\n"]);
    ask("biller", "HPAYMENT", &[]).tells(&["unknown purpose `HPAYMENT`", "the pack has TREAT, "]);
    ask("biller", "TREAT", &[]).tells(&["role `biller` does not act for purpose `TREAT`", "HPAYMT, REMITADV"]);
    ask("biller", "HPAYMT", &["--with", "relation"]).tells(&["unknown condition `relation`", "relationship"]);
    ask("biller", "HPAYMT", &["--with", "relationship", "--no-relationship"]).tells(&["contradict"]);
    // The input was there and good: it is the question that was refused.
    world.filter(&pack, &input, &[]).ends(0);

    let entries = world.entries();
    let codes: Vec<_> = entries.iter().map(|entry| entry["entry"]["body"]["code"].as_str().unwrap_or("-")).collect();
    assert_eq!(codes, ["role_unknown", "purpose_unknown", "purpose_not_allowed", "-"]);
    let text = world.run(["ledger", "show", "--json"]).out;
    assert_eq!(crate::search::find(&text, &["bilker", "HPAYMENT"]), [], "an unknown name may be anything");
}

#[test]
fn an_input_that_is_not_there_or_not_what_it_says_is_refused() {
    let world = World::new();
    let pack = world.pack(&["biller"]);
    let ran = world.filter(&pack, &world.path("in/none.json"), &[]).ends(2).tells(&["cannot read `", "in/none.json`"]);
    assert_eq!(ran.out, b"");
    world.filter_to(&pack, &world.path("in"), &world.path("out"), &[]).ends(2).tells(&["holds no .json, .ndjson"]);
    let packed = crate::support::gzip(patient("a", CANARY).repeat(50).as_bytes());
    let cut = world.input("cut.json.gz", &packed[..packed.len() - 10]);
    let ran = world.filter(&pack, &cut, &[]).ends(2).tells(&["input 1 cannot be read: gzip data are cut off"]);
    keeps_quiet(&world, &ran);
}

#[test]
fn a_pack_with_errors_decides_nothing_and_each_error_has_file_and_line() {
    let world = World::new();
    let pack = world.pack(&["biller"]);
    let role = pack.join("roles/biller.toml");
    let text = std::fs::read_to_string(&role).unwrap();
    let line = text.lines().position(|line| line.contains("id_mrn")).unwrap();
    std::fs::write(&role, text.replacen("id_mrn", "id_nothing", 1)).unwrap();
    let place = format!("roles/biller.toml:{}: ", line + 1);
    let input = world.input("in.json", patient("a", CANARY));

    let ran = world.filter(&pack, &input, &[]).ends(2).tells(&["the policy pack has errors", &place, "id_nothing"]);
    assert_eq!(ran.out, b"");
    assert!(!world.ledger().exists());
    keeps_quiet(&world, &ran);
    let pack = pack.to_str().unwrap();
    let ran = world.run(["policy", "check", "--policy", pack]).ends(1);
    assert!(ran.text().lines().any(|line| line.starts_with(&place) && line.contains("id_nothing")), "{}", ran.text());
    assert!(
        ran.text().ends_with(" errors; the pack is not used\n") || ran.text().contains("1 error"),
        "{}",
        ran.text()
    );
    let report = world.run(["policy", "check", "--policy", pack, "--json"]).ends(1).json();
    assert_eq!(report["publishable"], false);
    assert_eq!(report["proved_cells"], serde_json::Value::Null);
    let error = &report["errors"][0];
    assert_eq!((&error["file"], &error["line"]), (&"roles/biller.toml".into(), &(line + 1).into()), "{report}");
    world.run(["policy", "check", "--policy", "in"]).ends(2).tells(&["holds no policy pack"]);
}

#[test]
fn a_pack_file_that_cannot_be_read_is_told_alone_and_what_some_programs_write_before_a_text_is_no_error() {
    let world = World::new();
    let pack = world.pack(&["biller"]);
    let file = pack.join("elements.csv");
    let text = std::fs::read_to_string(&file).unwrap();
    let check = || world.run(["policy", "check", "--policy", pack.to_str().unwrap()]);
    std::fs::write(&file, text.replacen("category", "catgory", 1)).unwrap();
    let ran = check().ends(1);
    let first = ran.text().lines().next().unwrap();
    assert!(first.starts_with("elements.csv:1: the header line is another one; begin with `path,category"), "{first}");
    assert_eq!(ran.text().lines().count(), 2, "{}", ran.text());
    std::fs::remove_file(&file).unwrap();
    assert!(check().ends(1).text().starts_with("elements.csv: the file is missing; add it"));
    std::fs::write(&file, format!("\u{feff}{text}")).unwrap();
    check().ends(0);
}

#[test]
fn an_output_inside_the_input_is_refused() {
    let world = World::new();
    let pack = world.pack(&["biller"]);
    let input = world.input("some/in.json", patient("a", "A"));
    let folder = input.parent().unwrap();
    for inside in [folder.join("out"), folder.to_owned(), folder.join("../some/out/below")] {
        let args = ["filter", "--role", "biller", "--purpose", "HPAYMT", "--policy", pack.to_str().unwrap()];
        let paths = ["--in", folder.to_str().unwrap(), "--out", inside.to_str().unwrap()];
        world.run(args.into_iter().chain(paths)).ends(2).tells(&["is inside the input"]);
        assert!(!folder.join("out").exists());
    }
}
