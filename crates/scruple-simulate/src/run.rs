//! The life of one organisation: founded, lived step by step, looked over at its end.

use crate::act::{Kind, Manner, Step, jump, resolve};
use crate::deed::Deed;
use crate::draw::Draw;
use crate::error::{Sound, broken, failed, same};
use crate::found::{beginning, found};
use crate::look::{Looked, is_silent, look, nobody};
use crate::model::{Chart, Model, Outcome, Seen};
use crate::node::World;
use crate::perform::{Refused, With};
use crate::replay::{Had, as_of};
use crate::states::{stand_ins, states};
use crate::verify::{canaries, ledger};
use rand_chacha::ChaCha20Rng;
use scruple_core::{Clock as _, FixedClock, Timestamp};
use scruple_ledger::simulate::Keep;
use scruple_store::{Engine, grants_as_of};
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

/// How far the clock goes before each step: ids of one millisecond have no order.
const STEP: i64 = 1_000;
const HOUR: i64 = 3_600_000_000;
const YEARS: i64 = 2 * 366 * 24 * HOUR;
/// Instants of the past that are told of again.
const NOTES_MAX: usize = 8;

/// What a run did, in numbers: a run that does nothing shows nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Organisations that came to their end.
    pub organisations: u64,
    /// Steps of them.
    pub steps: u64,
    /// Deeds that were done.
    pub done: u64,
    /// Deeds that were refused.
    pub refused: u64,
    /// Entries of the ledger.
    pub entries: u64,
    /// Pairs that raced.
    pub races: u64,
    /// Times that everything was killed, or a use case broken off.
    pub crashes: u64,
}

impl Counts {
    /// Adds those of others.
    pub fn add(&mut self, other: Self) {
        self.organisations += other.organisations;
        self.steps += other.steps;
        self.done += other.done;
        self.refused += other.refused;
        self.entries += other.entries;
        self.races += other.races;
        self.crashes += other.crashes;
    }
}

/// Requests that somebody tries to approve when it is too late.
const LATE_MAX: usize = 3;

/// One organisation under way.
pub(crate) struct Life {
    world: World,
    model: Model,
    ids: [ChaCha20Rng; 2],
    looked: Looked,
    events: Vec<Seen>,
    /// What everybody had at an instant, as it was then.
    notes: Vec<(Timestamp, Had)>,
    /// What was done, in words.
    pub told: Vec<String>,
    pub counts: Counts,
}

impl Life {
    /// Founds the organisation of a seed in an empty database.
    pub async fn begin(address: &str, seed: u64) -> Sound<Self> {
        let mut draw = Draw::new(seed);
        let clock = Arc::new(FixedClock::new(beginning(&mut draw)?));
        let world = World::open(address, clock, draw.generator()).await?;
        let model = found(&world, &mut draw).await?;
        let ids = [draw.generator(), draw.generator()];
        let (counts, looked) = (Counts::default(), Looked::default());
        let mut life =
            Self { world, model, ids, looked, events: Vec::new(), notes: Vec::new(), told: Vec::new(), counts };
        for news in life.world.news().await? {
            life.events.extend(news);
        }
        look(&life.world, &life.model, &mut life.looked, true).await?;
        Ok(life)
    }

    fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    /// One step, and everything that must hold after it.
    pub async fn step(&mut self, step: &Step) -> Sound<()> {
        self.counts.steps += 1;
        self.world.clock.advance_micros(STEP);
        match step.kind {
            Kind::Jump => {
                let micros = jump(&self.model, step.numbers, self.now(), STEP);
                self.world.clock.advance_micros(micros);
                self.tell(format!("the clock goes on to {}", self.now()));
            }
            Kind::Crash => {
                let keep = [Keep::None, Keep::All, Keep::Some][usize::try_from(step.numbers[0] % 3).unwrap_or(0)];
                self.tell(format!("everything is killed, the disk keeps {keep:?}"));
                self.crash(keep).await?;
            }
            Kind::KillDrainers => {
                self.tell(format!("the drainers are killed after {} receipts", step.numbers[0] % 4));
                self.world.kill_drainers(step.numbers[0] % 4).await?;
            }
            Kind::ClockBack => {
                let back = HOUR * i64::from(step.numbers[0] % 48 + 1);
                self.tell("the clock is set back, and forward again".to_owned());
                self.world.clock.advance_micros(-back);
                for node in &self.world.nodes {
                    is_silent(node, &self.model, self.world.clock.now()).await?;
                }
                self.world.clock.advance_micros(back);
            }
            Kind::Checkpoint => {
                self.world.drain().await?;
                self.world.keep_checkpoint()?;
            }
            kind => self.deed(kind, step).await?,
        }
        if step.drains {
            self.world.drain().await?;
        }
        let both = step.numbers[4].is_multiple_of(2);
        look(&self.world, &self.model, &mut self.looked, both).await?;
        if step.numbers[3].is_multiple_of(8) {
            stand_ins(&self.world, &self.model).await?;
        }
        if step.numbers[5].is_multiple_of(4) && self.notes.len() < NOTES_MAX {
            self.note();
        }
        Ok(())
    }

