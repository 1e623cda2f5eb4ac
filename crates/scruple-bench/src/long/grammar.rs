//! Hostile requests into the closed grammar: method, path and query; what it takes is asked and judged.
//!
//! A case is a line: method, a space, a path, and perhaps `?` and a query.

use super::projector::hospital;
use super::run::Fuzz;
use super::{Draw, mutate};
use rand_chacha::ChaCha20Rng;
use scruple_fhir::request::{self, Interaction};
use scruple_fhir::search::{self, Asked, Condition, Criterion, Dialect, QueryFault, decode_pairs, encode};
use scruple_fhir::{TypeId, bundle, dictionary};
use std::collections::BTreeMap;

/// Stands in many values: no refusal may hold it.
const CANARY: &str = "Zq9canary";

/// Values that have a meaning somewhere.
const VALUES: &[&str] = &[
    "1",
    "p1",
    "Patient/p1",
    "Patient/p1/_history/2",
    "http://a.example/x|1",
    "http://loinc.org|8867-4",
    "|8867-4",
    "8867-4|",
    "2020-02-29",
    "ge2020-02",
    "sa2020-02-29T24:00:00Z",
    "eb2020-02-29T10:00:00.123456789+14:00",
    "ap2020",
    "-1.50e-3",
    "lt5.40|http://unitsofmeasure.org|mg",
    "true",
    "a,b,c",
    r"a\,b\$c\|d\\",
    "a$b",
    "José",
    "e\u{301}",
    "-date,_id",
    "Observation:patient:Patient",
    "summary",
    "count",
    "accurate",
    "0",
    "50",
    "99999999999999999999",
    "application/fhir+json",
    "",
    CANARY,
];
const MODIFIERS: &[&str] =
    &["", ":exact", ":contains", ":missing", ":not", ":text", ":identifier", ":Patient", ":iterate", ":x"];
const OWN: &[&str] = &[
    "_id",
    "_lastUpdated",
    "_sort",
    "_count",
    "_total",
    "_summary",
    "_elements",
    "_include",
    "_revinclude",
    "_format",
    "_page",
    "_has:Observation:patient:code",
    "_has:Encounter:patient:_has:Observation:encounter:code",
    "_filter",
    "_query",
    "subject.name",
    "patient:Patient.birthdate",
    "encounter.subject.name",
];

/// Values that a parameter of this name and kind takes.
fn values(name: &str, kind: &str) -> &'static [&'static str] {
    match (name, kind) {
        ("_count", _) => &["1", "50", "99999999"],
        ("_total", _) => &["accurate", "none"],
        ("_summary", _) => &["count", "text", "data", "false"],
        ("_elements", _) => &["status", "id,code", "subject"],
        ("_sort", _) => &["_id", "-_id", "-date,_id", "birthdate"],
        ("_include", _) => &["Observation:subject", "Observation:patient:Patient", "Encounter:subject"],
        ("_revinclude", _) => &["Observation:patient", "Encounter:subject", "Condition:encounter"],
        ("_format", _) => &["json", "application/fhir+json"],
        (_, "date") => &["2020-02-29", "ge2020-02", "lt2020-02-29T10:00:00.5Z", "sa2020", "ne2020-01-01"],
        (_, "number" | "quantity") => &["5.40", "ge-1.5", "lt5.40|http://unitsofmeasure.org|mg", "7||mg", "ne3"],
        (_, "reference") => &["Patient/p1", "p1", "Encounter/e1,Encounter/e2", "Patient/p1/_history/2"],
        (_, "uri") => &["http://a.example/x", "urn:oid:1.2"],
        _ => &["a", "true", "José", "http://loinc.org|8867-4", "|8867-4", "8867-4|"],
    }
}

