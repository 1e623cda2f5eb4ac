//! Every state with every event, every kind with its rule.

use super::*;
use uuid::Uuid;

fn id(number: u128) -> Id<Person> {
    Id::from_uuid(Uuid::from_u128(number))
}

fn day(days: i64) -> Timestamp {
    Timestamp::from_micros(days * DAY_MICROS)
}

fn noticed() -> Dormancy {
    let own = Id::from_uuid(Uuid::from_u128(9));
    Dormancy::noticed(own, id(1), day(0), IdleRules::default().human, day(45)).unwrap()
}

#[test]
fn every_state_of_an_idle_account_meets_every_event() {
    let states = [
        ("noticed", DormancyState::Noticed),
        ("used", DormancyState::Used { at: day(46) }),
        ("restored", DormancyState::Restored { at: day(70), by: id(2) }),
        ("left", DormancyState::Left { at: day(50), by: id(7) }),
    ];
    let said = |what: Result<Dormancy, DormancyError>| match what {
        Ok(one) => match one.state {
            DormancyState::Noticed => "noticed".to_owned(),
            DormancyState::Used { .. } => "used".to_owned(),
            DormancyState::Restored { by, .. } => format!("restored by {}", by.uuid().as_u128()),
            DormancyState::Left { by, .. } => format!("left by {}", by.uuid().as_u128()),
        },
        Err(error) => error.to_string(),
    };
    let mut found = Vec::new();
    for (name, state) in states {
        let one = || Dormancy { state, ..noticed() };
        found.push(format!("{name}, used in time: {}", said(one().used(day(58)))));
        found.push(format!("{name}, used at its end: {}", said(one().used(day(59)))));
        found.push(format!("{name}, restored too soon: {}", said(one().restored(id(2), true, day(58)))));
        found.push(format!("{name}, restored: {}", said(one().restored(id(2), true, day(59)))));
        found.push(format!("{name}, restored by whoever: {}", said(one().restored(id(3), false, day(60)))));
        found.push(format!("{name}, restored by himself: {}", said(one().restored(id(1), true, day(60)))));
        found.push(format!("{name}, leaves: {}", said(Ok(one().closed_by_leaving(id(7), day(60))))));
    }
    let manager = "an account is brought back by a manager or owner of it who is here";
    let closed = |name: &str, left: &str| {
        let events = ["used in time", "used at its end", "restored too soon", "restored", "restored by whoever"];
        let mut rows: Vec<String> = events.iter().map(|event| format!("{name}, {event}: the notice is over")).collect();
        rows.push(format!("{name}, restored by himself: the notice is over"));
        rows.push(format!("{name}, leaves: {left}"));
        rows
    };
    let mut expected = vec![
        "noticed, used in time: used".to_owned(),
        "noticed, used at its end: the account is disabled".to_owned(),
        "noticed, restored too soon: the account is not disabled".to_owned(),
        "noticed, restored: restored by 2".to_owned(),
        format!("noticed, restored by whoever: {manager}"),
        format!("noticed, restored by himself: {manager}"),
        "noticed, leaves: left by 7".to_owned(),
    ];
    expected.extend(closed("used", "used"));
    expected.extend(closed("restored", "restored by 2"));
    expected.extend(closed("left", "left by 7"));
    assert_eq!(found, expected);
}

#[test]
fn each_kind_is_idle_by_its_own_rule() {
    let rules = IdleRules::default();
    let idle_at = |kind, controls| rules.rule(kind, controls).map(|rule| (rule.idle_days, rule.notice_days));
    for (kind, expected) in [
        (AccountKind::Human, Some((45, 14))),
        (AccountKind::Agency, Some((30, 7))),
        (AccountKind::Trainee, Some((45, 14))),
        (AccountKind::Service, Some((90, 14))),
        (AccountKind::Vendor, Some((30, 7))),
        (AccountKind::Emergency, None),
    ] {
        assert_eq!(idle_at(kind, true), expected, "{kind:?}");
    }
    assert_eq!(idle_at(AccountKind::Emergency, false), Some((45, 14)), "without its controls");
    let own = Id::from_uuid(Uuid::from_u128(9));
    let short = day(45).plus_micros(-1);
    assert_eq!(Dormancy::noticed(own, id(1), day(0), rules.human, short), None);
    assert_eq!(noticed().disabled_at, day(59));
}

#[test]
fn a_kind_is_registered_or_follows_from_employment() {
    for kind in AccountKind::ALL {
        assert_eq!(AccountKind::of(kind.as_str()), Some(kind));
        assert_eq!(AccountKind::judged(Some(kind), Some(Employment::Employee)), kind);
    }
    assert_eq!(AccountKind::of("shared"), None);
    let told = Employment::ALL.map(|employment| AccountKind::judged(None, Some(employment)).as_str());
    assert_eq!(told, ["human", "human", "human", "trainee", "human", "agency", "vendor", "service"]);
    assert_eq!(AccountKind::judged(None, None), AccountKind::Human);
}

fn account() -> Account {
    Account {
        person: id(1),
        kind: AccountKind::Service,
        owner: Some(id(2)),
        purpose: Phi::new("sends results to the registry".to_owned()),
        scopes: vec!["scruple.evaluate".to_owned()],
        rotate_by: day(90),
        review_days: 30,
        reviewed_at: day(0),
        ends_at: day(365),
        version: 1,
    }
}

#[test]
fn a_system_has_an_owner_scopes_a_rotation_a_review_and_an_end() {
    let check = |change: fn(&mut Account), here: bool| {
        let mut one = account();
        change(&mut one);
        one.checked(here, day(0)).map(drop)
    };
    assert_eq!(check(|_| {}, true), Ok(()));
    assert_eq!(check(|_| {}, false), Err(AccountError::Owner));
    assert_eq!(check(|one| one.owner = None, true), Err(AccountError::Owner));
    assert_eq!(check(|one| one.owner = Some(id(1)), true), Err(AccountError::Owner));
    assert_eq!(check(|one| one.kind = AccountKind::Human, true), Err(AccountError::Kind));
    assert_eq!(check(|one| one.scopes.clear(), true), Err(AccountError::Scopes));
    assert_eq!(check(|one| one.scopes = vec!["*".to_owned()], true), Err(AccountError::Scopes));
    assert_eq!(check(|one| one.scopes = vec!["a".to_owned(); 17], true), Err(AccountError::Scopes));
    assert_eq!(check(|one| one.rotate_by = day(0), true), Err(AccountError::Dates));
    assert_eq!(check(|one| one.ends_at = day(733), true), Err(AccountError::Dates));
    assert_eq!(check(|one| one.review_days = 0, true), Err(AccountError::Dates));
    let waits = Account { kind: AccountKind::Emergency, ..account() };
    for (days, owner_is_here, expected) in [(29, true, true), (30, true, false), (29, false, false)] {
        assert_eq!(waits.has_controls(owner_is_here, day(days)), expected, "{days}");
    }
}

#[test]
fn a_login_that_names_a_place_or_a_job_is_nobody_s() {
    let generic = |login: &str| is_generic(&login.parse().unwrap());
    for login in
        ["frontdesk", "Front-Desk", "front.desk2@hospital.example", "ER_shared", "nurse01", "test", "lab-staff"]
    {
        assert!(generic(login), "{login}");
    }
    for login in ["ana", "ed.miller", "nurse.jackson@hospital.example", "m.desk", "12345", "scim"] {
        assert!(!generic(login), "{login}");
    }
}
