//! To whom the caller is related (docs/view.md, 2), read from the record system now.

use super::lookup::batches;
use super::{BTreeMap, BTreeSet, Pipeline, Side, Stop};
use crate::decided::Policy;
use crate::relation::{Caller, Kind};
use crate::release::Asked;
use crate::upstream::{self, UpstreamError, UpstreamQuery};
use futures_util::future::try_join_all;
use scruple_core::limits::SEARCH_COUNT_MAX;
use scruple_core::{ConditionMask, Timestamp};
use scruple_fhir::bundle;
use scruple_policy::RelatedBy;
use std::borrow::Cow;
use std::collections::HashSet;

/// Patients that are asked for by name; for more, all of the caller's are fetched.
const NAMED_MAX: usize = 100;
/// Resources on a page, where pages of more are too large.
const SMALL_COUNT: usize = 3;
/// Pages of one look-up.
const PAGES_MAX: usize = 200;

/// The caller's relationships, as far as they are known.
pub(in crate::pipeline) struct Relations<'a> {
    practitioners: &'a [String],
    by: RelatedBy,
    now: Timestamp,
    /// By patient, what it rests on; nothing, if nothing was found.
    known: BTreeMap<String, Option<String>>,
    /// By patient, what opens some kinds of information of his record, and the place of its decision.
    limited: BTreeMap<String, (usize, Vec<String>)>,
    /// Which kinds of information, by place.
    limits: Vec<BTreeSet<String>>,
    /// By patient, the conditions that an emergency confirmed of his record.
    protected: BTreeMap<String, ConditionMask>,
    /// Whoever is not known has none.
    is_complete: bool,
}

impl<'a> Relations<'a> {
    pub fn new(asked: &'a Asked, now: Timestamp, policy: &Policy) -> Self {
        let role = policy.pack().roles.get(&asked.question.role);
        let by = role.map(|role| role.related_by.clone()).unwrap_or_default();
        let practitioners = asked.practitioners.as_slice();
        // Who is nobody in the record system, or in a role that nothing there relates, is related to nobody. Nor does anything there
        // open a record in an emergency.
        let is_complete = practitioners.is_empty() || Kind::of(&by).is_empty() || asked.question.purpose == "BTG";
        let known = asked.opened.iter().map(|(patient, one)| (patient.clone(), Some(one.by.clone()))).collect();
        let mut limits: Vec<BTreeSet<String>> = asked.limited.values().map(|one| one.kinds.clone()).collect();
        limits.sort();
        limits.dedup();
        let place = |kinds: &BTreeSet<String>| limits.binary_search(kinds).ok();
        let limited = asked.limited.iter();
        let limited =
            limited.filter_map(|(id, one)| Some((id.clone(), (place(&one.kinds)?, one.by.clone())))).collect();
        let protected = asked.opened.iter().filter(|(_, one)| one.protected != ConditionMask::NONE);
        let protected = protected.map(|(patient, one)| (patient.clone(), one.protected)).collect();
        Self { practitioners, by, now, known, limited, limits, protected, is_complete }
    }

    /// The kinds of information of each limited decision, by its place.
    pub fn limits(&self) -> Vec<BTreeSet<String>> {
        self.limits.clone()
    }

    /// The conditions that hold for every patient of whose record an emergency confirmed what is specially protected; none: there is
    /// no such patient.
    // relies on (never-wider)
    pub fn protected(&self) -> Option<ConditionMask> {
        self.protected.values().copied().reduce(|one, other| ConditionMask(one.0 & other.0))
    }

    /// By which decision shows what is of all these patients, of whom it is known whether the caller is related to them.
    pub fn side_of(&self, patients: &[String]) -> Side {
        let all_protected = !patients.is_empty() && patients.iter().all(|patient| self.protected.contains_key(patient));
        let mut side = if all_protected { Side::Protected } else { Side::Near };
        for patient in patients.iter().filter(|patient| !self.has(patient)) {
            let Some((place, _)) = self.limited.get(patient) else { return Side::Far };
            side = side.within(Side::Limited(*place));
        }
        side
    }

    pub fn has(&self, patient: &str) -> bool {
        self.known.get(patient).is_some_and(Option::is_some)
    }

    /// What the relationship to these patients rests on, for the record.
    pub fn of(&self, patients: &[String]) -> Vec<String> {
        let mut on = Vec::new();
        for patient in patients {
            let narrow = || self.limited.get(patient).map(|(_, by)| by.as_slice());
            let known = self.known.get(patient).and_then(Option::as_ref).map(std::slice::from_ref);
            on.extend(known.or_else(narrow).unwrap_or_default().iter().map(|by| format!("Patient/{patient} {by}")));
        }
        on
    }

