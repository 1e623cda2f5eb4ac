//! Resources written by hand, each for one rule: `fixtures/crafted/`, with a line of purpose each in `manifest.csv`.
//!
//! All of it is invented. What a person could have written is a canary, so that a leak can be searched for.

use std::fs;
use std::path::{Path, PathBuf};

/// Every canary and what it stands for. They stand alone or within a longer text.
pub const CANARIES: &[(&str, &str)] = &[
    ("CANARY-AUTHORIZATION", "an authorisation number of a payer"),
    ("CANARY-CITY", "a city of a home address"),
    ("CANARY-CODE", "a code of a system that is not listed"),
    ("CANARY-DATA", "samples of a signal"),
    ("CANARY-DATE", "a date behind an escaped key"),
    ("CANARY-DIAGNOSIS", "the words of a diagnosis"),
    ("CANARY-DISPLAY", "a display of a Coding or a Reference"),
    ("CANARY-DRUG", "the words of a drug"),
    ("CANARY-EXTENSION", "a value of an extension that is not known"),
    ("CANARY-ID", "an id that does not show"),
    ("CANARY-MAIL", "an e-mail address"),
    ("CANARY-MRN", "a record number"),
    ("CANARY-NAME", "a patient's name"),
    ("CANARY-NARRATIVE", "narrative"),
    ("CANARY-NPI", "a practitioner's or organisation's number"),
    ("CANARY-NUMBER", "a number as a string"),
    ("CANARY-ORGANIZATION", "an organisation's name"),
    ("CANARY-ORPHAN", "a contained resource that nothing refers to"),
    ("CANARY-PHONE", "a telephone number"),
    ("CANARY-PRACTITIONER", "a practitioner's name"),
    ("CANARY-PROCEDURE", "the words of a procedure"),
    ("CANARY-PROFILE", "a profile of an organisation's own"),
    ("CANARY-PROSE", "free text"),
    ("CANARY-RACE", "race in words"),
    ("CANARY-RELATIVE", "a relative's name"),
    ("CANARY-SOURCE", "meta.source"),
    ("CANARY-SSN", "a national number"),
    ("CANARY-STREET", "a street of a home address"),
    ("CANARY-TITLE", "a title"),
    ("CANARY-UNIT", "a unit in words"),
    ("CANARY-UNKNOWN", "the value of an unknown key"),
    ("CANARY-URL", "a url of an attachment"),
    ("CANARY-VERSION", "a version"),
    ("CANARY-ZIP", "a ZIP code that is none"),
];

/// A crafted resource.
#[derive(Clone, Debug)]
pub struct Crafted {
    /// The name of its file.
    pub file: String,
    /// What one who sees every category, with every limit follow, gets of it: `shows`, or the reason.
    pub outcome: String,
    /// What it is for.
    pub purpose: String,
    /// The resource.
    pub text: String,
}

/// Where they are.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/crafted")
}

/// All of them, in the order of the manifest.
///
/// # Errors
/// A file that cannot be read.
pub fn all() -> std::io::Result<Vec<Crafted>> {
    let manifest = fs::read_to_string(folder().join("manifest.csv"))?;
    let mut found = Vec::new();
    for line in manifest.lines().skip(1).filter(|line| !line.starts_with('#')) {
        let mut fields = line.splitn(3, ',');
        let mut field = || fields.next().unwrap_or_default().trim_matches('"').to_owned();
        let (file, outcome, purpose) = (field(), field(), field());
        let text = fs::read_to_string(folder().join(&file))?;
        found.push(Crafted { file, outcome, purpose, text });
    }
    Ok(found)
}
