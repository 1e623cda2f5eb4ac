//! A pack as it was read: every name resolved to its place, every line checked.

use crate::guardrail::Guardrails;
use crate::reminder::{DeskRules, Reminder, ReminderOf, Reminders};
use crate::sign_in::{SignInRules, UNCONFIRMED_OUTSIDE};
use scruple_core::{
    CategoryId, ConditionId, ConditionMask, MaskId, PackHash, SegmentId, SegmentLimit, SegmentSet, Timestamp, View,
};
use scruple_fhir::Annotation;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A kind of PHI.
#[derive(Clone, Debug)]
pub struct Category {
    /// Its name.
    pub name: String,
    /// In words.
    pub label: String,
    /// It tells of a patient: everything but what `not_phi` of `pack.toml` names.
    pub phi: bool,
}

/// A purpose of use.
#[derive(Clone, Debug)]
pub struct Purpose {
    /// HL7 v3 ActReason code.
    pub code: String,
    /// Legal ground, a CFR citation.
    pub ground: String,
    /// Whether the minimum necessary standard applies.
    pub minimum_necessary: String,
    /// Whether it stands in the accounting of disclosures (164.528).
    pub in_accounting: String,
    /// Default level of identification.
    pub default_level: String,
}

/// A named condition.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Its name.
    pub name: String,
    /// In words.
    pub label: String,
    /// Who judges it.
    pub judged_by: String,
    /// `now`, `asserted` or `not yet`.
    pub enforced: String,
}

/// A specially protected segment.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Its name.
    pub name: String,
    /// In words.
    pub label: String,
    /// Legal ground.
    pub ground: String,
    /// An emergency opens it, once it is confirmed.
    pub in_emergency: bool,
    /// Whether it is enforced.
    pub enforced: String,
}

/// What a word of `segment-by-role.csv` means.
#[derive(Clone, Debug)]
pub struct SegmentWord {
    /// The word.
    pub word: String,
    /// What it leaves while its condition holds.
    pub limit: SegmentLimit,
    /// The condition, if there is one; none otherwise.
    pub condition: Option<ConditionId>,
    /// A duty that goes with it.
    pub obligation: String,
}

/// A task of a role.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// In words.
    pub label: String,
    /// Where it stands in the role's file.
    pub line: usize,
}

/// A permit: these categories, this view, for these tasks, while these conditions hold.
#[derive(Clone, Debug)]
pub struct Permit {
    /// Where it stands.
    pub line: usize,
    /// The view.
    pub view: View,
    /// The tasks that need it.
    pub tasks: Vec<String>,
    /// The categories.
    pub categories: Vec<CategoryId>,
    /// The line of each category.
    pub category_lines: Vec<usize>,
    /// The end of the exception that lets `*` stand for the categories.
    pub until: Option<Timestamp>,
    /// Conditions that must all hold.
    pub when: ConditionMask,
    /// Purposes, as codes.
    pub purposes: Vec<String>,
}

/// A role, or the profile of a caller outside the workforce.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// The file that it stands in.
    pub file: String,
    /// In words.
    pub label: String,
    /// Main purpose.
    pub purpose: String,
    /// Other purposes.
    pub also: Vec<String>,
    /// What the condition `relationship` means for it.
    pub relationship: String,
    /// What makes a relationship where it is resolved.
    pub related_by: RelatedBy,
    /// May use emergency access.
    pub emergency_access: bool,
    /// Own treating staff, or a caller whom minimum necessary does not bind: full types pass as they are.
    pub passes: bool,
    /// Risk tier.
    pub risk_tier: String,
    /// Why this is the minimum.
    pub defence: String,
    /// What a designer of the role gets wrong.
    pub trap: String,
    /// Its tasks.
    pub tasks: Vec<Task>,
    /// Its permits.
    pub permits: Vec<Permit>,
    /// A word for each segment.
    pub segments: Vec<SegmentWord>,
    /// Where these words stand, as `segment-by-role.csv:9`.
    pub segments_at: String,
    /// It runs systems or checks on others, and treats, bills and answers nobody: no PHI category in full (RB-12).
    pub administrative: bool,
    /// Segments whose resources do not pass as they are.
    pub never_pass: SegmentSet,
    /// When answers to it leave a gateway.
    pub timing: Timing,
    /// A profile and not a job.
    pub is_profile: bool,
}

