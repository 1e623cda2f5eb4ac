//! The console: pages for people.
//!
//! What a role sees of a synthetic record comes through the trait [`Lens`]. The pages of people make use cases of scruple-app of
//! what is sent, and pages of their answers; pages work without JavaScript. This crate decides and projects nothing.

mod assets;
mod lens;
mod pages;
mod serve;
mod words;

use scruple_app::guide;

pub use lens::{
    Catalogue, HospitalLens, HospitalLensOptions, Lens, LensAsk, LensError, Outcome, PurposeChoice, Reason, RecordItem,
    RoleChoice, Seen, SeenFuture, SeenView,
};
pub use pages::{router, sample_router};
pub use serve::{SiteParts, console, routes};
