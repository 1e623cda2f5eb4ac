//! Search (docs/search.md): candidates from the upstream, projected, and every criterion judged on the projection. Order,
//! totals and pages are ours.

use super::resolve::{Eye, Known, Projected};
use super::{Answer, Outgoing, Pipeline, Request, RequestRng, Stop};
use crate::decided::Decided;
use crate::outcome::No;
use crate::page::Place;
use crate::upstream::{self, Share, UpstreamError, UpstreamQuery};
use scruple_core::Counts;
use scruple_core::limits::{SEARCH_CANDIDATE_BYTES_MAX, SEARCH_CANDIDATES_MAX, SEARCH_COUNT_MAX};
use scruple_fhir::search::{Asked, Dialect, QueryFault, Search, decode_pairs, encode, parse};
use scruple_fhir::{TypeId, bundle, dictionary};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::task::Poll;

/// Pages that one search may take from the upstream.
const PAGES_MAX: usize = 1_000;

/// Candidates that are projected before others have their turn.
const CANDIDATES_AT_ONCE: usize = 16;

/// Lets other requests, and what keeps the node going, have their turn.
async fn turn() {
    let mut waited = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// What was found for a page.
#[derive(Default)]
struct Found {
    /// Matches on the page and one behind it, in the order of ids.
    matches: BTreeMap<String, Match>,
    /// How many match in all.
    total: u64,
    counts: Counts,
    /// Of the pages that the matches come from.
    shares: Vec<Share>,
}

struct Match {
    bytes: Vec<u8>,
    patients: Vec<String>,
}

/// A candidate that shows.
struct Candidate<'a> {
    id: &'a str,
    bytes: &'a [u8],
    projected: Projected,
    /// It depends on targets of references, and is projected again when these are known.
    depends: bool,
}

impl Pipeline {
    /// Answers a search of a type by its parameters, decoded.
    pub async fn search(
        &self,
        request: Request<'_>,
        resource_type: TypeId,
        pairs: &[(String, String)],
        rng: &mut RequestRng,
    ) -> Answer {
        let mut request = request;
        match self.try_search(&mut request, resource_type, pairs, rng).await {
            Ok(answer) => answer,
            Err(stop) => self.stopped(request, stop).await,
        }
    }

    async fn try_search(
        &self,
        request: &mut Request<'_>,
        resource_type: TypeId,
        pairs: &[(String, String)],
        rng: &mut RequestRng,
    ) -> Result<Answer, Stop> {
        let asked = parse(resource_type, pairs).map_err(|fault| no_of(&fault))?;
        // The grammar first: what is refused by it is refused to everyone alike.
        let decided = self.decide(request, resource_type)?;
        let (search, after, token) = match asked {
            Asked::Search(search) => (search, None, None),
            Asked::Page(token) => {
                let (search, after) = self.place(request, &decided, resource_type, &token)?;
                (search, Some(after), Some(token))
            }
        };
        request.facts.parameters = search.criteria.iter().map(|criterion| criterion.name().to_owned()).collect();
        decided.permits(&search).map_err(|not| {
            let words = format!(
                "Parameter `{}` reads what your role does not see in full, so that a search by it could tell it.",
                not.parameter
            );
            No::new(403, "parameter_not_permitted", words)
        })?;
        let found = self.find(request, &decided, &search, after.as_deref()).await?;
        let outgoing = self.bundle(request, &decided, &search, found, token.as_deref(), rng)?;
        Ok(Answer::Released(self.release(request, &decided, outgoing, rng).await?))
    }

    /// Opens a page token.
    fn place(
        &self,
        request: &Request<'_>,
        decided: &Decided,
        resource_type: TypeId,
        token: &str,
    ) -> Result<(Search, String), Stop> {
        let no = || {
            No::new(
                400,
                "page_token_invalid",
                "The page token is not one of yours under this policy. Begin the search anew.",
            )
        };
        let place = Place::open(&self.page, &self.bound(request, decided), token).ok_or_else(no)?;
        let pairs = decode_pairs(&place.query).ok_or_else(no)?;
        match parse(resource_type, &pairs) {
            Ok(Asked::Search(search)) if place.of == dictionary().get(resource_type).name => {
                Ok((search, place.after().to_owned()))
            }
            _ => Err(no().into()),
        }
    }

    /// Collects what matches for one page.
    async fn find(
        &self,
        request: &Request<'_>,
        decided: &Decided,
        search: &Search,
        after: Option<&str>,
    ) -> Result<Found, Stop> {
        let eye = Eye { decided, token: &self.token, now: request.now };
        let mut found = Found::default();
        let mut known = Known::new();
        let mut ids: HashSet<String> = HashSet::new();
        let mut spent = 0;
        let mut links: HashSet<String> = HashSet::new();
        let mut fetched = self.upstream.search(&upstream_query(search, self.upstream.dialect())).await?;
        loop {
            spent += fetched.len();
            found.shares.push(std::mem::take(&mut fetched.share));
            let plain = bundle::plain(&fetched);
            let page = upstream::page(&plain)?;
            let mut candidates = Vec::with_capacity(page.resources.len());
            let mut asked = BTreeSet::new();
            for resource in page.resources {
                // What is of another type was included, or is an outcome: nothing of it is used.
                let Some((kind, id)) = bundle::identity(resource) else { continue };
                if kind != search.resource_type || !ids.insert(id.to_owned()) {
                    continue;
                }
                found.counts.read += 1;
                if found.counts.read.is_multiple_of(CANDIDATES_AT_ONCE as u64) {
                    turn().await;
                }
                match eye.project(resource, None) {
                    Ok(mut projected) => {
                        let depends = !projected.asked.is_empty();
                        asked.append(&mut projected.asked);
                        candidates.push(Candidate { id, bytes: resource, projected, depends });
                    }
                    Err(reason) => *found.counts.withheld.entry(reason.code().to_owned()).or_default() += 1,
                }
            }
            if ids.len() > SEARCH_CANDIDATES_MAX || spent > SEARCH_CANDIDATE_BYTES_MAX || links.len() >= PAGES_MAX {
                let words = "The search meets more records than one search may. Narrow it, by patient or by date.";
                return Err(No::new(503, "too_costly", words).into());
            }
            self.resolve(&eye, asked, &mut known).await?;
            for (index, candidate) in candidates.into_iter().enumerate() {
                if index % CANDIDATES_AT_ONCE == 0 {
                    turn().await;
                }
                found.take(&eye, search, after, candidate, &known);
            }
            let Some(next) = page.next.map(Cow::into_owned) else { return Ok(found) };
            if !links.insert(next.clone()) {
                return Err(UpstreamError::Malformed("pages that go round").into());
            }
            fetched = self.upstream.page(&next).await?;
        }
    }

