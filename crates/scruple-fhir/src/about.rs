//! Whom a resource is about, and from which resources it inherits labels (docs/view.md, 1 and 3).

use crate::annotation::Annotation;
use crate::dictionary::{TypeId, dictionary};
use crate::json::Scanner;
pub use crate::reference::named;
use crate::reference::{Literal, literal};
use scruple_core::SegmentSet;
use std::collections::BTreeMap;

/// Types whose resources are about no patient. Types of a category that is not PHI are too.
const SHARED: [&str; 13] = [
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "OrganizationAffiliation",
    "Location",
    "HealthcareService",
    "Endpoint",
    "Medication",
    "MedicationKnowledge",
    "Substance",
    "InsurancePlan",
    "Schedule",
    "Slot",
];

/// Whether resources of a type are about patients.
#[must_use]
pub fn is_bound(annotation: &Annotation, resource_type: TypeId) -> bool {
    let name = dictionary().get(resource_type).name;
    !SHARED.contains(&name) && !annotation.is_nobodys(name)
}

/// The patients of a resource.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Patients {
    /// Their ids, in order and each once.
    pub ids: Vec<String>,
    /// Somebody stands there too of whom nothing can be said.
    pub unknown: bool,
    /// The resource's own elements name one, or somebody of whom nothing can be said: not what it contains alone.
    pub names_one: bool,
}

/// Elements that say whom a resource is about, and in which type alone, if in one.
const ABOUT: [(&str, &[&str]); 10] = [
    ("", &["subject"]),
    ("", &["patient"]),
    ("", &["beneficiary"]),
    ("", &["individual"]),
    ("", &["for"]),
    ("", &["candidate"]),
    ("Appointment", &["participant", "actor"]),
    ("AppointmentResponse", &["actor"]),
    ("Group", &["member", "entity"]),
    ("Person", &["link", "target"]),
];

impl Patients {
    /// Adds those of one resource of a type, by its own elements.
    fn add(&mut self, scan: &Scanner<'_>, name: &str) {
        let mut unknown = false;
        for (_, steps) in ABOUT.iter().filter(|(only, _)| only.is_empty() || *only == name) {
            unknown |= !each_reference(scan, steps, &mut |named| match named {
                Named::Resource(b"Patient", id) => self.ids.push(id.to_owned()),
                Named::Resource(..) | Named::Nothing => {}
                Named::Contained | Named::Other => self.unknown = true,
            });
        }
        self.unknown |= unknown;
    }
}

/// The patients of a resource of a type, by its elements and those of what it contains.
#[must_use]
pub fn patients(resource_type: TypeId, id: &str, bytes: &[u8]) -> Patients {
    let name = dictionary().get(resource_type).name;
    let mut found = Patients::default();
    if name == "Patient" {
        found.ids.push(id.to_owned());
    }
    let scan = Scanner::new(bytes);
    found.add(&scan, name);
    found.names_one = found.unknown || !found.ids.is_empty();
    let whole = each_object(&scan, &["contained"], &mut |inner| match type_name(inner) {
        Some("Patient") | None => found.unknown = true,
        Some(name) => found.add(inner, name),
    });
    found.unknown |= !whole;
    found.ids.sort();
    found.ids.dedup();
    found
}

/// Whether a resource contains one of a type that is about patients.
#[must_use]
pub fn contains_bound(annotation: &Annotation, bytes: &[u8]) -> bool {
    let mut any = false;
    let whole = each_object(&Scanner::new(bytes), &["contained"], &mut |inner| {
        let kind = type_name(inner).and_then(|name| dictionary().resource(name));
        any |= kind.is_none_or(|kind| is_bound(annotation, kind));
    });
    any || !whole
}

fn type_name<'a>(scan: &Scanner<'a>) -> Option<&'a str> {
    let [at] = scan.find([b"resourceType"]).ok()?;
    std::str::from_utf8(scan.plain_string_at(at)?).ok()
}

