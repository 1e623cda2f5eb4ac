//! [`Gateway`]: one request in, one answer out.

use crate::answer::{Body, Response};
use crate::timing::AnswerTiming;
use crate::turns::Turns;
use crate::who::{self, Known, Unknown};
use crate::{QUERY_BYTES_MAX, REQUEST_MS, SEARCH_BODY_BYTES_MAX, SEARCH_BODY_MS, batch, capability};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, IF_NONE_MATCH};
use http::request::Parts as Head;
use http_body_util::Full;
use scruple_app::{AccessCache, SignInRefused};
use scruple_core::{Clock, RequestFacts, Timestamp, new_id};
use scruple_fhir::request::{Interaction, Unserved, parse};
use scruple_fhir::search::{decode_pairs, is_json};
use scruple_fhir::{dictionary, is_binary};
use scruple_http::{BodyError, Networks, read_body};
use scruple_identity::{TokenCache, Verifier};
use scruple_ledger::Urgency;
use scruple_release::{
    Answer, Asked, Holding, Link, No, Pipeline, Policy, Request, RequestRng, Scope, holding, urgency_of,
};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// What a gateway is made of.
pub struct Parts {
    /// The way out.
    pub pipeline: Arc<Pipeline>,
    /// Who holds which role now.
    pub access: Arc<AccessCache>,
    /// Verifies access tokens.
    pub verifier: Verifier,
    /// The path of the base, such as `/fhir`.
    pub path: String,
    /// Whose answers wait for the next of a few times.
    pub timing: AnswerTiming,
    /// The networks of the organisation, and its proxies.
    pub networks: Networks,
    /// The present, for the date of the CapabilityStatement.
    pub now: Timestamp,
}

/// The gateway.
pub struct Gateway {
    pipeline: Arc<Pipeline>,
    access: Arc<AccessCache>,
    verifier: RwLock<Arc<Verifier>>,
    tokens: TokenCache,
    path: String,
    capabilities: RwLock<Bytes>,
    turns: Turns,
    timing: AnswerTiming,
    networks: Networks,
}

/// A request on its way.
struct Served<'a> {
    head: &'a Head,
    clock: &'a dyn Clock,
    asked: Asked,
    facts: RequestFacts,
    /// He asks from within the networks of the organisation.
    inside: bool,
    /// More would show to him if he confirmed that it is he.
    may_confirm: bool,
}

/// What came in the body of a `_search`.
type Form = Result<Vec<(String, String)>, No>;

impl Gateway {
    /// A gateway of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let gateway = Self {
            pipeline: parts.pipeline,
            access: parts.access,
            verifier: RwLock::new(Arc::new(parts.verifier)),
            tokens: TokenCache::default(),
            path: parts.path,
            capabilities: RwLock::default(),
            turns: Turns::default(),
            timing: parts.timing,
            networks: parts.networks,
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

