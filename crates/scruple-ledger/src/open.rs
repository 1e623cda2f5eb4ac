//! Creating a ledger, and starting one: checkpoint, right edge, replay of the write-ahead log, repair of its tail.

use crate::core::{Core, Keeper, Parts};
use crate::error::{Damage, LedgerError, StorageError};
use crate::folder::{CHECKPOINT, Folder, ORIGINS, TILE, WAL, segment_name};
use crate::frame::{FRAME_HEADER_BYTES, Origin};
use crate::integrate::Integrator;
use crate::keys::{LogKeys, create_log_keys, log_id, read_log_keys};
use crate::note::Checkpoint;
use crate::origins::Origins;
use crate::scan::{Repair, Tail, Torn, scan};
use crate::storage::{FileSystem, Lock, Mode, Storage};
use crate::tree::{Bundle, Edge, Hash, TILE_WIDTH, bundle_path, edge_tiles, edge_widths, empty_root, leaf_hash};
use crate::tree::{parse_tile, put_entry, tile_path};
use crate::wal::{Batch, OpenSegment, Writer};
use rand_core::CryptoRng;
use scruple_core::Clock;
use scruple_core::limits::ENTRY_BYTES_MAX;
use scruple_seal::{Envelope, KeyProvider, SystemRng};
use std::path::Path;
use std::sync::Arc;

/// Bytes of a segment, unless told otherwise.
pub const SEGMENT_BYTES: u64 = 32 << 20;
/// The smallest segment: one frame of the longest entry must fit.
pub const SEGMENT_BYTES_MIN: u64 = (FRAME_HEADER_BYTES + ENTRY_BYTES_MAX + 64) as u64;
/// The largest segment.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// How a ledger is opened.
pub struct OpenOptions {
    /// The disk.
    pub storage: Arc<dyn Storage>,
    /// The present; it chooses the hour of the data key.
    pub clock: Arc<dyn Clock>,
    /// Randomness for keys.
    pub rng: Box<dyn CryptoRng + Send>,
    /// The key-encryption key. `None`: a file of its own in the folder.
    pub provider: Option<Arc<dyn KeyProvider>>,
    /// The name of the log, used when it is created: the origin line of its checkpoints.
    pub name: String,
    /// The shard that this log is; bound into every entry.
    pub shard: u32,
    /// Bytes of a segment of the write-ahead log.
    pub segment_bytes: u64,
}

impl OpenOptions {
    /// The machine's disk and generator, the KEK in the folder, shard 0.
    #[must_use]
    pub fn new(name: &str, clock: Arc<dyn Clock>) -> Self {
        Self {
            storage: Arc::new(FileSystem),
            clock,
            rng: Box::new(SystemRng),
            provider: None,
            name: name.to_owned(),
            shard: 0,
            segment_bytes: SEGMENT_BYTES,
        }
    }
}

/// What the start found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recovery {
    /// Entries under the last signed checkpoint.
    pub checkpoint: u64,
    /// Entries that stood in the write-ahead log alone.
    pub replayed: u64,
    /// What was cut off the end: an interrupted write that nobody was told of.
    pub cut: Option<Torn>,
    /// Whether the side file of origins was lost and made again.
    pub origins_rebuilt: bool,
}

/// What to do about a ledger that is, or is not, there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Intent {
    Open,
    Create,
    CreateOrOpen,
}

/// Opens or creates, up to the state from which batches can be written.
pub(crate) fn start(dir: &Path, mut options: OpenOptions, intent: Intent) -> Result<(Core, Recovery), LedgerError> {
    if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&options.segment_bytes) {
        return Err(LedgerError::Option("`segment_bytes` is out of range"));
    }
    let folder = Arc::new(Folder::new(dir, Arc::clone(&options.storage)));
    if intent != Intent::Open {
        folder.create_root()?;
    }
    let lock = match folder.lock() {
        Err(LedgerError::Storage(error)) if error.is_not_found() => {
            return Err(LedgerError::Missing(dir.to_owned()));
        }
        result => result?,
    };
    let checkpoint = folder.read_optional(CHECKPOINT)?;
    match (checkpoint, intent) {
        (Some(_), Intent::Create) => Err(LedgerError::Exists(dir.to_owned())),
        (Some(bytes), _) => {
            folder.clear_temporary()?;
            let keys = read_log_keys(&folder, options.provider.clone())?;
            recover(folder, lock, keys, bytes, options)
        }
        // The checkpoint is the last file of a creation: without it nothing was ever recorded, or it was taken away.
        (None, _) if !folder.list(WAL)?.is_empty() || !folder.list(TILE)?.is_empty() => {
            Err(Damage::new(&folder.path(CHECKPOINT), "is missing").into())
        }
        (None, Intent::Open) => Err(LedgerError::Missing(dir.to_owned())),
        (None, _) => {
            folder.clear_temporary()?;
            let keys = create_log_keys(&folder, &options.name, options.provider.clone(), options.rng.as_mut())?;
            let bytes = keys
                .signer
                .checkpoint(0, empty_root())
                .map_err(|_| LedgerError::Option("`name` must not be empty, nor have white space or a plus sign"))?;
            folder.replace_one(CHECKPOINT, &bytes, Mode::Common)?;
            recover(folder, lock, keys, bytes, options)
        }
    }
}