/// The fuzzer.
pub struct FuzzGrammar {
    types: Vec<(TypeId, &'static str)>,
    records: BTreeMap<TypeId, Vec<Vec<u8>>>,
}

impl Default for FuzzGrammar {
    fn default() -> Self {
        Self::new()
    }
}

impl FuzzGrammar {
    /// With the resource types of R4 and records of the synthetic hospital.
    #[must_use]
    pub fn new() -> Self {
        let mut records: BTreeMap<TypeId, Vec<Vec<u8>>> = BTreeMap::new();
        for record in hospital(2) {
            if let Some((kind, _)) = bundle::identity(&record) {
                records.entry(kind).or_default().push(record);
            }
        }
        let names = ["Patient", "Observation", "Encounter", "Condition", "Claim", "Coverage", "Practitioner", "Bundle"];
        let known = |name: &'static str| dictionary().resource(name).map(|kind| (kind, name));
        Self { types: names.into_iter().filter_map(known).collect(), records }
    }

    fn query(draw: &mut Draw<'_>, kind: TypeId) -> String {
        let known = search::parameters(kind);
        let mut parts = Vec::new();
        for _ in 0..=draw.below(4) {
            let (name, sort) = match draw.below(4) {
                0 => (*draw.pick(OWN), ""),
                _ if known.is_empty() => ("_id", "token"),
                _ => *draw.pick(&known),
            };
            let modifier = if draw.once_in(4) { *draw.pick(MODIFIERS) } else { "" };
            let fitting = if draw.once_in(4) { VALUES } else { values(name, sort) };
            let value = match draw.below(8) {
                0 => format!("{},{}", draw.pick(fitting), draw.pick(fitting)),
                1 if draw.once_in(2) => format!("{}{CANARY}", draw.pick(VALUES)),
                _ => (*draw.pick(fitting)).to_owned(),
            };
            parts.push((format!("{name}{modifier}"), value));
        }
        encode(&parts).to_string()
    }

    fn request(&self, draw: &mut Draw<'_>) -> String {
        let (kind, name) = *draw.pick(&self.types);
        let path = match draw.below(12) {
            0 => format!("/{name}/p1"),
            1 => format!("/{name}/p1/_history/2"),
            2 => format!("/{name}/p1/_history"),
            3 => "/metadata".to_owned(),
            4 => format!("/Patient/p1/{name}"),
            5 => "/Patient/p1/$everything".to_owned(),
            6 => return format!("POST /{name}/_search?{}", Self::query(draw, kind)),
            7 => return "POST /".to_owned(),
            _ => format!("/{name}"),
        };
        format!("GET {path}?{}", Self::query(draw, kind))
    }

    /// What was taken is asked upstream and judged on records.
    fn check_search(&self, asked: &search::Search) -> Result<(), String> {
        if asked.count > 10_000 {
            return Err("a page has no bound".to_owned());
        }
        let echoed = encode(&asked.echo).to_string();
        if decode_pairs(&echoed).as_ref() != Some(&asked.echo) {
            return Err("what is echoed reads as something else".to_owned());
        }
        match search::parse(asked.resource_type, &asked.echo) {
            Ok(Asked::Search(again)) if again.echo == asked.echo && again.count == asked.count => {}
            _ => return Err("what is echoed is not taken again".to_owned()),
        }
        let mut own = Vec::new();
        for condition in &asked.conditions {
            innermost(asked.resource_type, condition, &mut own)?;
        }
        let here: Vec<Criterion> =
            own.iter().filter(|(kind, _)| *kind == asked.resource_type).map(|(_, one)| (*one).clone()).collect();
        for record in self.records.get(&asked.resource_type).into_iter().flatten() {
            let together = search::all_match(&here, record);
            let each = here.iter().all(|one| search::all_match(std::slice::from_ref(one), record));
            if together != each {
                return Err("criteria match together otherwise than each".to_owned());
            }
            for by in &asked.order {
                let key = by.key(record);
                if by.compare(&key, &key).is_ne() {
                    return Err("a key is not equal to itself".to_owned());
                }
            }
        }
        Ok(())
    }
}

/// The criteria of a condition, with the types that they are judged on; each is sent as pairs that read as they were sent.
fn innermost<'a>(kind: TypeId, condition: &'a Condition, all: &mut Vec<(TypeId, &'a Criterion)>) -> Result<(), String> {
    match condition {
        Condition::Own(criterion) => {
            for dialect in [Dialect::Standard, Dialect::Plain] {
                let sent = criterion.superset(dialect);
                if decode_pairs(&encode(&sent).to_string()).as_ref() != Some(&sent) {
                    return Err("what is sent reads as something else".to_owned());
                }
                if sent.iter().any(|(name, _)| name != criterion.name()) {
                    return Err("another parameter is sent than was asked".to_owned());
                }
            }
            all.push((kind, criterion));
            Ok(())
        }
        Condition::Chain(_, target, inner) => innermost(*target, inner, all),
        Condition::Has(source, _, inner) => innermost(*source, inner, all),
    }
}

fn says_nothing(fault: &QueryFault) -> Result<(), String> {
    let words = fault.to_string();
    if words.to_lowercase().contains(&CANARY.to_lowercase()) {
        Err("a refusal holds a value".to_owned())
    } else {
        Ok(())
    }
}

impl Fuzz for FuzzGrammar {
    fn name(&self) -> &'static str {
        "fuzz-grammar"
    }

