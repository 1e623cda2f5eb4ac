//! Weeks of a house drawn by a seed: people ask, approve, refuse, take back, declare, break the glass, end what others have, leave; the
//! clock jumps. A plain model says of each act whether it may be done, and after each who holds what; the desk must agree.

use super::ENGINE;
use super::desk::TestRules;
use crate::support::{World, at, roles, with_world};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use scruple_app::{Ask, Declaration, Desk, Done, Emergency, Narrower, Who};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::{
    AccessRequest, ApproverKind, DeclaredReason, Elevation, EmergencyReason, EmergencyReview, Finding, Grant,
};
use scruple_store::{Person, Subject, find_elevation, find_grant, find_request, find_review, mark_person_left};
use std::collections::{BTreeMap, BTreeSet};

const HOUR: i64 = 3_600_000_000;
const SEEDS: u64 = 6;
const STEPS: usize = 60;
const PATIENTS: [&str; 4] = ["a", "b", "c", "d"];
/// Two nurses, a biller, two managers, two of the privacy office.
const PEOPLE: [(&str, &str); 7] = [
    ("nora", "nurse"),
    ("nils", "nurse"),
    ("bob", "biller"),
    ("mia", "manager"),
    ("max", "manager"),
    ("pia", "privacy_officer"),
    ("pat", "privacy_officer"),
];

#[derive(Clone)]
struct Held {
    id: Id<Grant>,
    person: usize,
    role: &'static str,
    from: Timestamp,
    until: Timestamp,
    involved: Vec<usize>,
    ended: bool,
}

#[derive(Clone)]
struct Open {
    id: Id<Elevation>,
    person: usize,
    patient: &'static str,
    from: Timestamp,
    until: Timestamp,
    involved: Vec<usize>,
    ended: bool,
}

#[derive(Clone)]
struct Asked {
    id: Id<AccessRequest>,
    person: usize,
    by: usize,
    role: &'static str,
    patients: Vec<&'static str>,
    from: Timestamp,
    until: Timestamp,
    decide_by: Timestamp,
    needs: Vec<&'static str>,
    approvals: Vec<usize>,
    pending: bool,
    version: i64,
}

struct Reviewed {
    id: Id<EmergencyReview>,
    reader: usize,
    closed: bool,
    version: i64,
}

/// What should be.
#[derive(Default)]
struct Model {
    left: BTreeSet<usize>,
    held: Vec<Held>,
    open: Vec<Open>,
    asked: Vec<Asked>,
    reviews: Vec<Reviewed>,
}

impl Model {
    fn roles(&self, person: usize, now: Timestamp) -> BTreeSet<&'static str> {
        if self.left.contains(&person) {
            return BTreeSet::new();
        }
        let held =
            self.held.iter().filter(|one| one.person == person && !one.ended && one.from <= now && now < one.until);
        held.map(|one| one.role).collect()
    }

    fn charts(&self, person: usize, now: Timestamp) -> BTreeSet<&'static str> {
        if self.left.contains(&person) {
            return BTreeSet::new();
        }
        let open =
            self.open.iter().filter(|one| one.person == person && !one.ended && one.from <= now && now < one.until);
        open.map(|one| one.patient).collect()
    }

    fn decides(&self, person: usize, now: Timestamp) -> bool {
        let roles = self.roles(person, now);
        roles.contains("manager") || roles.contains("privacy_officer")
    }
}

struct House<'a> {
    world: &'a World,
    draws: ChaCha20Rng,
    ids: ChaCha20Rng,
    people: Vec<Id<Person>>,
    model: Model,
    words: u64,
}

