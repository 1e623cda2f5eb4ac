//! The recorder and its reserve: care goes on, the rest is refused, and all of it comes together again.

use crate::support::{DIR, chain, check, options};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use scruple_ledger::simulate::{Keep, SimStorage};
use scruple_ledger::{
    AppendError, LedgerError, MergedReserve, Notices, Origin, Payload, RESERVE_BYTES_MIN, RESERVE_SHARDS, Receipt,
    Recorder, RecorderOptions, RecorderState, RefusedCounts, ReserveOptions, Urgency, entries,
};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub const RESERVE: &str = "/ledger/reserve";
pub const RESERVE_LOG: &str = "/ledger/reserve/log";
const SECOND: &str = "/second";

pub struct Words;

impl Notices for Words {
    fn refused(&self, refused: &RefusedCounts) -> Vec<u8> {
        let counts: Vec<_> = refused.iter().map(|(code, count)| format!("{code} {count}")).collect();
        format!("refused: {}", counts.join(", ")).into_bytes()
    }

    fn merged(&self, merged: &MergedReserve) -> Vec<u8> {
        format!("merged: {} entries", merged.entries).into_bytes()
    }
}

pub fn recorder_options(storage: &SimStorage, dirs: &[&str]) -> RecorderOptions {
    let disk = storage.clone();
    let reserve = |dir: &&str| ReserveOptions { dir: PathBuf::from(dir), bytes: RESERVE_BYTES_MIN };
    RecorderOptions {
        ledger: Box::new(move || options(&disk)),
        reserves: dirs.iter().map(reserve).collect(),
        notices: Box::new(Words),
    }
}

pub fn try_open(storage: &SimStorage) -> Result<Recorder, LedgerError> {
    Recorder::open(Path::new(DIR), recorder_options(storage, &[RESERVE, SECOND]))
}

pub fn open(storage: &SimStorage) -> Recorder {
    try_open(storage).unwrap()
}

/// A full disk, and a main ledger that has met it.
pub fn fill(storage: &SimStorage, recorder: &Recorder) {
    storage.set_room(Some(storage.used_bytes()));
    let main = recorder.main().unwrap();
    while main.integrate_now().is_ok() {
        let _ = main.append(&[0; 1_000], None);
    }
}

/// The payloads of the main ledger, with the times that each is there.
pub fn recorded(storage: &SimStorage) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for entry in entries(Path::new(DIR), Arc::new(storage.clone()), None, 0).unwrap() {
        let Payload::Open(bytes) = entry.unwrap().payload else { panic!("an entry does not open") };
        *counts.entry(String::from_utf8(bytes).unwrap()).or_default() += 1;
    }
    counts
}

pub fn care(recorder: &Recorder, payload: &str) -> Result<Receipt, AppendError> {
    recorder.record_blocking(payload.as_bytes().to_vec(), Urgency::Care)
}

pub fn other(recorder: &Recorder, payload: &str) -> Result<Receipt, AppendError> {
    recorder.record_blocking(payload.as_bytes().to_vec(), Urgency::Other)
}

