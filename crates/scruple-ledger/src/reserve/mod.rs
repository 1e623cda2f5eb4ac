//! The emergency reserve: where entries of care are recorded while the main ledger cannot write.
//!
//! A reserve is one file, written full of zeros when it is made, so that recording in it needs no room, no new file and
//! no new length: one write and one fdatasync of blocks that the file has. Its entries are sealed with a data key whose
//! wrapped form stands in the same file, durable before the key seals; so a start on a full disk has a key, too. They are
//! hash-chained, and carry as origin the position under which the main ledger takes them later, each once.
//!
//! A *generation* lasts from one emptying to the next. It is a shard number that no entry of the main ledger has: bit 31
//! set, bit 30 the number of the reserve, 30 bits drawn at random. So the entries of a reserve that was lost, exchanged or
//! brought back are never taken for those of another, nor for merged ones, and a main ledger that was restored from an
//! older copy takes all of them.
//!
//! It deliberately knows no threads and no purposes: [`crate::Recorder`] does.

pub(crate) mod format;
mod tiers;

pub(crate) use tiers::{Env, Main, Reserves, Room};
pub use tiers::{MergedReserve, Notices, RecoverError};

use crate::error::{LedgerError, Stop, StorageError};
use crate::folder::{Folder, RESERVE_LOG, RESERVE_NEW};
use crate::frame::{FRAME_HEADER_BYTES, FrameHead, Origin, begin_frame, end_frame};
use crate::keys::StoredKey;
use crate::open::SEGMENT_BYTES_MIN;
use crate::scan::Torn;
use crate::storage::File;
use crate::tree::{Hash, chain_link};
use crate::wal::{BATCH_BYTES_MAX, Receipt, frame_bytes};
use format::{Content, FRAMES_AT, Generation, Header, Scanned, State, read_header, scan};
use rand_core::CryptoRng;
use scruple_seal::{FreshKey, KeyId, KeyProvider, OpeningKey, Place, SealError, Sealer, WrappedKey};
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes of a reserve, unless told otherwise.
pub const RESERVE_BYTES: u64 = 64 << 20;
/// The smallest reserve: its headers, some data keys, and the longest entry.
pub const RESERVE_BYTES_MIN: u64 = FRAMES_AT as u64 + 8_192 + SEGMENT_BYTES_MIN;
/// The largest reserve.
pub const RESERVE_BYTES_MAX: u64 = 1 << 30;
/// Shard numbers from here on are generations of reserves; no event table has one.
pub const RESERVE_SHARDS: u32 = 1 << 31;

/// The key that a run seals with, and what is to be stored of it.
struct RunKey {
    sealer: Sealer,
    wrapped: Vec<u8>,
    /// Its wrapped form is durable in this generation.
    stored: bool,
}

impl RunKey {
    fn make(shard: u32, hour: i64, provider: &dyn KeyProvider, rng: &mut dyn CryptoRng) -> Result<Self, SealError> {
        let key = FreshKey::generate(shard, hour, rng);
        let wrapped = WrappedKey::wrap(provider, &key, rng)?;
        let sealer = key.into_sealer()?;
        Ok(Self { sealer, wrapped: StoredKey::Wrapped(wrapped).to_bytes(), stored: false })
    }
}

/// An open reserve.
pub(crate) struct Reserve {
    folder: Arc<Folder>,
    file: Box<dyn File>,
    header: Header,
    /// Where the next frame goes.
    end: u64,
    index: u64,
    entries: u64,
    link: Hash,
    key: RunKey,
    buffer: Vec<u8>,
    /// An entry did not fit: until it is emptied, none is taken, so that order is kept.
    full: bool,
    stop: Option<Arc<Stop>>,
}

impl Reserve {
    /// Makes a reserve full of zeros, durably. Nothing is made by halves: it is there when it has its name.
    pub(crate) fn create(folder: &Folder, bytes: u64, shard: u32, log: [u8; 16]) -> Result<(), StorageError> {
        let header = Header { turn: 0, capacity: bytes, log, shard, state: State::Live { before: None } };
        folder.create_zeroed_by(RESERVE_NEW, RESERVE_LOG, &header.to_block().1, bytes).map(drop)
    }

