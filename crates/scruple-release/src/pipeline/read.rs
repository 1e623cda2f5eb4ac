//! Read: one resource, or the same nothing for what is missing, deleted and hidden.

use super::sight::{Candidate, Sight};
use super::{Answer, Leaving, Pipeline, Request, RequestRng, Stop};
use crate::upstream::UpstreamError;
use scruple_fhir::{TypeId, bundle, dictionary};

impl Pipeline {
    /// Answers `GET /[type]/[id]`. `known`: the ETags of what the caller has of it, as `If-None-Match` lists them.
    pub async fn read(
        &self,
        request: Request<'_>,
        resource_type: TypeId,
        id: &str,
        known: Option<&str>,
        rng: &mut RequestRng,
    ) -> Answer {
        let answered = self.try_read(&request, resource_type, id, known, rng).await;
        self.ended(request, answered).await
    }

    async fn try_read(
        &self,
        request: &Request<'_>,
        resource_type: TypeId,
        id: &str,
        known: Option<&str>,
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
                        let etag = self.etag(&bytes);
                        let leaving = Leaving::new(bytes.len(), format!("{kind}/{id}"), visible);
                        let outgoing = sight.outgoing(bytes, vec![leaving]);
                        let released = self.release(request, &sight, outgoing, rng).await?;
                        return Ok(if known.is_some_and(|known| lists(known, &etag)) {
                            Answer::Unchanged(released.without_bytes(), etag)
                        } else {
                            Answer::Read(released, etag)
                        });
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

    /// The ETag of an answer: it depends on what shows alone.
    fn etag(&self, bytes: &[u8]) -> String {
        let hash = self.token.token("etag", &String::from_utf8_lossy(bytes));
        format!("W/\"{}\"", hash.get(..ETAG_DIGITS).unwrap_or(&hash))
    }
}

/// Hexadecimal digits of an ETag.
const ETAG_DIGITS: usize = 32;

/// Whether a list of ETags (RFC 9110, 13.1.2) has one, compared weakly; `*` has every.
fn lists(list: &str, etag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    list.trim() == "*" || list.split(',').any(|tag| opaque(tag) == opaque(etag))
}

#[cfg(test)]
mod tests {
    use super::lists;

    #[test]
    fn an_etag_is_found_in_a_list_whatever_its_strength() {
        let check = |list: &str, expected: bool| assert_eq!(lists(list, "W/\"ab\""), expected, "{list}");
        check("W/\"ab\"", true);
        check("\"ab\"", true);
        check("\"x\", W/\"ab\"", true);
        check("*", true);
        check(" * ", true);
        check("ab", false);
        check("W/\"abc\"", false);
        check("", false);
    }
}
