//! Hostile bytes into the projector, under the decisions of several roles.
//!
//! It knows what must hold for any input; what the right output is, the second projector of scruple-testkit says.

use super::run::{Fuzz, files};
use super::{Draw, mutate, tree};
use crate::json::Node;
use crate::{shipped, workspace};
use anyhow::Result;
use rand_chacha::ChaCha20Rng;
use scruple_core::{DecisionTable, SegmentLimit, SegmentSet, Timestamp, View};
use scruple_fhir::{Projection, Projector, Shown, Surroundings, Target, TypeId, Withheld, dictionary};
use scruple_hospital::{Hospital, Options};
use scruple_policy::{Pack, Question, table};
use scruple_release::{Part, Splitter};
use scruple_seal::{Secret, TokenKey};
use scruple_testkit::slow::{self, SlowPack};
use scruple_testkit::{crafted, tree as made};
use serde::de::IgnoredAny;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// What stands in the buffer before, and must stand there after.
const BEFORE: &[u8] = b"before";
/// Parts that a stream is split into at most for each byte, and some.
const PARTS_PER_BYTE_MAX: usize = 4;

/// Who asks: a role that passes, one that is wide, one that is narrow, and those with the masks that the others lack.
const ASKED: &[(&str, &str)] = &[
    ("physician", "TREAT"),
    ("coder", "HPAYMT"),
    ("biller", "HPAYMT"),
    ("front_desk", "PATADMIN"),
    ("him_integrity", "RECORDMGT"),
    ("researcher", "HRESCH"),
    ("quality_analyst", "HQUALIMP"),
];

/// Bytes of a case that the second projector is asked about: it is slow.
const SECOND_BYTES_MAX: usize = 16 << 10;

/// The surroundings of the fuzzer: answers that follow from the question.
pub(super) struct Around(TokenKey);

impl Around {
    pub(super) fn new() -> Self {
        Self(TokenKey::new(&Secret::new([7; 32])))
    }
}

/// Half of the references show, by their last byte: both projectors can tell.
fn shows(literal: &str) -> bool {
    literal.bytes().last().is_some_and(|byte| byte % 2 == 0)
}

impl Surroundings for Around {
    fn shows(&self, _: &str, id: &str) -> Option<bool> {
        Some(shows(id))
    }

    fn shows_urn(&self, urn: &str) -> Option<bool> {
        Some(shows(urn))
    }

    fn token(&self, kind: &str, value: &str) -> String {
        self.0.token(kind, value)
    }

    fn today(&self) -> (i16, u8, u8) {
        (2026, 3, 1)
    }
}

/// One role's decision, for both projectors.
struct Asked {
    question: Question,
    projection: Projection,
    /// Without the segments that never pass, which the second projector does not know.
    plain: Projection,
    slow: slow::Decision,
}

/// The fuzzer.
pub struct FuzzProjector {
    asked: Vec<Asked>,
    slow_pack: SlowPack,
    around: Around,
    corpus: Vec<Vec<u8>>,
    made: made::Resources,
    keys: Vec<String>,
    known: HashMap<(TypeId, String), Known>,
}

/// What a key of an object type holds.
#[derive(Clone, Copy)]
enum Known {
    Primitive,
    /// The `_x` beside a primitive.
    Element,
    Object(TypeId),
    Resource,
}

impl FuzzProjector {
    /// With the shipped pack; the corpus is the synthetic hospital's records and what lies in `fuzz_folder`.
    ///
    /// # Errors
    /// The shipped pack does not read, or the corpus does not.
    pub fn new(fuzz_folder: &Path) -> Result<Self> {
        let pack = shipped::pack()?;
        let mut corpus: Vec<Vec<u8>> =
            files(&fuzz_folder.join("corpus/fuzz-projector"))?.into_iter().map(|(_, bytes)| bytes).collect();
        corpus.extend(hospital(3));
        corpus.extend(crafted::all()?.into_iter().map(|case| case.text.into_bytes()));
        let slow_pack = SlowPack::load(&workspace::root().join("policy"))?;
        let mut this = Self {
            asked: asked(&pack)?,
            made: made::Resources::of(&slow_pack),
            slow_pack,
            around: Around::new(),
            corpus,
            keys: Vec::new(),
            known: known_keys(),
        };
        this.keys = this.known.keys().map(|(_, key)| key.clone()).collect();
        this.keys.sort();
        this.keys.dedup();
        Ok(this)
    }

