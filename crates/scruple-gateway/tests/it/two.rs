//! Two stores, a gateway before either, and one answer: what a caller may not see is all that differs.
#![expect(clippy::indexing_slicing, reason = "helpers of tests stop where something is not there")]

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
pub const BILLER: (&str, &str) = ("biller", "HPAYMT");

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

pub fn condition(id: &str, patient: &str, recorder: Option<&str>) -> Value {
    let mut condition = json!({ "resourceType": "Condition", "id": id, "subject": to(patient),
        "code": { "coding": [{ "system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "I10" }] } });
    if let Some(recorder) = recorder {
        condition["asserter"] = to(recorder);
        condition["meta"] = json!({ "security": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "42CFRPart2" }] });
    }
    condition
}
