//! [`Behind`]: the FHIR servers that a gateway is tried before.

use scruple_connect::{Base, EMBEDDED_BASE, EmbeddedUpstream, HttpUpstream, Options};
use scruple_core::{FixedClock, Timestamp};
use scruple_fhir::search::Dialect;
use scruple_hospital::upstream::{self, Server};
use scruple_release::{Fetched, HISTORY_PAGE_COUNT, Upstream, UpstreamError, UpstreamFuture, UpstreamQuery};
use scruple_testkit::interfere::{Misbehaviour, Pairs, RawServer, Store, Version};
use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Milliseconds for a call to a server that others wrote.
const CALL_MS: u64 = 30_000;
/// Stores on such a server at one time: three systems on each thread have one.
const STORES: u64 = 64;

/// What stands behind the gateway.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Behind {
    /// A plain server.
    Raw,
    /// A server that does what it can to give too much.
    Unruly,
    /// The embedded server.
    Embedded,
    /// Medplum's router, `http://127.0.0.1:PORT` (`upstreams/medplum`).
    Medplum(String),
    /// Helios, `http://127.0.0.1:PORT` (`upstreams/helios`).
    Helios(String),
}

impl fmt::Display for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "a plain server",
            Self::Unruly => "an unruly server",
            Self::Embedded => "the embedded server",
            Self::Medplum(_) => "Medplum",
            Self::Helios(_) => "Helios",
        })
    }
}

impl Behind {
    /// Medplum, if `SCRUPLE_TEST_MEDPLUM` names one; `cargo xtask test` starts one.
    #[must_use]
    pub fn medplum() -> Option<Self> {
        named_by("SCRUPLE_TEST_MEDPLUM").map(Self::Medplum)
    }

    /// Helios, if `SCRUPLE_TEST_HELIOS` names one; `cargo xtask test --upstream helios` starts one.
    #[must_use]
    pub fn helios() -> Option<Self> {
        named_by("SCRUPLE_TEST_HELIOS").map(Self::Helios)
    }

    /// Every server there is.
    #[must_use]
    pub fn all() -> Vec<Self> {
        [Self::Raw, Self::Unruly, Self::Embedded].into_iter().chain(Self::of_others()).collect()
    }

    /// The servers that others wrote, as far as they are named.
    #[must_use]
    pub fn of_others() -> Vec<Self> {
        Self::medplum().into_iter().chain(Self::helios()).collect()
    }

    /// The server over a store, at this present. One that others wrote gets the current resources alone, and nothing of
    /// their past.
    ///
    /// # Errors
    /// A server that others wrote is not there, or takes no store.
    pub fn upstream(&self, store: &Store, now: Timestamp) -> io::Result<Arc<dyn Upstream>> {
        let raw = RawServer::new(store.clone());
        Ok(match self {
            Self::Raw => Arc::new(Raw(raw)),
            Self::Unruly => Arc::new(Raw(raw.misbehaving(Misbehaviour {
                ignores_criteria: true,
                adds_entries: true,
                oldest_first: true,
                short_pages: true,
            }))),
            Self::Embedded => {
                let server = Server::from_versions(versions(store), EMBEDDED_BASE);
                Arc::new(EmbeddedUpstream::new(server, Arc::new(FixedClock::new(now))))
            }
            // How far their searches are relied on: upstreams/README.md.
            Self::Medplum(server) | Self::Helios(server) => loaded(server, Dialect::Plain, store)?,
        })
    }

    /// Where it listens, if it is a server that others wrote.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        match self {
            Self::Medplum(server) | Self::Helios(server) => Some(server),
            Self::Raw | Self::Unruly | Self::Embedded => None,
        }
    }

    /// The pairs that it can be asked over: a server that mends what it is given gets what needs no mending, and one that is
    /// given no past gets none, so that who reads histories there finds each resource's one version.
    #[must_use]
    pub fn takes(&self, pairs: Pairs) -> Pairs {
        if self.address().is_some() { pairs.well_formed().without_past() } else { pairs }
    }
}

/// The test kit's raw server as an upstream.
pub struct Raw(pub RawServer);

impl Upstream for Raw {
    fn read<'a>(&'a self, resource_type: &'a str, id: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        Box::pin(std::future::ready(Ok(self.0.read(resource_type, id).map(Fetched::from))))
    }

    fn version<'a>(
        &'a self,
        resource_type: &'a str,
        id: &'a str,
        version: &'a str,
    ) -> UpstreamFuture<'a, Option<Fetched>> {
        Box::pin(std::future::ready(Ok(self.0.version(resource_type, id, version).map(Fetched::from))))
    }

    fn history<'a>(&'a self, resource_type: &'a str, id: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        let parameters = [("_count".to_owned(), HISTORY_PAGE_COUNT.to_string())];
        Box::pin(std::future::ready(Ok(self.0.history(resource_type, id, &parameters).map(Fetched::from))))
    }

    fn search<'a>(&'a self, query: &'a UpstreamQuery) -> UpstreamFuture<'a, Fetched> {
        Box::pin(std::future::ready(Ok(self.0.search(&query.resource_type, &query.parameters).into())))
    }

    fn page<'a>(&'a self, link: &'a str) -> UpstreamFuture<'a, Fetched> {
        Box::pin(std::future::ready(self.0.page(link).map(Fetched::from).ok_or(UpstreamError::ForeignLink)))
    }
}

/// All versions of all resources, as the embedded server takes them.
fn versions(store: &Store) -> impl Iterator<Item = (String, String, upstream::Version)> {
    let current = store.iter().map(|stored| (stored.resource_type.as_str(), stored.id.as_str()));
    current.chain(store.deleted()).flat_map(|(resource_type, id)| {
        store.versions(resource_type, id).into_iter().map(move |version| {
            let version = match version {
                Version::Stored(stored) => upstream::Version::Resource(stored.bytes.clone()),
                Version::Deleted { version, at } => upstream::Version::Deleted { version, at },
            };
            (resource_type.to_owned(), id.to_owned(), version)
        })
    })
}

/// The server whose base a variable holds.
fn named_by(variable: &str) -> Option<String> {
    let base = std::env::var(variable).ok().filter(|base| !base.is_empty())?;
    Some(base.trim_end_matches("/fhir/R4").to_owned())
}

fn loaded(server: &str, dialect: Dialect, store: &Store) -> io::Result<Arc<dyn Upstream>> {
    let base = put_store(server, store)?;
    let mut options = Options::new(Base::parse(&base).map_err(io::Error::other)?);
    (options.call_ms, options.dialect) = (CALL_MS, dialect);
    Ok(Arc::new(HttpUpstream::new(&options).map_err(io::Error::other)?))
}

/// Makes a store of its own on a server, holding this and nothing else; the base of it.
pub(crate) fn put_store(server: &str, store: &Store) -> io::Result<String> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let name = format!("pairs-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst) % STORES);
    let mut lines = Vec::new();
    for stored in store.iter() {
        lines.extend_from_slice(&stored.bytes);
        lines.push(b'\n');
    }
    let host = server.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host)?;
    let length = lines.len();
    let head = format!(
        "PUT /{name} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/fhir+ndjson\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(&lines)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if !answer.starts_with("HTTP/1.1 2") {
        return Err(io::Error::other(format!("{server} takes no store: {answer}")));
    }
    Ok(format!("{server}/{name}/fhir/R4"))
}
