//! Ways in which a redacting gateway leaks, each tried: two stores that differ in what the caller may not see, one request,
//! and one answer to it, which is the right one.

mod shape;
mod wire;

use crate::support::{World, active, code, login, noon, request, resolved};
use scruple_pairs::Behind;
use scruple_policy::Active;
use scruple_testkit::interfere::{Request, Response, Store, Stored};
use serde_json::{Value, json};
use std::sync::Arc;

/// Two stores, and a gateway before either.
pub struct Two {
    world: World,
    a: Store,
    b: Store,
}

pub fn store(values: &[Value]) -> Store {
    values.iter().cloned().map(|value| Stored::new(value).unwrap()).collect()
}

impl Two {
    /// What both hold, what the first holds beside, and what the second does.
    pub fn new(both: &[Value], a: &[Value], b: &[Value]) -> Self {
        Self::under(active(), both, a, b)
    }

    /// The same where relationships are looked up.
    pub fn related(both: &[Value], a: &[Value], b: &[Value]) -> Self {
        Self::under(resolved(), both, a, b)
    }

    fn under(policy: Arc<Active>, both: &[Value], a: &[Value], b: &[Value]) -> Self {
        let of = |more: &[Value]| store(&[both, more].concat());
        Self::over(policy, of(a), of(b))
    }

    pub fn over(policy: Arc<Active>, a: Store, b: Store) -> Self {
        let world = World::under(policy, Behind::Raw.upstream(&Store::new(), noon()).unwrap());
        Self { world, a, b }
    }

    /// The answer to a request, which is the same over both stores, byte by byte.
    #[track_caller]
    pub fn ask(&self, role: (&str, &str), asked: &Request) -> Response {
        let token = self.world.token_of(login(role.0), &[role.0], Some(role.1));
        let over = |store: &Store| {
            self.world.upstream.put(Behind::Raw.upstream(store, noon()).unwrap());
            self.world.ask(asked, Some(&token), 1)
        };
        let (a, b) = (over(&self.a), over(&self.b));
        assert_eq!(a, b, "{asked:?}");
        a
    }

    /// The gateway before the first store.
    pub fn world_a(&self) -> &World {
        self.world.upstream.put(Behind::Raw.upstream(&self.a, noon()).unwrap());
        &self.world
    }

    #[track_caller]
    pub fn get(&self, role: (&str, &str), path: &str) -> Response {
        self.ask(role, &request("GET", path))
    }

    /// It is refused with this code.
    #[track_caller]
    pub fn refused(&self, role: (&str, &str), path: &str, status: u16, expected: &str) {
        let response = self.get(role, path);
        assert_eq!((response.status, code(&response).as_str()), (status, expected), "{path}");
    }

    /// It is answered with these resources, by `Type/id`, in order.
    #[track_caller]
    pub fn found(&self, role: (&str, &str), path: &str, expected: &[&str]) -> Value {
        let response = self.get(role, path);
        assert_eq!(response.status, 200, "{path}: {response:?}");
        let body: Value = serde_json::from_slice(&response.body).unwrap();
        let entries = body["entry"].as_array().into_iter().flatten().map(|entry| &entry["resource"]);
        let name = |resource: &Value| {
            format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap())
        };
        assert_eq!(entries.map(name).collect::<Vec<_>>(), expected, "{path}");
        body
    }
}

pub const NURSE: (&str, &str) = ("nurse", "TREAT");
pub const ANALYST: (&str, &str) = ("quality_analyst", "HQUALIMP");
pub const BILLER: (&str, &str) = ("biller", "HPAYMT");
pub const PRIVACY: (&str, &str) = ("privacy_officer", "HCOMPL");

/// The Part 2 programme: what it does, a nurse does not see without consent.
pub const PROGRAMME: &str = "Organization/org-recovery-programme";

pub fn to(reference: &str) -> Value {
    json!({ "reference": reference })
}

pub fn patient(id: &str, birth: &str) -> Value {
    json!({ "resourceType": "Patient", "id": id, "name": [{ "family": "Ruiz", "given": ["Ana"] }], "gender": "female",
            "birthDate": birth })
}

