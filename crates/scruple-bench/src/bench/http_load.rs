//! A load generator for HTTP/1.1: a closed loop over connections that stay, each sending its next request when the last
//! is answered in full. Bytes go out as they are given and answers are only counted, not parsed, so that it is light
//! enough to share no blame; `generator.rs` holds it against wrk.
//!
//! No TLS, no pipelining, no rate that is kept: a slow server gets fewer requests, and its latencies are those of a client
//! that waits.

use super::histogram::Histogram;
use super::processes::{given_plan, run_role};
use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

/// The first argument of the program that is the generator: the plan on standard input, the outcome on standard output.
pub const ROLE: &str = "http-load";

/// Bytes of a head of an answer.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// How long after the end an answer may still come.
const GRACE: Duration = Duration::from_secs(30);

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The server.
    pub server: SocketAddr,
    /// Whole requests, head and body, sent in turn; each connection begins at another.
    pub requests: Vec<String>,
    /// Connections.
    pub connections: usize,
    /// Milliseconds that are measured.
    pub millis: u64,
    /// Milliseconds before, that are not.
    pub warm_up_millis: u64,
}

/// A GET as bytes.
#[must_use]
pub fn get(server: SocketAddr, path: &str, headers: &[(&str, &str)]) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("GET {path} HTTP/1.1\r\nhost: {server}\r\n{headers}\r\n")
}

/// What came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Answers with status 200, in full.
    pub answers: u64,
    /// Answers with another status.
    pub other_status: u64,
    /// Connections that could not be made, ended early, or answered with no HTTP.
    pub broken: u64,
    /// Bytes of all bodies with status 200.
    pub body_bytes: u64,
    /// Nanoseconds that were measured.
    pub nanos: u64,
    /// Latencies of the answers with status 200, in nanoseconds: half of all do not pass it.
    pub p50_nanos: u64,
    /// 99 of a hundred.
    pub p99_nanos: u64,
    /// 999 of a thousand.
    pub p999_nanos: u64,
    /// The largest.
    pub largest_nanos: u64,
}

impl Outcome {
    /// Answers a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.answers as f64 / Duration::from_nanos(self.nanos).as_secs_f64().max(1e-9)
    }

    /// Half of the answers came within it.
    #[must_use]
    pub fn p50(&self) -> Duration {
        Duration::from_nanos(self.p50_nanos)
    }

    /// 99 of a hundred answers came within it.
    #[must_use]
    pub fn p99(&self) -> Duration {
        Duration::from_nanos(self.p99_nanos)
    }

    /// What was not answered with 200.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.other_status + self.broken
    }
}

/// Runs the plan in a process of its own, on this core if one is given.
///
/// # Errors
/// The process fails. That the server answers with errors is in the outcome.
pub fn run_on(core: Option<usize>, plan: &Plan) -> Result<Outcome> {
    run_role(core, ROLE, plan)
}

/// The role of the process that `run_on` starts.
///
/// # Errors
/// The plan cannot be read or run.
pub fn role() -> Result<String> {
    Ok(serde_json::to_string(&run(&given_plan()?)?)?)
}

/// Runs the plan on this thread.
///
/// # Errors
/// The plan asks nothing, or the server leaves a request without an answer for too long.
pub fn run(plan: &Plan) -> Result<Outcome> {
    ensure!(!plan.requests.is_empty() && plan.connections > 0, "the plan asks nothing");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let begin = Instant::now();
    let from = begin + Duration::from_millis(plan.warm_up_millis);
    let until = from + Duration::from_millis(plan.millis);
    let counts = Rc::new(RefCell::new(Counts::default()));
    let ended = runtime.block_on(async {
        let local = LocalSet::new();
        for first in 0..plan.connections {
            local.spawn_local(connection(plan.clone(), first, from, until, Rc::clone(&counts)));
        }
        tokio::time::timeout(until - begin + GRACE, local).await
    });
    if ended.is_err() {
        bail!("a request has no answer {} s after the end", GRACE.as_secs());
    }
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let measured = from.elapsed();
    let counts = counts.borrow();
    Ok(Outcome {
        answers: counts.latencies.count(),
        other_status: counts.other_status,
        broken: counts.broken,
        body_bytes: counts.body_bytes,
        nanos: nanos(measured),
        p50_nanos: nanos(counts.latencies.at(500)),
        p99_nanos: nanos(counts.latencies.at(990)),
        p999_nanos: nanos(counts.latencies.at(999)),
        largest_nanos: nanos(counts.latencies.largest()),
    })
}

#[derive(Default)]
struct Counts {
    latencies: Histogram,
    other_status: u64,
    broken: u64,
    body_bytes: u64,
}

impl Counts {
    fn add(&mut self, answer: Result<Answer>, latency: Duration) {
        match answer {
            Ok(answer) if answer.status == 200 => {
                self.latencies.record(latency);
                self.body_bytes += answer.body_bytes;
            }
            Ok(_) => self.other_status += 1,
            Err(_) => self.broken += 1,
        }
    }
}

async fn connection(plan: Plan, first: usize, from: Instant, until: Instant, counts: Rc<RefCell<Counts>>) {
    let mut requests = plan.requests.iter().cycle().skip(first % plan.requests.len());
    let mut open: Option<Connection> = None;
    while Instant::now() < until {
        let Some(request) = requests.next() else { return };
        let begin = Instant::now();
        let answer = match &mut open {
            Some(connection) => connection.ask(request).await,
            None => match Connection::open(plan.server).await {
                Ok(connection) => open.insert(connection).ask(request).await,
                Err(error) => Err(error),
            },
        };
        let end = Instant::now();
        if !answer.as_ref().is_ok_and(|answer| !answer.closes) {
            open = None;
        }
        let is_broken = answer.is_err();
        if end >= from {
            counts.borrow_mut().add(answer, end - begin);
        }
        if is_broken {
            // A server that refuses at once must not keep the others from this thread.
            tokio::task::yield_now().await;
        }
    }
}

