//! The FHIR R4 dictionary: object types, their elements and the JSON keys of each, and what search parameters read.
//!
//! `r4.txt` and `search.txt` are made by `cargo xtask dictionary` from the official definitions. Categories are not
//! here: they are the policy pack's.

use crate::json::{Scalar, Written};
use std::collections::HashMap;
use std::sync::LazyLock;

const TYPES: &str = include_str!("r4.txt");
const SEARCH: &str = include_str!("search.txt");

/// An object type, by its place in the dictionary.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TypeId(pub(crate) u16);

impl TypeId {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What an element holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// A primitive, by its FHIR name.
    Primitive(&'static str),
    /// An object type.
    Object(TypeId),
    /// Any resource.
    Resource,
    /// A Reference to one of these resource types; empty = any.
    Reference(Vec<TypeId>),
}

/// One element of an object type.
#[derive(Debug)]
pub struct Element {
    /// Its name, with `[x]` where it is a choice.
    pub name: &'static str,
    /// At least one must stand.
    pub required: bool,
    /// It is an array.
    pub many: bool,
    /// FHIR isModifier: its value can change the meaning of its siblings.
    pub modifier: bool,
    /// What it holds: one type, or several where it is a choice.
    pub targets: Vec<Target>,
    /// Names of the targets, as in FHIR (`Quantity`, `dateTime`, `Reference`, `BackboneElement`).
    pub type_names: Vec<&'static str>,
}

/// A JSON key of an object type.
#[derive(Debug)]
pub(crate) struct Key {
    pub written: Written,
    /// Which element.
    pub element: u16,
    /// Which of its targets.
    pub target: u8,
    /// The `_x` beside a primitive `x`.
    pub underscore: bool,
    /// The element repeats.
    pub many: bool,
    /// The JSON type of the value, where it is a primitive.
    pub scalar: Option<Scalar>,
    /// The FHIR name of the type.
    pub type_name: &'static str,
}

impl Key {
    pub fn name(&self) -> &str {
        self.written.text.trim_start_matches('"').trim_end_matches("\":")
    }
}

/// The bit of an element, by its place in its object type: no type has more than 62.
#[inline]
pub(crate) const fn bit(element: usize) -> u64 {
    1 << (element & 63)
}

/// An object type: a resource, a part of one, or a data type.
#[derive(Debug)]
pub struct ObjectType {
    /// `Patient`, `Patient.contact`, `HumanName`.
    pub name: &'static str,
    /// A resource type.
    pub is_resource: bool,
    /// Its elements, in the order of the definitions.
    pub elements: Vec<Element>,
    /// Elements tied by a constraint of severity error: the constraint's key and the elements' names.
    pub constraints: Vec<(&'static str, Vec<&'static str>)>,
    pub(crate) keys: Vec<Key>,
    /// How many keys all object types before it have, and one for each of these.
    pub(crate) first_key: usize,
    lookup: Lookup,
    in_resource: bool,
}

impl ObjectType {
    /// The element of that name.
    #[must_use]
    pub fn element(&self, name: &str) -> Option<&Element> {
        self.elements.iter().find(|element| element.name == name)
    }

    /// Whether it is a resource or a part of one, and not a data type.
    #[must_use]
    pub const fn is_in_resource(&self) -> bool {
        self.in_resource
    }

    #[inline]
    pub(crate) fn key(&self, name: &[u8]) -> Option<u16> {
        self.lookup.get(name, &self.keys)
    }

    /// The bit of the element of that name; none if it has none.
    pub(crate) fn bit_of(&self, name: &str) -> u64 {
        self.elements.iter().position(|element| element.name == name).map_or(0, bit)
    }

    pub(crate) fn key_of(&self, name: &str) -> Option<u16> {
        self.key(name.as_bytes())
    }
}

/// What one search parameter reads.
#[derive(Debug)]
pub struct SearchParameter {
    /// Resource type, or `Resource` or `DomainResource`.
    pub base: &'static str,
    /// The name in a query.
    pub code: &'static str,
    /// `token`, `date`, `reference` ...
    pub kind: &'static str,
    /// Paths of the elements that it reads; empty = no path tells, so that it is refused.
    pub reads: Vec<&'static str>,
}

/// All of it.
#[derive(Debug)]
pub struct Dictionary {
    types: Vec<ObjectType>,
    by_name: HashMap<&'static str, TypeId>,
    resources: Lookup,
    resource_keys: Vec<Key>,
    resource_ids: Vec<TypeId>,
    /// What search parameters read.
    pub search: Vec<SearchParameter>,
}

/// The dictionary, read once.
#[must_use]
pub fn dictionary() -> &'static Dictionary {
    static DICTIONARY: LazyLock<Dictionary> = LazyLock::new(Dictionary::read);
    &DICTIONARY
}

