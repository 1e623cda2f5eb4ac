//! NDJSON: what one line is wrong with stops no other.

use crate::support::{World, ids, patient};

#[test]
fn a_malformed_line_is_withheld_counted_and_told_and_the_others_come_out() {
    const CANARY: &str = "CANARY-5b0e";
    let world = World::new();
    let pack = world.pack(&["biller"]);
    let good: Vec<String> = (0..600).map(|number| patient(&format!("p{number}"), "A")).collect();
    let mut lines = good.clone();
    let cut = patient("cut", CANARY)[..80].to_owned();
    let open = format!(r#"{{"resourceType":"Patient","id":"{CANARY}","name":[{{"#);
    for (place, bad) in [(2, cut.as_str()), (300, CANARY), (301, open.as_str()), (602, "{}")] {
        lines.insert(place, bad.to_owned());
    }
    let input = world.input("in.ndjson", lines.join("\n") + "\n");
    let ran = world.filter(&pack, &input, &["--json"]).ends(1);
    let expected: Vec<String> = (0..600).map(|number| format!("p{number}")).collect();
    assert_eq!(ids(&ran.out), expected);
    let summary: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!((&summary["read"], &summary["released"]), (&604.into(), &600.into()));
    assert_eq!(summary["withheld"], serde_json::json!({ "malformed": 4 }));
    let faults = summary["faults"].as_array().unwrap().iter();
    let faults: Vec<_> = faults.map(|fault| (fault["input"].as_u64(), fault["item"].as_u64())).collect();
    assert_eq!(faults, [3, 301, 302, 603].map(|item| (Some(1), Some(item))));
    assert_eq!(crate::search::find(&ran.out, &[CANARY]), []);
    assert_eq!(world.leaks(&ran, &[CANARY]), []);
}

#[test]
fn empty_lines_crlf_a_byte_order_mark_and_a_last_line_without_end_change_nothing() {
    let world = World::new();
    let pack = world.pack(&["biller"]);
    let [one, two, three] = ["a", "b", "c"].map(|id| patient(id, "A"));
    let plain = world.filter(&pack, &world.input("plain.ndjson", format!("{one}\n{two}\n{three}\n")), &[]).ends(0).out;
    assert_eq!(ids(&plain), ["a", "b", "c"]);
    for (name, text) in [
        ("empty lines", format!("\n\n{one}\n\n{two}\n \n\n{three}\n\n")),
        ("crlf", format!("{one}\r\n{two}\r\n\r\n{three}\r\n")),
        ("byte order mark", format!("\u{feff}{one}\n{two}\n{three}\n")),
        ("no last end", format!("{one}\n{two}\n{three}")),
        ("all", format!("\u{feff}\r\n{one}\r\n\n{two}\n\r\n{three}")),
    ] {
        let input = world.input(&format!("{name}.ndjson"), &text);
        let ran = world.filter(&pack, &input, &[]).ends(0).tells(&["3 of 3 resources"]);
        assert_eq!(ran.out, plain, "{name}");
        if name == "all" {
            let ran = world.filter_through(&pack, text.as_bytes(), &[]).ends(0);
            assert_eq!(ran.out, plain, "{name} by standard input");
        }
    }
    let ran = world.filter(&pack, &world.input("none.ndjson", ""), &[]).ends(0).tells(&["0 of 0 resources"]);
    assert_eq!(ran.out, b"");
}
