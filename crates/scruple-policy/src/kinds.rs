//! The kinds of information that a role has, one by one: what a request for records may name, and what is left of a decision
//! where some of them alone are opened.

use crate::decide::{Question, native};
use crate::model::{Pack, Rule};
use scruple_core::{ConditionMask, DecisionTable, SegmentLimit, View};
use scruple_fhir::{Place, classes, dictionary};
use std::collections::{BTreeMap, BTreeSet};

/// What stands before the name of a segment where kinds are named.
const SEGMENT: &str = "segment:";
/// Who the patient is: whoever opens anything of a record sees whose it is, as far as his role does.
const IDENTITY: [&str; 3] = ["id_name", "id_birth_sex", "id_mrn"];

impl Rule {
    /// What this rule and another ask for together: whoever one of them needs, the shorter times, the stronger sign-in.
    #[must_use]
    pub(crate) fn with(mut self, other: &Self) -> Self {
        let count = |list: &[String], need: &String| list.iter().filter(|one| *one == need).count();
        for need in &other.needs {
            if count(&self.needs, need) < count(&other.needs, need) {
                // Who stands apart is somebody of his role too: he is not needed twice.
                let plain = need.split('+').next().unwrap_or_default();
                let place = self.needs.iter().position(|one| one == plain && one != need);
                match place.and_then(|place| self.needs.get_mut(place)) {
                    Some(known) => known.clone_from(need),
                    None => self.needs.push(need.clone()),
                }
            }
        }
        let decide_hours = self.decide_hours.min(other.decide_hours);
        Self {
            hours: self.hours.min(other.hours),
            decide_hours,
            step_up: self.step_up || other.step_up,
            needs: self.needs,
            // Whoever joins them does so before it is a no, or not at all.
            backup: self.backup.filter(|(_, after_hours)| *after_hours < decide_hours),
        }
    }
}

impl Pack {
    /// The kinds of information that a role has of its patients and not of everybody, for one purpose or for any of its own, each
    /// with its words: codes of categories, and `segment:` with the code of what is specially protected.
    #[must_use]
    pub fn kinds(&self, role: &str, purpose: Option<&str>) -> BTreeMap<String, String> {
        let Some(purposes) = self.roles.get(role).filter(|role| !role.is_profile).map(|role| role.purposes()) else {
            return BTreeMap::new();
        };
        let related = self.condition("relationship").map_or(ConditionMask::NONE, |id| ConditionMask::NONE.with(id));
        let mut kinds = BTreeMap::new();
        for one in purposes.into_iter().filter(|one| purpose.is_none_or(|only| only == *one)) {
            let decide = |conditions| {
                let question = Question { role: role.to_owned(), purpose: one.to_owned(), conditions };
                native(self, &question, self.guardrails.asked(&question).as_ref()).ok()
            };
            if let Some((near, far)) = decide(related).zip(decide(ConditionMask::NONE)) {
                self.beyond(&near, &far, &mut kinds);
            }
        }
        kinds
    }

