//! The searches that US Core 6.1 demands of a server, SHALL and SHOULD, as far as their parameters are those of base R4.
//!
//! Left out, since R4 has no such parameter: `CareTeam.role`, `Condition.asserted-date`,
//! `Encounter.discharge-disposition`, `Goal.description`; and those with `_lastUpdated`, which no search here takes.

use super::pairs::Pair;
use super::requests::asked;
use super::oracle::{parameter, read};
use super::wire::Request;
use super::text::query;
use crate::tree::Numbers;

/// One search: a type and the parameters that stand together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Search {
    /// The resource type.
    pub resource_type: &'static str,
    /// The parameters.
    pub parameters: &'static [&'static str],
    /// US Core says SHALL.
    pub shall: bool,
}

macro_rules! searches {
    ($($kind:literal: $([$($name:literal),+] $word:ident),+;)+) => {
        &[$($(Search { resource_type: $kind, parameters: &[$($name),+], shall: is_shall(stringify!($word)) }),+),+]
    };
}

const fn is_shall(word: &str) -> bool {
    // SHALL has five letters.
    word.len() == 5
}

/// All of them.
pub const SEARCHES: &[Search] = searches! {
    "AllergyIntolerance": ["patient"] SHALL, ["patient", "clinical-status"] SHOULD;
    "CarePlan": ["patient", "category"] SHALL, ["patient", "category", "date"] SHOULD,
        ["patient", "category", "status"] SHOULD, ["patient", "category", "status", "date"] SHOULD;
    "CareTeam": ["patient", "status"] SHALL;
    "Condition": ["patient"] SHALL, ["patient", "abatement-date"] SHOULD, ["patient", "category"] SHALL,
        ["patient", "category", "clinical-status"] SHOULD, ["patient", "category", "encounter"] SHOULD,
        ["patient", "clinical-status"] SHOULD, ["patient", "code"] SHOULD, ["patient", "onset-date"] SHOULD,
        ["patient", "recorded-date"] SHOULD;
    "Coverage": ["patient"] SHALL;
    "Device": ["patient"] SHALL, ["patient", "status"] SHOULD, ["patient", "type"] SHOULD;
    "DiagnosticReport": ["patient"] SHALL, ["patient", "category"] SHALL, ["patient", "category", "date"] SHALL,
        ["patient", "code"] SHALL, ["patient", "code", "date"] SHOULD, ["patient", "status"] SHOULD;
    "DocumentReference": ["_id"] SHALL, ["patient"] SHALL, ["patient", "category"] SHALL,
        ["patient", "category", "date"] SHALL, ["patient", "status"] SHOULD, ["patient", "type"] SHALL,
        ["patient", "type", "period"] SHOULD;
    "Encounter": ["_id"] SHALL, ["class", "patient"] SHOULD, ["date", "patient"] SHALL, ["identifier"] SHOULD,
        ["patient"] SHALL, ["patient", "location"] SHOULD, ["patient", "status"] SHOULD, ["patient", "type"] SHOULD;
    "Goal": ["patient"] SHALL, ["patient", "lifecycle-status"] SHOULD, ["patient", "target-date"] SHOULD;
    "Immunization": ["patient"] SHALL, ["patient", "date"] SHOULD, ["patient", "status"] SHOULD;
    "Location": ["address"] SHALL, ["address-city"] SHOULD, ["address-postalcode"] SHOULD, ["address-state"] SHOULD,
        ["name"] SHALL;
    "MedicationDispense": ["patient"] SHALL, ["patient", "status"] SHOULD, ["patient", "status", "type"] SHOULD;
    "MedicationRequest": ["patient", "intent"] SHALL, ["patient", "intent", "authoredon"] SHOULD,
        ["patient", "intent", "encounter"] SHOULD, ["patient", "intent", "status"] SHALL;
    "Observation": ["patient", "category"] SHALL, ["patient", "category", "date"] SHALL,
        ["patient", "category", "status"] SHOULD, ["patient", "code"] SHALL, ["patient", "code", "date"] SHOULD;
    "Organization": ["address"] SHALL, ["name"] SHALL;
    "Patient": ["_id"] SHALL, ["birthdate", "family"] SHOULD, ["birthdate", "name"] SHALL,
        ["death-date", "family"] SHOULD, ["family", "gender"] SHOULD, ["gender", "name"] SHALL, ["identifier"] SHALL,
        ["name"] SHALL;
    "Practitioner": ["_id"] SHOULD, ["identifier"] SHALL, ["name"] SHALL;
    "PractitionerRole": ["practitioner"] SHALL, ["specialty"] SHALL;
    "Procedure": ["patient"] SHALL, ["patient", "code", "date"] SHOULD, ["patient", "date"] SHALL,
        ["patient", "status"] SHOULD;
    "QuestionnaireResponse": ["_id"] SHALL, ["patient"] SHALL, ["patient", "authored"] SHOULD,
        ["patient", "questionnaire"] SHOULD, ["patient", "status"] SHOULD;
    "RelatedPerson": ["_id"] SHALL, ["name"] SHOULD, ["patient"] SHOULD, ["patient", "name"] SHOULD;
    "ServiceRequest": ["_id"] SHALL, ["patient"] SHALL, ["patient", "category"] SHALL,
        ["patient", "category", "authored"] SHALL, ["patient", "code"] SHALL, ["patient", "code", "authored"] SHOULD,
        ["patient", "status"] SHOULD;
    "Specimen": ["_id"] SHALL, ["patient"] SHOULD;
};

/// A request for a search, with values of one resource of the type: one that shows, where there is one.
#[must_use]
pub fn concrete(search: &Search, pair: &Pair, root: &str, numbers: &mut Numbers) -> Option<Request> {
    let kind = search.resource_type;
    let fits = |value: &serde_json::Value| {
        search.parameters.iter().all(|name| {
            parameter(kind, name).is_some_and(|parameter| !read(value, kind, parameter).is_empty())
        })
    };
    let shown: Vec<serde_json::Value> = pair
        .view
        .iter()
        .filter(|(own, _, _)| own == kind)
        .filter_map(|(_, _, bytes)| serde_json::from_slice(bytes).ok())
        .filter(fits)
        .collect();
    let value = match numbers.one_of(&shown) {
        Some(value) => value.clone(),
        None => {
            let raw: Vec<_> = pair.a.iter().filter(|stored| stored.resource_type == kind && fits(&stored.value)).collect();
            numbers.one_of(&raw)?.value.clone()
        }
    };
    let mut pairs = Vec::new();
    for name in search.parameters {
        let text = (0..8).find_map(|_| asked(&value, kind, parameter(kind, name)?, numbers))?;
        pairs.push(((*name).to_owned(), text));
    }
    let path = format!("{root}/{kind}");
    Some(if numbers.chance(500) {
        Request::get(path).with_query(query(&pairs))
    } else {
        let request = Request::get(format!("{path}/_search"));
        let request = request.with_header("Content-Type", "application/x-www-form-urlencoded");
        Request { method: "POST".to_owned(), body: query(&pairs).into_bytes(), ..request }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_search_is_of_parameters_that_can_be_asked() {
        for search in SEARCHES {
            for name in search.parameters {
                assert!(parameter(search.resource_type, name).is_some(), "{} {name}", search.resource_type);
            }
        }
        assert_eq!(SEARCHES.len(), 101);
    }
}
