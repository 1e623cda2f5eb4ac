//! Markers: the constant that stands for a required element which is withheld.

use crate::dictionary::{Dictionary, Element, ObjectType, Target};
use crate::invariants::INVARIANTS;

/// The extension that says that a value is masked (FHIR R4, data-absent-reason).
pub(crate) const MASKED: &str =
    r#"{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"masked"}"#;

/// Whether a constraint on the whole part asks for this element where nothing else shows.
fn mended(object: &ObjectType, element: &str) -> bool {
    INVARIANTS.iter().any(|invariant| {
        let right = invariant.right.first() == Some(&element);
        let has_required =
            invariant.right.iter().any(|name| object.element(name).is_some_and(|element| element.required));
        invariant.object == object.name && invariant.left.is_empty() && right && !has_required
    })
}

/// The marker with its key (`"_status":{...}`), or `None` where the element cannot be replaced by one: a modifier that
/// is withheld is judged by the plan, an instant or a `div` has none.
pub(crate) fn marker(dictionary: &Dictionary, element: &Element) -> Option<String> {
    let target = element.targets.first()?;
    let name = match element.name.strip_suffix("[x]") {
        Some(base) => {
            let type_name = element.type_names.first()?;
            let mut letters = type_name.chars();
            format!("{base}{}{}", letters.next()?.to_ascii_uppercase(), letters.as_str())
        }
        None => element.name.to_owned(),
    };
    let (key, value) = match target {
        Target::Primitive("xhtml") => return None,
        Target::Primitive(_) => (format!("_{name}"), format!(r#"{{"extension":[{MASKED}]}}"#)),
        Target::Resource => return None,
        Target::Reference(_) => (name, format!(r#"{{"extension":[{MASKED}]}}"#)),
        Target::Object(id) => {
            let object = dictionary.get(*id);
            if object.is_in_resource() && object.elements.iter().any(|element| element.required && element.modifier) {
                return None;
            }
            // Data types as parts, where the definition asks for something in them.
            let is_part = object.is_in_resource() || object.elements.iter().any(|element| element.required);
            let required = object.elements.iter().filter(|element| element.required);
            let mended = object.elements.iter().filter(|element| !element.required && mended(object, element.name));
            let inner: Option<Vec<String>> =
                required.chain(mended).map(|element| marker(dictionary, element)).collect();
            match inner?.join(",") {
                inner if is_part && !inner.is_empty() => (name, format!("{{{inner}}}")),
                _ => (name, format!(r#"{{"extension":[{MASKED}]}}"#)),
            }
        }
    };
    Some(if element.many { format!(r#""{key}":[{value}]"#) } else { format!(r#""{key}":{value}"#) })
}
