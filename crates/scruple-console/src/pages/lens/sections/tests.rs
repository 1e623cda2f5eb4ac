//! Sentences, counts and reasons of crafted records.

use super::*;
use scruple_fhir::align::align;

fn reason(path: &str, kind: &str, view: SeenView, tasks: &[&str]) -> Reason {
    Reason {
        path: path.to_owned(),
        category: kind.to_lowercase(),
        kind: kind.to_owned(),
        view,
        tasks: tasks.iter().map(|task| (*task).to_owned()).collect(),
        rule: (!tasks.is_empty()).then(|| "roles/biller.toml:1".to_owned()),
        missing: Vec::new(),
        because: None,
    }
}

/// One line for each section: its name, mark and sentence.
fn check(whole: &str, seen: Option<&str>, reasons: &[Reason]) -> (Vec<String>, Counts) {
    let whole = Tree::parse(whole.as_bytes()).unwrap();
    let seen = seen.map(|seen| Tree::parse(seen.as_bytes()).unwrap());
    let nodes = align(&whole, &[seen.as_ref()]);
    let columns = [Column { label: "Billing".to_owned(), reasons, passes: false, refused: false }];
    let lines = sections("Patient", &nodes, &columns).into_iter().map(|section| {
        let verdict = &section.verdicts[0];
        format!("{} {}| {} | {}", section.name, section.note, verdict.mark.word, verdict.sentence)
    });
    (lines.collect(), count(&nodes, 0))
}

#[test]
fn each_item_has_the_reason_of_its_code() {
    let reasons = [
        reason("Patient.identifier(MR|AN)", "Record numbers", SeenView::Full, &["build claims"]),
        reason("Patient.identifier(SS|other)", "Outside numbers", SeenView::Masked("last4".to_owned()), &["find"]),
    ];
    let whole = r#"{"resourceType":"Patient","identifier":[{"type":{"coding":[{"code":"MR"}]},"value":"4471"},{"type":{"coding":[{"code":"SS"}]},"value":"999-12-3456"},{"value":"1"}]}"#;
    let seen = r#"{"resourceType":"Patient","identifier":[{"type":{"coding":[{"code":"MR"}]},"value":"4471"},{"type":{"coding":[{"code":"SS"}]},"value":"3456"}]}"#;
    let (lines, counts) = check(whole, Some(seen), &reasons);
    assert_eq!(
        lines,
        [
            "identifier 1 of 3| Shown | To build claims.",
            "identifier 2 of 3| Masked | The last four characters only. To find.",
            "identifier 3 of 3| Withheld | The mask leaves nothing of it: the last four characters only.",
        ]
    );
    assert_eq!(counts, Counts { shown: 3, masked: 1, withheld: 1 });
}

#[test]
fn choices_extensions_and_what_nobody_names_have_reasons() {
    let reasons = [
        reason("Patient.deceased[x]", "Birth and death", SeenView::Full, &["stop letters"]),
        reason("Patient.extension(us-core-race)", "Race", SeenView::None, &[]),
    ];
    let whole = r#"{"resourceType":"Patient","deceasedBoolean":false,"extension":[{"url":"http://x/us-core-race","valueString":"a"},{"url":"http://x/own","valueString":"b"}],"odd":1}"#;
    let (lines, _) = check(whole, Some(r#"{"resourceType":"Patient","deceasedBoolean":false}"#), &reasons);
    assert_eq!(
        lines,
        [
            "deceasedBoolean | Shown | To stop letters.",
            "extension us-core-race| Withheld | No task of Billing needs it.",
            "extension own| Withheld | An extension that the policy does not name is withheld.",
            "odd | Withheld | The policy does not place it, so that it is withheld.",
        ]
    );
}

#[test]
fn a_narrower_part_names_its_own_kind() {
    let reasons = [
        reason("Patient.contact", "Next of kin", SeenView::Full, &["reach the family"]),
        reason("Patient.contact.relationship.text", "Prose", SeenView::None, &[]),
    ];
    let whole = Tree::parse(br#"{"contact":[{"relationship":[{"text":"his aunt"}],"gender":"female"}]}"#).unwrap();
    let seen = Tree::parse(br#"{"contact":[{"gender":"female"}]}"#).unwrap();
    let nodes = align(&whole, &[Some(&seen)]);
    let columns = [Column { label: "Billing".to_owned(), reasons: &reasons, passes: false, refused: false }];
    let sections = sections("Patient", &nodes, &columns);
    let row = &sections[0].rows[0];
    assert_eq!((row.above.as_str(), row.name.as_str(), row.whole.as_str()), ("relationship · ", "text", "his aunt"));
    assert_eq!((row.cells[0].text.as_str(), row.cells[0].note.as_str()), ("", "prose"));
    assert_eq!(sections[0].verdicts[0].mark, Mark::PART);
}

#[test]
fn the_sentence_counts() {
    let say = |shown, masked, withheld| Counts { shown, masked, withheld }.sentence("Billing", "payment", "Patient");
    assert_eq!(say(14, 9, 39), "Billing for payment sees 23 of 62 elements of this Patient; 9 of them are masked.");
    assert_eq!(say(14, 1, 0), "Billing for payment sees all 15 elements of this Patient; 1 of them is masked.");
    assert_eq!(say(3, 0, 0), "Billing for payment sees all 3 elements of this Patient.");
    assert_eq!(say(0, 0, 7), "Billing for payment sees nothing of this Patient.");
}

#[test]
fn a_long_value_is_cut_and_says_so() {
    assert_eq!(value("text", "short"), "short");
    assert!(value("data", &"A".repeat(4_000)).ends_with("… (4000 characters)"));
}
