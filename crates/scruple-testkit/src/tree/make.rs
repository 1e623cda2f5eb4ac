//! Makes one resource of a seed.

use super::words::{number, text};
use super::{Numbers, Resources};
use crate::slow::json::{Member, Value};
use crate::slow::model::{Scalar, json_name, object_of, object_type, scalar};
use crate::valid::{CONSTRAINTS, Node, codes};
use scruple_fhir::{Element, ObjectType, Target};

/// Objects and primitives in one resource, more or less.
const NODES_MAX: usize = 160;
/// Objects nest no deeper, but where oddities do.
const DEPTH_MAX: usize = 9;

pub(super) struct Maker<'a> {
    plan: &'a Resources,
    numbers: Numbers,
    nodes: usize,
    /// Ids of the contained resources of the one that is being made.
    contained: Vec<String>,
}

impl<'a> Maker<'a> {
    pub fn new(plan: &'a Resources, seed: u64) -> Self {
        Self { plan, numbers: Numbers::new(seed), nodes: 0, contained: Vec::new() }
    }

    /// Now and then the text is cut off somewhere.
    pub fn broken_text(&mut self) -> Option<usize> {
        (self.plan.odd_per_thousand > 0 && self.numbers.chance(5)).then(|| self.numbers.below(10_000))
    }

    pub fn resource(&mut self) -> Value {
        let name = self.numbers.one_of(&self.plan.types).copied().unwrap_or("Patient");
        self.resource_of(name, true, 0)
    }

    fn odd(&mut self) -> bool {
        let rate = self.plan.odd_per_thousand;
        self.numbers.chance(rate)
    }

    fn resource_of(&mut self, name: &'static str, may_contain: bool, depth: usize) -> Value {
        let Some(object) = object_type(name) else { return Value::Null };
        let outer = self.contained.clone();
        let mut inner = Vec::new();
        if may_contain && self.numbers.chance(300) {
            self.contained = (0..=self.numbers.below(3)).map(|number| format!("c{number}")).collect();
            for id in self.contained.clone() {
                let fits = ["Practitioner", "Organization", "Patient", "Condition", "Observation"];
                let name = self.numbers.one_of(&fits).copied().unwrap_or("Patient");
                if self.nodes < NODES_MAX / 2 {
                    let mut one = self.resource_of(name, false, depth + 1);
                    if let Value::Object(members) = &mut one {
                        members.retain(|member| member.key != "id" && (!self.plan.valid || member.key != "meta"));
                        members.push(member("id", Value::Text(id)));
                    }
                    inner.push(one);
                }
            }
        } else if may_contain {
            self.contained = Vec::new();
        }
        let mut members = self.members(object, depth);
        if !inner.is_empty() {
            let at = self.numbers.below(members.len() + 1);
            members.insert(at, member("contained", Value::List(inner)));
        }
        if self.numbers.chance(800) {
            members.push(member("id", Value::Text("made-1".to_owned())));
        }
        self.shuffle(&mut members);
        let at = if self.numbers.chance(800) { 0 } else { self.numbers.below(members.len() + 1) };
        members.insert(at, member("resourceType", Value::Text(name.to_owned())));
        if self.odd() && self.numbers.chance(200) {
            members.push(member("resourceType", Value::Text("Patient".to_owned())));
        }
        self.contained = outer;
        Value::Object(members)
    }

    fn shuffle(&mut self, members: &mut [Member]) {
        if self.numbers.chance(300) {
            for place in (1..members.len()).rev() {
                let other = self.numbers.below(place + 1);
                members.swap(place, other);
            }
        }
    }

    /// The members of an object: what is required, and some of the rest.
    fn members(&mut self, object: &'static ObjectType, depth: usize) -> Vec<Member> {
        self.nodes += 1;
        let mut members: Vec<Member> = Vec::new();
        let crowded = self.nodes > NODES_MAX || depth >= DEPTH_MAX;
        let rate = if crowded { 0 } else { [420, 330, 250, 180, 120][depth.min(4)] };
        let rate = if object.elements.len() > 25 { rate / 2 } else { rate };
        for element in &object.elements {
            let wanted = match element.name {
                "id" | "contained" if object.is_resource => continue,
                "implicitRules" | "modifierExtension" => !self.plan.valid && self.numbers.chance(4),
                "extension" => !crowded && self.numbers.chance(60),
                "text" | "meta" | "language" if object.is_resource => self.numbers.chance(200),
                "id" => self.numbers.chance(30),
                _ => element.required && (self.plan.valid || self.numbers.chance(970)) || self.numbers.chance(rate),
            };
            if wanted {
                self.element(object, element, depth, &mut members);
            }
        }
        self.tie(object, &mut members);
        if self.odd() {
            self.oddity(object, &mut members);
        }
        members
    }

