//! The projector: one pass over the bytes of a resource, driven by a [`TypePlan`] (docs/projection.md).
//!
//! No tree, no lazy values: recursive descent that copies what shows and truncates what turns out empty. Nothing leaves
//! before the pass is over, so that a resource whose labels ask for another plan is simply projected again.

use crate::annotation::{Annotation, MaskFunction};
use crate::codes::is_token;
use crate::dictionary::{Key, TypeId, dictionary};
use crate::json::{Fault, FaultKind, Scalar, Scanned, Scanner};
use crate::mask;
use crate::plan::{Act, BundlePart, Compiler, Kind, Node, Op, TypePlan, Visibility, Width, visibility};
use crate::reference::{Literal, literal};
use scruple_core::{CATEGORIES_MAX, DecisionTable, SegmentSet, limits};
use std::collections::HashMap;
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

    fn count(&mut self, op: &Op) {
        if let Some(category) = op.category
            && let Some(counts) = self.0.get_mut(usize::from(category.0))
            && let Some(count) = counts.get_mut(match op.width {
                Width::None => 0,
                Width::Masked => 1,
                Width::Full => 2,
            })
        {
            *count += 1;
        }
    }

    fn clear(&mut self) {
        *self.0 = [[0; 3]; CATEGORIES_MAX];
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
    /// The `urn:` under which a Bundle's entry holds it.
    pub urn: Option<String>,
}

/// A decision, ready to project: plans are compiled for a type and a set of segments when they are first needed.
pub struct Projection {
    annotation: Arc<Annotation>,
    table: DecisionTable,
    plans: RwLock<HashMap<(SegmentSet, TypeId), Arc<TypePlan>>>,
}

impl Projection {
    /// For one decision under one pack.
    #[must_use]
    pub fn new(annotation: Arc<Annotation>, table: DecisionTable) -> Self {
        Self { annotation, table, plans: RwLock::new(HashMap::new()) }
    }

    /// The decision.
    #[must_use]
    pub const fn table(&self) -> &DecisionTable {
        &self.table
    }

    pub(crate) const fn annotation(&self) -> &Arc<Annotation> {
        &self.annotation
    }

    /// Whether a reference can depend on the labels of its target, so that the caller must say which targets show.
    #[must_use]
    pub fn asks(&self) -> bool {
        let types = dictionary().resources().iter();
        types.into_iter().any(|id| visibility(&self.annotation, &self.table, *id) == Visibility::Ask)
    }

    pub(crate) fn plan(&self, segments: SegmentSet, resource: TypeId) -> Arc<TypePlan> {
        let key = (segments, resource);
        if let Ok(plans) = self.plans.read()
            && let Some(plan) = plans.get(&key)
        {
            return Arc::clone(plan);
        }
        let plan = Arc::new(Compiler::compile(&self.annotation, &self.table, segments, resource));
        if let Ok(mut plans) = self.plans.write() {
            return Arc::clone(plans.entry(key).or_insert(plan));
        }
        plan
    }
}

/// Projects resources, one after the other, with one decision. Each thread has its own.
pub struct Projector<'a> {
    projection: &'a Projection,
    around: &'a dyn Surroundings,
    /// Plans of the unlabelled, by resource type.
    plain: HashMap<TypeId, Arc<TypePlan>>,
    /// The last class of each type: the first guess for the next.
    guesses: HashMap<TypeId, u64>,
    /// Elements by category, of everything that was projected.
    pub counts: ElementCounts,
}

/// The facts of a resource (docs/projection.md, 2).
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Facts {
    pub segments: SegmentSet,
    pub classes: u64,
    pub implicit_rules: bool,
    pub modifier_extension: bool,
    pub codings: u32,
}

impl<'a> Projector<'a> {
    /// A projector for one thread.
    #[must_use]
    pub fn new(projection: &'a Projection, around: &'a dyn Surroundings) -> Self {
        Self { projection, around, plain: HashMap::new(), guesses: HashMap::new(), counts: ElementCounts::default() }
    }

