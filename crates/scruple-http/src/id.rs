//! An id for each request: made here, never taken from the client.

use http::HeaderValue;
use rand_core::Rng;
use scruple_core::{Clock, Id, new_id};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// What a [`RequestId`] is an id of.
#[derive(Debug)]
pub enum Request {}

/// The id of one request: a UUID of version 7. It stands in the request's extensions, in answers and in logs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestId(Id<Request>);

impl RequestId {
    /// A new id: time from `clock`, the rest from `rng`.
    pub fn new(clock: &dyn Clock, rng: &mut dyn Rng) -> Self {
        Self(new_id(clock.now(), rng))
    }

    /// The UUID.
    #[must_use]
    pub const fn id(self) -> Id<Request> {
        self.0
    }

    /// For a header of an answer.
    #[must_use]
    pub fn header_value(self) -> HeaderValue {
        HeaderValue::try_from(self.to_string()).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Where a listener gets its ids.
pub struct RequestIds {
    clock: Arc<dyn Clock>,
    rng: Mutex<Box<dyn Rng + Send>>,
}

impl fmt::Debug for RequestIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestIds")
    }
}

impl RequestIds {
    /// Ids from this clock and this generator.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, rng: Box<dyn Rng + Send>) -> Self {
        Self { clock, rng: Mutex::new(rng) }
    }

    /// The next id.
    #[must_use]
    pub fn next(&self) -> RequestId {
        // A panic of the generator leaves it as it is: any state of it is as good.
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        RequestId::new(&*self.clock, &mut **rng)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use scruple_core::{FixedClock, Timestamp};

    #[test]
    fn ids_differ_and_come_from_clock_and_generator_alone() {
        let ids = || {
            let clock = Arc::new(FixedClock::new(Timestamp::from_micros(1_700_000_000_000_000)));
            RequestIds::new(clock, Box::new(ChaCha8Rng::seed_from_u64(7)))
        };
        let (one, two) = (ids(), ids());
        let first = one.next();
        assert_eq!(first, two.next());
        assert_ne!(first, one.next());
        assert_eq!(first.to_string().len(), 36);
        assert_eq!(first.to_string().as_bytes()[14], b'7', "version 7");
        assert_eq!(first.header_value(), first.to_string());
    }
}
