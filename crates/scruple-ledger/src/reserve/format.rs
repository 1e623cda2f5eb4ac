//! The file of a reserve: its two headers and its frames. Pure encoding, reading and scanning.
//!
//! ```text
//! file:   header, 4096 | header, 4096 | frames | zeros
//! header: magic 8 | turn 8 | capacity 8 | log 16 | generation 4 | state 1 | other generation 4 | entries 8 | crc32c 4 | zeros
//! ```
//! Headers are written in turns, so that one of the two is always whole; the higher turn is in force. A frame is one of
//! the write-ahead log: with an origin it holds a sealed entry, without one a wrapped data key. The hash chain begins
//! with the log and the generation, so that frames of another generation or of another reserve do not fit.

use crate::error::Damage;
use crate::frame::{Frame, Next, Origin, later_batch, next};
use crate::keys::StoredKey;
use crate::scan::Torn;
use crate::tree::{Hash, chain_link, leaf_hash};
use scruple_seal::Envelope;
use std::path::Path;

/// Bytes of one header: a block of its own, so that a torn write of one leaves the other.
const BLOCK_BYTES: usize = 4096;
/// Where the frames begin.
pub(crate) const FRAMES_AT: usize = 2 * BLOCK_BYTES;
const MAGIC: &[u8; 8] = b"SCRRES\x001";
const FIELDS_BYTES: usize = 8 + 8 + 8 + 16 + 4 + 1 + 4 + 8;
const LIVE: u8 = 1;
const EMPTYING: u8 = 2;

/// A generation of a reserve, from one emptying to the next, with the number of its entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Generation {
    /// The shard of its entries' origins.
    pub shard: u32,
    pub entries: u64,
}

/// What the reserve is at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// It takes entries. `before`: the generation that was merged last.
    Live { before: Option<Generation> },
    /// All its entries stand in the main ledger, and its frames are being overwritten. Then comes the generation `next`.
    Emptying { entries: u64, next: u32 },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub turn: u64,
    pub capacity: u64,
    pub log: [u8; 16],
    /// The generation: the shard of its entries' origins.
    pub shard: u32,
    pub state: State,
}

impl Header {
    /// The block, and where it stands.
    pub(crate) fn to_block(self) -> (u64, Vec<u8>) {
        let (state, other, entries) = match self.state {
            State::Live { before: None } => (LIVE, 0, 0),
            State::Live { before: Some(before) } => (LIVE, before.shard, before.entries),
            State::Emptying { entries, next } => (EMPTYING, next, entries),
        };
        let mut bytes = Vec::with_capacity(BLOCK_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.turn.to_be_bytes());
        bytes.extend_from_slice(&self.capacity.to_be_bytes());
        bytes.extend_from_slice(&self.log);
        bytes.extend_from_slice(&self.shard.to_be_bytes());
        bytes.push(state);
        bytes.extend_from_slice(&other.to_be_bytes());
        bytes.extend_from_slice(&entries.to_be_bytes());
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_be_bytes());
        bytes.resize(BLOCK_BYTES, 0);
        ((self.turn % 2) * BLOCK_BYTES as u64, bytes)
    }

    fn from_block(block: &[u8]) -> Option<Self> {
        let (fields, _) = block.split_at_checked(FIELDS_BYTES)?;
        let rest = fields.strip_prefix(MAGIC)?;
        let (turn, rest) = rest.split_first_chunk::<8>()?;
        let (capacity, rest) = rest.split_first_chunk::<8>()?;
        let (log, rest) = rest.split_first_chunk::<16>()?;
        let (shard, rest) = rest.split_first_chunk::<4>()?;
        let (&[state], rest) = rest.split_first_chunk::<1>()?;
        let (other, rest) = rest.split_first_chunk::<4>()?;
        let (other, entries) = (u32::from_be_bytes(*other), u64::from_be_bytes(rest.try_into().ok()?));
        let state = match state {
            LIVE if other == 0 => State::Live { before: None },
            LIVE => State::Live { before: Some(Generation { shard: other, entries }) },
            EMPTYING => State::Emptying { entries, next: other },
            _ => return None,
        };
        let header = Self {
            turn: u64::from_be_bytes(*turn),
            capacity: u64::from_be_bytes(*capacity),
            log: *log,
            shard: u32::from_be_bytes(*shard),
            state,
        };
        // Every byte of the block counts, the checksum and the zeros behind it too.
        (header.to_block().1 == block).then_some(header)
    }

    /// The link that the chain of this generation begins with.
    fn seed(&self) -> Hash {
        leaf_hash(&[b"scruple reserve\0".as_slice(), &self.log, &self.shard.to_be_bytes()].concat())
    }
}

