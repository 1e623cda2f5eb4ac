//! What is refused, how, and that each is recorded.

use crate::support::{BASE, World, active, code, embedded_hospital, form, login, noon, request};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use scruple_core::EntryBody;
use scruple_hospital::Hospital;
use scruple_identity::{Claims, Issuer, Parties};
use scruple_testkit::interfere::Response;
use serde_json::Value;

fn body(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap()
}

/// The last entry.
fn last(world: &World) -> EntryBody {
    world.entries().pop().unwrap().body
}

#[test]
fn each_role_gets_its_part_of_a_patient() {
    let world = World::new(embedded_hospital());
    let id = Hospital::patient_id(1);
    let path = format!("/fhir/Patient/{id}");
    let read = |role: &str, purpose: &str| body(&world.get(role, purpose, &path));
    let (desk, biller, nurse) = (read("front_desk", "PATADMIN"), read("biller", "HPAYMT"), read("nurse", "TREAT"));
    let analyst = read("quality_analyst", "HQUALIMP");
    for patient in [&desk, &biller, &nurse] {
        assert_eq!(patient["id"], id.as_str());
        assert!(patient["name"][0]["family"].is_string());
    }
    assert!(analyst["name"].is_null(), "an analyst sees no name");
    assert!(desk["birthDate"].is_string() && desk["text"].is_null());
    // RB-14: the front desk sees strictly less of the hospital than a clinician.
    let types = |role: &str, purpose: &str| {
        let kinds = ["Observation", "DocumentReference", "MedicationRequest", "Condition", "Appointment", "Patient"];
        let seen =
            kinds.into_iter().filter(|kind| world.get(role, purpose, &format!("/fhir/{kind}?_count=1")).status == 200);
        seen.collect::<Vec<_>>()
    };
    let (few, many) = (types("front_desk", "PATADMIN"), types("nurse", "TREAT"));
    assert!(few.len() < many.len() && few.iter().all(|kind| many.contains(kind)), "{few:?} in {many:?}");
}

#[test]
fn one_person_in_two_roles_gets_two_views_and_never_more_than_is_granted() {
    let world = World::new(embedded_hospital());
    let path = format!("/fhir/Patient/{}", Hospital::patient_id(1));
    let ask = |roles: &[&str], purpose: Option<&str>| {
        let token = world.token_of("gus.two", roles, purpose);
        world.ask(&request("GET", &path), Some(&token), 1)
    };
    let (nurse, biller) = (ask(&["nurse"], Some("TREAT")), ask(&["biller"], Some("HPAYMT")));
    assert_eq!((nurse.status, biller.status), (200, 200));
    assert_ne!(nurse.body, biller.body);
    for (roles, purpose, expected) in [
        (vec![], Some("TREAT"), "role_not_selected"),
        (vec!["nurse", "biller"], Some("TREAT"), "role_not_selected"),
        (vec!["physician"], Some("TREAT"), "role_not_selected"),
        (vec!["privacy_officer"], Some("HCOMPL"), "role_not_selected"),
        (vec!["nurse"], None, "purpose_missing"),
        (vec!["nurse"], Some("HPAYMT"), "purpose_not_allowed"),
        (vec!["nurse"], Some("BTG"), "elevation_missing"),
        (vec!["nurse"], Some("JANEDOE"), "purpose_unknown"),
    ] {
        let response = ask(&roles, purpose);
        assert_eq!((response.status, code(&response).as_str()), (403, expected), "{roles:?} {purpose:?}");
        let EntryBody::Refusal { actor, code, purpose, .. } = last(&world) else { panic!("no refusal was recorded") };
        assert_eq!((actor.subject.as_str(), code.as_str()), ("gus.two", expected));
        assert_ne!(purpose.as_deref(), Some("JANEDOE"));
    }
    // Whom nobody granted anything holds nothing, whatever the token says; who holds one role need not name it.
    let stranger = world.token_of("nobody.here", &["nurse"], Some("TREAT"));
    assert_eq!(code(&world.ask(&request("GET", &path), Some(&stranger), 1)), "role_not_selected");
    // What only looks like a login is somebody else.
    for other in ["Gus.Two", " gus.two", "gus.two\u{a0}", "gu\u{17f}.two", "GUS.TWO"] {
        let token = world.token_of(other, &["nurse"], Some("TREAT"));
        let response = world.ask(&request("GET", &path), Some(&token), 1);
        assert!(matches!(response.status, 401 | 403), "{other}: {}", response.status);
    }
    let one = world.token_of(login("biller"), &[], Some("HPAYMT"));
    assert_eq!(world.ask(&request("GET", &path), Some(&one), 1).body, biller.body);
}

