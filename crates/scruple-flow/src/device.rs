//! The state of a device, as its management tells it: each message is taken if it is newer, and what stands counts in decisions.

use scruple_core::{Id, Timestamp};

/// What the management says of a device as a whole.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DeviceStatus {
    /// Nothing.
    Unstated,
    /// It meets what is asked of it.
    Compliant,
    /// It does not.
    NotCompliant,
}

impl DeviceStatus {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Unstated, Self::Compliant, Self::NotCompliant];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unstated => "unstated",
            Self::Compliant => "compliant",
            Self::NotCompliant => "not_compliant",
        }
    }

    /// The one of a code.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.code() == code)
    }
}

/// What is known of a device in particular; none: it was not told.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct DeviceFacts {
    /// The organisation manages it.
    pub managed: Option<bool>,
    /// Its disk is encrypted.
    pub disk_encrypted: Option<bool>,
    /// Its system has the patches that are asked for.
    pub os_patched: Option<bool>,
    /// Its screen locks itself.
    pub screen_lock: Option<bool>,
}

impl DeviceFacts {
    /// Each with its name.
    #[must_use]
    pub const fn named(self) -> [(&'static str, Option<bool>); 4] {
        [
            ("managed", self.managed),
            ("disk_encrypted", self.disk_encrypted),
            ("os_patched", self.os_patched),
            ("screen_lock", self.screen_lock),
        ]
    }

    /// What is said not to hold, and nothing else.
    fn failing(self) -> Self {
        let one = |fact: Option<bool>| fact.filter(|holds| !holds);
        Self {
            managed: one(self.managed),
            disk_encrypted: one(self.disk_encrypted),
            os_patched: one(self.os_patched),
            screen_lock: one(self.screen_lock),
        }
    }

    /// What `newer` says, and of what it does not say, what was known; without what was wrong, where `forgives`.
    fn under(self, newer: Self, forgives: bool) -> Self {
        let one = |known: Option<bool>, told: Option<bool>| told.or(known.filter(|holds| *holds || !forgives));
        Self {
            managed: one(self.managed, newer.managed),
            disk_encrypted: one(self.disk_encrypted, newer.disk_encrypted),
            os_patched: one(self.os_patched, newer.os_patched),
            screen_lock: one(self.screen_lock, newer.screen_lock),
        }
    }
}

/// What one message tells of a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeviceTold {
    /// Of it as a whole; unstated: it stays as it was.
    pub status: DeviceStatus,
    /// In particular.
    pub facts: DeviceFacts,
    /// When that was so.
    pub at: Timestamp,
}

/// A device, as it was told of last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DevicePosture {
    /// Its id here: made of the name that its management knows it by.
    pub id: Id<Self>,
    /// As a whole.
    pub status: DeviceStatus,
    /// In particular.
    pub facts: DeviceFacts,
    /// When that was so.
    pub told_at: Timestamp,
    /// Version of the row.
    pub version: i64,
}

/// Why a message changes nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DeviceError {
    /// Something newer is known.
    #[error("something newer is known of the device")]
    Older,
}

/// How a device stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum DeviceStanding {
    /// It is told that something is wrong with it.
    Failing,
    /// Too little is told of it.
    Unknown,
    /// It is told that it is in order.
    InOrder,
}

impl DevicePosture {
    /// A device that nobody had told of.
    #[must_use]
    pub fn first(id: Id<Self>, told: DeviceTold) -> Self {
        Self { id, status: told.status, facts: told.facts, told_at: told.at, version: 1 }
    }

    /// The device after a message.
    ///
    /// # Errors
    /// [`DeviceError::Older`]: also of the same instant, unless it takes something away.
    // INVARIANT (newest-counts): a message never brings back what a later one, or one of the same instant, has taken away.
    pub fn told(self, told: DeviceTold) -> Result<Self, DeviceError> {
        let takes_away = told.status == DeviceStatus::NotCompliant
            || told.facts.named().iter().any(|(_, fact)| *fact == Some(false));
        if told.at < self.told_at || told.at == self.told_at && !takes_away {
            return Err(DeviceError::Older);
        }
        // Of one instant the worse counts: such a message takes away, and gives nothing.
        let is_same = told.at == self.told_at;
        let takes = !is_same || told.status == DeviceStatus::NotCompliant;
        let status = if told.status == DeviceStatus::Unstated || !takes { self.status } else { told.status };
        let said = if is_same { told.facts.failing() } else { told.facts };
        let facts = self.facts.under(said, !is_same && told.status == DeviceStatus::Compliant);
        Ok(Self { status, facts, told_at: told.at, version: self.version.saturating_add(1), ..self })
    }

