//! Links in Attachments, by docs/view.md, 8. The seal of a link is `-`, which stands for any.

use crate::slow::MARKER;
use crate::slow::json::{Member, Value, parse};
use crate::slow::model::{self, key, object_of, object_type};
use scruple_fhir::{ObjectType, Target};

/// What shows of a resource, with a link in place of each Binary that an Attachment names, and a marker in place of every
/// other address. None if it is not JSON.
pub(super) fn linked(resource_type: &str, id: &str, shown: &[u8]) -> Option<Vec<u8>> {
    let of = format!("{resource_type}/{id}");
    let mut value = parse(shown).ok()?;
    let object = model::resource_type(&value)?;
    rewrite(&of, object, &mut value);
    Some(value.print().into_bytes())
}

fn rewrite(of: &str, object: &'static ObjectType, value: &mut Value) {
    let Value::Object(members) = value else { return };
    for member in members.iter_mut() {
        let Some(known) = key(object, &member.key) else { continue };
        let element = object.elements.get(known.element);
        let Some(target) = element.and_then(|element| element.targets.get(known.target)) else { continue };
        let each = |item: &mut Value| {
            let inner = match target {
                // What stands beside a primitive has its extensions.
                _ if known.underscore => object_type("Element"),
                Target::Resource => model::resource_type(item),
                target => object_of(target),
            };
            if let Some(inner) = inner {
                rewrite(of, inner, item);
            }
        };
        match &mut member.value {
            Value::List(items) => items.iter_mut().for_each(each),
            item => each(item),
        }
    }
    if object.name == "Attachment" && members.iter().any(|member| member.key == "url") {
        members.retain(|member| member.key != "_url");
        members.iter_mut().filter(|member| member.key == "url").for_each(|member| address(of, member));
    }
}

fn address(of: &str, member: &mut Member) {
    let id = member.value.text().and_then(|text| text.strip_prefix("Binary/"));
    let is_id = |id: &&str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    match id.filter(is_id).map(str::to_owned) {
        Some(id) => member.value = Value::Text(format!("Binary/{id}?of={of}&seal=-")),
        None => {
            member.key = "_url".to_owned();
            member.value = parse(MARKER.as_bytes()).unwrap_or(Value::Null);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::linked;

    #[test]
    fn a_binary_gets_a_link_and_another_address_a_marker() {
        let check = |attachment: &str, expected: &str| {
            let of = |inner: &str| format!(r#"{{"resourceType":"Media","content":{inner},"id":"m"}}"#);
            let seen = linked("Media", "m", of(attachment).as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap());
            assert_eq!(seen, Some(of(expected)));
        };
        check(r#"{"url":"Binary/a.b_c","title":"t"}"#, r#"{"url":"Binary/a.b_c?of=Media/m&seal=-","title":"t"}"#);
        check(r#"{"title":"t"}"#, r#"{"title":"t"}"#);
        let marker = r#"{"_url":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"masked"}]}}"#;
        check(r#"{"url":"http://x/Binary/a"}"#, marker);
        check(r#"{"_url":{"id":"x"},"url":"Binary/a/_history/1"}"#, marker);
        check(
            r#"{"_title":{"extension":[{"url":"u","valueAttachment":{"url":"Binary/b"}}]}}"#,
            r#"{"_title":{"extension":[{"url":"u","valueAttachment":{"url":"Binary/b?of=Media/m&seal=-"}}]}}"#,
        );
    }
}