#[test]
fn no_header_selects_a_role_or_a_purpose() {
    let world = World::new(embedded_hospital());
    let path = format!("/fhir/Patient/{}", Hospital::patient_id(1));
    let token = world.token("front_desk", "PATADMIN");
    let plain = world.ask(&request("GET", &path), Some(&token), 1);
    let mut more = request("GET", &path);
    for (name, value) in [
        ("x-role", "physician"),
        ("x-purpose-of-use", "TREAT"),
        ("x-consent-scope", "btg"),
        ("x-http-method-override", "DELETE"),
        ("x-forwarded-user", "dee.doc"),
        ("if-modified-since", "Sat, 01 Mar 2025 00:00:00 GMT"),
        ("if-match", "W/\"1\""),
        ("range", "bytes=0-10"),
        ("prefer", "return=representation"),
        ("x-forwarded-host", "evil.example"),
        ("host", "evil.example"),
    ] {
        more.headers.push((name.to_owned(), value.to_owned()));
    }
    assert_eq!(world.ask(&more, Some(&token), 1), plain);
}

#[test]
fn tokens_that_are_none_are_refused_and_recorded() {
    let world = World::new(embedded_hospital());
    let path = format!("/fhir/Patient/{}", Hospital::patient_id(1));
    let ask = |token: Option<&str>| world.ask(&request("GET", &path), token, 1);
    let good = world.token("nurse", "TREAT");
    let check = |token: Option<&str>, expected: &str| {
        let response = ask(token);
        assert_eq!((response.status, code(&response).as_str()), (401, expected));
        assert!(response.header("www-authenticate").unwrap().starts_with("Bearer"));
        let EntryBody::Refusal { actor, code, request, .. } = last(&world) else { panic!("no refusal was recorded") };
        assert_eq!((actor.subject.as_str(), code.as_str()), ("unauthenticated", expected));
        assert_eq!(request.unwrap().interaction, "read");
    };
    check(None, "token_missing");
    check(Some(""), "token_malformed");
    check(Some("abc"), "token_malformed");
    let (head, signature) = good.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    check(Some(&format!("{head}.{other}{}", &signature[1..])), "token_signature");
    let parties = Parties { issuer: "https://issuer.example".to_owned(), audience: BASE.to_owned() };
    let forger = Issuer::generate(parties, &mut ChaCha20Rng::seed_from_u64(99)).unwrap();
    let claims = Claims {
        subject: login("physician").to_owned(),
        client_id: "x".to_owned(),
        roles: vec!["physician".to_owned()],
        purpose: Some("TREAT".to_owned()),
        lifetime_seconds: 60,
    };
    let forged = forger.issue(&claims, noon(), &mut ChaCha20Rng::seed_from_u64(1)).unwrap();
    check(Some(&forged), "token_key_unknown");
    // The token is good until its end and not a moment longer, with every background job stopped: the feed must be fresh.
    assert_eq!(ask(Some(&good)).status, 200);
    world.clock.advance_micros(3_600_000_000 + 6_000_000);
    check(Some(&good), "token_expired");
    let mut twice = request("GET", &path);
    twice.headers.push(("authorization".to_owned(), format!("Bearer {good}")));
    assert_eq!(world.ask(&twice, Some(&good), 1).status, 401, "two tokens say nothing");
    let secret = good.as_bytes();
    let entries = world.entries();
    for entry in &entries {
        let bytes = entry.to_bytes().unwrap();
        assert!(
            !bytes.windows(40).any(|window| secret.windows(40).any(|part| part == window)),
            "a token in the ledger"
        );
    }
}

#[test]
fn a_stale_feed_refuses_everyone_alike() {
    let world = World::new(embedded_hospital());
    let path = format!("/fhir/Patient/{}", Hospital::patient_id(1));
    assert_eq!(world.get("nurse", "TREAT", &path).status, 200);
    world.clock.advance_micros(2_000_000);
    let response = world.get("nurse", "TREAT", &path);
    assert_eq!((response.status, code(&response).as_str()), (503, "access_feed_stale"));
    world.runtime.block_on(world.follower.as_ref().unwrap().poll()).unwrap();
    assert_eq!(world.get("nurse", "TREAT", &path).status, 200);
}

