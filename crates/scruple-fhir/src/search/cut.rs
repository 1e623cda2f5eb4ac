//! `_elements` and `_summary` (docs/search.md, 4): what they leave of a resource that shows.

use crate::about::each_literal;
use crate::dictionary::{Element, TypeId, dictionary};
use crate::json::Scanner;

/// What is left of each match.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Cut {
    /// All of it.
    #[default]
    Nothing,
    /// These top-level elements, and what must stand.
    Elements(Vec<&'static str>),
    /// The narrative, and what must stand.
    Text,
    /// All but the narrative.
    Data,
}

/// The tag of what is not whole (FHIR R4, search, "elements").
const SUBSETTED: &[u8] =
    br#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}"#;

const SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";

#[derive(serde::Deserialize)]
struct Tag {
    system: Option<String>,
    code: Option<String>,
}

impl Cut {
    /// The element of that name at the top of a type: `value` names `value[x]`.
    pub(super) fn element(resource_type: TypeId, name: &str) -> Option<&'static str> {
        let elements = &dictionary().get(resource_type).elements;
        elements.iter().map(|element| element.name).find(|known| known.trim_end_matches("[x]") == name)
    }

    fn keeps(&self, element: &Element) -> bool {
        let must = || matches!(element.name, "id" | "meta") || element.required || element.modifier;
        match self {
            Self::Nothing => true,
            Self::Elements(names) => must() || names.contains(&element.name),
            Self::Text => must() || element.name == "text",
            Self::Data => element.name != "text",
        }
    }

    /// Cuts a resource that is well formed: a projection. None if it is not.
    #[must_use]
    pub fn of(&self, resource_type: TypeId, bytes: Vec<u8>) -> Option<Vec<u8>> {
        if *self == Self::Nothing {
            return Some(bytes);
        }
        let object = dictionary().get(resource_type);
        let mut kept: Vec<(&[u8], &[u8])> = Vec::new();
        let mut contained = None;
        each_member(&bytes, |key, value| {
            let known = object.key(key).and_then(|index| object.keys.get(usize::from(index)));
            let element = known.and_then(|known| object.elements.get(usize::from(known.element)));
            if key == b"resourceType" || element.is_some_and(|element| self.keeps(element)) {
                kept.push((key, value));
            } else if key == b"contained" {
                contained = Some((kept.len(), (key, value)));
            }
        })?;
        // What something refers to that is left stays with it.
        if let Some((place, member)) = contained.filter(|_| kept.iter().any(|(_, value)| refers_inside(value))) {
            kept.insert(place, member);
        }
        if !kept.iter().any(|(key, _)| *key == b"meta") {
            let behind = kept.iter().position(|(key, _)| *key == b"resourceType").map_or(0, |at| at + 1);
            kept.insert(behind, (b"meta", b"{}"));
        }
        let mut out = Vec::with_capacity(bytes.len().min(4_096));
        out.push(b'{');
        for (key, value) in kept {
            member(&mut out, key);
            if key == b"meta" {
                mark(value, &mut out);
            } else {
                out.extend_from_slice(value);
            }
        }
        out.push(b'}');
        Some(out)
    }
}

/// Whether a value refers to a contained resource.
fn refers_inside(value: &[u8]) -> bool {
    let mut inside = false;
    each_literal(&Scanner::new(value), &mut |text| inside |= text.starts_with('#'));
    inside
}

/// A projection without its `meta`, to compare what two versions say.
#[must_use]
pub fn without_meta(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![b'{'];
    let whole = each_member(bytes, |key, value| {
        if key != b"meta" {
            member(&mut out, key);
            out.extend_from_slice(value);
        }
    });
    if whole.is_some() { out } else { bytes.to_vec() }
}

