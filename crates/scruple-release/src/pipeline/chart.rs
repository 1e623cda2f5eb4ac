//! What the privacy office needs to ask about a chart: which patient a record number means, and what related somebody to him at past
//! instants. Ids and the names of relations come back, for the record and for reasons; nothing of a record leaves here.

use super::Pipeline;
use crate::relation::{Caller, Kind};
use crate::upstream::{Upstream, UpstreamError, UpstreamQuery};
use scruple_core::Timestamp;
use scruple_core::limits::SEARCH_COUNT_MAX;
use scruple_fhir::bundle;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Bytes of a record number.
const NUMBER_BYTES_MAX: usize = 64;
/// Pages of one look-up.
const PAGES_MAX: usize = 50;

impl Pipeline {
    /// The patients whom a record number or an id means, each with the numbers that the record system knows him by.
    ///
    /// # Errors
    /// The record system cannot be asked.
    pub async fn patients_of(&self, number: &str) -> Result<BTreeMap<String, BTreeSet<String>>, UpstreamError> {
        patients_of(self.upstream.as_ref(), number).await
    }

    /// What related somebody to a patient at each of these instants, as the record system knows it now: `encounter Encounter/id`. For a
    /// role of the active policy; nothing relates whoever is nobody in the record system.
    ///
    /// # Errors
    /// The record system cannot be asked.
    pub async fn related(
        &self,
        role: &str,
        practitioners: &[String],
        patient: &str,
        at: &[Timestamp],
    ) -> Result<Vec<Option<String>>, UpstreamError> {
        let mut found: Vec<Option<String>> = vec![None; at.len()];
        let policy = self.policy();
        let Some(role) = policy.pack().roles.get(role) else { return Ok(found) };
        if practitioners.is_empty() {
            return Ok(found);
        }
        for kind in Kind::of(&role.related_by) {
            let (resource_type, of, caller) = kind.search();
            let whose = if kind == Kind::Panel { patient.to_owned() } else { format!("Patient/{patient}") };
            let parameters = vec![(of.to_owned(), whose), (caller.to_owned(), practitioners.join(","))];
            let resources = match all_of(self.upstream.as_ref(), resource_type, parameters).await {
                Ok(resources) => resources,
                Err(error) if error.is_of_the_record() => continue,
                Err(error) => return Err(error),
            };
            for bytes in resources {
                let Some((_, id)) = bundle::identity(&bytes) else { continue };
                let Ok(resource) = serde_json::from_slice::<Value>(&bytes) else { continue };
                for (slot, now) in found.iter_mut().zip(at) {
                    let judge = Caller { practitioners, by: &role.related_by, now: *now };
                    if slot.is_none() && judge.patients(kind, &resource).iter().any(|one| one == patient) {
                        *slot = Some(format!("{} {resource_type}/{id}", kind.word()));
                    }
                }
            }
        }
        Ok(found)
    }
}

/// The id and the numbers of a Patient.
fn patient(bytes: &[u8]) -> Option<(String, BTreeSet<String>)> {
    let (kind, id) = bundle::identity(bytes)?;
    if scruple_fhir::dictionary().get(kind).name != "Patient" {
        return None;
    }
    let id = id.to_owned();
    let resource: Value = serde_json::from_slice(bytes).ok()?;
    let identifiers = resource.get("identifier").and_then(Value::as_array).into_iter().flatten();
    // A number of the state is none of the record, and no log of a record system should hold it.
    let is_record = |one: &&Value| {
        let codings = one.pointer("/type/coding").and_then(Value::as_array).into_iter().flatten();
        let mut codes = codings.filter_map(|coding| coding.get("code").and_then(Value::as_str)).peekable();
        codes.peek().is_none() || codes.any(|code| matches!(code, "MR" | "MRN" | "PI" | "PT" | "AN" | "MRT"))
    };
    let values = identifiers.filter(is_record).filter_map(|one| one.get("value").and_then(Value::as_str));
    Some((id, values.map(str::to_owned).collect()))
}

/// The patients whom a record number or an id means, each with the numbers that the record system knows him by.
///
/// # Errors
/// The record system cannot be asked.
pub async fn patients_of(
    upstream: &dyn Upstream,
    number: &str,
) -> Result<BTreeMap<String, BTreeSet<String>>, UpstreamError> {
    let number = number.trim();
    let number = number.strip_prefix("Patient/").unwrap_or(number);
    let is_number = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if number.is_empty() || number.len() > NUMBER_BYTES_MAX || !number.bytes().all(is_number) {
        return Ok(BTreeMap::new());
    }
    let mut found = BTreeMap::new();
    match upstream.read("Patient", number).await {
        Ok(Some(fetched)) => {
            if let Some((id, numbers)) = patient(&bundle::plain(&fetched)).filter(|(id, _)| id == number) {
                found.insert(id, numbers);
            }
        }
        Ok(None) => {}
        Err(error) if error.is_of_the_record() => {}
        Err(error) => return Err(error),
    }
    let parameters = vec![("identifier".to_owned(), number.to_owned())];
    let resources = match all_of(upstream, "Patient", parameters).await {
        Ok(resources) => resources,
        Err(error) if error.is_of_the_record() => Vec::new(),
        Err(error) => return Err(error),
    };
    for bytes in resources {
        // Whether it is what was asked for is judged here, whatever the server made of the query.
        let named = patient(&bytes).filter(|(_, numbers)| numbers.contains(number));
        found.extend(named);
    }
    Ok(found)
}

/// Every resource of a search, if it is of the type.
async fn all_of(
    upstream: &dyn Upstream,
    resource_type: &str,
    mut parameters: Vec<(String, String)>,
) -> Result<Vec<Vec<u8>>, UpstreamError> {
    parameters.push(("_count".to_owned(), SEARCH_COUNT_MAX.to_string()));
    let query = UpstreamQuery { resource_type: resource_type.to_owned(), parameters };
    let (mut found, mut links) = (Vec::new(), HashSet::new());
    let mut fetched = upstream.search(&query).await?;
    for _ in 0..PAGES_MAX {
        let plain = bundle::plain(&fetched);
        let page = crate::upstream::page(&plain)?;
        let is_of_type = |bytes: &&[u8]| {
            bundle::identity(bytes).is_some_and(|(of, _)| scruple_fhir::dictionary().get(of).name == resource_type)
        };
        found.extend(page.resources.into_iter().filter(is_of_type).map(<[u8]>::to_vec));
        let Some(next) = page.next.map(Cow::into_owned) else { return Ok(found) };
        if !links.insert(next.clone()) {
            return Err(UpstreamError::Malformed("pages in a circle"));
        }
        fetched = upstream.page(&next).await?;
    }
    Err(UpstreamError::Malformed("pages without an end"))
}
