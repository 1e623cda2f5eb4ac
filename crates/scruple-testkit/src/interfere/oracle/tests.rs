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
        assert_eq!(matches(resource, &query, &Alone), *expected, "{kind}?{written}");
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
            "_include=Observation:patient",
            "_include=Patient:name",
            "_include=Patient",
            "_include=Patient:organization:Shoe",
            "_include=Patient:organization:Organization:iterate",
            "_include:recurse=Patient:link",
            "_revinclude=Observation:code",
            "_revinclude:iterate=Shoe:patient",
            "_summary=true",
            "_elements=shoe",
            "_elements=birthDate,",
            "_elements=name.family",
            "_elements=_birthDate",
            "_contained=true",
            "_text=a",
            "_content=a",
            "_filter=a",
            "_query=a",
            "_list=a",
            "_type=Patient",
            "_tag=a",
            "_security=a",
            "_profile=a",
            "_source=a",
            "birthdate:exact=2020",
            "gender:exact=male",
            "gender:contains=male",
            "name:not=a",
            "name:text=a",
            "gender:in=a",
            "identifier:of-type=a|b|c",
            "organization:identifier=a",
            "organization:Patient=a",
            "link:Practitioner=a",
            "_count:exact=1",
            "phonetic=a",
            "shoe=44",
            "code=1",
            "Name=a",
            "general-practitioner.name=a",
            "link.name=a",
            "organization.shoe=a",
            "organization:Patient.name=a",
            "name.name=a",
            "organization.=a",
            ".name=a",
            "organization.partof.partof.partof.name=a",
            "_has:Observation:patient=a",
            "_has:Observation:code:code=a",
            "_has:Observation:patient:shoe=a",
            "_has:Shoe:patient:code=a",
            "_has:Encounter:patient:_has:Observation:encounter:_has:Observation:derived-from:_has:Provenance:target:recorded=gt2020",
            "organization._has:Patient:organization:name=a",
            "_sort=shoe",
            "_sort=name,",
            "_sort=--name",
            "_sort=name,family,given,_id",
            "_sort=name:exact",
        ],
    );
    refused(
        "Observation",
        Refused::NotSupported,
        &[
            "code-value-quantity=a$1",
            "_sort=value-quantity",
            "_sort=code-value-quantity",
            "subject.name=a",
            "value-quantity:not=1",
        ],
    );
    refused("RiskAssessment", Refused::Malformed, &["probability=0.5|x|y", "probability=sa0.5", "probability=1e2"]);
    refused(
        "Observation",
        Refused::Malformed,
        &[
            "value-quantity=5|mg",
            "value-quantity=5||",
            "value-quantity=5|s|",
            "value-quantity=ap5",
            "value-quantity=1.123456789012345678",
        ],
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
            "name=%20",
            "name=a%5Cb",
            "name=a%5C",
            "_summary=count&_include=Patient:organization",
            "_summary=data&_elements=name",
            "_elements=name&_elements=name",
            "_sort=name&_sort=name",
            "birthdate:missing=yes",
            "birthdate:missing=true,false",
            "organization:Organization=Patient/a",
            "_lastUpdated=yesterday",
            "birthdate=1980-01-01T10:00:60",
        ],
    );
    let includes = ["_include=Patient:organization"; 11].join("&");
    refused("Patient", Refused::Malformed, &[&includes]);
    assert!(asked("Patient", &includes[30..]).is_ok());
    assert!(asked("Patient", "_format=application/fhir+json").is_ok());
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
    assert_eq!((query.count, query.total, query.sorts[0].backwards), (200, true, true));
    let names: Vec<&str> = query.echoed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["_count", "name", "_sort", "_total"]);
    assert!(asked("Patient", "_summary=count").unwrap().count_only);
    assert!(!asked("Patient", "_summary=false").unwrap().count_only);
    let query = asked("Patient", "").unwrap();
    assert_eq!((query.count, query.total, query.sorts.len()), (50, false, 0));
    assert_eq!(
        parse_asked(&"Patient".into(), &[("_page".to_owned(), "t".to_owned())]),
        Ok(Asked::Page("t".to_owned()))
    );
}

#[test]
fn every_parameter_of_the_dictionary_can_be_parsed_or_is_refused() {
    let mut understood = 0;
    for parameter in &dictionary().search {
        let kind = if parameter.base.ends_with("Resource") { "Patient" } else { parameter.base };
        let value = match parameter.kind {
            "date" => "2020",
            "number" | "quantity" => "5.4",
            _ => "x",
        };
        let result = parse(kind, &[(parameter.code.to_owned(), value.to_owned())]);
        let may = matches!(parameter.kind, "token" | "string" | "date" | "reference" | "uri" | "number" | "quantity");
        assert!(may || result == Err(Refused::NotSupported), "{} {}", parameter.base, parameter.code);
        understood += usize::from(result.is_ok());
    }
    assert!(understood > 1_360, "{understood}");
}

