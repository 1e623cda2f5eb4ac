//! What matches: each kind of parameter against values of each form.

use super::*;

fn people() -> Server {
    let patient = |id: &str, rest: Json| {
        let mut all = json!({"resourceType": "Patient", "id": id});
        all.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        all
    };
    server(&[
        patient(
            "p1",
            json!({
                "active": true, "gender": "female", "birthDate": "1984-02-29", "deceasedBoolean": false,
                "identifier": [{"system": "urn:mrn", "value": "A|1"}, {"value": "loose"}, {"system": "urn:bare"}],
                "name": [{"text": "Zoë Peña", "family": "Peña", "given": ["Zoë", "María José"], "prefix": ["Dra."], "suffix": ["III"]}],
                "telecom": [{"system": "phone", "value": "555-0101"}, {"system": "email", "value": "zoe@example.net"}],
                "address": [{"line": ["1, Calle\\Norte", "apt $3"], "city": "Tucson", "state": "AZ", "postalCode": "85701",
                    "country": "US", "district": "Pima", "text": "home", "use": "home"}],
                "generalPractitioner": [{"reference": "Practitioner/d1"}, {"reference": "Organization/d1"}],
                "managingOrganization": {"reference": "Organization/o1/_history/3"},
                "communication": [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "es"}], "text": "es-text"}}]
            }),
        ),
        patient(
            "p2",
            json!({
                "active": false, "gender": "male", "birthDate": "1984", "deceasedDateTime": "2024-02-29T23:30:00-07:00",
                "identifier": [{"system": "urn:mrn", "value": "a|1"}, {"system": "urn:mrn2", "value": "A|1"}],
                "name": [{"family": "PEN\u{303}A Ruiz", "given": ["Ana"]}, {"given": ["O'Neil, Jr"]}],
                "telecom": [{"system": "phone", "value": "zoe@example.net"}, {"value": "555-0101"}],
                "generalPractitioner": [{"reference": "https://else.example/fhir/Practitioner/d1"}, {"reference": "#d1"},
                    {"reference": "urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7"}, {"display": "Practitioner/d1"}, {"reference": "Practitioner/"}],
                "contained": [{"resourceType": "Practitioner", "id": "d1"}],
                "extension": [{"url": "x", "valueString": "Extended"}]
            }),
        ),
        patient(
            "p3",
            json!({
                "gender": "unknown", "birthDate": "1984-02", "deceasedBoolean": true,
                "name": [{"family": "Łódź", "given": [null, "李"]}, "no name"],
                "address": {"city": "Tucson", "line": "single"},
                "telecom": [{"system": "url", "value": "555-0101"}],
                "managingOrganization": {"reference": "Organization/o2"}
            }),
        ),
        // Values of other types than the element has are not read.
        patient(
            "p.4-X",
            json!({
                "active": "true", "gender": {"code": "female"}, "birthDate": 1984, "deceasedDateTime": true, "name": "Peña",
                "identifier": {"system": "urn:mrn", "value": 7}, "managingOrganization": "Organization/o1"
            }),
        ),
    ])
}

#[test]
fn everything_matches_no_criterion() {
    check(&people(), "Patient", "", &["p1", "p2", "p3", "p.4-X"]);
    check(&people(), "Observation", "", &[]);
}

#[test]
fn ids_are_found_in_lists() {
    let people = people();
    for (query, expected) in [
        ("_id=p2", &["p2"][..]),
        ("_id=p3,p1,none,p3", &["p1", "p3"]),
        ("_id=p.4-X", &["p.4-X"]),
        ("_id=p%2e4-X", &["p.4-X"]),
        ("_id=P1", &[]),
        ("_id=p", &[]),
        ("_id=p1,p2&_id=p2,p3", &["p2"]),
        // An id has no system: it goes by its code.
        ("_id=|p1", &["p1"]),
        ("_id=urn:x|p1", &["p1"]),
        ("_id=urn:x|", &[]),
        ("_id=Patient/p1", &[]),
    ] {
        check(&people, "Patient", query, expected);
    }
}

