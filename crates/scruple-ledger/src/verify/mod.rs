//! Recomputes a ledger from its entries and compares everything else with them.
//!
//! The entries of the bundles, and behind them those of the write-ahead log, are hashed into a tree again. Each tile,
//! partial or full, must be what that tree has at its place; the checkpoint must be the root at its size; the frames must
//! be the entries at their indices, chained. Every other file is read too: keys, side file, and none may be unknown.

mod reserve;
mod tree;

use crate::error::{Damage, LedgerError, StorageError};
use crate::folder::{
    CHECKPOINT, Folder, KEK, KEYS, Known, LOCK, ORIGINS, RESERVE, SIGNER, TILE, TMP, VKEY, WAL, known,
};
use crate::keys::{KeyRing, Opening, log_id, read_kek, read_signer, read_vkey};
use crate::note::{Checkpoint, NoteVerifier};
use crate::origins::Origins;
use crate::report::{FindingKind, Report, Trust, chain};
use crate::scan::scan;
use crate::storage::{FileSystem, Storage};
use crate::tree::{Edge, Hash, TileFile, TileId, empty_root};
use scruple_seal::KeyProvider;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// Looks at the names of a ledger in use, until one was not disturbed.
const LISTS_MAX: usize = 16;

/// A caller's check of one payload.
pub type Validator<'a> = dyn FnMut(u64, &[u8]) -> Result<(), String> + 'a;

/// What a verification may rest on.
pub struct VerifyOptions<'a> {
    /// The disk.
    pub storage: Arc<dyn Storage>,
    /// The key-encryption key. `None`: the folder's own if it is there, else payloads stay closed.
    pub provider: Option<Arc<dyn KeyProvider>>,
    /// The public key, kept outside the folder.
    pub vkey: Option<String>,
    /// A checkpoint, kept outside the folder.
    pub outside_checkpoint: Option<Vec<u8>>,
    /// Checks each payload that opens.
    pub validator: Option<Box<Validator<'a>>>,
}

impl Default for VerifyOptions<'_> {
    fn default() -> Self {
        Self { storage: Arc::new(FileSystem), provider: None, vkey: None, outside_checkpoint: None, validator: None }
    }
}

/// Verifies the ledger in `dir`. It may be in use; then what is being written meanwhile is left out.
///
/// # Errors
/// There is no ledger, or an option cannot be read. What is wrong with the ledger itself is in the report.
pub fn verify(dir: &Path, options: VerifyOptions<'_>) -> Result<Report, LedgerError> {
    let folder = Folder::new(dir, Arc::clone(&options.storage));
    let listed = options.storage.list(dir).map_err(|error| StorageError::new("list", dir, error))?;
    if !listed.iter().any(|item| item.name == LOCK || item.name == CHECKPOINT) {
        return Err(LedgerError::Missing(dir.to_owned()));
    }
    let given = options.vkey.as_deref().map(NoteVerifier::parse).transpose();
    let given = given.map_err(|source| LedgerError::Key { path: "the verifier key that was given".into(), source })?;
    // A disk that cannot be written, such as a copy on a read-only medium, has nobody who writes.
    let lock = folder.try_lock();
    let live = matches!(lock, Ok(None));
    let trust = match (&given, &options.outside_checkpoint) {
        (_, Some(_)) => Trust::OutsideCheckpoint,
        (Some(_), None) => Trust::OutsideKey,
        (None, None) => Trust::FolderOnly,
    };
    let report = Report {
        origin: String::new(),
        checkpoint_size: 0,
        root: empty_root(),
        entries: 0,
        opened: 0,
        erased: 0,
        in_reserve: 0,
        trust,
        live,
        findings: Vec::new(),
        notes: Vec::new(),
    };
    let mut check = Check {
        folder: &folder,
        report,
        files: BTreeSet::new(),
        tiles: BTreeMap::new(),
        bundles: BTreeMap::new(),
        ring: KeyRing::new(None),
        validator: options.validator,
        edge: Edge::default(),
        link: Hash::default(),
        origins: Origins::default(),
        stored_origins: None,
        outside: None,
        outside_root: None,
        checkpoint_root: None,
        bundle: Vec::new(),
        level_zero: Vec::new(),
    };
    check.run(given, options.provider, options.outside_checkpoint.as_deref());
    Ok(check.report)
}

