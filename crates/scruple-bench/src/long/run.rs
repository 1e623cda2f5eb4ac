//! The runner: cases on all cores, panics caught, findings told apart, made smaller and kept.

use anyhow::{Context as _, Result};
use aws_lc_rs::digest;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::Serialize;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

/// Findings that are told apart and kept.
const FINDINGS_MAX: usize = 50;
/// Tries at making a finding smaller.
const SHRINK_TRIES_MAX: usize = 2_000;
/// Time for that.
const SHRINK_TIME: Duration = Duration::from_secs(20);
/// How often the progress is told.
const PROGRESS_EVERY: Duration = Duration::from_secs(15);

/// When a run ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// After so many minutes.
    Minutes(u64),
    /// After so many cases.
    Cases(u64),
}

/// How a run is made.
#[derive(Clone, Debug)]
pub struct Settings {
    /// All cases follow from it.
    pub seed: u64,
    /// When it ends.
    pub limit: Limit,
    /// Threads.
    pub threads: NonZeroUsize,
    /// Where findings are kept; `None`: nowhere.
    pub regressions: Option<PathBuf>,
    /// Whether progress is told on standard error.
    pub progress: bool,
}

/// What a run found: the last line that `long` prints.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Report {
    /// Cases that were made.
    pub cases: u64,
    /// Findings, alike ones counted once.
    pub findings: u64,
    /// Each in a line: what did not hold, and where its case is kept.
    pub details: Vec<String>,
}

/// Something that is fed with made cases. A case is bytes: the very bytes of a regression file.
pub trait Fuzz: Sync {
    /// The name of its folders.
    fn name(&self) -> &'static str;
    /// Makes a case.
    fn make(&self, rng: &mut ChaCha20Rng) -> Vec<u8>;
    /// Checks a case; says what does not hold, without the content of the case.
    ///
    /// # Errors
    /// A property does not hold.
    fn check(&self, case: &[u8]) -> Result<(), String>;
    /// A case that takes longer is a finding: inputs are bounded, so is the work.
    fn case_time_max(&self) -> Duration {
        Duration::from_secs(20)
    }
}

/// The generator of one case.
#[must_use]
pub fn case_rng(seed: u64, number: u64) -> ChaCha20Rng {
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(seed.to_le_bytes().into_iter().chain(number.to_le_bytes())) {
        *to = from;
    }
    ChaCha20Rng::from_seed(bytes)
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static PANICKED_AT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Inside a guarded call a panic is noted by its place and not printed: its text may hold a part of the case.
fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if GUARDED.get() {
                let place = panic.location().map(|at| format!("{}:{}", at.file(), at.line()));
                PANICKED_AT.with_borrow_mut(|at| *at = place);
            } else {
                before(panic);
            }
        }));
    });
}

/// Checks a case; a panic or too long a time is what does not hold.
///
/// # Errors
/// What does not hold.
pub fn check_guarded(target: &dyn Fuzz, case: &[u8]) -> Result<(), String> {
    install_hook();
    GUARDED.set(true);
    let began = Instant::now();
    let result = catch_unwind(AssertUnwindSafe(|| target.check(case)));
    GUARDED.set(false);
    match result {
        Ok(Ok(())) if began.elapsed() > target.case_time_max() => {
            Err(format!("takes over {} s", target.case_time_max().as_secs()))
        }
        Ok(result) => result,
        Err(_) => {
            let place = PANICKED_AT.with_borrow_mut(Option::take);
            Err(format!("panics at {}", place.as_deref().unwrap_or("an unknown place")))
        }
    }
}

/// Counts cases up to the limit, over all threads.
pub(super) struct Counter {
    next: AtomicU64,
    limit: Limit,
    began: Instant,
}

impl Counter {
    pub fn new(limit: Limit) -> Self {
        Self { next: AtomicU64::new(0), limit, began: Instant::now() }
    }

