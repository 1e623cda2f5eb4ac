//! Splitting, at every boundary.

use super::*;

/// A reader that gives few bytes at a time, so that every boundary is met.
struct Drip<'a>(&'a [u8], usize);

impl Read for Drip<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(self.0.len()).min(into.len());
        into[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

fn parts(text: &str, lines: bool, drip: usize) -> Vec<String> {
    let mut splitter = Splitter::new(Drip(text.as_bytes(), drip), 1, lines);
    let mut found = Vec::new();
    while let Some(part) = splitter.next().unwrap() {
        found.push(match part {
            Part::Item(Item { bytes: Ok(bytes), is_entry, .. }) => {
                format!("{}{}", if is_entry { "entry " } else { "" }, String::from_utf8(bytes).unwrap())
            }
            Part::Item(Item { bytes: Err(fault), .. }) => format!("fault {}", fault.kind),
            Part::BundleBegins => "begin".to_owned(),
            Part::BundleEnds(rest) => format!("end {}", String::from_utf8(rest).unwrap()),
        });
    }
    found
}

fn check(text: &str, expected: &[&str]) {
    for drip in [1, 3, 1_000_000] {
        assert_eq!(parts(text, false, drip), expected, "{drip} bytes at a time");
    }
}

#[test]
fn one_resource() {
    check("{\"a\": \"}\\\"{\"}\n", &["{\"a\": \"}\\\"{\"}"]);
    check("", &[]);
    check("  \n ", &[]);
    check("\u{feff}{\"a\":1}", &["{\"a\":1}"]);
}

#[test]
fn lines() {
    check("{\"a\":1}\n{\"b\":2}\n\n{\"c\":3}", &["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"]);
    assert_eq!(parts("{\"a\":1,\n{\"b\":2}\n", true, 2), ["{\"a\":1,", "{\"b\":2}"]);
}

#[test]
fn a_malformed_line_stops_nothing_else() {
    check("{\"a\":1}\nnonsense\n{\"b\":2}\n", &["{\"a\":1}", "fault malformed JSON", "{\"b\":2}"]);
    check("{\"a\":1}\n{\"b\n{\"c\":3}\n", &["{\"a\":1}", "fault malformed JSON", "{\"c\":3}"]);
    assert_eq!(parts("{\"a\":1}\n{\"b\n{\"c\":3}\n", true, 1), ["{\"a\":1}", "{\"b", "{\"c\":3}"]);
    check("{\"b\n{\"c\":3}\n", &["fault malformed JSON", "{\"c\":3}"]);
    check("{\"b\": [1, 2", &["fault unexpected end"]);
    // The first line lacks a brace, and nothing has told yet that there are lines.
    check("{\"a\":{\"b\":1}\n{\"c\":2}\n{\"d\":3}\n", &["fault malformed JSON", "{\"c\":2}", "{\"d\":3}"]);
    check("{\"a\":1}\r\n{\"b\r\n{\"c\":3}\r\n", &["{\"a\":1}", "fault malformed JSON", "{\"c\":3}"]);
    // A Bundle in a line that was cut off.
    let bundle = r#"{"resourceType":"Bundle","entry":[{"a":1}"#;
    check(
        &format!("{bundle}\n{{\"c\":3}}\n"),
        &["begin", "entry {\"a\":1}", "fault unexpected end", "end ", "{\"c\":3}"],
    );
    check(
        &format!("{bundle},{{\"b\"\n{{\"c\":3}}\n"),
        &["begin", "entry {\"a\":1}", "fault malformed JSON", "end ", "{\"c\":3}"],
    );
}

#[test]
fn no_part_of_a_broken_resource_is_taken_for_a_resource() {
    let inside = "  {\"resourceType\":\"Patient\",\"id\":\"inside\"}\n";
    let broken =
        format!("{{\n \"resourceType\":\"Observation\",\n \"status\":\"fi\nnal\",\n \"contained\":[\n{inside} ]\n}}\n");
    check(&broken, &["fault malformed JSON"]);
    check(&format!("{broken}{{\"a\":1}}\n"), &["fault malformed JSON", "{\"a\":1}"]);
    check("[\n{\"a\":1},\n{\"b\":1}\n]\n", &["fault malformed JSON"]);
    // Behind a line, printed over several: taken whole, and nothing of it alone.
    let pretty = format!("{{\n \"resourceType\":\"Observation\",\n \"contained\":[\n{inside} ]\n}}");
    check(&format!("{{\"a\":1}}\n{pretty}\n{{\"b\":2}}\n"), &["{\"a\":1}", &pretty, "{\"b\":2}"]);
    for drip in [1, 1_000] {
        let found = parts(&format!("{pretty}\n{{\"b\":2}}\n"), true, drip);
        assert!(!found.iter().any(|part| part.contains("inside")), "{found:?}");
        assert_eq!(found.last().unwrap(), "{\"b\":2}");
    }
}

#[test]
fn a_bundle_is_split_entry_by_entry() {
    check(
        r#"{"resourceType":"Bundle", "meta":{"x":[1]}, "type" : "batch", "entry": [ {"resource":{}} , {"b":"]}"} ], "total": 2}"#,
        &[
            "begin",
            "entry {\"resource\":{}}",
            "entry {\"b\":\"]}\"}",
            r#"end {"resourceType":"Bundle", "meta":{"x":[1]}, "type" : "batch", "total": 2}"#,
        ],
    );
    check(r#"{"resourceType":"Bundle","entry":[]}"#, &["begin", r#"end {"resourceType":"Bundle"}"#]);
}

#[test]
fn what_is_no_bundle_is_taken_whole() {
    let list = r#"{"resourceType":"List","entry":[{"item":{}}]}"#;
    check(list, &[list]);
    let late = r#"{"entry":[{"item":{}}],"resourceType":"List"}"#;
    check(late, &[late]);
    let ruled = r#"{"resourceType":"Bundle","implicitRules":"urn:x","entry":[{"resource":{}}]}"#;
    check(ruled, &[ruled]);
    let twice = r#"{"entry":[{"a":1}],"entry":[{"b":2}],"resourceType":"Bundle"}"#;
    check(twice, &[twice]);
}

#[test]
fn a_bundle_whose_keys_are_sorted_is_split_too() {
    let sorted = r#"{"entry":[{"resource":{}},{"b":1}],"id":"x","resourceType":"Bundle","type":"batch"}"#;
    let rest = r#"end {"id":"x","resourceType":"Bundle","type":"batch"}"#;
    check(sorted, &["begin", "entry {\"resource\":{}}", "entry {\"b\":1}", rest]);
    check(
        &format!("{sorted}\n{{\"c\":1}}\n"),
        &["begin", "entry {\"resource\":{}}", "entry {\"b\":1}", rest, "{\"c\":1}"],
    );
}

#[test]
fn what_a_bundle_has_beside_its_entries_has_no_entry() {
    assert!(has_entry(br#"{"resourceType":"Bundle","a":{"entry":1}, "entry" : []}"#));
    assert!(!has_entry(br#"{"resourceType":"Bundle","a":{"entry":1},"b":"entry"}"#));
}

#[test]
fn a_broken_bundle_is_told_and_ends_without_its_rest() {
    let check = |rest: &str, fault: &str| {
        let text = format!(r#"{{"resourceType":"Bundle","entry":[{{"a":1}}{rest}"#);
        check(&text, &["begin", "entry {\"a\":1}", fault, "end "]);
    };
    check(", nonsense", "fault malformed JSON");
    check(" nonsense", "fault malformed JSON");
    check(",]}", "fault malformed JSON");
    check(",,{\"b\":1}]}", "fault malformed JSON");
    check(" {\"b\":1}]}", "fault malformed JSON");
    check("", "fault unexpected end");
    check(",", "fault unexpected end");
    check(",{\"b\":", "fault unexpected end");
    check("]", "fault unexpected end");
    check("],\"total\":", "fault unexpected end");
    check("],\"total\":\"\n\"}", "fault malformed JSON");
}

#[test]
fn a_resource_over_the_limit_is_skipped_in_constant_memory() {
    let long = format!("{{\"a\":\"{}\"}}\n{{\"b\":2}}\n", "x".repeat(RESOURCE_BYTES_MAX));
    for lines in [false, true] {
        let mut splitter = Splitter::new(long.as_bytes(), 1, lines);
        let first = splitter.next().unwrap();
        let Some(Part::Item(Item { bytes: Err(fault), .. })) = first else { panic!("no fault") };
        assert_eq!(fault.kind, FaultKind::TooLarge);
        assert!(splitter.buffer.capacity() < 3 * RESOURCE_BYTES_MAX);
        assert!(matches!(splitter.next().unwrap(), Some(Part::Item(Item { bytes: Ok(_), .. }))));
    }
}
