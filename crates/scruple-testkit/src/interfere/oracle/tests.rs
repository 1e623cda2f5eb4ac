//! The page on searches, as queries that match, that do not, and that are refused.

use super::*;
use crate::interfere::text::{folded, pairs};
use serde_json::json;

fn asked(kind: &str, written: &str) -> Result<Query, Refused> {
    parse(kind, &pairs(written).expect("a query"))
}

/// Which of the queries match.
#[track_caller]
fn check(resource: &Value, cases: &[(&str, bool)]) {
    let kind = resource["resourceType"].as_str().unwrap();
    for (written, expected) in cases {
        let query = asked(kind, written).unwrap_or_else(|refused| panic!("{written}: {refused}"));
        assert_eq!(matches(resource, &query), *expected, "{kind}?{written}");
    }
}

#[track_caller]
fn refused(kind: &str, why: Refused, queries: &[&str]) {
    for written in queries {
        assert_eq!(asked(kind, written).err(), Some(why), "{kind}?{written}");
    }
}

fn patient() -> Value {
    json!({
        "resourceType": "Patient", "id": "p.1-a",
        "identifier": [{ "system": "http://h/mrn", "value": "12,3" }, { "value": "bare" }],
        "name": [
            { "family": "Müller", "given": ["Ana  María", "Eva"], "prefix": ["Dr."], "use": "official" },
            { "text": "Σοφία ΠΑΠΠΑΣ" },
        ],
        "telecom": [{ "system": "email", "value": "a@b.example", "use": "home" }, { "system": "phone", "value": "555-0101" }],
        "gender": "female", "birthDate": "1980-02-29", "active": true,
        "deceasedDateTime": "2024-05-06T23:30:00-05:00",
        "address": [{ "line": ["12 Elm St", "Flat 3"], "city": "New York", "postalCode": "10001", "country": "US", "use": "home" }],
        "generalPractitioner": [{ "reference": "Practitioner/d1/_history/3" }, { "reference": "http://x/fhir/Practitioner/d2" }],
        "managingOrganization": { "reference": "Organization/o" },
        "link": [{ "other": { "reference": "RelatedPerson/r" }, "type": "seealso" }],
    })
}

#[test]
fn tokens_match_by_code_and_system() {
    check(
        &patient(),
        &[
            ("_id=p.1-a", true),
            ("_id=x,p.1-a", true),
            ("_id=P.1-a", false),
            ("identifier=12%5C,3", true),
            ("identifier=http://h/mrn|12%5C,3", true),
            ("identifier=http://h/mrn|", true),
            ("identifier=http://h/other|", false),
            ("identifier=|bare", true),
            ("identifier=|12%5C,3", false),
            ("identifier=bare", true),
            ("identifier=http://h/mrn|bare", false),
            ("gender=female", true),
            ("gender=Female", false),
            ("gender=http://hl7.org/fhir/administrative-gender|female", true),
            ("gender=http://hl7.org/fhir/administrative-gender|", false),
            ("active=true", true),
            ("active=false", false),
            ("telecom=555-0101", true),
            ("telecom=phone|555-0101", true),
            ("email=a@b.example", true),
            ("email=555-0101", false),
            ("phone=555-0101", true),
            ("phone=a@b.example", false),
            ("deceased=true", true),
            ("deceased=false", false),
            ("address-use=home", true),
            ("gender=male&_id=p.1-a", false),
        ],
    );
    let alive = json!({ "resourceType": "Patient", "id": "q", "deceasedBoolean": false });
    check(&alive, &[("deceased=false", true), ("deceased=true", false)]);
    check(&json!({ "resourceType": "Patient", "id": "q" }), &[("deceased=false", false), ("deceased=true", false)]);
    let coded = json!({
        "resourceType": "Observation", "id": "o", "status": "final",
        "code": { "coding": [{ "system": "http://loinc.org", "code": "1-8" }, { "code": "own" }], "text": "words" },
        "valueString": "positive", "component": [{ "code": { "coding": [{ "system": "s", "code": "c" }] }, "valueCodeableConcept": { "coding": [{ "code": "v" }] } }],
    });
    check(
        &coded,
        &[
            ("code=http://loinc.org|1-8", true),
            ("code=|own", true),
            ("code=|1-8", false),
            ("code=words", false),
            ("combo-code=s|c", true),
            ("component-code=c", true),
            ("component-value-concept=v", true),
            ("combo-value-concept=v", true),
            ("value-concept=positive", false),
            ("value-string=POS", true),
            ("status=final", true),
        ],
    );
}

