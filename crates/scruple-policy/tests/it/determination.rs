//! A role as 164.514(d)(2) asks for it.

use crate::{PACK, changed};
use scruple_policy::{Determination, Standing, UnknownRole, read};

fn standing() -> Standing {
    Standing { members: Some(24), review_due: Some("2027-03-02".to_owned()) }
}

fn of(role: &str) -> Determination {
    Determination::of(&PACK, role, &standing()).unwrap()
}

/// The hash is the pack's, not the page's.
fn without_hash(text: &str) -> String {
    let hash = PACK.hash.to_string();
    text.replace(&hash[..12], "HASH")
}

#[test]
fn the_role_coder_prints_as_the_table_of_164_514_d_2() {
    insta::assert_snapshot!("coder_table_text", without_hash(&of("coder").text(110)));
}

#[test]
fn the_table_prints_as_markdown_and_as_a_page() {
    insta::assert_snapshot!("coder_table_markdown", without_hash(&of("coder").markdown()));
    let html = of("coder").html();
    for part in
        ["<h1>", "Persons or classes of persons", "<th scope=\"col\">category of PHI</th>", "read the encounter record"]
    {
        assert!(html.contains(part), "{part}");
    }
}

#[test]
fn every_role_has_each_part_and_each_category_stands_once_on_one_side() {
    for role in PACK.roles.keys() {
        let table = of(role);
        assert!(!table.persons.is_empty() && !table.rationale.is_empty() && !table.owner.is_empty(), "{role}");
        assert!(!table.purposes.is_empty() && table.purposes.iter().all(|one| !one.ground.is_empty()), "{role}");
        assert!(table.source.contains(PACK.roles[role].file.as_str()), "{role}");
        let mut seen: Vec<&str> = table.needs.iter().map(|need| need.category.as_str()).collect();
        seen.dedup();
        assert_eq!(seen.len() + table.none.len(), PACK.categories.len(), "{role}");
        assert!(table.needs.iter().all(|need| !need.tasks.is_empty() || PACK.roles[role].is_profile), "{role}");
    }
}

#[test]
fn text_of_a_pack_is_escaped_on_the_page_and_an_unknown_role_is_refused() {
    let files = changed("roles/coder.toml", "Medical coder, CDI", "<img src=x onerror=alert(1)> & co");
    let pack = read(&files).unwrap();
    let html = Determination::of(&pack, "coder", &Standing::default()).unwrap().html();
    assert!(!html.contains("<img"), "{html}");
    assert!(html.contains("&lt;img src=x onerror=alert(1)&gt; &amp; co"));
    let unknown = Determination::of(&PACK, "wizard", &Standing::default());
    assert_eq!(unknown.unwrap_err(), UnknownRole("wizard".to_owned()));
}
