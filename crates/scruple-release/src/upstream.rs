//! The FHIR server behind us, as a trait: what the pipeline asks of it, and what it may answer.
//!
//! Bytes come back as the server sent them. Nothing of them may leave but through a projection, an error's text least of all.

use scruple_fhir::bundle;
use scruple_fhir::search::Dialect;
use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::pin::Pin;

/// What an upstream call returns.
pub type UpstreamFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, UpstreamError>> + Send + 'a>>;

/// The bytes of an answer, and their share of the memory that answers may take at one time.
pub struct Fetched {
    /// JSON.
    pub bytes: Vec<u8>,
    /// To be kept as long as anything that was made of the bytes.
    pub share: Share,
}

impl Deref for Fetched {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl PartialEq for Fetched {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fetched({} bytes)", self.bytes.len())
    }
}

impl From<Vec<u8>> for Fetched {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, share: Share::default() }
    }
}

/// Takes a page of a search apart, after [`bundle::plain`].
///
/// # Errors
/// It is none.
pub fn page(plain: &[u8]) -> Result<bundle::Page<'_>, UpstreamError> {
    bundle::page(plain).map_err(|_| UpstreamError::Malformed("no page of a search"))
}

/// Takes a page of a history apart, after [`bundle::plain`].
///
/// # Errors
/// It is none.
pub fn history_page(plain: &[u8]) -> Result<bundle::HistoryPage<'_>, UpstreamError> {
    bundle::history(plain).map_err(|_| UpstreamError::Malformed("no page of a history"))
}

/// A share of something limited, given back when this is dropped.
#[derive(Default)]
pub struct Share(Option<Box<dyn Any + Send + Sync>>);

impl Share {
    /// What is dropped with it.
    #[must_use]
    pub fn of(held: impl Any + Send + Sync) -> Self {
        Self(Some(Box::new(held)))
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Share(held)" } else { "Share(none)" })
    }
}

/// Versions that are asked for on a page of a history.
pub const HISTORY_PAGE_COUNT: usize = 200;

/// A FHIR R4 server that can be read and searched, and whose versions can be read where it keeps any.
pub trait Upstream: Send + Sync {
    /// The resource of this type and id, as JSON. `None`: there is none (404, 410).
    fn read<'a>(&'a self, resource_type: &'a str, id: &'a str) -> UpstreamFuture<'a, Option<Fetched>>;

    /// The first page of a search: a `searchset` Bundle, as JSON. It goes by POST `_search` where the server can, so that its
    /// logs hold no query.
    fn search<'a>(&'a self, query: &'a UpstreamQuery) -> UpstreamFuture<'a, Fetched>;

    /// The page that a `next` link of an earlier page names. A link that leaves the server's base is
    /// [`UpstreamError::ForeignLink`].
    fn page<'a>(&'a self, link: &'a str) -> UpstreamFuture<'a, Fetched>;

    /// That version of the resource, as JSON. `None`: there is none, or in it the resource was deleted (404, 410). A server
    /// without versions is [`UpstreamError::Status`].
    fn version<'a>(
        &'a self,
        resource_type: &'a str,
        id: &'a str,
        version: &'a str,
    ) -> UpstreamFuture<'a, Option<Fetched>>;

    /// The first page of the history of the resource, of [`HISTORY_PAGE_COUNT`] versions: a `history` Bundle, as JSON. Further
    /// ones by [`Self::page`]. `None`: there never was one (404, 410). A server without histories is [`UpstreamError::Status`].
    fn history<'a>(&'a self, resource_type: &'a str, id: &'a str) -> UpstreamFuture<'a, Option<Fetched>>;

    /// How far its search is relied on.
    fn dialect(&self) -> Dialect {
        Dialect::Standard
    }
}

/// A search as it goes upstream.
#[derive(Clone, PartialEq, Eq)]
pub struct UpstreamQuery {
    /// The resource type.
    pub resource_type: String,
    /// Names and values, decoded, in the order in which they are sent.
    pub parameters: Vec<(String, String)>,
}

/// Why there is no answer to be used. None holds a byte of one.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// It cannot be reached, or ended the connection.
    #[error("upstream cannot be reached")]
    Unreachable,
    /// It did not answer in time.
    #[error("upstream did not answer within {limit_ms} ms")]
    Timeout {
        /// The limit.
        limit_ms: u64,
    },
    /// It answered with a status that is no answer.
    #[error("upstream answered with status {0}")]
    Status(u16),
    /// It does not know us any more.
    #[error("upstream refuses our credential with status {0}")]
    Credential(u16),
    /// Not JSON by its content type (XML, HTML, none).
    #[error("upstream answered with something that is not FHIR JSON")]
    NotJson,
    /// More bytes than are taken.
    #[error("upstream's answer is over {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// Answers to others take all the memory that answers may take.
    #[error("there is no room for the answer now")]
    NoRoom,
    /// Not what was asked for: no Bundle, another type or id, malformed.
    #[error("upstream's answer is not what was asked for: {0}")]
    Malformed(&'static str),
    /// A `next` link that leaves the server's base.
    #[error("upstream's next link leaves its base")]
    ForeignLink,
}

impl UpstreamError {
    /// Whether it is about the record that was asked for, and not about the state of the server: it refuses, or gives what
    /// cannot be taken.
    #[must_use]
    pub const fn is_of_the_record(&self) -> bool {
        match self {
            Self::Status(status) => matches!(status, 400 | 404 | 405 | 410 | 422 | 501),
            Self::Credential(status) => *status == 403,
            Self::TooLarge { .. } => true,
            _ => false,
        }
    }

    /// The stable code of the reason.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable => "upstream_unreachable",
            Self::Timeout { .. } => "upstream_timeout",
            Self::Status(_) => "upstream_status",
            Self::Credential(_) => "upstream_credential",
            Self::NotJson => "upstream_not_json",
            Self::TooLarge { .. } => "upstream_too_large",
            Self::NoRoom => "overloaded",
            Self::Malformed(_) => "upstream_malformed",
            Self::ForeignLink => "upstream_foreign_link",
        }
    }
}
