//! A client that keeps what it got: status, request id and body of each whole answer. One connection, blocking.

use memchr::memmem;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Bytes of a head.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// How long an answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(90);

/// A whole answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Got {
    /// The status.
    pub status: u16,
    /// The header `x-request-id`; empty if there is none.
    pub request_id: String,
    /// The body.
    pub body: Vec<u8>,
}

/// A client.
pub struct Client {
    server: SocketAddr,
    stream: Option<TcpStream>,
}

impl Client {
    /// Of a server. Nothing is connected yet.
    #[must_use]
    pub const fn new(server: SocketAddr) -> Self {
        Self { server, stream: None }
    }

    /// Asks, and waits for the whole answer.
    ///
    /// # Errors
    /// There is none, or not all of it; the next request goes over a new connection.
    pub fn ask(&mut self, request: &[u8]) -> io::Result<Got> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.server)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
                stream
            }
        };
        stream.write_all(request)?;
        let got = read(&mut stream)?;
        self.stream = Some(stream);
        Ok(got)
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn read(stream: &mut TcpStream) -> io::Result<Got> {
    let mut buffer = Vec::new();
    let mut block = vec![0; 64 << 10];
    let mut more = |buffer: &mut Vec<u8>| match stream.read(&mut block)? {
        0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
        count => {
            buffer.extend_from_slice(block.get(..count).unwrap_or_default());
            Ok(())
        }
    };
    let end = loop {
        if let Some(at) = memmem::find(&buffer, b"\r\n\r\n") {
            break at;
        }
        if buffer.len() > HEAD_BYTES_MAX {
            return Err(malformed("the head is too long"));
        }
        more(&mut buffer)?;
    };
    let head =
        std::str::from_utf8(buffer.get(..end).unwrap_or_default()).map_err(|_| malformed("the head is no text"))?;
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let status = status.ok_or_else(|| malformed("no answer of HTTP/1.1"))?;
    let header = |wanted: &str| {
        let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
        lines.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim().to_owned())
    };
    let length: usize =
        header("content-length").and_then(|length| length.parse().ok()).ok_or_else(|| malformed("no length"))?;
    let request_id = header("x-request-id").unwrap_or_default();
    buffer.drain(..end + 4);
    while buffer.len() < length {
        more(&mut buffer)?;
    }
    if buffer.len() > length {
        return Err(malformed("more than one answer"));
    }
    Ok(Got { status, request_id, body: buffer })
}

#[cfg(test)]
mod tests {
    use super::Client;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    #[test]
    fn only_a_whole_answer_counts() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let mut client = Client::new(listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for answer in [
                "HTTP/1.1 404 No\r\nX-Request-Id: 7\r\nContent-Length: 2\r\n\r\nok",
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
                "HTTP/1.1 200 OK\r\n\r\nok",
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nok",
            ] {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 4096]);
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let got = client.ask(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        assert_eq!((got.status, got.request_id.as_str(), got.body.as_slice()), (404, "7", b"ok".as_slice()));
        client.stream = None;
        for _ in 0..3 {
            assert!(client.ask(b"GET / HTTP/1.1\r\n\r\n").is_err());
        }
    }
}
