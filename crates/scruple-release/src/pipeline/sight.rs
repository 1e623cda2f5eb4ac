//! [`Sight`]: what one request's caller sees (docs/view.md). It knows which resources it has looked at, and forgets all of it
//! when the request ends: nothing that decides whether something shows is remembered from request to request.

mod labels;
mod links;
mod lookup;
mod relations;

use super::{Leaving, Outgoing, Pipeline, Stop, Told, no_of};
use crate::decided::{Decided, Policy};
use crate::outcome::No;
use crate::release::Asked;
use crate::upstream::{self, Share, UpstreamError, UpstreamQuery};
use scruple_core::limits::{SEARCH_CANDIDATE_BYTES_MAX, SEARCH_CANDIDATES_MAX, SEARCH_COUNT_MAX, SEARCH_LINKED_MAX};
use scruple_core::{Counts, Relationship, SegmentSet, Timestamp, View};
use scruple_fhir::search::{Criterion, Reads, all_match};
use scruple_fhir::{Projector, Surroundings, TypeId, Withheld, about, bundle, dictionary, is_binary};
use scruple_policy::Question;
use scruple_seal::TokenKey;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use labels::EVERY;
pub use links::Link;
use lookup::{Raw, batches};
pub(super) use relations::Relations;

/// Pages that one request may take from the upstream beside look-ups by id.
const PAGES_MAX: usize = 1_000;
/// Resources that are projected before others have their turn.
const AT_ONCE: usize = 16;

/// A resource by type and id.
pub(super) type Target = (String, String);

/// A resource as it came from the upstream.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub kind: TypeId,
    pub id: &'a str,
    /// Its bytes, after [`bundle::plain`].
    pub bytes: &'a [u8],
}

impl Candidate<'_> {
    pub fn target(&self) -> Target {
        (dictionary().get(self.kind).name.to_owned(), self.id.to_owned())
    }
}

/// What shows of a resource.
#[derive(Clone)]
pub(super) struct Visible {
    pub bytes: Vec<u8>,
    /// The patients that it is about, as `Patient/id`, for the record.
    pub patients: Vec<String>,
    /// What the relationship to them rests on.
    pub relations: Vec<String>,
    /// Which of several kinds of information it is, as the record names it: `Observation vitals`.
    pub kinds: Vec<String>,
    /// By which table it shows.
    pub by: By,
}

/// By which table something shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum By {
    /// It is nobody's: the near one, without anybody to be related to.
    Nobody,
    /// One of them.
    Side(Side),
}

/// One of the decisions of a sight.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Side {
    /// More than the near one: an emergency confirmed what is specially protected of all of its patients.
    Protected,
    /// The near one: its patients are the caller's.
    Near,
    /// One of those that open some kinds of information alone, by its place.
    Limited(usize),
    /// The far one.
    Far,
}

/// A caller's view of the record system, for one request.
pub(super) struct Sight<'a> {
    pub pipeline: &'a Pipeline,
    asked: &'a Asked,
    policy: Arc<Policy>,
    /// The decision for patients to whom the caller is related, and for what is nobody's.
    pub near: Arc<Decided>,
    /// The decision for patients of whose records an emergency confirmed what is specially protected.
    protected: Option<Arc<Decided>>,
    /// The decision for all others; none where relationships are not looked up.
    far: Option<Arc<Decided>>,
    /// The decisions for patients of whose records some kinds of information alone are opened.
    limited: Vec<Arc<Decided>>,
    now: Timestamp,
    relations: Relations<'a>,
    /// Resources that were looked up.
    raw: HashMap<Target, Raw>,
    /// Their own labels.
    labels: HashMap<Target, SegmentSet>,
    /// Which of them show.
    shows: HashMap<Target, bool>,
    /// What was spent: candidates, bytes, pages.
    pub spent: (usize, usize, usize),
    /// By which decisions something was met that is of somebody whose record is open to the caller.
    saw: BTreeSet<Side>,
    /// Whom an answer tells of by resources that are not in it: counted, or met by a condition on what others refer to.
    pub told: Told,
    /// Of the answers of which what leaves was made.
    pub shares: Vec<Share>,
    /// Of the answers that were only looked at.
    looked_at: Vec<Share>,
    pub counts: Counts,
}

