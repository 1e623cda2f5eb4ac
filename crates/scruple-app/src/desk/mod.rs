//! The desk: access beyond what a person has is asked for, given, ended and looked at here. Each use case is one transaction: it
//! loads what is, makes one transition of scruple-flow, and commits with the events of it.

mod alerts;
mod apart;
mod change;
mod charts;
mod deputies;
mod elevations;
mod longer;
mod outcome;
mod papers;
mod projects;
mod requests;
mod reviews;
mod steps;
mod tasks;
mod uses;

use crate::record::Record;
use rand_core::Rng;
use scruple_core::{Clock, Id, Timestamp, new_id};
use scruple_flow::step::{Step, StepError, StepKind};
use scruple_flow::{
    ApprovalRule, ApproverKind, Backup, CaseError, DeputyError, ElevationError, GrantError, KindCode, Kinds,
    MappingError, PackError, PaperError, PatientRef, Person, ProjectError, RequestError, ReviewError, RoleCode,
    TaskError, TaskKind, TaskRule, UseError,
};
use scruple_policy::{Act, ActScope, DeskRules, Pack, Reminder, ReminderOf, StepLine};
use scruple_store::limits::OPEN_ELEVATIONS_MAX;
use scruple_store::{
    Position, ShardLease, Store, StoreError, Tx, find_directory, find_person, inviters, open_elevations, open_grants,
    suspensions,
};
use std::collections::{BTreeMap, BTreeSet};

pub use change::{Change, Changed, NOT_SHOWN, change_of};
pub(crate) use charts::is_told_of;
use charts::same_line;
pub use charts::{CaseAsk, ChartAsk};
pub use deputies::{Deputised, DeputyAsk, deputised, deputy_scope};
pub use elevations::{Declaration, Emergency};
pub use longer::{Longer, extension_rule};
pub use outcome::{Opened, opened_by};
pub use papers::{CasePack, PaperAsk, Papers};
pub use projects::{ProjectAsk, open_projects};
pub use requests::{Ask, Narrower};
pub use reviews::Alike;
pub use steps::{STEPS_MAX, Trained, steps_for};
pub use tasks::{TaskAsk, UnmaskAsk};
pub(crate) use tasks::{stopped, task_record};
pub use uses::approved_by;

/// Records that can be open to one person.
const OPEN_MAX: u64 = OPEN_ELEVATIONS_MAX.unsigned_abs();
/// Of them, those that a request or a word opens: there is always room for an emergency.
const ASKED_OPEN_MAX: u64 = OPEN_MAX - 200;

/// What the active policy says of access beyond a role.
pub trait Rules: Send + Sync {
    /// Who must approve that somebody gets a role, or, in it, these kinds of information of named patients; none: it is not given.
    fn approval(&self, role: &RoleCode, of_patients: Option<&Kinds>) -> Option<ApprovalRule>;

    /// The kinds of information that the role has of its patients, for one purpose or for all of its own: what a request may name.
    fn kinds(&self, role: &RoleCode, purpose: Option<&str>) -> BTreeSet<KindCode>;

    /// What somebody who holds these roles sees of his own patients, by kind of information: `full`, or `masked:` and the mask. What does
    /// not show is not named.
    fn effective(&self, _roles: &BTreeSet<RoleCode>) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// The kinds of information that a resource of a type can be of as a whole; none: it tells of no kind by itself.
    fn kinds_of_type(&self, resource_type: &str) -> BTreeSet<KindCode>;

    /// What is asked of an access task of this kind in a role, on a system where it is support; none: there is no such task.
    fn task(&self, _role: &RoleCode, _kind: TaskKind, _system: Option<&str>) -> Option<TaskRule> {
        None
    }

    /// The role of whoever answers for a system.
    fn system_owner(&self, _system: &str) -> Option<RoleCode> {
        None
    }

    /// Whether a kind of information may be shown unmasked, for a while, to somebody in this role.
    fn may_unmask(&self, _role: &RoleCode, _category: &str) -> bool {
        false
    }

    /// Whether a role is given for a project that was assessed, and for nothing else.
    fn needs_project(&self, _role: &RoleCode) -> bool {
        false
    }

    /// Whether this is a purpose of use that the policy knows (HL7 v3 ActReason).
    fn is_purpose(&self, _code: &str) -> bool {
        true
    }

    /// Whether somebody in this role may say that he cares for a patient.
    fn may_declare(&self, role: &RoleCode) -> bool;

