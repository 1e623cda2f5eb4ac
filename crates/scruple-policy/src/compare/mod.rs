//! The difference of two packs in plain words: what who sees more, less or otherwise, and what else the pack decides.
//!
//! Deterministic: the same two packs give the same list in the same order. A rewriting that changes no decision is no
//! difference. What has no words of its own is told as a line of its file, so that nothing passes in silence.

mod cells;
mod people;
mod roles;
mod tables;

pub use cells::view_covers;

use crate::model::Pack;
use crate::source::PackFiles;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// What a change does to access.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More is seen, by more, or on easier terms.
    Wider,
    /// Less is.
    Narrower,
    /// Both, or neither.
    Otherwise,
}

impl Direction {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Wider => "wider",
            Self::Narrower => "narrower",
            Self::Otherwise => "otherwise",
        }
    }
}

/// What a change is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// A role that is new or gone.
    Role,
    /// What a role sees of a category.
    View,
    /// What a role is left of a specially protected segment.
    Segment,
    /// What a role is and does: purposes, tasks, emergency, relationship, words.
    Facts,
    /// Who agrees to access beyond a role.
    Approval,
    /// What the console lets whom do.
    Console,
    /// An organisation's own rule.
    Guardrail,
    /// An exception to the ban on `*`.
    Exception,
    /// The pack as a whole.
    Pack,
    /// A line of one of its tables.
    Line,
}

/// One difference.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Change {
    /// The role that it is about, if it is one role.
    pub role: Option<String>,
    /// What it is about.
    pub about: About,
    /// Which one: a category, a segment, an act, a file.
    pub what: String,
    /// What it does.
    pub direction: Direction,
    /// As it was; none where it was not there.
    pub before: Option<String>,
    /// As it is; none where it is gone.
    pub after: Option<String>,
    /// The sentence.
    pub sentence: String,
}

/// A pack by name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PackName {
    /// Its name.
    pub name: String,
    /// Its version, as it says itself.
    pub version: String,
    /// Its hash.
    pub hash: String,
}

impl PackName {
    fn of(pack: &Pack) -> Self {
        Self { name: pack.name.clone(), version: pack.version.clone(), hash: pack.hash.to_string() }
    }

    fn words(&self) -> String {
        format!("{} {} ({})", self.name, self.version, self.hash.get(..12).unwrap_or(&self.hash))
    }
}

/// The difference of two packs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Comparison {
    /// The one before.
    pub before: PackName,
    /// The one after.
    pub after: PackName,
    /// Roles first, by name; then what is of no one role.
    pub changes: Vec<Change>,
}

/// A pack with the texts that it was read from.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// Its texts.
    pub files: &'a PackFiles,
    /// As it was read.
    pub pack: &'a Pack,
}

/// Compares two packs.
#[must_use]
pub fn compare(before: Side<'_>, after: Side<'_>) -> Comparison {
    let mut changes = Vec::new();
    roles::compare(before, after, &mut changes);
    people::compare(before.pack, after.pack, &mut changes);
    tables::compare(before.files, after.files, &mut changes);
    // What is of one role stands with the role; what is of none, last.
    changes.sort_by(|a, b| (a.role.is_none(), a).cmp(&(b.role.is_none(), b)));
    Comparison { before: PackName::of(before.pack), after: PackName::of(after.pack), changes }
}

impl Comparison {
    /// How many changes go one way.
    #[must_use]
    pub fn count(&self, direction: Direction) -> usize {
        self.changes.iter().filter(|change| change.direction == direction).count()
    }

    /// The roles that a change is about.
    #[must_use]
    pub fn roles(&self) -> BTreeSet<&str> {
        self.changes.iter().filter_map(|change| change.role.as_deref()).collect()
    }

    /// Whether nothing is wider. What is neither wider nor narrower is not proved to be harmless, and counts as wider.
    #[must_use]
    pub fn is_narrowing(&self) -> bool {
        self.changes.iter().all(|change| change.direction == Direction::Narrower)
    }

    /// `3 wider, 12 narrower, 1 otherwise`.
    #[must_use]
    pub fn tally(&self) -> String {
        if self.changes.is_empty() {
            return "no difference".to_owned();
        }
        let parts = [Direction::Wider, Direction::Narrower, Direction::Otherwise];
        let parts = parts.into_iter().filter(|direction| self.count(*direction) > 0);
        parts.map(|direction| format!("{} {}", self.count(direction), direction.word())).collect::<Vec<_>>().join(", ")
    }

    /// As text: one sentence a line, with the word for what it does before it.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = format!("{} against {}: {}\n", self.after.words(), self.before.words(), self.tally());
        let mut last = None;
        for change in &self.changes {
            let heading = change.role.as_deref().unwrap_or("not of one role");
            if last != Some(heading) {
                let _ = write!(out, "\n{heading}\n");
                last = Some(heading);
            }
            let _ = writeln!(out, "  {:<9}  {}", change.direction.word(), change.sentence);
        }
        out
    }
}

/// `the front desk`.
fn the(role: &str) -> String {
    format!("the {}", role.replace('_', " "))
}

/// The same at the beginning of a sentence.
fn the_upper(role: &str) -> String {
    format!("The {}", role.replace('_', " "))
}
