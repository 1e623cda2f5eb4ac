//! What the shipped pack decides, in full: a change of the pack is a change of these files.

use crate::{ACTIVE, PACK, categories};
use scruple_core::{ConditionMask, SegmentLimit, View};
use scruple_fhir::Inspector;
use scruple_policy::{Pack, Question, Role, table};
use std::collections::BTreeMap;
use std::fmt::Write as _;

fn named(pack: &Pack, conditions: ConditionMask) -> String {
    let names = pack.condition_names(conditions).join(", ");
    if names.is_empty() { "nothing holds".to_owned() } else { names }
}

fn views(pack: &Pack, role: &Role, purpose: &str) -> String {
    let elevation = pack.condition("emergency_elevation").unwrap();
    let mut out = format!("{} {purpose}\n", role.name);
    // One field is unmasked at a time; that each opens its own and no other is a test of its own.
    let unmasks = pack.conditions.iter().filter(|one| one.name.starts_with("unmask_"));
    let unmasks: Vec<_> = unmasks.filter_map(|one| pack.condition(&one.name)).collect();
    for held in role.conditions().subsets() {
        if unmasks.iter().filter(|one| held.covers(ConditionMask::NONE.with(**one))).count() > 1 {
            continue;
        }
        let conditions = if purpose == "BTG" { held.with(elevation) } else { held };
        let question = Question { role: role.name.clone(), purpose: purpose.to_owned(), conditions };
        let table = table(pack, &question).unwrap();
        let mut by_view: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for category in categories(pack).filter(|category| table.view(*category) != View::None) {
            by_view.entry(pack.view_name(table.view(category))).or_default().push(pack.category_name(category));
        }
        let _ = writeln!(out, "  [{}]", named(pack, conditions));
        for (view, categories) in by_view {
            let _ = writeln!(out, "    {view}: {}", categories.join(" "));
        }
    }
    out
}

#[test]
fn every_role_purpose_and_category() {
    let pack = &PACK;
    let all =
        pack.roles.values().flat_map(|role| role.purposes().into_iter().map(|purpose| views(pack, role, purpose)));
    insta::assert_snapshot!("views", all.collect::<String>());
}

#[test]
fn every_role_and_segment() {
    let pack = &PACK;
    let mut out = String::new();
    for role in pack.roles.values() {
        let _ = writeln!(out, "{}", role.name);
        for (index, segment) in pack.segments.iter().enumerate() {
            let id = scruple_core::SegmentId(u8::try_from(index).unwrap());
            let limit = |conditions| match role.limit(id, conditions) {
                SegmentLimit::None => "none",
                SegmentLimit::Coded => "coded",
                SegmentLimit::Follow => "follow",
            };
            let condition = role.segments[index].condition.map(|id| ConditionMask::NONE.with(id));
            let when =
                condition.map_or_else(String::new, |mask| format!(", {} while {}", limit(mask), named(pack, mask)));
            let _ = writeln!(out, "  {}: {}{when}", segment.name, limit(ConditionMask::NONE));
        }
    }
    insta::assert_snapshot!("segments", out);
}

#[test]
fn the_check_of_the_shipped_pack() {
    let remarks: String = ACTIVE.remarks.iter().map(|remark| format!("{remark}\n")).collect();
    insta::assert_snapshot!("remarks", remarks);
}

/// The inspector judges each distinct plan once; what it finds is what it would find of each table alone.
#[test]
fn findings_are_those_of_each_table() {
    let mut files = crate::changed(
        "elements.csv",
        "\nHealthcareService,directory,",
        "\nIdentifier.use,balance,\nHealthcareService,directory,",
    );
    let elements = files.0.get_mut("elements.csv").unwrap();
    elements.push_str(
        "Observation.interpretation,change_metadata,\nAppointment.end,visit_reason,\nContactPoint.system,free_text,\n",
    );
    let pack = scruple_policy::read(&files).unwrap_or_else(|problems| panic!("{problems:?}"));
    let mut inspector = Inspector::new(&pack.annotation);
    let mut found = 0;
    for (index, role) in pack.roles.values().enumerate() {
        let purposes = role.purposes();
        let purpose = purposes[index % purposes.len()];
        let conditions = role.conditions().union(crate::conditions(&pack, &["emergency_elevation"]));
        let question = Question { role: role.name.clone(), purpose: purpose.to_owned(), conditions };
        let table = table(&pack, &question).unwrap();
        let findings = inspector.findings(&table);
        assert_eq!(findings, Inspector::new(&pack.annotation).findings(&table), "{}", role.name);
        found += findings.len();
    }
    assert!(found > 500, "{found}");
    assert!(inspector.plans() < 2_000, "{}", inspector.plans());
}
