//! Asks a system over both stores of many pairs, and compares: each other, the reference server, the empty store.
//!
//! It stops at no difference, but at too many. It does not judge time; that a request caused other work over the other
//! store is counted and not held against the system (`docs/limits.md`).

use super::oracle::Query;
use super::pairs::{Pair, Pairs};
use super::reference::{Answer, Place, ReferenceServer, Verdict, compare, place};
use super::requests::{Spoil, Step, sequence};
use super::shrink::{Case, shrunk};
use super::store::Store;
use super::us_core;
use super::view::Sight;
use super::wire::{Request, Response};
use crate::tree::Numbers;
use scruple_fhir::dictionary;
use std::fmt;

/// What a request caused, in counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WorkTrace {
    /// Requests to the upstream.
    pub upstream_calls: u64,
    /// Bytes that came from it.
    pub upstream_bytes: u64,
    /// Decisions taken.
    pub decisions: u64,
    /// Entries of the ledger.
    pub entries: u64,
}

/// What is tested: a gateway over a store, for one caller.
pub trait System {
    /// Takes a store in place of the one before, and forgets all that it learnt from that.
    fn load(&mut self, store: &Store);
    /// Answers a request. All of its randomness comes from the seed, and its clock stands still.
    fn ask(&mut self, request: &Request, seed: u64) -> Response;
    /// What the last request caused.
    fn work(&self) -> WorkTrace;
}

/// What policy alone lets the caller do, as far as the test knows it from elsewhere than the system.
pub trait Rules {
    /// Whether a search of the type may use the parameter; without one, whether the type may be read and searched at all.
    /// `Some(false)`: it must be refused. `None`: not known, so that either is right.
    fn permits(&self, resource_type: &str, parameter: Option<&str>) -> Option<bool>;

    /// Whether a search of the type may ask the parameter for what is not there (`:not`, `:missing`): only where it is
    /// whole in everything that shows.
    fn permits_absence(&self, resource_type: &str, parameter: &str) -> Option<bool> {
        let _unknown = (resource_type, parameter);
        None
    }

    /// Whether versions may be read.
    fn permits_versions(&self) -> Option<bool> {
        None
    }
}

/// How much is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Requests, each over both stores.
    pub cases: usize,
    /// Requests for a pair before the next one is made.
    pub per_pair: usize,
    /// The searches of US Core are asked of every so manyth pair; 0: of none.
    pub us_core_every: usize,
    /// Differences after which it stops.
    pub differences_max: usize,
    /// Plays that the shrinking of one difference may take.
    pub shrink_plays_max: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self { cases: 10_000, per_pair: 90, us_core_every: 8, differences_max: 5, shrink_plays_max: 300 }
    }
}

/// A difference, made as small as it would go.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The stores and the requests; the last request is the one whose answer is wrong.
    pub case: Case,
    /// What is wrong.
    pub what: String,
    /// The request as it was sent.
    pub request: Request,
    /// The answer over the first store.
    pub a: Response,
    /// The answer over the second.
    pub b: Response,
    /// The reference server's.
    pub reference: Answer,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}\n{}", self.what, self.case)?;
        writeln!(out, "request: {:?}\nfirst: {:?}\nsecond: {:?}", self.request, self.a, self.b)?;
        write!(out, "reference: {}\n{}", self.reference.status, String::from_utf8_lossy(&self.reference.body))
    }
}

/// What a run saw.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Requests asked of both stores.
    pub cases: usize,
    /// Pairs of stores.
    pub pairs: usize,
    /// Mutations that were tried, and that the caller did not see.
    pub mutations: (usize, usize),
    /// What is wrong.
    pub differences: Vec<Difference>,
    /// Refusals.
    pub refused: usize,
    /// Reads of what is not there, for the caller.
    pub absent: usize,
    /// Answers that hold what the reference server's hold.
    pub answered: usize,
    /// Of these, with at least one resource in them.
    pub told: usize,
    /// Pages behind the first.
    pub pages: usize,
    /// Of all answers, versions and histories.
    pub versions: usize,
    /// Searches of US Core that policy permits, and those that were answered.
    pub us_core: (usize, usize),
    /// Requests that caused other work over the other store.
    pub other_work: usize,
}

