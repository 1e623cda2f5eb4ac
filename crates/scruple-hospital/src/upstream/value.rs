//! What is read of a resource: small values, made once when it is loaded (docs/search.md, section 2).
//!
//! Values of another type than the table says are not read, and neither are contained resources and extensions.

use super::fold::fold;
use super::parameters::{Parameter, Path, Reader};
use super::when::Span;
use serde_json::Value as Json;
use std::collections::HashMap;
use std::sync::Arc;

/// A string of the store, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Word(u32);

/// Every string once.
#[derive(Default)]
pub(super) struct Words {
    numbers: HashMap<Arc<str>, Word>,
    texts: Vec<Arc<str>>,
}

impl Words {
    /// The word of this text, a new one if there is none.
    pub fn add(&mut self, text: &str) -> Word {
        if let Some(word) = self.numbers.get(text) {
            return *word;
        }
        // Four thousand million strings do not fit into memory before this saturates.
        let word = Word(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, word);
        word
    }

    /// The word of this text. None: no value of the store is this text.
    pub fn find(&self, text: &str) -> Option<Word> {
        self.numbers.get(text).copied()
    }

    pub fn text(&self, word: Word) -> &str {
        usize::try_from(word.0).ok().and_then(|place| self.texts.get(place)).map_or("", |text| text)
    }
}

/// The system of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum System {
    Is(Word),
    /// The type has a system, the value has none.
    Missing,
    /// The type has none.
    Foreign,
}

/// One value that a criterion can match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Token {
        system: System,
        code: Option<Word>,
    },
    /// Folded.
    Text(Word),
    Date(Span),
    Reference {
        to: Word,
        id: Word,
    },
    /// A whole string, and the same up to its first `|`, which for kind `uri` is the whole again.
    Whole {
        full: Word,
        stem: Word,
    },
}

/// All that `parameter` reads of `resource`, each once.
pub(super) fn read(parameter: &Parameter, resource: &Json, words: &mut Words) -> Vec<Value> {
    let mut found = Found { words, values: Vec::new() };
    parameter.paths.iter().for_each(|path| found.walk(&path.steps, resource, path));
    found.values
}

struct Found<'a> {
    words: &'a mut Words,
    values: Vec<Value>,
}

