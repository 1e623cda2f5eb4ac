//! What the gateway's cache loads for one person, with the vector that tells whether it is still true.

use crate::account::{account_suspensions, find_account};
use crate::elevation::open_elevations;
use crate::grant::open_grants;
use crate::leave::suspensions;
use crate::link::usable_practitioners;
use crate::step::steps_of;
use crate::task::open_tasks;
use crate::{HeldElevation, HeldGrant, Person, PractitionerRef, ShardVector, StoreError, Tx, shard_vector};
use scruple_core::{Id, Timestamp};
use scruple_flow::directory::Suspension;
use scruple_flow::{AccountKind, HeldTask};
use std::collections::BTreeMap;

/// What a person holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Access {
    /// How far the shards had come. An event above it that names the person makes this stale.
    pub vector: ShardVector,
    /// The person.
    pub person: Id<Person>,
    /// When he left or will leave; from then on he holds nothing, whatever the grants say.
    pub left_at: Option<Timestamp>,
    /// When he holds nothing though he is here: his leaves, until each is closed.
    pub suspended: Vec<Suspension>,
    /// When his account gives nothing at all, not even what everybody may do: idle for too long, or a system's that nobody answers for.
    pub disabled: Vec<Suspension>,
    /// The grants that are neither revoked nor over, those that have not begun included.
    pub grants: Vec<HeldGrant>,
    /// The patients whose records are opened to him for a time, those that are to be included.
    pub elevations: Vec<HeldElevation>,
    /// It is the registered account of a system, and no human's.
    pub is_system: bool,
    /// What his tokens may be used for; none: he is no system, or nothing is registered of it.
    pub scopes: Option<Vec<String>>,
    /// When he last took each step that a role can ask for.
    pub steps: BTreeMap<String, Timestamp>,
    /// The tasks that are active, each with the records that it opens.
    pub tasks: Vec<HeldTask>,
    /// Who the person is in the record system, in order: without those that are ambiguous, and of one who is gone none.
    pub practitioners: Vec<PractitionerRef>,
}

/// Loads what a person holds. To be called in one transaction of [`crate::Store::begin_read`]. Unknown: `Ok(None)`.
///
/// # Errors
/// The database failed, a row is inconsistent, or there are too many grants, elevations or links.
pub async fn load_access(tx: &mut Tx, person: Id<Person>, now: Timestamp) -> Result<Option<Access>, StoreError> {
    const SQL: &str = "SELECT left_at FROM person WHERE id = $1";
    // The vector first: should the state of the database move meanwhile, grants and links are newer than it and never older.
    let vector = shard_vector(tx).await?;
    let row: Option<(Option<i64>,)> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(person.uuid()).fetch_optional(conn).await?);
    let Some((left_at,)) = row else {
        return Ok(None);
    };
    let left_at = left_at.map(Timestamp::from_micros);
    let gone = left_at.is_some_and(|at| at <= now);
    let grants = if gone { Vec::new() } else { open_grants(tx, person, now).await? };
    let elevations = if gone { Vec::new() } else { open_elevations(tx, person, now).await? };
    let tasks = if gone { Vec::new() } else { open_tasks(tx, person, now).await? };
    let suspended = if gone { Vec::new() } else { suspensions(tx, person, now).await? };
    let disabled = if gone { Vec::new() } else { account_suspensions(tx, person, now).await? };
    let practitioners = if gone { Vec::new() } else { usable_practitioners(tx, person).await? };
    let account = find_account(tx, person).await?;
    let is_system = account.as_ref().is_some_and(|account| account.kind == AccountKind::Service);
    let scopes = account.map(|account| account.scopes);
    let steps = steps_of(tx, person).await?;
    Ok(Some(Access {
        vector,
        person,
        left_at,
        suspended,
        disabled,
        grants,
        elevations,
        tasks,
        is_system,
        scopes,
        steps,
        practitioners,
    }))
}