/// A whole answer.
pub(super) struct Answer {
    pub status: u16,
    pub body_bytes: u64,
    pub closes: bool,
}

/// A connection that stays.
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub async fn open(server: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 << 10) })
    }

    /// Sends a request and reads its answer to the end.
    pub async fn ask(&mut self, request: &str) -> Result<Answer> {
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        let head = loop {
            if let Some(at) = memchr::memmem::find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            ensure!(self.buffer.len() < HEAD_BYTES_MAX, "the head is too long");
            self.more().await?;
        };
        let told = Head::read(self.buffer.get(..head).unwrap_or_default())?;
        let body_bytes = match told.length {
            Length::Known(length) => {
                let mut left = length.checked_sub((self.buffer.len() - head) as u64).context("more than one answer")?;
                while left > 0 {
                    self.buffer.clear();
                    left = left.checked_sub(self.more().await? as u64).context("more than one answer")?;
                }
                length
            }
            Length::Chunked => self.chunks(head).await?,
        };
        Ok(Answer { status: told.status, body_bytes, closes: told.closes })
    }

    /// Reads chunks from a place of the buffer to the last one; how many bytes they hold.
    async fn chunks(&mut self, mut at: usize) -> Result<u64> {
        let mut bytes = 0;
        loop {
            let line = loop {
                let rest = self.buffer.get(at..).unwrap_or_default();
                if let Some(end) = memchr::memmem::find(rest, b"\r\n") {
                    break rest.get(..end).unwrap_or_default().to_vec();
                }
                ensure!(rest.len() < HEAD_BYTES_MAX, "a line is too long");
                self.more().await?;
            };
            let size = std::str::from_utf8(&line)?.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).context("a chunk without its size")?;
            at += line.len() + 2;
            // Of the last one the empty line behind it; trailers are not taken.
            let end = at.checked_add(size + 2).context("a chunk is too long")?;
            while self.buffer.len() < end {
                self.more().await?;
            }
            ensure!(self.buffer.get(end - 2..end) == Some(b"\r\n"), "a chunk without its end");
            if size == 0 {
                ensure!(self.buffer.len() == end, "more than one answer");
                return Ok(bytes);
            }
            bytes += size as u64;
            self.buffer.drain(..end);
            at = 0;
        }
    }

    async fn more(&mut self) -> Result<usize> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => bail!("the server ends the connection"),
            count => Ok(count),
        }
    }
}

enum Length {
    Known(u64),
    Chunked,
}

struct Head {
    status: u16,
    length: Length,
    closes: bool,
}

impl Head {
    fn read(bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes).context("the head is not text")?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
        let status = status.context("not an answer of HTTP/1.1")?;
        let (mut length, mut closes) = (None, false);
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(Length::Known(value.parse().context("a length that is no number")?));
            } else if name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case("chunked") {
                length = Some(Length::Chunked);
            } else if name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close") {
                closes = true;
            }
        }
        match length {
            Some(length) => Ok(Self { status, length, closes }),
            None if status == 204 || status == 304 => Ok(Self { status, length: Length::Known(0), closes }),
            None => bail!("the answer does not tell its length"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Plan, get, run};
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// What a server that sends these answers in turn, whatever is asked, is measured to do. An empty one ends the connection.
    fn measure(answers: &'static [&'static str]) -> Outcome {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let server = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut answers = answers.iter().cycle();
            for stream in listener.incoming() {
                let (mut stream, mut buffer) = (stream.unwrap(), [0; 4096]);
                stream.set_nodelay(true).unwrap();
                while stream.read(&mut buffer).is_ok_and(|n| n > 0) {
                    let answer = answers.next().unwrap();
                    // In two pieces, so that it is put together again.
                    let (one, two) = answer.split_at(answer.len() / 2);
                    if answer.is_empty() || stream.write_all(one.as_bytes()).is_err() {
                        break;
                    }
                    std::thread::yield_now();
                    if stream.write_all(two.as_bytes()).is_err() {
                        break;
                    }
                }
            }
        });
        let requests = vec![get(server, "/a", &[("accept", "*/*")])];
        run(&Plan { server, requests, connections: 1, millis: 100, warm_up_millis: 0 }).unwrap()
    }

    #[test]
    fn whole_answers_are_counted_with_their_bodies() {
        for answer in [
            &["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
            &["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n"],
        ] {
            let outcome = measure(answer);
            assert!(outcome.answers > 0 && outcome.errors() == 0, "{outcome:?}");
            assert_eq!(outcome.body_bytes, outcome.answers * 5);
            assert!(outcome.p50() > std::time::Duration::ZERO && outcome.p50() <= outcome.p99());
        }
    }

    #[test]
    fn what_is_no_whole_answer_with_status_200_is_an_error() {
        let outcome = measure(&["HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 204 None\r\n\r\n"]);
        assert!(outcome.other_status > 0 && outcome.answers + outcome.broken == 0, "{outcome:?}");
        for answer in [
            &[""],
            &["HTTP/1.1 200 OK\r\n\r\nhello"],
            &["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhello"],
            &["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
            &["HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
            &["SSH-2.0-x\r\n\r\n"],
        ] {
            let outcome = measure(answer);
            assert!(outcome.broken > 0 && outcome.answers + outcome.other_status == 0, "{answer:?} {outcome:?}");
        }
    }

    #[test]
    fn a_connection_that_the_server_closes_is_made_again() {
        let outcome = measure(&["HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"]);
        assert!(outcome.answers > 0 && outcome.errors() == 0, "{outcome:?}");
    }
}
