//! The tables that say what elements, codes, masks and words mean: line by line, without their comments.
//!
//! What a role sees can change by them without a change of the role; the replay shows how much.

use super::{About, Change, Direction};
use crate::source::{PackFiles, Table};
use std::collections::{BTreeMap, BTreeSet};

/// Tables that are told in words elsewhere.
const TOLD: [&str; 4] = ["segment-by-role.csv", "segment-words.csv", "approvals.csv", "console.csv"];

pub(super) fn compare(before: &PackFiles, after: &PackFiles, changes: &mut Vec<Change>) {
    let is_table = |name: &&String| name.ends_with(".csv") && !TOLD.contains(&name.as_str());
    let names: BTreeSet<&String> = before.0.keys().chain(after.0.keys()).filter(is_table).collect();
    for name in names {
        if before.0.get(name) != after.0.get(name) {
            table(name, &rows(before, name), &rows(after, name), changes);
        }
    }
}

/// The lines of a table by their first field, in order.
fn rows(files: &PackFiles, name: &str) -> BTreeMap<String, Vec<String>> {
    let mut by_key: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if !files.0.contains_key(name) {
        return by_key;
    }
    let table = Table::read(files, name, &[], &mut Vec::new());
    for row in table.rows {
        let key = row.field(0).to_owned();
        let fields: Vec<&str> = row.fields.iter().map(|field| field.trim()).collect();
        by_key.entry(key).or_default().push(fields.join(" | "));
    }
    by_key
}

fn table(
    file: &str,
    before: &BTreeMap<String, Vec<String>>,
    after: &BTreeMap<String, Vec<String>>,
    changes: &mut Vec<Change>,
) {
    let none = Vec::new();
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let [old, new] = [before, after].map(|rows| rows.get(key).unwrap_or(&none));
        let mut gone = less(old, new).into_iter();
        let mut added = less(new, old).into_iter();
        loop {
            let (was, is) = (gone.next(), added.next());
            let sentence = match (&was, &is) {
                (None, None) => break,
                (Some(was), Some(is)) => format!("{file}: {is}; before: {was}."),
                (None, Some(is)) => format!("{file}: a line more: {is}."),
                (Some(was), None) => format!("{file}: a line less: {was}."),
            };
            changes.push(Change {
                role: None,
                about: About::Line,
                what: format!("{file} {key}"),
                direction: Direction::Otherwise,
                before: was,
                after: is,
                sentence,
            });
        }
    }
}

/// The lines of one list that another one lacks, as often as it lacks them.
fn less(lines: &[String], others: &[String]) -> Vec<String> {
    let mut left: Vec<&String> = others.iter().collect();
    let mut lacking = Vec::new();
    for line in lines {
        match left.iter().position(|other| *other == line) {
            Some(place) => {
                left.swap_remove(place);
            }
            None => lacking.push(line.clone()),
        }
    }
    lacking
}
