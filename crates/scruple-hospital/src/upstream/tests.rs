//! The server over a small crafted store: what matches, how pages go, what is refused.

use super::*;
use serde_json::{Value as Json, json};

mod matching;
mod protocol;
mod versions;

const BASE: &str = "http://127.0.0.1:8099/fhir";

fn server(resources: &[Json]) -> Server {
    let parts = |resource: &Json| {
        let text = |key: &str| resource[key].as_str().unwrap().to_owned();
        (text("resourceType"), text("id"), serde_json::to_vec(resource).unwrap())
    };
    Server::from_resources(resources.iter().map(parts), BASE)
}

fn request<'a>(method: &'a str, path: &'a str, query: Option<&'a str>) -> Request<'a> {
    let now = Timestamp::from_micros(1_773_163_800_000_000);
    Request { method, path, query, content_type: None, accept: None, body: b"", now }
}

fn get(server: &Server, path: &str, query: &str) -> (u16, Json) {
    let response = server.respond(&request("GET", path, Some(query)));
    (response.status, serde_json::from_slice(&response.body).unwrap())
}

fn post(server: &Server, resource_type: &str, form: &str) -> (u16, Json) {
    let path = format!("/{resource_type}/_search");
    let content_type = Some("application/x-www-form-urlencoded; charset=UTF-8");
    let response = server.respond(&Request { content_type, body: form.as_bytes(), ..request("POST", &path, None) });
    (response.status, serde_json::from_slice(&response.body).unwrap())
}

fn ids(bundle: &Json) -> Vec<String> {
    let entries = bundle["entry"].as_array().map_or(&[][..], Vec::as_slice);
    entries.iter().map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned()).collect()
}

fn link(bundle: &Json, relation: &str) -> Option<String> {
    let links = bundle["link"].as_array().unwrap();
    let found = links.iter().find(|link| link["relation"] == relation)?;
    Some(found["url"].as_str().unwrap().to_owned())
}

/// Follows `next` to the end and checks each page on the way.
fn walk(server: &Server, resource_type: &str, query: &str) -> Vec<String> {
    let (_, mut bundle) = get(server, &format!("/{resource_type}"), query);
    let mut all = ids(&bundle);
    let total = bundle["total"].as_u64().unwrap();
    while let Some(next) = link(&bundle, "next") {
        let (path, query) = next.strip_prefix(BASE).unwrap().split_once('?').unwrap();
        let (status, page) = get(server, path, query);
        assert_eq!((status, page["total"].as_u64()), (200, Some(total)));
        assert_eq!(link(&page, "self").as_ref(), Some(&next));
        assert!(!ids(&page).is_empty(), "a page behind a `next` link is never empty");
        all.extend(ids(&page));
        bundle = page;
    }
    assert_eq!(all.len() as u64, total);
    all
}

/// Asks by GET, by POST and by pages of one, which all must find `expected`, in this order.
#[track_caller]
fn check(server: &Server, resource_type: &str, query: &str, expected: &[&str]) {
    let (status, found) = get(server, &format!("/{resource_type}"), query);
    assert_eq!(status, 200, "{resource_type}?{query}: {found}");
    assert_eq!(ids(&found), expected, "{resource_type}?{query}");
    assert_eq!(found["total"], expected.len(), "{resource_type}?{query}");
    assert_eq!(post(server, resource_type, query), (200, found), "{resource_type}?{query} by POST");
    assert_eq!(walk(server, resource_type, &format!("{query}&_count=1")), expected, "{resource_type}?{query} by pages");
}

#[track_caller]
fn refused(server: &Server, resource_type: &str, query: &str) {
    for (status, body) in [get(server, &format!("/{resource_type}"), query), post(server, resource_type, query)] {
        assert_eq!(status, 400, "{resource_type}?{query}: {body}");
        assert_eq!(body["resourceType"], "OperationOutcome");
        assert_eq!(body["issue"][0]["severity"], "error");
    }
}
