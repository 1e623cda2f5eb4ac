//! The active policy, and its decisions ready to project: one for each question, remembered.

use crate::release::sha256;
use scruple_core::{
    CATEGORIES_MAX, ConditionMask, DecisionFacts, DecisionTable, Relationship, SEGMENTS_MAX, SegmentLimit, Timestamp,
    View,
};
use scruple_fhir::search::{NotPermitted, Reads};
use scruple_fhir::{Asks, Memory, Projection, TypeId};
use scruple_policy::{Active, Decider, Pack, Question, Refusal, Relationships, Role, admit};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

/// How long one decision may be used, in microseconds: a stream that lasts longer decides again.
pub(crate) const DECISION_MICROS_MAX: i64 = 24 * 3_600_000_000;
/// Memories of projectors that are kept for each decision.
const MEMORIES_MAX: usize = 16;
/// Questions that are remembered under one policy.
const DECIDED_MAX: usize = 4_096;

/// A question about some kinds of information alone.
type Narrow = (Question, BTreeSet<String>);

/// A pack that was activated, and what was decided under it.
pub struct Policy {
    active: Arc<Active>,
    decided: RwLock<HashMap<Question, Arc<Decided>>>,
    limited: RwLock<HashMap<Narrow, Arc<Decided>>>,
    closed: RwLock<BTreeSet<String>>,
    all_seeing: OnceLock<Projection>,
}

impl Policy {
    /// Decides under a pack that was read, checked and proved.
    #[must_use]
    pub fn new(active: Arc<Active>) -> Self {
        Self {
            active,
            decided: RwLock::default(),
            limited: RwLock::default(),
            closed: RwLock::default(),
            all_seeing: OnceLock::new(),
        }
    }

    /// The pack.
    #[must_use]
    pub fn pack(&self) -> &Arc<Pack> {
        &self.active.pack
    }

    /// The pack with what decides under it.
    #[must_use]
    pub const fn active(&self) -> &Arc<Active> {
        &self.active
    }

    /// The roles that open nothing now.
    pub(crate) fn closed_roles(&self) -> BTreeSet<String> {
        self.closed.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Closes these roles and opens all others.
    pub(crate) fn close_roles(&self, roles: BTreeSet<String>) {
        *self.closed.write().unwrap_or_else(PoisonError::into_inner) = roles;
    }

    /// The decision on a question; `related`: with the relationship, beside the conditions that it names.
    ///
    /// # Errors
    /// A refusal that follows from the policy alone.
    pub(crate) fn decide(&self, question: &Question, related: bool) -> Result<Arc<Decided>, Refusal> {
        if self.closed.read().unwrap_or_else(PoisonError::into_inner).contains(&question.role) {
            return Err(Refusal::Overdue(question.role.clone()));
        }
        let with = self.pack().condition("relationship").filter(|_| related);
        let conditions = with.map_or(question.conditions, |id| question.conditions.with(id));
        let question = &Question { conditions, ..question.clone() };
        if let Some(known) = self.decided.read().unwrap_or_else(PoisonError::into_inner).get(question) {
            return Ok(Arc::clone(known));
        }
        let decided = Arc::new(Decided::new(&self.active.decider, question)?.asking(self.asks()));
        let mut all = self.decided.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= DECIDED_MAX {
            all.clear();
        }
        all.insert(question.clone(), Arc::clone(&decided));
        Ok(decided)
    }

    fn asks(&self) -> Asks {
        Asks { inherited: true, related: self.pack().relationships == Relationships::Resolved }
    }

    /// The decision on a patient of whose record these kinds of information alone are opened: of them, and of who the patient is,
    /// what the role sees of its own patients; of all others what it sees of anybody. What is specially protected shows where it
    /// is named, and nowhere else.
    ///
    /// # Errors
    /// A refusal that follows from the policy alone.
    // relies on (never-wider)
    pub(crate) fn limited(&self, question: &Question, kinds: &BTreeSet<String>) -> Result<Arc<Decided>, Refusal> {
        if self.closed.read().unwrap_or_else(PoisonError::into_inner).contains(&question.role) {
            return Err(Refusal::Overdue(question.role.clone()));
        }
        let key = (question.clone(), kinds.clone());
        if let Some(known) = self.limited.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(known));
        }
        let (near, far) = (self.decide(question, true)?, self.decide(question, false)?);
        let table = self.pack().limited(&near.table, &far.table, |kind| kinds.contains(kind));
        let role = admit(self.pack(), question)?;
        let conditions = near.conditions.clone();
        let decided = Arc::new(Decided::of(self.pack(), role, (Arc::new(table), conditions)).asking(self.asks()));
        let mut all = self.limited.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= DECIDED_MAX {
            all.clear();
        }
        all.insert(key, Arc::clone(&decided));
        Ok(decided)
    }

    /// What a role opens for a purpose where there is a relationship: each kind of information as `full`, or `masked:` and the
    /// mask. What does not show is not named.
    #[must_use]
    pub fn opens(&self, role: &str, purpose: &str) -> BTreeMap<String, String> {
        let (role, purpose) = (role.to_owned(), purpose.to_owned());
        let question = Question { role, purpose, conditions: ConditionMask::NONE };
        self.decide(&question, true).map(|decided| decided.views.clone()).unwrap_or_default()
    }

    /// A projection that hides nothing, for the labels of what is looked at. Nothing that it shows leaves.
    pub(crate) fn all_seeing(&self) -> &Projection {
        self.all_seeing.get_or_init(|| {
            let pack = self.pack();
            let table = DecisionTable {
                views: [View::Full; CATEGORIES_MAX],
                limits: [SegmentLimit::Follow; SEGMENTS_MAX],
                ..DecisionTable::deny(pack.hash)
            };
            Projection::new(Arc::clone(&pack.annotation), table)
        })
    }
}