    /// Appends to `out` what shows of the resource in `bytes`.
    ///
    /// # Errors
    /// Why it is withheld; `out` is as it was.
    pub fn project(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<Shown, Withheld> {
        self.run(bytes, out, |pass| pass.top_resource())
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
        let mut pass = Pass::new(self.projection, self.around, bytes, out, &mut self.plain, &mut self.guesses);
        let result = how(&mut pass);
        let counts = std::mem::take(&mut pass.counts);
        match result {
            Ok(shown) => {
                self.counts.add(&counts);
                Ok(shown)
            }
            Err(withheld) => {
                out.truncate(start);
                Err(withheld)
            }
        }
    }

    /// Whether the resource would show, without its bytes: for deciding about references to it.
    ///
    /// # Errors
    /// Why it would be withheld.
    pub fn judge(&mut self, bytes: &[u8], scratch: &mut Vec<u8>) -> Result<Shown, Withheld> {
        let counts = self.counts.clone();
        scratch.clear();
        let judged = self.project(bytes, scratch);
        self.counts = counts;
        judged
    }
}

/// The state of projecting one top-level resource.
pub(crate) struct Pass<'p, 'b> {
    projection: &'p Projection,
    around: &'p dyn Surroundings,
    scan: Scanner<'b>,
    out: &'p mut Vec<u8>,
    plain: &'p mut HashMap<TypeId, Arc<TypePlan>>,
    guesses: &'p mut HashMap<TypeId, u64>,
    counts: ElementCounts,
    counting: bool,
    facts: Facts,
    /// The segments under which the resource at hand is projected: contained ones take the same.
    under: SegmentSet,
    meta: Vec<u8>,
    contained: ContainedState<'b>,
    /// The Bundle.type was written as another one, or the entry's resource did not show.
    entry: EntryState,
}

#[derive(Default)]
struct ContainedState<'b> {
    /// Ids that do not show in this round.
    dropped: Vec<&'b [u8]>,
    /// Contained resources that showed in this round: which, and its id.
    shown: Vec<(usize, &'b [u8])>,
    /// `#id` references that showed: (contained resource that holds it, or none for the container; id).
    references: Vec<(Option<usize>, &'b [u8])>,
    /// The contained resource at hand.
    current: Option<usize>,
    count: usize,
    anonymous: bool,
}

#[derive(Default)]
struct EntryState {
    resource: Option<Result<Shown, Withheld>>,
}

impl<'p, 'b> Pass<'p, 'b> {
    fn new(
        projection: &'p Projection,
        around: &'p dyn Surroundings,
        bytes: &'b [u8],
        out: &'p mut Vec<u8>,
        plain: &'p mut HashMap<TypeId, Arc<TypePlan>>,
        guesses: &'p mut HashMap<TypeId, u64>,
    ) -> Self {
        Self {
            projection,
            around,
            scan: Scanner::new(bytes),
            out,
            plain,
            guesses,
            counts: ElementCounts::default(),
            counting: true,
            facts: Facts::default(),
            under: SegmentSet::EMPTY,
            meta: Vec::new(),
            contained: ContainedState::default(),
            entry: EntryState::default(),
        }
    }

    fn annotation(&self) -> &'p Annotation {
        self.projection.annotation()
    }

    fn top_resource(&mut self) -> Result<Shown, Withheld> {
        if self.scan.peek() != b'{' {
            return Err(malformed(self.scan.wrong_value()));
        }
        let shown = self.resource().map_err(malformed)?;
        self.end()?;
        shown
    }

    fn top_entry(&mut self) -> Result<Shown, Withheld> {
        if self.scan.peek() != b'{' {
            return Err(malformed(self.scan.wrong_value()));
        }
        let [url] = self.scan.find([b"fullUrl"]).map_err(malformed)?;
        let urn = self.scan.plain_string_at(url).filter(|url| url.starts_with(b"urn:"));
        let urn = urn.and_then(|urn| std::str::from_utf8(urn).ok()).map(str::to_owned);
        let bundle = dictionary().resource("Bundle").ok_or(Withheld::Policy)?;
        let plan = self.plan(SegmentSet::EMPTY, bundle);
        let entry = dictionary().find("Bundle.entry");
        let node = plan.nodes.iter().position(|node| Some(node.object) == entry && !node.closed);
        let node = node.and_then(|node| u16::try_from(node).ok()).ok_or(Withheld::Policy)?;
        let emitted = self.object(&plan, node).map_err(malformed)?;
        self.end()?;
        match self.entry.resource.take() {
            Some(Ok(shown)) if emitted => Ok(Shown { urn, ..shown }),
            Some(Err(withheld)) => Err(withheld),
            _ => Err(Withheld::Policy),
        }
    }

    fn end(&mut self) -> Result<(), Withheld> {
        self.scan.peek();
        if self.scan.at < self.scan.bytes.len() {
            return Err(malformed(Fault { kind: FaultKind::Trailing, at: self.scan.at }));
        }
        Ok(())
    }

    fn plan(&mut self, segments: SegmentSet, resource: TypeId) -> Arc<TypePlan> {
        if segments != SegmentSet::EMPTY {
            return self.projection.plan(segments, resource);
        }
        let projection = self.projection;
        Arc::clone(self.plain.entry(resource).or_insert_with(|| projection.plan(segments, resource)))
    }

    fn resource_type(&self) -> Scanned<TypeId> {
        let [at] = self.scan.find([b"resourceType"])?;
        let name = self.scan.plain_string_at(at);
        name.and_then(|name| dictionary().resource_by_bytes(name))
            .ok_or(Fault { kind: FaultKind::UnknownType, at: self.scan.at })
    }

    /// Projects the resource that begins here, with facts and contained resources of its own.
    fn resource(&mut self) -> Scanned<Result<Shown, Withheld>> {
        let resource_type = self.resource_type()?;
        let base = self.plan(SegmentSet::EMPTY, resource_type);
        if base.hidden {
            self.scan.skip()?;
            return Ok(Err(Withheld::Policy));
        }
        // What belongs to the resource around this one waits outside.
        let outer_facts = std::mem::take(&mut self.facts);
        let outer_contained = std::mem::take(&mut self.contained);
        let outer_meta = std::mem::take(&mut self.meta);
        let outer_under = std::mem::replace(&mut self.under, SegmentSet::EMPTY);
        let result = self.settle(resource_type, &base);
        self.facts = outer_facts;
        self.contained = outer_contained;
        self.meta = outer_meta;
        self.under = outer_under;
        result
    }

    /// Passes over the resource until its labels, class and contained resources are those that the pass assumed.
    fn settle(&mut self, resource_type: TypeId, base: &TypePlan) -> Scanned<Result<Shown, Withheld>> {
        let (start, out_start, depth) = (self.scan.at, self.out.len(), self.scan.depth);
        let counts = self.counts.clone();
        let mut classes =
            if base.discriminated { self.guesses.get(&resource_type).copied().unwrap_or(1 << 63) } else { 0 };
        for _ in 0..limits::PROJECTION_PASSES_MAX {
            self.scan.at = start;
            self.scan.depth = depth;
            self.out.truncate(out_start);
            if self.counting {
                self.counts.clone_from(&counts);
            }
            self.facts = Facts::default();
            self.meta.clear();
            self.contained.begin();
            let plan = self.plan(self.under, resource_type);
            let chosen = plan.root(classes);
            let meta_at = self.open_resource(&plan, chosen.node, resource_type);
            let emitted = self.members(&plan, chosen.node, out_start)?;
            let labels_fit = self.facts.segments == self.under;
            if !labels_fit
                || self.facts.classes != classes && base.discriminated && plan.root(self.facts.classes) != chosen
            {
                self.under = self.facts.segments;
                classes = self.facts.classes;
                continue;
            }
            if base.discriminated {
                self.guesses.insert(resource_type, self.facts.classes);
            }
            let node = plan.nodes.get(usize::from(chosen.node));
            let passed = node.is_some_and(|node| node.pass);
            if let Some(withheld) =
                self.refusal(&plan, chosen.shows && emitted, chosen.required, base, passed, resource_type)
            {
                self.out.truncate(out_start);
                if self.counting {
                    self.counts.clone_from(&counts);
                }
                return Ok(Err(withheld));
            }
            if !passed && self.contained.unsettled() {
                continue;
            }
            self.insert_meta(meta_at);
            let id = self.id_of(start);
            let name = dictionary().get(resource_type).name;
            return Ok(Ok(Shown { resource_type: name, id, segments: self.under, passed, urn: None }));
        }
        self.out.truncate(out_start);
        Ok(Err(Withheld::Contained))
    }

    fn refusal(
        &mut self,
        plan: &TypePlan,
        shows: bool,
        required: bool,
        base: &TypePlan,
        passed: bool,
        resource_type: TypeId,
    ) -> Option<Withheld> {
        let classes = self.facts.classes;
        if self.facts.implicit_rules && !passed {
            return Some(Withheld::ImplicitRules);
        }
        if self.facts.modifier_extension && !passed {
            return Some(Withheld::ModifierExtension);
        }
        if shows {
            return None;
        }
        let chosen = plan.root(classes);
        if required || chosen.shows {
            return Some(Withheld::Required);
        }
        if !base.root(classes).shows {
            return Some(if base.root(classes).required { Withheld::Required } else { Withheld::Policy });
        }
        let without = SegmentSet(self.under.0 & !SegmentSet::UNCLASSIFIED.0);
        if self.under.is_unclassified() && self.plan(without, resource_type).root(classes).shows {
            return Some(Withheld::Unclassified);
        }
        Some(Withheld::Label)
    }

    /// Writes the beginning of a resource and returns where its meta goes.
    fn open_resource(&mut self, plan: &TypePlan, node: u16, resource_type: TypeId) -> Option<usize> {
        self.out.push(b'{');
        if plan.nodes.get(usize::from(node)).is_some_and(|node| node.pass) {
            return None;
        }
        self.out.extend_from_slice(b"\"resourceType\":\"");
        let name = dictionary().get(resource_type).name;
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b'"');
        let has_meta = self.contained.current.is_none() && name != "Bundle" && name != "Parameters";
        has_meta.then_some(self.out.len())
    }

