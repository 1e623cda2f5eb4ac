//! Many roles: which are alike, which nobody needs, and what taking one out does.

use crate::{PACK, day};
use scruple_policy::{
    Direction, Held, Pack, PackFiles, Side, Sprawl, activate, compare, is_within, read, sprawl, trim,
};
use std::collections::{BTreeMap, BTreeSet};

fn add(files: &mut PackFiles, base: &str, name: &str, change: impl Fn(&str) -> String) {
    let text = change(&files.0[&format!("roles/{base}.toml")]);
    files.0.insert(format!("roles/{name}.toml"), text);
    for table in ["segment-by-role.csv", "relationships.csv"] {
        let text = files.0.get_mut(table).unwrap();
        let line =
            text.lines().find(|line| line.starts_with(&format!("{base},"))).map(|line| line.replacen(base, name, 1));
        if let Some(line) = line {
            text.push_str(&format!("{line}\n"));
        }
    }
}

/// 300 roles: those that ship, 40 copies of some of them, and others that are each unlike the rest.
fn three_hundred() -> (PackFiles, BTreeSet<(String, String)>) {
    let mut files = PackFiles::embedded();
    let shipped: Vec<String> =
        PACK.roles.values().filter(|role| !role.is_profile).map(|role| role.name.clone()).collect();
    let mut copies = BTreeSet::new();
    for number in 0..40 {
        // Of each role at most two copies, so that pairs of copies stay few.
        let base = &shipped[number % 20];
        let name = format!("copy_{number:02}");
        add(&mut files, base, &name, str::to_owned);
        copies.insert((base.clone(), name));
    }
    let categories: Vec<&str> = PACK.categories.iter().map(|category| category.name.as_str()).collect();
    let count = 300 - shipped.len() - 40;
    for number in 0..count {
        // Two categories each, no two roles the same two.
        let (one, other) = (categories[number % 20], categories[20 + number / 20]);
        add(&mut files, "coder", &format!("own_{number:03}"), |_| {
            format!(
                "label = \"Role {number}\"\npurpose = \"HPAYMT\"\nrelationship = \"x\"\nemergency_access = false\nrisk_tier = \"low\"\ndefence = \"y\"\n[tasks]\nt = \"do it\"\n[[permit]]\nview = \"full\"\ntasks = [\"t\"]\ncategories = [\"{one}\", \"{other}\"]\n"
            )
        });
    }
    (files, copies)
}

fn held(pairs: &[(&str, &[&str])]) -> Held {
    let people = pairs.iter().map(|(person, roles)| {
        ((*person).to_owned(), roles.iter().map(|role| (*role).to_owned()).collect::<BTreeSet<String>>())
    });
    Held { people: people.collect(), touched: BTreeMap::new() }
}

fn found(pack: &Pack, held: &Held) -> Sprawl {
    sprawl(pack, held, day("2026-03-01"))
}

#[test]
fn of_300_roles_the_40_copies_are_listed_proposed_for_merging_and_a_finding() {
    let (files, copies) = three_hundred();
    let pack = read(&files).unwrap_or_else(|problems| panic!("{problems:?}"));
    let sprawl = found(&pack, &Held::default());
    assert_eq!(sprawl.roles, 300);
    let same: BTreeSet<(String, String)> = sprawl
        .overlaps
        .iter()
        .filter(|overlap| overlap.same && !overlap.roles.iter().all(|role| role.starts_with("copy_")))
        .map(|overlap| {
            let [one, other] = overlap.roles.clone();
            if one.starts_with("copy_") { (other, one) } else { (one, other) }
        })
        .collect();
    assert!(copies.is_subset(&same), "{:?}", copies.difference(&same));
    assert!(sprawl.is_finding);
    assert!(sprawl.merges.len() >= 40, "{}", sprawl.merges.len());
    // After the merges nobody sees more: each is proved by itself, against the pack.
    for merge in &sprawl.merges {
        assert!(is_within(&pack, &pack.roles[&merge.into], &pack.roles[&merge.from]), "{merge:?}");
    }
    let gone: BTreeSet<&String> = sprawl.merges.iter().map(|merge| &merge.from).collect();
    assert!(sprawl.merges.iter().all(|merge| !gone.contains(&merge.into)), "a role that goes takes nobody's place");
}

