//! What attackers and careless senders have tried: each a case that once let something out, or took too long.

use crate::world::{World, as_slow, fast, projection_of, role_table, slow};
use scruple_fhir::Projector;
use std::fmt::Write as _;

const NURSE: (&str, &str) = ("nurse", "TREAT");
const PHYSICIAN: (&str, &str) = ("physician", "TREAT");
const BILLER: (&str, &str) = ("biller", "HPAYMT");

fn seen(role: (&str, &str), text: &str) -> Result<String, &'static str> {
    fast(&role_table(role.0, role.1), text.as_bytes())
}

#[track_caller]
fn withheld(role: (&str, &str), text: &str) {
    let seen = seen(role, text);
    assert!(seen.is_err(), "{} sees {seen:?}", role.0);
}

/// Shown to the role, without any of the words.
#[track_caller]
fn without(role: (&str, &str), text: &str, words: &[&str]) {
    let seen = seen(role, text).unwrap_or_default();
    for word in words {
        assert!(text.contains(word), "{word}");
        assert!(!seen.contains(word), "{} sees {word}: {seen}", role.0);
    }
}

fn condition(rest: &str) -> String {
    format!(r#"{{"resourceType":"Condition","id":"c","subject":{{"reference":"Patient/b"}},{rest}}}"#)
}

#[test]
fn a_security_label_is_read_whatever_way_its_slashes_are_written_and_closes_where_it_cannot_be_read() {
    let labels = [
        r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"42CFRPart2"}"#,
        r#"{"system":"http:\/\/terminology.hl7.org\/CodeSystem\/v3-ActCode","code":"42CFRPart2"}"#,
        r#"{"system":"http://hl7.org/fhir/v3/ActCode","code":"42CFRPart2"}"#,
        r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"\u0034\u0032CFRPart2"}"#,
        r#"{"code":"42CFRPart2"}"#,
        r#"{"display":"42 CFR Part 2"}"#,
    ];
    for label in labels {
        withheld(PHYSICIAN, &condition(&format!(r#""meta":{{"security":[{label}]}}"#)));
    }
    assert!(seen(PHYSICIAN, &condition(r#""meta":{"versionId":"1"}"#)).is_ok());
}

#[test]
fn psychotherapy_notes_stay_closed_however_their_label_is_written() {
    for label in [
        r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"PSYTHPN"}]}"#,
        r#"{"coding":[{"system":"http:\/\/terminology.hl7.org\/CodeSystem\/v3-ActCode","code":"PSYTHPN"}]}"#,
        r#"{"coding":[{"system":"http://hl7.org/fhir/v3/ActCode","code":"PSYTHPN"}]}"#,
        r#"{"text":"psychotherapy notes, kept apart"}"#,
    ] {
        let note = format!(
            r#"{{"resourceType":"DocumentReference","status":"current","securityLabel":[{label}],"content":[{{"attachment":{{"contentType":"text/plain"}}}}]}}"#
        );
        for role in [PHYSICIAN, NURSE, ("individual", "PATRQT")] {
            if crate::world::PACK.roles.contains_key(role.0) {
                withheld(role, &note);
            }
        }
    }
}

#[test]
fn a_key_with_an_escape_and_a_label_with_two_codes_are_malformed() {
    let label = r#""security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"42CFRPart2"}]"#;
    let twice = r#""security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N","code":"42CFRPart2"}]"#;
    for rest in [
        format!(r#""\u006deta":{{{label}}}"#),
        format!(r#""meta":{{{twice}}}"#),
        r#""code":{"c\u006fding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"Z14.1"}]}"#.to_owned(),
    ] {
        assert_eq!(seen(NURSE, &condition(&rest)), Err("malformed"), "{rest}");
    }
}

#[test]
fn another_spelling_of_a_code_is_no_known_code() {
    let code = |system: &str, code: &str| {
        condition(&format!(r#""code":{{"coding":[{{"system":"{system}","code":"{code}"}}]}}"#))
    };
    for (system, value) in [
        ("http://hl7.org/fhir/sid/icd-10-cm", "b20"),
        ("http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "g0432"),
        ("http://www.nlm.nih.gov/research/umls/rxnorm", "01102270"),
        ("http://loinc.org", "020447-9"),
        ("http://hl7.org/fhir/sid/cvx", "062"),
        ("http://terminology.hl7.org/CodeSystem/icd-10-cm", "B20"),
        ("http://terminology.hl7.org/CodeSystem/v3-ActCode|9.0.0", "HIV"),
        ("http://www.whocc.no/atc", "J05AR18"),
    ] {
        assert_eq!(seen(("social_worker", "TREAT"), &code(system, value)), Err("unclassified"), "{system} {value}");
    }
    assert!(seen(("social_worker", "TREAT"), &code("http://hl7.org/fhir/sid/icd-10-cm", "I10")).is_ok());
}

#[test]
fn a_source_is_recognised_in_every_form_of_its_reference() {
    let sources = crate::world::PACK.annotation.reference_sources.keys();
    for target in sources.filter(|target| target.starts_with("Organization/")) {
        for literal in [
            target.clone(),
            format!("{target}/_history/2"),
            format!("https://ehr.example/fhir/{target}"),
            target.replace('/', r"\/"),
        ] {
            let visit = format!(
                r#"{{"resourceType":"Encounter","status":"finished","class":{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"}},"serviceProvider":{{"reference":"{literal}"}}}}"#
            );
            withheld(NURSE, &visit);
        }
    }
}

#[test]
fn a_logical_reference_of_unknown_type_is_judged_by_all_that_it_may_be() {
    let visit = |subject: &str| {
        format!(
            r#"{{"resourceType":"Encounter","status":"finished","class":{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"}},"subject":{subject}}}"#
        )
    };
    let number = r#""identifier":{"system":"http://hl7.org/fhir/sid/us-ssn","value":"123-45-6789"}"#;
    without(BILLER, &visit(&format!("{{{number}}}")), &["123-45-6789"]);
    let posing = visit(&format!(r#"{{"type":"Practitioner","display":"Ana Ruiz",{number}}}"#));
    without(BILLER, &posing, &["123-45-6789", "Ana Ruiz"]);
}

#[test]
fn a_national_number_that_is_also_called_a_record_number_stays_national() {
    let text = r#"{"resourceType":"Patient","active":true,"identifier":[{"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR"},{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"SS"}]},"value":"123-45-6789"}]}"#;
    without(BILLER, text, &["123-45-6789"]);
    without(("front_desk", "PATADMIN"), text, &["123-45-6789"]);
}

#[test]
fn words_do_not_leave_in_the_place_of_dates_codes_ids_and_profiles() {
    let text = r#"{"resourceType":"Condition","id":"Ana Ruiz","language":"told in tears","meta":{"profile":["http://hl7.org/fhir/ Ana Ruiz"]},
        "onsetDateTime":"2010, after he told me","code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"I10","version":"pt said so"}]},
        "subject":{"reference":"Patient/b/_history/he said","type":"his wife"}}"#;
    let words = ["Ana Ruiz", "told in tears", "after he told me", "pt said so", "he said", "his wife"];
    without(BILLER, text, &words);
    without(("quality_analyst", "HQUALIMP"), text, &words);
    let vitals = r#"{"resourceType":"Observation","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],
        "code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"valueQuantity":{"value":1,"unit":"she is drunk","system":"http://unitsofmeasure.org","code":"1"},"referenceRange":[{"text":"lower since pregnant"}]}"#;
    without(("researcher", "HRESCH"), vitals, &["she is drunk", "lower since pregnant"]);
}

#[test]
fn what_stands_beside_a_hidden_target_goes_with_it() {
    // Targets whose id ends with an odd character do not show.
    let list = |id: &str| {
        format!(
            r#"{{"resourceType":"Encounter","status":"finished","class":{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"}},"diagnosis":[{{"rank":7,"condition":{{"reference":"Condition/{id}"}}}}]}}"#
        )
    };
    assert!(seen(("social_worker", "TREAT"), &list("b")).unwrap().contains("rank"));
    without(("social_worker", "TREAT"), &list("a"), &["rank"]);
}

/// Nested, or many, in shapes that once took seconds for some kilobytes. Ends: that is the test.
#[test]
fn nesting_takes_no_time_that_grows_with_its_power() {
    let nest = |levels: usize, open: &str, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(levels), close.repeat(levels))
    };
    let contained = nest(
        28,
        r#"{"resourceType":"Observation","status":"final","contained":["#,
        r#"{"resourceType":"Observation","status":"final"}"#,
        r#"],"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}]}"#,
    );
    let bundles = nest(
        20,
        r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":"#,
        r#"{"resourceType":"Patient"}"#,
        r#"}],"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}]}}"#,
    );
    let aligned = format!(
        r#"{{"resourceType":"Patient","name":[{}]}}"#,
        nest(
            14,
            r#"{"given":["a"],"_given":[null],"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueHumanName":"#,
            r#"{"family":"b"}"#,
            "}]}"
        )
    );
    let mut chain = String::from(
        r##"{"resourceType":"Patient","link":[{"type":"refer","other":{"reference":"#p0"}}],"contained":["##,
    );
    for at in 0..2_000 {
        let comma = if at > 0 { "," } else { "" };
        write!(
            chain,
            r##"{comma}{{"resourceType":"Patient","id":"p{at}","link":[{{"type":"refer","other":{{"reference":"#p{}"}}}}]}}"##,
            at + 1
        )
        .unwrap();
    }
    chain += "]}";
    for role in [NURSE, PHYSICIAN, ("researcher", "HRESCH")] {
        for text in [&contained, &bundles, &aligned, &chain] {
            let _ = seen(role, text);
        }
    }
}

#[test]
fn plans_are_kept_by_what_labels_do_and_not_for_each_set_of_labels() {
    let projection = projection_of(&role_table("researcher", "HRESCH"));
    let codes = ["HIV", "PSY", "SDV", "SEX", "STD", "VIP", "GDIS", "ETH", "BH", "42CFRPart2"];
    for set in 0..1_usize << codes.len() {
        let chosen = codes.iter().enumerate().filter(|(bit, _)| set & 1 << bit != 0).map(|(_, code)| {
            format!(r#"{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"{code}"}}"#)
        });
        let label = chosen.collect::<Vec<_>>().join(",");
        let meta = if label.is_empty() { String::new() } else { format!(r#""meta":{{"security":[{label}]}},"#) };
        let text = format!(r#"{{"resourceType":"Observation",{meta}"status":"final"}}"#);
        let _ = crate::world::fast_with(&projection, text.as_bytes());
    }
    assert!(projection.plans() < 16, "{}", projection.plans());
}

#[test]
fn what_a_contained_resource_refers_to_shows_beside_one_nested_in_it() {
    let claim = r##"{"resourceType":"Claim","id":"c","status":"active","use":"claim",
        "type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/claim-type","code":"professional"}]},
        "patient":{"reference":"Patient/b"},"created":"2026-01-02",
        "contained":[
            {"resourceType":"PractitionerRole","id":"role","practitioner":{"reference":"#who"},
             "contained":[{"resourceType":"Organization","id":"nested","name":"NESTED"}]},
            {"resourceType":"Practitioner","id":"who","name":[{"family":"Osei"}]}],
        "provider":{"reference":"#role"},
        "priority":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/processpriority","code":"normal"}]},
        "insurance":[{"sequence":1,"focal":true,"coverage":{"reference":"Coverage/b"}}]}"##;
    let table = role_table(BILLER.0, BILLER.1);
    let shown = fast(&table, claim.as_bytes()).unwrap();
    assert!(shown.contains("Osei") && shown.contains("#who") && !shown.contains("NESTED"), "{shown}");
    assert_eq!(Ok(shown), slow(&as_slow(&table), claim.as_bytes()));
}

#[test]
fn elements_are_counted_once_however_often_a_resource_is_looked_at() {
    let coded = |code: &str| {
        format!(
            r#"{{"resourceType":"Observation","id":"o","status":"final",
            "category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"{code}"}}]}}],
            "code":{{"coding":[{{"system":"http://loinc.org","code":"718-7"}}]}},"subject":{{"reference":"Patient/b"}},
            "valueQuantity":{{"value":1}}}}"#
        )
    };
    let report = |code: &str| {
        format!(
            r##"{{"resourceType":"DiagnosticReport","id":"r","status":"final","contained":[{}],
            "code":{{"coding":[{{"system":"http://loinc.org","code":"58410-2"}}]}},
            "category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v2-0074","code":"LAB"}}]}}],
            "subject":{{"reference":"Patient/b"}},"result":[{{"reference":"#o"}}]}}"##,
            coded(code)
        )
    };
    let projection = projection_of(&role_table("coder", "HPAYMT"));
    let counted = |texts: &[String]| {
        let mut projector = Projector::new(&projection, &World);
        texts.iter().for_each(|text| drop(projector.project(text.as_bytes(), &mut Vec::new())));
        (0..64).map(|category| projector.counts.of(category)).collect::<Vec<_>>()
    };
    for make in [&coded as &dyn Fn(&str) -> String, &report] {
        // The class of the last one is the first guess for the next one.
        let (one, other) = (make("laboratory"), make("vital-signs"));
        let alone = counted(std::slice::from_ref(&one));
        let twice: Vec<_> = alone.iter().map(|counts| counts.map(|count| count * 2)).collect();
        let last = counted(&[one.clone(), other.clone(), one.clone()]);
        let rest: Vec<_> =
            counted(&[other]).iter().zip(&twice).map(|(a, b)| [a[0] + b[0], a[1] + b[1], a[2] + b[2]]).collect();
        assert!(alone.iter().flatten().sum::<u64>() > 0);
        assert_eq!(last, rest);
    }
}