    fn insert_meta(&mut self, at: Option<usize>) {
        let Some(at) = at else { return };
        let mut meta = b",\"meta\":{".to_vec();
        meta.append(&mut self.meta);
        meta.extend_from_slice(
            br#""security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"REDACTED"}],"tag":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}]}"#,
        );
        let length = self.out.len();
        self.out.resize(length + meta.len(), 0);
        self.out.copy_within(at..length, at + meta.len());
        if let Some(gap) = self.out.get_mut(at..at + meta.len()) {
            gap.copy_from_slice(&meta);
        }
    }

    fn id_of(&self, start: usize) -> Option<String> {
        let ahead = Scanner { bytes: self.scan.bytes, at: start, depth: 0 };
        let [at] = ahead.find([b"id"]).ok()?;
        let id = ahead.plain_string_at(at)?;
        std::str::from_utf8(id).ok().map(str::to_owned)
    }

    /// An object by its node. True if something of it was written.
    fn object(&mut self, plan: &TypePlan, node: u16) -> Scanned<bool> {
        if self.scan.peek() != b'{' {
            return Err(self.scan.wrong_value());
        }
        let start = self.out.len();
        self.out.push(b'{');
        self.members(plan, node, start)
    }

    /// The members of the object that begins here; `{` and perhaps more has been written since `out_start`.
    fn members(&mut self, plan: &TypePlan, node_id: u16, out_start: usize) -> Scanned<bool> {
        let scan_start = self.scan.at;
        let opened = self.out.len();
        let contained = (self.contained.count, self.contained.shown.len(), self.contained.references.len());
        match self.walk(plan, node_id, out_start, scan_start, false)? {
            Walked::Done(emitted) => Ok(emitted),
            Walked::Align => {
                // An array of primitives has an array of extensions beside it, or a null: once more, key by key.
                self.out.truncate(opened);
                self.scan.at = scan_start;
                self.contained.count = contained.0;
                self.contained.shown.truncate(contained.1);
                self.contained.references.truncate(contained.2);
                let counting = std::mem::replace(&mut self.counting, false);
                let walked = self.walk(plan, node_id, out_start, scan_start, true);
                self.counting = counting;
                match walked? {
                    Walked::Done(emitted) => Ok(emitted),
                    Walked::Align => Err(self.scan.fault(FaultKind::WrongType)),
                }
            }
        }
    }

    fn walk(
        &mut self,
        plan: &TypePlan,
        node_id: u16,
        out_start: usize,
        scan_start: usize,
        aligned: bool,
    ) -> Scanned<Walked> {
        let Some(node) = plan.nodes.get(usize::from(node_id)) else { return Err(self.scan.fault(FaultKind::Syntax)) };
        let object = dictionary().get(node.object);
        let mut state = Members::new(self.out.len() > out_start + 1);
        let mut needs_alignment = false;
        let codings_before = self.facts.codings;
        if node.kind == Kind::Entry {
            self.entry.resource = None;
        }
        self.scan.enter()?;
        self.scan.at += 1;
        let mut more = self.scan.peek() != b'}';
        if !more {
            self.scan.at += 1;
        }
        while more {
            let key = self.scan.key()?;
            match object.key(key) {
                Some(index) => {
                    let (Some(written), Some(op)) =
                        (object.keys.get(usize::from(index)), node.ops.get(usize::from(index)))
                    else {
                        return Err(self.scan.fault(FaultKind::Syntax));
                    };
                    if !state.first_time(written.bit()) {
                        return Err(self.scan.fault(FaultKind::Duplicate));
                    }
                    if self.counting {
                        self.counts.count(op);
                    }
                    self.scan.peek();
                    let value_start = self.scan.at;
                    let shown = self.member(plan, node, written, op, scan_start, &mut state, aligned)?;
                    needs_alignment |= shown == MemberShown::NeedsAlignment;
                    if node.capture.contains(&index) {
                        let text = self.scan.bytes.get(value_start..self.scan.at).unwrap_or_default();
                        if node.capture.first() == Some(&index) {
                            state.system = Some(text)
                        } else {
                            state.code = Some(text)
                        }
                    }
                    state.text |= index == node.text;
                }
                None if node.kind == Kind::Resource && key == b"resourceType" => {
                    if !state.first_time(RESOURCE_TYPE_BIT) {
                        return Err(self.scan.fault(FaultKind::Duplicate));
                    }
                    self.resource_type_key(node, &mut state)?;
                }
                None if node.pass => {
                    self.write_key(&mut state, key);
                    self.raw()?;
                }
                None => self.scan.skip()?,
            }
            more = self.scan.more(b'}')?;
        }
        self.scan.depth -= 1;
        if needs_alignment && !aligned {
            return Ok(Walked::Align);
        }
        self.facts_of(plan, node, &state, codings_before);
        let shown = self.close(node, &mut state, out_start);
        Ok(Walked::Done(shown))
    }

