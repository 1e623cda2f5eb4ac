//! Searches as data: a query, a resource, whether it matches; what is refused, and in which words.

use super::*;
use crate::dictionary::dictionary;

fn search(resource_type: &str, query: &str) -> Result<Search, QueryFault> {
    let pairs = decode_pairs(query).ok_or(QueryFault::Malformed { what: "no pairs", parameter: None })?;
    match parse(dictionary().resource(resource_type).unwrap(), &pairs)? {
        Asked::Search(search) => Ok(search),
        Asked::Page(_) => panic!("{query} is a page"),
    }
}

fn check(resource: &str, query: &str, expected: bool) {
    let resource_type = resource.split('"').nth(3).unwrap();
    assert_eq!(search(resource_type, query).unwrap().matches(resource.as_bytes()), expected, "{query}");
}

const PATIENT: &str = r#"{"resourceType":"Patient","id":"p-1","identifier":[{"system":"urn:mrn","value":"A1"},{"value":"B2"}],
 "active":true,"name":[{"family":"Sørensen","given":["Zoë","Ana  María"]},{"text":"Ana\u0020Old"}],"gender":"female","birthDate":"1980-05-17",
 "telecom":[{"system":"phone","value":"555-0101"},{"system":"email","value":"a@example.net"}],
 "address":[{"line":["1 Main St"],"city":"Tucson","postalCode":"85701"}],"deceasedDateTime":"2024-02-29T10:00:00-07:00",
 "generalPractitioner":[{"reference":"Practitioner/d-1"},{"reference":"Organization/o-1/_history/2"}]}"#;
const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"o-1","status":"final",
 "category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}]}],
 "code":{"coding":[{"system":"http://loinc.org","code":"2345-7"},{"code":"GLU"}],"text":"Glucose"},"subject":{"reference":"Patient/p-1"},
 "effectivePeriod":{"start":"2024-03-01T08:00:00Z","end":"2024-03-01T09:00:00Z"},"valueCodeableConcept":{"coding":[{"system":"s","code":"c"}]},
 "component":[{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]}}]}"#;

#[test]
fn tokens_match_by_system_and_code() {
    check(PATIENT, "identifier=A1", true);
    check(PATIENT, "identifier=urn:mrn%7CA1", true);
    check(PATIENT, "identifier=urn:mrn%7CB2", false);
    check(PATIENT, "identifier=%7CB2", true);
    check(PATIENT, "identifier=%7CA1", false);
    check(PATIENT, "identifier=urn:mrn%7C", true);
    check(PATIENT, "identifier=a1", false);
    check(PATIENT, "identifier=X,B2", true);
    check(PATIENT, "identifier=A1&identifier=B2", true);
    check(PATIENT, "identifier=A1&identifier=C3", false);
    check(PATIENT, "gender=female", true);
    check(PATIENT, "gender=http://hl7.org/fhir/administrative-gender%7Cfemale", true);
    check(PATIENT, "active=true", true);
    check(PATIENT, "active=false", false);
    check(PATIENT, "_id=p-2,p-1", true);
    check(PATIENT, "_id=p-2", false);
    check(PATIENT, "phone=555-0101", true);
    check(PATIENT, "phone=a@example.net", false);
    check(PATIENT, "email=a@example.net", true);
    check(PATIENT, "telecom=a@example.net", true);
    check(PATIENT, "deceased=true", true);
    check(PATIENT, "deceased=false", false);
    check(OBSERVATION, "code=2345-7", true);
    check(OBSERVATION, "code=http://loinc.org%7C2345-7", true);
    check(OBSERVATION, "code=http://loinc.org%7CGLU", false);
    check(OBSERVATION, "code=8480-6", false);
    check(OBSERVATION, "component-code=8480-6", true);
    check(OBSERVATION, "combo-code=8480-6", true);
    check(OBSERVATION, "value-concept=s%7Cc", true);
}

#[test]
fn strings_match_by_their_beginning_without_marks_and_case() {
    check(PATIENT, "family=sør", true);
    check(PATIENT, "given=zoe", true);
    check(PATIENT, "given=ana%20maria", true);
    check(PATIENT, "given=maria", false);
    check(PATIENT, "name=ana+old", true);
    check(PATIENT, "address=tuc", true);
    check(PATIENT, "address-city=Tucson", true);
    check(PATIENT, "address-postalcode=857", true);
    check(PATIENT, "address-city=85701", false);
    check(PATIENT, "family=x%5C,y", false);
}

#[test]
fn dates_are_compared_as_ranges() {
    check(PATIENT, "birthdate=1980", true);
    check(PATIENT, "birthdate=1980-05-17", true);
    check(PATIENT, "birthdate=1980-05-17T10:00", false);
    check(PATIENT, "birthdate=gt1980-05-16&birthdate=lt1980-05-18", true);
    check(PATIENT, "birthdate=gt1980-05-17", false);
    check(PATIENT, "birthdate=ge1980-05-17", true);
    check(PATIENT, "birthdate=sa1980-05-16", true);
    check(PATIENT, "birthdate=eb1980-05-17", false);
    check(PATIENT, "death-date=2024-02-29", true);
    check(PATIENT, "death-date=2024-02-29T17:00:00Z", true);
    check(PATIENT, "death-date=2024-02-29T19:00:00+02:00", true);
    check(OBSERVATION, "date=2024-03-01", true);
    check(OBSERVATION, "date=2024-03-01T08:30", false);
    check(OBSERVATION, "date=ge2024-03-01T08:59", true);
    check(OBSERVATION, "date=le2024-02-29", false);
}

