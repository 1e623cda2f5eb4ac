//! The fast projector and the slow one agree, byte by byte.

use crate::world::{PACK, SLOW_PACK, as_slow, as_table, fast, fast_with, role_table, shared, slow};
use scruple_fhir::Projection;
use scruple_testkit::{crafted, tree};
use std::sync::Arc;

fn difference(fast: &Result<String, &str>, slow: &Result<String, &str>) -> Option<String> {
    if fast == slow {
        return None;
    }
    let show = |result: &Result<String, &str>| match result {
        Ok(text) => text.clone(),
        Err(reason) => format!("withheld: {reason}"),
    };
    Some(format!("fast {}\nslow {}", show(fast), show(slow)))
}

/// Roles of every kind; `SCRUPLE_ALL_ROLES` takes them all.
const ROLES: [&str; 6] = ["biller", "front_desk", "individual", "it_support", "physician", "quality_analyst"];

fn roles() -> Vec<(String, String)> {
    let all = std::env::var_os("SCRUPLE_ALL_ROLES").is_some();
    let roles = PACK.roles.values().filter(|role| all || ROLES.contains(&role.name.as_str()));
    roles.map(|role| (role.name.clone(), role.purpose.clone())).collect()
}

#[test]
fn on_crafted_resources_for_every_role() {
    let mut differences = Vec::new();
    for (role, purpose) in roles() {
        let table = role_table(&role, &purpose);
        let decision = as_slow(&table);
        let projection = Projection::new(Arc::clone(&PACK.annotation), table);
        for case in crafted::all().unwrap() {
            let text = case.text.as_bytes();
            if let Some(difference) = difference(&fast_with(&projection, text), &slow(&decision, text)) {
                differences.push(format!("{role} {}\n{difference}\n", case.file));
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences\n{}",
        differences.len(),
        differences[..differences.len().min(12)].join("\n")
    );
}

#[test]
fn on_made_resources_and_decisions() {
    let resources = tree::Resources::of(&SLOW_PACK);
    let mut differences = Vec::new();
    let cases = std::env::var("SCRUPLE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(600);
    let from = std::env::var("SCRUPLE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0_u64);
    let roles = roles();
    for seed in from..from + cases {
        let text = resources.make(seed);
        let table = if seed % 2 == 0 {
            as_table(&tree::decision(&SLOW_PACK, seed))
        } else {
            let (role, purpose) = &roles[usize::try_from(seed).unwrap() % roles.len()];
            role_table(role, purpose)
        };
        if let Some(difference) = difference(&fast(&table, text.as_bytes()), &slow(&as_slow(&table), text.as_bytes())) {
            differences.push(format!("seed {seed}\n{text}\n{difference}\n"));
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences\n{}",
        differences.len(),
        differences[..differences.len().min(20)].join("\n")
    );
}

#[test]
fn on_us_core_examples_for_every_role() {
    let Some(shared) = shared() else {
        println!("skipped: no shared data");
        return;
    };
    let mut differences = Vec::new();
    for (role, purpose) in roles() {
        let table = role_table(&role, &purpose);
        let decision = as_slow(&table);
        let projection = Projection::new(Arc::clone(&PACK.annotation), table);
        for entry in std::fs::read_dir(shared.join("fhir/us-core-examples")).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read(&path).unwrap();
            if path.extension().is_none_or(|extension| extension != "json") || text.len() > 4_000 {
                continue;
            }
            if let Some(difference) = difference(&fast_with(&projection, &text), &slow(&decision, &text)) {
                differences.push(format!("{role} {}\n{difference}\n", path.file_name().unwrap().to_string_lossy()));
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences\n{}",
        differences.len(),
        differences[..differences.len().min(8)].join("\n")
    );
}
