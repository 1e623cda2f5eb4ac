//! A request's text: decoding, control parameters, criteria, and the cursor of a page.
//!
//! Nothing is ignored: a parameter that the server does not know refuses the search. A refusal names no value and no name of
//! the request, only which parameter it is.

use super::criterion::Criterion;
use super::shelf::{Order, Shelf, SortBy};
use super::value::Words;
use std::borrow::Cow;

/// Resources on a page without `_count`.
pub(super) const PAGE_DEFAULT: usize = 50;
/// Resources on a page at most.
pub(super) const PAGE_MAX: usize = 1_000;
/// Criteria of a search.
const CRITERIA_MAX: usize = 64;
/// Parameters with the control parameters.
const PARAMETERS_MAX: usize = CRITERIA_MAX + 8;
/// A decoded value.
const VALUE_BYTES_MAX: usize = 512;
/// The parameter that carries a [`Cursor`].
pub(super) const CURSOR: &str = "_cursor";

/// Why a request is not answered: the parts of an error response.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub status: u16,
    /// A code of `OperationOutcome.issue.code`.
    pub issue: &'static str,
    /// For a person; nothing of the request.
    pub text: Cow<'static, str>,
}

impl Refusal {
    pub fn new(status: u16, issue: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self { status, issue, text: text.into() }
    }

    /// There is no such resource, or no such version of it.
    pub fn absent() -> Self {
        Self::new(404, "not-found", "there is no such resource")
    }

    fn malformed(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, "invalid", text)
    }
}

/// Reads the parameters of a history: how many versions go on a page. `_format` is the caller's business.
pub(super) fn history_count(pairs: &[(String, String)]) -> Result<usize, Refusal> {
    let mut count = None;
    let mut formats = 0;
    for (name, value) in pairs {
        match name.as_str() {
            "_count" if count.is_none() => {
                let read = page_count(value).ok_or_else(|| Refusal::malformed("`_count` is no number"))?;
                count = Some(read);
            }
            "_format" if formats == 0 => formats += 1,
            _ => return Err(Refusal::new(400, "not-supported", "only one `_count` and one `_format` may stand here")),
        }
    }
    Ok(count.unwrap_or(PAGE_DEFAULT))
}

/// A value of `_count`. What does not fit a number is above the maximum too.
fn page_count(digits: &str) -> Option<usize> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().map_or(PAGE_MAX, |count: usize| count.min(PAGE_MAX)))
}

/// Names and values, decoded.
pub(super) type Pairs = Vec<(String, String)>;

/// A search as it is carried out.
pub(super) struct Search {
    pub criteria: Vec<Criterion>,
    pub orders: Vec<Order>,
    /// Resources on a page.
    pub count: usize,
    /// Only the total is wanted.
    pub total_only: bool,
}

/// Reads `name=value&name=value`.
pub(super) fn pairs(text: &[u8]) -> Result<Pairs, Refusal> {
    let mut pairs = Vec::new();
    for piece in text.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty()) {
        if pairs.len() == PARAMETERS_MAX {
            return Err(Refusal::new(400, "too-costly", format!("more than {CRITERIA_MAX} parameters")));
        }
        let mut sides = piece.splitn(2, |byte| *byte == b'=');
        let mut side = || decode(sides.next().unwrap_or_default(), true);
        match (side(), side()) {
            (Some(name), Some(value)) => pairs.push((name, value)),
            _ => return Err(Refusal::malformed("a name or value is not percent-encoded UTF-8")),
        }
    }
    Ok(pairs)
}

/// Percent-decoded; in a form a `+` is a space. None: a `%` without two digits, or no UTF-8.
pub(super) fn decode(text: &[u8], form: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex(*rest.next()?)? << 4 | hex(*rest.next()?)?,
            b'+' if form => b' ',
            byte => *byte,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// As a query: all but letters, digits and `-._~` percent-encoded.
pub(super) fn encode(pairs: &[(String, String)]) -> String {
    let mut out = String::new();
    for (name, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        encode_part(name, &mut out);
        out.push('=');
        encode_part(value, &mut out);
    }
    out
}

pub(super) fn encode_part(text: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.push(HEX.get(usize::from(digit)).copied().map_or('0', char::from));
            }
        }
    }
}

impl Search {
    /// Reads the parameters of a search of `shelf`. `_format` is the caller's business.
    pub fn parse(
        resource_type: &str,
        shelf: &Shelf,
        words: &Words,
        pairs: &[(String, String)],
    ) -> Result<Self, Refusal> {
        let mut search = Self { criteria: Vec::new(), orders: Vec::new(), count: PAGE_DEFAULT, total_only: false };
        let mut controls: Vec<&str> = Vec::new();
        for (place, (name, value)) in (1_usize..).zip(pairs) {
            let malformed = |what: &str| Refusal::malformed(format!("parameter {place}: {what}"));
            if value.is_empty() || value.len() > VALUE_BYTES_MAX {
                return Err(malformed(&format!("a value has 1 to {VALUE_BYTES_MAX} bytes")));
            }
            if matches!(name.as_str(), "_count" | "_sort" | "_total" | "_summary" | "_format") {
                if controls.contains(&name.as_str()) {
                    return Err(malformed("it stands twice"));
                }
                controls.push(name);
                search.control(shelf, name, value).ok_or_else(|| malformed("no value of this control parameter"))?;
                continue;
            }
            let Some((column, parameter)) = shelf.column(name) else {
                let text = format!("parameter {place} is not one that {resource_type} is searched by (see /metadata)");
                return Err(Refusal::new(400, "not-supported", text));
            };
            let criterion = Criterion::parse(column, parameter, value, words);
            let kind = parameter.kind.word();
            search.criteria.push(criterion.ok_or_else(|| malformed(&format!("it cannot be read as {kind}")))?);
        }
        if search.criteria.len() > CRITERIA_MAX {
            return Err(Refusal::new(400, "too-costly", format!("more than {CRITERIA_MAX} parameters")));
        }
        Ok(search)
    }

