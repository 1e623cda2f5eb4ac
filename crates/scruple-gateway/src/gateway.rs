//! [`Gateway`]: one request in, one answer out.

use crate::answer::{Body, Response};
use crate::who::{self, Relationships, Unknown};
use crate::{QUERY_BYTES_MAX, REQUESTS_IN_FLIGHT_MAX, SEARCH_BODY_BYTES_MAX, SEARCH_BODY_MS, capability};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::request::Parts as Head;
use scruple_app::AccessCache;
use scruple_core::{RequestFacts, Timestamp, new_id};
use scruple_fhir::request::{Interaction, Unserved, parse};
use scruple_fhir::search::{decode_pairs, is_json};
use scruple_fhir::{TypeId, dictionary};
use scruple_http::{BodyError, read_body};
use scruple_identity::{TokenCache, Verifier};
use scruple_release::{Asked, No, Pipeline, Policy, Request, RequestRng};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::Semaphore;

/// What a gateway is made of.
pub struct Parts {
    /// The way out.
    pub pipeline: Arc<Pipeline>,
    /// Who holds which role now.
    pub access: Arc<AccessCache>,
    /// Verifies access tokens.
    pub verifier: Verifier,
    /// How relationships are established.
    pub relationships: Relationships,
    /// The path of the base, such as `/fhir`.
    pub path: String,
    /// The present, for the date of the CapabilityStatement.
    pub now: Timestamp,
}

/// The gateway.
pub struct Gateway {
    pipeline: Arc<Pipeline>,
    access: Arc<AccessCache>,
    verifier: RwLock<Arc<Verifier>>,
    tokens: TokenCache,
    relationships: Relationships,
    path: String,
    capabilities: RwLock<Bytes>,
    in_flight: Semaphore,
}

/// A request whose interaction is known.
struct Served<'a> {
    head: &'a Head,
    now: Timestamp,
    asked: Asked,
    facts: RequestFacts,
}

