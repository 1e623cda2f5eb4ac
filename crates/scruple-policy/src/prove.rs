//! The proof that a pack's native tables and its Cedar policies decide alike.
//!
//! Over every role, purpose that it may choose, category and segment, and every set of the conditions that the role
//! uses, once with all other conditions false and once with all of them true. Guardrails are left out on both sides:
//! they are Cedar on both, and only take away.

use crate::cedar::{Cedar, CedarError};
use crate::decide::{Question, native};
use crate::model::{Pack, Role};
use crate::sign_in::UNCONFIRMED_OUTSIDE;
use scruple_core::{CategoryId, ConditionId, ConditionMask, ENGINE_VERSION, PackHash, SegmentId, SegmentLimit, View};
use std::fmt;
use std::sync::Arc;

/// Conditions that the permits, or the segments' words, of one role may use: the proof asks every set of them.
pub const PROOF_CONDITIONS_MAX: u32 = 8;
/// Differences that are listed.
const DIFFERENCES_MAX: usize = 100;

/// That a pack was proved: for which bytes, by which engines, over how much.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    /// The pack.
    pub pack: PackHash,
    /// This engine.
    pub engine: &'static str,
    /// The Cedar engine.
    pub cedar: String,
    /// Cedar policies.
    pub policies: usize,
    /// Questions: role, purpose and conditions.
    pub questions: usize,
    /// Cells that both decided alike: a category or a segment of a question.
    pub cells: usize,
}

/// A cell on which the two engines differ.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// What was asked.
    pub question: Question,
    /// The conditions of the question, by name.
    pub conditions: Vec<String>,
    /// The category or segment.
    pub of: String,
    /// What the native table says.
    pub native: String,
    /// What Cedar says.
    pub cedar: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Question { role, purpose, .. } = &self.question;
        let conditions = self.conditions.join(", ");
        write!(
            f,
            "{role} for {purpose} with [{conditions}]: {} is {} natively and {} by cedar",
            self.of, self.native, self.cedar
        )
    }
}

/// Why a pack is not proved.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// It does not compile to Cedar.
    #[error(transparent)]
    Cedar(#[from] CedarError),
    /// A role uses too many conditions.
    #[error("role `{role}` uses {conditions} conditions; at most {PROOF_CONDITIONS_MAX} can be proved")]
    TooManyConditions {
        /// The role.
        role: String,
        /// How many it uses.
        conditions: u32,
    },
    /// The two differ.
    #[error("the native tables and cedar differ in {} cells, first: {}", .0.len(), first(.0))]
    Differ(Vec<Difference>),
}

fn first(differences: &[Difference]) -> String {
    differences.first().map_or_else(String::new, ToString::to_string)
}

/// Proves a pack: its native tables equal Cedar's answers.
///
/// # Errors
/// It does not compile, is too large to prove, or the two differ.
pub fn prove(pack: &Arc<Pack>) -> Result<Proof, ProofError> {
    equal(pack, &Cedar::compile(Arc::clone(pack))?)
}

/// Compares a pack's native tables with these policies.
pub(crate) fn equal(pack: &Arc<Pack>, cedar: &Cedar) -> Result<Proof, ProofError> {
    let mut prover = Prover { pack, cedar, questions: 0, cells: 0, differences: Vec::new() };
    for role in pack.roles.values() {
        prover.role(role)?;
    }
    if !prover.differences.is_empty() {
        return Err(ProofError::Differ(prover.differences));
    }
    Ok(Proof {
        pack: pack.hash,
        engine: ENGINE_VERSION,
        cedar: cedar_policy::get_sdk_version().to_string(),
        policies: cedar.policies().len(),
        questions: prover.questions,
        cells: prover.cells,
    })
}

struct Prover<'a> {
    pack: &'a Arc<Pack>,
    cedar: &'a Cedar,
    questions: usize,
    cells: usize,
    differences: Vec<Difference>,
}

impl Prover<'_> {
    fn role(&mut self, role: &Role) -> Result<(), ProofError> {
        let by_permits = role.conditions();
        let by_words = role.segments.iter().filter_map(|word| word.condition);
        let by_words = by_words.fold(ConditionMask::NONE, ConditionMask::with);
        for used in [by_permits, by_words] {
            let conditions = used.count();
            if conditions > PROOF_CONDITIONS_MAX {
                return Err(ProofError::TooManyConditions { role: role.name.clone(), conditions });
            }
        }
        let elevation = self.pack.condition("emergency_elevation");
        let by_words = with(by_words, self.pack.condition(UNCONFIRMED_OUTSIDE));
        for purpose in role.purposes() {
            let elevation = elevation.filter(|_| purpose == "BTG");
            self.every(role, purpose, with(by_permits, elevation), Self::views);
            self.every(role, purpose, with(by_words, elevation), Self::limits);
        }
        Ok(())
    }

    /// Asks every set of these conditions, with all others false and with all others true.
    fn every(&mut self, role: &Role, purpose: &str, used: ConditionMask, ask: fn(&mut Self, &Question)) {
        let all = u64::MAX.checked_shr(64 - u32::try_from(self.pack.conditions.len()).unwrap_or(64)).unwrap_or(0);
        for held in used.subsets() {
            for others in [0, all & !used.0] {
                let conditions = held.union(ConditionMask(others));
                ask(self, &Question { role: role.name.clone(), purpose: purpose.to_owned(), conditions });
                self.questions += 1;
            }
        }
    }

    fn views(&mut self, question: &Question) {
        let table = native(self.pack, question, None);
        let asker = self.cedar.words().asker(question);
        for index in 0..self.pack.categories.len() {
            let category = CategoryId(u8::try_from(index).unwrap_or(u8::MAX));
            let own = table.as_ref().map_or(View::None, |table| table.view(category));
            let other = asker.as_ref().map_or(View::None, |asker| self.cedar.view(&question.role, asker, category));
            self.cells += 1;
            if own != other {
                let views = [own, other].map(|view| self.pack.view_name(view));
                self.differ(question, self.pack.category_name(category).to_owned(), views);
            }
        }
    }

    fn limits(&mut self, question: &Question) {
        let table = native(self.pack, question, None);
        let asker = self.cedar.words().asker(question);
        for (index, named) in self.pack.segments.iter().enumerate() {
            let segment = SegmentId(u8::try_from(index).unwrap_or(u8::MAX));
            let own = table.as_ref().map_or(SegmentLimit::None, |table| table.limit(segment));
            let ask = |asker| self.cedar.limit(&question.role, asker, segment, |_| true);
            let other = asker.as_ref().map_or(SegmentLimit::None, ask);
            self.cells += 1;
            if own != other {
                let limits = [own, other].map(|limit| limit_name(limit).to_owned());
                self.differ(question, format!("segment {}", named.name), limits);
            }
        }
    }

    fn differ(&mut self, question: &Question, of: String, [native, cedar]: [String; 2]) {
        if self.differences.len() < DIFFERENCES_MAX {
            let conditions = self.pack.condition_names(question.conditions).into_iter().map(str::to_owned).collect();
            self.differences.push(Difference { question: question.clone(), conditions, of, native, cedar });
        }
    }
}

fn with(used: ConditionMask, condition: Option<ConditionId>) -> ConditionMask {
    condition.map_or(used, |condition| used.with(condition))
}

/// A limit in words.
pub(crate) const fn limit_name(limit: SegmentLimit) -> &'static str {
    match limit {
        SegmentLimit::None => "none",
        SegmentLimit::Coded => "coded",
        SegmentLimit::Follow => "follow",
    }
}
