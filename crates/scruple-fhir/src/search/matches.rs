//! Whether a projection matches: one pass over the top of its bytes, and a look into what the criteria read.

use super::criterion::{Alternative, Prefix, System};
use super::reads::{Path, Step};
use super::{Criterion, Search};
use crate::json::Scanner;
use scruple_core::Span;
use std::borrow::Cow;
use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::UnicodeNormalization as _;

impl Search {
    /// Whether every criterion matches the resource in `bytes`, which is well formed: a projection.
    #[must_use]
    pub fn matches(&self, bytes: &[u8]) -> bool {
        let mut met = 0_u128;
        let all = (1_u128 << self.criteria.len().min(127)) - 1;
        let scan = Scanner::new(bytes);
        let _ = members(&scan, |scan, key| {
            for (index, criterion) in self.criteria.iter().enumerate() {
                let bit = 1 << (index & 127);
                if met & bit == 0 && criterion.paths.iter().any(|path| meets(scan, key, path, 0, criterion)) {
                    met |= bit;
                }
            }
        });
        met & all == all
    }
}

/// Calls `each` for every member of the object that begins here, with a scanner at its value.
fn members<'a>(scan: &Scanner<'a>, mut each: impl FnMut(&Scanner<'a>, &'a [u8])) -> Option<()> {
    let mut ahead = scan.fork(scan.at);
    if ahead.peek() != b'{' {
        return None;
    }
    let mut more = ahead.open(b'}').ok()?;
    while more {
        let key = ahead.key().ok()?;
        ahead.peek();
        each(&ahead.fork(ahead.at), key);
        ahead.skip().ok()?;
        more = ahead.more(b'}').ok()?;
    }
    Some(())
}

/// Calls `each` for the value here, or for every item if it is an array; true as soon as one says so.
fn any_item<'a>(scan: &Scanner<'a>, mut each: impl FnMut(&Scanner<'a>) -> bool) -> bool {
    let mut ahead = scan.fork(scan.at);
    if ahead.peek() != b'[' {
        return each(&ahead);
    }
    let Ok(mut more) = ahead.open(b']') else { return false };
    while more {
        ahead.peek();
        if each(&ahead.fork(ahead.at)) {
            return true;
        }
        let next = ahead.skip().and_then(|()| ahead.more(b']'));
        more = next.unwrap_or(false);
    }
    false
}

fn meets(scan: &Scanner<'_>, key: &[u8], path: &Path, depth: usize, criterion: &Criterion) -> bool {
    let Some(step) = path.steps.get(depth).and_then(|steps| steps.iter().find(|step| step.key.as_bytes() == key))
    else {
        return false;
    };
    any_item(scan, |item| {
        if depth + 1 == path.steps.len() {
            return criterion.alternatives.iter().any(|wanted| value_meets(item, step, path, wanted));
        }
        let mut met = false;
        members(item, |inner, key| met = met || meets(inner, key, path, depth + 1, criterion));
        met
    })
}

/// The text of the string here, escapes resolved.
fn text<'a>(scan: &Scanner<'a>) -> Option<Cow<'a, str>> {
    let mut ahead = scan.fork(scan.at);
    if ahead.peek() != b'"' {
        return None;
    }
    let start = ahead.at;
    let inner = ahead.string().ok()?;
    if memchr::memchr(b'\\', inner).is_none() {
        return std::str::from_utf8(inner).ok().map(Cow::Borrowed);
    }
    let whole = ahead.bytes.get(start..ahead.at)?;
    serde_json::from_slice::<String>(whole).ok().map(Cow::Owned)
}

fn text_of<'a>(scan: &Scanner<'a>, at: Option<usize>) -> Option<Cow<'a, str>> {
    text(&scan.fork(at?))
}

fn value_meets(scan: &Scanner<'_>, step: &Step, path: &Path, wanted: &Alternative) -> bool {
    match wanted {
        Alternative::Token { system, code } => token_meets(scan, step.type_name, path, system, code.as_deref()),
        Alternative::Text(wanted) => text_meets(scan, step.type_name, wanted),
        Alternative::Date { prefix, span } => date_meets(scan, step.type_name, *prefix, *span),
        Alternative::Reference { resource_type, id } => {
            step.type_name == "Reference" && reference_meets(scan, path, *resource_type, id)
        }
        Alternative::Uri(wanted) => text(scan).is_some_and(|value| {
            let canonical =
                path.steps.last().is_some_and(|steps| steps.iter().any(|step| step.type_name == "canonical"));
            value == *wanted || canonical && value.split_once('|').is_some_and(|(url, _)| url == wanted)
        }),
    }
}

/// A value with a system that it has, or has not.
fn coded_meets(has: Option<&str>, value: Option<&str>, system: &System, code: Option<&str>) -> bool {
    let system_meets = match system {
        System::Any => true,
        System::None => has.is_none(),
        System::Is(wanted) => has == Some(wanted),
    };
    system_meets && code.is_none_or(|code| value == Some(code))
}

