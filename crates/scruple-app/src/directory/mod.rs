//! Who is here, as HR tells it: persons, groups, leaves and moves. Each use case is one transaction with its events, and
//! done twice it is done once.
//!
//! Nothing here gives access. What is told can take it: a leaver is out with the commit, a leave suspends, a mover loses
//! what the old place gave, who comes back begins with nothing.

mod account;
mod apply;
mod ending;
mod finding;
mod group;
mod heir;
mod idle;
mod leave;
mod read;
mod systems;
mod unused;
mod user;

pub use account::AccountOrder;
pub use ending::{Ending, Entitlement, endings};
pub use finding::{Finding, SCIM_LOGIN, findings};
pub use group::GroupOrder;
pub use idle::IdleLook;
pub(crate) use leave::line_above;
pub use read::{
    GroupView, UserView, count_groups, count_users, find_group, find_groups, find_user, find_users, page_of_groups,
    page_of_users, place_of_groups, place_of_users,
};
pub use systems::{Connectors, SystemOrder, SystemTimes, SystemsReach, SystemsWork};
pub use unused::{UnusedLook, decides_unused};
pub use user::UserOrder;

use crate::record::Record;
use rand_core::Rng;
use scruple_core::{Clock, Id, Timestamp, new_id};
use scruple_flow::connected::DriftError;
use scruple_flow::directory::{Change, LeaveError};
use scruple_flow::unused::UnusedError;
use scruple_flow::{AccountError, DormancyError};
use scruple_store::{Person, Position, ShardLease, Store, StoreError, Tx, account_suspensions, find_person};
use uuid::Uuid;

/// What a use case of the directory needs, and who acts.
pub struct Directory<'a> {
    /// The database.
    pub store: &'a Store,
    /// The shard that is written on.
    pub lease: &'a ShardLease,
    /// The clock.
    pub clock: &'a dyn Clock,
    /// The generator of ids.
    pub rng: &'a mut (dyn Rng + Send),
    /// Who acts: a person of HR, a manager, or the service that provisions.
    pub by: Id<Person>,
}

impl std::fmt::Debug for Directory<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory").field("by", &self.by).finish_non_exhaustive()
    }
}

/// What was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Done<T> {
    /// How it is now.
    pub value: T,
    /// What the change meant, in the order in which it was carried out.
    pub changes: Vec<Change>,
    /// The last event of it, to wait for. `None`: nothing was to be done.
    pub position: Option<Position>,
}

/// Why the directory was not changed. No text of it names a person.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// There is no such person, or he is out of the directory.
    #[error("no such person in the directory")]
    NoPerson,
    /// There is no such group.
    #[error("no such group in the directory")]
    NoGroup,
    /// The policy has no such role.
    #[error("the policy has no such role")]
    NoRole,
    /// It was changed since it was read.
    #[error("it was changed since it was read")]
    Changed,
    /// The login is somebody else's.
    #[error("the login is taken")]
    LoginTaken,
    /// The employee number is somebody else's.
    #[error("the employee number is taken")]
    NumberTaken,
    /// Who acts is not known here, or has left.
    #[error("who acts is not known here, or has left")]
    By,
    /// Nobody tells this of himself.
    #[error("nobody changes his own being here")]
    Own,
    /// He is not on leave.
    #[error("the person is not on leave")]
    NoLeave,
    /// The leave cannot be changed so.
    #[error(transparent)]
    Leave(#[from] LeaveError),
    /// The login names a place or a job: nobody would be found behind it.
    #[error("the login names a place or a job: it is a person's, or a system's that has an owner")]
    Generic,
    /// The account does not lie idle.
    #[error("the account does not lie idle")]
    NotIdle,
    /// The account cannot be brought back so.
    #[error(transparent)]
    Dormancy(#[from] DormancyError),
    /// The account cannot be registered so.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The notice of an unused role does not go on so.
    #[error(transparent)]
    Unused(#[from] UnusedError),
    /// There is no such connected system, right or drift, or not for who asks.
    #[error("there is no such thing in a connected system")]
    NoSystem,
    /// A system with the code is connected already.
    #[error("a system with this code is connected already")]
    SystemTaken,
    /// Drift does not go on so.
    #[error(transparent)]
    Drift(#[from] DriftError),
    /// What an account is for is said in a sentence.
    #[error("what an account is for is said in a sentence")]
    Purpose,
    /// Who looks at an account is who answers for it.
    #[error("an account is looked at by who answers for it")]
    NotTheOwner,
    /// The database failed; nothing was changed, or it says what is not known.
    #[error("directory cannot be stored")]
    Store(#[source] StoreError),
}

impl From<StoreError> for DirectoryError {
    fn from(error: StoreError) -> Self {
        match error {
            // Somebody was quicker.
            StoreError::RowsAffected { .. } => Self::Changed,
            other => Self::Store(other),
        }
    }
}

impl<'a> Directory<'a> {
    /// For what nobody does and the clock decides. No table takes who acts for a person, so that nothing else can be done with it.
    pub fn of_the_clock(
        store: &'a Store,
        lease: &'a ShardLease,
        clock: &'a dyn Clock,
        rng: &'a mut (dyn Rng + Send),
    ) -> Self {
        Self { store, lease, clock, rng, by: Id::from_uuid(Uuid::nil()) }
    }
}

impl Directory<'_> {
    /// Who acts is somebody who is here, and whose account is not disabled; a system's has an owner.
    async fn check_by(&mut self, tx: &mut Tx, at: Timestamp) -> Result<(), DirectoryError> {
        let by = find_person(tx, self.by).await?;
        by.filter(|by| by.left_at.is_none_or(|left| left > at)).ok_or(DirectoryError::By)?;
        // relies on (system-owned), (idle-ends)
        if account_suspensions(tx, self.by, at).await?.iter().any(|one| one.contains(at)) {
            return Err(DirectoryError::By);
        }
        Ok(())
    }

    fn new_id<T>(&mut self, at: Timestamp) -> Id<T> {
        new_id(at, self.rng)
    }

    async fn commit(&mut self, tx: Tx, records: &[Record]) -> Result<Option<Position>, DirectoryError> {
        let events: Vec<_> = records.iter().map(|record| record.event(new_id(record.at(), self.rng))).collect();
        let positions = tx.commit(self.lease, &events).await?;
        Ok(positions.last().copied())
    }
}
