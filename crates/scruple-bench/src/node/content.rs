//! What the FHIR server holds: a synthetic hospital, and on demand what a bench needs beside it.

use super::NOON;
use scruple_hospital::{Hospital, Options};

/// Resources of each kind for the bench of time.
pub const TIMED: usize = 24;
/// Hidden candidates of a search that has some.
pub const HIDDEN_CANDIDATES: usize = 50;
/// The index of the patient with the long record.
const LONG_PATIENT: usize = 1;
/// Bytes of that record, about.
const LONG_BYTES: usize = 2_000_000;

/// Bytes that a Patient or an Encounter has at least: its narrative makes up for what is missing.
const NARRATIVE_UP_TO: usize = 4_096;

/// What the server holds beside the hospital.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content {
    /// Nothing.
    Hospital,
    /// Encounters and candidates of searches that a label hides.
    Hidden,
    /// Observations that make one record two megabytes long; and that record as one Bundle at [`PREPARED`].
    LongRecord,
}

/// The path of the Bundle that holds the long record as it is stored.
pub const PREPARED: &str = "/fhir/prepared";

impl Content {
    const ALL: [(Self, &str); 3] =
        [(Self::Hospital, "hospital"), (Self::Hidden, "hidden"), (Self::LongRecord, "long-record")];

    /// The word for it on a command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(one, _)| *one == self).map_or("", |(_, word)| word)
    }

    /// What a word means.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(one, _)| *one)
    }

    /// Everything: type, id and JSON.
    pub fn resources(self, hospital: &Hospital) -> impl Iterator<Item = (String, String, Vec<u8>)> + '_ {
        let beside = match self {
            Self::Hospital => Vec::new(),
            Self::Hidden => hidden(),
            Self::LongRecord => lengthening(hospital),
        };
        resources(hospital).chain(beside)
    }
}

/// The hospital that is served.
#[must_use]
pub fn hospital(patients: usize) -> Hospital {
    Hospital::generate(&Options { patients, seed: 5, as_of: NOON, canary: false })
}

/// Type, id and JSON of everything in a hospital.
pub fn resources(hospital: &Hospital) -> impl Iterator<Item = (String, String, Vec<u8>)> + '_ {
    let all = hospital.directory().into_iter().chain(hospital.records().flat_map(|record| record.resources));
    all.map(|resource| filled(resource.kind(), resource.id(), resource.to_json()))
}

fn filled(kind: &str, id: &str, json: Vec<u8>) -> (String, String, Vec<u8>) {
    let narrated = matches!(kind, "Patient" | "Encounter");
    (kind.to_owned(), id.to_owned(), if narrated { with_narrative(json) } else { json })
}

/// The resource with a narrative that fills it up.
fn with_narrative(json: Vec<u8>) -> Vec<u8> {
    let begin = br#""text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">"#;
    let end = br#"</div>"},"#;
    let words = |missing| "seen in the hospital ".bytes().cycle().take(missing).collect::<Vec<u8>>();
    if let Some(at) = memchr::memmem::find(&json, begin) {
        let (before, after) = json.split_at(at + begin.len());
        return [before, &words(NARRATIVE_UP_TO.saturating_sub(json.len())), after].concat();
    }
    let Some(at) = memchr::memchr(b',', &json) else { return json };
    let (before, after) = json.split_at(at + 1);
    let missing = NARRATIVE_UP_TO.saturating_sub(json.len() + begin.len() + end.len());
    [before, begin, &words(missing), end, after].concat()
}

/// The id of an Encounter that a label hides. [`shown_id`] is the same without the label, and of [`absent_id`] there is none.
#[must_use]
pub fn hidden_id(number: usize) -> String {
    format!("timed-hidden-{number:02}")
}

/// The id of an Encounter that shows.
#[must_use]
pub fn shown_id(number: usize) -> String {
    format!("timed-shown-{number:02}")
}

/// An id, as long as a hidden one, of nothing.
#[must_use]
pub fn absent_id(number: usize) -> String {
    format!("timed-absent-{number:02}")
}

/// The id of a patient whose Observations are all hidden, if there are any: [`HIDDEN_CANDIDATES`], or none.
#[must_use]
pub fn searched_id(number: usize, has_candidates: bool) -> String {
    format!("timed-{}-{number:02}", if has_candidates { "many" } else { "none" })
}

/// What stands in `meta` of what almost nobody sees without a consent.
const LABEL: &str =
    r#","security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"42CFRPart2"}]"#;

fn hidden() -> Vec<(String, String, Vec<u8>)> {
    let mut all = Vec::new();
    let patient = Hospital::patient_id(LONG_PATIENT);
    for number in 0..TIMED {
        for (id, label) in [(hidden_id(number), LABEL), (shown_id(number), "")] {
            let json = format!(
                r#"{{"resourceType":"Encounter","id":"{id}","meta":{META}{label}}},"status":"finished","class":{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"}},"subject":{{"reference":"Patient/{patient}"}},"period":{{"start":"2026-02-02T09:00:00Z","end":"2026-02-02T09:30:00Z"}}}}"#
            );
            all.push(filled("Encounter", &id, json.into_bytes()));
        }
        for has_candidates in [true, false] {
            let id = searched_id(number, has_candidates);
            let json = format!(
                r#"{{"resourceType":"Patient","id":"{id}","meta":{META}}},"active":true,"name":[{{"family":"Timed","given":["Tia"]}}],"gender":"female","birthDate":"1980-05-05"}}"#
            );
            all.push(filled("Patient", &id, json.into_bytes()));
            let candidates = if has_candidates { HIDDEN_CANDIDATES } else { 0 };
            all.extend((0..candidates).map(|place| observation(&format!("{id}-{place:02}"), &id, LABEL)));
        }
    }
    all
}