/// One decision, ready to be used.
pub(crate) struct Decided {
    pub projection: Projection,
    pub table: Arc<DecisionTable>,
    /// SHA-256 of the table, in hexadecimal.
    pub table_hash: String,
    views: BTreeMap<String, String>,
    conditions: Vec<String>,
    justification: String,
    pack: String,
    /// Types that were judged: whether anything of them can show.
    types: Judgements<TypeId, bool>,
    /// Searches that were judged: by type and parameter, whether it may be used.
    permits: Judgements<(TypeId, &'static str, bool), Result<(), NotPermitted>>,
    /// What projectors that are at rest remember.
    memories: Mutex<Vec<Memory>>,
}

impl Decided {
    pub(crate) fn new(decider: &Decider, question: &Question) -> Result<Self, Refusal> {
        let pack = decider.pack();
        let role = admit(pack, question)?;
        let table = decider.decide(question)?;
        let conditions = pack.condition_names(question.conditions).into_iter().map(str::to_owned).collect();
        Ok(Self::of(pack, role, (table, conditions)))
    }

    /// A table under the conditions that it was decided under.
    fn of(pack: &Pack, role: &Role, (table, conditions): (Arc<DecisionTable>, Vec<String>)) -> Self {
        let mut views = BTreeMap::new();
        let mut text = String::new();
        for (category, view) in pack.categories.iter().zip(&table.views) {
            let name = pack.view_name(*view);
            text.push_str(&format!("{}={name};", category.name));
            if view.shows() {
                views.insert(category.name.clone(), name);
            }
        }
        for (segment, limit) in pack.segments.iter().zip(&table.limits) {
            text.push_str(&format!("{}={limit:?};", segment.name));
        }
        text.push_str(&format!("passes={};never={:08x}", table.passes_full_types, table.never_pass.0));
        let tasks: Vec<&str> = role.tasks.iter().map(|task| task.label.as_str()).collect();
        Self {
            projection: Projection::new(Arc::clone(&pack.annotation), table.as_ref().clone()),
            table_hash: sha256(text.as_bytes()),
            views,
            conditions,
            justification: format!("tasks of {}: {}", role.label, tasks.join("; ")),
            pack: pack.hash.to_string(),
            types: Judgements::default(),
            permits: Judgements::default(),
            memories: Mutex::default(),
            table,
        }
    }

    /// The same where more than type and own labels can hide a resource.
    fn asking(self, asks: Asks) -> Self {
        Self { projection: self.projection.asking(asks), ..self }
    }

    /// What an earlier projector remembered.
    pub(crate) fn take_memory(&self) -> Memory {
        self.memories.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Keeps it for the next.
    pub(crate) fn keep_memory(&self, memory: Memory) {
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        if memories.len() < MEMORIES_MAX {
            memories.push(memory);
        }
    }

    /// Until when the decision may be used, if it is taken at `now`.
    pub(crate) fn valid_until(&self, now: Timestamp) -> Timestamp {
        let limit = now.plus_micros(DECISION_MICROS_MAX);
        self.table.valid_until.map_or(limit, |until| until.min(limit))
    }

    /// The tuple that every permit stores (AB-08).
    pub(crate) fn facts(
        &self,
        purpose: &str,
        relationship: Relationship,
        grant: Option<String>,
        now: Timestamp,
    ) -> DecisionFacts {
        DecisionFacts {
            purpose: purpose.to_owned(),
            pack: self.pack.clone(),
            table: self.table_hash.clone(),
            views: self.views.clone(),
            conditions: self.conditions.clone(),
            relationship,
            valid_until: self.valid_until(now),
            justification: self.justification.clone(),
            grant,
        }
    }

    /// Whether resources of a type can show at all.
    pub(crate) fn may_show(&self, resource_type: TypeId) -> bool {
        self.types.of(resource_type, || self.projection.may_show(resource_type))
    }

    /// Whether the caller may search by a parameter of a type; `whole`: see [`Projection::permits`].
    pub(crate) fn permits(&self, of: TypeId, reads: &Reads, whole: bool) -> Result<(), NotPermitted> {
        self.permits.of((of, reads.name(), whole), || self.projection.permits(of, reads, whole))
    }
}

/// What was judged once and stays so, by what it was judged of. There are only so many of these.
struct Judgements<K, V>(RwLock<HashMap<K, V>>);

impl<K, V> Default for Judgements<K, V> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<K: Eq + Hash, V: Clone> Judgements<K, V> {
    fn of(&self, key: K, judge: impl FnOnce() -> V) -> V {
        if let Some(known) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return known.clone();
        }
        let judged = judge();
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(key, judged.clone());
        judged
    }
}
