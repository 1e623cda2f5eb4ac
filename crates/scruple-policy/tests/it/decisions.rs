//! What must hold of every decision, and of the roles that ship.

use crate::{ACTIVE, PACK, categories, conditions, question, view};
use proptest::prelude::*;
use scruple_core::{CategoryId, ConditionMask, ENGINE_VERSION, SegmentId, SegmentLimit, View};
use scruple_policy::{Cedar, Question, Refusal, Role, UNCONFIRMED_OUTSIDE, admit, explain, table};
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

static CEDAR: LazyLock<Cedar> = LazyLock::new(|| Cedar::compile(Arc::clone(&PACK)).unwrap());

/// What a role sees under some set of conditions, for its main purpose.
fn seen(role: &str, names: &[&str]) -> BTreeSet<(CategoryId, String)> {
    let pack = &PACK;
    let purpose = &pack.roles[role].purpose;
    let table = table(pack, &question(pack, role, purpose, names)).unwrap();
    categories(pack)
        .filter(|category| table.view(*category).shows())
        .map(|category| (category, pack.view_name(table.view(category))))
        .collect()
}

#[test]
fn a_proof_names_its_pack_and_its_engines() {
    let proof = &ACTIVE.proof;
    assert_eq!((proof.pack, proof.engine), (PACK.hash, ENGINE_VERSION));
    assert!(proof.cedar.starts_with("4."), "{}", proof.cedar);
    // Every role, with every category and segment for each of its purposes.
    let pack = &PACK;
    let purposes: usize = pack.roles.values().map(|role| role.purposes().len()).sum();
    assert!(proof.cells >= purposes * (pack.categories.len() + pack.segments.len()), "{proof:?}");
    let permits: usize = pack.roles.values().map(|role| role.permits.len()).sum();
    assert!(proof.policies > permits, "{proof:?}");
}

#[test]
fn the_decider_decides_as_the_table_and_remembers() {
    let question = question(&PACK, "biller", "HPAYMT", &["relationship"]);
    let decided = ACTIVE.decider.decide(&question).unwrap();
    assert_eq!(*decided, table(&PACK, &question).unwrap());
    assert!(Arc::ptr_eq(&decided, &ACTIVE.decider.decide(&question).unwrap()));
}

/// AB-09.
#[test]
fn a_purpose_that_is_missing_unknown_or_not_the_roles_is_refused() {
    let pack = &PACK;
    let ask = |role: &str, purpose: &str| admit(pack, &question(pack, role, purpose, &["relationship"])).map(|_| ());
    assert_eq!(ask("biller", ""), Err(Refusal::UnknownPurpose(String::new())));
    assert_eq!(ask("biller", "CURIOSITY"), Err(Refusal::UnknownPurpose("CURIOSITY".to_owned())));
    assert!(matches!(ask("biller", "TREAT"), Err(Refusal::PurposeNotAllowed { .. })));
    assert_eq!(ask("chief", "TREAT"), Err(Refusal::UnknownRole("chief".to_owned())));
    assert_eq!(ask("physician", "BTG"), Err(Refusal::NoElevation));
    assert_eq!(ask("physician", "ETREAT"), Ok(()));
    assert!(matches!(ask("pharmacist", "BTG"), Err(Refusal::PurposeNotAllowed { .. } | Refusal::NoElevation)));
    for role in pack.roles.values() {
        for purpose in pack.purposes.iter().filter(|purpose| !role.purposes().contains(&purpose.code.as_str())) {
            let all = ConditionMask(u64::MAX);
            let question = Question { role: role.name.clone(), purpose: purpose.code.clone(), conditions: all };
            assert!(table(pack, &question).is_err(), "{} {}", role.name, purpose.code);
            let first = CEDAR.ask(&question, CategoryId(0));
            assert_eq!(first, View::None, "{} {} by cedar", role.name, purpose.code);
        }
    }
}

/// AB-09: the same person, another purpose, other elements.
#[test]
fn the_purpose_changes_what_is_seen() {
    let pack = &PACK;
    let care = question(pack, "care_manager", "COC", &["relationship"]);
    let plan = question(pack, "care_manager", "COVAUTH", &["relationship"]);
    assert_eq!(view(pack, &care, "documents"), View::Full);
    assert_eq!(view(pack, &plan, "documents"), View::None);
    assert_eq!(pack.view_name(view(pack, &plan, "labs")), "masked:coded");
    assert_ne!(table(pack, &care).unwrap().views, table(pack, &plan).unwrap().views);
}

