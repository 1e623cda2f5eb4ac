//! Labels and class.

use super::{Limit, Withheld, sees};

/// An Encounter whose `reasonCode` is labelled and whose `type` is not.
fn encounter(reason: &str) -> String {
    format!(r#"{{"resourceType":"Encounter","status":"finished","class":{{"code":"AMB"}},{reason}}}"#)
}

/// The reason for which an Encounter with this element does not show to one who holds no segment.
fn reason(element: &str) -> Option<Withheld> {
    sees("admin problems").limit("hiv part2 vip", Limit::None).project(&encounter(element)).err()
}

#[test]
fn codings_below_labelled_elements_put_segments_on() {
    for (element, expected) in [
        (r#""reasonCode":[{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"I10"}]}]"#, None),
        (
            r#""reasonCode":[{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"B20"}]}]"#,
            Some(Withheld::Label),
        ),
        (r#""reasonCode":[{"coding":[{"system":"http://snomed.info/sct","code":"86406008"}]}]"#, Some(Withheld::Label)),
        (r#""type":[{"coding":[{"system":"http://snomed.info/sct","code":"86406008"}]}]"#, None),
        (r#""reasonCode":[{"coding":[{"code":"I10"}]}]"#, Some(Withheld::Unclassified)),
        (r#""reasonCode":[{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm"}]}]"#, Some(Withheld::Unclassified)),
        (
            r#""reasonCode":[{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"\u004910"}]}]"#,
            Some(Withheld::Unclassified),
        ),
        (
            r#""reasonCode":[{"coding":[{"system":"http://snomed.info/sct","code":"856AAAA"}]}]"#,
            Some(Withheld::Unclassified),
        ),
        (r#""reasonCode":[{"coding":[{"system":"http://own.example","code":"x"}]}]"#, Some(Withheld::Unclassified)),
        (r#""type":[{"coding":[{"system":"http://own.example","code":"x"}]}]"#, None),
        (r#""reasonCode":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/anything","code":"x"}]}]"#, None),
        (r#""reasonCode":[{"text":"T"}]"#, Some(Withheld::Unclassified)),
        (r#""reasonCode":[{"text":"T","coding":[{"system":"http://snomed.info/sct","code":"38341003"}]}]"#, None),
        (r#""reasonCode":[{"id":"a"}]"#, None),
        (r#""diagnosis":[{"condition":{"reference":"Condition/1"},"use":{"text":"T"}}]"#, Some(Withheld::Unclassified)),
        (
            r#""reasonCode":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}]}]"#,
            Some(Withheld::Label),
        ),
        (
            r#""reasonCode":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"V"}]}]"#,
            Some(Withheld::Unclassified),
        ),
    ] {
        assert_eq!(reason(element), expected, "{element}");
    }
}

#[test]
fn security_labels_and_sources_put_segments_on() {
    for (element, expected) in [
        (
            r#""meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"CEL"}]}"#,
            Some(Withheld::Label),
        ),
        (
            r#""meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}]}"#,
            None,
        ),
        (
            r#""meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]}"#,
            Some(Withheld::Unclassified),
        ),
        (r#""meta":{"security":[{"display":"very secret"}]}"#, Some(Withheld::Unclassified)),
        (r#""meta":{"tag":[{"system":"http://own.example","code":"x"}]}"#, None),
        (r#""meta":{"source":"urn:oid:2.999.7"}"#, Some(Withheld::Label)),
        (r#""meta":{"source":"urn:oid:2.999.8"}"#, None),
        (r#""diagnosis":[{"condition":{"reference":"Organization/recovery"}}]"#, Some(Withheld::Label)),
        (r#""serviceProvider":{"reference":"Organization/recovery"}"#, None),
    ] {
        assert_eq!(reason(element), expected, "{element}");
    }
}

#[test]
fn extensions_are_labelled_by_their_category_or_their_place() {
    let coding = r#""valueCoding":{"system":"http://snomed.info/sct","code":"86406008"}"#;
    for (element, expected) in [
        (format!(r#""extension":[{{"url":"u",{coding}}}]"#), None),
        (format!(r#""reasonCode":[{{"extension":[{{"url":"u",{coding}}}]}}]"#), Some(Withheld::Label)),
        (
            format!(r#""reasonCode":[{{"extension":[{{"url":"u","extension":[{{"url":"v",{coding}}}]}}]}}]"#),
            Some(Withheld::Label),
        ),
        (
            format!(r#""reasonCode":[{{"extension":[{{"url":"https://scruple.example/ext/anywhere",{coding}}}]}}]"#),
            Some(Withheld::Label),
        ),
        (format!(r#""type":[{{"extension":[{{"url":"u",{coding}}}]}}]"#), None),
    ] {
        assert_eq!(reason(&element), expected, "{element}");
    }
    let patient = |url: &str| format!(r#"{{"resourceType":"Patient","extension":[{{"url":"{url}",{coding}}}]}}"#);
    let caller = sees("demographics").limit("hiv", Limit::None);
    caller.withholds(&patient("https://scruple.example/ext/finding"), Withheld::Label);
    caller.check(&patient("https://scruple.example/ext/unknown"), r#"{"resourceType":"Patient",META}"#);
    let condition =
        format!(r#"{{"resourceType":"Condition","subject":{{"display":"x"}},"extension":[{{"url":"u",{coding}}}]}}"#);
    sees("problems").limit("hiv", Limit::None).withholds(&condition, Withheld::Label);
}

#[test]
fn facts_are_found_in_what_does_not_show() {
    let hidden = r#"{"resourceType":"Condition","subject":{"display":"x"},"evidence":[{"code":[{"coding":[{"system":"http://snomed.info/sct","code":"86406008"}]}]}]}"#;
    let caller = sees("problems").limit("hiv", Limit::Coded);
    assert!(caller.project(hidden).is_ok());
    sees("problems").limit("hiv", Limit::None).withholds(hidden, Withheld::Label);
    let container = r##"{"resourceType":"Encounter","status":"finished","class":{"code":"AMB"},"contained":[
        {"resourceType":"Condition","id":"c","subject":{"display":"x"},"code":{"coding":[{"system":"http://snomed.info/sct","code":"86406008"}]}}]}"##;
    sees("admin").limit("hiv", Limit::None).withholds(container, Withheld::Label);
    let unknown_key = r#"{"resourceType":"Condition","subject":{"display":"x"},"shoe":{"coding":[{"system":"http://snomed.info/sct","code":"86406008"}]}}"#;
    assert!(sees("problems").limit("hiv", Limit::None).project(unknown_key).is_ok());
}

#[test]
fn the_class_is_chosen_by_codes() {
    let observation = |category: &str, code: &str| {
        format!(
            concat!(
                r#"{{"resourceType":"Observation","status":"final","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"{}"}}]}}],"#,
                r#""code":{{"coding":[{{"system":"http://loinc.org","code":"{}"}}]}}}}"#
            ),
            category, code
        )
    };
    let vitals = sees("vitals");
    let labs = sees("labs");
    let both = sees("vitals labs");
    assert!(vitals.project(&observation("vital-signs", "8480-6")).is_ok());
    labs.withholds(&observation("vital-signs", "8480-6"), Withheld::Policy);
    // Two lines match: the narrowest view.
    vitals.withholds(&observation("vital-signs", "718-7"), Withheld::Policy);
    assert!(both.project(&observation("vital-signs", "718-7")).is_ok());
    assert!(labs.project(&observation("exam", "718-7")).is_ok());
    // None matches and there is no default: the narrowest of all.
    vitals.withholds(&observation("exam", "8480-6"), Withheld::Policy);
    assert!(both.project(&observation("exam", "8480-6")).is_ok());
    // Two masks are none.
    sees("")
        .masked("coded", "vitals")
        .masked("shape", "labs")
        .withholds(&observation("exam", "8480-6"), Withheld::Policy);
}

#[test]
fn unclassified_opens_to_those_who_hold_every_segment_with_a_file() {
    let input = encounter(r#""reasonCode":[{"text":"T"}]"#);
    let caller = sees("admin problems");
    assert!(caller.project(&input).is_ok());
    // `vip` and `part2` have no file in segments/.
    assert!(caller.clone().limit("vip part2", Limit::None).project(&input).is_ok());
    caller.limit("hiv", Limit::Coded).withholds(&input, Withheld::Unclassified);
}
