//! The gateway as a service of a listener: the machine's randomness, the clock, metrics and one log line per fault.

use crate::gateway::{Gateway, finish};
use crate::timing;
use bytes::Bytes;
use http_body_util::Full;
use rand_core::CryptoRng;
use scruple_core::Clock;
use scruple_http::Peer;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use tokio::time::Instant;

/// One connection's view of the gateway.
#[derive(Clone)]
pub struct GatewayService {
    /// The gateway.
    pub gateway: Arc<Gateway>,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// Makes the generator of a request.
    pub rng: fn() -> Box<dyn CryptoRng + Send>,
}

impl<B> hyper::service::Service<http::Request<B>> for GatewayService
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Send,
{
    type Response = http::Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: http::Request<B>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let begun = Instant::now();
            let mut rng = (this.rng)();
            let source = request.extensions().get::<Peer>().map(|peer| peer.0.ip().to_string());
            let answer = this.gateway.handle(request, source, this.clock.as_ref(), rng.as_mut()).await;
            let (status, code) = (answer.0.status, answer.0.code.unwrap_or("ok"));
            metrics::counter!("scruple_gateway_requests_total", "status" => status.to_string(), "code" => code)
                .increment(1);
            metrics::histogram!("scruple_gateway_request_seconds").record(begun.elapsed().as_secs_f64());
            if status == 503 {
                tracing::warn!(request.id = %answer.1, code, "request refused by the state of the system");
            }
            if answer.0.held {
                tokio::time::sleep_until(timing::leaves(begun, Instant::now())).await;
            }
            Ok(finish(answer))
        })
    }
}