    /// Whether somebody in this role may open a record in an emergency.
    fn may_break_glass(&self, role: &RoleCode) -> bool;

    /// Whether a chart is nobody's, and there to practise emergencies on.
    fn is_practice(&self, patient: &PatientRef) -> bool;

    /// The steps that a role asks for before it opens a record.
    fn steps(&self, _: &RoleCode) -> Vec<Step> {
        Vec::new()
    }

    /// A step by its name.
    fn step(&self, _: &str) -> Option<Step> {
        None
    }

    /// How far somebody who holds these roles may go with an act; none: not at all.
    fn scope(&self, act: Act, roles: &BTreeSet<RoleCode>) -> Option<ActScope>;

    /// What is read before somebody asks for a role, or, in it, for the records of named patients; none: nothing has to be read.
    fn reminder(&self, role: &RoleCode, is_of_patients: bool) -> Option<Reminder>;

    /// House rules: how far access is prolonged, what is too often.
    fn desk(&self) -> DeskRules;
}

impl Rules for Pack {
    fn approval(&self, role: &RoleCode, of_patients: Option<&Kinds>) -> Option<ApprovalRule> {
        let line = match of_patients {
            None => Self::approval(self, role.as_str(), false)?.clone(),
            Some(kinds) => {
                let named = kinds.codes().map(|codes| codes.iter().map(ToString::to_string).collect());
                self.approval_of(role.as_str(), named.as_ref())?
            }
        };
        Some(ApprovalRule {
            needs: line.needs.iter().map(|need| need.parse().ok()).collect::<Option<_>>()?,
            hours_max: line.hours,
            decide_hours: line.decide_hours,
            step_up: line.step_up,
            backup: match &line.backup {
                Some((role, after_hours)) => {
                    Some(Backup { kind: ApproverKind::Role(role.parse().ok()?), after_hours: *after_hours })
                }
                None => None,
            },
        })
    }

    fn kinds(&self, role: &RoleCode, purpose: Option<&str>) -> BTreeSet<KindCode> {
        Self::kinds(self, role.as_str(), purpose).keys().filter_map(|code| code.parse().ok()).collect()
    }

    fn effective(&self, roles: &BTreeSet<RoleCode>) -> BTreeMap<String, String> {
        Self::effective(self, roles.iter().map(RoleCode::as_str))
    }

    fn kinds_of_type(&self, resource_type: &str) -> BTreeSet<KindCode> {
        Self::kinds_of_type(self, resource_type).iter().filter_map(|code| code.parse().ok()).collect()
    }

    fn task(&self, role: &RoleCode, kind: TaskKind, system: Option<&str>) -> Option<TaskRule> {
        let line = Self::task(self, role.as_str(), kind.code())?;
        let mut approvers =
            line.approvers.iter().map(|name| name.parse().ok()).collect::<Option<BTreeSet<RoleCode>>>()?;
        if kind.is_support() {
            let owner = Rules::system_owner(self, system?)?;
            approvers.extend(line.by_owner.then_some(owner));
        }
        Some(TaskRule {
            approvers,
            minutes_max: line.minutes,
            idle_minutes: line.idle_minutes,
            decide_hours: line.decide_hours,
            step_up: line.step_up,
        })
    }

    fn may_unmask(&self, role: &RoleCode, category: &str) -> bool {
        Self::may_unmask(self, role.as_str(), category)
    }

    fn system_owner(&self, system: &str) -> Option<RoleCode> {
        Self::system(self, system)?.owner.parse().ok()
    }

    fn is_purpose(&self, code: &str) -> bool {
        self.purposes.iter().any(|purpose| purpose.code == code)
    }

    fn needs_project(&self, role: &RoleCode) -> bool {
        self.needs_project.contains(role.as_str())
    }

    fn may_declare(&self, role: &RoleCode) -> bool {
        Self::may_declare(self, role.as_str())
    }

    fn may_break_glass(&self, role: &RoleCode) -> bool {
        self.roles.get(role.as_str()).is_some_and(|role| role.emergency_access && !role.is_profile)
    }

    fn is_practice(&self, patient: &PatientRef) -> bool {
        self.practice_patients.contains(patient.id())
    }

    fn steps(&self, role: &RoleCode) -> Vec<Step> {
        self.steps_of(role.as_str()).filter_map(step).collect()
    }

