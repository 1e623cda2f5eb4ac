//! The base URL of a FHIR server, and whether a link stays under it.

use http::uri::{Authority, PathAndQuery};
use std::fmt;

/// Why a text is no base. The text is not repeated: it may hold a password.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidBase {
    /// It does not begin with `http://` or `https://`.
    #[error("a base URL begins with `http://` or `https://`")]
    Scheme,
    /// It has a user or password.
    #[error("a base URL holds no user and no password: give the credential by its own key")]
    UserInfo,
    /// No host, or a port that is no number.
    #[error("the base URL's host or port cannot be read")]
    Host,
    /// It has a query or a fragment.
    #[error("a base URL has no query and no fragment")]
    Query,
    /// Its path has empty or dotted segments, or letters that do not belong there.
    #[error("the base URL's path is not normal")]
    Path,
}

/// A base URL: scheme, host and port, and a path without the last slash.
#[derive(Clone, PartialEq, Eq)]
pub struct Base {
    https: bool,
    host: String,
    port: u16,
    /// Empty, or `/` and segments.
    path: String,
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme(), self.authority(), self.path)
    }
}

impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Base {
    /// Reads and normalises a base: host in lower case, no default port, no slash at the end.
    ///
    /// # Errors
    /// It is no `http` or `https` URL, or holds what a base may not hold.
    pub fn parse(text: &str) -> Result<Self, InvalidBase> {
        let (https, rest) = scheme(text).ok_or(InvalidBase::Scheme)?;
        if rest.contains(['?', '#']) {
            return Err(InvalidBase::Query);
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(InvalidBase::UserInfo);
        }
        let (host, port) = host_and_port(authority, https).ok_or(InvalidBase::Host)?;
        let path = path.strip_suffix('/').unwrap_or(path);
        if !is_normal(path) || (!path.is_empty() && PathAndQuery::try_from(path).is_err()) {
            return Err(InvalidBase::Path);
        }
        Ok(Self { https, host, port, path: path.to_owned() })
    }

    /// Whether it is reached by TLS.
    #[must_use]
    pub const fn is_https(&self) -> bool {
        self.https
    }

    /// Whether what goes to it can be read on the way: no TLS, and not on this machine.
    #[must_use]
    pub fn is_clear_text(&self) -> bool {
        let loopback = matches!(self.host.as_str(), "localhost" | "[::1]") || self.host.starts_with("127.");
        !self.https && !loopback
    }

    const fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    /// Host, and port where it is not the scheme's own.
    pub(crate) fn authority(&self) -> String {
        if self.port == default_port(self.https) { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    /// Where to connect.
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}:{}/", self.scheme(), self.host, self.port)
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Path and query of a link, if it stays under this base: absolute, from the root, or relative to the base.
    pub(crate) fn under(&self, link: &str) -> Option<String> {
        // Printable ASCII; a fragment goes nowhere, and a backslash is a slash to some.
        if !link.bytes().all(|byte| byte.is_ascii_graphic()) || link.contains(['#', '\\']) {
            return None;
        }
        let (path, query) = match link.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (link, None),
        };
        let within = if let Some((https, rest)) = scheme(path) {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let same = host_and_port(authority, https)
                .is_some_and(|(host, port)| https == self.https && host == self.host && port == self.port);
            self.within(same.then_some(path)?)?
        } else if path.starts_with("//") {
            return None;
        } else if path.starts_with('/') {
            self.within(path)?
        } else if path.split('/').next().is_some_and(|first| first.contains(':')) {
            return None;
        } else {
            path
        };
        let within = within.strip_prefix('/').unwrap_or(within);
        let mut target = self.path.clone();
        if !within.is_empty() {
            target.push('/');
            target.push_str(within);
        }
        if !is_normal(target.strip_suffix('/').unwrap_or(&target)) {
            return None;
        }
        if target.is_empty() {
            target.push('/');
        }
        if let Some(query) = query {
            target.push('?');
            target.push_str(query);
        }
        PathAndQuery::try_from(target.as_str()).ok()?;
        Some(target)
    }

    /// What of a path is behind the base's.
    fn within<'a>(&self, path: &'a str) -> Option<&'a str> {
        let rest = path.strip_prefix(self.path.as_str())?;
        (rest.is_empty() || rest.starts_with('/')).then_some(rest)
    }
}

fn scheme(text: &str) -> Option<(bool, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    match scheme {
        _ if scheme.eq_ignore_ascii_case("https") => Some((true, rest)),
        _ if scheme.eq_ignore_ascii_case("http") => Some((false, rest)),
        _ => None,
    }
}

const fn default_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

fn host_and_port(authority: &str, https: bool) -> Option<(String, u16)> {
    if authority.contains('@') {
        return None;
    }
    let parsed = Authority::try_from(authority).ok()?;
    let host = parsed.host().to_ascii_lowercase();
    let port = match authority.get(host.len()..)? {
        "" => default_port(https),
        rest => rest.strip_prefix(':')?.parse().ok()?,
    };
    (!host.is_empty() && port != 0).then_some((host, port))
}