#[test]
fn strings_match_by_their_beginning_without_accents_and_case() {
    check(
        &patient(),
        &[
            ("name=mull", true),
            ("family=M%C3%9CLLER", true),
            ("family=mu%CC%88ller", true),
            ("given=ana+maria", true),
            ("given=%20ana%09MAR", true),
            ("given=maria", false),
            ("name=dr", true),
            ("name=%CF%83%CE%BF%CF%86", true),
            ("name=%CE%A3%CE%9F%CE%A6%CE%99%CE%91+%CF%80%CE%91%CE%A0%CE%A0%CE%91%CE%A3", true),
            ("name=official", false),
            ("address=12+elm", true),
            ("address=flat", true),
            ("address=home", false),
            ("address-city=new+york", true),
            ("address-city=york", false),
            ("address-postalcode=100", true),
            ("family=x,m", true),
        ],
    );
    assert_eq!(folded("  Ünï\u{a0}\tCode "), "uni code");
    assert_eq!(folded("ΟΔΟΣ"), "οδοσ");
    assert_eq!(folded("İ"), "i");
}

#[test]
fn dates_match_as_ranges() {
    check(
        &patient(),
        &[
            ("birthdate=1980-02-29", true),
            ("birthdate=1980-02", true),
            ("birthdate=1980", true),
            ("birthdate=eq1980", true),
            ("birthdate=1980-03", false),
            ("birthdate=1980-02-29T10:00", false),
            ("birthdate=gt1980-02-28", true),
            ("birthdate=gt1980-02-29", false),
            ("birthdate=gt1980", false),
            ("birthdate=ge1980", true),
            ("birthdate=lt1980-03", true),
            ("birthdate=lt1980-02-29", false),
            ("birthdate=le1980-02-29", true),
            ("birthdate=sa1980-02-28", true),
            ("birthdate=sa1980-02", false),
            ("birthdate=eb1980-03-01", true),
            ("birthdate=eb1980-02-29", false),
            ("birthdate=gt1980-02-29T12:00:00Z", true),
            ("birthdate=ge1979&birthdate=lt1981", true),
            ("death-date=2024-05-07", true),
            ("death-date=2024-05-06", false),
            ("death-date=2024-05-06T23:30-05:00", true),
            ("death-date=2024-05-06T23:30:00+-05:00", false),
            ("death-date=2024-05-07T04:30:00Z", true),
        ]
        .iter()
        .filter(|(written, _)| !written.contains("+-"))
        .copied()
        .collect::<Vec<_>>(),
    );
    let stay =
        |period: Value| json!({ "resourceType": "Encounter", "id": "e", "status": "finished", "period": period });
    check(
        &stay(json!({ "start": "2024-01-10", "end": "2024-01-12" })),
        &[
            ("date=2024-01", true),
            ("date=2024-01-11", false),
            ("date=lt2024-01-11", true),
            ("date=gt2024-01-11", true),
            ("date=sa2024-01-09", true),
            ("date=eb2024-01-13", true),
            ("date=eb2024-01-12", false),
        ],
    );
    check(
        &stay(json!({ "start": "2024-01-10" })),
        &[
            ("date=2024", false),
            ("date=gt2100", true),
            ("date=lt2024", false),
            ("date=lt2025", true),
            ("date=eb9999", false),
        ],
    );
    check(
        &stay(json!({ "end": "2024-01-10" })),
        &[("date=lt0001", true), ("date=sa0001", false), ("date=gt2024", false)],
    );
    check(&stay(json!({})), &[("date=gt0001", false), ("date=lt9999", false)]);
    let taken = json!({ "resourceType": "Observation", "id": "o", "effectiveTiming": { "event": ["2020-01-01", "2022-02-02T10:11:12.5Z"] } });
    check(
        &taken,
        &[
            ("date=2020", true),
            ("date=2022-02-02T10:11:12Z", true),
            ("date=2022-02-02T10:11:12.5Z", true),
            ("date=2022-02-02T10:11:12.500000Z", true),
            ("date=2022-02-02T10:11:12.6Z", false),
            ("date=2022-02-02T15:11:12.5%2B05:00", true),
            ("date=2022-02-02T15:11:12.5+05:00", true),
            ("date=2021", false),
        ],
    );
    refused(
        "Patient",
        Refused::Malformed,
        &[
            "birthdate=ne1980",
            "birthdate=ap1980",
            "birthdate=xx1980",
            "birthdate=GT1980",
            "birthdate=80",
            "birthdate=1980-2",
            "birthdate=1981-02-29",
            "birthdate=1980-13",
            "birthdate=1980-01-01T10",
            "birthdate=1980-01T10:00",
            "birthdate=0000",
            "birthdate=1980-01-01T24:00",
            "birthdate=1980-01-01T10:00:00.",
            "birthdate=1980-01-01t10:00",
            "birthdate=gt",
            "birthdate=1980-01-01T10:00%2B15:00",
            "birthdate=1980-01-01Z",
            "birthdate=yesterday",
        ],
    );
}

