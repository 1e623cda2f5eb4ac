//! The resources of one type in the server's own order, and what its parameters read of them, by column.
//!
//! Nothing is added later: a server is built once, and its pages need no snapshot. Searches see current versions alone.

use super::criterion::Criterion;
use super::parameters::{self, Parameter};
use super::value::{System, Value, Word, Words, read};
use super::when::Span;
use serde_json::Value as Json;
use std::cmp::Ordering;
use std::collections::HashMap;

/// A stored resource.
pub(super) struct Held {
    pub id: String,
    /// The bytes as they came.
    pub json: Vec<u8>,
    /// Whether they are a JSON object.
    pub is_object: bool,
    /// `meta.versionId`.
    pub version: Option<String>,
    /// `meta.lastUpdated`, in microseconds.
    pub updated: Option<i64>,
}

/// A version of a resource.
pub(super) enum Version {
    /// It stood like this.
    Stored(Held),
    /// It was deleted.
    Deleted(Deletion),
}

/// That a resource was deleted, which is a version too.
pub(super) struct Deletion {
    pub version: String,
    /// When, in microseconds.
    pub updated: i64,
}

impl Version {
    const fn as_ref(&self) -> At<'_> {
        match self {
            Self::Stored(held) => At::Stored(held),
            Self::Deleted(deletion) => At::Deleted(deletion),
        }
    }
}

/// What a resource was at a version.
#[derive(Clone, Copy)]
pub(super) enum At<'a> {
    Stored(&'a Held),
    Deleted(&'a Deletion),
}

impl At<'_> {
    pub fn version(&self) -> Option<&str> {
        match self {
            Self::Stored(held) => held.version.as_deref(),
            Self::Deleted(deletion) => Some(&deletion.version),
        }
    }

    pub const fn updated(&self) -> Option<i64> {
        match self {
            Self::Stored(held) => held.updated,
            Self::Deleted(deletion) => Some(deletion.updated),
        }
    }
}

/// All resources of one type. Places are in the default order: last updated first, then by id; those that do not say when
/// behind them, as they were loaded.
pub(super) struct Shelf {
    pub parameters: &'static [Parameter],
    columns: Vec<Column>,
    resources: Vec<Held>,
    places: HashMap<String, u32>,
    /// By id: earlier versions, oldest first. Of a resource that is deleted the last is its deletion, and no place has its id.
    past: HashMap<String, Vec<Version>>,
    /// How many can be searched: those behind are no JSON objects.
    searchable: u32,
}

/// What one parameter reads: values in the order of their places, and for words the places that hold them.
#[derive(Default)]
struct Column {
    values: Vec<Value>,
    /// By place: where its values end. They begin where those of the place before end.
    ends: Vec<usize>,
    index: HashMap<Word, Vec<u32>>,
}

/// How matches are sorted.
pub(super) struct Order {
    pub by: SortBy,
    pub descending: bool,
}

#[derive(Clone, Copy)]
pub(super) enum SortBy {
    Updated,
    Column(usize),
}

/// The part of a value that sorts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum SortKey<'a> {
    Number(i64),
    Text(&'a str),
}

