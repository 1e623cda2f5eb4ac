//! [`Exchange`].

use scruple_fhir::search::Dialect;
use scruple_release::{Fetched, Upstream, UpstreamFuture, UpstreamQuery};
use std::sync::{Arc, PoisonError, RwLock};

/// An upstream that can be exchanged while the gateway runs.
pub struct Exchange(RwLock<Arc<dyn Upstream>>);

impl Exchange {
    /// With a first one.
    #[must_use]
    pub fn new(upstream: Arc<dyn Upstream>) -> Self {
        Self(RwLock::new(upstream))
    }

    /// Puts another in its place. Calls under way end where they began.
    pub fn put(&self, upstream: Arc<dyn Upstream>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = upstream;
    }

    fn now(&self) -> Arc<dyn Upstream> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Upstream for Exchange {
    fn read<'a>(&'a self, resource_type: &'a str, id: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        let upstream = self.now();
        Box::pin(async move { upstream.read(resource_type, id).await })
    }

    fn version<'a>(
        &'a self,
        resource_type: &'a str,
        id: &'a str,
        version: &'a str,
    ) -> UpstreamFuture<'a, Option<Fetched>> {
        let upstream = self.now();
        Box::pin(async move { upstream.version(resource_type, id, version).await })
    }

    fn history<'a>(&'a self, resource_type: &'a str, id: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        let upstream = self.now();
        Box::pin(async move { upstream.history(resource_type, id).await })
    }

    fn search<'a>(&'a self, query: &'a UpstreamQuery) -> UpstreamFuture<'a, Fetched> {
        let upstream = self.now();
        Box::pin(async move { upstream.search(query).await })
    }

    fn page<'a>(&'a self, link: &'a str) -> UpstreamFuture<'a, Fetched> {
        let upstream = self.now();
        Box::pin(async move { upstream.page(link).await })
    }

    fn dialect(&self) -> Dialect {
        self.now().dialect()
    }
}
