//! Memory that answers may take at one time, all calls together.

use scruple_release::{Share, UpstreamError};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of an answer that take no room: what care asks most, a record or a short list, comes whatever others hold.
const FREE_BYTES: usize = 64 * 1024;
/// Bytes in which room is counted.
const UNIT_BYTES: usize = 64 * 1024;

/// The room for all answers.
pub struct Room(Arc<Semaphore>);

/// What one answer takes of it.
#[derive(Default)]
pub struct Held(Option<OwnedSemaphorePermit>);

impl Room {
    /// For so many bytes.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new((bytes / UNIT_BYTES).min(Semaphore::MAX_PERMITS))))
    }

    /// Takes what an answer of so many bytes needs beyond what it holds. It never waits: those who waited for each other
    /// would do so until their time is over.
    pub fn grow(&self, held: &mut Held, bytes: usize) -> Result<(), UpstreamError> {
        let needed = bytes.saturating_sub(FREE_BYTES).div_ceil(UNIT_BYTES);
        let has = held.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let Some(missing) = needed.checked_sub(has).filter(|missing| *missing > 0) else { return Ok(()) };
        let missing = u32::try_from(missing).map_err(|_| UpstreamError::NoRoom)?;
        let more = Arc::clone(&self.0).try_acquire_many_owned(missing).map_err(|_| UpstreamError::NoRoom)?;
        match &mut held.0 {
            Some(held) => held.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

impl From<Held> for Share {
    fn from(held: Held) -> Self {
        held.0.map_or_else(Self::default, Self::of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_given_back_and_the_small_is_free() {
        let room = Room::new(4 * UNIT_BYTES);
        let (mut one, mut other, mut small) = (Held::default(), Held::default(), Held::default());
        room.grow(&mut one, FREE_BYTES + 1).unwrap();
        room.grow(&mut one, FREE_BYTES + 3 * UNIT_BYTES).unwrap();
        room.grow(&mut one, 1).unwrap();
        assert_eq!(room.0.available_permits(), 1);
        room.grow(&mut other, FREE_BYTES + UNIT_BYTES).unwrap();
        assert_eq!(room.grow(&mut other, FREE_BYTES + UNIT_BYTES + 1), Err(UpstreamError::NoRoom));
        room.grow(&mut small, FREE_BYTES).unwrap();
        drop(Share::from(one));
        room.grow(&mut other, FREE_BYTES + 4 * UNIT_BYTES).unwrap();
        drop((other, small));
        assert_eq!(room.0.available_permits(), 4);
    }
}
