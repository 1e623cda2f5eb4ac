//! A service for one test: a database of its own, a clock that stands still, one token.

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use scruple_api::{Caller, Parts, TokenVerifier, Verifying, scim_router};
use scruple_app::{AccessCache, FeedFollower, StoreKeys};
use scruple_core::{Clock as _, FixedClock, Id, Phi, Timestamp, new_id};
use scruple_seal::{RootKey, Secret};
use scruple_store::{
    Aggregate, Durability, GrantRequest, NewEvent, NewGrant, NewPerson, Options, Person, ShardId, ShardLease, Store,
    Subject, Tx, Window, insert_grant, insert_person,
};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tower_service::Service as _;

pub const TOKEN: &str = "canary-token-2f9c";

/// Users whom a filter without an index is held against here.
pub const SCANNED_MAX: usize = 8;

pub const SHARD: ShardId = ShardId(1);

pub struct OneToken(pub Id<Person>);

impl TokenVerifier for OneToken {
    fn verify<'a>(&'a self, token: &'a str, _: Timestamp) -> Verifying<'a> {
        let caller = (token == TOKEN).then_some(Caller { person: self.0 });
        Box::pin(std::future::ready(caller))
    }
}

pub struct Service {
    pub store: Store,
    pub clock: Arc<FixedClock>,
    pub lease: ShardLease,
    pub service: Id<Person>,
    pub approver: Id<Person>,
    rng: Mutex<ChaCha20Rng>,
    router: Router,
    _folder: TempDir,
}

impl Service {
    pub async fn open() -> Self {
        Self::at("https://scruple.example/scim/v2").await
    }

    pub async fn at(base: &str) -> Self {
        Self::with_notice(base, 0).await
    }

    /// A service whose moves take effect so many seconds after they are told.
    pub async fn with_notice(base: &str, seconds: i64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("sqlite:{}", folder.path().join("state.db").display());
        let sealer = StoreKeys::new(&RootKey::new(Secret::new([7; 32])), Box::new(ChaCha20Rng::seed_from_u64(2)));
        let options = Options::parse(&address, Durability::Relaxed).unwrap();
        let store = Store::connect(options, Box::new(sealer.unwrap())).await.unwrap();
        store.migrate().await.unwrap();
        let clock = Arc::new(FixedClock::new(Timestamp::parse("2026-03-01T08:00:00Z").unwrap()));
        let until = clock.now().plus_micros(3_600_000_000);
        let lease = store.acquire_shard(SHARD, "node-a", clock.now(), until).await.unwrap().unwrap();
        let rng = Mutex::new(ChaCha20Rng::seed_from_u64(3));
        let nobody = Id::from_uuid(Default::default());
        let mut this = Self {
            store: store.clone(),
            clock: clock.clone(),
            lease: lease.clone(),
            service: nobody,
            approver: nobody,
            rng,
            router: Router::new(),
            _folder: folder,
        };
        this.service = this.person("provisioner").await;
        this.approver = this.person("approver").await;
        this.router = scim_router(Parts {
            store,
            lease,
            clock,
            rng: Box::new(ChaCha20Rng::seed_from_u64(4)),
            verifier: Arc::new(OneToken(this.service)),
            base: base.to_owned(),
            recorded: None,
            scanned_max: SCANNED_MAX,
            move_notice_micros: seconds * 1_000_000,
        });
        this
    }

    pub fn router(&self) -> Router {
        self.router.clone()
    }

    fn id<T>(&self) -> Id<T> {
        new_id(self.clock.now(), &mut *self.rng.lock().unwrap())
    }

    async fn commit(&self, tx: Tx, person: Id<Person>) {
        let event = NewEvent {
            id: self.id(),
            aggregate: Aggregate::new("test", self.id::<Person>()),
            version: 1,
            at: self.clock.now(),
            kind: "test",
            subjects: Subject::Person(person).into(),
            body: b"",
        };
        tx.commit(&self.lease, &[event]).await.unwrap();
    }

    pub async fn person(&self, login: &str) -> Id<Person> {
        let (id, login) = (self.id(), login.parse().unwrap());
        let person =
            NewPerson { id, login, name: Phi::new("x".to_owned()), contact: None, created_at: self.clock.now() };
        let mut tx = self.store.begin().await.unwrap();
        insert_person(&mut tx, &person).await.unwrap();
        self.commit(tx, id).await;
        id
    }

    /// Gives a role for a day, as a second person approves.
    pub async fn grant(&self, person: &str, role: &str) {
        // What was told before is before it.
        self.clock.advance_micros(1_000);
        let (person, now): (Id<Person>, _) = (person.parse().unwrap(), self.clock.now());
        let request = GrantRequest {
            id: self.id(),
            person,
            role: role.parse().unwrap(),
            window: Window::new(now, now.plus_micros(86_400_000_000)).unwrap(),
            requested_by: self.service,
            justification: Phi::new("works on the ward".to_owned()),
        };
        let mut tx = self.store.begin().await.unwrap();
        insert_grant(&mut tx, &NewGrant::approved(request, self.approver, now).unwrap()).await.unwrap();
        self.commit(tx, person).await;
        self.clock.advance_micros(1_000);
    }

    /// The roles that somebody holds, to a node that has just read the feed.
    pub async fn roles(&self, login: &str) -> Vec<String> {
        let cache = Arc::new(AccessCache::new(self.store.clone()));
        FeedFollower::new(self.store.clone(), Arc::clone(&cache), self.clock.clone(), Arc::default())
            .poll()
            .await
            .unwrap();
        let now = self.clock.now();
        let Some(held) = cache.held(login, now).await.unwrap() else { return Vec::new() };
        held.active(now).map(|active| active.role.to_string()).collect()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router().call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, json, text }
    }

    pub async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("/scim/v2{path}"));
        request = request.header("authorization", format!("Bearer {TOKEN}"));
        if body.is_some() {
            request = request.header("content-type", "application/scim+json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.send(request.body(body).unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[], None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::POST, path, &[], Some(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::PUT, path, &[], Some(body)).await
    }

    pub async fn patch(&self, path: &str, operations: &Value) -> Answer {
        let body = serde_json::json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": operations,
        });
        self.ask(Method::PATCH, path, &[], Some(&body)).await
    }

    /// A user who is there; answers with his id.
    pub async fn user(&self, body: &Value) -> String {
        // The ids of two persons are in the order in which they came.
        self.clock.advance_micros(1_000);
        let answer = self.post("/Users", body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        answer.id()
    }
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub json: Value,
    pub text: String,
}

impl Answer {
    pub fn id(&self) -> String {
        self.json["id"].as_str().unwrap().to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The status and the keyword of an error, whose body is what the RFC says.
    pub fn error(&self) -> (u16, &str) {
        assert_eq!(self.json["schemas"][0], "urn:ietf:params:scim:api:messages:2.0:Error", "{}", self.text);
        assert_eq!(self.json["status"], self.status.as_str());
        assert_eq!(self.header("content-type"), "application/scim+json");
        assert!(!self.text.contains("canary"), "{}", self.text);
        (self.status.as_u16(), self.json["scimType"].as_str().unwrap_or(""))
    }
}
