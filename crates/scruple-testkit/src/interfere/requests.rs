//! What an outsider asks, by seed: reads, searches of every kind, walks over pages, and everything that LEAKS has tried.
//!
//! Values are drawn from both stores of a pair, hidden ones too, and most of all from what differs between them: the
//! request that matters is the one that asks for the hidden birth date itself.

mod more;
mod versions;

use super::oracle::{Decimal, Read, parameters, read};
use super::pairs::Pair;
use super::store::{Edit, Store, Stored};
use super::text::{escaped, query};
use super::wire::Request;
use crate::tree::Numbers;
use scruple_fhir::SearchParameter;
use std::sync::Arc;

/// One step of a sequence. What depends on an answer is worked out when it is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Asks this.
    Ask(Request),
    /// The page that the last answer's `next` link names, if it has one.
    Next,
    /// The last request once more.
    Again,
    /// The last answer's page token, spoilt.
    Spoilt(Spoil),
    /// The last read once more, with the ETag that it came with as `If-None-Match`.
    Revalidate,
}

/// What is done to a page token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Spoil {
    /// Its end is cut off.
    Cut,
    /// The character at this place (of its length) is another.
    Flipped(usize),
    /// It is sent for another resource type.
    OfAnotherType(&'static str),
    /// A parameter stands beside it.
    WithAParameter,
}

/// A sequence of steps over a pair, under a root such as `/fhir`.
#[must_use]
pub fn sequence(pair: &Pair, root: &str, numbers: &mut Numbers) -> Vec<Step> {
    let asker = Asker { pair, root };
    let ask = |request| vec![Step::Ask(request)];
    let maybe = |request: Option<Request>| request.map(Step::Ask).into_iter().collect();
    // Who has no history is refused alike, whatever he asks of it.
    let kinds = if pair.past.is_some() { 58 } else { 48 };
    match numbers.below(kinds) {
        0..=7 => asker.read_steps(numbers),
        8..=13 => ask(asker.search(numbers)),
        14..=16 => asker.walk(numbers),
        17..=22 => ask(asker.unsupported(numbers)),
        23 | 24 => ask(asker.odd_path(numbers)),
        25 => ask(asker.odd_headers(numbers)),
        26..=31 => asker.sorted_walk(numbers),
        32..=34 => maybe(asker.modified(numbers)),
        35..=37 => maybe(asker.chained(numbers)),
        38 | 39 => maybe(asker.behind(numbers)),
        40..=42 => maybe(asker.with_includes(numbers)),
        43 => maybe(asker.shaped(numbers)),
        44 => maybe(asker.compartment(numbers)),
        45 => ask(asker.everything(numbers)),
        _ => asker.of_versions(numbers),
    }
}

