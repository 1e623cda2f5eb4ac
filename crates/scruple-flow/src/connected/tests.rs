//! Drift in every state under every event, and what no sequence of events does.

use super::*;
use uuid::Uuid;

fn id<T>(number: u128) -> Id<T> {
    Id::from_uuid(Uuid::from_u128(number))
}

fn second(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * SECOND_MICROS)
}

const WHY: &str = "The vendor migrates until the end of the month";
const HER: u128 = 1;
const OTHER: u128 = 2;

fn drift(kind: DriftKind) -> Drift {
    let about_account = matches!(kind, DriftKind::Extra | DriftKind::Orphan | DriftKind::Missing);
    let about_right = matches!(kind, DriftKind::Extra | DriftKind::Missing | DriftKind::Undecided);
    Drift {
        id: id(9),
        system: id(8),
        kind,
        cause: DriftCause::Drift,
        account: about_account.then(|| Phi::new(There { reference: "17".to_owned(), name: "ana".to_owned() })),
        person: about_account.then(|| id(HER)),
        right: about_right.then(|| id(7)),
        opened_at: second(10),
        state: DriftState::Open,
        version: 1,
    }
}

fn said(what: Result<Drift, DriftError>) -> String {
    match what {
        Ok(drift) => match drift.removal() {
            Some(removal) => format!(
                "{} after {} tries{}, next at {}",
                drift.state.code(),
                removal.attempts,
                removal.failure.map(|failure| format!(" ({})", failure.code())).unwrap_or_default(),
                removal.next_at.micros() / SECOND_MICROS
            ),
            None => drift.state.code().to_owned(),
        },
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_state_of_drift_meets_every_event() {
    let open = || drift(DriftKind::Extra);
    let asked = || open().asked(Some(id(OTHER)), DriftCause::Drift, second(100)).unwrap();
    let tried = || asked().tried(None, None, second(110)).unwrap();
    let states = [
        ("open", open()),
        ("asked", asked()),
        ("tried", tried()),
        ("excepted", open().excepted(id(OTHER), WHY, second(500), second(100)).unwrap()),
        ("confirmed", tried().gone(second(120), second(121)).unwrap()),
        ("closed", open().right(second(100)).unwrap()),
    ];
    let mut found = Vec::new();
    for (name, state) in states {
        let one = || state.clone();
        let events = [
            ("asked", said(one().asked(None, DriftCause::Ended, second(200)))),
            ("tried", said(one().tried(Some(RemovalFailure::Busy), Some(600), second(200)))),
            ("still there", said(one().still_there(second(200)))),
            ("gone", said(one().gone(second(200), second(201)))),
            ("gone in a reading before", said(one().gone(second(105), second(201)))),
            ("gone in a reading long before", said(one().gone(second(99), second(201)))),
            ("right", said(one().right(second(200)))),
            ("excepted", said(one().excepted(id(OTHER), WHY, second(500), second(200)))),
            ("excepted by whose it is", said(one().excepted(id(HER), WHY, second(500), second(200)))),
            ("excepted for ever", said(one().excepted(id(OTHER), WHY, second(86_400 * 181 + 201), second(200)))),
            ("excepted until before", said(one().excepted(id(OTHER), WHY, second(200), second(200)))),
            ("its time is over", said(one().reopened(second(500)))),
            ("its time is not over", said(one().reopened(second(499)))),
        ];
        found.extend(events.map(|(event, outcome)| format!("{name}: {event}: {outcome}")));
    }
    let over = |name: &str, events: &[&str]| -> Vec<String> {
        let not_asked = ["tried", "still there"];
        let outcome = |event: &str| {
            if not_asked.contains(&event) { "its removal was not asked for" } else { "it is over" }
        };
        events.iter().map(|event| format!("{name}: {event}: {}", outcome(event))).collect()
    };
    let all = [
        "asked",
        "tried",
        "still there",
        "gone",
        "gone in a reading before",
        "gone in a reading long before",
        "right",
        "excepted",
        "excepted by whose it is",
        "excepted for ever",
        "excepted until before",
        "its time is over",
        "its time is not over",
    ];
    let mut expected: Vec<String> = [
        "open: asked: asked after 0 tries, next at 200",
        "open: tried: its removal was not asked for",
        "open: still there: its removal was not asked for",
        "open: gone: closed",
        "open: gone in a reading before: closed",
        "open: gone in a reading long before: closed",
        "open: right: closed",
        "open: excepted: excepted",
        "open: excepted by whose it is: nobody lets be a right of his own",
        "open: excepted for ever: drift is let be until an end to come, within 180 days",
        "open: excepted until before: drift is let be until an end to come, within 180 days",
        "open: its time is over: it is not let be, or the time for it is not over",
        "open: its time is not over: it is not let be, or the time for it is not over",
        "asked: asked: its removal was asked for already",
        "asked: tried: asked after 1 tries (busy), next at 800",
        "asked: still there: the system was read before it was asked or tried",
        "asked: gone: confirmed after 0 tries, next at 100",
        "asked: gone in a reading before: confirmed after 0 tries, next at 100",
        "asked: gone in a reading long before: the system was read before it was asked or tried",
        "asked: right: closed",
        "asked: excepted: its removal was asked for already",
        "asked: excepted by whose it is: its removal was asked for already",
        "asked: excepted for ever: its removal was asked for already",
        "asked: excepted until before: its removal was asked for already",
        "asked: its time is over: it is not let be, or the time for it is not over",
        "asked: its time is not over: it is not let be, or the time for it is not over",
        "tried: asked: its removal was asked for already",
        "tried: tried: asked after 2 tries (busy), next at 800",
        "tried: still there: asked after 1 tries (still_there), next at 170",
        "tried: gone: confirmed after 1 tries, next at 170",
        "tried: gone in a reading before: the system was read before it was asked or tried",
        "tried: gone in a reading long before: the system was read before it was asked or tried",
        "tried: right: closed",
        "tried: excepted: its removal was asked for already",
        "tried: excepted by whose it is: its removal was asked for already",
        "tried: excepted for ever: its removal was asked for already",
        "tried: excepted until before: its removal was asked for already",
        "tried: its time is over: it is not let be, or the time for it is not over",
        "tried: its time is not over: it is not let be, or the time for it is not over",
        "excepted: asked: asked after 0 tries, next at 200",
        "excepted: tried: its removal was not asked for",
        "excepted: still there: its removal was not asked for",
        "excepted: gone: closed",
        "excepted: gone in a reading before: closed",
        "excepted: gone in a reading long before: closed",
        "excepted: right: closed",
        "excepted: excepted: it is let be already",
        "excepted: excepted by whose it is: it is let be already",
        "excepted: excepted for ever: it is let be already",
        "excepted: excepted until before: it is let be already",
        "excepted: its time is over: open",
        "excepted: its time is not over: it is not let be, or the time for it is not over",
    ]
    .map(str::to_owned)
    .into();
    expected.extend(over("confirmed", &all));
    expected.extend(over("closed", &all));
    assert_eq!(found, expected);
}

#[test]
fn only_an_account_or_a_right_there_is_removed_and_what_has_ended_is_not_let_be() {
    for kind in DriftKind::ALL {
        let asked = drift(*kind).asked(None, DriftCause::Ended, second(100));
        assert_eq!(asked.is_ok(), kind.is_removed(), "{kind:?}");
    }
    let ended = Drift { cause: DriftCause::Ended, ..drift(DriftKind::Orphan) };
    assert_eq!(ended.excepted(id(OTHER), WHY, second(500), second(200)), Err(DriftError::Ended));
    let weak = drift(DriftKind::Extra).excepted(id(OTHER), "ok", second(500), second(200));
    assert!(matches!(weak, Err(DriftError::Reason(_))), "{weak:?}");
}

#[test]
fn a_removal_is_tried_again_after_a_minute_then_two_up_to_an_hour_and_later_if_the_system_says_so() {
    let mut one = drift(DriftKind::Extra).asked(None, DriftCause::Ended, second(0)).unwrap();
    let mut waits = Vec::new();
    for _ in 0..9 {
        let at = one.removal().unwrap().next_at;
        one = one.tried(Some(RemovalFailure::Unreachable), None, at).unwrap();
        waits.push((one.removal().unwrap().next_at.micros() - at.micros()) / SECOND_MICROS);
    }
    assert_eq!(waits, [60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600]);
    let at = one.removal().unwrap().next_at;
    let told = one.clone().tried(Some(RemovalFailure::Busy), Some(7_200), at).unwrap();
    assert_eq!(told.removal().unwrap().next_at, at.plus_micros(7_200 * SECOND_MICROS));
    let for_ever = one.tried(Some(RemovalFailure::Busy), Some(u32::MAX), at).unwrap();
    assert_eq!(
        for_ever.removal().unwrap().next_at,
        at.plus_micros(DAY_MICROS),
        "a system does not put it off for ever"
    );
}

#[test]
fn a_system_is_read_when_its_time_has_come_or_somebody_wants_it_and_is_stale_without_a_whole_reading() {
    let system = ConnectedSystem {
        id: id(8),
        code: "warehouse".parse().unwrap(),
        kind: ConnectorKind::Scim,
        owner: id(OTHER),
        removes_drift: false,
        set_by: id(OTHER),
        set_at: second(0),
        wanted_at: None,
        looked_at: None,
        read_at: None,
        failure: None,
        version: 1,
    };
    assert!(system.is_due(60 * SECOND_MICROS, second(0)));
    let looked = ConnectedSystem { looked_at: Some(second(100)), ..system.clone() };
    for (wanted, now, due) in [
        (None, 159, false),
        (None, 160, true),
        (Some(second(99)), 120, false),
        (Some(second(100)), 120, false),
        (Some(second(101)), 120, true),
    ] {
        let one = ConnectedSystem { wanted_at: wanted, ..looked.clone() };
        assert_eq!(one.is_due(60 * SECOND_MICROS, second(now)), due, "{wanted:?} {now}");
    }
    assert!(!looked.is_stale(200 * SECOND_MICROS, second(199)));
    assert!(looked.is_stale(200 * SECOND_MICROS, second(200)), "it was looked at, and never read");
    let read = ConnectedSystem { read_at: Some(second(100)), ..looked };
    assert!(!read.is_stale(200 * SECOND_MICROS, second(299)));
    assert!(read.is_stale(200 * SECOND_MICROS, second(300)));
    assert!("Ware house".parse::<SystemCode>().is_err());
    assert!("".parse::<SystemCode>().is_err());
}