/// RB-03: each condition of each permit, taken away alone, narrows what the permit alone gives, and is named.
#[test]
fn conditions_flip_one_at_a_time_and_are_named() {
    let pack = &PACK;
    let mut flips = 0;
    for role in pack.roles.values() {
        for permit in &role.permits {
            let purpose = &permit.purposes[0];
            let ask = |conditions| Question { role: role.name.clone(), purpose: purpose.clone(), conditions };
            for condition in pack.condition_names(permit.when) {
                let bit = conditions(pack, &[condition]);
                let (with, without) = (ask(permit.when), ask(ConditionMask(permit.when.0 & !bit.0)));
                for category in &permit.categories {
                    let wide = table(pack, &with).unwrap().view(*category);
                    let narrow = table(pack, &without).unwrap().view(*category);
                    assert_eq!(wide, permit.view, "{}:{}", role.file, permit.line);
                    assert_ne!(narrow, wide, "{}:{} without {condition}", role.file, permit.line);
                    let (rule, missing) = explain(pack, role, &with, *category);
                    let rule = rule.unwrap();
                    assert_eq!(rule.place, format!("{}:{}", role.file, permit.line));
                    assert_eq!(rule.tasks.len(), permit.tasks.len());
                    assert!(!missing.contains(&condition.to_owned()));
                    let (rule, missing) = explain(pack, role, &without, *category);
                    assert_eq!(missing, [condition], "{}:{}", role.file, permit.line);
                    assert_eq!(rule.is_some(), narrow.shows());
                    flips += 1;
                }
            }
        }
    }
    assert!(flips > 700, "{flips}");
}

/// RB-14: depth differs between any two roles, and the front desk sees strictly less than the physician.
#[test]
fn no_two_roles_have_the_same_depth() {
    let pack = &PACK;
    let roles: Vec<&Role> = pack.roles.values().filter(|role| !role.is_profile).collect();
    for (index, one) in roles.iter().enumerate() {
        for other in roles.iter().skip(index + 1) {
            let same_segments =
                (0..pack.segments.len()).all(|index| one.segments[index].word == other.segments[index].word);
            let same = seen(&one.name, &["relationship"]) == seen(&other.name, &["relationship"]);
            assert!(!(same && same_segments), "{} and {}", one.name, other.name);
        }
    }
    let clinical = [
        "visit_reason",
        "encounter_admin",
        "safety_alerts",
        "allergies",
        "diagnoses",
        "medications",
        "immunizations",
        "procedures",
        "labs",
        "imaging",
        "vitals",
        "assessments",
        "social_history",
        "family_genetic",
        "orders",
        "care_plan",
        "devices",
        "documents",
        "free_text",
        "messages",
        "research",
    ];
    let views = |role: &str| -> Vec<View> {
        let question = question(pack, role, &pack.roles[role].purpose, &["relationship"]);
        clinical.iter().map(|category| view(pack, &question, category)).collect()
    };
    let (desk, physician) = (views("front_desk"), views("physician"));
    assert!(
        desk.iter().zip(&physician).all(|(desk, physician)| pack.covers(*physician, *desk) && *physician == View::Full)
    );
    assert!(desk.iter().filter(|view| view.shows()).count() <= 3, "{desk:?}");
    for role in ["front_desk", "biller", "roi_clerk", "manager", "it_support"] {
        assert_ne!(views(role), physician, "{role}");
    }
}