    fn make(&self, rng: &mut ChaCha20Rng) -> Vec<u8> {
        let mut draw = Draw(rng);
        let mut case = self.request(&mut draw).into_bytes();
        let other = self.request(&mut draw);
        if !draw.once_in(3) {
            mutate::bytes(&mut draw, &mut case, other.as_bytes());
        }
        case
    }

    fn check(&self, case: &[u8]) -> Result<(), String> {
        let Ok(text) = std::str::from_utf8(case) else { return Ok(()) };
        let (method, target) = text.split_once(' ').unwrap_or(("GET", text));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let read = request::parse(method, path);
        if read != request::parse(method, path) {
            return Err("another verdict the second time".to_owned());
        }
        let Ok(interaction) = read else { return Ok(()) };
        // An id may begin with points; a part that is nothing else leads elsewhere.
        let leads_elsewhere = path.split('/').any(|part| matches!(part, "." | ".."));
        if leads_elsewhere || path.contains('%') || path.contains("//") || !matches!(method, "GET" | "POST") {
            return Err("a path that is not plain is taken".to_owned());
        }
        let kind = match interaction {
            Interaction::SearchByGet { resource_type }
            | Interaction::SearchByPost { resource_type }
            | Interaction::SearchInCompartment { resource_type, .. } => resource_type,
            _ => return Ok(()),
        };
        let Some(pairs) = decode_pairs(query) else { return Ok(()) };
        match search::parse(kind, &pairs) {
            Ok(Asked::Search(asked)) => self.check_search(&asked),
            Ok(Asked::Page(_)) => Ok(()),
            Err(fault) => says_nothing(&fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng as _;

    #[test]
    fn a_good_share_of_the_requests_is_taken() {
        let target = FuzzGrammar::new();
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut draw = Draw(&mut rng);
        let taken = (0..2_000).filter(|_| {
            let (kind, _) = *draw.pick(&target.types);
            let pairs = decode_pairs(&FuzzGrammar::query(&mut draw, kind)).unwrap();
            matches!(search::parse(kind, &pairs), Ok(Asked::Search(_)))
        });
        let taken = taken.count();
        assert!((400..1_900).contains(&taken), "{taken}");
    }

    #[test]
    fn a_refusal_that_quotes_is_found() {
        let quoting = QueryFault::Malformed { what: "is zq9CANARY", parameter: None };
        assert!(says_nothing(&quoting).is_err());
        assert_eq!(says_nothing(&QueryFault::Format), Ok(()));
    }
}
