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
    check("{\"a\":1}\n{\"b\n{\"c\":3}\n", &["{\"a\":1}", "{\"b", "{\"c\":3}"]);
    check("{\"b\n{\"c\":3}\n", &["fault malformed JSON", "{\"c\":3}"]);
    check("{\"b\": [1, 2", &["fault unexpected end"]);
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
    let late = r#"{"entry":[{"resource":{}}],"resourceType":"Bundle"}"#;
    check(late, &[late]);
}

#[test]
fn a_broken_bundle_ends_without_its_rest() {
    check(
        r#"{"resourceType":"Bundle","entry":[{"a":1}, nonsense"#,
        &["begin", "entry {\"a\":1}", "fault malformed JSON", "end "],
    );
    check(r#"{"resourceType":"Bundle","entry":[{"a":1}"#, &["begin", "entry {\"a\":1}", "end "]);
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
