//! Decide: role, purpose and conditions in, one [`DecisionTable`] out, with the rule behind each view.

use crate::model::{Pack, Permit, Role};
use scruple_core::{
    CATEGORIES_MAX, CategoryId, ConditionMask, DecisionTable, SEGMENTS_MAX, SegmentId, SegmentLimit, View,
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
            Self::NoElevation => "elevation_missing",
        }
    }
}

/// Decides under one pack, and remembers.
pub struct Decider {
    pack: Arc<Pack>,
    memo: RwLock<HashMap<Question, Arc<DecisionTable>>>,
}

impl Decider {
    /// Decides under `pack`.
    #[must_use]
    pub fn new(pack: Arc<Pack>) -> Self {
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

/// Computes the table cold, from the native permits.
///
/// # Errors
/// A refusal that follows from the policy alone.
// INVARIANT (default-deny): a view is none unless a permit of the role, for the purpose, with every condition, says more.
pub fn table(pack: &Pack, question: &Question) -> Result<DecisionTable, Refusal> {
    let role = admit(pack, question)?;
    let mut views = [View::None; CATEGORIES_MAX];
    for permit in applying(role, &question.purpose, question.conditions) {
        for category in &permit.categories {
            if let Some(view) = views.get_mut(usize::from(category.0)) {
                *view = join(*view, permit.view);
            }
        }
    }
    let mut limits = [SegmentLimit::None; SEGMENTS_MAX];
    for (index, limit) in limits.iter_mut().enumerate().take(pack.segments.len()) {
        *limit = role.limit(SegmentId(u8::try_from(index).unwrap_or(u8::MAX)), question.conditions);
    }
    Ok(DecisionTable {
        views,
        limits,
        passes_full_types: role.passes && has_relationship(pack, question.conditions),
        never_pass: role.never_pass,
        valid_until: None,
        pack: pack.hash,
    })
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

/// The wider of two views. The check refuses packs in which two different masks meet here.
fn join(a: View, b: View) -> View {
    match (a, b) {
        (View::Full, _) | (_, View::Full) => View::Full,
        (View::None, other) | (other, View::None) => other,
        (View::Masked(a), View::Masked(_)) => View::Masked(a),
    }
}

/// The rule behind a view.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Where it stands, as `roles/biller.toml:21`.
    pub place: String,
    /// The tasks that it cites, in words.
    pub tasks: Vec<String>,
}

/// The permit that gives a category its view, and the conditions that the next wider one still lacks (RB-03).
#[must_use]
pub fn explain(pack: &Pack, role: &Role, question: &Question, category: CategoryId) -> (Option<Rule>, Vec<String>) {
    let named = |permit: &&Permit| permit.categories.contains(&category);
    let chosen = applying(role, &question.purpose, question.conditions).filter(named).fold(
        None,
        |best: Option<&Permit>, permit| match best {
            Some(best) if join(best.view, permit.view) == best.view => Some(best),
            _ => Some(permit),
        },
    );
    let rule = chosen.map(|permit| Rule {
        place: format!("{}:{}", role.file, permit.line),
        tasks: permit
            .tasks
            .iter()
            .map(|task| {
                role.tasks
                    .iter()
                    .find(|known| known.name == *task)
                    .map_or_else(|| task.clone(), |known| known.label.clone())
            })
            .collect(),
    });
    let purpose = role.effective_purpose(&question.purpose);
    let current = chosen.map_or(View::None, |permit| permit.view);
    let nearest = role
        .permits
        .iter()
        .filter(|permit| {
            permit.categories.contains(&category) && permit.purposes.iter().any(|listed| listed == purpose)
        })
        .filter(|permit| !question.conditions.covers(permit.when) && join(current, permit.view) != current)
        .min_by_key(|permit| (permit.when.0 & !question.conditions.0).count_ones());
    let missing = nearest.map_or_else(Vec::new, |permit| {
        let lacking = ConditionMask(permit.when.0 & !question.conditions.0);
        pack.condition_names(lacking).into_iter().map(str::to_owned).collect()
    });
    (rule, missing)
}
