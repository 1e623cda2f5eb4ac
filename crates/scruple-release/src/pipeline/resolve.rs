//! Which targets of references show: asked of the upstream now, in batches, never remembered from request to request.

use super::{Pipeline, Stop};
use crate::decided::Decided;
use crate::upstream::{self, UpstreamError, UpstreamQuery};
use futures_util::future::try_join_all;
use scruple_core::Timestamp;
use scruple_fhir::{Projector, Surroundings, Withheld, bundle, dictionary};
use scruple_seal::TokenKey;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

/// Pages of one batch.
const PAGES_MAX: usize = 200;
/// Ids of one batch.
const BATCH_IDS_MAX: usize = 50;
/// Bytes of the ids of one batch, commas included: servers bound the values of parameters.
const BATCH_BYTES_MAX: usize = 500;

/// A resource that a reference names.
pub(super) type Target = (String, String);

/// Targets that were asked for, and whether they show.
pub(super) type Known = HashMap<Target, bool>;

/// What a projector asks while one request is served. Without `known` every target shows, and is noted.
pub(super) struct Around<'a> {
    token: &'a TokenKey,
    today: (i16, u8, u8),
    known: Option<&'a Known>,
    asked: Mutex<BTreeSet<Target>>,
}

impl Surroundings for Around<'_> {
    fn shows(&self, resource_type: &str, id: &str) -> Option<bool> {
        let target = (resource_type.to_owned(), id.to_owned());
        match self.known {
            Some(known) => Some(known.get(&target).copied().unwrap_or(false)),
            None => {
                self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(target);
                Some(true)
            }
        }
    }

    // A server holds nothing under such a name.
    fn shows_urn(&self, _: &str) -> Option<bool> {
        Some(false)
    }

    fn token(&self, kind: &str, value: &str) -> String {
        self.token.token(kind, value)
    }

    fn today(&self) -> (i16, u8, u8) {
        self.today
    }
}

/// What a projection gave.
pub(super) struct Projected {
    pub bytes: Vec<u8>,
    /// Targets on which it depends.
    pub asked: BTreeSet<Target>,
}

/// Projects resources of one request.
pub(super) struct Eye<'a> {
    pub decided: &'a Decided,
    pub token: &'a TokenKey,
    pub now: Timestamp,
}

impl Eye<'_> {
    /// What shows of a resource: with `known` targets, or as if all of them showed.
    pub fn project(&self, bytes: &[u8], known: Option<&Known>) -> Result<Projected, Withheld> {
        let around = Around { token: self.token, today: self.now.civil_date(), known, asked: Mutex::default() };
        let mut out = Vec::with_capacity(bytes.len() + 256);
        let mut projector = Projector::resume(&self.decided.projection, &around, self.decided.take_memory());
        let shown = projector.project(bytes, &mut out);
        self.decided.keep_memory(projector.into_memory());
        let asked = around.asked.into_inner().unwrap_or_else(PoisonError::into_inner);
        shown.map(|_| Projected { bytes: out, asked })
    }
}

impl Pipeline {
    /// Finds out whether the targets show that are not known yet.
    pub(super) async fn resolve(&self, eye: &Eye<'_>, asked: BTreeSet<Target>, known: &mut Known) -> Result<(), Stop> {
        let mut by_type: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for target in asked {
            if !known.contains_key(&target) {
                by_type.entry(target.0).or_default().push(target.1);
            }
        }
        let batches = by_type.iter().flat_map(|(kind, ids)| batches(ids).into_iter().map(move |ids| (kind, ids)));
        let found = try_join_all(batches.map(|(kind, ids)| self.visible(eye, kind, ids))).await?;
        let found: BTreeSet<Target> = found.into_iter().flatten().collect();
        for target in by_type.into_iter().flat_map(|(kind, ids)| ids.into_iter().map(move |id| (kind.clone(), id))) {
            let shows = found.contains(&target);
            known.insert(target, shows);
        }
        Ok(())
    }

    /// Which of these resources show.
    async fn visible(&self, eye: &Eye<'_>, kind: &str, ids: &[String]) -> Result<BTreeSet<Target>, Stop> {
        let mut visible = BTreeSet::new();
        let mut look = |bytes: &[u8]| {
            if let Some((found, id)) = bundle::identity(bytes)
                && dictionary().get(found).name == kind
                && ids.iter().any(|wanted| wanted == id)
                && eye.project(bytes, None).is_ok()
            {
                visible.insert((kind.to_owned(), id.to_owned()));
            }
        };
        // One id as well as many: what a server reads and what it finds can differ, and an answer must not depend on how many
        // neighbours its references have.
        let parameters = vec![("_id".to_owned(), ids.join(",")), ("_count".to_owned(), ids.len().to_string())];
        let query = UpstreamQuery { resource_type: kind.to_owned(), parameters };
        let mut fetched = self.upstream.search(&query).await?;
        // A server may give fewer on a page than were asked for, or more than was asked for.
        for _ in 0..PAGES_MAX {
            let plain = bundle::plain(&fetched);
            let page = upstream::page(&plain)?;
            page.resources.iter().for_each(|resource| look(resource));
            let Some(next) = page.next.map(Cow::into_owned) else { return Ok(visible) };
            fetched = self.upstream.page(&next).await?;
        }
        Err(UpstreamError::Malformed("pages without an end").into())
    }
}

/// Ids in batches, none too long for one parameter of a query.
fn batches(ids: &[String]) -> Vec<&[String]> {
    let mut batches = Vec::new();
    let mut rest = ids;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = rest.iter().take(BATCH_IDS_MAX).take_while(|id| {
            bytes += id.len() + 1;
            bytes <= BATCH_BYTES_MAX
        });
        let (batch, more) = rest.split_at(fits.count().max(1));
        batches.push(batch);
        rest = more;
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::{BATCH_BYTES_MAX, BATCH_IDS_MAX, batches};

    #[test]
    fn a_batch_of_ids_fits_one_parameter() {
        for length in [1, 8, 36, 64] {
            let ids: Vec<String> = (0..250).map(|number| format!("{number:0length$}")).collect();
            let batches = batches(&ids);
            assert_eq!(batches.concat(), ids);
            for batch in batches {
                assert!(batch.len() <= BATCH_IDS_MAX && batch.join(",").len() <= BATCH_BYTES_MAX);
            }
        }
    }
}
