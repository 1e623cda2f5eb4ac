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
    let conditions = search(resource_type, query).unwrap().conditions;
    let own =
        |condition| if let Condition::Own(criterion) = condition { criterion } else { panic!("{query}: a chain") };
    let criteria: Vec<Criterion> = conditions.into_iter().map(own).collect();
    assert_eq!(all_match(&criteria, resource.as_bytes()), expected, "{query}");
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
    for query in ["gender:exact=a", "general-practitioner.name=a", "organization:identifier=a", "name:=a", "name:not=a"]
    {
        let name = query.split([':', '.']).next().unwrap();
        refused(
            "Patient",
            query,
            &format!("parameter_not_supported: parameter `{name}`, or what stands behind its name, is not supported"),
        );
    }
    for query in [
        "gender=male&_has:Observation:nothing:code=1",
        "gender=male&_has:Observation:code:code=1",
        "gender=male&_has:Nothing:patient:code=1",
        "gender=male&_has:Location:organization:name=1",
        "gender=male&_has:Observation:patient=1",
        "gender=male&_security=x",
        "gender=male&_text=x",
        "gender=male&Jane%20Doe=1",
        "gender=male&_filter=x",
        "gender=male&_list=x",
    ] {
        refused("Patient", query, "parameter_not_supported: parameter 2 of the search is not supported");
    }
    let unsupported = |name: &str| {
        format!("parameter_not_supported: parameter `{name}`, or what stands behind its name, is not supported")
    };
    refused("Observation", "code-value-quantity=a$5", &unsupported("code-value-quantity"));
    refused("Location", "near=1|2", &unsupported("near"));
    refused("Patient", "phonetic=a", &unsupported("phonetic"));
    for value in ["name,shoe", "", "-", "birthdate,", "--name"] {
        refused("Patient", &format!("gender=male&_sort={value}"), &unsupported("_sort"));
    }
    refused("Observation", "_sort=value-quantity", &unsupported("_sort"));
    for value in [
        "*",
        "Patient",
        "Patient:*",
        "Observation:subject",
        "Patient:gender",
        "Patient:link:Shoe",
        "Patient:link:Patient:x",
    ] {
        refused("Patient", &format!("_include={value}"), &unsupported("_include"));
    }
    refused("Patient", "_include:all=Patient:link", &unsupported("_include"));
    refused("Observation", "subject.birthdate=1970", &unsupported("subject"));
    refused("Observation", "subject:Practitioner.name=a", &unsupported("subject"));
    refused("Observation", "code.name=a", &unsupported("code"));
    refused("Observation", "patient.shoe=a", "parameter_not_supported: parameter 1 of the search is not supported");
    for value in ["true", "Count", "count,false"] {
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
    refused("Patient", "_sort=name,name,name,name", &malformed("too many parameters in parameter `_sort`"));
    refused(
        "Patient",
        "_elements=birthDate,shoe",
        &malformed("an element that the type does not have in parameter `_elements`"),
    );
    refused(
        "Patient",
        "_elements=id&_summary=text",
        &malformed("it does not go with `_summary` in parameter `_elements`"),
    );
    refused(
        "Patient",
        "_summary=count&_elements=id",
        &malformed("it does not go with `_summary` in parameter `_elements`"),
    );
    refused(
        "Patient",
        "_summary=count&_include=Patient:link",
        &malformed("a count has nothing beside it in parameter `_summary`"),
    );
    refused("Patient", "gender:missing=yes", &malformed("neither true nor false in parameter `gender`"));
    refused(
        "Patient",
        &["_include=Patient:link"; 11].join("&"),
        &malformed("too many of them in parameter `_include`"),
    );
    refused(
        "Encounter",
        "patient.organization.partof.partof.name=a",
        &malformed("too many links in parameter `partof`"),
    );
    refused(
        "Observation",
        "value-quantity=5||",
        &malformed("a quantity without its code in parameter `value-quantity`"),
    );
    refused(
        "Observation",
        "value-quantity=sa5",
        &malformed("a prefix that is not supported in parameter `value-quantity`"),
    );
    refused(
        "Observation",
        "value-quantity=5e3",
        &malformed("a number that is none, or has more than 18 digits in parameter `value-quantity`"),
    );
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
                "number" | "quantity" => "5",
                _ => "a",
            };
            assert!(search(dictionary().get(*id).name, &format!("{code}={value}")).is_ok(), "{code}");
        }
    }
}

const RISK: &str = r#"{"resourceType":"RiskAssessment","id":"r","prediction":[{"probabilityDecimal":0.25},{"probabilityDecimal":0.5}]}"#;
const MEASURED: &str = r#"{"resourceType":"Observation","id":"o","status":"final","code":{"coding":[{"code":"a"}]},
 "valueQuantity":{"value":5.40,"unit":"mg","system":"http://unitsofmeasure.org","code":"mg"},
 "component":[{"code":{},"valueQuantity":{"value":7,"comparator":"<"}},{"code":{},"valueQuantity":{"value":-3}}]}"#;

