//! A console for one test, and pages as parsed HTML.

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use scraper::{ElementRef, Html, Selector};
use scruple_console::{HospitalLens, HospitalLensOptions, router, sample_router};
use scruple_core::{Clock, FixedClock, Timestamp};
use scruple_core::{Entry, EntryBody};
use scruple_hospital::{Hospital, Options};
use scruple_ledger::simulate::SimStorage;
use scruple_ledger::{Ledger, OpenOptions, Payload, SEGMENT_BYTES_MIN, entries};
use scruple_policy::{Active, PackFiles};
use scruple_seal::{RootKey, Secret, SystemRng};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use tower_service::Service as _;

/// Patients of the hospital; the canary patient comes behind them.
pub const PATIENTS: usize = 5;

pub static ACTIVE: LazyLock<Arc<Active>> =
    LazyLock::new(|| Arc::new(scruple_policy::activate(&PackFiles::embedded(), now()).unwrap()));

pub fn now() -> Timestamp {
    Timestamp::parse("2026-03-01T08:00:00Z").unwrap()
}

pub struct Console {
    router: Router,
    /// The disk of the ledger.
    disk: SimStorage,
}

/// The folder of the ledger.
const LEDGER: &str = "/ledger";

impl Console {
    pub fn open() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(FixedClock::new(now()));
        let disk = SimStorage::new();
        let options = OpenOptions {
            storage: Arc::new(disk.clone()),
            segment_bytes: SEGMENT_BYTES_MIN,
            ..OpenOptions::new("test/ledger", Arc::clone(&clock))
        };
        let ledger = Arc::new(Ledger::create_or_open(Path::new(LEDGER), options).unwrap());
        let options = Options { patients: PATIENTS, seed: 1, as_of: now(), canary: true };
        let lens = HospitalLens::new(HospitalLensOptions {
            hospital: Hospital::generate(&options),
            active: Box::new(|| Arc::clone(&ACTIVE)),
            ledger: Box::new(move || Some(Arc::clone(&ledger))),
            clock,
            token: RootKey::new(Secret::generate(&mut SystemRng)).token().unwrap(),
            rng: Box::new(SystemRng),
        });
        Self { router: router(Arc::new(lens)), disk }
    }

    /// What the ledger holds, in order.
    pub fn recorded(&self) -> Vec<EntryBody> {
        let read = entries(Path::new(LEDGER), Arc::new(self.disk.clone()), None, 0).unwrap();
        let body = |payload| match payload {
            Payload::Open(bytes) => Entry::from_bytes(&bytes).unwrap().body,
            _ => panic!("an entry does not open"),
        };
        read.map(|entry| body(entry.unwrap().payload)).collect()
    }

    /// From now on the ledger's disk fails.
    pub fn break_disk(&self) {
        self.disk.fail_from(self.disk.operations(), ErrorKind::Other);
    }

    pub async fn ask(&self, method: Method, path: &str) -> Answer {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        Answer::read(self.router.clone().call(request).await.unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path).await
    }

    /// From the samples, which the console does not serve.
    pub async fn samples(&self, path: &str) -> Answer {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        Answer::read(sample_router().call(request).await.unwrap()).await
    }

    /// A page that is there.
    pub async fn page(&self, path: &str) -> Page {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        Page(Html::parse_document(&answer.body))
    }
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    async fn read(response: http::Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub struct Page(pub Html);

impl Page {
    pub fn all(&self, selector: &str) -> Vec<ElementRef<'_>> {
        self.0.select(&Selector::parse(selector).unwrap()).collect()
    }

    /// The texts of what a selector finds, white space made one.
    pub fn texts(&self, selector: &str) -> Vec<String> {
        self.all(selector).into_iter().map(text).collect()
    }

    /// The link with this text.
    pub fn link(&self, label: &str) -> String {
        let found = self.all("a").into_iter().find(|link| text(*link) == label);
        found.unwrap_or_else(|| panic!("no link `{label}`")).attr("href").unwrap().to_owned()
    }

    /// The address of the part of the record with this type, the first one.
    pub fn part(&self, kind: &str) -> String {
        let found = self.all("nav.parts ul a").into_iter().find(|link| text(*link).split(' ').next() == Some(kind));
        found.unwrap_or_else(|| panic!("no part {kind}")).attr("href").unwrap().to_owned()
    }
}

pub fn text(element: ElementRef<'_>) -> String {
    element.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}