#[test]
fn members_are_counted_and_a_role_of_nobody_or_of_one_is_named() {
    let sprawl = found(&PACK, &held(&[("a", &["nurse", "coder"]), ("b", &["nurse"]), ("c", &[])]));
    assert_eq!(sprawl.single_member, ["coder"]);
    assert!(!sprawl.nobody.contains(&"nurse".to_owned()) && sprawl.nobody.contains(&"physician".to_owned()));
    assert_eq!((sprawl.people, sprawl.roles_of_one_person_max, sprawl.roles_per_hundred), (2, 2, None));
    let many: Vec<String> = (0..20).map(|number| format!("p{number}")).collect();
    let many: Vec<(&str, &[&str])> = many.iter().map(|person| (person.as_str(), &["nurse"][..])).collect();
    let sprawl = found(&PACK, &held(&many));
    assert_eq!(sprawl.roles_per_hundred, Some(150));
    assert!(sprawl.is_finding, "more roles than people");
}

#[test]
fn a_role_is_untouched_after_a_year_and_not_before() {
    let touched = |date: &str| Held { touched: BTreeMap::from([("nurse".to_owned(), day(date))]), ..Held::default() };
    assert_eq!(found(&PACK, &touched("2025-02-28")).untouched, ["nurse"]);
    assert!(found(&PACK, &touched("2025-03-02")).untouched.is_empty());
}

#[test]
fn a_role_with_emergency_access_or_another_relationship_takes_nobody_s_place() {
    let mut files = PackFiles::embedded();
    add(&mut files, "coder", "emergency_coder", |text| {
        text.replace("emergency_access = false", "emergency_access = true")
    });
    let pack = read(&files).unwrap();
    let sprawl = found(&pack, &Held::default());
    let merge = sprawl.merges.iter().find(|merge| merge.from == "emergency_coder").unwrap();
    assert_eq!((merge.into.as_str(), merge.same), ("coder", false));
    assert!(!sprawl.merges.iter().any(|merge| merge.from == "coder"));
}

#[test]
fn what_is_taken_out_is_exactly_the_difference_and_the_draft_is_a_pack() {
    let files = PackFiles::embedded();
    let take = BTreeMap::from([
        ("coder".to_owned(), BTreeSet::from(["documents", "coverage", "id_mrn"].map(str::to_owned))),
        ("front_desk".to_owned(), BTreeSet::from(["balance".to_owned()])),
    ]);
    let draft = trim(&files, &PACK, &take);
    assert_eq!((&draft.taken, draft.left.is_empty()), (&take, true), "{:?}", draft.left);
    let pack = activate(&draft.files, day("2026-03-01")).unwrap_or_else(|error| panic!("{error:?}")).pack;
    let difference = compare(Side { files: &files, pack: &PACK }, Side { files: &draft.files, pack: &pack });
    assert!(difference.is_narrowing(), "{}", difference.text());
    let told: BTreeSet<(&str, &str)> =
        difference.changes.iter().map(|change| (change.role.as_deref().unwrap_or("-"), change.what.as_str())).collect();
    let expected = [("coder", "documents"), ("coder", "coverage"), ("coder", "id_mrn"), ("front_desk", "balance")];
    assert_eq!(told, BTreeSet::from(expected));
    assert_eq!(difference.count(Direction::Narrower), 4);
    assert!(draft.files.0["roles/coder.toml"].contains("# the directory is no patient's"), "comments stay");
    assert!(!draft.files.0["roles/coder.toml"].contains("masked:payer"), "a permit of nothing goes");
}

#[test]
fn every_single_category_of_three_roles_can_be_taken_out() {
    let files = PackFiles::embedded();
    for role in ["front_desk", "lab_tech", "biller"].map(|name| &PACK.roles[name]) {
        let categories: BTreeSet<_> = role.permits.iter().flat_map(|permit| &permit.categories).collect();
        for category in categories {
            let name = PACK.category_name(*category).to_owned();
            let take = BTreeMap::from([(role.name.clone(), BTreeSet::from([name.clone()]))]);
            let draft = trim(&files, &PACK, &take);
            assert!(draft.left.is_empty(), "{} {name}: {:?}", role.name, draft.left);
            let pack = read(&draft.files).unwrap();
            let seen = pack.roles[&role.name].permits.iter().any(|permit| permit.categories.contains(category));
            assert!(!seen, "{} {name}", role.name);
        }
    }
}

#[test]
fn a_profile_and_a_role_that_is_not_there_are_left_and_told() {
    let take = ["individual", "wizard"].map(|role| (role.to_owned(), BTreeSet::from(["labs".to_owned()])));
    let draft = trim(&PackFiles::embedded(), &PACK, &BTreeMap::from(take));
    assert!(draft.taken.is_empty());
    assert_eq!(draft.left.keys().collect::<Vec<_>>(), ["individual", "wizard"]);
    assert_eq!(draft.files, PackFiles::embedded());
}
