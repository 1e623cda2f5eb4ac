//! The steps of a pack.

use scruple_policy::{Direction, Pack, PackFiles, Side, compare, read};

fn with(lines: &str) -> PackFiles {
    let mut files = PackFiles::embedded();
    files.0.insert("steps.csv".to_owned(), format!("step,who,kind,days,label\n{lines}"));
    files
}

fn names(files: &PackFiles, role: &str) -> Vec<String> {
    read(files).unwrap().steps_of(role).map(|line| line.name.clone()).collect()
}

#[test]
fn a_role_asks_for_its_own_steps_and_for_those_of_everyone_and_a_pack_need_not_have_any() {
    assert_eq!(names(&PackFiles::embedded(), "nurse"), Vec::<String>::new());
    let files = with("basics,everyone,training,365,HIPAA basics\nward,nurse,acknowledgement,30,the ward's rules\n");
    assert_eq!(names(&files, "nurse"), ["basics", "ward"]);
    assert_eq!(names(&files, "biller"), ["basics"]);
    assert_eq!(names(&files, "service_account"), Vec::<String>::new(), "a system takes no course");
    for wrong in [
        "Basics,everyone,training,365,x\n",
        "basics,plumber,training,365,x\n",
        "basics,everyone,exam,365,x\n",
        "basics,everyone,training,0,x\n",
        "basics,nurse,training,365,x\nbasics,nurse,training,365,x\n",
        "basics,nurse,training,365,x\nbasics,biller,training,30,x\n",
    ] {
        let problems = read(&with(wrong)).unwrap_err();
        assert!(problems.iter().all(|problem| problem.file == "steps.csv"), "{problems:?}");
    }
}

#[test]
fn a_step_that_is_asked_for_no_more_is_told_as_wider() {
    let [none, month, year] = ["", "basics,nurse,training,30,x\n", "basics,nurse,training,365,x\n"]
        .map(|lines| (with(lines), read(&with(lines)).unwrap()));
    fn side((files, pack): &(PackFiles, Pack)) -> Side<'_> {
        Side { files, pack }
    }
    let direction = |before, after| {
        let found = compare(side(before), side(after));
        found.changes.iter().find(|change| change.what == "nurse basics").map(|change| change.direction)
    };
    assert_eq!(direction(&month, &none), Some(Direction::Wider));
    assert_eq!(direction(&none, &month), Some(Direction::Narrower));
    assert_eq!(direction(&month, &year), Some(Direction::Wider));
    assert_eq!(direction(&year, &year), None);
}