/// Parameters that are refused whatever they ask, with a value.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("_include", "*"),
    ("_revinclude", "*"),
    ("_include:iterate", "*"),
    ("_include", "Shoe:owner"),
    ("_include", "Observation:code"),
    ("_include:recurse", "Observation:performer"),
    ("_include:iterate", "Observation:performer:Shoe"),
    ("_revinclude", "Observation"),
    ("_revinclude", "Observation:shoe"),
    ("_revinclude:iterate", "Observation:subject:Patient:iterate"),
    ("_has:Observation:code:status", "final"),
    ("_has:Observation:patient", "pat-0001"),
    ("_has:Shoe:patient:code", "20447-9"),
    ("_has:Observation:patient:code:in", "http://own.example/ValueSet/hiv"),
    ("_has:Encounter:patient:_has:Observation:encounter:_has:Provenance:target:_has:Provenance:entity:_id", "1"),
    ("_filter", "birthdate gt 1980-01-01"),
    ("_text", "alcoholic"),
    ("_content", "alcoholic"),
    ("_elements", "shoe"),
    ("_elements", "name.family"),
    ("_elements", "_birthDate"),
    ("_summary", "true"),
    ("_contained", "both"),
    ("_list", "vip"),
    ("_query", "everyone"),
    ("_type", "Condition"),
    ("_lastUpdated", "last week"),
    ("_lastUpdated", "ne2020-01-01"),
    ("_tag", "batch"),
    ("_security", "http://terminology.hl7.org/CodeSystem/v3-ActCode|HIV"),
    ("_profile", "http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"),
    ("_source", "http://own.example/system/1"),
    ("_sort", "-shoe"),
    ("_sort", "--_id"),
    ("_sort", "_id,-_id,_id,-_id"),
    ("_sort", "value-quantity"),
    ("_sort", "_score"),
    ("_sort", "subject:Patient.name"),
    ("_count", "0"),
    ("_count", "-1"),
    ("_count", "many"),
    ("_total", "some"),
    ("_format", "xml"),
    ("_format", "application/fhir+xml"),
    ("_page", "AAAA"),
    ("_page", ""),
    ("birthdate:missing", "perhaps"),
    ("code:missing", "true,false"),
    ("birthdate:not", "1970-01-01"),
    ("birthdate:exact", "1970-01-01"),
    ("name:not", "Ana"),
    ("name:text", "Ana"),
    ("code:text", "HIV"),
    ("code:contains", "B2"),
    ("code:above", "B20"),
    ("code:in", "http://own.example/ValueSet/hiv"),
    ("subject:identifier", "http://hl7.org/fhir/sid/us-ssn|999-12-3456"),
    ("subject:Shoe", "1"),
    ("identifier:of-type", "http://terminology.hl7.org/CodeSystem/v2-0203|MR|1"),
    ("subject:Shoe.birthdate", "1970-01-01"),
    ("subject:Patient.shoe", "44"),
    ("subject:Patient.general-practitioner:PractitionerRole.practitioner.qualification.name", "x"),
    ("patient.general-practitioner.name", "x"),
    ("birthdate.year", "1970"),
    ("near", "42.3|-71.0|10"),
    ("phonetic", "Ana"),
    ("value-quantity", "1e3"),
    ("value-quantity", "5.4|mg"),
    ("value-quantity", "sa5.4"),
    ("code-value-quantity", "http://loinc.org|20447-9$gt1000"),
    ("Birthdate", "1970-01-01"),
    ("shoe-size", "44"),
    ("", "x"),
    ("birthdate", "ne1970-01-01"),
    ("birthdate", "ap1970"),
    ("birthdate", "the seventies"),
    ("birthdate", "1970-13-01"),
    ("birthdate", "1970-01-01T23:59:60"),
    ("name", " "),
    ("name", "a\\b"),
    ("code", "a,,b"),
    ("code", ""),
    ("code", "|"),
    ("patient", "http://own.example/fhir/Patient/pat-0001"),
    ("patient", "Patient/pat-0001/_history/1"),
];

/// Paths below the root; `{type}`, `{id}` and `{other}` stand for what is in the stores.
const PATHS: &[&str] = &[
    "//{type}/{id}",
    "/{type}//{id}",
    "/{type}/{id}/",
    "/{type}/{other}/../{id}",
    "/{type}/%2e%2e/{type}/{id}",
    "/{type}/%2E",
    "/{type}/..",
    "/{type}/{id};jsessionid=1",
    "/{type}/{id}%00",
    "/{type}/{id}%2F_history",
    "/{type}%2F{id}",
    "/{type}/{id}/_history",
    "/{type}/{id}/_history/1",
    "/{type}/_history",
    "/_history",
    "/_search",
    "/",
    "",
    "/metadata",
    "/{type}/{id}/$everything",
    "/{type}/$lastn",
    "/{type}/{id}/$meta",
    "/$graphql",
    "/{type}/{id}/Observation",
    "/{type}/{id}/*",
    "/Patient/{id}/Patient",
    "/Patient/{id}/Organization",
    "/Patient/{id}/$everything",
    "/Patient/{id}/Shoe",
    "/Patient/{id}/Observation/{other}",
    "/Patient/$everything",
    "/{type}/_search",
    "/shoe/{id}",
    "/Shoe/{id}",
    "/{id}",
    "/Basic/{id}",
    "/Binary/{id}",
    "/.well-known/../{type}/{id}",
];