/// Writes `meta` with the tag in it.
fn mark(meta: &[u8], out: &mut Vec<u8>) {
    out.push(b'{');
    let mut marked = false;
    let _ = each_member(meta, |key, value| {
        member(out, key);
        let tags: Vec<Tag> = if key == b"tag" { serde_json::from_slice(value).unwrap_or_default() } else { Vec::new() };
        let has_it =
            tags.iter().any(|tag| (tag.system.as_deref(), tag.code.as_deref()) == (Some(SYSTEM), Some("SUBSETTED")));
        match value.strip_suffix(b"]") {
            Some(tags) if key == b"tag" && !has_it => {
                out.extend_from_slice(tags);
                if tags.len() > 1 {
                    out.push(b',');
                }
                out.extend_from_slice(SUBSETTED);
                out.push(b']');
            }
            _ => out.extend_from_slice(value),
        }
        marked |= key == b"tag";
    });
    if !marked {
        member(out, b"tag");
        out.push(b'[');
        out.extend_from_slice(SUBSETTED);
        out.push(b']');
    }
    out.push(b'}');
}

fn member(out: &mut Vec<u8>, key: &[u8]) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(key);
    out.extend_from_slice(b"\":");
}

/// Calls `each` with key and value of each member, white space around them apart.
fn each_member<'a>(bytes: &'a [u8], mut each: impl FnMut(&'a [u8], &'a [u8])) -> Option<()> {
    let mut scan = Scanner::new(bytes);
    if scan.peek() != b'{' {
        return None;
    }
    let mut more = scan.open(b'}').ok()?;
    while more {
        let key = scan.key().ok()?;
        scan.peek();
        let from = scan.at;
        scan.skip().ok()?;
        each(key, bytes.get(from..scan.at)?);
        more = scan.more(b'}').ok()?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_stand_stands_and_what_is_cut_is_tagged() {
        let patient = r#"{"resourceType":"Patient","id":"p","meta":{"tag":[{"code":"a"}]},"text":{"status":"empty"},"active":true,"gender":"female","_gender":{"id":"1"},"deceasedBoolean":true,"birthDate":"1980"}"#;
        let check = |cut: Cut, resource: &str, expected: &str| {
            let kind = dictionary().resource(resource.split('"').nth(3).unwrap()).unwrap();
            let out = cut.of(kind, resource.as_bytes().to_vec()).unwrap();
            assert_eq!(
                String::from_utf8(out).unwrap(),
                expected.replace("SUB", std::str::from_utf8(SUBSETTED).unwrap())
            );
        };
        let head = r#"{"resourceType":"Patient","id":"p","meta":{"tag":[{"code":"a"},SUB]}"#;
        check(
            Cut::Elements(vec!["gender"]),
            patient,
            &format!(r#"{head},"active":true,"gender":"female","_gender":{{"id":"1"}},"deceasedBoolean":true}}"#),
        );
        check(
            Cut::Text,
            patient,
            &format!(r#"{head},"text":{{"status":"empty"}},"active":true,"deceasedBoolean":true}}"#),
        );
        check(
            Cut::Data,
            patient,
            &format!(
                r#"{head},"active":true,"gender":"female","_gender":{{"id":"1"}},"deceasedBoolean":true,"birthDate":"1980"}}"#
            ),
        );
        check(
            Cut::Elements(Vec::new()),
            r#"{"resourceType":"Observation","status":"final","code":{},"valueString":"x"}"#,
            r#"{"resourceType":"Observation","meta":{"tag":[SUB]},"status":"final","code":{}}"#,
        );
        let holds = r##"{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o"}],"managingOrganization":{"reference":"#o"}}"##;
        check(Cut::Elements(vec!["gender"]), holds, r#"{"resourceType":"Patient","meta":{"tag":[SUB]}}"#);
        check(
            Cut::Elements(vec!["managingOrganization"]),
            holds,
            r##"{"resourceType":"Patient","meta":{"tag":[SUB]},"contained":[{"resourceType":"Organization","id":"o"}],"managingOrganization":{"reference":"#o"}}"##,
        );
        check(
            Cut::Data,
            r#"{"resourceType":"Patient","meta":{"versionId":"1","tag":[]}}"#,
            r#"{"resourceType":"Patient","meta":{"versionId":"1","tag":[SUB]}}"#,
        );
        assert_eq!(Cut::element(dictionary().resource("Observation").unwrap(), "value"), Some("value[x]"));
        assert_eq!(Cut::element(dictionary().resource("Observation").unwrap(), "values"), None);
    }
}
