//! Filters files: every core projects, one thread records and writes, order is kept, memory is bounded.
//!
//! Where references can depend on labels, the input is read twice: first to learn which resources show.

use crate::chunk::{Chunk, Item, project};
use crate::container::{ContainerError, Part, Splitter, has_entry};
use crate::release::{Asked, ReleaseError, ReleaseStream, Released};
use crate::summary::Summary;
use crate::targets::{Around, Targets};
use rand_core::Rng;
use scruple_core::limits::{CHUNK_BYTES_MAX, CHUNK_RESOURCES_MAX};
use scruple_core::{Clock, Relationship};
use scruple_fhir::{ElementCounts, Fault, FaultKind, MalformedAt, Projection, Projector, Surroundings, Withheld};
use scruple_ledger::Ledger;
use scruple_policy::Decider;
use scruple_seal::TokenKey;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

/// Jobs in flight for each worker.
const JOBS_PER_WORKER: usize = 4;

/// An input, which may be opened twice.
pub struct Input {
    /// Each line is a resource of its own (`.ndjson`).
    pub lines: bool,
    /// Opens it, unpacked.
    pub open: Box<dyn Fn() -> io::Result<Box<dyn Read>>>,
}

/// Where released bytes go. It is given nothing else.
pub trait Output {
    /// Writes bytes of the input with this ordinal, from 1. Ordinals do not decrease.
    ///
    /// # Errors
    /// They cannot be written.
    fn write(&mut self, input: u64, released: &Released) -> io::Result<()>;

    /// No more comes.
    ///
    /// # Errors
    /// What was written cannot be finished.
    fn finish(&mut self) -> io::Result<()>;
}

/// Hears how far it is.
pub trait Progress {
    /// So many bytes have been read of so many passes.
    fn read(&self, bytes: u64);
}

/// What a run needs beside its inputs.
pub struct FilterOptions<'a> {
    /// Decides.
    pub decider: &'a Decider,
    /// Records.
    pub ledger: &'a Ledger,
    /// The present.
    pub clock: &'a dyn Clock,
    /// For pseudonyms.
    pub token: &'a TokenKey,
    /// Threads that project.
    pub workers: NonZeroUsize,
    /// Hears how far it is.
    pub progress: &'a dyn Progress,
}

