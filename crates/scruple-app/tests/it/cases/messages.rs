//! Messages: decided on with what they tell, sent once each way, again until they are taken, and kept with what came of it.

use super::ENGINE;
use super::desk::TestRules;
use crate::support::{World, at, with_world};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use scruple_app::message::{Channel, Delivering, Message, Messenger, NotTaken, Receipt, Told, told_of};
use scruple_app::{Ask, Desk, Emergency, Narrower, Who};
use scruple_core::{Clock, Id, Phi};
use scruple_flow::{AlertOf, EmergencyReason, EmergencyReview, Finding, Kinds, RequestTask};
use scruple_store::{Person, list_alerts, list_open_reviews};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A way to people that keeps what it takes, while it is up.
struct Postbox {
    name: &'static str,
    up: AtomicBool,
    taken: Mutex<Vec<Message>>,
}

impl Postbox {
    fn new(name: &'static str) -> Arc<Self> {
        Arc::new(Self { name, up: AtomicBool::new(true), taken: Mutex::default() })
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.taken.lock().unwrap().drain(..).map(|message| message.told.code()).collect()
    }
}

impl Channel for Postbox {
    fn name(&self) -> &'static str {
        self.name
    }

    fn takes(&self, told: Told) -> bool {
        match self.name {
            "self" => told.is_personal(),
            "mail" => !told.is_personal(),
            _ => matches!(told, Told::EmergencyOpened(_)),
        }
    }

    fn deliver<'a>(&'a self, message: &'a Message) -> Delivering<'a> {
        Box::pin(async move {
            if !self.up.load(Ordering::SeqCst) {
                return Err(NotTaken("mail_unreachable"));
            }
            self.taken.lock().unwrap().push(message.clone());
            Ok(Receipt { recipients: 2, status: 250 })
        })
    }
}

struct House<'a> {
    world: &'a World,
    rng: ChaCha20Rng,
    nora: Who,
    mia: Who,
    pia: Who,
    mail: Arc<Postbox>,
    hook: Arc<Postbox>,
    messenger: Messenger,
}

impl<'a> House<'a> {
    async fn open(world: &'a World) -> Self {
        let mut people = Vec::new();
        for (login, role) in [("nora", "nurse"), ("mia", "manager"), ("pia", "privacy_officer")] {
            let person: Id<Person> = world.person(login).await;
            world.grant(person, role, (0, 10_000_000)).await;
            people.push(Who { person, stepped_up: false });
        }
        let (mail, hook) = (Postbox::new("mail"), Postbox::new("webhook"));
        let messenger = Messenger {
            store: world.store.clone(),
            lease: world.lease.clone(),
            clock: Arc::clone(&world.clock) as Arc<dyn Clock>,
            rng: Box::new(ChaCha20Rng::seed_from_u64(8)),
            channels: vec![Arc::clone(&mail) as _, Arc::clone(&hook) as _],
            console: "https://scruple.example".to_owned(),
        };
        let [nora, mia, pia] = people.try_into().unwrap();
        Self { world, rng: ChaCha20Rng::seed_from_u64(7), nora, mia, pia, mail, hook, messenger }
    }

    fn desk(&mut self) -> Desk<'_> {
        let World { store, lease, clock, .. } = self.world;
        Desk { store, lease, clock: clock.as_ref(), rng: &mut self.rng, rules: &TestRules }
    }

    async fn emergency(&mut self) -> EmergencyReview {
        let emergency = Emergency {
            role: "nurse".parse().unwrap(),
            patient: "p-Zq7CANARY".parse().unwrap(),
            reason: EmergencyReason::LifeThreat,
            words: Phi::new(String::new()),
        };
        let nora = self.nora;
        self.desk().break_glass(nora, emergency).await.unwrap();
        list_open_reviews(&mut self.world.store.begin_read().await.unwrap()).await.unwrap().remove(0)
    }

    /// Until there is nothing due.
    async fn work(&mut self) {
        while self.messenger.run_once().await.unwrap() > 0 {}
    }

    async fn told<T>(&self, about: Id<T>) -> Vec<String> {
        let events = told_of(&mut self.world.store.begin_read().await.unwrap(), about).await.unwrap();
        events.into_iter().map(|event| event.kind).collect()
    }

    fn later(&self, seconds: i64) {
        self.world.clock.advance_micros(seconds * 1_000_000);
    }
}