    fn resource_type_key(&mut self, node: &Node, state: &mut Members<'b>) -> Scanned<()> {
        let text = self.scan.scalar(Scalar::String)?;
        if node.pass {
            self.write_key(state, b"resourceType");
            self.out.extend_from_slice(text);
        }
        Ok(())
    }

    fn write_key(&mut self, state: &mut Members<'b>, key: &[u8]) {
        if std::mem::replace(&mut state.comma, true) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(key);
        self.out.extend_from_slice(b"\":");
    }

    /// Ends an object: markers, or nothing at all if nothing showed.
    fn close(&mut self, node: &Node, state: &mut Members<'b>, out_start: usize) -> bool {
        let is_resource = node.kind == Kind::Resource;
        let keep = match node.kind {
            Kind::Coding { check: Some(function), .. } => self.coding_fits(function, state),
            Kind::Entry => matches!(self.entry.resource, Some(Ok(_))),
            _ => true,
        };
        let empty = if node.pass { self.out.len() <= out_start + 1 } else { !is_resource && !state.any_shown() };
        if node.closed || state.closed || !keep || empty {
            self.out.truncate(out_start);
            return false;
        }
        if !node.pass {
            for (bit, marker) in &node.required {
                if !state.shows(usize::from(*bit)) {
                    self.write_marker(state, marker);
                    state.stands(usize::from(*bit));
                }
            }
            for constraint in &node.constraints {
                let left =
                    constraint.left.is_empty() || constraint.left.iter().any(|bit| state.shows(usize::from(*bit)));
                let right = constraint
                    .right
                    .iter()
                    .any(|bit| state.shows(usize::from(*bit)) || state.is_marked(usize::from(*bit)));
                if left && !right {
                    self.write_marker(state, &constraint.marker);
                    if let Some(first) = constraint.right.first() {
                        state.stands(usize::from(*first));
                    }
                }
            }
        }
        self.out.push(b'}');
        true
    }

    fn write_marker(&mut self, state: &mut Members<'b>, marker: &[u8]) {
        if std::mem::replace(&mut state.comma, true) {
            self.out.push(b',');
        }
        self.out.extend_from_slice(marker);
    }

    fn coding_fits(&self, function: MaskFunction, state: &Members<'b>) -> bool {
        let (Some(system), Some(code)) = (plain(state.system), plain(state.code)) else { return false };
        if !self.annotation().codes.knows(system, code) {
            return false;
        }
        let MaskFunction::Listed(list) = function else { return true };
        let (Ok(system), Ok(code)) = (std::str::from_utf8(system), std::str::from_utf8(code)) else { return false };
        let list = self.annotation().lists.get(usize::from(list));
        list.is_some_and(|list| list.contains(&(system.to_owned(), code.to_owned())))
    }

    /// What a Coding or CodeableConcept tells about its resource.
    fn facts_of(&mut self, plan: &TypePlan, node: &Node, state: &Members<'b>, codings_before: u32) {
        match node.kind {
            Kind::Coding { collect, .. } => {
                self.facts.codings += 1;
                let (system, code) = (plain(state.system), plain(state.code));
                if collect.label {
                    let found = match (system, code) {
                        (Some(system), Some(code)) => self.annotation().codes.classify(system, code),
                        _ => SegmentSet::UNCLASSIFIED,
                    };
                    self.facts.segments = self.facts.segments.union(found);
                }
                if collect.class
                    && let (Some(system), Some(code)) = (system, code)
                {
                    self.facts.classes |= plan.class_of(system, code);
                }
            }
            Kind::CodeableConcept { collect }
                if collect.label && state.text && self.facts.codings == codings_before =>
            {
                self.facts.segments = self.facts.segments.union(SegmentSet::UNCLASSIFIED);
            }
            _ => {}
        }
    }

    /// One member of an object: key and value, if the value shows.
    #[expect(clippy::too_many_arguments, reason = "the state of one object, on the hot path")]
    fn member(
        &mut self,
        plan: &TypePlan,
        node: &Node,
        written: &Key,
        op: &Op,
        object_start: usize,
        state: &mut Members<'b>,
        aligned: bool,
    ) -> Scanned<MemberShown> {
        let object = dictionary().get(node.object);
        let Some(element) = object.elements.get(usize::from(written.element)) else {
            return Err(self.scan.fault(FaultKind::Syntax));
        };
        match op.act {
            Act::Drop => {
                self.check_kind(element.many, written)?;
                self.scan.skip()?;
                return Ok(MemberShown::No);
            }
            Act::ImplicitRules => {
                self.scan.scalar(Scalar::String)?;
                self.facts.implicit_rules = true;
                return Ok(MemberShown::No);
            }
            Act::ModifierExtension => {
                self.check_kind(true, written)?;
                self.scan.skip()?;
                if node.kind == Kind::Resource {
                    self.facts.modifier_extension = true;
                }
                state.closed = true;
                return Ok(MemberShown::No);
            }
            Act::Meta => return self.meta_member(node, state),
            _ => {}
        }
        let is_pair = element.many && (written.scalar.is_some() || written.underscore);
        if is_pair && aligned {
            return self.aligned_member(plan, node, written, op, object_start, state);
        }
        if op.act == Act::Mask(MaskFunction::Age) && !element.many {
            let text = self.scan.scalar(Scalar::String)?;
            let extension = mask::age(text, element.name, self.around.today());
            self.write_key(state, format!("_{}", written.name()).as_bytes());
            self.out.extend_from_slice(extension.as_bytes());
            state.show(usize::from(written.element));
            return Ok(MemberShown::No);
        }
        let before = self.out.len();
        if state.comma {
            self.out.push(b',');
        }
        self.out.extend_from_slice(written.emit.as_bytes());
        let mut needs_alignment = false;
        let shown = if element.many {
            let beside = is_pair && self.has_extensions_beside(node, object, written);
            self.array(plan, op, written, object_start, beside, &mut needs_alignment)?
        } else {
            self.value(plan, op, written, object_start)?
        };
        if shown {
            state.comma = true;
            state.show(usize::from(written.element));
        } else {
            self.out.truncate(before);
        }
        Ok(if needs_alignment { MemberShown::NeedsAlignment } else { MemberShown::No })
    }

