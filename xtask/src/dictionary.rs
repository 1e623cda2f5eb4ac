//! `cargo xtask dictionary`: the FHIR dictionary, from the official definitions.

use anyhow::{Result, bail};

use crate::args::Args;

pub const HELP: &str = "usage: cargo xtask dictionary";

pub fn run(_args: Args) -> Result<()> {
    bail!("is being written")
}