    /// How it stands, where these facts must not be otherwise.
    #[must_use]
    pub fn standing(&self, must: impl Fn(&str) -> bool) -> DeviceStanding {
        let asked: Vec<Option<bool>> =
            self.facts.named().into_iter().filter(|(name, _)| must(name)).map(|(_, fact)| fact).collect();
        if self.status == DeviceStatus::NotCompliant || asked.contains(&Some(false)) {
            DeviceStanding::Failing
        } else if self.status == DeviceStatus::Compliant || !asked.is_empty() && !asked.contains(&None) {
            DeviceStanding::InOrder
        } else {
            DeviceStanding::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    fn told(status: DeviceStatus, second: i64) -> DeviceTold {
        DeviceTold { status, facts: DeviceFacts::default(), at: at(second) }
    }

    fn device(status: DeviceStatus, facts: DeviceFacts) -> DevicePosture {
        DevicePosture { id: Id::from_uuid(Uuid::from_u128(1)), status, facts, told_at: at(10), version: 3 }
    }

    #[test]
    fn every_status_after_every_message() {
        use DeviceStatus::{Compliant, NotCompliant, Unstated};
        let mut table = String::new();
        for from in DeviceStatus::ALL {
            for status in DeviceStatus::ALL {
                for (word, second) in [("older", 9), ("same", 10), ("newer", 11)] {
                    let after = device(from, DeviceFacts::default()).told(told(status, second));
                    let after = after.map_or("-".to_owned(), |after| {
                        assert_eq!((after.version, after.told_at), (4, at(second)));
                        after.status.code().to_owned()
                    });
                    table += &format!("{} {} {word}: {after}\n", from.code(), status.code());
                }
            }
        }
        let mut expected = String::new();
        for from in [Unstated, Compliant, NotCompliant] {
            for status in [Unstated, Compliant, NotCompliant] {
                let newer = if status == Unstated { from } else { status }.code();
                let same = if status == NotCompliant { "not_compliant" } else { "-" };
                for (word, after) in [("older", "-"), ("same", same), ("newer", newer)] {
                    expected += &format!("{} {} {word}: {after}\n", from.code(), status.code());
                }
            }
        }
        assert_eq!(table, expected);
    }

    #[test]
    fn facts_stay_until_they_are_told_otherwise_and_compliance_forgives() {
        let facts = |disk, patch| DeviceFacts { disk_encrypted: disk, os_patched: patch, ..DeviceFacts::default() };
        let known = device(DeviceStatus::Unstated, facts(Some(true), Some(false)));
        let message = |status, facts| DeviceTold { status, facts, at: at(11) };
        for (status, said, expected) in [
            (DeviceStatus::Unstated, facts(None, None), facts(Some(true), Some(false))),
            (DeviceStatus::Unstated, facts(Some(false), Some(true)), facts(Some(false), Some(true))),
            (DeviceStatus::Compliant, facts(None, None), facts(Some(true), None)),
            (DeviceStatus::NotCompliant, facts(None, None), facts(Some(true), Some(false))),
        ] {
            assert_eq!(known.told(message(status, said)).unwrap().facts, expected, "{status:?} {said:?}");
        }
        // Of the same instant: what takes away is taken, what gives is not.
        let same = |facts| known.told(DeviceTold { status: DeviceStatus::Unstated, facts, at: at(10) });
        assert_eq!(same(facts(None, Some(true))), Err(DeviceError::Older));
        let mixed = same(facts(Some(false), Some(true))).unwrap();
        assert_eq!(mixed.facts, facts(Some(false), Some(false)));
        let compliant = DeviceTold { status: DeviceStatus::Compliant, facts: facts(Some(false), None), at: at(10) };
        let one = device(DeviceStatus::NotCompliant, facts(None, Some(false))).told(compliant).unwrap();
        assert_eq!((one.status, one.facts), (DeviceStatus::NotCompliant, facts(Some(false), Some(false))));
    }

    #[test]
    fn a_device_stands_by_its_status_and_by_the_facts_that_are_asked_for() {
        let facts = |disk, patch| DeviceFacts { disk_encrypted: disk, os_patched: patch, ..DeviceFacts::default() };
        let must = |name: &str| matches!(name, "disk_encrypted" | "os_patched");
        for (status, known, expected) in [
            (DeviceStatus::Unstated, facts(None, None), DeviceStanding::Unknown),
            (DeviceStatus::Unstated, facts(Some(true), None), DeviceStanding::Unknown),
            (DeviceStatus::Unstated, facts(Some(true), Some(true)), DeviceStanding::InOrder),
            (DeviceStatus::Unstated, facts(Some(true), Some(false)), DeviceStanding::Failing),
            (DeviceStatus::Compliant, facts(None, None), DeviceStanding::InOrder),
            (DeviceStatus::Compliant, facts(Some(false), None), DeviceStanding::Failing),
            (DeviceStatus::NotCompliant, facts(Some(true), Some(true)), DeviceStanding::Failing),
        ] {
            assert_eq!(device(status, known).standing(must), expected, "{status:?} {known:?}");
        }
        // What is not asked for does not count, and nothing that is asked for is nothing known.
        let one = device(DeviceStatus::Unstated, facts(Some(false), Some(true)));
        assert_eq!(one.standing(|_| false), DeviceStanding::Unknown);
        assert_eq!(one.standing(|name| name == "os_patched"), DeviceStanding::InOrder);
        for status in DeviceStatus::ALL {
            assert_eq!(DeviceStatus::of(status.code()), Some(status));
        }
        assert_eq!(DeviceStatus::of("fine"), None);
    }
}
