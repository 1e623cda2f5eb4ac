//! Whether the node can take requests, its metrics, and what the gateway's listener says where the gateway does not.

use super::tasks::pause;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use scruple_app::{AccessCache, DrainHandle, DrainState};
use scruple_core::Clock;
use scruple_http::health::{Check, Metrics, Readiness};
use scruple_http::{Answers, Refusal, RequestId};
use scruple_ledger::{Recorder, RecorderState};
use scruple_release::No;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::watch;

/// What readiness looks at.
pub struct State {
    recorder: Arc<Recorder>,
    access: Arc<AccessCache>,
    drains: Vec<DrainHandle>,
    clock: Arc<dyn Clock>,
    policy_is_good: AtomicBool,
}

impl State {
    pub fn new(
        recorder: Arc<Recorder>,
        access: Arc<AccessCache>,
        drains: Vec<DrainHandle>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { recorder, access, drains, clock, policy_is_good: AtomicBool::new(true) }
    }

    /// Whether the policy's files are those that are active.
    pub fn policy_is_good(&self, good: bool) {
        self.policy_is_good.store(good, Ordering::Relaxed);
    }
}

impl Readiness for State {
    fn checks(&self) -> Vec<Check> {
        let check = |name, ok, code| Check { name, ok, code };
        let ledger = match self.recorder.state() {
            RecorderState::Normal => check("ledger", true, "ok"),
            RecorderState::Merging { .. } => check("ledger", true, "merging"),
            // Treatment goes on: the node stays in service.
            RecorderState::Reserve { .. } => check("ledger", true, "reserve"),
            _ => check("ledger", false, "down"),
        };
        let fresh = self.access.is_fresh(self.clock.now());
        let goes_on = |drain: &DrainHandle| {
            matches!(drain.state(), DrainState::Starting | DrainState::Running | DrainState::Stopped)
        };
        let drains = self.drains.iter().all(goes_on);
        // The last good policy decides on; whoever changed the files must hear of it all the same.
        let policy = if self.policy_is_good.load(Ordering::Relaxed) { "ok" } else { "last_good" };
        vec![
            ledger,
            check("access_feed", fresh, if fresh { "ok" } else { "stale" }),
            check("drainer", drains, if drains { "ok" } else { "stopped" }),
            check("policy", true, policy),
        ]
    }
}

/// How often samples of metrics are taken together: else they pile up until somebody reads them.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

fn handle() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE.get_or_init(|| PrometheusBuilder::new().install_recorder().ok()).as_ref()
}

/// The metrics of this process as text.
pub fn metrics() -> Metrics {
    let handle = handle();
    Arc::new(move || handle.map_or_else(String::new, PrometheusHandle::render))
}

/// Keeps the metrics small until the end.
pub async fn keep_up(mut stop: watch::Receiver<bool>) {
    while !pause(UPKEEP_EVERY, &mut stop).await {
        if let Some(handle) = handle() {
            handle.run_upkeep();
        }
    }
}

/// What the listener ends by itself, as FHIR.
pub struct FhirAnswers;

impl Answers for FhirAnswers {
    fn answer(&self, refusal: Refusal, _: Option<RequestId>) -> http::Response<Bytes> {
        let words = match refusal {
            Refusal::UriTooLong => "The request's target is too long.",
            Refusal::HeaderTooLarge => "The request's header is too large.",
            Refusal::Timeout => "The request took too long. Try again.",
            _ => "The gateway failed. Nothing was released.",
        };
        let status = refusal.status();
        let mut response = http::Response::new(Bytes::from(No::new(status.as_u16(), refusal.code(), words).body()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/fhir+json; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
