//! Resources that are looked up by their ids, in batches.

use super::{BTreeMap, BTreeSet, Pipeline, Share, Sight, Stop, Target};
use crate::upstream::{self, UpstreamError, UpstreamQuery};
use futures_util::future::try_join_all;
use scruple_fhir::{bundle, dictionary};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// Pages of one batch of look-ups.
const BATCH_PAGES_MAX: usize = 200;
/// Ids of one batch.
const BATCH_IDS_MAX: usize = 50;
/// Bytes of the ids of one batch, commas included: servers bound the values of parameters.
const BATCH_BYTES_MAX: usize = 500;
/// Look-ups under way at one time.
const LOOKS_AT_ONCE: usize = 8;

/// What a look-up gave.
#[derive(Clone)]
pub(super) enum Raw {
    /// There is none.
    Absent,
    /// There is one that cannot be read, or can be: the server does not say.
    Unreadable,
    /// Its bytes.
    Here(Arc<Vec<u8>>),
}

impl Raw {
    pub fn here(&self) -> Option<Arc<Vec<u8>>> {
        if let Self::Here(bytes) = self { Some(Arc::clone(bytes)) } else { None }
    }
}

impl Sight<'_> {
    /// Fetches what was not looked up yet, in batches. One id as well as many: what a server reads and what it finds can
    /// differ, and an answer must not depend on how many neighbours its references have.
    pub(super) async fn fetch(&mut self, wanted: &BTreeSet<Target>) -> Result<(), Stop> {
        let mut by_type: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for target in wanted.iter().filter(|target| !self.raw.contains_key(*target)) {
            by_type.entry(&target.0).or_default().push(&target.1);
        }
        let asked: Vec<(&str, &[&str])> =
            by_type.iter().flat_map(|(kind, ids)| batches(ids).into_iter().map(move |ids| (*kind, ids))).collect();
        for asked in asked.chunks(LOOKS_AT_ONCE) {
            let looks = asked.iter().map(|(kind, ids)| self.pipeline.by_ids(kind, ids));
            for (found, shares) in try_join_all(looks).await? {
                self.looked_at.extend(shares);
                self.raw.extend(found);
            }
        }
        Ok(())
    }
}

/// What was looked up, and the shares of the answers.
type LookedUp = (Vec<(Target, Raw)>, Vec<Share>);

impl Pipeline {
    /// The resources of these ids. What the server will not search, or keeps from us, counts as there and unreadable: only the
    /// state of the system ends a request. It is asked for without its neighbours, of which nothing may follow from it.
    async fn by_ids(&self, kind: &str, ids: &[&str]) -> Result<LookedUp, Stop> {
        match self.try_by_ids(kind, ids).await {
            Ok(Some(found)) => Ok(found),
            Ok(None) => self.by_halves(kind, ids).await,
            Err(error) if error.is_of_the_record() && ids.len() > 1 => self.by_halves(kind, ids).await,
            Err(error) if error.is_of_the_record() => {
                let unreadable = ids.iter().map(|id| ((kind.to_owned(), (*id).to_owned()), Raw::Unreadable));
                Ok((unreadable.collect(), Vec::new()))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn by_halves(&self, kind: &str, ids: &[&str]) -> Result<LookedUp, Stop> {
        let (first, second) = ids.split_at(ids.len() / 2);
        let (mut found, mut shares) = Box::pin(self.by_ids(kind, first)).await?;
        let (more, others) = Box::pin(self.by_ids(kind, second)).await?;
        found.extend(more);
        shares.extend(others);
        Ok((found, shares))
    }

    /// None: something is there that does not tell which of several it is.
    async fn try_by_ids(&self, kind: &str, ids: &[&str]) -> Result<Option<LookedUp>, UpstreamError> {
        let (mut found, mut shares) = (HashMap::new(), Vec::new());
        let mut unnamed = false;
        let parameters = vec![("_id".to_owned(), ids.join(",")), ("_count".to_owned(), ids.len().to_string())];
        let query = UpstreamQuery { resource_type: kind.to_owned(), parameters };
        let mut fetched = self.upstream.search(&query).await?;
        // A server may give fewer on a page than were asked for, or more than was asked for.
        for _ in 0..BATCH_PAGES_MAX {
            shares.push(std::mem::take(&mut fetched.share));
            let plain = bundle::plain(&fetched);
            let page = upstream::page(&plain)?;
            for bytes in page.resources {
                match bundle::identity(bytes) {
                    Some((of, id)) if dictionary().get(of).name == kind && ids.contains(&id) => {
                        let target = (kind.to_owned(), id.to_owned());
                        found.entry(target).or_insert_with(|| Raw::Here(Arc::new(bytes.to_vec())));
                    }
                    Some(_) => {}
                    // It may be one of those that were asked for.
                    None => {
                        let other = bundle::resource_type(bytes).is_some_and(|of| dictionary().get(of).name != kind);
                        unnamed |= !other;
                    }
                }
            }
            if unnamed && ids.len() > 1 {
                return Ok(None);
            }
            let Some(next) = page.next.map(Cow::into_owned) else {
                for id in ids {
                    let missing = if unnamed { Raw::Unreadable } else { Raw::Absent };
                    found.entry((kind.to_owned(), (*id).to_owned())).or_insert(missing);
                }
                return Ok(Some((found.into_iter().collect(), shares)));
            };
            fetched = self.upstream.page(&next).await?;
        }
        Err(UpstreamError::Malformed("pages without an end"))
    }
}

/// Ids in batches, none too long for one parameter of a query.
pub(in crate::pipeline) fn batches<T: AsRef<str>>(ids: &[T]) -> Vec<&[T]> {
    let mut batches = Vec::new();
    let mut rest = ids;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = rest.iter().take(BATCH_IDS_MAX).take_while(|id| {
            bytes += id.as_ref().len() + 1;
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
