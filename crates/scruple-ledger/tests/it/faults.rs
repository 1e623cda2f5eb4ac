//! Power cuts, full and read-only disks.

use crate::support::{DIR, chain, check, open, options, payload};
use scruple_ledger::simulate::{SimStorage, power_cuts};
use scruple_ledger::{AppendError, Ledger};
use std::io::ErrorKind;
use std::path::Path;

#[test]
fn no_acknowledged_entry_is_lost_at_a_power_cut_after_any_operation() {
    let findings = power_cuts(20_260_301, 6);
    assert!(findings.failures.is_empty(), "{:#?}", findings.failures);
    assert!(findings.cuts > 500, "{findings:?}");
    assert!(findings.torn > 10, "{findings:?}");
    assert!(findings.acknowledged > 1_000, "{findings:?}");
    eprintln!("{} cuts, {} torn writes, {} acknowledged", findings.cuts, findings.torn, findings.acknowledged);
}

/// After the fault nothing is acknowledged, the ledger says why, and a fault that has passed does not bring it back.
fn fails(fault: impl Fn(&SimStorage), mend: impl Fn(&SimStorage), expected: &str) {
    let storage = SimStorage::new();
    let ledger = open(&storage);
    let mut acknowledged = 0;
    for number in 0..20 {
        ledger.append(&payload(number), None).unwrap();
        acknowledged += 1;
    }
    fault(&storage);
    let mut errors = Vec::new();
    for number in 20..400 {
        match ledger.append(&vec![7; 1_000], None) {
            // A full disk is felt at the next segment or tile, not before.
            Ok(receipt) => {
                assert!(errors.is_empty());
                assert_eq!(receipt.index, number);
                acknowledged += 1;
            }
            Err(error) => errors.push(chain(&error)),
        }
    }
    assert!(errors.len() > 100 && errors.iter().all(|error| error.contains(expected)), "{:?}", errors.first());
    mend(&storage);
    let error = ledger.append(b"x", None).unwrap_err();
    assert!(matches!(error, AppendError::Stopped(_)), "stopped until it is opened anew");
    assert!(ledger.integrate_now().is_err());
    assert!(ledger.stopped().is_some());
    drop(ledger);
    let ledger = open(&storage);
    assert!(ledger.size() >= acknowledged, "{} of {acknowledged}", ledger.size());
    ledger.append(b"x", None).unwrap();
    ledger.close().unwrap();
    let report = check(&storage, None);
    assert!(report.is_good(), "{report}");
}

#[test]
fn a_full_disk_stops_the_ledger() {
    fails(|disk| disk.set_room(Some(0)), |disk| disk.set_room(None), "disk is full");
}

#[test]
fn a_read_only_disk_stops_the_ledger() {
    fails(|disk| disk.set_read_only(true), |disk| disk.set_read_only(false), "not writable");
}

#[test]
fn an_error_of_the_disk_stops_the_ledger() {
    let mend = |disk: &SimStorage| disk.fail_from(u64::MAX, ErrorKind::Other);
    fails(|disk| disk.fail_from(disk.operations() + 1, ErrorKind::Other), mend, "input or output error");
}

#[test]
fn a_disk_that_is_full_from_the_start_creates_nothing_that_opens() {
    for room in [0, 50, 200, 400, 1_000, 20_000] {
        let storage = SimStorage::new();
        storage.set_room(Some(room));
        let ledger = Ledger::create_or_open(Path::new(DIR), options(&storage));
        if let Ok(ledger) = ledger {
            assert!(ledger.append(b"x", None).is_err(), "room {room}");
        }
        storage.set_room(None);
        let ledger = open(&storage);
        assert_eq!(ledger.append(b"x", None).unwrap().index, 0);
        ledger.close().unwrap();
        let report = check(&storage, None);
        assert!(report.is_good(), "room {room}: {report}");
    }
}
