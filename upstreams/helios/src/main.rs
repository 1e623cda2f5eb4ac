//! A FHIR R4 server for tests: Helios' own router over its own SQLite storage, on 127.0.0.1 and a free port.
//!
//! Here stand only named stores and how they are filled; every answer below a store's base is Helios' own, as it is.
//! Nothing outlives the program, nobody is asked who he is: not for use with real records.
//!
//!   helios-upstream [--load DIR]... [--search-parameters FILE]
//!
//! Prints one line of JSON, {"base":"http://127.0.0.1:PORT/fhir/R4"}, when it is ready. Ends on SIGTERM, and when its
//! standard input closes, so that it never outlives who started it.

mod store;

use std::collections::HashMap;
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use store::{Filled, Setting, Store};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
const STORES_MAX: usize = 1_000;
const STORE_NAME_BYTES_MAX: usize = 64;
const BASE: &str = "/fhir/R4";

const USAGE: &str = "usage: helios-upstream [--load DIR]... [--search-parameters FILE]";

type Any = Box<dyn Error + Send + Sync>;

struct Words {
    load: Vec<PathBuf>,
    search_parameters: Option<PathBuf>,
}

/// What every request finds.
struct Server {
    setting: Setting,
    /// One store per name; the one without a name holds what --load gave.
    stores: Mutex<HashMap<String, Arc<Store>>>,
}

#[tokio::main]
async fn main() {
    let words = match words(std::env::args().skip(1)) {
        Some(words) => words,
        None => {
            eprintln!("{USAGE}");
            std::process::exit(2);
        }
    };
    let folder = std::env::temp_dir().join(format!("helios-upstream-{}", std::process::id()));
    let outcome = run(&words, &folder).await;
    let _ = std::fs::remove_dir_all(&folder);
    if let Err(error) = outcome {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
    // Helios' own tasks go on; nothing is left for them to do.
    std::process::exit(0);
}

fn words(mut given: impl Iterator<Item = String>) -> Option<Words> {
    let mut words = Words { load: Vec::new(), search_parameters: None };
    while let Some(name) = given.next() {
        let value = PathBuf::from(given.next()?);
        match name.as_str() {
            "--load" => words.load.push(value),
            "--search-parameters" => words.search_parameters = Some(value),
            _ => return None,
        }
    }
    Some(words)
}

async fn run(words: &Words, folder: &Path) -> Result<(), Any> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    let setting = Setting::new(folder, port, words.search_parameters.as_deref())?;
    let server = Arc::new(Server { setting, stores: Mutex::default() });
    let unnamed = server.store("")?.ok_or("no room for a store")?;
    for folder in &words.load {
        load(&unnamed, folder).await?;
    }
    println!("{}", serde_json::json!({ "base": format!("http://127.0.0.1:{port}{BASE}") }));
    std::io::stdout().flush()?;

    let router = axum::Router::new().fallback(answer).with_state(server);
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        ended = async { axum::serve(listener, router).await } => ended?,
        _ = terminated.recv() => {}
        () = input_closed() => {}
    }
    Ok(())
}

async fn input_closed() {
    let mut input = tokio::io::stdin();
    let mut ignored = [0; 1024];
    while input.read(&mut ignored).await.is_ok_and(|read| read > 0) {}
}

/// Puts the resources of every *.ndjson of a folder into a store, all at once.
async fn load(store: &Store, folder: &Path) -> Result<(), Any> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "ndjson"));
    files.sort();
    for file in files {
        if let Filled::Wrong { line, why } = store.add(&std::fs::read_to_string(&file)?).await? {
            return Err(format!("{}, line {line}: {why}", file.display()).into());
        }
    }
    Ok(())
}

impl Server {
    /// The store of a name, made if need be; none where there are too many.
    fn store(&self, name: &str) -> Result<Option<Arc<Store>>, Any> {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = stores.get(name) {
            return Ok(Some(Arc::clone(store)));
        }
        if stores.len() >= STORES_MAX {
            return Ok(None);
        }
        let store = Arc::new(Store::new(&self.setting, name)?);
        stores.insert(name.to_owned(), Arc::clone(&store));
        Ok(Some(store))
    }

    fn drop_store(&self, name: &str) -> bool {
        self.stores.lock().unwrap_or_else(PoisonError::into_inner).remove(name).is_some()
    }
}

async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response {
    let outcome = match place(request.uri().path()) {
        Some((name, Some(rest))) => within(&server, &name, &rest, request).await,
        Some((name, None)) => whole(&server, &name, request).await,
        None => Ok(refused(StatusCode::NOT_FOUND, "not-found", "outside the base")),
    };
    // The text of no error leaves: it may quote a record.
    outcome.unwrap_or_else(|_| refused(StatusCode::INTERNAL_SERVER_ERROR, "exception", "the server failed"))
}

/// The name of the store, and the path behind its base; none for the store as a whole.
fn place(path: &str) -> Option<(String, Option<String>)> {
    let behind = |path: &str| {
        let rest = path.strip_prefix(BASE)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.to_owned())
    };
    if let Some(rest) = behind(path) {
        return Some((String::new(), Some(rest)));
    }
    let path = path.strip_prefix('/')?;
    let (name, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
    let known = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-';
    if name.is_empty() || name.len() > STORE_NAME_BYTES_MAX || !name.bytes().all(known) {
        return None;
    }
    if rest.is_empty() { Some((name.to_owned(), None)) } else { Some((name.to_owned(), Some(behind(rest)?))) }
}

/// A request of FHIR: Helios' router gets it with the base taken off.
async fn within(server: &Server, name: &str, rest: &str, mut request: Request) -> Result<Response, Any> {
    let Some(store) = server.store(name)? else { return Ok(too_many()) };
    let path = if rest.is_empty() { "/" } else { rest };
    let target = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    *request.uri_mut() = Uri::try_from(target)?;
    Ok(store.answer(request).await)
}

/// A store as a whole: PUT makes it hold the NDJSON of the body and nothing else, DELETE drops it.
async fn whole(server: &Server, name: &str, request: Request) -> Result<Response, Any> {
    if request.method() == Method::DELETE {
        let status = if server.drop_store(name) { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND };
        return Ok(status.into_response());
    }
    if request.method() != Method::PUT {
        return Ok(refused(StatusCode::METHOD_NOT_ALLOWED, "not-supported", "PUT or DELETE"));
    }
    let Ok(body) = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX).await else {
        return Ok(refused(StatusCode::PAYLOAD_TOO_LARGE, "too-long", "the body is too large"));
    };
    let Ok(text) = std::str::from_utf8(&body) else {
        return Ok(refused(StatusCode::BAD_REQUEST, "structure", "the body is not UTF-8"));
    };
    let Some(store) = server.store(name)? else { return Ok(too_many()) };
    Ok(match store.replace(text).await? {
        Filled::Whole => StatusCode::NO_CONTENT.into_response(),
        Filled::Wrong { line, why } => refused(StatusCode::BAD_REQUEST, "structure", &format!("line {line}: {why}")),
    })
}

fn too_many() -> Response {
    refused(StatusCode::SERVICE_UNAVAILABLE, "throttled", "too many stores")
}

fn refused(status: StatusCode, code: &str, text: &str) -> Response {
    let outcome = serde_json::json!({
        "resourceType": "OperationOutcome",
        "issue": [{ "severity": "error", "code": code, "details": { "text": text } }],
    });
    let headers = [(header::CONTENT_TYPE, "application/fhir+json; charset=utf-8")];
    (status, headers, Body::from(outcome.to_string())).into_response()
}
