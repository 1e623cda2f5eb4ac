//! The projector: one pass over the bytes of a resource, driven by a [`TypePlan`] (docs/projection.md).
//!
//! No tree, no lazy values: recursive descent that copies what shows and truncates what turns out empty. Nothing leaves
//! before the pass is over, so that a resource whose labels ask for another plan is simply projected again.

mod aligned;
mod contained;
mod facts;
mod members;
mod pass;
mod resource;
mod value;

use facts::codings_at;
use members::Members;

use crate::annotation::{Annotation, MaskFunction};
use crate::codes::is_token;
use crate::dictionary::{Key, TypeId, dictionary};
use crate::json::{self, Fault, FaultKind, Scalar, Scanned, Scanner};
use crate::mask;
use crate::plan::{
    Act, Asks, BundlePart, Chosen, Compiler, Kind, Node, Op, TypePlan, Visibility, effective, heeds, may_pass,
    visibility,
};
use crate::reference::{Literal, literal, path};
use scruple_core::{CATEGORIES_MAX, DecisionTable, SegmentSet, View, limits};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, RwLock};

/// What the projector asks of the world around it.
pub trait Surroundings: Sync {
    /// Whether the caller is shown the resource that a reference points to. `None` = nothing is known of it.
    fn shows(&self, resource_type: &str, id: &str) -> Option<bool>;
    /// The same for a `urn:` reference, by the whole of it.
    fn shows_urn(&self, urn: &str) -> Option<bool>;
    /// A keyed pseudonym of a value, as lower-case hexadecimal.
    fn token(&self, kind: &str, value: &str) -> String;
    /// Year, month and day of the decision, for ages.
    fn today(&self) -> (i16, u8, u8);
}

/// Why a resource is withheld.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Withheld {
    /// Not a resource of FHIR R4.
    Malformed(MalformedAt),
    /// The role has nothing of this type.
    Policy,
    /// A label that the caller does not hold.
    Label,
    /// A code that fits no listed code system.
    Unclassified,
    /// `implicitRules`: its meaning is unknown.
    ImplicitRules,
    /// An extension that changes the meaning of the resource.
    ModifierExtension,
    /// A required element can be neither shown nor marked.
    Required,
    /// Contained resources that do not settle.
    Contained,
}

/// A [`Fault`] that can be ordered and counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MalformedAt(pub Fault);

impl PartialOrd for MalformedAt {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for MalformedAt {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0.at, self.0.kind as u8).cmp(&(other.0.at, other.0.kind as u8))
    }
}

impl Withheld {
    /// The stable code of the reason.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(MalformedAt(Fault { kind: FaultKind::TooLarge, .. })) => "too_large",
            Self::Malformed(_) => "malformed",
            Self::Policy => "policy",
            Self::Label => "label",
            Self::Unclassified => "unclassified",
            Self::ImplicitRules => "implicit_rules",
            Self::ModifierExtension => "modifier_extension",
            Self::Required => "required",
            Self::Contained => "contained",
        }
    }
}

/// Elements by category and width of view.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ElementCounts(Box<[[u64; 3]; CATEGORIES_MAX]>);

impl Default for ElementCounts {
    fn default() -> Self {
        Self(Box::new([[0; 3]; CATEGORIES_MAX]))
    }
}

impl ElementCounts {
    /// (withheld, masked, full) of a category.
    #[must_use]
    pub fn of(&self, category: usize) -> [u64; 3] {
        self.0.get(category).copied().unwrap_or_default()
    }

    /// Adds another count.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0.iter()) {
            for (mine, theirs) in mine.iter_mut().zip(theirs) {
                *mine += theirs;
            }
        }
    }

    /// See [`Op::counter`].
    fn count(&mut self, counter: u8) {
        if let Some(count) = self.0.as_flattened_mut().get_mut(usize::from(counter)) {
            *count += 1;
        }
    }
}

/// What was shown of a resource: its type and id. The bytes are in the caller's buffer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// The resource type.
    pub resource_type: &'static str,
    /// Its id, where it has one without escapes.
    pub id: Option<String>,
    /// The segments that were found on it.
    pub segments: SegmentSet,
    /// It passed as it is.
    pub passed: bool,
    /// The kinds of information that its codes make it, as category bits: of a type whose resources are of several; else none.
    pub classes: u64,
    /// The `urn:` under which a Bundle's entry holds it.
    pub urn: Option<String>,
}

/// A decision, ready to project: plans are compiled for a type and a set of segments when they are first needed.
pub struct Projection {
    annotation: Arc<Annotation>,
    table: DecisionTable,
    asks: Asks,
    plans: RwLock<HashMap<PlanKey, Arc<TypePlan>>>,
}

impl Projection {
    /// For one decision under one pack.
    #[must_use]
    pub fn new(annotation: Arc<Annotation>, table: DecisionTable) -> Self {
        Self { annotation, table, asks: Asks::default(), plans: RwLock::new(HashMap::new()) }
    }