/// A line of `inheritance.csv`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inheritance {
    /// The path as the pack writes it.
    pub element: String,
    /// The type that has the element; none: every type that has it.
    pub of: Option<String>,
    /// JSON keys from the resource to a Reference.
    pub steps: Vec<String>,
    /// What it passes on.
    pub passes: SegmentSet,
}

/// From which resources a resource inherits, and what.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Heritage {
    /// By type and id, what each passes on.
    pub from: BTreeMap<(String, String), SegmentSet>,
    /// What it has because nobody can tell what it refers to.
    pub unread: SegmentSet,
}

/// From which resources a resource inherits labels of `wanted`; its contained resources pass theirs through it.
#[must_use]
pub fn heritage(annotation: &Annotation, bytes: &[u8], wanted: SegmentSet) -> Heritage {
    let mut found = Heritage::default();
    let scan = Scanner::new(bytes);
    of_one(annotation, &scan, wanted, &mut found);
    let whole = each_object(&scan, &["contained"], &mut |inner| of_one(annotation, inner, wanted, &mut found));
    if !whole {
        found.unread = wanted;
    }
    found
}

fn of_one(annotation: &Annotation, scan: &Scanner<'_>, wanted: SegmentSet, found: &mut Heritage) {
    let name = scan.find([b"resourceType"]).ok().and_then(|[at]| scan.plain_string_at(at)).unwrap_or_default();
    let lines = annotation.inheritance.iter();
    for line in lines.filter(|line| line.of.as_ref().is_none_or(|only| only.as_bytes() == name)) {
        let passes = line.passes.intersect(wanted);
        if passes == SegmentSet::EMPTY {
            continue;
        }
        let steps: Vec<&str> = line.steps.iter().map(String::as_str).collect();
        let Heritage { from, unread } = found;
        let whole = each_reference(scan, &steps, &mut |named| match named {
            Named::Resource(kind, id) => {
                let kind = String::from_utf8_lossy(kind).into_owned();
                let known = from.entry((kind, id.to_owned())).or_default();
                *known = known.union(passes);
            }
            Named::Contained | Named::Nothing => {}
            Named::Other => *unread = unread.union(passes),
        });
        if !whole {
            *unread = unread.union(passes);
        }
    }
}

/// All literals of References anywhere in a resource, as type and id.
#[must_use]
pub fn literals(bytes: &[u8]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    each_literal(&Scanner::new(bytes), &mut |text| {
        found.extend(named(text).map(|(kind, id)| (kind.to_owned(), id.to_owned())));
    });
    found.sort();
    found.dedup();
    found
}

/// Calls `each` with the text of each `reference` in the value here, which is that of a projection: not nested without end.
pub(crate) fn each_literal(scan: &Scanner<'_>, each: &mut dyn FnMut(&str)) {
    let mut ahead = scan.fork(scan.at);
    match ahead.peek() {
        b'[' => {
            let _ = ahead.items(|item| {
                item.peek();
                each_literal(&item.fork(item.at), each);
                item.skip()
            });
        }
        b'{' => {
            let Ok(mut more) = ahead.open(b'}') else { return };
            while more {
                let Ok(key) = ahead.key() else { return };
                ahead.peek();
                let here = ahead.fork(ahead.at);
                if key == b"reference"
                    && let Some(text) =
                        here.plain_string_at(Some(here.at)).and_then(|text| std::str::from_utf8(text).ok())
                {
                    each(text);
                }
                each_literal(&here, each);
                if ahead.skip().is_err() {
                    return;
                }
                let Ok(next) = ahead.more(b'}') else { return };
                more = next;
            }
        }
        _ => {}
    }
}

/// What a Reference names.
enum Named<'a> {
    /// A resource of the server, by type and id.
    Resource(&'a [u8], &'a str),
    /// Another one inside the resource.
    Contained,
    /// Something that cannot be read here: an address elsewhere, a search, an identifier.
    Other,
    /// Nothing: words alone, or not even these.
    Nothing,
}

