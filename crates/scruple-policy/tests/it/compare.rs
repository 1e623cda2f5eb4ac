//! The difference of two packs: exactly what was changed, with its direction.

use crate::{PACK, changed, with};
use scruple_policy::{Comparison, Direction, PackFiles, Side, compare, read};
use std::sync::LazyLock;

static FILES: LazyLock<PackFiles> = LazyLock::new(PackFiles::embedded);

fn against_shipped(files: &PackFiles) -> Comparison {
    let pack = read(files).unwrap_or_else(|problems| panic!("{problems:?}"));
    compare(Side { files: &FILES, pack: &PACK }, Side { files, pack: &pack })
}

/// One change, its direction, and its sentence; and the way back is the other direction.
fn check(file: &str, from: &str, to: &str, direction: Direction, sentence: &str) {
    check_all(file, from, to, &[(direction, sentence)]);
}

fn check_all(file: &str, from: &str, to: &str, expected: &[(Direction, &str)]) {
    let files = changed(file, from, to);
    let found = against_shipped(&files);
    let told: Vec<(Direction, &str)> =
        found.changes.iter().map(|change| (change.direction, change.sentence.as_str())).collect();
    assert_eq!(told, expected);
    let pack = read(&files).unwrap();
    let back = compare(Side { files: &files, pack: &pack }, Side { files: &FILES, pack: &PACK });
    let turned = |direction| match direction {
        Direction::Wider => Direction::Narrower,
        Direction::Narrower => Direction::Wider,
        Direction::Otherwise => Direction::Otherwise,
    };
    let mut back: Vec<Direction> = back.changes.iter().map(|change| change.direction).collect();
    let mut forth: Vec<Direction> = expected.iter().map(|(direction, _)| turned(*direction)).collect();
    back.sort();
    forth.sort();
    assert_eq!(back, forth);
}

#[test]
fn a_pack_has_no_difference_to_itself_nor_to_one_with_other_comments_and_order() {
    assert_eq!(against_shipped(&FILES).changes, []);
    let reordered = changed(
        "roles/coder.toml",
        "categories = [\"id_name\", \"id_birth_sex\", \"id_mrn\", \"care_team\"]",
        "categories = [\"care_team\", \"id_mrn\", \"id_birth_sex\", \"id_name\"]",
    );
    let told = against_shipped(&reordered);
    let sentences: Vec<&str> = told.changes.iter().map(|change| change.sentence.as_str()).collect();
    assert_eq!(sentences, ["The coder decides as before; its file reads otherwise."]);
    let commented = changed("roles/coder.toml", "# the payer chooses", "# it is the payer who chooses");
    assert_eq!(against_shipped(&commented).changes, []);
}

#[test]
fn a_kind_of_information_that_a_role_loses_is_narrower_and_the_way_back_is_wider() {
    check(
        "roles/coder.toml",
        "\"devices\", \"documents\", \"free_text\",",
        "\"devices\", \"free_text\",",
        Direction::Narrower,
        "The coder no longer sees notes, letters, reports, scans, all attachments.",
    );
}

#[test]
fn a_view_that_becomes_masked_is_told_with_both_views() {
    let found = against_shipped(&changed("roles/nurse.toml", "view = \"masked:zip5\"", "view = \"masked:zip3\""));
    let [change] = &found.changes[..] else { panic!("{found:?}") };
    assert_eq!((change.role.as_deref(), change.what.as_str()), (Some("nurse"), "contact_address"));
    let sentence = &change.sentence;
    assert!(sentence.contains("masked (three digits of the ZIP code only)"), "{sentence}");
    assert!(sentence.contains("instead of masked (the ZIP code only)"), "{sentence}");
}

#[test]
fn a_condition_more_is_narrower_and_names_it() {
    let found = against_shipped(&changed(
        "roles/coder.toml",
        "view = \"masked:payer\"",
        "when = [\"relationship\", \"part2_consent\"]\nview = \"masked:payer\"",
    ));
    let [change] = &found.changes[..] else { panic!("{found:?}") };
    assert_eq!((change.direction, change.what.as_str()), (Direction::Narrower, "coverage"));
    assert!(change.after.as_ref().unwrap().contains("written Part 2 consent"), "{change:?}");
}

#[test]
fn a_purpose_is_told_once_and_not_for_each_kind() {
    check(
        "roles/coder.toml",
        "also = [\"HQUALIMP\"]",
        "also = []",
        Direction::Narrower,
        "The coder no longer acts for HQUALIMP.",
    );
}

