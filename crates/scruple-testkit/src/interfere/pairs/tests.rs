//! Pairs look alike, differ, and follow from their seed.

use super::*;
use crate::interfere::store::Edit;
use crate::interfere::world::{OFFICER, PAIRS, ROLES, sight};
use std::collections::BTreeMap;

#[test]
fn pairs_differ_and_look_alike_and_every_kind_of_change_is_kept_for_somebody() {
    let mut kept: BTreeMap<&str, usize> = BTreeMap::new();
    for role in ROLES.into_iter().chain([OFFICER]) {
        let sight = sight(role);
        let mut count = (0, 0);
        for seed in 0..12 {
            let pair = PAIRS.make(&sight, seed);
            assert_eq!(sight.seen(&pair.a), sight.seen(&pair.b), "{role:?} {seed}");
            assert_eq!(sight.seen(&pair.a), pair.seen(), "{role:?} {seed}");
            assert_eq!(pair.a.after(&pair.mutations), pair.b);
            assert!(!pair.mutations.is_empty() && pair.a != pair.b, "{role:?} {seed}");
            assert!(!pair.view.is_empty());
            count = (count.0 + pair.tried, count.1 + pair.mutations.len());
            pair.mutations.iter().for_each(|mutation| *kept.entry(mutation.what).or_default() += 1);
        }
        assert!(count.1 * 4 > count.0, "{role:?}: {count:?}");
    }
    for what in [
        "meta",
        "narrative",
        "extension",
        "value of a withheld or masked element",
        "value in a hidden resource",
        "element taken away",
        "element added",
        "hidden resource taken away",
        "hidden resource added",
        "resource of another record added",
        "hidden resource once more",
        "id of a hidden resource",
        "order",
        "times of change",
        "contained resource",
        "two values swapped",
        "label of a hidden resource",
        "target of a hidden reference",
        "hidden resource deleted",
        "what was deleted",
        "another past",
        "a version less",
        "a version more",
        "value in a version",
    ] {
        assert!(kept.contains_key(what), "no {what}: {kept:?}");
    }
}

#[test]
fn one_seed_makes_one_pair() {
    let sight = sight(ROLES[0]);
    let (one, other) = (PAIRS.make(&sight, 3), PAIRS.make(&sight, 3));
    assert_eq!((one.a, one.b), (other.a, other.b));
    assert_ne!(PAIRS.store(3), PAIRS.store(4));
}

#[test]
fn values_like_others_stay_in_their_masks() {
    let mut numbers = Numbers::new(1);
    for _ in 0..50 {
        let date = leaf::alike(&json!("1980-05-06"), &mut numbers);
        assert!(date.as_str().is_some_and(|date| date.starts_with("1980-") && date.len() == 10), "{date}");
        let zip = leaf::alike(&json!("02139"), &mut numbers);
        assert!(zip.as_str().is_some_and(|zip| zip.starts_with("021") && zip.len() == 5), "{zip}");
        let number = leaf::alike(&json!("MRN-00123456"), &mut numbers);
        assert!(number.as_str().is_some_and(|number| number.ends_with("3456")), "{number}");
    }
}

#[test]
fn the_past_of_what_shows_changes_for_who_reads_histories() {
    let sight = sight(OFFICER);
    let mut kept: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..12 {
        let pair = PAIRS.make(&sight, seed);
        let past = pair.past.unwrap();
        assert!(past.values().filter(|versions| versions.len() > 1).count() > 3, "{seed}");
        for mutation in &pair.mutations {
            for edit in &mutation.edits {
                if let Edit::Past(kind, id, _) = edit
                    && past.contains_key(&(kind.clone(), id.clone()))
                {
                    *kept.entry(mutation.what).or_default() += 1;
                }
            }
        }
    }
    for what in ["a version less", "a version more", "value in a version"] {
        assert!(kept.get(what).is_some_and(|count| *count > 2), "{what}: {kept:?}");
    }
}

#[test]
fn who_takes_no_past_is_given_none() {
    let pairs = Pairs::new(7, Timestamp::parse("2026-03-01T15:00:00Z").unwrap()).unwrap().without_past();
    let pair = pairs.make(&sight(OFFICER), 5);
    assert_eq!(pair.a.past().chain(pair.b.past()).count(), 0);
    assert!(pair.past.unwrap().values().all(|versions| versions.len() == 1));
}

/// What a store with hidden values can tell, in numbers: values that are masked change, and the view does not.
#[test]
fn masked_values_change_for_a_caller_who_sees_masks() {
    let sight = sight(("researcher", "HRESCH"));
    let masked = (0..40)
        .map(|seed| PAIRS.make(&sight, seed))
        .filter(|pair| pair.mutations.iter().any(|mutation| mutation.what == "value of a withheld or masked element"));
    assert!(masked.count() > 10);
}
