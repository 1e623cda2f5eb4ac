//! JSON as a tree that keeps what a reader sees: the order of members, and numbers as they are written.
//!
//! `serde_json::Value` sorts members and rounds `5.10` to `5.1`; of a clinical record both are content. It does not judge
//! FHIR.

use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Levels that are read.
const DEPTH_MAX: usize = 64;

/// A JSON value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tree {
    /// `null`, `true`, or a number, as written.
    Plain(String),
    /// A string, unescaped.
    Text(String),
    /// An array.
    List(Vec<Tree>),
    /// An object, in its order.
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// Reads JSON; `None` if it is none, or too deep.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        read(serde_json::from_slice(bytes).ok()?, 0)
    }

    /// The member with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.members().iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The members of an object; none of anything else.
    #[must_use]
    pub fn members(&self) -> &[(String, Self)] {
        if let Self::Object(members) = self { members } else { &[] }
    }

    /// The items of an array; anything else is its own only item.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { std::slice::from_ref(self) }
    }

    /// The text of a string.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// It is neither an array nor an object.
    #[must_use]
    pub const fn is_scalar(&self) -> bool {
        matches!(self, Self::Plain(_) | Self::Text(_))
    }

    /// A scalar as people read it.
    #[must_use]
    pub fn shown(&self) -> Option<&str> {
        match self {
            Self::Plain(text) | Self::Text(text) => Some(text),
            Self::List(_) | Self::Object(_) => None,
        }
    }
}

fn read(raw: &RawValue, depth: usize) -> Option<Tree> {
    let text = raw.get();
    if depth > DEPTH_MAX {
        return None;
    }
    match text.as_bytes().first()? {
        b'{' => {
            let Members(members) = serde_json::from_str(text).ok()?;
            let read = members.into_iter().map(|(key, value)| Some((key, read(value, depth + 1)?)));
            read.collect::<Option<_>>().map(Tree::Object)
        }
        b'[' => {
            let Items(items) = serde_json::from_str(text).ok()?;
            items.into_iter().map(|item| read(item, depth + 1)).collect::<Option<_>>().map(Tree::List)
        }
        b'"' => serde_json::from_str(text).ok().map(Tree::Text),
        _ => Some(Tree::Plain(text.to_owned())),
    }
}

struct Members<'a>(Vec<(String, &'a RawValue)>);
struct Items<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Read)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Items<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Items(items))
            }
        }
        deserializer.deserialize_seq(Read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_digits_stay() {
        let tree = Tree::parse(br#" {"z":5.10,"a":[true, null,"\u00e9"]} "#).unwrap();
        let names: Vec<&str> = tree.members().iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(names, ["z", "a"]);
        assert_eq!(tree.get("z").and_then(Tree::shown), Some("5.10"));
        assert_eq!(tree.get("a").unwrap().items().last().and_then(Tree::text), Some("é"));
    }

    #[test]
    fn what_is_no_json_or_too_deep_is_nothing() {
        assert_eq!(Tree::parse(b"{"), None);
        assert_eq!(Tree::parse("[".repeat(100).as_bytes()), None);
        let deep = format!("{}1{}", "[".repeat(70), "]".repeat(70));
        assert_eq!(Tree::parse(deep.as_bytes()), None);
    }
}
