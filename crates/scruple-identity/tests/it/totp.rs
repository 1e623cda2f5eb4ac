//! One-time passwords by time.

use crate::{CANARY, rng};
use insta::assert_snapshot;
use scruple_core::Timestamp;
use scruple_identity::totp::{LABEL_BYTES_MAX, Label, Secret, TotpError, check};

fn secret() -> Secret {
    Secret::from_slice(b"12345678901234567890").unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

/// RFC 6238, Appendix B, SHA-1; the last six of its eight digits.
const VECTORS: [(i64, &str); 6] = [
    (59, "287082"),
    (1_111_111_109, "081804"),
    (1_111_111_111, "050471"),
    (1_234_567_890, "005924"),
    (2_000_000_000, "279037"),
    (20_000_000_000, "353130"),
];

#[test]
fn the_codes_are_those_of_rfc_6238() {
    for (seconds, code) in VECTORS {
        let step = u64::try_from(seconds / 30).unwrap();
        assert_eq!(check(&secret(), code, at(seconds), None), Ok(step), "{seconds}");
    }
}

#[test]
fn a_code_is_good_one_step_before_and_after_its_own() {
    let step = 1_234_567_890 / 30;
    let begins = at(step * 30);
    let check = |now| check(&secret(), "005924", now, None);
    let good = Ok(u64::try_from(step).unwrap());
    assert_eq!(check(begins), good);
    assert_eq!(check(begins.plus_micros(-30_000_000)), good);
    assert_eq!(check(begins.plus_micros(-30_000_001)), Err(TotpError::Wrong));
    assert_eq!(check(begins.plus_micros(59_999_999)), good);
    assert_eq!(check(begins.plus_micros(60_000_000)), Err(TotpError::Wrong));
}

#[test]
fn a_step_is_used_once_and_never_one_before_it() {
    let now = at(59);
    let check = |last| check(&secret(), "287082", now, last);
    assert_eq!(check(None), Ok(1));
    assert_eq!(check(Some(0)), Ok(1));
    assert_eq!(check(Some(1)), Err(TotpError::Used));
    assert_eq!(check(Some(2)), Err(TotpError::Used));
    assert_eq!(check(Some(u64::MAX)), Err(TotpError::Used));
}

#[test]
fn a_code_is_six_digits_with_blanks() {
    let check = |code: &str| check(&secret(), code, at(59), None);
    for code in ["287082", "287 082", " 28 70 82 ", "2 8 7 0 8 2"] {
        assert_eq!(check(code), Ok(1), "{code:?}");
    }
    for code in ["287083", "000000", "187082"] {
        assert_eq!(check(code), Err(TotpError::Wrong), "{code:?}");
    }
    let long = format!("287082{}", " ".repeat(11));
    for code in [
        "",
        " ",
        "28708",
        "2870822",
        "94287082",
        "28708a",
        "28708O",
        "287-082",
        "+28708",
        "287082\n",
        "２８７０８２",
        &long,
    ] {
        assert_eq!(check(code), Err(TotpError::Malformed), "{code:?}");
    }
}

#[test]
fn times_at_the_ends_of_what_can_be_written_are_judged() {
    for micros in [i64::MIN, -1, 0, 29_999_999, i64::MAX] {
        let now = Timestamp::from_micros(micros);
        assert!(!matches!(check(&secret(), "000000", now, None), Err(TotpError::Malformed)), "{micros}");
    }
    // RFC 4226, Appendix D: the code of step 0.
    assert_eq!(check(&secret(), "755224", at(-1), None), Ok(0));
    assert_eq!(check(&secret(), "755224", at(-31), None), Err(TotpError::Wrong));
}

#[test]
fn an_app_reads_the_address() {
    let label = Label { issuer: "St. Mary's Hospital", account: "nurse+1@example.org" };
    let address = secret().expose_address(&label).unwrap();
    assert_snapshot!(address.as_str(), @"otpauth://totp/St.%20Mary%27s%20Hospital:nurse%2B1%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=St.%20Mary%27s%20Hospital&algorithm=SHA1&digits=6&period=30");
    let qr = secret().expose_qr(&label).unwrap();
    // A finder stands in three corners: seven dark squares in a row, behind the quiet zone.
    let row = |x: usize, y: usize| (x..x + 7).all(|x| qr.path.contains(&format!("M{x} {y}h1v1h-1z")));
    assert!(row(4, 4) && row(qr.side - 11, 4) && row(4, qr.side - 5) && !row(qr.side - 11, qr.side - 5));
    assert!(qr.path.bytes().all(|byte| b"M hvz-0123456789".contains(&byte)));
    let long = "x".repeat(LABEL_BYTES_MAX);
    assert!(secret().expose_qr(&Label { issuer: &long, account: &"é".repeat(LABEL_BYTES_MAX / 2) }).is_ok());
    for unfit in ["", " ", "a:b", "a\nb", &"x".repeat(LABEL_BYTES_MAX + 1)] {
        for label in [Label { issuer: unfit, ..label }, Label { account: unfit, ..label }] {
            assert_eq!(secret().expose_address(&label).map(|_| ()), Err(TotpError::Label), "{unfit:?}");
            assert_eq!(secret().expose_qr(&label).map(drop), Err(TotpError::Label), "{unfit:?}");
        }
    }
}

#[test]
fn a_secret_comes_from_the_generator_and_is_not_printed() {
    let made = Secret::generate(&mut rng(1));
    assert_eq!(made.expose(), Secret::generate(&mut rng(1)).expose());
    assert_ne!(made.expose(), Secret::generate(&mut rng(2)).expose());
    assert_eq!(Secret::from_slice(made.expose()).unwrap().expose(), made.expose());
    assert!(Secret::from_slice(&[0; 19]).is_none() && Secret::from_slice(&[0; 21]).is_none());
    let label = Label { issuer: "Scruple", account: CANARY };
    let printed = format!("{made:?} {label:?}");
    assert_eq!(printed, "Secret(..) Label { issuer: \"Scruple\", .. }");
}
