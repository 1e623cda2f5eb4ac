//! The pack as it is printed.

use crate::{PACK, changed};
use scruple_core::{ConditionMask, SegmentLimit};
use scruple_policy::{Cedar, PackFiles, Show, conditions_of, purpose_coded, purpose_words, read};
use std::sync::Arc;

fn show<'a>(only: &[&str]) -> Show<'a> {
    Show::new(&PACK, only).unwrap()
}

/// The hash is the pack's, not the page's.
fn without_hash(text: String) -> String {
    let hash = PACK.hash.to_string();
    text.replace(&hash[..12], "HASH")
}

#[test]
fn roles_as_text() {
    insta::assert_snapshot!("front_desk_text", without_hash(show(&["front_desk"]).text(100)));
}

#[test]
fn roles_as_markdown() {
    insta::assert_snapshot!("biller_markdown", without_hash(show(&["biller"]).markdown()));
}

#[test]
fn text_fits_the_terminal() {
    for width in [80, 100, 140] {
        let text = show(&[]).text(width);
        let long: Vec<&str> = text.lines().filter(|line| line.chars().count() > width).collect();
        assert!(long.is_empty(), "{width}: {long:?}");
    }
    assert!(show(&[]).text(10).len() > 1_000, "a width that nothing fits still prints");
}

#[test]
fn json_has_what_the_rule_asks_for() {
    let json = show(&[]).json();
    let roles = json["roles"].as_array().unwrap();
    assert_eq!(roles.len(), PACK.roles.len());
    assert_eq!(json["hash"], PACK.hash.to_string());
    for role in roles {
        for key in ["role", "label", "relationship", "defence", "purposes", "tasks", "permits", "segments"] {
            assert!(!role[key].is_null() && role[key] != "", "{} {key}", role["role"]);
        }
        for permit in role["permits"].as_array().unwrap() {
            assert!(
                !permit["tasks"].as_array().unwrap().is_empty() && !permit["categories"].as_array().unwrap().is_empty()
            );
        }
        let segments =
            role["segments"].as_array().unwrap().iter().map(|line| line["segments"].as_array().unwrap().len());
        assert_eq!(segments.sum::<usize>(), PACK.segments.len(), "{}", role["role"]);
    }
}

#[test]
fn roles_by_categories() {
    let matrix = show(&["front_desk", "biller", "denials_specialist", "physician", "manager"]).matrix();
    insta::assert_snapshot!("matrix_text", matrix.text(100));
    let all = show(&[]).matrix();
    assert_eq!((all.rows.len(), all.roles.len()), (44, 32));
    assert!(all.text(100).lines().all(|line| line.chars().count() <= 100));
    assert_eq!(all.markdown().lines().count(), 46);
    let row = matrix.rows.iter().find(|row| row.category == "documents").unwrap();
    assert_eq!((row.cells[2].view.as_str(), row.cells[2].wider[0].view.as_str()), ("masked:header", "full"));
    assert_eq!(row.cells[2].wider[0].conditions, ["payer_request"]);
}

#[test]
fn an_unknown_role_is_named() {
    assert_eq!(Show::new(&PACK, &["bilker"]).err().unwrap().to_string(), "the pack has no role `bilker`");
}

#[test]
fn cedar_is_readable() {
    let cedar = Cedar::compile(Arc::clone(&PACK)).unwrap();
    insta::assert_snapshot!("biller_cedar", cedar.text(Some("biller")));
    insta::assert_snapshot!("schema", cedar.schema());
}

/// Words of a pack cannot become rules of Cedar.
#[test]
fn words_stay_words() {
    let label = "post \\\"); permit (principal, action, resource); //";
    let files = changed("roles/biller.toml", "payments = \"post payments\"", &format!("payments = \"{label}\""));
    let files = {
        let mut files = files;
        let conditions = files.0.get_mut("conditions.csv").unwrap();
        *conditions = conditions
            .replace("referred,the referral in hand names this matter", "referred,the referral // }; entity Evil;");
        files
    };
    let pack = Arc::new(read(&files).unwrap_or_else(|problems| panic!("{problems:?}")));
    let cedar = Cedar::compile(pack).unwrap();
    let policies: cedar_policy::PolicySet = cedar.text(None).parse().unwrap();
    assert_eq!(policies.policies().count(), cedar.policies().len());
    assert!(cedar.validate().is_empty());
}

/// What is not listed would stand on pages as a code that nobody understands.
#[test]
fn every_purpose_of_the_shipped_pack_has_words() {
    for purpose in &PACK.purposes {
        assert_ne!(purpose_words(&purpose.code), purpose.code, "no words");
    }
    assert_eq!(purpose_coded("PUBHLTH"), "public health (PUBHLTH)");
    assert_eq!(purpose_coded("XPURPOSE"), "XPURPOSE");
}

/// RB-17: every condition of a role is said to whoever holds it, and what is changed is said otherwise.
#[test]
fn the_conditions_of_a_role_are_said_whole() {
    for role in PACK.roles.values() {
        let said = conditions_of(&PACK, role).join("\n");
        for purpose in role.purposes() {
            assert!(said.contains(purpose), "{}: {purpose}\n{said}", role.name);
        }
        let words = role.segments.iter().filter(|word| word.limit != SegmentLimit::None);
        let asked = words.filter_map(|word| word.condition).fold(role.conditions(), ConditionMask::with);
        for name in PACK.condition_names(asked) {
            let condition = PACK.conditions.iter().find(|condition| condition.name == name).unwrap();
            let label = if name == "relationship" { &role.relationship } else { &condition.label };
            assert!(said.contains(label.as_str()), "{}: {name}\n{said}", role.name);
        }
        assert_eq!(said.contains("In an emergency"), role.emergency_access, "{}", role.name);
    }
    let nurse = |files: &PackFiles| {
        let pack = read(files).unwrap_or_else(|problems| panic!("{problems:?}"));
        conditions_of(&pack, &pack.roles["nurse"])
    };
    insta::assert_snapshot!(nurse(&PackFiles::embedded()).join("\n"), @"
    For these purposes alone: treatment (TREAT), coordination of care (COC), emergency treatment (ETREAT), emergency access (BTG).
    Only while there is a relationship (unit assignment or encounter; ends 72 h after transfer or discharge).
    Only while written Part 2 consent names the caller or a class that he belongs to (42 CFR 2.31(a)(4)), or a 2.51 emergency is recorded (so far in an emergency that you confirm a second time, else never): substance-use programme records (42 CFR Part 2).
    Only while a grant for this segment is in force for the caller, with its end (so far in an emergency that you confirm a second time, else never): genetic information.
    Only while the agreed restriction leaves this caller in, or emergency treatment opens it (164.522(a)(1)(iii)) (so far in an emergency that you confirm a second time, else never): agreed restriction.
    In an emergency you may open the chart of another patient, for four hours; each is reviewed.
    The policy names no other condition: none on the hour, the place or the device but what stands here.
    ");
    let relationship = "unit assignment or encounter; ends 72 h after transfer or discharge";
    let other = nurse(&changed("roles/nurse.toml", relationship, "the unit of the day"));
    assert!(other.iter().any(|line| line == "Only while there is a relationship (the unit of the day)."), "{other:?}");
    assert!(!other.iter().any(|line| line.contains(relationship)), "{other:?}");
}
