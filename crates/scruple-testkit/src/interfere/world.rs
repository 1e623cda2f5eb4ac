//! What the tests here share: the shipped pack, the hospital's pairs, and callers.

use super::pairs::Pairs;
use super::view::{Inherits, Sight};
use scruple_core::{ConditionMask, Timestamp};
use scruple_policy::{Pack, PackFiles, Question, read, table};
use std::sync::{Arc, LazyLock};

pub const BASE: &str = "https://gateway.example/fhir";

pub static PACK: LazyLock<Pack> = LazyLock::new(|| read(&PackFiles::embedded()).unwrap());
pub static PAIRS: LazyLock<Pairs> =
    LazyLock::new(|| Pairs::new(7, Timestamp::parse("2026-03-01T15:00:00Z").unwrap()).unwrap());

/// Callers of every kind: codes only, desk, treating, masked, and one whose types pass as they are.
pub const ROLES: [(&str, &str); 6] = [
    ("biller", "HPAYMT"),
    ("front_desk", "PATADMIN"),
    ("nurse", "TREAT"),
    ("quality_analyst", "HQUALIMP"),
    ("researcher", "HRESCH"),
    ("physician", "TREAT"),
];

/// One who reads histories.
pub const OFFICER: (&str, &str) = ("privacy_officer", "HCOMPL");

pub fn sight(role: (&str, &str)) -> Sight {
    let relationship = PACK.condition("relationship").unwrap();
    let conditions = ConditionMask::NONE.with(relationship);
    let question = Question { role: role.0.to_owned(), purpose: role.1.to_owned(), conditions };
    let table = table(&PACK, &question).unwrap();
    let pseudonyms = |kind: &str, value: &str| format!("{:032x}", kind.len() * 31 + value.len());
    let inheritance = Inherits::of(&PACK.annotation);
    Sight::new(Arc::clone(&PACK.annotation), table, inheritance, (2026, 3, 1), Arc::new(pseudonyms))
}
