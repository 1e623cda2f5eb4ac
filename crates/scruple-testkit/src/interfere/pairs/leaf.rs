//! Leaves of a JSON tree: where each stands, and values like it.

use crate::tree::Numbers;
use serde_json::Value;

/// One step into a tree.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Step {
    Key(String),
    Place(usize),
}

/// Every leaf with its path.
pub(super) fn leaves(value: &Value) -> Vec<(Vec<Step>, &Value)> {
    let mut found = Vec::new();
    walk(value, &mut Vec::new(), &mut found);
    found
}

fn walk<'a>(value: &'a Value, path: &mut Vec<Step>, found: &mut Vec<(Vec<Step>, &'a Value)>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                path.push(Step::Key(key.clone()));
                walk(value, path, found);
                path.pop();
            }
        }
        Value::Array(items) => {
            for (place, value) in items.iter().enumerate() {
                path.push(Step::Place(place));
                walk(value, path, found);
                path.pop();
            }
        }
        leaf => found.push((path.clone(), leaf)),
    }
}

/// What stands at a path.
pub(super) fn at<'a>(value: &'a mut Value, path: &[Step]) -> Option<&'a mut Value> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key.as_str()),
        Step::Place(place) => value.get_mut(*place),
    })
}

/// The last key of a path.
pub(super) fn key(path: &[Step]) -> &str {
    path.iter()
        .rev()
        .find_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Place(_) => None,
        })
        .unwrap_or_default()
}

/// Another value that masks take for the same: the same year, the same three digits of a ZIP code, the same last four.
pub(super) fn alike(value: &Value, numbers: &mut Numbers) -> Value {
    match value {
        Value::String(text) => Value::String(alike_text(text, numbers)),
        other => another(other, numbers),
    }
}

fn is_digits(part: Option<&str>) -> bool {
    part.is_some_and(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a text begins as a date does.
fn is_dated(text: &str) -> bool {
    is_digits(text.get(..4)) && text.get(4..5) == Some("-")
}

fn alike_text(text: &str, numbers: &mut Numbers) -> String {
    if is_dated(text) {
        // A date: another month and day.
        let date = format!("-{:02}-{:02}", 1 + numbers.below(12), 1 + numbers.below(28));
        let length = text.len().min(10);
        return format!(
            "{}{}{}",
            &text.get(..4).unwrap_or_default(),
            date.get(..length - 4).unwrap_or(&date),
            text.get(10..).unwrap_or_default()
        );
    }
    if text.len() == 5 && is_digits(Some(text)) {
        return format!("{}{:02}", text.get(..3).unwrap_or_default(), numbers.below(100));
    }
    let keep = text.chars().count().saturating_sub(4);
    text.chars()
        .enumerate()
        .map(|(place, letter)| if place < keep { scrambled(letter, numbers) } else { letter })
        .collect()
}

/// Another value of the same JSON type.
pub(super) fn another(value: &Value, numbers: &mut Numbers) -> Value {
    match value {
        Value::Bool(is) => Value::Bool(!is),
        Value::Number(_) => Value::from(numbers.below(500)),
        // Another date is one: some servers fail on all of a search where one resource has what is none.
        Value::String(text) if is_dated(text) => {
            let year = 1_950 + numbers.below(70);
            let same_year = alike_text(text, numbers);
            Value::String(format!("{year}{}", same_year.get(4..).unwrap_or_default()))
        }
        Value::String(text) => {
            let letters: String = text.chars().map(|letter| scrambled(letter, numbers)).collect();
            Value::String(if numbers.chance(300) { format!("{letters}x") } else { letters })
        }
        other => other.clone(),
    }
}

/// A letter for a letter, a digit for a digit.
fn scrambled(letter: char, numbers: &mut Numbers) -> char {
    let one = |from: u8, count: usize, numbers: &mut Numbers| {
        char::from(from.saturating_add(u8::try_from(numbers.below(count)).unwrap_or_default()))
    };
    match letter {
        'a'..='z' => one(b'a', 26, numbers),
        'A'..='Z' => one(b'A', 26, numbers),
        '1'..='9' => one(b'1', 9, numbers),
        other => other,
    }
}