impl Dictionary {
    /// Every object type.
    #[must_use]
    pub fn types(&self) -> &[ObjectType] {
        &self.types
    }

    /// An object type by name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<TypeId> {
        self.by_name.get(name).copied()
    }

    /// A resource type by name.
    #[must_use]
    pub fn resource(&self, name: &str) -> Option<TypeId> {
        self.resource_by_bytes(name.as_bytes())
    }

    /// The resource types.
    #[must_use]
    pub fn resources(&self) -> &[TypeId] {
        &self.resource_ids
    }

    /// The place of a resource type among [`Self::resources`].
    pub(crate) fn resource_place(&self, id: TypeId) -> Option<usize> {
        self.resource_ids.binary_search(&id).ok()
    }

    #[inline]
    pub(crate) fn resource_by_bytes(&self, name: &[u8]) -> Option<TypeId> {
        self.resources.get(name, &self.resource_keys).and_then(|key| self.resource_ids.get(usize::from(key)).copied())
    }

    /// An object type.
    ///
    /// # Panics
    /// Never: ids come from this dictionary alone.
    #[must_use]
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "ids come from this dictionary alone")]
    pub fn get(&self, id: TypeId) -> &ObjectType {
        &self.types[id.index()]
    }

    /// Resolves a path of elements (`Patient.contact.name`, through data types too: `Patient.photo.data`).
    #[must_use]
    pub fn resolve(&self, path: &str) -> Option<&Element> {
        let mut segments = path.split('.');
        let mut here = vec![self.find(segments.next()?)?];
        let mut found = None;
        for segment in segments {
            let element = here.iter().find_map(|id| self.get(*id).element(segment))?;
            here = element
                .targets
                .iter()
                .filter_map(|target| match target {
                    Target::Object(id) => Some(*id),
                    Target::Reference(_) => self.find("Reference"),
                    Target::Primitive(_) | Target::Resource => None,
                })
                .collect();
            found = Some(element);
        }
        found
    }

    fn read() -> Self {
        let mut types = Vec::new();
        let mut by_name = HashMap::new();
        for line in TYPES.lines() {
            if let Some(name) = line.strip_prefix("type ") {
                let name = name.trim_end_matches(" resource");
                by_name.insert(name, TypeId(u16::try_from(by_name.len()).unwrap_or(u16::MAX)));
            }
        }
        for line in TYPES.lines().filter(|line| !line.starts_with('#')) {
            if let Some(rest) = line.strip_prefix("type ") {
                let is_resource = rest.ends_with(" resource");
                let name = rest.trim_end_matches(" resource");
                types.push(ObjectType {
                    name,
                    is_resource,
                    elements: Vec::new(),
                    constraints: Vec::new(),
                    keys: Vec::new(),
                    first_key: 0,
                    lookup: Lookup::default(),
                    in_resource: false,
                });
            } else if let Some(object) = types.last_mut() {
                read_line(object, line, &by_name);
            }
        }
        let roots: std::collections::HashSet<&str> =
            types.iter().filter(|object| object.is_resource).map(|object| object.name).collect();
        let mut first_key = 0;
        for object in &mut types {
            object.in_resource = object.name.split('.').next().is_some_and(|root| roots.contains(root));
            object.keys = keys_of(&object.elements);
            object.lookup = Lookup::new(&object.keys);
            object.first_key = first_key;
            first_key += object.keys.len() + 1;
        }
        let resource_ids: Vec<TypeId> = types
            .iter()
            .filter(|object| object.is_resource)
            .filter_map(|object| by_name.get(object.name).copied())
            .collect();
        let resource_keys: Vec<Key> = types
            .iter()
            .filter(|object| object.is_resource)
            .map(|object| Key {
                written: Written::new(object.name),
                element: 0,
                target: 0,
                underscore: false,
                many: false,
                scalar: None,
                type_name: "",
            })
            .collect();
        Self {
            resources: Lookup::new(&resource_keys),
            types,
            by_name,
            resource_keys,
            resource_ids,
            search: read_search(),
        }
    }
}

