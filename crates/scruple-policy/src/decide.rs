//! Decide: role, purpose and conditions in, one [`DecisionTable`] out, with the rule behind each view.

use crate::cedar::Action;
use crate::guardrail::Asked;
use crate::model::{Pack, Permit, Role};
use scruple_core::{
    CATEGORIES_MAX, CategoryId, ConditionMask, DecisionTable, SEGMENTS_MAX, SegmentId, SegmentLimit, SegmentSet, View,
};
use std::collections::HashMap;
use std::sync::{Arc, RwLock};

/// Decisions that are kept.
const MEMO_MAX: usize = 4_096;

/// What is asked.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Question {
    /// The role, among those that the caller was granted.
    pub role: String,
    /// HL7 v3 ActReason code.
    pub purpose: String,
    /// Named conditions that hold.
    pub conditions: ConditionMask,
}

/// Why nothing is decided: a refusal from policy alone.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// The pack has no such role.
    #[error("unknown role `{0}`")]
    UnknownRole(String),
    /// The pack has no such purpose.
    #[error("unknown purpose `{0}`")]
    UnknownPurpose(String),
    /// The role may not choose that purpose.
    #[error("role `{role}` does not act for purpose `{purpose}`; it acts for {allowed}")]
    PurposeNotAllowed {
        /// The role.
        role: String,
        /// The purpose.
        purpose: String,
        /// Those that it may choose.
        allowed: String,
    },
    /// Nobody has looked in time at what the role opens.
    #[error("role `{0}` is closed: nobody has looked in time at what it opens")]
    Overdue(String),
    /// An emergency purpose without the elevation that it needs.
    #[error("purpose `BTG` needs the condition `emergency_elevation`")]
    NoElevation,
}

impl Refusal {
    /// The stable code of the reason.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownRole(_) => "role_unknown",
            Self::UnknownPurpose(_) => "purpose_unknown",
            Self::PurposeNotAllowed { .. } => "purpose_not_allowed",
            Self::Overdue(_) => "role_overdue",
            Self::NoElevation => "elevation_missing",
        }
    }
}

/// Decides under one pack, and remembers.
pub struct Decider {
    pack: Arc<Pack>,
    memo: RwLock<HashMap<Question, Arc<DecisionTable>>>,
}

// INVARIANT (proved-pack): only `activate` makes a decider, so that no decision is taken under a pack that was not proved.
impl Decider {
    /// Decides under `pack`.
    pub(crate) fn new(pack: Arc<Pack>) -> Self {
        Self { pack, memo: RwLock::new(HashMap::new()) }
    }

    /// The pack.
    #[must_use]
    pub const fn pack(&self) -> &Arc<Pack> {
        &self.pack
    }

    /// The table for a question.
    ///
    /// # Errors
    /// A refusal that follows from the policy alone.
    pub fn decide(&self, question: &Question) -> Result<Arc<DecisionTable>, Refusal> {
        if let Ok(memo) = self.memo.read()
            && let Some(table) = memo.get(question)
        {
            return Ok(Arc::clone(table));
        }
        let table = Arc::new(table(&self.pack, question)?);
        if let Ok(mut memo) = self.memo.write() {
            if memo.len() >= MEMO_MAX {
                memo.clear();
            }
            memo.insert(question.clone(), Arc::clone(&table));
        }
        Ok(table)
    }
}

/// The role of a question, if it may ask it.
///
/// # Errors
/// A refusal that follows from the policy alone.
pub fn admit<'a>(pack: &'a Pack, question: &Question) -> Result<&'a Role, Refusal> {
    let role = pack.roles.get(&question.role).ok_or_else(|| Refusal::UnknownRole(question.role.clone()))?;
    if !pack.purposes.iter().any(|purpose| purpose.code == question.purpose) {
        return Err(Refusal::UnknownPurpose(question.purpose.clone()));
    }
    let purposes = role.purposes();
    if !purposes.contains(&question.purpose.as_str()) {
        return Err(Refusal::PurposeNotAllowed {
            role: question.role.clone(),
            purpose: question.purpose.clone(),
            allowed: purposes.join(", "),
        });
    }
    let elevated = pack
        .condition("emergency_elevation")
        .is_some_and(|id| question.conditions.covers(ConditionMask::NONE.with(id)));
    if question.purpose == "BTG" && !elevated {
        return Err(Refusal::NoElevation);
    }
    Ok(role)
}

/// Computes the table cold, from the native permits and the guardrails.
///
/// # Errors
/// A refusal that follows from the policy alone.
pub fn table(pack: &Pack, question: &Question) -> Result<DecisionTable, Refusal> {
    native(pack, question, pack.guardrails.asked(question).as_ref())
}

