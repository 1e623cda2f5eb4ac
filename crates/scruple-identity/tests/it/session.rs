//! Sessions: when they end, to the microsecond.

use crate::{NOW, rng};
use scruple_core::Timestamp;
use scruple_identity::session::{
    DeviceClass, FRESH_SECONDS, Freshness, Limits, LimitsError, SessionTimes, SessionToken, State, freshness, state,
};

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;

fn after(micros: i64) -> Timestamp {
    NOW.plus_micros(micros)
}

/// A session that began at `NOW` and was last seen so much later.
fn seen(micros: i64) -> SessionTimes {
    SessionTimes { started_at: NOW, seen_at: after(micros), authenticated_at: NOW, revoked_at: None }
}

#[test]
fn a_session_ends_by_idleness_or_age_at_the_microsecond() {
    for (class, idle, absolute) in [
        (DeviceClass::Shared, 5 * MINUTE, 4 * HOUR),
        (DeviceClass::Personal, 15 * MINUTE, 12 * HOUR),
        (DeviceClass::Phone, 10 * MINUTE, 12 * HOUR),
    ] {
        let live = |until: i64| State::Live { until: after(until) };
        let late = absolute - MINUTE;
        for (seen_at, now, expected) in [
            (0, 0, live(idle)),
            (0, idle - 1, live(idle)),
            (0, idle, State::Idle),
            (0, idle + 1, State::Idle),
            (1, idle, live(idle + 1)),
            (0, absolute - 1, State::Idle),
            (0, absolute, State::TooOld),
            (late, late, live(absolute)),
            (late, absolute - 1, live(absolute)),
            (late, absolute, State::TooOld),
            (absolute, absolute, State::TooOld),
            // A clock that went back, or another instance's: no session is longer for it.
            (0, -1, live(idle)),
            (absolute, 0, live(absolute)),
        ] {
            let found = state(&seen(seen_at), Limits::of(class), after(now));
            assert_eq!(found, expected, "{class:?} seen at {seen_at}, now {now}");
        }
    }
}

#[test]
fn what_was_ended_stays_ended_whatever_else_is_true() {
    for (now, revoked_at) in [(0, 0), (1, 2), (5 * MINUTE, 1), (4 * HOUR, 1), (i64::MAX / 2, 1)] {
        let times = SessionTimes { revoked_at: Some(after(revoked_at)), ..seen(0) };
        assert_eq!(state(&times, Limits::of(DeviceClass::Shared), after(now)), State::Revoked, "{now}");
    }
}

#[test]
fn limits_are_the_operators_within_bounds() {
    for (class, idle_max, absolute_max) in [
        (DeviceClass::Shared, 600, 12 * 3_600),
        (DeviceClass::Personal, 1_800, 24 * 3_600),
        (DeviceClass::Phone, 900, 24 * 3_600),
    ] {
        let bounds = |what, seconds, min, max| Err(LimitsError::Bounds { what, class, seconds, min, max });
        let new = |idle, absolute| Limits::new(class, idle, absolute).map(|_| ());
        assert_eq!(new(60, 60), Ok(()));
        assert_eq!(new(idle_max, absolute_max), Ok(()));
        assert_eq!(new(59, 3_600), bounds("idle", 59, 60, idle_max));
        assert_eq!(new(0, 3_600), bounds("idle", 0, 60, idle_max));
        assert_eq!(new(idle_max + 1, 3_600), bounds("idle", idle_max + 1, 60, idle_max));
        assert_eq!(new(120, 119), bounds("absolute", 119, 120, absolute_max));
        assert_eq!(new(120, absolute_max + 1), bounds("absolute", absolute_max + 1, 120, absolute_max));
        assert_eq!(new(u32::MAX, u32::MAX), bounds("idle", u32::MAX, 60, idle_max));
        let usual = Limits::of(class);
        assert_eq!(Limits::new(class, usual.idle_seconds(), usual.absolute_seconds()), Ok(usual));
        assert_eq!(DeviceClass::from_code(class.code()), Some(class));
    }
    assert_eq!(DeviceClass::from_code("kiosk"), None);
    let refused = Limits::new(DeviceClass::Shared, 601, 3_600).unwrap_err();
    assert_eq!(refused.to_string(), "idle limit of 601 seconds for `shared` devices is not within 60 to 600 seconds");
}

#[test]
fn a_proof_is_fresh_for_minutes() {
    let until = after(i64::from(FRESH_SECONDS) * 1_000_000);
    for (now, expected) in [
        (0, Freshness::Fresh { until }),
        (5 * MINUTE - 1, Freshness::Fresh { until }),
        (5 * MINUTE, Freshness::Stale),
        (-5_000_000, Freshness::Fresh { until }),
        (-5_000_001, Freshness::Stale),
    ] {
        // Seen or not does not matter.
        assert_eq!(freshness(&seen(HOUR), FRESH_SECONDS, after(now)), expected, "{now}");
    }
    assert_eq!(freshness(&seen(0), 0, NOW), Freshness::Stale);
}

#[test]
fn a_token_is_random_and_has_one_spelling() {
    let token = SessionToken::generate(&mut rng(1));
    let text = token.expose();
    assert_eq!(text.len(), 43);
    assert_eq!(text, SessionToken::generate(&mut rng(1)).expose());
    assert_ne!(text, SessionToken::generate(&mut rng(2)).expose());
    let read = SessionToken::parse(&text).unwrap();
    assert_eq!(read.hash(), token.hash());
    assert_ne!(read.hash(), SessionToken::generate(&mut rng(2)).hash());
    // 43 letters are 258 bits: the last two must be zero.
    let zero = "A".repeat(43);
    assert!(SessionToken::parse(&zero).is_some());
    for unfit in [
        "",
        "A",
        &zero[1..],
        &format!("{zero}A"),
        &format!("{zero}="),
        &format!("{}B", &zero[1..]),
        &zero.replace('A', "+"),
    ] {
        assert!(SessionToken::parse(unfit).is_none(), "{unfit}");
    }
    assert_eq!(format!("{token:?}"), "SessionToken(..)");
}

/// SHA-256 of 32 zero bytes.
#[test]
fn the_hash_is_sha_256_of_the_bytes() {
    let token = SessionToken::parse(&"A".repeat(43)).unwrap();
    let hash: String = token.hash().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925");
}
