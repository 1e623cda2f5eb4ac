//! One adversarial test for each way in which a gateway that redacts can leak, L01 to L45: what an outsider asks, over stores
//! that differ in what he does not see alone. The answers are the same to the byte, and they are the right ones: what policy
//! refuses is refused by its code, what is hidden is as absent, and what shows is shown.
#![expect(clippy::indexing_slicing, reason = "helpers of tests stop where something is not there")]

mod content;
mod graph;
mod past;
mod search;
mod shape;
mod transport;
mod writes;

use crate::support::{World, active, code, noon, request, resolved};
use scruple_core::{Entry, Timestamp};
use scruple_fhir::search::Dialect;
use scruple_pairs::Behind;
use scruple_policy::Active;
use scruple_release::{Fetched, Upstream, UpstreamFuture, UpstreamQuery};
use scruple_testkit::interfere::{Request, Response, Store, Stored};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// A role, and a purpose of use.
pub type Who = (&'static str, &'static str);

/// Sees all that is clinical but genetic findings, and of a patient no number but the record's.
pub const NURSE: Who = ("nurse", "TREAT");
/// Sees who a patient is and when he comes, and nothing clinical.
pub const DESK: Who = ("front_desk", "PATADMIN");
/// Sees codes and no words, ages and no days of birth.
pub const ANALYST: Who = ("quality_analyst", "HQUALIMP");
/// Sees codes of claims.
pub const BILLER: Who = ("biller", "HPAYMT");
/// Sees the record of the visit, but genetic findings.
pub const CODER: Who = ("coder", "HPAYMT");
/// Sees versions and times of change.
pub const GUARD: Who = ("privacy_officer", "HCOMPL");

/// An upstream that notes what is asked of it.
struct Noting {
    inner: Arc<dyn Upstream>,
    calls: Mutex<Vec<String>>,
}

impl Noting {
    fn new(inner: Arc<dyn Upstream>) -> Arc<Self> {
        Arc::new(Self { inner, calls: Mutex::default() })
    }

    fn note(&self, call: String) {
        self.calls.lock().unwrap().push(call);
    }
}

impl Upstream for Noting {
    fn read<'a>(&'a self, kind: &'a str, id: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        self.note(format!("read {kind}"));
        self.inner.read(kind, id)
    }

    fn version<'a>(&'a self, kind: &'a str, id: &'a str, version: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        self.note(format!("version {kind}"));
        self.inner.version(kind, id, version)
    }

    fn history<'a>(&'a self, kind: &'a str, id: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        self.note(format!("history {kind}"));
        self.inner.history(kind, id)
    }

    fn search<'a>(&'a self, query: &'a UpstreamQuery) -> UpstreamFuture<'a, Fetched> {
        self.note(format!("search {}", query.resource_type));
        self.inner.search(query)
    }

    fn page<'a>(&'a self, link: &'a str) -> UpstreamFuture<'a, Fetched> {
        self.note("page".to_owned());
        self.inner.page(link)
    }

    fn dialect(&self) -> Dialect {
        self.inner.dialect()
    }
}

/// What an answer took: calls of the upstream by kind, sorted, and entries of the ledger.
#[derive(PartialEq, Eq, Debug)]
pub struct Work {
    pub calls: Vec<String>,
    pub entries: usize,
}

/// Gateways over stores that a caller cannot tell apart, each before servers that behave and servers that do not.
pub struct Alike {
    worlds: Vec<(World, Vec<Arc<Noting>>)>,
}

impl Alike {
    /// Under the policy that assumes every relationship.
    pub fn new(stores: &[Store]) -> Self {
        Self::under(&active(), stores)
    }

    /// Under the policy that looks relationships up: the nurse has to do with who is in a visit of hers.
    pub fn related(stores: &[Store]) -> Self {
        Self::under(&resolved(), stores)
    }

    fn under(policy: &Arc<Active>, stores: &[Store]) -> Self {
        let behind = |store: &Store| {
            let servers = [Behind::Raw, Behind::Unruly].map(|behind| behind.upstream(store, noon()).unwrap());
            servers.to_vec()
        };
        Self::before(policy, stores.iter().map(behind).collect())
    }

