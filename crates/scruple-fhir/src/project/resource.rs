//! A resource: its passes, until labels, class and contained resources are those that the pass assumed.

use super::*;

impl<'b> Pass<'_, 'b> {
    pub(super) fn top_resource(&mut self) -> Result<Shown, Withheld> {
        self.scan.at_object().map_err(malformed)?;
        let shown = self.resource().map_err(malformed)?;
        self.end()?;
        shown
    }

    pub(super) fn top_entry(&mut self) -> Result<Shown, Withheld> {
        self.scan.at_object().map_err(malformed)?;
        let [url] = self.scan.find([b"fullUrl"]).map_err(malformed)?;
        let urn = self.scan.plain_string_at(url).filter(|url| url.starts_with(b"urn:"));
        let urn = urn.and_then(|urn| std::str::from_utf8(urn).ok()).map(str::to_owned);
        let bundle = dictionary().resource("Bundle").ok_or(Withheld::Policy)?;
        let plan = self.plan(SegmentSet::EMPTY, bundle);
        let node = plan.entry.ok_or(Withheld::Policy)?;
        let emitted = self.object(&plan, node).map_err(malformed)?;
        self.end()?;
        match self.inner.take() {
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
        let projection = self.projection;
        let remembered = self.memory.of(resource);
        if segments == SegmentSet::EMPTY {
            return Arc::clone(remembered.plan.get_or_insert_with(|| projection.plan(segments, resource)));
        }
        match &remembered.labelled {
            Some((last, plan)) if *last == segments => Arc::clone(plan),
            _ => {
                let plan = projection.plan(segments, resource);
                remembered.labelled = Some((segments, Arc::clone(&plan)));
                plan
            }
        }
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
        let inherited = std::mem::replace(&mut self.inherited, SegmentSet::EMPTY);
        let outer_under = std::mem::replace(&mut self.under, inherited);
        let result = self.settle(resource_type, &base, inherited);
        self.facts = outer_facts;
        self.contained = outer_contained;
        self.meta = outer_meta;
        self.under = outer_under;
        result
    }

    /// Passes over the resource until its labels, class and contained resources are those that the pass assumed.
    pub(super) fn settle(
        &mut self,
        resource_type: TypeId,
        base: &TypePlan,
        inherited: SegmentSet,
    ) -> Scanned<Result<Shown, Withheld>> {
        let (start, out_start, depth) = (self.scan.at, self.out.len(), self.scan.depth);
        let counted = self.counted.len();
        self.contained.container = start;
        let mut classes = if base.discriminated { self.memory.of(resource_type).class.unwrap_or(1 << 63) } else { 0 };
        for _ in 0..limits::PROJECTION_PASSES_MAX {
            self.scan.at = start;
            self.scan.depth = depth;
            self.out.truncate(out_start);
            self.counted.truncate(counted);
            self.facts = Facts { segments: inherited, ..Facts::default() };
            self.meta.clear();
            self.contained.begin();
            let plan = self.plan(self.under, resource_type);
            let chosen = plan.root(classes);
            let meta_at = self.open_resource(chosen, resource_type);
            self.contained.passing = chosen.pass;
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
            self.found = Some(self.facts.segments);
            if base.discriminated {
                self.memory.of(resource_type).class = Some(self.facts.classes);
            }
            if chosen.pass && self.contained.not_passed {
                self.under = self.under.union(SegmentSet::NO_PASS);
                continue;
            }
            if let Some(withheld) = self.refusal(chosen, emitted, base, resource_type) {
                self.out.truncate(out_start);
                self.counted.truncate(counted);
                return Ok(Err(withheld));
            }
            if !chosen.pass && self.contained.unsettled() {
                continue;
            }
            self.insert_meta(meta_at);
            let id = self.id_of(start);
            let name = dictionary().get(resource_type).name;
            return Ok(Ok(Shown {
                resource_type: name,
                id,
                segments: self.under.without(SegmentSet::NO_PASS),
                passed: chosen.pass,
                classes: if base.discriminated { base.classes_told(self.facts.classes) } else { 0 },
                urn: None,
            }));
        }
        self.out.truncate(out_start);
        self.counted.truncate(counted);
        Ok(Err(Withheld::Contained))
    }

    pub(super) fn refusal(
        &mut self,
        chosen: Chosen,
        emitted: bool,
        base: &TypePlan,
        resource_type: TypeId,
    ) -> Option<Withheld> {
        let classes = self.facts.classes;
        let unlabelled = base.root(classes);
        if !unlabelled.shows && !unlabelled.required {
            return Some(Withheld::Policy);
        }
        if self.facts.implicit_rules && !chosen.pass {
            return Some(Withheld::ImplicitRules);
        }
        if self.facts.modifier_extension && !chosen.pass {
            return Some(Withheld::ModifierExtension);
        }
        if chosen.shows && emitted {
            return None;
        }
        if chosen.required || chosen.shows || unlabelled.required {
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
    pub(super) fn open_resource(&mut self, chosen: Chosen, resource_type: TypeId) -> Option<usize> {
        self.out.push(b'{');
        if chosen.pass {
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
        let parts: [&[u8]; 3] = [
            b",\"meta\":{",
            &self.meta,
            br#""security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"REDACTED"}],"tag":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}]}"#,
        ];
        let (end, added) = (self.out.len(), parts.iter().map(|part| part.len()).sum::<usize>());
        self.out.resize(end + added, 0);
        self.out.copy_within(at..end, at + added);
        let mut to = at;
        for part in parts {
            if let Some(place) = self.out.get_mut(to..to + part.len()) {
                place.copy_from_slice(part);
            }
            to += part.len();
        }
    }

    pub(super) fn id_of(&self, start: usize) -> Option<String> {
        let ahead = self.scan.fork(start);
        let [at] = ahead.find([b"id"]).ok()?;
        let id = ahead.plain_string_at(at)?;
        std::str::from_utf8(id).ok().map(str::to_owned)
    }

    /// `meta`: labels of the resource, and what of it shows.
    pub(super) fn meta_member(&mut self, plan: &TypePlan, node: &Node, state: &mut Members<'b>) -> Scanned<()> {
        let start = self.scan.at;
        self.scan.at_object()?;
        let annotation = self.annotation();
        let meta = crate::meta::read(&mut self.scan, annotation)?;
        self.facts.segments = self.facts.segments.union(meta.segments);
        if node.pass {
            let end = self.scan.at;
            self.scan.at = start;
            self.write_key(state, b"meta");
            self.raw()?;
            debug_assert_eq!(self.scan.at, end);
            return Ok(());
        }
        if self.contained.current.is_none() {
            self.meta.clear();
            meta.write(plan.shows_changes, &mut self.meta);
        }
        Ok(())
    }
}

fn malformed(fault: Fault) -> Withheld {
    Withheld::Malformed(MalformedAt(fault))
}