impl Role {
    /// The conditions that its permits use.
    #[must_use]
    pub fn conditions(&self) -> ConditionMask {
        self.permits.iter().fold(ConditionMask::NONE, |used, permit| used.union(permit.when))
    }

    /// Every purpose that the role may choose.
    #[must_use]
    pub fn purposes(&self) -> Vec<&str> {
        let mut purposes: Vec<&str> = std::iter::once(&self.purpose).chain(&self.also).map(String::as_str).collect();
        if self.emergency_access {
            for emergency in ["ETREAT", "BTG"] {
                if !purposes.contains(&emergency) {
                    purposes.push(emergency);
                }
            }
        }
        purposes
    }

    /// The purpose whose permits apply: emergency purposes have the views of the main one.
    #[must_use]
    pub fn effective_purpose<'a>(&'a self, purpose: &'a str) -> &'a str {
        let listed = purpose == self.purpose || self.also.iter().any(|also| also == purpose);
        if !listed && matches!(purpose, "ETREAT" | "BTG") { &self.purpose } else { purpose }
    }

    /// The limit of a segment while these conditions hold.
    #[must_use]
    pub fn limit(&self, segment: SegmentId, conditions: ConditionMask) -> SegmentLimit {
        let Some(word) = self.segments.get(usize::from(segment.0)) else { return SegmentLimit::None };
        let holds = word.condition.is_none_or(|condition| conditions.covers(ConditionMask::NONE.with(condition)));
        if holds { word.limit } else { SegmentLimit::None }
    }
}

/// When answers to a role leave a gateway.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Timing {
    /// As soon as they are made.
    #[default]
    Plain,
    /// At the next of a few times since the request, so that how long an answer took tells little of what is hidden.
    Bucket,
}

impl Timing {
    pub(crate) fn of(word: &str) -> Option<Self> {
        match word {
            "plain" => Some(Self::Plain),
            "bucket" => Some(Self::Bucket),
            _ => None,
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Bucket => "bucket",
        }
    }
}

/// What makes a relationship between a role's caller and a patient in the record system (docs/view.md, 2).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RelatedBy {
    /// Taking part in a visit.
    pub encounter: Option<Reach>,
    /// An appointment.
    pub appointment: Option<Reach>,
    /// Membership in the patient's care team.
    pub care_team: Option<Reach>,
    /// Being the patient's general practitioner.
    pub panel: bool,
}

/// How far beyond its own times something makes a relationship, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reach {
    /// Before it begins.
    pub before: i64,
    /// After it has ended.
    pub after: i64,
}

/// An exception to the ban on `*`: approved, with its end (`exceptions.toml`).
#[derive(Clone, Debug)]
pub struct Broad {
    /// The role that it is for.
    pub role: String,
    /// Why.
    pub reason: String,
    /// Who approved it.
    pub approved_by: String,
    /// Its last day, as written.
    pub expires: String,
    /// When it ends: as that day does, UTC.
    pub until: Timestamp,
    /// Where it stands in `exceptions.toml`.
    pub line: usize,
    /// A permit stands on it.
    pub used: bool,
}

/// How the relationship of caller and patient is established under a pack.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Relationships {
    /// The caller's tool says so.
    #[default]
    Asserted,
    /// It is taken for granted, and each entry says so.
    Assumed,
    /// It is looked up.
    Resolved,
}

impl Relationships {
    pub(crate) fn of(word: &str) -> Option<Self> {
        match word {
            "asserted" => Some(Self::Asserted),
            "assumed" => Some(Self::Assumed),
            "resolved" => Some(Self::Resolved),
            _ => None,
        }
    }
}

