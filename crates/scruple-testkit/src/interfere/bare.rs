//! What a server tells of hidden things through a gateway that filters its answers and does nothing more: every resource is
//! projected as ours would be, what does not show is dropped, and searches go through as they came.
//!
//! Two stores that a caller cannot tell apart are asked directly; what is left of the answers tells them apart or not.

use super::harness::System;
use super::pairs::Pairs;
use super::reference::{Place, place};
use super::requests::{Step, sequence};
use super::view::{Sight, View};
use super::wire::{Request, Response};
use crate::tree::Numbers;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What is left of an answer.
#[derive(PartialEq, Eq, Debug)]
struct Left {
    status: u16,
    total: Option<u64>,
    /// Type and id of each entry that shows; its bytes are the view's.
    entries: Vec<(String, String)>,
    has_next: bool,
}

impl Left {
    fn of(response: &Response, shown: &BTreeSet<(&str, &str)>) -> Self {
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let name = |value: &Value| (text(value, "resourceType"), text(value, "id"));
        let shows = |(kind, id): &(String, String)| shown.contains(&(kind.as_str(), id.as_str()));
        if text(&body, "resourceType") != "Bundle" {
            // A resource that does not show is as absent as one that is not there.
            let entries: Vec<_> = [name(&body)].into_iter().filter(|_| response.status == 200).filter(shows).collect();
            let status = if response.status == 200 && entries.is_empty() { 404 } else { response.status };
            return Self { status: if status == 410 { 404 } else { status }, total: None, entries, has_next: false };
        }
        let list = |name: &str| body.get(name).and_then(Value::as_array).into_iter().flatten();
        let entries = list("entry").filter_map(|entry| entry.get("resource")).map(name).filter(shows).collect();
        let has_next = list("link").any(|link| text(link, "relation") == "next");
        Self { status: response.status, total: body.get("total").and_then(Value::as_u64), entries, has_next }
    }
}

/// The kind of a request, where it is a read or a search.
fn kind(base: &str, request: &Request) -> Option<&'static str> {
    let pairs = match place(base, request) {
        Place::Read(..) => return Some("read"),
        Place::Everything(..) => return Some("`$everything`"),
        Place::Search(scope, _) if scope.patient.is_some() => return Some("compartment"),
        Place::Search(_, pairs) => pairs,
        Place::Version(..) | Place::History(..) | Place::Metadata | Place::Refused(_) => return None,
    };
    let any = |is: fn(&str) -> bool| pairs.iter().any(|(name, _)| is(name));
    Some(if any(|name| name.starts_with("_has")) {
        "`_has`"
    } else if any(|name| name.contains('.')) {
        "chain"
    } else if any(|name| name.starts_with("_include") || name.starts_with("_revinclude")) {
        "`_include`, `_revinclude`"
    } else if any(|name| name == "_sort") {
        "`_sort`"
    } else if any(|name| matches!(name, "_total" | "_summary")) {
        "`_total`, `_summary`"
    } else if any(|name| name.contains(':')) {
        "criterion with a modifier"
    } else if any(|name| !name.starts_with('_') || matches!(name, "_id" | "_lastUpdated")) {
        "criterion"
    } else if any(|name| !matches!(name, "_count" | "_format" | "_elements" | "_page")) {
        "what US Core does not know (`_filter`, `_text`, `_tag`, ...)"
    } else {
        "all of a type"
    })
}

/// How often requests of a kind were asked, and told two stores apart.
#[derive(Clone, Default, Debug)]
pub struct Told {
    /// Requests over both stores.
    pub asked: usize,
    /// Of these, answered with 200 over both.
    pub answered: usize,
    /// Of all, those after which the stores are told apart.
    pub apart: usize,
    /// The shortest of those; values are synthetic.
    pub example: String,
}

/// By kind of request.
pub type Census = BTreeMap<&'static str, Told>;