impl Found<'_> {
    fn walk(&mut self, steps: &[&str], json: &Json, path: &Path) {
        match (json, steps.split_first()) {
            (Json::Array(items), _) => items.iter().for_each(|item| self.walk(steps, item, path)),
            (Json::Object(fields), Some((step, rest))) => {
                if let Some(inner) = fields.get(*step) {
                    self.walk(rest, inner, path);
                }
            }
            (Json::Object(fields), None) => {
                for leaf in &path.leaves {
                    each(fields.get(&leaf.key), &mut |value| self.read(leaf.reader, value));
                }
            }
            _ => {}
        }
    }

    fn read(&mut self, reader: Reader, json: &Json) {
        match reader {
            Reader::Coding => self.coded(json, "code"),
            Reader::Concept => each(json.get("coding"), &mut |coding| self.coded(coding, "code")),
            Reader::Identifier => self.coded(json, "value"),
            Reader::Contact(only) => {
                if only.is_none() || text(json, "system") == only {
                    self.code(text(json, "value"));
                }
            }
            Reader::Code => self.code(json.as_str()),
            Reader::Boolean => self.code(json.as_bool().map(|yes| if yes { "true" } else { "false" })),
            Reader::Stands => self.code(json.as_str().map(|_| "true")),
            Reader::Text => self.text(json.as_str()),
            Reader::HumanName => self.texts(json, &["text", "family", "given", "prefix", "suffix"]),
            Reader::Address => {
                self.texts(json, &["text", "line", "city", "district", "state", "postalCode", "country"]);
            }
            Reader::Moment => self.date(json.as_str().and_then(Span::parse)),
            Reader::Period => self.date(period(json)),
            Reader::Timing => each(json.get("event"), &mut |event| self.date(event.as_str().and_then(Span::parse))),
            Reader::Reference(only) => self.reference(text(json, "reference"), only),
            Reader::Canonical => {
                if let Some(full) = json.as_str() {
                    let stem = full.split('|').next().unwrap_or(full);
                    let value = Value::Whole { full: self.words.add(full), stem: self.words.add(stem) };
                    self.put(value);
                }
            }
            Reader::Uri => {
                if let Some(full) = json.as_str() {
                    let full = self.words.add(full);
                    self.put(Value::Whole { full, stem: full });
                }
            }
        }
    }

    fn put(&mut self, value: Value) {
        if !self.values.contains(&value) {
            self.values.push(value);
        }
    }

    /// A Coding or an Identifier.
    fn coded(&mut self, json: &Json, key: &str) {
        let system = text(json, "system").map(|system| self.words.add(system));
        let code = text(json, key).map(|code| self.words.add(code));
        if system.is_some() || code.is_some() {
            self.put(Value::Token { system: system.map_or(System::Missing, System::Is), code });
        }
    }

    fn code(&mut self, code: Option<&str>) {
        if let Some(code) = code {
            let code = Some(self.words.add(code));
            self.put(Value::Token { system: System::Foreign, code });
        }
    }

    fn texts(&mut self, json: &Json, keys: &[&str]) {
        keys.iter().for_each(|key| each(json.get(key), &mut |part| self.text(part.as_str())));
    }

    fn text(&mut self, text: Option<&str>) {
        if let Some(text) = text {
            let value = Value::Text(self.words.add(&fold(text)));
            self.put(value);
        }
    }

    fn date(&mut self, span: Option<Span>) {
        span.into_iter().for_each(|span| self.put(Value::Date(span)));
    }

    fn reference(&mut self, reference: Option<&str>, only: Option<&str>) {
        let Some((to, id)) = reference.and_then(split_reference) else { return };
        if only.is_none_or(|only| only == to) {
            let value = Value::Reference { to: self.words.add(to), id: self.words.add(id) };
            self.put(value);
        }
    }
}

/// Every value at a key, whether or not it is an array.
fn each(json: Option<&Json>, see: &mut impl FnMut(&Json)) {
    match json {
        Some(Json::Array(items)) => items.iter().for_each(see),
        Some(value) => see(value),
        None => {}
    }
}

fn text<'a>(json: &'a Json, key: &str) -> Option<&'a str> {
    json.get(key).and_then(Json::as_str)
}

/// Open ends reach to infinity. An end that is no date makes the Period unreadable.
fn period(json: &Json) -> Option<Span> {
    let end_of = |key: &str| json.get(key).map(|end| end.as_str().and_then(Span::parse));
    match (end_of("start"), end_of("end")) {
        (Some(start), Some(end)) => Some(Span { from: start?.from, to: end?.to }),
        (Some(start), None) => Some(Span { from: start?.from, to: Span::END }),
        (None, Some(end)) => Some(Span { from: Span::BEGINNING, to: end?.to }),
        (None, None) => None,
    }
}

/// `Type/id` or `Type/id/_history/v` as type and id.
fn split_reference(reference: &str) -> Option<(&str, &str)> {
    let mut parts = reference.split('/');
    let (to, id) = (parts.next()?, parts.next()?);
    let versioned = match (parts.next(), parts.next(), parts.next()) {
        (None, ..) => true,
        (Some("_history"), Some(version), None) => is_id(version),
        _ => false,
    };
    (is_type(to) && is_id(id) && versioned).then_some((to, id))
}

/// Whether it has the form of a resource type.
pub(super) fn is_type(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase()) && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Whether it has the form of a logical id.
pub(super) fn is_id(text: &str) -> bool {
    const ID_BYTES_MAX: usize = 64;
    (1..=ID_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}
