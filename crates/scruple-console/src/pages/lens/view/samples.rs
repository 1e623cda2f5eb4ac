//! Samples of the Lens: hostile text, a very long name, right-to-left text, a withheld record, two roles, a record of one
//! part.

use super::*;
use crate::lens::{PurposeChoice, SeenView};
use crate::pages::samples::HOSTILE;

const LONG: &str = "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwarengewissenhaftschaferswessenschafe";

fn catalogue() -> Catalogue {
    let role = |name: &str, label: &str| RoleChoice {
        name: name.to_owned(),
        label: label.to_owned(),
        purposes: vec![
            PurposeChoice { code: "HPAYMT".to_owned(), words: "payment".to_owned() },
            PurposeChoice { code: HOSTILE.to_owned(), words: HOSTILE.to_owned() },
        ],
    };
    Catalogue {
        roles: vec![role("biller", "Billing, collections"), role(HOSTILE, HOSTILE), role("nurse", LONG)],
        patients: vec!["every kind of information".to_owned(), HOSTILE.to_owned()],
        first: 0,
        policy: "0123456789abcdef".to_owned(),
    }
}

fn view(role: &str) -> ViewAs {
    ViewAs { role: role.to_owned(), purpose: "HPAYMT".to_owned() }
}

fn seen(bytes: Option<&str>, passes: bool) -> Seen {
    let outcome = match bytes {
        Some(bytes) => Outcome::Shown { bytes: bytes.as_bytes().to_vec(), passes },
        None => Outcome::Withheld { code: "policy".to_owned(), words: format!("No {HOSTILE}.") },
    };
    let reason = |path: &str, view: SeenView| Reason {
        path: path.to_owned(),
        category: HOSTILE.to_owned(),
        kind: HOSTILE.to_owned(),
        view,
        tasks: vec![HOSTILE.to_owned()],
        rule: Some(HOSTILE.to_owned()),
        missing: vec![HOSTILE.to_owned()],
        because: None,
    };
    Seen {
        outcome,
        reasons: vec![
            reason("Patient.name", SeenView::Full),
            reason("Patient.gender", SeenView::Masked(HOSTILE.to_owned())),
            reason("Patient.telecom", SeenView::None),
        ],
        release: "0198c0de-0000-7000-8000-000000000000".to_owned(),
    }
}

/// Every sample as HTML.
pub fn all() -> Vec<String> {
    let hostile = HOSTILE.replace('"', "\\\"");
    let whole = format!(
        r#"{{"resourceType":"Patient","id":"x","name":[{{"family":"{LONG}","given":["{hostile}","שלום"]}}],"gender":"{hostile}","telecom":[{{"value":"{hostile}"}},{{"value":"1"}}],"{hostile}":"{hostile}","empty":{{}},"none":[]}}"#
    );
    let part = format!(
        r#"{{"resourceType":"Patient","id":"x","gender":"m","name":[{{"given":["{hostile}"]}}],"own":"{hostile}"}}"#
    );
    let whole = Tree::parse(whole.as_bytes()).unwrap();
    let items: Vec<RecordItem> = ["Patient", "Observation", "Observation", HOSTILE]
        .iter()
        .map(|kind| RecordItem { kind: (*kind).to_owned(), title: HOSTILE.to_owned() })
        .collect();
    let untitled = [RecordItem { kind: "Patient".to_owned(), title: String::new() }];
    let one = |role: &str, seen: Seen| Reader { view: view(role), seen };
    let ask =
        |item: usize, beside: Option<&str>| Ask { record: 1, item, view: view("biller"), beside: beside.map(view) };
    let pages = [
        build(&catalogue(), &ask(0, None), &items, &whole, &[one("biller", seen(Some(&part), false))]),
        build(
            &catalogue(),
            &ask(1, Some(HOSTILE)),
            &items,
            &whole,
            &[one("biller", seen(Some(&part), false)), one(HOSTILE, seen(None, false))],
        ),
        build(&catalogue(), &ask(0, None), &untitled, &whole, &[one("nurse", seen(None, false))]),
        build(&catalogue(), &ask(0, None), &untitled, &whole, &[one("nurse", seen(Some("{}"), true))]),
    ];
    pages.into_iter().map(|page| page.unwrap().render().unwrap()).collect()
}
