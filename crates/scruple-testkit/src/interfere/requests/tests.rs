//! Nothing that was ever tried is left unasked.

use super::*;
use crate::interfere::oracle::{Criterion, Modifier, Query, Shape};
use crate::interfere::world::{BASE, OFFICER, PAIRS, ROLES, sight};
use crate::interfere::{Place, ReferenceServer};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that is asked over some pairs.
fn requests() -> Vec<Request> {
    let sight = sight(ROLES[0]);
    let mut numbers = Numbers::new(11);
    let mut found = Vec::new();
    for seed in 0..6 {
        let pair = PAIRS.make(&sight, seed);
        for _ in 0..1_500 {
            for step in sequence(&pair, "/fhir", &mut numbers) {
                if let Step::Ask(request) = step {
                    found.push(request);
                }
            }
        }
    }
    found
}

#[test]
fn everything_that_was_tried_is_asked() {
    let requests = requests();
    let written: Vec<String> = requests.iter().map(|request| format!("{request:?}")).collect();
    let asked = |what: &str| written.iter().any(|text| text.contains(what));
    for (name, value) in UNSUPPORTED {
        let what = query(&[((*name).to_owned(), (*value).to_owned())]);
        assert!(asked(&what), "{what}");
    }
    for (name, value) in HEADERS {
        assert!(asked(&format!("[{name}: {value}]")), "{name}: {value}");
    }
    for method in METHODS {
        assert!(requests.iter().any(|request| request.method == *method), "{method}");
    }
    for piece in [
        "//",
        "/../",
        "%2e%2e",
        ";jsessionid",
        "_history",
        "$everything",
        "$everything?_type=",
        "/metadata",
        "_sort=-_id",
        "_sort=-birthdate",
        "_total=accurate",
        "_elements=",
        "_summary=data",
        "_summary=text",
        "_lastUpdated=",
        "value-quantity=",
    ] {
        assert!(asked(piece), "{piece}");
    }
    let kinds: BTreeSet<&str> = requests.iter().filter_map(|request| request.path.split('/').nth(2)).collect();
    assert!(kinds.len() > 30, "{kinds:?}");
}

#[test]
fn versions_of_every_kind_are_asked_for() {
    let sight = sight(OFFICER);
    let mut numbers = Numbers::new(12);
    let mut asked: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..6 {
        let pair = PAIRS.make(&sight, seed);
        let server = ReferenceServer::of(pair.seen(), BASE);
        for _ in 0..1_000 {
            for step in sequence(&pair, "/fhir", &mut numbers) {
                let Step::Ask(request) = step else { continue };
                let (kind, id, what) = match server.place(&request) {
                    Place::History(kind, id) => (kind, id, "a history"),
                    Place::Version(kind, id, version) => {
                        let is_there = |store: &Store| {
                            store.versions(&kind, &id).iter().any(|own| own.id() == Some(version.as_str()))
                        };
                        let what = match (is_there(&pair.a), is_there(&pair.b)) {
                            (true, true) => "a version",
                            (false, false) => "a version in neither store",
                            _ => "a version in one store",
                        };
                        (kind, id, what)
                    }
                    _ => continue,
                };
                let status = server.answer(&request).status;
                let whose = match (pair.a.get(&kind, &id).is_some(), status) {
                    (true, 200) => "of what shows",
                    (true, _) => "that does not show",
                    (false, _) => "of what is not there now",
                };
                *asked.entry(what).or_default() += 1;
                *asked.entry(whose).or_default() += 1;
            }
        }
    }
    for what in [
        "a history",
        "a version",
        "a version in one store",
        "a version in neither store",
        "of what shows",
        "that does not show",
        "of what is not there now",
    ] {
        assert!(asked.get(what).is_some_and(|count| *count > 15), "{what}: {asked:?}");
    }
}

#[test]
fn hidden_values_are_asked_for() {
    let pair = PAIRS.make(&sight(("researcher", "HRESCH")), 2);
    let shown: String = pair.view.iter().map(|(_, _, bytes)| String::from_utf8_lossy(bytes).into_owned()).collect();
    let mut numbers = Numbers::new(1);
    let mut hidden = BTreeSet::new();
    for stored in pair.a.iter().chain(pair.b.iter()) {
        for parameter in parameters(&stored.resource_type) {
            if parameter.kind == "string"
                && let Some(text) = asked(&stored.value, &stored.resource_type, parameter, &mut numbers)
                && !shown.contains(&text)
            {
                hidden.insert(text);
            }
        }
    }
    assert!(hidden.len() > 10, "{hidden:?}");
}

#[test]
fn every_form_of_a_search_is_asked_and_understood() {
    let server = ReferenceServer::new(Vec::new(), BASE);
    let queries: Vec<Query> = requests().iter().filter_map(|request| server.answer(request).query).collect();
    let count = |is: &dyn Fn(&Query) -> bool| queries.iter().filter(|query| is(query)).count();
    let of_criteria = |is: &dyn Fn(&Criterion) -> bool| count(&|query| query.criteria.iter().any(is));
    let links = |criterion: &Criterion| criterion.asks().len() - 1;
    let modified = |modifier: &dyn Fn(&Modifier) -> bool| {
        of_criteria(&|each| matches!(each, Criterion::Own(own) if own.modifier.as_ref().is_some_and(modifier)))
    };
    for (what, found) in [
        ("of two links", of_criteria(&|each| links(each) == 2)),
        ("of three links", of_criteria(&|each| links(each) == 3)),
        ("a chain", of_criteria(&|each| matches!(each, Criterion::Chain(..)))),
        ("_has", of_criteria(&|each| matches!(each, Criterion::Has(..)))),
        (
            "_has of _has",
            of_criteria(&|each| matches!(each, Criterion::Has(_, rest) if matches!(**rest, Criterion::Has(..)))),
        ),
        (
            "_has of a chain",
            of_criteria(&|each| matches!(each, Criterion::Has(_, rest) if matches!(**rest, Criterion::Chain(..)))),
        ),
        (":exact", modified(&|own| *own == Modifier::Exact)),
        (":contains", modified(&|own| *own == Modifier::Contains)),
        (":not", modified(&|own| *own == Modifier::Not)),
        (":missing", modified(&|own| *own == Modifier::Missing)),
        (":[type]", modified(&|own| matches!(own, Modifier::Type(_)))),
        ("_include", count(&|query| query.includes.iter().any(|each| !each.is_reverse))),
        ("_revinclude", count(&|query| query.includes.iter().any(|each| each.is_reverse))),
        (":iterate", count(&|query| query.includes.iter().any(|each| each.iterates))),
        ("to a target", count(&|query| query.includes.iter().any(|each| each.link.target.is_some()))),
        ("an order of one", count(&|query| query.sorts.len() == 1)),
        ("an order of three", count(&|query| query.sorts.len() == 3)),
        ("an order in small pages", count(&|query| !query.sorts.is_empty() && query.count < 4)),
        ("_elements", count(&|query| matches!(query.shape, Shape::Elements(_)))),
        ("a compartment", count(&|query| query.scope.patient.is_some())),
    ] {
        assert!(found > 15, "{what}: {found} of {}", queries.len());
    }
}
