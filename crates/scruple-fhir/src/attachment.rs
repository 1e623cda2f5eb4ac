//! Addresses in Attachments (docs/view.md, 8): one that names a Binary becomes a link of the gateway's own, any other goes.

use crate::dictionary::{Target, TypeId, dictionary};
use crate::json::{Scanned, Scanner};
use crate::marker::MASKED;
use crate::reference::{Literal, is_id, literal};
use std::borrow::Cow;

/// Without it there is nothing to do.
const ADDRESS: &[u8] = br#""url":""#;

/// Whether a type is Binary, which shows through an Attachment that names it alone.
#[must_use]
pub fn is_binary(resource_type: TypeId) -> bool {
    dictionary().get(resource_type).name == "Binary"
}

/// A projection with the addresses of its Attachments rewritten: `Binary/id` to what `link` makes of the id, every other to a
/// marker. None if it is no projection of a resource.
#[must_use]
pub fn with_links<'a>(bytes: &'a [u8], link: &dyn Fn(&str) -> String) -> Option<Cow<'a, [u8]>> {
    if memchr::memmem::find(bytes, ADDRESS).is_none() {
        return Some(Cow::Borrowed(bytes));
    }
    let mut writer = Writer { scan: Scanner::new(bytes), bytes, out: Vec::with_capacity(bytes.len() + 128), link };
    writer.resource().ok()?;
    Some(Cow::Owned(writer.out))
}

struct Writer<'a, 'l> {
    scan: Scanner<'a>,
    bytes: &'a [u8],
    out: Vec<u8>,
    link: &'l dyn Fn(&str) -> String,
}

impl Writer<'_, '_> {
    fn resource(&mut self) -> Scanned<()> {
        self.scan.at_object()?;
        let [name] = self.scan.find([b"resourceType"])?;
        let kind = self.scan.plain_string_at(name).and_then(|name| dictionary().resource_by_bytes(name));
        match kind {
            Some(kind) => self.object(kind),
            None => Err(self.scan.wrong_value()),
        }
    }

