//! What a caller must get to what is asked under load: the answer of the reference server over his view, or a refusal that
//! is listed.

use crate::long::crash::sha256;
use crate::node::{BASE, Content, NOON, Person, SystemClock, hospital, resources, root};
use crate::shipped;
use anyhow::{Context as _, Result, anyhow};
use scruple_core::Clock as _;
use scruple_hospital::upstream::{self, Server};
use scruple_pairs::Caller;
use scruple_testkit::interfere::{Place, Request, Rules as _, Store, Stored, comparable};
use std::fmt;
use std::sync::Arc;

/// Refusals that tell of the state of the system, each 503.
const OF_THE_STATE: [&str; 13] = [
    "access_feed_stale",
    "access_unavailable",
    "ledger_unavailable",
    "overloaded",
    "too_costly",
    "upstream_credential",
    "upstream_foreign_link",
    "upstream_malformed",
    "upstream_not_json",
    "upstream_status",
    "upstream_timeout",
    "upstream_too_large",
    "upstream_unreachable",
];
/// What a role may be refused for a type or a parameter.
const OF_POLICY: [&str; 2] = ["type_not_permitted", "parameter_not_permitted"];

/// What a person must get to one request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expected {
    /// The status of the reference server.
    status: u16,
    /// The beginning of the hash of its body.
    body: u64,
    /// Policy alone may refuse it.
    may_refuse: bool,
}

/// How an answer is beside what was expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Judged {
    /// The reference server's.
    Equal,
    /// A listed refusal.
    Refused,
    /// Another body, or nothing where there is something.
    Different,
    /// A refusal that is in no list.
    Unlisted,
}

impl fmt::Display for Expected {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{}", self.status, if self.may_refuse { " or a refusal" } else { "" })
    }
}

impl Expected {
    /// How this answer is, by its status, the code in its outcome and its body.
    #[must_use]
    pub fn judge(&self, status: u16, code: &str, body: &[u8]) -> Judged {
        match status {
            200 if self.status == 200 && digest(body) == self.body => Judged::Equal,
            404 if self.status == 404 && code == "not_found" => Judged::Equal,
            200 | 404 => Judged::Different,
            403 if OF_POLICY.contains(&code) && self.may_refuse => Judged::Refused,
            // Who has left.
            403 if code == "role_not_selected" => Judged::Refused,
            400 if self.status == 400 => Judged::Refused,
            400 | 403 => Judged::Different,
            503 if OF_THE_STATE.contains(&code) => Judged::Refused,
            _ => Judged::Unlisted,
        }
    }
}

/// The beginning of the hash of a body, without what is sealed in it.
fn digest(body: &[u8]) -> u64 {
    super::load::beginning(&sha256(&comparable(body)))
}

/// What the FHIR server holds, as it gives it.
fn held(patients: usize) -> Result<Store> {
    let hospital = hospital(patients);
    let server = Server::from_resources(Content::Hospital.resources(&hospital), "http://fhir.invalid/fhir");
    let mut store = Store::new();
    for (kind, id, _) in resources(&hospital) {
        let path = format!("/{kind}/{id}");
        let response = server.respond(&upstream::Request {
            method: "GET",
            path: &path,
            query: None,
            content_type: None,
            accept: None,
            body: &[],
            now: NOON,
        });
        let stored = Stored::new(serde_json::from_slice(&response.body)?).context("no resource")?;
        store.put(Arc::new(Stored { bytes: response.body, ..stored }));
    }
    Ok(store)
}

/// For each person, what must be got to each of these targets.
///
/// # Errors
/// A person's view cannot be told.
pub fn expected(people: &[(&Person, Vec<String>)], patients: usize) -> Result<Vec<Vec<Expected>>> {
    let (store, active, now) = (held(patients)?, shipped::active()?, SystemClock.now());
    let of = |person: &Person, targets: &[String]| -> Result<Vec<Expected>> {
        let caller = Caller::new(&active, &person.role, &person.purpose, now, root().token()?);
        let caller = caller.map_err(|why| anyhow!(why))?;
        let reference = caller.reference(&store, BASE);
        let each = targets.iter().map(|target| {
            let request = match target.split_once('?') {
                Some((path, query)) => Request::get(path).with_query(query),
                None => Request::get(target),
            };
            let answer = reference.answer(&request);
            let may_refuse = match reference.place(&request) {
                Place::Read(kind, _) => caller.rules().permits(&kind, None) != Some(true),
                Place::Search(scope, pairs) => {
                    let kind = scope.resource_type.as_str();
                    let parameters = pairs.iter().map(|(name, _)| name.as_str());
                    let mut parameters = parameters.filter(|name| !matches!(*name, "_count" | "_total"));
                    let by_any = parameters.any(|name| caller.rules().permits(kind, Some(name)) != Some(true));
                    by_any || caller.rules().permits(kind, None) != Some(true)
                }
                _ => false,
            };
            Expected { status: answer.status, body: digest(&answer.body), may_refuse }
        });
        Ok(each.collect())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = people.iter().map(|(person, targets)| scope.spawn(|| of(person, targets))).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a view fails"))?).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::{Expected, Judged, digest};

    #[test]
    fn an_answer_is_the_reference_servers_or_a_refusal_that_is_listed() {
        let seen = Expected { status: 200, body: digest(b"{}"), may_refuse: false };
        let check = |expected: &Expected, status, code, body: &[u8], judged| {
            assert_eq!(expected.judge(status, code, body), judged, "{status} {code}");
        };
        check(&seen, 200, "", b"{}", Judged::Equal);
        check(&seen, 200, "", b"{\"a\":1}", Judged::Different);
        check(&seen, 404, "not_found", b"", Judged::Different);
        check(&seen, 403, "type_not_permitted", b"", Judged::Different);
        check(&Expected { may_refuse: true, ..seen.clone() }, 403, "type_not_permitted", b"", Judged::Refused);
        check(&seen, 503, "upstream_timeout", b"", Judged::Refused);
        check(&seen, 503, "something", b"", Judged::Unlisted);
        check(&seen, 500, "", b"", Judged::Unlisted);
        let absent = Expected { status: 404, body: 0, may_refuse: false };
        check(&absent, 404, "not_found", b"", Judged::Equal);
        check(&absent, 200, "", b"{}", Judged::Different);
    }
}
