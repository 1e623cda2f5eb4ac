//! Whether a projection matches: one pass over the top of its bytes, and a look into what the criteria read.

use super::criterion::{Alternative, Prefix, System, Unit};
use super::decimal::{Decimal, Wanted};
use super::reads::{Path, Reads, Step};
use super::{Criterion, Test};
use crate::dictionary::dictionary;
use crate::json::Scanner;
use scruple_core::Span;
use std::borrow::Cow;
use std::cmp::Ordering;
use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::UnicodeNormalization as _;

/// Whether every criterion matches the resource in `bytes`, which is well formed: a projection.
#[must_use]
pub fn all_match(criteria: &[Criterion], bytes: &[u8]) -> bool {
    let mut met = 0_u128;
    let scan = Scanner::new(bytes);
    let _ = members(&scan, |scan, key| {
        for (index, criterion) in criteria.iter().enumerate() {
            let bit = 1 << (index & 127);
            if met & bit == 0 && criterion.reads.paths.iter().any(|path| meets(scan, key, path, 0, criterion)) {
                met |= bit;
            }
        }
    });
    criteria.iter().enumerate().all(|(index, criterion)| (met & 1 << (index & 127) != 0) == criterion.wants_a_value())
}

impl Criterion {
    /// Whether it is met by a value that is so, and not by there being none.
    const fn wants_a_value(&self) -> bool {
        !matches!(self.test, Test::None(_) | Test::Missing)
    }
}

/// Calls `found` for each value that a parameter reads.
fn values<'a>(reads: &Reads, bytes: &'a [u8], mut found: impl FnMut(&Scanner<'a>, &Step, &Path)) {
    let scan = Scanner::new(bytes);
    let _ = members(&scan, |scan, key| {
        for path in &reads.paths {
            walk(scan, key, path, 0, &mut |scan, step| {
                found(scan, step, path);
                false
            });
        }
    });
}

/// What a parameter points to, as type and id, in order and each once.
pub(super) fn targets(reads: &Reads, bytes: &[u8]) -> Vec<(String, String)> {
    let mut all = Vec::new();
    values(reads, bytes, |scan, step, path| {
        if step.type_name == "Reference"
            && let Some(literal) = literal_of(scan)
            && let Some((kind, id)) = type_and_id(&literal, path)
        {
            all.push((kind.to_owned(), id.to_owned()));
        }
    });
    all.sort();
    all.dedup();
    all
}

/// The keys by which a resource can be put in order.
pub(super) fn sort_values(reads: &Reads, bytes: &[u8], mut each: impl FnMut(SortValue)) {
    values(reads, bytes, |scan, step, path| match (reads.kind(), step.type_name) {
        ("date", _) => spans(scan, step.type_name, |span| each(SortValue::Span(span))),
        ("number", _) => each_number(scan, &mut each),
        ("string", type_name) => texts(scan, type_name, &mut |text| {
            each(SortValue::Text(fold(text)));
            false
        }),
        ("token", type_name) => codes(scan, type_name, path, &mut |_, code| {
            if let Some(code) = code {
                each(SortValue::Text(code.to_owned()));
            }
            false
        }),
        (_, "Reference") => {
            if let Some(literal) = literal_of(scan)
                && let Some((kind, id)) = type_and_id(&literal, path)
            {
                each(SortValue::Text(format!("{kind}/{id}")));
            }
        }
        _ => {
            if let Some(text) = text(scan) {
                each(SortValue::Text(text.into_owned()));
            }
        }
    });
}

/// A value by which a resource can be put in order.
pub(super) enum SortValue {
    Text(String),
    Span(Span),
    Number(Decimal),
}

