//! Contained resources: each by its own type, and none that nobody refers to.

use super::*;

impl Pass<'_, '_> {
    /// The items of `contained`.
    pub(super) fn contained_items(&mut self) -> Scanned<bool> {
        // One that is contained in a contained one never shows; its codes label all the same.
        let nested = self.contained.current.is_some();
        let mut any = false;
        loop {
            let before = self.out.len();
            if any {
                self.out.push(b',');
            }
            self.scan.at_object()?;
            if self.contained_item(nested)? {
                any = true;
            } else {
                self.out.truncate(before);
            }
            if !self.scan.more(b']')? {
                return Ok(any);
            }
        }
    }

    fn contained_item(&mut self, nested: bool) -> Scanned<bool> {
        let resource_type = self.resource_type()?;
        let [id] = self.scan.find([b"id"])?;
        let id = self.scan.plain_string_at(id);
        let (start, out_start, depth) = (self.scan.at, self.out.len(), self.scan.depth);
        let (which, counted) = (self.contained.count, self.counted.len());
        let outer = self.contained.current.replace(which);
        self.contained.count += 1;
        let outer_facts = self.facts;
        let projected = !self.contained.passing && self.projection.table().passes_full_types;
        let under = if projected { self.under.union(SegmentSet::NO_PASS) } else { self.under };
        let plan = self.plan(under, resource_type);
        let mut classes = if plan.discriminated { self.memory.of(resource_type).class.unwrap_or(1 << 63) } else { 0 };
        let (references, inner) = (self.contained.references.len(), self.contained.shown.len());
        let mut shown = false;
        let mut passed = false;
        for _ in 0..2 {
            self.scan.at = start;
            self.scan.depth = depth;
            self.out.truncate(out_start);
            self.counted.truncate(counted);
            self.contained.references.truncate(references);
            self.facts = Facts::default();
            let chosen = plan.root(classes);
            self.open_resource(chosen, resource_type);
            shown = self.members(&plan, chosen.node, out_start)? && chosen.shows;
            passed = chosen.pass;
            if !plan.discriminated || plan.root(self.facts.classes) == chosen {
                break;
            }
            classes = self.facts.classes;
        }
        let own = self.facts;
        if plan.discriminated {
            self.memory.of(resource_type).class = Some(own.classes);
        }
        self.facts = outer_facts;
        self.facts.segments = self.facts.segments.union(own.segments);
        let refused = own.implicit_rules || own.modifier_extension;
        let id = id.filter(|id| !id.is_empty());
        let dropped = !passed && id.is_none_or(|id| self.contained.dropped.contains(&id));
        let shown = shown && !refused && !dropped && !nested;
        self.contained.not_passed |= !(passed && shown);
        if shown {
            self.contained.shown.push((which, id.unwrap_or_default()));
        } else {
            self.out.truncate(out_start);
            self.counted.truncate(counted);
            self.contained.references.truncate(references);
            self.contained.shown.truncate(inner);
            if !nested {
                self.contained.failed.extend(id);
            }
        }
        self.contained.current = outer;
        Ok(shown)
    }
}

impl<'b> Pass<'_, 'b> {
    /// The type of the contained resource with this id; the first where several have it.
    pub(super) fn contained_type(&mut self, id: &[u8]) -> Option<TypeId> {
        if self.contained.types.is_none() {
            let mut types = self.contained_types().unwrap_or_default();
            types.sort_by_key(|(id, _)| *id);
            self.contained.types = Some(types);
        }
        let types = self.contained.types.as_deref().unwrap_or_default();
        let first = types.partition_point(|(known, _)| *known < id);
        types.get(first).filter(|(known, _)| *known == id).and_then(|(_, resource_type)| *resource_type)
    }

    fn contained_types(&self) -> Scanned<Vec<(&'b [u8], Option<TypeId>)>> {
        let container = self.scan.fork(self.contained.container);
        let mut types = Vec::new();
        let [Some(list)] = container.find([b"contained"])? else { return Ok(types) };
        let mut items = self.scan.fork(list);
        items.open_array()?;
        loop {
            items.peek();
            let [id, kind] = items.find([b"id", b"resourceType"])?;
            if let Some(id) = items.plain_string_at(id) {
                let kind = items.plain_string_at(kind);
                types.push((id, kind.and_then(|kind| dictionary().resource_by_bytes(kind))));
            }
            items.skip()?;
            if !items.more(b']')? {
                return Ok(types);
            }
        }
    }
}

impl<'b> ContainedState<'b> {
    pub(super) fn begin(&mut self) {
        self.shown.clear();
        self.references.clear();
        self.mentions.clear();
        self.failed.clear();
        self.not_passed = false;
        self.count = 0;
        self.current = None;
    }

    /// After a round: drops what the container does not lead to. True if another round is needed.
    pub(super) fn unsettled(&mut self) -> bool {
        if self.shown.is_empty() && self.references.is_empty() && self.mentions.is_empty() {
            return false;
        }
        let known = self.dropped.len();
        let mut drop = |id: &'b [u8]| {
            self.dropped.insert(id);
        };
        let shown: HashMap<usize, &[u8]> = self.shown.iter().copied().collect();
        let ids: HashSet<&[u8]> = self.shown.iter().map(|(_, id)| *id).collect();
        let asked: HashSet<&[u8]> = self.references.iter().map(|(_, to)| *to).collect();
        // Of several with one id all must show.
        self.failed.iter().filter(|id| asked.contains(*id) || ids.contains(*id)).for_each(|id| drop(id));
        asked.iter().filter(|id| !ids.contains(*id)).for_each(|id| drop(id));
        // What the container leads to.
        let mut from: HashMap<&[u8], Vec<&[u8]>> = HashMap::new();
        let mut open = Vec::new();
        for (holder, to) in &self.references {
            match holder {
                None => open.push(*to),
                Some(holder) => {
                    if let Some(id) = shown.get(holder) {
                        from.entry(id).or_default().push(to);
                    }
                }
            }
        }
        let mut reached: HashSet<&[u8]> = HashSet::new();
        while let Some(id) = open.pop() {
            if reached.insert(id) {
                open.extend(from.get(id).into_iter().flatten());
            }
        }
        // A Reference whose literal is masked leads nowhere, and does not show without its target.
        ids.iter().chain(&self.mentions).filter(|id| !reached.contains(*id)).for_each(|id| drop(id));
        self.dropped.len() > known
    }
}
