//! Recorded accesses, read back from the ledger one by one: who, in which role, for what, under which policy and conditions, and
//! which types of resources were released. Nothing is kept of them here but what is counted.

use scruple_core::Timestamp;
use scruple_fhir::{TypeId, dictionary};
use scruple_ledger::{FileSystem, LedgerError, Payload, entries};
use scruple_policy::PastAccess;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

/// Entries that go from the reader to the judge at once.
const BATCH: usize = 1_024;
/// Batches that wait for the judge.
const BATCHES_MAX: usize = 8;
/// Releases in chunks that are open at a time; of more, those that were opened first count without their later chunks.
const OPEN_MAX: usize = 65_536;

/// An access as it was recorded.
#[derive(Clone, Copy, Debug)]
pub struct Recorded<'a> {
    /// The entry.
    pub index: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub subject: &'a str,
    /// In which role.
    pub role: &'a str,
    /// For what.
    pub purpose: &'a str,
    /// Under which policy.
    pub pack: &'a str,
    /// The conditions that held, `,` between them.
    pub conditions: &'a str,
    /// The types of what was released; where nothing was, the one that was asked for.
    pub types: &'a [TypeId],
    /// The categories that showed with their views, as JSON.
    pub views: &'a str,
}

impl<'a> Recorded<'a> {
    /// As the policy weighs it.
    pub(super) fn past(&self, views: &'a BTreeMap<String, String>) -> PastAccess<'a> {
        let Self { role, purpose, conditions, types, .. } = *self;
        PastAccess { role, purpose, conditions, types, views }
    }

    /// What accesses that are alike have in common.
    pub(super) fn write_key(&self, key: &mut String) {
        key.clear();
        let types = self.types.iter().map(|id| dictionary().get(*id).name);
        for part in [self.pack, self.role, self.purpose, self.conditions].into_iter().chain(types) {
            key.push_str(part);
            key.push('\n');
        }
    }
}

/// Why recorded accesses are not read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingsError {
    /// The ledger cannot be read.
    #[error("the recorded accesses cannot be read")]
    Ledger(#[from] LedgerError),
    /// The reader ended before its time.
    #[error("the reader of the ledger has ended before the ledger did")]
    Reader,
}

#[derive(Deserialize)]
struct Line<'a> {
    at: i64,
    #[serde(borrow)]
    body: Body<'a>,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    release: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    actor: Option<Who<'a>>,
    #[serde(borrow, default)]
    decision: Option<Decided<'a>>,
    #[serde(borrow, default)]
    request: Option<Asked<'a>>,
    #[serde(default)]
    references: Types,
}

#[derive(Deserialize)]
struct Who<'a> {
    #[serde(borrow)]
    subject: Cow<'a, str>,
    #[serde(borrow)]
    role: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Decided<'a> {
    #[serde(borrow)]
    purpose: Cow<'a, str>,
    #[serde(borrow)]
    pack: Cow<'a, str>,
    conditions: Joined,
    #[serde(borrow)]
    views: &'a RawValue,
}

#[derive(Deserialize)]
struct Asked<'a> {
    #[serde(borrow, default)]
    resource_type: Option<Cow<'a, str>>,
}

/// Names with `,` between them.
struct Joined(String);

impl<'de> Deserialize<'de> for Joined {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Joined;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Joined, A::Error> {
                let mut all = String::new();
                while let Some(name) = names.next_element::<Cow<'de, str>>()? {
                    if !all.is_empty() {
                        all.push(',');
                    }
                    all.push_str(&name);
                }
                Ok(Joined(all))
            }
        }
        deserializer.deserialize_seq(Names)
    }
}

/// The types of references, each once, in order.
#[derive(Default)]
struct Types(Vec<TypeId>);

impl Types {
    fn add(&mut self, name: &str) {
        if let Some(id) = dictionary().resource(name)
            && let Err(place) = self.0.binary_search(&id)
        {
            self.0.insert(place, id);
        }
    }
}

impl<'de> Deserialize<'de> for Types {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct References;
        impl<'de> Visitor<'de> for References {
            type Value = Types;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("references")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut references: A) -> Result<Types, A::Error> {
                let mut types = Types::default();
                while let Some(reference) = references.next_element::<Cow<'de, str>>()? {
                    types.add(reference.split('/').next().unwrap_or_default());
                }
                Ok(types)
            }
        }
        deserializer.deserialize_seq(References)
    }
}

/// A release in chunks whose end has not come.
struct Open {
    index: u64,
    at: Timestamp,
    subject: String,
    role: String,
    purpose: String,
    pack: String,
    conditions: String,
    types: Types,
    asked: Option<String>,
    views: String,
}

impl Open {
    fn tell(mut self, sink: &mut impl FnMut(&Recorded<'_>)) {
        if let (true, Some(asked)) = (self.types.0.is_empty(), self.asked.take()) {
            self.types.add(&asked);
        }
        sink(&Recorded {
            index: self.index,
            at: self.at,
            subject: &self.subject,
            role: &self.role,
            purpose: &self.purpose,
            pack: &self.pack,
            conditions: &self.conditions,
            types: &self.types.0,
            views: &self.views,
        });
    }
}

/// Makes accesses of the entries of a period.
pub struct Recordings {
    from: Timestamp,
    until: Timestamp,
    open: HashMap<String, Open>,
    unread: u64,
}

impl Recordings {
    /// Of the entries from one instant to before another.
    #[must_use]
    pub fn new(from: Timestamp, until: Timestamp) -> Self {
        Self { from, until, open: HashMap::new(), unread: 0 }
    }