fn token_meets(scan: &Scanner<'_>, type_name: &str, path: &Path, system: &System, code: Option<&str>) -> bool {
    let two = |scan: &Scanner<'_>, name: &[u8]| {
        let [has, value] = scan.find([b"system", name]).unwrap_or_default();
        let (has, value) = (text_of(scan, has), text_of(scan, value));
        coded_meets(has.as_deref(), value.as_deref(), system, code)
    };
    let is = |value: &str| code == Some(value);
    match type_name {
        "Coding" => two(scan, b"code"),
        "Identifier" => two(scan, b"value"),
        "CodeableConcept" => {
            let [codings] = scan.find([b"coding"]).unwrap_or_default();
            codings.is_some_and(|at| any_item(&scan.fork(at), |coding| two(coding, b"code")))
        }
        "ContactPoint" => {
            let [has, value] = scan.find([b"system", b"value"]).unwrap_or_default();
            let fits = path.system.is_none_or(|wanted| text_of(scan, has).as_deref() == Some(wanted));
            fits && text_of(scan, value).is_some_and(|value| is(&value))
        }
        "boolean" => {
            let mut ahead = scan.fork(scan.at);
            match ahead.peek() {
                b't' => is("true"),
                b'f' => is("false"),
                _ => false,
            }
        }
        // Of `deceased[x]` alone: who has a date of death is dead.
        "dateTime" => text(scan).is_some() && is("true"),
        _ => text(scan).is_some_and(|value| is(&value)),
    }
}

fn text_meets(scan: &Scanner<'_>, type_name: &str, wanted: &str) -> bool {
    let begins = |scan: &Scanner<'_>| text(scan).is_some_and(|value| fold(&value).starts_with(wanted));
    let parts: &[&[u8]] = match type_name {
        "HumanName" => &[b"text", b"family", b"given", b"prefix", b"suffix"],
        "Address" => &[b"text", b"line", b"city", b"district", b"state", b"postalCode", b"country"],
        _ => return begins(scan),
    };
    let mut met = false;
    members(scan, |inner, key| met = met || parts.contains(&key) && any_item(inner, begins));
    met
}

/// Text as searches compare it: without marks, in lower case, each run of white space one space.
pub(super) fn fold(text: &str) -> String {
    let marked = text.nfd().filter(|letter| get_general_category(*letter) != GeneralCategory::NonspacingMark);
    let lower: String = marked.flat_map(char::to_lowercase).collect();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn date_meets(scan: &Scanner<'_>, type_name: &str, prefix: Prefix, asked: Span) -> bool {
    let span = |scan: &Scanner<'_>| text(scan).and_then(|value| Span::parse(&value));
    match type_name {
        "Period" => {
            let [start, end] = scan.find([b"start", b"end"]).unwrap_or_default();
            if start.is_none() && end.is_none() {
                return false;
            }
            let from = start.map_or(Some(Span::ALWAYS.from), |at| span(&scan.fork(at)).map(|span| span.from));
            let to = end.map_or(Some(Span::ALWAYS.to), |at| span(&scan.fork(at)).map(|span| span.to));
            from.zip(to).is_some_and(|(from, to)| compare(Span { from, to }, prefix, asked))
        }
        "Timing" => {
            let [events] = scan.find([b"event"]).unwrap_or_default();
            let meets = |event: &Scanner<'_>| span(event).is_some_and(|span| compare(span, prefix, asked));
            events.is_some_and(|at| any_item(&scan.fork(at), meets))
        }
        _ => span(scan).is_some_and(|span| compare(span, prefix, asked)),
    }
}

const fn compare(value: Span, prefix: Prefix, asked: Span) -> bool {
    match prefix {
        Prefix::Equal => asked.contains(value),
        Prefix::Greater => value.to > asked.to,
        Prefix::Less => value.from < asked.from,
        Prefix::GreaterOrEqual => value.to > asked.to || asked.contains(value),
        Prefix::LessOrEqual => value.from < asked.from || asked.contains(value),
        Prefix::StartsAfter => value.from >= asked.to,
        Prefix::EndsBefore => value.to <= asked.from,
    }
}

fn reference_meets(scan: &Scanner<'_>, path: &Path, resource_type: Option<&str>, id: &str) -> bool {
    let [literal] = scan.find([b"reference"]).unwrap_or_default();
    let Some(literal) = text_of(scan, literal) else { return false };
    let whole = literal.split_once("/_history/").map_or(&*literal, |(before, _)| before);
    let Some((has_type, has_id)) = whole.split_once('/') else { return false };
    has_id == id
        && resource_type.is_none_or(|wanted| wanted == has_type)
        && path.target.is_none_or(|target| target == has_type)
}