    fn object(&mut self, kind: TypeId) -> Scanned<()> {
        let object = dictionary().get(kind);
        let address = if object.name == "Attachment" { self.address()? } else { Address::None };
        self.out.push(b'{');
        let mut first = true;
        let mut more = self.scan.open(b'}')?;
        while more {
            let key = self.scan.key()?;
            if let (b"_url", Address::Binary(_) | Address::Other) = (key, &address) {
                self.scan.skip()?;
                more = self.scan.more(b'}')?;
                continue;
            }
            if !std::mem::replace(&mut first, false) {
                self.out.push(b',');
            }
            match (key, &address) {
                (b"url", Address::Binary(link)) => {
                    self.scan.skip()?;
                    self.out.extend_from_slice(format!("\"url\":\"{link}\"").as_bytes());
                }
                (b"url", Address::Other) => {
                    self.scan.skip()?;
                    self.out.extend_from_slice(format!(r#""_url":{{"extension":[{MASKED}]}}"#).as_bytes());
                }
                _ => {
                    self.out.push(b'"');
                    self.out.extend_from_slice(key);
                    self.out.extend_from_slice(b"\":");
                    let written = object.key(key).and_then(|index| object.keys.get(usize::from(index)));
                    let inner = written.and_then(|written| match written.underscore {
                        true => Some(Inner::Object(dictionary().find("Element")?)),
                        false => {
                            let element = object.elements.get(usize::from(written.element))?;
                            Inner::of(element.targets.get(usize::from(written.target))?)
                        }
                    });
                    self.value(inner)?;
                }
            }
            more = self.scan.more(b'}')?;
        }
        self.out.push(b'}');
        Ok(())
    }

    /// The address of the Attachment that begins here.
    fn address(&self) -> Scanned<Address> {
        let [url] = self.scan.find([b"url"])?;
        let Some(url) = url else { return Ok(Address::None) };
        let text = self.scan.plain_string_at(Some(url));
        Ok(match text.map(literal) {
            Some(Literal::Relative { resource_type: b"Binary", id }) if is_id(id) && text.is_some_and(is_bare) => {
                Address::Binary((self.link)(std::str::from_utf8(id).unwrap_or_default()))
            }
            _ => Address::Other,
        })
    }

    fn value(&mut self, inner: Option<Inner>) -> Scanned<()> {
        if inner.is_none() || self.scan.peek() != b'[' {
            return self.item(inner);
        }
        self.out.push(b'[');
        let mut more = self.scan.open(b']')?;
        let mut first = true;
        while more {
            if !std::mem::replace(&mut first, false) {
                self.out.push(b',');
            }
            self.item(inner)?;
            more = self.scan.more(b']')?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn item(&mut self, inner: Option<Inner>) -> Scanned<()> {
        match (inner, self.scan.peek()) {
            (Some(Inner::Object(kind)), b'{') => self.object(kind),
            (Some(Inner::Resource), b'{') => self.resource(),
            _ => {
                let start = self.scan.at;
                self.scan.skip()?;
                self.out.extend_from_slice(self.bytes.get(start..self.scan.at).unwrap_or_default());
                Ok(())
            }
        }
    }
}

/// What can hold an Attachment.
#[derive(Clone, Copy)]
enum Inner {
    Object(TypeId),
    Resource,
}

impl Inner {
    fn of(target: &Target) -> Option<Self> {
        match target {
            Target::Object(kind) => Some(Self::Object(*kind)),
            Target::Reference(_) => dictionary().find("Reference").map(Self::Object),
            Target::Resource => Some(Self::Resource),
            Target::Primitive(_) => None,
        }
    }
}

enum Address {
    None,
    Binary(String),
    Other,
}

/// Without a version.
fn is_bare(text: &[u8]) -> bool {
    text.iter().filter(|byte| **byte == b'/').count() == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: Option<&str>) {
        let link = |id: &str| format!("Binary/{id}?seal=x");
        let linked = with_links(input.as_bytes(), &link);
        assert_eq!(linked.map(|bytes| String::from_utf8(bytes.into_owned()).unwrap()).as_deref(), expected, "{input}");
    }

    #[test]
    fn the_address_of_a_binary_becomes_a_link_and_any_other_goes() {
        let of = |attachment: &str| {
            format!(r#"{{"resourceType":"DocumentReference","content":[{{"attachment":{attachment}}}],"id":"d"}}"#)
        };
        let marker = r#""_url":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"masked"}]}"#;
        check(&of(r#"{"url":"Binary/b1","size":3}"#), Some(&of(r#"{"url":"Binary/b1?seal=x","size":3}"#)));
        check(&of(r#"{"_url":{"id":"i"},"url":"Binary/b1"}"#), Some(&of(r#"{"url":"Binary/b1?seal=x"}"#)));
        for other in [
            "https://ehr.example/fhir/Binary/b1",
            "Binary/b1/_history/2",
            "Patient/p1",
            "Binary/a/b",
            "x?sig=1",
            "\\u0042inary/b1",
        ] {
            let written = of(&format!(r#"{{"size":3,"url":"{other}","_url":{{"id":"i"}}}}"#));
            check(&written, Some(&of(&format!(r#"{{"size":3,{marker}}}"#))));
        }
    }

    #[test]
    fn every_attachment_is_met_and_nothing_else_is_touched() {
        check(
            r#"{"resourceType":"Patient","photo":[{"url":"Binary/a"},{"title":"t"}],"extension":[{"url":"http://x","valueAttachment":{"url":"Binary/b"}}]}"#,
            Some(
                r#"{"resourceType":"Patient","photo":[{"url":"Binary/a?seal=x"},{"title":"t"}],"extension":[{"url":"http://x","valueAttachment":{"url":"Binary/b?seal=x"}}]}"#,
            ),
        );
        check(
            r#"{"resourceType":"DiagnosticReport","contained":[{"resourceType":"Media","content":{"url":"Binary/c"}}],"presentedForm":[{"url":"Binary/d"}],"unknown":{"url":"Binary/e"}}"#,
            Some(
                r#"{"resourceType":"DiagnosticReport","contained":[{"resourceType":"Media","content":{"url":"Binary/c?seal=x"}}],"presentedForm":[{"url":"Binary/d?seal=x"}],"unknown":{"url":"Binary/e"}}"#,
            ),
        );
        check(
            r#"{"resourceType":"Observation","_status":{"extension":[{"valueAttachment":{"url":"https://x/1?sig=a"}}]},"subject":{"reference":"Patient/p","extension":[{"valueAttachment":{"url":"Binary/f"}}]},"note":[{"_text":{"extension":[{"valueAttachment":{"url":"Binary/g"}}]}}]}"#,
            Some(
                r#"{"resourceType":"Observation","_status":{"extension":[{"valueAttachment":{"_url":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"masked"}]}}}]},"subject":{"reference":"Patient/p","extension":[{"valueAttachment":{"url":"Binary/f?seal=x"}}]},"note":[{"_text":{"extension":[{"valueAttachment":{"url":"Binary/g?seal=x"}}]}}]}"#,
            ),
        );
        let plain = r#"{"resourceType":"Patient","meta":{"profile":["http://x"]}}"#;
        check(plain, Some(plain));
        check(r#"{"resourceType":"Shoe","photo":{"url":"Binary/a"}}"#, None);
        check(r#"{"url":"Binary/a"}"#, None);
    }
}
