//! Access tasks in a pack: what the shipped one says, every kind of mistake in it, and that nobody who leads has a chart of his own.

use crate::{PACK, changed, day};
use scruple_core::{ConditionMask, View};
use scruple_policy::{PackFiles, Question, Severity, check, table};

#[track_caller]
fn refused(files: &PackFiles, file: &str, what: &str) {
    let checked = check(files, day("2026-03-01"));
    let all: String = checked.problems.iter().map(|problem| format!("{problem}\n")).collect();
    let found = checked
        .problems
        .iter()
        .any(|one| one.file == file && one.what.contains(what) && one.severity == Severity::Error);
    assert!(found && !checked.is_publishable(), "no `{what}` in {file}:\n{all}");
}

fn appended(file: &str, permit: &str) -> PackFiles {
    let mut files = PackFiles::embedded();
    files.0.get_mut(file).unwrap().push_str(&format!("\n[[permit]]\n{permit}"));
    files
}

const MANAGER: &str = "roles/manager.toml";

#[test]
fn a_standing_manager_role_with_a_full_chart_is_refused() {
    let chart = "view = \"full\"\ntasks = [\"oversight\"]\ncategories = [\"diagnoses\", \"documents\", \"labs\"]\n";
    refused(&appended(MANAGER, chart), MANAGER, "the administrative role `manager` sees `diagnoses` in full");
    // Not by a mask of every patient either.
    let every = "view = \"masked:coded\"\ntasks = [\"oversight\"]\ncategories = [\"diagnoses\"]\nwhen = []\n";
    refused(&appended(MANAGER, every), MANAGER, "`diagnoses` of every patient, with no condition asked");
    // Nor by taking the mark away, which would let the first through.
    let unmarked = changed(MANAGER, "administrative = true", "administrative = false");
    refused(&unmarked, MANAGER, "`manager` leads others or works by tasks");
    // Nor by a line that relates him to his unit's patients.
    let mut related = PackFiles::embedded();
    related.0.get_mut("relationships.csv").unwrap().push_str("manager,0h..72h,none,none,no,\n");
    refused(&related, MANAGER, "the administrative role `manager` has a standing relationship");
    assert!(check(&PackFiles::embedded(), day("2026-03-01")).is_publishable());
}

#[test]
fn a_manager_sees_counts_alone_without_a_task_and_the_case_with_one() {
    let pack = &PACK;
    let mask =
        |names: &[&str]| names.iter().fold(ConditionMask::NONE, |mask, name| mask.with(pack.condition(name).unwrap()));
    let phi = |conditions: &[&str]| -> Vec<String> {
        let question = Question { role: "manager".to_owned(), purpose: "HDM".to_owned(), conditions: mask(conditions) };
        let table = table(pack, &question).unwrap();
        let shown = pack.categories.iter().filter(|category| {
            let id = pack.category(&category.name).unwrap();
            category.phi && table.view(id) != View::None
        });
        shown.map(|category| category.name.clone()).collect()
    };
    for conditions in [&[][..], &["relationship"], &["oversight_task"]] {
        assert_eq!(phi(conditions), Vec::<String>::new(), "{conditions:?}");
    }
    let case = phi(&["relationship", "oversight_task"]);
    assert!(case.contains(&"encounter_admin".to_owned()) && case.contains(&"diagnoses".to_owned()), "{case:?}");
    for never in ["id_name", "id_national", "documents", "free_text", "contact_address", "messages"] {
        assert!(!case.contains(&never.to_owned()), "{never}");
    }
}

