//! The rest of the server: reads, pages, order, refusals, what it says of itself.

use super::*;
use rand_core::{Rng, SeedableRng};
use std::collections::BTreeSet;

fn observations(count: usize) -> Vec<Json> {
    (0..count)
        .map(|place| {
            let patient = format!("Patient/p{}", place % 3);
            json!({"resourceType": "Observation", "id": format!("o{place:04}"), "subject": {"reference": patient},
                "status": if place % 2 == 0 { "final" } else { "amended" }})
        })
        .collect()
}

#[test]
fn a_read_gives_the_stored_bytes() {
    let odd = "a.-Z9".repeat(12);
    let bytes = format!(
        "{{ \"resourceType\":\"Patient\" , \"id\":\"{odd}\",\"meta\":{{\"versionId\":\"7\",\"lastUpdated\":\"2024-02-29T23:30:00.5-07:00\"}} }}"
    );
    let store = [
        ("Patient".to_owned(), odd.clone(), bytes.clone().into_bytes()),
        (
            "Patient".to_owned(),
            "ä_ö ü/%".to_owned(),
            b"{\"resourceType\":\"Patient\",\"meta\":{\"versionId\":\"\\r\\n\"}}".to_vec(),
        ),
        ("Patient".to_owned(), "broken".to_owned(), b"<Patient/>".to_vec()),
        ("Unheard".to_owned(), "u".to_owned(), b"{\"resourceType\":\"Unheard\",\"id\":\"u\"}".to_vec()),
    ];
    let server = Server::from_resources(store, BASE);
    let read = |path: &str| server.respond(&request("GET", path, None));
    let response = read(&format!("/Patient/{odd}"));
    assert_eq!((response.status, response.body), (200, bytes.clone().into_bytes()));
    let headers = [
        ("content-type", FHIR_JSON.to_owned()),
        ("etag", "W/\"7\"".to_owned()),
        ("last-modified", "Fri, 01 Mar 2024 06:30:00 GMT".to_owned()),
    ];
    assert_eq!(response.headers, headers);
    let other = read("/Patient/%C3%A4_%c3%b6%20%C3%BC%2F%25");
    assert_eq!((other.status, other.headers.len()), (200, 1), "a version that is no token makes no header");
    assert_eq!(read("/Patient/broken").body, b"<Patient/>");
    assert_eq!(read("/Patient/broken/_history").status, 404, "it would break a Bundle");
    assert_eq!(read("Unheard/u").status, 200);
    let head = server.respond(&request("HEAD", &format!("/Patient/{odd}"), None));
    assert_eq!((head.status, head.body.len(), head.headers.len()), (200, 0, 3));
    // What cannot be parsed is not found, and what is unknown to the table has its id.
    assert_eq!(ids(&get(&server, "/Patient", "_id=broken").1), Vec::<String>::new());
    assert_eq!(get(&server, "/Patient", "").1["total"], 2);
    check(&server, "Unheard", "_id=u", &["u"]);
    refused(&server, "Unheard", "name=u");
}

#[test]
fn a_later_resource_replaces_an_earlier() {
    let patient = |gender: &str| json!({"resourceType": "Patient", "id": "p", "gender": gender});
    let store = server(&[patient("male"), patient("female")]);
    check(&store, "Patient", "", &["p"]);
    check(&store, "Patient", "gender=male", &[]);
    check(&store, "Patient", "gender=female", &["p"]);
}

