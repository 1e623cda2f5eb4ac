//! What is asked of a server behind us in place of a criterion: never less than what matches here, whatever the server's
//! own habits are. Every criterion is judged again on the projections, so that more does no harm.

use super::criterion::{Alternative, Prefix};
use super::{Criterion, Test};
use scruple_core::{Span, Timestamp};

/// How far a server's search is relied on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Dialect {
    /// Strings and references go as they came. Dates are widened by a second all the same, and codes that have no system go
    /// without one: servers differ too much there.
    #[default]
    Standard,
    /// Nothing goes but what servers with gaps answer in full (upstreams/README.md): no strings, no canonicals, no reference
    /// without its type, no system without a code.
    Plain,
}

/// One second, in microseconds.
const SECOND: i64 = 1_000_000;
/// 0001-02-01 and 9999-01-01, in microseconds.
const YEAR_1: i64 = -62_132_918_400 * SECOND;
const YEAR_9999: i64 = 253_370_764_800 * SECOND;

impl Criterion {
    /// Names and values that a server matches wherever this criterion does; none where it is better asked for everything.
    /// A [`set`](Self::set) goes in pieces, by whoever asks.
    #[must_use]
    pub fn superset(&self, dialect: Dialect) -> Vec<(String, String)> {
        let Test::Any(alternatives) = &self.test else { return Vec::new() };
        let as_it_came = || vec![(self.name().to_owned(), self.value.clone())];
        let types = || self.reads.type_names();
        match self.kind() {
            // Times of change are compared here alone: servers differ on them.
            _ if self.name() == "_lastUpdated" => Vec::new(),
            // Of a system alone: servers differ on values that have no code (upstreams/README.md, Helios).
            "token" if dialect == Dialect::Plain && alternatives.iter().any(Alternative::is_system_alone) => Vec::new(),
            "token" if types().all(|name| matches!(name, "Coding" | "CodeableConcept" | "Identifier")) => {
                if self.value.contains('\\') { Vec::new() } else { as_it_came() }
            }
            "token" => self.joined(alternatives, |alternative| match alternative {
                Alternative::Token { code: Some(code), .. } if !code.contains(['\\', '|', ',', '$']) => {
                    Some(code.clone())
                }
                _ => None,
            }),
            "date" => match alternatives.as_slice() {
                [Alternative::Date { prefix, span }] if types().all(|name| name != "Timing") => {
                    bounds(*prefix, *span).into_iter().map(|bound| (self.name().to_owned(), bound)).collect()
                }
                _ => Vec::new(),
            },
            "reference" if types().any(|name| name == "Reference") => {
                self.joined(alternatives, |alternative| match alternative {
                    Alternative::Reference { resource_type, id } => {
                        let known = self.reads.paths.iter().filter_map(|path| path.target).next();
                        match resource_type.or(known) {
                            Some(name) if dialect == Dialect::Plain => Some(format!("{name}/{id}")),
                            _ if dialect == Dialect::Plain => None,
                            _ => Some(resource_type.map_or_else(|| id.clone(), |name| format!("{name}/{id}"))),
                        }
                    }
                    _ => None,
                })
            }
            "reference" if dialect == Dialect::Plain => Vec::new(),
            // What is contained, or equal letter by letter, or begins with a text: servers agree on the last alone.
            "string"
                if dialect == Dialect::Plain || alternatives.iter().any(|one| !matches!(one, Alternative::Text(_))) =>
            {
                Vec::new()
            }
            "number" | "quantity" => Vec::new(),
            _ => as_it_came(),
        }
    }

    /// All alternatives as one value; nothing where one of them cannot be sent.
    fn joined(
        &self,
        alternatives: &[Alternative],
        text: impl Fn(&Alternative) -> Option<String>,
    ) -> Vec<(String, String)> {
        let parts: Option<Vec<String>> = alternatives.iter().map(text).collect();
        parts.map(|parts| (self.name().to_owned(), parts.join(","))).into_iter().collect()
    }
}