    /// The same where more than type and own labels can hide what a reference points to.
    #[must_use]
    pub fn asking(self, asks: Asks) -> Self {
        Self { asks, plans: RwLock::default(), ..self }
    }

    pub(crate) fn visibility(&self, resource_type: TypeId) -> Visibility {
        visibility(&self.annotation, &self.table, self.asks, resource_type)
    }

    /// The decision.
    #[must_use]
    pub const fn table(&self) -> &DecisionTable {
        &self.table
    }

    /// The labels on which it depends what this decision shows; all others change nothing.
    #[must_use]
    pub fn heeds(&self) -> SegmentSet {
        heeds(&self.table)
    }

    /// How many plans are kept.
    #[must_use]
    pub fn plans(&self) -> usize {
        self.plans.read().map_or(0, |plans| plans.len())
    }

    pub(crate) const fn annotation(&self) -> &Arc<Annotation> {
        &self.annotation
    }

    /// Whether a reference can depend on the labels of its target, so that the caller must say which targets show.
    #[must_use]
    pub fn asks(&self) -> bool {
        let types = dictionary().resources().iter();
        types.into_iter().any(|id| self.visibility(*id) == Visibility::Ask)
    }

    pub(crate) fn plan(&self, segments: SegmentSet, resource: TypeId) -> Arc<TypePlan> {
        // By what the segments do and not by the segments, of which a sender can think up any number of sets.
        let key = PlanKey {
            views: effective(&self.table, &self.annotation, segments),
            may_pass: may_pass(&self.table, segments),
            resource,
        };
        if let Ok(plans) = self.plans.read()
            && let Some(plan) = plans.get(&key)
        {
            return Arc::clone(plan);
        }
        let plan = Arc::new(Compiler::compile(&self.annotation, &self.table, self.asks, segments, resource));
        if let Ok(mut plans) = self.plans.write() {
            return Arc::clone(plans.entry(key).or_insert(plan));
        }
        plan
    }
}

/// What a plan depends on beside decision and pack.
#[derive(PartialEq, Eq, Hash)]
struct PlanKey {
    views: [View; CATEGORIES_MAX],
    may_pass: bool,
    resource: TypeId,
}

/// Projects resources, one after the other, with one decision. Each thread has its own.
pub struct Projector<'a> {
    projection: &'a Projection,
    around: &'a dyn Surroundings,
    /// What is remembered of each object type.
    memory: Memory,
    /// Elements by category, of everything that was projected.
    pub counts: ElementCounts,
}

/// What a projector remembers from resource to resource. It goes with one [`Projection`].
pub struct Memory {
    /// The plans and the class of the last resources, by object type: the first guess for the next one of the type.
    types: Vec<Remembered>,
    /// An empty list, kept for its room.
    counted: Vec<u8>,
    /// An empty buffer for what shows of `meta`.
    meta: Vec<u8>,
    /// For each key of each object type the one that followed it last: senders write keys in one order.
    follows: Vec<u16>,
}

#[derive(Clone, Default)]
struct Remembered {
    plan: Option<Arc<TypePlan>>,
    /// The plan for the segments that came last.
    labelled: Option<(SegmentSet, Arc<TypePlan>)>,
    class: Option<u64>,
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Memory {
    fn new() -> Self {
        // At first, the next of the definition.
        let types = dictionary().types();
        let first =
            types.iter().flat_map(|object| (0..=object.keys.len()).map(|after| u16::try_from(after).unwrap_or(0)));
        Self {
            types: vec![Remembered::default(); types.len()],
            counted: Vec::new(),
            meta: Vec::new(),
            follows: first.collect(),
        }
    }

    fn of(&mut self, resource: TypeId) -> &mut Remembered {
        let last = self.types.len() - 1;
        #[expect(clippy::indexing_slicing, reason = "not beyond the last")]
        &mut self.types[resource.index().min(last)]
    }
}

/// The facts of a resource (docs/projection.md, 2).
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Facts {
    pub segments: SegmentSet,
    pub classes: u64,
    pub implicit_rules: bool,
    pub modifier_extension: bool,
}

impl<'a> Projector<'a> {
    /// A projector for one thread.
    #[must_use]
    pub fn new(projection: &'a Projection, around: &'a dyn Surroundings) -> Self {
        Self { projection, around, memory: Memory::new(), counts: ElementCounts::default() }
    }

    /// A projector that goes on with what another for the same projection remembered.
    #[must_use]
    pub fn resume(projection: &'a Projection, around: &'a dyn Surroundings, memory: Memory) -> Self {
        Self { projection, around, memory, counts: ElementCounts::default() }
    }

    /// What it remembered, for the next one.
    #[must_use]
    pub fn into_memory(self) -> Memory {
        self.memory
    }

