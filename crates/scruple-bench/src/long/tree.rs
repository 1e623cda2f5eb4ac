//! Mutations of a JSON tree that know JSON and FHIR: keys twice, other types, extensions beside primitives, containers.

use crate::json::Node;
use crate::long::Draw;

const SCALARS: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1.50",
    "1e5",
    "-1.0E-3",
    "123456789012345678901234567890",
    "1e999",
    "\"\"",
    "\" \"",
    "\"2001-02-03\"",
    "\"2001\"",
    "\"1899-12-31T23:59:60Z\"",
    "\"0000-00-00\"",
    "\"99999\"",
    "\"\\u0041\"",
    "\"\\ud83d\\ude00\"",
    "\"#a\"",
    "\"#\"",
    "\"Patient/1\"",
    "\"urn:uuid:1\"",
    "\"http://loinc.org\"",
    "\"Patient?identifier=a|b\"",
    "\"<div xmlns=\\\"http://www.w3.org/1999/xhtml\\\">x</div>\"",
    "\"http://hl7.org/fhir/StructureDefinition/data-absent-reason\"",
    "\"masked\"",
    "\"R\"",
    "\"PSY\"",
    "\"HIV\"",
    "{}",
    "[]",
];

impl Node {
    fn nodes(&self) -> usize {
        1 + match self {
            Self::Object(members) => members.iter().map(|(_, value)| value.nodes()).sum(),
            Self::Array(items) => items.iter().map(Self::nodes).sum(),
            Self::Scalar(_) => 0,
        }
    }

    /// The node with this number, counted from the top.
    fn nth(&mut self, number: &mut usize) -> Option<&mut Self> {
        if *number == 0 {
            return Some(self);
        }
        *number -= 1;
        match self {
            Self::Object(members) => members.iter_mut().find_map(|(_, value)| value.nth(number)),
            Self::Array(items) => items.iter_mut().find_map(|item| item.nth(number)),
            Self::Scalar(_) => None,
        }
    }

    /// Some node in it.
    fn any<'a>(&'a mut self, draw: &mut Draw<'_>) -> Option<&'a mut Self> {
        let mut number = draw.below(self.nodes());
        self.nth(&mut number)
    }

    /// A copy of some part of it.
    fn part(&mut self, draw: &mut Draw<'_>) -> Self {
        self.any(draw).map_or_else(|| scalar("null"), |part| part.clone())
    }

    /// Some object in it, or itself.
    fn any_object<'a>(&'a mut self, draw: &mut Draw<'_>) -> Option<&'a mut Vec<(String, Self)>> {
        for _ in 0..8 {
            let number = draw.below(self.nodes());
            let mut probe = number;
            if matches!(self.nth(&mut probe), Some(Self::Object(_))) {
                let mut number = number;
                return match self.nth(&mut number) {
                    Some(Self::Object(members)) => Some(members),
                    _ => None,
                };
            }
        }
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }
}

fn scalar(text: &str) -> Node {
    Node::Scalar(text.to_owned())
}