impl Shelf {
    /// What the resource is now. None: there never was one.
    pub fn resource(&self, id: &str) -> Option<At<'_>> {
        self.past_and_present(id).next_back()
    }

    /// What it was at that version.
    pub fn version(&self, id: &str, version: &str) -> Option<At<'_>> {
        self.past_and_present(id).find(|at| at.version() == Some(version))
    }

    /// All versions of a resource, oldest first.
    pub fn past_and_present(&self, id: &str) -> impl DoubleEndedIterator<Item = At<'_>> {
        let past = self.past.get(id).map_or(&[][..], Vec::as_slice);
        let present = self.places.get(id).and_then(|place| self.at(*place)).map(At::Stored);
        past.iter().map(Version::as_ref).chain(present)
    }

    pub fn at(&self, place: u32) -> Option<&Held> {
        usize::try_from(place).ok().and_then(|place| self.resources.get(place))
    }

    /// The column of a parameter.
    pub fn column(&self, name: &str) -> Option<(usize, &'static Parameter)> {
        self.parameters.iter().enumerate().find(|(_, parameter)| parameter.name == name)
    }

    /// The places that match all criteria, in the default order.
    pub fn find(&self, criteria: &[Criterion], words: &Words) -> Vec<u32> {
        let matches = |place: &u32| {
            criteria.iter().all(|criterion| {
                let values = self.columns.get(criterion.column).map_or(&[][..], |column| column.at(*place));
                values.iter().any(|value| criterion.matches(*value, words))
            })
        };
        let fewest = criteria.iter().filter_map(|criterion| self.candidates(criterion)).min_by_key(Vec::len);
        match fewest {
            Some(mut places) => {
                places.retain(matches);
                places
            }
            None => (0..self.searchable).filter(matches).collect(),
        }
    }

    /// The places of which the index knows that no other can match. None: the index does not tell.
    fn candidates(&self, criterion: &Criterion) -> Option<Vec<u32>> {
        let keys = criterion.keys()?;
        let index = &self.columns.get(criterion.column)?.index;
        let mut places: Vec<u32> = keys.iter().filter_map(|key| index.get(key)).flatten().copied().collect();
        places.sort_unstable();
        places.dedup();
        Some(places)
    }

    /// Sorts by each order in turn; what lacks a value comes last, and equals stay in the default order.
    pub fn sort(&self, places: &mut [u32], orders: &[Order], words: &Words) {
        // From the last order to the first, for the sort is stable.
        for order in orders.iter().rev() {
            places.sort_by_cached_key(|place| {
                let key = self.sort_key(*place, order, words);
                Directed { key, descending: order.descending }
            });
        }
    }

    fn sort_key<'a>(&'a self, place: u32, order: &Order, words: &'a Words) -> Option<SortKey<'a>> {
        let column = match order.by {
            SortBy::Updated => return self.at(place)?.updated.map(SortKey::Number),
            SortBy::Column(column) => self.columns.get(column)?,
        };
        let keys = column.at(place).iter().filter_map(|value| match *value {
            Value::Token { code, .. } => code.map(|code| SortKey::Text(words.text(code))),
            Value::Text(word) | Value::Reference { id: word, .. } | Value::Whole { full: word, .. } => {
                Some(SortKey::Text(words.text(word)))
            }
            Value::Date(span) => Some(SortKey::Number(if order.descending { span.to } else { span.from })),
        });
        if order.descending { keys.max() } else { keys.min() }
    }
}

#[derive(PartialEq, Eq)]
struct Directed<'a> {
    key: Option<SortKey<'a>>,
    descending: bool,
}

impl PartialOrd for Directed<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Directed<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.key, other.key) {
            (Some(mine), Some(theirs)) if self.descending => theirs.cmp(&mine),
            (Some(mine), Some(theirs)) => mine.cmp(&theirs),
            (mine, theirs) => theirs.is_some().cmp(&mine.is_some()),
        }
    }
}

impl Column {
    fn at(&self, place: u32) -> &[Value] {
        let Ok(place) = usize::try_from(place) else { return &[] };
        let start = place.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied());
        let range = start.zip(self.ends.get(place).copied());
        range.and_then(|(start, end)| self.values.get(start..end)).unwrap_or_default()
    }

    /// The values of the next place.
    fn push(&mut self, place: u32, values: Vec<Value>) {
        for value in values {
            self.values.push(value);
            for key in value.keys() {
                let places = self.index.entry(key).or_default();
                if places.last() != Some(&place) {
                    places.push(place);
                }
            }
        }
        self.ends.push(self.values.len());
    }

    fn shrink(&mut self) {
        if self.values.is_empty() {
            self.ends.clear();
        }
        self.ends.shrink_to_fit();
        self.values.shrink_to_fit();
        self.index.shrink_to_fit();
        self.index.values_mut().for_each(Vec::shrink_to_fit);
    }
}

/// A shelf that is being filled.
pub(super) struct Draft {
    parameters: &'static [Parameter],
    /// None: it was deleted.
    books: Vec<Option<Book>>,
    numbers: HashMap<String, usize>,
    past: HashMap<String, Vec<Version>>,
}

