//! A panic in a handler ends that request and nothing else, and its message is never seen: it may hold what it choked on.

use std::cell::Cell;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    static PLACE: Cell<Option<Place>> = const { Cell::new(None) };
}

/// Where a panic happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    pub line: u32,
    pub column: u32,
    file: [u8; FILE_BYTES],
    len: usize,
}

impl Default for Place {
    fn default() -> Self {
        Self::new("", 0, 0)
    }
}

/// Bytes kept of the end of a file's name.
const FILE_BYTES: usize = 64;

impl Place {
    fn new(file: &str, line: u32, column: u32) -> Self {
        let mut place = Self { line, column, file: [0; FILE_BYTES], len: file.len().min(FILE_BYTES) };
        let tail = file.as_bytes().iter().skip(file.len().saturating_sub(FILE_BYTES));
        place.file.iter_mut().zip(tail).for_each(|(slot, byte)| *slot = *byte);
        place
    }

    /// The end of the file's name; empty if it is not known.
    pub fn file(&self) -> &str {
        self.file.get(..self.len).and_then(|name| std::str::from_utf8(name).ok()).unwrap_or("")
    }
}

/// Makes panics of the whole process speak by place alone: one line with file and line, without the message, through
/// `tracing`. A panic that a [`Server`](crate::Server) catches is logged there, once. A program that handles PHI calls
/// this first; without it the standard hook prints messages to stderr.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(|at| Place::new(at.file(), at.line(), at.column())).unwrap_or_default();
        if CATCHING.get() {
            PLACE.set(Some(place));
        } else {
            let (file, line) = (place.file(), place.line);
            tracing::error!(panic.file = file, panic.line = line, "panic at {file}:{line}");
        }
    }));
}

/// A future or a call that panicked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Panicked(pub Place);

fn caught<T>(call: impl FnOnce() -> T) -> Result<T, Panicked> {
    let outer = CATCHING.replace(true);
    // What the call leaves half done is the request's own and is dropped with it.
    let outcome = catch_unwind(AssertUnwindSafe(call));
    CATCHING.set(outer);
    outcome.map_err(|_| Panicked(PLACE.take().unwrap_or_default()))
}

/// Runs what `make` gives; a panic of either becomes an error.
pub async fn catch<F: Future>(make: impl FnOnce() -> F) -> Result<F::Output, Panicked> {
    let mut future = pin!(caught(make)?);
    poll_fn(|cx| match caught(|| future.as_mut().poll(cx)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Err(panicked) => Poll::Ready(Err(panicked)),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_keeps_its_end() {
        let long = format!("{}/src/handler.rs", "d".repeat(100));
        let place = Place::new(&long, 3, 4);
        assert_eq!(place.file().len(), FILE_BYTES);
        assert!(place.file().ends_with("d/src/handler.rs"));
        assert_eq!(Place::new("a.rs", 1, 1).file(), "a.rs");
    }
}