    /// Takes one entry. Whether there can be more in the period: entries are in the order of time.
    pub fn take(&mut self, index: u64, payload: &[u8], sink: &mut impl FnMut(&Recorded<'_>)) {
        let Ok(line) = serde_json::from_slice::<Line<'_>>(payload) else {
            self.unread += 1;
            return;
        };
        let at = Timestamp::from_micros(line.at);
        let Body { kind, release, actor, decision, request, mut references } = line.body;
        let asked = request.and_then(|request| request.resource_type);
        match (kind.as_ref(), actor, decision) {
            ("release", Some(actor), Some(decision)) if self.holds(at) => {
                if let (true, Some(asked)) = (references.0.is_empty(), &asked) {
                    references.add(asked);
                }
                sink(&Recorded {
                    index,
                    at,
                    subject: &actor.subject,
                    role: &actor.role,
                    purpose: &decision.purpose,
                    pack: &decision.pack,
                    conditions: &decision.conditions.0,
                    types: &references.0,
                    views: decision.views.get(),
                });
            }
            ("release_open", Some(actor), Some(decision)) if self.holds(at) => {
                let open = Open {
                    index,
                    at,
                    subject: actor.subject.into_owned(),
                    role: actor.role.into_owned(),
                    purpose: decision.purpose.into_owned(),
                    pack: decision.pack.into_owned(),
                    conditions: decision.conditions.0,
                    types: Types::default(),
                    asked: asked.map(Cow::into_owned),
                    views: decision.views.get().to_owned(),
                };
                if self.open.len() >= OPEN_MAX {
                    self.tell_all(sink);
                }
                self.open.insert(release.unwrap_or_default().into_owned(), open);
            }
            ("release_chunk", ..) => {
                if let Some(open) = release.and_then(|release| self.open.get_mut(release.as_ref())) {
                    for id in references.0 {
                        if let Err(place) = open.types.0.binary_search(&id) {
                            open.types.0.insert(place, id);
                        }
                    }
                }
            }
            ("release_close", ..) => {
                if let Some(open) = release.and_then(|release| self.open.remove(release.as_ref())) {
                    open.tell(sink);
                }
            }
            _ => {}
        }
    }

    fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }

    fn tell_all(&mut self, sink: &mut impl FnMut(&Recorded<'_>)) {
        let mut open: Vec<Open> = self.open.drain().map(|(_, open)| open).collect();
        open.sort_by_key(|open| open.index);
        for open in open {
            open.tell(sink);
        }
    }

    /// Tells of the releases whose end has not come: what has left, has left. How many entries could not be read.
    pub fn finish(mut self, sink: &mut impl FnMut(&Recorded<'_>)) -> u64 {
        self.tell_all(sink);
        self.unread
    }
}

/// The first entry of a ledger that is not before an instant, found by halving.
///
/// # Errors
/// The ledger cannot be read.
pub fn first_at_or_after(dir: &Path, from: Timestamp) -> Result<u64, LedgerError> {
    // Some(true): it is not before; None: there is no such entry.
    let is_later = |index: u64| -> Result<Option<bool>, LedgerError> {
        for read in entries(dir, Arc::new(FileSystem), None, index)?.take(BATCH) {
            // What cannot be opened has no time: the next one tells.
            if let Payload::Open(bytes) = read?.payload
                && let Ok(line) = serde_json::from_slice::<At>(&bytes)
            {
                return Ok(Some(Timestamp::from_micros(line.at) >= from));
            }
        }
        Ok(None)
    };
    let (mut low, mut high) = (0u64, 1u64);
    while is_later(high)? == Some(false) {
        low = high;
        high = high.saturating_mul(2);
    }
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if is_later(middle)? == Some(false) { low = middle } else { high = middle }
    }
    Ok(if is_later(low)? == Some(false) { low + 1 } else { low })
}

#[derive(Deserialize)]
struct At {
    at: i64,
}

/// Reads the accesses of a period from a ledger, which may be in use: one thread opens entries, this one judges them. How many
/// entries could not be read.
///
/// # Errors
/// The ledger cannot be read.
pub fn read_accesses(
    dir: &Path,
    (from, until): (Timestamp, Timestamp),
    sink: &mut impl FnMut(&Recorded<'_>),
) -> Result<u64, RecordingsError> {
    let first = first_at_or_after(dir, from)?;
    let mut recordings = Recordings::new(from, until);
    let mut closed = 0;
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel::<Result<Vec<(u64, Payload)>, LedgerError>>(BATCHES_MAX);
        let reader = scope.spawn(move || {
            let mut read = match entries(dir, Arc::new(FileSystem), None, first) {
                Ok(read) => read,
                Err(error) => return sender.send(Err(error)).is_ok(),
            };
            loop {
                let batch: Result<Vec<(u64, Payload)>, LedgerError> =
                    read.by_ref().take(BATCH).map(|read| read.map(|read| (read.index, read.payload))).collect();
                let is_over = batch.as_ref().map_or(true, Vec::is_empty);
                if sender.send(batch).is_err() || is_over {
                    return true;
                }
            }
        });
        for batch in receiver {
            for (index, payload) in batch? {
                match payload {
                    Payload::Open(bytes) => recordings.take(index, &bytes, sink),
                    Payload::Erased { .. } | Payload::Closed | Payload::Failed(_) => closed += 1,
                }
            }
        }
        if reader.join().is_err() { Err(RecordingsError::Reader) } else { Ok(()) }
    })?;
    Ok(recordings.finish(sink) + closed)
}