#[test]
fn tokens() {
    let people = people();
    for (query, expected) in [
        ("identifier=A\\|1", &["p1", "p2"][..]),
        ("identifier=urn:mrn|A\\|1", &["p1"]),
        ("identifier=urn%3Amrn%7CA%5C%7C1", &["p1"]),
        ("identifier=urn:mrn|a\\|1", &["p2"]),
        ("identifier=urn:mrn|", &["p1", "p2", "p.4-X"]),
        ("identifier=urn:bare|", &["p1"]),
        ("identifier=urn:mrn2|", &["p2"]),
        ("identifier=urn:none|", &[]),
        ("identifier=URN:MRN|A\\|1", &[]),
        ("identifier=|loose", &["p1"]),
        ("identifier=loose", &["p1"]),
        ("identifier=|A\\|1", &[]),
        ("identifier=urn:none|loose", &[]),
        ("identifier=loos", &[]),
        ("identifier=7", &[]),
        ("identifier=urn:none|x,urn:mrn|a\\|1,loose", &["p1", "p2"]),
        ("identifier=loose&identifier=urn:mrn|A\\|1", &["p1"]),
        ("identifier=loose&identifier=urn:mrn|a\\|1", &[]),
        ("gender=female", &["p1"]),
        ("gender=Female", &[]),
        ("gender=female,male", &["p1", "p2"]),
        ("gender=http://hl7.org/fhir/administrative-gender|male", &["p2"]),
        ("gender=|male", &["p2"]),
        ("gender=http://hl7.org/fhir/administrative-gender|", &[]),
        ("active=true", &["p1"]),
        ("active=false", &["p2"]),
        ("active=TRUE", &[]),
        ("language=es", &["p1"]),
        ("language=urn:ietf:bcp:47|es", &["p1"]),
        ("language=|es", &[]),
        ("language=es-text", &[]),
        ("telecom=555-0101", &["p1", "p2", "p3"]),
        ("telecom=phone|555-0101", &["p1", "p2", "p3"]),
        ("telecom=phone|", &[]),
        ("phone=555-0101", &["p1"]),
        ("phone=zoe@example.net", &["p2"]),
        ("email=zoe%40example.net", &["p1"]),
        ("address-use=home", &["p1"]),
        ("deceased=true", &["p2", "p3"]),
        ("deceased=false", &["p1"]),
        ("deceased=x|true", &["p2", "p3"]),
        ("deceased=2024-02-29T23:30:00-07:00", &[]),
    ] {
        check(&people, "Patient", query, expected);
    }
}

#[test]
fn strings() {
    let people = people();
    for (query, expected) in [
        ("name=pena", &["p1", "p2"][..]),
        ("name=PE%C3%91A", &["p1", "p2"]),
        ("name=pen%CC%83a", &["p1", "p2"]),
        ("name=pena+ruiz", &["p2"]),
        ("name=pena%20%20%09RUIZ+", &["p2"]),
        ("name=zoe+pena", &["p1"]),
        ("name=maria", &["p1"]),
        ("name=jose", &[]),
        ("name=ena", &[]),
        ("name=dra.", &["p1"]),
        ("name=iii", &["p1"]),
        ("name=%C5%81%C3%B3d%C5%BA", &["p3"]),
        ("name=lodz", &[]),
        ("name=%E6%9D%8E", &["p3"]),
        ("name=o'neil\\,+jr", &["p2"]),
        ("name=o'neil,dra", &["p1", "p2"]),
        ("name=extended", &[]),
        ("name=a|b,a$b", &[]),
        ("family=zoe", &[]),
        ("family=pena", &["p1", "p2"]),
        ("given=zoe", &["p1"]),
        ("given=%E6%9D%8E", &["p3"]),
        ("given=zoe&given=maria", &["p1"]),
        ("given=zoe&given=ana", &[]),
        ("given=zoe,ana", &["p1", "p2"]),
        ("address=85701", &["p1"]),
        ("address=1\\,+calle\\\\norte", &["p1"]),
        ("address=apt+\\$3", &["p1"]),
        ("address=apt+$3", &["p1"]),
        ("address=tucson", &["p1", "p3"]),
        ("address=single", &["p3"]),
        ("address-city=TUC", &["p1", "p3"]),
        ("address-state=az&address-city=tucson", &["p1"]),
        ("address-country=us", &["p1"]),
        ("address=pima", &["p1"]),
        ("address=home", &["p1"]),
        // Nothing is left of it, and every value begins with nothing.
        ("address-city=+", &["p1", "p3"]),
    ] {
        check(&people, "Patient", query, expected);
    }
}

