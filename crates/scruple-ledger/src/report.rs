//! What a verification found, in words and positions.

use crate::error::Damage;
use crate::tree::Hash;
use std::fmt;

/// The kind of a finding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum FindingKind {
    /// A file that the ledger does not write.
    UnknownFile,
    /// A file that should be there.
    Missing,
    /// Bytes that are not what they should be.
    Changed,
    /// Bytes behind the last whole frame: an interrupted write, or damage to the last batch.
    Torn,
    /// The checkpoint is not signed by the key, or malformed.
    Checkpoint,
    /// The outside checkpoint is not of this log, or not signed by the key.
    OutsideCheckpoint,
    /// The log is older than the outside checkpoint.
    Rollback,
    /// The log has another history than the outside checkpoint.
    Fork,
    /// An entry does not open, or its data key is lost.
    Sealed,
    /// The caller's validator refused a payload.
    Payload,
    /// A file cannot be read.
    Unreadable,
}

/// One thing that is wrong, with its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Its kind.
    pub kind: FindingKind,
    /// Where, and in words.
    pub damage: Damage,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.damage, f)
    }
}

/// Whose word the result rests on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trust {
    /// Key and checkpoint lay outside: changes and rollbacks up to the checkpoint would have been found.
    OutsideCheckpoint,
    /// The key lay outside: the checkpoint is the log's own, but perhaps not its last.
    OutsideKey,
    /// The folder's own key: whoever can write the folder can have made all of it anew.
    FolderOnly,
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutsideCheckpoint => {
                "checked against a checkpoint kept outside the folder: nothing up to it was changed or taken away"
            }
            Self::OutsideKey => {
                "checked with a key from outside the folder, without a checkpoint kept outside: a cut back to an older \
                 checkpoint of the same log cannot be seen"
            }
            Self::FolderOnly => {
                "checked with the folder's own key only: this shows consistency, not that nothing was rewritten"
            }
        })
    }
}

/// The result of a verification.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The name of the log.
    pub origin: String,
    /// Entries under the signed checkpoint.
    pub checkpoint_size: u64,
    /// The root of the signed checkpoint.
    pub root: Hash,
    /// All whole entries.
    pub entries: u64,
    /// Payloads that were opened.
    pub opened: u64,
    /// Entries whose data key was erased.
    pub erased: u64,
    /// Entries in the emergency reserve of the folder that are not merged yet; they are not counted above.
    pub in_reserve: u64,
    /// What the result rests on.
    pub trust: Trust,
    /// Whether a process had the ledger open meanwhile.
    pub live: bool,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What is worth knowing and not wrong.
    pub notes: Vec<String>,
}

/// Findings that a report keeps; a wholly broken log does not need a line per byte.
pub(crate) const FINDINGS_MAX: usize = 1000;

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        self.findings.is_empty()
    }

    /// Entries that are not yet under a signed checkpoint.
    #[must_use]
    pub const fn unsigned_entries(&self) -> u64 {
        self.entries.saturating_sub(self.checkpoint_size)
    }

    pub(crate) fn find(&mut self, kind: FindingKind, damage: Damage) {
        let finding = Finding { kind, damage };
        if self.findings.len() < FINDINGS_MAX && !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, entries, checkpoint_size, opened, erased, .. } = self;
        let verdict = if self.is_good() { "good" } else { "NOT GOOD" };
        writeln!(f, "{origin}: {verdict}")?;
        writeln!(
            f,
            "{entries} entries, {checkpoint_size} under the signed checkpoint, {} not yet",
            self.unsigned_entries()
        )?;
        writeln!(f, "{opened} payloads opened, {erased} erased")?;
        writeln!(f, "{}", self.trust)?;
        self.notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))?;
        self.findings.iter().try_for_each(|finding| writeln!(f, "found: {finding}"))
    }
}

/// An error and its sources in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
