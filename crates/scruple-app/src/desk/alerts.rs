//! What happens more often than the house expects is told to the privacy office, in the transaction that passes the limit.

use super::{Desk, DeskError};
use crate::message::{Told, tell};
use crate::record::Record;
use scruple_core::{Timestamp, new_id};
use scruple_flow::{AccessRequest, Alert, AlertOf, counted_since, is_raised};
use scruple_store::{Tx, count_for_alert, insert_alert, last_alert};

impl Desk<'_> {
    /// Counts a request that was just stored: of who asks, and for its role.
    pub(super) async fn watch_request(
        &mut self,
        tx: &mut Tx,
        request: &AccessRequest,
        at: Timestamp,
    ) -> Result<Vec<Record>, DeskError> {
        let limit = self.rules.desk().requests_per_30_days;
        let mut records = Vec::new();
        for of in
            [AlertOf::RequestsOfPerson(request.requested_by), AlertOf::RequestsForRole(request.wanted.role.clone())]
        {
            records.extend(self.watch(tx, of, limit, at).await?);
        }
        Ok(records)
    }

    /// Raises an alert if something has passed its limit and nobody was told of late.
    pub(super) async fn watch(
        &mut self,
        tx: &mut Tx,
        of: AlertOf,
        limit: i64,
        at: Timestamp,
    ) -> Result<Option<Record>, DeskError> {
        let count = count_for_alert(tx, &of, counted_since(at)).await?;
        if count <= limit || !is_raised(count, limit, last_alert(tx, &of).await?, at) {
            return Ok(None);
        }
        let alert = Alert { id: new_id(at, self.rng), of, count, limit, raised_at: at };
        insert_alert(tx, &alert).await?;
        let told = match alert.of {
            AlertOf::RequestsOfPerson(_) | AlertOf::RequestsForRole(_) => Told::RequestsOften(alert.id),
            AlertOf::EmergenciesOfPerson(_) => Told::EmergenciesOften(alert.id),
        };
        tell(tx, self.rng, told, at, at).await?;
        Ok(Some(Record::alert(&alert)))
    }
}
