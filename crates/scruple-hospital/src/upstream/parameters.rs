//! The search parameters that the server knows: which elements of which type each reads, and as what.
//!
//! A table of its own (`parameters.txt`), so that the embedded server is no second look at the gateway's dictionary.
//! Parameters of other kinds, modifiers and chains are not in it: what is not in it is refused.

use std::collections::BTreeMap;
use std::sync::LazyLock;

const TEXT: &str = include_str!("parameters.txt");

/// How the values of a parameter are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Token,
    Text,
    Date,
    Reference,
    Uri,
}

impl Kind {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "token" => Self::Token,
            "string" => Self::Text,
            "date" => Self::Date,
            "reference" => Self::Reference,
            "uri" => Self::Uri,
            _ => return None,
        })
    }

    /// The word of a CapabilityStatement.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Text => "string",
            Self::Date => "date",
            Self::Reference => "reference",
            Self::Uri => "uri",
        }
    }
}

/// What is read of a value that stands at an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    Coding,
    Concept,
    Identifier,
    /// Of this system alone, or of any.
    Contact(Option<&'static str>),
    /// A code without a system of its own: `code`, `id`, `string`, `uri`.
    Code,
    Boolean,
    /// `true` because something stands: `deceasedDateTime` as a token.
    Stands,
    Text,
    HumanName,
    Address,
    Moment,
    Period,
    Timing,
    /// To this type alone, or to any.
    Reference(Option<&'static str>),
    /// A `canonical` or `uri` that points at something.
    Canonical,
    Uri,
}

impl Reader {
    fn parse(kind: Kind, word: &'static str) -> Option<Self> {
        let (name, only) = match word.split_once('(') {
            Some((name, rest)) => (name, Some(rest.strip_suffix(')')?)),
            None => (word, None),
        };
        if only.is_some() && !matches!(name, "Reference" | "ContactPoint") {
            return None;
        }
        Some(match (kind, name) {
            (Kind::Token, "Coding") => Self::Coding,
            (Kind::Token, "CodeableConcept") => Self::Concept,
            (Kind::Token, "Identifier") => Self::Identifier,
            (Kind::Token, "ContactPoint") => Self::Contact(only),
            (Kind::Token, "code" | "id" | "string" | "uri") => Self::Code,
            (Kind::Token, "boolean") => Self::Boolean,
            (Kind::Token, "dateTime") => Self::Stands,
            (Kind::Text, "string" | "markdown") => Self::Text,
            (Kind::Text, "HumanName") => Self::HumanName,
            (Kind::Text, "Address") => Self::Address,
            (Kind::Date, "date" | "dateTime" | "instant") => Self::Moment,
            (Kind::Date, "Period") => Self::Period,
            (Kind::Date, "Timing") => Self::Timing,
            (Kind::Reference, "Reference") => Self::Reference(only),
            (Kind::Reference, "canonical" | "uri") => Self::Canonical,
            (Kind::Uri, "uri" | "url" | "canonical" | "oid" | "uuid") => Self::Uri,
            _ => return None,
        })
    }
}

/// A key under which a value may stand, and what to read of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    pub key: String,
    pub reader: Reader,
}

/// Where values stand: through these keys, then under any of the leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub steps: Vec<&'static str>,
    pub leaves: Vec<Leaf>,
}

impl Path {
    fn parse(kind: Kind, word: &'static str) -> Option<Self> {
        let (elements, reads) = word.split_once(':')?;
        let mut steps: Vec<&'static str> = elements.split('.').collect();
        let last = steps.pop()?;
        let choice = last.strip_suffix("[x]");
        let name = choice.unwrap_or(last);
        let plain = |step: &str| !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !plain(name) || !steps.iter().all(|step| plain(step)) {
            return None;
        }
        let leaf = |read: &'static str| {
            let reader = Reader::parse(kind, read)?;
            Some(Leaf { key: choice.map_or_else(|| name.to_owned(), |stem| choice_key(stem, read)), reader })
        };
        let leaves = reads.split('|').map(leaf).collect::<Option<Vec<_>>>()?;
        (choice.is_some() || leaves.len() == 1).then_some(Self { steps, leaves })
    }
}

/// `value` and `Reference(Patient)` make `valueReference`.
fn choice_key(stem: &str, read: &str) -> String {
    let name = read.split('(').next().unwrap_or(read);
    let (first, rest) = name.split_at(name.len().min(1));
    format!("{stem}{}{rest}", first.to_ascii_uppercase())
}

/// One search parameter of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    pub name: &'static str,
    pub kind: Kind,
    /// None for `_id`, which reads what the store knows.
    pub paths: Vec<Path>,
}

impl Parameter {
    const ID: Self = Self { name: "_id", kind: Kind::Token, paths: Vec::new() };

    fn parse(line: &'static str) -> Option<(&'static str, Self)> {
        let mut words = line.split(' ');
        let resource_type = words.next()?;
        let name = words.next()?;
        let kind = Kind::parse(words.next()?)?;
        let paths = words.map(|word| Path::parse(kind, word)).collect::<Option<Vec<_>>>()?;
        (!paths.is_empty()).then_some((resource_type, Self { name, kind, paths }))
    }

    /// Whether it compares whole strings (`canonical`, `uri`) and not references.
    pub fn is_canonical(&self) -> bool {
        self.paths.iter().flat_map(|path| &path.leaves).any(|leaf| leaf.reader == Reader::Canonical)
    }
}

/// The parameters of each type, `_id` first.
pub(super) fn table() -> &'static BTreeMap<&'static str, Vec<Parameter>> {
    static TABLE: LazyLock<BTreeMap<&'static str, Vec<Parameter>>> = LazyLock::new(|| {
        let mut table: BTreeMap<&'static str, Vec<Parameter>> = BTreeMap::new();
        for (resource_type, parameter) in lines().filter_map(Parameter::parse) {
            table.entry(resource_type).or_insert_with(|| vec![Parameter::ID]).push(parameter);
        }
        table
    });
    &TABLE
}

/// The parameters of a type; of one that the table does not have, `_id` alone.
pub(super) fn of(resource_type: &str) -> &'static [Parameter] {
    static ID_ALONE: [Parameter; 1] = [Parameter::ID];
    table().get(resource_type).map_or(&ID_ALONE, Vec::as_slice)
}

fn lines() -> impl Iterator<Item = &'static str> {
    TEXT.lines().filter(|line| !line.starts_with('#'))
}

#[cfg(test)]
mod tests;
