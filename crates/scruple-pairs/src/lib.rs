//! Non-interference over a gateway: what the tests of the gateway and the long run of pairs share. No crate that ships
//! depends on it but as a dev-dependency.
//!
//! * [`Behind`]: what stands behind the gateway, over a store.
//! * [`BareServer`]: a server of others with nothing before it.
//! * [`Exchange`]: an upstream in whose place another can be put.
//! * [`Caller`]: whose view it is, and what the policy lets him ask.
//!
//! The comparison itself is `scruple_testkit::interfere`. The gateway is put together by who uses this.

mod bare;
mod behind;
mod caller;
mod exchange;

pub use bare::BareServer;
pub use behind::{Behind, Raw};
pub use caller::{Caller, Explained};
pub use exchange::Exchange;