    /// Opens it from what the disk has, cuts an interrupted write off, and finishes an interrupted emptying.
    pub(crate) fn open(folder: &Arc<Folder>, env: &mut Env) -> Result<Self, LedgerError> {
        let path = folder.path(RESERVE_LOG);
        let bytes = folder.read(RESERVE_LOG)?;
        let (header, torn_header) = read_header(&path, &bytes, env.log)?;
        let scanned = match header.state {
            State::Live { .. } => scan(&path, &bytes, &header, &mut |_, _| Ok(()))?,
            // What is left of the frames is not read any more.
            State::Emptying { .. } => scan(&path, &[], &header, &mut |_, _| Ok(()))?,
        };
        let hour = env.clock.now().hour();
        let key = RunKey::make(header.shard, hour, env.provider.as_ref(), env.rng.as_mut());
        let key = key.map_err(|source| LedgerError::Key { path, source })?;
        let mut reserve = Self {
            folder: Arc::clone(folder),
            file: folder.open(RESERVE_LOG)?,
            header,
            end: scanned.end as u64,
            index: scanned.index,
            entries: scanned.entries,
            link: scanned.link,
            key,
            buffer: Vec::new(),
            full: false,
            stop: None,
        };
        reserve.repair(&bytes, &scanned, torn_header)?;
        if let State::Emptying { entries, next } = header.state {
            let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
            reserve.finish_emptying(used as u64, Generation { shard: header.shard, entries }, next)?;
        }
        Ok(reserve)
    }

    /// Writes again what was read and is relied on: after a failed fsync the system may show bytes that the disk never got.
    fn repair(&mut self, bytes: &[u8], scanned: &Scanned, torn_header: bool) -> Result<(), StorageError> {
        let (at, block) = self.header.to_block();
        self.write(at, &block)?;
        if torn_header {
            self.write(block.len() as u64 - at, &vec![0; block.len()])?;
        }
        let mut again = bytes.get(scanned.last_batch..scanned.end).unwrap_or_default().to_vec();
        let torn = scanned.torn.as_ref().map_or(0, |torn| torn.bytes);
        again.resize(again.len() + usize::try_from(torn).unwrap_or(0), 0);
        if !again.is_empty() {
            self.write(scanned.last_batch as u64, &again)?;
        }
        self.sync()
    }

    /// The shard of its entries' origins.
    pub(crate) const fn shard(&self) -> u32 {
        self.header.shard
    }

    /// Entries that it holds.
    pub(crate) const fn entries(&self) -> u64 {
        self.entries
    }

    /// Bytes that it has used.
    pub(crate) const fn used(&self) -> u64 {
        self.end - FRAMES_AT as u64
    }

    /// The generation that was merged last.
    pub(crate) const fn before(&self) -> Option<Generation> {
        match self.header.state {
            State::Live { before } => before,
            State::Emptying { .. } => None,
        }
    }

    pub(crate) const fn stopped(&self) -> Option<&Arc<Stop>> {
        self.stop.as_ref()
    }

    /// Whether it may take another entry.
    pub(crate) const fn takes(&self) -> bool {
        self.stop.is_none() && !self.full
    }

    /// Records as many of the entries as fit, the first ones, and returns when they are durable. Fewer receipts than
    /// entries: it is full, or the batch was; then it tells by [`Reserve::takes`]. After an error nothing more is taken
    /// until it is opened anew.
    // INVARIANT (acknowledged-is-durable): a receipt of the reserve is made from the return of this function alone.
    pub(crate) fn record(&mut self, payloads: &[&[u8]]) -> Result<Vec<Receipt>, Arc<Stop>> {
        if let Some(stop) = &self.stop {
            return Err(Arc::clone(stop));
        }
        let fitting = self.fitting(payloads);
        if fitting == 0 {
            self.full = !payloads.is_empty();
            return Ok(Vec::new());
        }
        let written = self
            .store_key()
            .and_then(|()| self.write_entries(payloads.get(..fitting).unwrap_or_default()));
        written.map_err(|stop| Arc::clone(self.stop.insert(Arc::new(stop))))
    }

    /// How many of the entries fit into what is left, and into one batch.
    fn fitting(&self, payloads: &[&[u8]]) -> usize {
        let key = if self.key.stored { 0 } else { FRAME_HEADER_BYTES + self.key.wrapped.len() };
        let left = usize::try_from(self.header.capacity - self.end).unwrap_or(0).saturating_sub(key);
        let mut room = left.min(BATCH_BYTES_MAX);
        let fits = |payload: &&&[u8]| {
            let left = room.checked_sub(frame_bytes(payload.len()));
            room = left.unwrap_or(room);
            left.is_some()
        };
        payloads.iter().take_while(fits).count()
    }

