//! The release crate against the slow projector, the validity oracle and real files.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that finds something else fails loudly"
)]

mod attacks;
mod differential;
mod limited;
mod outputs;
mod world;
