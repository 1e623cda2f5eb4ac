//! Words for the terminal: what is written, and what happens when nobody reads it.

use anyhow::Result;
use std::error::Error;
use std::io::{self, Write as _};

/// Who read the output has gone (`scruple ledger show | head`): no failure, and no more is written.
#[derive(Debug, thiserror::Error)]
#[error("the reader of the output has gone")]
pub struct Gone;

/// Writes a line to standard output.
///
/// # Errors
/// It cannot be written; [`Gone`] if there is no reader.
pub fn say(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Gone.into()),
        result => Ok(result?),
    }
}

/// Writes a line to standard error, where somebody reads it.
pub fn tell(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// An error in one line: each cause says what the one before it does not.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}

/// Keeps the words of a panic to itself: they can quote the text that was worked on, and that can be PHI.
pub fn keep_panics_quiet() {
    std::panic::set_hook(Box::new(|info| {
        let at = info.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
        tell(&format!("scruple: internal error{at}; no more is released"));
    }));
}

/// `1 resource`, `2 resources`.
pub fn count(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}