impl<'a> House<'a> {
    async fn open(world: &'a World, seed: u64) -> Self {
        let mut house = Self {
            world,
            draws: ChaCha20Rng::seed_from_u64(seed),
            ids: ChaCha20Rng::seed_from_u64(seed.wrapping_add(1_000)),
            people: Vec::new(),
            model: Model::default(),
            words: 0,
        };
        // What is open from the weeks before is over.
        world.clock.advance_micros(24 * HOUR);
        house.desk().expire_requests().await.unwrap();
        let origin = world.now();
        let second = (origin.micros() - at(0).micros()) / 1_000_000;
        for (place, (login, role)) in PEOPLE.into_iter().enumerate() {
            let person = world.person(&format!("{login}{seed}")).await;
            let id = world.grant(person, role, (second, second + 1_000_000)).await;
            let until = origin.plus_micros(1_000_000_000_000);
            house.people.push(person);
            house.model.held.push(Held {
                id,
                person: place,
                role,
                from: origin,
                until,
                involved: vec![place],
                ended: false,
            });
        }
        house
    }

    fn pick(&mut self, below: usize) -> usize {
        usize::try_from(self.draws.next_u64() % u64::try_from(below.max(1)).unwrap()).unwrap()
    }

    fn who(&self, place: usize) -> Who {
        Who { person: self.people[place], stepped_up: true }
    }

