//! Makes a difference small: fewer steps, fewer mutations, fewer resources, while something is still wrong.
//!
//! What is wrong may become something else on the way; that is a difference too.

use super::harness::{Difference, Harness, Systems, Wrong};
use super::reference::ReferenceServer;
use super::requests::Step;
use super::store::{Edit, Mutation, Store, Version};
use std::fmt;

/// Two stores that look alike, and what was asked of them.
#[derive(Clone, Debug)]
pub struct Case {
    /// The first store. The second is this one after the mutations.
    pub a: Store,
    /// What differs.
    pub mutations: Vec<Mutation>,
    /// What was asked.
    pub steps: Vec<Step>,
    /// The seed of the systems' randomness.
    pub seed: u64,
}

impl Case {
    /// The second store.
    #[must_use]
    pub fn b(&self) -> Store {
        self.a.after(&self.mutations)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "first store, {} resources:", self.a.len())?;
        for stored in self.a.iter().take(12) {
            writeln!(out, "  {}", String::from_utf8_lossy(&stored.bytes))?;
        }
        for (kind, id, past) in self.a.past().take(12) {
            past_of(out, "", kind, id, past)?;
        }
        writeln!(out, "second store, after:")?;
        for mutation in &self.mutations {
            writeln!(out, "  {}:", mutation.what)?;
            for edit in &mutation.edits {
                match edit {
                    Edit::Put(stored) => writeln!(out, "    put {}", String::from_utf8_lossy(&stored.bytes))?,
                    Edit::Remove(kind, id) => writeln!(out, "    remove {kind}/{id}")?,
                    Edit::Past(kind, id, past) => past_of(out, "  ", kind, id, past)?,
                    Edit::Move(kind, id, to) => writeln!(out, "    move {kind}/{id} to {to}")?,
                }
            }
        }
        write!(out, "steps, with seed {}:", self.seed)?;
        self.steps.iter().try_for_each(|step| write!(out, "\n  {step:?}"))
    }
}

fn past_of(out: &mut fmt::Formatter<'_>, indent: &str, kind: &str, id: &str, past: &[Version]) -> fmt::Result {
    writeln!(out, "{indent}  before {kind}/{id}, oldest first:")?;
    past.iter().try_for_each(|version| match version {
        Version::Stored(stored) => writeln!(out, "{indent}    {}", String::from_utf8_lossy(&stored.bytes)),
        Version::Deleted { version, at } => writeln!(out, "{indent}    deleted as version {version} at {at}"),
    })
}

struct Shrinker<'a, 'b, 'c> {
    harness: &'a Harness<'b>,
    systems: &'a mut Systems<'c>,
    plays_left: usize,
}

/// The smallest case found in so many plays. Nothing, if the case is not wrong when it is played again.
pub(super) fn shrunk(
    harness: &Harness<'_>,
    systems: &mut Systems<'_>,
    case: Case,
    plays_max: usize,
) -> Option<Difference> {
    let mut shrinker = Shrinker { harness, systems, plays_left: plays_max.max(1) };
    let Some(mut wrong) = shrinker.wrong(&case) else {
        return Some(unstable(case));
    };
    let mut case = case;
    loop {
        let before = shrinker.plays_left;
        let size = (case.steps.len(), case.mutations.len(), case.a.len());
        shrinker.steps(&mut case, &mut wrong);
        shrinker.mutations(&mut case, &mut wrong);
        shrinker.resources(&mut case, &mut wrong);
        let is_smaller = size != (case.steps.len(), case.mutations.len(), case.a.len());
        if !is_smaller || shrinker.plays_left == 0 || shrinker.plays_left == before {
            break;
        }
    }
    let Wrong { what, request, a, b, reference } = wrong;
    Some(Difference { case, what, request, a, b, reference })
}

/// An answer that was wrong, and is right when all is asked again: it depends on more than store, request and seed.
fn unstable(case: Case) -> Difference {
    let nothing = super::wire::Response { status: 0, headers: Vec::new(), body: Vec::new() };
    Difference {
        case,
        what: "wrong once and right the next time: the answer depends on what was asked before".to_owned(),
        request: super::wire::Request::get(""),
        a: nothing.clone(),
        b: nothing,
        reference: super::reference::Answer { status: 0, body: Vec::new(), has_next: false, query: None, token: None },
    }
}

impl Shrinker<'_, '_, '_> {
    /// What is wrong with a case: nothing, if the stores do not look alike.
    fn wrong(&mut self, case: &Case) -> Option<Wrong> {
        self.plays_left = self.plays_left.checked_sub(1)?;
        let b = case.b();
        let seen = self.harness.sight.seen(&case.a);
        if seen != self.harness.sight.seen(&b) {
            return None;
        }
        self.systems.a.load(&case.a);
        self.systems.b.load(&b);
        let reference = ReferenceServer::of(seen, self.harness.base).sharing(self.harness.sight.shared());
        self.harness.play(self.systems, &reference, &case.steps, case.seed).wrong.map(|(_, wrong)| wrong)
    }

    fn take_if_wrong(&mut self, smaller: Case, case: &mut Case, wrong: &mut Wrong) -> bool {
        match self.wrong(&smaller) {
            Some(found) => {
                (*case, *wrong) = (smaller, found);
                true
            }
            None => false,
        }
    }

    fn steps(&mut self, case: &mut Case, wrong: &mut Wrong) {
        let mut at = 0;
        while at < case.steps.len() {
            let mut smaller = case.clone();
            smaller.steps.remove(at);
            if !self.take_if_wrong(smaller, case, wrong) {
                at += 1;
            }
        }
    }

    fn mutations(&mut self, case: &mut Case, wrong: &mut Wrong) {
        let without_any = Case { mutations: Vec::new(), ..case.clone() };
        if !case.mutations.is_empty() && self.take_if_wrong(without_any, case, wrong) {
            return;
        }
        let mut at = 0;
        while at < case.mutations.len() {
            let mut smaller = case.clone();
            smaller.mutations.remove(at);
            if !self.take_if_wrong(smaller, case, wrong) {
                at += 1;
            }
        }
    }

    /// Takes resources out of both stores: half of them, a quarter, and so on.
    fn resources(&mut self, case: &mut Case, wrong: &mut Wrong) {
        let mut length = case.a.len().div_ceil(2);
        while length > 0 {
            let mut at = 0;
            while at < case.a.len() && self.plays_left > 0 {
                let mut a = case.a.clone();
                for stored in case.a.iter().skip(at).take(length) {
                    a.remove(&stored.resource_type, &stored.id);
                }
                if !self.take_if_wrong(Case { a, ..case.clone() }, case, wrong) {
                    at += length;
                }
            }
            length /= 2;
        }
    }
}