    /// What belongs together in real records: a system with its code, a zip code with its country.
    fn tie(&mut self, object: &ObjectType, members: &mut Vec<Member>) {
        let mut set = |key: &str, value: Option<String>| {
            members.retain(|member| member.key != key && member.key != format!("_{key}"));
            members.extend(value.map(|value| member(key, Value::Text(value))));
        };
        match object.name {
            "Coding" if self.numbers.chance(900) => {
                let mut coding = self.numbers.one_of(&self.plan.vocabulary.codings).cloned().unwrap_or_default();
                while self.plan.valid && (coding.0.contains('\\') || coding.1.contains('\\')) {
                    coding = self.numbers.one_of(&self.plan.vocabulary.codings).cloned().unwrap_or_default();
                }
                set("system", Some(coding.0));
                set("code", Some(coding.1));
            }
            "Quantity" | "Age" | "Duration" | "Count" | "Distance" if self.numbers.chance(700) => {
                set("system", Some("http://unitsofmeasure.org".to_owned()));
                set("code", Some(if object.name == "Count" { "1" } else { "a" }.to_owned()));
            }
            "Address" => {
                let zips = ["02139", "02139-1234", "K1A 0B1", "9021", "\\u00302139"];
                let countries = ["US", "USA", "CA", "us"];
                if self.numbers.chance(600) {
                    set("postalCode", self.numbers.one_of(&zips).map(|zip| (*zip).to_owned()));
                }
                let country = if self.numbers.chance(500) {
                    self.numbers.one_of(&countries).map(|name| (*name).to_owned())
                } else {
                    None
                };
                set("country", country);
            }
            "Extension" => {
                let known = self.numbers.chance(700);
                let url = if known { self.numbers.one_of(&self.plan.vocabulary.extensions).cloned() } else { None };
                set("url", Some(url.unwrap_or_else(|| "http://own.example/CANARY-extension".to_owned())));
            }
            _ => {}
        }
    }

    fn element(
        &mut self,
        object: &'static ObjectType,
        element: &'static Element,
        depth: usize,
        members: &mut Vec<Member>,
    ) {
        let target = self.numbers.below(element.targets.len());
        let name = json_name(element, target);
        match &element.targets[target] {
            Target::Primitive(primitive) => {
                let length = if element.many { 1 + self.numbers.below(3) } else { 1 };
                let mut values = Vec::new();
                let mut belows = Vec::new();
                for _ in 0..length {
                    let below = if self.numbers.chance(60) { self.below(depth) } else { Value::Null };
                    let absent =
                        below != Value::Null && self.numbers.chance(400) || element.many && self.numbers.chance(60);
                    let value = if absent { Value::Null } else { self.primitive(object, element, &name, primitive) };
                    if !self.plan.valid || value != Value::Null || below != Value::Null {
                        values.push(value);
                        belows.push(below);
                    }
                }
                if object.name == "Reference" && element.name == "reference" && self.numbers.chance(970) {
                    values = vec![Value::Text(self.literal())];
                }
                self.push_pair(&name, element.many, values, belows, members);
            }
            Target::Resource => {
                if depth < 4 && self.nodes < NODES_MAX {
                    let name = self.numbers.one_of(&self.plan.types).copied().unwrap_or("Patient");
                    members.push(member(&name_of(element), self.resource_of(name, true, depth + 1)));
                }
            }
            other => {
                let Some(inner) = object_of(other) else { return };
                if object.is_resource && element.name == "meta" {
                    members.push(member("meta", self.meta()));
                    return;
                }
                let length = if element.many { 1 + self.numbers.below(2) } else { 1 };
                let items: Vec<Value> = (0..length).filter_map(|_| self.object(inner, depth + 1)).collect();
                if let Some(first) = items.first() {
                    members.push(member(&name, if element.many { Value::List(items) } else { first.clone() }));
                }
            }
        }
    }

