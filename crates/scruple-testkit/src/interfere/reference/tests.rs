//! The bytes of answers, the places of requests, and what a comparison lets pass.

use super::*;
use crate::interfere::view::ShownVersion;
use crate::interfere::world::BASE;

fn server() -> ReferenceServer {
    let patient = |id: &str, family: &str| {
        let text = format!(r#"{{"resourceType":"Patient","id":"{id}","name":[{{"family":"{family}"}}]}}"#);
        ("Patient".to_owned(), id.to_owned(), text.into_bytes())
    };
    ReferenceServer::new(vec![patient("b", "Ruiz"), patient("a", "Roe"), patient("c", "Poe")], BASE)
}

fn text(answer: &Answer) -> &str {
    std::str::from_utf8(&answer.body).unwrap()
}

fn get(path: &str) -> Request {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query.to_owned())));
    Request { query, ..Request::get(path) }
}

#[test]
fn a_count_has_no_entries() {
    let answer = server().answer(&get("/fhir/Patient?_summary=count&_count=1"));
    assert_eq!(
        String::from_utf8(answer.body).unwrap(),
        r#"{"resourceType":"Bundle","type":"searchset","total":3,"link":[{"relation":"self","url":"https://gateway.example/fhir/Patient?_summary=count&_count=1"}]}"#
    );
}