#[test]
fn modifiers_change_what_matches() {
    check(
        &patient(),
        &[
            ("family:exact=M%C3%BCller", true),
            ("family:exact=Mull", false),
            ("family:exact=muller", false),
            ("given:exact=Ana++Mar%C3%ADa", true),
            ("name:exact=x,Dr.", true),
            ("name:contains=ULL", true),
            ("given:contains=a+m", true),
            ("address:contains=elm", true),
            ("family:contains=z", false),
            ("gender:not=male", true),
            ("gender:not=female", false),
            ("gender:not=male,female", false),
            ("language:not=de", true),
            ("identifier:not=http://h/mrn|", false),
            ("_id:not=x", true),
            ("gender:missing=false", true),
            ("gender:missing=true", false),
            ("language:missing=true", true),
            ("birthdate:missing=false", true),
            ("phone:missing=false", true),
            ("general-practitioner:missing=false", true),
            ("general-practitioner:Practitioner=d1", true),
            ("general-practitioner:Practitioner=Practitioner/d1", true),
            ("general-practitioner:PractitionerRole=d1", false),
            ("link:RelatedPerson=r", true),
            ("link:Patient=r", false),
        ],
    );
    let seen = json!({
        "resourceType": "Observation", "id": "o", "code": { "text": "words" }, "subject": { "reference": "Group/g" },
        "effectivePeriod": {}, "performer": [{ "display": "somebody" }], "valueQuantity": { "value": 5, "comparator": "<" },
    });
    check(
        &seen,
        &[
            ("code:missing=true", true),
            ("code:not=a", true),
            ("subject:missing=false", true),
            ("patient:missing=true", true),
            ("date:missing=true", true),
            ("performer:missing=true", true),
            ("value-quantity:missing=true", true),
            ("value-quantity=5", false),
            ("value-date:missing=true", true),
        ],
    );
}

#[test]
fn numbers_match_exactly() {
    let risk = |number: Value| json!({ "resourceType": "RiskAssessment", "id": "r", "prediction": [{ "probabilityDecimal": number }] });
    check(
        &risk(json!(0.25)),
        &[
            ("probability=0.25", true),
            ("probability=0.250", true),
            ("probability=0.3", true),
            ("probability=0.2", false),
            ("probability=gt0.25", false),
            ("probability=ge0.25", true),
            ("probability=le0.250", true),
            ("probability=lt0.2500001", true),
            ("probability=-0.25", false),
        ],
    );
    check(&risk(json!(1e300)), &[("probability=gt0", false), ("probability:missing=true", true)]);
    let seen = |value: Value| json!({ "resourceType": "Observation", "id": "o", "valueQuantity": value });
    check(
        &seen(json!({ "value": 5.4, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg/d" })),
        &[
            ("value-quantity=5.4", true),
            ("value-quantity=5.40||mg", true),
            ("value-quantity=5.4||mg/d", true),
            ("value-quantity=5|http://unitsofmeasure.org|mg/d", true),
            ("value-quantity=5.4|http://unitsofmeasure.org|mg", false),
            ("value-quantity=5.4||g", false),
            ("value-quantity=gt5.4", false),
            ("value-quantity=gt5||mg", true),
            ("combo-value-quantity=7,5.4", true),
        ],
    );
    let bill = json!({ "resourceType": "Invoice", "id": "i", "totalNet": { "value": 12, "currency": "USD" } });
    check(
        &bill,
        &[("totalnet=12||USD", true), ("totalnet=12|urn:iso:std:iso:4217|USD", true), ("totalnet=12||EUR", false)],
    );
    let old = json!({ "resourceType": "Condition", "id": "c", "onsetAge": { "value": 44, "code": "a" } });
    check(&old, &[("onset-age=44", true), ("onset-age=lt44", false)]);
}

/// A few resources that refer to each other.
struct Small(Vec<Value>);

impl Small {
    fn new() -> Self {
        let to = |reference: &str| json!({ "reference": reference });
        Self(vec![
            json!({ "resourceType": "Patient", "id": "a", "name": [{ "family": "Roe" }], "managingOrganization": to("Organization/ward") }),
            json!({ "resourceType": "Patient", "id": "b", "name": [{ "family": "Poe" }] }),
            json!({ "resourceType": "Organization", "id": "ward", "name": "Ward", "partOf": to("Organization/house") }),
            json!({ "resourceType": "Organization", "id": "house", "name": "House", "partOf": to("Organization/ward") }),
            json!({ "resourceType": "Encounter", "id": "e", "status": "finished", "subject": to("Patient/a") }),
            json!({ "resourceType": "Observation", "id": "o", "status": "final", "subject": to("Patient/a"), "encounter": to("Encounter/e/_history/2"), "code": { "coding": [{ "code": "hgb" }] } }),
            json!({ "resourceType": "Observation", "id": "p", "status": "final", "subject": to("Patient/gone") }),
        ])
    }

    fn found(&self, kind: &str, written: &str) -> Vec<&str> {
        let query = asked(kind, written).unwrap_or_else(|refused| panic!("{written}: {refused}"));
        let of_type = self.0.iter().filter(|value| matches(value, &query, self));
        of_type.filter_map(|value| value["id"].as_str()).collect()
    }

    fn beside(&self, kind: &str, id: &str, written: &str) -> Vec<String> {
        let query = asked(kind, written).unwrap_or_else(|refused| panic!("{written}: {refused}"));
        beside(&[(kind, id)], &query.includes, self).into_iter().map(|(kind, id)| format!("{kind}/{id}")).collect()
    }
}

impl Sees for Small {
    fn of_type<'a>(&'a self, resource_type: &str) -> Vec<&'a Value> {
        self.0.iter().filter(|value| value["resourceType"] == resource_type).collect()
    }

    fn find<'a>(&'a self, resource_type: &str, id: &str) -> Option<&'a Value> {
        self.0.iter().find(|value| value["resourceType"] == resource_type && value["id"] == id)
    }
}