#[test]
fn on_a_full_disk_care_goes_on_the_rest_is_refused_and_all_is_merged_when_there_is_room() {
    let storage = SimStorage::new();
    let recorder = open(&storage);
    assert!(!care(&recorder, "treat before").unwrap().in_reserve);
    assert!(!other(&recorder, "payment before").unwrap().in_reserve);
    assert_eq!(recorder.state(), RecorderState::Normal);
    assert!(!recorder.needs_recovery());
    fill(&storage, &recorder);

    let (files, bytes) = (storage.files(), storage.used_bytes());
    for number in 0..5 {
        let receipt = care(&recorder, &format!("canary treat {number}")).unwrap();
        assert_eq!((receipt.index, receipt.in_reserve), (number, true));
        assert!(matches!(other(&recorder, "payment meanwhile"), Err(AppendError::Stopped(_))));
        recorder.refused("HPAYMT");
    }
    recorder.refused("HRESCH");
    assert_eq!((storage.files(), storage.used_bytes()), (files, bytes), "no new file and no growth");
    assert!(matches!(recorder.state(), RecorderState::Reserve { entries: 5, refused: 6, .. }), "{recorder:?}");
    assert!(recorder.recover().is_err(), "no room yet");
    assert!(recorder.problems()[0].contains("disk is full"), "{:?}", recorder.problems());
    // The main ledger is closed by now, and still everything is as before.
    assert!(care(&recorder, "canary treat 5").unwrap().in_reserve);
    assert!(matches!(other(&recorder, "payment meanwhile"), Err(AppendError::Down)));
    assert!(matches!(recorder.submit(b"event".to_vec(), Some(Origin::new(1, 1))), Err(AppendError::Down)));

    // no-PHI-aside: nothing of it stands in clear on the disk.
    for file in storage.files() {
        let bytes = scruple_ledger::Storage::read(&storage, &file).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"canary"), "{}", file.display());
    }
    storage.set_room(None);
    let recovered = recorder.recover().unwrap();
    assert!(recovered.reopened);
    assert_eq!(recovered.merged.iter().map(|merged| merged.entries).collect::<Vec<_>>(), [6]);
    assert!(recovered.merged[0].shard >= RESERVE_SHARDS);
    assert_eq!(recovered.refused, 6);
    assert_eq!(recorder.state(), RecorderState::Normal);
    assert_eq!(recorder.recover().unwrap(), scruple_ledger::Recovered::default(), "nothing is done twice");
    assert!(recorder.problems().is_empty());
    assert!(!care(&recorder, "treat after").unwrap().in_reserve);
    recorder.submit(b"event".to_vec(), Some(Origin::new(1, 1))).unwrap().wait().unwrap();
    drop(recorder);

    let mut expected: BTreeMap<String, u64> = (0..6).map(|number| (format!("canary treat {number}"), 1)).collect();
    for once in ["treat before", "payment before", "merged: 6 entries", "refused: HPAYMT 5, HRESCH 1", "treat after"] {
        expected.insert(once.to_owned(), 1);
    }
    expected.insert("event".to_owned(), 1);
    let mut found = recorded(&storage);
    found.retain(|payload, _| !payload.starts_with('\0'));
    assert_eq!(found, expected);
    let log = scruple_ledger::Storage::read(&storage, Path::new(RESERVE_LOG)).unwrap();
    assert!(log[8_192..].iter().all(|byte| *byte == 0), "the reserve is emptied");
    let report = check(&storage, None);
    assert!(report.is_good(), "{report}");
    assert!(!report.to_string().contains("reserve"), "{report}");
}

#[test]
fn merged_entries_stand_in_their_order() {
    let storage = SimStorage::new();
    let recorder = open(&storage);
    fill(&storage, &recorder);
    for number in 0..700 {
        care(&recorder, &format!("{number:04}")).unwrap();
    }
    storage.set_room(None);
    recorder.recover().unwrap();
    drop(recorder);
    let read = entries(Path::new(DIR), Arc::new(storage.clone()), None, 0).unwrap();
    let merged: Vec<_> = read
        .map(Result::unwrap)
        .filter(|entry| entry.origin.is_some())
        .map(|entry| (entry.origin.unwrap().seq, entry.payload))
        .collect();
    let mut expected: Vec<_> = (0..700).map(|n| (n + 1, Payload::Open(format!("{n:04}").into_bytes()))).collect();
    expected.push((701, Payload::Open(b"merged: 700 entries".to_vec())));
    assert_eq!(merged, expected);
}

