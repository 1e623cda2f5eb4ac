//! Queries over HTTP: indexes, filters, pages, what is shown.

use crate::support::{Answer, SCANNED_MAX, Service};
use http::StatusCode;
use serde_json::{Value, json};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

async fn filled() -> Service {
    let service = Service::open().await;
    for number in 0..5 {
        let user = json!({
            "userName": format!("User-{number}"),
            "externalId": format!("Ext-{number}"),
            "title": if number < 2 { "Nurse" } else { "Coder" },
            "emails": [{ "type": "work", "value": format!("{number}@clinic.example") }],
            ENTERPRISE: { "department": "ED", "employeeNumber": format!("E{number}") },
        });
        service.user(&user).await;
    }
    for name in ["Nurses", "Coders"] {
        service.post("/Groups", &json!({ "displayName": name })).await;
    }
    service
}

fn names(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let resources = answer.json["Resources"].as_array().unwrap();
    assert_eq!(answer.json["itemsPerPage"], resources.len());
    let name = |one: &Value| one["userName"].as_str().or(one["displayName"].as_str()).unwrap().to_owned();
    resources.iter().map(name).collect()
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn a_filter_finds_what_it_says_by_an_index_or_without() {
    let service = filled().await;
    for (filter, expected) in [
        (r#"userName eq "user-3""#, &["User-3"][..]),
        (r#"userName eq "user-3" and title eq "nurse""#, &[]),
        (r#"userName eq "a b""#, &[]),
        (r#"externalId eq "Ext-1""#, &["User-1"]),
        (r#"externalId eq "ext-1""#, &[]),
        (r#"id eq "nobody""#, &[]),
        (r#"title eq "nurse" and not (userName ew "0")"#, &["User-1"]),
        (r#"emails[type eq "work" and value sw "4@"]"#, &["User-4"]),
        (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber eq "E2""#, &["User-2"]),
        (r#"meta.created gt "2026-02-28T00:00:00Z" and userName co "-0""#, &["User-0"]),
        (r#"unknown pr"#, &[]),
    ] {
        let answer = service.get(&format!("/Users?filter={}", escaped(filter))).await;
        assert_eq!(names(&answer), expected, "{filter}");
        assert_eq!(answer.json["totalResults"], expected.len());
        let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": filter });
        assert_eq!(names(&service.post("/Users/.search", &body).await), expected, "{filter}");
    }
    let groups = service.get(&format!("/Groups?filter={}", escaped(r#"displayName eq "NURSES""#))).await;
    assert_eq!(names(&groups), ["Nurses"]);
    for filter in ["userName eq", "(", "userName eq canary"] {
        assert_eq!(service.get(&format!("/Users?filter={}", escaped(filter))).await.error(), (400, "invalidFilter"));
    }
}

#[tokio::test]
async fn a_filter_without_an_index_is_held_against_a_bounded_number() {
    let service = filled().await;
    for number in 5..=SCANNED_MAX {
        let title = service.get(&format!("/Users?filter={}", escaped("title pr"))).await;
        assert_eq!(title.status, StatusCode::OK, "{number} {}", title.text);
        service.user(&json!({ "userName": format!("User-{number}") })).await;
    }
    for filter in ["title pr", "not (title pr)", r#"title eq "canary" or userName eq "user-1""#] {
        let answer = service.get(&format!("/Users?filter={}", escaped(filter))).await;
        assert_eq!(answer.error(), (400, "tooMany"), "{filter}");
    }
    let found = service.get(&format!("/Users?filter={}", escaped(r#"title pr and userName eq "user-1""#))).await;
    assert_eq!(names(&found), ["User-1"], "an index still finds");
    assert_eq!(service.get("/Users").await.json["totalResults"], SCANNED_MAX + 1);
}

#[tokio::test]
async fn a_list_comes_page_by_page_from_any_place() {
    let service = filled().await;
    let all = names(&service.get("/Users").await);
    assert_eq!(all.len(), 5);
    for (query, from, to) in [
        ("startIndex=1&count=2", 0, 2),
        ("startIndex=3&count=2", 2, 4),
        ("startIndex=5&count=200000", 4, 5),
        ("startIndex=6", 5, 5),
        ("startIndex=-4&count=1", 0, 1),
        ("count=0", 0, 0),
        ("count=-7", 0, 0),
    ] {
        for filter in ["", "&filter=userName%20pr"] {
            let answer = service.get(&format!("/Users?{query}{filter}")).await;
            assert_eq!(names(&answer), all[from..to], "{query}{filter}");
            assert_eq!(answer.json["totalResults"], 5);
        }
    }
    assert_eq!(service.get("/Users?count=canary").await.error(), (400, "invalidValue"));
    // Both types in one list, users first.
    let both = service.post("/.search", &json!({ "startIndex": 5, "count": 2 })).await;
    assert_eq!((&both.json["totalResults"], names(&both)), (&json!(7), vec![all[4].clone(), "Nurses".to_owned()]));
    let filtered = service.post("/.search", &json!({ "filter": r#"displayName sw "c" or userName ew "0""# })).await;
    assert_eq!(names(&filtered), ["User-0", "Coders"]);
}

#[tokio::test]
async fn only_what_is_asked_for_is_shown() {
    let service = filled().await;
    let shown = async |query: &str| {
        let answer = service.get(&format!("/Users?count=1&{query}")).await;
        let one = answer.json["Resources"][0].as_object().unwrap().clone();
        assert!(one.contains_key("id") && one.contains_key("schemas"), "{query}");
        one
    };
    let keys = |one: &serde_json::Map<String, Value>| {
        let mut keys: Vec<String> = one.keys().cloned().collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(&shown("attributes=USERNAME").await), ["id", "schemas", "userName"]);
    let parts = shown(&format!("attributes=emails.value,{ENTERPRISE}:department")).await;
    assert_eq!(parts["emails"], json!([{ "value": "0@clinic.example" }]));
    assert_eq!(parts[ENTERPRISE], json!({ "department": "ED" }));
    let without = shown("excludedAttributes=emails,id,meta.version,title").await;
    assert!(!without.contains_key("emails") && !without.contains_key("title"));
    assert!(without["meta"].get("version").is_none() && without["meta"].get("created").is_some());
    assert_eq!(service.get("/Users?attributes=id&excludedAttributes=title").await.error(), (400, "invalidValue"));
    assert!(shown("").await.keys().all(|key| !key.contains("scruple")), "the standing is shown where it is asked for");
}
