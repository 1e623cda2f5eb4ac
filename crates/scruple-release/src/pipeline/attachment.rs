//! A Binary, through the Attachment that names it (docs/view.md, 8).

use super::sight::{Candidate, Link, Sight, Visible};
use super::versions::usable;
use super::{Answer, Leaving, Pipeline, Request, RequestRng, Stop};
use scruple_fhir::{about, bundle, dictionary};
use serde::Deserialize;

impl Pipeline {
    /// Answers `GET /Binary/[id]?of=[type]/[id]&seal=[seal]`, and with the nothing of what is not there a Binary without a link.
    pub async fn attachment(
        &self,
        request: Request<'_>,
        id: &str,
        link: Option<Link<'_>>,
        rng: &mut RequestRng,
    ) -> Answer {
        let answered = self.try_attachment(&request, id, link, rng).await;
        self.ended(request, answered).await
    }

    async fn try_attachment(
        &self,
        request: &Request<'_>,
        id: &str,
        link: Option<Link<'_>>,
        rng: &mut RequestRng,
    ) -> Result<Answer, Stop> {
        let mut sight = Sight::new(self, request.asked, request.now)?;
        let Some(link) = link.filter(|link| sight.is_own(*link, id)) else {
            return self.nothing(request, &sight, rng).await;
        };
        match self.behind(&mut sight, id, link).await? {
            Some((bytes, visible)) => {
                let leaving = Leaving::new(bytes.len(), format!("Binary/{id}"), visible);
                let outgoing = sight.outgoing(bytes, vec![leaving]);
                Ok(Answer::Released(self.release(request, &sight, outgoing, rng).await?))
            }
            None => self.nothing(request, &sight, rng).await,
        }
    }

    /// What shows of the Binary: if the resource around the link shows it, now.
    async fn behind(
        &self,
        sight: &mut Sight<'_>,
        id: &str,
        link: Link<'_>,
    ) -> Result<Option<(Vec<u8>, Visible)>, Stop> {
        let holder = link.of.split_once('/').and_then(|(kind, id)| Some((dictionary().resource(kind)?, kind, id)));
        let (Some((kind, name, holder_id)), Some(binary)) = (holder, dictionary().resource("Binary")) else {
            return Ok(None);
        };
        let Some(fetched) = usable(self.upstream.read(name, holder_id).await)? else { return Ok(None) };
        let plain = bundle::plain(&fetched.bytes);
        if bundle::identity(&plain) != Some((kind, holder_id)) {
            return Ok(None);
        }
        let holder = Candidate { kind, id: holder_id, bytes: &plain };
        let Some(visible) = sight.visible(&[holder]).await?.pop().flatten() else { return Ok(None) };
        let address = format!("\"url\":\"{}\"", sight.link(link.of, id));
        if memchr::memmem::find(&visible.bytes, address.as_bytes()).is_none() {
            return Ok(None);
        }
        let beside = sight.beside(&holder).await?;
        let Some(fetched) = usable(self.upstream.read("Binary", id).await)? else { return Ok(None) };
        let plain = bundle::plain(&fetched.bytes);
        if bundle::identity(&plain) != Some((binary, id)) {
            return Ok(None);
        }
        if !in_context(sight, &plain).await? {
            return Ok(None);
        }
        let shown = sight.part(&Candidate { kind: binary, id, bytes: &plain }, beside).await?;
        sight.shares.push(fetched.share);
        Ok(shown.map(|bytes| (bytes, visible)))
    }
}

/// What a Binary says of whom it is for: nothing, or another resource that is to be shown to whoever is shown this one.
#[derive(Deserialize)]
struct Context {
    #[serde(rename = "securityContext", default)]
    security_context: Option<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    reference: Option<String>,
}

/// Whether the resource that a Binary names as its `securityContext` shows, if it names one.
async fn in_context(sight: &mut Sight<'_>, bytes: &[u8]) -> Result<bool, Stop> {
    let Ok(context) = serde_json::from_slice::<Context>(bytes) else { return Ok(false) };
    let Some(reference) = context.security_context else { return Ok(true) };
    match reference.reference.as_deref().and_then(about::named) {
        Some((kind, id)) => sight.shows((kind.to_owned(), id.to_owned())).await,
        None => Ok(false),
    }
}