#[test]
fn references() {
    let people = people();
    for (query, expected) in [
        ("general-practitioner=Practitioner/d1", &["p1"][..]),
        ("general-practitioner=d1", &["p1"]),
        ("general-practitioner=Organization/d1", &["p1"]),
        ("general-practitioner=PractitionerRole/d1", &[]),
        ("general-practitioner=Nonsense/d1", &[]),
        ("general-practitioner=D1", &[]),
        ("general-practitioner=none,Practitioner/d1", &["p1"]),
        ("organization=Organization/o1", &["p1"]),
        ("organization=o1,o2", &["p1", "p3"]),
        ("organization=Patient/o1", &[]),
    ] {
        check(&people, "Patient", query, expected);
    }
    for query in [
        "general-practitioner=https://else.example/fhir/Practitioner/d1",
        "general-practitioner=Practitioner/d1/_history/1",
        "general-practitioner=urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7",
        "general-practitioner=Practitioner/",
        "general-practitioner=/d1",
        "general-practitioner=#d1",
        "general-practitioner=d1|2",
        "general-practitioner=practitioner/d1",
        "general-practitioner=d_1",
        "general-practitioner=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ] {
        refused(&people, "Patient", query);
    }
}

#[test]
fn a_parameter_named_as_a_type_reads_that_type() {
    let subject = |id: &str, to: &str| json!({"resourceType": "Observation", "id": id, "subject": {"reference": to}});
    let store = server(&[
        subject("o1", "Patient/x"),
        subject("o2", "Group/x"),
        subject("o3", "Patient/x/_history/2"),
        subject("o4", "Patient/x/y/z"),
        subject("o5", "Patient/x/_history/"),
    ]);
    for (query, expected) in [
        ("subject=x", &["o1", "o2", "o3"][..]),
        ("subject=Group/x", &["o2"]),
        ("patient=x", &["o1", "o3"]),
        ("patient=Patient/x", &["o1", "o3"]),
        ("patient=Group/x", &[]),
    ] {
        check(&store, "Observation", query, expected);
    }
}

#[test]
fn whole_strings() {
    let response =
        |id: &str, url: &str| json!({"resourceType": "QuestionnaireResponse", "id": id, "questionnaire": url});
    let store = server(&[
        response("r1", "https://q.example/Q/1|2.0"),
        response("r2", "https://q.example/Q/1"),
        response("r3", "https://q.example/Q/1|2.0|x"),
        json!({"resourceType": "Questionnaire", "id": "q1", "url": "https://q.example/Q/1|2.0"}),
        json!({"resourceType": "Questionnaire", "id": "q2", "url": "https://q.example/Q/1,5"}),
    ]);
    for (query, expected) in [
        ("questionnaire=https://q.example/Q/1", &["r1", "r2", "r3"][..]),
        ("questionnaire=https://q.example/Q/1|2.0", &["r1"]),
        ("questionnaire=https://q.example/Q/1\\|2.0\\|x", &["r3"]),
        ("questionnaire=https://q.example/Q/1|1.0", &[]),
        ("questionnaire=https://q.example/Q", &[]),
        ("questionnaire=1", &[]),
    ] {
        check(&store, "QuestionnaireResponse", query, expected);
    }
    for (query, expected) in [
        ("url=https://q.example/Q/1|2.0", &["q1"][..]),
        ("url=https://q.example/Q/1", &[]),
        ("url=https://q.example/Q/1\\,5", &["q2"]),
        ("url=https://q.example/Q/1,https://q.example/Q/1|2.0", &["q1"]),
    ] {
        check(&store, "Questionnaire", query, expected);
    }
}