#[test]
fn when_the_reserve_is_used_up_the_second_one_serves_and_then_everything_is_refused() {
    let storage = SimStorage::new();
    let recorder = open(&storage);
    fill(&storage, &recorder);
    let mut told = Vec::new();
    let payload = |number: usize| format!("{number:04} {}", "x".repeat(9_000));
    loop {
        match care(&recorder, &payload(told.len())) {
            Ok(receipt) => told.push(receipt),
            Err(error) => {
                assert!(matches!(error, AppendError::NoReserve), "{error}");
                assert_eq!(error.code(), "ledger_no_reserve");
                break;
            }
        }
    }
    // Both have the same size; each begins to count anew.
    let half = told.len() / 2;
    assert!(half >= 7, "{half}");
    assert!(told.iter().enumerate().all(|(number, receipt)| receipt.index as usize == number % half));
    assert!(matches!(recorder.state(), RecorderState::Down { .. }), "{recorder:?}");
    // A small entry would fit. It is refused too, so that the order of a reserve is the order of its entries.
    assert!(matches!(care(&recorder, "small"), Err(AppendError::NoReserve)));
    storage.set_room(None);
    let recovered = recorder.recover().unwrap();
    assert_eq!(recovered.merged.iter().map(|merged| merged.entries as usize).collect::<Vec<_>>(), [half, half]);
    assert_ne!(recovered.merged[0].shard, recovered.merged[1].shard);
    drop(recorder);
    let found = recorded(&storage);
    assert!((0..told.len()).all(|number| found.get(&payload(number)) == Some(&1)));
    assert!(check(&storage, None).is_good());
    // And again: what was emptied serves anew.
    let recorder = open(&storage);
    fill(&storage, &recorder);
    assert_eq!(care(&recorder, "the next outage").unwrap().index, 0);
}

#[test]
fn a_receipt_of_the_reserve_survives_a_power_cut_that_keeps_only_what_was_synced() {
    let storage = SimStorage::new();
    let recorder = open(&storage);
    fill(&storage, &recorder);
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    for number in 0..20 {
        care(&recorder, &format!("treat {number}")).unwrap();
        let cut = storage.after_power_cut(Keep::None, &mut rng);
        let report = check(&cut, None);
        assert!(report.is_good(), "{report}");
        assert_eq!(report.in_reserve, number + 1);
        drop(open(&cut));
        let found = recorded(&cut);
        assert!((0..=number).all(|number| found.get(&format!("treat {number}")) == Some(&1)));
    }
}

#[test]
fn a_recorder_that_starts_on_a_full_disk_begins_on_the_reserve() {
    let storage = SimStorage::new();
    drop(open(&storage));
    storage.set_room(Some(storage.used_bytes()));
    let recorder = open(&storage);
    assert!(recorder.main().is_none());
    assert!(care(&recorder, "treat 0").unwrap().in_reserve);
    assert!(matches!(other(&recorder, "payment"), Err(AppendError::Down)));
    drop(recorder);
    // And once more: each run seals with a key of its own, which the file has room for.
    let recorder = open(&storage);
    assert!(care(&recorder, "treat 1").unwrap().in_reserve);
    drop(recorder);
    let report = check(&storage, None);
    assert!(report.is_good(), "{report}");
    assert!(report.to_string().contains("2 entries of the reserve are not merged yet"), "{report}");
    storage.set_room(None);
    let recorder = open(&storage);
    assert_eq!(recorder.state(), RecorderState::Normal, "merged by the start");
    drop(recorder);
    let found = recorded(&storage);
    assert_eq!((found.get("treat 0"), found.get("treat 1")), (Some(&1), Some(&1)));
}

#[test]
fn a_disk_that_is_full_from_the_start_makes_no_recorder() {
    let storage = SimStorage::new();
    for room in [0, 1_000, 20_000, 70_000, 150_000] {
        storage.set_room(Some(room));
        assert!(try_open(&storage).is_err(), "room {room}");
    }
    storage.set_room(None);
    let recorder = open(&storage);
    care(&recorder, "treat").unwrap();
    drop(recorder);
    assert!(check(&storage, None).is_good());
}

#[test]
fn two_recorders_on_one_folder_are_refused_while_the_main_ledger_is_down_too() {
    let storage = SimStorage::new();
    let recorder = open(&storage);
    let locked = |storage: &SimStorage| matches!(try_open(storage), Err(LedgerError::Locked(_)));
    assert!(locked(&storage));
    fill(&storage, &recorder);
    assert!(recorder.recover().is_err());
    assert!(recorder.main().is_none());
    assert!(try_open(&storage).is_err());
    storage.set_room(None);
    assert!(locked(&storage), "the lock of the reserve is held through the outage");
    recorder.recover().unwrap();
    drop(recorder);
    drop(open(&storage));
}

