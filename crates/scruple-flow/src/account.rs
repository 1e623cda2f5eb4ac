//! Accounts beside the people who have them: of what kind one is, after how long without use it ends, and what a system's account
//! must have.

use crate::directory::Employment;
use crate::{Login, Person};
use scruple_core::{Id, Phi, Timestamp};

const DAY_MICROS: i64 = 24 * 3_600_000_000;

/// The role that a system acts in here (the built-in one of every policy).
pub const SERVICE_ROLE: &str = "service_account";
/// Days after its role was given for which a system that is not registered goes on (house rule).
pub const UNREGISTERED_DAYS: i64 = 30;

/// From when on a system whose account is not registered obtains nothing, whoever answers for it.
// INVARIANT (system-registered): a system without purpose, scopes, rotation, review and end obtains nothing from here on.
#[must_use]
pub fn unregistered_until(given_at: Timestamp) -> Timestamp {
    given_at.plus_micros(UNREGISTERED_DAYS * DAY_MICROS)
}

/// The kind of an account: it decides by which rules it is judged.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AccountKind {
    /// Of one human of the workforce.
    Human,
    /// Of a human whom an agency has sent.
    Agency,
    /// Of a student, resident or fellow.
    Trainee,
    /// Of a system.
    Service,
    /// Of a business associate.
    Vendor,
    /// Kept for an emergency, and idle until there is one.
    Emergency,
}

impl AccountKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::Human, Self::Agency, Self::Trainee, Self::Service, Self::Vendor, Self::Emergency];

    /// The code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Agency => "agency",
            Self::Trainee => "trainee",
            Self::Service => "service",
            Self::Vendor => "vendor",
            Self::Emergency => "emergency",
        }
    }

    /// The kind of a code.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == code)
    }

    /// The kind of an account: as it is registered, else as its person belongs to the organisation.
    #[must_use]
    pub const fn judged(registered: Option<Self>, employment: Option<Employment>) -> Self {
        match (registered, employment) {
            (Some(kind), _) => kind,
            (None, Some(Employment::Service)) => Self::Service,
            (None, Some(Employment::BusinessAssociate)) => Self::Vendor,
            (None, Some(Employment::Agency)) => Self::Agency,
            (None, Some(Employment::Trainee)) => Self::Trainee,
            (
                None,
                Some(Employment::Employee | Employment::MedicalStaff | Employment::Affiliate | Employment::Volunteer)
                | None,
            ) => Self::Human,
        }
    }

    /// Whether somebody else must answer for it.
    #[must_use]
    pub const fn is_owned(self) -> bool {
        matches!(self, Self::Service | Self::Vendor | Self::Emergency)
    }
}

/// After how long without use an account is noticed, and how long after that it ends. House rules: the law asks for a procedure
/// (45 CFR 164.308(a)(3)(ii)(C)) and names no number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IdleRule {
    /// Days without use.
    pub idle_days: u16,
    /// Days of notice, at least one.
    pub notice_days: u16,
}

/// The rule of each kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IdleRules {
    /// Of humans.
    pub human: IdleRule,
    /// Of those whom an agency has sent.
    pub agency: IdleRule,
    /// Of trainees.
    pub trainee: IdleRule,
    /// Of systems.
    pub service: IdleRule,
    /// Of business associates.
    pub vendor: IdleRule,
}

impl Default for IdleRules {
    fn default() -> Self {
        let days = |idle_days, notice_days| IdleRule { idle_days, notice_days };
        Self {
            human: days(45, 14),
            agency: days(30, 7),
            trainee: days(45, 14),
            service: days(90, 14),
            vendor: days(30, 7),
        }
    }
}

impl IdleRules {
    /// Until when an account need not be used, and how long its notice is. An account for emergencies whose controls are there may
    /// lie idle for ever; without them it is judged as a human's.
    #[must_use]
    pub const fn rule(&self, kind: AccountKind, has_controls: bool) -> Option<IdleRule> {
        match kind {
            AccountKind::Emergency if has_controls => None,
            AccountKind::Human | AccountKind::Emergency => Some(self.human),
            AccountKind::Agency => Some(self.agency),
            AccountKind::Trainee => Some(self.trainee),
            AccountKind::Service => Some(self.service),
            AccountKind::Vendor => Some(self.vendor),
        }
    }
}

