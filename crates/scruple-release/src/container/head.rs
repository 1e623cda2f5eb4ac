//! What the beginning of an object tells: whether it is a Bundle, and where its entries are.

use super::*;

/// What the beginning of an object tells.
#[derive(Clone, Copy)]
pub(super) enum Head {
    /// A Bundle: where its key `entry` begins, and where its first item may.
    Bundle {
        key_at: usize,
        entries_at: usize,
    },
    /// It has `entry` before `resourceType`.
    Late,
    Other,
}

/// What the object that begins here is. A Bundle under rules that this build does not know is not split.
pub(super) fn head(bytes: &[u8]) -> Head {
    let bytes = bytes.get(..HEAD_BYTES_MAX.min(bytes.len())).unwrap_or_default();
    let mut is_bundle = false;
    for member in Members::new(bytes) {
        match member.key {
            b"resourceType" if member.is_string(b"Bundle") => is_bundle = true,
            b"resourceType" | b"implicitRules" => return Head::Other,
            b"entry" if !member.is_list() => return Head::Other,
            b"entry" if is_bundle => return Head::Bundle { key_at: member.key_at, entries_at: member.value_at + 1 },
            b"entry" => return Head::Late,
            _ => {}
        }
    }
    Head::Other
}

/// The same of a whole object that has `entry` before `resourceType`.
pub(super) fn late_head(bytes: &[u8]) -> Head {
    let mut entries = None;
    let mut is_bundle = false;
    for member in Members::new(bytes) {
        match member.key {
            b"resourceType" => is_bundle = member.is_string(b"Bundle"),
            b"implicitRules" => return Head::Other,
            b"entry" if entries.is_some() => return Head::Other,
            b"entry" => entries = Some((member.key_at, member.value_at + 1)),
            _ => {}
        }
    }
    entries.filter(|_| is_bundle).map_or(Head::Other, |(key_at, entries_at)| Head::Bundle { key_at, entries_at })
}

/// Whether an object has `entry`, as what is left of a Bundle without its entries may not.
pub(crate) fn has_entry(object: &[u8]) -> bool {
    Members::new(object).any(|member| member.key == b"entry")
}

/// A member of an object.
struct Member<'a> {
    bytes: &'a [u8],
    key: &'a [u8],
    key_at: usize,
    value_at: usize,
}

impl Member<'_> {
    fn is_list(&self) -> bool {
        self.bytes.get(self.value_at) == Some(&b'[')
    }

    fn is_string(&self, text: &[u8]) -> bool {
        string_at(self.bytes, self.value_at).is_some_and(|(value, _)| value == text)
    }
}

/// The members of the object that begins here, as far as they can be told. A value is skipped only when the next member is
/// asked for.
struct Members<'a> {
    bytes: &'a [u8],
    at: usize,
    value: Option<usize>,
}

impl<'a> Members<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 1, value: None }
    }

    fn skip_value(&mut self, from: usize) -> Option<()> {
        let bytes = self.bytes;
        let end = match bytes.get(from)? {
            b'"' => string_at(bytes, from)?.1,
            b'{' | b'[' => match Ends::default().look(bytes.get(from..)?) {
                Found::End(end) => from + end,
                _ => return None,
            },
            _ => from + bytes.get(from..)?.iter().position(|byte| matches!(byte, b',' | b'}'))?,
        };
        let comma = end + skip_space(bytes, end);
        self.at = comma + 1;
        (*bytes.get(comma)? == b',').then_some(())
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        if let Some(value) = self.value.take() {
            self.skip_value(value)?;
        }
        let bytes = self.bytes;
        let key_at = self.at + skip_space(bytes, self.at);
        let (key, after) = string_at(bytes, key_at)?;
        let colon = after + skip_space(bytes, after);
        if *bytes.get(colon)? != b':' {
            return None;
        }
        let value_at = colon + 1 + skip_space(bytes, colon + 1);
        self.value = Some(value_at);
        Some(Member { bytes, key, key_at, value_at })
    }
}

fn skip_space(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

fn string_at(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    if *bytes.get(at)? != b'"' {
        return None;
    }
    let mut end = at + 1;
    loop {
        match bytes.get(end)? {
            b'"' => return Some((bytes.get(at + 1..end)?, end + 1)),
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
}
