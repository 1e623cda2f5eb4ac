//! Section 3: markers for what must stand and does not show.

use super::facts::Facts;
use super::json::Value;
use super::model::{json_name, key, object_of};
use super::object::{Closed, Shown, is_own_rule};
use super::place::Here;
use super::{MARKER, Slow, View};
use scruple_fhir::{Element, ObjectType, Target};
use std::collections::BTreeSet;
use std::sync::LazyLock;

impl Slow<'_> {
    /// Markers for what is required and does not show, then for what constraints ask for.
    pub(super) fn complete(&self, here: &Here, facts: &Facts, value: &Value, shown: &mut Shown) -> Result<(), Closed> {
        let mut standing = shown.elements.clone();
        for (place, element) in here.object.elements.iter().enumerate() {
            let stands = || {
                value
                    .members()
                    .iter()
                    .any(|member| key(here.object, &member.key).is_some_and(|key| key.element == place))
            };
            if element.modifier && !is_own_rule(here.object, element.name) && !standing.contains(&place) && stands() {
                return Err(Closed);
            }
            if !element.required || standing.contains(&place) {
                continue;
            }
            let instant = element.type_names.first() == Some(&"instant");
            let masked = matches!(self.seen(here, element, 0, None, facts).view, View::Mask(_));
            let forbidden = element.modifier
                || here.object.name == "Extension" && element.name == "url"
                || element.name == "div"
                || instant && masked;
            if forbidden {
                return Err(Closed);
            }
            shown.members.push(marker(element).ok_or(Closed)?);
            standing.insert(place);
        }
        let left_shows = |name: &str| match name {
            "*" => true,
            name => here
                .object
                .elements
                .iter()
                .position(|element| element.name == name)
                .is_some_and(|place| shown.elements.contains(&place)),
        };
        let mut markers = Vec::new();
        for constraint in CONSTRAINTS.iter().filter(|constraint| constraint.on == here.object.name) {
            if constraint.left.iter().any(|name| left_shows(name)) {
                markers.extend(constraint.asked_marker(here.object, &mut standing));
            }
        }
        shown.members.extend(markers);
        Ok(())
    }
}

/// The key and text of the marker of an element; `None` where it cannot be marked.
pub(super) fn marker(element: &Element) -> Option<(String, String)> {
    let target = element.targets.first()?;
    let name = json_name(element, 0);
    let (key, text) = match target {
        Target::Primitive(_) => (format!("_{name}"), MARKER.to_owned()),
        Target::Resource => return None,
        other => {
            let object = object_of(other)?;
            (
                name,
                if object.is_in_resource() || object.elements.iter().any(|element| element.required) {
                    part_marker(object)?
                } else {
                    MARKER.to_owned()
                },
            )
        }
    };
    Some((key, if element.many { format!("[{text}]") } else { text }))
}

/// A part with its required children marked, and what its constraints ask of any part.
fn part_marker(object: &'static ObjectType) -> Option<String> {
    let mut members = Vec::new();
    let mut standing = BTreeSet::new();
    for (place, element) in object.elements.iter().enumerate().filter(|(_, element)| element.required) {
        if element.modifier {
            return None;
        }
        members.push(marker(element)?);
        standing.insert(place);
    }
    for constraint in
        CONSTRAINTS.iter().filter(|constraint| constraint.on == object.name && constraint.left.contains(&"*"))
    {
        members.extend(constraint.asked_marker(object, &mut standing));
    }
    if members.is_empty() {
        return Some(MARKER.to_owned());
    }
    Some(Shown { members, elements: standing, closed: false }.print())
}

/// A line of `invariants.txt`.
struct Constraint {
    on: &'static str,
    left: Vec<&'static str>,
    right: Vec<&'static str>,
}

impl Constraint {
    /// The marker of the first right one, where none of the right ones stands.
    fn asked_marker(&self, object: &'static ObjectType, standing: &mut BTreeSet<usize>) -> Option<(String, String)> {
        let places: Vec<usize> = self
            .right
            .iter()
            .filter_map(|name| object.elements.iter().position(|element| element.name == *name))
            .collect();
        if places.iter().any(|place| standing.contains(place)) {
            return None;
        }
        let first = *places.first()?;
        standing.insert(first);
        marker(&object.elements[first])
    }
}

static CONSTRAINTS: LazyLock<Vec<Constraint>> = LazyLock::new(|| {
    include_str!("../../../scruple-fhir/src/dictionary/invariants.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let (head, sides) = line.split_once(" : ")?;
            let (left, right) = sides.split_once(" > ")?;
            let on = head.split_whitespace().next()?;
            Some(Constraint { on, left: left.split_whitespace().collect(), right: right.split_whitespace().collect() })
        })
        .collect()
});
