//! An HTTP server on 127.0.0.1 that answers by a handler, and misbehaves on demand: what an upstream can do to a client.
//!
//! It writes bytes itself, so that it can break the protocol. HTTP/1.1, one thread for each connection, no TLS. It is no
//! FHIR server: the handler says what is in an answer, a [`Fault`] what goes wrong on its way.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Bytes of a request's head, and of its body, that are taken.
const REQUEST_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Milliseconds between two looks at whether the client or the server is gone.
const LOOK_MS: u64 = 10;
/// Bytes of one piece of a huge body.
const PIECE_BYTES: usize = 64 * 1024;

/// A request as it came in, for assertions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// The connection that it came on, from 0 in the order of their coming.
    pub connection: usize,
    /// `GET`, `POST`.
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    /// Header lines, names in lower case, in their order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Seen {
    /// The value of the first header of that name (in lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// An answer of the handler.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The content type, if any.
    pub content_type: Option<String>,
    /// More header lines.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// 200 with FHIR JSON.
    #[must_use]
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            content_type: Some("application/fhir+json".to_owned()),
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// With another status.
    #[must_use]
    pub const fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// With another content type.
    #[must_use]
    pub fn with_type(mut self, content_type: Option<&str>) -> Self {
        self.content_type = content_type.map(str::to_owned);
        self
    }

    /// With one more header line.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn head(&self, length: &str) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Scripted\r\n", self.status);
        if let Some(content_type) = &self.content_type {
            head.push_str(&format!("content-type: {content_type}\r\n"));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(length);
        head.push_str("\r\n");
        head.into_bytes()
    }

    fn whole(&self) -> Vec<u8> {
        let mut bytes = self.head(&format!("content-length: {}\r\n", self.body.len()));
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// What goes wrong with an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// No byte of an answer ever comes.
    SlowFirstByte,
    /// A byte of the body comes now and then, without end.
    SlowTrickle,
    /// The connection ends after the request was read, without an answer.
    CloseBeforeAnswer,
    /// The server closes its half in the middle of the head.
    HalfCloseInHead,
    /// The server closes its half in the middle of the body.
    HalfCloseInBody,
    /// The declared length is more than what is sent; the connection stays open.
    LengthTooLong,
    /// The declared length is less than what is sent.
    LengthTooShort,
    /// Two lengths that differ.
    LengthTwice,
    /// Chunks whose sizes are no numbers.
    ChunkedGarbage,
    /// Chunks that end in the middle.
    ChunkedCutOff,
    /// The body is gzip, and says so, though it was not asked for.
    Gzip,
    /// FHIR XML.
    Xml,
    /// A page with status 200, as a portal or a proxy sends it.
    Html200,
    /// Another text, by its type.
    WrongType,
    /// No content type at all.
    NoType,
    /// A body in another character set.
    Charset,
    /// A body of so many MiB, with its length declared.
    Huge(usize),
    /// A body of so many MiB in chunks, its length not declared.
    HugeChunked(usize),
    /// A head that does not end.
    HugeHead,
    /// A redirect to another server.
    Redirect,
    /// This status, with the handler's body.
    Status(u16),
    /// Bytes that are no HTTP.
    NoHttp,
    /// The body is cut to its first half, with its right length.
    HalfJson,
}