/// Calls `each` for every Reference behind these keys. False if what stands there cannot be read.
fn each_reference(scan: &Scanner<'_>, steps: &[&str], each: &mut dyn FnMut(Named<'_>)) -> bool {
    let mut readable = true;
    each_object(scan, steps, &mut |reference| {
        let Ok([text, identifier]) = reference.find([b"reference", b"identifier"]) else {
            readable = false;
            return;
        };
        each(match (text, reference.plain_string_at(text)) {
            (None, _) if identifier.is_some() => Named::Other,
            (None, _) => Named::Nothing,
            (Some(_), Some(text)) => match literal(text) {
                Literal::Relative { resource_type, id } => match std::str::from_utf8(id) {
                    Ok(id) => Named::Resource(resource_type, id),
                    Err(_) => Named::Other,
                },
                Literal::Contained(_) | Literal::Container => Named::Contained,
                _ => Named::Other,
            },
            (Some(_), None) => Named::Other,
        });
    }) && readable
}

/// Calls `each` for every object behind these keys, through arrays. False if what stands there cannot be read.
fn each_object(scan: &Scanner<'_>, steps: &[&str], each: &mut dyn FnMut(&Scanner<'_>)) -> bool {
    let mut ahead = scan.fork(scan.at);
    match ahead.peek() {
        b'[' => {
            let mut readable = true;
            let items = ahead.items(|item| {
                // FHIR has no arrays in arrays; however deep a sender nests them, they are not gone into.
                readable &= item.peek() != b'[' && each_object(&item.fork(item.at), steps, each);
                item.skip()
            });
            items.is_ok() && readable
        }
        b'{' => match steps.split_first() {
            None => {
                each(&ahead);
                true
            }
            Some((key, rest)) => match ahead.find([key.as_bytes()]) {
                Ok([Some(at)]) => each_object(&ahead.fork(at), rest, each),
                Ok([None]) => true,
                Err(_) => false,
            },
        },
        // A value of another kind: the resource is malformed, and is judged so elsewhere.
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patient_is_known_by_a_literal_alone() {
        let check = |resource: &str, expected: &[&str], unknown: bool| {
            let kind = dictionary().resource(resource.split('"').nth(3).unwrap()).unwrap();
            let found = patients(kind, "x", resource.as_bytes());
            assert_eq!(
                (found.ids.as_slice(), found.unknown),
                (expected.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>().as_slice(), unknown),
                "{resource}"
            );
        };
        check(r#"{"resourceType":"Patient","id":"x"}"#, &["x"], false);
        check(r#"{"resourceType":"Observation","subject":{"reference":"Patient/p/_history/2"}}"#, &["p"], false);
        check(r#"{"resourceType":"Observation","subject":{"reference":"Group/g"}}"#, &[], false);
        check(r#"{"resourceType":"Observation","subject":{"reference":"https://x.example/Patient/p"}}"#, &[], true);
        check(r##"{"resourceType":"Observation","subject":{"reference":"#p"}}"##, &[], true);
        check(r#"{"resourceType":"Observation","subject":{"identifier":{"value":"1"}}}"#, &[], true);
        check(r#"{"resourceType":"Observation","subject":{"display":"Ana"}}"#, &[], false);
        check(r#"{"resourceType":"Observation","subject":{"reference":"Patient\u002fp"}}"#, &[], true);
        check(
            r#"{"resourceType":"Appointment","participant":[{"actor":{"reference":"Patient/q"}},{"actor":{"reference":"Practitioner/d"}},{"status":"accepted"},{"actor":{"reference":"Patient/p"}}]}"#,
            &["p", "q"],
            false,
        );
        check(
            r#"{"resourceType":"Encounter","participant":[{"actor":{"reference":"Patient/q"}}],"subject":{"reference":"Patient/p"}}"#,
            &["p"],
            false,
        );
        check(
            r#"{"resourceType":"Group","member":[{"entity":{"reference":"Patient/p"}},{"entity":{"reference":"urn:uuid:1"}}]}"#,
            &["p"],
            true,
        );
    }

    #[test]
    fn a_patient_whom_only_a_contained_resource_names_is_not_named_by_the_whole() {
        let check = |resource: &str, expected: bool| {
            let kind = dictionary().resource(resource.split('"').nth(3).unwrap()).unwrap();
            assert_eq!(patients(kind, "x", resource.as_bytes()).names_one, expected, "{resource}");
        };
        let visit = r#""contained":[{"resourceType":"Encounter","subject":{"reference":"Patient/p"}}]"#;
        check(&format!(r#"{{"resourceType":"DocumentReference",{visit}}}"#), false);
        check(
            &format!(r#"{{"resourceType":"DocumentReference","subject":{{"reference":"Patient/p"}},{visit}}}"#),
            true,
        );
        check(r#"{"resourceType":"Patient"}"#, true);
    }

    #[test]
    fn what_a_resource_contains_is_about_somebody_too() {
        let check = |resource: &str, expected: &[&str], unknown: bool| {
            let kind = dictionary().resource(resource.split('"').nth(3).unwrap()).unwrap();
            let found = patients(kind, "x", resource.as_bytes());
            let ids: Vec<&str> = found.ids.iter().map(String::as_str).collect();
            assert_eq!((ids.as_slice(), found.unknown), (expected, unknown), "{resource}");
        };
        check(
            r#"{"resourceType":"Claim","patient":{"reference":"Patient/p"},"contained":[{"resourceType":"Coverage","beneficiary":{"reference":"Patient/q"}},{"resourceType":"Organization"}]}"#,
            &["p", "q"],
            false,
        );
        let holds = r##"{"resourceType":"Schedule","actor":[{"reference":"#p"}],"contained":[{"resourceType":"Patient","id":"p"}]}"##;
        check(holds, &[], true);
        assert!(contains_bound(&Annotation::default(), holds.as_bytes()));
        let shared = r#"{"resourceType":"MedicationRequest","contained":[{"resourceType":"Medication"}]}"#;
        assert!(!contains_bound(&Annotation::default(), shared.as_bytes()));
    }

    #[test]
    fn labels_come_through_the_elements_of_the_pack() {
        let segment = |id| SegmentSet::EMPTY.with(scruple_core::SegmentId(id));
        let line = |of: Option<&str>, steps: &[&str], passes| Inheritance {
            element: String::new(),
            of: of.map(str::to_owned),
            steps: steps.iter().map(|step| (*step).to_owned()).collect(),
            passes,
        };
        let both = segment(1).union(segment(2));
        let annotation = Annotation {
            inheritance: vec![
                line(None, &["encounter"], segment(1)),
                line(Some("Claim"), &["diagnosis", "diagnosisReference"], both),
                line(Some("Encounter"), &["diagnosis", "condition"], both),
            ],
            ..Annotation::default()
        };
        let of = |text: &str, wanted| heritage(&annotation, text.as_bytes(), wanted);
        let from = |kind: &str, id: &str, passes| ((kind.to_owned(), id.to_owned()), passes);
        let claim = r#"{"resourceType":"Claim","diagnosis":[{"diagnosisReference":{"reference":"Condition/a"}},{"diagnosisReference":{"reference":"Condition?x=1"}}],
          "contained":[{"resourceType":"Observation","encounter":{"reference":"Encounter/e"}}]}"#;
        let found = of(claim, both);
        assert_eq!(found.from, BTreeMap::from([from("Condition", "a", both), from("Encounter", "e", segment(1))]));
        assert_eq!(found.unread, both);
        assert_eq!(of(claim, segment(2)).from, BTreeMap::from([from("Condition", "a", segment(2))]));
        assert_eq!(of(r#"{"resourceType":"Encounter","encounter":{"display":"a visit"}}"#, both), Heritage::default());
        assert_eq!(of(r#"{"resourceType":"Observation","encounter":{"identifier":{}}}"#, both).unread, segment(1));
    }
}
