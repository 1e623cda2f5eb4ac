//! Properties of the tools, over made resources.

#![expect(clippy::expect_used, reason = "a test that cannot go on stops")]

mod crafted;
mod properties;