    fn push_pair(&mut self, name: &str, many: bool, values: Vec<Value>, belows: Vec<Value>, members: &mut Vec<Member>) {
        let any = |list: &[Value]| list.iter().any(|value| *value != Value::Null);
        let (stands, stands_below) = (any(&values), any(&belows));
        let packed = |mut list: Vec<Value>| if many { Value::List(list) } else { list.pop().unwrap_or(Value::Null) };
        let mut pair = Vec::new();
        if stands {
            pair.push(member(name, packed(values)));
        }
        if stands_below {
            pair.push(member(&format!("_{name}"), packed(belows)));
        }
        if self.numbers.chance(200) {
            pair.reverse();
        }
        members.extend(pair);
    }

    /// An object that keeps the constraints on it, where that is asked.
    fn object(&mut self, object: &'static ObjectType, depth: usize) -> Option<Value> {
        for _ in 0..6 {
            let mut members = self.members(object, depth);
            self.shuffle(&mut members);
            let value = Value::Object(members);
            if !self.plan.valid {
                return Some(value);
            }
            let node = Node { object, value: &value, resource: &value, root: &value };
            let rooted = |key: &str| matches!(key, "ref-1" | "dom-3");
            let kept = CONSTRAINTS.iter().filter(|constraint| !rooted(constraint.key) && constraint.is_on(&node));
            if kept.into_iter().all(|constraint| (constraint.holds)(&node)) {
                return Some(value);
            }
        }
        None
    }

    /// The `_x` of a primitive.
    fn below(&mut self, depth: usize) -> Value {
        let mut members = Vec::new();
        if self.numbers.chance(300) {
            members.push(member("id", Value::Text("CANARY-below".to_owned())));
        }
        if self.plan.valid || self.numbers.chance(800) {
            let extension = object_type("Extension").and_then(|object| self.object(object, depth + 2));
            members.extend(extension.map(|extension| member("extension", Value::List(vec![extension]))));
        }
        if members.iter().all(|member| member.key == "id") && self.plan.valid {
            Value::Null
        } else {
            Value::Object(members)
        }
    }

    fn primitive(&mut self, object: &ObjectType, element: &Element, name: &str, primitive: &str) -> Value {
        self.nodes += 1;
        match scalar(primitive) {
            Scalar::Bool => Value::Bool(self.numbers.chance(500)),
            Scalar::Number => Value::Number(number(primitive, self.plan.valid, &mut self.numbers)),
            Scalar::Text => {
                let bound = codes(object.name, name);
                if let Some(code) = self.numbers.one_of(bound)
                    && (self.plan.valid || self.numbers.chance(900))
                {
                    return Value::Text(code.clone());
                }
                let written = match (object.name, element.name) {
                    ("Reference", "type") => {
                        ["Patient", "Organization", "Observation", "Shoe"][self.numbers.below(4)].to_owned()
                    }
                    _ => text(primitive, self.plan.valid, &mut self.numbers),
                };
                Value::Text(written)
            }
        }
    }

    /// The text of a `Reference.reference`.
    fn literal(&mut self) -> String {
        let vocabulary = &self.plan.vocabulary;
        if !self.contained.is_empty() && self.numbers.chance(450) {
            let id = self.numbers.one_of(&self.contained).cloned().unwrap_or_default();
            return format!("#{id}");
        }
        if self.numbers.chance(60) && !vocabulary.sources.is_empty() {
            return self.numbers.one_of(&vocabulary.sources).cloned().unwrap_or_default();
        }
        let types = ["Patient", "Practitioner", "Organization", "Condition", "Observation", "Encounter", "Media"];
        let name = self.numbers.one_of(&types).copied().unwrap_or("Patient");
        let id = self.numbers.below(4);
        match self.numbers.below(16) {
            0 => format!("{name}?identifier=http://own.example|CANARY-{id}"),
            1 => format!("http://own.example/fhir/{name}/{id}"),
            2 => format!("urn:uuid:0c0c0c0c-0000-4000-8000-00000000000{id}"),
            3 => format!("{name}/{id}/_history/1"),
            4 if !self.plan.valid => {
                ["#", "#none", "CANARY", "Shoe/1", "Patient\\/1", "", "/"][self.numbers.below(7)].to_owned()
            }
            5 if !self.plan.valid => format!("https://own.example/{name}?name=CANARY"),
            _ => format!("{name}/{id}"),
        }
    }