/// Asks two servers about pairs of stores that look alike to a caller, so many requests of each pair, and counts.
pub fn census(
    (pairs, sight, base): (&Pairs, &Sight, &str),
    (a, b): (&mut dyn System, &mut dyn System),
    (stores, of_a_pair): (usize, usize),
    seed: u64,
    census: &mut Census,
) {
    let root = base.split_once("://").and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)));
    let root = root.unwrap_or_default();
    for number in 0..stores {
        let mut numbers = Numbers::new(seed.wrapping_add(number as u64));
        let pair = pairs.make(sight, numbers.next());
        a.load(&pair.a);
        b.load(&pair.b);
        let shown = names(&pair.view);
        let mut asked = 0;
        while asked < of_a_pair {
            for step in sequence(&pair, root, &mut numbers) {
                let Step::Ask(request) = step else { continue };
                asked += 1;
                let Some(kind) = kind(base, &request) else { continue };
                let (first, second) = (Left::of(&a.ask(&request, 0), &shown), Left::of(&b.ask(&request, 0), &shown));
                let told = census.entry(kind).or_default();
                told.asked += 1;
                told.answered += usize::from(first.status == 200 && second.status == 200);
                if first != second {
                    told.apart += 1;
                    let words = format!("{request:?}").replace(root, "");
                    if told.example.is_empty() || words.len() < told.example.len() {
                        told.example = words;
                    }
                }
            }
        }
    }
}

fn names(view: &View) -> BTreeSet<(&str, &str)> {
    view.iter().map(|(kind, id, _)| (kind.as_str(), id.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::super::world::{BASE, PAIRS, sight};
    use super::super::{ReferenceServer, Store, WorkTrace};
    use super::*;

    /// A server over a view: it has nothing to tell of what is hidden.
    struct OfTheView(ReferenceServer);

    impl System for OfTheView {
        fn load(&mut self, store: &Store) {
            self.0 = ReferenceServer::new(sight(("biller", "HPAYMT")).view(store), BASE);
        }

        fn ask(&mut self, request: &Request, _: u64) -> Response {
            let answer = self.0.answer(request);
            Response { status: answer.status, headers: Vec::new(), body: answer.body }
        }

        fn work(&self) -> WorkTrace {
            WorkTrace::default()
        }
    }

    /// A server over the whole store that counts what it holds.
    struct Counting(usize);

    impl System for Counting {
        fn load(&mut self, store: &Store) {
            self.0 = store.len();
        }

        fn ask(&mut self, _: &Request, _: u64) -> Response {
            let body = format!(r#"{{"resourceType":"Bundle","total":{}}}"#, self.0);
            Response { status: 200, headers: Vec::new(), body: body.into_bytes() }
        }

        fn work(&self) -> WorkTrace {
            WorkTrace::default()
        }
    }

    #[test]
    fn a_server_over_the_view_tells_nothing_and_one_that_counts_does() {
        let sight = sight(("biller", "HPAYMT"));
        let view = || OfTheView(ReferenceServer::new(Vec::new(), BASE));
        let mut seen = Census::new();
        census((&PAIRS, &sight, BASE), (&mut view(), &mut view()), (2, 60), 1, &mut seen);
        assert!(seen.values().map(|told| told.asked).sum::<usize>() > 60);
        assert!(seen.values().all(|told| told.apart == 0), "{seen:?}");
        census((&PAIRS, &sight, BASE), (&mut Counting(0), &mut Counting(0)), (4, 20), 1, &mut seen);
        let apart: Vec<&Told> = seen.values().filter(|told| told.apart > 0).collect();
        assert!(!apart.is_empty() && apart.iter().all(|told| !told.example.is_empty()));
    }

    #[test]
    fn what_is_left_of_an_answer() {
        let view = vec![("Patient".to_owned(), "a".to_owned(), Vec::new())];
        let shown = names(&view);
        let of = |status, body: &str| {
            Left::of(&Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() }, &shown)
        };
        let hidden = of(200, r#"{"resourceType":"Patient","id":"b"}"#);
        assert_eq!(hidden, of(404, r#"{"resourceType":"OperationOutcome"}"#));
        assert_eq!(hidden, of(410, ""));
        assert_ne!(hidden, of(200, r#"{"resourceType":"Patient","id":"a"}"#));
        let entry = |id: &str| format!(r#"{{"resource":{{"resourceType":"Patient","id":"{id}"}}}}"#);
        let bundle = |entries: &[String], rest: &str| {
            of(200, &format!(r#"{{"resourceType":"Bundle","entry":[{}]{rest}}}"#, entries.join(",")))
        };
        assert_eq!(bundle(&[entry("a"), entry("b")], ""), bundle(&[entry("a")], ""));
        assert_ne!(bundle(&[entry("a")], r#","total":2"#), bundle(&[entry("a")], r#","total":1"#));
        let next = r#","link":[{"relation":"next","url":"x"}]"#;
        assert_ne!(bundle(&[entry("a")], next), bundle(&[entry("a")], ""));
    }
}
