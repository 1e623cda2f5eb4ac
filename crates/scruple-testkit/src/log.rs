//! The log of a test, kept.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Once;

thread_local! {
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What this thread has logged, down to the last detail, since it called [`Log::capture`]. One subscriber serves the
/// whole process: those that come and go beside each other lose lines.
pub struct Log;

impl Log {
    /// Begins to keep what this thread logs.
    ///
    /// # Panics
    ///
    /// When the process has another subscriber.
    #[expect(clippy::expect_used, reason = "a test fails by a panic")]
    pub fn capture() -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let subscriber =
                tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(|| Self).finish();
            tracing::subscriber::set_global_default(subscriber).expect("no other subscriber is set");
        });
        LOG.with_borrow_mut(Vec::clear);
        Self
    }

    /// What was logged since.
    pub fn text(&self) -> String {
        LOG.with_borrow(|log| String::from_utf8_lossy(log).into_owned())
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
