//! Who has used his account, until it is written down: of each person once an hour, and never on the way of a request.

use crate::limits::{ACCESS_ENTRIES_MAX, USE_NOTED_MICROS};
use scruple_core::{Id, Timestamp};
use scruple_store::Person;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError, RwLock};

#[derive(Default)]
pub(super) struct Uses {
    noted: RwLock<HashMap<Id<Person>, Timestamp>>,
    waiting: Mutex<HashMap<Id<Person>, Timestamp>>,
}

impl Uses {
    pub(super) fn note(&self, person: Id<Person>, now: Timestamp) {
        let is_recent = |at: &Timestamp| now.micros().abs_diff(at.micros()) < USE_NOTED_MICROS.unsigned_abs();
        if self.noted.read().unwrap_or_else(PoisonError::into_inner).get(&person).is_some_and(is_recent) {
            return;
        }
        {
            let mut noted = self.noted.write().unwrap_or_else(PoisonError::into_inner);
            if noted.len() >= ACCESS_ENTRIES_MAX {
                noted.clear();
            }
            noted.insert(person, now);
        }
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(person, now);
    }

    pub(super) fn take(&self) -> Vec<(Id<Person>, Timestamp)> {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().collect()
    }

    /// What could not be written down is noted at the next use.
    pub(super) fn forget(&self, uses: &[(Id<Person>, Timestamp)]) {
        let mut noted = self.noted.write().unwrap_or_else(PoisonError::into_inner);
        for (person, _) in uses {
            noted.remove(person);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn use_is_written_down_once_an_hour_and_again_where_it_could_not_be() {
        let (ana, uses) = (Id::from_uuid(Uuid::from_u128(1)), Uses::default());
        let at = |minutes: i64| Timestamp::from_micros(minutes * 60_000_000);
        uses.note(ana, at(0));
        uses.note(ana, at(1));
        assert_eq!(uses.take(), [(ana, at(0))]);
        uses.note(ana, at(59));
        assert_eq!(uses.take(), []);
        uses.note(ana, at(60));
        let taken = uses.take();
        assert_eq!(taken, [(ana, at(60))]);
        uses.forget(&taken);
        uses.note(ana, at(61));
        assert_eq!(uses.take(), [(ana, at(61))]);
    }
}