/// A visit in which the nurse takes part.
pub fn visit(id: &str, patient: &str) -> Value {
    json!({ "resourceType": "Encounter", "id": id, "status": "in-progress", "subject": to(patient),
            "class": { "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP" },
            "participant": [{ "individual": to("Practitioner/prac-nurse-6") }] })
}

pub fn observation(id: &str, patient: &str, date: &str, value: f64) -> Value {
    json!({ "resourceType": "Observation", "id": id, "status": "final", "subject": to(patient),
            "category": [{ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory" }] }],
            "code": { "coding": [{ "system": "http://loinc.org", "code": "2345-7" }] }, "effectiveDateTime": date,
            "valueQuantity": { "value": value, "unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL" } })
}

/// The same, done by the programme.
pub fn hidden(id: &str, patient: &str, date: &str, value: f64) -> Value {
    let mut done = observation(id, patient, date, value);
    done["performer"] = json!([to(PROGRAMME)]);
    done
}

pub fn condition(id: &str, patient: &str, recorder: Option<&str>) -> Value {
    let mut condition = json!({ "resourceType": "Condition", "id": id, "subject": to(patient),
        "code": { "coding": [{ "system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "I10" }] } });
    if let Some(recorder) = recorder {
        condition["asserter"] = to(recorder);
        condition["meta"] = json!({ "security": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "42CFRPart2" }] });
    }
    condition
}

fn one_patient(a: &[Value], b: &[Value]) -> Two {
    Two::new(&[patient("p1", "1980-05-17")], a, b)
}

/// A patient whose birth date an analyst sees as an age: two dates of one age.
fn two_dates() -> Two {
    Two::new(&[], &[patient("p1", "1980-05-17")], &[patient("p1", "1980-08-30")])
}

/// Two observations that show, and one that does not, or not there.
fn one_hidden() -> Two {
    let both = [
        patient("p1", "1980-05-17"),
        observation("o1", "Patient/p1", "2026-01-01", 90.0),
        observation("o3", "Patient/p1", "2026-01-03", 110.0),
    ];
    Two::new(&both, &[hidden("o2", "Patient/p1", "2026-01-02", 4000.0)], &[])
}

#[test]
fn l01_a_filter_by_a_hidden_element() {
    let two = two_dates();
    two.refused(ANALYST, "/fhir/Patient?_id=p1&birthdate=ge1980-06-01", 403, "parameter_not_permitted");
    two.found(ANALYST, "/fhir/Patient?_id=p1", &["Patient/p1"]);
}

#[test]
fn l02_a_search_between_two_numbers() {
    let two = one_hidden();
    two.found(NURSE, "/fhir/Observation?patient=p1&value-quantity=gt1000", &[]);
    two.found(NURSE, "/fhir/Observation?patient=p1&value-quantity=gt100", &["Observation/o3"]);
    let path = "/fhir/Observation?patient=p1&code-value-quantity=2345-7$gt1000";
    two.refused(NURSE, path, 400, "parameter_not_supported");
}

#[test]
fn l03_a_chain_from_behind() {
    let two = one_patient(&[hidden("o2", "Patient/p1", "2026-01-02", 1.0)], &[]);
    two.found(NURSE, "/fhir/Patient?_id=p1&_has:Observation:patient:code=2345-7", &[]);
    let shown = one_patient(
        &[observation("o1", "Patient/p1", "2026-01-02", 1.0)],
        &[observation("o1", "Patient/p1", "2026-01-02", 1.0)],
    );
    shown.found(NURSE, "/fhir/Patient?_id=p1&_has:Observation:patient:code=2345-7", &["Patient/p1"]);
}

#[test]
fn l04_one_chain_from_behind_in_another() {
    let mut seen = hidden("o2", "Patient/p1", "2026-01-02", 1.0);
    seen["encounter"] = to("Encounter/e1");
    let two = Two::new(&[patient("p1", "1980-05-17"), visit("e1", "Patient/p1")], &[seen], &[]);
    let path = "/fhir/Patient?_has:Encounter:patient:_has:Observation:encounter:code=2345-7";
    two.found(NURSE, path, &[]);
    two.found(NURSE, "/fhir/Patient?_has:Encounter:patient:status=in-progress", &["Patient/p1"]);
}

#[test]
fn l05_a_chain_through_what_is_hidden() {
    let two = two_dates();
    two.refused(ANALYST, "/fhir/Observation?subject:Patient.birthdate=1980-05-17", 403, "parameter_not_permitted");
    two.refused(BILLER, "/fhir/Patient?_has:DocumentReference:patient:type=1", 403, "type_not_permitted");
    // The chain ends at a hidden visit.
    let mut in_visit = observation("o1", "Patient/p1", "2026-01-02", 1.0);
    in_visit["encounter"] = to("Encounter/e2");
    let mut hidden = visit("e2", "Patient/p1");
    hidden["serviceProvider"] = to(PROGRAMME);
    let two = Two::new(&[patient("p1", "1980-05-17"), hidden], &[in_visit], &[]);
    two.found(NURSE, "/fhir/Observation?encounter.status=in-progress", &[]);
}

#[test]
fn l06_a_filter_language() {
    one_hidden().refused(NURSE, "/fhir/Patient?_filter=birthdate%20gt%201980-01-01", 400, "parameter_not_supported");
}

#[test]
fn l07_a_search_in_text() {
    let two = one_patient(&[condition("c1", "Patient/p1", Some("Practitioner/x"))], &[]);
    for query in ["DocumentReference?_content=alcoholic", "Condition?_text=HIV", "Condition?code:text=HIV"] {
        two.refused(NURSE, &format!("/fhir/{query}"), 400, "parameter_not_supported");
    }
}

#[test]
fn l08_whether_a_value_is_missing() {
    let mut unborn = patient("p1", "1980-05-17");
    unborn.as_object_mut().unwrap().remove("birthDate");
    let two = Two::new(&[], &[patient("p1", "1980-05-17")], &[unborn]);
    two.refused(ANALYST, "/fhir/Patient?_id=p1&birthdate:missing=false", 403, "parameter_not_permitted");
    let two = one_hidden();
    two.found(NURSE, "/fhir/Observation?value-quantity:missing=true", &[]);
    two.found(NURSE, "/fhir/Observation?value-quantity:missing=false", &["Observation/o1", "Observation/o3"]);
}

#[test]
fn l09_an_order_by_a_hidden_value() {
    let two = Two::new(
        &[],
        &[patient("p1", "1980-05-17"), patient("p2", "1980-08-30")],
        &[patient("p1", "1980-08-30"), patient("p2", "1980-05-17")],
    );
    two.refused(ANALYST, "/fhir/Patient?_sort=-birthdate&_count=1", 403, "parameter_not_permitted");
    two.found(ANALYST, "/fhir/Patient?_sort=-_id", &["Patient/p2", "Patient/p1"]);
    one_hidden().found(NURSE, "/fhir/Observation?_sort=-date&_count=1", &["Observation/o3"]);
}

#[test]
fn l10_a_search_for_labels() {
    for query in ["_security=42CFRPart2", "_tag=x", "_profile=http://x"] {
        one_hidden().refused(NURSE, &format!("/fhir/Observation?{query}"), 400, "parameter_not_supported");
    }
}

#[test]
fn l11_a_search_by_the_identifier_of_what_is_referred_to() {
    let two = one_hidden();
    let path = "/fhir/Observation?subject:identifier=http://hl7.org/fhir/sid/us-ssn%7C999-12-3456";
    two.refused(NURSE, path, 400, "parameter_not_supported");
    two.refused(NURSE, "/fhir/Patient?identifier:of-type=s%7CMR%7C1", 400, "parameter_not_supported");
}

#[test]
fn l12_parameters_of_other_kinds() {
    let two = one_hidden();
    for query in [
        "Location?near=42.3%7C-71.0",
        "Patient?_list=vip",
        "Patient?_query=everyone",
        "Patient?PHONETIC=a",
        "Patient?Birthdate=1980",
    ] {
        two.refused(NURSE, &format!("/fhir/{query}"), 400, "parameter_not_supported");
    }
}
