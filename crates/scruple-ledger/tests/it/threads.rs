//! Ordinary use through the threads, on a real disk and on the simulated one.

use crate::support::{DIR, chain, check, clock, open, options, options_at, payload};
use scruple_ledger::simulate::SimStorage;
use scruple_ledger::{
    AppendError, File, FileSystem, Item, Ledger, LedgerError, Lock, Mode, OpenOptions, Origin, Payload,
    SEGMENT_BYTES_MIN, Storage, Trust, VerifyOptions, check_consistency, check_inclusion, entries, prove_consistency,
    prove_inclusion, verify,
};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn read_all(storage: &SimStorage, from: u64) -> Vec<(u64, Payload)> {
    let read = entries(Path::new(DIR), Arc::new(storage.clone()), None, from).unwrap();
    read.map(|entry| entry.map(|entry| (entry.index, entry.payload)).unwrap()).collect()
}

#[test]
fn entries_come_back_in_order_after_integration_and_restart() {
    let storage = SimStorage::new();
    let ledger = open(&storage);
    for number in 0..600 {
        assert_eq!(ledger.append(&payload(number), None).unwrap().index, number);
        if number == 299 {
            assert_eq!(ledger.integrate_now().unwrap(), 300);
        }
    }
    drop(ledger);
    let ledger = open(&storage);
    assert_eq!(ledger.size(), 600);
    assert_eq!(ledger.append(&payload(600), None).unwrap().index, 600);
    ledger.close().unwrap();
    for from in [0, 1, 255, 256, 300, 599, 600] {
        let expected: Vec<_> = (from..=600).map(|number| (number, Payload::Open(payload(number)))).collect();
        assert_eq!(read_all(&storage, from), expected, "from {from}");
    }
    assert!(read_all(&storage, 601).is_empty());
    let report = check(&storage, None);
    assert!(report.is_good(), "{report}");
    assert_eq!((report.entries, report.checkpoint_size, report.opened), (601, 601, 601));
    assert_eq!(report.trust, Trust::FolderOnly);
    assert!(report.to_string().contains("shows consistency, not that nothing was rewritten"), "{report}");
}

