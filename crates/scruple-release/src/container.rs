//! Splits a stream into resources: one resource, a Bundle of any size, NDJSON, or several of these in a row.
//!
//! It looks for where things begin and end and at nothing else; the projector judges what is in them. Memory is bounded
//! by the largest resource.

mod head;

pub(crate) use head::has_entry;

use crate::chunk::Item;
use head::{Head, head, late_head};
use scruple_core::limits::RESOURCE_BYTES_MAX;
use scruple_fhir::{Fault, FaultKind};
use std::io::{self, Read};

/// Bytes in which a Bundle must tell that it is one, and where its entries begin.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Bytes of what stands behind the entries of a Bundle.
const TAIL_BYTES_MAX: usize = 1024 * 1024;
/// Bytes that are read at once.
const READ_BYTES: usize = 256 * 1024;

/// What some programs write at the beginning of a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Why a stream cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// The input failed.
    #[error("input cannot be read")]
    Read(#[source] io::Error),
}

/// A part of the stream.
pub enum Part {
    /// A resource, an entry, or something malformed.
    Item(Item),
    /// A Bundle begins.
    BundleBegins,
    /// A Bundle ends; this is all of it but the entries. Nothing: it broke, and a fault has told so.
    BundleEnds(Vec<u8>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Between,
    /// In the entries of a Bundle, before the first one.
    Entries,
    /// Behind an entry.
    AfterEntry,
    /// The Bundle broke; its end is still to be told.
    Ending,
    Done,
}

/// Splits one input.
pub struct Splitter<R> {
    from: R,
    input: u64,
    /// Items so far.
    pub(crate) item: u64,
    buffer: Vec<u8>,
    at: usize,
    ended: bool,
    /// Each line is a value of its own: it is said to be NDJSON, or has looked so.
    lines: bool,
    /// It is said to be NDJSON.
    named: bool,
    /// What comes next begins its line.
    line_start: bool,
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
    /// A line end inside a string, a bracket too many, or one that begins where none may.
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
                    b'{' | b'[' => {
                        // Inside a value, one begins only behind `[`, `,` or `:`. Else the value before it was cut off,
                        // and this is the next line's.
                        let before = bytes.get(..at).unwrap_or_default().trim_ascii_end();
                        if self.depth > 0 && !matches!(before.last(), None | Some(b'[' | b',' | b':')) {
                            return Found::Broken(before.len());
                        }
                        self.depth += 1;
                    }
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
            named: lines,
            line_start: true,
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
            State::Entries => self.entry(false).map(Some),
            State::AfterEntry => self.entry(true).map(Some),
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