/// An account that was noticed as idle.
// INVARIANT (idle-ends): from `disabled_at` until it is restored the account gives nothing, whatever runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dormancy {
    /// Its id.
    pub id: Id<Self>,
    /// Whose account it is.
    pub person: Id<Person>,
    /// When it was last used.
    pub used_at: Timestamp,
    /// When it was noticed.
    pub noticed_at: Timestamp,
    /// When its notice is over.
    pub disabled_at: Timestamp,
    /// How far it has come.
    pub state: DormancyState,
    /// Version of the row.
    pub version: i64,
}

/// How far an idle account has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DormancyState {
    /// It is noticed; from [`Dormancy::disabled_at`] on it is disabled.
    Noticed,
    /// It was used in time.
    Used {
        /// When.
        at: Timestamp,
    },
    /// Somebody has brought it back.
    Restored {
        /// When.
        at: Timestamp,
        /// Who.
        by: Id<Person>,
    },
    /// Its person has left: there is nothing left to disable.
    Left {
        /// When.
        at: Timestamp,
        /// Who told of it.
        by: Id<Person>,
    },
}

/// Why an idle account does not change so.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DormancyError {
    /// It is over.
    #[error("the notice is over")]
    Closed,
    /// It is disabled: being used does not bring it back.
    #[error("the account is disabled")]
    Disabled,
    /// It is not disabled.
    #[error("the account is not disabled")]
    NotDisabled,
    /// It is brought back by somebody who may not.
    #[error("an account is brought back by a manager or owner of it who is here")]
    NotTheManager,
}

impl Dormancy {
    /// An account that nobody used for `rule.idle_days` is noticed at `now`. Used since: none.
    #[must_use]
    pub fn noticed(
        id: Id<Self>,
        person: Id<Person>,
        used_at: Timestamp,
        rule: IdleRule,
        now: Timestamp,
    ) -> Option<Self> {
        let idle_from = used_at.plus_micros(i64::from(rule.idle_days) * DAY_MICROS);
        (idle_from <= now).then(|| Self {
            id,
            person,
            used_at,
            noticed_at: now,
            disabled_at: now.plus_micros(i64::from(rule.notice_days.max(1)) * DAY_MICROS),
            state: DormancyState::Noticed,
            version: 1,
        })
    }

    /// It is used.
    ///
    /// # Errors
    /// It is disabled, or over.
    pub fn used(self, at: Timestamp) -> Result<Self, DormancyError> {
        match self.state {
            DormancyState::Noticed if at < self.disabled_at => Ok(Self { state: DormancyState::Used { at }, ..self }),
            DormancyState::Noticed => Err(DormancyError::Disabled),
            _ => Err(DormancyError::Closed),
        }
    }

    /// A second person brings it back. `may`: he is who may confirm for this person, or answers for the account.
    ///
    /// # Errors
    /// It is not disabled, or over, or `by` may not.
    pub fn restored(self, by: Id<Person>, may: bool, at: Timestamp) -> Result<Self, DormancyError> {
        match self.state {
            DormancyState::Noticed if at < self.disabled_at => Err(DormancyError::NotDisabled),
            DormancyState::Noticed if may && by != self.person => {
                Ok(Self { state: DormancyState::Restored { at, by }, ..self })
            }
            DormancyState::Noticed => Err(DormancyError::NotTheManager),
            _ => Err(DormancyError::Closed),
        }
    }

    /// The person leaves.
    #[must_use]
    pub fn closed_by_leaving(self, by: Id<Person>, at: Timestamp) -> Self {
        match self.state {
            DormancyState::Noticed => Self { state: DormancyState::Left { at, by }, ..self },
            _ => self,
        }
    }
}

/// What is registered of an account that somebody else answers for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// Whose it is: the person that stands for the system.
    pub person: Id<Person>,
    /// Its kind; one of those that are owned.
    pub kind: AccountKind,
    /// Who answers for it. `None`: whoever did has left, and nobody has taken it over.
    pub owner: Option<Id<Person>>,
    /// What it is for.
    pub purpose: Phi<String>,
    /// What its tokens may be used for: scopes of the API, `fhir` for the gateway, `scim`. Nothing else.
    pub scopes: Vec<String>,
    /// When its secrets are to be other ones.
    pub rotate_by: Timestamp,
    /// Days after which it is looked at again.
    pub review_days: u16,
    /// When it was last looked at.
    pub reviewed_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// Version of the row.
    pub version: i64,
}

