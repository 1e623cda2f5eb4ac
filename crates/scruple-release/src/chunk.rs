//! Chunks: some resources, projected, with the references that the record names.

use crate::summary::Summary;
use scruple_core::limits::{CHUNK_BYTES_MAX, CHUNK_RESOURCES_MAX};
use scruple_fhir::{Projector, Shown};

/// One resource, or one entry of a Bundle, as it was read.
#[derive(Clone)]
pub struct Item {
    /// Ordinal of the input, from 1.
    pub input: u64,
    /// Ordinal in it, from 1.
    pub item: u64,
    /// Its bytes, or why there are none.
    pub bytes: Result<Vec<u8>, scruple_fhir::Fault>,
    /// It is an entry of a Bundle.
    pub is_entry: bool,
}

/// Projected bytes with the references of the resources in them. It cannot leave: see `Released`.
#[derive(Clone, Default)]
pub struct Chunk {
    pub(crate) bytes: Vec<u8>,
    pub(crate) references: Vec<String>,
}

impl Chunk {
    /// Bytes that are part of a container and hold nothing of a record (`{"resourceType":"Bundle","entry":[`).
    pub(crate) fn frame(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), references: Vec::new() }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() >= CHUNK_BYTES_MAX || self.references.len() >= CHUNK_RESOURCES_MAX
    }
}

/// Projects items into chunks; `separator` goes behind each resource (a line end) or, if `between`, between them.
pub fn project(projector: &mut Projector<'_>, items: &[Item], separator: u8, between: bool) -> (Vec<Chunk>, Summary) {
    let mut chunks = Vec::new();
    let mut chunk = Chunk::default();
    let mut summary = Summary::default();
    for item in items {
        summary.read += 1;
        let before = chunk.bytes.len();
        if between && before > 0 {
            chunk.bytes.push(separator);
        }
        let result = match &item.bytes {
            Ok(bytes) if item.is_entry => projector.project_entry(bytes, &mut chunk.bytes),
            Ok(bytes) => projector.project(bytes, &mut chunk.bytes),
            Err(fault) => Err(scruple_fhir::Withheld::Malformed(scruple_fhir::MalformedAt(*fault))),
        };
        match result {
            Ok(shown) => {
                if !between {
                    chunk.bytes.push(separator);
                }
                count(&mut summary, &shown);
                chunk.references.push(reference(&shown));
                if chunk.bytes.len() > CHUNK_BYTES_MAX && before > 0 {
                    // The last resource made it too long: it begins the next one.
                    let tail = chunk.bytes.split_off(before);
                    let named = chunk.references.pop();
                    let begun = if between { tail.get(1..).unwrap_or_default().to_vec() } else { tail };
                    chunks.push(std::mem::replace(
                        &mut chunk,
                        Chunk { bytes: begun, references: named.into_iter().collect() },
                    ));
                } else if chunk.is_full() {
                    chunks.push(std::mem::take(&mut chunk));
                }
            }
            Err(withheld) => {
                chunk.bytes.truncate(before);
                summary.withhold(item.input, item.item, &withheld);
            }
        }
    }
    if !chunk.bytes.is_empty() {
        chunks.push(chunk);
    }
    (chunks, summary)
}

fn count(summary: &mut Summary, shown: &Shown) {
    summary.released += 1;
    summary.passed += u64::from(shown.passed);
    *summary.released_by_type.entry(shown.resource_type.to_owned()).or_default() += 1;
}

/// `Type/id`; what is no FHIR id is not written down.
fn reference(shown: &Shown) -> String {
    let is_id = |id: &&str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
    };
    format!("{}/{}", shown.resource_type, shown.id.as_deref().filter(is_id).unwrap_or("?"))
}
