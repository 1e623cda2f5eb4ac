//! Whether a caller may search by a parameter (docs/search.md, 5): what it reads must be whole or gone, under every class
//! and label with which a resource of the type can show, and show at least once. It is a matter of policy alone.
//!
//! Then whoever matches on its projection matches upstream as well, so that a search upstream leaves nothing out, and the
//! criterion that is evaluated again on the projections tells nothing but of them.

use super::reads::{Path, Reads, Step};
use crate::annotation::{Annotation, MaskFunction, Place};
use crate::dictionary::{TypeId, dictionary};
use crate::plan::{Act, Kind, Node, TypePlan, Visibility};
use crate::project::Projection;
use scruple_core::{SEGMENTS_MAX, SegmentId, SegmentLimit, SegmentSet};

/// Levels of data types that are looked into.
const DEPTH_MAX: usize = 6;

/// Why a caller may not search so: a matter of policy alone.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("parameter `{parameter}` reads what does not show in full")]
pub struct NotPermitted {
    /// The parameter.
    pub parameter: &'static str,
}

/// What a path leaves of the values at its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Left {
    /// Nothing of them.
    Gone,
    /// Each whole.
    Whole,
    /// Each whole, or gone.
    Partly,
    /// A value may be changed: it must not be searched by.
    Changed,
}

impl Left {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Changed, _) | (_, Self::Changed) => Self::Changed,
            (one, other) if one == other => one,
            _ => Self::Partly,
        }
    }

    /// What is left of all of these; of none, nothing.
    fn of_all(all: impl Iterator<Item = Self>) -> Self {
        all.reduce(Self::and).unwrap_or(Self::Gone)
    }
}

/// Whether a type is one of records: Bundle, Parameters and the like carry others.
#[must_use]
pub fn is_stored(annotation: &Annotation, resource_type: TypeId) -> bool {
    let home = annotation.homes.get(dictionary().get(resource_type).name);
    home.is_some_and(|home| matches!(home, Place::Category(_) | Place::Class))
}

impl Projection {
    /// Whether resources of a type can show at all under this decision: a matter of policy alone.
    #[must_use]
    pub fn may_show(&self, resource_type: TypeId) -> bool {
        is_stored(self.annotation(), resource_type)
            && self.visibility(resource_type) != Visibility::Hidden
            && !self.plan(SegmentSet::EMPTY, resource_type).hidden
    }

    /// Whether the caller may search by a parameter. The answer is the same for all its values. `whole`: it must be whole under
    /// every class and label, for a search that is met by what is not there.
    ///
    /// # Errors
    /// The parameter reads what may be changed, or never shows.
    pub fn permits(&self, resource_type: TypeId, reads: &Reads, whole: bool) -> Result<(), NotPermitted> {
        // What a caller sees of an address is made for him (docs/view.md, 8).
        let is_address = |step: &Step| step.key == "url" && dictionary().get(step.object).name == "Attachment";
        if reads.paths.iter().filter_map(|path| path.steps.last()).flatten().any(is_address) {
            return Err(NotPermitted { parameter: reads.name() });
        }
        // The labels that narrow a resource without hiding it all narrow it alike: to codes.
        let coded = (0..SEGMENTS_MAX).filter_map(|index| u8::try_from(index).ok()).map(SegmentId);
        let coded = coded.into_iter().find(|segment| self.table().limit(*segment) == SegmentLimit::Coded);
        let labels = [Some(SegmentSet::EMPTY), coded.map(|segment| SegmentSet::EMPTY.with(segment))];
        let mut left = Vec::new();
        for segments in labels.into_iter().flatten() {
            let plan = self.plan(segments, resource_type);
            for root in plan.shown_roots() {
                left.extend(reads.paths.iter().map(|path| part(&plan, root, path, 0)));
            }
        }
        match Left::of_all(left.into_iter()) {
            Left::Whole => Ok(()),
            Left::Partly if !whole => Ok(()),
            _ => Err(NotPermitted { parameter: reads.name() }),
        }
    }
}

fn part(plan: &TypePlan, node: u16, path: &Path, depth: usize) -> Left {
    let Some(node) = plan.nodes.get(usize::from(node)) else { return Left::Changed };
    if node.pass {
        return Left::Whole;
    }
    let Some(steps) = path.steps.get(depth).filter(|_| !node.closed) else { return Left::Gone };
    let steps = steps.iter().filter(|step| step.object == node.object);
    if path.steps.len() == 2 && steps.clone().any(|step| step.key == "meta") {
        // `meta` is written anew: of what a parameter reads in it, versions and times of change.
        return if plan.shows_changes { Left::Whole } else { Left::Gone };
    }
    Left::of_all(steps.map(|step| act(plan, key_act(node, &step.key), step, path, depth)))
}

fn key_act(node: &Node, key: &str) -> Act {
    let object = dictionary().get(node.object);
    if key == "id" && object.is_resource {
        return Act::Copy;
    }
    let op = object.key_of(key).and_then(|index| node.ops.get(usize::from(index)));
    op.map_or(Act::Drop, |op| op.act)
}