#[test]
fn chains_and_has_go_from_one_resource_to_another() {
    let small = Small::new();
    for (kind, written, expected) in [
        ("Observation", "patient.name=roe", vec!["o"]),
        ("Observation", "subject:Patient.name=roe", vec!["o"]),
        ("Observation", "subject:Group.identifier=roe", vec![]),
        ("Observation", "patient._id=a", vec!["o"]),
        ("Observation", "patient._id=gone", vec![]),
        ("Observation", "patient.name:exact=Roe", vec!["o"]),
        ("Observation", "patient.organization.partof.name=house", vec!["o"]),
        ("Observation", "patient.organization.partof.name=ward", vec![]),
        ("Observation", "encounter.patient.family=ro", vec!["o"]),
        ("Observation", "patient.language:missing=true", vec!["o"]),
        ("Patient", "_has:Observation:patient:code=hgb", vec!["a"]),
        ("Patient", "_has:Observation:subject:code=other", vec![]),
        ("Patient", "_has:Observation:patient:encounter.status=finished", vec!["a"]),
        ("Patient", "_has:Encounter:patient:_has:Observation:encounter:code=hgb", vec!["a"]),
        ("Patient", "_has:Observation:patient:_id:not=o", vec![]),
        ("Organization", "_has:Patient:organization:_has:Observation:patient:status=final", vec!["ward"]),
        ("Patient", "_has:Observation:patient:code=hgb&name=poe", vec![]),
    ] {
        assert_eq!(small.found(kind, written), expected, "{kind}?{written}");
    }
}

#[test]
fn includes_are_what_stands_beside() {
    let small = Small::new();
    for (kind, id, written, expected) in [
        ("Observation", "o", "_include=Observation:subject", vec!["Patient/a"]),
        ("Observation", "o", "_include=Observation:subject:Group", vec![]),
        ("Observation", "p", "_include=Observation:subject", vec![]),
        (
            "Observation",
            "o",
            "_include=Observation:encounter&_include=Observation:patient",
            vec!["Encounter/e", "Patient/a"],
        ),
        ("Patient", "a", "_revinclude=Observation:patient", vec!["Observation/o"]),
        ("Patient", "a", "_revinclude=Observation:patient:Group", vec![]),
        ("Organization", "ward", "_include=Organization:partof", vec!["Organization/house"]),
        ("Organization", "ward", "_include:iterate=Organization:partof", vec!["Organization/house"]),
        (
            "Observation",
            "o",
            "_include=Observation:patient&_include:iterate=Patient:organization&_include:iterate=Organization:partof",
            vec!["Organization/house", "Organization/ward", "Patient/a"],
        ),
        ("Observation", "o", "_include:iterate=Patient:organization", vec![]),
        (
            "Organization",
            "ward",
            "_revinclude=Patient:organization&_revinclude:iterate=Encounter:patient",
            vec!["Encounter/e", "Patient/a"],
        ),
    ] {
        assert_eq!(small.beside(kind, id, written), expected, "{kind}?{written}");
    }
}