/// The role of who runs Scruple: it has no file, no permit and no purpose, so that no record shows to it (RB-12).
pub const ADMINISTRATOR: &str = "administrator";
/// The role of a system that asks for decisions on people (AuthZEN). It has no file, no permit and no purpose either: who
/// asks about others sees nothing.
pub const SERVICE_ACCOUNT: &str = "service_account";
/// The role of the organisation's lawyers: behind the wall of their own work, and without a record.
pub const COUNSEL: &str = "counsel";
/// The role of who handles matters of staff: behind the wall of those, and without a record.
pub const HUMAN_RESOURCES: &str = "human_resources";
/// The roles that have no file.
pub(crate) const BUILT_IN: [&str; 4] = [ADMINISTRATOR, SERVICE_ACCOUNT, COUNSEL, HUMAN_RESOURCES];
/// In `approvals.csv`: who is named as the line manager of the one who would get the access.
pub const LINE_MANAGER: &str = "line_manager";
/// In `console.csv`: whoever has signed in.
pub(crate) const EVERYONE: &str = "everyone";

/// Who agrees before somebody gets access beyond what he has (`approvals.csv`), by role or tier, and whether it is for the records
/// of named patients; and who agrees beside them where these kinds of information are asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Approvals {
    pub(crate) lines: BTreeMap<(String, bool), Rule>,
    /// By kind: the name of a category, or `segment:` and that of a segment.
    pub(crate) kinds: BTreeMap<String, Rule>,
}

/// A line of `approvals.csv`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// One person of each: roles, [`LINE_MANAGER`], or several roles of which one is enough, with how he stands apart:
    /// `privacy_officer|him_integrity+outside_line+other_unit`.
    pub needs: Vec<String>,
    /// Hours for which it is given at most.
    pub hours: i64,
    /// Hours after which an undecided request is over.
    pub decide_hours: i64,
    /// Whoever agrees must have confirmed just now that it is he.
    pub step_up: bool,
    /// The role that may answer too, and after how many hours without an answer.
    pub backup: Option<(String, i64)>,
}

/// A step that people take before a role opens the first record (`steps.csv`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct StepLine {
    /// Its name.
    pub name: String,
    /// A role, or everyone.
    pub who: String,
    /// `training` or `acknowledgement`.
    pub kind: String,
    /// Days for which it holds.
    pub days: u16,
    /// In words.
    pub label: String,
}

/// In `tasks.csv`: the role that owns the system of the ticket.
pub(crate) const SYSTEM_OWNER: &str = "owner";
/// Kinds of access tasks by which somebody oversees.
pub const OVERSIGHT_KINDS: [&str; 4] = ["quality_review", "complaint", "staffing", "audit"];
/// Kinds of access tasks by which somebody supports a system.
pub const SUPPORT_KINDS: [&str; 2] = ["support", "remote_support"];

/// A line of `tasks.csv`: a case that opens the records of its patients.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessTaskLine {
    /// Whoever holds one of these roles may approve it.
    pub approvers: Vec<String>,
    /// So may whoever holds the role that owns the system.
    pub by_owner: bool,
    /// Minutes that it lasts at most.
    pub minutes: i64,
    /// Minutes without a read after which it is over.
    pub idle_minutes: i64,
    /// Hours after which an undecided task is over.
    pub decide_hours: i64,
    /// Whoever approves must have confirmed just now that it is he.
    pub step_up: bool,
}

/// A system that support is asked for (`systems.csv`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct System {
    /// Its name.
    pub name: String,
    /// In words.
    pub label: String,
    /// The role of whoever answers for it.
    pub owner: String,
    /// Its records are those behind the gateway.
    pub served: bool,
}