fn each_number(scan: &Scanner<'_>, each: &mut impl FnMut(SortValue)) {
    if let Some(number) = decimal(scan) {
        each(SortValue::Number(number));
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

/// Calls `found` for each value at the end of a path that goes on with this key; true as soon as one says so.
fn walk<'a>(
    scan: &Scanner<'a>,
    key: &[u8],
    path: &Path,
    depth: usize,
    found: &mut dyn FnMut(&Scanner<'a>, &Step) -> bool,
) -> bool {
    let Some(step) = path.steps.get(depth).and_then(|steps| steps.iter().find(|step| step.key.as_bytes() == key))
    else {
        return false;
    };
    any_item(scan, |item| {
        if depth + 1 == path.steps.len() {
            return found(item, step);
        }
        let mut met = false;
        members(item, |inner, key| met = met || walk(inner, key, path, depth + 1, found));
        met
    })
}

fn meets(scan: &Scanner<'_>, key: &[u8], path: &Path, depth: usize, criterion: &Criterion) -> bool {
    walk(scan, key, path, depth, &mut |item, step| match &criterion.test {
        Test::Any(wanted) | Test::None(wanted) if criterion.kind() == "string" => {
            any_text(item, step.type_name, |text| text_meets(text, wanted))
        }
        Test::Any(wanted) | Test::None(wanted) => wanted.iter().any(|wanted| value_meets(item, step, path, wanted)),
        Test::Missing | Test::There => is_read(criterion.reads.kind(), item, step, path),
        Test::Among(among) => literal_of(item)
            .is_some_and(|literal| type_and_id(&literal, path).is_some_and(|(kind, id)| among.has(kind, id))),
        Test::Ids(ids) => text(item).is_some_and(|id| ids.contains(&*id)),
    })
}

/// Whether anything is read of the value here.
fn is_read(kind: &str, scan: &Scanner<'_>, step: &Step, path: &Path) -> bool {
    let mut any = false;
    match (kind, step.type_name) {
        ("token", type_name) => codes(scan, type_name, path, &mut |_, _| {
            any = true;
            true
        }),
        ("string", type_name) => texts(scan, type_name, &mut |_| {
            any = true;
            true
        }),
        ("date", type_name) => spans(scan, type_name, |_| any = true),
        ("number", _) => any = decimal(scan).is_some(),
        ("quantity", type_name) => any = measure(scan, type_name).is_some(),
        (_, "Reference") => any = literal_of(scan).is_some_and(|literal| type_and_id(&literal, path).is_some()),
        _ => any = text(scan).is_some(),
    }
    any
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
        Alternative::Token { system, code } => {
            let mut met = false;
            codes(scan, step.type_name, path, &mut |has, value| {
                met = coded_meets(has, value, system, code.as_deref());
                met
            });
            met
        }
        // Of strings all are asked at one time, so that a text is folded once.
        Alternative::Text(_) | Alternative::Contains(_) | Alternative::Exact(_) => false,
        Alternative::Date { prefix, span } => {
            let mut met = false;
            spans(scan, step.type_name, |value| met = met || compare(value, *prefix, *span));
            met
        }
        Alternative::Number { prefix, number } => decimal(scan).is_some_and(|value| measures(value, *prefix, *number)),
        Alternative::Quantity { prefix, number, unit } => measure(scan, step.type_name).is_some_and(|has| {
            measures(has.value, *prefix, *number) && unit.as_ref().is_none_or(|unit| has.is_in(unit))
        }),
        Alternative::Reference { resource_type, id } => {
            let literal = if step.type_name == "Reference" { literal_of(scan) } else { None };
            literal.is_some_and(|literal| {
                type_and_id(&literal, path)
                    .is_some_and(|(kind, own)| own == id && resource_type.is_none_or(|wanted| wanted == kind))
            })
        }
        Alternative::Uri(wanted) => text(scan).is_some_and(|value| {
            let canonical =
                path.steps.last().is_some_and(|steps| steps.iter().any(|step| step.type_name == "canonical"));
            value == *wanted || canonical && value.split_once('|').is_some_and(|(url, _)| url == wanted)
        }),
    }
}

/// System and code, as a token has them: of a type without a system of its own the code alone, whatever system is asked.
#[derive(Clone, Copy)]
enum Coded<'a> {
    Of(Option<&'a str>),
    Bare,
}

/// A value with a system that it has, or has not.
fn coded_meets(has: Coded<'_>, value: Option<&str>, system: &System, code: Option<&str>) -> bool {
    let Coded::Of(has) = has else { return code.is_some() && value == code };
    let system_meets = match system {
        System::Any => true,
        System::None => has.is_none(),
        System::Is(wanted) => has == Some(wanted),
    };
    system_meets && code.is_none_or(|code| value == Some(code))
}

/// Calls `each` with what a token reads of the value here, until it says true.
fn codes(scan: &Scanner<'_>, type_name: &str, path: &Path, each: &mut dyn FnMut(Coded<'_>, Option<&str>) -> bool) {
    let two = |scan: &Scanner<'_>, name: &[u8], each: &mut dyn FnMut(Coded<'_>, Option<&str>) -> bool| {
        let [has, value] = scan.find([b"system", name]).unwrap_or_default();
        let (has, value) = (text_of(scan, has), text_of(scan, value));
        each(Coded::Of(has.as_deref()), value.as_deref())
    };
    match type_name {
        "Coding" => _ = two(scan, b"code", each),
        "Identifier" => _ = two(scan, b"value", each),
        "CodeableConcept" => {
            let [codings] = scan.find([b"coding"]).unwrap_or_default();
            if let Some(at) = codings {
                any_item(&scan.fork(at), |coding| two(coding, b"code", each));
            }
        }
        "ContactPoint" => {
            let [has, value] = scan.find([b"system", b"value"]).unwrap_or_default();
            let fits = path.system.is_none_or(|wanted| text_of(scan, has).as_deref() == Some(wanted));
            if let Some(value) = text_of(scan, value).filter(|_| fits) {
                each(Coded::Bare, Some(&value));
            }
        }
        "boolean" => {
            let mut ahead = scan.fork(scan.at);
            match ahead.peek() {
                b't' => _ = each(Coded::Bare, Some("true")),
                b'f' => _ = each(Coded::Bare, Some("false")),
                _ => {}
            }
        }
        // Of `deceased[x]` alone: who has a date of death is dead.
        "dateTime" => {
            if text(scan).is_some() {
                each(Coded::Bare, Some("true"));
            }
        }
        _ => {
            if let Some(value) = text(scan) {
                each(Coded::Bare, Some(&value));
            }
        }
    }
}

