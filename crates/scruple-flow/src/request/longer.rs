//! What happens to a request with time: a backup joins those who do not answer, and access that is about to end is prolonged by a new
//! request.

use super::{AccessRequest, ApproverKind, HOUR_MICROS, RequestError, RequestState};
use scruple_core::{Id, Timestamp};

#[cfg(test)]
mod tests;

/// Who may answer for those who do not answer, and from when on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Backup {
    /// In what capacity.
    pub kind: ApproverKind,
    /// Hours without an answer, after which he may.
    pub after_hours: i64,
}

/// What a request would prolong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extended {
    /// The request whose access it is.
    pub request: Id<AccessRequest>,
    /// Which extension this is of the access that was asked for first: from 1.
    pub number: i64,
    /// When that first access began.
    pub since: Timestamp,
}

/// How far access may be prolonged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExtensionRule {
    /// How often.
    pub count_max: i64,
    /// In which part of the time that is left: 4 is the last quarter.
    pub last_part: i64,
    /// How many times the hours of the rule it lasts in all, from the first beginning to the last end.
    pub times: i64,
}

impl AccessRequest {
    /// When those who do not answer are joined by their backup, if that is before it is over.
    #[must_use]
    pub fn escalates_at(&self) -> Option<Timestamp> {
        let backup = self.rule.backup.as_ref()?;
        let at = self.submitted_at.plus_micros(backup.after_hours.saturating_mul(HOUR_MICROS));
        Some(at).filter(|at| *at < self.decide_by)
    }

    /// In what capacity somebody may answer at an instant for those who do not, if that time has come.
    // INVARIANT (no-silence-is-yes): more people may say yes, or no, and nothing is said for them.
    #[must_use]
    pub fn backup_at(&self, now: Timestamp) -> Option<&ApproverKind> {
        let backup = self.rule.backup.as_ref()?;
        self.escalates_at().filter(|at| *at <= now).map(|_| &backup.kind)
    }

    /// In what capacities somebody can decide at an instant.
    pub fn decided_in(&self, now: Timestamp) -> impl Iterator<Item = &ApproverKind> {
        self.open_needs().into_iter().chain(self.backup_at(now))
    }

    /// From when on what it opened is prolonged: the beginning of the last part of its time.
    #[must_use]
    pub fn extended_from(&self, rule: ExtensionRule) -> Timestamp {
        let (starts, ends) = (self.wanted.window.starts_at(), self.wanted.window.ends_at());
        let length = ends.micros().saturating_sub(starts.micros());
        ends.plus_micros(-(length / rule.last_part.max(1)))
    }

    /// What a new request would be an extension of: access that stands, in the last part of its time, as often and as long as `rule`
    /// lets it be prolonged. `hours_max` is that of the new request's own rule.
    ///
    /// # Errors
    /// It does not stand, or it is too early, or too often, or too long.
    pub fn extended(
        &self,
        until: Timestamp,
        (rule, hours_max): (ExtensionRule, i64),
        at: Timestamp,
    ) -> Result<Extended, RequestError> {
        let stands = matches!(self.state, RequestState::Approved { .. }) && self.wanted.window.contains(at);
        if !stands || until <= self.wanted.window.ends_at() {
            return Err(RequestError::NotStanding);
        }
        let from = self.extended_from(rule);
        if at < from {
            return Err(RequestError::TooEarly { from });
        }
        let (number, since) = self
            .extends
            .map_or((1, self.wanted.window.starts_at()), |earlier| (earlier.number.saturating_add(1), earlier.since));
        let hours_max = hours_max.saturating_mul(rule.times);
        let whole = until.micros().saturating_sub(since.micros());
        if number > rule.count_max || whole > hours_max.saturating_mul(HOUR_MICROS) {
            return Err(RequestError::Cap { count_max: rule.count_max, hours_max });
        }
        Ok(Extended { request: self.id, number, since })
    }
}