    fn desk(&mut self) -> Desk<'_> {
        let World { store, lease, clock, .. } = self.world;
        Desk { store, lease, clock: clock.as_ref(), rng: &mut self.ids, rules: &TestRules }
    }

    fn reason(&mut self) -> Phi<String> {
        self.words += 1;
        Phi::new(format!("Something has to be done, number {} of this week", self.words))
    }

    /// One act, and whether the model has it done.
    async fn step(&mut self) {
        let now = self.world.now();
        match self.pick(12) {
            0 | 1 => self.submit(now).await,
            2..=4 => self.approve(now).await,
            5 => self.deny(now).await,
            6 => self.cancel(now).await,
            7 => self.declare(now).await,
            8 => self.break_glass(now).await,
            9 => self.end(now).await,
            10 => self.close(now).await,
            _ => {
                let minutes = i64::try_from(self.pick(180)).unwrap() + 1;
                self.world.clock.advance_micros(minutes * 60_000_000);
                if self.pick(3) == 0 {
                    let now = self.world.now();
                    let over = self.model.asked.iter_mut().filter(|one| one.pending && one.decide_by <= now);
                    let over: Vec<&mut Asked> = over.collect();
                    let number = over.len();
                    for one in over {
                        one.pending = false;
                        one.version += 1;
                    }
                    assert_eq!(self.desk().expire_requests().await.unwrap(), number);
                }
                if self.pick(40) == 0 {
                    self.leave().await;
                }
            }
        }
    }

    async fn leave(&mut self) {
        let place = self.pick(PEOPLE.len());
        if self.model.left.insert(place) {
            let mut tx = self.world.store.begin().await.unwrap();
            mark_person_left(&mut tx, self.people[place], 1, self.world.now()).await.unwrap();
            self.world.commit(tx, Subject::Person(self.people[place])).await;
        }
    }

    async fn submit(&mut self, now: Timestamp) {
        let by = self.pick(PEOPLE.len());
        let of_patients = self.pick(2) == 0;
        let person = if of_patients { by } else { self.pick(PEOPLE.len()) };
        let role = if of_patients { "nurse" } else { ["nurse", "biller", "surgeon"][self.pick(3)] };
        let hours = i64::try_from(self.pick(10)).unwrap();
        let mut patients: Vec<&'static str> = Vec::new();
        for patient in PATIENTS.into_iter().filter(|_| of_patients) {
            if self.pick(2) == 0 {
                patients.push(patient);
            }
        }
        // Without patients it is for the role.
        let is_of_patients = !patients.is_empty();
        let ends_at = now.plus_micros(hours * HOUR);
        let ask = Ask {
            person: Some(self.people[person]),
            role: role.parse().unwrap(),
            purpose: None,
            patients: patients.iter().map(|id| id.parse().unwrap()).collect(),
            starts_at: None,
            ends_at,
            justification: self.reason(),
            ticket: None,
        };
        let may = !self.model.left.contains(&by)
            && !self.model.left.contains(&person)
            && (1..=8).contains(&hours)
            && role != "surgeon"
            && (!is_of_patients || self.model.roles(person, now).contains("nurse"));
        let who = self.who(by);
        let done = self.desk().submit(who, ask).await;
        assert_eq!(done.is_ok(), may, "submit {role} for {person} by {by}, {hours} h: {:?}", done.as_ref().err());
        let Ok(Done { now: request, .. }) = done else { return };
        let needs = if is_of_patients { vec!["manager"] } else { vec!["manager", "privacy_officer"] };
        self.model.asked.push(Asked {
            id: request.id,
            person,
            by,
            role,
            patients,
            from: now,
            until: ends_at,
            decide_by: now.plus_micros(4 * HOUR).min(ends_at),
            needs,
            approvals: Vec::new(),
            pending: true,
            version: 1,
        });
    }

    fn drawn(&mut self) -> Option<usize> {
        let number = self.model.asked.len();
        // The last ones, which are more often open.
        (number > 0).then(|| number - 1 - self.pick(number.min(4)))
    }

    async fn approve(&mut self, now: Timestamp) {
        let Some(place) = self.drawn() else { return };
        let by = self.pick(PEOPLE.len());
        let asked = self.model.asked[place].clone();
        let mut left: Vec<&str> = asked.needs.clone();
        for approver in &asked.approvals {
            // Each has filled the first that was open to him.
            let roles = ["manager", "privacy_officer"];
            let filled = left.iter().position(|need| roles.contains(need) && PEOPLE[*approver].1 == *need);
            left.remove(filled.unwrap());
        }
        let fills = left.iter().any(|need| self.model.roles(by, now).contains(need));
        let may = asked.pending
            && now < asked.decide_by
            && self.model.decides(by, now)
            && ![asked.person, asked.by].contains(&by)
            && !asked.approvals.contains(&by)
            && fills
            && if asked.patients.is_empty() {
                left.len() > 1 || !self.model.left.contains(&asked.person)
            } else {
                self.model.roles(asked.person, now).contains("nurse")
            };
        let who = self.who(by);
        let done = self.desk().approve(who, asked.id, asked.version, Narrower::default()).await;
        assert_eq!(done.is_ok(), may, "approve by {by}: {:?}", done.as_ref().err());
        if !may {
            return;
        }
        let model = &mut self.model.asked[place];
        model.approvals.push(by);
        model.version += 1;
        if model.approvals.len() < model.needs.len() {
            return;
        }
        model.pending = false;
        let involved: Vec<usize> = model.approvals.iter().copied().chain([asked.person, asked.by]).collect();
        if asked.patients.is_empty() {
            // Of a role the grant names the last approver alone.
            self.model.held.push(Held {
                id: Id::from_uuid(asked.id.uuid()),
                person: asked.person,
                role: asked.role,
                from: now.max(asked.from),
                until: asked.until,
                involved: vec![by, asked.person, asked.by],
                ended: false,
            });
        }
        let mut tx = self.world.store.begin_read().await.unwrap();
        let opened = scruple_store::open_elevations(&mut tx, self.people[asked.person], now).await.unwrap();
        for patient in &asked.patients {
            let known: Vec<Id<Elevation>> = self.model.open.iter().map(|one| one.id).collect();
            let new = opened.iter().find(|one| one.patient.id() == *patient && !known.contains(&one.id));
            self.model.open.push(Open {
                id: new.unwrap_or_else(|| panic!("no chart of {patient}")).id,
                person: asked.person,
                patient,
                from: now,
                until: asked.until,
                involved: involved.clone(),
                ended: false,
            });
        }
    }

    async fn deny(&mut self, now: Timestamp) {
        let Some(place) = self.drawn() else { return };
        let by = self.pick(PEOPLE.len());
        let asked = self.model.asked[place].clone();
        let names = asked.needs.iter().any(|need| self.model.roles(by, now).contains(need));
        let may = asked.pending
            && now < asked.decide_by
            && self.model.decides(by, now)
            && ![asked.person, asked.by].contains(&by)
            && names;
        let (who, words) = (self.who(by), self.reason());
        let done = self.desk().deny(who, asked.id, asked.version, words).await;
        assert_eq!(done.is_ok(), may, "deny by {by}: {:?}", done.as_ref().err());
        if may {
            let model = &mut self.model.asked[place];
            model.pending = false;
            model.version += 1;
        }
    }

    async fn cancel(&mut self, now: Timestamp) {
        let Some(place) = self.drawn() else { return };
        let by = self.pick(PEOPLE.len());
        let asked = self.model.asked[place].clone();
        let may = asked.pending
            && now < asked.decide_by
            && !self.model.left.contains(&by)
            && [asked.person, asked.by].contains(&by);
        let who = self.who(by);
        let done = self.desk().cancel(who, asked.id, asked.version).await;
        assert_eq!(done.is_ok(), may, "cancel by {by}: {:?}", done.as_ref().err());
        if may {
            let model = &mut self.model.asked[place];
            model.pending = false;
            model.version += 1;
        }
    }

    async fn declare(&mut self, now: Timestamp) {
        let (by, hours) = (self.pick(PEOPLE.len()), i64::try_from(self.pick(15)).unwrap());
        let patient = PATIENTS[self.pick(PATIENTS.len())];
        let until = now.plus_micros(hours * HOUR);
        let declaration = Declaration {
            role: "nurse".parse().unwrap(),
            patient: patient.parse().unwrap(),
            reason: DeclaredReason::Covering,
            ends_at: until,
            words: Phi::new(String::new()),
        };
        let may = self.model.roles(by, now).contains("nurse") && (1..=13).contains(&hours);
        let who = self.who(by);
        let done = self.desk().declare(who, declaration).await;
        assert_eq!(done.is_ok(), may, "declare by {by}: {:?}", done.as_ref().err());
        if let Ok(done) = done {
            let id = done.now.opening().id;
            self.model.open.push(Open { id, person: by, patient, from: now, until, involved: vec![by], ended: false });
        }
    }

    async fn break_glass(&mut self, now: Timestamp) {
        let by = self.pick(PEOPLE.len());
        let patient = PATIENTS[self.pick(PATIENTS.len())];
        let emergency = Emergency {
            role: "nurse".parse().unwrap(),
            patient: patient.parse().unwrap(),
            reason: EmergencyReason::TeamCalled,
            words: Phi::new(String::new()),
        };
        // Whatever reviews are open, and however late they are.
        let may = self.model.roles(by, now).contains("nurse");
        let who = self.who(by);
        let done = self.desk().break_glass(who, emergency).await;
        assert_eq!(done.is_ok(), may, "break-glass by {by}: {:?}", done.as_ref().err());
        if let Ok(done) = done {
            let id = done.now.opening().id;
            let until = now.plus_micros(4 * HOUR);
            self.model.open.push(Open { id, person: by, patient, from: now, until, involved: vec![by], ended: false });
            let scruple_flow::ElevationKind::Emergency { review, .. } = done.now.kind() else { panic!("no review") };
            self.model.reviews.push(Reviewed { id: review, reader: by, closed: false, version: 1 });
        }
    }

    async fn end(&mut self, now: Timestamp) {
        let by = self.pick(PEOPLE.len());
        let oversees = self.model.roles(by, now).contains("privacy_officer");
        let (who, here) = (self.who(by), !self.model.left.contains(&by));
        if self.pick(2) == 0 && !self.model.open.is_empty() {
            let place = self.model.open.len() - 1 - {
                let number = self.model.open.len().min(4);
                self.pick(number)
            };
            let one = self.model.open[place].clone();
            let may = here && !one.ended && (one.involved.contains(&by) || oversees);
            let done = self.desk().end_elevation(who, one.id, 1).await;
            assert_eq!(done.is_ok(), may, "end a chart by {by}: {:?}", done.as_ref().err());
            self.model.open[place].ended |= may;
        } else {
            // What was asked for; the first roles stay, so that there is somebody.
            let number = self.model.held.len() - PEOPLE.len();
            if number == 0 {
                return;
            }
            let place = PEOPLE.len() + self.pick(number);
            let one = self.model.held[place].clone();
            let may = here && !one.ended && (one.involved.contains(&by) || oversees);
            let done = self.desk().end_grant(who, one.id, 1).await;
            assert_eq!(done.is_ok(), may, "end a role by {by}: {:?}", done.as_ref().err());
            self.model.held[place].ended |= may;
        }
    }

    async fn close(&mut self, now: Timestamp) {
        if self.model.reviews.is_empty() {
            return;
        }
        let (place, by) = {
            let number = self.model.reviews.len();
            (self.pick(number), self.pick(PEOPLE.len()))
        };
        let (id, version) = (self.model.reviews[place].id, self.model.reviews[place].version);
        let reader = self.model.reviews[place].reader;
        let may =
            !self.model.reviews[place].closed && self.model.roles(by, now).contains("privacy_officer") && by != reader;
        let (who, words) = (self.who(by), self.reason());
        let done = self.desk().close_review(who, id, version, Finding::Justified, words).await;
        assert_eq!(done.is_ok(), may, "close by {by}: {:?}", done.as_ref().err());
        if may {
            self.model.reviews[place].closed = true;
            self.model.reviews[place].version += 1;
        }
    }

    /// What everybody holds is what the model says, as the gateway would load it now.
    async fn agrees(&self, seed: u64, step: usize) {
        let now = self.world.now();
        let (cache, _) = self.world.fresh_cache().await;
        let nurse = "nurse".parse().unwrap();
        for (place, (login, _)) in PEOPLE.iter().enumerate() {
            let held = cache.held(&format!("{login}{seed}"), now).await.unwrap().unwrap();
            let expected: Vec<String> = self.model.roles(place, now).into_iter().map(str::to_owned).collect();
            assert_eq!(roles(&held, now), expected, "roles of {login}, seed {seed}, step {step}");
            let charts: BTreeSet<String> = held.opened(&nurse, "TREAT", now).into_keys().collect();
            let expected: BTreeSet<String> = self.model.charts(place, now).into_iter().map(str::to_owned).collect();
            assert_eq!(charts, expected, "charts of {login}, seed {seed}, step {step}");
        }
    }

    /// No state is there that the model does not know, and nobody has what nobody else agreed to.
    async fn ends_well(&self) {
        let now = self.world.now();
        let mut tx = self.world.store.begin_read().await.unwrap();
        let mut states: BTreeMap<&'static str, usize> = BTreeMap::new();
        for asked in &self.model.asked {
            let found = find_request(&mut tx, asked.id).await.unwrap().unwrap();
            *states.entry(found.state.code()).or_default() += 1;
            assert_eq!(found.version, asked.version);
            let is_open = found.state.code() == "pending";
            assert_eq!(is_open, asked.pending, "{:?}", found.state);
            let decided = [self.people[asked.person], self.people[asked.by]];
            if let scruple_flow::RequestState::Approved { approvals, .. } = found.state_at(now) {
                assert!(approvals.iter().all(|one| !decided.contains(&one.by)));
                let kinds: BTreeSet<&ApproverKind> = approvals.iter().map(|one| &one.kind).collect();
                assert_eq!(kinds.len(), asked.needs.len());
            }
        }
        for held in self.model.held.iter().skip(PEOPLE.len()) {
            let found = find_grant(&mut tx, held.id).await.unwrap().unwrap();
            assert_eq!(found.revoked.is_some(), held.ended);
        }
        for open in &self.model.open {
            let found = find_elevation(&mut tx, open.id).await.unwrap().unwrap();
            assert_eq!(found.ended.is_some(), open.ended);
        }
        for review in &self.model.reviews {
            let found = find_review(&mut tx, review.id).await.unwrap().unwrap();
            assert_eq!(found.state.code() == "justified", review.closed);
        }
        assert!(!states.is_empty());
    }
}

#[tokio::test]
async fn weeks_of_a_house_go_as_a_plain_model_says() {
    with_world(ENGINE, async |world| {
        for seed in 0..SEEDS {
            let mut house = House::open(world, seed).await;
            for step in 0..STEPS {
                house.step().await;
                if step % 5 == 4 {
                    house.agrees(seed, step).await;
                }
            }
            house.ends_well().await;
        }
    })
    .await;
}
