//! Around each call of the service: limits of the head, the limit of time, panics.

use crate::answers::Refusal;
use crate::body::Reply;
use crate::limits::Limits;
use crate::meter::{InFlight, Meter};
use crate::panics::catch;
use crate::server::Shared;
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::service::Service;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// One request: the service's answer, or that of the owner's [`Answers`](crate::Answers).
pub async fn handle<S, B>(
    shared: Arc<Shared<S>>,
    meter: Arc<Meter>,
    mut request: Request<Incoming>,
) -> Result<Response<Reply<B>>, Infallible>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
    B: Body<Data = Bytes> + Unpin,
{
    let in_flight = InFlight::begin(meter, request.version());
    shared.counters.requests.fetch_add(1, Ordering::Relaxed);
    let id = shared.ids.as_ref().map(|ids| ids.next());
    if let Some(id) = id {
        request.extensions_mut().insert(id);
    }
    let refusal = match head_refusal(&request, &shared.limits) {
        Some(refusal) => refusal,
        None => {
            let call = catch(|| shared.service.call(request));
            match tokio::time::timeout(shared.limits.request(), call).await {
                Ok(Ok(Ok(response))) => return Ok(response.map(|body| Reply::service(body, in_flight))),
                // The service's error is not looked at: what it says may hold data.
                Ok(Ok(Err(_))) => {
                    shared.counters.failures.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(request.id = id.map(tracing::field::display), "a handler failed");
                    Refusal::Failed
                }
                Ok(Err(panicked)) => {
                    shared.counters.panics.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(
                        request.id = id.map(tracing::field::display),
                        panic.file = panicked.0.file(),
                        panic.line = panicked.0.line,
                        "a handler panicked"
                    );
                    Refusal::Failed
                }
                Err(_) => {
                    shared.counters.timeouts.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(
                        request.id = id.map(tracing::field::display),
                        limit_ms = shared.limits.request_ms,
                        "a request took too long"
                    );
                    Refusal::Timeout
                }
            }
        }
    };
    let response = shared.answers.answer(refusal, id);
    Ok(response.map(|body| Reply::own(body, in_flight)))
}

/// hyper bounds its own buffer; this is the exact limit, on both protocols.
fn head_refusal<B>(request: &Request<B>, limits: &Limits) -> Option<Refusal> {
    let uri = request.uri();
    let target = uri.path().len() + uri.query().map_or(0, |query| query.len() + 1);
    if target > limits.uri_bytes_max {
        return Some(Refusal::UriTooLong);
    }
    // `: ` and the line's end.
    let lines: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    (target + lines > limits.header_bytes_max).then_some(Refusal::HeaderTooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_is_measured_in_bytes() {
        let limits = Limits { uri_bytes_max: 10, header_bytes_max: 40, ..Limits::default() };
        let check = |uri: &str, header: &str| {
            head_refusal(&Request::builder().uri(uri).header("a", header).body(()).unwrap(), &limits)
        };
        assert_eq!(check("/123456789", "b"), None);
        assert_eq!(check("/1234567890", "b"), Some(Refusal::UriTooLong));
        assert_eq!(check("/1234?5678", "b"), None);
        assert_eq!(check("/1234?56789", "b"), Some(Refusal::UriTooLong));
        assert_eq!(check("/", &"x".repeat(34)), None);
        assert_eq!(check("/", &"x".repeat(35)), Some(Refusal::HeaderTooLarge));
    }
}
