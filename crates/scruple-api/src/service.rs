//! What the API is made of, and its router.

use crate::caller::gate;
use crate::fail::Fail;
use crate::{authzen, v1};
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use rand_core::CryptoRng;
use scruple_app::charts::IndexHandle;
use scruple_app::limits::RECORDED_WAIT_MAX;
use scruple_app::{AccessCache, Desk, DeskError, Done, DrainHandle};
use scruple_core::{Clock, Timestamp};
use scruple_http::Networks;
use scruple_identity::signal::Signals;
use scruple_identity::{Token, TokenCache, TokenError, Verifier};
use scruple_policy::Pack;
use scruple_release::Pipeline;
use scruple_seal::ColumnKey;
use scruple_store::{Position, ShardLease, Store};
use std::sync::{Arc, PoisonError, RwLock};

/// Verifies the access tokens of the API (RFC 9068).
#[derive(Debug)]
pub struct Tokens {
    verifier: RwLock<Arc<Verifier>>,
    cache: TokenCache,
}

impl Tokens {
    /// With these keys.
    #[must_use]
    pub fn new(verifier: Verifier) -> Self {
        Self { verifier: RwLock::new(Arc::new(verifier)), cache: TokenCache::default() }
    }

    /// Takes other keys; what was verified with the earlier ones is verified anew.
    pub fn set_verifier(&self, verifier: Verifier) {
        *self.verifier.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(verifier);
        self.cache.clear();
    }

    pub(crate) fn verify(&self, text: &str, now: Timestamp) -> Result<Arc<Token>, TokenError> {
        let verifier = Arc::clone(&self.verifier.read().unwrap_or_else(PoisonError::into_inner));
        self.cache.verify_cached(&verifier, text, now)
    }
}

/// What the API is made of.
pub struct ApiParts {
    /// The state.
    pub store: Store,
    /// The shard that is written on.
    pub lease: ShardLease,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from: a generator for each request.
    pub rng: fn() -> Box<dyn CryptoRng + Send>,
    /// The active policy, relationships, and the record.
    pub pipeline: Arc<Pipeline>,
    /// Who holds which role now: the gateway's own.
    pub access: Arc<AccessCache>,
    /// Verifies tokens.
    pub tokens: Arc<Tokens>,
    /// Tells when events are in the ledger.
    pub drain: DrainHandle,
    /// Tells how far the index of accesses is.
    pub index: IndexHandle,
    /// Seals cursors, denials and kept answers.
    pub seal: ColumnKey,
    /// The address by which callers know the API, without a slash at the end: `https://scruple.example`.
    pub base: String,
    /// The networks of the organisation.
    pub networks: Networks,
    /// What verifies what the management of devices tells; none: nobody tells.
    pub signals: SignalKeys,
}

/// What verifies security event tokens. Shared, so that other keys can take their place.
pub type SignalKeys = Arc<RwLock<Option<Arc<Signals>>>>;

impl std::fmt::Debug for ApiParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiParts").field("base", &self.base).finish_non_exhaustive()
    }
}

/// The API.
pub(crate) struct Service {
    pub parts: ApiParts,
    /// Policies are proved one at a time.
    pub proving: tokio::sync::Mutex<()>,
}

impl Service {
    pub fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    pub fn pack(&self) -> Arc<Pack> {
        Arc::clone(self.parts.pipeline.policy().pack())
    }