    fn step(&self, name: &str) -> Option<Step> {
        self.steps.iter().find(|line| line.name == name).and_then(step)
    }

    fn scope(&self, act: Act, roles: &BTreeSet<RoleCode>) -> Option<ActScope> {
        self.console.scope(act, roles.iter().map(RoleCode::as_str))
    }

    fn reminder(&self, role: &RoleCode, is_of_patients: bool) -> Option<Reminder> {
        Self::reminder(self, if is_of_patients { ReminderOf::Patients } else { ReminderOf::Role }, role.as_str())
    }

    fn desk(&self) -> DeskRules {
        self.desk
    }
}

fn step(line: &StepLine) -> Option<Step> {
    let (name, label) = (line.name.clone(), line.label.clone());
    Some(Step { name, kind: StepKind::of(&line.kind)?, days: line.days, label })
}

/// Who acts: signed in, and known to be himself since a moment or since longer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Who {
    /// The person.
    pub person: Id<Person>,
    /// He has confirmed just now that it is he.
    pub stepped_up: bool,
}

/// Something that was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Done<T> {
    /// As it is now.
    pub now: T,
    /// The last event of it, to wait for.
    pub position: Position,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// There is no such thing, or not for who asks.
    #[error("there is no such thing here")]
    Unknown,
    /// Who acts is not here, or has left.
    #[error("who acts is not known here, or has left")]
    Gone,
    /// Whom it is about is not here, or has left.
    #[error("the person is not known here, or has left")]
    PersonGone,
    /// The role is not held now.
    #[error("the role is not held")]
    RoleNotHeld,
    /// The console does not let who acts do this.
    #[error("this is not for who acts to do")]
    Forbidden,
    /// The policy does not give this in the role.
    #[error("the policy does not give this in the role")]
    NotAllowed,
    /// So many records are open to the person that no more are opened.
    #[error("no more than {max} records are open to one person at a time")]
    TooMany {
        /// The limit.
        max: u64,
    },
    /// Somebody who approved it before may not any more.
    #[error("somebody who approved it before may not approve it any more")]
    ApproverLapsed,
    /// It has changed since it was looked at.
    #[error("it has changed since it was looked at")]
    Changed,
    /// A system has nobody who answers for it.
    #[error("a system's account has an owner who is here before it gets a role")]
    Unowned,
    /// The person has not taken the steps that the role asks for.
    #[error("training incomplete: the person has not taken the steps that the role asks for")]
    Training,
    /// It is not written down that a step was taken.
    #[error(transparent)]
    Step(#[from] StepError),
    /// A request does not go on.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A record is not opened.
    #[error(transparent)]
    Elevation(#[from] ElevationError),
    /// A review does not go on.
    #[error(transparent)]
    Review(#[from] ReviewError),
    /// A comparison of what was used does not go on.
    #[error(transparent)]
    Use(#[from] UseError),
    /// A case does not go on.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// A paper does not go on.
    #[error(transparent)]
    Paper(#[from] PaperError),
    /// A project does not go on, or does not give this.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// A version of the policy does not go on.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// A review of a mapping does not go on.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// A task does not go on.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// Nobody stands in.
    #[error(transparent)]
    Deputy(#[from] DeputyError),
    /// A grant cannot be made.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// The database failed; nothing was changed, or it says what is not known.
    #[error("it cannot be stored")]
    Store(#[source] StoreError),
}

impl From<StoreError> for DeskError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::RowsAffected { table: "person", .. } => Self::PersonGone,
            // Somebody else was first; a table refuses what was still right when it was looked at.
            StoreError::RowsAffected { .. } | StoreError::Conflict(_) | StoreError::Refused(_) => Self::Changed,
            error => Self::Store(error),
        }
    }
}

impl DeskError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Gone => "actor_gone",
            Self::PersonGone => "person_gone",
            Self::RoleNotHeld => "role_not_held",
            Self::Forbidden => "act_not_permitted",
            Self::NotAllowed => "not_requestable",
            Self::TooMany { .. } => "too_many_open",
            Self::ApproverLapsed => "approver_lapsed",
            Self::Changed => "changed",
            Self::Unowned => "account_unowned",
            Self::Training => "training_incomplete",
            Self::Step(_) => "step_invalid",
            Self::Request(error) => error.code(),
            Self::Elevation(error) => error.code(),
            Self::Review(error) => error.code(),
            Self::Use(error) => error.code(),
            Self::Case(error) => error.code(),
            Self::Paper(error) => error.code(),
            Self::Project(error) => error.code(),
            Self::Pack(error) => error.code(),
            Self::Mapping(error) => error.code(),
            Self::Task(error) => error.code(),
            Self::Deputy(error) => error.code(),
            Self::Grant(_) => "grant_invalid",
            Self::Store(_) => "store_failed",
        }
    }
}

