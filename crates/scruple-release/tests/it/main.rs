//! The release crate against the slow projector, the validity oracle and real files.

mod differential;
mod world;