    fn control(&mut self, shelf: &Shelf, name: &str, value: &str) -> Option<()> {
        match (name, value) {
            ("_count", digits) => {
                self.count = page_count(digits)?;
                self.total_only |= self.count == 0;
            }
            ("_sort", orders) => {
                self.orders = orders.split(',').map(|order| Order::parse(shelf, order)).collect::<Option<_>>()?
            }
            ("_summary", "count") => self.total_only = true,
            // The total is always given, and always exact.
            ("_total", "none" | "estimate" | "accurate") | ("_summary", "false") | ("_format", _) => {}
            _ => return None,
        }
        Some(())
    }
}

impl Order {
    fn parse(shelf: &Shelf, text: &str) -> Option<Self> {
        let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        let by = match name {
            "_lastUpdated" => SortBy::Updated,
            name => SortBy::Column(shelf.column(name)?.0),
        };
        Some(Self { by, descending })
    }
}

/// Where a page begins: the parameters, and how many matches or versions lie before. It holds all of it, so that the server
/// keeps nothing, and opens only at the path that it was sealed for.
pub(super) struct Cursor {
    pub query: String,
    pub from: usize,
}

impl Cursor {
    pub fn seal(&self, path: &str) -> String {
        base64url(format!("{path}\n{}\n{}", self.from, self.query).as_bytes())
    }

    /// None: no cursor of this path.
    pub fn open(token: &str, path: &str) -> Option<Self> {
        let text = String::from_utf8(from_base64url(token)?).ok()?;
        let mut lines = text.splitn(3, '\n');
        if lines.next()? != path {
            return None;
        }
        let from = lines.next()?.parse().ok()?;
        Some(Self { from, query: lines.next()?.to_owned() })
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn base64url(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            let letter = ALPHABET.get((word >> (18 - 6 * place)) as usize & 63);
            out.extend(letter.copied().map(char::from));
        }
    }
    out
}

fn from_base64url(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for chunk in text.as_bytes().chunks(4) {
        let mut word = 0_u32;
        for letter in chunk {
            let digit = ALPHABET.iter().position(|known| known == letter)?;
            word = word << 6 | u32::try_from(digit).ok()?;
        }
        let word = word << (6 * (4 - chunk.len()));
        let bytes = word.to_be_bytes();
        out.extend_from_slice(bytes.get(1..chunk.len())?);
        if bytes.get(chunk.len()..)?.iter().any(|rest| *rest != 0) {
            return None;
        }
    }
    Some(out)
}

/// Whether a list of media types, or one of `_format`, takes FHIR JSON.
pub(super) fn takes_json(media_types: &str) -> bool {
    media_types.split(',').any(|media_type| {
        let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        matches!(
            media_type.as_str(),
            "*/*" | "application/*" | "application/json" | "application/fhir+json" | "json" | "text/json"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded() {
        for (text, expected) in [
            ("", Some(vec![])),
            ("a=b&&c=d&", Some(vec![("a", "b"), ("c", "d")])),
            ("a=%C3%B1+x%2B%26%3D&a=", Some(vec![("a", "ñ x+&="), ("a", "")])),
            ("%61%3Ab", Some(vec![("a:b", "")])),
            ("a=b=c", Some(vec![("a", "b=c")])),
            ("a=ñ", Some(vec![("a", "ñ")])),
            ("a=%", None),
            ("a=%4", None),
            ("a=%4g", None),
            ("a=%+1", None),
            ("a=%ff", None),
            ("%C3=a", None),
        ] {
            let expected = expected.map(|pairs| {
                pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Pairs>()
            });
            assert_eq!(pairs(text.as_bytes()).ok(), expected, "{text}");
            if let Some(expected) = expected {
                assert_eq!(pairs(encode(&expected).as_bytes()), Ok(expected), "{text} once more");
            }
        }
        assert_eq!(decode(b"a+b%20c", false).as_deref(), Some("a+b c"));
        assert_eq!(encode(&[("a b".to_owned(), "ñ~,".to_owned())]), "a%20b=%C3%B1~%2C");
    }

    #[test]
    fn cursors_open_as_they_were_sealed() {
        for from in [0, 7, 50, 123_456] {
            let cursor = Cursor { query: format!("name=a%2Cb&_count={from}"), from };
            let token = cursor.seal("Patient");
            assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')));
            let opened = Cursor::open(&token, "Patient").unwrap();
            assert_eq!((opened.query.as_str(), opened.from), (cursor.query.as_str(), from));
            assert!(Cursor::open(&token, "Observation").is_none());
            assert!(Cursor::open(&format!("{token}="), "Patient").is_none());
        }
        for token in ["", "A", "AAAAA", "_", "UGF0aWVudA", "%", "ñ", "UGF0aWVudAotMQo"] {
            assert!(Cursor::open(token, "Patient").is_none(), "{token}");
        }
        for length in 0..9 {
            let bytes: Vec<u8> = (0..length).map(|place| 251 - place).collect();
            assert_eq!(from_base64url(&base64url(&bytes)), Some(bytes));
        }
    }

    #[test]
    fn json_is_taken_by_any_of_its_names() {
        for (types, taken) in [
            ("application/fhir+json", true),
            ("text/html, application/JSON;q=0.5", true),
            ("*/*", true),
            ("application/fhir+json; fhirVersion=4.0", true),
            ("application/fhir+xml", false),
            ("text/html,application/xml", false),
            ("", false),
        ] {
            assert_eq!(takes_json(types), taken, "{types}");
        }
    }
}
