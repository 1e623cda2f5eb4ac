//! One pass over a resource: objects and their members, markers, facts.

use super::*;

impl<'p, 'b> Pass<'p, 'b> {
    pub(super) fn new(
        projection: &'p Projection,
        around: &'p dyn Surroundings,
        bytes: &'b [u8],
        out: &'p mut Vec<u8>,
        memory: &'p mut Memory,
    ) -> Self {
        Self {
            projection,
            around,
            scan: Scanner::new(bytes),
            out,
            counted: {
                let mut counted = std::mem::take(&mut memory.counted);
                counted.clear();
                counted
            },
            memory,
            counting: true,
            facts: Facts::default(),
            under: SegmentSet::EMPTY,
            meta: Vec::new(),
            contained: ContainedState::default(),
            entry: EntryState::default(),
            broken: false,
            hidden_by_target: false,
            spent: 0,
        }
    }

    pub(super) fn annotation(&self) -> &'p Annotation {
        self.projection.annotation()
    }

    pub(super) fn top_resource(&mut self) -> Result<Shown, Withheld> {
        if self.scan.peek() != b'{' {
            return Err(malformed(self.scan.wrong_value()));
        }
        let shown = self.resource().map_err(malformed)?;
        self.end()?;
        shown
    }

    pub(super) fn top_entry(&mut self) -> Result<Shown, Withheld> {
        if self.scan.peek() != b'{' {
            return Err(malformed(self.scan.wrong_value()));
        }
        let [url] = self.scan.find([b"fullUrl"]).map_err(malformed)?;
        let urn = self.scan.plain_string_at(url).filter(|url| url.starts_with(b"urn:"));
        let urn = urn.and_then(|urn| std::str::from_utf8(urn).ok()).map(str::to_owned);
        let bundle = dictionary().resource("Bundle").ok_or(Withheld::Policy)?;
        let plan = self.plan(SegmentSet::EMPTY, bundle);
        let node = plan.entry.ok_or(Withheld::Policy)?;
        let emitted = self.object(&plan, node).map_err(malformed)?;
        self.end()?;
        match self.entry.resource.take() {
            Some(Ok(shown)) if emitted => Ok(Shown { urn, ..shown }),
            Some(Err(withheld)) => Err(withheld),
            _ => Err(Withheld::Policy),
        }
    }

    pub(super) fn end(&mut self) -> Result<(), Withheld> {
        self.scan.peek();
        if self.scan.at < self.scan.bytes.len() {
            return Err(malformed(Fault { kind: FaultKind::Trailing, at: self.scan.at }));
        }
        Ok(())
    }

    pub(super) fn plan(&mut self, segments: SegmentSet, resource: TypeId) -> Arc<TypePlan> {
        if segments != SegmentSet::EMPTY {
            return self.projection.plan(segments, resource);
        }
        let projection = self.projection;
        let plan = &mut self.memory.of(resource).plan;
        Arc::clone(plan.get_or_insert_with(|| projection.plan(segments, resource)))
    }

    pub(super) fn resource_type(&self) -> Scanned<TypeId> {
        let [at] = self.scan.find([b"resourceType"])?;
        let name = self.scan.plain_string_at(at);
        name.and_then(|name| dictionary().resource_by_bytes(name))
            .ok_or(Fault { kind: FaultKind::UnknownType, at: self.scan.at })
    }

    /// Projects the resource that begins here, with facts and contained resources of its own.
    pub(super) fn resource(&mut self) -> Scanned<Result<Shown, Withheld>> {
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
    pub(super) fn settle(&mut self, resource_type: TypeId, base: &TypePlan) -> Scanned<Result<Shown, Withheld>> {
        let (start, out_start, depth) = (self.scan.at, self.out.len(), self.scan.depth);
        let counted = self.counted.len();
        self.contained.container = start;
        let mut classes = if base.discriminated { self.memory.of(resource_type).class.unwrap_or(1 << 63) } else { 0 };
        for _ in 0..limits::PROJECTION_PASSES_MAX {
            self.scan.at = start;
            self.scan.depth = depth;
            self.out.truncate(out_start);
            self.counted.truncate(counted);
            self.facts = Facts::default();
            self.meta.clear();
            self.contained.begin();
            let plan = self.plan(self.under, resource_type);
            let chosen = plan.root(classes);
            let meta_at = self.open_resource(&plan, chosen.node, resource_type);
            self.contained.passing = plan.nodes.get(usize::from(chosen.node)).is_some_and(|node| node.pass);
            let emitted = self.members(&plan, chosen.node, out_start)?;
            if self.facts.classes != classes && base.discriminated && plan.root(self.facts.classes) != chosen {
                classes = self.facts.classes;
                continue;
            }
            let no_pass = self.under.intersect(SegmentSet::NO_PASS);
            if self.facts.segments != self.under.without(SegmentSet::NO_PASS) {
                self.under = self.facts.segments.union(no_pass);
                continue;
            }
            if base.discriminated {
                self.memory.of(resource_type).class = Some(self.facts.classes);
            }
            let node = plan.nodes.get(usize::from(chosen.node));
            let passed = node.is_some_and(|node| node.pass);
            if passed && self.contained.not_passed {
                self.under = self.under.union(SegmentSet::NO_PASS);
                continue;
            }
            if let Some(withheld) =
                self.refusal(&plan, chosen.shows && emitted, chosen.required, base, passed, resource_type)
            {
                self.out.truncate(out_start);
                self.counted.truncate(counted);
                return Ok(Err(withheld));
            }
            if !passed && self.contained.unsettled() {
                continue;
            }
            self.insert_meta(meta_at);
            let id = self.id_of(start);
            let name = dictionary().get(resource_type).name;
            return Ok(Ok(Shown {
                resource_type: name,
                id,
                segments: self.under.without(SegmentSet::NO_PASS),
                passed,
                urn: None,
            }));
        }
        self.out.truncate(out_start);
        Ok(Err(Withheld::Contained))
    }

    pub(super) fn refusal(
        &mut self,
        plan: &TypePlan,
        shows: bool,
        required: bool,
        base: &TypePlan,
        passed: bool,
        resource_type: TypeId,
    ) -> Option<Withheld> {
        let classes = self.facts.classes;
        let unlabelled = base.root(classes);
        if !unlabelled.shows && !unlabelled.required {
            return Some(Withheld::Policy);
        }
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
        if unlabelled.required {
            return Some(Withheld::Required);
        }
        let without = self.under.without(SegmentSet::UNCLASSIFIED).without(SegmentSet::UNREADABLE);
        let unsure = self.under.is_unclassified() || self.under.is_unreadable();
        if unsure && self.plan(without, resource_type).root(classes).shows {
            return Some(Withheld::Unclassified);
        }
        Some(Withheld::Label)
    }

    /// Writes the beginning of a resource and returns where its meta goes.
    pub(super) fn open_resource(&mut self, plan: &TypePlan, node: u16, resource_type: TypeId) -> Option<usize> {
        self.out.push(b'{');
        if plan.nodes.get(usize::from(node)).is_some_and(|node| node.pass) {
            return None;
        }
        self.out.extend_from_slice(b"\"resourceType\":\"");
        let name = dictionary().get(resource_type).name;
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b'"');
        let has_meta = self.contained.current.is_none() && name != "Bundle";
        has_meta.then_some(self.out.len())
    }

    pub(super) fn insert_meta(&mut self, at: Option<usize>) {
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

    pub(super) fn id_of(&self, start: usize) -> Option<String> {
        let ahead = Scanner { bytes: self.scan.bytes, at: start, depth: 0 };
        let [at] = ahead.find([b"id"]).ok()?;
        let id = ahead.plain_string_at(at)?;
        std::str::from_utf8(id).ok().map(str::to_owned)
    }

    /// An object by its node. True if something of it was written.
    pub(super) fn object(&mut self, plan: &TypePlan, node: u16) -> Scanned<bool> {
        if self.scan.peek() != b'{' {
            return Err(self.scan.wrong_value());
        }
        let start = self.out.len();
        self.out.push(b'{');
        self.members(plan, node, start)
    }

    /// The members of the object that begins here; `{` and perhaps more has been written since `out_start`.
    pub(super) fn members(&mut self, plan: &TypePlan, node_id: u16, out_start: usize) -> Scanned<bool> {
        let scan_start = self.scan.at;
        let opened = self.out.len();
        let contained = (self.contained.count, self.contained.shown.len(), self.contained.references.len());
        let failed = self.contained.failed.len();
        match self.walk(plan, node_id, out_start, scan_start, false)? {
            Walked::Done(emitted) => Ok(emitted),
            Walked::Align => {
                // An array of primitives has an array of extensions beside it, or a null: once more, key by key.
                self.out.truncate(opened);
                self.scan.at = scan_start;
                self.contained.count = contained.0;
                self.contained.shown.truncate(contained.1);
                self.contained.references.truncate(contained.2);
                self.contained.failed.truncate(failed);
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

    pub(super) fn walk(
        &mut self,
        plan: &TypePlan,
        node_id: u16,
        out_start: usize,
        scan_start: usize,
        aligned: bool,
    ) -> Scanned<Walked> {
        let Some(node) = plan.nodes.get(usize::from(node_id)) else { return Err(self.scan.fault(FaultKind::Syntax)) };
        let object = dictionary().get(node.object);
        let mut state = Members::new(self.out.len() > out_start + 1, self.contained.references.len());
        let mut needs_alignment = false;
        let outer_entry = match node.kind {
            Kind::Entry | Kind::Parameter => self.entry.resource.take(),
            _ => None,
        };
        self.scan.enter()?;
        self.scan.at += 1;
        let mut more = self.scan.peek() != b'}';
        if !more {
            self.scan.at += 1;
        }
        let mut after = 0;
        while more {
            self.scan.peek();
            let guess = self.memory.follows(node.object, after).map_or(NO_KEY, |next| *next);
            let guessed = object.keys.get(usize::from(guess)).is_some_and(|key| self.scan.take(key.emit.as_bytes()));
            let (index, key) = if guessed {
                (Some(guess), &b""[..])
            } else {
                let key = self.scan.key()?;
                (object.key(key), key)
            };
            match index {
                Some(index) => {
                    let (Some(written), Some(op)) =
                        (object.keys.get(usize::from(index)), node.ops.get(usize::from(index)))
                    else {
                        return Err(self.scan.fault(FaultKind::Syntax));
                    };
                    if !guessed && let Some(next) = self.memory.follows(node.object, after) {
                        *next = index;
                    }
                    after = usize::from(index) + 1;
                    if !state.first_time(written.bit()) {
                        return Err(self.scan.fault(FaultKind::Duplicate));
                    }
                    if self.counting && op.category.is_some() {
                        self.counted.push(*op);
                    }
                    let key_end = self.scan.at;
                    self.scan.peek();
                    let value_start = self.scan.at;
                    if let (true, false, Some(scalar), Act::Copy | Act::Formed(_)) =
                        (guessed, written.many, written.scalar, op.act)
                    {
                        self.plain_member(&mut state, written, op, scalar, key_end)?;
                    } else {
                        let shown = self.member(plan, node, index, written, op, scan_start, &mut state, aligned)?;
                        needs_alignment |= shown == MemberShown::NeedsAlignment;
                    }
                    if node.capture.contains(&index) {
                        let text = self.scan.bytes.get(value_start..self.scan.at).unwrap_or_default();
                        if node.capture.first() == Some(&index) {
                            state.system = Some(text)
                        } else {
                            state.code = Some(text)
                        }
                    }
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
        self.spent += self.scan.at - scan_start;
        if self.spent > limits::WORK_PER_BYTE_MAX * self.scan.bytes.len() + limits::WORK_BYTES_FREE {
            return Err(self.scan.fault(FaultKind::Costly));
        }
        if needs_alignment && !aligned {
            return Ok(Walked::Align);
        }
        self.facts_of(plan, node, &state);
        let shown = self.close(node, &mut state, out_start);
        if node.kind == Kind::Parameter {
            self.entry.resource = outer_entry;
        }
        Ok(Walked::Done(shown))
    }

    /// A scalar as written, by far the most frequent member; key and value at once where nothing stands between them.
    #[inline]
    fn plain_member(
        &mut self,
        state: &mut Members<'b>,
        written: &Key,
        op: &Op,
        scalar: Scalar,
        key_end: usize,
    ) -> Scanned<()> {
        let value_start = self.scan.at;
        let text = self.scan.scalar(scalar)?;
        if let Act::Formed(form) = op.act
            && !form.fits(text)
        {
            return Ok(());
        }
        if std::mem::replace(&mut state.comma, true) {
            self.out.push(b',');
        }
        if value_start == key_end {
            let both = self.scan.bytes.get(key_end - written.emit.len()..self.scan.at).unwrap_or_default();
            self.out.extend_from_slice(both);
        } else {
            self.out.extend_from_slice(written.emit.as_bytes());
            self.out.extend_from_slice(text);
        }
        state.show(usize::from(written.element));
        Ok(())
    }

    pub(super) fn resource_type_key(&mut self, node: &Node, state: &mut Members<'b>) -> Scanned<()> {
        let text = self.scan.scalar(Scalar::String)?;
        if node.pass {
            self.write_key(state, b"resourceType");
            self.out.extend_from_slice(text);
        }
        Ok(())
    }

    pub(super) fn write_key(&mut self, state: &mut Members<'b>, key: &[u8]) {
        if std::mem::replace(&mut state.comma, true) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(key);
        self.out.extend_from_slice(b"\":");
    }

    /// Ends an object: markers, or nothing at all if nothing showed.
    pub(super) fn close(&mut self, node: &Node, state: &mut Members<'b>, out_start: usize) -> bool {
        let is_resource = node.kind == Kind::Resource;
        let keep = match node.kind {
            Kind::Coding { check: Some(function), .. } => self.coding_fits(function, state),
            Kind::Entry => matches!(self.entry.resource, Some(Ok(_))),
            Kind::Parameter => !matches!(self.entry.resource, Some(Err(_))),
            _ => true,
        };
        let empty = !node.pass && !is_resource && !state.any_shown();
        let alone = node.closing.iter().any(|(element, required)| {
            let bit = usize::from(*element);
            !state.shows(bit) && (*required || state.stood(bit))
        });
        if node.closed || state.closed || !keep || empty || alone {
            self.out.truncate(out_start);
            self.contained.references.truncate(state.references);
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

    pub(super) fn write_marker(&mut self, state: &mut Members<'b>, marker: &[u8]) {
        if std::mem::replace(&mut state.comma, true) {
            self.out.push(b',');
        }
        self.out.extend_from_slice(marker);
    }

    pub(super) fn coding_fits(&self, function: MaskFunction, state: &Members<'b>) -> bool {
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
    pub(super) fn facts_of(&mut self, plan: &TypePlan, node: &Node, state: &Members<'b>) {
        match node.kind {
            Kind::Coding { collect, .. } => {
                let (system, code) = (plain(state.system), plain(state.code));
                if collect.label {
                    let found = match (system, code) {
                        (Some(system), Some(code)) => self.annotation().codes.classify(system, code),
                        _ => SegmentSet::UNCLASSIFIED,
                    };
                    self.facts.segments = self.facts.segments.union(found);
                }
                if collect.security {
                    let found = match (system, code) {
                        (Some(system), Some(code)) => self.annotation().codes.security(system, code),
                        _ => SegmentSet::UNREADABLE,
                    };
                    self.facts.segments = self.facts.segments.union(found);
                }
                if let Some(element) = collect.class
                    && let (Some(system), Some(code)) = (system, code)
                {
                    self.facts.classes |= plan.class_of(element, system, code);
                }
            }
            Kind::CodeableConcept { collect, text, coding }
                if state.saw(usize::from(text)) && !state.saw(usize::from(coding)) =>
            {
                if collect.label {
                    self.facts.segments = self.facts.segments.union(SegmentSet::UNCLASSIFIED);
                }
                if collect.security {
                    self.facts.segments = self.facts.segments.union(SegmentSet::UNREADABLE);
                }
            }
            _ => {}
        }
    }

    /// One member of an object: key and value, if the value shows.
    #[expect(clippy::too_many_arguments, reason = "the state of one object, on the hot path")]
    pub(super) fn member(
        &mut self,
        plan: &TypePlan,
        node: &Node,
        index: u16,
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
                self.skip_kind(element.many, written)?;
                return Ok(MemberShown::No);
            }
            Act::ImplicitRules(node) => {
                match node {
                    Some(node) => {
                        let before = self.out.len();
                        self.object(plan, node)?;
                        self.out.truncate(before);
                    }
                    None => self.skip_kind(false, written)?,
                }
                self.facts.implicit_rules = true;
                return Ok(MemberShown::No);
            }
            Act::ModifierExtension(table) => {
                match table {
                    Some(table) => {
                        let before = self.out.len();
                        let op = Op { act: Act::Extensions(table), ..*op };
                        self.array(plan, node, &op, written, object_start, false, &mut false)?;
                        self.out.truncate(before);
                    }
                    None => self.skip_kind(true, written)?,
                }
                self.broken |= node.whole;
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
            let beside = is_pair && has_extensions_beside(node, object, index, written);
            self.array(plan, node, op, written, object_start, beside, &mut needs_alignment)?
        } else {
            self.value(plan, op, written, object_start)?
        };
        if shown {
            state.comma = true;
            state.show(usize::from(written.element));
        } else {
            // Else a marker would tell that there is a target, and what stands beside it something of it.
            state.closed |= element.required
                && matches!(op.act, Act::Reference(_))
                && self.hidden_by_target
                && node.goes_with_target;
            self.out.truncate(before);
        }
        Ok(if needs_alignment { MemberShown::NeedsAlignment } else { MemberShown::No })
    }

    /// Skips a value of which only the kind is checked.
    fn skip_kind(&mut self, many: bool, written: &Key) -> Scanned<()> {
        let kind = written.scalar.filter(|_| !written.underscore);
        self.scan.skip_kind(many, kind, written.scalar.is_some() || written.underscore)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum MemberShown {
    No,
    NeedsAlignment,
}

pub(super) enum Walked {
    Done(bool),
    Align,
}

/// No key of any object type.
const NO_KEY: u16 = u16::MAX;
/// A bit above those of the largest object type (ElementDefinition has 2 x 51).
pub(super) const RESOURCE_TYPE_BIT: usize = 319;

/// Whether the extensions of a primitive's array can show, so that places must be kept. The key of `_x` follows that of
/// `x`.
fn has_extensions_beside(node: &Node, object: &crate::dictionary::ObjectType, index: u16, written: &Key) -> bool {
    if node.pass {
        return false;
    }
    let beside = usize::from(index) + usize::from(!written.underscore);
    let is_partner = object.keys.get(beside).is_some_and(|key| key.underscore && key.element == written.element);
    is_partner && node.ops.get(beside).is_some_and(|op| matches!(op.act, Act::Object(_)))
}
