//! Who a person is in the record system: confirmed by a second person who is here, ended by anybody who is.

use crate::record::Record;
use rand_core::Rng;
use scruple_core::{Clock, new_id};
use scruple_store::{
    LinkEnd, LinkError, LinkRequest, Login, NewLink, Person, Position, PractitionerLink, PractitionerRef, ShardLease,
    Store, StoreError, Tx, confirm_link, end_link, find_link, find_open_link, find_person_by_login,
};

/// A change of one link.
#[derive(Clone, Debug)]
pub struct LinkOrder {
    /// Whom it is about.
    pub person: Login,
    /// Who he is in the record system, or is no longer.
    pub practitioner: PractitionerRef,
    /// Who confirms or ends it.
    pub by: Login,
}

/// A link that was changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkChanged {
    /// The link, as it is now.
    pub link: PractitionerLink,
    /// The event of it, to wait for.
    pub position: Position,
}

/// Why a link was not changed.
#[derive(Debug, thiserror::Error)]
pub enum LinkOrderError {
    /// No person has this login, or he has left.
    #[error("the person to be linked is not known here, or has left")]
    Person,
    /// Nobody has the login of who confirms or ends it, or he has left.
    #[error("who confirms or ends it is not known here, or has left")]
    By,
    /// The person would confirm it for himself.
    #[error(transparent)]
    TwoPeople(#[from] LinkError),
    /// There is nothing to confirm.
    #[error("the person is linked to this practitioner already")]
    Linked,
    /// There is nothing to end.
    #[error("the person is not linked to this practitioner")]
    NotLinked,
    /// The database failed; nothing was changed, or it says what is not known.
    #[error("link cannot be stored")]
    Store(#[from] StoreError),
}

/// Links a person to a practitioner, as a second person confirms.
///
/// # Errors
/// See [`LinkOrderError`].
pub async fn link_practitioner(
    store: &Store,
    lease: &ShardLease,
    clock: &dyn Clock,
    rng: &mut (dyn Rng + Send),
    order: &LinkOrder,
) -> Result<LinkChanged, LinkOrderError> {
    let mut tx = store.begin().await?;
    let at = clock.now();
    let here = |person: &Person| person.left_at.is_none_or(|left| left > at);
    let person = find_person_by_login(&mut tx, &order.person).await?;
    // The store links nobody for whom a leaving is noted, even for later.
    let person = person.filter(|person| person.left_at.is_none()).ok_or(LinkOrderError::Person)?;
    let by = find_person_by_login(&mut tx, &order.by).await?.filter(here).ok_or(LinkOrderError::By)?;
    let request = LinkRequest { id: new_id(at, rng), person: person.id, practitioner: order.practitioner.clone() };
    let (id, new) = (request.id, NewLink::confirmed(request.clone(), by.id, at)?);
    if find_open_link(&mut tx, person.id, &order.practitioner).await?.is_some() {
        return Err(LinkOrderError::Linked);
    }
    let subjects = confirm_link(&mut tx, &new).await?;
    let link = find_link(&mut tx, id).await?.ok_or(LinkOrderError::NotLinked)?;
    let position = commit(tx, lease, rng, &Record::linked(&request, by.id, at, subjects)).await?;
    Ok(LinkChanged { link, position })
}

/// Ends the link of a person, who may have left, to a practitioner.
///
/// # Errors
/// See [`LinkOrderError`].
pub async fn unlink_practitioner(
    store: &Store,
    lease: &ShardLease,
    clock: &dyn Clock,
    rng: &mut (dyn Rng + Send),
    order: &LinkOrder,
) -> Result<LinkChanged, LinkOrderError> {
    let mut tx = store.begin().await?;
    let at = clock.now();
    let here = |person: &Person| person.left_at.is_none_or(|left| left > at);
    let person = find_person_by_login(&mut tx, &order.person).await?.ok_or(LinkOrderError::Person)?;
    let by = find_person_by_login(&mut tx, &order.by).await?.filter(here).ok_or(LinkOrderError::By)?;
    let open = find_open_link(&mut tx, person.id, &order.practitioner).await?.ok_or(LinkOrderError::NotLinked)?;
    let end = LinkEnd { by: by.id, at };
    let subjects = end_link(&mut tx, open.id, open.version, end).await?;
    let link = find_link(&mut tx, open.id).await?.ok_or(LinkOrderError::NotLinked)?;
    let position = commit(tx, lease, rng, &Record::unlinked(&open, end, subjects)).await?;
    Ok(LinkChanged { link, position })
}

async fn commit(
    tx: Tx,
    lease: &ShardLease,
    rng: &mut (dyn Rng + Send),
    record: &Record,
) -> Result<Position, StoreError> {
    let positions = tx.commit(lease, &[record.event(new_id(record.at(), rng))]).await?;
    positions.first().copied().ok_or(StoreError::NoEvent)
}
