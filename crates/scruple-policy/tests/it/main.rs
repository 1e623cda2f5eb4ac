//! The shipped pack: what it decides, how it is shown and explained, and which mistakes are found in it.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod breadth;
mod compare;
mod decisions;
mod determination;
mod exceptions;
mod explain;
mod faults;
mod golden;
mod guardrails;
mod show;
mod sprawl;
mod steps;
mod tasks;

use scruple_core::{CategoryId, ConditionMask, Timestamp, View};
use scruple_policy::{Active, Pack, PackFiles, Question, activate, read};
use std::sync::{Arc, LazyLock};

/// The shipped pack.
static PACK: LazyLock<Arc<Pack>> =
    LazyLock::new(|| Arc::new(read(&PackFiles::embedded()).unwrap_or_else(|problems| panic!("{problems:?}"))));

/// The shipped pack, activated: for the tests that need the proof.
static ACTIVE: LazyLock<Active> =
    LazyLock::new(|| activate(&PackFiles::embedded(), day("2026-03-01")).unwrap_or_else(|error| panic!("{error:?}")));

fn day(date: &str) -> Timestamp {
    Timestamp::parse(&format!("{date}T12:00:00Z")).unwrap()
}

fn conditions(pack: &Pack, names: &[&str]) -> ConditionMask {
    names.iter().fold(ConditionMask::NONE, |mask, name| mask.with(pack.condition(name).unwrap()))
}

fn question(pack: &Pack, role: &str, purpose: &str, names: &[&str]) -> Question {
    Question { role: role.to_owned(), purpose: purpose.to_owned(), conditions: conditions(pack, names) }
}

fn categories(pack: &Pack) -> impl Iterator<Item = CategoryId> {
    (0..pack.categories.len()).map(|index| CategoryId(u8::try_from(index).unwrap()))
}

fn view(pack: &Pack, question: &Question, category: &str) -> View {
    scruple_policy::table(pack, question).unwrap().view(pack.category(category).unwrap())
}

/// The shipped pack with one text in one file replaced; the text must stand there exactly once.
fn changed(file: &str, from: &str, to: &str) -> PackFiles {
    let mut files = PackFiles::embedded();
    let text = files.0.get_mut(file).unwrap_or_else(|| panic!("no {file}"));
    assert_eq!(text.matches(from).count(), 1, "`{from}` in {file}");
    *text = text.replacen(from, to, 1);
    files
}

/// The shipped pack with a file more.
fn with(file: &str, text: &str) -> PackFiles {
    let mut files = PackFiles::embedded();
    files.0.insert(file.to_owned(), text.to_owned());
    files
}
