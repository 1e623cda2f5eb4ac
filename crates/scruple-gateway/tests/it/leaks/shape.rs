//! Counts, pages, statuses and work: L13 to L16, L30, L33, L41.

use super::*;

/// Five conditions of a patient that the nurse sees, and as many as are said that she does not see, among them.
fn conditions(hidden: usize) -> Store {
    let seen = (0..5).map(|number| condition(&format!("c{number}0"), "p1", "E11.9"));
    let hidden = (0..hidden).map(|number| secret(condition(&format!("c{}{}", number % 5, number + 1), "p1", "E11.9")));
    store([patient("p1"), visit("e1", "p1")].into_iter().chain(seen).chain(hidden))
}

/// The same where those that she does not see are of patients of others.
fn of_others(hidden: usize) -> Store {
    let hidden = (0..hidden).map(|number| condition(&format!("c{}{}", number % 5, number + 1), "p2", "E11.9"));
    and(&conditions(0), hidden.chain([patient("p2")]))
}

fn hidden_conditions() -> [Alike; 2] {
    [
        Alike::new(&[conditions(0), conditions(1), conditions(40)]),
        Alike::related(&[of_others(0), of_others(1), of_others(40)]),
    ]
}

#[test]
fn l13_a_total_that_counts_what_is_hidden() {
    for alike in hidden_conditions() {
        for query in
            ["_total=accurate", "_summary=count", "code=E11.9&_total=accurate&_count=2", "_summary=count&_count=1"]
        {
            let bundle = json_of(&alike.get(NURSE, &format!("/fhir/Condition?{query}")));
            assert_eq!(bundle["total"], 5, "{query}");
            assert_eq!(bundle["entry"].is_null(), query.contains("_summary=count"));
        }
        for query in ["", "_total=none", "_total=estimate"] {
            let bundle = json_of(&alike.get(NURSE, &format!("/fhir/Condition?{query}")));
            assert!(bundle["total"].is_null() && bundle["entry"].as_array().unwrap().len() == 5, "{query}");
        }
        alike.refused(NURSE, "/fhir/Condition?_count=0", 400, "query_malformed");
    }
}

#[test]
fn l14_pages_that_are_short_where_something_is_hidden() {
    for alike in hidden_conditions() {
        for (order, count, mut expected) in [
            ("", 1, vec![vec!["c00"], vec!["c10"], vec!["c20"], vec!["c30"], vec!["c40"]]),
            ("&_sort=-_id", 2, vec![vec!["c40", "c30"], vec!["c20", "c10"], vec!["c00"]]),
            ("&patient=p1", 5, vec![vec!["c00", "c10", "c20", "c30", "c40"]]),
        ] {
            let mut place = Some(format!("/fhir/Condition?_count={count}{order}"));
            while let Some(path) = place {
                let page = alike.get(NURSE, &path);
                let expected: Vec<String> = expected.remove(0).iter().map(|id| format!("Condition/{id}")).collect();
                assert_eq!(ids(&page), expected, "{path}");
                place = next(&page);
            }
            assert!(expected.is_empty(), "no page is left");
        }
    }
}

#[test]
fn l15_absent_deleted_and_hidden_look_the_same() {
    let empty = store([patient("p1"), visit("e1", "p1")]);
    let there = and(&empty, [patient("p2"), result("o2", "p2", HEMOGLOBIN, 1.0), foreign_visit("e2", "p2")]);
    let gone = deleted(&deleted(&empty, patient("p2"), "2"), result("o2", "p2", HEMOGLOBIN, 1.0), "2");
    let alike = Alike::related(&[empty, there, gone]);
    for path in ["/fhir/Patient/p2", "/fhir/Observation/o2", "/fhir/Encounter/e2", "/fhir/Patient/p2/$everything"] {
        alike.absent(NURSE, path);
        assert_eq!(alike.get(NURSE, path).body, alike.get(NURSE, "/fhir/Patient/never").body);
    }
    for path in [
        "/fhir/Patient?_id=p2",
        "/fhir/Observation?patient=p2",
        "/fhir/Patient/p2/Observation",
        "/fhir/Encounter?_id=e2",
    ] {
        assert!(alike.found(NURSE, path).is_empty(), "{path}");
    }
    assert_eq!(alike.get(NURSE, "/fhir/Patient/p1").status, 200);
    // By a label; and by type, where the refusal says what policy says, of any id.
    let empty = store([patient("p1")]);
    let labelled = and(&empty, [secret(result("o2", "p1", HEMOGLOBIN, 1.0))]);
    let alike = Alike::new(&[labelled, deleted(&empty, result("o2", "p1", HEMOGLOBIN, 1.0), "2"), empty]);
    alike.absent(NURSE, "/fhir/Observation/o2");
    alike.absent(CODER, "/fhir/Observation/o2");
    alike.refused(BILLER, "/fhir/DocumentReference/d1", 403, "type_not_permitted");
    assert_eq!(alike.get(NURSE, "/fhir/Patient/p1").status, 200);
}

