//! Connected systems: what each really grants is read, compared with what is held here, and where it should not be, removed. A removal
//! is asked for, tried until it is seen, and confirmed by a whole reading that began afterwards; a reading that failed says nothing.

mod decide;
mod judge;
mod reach;
mod read;
mod work;

pub use decide::SystemOrder;
pub use reach::SystemsReach;
pub use work::{Connectors, SystemTimes, SystemsWork};

use super::{Directory, DirectoryError};
use crate::record::Record;
use scruple_core::{Id, Timestamp};
use scruple_flow::connected::{ConnectedSystem, Drift, DriftEnd, DriftState};
use scruple_store::{Aggregate, Person, Subjects, Tx, update_drift};
use serde_json::{Value, json};

/// What has become of drift, with all that proves it: ids, codes and instants.
fn drift_record(drift: &Drift, version: i64, kind: &'static str, by: Option<Id<Person>>, at: Timestamp) -> Record {
    let mut body = json!({
        "drift": drift.id.to_string(),
        "system": drift.system.to_string(),
        "kind": drift.kind.code(),
        "cause": drift.cause.code(),
        "person": drift.person.map(|person| person.to_string()),
        "right": drift.right.map(|right| right.to_string()),
        "opened_at": drift.opened_at.micros(),
        "state": drift.state.code(),
        "by": by.map(|by| by.to_string()),
    });
    let mut tell = |name: &str, value: Value| {
        if let Value::Object(fields) = &mut body {
            fields.insert(name.to_owned(), value);
        }
    };
    if let Some(removal) = drift.removal() {
        tell("asked_by", json!(removal.by.map(|by| by.to_string())));
        tell("asked_at", json!(removal.at.micros()));
        tell("attempts", json!(removal.attempts));
        tell("tried_at", json!(removal.tried_at.map(Timestamp::micros)));
        tell("next_at", json!(removal.next_at.micros()));
        tell("failure", json!(removal.failure.map(|failure| failure.code())));
    }
    match &drift.state {
        DriftState::Open | DriftState::Asked(_) => {}
        DriftState::Excepted { reason, until, .. } => {
            tell("reason", json!(reason.expose()));
            tell("until", json!(until.micros()));
        }
        // The evidence of a removal: the whole reading that began then did not have it.
        DriftState::Confirmed { read_at, .. } => tell("read_at", json!(read_at.micros())),
        DriftState::Closed { end, .. } => tell("end", json!(DriftEnd::code(*end))),
    }
    // Nobody's access here changes by what another system does.
    Record::new((Aggregate::new("drift", drift.id), version), kind, at, Subjects::none(), &body)
}

fn system_record(system: &ConnectedSystem, version: i64, kind: &'static str, by: Id<Person>, at: Timestamp) -> Record {
    let body = json!({
        "system": system.id.to_string(),
        "code": system.code.as_str(),
        "kind": system.kind.code(),
        "owner": system.owner.to_string(),
        "removes_drift": system.removes_drift,
        "wanted_at": system.wanted_at.map(Timestamp::micros),
        "by": by.to_string(),
    });
    Record::new((Aggregate::new("connected_system", system.id), version), kind, at, Subjects::none(), &body)
}

impl Directory<'_> {
    /// Drift comes to a state, with its event, in the transaction that is given; answers with the drift as it is now.
    async fn put_drift(
        &mut self,
        tx: &mut Tx,
        drift: Drift,
        (kind, by): (&'static str, Option<Id<Person>>),
        at: Timestamp,
    ) -> Result<(Drift, Record), DirectoryError> {
        update_drift(tx, &drift).await?;
        let version = drift.version.saturating_add(1);
        let record = drift_record(&drift, version, kind, by, at);
        Ok((Drift { version, ..drift }, record))
    }
}