#[test]
fn everything_but_reads_and_searches_is_refused_whatever_the_store_holds() {
    let world = World::new(embedded_hospital());
    let id = Hospital::patient_id(1);
    let token = world.token("nurse", "TREAT");
    let check = |method: &str, path: &str, status: u16, expected: &str| {
        let response = world.ask(&request(method, path), Some(&token), 1);
        assert_eq!((response.status, code(&response).as_str()), (status, expected), "{method} {path}");
    };
    for method in ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"] {
        check(method, &format!("/fhir/Patient/{id}"), 405, "method_not_allowed");
    }
    check("POST", "/fhir/Patient", 405, "method_not_allowed");
    for path in [
        "/fhir/",
        "/fhir/_history",
        "/fhir/Patient/_history",
        "/fhir/Patient/$everything",
        "/fhir/$export",
        "/fhir/Group/1/$export",
        &format!("/fhir/Patient/{id}/$lastn"),
        "/fhir/Encounter/1/Observation",
        "/fhir/Practitioner/1/Patient",
    ] {
        check("GET", path, 400, "interaction_not_supported");
    }
    check("POST", "/fhir/$graphql", 400, "interaction_not_supported");
    for path in ["/other/Patient/1", "/fhir//Patient", "/fhir/Patient/../Patient/1", "/fhir/Patient/%70at-0001"] {
        check("GET", path, 400, "path_malformed");
    }
    check("GET", "/fhir/Nothing/1", 400, "type_unknown");
    check("GET", &format!("/fhir/Patient/{id}?_elements=name"), 400, "parameter_not_supported");
    check("GET", &format!("/fhir/Patient/{id}?_format=xml"), 406, "format_not_supported");
    check("GET", "/fhir/Patient?name=%ff", 400, "query_malformed");
    check("GET", "/fhir/Patient?_page=abc", 400, "page_token_invalid");
    for query in
        ["code-value-quantity=a$5", "_filter=code eq 1", "_list=vip", "_security=HIV", "code:text=a", "_include=*"]
    {
        let query = query.replace(' ', "%20");
        check("GET", &format!("/fhir/Observation?{query}"), 400, "parameter_not_supported");
    }
    for (accept, status) in [
        ("application/fhir+xml", 406),
        ("application/fhir+json;q=0, application/fhir+xml", 406),
        ("*/*; q=0.0", 406),
        ("application/fhir+xml, */*;q=0.1", 200),
        ("application/fhir+json; fhirVersion=4.0;q=0.5", 200),
    ] {
        let mut read = request("GET", &format!("/fhir/Patient/{id}"));
        read.headers.push(("accept".to_owned(), accept.to_owned()));
        assert_eq!(world.ask(&read, Some(&token), 1).status, status, "{accept}");
    }
    let mut json = form("/fhir/Patient/_search", "{}");
    json.headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    assert_eq!(code(&world.ask(&json, Some(&token), 1)), "query_malformed");
    let long = form("/fhir/Patient/_search", &format!("name={}", "a".repeat(70_000)));
    assert_eq!(code(&world.ask(&long, Some(&token), 1)), "query_malformed");
    assert_eq!(code(&world.ask(&form("/fhir/Patient/_search?name=a", "name=b"), Some(&token), 1)), "query_malformed");
}

#[test]
fn a_type_or_parameter_that_the_role_has_not_is_named() {
    let world = World::new(embedded_hospital());
    let response = world.get("biller", "HPAYMT", "/fhir/DocumentReference/any");
    assert_eq!((response.status, code(&response).as_str()), (403, "type_not_permitted"));
    assert!(String::from_utf8_lossy(&response.body).contains("has no resources of type DocumentReference"));
    // An analyst sees the year of birth alone, so that a search by the date would tell the day.
    let response = world.get("quality_analyst", "HQUALIMP", "/fhir/Patient?birthdate=1980-05-17");
    assert_eq!((response.status, code(&response).as_str()), (403, "parameter_not_permitted"));
    assert!(String::from_utf8_lossy(&response.body).contains("`birthdate`"));
}

