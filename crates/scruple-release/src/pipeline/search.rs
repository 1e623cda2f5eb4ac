//! Search (docs/search.md): candidates from the upstream, projected, and every criterion judged on the projection. Order,
//! totals and pages are ours; chains and includes are searches of their own.

use super::collection::Collection;
use super::sight::{Sight, Target, Visible, too_costly};
use super::{Answer, Outgoing, Pipeline, Request, RequestRng, Stop};
use crate::outcome::No;
use crate::page::Place;
use scruple_core::limits::{SEARCH_INCLUDED_MAX, SEARCH_LINKED_MAX};
use scruple_fhir::search::{
    Asked, By, Condition, Criterion, Include, Key, QueryFault, Reads, Search, decode_pairs, encode, parse,
};
use scruple_fhir::{TypeId, dictionary};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;

/// What a search is asked of.
#[derive(Clone, Copy)]
pub enum Scope<'a> {
    /// All resources of the type.
    Type,
    /// Those in the compartment of the patient of this id.
    Patient(&'a str),
}

/// What was found for a page.
#[derive(Default)]
struct Found {
    /// Matches on the page and one behind it, in their order.
    matches: Vec<Match>,
    /// How many match in all.
    total: u64,
}

struct Match {
    place: Spot,
    visible: Visible,
}

/// Where a resource stands in an order.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Spot {
    pub keys: Vec<Key>,
    pub id: String,
}

impl Spot {
    fn compare(&self, other: &Self, order: &[By]) -> Ordering {
        let keys = order.iter().zip(self.keys.iter().zip(&other.keys));
        let by_keys = keys.map(|(by, (one, other))| by.compare(one, other)).find(|ordering| ordering.is_ne());
        by_keys.unwrap_or_else(|| self.id.cmp(&other.id))
    }
}

impl Pipeline {
    /// Answers a search of a type by its parameters, decoded.
    pub async fn search(
        &self,
        request: Request<'_>,
        resource_type: TypeId,
        scope: Scope<'_>,
        pairs: &[(String, String)],
        rng: &mut RequestRng,
    ) -> Answer {
        let mut request = request;
        let answered = self.try_search(&mut request, resource_type, scope, pairs, rng).await;
        self.ended(request, answered).await
    }

    async fn try_search(
        &self,
        request: &mut Request<'_>,
        resource_type: TypeId,
        scope: Scope<'_>,
        pairs: &[(String, String)],
        rng: &mut RequestRng,
    ) -> Result<Answer, Stop> {
        // The grammar first: what is refused by it is refused to everyone alike.
        let asked = parse(resource_type, pairs).map_err(|fault| no_of(&fault))?;
        let compartment = match scope {
            Scope::Type => None,
            Scope::Patient(patient) => Some(in_compartment(resource_type, patient)?),
        };
        let mut sight = Sight::new(self, request.asked, request.now)?;
        sight.permits_type(resource_type)?;
        let address = match scope {
            Scope::Type => dictionary().get(resource_type).name.to_owned(),
            Scope::Patient(patient) => format!("Patient/{patient}/{}", dictionary().get(resource_type).name),
        };
        let (search, after, token) = match asked {
            Asked::Search(search) => (search, None, None),
            Asked::Page(token) => {
                let (search, after) = self.place(request, &sight, resource_type, &address, &token)?;
                (search, Some(after), Some(token))
            }
        };
        request.facts.parameters = search.read().iter().map(|(_, reads, _)| reads.name().to_owned()).collect();
        permits(&sight, &search, compartment.as_ref())?;
        let mut criteria: Vec<Criterion> = compartment.into_iter().collect();
        for condition in &search.conditions {
            criteria.push(sight.settled(resource_type, condition).await?);
        }
        let found = find(&mut sight, &search, &criteria, after.as_ref()).await?;
        let outgoing = self.page_of(request, &mut sight, &search, &address, found, token.as_deref(), rng).await?;
        Ok(Answer::Released(self.release(request, &sight, outgoing, rng).await?))
    }

    /// Opens a page token.
    fn place(
        &self,
        request: &Request<'_>,
        sight: &Sight<'_>,
        resource_type: TypeId,
        address: &str,
        token: &str,
    ) -> Result<(Search, Spot), Stop> {
        let no = || {
            No::new(
                400,
                "page_token_invalid",
                "The page token is not one of yours under this policy. Begin the search anew.",
            )
        };
        let place = Place::open(&self.page, &self.bound(request, sight), token).ok_or_else(no)?;
        let pairs = decode_pairs(&place.query).ok_or_else(no)?;
        match parse(resource_type, &pairs) {
            Ok(Asked::Search(search)) if place.of == address && place.after.keys.len() == search.order.len() => {
                Ok((search, place.after))
            }
            _ => Err(no().into()),
        }
    }

