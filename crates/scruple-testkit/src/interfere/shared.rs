//! The types that are shared, and not about anybody (`docs/view.md`, 1).

use scruple_fhir::{Annotation, dictionary};
use std::collections::BTreeSet;

/// Those that the page names.
pub(super) const SHARED: [&str; 13] = [
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "OrganizationAffiliation",
    "Location",
    "HealthcareService",
    "Endpoint",
    "Medication",
    "MedicationKnowledge",
    "Substance",
    "InsurancePlan",
    "Schedule",
    "Slot",
];

/// Those, and the types of terminology and conformance that the pack gives to `directory`.
///
/// Reading: these are all types whose home is that of Practitioner.
#[must_use]
pub fn shared_types(annotation: &Annotation) -> BTreeSet<String> {
    let home = |name: &str| annotation.homes.get(name).copied();
    let directory = home("Practitioner");
    let names = dictionary().resources().iter().map(|id| dictionary().get(*id).name);
    let given = names.filter(|name| directory.is_some() && home(name) == directory);
    SHARED.into_iter().chain(given).map(str::to_owned).collect()
}
