//! What a ledger says of the requests of a gateway, and whether an answer is covered by it.

use super::Got;
use crate::long::crash::sha256;
use memchr::memmem;
use scruple_core::{Entry, EntryBody};
use scruple_ledger::{Payload, Storage, entries};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// One record of a request.
enum Record {
    /// A release of one chunk: hash and length.
    Whole(String, u64),
    /// A release in chunks, by its id.
    Chain(String),
    /// A refusal, by its code.
    Refusal(String),
}

#[derive(Default)]
struct Chain {
    chunks: Vec<(String, u64)>,
    closed: bool,
}

/// The records of a ledger, by request.
#[derive(Default)]
pub struct Records {
    by_request: HashMap<String, Vec<Record>>,
    chains: HashMap<String, Chain>,
    notices: HashMap<String, u64>,
    next: u64,
}

/// Whether an answer says that nothing could be recorded, and nothing else.
#[must_use]
pub fn is_unrecorded(got: &Got) -> bool {
    got.status == 503 && memmem::find(&got.body, br#""ledger_unavailable""#).is_some()
}

impl Records {
    /// Reads the entries from an index on.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn read(dir: &Path, storage: Arc<dyn Storage>, from: u64) -> Result<Self, String> {
        let mut records = Self { next: from, ..Self::default() };
        for entry in entries(dir, storage, None, from).map_err(|error| format!("cannot be read: {error}"))? {
            let entry = entry.map_err(|error| format!("cannot be read: {error}"))?;
            records.next = entry.index + 1;
            let Payload::Open(bytes) = entry.payload else { return Err("an entry does not open".to_owned()) };
            let entry = Entry::from_bytes(&bytes).map_err(|_| "an entry cannot be read".to_owned())?;
            records.take(entry.body);
        }
        Ok(records)
    }

    fn take(&mut self, body: EntryBody) {
        let (request, record) = match body {
            EntryBody::Release { request, sha256, bytes, .. } => (request, Record::Whole(sha256, bytes)),
            EntryBody::ReleaseOpen { request, release, .. } => (request, Record::Chain(release)),
            EntryBody::Refusal { request, code, .. } => (request, Record::Refusal(code)),
            EntryBody::ReleaseChunk { release, sha256, bytes, .. } => {
                return self.chains.entry(release).or_default().chunks.push((sha256, bytes));
            }
            EntryBody::ReleaseClose { release, .. } => {
                self.chains.entry(release).or_default().closed = true;
                return;
            }
            EntryBody::Notice { code, .. } => {
                *self.notices.entry(code).or_default() += 1;
                return;
            }
            EntryBody::Event { .. } | EntryBody::Evaluation { .. } => return,
        };
        if let Some(id) = request.and_then(|request| request.request_id) {
            self.by_request.entry(id).or_default().push(record);
        }
    }

    /// The index behind the last entry.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// How many requests have a record.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.by_request.len()
    }

    /// How many notices of a code there are.
    #[must_use]
    pub fn notices(&self, code: &str) -> u64 {
        self.notices.get(code).copied().unwrap_or(0)
    }

    /// Whether a request has a record.
    #[must_use]
    pub fn has(&self, request_id: &str) -> bool {
        self.by_request.contains_key(request_id)
    }

    /// Whether a whole answer is what a record says that was released or refused.
    ///
    /// # Errors
    /// It is not; in words without its content.
    pub fn cover(&self, got: &Got) -> Result<(), String> {
        if is_unrecorded(got) {
            return Ok(());
        }
        let Some(records) = self.by_request.get(&got.request_id) else {
            return Err(format!("an answer with status {} has no record", got.status));
        };
        let covers = |record: &Record| match record {
            Record::Whole(hash, bytes) if got.status == 200 => {
                *bytes == got.body.len() as u64 && *hash == sha256(&got.body)
            }
            Record::Chain(release) if got.status == 200 => {
                self.chains.get(release).is_some_and(|chain| chain.covers(&got.body))
            }
            Record::Refusal(code) if got.status != 200 => memmem::find(&got.body, code.as_bytes()).is_some(),
            Record::Whole(_, bytes) => got.status == 404 && *bytes == 0,
            _ => false,
        };
        if records.iter().any(covers) {
            return Ok(());
        }
        Err(format!("the record of an answer with status {} is of something else", got.status))
    }
}

impl Chain {
    fn covers(&self, body: &[u8]) -> bool {
        let mut rest = body;
        for (hash, bytes) in &self.chunks {
            let Some((chunk, behind)) = usize::try_from(*bytes).ok().and_then(|bytes| rest.split_at_checked(bytes))
            else {
                return false;
            };
            if sha256(chunk) != *hash {
                return false;
            }
            rest = behind;
        }
        self.closed && rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{Got, Records, sha256};
    use scruple_core::{Actor, Counts, EntryBody, RequestFacts};

    fn got(status: u16, id: &str, body: &[u8]) -> Got {
        Got { status, request_id: id.to_owned(), body: body.to_vec() }
    }

    fn facts(id: &str) -> Option<RequestFacts> {
        Some(RequestFacts {
            interaction: "read".to_owned(),
            resource_type: None,
            id: None,
            parameters: Vec::new(),
            request_id: Some(id.to_owned()),
            source: None,
            lacking: Vec::new(),
        })
    }

    #[test]
    fn an_answer_is_covered_by_its_own_bytes_alone() {
        let mut records = Records::default();
        let chunk = |number: u64, bytes: &[u8]| EntryBody::ReleaseChunk {
            release: "r".to_owned(),
            chunk: number,
            references: Vec::new(),
            patients: Vec::new(),
            relations: Vec::new(),
            kinds: Vec::new(),
            sha256: sha256(bytes),
            bytes: bytes.len() as u64,
        };
        let actor = Actor { subject: "a".to_owned(), role: String::new() };
        let refusal = EntryBody::Refusal { actor, purpose: None, code: "no_such".to_owned(), request: facts("2") };
        records.take(refusal);
        records.by_request.insert("1".to_owned(), vec![super::Record::Whole(sha256(b"one"), 3)]);
        records.by_request.insert("0".to_owned(), vec![super::Record::Whole(sha256(b""), 0)]);
        records.by_request.insert("3".to_owned(), vec![super::Record::Chain("r".to_owned())]);
        for (number, bytes) in [(0, b"on"), (1, b"e!")] {
            records.take(chunk(number, bytes));
        }
        assert!(records.cover(&got(200, "3", b"one!")).is_err(), "the chain is not closed");
        records.take(EntryBody::ReleaseClose {
            release: "r".to_owned(),
            chunks: 2,
            counts: Counts::default(),
            outcome: "complete".to_owned(),
        });
        for answer in [
            got(200, "1", b"one"),
            got(404, "0", b"nothing here"),
            got(400, "2", b"because no_such"),
            got(200, "3", b"one!"),
            got(503, "9", br#"{"code":"ledger_unavailable"}"#),
        ] {
            assert_eq!(records.cover(&answer), Ok(()), "{answer:?}");
        }
        for answer in [
            got(200, "1", b"two"),
            got(200, "0", b"one"),
            got(404, "1", b"nothing here"),
            got(400, "2", b"because of another"),
            got(200, "2", b"because no_such"),
            got(200, "3", b"one"),
            got(200, "3", b"one!!"),
            got(200, "9", b"one"),
            got(200, "", b""),
            got(503, "9", b"down"),
        ] {
            assert!(records.cover(&answer).is_err(), "{answer:?}");
        }
    }
}
