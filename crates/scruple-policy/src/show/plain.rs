//! Plain columns and Markdown.

use super::{ConditionLine, PermitLine, RoleSheet, SegmentLine};
use std::fmt::Write as _;

/// Columns between two columns.
const GAP: usize = 2;
/// The narrowest that words are wrapped to.
const WORDS_MIN: usize = 12;

/// A column: its heading, and whether its cells may be broken between words.
pub(super) struct Column<'a> {
    heading: &'a str,
    wraps: bool,
}

impl<'a> Column<'a> {
    pub const fn fixed(heading: &'a str) -> Self {
        Self { heading, wraps: false }
    }

    pub const fn words(heading: &'a str) -> Self {
        Self { heading, wraps: true }
    }
}

/// A table in plain columns; `None` where it does not fit the width although its words are wrapped.
pub(super) fn table(columns: &[Column<'_>], rows: &[Vec<String>], width: usize) -> Option<String> {
    let word = |index: usize| {
        let cells = rows.iter().filter_map(|row| row.get(index)).flat_map(|cell| cell.split_whitespace());
        cells.map(|word| word.chars().count()).max().unwrap_or(0).max(WORDS_MIN)
    };
    let narrowest: Vec<usize> = (0..columns.len()).map(word).collect();
    let longest = |index: usize| {
        let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.chars().count());
        cells.chain(columns.get(index).map(|column| column.heading.len())).max().unwrap_or(0)
    };
    let mut widths: Vec<usize> = (0..columns.len()).map(longest).collect();
    let total = |widths: &[usize]| widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
    // The widest column with words gives way first.
    while total(&widths) > width {
        let wide = columns.iter().zip(&narrowest).zip(widths.iter_mut());
        let wide = wide.filter(|((column, least), width)| column.wraps && **width > **least);
        let (_, widest) = wide.max_by_key(|(_, width)| **width)?;
        *widest -= 1;
    }
    let mut out = String::new();
    let headings: Vec<String> = columns.iter().map(|column| column.heading.to_owned()).collect();
    line(&mut out, &headings, &widths);
    let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    line(&mut out, &rules, &widths);
    for row in rows {
        let cells: Vec<Vec<String>> = row.iter().zip(&widths).map(|(cell, width)| wrap(cell, *width)).collect();
        for index in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
            let parts: Vec<String> = cells.iter().map(|cell| cell.get(index).cloned().unwrap_or_default()).collect();
            line(&mut out, &parts, &widths);
        }
    }
    Some(out)
}

/// The rows of a table one below the other, for a terminal that is too narrow for columns.
pub(super) fn stacked(headings: &[&str], rows: &[Vec<String>], width: usize) -> String {
    let label = headings.iter().map(|heading| heading.len()).max().unwrap_or(0) + GAP;
    let mut out = String::new();
    for row in rows {
        for (heading, cell) in headings.iter().zip(row) {
            labelled(&mut out, heading, cell, label, width);
        }
        out.push('\n');
    }
    out
}

/// A text after its label, wrapped below itself.
pub(super) fn labelled(out: &mut String, name: &str, text: &str, label: usize, width: usize) {
    for (index, part) in wrap(text, width.saturating_sub(label + GAP).max(WORDS_MIN)).iter().enumerate() {
        let name = if index == 0 { name } else { "" };
        let _ = writeln!(out, "  {name:<label$}{part}");
    }
}

fn line(out: &mut String, cells: &[String], widths: &[usize]) {
    let mut text = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        let _ = write!(text, "{cell:<width$}{:GAP$}", "");
    }
    out.push_str(text.trim_end());
    out.push('\n');
}

/// Lines of at most `width` columns, broken between words; a longer word stands alone.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A condition, marked where it is not enforced yet.
fn condition(line: &ConditionLine) -> String {
    if line.enforced == "not yet" { format!("{}*", line.condition) } else { line.condition.clone() }
}

fn conditions(lines: &[ConditionLine]) -> String {
    if lines.is_empty() { "always".to_owned() } else { lines.iter().map(condition).collect::<Vec<_>>().join(", ") }
}