    /// Before these servers: one list for each gateway.
    pub fn before(policy: &Arc<Active>, servers: Vec<Vec<Arc<dyn Upstream>>>) -> Self {
        let world = |servers: Vec<Arc<dyn Upstream>>| {
            let servers: Vec<Arc<Noting>> = servers.into_iter().map(Noting::new).collect();
            (World::under(Arc::clone(policy), Arc::clone(&servers[0]) as Arc<dyn Upstream>), servers)
        };
        Self { worlds: servers.into_iter().map(world).collect() }
    }

    /// The one answer to a GET.
    pub fn get(&self, who: Who, path_and_query: &str) -> Response {
        self.ask(Some(who), &request("GET", path_and_query))
    }

    /// The one answer to a request: status, headers and body.
    pub fn ask(&self, who: Option<Who>, request: &Request) -> Response {
        let mut answers = Vec::new();
        for (world, servers) in &self.worlds {
            let token = who.map(|(role, purpose)| world.token(role, purpose));
            for server in servers {
                world.upstream.put(Arc::clone(server) as Arc<dyn Upstream>);
                answers.push(world.ask(request, token.as_deref(), 1));
            }
        }
        let first = answers.swap_remove(0);
        for other in answers {
            assert_eq!(first, other, "{request:?} tells stores apart");
        }
        first
    }

    /// A GET that is refused whatever the store holds, and before anything of it is read.
    pub fn refused(&self, who: Who, path_and_query: &str, status: u16, reason: &str) {
        self.refuses(Some(who), &request("GET", path_and_query), status, reason);
    }

    /// The same of any request.
    pub fn refuses(&self, who: Option<Who>, request: &Request, status: u16, reason: &str) {
        self.forget();
        let response = self.ask(who, request);
        assert_eq!((response.status, code(&response).as_str()), (status, reason), "{request:?}");
        for (_, servers) in &self.worlds {
            for server in servers {
                let calls = server.calls.lock().unwrap().clone();
                assert!(calls.is_empty(), "{request:?} was refused after {calls:?}");
            }
        }
    }

    /// A read that finds nothing.
    pub fn absent(&self, who: Who, path: &str) {
        let response = self.get(who, path);
        assert_eq!((response.status, code(&response).as_str()), (404, "not_found"), "{path}");
    }

    /// What the entries of a search are: `Type/id`, in their order.
    pub fn found(&self, who: Who, path_and_query: &str) -> Vec<String> {
        let response = self.get(who, path_and_query);
        assert_eq!(response.status, 200, "{path_and_query}: {}", text(&response));
        ids(&response)
    }

    fn forget(&self) {
        for (_, servers) in &self.worlds {
            for server in servers {
                server.calls.lock().unwrap().clear();
            }
        }
    }

    /// What a GET takes over each store, before the server that behaves.
    pub fn work(&self, (role, purpose): Who, path_and_query: &str) -> Vec<Work> {
        self.forget();
        let work = |(world, servers): &(World, Vec<Arc<Noting>>)| {
            let before = world.entries().len();
            world.upstream.put(Arc::clone(&servers[0]) as Arc<dyn Upstream>);
            world.get(role, purpose, path_and_query);
            let mut calls = servers[0].calls.lock().unwrap().clone();
            calls.sort();
            Work { calls, entries: world.entries().len() - before }
        };
        self.worlds.iter().map(work).collect()
    }

    /// All entries of the ledgers so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.worlds.iter().flat_map(|(world, _)| world.entries()).collect()
    }
}

/// `Type/id` of each entry.
pub fn ids(response: &Response) -> Vec<String> {
    let bundle = json_of(response);
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    let name = |entry: &Value| {
        let resource = &entry["resource"];
        format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap())
    };
    entries.iter().map(name).collect()
}

pub fn json_of(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap()
}

pub fn text(response: &Response) -> String {
    String::from_utf8(response.body.clone()).unwrap()
}

/// Where the next page is, from the root.
pub fn next(response: &Response) -> Option<String> {
    let bundle = json_of(response);
    let links = bundle["link"].as_array().cloned().unwrap_or_default();
    let next = links.iter().find(|link| link["relation"] == "next")?["url"].as_str()?.to_owned();
    Some(next.strip_prefix("https://gateway.example").unwrap().to_owned())
}

