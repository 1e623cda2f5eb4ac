//! What a request has opened, and how that was ended before its time.

use scruple_core::Id;
use scruple_flow::{AccessRequest, Elevation, Grant, RequestState, Revocation};
use scruple_store::{StoreError, Tx, find_grant, list_elevations_of_request};

/// What a request has opened: its role, or the record of each of its patients; nothing, before it is approved.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Opened {
    /// The role that it was for.
    pub role: Option<Grant>,
    /// The records of its patients.
    pub charts: Vec<Elevation>,
}

impl Opened {
    /// How many rights it has opened.
    #[must_use]
    pub fn count(&self) -> usize {
        self.charts.len().saturating_add(usize::from(self.role.is_some()))
    }

    /// Each end before its time, the first one first.
    #[must_use]
    pub fn ends(&self) -> Vec<Revocation> {
        let role = self.role.iter().filter_map(|one| Some((one.revoked?, one.held.window)));
        let charts = self.charts.iter().filter_map(|one| Some((one.ended?, one.held.window)));
        // What is ended when it is over ends nothing.
        let early = role.chain(charts).filter(|(end, window)| end.at < window.ends_at());
        let mut ends: Vec<Revocation> = early.map(|(end, _)| end).collect();
        ends.sort_by_key(|end| end.at);
        ends
    }

    /// The last of these ends, where nothing is left.
    #[must_use]
    pub fn ended(&self) -> Option<Revocation> {
        let ends = self.ends();
        ends.last().copied().filter(|_| ends.len() == self.count())
    }
}

/// What a request has opened.
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn opened_by(tx: &mut Tx, request: &AccessRequest) -> Result<Opened, StoreError> {
    if !matches!(request.state, RequestState::Approved { .. }) {
        return Ok(Opened::default());
    }
    if request.wanted.patients.is_empty() {
        // What was asked for is granted under the id of the request.
        let role = find_grant(tx, Id::from_uuid(request.id.uuid())).await?;
        return Ok(Opened { role, charts: Vec::new() });
    }
    Ok(Opened { role: None, charts: list_elevations_of_request(tx, request.id).await? })
}
