//! A gateway over an upstream of the test's choice, with the people and tokens of a small workforce.

use bytes::Bytes;
use http_body_util::Full;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use scruple_app::{AccessCache, FeedFollower, SeedPerson, StoreKeys, seed_workforce};
use scruple_connect::{EMBEDDED_BASE, EmbeddedUpstream};
use scruple_core::{Clock, Entry, EntryBody, FixedClock, Timestamp};
use scruple_gateway::{AnswerTiming, Gateway, Parts};
use scruple_hospital::upstream::Server;
use scruple_http::Networks;
use scruple_identity::{Claims, Issuer, LEEWAY_SECONDS, Parties, SignIn, Verifier};
use scruple_ledger::simulate::SimStorage;
use scruple_ledger::{
    FileSystem, MergedReserve, Notices, OpenOptions, Payload, Recorder, RecorderOptions, RefusedCounts, ReserveOptions,
    SEGMENT_BYTES_MIN, Storage, entries,
};
use scruple_pairs::Exchange;
use scruple_policy::{Active, PackFiles, activate};
use scruple_release::{Fetched, Pipeline, Policy, Upstream, UpstreamError, UpstreamFuture, UpstreamQuery};
use scruple_seal::{RootKey, Secret, TokenKey};
use scruple_store::{Durability, Options, ShardId, ShardLease, Store};
use scruple_testkit::interfere::{Request, Response};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use tokio::runtime::Runtime;
use tokio::sync::Notify;

/// The base under which callers know the gateway.
pub const BASE: &str = "https://gateway.example/fhir";
const ISSUER: &str = "https://issuer.example";

/// The present of every test.
pub fn noon() -> Timestamp {
    Timestamp::parse("2026-03-02T12:00:00Z").unwrap()
}

/// The shipped pack with relationships assumed, proved once.
pub fn active() -> Arc<Active> {
    static ACTIVE: OnceLock<Arc<Active>> = OnceLock::new();
    Arc::clone(
        ACTIVE.get_or_init(|| Arc::new(activate(&PackFiles::embedded().assuming_relationships(), noon()).unwrap())),
    )
}

/// The shipped pack, where relationships are looked up.
pub fn resolved() -> Arc<Active> {
    static ACTIVE: OnceLock<Arc<Active>> = OnceLock::new();
    Arc::clone(ACTIVE.get_or_init(|| Arc::new(activate(&PackFiles::embedded(), noon()).unwrap())))
}

/// Who the people are in the record system.
pub fn practitioners(login: &str) -> &'static [&'static str] {
    match login {
        "cid.nurse" => &["Practitioner/prac-nurse-6", "Practitioner/prac-nurse-10", "Practitioner/prac-nurse-1"],
        "dee.doc" => &[
            "Practitioner/prac-physician-1",
            "Practitioner/prac-physician-2",
            "PractitionerRole/role-physician-7",
            "Practitioner/prac-physician-11",
        ],
        _ => &[],
    }
}

/// The people: login and roles.
const PEOPLE: [(&str, &str); 13] = [
    ("ana.desk", "front_desk"),
    ("ben.bill", "biller"),
    ("cid.nurse", "nurse"),
    ("dee.doc", "physician"),
    ("eli.count", "quality_analyst"),
    ("fay.it", "it_support"),
    ("gus.two", "nurse"),
    ("gus.two", "biller"),
    ("hal.code", "coder"),
    ("ivy.priv", "privacy_officer"),
    ("joy.social", "social_worker"),
    ("ira.study", "researcher"),
    ("mia.lead", "manager"),
];

/// Who holds a role, in the tests.
pub fn login(role: &str) -> &'static str {
    PEOPLE.iter().find(|(_, held)| *held == role).map(|(login, _)| *login).unwrap()
}

/// The key of pseudonyms, known to the test as well.
pub fn token_key() -> TokenKey {
    root().token().unwrap()
}

fn root() -> RootKey {
    RootKey::new(Secret::new([7; 32]))
}

struct Words;

