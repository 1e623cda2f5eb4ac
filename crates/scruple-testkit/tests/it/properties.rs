//! What must hold for every made resource and decision.

use proptest::prelude::*;
use scruple_testkit::slow::json::{Value, parse};
use scruple_testkit::slow::{Date, Decision, Faults, Slow, SlowPack, View, Withheld};
use scruple_testkit::tree::{CANARY, Resources, decisions};
use scruple_testkit::valid;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

static PACK: LazyLock<SlowPack> = LazyLock::new(|| {
    SlowPack::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/pack")).expect("the fixture pack")
});

fn project(decision: &Decision, input: &str, faults: Faults) -> Result<String, Withheld> {
    let visible = ["Patient/1", "Condition/2", "Observation/3"].into_iter().map(str::to_owned).collect();
    let token = |name: &str, raw: &str| format!("token-{}-{}", name.len(), raw.len());
    let as_of = Date { year: 2026, month: 3, day: 1 };
    let slow = Slow { pack: &PACK, decision, as_of, token: &token, visible: &visible, faults };
    slow.project(input.as_bytes()).map(|bytes| String::from_utf8(bytes).expect("UTF-8"))
}

fn strings(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Text(raw) => {
            found.insert(raw.clone());
        }
        Value::List(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(members) => members.iter().for_each(|member| strings(&member.value, found)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_global_rejects: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Where faults are looked for matters only where there are some.
    #[test]
    fn faults_alone_depend_on_where_they_are_looked_for(input in Resources::of(&PACK), decision in decisions(&PACK)) {
        let everywhere = project(&decision, &input, Faults::Everywhere);
        if everywhere != Err(Withheld::Malformed) {
            prop_assert_eq!(project(&decision, &input, Faults::WhereSeen), everywhere);
        }
    }

    /// Valid in, valid out.
    #[test]
    fn what_is_valid_stays_valid(input in Resources::of(&PACK).valid(), mut decision in decisions(&PACK)) {
        prop_assume!(valid::check(input.as_bytes()).is_empty());
        // The shape of a code is not a code of a required binding.
        decision.views.retain(|_, view| *view != View::Mask("shape".to_owned()));
        if let Ok(output) = project(&decision, &input, Faults::Everywhere) {
            prop_assert_eq!(valid::check(output.as_bytes()), vec![], "{}", output);
        }
    }

    /// A caller without free text sees no word that a person could have written, unless it was masked into a shape.
    #[test]
    fn nothing_shows_to_one_who_sees_nothing(input in Resources::of(&PACK).without(&["Bundle", "Parameters"])) {
        if let Ok(output) = project(&Decision::default(), &input, Faults::Everywhere) {
            let mut found = BTreeSet::new();
            strings(&parse(output.as_bytes()).expect("JSON"), &mut found);
            prop_assert!(!found.iter().any(|text| text.contains(CANARY)), "{}", output);
        }
    }

    /// To widen one category from none to full takes nothing away.
    #[test]
    fn a_wider_view_withholds_no_more(input in Resources::of(&PACK).valid(), decision in decisions(&PACK), place in any::<prop::sample::Index>()) {
        let category = PACK.categories.keys().nth(place.index(PACK.categories.len())).expect("a category").clone();
        let mut narrower = Decision { passes: false, ..decision };
        narrower.views.insert(category.clone(), View::None);
        let mut wider = narrower.clone();
        wider.views.insert(category, View::Full);
        let narrow = project(&narrower, &input, Faults::Everywhere);
        if narrow.is_ok() {
            prop_assert!(project(&wider, &input, Faults::Everywhere).is_ok());
        }
    }
}

/// The generator makes what it promises: most resources show something to one who sees all, and every oddity occurs.
#[test]
fn made_resources_are_mostly_sound_and_sometimes_not() {
    let mut all = Decision { passes: false, ..Decision::default() };
    all.views.extend(PACK.categories.keys().map(|category| (category.clone(), View::Full)));
    all.limits.extend(PACK.all_segments().map(|segment| (segment.clone(), scruple_testkit::slow::Limit::Follow)));
    let made = Resources::of(&PACK);
    let mut reasons = std::collections::BTreeMap::new();
    let mut valid = 0;
    for seed in 0..1000 {
        let reason = project(&all, &made.make(seed), Faults::Everywhere).err();
        *reasons.entry(reason).or_insert(0) += 1;
        valid += usize::from(valid::check(made.clone().valid().make(seed).as_bytes()).is_empty());
    }
    assert!(reasons[&None] > 500, "{reasons:?}");
    assert!(reasons[&Some(Withheld::Malformed)] > 50, "{reasons:?}");
    assert!(reasons.contains_key(&Some(Withheld::ModifierExtension)), "{reasons:?}");
    assert!(valid > 400, "{valid} of 1000 are valid");
    assert_eq!(made.make(7), made.make(7));
}