#[test]
fn pages_walk_through_all_that_matches_once_and_get_and_post_agree() {
    let world = World::new(embedded_hospital());
    let token = world.token("nurse", "TREAT");
    let patient = Hospital::patient_id(1);
    let counted = world.get("nurse", "TREAT", &format!("/fhir/Observation?patient={patient}&_summary=count&_count=3"));
    let counted = body(&counted);
    assert!(counted.get("entry").is_none() && counted["link"].as_array().unwrap().len() == 1, "{counted}");
    let all = world.get("nurse", "TREAT", &format!("/fhir/Observation?patient={patient}&_count=200&_total=accurate"));
    let all = body(&all);
    let ids = |bundle: &Value| -> Vec<String> {
        let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
        entries.iter().map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned()).collect()
    };
    assert!(ids(&all).len() > 10 && all["total"] == ids(&all).len() && counted["total"] == all["total"]);
    let mut sorted = ids(&all);
    sorted.sort();
    assert_eq!(sorted, ids(&all), "in the order of ids");
    for (order, backwards) in [("", false), ("&_sort=-_id", true)] {
        let mut walked = Vec::new();
        let mut next = Some(format!("/fhir/Observation?patient={patient}&_count=3{order}"));
        while let Some(path) = next {
            let response = world.ask(&request("GET", &path), Some(&token), 7);
            assert_eq!(response.status, 200);
            let bundle = body(&response);
            assert!(ids(&bundle).len() == 3 || bundle["link"][1].is_null(), "only the last page is short");
            walked.extend(ids(&bundle));
            let link = bundle["link"][1]["url"].as_str().map(str::to_owned);
            next = link.map(|link| link.strip_prefix("https://gateway.example").unwrap().to_owned());
        }
        if backwards {
            walked.reverse();
        }
        assert_eq!(walked, ids(&all));
    }
    let get = world.ask(&request("GET", &format!("/fhir/Observation?patient={patient}&_count=4")), Some(&token), 9);
    let post = world.ask(&form("/fhir/Observation/_search", &format!("patient={patient}&_count=4")), Some(&token), 9);
    assert_eq!(get, post);
    // Nobody else's page, and not under another purpose.
    let link =
        body(&get)["link"][1]["url"].as_str().unwrap().strip_prefix("https://gateway.example").unwrap().to_owned();
    for (role, purpose) in [("physician", "TREAT"), ("coder", "HPAYMT")] {
        assert_eq!(code(&world.get(role, purpose, &link)), "page_token_invalid", "{role}");
    }
    let other = world.token("nurse", "ETREAT");
    assert_eq!(code(&world.ask(&request("GET", &link), Some(&other), 1)), "page_token_invalid");
    assert_eq!(world.ask(&request("GET", &link), Some(&token), 1).status, 200);
}

#[test]
fn the_capability_statement_tells_what_is_served_and_asks_for_no_token() {
    let world = World::new(embedded_hospital());
    let response = world.ask(&request("GET", "/fhir/metadata"), None, 1);
    assert_eq!(response.status, 200);
    let statement = body(&response);
    assert_eq!(statement["fhirVersion"], "4.0.1");
    let resources = statement["rest"][0]["resource"].as_array().unwrap();
    let token = world.token("physician", "TREAT");
    let value = |kind: &str| match kind {
        "date" => "2024",
        "reference" => "Patient/1",
        "number" | "quantity" => "5",
        _ => "a",
    };
    let mut asked = 0;
    for resource in resources {
        let kind = resource["type"].as_str().unwrap();
        for parameter in resource["searchParam"].as_array().into_iter().flatten() {
            let (name, of) = (parameter["name"].as_str().unwrap(), parameter["type"].as_str().unwrap());
            let response = world.ask(&request("GET", &format!("/fhir/{kind}?{name}={}", value(of))), Some(&token), 1);
            // Served, or refused by what the role may: never unknown.
            assert!(
                matches!(response.status, 200 | 403 | 404),
                "{kind}?{name}: {} {}",
                response.status,
                code(&response)
            );
            asked += 1;
        }
    }
    assert!(asked > 1_000, "{asked}");
    assert!(!active().pack.roles.is_empty());
}

#[test]
fn the_headers_of_an_answer_are_those_of_the_list() {
    let world = World::new(embedded_hospital());
    let allowed = [
        "content-type",
        "cache-control",
        "x-content-type-options",
        "x-request-id",
        "www-authenticate",
        "allow",
        "etag",
    ];
    let path = format!("/fhir/Patient/{}", Hospital::patient_id(1));
    for response in [
        world.get("nurse", "TREAT", &path),
        world.get("nurse", "TREAT", "/fhir/Patient/none"),
        world.ask(&request("GET", &path), None, 1),
        world.ask(&request("PUT", &path), Some(&world.token("nurse", "TREAT")), 1),
    ] {
        for (name, _) in &response.headers {
            assert!(allowed.contains(&name.as_str()), "{name}");
        }
        assert_eq!(response.header("cache-control"), Some("no-store"));
    }
}