    /// The page as a Bundle.
    #[expect(clippy::too_many_arguments, reason = "a page is made of all of these")]
    async fn page_of(
        &self,
        request: &Request<'_>,
        sight: &mut Sight<'_>,
        search: &Search,
        address: &str,
        found: Found,
        token: Option<&str>,
        rng: &mut RequestRng,
    ) -> Result<Outgoing, Stop> {
        let Found { mut matches, total } = found;
        let more = matches.len() > search.count;
        matches.truncate(search.count);
        let query = encode(&search.echo).to_string();
        let own = match (query.as_str(), token) {
            ("", None) => String::new(),
            (query, None) => format!("?{query}"),
            ("", Some(token)) => format!("?_page={token}"),
            (query, Some(token)) => format!("?{query}&_page={token}"),
        };
        let base = &self.base;
        let mut links = vec![("self", format!("{base}/{address}{own}"))];
        let nowhere = Spot { keys: vec![None; search.order.len()], id: String::new() };
        let last = matches.last().map_or(nowhere, |last| last.place.clone());
        // The same number of draws whether or not there is a next page.
        let next = Place::new(address, query, last).seal(&self.page, &self.bound(request, sight), rng);
        if more {
            let next =
                next.map_err(|_| No::new(503, "page_not_sealed", "The next page cannot be sealed. Try again."))?;
            links.push(("next", format!("{base}/{address}?_page={next}")));
        }
        let included = included(sight, search, &matches).await?;
        let kind = dictionary().get(search.resource_type).name;
        let mut set = Collection::new(base, "searchset", search.total.then_some(total), &links);
        for Match { place, visible } in matches {
            let Some(bytes) = search.cut.of(search.resource_type, visible.bytes) else { continue };
            set.add_found(kind, &place.id, Visible { bytes, ..visible }, "match");
        }
        for ((kind, id), visible) in included {
            set.add_found(&kind, &id, visible, "include");
        }
        let counts = std::mem::take(&mut sight.counts);
        Ok(Outgoing { shares: std::mem::take(&mut sight.shares), ..set.finish(counts) })
    }
}

/// What puts resources of a type in a patient's compartment.
pub(super) fn in_compartment(resource_type: TypeId, patient: &str) -> Result<Criterion, Stop> {
    let reads = Reads::compartment(resource_type).zip(dictionary().resource("Patient"));
    let (reads, of) = reads.ok_or_else(|| {
        No::new(400, "interaction_not_supported", "This type has no place in the compartment of a patient.")
    })?;
    Ok(Criterion::refers_to(reads, of, BTreeSet::from([patient.to_owned()])))
}

/// Refuses what policy alone refuses.
fn permits(sight: &Sight<'_>, search: &Search, compartment: Option<&Criterion>) -> Result<(), Stop> {
    let compartment = compartment.map(|criterion| (search.resource_type, criterion.reads(), false));
    for (of, reads, whole) in search.read().into_iter().chain(compartment) {
        sight.permits_type(of)?;
        for decided in sight.decisions(of) {
            decided.permits(of, reads, whole).map_err(|not| {
                let words = format!(
                    "Parameter `{}` reads what your role does not see in full, so that a search by it could tell it.",
                    not.parameter
                );
                No::new(403, "parameter_not_permitted", words)
            })?;
        }
    }
    Ok(())
}

impl Sight<'_> {
    /// A condition as a criterion that is judged on a resource alone: chains, and what comes from behind, are searched for.
    pub(super) fn settled<'s>(
        &'s mut self,
        resource_type: TypeId,
        condition: &'s Condition,
    ) -> Pin<Box<dyn Future<Output = Result<Criterion, Stop>> + Send + 's>> {
        Box::pin(async move {
            match condition {
                Condition::Own(criterion) => Ok(criterion.clone()),
                Condition::Chain(reads, target, inner) => {
                    let inner = self.settled(*target, inner).await?;
                    let mut ids = BTreeSet::new();
                    self.search(*target, &[inner], true, &mut |candidate, _| {
                        ids.insert(candidate.id.to_owned());
                        if ids.len() > SEARCH_LINKED_MAX { Err(too_costly().into()) } else { Ok(()) }
                    })
                    .await?;
                    Ok(Criterion::refers_to(reads.clone(), *target, ids))
                }
                Condition::Has(source, reads, inner) => {
                    let inner = self.settled(*source, inner).await?;
                    let kind = dictionary().get(resource_type).name;
                    let mut ids = BTreeSet::new();
                    self.search(*source, &[inner], true, &mut |_, visible| {
                        let targets = reads.targets(&visible.bytes).into_iter();
                        ids.extend(targets.filter(|(of, _)| of == kind).map(|(_, id)| id));
                        if ids.len() > SEARCH_LINKED_MAX { Err(too_costly().into()) } else { Ok(()) }
                    })
                    .await?;
                    Criterion::is_one_of(resource_type, ids).ok_or_else(|| too_costly().into())
                }
            }
        })
    }
}