/// The systems under test: over either store of a pair, and over an empty one.
pub struct Systems<'a> {
    /// Over the first store.
    pub a: &'a mut dyn System,
    /// Over the second.
    pub b: &'a mut dyn System,
    /// Over the empty store.
    pub empty: &'a mut dyn System,
}

/// Asks and compares, for one caller.
pub struct Harness<'a> {
    /// Where pairs come from.
    pub pairs: &'a Pairs,
    /// What the caller sees.
    pub sight: &'a Sight,
    /// The systems' base, such as `https://gateway.example/fhir`.
    pub base: &'a str,
    /// What policy lets the caller do.
    pub rules: &'a dyn Rules,
}

/// What one play of a sequence saw.
#[derive(Default)]
pub(super) struct Played {
    pub cases: usize,
    pub refused: usize,
    pub absent: usize,
    pub answered: usize,
    pub told: usize,
    pub pages: usize,
    pub versions: usize,
    pub other_work: usize,
    /// The step, and what is wrong with its answers.
    pub wrong: Option<(usize, Wrong)>,
}

pub(super) struct Wrong {
    pub what: String,
    pub request: Request,
    pub a: Response,
    pub b: Response,
    pub reference: Answer,
}

impl Harness<'_> {
    /// Asks until the plan is fulfilled. Three systems of one make and one configuration: one is loaded with each store of
    /// a pair, one with none.
    pub fn run(&self, systems: &mut Systems<'_>, plan: &Plan, seed: u64) -> Report {
        let mut report = Report::default();
        systems.empty.load(&Store::new());
        while report.cases < plan.cases && report.differences.len() < plan.differences_max {
            let number = report.pairs as u64;
            let seed = Numbers::new(seed.wrapping_add(number)).next();
            let pair = self.pairs.make(self.sight, seed);
            report.pairs += 1;
            report.mutations.0 += pair.tried;
            report.mutations.1 += pair.mutations.len();
            let is_us_core = plan.us_core_every > 0 && number.is_multiple_of(plan.us_core_every as u64);
            self.of_a_pair(systems, plan, &pair, seed, is_us_core, &mut report);
        }
        report
    }

    fn of_a_pair(
        &self,
        systems: &mut Systems<'_>,
        plan: &Plan,
        pair: &Pair,
        seed: u64,
        is_us_core: bool,
        report: &mut Report,
    ) {
        systems.a.load(&pair.a);
        systems.b.load(&pair.b);
        let reference = ReferenceServer::of(pair.seen(), self.base).sharing(self.sight.shared());
        let mut numbers = Numbers::new(seed ^ 0x0a5c_ed00);
        let ends = (report.cases + plan.per_pair).min(plan.cases);
        let mut wanted: Vec<Vec<Step>> = Vec::new();
        if is_us_core {
            for search in us_core::SEARCHES {
                let request = us_core::concrete(search, pair, self.root(), &mut numbers);
                wanted.extend(request.map(|request| vec![Step::Ask(request)]));
            }
        }
        let mut wanted = wanted.into_iter();
        loop {
            let (steps, is_us_core) = match wanted.next() {
                Some(steps) => (steps, true),
                None if report.cases < ends => (sequence(pair, self.root(), &mut numbers), false),
                None => return,
            };
            let seed = numbers.next();
            let played = self.play(systems, &reference, &steps, seed);
            report.cases += played.cases;
            report.refused += played.refused;
            report.absent += played.absent;
            report.answered += played.answered;
            report.told += played.told;
            report.pages += played.pages;
            report.versions += played.versions;
            report.other_work += played.other_work;
            if is_us_core && self.permits_all(&reference, &steps) {
                report.us_core.0 += 1;
                report.us_core.1 += played.answered;
            }
            if let Some((step, _)) = played.wrong {
                let steps = steps.get(..=step).unwrap_or(&steps).to_vec();
                let case = Case { a: pair.a.clone(), mutations: pair.mutations.clone(), steps, seed };
                report.differences.extend(shrunk(self, systems, case, plan.shrink_plays_max));
                return;
            }
        }
    }

    /// Whether policy is known to permit each search that is asked.
    fn permits_all(&self, reference: &ReferenceServer, steps: &[Step]) -> bool {
        steps.iter().all(|step| match step {
            Step::Ask(request) => {
                reference.answer(request).query.is_some_and(|query| self.permitted(&query) == Some(true))
            }
            _ => true,
        })
    }

    /// The path of the base.
    fn root(&self) -> &str {
        let rest = self.base.split_once("://").map_or(self.base, |(_, rest)| rest);
        rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default()
    }

    /// Plays a sequence over the stores that are loaded, up to the first wrong answer.
    pub(super) fn play(
        &self,
        systems: &mut Systems<'_>,
        reference: &ReferenceServer,
        steps: &[Step],
        seed: u64,
    ) -> Played {
        let mut played = Played::default();
        let mut last: Option<Asked> = None;
        let mut numbers = Numbers::new(seed);
        for (number, step) in steps.iter().enumerate() {
            let Some(to_ask) = self.to_ask(step, last.as_ref(), reference) else { continue };
            let seed = numbers.next();
            let a = systems.a.ask(&to_ask.a, seed);
            let b = systems.b.ask(&to_ask.b, seed);
            played.cases += 1;
            played.other_work += usize::from(systems.a.work() != systems.b.work());
            let needs_empty = a.status != 200 && a.status != 304 || to_ask.answer.status == 0;
            let empty = if needs_empty { systems.empty.ask(&to_ask.a, seed) } else { a.clone() };
            let may_refuse = self.may_refuse(&to_ask.a, &to_ask.answer);
            let verdict = if a != b {
                Verdict::Different("the two stores, which look alike, are told apart".to_owned())
            } else {
                compare(&to_ask.a, &a, &to_ask.answer, &empty, may_refuse)
            };
            let verdict = match verdict {
                Verdict::Equal | Verdict::Absent if self.must_refuse(&to_ask.a, &to_ask.answer) => {
                    Verdict::Different("answered what policy does not permit".to_owned())
                }
                verdict => verdict,
            };
            match verdict {
                Verdict::Equal => {
                    played.answered += 1;
                    played.told += usize::from(to_ask.answer.query.is_none() || holds_entries(&a.body));
                    played.pages += usize::from(*step == Step::Next);
                    played.versions += usize::from(self.is_of_versions(&to_ask.a));
                }
                Verdict::Absent => played.absent += 1,
                Verdict::Refused => played.refused += 1,
                Verdict::Constant => {}
                Verdict::Different(what) => {
                    let (request, reference) = (to_ask.a, to_ask.answer);
                    played.wrong = Some((number, Wrong { what, request, a, b, reference }));
                    return played;
                }
            }
            last = Some(Asked { request: to_ask, a, b });
        }
        played
    }

    /// What a step asks, after what was asked before it; nothing, where it needs an answer that there is not.
    fn to_ask(&self, step: &Step, last: Option<&Asked>, reference: &ReferenceServer) -> Option<ToAsk> {
        let refused = |request: Request| ToAsk {
            a: request.clone(),
            b: request,
            answer: Answer { status: 400, body: Vec::new(), has_next: false, query: None, token: None },
            page: 0,
        };
        match step {
            Step::Ask(request) => {
                let answer = reference.answer(request);
                Some(ToAsk { a: request.clone(), b: request.clone(), answer, page: 0 })
            }
            Step::Next => {
                let last = last?;
                let query = last.request.answer.query.as_ref().filter(|_| last.request.answer.has_next)?;
                let page = last.request.page + 1;
                let path = format!("{}/{}", self.root(), query.scope.path());
                let next = |response: &Response| Some(Request::get(path.clone()).with_query(response.next_query()?));
                Some(ToAsk { a: next(&last.a)?, b: next(&last.b)?, answer: reference.page(query, page), page })
            }
            Step::Again => Some(last?.request.clone()),
            Step::Spoilt(spoil) => {
                let last = last?;
                let query = last.request.answer.query.as_ref()?;
                let next = last.a.next_query()?;
                Some(refused(spoilt(self.root(), &query.scope.path(), &next, spoil)?))
            }
            Step::Revalidate => {
                let last = last.filter(|last| last.request.answer.query.is_none())?;
                let with = |request: &Request, response: &Response| {
                    Some(request.clone().with_header("If-None-Match", response.header("etag")?))
                };
                let (a, b) = (with(&last.request.a, &last.a)?, with(&last.request.b, &last.b)?);
                Some(ToAsk { a, b, answer: last.request.answer.clone(), page: 0 })
            }
        }
    }

    /// Whether policy alone may refuse what the reference server answers.
    fn may_refuse(&self, request: &Request, answer: &Answer) -> bool {
        // A header that asks for something else than what stands there may be refused.
        let is_plain = request.headers.iter().all(|(name, value)| {
            name.eq_ignore_ascii_case("content-type") && value.starts_with("application/x-www-form-urlencoded")
        });
        if !is_plain {
            return true;
        }
        let permits = |kind: &str| self.rules.permits(kind, None) == Some(true);
        match (&answer.query, place(self.base, request)) {
            (Some(query), _) => self.permitted(query) != Some(true),
            // Who is shown a resource of a type may read the type.
            (None, Place::Read(kind, _)) => answer.status != 200 && !permits(&kind),
            (None, Place::Version(kind, ..) | Place::History(kind, _)) => {
                self.rules.permits_versions() != Some(true) || answer.status != 200 && !permits(&kind)
            }
            (None, Place::Everything(_, types, _)) => {
                !permits("Patient") || !types.iter().flatten().all(|kind| permits(kind))
            }
            _ => true,
        }
    }

    fn must_refuse(&self, request: &Request, answer: &Answer) -> bool {
        let is_search_forbidden = answer.query.as_ref().is_some_and(|query| self.permitted(query) == Some(false));
        is_search_forbidden || self.rules.permits_versions() == Some(false) && self.is_of_versions(request)
    }

    fn is_of_versions(&self, request: &Request) -> bool {
        matches!(place(self.base, request), Place::Version(..) | Place::History(..))
    }

    /// Whether policy permits a search: its type, and each parameter wherever it stands, on the type that has it.
    fn permitted(&self, query: &Query) -> Option<bool> {
        let mut answers = vec![self.rules.permits(&query.scope.resource_type, None)];
        for asked in query.asks() {
            let (kind, name) = (asked.resource_type.as_str(), asked.parameter);
            answers.push(self.rules.permits(kind, None));
            answers.push(self.rules.permits(kind, Some(name)));
            if asked.for_absence {
                answers.push(self.rules.permits_absence(kind, name));
            }
        }
        // Whether a type that an include names must be permitted is not said: it may be refused.
        for target in query.includes.iter().filter_map(|include| include.link.target.as_deref()) {
            answers.push(self.rules.permits(target, None).filter(|permits| *permits));
        }
        if answers.contains(&Some(false)) {
            Some(false)
        } else {
            answers.into_iter().collect::<Option<Vec<_>>>().map(|_| true)
        }
    }
}