/// The table that the permits alone give, or that these guardrails leave of it.
// INVARIANT (default-deny): a view is none unless a permit of the role, for the purpose, with every condition, says more.
pub(crate) fn native(pack: &Pack, question: &Question, guard: Option<&Asked<'_>>) -> Result<DecisionTable, Refusal> {
    let role = admit(pack, question)?;
    let mut views = [View::None; CATEGORIES_MAX];
    let mut valid_until = None;
    for permit in applying(role, &question.purpose, question.conditions) {
        for category in permit.categories.iter().filter(|category| !is_forbidden(guard, permit.view, **category)) {
            if let Some(view) = views.get_mut(usize::from(category.0)) {
                *view = pack.join(*view, permit.view);
            }
        }
        valid_until = [valid_until, permit.until].into_iter().flatten().min();
    }
    let closed = pack.closed_outside(role, &question.purpose, question.conditions);
    let mut never_pass = role.never_pass;
    let mut limits = [SegmentLimit::None; SEGMENTS_MAX];
    for (index, limit) in limits.iter_mut().enumerate().take(pack.segments.len()) {
        let segment = SegmentId(u8::try_from(index).unwrap_or(u8::MAX));
        let own = role.limit(segment, question.conditions);
        let action = Action::of_limit(own);
        let forbidden = guard.zip(action).is_some_and(|(guard, action)| guard.forbids_segment(action, segment));
        *limit = if forbidden || closed.contains(segment) { SegmentLimit::None } else { own };
        if *limit != own {
            // What is taken away here does not pass as it is, nor what may be of any segment.
            never_pass = never_pass.with(segment).union(SegmentSet::UNCLASSIFIED);
        }
    }
    Ok(DecisionTable {
        views,
        limits,
        passes_full_types: role.passes && has_relationship(pack, question.conditions),
        never_pass,
        valid_until,
        pack: pack.hash,
    })
}

fn is_forbidden(guard: Option<&Asked<'_>>, view: View, category: CategoryId) -> bool {
    guard.zip(Action::of_view(view)).is_some_and(|(guard, action)| guard.forbidding(action, category).is_some())
}

fn has_relationship(pack: &Pack, conditions: ConditionMask) -> bool {
    pack.condition("relationship").is_some_and(|id| conditions.covers(ConditionMask::NONE.with(id)))
}

/// The permits of a role that apply to a purpose while these conditions hold.
pub(crate) fn applying<'a>(
    role: &'a Role,
    purpose: &'a str,
    conditions: ConditionMask,
) -> impl Iterator<Item = &'a Permit> {
    let purpose = role.effective_purpose(purpose);
    role.permits
        .iter()
        .filter(move |permit| permit.purposes.iter().any(|listed| listed == purpose) && conditions.covers(permit.when))
}

/// The rule behind a view.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Rule {
    /// Where it stands, as `roles/biller.toml:21`.
    pub place: String,
    /// The tasks that it cites, in words.
    pub tasks: Vec<String>,
}

/// The permit that gives a category its view, and the conditions that the next wider one still lacks (RB-03). Where a
/// guardrail takes the view away, the rule is the guardrail and cites no task.
#[must_use]
pub fn explain(pack: &Pack, role: &Role, question: &Question, category: CategoryId) -> (Option<Rule>, Vec<String>) {
    let guard = pack.guardrails.asked(question);
    let widest = |best: Option<&Permit>, permit: &Permit| best.is_none_or(|best| !pack.covers(best.view, permit.view));
    let mut chosen: Option<&Permit> = None;
    let mut guardrail = None;
    for permit in applying(role, &question.purpose, question.conditions) {
        if !permit.categories.contains(&category) {
            continue;
        }
        let action = Action::of_view(permit.view);
        match guard.as_ref().zip(action).and_then(|(guard, action)| guard.forbidding(action, category)) {
            Some(place) => guardrail = Some(Rule { place, tasks: Vec::new() }),
            None if widest(chosen, permit) => chosen = Some(permit),
            None => {}
        }
    }
    let rule = chosen.map(|permit| rule_of(role, permit)).or(guardrail);
    let purpose = role.effective_purpose(&question.purpose);
    let current = chosen.map_or(View::None, |permit| permit.view);
    let nearest = role
        .permits
        .iter()
        .filter(|permit| {
            permit.categories.contains(&category) && permit.purposes.iter().any(|listed| listed == purpose)
        })
        .filter(|permit| !question.conditions.covers(permit.when) && !pack.covers(current, permit.view))
        .min_by_key(|permit| (permit.when.0 & !question.conditions.0).count_ones());
    let missing = nearest.map_or_else(Vec::new, |permit| {
        let lacking = ConditionMask(permit.when.0 & !question.conditions.0);
        pack.condition_names(lacking).into_iter().map(str::to_owned).collect()
    });
    (rule, missing)
}

pub(crate) fn rule_of(role: &Role, permit: &Permit) -> Rule {
    let in_words = |task: &String| {
        let known = role.tasks.iter().find(|known| known.name == *task);
        known.map_or_else(|| task.clone(), |known| known.label.clone())
    };
    Rule { place: format!("{}:{}", role.file, permit.line), tasks: permit.tasks.iter().map(in_words).collect() }
}
