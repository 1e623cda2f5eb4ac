//! Steps that a person takes before a role of his opens the first record: a course, or that he says he has read the rules.

use crate::Person;
use scruple_core::{Id, Timestamp};

const DAY_MICROS: i64 = 24 * 3_600_000_000;
/// Letters of a step's name.
pub const STEP_BYTES_MAX: usize = 64;

/// How it is known that a step was taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum StepKind {
    /// Somebody else says so: the learning system, or who taught him.
    Training,
    /// The person says so himself.
    Acknowledgement,
}

impl StepKind {
    /// The code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Acknowledgement => "acknowledgement",
        }
    }

    /// The kind of a code.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        [Self::Training, Self::Acknowledgement].into_iter().find(|kind| kind.as_str() == code)
    }
}

/// A step that a role asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// How it is known.
    pub kind: StepKind,
    /// Days for which it holds.
    pub days: u16,
    /// In words.
    pub label: String,
}

/// That a person has taken a step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StepDone {
    /// Its id.
    pub id: Id<Self>,
    /// Who took it.
    pub person: Id<Person>,
    /// Which.
    pub step: String,
    /// How it is known.
    pub kind: StepKind,
    /// When it was taken.
    pub done_at: Timestamp,
    /// Who says so.
    pub by: Id<Person>,
    /// When that was said.
    pub noted_at: Timestamp,
}

/// Why it is not written down that a step was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StepError {
    /// Nobody says of himself that he was trained, nor of another that he has read something.
    #[error("training is told by somebody else, and an acknowledgement by the person himself")]
    Person,
    /// It lies ahead.
    #[error("a step is taken before it is told")]
    Ahead,
    /// The policy asks for no such step.
    #[error("the policy asks for no such step")]
    Unknown,
}

impl StepDone {
    /// Whether it can be written down.
    ///
    /// # Errors
    /// See [`StepError`].
    pub fn checked(self) -> Result<Self, StepError> {
        if (self.kind == StepKind::Acknowledgement) != (self.by == self.person) {
            return Err(StepError::Person);
        }
        if self.done_at > self.noted_at {
            return Err(StepError::Ahead);
        }
        Ok(self)
    }
}

/// Until when a step holds that was last taken at `done_at`.
#[must_use]
pub fn holds_until(step: &Step, done_at: Timestamp) -> Timestamp {
    done_at.plus_micros(i64::from(step.days) * DAY_MICROS)
}

/// The steps of these that are not taken, or not for so long that they do not hold at `now`. `done`: when each was last taken.
pub fn missing<'a>(
    steps: impl IntoIterator<Item = &'a Step>,
    done: impl Fn(&str) -> Option<Timestamp>,
    now: Timestamp,
) -> Vec<&'a Step> {
    let holds = |step: &&Step| done(&step.name).is_some_and(|at| at <= now && now < holds_until(step, at));
    steps.into_iter().filter(|step| !holds(step)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn day(days: i64) -> Timestamp {
        Timestamp::from_micros(days * DAY_MICROS)
    }

    fn id<T>(number: u128) -> Id<T> {
        Id::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn a_step_holds_from_when_it_was_taken_for_its_days() {
        let step =
            |name: &str| Step { name: name.to_owned(), kind: StepKind::Training, days: 365, label: String::new() };
        let steps = [step("basics"), step("part2")];
        let missing_at = |done: Option<i64>, now: Timestamp| {
            let done = |name: &str| (name == "basics").then_some(done?).map(day);
            missing(&steps, done, now).into_iter().map(|step| step.name.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(missing_at(None, day(1)), ["basics", "part2"]);
        assert_eq!(missing_at(Some(1), day(1)), ["part2"]);
        assert_eq!(missing_at(Some(1), day(1).plus_micros(-1)), ["basics", "part2"], "not yet taken");
        assert_eq!(missing_at(Some(1), day(366).plus_micros(-1)), ["part2"]);
        assert_eq!(missing_at(Some(1), day(366)), ["basics", "part2"]);
    }

    #[test]
    fn nobody_trains_himself_and_nobody_reads_for_another() {
        let done = |kind, by, done_at| {
            let (person, step, noted_at) = (id(1), "basics".to_owned(), day(2));
            StepDone { id: id(9), person, step, kind, done_at: day(done_at), by: id(by), noted_at }.checked().map(drop)
        };
        assert_eq!(done(StepKind::Training, 2, 1), Ok(()));
        assert_eq!(done(StepKind::Training, 1, 1), Err(StepError::Person));
        assert_eq!(done(StepKind::Acknowledgement, 1, 2), Ok(()));
        assert_eq!(done(StepKind::Acknowledgement, 2, 2), Err(StepError::Person));
        assert_eq!(done(StepKind::Training, 2, 3), Err(StepError::Ahead));
        for kind in [StepKind::Training, StepKind::Acknowledgement] {
            assert_eq!(StepKind::of(kind.as_str()), Some(kind));
        }
        assert_eq!(StepKind::of("exam"), None);
    }
}