    /// What somebody who holds these roles sees of his own patients, for the main purpose of each: kinds of information as `full` or
    /// `masked:` and the mask, and what is specially protected as `full` or `coded`. What does not show is not named.
    #[must_use]
    pub fn effective<'a>(&self, roles: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, String> {
        let related = self.condition("relationship").map_or(ConditionMask::NONE, |id| ConditionMask::NONE.with(id));
        let mut views = vec![View::None; self.categories.len()];
        let mut limits = vec![SegmentLimit::None; self.segments.len()];
        for role in roles.into_iter().filter_map(|name| self.roles.get(name)) {
            let (role, purpose) = (role.name.clone(), role.purpose.clone());
            let question = Question { role, purpose, conditions: related };
            let Ok(table) = native(self, &question, self.guardrails.asked(&question).as_ref()) else { continue };
            for (view, own) in views.iter_mut().zip(&table.views) {
                *view = self.join(*view, *own);
            }
            for (limit, own) in limits.iter_mut().zip(&table.limits) {
                *limit = wider(*limit, *own);
            }
        }
        let named = self.categories.iter().zip(views).filter(|(_, view)| view.shows());
        let mut seen: BTreeMap<String, String> =
            named.map(|(category, view)| (category.name.clone(), self.view_name(view))).collect();
        for (segment, limit) in self.segments.iter().zip(limits) {
            let view = match limit {
                SegmentLimit::None => continue,
                SegmentLimit::Coded => "masked:coded",
                SegmentLimit::Follow => "full",
            };
            seen.insert(format!("{SEGMENT}{}", segment.name), view.to_owned());
        }
        seen
    }

    /// The kinds of information that a resource of a type can be of as a whole: its home, or what its class is chosen from. Who the
    /// patient is counts as none.
    #[must_use]
    pub fn kinds_of_type(&self, resource_type: &str) -> BTreeSet<String> {
        let home = match self.annotation.homes.get(resource_type) {
            Some(Place::Category(category)) => Some(*category),
            _ => None,
        };
        let chosen = dictionary().resource(resource_type).map(|id| classes(&self.annotation, id));
        let named = home.into_iter().chain(chosen.into_iter().flatten());
        let names = named.filter_map(|id| self.categories.get(usize::from(id.0))).map(|one| one.name.clone());
        names.filter(|name| !IDENTITY.contains(&name.as_str())).collect()
    }

    /// Whether somebody agrees to a kind of information beside those who agree to records anyway.
    #[must_use]
    pub fn is_elevated(&self, kind: &str) -> bool {
        self.approvals.kinds.contains_key(kind)
    }

    /// Who must agree to records of named patients in a role, for these kinds of information; without any for all that the role
    /// has. None: it is not given.
    #[must_use]
    pub fn approval_of(&self, role: &str, kinds: Option<&BTreeSet<String>>) -> Option<Rule> {
        let rule = self.approval(role, true)?.clone();
        let whole = || self.kinds(role, None).into_keys().collect();
        let kinds: BTreeSet<String> = kinds.cloned().unwrap_or_else(whole);
        let more = kinds.iter().filter_map(|kind| self.approvals.kinds.get(kind));
        Some(more.fold(rule, Rule::with))
    }

    /// What `near` shows and `far` does not.
    fn beyond(&self, near: &DecisionTable, far: &DecisionTable, kinds: &mut BTreeMap<String, String>) {
        for (category, (near, far)) in self.categories.iter().zip(near.views.iter().zip(&far.views)) {
            if near.shows() && near != far {
                kinds.insert(category.name.clone(), category.label.clone());
            }
        }
        for (segment, limit) in self.segments.iter().zip(&near.limits) {
            if *limit != SegmentLimit::None {
                kinds.insert(format!("{SEGMENT}{}", segment.name), segment.label.clone());
            }
        }
    }

    /// What is left of the decision on one's own patients, `near`, where some kinds of information alone are opened: those that
    /// `is_opened` names, and who the patient is. Elsewhere it is the decision on anybody, `far`, and nothing of it that is
    /// specially protected: a label leaves something where it is named alone.
    // INVARIANT (never-wider): each view is that of `near` or of `far`, each limit that of `near` or none.
    #[must_use]
    pub fn limited(
        &self,
        near: &DecisionTable,
        far: &DecisionTable,
        is_opened: impl Fn(&str) -> bool,
    ) -> DecisionTable {
        let mut table = DecisionTable {
            views: far.views,
            passes_full_types: false,
            never_pass: near.never_pass,
            valid_until: [near.valid_until, far.valid_until].into_iter().flatten().min(),
            ..DecisionTable::deny(near.pack)
        };
        let views = table.views.iter_mut().zip(&near.views);
        for (category, (view, near)) in self.categories.iter().zip(views) {
            if is_opened(&category.name) || IDENTITY.contains(&category.name.as_str()) {
                *view = *near;
            }
        }
        let limits = table.limits.iter_mut().zip(&near.limits);
        for (segment, (limit, near)) in self.segments.iter().zip(limits) {
            if is_opened(&format!("{SEGMENT}{}", segment.name)) {
                *limit = *near;
            }
        }
        table
    }
}

const fn wider(one: SegmentLimit, other: SegmentLimit) -> SegmentLimit {
    match (one, other) {
        (SegmentLimit::Follow, _) | (_, SegmentLimit::Follow) => SegmentLimit::Follow,
        (SegmentLimit::Coded, _) | (_, SegmentLimit::Coded) => SegmentLimit::Coded,
        (SegmentLimit::None, SegmentLimit::None) => SegmentLimit::None,
    }
}