#[test]
fn emergency_approvals_console_and_relationships_have_a_direction() {
    check(
        "roles/nurse.toml",
        "emergency_access = true",
        "emergency_access = false",
        Direction::Narrower,
        "The nurse can no longer open a record in an emergency.",
    );
    check(
        "approvals.csv",
        "tier:low,patients,manager,72,24,no,",
        "tier:low,patients,manager;privacy_officer,72,24,no,",
        Direction::Narrower,
        "Access to records of named patients in roles of low risk: agreed to by manager and privacy officer, for 72 hours at most, decided within 24 hours, after 16 hours without an answer by privacy officer too; before: agreed to by manager, for 72 hours at most, decided within 24 hours, after 16 hours without an answer by privacy officer too.",
    );
    check(
        "approvals.csv",
        "manager,2160,72,no,\"a quarter; then it is asked for anew\",privacy_officer,48",
        "manager,2160,72,no,\"a quarter; then it is asked for anew\",,",
        Direction::Narrower,
        "Access to the role roles of low risk: agreed to by manager, for 2160 hours at most, decided within 72 hours; before: agreed to by manager, for 2160 hours at most, decided within 72 hours, after 48 hours without an answer by privacy officer too.",
    );
    check(
        "pack.toml",
        "extensions_max = 2 ",
        "extensions_max = 3 ",
        Direction::Wider,
        "House rule of the desk: `extensions_max` is 3; before: 2.",
    );
    check(
        "approvals.csv",
        "any,segment:hiv,privacy_officer+outside_line,72,24,yes,",
        "any,segment:hiv,privacy_officer,72,24,yes,",
        Direction::Otherwise,
        "Access to hiv of named patients, beside what its role asks for: agreed to by privacy officer, who confirm who they are, for 72 hours at most, decided within 24 hours; before: agreed to by privacy officer outside the line of who asks, who confirm who they are, for 72 hours at most, decided within 24 hours.",
    );
    check(
        "approvals.csv",
        "any,segment:sti,privacy_officer+outside_line,72,24,yes,,,\n",
        "",
        Direction::Wider,
        "Access to sti of named patients, beside what its role asks for: as any other; before: agreed to by privacy officer outside the line of who asks, who confirm who they are, for 72 hours at most, decided within 24 hours.",
    );
    check(
        "console.csv",
        "people,manager,team,",
        "people,manager,all,",
        Direction::Wider,
        "The manager may do `people` in the console for everybody; before, for those who report to him.",
    );
    check(
        "pack.toml",
        "relationships = \"resolved\"",
        "relationships = \"assumed\"",
        Direction::Wider,
        "Relationships are assumed for everybody; before, looked up in the record system.",
    );
    let found = against_shipped(&changed("relationships.csv", "nurse,0h..72h,", "nurse,0h..24h,"));
    let told: Vec<_> = found.changes.iter().map(|change| (change.role.as_deref(), change.direction)).collect();
    // The line of the table is told too: it has words of its own.
    assert_eq!(told, [(Some("nurse"), Direction::Narrower), (None, Direction::Otherwise)]);
}

#[test]
fn segments_tasks_and_words_of_a_role_are_told() {
    let line = "coder,none,none,consent,follow,follow,follow,follow,follow,follow,grant,";
    let less = "coder,none,none,consent,coded,follow,follow,follow,follow,follow,grant,";
    let found = against_shipped(&changed("segment-by-role.csv", line, less));
    let [change] = &found.changes[..] else { panic!("{found:?}") };
    assert_eq!((change.what.as_str(), change.direction), ("sud_other", Direction::Narrower));
    check(
        "roles/coder.toml",
        "query = \"query the author\"",
        "query = \"ask the author\"",
        Direction::Otherwise,
        "The coder has the task query: ask the author; before: query the author.",
    );
    check(
        "roles/coder.toml",
        "risk_tier = \"medium\"",
        "risk_tier = \"high\"",
        Direction::Otherwise,
        "The coder. Its risk tier is high; before: medium.",
    );
}

#[test]
fn a_guardrail_narrows_and_a_changed_line_of_a_table_is_never_silent() {
    let rule = "forbid (principal == Role::\"coder\", action, resource == Category::\"labs\");\n";
    let found = against_shipped(&with("guardrails/house.cedar", rule));
    let [change] = &found.changes[..] else { panic!("{found:?}") };
    assert_eq!(change.direction, Direction::Narrower);
    let found = against_shipped(&changed(
        "conditions.csv",
        "break-glass is active for this caller and patient",
        "break-glass is active",
    ));
    assert!(!found.changes.is_empty());
    assert!(found.changes.iter().any(|change| change.sentence.starts_with("conditions.csv: emergency_elevation")));
}

#[test]
fn a_seeded_set_of_changes_is_found_exactly_and_always_in_the_same_order() {
    let mut files =
        changed("roles/coder.toml", "\"devices\", \"documents\", \"free_text\",", "\"devices\", \"free_text\",");
    let text = files.0.get_mut("roles/nurse.toml").unwrap();
    *text = text.replace("categories = [\"coverage\"]", "categories = [\"coverage\", \"balance\"]");
    let text = files.0.get_mut("console.csv").unwrap();
    *text = text.replace("people,manager,team,\n", "");
    let copy = files.0["roles/front_desk.toml"].replace("Front desk, check-in", "Front desk of the annexe");
    files.0.insert("roles/annexe_desk.toml".to_owned(), copy);
    let text = files.0.get_mut("segment-by-role.csv").unwrap();
    let line = text.lines().find(|line| line.starts_with("front_desk,")).unwrap().replace("front_desk", "annexe_desk");
    text.push_str(&format!("{line}\n"));
    let found = against_shipped(&files);
    let told: Vec<_> = found
        .changes
        .iter()
        .map(|change| (change.role.as_deref().unwrap_or("-"), change.what.as_str(), change.direction.word()))
        .collect();
    assert_eq!(
        told,
        [
            ("annexe_desk", "annexe_desk", "wider"),
            ("coder", "documents", "narrower"),
            ("nurse", "balance", "wider"),
            ("-", "people manager", "narrower"),
        ]
    );
    assert_eq!(found.tally(), "2 wider, 2 narrower");
    assert_eq!(found.roles().into_iter().collect::<Vec<_>>(), ["annexe_desk", "coder", "nurse"]);
    assert!(!found.is_narrowing());
    assert_eq!(against_shipped(&files), found);
    assert!(found.text().contains("\ncoder\n  narrower   The coder no longer sees notes"), "{}", found.text());
}