/// Something that people do in the console or its API. Each page and each route names one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Act {
    /// Sees what he has, and his sessions, and ends them.
    Access,
    /// Asks for access.
    Ask,
    /// Says that he cares for a patient.
    Declare,
    /// Opens a record in an emergency.
    Emergency,
    /// Looks through the Lens.
    Lens,
    /// Approves and refuses requests.
    Decide,
    /// Reads all requests.
    Requests,
    /// Reviews emergencies.
    Reviews,
    /// Reads who is here and what they have.
    People,
    /// Ends the access of others.
    EndAccess,
    /// Adds people, and ends their work here.
    Admit,
    /// Reads roles.
    Roles,
    /// Reads the register of exceptions.
    Exceptions,
    /// Asks who opened a chart, and handles complaints about it.
    Charts,
    /// Drafts and proposes a version of the policy, and looks through the mappings of roles.
    Propose,
    /// Approves, refuses and activates a version of the policy.
    Publish,
    /// Asks what others may see: a system that enforces the answer.
    Evaluate,
    /// Reads all projects with their assessments.
    Projects,
    /// Approves, refuses and ends projects.
    Assess,
    /// Reads and writes papers of complaints, as far as the walls let him.
    Papers,
    /// Stands behind the wall of counsel's work.
    Privileged,
    /// Stands behind the wall of matters of staff.
    StaffMatters,
}

impl Act {
    /// All of them with their words in `console.csv`.
    pub const ALL: [(Self, &'static str); 22] = [
        (Self::Access, "access"),
        (Self::Ask, "ask"),
        (Self::Declare, "declare"),
        (Self::Emergency, "emergency"),
        (Self::Lens, "lens"),
        (Self::Decide, "decide"),
        (Self::Requests, "requests"),
        (Self::Reviews, "reviews"),
        (Self::People, "people"),
        (Self::EndAccess, "end_access"),
        (Self::Admit, "admit"),
        (Self::Roles, "roles"),
        (Self::Exceptions, "exceptions"),
        (Self::Charts, "charts"),
        (Self::Propose, "propose"),
        (Self::Publish, "publish"),
        (Self::Evaluate, "evaluate"),
        (Self::Projects, "projects"),
        (Self::Assess, "assess"),
        (Self::Papers, "papers"),
        (Self::Privileged, "privileged"),
        (Self::StaffMatters, "staff_matters"),
    ];

    pub(crate) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == word).map(|(act, _)| act)
    }
}

/// Whom an act may concern.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ActScope {
    /// The person himself.
    Own,
    /// Those whose line manager he is, too.
    Team,
    /// Everybody.
    All,
}

/// What the console lets whom do (`console.csv`), by act and role.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Console(pub(crate) BTreeMap<(Act, String), ActScope>);

impl Console {
    /// How far somebody who has signed in and holds these roles may go with an act; none: not at all.
    // INVARIANT (default-deny): what stands in no line is refused.
    pub fn scope<'a>(&self, act: Act, roles: impl IntoIterator<Item = &'a str>) -> Option<ActScope> {
        let of = |role: &str| self.0.get(&(act, role.to_owned())).copied();
        roles.into_iter().chain([EVERYONE]).filter_map(of).max()
    }
}

/// A pack that was read without a problem.
#[derive(Debug)]
pub struct Pack {
    /// Its name and version.
    pub name: String,
    /// Version.
    pub version: String,
    /// Who owns it.
    pub owner: String,
    /// Patients of the record system who are nobody: on their charts emergencies are practised.
    pub practice_patients: BTreeSet<String>,
    /// The criteria by which its roles were designed (RB-22).
    pub criteria: Vec<String>,
    /// How relationships are established.
    pub relationships: Relationships,
    /// SHA-256 over its files.
    pub hash: PackHash,
    /// Categories, in order.
    pub categories: Vec<Category>,
    /// Purposes, in order.
    pub purposes: Vec<Purpose>,
    /// Conditions, in order.
    pub conditions: Vec<Condition>,
    /// Segments, in order.
    pub segments: Vec<Segment>,
    /// Roles by name; profiles are among them.
    pub roles: BTreeMap<String, Role>,
    /// What it says about the dictionary.
    pub annotation: Arc<Annotation>,
    /// Exceptions to the ban on `*`.
    pub broad: Vec<Broad>,
    /// The organisation's own `forbid` rules.
    pub guardrails: Guardrails,
    /// Masks that meet in a cell of a role, as (wider, narrower).
    pub wider_masks: BTreeSet<(MaskId, MaskId)>,
    /// Who agrees to access beyond a role.
    pub approvals: Approvals,
    /// Steps that people take before a role opens the first record.
    pub steps: Vec<StepLine>,
    /// Roles that are given for a project that was assessed, and for nothing else.
    pub needs_project: BTreeSet<String>,
    /// What the console lets whom do.
    pub console: Console,
    /// Access tasks, by role and kind.
    pub tasks: BTreeMap<(String, String), AccessTaskLine>,
    /// Systems, in order.
    pub systems: Vec<System>,
    /// House rules of the desk.
    pub desk: DeskRules,
    /// What is read before somebody asks or takes a list along.
    pub reminders: Reminders,
    /// How people must have signed in.
    pub sign_in: SignInRules,
}

