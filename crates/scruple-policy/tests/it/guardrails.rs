//! An organisation's own `forbid` rules: they take away, and nothing else.

use crate::{categories, day, question, with};
use scruple_core::{SegmentId, SegmentLimit, View};
use scruple_policy::{Cedar, PackFiles, Question, Severity, activate, check, explain, table};
use std::sync::Arc;

const FILE: &str = "guardrails/house.cedar";

const RULES: &str = "// The house closes what the shipped roles open.
@id(\"no labs for managers of care; by order of the board\")
forbid (principal == Role::\"care_manager\", action in Action::\"view\", resource == Category::\"labs\");

// in full only with a case
forbid (principal, action == Action::\"view_full\", resource == Category::\"documents\")
unless { context.case_approved || context.purpose == Purpose::\"TREAT\" };

forbid (principal == Role::\"biller\", action in Action::\"label\", resource == Segment::\"hiv\");
";

fn refused(text: &str, line: usize, what: &str) {
    let checked = check(&with(FILE, text), day("2026-03-01"));
    let found = checked.problems.iter().any(|problem| {
        (problem.file.as_str(), problem.line, problem.severity) == (FILE, line, Severity::Error)
            && problem.what.contains(what)
    });
    assert!(found, "{:?}", checked.problems);
}

#[test]
fn a_guardrail_takes_away_and_is_named() {
    let active = activate(&with(FILE, RULES), day("2026-03-01")).unwrap_or_else(|error| panic!("{error:?}"));
    let pack = &active.pack;
    let care = question(pack, "care_manager", "COC", &["relationship"]);
    let labs = pack.category("labs").unwrap();
    assert_eq!(table(pack, &care).unwrap().view(labs), View::None);
    let (rule, _) = explain(pack, &pack.roles["care_manager"], &care, labs);
    assert_eq!(rule.unwrap().place, "guardrails/house.cedar:2");
    // Full is forbidden; the masked permit of the same cell stays.
    let denials = question(pack, "denials_specialist", "CLMATTCH", &["relationship", "payer_request"]);
    let documents = pack.category("documents").unwrap();
    assert_eq!(pack.view_name(table(pack, &denials).unwrap().view(documents)), "masked:header");
    let approved =
        question(pack, "denials_specialist", "CLMATTCH", &["relationship", "payer_request", "case_approved"]);
    assert_eq!(table(pack, &approved).unwrap().view(documents), View::Full);
    let nurse = question(pack, "nurse", "TREAT", &["relationship"]);
    assert_eq!(table(pack, &nurse).unwrap().view(documents), View::Full);
    let hiv = pack.segment("hiv").unwrap();
    let biller = question(pack, "biller", "HPAYMT", &["relationship"]);
    assert_eq!(table(pack, &biller).unwrap().limit(hiv), SegmentLimit::None);
    assert_eq!(*active.decider.decide(&biller).unwrap(), table(pack, &biller).unwrap());
}

#[test]
fn a_table_under_guardrails_is_what_cedar_says_and_never_wider() {
    let active = activate(&with(FILE, RULES), day("2026-03-01")).unwrap_or_else(|error| panic!("{error:?}"));
    let bare = &crate::PACK;
    let pack = &active.pack;
    assert_ne!(pack.hash, bare.hash, "guardrails are of the pack");
    let cedar = Cedar::compile(Arc::clone(pack)).unwrap();
    let case = crate::conditions(pack, &["case_approved"]);
    let mut narrower = 0;
    for role in ["care_manager", "denials_specialist", "biller", "nurse"] {
        let own = &pack.roles[role];
        let used = own.conditions().union(case);
        for (purpose, conditions) in
            own.purposes().iter().flat_map(|purpose| used.subsets().map(move |set| (purpose, set)))
        {
            let question = Question { role: role.to_owned(), purpose: (*purpose).to_owned(), conditions };
            let (Ok(under), Ok(open)) = (table(pack, &question), table(bare, &question)) else { continue };
            for category in categories(pack) {
                assert_eq!(under.view(category), cedar.ask(&question, category), "{question:?}");
                assert!(pack.covers(open.view(category), under.view(category)));
                narrower += usize::from(open.view(category) != under.view(category));
            }
            for index in 0..pack.segments.len() {
                let segment = SegmentId(u8::try_from(index).unwrap());
                assert_eq!(under.limit(segment), cedar.ask_segment(&question, segment));
                assert!(under.limit(segment) <= open.limit(segment));
            }
        }
    }
    assert!(narrower > 10, "{narrower}");
    assert!(cedar.text(Some("biller")).contains("// guardrails/house.cedar:2\n@id(\"no labs"));
}

#[test]
fn a_guardrail_only_forbids_and_only_what_the_schema_has() {
    refused("\npermit (principal, action, resource);", 2, "a permit among the guardrails");
    refused("forbid (principal, action, resource)", 1, "no Cedar policy");
    refused("forbid (principal == ?principal, action, resource);", 1, "no Cedar policy");
    refused("\n\nforbid (principal == Role::\"janitor\", action, resource);", 3, "janitor");
    refused("forbid (principal, action, resource == Category::\"lab\");", 1, "lab");
    refused("forbid (principal, action, resource) when { context.relation };", 1, "relation");
    refused("forbid (principal, action, resource) when { context.purpose == \"TREAT\" };", 1, "");
    // It can never apply: categories are viewed, segments are held.
    refused("forbid (principal, action == Action::\"hold\", resource == Category::\"labs\");", 1, "");
}

#[test]
fn guardrails_have_a_limit() {
    let many =
        "forbid (principal, action, resource == Category::\"labs\");\n".repeat(scruple_policy::GUARDRAILS_MAX + 1);
    let checked = check(&with(FILE, &many), day("2026-03-01"));
    assert!(checked.problems.iter().any(|problem| problem.what.contains("at most 256 fit")), "{:?}", checked.problems);
}

#[test]
fn a_role_that_uses_too_many_conditions_is_not_proved() {
    let names = [
        "relationship",
        "part2_consent",
        "own_programme",
        "segment_grant",
        "case_authorization",
        "case_not_legal",
        "case_approved",
        "case_need",
        "payer_request",
    ];
    let mut files = PackFiles::embedded();
    let permit = format!(
        "\n[[permit]]\nview = \"full\"\ntasks = [\"claims\"]\ncategories = [\"vitals\"]\nwhen = [{}]\n",
        names.map(|name| format!("\"{name}\"")).join(", ")
    );
    files.0.get_mut("roles/biller.toml").unwrap().push_str(&permit);
    let error = activate(&files, day("2026-03-01")).err().unwrap();
    let scruple_policy::ActivationError::NotProved(error) = error else { panic!("{error:?}") };
    assert_eq!(error.to_string(), "role `biller` uses 9 conditions; at most 8 can be proved");
}