#[tokio::test]
async fn an_emergency_is_told_each_way_once_and_again_until_it_is_taken() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        house.mail.up.store(false, Ordering::SeqCst);
        let review = house.emergency().await;
        house.work().await;
        assert_eq!(house.hook.kinds(), ["emergency_opened"]);
        assert_eq!(house.mail.kinds(), [] as [&str; 0]);
        assert_eq!(house.told(review.id).await, ["message_due", "message_delivered"]);
        house.later(59);
        house.mail.up.store(true, Ordering::SeqCst);
        house.work().await;
        assert_eq!(house.mail.kinds(), [] as [&str; 0], "not before a minute is over");
        house.later(1);
        house.work().await;
        let message = house.mail.taken.lock().unwrap().clone().remove(0);
        assert_eq!(message.link, format!("https://scruple.example/emergency/{}", review.id));
        assert!(!format!("{message:?}").contains("Zq7CANARY"));
        assert_eq!(house.mail.kinds(), ["emergency_opened"]);
        house.later(3_600);
        house.work().await;
        assert_eq!((house.mail.kinds().len(), house.hook.kinds().len()), (0, 0), "once");
        assert_eq!(house.told(review.id).await, ["message_due", "message_delivered", "message_delivered"]);
    })
    .await;
}

#[tokio::test]
async fn a_review_that_is_late_is_told_and_one_that_is_closed_is_not() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let review = house.emergency().await;
        house.work().await;
        assert_eq!(house.mail.kinds(), ["emergency_opened"]);
        house.later(7 * 86_400 - 1);
        house.work().await;
        assert_eq!(house.mail.kinds(), ["sentence_not_given"]);
        house.later(1);
        house.work().await;
        assert_eq!(house.mail.kinds(), ["review_late"]);
        let next = {
            house.emergency().await;
            let open = list_open_reviews(&mut world.store.begin_read().await.unwrap()).await.unwrap();
            open.into_iter().find(|one| one.id != review.id).unwrap()
        };
        let (pia, words) = (house.pia, Phi::new("Seen with the log of the switchboard".to_owned()));
        house.desk().close_review(pia, next.id, 1, Finding::Justified, words).await.unwrap();
        house.later(8 * 86_400);
        house.work().await;
        assert_eq!(house.mail.kinds(), ["emergency_opened"]);
    })
    .await;
}

#[tokio::test]
async fn a_request_is_told_to_those_who_decide_and_once_more_while_it_waits() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let ask = |words: &str| Ask {
            person: None,
            role: "nurse".parse().unwrap(),
            purpose: None,
            patients: ["a".parse().unwrap()].into(),
            task: Some(RequestTask::Cover),
            kinds: Some(Kinds::Whole),
            starts_at: None,
            ends_at: at(8 * 3_600),
            justification: Phi::new(words.to_owned()),
            ticket: None,
            acknowledged: None,
        };
        let (nora, mia) = (house.nora, house.mia);
        let first = house.desk().submit(nora, ask("Peer review of the March falls, case 4711")).await.unwrap().now;
        house.work().await;
        assert_eq!((house.mail.kinds(), house.hook.kinds().len()), (vec!["request_waits"], 0));
        // Four hours to decide: half of them.
        house.later(2 * 3_600);
        house.work().await;
        assert_eq!(house.mail.kinds(), ["request_still_waits"]);
        // Three hours without an answer: its backup may now.
        house.later(3_600 - 1);
        house.work().await;
        assert_eq!(house.mail.kinds(), [] as [&str; 0]);
        house.later(1);
        house.work().await;
        assert_eq!(house.mail.kinds(), ["request_escalated"]);
        house.desk().approve(mia, first.id, 1, Narrower::default()).await.unwrap();
        house.desk().submit(nora, ask("Another review of falls, case 4712 of April")).await.unwrap();
        let second = house.desk().submit(nora, ask("A third one, of medication errors in May")).await.unwrap().now;
        house.desk().cancel(nora, second.id, 1).await.unwrap();
        house.work().await;
        assert_eq!(house.mail.kinds(), ["request_waits"], "not the one that was taken back");
    })
    .await;
}

