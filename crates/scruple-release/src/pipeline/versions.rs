//! Versions (docs/view.md, 5): for callers who see times of change, and of resources that show now.

use super::collection::Collection;
use super::sight::{Beside, Candidate, Side, Sight, Visible, of_many, spend};
use super::{Answer, Leaving, Outgoing, Pipeline, Request, RequestRng, Stop};
use crate::outcome::No;
use crate::upstream::{Fetched, UpstreamError};
use scruple_fhir::search::without_meta;
use scruple_fhir::{TypeId, bundle, dictionary};
use std::borrow::Cow;
use std::collections::HashSet;

impl Pipeline {
    /// Answers `GET /[type]/[id]/_history/[version]`.
    pub async fn version(
        &self,
        request: Request<'_>,
        resource_type: TypeId,
        id: &str,
        version: &str,
        rng: &mut RequestRng,
    ) -> Answer {
        let answered = self.try_version(&request, resource_type, id, version, rng).await;
        self.ended(request, answered).await
    }

    /// Answers `GET /[type]/[id]/_history`.
    pub async fn history(&self, request: Request<'_>, resource_type: TypeId, id: &str, rng: &mut RequestRng) -> Answer {
        let answered = self.try_history(&request, resource_type, id, rng).await;
        self.ended(request, answered).await
    }

    async fn try_version(
        &self,
        request: &Request<'_>,
        resource_type: TypeId,
        id: &str,
        version: &str,
        rng: &mut RequestRng,
    ) -> Result<Answer, Stop> {
        let mut sight = Sight::new(self, request.asked, request.now)?;
        sight.permits_type(resource_type)?;
        sight.permits_versions()?;
        let kind = dictionary().get(resource_type).name;
        let Some(beside) = self.current(&mut sight, resource_type, id).await? else {
            return self.nothing(request, &sight, rng).await;
        };
        let Some(fetched) = usable(self.upstream.version(kind, id, version).await)? else {
            return self.nothing(request, &sight, rng).await;
        };
        let plain = bundle::plain(&fetched.bytes);
        let shown = sight.versions(resource_type, id, beside, &[&plain]).await?.into_iter().next();
        let Some((name, visible)) = shown else { return self.nothing(request, &sight, rng).await };
        let bytes = visible.bytes.clone();
        let leaving = Leaving::new(bytes.len(), name, visible);
        sight.shares.push(fetched.share);
        let outgoing = sight.outgoing(bytes, vec![leaving]);
        Ok(Answer::Released(self.release(request, &sight, outgoing, rng).await?))
    }

    /// What the resource as it is now says of its versions; none if it does not show.
    async fn current(&self, sight: &mut Sight<'_>, kind: TypeId, id: &str) -> Result<Option<Beside>, Stop> {
        let Some(fetched) = usable(self.upstream.read(dictionary().get(kind).name, id).await)? else {
            sight.look_for_nobody(kind, id).await?;
            return Ok(None);
        };
        sight.shares.push(fetched.share);
        let plain = bundle::plain(&fetched.bytes);
        if bundle::identity(&plain) != Some((kind, id)) {
            return Ok(None);
        }
        let candidate = Candidate { kind, id, bytes: &plain };
        if sight.visible(&[candidate]).await?.pop().flatten().is_none() {
            return Ok(None);
        }
        let beside = sight.beside(&candidate).await?;
        Ok(Some(beside).filter(|beside| sight.sees_changes(beside.side)))
    }