/// Dates of each type that an Observation may have, by what they are.
fn times() -> Server {
    let at = |id: &str, rest: Json| {
        let mut all = json!({"resourceType": "Observation", "id": id});
        all.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        all
    };
    let period = |id: &str, period: Json| at(id, json!({"effectivePeriod": period}));
    server(&[
        at("year", json!({"effectiveDateTime": "2024"})),
        at("month", json!({"effectiveDateTime": "2024-02"})),
        at("leap", json!({"effectiveDateTime": "2024-02-29"})),
        at("second", json!({"effectiveDateTime": "2024-02-29T12:00:00Z"})),
        at("instant", json!({"effectiveInstant": "2024-02-29T12:00:00.250+01:00"})),
        // The evening of the leap day in Arizona is March in UTC.
        at("evening", json!({"effectiveDateTime": "2024-02-29T20:00:00-07:00"})),
        period("open", json!({"start": "2024-02-29"})),
        period("until", json!({"end": "2024-02-29"})),
        period("short", json!({"start": "2024-02-28T06:00:00Z", "end": "2024-02-29"})),
        period("empty", json!({})),
        period("bad", json!({"start": "2024-02-30", "end": "2024-03-01"})),
        at("timing", json!({"effectiveTiming": {"event": ["2024-02-29T01:00:00Z", "2025-01-01"]}})),
        at("repeat", json!({"effectiveTiming": {"repeat": {"boundsPeriod": {"start": "2024-02-29"}}}})),
        at("none", json!({"effectiveString": "2024-02-29"})),
        at("no-day", json!({"effectiveDateTime": "2023-02-29"})),
    ])
}

#[test]
fn dates() {
    let times = times();
    for (query, expected) in [
        ("date=2024-02-29", &["leap", "second", "instant", "timing"][..]),
        ("date=eq2024-02-29", &["leap", "second", "instant", "timing"]),
        ("date=2024-02", &["month", "leap", "second", "instant", "short", "timing"]),
        ("date=2024", &["year", "month", "leap", "second", "instant", "evening", "short", "timing"]),
        ("date=2024-02-29T12:00:00Z", &["second"]),
        ("date=2024-02-29T12:00", &["second"]),
        ("date=2024-02-29T13:00:00+01:00", &["second"]),
        ("date=2024-02-29T13:00:00%2B01:00", &["second"]),
        ("date=2024-02-29T05:00-07:00", &["second"]),
        ("date=2024-02-29T11:00:00.25Z", &["instant"]),
        ("date=2024-02-29T11:00:00Z", &["instant"]),
        ("date=2024-02-29T11:00:00.250001Z", &[]),
        ("date=2024-03-01", &["evening"]),
        ("date=2024-03-01T03:00:00", &["evening"]),
        ("date=2023", &[]),
        ("date=gt2024-02-29", &["year", "evening", "open", "timing"]),
        (
            "date=gt2024-02-28",
            &["year", "month", "leap", "second", "instant", "evening", "open", "until", "short", "timing"],
        ),
        ("date=gt2024-12-31", &["open", "timing"]),
        ("date=lt2024-02-29", &["year", "month", "until", "short"]),
        ("date=lt2024-02-29T12:00:00Z", &["year", "month", "leap", "instant", "open", "until", "short", "timing"]),
        ("date=lt0001", &["until"]),
        ("date=ge2024-02-29", &["year", "leap", "second", "instant", "evening", "open", "timing"]),
        ("date=le2024-02-29", &["year", "month", "leap", "second", "instant", "until", "short", "timing"]),
        ("date=sa2024-02-28", &["leap", "second", "instant", "evening", "open", "timing"]),
        ("date=sa2024-02-29", &["evening", "timing"]),
        ("date=sa2024-02-29T19:59:59-07:00", &["evening", "timing"]),
        ("date=eb2024-03-01", &["month", "leap", "second", "instant", "until", "short", "timing"]),
        ("date=eb2024-02-29", &[]),
        ("date=eb2025", &["year", "month", "leap", "second", "instant", "evening", "until", "short", "timing"]),
        ("date=2023,2024-03-01,2024-02-29T12:00Z", &["second", "evening"]),
        ("date=ge2024-02-29&date=lt2024-03-01", &["year", "leap", "second", "instant", "open", "timing"]),
        ("date=ge2024-02-29&date=le2024-02-29", &["year", "leap", "second", "instant", "timing"]),
    ] {
        check(&times, "Observation", query, expected);
    }
    for text in [
        "ne2024",
        "ap2024",
        "2024-02-30",
        "2023-02-29",
        "24",
        "2024-1",
        "gt",
        "GT2024",
        "ge+2024",
        "2024-02-29T",
        "2024-02-29T12",
        "2024-02-29T12:00:00+15:00",
        "today",
        "2024-02-29Z",
        "2024,",
        "\u{e9}",
        "2024|",
        "x",
    ] {
        refused(&times, "Observation", &format!("date={text}"));
    }
}