    fn tell(&mut self, what: String) {
        self.told.push(what);
    }

    async fn crash(&mut self, keep: Keep) -> Sound<()> {
        self.counts.crashes += 1;
        self.looked.forget();
        self.world.crash(keep).await
    }

    async fn deed(&mut self, kind: Kind, step: &Step) -> Sound<()> {
        let now = self.now();
        let Some(deed) = resolve(&self.model, kind, step.numbers, now) else { return Ok(()) };
        match &step.manner {
            Manner::Plain => self.plain(&deed, None).await,
            Manner::Trip(writes) => self.plain(&deed, Some(*writes)).await,
            Manner::Cut(turns) => self.cut(&deed, *turns).await,
            Manner::Race(kind, numbers) => match resolve(&self.model, *kind, *numbers, now) {
                Some(other) => self.race([&deed, &other]).await,
                None => self.plain(&deed, None).await,
            },
        }
    }

    async fn news(&mut self) -> Sound<Vec<Vec<Seen>>> {
        let news = self.world.news().await?;
        self.events.extend(news.iter().flatten().cloned());
        Ok(news)
    }

    /// A deed by itself, broken off after so many writes if that is said.
    async fn plain(&mut self, deed: &Deed, trip: Option<u32>) -> Sound<()> {
        let now = self.now();
        self.tell(match trip {
            Some(writes) => format!("{now} {deed:?}, broken off after {writes} writes"),
            None => format!("{now} {deed:?}"),
        });
        if let Some(writes) = trip {
            self.world.trip_after(writes);
        }
        let result = self.with(0).perform(deed).await;
        let has_tripped = trip.is_some() && self.world.has_tripped();
        if trip.is_some() && !has_tripped {
            self.world.trip_after(u32::MAX);
            self.world.has_tripped();
        }
        let seen: Vec<Seen> = self.news().await?.into_iter().flatten().collect();
        let verdict = self.model.judge(deed, now);
        if result.is_err() && has_tripped {
            self.counts.crashes += 1;
            // All of it or nothing; of many, those that were done.
            if seen.is_empty() {
                return Ok(());
            }
            if deed.is_many() {
                return self.model.apply(deed, &seen, now);
            }
            return broken("one-entry", format!("half of {deed:?} was done: {:?}", kinds(&seen)));
        }
        agrees(deed, &result, verdict.as_deref(), &seen)?;
        self.count(result.is_ok());
        if !seen.is_empty() || verdict.is_some() {
            self.model.apply(deed, &seen, now)?;
        }
        Ok(())
    }