#[test]
fn references_match_by_type_and_id() {
    check(OBSERVATION, "subject=Patient/p-1", true);
    check(OBSERVATION, "subject=p-1", true);
    check(OBSERVATION, "patient=p-1", true);
    check(OBSERVATION, "patient=Group/p-1", false);
    check(OBSERVATION, "patient=p-2,p-1", true);
    check(PATIENT, "general-practitioner=Organization/o-1", true);
    check(PATIENT, "general-practitioner=d-1", true);
    let group = OBSERVATION.replace("Patient/p-1", "Group/p-1");
    check(&group, "patient=p-1", false);
    check(&group, "subject=p-1", true);
}

#[test]
fn what_is_not_served_is_refused_by_name_or_place() {
    let refused = |resource_type: &str, query: &str, expected: &str| {
        let fault = search(resource_type, query).map(|_| ()).unwrap_err();
        assert_eq!(format!("{}: {fault}", fault.code()), expected, "{query}");
    };
    for query in ["name:exact=a", "general-practitioner.name=a", "organization:missing=true", "name:=a"] {
        let name = query.split([':', '.']).next().unwrap();
        refused(
            "Patient",
            query,
            &format!("parameter_not_supported: parameter `{name}`, or what stands behind its name, is not supported"),
        );
    }
    for query in [
        "gender=male&_include=Patient:link",
        "gender=male&_has:Observation:patient:code=1",
        "gender=male&_lastUpdated=gt2020",
        "gender=male&_security=x",
        "gender=male&_text=x",
        "gender=male&_elements=id",
        "gender=male&Jane%20Doe=1",
        "gender=male&_filter=x",
        "gender=male&_list=x",
    ] {
        refused("Patient", query, "parameter_not_supported: parameter 2 of the search is not supported");
    }
    let unsupported = |name: &str| {
        format!("parameter_not_supported: parameter `{name}`, or what stands behind its name, is not supported")
    };
    refused("Observation", "value-quantity=5", &unsupported("value-quantity"));
    refused("Observation", "code-value-quantity=a$5", &unsupported("code-value-quantity"));
    refused("Location", "near=1|2", &unsupported("near"));
    refused("Patient", "phonetic=a", &unsupported("phonetic"));
    refused("Patient", "_sort=birthdate", &unsupported("_sort"));
    for value in ["true", "text", "data", "Count", "count,false"] {
        refused("Patient", &format!("gender=male&_summary={value}"), &unsupported("_summary"));
    }
    refused(
        "Patient",
        "_summary=count&_summary=count",
        "query_malformed: a control parameter stands twice in parameter `_summary`",
    );
    refused("Patient", "_format=xml", "format_not_supported: only FHIR JSON is served");
    let malformed = |what: &str| format!("query_malformed: {what}");
    refused("Patient", "birthdate=ne1980", &malformed("a prefix that is not supported in parameter `birthdate`"));
    refused("Patient", "birthdate=yesterday", &malformed("a date that is none in parameter `birthdate`"));
    refused("Patient", "gender=", &malformed("an empty value in parameter `gender`"));
    refused("Patient", "gender=a,,b", &malformed("an empty value in parameter `gender`"));
    refused("Patient", "identifier=a|b|c", &malformed("a token with more than one bar in parameter `identifier`"));
    refused("Patient", "identifier=|", &malformed("a token without system and code in parameter `identifier`"));
    refused("Patient", "family=a%5Cb", &malformed("an escape that is none in parameter `family`"));
    refused("Patient", "_count=0", &malformed("not a number above 0 in parameter `_count`"));
    refused("Patient", "_count=1&_count=2", &malformed("a control parameter stands twice in parameter `_count`"));
    refused("Patient", "_page=x&gender=male", &malformed("a page token stands alone in parameter `_page`"));
    refused(
        "Observation",
        "subject=Patient/1/2",
        &malformed("a reference that is neither `Type/id` nor `id` in parameter `subject`"),
    );
    refused(
        "Observation",
        "subject=http://x/Patient/1",
        &malformed("a reference to no type of R4 in parameter `subject`"),
    );
    refused(
        "Patient",
        &format!("family={}", "a".repeat(513)),
        &malformed("a value that is too long in parameter `family`"),
    );
    refused(
        "Patient",
        &format!("family={}", ["a"; 101].join(",")),
        &malformed("too many alternatives in parameter `family`"),
    );
    refused("Patient", &["gender=a"; 65].join("&"), &malformed("too many parameters"));
    for text in ["gender", "=a", "gender=%ff", "&", "a=1&&b=2"] {
        assert!(decode_pairs(text).is_none(), "{text}");
    }
}

#[test]
fn what_a_link_echoes_reads_back() {
    let pairs = decode_pairs("name=Zo%C3%AB+x%26y&date=ge2024-01-01T00:00:00%2B02:00").unwrap();
    assert_eq!(pairs[0].1, "Zoë x&y");
    assert_eq!(decode_pairs(&encode(&pairs).to_string()).unwrap(), pairs);
}

#[test]
fn every_type_can_be_searched_by_its_parameters() {
    let all: usize = dictionary().resources().iter().map(|id| parameters(*id).len()).sum();
    assert!(all > 1_300, "{all}");
    assert!(parameters(dictionary().resource("Basic").unwrap()).iter().any(|(code, _)| *code == "_id"));
    for id in dictionary().resources() {
        for (code, kind) in parameters(*id) {
            let value = match kind {
                "date" => "2024",
                _ => "a",
            };
            assert!(search(dictionary().get(*id).name, &format!("{code}={value}")).is_ok(), "{code}");
        }
    }
}
