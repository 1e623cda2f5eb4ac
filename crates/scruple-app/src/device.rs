//! What the management of devices tells: each message once, each change with its event, and the sessions on a device that fails end
//! with it.

use crate::access::device_id;
use crate::record::Record;
use rand_core::Rng;
use scruple_core::{Clock, Timestamp, new_id};
use scruple_flow::{DeviceFacts, DevicePosture, DeviceStanding, DeviceStatus, DeviceTold};
use scruple_identity::signal::{DeviceSignal, SIGNAL_DAYS_MAX, Signal};
use scruple_store::{
    Position, ShardLease, Store, StoreError, Tx, end_sessions_on, find_device, insert_device, take_signal,
    update_device,
};

const DAY_MICROS: i64 = 24 * 3_600_000_000;
/// Why a session ended.
const REASON: &str = "device_not_in_order";

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// It was taken before, or tells nothing new.
    Nothing,
    /// Something has changed; the last event of it.
    Changed(Position),
}

/// What the use case of one message needs.
pub struct DeviceDesk<'a> {
    /// The state.
    pub store: &'a Store,
    /// The shard that is written on.
    pub lease: &'a ShardLease,
    /// The present.
    pub clock: &'a dyn Clock,
    /// Ids are drawn from it.
    pub rng: &'a mut (dyn Rng + Send),
}

impl DeviceDesk<'_> {
    /// Takes a message that was verified. One that was taken before changes nothing, whatever it says.
    ///
    /// # Errors
    /// The database failed, or somebody else was first: nothing is taken, and the message may come again.
    pub async fn take(&mut self, signal: &Signal) -> Result<Told, StoreError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        // One day more than a token may be old: what is forgotten is not taken again.
        let forget_before = at.plus_micros(-(SIGNAL_DAYS_MAX + 1) * DAY_MICROS);
        if !take_signal(&mut tx, signal.hash, at, forget_before).await? {
            return Ok(Told::Nothing);
        }
        let mut records = Vec::new();
        for device in &signal.devices {
            tell(&mut tx, device, at, &mut records).await?;
        }
        if records.is_empty() {
            // What tells nothing new tells nothing new when it comes again.
            return Ok(Told::Nothing);
        }
        let mut events = Vec::with_capacity(records.len());
        for record in &records {
            events.push(record.event(new_id(at, self.rng)));
        }
        let positions = tx.commit(self.lease, &events).await?;
        positions.last().copied().map(Told::Changed).ok_or(StoreError::NoEvent)
    }
}

async fn tell(tx: &mut Tx, signal: &DeviceSignal, at: Timestamp, records: &mut Vec<Record>) -> Result<(), StoreError> {
    let id = device_id(&signal.device);
    let fact = |name: &str| signal.facts.get(name).copied();
    let told = DeviceTold {
        status: match signal.compliant {
            None => DeviceStatus::Unstated,
            Some(true) => DeviceStatus::Compliant,
            Some(false) => DeviceStatus::NotCompliant,
        },
        facts: DeviceFacts {
            managed: fact("managed"),
            disk_encrypted: fact("disk_encrypted"),
            os_patched: fact("os_patched"),
            screen_lock: fact("screen_lock"),
        },
        at: signal.at,
    };
    let device = match find_device(tx, id).await? {
        None => {
            let device = DevicePosture::first(id, told);
            insert_device(tx, &device).await?;
            device
        }
        Some(known) => {
            // Something newer is known.
            let Ok(device) = known.told(told) else { return Ok(()) };
            update_device(tx, &device).await?;
            device
        }
    };
    records.push(Record::device_told(&device, &signal.device, at));
    if device.standing(|_| true) == DeviceStanding::Failing {
        for (session, person) in end_sessions_on(tx, id, REASON, at).await? {
            records.push(Record::session_ended_by_device(session, person, REASON, at));
        }
    }
    Ok(())
}
