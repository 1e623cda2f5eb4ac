//! Versions: what a read, a read of a version, a history and a search say of a resource that changed or was deleted.

use super::*;

fn patient(id: &str, version: Json, gender: &str) -> (String, String, Version) {
    let meta = json!({"versionId": version, "lastUpdated": format!("2024-01-0{}T00:00:00Z", gender.len())});
    let resource = json!({"resourceType": "Patient", "id": id, "meta": meta, "gender": gender});
    ("Patient".to_owned(), id.to_owned(), Version::Resource(resource.to_string().into_bytes()))
}

fn deleted(id: &str, version: &str) -> (String, String, Version) {
    let at = Timestamp::parse("2024-02-29T12:00:00Z").unwrap();
    ("Patient".to_owned(), id.to_owned(), Version::Deleted { version: version.to_owned(), at })
}

/// `p` has three versions, `d` is deleted, `u` was and is there again, `n` never had a version id.
fn store() -> Server {
    let versions = [
        patient("p", json!("1"), "male"),
        patient("d", json!("1"), "male"),
        patient("p", json!("2"), "other"),
        patient("n", json!(null), "male"),
        deleted("d", "2"),
        patient("u", json!("1"), "male"),
        deleted("u", "2"),
        patient("p", json!("a.b-3"), "female"),
        patient("u", json!("3"), "female"),
        patient("n", json!(null), "female"),
    ];
    Server::from_versions(versions, BASE)
}

/// The entries of a history: method, and the gender of the resource.
fn told(bundle: &Json) -> Vec<(String, String)> {
    let entries = bundle["entry"].as_array().map_or(&[][..], Vec::as_slice);
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    entries.iter().map(|entry| (text(&entry["request"]["method"]), text(&entry["resource"]["gender"]))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(method, gender)| ((*method).to_owned(), (*gender).to_owned())).collect()
}

#[test]
fn each_version_is_read_by_its_id() {
    let store = store();
    for (path, expected) in [
        ("/Patient/p", Ok("female")),
        ("/Patient/p/_history/1", Ok("male")),
        ("/Patient/p/_history/2", Ok("other")),
        ("/Patient/p/_history/a.b-3", Ok("female")),
        ("/Patient/p/_history/%61.b-3", Ok("female")),
        ("/Patient/p/_history/3", Err(404)),
        ("/Patient/p/_history/", Err(404)),
        ("/Patient/p/_history/1/", Err(404)),
        ("/Patient/x/_history/1", Err(404)),
        ("/Observation/p/_history/1", Err(404)),
        ("/Patient/d", Err(410)),
        ("/Patient/d/_history/1", Ok("male")),
        ("/Patient/d/_history/2", Err(410)),
        ("/Patient/u", Ok("female")),
        ("/Patient/u/_history/1", Ok("male")),
        ("/Patient/u/_history/2", Err(410)),
        ("/Patient/u/_history/3", Ok("female")),
        ("/Patient/n", Ok("female")),
        ("/Patient/n/_history/1", Err(404)),
    ] {
        let (status, body) = get(&store, path, "");
        match expected {
            Ok(gender) => assert_eq!((status, &body["gender"]), (200, &json!(gender)), "{path}"),
            Err(expected) => {
                assert_eq!((status, &body["resourceType"]), (expected, &json!("OperationOutcome")), "{path}")
            }
        }
    }
    let old = store.respond(&request("GET", "/Patient/p/_history/1", None));
    assert!(old.headers.contains(&("etag", "W/\"1\"".to_owned())), "{:?}", old.headers);
    assert_eq!(store.respond(&request("HEAD", "/Patient/p/_history/1", None)).body, b"");
}

#[test]
fn a_search_finds_what_is_current_alone() {
    let store = store();
    check(&store, "Patient", "", &["n", "p", "u"]);
    check(&store, "Patient", "gender=male", &[]);
    check(&store, "Patient", "gender=other", &[]);
    check(&store, "Patient", "_id=d", &[]);
}

#[test]
fn a_history_has_all_versions_newest_first() {
    let store = store();
    let history = |id: &str| get(&store, &format!("/Patient/{id}/_history"), "");
    let (status, of_p) = history("p");
    assert_eq!(
        (status, &of_p["resourceType"], &of_p["type"], &of_p["total"]),
        (200, &json!("Bundle"), &json!("history"), &json!(3))
    );
    assert_eq!(told(&of_p), pairs(&[("PUT", "female"), ("PUT", "other"), ("PUT", "male")]));
    let entry = json!({
        "fullUrl": "http://127.0.0.1:8099/fhir/Patient/p",
        "resource": {"resourceType": "Patient", "id": "p", "meta": {"versionId": "1", "lastUpdated": "2024-01-04T00:00:00Z"}, "gender": "male"},
        "request": {"method": "PUT", "url": "Patient/p"},
        "response": {"status": "201", "etag": "W/\"1\"", "lastModified": "2024-01-04T00:00:00.000000Z"},
    });
    assert_eq!(of_p["entry"][2], entry);
    assert_eq!(of_p["entry"][0]["response"]["status"], "200");
    assert_eq!(told(&history("d").1), pairs(&[("DELETE", ""), ("PUT", "male")]));
    let gone = json!({
        "fullUrl": "http://127.0.0.1:8099/fhir/Patient/d",
        "request": {"method": "DELETE", "url": "Patient/d"},
        "response": {"status": "204", "etag": "W/\"2\"", "lastModified": "2024-02-29T12:00:00.000000Z"},
    });
    assert_eq!(history("d").1["entry"][0], gone);
    let of_u = history("u").1;
    assert_eq!(told(&of_u), pairs(&[("PUT", "female"), ("DELETE", ""), ("PUT", "male")]));
    assert_eq!(of_u["entry"][0]["response"]["status"], "201", "it is made again");
    assert_eq!(told(&history("n").1), pairs(&[("PUT", "female")]));
    assert_eq!(history("n").1["entry"][0]["response"]["etag"], json!(null));
    assert_eq!(history("x").0, 404);
    assert_eq!(get(&store, "/Nonsense/x/_history", "").0, 404);
    assert_eq!(get(&store, "/Patient/_history", "").0, 404);
}

