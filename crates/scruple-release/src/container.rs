//! Splits a stream into resources: one resource, a Bundle of any size, NDJSON, or several of these in a row.
//!
//! It looks for where things begin and end and at nothing else; the projector judges what is in them. Memory is bounded
//! by the largest resource.

use crate::chunk::Item;
use scruple_core::limits::RESOURCE_BYTES_MAX;
use scruple_fhir::{Fault, FaultKind};
use std::io::{self, Read};

/// Bytes in which a Bundle must tell that it is one, and where its entries begin.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Bytes of what stands behind the entries of a Bundle.
const TAIL_BYTES_MAX: usize = 1024 * 1024;
/// Bytes that are read at once.
const READ_BYTES: usize = 256 * 1024;

/// Why a stream cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// The input failed.
    #[error("input cannot be read")]
    Read(#[source] io::Error),
}

/// A part of the stream.
#[derive(Debug)]
pub enum Part {
    /// A resource, an entry, or something malformed.
    Item(Item),
    /// A Bundle begins.
    BundleBegins,
    /// A Bundle ends; this is all of it but the entries.
    BundleEnds(Vec<u8>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Between,
    Entries,
    /// The Bundle broke; its end is still to be told.
    Ending,
    Done,
}

/// Splits one input.
pub struct Splitter<R> {
    from: R,
    input: u64,
    item: u64,
    buffer: Vec<u8>,
    at: usize,
    ended: bool,
    /// Each line is a value of its own.
    lines: bool,
    state: State,
    head: Vec<u8>,
    /// Bytes read so far.
    pub bytes: u64,
}

/// Where a value ends, over as many reads as it takes.
#[derive(Default)]
struct Ends {
    depth: usize,
    in_string: bool,
    escaped: bool,
    seen: usize,
}

enum Found {
    End(usize),
    More,
    /// A line end inside a string, or a bracket too many.
    Broken(usize),
}

impl Ends {
    /// Looks on through `bytes`, which begin with the value.
    fn look(&mut self, bytes: &[u8]) -> Found {
        let mut at = self.seen;
        while let Some(&byte) = bytes.get(at) {
            if self.in_string {
                let rest = bytes.get(at..).unwrap_or_default();
                if self.escaped {
                    self.escaped = false;
                    at += 1;
                    continue;
                }
                let Some(stop) = memchr::memchr3(b'"', b'\\', b'\n', rest) else { break };
                at += stop;
                match bytes.get(at) {
                    Some(b'"') => self.in_string = false,
                    Some(b'\\') => self.escaped = true,
                    _ => return Found::Broken(at),
                }
            } else {
                match byte {
                    b'"' => self.in_string = true,
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' => {
                        let Some(depth) = self.depth.checked_sub(1) else { return Found::Broken(at) };
                        self.depth = depth;
                        if depth == 0 {
                            return Found::End(at + 1);
                        }
                    }
                    _ => {}
                }
            }
            at += 1;
        }
        self.seen = bytes.len();
        Found::More
    }
}

impl<R: Read> Splitter<R> {
    /// Splits `from`, the input with this ordinal. `lines`: it is known to be NDJSON.
    pub const fn new(from: R, input: u64, lines: bool) -> Self {
        Self {
            from,
            input,
            item: 0,
            buffer: Vec::new(),
            at: 0,
            ended: false,
            lines,
            state: State::Between,
            head: Vec::new(),
            bytes: 0,
        }
    }

    /// The next part, or `None` at the end.
    ///
    /// # Errors
    /// The input failed.
    #[expect(clippy::should_implement_trait, reason = "an iterator would hide that reading can fail")]
    pub fn next(&mut self) -> Result<Option<Part>, ContainerError> {
        match self.state {
            State::Between => self.value(),
            State::Entries => self.entry().map(Some),
            State::Ending => {
                self.state = State::Between;
                Ok(Some(Part::BundleEnds(Vec::new())))
            }
            State::Done => Ok(None),
        }
    }