    fn check_decision(&self, asked: &Asked, case: &[u8]) -> Result<(), String> {
        let wrong = |what: &str| Err(format!("{}: {what}", asked.question.role));
        let mut projector = Projector::new(&asked.projection, &self.around);
        let mut out = BEFORE.to_vec();
        let first = projector.project(case, &mut out);
        let Some(body) = out.strip_prefix(BEFORE) else { return wrong("what stood in the buffer is changed") };
        let body = body.to_vec();
        match &first {
            Err(_) if !body.is_empty() => return wrong("bytes are left of a withheld resource"),
            Err(_) => {}
            Ok(shown) => self.check_output(shown, &body).or_else(|what| wrong(&what))?,
        }
        let mut again = Vec::new();
        if projector.project(case, &mut again) != first || again != body {
            return wrong("another result the second time");
        }
        self.check_entry(&mut projector, case).or_else(|what| wrong(&what))?;
        if let Ok(shown) = &first {
            again.clear();
            match projector.project(&body, &mut again) {
                Err(Withheld::Malformed(_)) => return wrong("its own output is malformed to it"),
                Ok(twice) if shown.passed && (again != body || !twice.passed) => {
                    return wrong("what passed does not pass again");
                }
                Ok(twice) => {
                    self.check_output(&twice, &again).or_else(|what| wrong(&format!("projected twice: {what}")))?;
                }
                Err(_) => {}
            }
        }
        self.check_second(asked, case).or_else(|what| wrong(&what))
    }

    /// The second projector has the same bytes, or the same reason.
    fn check_second(&self, asked: &Asked, case: &[u8]) -> Result<(), String> {
        if case.len() > SECOND_BYTES_MAX {
            return Ok(());
        }
        let mut bytes = Vec::new();
        let fast = Projector::new(&asked.plain, &self.around).project(case, &mut bytes);
        let text = String::from_utf8_lossy(case);
        let literals = text.split('"').map(|piece| piece.split("/_history/").next().unwrap_or_default());
        let visible = literals.filter(|literal| shows(literal)).map(str::to_owned).collect();
        let token = |kind: &str, value: &str| self.around.token(kind, value);
        let slow = slow::Slow {
            pack: &self.slow_pack,
            decision: &asked.slow,
            as_of: slow::Date { year: 2026, month: 3, day: 1 },
            token: &token,
            visible: &visible,
            faults: slow::Faults::WhereSeen,
        };
        match (fast, slow.project(case)) {
            (Ok(_), Ok(theirs)) if theirs == bytes => Ok(()),
            (Ok(_), Ok(_)) => Err("the second projector shows other bytes".to_owned()),
            (Err(ours), Err(theirs)) if ours.code() == theirs.name() => Ok(()),
            (Err(ours), Err(theirs)) => {
                Err(format!("withheld as {}, by the second projector as {}", ours.code(), theirs.name()))
            }
            (Ok(_), Err(theirs)) => Err(format!("shown, withheld by the second projector as {}", theirs.name())),
            (Err(ours), Ok(_)) => Err(format!("withheld as {}, shown by the second projector", ours.code())),
        }
    }