/// RB-12: administrators see no PHI category in full, whatever is taken as true but a field that is unmasked by ticket.
#[test]
fn administrative_roles_see_no_phi_in_full() {
    let pack = &PACK;
    let administrative: Vec<&Role> = pack.roles.values().filter(|role| role.administrative).collect();
    let names: Vec<&str> = administrative.iter().map(|role| role.name.as_str()).collect();
    assert_eq!(names, ["auditor", "it_support", "manager", "vendor_support"]);
    let unmasked = pack.conditions.iter().map(|one| one.name.as_str()).filter(|name| name.starts_with("unmask_"));
    let ticket = conditions(pack, &unmasked.collect::<Vec<_>>());
    for role in administrative {
        assert!(!role.emergency_access && !role.passes, "{}", role.name);
        for purpose in role.purposes() {
            let all = ConditionMask(!ticket.0);
            let question = Question { role: role.name.clone(), purpose: purpose.to_owned(), conditions: all };
            let table = table(pack, &question).unwrap();
            for (category, named) in categories(pack).zip(&pack.categories).filter(|(_, named)| named.phi) {
                assert_ne!(table.view(category), View::Full, "{} {purpose} {}", role.name, named.name);
            }
        }
    }
    assert_eq!(pack.categories.iter().filter(|category| !category.phi).count(), 1, "the directory");
}

/// RB-10: what no condition and no relationship opens is the directory alone.
#[test]
fn without_a_relationship_there_is_no_phi() {
    let pack = &PACK;
    for role in pack.roles.values() {
        for purpose in role.purposes() {
            let question = question(pack, &role.name, purpose, &["emergency_elevation"]);
            let table = table(pack, &question).unwrap();
            for (category, named) in categories(pack).zip(&pack.categories).filter(|(_, named)| named.phi) {
                assert_eq!(table.view(category), View::None, "{} {purpose} {}", role.name, named.name);
            }
            assert!(!table.passes_full_types, "{}", role.name);
        }
    }
}

fn questions() -> impl Strategy<Value = Question> {
    let pack = &PACK;
    let roles: Vec<String> = pack.roles.keys().cloned().chain(["nobody".to_owned(), String::new()]).collect();
    let purposes = pack.purposes.iter().map(|purpose| purpose.code.clone());
    let purposes: Vec<String> = purposes.chain(["NONE".to_owned(), String::new()]).collect();
    (prop::sample::select(roles), prop::sample::select(purposes), any::<u64>())
        .prop_map(|(role, purpose, conditions)| Question { role, purpose, conditions: ConditionMask(conditions) })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// RB-10: no rule, no view. A table is never wider than the union of the permits that apply, and Cedar agrees.
    #[test]
    fn tables_hold_what_permits_give_and_nothing_more(question in questions()) {
        let pack = &PACK;
        let decided = table(pack, &question);
        for category in categories(pack) {
            let own = decided.as_ref().map_or(View::None, |table| table.view(category));
            let gives = |permit: &&scruple_policy::Permit| {
                let role = &pack.roles[&question.role];
                permit.categories.contains(&category)
                    && question.conditions.covers(permit.when)
                    && permit.purposes.iter().any(|purpose| purpose == role.effective_purpose(&question.purpose))
            };
            let permits = pack.roles.get(&question.role).into_iter().flat_map(|role| &role.permits);
            let permits: Vec<_> = permits.filter(gives).collect();
            prop_assert!(own == View::None || permits.iter().any(|permit| permit.view == own));
            prop_assert!(decided.is_err() || permits.iter().all(|permit| pack.covers(own, permit.view)));
        }
        if let Ok(table) = &decided {
            for index in 0..pack.segments.len() {
                let segment = SegmentId(u8::try_from(index).unwrap());
                prop_assert_eq!(table.limit(segment), CEDAR.ask_segment(&question, segment));
            }
        }
        for category in categories(pack).step_by(7) {
            let own = decided.as_ref().map_or(View::None, |table| table.view(category));
            prop_assert_eq!(own, CEDAR.ask(&question, category));
        }
    }

    /// More conditions never narrow, but for the one that says so.
    #[test]
    fn a_condition_more_never_narrows(question in questions(), more in any::<u64>()) {
        let pack = &PACK;
        let more = more & !conditions(pack, &[UNCONFIRMED_OUTSIDE]).0;
        let wide = Question { conditions: ConditionMask(question.conditions.0 | more), ..question.clone() };
        if let (Ok(narrow), Ok(wide)) = (table(pack, &question), table(pack, &wide)) {
            for category in categories(pack) {
                prop_assert!(pack.covers(wide.view(category), narrow.view(category)));
            }
            prop_assert!(narrow.limits.iter().zip(&wide.limits).all(|(narrow, wide)| narrow <= wide));
        }
    }
}