#[test]
fn death_and_birth() {
    let people = people();
    for (query, expected) in [
        ("death-date=2024-03-01", &["p2"][..]),
        ("death-date=2024-02-29", &[]),
        ("death-date=ge2000", &["p2"]),
        ("birthdate=1984-02-29", &["p1"]),
        ("birthdate=1984-02", &["p1", "p3"]),
        ("birthdate=1984", &["p1", "p2", "p3"]),
        ("birthdate=lt1984-02-01", &["p2"]),
        ("birthdate=ge1984-02-29&deceased=false", &["p1"]),
    ] {
        check(&people, "Patient", query, expected);
    }
}

#[test]
fn choices_are_read_by_the_type_that_stands() {
    let observation = |id: &str, key: &str, value: Json| json!({"resourceType": "Observation", "id": id, (key): value, "component": [{(key): value}]});
    let concept = json!({"coding": [{"system": "urn:s", "code": "c"}, {"code": "c2"}]});
    let store = server(&[
        observation("concept", "valueCodeableConcept", concept.clone()),
        observation("string", "valueString", json!("Grün")),
        observation("date", "valueDateTime", json!("2024-05-05")),
        observation("period", "valuePeriod", json!({"start": "2024-05-05", "end": "2024-05-05"})),
        observation("wrong", "valueConcept", concept),
        json!({"resourceType": "Condition", "id": "age", "onsetAge": {"value": 7}}),
        json!({"resourceType": "Condition", "id": "told", "onsetString": "as a child"}),
        json!({"resourceType": "Condition", "id": "then", "onsetDateTime": "2001"}),
    ]);
    for (resource_type, query, expected) in [
        ("Observation", "value-concept=urn:s|c", &["concept"][..]),
        ("Observation", "value-concept=|c2", &["concept"]),
        ("Observation", "combo-value-concept=c", &["concept"]),
        ("Observation", "component-value-concept=c", &["concept"]),
        ("Observation", "value-string=GRUN", &["string"]),
        ("Observation", "value-date=2024-05-05", &["date", "period"]),
        ("Condition", "onset-date=2001", &["then"]),
        ("Condition", "onset-info=as", &["told"]),
    ] {
        check(&store, resource_type, query, expected);
    }
}

/// All criteria must hold, whichever the index begins with.
#[test]
fn criteria_are_joined() {
    let people = people();
    for (query, expected) in [
        ("family=pena&gender=male", &["p2"][..]),
        ("gender=male&family=pena", &["p2"]),
        ("birthdate=1984&organization=o1&_id=p1,p3", &["p1"]),
        ("identifier=urn:mrn|&gender=female", &["p1"]),
        ("identifier=none&name=p", &[]),
        ("gender=female,male,unknown&gender=male,unknown", &["p2", "p3"]),
    ] {
        check(&people, "Patient", query, expected);
    }
}