#[test]
fn pages_give_each_match_once() {
    let store = server(&observations(217));
    let all: Vec<String> = (0..217).map(|place| format!("o{place:04}")).collect();
    for count in
        ["", "&_count=1", "&_count=7", "&_count=50", "&_count=216", "&_count=217", "&_count=9999999999999999999999"]
    {
        assert_eq!(walk(&store, "Observation", &format!("status=final,amended{count}")), all, "{count}");
        let third: Vec<String> = all.iter().skip(1).step_by(3).cloned().collect();
        assert_eq!(walk(&store, "Observation", &format!("patient=p1{count}")), third, "{count}");
    }
    let (_, first) = get(&store, "/Observation", "");
    assert_eq!(ids(&first).len(), query::PAGE_DEFAULT);
    let (_, sorted) = get(&store, "/Observation", "_sort=-_id&_count=2");
    assert_eq!(ids(&sorted), ["o0216", "o0215"]);
    let (path, next) = link(&sorted, "next")
        .unwrap()
        .strip_prefix(BASE)
        .unwrap()
        .split_once('?')
        .map(|(path, query)| (path.to_owned(), query.to_owned()))
        .unwrap();
    assert_eq!(ids(&get(&store, &path, &next).1), ["o0214", "o0213"], "the order goes with the cursor");
    assert_eq!(ids(&post(&store, "Observation", &next).1), ["o0214", "o0213"]);
    assert_eq!(get(&store, "/Patient", &next).0, 400, "of another type");
    assert_eq!(get(&store, &path, &format!("{next}&status=final")).0, 400, "not alone");
    assert_eq!(get(&store, &path, &format!("{next}x")).0, 400, "altered");
    let large = server(&observations(1_203));
    assert_eq!(ids(&get(&large, "/Observation", "_count=5000").1).len(), query::PAGE_MAX);
    assert_eq!(walk(&large, "Observation", "_count=5000").len(), 1_203);
}

#[test]
fn the_default_order_is_by_time_then_id() {
    let at = |id: &str, updated: Json| json!({"resourceType": "Basic", "id": id, "meta": {"lastUpdated": updated}});
    let store = server(&[
        at("z", json!(null)),
        at("b", json!("2024-03-01T00:00:00Z")),
        at("a", json!("2024-02-29T17:00:00-07:00")),
        at("c", json!("2024-03-02T00:00:00.001Z")),
        at("y", json!("soon")),
        at("d", json!("2023-03-02T00:00:00Z")),
    ]);
    check(&store, "Basic", "", &["c", "a", "b", "d", "z", "y"]);
    check(&store, "Basic", "_sort=_id", &["a", "b", "c", "d", "y", "z"]);
    check(&store, "Basic", "_sort=-_id", &["z", "y", "d", "c", "b", "a"]);
    check(&store, "Basic", "_sort=_lastUpdated", &["d", "a", "b", "c", "z", "y"]);
    check(&store, "Basic", "_sort=-_lastUpdated,-_id", &["c", "b", "a", "d", "z", "y"]);
}

#[test]
fn sorting_reads_the_parameter() {
    let patient = |id: &str, born: Json, names: Json| json!({"resourceType": "Patient", "id": id, "birthDate": born, "name": [{"given": names}]});
    let store = server(&[
        patient("p1", json!("1990"), json!(["Émile"])),
        patient("p2", json!("1984-02-29"), json!(["Zoë", "Ana"])),
        patient("p3", json!(null), json!(["Bea"])),
        patient("p4", json!("1990-05"), json!([])),
    ]);
    for (sort, expected) in [
        ("birthdate", ["p2", "p1", "p4", "p3"]),
        ("-birthdate", ["p1", "p4", "p2", "p3"]),
        ("given", ["p2", "p3", "p1", "p4"]),
        ("-given", ["p2", "p1", "p3", "p4"]),
        ("_lastUpdated,-_id", ["p4", "p3", "p2", "p1"]),
    ] {
        check(&store, "Patient", &format!("_sort={sort}"), &expected);
    }
}