#[tokio::test]
async fn who_is_never_reached_is_written_down() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        house.mail.up.store(false, Ordering::SeqCst);
        let review = house.emergency().await;
        house.work().await;
        for _ in 0..100 {
            house.later(3_600);
            house.work().await;
        }
        let kinds = house.told(review.id).await;
        assert!(kinds.iter().any(|kind| kind == "message_failed"), "{kinds:?}");
        assert_eq!(house.mail.kinds(), [] as [&str; 0]);
    })
    .await;
}

#[tokio::test]
async fn the_eleventh_request_in_thirty_days_raises_an_alert_with_a_suggestion_and_the_twelfth_none() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let nora = house.nora;
        let request = |number: i64, now: i64| Ask {
            person: None,
            role: "nurse".parse().unwrap(),
            purpose: None,
            patients: ["a".parse().unwrap()].into(),
            task: RequestTask::ALL.first().copied(),
            kinds: Some(Kinds::Whole),
            starts_at: None,
            ends_at: at(now + 3_600),
            justification: Phi::new(format!("Peer review of falls, case {number} of the year")),
            ticket: None,
            acknowledged: None,
        };
        for number in 0..12 {
            // Two days between them, and each is taken back: it counts all the same.
            let made = house.desk().submit(nora, request(number, number * 172_800)).await.unwrap().now;
            house.desk().cancel(nora, made.id, 1).await.unwrap();
            house.work().await;
            let often = house.mail.kinds().into_iter().filter(|kind| *kind == "requests_often").count();
            // Of her, and for the role.
            assert_eq!(often, if number == 10 { 2 } else { 0 }, "request {}", number + 1);
            house.later(172_800);
        }
        let raised = list_alerts(&mut world.store.begin_read().await.unwrap(), at(0)).await.unwrap();
        let told: Vec<_> = raised.iter().map(|one| (one.count, one.limit, one.of.clone())).collect();
        let role = AlertOf::RequestsForRole("nurse".parse().unwrap());
        assert_eq!(told, [(11, 10, role), (11, 10, AlertOf::RequestsOfPerson(nora.person))]);
        assert!(raised.iter().all(|one| one.of.suggestion().contains("redesign")), "{raised:?}");
        let events = scruple_store::history(
            &mut world.store.begin_read().await.unwrap(),
            &scruple_store::Aggregate::new("alert", raised[0].id),
            0,
        )
        .await
        .unwrap();
        let body = String::from_utf8(events[0].body.expose().clone()).unwrap();
        assert!(
            events[0].kind == "alert_raised" && body.contains("\"count\":11") && body.contains("redesign"),
            "{body}"
        );
    })
    .await;
}

#[tokio::test]
async fn the_sixth_emergency_of_somebody_in_thirty_days_raises_an_alert_and_is_open_all_the_same() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        for number in 1..=7 {
            house.emergency().await;
            house.work().await;
            let kinds = house.mail.kinds();
            let often = kinds.iter().filter(|kind| **kind == "emergencies_often").count();
            assert_eq!((often, kinds.len()), if number == 6 { (1, 2) } else { (0, 1) }, "emergency {number}");
        }
        let raised = list_alerts(&mut world.store.begin_read().await.unwrap(), at(0)).await.unwrap();
        assert_eq!(raised.len(), 1);
        assert_eq!((raised[0].count, raised[0].limit), (6, 5));
        assert_eq!(raised[0].of, AlertOf::EmergenciesOfPerson(house.nora.person));
        let open = list_open_reviews(&mut world.store.begin_read().await.unwrap()).await.unwrap();
        assert_eq!(open.len(), 7, "each has its review");
    })
    .await;
}

