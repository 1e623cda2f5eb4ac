//! Read: one resource, or the same nothing for what is missing, deleted and hidden.

use super::sight::{Candidate, Sight};
use super::{Answer, Leaving, Outgoing, Pipeline, Request, RequestRng, Stop};
use crate::upstream::UpstreamError;
use scruple_fhir::{TypeId, bundle, dictionary};

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
        let mut sight = Sight::new(self, request.asked, request.now)?;
        sight.permits_type(resource_type)?;
        let kind = dictionary().get(resource_type).name;
        let mut withheld = "absent";
        match self.upstream.read(kind, id).await {
            Ok(Some(fetched)) => {
                sight.shares.push(fetched.share);
                let plain = bundle::plain(&fetched.bytes);
                if bundle::identity(&plain) == Some((resource_type, id)) {
                    let candidate = Candidate { kind: resource_type, id, bytes: &plain };
                    if let Some(visible) = sight.visible(&[candidate]).await?.pop().flatten() {
                        let bytes = visible.bytes.clone();
                        let leaving = Leaving::new(bytes.len(), format!("{kind}/{id}"), visible);
                        sight.counts.released = 1;
                        let outgoing = Outgoing {
                            bytes,
                            resources: vec![leaving],
                            counts: std::mem::take(&mut sight.counts),
                            shares: std::mem::take(&mut sight.shares),
                        };
                        return Ok(Answer::Released(self.release(request, &sight, outgoing, rng).await?));
                    }
                    return self.nothing(request, &sight, rng).await;
                }
                sight.counts.read = 1;
                withheld = "malformed";
            }
            // What depends on this one record looks as if there were none: too large, or kept even from us.
            Err(UpstreamError::TooLarge { .. }) => {
                sight.counts.read = 1;
                withheld = "too_large";
            }
            Ok(None) | Err(UpstreamError::Credential(403)) => {}
            Err(error) => return Err(error.into()),
        }
        *sight.counts.withheld.entry(withheld.to_owned()).or_default() += 1;
        // The same is asked of the upstream whether or not there is such a record.
        sight.look_for_nobody(resource_type, id).await?;
        self.nothing(request, &sight, rng).await
    }
}