    /// Runs a use case of the desk, and waits until it is in the ledger.
    pub async fn desk<T>(&self, run: impl AsyncFnOnce(&mut Desk<'_>) -> Result<Done<T>, DeskError>) -> Result<T, Fail> {
        let done = self.read(run).await?;
        self.recorded(Some(done.position)).await;
        Ok(done.now)
    }

    /// Asks the desk for what somebody sees.
    pub async fn read<T>(&self, run: impl AsyncFnOnce(&mut Desk<'_>) -> Result<T, DeskError>) -> Result<T, Fail> {
        let (pack, mut rng) = (self.pack(), (self.parts.rng)());
        let ApiParts { store, lease, clock, .. } = &self.parts;
        let mut desk = Desk { store, lease, clock: clock.as_ref(), rng: &mut *rng, rules: pack.as_ref() };
        Ok(run(&mut desk).await?)
    }

    /// Waits a while until an event is in the ledger; it is committed in any case.
    pub async fn recorded(&self, position: Option<Position>) {
        if let Some(position) = position
            && self.parts.drain.wait_for(position, RECORDED_WAIT_MAX).await.is_err()
        {
            tracing::warn!("an event is committed and not yet in the ledger");
        }
    }

    /// Records something that happened at the edge; whether it could.
    pub async fn note(&self, code: &str, facts: &[(&str, String)]) -> bool {
        self.parts.pipeline.note(self.now(), code, facts).await.is_ok()
    }
}

/// The API below `/access/v1` and `/api`, to be served beside others on one listener.
pub fn api_router(parts: ApiParts) -> Router {
    let service = Arc::new(Service { parts, proving: tokio::sync::Mutex::default() });
    Router::new()
        .route("/.well-known/authzen-configuration", get(authzen::metadata))
        .route("/access/v1/evaluation", post(authzen::evaluation))
        .route("/access/v1/evaluations", post(authzen::evaluations))
        .route("/access/v1/search/subject", post(authzen::search_subject))
        .route("/access/v1/search/resource", post(authzen::search_resource))
        .route("/access/v1/search/action", post(authzen::search_action))
        .route("/api/openapi.json", get(v1::document))
        .route("/api/v1/security-events", post(v1::signals::take))
        .route("/api/v1/access", get(v1::access::mine))
        .route("/api/v1/access-requests", get(v1::requests::list).post(v1::requests::create))
        .route("/api/v1/access-requests/{id}", get(v1::requests::one))
        .route("/api/v1/access-requests/{id}/approve", post(v1::requests::approve))
        .route("/api/v1/access-requests/{id}/refuse", post(v1::requests::refuse))
        .route("/api/v1/access-requests/{id}/withdraw", post(v1::requests::withdraw))
        .route("/api/v1/access-tasks", get(v1::tasks::list).post(v1::tasks::create))
        .route("/api/v1/access-tasks/{id}", get(v1::tasks::one))
        .route("/api/v1/access-tasks/{id}/approve", post(v1::tasks::approve))
        .route("/api/v1/access-tasks/{id}/refuse", post(v1::tasks::refuse))
        .route("/api/v1/access-tasks/{id}/begin", post(v1::tasks::begin))
        .route("/api/v1/access-tasks/{id}/close", post(v1::tasks::close))
        .route("/api/v1/access-tasks/{id}/recording", post(v1::tasks::record))
        .route("/api/v1/access-tasks/{id}/unmask", post(v1::tasks::unmask))
        .route("/api/v1/access-tasks/{id}/end", post(v1::tasks::end))
        .route("/api/v1/tickets/close", post(v1::tasks::close_ticket))
        .route("/api/v1/access-requests/{id}/extend", post(v1::longer::extend))
        .route("/api/v1/reminders", get(v1::longer::reminder))
        .route("/api/v1/projects", get(v1::projects::list).post(v1::projects::create))
        .route("/api/v1/projects/{id}", get(v1::projects::one))
        .route("/api/v1/projects/{id}/approve", post(v1::projects::approve))
        .route("/api/v1/projects/{id}/refuse", post(v1::projects::refuse))
        .route("/api/v1/projects/{id}/withdraw", post(v1::projects::withdraw))
        .route("/api/v1/projects/{id}/end", post(v1::projects::end))
        .route("/api/v1/deputies", get(v1::deputies::list).post(v1::deputies::create))
        .route("/api/v1/deputies/{id}/accept", post(v1::deputies::accept))
        .route("/api/v1/deputies/{id}/end", post(v1::deputies::end))
        .route("/api/v1/elevations", get(v1::elevations::list))
        .route("/api/v1/elevations/{id}", get(v1::elevations::one))
        .route("/api/v1/elevations/{id}/end", post(v1::elevations::end))
        .route("/api/v1/elevations/{id}/protected", post(v1::elevations::confirm_protected))
        .route("/api/v1/elevations/{id}/reads", get(v1::reads::under))
        .route("/api/v1/grants/{id}/reads", get(v1::reads::by_grant))
        .route("/api/v1/grants/{id}/end", post(v1::elevations::end_grant))
        .route("/api/v1/emergency-reviews", get(v1::reviews::list))
        .route("/api/v1/emergency-reviews/{id}", get(v1::reviews::one))
        .route("/api/v1/emergency-reviews/{id}/close", post(v1::reviews::close))
        .route("/api/v1/charts", get(v1::charts::list).post(v1::charts::create))
        .route("/api/v1/charts/{id}", get(v1::charts::one))
        .route("/api/v1/charts/{id}/cases", post(v1::cases::create))
        .route("/api/v1/cases", get(v1::cases::list))
        .route("/api/v1/cases/{id}", get(v1::cases::one))
        .route("/api/v1/cases/{id}/ask", post(v1::cases::ask))
        .route("/api/v1/cases/{id}/decide", post(v1::cases::decide))
        .route("/api/v1/cases/{id}/letter", post(v1::cases::letter))
        .route("/api/v1/cases/{id}/answer", get(v1::asked::one).post(v1::asked::answer))
        .route("/api/v1/access/questions", get(v1::asked::list))
        .route("/api/v1/people", get(v1::people::list))
        .route("/api/v1/people/{id}", get(v1::people::one))
        .route("/api/v1/people/{id}/grants", get(v1::people::grants))
        .route("/api/v1/people/{id}/leave", post(v1::people::leave))
        .route("/api/v1/evidence", get(v1::evidence::pack))
        .route("/api/v1/policy-versions", get(v1::versions::list).post(v1::versions::draft))
        .route("/api/v1/policy-versions/{id}", get(v1::versions::one))
        .route("/api/v1/figures/approvers", get(v1::figures::of_approvers))
        .route("/api/v1/figures/roles", get(v1::figures::of_roles))
        .route("/api/v1/figures/unreviewed", get(v1::figures::unreviewed))
        .route("/api/v1/access/steps", get(v1::steps::mine))
        .route("/api/v1/access/steps/{id}/acknowledge", post(v1::steps::acknowledge))
        .route("/api/v1/training", post(v1::steps::record))
        .route("/api/v1/people/{id}/steps", get(v1::steps::of_person))
        .route("/api/v1/unused-roles", get(v1::unused::list))
        .route("/api/v1/unused-roles/{id}/object", post(v1::unused::object))
        .route("/api/v1/unused-roles/{id}/decide", post(v1::unused::decide))
        .route("/api/v1/findings", get(v1::accounts::list))
        .route("/api/v1/people/{id}/account", get(v1::accounts::one).post(v1::accounts::register))
        .route("/api/v1/people/{id}/account/review", post(v1::accounts::review))
        .route("/api/v1/people/{id}/restore", post(v1::accounts::restore))
        .route("/api/v1/people/{id}/endings", get(v1::accounts::endings_of))
        .route("/api/v1/people/{id}/endings.csv", get(v1::accounts::endings_as_table))
        .route("/api/v1/systems", get(v1::systems::list).post(v1::systems::create))
        .route("/api/v1/systems/{id}", post(v1::systems::change))
        .route("/api/v1/systems/{id}/read", post(v1::systems::read))
        .route("/api/v1/systems/{id}/rights", get(v1::systems::rights))
        .route("/api/v1/system-rights/{id}/decide", post(v1::systems::decide))
        .route("/api/v1/drift", get(v1::systems::drift))
        .route("/api/v1/drift/{id}/remove", post(v1::systems::remove))
        .route("/api/v1/drift/{id}/except", post(v1::systems::except))
        .route("/api/v1/roles", get(v1::roles::list))
        .route("/api/v1/roles/{id}", get(v1::roles::one))
        .method_not_allowed_fallback(|| async { Fail::METHOD })
        .layer(from_fn_with_state(Arc::clone(&service), gate))
        .with_state(service)
}
