//! Roles by how much they see.

use scruple_policy::{PackFiles, breadth, read};

#[test]
fn roles_stand_by_how_much_they_see_the_broadest_first() {
    let pack = read(&PackFiles::embedded()).unwrap_or_else(|problems| panic!("{problems:?}"));
    let found = breadth(&pack);
    assert_eq!(found.len(), pack.roles.values().filter(|role| !role.is_profile).count());
    assert!(found.is_sorted_by(|one, next| one.score >= next.score));
    assert!(found.iter().all(|one| one.score <= one.of && one.full + one.part <= pack.categories.len()));
    let score = |name: &str| found.iter().find(|one| one.role == name).map(|one| one.score).unwrap();
    assert!(score("physician") > score("biller") && score("biller") > score("it_support"));
    // A kind more is seen in the number.
    let mut files = PackFiles::embedded();
    let role = files.0.get_mut("roles/biller.toml").unwrap();
    role.push_str("\n[[permit]]\nview = \"full\"\ntasks = [\"claims\"]\ncategories = [\"photo_biometric\"]\n");
    let wider = breadth(&read(&files).unwrap_or_else(|problems| panic!("{problems:?}")));
    let wider = wider.iter().find(|one| one.role == "biller").unwrap();
    assert_eq!(wider.score, score("biller") + 2);
}
