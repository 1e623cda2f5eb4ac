//! [`Sample`]: the accesses of a period that somebody is to look at. All of those who lead and all from outside are listed, and of
//! them more are drawn than of others. What is drawn follows from the accesses and the period alone: whoever draws again draws the same.

use crate::limits::HISTORY_ACCESSES_MAX;
use scruple_core::{Id, Timestamp};
use scruple_flow::{Person, RoleCode};
use scruple_store::limits::ACCESS_ROWS_MAX;
use scruple_store::{
    AccessWeighed, AfterAccess, ChartAccess, Store, StoreError, Tx, find_access, holders, list_accesses_between,
};
use std::collections::BTreeSet;

/// Of a hundred accesses, how many are drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SampleRates {
    /// Of those who lead, and of those from outside.
    pub leaders_percent: u8,
    /// Of everybody else.
    pub others_percent: u8,
}

/// An access of a sample.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sampled {
    /// As it is known.
    pub access: ChartAccess,
    /// It is of somebody who leads.
    pub of_leader: bool,
    /// It was drawn.
    pub drawn: bool,
}

/// The accesses of a period that somebody is to look at: all of those who lead, all from outside, and the drawn ones of others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sample {
    /// The accesses, oldest first.
    pub rows: Vec<Sampled>,
    /// Accesses of those who lead.
    pub of_leaders: usize,
    /// Accesses of others.
    pub of_others: usize,
    /// Accesses of others that came from outside.
    pub from_outside: usize,
    /// There are more than were looked at.
    pub is_cut: bool,
}

impl Sample {
    /// Draws. An access is of somebody who leads where he made it in one of these roles; where a log names no role, where he holds one
    /// at the end of the period.
    ///
    /// # Errors
    /// The database failed.
    pub async fn draw(
        store: &Store,
        leaders: &[RoleCode],
        (from, until): (Timestamp, Timestamp),
        rates: SampleRates,
    ) -> Result<Self, StoreError> {
        let mut tx = store.begin_read().await?;
        let people = people(&mut tx, leaders, until).await?;
        let is_leader = |access: &AccessWeighed| match &access.role {
            Some(role) => leaders.iter().any(|leader| leader.as_str() == role),
            None => access.person.is_some_and(|person| people.contains(&person)),
        };
        let (mut of_leaders, mut outside, mut of_others) = (Vec::new(), Vec::new(), Vec::new());
        let mut after: AfterAccess = None;
        let mut is_cut = false;
        loop {
            let page = list_accesses_between(&mut tx, (from, until), after).await?;
            let is_last = i64::try_from(page.len()) != Ok(ACCESS_ROWS_MAX);
            after = page.last().map(|access| (access.at, access.id));
            let (leading, other): (Vec<_>, Vec<_>) = page.into_iter().partition(is_leader);
            of_leaders.extend(leading);
            let (from_outside, other): (Vec<_>, Vec<_>) = other.into_iter().partition(|access| access.outside);
            outside.extend(from_outside);
            of_others.extend(other);
            if is_last {
                break;
            }
            if of_leaders.len() + outside.len() + of_others.len() >= HISTORY_ACCESSES_MAX {
                is_cut = true;
                break;
            }
        }
        let seed = from.micros().unsigned_abs();
        let leading = drawn(&of_leaders, rates.leaders_percent, seed);
        let remote = drawn(&outside, rates.leaders_percent, seed);
        let other = drawn(&of_others, rates.others_percent, seed);
        let kept = of_leaders
            .iter()
            .map(|one| (one, true))
            .chain(outside.iter().map(|one| (one, false)))
            .chain(of_others.iter().filter(|one| other.contains(&one.id)).map(|one| (one, false)));
        let mut rows = Vec::new();
        for (one, of_leader) in kept {
            if let Some(access) = find_access(&mut tx, one.id).await? {
                let drawn = [&leading, &remote, &other].into_iter().any(|ids| ids.contains(&access.id));
                rows.push(Sampled { access, of_leader, drawn });
            }
        }
        rows.sort_by_key(|row| (row.access.at, row.access.id));
        let (from_outside, of_others) = (outside.len(), of_others.len() + outside.len());
        Ok(Self { rows, of_leaders: of_leaders.len(), of_others, from_outside, is_cut })
    }
}

async fn people(tx: &mut Tx, roles: &[RoleCode], at: Timestamp) -> Result<BTreeSet<Id<Person>>, StoreError> {
    let (mut people, mut after) = (BTreeSet::new(), None);
    loop {
        let page = holders(tx, roles, at, after).await?;
        let Some(last) = page.last() else { return Ok(people) };
        after = Some(last.id);
        people.extend(page.iter().map(|grant| grant.person));
    }
}

/// So many of a hundred, rounded up: those whose ids come first when seed and id are mixed.
fn drawn(all: &[AccessWeighed], percent: u8, seed: u64) -> BTreeSet<Id<ChartAccess>> {
    let count = all.len().saturating_mul(usize::from(percent.min(100))).div_ceil(100);
    let mut order: Vec<(u64, Id<ChartAccess>)> = all.iter().map(|one| (mixed(one.id, seed), one.id)).collect();
    order.sort_unstable();
    order.into_iter().take(count).map(|(_, id)| id).collect()
}

/// SplitMix64 over both halves of the id.
fn mixed(id: Id<ChartAccess>, seed: u64) -> u64 {
    let (high, low) = id.uuid().as_u64_pair();
    let step = |state: u64| {
        let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^ (state >> 31)
    };
    step(step(step(seed) ^ high) ^ low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn accesses(count: u128) -> Vec<AccessWeighed> {
        let one = |number| AccessWeighed {
            id: Id::from_uuid(Uuid::from_u128(number)),
            at: Timestamp::from_micros(0),
            person: None,
            role: None,
            outside: false,
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn a_sample_has_its_rate_and_is_the_same_for_the_same_period() {
        for (count, percent, expected) in
            [(10, 20, 2), (10, 25, 3), (10, 0, 0), (10, 100, 10), (10, 200, 10), (0, 20, 0), (1, 1, 1), (1_000, 2, 20)]
        {
            assert_eq!(drawn(&accesses(count), percent, 7).len(), expected, "{percent} % of {count}");
        }
        let all = accesses(1_000);
        assert_eq!(drawn(&all, 2, 7), drawn(&all, 2, 7));
        let mut turned = all.clone();
        turned.reverse();
        assert_eq!(drawn(&all, 2, 7), drawn(&turned, 2, 7));
        assert_ne!(drawn(&all, 2, 7), drawn(&all, 2, 8));
        // Every access has its chance: over many periods each of ten is drawn about as often.
        let mut times = [0_u32; 10];
        for seed in 0..1_000 {
            for id in drawn(&accesses(10), 20, seed) {
                times[usize::try_from(id.uuid().as_u128()).unwrap()] += 1;
            }
        }
        assert!(times.iter().all(|times| (150..250).contains(times)), "{times:?}");
    }
}