    /// Makes the wrapped key durable, before it seals anything of this generation.
    fn store_key(&mut self) -> Result<(), Stop> {
        if self.key.stored {
            return Ok(());
        }
        self.buffer.clear();
        let head = FrameHead { index: self.index, batch: self.index, origin: None, before: self.link };
        let start = begin_frame(&mut self.buffer, &head);
        self.buffer.extend_from_slice(&self.key.wrapped);
        let leaf = end_frame(&mut self.buffer, start);
        let link = chain_link(&self.link, &leaf);
        self.write_buffer()?;
        (self.index, self.link, self.key.stored) = (self.index + 1, link, true);
        Ok(())
    }

    fn write_entries(&mut self, payloads: &[&[u8]]) -> Result<Vec<Receipt>, Stop> {
        self.buffer.clear();
        let shard = self.header.shard;
        let (batch, mut index, mut entries, mut link) = (self.index, self.index, self.entries, self.link);
        let mut receipts = Vec::with_capacity(payloads.len());
        for payload in payloads {
            entries += 1;
            let origin = Origin::new(shard, entries);
            let start = begin_frame(&mut self.buffer, &FrameHead { index, batch, origin: Some(origin), before: link });
            self.key.sealer.seal(Place { shard, index }, &origin.to_bytes(), payload, &mut self.buffer)?;
            let leaf = end_frame(&mut self.buffer, start);
            link = chain_link(&link, &leaf);
            receipts.push(Receipt { index: entries - 1, leaf, link, in_reserve: true });
            index += 1;
        }
        self.write_buffer()?;
        (self.index, self.entries, self.link) = (index, entries, link);
        Ok(receipts)
    }

    fn write_buffer(&mut self) -> Result<(), StorageError> {
        let buffer = std::mem::take(&mut self.buffer);
        let written = self.write(self.end, &buffer).and_then(|()| self.sync());
        self.end += buffer.len() as u64;
        self.buffer = buffer;
        written
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), StorageError> {
        let written = self.file.write_at(at, bytes);
        written.map_err(|error| StorageError::new("write", &self.folder.path(RESERVE_LOG), error))
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        let synced = self.file.sync();
        synced.map_err(|error| StorageError::new("make durable", &self.folder.path(RESERVE_LOG), error))
    }