const HEADERS: &[(&str, &str)] = &[
    ("If-None-Match", "*"),
    ("If-None-Match", "W/\"1\""),
    ("If-None-Match", "W/\"2\", \"3\""),
    ("If-Modified-Since", "Sat, 01 Mar 2025 00:00:00 GMT"),
    ("If-Match", "W/\"1\""),
    ("Range", "bytes=0-99"),
    ("Range", "bytes=-1"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("X-HTTP-Method-Override", "GET"),
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Prefix", "/other"),
    ("Forwarded", "host=evil.example"),
    ("Accept", "application/fhir+xml"),
    ("Accept", "text/html"),
    ("Accept", "*/*"),
    ("Accept", "application/fhir+json; fhirVersion=3.0"),
    ("Accept-Encoding", "gzip, br"),
    ("Prefer", "return=representation"),
    ("Prefer", "handling=lenient"),
    ("Content-Type", "text/plain"),
    ("X-Role", "physician"),
    ("X-Purpose-Of-Use", "TREAT"),
];

const METHODS: &[&str] = &["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];

struct Asker<'a> {
    pair: &'a Pair,
    root: &'a str,
}

impl Asker<'_> {
    fn either(&self, numbers: &mut Numbers) -> &Store {
        if numbers.chance(500) { &self.pair.a } else { &self.pair.b }
    }

    /// A raw resource of either store; half of the time one that a mutation touched.
    fn stored(&self, numbers: &mut Numbers) -> Option<&Arc<Stored>> {
        if numbers.chance(500)
            && let Some(mutation) = numbers.one_of(&self.pair.mutations)
            && let Some(edit) = numbers.one_of(&mutation.edits)
        {
            let (kind, id) = match edit {
                Edit::Put(stored) => (&stored.resource_type, &stored.id),
                Edit::Remove(kind, id) | Edit::Move(kind, id, _) | Edit::Past(kind, id, _) => (kind, id),
            };
            let (first, second) =
                if numbers.chance(500) { (&self.pair.a, &self.pair.b) } else { (&self.pair.b, &self.pair.a) };
            if let Some(found) = first.get(kind, id).or_else(|| second.get(kind, id)) {
                return Some(found);
            }
        }
        let store = self.either(numbers);
        store.at(numbers.below(store.len()))
    }

    fn read_steps(&self, numbers: &mut Numbers) -> Vec<Step> {
        let request = self.read(numbers);
        if numbers.chance(250) { vec![Step::Ask(request), Step::Revalidate] } else { vec![Step::Ask(request)] }
    }

    fn read(&self, numbers: &mut Numbers) -> Request {
        let (mut kind, mut id) = match self.stored(numbers) {
            Some(stored) => (stored.resource_type.clone(), stored.id.clone()),
            None => ("Patient".to_owned(), "1".to_owned()),
        };
        match numbers.below(12) {
            0 => id = format!("{id}x"),
            1 => {
                if let Some(other) = self.stored(numbers) {
                    kind.clone_from(&other.resource_type);
                }
            }
            2 => {
                let odd = ["a_b", "Ana Ruiz", "", "_search", "..", "%2e", "0", "a/b", "\u{e9}"];
                numbers.one_of(&odd).copied().unwrap_or_default().clone_into(&mut id);
                id = id.replace(' ', "%20").replace('\u{e9}', "%C3%A9");
            }
            _ => {}
        }
        Request::get(format!("{}/{kind}/{id}", self.root))
    }

    /// A search with criteria that can be read.
    fn search(&self, numbers: &mut Numbers) -> Request {
        let (kind, pairs) = self.criteria(numbers);
        self.sent(&kind, &pairs, numbers)
    }

    fn criteria(&self, numbers: &mut Numbers) -> (String, Vec<(String, String)>) {
        let Some(stored) = self.stored(numbers) else { return ("Patient".to_owned(), Vec::new()) };
        let count = numbers.one_of(&[0, 1, 1, 1, 1, 2, 2, 3]).copied().unwrap_or_default();
        self.criteria_of(stored, count, numbers)
    }

    /// So many criteria on what a resource holds, and what else may stand in a search.
    fn criteria_of(&self, stored: &Stored, count: usize, numbers: &mut Numbers) -> (String, Vec<(String, String)>) {
        let kind = stored.resource_type.clone();
        let mut pairs = Vec::new();
        let known = parameters(&kind);
        for _ in 0..count {
            // Of the parameters that read something of this resource, or of any.
            let telling: Vec<_> = known.iter().filter(|each| !read(&stored.value, &kind, each).is_empty()).collect();
            let chosen = if numbers.chance(900) {
                numbers.one_of(&telling).map(|each| **each)
            } else {
                numbers.one_of(&known).copied()
            };
            let Some(parameter) = chosen else { continue };
            let alternatives = 1 + numbers.below(3) * usize::from(numbers.chance(250));
            let values: Vec<String> = (0..alternatives)
                .filter_map(|number| {
                    let from = if number == 0 {
                        Some(stored)
                    } else {
                        self.stored(numbers).map(Arc::as_ref).filter(|other| other.resource_type == kind)
                    };
                    asked(&from?.value, &kind, parameter, numbers)
                })
                .collect();
            if !values.is_empty() {
                pairs.push((parameter.code.to_owned(), values.join(",")));
            }
        }
        if numbers.chance(150) {
            let place = numbers.below(pairs.len() + 1);
            pairs.insert(place, ("_sort".to_owned(), (*numbers.one_of(&["_id", "-_id"]).unwrap_or(&"_id")).to_owned()));
        }
        self.controls(&mut pairs, numbers);
        (kind, pairs)
    }

    /// Parameters that are no criteria, where none of their name stands yet.
    fn controls(&self, pairs: &mut Vec<(String, String)>, numbers: &mut Numbers) {
        let is_cut = |(name, _): &(String, String)| matches!(name.as_str(), "_elements" | "_summary");
        for (chance, name, values) in [
            (350, "_count", &["1", "2", "3", "5", "500"][..]),
            (400, "_total", &["accurate", "accurate", "none", "estimate"][..]),
            (60, "_summary", &["count", "count", "false", "text", "data"][..]),
            (80, "_format", &["json", "application/fhir+json", "application/fhir json"][..]),
        ] {
            let stands = pairs.iter().any(|pair| pair.0 == name || name == "_summary" && is_cut(pair));
            if numbers.chance(chance) && !stands {
                let value = numbers.one_of(values).copied().unwrap_or_default();
                let place = numbers.below(pairs.len() + 1);
                pairs.insert(place, (name.to_owned(), value.to_owned()));
            }
        }
    }

    fn sent(&self, kind: &str, pairs: &[(String, String)], numbers: &mut Numbers) -> Request {
        let written = query(pairs);
        if numbers.chance(350) {
            let request = Request::get(format!("{}/{kind}/_search", self.root));
            let request = request.with_header("Content-Type", "application/x-www-form-urlencoded");
            return Request { method: "POST".to_owned(), body: written.into_bytes(), ..request };
        }
        let request = Request::get(format!("{}/{kind}", self.root));
        if written.is_empty() { request } else { request.with_query(written) }
    }

    /// A search in small pages, walked to its end; sometimes with a spoilt token on the way.
    fn walk(&self, numbers: &mut Numbers) -> Vec<Step> {
        // Of a type with many visible resources, mostly, or there is nothing to walk.
        let visible = self.pair.view.get(numbers.below(self.pair.view.len()));
        let visible = visible.and_then(|(kind, id, _)| self.pair.a.get(kind, id)).filter(|_| numbers.chance(800));
        let Some(stored) = visible.or_else(|| self.stored(numbers)) else { return Vec::new() };
        let count = usize::from(numbers.chance(350));
        let (kind, mut pairs) = self.criteria_of(stored, count, numbers);
        pairs.retain(|(name, _)| name != "_count");
        pairs.push(("_count".to_owned(), (1 + numbers.below(5)).to_string()));
        let request = self.sent(&kind, &pairs, numbers);
        self.walked(request, &kind, 300, numbers)
    }

    /// A search and its pages; in so many of a thousand cases a spoilt token instead of them.
    fn walked(&self, request: Request, kind: &str, spoilt: usize, numbers: &mut Numbers) -> Vec<Step> {
        let mut steps = vec![Step::Ask(request)];
        if numbers.chance(spoilt) {
            steps.push(Step::Spoilt(match numbers.below(4) {
                0 => Spoil::Cut,
                1 => Spoil::OfAnotherType(if kind == "Patient" { "Observation" } else { "Patient" }),
                2 => Spoil::WithAParameter,
                _ => Spoil::Flipped(numbers.below(1_000)),
            }));
            return steps;
        }
        for _ in 0..1 + numbers.below(8) {
            steps.push(Step::Next);
            if numbers.chance(80) {
                steps.push(Step::Again);
            }
        }
        steps
    }

    fn unsupported(&self, numbers: &mut Numbers) -> Request {
        let (kind, mut pairs) = self.criteria(numbers);
        let (name, value) = numbers.one_of(UNSUPPORTED).copied().unwrap_or(("_has", "x"));
        let place = numbers.below(pairs.len() + 1);
        pairs.insert(place, (name.to_owned(), value.to_owned()));
        let request = self.sent(&kind, &pairs, numbers);
        if request.method == "POST" && numbers.chance(100) {
            return request.with_query("_count=1");
        }
        request
    }

    fn odd_path(&self, numbers: &mut Numbers) -> Request {
        let (kind, id) = self.stored(numbers).map_or(("Patient", "1"), |stored| (&stored.resource_type, &stored.id));
        let other = self.stored(numbers).map_or("1", |stored| stored.id.as_str());
        let path = numbers.one_of(PATHS).copied().unwrap_or_default();
        let path = path.replace("{type}", kind).replace("{id}", id).replace("{other}", other);
        let mut request = Request::get(format!("{}{path}", self.root));
        if numbers.chance(300) {
            numbers.one_of(METHODS).copied().unwrap_or("GET").clone_into(&mut request.method);
        }
        request
    }

    fn odd_headers(&self, numbers: &mut Numbers) -> Request {
        let mut request = if numbers.chance(600) { self.read(numbers) } else { self.search(numbers) };
        if numbers.chance(250) {
            numbers.one_of(METHODS).copied().unwrap_or("GET").clone_into(&mut request.method);
        }
        if let Some((name, value)) = numbers.one_of(HEADERS)
            && request.header(name).is_none()
        {
            request = request.with_header(name, value);
        }
        request
    }
}