fn recover(
    folder: Arc<Folder>,
    lock: Box<dyn Lock>,
    keys: LogKeys,
    checkpoint_bytes: Vec<u8>,
    options: OpenOptions,
) -> Result<(Core, Recovery), LedgerError> {
    let verifier = keys.signer.verifier();
    let checkpoint =
        verifier.open(&checkpoint_bytes).map_err(|error| Damage::new(&folder.path(CHECKPOINT), error.to_string()))?;
    let (edge, bundle) = load_edge(&folder, &checkpoint)?;
    let log = log_id(&verifier);
    let mut replay = Replay::begin(&folder, &checkpoint)?;
    let tail = scan(&folder, log, &mut |name, offset, frame| {
        replay
            .take(frame.index, frame.origin, frame.entry, frame.leaf)
            .map_err(|what| Damage::new(&folder.path(name), what).at(offset).entry(frame.index).into())
    })?;
    check_tail(&folder, &tail, &checkpoint)?;
    repair(&folder, &tail.repairs)?;
    let recovery = Recovery {
        checkpoint: checkpoint.size,
        replayed: replay.batch.leaves.len() as u64,
        cut: tail.torn.clone(),
        origins_rebuilt: replay.rebuilt,
    };
    let next = tail.next.unwrap_or(checkpoint.size);
    let shard = options.shard;
    let keeper = Keeper::new(&folder, keys.provider, options, log, &tail)?;
    let sealer = keeper.first_key()?;
    let writer = Writer {
        folder: Arc::clone(&folder),
        shard,
        segment: open_segment(&folder, &tail)?,
        next,
        link: tail.link,
        sealer,
        buffer: Vec::new(),
    };
    let integrator = Integrator {
        folder: Arc::clone(&folder),
        signer: keys.signer,
        edge,
        bundle,
        origins: replay.at_checkpoint,
        checkpoint: checkpoint_bytes,
    };
    let filled = tail.segments.iter().filter_map(|segment| Some((segment.ordinal, segment.last?)));
    let parts = Parts { segments: filled.collect(), origins: replay.origins, pending: replay.batch };
    Ok((Core::new(lock, writer, integrator, keeper, parts), recovery))
}

/// Reads the tiles at the right edge and checks that they make the checkpoint's root.
fn load_edge(folder: &Folder, checkpoint: &Checkpoint) -> Result<(Edge, Vec<u8>), LedgerError> {
    let size = checkpoint.size;
    let mut levels = vec![Vec::new(); edge_widths(size).len()];
    for (id, width) in edge_tiles(size) {
        let name = tile_path(id, u64::from(width));
        let hashes = parse_tile(&read_required(folder, &name)?)
            .filter(|hashes| hashes.len() == usize::from(width))
            .ok_or_else(|| Damage::new(&folder.path(&name), "tile has the wrong length"))?;
        if let Some(level) = levels.get_mut(usize::from(id.level)) {
            *level = hashes;
        }
    }
    let leaves = levels.first().cloned().unwrap_or_default();
    let edge = Edge::from_levels(size, levels).filter(|edge| edge.root() == checkpoint.root);
    let edge = edge.ok_or_else(|| {
        Damage::new(&folder.path(CHECKPOINT), format!("root of {size} entries is not that of the tiles at its edge"))
    })?;
    let width = size % TILE_WIDTH;
    if width == 0 {
        return Ok((edge, Vec::new()));
    }
    let name = bundle_path(size / TILE_WIDTH, width);
    let bundle = read_required(folder, &name)?;
    let entries = Bundle::parse(&bundle, width)
        .whole()
        .map_err(|offset| Damage::new(&folder.path(&name), "bundle is malformed").at(offset))?;
    for (position, (entry, leaf)) in entries.iter().zip(&leaves).enumerate() {
        if leaf_hash(entry) != *leaf {
            let index = size - width + position as u64;
            return Err(Damage::new(&folder.path(&name), "entry is not the one of its tile").entry(index).into());
        }
    }
    Ok((edge, bundle))
}

fn read_required(folder: &Folder, name: &str) -> Result<Vec<u8>, LedgerError> {
    match folder.read_optional(name)? {
        Some(bytes) => Ok(bytes),
        None => Err(Damage::new(&folder.path(name), "is missing").into()),
    }
}

/// What the replay of the write-ahead log brings together.
struct Replay {
    size: u64,
    /// The size at which `origins` began.
    from: u64,
    origins: Origins,
    at_checkpoint: Origins,
    batch: Batch,
    rebuilt: bool,
}