struct Book {
    held: Held,
    /// By column. None: no JSON object, so that no search finds it.
    values: Option<Vec<Vec<Value>>>,
}

impl Draft {
    pub fn new(resource_type: &str) -> Self {
        Self {
            parameters: parameters::of(resource_type),
            books: Vec::new(),
            numbers: HashMap::new(),
            past: HashMap::new(),
        }
    }

    /// Adds a resource, or replaces the one with this id, which becomes a version if it has a `meta.versionId` and the new one
    /// has another.
    pub fn put(&mut self, id: String, json: Vec<u8>, words: &mut Words) {
        let parsed = serde_json::from_slice::<Json>(&json).ok().filter(Json::is_object);
        let values = parsed.as_ref().map(|resource| self.values(&id, resource, words));
        let meta = parsed.as_ref().and_then(|resource| resource.get("meta"));
        let text = |key: &str| meta.and_then(|meta| meta.get(key)).and_then(Json::as_str);
        let updated = text("lastUpdated").and_then(Span::parse).map(|span| span.from);
        let version = text("versionId").map(str::to_owned);
        let book = Book {
            held: Held { id: id.clone(), json, is_object: values.is_some(), version: version.clone(), updated },
            values,
        };
        self.supersede(id, Some(book), version.as_deref());
    }

    /// Says that the resource with this id was deleted.
    pub fn delete(&mut self, id: String, version: String, updated: i64) {
        self.supersede(id.clone(), None, Some(&version));
        self.past.entry(id).or_default().push(Version::Deleted(Deletion { version, updated }));
    }

    /// Puts the one in the place of the other, and the other to the past.
    fn supersede(&mut self, id: String, book: Option<Book>, version: Option<&str>) {
        let number = *self.numbers.entry(id.clone()).or_insert(self.books.len());
        if number == self.books.len() {
            self.books.push(None);
        }
        let old = self.books.get_mut(number).and_then(|place| std::mem::replace(place, book));
        let mut past = self.past.remove(&id).unwrap_or_default();
        past.extend(old.filter(|old| old.held.version.is_some()).map(|old| Version::Stored(old.held)));
        // A version stands once, as it came last.
        past.retain(|old| version.is_none() || old.as_ref().version() != version);
        if !past.is_empty() {
            self.past.insert(id, past);
        }
    }

    /// By column.
    fn values(&self, id: &str, resource: &Json, words: &mut Words) -> Vec<Vec<Value>> {
        let of = |parameter: &Parameter| match parameter.paths.as_slice() {
            [] => vec![Value::Token { system: System::Foreign, code: Some(words.add(id)) }],
            _ => read(parameter, resource, words),
        };
        self.parameters.iter().map(of).collect()
    }

    /// Puts everything in its place.
    pub fn finish(self) -> Shelf {
        let Self { parameters, books, past, .. } = self;
        let mut books: Vec<Book> = books.into_iter().flatten().collect();
        // Stable: without a time they stay as they were loaded.
        books.sort_by(|one, other| {
            let unreadable = one.values.is_none().cmp(&other.values.is_none());
            unreadable.then_with(|| match (one.held.updated, other.held.updated) {
                (Some(mine), Some(theirs)) => theirs.cmp(&mine).then_with(|| one.held.id.cmp(&other.held.id)),
                (mine, theirs) => theirs.is_some().cmp(&mine.is_some()),
            })
        });
        let mut columns: Vec<Column> = parameters.iter().map(|_| Column::default()).collect();
        let mut places = HashMap::with_capacity(books.len());
        let mut resources = Vec::with_capacity(books.len());
        let mut searchable = 0;
        for (place, book) in (0_u32..).zip(books) {
            if let Some(values) = book.values {
                searchable = place + 1;
                for (column, values) in columns.iter_mut().zip(values) {
                    column.push(place, values);
                }
            }
            places.insert(book.held.id.clone(), place);
            resources.push(book.held);
        }
        columns.iter_mut().for_each(Column::shrink);
        Shelf { parameters, columns, resources, places, past, searchable }
    }
}
