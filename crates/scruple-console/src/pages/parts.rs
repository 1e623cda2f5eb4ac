//! Small parts that the views share: values ready for the page. None of them decides anything.

use crate::words::Mark;

/// A moment: for machines, and as people say it.
#[derive(Clone, Default)]
pub(crate) struct When {
    /// For `<time datetime>`: `2026-03-01T08:00:00Z`.
    pub(crate) iso: String,
    /// `1 March, 08:00`, in the reader's time zone.
    pub(crate) words: String,
}

/// A phrase of policy and the code behind it, which shows on hover.
#[derive(Clone)]
pub(crate) struct Coded {
    pub(crate) words: String,
    pub(crate) code: String,
}

/// What stands between the phrases of a list, and before its last: phrases with commas of their own are told apart by more.
pub(crate) fn separators<'a>(mut all: impl Iterator<Item = &'a Coded>) -> (&'static str, &'static str) {
    if all.any(|coded| coded.words.contains(',')) { ("; ", "; and ") } else { (", ", " and ") }
}

/// A person in a sentence.
#[derive(Clone)]
pub(crate) struct Person {
    /// `/people/{id}`; empty where the reader may not open the person's page.
    pub(crate) href: String,
    pub(crate) name: String,
    /// `RN, 4 West`.
    pub(crate) job: String,
}

/// A link.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) href: String,
    pub(crate) label: String,
}

/// An option of a select or a group of radio buttons.
#[derive(Clone)]
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) chosen: bool,
}

/// A text as it was typed, and what is wrong with it.
#[derive(Clone, Default)]
pub(crate) struct Field {
    pub(crate) value: String,
    /// One sentence that says what to do.
    pub(crate) error: Option<String>,
    /// The browser asks for it before it sends the form.
    pub(crate) required: bool,
}

impl Field {
    pub(crate) fn required(self) -> Self {
        Self { required: true, ..self }
    }
}

/// Options, and what is wrong with the choice.
#[derive(Clone, Default)]
pub(crate) struct Pick {
    pub(crate) choices: Vec<Choice>,
    pub(crate) error: Option<String>,
    /// The browser asks for it before it sends the form.
    pub(crate) required: bool,
}

impl Pick {
    pub(crate) fn required(self) -> Self {
        Self { required: true, ..self }
    }
}

/// A text that is read before something is done, with the box for it: the field `acknowledged`.
#[derive(Clone)]
pub(crate) struct Reading {
    /// The value of the box: which text it is.
    pub(crate) id: String,
    pub(crate) sentences: Vec<String>,
    pub(crate) chosen: bool,
    pub(crate) error: Option<String>,
}

/// Where in a list the page is.
#[derive(Clone, Default)]
pub(crate) struct Paging {
    /// Number of the first row on the page, of the last one, and of all rows.
    pub(crate) first: usize,
    pub(crate) last: usize,
    pub(crate) all: usize,
    /// The page before, the page after.
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

/// How a column is sorted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Unsorted,
    Up,
    Down,
}

/// The head of a column that sorts its table.
#[derive(Clone)]
pub(crate) struct Sort {
    pub(crate) href: String,
    pub(crate) order: Order,
}

/// Something that happened, in a history: the state after it, and a sentence of `words`.
#[derive(Clone)]
pub(crate) struct Happened {
    pub(crate) at: When,
    pub(crate) mark: Mark,
    pub(crate) sentence: String,
    /// In a person's own words.
    pub(crate) said: Option<String>,
}

impl Sort {
    /// For `aria-sort`.
    pub(crate) const fn aria(&self) -> &'static str {
        match self.order {
            Order::Unsorted => "none",
            Order::Up => "ascending",
            Order::Down => "descending",
        }
    }

    /// The sign beside the label.
    pub(crate) const fn sign(&self) -> &'static str {
        match self.order {
            Order::Unsorted => "↕",
            Order::Up => "↑",
            Order::Down => "↓",
        }
    }
}