impl Replay {
    fn begin(folder: &Folder, checkpoint: &Checkpoint) -> Result<Self, LedgerError> {
        let size = checkpoint.size;
        let stored = folder.read_optional(ORIGINS)?.and_then(|bytes| Origins::from_bytes(&bytes));
        let first = first_frame_index(folder)?;
        // A side file from before the first kept frame, or from after the checkpoint, is none of this ledger's writing.
        let usable = stored.filter(|(at, _)| *at <= size && (*at == size || first.is_some_and(|first| first <= *at)));
        let rebuilt = usable.is_none() && size > 0;
        let (from, origins) = match usable {
            Some(usable) => usable,
            None => (size, rebuild_origins(folder, size)?),
        };
        let batch = Batch { first: size, ..Batch::default() };
        Ok(Self { size, from, at_checkpoint: origins.clone(), origins, batch, rebuilt })
    }

    fn take(&mut self, index: u64, origin: Option<Origin>, entry: &[u8], leaf: Hash) -> Result<(), String> {
        if index >= self.from
            && let Some(origin) = origin
        {
            self.origins.take(origin).map_err(|expected| {
                format!("origin {} of shard {} stands where {expected} follows", origin.seq, origin.shard)
            })?;
        }
        if index + 1 == self.size {
            self.at_checkpoint = self.origins.clone();
        }
        if index < self.size {
            return Ok(());
        }
        put_entry(&mut self.batch.entries, entry);
        self.batch.leaves.push(leaf);
        self.batch.origins.extend(origin);
        Ok(())
    }
}

/// The index of the first frame of the first segment, if its bytes are good.
fn first_frame_index(folder: &Folder) -> Result<Option<u64>, LedgerError> {
    let mut names: Vec<_> = folder.list(WAL)?.into_iter().map(|item| item.name).collect();
    names.sort();
    for name in names {
        let bytes = folder.read(&format!("{WAL}/{name}"))?;
        let frame = bytes.get(crate::frame::SEGMENT_HEADER_BYTES..).and_then(crate::frame::read_frame);
        if let Some(frame) = frame {
            return Ok(Some(frame.index));
        }
    }
    Ok(None)
}

/// Reads all entries below the checkpoint for their origins.
fn rebuild_origins(folder: &Folder, size: u64) -> Result<Origins, LedgerError> {
    let mut origins = Origins::default();
    for number in 0..size.div_ceil(TILE_WIDTH) {
        let width = (size - number * TILE_WIDTH).min(TILE_WIDTH);
        let name = bundle_path(number, width);
        let bytes = read_required(folder, &name)?;
        let entries = Bundle::parse(&bytes, width)
            .whole()
            .map_err(|offset| Damage::new(&folder.path(&name), "bundle is malformed").at(offset))?;
        for (position, entry) in entries.iter().enumerate() {
            let damage =
                |what: &str| Damage::new(&folder.path(&name), what).entry(number * TILE_WIDTH + position as u64);
            let label = Envelope::parse(entry).map_err(|_| damage("entry is no envelope"))?.label;
            let origin = Origin::from_bytes(label).ok_or_else(|| damage("entry has a malformed origin"))?;
            if let Some(origin) = origin {
                origins.take(origin).map_err(|_| damage("origin does not follow the one before"))?;
            }
        }
    }
    Ok(origins)
}

/// The write-ahead log must reach from at or below the checkpoint to at or above it.
fn check_tail(folder: &Folder, tail: &Tail, checkpoint: &Checkpoint) -> Result<(), LedgerError> {
    let size = checkpoint.size;
    let path = folder.path(WAL);
    if let Some(first) = tail.first.filter(|first| *first > size) {
        let what = format!("entries {size} to {} are missing", first - 1);
        return Err(Damage::new(&path, what).entry(size).into());
    }
    let next = tail.next.unwrap_or(0);
    if next < size {
        let path = tail.torn.as_ref().map_or(&path, |torn| &torn.path);
        let damage = Damage::new(path, "entry is under the checkpoint, but not whole in the write-ahead log");
        let damage = damage.entry(next);
        let offset = tail.torn.as_ref().map(|torn| torn.offset);
        return Err(offset.map_or(damage.clone(), |offset| damage.at(offset)).into());
    }
    Ok(())
}

fn repair(folder: &Folder, repairs: &[Repair]) -> Result<(), StorageError> {
    for repair in repairs {
        let path = folder.path(&repair.name);
        let mut file = folder.open(&repair.name)?;
        file.write_at(repair.offset, &repair.bytes).map_err(|error| StorageError::new("write", &path, error))?;
        file.sync().map_err(|error| StorageError::new("make durable", &path, error))?;
    }
    Ok(())
}

/// The segment of the last frame, to go on writing behind it.
fn open_segment(folder: &Folder, tail: &Tail) -> Result<Option<OpenSegment>, LedgerError> {
    let Some((ordinal, offset)) = tail.end else { return Ok(None) };
    let capacity = tail.segments.iter().find(|segment| segment.ordinal == ordinal).map_or(0, |found| found.capacity);
    Ok(Some(OpenSegment { ordinal, file: folder.open(&segment_name(ordinal))?, offset, capacity }))
}
