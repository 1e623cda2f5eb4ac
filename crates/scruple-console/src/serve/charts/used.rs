//! What somebody uses, what was read in an emergency, what of the last week nobody saw: the index on other pages.

use super::{DAY, ROWS_MAX, cases, words};
use crate::pages::parts::{Coded, When};
use crate::pages::people::person::Uses;
use crate::pages::today::home::{AskedRow, Watched};
use crate::serve::{Site, when};
use scruple_app::charts::AccessFacts;
use scruple_app::limits::HISTORY_ACCESSES_MAX;
use scruple_core::{Id, Timestamp};
use scruple_flow::{Elevation, Person};
use scruple_store::limits::ACCESS_ROWS_MAX;
use scruple_store::{
    AccessBasis, AccessOutcome, AfterAccess, SourceKind, StoreError, count_accesses, list_accesses_of_person,
    list_accesses_under, list_cases_asked_of, list_sources,
};
use std::collections::{BTreeMap, BTreeSet};

/// What somebody opened in the last 90 days.
pub(in crate::serve) async fn uses(
    tx: &mut scruple_store::Tx,
    person: &Person,
    now: Timestamp,
) -> Result<Uses, StoreError> {
    let (from, until) = (now.plus_micros(-90 * DAY), now.plus_micros(1));
    let mut after: AfterAccess = None;
    let (mut times, mut is_cut) = (0_usize, false);
    let mut charts: BTreeSet<String> = BTreeSet::new();
    let mut kinds: BTreeMap<String, (Coded, u64)> = BTreeMap::new();
    let mut bases: BTreeMap<AccessBasis, u64> = BTreeMap::new();
    loop {
        let rows = list_accesses_of_person(tx, person.id, (from, until), after).await?;
        let is_last = i64::try_from(rows.len()) != Ok(ACCESS_ROWS_MAX);
        after = rows.last().map(|access| (access.at, access.id));
        for access in rows.into_iter().filter(|access| access.outcome == AccessOutcome::Opened) {
            times += 1;
            let facts = AccessFacts::from_bytes(access.facts.expose());
            for kind in words::kinds(std::iter::once(&facts)) {
                kinds.entry(kind.words.clone()).or_insert((kind, 0)).1 += 1;
            }
            *bases.entry(access.basis).or_default() += 1;
            charts.insert(access.patient.into_inner());
        }
        if is_last {
            break;
        }
        if times >= HISTORY_ACCESSES_MAX {
            is_cut = true;
            break;
        }
    }
    let least = if is_cut { "at least " } else { "" };
    let summary = match (charts.len(), times) {
        (0, _) => "Opened no chart that the logs here tell of.".to_owned(),
        (1, 1) => "Opened 1 chart once.".to_owned(),
        (1, times) => format!("Opened 1 chart {least}{times} times."),
        (charts, times) => format!("Opened {charts} charts {least}{times} times."),
    };
    let mut kinds: Vec<(Coded, u64)> = kinds.into_values().collect();
    kinds.sort_by_key(|(kind, count)| (std::cmp::Reverse(*count), kind.words.clone()));
    let mut bases: Vec<(AccessBasis, u64)> = bases.into_iter().collect();
    bases.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let bases = bases.into_iter().map(|(basis, count)| (words::basis(basis).to_owned(), count)).collect();
    Ok(Uses { summary, kinds, bases })
}

/// What of the last week's accesses was enforced, what was watched, and what nobody saw.
pub(in crate::serve) async fn watched(site: &Site) -> Result<Watched, StoreError> {
    let now = site.now();
    let from = now.plus_micros(-7 * DAY);
    let mut tx = site.parts.store.begin_read().await?;
    let counts: BTreeMap<_, i64> = count_accesses(&mut tx, (from, now.plus_micros(1))).await?.into_iter().collect();
    let sources = list_sources(&mut tx).await?;
    let of = |is_gateway: bool| -> u64 {
        let of_kind = sources.iter().filter(|source| (source.kind == SourceKind::Gateway) == is_gateway);
        of_kind.filter_map(|source| counts.get(&source.id)).map(|count| count.unsigned_abs()).sum()
    };
    let mut unseen = Vec::new();
    let logs: Vec<_> = sources.iter().filter(|source| source.kind != SourceKind::Gateway).collect();
    if logs.is_empty() {
        unseen.push("What people opened in the record system itself: no access log of it was read.".to_owned());
    }
    for source in logs {
        match source.last {
            Some(last) if last < now.plus_micros(-DAY) => {
                unseen.push(format!("What people opened in {} since {}.", source.code, when(last).words));
            }
            Some(_) => {}
            None => unseen.push(format!("What people opened in {}: nothing of its log was read.", source.code)),
        }
    }
    unseen.push("Whatever is opened in systems whose logs nobody reads here.".to_owned());
    if site.parts.index.state().failing.is_some() {
        unseen.push(
            "What the gateway recorded lately: its index does not go on. Whoever runs Scruple is to look.".to_owned(),
        );
    }
    Ok(Watched { enforced: of(true), watched: of(false), unseen })
}

/// The questions about his work that somebody has not answered.
pub(in crate::serve) async fn asked_of(site: &Site, person: Id<Person>) -> Result<Vec<AskedRow>, StoreError> {
    let cases = list_cases_asked_of(&mut site.parts.store.begin_read().await?, person).await?;
    let row = |case: scruple_flow::ChartCase| AskedRow {
        href: format!("/cases/{}/answer", case.id),
        day: cases::day(case.about.0),
    };
    Ok(cases.into_iter().map(row).collect())
}

/// What was read under an elevation: the kinds of information, and each read (BG-09).
pub(in crate::serve) async fn under(
    tx: &mut scruple_store::Tx,
    elevation: Id<Elevation>,
) -> Result<(Vec<Coded>, Vec<(When, String)>), StoreError> {
    let accesses = list_accesses_under(tx, elevation, None).await?;
    let facts: Vec<AccessFacts> =
        accesses.iter().map(|access| AccessFacts::from_bytes(access.facts.expose())).collect();
    let kinds = words::kinds(facts.iter());
    let row = |(access, facts): (&scruple_store::ChartAccess, &AccessFacts)| {
        let kinds: Vec<String> = words::kinds(std::iter::once(facts)).into_iter().map(|kind| kind.words).collect();
        let what = if kinds.is_empty() { "nothing was shown".to_owned() } else { kinds.join(", ") };
        (when(access.at), what)
    };
    Ok((kinds, accesses.iter().zip(&facts).take(ROWS_MAX).map(row).collect()))
}
