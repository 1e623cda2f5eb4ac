//! Whom a resource is about, and from which resources it inherits labels (docs/view.md, 1 and 3).

use crate::annotation::Annotation;
use crate::dictionary::{TypeId, dictionary};
use crate::json::Scanner;
use crate::paths::{Named, Paths};
pub use crate::reference::named;
use scruple_core::SegmentSet;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

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

/// The paths of [`ABOUT`] of a type.
fn about(name: &str) -> &'static Paths<()> {
    static ALL: LazyLock<ByType<()>> = LazyLock::new(|| {
        let lines = ABOUT.iter().map(|(only, steps)| ((!only.is_empty()).then_some(*only), *steps, ()));
        ByType::new(lines, |(), ()| ())
    });
    ALL.of(name)
}

/// Paths of every type, with those that hold for all types among them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct ByType<T> {
    every: Paths<T>,
    own: HashMap<String, Paths<T>>,
}

impl<T: Copy> ByType<T> {
    /// From lines of a type (none: every type), keys and what the path is for; `both` joins two of one path.
    fn new<'a, S: AsRef<str> + 'a>(
        lines: impl Iterator<Item = (Option<&'a str>, &'a [S], T)> + Clone,
        both: impl Fn(T, T) -> T,
    ) -> Self {
        let paths = |name: Option<&str>| {
            let mut paths = Paths::default();
            for (_, steps, what) in lines.clone().filter(|(only, ..)| only.is_none() || *only == name) {
                paths.end(steps, &mut |end| *end = Some(end.map_or(what, |known| both(known, what))));
            }
            paths
        };
        let names: BTreeSet<&str> = lines.clone().filter_map(|(only, ..)| only).collect();
        let own = names.into_iter().map(|name| (name.to_owned(), paths(Some(name)))).collect();
        Self { every: paths(None), own }
    }

    fn of(&self, name: &str) -> &Paths<T> {
        self.own.get(name).unwrap_or(&self.every)
    }
}

impl Patients {
    /// Adds those of one resource of a type, by its own elements. Gives where `contained` begins.
    fn add(&mut self, scan: &Scanner<'_>, name: &str) -> Option<usize> {
        about(name).walk(scan, &mut |(), named| match named {
            Named::Resource(b"Patient", id) => self.ids.push(id.to_owned()),
            Named::Resource(..) | Named::Nothing => {}
            Named::Contained | Named::Other => self.unknown = true,
        })
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
    let contained = found.add(&scan, name);
    found.names_one = found.unknown || !found.ids.is_empty();
    let whole = each_contained(&scan, contained, &mut |inner| match type_name(inner) {
        Some("Patient") | None => found.unknown = true,
        Some(name) => {
            found.add(inner, name);
        }
    });
    found.unknown |= !whole;
    found.ids.sort();
    found.ids.dedup();
    found
}

/// Whether a resource contains one of a type that is about patients.
#[must_use]
pub fn contains_bound(annotation: &Annotation, bytes: &[u8]) -> bool {
    let scan = Scanner::new(bytes);
    let Ok([contained]) = scan.find([b"contained"]) else { return true };
    let mut any = false;
    let whole = each_contained(&scan, contained, &mut |inner| {
        let kind = type_name(inner).and_then(|name| dictionary().resource(name));
        any |= kind.is_none_or(|kind| is_bound(annotation, kind));
    });
    any || !whole
}

/// Calls `each` for every resource of the array that begins at `contained`. False if it cannot be read.
fn each_contained(scan: &Scanner<'_>, contained: Option<usize>, each: &mut dyn FnMut(&Scanner<'_>)) -> bool {
    let Some(at) = contained else { return true };
    let mut ahead = scan.fork(at);
    let items = ahead.items(|item| {
        item.at_object()?;
        each(&item.fork(item.at));
        item.skip()
    });
    items.is_ok()
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

/// The lines of `inheritance.csv`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Inheritances {
    lines: Vec<Inheritance>,
    paths: ByType<SegmentSet>,
}

impl Inheritances {
    /// From the lines, of which no two have the same type and steps.
    #[must_use]
    pub fn new(lines: Vec<Inheritance>) -> Self {
        let each = lines.iter().map(|line| (line.of.as_deref(), line.steps.as_slice(), line.passes));
        let paths = ByType::new(each, SegmentSet::union);
        Self { lines, paths }
    }

    /// The lines, in the order of the file.
    #[must_use]
    pub fn lines(&self) -> &[Inheritance] {
        &self.lines
    }
}

/// From which resources a resource inherits, and what.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Heritage {
    /// By type and id, what each passes on.
    pub from: BTreeMap<(String, String), SegmentSet>,
    /// What it has because nobody can tell what it refers to.
    pub unread: SegmentSet,
}

impl Heritage {
    /// Adds that of one resource by its own elements. Gives where `contained` begins.
    fn add(&mut self, annotation: &Annotation, scan: &Scanner<'_>, wanted: SegmentSet) -> Option<usize> {
        let paths = annotation.inheritance.paths.of(type_name(scan).unwrap_or_default());
        paths.walk(scan, &mut |passes, named| {
            let passes = passes.intersect(wanted);
            match named {
                _ if passes == SegmentSet::EMPTY => {}
                Named::Resource(kind, id) => {
                    let kind = String::from_utf8_lossy(kind).into_owned();
                    let known = self.from.entry((kind, id.to_owned())).or_default();
                    *known = known.union(passes);
                }
                Named::Contained | Named::Nothing => {}
                Named::Other => self.unread = self.unread.union(passes),
            }
        })
    }
}

/// From which resources a resource inherits labels of `wanted`; its contained resources pass theirs through it.
#[must_use]
pub fn heritage(annotation: &Annotation, bytes: &[u8], wanted: SegmentSet) -> Heritage {
    let mut found = Heritage::default();
    if wanted == SegmentSet::EMPTY {
        return found;
    }
    let scan = Scanner::new(bytes);
    let contained = found.add(annotation, &scan, wanted);
    let whole = each_contained(&scan, contained, &mut |inner| {
        found.add(annotation, inner, wanted);
    });
    if !whole {
        found.unread = wanted;
    }
    found
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
            inheritance: Inheritances::new(vec![
                line(None, &["encounter"], segment(1)),
                line(Some("Claim"), &["diagnosis", "diagnosisReference"], both),
                line(Some("Encounter"), &["diagnosis", "condition"], both),
            ]),
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