#[test]
fn a_bundle_has_its_parts() {
    let store = server(&observations(3)).with_base("https://h.example/fhir/");
    let response =
        store.respond(&request("GET", "/Observation", Some("status=final&_count=1&_total=none&_format=json")));
    let bundle: Json = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(store.base(), "https://h.example/fhir");
    assert_eq!(bundle["meta"]["lastUpdated"], "2026-03-10T17:30:00.000000Z");
    assert_eq!(
        (&bundle["resourceType"], &bundle["type"], &bundle["total"]),
        (&json!("Bundle"), &json!("searchset"), &json!(2))
    );
    assert_eq!(
        link(&bundle, "self").unwrap(),
        "https://h.example/fhir/Observation?status=final&_count=1&_total=none&_format=json"
    );
    assert!(link(&bundle, "next").unwrap().starts_with("https://h.example/fhir/Observation?_cursor="));
    assert_eq!(bundle["entry"][0]["fullUrl"], "https://h.example/fhir/Observation/o0000");
    assert_eq!(bundle["entry"][0]["search"], json!({"mode": "match"}));
    let empty = get(&store, "/Observation", "status=none").1;
    assert_eq!((&empty["total"], empty.get("entry")), (&json!(0), None));
    for query in ["_summary=count", "_count=0", "_count=0&status=final", "status=none&_summary=count"] {
        let counted = get(&store, "/Observation", query).1;
        assert!(counted.get("entry").is_none() && link(&counted, "next").is_none(), "{query}");
        let matching = query.replace("_summary=count", "_summary=false").replace("_count=0", "_count=9");
        assert_eq!(counted["total"], get(&store, "/Observation", &matching).1["total"], "{query}");
    }
}

#[test]
fn what_is_not_known_is_refused() {
    let store = server(&observations(3));
    let long = format!("code={}", "a".repeat(513));
    let wide = format!("code={}", vec!["a"; 101].join(","));
    let many = vec!["code=a"; 65].join("&");
    let very_many = vec!["code=a"; 5_000].join("&");
    for query in [
        "code=",
        "code",
        "=a",
        "code=a,,b",
        "code=,a",
        "code=a,",
        "code=a\\",
        "code=a\\b",
        "code=a|b|c",
        "code=|",
        "code=%",
        "code=%zz",
        "code=%ff",
        "%ff=a",
        "name=a",
        "nonsense=1",
        "Code=a",
        "code:exact=a",
        "code%3Anot=a",
        "code:missing=true",
        "subject.name=a",
        "subject:Patient=a",
        "value-quantity=1",
        "code-value-quantity=a$1",
        "_has:Condition:patient:code=a",
        "_include=Observation:subject",
        "_revinclude=*",
        "_lastUpdated=2024",
        "_tag=a",
        "_security=a",
        "_profile=a",
        "_source=a",
        "_text=a",
        "_content=a",
        "_filter=a",
        "_query=a",
        "_list=a",
        "_type=a",
        "_elements=id",
        "_contained=true",
        "_summary=true",
        "_summary=text",
        "_count=-1",
        "_count=x",
        "_count=1.5",
        "_count=",
        "_count=1&_count=1",
        "_sort=nonsense",
        "_sort=",
        "_sort=a,",
        "_sort=--_id",
        "_total=some",
        "_cursor=",
        "_cursor=x",
        "_page=x",
        "date=",
        "patient=a/b/c",
        &long,
        &wide,
        &many,
        &very_many,
    ] {
        refused(&store, "Observation", query);
    }
    refused(&store, "Patient", "phonetic=a");
    refused(&store, "Location", "near=1|2|3|km");
    for query in [&long[..long.len() - 1], &wide[..wide.len() - 2], &many[..many.len() - 7]] {
        assert_eq!(get(&store, "/Observation", query).0, 200);
    }
}

