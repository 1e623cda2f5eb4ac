//! The record as sections: one for each element at its top, with the values below it, what each role gets of them, and
//! the reason in a sentence. Pure: aligned trees and reasons in, strings for the page out.

use crate::lens::{Reason, SeenView};
use crate::words::{self, Mark};
use scruple_fhir::align::{Node, State, line};
use scruple_fhir::tree::Tree;

/// Letters of a value that the page shows.
const VALUE_CHARS_MAX: usize = 280;
/// Of what is no text for people: attachments in base64.
const DATA_CHARS_MAX: usize = 48;

/// What a role gets, for the page.
pub struct Column<'a> {
    /// The role, short, in words.
    pub label: String,
    pub reasons: &'a [Reason],
    /// The record passes as it is.
    pub passes: bool,
    /// Nothing of the record shows.
    pub refused: bool,
}

/// An element at the top of the record.
#[derive(Clone, Debug)]
pub struct Section {
    pub name: String,
    /// `2 of 3`, the name of an extension.
    pub note: String,
    /// The kind of information.
    pub kind: String,
    pub verdicts: Vec<Verdict>,
    /// Its only value stands in its own line.
    pub single: bool,
    pub rows: Vec<Row>,
    /// Lines that a verdict spans where a role gets nothing of it.
    pub span: usize,
}

/// What a role gets of a section, and why.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The role.
    pub label: String,
    pub mark: Mark,
    pub sentence: String,
    /// Name and text of what a policy officer asks next.
    pub facts: Vec<(&'static str, String)>,
}

/// A value.
#[derive(Clone, Debug)]
pub struct Row {
    /// The path within the section without its last name.
    pub above: String,
    pub name: String,
    pub whole: String,
    /// A value for machines: a system, a URL, a reference.
    pub machine: bool,
    /// No role gets it.
    pub struck: bool,
    pub cells: Vec<Cell>,
}

/// What a role gets of a value.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The role.
    pub label: String,
    pub mark: Mark,
    pub text: String,
    pub note: String,
    /// The verdict of the section stands for it.
    pub covered: bool,
}

/// Elements of a record, counted for one role.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counts {
    pub shown: usize,
    pub masked: usize,
    pub withheld: usize,
}

impl Counts {
    pub const fn all(self) -> usize {
        self.shown + self.masked + self.withheld
    }

    /// In one sentence.
    pub fn sentence(self, role: &str, purpose: &str, kind: &str) -> String {
        let (all, seen) = (self.all(), self.shown + self.masked);
        let start = format!("{role} for {purpose} sees");
        let masked = match self.masked {
            0 => String::new(),
            1 => "; 1 of them is masked".to_owned(),
            masked => format!("; {masked} of them are masked"),
        };
        match seen {
            0 => format!("{start} nothing of this {kind}."),
            seen if seen == all => format!("{start} all {all} elements of this {kind}{masked}."),
            seen => format!("{start} {seen} of {all} elements of this {kind}{masked}."),
        }
    }
}

