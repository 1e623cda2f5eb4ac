//! What a node finds: the pack that shipped with it, or the one in the folder of its configuration. It is active as it is found,
//! and stands in the same history as what people decide.

use super::content::pack_bytes;
use crate::record::Record;
use rand_core::Rng;
use scruple_core::{Clock, ENGINE_VERSION, PackHash, Phi, new_id};
use scruple_flow::{PackError, PackOrigin};
use scruple_policy::{Pack, PackFiles};
use scruple_store::{
    NewPackVersion, Position, ShardLease, Store, StoreError, active_pack_as_of, find_pack, insert_pack,
    keep_pack_content, update_pack,
};

/// Why a pack is not installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The version that is active does not give way.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The database failed.
    #[error("the policy cannot be stored")]
    Store(#[from] StoreError),
}

/// What was found.
pub struct Found<'a> {
    /// The pack.
    pub pack: &'a Pack,
    /// Its files.
    pub files: &'a PackFiles,
}

/// Makes what was found the active version, unless it is that already, or unless it shipped and people have decided on another:
/// then theirs stays. The hash of the version that is active afterwards, and the event if there is one.
///
/// # Errors
/// The database failed.
pub async fn install_pack(
    (store, lease): (&Store, &ShardLease),
    clock: &dyn Clock,
    rng: &mut (dyn Rng + Send),
    found: &Found<'_>,
    origin: PackOrigin,
) -> Result<(PackHash, Option<Position>), InstallError> {
    let mut tx = store.begin().await?;
    let at = clock.now();
    let active = active_pack_as_of(&mut tx, at).await?;
    if let Some(active) = &active {
        let stays = origin == PackOrigin::Shipped && active.origin != PackOrigin::Shipped;
        if stays || active.hash == found.pack.hash {
            return Ok((active.hash, None));
        }
    }
    let mut records = Vec::new();
    if let Some(active) = active {
        let version = active.version;
        let old = active.supersede(at)?;
        update_pack(&mut tx, &old, version).await?;
        records.push(Record::pack(&old, version + 1, at, None));
    }
    let hash = found.pack.hash;
    keep_pack_content(&mut tx, new_id(at, rng), hash, &pack_bytes(found.files), at).await?;
    let words = match origin {
        PackOrigin::Shipped => format!("It ships with Scruple {ENGINE_VERSION}."),
        PackOrigin::Folder | PackOrigin::Person(_) => "It lies in the folder of the configuration.".to_owned(),
    };
    let criteria = found.pack.criteria.join("\n");
    let new = NewPackVersion {
        id: new_id(at, rng),
        hash,
        engine: ENGINE_VERSION,
        origin,
        criteria: &criteria,
        rationale: Phi::new(words),
        at,
    };
    insert_pack(&mut tx, &new).await?;
    let Some(installed) = find_pack(&mut tx, new.id).await? else { return Err(StoreError::NoEvent.into()) };
    records.push(Record::pack(&installed, 1, at, None));
    let events: Vec<_> = records.iter().map(|record| record.event(new_id(record.at(), rng))).collect();
    let positions = tx.commit(lease, &events).await?;
    Ok((hash, positions.last().copied()))
}