#[test]
fn refusals_have_their_status() {
    let store = server(&observations(1));
    let status = |request: &Request<'_>| {
        let response = store.respond(request);
        let body: Json = serde_json::from_slice(&response.body).unwrap();
        assert!(response.status == 200 || body["resourceType"] == "OperationOutcome", "{body}");
        let allow = response.headers.into_iter().find(|(name, _)| *name == "allow").map(|(_, value)| value);
        (response.status, allow)
    };
    for (method, path, query, expected) in [
        ("GET", "/Observation/o0000", None, 200),
        ("GET", "/Observation/o0000", Some("_format=json"), 200),
        ("GET", "/Observation/o0000", Some("_format=xml"), 406),
        ("GET", "/Observation/o0000", Some("_summary=true"), 400),
        ("GET", "/Observation/none", None, 404),
        ("GET", "/Observation/..", None, 404),
        ("GET", "/Observation/%2e%2e%2fPatient", None, 404),
        ("GET", "/Observation/%ff", None, 400),
        ("GET", "/Observation/", None, 404),
        ("GET", "/Observation/o0000/_history/1", None, 404),
        ("GET", "/observation", None, 404),
        ("GET", "/Nonsense", None, 404),
        ("GET", "/Nonsense/1", None, 404),
        ("POST", "/Nonsense/_search", None, 404),
        ("GET", "/Patient", None, 200),
        ("GET", "/Observation", Some("_format=application%2Ffhir%2Bxml"), 406),
        ("GET", "/", None, 404),
        ("GET", "", None, 404),
        ("GET", "//Observation", None, 404),
        ("GET", "/_history", None, 404),
        ("GET", "/metadata", Some("_format=json"), 200),
        ("GET", "/metadata", Some("mode=full"), 400),
    ] {
        assert_eq!(status(&request(method, path, query)), (expected, None), "{method} {path} {query:?}");
    }
    for (method, path, allow) in [
        ("PUT", "/Observation/o0000", "GET, HEAD"),
        ("DELETE", "/Observation/o0000", "GET, HEAD"),
        ("POST", "/Observation", "GET, HEAD"),
        ("POST", "/metadata", "GET, HEAD"),
        ("GET", "/Observation/_search", "POST"),
        ("get", "/Observation", "GET, HEAD"),
    ] {
        assert_eq!(status(&request(method, path, None)), (405, Some(allow.to_owned())), "{method} {path}");
    }
    let accept = |accept| Request { accept: Some(accept), ..request("GET", "/Observation", None) };
    assert_eq!(status(&accept("application/fhir+xml")).0, 406);
    assert_eq!(status(&accept("application/fhir+xml, */*;q=0.1")).0, 200);
    let form = "application/x-www-form-urlencoded";
    for (query, content_type, body, expected) in [
        (None, Some(form), &b"status=final"[..], 200),
        (Some(""), Some("Application/X-WWW-Form-Urlencoded;charset=utf-8"), b"", 200),
        (Some("status=final"), Some(form), b"", 400),
        (None, None, b"status=final", 415),
        (None, Some("application/json"), b"{}", 415),
        (None, Some(form), b"status=\xff", 400),
    ] {
        let request = Request { content_type, body, ..request("POST", "/Observation/_search", query) };
        assert_eq!(status(&request), (expected, None), "{query:?} {content_type:?}");
    }
}

