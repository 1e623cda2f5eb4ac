//! Power cuts, full disks and faults at every operation, with a reserve.

use crate::reserve::{care, fill, open, other, recorded};
use crate::support::check;
use scruple_ledger::simulate::{SimStorage, reserve_power_cuts};
use scruple_ledger::{AppendError, Recorder, RecorderState};
use std::io::ErrorKind;

#[test]
fn no_entry_is_lost_or_doubled_at_a_power_cut_after_any_operation_of_a_reserve() {
    let findings = reserve_power_cuts(20_260_302, 2);
    assert!(findings.failures.is_empty(), "{:#?}", findings.failures);
    assert!(findings.cuts > 500, "{findings:?}");
    assert!(findings.acknowledged > 2_000, "{findings:?}");
    eprintln!("{} cuts, {} acknowledged", findings.cuts, findings.acknowledged);
}

/// Recovers as a node does, again while it is needed: the integrator may have met a fault before it was over and tell it
/// only after the first recovery.
fn recover_all(recorder: &Recorder) {
    for _ in 0..10 {
        recorder.recover().unwrap();
        // It waits for an integration that is under way.
        if recorder.main().unwrap().integrate_now().is_ok() && !recorder.needs_recovery() {
            return;
        }
    }
}

/// The disk has room for `budget` bytes more: care never fails, the rest fails once the ledger does, and afterwards all
/// that was acknowledged is there.
fn runs_full(budget: u64) {
    let storage = SimStorage::new();
    let recorder = open(&storage);
    care(&recorder, "treat before").unwrap();
    storage.set_room(Some(storage.used_bytes() + budget));
    let mut told = vec!["treat before".to_owned()];
    let mut refused = 0;
    for number in 0..40 {
        if number % 8 == 7
            && let Some(main) = recorder.main()
        {
            let _ = main.integrate_now();
        }
        if number % 10 == 9 {
            let _ = recorder.recover();
        }
        let treat = format!("treat {number} {}", "x".repeat(600));
        care(&recorder, &treat).unwrap();
        told.push(treat);
        let payment = format!("payment {number} {}", "y".repeat(600));
        match other(&recorder, &payment) {
            Ok(receipt) => {
                assert!(!receipt.in_reserve);
                told.push(payment);
            }
            Err(error) => {
                assert!(matches!(error, AppendError::Stopped(_) | AppendError::Down), "{error}");
                recorder.refused("HPAYMT");
                refused += 1;
            }
        }
    }
    storage.set_room(None);
    recover_all(&recorder);
    assert_eq!(recorder.state(), RecorderState::Normal);
    drop(recorder);
    let found = recorded(&storage);
    for payload in told {
        // What was on its way when the ledger failed may stand there twice.
        assert!(matches!(found.get(&payload), Some(1 | 2)), "budget {budget}: {}", payload.split_at(12).0);
    }
    let doubled = found.values().filter(|times| **times > 1).count();
    assert!(doubled <= 5, "budget {budget}: {doubled}");
    // None is forgotten; notices that say the same may be two of that or one that stands there twice.
    let notices = found.iter().filter_map(|(payload, times)| Some((payload.strip_prefix("refused: HPAYMT ")?, times)));
    let notices: Vec<(u64, u64)> = notices.map(|(count, times)| (count.parse().unwrap(), *times)).collect();
    let (least, most): (u64, u64) =
        (notices.iter().map(|(count, _)| count).sum(), notices.iter().map(|(count, times)| count * times).sum());
    assert!((least..=most).contains(&refused), "budget {budget}: {refused} of {least} to {most}");
    let report = check(&storage, None);
    assert!(report.is_good(), "budget {budget}: {report}");
}

#[test]
fn care_goes_on_whatever_room_the_disk_has_left() {
    for budget in (0..400).step_by(13).chain((400..180_000).step_by(2_903)) {
        runs_full(budget);
    }
}

#[test]
fn a_fault_at_any_operation_of_a_recovery_neither_loses_nor_doubles_an_entry() {
    let mut faults = 0;
    for fault in 1..400 {
        let storage = SimStorage::new();
        let recorder = open(&storage);
        fill(&storage, &recorder);
        for number in 0..3 {
            care(&recorder, &format!("treat {number}")).unwrap();
        }
        recorder.refused("HPAYMT");
        storage.set_room(None);
        storage.fail_from(storage.operations() + fault, ErrorKind::Other);
        let failed = recorder.recover().is_err();
        // Whatever state it is in: care is taken, or refused with an error, and what was taken is kept.
        let during = care(&recorder, "treat during").is_ok();
        storage.fail_from(u64::MAX, ErrorKind::Other);
        recover_all(&recorder);
        assert!(!recorder.needs_recovery(), "fault {fault}: {recorder:?} {:?}", recorder.problems());
        drop(recorder);
        let found = recorded(&storage);
        for number in 0..3 {
            assert_eq!(found.get(&format!("treat {number}")), Some(&1), "fault {fault}");
        }
        assert!(found.contains_key("treat during") || !during, "fault {fault}");
        assert_eq!(found.keys().filter(|payload| payload.starts_with("merged: 3")).count(), 1, "fault {fault}");
        assert!(found.iter().all(|(payload, times)| *times == 1 || !payload.starts_with("merged")), "fault {fault}");
        assert!(found.contains_key("refused: HPAYMT 1"), "fault {fault}");
        let report = check(&storage, None);
        assert!(report.is_good(), "fault {fault}: {report}");
        if !failed && fault > 60 {
            break;
        }
        faults += u64::from(failed);
    }
    assert!(faults > 20, "{faults}");
}