    /// Whether the extensions of a primitive's array can show, so that places must be kept.
    fn has_extensions_beside(&self, node: &Node, object: &crate::dictionary::ObjectType, written: &Key) -> bool {
        let partner = object
            .keys
            .iter()
            .zip(node.ops.iter())
            .find(|(key, _)| key.element == written.element && key.target == written.target && key.underscore);
        partner.is_some_and(|(_, op)| matches!(op.act, Act::Object(_)))
    }

    /// Checks the kind of JSON value, no more.
    fn check_kind(&mut self, many: bool, written: &Key) -> Scanned<()> {
        let byte = self.scan.peek();
        let fits = match (many, written.scalar) {
            (true, _) => byte == b'[',
            (false, None) => byte == b'{' || (written.underscore && byte == b'{'),
            (false, Some(Scalar::String)) => byte == b'"',
            (false, Some(Scalar::Number)) => byte == b'-' || byte.is_ascii_digit(),
            (false, Some(Scalar::Bool)) => matches!(byte, b't' | b'f'),
        };
        if fits { Ok(()) } else { Err(self.scan.wrong_value()) }
    }

    fn array(
        &mut self,
        plan: &TypePlan,
        op: &Op,
        written: &Key,
        object_start: usize,
        beside: bool,
        needs_alignment: &mut bool,
    ) -> Scanned<bool> {
        if self.scan.peek() != b'[' {
            return Err(self.scan.wrong_value());
        }
        self.scan.enter()?;
        self.scan.at += 1;
        if self.scan.peek() == b']' {
            return Err(self.scan.fault(FaultKind::WrongType));
        }
        let nullable = written.scalar.is_some() || written.underscore;
        *needs_alignment |= written.underscore && beside;
        let start = self.out.len();
        self.out.push(b'[');
        let mut any = false;
        if op.act == Act::Contained {
            any = self.contained_items(start)?;
        } else {
            loop {
                let before = self.out.len();
                if any {
                    self.out.push(b',');
                }
                let shown = if nullable && self.scan.peek() == b'n' {
                    self.scan.word(b"null")?;
                    *needs_alignment |= beside;
                    false
                } else {
                    self.value(plan, op, written, object_start)?
                };
                if shown {
                    any = true;
                } else {
                    self.out.truncate(before);
                }
                if !self.scan.more(b']')? {
                    break;
                }
            }
        }
        self.scan.depth -= 1;
        if any {
            self.out.push(b']');
        } else {
            self.out.truncate(start);
        }
        Ok(any)
    }

    /// One value. True if something of it was written.
    fn value(&mut self, plan: &TypePlan, op: &Op, written: &Key, object_start: usize) -> Scanned<bool> {
        match op.act {
            Act::Copy => {
                let Some(scalar) = written.scalar else { return Err(self.scan.wrong_value()) };
                let text = self.scan.scalar(scalar)?;
                self.out.extend_from_slice(text);
                Ok(true)
            }
            Act::Object(node) => self.object(plan, node),
            Act::Reference(table) => self.reference(plan, table),
            Act::Extensions(table) => self.extension(plan, table),
            Act::Switch(switch) => self.switch(plan, switch),
            Act::Literal { token, identifies } => self.literal(token, identifies),
            Act::Resource => {
                if self.scan.peek() != b'{' {
                    return Err(self.scan.wrong_value());
                }
                let current = self.contained.current.take();
                let result = self.resource()?;
                self.contained.current = current;
                let shown = result.is_ok();
                self.entry.resource = Some(result);
                Ok(shown)
            }
            Act::Mask(function) => self.mask(function, written, object_start),
            Act::Unit => self.unit(object_start),
            Act::Bundle(part) => self.bundle_part(part, object_start),
            Act::Raw => self.raw().map(|()| true),
            Act::Drop | Act::ModifierExtension | Act::ImplicitRules | Act::Meta | Act::Contained => {
                self.scan.skip()?;
                Ok(false)
            }
        }
    }

    /// Copies any value without its white space.
    fn raw(&mut self) -> Scanned<()> {
        match self.scan.peek() {
            open @ (b'{' | b'[') => {
                let close = if open == b'{' { b'}' } else { b']' };
                self.scan.enter()?;
                self.scan.at += 1;
                self.out.push(open);
                let mut more = self.scan.peek() != close;
                if !more {
                    self.scan.at += 1;
                }
                while more {
                    if open == b'{' {
                        let key = self.scan.key()?;
                        self.out.push(b'"');
                        self.out.extend_from_slice(key);
                        self.out.extend_from_slice(b"\":");
                    }
                    self.raw()?;
                    more = self.scan.more(close)?;
                    if more {
                        self.out.push(b',');
                    }
                }
                self.out.push(close);
                self.scan.depth -= 1;
                Ok(())
            }
            _ => {
                let start = self.scan.at;
                self.scan.skip()?;
                let text = self.scan.bytes.get(start..self.scan.at).unwrap_or_default();
                self.out.extend_from_slice(text);
                Ok(())
            }
        }
    }

    fn extension(&mut self, plan: &TypePlan, table: u16) -> Scanned<bool> {
        let Some(table) = plan.extensions.get(usize::from(table)) else {
            return Err(self.scan.fault(FaultKind::Syntax));
        };
        let [url] = self.scan.find([b"url"])?;
        let known = self.scan.plain_string_at(url).and_then(|url| table.known.get(url));
        match known.unwrap_or(&table.unknown).act {
            Act::Object(node) => self.object(plan, node),
            _ => {
                if self.scan.peek() != b'{' {
                    return Err(self.scan.wrong_value());
                }
                self.scan.skip()?;
                Ok(false)
            }
        }
    }

    fn switch(&mut self, plan: &TypePlan, switch: u16) -> Scanned<bool> {
        let Some(switch) = plan.switches.get(usize::from(switch)) else {
            return Err(self.scan.fault(FaultKind::Syntax));
        };
        let [at] = self.scan.find([switch.key.as_bytes()])?;
        let codings = at.map_or_else(Vec::new, |at| codings_at(&self.scan, at));
        let node = switch.choose(&codings);
        self.object(plan, node)
    }

