//! The period that is asked about.

use super::*;

#[test]
fn dates_that_are_typed_win_and_a_month_with_dates_is_no_answer() {
    let now = Timestamp::parse("2026-03-20T08:00:00Z").unwrap();
    let typed = |period: &str, from: &str, until: &str| Typed {
        period: period.to_owned(),
        from: from.to_owned(),
        until: until.to_owned(),
        ..Typed::default()
    };
    let day = |text: &str| Timestamp::parse(&format!("{text}T00:00:00Z")).unwrap();
    for chosen in ["days", "dates"] {
        let found = period(&typed(chosen, "2026-01-01", "2026-01-31"), now);
        assert_eq!(found, Ok((day("2026-01-01"), day("2026-02-01"))), "{chosen}");
    }
    assert_eq!(period(&typed("days", "", " "), now), Ok(last_days(now, DAYS)));
    assert_eq!(period(&typed("month-0", "", ""), now), Ok((day("2026-03-01"), day("2026-04-01"))));
    for (chosen, from, until, place) in [
        ("month-1", "2026-01-01", "2026-01-31", 1),
        ("days", "2026-01-01", "", 2),
        ("days", "", "2026-01-31", 1),
        ("days", "soon", "2026-01-31", 1),
        ("dates", "", "", 1),
        ("month-x", "", "", 1),
        ("dates", "2026-02-01", "2026-01-01", 2),
    ] {
        let wrong = period(&typed(chosen, from, until), now).unwrap_err();
        assert!(wrong[place].is_some(), "{chosen} {from} {until}: {wrong:?}");
    }
}