    fn check_entry(&self, projector: &mut Projector<'_>, case: &[u8]) -> Result<(), String> {
        let entry = [br#"{"fullUrl":"urn:uuid:1","resource":"#, case, b"}"].concat();
        let mut out = BEFORE.to_vec();
        let result = projector.project_entry(&entry, &mut out);
        let Some(body) = out.strip_prefix(BEFORE) else {
            return Err("an entry changes what stood in the buffer".to_owned());
        };
        match result {
            Ok(_) if serde_json::from_slice::<IgnoredAny>(body).is_err() => Err("an entry is not JSON".to_owned()),
            Err(_) if !body.is_empty() => Err("bytes are left of a withheld entry".to_owned()),
            _ => Ok(()),
        }
    }

    fn check_output(&self, shown: &Shown, body: &[u8]) -> Result<(), String> {
        if std::str::from_utf8(body).is_err() || serde_json::from_slice::<IgnoredAny>(body).is_err() {
            return Err("the output is not JSON".to_owned());
        }
        let tree = std::str::from_utf8(body).ok().and_then(Node::parse).ok_or("the output does not parse")?;
        let Node::Object(members) = &tree else { return Err("the output is no object".to_owned()) };
        let named = |(key, value): &(String, Node)| {
            key == "resourceType" && *value == Node::Scalar(format!("\"{}\"", shown.resource_type))
        };
        if !members.iter().any(named) {
            return Err("the output is of another type".to_owned());
        }
        if shown.passed { Ok(()) } else { self.check_resource(&tree) }
    }

    /// Every key of the output is one of the dictionary, once, and what it holds is of its kind.
    fn check_resource(&self, tree: &Node) -> Result<(), String> {
        let Node::Object(members) = tree else { return Err("a resource is no object".to_owned()) };
        let name = members.iter().find(|(key, _)| key == "resourceType").map(|(_, value)| value.print());
        let name = name.as_deref().unwrap_or_default().trim_matches('"');
        let Some(id) = dictionary().resource(name) else { return Err("a resource of no type".to_owned()) };
        self.check_object(id, tree)
    }

    fn check_object(&self, object: TypeId, tree: &Node) -> Result<(), String> {
        let name = dictionary().get(object).name;
        let Node::Object(members) = tree else { return Err(format!("a {name} is no object")) };
        let is_resource = dictionary().get(object).is_resource;
        let mut seen = std::collections::HashSet::new();
        for (key, value) in members {
            if !seen.insert(key) {
                return Err(format!("a key of {name} stands twice"));
            }
            if is_resource && key == "resourceType" {
                continue;
            }
            // The key itself is not told: an unknown one can be anything.
            let Some(known) = self.known.get(&(object, key.clone())) else {
                return Err(format!("an unknown key in {name}"));
            };
            let items = match value {
                Node::Array(items) if items.is_empty() => return Err(format!("an empty array in {name}")),
                Node::Array(items) => items.as_slice(),
                one => std::slice::from_ref(one),
            };
            for item in items {
                let is_null = *item == Node::Scalar("null".to_owned());
                match known {
                    Known::Primitive if matches!(item, Node::Scalar(_)) => {}
                    Known::Primitive => return Err(format!("a primitive of {name} is none")),
                    Known::Element if is_null => {}
                    Known::Element => {
                        self.check_element(name, item)?;
                    }
                    Known::Object(id) => self.check_object(*id, item)?,
                    Known::Resource
                        if matches!(name, "Bundle.entry" | "Bundle.entry.response" | "Parameters.parameter") =>
                    {
                        // A resource in a container may have passed: then its keys are its own.
                    }
                    Known::Resource => self.check_resource(item)?,
                }
            }
        }
        Ok(())
    }

    /// What stands beside a primitive: an id and extensions.
    fn check_element(&self, name: &str, tree: &Node) -> Result<(), String> {
        let Node::Object(members) = tree else {
            return Err(format!("an element beside a primitive of {name} is no object"));
        };
        let extension = dictionary().find("Extension").ok_or("the dictionary has no Extension")?;
        members.iter().try_for_each(|(key, value)| match (key.as_str(), value) {
            ("id", Node::Scalar(_)) => Ok(()),
            ("extension", Node::Array(items)) => items.iter().try_for_each(|item| self.check_object(extension, item)),
            _ => Err(format!("an unknown key beside a primitive of {name}")),
        })
    }

    fn check_split(case: &[u8], lines: bool) -> Result<(), String> {
        let mut splitter = Splitter::new(case, 1, lines);
        for _ in 0..=case.len().saturating_add(16).saturating_mul(PARTS_PER_BYTE_MAX) {
            match splitter.next() {
                Ok(None) => return Ok(()),
                Ok(Some(Part::Item(item))) if item.bytes.as_ref().is_ok_and(|bytes| bytes.len() > case.len()) => {
                    return Err("an item is longer than its stream".to_owned());
                }
                Ok(Some(_)) => {}
                Err(_) => return Err("a stream in memory cannot be read".to_owned()),
            }
        }
        Err("a stream does not end".to_owned())
    }
}

impl Fuzz for FuzzProjector {
    fn name(&self) -> &'static str {
        "fuzz-projector"
    }

    fn make(&self, rng: &mut ChaCha20Rng) -> Vec<u8> {
        let mut draw = Draw(rng);
        let one = match draw.below(3) {
            0 => self.made.make(draw.0.next_u64()).into_bytes(),
            _ => draw.pick(&self.corpus).clone(),
        };
        let two = draw.pick(&self.corpus);
        let parse = |bytes: &[u8]| std::str::from_utf8(bytes).ok().and_then(Node::parse);
        let mut case = match (parse(&one), parse(two)) {
            (Some(mut tree), Some(mut other)) if !draw.once_in(5) => {
                tree::mutate(&mut draw, &mut tree, &mut other, &self.keys);
                tree.print().into_bytes()
            }
            _ => one,
        };
        if draw.once_in(3) {
            mutate::bytes(&mut draw, &mut case, two);
        }
        case.truncate(mutate::CASE_BYTES_MAX);
        case
    }

    fn check(&self, case: &[u8]) -> Result<(), String> {
        self.asked.iter().try_for_each(|asked| self.check_decision(asked, case))?;
        Self::check_split(case, false)?;
        Self::check_split(case, true)
    }
}

fn asked(pack: &Pack) -> Result<Vec<Asked>> {
    let decide = |(role, purpose): &(&str, &str)| -> Result<Asked> {
        let question = shipped::question(pack, role, purpose)?;
        let table = table(pack, &question)?;
        let plain = DecisionTable { never_pass: SegmentSet::EMPTY, ..table.clone() };
        let slow = in_slow_words(pack, &table);
        let projection = |table| Projection::new(Arc::clone(&pack.annotation), table);
        Ok(Asked { question, projection: projection(table), plain: projection(plain), slow })
    };
    ASKED.iter().map(decide).collect()
}

