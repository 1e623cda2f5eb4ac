//! The summary of a run in words.

use crate::terminal::count;
use scruple_release::Summary;

/// Faults that are told in words.
const FAULTS_TOLD_MAX: usize = 20;

/// The summary, a line each thing.
pub fn of(summary: &Summary) -> String {
    let withheld: u64 = summary.withheld.values().sum();
    let reasons: Vec<String> =
        summary.withheld.iter().map(|(reason, number)| format!("{number} {}", in_words(reason))).collect();
    let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    let conditions = if summary.conditions.is_empty() { "none".to_owned() } else { summary.conditions.join(", ") };
    let mut lines = vec![
        format!(
            "{} of {} released to role {} for {}, {withheld} withheld{reasons}",
            summary.released,
            count(summary.read, "resource"),
            summary.role,
            summary.purpose,
        ),
        format!(
            "{} read from {}, {} written",
            count(summary.bytes_in, "byte"),
            count(summary.inputs, "input"),
            count(summary.bytes_out, "byte")
        ),
        format!(
            "relationship {}, conditions: {conditions}; release {} in the ledger",
            summary.relationship, summary.release
        ),
    ];
    let told = summary.faults.iter().take(FAULTS_TOLD_MAX);
    lines.extend(told.map(|fault| format!("input {}, item {}: {}", fault.input, fault.item, fault.what)));
    let faults: u64 = ["malformed", "too_large"].iter().filter_map(|reason| summary.withheld.get(*reason)).sum();
    if faults > FAULTS_TOLD_MAX as u64 {
        lines.push(format!(
            "and {} more malformed; --json tells where the first {} are",
            faults - FAULTS_TOLD_MAX as u64,
            summary.faults.len()
        ));
    }
    lines.extend(summary.notes.iter().map(|note| format!("note: {note}")));
    lines.join("\n")
}

fn in_words(reason: &str) -> &str {
    match reason {
        "policy" => "of types that this role does not get for this purpose under these conditions",
        "label" => "specially protected",
        "unclassified" => "restricted without a reason, or with a code that is in no listed code system",
        "malformed" => "malformed",
        "too_large" => "too large",
        "implicit_rules" => "with implicit rules",
        "modifier_extension" => "with a modifier extension",
        "required" => "with a required element that can be neither shown nor marked",
        "contained" => "with contained resources that do not settle",
        other => other,
    }
}