/// Counts the elements for the role with this index.
pub fn count(nodes: &[Node<'_>], reader: usize) -> Counts {
    let mut counts = Counts::default();
    for node in nodes.iter().filter(|node| node.key != "resourceType").flat_map(Node::values) {
        match node.state(reader) {
            State::Shown => counts.shown += 1,
            State::Masked => counts.masked += 1,
            State::Withheld => counts.withheld += 1,
            State::Added => {}
        }
    }
    counts
}

/// The sections of a record.
pub fn sections(kind: &str, nodes: &[Node<'_>], columns: &[Column<'_>]) -> Vec<Section> {
    let nodes = nodes.iter().filter(|node| node.key != "resourceType");
    nodes.map(|node| section(kind, node, columns)).collect()
}

/// A value with its path and, for each role, its reason.
struct Leaf<'n, 'a> {
    node: &'n Node<'a>,
    path: Vec<String>,
    reasons: Vec<Option<&'a Reason>>,
}

fn section(kind: &str, node: &Node<'_>, columns: &[Column<'_>]) -> Section {
    let paths: Vec<Vec<String>> = columns.iter().map(|_| vec![kind.to_owned()]).collect();
    let mut leaves = Vec::new();
    let own: Vec<Option<&Reason>> = columns
        .iter()
        .zip(&paths)
        .map(|(column, paths)| find(column.reasons, &below(column.reasons, paths, node.key), node.whole, None))
        .collect();
    let state = Walk { columns, paths, reasons: own.clone() };
    collect(node, &state, None, &mut Vec::new(), &mut leaves);
    let verdicts: Vec<Verdict> = columns
        .iter()
        .enumerate()
        .map(|(reader, column)| verdict(node, reader, column, own.get(reader).copied().flatten(), &leaves))
        .collect();
    let single = node.parts.is_empty();
    let rows: Vec<Row> = leaves.iter().map(|leaf| row(leaf, columns, &own, &verdicts)).collect();
    let name_of = |reason: &&Reason| reason.kind.clone();
    Section {
        name: node.key.to_owned(),
        note: note(node),
        kind: own.iter().flatten().next().map(name_of).unwrap_or_default(),
        verdicts,
        single,
        span: rows.len() + 1,
        rows,
    }
}

/// `2 of 3`, or the last part of an extension's URL.
fn note(node: &Node<'_>) -> String {
    let url = node.whole.filter(|_| node.key.ends_with("xtension")).and_then(|whole| whole.get("url")?.text());
    let tail = url.map(|url| url.rsplit('/').next().unwrap_or(url).to_owned());
    tail.or_else(|| node.nth.map(|(nth, of)| format!("{nth} of {of}"))).unwrap_or_default()
}

struct Walk<'a, 'c> {
    columns: &'c [Column<'a>],
    /// For each role the paths under which its reasons may name this element: `value[x]` and `valueQuantity`.
    paths: Vec<Vec<String>>,
    reasons: Vec<Option<&'a Reason>>,
}

fn collect<'n, 'a>(
    node: &'n Node<'a>,
    above: &Walk<'a, '_>,
    holder: Option<&Tree>,
    path: &mut Vec<String>,
    leaves: &mut Vec<Leaf<'n, 'a>>,
) {
    let own: Vec<Vec<String>> =
        above.columns.iter().zip(&above.paths).map(|(column, paths)| below(column.reasons, paths, node.key)).collect();
    let reasons = above
        .columns
        .iter()
        .zip(&own)
        .zip(&above.reasons)
        .map(|((column, own), inherited)| find(column.reasons, own, node.whole, holder).or(*inherited));
    let reasons: Vec<Option<&'a Reason>> = reasons.collect();
    if node.parts.is_empty() {
        leaves.push(Leaf { node, path: path.clone(), reasons });
        return;
    }
    let walk = Walk { columns: above.columns, paths: own, reasons };
    for part in &node.parts {
        path.push(part.nth.map_or_else(|| part.key.to_owned(), |(nth, _)| format!("{} {nth}", part.key)));
        collect(part, &walk, node.whole, path, leaves);
        path.pop();
    }
}

/// The paths of a member, as far as a reason names anything there.
fn below(reasons: &[Reason], above: &[String], key: &str) -> Vec<String> {
    let key = key.trim_start_matches('_');
    let ends = key.char_indices().filter(|(_, letter)| letter.is_ascii_uppercase()).map(|(end, _)| end);
    let choices = ends.filter_map(|end| Some(format!("{}[x]", key.get(..end)?)));
    let names: Vec<String> = std::iter::once(key.to_owned()).chain(choices).collect();
    let paths = above.iter().flat_map(|above| names.iter().map(move |name| format!("{above}.{name}")));
    paths.filter(|path| reasons.iter().any(|reason| reason.path.starts_with(path.as_str()))).collect()
}

