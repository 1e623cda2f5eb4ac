//! The policy pack: read from text files, checked, compiled to native tables and to Cedar, proved, and asked for decisions.
//!
//! Pure: the files come in as text ([`PackFiles`]), a decision goes out as a table. It opens no file, knows no patient
//! and no request. [`activate`] is the one way to a [`Decider`].

mod active;
mod breadth;
mod cedar;
mod check;
mod compare;
mod decide;
mod explain;
mod guardrail;
mod impact;
mod kinds;
mod model;
mod prove;
mod read;
mod reminder;
mod show;
mod sign_in;
mod source;
mod spoken;
mod sprawl;
mod trim;
mod words;

pub use active::{ActivationError, Active, activate};
pub use breadth::{Breadth, breadth};
pub use cedar::{Cedar, CedarError, CedarPolicy};
pub use check::{Checked, check};
pub use compare::{About, Change, Comparison, Direction, PackName, Side, compare, view_covers};
pub use decide::{Decider, Question, Refusal, Rule, admit, explain, table};
pub use explain::{ElementRow, ExplainError, TypeExplanation, explain_type};
pub use guardrail::{GUARDRAILS_MAX, Guardrails};
pub use impact::{Impact, Outcome, PastAccess, impact, used_kinds};
pub use model::{
    ADMINISTRATOR, AccessTaskLine, Act, ActScope, Approvals, Broad, COUNSEL, Category, Condition, Console,
    HUMAN_RESOURCES, LINE_MANAGER, OVERSIGHT_KINDS, Pack, Permit, Purpose, Reach, RelatedBy, Relationships, Role,
    Rule as ApprovalLine, SERVICE_ACCOUNT, SUPPORT_KINDS, Segment, SegmentWord, StepLine, System, Task, Timing,
};
pub use prove::{Difference, PROOF_CONDITIONS_MAX, Proof, ProofError, prove};
pub use read::read;
pub use reminder::{DeskRules, Reminder, ReminderOf, Reminders};
pub use show::{
    Cell, ConditionLine, Determination, Matrix, MatrixRow, Need, PermitLine, PurposeLine, RoleSheet, SegmentLine,
    SegmentNeed, Show, Standing, TaskLine, UnknownRole, Wider,
};
pub use sign_in::{
    CONFIRMED_LATELY, DEVICE_FACTS, DEVICE_IN_ORDER, DeviceRule, INSIDE, SEVERAL_FACTORS, SignInRules,
    UNCONFIRMED_OUTSIDE, WORKING_HOURS, WorkingHours,
};
pub use source::{PackFiles, Problem, Severity};
pub use spoken::{conditions_of, mask_words, purpose_coded, purpose_words};
pub use sprawl::{Held, Merge, OVERLAP_PERCENT, Overlap, ROLES_PER_HUNDRED, Sprawl, UNTOUCHED_DAYS, is_within, sprawl};
pub use trim::{Trimmed, trim};

#[cfg(test)]
mod tests;
