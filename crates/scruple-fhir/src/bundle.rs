//! What comes from a FHIR server, looked into without a tree: pages of a search and of a history, type and id of a resource,
//! and whose it is.
//!
//! Nothing here decides what shows. Bytes that are found go into a projector.

use crate::dictionary::{TypeId, dictionary};
use crate::json::{Fault, FaultKind, Scanned, Scanner, plain_slashes};
use crate::reference::is_id;
use scruple_core::limits;
use std::borrow::Cow;

/// One page of a `searchset` Bundle.
#[derive(Debug)]
pub struct Page<'a> {
    /// The resources of its entries, in their order.
    pub resources: Vec<&'a [u8]>,
    /// Where the next page is.
    pub next: Option<Cow<'a, str>>,
}

/// One page of a `history` Bundle.
#[derive(Debug)]
pub struct HistoryPage<'a> {
    /// The versions of its entries, in their order: the newest first, if the server does as FHIR says.
    pub versions: Vec<Version<'a>>,
    /// Where the next page is.
    pub next: Option<Cow<'a, str>>,
}

/// What an entry of a history says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version<'a> {
    /// The resource stood like this: JSON, of which nothing is judged.
    Resource(&'a [u8]),
    /// It was deleted.
    Deleted,
}

/// The bytes with `\/` written as `/`, as a projector reads them: to be done before a page is taken apart.
#[must_use]
pub fn plain(bytes: &[u8]) -> Cow<'_, [u8]> {
    plain_slashes(bytes)
}

/// Takes a page of a search apart. The resources are JSON; what they are is not judged.
///
/// # Errors
/// It is no Bundle of type `searchset`, or no JSON.
pub fn page(bytes: &[u8]) -> Result<Page<'_>, Fault> {
    let mut resources = Vec::new();
    let next = take_apart(bytes, b"searchset", |entry| {
        let [resource] = find(entry, [b"resource"])?;
        resources.extend(resource.map(|at| object_at(entry, at)).transpose()?);
        Ok(())
    })?;
    Ok(Page { resources, next })
}

/// Takes a page of a history apart. An entry whose request is a `DELETE`, or that has no resource, is a deletion. The resources
/// are JSON; what they are, and of which resource they are versions, is not judged.
///
/// # Errors
/// It is no Bundle of type `history`, or no JSON.
pub fn history(bytes: &[u8]) -> Result<HistoryPage<'_>, Fault> {
    let mut versions = Vec::new();
    let next = take_apart(bytes, b"history", |entry| {
        let [resource, request] = find(entry, [b"resource", b"request"])?;
        let resource = resource.map(|at| object_at(entry, at)).transpose()?;
        let is_delete = match request {
            Some(at) => is_delete(entry, at)?,
            None => false,
        };
        versions.push(resource.filter(|_| !is_delete).map_or(Version::Deleted, Version::Resource));
        Ok(())
    })?;
    Ok(HistoryPage { versions, next })
}

/// Calls `entry` for each entry of a Bundle of this type, and gives the link to the next page.
fn take_apart<'a>(
    bytes: &'a [u8],
    wanted: &[u8],
    mut entry: impl FnMut(&Scanner<'a>) -> Scanned<()>,
) -> Scanned<Option<Cow<'a, str>>> {
    let utf8 = |error: std::str::Utf8Error| Fault { kind: FaultKind::Utf8, at: error.valid_up_to() };
    std::str::from_utf8(bytes).map_err(utf8)?;
    let mut scan = Scanner::new(bytes);
    let (mut is_bundle, mut is_wanted) = (false, false);
    let mut next = None;
    scan.at_object()?;
    let mut more = scan.open(b'}')?;
    while more {
        let key = scan.key()?;
        scan.peek();
        match key {
            b"resourceType" => is_bundle = word(&mut scan)? == Some(b"Bundle"),
            b"type" => is_wanted = word(&mut scan)? == Some(wanted),
            b"link" => each(&mut scan, |link| {
                let [relation, url] = find(link, [b"relation", b"url"])?;
                if link.plain_string_at(relation) == Some(b"next") {
                    next = url.and_then(|at| text_at(link, at));
                    if next.is_none() {
                        return Err(link.fault(FaultKind::WrongType));
                    }
                }
                Ok(())
            })?,
            b"entry" => each(&mut scan, &mut entry)?,
            _ => pass(&mut scan)?,
        }
        more = scan.more(b'}')?;
    }
    scan.peek();
    if scan.at < bytes.len() {
        return Err(scan.fault(FaultKind::Trailing));
    }
    if is_bundle && is_wanted { Ok(next) } else { Err(scan.fault(FaultKind::UnknownType)) }
}

