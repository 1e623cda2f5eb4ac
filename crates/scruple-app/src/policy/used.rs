//! Granted and never used: what a role and a person may see and have not seen in a period, as a draft to accept.
//!
//! A kind of information counts as used if something that was released may have held it: so that what is called unused was
//! surely not seen, and taking it out refuses nothing that was read.

use super::accesses::Recorded;
use super::content::KnownPacks;
use super::mappings::kinds_of;
use scruple_core::Timestamp;
use scruple_policy::{Pack, used_kinds};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Between the parts of a key.
const BETWEEN: char = '\n';

/// What was used, by role and person.
pub struct Used {
    known: KnownPacks,
    /// Kinds of each type, by policy, role, purpose, conditions and type.
    kinds: HashMap<String, Arc<BTreeSet<String>>>,
    /// The same of all types of an access.
    memo: HashMap<String, Arc<BTreeSet<String>>>,
    roles: BTreeMap<String, Of>,
    people: HashMap<String, Of>,
    key: String,
}

#[derive(Default)]
struct Of {
    accesses: u64,
    last: BTreeMap<String, Timestamp>,
}

impl Of {
    fn take(&mut self, kinds: &BTreeSet<String>, at: Timestamp) {
        self.accesses += 1;
        for kind in kinds {
            match self.last.get_mut(kind) {
                Some(last) => *last = at.max(*last),
                None => {
                    self.last.insert(kind.clone(), at);
                }
            }
        }
    }
}

/// A kind of information that a role has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Granted {
    /// The kind.
    pub category: String,
    /// In words.
    pub label: String,
}

/// What a role has and nobody used.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RoleUnused {
    /// The role.
    pub role: String,
    /// Accesses in it.
    pub accesses: u64,
    /// Kinds of information that it has.
    pub granted: usize,
    /// Those that were used, with the last time.
    pub used: BTreeMap<String, Timestamp>,
    /// Those that were not: never, in the period.
    pub unused: Vec<Granted>,
}

/// What a person has in a role and did not use.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PersonUnused {
    /// The subject of the tokens.
    pub subject: String,
    /// The role.
    pub role: String,
    /// Accesses of his in it.
    pub accesses: u64,
    /// Kinds of information that it has.
    pub granted: usize,
    /// Those that he did not use.
    pub unused: Vec<String>,
}

/// What is granted and was never used in a period.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Unused {
    /// The policy that grants it.
    pub pack: String,
    /// The period.
    pub from: Timestamp,
    /// To before this.
    pub until: Timestamp,
    /// Roles, by name.
    pub roles: Vec<RoleUnused>,
    /// People, by subject and role.
    pub people: Vec<PersonUnused>,
}

impl Used {
    /// `known`: the policies by which the accesses were decided.
    #[must_use]
    pub fn new(known: KnownPacks) -> Self {
        Self {
            known,
            kinds: HashMap::new(),
            memo: HashMap::new(),
            roles: BTreeMap::new(),
            people: HashMap::new(),
            key: String::new(),
        }
    }

    fn kinds_of(&mut self, access: &Recorded<'_>) -> Arc<BTreeSet<String>> {
        access.write_key(&mut self.key);
        if let Some(known) = self.memo.get(&self.key) {
            return Arc::clone(known);
        }
        let key = self.key.clone();
        let views: BTreeMap<String, String> = serde_json::from_str(access.views).unwrap_or_default();
        let all = match self.known.get(access.pack).map(Arc::clone) {
            Some(pack) => {
                let mut all = BTreeSet::new();
                for id in access.types {
                    let one = Recorded { types: std::slice::from_ref(id), ..*access };
                    one.write_key(&mut self.key);
                    let kinds = match self.kinds.get(&self.key) {
                        Some(kinds) => Arc::clone(kinds),
                        None => {
                            let kinds = Arc::new(used_kinds(&pack.active, &one.past(&views), *id));
                            self.kinds.insert(self.key.clone(), Arc::clone(&kinds));
                            kinds
                        }
                    };
                    all.extend(kinds.iter().cloned());
                }
                all
            }
            // What was decided by a policy that is not known here may have used all that it showed.
            None => views.into_keys().collect(),
        };
        let all = Arc::new(all);
        self.memo.insert(key, Arc::clone(&all));
        all
    }

    /// Takes one access.
    pub fn take(&mut self, access: &Recorded<'_>) {
        let used = self.kinds_of(access);
        match self.roles.get_mut(access.role) {
            Some(of) => of.take(&used, access.at),
            None => self.roles.entry(access.role.to_owned()).or_default().take(&used, access.at),
        }
        self.key.clear();
        self.key.push_str(access.subject);
        self.key.push(BETWEEN);
        self.key.push_str(access.role);
        match self.people.get_mut(&self.key) {
            Some(of) => of.take(&used, access.at),
            None => self.people.entry(self.key.clone()).or_default().take(&used, access.at),
        }
    }

    /// What was not used. `held`: who holds which roles now, by subject.
    #[must_use]
    pub fn finish(
        self,
        pack: &Pack,
        held: &BTreeMap<String, BTreeSet<String>>,
        (from, until): (Timestamp, Timestamp),
    ) -> Unused {
        let nothing = Of::default();
        let label = |kind: &String| {
            let id = pack.category(kind).and_then(|id| pack.categories.get(usize::from(id.0)));
            id.map_or_else(|| kind.clone(), |category| category.label.clone())
        };
        let roles = pack.roles.values().filter(|role| !role.is_profile).map(|role| {
            let granted = kinds_of(pack, &role.name);
            let of = self.roles.get(&role.name).unwrap_or(&nothing);
            let unused = granted.iter().filter(|kind| !of.last.contains_key(*kind));
            RoleUnused {
                role: role.name.clone(),
                accesses: of.accesses,
                granted: granted.len(),
                used: of
                    .last
                    .iter()
                    .filter(|(kind, _)| granted.contains(*kind))
                    .map(|(kind, at)| (kind.clone(), *at))
                    .collect(),
                unused: unused.map(|kind| Granted { category: kind.clone(), label: label(kind) }).collect(),
            }
        });
        let people = held.iter().flat_map(|(subject, roles)| roles.iter().map(move |role| (subject, role)));
        let people = people.filter(|(_, role)| pack.roles.contains_key(*role)).map(|(subject, role)| {
            let granted = kinds_of(pack, role);
            let of = self.people.get(&format!("{subject}{BETWEEN}{role}")).unwrap_or(&nothing);
            PersonUnused {
                subject: subject.clone(),
                role: role.clone(),
                accesses: of.accesses,
                granted: granted.len(),
                unused: granted.into_iter().filter(|kind| !of.last.contains_key(kind)).collect(),
            }
        });
        Unused { pack: pack.hash.to_string(), from, until, roles: roles.collect(), people: people.collect() }
    }
}

impl Unused {
    /// What a draft would take out of roles. A role in which nobody has done anything stays as it is: whether it is needed at all
    /// is another question.
    #[must_use]
    pub fn proposal(&self) -> BTreeMap<String, BTreeSet<String>> {
        let used = self.roles.iter().filter(|role| role.accesses > 0 && !role.unused.is_empty());
        used.map(|role| {
            let kinds = role.unused.iter().map(|granted| granted.category.clone());
            (role.role.clone(), kinds.collect())
        })
        .collect()
    }
}