/// A decision in the words of the second projector.
fn in_slow_words(pack: &Pack, table: &DecisionTable) -> slow::Decision {
    let view = |view: &View| match view {
        View::None => slow::View::None,
        View::Full => slow::View::Full,
        View::Masked(_) => slow::View::Mask(pack.view_name(*view).trim_start_matches("masked:").to_owned()),
    };
    let limit = |limit: &SegmentLimit| match limit {
        SegmentLimit::None => slow::Limit::None,
        SegmentLimit::Coded => slow::Limit::Coded,
        SegmentLimit::Follow => slow::Limit::Follow,
    };
    let names = |name: &String| name.clone();
    slow::Decision {
        views: pack.categories.iter().map(|one| names(&one.name)).zip(table.views.iter().map(view)).collect(),
        limits: pack.segments.iter().map(|one| names(&one.name)).zip(table.limits.iter().map(limit)).collect(),
        passes: table.passes_full_types,
    }
}

/// Records of so many synthetic patients and of the hospital itself, the bulky ones left out.
pub(super) fn hospital(patients: usize) -> Vec<Vec<u8>> {
    const BYTES_MAX: usize = 8 << 10;
    let as_of = Timestamp::from_micros(1_772_352_000_000_000);
    let hospital = Hospital::generate(&Options { patients, seed: 11, as_of, canary: true });
    let records = hospital.records().flat_map(|record| record.resources).map(|resource| resource.to_json());
    let directory = hospital.directory().into_iter().take(40).map(|resource| resource.to_json());
    directory.chain(records).filter(|bytes| bytes.len() <= BYTES_MAX).collect()
}

/// The keys of every object type, from the dictionary's public face.
fn known_keys() -> HashMap<(TypeId, String), Known> {
    let reference = dictionary().find("Reference");
    let mut known = HashMap::new();
    for object in dictionary().types() {
        let Some(id) = dictionary().find(object.name) else { continue };
        for element in &object.elements {
            for (target, type_name) in element.targets.iter().zip(&element.type_names) {
                let key = match element.name.strip_suffix("[x]") {
                    Some(stem) => format!("{stem}{}", capital(type_name)),
                    None => element.name.to_owned(),
                };
                let holds = match target {
                    Target::Primitive(_) => Known::Primitive,
                    Target::Object(id) => Known::Object(*id),
                    Target::Resource => Known::Resource,
                    Target::Reference(_) => match reference {
                        Some(id) => Known::Object(id),
                        None => continue,
                    },
                };
                if matches!(holds, Known::Primitive) {
                    known.insert((id, format!("_{key}")), Known::Element);
                }
                known.insert((id, key), holds);
            }
        }
    }
    known
}

fn capital(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> FuzzProjector {
        FuzzProjector::new(&workspace::fuzz_folder()).unwrap()
    }

    fn shown() -> Shown {
        let segments = SegmentSet::EMPTY;
        Shown { resource_type: "Patient", id: None, classes: 0, segments, passed: false, urn: None }
    }

    #[test]
    fn the_judge_of_outputs_finds_what_must_not_be_there() {
        let target = target();
        let check = |text: &str| target.check_output(&shown(), text.as_bytes());
        let good = r#"{"resourceType":"Patient","name":[{"given":["a",null],"_given":[null,{"id":"x"}]}],"deceasedBoolean":true}"#;
        assert_eq!(check(good), Ok(()));
        for (text, what) in [
            (r#"{"resourceType":"Patient","nickname":"a"}"#, "an unknown key in Patient"),
            (r#"{"resourceType":"Patient","name":[{"alias":"a"}]}"#, "an unknown key in HumanName"),
            (
                r#"{"resourceType":"Patient","name":[{"_given":[{"x":1}]}]}"#,
                "an unknown key beside a primitive of HumanName",
            ),
            (r#"{"resourceType":"Patient","gender":"male","gender":"male"}"#, "a key of Patient stands twice"),
            (r#"{"resourceType":"Patient","name":[]}"#, "an empty array in Patient"),
            (r#"{"resourceType":"Patient","gender":{}}"#, "a primitive of Patient is none"),
            (
                r#"{"resourceType":"Patient","contained":[{"resourceType":"Claim","secret":1}]}"#,
                "an unknown key in Claim",
            ),
            (r#"{"resourceType":"Claim"}"#, "the output is of another type"),
            (r#"{"resourceType":"Patient"}}"#, "the output is not JSON"),
        ] {
            assert_eq!(check(text), Err(what.to_owned()), "{text}");
        }
    }
}
