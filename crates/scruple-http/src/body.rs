//! Bodies: a request's, bounded in bytes and time; an answer's, with what the listener counts.

use crate::meter::InFlight;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Why there is no body to be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// It has more bytes than are taken, by its declared length or by what came.
    #[error("the body is over {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// It did not come in time.
    #[error("the body did not arrive within {limit_ms} ms")]
    Timeout {
        /// The limit.
        limit_ms: u64,
    },
    /// The client left, or broke the protocol.
    #[error("the body broke off")]
    Broken,
}

impl BodyError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "body_too_large",
            Self::Timeout { .. } => "body_timeout",
            Self::Broken => "body_broken",
        }
    }
}

/// Reads a whole body of at most `bytes_max` bytes within `timeout_ms`. A body in one frame is not copied.
///
/// # Errors
/// It is too large (told before a byte is read where its length is declared), too slow, or broken.
pub async fn read_body<B>(body: B, bytes_max: usize, timeout_ms: u64) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let declared = body.size_hint().lower();
    if usize::try_from(declared).map_or(true, |bytes| bytes > bytes_max) {
        return Err(BodyError::TooLarge { limit: bytes_max });
    }
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    tokio::time::timeout(Duration::from_millis(timeout_ms), collect(body, bytes_max))
        .await
        .unwrap_or(Err(BodyError::Timeout { limit_ms: timeout_ms }))
}

async fn collect<B>(mut body: B, bytes_max: usize) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // Trailers say nothing that is used.
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        if first.len().max(whole.len()).saturating_add(data.len()) > bytes_max {
            return Err(BodyError::TooLarge { limit: bytes_max });
        }
        if first.is_empty() && whole.is_empty() {
            first = data;
        } else {
            if whole.is_empty() {
                whole.extend_from_slice(&first);
                first = Bytes::new();
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

/// The body of an answer: the service's or the listener's own. While it lives, its request is in flight.
#[derive(Debug)]
pub struct Reply<B> {
    body: Inner<B>,
    _request: InFlight,
}

#[derive(Debug)]
enum Inner<B> {
    Service(B),
    Own(Option<Bytes>),
}

impl<B> Reply<B> {
    pub(crate) const fn service(body: B, request: InFlight) -> Self {
        Self { body: Inner::Service(body), _request: request }
    }

    pub(crate) fn own(body: Bytes, request: InFlight) -> Self {
        Self { body: Inner::Own(Some(body).filter(|bytes| !bytes.is_empty())), _request: request }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Reply<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match &mut self.get_mut().body {
            Inner::Service(body) => Pin::new(body).poll_frame(cx),
            Inner::Own(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Inner::Service(body) => body.is_end_stream(),
            Inner::Own(bytes) => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Inner::Service(body) => body.size_hint(),
            Inner::Own(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;

    #[test]
    fn a_declared_length_over_the_limit_is_refused_unread() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let check = |len: usize| {
            runtime.block_on(read_body(Full::new(Bytes::from(vec![b'x'; len])), 10, 1_000)).map(|body| body.len())
        };
        assert_eq!(check(0), Ok(0));
        assert_eq!(check(10), Ok(10));
        assert_eq!(check(11), Err(BodyError::TooLarge { limit: 10 }));
    }
}
