//! The fast projector and the slow one agree, byte by byte.

use crate::world::{PACK, SLOW_PACK, as_slow, as_table, fast, role_table, shared, slow};
use scruple_testkit::{crafted, tree};

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

fn roles() -> Vec<(String, String)> {
    PACK.roles.values().map(|role| (role.name.clone(), role.purpose.clone())).collect()
}

#[test]
fn on_crafted_resources_for_every_role() {
    let mut differences = Vec::new();
    for (role, purpose) in roles() {
        let table = role_table(&role, &purpose);
        let decision = as_slow(&table);
        for case in crafted::all().unwrap() {
            let text = case.text.as_bytes();
            if let Some(difference) = difference(&fast(&table, text), &slow(&decision, text)) {
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
    let cases = std::env::var("SCRUPLE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1_500);
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
        differences[..differences.len().min(6)].join("\n")
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
        for entry in std::fs::read_dir(shared.join("fhir/us-core-examples")).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read(&path).unwrap();
            if path.extension().is_none_or(|extension| extension != "json") || text.len() > 50_000 {
                continue;
            }
            if let Some(difference) = difference(&fast(&table, &text), &slow(&decision, &text)) {
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
