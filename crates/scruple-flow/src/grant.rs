//! Grants: a role that a person holds for a time, because a second person said so.

use crate::{Person, RoleCode};
use scruple_core::{Id, Phi, Timestamp};

/// Why a grant cannot be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GrantError {
    /// It would end before it starts.
    #[error("grant ends at {ends_at}, not after its start at {starts_at}")]
    Window {
        /// Its start.
        starts_at: Timestamp,
        /// Its end.
        ends_at: Timestamp,
    },
    /// The one who asked, or the one who gets it, would approve it.
    #[error("a grant is approved by a second person")]
    TwoPeople,
    /// Nobody says what it is for.
    #[error("grant has no justification")]
    NoJustification,
}

/// From when until when; the end is not in it.
// INVARIANT (grant-window): starts_at < ends_at; the table has the same constraint.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Window {
    starts_at: Timestamp,
    ends_at: Timestamp,
}

impl Window {
    /// The time between.
    ///
    /// # Errors
    /// It would end before it starts.
    pub fn new(starts_at: Timestamp, ends_at: Timestamp) -> Result<Self, GrantError> {
        if starts_at < ends_at {
            Ok(Self { starts_at, ends_at })
        } else {
            Err(GrantError::Window { starts_at, ends_at })
        }
    }

    /// Its start.
    #[must_use]
    pub const fn starts_at(self) -> Timestamp {
        self.starts_at
    }

    /// Its end.
    #[must_use]
    pub const fn ends_at(self) -> Timestamp {
        self.ends_at
    }

    /// Whether `at` is in it.
    #[must_use]
    pub fn contains(self, at: Timestamp) -> bool {
        self.starts_at <= at && at < self.ends_at
    }
}

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct GrantRequest {
    /// Id of the grant to be.
    pub id: Id<Grant>,
    /// Who gets it.
    pub person: Id<Person>,
    /// Which role.
    pub role: RoleCode,
    /// For which time.
    pub window: Window,
    /// Who asks.
    pub requested_by: Id<Person>,
    /// What for.
    pub justification: Phi<String>,
}

/// A grant that a second person has approved. There is no other way to make one.
// INVARIANT (two-people): approved_by is neither the one who asks nor the one who gets; the table has the same constraint.
#[derive(Clone, Debug)]
pub struct NewGrant {
    request: GrantRequest,
    approved_by: Id<Person>,
    granted_at: Timestamp,
}

impl NewGrant {
    /// What becomes of a request when somebody approves it.
    ///
    /// # Errors
    /// The approver is no second person, or there is no justification.
    pub fn approved(request: GrantRequest, approved_by: Id<Person>, at: Timestamp) -> Result<Self, GrantError> {
        if approved_by == request.person || approved_by == request.requested_by {
            return Err(GrantError::TwoPeople);
        }
        if request.justification.expose().trim().is_empty() {
            return Err(GrantError::NoJustification);
        }
        Ok(Self { request, approved_by, granted_at: at })
    }

    /// What was asked for.
    #[must_use]
    pub const fn request(&self) -> &GrantRequest {
        &self.request
    }

    /// Who approved it.
    #[must_use]
    pub const fn approved_by(&self) -> Id<Person> {
        self.approved_by
    }

    /// When it was approved.
    #[must_use]
    pub const fn granted_at(&self) -> Timestamp {
        self.granted_at
    }
}

/// A grant as it is held: what a decision needs of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldGrant {
    /// Its id.
    pub id: Id<Grant>,
    /// Who holds it.
    pub person: Id<Person>,
    /// Which role.
    pub role: RoleCode,
    /// For which time.
    pub window: Window,
}

/// The end of a grant before its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Revocation {
    /// Who revoked it.
    pub by: Id<Person>,
    /// When.
    pub at: Timestamp,
}

/// A grant with all that is known of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// Who holds which role, and when.
    pub held: HeldGrant,
    /// Who asked for it.
    pub requested_by: Id<Person>,
    /// Who approved it.
    pub approved_by: Id<Person>,
    /// When it was approved.
    pub granted_at: Timestamp,
    /// What it is for.
    pub justification: Phi<String>,
    /// Its end before its time.
    pub revoked: Option<Revocation>,
    /// Version of the row.
    pub version: i64,
}