    fn reference(&mut self, plan: &TypePlan, table: u16) -> Scanned<bool> {
        let Some(table) = plan.references.get(usize::from(table)) else {
            return Err(self.scan.fault(FaultKind::Syntax));
        };
        let unknown = table.cases.len() - 1;
        let [reference, kind] = self.scan.find([b"reference", b"type"])?;
        let parsed = reference.map(|at| self.scan.plain_string_at(Some(at)).map_or(Literal::Foreign(None), literal));
        let named = |name: &[u8]| dictionary().resource_by_bytes(name);
        let target = match parsed {
            Some(Literal::Relative { resource_type, .. } | Literal::Query { resource_type }) => named(resource_type),
            Some(Literal::Foreign(resource_type)) => resource_type.and_then(named),
            Some(Literal::Urn(_)) => None,
            Some(Literal::Contained(_) | Literal::Container) | None => {
                self.scan.plain_string_at(kind).and_then(named).or(table.only)
            }
        };
        let case =
            target.and_then(|target| dictionary().resources().iter().position(|id| *id == target)).unwrap_or(unknown);
        let Some((node, visibility)) = table.cases.get(case).copied() else {
            return Err(self.scan.fault(FaultKind::Syntax));
        };
        let shows = table.pass || self.target_shows(parsed, visibility);
        let before = self.out.len();
        let emitted = self.object(plan, node)?;
        if !self.annotation().reference_sources.is_empty()
            && let Some(text) = self.scan.plain_string_at(reference)
            && let Ok(text) = std::str::from_utf8(text)
            && let Some(segments) = self.annotation().reference_sources.get(text)
            && plan.nodes.get(usize::from(node)).is_some_and(Node::is_labelled)
        {
            self.facts.segments = self.facts.segments.union(*segments);
        }
        if !shows {
            self.out.truncate(before);
            return Ok(false);
        }
        if emitted && let Some(Literal::Contained(id)) = parsed {
            self.contained.references.push((self.contained.current, id));
        }
        Ok(emitted)
    }

    fn target_shows(&self, parsed: Option<Literal<'b>>, visibility: Visibility) -> bool {
        let text = |bytes: &'b [u8]| std::str::from_utf8(bytes).ok();
        match (parsed, visibility) {
            (None, Visibility::Hidden) => false,
            (None | Some(Literal::Container), _) => true,
            (Some(Literal::Contained(id)), _) => !self.contained.dropped.contains(&id),
            (Some(Literal::Urn(urn)), _) => text(urn).and_then(|urn| self.around.shows_urn(urn)).unwrap_or(false),
            (Some(_), Visibility::Hidden) => false,
            (Some(_), Visibility::Shown) => true,
            (Some(Literal::Relative { resource_type, id }), Visibility::Ask) => {
                let (Some(resource_type), Some(id)) = (text(resource_type), text(id)) else { return false };
                self.around.shows(resource_type, id).unwrap_or(false)
            }
            (Some(Literal::Query { .. } | Literal::Foreign(_)), Visibility::Ask) => false,
        }
    }

    /// The literal of a reference. Whether its target shows was decided for the whole Reference.
    fn literal(&mut self, token: bool, identifies: bool) -> Scanned<bool> {
        let text = self.scan.scalar(Scalar::String)?;
        let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
        let parsed = if inner.contains(&b'\\') { Literal::Foreign(None) } else { literal(inner) };
        match parsed {
            Literal::Relative { resource_type, id } if token => {
                let (Ok(resource_type), Ok(id)) = (std::str::from_utf8(resource_type), std::str::from_utf8(id)) else {
                    return Ok(false);
                };
                let token = self.around.token(resource_type, id);
                self.out.extend_from_slice(format!("\"{resource_type}/{token}\"").as_bytes());
                Ok(true)
            }
            _ if token => Ok(false),
            Literal::Query { .. } | Literal::Foreign(_) if !identifies => Ok(false),
            _ => {
                self.out.extend_from_slice(text);
                Ok(true)
            }
        }
    }

    fn mask(&mut self, function: MaskFunction, written: &Key, object_start: usize) -> Scanned<bool> {
        let Some(scalar) = written.scalar else { return Err(self.scan.wrong_value()) };
        let text = self.scan.scalar(scalar)?;
        let shown = match function {
            MaskFunction::Code => plain(Some(text)).filter(|code| is_token(code)).map(|_| text.to_vec()),
            MaskFunction::Year => mask::year(text),
            MaskFunction::Zip3 => {
                let object = Scanner { bytes: self.scan.bytes, at: object_start, depth: 0 };
                let [country] = object.find([b"country"])?;
                let country = country.map(|at| object.plain_string_at(Some(at)).unwrap_or(b"?"));
                mask::zip3(text, country)
            }
            MaskFunction::Last4 => mask::last4(text),
            MaskFunction::Token => plain(Some(text)).and_then(|value| {
                let value = std::str::from_utf8(value).ok()?;
                Some(format!("\"{}\"", self.around.token(written.type_name, value)).into_bytes())
            }),
            MaskFunction::Shape => mask::shape(text, scalar, written.type_name),
            MaskFunction::Age
            | MaskFunction::Keep
            | MaskFunction::Into
            | MaskFunction::Withhold
            | MaskFunction::Coding
            | MaskFunction::Listed(_) => None,
        };
        let Some(shown) = shown else { return Ok(false) };
        self.out.extend_from_slice(&shown);
        Ok(true)
    }

    fn unit(&mut self, object_start: usize) -> Scanned<bool> {
        let text = self.scan.scalar(Scalar::String)?;
        let object = Scanner { bytes: self.scan.bytes, at: object_start, depth: 0 };
        let [system, code] = object.find([b"system", b"code"])?;
        let ucum = object.plain_string_at(system) == Some(b"http://unitsofmeasure.org");
        if ucum && object.plain_string_at(code).is_some_and(|code| !code.is_empty()) {
            self.out.extend_from_slice(text);
            return Ok(true);
        }
        Ok(false)
    }