const META: &str = r#"{"versionId":"1","lastUpdated":"2026-02-02T10:00:00Z""#;

/// A panel of eight values, as long as resources of records are on average.
fn observation(id: &str, patient: &str, label: &str) -> (String, String, Vec<u8>) {
    let values = [
        ("2345-7", "mg/dL", 92),
        ("3094-0", "mg/dL", 14),
        ("2951-2", "mmol/L", 140),
        ("2823-3", "mmol/L", 4),
        ("2075-0", "mmol/L", 103),
        ("2028-9", "mmol/L", 25),
        ("17861-6", "mg/dL", 9),
        ("2160-0", "mg/dL", 1),
    ];
    let component = |(code, unit, value): (&str, &str, i32)| {
        format!(
            r#"{{"code":{{"coding":[{{"system":"http://loinc.org","code":"{code}"}}]}},"valueQuantity":{{"value":{value},"system":"http://unitsofmeasure.org","code":"{unit}"}}}}"#
        )
    };
    let components: Vec<String> = values.into_iter().map(component).collect();
    let json = format!(
        r#"{{"resourceType":"Observation","id":"{id}","meta":{META}{label}}},"status":"final","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}}]}}],"code":{{"coding":[{{"system":"http://loinc.org","code":"24320-4"}}]}},"subject":{{"reference":"Patient/{patient}"}},"effectiveDateTime":"2026-02-02T09:10:00Z","component":[{}]}}"#,
        components.join(",")
    );
    ("Observation".to_owned(), id.to_owned(), json.into_bytes())
}

/// The patient with the long record.
#[must_use]
pub fn long_patient() -> String {
    Hospital::patient_id(LONG_PATIENT)
}

fn own_record(hospital: &Hospital) -> impl Iterator<Item = (String, String, Vec<u8>)> {
    let own = hospital.record(LONG_PATIENT).resources.into_iter();
    own.map(|resource| filled(resource.kind(), resource.id(), resource.to_json()))
}

/// The Observations that are missing to a long record.
fn lengthening(hospital: &Hospital) -> Vec<(String, String, Vec<u8>)> {
    let (patient, mut bytes) = (long_patient(), 0);
    bytes += own_record(hospital).map(|(_, _, json)| json.len()).sum::<usize>();
    let mut all = Vec::new();
    while bytes < LONG_BYTES {
        let one = observation(&format!("long-{:05}", all.len()), &patient, "");
        bytes += one.2.len();
        all.push(one);
    }
    all
}

/// The Bundle at [`PREPARED`]: the long record as it is stored, under this base.
#[must_use]
pub fn prepared(hospital: &Hospital, base: &str) -> Vec<u8> {
    let mut bundle = br#"{"resourceType":"Bundle","type":"searchset","entry":["#.to_vec();
    for (place, (kind, id, json)) in own_record(hospital).chain(lengthening(hospital)).enumerate() {
        let comma = if place > 0 { "," } else { "" };
        bundle.extend_from_slice(format!(r#"{comma}{{"fullUrl":"{base}/{kind}/{id}","resource":"#).as_bytes());
        bundle.extend_from_slice(&json);
        bundle.extend_from_slice(br#","search":{"mode":"match"}}"#);
    }
    bundle.extend_from_slice(b"]}");
    bundle
}

#[cfg(test)]
mod tests {
    use super::{Content, LONG_BYTES, NARRATIVE_UP_TO, hospital, prepared, resources};

    #[test]
    fn a_narrative_fills_up_a_patient_and_it_stays_json() {
        let mut count = 0;
        for (kind, id, json) in resources(&hospital(5)) {
            let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
            assert_eq!(
                (value["resourceType"].as_str(), value["id"].as_str()),
                (Some(kind.as_str()), Some(id.as_str()))
            );
            count += usize::from(value["text"]["status"] == "generated" && json.len() >= NARRATIVE_UP_TO);
        }
        assert!(count > 3, "{count} narratives");
    }

    #[test]
    fn what_stands_beside_is_json_under_its_id() {
        let hospital = hospital(2);
        for content in [Content::Hidden, Content::LongRecord] {
            assert_eq!(Content::of(content.word()), Some(content));
            let beside = content.resources(&hospital).skip(resources(&hospital).count());
            let mut count = 0;
            for (kind, id, json) in beside {
                let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
                assert_eq!(value["resourceType"].as_str(), Some(kind.as_str()));
                assert_eq!(value["id"].as_str(), Some(id.as_str()));
                count += 1;
            }
            assert!(count > 100, "{content:?}: {count}");
        }
    }

    #[test]
    fn the_prepared_bundle_is_the_long_record() {
        let bytes = prepared(&hospital(2), "http://x/fhir");
        assert!((LONG_BYTES..LONG_BYTES * 5 / 4).contains(&bytes.len()), "{} bytes", bytes.len());
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert!(value["entry"].as_array().unwrap().len() > 1_000);
    }
}
