//! Contained resources: each by its own type, and none that nobody refers to.

use super::*;

impl Pass<'_, '_> {
    /// The items of `contained`; `start` is where the array begins in the output.
    pub(super) fn contained_items(&mut self, start: usize) -> Scanned<bool> {
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

    pub(super) fn contained_item(&mut self) -> Scanned<bool> {
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
}

impl<'b> ContainedState<'b> {
    pub(super) fn begin(&mut self) {
        self.shown.clear();
        self.references.clear();
        self.count = 0;
        self.current = None;
    }

    /// After a round: drops what nobody refers to. True if another round is needed.
    pub(super) fn unsettled(&mut self) -> bool {
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