#[test]
fn numbers_and_quantities_are_compared_exactly() {
    check(RISK, "probability=0.3", true);
    check(RISK, "probability=0.26", false);
    check(RISK, "probability=gt0.4", true);
    check(RISK, "probability=gt0.5", false);
    check(RISK, "probability=ge0.5", true);
    check(RISK, "probability=lt0.25", false);
    check(RISK, "probability=le0.25", true);
    check(MEASURED, "value-quantity=5.4", true);
    check(MEASURED, "value-quantity=5.41", false);
    check(MEASURED, "value-quantity=5.4|http://unitsofmeasure.org|mg", true);
    check(MEASURED, "value-quantity=5.4|http://unitsofmeasure.org|g", false);
    check(MEASURED, "value-quantity=5.4||mg", true);
    check(MEASURED, "value-quantity=gt5.4", false);
    check(MEASURED, "component-value-quantity=7", false);
    check(MEASURED, "component-value-quantity=lt0", true);
    check(MEASURED, "combo-value-quantity=5,-3", true);
}

#[test]
fn modifiers_ask_for_the_whole_a_part_another_or_nothing() {
    check(PATIENT, "family:exact=S%C3%B8rensen", true);
    check(PATIENT, "family:exact=s%C3%B8rensen", false);
    check(PATIENT, "given:exact=Ana%20%20Mar%C3%ADa", true);
    check(PATIENT, "given:exact=Ana%20Maria", false);
    check(PATIENT, "name:contains=ana", true);
    check(PATIENT, "family:contains=RENS", true);
    check(PATIENT, "gender:not=male", true);
    check(PATIENT, "gender:not=male,female", false);
    check(PATIENT, "language:not=en", true);
    check(PATIENT, "birthdate:missing=false", true);
    check(PATIENT, "birthdate:missing=true", false);
    check(PATIENT, "link:missing=true", true);
    check(PATIENT, "general-practitioner:Practitioner=d-1", true);
    check(PATIENT, "general-practitioner:Organization=d-1", false);
    check(PATIENT, "general-practitioner:Practitioner=Practitioner/d-1", true);
    check(OBSERVATION, "value-quantity:missing=true", true);
    check(OBSERVATION, "value-concept:missing=true", false);
}

#[test]
fn chains_and_what_comes_from_behind_read_every_parameter_on_their_way() {
    let read = |resource_type: &str, query: &str| {
        let search = search(resource_type, query).unwrap();
        let words = search.read().into_iter().map(|(of, reads, whole)| {
            format!("{}.{}{}", dictionary().get(of).name, reads.name(), if whole { "!" } else { "" })
        });
        words.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(read("Observation", "patient.birthdate=1970"), "Observation.patient Patient.birthdate");
    assert_eq!(
        read("Observation", "subject:Patient.organization.name:missing=true&_sort=-date"),
        "Observation.subject Patient.organization Organization.name! Observation.date"
    );
    assert_eq!(
        read("Patient", "_has:Encounter:patient:_has:Observation:encounter:code:not=x"),
        "Encounter.patient Observation.encounter Observation.code!"
    );
    assert_eq!(
        read(
            "MedicationRequest",
            "_include=MedicationRequest:medication&_include:iterate=Medication:manufacturer&_revinclude=Provenance:target"
        ),
        "MedicationRequest.medication Medication.manufacturer Provenance.target"
    );
}

#[test]
fn keys_put_resources_in_order_and_what_has_none_last() {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let order = |query: &str| search("Patient", query).unwrap().order;
    let key = |query: &str, resource: &str| order(query)[0].key(resource.as_bytes());
    let text = |text: &str| Some(KeyValue::Text(text.to_owned()));
    assert_eq!(key("_sort=given", PATIENT), text("ana maria"));
    assert_eq!(key("_sort=-name", PATIENT), text("zoe"));
    assert_eq!(key("_sort=-identifier", PATIENT), text("B2"));
    assert_eq!(key("_sort=general-practitioner", PATIENT), text("Organization/o-1"));
    assert_eq!(key("_sort=link", PATIENT), None);
    let at = |text: &str| Some(KeyValue::Instant(scruple_core::Timestamp::parse(text).unwrap().micros()));
    assert_eq!(key("_sort=birthdate", PATIENT), at("1980-05-17T00:00:00Z"));
    assert_eq!(key("_sort=-birthdate", PATIENT), at("1980-05-18T00:00:00Z"));
    let (up, down) = (order("_sort=name"), order("_sort=-name"));
    for (one, other, rises, falls) in [
        (text("a"), text("b"), Less, Greater),
        (text("a"), None, Less, Less),
        (None, text("a"), Greater, Greater),
        (None, None, Equal, Equal),
    ] {
        assert_eq!((up[0].compare(&one, &other), down[0].compare(&one, &other)), (rises, falls));
    }
    let long = format!(r#"{{"resourceType":"Patient","name":[{{"family":"{}"}}]}}"#, "\u{e4}".repeat(150));
    assert_eq!(key("_sort=family", &long), text(&"a".repeat(100)));
}