    /// Answers a request. `source` is the address at the other end; `rng` makes every draw of this answer, the request's id first.
    pub async fn handle<B>(
        &self,
        request: http::Request<B>,
        source: Option<String>,
        clock: &dyn Clock,
        rng: &mut RequestRng,
    ) -> (Response, String)
    where
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        let id = new_id::<Response>(clock.now(), rng).to_string();
        let (head, body) = request.into_parts();
        let peer = source.and_then(|source| source.parse().ok());
        let address = self.networks.origin(peer, &head.headers);
        let inside = self.networks.is_inside(address);
        let facts = RequestFacts {
            interaction: "other".to_owned(),
            resource_type: None,
            id: None,
            parameters: Vec::new(),
            request_id: Some(id.clone()),
            // Where a proxy does not say whom it forwards, the proxy stands in the record.
            source: address.or(peer).map(|address| address.to_string()),
            lacking: Vec::new(),
        };
        let mut served = Served { head: &head, clock, asked: who::nobody(), facts, inside, may_confirm: false };
        let response = self.serve(&mut served, body, rng).await;
        // Here every answer comes by, whatever it is.
        let held = self.timing.is_held(self.pipeline.policy().pack(), &served.asked.question.role);
        let challenge = self.challenge(&response, served.may_confirm);
        (Response { held, challenge, ..response }, id)
    }

    /// What an answer asks for (RFC 9470): of who must show several factors first, or to whom more would show if he confirmed that it
    /// is he. The second stands beside an answer that is given (RFC 9110, 11.6.1), and follows from policy alone.
    fn challenge(&self, response: &Response, may_confirm: bool) -> Option<String> {
        let is_refused = response.code == Some(SignInRefused::Factors.code());
        let confirms = may_confirm && response.status < 400;
        if !is_refused && !confirms {
            return None;
        }
        let policy = self.pipeline.policy();
        let rules = &policy.pack().sign_in;
        let mut challenge = format!("Bearer error=\"{}\"", SignInRefused::Factors.code());
        if !rules.acr_values.is_empty() {
            let classes: Vec<&str> = rules.acr_values.iter().map(String::as_str).collect();
            challenge.push_str(&format!(", acr_values=\"{}\"", classes.join(" ")));
        }
        if confirms {
            challenge.push_str(&format!(", max_age=\"{}\"", u64::from(rules.confirmed_minutes) * 60));
        }
        Some(challenge)
    }

    async fn refuse(&self, served: &Served<'_>, no: No) -> Response {
        let Served { clock, asked, facts, .. } = served;
        let request = Request { asked, facts: facts.clone(), now: clock.now(), clock: *clock, holds: &holding };
        self.pipeline.refuse(request, no).await.into()
    }

    async fn serve<B>(&self, served: &mut Served<'_>, body: B, rng: &mut RequestRng) -> Response
    where
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        let path =
            served.head.uri.path().strip_prefix(&self.path).map(|below| if below.is_empty() { "/" } else { below });
        let path = path.filter(|below| below.starts_with('/'));
        let interaction = parse(served.head.method.as_str(), path.unwrap_or("//"));
        if matches!(interaction, Ok(Interaction::Capabilities)) {
            return self.capabilities(served).await;
        }
        describe(&mut served.facts, &interaction);
        // The body first: it can take its time, and who asks is judged when all is there.
        let form = match interaction {
            Ok(Interaction::SearchByPost { .. }) => Some(form(served.head, body).await),
            Ok(Interaction::Batch) => {
                let requests = batch::read(one_header(served.head, &CONTENT_TYPE), body).await;
                return self.batch(served, requests, rng).await;
            }
            _ => None,
        };
        // Who asks comes before what is asked: an answer to a stranger is the same whatever he asks for.
        if let Err(refused) = self.admit(served).await {
            return refused;
        }
        let urgency = urgency_of(&served.asked.question.purpose);
        let Some(_turn) = self.turns.take(&served.asked.subject, urgency == Urgency::Care) else {
            return self.refuse(served, No::new(503, "overloaded", "Too many requests at one time. Try again.")).await;
        };
        match interaction {
            Ok(interaction) => self.answer(served, interaction, form, rng).await,
            Err(unserved) => {
                let status = if unserved == Unserved::Method { 405 } else { 400 };
                self.refuse(served, No::new(status, unserved.code(), sentence(&unserved.to_string()))).await
            }
        }
    }

    /// Who asks, as what, for what: now.
    async fn caller(&self, served: &Served<'_>) -> Result<Known, Box<Unknown>> {
        let verifier = Arc::clone(&self.verifier.read().unwrap_or_else(PoisonError::into_inner));
        let authorization = one_header(served.head, &AUTHORIZATION);
        let token = who::token(&verifier, &self.tokens, authorization, served.clock.now())?;
        let policy = self.pipeline.policy();
        who::caller(&self.access, policy.pack(), &token, served.inside, served.clock.now()).await
    }

    async fn answer(
        &self,
        served: &Served<'_>,
        interaction: Interaction,
        form: Option<Form>,
        rng: &mut RequestRng,
    ) -> Response {
        if !accepts_json(served.head) {
            return self.refuse(served, No::new(406, "format_not_supported", "Only FHIR JSON is served.")).await;
        }
        let query = served.head.uri.query().unwrap_or_default();
        let in_url = if query.len() > QUERY_BYTES_MAX { None } else { decode_pairs(query) };
        let malformed = |what: &str| No::new(400, "query_malformed", what);
        let Some(in_url) = in_url else {
            let what = "The query is too long, or no list of names and values in UTF-8.";
            return self.refuse(served, malformed(what)).await;
        };
        let checked = match (&interaction, form) {
            (Interaction::Read { resource_type, .. }, _) if is_binary(*resource_type) => {
                let own = in_url.iter().filter(|(name, _)| !matches!(name.as_str(), "of" | "seal"));
                plain_read(&own.cloned().collect::<Vec<_>>()).map(|()| in_url)
            }
            (Interaction::Read { .. } | Interaction::VersionRead { .. } | Interaction::History { .. }, _) => {
                plain_read(&in_url).map(|()| Vec::new())
            }
            (Interaction::SearchByPost { .. }, Some(_)) if !in_url.is_empty() => {
                Err(malformed("A search by POST has its parameters in the body alone."))
            }
            (Interaction::SearchByPost { .. }, Some(form)) => form,
            _ => Ok(in_url),
        };
        let pairs = match checked {
            Ok(pairs) => pairs,
            Err(no) => return self.refuse(served, no).await,
        };
        // A token, a grant or a role can end while records are fetched.
        let holds = || -> Holding<'_> {
            Box::pin(async {
                let now = self.caller(served).await.map_err(|unknown| unknown.no)?;
                if is_same(&now.asked, &served.asked) {
                    Ok(())
                } else {
                    Err(No::new(403, "role_not_selected", CHANGED))
                }
            })
        };
        let request = |facts: RequestFacts| Request {
            asked: &served.asked,
            facts,
            now: served.clock.now(),
            clock: served.clock,
            holds: &holds,
        };
        let work = async {
            let request = request(served.facts.clone());
            let pipeline = &self.pipeline;
            match &interaction {
                Interaction::Read { resource_type, id } if is_binary(*resource_type) => {
                    pipeline.attachment(request, id, link_of(&pairs), rng).await
                }
                Interaction::Read { resource_type, id } => {
                    let known = one_header(served.head, &IF_NONE_MATCH);
                    pipeline.read(request, *resource_type, id, known, rng).await
                }
                Interaction::SearchByGet { resource_type } | Interaction::SearchByPost { resource_type } => {
                    pipeline.search(request, *resource_type, Scope::Type, &pairs, rng).await
                }
                Interaction::SearchInCompartment { patient, resource_type } => {
                    pipeline.search(request, *resource_type, Scope::Patient(patient), &pairs, rng).await
                }
                Interaction::Everything { patient } => pipeline.everything(request, patient, &pairs, rng).await,
                Interaction::VersionRead { resource_type, id, version } => {
                    pipeline.version(request, *resource_type, id, version, rng).await
                }
                Interaction::History { resource_type, id } => pipeline.history(request, *resource_type, id, rng).await,
                Interaction::Capabilities | Interaction::Batch => Answer::Unrecorded,
            }
        };
        let answer = match tokio::time::timeout(Duration::from_millis(REQUEST_MS), work).await {
            Ok(answer) => answer,
            Err(_) => {
                let no = No::new(503, "request_timeout", "The answer took too long. Try again, or ask for less.");
                self.pipeline.refuse(request(served.facts.clone()), no).await
            }
        };
        answer.into()
    }

    /// The CapabilityStatement is the same for everyone and holds nothing of a record, so that it asks for no token.
    async fn capabilities(&self, served: &Served<'_>) -> Response {
        if !accepts_json(served.head) {
            return self.refuse(served, No::new(406, "format_not_supported", "Only FHIR JSON is served.")).await;
        }
        let bytes = self.capabilities.read().unwrap_or_else(PoisonError::into_inner).clone();
        Response { status: 200, code: None, etag: None, body: Body::capabilities(bytes), held: false, challenge: None }
    }

    /// Finds out who asks; the refusal of whoever may not.
    async fn admit(&self, served: &mut Served<'_>) -> Result<(), Response> {
        match self.caller(served).await {
            Ok(Known { asked, lacking, may_confirm }) => {
                (served.asked, served.facts.lacking, served.may_confirm) = (asked, lacking, may_confirm);
                Ok(())
            }
            Err(unknown) => {
                let Unknown { asked, no, lacking } = *unknown;
                (served.asked, served.facts.lacking) = (asked, lacking);
                Err(self.refuse(served, no).await)
            }
        }
    }

    /// Answers a batch: each of its requests as if it had come alone, one after the other.
    async fn batch(
        &self,
        served: &mut Served<'_>,
        requests: Result<Vec<batch::Asked>, No>,
        rng: &mut RequestRng,
    ) -> Response {
        if let Err(refused) = self.admit(served).await {
            return refused;
        }
        let requests = match requests {
            Ok(requests) if accepts_json(served.head) => requests,
            Ok(_) => {
                let no = No::new(406, "format_not_supported", "Only FHIR JSON is served.");
                return self.refuse(served, no).await;
            }
            Err(no) => return self.refuse(served, no).await,
        };
        let work = async {
            let mut parts = Vec::with_capacity(requests.len());
            for (number, asked) in requests.iter().enumerate() {
                let mut facts = served.facts.clone();
                facts.request_id = facts.request_id.map(|id| format!("{id}.{}", number + 1));
                let clock = served.clock;
                match asked.head(&self.path, served.head) {
                    Some(head) => {
                        let (inside, asked) = (served.inside, who::nobody());
                        let mut part = Served { head: &head, clock, asked, facts, inside, may_confirm: false };
                        parts.push(Box::pin(self.serve(&mut part, Full::<Bytes>::default(), rng)).await);
                    }
                    None => {
                        let (inside, asked) = (served.inside, served.asked.clone());
                        let part = Served { head: served.head, clock, asked, facts, inside, may_confirm: false };
                        let no =
                            No::new(400, "path_malformed", "The url of a request in the batch is none below the base.");
                        parts.push(self.refuse(&part, no).await);
                    }
                }
            }
            parts
        };
        let parts = tokio::time::timeout(Duration::from_millis(REQUEST_MS), work).await;
        // What was read first has waited for the others.
        match self.caller(served).await {
            Ok(now) if is_same(&now.asked, &served.asked) => {}
            _ => {
                let no = No::new(403, "role_not_selected", CHANGED);
                return self.refuse(served, no).await;
            }
        }
        match parts {
            Ok(parts) => Response::batch(parts),
            Err(_) => {
                let no = No::new(503, "request_timeout", "The answer took too long. Try again, or ask for less.");
                self.refuse(served, no).await
            }
        }
    }

    /// Whether an answer could be recorded and released now, for the readiness of the node.
    #[must_use]
    pub const fn access(&self) -> &Arc<AccessCache> {
        &self.access
    }
}

