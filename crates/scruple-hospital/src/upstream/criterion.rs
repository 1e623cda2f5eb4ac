//! One criterion of a search: how its text is read, and which values it matches (docs/search.md, section 3).
//!
//! The words of a query are looked up in the store, never added to it: a text that no value has matches nothing.

use super::fold::fold;
use super::parameters::{Kind, Parameter};
use super::value::{System, Value, Word, Words, is_id, is_type};
use super::when::Span;

/// Alternatives of one parameter.
pub(super) const ALTERNATIVES_MAX: usize = 100;

/// A parameter of a search: the column that holds its values, and the alternatives of which one must match.
pub(super) struct Criterion {
    pub column: usize,
    tests: Vec<Test>,
}

/// One alternative. A `Some(None)` or `Is(None)` asks for a text that the store does not have.
enum Test {
    Token {
        system: Asked,
        code: Asked,
    },
    /// Folded.
    Text(String),
    Date(Prefix, Span),
    Reference {
        to: Asked,
        id: Asked,
    },
    Whole(Option<Word>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Any,
    Missing,
    Is(Option<Word>),
}

#[derive(Clone, Copy)]
enum Prefix {
    Eq,
    Gt,
    Lt,
    Ge,
    Le,
    Sa,
    Eb,
}

impl Criterion {
    /// Reads a decoded value. None: it cannot be read as a value of this kind.
    pub fn parse(column: usize, parameter: &Parameter, value: &str, words: &Words) -> Option<Self> {
        let alternatives = split(value, ',')?;
        if alternatives.len() > ALTERNATIVES_MAX {
            return None;
        }
        let test = |text: &str| {
            if text.is_empty() {
                return None;
            }
            match parameter.kind {
                Kind::Token => Test::token(text, words),
                Kind::Text => Some(Test::Text(fold(&plain(text)))),
                Kind::Date => Test::date(&plain(text)),
                Kind::Reference if !parameter.is_canonical() => Test::reference(&plain(text), words),
                Kind::Reference | Kind::Uri => Some(Test::Whole(words.find(&plain(text)))),
            }
        };
        let tests = alternatives.into_iter().map(test).collect::<Option<Vec<_>>>()?;
        Some(Self { column, tests })
    }

    /// Whether one of the alternatives matches this value.
    pub fn matches(&self, value: Value, words: &Words) -> bool {
        self.tests.iter().any(|test| test.matches(value, words))
    }

    /// Words of which every matching value holds one as its [`key`](Value::keys). None: no words tell.
    pub fn keys(&self) -> Option<Vec<Word>> {
        let mut keys = Vec::with_capacity(self.tests.len());
        for test in &self.tests {
            match test {
                Test::Token { code: Asked::Is(word), .. }
                | Test::Reference { id: Asked::Is(word), .. }
                | Test::Whole(word) => keys.extend(*word),
                _ => return None,
            }
        }
        Some(keys)
    }
}

impl Value {
    /// The words under which the index keeps a value.
    pub fn keys(self) -> impl Iterator<Item = Word> {
        let (first, second) = match self {
            Self::Token { code, .. } => (code, None),
            Self::Reference { id, .. } => (Some(id), None),
            Self::Whole { full, stem } => (Some(full), (stem != full).then_some(stem)),
            Self::Text(_) | Self::Date(_) => (None, None),
        };
        first.into_iter().chain(second)
    }
}

impl Test {
    fn token(text: &str, words: &Words) -> Option<Self> {
        let find = |text: &str| Asked::Is(words.find(&plain(text)));
        match *split(text, '|')?.as_slice() {
            [code] => Some(Self::Token { system: Asked::Any, code: find(code) }),
            ["", ""] => None,
            ["", code] => Some(Self::Token { system: Asked::Missing, code: find(code) }),
            [system, ""] => Some(Self::Token { system: find(system), code: Asked::Any }),
            [system, code] => Some(Self::Token { system: find(system), code: find(code) }),
            _ => None,
        }
    }

    fn date(text: &str) -> Option<Self> {
        let (prefix, rest) = match text.split_at_checked(2)? {
            ("eq", rest) => (Prefix::Eq, rest),
            ("gt", rest) => (Prefix::Gt, rest),
            ("lt", rest) => (Prefix::Lt, rest),
            ("ge", rest) => (Prefix::Ge, rest),
            ("le", rest) => (Prefix::Le, rest),
            ("sa", rest) => (Prefix::Sa, rest),
            ("eb", rest) => (Prefix::Eb, rest),
            _ => (Prefix::Eq, text),
        };
        // A `+` that nobody encoded has become a space.
        Span::parse(&rest.replace(' ', "+")).map(|span| Self::Date(prefix, span))
    }

    fn reference(text: &str, words: &Words) -> Option<Self> {
        let (to, id) = match text.split_once('/') {
            Some((to, id)) if is_type(to) => (Asked::Is(words.find(to)), id),
            Some(_) => return None,
            None => (Asked::Any, text),
        };
        is_id(id).then(|| Self::Reference { to, id: Asked::Is(words.find(id)) })
    }

    fn matches(&self, value: Value, words: &Words) -> bool {
        match (self, value) {
            (Self::Token { system, code }, Value::Token { system: of, code: has }) => {
                let right_system = match (system, of) {
                    // No system of its own: it goes by its code, and `system|` names none.
                    (_, System::Foreign) => *code != Asked::Any,
                    (Asked::Any, _) | (Asked::Missing, System::Missing) => true,
                    (Asked::Is(wanted), System::Is(system)) => *wanted == Some(system),
                    _ => false,
                };
                right_system && code.is(has)
            }
            (Self::Text(text), Value::Text(word)) => words.text(word).starts_with(text.as_str()),
            (Self::Date(prefix, span), Value::Date(of)) => prefix.holds(of, *span),
            (Self::Reference { to, id }, Value::Reference { to: of, id: has }) => to.is(Some(of)) && id.is(Some(has)),
            (Self::Whole(wanted), Value::Whole { full, stem }) => {
                wanted.is_some_and(|word| word == full || word == stem)
            }
            _ => false,
        }
    }
}

impl Asked {
    fn is(self, word: Option<Word>) -> bool {
        match self {
            Self::Any => true,
            Self::Missing => word.is_none(),
            Self::Is(wanted) => wanted.is_some() && wanted == word,
        }
    }
}

impl Prefix {
    fn holds(self, value: Span, text: Span) -> bool {
        let eq = text.from <= value.from && value.to <= text.to;
        match self {
            Self::Eq => eq,
            Self::Gt => value.to > text.to,
            Self::Lt => value.from < text.from,
            Self::Ge => eq || value.to > text.to,
            Self::Le => eq || value.from < text.from,
            Self::Sa => value.from >= text.to,
            Self::Eb => value.to <= text.from,
        }
    }
}

/// The parts between separators that no backslash takes, still escaped. None: a backslash before anything but `,`, `|`,
/// `$` and itself.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut letters = text.char_indices();
    while let Some((place, letter)) = letters.next() {
        if letter == '\\' {
            let (_, escaped) = letters.next()?;
            if !matches!(escaped, ',' | '|' | '$' | '\\') {
                return None;
            }
        } else if letter == separator {
            parts.push(text.get(start..place)?);
            start = place + separator.len_utf8();
        }
    }
    parts.push(text.get(start..)?);
    Some(parts)
}

/// Without its escapes, which [`split`] has checked.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        out.push(if letter == '\\' { letters.next().unwrap_or(letter) } else { letter });
    }
    out
}
