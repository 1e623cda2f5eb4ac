//! The gateway with everything real behind it: policy, store, access cache, ledger on disk, tokens.

mod faults;
mod medplum;
mod pairs;
mod records;
mod requests;
mod support;