    /// Reads all entries back from the disk, in order, and opens them. Each must open: a changed one is damage.
    pub(crate) fn read(
        &self,
        provider: &dyn KeyProvider,
        visit: &mut dyn FnMut(Origin, Vec<u8>) -> Result<(), RecoverError>,
    ) -> Result<(), RecoverError> {
        let bytes = self.folder.read(RESERVE_LOG).map_err(LedgerError::from)?;
        let mut failed = None;
        let scanned = read_entries(&self.folder, &bytes, &self.header, provider, &mut |origin, payload| {
            if failed.is_none() {
                failed = visit(origin, payload).err();
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        if (scanned.entries, scanned.link) != (self.entries, self.link) {
            let path = self.folder.path(RESERVE_LOG);
            let what = format!("{} entries are read of the {} that were recorded", scanned.entries, self.entries);
            return Err(LedgerError::from(crate::error::Damage::new(&path, what)).into());
        }
        Ok(())
    }

    /// Overwrites the entries with zeros and begins the generation `next`. The caller has seen all of them durable in the
    /// main ledger.
    pub(crate) fn empty(&mut self, next: u32, env: &mut Env) -> Result<(), Arc<Stop>> {
        if let Some(stop) = &self.stop {
            return Err(Arc::clone(stop));
        }
        let merged = Generation { shard: self.header.shard, entries: self.entries };
        let emptied = self.begin_emptying(next).and_then(|()| self.finish_emptying(self.end, merged, next));
        emptied.map_err(|error| Arc::clone(self.stop.insert(Arc::new(error.into()))))?;
        // The old key went with the frames. If none can be made now, it seals on, and is stored again.
        let hour = env.clock.now().hour();
        match RunKey::make(next, hour, env.provider.as_ref(), env.rng.as_mut()) {
            Ok(key) => self.key = key,
            Err(_) => self.key.stored = false,
        }
        Ok(())
    }

    fn begin_emptying(&mut self, next: u32) -> Result<(), StorageError> {
        self.turn(self.header.shard, State::Emptying { entries: self.entries, next })
    }

    fn finish_emptying(&mut self, used: u64, merged: Generation, next: u32) -> Result<(), StorageError> {
        const STEP: u64 = 1 << 20;
        let zeros = vec![0; usize::try_from(STEP).unwrap_or(0)];
        let mut at = FRAMES_AT as u64;
        while at < used {
            let length = STEP.min(used - at);
            self.write(at, zeros.get(..usize::try_from(length).unwrap_or(0)).unwrap_or_default())?;
            at += length;
        }
        self.sync()?;
        self.turn(next, State::Live { before: Some(merged) })?;
        let scanned = scan(self.folder.root(), &[], &self.header, &mut |_, _| Ok(()));
        let link = scanned.map(|scanned| scanned.link).unwrap_or_default();
        (self.end, self.index, self.entries, self.link) = (FRAMES_AT as u64, 0, 0, link);
        (self.key.stored, self.full) = (false, false);
        Ok(())
    }

    /// Writes the other header, which then is in force.
    fn turn(&mut self, shard: u32, state: State) -> Result<(), StorageError> {
        let header = Header { turn: self.header.turn + 1, shard, state, ..self.header };
        let (at, block) = header.to_block();
        self.write(at, &block)?;
        self.sync()?;
        self.header = header;
        Ok(())
    }
}

/// Reads all entries of a reserve and opens them.
pub(crate) fn read_entries(
    folder: &Folder,
    bytes: &[u8],
    header: &Header,
    provider: &dyn KeyProvider,
    visit: &mut dyn FnMut(Origin, Vec<u8>),
) -> Result<Scanned, LedgerError> {
    let path = folder.path(RESERVE_LOG);
    let mut keys: HashMap<KeyId, OpeningKey> = HashMap::new();
    let mut provider_failed = None;
    let scanned = scan(&path, bytes, header, &mut |frame, content| {
        let damage = |what: String| crate::error::Damage::new(&path, what).entry(frame.index);
        match content {
            Content::Key(StoredKey::Wrapped(wrapped)) => match wrapped.unwrap(provider) {
                Ok(key) => drop(keys.insert(wrapped.scope().id, key)),
                Err(error) => {
                    let what = error.to_string();
                    provider_failed = Some(error);
                    return Err(damage(what));
                }
            },
            Content::Key(StoredKey::Erased { .. }) => return Err(damage("holds an erased data key".to_owned())),
            Content::Entry(origin, envelope) => {
                let key = keys.get(&envelope.key_id).ok_or_else(|| damage("data key is missing".to_owned()))?;
                let payload = key.open(Place { shard: header.shard, index: frame.index }, &envelope);
                visit(origin, payload.map_err(|error| damage(error.to_string()))?);
            }
        }
        Ok(())
    });
    match (scanned, provider_failed) {
        // A provider that cannot be reached is no damage.
        (Err(_), Some(source)) => Err(LedgerError::Key { path, source }),
        (scanned, _) => Ok(scanned?),
    }
}

/// What a look at a reserve found, for a verification.
pub(crate) struct Seen {
    pub header: Header,
    pub torn_header: bool,
    pub entries: u64,
    pub torn: Option<Torn>,
}

/// Looks at the reserve in `folder` without changing it.
pub(crate) fn look(
    folder: &Folder,
    log: [u8; 16],
    provider: Option<&dyn KeyProvider>,
    visit: &mut dyn FnMut(Origin, Vec<u8>),
) -> Result<Seen, LedgerError> {
    let path = folder.path(RESERVE_LOG);
    let bytes = folder.read(RESERVE_LOG)?;
    let (header, torn_header) = read_header(&path, &bytes, log)?;
    let scanned = match (header.state, provider) {
        (State::Emptying { .. }, _) => scan(&path, &[], &header, &mut |_, _| Ok(()))?,
        (State::Live { .. }, Some(provider)) => read_entries(folder, &bytes, &header, provider, visit)?,
        (State::Live { .. }, None) => scan(&path, &bytes, &header, &mut |_, _| Ok(()))?,
    };
    Ok(Seen { header, torn_header, entries: scanned.entries, torn: scanned.torn })
}