#[test]
fn a_ledger_that_somebody_still_holds_does_not_keep_the_next_one_from_being_opened() {
    let storage = SimStorage::new();
    let recorder = open(&storage);
    let held = recorder.main().unwrap();
    fill(&storage, &recorder);
    storage.set_room(None);
    recorder.recover().unwrap();
    assert!(held.append(b"x", None).is_err());
    assert!(!care(&recorder, "treat").unwrap().in_reserve);
}

#[test]
fn what_the_reserve_cannot_take_is_refused() {
    let storage = SimStorage::new();
    let recorder = open(&storage);
    let limit = recorder.main().unwrap().payload_bytes_max();
    let reserved = recorder.submit(b"x".to_vec(), Some(Origin::new(RESERVE_SHARDS, 1)));
    assert!(matches!(reserved, Err(AppendError::ReserveShard(_))));
    let long = |recorder: &Recorder| recorder.record_blocking(vec![1; limit + 1], Urgency::Care);
    assert!(matches!(long(&recorder), Err(AppendError::TooLong { .. })));
    fill(&storage, &recorder);
    assert!(care(&recorder, &"x".repeat(limit)).unwrap().in_reserve, "what fits the ledger fits the smallest reserve");
    storage.set_room(None);
    recorder.recover().unwrap();
    assert!(matches!(recorder.state(), RecorderState::Normal));
    assert!(matches!(long(&recorder), Err(AppendError::TooLong { .. })));
    let small = RecorderOptions {
        reserves: vec![ReserveOptions { dir: "/third".into(), bytes: RESERVE_BYTES_MIN - 1 }],
        ..recorder_options(&SimStorage::new(), &[])
    };
    assert!(matches!(Recorder::open(Path::new(DIR), small), Err(LedgerError::Option(_))));
}

#[test]
fn without_a_reserve_nothing_is_recorded_on_a_full_disk() {
    let storage = SimStorage::new();
    let recorder = Recorder::open(Path::new(DIR), recorder_options(&storage, &[])).unwrap();
    care(&recorder, "treat").unwrap();
    fill(&storage, &recorder);
    assert!(matches!(care(&recorder, "treat"), Err(AppendError::NoReserve)));
    assert!(matches!(recorder.state(), RecorderState::Down { .. }));
}

#[test]
fn a_tampered_reserve_is_found_kept_and_never_merged_in_part() {
    let base = SimStorage::new();
    let recorder = open(&base);
    fill(&base, &recorder);
    for number in 0..4 {
        care(&recorder, &format!("treat {number}")).unwrap();
    }
    drop(recorder);
    base.set_room(None);
    let before = scruple_ledger::Storage::read(&base, Path::new(RESERVE_LOG)).unwrap();
    let used = before.iter().rposition(|byte| *byte != 0).unwrap();
    assert_eq!(check(&base, None).in_reserve, 4);
    for position in (0..used + 40).filter(|position| *position < 200 || *position > 8_100) {
        let storage = base.copy();
        storage.tamper(Path::new(RESERVE_LOG), |bytes| bytes[position] ^= 0x04);
        let report = check(&storage, None);
        assert!(!report.is_good(), "byte {position}");
    }
    // In the first entry: whole batches stand behind it, so it is no interrupted write.
    let storage = base.copy();
    storage.tamper(Path::new(RESERVE_LOG), |bytes| bytes[8_192 + 250] ^= 0x04);
    let tampered = scruple_ledger::Storage::read(&storage, Path::new(RESERVE_LOG)).unwrap();
    let recorder = open(&storage);
    assert!(recorder.problems()[0].contains("damaged"), "{:?}", recorder.problems());
    assert!(!other(&recorder, "payment").unwrap().in_reserve, "the main ledger serves on");
    let error = recorder.recover().unwrap_err();
    assert!(chain(&error).contains("a later batch stands behind it"), "{}", chain(&error));
    assert!(recorder.needs_recovery());
    drop(recorder);
    assert_eq!(scruple_ledger::Storage::read(&storage, Path::new(RESERVE_LOG)).unwrap(), tampered, "kept as it is");
    assert!(recorded(&storage).keys().all(|payload| !payload.starts_with("treat")));
    // Meanwhile the second one serves.
    let recorder = open(&storage);
    fill(&storage, &recorder);
    assert!(care(&recorder, "treat 4").unwrap().in_reserve);
}