/// The biller, RB-15, by category; the elements are in `explain`.
#[test]
fn the_biller_has_no_document_no_note_no_prose() {
    let pack = &PACK;
    for purpose in ["HPAYMT", "REMITADV"] {
        for held in ConditionMask(u64::MAX >> (64 - pack.conditions.len().min(6))).subsets() {
            let question = Question { role: "biller".to_owned(), purpose: purpose.to_owned(), conditions: held };
            for category in
                ["documents", "free_text", "messages", "psychotherapy_notes", "labs", "assessments", "unmapped"]
            {
                assert_eq!(view(pack, &question, category), View::None, "{purpose} {category}");
            }
        }
    }
    let role = &pack.roles["biller"];
    assert_eq!(role.limit(pack.segment("hiv").unwrap(), ConditionMask(u64::MAX)), SegmentLimit::Coded);
}

/// IL-16: outside, and not confirmed of late, what the pack lists is closed, and passes nobody by as it is; an emergency and the
/// patient himself are not asked.
#[test]
fn outside_what_is_specially_protected_is_closed_to_who_is_not_confirmed() {
    let pack = &PACK;
    let closed: Vec<SegmentId> = pack.sign_in.confirmed_outside.segments().collect();
    assert!(closed.len() > 10, "{closed:?}");
    let mut taken = 0;
    for role in pack.roles.values() {
        for purpose in role.purposes() {
            let all = ConditionMask(u64::MAX >> (64 - pack.conditions.len()));
            let of = |held: ConditionMask| {
                let question = Question { role: role.name.clone(), purpose: purpose.to_owned(), conditions: held };
                table(pack, &question).unwrap()
            };
            let bit = conditions(pack, &[UNCONFIRMED_OUTSIDE]);
            let (inside, outside) = (of(ConditionMask(all.0 & !bit.0)), of(all));
            let asked = !role.is_profile && !matches!(purpose, "ETREAT" | "BTG");
            for index in 0..pack.segments.len() {
                let segment = SegmentId(u8::try_from(index).unwrap());
                if asked && closed.contains(&segment) {
                    assert_eq!(outside.limit(segment), SegmentLimit::None, "{} {purpose}", role.name);
                    if inside.limit(segment) != SegmentLimit::None {
                        assert!(outside.never_pass.contains(segment), "{} {purpose}", role.name);
                        taken += 1;
                    }
                } else {
                    assert_eq!(outside.limit(segment), inside.limit(segment), "{} {purpose}", role.name);
                }
            }
            assert_eq!(outside.views, inside.views);
        }
    }
    assert!(taken > 200, "{taken}");
}

/// What the second confirmation of an emergency opens: what segments.csv says that an emergency opens, and nothing that it does not.
#[test]
fn a_second_confirmation_opens_what_an_emergency_may_and_no_psychotherapy_notes() {
    let pack = &*PACK;
    for role in pack.roles.values() {
        let protected = pack.protected(&role.name);
        if !role.emergency_access {
            assert_eq!(protected, ConditionMask::NONE, "{}", role.name);
            continue;
        }
        let relationship = ConditionMask::NONE.with(pack.condition("relationship").unwrap());
        let elevated = relationship.with(pack.condition("emergency_elevation").unwrap());
        let ask = |conditions| {
            let question = Question { role: role.name.clone(), purpose: "BTG".to_owned(), conditions };
            table(pack, &question).unwrap()
        };
        let (before, after) = (ask(elevated), ask(elevated.union(protected)));
        assert_eq!(before.views, after.views, "{}: kinds of information stay as they are", role.name);
        for (index, segment) in pack.segments.iter().enumerate() {
            let id = SegmentId(u8::try_from(index).unwrap());
            let (was, is) = (before.limit(id), after.limit(id));
            assert!(was == is || segment.in_emergency, "{}: {} is opened", role.name, segment.name);
            if ["psychotherapy_notes", "sud_counseling_notes"].contains(&segment.name.as_str()) {
                assert_eq!(is, SegmentLimit::None, "{}: {}", role.name, segment.name);
            }
            if segment.name == "part2" {
                assert_eq!((was, is), (SegmentLimit::None, SegmentLimit::Follow), "{}", role.name);
            }
        }
    }
}
