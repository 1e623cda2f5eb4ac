//! The CapabilityStatement: what is served, the same for everyone and whatever the store holds. What a caller's role may
//! read or search by is narrower; the refusal says so.

use scruple_fhir::{dictionary, search};
use scruple_policy::Pack;
use serde_json::{Value, json};

/// The statement for a pack, as bytes. `date` is when the pack became active (FHIR dateTime).
pub fn statement(pack: &Pack, base: &str, date: &str) -> Vec<u8> {
    let known = dictionary().resources().iter().filter(|id| search::is_stored(&pack.annotation, **id));
    let resources: Vec<Value> = known
        .map(|id| {
            let parameters: Vec<Value> =
                search::parameters(*id).iter().map(|(name, kind)| json!({ "name": name, "type": kind })).collect();
            json!({
                "type": dictionary().get(*id).name,
                "interaction": [
                    { "code": "read" }, { "code": "vread" }, { "code": "history-instance" }, { "code": "search-type" },
                ],
                "versioning": "versioned",
                "readHistory": true,
                "updateCreate": false,
                "conditionalCreate": false,
                "conditionalRead": "not-match",
                "conditionalUpdate": false,
                "conditionalDelete": "not-supported",
                "searchInclude": search::includes(*id),
                "searchParam": parameters,
            })
        })
        .collect();
    let statement = json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": date,
        "kind": "instance",
        "software": { "name": "Scruple", "version": env!("CARGO_PKG_VERSION") },
        "implementation": { "description": "Scruple, the minimum necessary of a record system behind it", "url": base },
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [{
            "mode": "server",
            "documentation": "Reads, versions, searches of a type and of a patient's compartment, $everything of a patient, and batches of these. A caller sees what the policy gives the role for the purpose of use: an RFC 9068 access token carries one role in `roles` and one ActReason code in `extensions.ihe_iua.purpose_of_use`. Everything else is refused.",
            "security": { "cors": false, "description": "RFC 9068 access tokens (ES256) as bearer tokens" },
            "resource": resources,
            "interaction": [{ "code": "batch" }],
            "operation": [{
                "name": "everything",
                "definition": "http://hl7.org/fhir/OperationDefinition/Patient-everything",
            }],
        }],
    });
    statement.to_string().into_bytes()
}