/// What is known of resources beside themselves.
#[derive(Clone, Copy)]
pub(super) struct Beside {
    /// Labels that they have.
    labels: SegmentSet,
    /// The widest decision by which they can show.
    pub side: Side,
}

impl By {
    /// The decision, where what shows is somebody's.
    pub const fn side(self) -> Option<Side> {
        match self {
            Self::Nobody => None,
            Self::Side(side) => Some(side),
        }
    }
}

impl Side {
    /// The narrower of both; two that open different kinds of information have the far one in common.
    fn within(self, other: Self) -> Self {
        match (self, other) {
            (Self::Protected, side) | (side, Self::Protected) | (Self::Near, side) | (side, Self::Near) => side,
            (one, two) if one == two => one,
            _ => Self::Far,
        }
    }
}

impl Beside {
    const NOTHING: Self = Self { labels: SegmentSet::EMPTY, side: Side::Protected };
}

/// What a first projection gave.
struct First {
    bytes: Vec<u8>,
    /// Targets on which it depends.
    asked: BTreeSet<Target>,
    inherited: SegmentSet,
    side: Side,
    /// Which of several kinds of information it is, as category bits.
    classes: u64,
}

impl<'a> Sight<'a> {
    /// The sight of a request's caller.
    pub fn new(pipeline: &'a Pipeline, asked: &'a Asked, now: Timestamp) -> Result<Self, Stop> {
        let policy = pipeline.policy();
        let question = &asked.question;
        let decide = |related: bool| {
            let decided = policy.decide(question, related).map_err(|refusal| no_of(&refusal))?;
            if decided.valid_until(now) <= now { Err(super::run_out()) } else { Ok(decided) }
        };
        let is_resolved = asked.relationship == Relationship::Resolved;
        let (near, far) = if is_resolved { (decide(true)?, Some(decide(false)?)) } else { (decide(false)?, None) };
        let relations = Relations::new(asked, now, &policy);
        let protected = match relations.protected().filter(|_| is_resolved) {
            Some(conditions) => {
                let conditions = question.conditions.union(conditions);
                let decided = policy.decide(&Question { conditions, ..question.clone() }, true);
                Some(decided.map_err(|refusal| no_of(&refusal))?)
            }
            None => None,
        };
        if protected.as_ref().is_some_and(|decided| decided.valid_until(now) <= now) {
            return Err(super::run_out().into());
        }
        let mut limited = Vec::new();
        for kinds in relations.limits().into_iter().filter(|_| is_resolved) {
            let decided = policy.limited(question, &kinds).map_err(|refusal| no_of(&refusal))?;
            if decided.valid_until(now) <= now {
                return Err(super::run_out().into());
            }
            limited.push(decided);
        }
        Ok(Self {
            pipeline,
            asked,
            policy,
            near,
            protected,
            far,
            limited,
            now,
            relations,
            raw: HashMap::new(),
            labels: HashMap::new(),
            shows: HashMap::new(),
            spent: (0, 0, 0),
            saw: BTreeSet::new(),
            told: Told::default(),
            shares: Vec::new(),
            looked_at: Vec::new(),
            counts: Counts::default(),
        })
    }

    /// Refuses what policy alone refuses: a type of which the role has nothing.
    pub fn permits_type(&self, resource_type: TypeId) -> Result<(), Stop> {
        if self.may_show(resource_type) {
            return Ok(());
        }
        if is_binary(resource_type) {
            let words = "A Binary is read by the link in the Attachment that names it.";
            return Err(No::new(403, "type_not_permitted", words).into());
        }
        let role = &self.asked.question.role;
        let label = self.policy.pack().roles.get(role).map_or(role.as_str(), |role| &role.label);
        let kind = dictionary().get(resource_type).name;
        let words =
            format!("Your role, {label}, has no resources of type {kind}. If the task needs them, ask for access.");
        Err(No::new(403, "type_not_permitted", words).into())
    }

    pub fn may_show(&self, resource_type: TypeId) -> bool {
        // A Binary shows through the Attachment that names it alone.
        !is_binary(resource_type)
            && (self.near.may_show(resource_type) || self.far.as_ref().is_some_and(|far| far.may_show(resource_type)))
    }

