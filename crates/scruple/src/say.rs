//! Words for the terminal: a reader that has gone away is an error and no panic.

use anyhow::Result;
use std::io::Write as _;

/// A line, or several, on standard output.
pub fn line(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(())
}

/// The same on standard error.
pub fn aside(text: &str) -> Result<()> {
    writeln!(std::io::stderr().lock(), "{text}")?;
    Ok(())
}