fn read_line(object: &mut ObjectType, line: &'static str, by_name: &HashMap<&'static str, TypeId>) {
    let mut words = line.split_whitespace();
    let (Some(name), Some(second)) = (words.next(), words.next()) else { return };
    if let Some(key) = name.strip_prefix('~') {
        object.constraints.push((key, std::iter::once(second).chain(words).collect()));
        return;
    }
    let types = words.next().unwrap_or_default();
    let mut type_names = Vec::new();
    let mut targets = Vec::new();
    for written in types.split('|') {
        let (base, arguments) = written.split_once('(').unwrap_or((written, ""));
        let (target, type_name) = match base {
            "Resource" => (Target::Resource, "Resource"),
            "Reference" => {
                let allowed = arguments.trim_end_matches(')').split(',').filter_map(|name| by_name.get(name).copied());
                (Target::Reference(allowed.collect()), "Reference")
            }
            _ if base.starts_with('#') => {
                let id = by_name.get(base.trim_start_matches('#')).copied().unwrap_or(TypeId(0));
                (Target::Object(id), "BackboneElement")
            }
            _ if base.starts_with(char::is_uppercase) => {
                (Target::Object(by_name.get(base).copied().unwrap_or(TypeId(0))), base)
            }
            _ => (Target::Primitive(base), base),
        };
        targets.push(target);
        type_names.push(type_name);
    }
    object.elements.push(Element {
        name,
        required: second.starts_with('1'),
        many: second.contains('*'),
        modifier: second.ends_with('!'),
        targets,
        type_names,
    });
}

fn keys_of(elements: &[Element]) -> Vec<Key> {
    let mut keys = Vec::new();
    for (index, element) in elements.iter().enumerate() {
        for (target_index, target) in element.targets.iter().enumerate() {
            let name = match element.name.strip_suffix("[x]") {
                Some(base) => {
                    let type_name = element.type_names.get(target_index).copied().unwrap_or_default();
                    let mut letters = type_name.chars();
                    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
                    format!("{base}{}{}", first.unwrap_or_default(), letters.as_str())
                }
                None => element.name.to_owned(),
            };
            let scalar = match target {
                Target::Primitive("boolean") => Some(Scalar::Bool),
                Target::Primitive("integer" | "positiveInt" | "unsignedInt" | "decimal") => Some(Scalar::Number),
                Target::Primitive(_) => Some(Scalar::String),
                _ => None,
            };
            let number = u16::try_from(index).unwrap_or(u16::MAX);
            let type_name = element.type_names.get(target_index).copied().unwrap_or_default();
            let target = u8::try_from(target_index).unwrap_or(u8::MAX);
            keys.push(Key {
                written: Written::new(&name),
                element: number,
                target,
                underscore: false,
                many: element.many,
                scalar,
                type_name,
            });
            if scalar.is_some() {
                keys.push(Key {
                    written: Written::new(&format!("_{name}")),
                    element: number,
                    target,
                    underscore: true,
                    many: element.many,
                    scalar: None,
                    type_name,
                });
            }
        }
    }
    keys
}

fn read_search() -> Vec<SearchParameter> {
    SEARCH
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (base, code, kind, reads) = (words.next()?, words.next()?, words.next()?, words.next()?);
            let reads = reads.split('|').filter(|path| *path != "withheld").collect();
            Some(SearchParameter { base, code, kind, reads })
        })
        .collect()
}

/// Open-addressed hash from a name to its place, on length, first four and last four bytes.
#[derive(Debug, Default)]
struct Lookup {
    slots: Vec<u16>,
    shift: u32,
}

const FREE: u16 = u16::MAX;

#[inline]
fn hash(name: &[u8]) -> u32 {
    let word = |part: Option<&[u8]>| match part {
        Some(&[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]),
        _ => name.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)),
    };
    let first = word(name.get(..4));
    let last = word(name.len().checked_sub(4).and_then(|from| name.get(from..)));
    let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
    first.wrapping_mul(0x9e37_79b1) ^ last.wrapping_mul(0x85eb_ca77).rotate_left(15) ^ length.wrapping_mul(0xc2b2_ae3d)
}

impl Lookup {
    fn new(keys: &[Key]) -> Self {
        let size = (keys.len() * 2).next_power_of_two().max(8);
        let shift = 32 - size.trailing_zeros();
        let mut slots = vec![FREE; size];
        for (index, key) in keys.iter().enumerate() {
            let mut slot = (hash(key.name().as_bytes()).wrapping_mul(0x9e37_79b1) >> shift) as usize;
            while let Some(taken) = slots.get(slot)
                && *taken != FREE
            {
                slot = (slot + 1) & (size - 1);
            }
            if let Some(free) = slots.get_mut(slot) {
                *free = u16::try_from(index).unwrap_or(FREE);
            }
        }
        Self { slots, shift }
    }

    #[inline]
    fn get(&self, name: &[u8], keys: &[Key]) -> Option<u16> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut slot = (hash(name).wrapping_mul(0x9e37_79b1) >> self.shift) as usize & mask;
        loop {
            let index = *self.slots.get(slot)?;
            if index == FREE {
                return None;
            }
            let text = keys.get(usize::from(index))?.written.text.as_bytes();
            if text.len() == name.len() + 3 && text.get(1..=name.len()) == Some(name) {
                return Some(index);
            }
            slot = (slot + 1) & mask;
        }
    }
}

#[cfg(test)]
mod tests;