    fn bundle_part(&mut self, part: BundlePart, object_start: usize) -> Scanned<bool> {
        let text = self.scan.scalar(Scalar::String)?;
        let Some(value) = plain(Some(text)) else { return Ok(false) };
        match part {
            BundlePart::Type => {
                let changed = matches!(value, b"document" | b"message");
                self.out.extend_from_slice(if changed { b"\"collection\"" } else { text });
                Ok(true)
            }
            BundlePart::FullUrl => {
                let shows = value.starts_with(b"urn:uuid:")
                    || value.starts_with(b"urn:oid:")
                    || self.names_its_resource(value, object_start)?;
                if shows {
                    self.out.extend_from_slice(text);
                }
                Ok(shows)
            }
            BundlePart::RequestUrl => {
                let cut = value.split(|byte| *byte == b'?').next().unwrap_or_default();
                let plain_path =
                    matches!(literal(cut), Literal::Relative { .. }) || dictionary().resource_by_bytes(cut).is_some();
                if plain_path {
                    self.out.push(b'"');
                    self.out.extend_from_slice(cut);
                    self.out.push(b'"');
                }
                Ok(plain_path)
            }
        }
    }

    /// Whether a `fullUrl` ends with `/Type/id` of the resource beside it.
    fn names_its_resource(&self, url: &[u8], object_start: usize) -> Scanned<bool> {
        let entry = Scanner { bytes: self.scan.bytes, at: object_start, depth: 0 };
        let [resource] = entry.find([b"resource"])?;
        let Some(at) = resource else { return Ok(false) };
        let resource = Scanner { bytes: self.scan.bytes, at, depth: 0 };
        let [kind, id] = resource.find([b"resourceType", b"id"])?;
        let (Some(kind), Some(id)) = (resource.plain_string_at(kind), resource.plain_string_at(id)) else {
            return Ok(false);
        };
        let tail = [b"/", kind, b"/", id].concat();
        Ok(url.starts_with(b"http") && url.ends_with(&tail) && !url.contains(&b'?'))
    }

    /// `meta`: labels of the resource, and what of it shows.
    fn meta_member(&mut self, node: &Node, state: &mut Members<'b>) -> Scanned<MemberShown> {
        let start = self.scan.at;
        if self.scan.peek() != b'{' {
            return Err(self.scan.wrong_value());
        }
        let before = self.out.len();
        let annotation = self.annotation();
        let meta = crate::meta::read(&mut self.scan, annotation)?;
        self.facts.segments = self.facts.segments.union(meta.segments);
        if node.pass {
            let end = self.scan.at;
            self.scan.at = start;
            self.write_key(state, b"meta");
            self.raw()?;
            debug_assert_eq!(self.scan.at, end);
            state.show_other();
            return Ok(MemberShown::No);
        }
        debug_assert_eq!(self.out.len(), before);
        if self.contained.current.is_none() {
            let change = self.projection.table().view(self.annotation().change_metadata) == scruple_core::View::Full;
            self.meta.clear();
            meta.write(change, &mut self.meta);
        }
        Ok(MemberShown::No)
    }

    /// The items of `contained`; `start` is where the array begins in the output.
    fn contained_items(&mut self, start: usize) -> Scanned<bool> {
        let mut any = false;
        loop {
            let before = self.out.len();
            if any {
                self.out.push(b',');
            }
            if self.scan.peek() != b'{' {
                return Err(self.scan.wrong_value());
            }
            if self.contained_item()? {
                any = true;
            } else {
                self.out.truncate(before);
            }
            if !self.scan.more(b']')? {
                break;
            }
        }
        debug_assert!(self.out.len() > start);
        Ok(any)
    }

    fn contained_item(&mut self) -> Scanned<bool> {
        let resource_type = self.resource_type()?;
        let [id] = self.scan.find([b"id"])?;
        let id = self.scan.plain_string_at(id);
        let (start, out_start, depth) = (self.scan.at, self.out.len(), self.scan.depth);
        let outer = self.contained.current.replace(self.contained.count);
        self.contained.count += 1;
        let outer_facts = self.facts;
        let plan = self.plan(self.under, resource_type);
        let mut classes = if plan.discriminated { 1 << 63 } else { 0 };
        let references = self.contained.references.len();
        let mut shown = false;
        for _ in 0..2 {
            self.scan.at = start;
            self.scan.depth = depth;
            self.out.truncate(out_start);
            self.contained.references.truncate(references);
            self.facts = Facts { codings: outer_facts.codings, ..Facts::default() };
            let chosen = plan.root(classes);
            self.open_resource(&plan, chosen.node, resource_type);
            shown = self.members(&plan, chosen.node, out_start)? && chosen.shows;
            if !plan.discriminated || plan.root(self.facts.classes) == chosen {
                break;
            }
            classes = self.facts.classes;
        }
        let own = self.facts;
        self.facts = outer_facts;
        self.facts.segments = self.facts.segments.union(own.segments);
        self.facts.codings = own.codings;
        let refused = own.implicit_rules || own.modifier_extension;
        let dropped =
            id.is_some_and(|id| self.contained.dropped.contains(&id)) || (id.is_none() && self.contained.anonymous);
        let shown = shown && !refused && !dropped;
        if shown {
            self.contained.shown.push((self.contained.count - 1, id.unwrap_or_default()));
        } else {
            self.out.truncate(out_start);
            self.contained.references.truncate(references);
        }
        self.contained.current = outer;
        Ok(shown)
    }

