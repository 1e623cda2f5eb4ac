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
            counted: emptied(&mut memory.counted),
            counting: true,
            facts: Facts::default(),
            under: SegmentSet::EMPTY,
            inherited: SegmentSet::EMPTY,
            found: None,
            meta: emptied(&mut memory.meta),
            contained: ContainedState::default(),
            inner: None,
            broken: false,
            hidden_by_target: false,
            spent: 0,
            memory,
        }
    }

    pub(super) fn annotation(&self) -> &'p Annotation {
        self.projection.annotation()
    }

    /// An object by its node. True if something of it was written.
    pub(super) fn object(&mut self, plan: &TypePlan, node: u16) -> Scanned<bool> {
        self.scan.at_object()?;
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
        let outer_entry = match node.kind {
            Kind::Entry | Kind::Parameter => self.inner.take(),
            _ => None,
        };
        let mut more = self.scan.open(b'}')?;
        let mut after = object.first_key;
        while more {
            self.scan.peek();
            let guess = self.memory.follows.get(after).copied().unwrap_or(NO_KEY);
            let guessed = object.keys.get(usize::from(guess)).is_some_and(|key| self.scan.take(&key.written));
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
                    if !guessed && let Some(next) = self.memory.follows.get_mut(after) {
                        *next = index;
                    }
                    after = object.first_key + usize::from(index) + 1;
                    if !state.first_time(written) {
                        return Err(self.scan.fault(FaultKind::Duplicate));
                    }
                    if self.counting
                        && let Some(counter) = op.counter()
                    {
                        self.counted.push(counter);
                    }
                    let key_end = self.scan.at;
                    self.scan.peek();
                    let value_start = self.scan.at;
                    match (op.act, written.many, written.scalar) {
                        (Act::Drop, ..) => self.scan.skip_member(written)?,
                        (Act::Copy | Act::Formed(_), false, Some(scalar)) => {
                            self.plain_member(&mut state, written, op, scalar, guessed && value_start == key_end)?;
                        }
                        _ => self.member(plan, node, index, written, op, scan_start, &mut state, aligned)?,
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
                    if !state.first_resource_type() {
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
        self.spent += self.scan.at - scan_start;
        if self.spent > limits::WORK_PER_BYTE_MAX * self.scan.bytes.len() + limits::WORK_BYTES_FREE {
            return Err(self.scan.fault(FaultKind::Costly));
        }
        if state.align && !aligned {
            return Ok(Walked::Align);
        }
        self.facts_of(plan, node, &state);
        let shown = self.close(node, &mut state, out_start);
        if node.kind == Kind::Parameter {
            self.inner = outer_entry;
        }
        Ok(Walked::Done(shown))
    }

    /// A scalar as written, by far the most frequent member; key and value at once where they are joined.
    #[inline]
    fn plain_member(
        &mut self,
        state: &mut Members<'b>,
        written: &Key,
        op: &Op,
        scalar: Scalar,
        joined: bool,
    ) -> Scanned<()> {
        let key_start = self.scan.at.saturating_sub(written.written.text.len());
        let text = self.scan.scalar(scalar)?;
        if let Act::Formed(form) = op.act
            && !form.fits(text)
        {
            return Ok(());
        }
        if std::mem::replace(&mut state.comma, true) {
            self.out.push(b',');
        }
        if joined {
            let both = self.scan.bytes.get(key_start..self.scan.at).unwrap_or_default();
            self.out.extend_from_slice(both);
        } else {
            self.out.extend_from_slice(written.written.text.as_bytes());
            self.out.extend_from_slice(text);
        }
        state.show(written);
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
            Kind::Extension { holds } => node.pass || state.shown & holds != 0,
            Kind::Entry => matches!(self.inner, Some(Ok(_))),
            Kind::Parameter => !matches!(self.inner, Some(Err(_))),
            _ => true,
        };
        let empty = !node.pass && !is_resource && state.shown == 0;
        let alone = !state.shown & (node.closing | node.closing_where_stood & state.stood()) != 0;
        if node.closed || state.closed || !keep || empty || alone {
            self.out.truncate(out_start);
            self.contained.references.truncate(state.references);
            return false;
        }
        if !node.pass {
            let missing = node.required_bits & !state.shown;
            if missing != 0 {
                for (_, marker) in node.required.iter().filter(|(bit, _)| missing & bit != 0) {
                    self.write_marker(state, marker);
                }
                state.marked |= missing;
            }
            for constraint in &node.constraints {
                let left = constraint.left == 0 || state.shown & constraint.left != 0;
                if left && (state.shown | state.marked) & constraint.right == 0 {
                    self.write_marker(state, &constraint.marker);
                    state.marked |= constraint.marked;
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
    ) -> Scanned<()> {
        match op.act {
            Act::ImplicitRules(node) => {
                match node {
                    Some(node) => {
                        let before = self.out.len();
                        self.object(plan, node)?;
                        self.out.truncate(before);
                    }
                    None => self.scan.skip_member(written)?,
                }
                self.facts.implicit_rules = true;
                return Ok(());
            }
            Act::ModifierExtension(table) => {
                match table {
                    Some(table) => {
                        let before = self.out.len();
                        let op = Op { act: Act::Extensions(table), ..*op };
                        self.array(plan, node, &op, written, object_start, &mut false)?;
                        self.out.truncate(before);
                    }
                    None => self.scan.skip_member(written)?,
                }
                self.broken |= node.whole;
                if node.kind == Kind::Resource {
                    self.facts.modifier_extension = true;
                }
                state.closed = true;
                return Ok(());
            }
            Act::Meta => return self.meta_member(plan, node, state),
            _ => {}
        }
        let object = dictionary().get(node.object);
        let is_pair = written.many && (written.scalar.is_some() || written.underscore);
        if is_pair && aligned {
            return self.aligned_member(plan, node, written, op, object_start, state);
        }
        let element = object.elements.get(usize::from(written.element));
        if op.act == Act::Mask(MaskFunction::Age) && !written.many {
            let text = self.scan.scalar(Scalar::String)?;
            let name = element.map_or("", |element| element.name);
            let extension = mask::age(text, name, self.around.today());
            self.write_key(state, format!("_{}", written.name()).as_bytes());
            self.out.extend_from_slice(extension.as_bytes());
            state.show(written);
            return Ok(());
        }
        let before = self.out.len();
        if state.comma {
            self.out.push(b',');
        }
        self.out.extend_from_slice(written.written.text.as_bytes());
        let shown = if written.many {
            let mut gap = written.underscore;
            let shown = self.array(plan, node, op, written, object_start, &mut gap)?;
            state.align |= gap && is_pair && has_extensions_beside(node, object, index, written);
            shown
        } else {
            self.value(plan, op, written, object_start)?
        };
        if shown {
            state.comma = true;
            state.show(written);
        } else {
            // Else a marker would tell that there is a target, and what stands beside it something of it.
            state.closed |= element.is_some_and(|element| element.required)
                && matches!(op.act, Act::Reference(_))
                && self.hidden_by_target
                && node.goes_with_target;
            self.out.truncate(before);
        }
        Ok(())
    }
}

/// The buffer without what it holds.
fn emptied<T>(buffer: &mut Vec<T>) -> Vec<T> {
    let mut buffer = std::mem::take(buffer);
    buffer.clear();
    buffer
}

pub(super) enum Walked {
    Done(bool),
    Align,
}

/// No key of any object type.
const NO_KEY: u16 = u16::MAX;

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
