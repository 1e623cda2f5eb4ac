//! SCIM over HTTP, through the router, before a real SQLite database.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that finds something else fails loudly")]

mod access;
mod protocol;
mod queries;
mod scim2;
mod support;
