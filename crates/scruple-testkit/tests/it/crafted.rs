//! The crafted resources are what the manifest says, under the shipped pack.

use scruple_testkit::crafted::{CANARIES, all, folder};
use scruple_testkit::slow::{Date, Decision, Faults, Limit, Slow, SlowPack, View};
use scruple_testkit::valid;
use std::collections::BTreeSet;
use std::path::Path;

fn shipped() -> SlowPack {
    SlowPack::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policy")).expect("the shipped pack")
}

fn project(pack: &SlowPack, decision: &Decision, input: &str) -> Result<String, &'static str> {
    let token = |name: &str, raw: &str| format!("token-{}-{}", name.len(), raw.len());
    let visible: BTreeSet<String> = ["Patient/p1", "Condition/c1"].into_iter().map(str::to_owned).collect();
    let as_of = Date { year: 2026, month: 3, day: 1 };
    let slow = Slow { pack, decision, as_of, token: &token, visible: &visible, faults: Faults::Everywhere };
    let output = slow.project(input.as_bytes()).map_err(|reason| reason.name())?;
    Ok(String::from_utf8(output).expect("UTF-8"))
}

fn sees_all(pack: &SlowPack) -> Decision {
    let mut decision = Decision::default();
    decision.views.extend(pack.categories.keys().map(|category| (category.clone(), View::Full)));
    decision.limits.extend(pack.all_segments().map(|segment| (segment.clone(), Limit::Follow)));
    decision
}

#[test]
fn the_manifest_names_every_file_and_every_canary_is_documented() {
    let crafted = all().expect("the manifest");
    assert!(crafted.len() >= 60);
    let named: BTreeSet<String> = crafted.iter().map(|one| one.file.clone()).collect();
    let there = std::fs::read_dir(folder()).expect("the folder").map(|entry| entry.expect("an entry").file_name());
    let there: BTreeSet<String> =
        there.map(|name| name.to_string_lossy().into_owned()).filter(|name| name.ends_with(".json")).collect();
    assert_eq!(named, there);
    let mut used = BTreeSet::new();
    for one in &crafted {
        assert!(!one.purpose.is_empty(), "{}", one.file);
        for (at, _) in one.text.match_indices("CANARY-") {
            let word: String =
                one.text[at..].chars().take_while(|letter| *letter == '-' || letter.is_ascii_uppercase()).collect();
            let known = CANARIES.iter().find(|(canary, _)| *canary == word);
            used.insert(known.unwrap_or_else(|| panic!("{word} in {}", one.file)).0);
        }
    }
    assert_eq!(used, CANARIES.iter().map(|(canary, _)| *canary).collect());
}

#[test]
fn outcomes_are_as_the_manifest_says() {
    let pack = shipped();
    let decision = sees_all(&pack);
    let mut wrong = Vec::new();
    for one in all().expect("the manifest") {
        let outcome = project(&pack, &decision, &one.text);
        let name = outcome.as_ref().map_or_else(|reason| *reason, |_| "shows");
        if name != one.outcome {
            wrong.push(format!("{}: {name}", one.file));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn one_who_sees_nothing_sees_no_canary() {
    let pack = shipped();
    for one in all().expect("the manifest") {
        if let Ok(output) = project(&pack, &Decision::default(), &one.text) {
            assert!(!output.contains("CANARY"), "{}: {output}", one.file);
        }
    }
}

#[test]
fn what_never_shows_does_not_show_to_one_who_sees_all() {
    let pack = shipped();
    let decision = sees_all(&pack);
    for one in all().expect("the manifest") {
        if let Ok(output) = project(&pack, &decision, &one.text) {
            for canary in [
                "CANARY-UNKNOWN",
                "CANARY-EXTENSION",
                "CANARY-ORPHAN",
                "CANARY-NARRATIVE",
                "CANARY-PROFILE",
                "CANARY-SOURCE",
                "CANARY-ID",
                "CANARY-DATE",
            ] {
                assert!(!output.contains(canary), "{}: {output}", one.file);
            }
        }
    }
}

#[test]
fn what_was_valid_stays_valid() {
    let pack = shipped();
    let masks: BTreeSet<&String> = pack.masks.keys().map(|(mask, _)| mask).collect();
    let mut wrong = Vec::new();
    for one in all().expect("the manifest").into_iter().filter(|one| valid::check(one.text.as_bytes()).is_empty()) {
        let all = std::iter::once(View::Full).chain(masks.iter().map(|mask| View::Mask((*mask).clone())));
        for view in all {
            let mut decision = sees_all(&pack);
            decision.views.values_mut().for_each(|one| *one = view.clone());
            if let Ok(output) = project(&pack, &decision, &one.text) {
                wrong.extend(
                    valid::check(output.as_bytes())
                        .into_iter()
                        .map(|violation| format!("{} {view:?}: {violation:?}", one.file)),
                );
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