/// Why a run stopped. What left before is recorded.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// Nothing was released, or no more.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// An input cannot be read.
    #[error("input {input} cannot be read")]
    Input {
        /// Its ordinal.
        input: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The output cannot be written.
    #[error("output cannot be written")]
    Output(#[source] io::Error),
    /// A worker is gone.
    #[error("internal error: a worker fell")]
    Worker,
}

enum Job {
    Items {
        items: Vec<Item>,
        between: bool,
    },
    BundleBegins,
    /// What the Bundle has beside its entries, and the ordinal of the last one.
    BundleEnds {
        rest: Vec<u8>,
        item: u64,
    },
    InputEnds,
}

enum Done {
    Chunks { chunks: Vec<Chunk>, summary: Box<Summary> },
    BundleBegins,
    BundleEnds { members: Vec<u8>, summary: Box<Summary> },
    InputEnds,
    Targets(Targets),
}

struct Numbered<T> {
    sequence: u64,
    input: u64,
    what: T,
}

/// Filters the inputs into the output.
///
/// # Errors
/// The policy refuses, the ledger does not record, an input or the output fails.
pub fn filter(
    options: &FilterOptions<'_>,
    rng: &mut dyn Rng,
    asked: &Asked,
    inputs: &[Input],
    output: &mut dyn Output,
) -> Result<Summary, FilterError> {
    let mut stream = ReleaseStream::open(options.decider, options.ledger, options.clock, rng, asked)?;
    let pack = options.decider.pack();
    let projection = Projection::new(Arc::clone(&pack.annotation), stream.table().as_ref().clone());
    let today = options.clock.now().civil_date();
    let mut summary = Summary {
        release: stream.id().to_owned(),
        role: asked.question.role.clone(),
        purpose: asked.question.purpose.clone(),
        relationship: match asked.relationship {
            Relationship::Asserted => "asserted",
            Relationship::Assumed => "assumed",
            Relationship::Resolved => "resolved",
            Relationship::None => "none",
        }
        .to_owned(),
        conditions: stream.decision().conditions.clone(),
        pack: pack.hash.to_string(),
        inputs: inputs.len() as u64,
        ..Summary::default()
    };
    let mut targets = Targets::default();
    if projection.asks() {
        let around = Around { targets: None, token: options.token, today };
        let work = |projector: &mut Projector<'_>, _: u64, job: Job| collect(projector, &job);
        run(options, &projection, &around, inputs, work, |done| {
            if let Done::Targets(found) = done.what {
                targets.merge(found);
            }
            Ok(())
        })?;
        if targets.is_given_up() {
            summary.notes.push(
                "too many resources to follow references between them: references that a label could hide are withheld"
                    .to_owned(),
            );
        }
    }
    let around = Around { targets: Some(&targets), token: options.token, today };
    let mut writer =
        Writer { output, stream: &mut stream, waiting: VecDeque::new(), bundle: None, summary: &mut summary };
    let result = run(options, &projection, &around, inputs, release, |done| writer.take(done));
    let (elements, bytes) = match result {
        Ok(ran) => ran,
        Err(error) => {
            // What was recorded so far may have left; the end of the chain says that it stopped, if anything is recorded.
            let records = !matches!(error, FilterError::Release(ReleaseError::NotRecorded(_) | ReleaseError::Entry(_)));
            if records {
                stream.stop(&summary.counts())?;
            }
            return Err(error);
        }
    };
    let waiting = writer.waiting;
    summary.set_elements(pack, &elements);
    summary.bytes_in = bytes;
    if let Some(last) = stream.close(&summary.counts())? {
        let input = waiting.front().copied().unwrap_or(1);
        summary.bytes_out += last.bytes().len() as u64;
        output.write(input, &last).map_err(FilterError::Output)?;
    }
    output.finish().map_err(FilterError::Output)?;
    Ok(summary)
}

fn collect(projector: &mut Projector<'_>, job: &Job) -> Done {
    let mut targets = Targets::default();
    let Job::Items { items, .. } = job else { return Done::Targets(targets) };
    let mut scratch = Vec::new();
    for item in items {
        let Ok(bytes) = &item.bytes else { continue };
        scratch.clear();
        let shown = if item.is_entry {
            projector.project_entry(bytes, &mut scratch)
        } else {
            projector.project(bytes, &mut scratch)
        };
        let Ok(shown) = shown else { continue };
        if let Some(id) = &shown.id {
            targets.add(shown.resource_type, id);
        }
        if let Some(urn) = &shown.urn {
            targets.add_urn(urn);
        }
    }
    Done::Targets(targets)
}

fn release(projector: &mut Projector<'_>, input: u64, job: Job) -> Done {
    match job {
        Job::Items { items, between } => {
            let separator = if between { b',' } else { b'\n' };
            let (chunks, summary) = project(projector, &items, separator, between);
            Done::Chunks { chunks, summary: Box::new(summary) }
        }
        Job::BundleBegins => Done::BundleBegins,
        Job::BundleEnds { rest, item } => {
            let mut summary = Summary::default();
            let members = bundle_rest(projector, &rest).unwrap_or_else(|withheld| {
                // Where nothing is left of it, a fault has been told already.
                if !rest.is_empty() {
                    summary.withhold_bundle(input, item, &withheld);
                }
                br#","type":"collection"}"#.to_vec()
            });
            Done::BundleEnds { members, summary: Box::new(summary) }
        }
        Job::InputEnds => Done::InputEnds,
    }
}

/// What shows of a Bundle beside its entries: what stands behind `{"resourceType":"Bundle"`.
fn bundle_rest(projector: &mut Projector<'_>, rest: &[u8]) -> Result<Vec<u8>, Withheld> {
    if has_entry(rest) {
        return Err(Withheld::Malformed(MalformedAt(Fault { kind: FaultKind::Duplicate, at: 0 })));
    }
    let mut out = Vec::new();
    projector.project(rest, &mut out)?;
    out.strip_prefix(br#"{"resourceType":"Bundle""#).map(<[u8]>::to_vec).ok_or(Withheld::Policy)
}

/// Reads the inputs, works on them on all cores, and hands the results over in order. Returns what was counted.
fn run(
    options: &FilterOptions<'_>,
    projection: &Projection,
    around: &dyn Surroundings,
    inputs: &[Input],
    work: impl Fn(&mut Projector<'_>, u64, Job) -> Done + Sync,
    mut take: impl FnMut(Numbered<Done>) -> Result<(), FilterError>,
) -> Result<(ElementCounts, u64), FilterError> {
    let workers = options.workers.get();
    let counts = Mutex::new(ElementCounts::default());
    let (jobs, queue) = sync_channel::<Numbered<Job>>(workers * JOBS_PER_WORKER);
    let (results, finished) = sync_channel::<Option<Numbered<Done>>>(workers * JOBS_PER_WORKER + workers);
    let queue = Mutex::new(queue);
    let outcome: Result<u64, FilterError> = std::thread::scope(|scope| {
        for _ in 0..workers {
            let results = results.clone();
            let (queue, counts, work) = (&queue, &counts, &work);
            scope.spawn(move || {
                let mut projector = Projector::new(projection, around);
                while let Some(Numbered { sequence, input, what }) = next_job(queue) {
                    // Who waits for the result of a worker that fell must be told, or waits forever.
                    let done = catch_unwind(AssertUnwindSafe(|| work(&mut projector, input, what))).ok();
                    let is_fallen = done.is_none();
                    if results.send(done.map(|what| Numbered { sequence, input, what })).is_err() || is_fallen {
                        break;
                    }
                }
                counts.lock().unwrap_or_else(PoisonError::into_inner).add(&projector.counts);
            });
        }
        drop(results);
        // Reading and taking alternate on this thread: what waits for its turn is never more than what is in flight.
        let mut feeder = Feeder {
            jobs: Some(jobs),
            finished: &finished,
            next: 0,
            taken: 0,
            early: BTreeMap::new(),
            in_flight: workers * JOBS_PER_WORKER,
            take: &mut take,
        };
        // After a failure nothing more is taken: what is in flight fits the channel and is dropped.
        let bytes = feeder.feed(inputs, options.progress)?;
        feeder.drain()?;
        Ok(bytes)
    });
    let bytes = outcome?;
    Ok((counts.into_inner().unwrap_or_else(PoisonError::into_inner), bytes))
}

fn next_job(queue: &Mutex<Receiver<Numbered<Job>>>) -> Option<Numbered<Job>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

struct Feeder<'a, F> {
    jobs: Option<SyncSender<Numbered<Job>>>,
    /// Results; nothing for a worker that fell.
    finished: &'a Receiver<Option<Numbered<Done>>>,
    next: u64,
    taken: u64,
    early: BTreeMap<u64, Numbered<Done>>,
    in_flight: usize,
    take: &'a mut F,
}

impl<F: FnMut(Numbered<Done>) -> Result<(), FilterError>> Feeder<'_, F> {
    fn feed(&mut self, inputs: &[Input], progress: &dyn Progress) -> Result<u64, FilterError> {
        let mut total = 0;
        for (index, input) in inputs.iter().enumerate() {
            let ordinal = index as u64 + 1;
            let failed = |source| FilterError::Input { input: ordinal, source };
            let mut splitter = Splitter::new((input.open)().map_err(failed)?, ordinal, input.lines);
            let mut items = Vec::new();
            let mut bytes = 0;
            let mut between = false;
            loop {
                let before = splitter.bytes;
                let part = splitter.next().map_err(|ContainerError::Read(source)| failed(source))?;
                progress.read(splitter.bytes - before);
                match part {
                    Some(Part::Item(item)) => {
                        bytes += item.bytes.as_ref().map_or(0, Vec::len);
                        items.push(item);
                        if items.len() >= CHUNK_RESOURCES_MAX || bytes >= CHUNK_BYTES_MAX {
                            bytes = 0;
                            self.send(ordinal, Job::Items { items: std::mem::take(&mut items), between })?;
                        }
                    }
                    other => {
                        bytes = 0;
                        if !items.is_empty() {
                            self.send(ordinal, Job::Items { items: std::mem::take(&mut items), between })?;
                        }
                        match other {
                            Some(Part::BundleBegins) => {
                                between = true;
                                self.send(ordinal, Job::BundleBegins)?;
                            }
                            Some(Part::BundleEnds(rest)) => {
                                between = false;
                                self.send(ordinal, Job::BundleEnds { rest, item: splitter.item })?;
                            }
                            _ => {
                                self.send(ordinal, Job::InputEnds)?;
                                break;
                            }
                        }
                    }
                }
            }
            total += splitter.bytes;
        }
        Ok(total)
    }

    fn send(&mut self, input: u64, what: Job) -> Result<(), FilterError> {
        while self.next - self.taken >= self.in_flight as u64 {
            self.receive()?;
        }
        let job = Numbered { sequence: self.next, input, what };
        self.next += 1;
        self.jobs.as_ref().ok_or(FilterError::Worker)?.send(job).map_err(|_| FilterError::Worker)
    }

    fn receive(&mut self) -> Result<(), FilterError> {
        let done = self.finished.recv().ok().flatten().ok_or(FilterError::Worker)?;
        self.early.insert(done.sequence, done);
        while let Some(done) = self.early.remove(&self.taken) {
            self.taken += 1;
            (self.take)(done)?;
        }
        Ok(())
    }

    fn drain(&mut self) -> Result<(), FilterError> {
        self.jobs = None;
        while self.taken < self.next {
            self.receive()?;
        }
        Ok(())
    }
}

/// Puts containers together again, records, and writes.
struct Writer<'a, 'b> {
    output: &'a mut dyn Output,
    stream: &'a mut ReleaseStream<'b>,
    /// Inputs of the chunks that the stream still holds.
    waiting: VecDeque<u64>,
    /// In a Bundle: the chunk that waits for what comes behind it, if an entry was written.
    bundle: Option<Option<Chunk>>,
    summary: &'a mut Summary,
}

impl Writer<'_, '_> {
    fn take(&mut self, done: Numbered<Done>) -> Result<(), FilterError> {
        match done.what {
            Done::Chunks { chunks, summary } => {
                self.summary.add(*summary);
                chunks.into_iter().try_for_each(|chunk| self.chunk(done.input, chunk))
            }
            Done::BundleBegins => {
                self.bundle = Some(None);
                Ok(())
            }
            Done::BundleEnds { members, summary } => {
                self.summary.add(*summary);
                self.bundle_ends(done.input, &members)
            }
            Done::InputEnds | Done::Targets(_) => Ok(()),
        }
    }

    fn chunk(&mut self, input: u64, mut chunk: Chunk) -> Result<(), FilterError> {
        let Some(held) = &mut self.bundle else { return self.send(input, chunk) };
        let Some(mut before) = held.take() else {
            chunk.bytes.splice(0..0, br#"{"resourceType":"Bundle","entry":["#.iter().copied());
            *held = Some(chunk);
            return Ok(());
        };
        *held = Some(chunk);
        before.bytes.push(b',');
        self.send(input, before)
    }

    fn bundle_ends(&mut self, input: u64, members: &[u8]) -> Result<(), FilterError> {
        let Some(bundle) = self.bundle.take() else { return Ok(()) };
        let mut chunk = match bundle {
            Some(mut last) => {
                last.bytes.push(b']');
                last
            }
            None => Chunk::frame(br#"{"resourceType":"Bundle""#),
        };
        chunk.bytes.extend_from_slice(members);
        chunk.bytes.push(b'\n');
        self.send(input, chunk)
    }

    fn send(&mut self, input: u64, chunk: Chunk) -> Result<(), FilterError> {
        self.waiting.push_back(input);
        for released in self.stream.chunk(chunk)? {
            let input = self.waiting.pop_front().unwrap_or(input);
            self.summary.bytes_out += released.bytes().len() as u64;
            self.output.write(input, &released).map_err(FilterError::Output)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