    fn fill(&mut self) -> Result<bool, ContainerError> {
        if self.ended {
            return Ok(false);
        }
        if self.at > READ_BYTES.max(self.buffer.len() / 2) {
            self.buffer.drain(..self.at);
            self.at = 0;
        }
        let before = self.buffer.len();
        self.buffer.resize(before + READ_BYTES, 0);
        let into = self.buffer.get_mut(before..).unwrap_or_default();
        let count = loop {
            match self.from.read(into) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result.map_err(ContainerError::Read)?,
            }
        };
        self.buffer.truncate(before + count);
        self.bytes += count as u64;
        self.ended = count == 0;
        Ok(count > 0)
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.at..).unwrap_or_default()
    }

    /// The next byte that is no white space (nor one of `also`), without taking it.
    fn peek(&mut self, also: u8) -> Result<Option<u8>, ContainerError> {
        loop {
            let skipped = self.rest().iter().position(|byte| !byte.is_ascii_whitespace() && *byte != also);
            match skipped {
                Some(skipped) => {
                    self.at += skipped;
                    return Ok(self.rest().first().copied());
                }
                None => {
                    self.at = self.buffer.len();
                    if !self.fill()? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    fn item(&mut self, bytes: Result<Vec<u8>, Fault>, is_entry: bool) -> Part {
        self.item += 1;
        Part::Item(Item { input: self.input, item: self.item, bytes, is_entry })
    }

    fn malformed(&mut self, kind: FaultKind, at: usize, is_entry: bool) -> Part {
        self.item(Err(Fault { kind, at }), is_entry)
    }

    fn value(&mut self) -> Result<Option<Part>, ContainerError> {
        let Some(byte) = self.peek(b'\xef')? else {
            self.state = State::Done;
            return Ok(None);
        };
        // A byte order mark is not JSON, but common; its other two bytes go with it.
        if matches!(byte, 0xbb | 0xbf) && self.item == 0 {
            self.at += 1;
            return self.value();
        }
        if byte != b'{' {
            self.skip_line()?;
            return Ok(Some(self.malformed(FaultKind::Syntax, 0, false)));
        }
        while self.rest().len() < HEAD_BYTES_MAX && self.fill()? {}
        if let Some((key_at, entries_at)) = bundle_head(self.rest()) {
            let rest = self.rest();
            self.head = rest.get(..key_at).unwrap_or_default().to_vec();
            self.at += entries_at;
            self.state = State::Entries;
            return Ok(Some(Part::BundleBegins));
        }
        if self.lines {
            return self.line().map(Some);
        }
        let part = match self.whole(RESOURCE_BYTES_MAX)? {
            Ok(bytes) => {
                self.lines |= !bytes.contains(&b'\n') && self.rest().first() == Some(&b'\n');
                self.item(Ok(bytes), false)
            }
            Err(fault) => {
                self.lines |= fault.kind == FaultKind::Syntax;
                self.item(Err(fault), false)
            }
        };
        Ok(Some(part))
    }

    /// Takes the value that begins here, up to `most` bytes; a longer one is skipped.
    fn whole(&mut self, most: usize) -> Result<Result<Vec<u8>, Fault>, ContainerError> {
        let mut ends = Ends::default();
        let mut skipped = 0;
        loop {
            match ends.look(self.rest()) {
                Found::End(end) => {
                    let bytes = self.rest().get(..end).unwrap_or_default().to_vec();
                    self.at += end;
                    let too_long = skipped + bytes.len() > most;
                    return Ok(if too_long { Err(Fault { kind: FaultKind::TooLarge, at: most }) } else { Ok(bytes) });
                }
                Found::Broken(at) => {
                    self.at += at;
                    self.skip_line()?;
                    return Ok(Err(Fault { kind: FaultKind::Syntax, at: skipped + at }));
                }
                Found::More => {
                    let length = self.rest().len();
                    if skipped + length > most {
                        // Too long: what was seen is forgotten, the end is looked for all the same.
                        skipped += length;
                        self.at = self.buffer.len();
                        ends.seen = 0;
                    }
                    if !self.fill()? {
                        self.at = self.buffer.len();
                        let kind = if skipped > most { FaultKind::TooLarge } else { FaultKind::Truncated };
                        return Ok(Err(Fault { kind, at: skipped + length }));
                    }
                }
            }
        }
    }

    /// Takes a line.
    fn line(&mut self) -> Result<Part, ContainerError> {
        let mut searched = 0;
        let mut skipped = 0;
        loop {
            let rest = self.rest();
            let end = memchr::memchr(b'\n', rest.get(searched..).unwrap_or_default()).map(|end| searched + end);
            let length = rest.len();
            if let Some(end) = end.or((self.ended).then_some(length)) {
                let bytes = rest.get(..end).unwrap_or_default().to_vec();
                self.at += end;
                if skipped + bytes.len() > RESOURCE_BYTES_MAX {
                    return Ok(self.malformed(FaultKind::TooLarge, RESOURCE_BYTES_MAX, false));
                }
                return Ok(self.item(Ok(bytes), false));
            }
            searched = length;
            if length > RESOURCE_BYTES_MAX {
                skipped += length;
                self.at = self.buffer.len();
                searched = 0;
            }
            self.fill()?;
        }
    }

    fn skip_line(&mut self) -> Result<(), ContainerError> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', self.rest()) {
                self.at += end + 1;
                return Ok(());
            }
            self.at = self.buffer.len();
            if !self.fill()? {
                return Ok(());
            }
        }
    }

    fn entry(&mut self) -> Result<Part, ContainerError> {
        match self.peek(b',')? {
            Some(b'{') => {
                let bytes = self.whole(RESOURCE_BYTES_MAX)?;
                Ok(self.item(bytes, true))
            }
            Some(b']') => {
                self.at += 1;
                self.bundle_end()
            }
            Some(_) => {
                // Nothing tells where the next entry begins: the rest of the Bundle is lost.
                self.state = State::Ending;
                self.skip_line()?;
                Ok(self.malformed(FaultKind::Syntax, 0, true))
            }
            None => {
                self.state = State::Done;
                Ok(Part::BundleEnds(Vec::new()))
            }
        }
    }

    /// What stands behind the entries, joined to what stood before them.
    fn bundle_end(&mut self) -> Result<Part, ContainerError> {
        self.state = State::Between;
        let mut ends = Ends { depth: 1, ..Ends::default() };
        loop {
            match ends.look(self.rest()) {
                Found::End(end) => {
                    let tail = self.rest().get(..end).unwrap_or_default().to_vec();
                    self.at += end;
                    return Ok(Part::BundleEnds(join(&self.head, &tail)));
                }
                Found::Broken(at) => {
                    self.at += at;
                    self.skip_line()?;
                    return Ok(Part::BundleEnds(Vec::new()));
                }
                Found::More if self.rest().len() > TAIL_BYTES_MAX || !self.fill()? => {
                    self.at = self.buffer.len();
                    return Ok(Part::BundleEnds(Vec::new()));
                }
                Found::More => {}
            }
        }
    }
}

