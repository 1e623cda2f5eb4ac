//! Recovery codes.

use crate::rng;
use insta::assert_snapshot;
use scruple_core::Id;
use scruple_identity::recovery::{CODES, Digest, RecoveryCode, RecoveryKey, generate};
use scruple_seal::Secret;
use std::collections::BTreeSet;

struct Person;

fn person(number: u128) -> Id<Person> {
    format!("{number:032x}").parse().unwrap()
}

fn key(byte: u8) -> RecoveryKey {
    RecoveryKey::new(&Secret::new([byte; 32]))
}

#[test]
fn ten_different_codes_come_from_the_generator() {
    let texts = |seed| generate(&mut rng(seed)).map(|code| code.expose().to_string());
    let made = texts(1);
    assert_eq!(made.len(), CODES);
    assert_eq!(made.iter().collect::<BTreeSet<_>>().len(), CODES);
    assert_eq!(made, texts(1));
    assert_ne!(made, texts(2));
    for text in &made {
        let groups: Vec<_> = text.split('-').collect();
        assert!(groups.len() == 4 && groups.iter().all(|group| group.len() == 4), "{text}");
        assert!(text.bytes().all(|byte| b"0123456789ABCDEFGHJKMNPQRSTVWXYZ-".contains(&byte)), "{text}");
    }
    assert_snapshot!(made[0], @"HD4C-AC97-BEEW-R6MM");
}

#[test]
fn every_letter_is_drawn_about_equally_often() {
    let mut counts = [0_u32; 128];
    for seed in 0..200 {
        for code in generate(&mut rng(seed)) {
            code.expose().bytes().filter(|byte| *byte != b'-').for_each(|byte| counts[usize::from(byte)] += 1);
        }
    }
    // 32,000 letters: 1,000 of each, with a deviation of 31.
    let drawn: Vec<_> = counts.into_iter().filter(|count| *count > 0).collect();
    assert_eq!(drawn.len(), 32);
    assert!(drawn.iter().all(|count| (840..1_160).contains(count)), "{drawn:?}");
}

#[test]
fn what_is_typed_comes_to_one_form() {
    let typed = |text: &str| RecoveryCode::parse(text).map(|code| code.expose().to_string());
    for text in [
        "01AB-CDEF-GHJK-MNPQ",
        "01abcdefghjkmnpq",
        "  01ab cdef ghjk mnpq ",
        "O1AB-CDEF-GHJK-MNPQ",
        "oiab-cdef-ghjk-mnpq",
        "0lab--cdef--ghjk--mnpq",
    ] {
        assert_eq!(typed(text).as_deref(), Some("01AB-CDEF-GHJK-MNPQ"), "{text}");
    }
    let long = format!("01AB-CDEF-GHJK-MNPQ{}", "-".repeat(64));
    for text in [
        "",
        "-",
        "01AB-CDEF-GHJK-MNP",
        "01AB-CDEF-GHJK-MNPQR",
        "U1AB-CDEF-GHJK-MNPQ",
        "01AB_CDEF_GHJK_MNPQ",
        "01AB\nCDEF-GHJK-MNPQ",
        "01ÄB-CDEF-GHJK-MNP",
        &long,
    ] {
        assert_eq!(typed(text), None, "{text:?}");
    }
}

#[test]
fn a_digest_is_of_key_person_and_code() {
    let codes = generate(&mut rng(1));
    let stored: Vec<Digest> = codes.iter().map(|code| key(1).digest(person(1), code)).collect();
    for (place, code) in codes.iter().enumerate() {
        let typed = RecoveryCode::parse(&code.expose().to_lowercase()).unwrap();
        assert_eq!(key(1).find(person(1), &typed, &stored), Some(place));
        assert_eq!(key(1).find(person(2), &typed, &stored), None);
        assert_eq!(key(2).find(person(1), &typed, &stored), None);
    }
    let [other, ..] = generate(&mut rng(2));
    assert_eq!(key(1).find(person(1), &other, &stored), None);
    assert_eq!(key(1).find(person(1), &codes[0], &[]), None);
    let again: Vec<Digest> = stored.iter().map(|digest| Digest::new(*digest.bytes())).collect();
    assert_eq!(key(1).find(person(1), &codes[9], &again), Some(9));
}

#[test]
fn codes_and_keys_are_not_printed() {
    let [code, ..] = generate(&mut rng(1));
    assert_eq!(format!("{code:?} {:?}", key(1)), "RecoveryCode(..) RecoveryKey(..)");
}
