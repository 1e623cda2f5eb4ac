//! The words of made resources: codes, extensions, references and primitives, from the pack and from FHIR.

use super::Numbers;
use crate::slow::SlowPack;

/// Stands in every made text that a person could have written.
pub const CANARY: &str = "CANARY";

/// The pack's own words.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    /// System and code.
    pub codings: Vec<(String, String)>,
    /// System and code of security labels.
    pub labels: Vec<(String, String)>,
    /// Urls of known extensions.
    pub extensions: Vec<String>,
    /// Literals of references that name a source.
    pub sources: Vec<String>,
    /// Values of `meta.source`.
    pub meta_sources: Vec<String>,
}

impl Vocabulary {
    /// Of a pack.
    #[must_use]
    pub fn of(pack: &SlowPack) -> Self {
        let mut codings: Vec<(String, String)> = Vec::new();
        let pair = |system: &str, code: &str| (system.to_owned(), code.to_owned());
        for codes in pack.segment_codes.values() {
            // A few of each segment's lines, spread over the list.
            codings.extend(codes.iter().step_by(codes.len() / 6 + 1).map(|line| pair(&line.system, &line.code)));
        }
        codings.extend(
            pack.discriminators.iter().filter(|line| line.code != "default").map(|line| pair(&line.system, &line.code)),
        );
        codings.extend(pack.lists.values().flatten().take(10).cloned());
        for (system, code) in [
            ("http://snomed.info/sct", "38341003"),
            ("http://snomed.info/sct", "38341004"),
            ("http://snomed.info/sct", "856AAAA"),
            ("http://loinc.org", "8480-6"),
            ("http://loinc.org", "8480-5"),
            ("http://hl7.org/fhir/sid/icd-10-cm", "I10"),
            ("http://terminology.hl7.org/CodeSystem/condition-clinical", "active"),
            ("http://terminology.hl7.org/CodeSystem/condition-ver-status", "confirmed"),
            ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "AMB"),
            ("http://own.example/codes", "CANARY-CODE"),
            ("http:\\/\\/loinc.org", "8480-6"),
            ("http://loinc.org", "\\u0038480-6"),
        ] {
            codings.push(pair(system, code));
        }
        let labels: Vec<_> = pack.security_labels.keys().cloned().collect();
        codings.extend(labels.iter().take(5).cloned());
        let of_kind =
            |kind: &str| pack.sources.iter().filter(|line| line.0 == kind).map(|line| line.1.clone()).collect();
        Self {
            codings,
            labels,
            extensions: pack.extensions.iter().map(|line| line.url.clone()).collect(),
            sources: of_kind("reference"),
            meta_sources: of_kind("meta.source"),
        }
    }
}

/// The raw text of a string primitive.
pub(super) fn text(primitive: &str, valid: bool, numbers: &mut Numbers) -> String {
    let words: &[&str] = match primitive {
        "code" => &["active", "final", "CANARY-code", "a-b", "home", "x.y"],
        "id" | "oid" if primitive == "id" => &["CANARY-id", "a", "1", "x-2.3"],
        "uri" | "url" | "canonical" => {
            &["http://own.example/CANARY", "urn:uuid:0c0c0c0c-0000-4000-8000-00000000000a", "urn:oid:2.999.1"]
        }
        "oid" => &["urn:oid:2.999.1"],
        "uuid" => &["urn:uuid:0c0c0c0c-0000-4000-8000-00000000000a"],
        "base64Binary" => &["Q0FOQVJZ", "QUJD"],
        "date" => &["1980-05-06", "1931-01-31", "2024", "2024-02", "2019-12-31"],
        "dateTime" => &["2024", "2024-02", "2024-02-29", "2021-03-04T05:06:07Z", "2021-03-04T05:06:07.123-05:00"],
        "instant" => &["2021-03-04T05:06:07Z", "2021-03-04T05:06:07.123+01:00"],
        "time" => &["10:11:12", "23:59:59.5"],
        "xhtml" => &["<div xmlns=\\\"http://www.w3.org/1999/xhtml\\\">CANARY</div>"],
        _ => &[
            "CANARY text",
            "CANARY-12345678",
            "CANARY caf\\u00e9",
            "CANARY\\nline",
            "CANARY 日本語",
            "CANARY \\ud83d\\ude00",
            "x",
            "CANARY \\\"quoted\\\"",
        ],
    };
    let odd: &[&str] = match primitive {
        "code" => &["CANARY two words", "\\u0061ctive", "a\\tb"],
        "date" | "dateTime" | "instant" => &["CANARY", "20", "1980-13-45", "2999-01-01", "198\\u0030-01-01", ""],
        _ => &["", "CANARY\\/slash", " "],
    };
    let words = if !valid && numbers.chance(60) { odd } else { words };
    numbers.one_of(words).copied().unwrap_or_default().to_owned()
}

/// The raw text of a number.
pub(super) fn number(primitive: &str, valid: bool, numbers: &mut Numbers) -> String {
    let words: &[&str] = match primitive {
        "decimal" => &["1.50", "0.0", "12", "1e3", "2.5E-2", "98.60", "100"],
        "positiveInt" => &["1", "2", "42"],
        "unsignedInt" => &["0", "1", "7"],
        _ => &["0", "-3", "15"],
    };
    let words = if !valid && numbers.chance(100) {
        &["-0", "1E+400", "0.10", "-1.5e-3", "123456789012345678901234567890"]
    } else {
        words
    };
    numbers.one_of(words).copied().unwrap_or("1").to_owned()
}