/// An entry of the write-ahead log, kept until the bundles have been read up to it.
struct Framed {
    path: String,
    offset: u64,
    before: Hash,
    leaf: Hash,
    entry: Vec<u8>,
}

struct Check<'f, 'v> {
    folder: &'f Folder,
    report: Report,
    files: BTreeSet<String>,
    /// Widths of the tiles that are there.
    tiles: BTreeMap<TileId, Vec<u64>>,
    /// Widths of the bundles that are there.
    bundles: BTreeMap<u64, Vec<u64>>,
    ring: KeyRing,
    validator: Option<Box<Validator<'v>>>,
    edge: Edge,
    link: Hash,
    origins: Origins,
    stored_origins: Option<(u64, Origins)>,
    outside: Option<Checkpoint>,
    outside_root: Option<Hash>,
    checkpoint_root: Option<Hash>,
    /// Entries of the bundle that is being made again, and their leaves.
    bundle: Vec<u8>,
    level_zero: Vec<Hash>,
}

impl Check<'_, '_> {
    fn run(&mut self, given: Option<NoteVerifier>, provider: Option<Arc<dyn KeyProvider>>, outside: Option<&[u8]>) {
        self.keys(provider);
        let Some(verifier) = self.verifier(given) else { return };
        self.report.origin = verifier.name().to_owned();
        self.outside_checkpoint(&verifier, outside);
        // The write-ahead log first: in a ledger that is in use, what is dropped from it later is in the tree by then.
        let (frames, torn_index) = self.frames(&verifier);
        let bytes = self.list_under_checkpoint();
        self.file_kinds();
        let checkpoint = bytes.and_then(|bytes| self.checkpoint(&verifier, &bytes));
        let size = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size);
        self.required_tiles(size);
        self.read_origins(size);
        let whole = self.read_bundles(size, &frames);
        if whole {
            self.read_frames(size, &frames);
        }
        self.remaining_tiles();
        self.roots(checkpoint.as_ref(), whole);
        self.reserve(&verifier);
        self.report.entries = self.report.entries.max(self.edge.size());
        if whole && !self.report.live && frames.is_empty() && size > 0 && torn_index.is_none() {
            self.find(
                FindingKind::Missing,
                Damage::new(&self.folder.path(WAL), "the segment of the last entry is missing"),
            );
        }
    }

    fn find(&mut self, kind: FindingKind, damage: Damage) {
        self.report.find(kind, damage);
    }

    fn find_in(&mut self, kind: FindingKind, name: &str, what: impl Into<String>) {
        let damage = Damage::new(&self.folder.path(name), what);
        self.find(kind, damage);
    }

    fn find_error(&mut self, error: &LedgerError) {
        match error {
            LedgerError::Damaged(damage) => self.find(FindingKind::Changed, damage.clone()),
            LedgerError::Storage(storage) => {
                self.find(FindingKind::Unreadable, Damage::new(&storage.path, storage.to_string()));
            }
            LedgerError::Key { path, source } => {
                self.find(FindingKind::Changed, Damage::new(path, source.to_string()));
            }
            other => self.find(FindingKind::Changed, Damage::new(self.folder.root(), chain(other))),
        }
    }

    /// The content of a file; a finding and `None` if it is not there or cannot be read.
    fn read(&mut self, name: &str) -> Option<Vec<u8>> {
        match self.folder.read_optional(name) {
            Ok(Some(bytes)) => Some(bytes),
            Ok(None) => {
                self.find_in(FindingKind::Missing, name, "is missing");
                None
            }
            Err(error) => {
                self.find_error(&error.into());
                None
            }
        }
    }

    // --- keys

    fn keys(&mut self, provider: Option<Arc<dyn KeyProvider>>) {
        let own = read_kek(self.folder).unwrap_or_else(|error| {
            self.find_error(&error);
            None
        });
        let provider = provider.or_else(|| own.map(|key| Arc::new(key) as Arc<dyn KeyProvider>));
        if provider.is_none() {
            self.report.notes.push("no key-encryption key: payloads were not opened".to_owned());
        }
        self.ring = KeyRing::new(provider);
    }

    /// The key that checkpoints must be signed with.
    fn verifier(&mut self, given: Option<NoteVerifier>) -> Option<NoteVerifier> {
        let signer = read_signer(self.folder).unwrap_or_else(|error| {
            self.find_error(&error);
            None
        });
        let public = read_vkey(self.folder).unwrap_or_else(|error| {
            self.find_error(&error);
            None
        });
        if let (Some(signer), Some(public)) = (&signer, &public)
            && signer.verifier() != *public
        {
            self.find_in(FindingKind::Changed, VKEY, "does not belong to the signing key");
        }
        if let (Some(given), Some(public)) = (&given, &public)
            && given != public
        {
            self.find_in(FindingKind::Changed, VKEY, "is not the key that was given");
        }
        // The ledger always writes it, and nothing can be read without it, whatever key is given.
        if public.is_none() {
            self.find_in(FindingKind::Missing, VKEY, "is not there");
        }
        given.or(public).or_else(|| signer.map(|signer| signer.verifier()))
    }

    fn outside_checkpoint(&mut self, verifier: &NoteVerifier, outside: Option<&[u8]>) {
        match outside.map(|bytes| verifier.open(bytes)) {
            None => {}
            Some(Ok(checkpoint)) => self.outside = Some(checkpoint),
            Some(Err(error)) => {
                let damage = Damage::new(Path::new("the checkpoint that was given"), error.to_string());
                self.find(FindingKind::OutsideCheckpoint, damage);
            }
        }
    }

    // --- files

    /// Lists the folder, and answers with the checkpoint that it was listed under: in a ledger that is in use a newer one may
    /// have come meanwhile, whose tiles were not seen.
    fn list_under_checkpoint(&mut self) -> Option<Vec<u8>> {
        let mut attempts = LISTS_MAX;
        loop {
            let before = self.read(CHECKPOINT);
            self.files.clear();
            self.list("", 0);
            attempts -= 1;
            if !self.report.live || attempts == 0 || self.read(CHECKPOINT) == before {
                return before;
            }
        }
    }

    fn list(&mut self, dir: &str, depth: usize) {
        /// `tile/<level>/xNNN/.../NNN.p`: a number of 20 digits has seven groups.
        const DEPTH_MAX: usize = 12;
        let items = match self.folder.list(dir) {
            Ok(items) => items,
            Err(error) => return self.find_error(&error.into()),
        };
        for item in items {
            let name = if dir.is_empty() { item.name.clone() } else { format!("{dir}/{}", item.name) };
            let ours = dir.starts_with(TILE) || [KEYS, WAL, TILE, TMP, RESERVE].contains(&name.as_str());
            if !item.is_dir {
                self.files.insert(name);
            } else if ours && depth < DEPTH_MAX {
                self.list(&name, depth + 1);
            } else {
                self.find_in(FindingKind::UnknownFile, &name, "is no directory of the ledger");
            }
        }
    }

    fn file_kinds(&mut self) {
        for name in self.files.clone() {
            match known(&name) {
                None => self.find_in(FindingKind::UnknownFile, &name, "is no file of the ledger"),
                Some(Known::Leftover) => {
                    self.report
                        .notes
                        .push(format!("`{name}` is left from an interrupted write; the next start removes it"));
                }
                Some(Known::Key(id)) => match self.ring.get(self.folder, id) {
                    Opening::Failed(what) => {
                        let what = what.clone();
                        self.find_in(FindingKind::Changed, &name, what);
                    }
                    Opening::Missing | Opening::Erased { .. } | Opening::Closed | Opening::Key(_) => {}
                },
                Some(Known::Tile(TileFile::Hashes(id, width))) => self.tiles.entry(id).or_default().push(width),
                Some(Known::Tile(TileFile::Entries(number, width))) => {
                    self.bundles.entry(number).or_default().push(width);
                }
                Some(Known::Top) if name.ends_with(LOCK) => {
                    if self.folder.read(&name).is_ok_and(|bytes| !bytes.is_empty()) {
                        self.find_in(FindingKind::Changed, &name, "is not empty");
                    }
                }
                Some(Known::Top | Known::Segment(_) | Known::Reserve) => {}
            }
        }
        for name in [SIGNER, VKEY, LOCK] {
            // Whoever verifies a copy may have been given it without the secrets, and without the lock.
            if !self.files.contains(name) {
                self.report.notes.push(format!("`{name}` is not there"));
            }
        }
        if !self.files.contains(KEK) {
            self.report.notes.push("the key-encryption key is not in the folder".to_owned());
        }
    }

    fn checkpoint(&mut self, verifier: &NoteVerifier, bytes: &[u8]) -> Option<Checkpoint> {
        match verifier.open(bytes) {
            Ok(checkpoint) => {
                self.report.checkpoint_size = checkpoint.size;
                self.report.root = checkpoint.root;
                Some(checkpoint)
            }
            Err(error) => {
                self.find_in(FindingKind::Checkpoint, CHECKPOINT, error.to_string());
                None
            }
        }
    }

    fn read_origins(&mut self, size: u64) {
        if self.report.live {
            return;
        }
        match self.folder.read_optional(ORIGINS) {
            Ok(Some(bytes)) => match Origins::from_bytes(&bytes) {
                Some((at, _)) if at > size => {
                    self.find_in(
                        FindingKind::Changed,
                        ORIGINS,
                        format!("is of {at} entries, the checkpoint of {size}"),
                    );
                }
                Some(stored) => self.stored_origins = Some(stored),
                None => self.find_in(FindingKind::Changed, ORIGINS, "is malformed"),
            },
            Ok(None) if size > 0 => {
                self.report
                    .notes
                    .push("the side file of origins is not there; the next start makes it again".to_owned());
            }
            Ok(None) => {}
            Err(error) => self.find_error(&error.into()),
        }
        self.origins_at(0);
    }

    fn origins_at(&mut self, size: u64) {
        if let Some((at, stored)) = &self.stored_origins
            && *at == size
            && *stored != self.origins
        {
            self.find_in(FindingKind::Changed, ORIGINS, "last positions are not those of the entries");
        }
    }

    // --- write-ahead log

    fn frames(&mut self, verifier: &NoteVerifier) -> (BTreeMap<u64, Framed>, Option<u64>) {
        let mut frames = BTreeMap::new();
        let scanned = scan(self.folder, log_id(verifier), &mut |name, offset, frame| {
            let framed = Framed {
                path: name.to_owned(),
                offset,
                before: frame.before,
                leaf: frame.leaf,
                entry: frame.entry.to_vec(),
            };
            frames.insert(frame.index, framed);
            Ok(())
        });
        let torn = match scanned {
            Ok(tail) => tail.torn,
            Err(error) => {
                // In use: the segment may have been dropped, or may be half written, at this moment.
                if !self.report.live {
                    self.find_error(&error);
                }
                None
            }
        };
        if let Some(torn) = &torn {
            let what = format!(
                "{} bytes behind the last whole frame: an interrupted write, which the next start cuts off, or damage \
                 to the last batch",
                torn.bytes
            );
            if self.report.live {
                self.report.notes.push(format!("{what}; the ledger is in use"));
            } else {
                self.find(FindingKind::Torn, Damage::new(&torn.path, what).at(torn.offset).entry(torn.index));
            }
        }
        (frames, torn.map(|torn| torn.index))
    }

    /// The frames from the checkpoint on: entries that are not in the tree yet.
    fn read_frames(&mut self, size: u64, frames: &BTreeMap<u64, Framed>) {
        for (index, framed) in frames.range(size..) {
            if *index != self.edge.size() {
                let what = format!("entries {} to {} are missing", self.edge.size(), index - 1);
                let damage = Damage::new(&self.folder.path(&framed.path), what);
                return self.find(FindingKind::Missing, damage.at(framed.offset).entry(self.edge.size()));
            }
            let place = self.folder.path(&framed.path);
            self.entry(&framed.entry, framed.leaf, Some(framed), &Damage::new(&place, "").at(framed.offset));
        }
        let last = frames.last_key_value().map(|(index, _)| *index + 1);
        if !self.report.live && last.is_some_and(|next| next < size) {
            let next = last.unwrap_or(0);
            let what = "entry is under the checkpoint, but not in the write-ahead log that ends before it";
            self.find(FindingKind::Missing, Damage::new(&self.folder.path(WAL), what).entry(next));
        }
    }
}