impl Pack {
    /// The segments that are closed to somebody in a role because he is outside and has not confirmed of late. Profiles are outside
    /// by nature.
    #[must_use]
    pub fn closed_outside(&self, role: &Role, purpose: &str, conditions: ConditionMask) -> SegmentSet {
        let holds = self.condition(UNCONFIRMED_OUTSIDE).map(|id| ConditionMask::NONE.with(id));
        let asked = !role.is_profile && !self.sign_in.excuses(purpose);
        if asked && holds.is_some_and(|one| conditions.covers(one)) {
            self.sign_in.confirmed_outside
        } else {
            SegmentSet::EMPTY
        }
    }

    /// Who must agree that somebody gets a role, or, in it, the records of named patients; none: it is not given.
    #[must_use]
    pub fn approval(&self, role: &str, of_patients: bool) -> Option<&Rule> {
        // Whoever works by tasks opens no record by a request.
        if of_patients && self.works_by_tasks(role) {
            return None;
        }
        let tier = match self.roles.get(role) {
            Some(role) if role.is_profile => return None,
            Some(role) => format!("tier:{}", role.risk_tier),
            None if BUILT_IN.contains(&role) && !of_patients => String::new(),
            None => return None,
        };
        let lines = &self.approvals.lines;
        lines.get(&(role.to_owned(), of_patients)).or_else(|| lines.get(&(tier, of_patients)))
    }

    /// The steps that a role asks for. A system takes none, and who sees no record through Scruple needs none.
    pub fn steps_of(&self, role: &str) -> impl Iterator<Item = &StepLine> {
        let is_everyone = !BUILT_IN.contains(&role);
        self.steps.iter().filter(move |line| line.who == role || is_everyone && line.who == EVERYONE)
    }

    /// What is asked of a task of a kind in a role; none: there is no such task.
    #[must_use]
    pub fn task(&self, role: &str, kind: &str) -> Option<&AccessTaskLine> {
        self.tasks.get(&(role.to_owned(), kind.to_owned()))
    }

    /// Whether somebody in a role sees records by access tasks alone.
    #[must_use]
    pub fn works_by_tasks(&self, role: &str) -> bool {
        self.tasks.keys().any(|(of, _)| of == role)
    }

    /// The condition under which a kind of information is shown unmasked to support.
    #[must_use]
    pub fn unmask_condition(&self, category: &str) -> Option<ConditionId> {
        self.category(category)?;
        self.condition(&format!("unmask_{category}"))
    }

    /// Whether somebody in a role may have a kind of information shown unmasked for a while.
    #[must_use]
    pub fn may_unmask(&self, role: &str, category: &str) -> bool {
        let used = self.roles.get(role).map(Role::conditions);
        let condition = self.unmask_condition(category).map(|id| ConditionMask::NONE.with(id));
        used.zip(condition).is_some_and(|(used, condition)| used.covers(condition))
    }

    /// A system by name.
    #[must_use]
    pub fn system(&self, name: &str) -> Option<&System> {
        self.systems.iter().find(|system| system.name == name)
    }

    /// What minimum necessary means for an action in a role, as it is read before it; none where the pack says nothing of it.
    #[must_use]
    pub fn reminder(&self, action: ReminderOf, role: &str) -> Option<Reminder> {
        let known = self.roles.get(role);
        let tier = known.map(|role| format!("tier:{}", role.risk_tier)).unwrap_or_default();
        let line = [role, &tier, EVERYONE].into_iter().find_map(|who| self.reminders.0.get(&(action, who.to_owned())));
        let defence = known.map(|role| role.defence.clone()).filter(|_| action != ReminderOf::Export);
        line.map(|text| Reminder::new(action, std::iter::once(text.clone()).chain(defence).collect()))
    }

