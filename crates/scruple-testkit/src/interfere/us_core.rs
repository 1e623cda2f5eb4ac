//! The searches that US Core 6.1 demands of a server, SHALL and SHOULD, as far as their parameters are those of base R4.
//!
//! Left out, since R4 has no such parameter: `CareTeam.role`, `Condition.asserted-date`,
//! `Encounter.discharge-disposition`, `Goal.description`.

use super::oracle::{Link, parameter, read};
use super::pairs::Pair;
use super::requests::asked;
use super::text::query;
use super::wire::Request;
use crate::tree::Numbers;
use serde_json::Value;

/// One search: a type, the parameters that stand together, and what is asked for beside the matches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Search {
    /// The resource type.
    pub resource_type: &'static str,
    /// The parameters; a chain of one link too.
    pub parameters: &'static [&'static str],
    /// `_include` or `_revinclude` with its value.
    pub beside: Option<(&'static str, &'static str)>,
    /// US Core says SHALL.
    pub shall: bool,
}

macro_rules! searches {
    ($($kind:literal: $([$($name:literal),+] $(+ $beside:ident)? $word:ident),+;)+) => {
        &[$($(Search {
            resource_type: $kind,
            parameters: &[$($name),+],
            beside: beside(&[$($beside)?]),
            shall: is_shall(stringify!($word)),
        }),+),+]
    };
}

type Beside = (&'static str, &'static str);
const PROVENANCE: Beside = ("_revinclude", "Provenance:target");
const MEDICATION: Beside = ("_include", "MedicationRequest:medication");
const PRACTITIONER: Beside = ("_include", "PractitionerRole:practitioner");
const ENDPOINT: Beside = ("_include", "PractitionerRole:endpoint");

const fn beside(named: &[Beside]) -> Option<Beside> {
    match named {
        [one] => Some(*one),
        _ => None,
    }
}

const fn is_shall(word: &str) -> bool {
    // SHALL has five letters.
    word.len() == 5
}

/// All of them.
pub const SEARCHES: &[Search] = searches! {
    "AllergyIntolerance": ["patient"] SHALL, ["patient", "clinical-status"] SHOULD,
        ["patient"] + PROVENANCE SHOULD;
    "CarePlan": ["patient", "category"] SHALL, ["patient", "category", "date"] SHOULD,
        ["patient", "category", "status"] SHOULD, ["patient", "category", "status", "date"] SHOULD,
        ["patient", "category"] + PROVENANCE SHOULD;
    "CareTeam": ["patient", "status"] SHALL,
        ["patient", "status"] + PROVENANCE SHOULD;
    "Condition": ["patient"] SHALL, ["patient", "abatement-date"] SHOULD, ["patient", "category"] SHALL,
        ["patient", "category", "clinical-status"] SHOULD, ["patient", "category", "encounter"] SHOULD,
        ["patient", "clinical-status"] SHOULD, ["patient", "code"] SHOULD, ["patient", "onset-date"] SHOULD,
        ["patient", "recorded-date"] SHOULD,
        ["patient"] + PROVENANCE SHOULD, ["patient", "_lastUpdated"] SHOULD;
    "Coverage": ["patient"] SHALL,
        ["patient"] + PROVENANCE SHOULD;
    "Device": ["patient"] SHALL, ["patient", "status"] SHOULD, ["patient", "type"] SHOULD,
        ["patient"] + PROVENANCE SHOULD;
    "DiagnosticReport": ["patient"] SHALL, ["patient", "category"] SHALL, ["patient", "category", "date"] SHALL,
        ["patient", "code"] SHALL, ["patient", "code", "date"] SHOULD, ["patient", "status"] SHOULD,
        ["patient", "category"] + PROVENANCE SHOULD, ["patient", "category", "_lastUpdated"] SHOULD;
    "DocumentReference": ["_id"] SHALL, ["patient"] SHALL, ["patient", "category"] SHALL,
        ["patient", "category", "date"] SHALL, ["patient", "status"] SHOULD, ["patient", "type"] SHALL,
        ["patient", "type", "period"] SHOULD,
        ["patient"] + PROVENANCE SHOULD;
    "Encounter": ["_id"] SHALL, ["class", "patient"] SHOULD, ["date", "patient"] SHALL, ["identifier"] SHOULD,
        ["patient"] SHALL, ["patient", "location"] SHOULD, ["patient", "status"] SHOULD, ["patient", "type"] SHOULD,
        ["patient"] + PROVENANCE SHOULD, ["patient", "_lastUpdated"] SHOULD;
    "Goal": ["patient"] SHALL, ["patient", "lifecycle-status"] SHOULD, ["patient", "target-date"] SHOULD,
        ["patient"] + PROVENANCE SHOULD;
    "Immunization": ["patient"] SHALL, ["patient", "date"] SHOULD, ["patient", "status"] SHOULD,
        ["patient"] + PROVENANCE SHOULD;
    "Location": ["address"] SHALL, ["address-city"] SHOULD, ["address-postalcode"] SHOULD, ["address-state"] SHOULD,
        ["name"] SHALL;
    "MedicationDispense": ["patient"] SHALL, ["patient", "status"] SHOULD, ["patient", "status", "type"] SHOULD,
        ["patient"] + PROVENANCE SHOULD;
    "MedicationRequest": ["patient", "intent"] SHALL, ["patient", "intent", "authoredon"] SHOULD,
        ["patient", "intent", "encounter"] SHOULD, ["patient", "intent", "status"] SHALL,
        ["patient", "intent"] + PROVENANCE SHOULD, ["patient", "intent"] + MEDICATION SHALL, ["patient", "intent", "status"] + MEDICATION SHALL;
    "Observation": ["patient", "category"] SHALL, ["patient", "category", "date"] SHALL,
        ["patient", "category", "status"] SHOULD, ["patient", "code"] SHALL, ["patient", "code", "date"] SHOULD,
        ["patient", "category"] + PROVENANCE SHOULD, ["patient", "category", "_lastUpdated"] SHOULD;
    "Organization": ["address"] SHALL, ["name"] SHALL;
    "Patient": ["_id"] SHALL, ["birthdate", "family"] SHOULD, ["birthdate", "name"] SHALL,
        ["death-date", "family"] SHOULD, ["family", "gender"] SHOULD, ["gender", "name"] SHALL, ["identifier"] SHALL,
        ["name"] SHALL,
        ["_id"] + PROVENANCE SHOULD;
    "Practitioner": ["_id"] SHOULD, ["identifier"] SHALL, ["name"] SHALL;
    "PractitionerRole": ["practitioner"] SHALL, ["specialty"] SHALL,
        ["practitioner"] + PRACTITIONER SHALL, ["practitioner"] + ENDPOINT SHALL, ["specialty"] + PRACTITIONER SHALL,
        ["specialty"] + ENDPOINT SHALL, ["practitioner.identifier"] SHOULD, ["practitioner.name"] SHOULD;
    "Procedure": ["patient"] SHALL, ["patient", "code", "date"] SHOULD, ["patient", "date"] SHALL,
        ["patient", "status"] SHOULD,
        ["patient"] + PROVENANCE SHOULD;
    "QuestionnaireResponse": ["_id"] SHALL, ["patient"] SHALL, ["patient", "authored"] SHOULD,
        ["patient", "questionnaire"] SHOULD, ["patient", "status"] SHOULD,
        ["patient"] + PROVENANCE SHOULD;
    "RelatedPerson": ["_id"] SHALL, ["name"] SHOULD, ["patient"] SHOULD, ["patient", "name"] SHOULD,
        ["_id"] + PROVENANCE SHOULD;
    "ServiceRequest": ["_id"] SHALL, ["patient"] SHALL, ["patient", "category"] SHALL,
        ["patient", "category", "authored"] SHALL, ["patient", "code"] SHALL, ["patient", "code", "authored"] SHOULD,
        ["patient", "status"] SHOULD,
        ["patient"] + PROVENANCE SHOULD;
    "Specimen": ["_id"] SHALL, ["patient"] SHOULD,
        ["_id"] + PROVENANCE SHOULD;
};

