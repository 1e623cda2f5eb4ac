//! Read: one resource, or the same nothing for what is missing, deleted and hidden.

use super::resolve::{Eye, Known};
use super::{Answer, Outgoing, Pipeline, Request, RequestRng, Stop};
use crate::upstream::{Fetched, UpstreamError};
use scruple_core::Counts;
use scruple_fhir::{TypeId, bundle, dictionary};
use std::collections::BTreeMap;

impl Pipeline {
    /// Answers `GET /[type]/[id]`.
    pub async fn read(&self, request: Request<'_>, resource_type: TypeId, id: &str, rng: &mut RequestRng) -> Answer {
        match self.try_read(&request, resource_type, id, rng).await {
            Ok(answer) => answer,
            Err(stop) => self.stopped(request, stop).await,
        }
    }

    async fn try_read(
        &self,
        request: &Request<'_>,
        resource_type: TypeId,
        id: &str,
        rng: &mut RequestRng,
    ) -> Result<Answer, Stop> {
        let decided = self.decide(request, resource_type)?;
        let kind = dictionary().get(resource_type).name;
        let withheld =
            |read: u64, reason: &str| Counts { read, released: 0, withheld: BTreeMap::from([(reason.to_owned(), 1)]) };
        let Fetched { bytes, share } = match self.upstream.read(kind, id).await {
            // What depends on this one record looks as if there were none: too large, or kept even from us.
            Ok(None) | Err(UpstreamError::Credential(403)) => {
                return self.nothing(request, &decided, withheld(0, "absent"), rng).await;
            }
            Err(UpstreamError::TooLarge { .. }) => {
                return self.nothing(request, &decided, withheld(1, "too_large"), rng).await;
            }
            Ok(Some(fetched)) => fetched,
            Err(error) => return Err(error.into()),
        };
        let plain = bundle::plain(&bytes);
        if bundle::identity(&plain) != Some((resource_type, id)) {
            return self.nothing(request, &decided, withheld(1, "malformed"), rng).await;
        }
        let eye = Eye { decided: &decided, token: &self.token, now: request.now };
        let mut projected = match eye.project(&plain, None) {
            Ok(projected) => projected,
            Err(reason) => return self.nothing(request, &decided, withheld(1, reason.code()), rng).await,
        };
        if !projected.asked.is_empty() {
            let mut known = Known::new();
            self.resolve(&eye, std::mem::take(&mut projected.asked), &mut known).await?;
            projected = match eye.project(&plain, Some(&known)) {
                Ok(projected) => projected,
                Err(reason) => return self.nothing(request, &decided, withheld(1, reason.code()), rng).await,
            };
        }
        let end = projected.bytes.len();
        let outgoing = Outgoing {
            resources: vec![(end, format!("{kind}/{id}"), bundle::patients(&plain))],
            bytes: projected.bytes,
            counts: Counts { read: 1, released: 1, withheld: BTreeMap::new() },
            shares: vec![share],
        };
        Ok(Answer::Released(self.release(request, &decided, outgoing, rng).await?))
    }
}
