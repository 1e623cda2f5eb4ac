//! [`Caller`]: whose view is compared, and what the policy lets him ask, told by the explanations that people read.

use scruple_core::{ConditionMask, SegmentLimit, Timestamp, View};
use scruple_fhir::dictionary;
use scruple_policy::{Active, ElementRow, Pack, Question, Reach, TypeExplanation, explain_type};
use scruple_seal::TokenKey;
use scruple_testkit::interfere::bare::{Census, census};
use scruple_testkit::interfere::{
    Harness, Inherits, Pairs, Plan, ReferenceServer, Related, RelatedBy, Report, Resolved, Rules, Sight, Store, System,
    Systems, Window, shared_types,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// One caller, who has a relationship with every patient.
pub struct Caller {
    sight: Sight,
    rules: Explained,
}

impl Caller {
    /// In a role, for a purpose, on a day; `key` makes his pseudonyms.
    ///
    /// # Errors
    /// The policy refuses him, or knows no relationship.
    pub fn new(active: &Active, role: &str, purpose: &str, now: Timestamp, key: TokenKey) -> Result<Self, String> {
        let pack = Arc::clone(&active.pack);
        let relationship = pack.condition("relationship").ok_or("the pack has no condition `relationship`")?;
        let conditions = ConditionMask::NONE.with(relationship);
        let question = Question { role: role.to_owned(), purpose: purpose.to_owned(), conditions };
        let table = active.decider.decide(&question).map_err(|refusal| format!("{role}: {refusal}"))?;
        let pseudonyms = Arc::new(move |kind: &str, value: &str| key.token(kind, value));
        let table = table.as_ref().clone();
        let sight = Sight::new(
            Arc::clone(&pack.annotation),
            table.clone(),
            Inherits::of(&pack.annotation),
            now.civil_date(),
            pseudonyms,
        );
        let sees_changes = table.view(pack.annotation.change_metadata) == View::Full;
        let follows = |segment: usize| table.limits.get(segment) == Some(&SegmentLimit::Follow);
        let follows_all = (0..pack.annotation.segments).all(follows);
        Ok(Self { sight, rules: Explained { pack, question, sees_changes, follows_all, known: Mutex::default() } })
    }

    /// The same where relationships are looked up: who he is in the record system.
    ///
    /// # Errors
    /// The policy refuses him, or knows no relationship.
    pub fn resolved(
        active: &Active,
        role: &str,
        purpose: &str,
        now: Timestamp,
        key: TokenKey,
        practitioners: &[&str],
    ) -> Result<Self, String> {
        let assumed = Self::new(active, role, purpose, now, key.clone())?;
        let pack = Arc::clone(&active.pack);
        let near = assumed.rules.question.clone();
        let far = Question { conditions: ConditionMask::NONE, ..near.clone() };
        let decide =
            |question: &Question| active.decider.decide(question).map_err(|refusal| format!("{role}: {refusal}"));
        let (near, far) = (decide(&near)?, decide(&far)?);
        let by = pack.roles.get(role).map(|role| role.related_by.clone()).unwrap_or_default();
        let window = |kind, reach: Option<Reach>| reach.map(|Reach { before, after }| Window { kind, before, after });
        let windows = [
            window(RelatedBy::Encounter, by.encounter),
            window(RelatedBy::Appointment, by.appointment),
            window(RelatedBy::CareTeam, by.care_team),
            window(RelatedBy::Panel, by.panel.then(Reach::default)),
        ];
        let related = Related {
            practitioners: practitioners.iter().map(|one| (*one).to_owned()).collect(),
            windows: windows.into_iter().flatten().collect(),
            at: now.micros(),
        };
        let resolved = Resolved {
            near: near.as_ref().clone(),
            far: far.as_ref().clone(),
            shared: shared_types(&pack.annotation),
            related,
            inheritance: Inherits::of(&pack.annotation),
        };
        let pseudonyms = Arc::new(move |kind: &str, value: &str| key.token(kind, value));
        let sight = Sight::resolved(&pack.annotation, resolved, now.civil_date(), pseudonyms);
        Ok(Self { sight, rules: assumed.rules })
    }

    /// What the policy lets him ask.
    #[must_use]
    pub const fn rules(&self) -> &Explained {
        &self.rules
    }

    /// The server that holds what the caller sees of a store, and nothing else.
    #[must_use]
    pub fn reference(&self, store: &Store, base: &str) -> ReferenceServer {
        ReferenceServer::of(self.sight.seen(store), base).sharing(self.sight.shared())
    }

    /// Asks two servers with nothing of ours before them, and counts what tells stores apart that look alike to this caller.
    pub fn census(
        &self,
        (pairs, base): (&Pairs, &str),
        servers: (&mut dyn System, &mut dyn System),
        size: (usize, usize),
        seed: u64,
        seen: &mut Census,
    ) {
        census((pairs, &self.sight, base), servers, size, seed, seen);
    }

    /// Asks the systems over pairs of stores, and compares.
    pub fn judge(&self, systems: &mut Systems<'_>, pairs: &Pairs, base: &str, plan: &Plan, seed: u64) -> Report {
        Harness { pairs, sight: &self.sight, base, rules: &self.rules }.run(systems, plan, seed)
    }
}

/// What the policy lets a caller do, told by the explanations that people read, and not by the gateway's own judgement.
pub struct Explained {
    pack: Arc<Pack>,
    question: Question,
    /// Versions and times of change show.
    sees_changes: bool,
    /// No label narrows anything.
    follows_all: bool,
    known: Mutex<HashMap<String, Arc<Vec<TypeExplanation>>>>,
}

impl Explained {
    fn of(&self, resource_type: &str) -> Arc<Vec<TypeExplanation>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let explain = || Arc::new(explain_type(&self.pack, &self.question, resource_type).unwrap_or_default());
        Arc::clone(known.entry(resource_type.to_owned()).or_insert_with(explain))
    }
}