fn text_meets(text: &str, wanted: &[Alternative]) -> bool {
    let folded = fold(text);
    wanted.iter().any(|wanted| match wanted {
        Alternative::Text(wanted) => folded.starts_with(wanted),
        Alternative::Contains(wanted) => folded.contains(wanted),
        Alternative::Exact(wanted) => text == wanted,
        _ => false,
    })
}

fn any_text(scan: &Scanner<'_>, type_name: &str, meets: impl Fn(&str) -> bool) -> bool {
    let mut met = false;
    texts(scan, type_name, &mut |text| {
        met = meets(text);
        met
    });
    met
}

/// Calls `each` with each text of the value here, until it says true.
fn texts(scan: &Scanner<'_>, type_name: &str, each: &mut dyn FnMut(&str) -> bool) {
    let parts: &[&[u8]] = match type_name {
        "HumanName" => &[b"text", b"family", b"given", b"prefix", b"suffix"],
        "Address" => &[b"text", b"line", b"city", b"district", b"state", b"postalCode", b"country"],
        _ => {
            if let Some(text) = text(scan) {
                each(&text);
            }
            return;
        }
    };
    let mut done = false;
    members(scan, |inner, key| {
        done = done || parts.contains(&key) && any_item(inner, |item| text(item).is_some_and(|text| each(&text)));
    });
}