    /// The next byte that is no white space, without taking it.
    fn peek(&mut self) -> Result<Option<u8>, ContainerError> {
        loop {
            let rest = self.rest();
            let skipped = rest.iter().position(|byte| !byte.is_ascii_whitespace());
            let last = rest.get(..skipped.unwrap_or(rest.len())).and_then(<[u8]>::last).copied();
            if let Some(last) = last {
                self.line_start = last == b'\n';
            }
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
        self.line_start = false;
        Part::Item(Item { input: self.input, item: self.item, bytes, is_entry })
    }

    fn malformed(&mut self, kind: FaultKind, at: usize, is_entry: bool) -> Part {
        self.item(Err(Fault { kind, at }), is_entry)
    }

    fn value(&mut self) -> Result<Option<Part>, ContainerError> {
        // A byte order mark is not JSON, but common.
        while self.bytes < BYTE_ORDER_MARK.len() as u64 && self.fill()? {}
        if self.item == 0 && self.rest().starts_with(BYTE_ORDER_MARK) {
            self.at += BYTE_ORDER_MARK.len();
        }
        let Some(byte) = self.peek()? else {
            self.state = State::Done;
            return Ok(None);
        };
        if byte != b'{' || (self.lines && !self.line_start && self.item > 0) {
            return self.broken(FaultKind::Syntax, 0, false).map(Some);
        }
        while self.rest().len() < HEAD_BYTES_MAX && self.fill()? {}
        let head = match head(self.rest()) {
            Head::Late => self.late_bundle()?,
            head => head,
        };
        if let Head::Bundle { key_at, entries_at } = head {
            let rest = self.rest();
            self.head = rest.get(..key_at).unwrap_or_default().to_vec();
            self.at += entries_at;
            self.state = State::Entries;
            return Ok(Some(Part::BundleBegins));
        }
        if self.lines && (self.named || self.is_whole_line()?) {
            return self.line().map(Some);
        }
        let whole = self.whole(RESOURCE_BYTES_MAX)?;
        if let Ok(bytes) = &whole {
            self.lines |= !bytes.contains(&b'\n') && self.rest().first() == Some(&b'\n');
        }
        self.take(whole, false).map(Some)
    }

    /// Whether the line that begins here may hold all of a value. If not, it is printed over several lines.
    fn is_whole_line(&mut self) -> Result<bool, ContainerError> {
        let mut searched = 0;
        loop {
            let rest = self.rest();
            let end = memchr::memchr(b'\n', rest.get(searched..).unwrap_or_default()).map(|end| searched + end);
            if let Some(end) = end.or((self.ended || rest.len() > RESOURCE_BYTES_MAX).then_some(rest.len())) {
                return Ok(rest.get(..end).unwrap_or_default().trim_ascii_end().ends_with(b"}"));
            }
            searched = rest.len();
            self.fill()?;
        }
    }

    /// The item for what [`Self::whole`] took.
    fn take(&mut self, whole: Result<Vec<u8>, Fault>, is_entry: bool) -> Result<Part, ContainerError> {
        match whole {
            Err(fault) if fault.kind == FaultKind::Syntax => self.broken(fault.kind, fault.at, is_entry),
            whole => Ok(self.item(whole, is_entry)),
        }
    }

    /// A malformed item, behind which the next one is looked for.
    fn broken(&mut self, kind: FaultKind, at: usize, is_entry: bool) -> Result<Part, ContainerError> {
        let part = self.item(Err(Fault { kind, at }), is_entry);
        self.skip_broken()?;
        Ok(part)
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

    /// Skips to where the next value may begin: in NDJSON the next line. Else a line that begins with a brace and does
    /// not go on from the line before, so that no part of what is broken is taken for a resource of its own.
    fn skip_broken(&mut self) -> Result<(), ContainerError> {
        let mut before = None;
        let mut at_line = false;
        loop {
            for (index, &byte) in self.rest().iter().enumerate() {
                let goes_on = matches!(before, Some(b'[' | b'{' | b',' | b':'));
                if at_line && (self.lines || (byte == b'{' && !goes_on)) {
                    self.at += index;
                    self.line_start = true;
                    return Ok(());
                }
                at_line = byte == b'\n';
                if !byte.is_ascii_whitespace() {
                    before = Some(byte);
                }
            }
            self.at = self.buffer.len();
            if !self.fill()? {
                return Ok(());
            }
        }
    }

    /// The next entry, or the end of the Bundle; `after` another entry.
    fn entry(&mut self, after: bool) -> Result<Part, ContainerError> {
        let mut next = self.peek()?;
        let has_comma = after && next == Some(b',');
        if has_comma {
            self.at += 1;
            next = self.peek()?;
        }
        match next {
            Some(b'{') if has_comma || !after => {
                let whole = self.whole(RESOURCE_BYTES_MAX)?;
                let is_lost = matches!(whole, Err(Fault { kind: FaultKind::Syntax | FaultKind::Truncated, .. }));
                self.state = if is_lost { State::Ending } else { State::AfterEntry };
                self.take(whole, true)
            }
            Some(b']') if !has_comma => {
                self.at += 1;
                self.bundle_end()
            }
            None => {
                self.state = State::Ending;
                Ok(self.malformed(FaultKind::Truncated, 0, true))
            }
            // Nothing tells where the next entry begins: the rest of the Bundle is lost.
            Some(byte) => {
                self.state = State::Ending;
                if byte == b'{' && self.line_start && !has_comma {
                    // It was cut off, and this is the next line's.
                    return Ok(self.malformed(FaultKind::Truncated, 0, true));
                }
                self.broken(FaultKind::Syntax, 0, true)
            }
        }
    }

    /// What stands behind the entries, joined to what stood before them.
    fn bundle_end(&mut self) -> Result<Part, ContainerError> {
        let mut ends = Ends { depth: 1, ..Ends::default() };
        self.state = State::Ending;
        loop {
            match ends.look(self.rest()) {
                Found::End(end) => {
                    let tail = self.rest().get(..end).unwrap_or_default().to_vec();
                    self.at += end;
                    self.state = State::Between;
                    return Ok(Part::BundleEnds(join(&self.head, &tail)));
                }
                Found::Broken(at) => {
                    self.at += at;
                    return self.broken(FaultKind::Syntax, at, true);
                }
                Found::More if self.rest().len() > TAIL_BYTES_MAX => {
                    return self.broken(FaultKind::TooLarge, TAIL_BYTES_MAX, true);
                }
                Found::More => {
                    if !self.fill()? {
                        self.at = self.buffer.len();
                        return Ok(self.malformed(FaultKind::Truncated, 0, true));
                    }
                }
            }
        }
    }

    /// Some print keys in the order of the alphabet, `entry` before `resourceType`: then the whole tells whether this is a
    /// Bundle. One that is longer than a resource may be is not split.
    fn late_bundle(&mut self) -> Result<Head, ContainerError> {
        let mut ends = Ends::default();
        loop {
            match ends.look(self.rest()) {
                Found::End(end) if end <= RESOURCE_BYTES_MAX => {
                    return Ok(late_head(self.rest().get(..end).unwrap_or_default()));
                }
                Found::More if self.rest().len() <= RESOURCE_BYTES_MAX => {
                    if !self.fill()? {
                        return Ok(Head::Other);
                    }
                }
                _ => return Ok(Head::Other),
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

#[cfg(test)]
mod tests;
