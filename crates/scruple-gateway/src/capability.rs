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
                "interaction": [{ "code": "read" }, { "code": "search-type" }],
                "versioning": "no-version",
                "readHistory": false,
                "updateCreate": false,
                "conditionalCreate": false,
                "conditionalRead": "not-supported",
                "conditionalUpdate": false,
                "conditionalDelete": "not-supported",
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
            "documentation": "Read and type search, by GET and POST. A caller sees what the policy gives the role for the purpose of use: an RFC 9068 access token carries one role in `roles` and one ActReason code in `extensions.ihe_iua.purpose_of_use`. Search results are in the order of ids. Everything else is refused.",
            "security": { "cors": false, "description": "RFC 9068 access tokens (ES256) as bearer tokens" },
            "resource": resources,
        }],
    });
    statement.to_string().into_bytes()
}
