//! Findings: what is wrong with the directory now. Each is open for as long as it is true.

use super::DirectoryError;
use scruple_core::{Id, Timestamp};
use scruple_flow::directory::Employment;
use scruple_store::{Grant, Group, Person, RoleCode, Store, left_over_grants, unmanaged_persons, unmapped_groups};

/// Something that somebody has to see to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// A group has members and stands for no role: it gives nothing and explains nothing.
    UnmappedGroup(Id<Group>),
    /// A mover still has grants from before.
    LeftOver {
        /// Who.
        person: Id<Person>,
        /// Which, with their roles.
        grants: Vec<(Id<Grant>, RoleCode)>,
    },
    /// Somebody who is here has no manager who is.
    NoManager(Id<Person>),
    /// A system has no owner who is here.
    NoOwner(Id<Person>),
}

/// What is wrong with the directory at `now`: the first page of each kind.
///
/// # Errors
/// The database failed.
pub async fn findings(store: &Store, now: Timestamp) -> Result<Vec<Finding>, DirectoryError> {
    let mut tx = store.begin_read().await?;
    let mut found: Vec<_> = unmapped_groups(&mut tx, None).await?.into_iter().map(Finding::UnmappedGroup).collect();
    let mut left_over = left_over_grants(&mut tx, now, None).await?;
    left_over.sort_by_key(|one| (one.person, one.grant));
    for of_one in left_over.chunk_by(|left, right| left.person == right.person) {
        let grants = of_one.iter().map(|one| (one.grant, one.role.clone())).collect();
        found.extend(of_one.first().map(|one| Finding::LeftOver { person: one.person, grants }));
    }
    for one in unmanaged_persons(&mut tx, now, None).await? {
        found.push(match one.employment {
            Some(Employment::Service) => Finding::NoOwner(one.person),
            _ => Finding::NoManager(one.person),
        });
    }
    Ok(found)
}