    /// The page as a Bundle.
    fn bundle(
        &self,
        request: &Request<'_>,
        decided: &Decided,
        search: &Search,
        found: Found,
        token: Option<&str>,
        rng: &mut RequestRng,
    ) -> Result<Outgoing, Stop> {
        let kind = dictionary().get(search.resource_type).name;
        let mut matches: Vec<(String, Match)> = found.matches.into_iter().collect();
        if search.descending {
            matches.reverse();
        }
        let more = matches.len() > search.count;
        matches.truncate(search.count);
        let query = encode(&search.echo).to_string();
        let own = match (query.as_str(), token) {
            ("", None) => String::new(),
            (query, None) => format!("?{query}"),
            ("", Some(token)) => format!("?_page={token}"),
            (query, Some(token)) => format!("?{query}&_page={token}"),
        };
        let mut out = br#"{"resourceType":"Bundle","type":"searchset""#.to_vec();
        if search.total {
            out.extend_from_slice(format!(",\"total\":{}", found.total).as_bytes());
        }
        let base = &self.base;
        out.extend_from_slice(format!(r#","link":[{{"relation":"self","url":"{base}/{kind}{own}"}}"#).as_bytes());
        let last = matches.last().map(|(id, _)| id.as_str());
        // The same number of draws whether or not there is a next page.
        let next =
            Place::new(kind, query, last.unwrap_or_default()).seal(&self.page, &self.bound(request, decided), rng);
        if more {
            let next =
                next.map_err(|_| No::new(503, "page_not_sealed", "The next page cannot be sealed. Try again."))?;
            out.extend_from_slice(format!(r#",{{"relation":"next","url":"{base}/{kind}?_page={next}"}}"#).as_bytes());
        }
        out.push(b']');
        let mut counts = found.counts;
        let mut resources = Vec::with_capacity(matches.len());
        for (index, (id, found)) in matches.into_iter().enumerate() {
            out.extend_from_slice(if index == 0 { br#","entry":["# } else { b"," });
            out.extend_from_slice(format!(r#"{{"fullUrl":"{base}/{kind}/{id}","resource":"#).as_bytes());
            out.extend_from_slice(&found.bytes);
            out.extend_from_slice(br#","search":{"mode":"match"}}"#);
            resources.push((out.len(), format!("{kind}/{id}"), found.patients));
        }
        if !resources.is_empty() {
            out.push(b']');
        }
        out.push(b'}');
        counts.released = resources.len() as u64;
        Ok(Outgoing { bytes: out, resources, counts, shares: found.shares })
    }
}

impl Found {
    /// Takes a candidate that shows, if it matches.
    fn take(&mut self, eye: &Eye<'_>, search: &Search, after: Option<&str>, candidate: Candidate<'_>, known: &Known) {
        let Candidate { id, bytes, projected, depends } = candidate;
        let projected = if !depends {
            projected
        } else {
            match eye.project(bytes, Some(known)) {
                Ok(again) => again,
                Err(reason) => {
                    *self.counts.withheld.entry(reason.code().to_owned()).or_default() += 1;
                    return;
                }
            }
        };
        if !search.matches(&projected.bytes) {
            return;
        }
        self.total += 1;
        if search.only_total {
            return;
        }
        let is_behind = |one: &str, other: &str| if search.descending { one < other } else { one > other };
        let farthest = if search.descending { self.matches.first_key_value() } else { self.matches.last_key_value() };
        let is_full = self.matches.len() > search.count;
        let too_far = is_full && farthest.is_some_and(|(farthest, _)| is_behind(id, farthest));
        if too_far || after.is_some_and(|after| !is_behind(id, after)) {
            return;
        }
        self.matches.insert(id.to_owned(), Match { bytes: projected.bytes, patients: bundle::patients(bytes) });
        if self.matches.len() > search.count + 1 {
            let farthest = if search.descending { self.matches.pop_first() } else { self.matches.pop_last() };
            drop(farthest);
        }
    }
}

/// What goes upstream in place of the criteria, and as many on a page as may be.
fn upstream_query(search: &Search, dialect: Dialect) -> UpstreamQuery {
    let criteria = search.criteria.iter().flat_map(|criterion| criterion.superset(dialect));
    let count = ("_count".to_owned(), SEARCH_COUNT_MAX.to_string());
    UpstreamQuery {
        resource_type: dictionary().get(search.resource_type).name.to_owned(),
        parameters: criteria.chain([count]).collect(),
    }
}

fn no_of(fault: &QueryFault) -> No {
    let status = if *fault == QueryFault::Format { 406 } else { 400 };
    No::new(status, fault.code(), format!("{fault}."))
}
