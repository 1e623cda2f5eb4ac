//! A listener with a handler for each test, and clients that write bytes.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use scruple_http::{Counters, Limits, RequestId, ServeReport, Server, read_body};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

/// A canary: a value that no log and no answer may hold.
pub const CANARY: &str = "Zq7CANARY";
/// The body of `/big`.
pub const BIG_BYTES: usize = 64 * 1024 * 1024;

pub fn limits() -> Limits {
    Limits { drain_ms: 10_000, ..Limits::default() }
}

/// What a test sees of its handlers.
#[derive(Default)]
pub struct Handlers {
    /// Handlers of `/wait` that have begun.
    pub begun: Notify,
    /// Lets one handler of `/wait` end.
    pub go: Notify,
    pub now: AtomicUsize,
    pub peak: AtomicUsize,
}

impl Handlers {
    async fn call(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, io::Error> {
        let answer = |status: u16, text: String| {
            let mut response = Response::new(Full::new(Bytes::from(text)));
            *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
            Ok(response)
        };
        match request.uri().path() {
            "/wait" => {
                self.begun.notify_one();
                self.go.notified().await;
                answer(200, "waited".to_owned())
            }
            "/hang" => std::future::pending().await,
            "/busy" => {
                let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
                self.peak.fetch_max(now, Ordering::SeqCst);
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                }
                self.now.fetch_sub(1, Ordering::SeqCst);
                answer(200, "busy".to_owned())
            }
            "/panic" => panic!("patient {CANARY}"),
            "/fail" => Err(io::Error::other(CANARY)),
            "/big" => answer(200, "x".repeat(BIG_BYTES)),
            "/id" => answer(200, request.extensions().get::<RequestId>().map(ToString::to_string).unwrap_or_default()),
            "/body" => match read_body(request.into_body(), 1_000, 300).await {
                Ok(body) => answer(200, format!("{} bytes", body.len())),
                Err(error) => answer(400, error.code().to_owned()),
            },
            _ => answer(200, "hello".to_owned()),
        }
    }
}

pub struct Running {
    pub address: SocketAddr,
    pub handlers: Arc<Handlers>,
    pub counters: Arc<Counters>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<ServeReport>,
}

pub async fn bind() -> Server {
    Server::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap()
}

pub async fn start(limits: Limits) -> Running {
    start_on(bind().await, limits)
}

pub fn start_on(server: Server, limits: Limits) -> Running {
    let handlers = Arc::new(Handlers::default());
    let (address, counters) = (server.local_addr(), server.counters());
    let (stop, stopped) = oneshot::channel();
    let calls = handlers.clone();
    let service = service_fn(move |request| {
        let calls = calls.clone();
        async move { calls.call(request).await }
    });
    let task = tokio::spawn(server.serve(service, limits, async {
        let _ = stopped.await;
    }));
    Running { address, handlers, counters, stop, task }
}

impl Running {
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Writes, and reads until the server ends the connection.
    pub async fn exchange(&self, text: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        stream.write_all(text.as_ref()).await.unwrap();
        to_end(&mut stream).await
    }

    /// Tells the listener to stop, and does not wait.
    pub fn begin_stop(self) -> JoinHandle<ServeReport> {
        self.stop.send(()).unwrap();
        self.task
    }

    pub async fn stop(self) -> ServeReport {
        within(self.begin_stop()).await.unwrap()
    }
}

/// A bound for what must happen.
pub async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("within 20 s")
}

/// Waits until a condition holds.
pub async fn until(mut holds: impl FnMut() -> bool) {
    within(async {
        let mut look = tokio::time::interval(Duration::from_millis(5));
        while !holds() {
            look.tick().await;
        }
    })
    .await;
}

/// All bytes until the peer ends, a reset included.
pub async fn to_end(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4_096];
    within(async {
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            bytes.extend_from_slice(&buffer[..read]);
        }
    })
    .await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads until `text` has come so many times; what came.
pub async fn until_text(stream: &mut (impl AsyncRead + Unpin), text: &str, times: usize) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4_096];
    within(async {
        while String::from_utf8_lossy(&bytes).matches(text).count() < times {
            let read = stream.read(&mut buffer).await.unwrap();
            assert!(read > 0, "ended before `{text}` came {times} times");
            bytes.extend_from_slice(&buffer[..read]);
        }
    })
    .await;
    String::from_utf8_lossy(&bytes).into_owned()
}

pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")
}

pub fn last_get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
}
