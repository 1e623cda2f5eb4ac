//! Explanations by element.

use crate::{PACK, question};
use scruple_fhir::dictionary;
use scruple_policy::{ElementRow, TypeExplanation, explain_type};
use std::fmt::Write as _;

fn explained(role: &str, purpose: &str, conditions: &[&str], type_name: &str) -> Vec<TypeExplanation> {
    explain_type(&PACK, &question(&PACK, role, purpose, conditions), type_name).unwrap()
}

fn row<'a>(explained: &'a [TypeExplanation], path: &str) -> &'a ElementRow {
    explained[0].rows.iter().find(|row| row.path == path).unwrap_or_else(|| panic!("no {path}"))
}

fn printed(explained: &[TypeExplanation]) -> String {
    let mut out = String::new();
    for of in explained {
        let class = of.class.as_deref().unwrap_or("-");
        let _ = writeln!(
            out,
            "{} class {class} shows {} passes {} {}",
            of.type_name,
            of.shows,
            of.passes,
            of.because.as_deref().unwrap_or("")
        );
        for row in &of.rows {
            let rule = row.rule.as_ref().map_or_else(String::new, |rule| format!(" [{}]", rule.place));
            let function = row.function.map_or_else(String::new, |function| format!(" {function}"));
            let missing =
                if row.missing.is_empty() { String::new() } else { format!(" lacks {}", row.missing.join(", ")) };
            let because = row.because.as_ref().map_or_else(String::new, |because| format!(" ({because})"));
            let _ = writeln!(out, "  {} {} {}{function}{rule}{missing}{because}", row.path, row.category, row.view);
        }
    }
    out
}

#[test]
fn a_biller_and_a_patient() {
    insta::assert_snapshot!("biller_patient", printed(&explained("biller", "HPAYMT", &["relationship"], "Patient")));
}

#[test]
fn a_front_desk_and_an_encounter() {
    insta::assert_snapshot!(
        "front_desk_encounter",
        printed(&explained("front_desk", "PATADMIN", &["relationship"], "Encounter"))
    );
}

#[test]
fn a_researcher_and_an_observation() {
    insta::assert_snapshot!(
        "researcher_observation",
        printed(&explained("researcher", "HRESCH", &["relationship"], "Observation"))
    );
}

/// RB-15: no document, no note, no prose, element by element.
#[test]
fn a_biller_sees_codes_and_no_prose() {
    for hidden in ["DocumentReference", "Composition", "Communication", "QuestionnaireResponse", "Binary"] {
        assert!(explained("biller", "HPAYMT", &["relationship"], hidden).iter().all(|of| !of.shows), "{hidden}");
    }
    let condition = explained("biller", "HPAYMT", &["relationship"], "Condition");
    assert_eq!(row(&condition, "Condition.code").view, "masked:coded");
    assert_eq!(row(&condition, "Condition.code").rule.as_ref().unwrap().place, "roles/biller.toml:49");
    assert_eq!(row(&condition, "Condition.note").view, "none");
    for id in dictionary().resources() {
        for of in explained("biller", "HPAYMT", &["relationship"], dictionary().get(*id).name) {
            for row in of.rows.iter().filter(|row| row.category == "free_text" || row.category == "documents") {
                assert_eq!(row.view, "none", "{}", row.path);
            }
        }
    }
}

/// RB-03.
#[test]
fn what_is_missing_is_named() {
    let before = explained("denials_specialist", "CLMATTCH", &["relationship"], "Procedure");
    let code = row(&before, "Procedure.code");
    assert_eq!((code.view.as_str(), code.missing.as_slice()), ("masked:coded", &["payer_request".to_owned()][..]));
    let after = explained("denials_specialist", "CLMATTCH", &["relationship", "payer_request"], "Procedure");
    let code = row(&after, "Procedure.code");
    assert_eq!((code.view.as_str(), code.missing.len()), ("full", 0));
    assert_eq!(code.rule.as_ref().unwrap().tasks.len(), 2);
    let nobody = explained("biller", "HPAYMT", &[], "Coverage");
    assert!(!nobody[0].shows);
    assert_eq!(nobody[0].because.as_deref(), Some("the type's home `coverage` is none"));
    assert_eq!(row(&nobody, "Coverage.status").missing, ["relationship"]);
}

#[test]
fn a_treating_role_passes_what_is_full() {
    let condition = explained("physician", "TREAT", &["relationship"], "Condition");
    assert!(condition[0].passes && condition[0].rows.iter().all(|row| row.view == "full"));
}

/// Every element of every type is explained under every role, and what shows has a rule or is structure.
#[test]
fn every_element_has_an_explanation() {
    for role in ["physician", "biller", "front_desk", "quality_analyst", "it_support", "individual"] {
        let purpose = PACK.roles[role].purpose.clone();
        for id in dictionary().resources() {
            let object = dictionary().get(*id);
            for of in explained(role, &purpose, &["relationship"], object.name) {
                for row in of.rows.iter().filter(|row| row.view != "none") {
                    assert!(row.rule.is_some() || row.category == "structure" || of.passes, "{role} {}", row.path);
                    assert!(of.shows, "{role} {}", row.path);
                }
                let general =
                    ["id", "meta", "implicitRules", "language", "text", "contained", "extension", "modifierExtension"];
                for element in object.elements.iter().filter(|element| !general.contains(&element.name)) {
                    let path = format!("{}.{}", object.name, element.name.trim_end_matches("[x]"));
                    assert!(of.rows.iter().any(|row| row.path.starts_with(&path)), "{role} {path}");
                }
            }
        }
    }
}

#[test]
fn what_cannot_be_asked_is_refused() {
    let pack = &PACK;
    let error = explain_type(pack, &question(pack, "biller", "HPAYMT", &[]), "Pateint").unwrap_err();
    assert_eq!(error.to_string(), "FHIR R4 has no resource type `Pateint`");
    let error = explain_type(pack, &question(pack, "biller", "TREAT", &[]), "Patient").unwrap_err();
    assert_eq!(error.to_string(), "role `biller` does not act for purpose `TREAT`; it acts for HPAYMT, REMITADV");
}
