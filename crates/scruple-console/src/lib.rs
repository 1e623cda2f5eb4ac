//! The console: pages for people.
//!
//! The first form: the Lens, its design system, and pages for what goes wrong. Pages work without JavaScript. What a role
//! sees comes through the trait [`Lens`]; this crate decides and projects nothing. Sign-in and the other screens are views
//! with samples and have no handlers yet: until then it listens on loopback and shows synthetic records alone.

mod align;
mod assets;
mod lens;
mod pages;
mod tree;
mod words;

pub use lens::{
    Catalogue, HospitalLens, HospitalLensOptions, Lens, LensAsk, LensError, Outcome, PurposeChoice, Reason, RecordItem,
    RoleChoice, Seen, SeenFuture, SeenView,
};
pub use pages::{router, sample_router};