/// What the use cases of one call need.
pub struct Desk<'a> {
    /// The state.
    pub store: &'a Store,
    /// The shard that is written on.
    pub lease: &'a ShardLease,
    /// The present.
    pub clock: &'a dyn Clock,
    /// Ids are drawn from it.
    pub rng: &'a mut (dyn Rng + Send),
    /// The active policy.
    pub rules: &'a dyn Rules,
}

impl Desk<'_> {
    pub(crate) async fn begin(&mut self) -> Result<(Tx, Timestamp), DeskError> {
        Ok((self.store.begin().await?, self.clock.now()))
    }

    pub(crate) async fn commit<T>(&mut self, tx: Tx, records: &[Record], now: T) -> Result<Done<T>, DeskError> {
        let events: Vec<_> = records.iter().map(|record| record.event(new_id(record.at(), self.rng))).collect();
        let positions = tx.commit(self.lease, &events).await?;
        let position = positions.last().copied().ok_or(DeskError::Store(StoreError::NoEvent))?;
        Ok(Done { now, position })
    }

    /// Whether somebody may end what another has: everybody's, or that of those whose line manager he is.
    async fn may_end(
        &mut self,
        tx: &mut Tx,
        who: Who,
        roles: &BTreeSet<RoleCode>,
        of: Id<Person>,
    ) -> Result<bool, DeskError> {
        Ok(match self.rules.scope(Act::EndAccess, roles) {
            Some(ActScope::All) => true,
            Some(ActScope::Team) => line_manager(tx, of).await? == Some(who.person),
            Some(ActScope::Own) | None => false,
        })
    }

    /// Refuses whoever may not do it at all.
    pub(crate) fn permits(&self, act: Act, roles: &BTreeSet<RoleCode>) -> Result<(), DeskError> {
        self.rules.scope(act, roles).map(drop).ok_or(DeskError::Forbidden)
    }
}

/// The roles that a person who is here holds now.
pub(crate) async fn roles_of(tx: &mut Tx, person: Id<Person>, at: Timestamp) -> Result<BTreeSet<RoleCode>, DeskError> {
    let here = find_person(tx, person).await?.filter(|person| person.left_at.is_none_or(|left| left > at));
    here.ok_or(DeskError::Gone)?;
    // relies on (leave-suspends), (idle-ends), (system-owned)
    if suspensions(tx, person, at).await?.iter().any(|one| one.contains(at)) {
        return Ok(BTreeSet::new());
    }
    let held = open_grants(tx, person, at).await?;
    Ok(held.into_iter().filter(|grant| grant.window.contains(at)).map(|grant| grant.role).collect())
}

/// The line manager whom the directory names.
async fn line_manager(tx: &mut Tx, person: Id<Person>) -> Result<Option<Id<Person>>, DeskError> {
    Ok(find_directory(tx, person).await?.and_then(|record| record.attributes.manager))
}

/// Refuses where so many more records than are open to a person are too many.
async fn has_room(tx: &mut Tx, person: Id<Person>, more: usize, max: u64, at: Timestamp) -> Result<(), DeskError> {
    let open = open_elevations(tx, person, at).await?.len();
    if open.saturating_add(more) as u64 > max { Err(DeskError::TooMany { max }) } else { Ok(()) }
}

/// Whether one of these people made the link by which a person came to what he signs in with: he may have it himself.
pub(crate) async fn vouched_for_by(tx: &mut Tx, person: Id<Person>, people: &[Id<Person>]) -> Result<bool, DeskError> {
    Ok(inviters(tx, person).await?.iter().any(|by| people.contains(by)))
}

/// Refuses where a person does not hold a role now.
async fn holds(tx: &mut Tx, person: Id<Person>, role: &RoleCode, at: Timestamp) -> Result<(), DeskError> {
    let held = roles_of(tx, person, at).await.map_err(|error| match error {
        DeskError::Gone => DeskError::PersonGone,
        error => error,
    })?;
    if held.contains(role) { Ok(()) } else { Err(DeskError::RoleNotHeld) }
}