/// The bytes of the object at a place; see [`pass`].
fn object_at<'a>(scan: &Scanner<'a>, at: usize) -> Scanned<&'a [u8]> {
    let mut inner = scan.fork(at);
    inner.at_object()?;
    let from = inner.at;
    pass(&mut inner)?;
    scan.bytes.get(from..inner.at).ok_or_else(|| inner.fault(FaultKind::Truncated))
}

/// Whether the request at a place deletes.
fn is_delete(scan: &Scanner<'_>, at: usize) -> Scanned<bool> {
    let [method] = find(&scan.fork(at), [b"method"])?;
    Ok(method.and_then(|at| text_at(scan, at)).as_deref() == Some("DELETE"))
}

/// The string at a place, escapes resolved: some servers write `&` as `\u0026`.
fn text_at<'a>(scan: &Scanner<'a>, at: usize) -> Option<Cow<'a, str>> {
    if let Some(plain) = scan.plain_string_at(Some(at)) {
        return std::str::from_utf8(plain).ok().map(Cow::Borrowed);
    }
    let mut ahead = scan.fork(at);
    ahead.peek();
    let from = ahead.at;
    ahead.skip().ok()?;
    serde_json::from_slice::<String>(scan.bytes.get(from..ahead.at)?).ok().map(Cow::Owned)
}

/// Takes a string; its text where it has no escapes.
fn word<'a>(scan: &mut Scanner<'a>) -> Scanned<Option<&'a [u8]>> {
    let text = scan.plain_string_at(Some(scan.at));
    scan.skip()?;
    Ok(text)
}

/// Calls `each` for every object of the array here.
fn each<'a>(scan: &mut Scanner<'a>, mut each: impl FnMut(&Scanner<'a>) -> Scanned<()>) -> Scanned<()> {
    if scan.peek() != b'[' {
        return Err(scan.wrong_value());
    }
    let mut more = scan.open(b']')?;
    while more {
        scan.at_object()?;
        each(scan)?;
        pass(scan)?;
        more = scan.more(b']')?;
    }
    Ok(())
}

/// Takes any value, however deep: of what is inside only strings and brackets are looked at. One resource that is malformed
/// must not spoil a page, or a hidden one could tell that it is there; each is judged when it is projected.
fn pass(scan: &mut Scanner<'_>) -> Scanned<()> {
    let mut open = 0_usize;
    loop {
        match scan.bytes.get(scan.at) {
            Some(b'"') => {
                scan.string()?;
            }
            Some(b'{' | b'[') => {
                open += 1;
                scan.at += 1;
            }
            Some(b'}' | b']') if open > 0 => {
                open -= 1;
                scan.at += 1;
            }
            Some(_) if open > 0 => scan.at += 1,
            Some(_) => return scan.skip(),
            None => return Err(scan.fault(FaultKind::Truncated)),
        }
        if open == 0 {
            return Ok(());
        }
    }
}

/// Where the values of some keys of the object here begin; see [`pass`].
fn find<const N: usize>(scan: &Scanner<'_>, wanted: [&[u8]; N]) -> Scanned<[Option<usize>; N]> {
    let mut found = [None; N];
    let mut ahead = scan.fork(scan.at);
    ahead.at_object()?;
    let mut more = ahead.open(b'}')?;
    while more {
        let key = ahead.key()?;
        ahead.peek();
        for (place, name) in found.iter_mut().zip(wanted) {
            if name == key && place.is_none() {
                *place = Some(ahead.at);
            }
        }
        pass(&mut ahead)?;
        more = ahead.more(b'}')?;
    }
    Ok(found)
}

