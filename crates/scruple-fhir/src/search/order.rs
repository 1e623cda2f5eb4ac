//! The order of a search (docs/search.md, 4): keys that are read of projections, and the comparison of two resources.

use super::decimal::Decimal;
use super::matches::{SortValue, sort_values};
use super::reads::Reads;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// Characters of a text that count.
const TEXT_CHARS_MAX: usize = 100;

/// One part of an order.
#[derive(Clone, Debug)]
pub struct By {
    /// What it reads.
    pub reads: Reads,
    /// From the greatest to the smallest.
    pub descending: bool,
}

/// A key; none where nothing is read.
pub type Key = Option<KeyValue>;

/// A value of a key. Those of one part of an order are of one kind.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum KeyValue {
    /// A text, compared by its bytes.
    #[serde(rename = "t")]
    Text(String),
    /// An instant, in microseconds.
    #[serde(rename = "i")]
    Instant(i64),
    /// A decimal in units of the eighteenth place, as high and low half: JSON has no numbers that large.
    #[serde(rename = "n")]
    Number(i64, u64),
}

impl From<Decimal> for KeyValue {
    fn from(decimal: Decimal) -> Self {
        let units = decimal.units();
        Self::Number((units >> 64) as i64, units as u64)
    }
}

impl By {
    /// Whether a parameter can order resources.
    #[must_use]
    pub fn is_order(reads: &Reads) -> bool {
        matches!(reads.kind(), "string" | "date" | "token" | "uri" | "reference" | "number")
    }

    /// The key of a projection.
    #[must_use]
    pub fn key(&self, bytes: &[u8]) -> Key {
        let mut best: Key = None;
        sort_values(&self.reads, bytes, |value| {
            let value = match value {
                SortValue::Text(text) => KeyValue::Text(match text.char_indices().nth(TEXT_CHARS_MAX) {
                    Some((at, _)) => text.get(..at).unwrap_or_default().to_owned(),
                    None => text,
                }),
                SortValue::Span(span) => KeyValue::Instant(if self.descending { span.to } else { span.from }),
                SortValue::Number(number) => number.into(),
            };
            let wins = best.as_ref().is_none_or(|best| (value > *best) == self.descending && value != *best);
            if wins {
                best = Some(value);
            }
        });
        best
    }

    /// How two keys stand to each other.
    #[must_use]
    pub fn compare(&self, one: &Key, other: &Key) -> Ordering {
        match (one, other) {
            (Some(one), Some(other)) if self.descending => other.cmp(one),
            (Some(one), Some(other)) => one.cmp(other),
            // What has none comes last, in either direction.
            (one, other) => other.is_some().cmp(&one.is_some()),
        }
    }
}
