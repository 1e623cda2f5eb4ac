//! A client of a few lines: one request on a connection of its own.

use anyhow::{Context as _, Result, ensure};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer.
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: String,
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// It, if the status is this one.
    pub fn is(self, status: u16) -> Result<Self> {
        ensure!(self.status == status, "{} in place of {status}: {}", self.status, self.body);
        Ok(self)
    }
}

/// Asks.
///
/// # Errors
/// There is no answer.
pub fn ask(server: SocketAddr, (method, target): (&str, &str), headers: &[(&str, &str)], body: &str) -> Result<Answer> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    write!(
        stream,
        "{method} {target} HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text)?;
    let text = String::from_utf8(text).context("an answer is no text")?;
    let (head, body) = text.split_once("\r\n\r\n").context("an answer has no head")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("an answer has no status")?;
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}
