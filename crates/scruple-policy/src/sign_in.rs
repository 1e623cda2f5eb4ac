//! How people must have signed in before a record shows, from which device and from where: `[sign_in]` of `pack.toml`, and the
//! conditions that a gateway judges by it.
//!
//! What it deliberately does not do: look at a token, a device or an address. Whoever serves a request judges the conditions and gives
//! them to the decision.

use scruple_core::{SegmentSet, Timestamp, Zone};
use std::collections::BTreeSet;

/// Conditions that are judged of whoever asks, whatever he asks for. A pack that names one of them in `conditions.csv` may ask for it
/// in a permit.
pub const SEVERAL_FACTORS: &str = "several_factors";
/// The person has shown several factors within the last minutes ([`SignInRules::confirmed_minutes`]).
pub const CONFIRMED_LATELY: &str = "confirmed_lately";
/// The device is told to be in order.
pub const DEVICE_IN_ORDER: &str = "device_in_order";
/// The caller is within the networks of the organisation.
pub const INSIDE: &str = "inside";
/// It is a working hour of the house.
pub const WORKING_HOURS: &str = "working_hours";
/// The caller is outside, and has not shown several factors of late. It takes away: what `confirmed_outside` lists is closed.
pub const UNCONFIRMED_OUTSIDE: &str = "unconfirmed_outside";

/// What is known of a device beside that it is in order: in `device_must`.
pub const DEVICE_FACTS: [&str; 4] = ["managed", "disk_encrypted", "os_patched", "screen_lock"];

/// What is asked of the device that somebody asks from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum DeviceRule {
    /// Nothing.
    Any,
    /// That nobody has told that it is out of order.
    #[default]
    NotFailing,
    /// That it is told to be in order.
    InOrder,
}

impl DeviceRule {
    /// All of them with their words.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Any, "any"), (Self::NotFailing, "not_failing"), (Self::InOrder, "in_order")];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(one, _)| *one == self).map_or("", |(_, word)| word)
    }

    pub(crate) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == word).map(|(one, _)| one)
    }
}

/// The hours of the house.
#[derive(Clone, Debug)]
pub struct WorkingHours {
    /// The time zone.
    pub zone: Zone,
    /// Its name.
    pub zone_name: String,
    /// Days of the week, 1 is Monday.
    pub days: BTreeSet<u8>,
    /// The first minute of the day.
    pub from: u16,
    /// The minute before which it ends.
    pub until: u16,
}

impl WorkingHours {
    /// Whether an instant is one of them.
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        let local = self.zone.day_and_minute(at);
        local.is_some_and(|(day, minute)| self.days.contains(&day) && (self.from..self.until).contains(&minute))
    }

    /// As it is written.
    #[must_use]
    pub fn words(&self) -> String {
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        let days: Vec<String> = self.days.iter().map(ToString::to_string).collect();
        format!("{} to {} in {} on days {}", clock(self.from), clock(self.until), self.zone_name, days.join(", "))
    }
}

/// How people must have signed in.
#[derive(Clone, Debug)]
pub struct SignInRules {
    /// Records show to who has shown several factors alone.
    pub several_factors: bool,
    /// Authentication classes of which one must have been met (claim `acr`). None: that the token says so (`amr` has `mfa`).
    pub acr_values: BTreeSet<String>,
    /// Roles of which one factor is enough.
    pub one_factor_roles: BTreeSet<String>,
    /// An emergency (ETREAT, BTG) opens without: it is recorded what was lacking (care-continues).
    pub emergency_opens: bool,
    /// What is asked of the device.
    pub device: DeviceRule,
    /// Facts of a device that must not be told to be otherwise.
    pub device_must: BTreeSet<String>,
    /// For so many minutes somebody counts as confirmed.
    pub confirmed_minutes: u32,
    /// Segments that are closed outside to who is not confirmed.
    pub confirmed_outside: SegmentSet,
    /// The hours of the house; none: no hour is one of them.
    pub working_hours: Option<WorkingHours>,
}

impl Default for SignInRules {
    /// Of a pack that says nothing: several factors, and no device that fails.
    fn default() -> Self {
        Self {
            several_factors: true,
            acr_values: BTreeSet::new(),
            one_factor_roles: BTreeSet::new(),
            emergency_opens: true,
            device: DeviceRule::NotFailing,
            device_must: BTreeSet::new(),
            confirmed_minutes: 15,
            confirmed_outside: SegmentSet::EMPTY,
            working_hours: None,
        }
    }
}

impl SignInRules {
    /// Whether a purpose is an emergency that opens with less.
    #[must_use]
    pub fn excuses(&self, purpose: &str) -> bool {
        self.emergency_opens && EMERGENCIES.contains(&purpose)
    }
}

/// The purposes of an emergency.
pub(crate) const EMERGENCIES: [&str; 2] = ["ETREAT", "BTG"];