/// Why an account cannot be registered so.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AccountError {
    /// A kind that nobody else answers for.
    #[error("this kind of account is a person's own")]
    Kind,
    /// Nobody answers for it, or it would answer for itself, or who would has left.
    #[error("an account has an owner who is here, and is not its own")]
    Owner,
    /// It may be used for nothing, for too much, or for what is no scope.
    #[error("an account names the scopes that its tokens may have")]
    Scopes,
    /// Its rotation, review or end is not to come, or too far away.
    #[error("an account has a rotation, a review and an end within two years")]
    Dates,
}

/// Scopes that one account can name.
pub const ACCOUNT_SCOPES_MAX: usize = 16;
/// Bytes of a scope.
const SCOPE_BYTES_MAX: usize = 64;
/// How far ahead rotation and end may lie.
const ACCOUNT_DAYS_MAX: i64 = 732;

impl Account {
    /// Whether it can be registered at `now`; `owner_is_here`: who answers for it has not left.
    ///
    /// # Errors
    /// See [`AccountError`].
    pub fn checked(self, owner_is_here: bool, now: Timestamp) -> Result<Self, AccountError> {
        if !self.kind.is_owned() {
            return Err(AccountError::Kind);
        }
        if !owner_is_here || self.owner.is_none_or(|owner| owner == self.person) {
            return Err(AccountError::Owner);
        }
        let is_scope = |scope: &String| {
            !scope.is_empty()
                && scope.len() <= SCOPE_BYTES_MAX
                && scope.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:/-".contains(&byte))
        };
        if self.scopes.is_empty() || self.scopes.len() > ACCOUNT_SCOPES_MAX || !self.scopes.iter().all(is_scope) {
            return Err(AccountError::Scopes);
        }
        let latest = now.plus_micros(ACCOUNT_DAYS_MAX * DAY_MICROS);
        let in_time = |at: Timestamp| now < at && at <= latest;
        if !in_time(self.rotate_by) || !in_time(self.ends_at) || !(1..=366).contains(&self.review_days) {
            return Err(AccountError::Dates);
        }
        Ok(self)
    }

    /// When it is to be looked at again.
    #[must_use]
    pub fn review_due_at(&self) -> Timestamp {
        self.reviewed_at.plus_micros(i64::from(self.review_days) * DAY_MICROS)
    }

    /// Whether what is asked of it is there at `now`: for an account that waits for an emergency, its controls.
    #[must_use]
    pub fn has_controls(&self, owner_is_here: bool, now: Timestamp) -> bool {
        owner_is_here && now < self.review_due_at() && now < self.rotate_by && now < self.ends_at
    }
}

/// Names under which several people sign in and nobody is found.
const GENERIC: [&str; 33] = [
    "frontdesk",
    "reception",
    "receptionist",
    "registration",
    "checkin",
    "desk",
    "nurse",
    "nurses",
    "nursing",
    "doctor",
    "physician",
    "provider",
    "clinic",
    "ward",
    "unit",
    "triage",
    "er",
    "ed",
    "icu",
    "lab",
    "pharmacy",
    "billing",
    "coder",
    "staff",
    "guest",
    "shared",
    "generic",
    "temp",
    "test",
    "training",
    "admin",
    "office",
    "workstation",
];

/// Whether a login names a place or a job and nobody: `frontdesk`, `Front-Desk2`, `er_shared@hospital.example`.
#[must_use]
pub fn is_generic(login: &Login) -> bool {
    let local = login.expose().split('@').next().unwrap_or_default();
    let words: Vec<&str> =
        local.split(|letter: char| !letter.is_ascii_alphabetic()).filter(|word| !word.is_empty()).collect();
    let joined: String = words.concat();
    let known = |word: &str| GENERIC.contains(&word);
    !words.is_empty() && (known(&joined) || words.iter().all(|word| known(word)))
}

#[cfg(test)]
mod tests;