    /// Finds out about these patients.
    pub async fn some(&mut self, pipeline: &Pipeline, patients: BTreeSet<String>) -> Result<(), Stop> {
        if self.is_complete {
            return Ok(());
        }
        let new: Vec<String> = patients.into_iter().filter(|patient| !self.known.contains_key(patient)).collect();
        if new.is_empty() {
            return Ok(());
        }
        if new.len() > NAMED_MAX {
            return self.all(pipeline).await.map(drop);
        }
        let names: Vec<String> = new.iter().map(|id| format!("Patient/{id}")).collect();
        let mut asked = Vec::new();
        for kind in Kind::of(&self.by) {
            let values = if kind == Kind::Panel { &new } else { &names };
            asked.extend(batches(values).into_iter().map(|values| (kind, values)));
        }
        let looks = asked.into_iter().map(|(kind, values)| self.of_these(pipeline, kind, values));
        let found = try_join_all(looks).await?;
        self.known.extend(new.into_iter().map(|patient| (patient, None)));
        for (patient, on) in found.into_iter().flatten() {
            // Who was not asked for is not to be known by chance.
            if let Some(known) = self.known.get_mut(&patient) {
                known.get_or_insert(on);
            }
        }
        Ok(())
    }

    /// What of one kind relates the caller to these patients. Of one that the server will not search for nothing does, and the
    /// others are asked for without him.
    async fn of_these(
        &self,
        pipeline: &Pipeline,
        kind: Kind,
        values: &[String],
    ) -> Result<Vec<(String, String)>, Stop> {
        let narrowed = vec![(kind.search().1.to_owned(), values.join(","))];
        match self.look_again(pipeline, kind, narrowed).await {
            Ok(found) => Ok(found),
            Err(error) if error.is_of_the_record() && values.len() > 1 => {
                let (first, second) = values.split_at(values.len() / 2);
                let mut found = Box::pin(self.of_these(pipeline, kind, first)).await?;
                found.extend(Box::pin(self.of_these(pipeline, kind, second)).await?);
                Ok(found)
            }
            Err(error) if error.is_of_the_record() => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// All patients of whose records anything is open to the caller.
    pub async fn all(&mut self, pipeline: &Pipeline) -> Result<BTreeSet<String>, Stop> {
        if !self.is_complete {
            let judge = self.judge();
            let kinds = Kind::of(&self.by).into_iter();
            let asked = kinds.flat_map(|kind| judge.searches(kind).into_iter().map(move |narrowed| (kind, narrowed)));
            let looks = asked.map(|(kind, narrowed)| self.look_again(pipeline, kind, narrowed));
            let found = try_join_all(looks).await?;
            self.is_complete = true;
            for (patient, on) in found.into_iter().flatten() {
                self.known.entry(patient).or_default().get_or_insert(on);
            }
        }
        let known = self.known.iter().filter(|(_, on)| on.is_some()).map(|(patient, _)| patient);
        Ok(known.chain(self.limited.keys()).cloned().collect())
    }

    const fn judge(&self) -> Caller<'_> {
        Caller { practitioners: self.practitioners, by: &self.by, now: self.now }
    }

    /// The same as [`Self::look`]; where pages are too large, on smaller ones.
    async fn look_again(
        &self,
        pipeline: &Pipeline,
        kind: Kind,
        narrowed: Vec<(String, String)>,
    ) -> Result<Vec<(String, String)>, UpstreamError> {
        match self.look(pipeline, kind, narrowed.clone(), SEARCH_COUNT_MAX).await {
            Err(UpstreamError::TooLarge { .. }) => self.look(pipeline, kind, narrowed, SMALL_COUNT).await,
            found => found,
        }
    }

    /// What of one kind, narrowed so, relates the caller: the patient, and what it rests on.
    async fn look(
        &self,
        pipeline: &Pipeline,
        kind: Kind,
        narrowed: Vec<(String, String)>,
        count: usize,
    ) -> Result<Vec<(String, String)>, UpstreamError> {
        let (resource_type, _, caller) = kind.search();
        let judge = self.judge();
        let own = (caller.to_owned(), self.practitioners.join(","));
        let count = ("_count".to_owned(), count.to_string());
        let parameters = narrowed.into_iter().chain([own, count]).collect();
        let query = UpstreamQuery { resource_type: resource_type.to_owned(), parameters };
        let (mut found, mut links) = (Vec::new(), HashSet::new());
        let mut fetched = pipeline.upstream.search(&query).await?;
        for _ in 0..PAGES_MAX {
            let plain = bundle::plain(&fetched);
            let page = upstream::page(&plain)?;
            for bytes in page.resources {
                // Whether it is what was asked for is judged here, whatever the server made of the query.
                let Some((of, id)) = bundle::identity(bytes) else { continue };
                let Ok(resource) = serde_json::from_slice(bytes) else { continue };
                if scruple_fhir::dictionary().get(of).name != resource_type {
                    continue;
                }
                let on = format!("{} {resource_type}/{id}", kind.word());
                found.extend(judge.patients(kind, &resource).into_iter().map(|patient| (patient, on.clone())));
            }
            let Some(next) = page.next.map(Cow::into_owned) else { return Ok(found) };
            if !links.insert(next.clone()) {
                return Err(UpstreamError::Malformed("pages in a circle"));
            }
            fetched = pipeline.upstream.page(&next).await?;
        }
        Err(UpstreamError::Malformed("pages without an end"))
    }
}