#[derive(Clone)]
struct ToAsk {
    a: Request,
    b: Request,
    answer: Answer,
    page: usize,
}

struct Asked {
    request: ToAsk,
    a: Response,
    b: Response,
}

fn holds_entries(body: &[u8]) -> bool {
    let what = br#""entry":["#;
    body.windows(what.len()).any(|window| window == what)
}

/// A request with a spoilt page token.
fn spoilt(root: &str, path: &str, next: &str, spoil: &Spoil) -> Option<Request> {
    let token = next.strip_prefix("_page=")?;
    let own = |query: String| Some(Request::get(format!("{root}/{path}")).with_query(query));
    match spoil {
        Spoil::Cut => own(format!("_page={}", token.get(..token.len().checked_sub(1)?)?)),
        Spoil::Flipped(at) => {
            let at = at % token.len().max(1);
            let old = token.as_bytes().get(at)?;
            let new = if *old == b'A' { 'B' } else { 'A' };
            own(format!("_page={}{new}{}", token.get(..at)?, token.get(at + 1..)?))
        }
        Spoil::OfAnotherType(other) => {
            dictionary().resource(other)?;
            Some(Request::get(format!("{root}/{other}")).with_query(next))
        }
        Spoil::WithAParameter => own(format!("{next}&_count=1")),
    }
}

#[cfg(test)]
mod tests;