#[test]
fn l16_the_work_of_an_answer_about_what_is_hidden() {
    let same = |alike: &Alike, path: &str, entries: usize| {
        let work = alike.work(NURSE, path);
        assert!(!work[0].calls.is_empty() && work[0].entries == entries, "{path}: {:?}", work[0]);
        for other in &work[1..] {
            assert_eq!(&work[0], other, "{path}");
        }
        // What is longer than the answer to nothing would tell by its length.
        alike.get(NURSE, path)
    };
    let empty = store([patient("p1"), visit("e1", "p1"), result("o1", "p1", HEMOGLOBIN, 14.0)]);
    let hidden = and(&empty, [secret(result("o2", "p1", GLUCOSE, 1.0))]);
    let gone = deleted(&empty, result("o2", "p1", GLUCOSE, 1.0), "2");
    let alike = Alike::new(&[empty.clone(), hidden, gone]);
    for path in [
        "/fhir/Observation/o2",
        "/fhir/Observation?_id=o2",
        "/fhir/Observation?patient=p1",
        "/fhir/Observation?code=2339-0",
    ] {
        same(&alike, path, 1);
    }
    // A label of what it refers to could close it, so that this is looked up: one call for each type (docs/limits.md). A record
    // that the caller has not to do with costs no such call.
    let linked = |resource: Value| {
        let linked = with(resource, "basedOn", json!([reference("ServiceRequest/s1")]));
        with(linked, "encounter", reference("Encounter/e1"))
    };
    let alike = Alike::new(&[empty.clone(), and(&empty, [secret(linked(result("o2", "p1", GLUCOSE, 1.0)))])]);
    let work = alike.work(NURSE, "/fhir/Observation/o2");
    assert_eq!(work[0].calls, ["read Observation"]);
    assert_eq!(work[1].calls, ["read Observation", "search Encounter", "search ServiceRequest"]);
    assert_eq!(work[0].entries, work[1].entries);
    alike.absent(NURSE, "/fhir/Observation/o2");
    let foreign = [patient("p2"), linked(result("o2", "p2", GLUCOSE, 1.0))];
    let alike = Alike::related(&[empty.clone(), and(&empty, foreign)]);
    for path in ["/fhir/Observation/o2", "/fhir/Observation?code=2339-0"] {
        same(&alike, path, 1);
    }
    let others = [patient("p2"), foreign_visit("e2", "p2"), result("o2", "p2", GLUCOSE, 1.0)];
    let alike = Alike::related(&[and(&empty, others), empty]);
    for path in [
        "/fhir/Patient/p2",
        "/fhir/Observation/o2",
        "/fhir/Observation",
        "/fhir/Observation?code=2339-0",
        "/fhir/Patient",
    ] {
        same(&alike, path, 1);
    }
}

#[test]
fn l30_addresses_of_the_server_behind() {
    let held = store([
        patient("p1"),
        visit("e1", "p1"),
        result("o1", "p1", HEMOGLOBIN, 14.0),
        result("o2", "p1", GLUCOSE, 1.0),
    ]);
    let under = |base: &str| {
        let server = scruple_testkit::interfere::RawServer::new(held.clone()).under(base);
        vec![Arc::new(scruple_pairs::Raw(server)) as Arc<dyn Upstream>]
    };
    // Servers whose addresses hold a number of social security and a host's name.
    let bases = ["http://upstream.example/fhir", "http://ehr-7.internal:8080/999-12-3456/R4"];
    let alike = Alike::before(&active(), bases.map(under).to_vec());
    let mut place = Some("/fhir/Observation?patient=p1&_count=1&_include=Observation:patient".to_owned());
    let mut pages = 0;
    while let Some(path) = place {
        let page = alike.get(NURSE, &path);
        let bundle = json_of(&page);
        for entry in bundle["entry"].as_array().unwrap() {
            let url = entry["fullUrl"].as_str().unwrap();
            let resource = &entry["resource"];
            let own = format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
            assert_eq!(url, format!("https://gateway.example/fhir/{own}"));
            assert!(entry["search"]["score"].is_null());
        }
        for member in ["id", "meta", "timestamp"] {
            assert!(bundle[member].is_null(), "{bundle}");
        }
        let own = bundle["link"][0]["url"].as_str().unwrap();
        assert!(own.starts_with("https://gateway.example/fhir/Observation?patient=p1&_count=1"), "{own}");
        assert!(page.header("location").is_none() && page.header("content-location").is_none());
        place = next(&page);
        pages += 1;
    }
    assert_eq!(pages, 2);
    // What the gateway adds to a search is not echoed: the caller's own parameters are, as they came.
    let alike = Alike::related(&[held.clone(), and(&held, [patient("p2"), foreign_visit("e2", "p2")])]);
    let bundle = json_of(&alike.get(NURSE, "/fhir/Encounter?status=in-progress"));
    assert_eq!(bundle["link"][0]["url"], "https://gateway.example/fhir/Encounter?status=in-progress");
    assert_eq!(bundle["link"].as_array().unwrap().len(), 1);
}