/// The reason that names an element itself. `identifier(MR|AN)` names the items with one of these codes, `other` those
/// with none; `extension(x)` the one whose URL ends so; of a Reference the type that it points to.
fn find<'a>(reasons: &'a [Reason], paths: &[String], item: Option<&Tree>, holder: Option<&Tree>) -> Option<&'a Reason> {
    let mut other = None;
    for reason in reasons {
        let (path, chosen) = match reason.path.strip_suffix(')').and_then(|path| path.rsplit_once('(')) {
            Some((path, chosen)) => (path, Some(chosen)),
            None => (reason.path.as_str(), None),
        };
        if !paths.iter().any(|own| own == path) {
            continue;
        }
        let Some(chosen) = chosen else { return Some(reason) };
        let marks = item.map(marks).unwrap_or_default();
        let target = holder.and_then(|holder| holder.get("reference")?.text()?.split('/').next());
        if chosen.split('|').any(|one| marks.contains(&one) || target == Some(one)) {
            return Some(reason);
        }
        if chosen.split('|').any(|one| one == "other") {
            other = Some(reason);
        }
    }
    other
}

/// Codes of an item's concepts, and the last part of an extension's URL.
fn marks(item: &Tree) -> Vec<&str> {
    let url = item.get("url").and_then(Tree::text).map(|url| url.rsplit('/').next().unwrap_or(url));
    let concepts = item.members().iter().filter_map(|(_, value)| value.get("coding"));
    let codes = concepts.flat_map(Tree::items).filter_map(|coding| coding.get("code")?.text());
    codes.chain(url).collect()
}

fn verdict(
    node: &Node<'_>,
    reader: usize,
    column: &Column<'_>,
    reason: Option<&Reason>,
    leaves: &[Leaf<'_, '_>],
) -> Verdict {
    let states: Vec<State> = leaves.iter().map(|leaf| leaf.node.state(reader)).collect();
    let all = |state: State| states.iter().all(|one| *one == state);
    let is_masked =
        states.contains(&State::Masked) || reason.is_some_and(|reason| matches!(reason.view, SeenView::Masked(_)));
    let mark = if all(State::Shown) && !is_masked {
        Mark::SHOWN
    } else if all(State::Withheld) {
        Mark::WITHHELD
    } else if all(State::Added) {
        Mark::ADDED
    } else if is_masked {
        Mark::MASKED
    } else {
        Mark::PART
    };
    let sentence = sentence(node, column, reason, mark);
    let mut facts = Vec::new();
    if let Some(reason) = reason {
        if !reason.kind.is_empty() {
            facts.push(("Kind of information", format!("{} ({})", reason.kind, reason.category)));
        }
        let view = match &reason.view {
            SeenView::None => "none".to_owned(),
            SeenView::Full => "full".to_owned(),
            SeenView::Masked(name) => format!("masked: {name}"),
        };
        facts.push(("View", view));
        if !reason.tasks.is_empty() {
            facts.push(("Tasks", words::tasks(&reason.tasks)));
        }
        facts.push(("Rule", reason.rule.clone().unwrap_or_else(|| "no rule of the role names it".to_owned())));
        if !reason.missing.is_empty() {
            facts.push(("More would need", reason.missing.join("; ")));
        }
    }
    Verdict { label: column.label.clone(), mark, sentence, facts }
}

/// Why, in plain words. It follows from the policy, but for the one case that says that it cannot.
fn sentence(node: &Node<'_>, column: &Column<'_>, reason: Option<&Reason>, mark: Mark) -> String {
    if mark == Mark::ADDED {
        return "Written on the way out, so that the receiver knows that this is a narrowed copy.".to_owned();
    }
    if column.passes {
        return "The record passes as it is: the role has every kind of information in it.".to_owned();
    }
    let Some(reason) = reason else {
        if column.refused {
            return "It goes with the record.".to_owned();
        }
        let general = words::general(node.key).unwrap_or("The policy does not place it, so that it is withheld.");
        return general.to_owned();
    };
    let tasks = if reason.tasks.is_empty() { String::new() } else { format!("To {}.", words::tasks(&reason.tasks)) };
    match (&reason.view, mark) {
        (SeenView::None, _) => none(column, reason),
        (SeenView::Full | SeenView::Masked(_), Mark::WITHHELD) if column.refused => {
            "The role has this kind of information, but nothing of this record.".to_owned()
        }
        (SeenView::Full, Mark::WITHHELD) => {
            "The role has this kind of information, but not here: a label, a reference whose target does not show, or an element that goes with it holds it back.".to_owned()
        }
        (SeenView::Full, _) if reason.category == "structure" => "It shows with what holds it.".to_owned(),
        (SeenView::Full, _) if tasks.is_empty() => "The role has this kind of information.".to_owned(),
        (SeenView::Full, _) => tasks,
        (SeenView::Masked(name), Mark::WITHHELD) => {
            format!("The mask leaves nothing of it: {}.", words::lower_first(&words::mask(name)))
        }
        (SeenView::Masked(name), _) => format!("{}. {tasks}", words::mask(name)).trim_end().to_owned(),
    }
}