#[test]
fn many_writers_on_a_real_disk_each_get_their_own_index() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    let options = || OpenOptions { segment_bytes: SEGMENT_BYTES_MIN, ..OpenOptions::new("log.example/real", clock()) };
    let ledger = Ledger::create(&path, options()).unwrap();
    let mut receipts = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8_u64)
            .map(|writer| {
                let ledger = &ledger;
                scope.spawn(move || {
                    let pending: Vec<_> =
                        (0..100).map(|n| ledger.submit(payload(writer * 1000 + n), None).unwrap()).collect();
                    pending.into_iter().map(|pending| pending.wait().unwrap()).collect::<Vec<_>>()
                })
            })
            .collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect::<Vec<_>>()
    });
    receipts.sort_by_key(|receipt| receipt.index);
    assert!(receipts.iter().zip(0..).all(|(receipt, index)| receipt.index == index));
    assert!(matches!(Ledger::open(&path, options()), Err(LedgerError::Locked(_))));
    let vkey = ledger.vkey();
    let kept = ledger.checkpoint();
    ledger.close().unwrap();
    let mut seen = 0;
    let report = verify(
        &path,
        VerifyOptions {
            vkey: Some(vkey),
            outside_checkpoint: Some(kept),
            validator: Some(Box::new(|_, bytes: &[u8]| {
                seen += 1;
                if bytes.starts_with(b"canary") { Ok(()) } else { Err("is no canary".to_owned()) }
            })),
            ..VerifyOptions::default()
        },
    )
    .unwrap();
    assert!(report.is_good(), "{report}");
    assert_eq!((report.entries, report.trust), (800, Trust::OutsideCheckpoint));
    assert_eq!(seen, 800);
    let leaves: Vec<_> =
        entries(&path, Arc::new(FileSystem), None, 0).unwrap().map(|entry| entry.unwrap().leaf).collect();
    assert_eq!(leaves, receipts.iter().map(|receipt| receipt.leaf).collect::<Vec<_>>());
    for file in ["kek", "signer"] {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(path.join(file).metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
    // no-PHI-aside: nothing of a payload stands in clear in any file.
    let mut files = vec![path.clone()];
    while let Some(next) = files.pop() {
        if next.is_dir() {
            files.extend(std::fs::read_dir(&next).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let bytes = std::fs::read(&next).unwrap();
            assert!(!bytes.windows(6).any(|window| window == b"canary"), "{}", next.display());
        }
    }
}

#[test]
fn an_origin_is_recorded_once_and_survives_the_loss_of_its_side_file() {
    let storage = SimStorage::new();
    let ledger = open(&storage);
    assert_eq!(ledger.last_origin(1), None);
    let refused = ledger.append(b"x", Some(Origin::new(1, 2))).unwrap_err();
    assert_eq!(refused.to_string(), "origin 2 of shard 1 does not follow, 1 does");
    for seq in 1..=5 {
        ledger.append(b"x", Some(Origin::new(1, seq))).unwrap();
    }
    ledger.append(b"adopted", Some(Origin::adopted(2, 40))).unwrap();
    assert!(matches!(ledger.append(b"x", Some(Origin::new(1, 5))), Err(AppendError::Origin { expected: 6, .. })));
    // What is queued counts, too: a second drainer cannot slip in.
    let first = ledger.submit(b"x".to_vec(), Some(Origin::new(1, 6))).unwrap();
    assert!(ledger.submit(b"x".to_vec(), Some(Origin::new(1, 6))).is_err());
    first.wait().unwrap();
    ledger.integrate_now().unwrap();
    ledger.append(b"x", Some(Origin::new(1, 7))).unwrap();
    drop(ledger);
    for lost in [false, true] {
        let storage = storage.copy();
        if lost {
            storage.tamper(&Path::new(DIR).join("origins"), Vec::clear);
        }
        let ledger = open(&storage);
        assert_eq!(ledger.recovery().origins_rebuilt, lost);
        assert_eq!((ledger.last_origin(1), ledger.last_origin(2)), (Some(7), Some(40)));
        assert!(matches!(ledger.append(b"x", Some(Origin::new(1, 7))), Err(AppendError::Origin { expected: 8, .. })));
        ledger.append(b"x", Some(Origin::new(1, 8))).unwrap();
        ledger.close().unwrap();
        let report = check(&storage, None);
        assert!(report.is_good(), "{report}");
    }
}

#[test]
fn an_erased_key_takes_the_payloads_and_leaves_the_proof() {
    let storage = SimStorage::new();
    let clock = clock();
    let open = || Ledger::create_or_open(Path::new(DIR), options_at(&storage, Arc::clone(&clock))).unwrap();
    let ledger = open();
    ledger.append(&payload(0), None).unwrap();
    ledger.integrate_now().unwrap();
    drop(ledger);
    clock.advance_micros(3_600_000_000);
    let ledger = open();
    ledger.append(&payload(1), None).unwrap();
    ledger.integrate_now().unwrap();
    let kept = ledger.checkpoint();
    let read = || entries(Path::new(DIR), Arc::new(storage.clone()), None, 0).unwrap();
    let first = read().next().unwrap().unwrap();
    ledger.erase_key(first.key).unwrap();
    ledger.close().unwrap();
    let payloads: Vec<_> = read().map(|entry| entry.unwrap().payload).collect();
    assert!(matches!(payloads[0], Payload::Erased { .. }), "{payloads:?}");
    assert_eq!(payloads[1], Payload::Open(payload(1)));
    let report = check(&storage, Some(&kept));
    assert!(report.is_good(), "{report}");
    assert_eq!((report.erased, report.opened), (1, 1));
}

/// A disk on which the ledger grows by an entry and a checkpoint at one moment of a verification.
struct Growing {
    disk: SimStorage,
    ledger: Ledger,
    at: &'static str,
    left: AtomicUsize,
}

impl Growing {
    fn grow(&self, at: &str) {
        if at == self.at && self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.ledger.append(&payload(900), None).unwrap();
            self.ledger.integrate_now().unwrap();
        }
    }
}

impl Storage for Growing {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.create_dir(dir)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<Item>> {
        let listed = self.disk.list(dir);
        if dir.ends_with("tile/0") {
            self.grow("names");
        }
        listed
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path.ends_with("checkpoint") {
            self.grow("checkpoint");
        }
        self.disk.read(path)
    }
    fn create(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn File>> {
        self.disk.create(path, mode)
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.disk.open(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_file(path)
    }
    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.remove_dir(dir)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        self.disk.lock(path)
    }
}

#[test]
fn a_checkpoint_that_comes_while_the_names_are_read_is_no_finding() {
    for (at, left) in [("checkpoint", 1), ("checkpoint", 2), ("names", 1), ("names", 2)] {
        for entries in [1, 21, 255, 256, 300] {
            let disk = SimStorage::new();
            let ledger = open(&disk);
            for number in 0..entries {
                ledger.append(&payload(number), None).unwrap();
            }
            ledger.integrate_now().unwrap();
            let kept = ledger.checkpoint();
            let growing = Growing { disk, ledger, at, left: AtomicUsize::new(left) };
            let options = VerifyOptions {
                storage: Arc::new(growing),
                outside_checkpoint: Some(kept),
                ..VerifyOptions::default()
            };
            let report = verify(Path::new(DIR), options).unwrap();
            assert!(report.is_good() && report.live, "{at} {left}, {entries} entries: {report}");
            assert!(report.checkpoint_size >= entries, "{report}");
        }
    }
}

#[test]
fn a_ledger_that_is_in_use_can_be_read_and_verified() {
    let storage = SimStorage::new();
    let ledger = open(&storage);
    for number in 0..300 {
        ledger.append(&payload(number), None).unwrap();
    }
    ledger.integrate_now().unwrap();
    ledger.append(&payload(300), None).unwrap();
    let report = check(&storage, Some(&ledger.checkpoint()));
    assert!(report.is_good() && report.live, "{report}");
    assert_eq!(read_all(&storage, 0).len(), 301);
}

#[test]
fn proofs_are_made_from_tiles_and_checked_without_them() {
    let storage = SimStorage::new();
    let ledger = open(&storage);
    let mut roots = Vec::new();
    for number in 0..700_u64 {
        let receipt = ledger.append(&payload(number), None).unwrap();
        if [1, 2, 255, 256, 257, 512, 700].contains(&(number + 1)) {
            ledger.integrate_now().unwrap();
            let checkpoint = check(&storage, None);
            roots.push((checkpoint.checkpoint_size, checkpoint.root, receipt.leaf));
        }
    }
    let dir = Path::new(DIR);
    let disk = || Arc::new(storage.clone());
    for (size, root, leaf) in &roots {
        let proof = prove_inclusion(dir, disk(), size - 1, *size).unwrap();
        check_inclusion(&proof, *size, *root, size - 1, *leaf).unwrap();
        assert!(check_inclusion(&proof, *size, *leaf, size - 1, *root).is_err() || *size == 1);
        for (old, old_root, _) in roots.iter().filter(|(old, _, _)| old <= size) {
            let proof = prove_consistency(dir, disk(), *old, *size).unwrap();
            check_consistency(&proof, *old, *old_root, *size, *root).unwrap();
            assert!(check_consistency(&proof, *old, *leaf, *size, *root).is_err() || old == size);
        }
    }
    assert!(prove_inclusion(dir, disk(), 900, 900).is_err());
}

#[test]
fn what_is_refused_names_why() {
    let storage = SimStorage::new();
    let missing = Ledger::open(Path::new(DIR), options(&storage)).unwrap_err();
    assert_eq!(missing.to_string(), "no ledger in `/ledger`");
    let ledger = open(&storage);
    let limit = ledger.payload_bytes_max();
    let refused = ledger.append(&vec![0; limit + 1], None).unwrap_err();
    assert_eq!(refused.to_string(), format!("payload of {} bytes is over the limit of {limit} bytes", limit + 1));
    assert_eq!(ledger.append(&vec![0; limit], None).unwrap().index, 0);
    ledger.close().unwrap();
    assert!(matches!(Ledger::create(Path::new(DIR), options(&storage)), Err(LedgerError::Exists(_))));
    storage.put(&Path::new(DIR).join("checkpoint"), b"");
    let damaged = Ledger::open(Path::new(DIR), options(&storage)).unwrap_err();
    assert_eq!(chain(&damaged), "ledger is damaged: `/ledger/checkpoint`: checkpoint is malformed");
    let bad = OpenOptions { segment_bytes: 10, ..options(&storage) };
    assert!(matches!(Ledger::open(Path::new(DIR), bad), Err(LedgerError::Option(_))));
}

#[test]
fn a_pending_entry_can_be_awaited_without_a_runtime() {
    use std::future::Future as _;
    use std::task::{Context, Poll, Wake, Waker};

    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let storage = SimStorage::new();
    let ledger = open(&storage);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut pending = Box::pin(ledger.submit(b"x".to_vec(), None).unwrap());
    let receipt = loop {
        match pending.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => break outcome.unwrap(),
            Poll::Pending => std::thread::park(),
        }
    };
    assert_eq!(receipt.index, 0);
}
