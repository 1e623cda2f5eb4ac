//! What is outside, as traits: use cases name these, and the binary decides what stands behind them.

use crate::door::Named;
use scruple_core::{Phi, Timestamp};
use scruple_flow::connected::{ConnectorKind, ReadFailure, RemovalFailure, There};
use scruple_identity::oidc::{OidcError, Started};
use scruple_ledger::{AppendError, Ledger, Origin, Pending, Receipt, Recorder};
use std::collections::BTreeSet;
use std::pin::Pin;

/// An entry on its way to the disk; it is recorded when this answers with a receipt.
pub type Appending = Pin<Box<dyn Future<Output = Result<Receipt, AppendError>> + Send>>;

/// The log that events drain into: a ledger, or what stands before one.
pub trait EventLog: Send + Sync {
    /// The last durable position of a shard. What is on its way to the disk does not count.
    fn last_origin(&self, shard: u32) -> Option<u64>;

    /// Hands an entry over at once, in the order of the calls, not when the answer is first polled. The log takes no
    /// origin but the one that follows, so that an entry that is offered twice stands there once.
    fn append(&self, payload: Vec<u8>, origin: Origin) -> Appending;
}

impl EventLog for Ledger {
    fn last_origin(&self, shard: u32) -> Option<u64> {
        Self::last_origin(self, shard)
    }

    fn append(&self, payload: Vec<u8>, origin: Origin) -> Appending {
        appending(self.submit(payload, Some(origin)))
    }
}

impl EventLog for Recorder {
    fn last_origin(&self, shard: u32) -> Option<u64> {
        self.main().and_then(|ledger| ledger.last_origin(shard))
    }

    fn append(&self, payload: Vec<u8>, origin: Origin) -> Appending {
        appending(self.submit(payload, Some(origin)))
    }
}

/// A sign-in at a provider that has begun: the address that the browser goes to, and what has to be remembered.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<Started, ProviderError>> + Send + 'a>>;
/// Whom a provider names.
pub type Naming<'a> = Pin<Box<dyn Future<Output = Result<Named, ProviderError>> + Send + 'a>>;

/// The organisation's identity provider (OpenID Connect).
pub trait IdentityProvider: Send + Sync {
    /// What people call it.
    fn label(&self) -> &str;

    /// Begins; `anew`: the person shows himself again, whatever he has done before.
    fn start(&self, anew: bool) -> Sending<'_>;

    /// Finishes: the query that the browser came back with, and what was remembered.
    fn finish<'a>(&'a self, flow: &'a [u8], query: &'a str) -> Naming<'a>;
}

/// Why a provider names nobody.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProviderError {
    /// It cannot be reached, or answers with what cannot be used.
    #[error("the identity provider does not answer")]
    Silent,
    /// It names nobody, or what it says cannot be believed.
    #[error(transparent)]
    Oidc(#[from] OidcError),
    /// It does not say that a second factor was shown.
    #[error("the identity provider does not say that a second factor was shown")]
    OneFactor,
    /// It names somebody by a login that none here can be.
    #[error("the identity provider says no login")]
    NoLogin,
}

impl ProviderError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Silent => "oidc_silent",
            Self::Oidc(error) => error.code(),
            Self::OneFactor => "oidc_one_factor",
            Self::NoLogin => "oidc_no_login",
        }
    }
}

/// A whole reading of a connected system.
pub type ReadingSystem<'a> = Pin<Box<dyn Future<Output = Result<Shown, ReadFailure>> + Send + 'a>>;
/// A removal in a connected system; it is known to be done when the system was read again, and not before.
pub type RemovingThere<'a> = Pin<Box<dyn Future<Output = Result<(), NotRemoved>> + Send + 'a>>;

/// What a connected system shows: all of it, or nothing.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Shown {
    /// When it stood so, where the system says that; else when the reading began.
    pub as_of: Option<Timestamp>,
    /// Every right that it knows.
    pub rights: Vec<Phi<There>>,
    /// Every account.
    pub accounts: Vec<AccountShown>,
}

/// An account of a connected system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountShown {
    /// The account; its name is the login by which the person is known here.
    pub there: Phi<There>,
    /// Whether it can be used.
    pub is_active: bool,
    /// References of the rights that it has.
    pub rights: BTreeSet<String>,
}

/// What is to be removed in a connected system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemovalOrder {
    /// Of which account.
    pub account: Phi<There>,
    /// Which right; none: that the account can be used.
    pub right: Option<Phi<There>>,
}

/// Why a system did not say that it has removed something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotRemoved {
    /// What it was.
    pub failure: RemovalFailure,
    /// After how many seconds it may be tried again, where the system says so.
    pub wait_s: Option<u32>,
}

/// A system whose rights are compared with what is held here.
pub trait SystemConnector: Send + Sync {
    /// How it is reached.
    fn kind(&self) -> ConnectorKind;

    /// Reads all of it. What cannot be shown to be whole is an error.
    fn read(&self) -> ReadingSystem<'_>;

    /// Asks it to remove something; a system that is a file is asked nothing.
    fn remove<'a>(&'a self, order: &'a RemovalOrder) -> RemovingThere<'a>;
}

/// What was handed over, or why it was not taken.
fn appending(submitted: Result<Pending, AppendError>) -> Appending {
    match submitted {
        Ok(pending) => Box::pin(pending),
        Err(refused) => Box::pin(std::future::ready(Err(refused))),
    }
}