/// What is said where somebody may act otherwise than when he asked.
const CHANGED: &str = "What you were granted has changed meanwhile. Ask again.";

/// Whether a caller may act now as when he asked.
fn is_same(now: &Asked, before: &Asked) -> bool {
    now.grant == before.grant
        && now.question == before.question
        && now.practitioners == before.practitioners
        && now.opened == before.opened
        && now.limited == before.limited
}

/// What is asked, for the record: no value of a query, and no id that has not the form of one.
fn describe(facts: &mut RequestFacts, interaction: &Result<Interaction, Unserved>) {
    let patient = dictionary().resource("Patient");
    let (name, resource_type, id) = match interaction {
        Ok(Interaction::Read { resource_type, id }) => ("read", Some(*resource_type), Some(id.clone())),
        Ok(Interaction::SearchByGet { resource_type } | Interaction::SearchByPost { resource_type }) => {
            ("search-type", Some(*resource_type), None)
        }
        Ok(Interaction::SearchInCompartment { patient, resource_type }) => {
            ("search-compartment", Some(*resource_type), Some(patient.clone()))
        }
        Ok(Interaction::Everything { patient: id }) => ("everything", patient, Some(id.clone())),
        Ok(Interaction::VersionRead { resource_type, id, .. }) => ("vread", Some(*resource_type), Some(id.clone())),
        Ok(Interaction::History { resource_type, id }) => ("history-instance", Some(*resource_type), Some(id.clone())),
        Ok(Interaction::Capabilities) => ("capabilities", None, None),
        Ok(Interaction::Batch) => ("batch", None, None),
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
            let (essence, parameters) = part.split_once(';').unwrap_or((part, ""));
            let essence = essence.trim();
            // RFC 9110, 12.4.2: what has the weight 0 is not taken.
            let weights = parameters.split(';').filter_map(|one| one.trim().strip_prefix("q="));
            let is_taken = weights.filter_map(|weight| weight.parse::<f32>().ok()).all(|weight| weight > 0.0);
            is_taken && (matches!(essence, "*/*" | "application/*") || essence.contains('/') && is_json(essence))
        };
        if text.split(',').any(takes) {
            return true;
        }
    }
    !any
}

/// The link by which a Binary is asked for: each of its parts once.
fn link_of(pairs: &[(String, String)]) -> Option<Link<'_>> {
    let only = |wanted: &str| {
        let mut values = pairs.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        values.next().filter(|_| values.next().is_none())
    };
    Some(Link { of: only("of")?, seal: only("seal")? })
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
async fn form<B>(head: &Head, body: B) -> Form
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
pub(crate) fn finish(answer: (Response, String)) -> http::Response<Full<Bytes>> {
    let (response, id) = answer;
    response.into_http(&id)
}
