//! Writing a hospital of any size in constant memory: NDJSON by type, and transaction Bundles by patient.

use crate::{Hospital, Resource};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Bytes gathered for one type before they go to its sink; bounds the memory of [`Hospital::write_ndjson`].
const CHUNK_BYTES: usize = 256 * 1024;

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Resources by type.
    pub resources: BTreeMap<&'static str, u64>,
    /// Bytes over all sinks.
    pub bytes: u64,
}

struct Lines<W> {
    sink: W,
    buffer: Vec<u8>,
}

impl<W: Write> Lines<W> {
    fn flush(&mut self) -> io::Result<()> {
        self.sink.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl Hospital {
    /// Writes one resource a line into the sink of its type, the directory first. `open` is called once per type, when
    /// its first resource comes; it may return a file, a compressor, or a buffer.
    ///
    /// # Errors
    /// What `open` or a sink returns.
    pub fn write_ndjson<W: Write>(&self, mut open: impl FnMut(&'static str) -> io::Result<W>) -> io::Result<Totals> {
        let mut sinks: BTreeMap<&'static str, Lines<W>> = BTreeMap::new();
        let mut totals = Totals::default();
        let mut put = |resource: &Resource| -> io::Result<()> {
            let lines = match sinks.entry(resource.kind()) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(Lines { sink: open(resource.kind())?, buffer: Vec::new() })
                }
            };
            let before = lines.buffer.len();
            resource.write(&mut lines.buffer);
            lines.buffer.push(b'\n');
            totals.bytes += (lines.buffer.len() - before) as u64;
            *totals.resources.entry(resource.kind()).or_default() += 1;
            if lines.buffer.len() >= CHUNK_BYTES { lines.flush() } else { Ok(()) }
        };
        self.directory().iter().try_for_each(&mut put)?;
        for record in self.records() {
            record.resources.iter().try_for_each(&mut put)?;
        }
        for lines in sinks.values_mut() {
            lines.flush()?;
            lines.sink.flush()?;
        }
        Ok(totals)
    }

    /// Writes transaction Bundles of PUTs: `directory`, then one per patient named by its id, each into what `open`
    /// returns for its name and dropped before the next. Load them in this order.
    ///
    /// # Errors
    /// What `open` or a sink returns.
    pub fn write_bundles<W: Write>(&self, mut open: impl FnMut(&str) -> io::Result<W>) -> io::Result<Totals> {
        let mut totals = Totals::default();
        let mut bundle = |name: &str, resources: &[Resource]| -> io::Result<()> {
            let mut out = Vec::with_capacity(64 * 1024);
            out.extend_from_slice(br#"{"resourceType":"Bundle","type":"transaction","entry":["#);
            for (place, resource) in resources.iter().enumerate() {
                let url = format!("{}/{}", resource.kind(), resource.id());
                if place > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(
                    format!(r#"{{"fullUrl":"https://saguaro-valley.example/fhir/{url}","resource":"#).as_bytes(),
                );
                resource.write(&mut out);
                out.extend_from_slice(format!(r#","request":{{"method":"PUT","url":"{url}"}}}}"#).as_bytes());
                *totals.resources.entry(resource.kind()).or_default() += 1;
            }
            out.extend_from_slice(b"]}\n");
            totals.bytes += out.len() as u64;
            let mut sink = open(name)?;
            sink.write_all(&out)?;
            sink.flush()
        };
        bundle("directory", &self.directory())?;
        for record in self.records() {
            bundle(&record.patient_id, &record.resources)?;
        }
        Ok(totals)
    }
}
