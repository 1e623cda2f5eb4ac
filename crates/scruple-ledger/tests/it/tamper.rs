//! Every changed byte, every cut, every rollback, every unknown file is found.

use crate::support::{DIR, check, open, options, payload};
use scruple_ledger::simulate::SimStorage;
use scruple_ledger::{FindingKind, Ledger, Origin};
use std::path::Path;

/// A small log: entries under the checkpoint, some with origins, and some behind it.
fn small(entries: u64, behind: u64) -> SimStorage {
    let storage = SimStorage::new();
    let ledger = open(&storage);
    for number in 0..entries {
        let origin = (number % 2 == 0).then(|| Origin::new(1, number / 2 + 1));
        ledger.append(&payload(number), origin).unwrap();
    }
    ledger.integrate_now().unwrap();
    let kept = ledger.checkpoint();
    drop(ledger);
    // Behind the checkpoint, without an integrator that could take them under one: the log as a crash leaves it.
    let before = storage.copy();
    let ledger = open(&storage);
    for number in 0..behind {
        ledger.append(&payload(number), None).unwrap();
    }
    drop(ledger);
    for path in storage.files() {
        let in_tree = ["tile", "checkpoint", "origins"].iter().any(|name| path.starts_with(Path::new(DIR).join(name)));
        if in_tree && behind > 0 {
            if before.files().contains(&path) {
                let old = scruple_ledger::Storage::read(&before, &path).unwrap();
                storage.tamper(&path, |bytes| *bytes = old);
            } else {
                scruple_ledger::Storage::remove_file(&storage, &path).unwrap();
            }
        }
    }
    let report = check(&storage, Some(&kept));
    assert!(report.is_good(), "{report}");
    assert_eq!(
        (report.entries, report.checkpoint_size, report.unsigned_entries()),
        (entries + behind, entries, behind)
    );
    storage
}