impl Notices for Words {
    fn refused(&self, refused: &RefusedCounts) -> Vec<u8> {
        let facts = refused.iter().map(|(code, count)| (code.to_owned(), count.to_string())).collect();
        Entry::new(noon(), EntryBody::Notice { code: "refused".to_owned(), facts }).to_bytes().unwrap()
    }

    fn merged(&self, merged: &MergedReserve) -> Vec<u8> {
        let facts = [("entries".to_owned(), merged.entries.to_string())].into();
        Entry::new(noon(), EntryBody::Notice { code: "merged".to_owned(), facts }).to_bytes().unwrap()
    }
}

/// Another server, but for what it does not answer.
pub struct Failing {
    pub inner: Arc<dyn Upstream>,
    /// The error of a search, if it has one.
    pub search: fn(&UpstreamQuery) -> Option<UpstreamError>,
    /// The error of every history, if it has one.
    pub history: Option<UpstreamError>,
}

impl Upstream for Failing {
    fn read<'a>(&'a self, kind: &'a str, id: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        self.inner.read(kind, id)
    }

    fn version<'a>(&'a self, kind: &'a str, id: &'a str, version: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        self.inner.version(kind, id, version)
    }

    fn history<'a>(&'a self, kind: &'a str, id: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        match &self.history {
            Some(error) => Box::pin(std::future::ready(Err(error.clone()))),
            None => self.inner.history(kind, id),
        }
    }

    fn search<'a>(&'a self, query: &'a UpstreamQuery) -> UpstreamFuture<'a, Fetched> {
        match (self.search)(query) {
            Some(error) => Box::pin(std::future::ready(Err(error))),
            None => self.inner.search(query),
        }
    }

    fn page<'a>(&'a self, link: &'a str) -> UpstreamFuture<'a, Fetched> {
        self.inner.page(link)
    }
}

/// A gateway, and what stands around it.
pub struct World {
    pub runtime: Runtime,
    pub gateway: Arc<Gateway>,
    pub pipeline: Arc<Pipeline>,
    pub clock: Arc<FixedClock>,
    pub upstream: Arc<Exchange>,
    pub recorder: Arc<Recorder>,
    pub issuer: Issuer,
    pub follower: Option<FeedFollower>,
    /// The state, and the right to write on it.
    pub state: (Store, ShardLease),
    dir: tempfile::TempDir,
}

impl World {
    pub fn new(upstream: Arc<dyn Upstream>) -> Self {
        Self::under(active(), upstream)
    }