/// A value that asks for what the parameter reads of a resource, if it reads anything.
#[must_use]
pub fn asked(
    resource: &serde_json::Value,
    kind: &str,
    parameter: &SearchParameter,
    numbers: &mut Numbers,
) -> Option<String> {
    let values = read(resource, kind, parameter);
    let text = match numbers.one_of(&values)? {
        Read::Coding { system, code } => {
            let system = escaped(system.as_deref().unwrap_or_default());
            let code = escaped(code.as_deref().unwrap_or_default());
            let written = match numbers.below(6) {
                0 if !system.is_empty() => format!("{system}|"),
                1 => format!("|{code}"),
                2 | 3 => code.clone(),
                _ => format!("{system}|{code}"),
            };
            if code.is_empty() || written == "|" { return None } else { written }
        }
        Read::Code(code) => escaped(code),
        Read::Text(text) => {
            let length = 1 + numbers.below(text.chars().count().min(60));
            let start: String = text.chars().take(length).collect();
            escaped(&if numbers.chance(300) { start.to_uppercase() } else { start })
        }
        Read::Date(range) => {
            let end = if range.from == i64::MIN { range.to } else { range.from };
            let written = scruple_core::Timestamp::from_micros(end).to_string();
            let length = numbers.one_of(&[4, 7, 10, 16, 19]).copied().unwrap_or(4);
            let zone = if length > 10 { "Z" } else { "" };
            let prefix =
                numbers.one_of(&["", "", "eq", "gt", "lt", "ge", "le", "sa", "eb"]).copied().unwrap_or_default();
            format!("{prefix}{}{zone}", written.get(..length)?)
        }
        Read::Reference(kind, id) => {
            if numbers.chance(500) {
                id.clone()
            } else {
                format!("{kind}/{id}")
            }
        }
        Read::Uri(uri) => escaped(uri),
        Read::Number(number) => asked_number(*number, numbers),
        Read::Quantity { value, system, code, unit } => {
            let number = asked_number(*value, numbers);
            let written = |text: &Option<String>| escaped(text.as_deref().unwrap_or_default());
            let (code, unit) = (written(code), written(unit));
            match numbers.below(4) {
                0 if !code.is_empty() => format!("{number}|{}|{code}", written(system)),
                1 if !code.is_empty() => format!("{number}||{code}"),
                2 if !unit.is_empty() => format!("{number}||{unit}"),
                _ => number,
            }
        }
    };
    (!text.is_empty() && text.len() < 300).then_some(text)
}

/// A number that finds this one, or nearly.
fn asked_number(number: Decimal, numbers: &mut Numbers) -> String {
    let prefix = numbers.one_of(&["", "", "eq", "gt", "lt", "ge", "le"]).copied().unwrap_or_default();
    let behind = match numbers.below(4) {
        0 => number.behind().saturating_sub(1),
        1 => number.behind() + 1,
        _ => number.behind(),
    };
    format!("{prefix}{}", number.written(behind))
}

#[cfg(test)]
mod tests;
