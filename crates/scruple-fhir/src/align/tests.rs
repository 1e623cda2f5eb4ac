//! Crafted pairs.

use super::*;

/// One line for each value: path, state, whole, seen.
fn check(whole: &str, seen: &str) -> Vec<String> {
    let (whole, seen) = (Tree::parse(whole.as_bytes()).unwrap(), Tree::parse(seen.as_bytes()).unwrap());
    let nodes = align(&whole, &[Some(&seen)]);
    let mut lines = Vec::new();
    nodes.iter().for_each(|node| print(node, "", &mut lines));
    lines
}

fn print(node: &Node<'_>, above: &str, lines: &mut Vec<String>) {
    let nth = node.nth.map_or_else(String::new, |(nth, of)| format!("[{nth}/{of}]"));
    let path = format!("{above}{}{nth}", node.key);
    if node.parts.is_empty() {
        let sign = match node.state(0) {
            State::Shown => "=",
            State::Masked => "~",
            State::Withheld => "x",
            State::Added => "+",
        };
        let whole = node.whole.map_or_else(String::new, line);
        let seen = if node.state(0) == State::Masked || node.state(0) == State::Added {
            format!(" -> {}", node.reading(0).unwrap())
        } else {
            String::new()
        };
        let unsure = if node.seen[0].unsure { " ?" } else { "" };
        lines.push(format!("{sign} {path}: {whole}{seen}{unsure}"));
    }
    node.parts.iter().for_each(|part| print(part, &format!("{path}."), lines));
}

#[test]
fn what_is_gone_is_withheld_in_the_order_of_the_record() {
    let found = check(
        r#"{"resourceType":"Patient","name":[{"family":"Vargas","given":["Elena","M"]}],"gender":"female"}"#,
        r#"{"resourceType":"Patient","gender":"female"}"#,
    );
    assert_eq!(
        found,
        ["= resourceType: Patient", "x name.family: Vargas", "x name.given: Elena, M", "= gender: female"]
    );
}

#[test]
fn items_of_an_array_are_found_again() {
    let found = check(
        r#"{"identifier":[{"system":"mrn","value":"44"},{"system":"ssn","value":"999-12-3456"},{"system":"an","value":"7"}]}"#,
        r#"{"identifier":[{"system":"mrn","value":"44"},{"system":"ssn","value":"3456"}]}"#,
    );
    assert_eq!(
        found,
        [
            "= identifier[1/3].system: mrn",
            "= identifier[1/3].value: 44",
            "= identifier[2/3].system: ssn",
            "~ identifier[2/3].value: 999-12-3456 -> 3456",
            "x identifier[3/3].system: an",
            "x identifier[3/3].value: 7",
        ]
    );
}

#[test]
fn an_item_in_the_middle_is_not_taken_for_the_first() {
    let found = check(r#"{"x":[{"a":1},{"a":2},{"a":3}]}"#, r#"{"x":[{"a":2}]}"#);
    assert_eq!(found, ["x x[1/3].a: 1", "= x[2/3].a: 2", "x x[3/3].a: 3"]);
}

#[test]
fn two_that_look_alike_are_said_to() {
    let found = check(
        r#"{"coding":[{"code":"a","display":"Anna"},{"code":"a","display":"Otto"}]}"#,
        r#"{"coding":[{"code":"a"}]}"#,
    );
    assert!(found.iter().any(|line| line.ends_with('?')), "{found:?}");
    let same = check(r#"{"c":[{"code":"a"},{"code":"a"}]}"#, r#"{"c":[{"code":"a"}]}"#);
    assert!(!same.iter().any(|line| line.ends_with('?')), "equal items cannot be confused: {same:?}");
}

#[test]
fn markers_say_withheld_and_are_nothing_of_their_own() {
    const MASKED: &str = r#"{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"masked"}"#;
    let found = check(
        r#"{"status":"final","subject":{"reference":"Patient/1"}}"#,
        &format!(
            r#"{{"subject":{{"extension":[{MASKED}]}},"_status":{{"extension":[{MASKED}]}},"_code":{{"extension":[{MASKED}]}}}}"#
        ),
    );
    assert_eq!(found, ["x status: final", "x subject.reference: Patient/1"]);
}

#[test]
fn an_age_stands_for_the_birth_date() {
    let beside = r#"{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"masked"},{"url":"x/age","valueAge":{"value":90,"comparator":">=","unit":"years"}}]}"#;
    let found = check(
        r#"{"birthDate":"1931-07-14","_birthDate":{"extension":[{"url":"x/birthTime","valueDateTime":"1931-07-14T05:00:00Z"}]}}"#,
        &format!(r#"{{"_birthDate":{beside}}}"#),
    );
    assert_eq!(
        found,
        [
            "~ birthDate: 1931-07-14 -> age at least 90 years",
            "x _birthDate.extension.url: x/birthTime",
            "x _birthDate.extension.valueDateTime: 1931-07-14T05:00:00Z",
        ]
    );
}

#[test]
fn marks_of_the_projection_are_added() {
    let found = check(r#"{"meta":{"profile":["p"]},"a":1}"#, r#"{"meta":{"security":[{"code":"REDACTED"}]},"a":1}"#);
    assert_eq!(found, ["x meta.profile: p", "+ meta.security.code:  -> REDACTED", "= a: 1"]);
}

#[test]
fn a_list_of_values_is_one_line_unless_a_part_of_it_is_gone() {
    assert_eq!(check(r#"{"g":["a","b"]}"#, r#"{"g":["a","b"]}"#), ["= g: a, b"]);
    assert_eq!(check(r#"{"g":["a","b"]}"#, r#"{"g":["b"]}"#), ["x g[1/2]: a", "= g[2/2]: b"]);
}

#[test]
fn numbers_are_compared_as_written() {
    assert_eq!(check(r#"{"v":5.10}"#, r#"{"v":5.10}"#), ["= v: 5.10"]);
    assert_eq!(check(r#"{"v":5.10}"#, r#"{"v":5.1}"#), ["~ v: 5.10 -> 5.1"]);
}

#[test]
fn two_readers_stand_side_by_side() {
    let whole = Tree::parse(br#"{"x":[{"a":1},{"a":2}]}"#).unwrap();
    let (one, other) = (Tree::parse(br#"{"x":[{"a":2}]}"#).unwrap(), Tree::parse(br#"{"x":[{"a":1}]}"#).unwrap());
    let nodes = align(&whole, &[Some(&one), Some(&other), None]);
    let states: Vec<[State; 3]> =
        nodes.iter().flat_map(Node::values).map(|node| [0, 1, 2].map(|reader| node.state(reader))).collect();
    use State::{Shown, Withheld};
    assert_eq!(states, [[Withheld, Shown, Withheld], [Shown, Withheld, Withheld]]);
}

#[test]
fn a_long_array_is_matched_by_place_and_says_so() {
    let items: Vec<String> = (0..300).map(|value| format!(r#"{{"a":{value}}}"#)).collect();
    let text = format!(r#"{{"x":[{}]}}"#, items.join(","));
    let found = check(&text, &text);
    assert!(found.iter().all(|line| line.starts_with('=') && line.ends_with('?')));
}