impl Rules for Explained {
    fn permits(&self, resource_type: &str, parameter: Option<&str>) -> Option<bool> {
        // A Binary shows through the Attachment that names it alone, and an Attachment's address is made for the caller.
        if resource_type == "Binary" {
            return Some(false);
        }
        let explained = self.of(resource_type);
        let shown: Vec<&TypeExplanation> = explained.iter().filter(|class| class.shows).collect();
        if shown.is_empty() {
            return Some(false);
        }
        let Some(code) = parameter else { return Some(true) };
        match code {
            "_id" => return Some(true),
            // What is not full may still stand in a resource that passes.
            "_lastUpdated" => return self.sees_changes.then_some(true),
            _ => {}
        }
        let read = dictionary().search.iter().find(|known| known.base == resource_type && known.code == code)?;
        if read.reads.iter().any(|path| path.ends_with("attachment.url")) {
            return Some(false);
        }
        let full = |row: &&ElementRow, path: &str| row.view == "full" && row.path == path;
        let has = |class: &TypeExplanation, path: &str| class.rows.iter().any(|row| full(&row, path));
        let narrower = |class: &TypeExplanation, path: &str| {
            let below = [format!("{path}."), format!("{path}(")];
            class.rows.iter().any(|row| below.iter().any(|below| row.path.starts_with(below)))
        };
        let clean = shown.iter().all(|class| read.reads.iter().all(|path| has(class, path) && !narrower(class, path)));
        // A type that a mask can narrow is left to the gateway: what is full here is not full under its labels.
        let unmasked = || shown.iter().all(|class| class.rows.iter().all(|row| !row.view.starts_with("masked")));
        (clean && unmasked()).then_some(true)
    }

    fn permits_versions(&self) -> Option<bool> {
        Some(self.sees_changes)
    }

    /// Only where no label narrows anything is a parameter known to be whole; a reference never, since its target decides.
    fn permits_absence(&self, resource_type: &str, parameter: &str) -> Option<bool> {
        if parameter == "_id" {
            return Some(true);
        }
        let known = dictionary().search.iter().find(|known| known.base == resource_type && known.code == parameter)?;
        let is_whole = known.kind != "reference" && self.follows_all;
        self.permits(resource_type, Some(parameter)).filter(|_| is_whole)
    }
}