    async fn try_history(
        &self,
        request: &Request<'_>,
        resource_type: TypeId,
        id: &str,
        rng: &mut RequestRng,
    ) -> Result<Answer, Stop> {
        let mut sight = Sight::new(self, request.asked, request.now)?;
        sight.permits_type(resource_type)?;
        sight.permits_versions()?;
        let kind = dictionary().get(resource_type).name;
        let Some(beside) = self.current(&mut sight, resource_type, id).await? else {
            return self.nothing(request, &sight, rng).await;
        };
        let pages = self.pages(&mut sight, kind, id).await?;
        let plain: Vec<Cow<'_, [u8]>> = pages.iter().map(|page| bundle::plain(page)).collect();
        let mut versions = Vec::new();
        for page in &plain {
            let page = bundle::history(page).map_err(|_| UpstreamError::Malformed("no page of a history"))?;
            versions.extend(page.versions.into_iter().filter_map(|version| match version {
                bundle::Version::Resource(bytes) => Some(bytes),
                bundle::Version::Deleted => None,
            }));
        }
        let mut shown: Vec<(String, Visible)> = Vec::new();
        for (name, visible) in sight.versions(resource_type, id, beside, &versions).await? {
            // Newest first: one that says what the next older one says is left out, for what was changed does not show.
            if shown.last().is_some_and(|(_, newer)| without_meta(&newer.bytes) == without_meta(&visible.bytes)) {
                shown.pop();
            }
            shown.push((name, visible));
        }
        if shown.is_empty() {
            return self.nothing(request, &sight, rng).await;
        }
        let own = format!("{}/{kind}/{id}/_history", self.base);
        let mut set = Collection::new(&self.base, "history", Some(shown.len() as u64), &[("self", own)]);
        for (name, visible) in shown {
            let how = format!(r#""request":{{"method":"PUT","url":"{kind}/{id}"}},"response":{{"status":"200"}}"#);
            set.add_version(kind, id, name, visible, &how);
        }
        let counts = std::mem::take(&mut sight.counts);
        let outgoing = Outgoing { shares: std::mem::take(&mut sight.shares), ..set.finish(counts) };
        Ok(Answer::Released(self.release(request, &sight, outgoing, rng).await?))
    }

    /// All pages of a history.
    async fn pages(&self, sight: &mut Sight<'_>, kind: &str, id: &str) -> Result<Vec<Vec<u8>>, Stop> {
        let mut pages = Vec::new();
        let mut links = HashSet::new();
        let mut fetched = match self.upstream.history(kind, id).await {
            Err(UpstreamError::Credential(403)) => None,
            fetched => fetched.map_err(of_many)?,
        };
        while let Some(Fetched { bytes, share }) = fetched.take() {
            sight.shares.push(share);
            let plain = bundle::plain(&bytes);
            let page = bundle::history(&plain).map_err(|_| UpstreamError::Malformed("no page of a history"))?;
            spend(&mut sight.spent, page.versions.len(), plain.len())?;
            if let Some(next) = page.next.map(Cow::into_owned) {
                if !links.insert(next.clone()) {
                    return Err(UpstreamError::Malformed("pages in a circle").into());
                }
                fetched = Some(self.upstream.page(&next).await.map_err(of_many)?);
            }
            pages.push(bytes);
        }
        Ok(pages)
    }
}

/// What depends on one record looks as if there were none.
pub(super) fn usable(fetched: Result<Option<Fetched>, UpstreamError>) -> Result<Option<Fetched>, Stop> {
    match fetched {
        Ok(fetched) => Ok(fetched),
        Err(UpstreamError::Credential(403) | UpstreamError::TooLarge { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Sight<'_> {
    /// Refuses versions to those who do not see times of change.
    fn permits_versions(&self) -> Result<(), Stop> {
        if self.sees_changes(Side::Near) {
            return Ok(());
        }
        let words = "Your role does not see versions and times of change, so that it has no history.";
        Err(No::new(403, "history_not_permitted", words).into())
    }

    /// What shows of versions of a resource, each with its name: `Type/id/_history/version`.
    async fn versions(
        &mut self,
        kind: TypeId,
        id: &str,
        beside: Beside,
        versions: &[&[u8]],
    ) -> Result<Vec<(String, Visible)>, Stop> {
        let own = versions.iter().filter(|bytes| bundle::identity(bytes) == Some((kind, id)));
        let candidates: Vec<Candidate<'_>> = own.map(|bytes| Candidate { kind, id, bytes }).collect();
        let visible = self.visible_beside(&candidates, beside).await?;
        let name = |bytes: &[u8]| {
            let version = bundle::version(bytes).unwrap_or("?");
            format!("{}/{id}/_history/{version}", dictionary().get(kind).name)
        };
        Ok(candidates.iter().zip(visible).filter_map(|(one, visible)| Some((name(one.bytes), visible?))).collect())
    }
}