fn none(column: &Column<'_>, reason: &Reason) -> String {
    if let Some(because) = &reason.because {
        return because.clone();
    }
    if reason.category == "structure" {
        return "It goes with what holds it.".to_owned();
    }
    if !reason.missing.is_empty() {
        return format!("It would show while this holds: {}.", reason.missing.join("; "));
    }
    format!("No task of {} needs it.", column.label)
}

fn row(leaf: &Leaf<'_, '_>, columns: &[Column<'_>], own: &[Option<&Reason>], verdicts: &[Verdict]) -> Row {
    let cells: Vec<Cell> = columns
        .iter()
        .enumerate()
        .map(|(reader, column)| {
            let section = own.get(reader).copied().flatten();
            let reason = leaf.reasons.get(reader).copied().flatten();
            let covered = verdicts.get(reader).is_some_and(|verdict| verdict.mark == Mark::WITHHELD);
            cell(leaf, reader, column, section, reason, covered)
        })
        .collect();
    let mut path = leaf.path.clone();
    let name = path.pop().unwrap_or_default();
    let key = leaf.node.key;
    Row {
        above: path.iter().map(|part| format!("{part} · ")).collect(),
        name,
        whole: leaf.node.whole.map_or_else(String::new, |whole| value(key, &line(whole))),
        machine: matches!(key, "system" | "url" | "reference" | "profile" | "data" | "div" | "fullUrl"),
        struck: leaf.node.whole.is_some() && cells.iter().all(|cell| cell.mark == Mark::WITHHELD),
        cells,
    }
}

fn cell(
    leaf: &Leaf<'_, '_>,
    reader: usize,
    column: &Column<'_>,
    section: Option<&Reason>,
    reason: Option<&Reason>,
    covered: bool,
) -> Cell {
    let mark = match leaf.node.state(reader) {
        State::Shown => Mark::SHOWN,
        State::Masked => Mark::MASKED,
        State::Withheld => Mark::WITHHELD,
        State::Added => Mark::ADDED,
    };
    let text = if mark == Mark::WITHHELD { None } else { leaf.node.reading(reader) };
    let is_own = reason.map(|reason| &reason.path) != section.map(|reason| &reason.path);
    let mut note = match reason {
        Some(reason) if mark == Mark::WITHHELD && is_own && !reason.kind.is_empty() => words::lower_first(&reason.kind),
        _ => String::new(),
    };
    if leaf.node.seen.get(reader).is_some_and(|sight| sight.unsure) && mark != Mark::WITHHELD {
        note = "several items look alike here; it could be another of them".to_owned();
    }
    Cell {
        label: column.label.clone(),
        mark,
        text: text.map_or_else(String::new, |text| value(leaf.node.key, &text)),
        note,
        covered,
    }
}

/// A value that fits a page; what is cut is said to be.
fn value(key: &str, text: &str) -> String {
    let limit = if key == "data" { DATA_CHARS_MAX } else { VALUE_CHARS_MAX };
    let count = text.chars().count();
    if count <= limit {
        return text.to_owned();
    }
    let start: String = text.chars().take(limit).collect();
    format!("{start}… ({count} characters)")
}

#[cfg(test)]
mod tests;