#[test]
fn days_are_counted_as_the_calendar_counts_them() {
    for text in [
        "1970-01-01T00:00:00Z",
        "2000-02-29T12:34:56Z",
        "1900-03-01T00:00:00Z",
        "2100-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
    ] {
        assert_eq!(range(text).unwrap().from, scruple_core::Timestamp::parse(text).unwrap().micros(), "{text}");
    }
    assert_eq!(range("2024-02").map(|range| range.to), range("2024-03").map(|range| range.from));
    assert_eq!(range("2023").map(|range| range.to), range("2024").map(|range| range.from));
}

#[test]
fn references_match_by_type_and_id() {
    check(
        &patient(),
        &[
            ("general-practitioner=Practitioner/d1", true),
            ("general-practitioner=d1", true),
            ("general-practitioner=PractitionerRole/d1", false),
            ("general-practitioner=d2", false),
            ("organization=o", true),
            ("organization=Organization/o", true),
            ("link=RelatedPerson/r", true),
            ("link=r,s", true),
        ],
    );
    let seen = |kind: &str| {
        json!({ "resourceType": "Observation", "id": "o", "subject": { "reference": format!("{kind}/s") },
                "performer": [{ "reference": "Organization/s" }] })
    };
    check(
        &seen("Patient"),
        &[
            ("patient=s", true),
            ("patient=Patient/s", true),
            ("patient=Group/s", false),
            ("subject=s", true),
            ("performer=s", true),
        ],
    );
    check(
        &seen("Group"),
        &[("patient=s", false), ("patient=Group/s", false), ("subject=Group/s", true), ("subject=s", true)],
    );
    check(&seen("Shoe"), &[("subject=s", false)]);
    let answers = json!({ "resourceType": "QuestionnaireResponse", "id": "q", "questionnaire": "http://x/Questionnaire/phq|2.0" });
    check(
        &answers,
        &[
            ("questionnaire=http://x/Questionnaire/phq", true),
            ("questionnaire=http://x/Questionnaire/phq|2.0", true),
            ("questionnaire=http://x/Questionnaire/phq|1.0", false),
            ("questionnaire=phq", false),
        ],
    );
    refused(
        "Observation",
        Refused::Malformed,
        &[
            "subject=http://x/fhir/Patient/s",
            "subject=Patient/s/_history/1",
            "subject=urn:uuid:1",
            "subject=Shoe/s",
            "subject=a_b",
            "subject=Patient/",
        ],
    );
    let policy =
        json!({ "resourceType": "Consent", "id": "c", "sourceReference": { "reference": "DocumentReference/d" } });
    check(&policy, &[("source-reference=DocumentReference/d", true), ("source-reference=d", true)]);
}

