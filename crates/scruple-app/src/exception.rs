//! Evidence of one exception, to be taken away: all that is known of a request, with links by which whoever has the ledger finds and checks
//! each of its events (JX-03).

use crate::drain::entry_of;
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::{AccessRequest, Elevation, Grant, RequestState};
use scruple_store::{
    Aggregate, Event, Store, StoreError, Tx, find_grant, find_request, history, list_elevations_of_request,
};

/// Where an event stands in the ledger, and what it must be there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventLink {
    /// What happened.
    pub kind: String,
    /// To what.
    pub aggregate: String,
    /// Its version after it.
    pub version: i64,
    /// When.
    pub at: Timestamp,
    /// The origin that the ledger's entry names: shard and place in it.
    pub origin: (i64, i64),
    /// The entry as this build writes it: its bytes, which are hashed for whoever takes it along.
    pub entry: Option<Vec<u8>>,
    /// The facts of the event.
    pub facts: Phi<Vec<u8>>,
}

/// A request with what it opened and every event of both.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exception {
    /// The request.
    pub request: AccessRequest,
    /// The role that it gave.
    pub grant: Option<Grant>,
    /// The records that it opened.
    pub opened: Vec<Elevation>,
    /// The events, in the order of their positions.
    pub events: Vec<EventLink>,
}

fn link(event: &Event) -> EventLink {
    EventLink {
        kind: event.kind.clone(),
        aggregate: event.aggregate.to_string(),
        version: event.version,
        at: event.at,
        origin: (event.position.shard.0, event.position.seq),
        entry: entry_of(event).to_bytes().ok(),
        facts: event.body.clone(),
    }
}

async fn events(tx: &mut Tx, aggregate: Aggregate, into: &mut Vec<EventLink>) -> Result<(), StoreError> {
    into.extend(history(tx, &aggregate, 0).await?.iter().map(link));
    Ok(())
}

/// All that is known of a request; none where there is no such thing.
///
/// # Errors
/// The database failed.
pub async fn exception(store: &Store, id: Id<AccessRequest>) -> Result<Option<Exception>, StoreError> {
    let mut tx = store.begin_read().await?;
    let Some(request) = find_request(&mut tx, id).await? else { return Ok(None) };
    let mut all = Vec::new();
    events(&mut tx, Aggregate::new("access_request", id), &mut all).await?;
    // What was asked for is granted under the id of the request.
    let grant = match request.state {
        RequestState::Approved { .. } => find_grant(&mut tx, Id::from_uuid(id.uuid())).await?,
        _ => None,
    };
    if let Some(grant) = &grant {
        events(&mut tx, Aggregate::new("grant", grant.held.id), &mut all).await?;
    }
    let opened = list_elevations_of_request(&mut tx, id).await?;
    for elevation in &opened {
        events(&mut tx, Aggregate::new("elevation", elevation.held.id), &mut all).await?;
    }
    events(&mut tx, Aggregate::new("message", id), &mut all).await?;
    all.sort_by_key(|link| link.origin);
    Ok(Some(Exception { request, grant, opened, events: all }))
}
