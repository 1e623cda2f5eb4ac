//! Reads the write-ahead log from its first kept segment to its end. Used by recovery and by verification.

use crate::error::{Damage, LedgerError};
use crate::folder::{Folder, WAL, parse_segment_name, segment_name};
use crate::frame::{Frame, Next, SEGMENT_HEADER_BYTES, later_batch, next, segment_header};
use crate::tree::{Hash, chain_link};
use scruple_seal::Envelope;

/// One segment as it was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SegmentInfo {
    pub ordinal: u64,
    pub capacity: u64,
    /// The index of its last frame, if it has any.
    pub last: Option<u64>,
}

/// Bytes that are to be written again, durably, before anything is appended.
#[derive(Debug)]
pub(crate) struct Repair {
    pub name: String,
    pub offset: u64,
    pub bytes: Vec<u8>,
}

/// What an interrupted write left behind the last whole frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Torn {
    /// The segment.
    pub path: std::path::PathBuf,
    /// Where it begins.
    pub offset: u64,
    /// Bytes up to the last one that is not zero.
    pub bytes: u64,
    /// The index of the entry that would have been next.
    pub index: u64,
}

/// The end of the write-ahead log.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    pub segments: Vec<SegmentInfo>,
    /// The index of the first frame.
    pub first: Option<u64>,
    /// The index that follows the last frame.
    pub next: Option<u64>,
    /// The chain's link after the last frame.
    pub link: Hash,
    /// The segment of the last frame, and the byte behind it.
    pub end: Option<(u64, u64)>,
    pub torn: Option<Torn>,
    /// The last batch, to be written again: after a failed fsync the system may show bytes that the disk never got.
    pub repairs: Vec<Repair>,
}

/// Where the frames of the last batch begin.
struct LastBatch {
    number: u64,
    offset: usize,
}

pub(crate) type Visit<'a> = dyn FnMut(&str, u64, &Frame<'_>) -> Result<(), LedgerError> + 'a;

/// Reads all segments and calls `visit` with name, offset and frame, in order of the index.
///
/// A bad place is cut off if everything behind it is of the batch that was being written when the machine stopped, and
/// is damage otherwise.
pub(crate) fn scan(folder: &Folder, log: [u8; 16], visit: &mut Visit<'_>) -> Result<Tail, LedgerError> {
    let mut tail = Tail::default();
    let mut ordinals = Vec::new();
    for item in folder.list(WAL)? {
        let ordinal = parse_segment_name(&item.name).filter(|_| !item.is_dir);
        let unknown = || Damage::new(&folder.path(&format!("{WAL}/{}", item.name)), "is no file of the ledger");
        ordinals.push(ordinal.ok_or_else(unknown)?);
    }
    ordinals.sort_unstable();
    let mut before: Option<u64> = None;
    for ordinal in ordinals {
        let name = segment_name(ordinal);
        if let Some(before) = before
            && before.checked_add(1) != Some(ordinal)
        {
            let missing = segment_name(before.saturating_add(1));
            return Err(Damage::new(&folder.path(&missing), "segment is missing").into());
        }
        before = Some(ordinal);
        let bytes = folder.read(&name)?;
        scan_segment(folder, log, ordinal, &bytes, &mut tail, visit)?;
    }
    Ok(tail)
}

fn scan_segment(
    folder: &Folder,
    log: [u8; 16],
    ordinal: u64,
    bytes: &[u8],
    tail: &mut Tail,
    visit: &mut Visit<'_>,
) -> Result<(), LedgerError> {
    let name = segment_name(ordinal);
    let path = folder.path(&name);
    let capacity = bytes.len() as u64;
    if bytes.get(..SEGMENT_HEADER_BYTES) != Some(&segment_header(ordinal, capacity, log)) {
        return Err(Damage::new(&path, "segment header or length is wrong").at(0).into());
    }
    if let Some(torn) = &tail.torn {
        // A segment is begun only after all of the one before is durable.
        if let Some(at) = bytes.iter().skip(SEGMENT_HEADER_BYTES).position(|byte| *byte != 0) {
            let what = format!("is damaged: segment {ordinal} has bytes at {} behind it", at + SEGMENT_HEADER_BYTES);
            return Err(Damage::new(&torn.path, what).at(torn.offset).entry(torn.index).into());
        }
        tail.segments.push(SegmentInfo { ordinal, capacity, last: None });
        return Ok(());
    }
    let mut offset = SEGMENT_HEADER_BYTES;
    let mut last = None;
    let mut batch: Option<LastBatch> = None;
    loop {
        match next(bytes, offset) {
            Next::Frame(frame) => {
                check(&frame, tail, batch.as_ref()).map_err(|what| {
                    Damage::new(&path, what).at(offset as u64).entry(tail.next.unwrap_or(frame.index))
                })?;
                visit(&name, offset as u64, &frame)?;
                if batch.as_ref().is_none_or(|batch| batch.number != frame.batch) {
                    batch = Some(LastBatch { number: frame.batch, offset });
                }
                tail.first.get_or_insert(frame.index);
                tail.next = Some(frame.index + 1);
                tail.link = chain_link(&frame.before, &frame.leaf);
                last = Some(frame.index);
                offset += frame.bytes;
            }
            Next::End => break,
            Next::Bad => {
                let rest = bytes.get(offset..).unwrap_or_default();
                let index = tail.next.unwrap_or(0);
                if later_batch(rest, index) {
                    let what = "entry is damaged, and a later batch stands behind it";
                    return Err(Damage::new(&path, what).at(offset as u64).entry(index).into());
                }
                let length = rest.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
                tail.torn = Some(Torn { path: path.clone(), offset: offset as u64, bytes: length as u64, index });
                break;
            }
        }
    }
    tail.segments.push(SegmentInfo { ordinal, capacity, last });
    let from = match &batch {
        Some(batch) => {
            tail.end = Some((ordinal, offset as u64));
            // What an earlier segment had to repair is durable: this segment was begun after it.
            tail.repairs.clear();
            batch.offset
        }
        None => offset,
    };
    let mut again = bytes.get(from..offset).unwrap_or_default().to_vec();
    if let Some(torn) = &tail.torn {
        again.resize(again.len() + usize::try_from(torn.bytes).unwrap_or(0), 0);
    }
    if !again.is_empty() {
        tail.repairs.push(Repair { name, offset: from as u64, bytes: again });
    }
    Ok(())
}

/// Whether a frame whose checksum is good also follows the one before it.
fn check(frame: &Frame<'_>, tail: &Tail, batch: Option<&LastBatch>) -> Result<(), &'static str> {
    if frame.index == u64::MAX || tail.next.is_some_and(|next| next != frame.index) {
        return Err("another entry follows than the next one");
    }
    if tail.next.is_some() && tail.link != frame.before {
        return Err("hash chain is broken before this entry");
    }
    if frame.batch != frame.index && batch.is_none_or(|batch| batch.number != frame.batch) {
        return Err("batch number does not fit");
    }
    let label = frame.origin.map(crate::frame::Origin::to_bytes);
    match Envelope::parse(frame.entry) {
        Ok(envelope) if envelope.label == label.as_ref().map_or(&[][..], |label| label.as_slice()) => Ok(()),
        Ok(_) => Err("origin of the frame is not the one of its entry"),
        Err(_) => Err("entry is no envelope"),
    }
}
