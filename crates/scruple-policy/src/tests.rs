//! Tests that need what is private: the proof against policies that are not the pack's own, and Cedar's errors.

use crate::cedar::{Action, Cedar};
use crate::model::Pack;
use crate::prove::{ProofError, equal};
use crate::words::Words;
use crate::*;
use cedar_policy::PolicySet;
use scruple_core::{CategoryId, ConditionMask, SegmentLimit, View};
use std::sync::Arc;

fn shipped() -> Pack {
    read(&PackFiles::embedded()).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// The shipped pack and its policies; then the pack alone is changed.
fn differences(change: impl FnOnce(&mut Pack)) -> Vec<Difference> {
    let cedar = Cedar::compile(Arc::new(shipped())).unwrap();
    let mut pack = shipped();
    change(&mut pack);
    match equal(&Arc::new(pack), &cedar) {
        Err(ProofError::Differ(differences)) => differences,
        other => panic!("{other:?}"),
    }
}

fn first(differences: &[Difference]) -> (&str, &str, &str, &str) {
    let first = &differences[0];
    (&first.question.role, &first.of, &first.native, &first.cedar)
}

#[test]
fn the_shipped_pack_reads_without_a_problem() {
    let pack = shipped();
    assert_eq!(pack.categories.len(), 44);
    assert_eq!(pack.segments.len(), 19);
    assert_eq!(pack.roles.values().filter(|role| !role.is_profile).count(), 30);
    assert_eq!(pack.purposes.len(), 35);
}

#[test]
fn the_proof_finds_a_wider_view() {
    let labs = shipped().category("labs").unwrap();
    let found = differences(|pack| {
        let biller = pack.roles.get_mut("biller").unwrap();
        biller.permits[0].categories.push(labs);
    });
    assert_eq!(first(&found), ("biller", "labs", "full", "none"));
    assert!(found.iter().all(|difference| difference.of == "labs" && difference.question.role == "biller"));
}

#[test]
fn the_proof_finds_a_condition_that_one_side_forgets() {
    let found = differences(|pack| {
        let roi = pack.roles.get_mut("roi_clerk").unwrap();
        let relationship = ConditionMask(1);
        let twice = |permit: &&mut Permit| permit.when.0.count_ones() == 2;
        roi.permits.iter_mut().filter(twice).for_each(|permit| permit.when = relationship);
    });
    assert_eq!(found[0].question.role, "roi_clerk");
    assert!(found.iter().all(|difference| !difference.conditions.contains(&"case_approved".to_owned())));
}

#[test]
fn the_proof_finds_a_purpose_and_a_mask() {
    let found = differences(|pack| {
        let manager = pack.roles.get_mut("care_manager").unwrap();
        manager.permits.iter_mut().for_each(|permit| permit.purposes = vec!["COVAUTH".to_owned()]);
    });
    assert!(found.iter().any(|difference| difference.question.purpose == "COC" && difference.native == "none"));
    let found = differences(|pack| {
        let desk = pack.roles.get_mut("front_desk").unwrap();
        let mask = desk.permits.iter().find_map(|permit| matches!(permit.view, View::Masked(_)).then_some(permit.view));
        desk.permits.iter_mut().filter(|permit| matches!(permit.view, View::Masked(_))).for_each(|permit| {
            permit.view = mask.unwrap();
        });
    });
    assert!(
        found
            .iter()
            .any(|difference| (difference.of.as_str(), difference.cedar.as_str()) == ("balance", "masked:total"))
    );
}

#[test]
fn the_proof_finds_a_segment() {
    let found = differences(|pack| {
        let biller = pack.roles.get_mut("biller").unwrap();
        biller.segments.iter_mut().for_each(|word| word.limit = SegmentLimit::Follow);
    });
    assert!(found.iter().any(|difference| {
        (difference.of.as_str(), difference.native.as_str(), difference.cedar.as_str())
            == ("segment hiv", "follow", "coded")
    }));
    let found = differences(|pack| {
        let nurse = pack.roles.get_mut("nurse").unwrap();
        nurse.segments.iter_mut().for_each(|word| word.condition = None);
    });
    assert!(found.iter().any(|difference| {
        difference.of == "segment part2" && !difference.conditions.contains(&"part2_consent".to_owned())
    }));
}

#[test]
fn a_slice_of_the_policies_answers_like_all_of_them() {
    let pack = Arc::new(shipped());
    let cedar = Cedar::compile(Arc::clone(&pack)).unwrap();
    let all: PolicySet = cedar.text(None).parse().unwrap();
    assert_eq!(all.policies().count(), cedar.policies().len());
    let conditions = ConditionMask(0b1);
    for role in pack.roles.values() {
        let question = Question { role: role.name.clone(), purpose: role.purpose.clone(), conditions };
        let asker = cedar.words().asker(&question).unwrap();
        for index in (0..pack.categories.len()).step_by(3) {
            let category = CategoryId(u8::try_from(index).unwrap());
            let resource = cedar.words().category(category);
            let full = cedar.words().ask(&asker, Action::Full, resource, &all).allowed;
            assert_eq!(
                full,
                cedar.ask(&question, category) == View::Full,
                "{} {}",
                role.name,
                pack.category_name(category)
            );
        }
    }
}

#[test]
fn an_error_of_cedar_is_a_deny() {
    let pack = shipped();
    let words = Words::of(&pack).unwrap();
    let question =
        Question { role: "nurse".to_owned(), purpose: "TREAT".to_owned(), conditions: ConditionMask(u64::MAX) };
    let asker = words.asker(&question).unwrap();
    let ask = |text: &str| {
        words.ask(&asker, Action::Full, words.category(CategoryId(0)), &text.parse::<PolicySet>().unwrap())
    };
    let open = "permit (principal, action, resource);";
    assert!(ask(open).allowed);
    // Cedar skips a `forbid` that errs, and allows.
    let answer = ask(&format!("{open} forbid (principal, action, resource) when {{ context.no_such_fact }};"));
    assert_eq!((answer.allowed, answer.reason.as_deref()), (false, Some("policy1")));
}

#[test]
fn every_policy_is_valid_under_the_schema() {
    assert_eq!(Cedar::compile(Arc::new(shipped())).unwrap().validate(), Vec::<String>::new());
}