impl Gateway {
    /// A gateway of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let gateway = Self {
            pipeline: parts.pipeline,
            access: parts.access,
            verifier: RwLock::new(Arc::new(parts.verifier)),
            tokens: TokenCache::default(),
            relationships: parts.relationships,
            path: parts.path,
            capabilities: RwLock::default(),
            in_flight: Semaphore::new(REQUESTS_IN_FLIGHT_MAX),
        };
        gateway.state_capabilities(&gateway.pipeline.policy(), parts.now);
        gateway
    }

    /// The way out.
    #[must_use]
    pub const fn pipeline(&self) -> &Arc<Pipeline> {
        &self.pipeline
    }

    /// Puts another policy in its place. Requests under way end under the one that they began with.
    pub fn set_policy(&self, policy: Policy, now: Timestamp) {
        self.pipeline.set_policy(policy);
        self.state_capabilities(&self.pipeline.policy(), now);
    }

    /// Takes other keys; what was verified with the earlier ones is verified anew.
    pub fn set_verifier(&self, verifier: Verifier) {
        *self.verifier.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(verifier);
        self.tokens.clear();
    }

    fn state_capabilities(&self, policy: &Policy, now: Timestamp) {
        let bytes = capability::statement(policy.pack(), self.pipeline.base(), &now.to_string());
        *self.capabilities.write().unwrap_or_else(PoisonError::into_inner) = Bytes::from(bytes);
    }

    /// Answers a request. `source` is the address that asks; `rng` makes every draw of this answer, the request's id first.
    pub async fn handle<B>(
        &self,
        request: http::Request<B>,
        source: Option<String>,
        now: Timestamp,
        rng: &mut RequestRng,
    ) -> (Response, String)
    where
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        let id = new_id::<Response>(now, rng).to_string();
        let (head, body) = request.into_parts();
        let facts = RequestFacts {
            interaction: "other".to_owned(),
            resource_type: None,
            id: None,
            parameters: Vec::new(),
            request_id: Some(id.clone()),
            source,
        };
        let served = Served { head: &head, now, asked: who::nobody(), facts };
        let response = match self.in_flight.try_acquire() {
            Ok(_permit) => self.serve(served, body, rng).await,
            Err(_) => {
                self.refuse(served, No::new(503, "overloaded", "Too many requests at one time. Try again.")).await
            }
        };
        (response, id)
    }

    async fn refuse(&self, served: Served<'_>, no: No) -> Response {
        let request = Request { asked: &served.asked, facts: served.facts, now: served.now };
        self.pipeline.refuse(request, no).await.into()
    }

    async fn serve<B>(&self, mut served: Served<'_>, body: B, rng: &mut RequestRng) -> Response
    where
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        let path = served.head.uri.path().strip_prefix(&self.path).filter(|below| below.starts_with('/'));
        let interaction = parse(served.head.method.as_str(), path.unwrap_or("//"));
        if matches!(interaction, Ok(Interaction::Capabilities)) {
            return self.capabilities(served).await;
        }
        describe(&mut served.facts, &interaction);
        // Who asks comes before what is asked: an answer to a stranger is the same whatever he asks for.
        let verifier = Arc::clone(&self.verifier.read().unwrap_or_else(PoisonError::into_inner));
        let authorization = one_header(served.head, &AUTHORIZATION);
        let policy = self.pipeline.policy();
        let asked = match who::token(&verifier, &self.tokens, authorization, served.now) {
            Ok(token) => who::caller(&self.access, policy.pack(), self.relationships, &token, served.now).await,
            Err(unknown) => Err(unknown),
        };
        match asked {
            Ok(asked) => served.asked = asked,
            Err(unknown) => {
                let Unknown { asked, no } = *unknown;
                served.asked = asked;
                return self.refuse(served, no).await;
            }
        }
        match interaction {
            Ok(interaction) => self.answer(served, interaction, body, rng).await,
            Err(unserved) => {
                let status = if unserved == Unserved::Method { 405 } else { 400 };
                self.refuse(served, No::new(status, unserved.code(), sentence(&unserved.to_string()))).await
            }
        }
    }

    async fn answer<B>(&self, served: Served<'_>, interaction: Interaction, body: B, rng: &mut RequestRng) -> Response
    where
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        if !accepts_json(served.head) {
            return self.refuse(served, No::new(406, "format_not_supported", "Only FHIR JSON is served.")).await;
        }
        let query = served.head.uri.query().unwrap_or_default();
        let in_url = if query.len() > QUERY_BYTES_MAX { None } else { decode_pairs(query) };
        let malformed = |what: &str| No::new(400, "query_malformed", what);
        let Some(in_url) = in_url else {
            return self
                .refuse(served, malformed("The query is too long, or no list of names and values in UTF-8."))
                .await;
        };
        match interaction {
            Interaction::Read { resource_type, id } => {
                if let Err(no) = plain_read(&in_url) {
                    return self.refuse(served, no).await;
                }
                let Served { now, asked, facts, .. } = served;
                self.pipeline.read(Request { asked: &asked, facts, now }, resource_type, &id, rng).await.into()
            }
            Interaction::SearchByGet { resource_type } => self.search(served, resource_type, &in_url, rng).await,
            Interaction::SearchByPost { resource_type } => {
                if !in_url.is_empty() {
                    return self
                        .refuse(served, malformed("A search by POST has its parameters in the body alone."))
                        .await;
                }
                match form(served.head, body).await {
                    Ok(pairs) => self.search(served, resource_type, &pairs, rng).await,
                    Err(no) => self.refuse(served, no).await,
                }
            }
            Interaction::Capabilities => self.capabilities(served).await,
        }
    }

    async fn search(
        &self,
        served: Served<'_>,
        resource_type: TypeId,
        pairs: &[(String, String)],
        rng: &mut RequestRng,
    ) -> Response {
        let Served { now, asked, facts, .. } = served;
        self.pipeline.search(Request { asked: &asked, facts, now }, resource_type, pairs, rng).await.into()
    }

    /// The CapabilityStatement is the same for everyone and holds nothing of a record, so that it asks for no token.
    async fn capabilities(&self, served: Served<'_>) -> Response {
        if !accepts_json(served.head) {
            return self.refuse(served, No::new(406, "format_not_supported", "Only FHIR JSON is served.")).await;
        }
        let bytes = self.capabilities.read().unwrap_or_else(PoisonError::into_inner).clone();
        Response { status: 200, code: None, body: Body::capabilities(bytes) }
    }

    /// Whether an answer could be recorded and released now, for the readiness of the node.
    #[must_use]
    pub const fn access(&self) -> &Arc<AccessCache> {
        &self.access
    }
}

