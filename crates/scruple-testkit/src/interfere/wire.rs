//! Requests and responses as plain data.

use std::fmt;

/// A request, without scheme and host.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`.
    pub method: String,
    /// From the root, as it is sent: `/fhir/Patient/1`.
    pub path: String,
    /// What stands behind `?`, as it is sent.
    pub query: Option<String>,
    /// Names and values. The harness's user adds the caller's token.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// A GET of this path.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: "GET".to_owned(), path: path.into(), query: None, headers: Vec::new(), body: Vec::new() }
    }

    /// With this query.
    #[must_use]
    pub fn with_query(mut self, query: impl Into<String>) -> Self {
        self.query = Some(query.into());
        self
    }

    /// With this header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The value of a header; case of the name does not matter.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

/// As one would read it. Stores of tests are synthetic, so that it may be printed.
impl fmt::Debug for Request {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.method, self.path)?;
        if let Some(query) = &self.query {
            write!(out, "?{query}")?;
        }
        for (name, value) in &self.headers {
            write!(out, " [{name}: {value}]")?;
        }
        if !self.body.is_empty() {
            write!(out, " {}", String::from_utf8_lossy(&self.body))?;
        }
        Ok(())
    }
}

/// A response.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Names and values in their order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header; case of the name does not matter.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// What stands behind `?` in the `next` link of a Bundle.
    #[must_use]
    pub fn next_query(&self) -> Option<String> {
        if self.status != 200 {
            return None;
        }
        let body: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        let links = body.get("link")?.as_array()?;
        let next = links.iter().find(|link| link.get("relation").and_then(|name| name.as_str()) == Some("next"))?;
        Some(next.get("url")?.as_str()?.split_once('?')?.1.to_owned())
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.status)?;
        for (name, value) in &self.headers {
            write!(out, " [{name}: {value}]")?;
        }
        write!(out, "\n{}", String::from_utf8_lossy(&self.body))
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}
