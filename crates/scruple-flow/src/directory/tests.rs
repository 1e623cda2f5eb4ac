//! Every standing with everything that can be told.

use super::*;

fn text(value: &str) -> Option<Phi<String>> {
    Some(Phi::new(value.to_owned()))
}

fn place(title: &str, roles: &[&str]) -> Place {
    let roles = roles.iter().map(|role| role.parse().unwrap()).collect();
    Place { title: text(title), department: text("canary-unit-41aa"), organisation: None, roles }
}

fn said(changes: &[Change]) -> String {
    let one = |change: &Change| match change {
        Change::Joiner => "joins".to_owned(),
        Change::Mover(Lost::All) => "moves, loses all".to_owned(),
        Change::Mover(Lost::Roles(roles)) => {
            let roles: Vec<_> = roles.iter().map(RoleCode::as_str).collect();
            format!("moves, loses {}", if roles.is_empty() { "none".to_owned() } else { roles.join("+") })
        }
        Change::LeaveStarts => "leave starts".to_owned(),
        Change::LeaveEnds => "leave ends".to_owned(),
        Change::Leaver => "leaves".to_owned(),
        Change::Rehired => "is rehired".to_owned(),
    };
    if changes.is_empty() { "-".to_owned() } else { changes.iter().map(one).collect::<Vec<_>>().join("; ") }
}

/// What is told of his being here: nothing, here, on leave, back, gone.
const TOLD: [(&str, Option<bool>, Option<bool>); 5] = [
    ("nothing", None, None),
    ("active", Some(true), None),
    ("on leave", Some(true), Some(true)),
    ("not on leave", Some(true), Some(false)),
    ("gone", Some(false), Some(true)),
];

#[test]
fn every_standing_meets_everything_that_can_be_told() {
    let before = place("nurse", &["nurse", "charge"]);
    let places = [
        ("same", before.clone()),
        ("title", place("coder", &["nurse", "charge"])),
        ("group left", place("nurse", &["nurse"])),
        ("group joined", place("nurse", &["nurse", "charge", "coder"])),
    ];
    let mut found = Vec::new();
    for standing in Standing::ALL {
        for (told, active, on_leave) in TOLD {
            let one =
                |(_, after): &(&str, Place)| said(&changes(standing, &before, after, Presence { active, on_leave }));
            let row: Vec<_> = places.iter().map(one).collect();
            let row = if row.iter().all(|cell| *cell == row[0]) {
                format!("{} whatever else", row[0])
            } else {
                row.join(" | ")
            };
            found.push(format!("{standing:?}, {told}: {row}"));
        }
    }
    let moves = "- | moves, loses all | moves, loses charge | moves, loses none";
    let with = |more: &str| {
        let cells = ["", "moves, loses all; ", "moves, loses charge; ", "moves, loses none; "];
        cells.map(|cell| format!("{cell}{more}")).join(" | ")
    };
    let expected = [
        "Unknown, nothing: joins whatever else".to_owned(),
        "Unknown, active: joins whatever else".to_owned(),
        "Unknown, on leave: joins; leave starts whatever else".to_owned(),
        "Unknown, not on leave: joins whatever else".to_owned(),
        "Unknown, gone: joins; leaves whatever else".to_owned(),
        format!("Here, nothing: {moves}"),
        format!("Here, active: {moves}"),
        format!("Here, on leave: {}", with("leave starts")),
        format!("Here, not on leave: {moves}"),
        "Here, gone: leaves whatever else".to_owned(),
        format!("LeavePlanned, nothing: {moves}"),
        format!("LeavePlanned, active: {moves}"),
        format!("LeavePlanned, on leave: {}", with("leave starts")),
        format!("LeavePlanned, not on leave: {moves}"),
        "LeavePlanned, gone: leaves whatever else".to_owned(),
        format!("OnLeave, nothing: {moves}"),
        format!("OnLeave, active: {moves}"),
        format!("OnLeave, on leave: {moves}"),
        format!("OnLeave, not on leave: {}", with("leave ends")),
        "OnLeave, gone: leaves whatever else".to_owned(),
        format!("Returning, nothing: {moves}"),
        format!("Returning, active: {moves}"),
        format!("Returning, on leave: {}", with("leave starts")),
        format!("Returning, not on leave: {moves}"),
        "Returning, gone: leaves whatever else".to_owned(),
        "Left, nothing: - whatever else".to_owned(),
        "Left, active: is rehired whatever else".to_owned(),
        "Left, on leave: is rehired; leave starts whatever else".to_owned(),
        "Left, not on leave: is rehired whatever else".to_owned(),
        "Left, gone: - whatever else".to_owned(),
    ];
    assert_eq!(found, expected);
}

#[test]
fn department_and_organisation_move_as_a_title_does() {
    let before = place("nurse", &["nurse"]);
    let other = |change: fn(&mut Place)| {
        let mut after = before.clone();
        change(&mut after);
        said(&changes(Standing::Here, &before, &after, Presence::default()))
    };
    assert_eq!(other(|place| place.department = text("ED")), "moves, loses all");
    assert_eq!(other(|place| place.department = None), "moves, loses all");
    assert_eq!(other(|place| place.organisation = text("North clinic")), "moves, loses all");
}

#[test]
fn how_somebody_stands_depends_on_the_instant() {
    let at = Timestamp::from_micros;
    let person = Id::from_uuid(uuid::Uuid::from_u128(1));
    let leave = |state| Leave {
        id: Id::from_uuid(uuid::Uuid::from_u128(2)),
        person,
        starts_at: at(10),
        noted_by: person,
        state,
        version: 1,
    };
    let (open, returning) = (leave(LeaveState::Open), leave(LeaveState::Returning { ended_at: at(20) }));
    let closed = leave(LeaveState::Closed { at: at(30), by: person });
    for (now, left_at, leave, expected) in [
        (9, None, None, Standing::Here),
        (9, None, Some(&open), Standing::LeavePlanned),
        (10, None, Some(&open), Standing::OnLeave),
        (25, None, Some(&returning), Standing::Returning),
        (35, None, Some(&closed), Standing::Here),
        (9, Some(10), Some(&open), Standing::LeavePlanned),
        (10, Some(10), Some(&open), Standing::Left),
    ] {
        assert_eq!(Standing::at(at(now), left_at.map(at), leave), expected, "{now} {leave:?}");
    }
}

#[test]
fn a_kind_of_employment_is_known_or_none() {
    for kind in Employment::ALL {
        assert_eq!(Employment::told(kind.as_str()), Some(kind));
        assert_eq!(Employment::told(&kind.as_str().to_uppercase().replace('_', " ")), Some(kind));
    }
    for unknown in ["", "Contractor", "employees", "canary-kind-41aa"] {
        assert_eq!(Employment::told(unknown), None);
    }
}

#[test]
fn a_value_is_bounded_and_no_error_repeats_it() {
    assert_eq!(value("  "), Ok(None));
    assert_eq!(value(" RN II ").unwrap().unwrap().expose(), "RN II");
    assert!(value(&"a".repeat(DIRECTORY_VALUE_BYTES_MAX)).is_ok());
    for wrong in ["canary-41aa\u{0}".to_owned(), "a".repeat(DIRECTORY_VALUE_BYTES_MAX + 1)] {
        assert!(!value(&wrong).unwrap_err().to_string().contains("canary"));
    }
    assert!(!format!("{:?}", place("canary-title-41aa", &[])).contains("41aa"));
}