    /// Whose answers leave as is said here.
    pub fn timed(upstream: Arc<dyn Upstream>, timing: AnswerTiming) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folders = [dir.path().join("ledger"), dir.path().join("reserve")];
        let options = |clock| OpenOptions::new("test/ledger", clock);
        Self::with_ledger((active(), timing), upstream, dir, &folders, options)
    }

    /// Under another policy.
    pub fn under(policy: Arc<Active>, upstream: Arc<dyn Upstream>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folders = [dir.path().join("ledger"), dir.path().join("reserve")];
        let options = |clock| OpenOptions::new("test/ledger", clock);
        Self::with_ledger((policy, AnswerTiming::ByRole), upstream, dir, &folders, options)
    }

    /// With the ledger and its reserve on a simulated disk.
    pub fn on_disk(upstream: Arc<dyn Upstream>, disk: &SimStorage) -> Self {
        let storage = Arc::new(disk.clone());
        let folders = ["/ledger", "/reserve"].map(PathBuf::from);
        let options = move |clock| OpenOptions {
            storage: Arc::clone(&storage) as Arc<dyn Storage>,
            segment_bytes: SEGMENT_BYTES_MIN,
            ..OpenOptions::new("test/ledger", clock)
        };
        let dir = tempfile::tempdir().unwrap();
        Self::with_ledger((active(), AnswerTiming::ByRole), upstream, dir, &folders, options)
    }

    fn with_ledger(
        (policy, timing): (Arc<Active>, AnswerTiming),
        upstream: Arc<dyn Upstream>,
        dir: tempfile::TempDir,
        [ledger, reserve]: &[PathBuf; 2],
        options: impl Fn(Arc<dyn Clock>) -> OpenOptions + Send + Sync + 'static,
    ) -> Self {
        let clock = Arc::new(FixedClock::new(noon()));
        let exchange = Arc::new(Exchange::new(upstream));
        let of_ledger = Arc::clone(&clock) as Arc<dyn Clock>;
        let recorder = RecorderOptions {
            ledger: Box::new(move || options(Arc::clone(&of_ledger))),
            reserves: vec![ReserveOptions { dir: reserve.clone(), bytes: 1 << 20 }],
            notices: Box::new(Words),
        };
        let recorder = Arc::new(Recorder::open(ledger, recorder).unwrap());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let database = format!("sqlite:{}", dir.path().join("scruple.db").display());
        let (access, follower, state) = runtime.block_on(access(&database, &clock));
        let parties = Parties { issuer: ISSUER.to_owned(), audience: BASE.to_owned() };
        let issuer = Issuer::generate(parties.clone(), &mut ChaCha20Rng::seed_from_u64(11)).unwrap();
        let verifier = Verifier::new(issuer.jwks(), parties, LEEWAY_SECONDS).unwrap().with_device_claim("device_id");
        let networks = Networks::parse("10.0.0.0/8", "10.9.0.1").unwrap();
        let pipeline = Arc::new(Pipeline::new(scruple_release::Parts {
            policy: Policy::new(policy),
            upstream: Arc::clone(&exchange) as Arc<dyn Upstream>,
            recorder: Arc::clone(&recorder),
            token: token_key(),
            page: root().column("gateway.page").unwrap(),
            base: BASE.to_owned(),
        }));
        let gateway = Arc::new(Gateway::new(Parts {
            pipeline: Arc::clone(&pipeline),
            access,
            verifier,
            path: "/fhir".to_owned(),
            timing,
            networks,
            now: noon(),
        }));
        let follower = Some(follower);
        Self { runtime, gateway, pipeline, clock, upstream: exchange, recorder, issuer, follower, state, dir }
    }

    pub fn ledger(&self) -> PathBuf {
        self.dir.path().join("ledger")
    }

    /// A token for somebody in a role.
    pub fn token(&self, role: &str, purpose: &str) -> String {
        self.token_of(login(role), &[role], Some(purpose))
    }

    pub fn token_of(&self, subject: &str, roles: &[&str], purpose: Option<&str>) -> String {
        let claims = Claims {
            subject: subject.to_owned(),
            client_id: "test".to_owned(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            purpose: purpose.map(str::to_owned),
            lifetime_seconds: 3_600,
        };
        self.issuer.issue(&claims, self.clock.now(), &mut ChaCha20Rng::seed_from_u64(12)).unwrap()
    }

    /// A token that says of the sign-in what is said here.
    pub fn token_signed_in(&self, role: &str, purpose: &str, sign_in: &SignIn<'_>) -> String {
        let claims = Claims {
            subject: login(role).to_owned(),
            client_id: "test".to_owned(),
            roles: vec![role.to_owned()],
            purpose: Some(purpose.to_owned()),
            lifetime_seconds: 8 * 3_600,
        };
        self.issuer.issue_signed_in(&claims, sign_in, self.clock.now(), &mut ChaCha20Rng::seed_from_u64(13)).unwrap()
    }

    /// Asks without a socket.
    pub fn ask(&self, request: &Request, token: Option<&str>, seed: u64) -> Response {
        self.ask_from(None, request, token, seed)
    }

    /// The same from an address.
    pub fn ask_from(&self, source: Option<&str>, request: &Request, token: Option<&str>, seed: u64) -> Response {
        let Some((response, id)) = self.handle_from(source, request, token, seed) else {
            // No HTTP client can send it, and no listener takes it.
            return Response { status: 400, headers: Vec::new(), body: Vec::new() };
        };
        let body = response.body.bytes().to_vec();
        let http = response.into_http(&id);
        let headers = http.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        Response { status: http.status().as_u16(), headers: headers.collect(), body }
    }

    /// What the gateway answers, and the request's id.
    pub fn handle(
        &self,
        request: &Request,
        token: Option<&str>,
        seed: u64,
    ) -> Option<(scruple_gateway::Response, String)> {
        self.handle_from(None, request, token, seed)
    }

    fn handle_from(
        &self,
        source: Option<&str>,
        request: &Request,
        token: Option<&str>,
        seed: u64,
    ) -> Option<(scruple_gateway::Response, String)> {
        let mut target = request.path.clone();
        if let Some(query) = &request.query {
            target = format!("{target}?{query}");
        }
        let mut builder = http::Request::builder().method(request.method.as_str()).uri(target);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        if let Some(token) = token {
            builder = builder.header("authorization", format!("Bearer {token}"));
        }
        let request = builder.body(Full::new(Bytes::from(request.body.clone()))).ok()?;
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let handled = self.gateway.handle(request, source.map(str::to_owned), self.clock.as_ref(), &mut rng);
        Some(self.runtime.block_on(handled))
    }

    /// GET as somebody in a role.
    pub fn get(&self, role: &str, purpose: &str, path_and_query: &str) -> Response {
        let token = self.token(role, purpose);
        self.ask(&request("GET", path_and_query), Some(&token), 1)
    }

    /// All entries of the ledger so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.recorder.main().unwrap().integrate_now().unwrap();
        read_entries(&self.ledger())
    }
}