/// Text as searches compare it: without marks, in lower case, each run of white space one space.
pub(super) fn fold(text: &str) -> String {
    let marked = text.nfd().filter(|letter| get_general_category(*letter) != GeneralCategory::NonspacingMark);
    let lower: String = marked.flat_map(char::to_lowercase).collect();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Calls `each` with each stretch of time that the value here means.
fn spans(scan: &Scanner<'_>, type_name: &str, mut each: impl FnMut(Span)) {
    let span = |scan: &Scanner<'_>| text(scan).and_then(|value| Span::parse(&value));
    match type_name {
        "Period" => {
            let [start, end] = scan.find([b"start", b"end"]).unwrap_or_default();
            if start.is_none() && end.is_none() {
                return;
            }
            let from = start.map_or(Some(Span::ALWAYS.from), |at| span(&scan.fork(at)).map(|span| span.from));
            let to = end.map_or(Some(Span::ALWAYS.to), |at| span(&scan.fork(at)).map(|span| span.to));
            if let Some((from, to)) = from.zip(to) {
                each(Span { from, to });
            }
        }
        "Timing" => {
            let [events] = scan.find([b"event"]).unwrap_or_default();
            if let Some(at) = events {
                any_item(&scan.fork(at), |event| {
                    span(event).into_iter().for_each(&mut each);
                    false
                });
            }
        }
        _ => span(scan).into_iter().for_each(each),
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

fn measures(value: Decimal, prefix: Prefix, asked: Wanted) -> bool {
    match prefix {
        Prefix::Greater | Prefix::StartsAfter => asked.order_of(value) == Ordering::Greater,
        Prefix::Less | Prefix::EndsBefore => asked.order_of(value) == Ordering::Less,
        Prefix::GreaterOrEqual => asked.order_of(value) != Ordering::Less,
        Prefix::LessOrEqual => asked.order_of(value) != Ordering::Greater,
        Prefix::Equal => asked.is(value),
    }
}

/// The number here, as it is written.
fn decimal(scan: &Scanner<'_>) -> Option<Decimal> {
    let mut ahead = scan.fork(scan.at);
    if !matches!(ahead.peek(), b'-' | b'0'..=b'9') {
        return None;
    }
    Decimal::parse(std::str::from_utf8(ahead.number().ok()?).ok()?)
}

/// A value with its unit.
struct Measure<'a> {
    value: Decimal,
    system: Option<Cow<'a, str>>,
    code: Option<Cow<'a, str>>,
    unit: Option<Cow<'a, str>>,
}

impl Measure<'_> {
    fn is_in(&self, wanted: &Unit) -> bool {
        match wanted {
            Unit::Coded(system, code) => self.system.as_deref() == Some(system) && self.code.as_deref() == Some(code),
            Unit::Named(name) => self.code.as_deref() == Some(name) || self.unit.as_deref() == Some(name),
        }
    }
}

/// The system of the codes of currencies.
const CURRENCIES: &str = "urn:iso:std:iso:4217";

fn measure<'a>(scan: &Scanner<'a>, type_name: &str) -> Option<Measure<'a>> {
    let [value, comparator] = scan.find([b"value", b"comparator"]).ok()?;
    let value = decimal(&scan.fork(value.filter(|_| comparator.is_none())?))?;
    if type_name == "Money" {
        let [currency] = scan.find([b"currency"]).ok()?;
        let system = Some(Cow::Borrowed(CURRENCIES));
        return Some(Measure { value, system, code: text_of(scan, currency), unit: None });
    }
    let [system, code, unit] = scan.find([b"system", b"code", b"unit"]).ok()?;
    Some(Measure { value, system: text_of(scan, system), code: text_of(scan, code), unit: text_of(scan, unit) })
}

fn literal_of<'a>(scan: &Scanner<'a>) -> Option<Cow<'a, str>> {
    let [literal] = scan.find([b"reference"]).ok()?;
    text_of(scan, literal)
}

/// Type and id of a literal that the path reads.
fn type_and_id<'a>(literal: &'a str, path: &Path) -> Option<(&'a str, &'a str)> {
    let whole = literal.split_once("/_history/").map_or(literal, |(before, _)| before);
    let (kind, id) = whole.split_once('/')?;
    let is_read = path.target.is_none_or(|target| target == kind) && dictionary().resource(kind).is_some();
    is_read.then_some((kind, id))
}