/// A request for a search, with values of one resource of the type: one that shows, where there is one.
#[must_use]
pub fn concrete(search: &Search, pair: &Pair, root: &str, numbers: &mut Numbers) -> Option<Request> {
    let kind = search.resource_type;
    let fits = |value: &Value| search.parameters.iter().all(|name| reads(value, kind, name, pair).is_some());
    let of_kind = pair.view.iter().filter(|(own, _, _)| own == kind);
    let shown: Vec<Value> =
        of_kind.filter_map(|(_, _, bytes)| serde_json::from_slice(bytes).ok()).filter(fits).collect();
    let value = match numbers.one_of(&shown) {
        Some(value) => value.clone(),
        None => {
            let raw: Vec<_> =
                pair.a.iter().filter(|stored| stored.resource_type == kind && fits(&stored.value)).collect();
            numbers.one_of(&raw)?.value.clone()
        }
    };
    let mut pairs = Vec::new();
    for name in search.parameters {
        let (holder, of, own) = reads(&value, kind, name, pair)?;
        let text = (0..8).find_map(|_| asked(&holder, &of, parameter(&of, own)?, numbers))?;
        pairs.push(((*name).to_owned(), text));
    }
    pairs.extend(search.beside.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let path = format!("{root}/{kind}");
    Some(if numbers.chance(500) {
        Request::get(path).with_query(query(&pairs))
    } else {
        let request = Request::get(format!("{path}/_search"));
        let request = request.with_header("Content-Type", "application/x-www-form-urlencoded");
        Request { method: "POST".to_owned(), body: query(&pairs).into_bytes(), ..request }
    })
}

/// Of which resource a parameter, or a chain, reads something at its end: the resource, its type and the last parameter.
fn reads<'a>(value: &Value, kind: &str, name: &'a str, pair: &Pair) -> Option<(Value, String, &'a str)> {
    let Some((by, rest)) = name.split_once('.') else {
        return (!read(value, kind, parameter(kind, name)?).is_empty()).then(|| (value.clone(), kind.to_owned(), name));
    };
    let targets = Link::new(kind, by).ok()?.refers(value);
    targets.iter().find_map(|(kind, id)| reads(&pair.a.get(kind, id)?.value, kind, rest, pair))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interfere::oracle::parse;

    #[test]
    fn every_search_is_of_parameters_that_can_be_asked() {
        for search in SEARCHES {
            let value = |name: &str| if name == "_lastUpdated" { "2020" } else { "x" }.to_owned();
            let stands = |name: &&str| ((*name).to_owned(), value(name));
            let mut pairs: Vec<(String, String)> = search
                .parameters
                .iter()
                .filter(|name| !name.contains("date") && !matches!(**name, "authored" | "authoredon" | "period"))
                .map(stands)
                .collect();
            pairs.extend(search.beside.map(|(name, value)| (name.to_owned(), value.to_owned())));
            assert!(parse(search.resource_type, &pairs).is_ok(), "{search:?}");
            for name in search.parameters.iter().filter(|name| !name.contains('.')) {
                assert!(parameter(search.resource_type, name).is_some(), "{} {name}", search.resource_type);
            }
        }
        assert_eq!(SEARCHES.len(), 133);
    }
}