#[test]
fn an_entry_can_be_awaited_and_moves_to_the_reserve_when_the_ledger_fails_meanwhile() {
    use std::task::{Context, Poll, Wake, Waker};

    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let wait = |recording: scruple_ledger::Recording<'_>| {
        let mut recording = Box::pin(recording);
        loop {
            match recording.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(outcome) => break outcome,
                Poll::Pending => std::thread::park(),
            }
        }
    };
    let main_disk = SimStorage::new();
    let reserve_disk = SimStorage::new();
    let split = Split { main: main_disk.clone(), reserve: reserve_disk.clone() };
    let open = || {
        let split = split.clone();
        let disk = main_disk.clone();
        let ledger = move || scruple_ledger::OpenOptions { storage: Arc::new(split.clone()), ..options(&disk) };
        let reserves = vec![ReserveOptions { dir: SECOND.into(), bytes: RESERVE_BYTES_MIN }];
        let options = RecorderOptions { ledger: Box::new(ledger), reserves, notices: Box::new(Words) };
        Recorder::open(Path::new(DIR), options).unwrap()
    };
    let recorder = open();
    // The disk fails under entries that are on their way: submitted before, refused after.
    let recordings: Vec<_> = (0..50)
        .map(|number| {
            if number == 20 {
                main_disk.fail_from(main_disk.operations() + 1, ErrorKind::Other);
            }
            let urgency = if number % 2 == 0 { Urgency::Care } else { Urgency::Other };
            recorder.record(format!("entry {number}").into_bytes(), urgency)
        })
        .collect();
    let outcomes: Vec<_> = recordings.into_iter().map(wait).collect();
    assert!(outcomes.iter().step_by(2).all(Result::is_ok), "{outcomes:?}");
    assert!(outcomes[49].is_err() && outcomes[48].as_ref().unwrap().in_reserve);
    main_disk.fail_from(u64::MAX, ErrorKind::Other);
    recorder.recover().unwrap();
    drop(recorder);
    let mut found = BTreeMap::<_, u64>::new();
    for entry in entries(Path::new(DIR), Arc::new(split.clone()), None, 0).unwrap() {
        if let Payload::Open(bytes) = entry.unwrap().payload {
            *found.entry(bytes).or_default() += 1;
        }
    }
    for (number, outcome) in outcomes.iter().enumerate().filter(|(_, outcome)| outcome.is_ok()) {
        let times = found.get(format!("entry {number}").as_bytes()).copied();
        // What was on its way may stand there twice; what the main ledger took stands there once.
        let most = if outcome.as_ref().unwrap().in_reserve { 2 } else { 1 };
        assert!(times.is_some_and(|times| times <= most), "{number}: {times:?}");
    }
}

/// Two disks: the reserve's, and that of all else.
#[derive(Clone)]
struct Split {
    main: SimStorage,
    reserve: SimStorage,
}

impl Split {
    fn of(&self, path: &Path) -> &SimStorage {
        if path.starts_with(SECOND) { &self.reserve } else { &self.main }
    }
}

impl scruple_ledger::Storage for Split {
    fn create_dir(&self, dir: &Path) -> std::io::Result<()> {
        self.of(dir).create_dir(dir)
    }
    fn list(&self, dir: &Path) -> std::io::Result<Vec<scruple_ledger::Item>> {
        self.of(dir).list(dir)
    }
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        self.of(path).read(path)
    }
    fn create(&self, path: &Path, mode: scruple_ledger::Mode) -> std::io::Result<Box<dyn scruple_ledger::File>> {
        self.of(path).create(path, mode)
    }
    fn open(&self, path: &Path) -> std::io::Result<Box<dyn scruple_ledger::File>> {
        self.of(path).open(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        self.of(from).rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> std::io::Result<()> {
        self.of(path).remove_file(path)
    }
    fn remove_dir(&self, dir: &Path) -> std::io::Result<()> {
        self.of(dir).remove_dir(dir)
    }
    fn sync_dir(&self, dir: &Path) -> std::io::Result<()> {
        self.of(dir).sync_dir(dir)
    }
    fn lock(&self, path: &Path) -> std::io::Result<Option<Box<dyn scruple_ledger::Lock>>> {
        self.of(path).lock(path)
    }
}
