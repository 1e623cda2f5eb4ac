//! What people decide about access: every workflow as a state machine, one module per domain.
//!
//! What is here: states with their data, the transitions between them, and who may make them. All of it is pure: the time and
//! the facts are arguments. What is deliberately not here: tables (scruple-store), use cases (scruple-app), pages.

#[macro_use]
mod codes;

mod account;
mod alert;
pub mod approver;
mod chart_case;
pub mod connected;
mod deputy;
mod device;
pub mod directory;
mod elevation;
mod emergency;
mod grant;
mod kinds;
pub mod limits;
mod mapping;
pub mod measure;
mod need;
mod pack;
mod paper;
mod patient;
mod person;
mod project;
mod reason;
mod request;
mod role;
pub mod step;
mod task;
pub mod unused;
mod use_review;

pub use account::{
    ACCOUNT_SCOPES_MAX, Account, AccountError, AccountKind, Dormancy, DormancyError, DormancyState, IdleRule,
    IdleRules, SERVICE_ROLE, UNREGISTERED_DAYS, is_generic, unregistered_until,
};
pub use alert::{ALERT_DAYS, Alert, AlertOf, counted_since, is_raised};
pub use chart_case::{
    CaseError, CaseEvent, CaseFinding, CaseLetter, CaseState, CaseVerdict, CaseWorker, ChartCase, ChartQuestion,
    NewCase, QuestionCause,
};
pub use deputy::{Deputy, DeputyAs, DeputyError, DeputyEvent, DeputyState};
pub use device::{DeviceError, DeviceFacts, DevicePosture, DeviceStanding, DeviceStatus, DeviceTold};
pub use elevation::{
    DeclaredReason, Elevation, ElevationError, ElevationKind, EmergencyReason, HeldElevation, NewElevation, Opening,
};
pub use emergency::{
    EmergencyReview, Finding, ReaderAsked, ReviewError, ReviewEvent, ReviewState, Reviewer, Sentence, Verdict,
};
pub use grant::{Grant, GrantError, GrantRequest, HeldGrant, NewGrant, Revocation, Window};
pub use kinds::{InvalidKind, KindCode, Kinds, NamedKinds, RequestTask};
pub use mapping::{MappingCause, MappingDecision, MappingError, MappingReview, MappingVerdict};
pub use need::{ApartNeed, ApproverKind, InvalidNeed};
pub use pack::{
    PackApproval, PackCase, PackError, PackEvent, PackOrigin, PackReviewer, PackState, PackTerm, PackVersion,
};
pub use paper::{CasePaper, NewPaper, PAPER_BYTES_MAX, PaperAct, PaperError, PaperEvent, PaperHand, PaperState, Wall};
pub use patient::{InvalidPatient, PatientRef};
pub use person::{InvalidLogin, Login, NewPerson, Person};
pub use project::{
    Assessment, DataLevel, PROJECT_DAYS_MAX, PROJECT_ROLES_MAX, Project, ProjectDecision, ProjectError, ProjectEvent,
    ProjectState,
};
pub use reason::{WeakReason, reason};
pub use request::{
    AccessRequest, Approval, ApprovalRule, Approver, Backup, Extended, ExtensionRule, RequestError, RequestEvent,
    RequestState, Wanted,
};
pub use role::{InvalidRole, RoleCode};
pub use task::{
    AccessTask, HeldTask, HeldUnmask, Recording, TaskApproval, TaskApprover, TaskEnd, TaskEnded, TaskError, TaskEvent,
    TaskKind, TaskOrder, TaskRule, TaskState, Ticket,
};
pub use use_review::{UseError, UseFinding, UseReview, UseState, Used};