    fn with(&mut self, node: usize) -> With<'_> {
        let Self { world, model, ids, .. } = self;
        With { node: &world.nodes[node], clock: &*world.clock, ids: &mut ids[node], model }
    }

    fn count(&mut self, done: bool) {
        if done {
            self.counts.done += 1;
        } else {
            self.counts.refused += 1;
        }
    }

    /// Everything is killed after so many turns of a deed: it was done, with its entries, or it was not.
    async fn cut(&mut self, deed: &Deed, turns: u32) -> Sound<()> {
        let now = self.now();
        self.tell(format!("{now} {deed:?}, everything killed after {turns} turns"));
        let result = after_turns(self.with(0).perform(deed), turns).await;
        self.crash(Keep::Some).await?;
        let seen: Vec<Seen> = self.news().await?.into_iter().flatten().collect();
        let verdict = self.model.judge(deed, now);
        if let Some(result) = &result {
            agrees(deed, result, verdict.as_deref(), &seen)?;
        } else if !seen.is_empty() && !deed.is_many() && verdict.as_deref() != Some(&kinds(&seen)[..]) {
            return broken("one-entry", format!("{deed:?} left {:?}, should leave {verdict:?}", kinds(&seen)));
        }
        if !seen.is_empty() || result.is_some_and(|result| result.is_ok()) {
            self.model.apply(deed, &seen, now)?;
        }
        Ok(())
    }

    /// Two deeds at one time: what comes out is what one after the other gives.
    async fn race(&mut self, deeds: [&Deed; 2]) -> Sound<()> {
        let now = self.now();
        self.tell(format!("{now} {:?}, at one time with {:?}", deeds[0], deeds[1]));
        self.counts.races += 1;
        let Self { world, model, ids, .. } = self;
        let [first, second] = ids;
        let with = |node: usize, ids| With { node: &world.nodes[node], clock: &*world.clock, ids, model };
        let results: [Result<(), Refused>; 2] =
            tokio::join!(with(0, first).perform(deeds[0]), with(1, second).perform(deeds[1])).into();
        for result in &results {
            self.count(result.is_ok());
        }
        let news = self.news().await?;
        let mut wrong = Vec::new();
        for order in [[0, 1], [1, 0]] {
            match self.lawful(order, deeds, &results, &news, now) {
                Ok(model) => {
                    // Both orders may explain the answers; what everybody then holds tells which it was.
                    let mut looked = Looked::default();
                    match look(&self.world, &model, &mut looked, true).await {
                        Ok(()) => {
                            (self.model, self.looked) = (model, looked);
                            return Ok(());
                        }
                        Err(error) => wrong.push(error.to_string()),
                    }
                }
                Err(error) => wrong.push(error.to_string()),
            }
        }
        broken("two-people", format!("no order explains two at one time: {}", wrong.join("; or ")))
    }

    /// What is after two deeds in an order, if that explains what came out.
    fn lawful(
        &self,
        order: [usize; 2],
        deeds: [&Deed; 2],
        results: &[Result<(), Refused>; 2],
        news: &[Vec<Seen>],
        now: Timestamp,
    ) -> Sound<Model> {
        let mut model = self.model.clone();
        let mut left: Vec<Vec<Seen>> = news.to_vec();
        // What is many is many transactions, between which the other one's may stand.
        let mixed = deeds.iter().any(|deed| deed.is_many());
        for place in order {
            let (deed, result) = (deeds[place], &results[place]);
            let verdict = model.judge(deed, now);
            // Each node has a shard of its own, or both have one.
            let shard = place.min(left.len() - 1);
            let expected = verdict.as_deref().filter(|_| result.is_ok()).unwrap_or_default();
            let Some(seen) = taken(&mut left[shard], expected, mixed) else {
                return broken("one-entry", format!("{deed:?} left {:?}", kinds(&left[shard])));
            };
            agrees(deed, result, verdict.as_deref(), &seen)?;
            if verdict.is_some() {
                model.apply(deed, &seen, now)?;
            }
        }
        let more: usize = left.iter().map(Vec::len).sum();
        same("one-entry", "entries of two at one time that nobody made", &more, &0)?;
        Ok(model)
    }

    fn note(&mut self) {
        let now = self.now();
        let had = self.had(now);
        self.notes.push((now, had));
    }

    fn had(&self, at: Timestamp) -> Had {
        let mut had = Had::new();
        for (person, staff) in self.model.people.iter().enumerate() {
            let mut what: BTreeSet<String> = self.model.roles(person, at).into_iter().map(str::to_owned).collect();
            for role in crate::rules::ROLES {
                let charts = self.model.open_charts(person, role, false, at).into_iter();
                let chart = |one: &Chart| format!("{role}/{} {}", crate::model::patient(one.patient), one.kinds);
                what.extend(charts.map(chart));
            }
            if !what.is_empty() {
                had.insert(staff.id.to_string(), what);
            }
        }
        had
    }

    /// What must hold of all of it: silence has given nobody anything, the past is told as it was, each event is one entry.
    pub async fn end(&mut self) -> Sound<()> {
        self.world.clock.advance_micros(YEARS);
        look(&self.world, &self.model, &mut self.looked, true).await?;
        nobody(&self.world).await?;
        for person in 0..self.model.people.len() {
            let held = self.model.roles(person, self.now()).len();
            same("expiry-at-decision", &format!("roles of person {person} after two years"), &held, &0)?;
        }
        let open = |request: &usize| self.model.asked[*request].outcome == Outcome::Pending;
        let open: Vec<usize> = (0..self.model.asked.len()).filter(open).collect();
        for request in open.into_iter().take(LATE_MAX) {
            let version = self.model.asked[request].version;
            let by = (request + 1) % self.model.people.len();
            let (patients, kinds, ends_at) = (None, None, None);
            let late = Deed::Approve { by, request, version, patients, kinds, ends_at, stepped_up: true };
            self.plain(&late, None).await?;
        }
        // The jobs, which have not run by themselves.
        for job in [Deed::Expire, Deed::SettleMoves] {
            self.plain(&job, None).await?;
        }
        states(&self.world, &self.model).await?;
        self.past().await?;
        self.world.drain().await?;
        self.counts.entries += ledger(&mut self.world, &self.events)?;
        canaries(&self.world).await?;
        self.counts.organisations += 1;
        Ok(())
    }

    /// Who had what at the instants that were noted (as-of).
    async fn past(&self) -> Sound<()> {
        let Some(node) = self.world.nodes.first() else { return Ok(()) };
        for (at, had) in &self.notes {
            // The entries of two shards have no order within a microsecond.
            if self.world.engine == Engine::Sqlite {
                same("as-of", &format!("what the entries tell of {at}"), &as_of(&self.events, *at), had)?;
            }
            let mut tx = node.store.begin_read().await.map_err(failed("reading the past"))?;
            let then = grants_as_of(&mut tx, *at, None, 200).await.map_err(failed("reading the past"))?;
            let mut roles = Had::new();
            for grant in then {
                roles.entry(grant.person.to_string()).or_default().insert(grant.role.to_string());
            }
            let is_role = |what: &String| !what.contains('/');
            let only = |what: &BTreeSet<String>| what.iter().filter(|what| is_role(what)).cloned().collect();
            let mut expected: Had = had.iter().map(|(person, what)| (person.clone(), only(what))).collect();
            expected.retain(|_, what| !what.is_empty());
            same("as-of", &format!("what the tables tell of {at}"), &roles, &expected)?;
        }
        Ok(())
    }

    pub async fn close(&self) {
        self.world.close().await;
    }
}