/// Collects what matches for one page.
async fn find(
    sight: &mut Sight<'_>,
    search: &Search,
    criteria: &[Criterion],
    after: Option<&Spot>,
) -> Result<Found, Stop> {
    let mut found = Found::default();
    let order = &search.order;
    // A total tells of all that it counts.
    sight
        .search(search.resource_type, criteria, search.total, &mut |candidate, visible| {
            found.total += 1;
            if search.only_total {
                return Ok(());
            }
            let keys = order.iter().map(|by| by.key(&visible.bytes)).collect();
            let place = Spot { keys, id: candidate.id.to_owned() };
            if after.is_some_and(|after| place.compare(after, order).is_le()) {
                return Ok(());
            }
            let at = found.matches.partition_point(|other| other.place.compare(&place, order).is_lt());
            if at <= search.count {
                found.matches.insert(at, Match { place, visible });
                found.matches.truncate(search.count + 1);
            }
            Ok(())
        })
        .await?;
    Ok(found)
}

/// What comes beside the matches, in the order of types and ids.
async fn included(
    sight: &mut Sight<'_>,
    search: &Search,
    matches: &[Match],
) -> Result<BTreeMap<Target, Visible>, Stop> {
    let mut all: BTreeMap<Target, Visible> = BTreeMap::new();
    if search.includes.is_empty() {
        return Ok(all);
    }
    let kind = dictionary().get(search.resource_type).name;
    let on_page: BTreeSet<Target> = matches.iter().map(|one| (kind.to_owned(), one.place.id.clone())).collect();
    let mut from: Vec<(Target, Vec<u8>)> =
        matches.iter().map(|one| ((kind.to_owned(), one.place.id.clone()), one.visible.bytes.clone())).collect();
    let mut asked: BTreeSet<Target> = BTreeSet::new();
    let mut is_first = true;
    while !from.is_empty() {
        let mut new: BTreeMap<Target, Visible> = BTreeMap::new();
        for include in search.includes.iter().filter(|include| is_first || include.iterate) {
            let found = if include.backwards {
                from_behind(sight, include, &from).await?
            } else {
                let targets = forward(include, &from);
                let unknown = targets.into_iter().filter(|target| asked.insert(target.clone())).collect();
                sight.named(&unknown).await?
            };
            new.extend(found.into_iter().filter(|(target, _)| !on_page.contains(target) && !all.contains_key(target)));
        }
        is_first = false;
        from = new.iter().map(|(target, visible)| (target.clone(), visible.bytes.clone())).collect();
        all.extend(new);
        if all.len() > SEARCH_INCLUDED_MAX {
            return Err(too_costly().into());
        }
    }
    Ok(all)
}

/// What the parameter of an include refers to.
fn forward(include: &Include, from: &[(Target, Vec<u8>)]) -> BTreeSet<Target> {
    let source = dictionary().get(include.source).name;
    let only = include.target.map(|target| dictionary().get(target).name);
    let holders = from.iter().filter(|((kind, _), _)| kind == source);
    let targets = holders.flat_map(|(_, bytes)| include.reads.targets(bytes));
    targets.filter(|(kind, _)| only.is_none_or(|only| kind == only)).collect()
}

/// What refers to these by the parameter of an include.
async fn from_behind(
    sight: &mut Sight<'_>,
    include: &Include,
    from: &[(Target, Vec<u8>)],
) -> Result<Vec<(Target, Visible)>, Stop> {
    let mut by_kind: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for ((kind, id), _) in from {
        by_kind.entry(kind).or_default().insert(id.clone());
    }
    let source = dictionary().get(include.source).name;
    let mut all = Vec::new();
    for (kind, ids) in by_kind {
        let Some(of) = dictionary().resource(kind).filter(|of| include.target.is_none_or(|only| only == *of)) else {
            continue;
        };
        if !include.reads.may_point_to(of) {
            continue;
        }
        let criterion = Criterion::refers_to(include.reads.clone(), of, ids);
        sight
            .search(include.source, &[criterion], false, &mut |candidate, visible| {
                all.push(((source.to_owned(), candidate.id.to_owned()), visible));
                if all.len() > SEARCH_INCLUDED_MAX { Err(too_costly().into()) } else { Ok(()) }
            })
            .await?;
    }
    Ok(all)
}

fn no_of(fault: &QueryFault) -> No {
    let status = if *fault == QueryFault::Format { 406 } else { 400 };
    No::new(status, fault.code(), format!("{fault}."))
}