    /// Appends to `out` what shows of the resource in `bytes`.
    ///
    /// # Errors
    /// Why it is withheld; `out` is as it was.
    pub fn project(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<Shown, Withheld> {
        self.run(bytes, out, |pass| pass.top_resource())
    }

    /// The same with labels that it has beside its own.
    ///
    /// # Errors
    /// Why it is withheld; `out` is as it was.
    pub fn project_labelled(
        &mut self,
        bytes: &[u8],
        inherited: SegmentSet,
        out: &mut Vec<u8>,
    ) -> Result<Shown, Withheld> {
        self.run(bytes, out, |pass| {
            pass.inherited = inherited;
            pass.top_resource()
        })
    }

    /// The labels of the resource in `bytes`, whether or not it shows. They are all found where the decision of this projector
    /// hides no type and no category.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn labels(&mut self, bytes: &[u8]) -> Result<SegmentSet, Withheld> {
        let mut found = None;
        let shown = self.run(bytes, &mut Vec::new(), |pass| {
            let shown = pass.top_resource();
            found = pass.found;
            shown
        });
        match (shown, found) {
            (Err(malformed @ Withheld::Malformed(_)), _) => Err(malformed),
            (_, Some(found)) => Ok(found),
            (Err(withheld), None) => Err(withheld),
            (Ok(shown), None) => Ok(shown.segments),
        }
    }

    /// The same for one entry of a Bundle (`{"fullUrl":..., "resource":...}`).
    ///
    /// # Errors
    /// Why its resource is withheld; `out` is as it was.
    pub fn project_entry(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<Shown, Withheld> {
        self.run(bytes, out, |pass| pass.top_entry())
    }

    fn run(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<u8>,
        how: impl FnOnce(&mut Pass<'_, '_>) -> Result<Shown, Withheld>,
    ) -> Result<Shown, Withheld> {
        let start = out.len();
        let fault = |kind, at| Withheld::Malformed(MalformedAt(Fault { kind, at }));
        if bytes.len() > limits::RESOURCE_BYTES_MAX {
            return Err(fault(FaultKind::TooLarge, limits::RESOURCE_BYTES_MAX));
        }
        if let Err(error) = std::str::from_utf8(bytes) {
            return Err(fault(FaultKind::Utf8, error.valid_up_to()));
        }
        let plain = json::plain_slashes(bytes);
        let mut pass = Pass::new(self.projection, self.around, &plain, out, &mut self.memory);
        let result = how(&mut pass);
        let (counted, meta) = (std::mem::take(&mut pass.counted), std::mem::take(&mut pass.meta));
        if result.is_ok() {
            counted.iter().for_each(|counter| self.counts.count(*counter));
        } else {
            out.truncate(start);
        }
        (self.memory.counted, self.memory.meta) = (counted, meta);
        result
    }
}

/// The state of projecting one top-level resource.
pub(crate) struct Pass<'p, 'b> {
    projection: &'p Projection,
    around: &'p dyn Surroundings,
    scan: Scanner<'b>,
    out: &'p mut Vec<u8>,
    memory: &'p mut Memory,
    /// Categories and widths of the elements met, of the passes that count.
    counted: Vec<u8>,
    counting: bool,
    facts: Facts,
    /// The segments under which the resource at hand is projected: contained ones take the same.
    under: SegmentSet,
    /// Labels that the resource has beside its own: of the outermost one.
    inherited: SegmentSet,
    /// The labels of the resource that was settled last.
    found: Option<SegmentSet>,
    meta: Vec<u8>,
    contained: ContainedState<'b>,
    /// What became of the resource inside the Bundle's entry, or the parameter, at hand.
    inner: Option<Result<Shown, Withheld>>,
    /// A known extension holds something that may not show.
    broken: bool,
    /// The Reference just met is hidden by what it points to, and would have shown else.
    hidden_by_target: bool,
    /// Bytes of objects looked at, those of inner ones again for each outer one.
    spent: usize,
}

#[derive(Default)]
struct ContainedState<'b> {
    /// Where the resource that contains begins.
    container: usize,
    /// Ids and types of the contained resources, in the order of ids, once someone asks.
    types: Option<Vec<(&'b [u8], Option<TypeId>)>>,
    /// Ids that do not show.
    dropped: HashSet<&'b [u8]>,
    /// Contained resources that showed in this round: which, and its id.
    shown: Vec<(usize, &'b [u8])>,
    /// `#id` references that showed: (contained resource that holds it, or none for the container; id).
    references: Vec<(Option<usize>, &'b [u8])>,
    /// Ids to which a Reference that showed points, with its literal or without.
    mentions: Vec<&'b [u8]>,
    /// The contained resource at hand.
    current: Option<usize>,
    count: usize,
    /// Ids of those that did not show in this round.
    failed: Vec<&'b [u8]>,
    /// The container passes in this round.
    passing: bool,
    /// One of them does not pass, so that the container does not.
    not_passed: bool,
}
