//! What is looked at in the end: the ledger against the events and a checkpoint kept elsewhere, and every byte against canaries.

use crate::error::{Sound, broken, failed, same};
use crate::model::Seen;
use crate::node::{DIR, World};
use memchr::memmem;
use scruple_core::{Entry, EntryBody};
use scruple_ledger::{Payload, VerifyOptions, entries, verify};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// What stands in every text that is about somebody.
const CANARY: &[u8] = b"canary7f";

/// Whether each event is one entry, in order, and nothing of the past was changed. Answers how many entries there are.
pub(crate) fn ledger(world: &mut World, events: &[Seen]) -> Sound<u64> {
    // Then it stands still while it is read.
    world.ledger.integrate_now().map_err(failed("integrating"))?;
    let read = entries(Path::new(DIR), Arc::new(world.disk.clone()), None, 0).map_err(failed("reading the ledger"))?;
    let mut next: BTreeMap<u32, u64> = BTreeMap::new();
    let mut told = Vec::new();
    for entry in read {
        let entry = entry.map_err(failed("reading the ledger"))?;
        let (Some(origin), Payload::Open(bytes)) = (entry.origin, entry.payload) else {
            return broken("append-only", format!("entry {} does not open", entry.index));
        };
        let expected = next.entry(origin.shard).or_insert(1);
        same("one-entry", &format!("position of an entry of shard {}", origin.shard), &origin.seq, expected)?;
        *expected += 1;
        if memmem::find(&bytes, CANARY).is_some() {
            return broken("no-PHI-aside", format!("entry {} holds a canary", entry.index));
        }
        let entry = Entry::from_bytes(&bytes).map_err(failed("reading an entry"))?;
        let EntryBody::Event { event, aggregate, .. } = entry.body else {
            return broken("one-entry", format!("an entry of nothing that happened: {:?}", entry.body));
        };
        told.push((entry.at, event, aggregate));
    }
    let mut happened: Vec<_> = events.iter().map(|one| (one.at, one.kind.clone(), one.aggregate.clone())).collect();
    happened.sort();
    told.sort();
    if told != happened {
        return broken("one-entry", format!("{} events are {} entries", happened.len(), told.len()));
    }
    if world.outside.is_none() {
        world.keep_checkpoint()?;
    }
    let (checkpoint, vkey) = world.outside.clone().unzip();
    let options = VerifyOptions {
        storage: Arc::new(world.disk.clone()),
        vkey,
        outside_checkpoint: checkpoint,
        ..VerifyOptions::default()
    };
    let report = verify(Path::new(DIR), options).map_err(failed("verifying the ledger"))?;
    let found: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    same("append-only", "findings", &found, &Vec::new())?;
    Ok(report.entries)
}

/// Nothing that is about somebody stands anywhere in clear.
pub(crate) async fn canaries(world: &World) -> Sound<()> {
    for file in world.disk.files() {
        let mut holds = false;
        world.disk.tamper(&file, |bytes| holds = memmem::find(bytes, CANARY).is_some());
        same("no-PHI-aside", &format!("a canary in {}", file.display()), &holds, &false)?;
    }
    let places = crate::databases::texts(&world.address).await?;
    same("no-PHI-aside", "whether there is anything to look at", &places.is_empty(), &false)?;
    // As bytes are printed, too.
    let hex: String = CANARY.iter().map(|byte| format!("{byte:02x}")).collect();
    for (place, bytes) in places {
        let holds = [CANARY, hex.as_bytes()].into_iter().any(|canary| memmem::find(&bytes, canary).is_some());
        same("no-PHI-aside", &format!("a canary in {place}"), &holds, &false)?;
    }
    Ok(())
}
