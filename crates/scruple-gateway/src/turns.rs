//! How many requests are served at one time: so many in all, a part of them for treatment alone, and so many for one caller,
//! so that nobody shuts out the others (care-continues).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests of all callers, whatever they are for.
const GENERAL_MAX: usize = 768;
/// Requests beyond these for treatment.
const CARE_MAX: usize = 256;
/// Requests of one subject.
const SUBJECT_MAX: usize = 64;

/// The turns of one gateway.
pub struct Turns {
    general: Arc<Semaphore>,
    care: Arc<Semaphore>,
    subjects: Mutex<HashMap<String, usize>>,
}

/// One request's turn; it ends when this is dropped.
pub struct Turn<'a> {
    turns: &'a Turns,
    subject: String,
    _permit: OwnedSemaphorePermit,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            general: Arc::new(Semaphore::new(GENERAL_MAX)),
            care: Arc::new(Semaphore::new(CARE_MAX)),
            subjects: Mutex::default(),
        }
    }
}

impl Turns {
    /// A turn for a subject, if there is one. `care`: somebody is being treated.
    pub fn take(&self, subject: &str, care: bool) -> Option<Turn<'_>> {
        let general = Arc::clone(&self.general).try_acquire_owned().ok();
        let permit = match general {
            None if care => Arc::clone(&self.care).try_acquire_owned().ok(),
            permit => permit,
        }?;
        let mut subjects = self.subjects.lock().unwrap_or_else(PoisonError::into_inner);
        let count = subjects.entry(subject.to_owned()).or_default();
        if *count >= SUBJECT_MAX {
            return None;
        }
        *count += 1;
        drop(subjects);
        Some(Turn { turns: self, subject: subject.to_owned(), _permit: permit })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut subjects = self.turns.subjects.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = subjects.get_mut(&self.subject) {
            *count -= 1;
            if *count == 0 {
                subjects.remove(&self.subject);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_shuts_out_nobody_and_all_together_do_not_shut_out_treatment() {
        let turns = Turns::default();
        let mut own: Vec<Turn<'_>> = (0..SUBJECT_MAX).map(|_| turns.take("a", false).unwrap()).collect();
        assert!(turns.take("a", true).is_none());
        assert!(turns.take("b", false).is_some());
        own.pop();
        assert!(turns.take("a", false).is_some());
        let others = GENERAL_MAX - own.len();
        let all: Vec<Turn<'_>> = (0..others).map(|number| turns.take(&format!("s{number}"), false).unwrap()).collect();
        assert!(turns.take("b", false).is_none());
        let treated: Vec<Turn<'_>> =
            (0..CARE_MAX).map(|number| turns.take(&format!("n{number}"), true).unwrap()).collect();
        assert!(turns.take("b", true).is_none());
        drop((own, all, treated));
        assert!(turns.subjects.lock().unwrap().is_empty());
    }
}