/// The header in force, and whether the other one is an interrupted write.
pub(crate) fn read_header(path: &Path, bytes: &[u8], log: [u8; 16]) -> Result<(Header, bool), Damage> {
    let block = |number: usize| bytes.get(number * BLOCK_BYTES..(number + 1) * BLOCK_BYTES).unwrap_or_default();
    let read = |number: usize| Header::from_block(block(number)).filter(|header| header.turn % 2 == number as u64);
    let (header, other) = match (read(0), read(1)) {
        (Some(even), Some(odd)) if even.turn > odd.turn => (even, None),
        (Some(_), Some(odd)) => (odd, None),
        (Some(even), None) => (even, Some(1)),
        (None, Some(odd)) => (odd, Some(0)),
        (None, None) => return Err(Damage::new(path, "reserve has no whole header").at(0)),
    };
    if header.capacity != bytes.len() as u64 {
        return Err(Damage::new(path, "reserve has another length than its header says").at(0));
    }
    if header.log != log {
        return Err(Damage::new(path, "reserve belongs to another ledger").at(0));
    }
    let torn = other.is_some_and(|number| block(number).iter().any(|byte| *byte != 0));
    let frames = bytes.get(FRAMES_AT..).unwrap_or_default();
    if torn && matches!(header.state, State::Emptying { .. }) && frames.iter().any(|byte| *byte != 0) {
        // The header that follows an emptying is written when the frames are zeros. So the one that does not read was
        // whole once, and stood for the frames: they must not be thrown away.
        return Err(Damage::new(path, "header of the reserve is damaged").at(0));
    }
    Ok((header, torn))
}

/// The end of what a reserve holds.
#[derive(Debug)]
pub(crate) struct Scanned {
    /// The byte behind the last frame.
    pub end: usize,
    /// Where the frames of the last batch begin.
    pub last_batch: usize,
    /// The index of the next frame.
    pub index: u64,
    /// Entries.
    pub entries: u64,
    pub link: Hash,
    pub torn: Option<Torn>,
}

/// One frame of a reserve.
pub(crate) enum Content<'a> {
    /// A wrapped data key.
    Key(StoredKey),
    /// A sealed entry.
    Entry(Origin, Envelope<'a>),
}

pub(crate) type Visit<'a> = dyn FnMut(&Frame<'_>, Content<'_>) -> Result<(), Damage> + 'a;