/// No segment that is empty, that a server may read as `.` or `..`, or that hides a slash.
fn is_normal(path: &str) -> bool {
    let Some(segments) = path.strip_prefix('/') else { return path.is_empty() };
    segments.split('/').all(|segment| {
        let segment = segment.to_ascii_lowercase().replace("%2e", ".");
        let name = segment.split(';').next().unwrap_or_default();
        let hidden = ["%2f", "%5c", "%00", "%25"].iter().any(|hidden| segment.contains(hidden));
        !segment.is_empty() && !hidden && !name.is_empty() && !name.chars().all(|letter| letter == '.')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_normalised() {
        let check = |text: &str| Base::parse(text).map(|base| base.to_string());
        assert_eq!(check("http://Fhir.Example:80/R4/").as_deref(), Ok("http://fhir.example/R4"));
        assert_eq!(check("HTTPS://fhir.example:8443").as_deref(), Ok("https://fhir.example:8443"));
        assert_eq!(check("https://[::1]:443/fhir").as_deref(), Ok("https://[::1]/fhir"));
        assert_eq!(check("fhir.example/R4"), Err(InvalidBase::Scheme));
        assert_eq!(check("ftp://fhir.example"), Err(InvalidBase::Scheme));
        assert_eq!(check("http://user:secret@fhir.example/"), Err(InvalidBase::UserInfo));
        assert_eq!(check("http:///fhir"), Err(InvalidBase::Host));
        assert_eq!(check("http://a:b/fhir"), Err(InvalidBase::Host));
        assert_eq!(check("http://a:0/fhir"), Err(InvalidBase::Host));
        assert_eq!(check("http://a/fhir?x=1"), Err(InvalidBase::Query));
        assert_eq!(check("http://a/fhir#x"), Err(InvalidBase::Query));
        for path in ["/a//b", "/a/../b", "/a/%2E%2e", "/a/..;x/b", "/a b", "/a%2fb"] {
            assert_eq!(check(&format!("http://a{path}")), Err(InvalidBase::Path), "{path}");
        }
    }

    #[test]
    fn clear_text_is_what_leaves_the_machine_without_tls() {
        let check = |text: &str| Base::parse(text).unwrap().is_clear_text();
        assert!(check("http://fhir.example"));
        assert!(!check("https://fhir.example") && !check("http://127.0.0.1:8080") && !check("http://localhost"));
    }

    #[test]
    fn a_link_stays_under_its_base_or_is_foreign() {
        let base = Base::parse("http://fhir.example:8080/r4").unwrap();
        let check = |link: &str| base.under(link);
        for (link, target) in [
            ("http://fhir.example:8080/r4/Patient?page=2", "/r4/Patient?page=2"),
            ("HTTP://FHIR.example:8080/r4?_getpages=a|b", "/r4?_getpages=a|b"),
            ("http://fhir.example:8080/r4", "/r4"),
            ("/r4/Patient?x=http://other/..", "/r4/Patient?x=http://other/.."),
            ("Patient?page=2", "/r4/Patient?page=2"),
            ("?page=2", "/r4?page=2"),
            ("", "/r4"),
        ] {
            assert_eq!(check(link).as_deref(), Some(target), "{link}");
        }
        for link in [
            "https://fhir.example:8080/r4/Patient",
            "http://fhir.example/r4/Patient",
            "http://fhir.example:8081/r4/Patient",
            "http://other.example:8080/r4/Patient",
            "http://fhir.example:8080.other.example/r4/Patient",
            "http://fhir.example:8080@other.example/r4/Patient",
            "http://user@fhir.example:8080/r4/Patient",
            "http://fhir.example:8080/r5/Patient",
            "http://fhir.example:8080/r44/Patient",
            "http://fhir.example:8080/r4/../admin",
            "http://fhir.example:8080/r4/%2e%2E/admin",
            "http://fhir.example:8080/r4/..;/admin",
            "http://fhir.example:8080/r4/.%2e/admin",
            "http://fhir.example:8080/r4/%252e%252e/admin",
            "http://fhir.example:8080/r4/a%2f..%2fb",
            "http://fhir.example:8080/r4//other.example/x",
            "http://fhir.example:8080/r4/Patient#x",
            "http://fhir.example:8080/r4/Patient?a b",
            "http://fhir.example:8080/r4/Patient\r\nx: y",
            "//other.example/r4/Patient",
            "/admin",
            "../admin",
            "/r4\\..\\admin",
            "file:///etc/passwd",
            "urn:uuid:1",
            "javascript:alert(1)",
            "http:/fhir.example:8080/r4",
        ] {
            assert_eq!(check(link), None, "{link}");
        }
        let root = Base::parse("http://a").unwrap();
        assert_eq!(root.under("http://a?x=1").as_deref(), Some("/?x=1"));
        assert_eq!(root.under("http://a/Patient").as_deref(), Some("/Patient"));
        assert_eq!(root.under("//b/Patient"), None);
    }
}
