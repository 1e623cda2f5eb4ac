//! Who sees drift, and who decides on it: who answers for the system; whoever sees people; managers of theirs.

use crate::{Rules, Viewer};
use scruple_core::Id;
use scruple_flow::connected::{ConnectedSystem, Drift};
use scruple_policy::{Act, ActScope};
use scruple_store::Person;

/// How far somebody reaches in connected systems.
#[derive(Clone, Copy)]
pub struct SystemsReach<'a> {
    viewer: &'a Viewer,
    rules: &'a dyn Rules,
}

impl std::fmt::Debug for SystemsReach<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SystemsReach").field("viewer", &self.viewer.person).finish_non_exhaustive()
    }
}

impl<'a> SystemsReach<'a> {
    /// Of somebody who looks.
    #[must_use]
    pub const fn new(viewer: &'a Viewer, rules: &'a dyn Rules) -> Self {
        Self { viewer, rules }
    }

    fn all(&self, system: &ConnectedSystem, act: Act) -> bool {
        system.owner == self.viewer.person || self.rules.scope(act, &self.viewer.roles) == Some(ActScope::All)
    }

    fn of(&self, act: Act, person: Option<Id<Person>>) -> bool {
        person.is_some_and(|person| self.viewer.reaches(self.rules, act, person))
    }

    /// Whether he sees all of a system.
    #[must_use]
    pub fn sees_all(&self, system: &ConnectedSystem) -> bool {
        self.all(system, Act::People)
    }

    /// Whether he sees this drift of it.
    #[must_use]
    pub fn sees(&self, system: &ConnectedSystem, drift: &Drift) -> bool {
        self.sees_all(system) || self.of(Act::People, drift.person)
    }

    /// Whether he has it read now.
    #[must_use]
    pub fn decides_all(&self, system: &ConnectedSystem) -> bool {
        self.all(system, Act::EndAccess)
    }

    /// Whether he decides on this drift of it.
    #[must_use]
    pub fn decides(&self, system: &ConnectedSystem, drift: &Drift) -> bool {
        self.decides_all(system) || self.of(Act::EndAccess, drift.person)
    }
}
