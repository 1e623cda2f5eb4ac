//! `scruple explain` and `scruple policy`.

use crate::support::{World, files, patient, shipped_pack};
use serde_json::Value;
use std::collections::BTreeSet;

fn rows(answer: &Value) -> Vec<&Value> {
    answer.as_array().unwrap().iter().flat_map(|one| one["rows"].as_array().unwrap()).collect()
}

#[test]
fn explain_has_view_category_rule_and_task_of_each_element_and_cedar_agrees() {
    let world = World::new();
    let pack = world.pack(&["biller"]);
    let pack = pack.to_str().unwrap();
    let ask = |more: &[&str]| {
        let args = ["explain", "--role", "biller", "--purpose", "HPAYMT", "--policy", pack];
        world.run(args.iter().chain(more))
    };
    for name in ["Patient", "Claim", "Observation"] {
        let native = ask(&["--type", name, "--json"]).ends(0).json();
        let cedar = ask(&["--type", name, "--json", "--engine", "cedar"]).ends(0).json();
        let (native, cedar) = (rows(&native), rows(&cedar));
        assert!(native.len() > 15 && native.len() == cedar.len(), "{name}");
        for (row, cedar) in native.iter().zip(&cedar) {
            assert_eq!(row["path"], cedar["path"]);
            assert!(row["path"].as_str().unwrap().starts_with(&format!("{name}.")));
            let (view, category) = (row["view"].as_str().unwrap(), row["category"].as_str().unwrap());
            if view != "none" {
                let place = row["rule"]["place"].as_str().unwrap();
                assert!(place.starts_with("roles/biller.toml:"), "{row}");
                assert!(!row["rule"]["tasks"].as_array().unwrap().is_empty(), "{row}");
            }
            let home = row["because"].as_str().is_some();
            // What the type's home hides is none whatever the category would say.
            if !home && category != "-" {
                assert_eq!(cedar["cedar"], view, "{row}");
            }
        }
    }
    let patient_rows = ask(&["--type", "Patient", "--json"]).json();
    let view = |path: &str| rows(&patient_rows).iter().find(|row| row["path"] == path).unwrap()["view"].clone();
    assert_eq!((view("Patient.name"), view("Patient.photo")), ("full".into(), "none".into()));

    // One record: its elements alone, and none of its values.
    let text = patient("a", "CANARY-77aa")
        .replace("\"gender\"", "\"_gender\":{\"id\":\"x\"},\"deceasedBoolean\":false,\"gender\"");
    let file = world.input("one.json", text);
    let one = ask(&["--resource", file.to_str().unwrap(), "--json"]).ends(0);
    let paths: BTreeSet<String> =
        rows(&one.json()).iter().map(|row| row["path"].as_str().unwrap().to_owned()).collect();
    assert_eq!(paths.into_iter().collect::<Vec<_>>(), ["Patient.deceased[x]", "Patient.gender", "Patient.name"]);
    let words = ask(&["--resource", file.to_str().unwrap()]).ends(0);
    assert!(words.text().contains("Patient.name"), "{}", words.text());
    assert_eq!(crate::search::find(&[one.out, words.out].concat(), &["CANARY-77aa"]), []);

    // What a row names a part of stands in the record too.
    let parted = patient("a", "A").replace(
        "\"gender\"",
        "\"identifier\":[{\"value\":\"1\"}],\"extension\":[{\"url\":\"http://hl7.org/fhir/us/core/StructureDefinition/us-core-race\"}],\"gender\"",
    );
    let file = world.input("parted.json", parted);
    let one = ask(&["--resource", file.to_str().unwrap(), "--json"]).ends(0).json();
    for part in ["Patient.identifier(", "Patient.extension("] {
        assert!(rows(&one).iter().any(|row| row["path"].as_str().unwrap().starts_with(part)), "{part}");
    }

    ask(&["--type", "Patience"]).ends(2).tells(&["FHIR R4 has no resource type `Patience`"]);
    let cut = world.input("cut.json", r#"{"resourceType":"Patient","CANARY-77aa"#);
    let ran = ask(&["--resource", cut.to_str().unwrap()]).ends(2).tells(&["is no JSON: line 1, column 38"]);
    assert_eq!(crate::search::find(ran.err.as_bytes(), &["CANARY-77aa"]), []);
    let other = world.input("other.json", r#"{"resourceType":"CANARY-77aa"}"#);
    let ran = ask(&["--resource", other.to_str().unwrap()]).ends(2).tells(&["holds no resource of FHIR R4"]);
    assert_eq!(crate::search::find(ran.err.as_bytes(), &["CANARY-77aa"]), []);
    assert!(!world.path("state").exists(), "it reads policy alone");
}

#[test]
fn explain_says_of_a_record_that_a_label_closes_what_filter_does_with_it() {
    let world = World::new();
    let pack = world.pack(&["biller", "quality_analyst"]);
    let condition = |code: &str| {
        format!(
            r#"{{"resourceType":"Condition","id":"c","clinicalStatus":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}}]}},"code":{{"coding":[{{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"{code}"}}]}},"subject":{{"reference":"Patient/p"}},"recordedDate":"2026-01-02"}}"#
        )
    };
    for (name, code, role, purpose, shows) in [
        ("plain", "J45.909", "biller", "HPAYMT", true),
        ("sickle", "D57.3", "quality_analyst", "HQUALIMP", false),
        ("unlisted", "no-code", "biller", "HPAYMT", false),
    ] {
        let file = world.input(&format!("{name}.json"), condition(code));
        let (file, pack) = (file.to_str().unwrap(), pack.to_str().unwrap());
        let asked = ["--role", role, "--purpose", purpose, "--policy", pack];
        let explained = world.run(["explain", "--resource", file, "--json"].iter().chain(&asked)).ends(0).json();
        let says = explained.as_array().unwrap().iter().any(|one| one["shows"] == true);
        let views = rows(&explained).iter().any(|row| row["view"] != "none");
        let out = world.path(format!("out-{name}-{role}"));
        world.run(["filter", "--in", file, "--out", out.to_str().unwrap()].iter().chain(&asked));
        let released = std::fs::read_to_string(out).unwrap_or_default().contains("\"resourceType\":\"Condition\"");
        assert_eq!((says, views, released), (shows, shows, shows), "{name} for {role}: {explained}");
        let words = world.run(["explain", "--resource", file].iter().chain(&asked)).ends(0);
        assert_eq!(words.text().contains("withheld whole"), !shows, "{}", words.text());
    }
}

#[test]
fn the_shipped_pack_is_good_and_an_exported_one_is_the_same() {
    let world = World::new();
    let shipped = world.run(["policy", "check", "--json"]).ends(0).json();
    assert_eq!((&shipped["publishable"], &shipped["errors"]), (&true.into(), &serde_json::json!([])));
    assert!(shipped["proved_cells"].as_u64().unwrap() > 10_000, "{}", shipped["proved_cells"]);
    world.run(["policy", "export", "own"]).ends(0);
    let own = files(&world.path("own"));
    for path in &own {
        let name = path.strip_prefix(world.path("own")).unwrap();
        assert_eq!(
            std::fs::read(path).unwrap(),
            std::fs::read(shipped_pack().join(name)).unwrap(),
            "{}",
            name.display()
        );
    }
    assert!(own.len() > 40, "{}", own.len());
    let words = world.run(["policy", "check", "--policy", "own"]).ends(0);
    let last = words.text().lines().last().unwrap();
    assert!(last.starts_with(&format!("pack {} is good: ", shipped["pack"].as_str().unwrap())), "{last}");
    world.run(["policy", "export", "own"]).ends(2).tells(&["`own` is there already"]);
}

#[test]
fn show_prints_every_role_and_cedar_prints_policies() {
    let world = World::new();
    let roles = files(&shipped_pack().join("roles"));
    let roles: Vec<&str> = roles.iter().map(|path| path.file_stem().unwrap().to_str().unwrap()).collect();
    assert!(roles.len() >= 30);
    let text = world.run(["policy", "show"]).ends(0);
    let headings: BTreeSet<&str> = text.text().lines().filter(|line| !line.starts_with(' ')).collect();
    let json = world.run(["policy", "show", "--json"]).ends(0).json().to_string();
    for role in roles {
        assert!(headings.contains(role), "{role}");
        assert!(json.contains(&format!("\"{role}\"")), "{role}");
    }
    let pack = world.pack(&["biller"]);
    let pack = pack.to_str().unwrap();
    let markdown = world.run(["policy", "show", "--policy", pack, "--role", "biller", "--format", "markdown"]).ends(0);
    assert!(markdown.text().contains("\n|") && markdown.text().contains("biller"), "{}", markdown.text());
    world.run(["policy", "show", "--policy", pack, "--role", "bilker"]).ends(2).tells(&["bilker"]);
    let cedar = world.run(["policy", "cedar", "--policy", pack, "--role", "biller"]).ends(0);
    assert!(cedar.text().matches("permit").count() >= 3 && cedar.text().contains("biller"), "{}", cedar.text());
    let schema = world.run(["policy", "cedar", "--policy", pack, "--schema"]).ends(0);
    assert!(schema.text().contains("entity ") && schema.text().contains("action "), "{}", schema.text());
}