fn object(members: &[(&str, Node)]) -> Node {
    Node::Object(members.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
}

/// Changes a tree in one to four places; `other` is a tree to take parts of, `keys` are keys of the dictionary.
pub fn mutate(draw: &mut Draw<'_>, tree: &mut Node, other: &mut Node, keys: &[String]) {
    for _ in 0..=draw.below(4) {
        step(draw, tree, other, keys);
    }
}

fn step(draw: &mut Draw<'_>, tree: &mut Node, other: &mut Node, keys: &[String]) {
    match draw.below(17) {
        // A value of another type.
        0 | 1 => {
            let chosen: &str = draw.pick::<&str>(SCALARS);
            let scalar = Node::parse(chosen).unwrap_or(Node::Array(Vec::new()));
            put(draw, tree, |_| scalar);
        }
        2 => put(draw, tree, |node| Node::Array(vec![node])),
        3 => {
            let part = other.part(draw);
            put(draw, tree, |_| part);
        }
        // Keys: doubled, taken away, moved, renamed, escaped, added.
        4 => with_member(draw, tree, |draw, members, at| {
            let Some(member) = members.get(at).cloned() else { return };
            members.insert(draw.below(members.len() + 1), member);
        }),
        5 => with_member(draw, tree, |_, members, at| drop(members.remove(at))),
        6 => with_member(draw, tree, |draw, members, at| {
            let to = draw.below(members.len());
            members.swap(at, to);
        }),
        7 | 8 => with_member(draw, tree, |draw, members, at| {
            let new = draw.pick(keys).clone();
            if let Some((key, _)) = members.get_mut(at) {
                *key = new;
            }
        }),
        9 => with_member(draw, tree, |_, members, at| {
            if let Some((key, _)) = members.get_mut(at)
                && let Some(first) = key.chars().next()
            {
                *key = format!("\\u{:04x}{}", u32::from(first), key.get(first.len_utf8()..).unwrap_or_default());
            }
        }),
        10 => {
            let part = other.part(draw);
            let key = draw.pick(keys).clone();
            if let Some(members) = tree.any_object(draw) {
                members.push((key, part));
            }
        }
        // Primitive extensions and arrays with holes.
        11 => with_member(draw, tree, |draw, members, at| {
            let Some((key, value)) = members.get_mut(at) else { return };
            let element = extension(draw);
            let beside = match value {
                Node::Array(items) if draw.below(3) > 0 => {
                    if draw.once_in(2) {
                        items.push(scalar("null"));
                    }
                    let null_or = |draw: &mut Draw<'_>| if draw.once_in(2) { scalar("null") } else { element.clone() };
                    Node::Array((0..items.len() + draw.below(2)).map(|_| null_or(draw)).collect())
                }
                _ => element,
            };
            let beside = (format!("_{key}"), beside);
            members.insert(draw.below(members.len() + 1), beside);
        }),
        12 => {
            let chosen: &str = draw.pick::<&str>(SCALARS);
            let item = Node::parse(chosen).unwrap_or(Node::Array(Vec::new()));
            if let Some(Node::Array(items)) = tree.any(draw) {
                let at = draw.below(items.len() + 1);
                items.insert(at, item);
            }
        }
        // What FHIR nests.
        13 => {
            let inner = other.clone();
            if let Node::Object(members) = tree {
                let id = *draw.pick(&["\"a\"", "\"b\"", "\"#\"", "\"\""]);
                let mut inner = inner;
                if let Node::Object(own) = &mut inner {
                    own.retain(|(key, _)| key != "id");
                    own.push(("id".to_owned(), scalar(id)));
                }
                match members.iter_mut().find(|(key, _)| key == "contained") {
                    Some((_, Node::Array(items))) => items.push(inner),
                    _ => members.push(("contained".to_owned(), Node::Array(vec![inner]))),
                }
                let reference = *draw.pick(&["\"#a\"", "\"#b\"", "\"#\""]);
                let reference = object(&[("reference", scalar(reference))]);
                members.push((
                    draw.pick(&["subject", "encounter", "patient", "performer", "author"]).to_string(),
                    reference,
                ));
            }
        }
        14 => {
            let (levels, objects) = (draw.below(90), draw.once_in(2));
            let nest = |inner| if objects { object(&[("extension", inner)]) } else { Node::Array(vec![inner]) };
            put(draw, tree, |node| (0..levels).fold(node, |inner, _| nest(inner)));
        }
        15 => {
            let key = *draw.pick(&["extension", "modifierExtension", "implicitRules", "text", "meta", "language"]);
            let value = match key {
                "implicitRules" | "language" => scalar("\"http://a.example/x\""),
                "meta" => meta(draw),
                "text" => object(&[("status", scalar("\"generated\"")), ("div", scalar("\"<div>x</div>\""))]),
                _ => Node::Array(vec![object(&[
                    ("url", scalar("\"http://a.example/x\"")),
                    ("valueString", scalar("\"x\"")),
                ])]),
            };
            if let Some(members) = tree.any_object(draw) {
                members.push((key.to_owned(), value));
            }
        }
        _ => *tree = wrap(draw, tree.clone(), other.clone()),
    }
}

/// Puts something made of a node in its place.
fn put(draw: &mut Draw<'_>, tree: &mut Node, make: impl FnOnce(Node) -> Node) {
    if let Some(node) = tree.any(draw) {
        let old = std::mem::replace(node, Node::Array(Vec::new()));
        *node = make(old);
    }
}

fn with_member(
    draw: &mut Draw<'_>,
    tree: &mut Node,
    change: impl FnOnce(&mut Draw<'_>, &mut Vec<(String, Node)>, usize),
) {
    if let Some(members) = tree.any_object(draw)
        && !members.is_empty()
    {
        let at = draw.below(members.len());
        change(draw, members, at);
    }
}

fn extension(draw: &mut Draw<'_>) -> Node {
    let url = *draw.pick(&[
        "\"http://hl7.org/fhir/StructureDefinition/data-absent-reason\"",
        "\"http://a.example/x\"",
        "\"\"",
    ]);
    let extension = object(&[("url", scalar(url)), ("valueCode", scalar("\"unknown\""))]);
    object(&[("id", scalar("\"e\"")), ("extension", Node::Array(vec![extension]))])
}

fn meta(draw: &mut Draw<'_>) -> Node {
    let code = *draw.pick(&[
        "\"R\"",
        "\"V\"",
        "\"PSY\"",
        "\"HIV\"",
        "\"ETH\"",
        "\"SUBSETTED\"",
        "\"REDACTED\"",
        "\"nothing\"",
    ]);
    let system = *draw.pick(&[
        "\"http://terminology.hl7.org/CodeSystem/v3-Confidentiality\"",
        "\"http://terminology.hl7.org/CodeSystem/v3-ActCode\"",
        "\"http://terminology.hl7.org/CodeSystem/v3-ObservationValue\"",
    ]);
    let coding = object(&[("system", scalar(system)), ("code", scalar(code))]);
    object(&[("security", Node::Array(vec![coding])), ("versionId", scalar("\"1\""))])
}

/// Puts resources into a container.
fn wrap(draw: &mut Draw<'_>, one: Node, two: Node) -> Node {
    let entry = |url: &str, resource: Node| object(&[("fullUrl", scalar(url)), ("resource", resource)]);
    match draw.below(3) {
        0 => {
            let kind = *draw.pick(&[
                "\"collection\"",
                "\"document\"",
                "\"message\"",
                "\"transaction\"",
                "\"searchset\"",
                "\"x\"",
            ]);
            let entries = Node::Array(vec![entry("\"urn:uuid:1\"", one), entry("\"http://a.example/Patient/1\"", two)]);
            object(&[("resourceType", scalar("\"Bundle\"")), ("type", scalar(kind)), ("entry", entries)])
        }
        1 => {
            let parameter = |resource| object(&[("name", scalar("\"return\"")), ("resource", resource)]);
            let all = Node::Array(vec![
                parameter(one),
                object(&[("name", scalar("\"a\"")), ("part", Node::Array(vec![parameter(two)]))]),
            ]);
            object(&[("resourceType", scalar("\"Parameters\"")), ("parameter", all)])
        }
        _ => entry("\"urn:uuid:1\"", one),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::long::case_rng;

    #[test]
    fn mutations_end_and_change_something() {
        let first = Node::parse(r#"{"resourceType":"Patient","name":[{"given":["a","b"]}]}"#).unwrap();
        let keys = ["given".to_owned(), "valueString".to_owned()];
        let mut changed = 0;
        for number in 0..500 {
            let mut tree = first.clone();
            mutate(&mut Draw(&mut case_rng(3, number)), &mut tree, &mut first.clone(), &keys);
            changed += usize::from(tree != first);
        }
        assert!(changed > 400, "{changed}");
    }
}