fn facts(sheet: &RoleSheet) -> Vec<(&'static str, String)> {
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let mut facts = vec![
        ("Job", sheet.label.clone()),
        ("File", sheet.file.clone()),
        ("Purpose", sheet.purposes.join(", ")),
        ("Relationship", sheet.relationship.clone()),
        ("Emergency access", yes(sheet.emergency_access)),
        ("Full types pass whole", yes(sheet.passes_full_types)),
        ("Administrative", yes(sheet.administrative)),
        ("Timing of answers", sheet.timing.to_owned()),
        ("Risk tier", sheet.risk_tier.clone()),
        ("Why it is the minimum", sheet.defence.clone()),
    ];
    if !sheet.trap.is_empty() {
        facts.push(("Trap", sheet.trap.clone()));
    }
    facts
}

fn permit_row(permit: &PermitLine) -> Vec<String> {
    vec![
        permit.categories.join(", "),
        permit.view.clone(),
        conditions(&permit.conditions),
        permit.purposes.join(", "),
        permit.tasks.join("; "),
        permit.rule.rsplit_once(':').map_or("", |(_, line)| line).to_owned(),
    ]
}

fn segment_row(line: &SegmentLine) -> Vec<String> {
    let mut word = line.word.clone();
    if !line.obligation.is_empty() && line.obligation != line.word {
        let _ = write!(word, " ({})", line.obligation);
    }
    let when = line.condition.as_ref().map_or_else(|| "always".to_owned(), condition);
    let when = if line.limit == "none" { String::new() } else { when };
    vec![line.segments.join(", "), word, line.limit.to_owned(), when]
}

const PERMIT_HEADINGS: [&str; 6] = ["categories", "view", "conditions", "purposes", "tasks", "line"];
const SEGMENT_HEADINGS: [&str; 4] = ["segments", "word", "leaves", "while"];

/// A role for a terminal.
pub(super) fn sheet(sheet: &RoleSheet, width: usize) -> String {
    let mut out = format!("{}\n", sheet.role);
    let facts = facts(sheet);
    let label = facts.iter().map(|(label, _)| label.len()).max().unwrap_or(0) + GAP;
    let tasks = sheet.tasks.iter().map(|task| ("Task", format!("{}: {}", task.task, task.label)));
    for (name, text) in facts.iter().cloned().chain(tasks) {
        labelled(&mut out, name, &text, label, width);
    }
    out.push('\n');
    let permits: Vec<Vec<String>> = sheet.permits.iter().map(permit_row).collect();
    let columns: Vec<Column<'_>> = PERMIT_HEADINGS
        .into_iter()
        .map(|heading| match heading {
            "view" | "line" => Column::fixed(heading),
            _ => Column::words(heading),
        })
        .collect();
    let columns = table(&columns, &permits, width);
    out.push_str(&columns.unwrap_or_else(|| stacked(&PERMIT_HEADINGS, &permits, width)));
    out.push('\n');
    let segments: Vec<Vec<String>> = sheet.segments.iter().map(segment_row).collect();
    let columns = table(&SEGMENT_HEADINGS.map(Column::words), &segments, width);
    out.push_str(&columns.unwrap_or_else(|| stacked(&SEGMENT_HEADINGS, &segments, width)));
    out
}

/// A role in Markdown.
pub(super) fn markdown(sheet: &RoleSheet) -> String {
    let mut out = format!("## {}\n\n", sheet.role);
    for (name, text) in facts(sheet) {
        let _ = writeln!(out, "- {name}: {}", escaped(&text));
    }
    for task in &sheet.tasks {
        let _ = writeln!(out, "- Task `{}`: {}", task.task, escaped(&task.label));
    }
    let rows = sheet.permits.iter().map(permit_row);
    markdown_table(&mut out, &PERMIT_HEADINGS, rows);
    markdown_table(&mut out, &SEGMENT_HEADINGS, sheet.segments.iter().map(segment_row));
    out
}

pub(super) fn markdown_table(out: &mut String, headings: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let _ = writeln!(out, "\n| {} |\n|{}", headings.join(" | "), "---|".repeat(headings.len()));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| escaped(cell)).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace('*', "\\*").replace('<', "&lt;")
}
