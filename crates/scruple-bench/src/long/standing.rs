//! A gateway that stands still: one caller, over a store that can be exchanged, at one instant.

use crate::node::{NOON, Person, Setting, Words, Workforce, issuer, token, workforce};
use anyhow::Result;
use bytes::Bytes;
use http_body_util::Full;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use scruple_core::{Clock, FixedClock};
use scruple_gateway::{AnswerTiming, Gateway};
use scruple_ledger::{OpenOptions, Recorder, RecorderOptions};
use scruple_pairs::{Behind, Exchange};
use scruple_policy::Active;
use scruple_release::Upstream;
use scruple_testkit::interfere::{Request, Response, Store, System, WorkTrace};
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// A gateway for one caller over a store that can be exchanged.
pub(super) struct OverStore {
    runtime: Arc<Runtime>,
    gateway: Gateway,
    exchange: Arc<Exchange>,
    behind: Behind,
    token: String,
    /// A store that could not be loaded: every answer is then wrong, and says so.
    broken: bool,
    _dir: tempfile::TempDir,
}

impl OverStore {
    pub fn new(runtime: &Arc<Runtime>, active: &Arc<Active>, person: &Person, behind: &Behind) -> Result<Self> {
        let dir = scratch()?;
        let clock: Arc<dyn Clock> = Arc::new(FixedClock::new(NOON));
        let of_ledger = Arc::clone(&clock);
        let options = RecorderOptions {
            ledger: Box::new(move || OpenOptions::new("pairs/ledger", Arc::clone(&of_ledger))),
            reserves: Vec::new(),
            notices: Box::new(Words(Arc::clone(&clock))),
        };
        let recorder = Recorder::open(&dir.path().join("ledger"), options)?;
        let database = format!("sqlite:{}", dir.path().join("scruple.db").display());
        // The clock stands still, so that what was learnt at the beginning stays fresh.
        let Workforce { cache, .. } = runtime.block_on(workforce(&database, &clock, std::slice::from_ref(person)))?;
        let issuer = issuer(&mut ChaCha20Rng::seed_from_u64(11))?;
        let exchange = Arc::new(Exchange::new(behind.upstream(&Store::new(), NOON)?));
        let setting = Setting {
            active: Arc::clone(active),
            upstream: Arc::clone(&exchange) as Arc<dyn Upstream>,
            recorder: Arc::new(recorder),
            access: cache,
            jwks: issuer.jwks().to_owned(),
            timing: AnswerTiming::Plain,
            now: NOON,
        };
        Ok(Self {
            runtime: Arc::clone(runtime),
            gateway: setting.gateway()?,
            exchange,
            behind: behind.clone(),
            token: token(&issuer, person, NOON, &mut ChaCha20Rng::seed_from_u64(12))?,
            broken: false,
            _dir: dir,
        })
    }
}

/// A folder in memory if there is one: what is compared are answers, and nothing has to outlive them.
fn scratch() -> Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    let builder = &mut tempfile::Builder::new();
    let builder = builder.prefix("scruple-pairs-");
    Ok(if memory.is_dir() { builder.tempdir_in(memory)? } else { builder.tempdir()? })
}

impl System for OverStore {
    fn load(&mut self, store: &Store) {
        match self.behind.upstream(store, NOON) {
            Ok(upstream) => self.exchange.put(upstream),
            Err(_) => self.broken = true,
        }
    }

    fn ask(&mut self, request: &Request, seed: u64) -> Response {
        if self.broken {
            return Response { status: 0, headers: Vec::new(), body: b"the store was not loaded".to_vec() };
        }
        let target = match &request.query {
            Some(query) => format!("{}?{query}", request.path),
            None => request.path.clone(),
        };
        let mut builder = http::Request::builder().method(request.method.as_str()).uri(target);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        let builder = builder.header("authorization", format!("Bearer {}", self.token));
        let Ok(request) = builder.body(Full::new(Bytes::from(request.body.clone()))) else {
            // No HTTP client can send it, and no listener takes it.
            return Response { status: 400, headers: Vec::new(), body: Vec::new() };
        };
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let (response, id) =
            self.runtime.block_on(self.gateway.handle(request, None, &FixedClock::new(NOON), &mut rng));
        let body = response.body.bytes().to_vec();
        let http = response.into_http(&id);
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = http.headers().iter().map(|(name, value)| (name.to_string(), text(value)));
        Response { status: http.status().as_u16(), headers: headers.collect(), body }
    }

    fn work(&self) -> WorkTrace {
        WorkTrace::default()
    }
}
