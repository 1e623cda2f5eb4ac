//! A checking scanner over JSON bytes: strings, numbers, whole values, without building anything.
//!
//! The bytes are known to be UTF-8 when they come here. It checks the grammar of RFC 8259 (control characters, escapes,
//! numbers, nesting) because what it copies goes out as it stands.
#![expect(
    clippy::indexing_slicing,
    reason = "each index is compared with the length before; the scanner is the hot path"
)]

use crate::dictionary::Key;
use scruple_core::limits;
use std::borrow::Cow;

/// What is wrong with a resource, and at which byte of it. Never holds a part of the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{kind} at byte {at}")]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// Offset into the resource.
    pub at: usize,
}

/// Kinds of [`Fault`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FaultKind {
    /// The text ends too early.
    #[error("unexpected end")]
    Truncated,
    /// Not JSON.
    #[error("malformed JSON")]
    Syntax,
    /// Not UTF-8.
    #[error("not UTF-8")]
    Utf8,
    /// Nested deeper than [`limits::JSON_DEPTH_MAX`].
    #[error("nested deeper than {} levels", limits::JSON_DEPTH_MAX)]
    Depth,
    /// Longer than [`limits::RESOURCE_BYTES_MAX`].
    #[error("resource longer than {} bytes", limits::RESOURCE_BYTES_MAX)]
    TooLarge,
    /// One key twice, or a choice with two types.
    #[error("an element stands twice")]
    Duplicate,
    /// A value of a type that the element cannot have.
    #[error("a value of the wrong type")]
    WrongType,
    /// No `resourceType`, or one that R4 does not have.
    #[error("no resource type of FHIR R4")]
    UnknownType,
    /// To look at it would take too long: resources in resources.
    #[error("nested resources take too long")]
    Costly,
    /// Something follows the resource.
    #[error("text after the end")]
    Trailing,
}

/// The text with `\/` written as `/`: some senders escape every slash, and codes and references must be read all the same.
pub(crate) fn plain_slashes(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memmem::find(text, br"\/").is_none() {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (before, from) = rest.split_at(at);
        plain.extend_from_slice(before);
        let (escape, after) = from.split_at(from.len().min(2));
        plain.extend_from_slice(if escape == br"\/" { b"/" } else { escape });
        rest = after;
    }
    plain.extend_from_slice(rest);
    Cow::Owned(plain)
}

pub(crate) type Scanned<T> = Result<T, Fault>;

/// A position in the bytes of one resource.
pub(crate) struct Scanner<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
    pub depth: usize,
    /// No string in the bytes has an escape.
    unescaped: bool,
}

/// A key as it is written, with what is needed to compare it quickly.
#[derive(Debug)]
pub(crate) struct Written {
    /// `"name":`
    pub text: String,
    /// Its first eight bytes, and which of them it has.
    head: u64,
    mask: u64,
}

impl Written {
    pub fn new(name: &str) -> Self {
        let text = format!("\"{name}\":");
        let (mut head, mut mask) = ([0; 8], [0; 8]);
        for ((head, mask), byte) in head.iter_mut().zip(&mut mask).zip(text.bytes()) {
            (*head, *mask) = (byte, u8::MAX);
        }
        Self { text, head: u64::from_le_bytes(head), mask: u64::from_le_bytes(mask) }
    }
}

/// The JSON type of a scalar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scalar {
    String,
    Number,
    Bool,
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Lanes of `word` that hold a quote, a backslash or a control character have their high bit set. A lane above the
/// first such lane can be set wrongly, so that only the lowest one is used.
const fn string_stops(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let is_quote = quote.wrapping_sub(ONES) & !quote;
    let is_backslash = backslash.wrapping_sub(ONES) & !backslash;
    let is_control = word.wrapping_sub(ONES * 0x20) & !word;
    (is_quote | is_backslash | is_control) & HIGHS
}