#[test]
fn a_version_that_comes_again_stands_once() {
    let versions = ["1", "2", "1"].into_iter().zip(["male", "other", "female"]);
    let store = Server::from_versions(versions.map(|(version, gender)| patient("p", json!(version), gender)), BASE);
    assert_eq!(told(&get(&store, "/Patient/p/_history", "").1), pairs(&[("PUT", "female"), ("PUT", "other")]));
    let again = [patient("p", json!("1"), "male"), deleted("p", "2"), deleted("p", "2"), deleted("q", "1")];
    let store = Server::from_versions(again, BASE);
    assert_eq!(told(&get(&store, "/Patient/p/_history", "").1), pairs(&[("DELETE", ""), ("PUT", "male")]));
    assert_eq!(
        told(&get(&store, "/Patient/q/_history", "").1),
        pairs(&[("DELETE", "")]),
        "nothing else is known of it"
    );
    assert_eq!(get(&store, "/Patient/q", "").0, 410);
}

#[test]
fn a_history_goes_in_pages() {
    let versions = (1..=7).map(|version| patient("p%/q", json!(version.to_string()), "male"));
    let store = Server::from_versions(versions.chain([patient("r", json!("1"), "male")]), BASE);
    let path = "/Patient/p%25%2Fq/_history";
    for (count, sizes) in [(1, vec![1; 7]), (3, vec![3, 3, 1]), (7, vec![7]), (200, vec![7]), (5_000, vec![7])] {
        let (mut seen, mut found) = (Vec::new(), Vec::new());
        let mut page = get(&store, path, &format!("_count={count}")).1;
        assert_eq!(link(&page, "self"), Some(format!("{BASE}{path}?_count={count}")));
        loop {
            assert_eq!(page["total"], 7);
            seen.push(told(&page).len());
            for entry in page["entry"].as_array().unwrap() {
                found.push(entry["resource"]["meta"]["versionId"].as_str().unwrap().parse::<u8>().unwrap());
            }
            let Some(next) = link(&page, "next") else { break };
            let (below, query) = next.strip_prefix(BASE).unwrap().split_once('?').unwrap();
            assert_eq!(get(&store, "/Patient/r/_history", query).0, 400, "of another resource");
            assert_eq!(get(&store, "/Patient", query).0, 400, "of a history");
            page = get(&store, below, query).1;
            assert_eq!(link(&page, "self"), Some(next));
        }
        assert_eq!((seen, found), (sizes, vec![7, 6, 5, 4, 3, 2, 1]), "{count}");
    }
    let counted = get(&store, path, "_count=0").1;
    assert_eq!((&counted["total"], counted.get("entry"), link(&counted, "next")), (&json!(7), None, None));
    assert_eq!(told(&get(&store, path, "_format=json").1).len(), 7);
    let (_, search) = get(&store, "/Patient", "_count=1");
    let next = link(&search, "next").unwrap();
    assert_eq!(get(&store, path, next.split_once('?').unwrap().1).0, 400, "of a search");
}

#[test]
fn what_a_history_does_not_know_is_refused() {
    let store = store();
    for query in [
        "_count=",
        "_count=x",
        "_count=-1",
        "_count=1&_count=1",
        "_since=2024",
        "_at=2024",
        "_sort=_id",
        "_list=a",
        "_summary=count",
        "_cursor=x",
        "gender=male",
        "_format=json&_format=json",
    ] {
        let (status, body) = get(&store, "/Patient/p/_history", query);
        assert_eq!((status, &body["resourceType"]), (400, &json!("OperationOutcome")), "{query}");
    }
    assert_eq!(get(&store, "/Patient/p/_history", "_format=xml").0, 406);
    assert_eq!(get(&store, "/Patient/p/_history/1", "_count=1").0, 400);
    for path in ["/Patient/p/_history", "/Patient/p/_history/1"] {
        for method in ["PUT", "POST", "DELETE"] {
            let response = store.respond(&request(method, path, None));
            assert_eq!(response.status, 405, "{method} {path}");
            assert!(response.headers.contains(&("allow", "GET, HEAD".to_owned())));
        }
    }
}
