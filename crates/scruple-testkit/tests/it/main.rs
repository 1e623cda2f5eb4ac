//! Properties of the tools, over made resources.

mod crafted;
mod properties;