#[test]
fn uris_match_whole() {
    let set = json!({ "resourceType": "ValueSet", "id": "v", "url": "http://x/v" });
    check(&set, &[("url=http://x/v", true), ("url=http://x/", false), ("url=http%3A%2F%2Fx%2Fv", true)]);
}

#[test]
fn what_is_not_on_the_page_is_refused() {
    refused(
        "Patient",
        Refused::NotSupported,
        &[
            "_include=*",
            "_revinclude=*",
            "_has:Observation:patient:code=1",
            "_summary=true",
            "_elements=id",
            "_contained=true",
            "_text=a",
            "_content=a",
            "_filter=a",
            "_query=a",
            "_list=a",
            "_type=Patient",
            "_lastUpdated=2020",
            "_tag=a",
            "_security=a",
            "_profile=a",
            "_source=a",
            "name:exact=a",
            "birthdate:missing=true",
            "_id:not=a",
            "phonetic=a",
            "general-practitioner.name=a",
            "shoe=44",
            "code=1",
            "Name=a",
            "_sort=name",
            "_sort=_id,-_id",
            "_sort=_lastUpdated",
        ],
    );
    refused(
        "Observation",
        Refused::NotSupported,
        &["value-quantity=1", "code-value-quantity=a$1", "combo-value-quantity=1"],
    );
    refused("Location", Refused::NotSupported, &["near=1|2|3"]);
    refused("InsurancePlan", Refused::NotSupported, &["name=a"]);
    refused(
        "Patient",
        Refused::Malformed,
        &[
            "name=",
            "name",
            "name=a,,b",
            "name=,a",
            "name=a,",
            "_count=0",
            "_count=-1",
            "_count=1.5",
            "_count=",
            "_count=1&_count=2",
            "_total=yes",
            "_summary=count&_summary=count",
            "_page=a&name=b",
            "identifier=|",
            "identifier=a|b|c",
        ],
    );
    refused("Patient", Refused::NotAcceptable, &["_format=xml", "_format=application/fhir%2Bxml", "_format=html"]);
    let long = "x".repeat(513);
    refused("Patient", Refused::Malformed, &[&format!("name={long}")]);
    assert!(asked("Patient", &format!("name={}", &long[1..])).is_ok());
    let many = |count: usize, with: &str| vec!["a"; count].join(with);
    refused("Patient", Refused::Malformed, &[&format!("name={}", many(101, ","))]);
    assert!(asked("Patient", &format!("name={}", many(100, ","))).is_ok());
    let pairs = |count: usize| vec!["name=a"; count].join("&");
    refused("Patient", Refused::Malformed, &[&pairs(65)]);
    assert!(asked("Patient", &pairs(64)).is_ok());
}

#[test]
fn the_query_says_how_the_answer_is_to_be() {
    let query = asked("Patient", "_count=500&name=a%5C,b&_sort=-_id&_total=accurate&_format=json").unwrap();
    assert_eq!((query.count, query.total, query.backwards), (200, true, true));
    let names: Vec<&str> = query.echoed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["_count", "name", "_sort", "_total"]);
    assert!(asked("Patient", "_summary=count").unwrap().count_only);
    assert!(!asked("Patient", "_summary=false").unwrap().count_only);
    let query = asked("Patient", "").unwrap();
    assert_eq!((query.count, query.total, query.backwards), (50, false, false));
    assert_eq!(parse_asked("Patient", &[("_page".to_owned(), "t".to_owned())]), Ok(Asked::Page("t".to_owned())));
}

#[test]
fn every_parameter_of_the_dictionary_can_be_parsed_or_is_refused() {
    let mut understood = 0;
    for parameter in &dictionary().search {
        let kind = if parameter.base.ends_with("Resource") { "Patient" } else { parameter.base };
        let value = if parameter.kind == "date" { "2020" } else { "x" };
        let result = parse(kind, &[(parameter.code.to_owned(), value.to_owned())]);
        let may = matches!(parameter.kind, "token" | "string" | "date" | "reference" | "uri");
        assert!(may || result == Err(Refused::NotSupported), "{} {}", parameter.base, parameter.code);
        understood += usize::from(result.is_ok());
    }
    assert!(understood > 1_300, "{understood}");
}