/// Reads all frames in order. A bad place is cut off if it is of the last batch, and is damage otherwise.
pub(crate) fn scan(path: &Path, bytes: &[u8], header: &Header, visit: &mut Visit<'_>) -> Result<Scanned, Damage> {
    let (mut end, mut last_batch) = (FRAMES_AT, FRAMES_AT);
    let (mut index, mut entries, mut batch, mut link) = (0, 0, None, header.seed());
    let torn = loop {
        let here = |what: &str| Damage::new(path, what).at(end as u64).entry(entries);
        match next(bytes, end) {
            Next::Frame(frame) => {
                if frame.index != index || frame.before != link {
                    return Err(here("hash chain of the reserve is broken before this entry"));
                }
                if frame.batch != index && batch != Some(frame.batch) {
                    return Err(here("batch number does not fit"));
                }
                let content = content(&frame, header, entries + 1).map_err(here)?;
                entries += u64::from(matches!(content, Content::Entry(..)));
                visit(&frame, content).map_err(|damage| damage.at(end as u64))?;
                if batch != Some(frame.batch) {
                    (batch, last_batch) = (Some(frame.batch), end);
                }
                link = chain_link(&frame.before, &frame.leaf);
                index += 1;
                end += frame.bytes;
            }
            Next::End => break None,
            Next::Bad => {
                let rest = bytes.get(end..).unwrap_or_default();
                if later_batch(rest, index) {
                    return Err(here("entry is damaged, and a later batch stands behind it"));
                }
                let length = rest.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
                break Some(Torn { path: path.to_owned(), offset: end as u64, bytes: length as u64, index: entries });
            }
        }
    };
    Ok(Scanned { end, last_batch, index, entries, link, torn })
}

fn content<'a>(frame: &Frame<'a>, header: &Header, seq: u64) -> Result<Content<'a>, &'static str> {
    let Some(origin) = frame.origin else {
        let key = StoredKey::from_bytes(frame.entry).ok().filter(|key| matches!(key, StoredKey::Wrapped(_)));
        return key.map(Content::Key).ok_or("data key of the reserve is malformed");
    };
    if origin != Origin::new(header.shard, seq) {
        return Err("another entry follows than the next one");
    }
    match Envelope::parse(frame.entry) {
        Ok(envelope) if envelope.label == origin.to_bytes() => Ok(Content::Entry(origin, envelope)),
        Ok(_) => Err("origin of the frame is not the one of its entry"),
        Err(_) => Err("entry is no envelope"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(turn: u64, state: State) -> Header {
        Header { turn, capacity: FRAMES_AT as u64 + 100, log: [7; 16], shard: 0x8000_0005, state }
    }

    fn file(headers: &[Header]) -> Vec<u8> {
        let mut bytes = vec![0; FRAMES_AT + 100];
        for header in headers {
            let (at, block) = header.to_block();
            let at = usize::try_from(at).unwrap();
            bytes[at..at + block.len()].copy_from_slice(&block);
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Result<(Header, bool), Damage> {
        read_header(Path::new("log"), bytes, [7; 16])
    }

    #[test]
    fn the_header_of_the_higher_turn_is_in_force_and_a_torn_one_leaves_the_other() {
        let live = header(1, State::Live { before: None });
        let emptying = header(2, State::Emptying { entries: 4, next: 0x8000_0009 });
        let next = header(3, State::Live { before: Some(Generation { shard: 0x8000_0005, entries: 4 }) });
        assert_eq!(read(&file(&[live])), Ok((live, false)));
        assert_eq!(read(&file(&[live, emptying])), Ok((emptying, false)));
        assert_eq!(read(&file(&[emptying, next])), Ok((next, false)));
        let whole = file(&[live, emptying]);
        // Every changed byte of a header is noticed: the older one is in force then, and the change is told.
        for position in 0..BLOCK_BYTES {
            let mut changed = whole.clone();
            changed[position] ^= 1;
            assert_eq!(read(&changed), Ok((live, true)), "byte {position}");
        }
        assert!(read(&vec![0; FRAMES_AT + 100]).is_err());
        assert!(read(&whole[..FRAMES_AT]).is_err(), "another length");
        assert!(read_header(Path::new("log"), &whole, [8; 16]).is_err(), "another log");
    }

    #[test]
    fn a_damaged_header_never_lets_frames_be_thrown_away() {
        let emptying = header(2, State::Emptying { entries: 4, next: 0x8000_0009 });
        let next = header(3, State::Live { before: None });
        let mut bytes = file(&[emptying, next]);
        bytes[BLOCK_BYTES + 20] ^= 1;
        assert_eq!(read(&bytes), Ok((emptying, true)), "nothing stands behind it");
        bytes[FRAMES_AT + 50] = 1;
        assert!(read(&bytes).is_err());
    }
}
