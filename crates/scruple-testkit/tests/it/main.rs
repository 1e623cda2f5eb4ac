//! Properties of the tools, over made resources.

mod properties;
