//! What a policy pack says about the dictionary: which category an element belongs to, what masks do, what codes mean.
//!
//! The pack's compiler fills it; the plan reads it. It holds no role and no decision.

use crate::about::Inheritances;
use crate::codes::CodeIndex;
use scruple_core::{CategoryId, MaskId, SegmentSet};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Where an element belongs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Place {
    /// A category.
    Category(CategoryId),
    /// The category that the discriminators of the type choose.
    Class,
    /// It shows wherever its parent does.
    Structure,
    /// Withheld for everyone but the pass-through profiles.
    Withheld,
}

/// A line of `discriminators.csv`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Discriminator {
    /// Path of a CodeableConcept or Coding: of a resource (`Observation.category`), or of an element's item (`Patient.identifier.type`).
    pub element: String,
    /// System and code; `None` is the default line.
    pub coding: Option<(String, String)>,
    /// The category that it chooses.
    pub category: CategoryId,
}

/// A line of `extensions.csv`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownExtension {
    /// Its URL.
    pub url: String,
    /// The element that holds it, or `*`.
    pub on: String,
    /// Where it belongs.
    pub place: Place,
}

/// What a mask does to an element.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MaskFunction {
    /// As it is, with everything below.
    Keep,
    /// Its children, each by this mask.
    Into,
    /// Withheld.
    Withhold,
    /// A `code` that has the form of one.
    Code,
    /// A Coding of a listed system, without its display.
    Coding,
    /// The same, if it stands in a list of the pack.
    Listed(u16),
    /// The year of a date.
    Year,
    /// The age in place of a birth date.
    Age,
    /// Three digits of a US ZIP code.
    Zip3,
    /// The last four characters.
    Last4,
    /// A keyed pseudonym.
    Token,
    /// A dummy of the same shape.
    Shape,
}

/// A mask: its name and what it does, by selector (`Type.element`, `*.element`, or a FHIR type).
#[derive(Clone, Debug, Default)]
pub struct Mask {
    /// Its name in the pack.
    pub name: String,
    /// Selector to function.
    pub rules: HashMap<String, MaskFunction>,
}

impl Mask {
    /// The function for an element: by path, by name, by FHIR type; none where no line fits.
    #[must_use]
    pub fn function(&self, path: &str, name: &str, type_name: &str) -> MaskFunction {
        self.rules
            .get(path)
            .or_else(|| self.rules.get(&format!("*.{name}")))
            .or_else(|| self.rules.get(type_name))
            .copied()
            .unwrap_or(MaskFunction::Withhold)
    }
}

/// All that a pack says about the dictionary.
#[derive(Debug, Default)]
pub struct Annotation {
    /// Categories whose codes can put a segment on their resource, as bits.
    pub labelled: u64,
    /// Categories that are nobody's PHI, as bits: what has its home in one never passes as it is.
    pub not_phi: u64,
    /// The category of prose.
    pub free_text: CategoryId,
    /// The category of `meta.versionId` and `meta.lastUpdated`.
    pub change_metadata: CategoryId,
    /// Element lines: path to place.
    pub places: BTreeMap<String, Place>,
    /// `Type.*` lines.
    pub rest: BTreeMap<String, Place>,
    /// `Type` lines: the home of the type.
    pub homes: BTreeMap<String, Place>,
    /// `Reference(Type).display` and `.identifier` lines: (type, element) to place.
    pub references: BTreeMap<(String, String), Place>,
    /// `discriminators.csv`.
    pub discriminators: Vec<Discriminator>,
    /// `extensions.csv`.
    pub extensions: Vec<KnownExtension>,
    /// `groups.csv`: type and elements that stand or fall together.
    pub groups: Vec<(String, Vec<String>)>,
    /// `masks.csv`, in the order of `MaskId`.
    pub masks: Vec<Mask>,
    /// `lists/*.csv`: system and code.
    pub lists: Vec<BTreeSet<(String, String)>>,
    /// Code systems, segment codes, security labels.
    pub codes: CodeIndex,
    /// References that label the resource that holds them.
    pub reference_sources: HashMap<String, SegmentSet>,
    /// Values of `meta.source` that label their resource.
    pub meta_sources: HashMap<String, SegmentSet>,
    /// `inheritance.csv`.
    pub inheritance: Inheritances,
    /// Segments that are recognised by codes: an unclassified resource opens to those who hold all of them.
    pub code_segments: SegmentSet,
    /// How many segments the pack has.
    pub segments: usize,
    /// Categories of which a segment's limit `coded` leaves codes, as bits.
    pub coded_categories: u64,
    /// The mask that `coded` means.
    pub coded_mask: Option<MaskId>,
}

impl Annotation {
    /// Whether codes of this place put a segment on the resource. `class` is judged by the type's discriminators.
    #[must_use]
    pub fn is_labelled(&self, place: Place, type_name: &str) -> bool {
        let bit = |category: CategoryId| self.labelled & 1 << (category.0 & 63) != 0;
        match place {
            Place::Category(category) => bit(category),
            Place::Class => self.class_lines(type_name).any(|line| bit(line.category)),
            Place::Structure | Place::Withheld => false,
        }
    }

    /// Whether resources of a type belong to a category that is nobody's PHI.
    pub(crate) fn is_nobodys(&self, type_name: &str) -> bool {
        let bit =
            |place: &Place| matches!(place, Place::Category(category) if self.not_phi & 1 << (category.0 & 63) != 0);
        self.homes.get(type_name).is_some_and(bit)
    }

    /// The lines of the elements whose path begins with `prefix` (`Patient.`).
    pub(crate) fn places_below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a String, &'a Place)> {
        self.places.range(prefix.to_owned()..).take_while(move |(path, _)| path.starts_with(prefix))
    }

    /// The discriminator lines that choose the class of a resource type.
    pub fn class_lines<'a>(&'a self, type_name: &'a str) -> impl Iterator<Item = &'a Discriminator> {
        self.discriminators.iter().filter(move |line| {
            line.element.split_once('.').is_some_and(|(root, rest)| root == type_name && !rest.contains('.'))
        })
    }

    /// The discriminator lines that choose the category of each item of `element` (`Patient.identifier`).
    pub fn item_lines<'a>(&'a self, element: &'a str) -> impl Iterator<Item = (&'a str, &'a Discriminator)> {
        self.discriminators.iter().filter_map(move |line| {
            let (holder, key) = line.element.rsplit_once('.')?;
            (holder == element).then_some((key, line))
        })
    }
}
