//! References: which type one points to, and whether it may show.

use super::facts::Facts;
use super::json::Value;
use super::place::Here;
use super::{Limit, Slow, View};
use scruple_fhir::dictionary;
use std::collections::BTreeMap;

/// Contained resources by id: type, and whether they show.
pub(super) type Contained = BTreeMap<String, (&'static str, bool)>;

/// What the text of `Reference.reference` is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Literal {
    /// `Type/id`
    Relative(&'static str),
    /// `http://.../Type/id`; the type where it can be told.
    Absolute(Option<&'static str>),
    /// `Type?query`
    Query(&'static str),
    /// `#id`, or `#`
    Local(String),
    /// `urn:...`
    Urn,
    /// Anything else, what is written with an escape among it.
    Other,
}

impl Literal {
    pub fn read(raw: &str) -> Self {
        if raw.contains('\\') {
            return Self::Other;
        }
        if let Some(id) = raw.strip_prefix('#') {
            return Self::Local(id.to_owned());
        }
        if raw.starts_with("urn:") {
            return Self::Urn;
        }
        let absolute = raw.starts_with("http://") || raw.starts_with("https://");
        if let Some((path, _)) = raw.split_once('?') {
            return match type_named(path) {
                Some(name) => Self::Query(name),
                None if absolute => Self::Absolute(None),
                None => Self::Other,
            };
        }
        match (plain_literal(without_version(raw)), absolute) {
            (Some((name, _)), false) => Self::Relative(name),
            (_, true) => {
                let mut parts = without_version(raw).rsplitn(3, '/');
                let (id, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
                Self::Absolute(type_named(name).filter(|_| is_id(id)))
            }
            (None, false) => Self::Other,
        }
    }
}

fn type_named(name: &str) -> Option<&'static str> {
    dictionary().resource(name).map(|id| dictionary().get(id).name)
}

fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

/// `Type/id` of a relative or absolute literal.
pub(super) fn type_and_id(raw: &str) -> Option<String> {
    let mut parts = without_version(raw).rsplitn(3, '/');
    let (id, name) = (parts.next()?, parts.next()?);
    let plain = !raw.starts_with('#') && !raw.contains('?') && !raw.starts_with("urn:");
    (plain && is_id(id) && type_named(name).is_some()).then(|| format!("{name}/{id}"))
}

/// `Type/id` and nothing more.
pub(super) fn plain_literal(raw: &str) -> Option<(&'static str, &str)> {
    let (name, id) = raw.split_once('/')?;
    Some((type_named(name)?, id)).filter(|_| is_id(id))
}

pub(super) fn without_version(raw: &str) -> &str {
    match raw.rsplit_once("/_history/") {
        Some((before, version)) if is_id(version) => before,
        _ => raw,
    }
}

impl Slow<'_> {
    /// The resource type that a Reference points to, where it can be told.
    pub(super) fn target_type(&self, here: &Here, value: &Value, contained: &Contained) -> Option<&'static str> {
        let may_be = |name: &&str| here.allowed.is_empty() || here.allowed.contains(name);
        let of_literal = match value.get("reference").and_then(Value::text).map(Literal::read) {
            Some(Literal::Relative(name) | Literal::Query(name)) => Some(name),
            // A literal that does not tell its type has none, whatever stands beside.
            Some(Literal::Absolute(name)) => return name,
            Some(Literal::Urn | Literal::Other) => return None,
            Some(Literal::Local(id)) => contained.get(&id).map(|(name, _)| *name),
            None => None,
        };
        of_literal
            .or_else(|| value.get("type").and_then(Value::plain).and_then(type_named).filter(|name| may_be(name)))
            .or(match here.allowed.as_slice() {
                [only] => Some(*only),
                _ => None,
            })
    }

    /// Whether the whole Reference is hidden by what its literal points to.
    pub(super) fn is_reference_hidden(&self, points_to: Option<&str>, value: &Value, contained: &Contained) -> bool {
        let Some(raw) = value.get("reference").and_then(Value::text) else {
            return points_to.is_some_and(|name| self.is_type_none(name));
        };
        match Literal::read(raw) {
            Literal::Local(id) => !id.is_empty() && !contained.get(&id).is_some_and(|(_, shows)| *shows),
            Literal::Urn => !self.visible.contains(raw),
            _ => match points_to {
                // Reading: a literal whose target's type cannot be told points to anything, so it is hidden.
                None => true,
                Some(name) => {
                    self.is_type_none(name)
                        || self.can_be_hidden_by_label(name)
                            && (!matches!(Literal::read(raw), Literal::Relative(_))
                                || !self.visible.contains(without_version(raw)))
                }
            },
        }
    }

    /// The type's home is none for this decision, without labels. Of a class: if no category of it shows.
    fn is_type_none(&self, name: &str) -> bool {
        let facts = Facts::default();
        match self.pack.elements.get(name).map(String::as_str) {
            None => true,
            Some("class") => {
                self.discriminator_categories(name).iter().all(|category| self.view(category, &facts) == View::None)
            }
            Some(category) => self.view(category, &facts) == View::None,
        }
    }

    /// A labelled category is used in it, and a segment's limit is not follow.
    fn can_be_hidden_by_label(&self, name: &str) -> bool {
        let of_type = |path: &str| path == name || path.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        let labelled =
            self.pack.elements.iter().any(|(path, category)| of_type(path) && self.is_labelled(category, name))
                || self
                    .pack
                    .discriminators
                    .iter()
                    .any(|line| of_type(&line.element) && self.is_labelled(&line.category, name));
        // Not every class of the type shows: its literal alone would tell which one the target is not.
        let facts = Facts::default();
        let classes = self.pack.elements.get(name).is_some_and(|home| home == "class")
            && self.discriminator_categories(name).iter().any(|category| self.view(category, &facts) == View::None);
        classes || labelled && self.pack.all_segments().any(|segment| self.limit(segment) != Limit::Follow)
    }

    /// Whether `Reference.reference` itself may show: literals that carry identifiers need the identifier's view.
    pub(super) fn may_literal_show(&self, here: &Here, raw: &str, view: &View, facts: &Facts) -> bool {
        match Literal::read(raw) {
            Literal::Query(_) | Literal::Absolute(_) | Literal::Other => {
                let identifier = self.reference_view(here.points_to, &here.allowed, "identifier", facts);
                view.clone().meet(identifier) == View::Full
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_told_apart() {
        for (raw, literal) in [
            ("Patient/1", Literal::Relative("Patient")),
            ("Patient/1/_history/2", Literal::Relative("Patient")),
            ("Patient/1/x", Literal::Other),
            ("Patient/", Literal::Other),
            ("Shoe/1", Literal::Other),
            ("https://x.example/fhir/Patient/1", Literal::Absolute(Some("Patient"))),
            ("https://x.example/fhir/Patient/1/_history/3", Literal::Absolute(Some("Patient"))),
            ("http://x.example/a", Literal::Absolute(None)),
            ("Patient?identifier=a|b", Literal::Query("Patient")),
            ("http://x.example/Patient?identifier=1", Literal::Absolute(None)),
            ("#", Literal::Local(String::new())),
            ("#a", Literal::Local("a".to_owned())),
            ("urn:uuid:1", Literal::Urn),
            (r"Patient\/1", Literal::Other),
            ("", Literal::Other),
        ] {
            assert_eq!(Literal::read(raw), literal, "{raw}");
        }
    }
}