    /// The number of the next case, if there is one.
    pub fn take(&self) -> Option<u64> {
        let over = match self.limit {
            Limit::Minutes(minutes) => self.began.elapsed() >= Duration::from_secs(minutes.saturating_mul(60)),
            Limit::Cases(cases) => self.next.load(Ordering::Relaxed) >= cases,
        };
        if over {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        match self.limit {
            Limit::Cases(cases) if number >= cases => None,
            _ => Some(number),
        }
    }

    /// Cases that were handed out.
    pub fn taken(&self) -> u64 {
        let taken = self.next.load(Ordering::Relaxed);
        match self.limit {
            Limit::Cases(cases) => taken.min(cases),
            Limit::Minutes(_) => taken,
        }
    }

    fn tell(&self, name: &str, findings: usize, told: &mut Instant) {
        if told.elapsed() >= PROGRESS_EVERY {
            *told = Instant::now();
            progress(&format!(
                "{name}: {} cases, {findings} findings, {} s",
                self.taken(),
                self.began.elapsed().as_secs()
            ));
        }
    }
}

/// A line of progress for the terminal.
#[expect(clippy::print_stderr, reason = "progress of a tool for a terminal")]
pub(super) fn progress(line: &str) {
    eprintln!("{line}");
}

/// What did not hold, and a smallest case of it.
type Findings = Mutex<BTreeMap<String, Vec<u8>>>;

/// Runs a fuzzer.
///
/// # Errors
/// A finding cannot be kept.
pub fn fuzz(target: &dyn Fuzz, settings: &Settings) -> Result<Report> {
    let counter = Counter::new(settings.limit);
    let findings = Findings::default();
    std::thread::scope(|scope| {
        for thread in 0..settings.threads.get() {
            let (counter, findings) = (&counter, &findings);
            scope.spawn(move || {
                let mut told = Instant::now();
                while let Some(number) = counter.take() {
                    let case = target.make(&mut case_rng(settings.seed, number));
                    if let Err(what) = check_guarded(target, &case) {
                        found(target, what, case, findings);
                    }
                    if thread == 0 && settings.progress {
                        counter.tell(target.name(), lock(findings).len(), &mut told);
                    }
                }
            });
        }
    });
    let mut report = Report { cases: counter.taken(), ..Report::default() };
    for (what, case) in lock(&findings).iter() {
        report.findings += 1;
        let kept = keep(settings.regressions.as_deref(), target.name(), case)?;
        report.details.push(format!("{what}; {kept}"));
    }
    Ok(report)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn found(target: &dyn Fuzz, what: String, case: Vec<u8>, findings: &Findings) {
    {
        let mut findings = lock(findings);
        if findings.contains_key(&what) || findings.len() >= FINDINGS_MAX {
            return;
        }
        findings.insert(what.clone(), case.clone());
    }
    let small = shrink(&case, |smaller| check_guarded(target, smaller).as_ref() == Err(&what));
    lock(findings).insert(what, small);
}

/// Takes pieces out of a case for as long as it still shows the same.
fn shrink(case: &[u8], same: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let began = Instant::now();
    let mut case = case.to_vec();
    let mut piece = case.len() / 2;
    let mut tries = 0;
    while piece > 0 {
        let mut at = 0;
        while at < case.len() {
            tries += 1;
            if tries > SHRINK_TRIES_MAX || began.elapsed() > SHRINK_TIME {
                return case;
            }
            let mut smaller = case.clone();
            smaller.drain(at..(at + piece).min(case.len()));
            if same(&smaller) {
                case = smaller;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    case
}

/// Keeps a case as a file that is named by its hash; tells where.
pub(super) fn keep(folder: Option<&Path>, name: &str, case: &[u8]) -> Result<String> {
    let hash: String =
        digest::digest(&digest::SHA256, case).as_ref().iter().map(|b| format!("{b:02x}")).take(8).collect();
    let Some(folder) = folder else { return Ok(format!("case {hash} of {} bytes, not kept", case.len())) };
    let dir = folder.join(name);
    std::fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
    let path = dir.join(&hash);
    std::fs::write(&path, case).with_context(|| path.display().to_string())?;
    Ok(format!("fuzz/regressions/{name}/{hash}"))
}

/// The files of a folder of cases, in the order of their names; none if there is no such folder.
///
/// # Errors
/// A file cannot be read.
pub fn files(folder: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let Ok(listed) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut paths: Vec<PathBuf> = listed.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    paths.sort();
    let read = |path: PathBuf| -> Result<(String, Vec<u8>)> {
        let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
        Ok((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), bytes))
    };
    paths.into_iter().map(read).collect()
}

/// Checks every file of the corpus and of the regressions again; returns how many there are and what does not hold.
///
/// # Errors
/// A file cannot be read.
pub fn replay(target: &dyn Fuzz, fuzz_folder: &Path) -> Result<(usize, Vec<String>)> {
    let mut count = 0;
    let mut failures = Vec::new();
    for kind in ["corpus", "regressions"] {
        for (name, case) in files(&fuzz_folder.join(kind).join(target.name()))? {
            count += 1;
            if let Err(what) = check_guarded(target, &case) {
                failures.push(format!("fuzz/{kind}/{}/{name}: {what}", target.name()));
            }
        }
    }
    Ok((count, failures))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Panics on a `!`, and takes no `x` behind a `y`.
    struct Picky;

    impl Fuzz for Picky {
        fn name(&self) -> &'static str {
            "picky"
        }

        fn make(&self, rng: &mut ChaCha20Rng) -> Vec<u8> {
            let mut draw = crate::long::Draw(rng);
            (0..40).map(|_| *draw.pick(b"abcdefgxy!")).collect()
        }

        fn check(&self, case: &[u8]) -> Result<(), String> {
            assert!(!case.contains(&b'!'), "here it is");
            match case.iter().position(|byte| *byte == b'y') {
                Some(at) if case.get(at..).is_some_and(|rest| rest.contains(&b'x')) => Err("x behind y".to_owned()),
                _ => Ok(()),
            }
        }
    }

    fn settings(cases: u64, regressions: Option<PathBuf>) -> Settings {
        let threads = NonZeroUsize::new(2).unwrap();
        Settings { seed: 7, limit: Limit::Cases(cases), threads, regressions, progress: false }
    }

    #[test]
    fn findings_are_told_apart_made_smallest_kept_and_replayed() {
        let dir = tempfile::tempdir().unwrap();
        let report = fuzz(&Picky, &settings(400, Some(dir.path().join("regressions")))).unwrap();
        assert_eq!((report.cases, report.findings), (400, 2), "{:?}", report.details);
        assert!(report.details[0].starts_with("panics at "), "{:?}", report.details);
        assert!(report.details[1].starts_with("x behind y; fuzz/regressions/picky/"), "{:?}", report.details);
        let mut kept: Vec<Vec<u8>> =
            files(&dir.path().join("regressions/picky")).unwrap().into_iter().map(|(_, case)| case).collect();
        kept.sort();
        assert_eq!(kept, [b"!".to_vec(), b"yx".to_vec()]);
        let (count, failures) = replay(&Picky, dir.path()).unwrap();
        assert_eq!((count, failures.len()), (2, 2));
    }

    #[test]
    fn a_case_follows_from_seed_and_number_alone() {
        let make = |seed, number| Picky.make(&mut case_rng(seed, number));
        assert_eq!(make(1, 2), make(1, 2));
        assert_ne!(make(1, 2), make(2, 1));
        assert_ne!(make(1, 2), make(1, 3));
    }
}