/// What the CapabilityStatement lists works, and nothing else does.
#[test]
fn it_tells_the_truth_of_itself() {
    let store = server(&[json!({"resourceType": "Unheard", "id": "u"})]);
    let (status, capabilities) = get(&store, "/metadata", "");
    assert_eq!(
        (status, &capabilities["fhirVersion"], &capabilities["implementation"]["url"]),
        (200, &json!("4.0.1"), &json!(BASE))
    );
    let resources = capabilities["rest"][0]["resource"].as_array().unwrap();
    let mut names = BTreeSet::new();
    let mut listed = BTreeSet::new();
    for resource in resources {
        let resource_type = resource["type"].as_str().unwrap();
        for parameter in resource["searchParam"].as_array().unwrap() {
            let name = parameter["name"].as_str().unwrap();
            let value = match parameter["type"].as_str().unwrap() {
                "date" => "2024",
                "reference" => "Patient/x",
                "token" | "string" | "uri" => "x",
                other => panic!("{other}"),
            };
            assert_eq!(
                get(&store, &format!("/{resource_type}"), &format!("{name}={value}")).0,
                200,
                "{resource_type} {name}"
            );
            names.insert(name);
            assert!(listed.insert((resource_type, name)));
        }
        assert_eq!(get(&store, &format!("/{resource_type}/none"), "").0, 404);
        let interactions = resource["interaction"].as_array().unwrap();
        let codes: Vec<&str> = interactions.iter().map(|interaction| interaction["code"].as_str().unwrap()).collect();
        assert_eq!(codes, ["read", "vread", "history-instance", "search-type"]);
    }
    assert!(listed.contains(&("Unheard", "_id")) && listed.contains(&("Observation", "patient")));
    for resource in resources {
        let resource_type = resource["type"].as_str().unwrap();
        for name in names.iter().filter(|name| !listed.contains(&(resource_type, **name))) {
            assert_eq!(
                get(&store, &format!("/{resource_type}"), &format!("{name}=2024")).0,
                400,
                "{resource_type} {name}"
            );
        }
    }
}

#[test]
fn an_error_holds_nothing_of_the_request() {
    let store = server(&observations(1));
    let token = crate::canary::TOKEN;
    for (path, query) in [
        (format!("/{token}"), String::new()),
        (format!("/Observation/{token}"), String::new()),
        (format!("/Observation/{token}/_history"), String::new()),
        (format!("/Observation/o0000/_history/{token}"), String::new()),
        ("/Observation/o0000/_history".to_owned(), format!("{token}=1")),
        ("/Observation/o0000/_history".to_owned(), format!("_count={token}")),
        ("/Observation".to_owned(), format!("{token}=1")),
        ("/Observation".to_owned(), format!("date={token}")),
        ("/Observation".to_owned(), format!("patient=a/b/{token}")),
        ("/Observation".to_owned(), format!("_sort={token}")),
        ("/Observation".to_owned(), format!("_cursor={token}")),
        ("/Observation".to_owned(), format!("_format={token}")),
    ] {
        let response = store.respond(&request("GET", &path, Some(&query)));
        assert!(response.status >= 400);
        let shown = format!("{:?} {}", response.headers, String::from_utf8(response.body).unwrap());
        assert!(!shown.contains(token), "{shown}");
    }
}

#[test]
fn threads_ask_at_once() {
    let store = server(&observations(300));
    let alone = get(&store, "/Observation", "patient=p2&_sort=-_id");
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| get(&store, "/Observation", "patient=p2&_sort=-_id"))).collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), alone);
        }
    });
}

/// Text of any kind gets an answer of a known status, and each answer is JSON.
#[test]
fn no_text_breaks_it() {
    let store = server(&observations(5));
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    let pieces = [
        "/",
        "Observation",
        "Patient",
        "_search",
        "metadata",
        "_history",
        "o0001",
        "%",
        "%C3",
        "%20",
        "+",
        "=",
        "&",
        ",",
        "\\",
        "|",
        "$",
        "patient",
        "date",
        "ge",
        "2024-02-29",
        "T10:00",
        "_count",
        "_sort",
        "-",
        "_cursor",
        "T2JzZXJ2YXRpb24KMAo",
        "ñ",
        "\u{0}",
        ":",
        "?",
        "code",
    ];
    for _ in 0..20_000 {
        let mut text = || {
            let length = rng.next_u32() % 9;
            (0..length).map(|_| pieces[rng.next_u32() as usize % pieces.len()]).collect::<String>()
        };
        let (path, query) = (text(), text());
        for path in [path.as_str(), "/Observation"] {
            let response = store.respond(&request("GET", path, Some(&query)));
            assert!(matches!(response.status, 200 | 400 | 404 | 405 | 406), "{}: {path}?{query}", response.status);
            assert!(serde_json::from_slice::<Json>(&response.body).is_ok(), "{path}?{query}");
        }
    }
}
