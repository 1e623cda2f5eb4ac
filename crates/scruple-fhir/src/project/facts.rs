//! What codes tell: the facts of a resource, and which code system a Coding is of.

use super::*;

impl<'b> Pass<'_, 'b> {
    pub(super) fn coding_fits(&self, function: MaskFunction, state: &Members<'b>) -> bool {
        let (Some(system), Some(code)) = (self.scan.plain(state.system), self.scan.plain(state.code)) else {
            return false;
        };
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
                let (system, code) = (self.scan.plain(state.system), self.scan.plain(state.code));
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
            Kind::CodeableConcept { collect, text, coding } if state.saw(text) && !state.saw(coding) => {
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
}

/// System and code of each Coding in the CodeableConcept, or of the Coding, that begins at `at`.
pub(super) fn codings_at<'b>(scan: &Scanner<'b>, at: usize) -> Vec<(&'b [u8], &'b [u8])> {
    let one = |at: usize| {
        let coding = scan.fork(at);
        let [system, code] = coding.find([b"system", b"code"]).ok()?;
        Some((coding.plain_string_at(system)?, coding.plain_string_at(code)?))
    };
    let concept = scan.fork(at);
    let Ok([Some(list)]) = concept.find([b"coding"]) else { return one(at).into_iter().collect() };
    let mut found = Vec::new();
    let mut items = scan.fork(list);
    if items.open_array().is_err() {
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