impl<'a> Scanner<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, depth: 0, unescaped: memchr::memchr(b'\\', bytes).is_none() }
    }

    #[cold]
    #[inline(never)]
    pub const fn fault(&self, kind: FaultKind) -> Fault {
        let kind =
            if self.at >= self.bytes.len() && matches!(kind, FaultKind::Syntax) { FaultKind::Truncated } else { kind };
        Fault { kind, at: self.at }
    }

    /// The next byte that is not white space, without taking it; 0 at the end.
    #[inline]
    pub fn peek(&mut self) -> u8 {
        let mut at = self.at;
        loop {
            match self.bytes.get(at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => {
                    at += 1;
                    while let Some(eight) = self.bytes.get(at..at + 8) {
                        if eight != b"        " {
                            break;
                        }
                        at += 8;
                    }
                }
                Some(&byte) => {
                    self.at = at;
                    return byte;
                }
                None => {
                    self.at = at;
                    return 0;
                }
            }
        }
    }

    /// Takes `byte`, or faults.
    #[inline]
    pub fn expect(&mut self, byte: u8) -> Scanned<()> {
        if self.peek() == byte {
            self.at += 1;
            Ok(())
        } else {
            Err(self.fault(FaultKind::Syntax))
        }
    }

    #[inline]
    pub fn enter(&mut self) -> Scanned<()> {
        self.depth += 1;
        if self.depth > limits::JSON_DEPTH_MAX { Err(self.fault(FaultKind::Depth)) } else { Ok(()) }
    }

    /// Takes the opening brace or bracket that is next. True if something follows before `close`, which is taken else.
    #[inline]
    pub fn open(&mut self, close: u8) -> Scanned<bool> {
        self.enter()?;
        self.at += 1;
        let more = self.peek() != close;
        if !more {
            self.at += 1;
            self.depth -= 1;
        }
        Ok(more)
    }

    /// Faults unless an object is next.
    #[inline]
    pub fn at_object(&mut self) -> Scanned<()> {
        if self.peek() == b'{' { Ok(()) } else { Err(self.wrong_value()) }
    }

    /// Takes the bracket of an array, which FHIR does not allow to be empty.
    #[inline]
    pub fn open_array(&mut self) -> Scanned<()> {
        if self.peek() != b'[' {
            return Err(self.wrong_value());
        }
        self.enter()?;
        self.at += 1;
        if self.peek() == b']' { Err(self.fault(FaultKind::WrongType)) } else { Ok(()) }
    }

    /// Takes a string whose opening quote is next and returns the text between the quotes, escapes as written.
    #[inline]
    pub fn string(&mut self) -> Scanned<&'a [u8]> {
        self.text::<true>()
    }

    #[inline]
    fn text<const ESCAPES: bool>(&mut self) -> Scanned<&'a [u8]> {
        self.at += 1;
        let start = self.at;
        let bytes = self.bytes;
        let mut at = start;
        while let Some(eight) = bytes.get(at..at + 8) {
            let mut word = [0; 8];
            word.copy_from_slice(eight);
            let stops = string_stops(u64::from_le_bytes(word));
            if stops == 0 {
                at += 8;
                continue;
            }
            at += (stops.trailing_zeros() / 8) as usize;
            if bytes[at] == b'"' {
                self.at = at + 1;
                return Ok(&bytes[start..at]);
            }
            self.at = at;
            self.escape(ESCAPES)?;
            at = self.at;
        }
        loop {
            self.at = at;
            match bytes.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok(&bytes[start..at]);
                }
                Some(b'\\' | 0..=0x1f) => {
                    self.escape(ESCAPES)?;
                    at = self.at;
                }
                Some(_) => at += 1,
                None => return Err(self.fault(FaultKind::Truncated)),
            }
        }
    }

    /// Takes an escape sequence, where one may stand; a control character is a fault.
    #[cold]
    fn escape(&mut self, allowed: bool) -> Scanned<()> {
        if self.bytes[self.at] != b'\\' || !allowed {
            return Err(self.fault(FaultKind::Syntax));
        }
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => {
                let unit = self.hex(self.at + 2)?;
                self.at += 6;
                match unit {
                    0xd800..=0xdbff => {
                        let follows = self.bytes.get(self.at..self.at + 2) == Some(br"\u");
                        if !follows || !(0xdc00..=0xdfff).contains(&self.hex(self.at + 2)?) {
                            return Err(self.fault(FaultKind::Syntax));
                        }
                        self.at += 6;
                        Ok(())
                    }
                    0xdc00..=0xdfff => Err(self.fault(FaultKind::Syntax)),
                    _ => Ok(()),
                }
            }
            Some(_) => Err(self.fault(FaultKind::Syntax)),
            None => {
                self.at += 1;
                Err(self.fault(FaultKind::Truncated))
            }
        }
    }

    fn hex(&self, from: usize) -> Scanned<u32> {
        let digits = self.bytes.get(from..from + 4).ok_or_else(|| self.fault(FaultKind::Truncated))?;
        digits.iter().try_fold(0, |value, digit| {
            char::from(*digit).to_digit(16).map(|digit| value << 4 | digit).ok_or_else(|| self.fault(FaultKind::Syntax))
        })
    }

    fn digits(&mut self) -> Scanned<()> {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at == start { Err(self.fault(FaultKind::Syntax)) } else { Ok(()) }
    }

    /// Takes a number as written.
    pub fn number(&mut self) -> Scanned<&'a [u8]> {
        let start = self.at;
        if self.bytes[self.at] == b'-' {
            self.at += 1;
        }
        if self.bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(&self.bytes[start..self.at])
    }

    pub fn word(&mut self, word: &'static [u8]) -> Scanned<&'a [u8]> {
        let end = self.at + word.len();
        if self.bytes.get(self.at..end) == Some(word) {
            let taken = &self.bytes[self.at..end];
            self.at = end;
            Ok(taken)
        } else {
            Err(self.fault(FaultKind::Syntax))
        }
    }

    /// Takes a scalar of the given type, as written, quotes included.
    #[inline]
    pub fn scalar(&mut self, expected: Scalar) -> Scanned<&'a [u8]> {
        match (self.peek(), expected) {
            (b'"', Scalar::String) => {
                let start = self.at;
                self.string()?;
                Ok(&self.bytes[start..self.at])
            }
            (b'-' | b'0'..=b'9', Scalar::Number) => self.number(),
            (b't', Scalar::Bool) => self.word(b"true"),
            (b'f', Scalar::Bool) => self.word(b"false"),
            _ => Err(self.wrong_value()),
        }
    }

    /// The fault for a value that cannot stand here: of a wrong type if it is JSON at all.
    #[cold]
    pub fn wrong_value(&mut self) -> Fault {
        match self.peek() {
            b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n' | b'{' | b'[' => self.fault(FaultKind::WrongType),
            _ => self.fault(FaultKind::Syntax),
        }
    }

    /// Takes any value.
    pub fn skip(&mut self) -> Scanned<()> {
        match self.peek() {
            b'"' => self.string().map(drop),
            b'-' | b'0'..=b'9' => self.number().map(drop),
            b't' => self.word(b"true").map(drop),
            b'f' => self.word(b"false").map(drop),
            b'n' => self.word(b"null").map(drop),
            b'[' => {
                let mut more = self.open(b']')?;
                while more {
                    self.skip()?;
                    more = self.more(b']')?;
                }
                Ok(())
            }
            b'{' => {
                let mut more = self.open(b'}')?;
                while more {
                    self.key()?;
                    self.skip()?;
                    more = self.more(b'}')?;
                }
                Ok(())
            }
            _ => Err(self.fault(FaultKind::Syntax)),
        }
    }

    /// Takes the value of a key, of which only the kind is checked.
    pub fn skip_member(&mut self, key: &Key) -> Scanned<()> {
        let kind = key.scalar.filter(|_| !key.underscore);
        self.skip_kind(key.many, kind, key.scalar.is_some() || key.underscore)
    }

    /// Takes a value of which only the kind is checked: a scalar, or an object (`None`), or an array of at least one of
    /// these and, if `nullable`, nulls.
    pub fn skip_kind(&mut self, many: bool, kind: Option<Scalar>, nullable: bool) -> Scanned<()> {
        if !many {
            return self.skip_one(kind);
        }
        self.items(
            |scan| {
                if nullable && scan.peek() == b'n' { scan.word(b"null").map(drop) } else { scan.skip_one(kind) }
            },
        )
    }

    /// Takes an array of at least one item, each by `item`.
    #[inline]
    pub fn items(&mut self, mut item: impl FnMut(&mut Self) -> Scanned<()>) -> Scanned<()> {
        self.open_array()?;
        loop {
            item(self)?;
            if !self.more(b']')? {
                return Ok(());
            }
        }
    }

    fn skip_one(&mut self, kind: Option<Scalar>) -> Scanned<()> {
        match kind {
            Some(scalar) => self.scalar(scalar).map(drop),
            None => self.at_object().and_then(|()| self.skip()),
        }
    }

    /// Takes a key and its colon if they are `expected`.
    #[inline]
    pub fn take(&mut self, expected: &Written) -> bool {
        let text = expected.text.as_bytes();
        let end = self.at + text.len();
        let fits = match self.bytes.get(self.at..self.at + 8) {
            Some(eight) => {
                let mut word = [0; 8];
                word.copy_from_slice(eight);
                u64::from_le_bytes(word) & expected.mask == expected.head
                    && (text.len() <= 8 || self.bytes.get(self.at + 8..end) == Some(&text[8..]))
            }
            None => self.bytes.get(self.at..end) == Some(text),
        };
        if fits {
            self.at = end;
        }
        fits
    }

    /// Takes a key and its colon. A key with an escape is a fault: two spellings of one key would be two keys.
    #[inline]
    pub fn key(&mut self) -> Scanned<&'a [u8]> {
        if self.peek() != b'"' {
            return Err(self.fault(FaultKind::Syntax));
        }
        let key = self.text::<false>()?;
        if self.bytes.get(self.at) == Some(&b':') {
            self.at += 1;
        } else {
            self.expect(b':')?;
        }
        Ok(key)
    }

    /// After an item of what [`Self::open`] or [`Self::open_array`] began: takes a comma (true) or `close` (false).
    #[inline]
    pub fn more(&mut self, close: u8) -> Scanned<bool> {
        let byte = self.peek();
        if byte == b',' {
            self.at += 1;
            Ok(true)
        } else if byte == close {
            self.at += 1;
            self.depth -= 1;
            Ok(false)
        } else {
            Err(self.fault(FaultKind::Syntax))
        }
    }

    /// A scanner at another place, to look at what the pass itself checks sooner or later.
    pub const fn fork(&self, at: usize) -> Scanner<'a> {
        Scanner { bytes: self.bytes, at, depth: 0, unescaped: self.unescaped }
    }

    /// Looks ahead for the keys `wanted` of the object that begins here; `found[i]` is where the value of `wanted[i]`
    /// begins. Stops as soon as all are found. Keys with escapes do not count.
    pub fn find<const N: usize>(&self, wanted: [&[u8]; N]) -> Scanned<[Option<usize>; N]> {
        let mut found = [None; N];
        let mut ahead = Scanner { depth: self.depth, ..self.fork(self.at) };
        if ahead.peek() != b'{' {
            return Ok(found);
        }
        let mut missing = N;
        let mut more = ahead.open(b'}')?;
        while more {
            let key = ahead.key()?;
            ahead.peek();
            if let Some(which) = wanted.iter().position(|name| *name == key)
                && found[which].is_none()
            {
                found[which] = Some(ahead.at);
                missing -= 1;
                if missing == 0 {
                    return Ok(found);
                }
            }
            ahead.skip()?;
            more = ahead.more(b'}')?;
        }
        Ok(found)
    }

    /// The text of a scalar string without its quotes, if it has no escapes.
    #[inline]
    pub fn plain(&self, scalar: Option<&'a [u8]>) -> Option<&'a [u8]> {
        let inner = scalar?.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        (self.unescaped || memchr::memchr(b'\\', inner).is_none()).then_some(inner)
    }

    /// The text of the string at `at`, if a string without escapes stands there.
    pub fn plain_string_at(&self, at: Option<usize>) -> Option<&'a [u8]> {
        let mut ahead = self.fork(at?);
        if ahead.peek() != b'"' {
            return None;
        }
        ahead.string().ok().filter(|text| self.unescaped || memchr::memchr(b'\\', text).is_none())
    }
}