/// The entries of a ledger.
pub fn read_entries(dir: &Path) -> Vec<Entry> {
    let read = entries(dir, Arc::new(FileSystem), None, 0).unwrap();
    read.filter_map(|entry| match entry.unwrap().payload {
        Payload::Open(bytes) => Some(Entry::from_bytes(&bytes).unwrap()),
        _ => None,
    })
    .collect()
}

async fn access(database: &str, clock: &Arc<FixedClock>) -> (Arc<AccessCache>, FeedFollower, (Store, ShardLease)) {
    let keys = StoreKeys::new(&root(), Box::new(ChaCha20Rng::seed_from_u64(3))).unwrap();
    let options = Options::parse(database, Durability::Relaxed).unwrap();
    let store = Store::connect(options, Box::new(keys)).await.unwrap();
    store.migrate().await.unwrap();
    let now = clock.now();
    let lease = store.acquire_shard(ShardId(1), "test", now, now.plus_micros(1 << 40)).await.unwrap().unwrap();
    let people: Vec<SeedPerson<'_>> = PEOPLE
        .iter()
        .map(|(login, role)| SeedPerson { login, name: login, role, practitioners: practitioners(login) })
        .collect();
    seed_workforce(&store, &lease, clock.as_ref(), &mut ChaCha20Rng::seed_from_u64(4), &people).await.unwrap();
    let cache = Arc::new(AccessCache::new(store.clone()));
    let follower = FeedFollower::new(
        store.clone(),
        Arc::clone(&cache),
        Arc::clone(clock) as Arc<dyn Clock>,
        Arc::new(Notify::new()),
    );
    follower.poll().await.unwrap();
    (cache, follower, (store, lease))
}

/// A request by its method, and path with query.
pub fn request(method: &str, path_and_query: &str) -> Request {
    let (path, query) = match path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (path_and_query, None),
    };
    Request { method: method.to_owned(), path: path.to_owned(), query, headers: Vec::new(), body: Vec::new() }
}

/// A POST of a form.
pub fn form(path: &str, body: &str) -> Request {
    let mut request = request("POST", path);
    request.headers.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
    request.body = body.as_bytes().to_vec();
    request
}

/// The stable code in an OperationOutcome.
pub fn code(response: &Response) -> String {
    let value: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    let code = value.pointer("/issue/0/details/coding/0/code").and_then(serde_json::Value::as_str);
    code.unwrap_or("-").to_owned()
}

/// A synthetic hospital behind the embedded server.
pub fn embedded_hospital() -> Arc<dyn Upstream> {
    static SERVER: OnceLock<Arc<EmbeddedUpstream>> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        let options = scruple_hospital::Options { patients: 30, seed: 1, as_of: noon(), canary: true };
        let server = Server::new(&scruple_hospital::Hospital::generate(&options), EMBEDDED_BASE);
        Arc::new(EmbeddedUpstream::new(server, Arc::new(FixedClock::new(noon()))))
    });
    Arc::clone(server) as Arc<dyn Upstream>
}