#[test]
fn the_shipped_pack_gives_tasks_to_managers_and_support_and_no_records_by_request() {
    let pack = &PACK;
    let line = pack.task("manager", "complaint").unwrap();
    assert_eq!((line.approvers.as_slice(), line.by_owner), (&["privacy_officer".to_owned()][..], false));
    assert!(pack.task("it_support", "support").unwrap().by_owner);
    for (role, kind) in [("nurse", "complaint"), ("manager", "support"), ("vendor_support", "support")] {
        assert_eq!(pack.task(role, kind), None, "{role} {kind}");
    }
    for role in ["manager", "it_support", "vendor_support"] {
        assert!(pack.approval(role, true).is_none() && pack.approval(role, false).is_some(), "{role}");
    }
    assert!(pack.system("ehr").unwrap().served && !pack.system("warehouse").unwrap().served);
    assert_eq!(pack.system("fax"), None);
}

#[test]
fn an_unmasked_field_is_that_field_alone_and_everything_else_stays_masked() {
    let pack = &PACK;
    let of = |conditions: &[&str]| {
        let mask = conditions.iter().fold(ConditionMask::NONE, |mask, name| mask.with(pack.condition(name).unwrap()));
        let (role, purpose) = ("it_support".to_owned(), "HSYSADMIN".to_owned());
        table(pack, &Question { role, purpose, conditions: mask }).unwrap()
    };
    let session = of(&["relationship"]);
    let fields = ["id_name", "id_birth_sex", "id_mrn", "contact_address", "contact_telecom", "coverage"];
    for field in fields {
        assert!(pack.may_unmask("it_support", field) && !pack.may_unmask("vendor_support", field), "{field}");
        let shown = of(&["relationship", &format!("unmask_{field}")]);
        for category in &pack.categories {
            let id = pack.category(&category.name).unwrap();
            let expected = if category.name == field { View::Full } else { session.view(id) };
            assert_eq!(shown.view(id), expected, "{} while {field} is unmasked", category.name);
        }
        assert!(matches!(session.view(pack.category(field).unwrap()), View::Masked(_)), "{field}");
        // Of no record but those of the session.
        assert_eq!(of(&[&format!("unmask_{field}")]).view(pack.category(field).unwrap()), View::None);
    }
    for never in ["documents", "diagnoses", "id_national", "clown"] {
        assert!(!pack.may_unmask("it_support", never), "{never}");
    }
}

#[test]
fn mistakes_in_the_tables_of_tasks_and_systems() {
    let tasks = |from: &str, to: &str, what: &str| refused(&changed("tasks.csv", from, to), "tasks.csv", what);
    tasks("manager,quality", "clown,quality", "`clown` is no role");
    tasks("manager,quality", "individual,quality", "`individual` is no role");
    tasks("complaint;", "gossip;", "`gossip` is no kind of task");
    tasks("audit,privacy_officer", "audit,clown", "`approvers` names `clown`");
    tasks("audit,privacy_officer", "audit,manager", "`approvers` names `manager`");
    tasks("audit,privacy_officer", "audit,", "`approvers` names ``");
    tasks("audit,privacy_officer", "audit,owner", "`owner` approves what is on no system");
    tasks(",4320,", ",0,", "`minutes` is `0`");
    tasks(",4320,", ",99999,", "`minutes` is `99999`");
    tasks(",480,", ",long,", "`idle_minutes` is `long`");
    tasks(",24,yes", ",24,maybe", "`step_up` is `maybe`");
    tasks("vendor_support,remote", "it_support,remote", "`it_support` and `remote_support` stand twice");
    let systems = |from: &str, to: &str, what: &str| refused(&changed("systems.csv", from, to), "systems.csv", what);
    systems("warehouse,", "ehr,", "`ehr` is no name of a system, or stands twice");
    systems("administrator,yes", "clown,yes", "`clown` is no role");
    systems("administrator,yes", "administrator,often", "`served` is `often`");
    systems("warehouse\",administrator,no", "warehouse\",administrator,yes", "a second system is served");
    // Without the files there are none.
    let mut without = PackFiles::embedded();
    without.0.remove("tasks.csv");
    without.0.remove("systems.csv");
    let pack = scruple_policy::read(&without).unwrap();
    assert!(pack.tasks.is_empty() && pack.systems.is_empty() && pack.task("manager", "audit").is_none());
}