    /// Whether somebody in a role may say that he cares for a patient: those who treat.
    #[must_use]
    pub fn may_declare(&self, role: &str) -> bool {
        self.roles.get(role).is_some_and(|role| role.passes && !role.is_profile)
    }

    /// A category by name.
    #[must_use]
    pub fn category(&self, name: &str) -> Option<CategoryId> {
        position(&self.categories, |category| category.name == name).map(CategoryId)
    }

    /// A condition by name.
    #[must_use]
    pub fn condition(&self, name: &str) -> Option<ConditionId> {
        position(&self.conditions, |condition| condition.name == name).map(ConditionId)
    }

    /// What the second confirmation of an emergency gives a role: the conditions of what is specially protected and an emergency
    /// opens. None of them is asked by a permit of the role, or by a segment that no emergency opens.
    // INVARIANT (never-psychotherapy): a segment that no emergency opens is as closed after the confirmation as before.
    #[must_use]
    pub fn protected(&self, role: &str) -> ConditionMask {
        let Some(role) = self.roles.get(role).filter(|role| role.emergency_access) else { return ConditionMask::NONE };
        let (mut opened, mut kept) = (ConditionMask::NONE, role.conditions());
        for (segment, word) in self.segments.iter().zip(&role.segments) {
            let Some(condition) = word.condition else { continue };
            let of = if segment.in_emergency { &mut opened } else { &mut kept };
            *of = of.with(condition);
        }
        ConditionMask(opened.0 & !kept.0)
    }

    /// A segment by name.
    #[must_use]
    pub fn segment(&self, name: &str) -> Option<SegmentId> {
        position(&self.segments, |segment| segment.name == name).map(SegmentId)
    }

    /// The name of a category.
    #[must_use]
    pub fn category_name(&self, id: CategoryId) -> &str {
        self.categories.get(usize::from(id.0)).map_or("?", |category| &category.name)
    }

    /// The names of the conditions in a mask.
    #[must_use]
    pub fn condition_names(&self, mask: ConditionMask) -> Vec<&str> {
        let named = self.conditions.iter().enumerate().filter(|(index, _)| mask.0 & 1 << index != 0);
        named.map(|(_, condition)| condition.name.as_str()).collect()
    }

    /// The names of the segments in a set.
    #[must_use]
    pub fn segment_names(&self, set: SegmentSet) -> Vec<&str> {
        let mut names: Vec<&str> = set
            .segments()
            .filter_map(|segment| self.segments.get(usize::from(segment.0)))
            .map(|segment| segment.name.as_str())
            .collect();
        if set.is_unclassified() {
            names.push("unclassified");
        }
        names
    }

    /// The wider of two views. Of two masks of which none is the wider, the first; the check refuses such packs.
    #[must_use]
    pub fn join(&self, a: View, b: View) -> View {
        if self.covers(a, b) || !self.covers(b, a) { a } else { b }
    }

    /// Whether `wide` shows all that `narrow` does.
    #[must_use]
    pub fn covers(&self, wide: View, narrow: View) -> bool {
        match (wide, narrow) {
            (View::Full, _) | (_, View::None) => true,
            (View::None, _) | (View::Masked(_), View::Full) => false,
            (View::Masked(wide), View::Masked(narrow)) => wide == narrow || self.wider_masks.contains(&(wide, narrow)),
        }
    }

    /// A view in words: `none`, `masked:coded`, `full`.
    #[must_use]
    pub fn view_name(&self, view: View) -> String {
        match view {
            View::None => "none".to_owned(),
            View::Full => "full".to_owned(),
            View::Masked(MaskId(mask)) => {
                let name = self.annotation.masks.get(usize::from(mask)).map_or("?", |mask| &mask.name);
                format!("masked:{name}")
            }
        }
    }
}

pub(crate) fn position<T>(items: &[T], is: impl Fn(&T) -> bool) -> Option<u8> {
    items.iter().position(is).and_then(|index| u8::try_from(index).ok())
}