/// Whether a change of one file is noticed, by verification or by the start.
fn noticed(storage: &SimStorage, path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> bool {
    let copy = storage.copy();
    copy.tamper(path, change);
    !check(&copy, None).is_good()
}

#[test]
fn every_flipped_byte_of_every_file_is_found() {
    let storage = small(5, 3);
    for path in storage.files() {
        let length = scruple_ledger::Storage::read(&storage, &path).unwrap().len();
        // The zeros of a segment are thousands alike: all near its frames, then each hundredth.
        for position in (0..length).filter(|position| *position < 3_000 || position % 97 == 0 || length - position < 9)
        {
            for flip in [0x01, 0x80] {
                let found = noticed(&storage, &path, |bytes| bytes[position] ^= flip);
                assert!(found, "{} byte {position} with {flip:#x}", path.display());
            }
        }
    }
}

#[test]
fn every_cut_and_every_lengthening_of_every_file_is_found() {
    let storage = small(5, 3);
    for path in storage.files() {
        let length = scruple_ledger::Storage::read(&storage, &path).unwrap().len();
        for end in (0..length).filter(|end| *end < 3_000 || end % 997 == 0 || length - end < 9) {
            assert!(noticed(&storage, &path, |bytes| bytes.truncate(end)), "{} cut at {end}", path.display());
        }
        assert!(noticed(&storage, &path, |bytes| bytes.push(0)), "{} lengthened", path.display());
    }
}

#[test]
fn in_a_log_with_full_tiles_changes_are_found_and_placed() {
    let storage = small(520, 0);
    let dir = Path::new(DIR);
    for (file, position, index) in [
        ("tile/entries/000", 9_000, Some(64..130)),
        ("tile/0/001", 32 * 10, Some(266..267)),
        ("tile/1/000.p/2", 5, None),
    ] {
        let copy = storage.copy();
        copy.tamper(&dir.join(file), |bytes| bytes[position] ^= 1);
        let report = check(&copy, None);
        let finding = report.findings.iter().find(|finding| finding.damage.path == dir.join(file));
        if let Some(range) = index {
            let entry = report.findings.iter().find_map(|finding| finding.damage.index).unwrap();
            assert!(range.contains(&entry), "{report}");
        }
        let offset = finding.and_then(|finding| finding.damage.offset).unwrap();
        assert!(offset <= position as u64, "{report}");
    }
    for path in storage.files() {
        if path.file_name().is_some_and(|name| name == "lock" || name == "origins" || name == "signer") {
            continue;
        }
        let copy = storage.copy();
        scruple_ledger::Storage::remove_file(&copy, &path).unwrap();
        let unused = path.starts_with(dir.join("keys")) || path.starts_with(dir.join("wal"));
        let superseded = path.to_string_lossy().contains(".p/") && {
            let report = check(&storage, None);
            let widths = [format!(".p/{}", report.checkpoint_size % 256), ".p/2".to_owned()];
            !widths.iter().any(|width| path.to_string_lossy().ends_with(width.as_str()))
        };
        let good = check(&copy, None).is_good();
        let kek = path == dir.join("kek") || path == dir.join("vkey");
        assert!(!good || unused || superseded || kek, "{} taken away", path.display());
    }
}

#[test]
fn a_lost_data_key_and_a_lost_segment_are_found() {
    let storage = small(5, 3);
    let find = |folder: &str| {
        let dir = Path::new(DIR).join(folder);
        storage.files().into_iter().filter(move |path| path.starts_with(&dir)).collect::<Vec<_>>()
    };
    for paths in [find("keys"), find("wal")] {
        let copy = storage.copy();
        paths.iter().for_each(|path| scruple_ledger::Storage::remove_file(&copy, path).unwrap());
        assert!(!check(&copy, None).is_good(), "{paths:?}");
    }
}

#[test]
fn every_rollback_is_found_with_a_checkpoint_kept_outside() {
    let storage = SimStorage::new();
    let mut states = Vec::new();
    for size in [1, 2, 100, 255, 256, 257, 300] {
        let ledger = open(&storage);
        while ledger.size() < size {
            ledger.append(&payload(ledger.size()), None).unwrap();
        }
        ledger.integrate_now().unwrap();
        let kept = ledger.checkpoint();
        ledger.close().unwrap();
        states.push((size, storage.copy(), kept));
    }
    for (size, state, _) in &states {
        assert!(check(state, None).is_good(), "each state alone is consistent");
        for (outside, _, kept) in &states {
            let report = check(state, Some(kept));
            let rolled_back = report.findings.iter().any(|finding| finding.kind == FindingKind::Rollback);
            assert_eq!(rolled_back, size < outside, "{size} against {outside}: {report}");
            assert_eq!(report.is_good(), size >= outside, "{report}");
        }
    }
}

#[test]
fn another_history_of_the_same_keys_is_found() {
    let storage = SimStorage::new();
    drop(open(&storage));
    let fork = storage.copy();
    let write = |storage: &SimStorage, word: &str| {
        let ledger = open(storage);
        for number in 0..5 {
            ledger.append(format!("{word} {number}").as_bytes(), None).unwrap();
        }
        ledger.integrate_now().unwrap();
        let kept = ledger.checkpoint();
        ledger.close().unwrap();
        kept
    };
    let kept = write(&storage, "true");
    write(&fork, "false");
    assert!(check(&fork, None).is_good());
    let report = check(&fork, Some(&kept));
    assert!(report.findings.iter().any(|finding| finding.kind == FindingKind::Fork), "{report}");
    let report = check(&storage, Some(b"nonsense"));
    assert!(report.findings.iter().any(|finding| finding.kind == FindingKind::OutsideCheckpoint), "{report}");
}

#[test]
fn unknown_files_are_found() {
    let storage = small(3, 1);
    for name in ["notes.txt", "wal/1", "keys/x", "tile/0/000.bak", "tile/entries/000.p/300", "tile/0/005", "tmp/name"] {
        let copy = storage.copy();
        copy.put(&Path::new(DIR).join(name), b"x");
        assert!(!check(&copy, None).is_good(), "{name}");
    }
}

/// Damage behind which a later batch stands was durable: the start refuses and names the entry. Damage at the very end
/// may be a torn write: it is cut off and said.
#[test]
fn the_start_refuses_damage_to_what_was_durable() {
    let storage = small(0, 6);
    let wal = storage.files().into_iter().find(|path| path.to_string_lossy().contains("wal/")).unwrap();
    let bytes = scruple_ledger::Storage::read(&storage, &wal).unwrap();
    let magic = &bytes[44..48];
    let frames: Vec<_> = (44..bytes.len() - 4).filter(|at| &bytes[*at..at + 4] == magic).collect();
    assert_eq!(frames.len(), 6);
    for (number, frame) in frames.iter().enumerate() {
        let copy = storage.copy();
        copy.tamper(&wal, |bytes| bytes[frame + 100] ^= 1);
        let opened = Ledger::open(Path::new(DIR), options(&copy));
        if number < 5 {
            let error = crate::support::chain(&opened.unwrap_err());
            assert!(
                error.contains(&format!(", entry {number}: entry is damaged, and a later batch stands behind it")),
                "{error}"
            );
        } else {
            let ledger = opened.unwrap();
            let cut = ledger.recovery().cut.clone().unwrap();
            assert_eq!((cut.index, cut.offset), (5, *frame as u64));
            assert_eq!(ledger.size(), 5);
        }
    }
    // The same frame, but under the checkpoint: it was durable, whatever stands behind it.
    let storage = small(6, 0);
    let copy = storage.copy();
    copy.tamper(&wal, |bytes| {
        let last = frames[5] + 100;
        bytes[last] ^= 1;
    });
    let error = Ledger::open(Path::new(DIR), options(&copy)).unwrap_err();
    assert!(crate::support::chain(&error).contains("entry 5"), "{error}");
}