    /// The decisions under which resources of a type can show.
    pub fn decisions(&self, resource_type: TypeId) -> impl Iterator<Item = &Arc<Decided>> {
        // What is nobody's shows by the near one alone.
        let others = self.protected.iter().chain(&self.limited).chain(&self.far);
        let others = others.filter(move |_| self.is_bound(resource_type));
        let all = std::iter::once(&self.near).chain(others);
        all.filter(move |decided| decided.may_show(resource_type))
    }

    /// Whether resources of a type show for those patients alone to whom the caller is related.
    pub fn is_of_related_alone(&self, resource_type: TypeId) -> bool {
        self.far.as_ref().is_some_and(|far| !far.may_show(resource_type)) && self.is_bound(resource_type)
    }

    fn is_bound(&self, resource_type: TypeId) -> bool {
        about::is_bound(&self.policy.pack().annotation, resource_type)
    }

    /// By which decision resources leave, and how the relationship was established, for the record.
    pub fn decided_by(&self, leaving: &[Leaving]) -> (&Arc<Decided>, Relationship) {
        let Some(far) = &self.far else { return (&self.near, self.asked.relationship) };
        let mut sides: BTreeSet<Side> = self.told.sides.clone();
        sides.extend(leaving.iter().filter_map(|one| one.by.side()));
        // Also where nothing of them leaves: a number, or nothing because of a label.
        if leaving.is_empty() {
            sides.extend(&self.saw);
        }
        let mut open = sides.iter().filter(|side| **side != Side::Far);
        match (open.next(), open.next()) {
            // Of several the record names the one that all the others are within.
            (Some(Side::Protected), _) => (self.protected.as_ref().unwrap_or(&self.near), Relationship::Resolved),
            (Some(Side::Near), _) | (Some(_), Some(_)) => (&self.near, Relationship::Resolved),
            (Some(Side::Limited(place)), None) => {
                (self.limited.get(*place).unwrap_or(&self.near), Relationship::Resolved)
            }
            _ if sides.contains(&Side::Far) || leaving.is_empty() => (far, Relationship::None),
            _ => (&self.near, Relationship::None),
        }
    }

    /// The hashes of all tables by which anything can show.
    pub fn table_hashes(&self) -> String {
        let all = std::iter::once(&self.near).chain(&self.protected).chain(&self.limited).chain(&self.far);
        all.map(|decided| decided.table_hash.as_str()).collect()
    }

    /// All patients of whose records anything is open to the caller.
    pub async fn related(&mut self) -> Result<BTreeSet<String>, Stop> {
        self.relations.all(self.pipeline).await
    }

    /// Looks for a relationship to the patient of a read that found nothing, as if it had.
    pub async fn look_for_nobody(&mut self, resource_type: TypeId, id: &str) -> Result<(), Stop> {
        if self.far.is_none() || !self.is_bound(resource_type) {
            return Ok(());
        }
        let patient = if dictionary().get(resource_type).name == "Patient" { id } else { "0" };
        self.relations.some(self.pipeline, BTreeSet::from([patient.to_owned()])).await
    }

    /// Whether the caller sees versions and times of change.
    pub fn sees_changes(&self, side: Side) -> bool {
        let category = self.policy.pack().annotation.change_metadata;
        self.decided(side).table.view(category) == View::Full
    }

    /// What a resource that shows says of its versions, and of what is a part of it.
    pub async fn beside(&mut self, current: &Candidate<'_>) -> Result<Beside, Stop> {
        let side = self.sides_of(std::slice::from_ref(current)).await?.pop().unwrap_or(Side::Far);
        // A version may show by the other table, which may heed other labels.
        let others = self.protected.iter().chain(&self.limited).chain(&self.far);
        let heeds = others.fold(self.near.projection.heeds(), |heeds, other| heeds.union(other.projection.heeds()));
        let inherited = self.inherited(&[Some((*current, heeds))]).await?.pop().unwrap_or(EVERY);
        Ok(Beside { labels: self.labels_of(current.bytes).union(inherited), side })
    }

    /// What leaves: these bytes with these resources in them.
    pub fn outgoing(&mut self, bytes: Vec<u8>, resources: Vec<Leaving>) -> Outgoing {
        let counts = Counts { released: resources.len() as u64, ..std::mem::take(&mut self.counts) };
        Outgoing { bytes, resources, counts, shares: std::mem::take(&mut self.shares) }
    }