/// What is asked, for the record: no value of a query, and no id that has not the form of one.
fn describe(facts: &mut RequestFacts, interaction: &Result<Interaction, Unserved>) {
    let (name, resource_type, id) = match interaction {
        Ok(Interaction::Read { resource_type, id }) => ("read", Some(*resource_type), Some(id.clone())),
        Ok(Interaction::SearchByGet { resource_type } | Interaction::SearchByPost { resource_type }) => {
            ("search-type", Some(*resource_type), None)
        }
        Ok(Interaction::Capabilities) => ("capabilities", None, None),
        Err(_) => ("other", None, None),
    };
    facts.interaction = name.to_owned();
    facts.resource_type = resource_type.map(|id| dictionary().get(id).name.to_owned());
    facts.id = id;
}

/// The text of a header that stands once.
fn one_header<'a>(head: &'a Head, name: &HeaderName) -> Option<&'a str> {
    let mut values = head.headers.get_all(name).iter();
    let first = values.next()?;
    if values.next().is_some() {
        // Two say nothing: it is not ours to choose.
        return Some("");
    }
    Some(first.to_str().unwrap_or(""))
}

/// Whether FHIR JSON is among what the caller takes.
fn accepts_json(head: &Head) -> bool {
    let mut any = false;
    for value in head.headers.get_all(ACCEPT) {
        any = true;
        let Ok(text) = value.to_str() else { continue };
        let takes = |part: &str| {
            let essence = part.split(';').next().unwrap_or_default().trim();
            matches!(essence, "*/*" | "application/*") || essence.contains('/') && is_json(essence)
        };
        if text.split(',').any(takes) {
            return true;
        }
    }
    !any
}

/// A read takes `_format` alone.
fn plain_read(pairs: &[(String, String)]) -> Result<(), No> {
    for (name, value) in pairs {
        if name != "_format" {
            return Err(No::new(400, "parameter_not_supported", "A read takes no parameter but `_format`."));
        }
        if !is_json(value) {
            return Err(No::new(406, "format_not_supported", "Only FHIR JSON is served."));
        }
    }
    Ok(())
}

/// The parameters in the body of a `_search`.
async fn form<B>(head: &Head, body: B) -> Result<Vec<(String, String)>, No>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let malformed = |words: &str| No::new(400, "query_malformed", words);
    let kind = one_header(head, &CONTENT_TYPE).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(malformed("A search by POST has a body of type application/x-www-form-urlencoded."));
    }
    let bytes = read_body(body, SEARCH_BODY_BYTES_MAX, SEARCH_BODY_MS).await.map_err(|error| match error {
        BodyError::TooLarge { .. } => malformed("The body of the search is too long."),
        _ => malformed("The body of the search did not come."),
    })?;
    let text = std::str::from_utf8(&bytes).ok();
    text.and_then(decode_pairs).ok_or_else(|| malformed("The body is no list of names and values in UTF-8."))
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    format!("{}{}.", first.map(String::from_iter).unwrap_or_default(), letters.as_str())
}

/// The answer as HTTP, with its id.
pub(crate) fn finish(answer: (Response, String)) -> http::Response<http_body_util::Full<Bytes>> {
    let (response, id) = answer;
    response.into_http(&id)
}
