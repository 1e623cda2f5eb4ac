//! Nothing that was ever tried is left unasked.

use super::*;
use crate::interfere::world::{PAIRS, ROLES, sight};
use std::collections::BTreeSet;

/// Everything that is asked over some pairs.
fn requests() -> Vec<Request> {
    let sight = sight(ROLES[0]);
    let mut numbers = Numbers::new(11);
    let mut found = Vec::new();
    for seed in 0..6 {
        let pair = PAIRS.make(&sight, seed);
        for _ in 0..1_500 {
            for step in sequence(&pair, "/fhir", &mut numbers) {
                if let Step::Ask(request) = step {
                    found.push(request);
                }
            }
        }
    }
    found
}

#[test]
fn everything_that_was_tried_is_asked() {
    let requests = requests();
    let written: Vec<String> = requests.iter().map(|request| format!("{request:?}")).collect();
    let asked = |what: &str| written.iter().any(|text| text.contains(what));
    for (name, value) in UNSUPPORTED {
        let what = query(&[((*name).to_owned(), (*value).to_owned())]);
        assert!(asked(&what), "{what}");
    }
    for (name, value) in HEADERS {
        assert!(asked(&format!("[{name}: {value}]")), "{name}: {value}");
    }
    for method in METHODS {
        assert!(requests.iter().any(|request| request.method == *method), "{method}");
    }
    for piece in
        ["//", "/../", "%2e%2e", ";jsessionid", "_history", "$everything", "/metadata", "_sort=-_id", "_total=accurate"]
    {
        assert!(asked(piece), "{piece}");
    }
    let kinds: BTreeSet<&str> = requests.iter().filter_map(|request| request.path.split('/').nth(2)).collect();
    assert!(kinds.len() > 30, "{kinds:?}");
}

#[test]
fn hidden_values_are_asked_for() {
    let pair = PAIRS.make(&sight(("researcher", "HRESCH")), 2);
    let shown: String = pair.view.iter().map(|(_, _, bytes)| String::from_utf8_lossy(bytes).into_owned()).collect();
    let mut numbers = Numbers::new(1);
    let mut hidden = BTreeSet::new();
    for stored in pair.a.iter().chain(pair.b.iter()) {
        for parameter in parameters(&stored.resource_type) {
            if parameter.kind == "string"
                && let Some(text) = asked(&stored.value, &stored.resource_type, parameter, &mut numbers)
                && !shown.contains(&text)
            {
                hidden.insert(text);
            }
        }
    }
    assert!(hidden.len() > 10, "{hidden:?}");
}