    /// What shows of each of these resources.
    pub async fn visible(&mut self, candidates: &[Candidate<'_>]) -> Result<Vec<Option<Visible>>, Stop> {
        self.visible_beside(candidates, Beside::NOTHING).await
    }

    /// The same, with what is known of them beside.
    pub async fn visible_beside(
        &mut self,
        candidates: &[Candidate<'_>],
        beside: Beside,
    ) -> Result<Vec<Option<Visible>>, Stop> {
        let first = self.first(candidates, beside).await?;
        let asked = first.iter().flatten().flat_map(|first| first.asked.iter().cloned()).collect();
        self.judge(asked).await?;
        let mut visible = Vec::with_capacity(candidates.len());
        for (place, (candidate, first)) in candidates.iter().zip(first).enumerate() {
            if place % AT_ONCE == 0 {
                turn().await;
            }
            let shown = first.and_then(|first| {
                if first.asked.is_empty() {
                    return Ok(first);
                }
                let again = self.project(&self.decided(first.side), candidate.bytes, first.inherited, true)?;
                Ok(First { bytes: again.bytes, ..first })
            });
            self.counts.read += 1;
            visible.push(match shown {
                Ok(shown) => self
                    .with_links(candidate, &shown.bytes)
                    .map(|bytes| self.seen(candidate, bytes, (shown.side, shown.classes))),
                Err(reason) => self.withhold(reason),
            });
        }
        Ok(visible)
    }

    /// Counts what is withheld, and shows nothing of it.
    fn withhold<T>(&mut self, reason: Withheld) -> Option<T> {
        *self.counts.withheld.entry(reason.code().to_owned()).or_default() += 1;
        None
    }

    fn seen(&mut self, candidate: &Candidate<'_>, bytes: Vec<u8>, (side, classes): (Side, u64)) -> Visible {
        let about = about::patients(candidate.kind, candidate.id, candidate.bytes);
        let is_nobody_s = side == Side::Near && !self.is_about_somebody(candidate);
        let by = if is_nobody_s { By::Nobody } else { By::Side(side) };
        let is_open = !matches!(by, By::Nobody | By::Side(Side::Far));
        let relations = if is_open { self.relations.of(&about.ids) } else { Vec::new() };
        let patients = about.ids.into_iter().map(|id| format!("Patient/{id}")).collect();
        let pack = self.policy.pack();
        let of_class = pack.categories.iter().enumerate().filter(|(index, _)| classes & 1 << (index & 63) != 0);
        let kind = dictionary().get(candidate.kind).name;
        let kinds = of_class.map(|(_, category)| format!("{kind} {}", category.name)).collect();
        Visible { bytes, patients, relations, kinds, by }
    }

    /// Whether a resource, or one that it contains, is bound to patients.
    fn is_about_somebody(&self, candidate: &Candidate<'_>) -> bool {
        let annotation = &self.policy.pack().annotation;
        about::is_bound(annotation, candidate.kind) || about::contains_bound(annotation, candidate.bytes)
    }

    fn decided(&self, side: Side) -> Arc<Decided> {
        let decided = match (side, &self.far) {
            (Side::Protected, Some(_)) => self.protected.as_ref().unwrap_or(&self.near),
            (Side::Protected | Side::Near, _) | (_, None) => &self.near,
            (Side::Limited(place), Some(far)) => self.limited.get(place).unwrap_or(far),
            (Side::Far, Some(far)) => far,
        };
        Arc::clone(decided)
    }

    /// Projects these resources as if all that they refer to showed: relationship, then labels, then what is left.
    async fn first(
        &mut self,
        candidates: &[Candidate<'_>],
        beside: Beside,
    ) -> Result<Vec<Result<First, Withheld>>, Stop> {
        let sides = self.sides_of(candidates).await?.into_iter().map(|side| side.within(beside.side));
        let sides: Vec<(Side, Arc<Decided>)> = sides.map(|side| (side, self.decided(side))).collect();
        let mut hopeful = Vec::new();
        for (candidate, (side, decided)) in candidates.iter().zip(&sides) {
            let may_show = decided.may_show(candidate.kind) && !self.is_closed(candidate.kind, *side);
            hopeful.push(may_show.then_some((*candidate, decided.projection.heeds())));
        }
        let inherited = self.inherited(&hopeful).await?;
        let mut first = Vec::with_capacity(candidates.len());
        for (place, ((candidate, (side, decided)), inherited)) in
            candidates.iter().zip(sides).zip(inherited).enumerate()
        {
            if place % AT_ONCE == 0 {
                turn().await;
            }
            if self.is_closed(candidate.kind, side) {
                first.push(Err(Withheld::Policy));
                continue;
            }
            let labels = inherited.union(beside.labels);
            first.push(self.project(&decided, candidate.bytes, labels, false).map(|first| First { side, ..first }));
        }
        Ok(first)
    }

    /// What is of a shared type and contains somebody's shows to nobody: its table is the near one, and it has no patient.
    fn is_closed(&self, resource_type: TypeId, side: Side) -> bool {
        self.far.is_some() && side != Side::Near && !self.is_bound(resource_type)
    }

    /// The decision on each of these: the near one where the caller is related to all of its patients, a limited one where some
    /// kinds of information of them are opened, by that one for all of them; else the far one.
    async fn sides_of(&mut self, candidates: &[Candidate<'_>]) -> Result<Vec<Side>, Stop> {
        if self.far.is_none() {
            return Ok(vec![Side::Near; candidates.len()]);
        }
        let about: Vec<Option<about::Patients>> = candidates
            .iter()
            .map(|one| self.is_about_somebody(one).then(|| about::patients(one.kind, one.id, one.bytes)))
            .collect();
        let patients: BTreeSet<String> = about.iter().flatten().flat_map(|about| about.ids.iter().cloned()).collect();
        self.relations.some(self.pipeline, patients).await?;
        let side = |about: &Option<about::Patients>| match about {
            None => Side::Near,
            Some(about) if !about.names_one || about.unknown => Side::Far,
            Some(about) => self.relations.side_of(&about.ids),
        };
        let sides = about.iter().map(side).zip(candidates).map(|(side, candidate)| match side {
            // What is of a shared type shows by the near one alone.
            Side::Protected if !self.is_bound(candidate.kind) => Side::Near,
            side => side,
        });
        let sides: Vec<Side> = sides.collect();
        let met = about.iter().zip(&sides).filter(|(about, side)| about.is_some() && **side != Side::Far);
        self.saw.extend(met.map(|(_, side)| *side));
        Ok(sides)
    }

    /// Finds out which of these show.
    async fn judge(&mut self, asked: BTreeSet<Target>) -> Result<(), Stop> {
        let is_new = |target: &Target| !self.shows.contains_key(target) && target.0 != "Binary";
        let new: BTreeSet<Target> = asked.into_iter().filter(is_new).collect();
        self.fetch(&new).await?;
        let here: Vec<(Target, Arc<Vec<u8>>)> =
            new.iter().filter_map(|target| Some((target.clone(), self.raw.get(target)?.here()?))).collect();
        let candidates: Vec<Candidate<'_>> =
            here.iter().filter_map(|(target, bytes)| candidate(target, bytes)).collect();
        let first = self.first(&candidates, Beside::NOTHING).await?;
        for target in new {
            self.shows.insert(target, false);
        }
        for (candidate, first) in candidates.iter().zip(first) {
            self.shows.insert(candidate.target(), first.is_ok());
        }
        Ok(())
    }

    /// Whether a resource that is named shows.
    pub async fn shows(&mut self, target: Target) -> Result<bool, Stop> {
        self.judge(BTreeSet::from([target.clone()])).await?;
        Ok(self.shows.get(&target).copied().unwrap_or(false))
    }

    /// What shows of a resource that is a part of another: with the labels of that one beside its own, and under its table.
    pub async fn part(&mut self, part: &Candidate<'_>, whole: Beside) -> Result<Option<Vec<u8>>, Stop> {
        self.counts.read += 1;
        let decided = self.decided(whole.side);
        let inherited = self.inherited(&[Some((*part, decided.projection.heeds()))]).await?.pop().unwrap_or(EVERY);
        let labels = whole.labels.union(inherited);
        let shown = match self.project(&decided, part.bytes, labels, false) {
            Ok(first) => {
                self.judge(first.asked).await?;
                self.project(&decided, part.bytes, labels, true)
            }
            Err(reason) => Err(reason),
        };
        Ok(match shown {
            Ok(shown) => Some(shown.bytes),
            Err(reason) => self.withhold(reason),
        })
    }

    /// What shows of resources that are named, of those that show.
    pub async fn named(&mut self, targets: &BTreeSet<Target>) -> Result<Vec<(Target, Visible)>, Stop> {
        let targets: BTreeSet<Target> = targets.iter().filter(|(kind, _)| kind != "Binary").cloned().collect();
        self.fetch(&targets).await?;
        self.shares.append(&mut self.looked_at);
        let here: Vec<(Target, Arc<Vec<u8>>)> =
            targets.iter().filter_map(|target| Some((target.clone(), self.raw.get(target)?.here()?))).collect();
        let candidates: Vec<Candidate<'_>> =
            here.iter().filter_map(|(target, bytes)| candidate(target, bytes)).collect();
        let visible = self.visible(&candidates).await?;
        Ok(candidates.iter().zip(visible).filter_map(|(one, visible)| Some((one.target(), visible?))).collect())
    }

    fn project(
        &self,
        decided: &Decided,
        bytes: &[u8],
        inherited: SegmentSet,
        is_known: bool,
    ) -> Result<First, Withheld> {
        let around = Around {
            token: &self.pipeline.token,
            today: self.now.civil_date(),
            known: is_known.then_some(&self.shows),
            asked: Mutex::default(),
        };
        let mut out = Vec::with_capacity(bytes.len() + 256);
        let mut projector = Projector::resume(&decided.projection, &around, decided.take_memory());
        let shown = projector.project_labelled(bytes, inherited, &mut out);
        decided.keep_memory(projector.into_memory());
        let asked = around.asked.into_inner().unwrap_or_else(PoisonError::into_inner);
        shown.map(|shown| First { bytes: out, asked, inherited, side: Side::Near, classes: shown.classes })
    }

    /// Calls `take` with everything of a type that shows and meets the criteria. `tells`: the answer tells of whoever is met,
    /// whether he stands in it or not.
    pub async fn search(
        &mut self,
        resource_type: TypeId,
        criteria: &[Criterion],
        tells: bool,
        take: &mut (dyn FnMut(&Candidate<'_>, Visible) -> Result<(), Stop> + Send),
    ) -> Result<(), Stop> {
        let Some(pieces) = self.pieces(resource_type, criteria).await? else { return Ok(()) };
        let mut seen = HashSet::new();
        for query in pieces {
            let mut pages = Pages::new(query);
            while let Some(bytes) = pages.fetch(self).await? {
                let plain = bundle::plain(&bytes);
                let page = upstream::page(&plain)?;
                let mut candidates = Vec::with_capacity(page.resources.len());
                for bytes in page.resources {
                    // What is of another type was included, or is an outcome: nothing of it is used.
                    let Some((kind, id)) = bundle::identity(bytes) else { continue };
                    if kind == resource_type && seen.insert(id.to_owned()) {
                        candidates.push(Candidate { kind, id, bytes });
                    }
                }
                pages.next = page.next.map(Cow::into_owned);
                spend(&mut self.spent, candidates.len(), plain.len())?;
                let visible = self.visible(&candidates).await?;
                for (place, (candidate, visible)) in candidates.iter().zip(visible).enumerate() {
                    if place % AT_ONCE == 0 {
                        turn().await;
                    }
                    if let Some(visible) = visible.filter(|visible| all_match(criteria, &visible.bytes)) {
                        if tells {
                            self.told.add(&visible);
                        }
                        take(candidate, visible)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The searches that meet, together, whatever meets the criteria and can show; none if nothing can.
    async fn pieces(
        &mut self,
        resource_type: TypeId,
        criteria: &[Criterion],
    ) -> Result<Option<Vec<UpstreamQuery>>, Stop> {
        let sets = criteria.iter().filter_map(|criterion| Some((criterion.name(), criterion.set()?)));
        let mut smallest = sets.min_by_key(|(_, values)| values.len());
        let named = || criteria.iter().any(|criterion| criterion.names_patients(resource_type));
        if smallest.is_none() && self.is_of_related_alone(resource_type) && !named() {
            let patients = self.related().await?;
            let of_patient = dictionary().get(resource_type).name == "Patient";
            let parameter =
                if of_patient { Some("_id") } else { Reads::compartment(resource_type).map(|reads| reads.name()) };
            let value = |id: String| if of_patient { id } else { format!("Patient/{id}") };
            smallest = match parameter {
                _ if patients.is_empty() => return Ok(None),
                Some(parameter) if patients.len() <= SEARCH_LINKED_MAX => {
                    Some((parameter, patients.into_iter().map(value).collect()))
                }
                // Then all of them are met, and those that are not the caller's are left out.
                _ => None,
            };
        }
        let dialect = self.pipeline.upstream.dialect();
        let own: Vec<(String, String)> = criteria.iter().flat_map(|criterion| criterion.superset(dialect)).collect();
        let query = |piece: Option<(String, String)>| {
            let count = ("_count".to_owned(), SEARCH_COUNT_MAX.to_string());
            UpstreamQuery {
                resource_type: dictionary().get(resource_type).name.to_owned(),
                parameters: own.iter().cloned().chain(piece).chain([count]).collect(),
            }
        };
        Ok(match smallest {
            Some((_, values)) if values.is_empty() => None,
            Some((parameter, values)) => {
                let pieces = batches(&values).into_iter();
                Some(pieces.map(|piece| query(Some((parameter.to_owned(), piece.join(","))))).collect())
            }
            None => Some(vec![query(None)]),
        })
    }
}

/// The pages of one search upstream.
struct Pages {
    query: Option<UpstreamQuery>,
    next: Option<String>,
    links: HashSet<String>,
}

impl Pages {
    fn new(query: UpstreamQuery) -> Self {
        Self { query: Some(query), next: None, links: HashSet::new() }
    }

    /// The next page, if there is one.
    async fn fetch(&mut self, sight: &mut Sight<'_>) -> Result<Option<Vec<u8>>, Stop> {
        let upstream = &sight.pipeline.upstream;
        let fetched = match (self.query.take(), self.next.take()) {
            (Some(query), _) => upstream.search(&query).await,
            (None, Some(link)) => {
                if !self.links.insert(link.clone()) {
                    return Err(UpstreamError::Malformed("pages in a circle").into());
                }
                upstream.page(&link).await
            }
            (None, None) => return Ok(None),
        };
        let fetched = fetched.map_err(of_many)?;
        sight.shares.push(fetched.share);
        Ok(Some(fetched.bytes))
    }
}

/// Counts what a request takes of the upstream.
pub(super) fn spend(spent: &mut (usize, usize, usize), candidates: usize, bytes: usize) -> Result<(), Stop> {
    spent.0 += candidates;
    spent.1 += bytes;
    spent.2 += 1;
    if spent.0 > SEARCH_CANDIDATES_MAX || spent.1 > SEARCH_CANDIDATE_BYTES_MAX || spent.2 > PAGES_MAX {
        return Err(too_costly().into());
    }
    Ok(())
}

/// A page of many that is too large is too many.
pub(super) fn of_many(error: UpstreamError) -> Stop {
    match error {
        UpstreamError::TooLarge { .. } => too_costly().into(),
        error => error.into(),
    }
}

/// The refusal of a request that takes too much.
pub(super) fn too_costly() -> No {
    No::new(503, "too_costly", "The search meets too many resources. Narrow it, by patient or by date.")
}

fn candidate<'a>(target: &'a Target, bytes: &'a [u8]) -> Option<Candidate<'a>> {
    Some(Candidate { kind: dictionary().resource(&target.0)?, id: &target.1, bytes })
}

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

/// What a projector asks while one request is served. Without `known` every target shows, and is noted.
struct Around<'a> {
    token: &'a TokenKey,
    today: (i16, u8, u8),
    known: Option<&'a HashMap<Target, bool>>,
    asked: Mutex<BTreeSet<Target>>,
}

impl Surroundings for Around<'_> {
    fn shows(&self, resource_type: &str, id: &str) -> Option<bool> {
        let target = (resource_type.to_owned(), id.to_owned());
        match self.known {
            Some(known) => Some(known.get(&target).copied().unwrap_or(false)),
            None => {
                self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(target);
                Some(true)
            }
        }
    }

    // A server holds nothing under such a name.
    fn shows_urn(&self, _: &str) -> Option<bool> {
        Some(false)
    }

    fn token(&self, kind: &str, value: &str) -> String {
        self.token.token(kind, value)
    }

    fn today(&self) -> (i16, u8, u8) {
        self.today
    }
}