#[test]
fn l33_what_is_left_of_a_resource_on_demand() {
    let born = |day: &str| store([with(patient("p1"), "birthDate", json!(day))]);
    let alike = Alike::new(&[born("1980-01-02"), born("1979-12-30")]);
    for query in
        ["_elements=birthDate", "_elements=birthDate,id,text", "_summary=text", "_summary=data", "_summary=false"]
    {
        let response = alike.get(ANALYST, &format!("/fhir/Patient?{query}"));
        let patient = &json_of(&response)["entry"][0]["resource"];
        assert_eq!(patient["id"], "p1", "{query}");
        assert!(!text(&response).contains("1980") && !text(&response).contains("1979"), "{}", text(&response));
        assert!(patient["meta"]["tag"].to_string().contains("SUBSETTED"), "{patient}");
    }
    let whole = &json_of(&alike.get(ANALYST, "/fhir/Patient?_summary=false"))["entry"][0]["resource"];
    let cut = &json_of(&alike.get(ANALYST, "/fhir/Patient?_elements=birthDate"))["entry"][0]["resource"];
    assert_eq!((&cut["birthDate"], &cut["_birthDate"]), (&whole["birthDate"], &whole["_birthDate"]));
    assert!(whole["gender"] == "female" && cut["gender"].is_null());
    for (query, reason) in [
        ("_summary=true", "parameter_not_supported"),
        ("_summary=everything", "parameter_not_supported"),
        ("_elements=nothing", "query_malformed"),
        ("_elements=birthDate.extension", "query_malformed"),
        ("_elements:exclude=birthDate", "parameter_not_supported"),
        ("_elements=*", "query_malformed"),
    ] {
        alike.refused(ANALYST, &format!("/fhir/Patient?{query}"), 400, reason);
    }
    alike.refused(ANALYST, "/fhir/Patient/p1?_elements=birthDate", 400, "parameter_not_supported");
    alike.refused(ANALYST, "/fhir/Patient/p1?_summary=text", 400, "parameter_not_supported");
}

#[test]
fn l41_page_tokens() {
    let born = |day: &str| {
        let of = |id: &str| with(insured(id, "999-12-3456"), "birthDate", json!(day));
        store([of("p1"), of("p2"), of("p3")])
    };
    // The numbers of social security differ, and the nurse does not see them.
    let numbered = |ssn: &str| store(["p1", "p2", "p3"].map(|id| insured(id, ssn)));
    let alike = Alike::new(&[numbered("999-12-3456"), numbered("1")]);
    let page = alike.get(NURSE, "/fhir/Patient?_sort=-birthdate&_count=1&_elements=id");
    let link = next(&page).unwrap();
    let token = link.split("_page=").nth(1).unwrap();
    assert_eq!(ids(&alike.get(NURSE, &link)).len(), 1);
    // Nobody else's page, for nothing else, and no letter of it may be another.
    for who in [("nurse", "ETREAT"), ("physician", "TREAT"), CODER, ANALYST] {
        alike.refused(who, &link, 400, "page_token_invalid");
    }
    for place in [0, token.len() / 2, token.len() - 2] {
        let other = if token[place..].starts_with('A') { "B" } else { "A" };
        let spoilt = format!("{}{other}{}", &token[..place], &token[place + 1..]);
        alike.refused(NURSE, &format!("/fhir/Patient?_page={spoilt}"), 400, "page_token_invalid");
    }
    alike.refused(NURSE, &format!("/fhir/Observation?_page={token}"), 400, "page_token_invalid");
    alike.refused(NURSE, &format!("/fhir/Patient/p1/Observation?_page={token}"), 400, "page_token_invalid");
    alike.refused(NURSE, &format!("{link}&_count=2"), 400, "query_malformed");
    for name in ["_getpages", "_cursor", "_offset", "ct"] {
        alike.refused(NURSE, &format!("/fhir/Patient?{name}={token}"), 400, "parameter_not_supported");
    }
    // Neither the bytes of a token nor their number say where the page begins: not even by what its caller sees.
    let sorted = |day: &str| {
        let alike = Alike::new(&[born(day)]);
        let link = next(&alike.get(NURSE, "/fhir/Patient?_sort=birthdate&_count=1")).unwrap();
        link.split("_page=").nth(1).unwrap().to_owned()
    };
    let (one, other) = (sorted("1999-04-27"), sorted("1950"));
    assert_eq!(one.len(), other.len());
    let plain = decoded(&one);
    for tells in ["1999", "sort", "Patient", "birth", "p1"] {
        assert!(!plain.windows(tells.len()).any(|window| window == tells.as_bytes()), "{tells}");
    }
}

/// Base64 for URLs, without padding.
fn decoded(text: &str) -> Vec<u8> {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits = text.bytes().map(|letter| letters.iter().position(|known| *known == letter).unwrap());
    let (mut bytes, mut held, mut count) = (Vec::new(), 0_usize, 0);
    for six in bits {
        held = held << 6 | six;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((held >> count & 0xff) as u8);
            held &= (1 << count) - 1;
        }
    }
    bytes
}