#[test]
fn results_are_sorted_by_the_smallest_or_the_greatest_value() {
    let patient = |id: &str, names: &[&str], born: &str| {
        let names: Vec<Value> = names.iter().map(|name| json!({ "family": name })).collect();
        json!({ "resourceType": "Patient", "id": id, "name": names, "birthDate": born })
    };
    let mut all = [
        patient("d", &["Ábel", "Zola"], "1980"),
        patient("c", &["mann"], "1980-02-03"),
        json!({ "resourceType": "Patient", "id": "b", "gender": "male" }),
        patient("a", &["Mann"], "1979-12-31"),
    ];
    all[0]["gender"] = json!("female");
    let sorted = |written: &str| {
        let query = asked("Patient", &format!("_sort={written}")).unwrap();
        let mut found: Vec<(&str, &Value, ())> =
            all.iter().map(|value| (value["id"].as_str().unwrap(), value, ())).collect();
        order(&mut found, "Patient", &query.sorts);
        found.iter().map(|(id, _, ())| *id).collect::<String>()
    };
    for (written, expected) in [
        ("_id", "abcd"),
        ("-_id", "dcba"),
        ("name", "dacb"),
        ("-name", "dacb"),
        ("name,-_id", "dcab"),
        ("birthdate", "adcb"),
        ("-birthdate", "dcab"),
        ("gender", "dbac"),
        ("-gender", "bdac"),
        ("-gender,birthdate", "bdac"),
        ("_lastUpdated", "abcd"),
    ] {
        assert_eq!(sorted(written), expected, "{written}");
    }
}

#[test]
fn matches_are_cut_to_what_was_named_and_what_must_stand() {
    let resource = r#"{"resourceType":"Observation","meta":{"tag":[{"system":"s","code":"c"}]},"id":"o","text":{"status":"generated","div":"<div/>"},"_status":{"id":"x"},"status":"final","code":{"text":"words"},"valueQuantity":{"value":5.40},"note":[],"issued":"2020-01-01T00:00:00Z"}"#;
    let tagged = r#""meta":{"tag":[{"system":"s","code":"c"},{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}]}"#;
    let stands = r#""_status":{"id":"x"},"status":"final","code":{"text":"words"}"#;
    let narrative = r#""text":{"status":"generated","div":"<div/>"}"#;
    let value = r#""valueQuantity":{"value":5.40}"#;
    let head = format!(r#"{{"resourceType":"Observation",{tagged},"id":"o""#);
    for (written, expected) in [
        ("_summary=false", resource.to_owned()),
        ("_elements=value", format!("{head},{stands},{value}}}")),
        ("_elements=id", format!("{head},{stands}}}")),
        ("_summary=text", format!("{head},{narrative},{stands}}}")),
        ("_summary=data", format!(r#"{head},{stands},{value},"note":[],"issued":"2020-01-01T00:00:00Z"}}"#)),
    ] {
        let shape = asked("Observation", written).unwrap().shape;
        let left = String::from_utf8(cut(resource.as_bytes(), "Observation", &shape)).unwrap();
        assert_eq!(left, expected, "{written}");
        assert_eq!(cut(left.as_bytes(), "Observation", &shape), left.as_bytes(), "{written}, again");
    }
    let bare = cut(br#"{"id":"a","resourceType":"Patient","gender":"male","active":true}"#, "Patient", &Shape::Text);
    assert_eq!(
        String::from_utf8(bare).unwrap(),
        r#"{"id":"a","resourceType":"Patient","meta":{"tag":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}]},"active":true}"#
    );
}

#[test]
fn compartments_are_of_one_parameter() {
    for (kind, expected) in [
        ("Observation", Some("patient")),
        ("Coverage", Some("patient")),
        ("ResearchSubject", Some("patient")),
        ("Group", Some("member")),
        ("Schedule", Some("actor")),
        ("Patient", None),
        ("Practitioner", None),
        ("Organization", None),
    ] {
        assert_eq!(patient_parameter(kind).map(|found| found.code), expected, "{kind}");
    }
    let small = Small::new();
    let scope = Scope { patient: Some("a".to_owned()), ..Scope::from("Observation") };
    let query = parse(scope, &[]).unwrap();
    assert!(matches(&small.0[5], &query, &small) && !matches(&small.0[6], &query, &small));
    assert!(parse(Scope { patient: Some("a".to_owned()), ..Scope::from("Patient") }, &[]).is_err());
}