#[test]
fn a_search_is_answered_as_the_page_says() {
    let answer = server().answer(&get("/fhir/Patient?_total=accurate&name=r&_count=1&_format=json"));
    assert_eq!(
        text(&answer),
        r#"{"resourceType":"Bundle","type":"searchset","total":2,"link":[{"relation":"self","url":"https://gateway.example/fhir/Patient?_total=accurate&name=r&_count=1"},{"relation":"next","url":"https://gateway.example/fhir/Patient?_page=-"}],"entry":[{"fullUrl":"https://gateway.example/fhir/Patient/a","resource":{"resourceType":"Patient","id":"a","name":[{"family":"Roe"}]},"search":{"mode":"match"}}]}"#
    );
    assert!(answer.has_next);
    let next = server().page(answer.query.as_ref().unwrap(), 1);
    assert!(!next.has_next);
    assert!(
        text(&next).contains(r#"_count=1&_page=-"}],"entry":[{"fullUrl":"https://gateway.example/fhir/Patient/b""#),
        "{}",
        text(&next)
    );
    assert!(text(&server().page(answer.query.as_ref().unwrap(), 2)).ends_with(r#"_count=1&_page=-"}]}"#));
}

#[test]
fn nothing_found_has_no_entries_and_no_question_mark_where_nothing_was_asked() {
    let none = server().answer(&get("/fhir/Condition"));
    assert_eq!(
        text(&none),
        r#"{"resourceType":"Bundle","type":"searchset","link":[{"relation":"self","url":"https://gateway.example/fhir/Condition"}]}"#
    );
    let backwards = server().answer(&get("/fhir/Patient?_sort=-_id"));
    let ids: Vec<_> =
        text(&backwards).match_indices(r#""id":"#).map(|(at, _)| &text(&backwards)[at + 6..at + 7]).collect();
    assert_eq!(ids, ["c", "b", "a"]);
    let spoken = server().answer(&get("/fhir/Patient?name=R%C3%96%20%5C,&name=x+y"));
    assert!(text(&spoken).contains(r#"/Patient?name=R%C3%96%20%5C%2C&name=x%20y"}]"#), "{}", text(&spoken));
}

#[test]
fn requests_are_placed_by_their_form() {
    let status = |request: &Request| server().answer(request).status;
    for (path, expected) in [
        ("/fhir/Patient/a", 200),
        ("/fhir/Patient/z", 404),
        ("/fhir/Patient/a?_format=json", 200),
        ("/fhir/Patient/a?_format=xml", 406),
        ("/fhir/Patient/a?_summary=true", 400),
        ("/fhir/Condition/a", 404),
        ("/fhir/Patient?_format=xml", 406),
        ("/fhir/Patient?name=%zz", 400),
        ("/fhir/Patient?name=%ff", 400),
        ("/fhir//Patient/a", 400),
        ("/fhir/Patient/../Patient/a", 400),
        ("/fhir/Patient/%61", 400),
        ("/fhir/Patient/a/", 400),
        ("/fhir/patient/a", 400),
        ("/fhir/Patient/a/_history", 403),
        ("/fhir/Patient/$everything", 400),
        ("/fhir/Patient/_search", 400),
        ("/fhir/Patient?_page=x", 400),
        ("/fhir/", 400),
        ("/Patient/a", 400),
        ("/fhir/metadata", 0),
        ("/fhir/Patient?", 200),
    ] {
        assert_eq!(status(&get(path)), expected, "{path}");
    }
    let post = Request { method: "POST".to_owned(), body: b"name=roe".to_vec(), ..get("/fhir/Patient/_search") };
    assert_eq!(status(&post), 400, "without its content type");
    let post = post.with_header("content-type", "application/x-www-form-urlencoded; charset=UTF-8");
    assert_eq!(status(&post), 200);
    assert_eq!(status(&post.with_query("_count=1")), 400);
    assert_eq!(status(&Request { method: "DELETE".to_owned(), ..get("/fhir/Patient/a") }), 405);
}

fn response(status: u16, body: &str) -> Response {
    let headers = vec![("Content-Type".to_owned(), "application/fhir+json;charset=utf-8".to_owned())];
    Response { status, headers, body: body.as_bytes().to_vec() }
}

#[test]
fn answers_are_equal_but_for_their_tokens() {
    let request = get("/fhir/Patient?_count=1");
    let answer = server().answer(&request);
    let empty = response(200, "");
    let with = |what: &str, by: &str| {
        compare(&request, &response(200, &text(&answer).replace(what, by)), &answer, &empty, false)
    };
    assert_eq!(with("_page=-", "_page=k3Y.-_~%2F"), Verdict::Equal);
    for (what, by) in [
        ("_page=-", "_page=-&x=1"),
        (r#""Roe""#, r#""Rot""#),
        ("_count=1", "_count=2"),
        (r#","search""#, r#", "search""#),
        ("]}", "]} "),
    ] {
        assert!(matches!(with(what, by), Verdict::Different(_)), "{what} {by}");
    }
    let page = r#"{"resourceType":"Bundle","type":"searchset","link":[],"entry":[{"resource":{"url":"_page=1"}}]}"#;
    let other = page.replace("_page=1", "_page=2");
    assert_ne!(without_tokens(page.as_bytes()), without_tokens(other.as_bytes()), "in entries nothing is let pass");
}

#[test]
fn refusals_must_be_those_of_the_empty_store_and_allowed() {
    let (request, gone) = (get("/fhir/Patient/a"), get("/fhir/Patient/z"));
    let judged = |request: &Request, own: &Response, empty: &Response, may: bool| {
        compare(request, own, &server().answer(request), empty, may)
    };
    let (no, other_no, absent) = (response(403, "no"), response(403, "no, Roe"), response(404, "gone"));
    assert_eq!(judged(&request, &no, &no, true), Verdict::Refused);
    assert_eq!(judged(&gone, &absent, &absent, false), Verdict::Absent);
    for (request, own, empty, may) in [
        (&request, &no, &no, false),
        (&request, &other_no, &no, true),
        (&request, &absent, &absent, true),
        (&gone, &no, &absent, true),
        (&gone, &response(200, "{}"), &absent, true),
        (&gone, &response(503, ""), &response(503, ""), true),
        (&request, &response(304, ""), &absent, true),
        (&request, &response(206, "{"), &absent, true),
    ] {
        assert!(matches!(judged(request, own, empty, may), Verdict::Different(_)), "{request:?} {own:?}");
    }
    let conditional = request.clone().with_header("If-None-Match", "*");
    assert_eq!(judged(&conditional, &response(304, ""), &absent, true), Verdict::Equal);
}

fn world() -> ReferenceServer {
    let with = |kind: &str, id: &str, rest: &str| {
        let text = format!(r#"{{"resourceType":"{kind}","id":"{id}"{rest}}}"#);
        (kind.to_owned(), id.to_owned(), text.into_bytes())
    };
    let of = |patient: &str| format!(r#","subject":{{"reference":"Patient/{patient}"}}"#);
    ReferenceServer::new(
        vec![
            with("Patient", "a", r#","generalPractitioner":[{"reference":"Practitioner/d"}]"#),
            with("Patient", "b", ""),
            with("Observation", "x", &of("a")),
            with("Observation", "y", &format!(r#"{},"performer":[{{"reference":"Organization/o"}}]"#, of("a"))),
            with("Observation", "z", &of("b")),
            with(
                "Coverage",
                "c",
                r#","beneficiary":{"reference":"Patient/a"},"payor":[{"reference":"Organization/gone"}]"#,
            ),
            with("Practitioner", "d", ""),
            with("Organization", "o", ""),
        ],
        BASE,
    )
}

/// Types, ids and modes of what stands in an answer, and its total.
fn stands(answer: &Answer) -> (Option<u64>, Vec<String>) {
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let entries = body["entry"].as_array().cloned().unwrap_or_default();
    let line = |entry: &Value| {
        let address = entry["fullUrl"].as_str().unwrap().trim_start_matches(BASE).trim_start_matches('/').to_owned();
        format!("{address} {}", entry["search"]["mode"].as_str().unwrap())
    };
    (body["total"].as_u64(), entries.iter().map(line).collect())
}

#[test]
fn what_is_included_stands_behind_the_matches_of_the_page() {
    for (path, total, expected) in [
        (
            "/fhir/Observation?_include=Observation:patient&_count=2&_total=accurate",
            Some(3),
            "Observation/x match, Observation/y match, Patient/a include",
        ),
        (
            "/fhir/Observation?_include=Observation:performer&_include=Observation:patient&_sort=-_id&_count=2",
            None,
            "Observation/z match, Observation/y match, Organization/o include, Patient/a include, Patient/b include",
        ),
        (
            "/fhir/Patient?_revinclude=Observation:patient&_elements=id&_count=1",
            None,
            "Patient/a match, Observation/x include, Observation/y include",
        ),
        ("/fhir/Patient?_revinclude=Observation:patient&name=nobody", None, ""),
        (
            "/fhir/Observation?patient.general-practitioner:Practitioner._id=d&_sort=-_id",
            None,
            "Observation/y match, Observation/x match",
        ),
        ("/fhir/Patient/a/Observation", None, "Observation/x match, Observation/y match"),
        ("/fhir/Patient/gone/Observation", None, ""),
        ("/fhir/Patient/a/Coverage?_summary=count", Some(1), ""),
    ] {
        let answer = world().answer(&get(path));
        let (own, lines) = stands(&answer);
        assert_eq!((own, lines.join(", ")), (total, expected.to_owned()), "{path}");
    }
}

#[test]
fn a_compartment_has_addresses_of_its_own() {
    let answer = world().answer(&get("/fhir/Patient/a/Observation?_count=1"));
    let head = r#"{"resourceType":"Bundle","type":"searchset","link":[{"relation":"self","url":"https://gateway.example/fhir/Patient/a/Observation?_count=1"},{"relation":"next","url":"https://gateway.example/fhir/Patient/a/Observation?_page=-"}]"#;
    assert!(text(&answer).starts_with(head), "{}", text(&answer));
    for (path, expected) in [
        ("/fhir/Patient/a/Patient", 400),
        ("/fhir/Patient/a/Practitioner", 400),
        ("/fhir/Patient/a/*", 400),
        ("/fhir/Patient/a/Shoe", 400),
        ("/fhir/Practitioner/d/Observation", 400),
        ("/fhir/Patient/a/Observation?shoe=44", 400),
        ("/fhir/Patient/a/$everything?_count=1", 400),
        ("/fhir/Patient/a/$everything?_type=Shoe", 400),
        ("/fhir/Patient/a/$everything?_format=xml", 406),
        ("/fhir/Patient/gone/$everything", 404),
        ("/fhir/Practitioner/d/$everything", 400),
        ("/fhir/Patient/a/$everything?_format=application/fhir+json", 200),
    ] {
        assert_eq!(world().answer(&get(path)).status, expected, "{path}");
    }
}

#[test]
fn everything_is_the_patient_the_compartment_and_what_is_shared() {
    let of = |query: &str| {
        let answer = world().answer(&get(&format!("/fhir/Patient/a/$everything{query}")));
        let (total, lines) = stands(&answer);
        (total, lines.join(", "), text(&answer).to_owned())
    };
    let (total, lines, body) = of("");
    assert_eq!(total, Some(4));
    assert_eq!(
        lines,
        "Patient/a match, Coverage/c match, Observation/x match, Observation/y match, Organization/o include, Practitioner/d include"
    );
    assert!(body.starts_with(r#"{"resourceType":"Bundle","type":"searchset","total":4,"link":[{"relation":"self","url":"https://gateway.example/fhir/Patient/a/$everything"}],"entry":[{"fullUrl":"https://gateway.example/fhir/Patient/a","#), "{body}");
    let (total, lines, body) = of("?_type=Observation,Practitioner&_format=json");
    assert_eq!((total, lines.as_str()), (Some(2), "Observation/x match, Observation/y match"));
    assert!(body.contains(r#"/Patient/a/$everything?_type=Observation%2CPractitioner"}]"#), "{body}");
    assert_eq!(of("?_type=Patient,Practitioner").1, "Patient/a match, Practitioner/d include");
}

#[test]
fn versions_are_answered_as_the_page_says() {
    let version = |id: &str, gender: &str| ShownVersion {
        id: Some(id.to_owned()),
        bytes: format!(r#"{{"resourceType":"Patient","id":"a","meta":{{"versionId":"{id}"}},"gender":"{gender}"}}"#)
            .into_bytes(),
    };
    let shown = vec![version("3", "male"), version("2", "male"), version("1", "other")];
    let past = [(("Patient".to_owned(), "a".to_owned()), shown)].into();
    let server = ReferenceServer::of(Seen { view: View::new(), past: Some(past) }, BASE);
    let answer = |path: &str| server.answer(&get(path));
    assert_eq!(
        text(&answer("/fhir/Patient/a/_history?_format=json")),
        r#"{"resourceType":"Bundle","type":"history","total":2,"link":[{"relation":"self","url":"https://gateway.example/fhir/Patient/a/_history"}],"entry":[{"fullUrl":"https://gateway.example/fhir/Patient/a","resource":{"resourceType":"Patient","id":"a","meta":{"versionId":"2"},"gender":"male"},"request":{"method":"PUT","url":"Patient/a"},"response":{"status":"200"}},{"fullUrl":"https://gateway.example/fhir/Patient/a","resource":{"resourceType":"Patient","id":"a","meta":{"versionId":"1"},"gender":"other"},"request":{"method":"PUT","url":"Patient/a"},"response":{"status":"200"}}]}"#
    );
    assert_eq!(text(&answer("/fhir/Patient/a/_history/3")).as_bytes(), version("3", "male").bytes);
    for (path, status) in [
        ("/fhir/Patient/a/_history/4", 404),
        ("/fhir/Patient/b/_history", 404),
        ("/fhir/Patient/b/_history/1", 404),
        ("/fhir/Observation/a/_history/1", 404),
        ("/fhir/Patient/a/_history?_count=1", 400),
        ("/fhir/Patient/a/_history/1?_since=2025", 400),
        ("/fhir/Patient/a/_history/1?_format=xml", 406),
        ("/fhir/Patient/a/_history/", 400),
        ("/fhir/Patient/a/_history/%31", 400),
        ("/fhir/Patient/a/_history/1/1", 400),
        ("/fhir/Patient/_history", 400),
        ("/fhir/Shoe/a/_history", 400),
    ] {
        assert_eq!(answer(path).status, status, "{path}");
    }
    let without = ReferenceServer::new(View::new(), BASE);
    for path in ["/fhir/Patient/a/_history", "/fhir/Patient/a/_history/1"] {
        assert_eq!(without.answer(&get(path)).status, 403, "{path}");
    }
}

#[test]
fn who_has_no_history_is_refused_whatever_there_is() {
    let response = |status| Response { status, headers: Vec::new(), body: Vec::new() };
    let request = get("/fhir/Patient/a/_history");
    let of = |status, empty| compare(&request, &response(status), &Answer::refused(403), &response(empty), true);
    assert_eq!(of(403, 403), Verdict::Refused);
    for (status, empty) in [(403, 404), (404, 404), (200, 200)] {
        assert!(matches!(of(status, empty), Verdict::Different(_)), "{status} {empty}");
    }
}
