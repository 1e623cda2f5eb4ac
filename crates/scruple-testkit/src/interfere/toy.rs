//! A system that is right by its making: the reference server over the view. What the harness is tested with.
//!
//! It refuses nothing by policy. Its page tokens are text with a sum behind it: enough to be spoilt, no secret.

use super::harness::{System, WorkTrace};
use super::oracle::{Scope, parse};
use super::reference::ReferenceServer;
use super::store::Store;
use super::text::{pairs, query};
use super::view::Sight;
use super::wire::{Request, Response};

/// The reference server as a system.
pub struct Toy<'a> {
    sight: &'a Sight,
    base: String,
    server: ReferenceServer,
}

impl<'a> Toy<'a> {
    /// For a caller, under a base.
    #[must_use]
    pub fn new(sight: &'a Sight, base: &str) -> Self {
        Self { sight, base: base.to_owned(), server: ReferenceServer::new(Vec::new(), base) }
    }

    fn page(&self, scope: &Scope, token: &str) -> Option<Vec<u8>> {
        let (path, number, written) = opened(token)?;
        if path != scope.path() {
            return None;
        }
        let asked = parse(scope.clone(), &pairs(&written)?).ok()?;
        Some(self.server.page_with_tokens(&asked, number, token, &sealed(&path, number + 1, &written)).body)
    }
}

impl System for Toy<'_> {
    fn load(&mut self, store: &Store) {
        self.server = ReferenceServer::of(self.sight.seen(store), &self.base).sharing(self.sight.shared());
    }

    fn ask(&mut self, request: &Request, _: u64) -> Response {
        let answer = self.server.answer(request);
        let page = answer.token.as_ref().and_then(|(scope, token)| self.page(scope, token));
        let (status, body) = match (&answer.query, page) {
            (_, Some(body)) => (200, body),
            (Some(asked), None) => {
                let next = sealed(&asked.scope.path(), 1, &query(&asked.echoed));
                (200, self.server.page_with_tokens(asked, 0, "-", &next).body)
            }
            (None, None) if answer.status == 200 => (200, answer.body),
            // The CapabilityStatement of a server that is none.
            (None, None) if answer.status == 0 => (200, br#"{"resourceType":"CapabilityStatement"}"#.to_vec()),
            (None, None) => (answer.status, br#"{"resourceType":"OperationOutcome"}"#.to_vec()),
        };
        let headers = vec![("content-type".to_owned(), "application/fhir+json".to_owned())];
        Response { status, headers, body }
    }

    fn work(&self) -> WorkTrace {
        WorkTrace::default()
    }
}

fn sum(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5_u32, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn sealed(path: &str, number: usize, written: &str) -> String {
    let plain = format!("{path} {number} {written}");
    let hex: String = plain.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{hex}.{:08x}", sum(&hex))
}

fn opened(token: &str) -> Option<(String, usize, String)> {
    let (hex, its) = token.split_once('.')?;
    if its != format!("{:08x}", sum(hex)) {
        return None;
    }
    let digits: Vec<char> = hex.chars().collect();
    let bytes = digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).ok());
    let plain = String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()?;
    let mut parts = plain.splitn(3, ' ');
    let (path, number, written) = (parts.next()?, parts.next()?, parts.next()?);
    Some((path.to_owned(), number.parse().ok()?, written.to_owned()))
}
