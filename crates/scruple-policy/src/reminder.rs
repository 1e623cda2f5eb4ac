//! What people read before they ask, or take a list along: what minimum necessary means there, as the pack says it (JX-11).

use aws_lc_rs::digest::{SHA256, digest};
use std::collections::BTreeMap;

/// Bytes of the hash in the id of a text.
const HASH_BYTES: usize = 8;

/// What somebody is about to do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ReminderOf {
    /// He asks for a role.
    Role,
    /// He asks for the records of named patients.
    Patients,
    /// He takes a list along.
    Export,
}

impl ReminderOf {
    /// All of them with their words in `reminders.csv`.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Role, "role"), (Self::Patients, "patients"), (Self::Export, "export")];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(one, _)| *one == self).map_or("", |(_, word)| word)
    }

    pub(crate) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == word).map(|(one, _)| one)
    }
}

/// The lines of `reminders.csv`, by action and whom they are for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reminders(pub(crate) BTreeMap<(ReminderOf, String), String>);

/// A text as it is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reminder {
    /// Another one for each text: `patients-3f9a..`.
    pub id: String,
    /// What it says.
    pub sentences: Vec<String>,
}

impl Reminder {
    pub(crate) fn new(action: ReminderOf, sentences: Vec<String>) -> Self {
        let hash = digest(&SHA256, sentences.join("\n").as_bytes());
        let hash: String = hash.as_ref().iter().take(HASH_BYTES).map(|byte| format!("{byte:02x}")).collect();
        Self { id: format!("{}-{hash}", action.word()), sentences }
    }
}

/// House rules of the desk: how far access is prolonged, and what is too often.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeskRules {
    /// How often access is prolonged.
    pub extensions_max: i64,
    /// In which part of its time: 4 is the last quarter.
    pub extension_last_part: i64,
    /// How many times the hours of its rule it lasts in all.
    pub extension_times: i64,
    /// Requests of one person, or for one role, in 30 days: one more tells the privacy office.
    pub requests_per_30_days: i64,
    /// Emergencies of one person in 30 days: one more tells the privacy office.
    pub emergencies_per_30_days: i64,
    /// Days after the end of its review at which a role that nobody has looked at opens nothing; 0: it goes on. A clinical role goes on
    /// in any case (care-continues).
    pub overdue_closes_after_days: i64,
}

impl Default for DeskRules {
    fn default() -> Self {
        Self {
            extensions_max: 2,
            extension_last_part: 4,
            extension_times: 2,
            requests_per_30_days: 10,
            emergencies_per_30_days: 5,
            overdue_closes_after_days: 0,
        }
    }
}

impl DeskRules {
    /// Each rule with its name, for what compares and checks them.
    #[must_use]
    pub const fn named(self) -> [(&'static str, i64); 6] {
        [
            ("extensions_max", self.extensions_max),
            ("extension_last_part", self.extension_last_part),
            ("extension_times", self.extension_times),
            ("requests_per_30_days", self.requests_per_30_days),
            ("emergencies_per_30_days", self.emergencies_per_30_days),
            ("overdue_closes_after_days", self.overdue_closes_after_days),
        ]
    }
}