fn kinds(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(|one| one.kind.as_str()).collect()
}

/// Takes the entries of a deed out of those that are left: the first ones; where two deeds are `mixed`, the first of each kind
/// that is expected. None if there are too few.
fn taken(left: &mut Vec<Seen>, expected: &[&str], mixed: bool) -> Option<Vec<Seen>> {
    if !mixed {
        return (expected.len() <= left.len()).then(|| left.drain(..expected.len()).collect());
    }
    let mut from = 0;
    let one = |kind: &&str| {
        let place = from + left.get(from..)?.iter().position(|seen| seen.kind == *kind)?;
        from = place;
        Some(left.remove(place))
    };
    expected.iter().map(one).collect()
}

/// Whether what came out of a deed is what should.
fn agrees(deed: &Deed, result: &Result<(), Refused>, verdict: Option<&[&str]>, seen: &[Seen]) -> Sound<()> {
    let entries = kinds(seen);
    match (result, verdict) {
        (Ok(()), Some(expected)) => same("one-entry", &format!("entries of {deed:?}"), &entries.as_slice(), &expected),
        (Err(_), None) => same("one-entry", &format!("entries of {deed:?}, refused"), &entries, &Vec::new()),
        (Ok(()), None) => broken(invariant(deed), format!("{deed:?} was done")),
        (Err(why), Some(_)) => broken("care-continues", format!("{deed:?} was refused: {}", why.chain())),
    }
}

/// The invariant that a deed breaks which is done and should not be.
const fn invariant(deed: &Deed) -> &'static str {
    match deed {
        Deed::Approve { .. } | Deed::Deny { .. } | Deed::Close { .. } | Deed::AskReader { .. } => "two-people",
        Deed::ConfirmReturn { .. } | Deed::AcceptDeputy { .. } => "two-people",
        _ => "default-deny",
    }
}

/// A future for so many turns; none if it has not come to its end by then.
async fn after_turns<T>(future: impl Future<Output = T>, turns: u32) -> Option<T> {
    let mut future = pin!(future);
    let mut left = turns;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::{Seen, kinds, taken};
    use scruple_core::Timestamp;

    fn seen(kind: &str) -> Seen {
        Seen {
            kind: kind.to_owned(),
            aggregate: String::new(),
            at: Timestamp::from_micros(0),
            body: serde_json::Value::Null,
        }
    }

    #[test]
    fn of_two_at_one_time_each_has_its_own_entries_in_their_order() {
        let left = |kinds: &[&str]| -> Vec<Seen> { kinds.iter().map(|kind| seen(kind)).collect() };
        let mut entries = left(&["move", "expire", "move"]);
        let moves = taken(&mut entries, &["move", "move"], true).unwrap();
        assert_eq!((kinds(&moves), kinds(&entries)), (vec!["move", "move"], vec!["expire"]));
        assert!(taken(&mut entries, &["move"], true).is_none());
        // Of one transaction each they do not mix.
        let mut entries = left(&["b", "a"]);
        assert_eq!(kinds(&taken(&mut entries, &["a"], false).unwrap()), ["b"]);
    }
}
