//! Every state of a project with every event, who decides, and what is given for it.

use super::*;
use uuid::Uuid;

const WHY: &str = "The registry needs the codes and dates, and nothing else of the chart";
const DAY: i64 = 86_400;

fn person(number: u128) -> Id<Person> {
    Id::from_uuid(Uuid::from_u128(number))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn said() -> Phi<String> {
    Phi::new(WHY.to_owned())
}

fn role(code: &str) -> RoleCode {
    code.parse().unwrap()
}

fn assessment() -> Assessment {
    Assessment {
        title: Phi::new("Sepsis registry".to_owned()),
        purpose: "HQUALIMP".to_owned(),
        roles: [role("quality_analyst")].into(),
        kinds: "diagnoses labs".parse().unwrap(),
        flows: said(),
        retention: said(),
        level: DataLevel::Limited,
        level_reason: said(),
        ends_at: at(100 * DAY),
    }
}

fn project(state: ProjectState) -> Project {
    let proposed = Project::propose(Id::from_uuid(Uuid::from_u128(1)), person(10), assessment(), person(11), at(5));
    Project { state, ..proposed.unwrap() }
}

fn states() -> Vec<ProjectState> {
    let decision = || ProjectDecision { by: person(20), at: at(6), comment: said() };
    vec![
        ProjectState::Proposed,
        ProjectState::Approved(decision()),
        ProjectState::Refused(decision()),
        ProjectState::Withdrawn(at(6)),
        ProjectState::Ended(decision(), person(20), at(7)),
    ]
}

fn ends(found: Result<Project, ProjectError>) -> &'static str {
    match found {
        Ok(project) => project.state.code(),
        Err(error) => error.code(),
    }
}

#[test]
fn every_state_with_every_event() {
    let mut table = String::new();
    for state in states() {
        let project = || project(state.clone());
        table.push_str(&format!(
            "{}: approve {}, refuse {}, withdraw {}, end {}\n",
            state.code(),
            ends(project().approve(person(20), said(), at(9))),
            ends(project().deny(person(20), said(), at(9))),
            ends(project().withdraw(person(11), at(9))),
            ends(project().end(person(10), false, at(9))),
        ));
    }
    let no = "invalid_project_state";
    let over = format!("approve {no}, refuse {no}, withdraw {no}, end");
    let expected = format!(
        "proposed: approve approved, refuse refused, withdraw withdrawn, end {no}\n\
         approved: {over} ended\n\
         refused: {over} {no}\n\
         withdrawn: {over} {no}\n\
         ended: {over} {no}\n"
    );
    assert_eq!(table, expected);
}

#[test]
fn nobody_assesses_his_own_and_only_those_involved_take_it_back_or_end_it() {
    for own in [10, 11] {
        assert_eq!(ends(project(ProjectState::Proposed).approve(person(own), said(), at(9))), "own_project");
        assert_eq!(ends(project(ProjectState::Proposed).deny(person(own), said(), at(9))), "own_project");
    }
    let weak = project(ProjectState::Proposed).approve(person(20), Phi::new("ok".to_owned()), at(9));
    assert_eq!(weak, Err(ProjectError::Said { field: "comment", reason: WeakReason::Short }));
    assert_eq!(ends(project(ProjectState::Proposed).withdraw(person(20), at(9))), "not_involved");
    let approved = || project(states().remove(1));
    assert_eq!(ends(approved().end(person(21), false, at(9))), "not_involved");
    assert_eq!(ends(approved().end(person(21), true, at(9))), "ended");
    assert_eq!(ends(project(ProjectState::Proposed).approve(person(20), said(), at(100 * DAY))), "project_dates");
}

#[test]
fn an_assessment_is_whole_or_it_is_none() {
    let propose = |change: fn(&mut Assessment)| {
        let mut assessment = assessment();
        change(&mut assessment);
        ends(Project::propose(Id::from_uuid(Uuid::from_u128(1)), person(10), assessment, person(11), at(5)))
    };
    for (change, expected) in [
        ((|_| {}) as fn(&mut Assessment), "proposed"),
        (|one| one.title = Phi::new(" ".to_owned()), "project_title"),
        (|one| one.title = Phi::new("a".repeat(201)), "project_title"),
        (|one| one.purpose = String::new(), "project_title"),
        (|one| one.roles.clear(), "project_roles"),
        (|one| one.roles = (0..17).map(|n| role(&format!("r{n}"))).collect(), "project_roles"),
        (|one| one.kinds = Kinds::Whole, "project_kinds"),
        (|one| one.ends_at = at(5), "project_dates"),
        (|one| one.ends_at = at(5 + 366 * DAY), "proposed"),
        (|one| one.ends_at = at(6 + 366 * DAY), "project_dates"),
        (|one| one.flows = Phi::new("ok".to_owned()), "reason_short"),
        (|one| one.retention = Phi::new(String::new()), "reason_short"),
        (|one| one.level_reason = Phi::new(String::new()), "reason_short"),
        (
            |one| {
                one.level = DataLevel::Deidentified;
                one.level_reason = Phi::new(String::new());
            },
            "proposed",
        ),
    ] {
        assert_eq!(propose(change), expected);
    }
}

#[test]
fn what_is_given_for_it_is_within_the_assessment_and_ends_with_it() {
    let whole = Some(&Kinds::Whole);
    let (labs, notes): (Kinds, Kinds) = ("labs".parse().unwrap(), "notes".parse().unwrap());
    let (labs, notes) = (Some(&labs), Some(&notes));
    let ask = |state: ProjectState, code: &str, kinds: Option<&Kinds>, until: i64, now: i64| {
        project(state).covers(&role(code), kinds, at(until), at(now)).map_err(ProjectError::code)
    };
    let approved = || states().remove(1);
    assert_eq!(ask(approved(), "quality_analyst", labs, 100 * DAY, 9), Ok(()));
    assert_eq!(ask(approved(), "quality_analyst", None, 100 * DAY, 9), Ok(()), "the role itself");
    assert_eq!(
        ask(approved(), "quality_analyst", whole, 100 * DAY, 9),
        Err("beyond_project"),
        "everything of patients"
    );
    assert_eq!(ask(approved(), "quality_analyst", notes, 50, 9), Err("beyond_project"));
    assert_eq!(ask(approved(), "nurse", labs, 50, 9), Err("beyond_project"));
    assert_eq!(ask(approved(), "quality_analyst", labs, 100 * DAY + 1, 9), Err("longer_than_project"));
    assert_eq!(ask(approved(), "quality_analyst", labs, 100 * DAY, 100 * DAY), Err("project_not_approved"));
    for state in [0, 2, 3, 4] {
        let state = states().remove(state);
        assert_eq!(ask(state, "quality_analyst", labs, 50, 9), Err("project_not_approved"));
    }
    assert_eq!(project(approved()).code_at(at(100 * DAY)), "ended");
}