    /// Arrays of primitives with their extensions: both at once, places kept.
    fn aligned_member(
        &mut self,
        plan: &TypePlan,
        node: &Node,
        written: &Key,
        op: &Op,
        object_start: usize,
        state: &mut Members<'b>,
    ) -> Scanned<MemberShown> {
        let object = dictionary().get(node.object);
        let partner = object.keys.iter().zip(node.ops.iter()).find(|(key, _)| {
            key.element == written.element && key.target == written.target && key.underscore != written.underscore
        });
        let own = self.items(plan, op, written, object_start)?;
        let end = self.scan.at;
        let mut other = Vec::new();
        if let Some((partner, partner_op)) = partner {
            let ahead = Scanner { bytes: self.scan.bytes, at: object_start, depth: self.scan.depth };
            let [at] = ahead.find([partner.name().as_bytes()])?;
            if let Some(at) = at
                && partner_op.act != Act::Drop
            {
                self.scan.at = at;
                let facts = self.facts;
                other = self.items(plan, partner_op, partner, object_start)?;
                self.facts = facts;
                self.scan.at = end;
            }
        }
        let length = own.len().max(other.len());
        let mut text = Vec::new();
        let mut any = false;
        for index in 0..length {
            let (mine, theirs) = (own.get(index).and_then(Option::as_ref), other.get(index).and_then(Option::as_ref));
            if mine.is_none() && theirs.is_none() {
                continue;
            }
            text.push(if text.is_empty() { b'[' } else { b',' });
            match mine {
                Some(item) => {
                    any = true;
                    text.extend_from_slice(item);
                }
                None => text.extend_from_slice(b"null"),
            }
        }
        if any {
            self.write_key(state, written.name().as_bytes());
            self.out.append(&mut text);
            self.out.push(b']');
            state.show(usize::from(written.element));
        }
        Ok(MemberShown::No)
    }

    /// The items of an array of primitives or of their extensions, each projected; `None` where nothing shows.
    fn items(&mut self, plan: &TypePlan, op: &Op, written: &Key, object_start: usize) -> Scanned<Vec<Option<Vec<u8>>>> {
        if self.scan.peek() != b'[' {
            return Err(self.scan.wrong_value());
        }
        self.scan.enter()?;
        self.scan.at += 1;
        if self.scan.peek() == b']' {
            return Err(self.scan.fault(FaultKind::WrongType));
        }
        let mut items = Vec::new();
        loop {
            let before = self.out.len();
            let shown = if self.scan.peek() == b'n' {
                self.scan.word(b"null")?;
                false
            } else {
                self.value(plan, op, written, object_start)?
            };
            items.push(shown.then(|| self.out.get(before..).unwrap_or_default().to_vec()));
            self.out.truncate(before);
            if !self.scan.more(b']')? {
                break;
            }
        }
        self.scan.depth -= 1;
        Ok(items)
    }
}

fn malformed(fault: Fault) -> Withheld {
    Withheld::Malformed(MalformedAt(fault))
}

/// The text of a scalar string without its quotes, if it has no escapes.
fn plain(scalar: Option<&[u8]>) -> Option<&[u8]> {
    let inner = scalar?.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    (!inner.contains(&b'\\')).then_some(inner)
}

/// System and code of each Coding in the CodeableConcept, or of the Coding, that begins at `at`.
fn codings_at<'b>(scan: &Scanner<'b>, at: usize) -> Vec<(&'b [u8], &'b [u8])> {
    let one = |at: usize| {
        let coding = Scanner { bytes: scan.bytes, at, depth: scan.depth };
        let [system, code] = coding.find([b"system", b"code"]).ok()?;
        Some((coding.plain_string_at(system)?, coding.plain_string_at(code)?))
    };
    let concept = Scanner { bytes: scan.bytes, at, depth: scan.depth };
    let Ok([Some(list)]) = concept.find([b"coding"]) else { return one(at).into_iter().collect() };
    let mut found = Vec::new();
    let mut items = Scanner { bytes: scan.bytes, at: list, depth: scan.depth };
    if items.expect(b'[').is_err() {
        return found;
    }
    loop {
        items.peek();
        found.extend(one(items.at));
        if items.skip().is_err() || !matches!(items.more(b']'), Ok(true)) {
            return found;
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum MemberShown {
    No,
    NeedsAlignment,
}

enum Walked {
    Done(bool),
    Align,
}

/// A bit above those of the largest object type (ElementDefinition has 2 x 51).
const RESOURCE_TYPE_BIT: usize = 319;

/// The members of one object so far.
struct Members<'b> {
    seen: [u64; 5],
    shown: [u64; 3],
    marked: [u64; 3],
    other_shown: bool,
    comma: bool,
    closed: bool,
    text: bool,
    system: Option<&'b [u8]>,
    code: Option<&'b [u8]>,
}

impl Members<'_> {
    const fn new(comma: bool) -> Self {
        Self {
            seen: [0; 5],
            shown: [0; 3],
            marked: [0; 3],
            other_shown: false,
            comma,
            closed: false,
            text: false,
            system: None,
            code: None,
        }
    }

    fn first_time(&mut self, bit: usize) -> bool {
        let Some(word) = self.seen.get_mut(bit / 64) else { return false };
        let mask = 1 << (bit % 64);
        let first = *word & mask == 0;
        *word |= mask;
        first
    }

    fn show(&mut self, element: usize) {
        if let Some(word) = self.shown.get_mut(element / 64) {
            *word |= 1 << (element % 64);
        }
    }

    const fn show_other(&mut self) {
        self.other_shown = true;
    }

    fn stands(&mut self, element: usize) {
        if let Some(word) = self.marked.get_mut(element / 64) {
            *word |= 1 << (element % 64);
        }
    }

    fn shows(&self, element: usize) -> bool {
        self.shown.get(element / 64).is_some_and(|word| word & 1 << (element % 64) != 0)
    }

    fn is_marked(&self, element: usize) -> bool {
        self.marked.get(element / 64).is_some_and(|word| word & 1 << (element % 64) != 0)
    }

    const fn any_shown(&self) -> bool {
        self.other_shown || self.shown[0] | self.shown[1] | self.shown[2] != 0
    }
}

impl<'b> ContainedState<'b> {
    fn begin(&mut self) {
        self.shown.clear();
        self.references.clear();
        self.count = 0;
        self.current = None;
    }

    /// After a round: drops what nobody refers to. True if another round is needed.
    fn unsettled(&mut self) -> bool {
        let mut again = false;
        let shown = std::mem::take(&mut self.shown);
        for (index, id) in &shown {
            let referred = self.references.iter().any(|(holder, to)| to == id && *holder != Some(*index));
            if id.is_empty() {
                again |= !std::mem::replace(&mut self.anonymous, true);
            } else if !referred && !self.dropped.contains(id) {
                self.dropped.push(id);
                again = true;
            }
        }
        for (_, id) in &self.references {
            if !shown.iter().any(|(_, known)| known == id) && !self.dropped.contains(id) {
                self.dropped.push(id);
                again = true;
            }
        }
        again
    }
}