/// The sentence that is owed: to the reader himself an hour before his shift ends, to the privacy office when it is over.
#[tokio::test]
async fn who_owes_a_sentence_is_reminded_himself_and_the_review_hears_when_there_is_none() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let own = Postbox::new("self");
        house.messenger.channels.push(Arc::clone(&own) as _);
        let (first, nora) = (house.emergency().await, house.nora);
        house.work().await;
        assert_eq!(own.kinds(), [] as [&str; 0], "not before the shift nears its end");
        house.later(11 * 3_600 - 1);
        house.work().await;
        assert_eq!(own.kinds(), [] as [&str; 0]);
        house.later(1);
        house.work().await;
        let taken: Vec<Message> = own.taken.lock().unwrap().drain(..).collect();
        assert_eq!(taken.len(), 1);
        assert_eq!(
            (taken[0].told, taken[0].to.as_ref().unwrap().expose().as_str()),
            (Told::SentenceOwed(first.id), "nora")
        );
        assert!(taken[0].link.ends_with(&format!("/emergency/{}/tell", first.id)), "{}", taken[0].link);
        // It keeps him from nothing: the next emergency opens.
        house.emergency().await;
        house.work().await;
        house.mail.kinds();
        house.later(3_600);
        house.work().await;
        assert_eq!(house.mail.kinds(), ["sentence_not_given"]);
        // Who has said why is not reminded, and nobody hears that he had not.
        let reviews = list_open_reviews(&mut world.store.begin_read().await.unwrap()).await.unwrap();
        let second = reviews.iter().find(|review| review.id != first.id).unwrap();
        let words = Phi::new("Resuscitation in room four, allergies were needed".to_owned());
        house.desk().tell_review(nora, second.id, second.version, words).await.unwrap();
        house.later(12 * 3_600);
        house.work().await;
        assert_eq!((own.kinds(), house.mail.kinds()), (Vec::new(), Vec::new()));
    })
    .await;
}

#[tokio::test]
async fn a_second_confirmation_is_told_to_the_privacy_office_once() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (review, nora) = (house.emergency().await, house.nora);
        house.work().await;
        house.mail.kinds();
        let done = house.desk().confirm_protected(nora, review.elevation, 1).await.unwrap();
        assert_eq!(done.now.version, 2);
        house.work().await;
        assert_eq!(house.mail.kinds(), ["emergency_protected"]);
        let (mia, pia) = (house.mia, house.pia);
        for other in [mia, pia] {
            let refused = house.desk().confirm_protected(other, review.elevation, 2).await.unwrap_err();
            assert_eq!(refused.code(), "unknown");
        }
        let refused = house.desk().confirm_protected(nora, review.elevation, 1).await.unwrap_err();
        assert_eq!(refused.code(), "changed");
    })
    .await;
}

/// What is sent until nothing is due: each with whom alone it goes to.
pub async fn letters(world: &World) -> Vec<(&'static str, Option<String>)> {
    struct All(Mutex<Vec<(&'static str, Option<String>)>>);
    impl Channel for All {
        fn name(&self) -> &'static str {
            "mail"
        }

        fn takes(&self, _: Told) -> bool {
            true
        }

        fn deliver<'a>(&'a self, message: &'a Message) -> Delivering<'a> {
            let to = message.to.as_ref().map(|to| to.expose().clone());
            self.0.lock().unwrap().push((message.told.code(), to));
            Box::pin(async { Ok(Receipt { recipients: 1, status: 250 }) })
        }
    }
    let all = Arc::new(All(Mutex::default()));
    let mut messenger = Messenger {
        store: world.store.clone(),
        lease: world.lease.clone(),
        clock: Arc::clone(&world.clock) as Arc<dyn Clock>,
        // Other draws than those of whoever acts at the same instant.
        rng: Box::new(ChaCha20Rng::seed_from_u64(!world.now().micros().unsigned_abs())),
        channels: vec![Arc::clone(&all) as _],
        console: "https://scruple.example".to_owned(),
    };
    while messenger.run_once().await.unwrap() > 0 {}
    std::mem::take(&mut *all.0.lock().unwrap())
}
