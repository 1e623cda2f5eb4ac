//! [`BareServer`]: a server that others wrote, asked with nothing of ours before it.

use crate::Behind;
use crate::behind::put_store;
use scruple_testkit::interfere::{Request, Response, Store, System, WorkTrace};
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// For a request.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The server itself, as a system.
pub struct BareServer {
    server: String,
    /// The path of a gateway's base, in whose place that of the store comes.
    root: String,
    base: String,
}

impl BareServer {
    /// Over a server that takes stores; none is loaded yet. `root`: the path that requests begin with, such as `/fhir`.
    #[must_use]
    pub fn new(behind: &Behind, root: &str) -> Option<Self> {
        let server = behind.address()?.to_owned();
        Some(Self { server, root: root.to_owned(), base: String::new() })
    }

    fn send(&self, request: &Request) -> io::Result<Response> {
        let host = self.server.trim_start_matches("http://");
        let path = self.base.strip_prefix(self.server.as_str()).unwrap_or_default();
        let below = request.path.strip_prefix(self.root.as_str()).unwrap_or(&request.path);
        let query = request.query.as_deref().map(|query| format!("?{query}")).unwrap_or_default();
        // HTTP/1.0: the answer comes whole, and ends with the connection.
        let mut head = format!("{} {path}{below}{query} HTTP/1.0\r\nhost: {host}\r\n", request.method);
        for (name, value) in &request.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !request.body.is_empty() {
            head.push_str(&format!("content-length: {}\r\n", request.body.len()));
        }
        head.push_str("\r\n");
        let mut stream = TcpStream::connect(host)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.write_all(head.as_bytes())?;
        stream.write_all(&request.body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        response(&answer).ok_or_else(|| io::Error::other("no HTTP answer"))
    }
}

fn response(answer: &[u8]) -> Option<Response> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(answer.get(..end)?).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let header = |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    Some(Response { status, headers: lines.filter_map(header).collect(), body: answer.get(end + 4..)?.to_vec() })
}

impl System for BareServer {
    fn load(&mut self, store: &Store) {
        self.base = put_store(&self.server, store).unwrap_or_default();
    }

    fn ask(&mut self, request: &Request, _: u64) -> Response {
        let failed = |why: &io::Error| Response { status: 0, headers: Vec::new(), body: why.to_string().into_bytes() };
        self.send(request).unwrap_or_else(|why| failed(&why))
    }

    fn work(&self) -> WorkTrace {
        WorkTrace::default()
    }
}