/// Type and id of a resource, where both stand in it as they should.
#[must_use]
pub fn identity(bytes: &[u8]) -> Option<(TypeId, &str)> {
    let scan = Scanner::new(bytes.get(..bytes.len().min(limits::RESOURCE_BYTES_MAX))?);
    let mut at = scan.fork(0);
    at.peek();
    let [kind, id] = at.find([b"resourceType", b"id"]).ok()?;
    let kind = dictionary().resource_by_bytes(at.plain_string_at(kind)?)?;
    let id = at.plain_string_at(id).filter(|id| is_id(id) && !matches!(*id, b"." | b".."))?;
    Some((kind, std::str::from_utf8(id).ok()?))
}

/// The type of a resource, whatever its id.
#[must_use]
pub fn resource_type(bytes: &[u8]) -> Option<TypeId> {
    let mut scan = Scanner::new(bytes).fork(0);
    scan.peek();
    let [kind] = scan.find([b"resourceType"]).ok()?;
    dictionary().resource_by_bytes(scan.plain_string_at(kind)?)
}

/// The version of a resource, of the form of an id.
#[must_use]
pub fn version(bytes: &[u8]) -> Option<&str> {
    let mut scan = Scanner::new(bytes).fork(0);
    scan.peek();
    let [meta] = scan.find([b"meta"]).ok()?;
    let meta = scan.fork(meta?);
    let [version] = meta.find([b"versionId"]).ok()?;
    std::str::from_utf8(meta.plain_string_at(version).filter(|text| is_id(text))?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_gives_its_resources_and_the_next_link() {
        let text = br#" {"resourceType":"Bundle","total":9,"type":"searchset","link":[{"relation":"self","url":"a"},
          {"url":"http://x/fhir?c=1\u0026d=2","relation":"next"}],"entry":[{"fullUrl":"u","resource":{"resourceType":"Patient","id":"1","x":[{}]},
          "search":{"mode":"match"}},{"response":{"status":"200"}},{"resource":{"id":"2","resourceType":"OperationOutcome"}}]} "#;
        let page = page(text).unwrap();
        assert_eq!(page.next.as_deref(), Some("http://x/fhir?c=1&d=2"));
        assert_eq!(page.resources.len(), 2);
        assert_eq!(page.resources[0], br#"{"resourceType":"Patient","id":"1","x":[{}]}"#);
        let named = identity(page.resources[0]).map(|(kind, id)| (dictionary().get(kind).name, id));
        assert_eq!(named, Some(("Patient", "1")));
    }

    #[test]
    fn what_is_no_search_set_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"resourceType":"Patient"}"#,
            r#"{"resourceType":"Bundle","type":"collection"}"#,
            r#"{"resourceType":"Bundle"}"#,
            r#"{"resourceType":"Bundle","type":"searchset"} x"#,
            r#"{"resourceType":"Bundle","type":"searchset","entry":[1]}"#,
            r#"{"resourceType":"Bundle","type":"searchset","entry":{}}"#,
            r#"{"resourceType":"Bundle","type":"searchset","entry":[{"resource":[]}]}"#,
            r#"{"resourceType":"Bundle","type":"searchset","link":[{"relation":"next"}]}"#,
            r#"{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"a":"b}}]}"#,
            r#"{"resourceType":"Bundle","type":"searchset""#,
        ] {
            assert!(page(text.as_bytes()).is_err(), "{text}");
        }
        assert!(page(b"{\"resourceType\":\"Bundle\",\"type\":\"searchset\",\"x\":\"\xff\"}").is_err());
    }

    #[test]
    fn one_resource_that_is_malformed_does_not_spoil_a_page() {
        let deep = format!(r#"{{"resourceType":"Patient","id":"2","x":{}{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
        for wrong in [deep.as_str(), r#"{"a":}"#, r#"{"id":"3","id":"4",,}"#, "{]}[}"] {
            let text = format!(
                r#"{{"resourceType":"Bundle","type":"searchset","entry":[{{"resource":{wrong}}},{{"resource":{{"resourceType":"Patient","id":"1"}}}}]}}"#
            );
            let Ok(page) = page(text.as_bytes()) else {
                assert!(wrong.starts_with("{]"), "{wrong}");
                continue;
            };
            assert_eq!(page.resources, [wrong.as_bytes(), br#"{"resourceType":"Patient","id":"1"}"#]);
        }
    }

    fn versions<'a>(page: &HistoryPage<'a>) -> Vec<Option<&'a str>> {
        let text = |version: &Version<'a>| match version {
            Version::Resource(bytes) => std::str::from_utf8(bytes).ok(),
            Version::Deleted => None,
        };
        page.versions.iter().map(text).collect()
    }

    #[test]
    fn a_history_gives_its_versions_in_order_and_the_next_link() {
        let text = br#"{"type":"history","entry":[
          {"fullUrl":"u","request":{"method":"PUT","url":"Patient/1"},"resource":{"id":"1","n":3},"response":{"status":"200"}},
          {"request":{"url":"Patient/1","method":"DELETE"},"response":{"status":"204"}},
          {"resource":{"id":"1","n":2},"request":{"method":"DEL\u0045TE"}},
          {"request":{"method":"POST"}},
          {"resource":{"id":"1","n":1},"request":{"method":7}},
          {"resource":{"id":"1","n":0}}, {}],
          "link":[{"relation":"next","url":"http://x/fhir?c=1\u0026d=2"},{"relation":"self","url":"a"}],"resourceType":"Bundle"}"#;
        let page = history(text).unwrap();
        assert_eq!(page.next.as_deref(), Some("http://x/fhir?c=1&d=2"));
        let [newest, then, oldest] = [r#"{"id":"1","n":3}"#, r#"{"id":"1","n":1}"#, r#"{"id":"1","n":0}"#].map(Some);
        assert_eq!(versions(&page), [newest, None, None, None, then, oldest, None]);
        let empty = history(br#"{"resourceType":"Bundle","type":"history"}"#).unwrap();
        assert_eq!((empty.versions.len(), empty.next), (0, None));
    }

    #[test]
    fn what_is_no_history_is_refused() {
        for text in [
            "",
            "[]",
            r#"{"resourceType":"Bundle","type":"searchset"}"#,
            r#"{"resourceType":"Patient","type":"history"}"#,
            r#"{"resourceType":"Bundle"}"#,
            r#"{"resourceType":"Bundle","type":"history"} x"#,
            r#"{"resourceType":"Bundle","type":"history","entry":[1]}"#,
            r#"{"resourceType":"Bundle","type":"history","entry":{}}"#,
            r#"{"resourceType":"Bundle","type":"history","entry":[{"resource":[]}]}"#,
            r#"{"resourceType":"Bundle","type":"history","entry":[{"resource":null}]}"#,
            r#"{"resourceType":"Bundle","type":"history","entry":[{"request":"DELETE"}]}"#,
            r#"{"resourceType":"Bundle","type":"history","link":[{"relation":"next","url":1}]}"#,
            r#"{"resourceType":"Bundle","type":"history""#,
        ] {
            assert!(history(text.as_bytes()).is_err(), "{text}");
        }
        assert!(page(br#"{"resourceType":"Bundle","type":"history"}"#).is_err(), "nor is it a search");
        assert!(history(b"{\"resourceType\":\"Bundle\",\"type\":\"history\",\"x\":\"\xff\"}").is_err());
    }

    #[test]
    fn one_version_that_is_malformed_does_not_spoil_a_history() {
        let deep = format!(r#"{{"id":"2","x":{}{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
        for wrong in [deep.as_str(), r#"{"a":}"#, r#"{"id":"3","id":"4",,}"#] {
            let text = format!(
                r#"{{"resourceType":"Bundle","type":"history","entry":[{{"resource":{wrong},"request":{{"method":"PUT"}}}},{{"request":{{"method":"DELETE","x":{wrong}}}}},{{"resource":{{"id":"1"}}}}]}}"#
            );
            let page = history(text.as_bytes()).unwrap();
            assert_eq!(versions(&page), [Some(wrong), None, Some(r#"{"id":"1"}"#)], "{wrong}");
        }
    }
}
