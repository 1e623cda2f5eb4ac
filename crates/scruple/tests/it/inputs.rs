//! What may come in and go out: a resource, a Bundle, NDJSON, each packed, a folder of them, the standard streams.

use crate::support::{World, gunzip, gzip, ids, patient};
use serde_json::Value;
use std::path::Path;

fn bundle(ids: &[&str]) -> String {
    let entries: Vec<String> = ids.iter().map(|id| format!(r#"{{"resource":{}}}"#, patient(id, "A"))).collect();
    format!(r#"{{"resourceType":"Bundle","type":"collection","entry":[{}]}}"#, entries.join(","))
}

fn ids_of_bundle(bytes: &[u8]) -> Vec<String> {
    let bundle: Value = serde_json::from_slice(bytes).unwrap();
    assert_eq!(bundle["resourceType"], "Bundle");
    let id = |entry: &Value| entry["resource"]["id"].as_str().unwrap().to_owned();
    bundle["entry"].as_array().unwrap().iter().map(id).collect()
}

/// Reads the ids out of an output.
type Ids = fn(&[u8]) -> Vec<String>;

#[test]
fn every_kind_of_input_gives_the_same_by_file_by_gzip_and_by_standard_input() {
    let world = World::new();
    let pack = world.pack(&["biller"]);
    let lines = [patient("c", "A"), patient("d", "A")].join("\n");
    let kinds: [(&str, String, Ids, &[&str]); 3] = [
        ("one.json", patient("a", "A"), ids, &["a"]),
        ("some.json", bundle(&["x", "y", "z"]), ids_of_bundle, &["x", "y", "z"]),
        ("many.ndjson", lines, ids, &["c", "d"]),
    ];
    for (name, text, read, expected) in kinds {
        let plain = world.filter(&pack, &world.input(name, &text), &[]).ends(0).out;
        assert_eq!(read(&plain), expected, "{name}");
        let packed = world.input(&format!("{name}.gz"), gzip(text.as_bytes()));
        assert_eq!(world.filter(&pack, &packed, &[]).ends(0).out, plain, "{name}.gz");
        assert_eq!(world.filter_through(&pack, &gzip(text.as_bytes()), &[]).ends(0).out, plain, "{name} by stdin");
        // Into a file, plain and packed.
        for output in [format!("out-{name}"), format!("out-{name}.gz")] {
            let path = world.path(&output);
            world.filter_to(&pack, &packed, &path, &[]).ends(0);
            let bytes = std::fs::read(&path).unwrap();
            let bytes = if output.ends_with(".gz") { gunzip(&bytes) } else { bytes };
            assert_eq!(bytes, plain, "{output}");
        }
    }
}

#[test]
fn a_folder_is_named_by_ordinals_and_nothing_is_written_over() {
    const NAME: &str = "CANARY-PATIENT-NAME";
    let world = World::new();
    let pack = world.pack(&["biller"]);
    world.input(&format!("{NAME}.json"), patient("a", "A"));
    world.input("b/below.ndjson", [patient("b", "A"), "{".to_owned()].join("\n"));
    world.input("c.ndjson.gz", gzip(patient("c", "A").as_bytes()));
    world.input("d.json", r#"{"resourceType":"Observation","id":"withheld","status":"final"}"#);
    world.input("e.json", bundle(&["e"]));
    world.input("notes.txt", "not read");
    let (from, to) = (world.path("in"), world.path("out"));
    let ran = world.filter_to(&pack, &from, &to, &["--json", "--threads", "2"]).ends(1);
    let names = |folder: &Path| -> Vec<String> {
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    assert_eq!(names(&to), ["000001.json", "000002.ndjson", "000003.ndjson.gz", "000005.json"]);
    let read = |name: &str| std::fs::read(to.join(name)).unwrap();
    assert_eq!(ids(&read("000001.json")), ["a"]);
    assert_eq!(ids(&read("000002.ndjson")), ["b"]);
    assert_eq!(ids(&gunzip(&read("000003.ndjson.gz"))), ["c"]);
    assert_eq!(ids_of_bundle(&read("000005.json")), ["e"]);

    // The summary: numbers, and places by ordinal alone.
    let summary = ran.json();
    let mut keys: Vec<&str> = summary.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let expected = "bytes_in bytes_out conditions elements faults inputs notes pack passed purpose read relationship \
                    release released released_by_type role withheld";
    assert_eq!(keys.join(" "), expected);
    assert_eq!((&summary["inputs"], &summary["read"], &summary["released"]), (&5.into(), &6.into(), &4.into()));
    assert_eq!(summary["withheld"], serde_json::json!({ "malformed": 1, "policy": 1 }));
    assert_eq!(summary["released_by_type"], serde_json::json!({ "Patient": 4 }));
    assert_eq!(summary["elements"]["id_name"], serde_json::json!({ "none": 0, "masked": 0, "full": 4 }));
    assert_eq!((&summary["faults"][0]["input"], &summary["faults"][0]["item"]), (&2.into(), &2.into()));
    assert!(summary["notes"][0].as_str().unwrap().starts_with("1 file of the folder not read"), "{summary}");
    let everywhere = [crate::search::find(&ran.out, &[NAME]), world.leaks(&ran, &[NAME])].concat();
    assert_eq!(everywhere, []);
    assert_eq!(crate::search::find_in_folder(&to, &[NAME]), []);

    // Again into the same folder, over a file, over what a run left, over the input itself.
    let before = read("000001.json");
    world.filter_to(&pack, &from, &to, &[]).ends(2).tells(&["is not empty; give an empty or a new one"]);
    let one = from.join("c.ndjson.gz");
    world.filter_to(&pack, &one, &to.join("000001.json"), &[]).ends(2).tells(&["is there already; remove it"]);
    world.filter_to(&pack, &one, &one, &[]).ends(2).tells(&["is there already"]);
    world.filter_to(&pack, &one, &to, &[]).ends(2).tells(&["is a folder, and the input is a file"]);
    world
        .filter_to(&pack, &from, &to.join("000001.json"), &[])
        .ends(2)
        .tells(&["is a file, and the input is a folder"]);
    std::fs::write(world.path("left.json.partial"), "left").unwrap();
    world.filter_to(&pack, &one, &world.path("left.json"), &[]).ends(2).tells(&["is left from a run that stopped"]);
    assert_eq!(std::fs::read(world.path("left.json.partial")).unwrap(), b"left");
    assert_eq!(read("000001.json"), before);
    assert_eq!(names(&to).len(), 4);
    let kinds: Vec<_> = world.entries().iter().map(|entry| entry["entry"]["body"]["kind"].clone()).collect();
    assert_eq!(kinds.iter().filter(|kind| *kind == "release_open").count(), 1, "what was refused is not recorded");
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let world = World::new();
    let pack = world.pack(&["biller"]);
    world.run(["synth", "--patients", "6", "--seed", "3", "--out", "in/hospital"]).ends(0);
    let all: Vec<u8> = crate::support::files(&world.path("in/hospital"))
        .iter()
        .flat_map(|path| std::fs::read(path).unwrap())
        .collect();
    let input = world.input("all.ndjson", all);
    let [one, two, seven] = ["1", "2", "7"].map(|n| world.filter(&pack, &input, &["--threads", n]).ends(0).out);
    assert!(one.len() > 500_000, "{}", one.len());
    assert!(one == two && one == seven);
    assert_eq!(world.run(["filter", "--threads", "0"]).code, Some(2));
}