fn act(plan: &TypePlan, act: Act, step: &Step, path: &Path, depth: usize) -> Left {
    let is_last = depth + 1 == path.steps.len();
    match act {
        Act::Drop => Left::Gone,
        Act::Copy | Act::Formed(_) => Left::Whole,
        Act::Mask(function) => mask(function),
        Act::Object(node) if is_last => value(plan, node, step.type_name, 0),
        Act::Object(node) => part(plan, node, path, depth + 1),
        Act::Switch(switch) => {
            let Some(switch) = plan.switches.get(usize::from(switch)) else { return Left::Changed };
            let nodes = switch.cases.iter().map(|(_, _, _, node)| *node).chain([switch.default]);
            let each =
                |node| if is_last { value(plan, node, step.type_name, 0) } else { part(plan, node, path, depth + 1) };
            Left::of_all(nodes.map(each))
        }
        Act::Reference(table) => {
            let Some(table) = plan.references.get(usize::from(table)) else { return Left::Changed };
            if table.pass {
                return Left::Whole;
            }
            let resources = dictionary().resources();
            let is_read = |index: usize| {
                let name = resources.get(index).map(|id| dictionary().get(*id).name);
                let allowed =
                    table.allowed.is_empty() || resources.get(index).is_none_or(|id| table.allowed.contains(id));
                allowed && path.target.is_none_or(|target| name.is_none_or(|name| name == target))
            };
            let cases = table.cases.iter().enumerate();
            let read = cases.filter(|(index, _)| is_read(*index)).map(|(_, (node, visibility))| match visibility {
                Visibility::Hidden => Left::Gone,
                // Where the target does not show, the reference is gone.
                Visibility::Ask => value(plan, *node, "Reference", 0).and(Left::Gone),
                _ => value(plan, *node, "Reference", 0),
            });
            Left::of_all(read)
        }
        Act::Extensions(_)
        | Act::ModifierExtension(_)
        | Act::ImplicitRules(_)
        | Act::Contained
        | Act::Resource
        | Act::Meta
        | Act::Bundle(_)
        | Act::Literal { .. } => Left::Changed,
    }
}

const fn mask(function: MaskFunction) -> Left {
    match function {
        MaskFunction::Keep | MaskFunction::Code => Left::Whole,
        MaskFunction::Withhold => Left::Gone,
        // What decides of each part of them stands in a node, not here.
        MaskFunction::Into | MaskFunction::Coding | MaskFunction::Listed(_) => Left::Changed,
        MaskFunction::Year
        | MaskFunction::Age
        | MaskFunction::Zip3
        | MaskFunction::Last4
        | MaskFunction::Token
        | MaskFunction::Shape => Left::Changed,
    }
}

/// A value of a data type: what its parts leave.
fn value(plan: &TypePlan, node: u16, type_name: &str, depth: usize) -> Left {
    let Some(node) = plan.nodes.get(usize::from(node)).filter(|_| depth < DEPTH_MAX) else { return Left::Changed };
    if node.pass {
        return Left::Whole;
    }
    if node.closed {
        return Left::Gone;
    }
    let of = |key: &str| match key_act(node, key) {
        Act::Literal { token: true, .. } => Left::Changed,
        Act::Literal { token: false, .. } => Left::Whole,
        Act::Copy | Act::Formed(_) => Left::Whole,
        Act::Mask(function) => mask(function),
        Act::Object(inner) => value(plan, inner, "", depth + 1),
        Act::Drop | Act::Extensions(_) => Left::Gone,
        _ => Left::Changed,
    };
    // A code without its system, an end without its start, mean something else.
    let together = |first: &str, second: &str| match (of(first), of(second)) {
        (Left::Whole, Left::Whole) => Left::Whole,
        (Left::Gone, Left::Gone) => Left::Gone,
        _ => Left::Changed,
    };
    let any = |keys: &[&str]| Left::of_all(keys.iter().map(|key| of(key)));
    match type_name {
        "Coding" if matches!(node.kind, Kind::Coding { check: Some(_), .. }) => Left::Whole,
        "Coding" => together("system", "code"),
        "Identifier" | "ContactPoint" => together("system", "value"),
        "CodeableConcept" => match key_act(node, "coding") {
            Act::Object(inner) => value(plan, inner, "Coding", depth + 1),
            Act::Drop => Left::Gone,
            _ => Left::Changed,
        },
        "Period" => together("start", "end"),
        "Timing" => any(&["event"]),
        "HumanName" => any(&["text", "family", "given", "prefix", "suffix"]),
        "Address" => any(&["text", "line", "city", "district", "state", "postalCode", "country"]),
        "Reference" => any(&["reference"]),
        // A number without its unit, or as if it were exact, means something else.
        "Quantity" | "Age" | "Duration" | "Count" | "Distance" | "SimpleQuantity" => {
            let all = ["value", "comparator", "unit", "system", "code"].map(of);
            if all.iter().all(|part| *part == Left::Whole) {
                Left::Whole
            } else if all.iter().all(|part| *part == Left::Gone) {
                Left::Gone
            } else {
                Left::Changed
            }
        }
        "Money" => together("value", "currency"),
        _ => Left::Changed,
    }
}
