//! The same options give the same bytes, and the two writers tell the same.

use crate::{AS_OF, hospital};
use scruple_hospital::Hospital;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::rc::Rc;

type Files = BTreeMap<String, Vec<u8>>;

/// Named sinks in memory that outlive their writers, and the largest single write.
#[derive(Clone, Default)]
struct Shelf(Rc<RefCell<(Files, usize)>>);

struct Slot(Shelf, String);

impl Write for Slot {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (files, largest) = &mut *self.0.0.borrow_mut();
        files.entry(self.1.clone()).or_default().extend_from_slice(bytes);
        *largest = bytes.len().max(*largest);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn ndjson(hospital: &Hospital) -> (Files, usize) {
    let shelf = Shelf::default();
    hospital.write_ndjson(|kind| Ok(Slot(shelf.clone(), kind.to_owned()))).unwrap();
    Rc::try_unwrap(shelf.0).ok().unwrap().into_inner()
}

fn fnv(files: &Files) -> u64 {
    let bytes = files.iter().flat_map(|(name, bytes)| name.bytes().chain(bytes.iter().copied()));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Changes only with a change of what is generated: then set the new number, and say so in the commit.
#[test]
fn the_bytes_are_the_same_on_every_machine() {
    let (files, _) = ndjson(&hospital(30, 7, AS_OF, true));
    assert_eq!(format!("{:016x}", fnv(&files)), "f58f287895d21481");
}

#[test]
fn another_seed_gives_other_people_and_the_same_showcase() {
    let (one, other) = (hospital(3, 1, AS_OF, false), hospital(3, 2, AS_OF, false));
    assert_eq!(one.record(0).resources, other.record(0).resources);
    assert_ne!(one.record(1).resources, other.record(1).resources);
}

#[test]
fn a_record_depends_on_seed_and_index_alone() {
    let (small, large) = (hospital(40, 7, AS_OF, false), hospital(90, 7, AS_OF, false));
    let all: Vec<_> = large.records().collect();
    assert_eq!(all.len(), 90);
    for (index, record) in small.records().enumerate() {
        assert_eq!(record.resources, all[index].resources, "{index}");
    }
    // Out of order, as parallel workers ask.
    assert_eq!(small.record(77).resources, all[77].resources);
}

#[test]
fn bundles_hold_what_the_lines_hold() {
    let hospital = hospital(30, 7, AS_OF, true);
    let (lines, _) = ndjson(&hospital);
    let mut from_lines: BTreeMap<String, Value> = BTreeMap::new();
    for (kind, bytes) in &lines {
        for line in String::from_utf8(bytes.clone()).unwrap().lines() {
            let resource: Value = serde_json::from_str(line).unwrap();
            assert_eq!(resource["resourceType"], kind.as_str());
            let id = format!("{kind}/{}", resource["id"].as_str().unwrap());
            assert!(from_lines.insert(id.clone(), resource).is_none(), "{id} twice");
        }
    }
    let shelf = Shelf::default();
    let totals = hospital.write_bundles(|name| Ok(Slot(shelf.clone(), name.to_owned()))).unwrap();
    let (bundles, _) = Rc::try_unwrap(shelf.0).ok().unwrap().into_inner();
    assert_eq!(bundles.len(), 32, "the directory, 30 patients, the canary patient");
    assert_eq!(totals.bytes, bundles.values().map(|bytes| bytes.len() as u64).sum::<u64>());
    let mut seen = 0;
    for bytes in bundles.values() {
        let bundle: Value = serde_json::from_slice(bytes).unwrap();
        for entry in bundle["entry"].as_array().unwrap() {
            assert_eq!(entry["request"]["method"], "PUT");
            assert_eq!(entry["resource"], from_lines[entry["request"]["url"].as_str().unwrap()]);
            seen += 1;
        }
    }
    assert_eq!(seen, from_lines.len());
    assert_eq!(seen as u64, totals.resources.values().sum::<u64>());
}

#[test]
fn the_writer_holds_no_more_than_a_chunk_of_each_type() {
    let (files, largest) = ndjson(&hospital(400, 7, AS_OF, false));
    assert!(files["Observation"].len() > 2 * 1024 * 1024, "large enough to be written in chunks");
    assert!(largest < 512 * 1024, "{largest}");
}