/// A store of these resources.
pub fn store(resources: impl IntoIterator<Item = Value>) -> Store {
    resources.into_iter().map(|value| Stored::new(value).unwrap()).collect()
}

/// The same store with these as well.
pub fn and(store: &Store, more: impl IntoIterator<Item = Value>) -> Store {
    let mut store = store.clone();
    more.into_iter().for_each(|value| store.put(Arc::new(Stored::new(value).unwrap())));
    store
}

/// The same store after a deletion.
pub fn deleted(store: &Store, value: Value, version: &str) -> Store {
    let stored = Stored::new(value).unwrap();
    let (kind, id) = (stored.resource_type.clone(), stored.id.clone());
    let mut store = store.clone();
    store.put(Arc::new(stored));
    store.delete(&kind, &id, version, Timestamp::from_micros(0));
    store
}

/// A resource with a member set.
pub fn with(mut resource: Value, name: &str, value: Value) -> Value {
    resource[name] = value;
    resource
}

/// With a label of sensitivity.
pub fn labelled(resource: Value, label: &str) -> Value {
    let label = json!({ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": label });
    with(resource, "meta", json!({ "security": [label] }))
}

/// With the label of genetic findings, which neither the nurse nor the coder holds.
pub fn secret(resource: Value) -> Value {
    labelled(resource, "GDIS")
}

pub fn patient(id: &str) -> Value {
    json!({
        "resourceType": "Patient", "id": id, "identifier": [number("MR", "urn:mrn", &format!("MRN-{id}"))],
        "name": [{ "family": "Visible", "given": ["Ana"] }], "gender": "female", "birthDate": "1980-01-02",
    })
}

/// A patient with a number of social security as well.
pub fn insured(id: &str, ssn: &str) -> Value {
    let numbers = [number("MR", "urn:mrn", &format!("MRN-{id}")), number("SS", "http://hl7.org/fhir/sid/us-ssn", ssn)];
    with(patient(id), "identifier", json!(numbers))
}

fn number(kind: &str, system: &str, value: &str) -> Value {
    let coding = json!({ "system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": kind });
    json!({ "type": { "coding": [coding] }, "system": system, "value": value })
}

pub const HEMOGLOBIN: &str = "718-7";
pub const GLUCOSE: &str = "2339-0";

/// A result of the laboratory.
pub fn result(id: &str, patient: &str, loinc: &str, value: f64) -> Value {
    let category = json!({
        "system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory",
    });
    json!({
        "resourceType": "Observation", "id": id, "status": "final", "category": [{ "coding": [category] }],
        "code": { "coding": [{ "system": "http://loinc.org", "code": loinc }] },
        "subject": { "reference": format!("Patient/{patient}") },
        "valueQuantity": { "value": value, "unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL" },
    })
}

/// A visit under way, with the nurse in it.
pub fn visit(id: &str, patient: &str) -> Value {
    json!({
        "resourceType": "Encounter", "id": id, "status": "in-progress",
        "class": { "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB" },
        "subject": { "reference": format!("Patient/{patient}") },
        "participant": [{ "individual": { "reference": "Practitioner/prac-nurse-6" } }],
        "period": { "start": "2026-03-01T08:00:00Z" },
    })
}

/// A visit of somebody else's.
pub fn foreign_visit(id: &str, patient: &str) -> Value {
    with(visit(id, patient), "participant", json!([{ "individual": { "reference": "Practitioner/other" } }]))
}

pub fn condition(id: &str, patient: &str, icd10: &str) -> Value {
    json!({
        "resourceType": "Condition", "id": id,
        "clinicalStatus": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active" }] },
        "code": { "coding": [{ "system": "http://hl7.org/fhir/sid/icd-10-cm", "code": icd10 }] },
        "subject": { "reference": format!("Patient/{patient}") },
    })
}

pub fn practitioner(id: &str) -> Value {
    json!({ "resourceType": "Practitioner", "id": id, "name": [{ "family": "Helper" }] })
}

/// A reference as the value of an element.
pub fn reference(target: &str) -> Value {
    json!({ "reference": target })
}