impl Fault {
    /// One of each.
    pub const ALL: &'static [Self] = &[
        Self::SlowFirstByte,
        Self::SlowTrickle,
        Self::CloseBeforeAnswer,
        Self::HalfCloseInHead,
        Self::HalfCloseInBody,
        Self::LengthTooLong,
        Self::LengthTooShort,
        Self::LengthTwice,
        Self::ChunkedGarbage,
        Self::ChunkedCutOff,
        Self::Gzip,
        Self::Xml,
        Self::Html200,
        Self::WrongType,
        Self::NoType,
        Self::Charset,
        Self::Huge(1024),
        Self::HugeChunked(1024),
        Self::HugeHead,
        Self::Redirect,
        Self::Status(500),
        Self::Status(401),
        Self::NoHttp,
        Self::HalfJson,
    ];

    fn steps(self, answer: &Answer) -> Vec<Step> {
        let whole = answer.whole();
        let half = answer.body.len() / 2;
        let first_half = answer.body.get(..half).unwrap_or_default().to_vec();
        let with = |head: Vec<u8>, body: &[u8]| Step::Send([head.as_slice(), body].concat());
        let typed = |name: Option<&str>| vec![Step::Send(answer.clone().with_type(name).whole())];
        let declared = |length: usize| answer.head(&format!("content-length: {length}\r\n"));
        match self {
            Self::SlowFirstByte => vec![Step::Hold],
            Self::SlowTrickle => vec![Step::Send(declared(1 << 16)), Step::Trickle(b'{')],
            Self::CloseBeforeAnswer => vec![Step::Close],
            Self::HalfCloseInHead => vec![Step::Send(whole.get(..20).unwrap_or_default().to_vec()), Step::CloseHalf],
            Self::HalfCloseInBody => vec![with(declared(answer.body.len()), &first_half), Step::CloseHalf],
            Self::LengthTooLong => vec![with(declared(answer.body.len() + 10), &answer.body), Step::Hold],
            Self::LengthTooShort => vec![with(declared(half), &answer.body)],
            Self::LengthTwice => {
                let lengths = format!("content-length: {}\r\ncontent-length: {half}\r\n", answer.body.len());
                vec![with(answer.head(&lengths), &answer.body)]
            }
            Self::ChunkedGarbage => {
                vec![with(answer.head("transfer-encoding: chunked\r\n"), b"xyz\r\n"), Step::Send(answer.body.clone())]
            }
            Self::ChunkedCutOff => {
                let mut chunk = format!("{:x}\r\n", answer.body.len()).into_bytes();
                chunk.extend_from_slice(&first_half);
                vec![with(answer.head("transfer-encoding: chunked\r\n"), &chunk), Step::Close]
            }
            Self::Gzip => {
                let zipped = Answer { body: gzip(&answer.body), ..answer.clone() };
                vec![Step::Send(zipped.with_header("content-encoding", "gzip").whole())]
            }
            Self::Xml => {
                let body = b"<Patient xmlns=\"http://hl7.org/fhir\"><id value=\"1\"/></Patient>".to_vec();
                let answer = Answer { body, ..answer.clone() };
                vec![Step::Send(answer.with_type(Some("application/fhir+xml")).whole())]
            }
            Self::Html200 => {
                let body = [b"<!doctype html><title>Sign in</title><p>".as_slice(), &answer.body].concat();
                vec![Step::Send(Answer { body, ..answer.clone() }.with_type(Some("text/html; charset=utf-8")).whole())]
            }
            Self::WrongType => typed(Some("text/plain")),
            Self::NoType => typed(None),
            Self::Charset => typed(Some("application/fhir+json; charset=iso-8859-1")),
            Self::Huge(mib) => vec![Step::Send(declared(mib << 20)), Step::Repeat(piece(), mib << 4)],
            Self::HugeChunked(mib) => {
                let chunk = [format!("{PIECE_BYTES:x}\r\n").into_bytes(), piece(), b"\r\n".to_vec()].concat();
                vec![
                    Step::Send(answer.head("transfer-encoding: chunked\r\n")),
                    Step::Repeat(chunk, mib << 4),
                    Step::Send(b"0\r\n\r\n".to_vec()),
                ]
            }
            Self::HugeHead => {
                let line = format!("x: {}\r\n", "y".repeat(1_000)).into_bytes();
                vec![Step::Send(b"HTTP/1.1 200 OK\r\n".to_vec()), Step::Repeat(line, 100_000)]
            }
            Self::Redirect => {
                let answer = answer.clone().with_status(302).with_header("location", "http://127.0.0.1:1/elsewhere");
                vec![Step::Send(answer.whole())]
            }
            Self::Status(status) => vec![Step::Send(answer.clone().with_status(status).whole())],
            Self::NoHttp => vec![Step::Send(answer.body.clone()), Step::Close],
            Self::HalfJson => vec![Step::Send(Answer { body: first_half, ..answer.clone() }.whole())],
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // A vector takes every write.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

fn piece() -> Vec<u8> {
    vec![b' '; PIECE_BYTES]
}

enum Step {
    Send(Vec<u8>),
    Repeat(Vec<u8>, usize),
    /// The byte again and again, until the client leaves.
    Trickle(u8),
    /// Nothing, until the client leaves.
    Hold,
    /// The server's half is closed; then it waits for the client to leave.
    CloseHalf,
    Close,
}

type Handler = dyn Fn(&Seen) -> Answer + Send + Sync;

#[derive(Default)]
struct Faults {
    once: VecDeque<Fault>,
    standing: Option<Fault>,
}

struct Inner {
    handler: Box<Handler>,
    faults: Mutex<Faults>,
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    /// Connections are closed after one answer, without saying so.
    closes: AtomicBool,
    stopping: AtomicBool,
}

/// The server. It stops, and ends its connections, when it is dropped.
pub struct FaultServer {
    address: SocketAddr,
    inner: Arc<Inner>,
    accepting: Option<JoinHandle<()>>,
}

impl FaultServer {
    /// A server on a free port that answers by `handler`.
    ///
    /// # Errors
    /// No port can be bound, or no thread started.
    pub fn start(handler: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let inner = Arc::new(Inner {
            handler: Box::new(handler),
            faults: Mutex::default(),
            seen: Mutex::default(),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            closes: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
        });
        let shared = inner.clone();
        let accepting =
            std::thread::Builder::new().name("faults".to_owned()).spawn(move || shared.accept(&listener))?;
        Ok(Self { address, inner, accepting: Some(accepting) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:port` and the path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next request meets this fault; further calls queue up.
    pub fn next(&self, fault: Fault) {
        lock(&self.inner.faults).once.push_back(fault);
    }

    /// Every request meets this fault, until it is told otherwise.
    pub fn always(&self, fault: Option<Fault>) {
        lock(&self.inner.faults).standing = fault;
    }

    /// Whether each connection is closed behind its first answer, without `Connection: close`: a pooled connection is
    /// then gone when it is used again.
    pub fn close_silently(&self, closes: bool) {
        self.inner.closes.store(closes, Ordering::SeqCst);
    }

    /// The requests so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.inner.seen).clone()
    }

    /// Connections so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.inner.connections.load(Ordering::SeqCst)
    }

    /// Connections that are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.inner.open.load(Ordering::SeqCst)
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.inner.stopping.store(true, Ordering::SeqCst);
        // One more connection wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.stopping.load(Ordering::SeqCst) {
                break;
            }
            let Ok(stream) = stream else { continue };
            let connection = self.connections.fetch_add(1, Ordering::SeqCst);
            self.open.fetch_add(1, Ordering::SeqCst);
            let inner = self.clone();
            let serving = std::thread::Builder::new().spawn(move || {
                // However it ends, it is over.
                let _ = inner.serve(connection, stream);
                inner.open.fetch_sub(1, Ordering::SeqCst);
            });
            if serving.is_err() {
                self.open.fetch_sub(1, Ordering::SeqCst);
            }
        }
    }

    fn serve(&self, connection: usize, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_millis(LOOK_MS)))?;
        let mut buffered = Vec::new();
        while let Some(request) = self.read_request(connection, &mut stream, &mut buffered)? {
            let fault = {
                let mut faults = lock(&self.faults);
                faults.once.pop_front().or(faults.standing)
            };
            lock(&self.seen).push(request.clone());
            let answer = (self.handler)(&request);
            let steps = fault.map_or_else(|| vec![Step::Send(answer.whole())], |fault| fault.steps(&answer));
            for step in steps {
                if !self.run(step, &mut stream)? {
                    return Ok(());
                }
            }
            if self.closes.load(Ordering::SeqCst) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether the connection goes on.
    fn run(&self, step: Step, stream: &mut TcpStream) -> io::Result<bool> {
        match step {
            Step::Send(bytes) => stream.write_all(&bytes)?,
            Step::Repeat(bytes, times) => {
                for _ in 0..times {
                    if self.stopping.load(Ordering::SeqCst) {
                        return Ok(false);
                    }
                    stream.write_all(&bytes)?;
                }
            }
            Step::Trickle(byte) => {
                while self.client_stays(stream) {
                    stream.write_all(&[byte])?;
                }
                return Ok(false);
            }
            Step::Hold => {
                while self.client_stays(stream) {}
                return Ok(false);
            }
            Step::CloseHalf => {
                stream.shutdown(Shutdown::Write)?;
                while self.client_stays(stream) {}
                return Ok(false);
            }
            Step::Close => return Ok(false),
        }
        Ok(true)
    }

    /// Waits one look; whether both sides are still there.
    fn client_stays(&self, stream: &mut TcpStream) -> bool {
        if self.stopping.load(Ordering::SeqCst) {
            return false;
        }
        match stream.read(&mut [0; 512]) {
            Ok(read) => read > 0,
            Err(error) => matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        }
    }

    /// The next request; `None` when the client has left.
    fn read_request(
        &self,
        connection: usize,
        stream: &mut TcpStream,
        buffered: &mut Vec<u8>,
    ) -> io::Result<Option<Seen>> {
        let head_end = loop {
            if let Some(at) = buffered.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            if !self.more(stream, buffered)? {
                return Ok(None);
            }
        };
        let head = String::from_utf8_lossy(buffered.get(..head_end).unwrap_or_default()).into_owned();
        buffered.drain(..head_end + 4);
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut seen = Seen {
            connection,
            method: words.next().unwrap_or_default(),
            target: words.next().unwrap_or_default(),
            headers,
            body: Vec::new(),
        };
        let length = seen.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        while buffered.len() < length {
            if !self.more(stream, buffered)? {
                return Ok(None);
            }
        }
        seen.body = buffered.drain(..length).collect();
        Ok(Some(seen))
    }

    /// Reads on; whether there is more to come.
    fn more(&self, stream: &mut TcpStream, buffered: &mut Vec<u8>) -> io::Result<bool> {
        let mut piece = [0; 8_192];
        loop {
            if self.stopping.load(Ordering::SeqCst) || buffered.len() > REQUEST_BYTES_MAX {
                return Ok(false);
            }
            match stream.read(&mut piece) {
                Ok(0) => return Ok(false),
                Ok(read) => {
                    buffered.extend_from_slice(piece.get(..read).unwrap_or_default());
                    return Ok(true);
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(server: &FaultServer) -> Vec<u8> {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(b"POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut bytes = Vec::new();
        let _ = stream.take(1 << 20).read_to_end(&mut bytes);
        bytes
    }

    #[test]
    fn it_answers_by_its_handler_and_misbehaves_when_told() {
        let server = FaultServer::start(|seen| Answer::json(seen.body.clone())).unwrap();
        server.next(Fault::Status(500));
        server.next(Fault::CloseBeforeAnswer);
        assert!(exchange(&server).starts_with(b"HTTP/1.1 500 "));
        assert_eq!(exchange(&server), b"");
        assert!(exchange(&server).ends_with(b"content-length: 3\r\n\r\nabc"));
        let seen = server.seen();
        assert_eq!(seen.len(), 3);
        assert_eq!((seen[2].connection, seen[2].method.as_str(), seen[2].target.as_str()), (2, "POST", "/a?b"));
        assert_eq!(seen[2].header("host"), Some("x"));
    }

    #[test]
    fn every_fault_ends_when_the_client_leaves() {
        let server = FaultServer::start(|_| Answer::json("{\"resourceType\":\"Patient\"}")).unwrap();
        for fault in Fault::ALL {
            server.next(*fault);
            exchange(&server);
        }
        assert_eq!(server.connections(), Fault::ALL.len());
    }
}
