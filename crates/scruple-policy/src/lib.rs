//! The policy pack: read from text files, checked, compiled to native tables and to Cedar, and asked for decisions.
//!
//! Pure: the files come in as text ([`PackFiles`]), a decision goes out as a table. It opens no file, knows no patient
//! and no request.

mod decide;
mod model;
mod read;
mod source;

pub use decide::{Decider, Question, Refusal, Rule, admit, explain, table};
pub use model::{Category, Condition, Pack, Permit, Purpose, Role, Segment, SegmentWord, Task};
pub use read::read;
pub use source::{PackFiles, Problem};

#[cfg(test)]
mod tests;