    fn meta(&mut self) -> Value {
        let mut members = Vec::new();
        if self.numbers.chance(500) {
            members.push(member("versionId", Value::Text("7".to_owned())));
            members.push(member("lastUpdated", Value::Text("2021-03-04T05:06:07Z".to_owned())));
        }
        if self.numbers.chance(400) {
            let profiles = [
                "http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient",
                "http://own.example/CANARY-profile",
            ];
            members.push(member(
                "profile",
                Value::List(profiles.iter().map(|profile| Value::Text((*profile).to_owned())).collect()),
            ));
        }
        let label =
            if self.numbers.chance(300) { self.numbers.one_of(&self.plan.vocabulary.labels).cloned() } else { None };
        if let Some((system, code)) = label {
            let coding = vec![member("system", Value::Text(system)), member("code", Value::Text(code))];
            members.push(member("security", Value::List(vec![Value::Object(coding)])));
        }
        if self.numbers.chance(200) {
            let listed = self.numbers.one_of(&self.plan.vocabulary.meta_sources).cloned();
            members.push(member("source", Value::Text(listed.unwrap_or_else(|| "urn:oid:2.999.1".to_owned()))));
        }
        if members.is_empty() {
            members.push(member("source", Value::Text("urn:oid:2.999.1".to_owned())));
        }
        Value::Object(members)
    }

    /// One thing that should not be.
    fn oddity(&mut self, object: &'static ObjectType, members: &mut Vec<Member>) {
        let place = self.numbers.below(members.len().max(1));
        let odd = [
            Value::Null,
            Value::Bool(true),
            Value::Number("1".to_owned()),
            Value::Text("CANARY odd".to_owned()),
            Value::List(Vec::new()),
            Value::Object(Vec::new()),
            Value::List(vec![Value::Null]),
        ];
        match self.numbers.below(9) {
            0 if place < members.len() => {
                let again = members[place].clone();
                members.push(again);
            }
            1 if place < members.len() => members[place].value = odd[self.numbers.below(odd.len())].clone(),
            2 if place < members.len() && members[place].key != "resourceType" => {
                // The same key with an escape: unknown.
                let key = members[place].key.clone();
                let mut letters = key.chars();
                let first = letters.next().map(|letter| format!("\\u{:04x}", u32::from(letter))).unwrap_or_default();
                members[place].key = format!("{first}{}", letters.as_str());
            }
            3 => {
                let deep = [3, 20, 70][self.numbers.below(3)];
                let nested = (0..deep).fold(Value::Text("CANARY deep".to_owned()), |inner, _| Value::List(vec![inner]));
                members.push(member("CANARY-deep", nested));
            }
            4 => {
                let value =
                    Value::Object(vec![member("coding", Value::Text("CANARY".to_owned())), member("a", Value::Null)]);
                members.push(member("CANARY-unknown", value));
            }
            5 => {
                // A second type of a choice.
                if let Some(element) = object.elements.iter().find(|element| element.targets.len() > 1) {
                    for target in 0..element.targets.len().min(2) {
                        if let Target::Primitive(primitive) = &element.targets[target] {
                            let name = json_name(element, target);
                            let value = self.primitive(object, element, &name, primitive);
                            members.push(member(&name, value));
                        }
                    }
                }
            }
            6 if place < members.len() => {
                let single = members[place].value.clone();
                members[place].value = match single {
                    Value::List(mut items) => items.pop().unwrap_or(Value::Null),
                    other => Value::List(vec![other]),
                };
            }
            7 => members.push(member("_CANARY", Value::Null)),
            _ => members.clear(),
        }
    }
}

fn name_of(element: &Element) -> String {
    json_name(element, 0)
}

fn member(key: &str, value: Value) -> Member {
    Member { key: key.to_owned(), value, at: 0 }
}