/// Bounds within which every value lies that is matched.
fn bounds(prefix: Prefix, asked: Span) -> Vec<String> {
    // The first and the last year that a date can have bound nothing.
    if [asked.from, asked.to].iter().any(|at| !(YEAR_1..=YEAR_9999).contains(at)) {
        return Vec::new();
    }
    let text = |micros: i64| {
        let at = Timestamp::from_micros(micros).to_string();
        format!("{}Z", at.get(..19).unwrap_or(&at))
    };
    let from = format!("ge{}", text(asked.from.saturating_sub(SECOND)));
    let to = format!("le{}", text(asked.to.saturating_add(SECOND)));
    match prefix {
        Prefix::Equal => vec![from, to],
        Prefix::Greater | Prefix::GreaterOrEqual | Prefix::StartsAfter => vec![from],
        Prefix::Less | Prefix::LessOrEqual | Prefix::EndsBefore => vec![to],
    }
}

impl Alternative {
    const fn is_system_alone(&self) -> bool {
        matches!(self, Self::Token { code: None, .. })
    }
}

#[cfg(test)]
mod tests {
    use super::Dialect::{Plain, Standard};
    use super::*;
    use crate::dictionary::dictionary;
    use crate::search::{Asked, Condition, decode_pairs, encode, parse};

    fn check(resource_type: &str, query: &str, dialect: Dialect, expected: &str) {
        let pairs = decode_pairs(query).unwrap();
        let Asked::Search(search) = parse(dictionary().resource(resource_type).unwrap(), &pairs).unwrap() else {
            panic!("{query} is no search")
        };
        let own = search.conditions.iter().map(|condition| match condition {
            Condition::Own(criterion) => criterion,
            _ => panic!("{query} has a chain"),
        });
        let sent: Vec<(String, String)> = own.flat_map(|one| one.superset(dialect)).collect();
        assert_eq!(encode(&sent).to_string(), encode(&decode_pairs(expected).unwrap()).to_string(), "{query}");
    }

    #[test]
    fn never_less_is_asked_for_than_matches() {
        for dialect in [Standard, Plain] {
            check("Patient", "_id=a,b", dialect, "_id=a,b");
            check("Observation", "code=http://loinc.org|1-8,2-6", dialect, "code=http://loinc.org|1-8,2-6");
            check("Observation", "code=a%5C|b", dialect, "");
            check(
                "Patient",
                "gender=http://hl7.org/fhir/administrative-gender|female,male",
                dialect,
                "gender=female,male",
            );
            check("Patient", "gender=x|", dialect, "");
            check("Observation", "code=|1-8", dialect, "code=|1-8");
            check(
                "Patient",
                "birthdate=1980-05-17",
                dialect,
                "birthdate=ge1980-05-16T23:59:59Z&birthdate=le1980-05-18T00:00:01Z",
            );
            check("Patient", "birthdate=gt1980", dialect, "birthdate=ge1979-12-31T23:59:59Z");
            check("Patient", "birthdate=eb2000-02", dialect, "birthdate=le2000-03-01T00:00:01Z");
            check("Patient", "birthdate=1980,1990", dialect, "");
            check("Patient", "birthdate=0001-01-01", dialect, "");
            check("Patient", "birthdate=le9998-12", dialect, "birthdate=le9999-01-01T00:00:01Z");
            check("Observation", "subject=Patient/1,Group/2", dialect, "subject=Patient/1,Group/2");
        }
        check("Observation", "patient=1", Plain, "patient=Patient/1");
        check("Observation", "patient=1", Standard, "patient=1");
        check("Observation", "subject=1", Plain, "");
        check("Patient", "name=ana", Standard, "name=ana");
        check("Patient", "name=ana", Plain, "");
        check("QuestionnaireResponse", "questionnaire=http://q", Plain, "");
        check("Observation", "code=http://loinc.org|,x|y", Standard, "code=http://loinc.org|,x|y");
        check("Observation", "code=http://loinc.org|,x|y", Plain, "");
    }
}