fn join(head: &[u8], tail: &[u8]) -> Vec<u8> {
    let trim = |bytes: &[u8]| {
        bytes.trim_ascii_end().strip_suffix(b",").map_or_else(|| bytes.trim_ascii_end().to_vec(), <[u8]>::to_vec)
    };
    let mut whole = trim(head);
    let tail = tail.trim_ascii_start();
    let tail = if whole.ends_with(b"{") { tail.strip_prefix(b",").unwrap_or(tail) } else { tail };
    whole.extend_from_slice(tail);
    whole
}

/// If the object that begins here tells that it is a Bundle before its `entry` begins: where that key begins, and where
/// its first item may.
fn bundle_head(bytes: &[u8]) -> Option<(usize, usize)> {
    let bytes = bytes.get(..HEAD_BYTES_MAX.min(bytes.len()))?;
    let mut at = 1;
    let mut is_bundle = false;
    loop {
        at += skip_space(bytes, at, true);
        let key_at = at;
        let (key, after) = string_at(bytes, at)?;
        at = after + skip_space(bytes, after, false);
        if *bytes.get(at)? != b':' {
            return None;
        }
        at += 1;
        at += skip_space(bytes, at, false);
        if key == b"entry" {
            return (is_bundle && *bytes.get(at)? == b'[').then_some((key_at, at + 1));
        }
        if *bytes.get(at)? == b'"' {
            let (value, after) = string_at(bytes, at)?;
            is_bundle |= key == b"resourceType" && value == b"Bundle";
            at = after;
        } else if matches!(bytes.get(at)?, b'{' | b'[') {
            match Ends::default().look(bytes.get(at..)?) {
                Found::End(end) => at += end,
                _ => return None,
            }
        } else {
            at += bytes.get(at..)?.iter().position(|byte| matches!(byte, b',' | b'}'))?;
        }
        at += skip_space(bytes, at, false);
        if *bytes.get(at)? != b',' {
            return None;
        }
    }
}

fn skip_space(bytes: &[u8], from: usize, commas: bool) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.iter().take_while(|byte| byte.is_ascii_whitespace() || (commas && **byte == b',')).count()
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

#[cfg(test)]
mod tests;
