//! What is counted of calls: by kind and outcome, nothing of data.

use std::sync::atomic::{AtomicU64, Ordering};

/// A kind of call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallKind {
    /// A read.
    Read,
    /// A search's first page.
    Search,
    /// A later page, of a search or of a history.
    Page,
    /// A read of a version.
    Version,
    /// A history's first page.
    History,
    /// `metadata`, and what else the start-up asks.
    Probe,
}

const KINDS: [CallKind; 6] =
    [CallKind::Read, CallKind::Search, CallKind::Page, CallKind::Version, CallKind::History, CallKind::Probe];

impl CallKind {
    /// Whether 404 and 410 are an answer to it: what it names is absent.
    pub(crate) const fn may_be_absent(self) -> bool {
        matches!(self, Self::Read | Self::Version | Self::History)
    }

    /// Its name in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Search => "search",
            Self::Page => "page",
            Self::Version => "version",
            Self::History => "history",
            Self::Probe => "probe",
        }
    }
}

/// What a call can come to: an answer, none (404, 410), or the code of an error.
pub const OUTCOMES: [&str; 12] = [
    "ok",
    "none",
    "upstream_unreachable",
    "upstream_timeout",
    "upstream_status",
    "upstream_credential",
    "upstream_not_json",
    "upstream_too_large",
    "upstream_malformed",
    "upstream_foreign_link",
    "overloaded",
    "other",
];

/// How often a kind of call came to an outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Calls {
    /// The kind.
    pub kind: CallKind,
    /// One of [`OUTCOMES`].
    pub outcome: &'static str,
    /// How often.
    pub count: u64,
}

/// Counts of one upstream.
#[derive(Debug, Default)]
pub struct UpstreamCounts {
    calls: [[AtomicU64; OUTCOMES.len()]; KINDS.len()],
    pub(crate) opened: AtomicU64,
    pub(crate) retried: AtomicU64,
    pub(crate) under_way: AtomicU64,
}

impl UpstreamCounts {
    pub(crate) fn add(&self, kind: CallKind, outcome: &str) {
        let column = OUTCOMES.iter().position(|name| *name == outcome).unwrap_or(OUTCOMES.len() - 1);
        if let Some(counter) = self.calls.get(kind as usize).and_then(|row| row.get(column)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// All kinds and outcomes, those at 0 too.
    #[must_use]
    pub fn calls(&self) -> Vec<Calls> {
        let rows = KINDS.iter().zip(&self.calls);
        rows.flat_map(|(kind, row)| {
            OUTCOMES.iter().zip(row).map(|(outcome, count)| Calls {
                kind: *kind,
                outcome,
                count: count.load(Ordering::Relaxed),
            })
        })
        .collect()
    }

    /// How often this kind came to this outcome.
    #[must_use]
    pub fn of(&self, kind: CallKind, outcome: &str) -> u64 {
        self.calls()
            .iter()
            .filter(|calls| calls.kind == kind && calls.outcome == outcome)
            .map(|calls| calls.count)
            .sum()
    }

    /// Connections opened.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Calls sent again because the server had closed the pooled connection.
    #[must_use]
    pub fn retried(&self) -> u64 {
        self.retried.load(Ordering::Relaxed)
    }

    /// Calls under way now.
    #[must_use]
    pub fn under_way(&self) -> u64 {
        self.under_way.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_row() {
        let counts = UpstreamCounts::default();
        for kind in KINDS {
            counts.add(kind, "ok");
            counts.add(kind, "what nobody knows");
            assert_eq!((counts.of(kind, "ok"), counts.of(kind, "other")), (1, 1));
        }
        assert_eq!(counts.calls().iter().map(|calls| calls.count).sum::<u64>(), 12);
    }
}
