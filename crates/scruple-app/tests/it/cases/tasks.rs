//! Access tasks: what opens by them, for whom, until when, and that nothing else does.

use super::ENGINE;
use crate::support::{TestLog, World, at, with_world};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use scruple_app::charts::{Sample, SampleRates};
use scruple_app::directory::{Directory, endings};
use scruple_app::{Ask, Desk, DeskError, TaskAsk, UnmaskAsk, Who, acting, select_role};
use scruple_core::{ConditionMask, Id, Phi};
use scruple_flow::{AccessTask, Kinds, Recording, RequestTask, TaskEnd, TaskError, TaskKind, TaskState, Ticket};
use scruple_policy::{OVERSIGHT_KINDS, Pack, PackFiles, SUPPORT_KINDS, read};
use scruple_release::Asked;
use scruple_store::{
    AccessBasis, AccessOutcome, NewChartAccess, Person, SourceKind, find_task, list_unmasks, mark_person_left,
    open_tasks_of,
};
use std::collections::BTreeMap;
use std::sync::LazyLock;

const WORDS: &str = "Complaint 2026-118 about waiting in triage";
const MINUTE: i64 = 60_000_000;

static PACK: LazyLock<Pack> = LazyLock::new(|| read(&PackFiles::embedded()).unwrap());
/// The same where everybody is taken to be related to every patient, as in the demo.
static ASSUMED: LazyLock<Pack> = LazyLock::new(|| read(&PackFiles::embedded().assuming_relationships()).unwrap());

/// Two managers, two of support, the privacy office, an administrator.
struct House<'a> {
    world: &'a World,
    rng: ChaCha20Rng,
    people: BTreeMap<&'static str, Id<Person>>,
}

impl<'a> House<'a> {
    async fn open(world: &'a World) -> Self {
        let mut people = BTreeMap::new();
        for (login, role) in [
            ("mia", "manager"),
            ("max", "manager"),
            ("ivo", "it_support"),
            ("vera", "vendor_support"),
            ("pia", "privacy_officer"),
            ("ola", "administrator"),
            ("nora", "nurse"),
        ] {
            let person = world.person(login).await;
            world.grant(person, role, (0, 1_000_000)).await;
            people.insert(login, person);
        }
        Self { world, rng: ChaCha20Rng::seed_from_u64(5), people }
    }

    fn who(&self, login: &str) -> Who {
        Who { person: self.people[login], stepped_up: true }
    }

    fn desk(&mut self) -> Desk<'_> {
        let World { store, lease, clock, .. } = self.world;
        Desk { store, lease, clock: clock.as_ref(), rng: &mut self.rng, rules: &*PACK }
    }

    fn ask(&self, role: &str, kind: TaskKind, system: &str, patients: &[&str]) -> TaskAsk {
        let number = Phi::new(" INC-4711 ".to_owned());
        TaskAsk {
            role: role.parse().unwrap(),
            kind,
            ticket: kind.is_support().then(|| Ticket { system: system.to_owned(), number }),
            patients: patients.iter().map(|id| id.parse().unwrap()).collect(),
            minutes: None,
            justification: Phi::new(format!("{WORDS} {}", self.world.id::<Person>())),
        }
    }

    /// Asked for by a login, approved by the privacy office, and begun.
    async fn begun(&mut self, login: &str, ask: TaskAsk) -> AccessTask {
        let (own, pia) = (self.who(login), self.who("pia"));
        let asked = self.desk().submit_task(own, ask).await.unwrap().now;
        let approved = self.desk().approve_task(pia, asked.order.id, 1).await.unwrap().now;
        self.desk().begin_task(own, asked.order.id, approved.version).await.unwrap().now
    }

    async fn oversight(&mut self, patients: &[&str]) -> AccessTask {
        let ask = self.ask("manager", TaskKind::Complaint, "", patients);
        self.begun("mia", ask).await
    }

    async fn support(&mut self, system: &str) -> AccessTask {
        let ask = self.ask("it_support", TaskKind::Support, system, &["a", "b"]);
        self.begun("ivo", ask).await
    }

    /// How a decision takes somebody now, through a cache whose feed was just read.
    async fn asked(&self, pack: &Pack, login: &str, role: &str) -> Asked {
        let (cache, _) = self.world.fresh_cache().await;
        let now = self.world.now();
        let held = cache.held(login, now).await.unwrap().unwrap();
        let selected = select_role(&held, &[role.to_owned()], now).unwrap();
        acting(&held, &selected, (login, pack.roles[role].purpose.clone()), ConditionMask::NONE, pack, now)
    }

    async fn opened(&self, login: &str, role: &str) -> String {
        self.asked(&PACK, login, role).await.opened.into_keys().collect::<Vec<_>>().join(" ")
    }

    async fn found(&self, id: Id<AccessTask>) -> AccessTask {
        find_task(&mut self.world.store.begin_read().await.unwrap(), id).await.unwrap().unwrap()
    }
}

#[test]
fn the_pack_and_the_tasks_know_the_same_kinds() {
    let of = |support| -> Vec<&str> {
        TaskKind::ALL.iter().filter(|kind| kind.is_support() == support).map(|kind| kind.code()).collect()
    };
    assert_eq!((of(false), of(true)), (OVERSIGHT_KINDS.to_vec(), SUPPORT_KINDS.to_vec()));
}

#[tokio::test]
async fn a_manager_sees_the_patients_of_an_approved_task_and_nobody_before_it() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (mia, max, pia, nora) = (house.who("mia"), house.who("max"), house.who("pia"), house.who("nora"));
        assert_eq!(house.opened("mia", "manager").await, "");
        let ask = house.ask("manager", TaskKind::QualityReview, "", &["a", "b"]);
        let task = house.desk().submit_task(mia, ask).await.unwrap().now;
        let id = task.order.id;
        // Asked for is not approved, approved is not begun.
        let early = house.desk().begin_task(mia, id, 1).await;
        assert_eq!(early.unwrap_err().code(), "invalid_task_state");
        for (who, code) in [(mia, "own_request"), (max, "approver_not_eligible"), (nora, "act_not_permitted")] {
            assert_eq!(house.desk().approve_task(who, id, 1).await.unwrap_err().code(), code);
        }
        let tired = Who { stepped_up: false, ..pia };
        assert_eq!(house.desk().approve_task(tired, id, 1).await.unwrap_err().code(), "step_up_required");
        house.desk().approve_task(pia, id, 1).await.unwrap();
        assert_eq!(house.desk().approve_task(pia, id, 1).await.unwrap_err().code(), "changed");
        assert_eq!(house.opened("mia", "manager").await, "");
        assert_eq!(house.desk().begin_task(max, id, 2).await.unwrap_err().code(), "unknown");
        house.desk().begin_task(mia, id, 2).await.unwrap();
        assert_eq!(house.opened("mia", "manager").await, "a b");
        assert_eq!(house.opened("max", "manager").await, "");
        // The decision names the exception, also where everybody is taken to be related.
        for pack in [&*PACK, &*ASSUMED] {
            let asked = house.asked(pack, "mia", "manager").await;
            assert_eq!(asked.opened["a"].by, format!("asked AccessTask/{id}"));
            assert_eq!(pack.condition_names(asked.question.conditions), ["oversight_task"]);
            let without = house.asked(pack, "max", "manager").await;
            let named = pack.condition_names(without.question.conditions);
            assert!(!named.contains(&"oversight_task") && without.opened.is_empty(), "{named:?}");
        }
        // The justification is what the privacy office reads.
        assert!(house.found(id).await.order.justification.expose().starts_with(WORDS));
        let log = TestLog::new();
        house.world.drainer(&log).0.drain().await.unwrap();
        let kinds = log.kinds();
        for kind in ["task_submitted", "task_approved", "task_begun"] {
            assert_eq!(kinds.get(kind), Some(&1), "{kind} in {kinds:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_closed_task_opens_nothing_for_the_next_call_and_its_limits_need_no_job() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let mia = house.who("mia");
        let task = house.oversight(&["a"]).await;
        // One session: the cache that was asked before the end is asked after it.
        let (cache, follower) = world.fresh_cache().await;
        let held = async || cache.held("mia", world.now()).await.unwrap().unwrap();
        let role = "manager".parse().unwrap();
        assert_eq!(held().await.tasks(&role, world.now()).count(), 1);
        house.desk().close_task(mia, task.order.id, task.version, None).await.unwrap();
        follower.poll().await.unwrap();
        assert_eq!(held().await.tasks(&role, world.now()).count(), 0);
        assert_eq!(house.opened("mia", "manager").await, "");
        // Idle: 480 minutes without a read, then nothing, with every job stopped.
        let idle = house.oversight(&["a"]).await;
        world.clock.advance_micros(480 * MINUTE - 1);
        assert_eq!(house.opened("mia", "manager").await, "a");
        world.clock.advance_micros(1);
        assert_eq!(house.opened("mia", "manager").await, "");
        assert_eq!(
            house.desk().close_task(mia, idle.order.id, idle.version, None).await.unwrap_err().code(),
            "invalid_task_state"
        );
        assert_eq!(house.found(idle.order.id).await.state.code(), "active");
        assert_eq!(house.desk().settle_tasks().await.unwrap(), 1);
        assert_eq!(house.desk().settle_tasks().await.unwrap(), 0);
        let TaskState::Ended { ended, .. } = house.found(idle.order.id).await.state else { panic!("not ended") };
        assert_eq!((ended.cause, ended.by), (TaskEnd::Idle, None));
    })
    .await;
}

#[tokio::test]
async fn what_is_read_keeps_a_task_alive_until_its_limit_and_no_longer() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let task = house.support("ehr").await;
        let id = task.order.id;
        let began = world.now();
        let role = "it_support".parse().unwrap();
        for _ in 0..9 {
            world.clock.advance_micros(6 * MINUTE);
            let (cache, _) = world.fresh_cache().await;
            let held = cache.held("ivo", world.now()).await.unwrap().unwrap();
            cache.sees(&held, &role, world.now());
            assert_eq!(cache.take_seen(), [id].into());
            assert!(cache.take_seen().is_empty());
            house.desk().see_task(id).await.unwrap();
            // At once again nothing is written.
            let version = house.found(id).await.version;
            house.desk().see_task(id).await.unwrap();
            assert_eq!(house.found(id).await.version, version);
        }
        assert_eq!(house.opened("ivo", "it_support").await, "a b");
        let limit = began.plus_micros(60 * MINUTE);
        world.clock.advance_micros(limit.micros() - world.now().micros() - 1);
        assert_eq!(house.opened("ivo", "it_support").await, "a b");
        world.clock.advance_micros(1);
        assert_eq!(house.opened("ivo", "it_support").await, "");
        house.desk().see_task(id).await.unwrap();
        house.desk().settle_tasks().await.unwrap();
        let TaskState::Ended { ended, .. } = house.found(id).await.state else { panic!("not ended") };
        assert_eq!((ended.cause, ended.at), (TaskEnd::Limit, limit));
    })
    .await;
}

#[tokio::test]
async fn without_a_ticket_there_is_no_session_and_on_another_system_it_opens_nothing_here() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (ivo, pia) = (house.who("ivo"), house.who("pia"));
        assert_eq!(house.opened("ivo", "it_support").await, "");
        let ask = house.ask("it_support", TaskKind::Support, "ehr", &["a"]);
        for (ask, code) in [
            (TaskAsk { ticket: None, ..ask.clone() }, "ticket_missing"),
            (house.ask("it_support", TaskKind::Support, "fax", &["a"]), "not_requestable"),
            (house.ask("it_support", TaskKind::Complaint, "", &["a"]), "not_requestable"),
            (house.ask("manager", TaskKind::Complaint, "", &["a"]), "role_not_held"),
            (TaskAsk { minutes: Some(61), ..ask.clone() }, "duration_too_long"),
            (TaskAsk { justification: Phi::new("test".to_owned()), ..ask.clone() }, "reason_short"),
        ] {
            assert_eq!(house.desk().submit_task(ivo, ask).await.unwrap_err().code(), code);
        }
        // Nor by an ordinary request for the records.
        let request = Ask {
            person: None,
            role: "it_support".parse().unwrap(),
            purpose: None,
            patients: ["a".parse().unwrap()].into(),
            task: RequestTask::ALL.first().copied(),
            kinds: Some(Kinds::Whole),
            starts_at: None,
            ends_at: at(3_600),
            justification: Phi::new(WORDS.to_owned()),
            ticket: Some("INC-4711".to_owned()),
            acknowledged: None,
        };
        assert_eq!(house.desk().submit(ivo, request).await.unwrap_err().code(), "not_requestable");
        house.support("warehouse").await;
        assert_eq!(house.opened("ivo", "it_support").await, "");
        let here = house.support("ehr").await;
        let asked = house.asked(&PACK, "ivo", "it_support").await;
        assert_eq!(asked.opened.into_keys().collect::<Vec<_>>(), ["a", "b"]);
        // The ticket is closed: both sessions end, whoever does not oversee ends nobody else's.
        let ticket = Phi::new("INC-4711".to_owned());
        let (mia, vera) = (house.who("mia"), house.who("vera"));
        for nobody in [mia, vera] {
            assert_eq!(house.desk().close_ticket(nobody, &ticket).await.unwrap_err().code(), "unknown");
        }
        let other = house.desk().close_ticket(pia, &Phi::new("INC-4712".to_owned())).await;
        assert_eq!(other.unwrap_err().code(), "unknown");
        assert_eq!(house.desk().close_ticket(pia, &ticket).await.unwrap().now, 2);
        assert_eq!(house.opened("ivo", "it_support").await, "");
        let TaskState::Ended { ended, .. } = house.found(here.order.id).await.state else { panic!("not ended") };
        assert_eq!(ended.cause, TaskEnd::TicketClosed);
    })
    .await;
}

#[tokio::test]
async fn a_remote_session_is_ended_at_once_by_the_owner_and_owes_its_recording() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (vera, ola, mia, pia) = (house.who("vera"), house.who("ola"), house.who("mia"), house.who("pia"));
        let ask = house.ask("vendor_support", TaskKind::RemoteSupport, "ehr", &["a"]);
        let asked = house.desk().submit_task(vera, ask).await.unwrap().now;
        let id = asked.order.id;
        // The owner of the system approves, as the privacy office may.
        house.desk().approve_task(ola, id, 1).await.unwrap();
        house.desk().begin_task(vera, id, 2).await.unwrap();
        assert_eq!(house.opened("vera", "vendor_support").await, "a");
        // Not closed without its recording, and not ended by himself or by somebody whom it does not concern.
        let none = house.desk().close_task(vera, id, 3, None).await;
        assert!(matches!(none, Err(DeskError::Task(TaskError::Recording))), "{none:?}");
        for nobody in [vera, mia] {
            assert_eq!(house.desk().end_task(nobody, id).await.unwrap_err().code(), "unknown");
        }
        house.desk().end_task(ola, id).await.unwrap();
        assert_eq!(house.opened("vera", "vendor_support").await, "");
        assert_eq!(house.desk().end_task(ola, id).await.unwrap_err().code(), "invalid_task_state");
        let recording = || Recording::new("vault://sessions/4711", &"ab".repeat(32)).unwrap();
        assert_eq!(house.desk().record_task(ola, id, 4, recording()).await.unwrap_err().code(), "unknown");
        house.desk().record_task(vera, id, 4, recording()).await.unwrap();
        let TaskState::Ended { approval, ended, recording: kept, .. } = house.found(id).await.state else {
            panic!("not ended")
        };
        assert_eq!((approval.by, ended.by, ended.cause), (ola.person, Some(ola.person), TaskEnd::Killed));
        assert_eq!(kept, Some(recording()));
        // One that the clock ends is written down as ended and as recorded.
        let ask = house.ask("vendor_support", TaskKind::RemoteSupport, "ehr", &["a"]);
        let second = house.begun("vera", ask).await;
        world.clock.advance_micros(15 * MINUTE);
        let done = house.desk().record_task(vera, second.order.id, second.version, recording()).await.unwrap();
        assert_eq!((done.now.version, done.now.state.code()), (5, "ended"));
        // One that has not begun is taken back by whoever may end it.
        let ask = house.ask("vendor_support", TaskKind::RemoteSupport, "ehr", &["a"]);
        let third = house.desk().submit_task(vera, ask).await.unwrap().now;
        house.desk().end_task(pia, third.order.id).await.unwrap();
        assert_eq!(house.found(third.order.id).await.state.code(), "cancelled");
        let log = TestLog::new();
        house.world.drainer(&log).0.drain().await.unwrap();
        let kinds = log.kinds();
        assert_eq!((kinds["task_ended"], kinds["task_recorded"]), (2, 2), "{kinds:?}");
    })
    .await;
}

#[tokio::test]
async fn a_field_is_unmasked_with_a_reason_for_its_minutes_and_masked_again() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (ivo, ola) = (house.who("ivo"), house.who("ola"));
        let task = house.support("ehr").await.order.id;
        let ask = |patient: &str, category: &str, minutes: i64| UnmaskAsk {
            task,
            patient: patient.parse().unwrap(),
            category: category.to_owned(),
            minutes,
            reason: Phi::new("The accent in the name breaks the interface".to_owned()),
        };
        let conditions = async |house: &House<'_>| {
            let asked = house.asked(&PACK, "ivo", "it_support").await;
            let names = PACK.condition_names(asked.question.conditions).join(" ");
            format!("{} [{names}]", asked.opened.into_keys().collect::<Vec<_>>().join(" "))
        };
        assert_eq!(conditions(&house).await, "a b []");
        for (who, ask, code) in [
            (ola, ask("a", "id_name", 5), "unknown"),
            (ivo, ask("c", "id_name", 5), "unknown"),
            (ivo, ask("a", "documents", 5), "not_requestable"),
            (ivo, ask("a", "id_name", 11), "duration_too_long"),
            (ivo, ask("a", "id_name", 0), "duration_too_long"),
            (ivo, UnmaskAsk { reason: Phi::new("test".to_owned()), ..ask("a", "id_name", 5) }, "reason_short"),
        ] {
            assert_eq!(house.desk().unmask(who, ask).await.unwrap_err().code(), code);
        }
        house.desk().unmask(ivo, ask("a", "id_name", 5)).await.unwrap();
        // That field of that record alone, one at a time.
        assert_eq!(conditions(&house).await, "a [unmask_id_name]");
        assert_eq!(house.desk().unmask(ivo, ask("a", "coverage", 5)).await.unwrap_err().code(), "too_many_open");
        world.clock.advance_micros(5 * MINUTE - 1);
        assert_eq!(conditions(&house).await, "a [unmask_id_name]");
        world.clock.advance_micros(1);
        assert_eq!(conditions(&house).await, "a b []");
        // Never beyond the session.
        house.desk().unmask(ivo, ask("b", "id_mrn", 10)).await.unwrap();
        assert_eq!(conditions(&house).await, "b [unmask_id_mrn]");
        house.desk().end_task(ola, task).await.unwrap();
        assert_eq!(conditions(&house).await, " []");
        assert_eq!(house.desk().unmask(ivo, ask("a", "id_name", 5)).await.unwrap_err().code(), "changed");
        let log = TestLog::new();
        house.world.drainer(&log).0.drain().await.unwrap();
        assert_eq!(log.kinds()["task_unmasked"], 2);
        let kept = list_unmasks(&mut world.store.begin_read().await.unwrap(), task, at(0)).await.unwrap();
        assert_eq!(kept.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn all_reads_of_managers_are_listed_and_more_of_them_are_drawn_than_of_others() {
    with_world(ENGINE, async |world| {
        let house = House::open(world).await;
        let source = world.store.ensure_source(world.id(), (SourceKind::Gateway, "gateway"), at(0)).await.unwrap();
        let read = |number: i64, person: &str, role: Option<&str>| NewChartAccess {
            id: world.id(),
            source: source.unwrap(),
            once: Phi::new(format!("{person} {number}")),
            at: at(number),
            patient: Phi::new("Patient/a".to_owned()),
            person: Some(house.people[person]),
            actor: Phi::new(person.to_owned()),
            role: role.map(str::to_owned),
            purpose: None,
            outcome: AccessOutcome::Opened,
            basis: AccessBasis::Unknown,
            grant: None,
            elevation: None,
            entry: None,
            outside: false,
            place: None,
            facts: Phi::new(b"{}".to_vec()),
        };
        // Ten of managers, two of them from a log that names no role; a hundred of others.
        let mut all: Vec<NewChartAccess> = (0..8).map(|number| read(number, "mia", Some("manager"))).collect();
        all.extend((8..10).map(|number| read(number, "max", None)));
        all.extend((10..110).map(|number| read(number, "nora", Some("nurse"))));
        world.store.append_log(&all).await.unwrap();
        // Five from outside, long after.
        let outside = |number| NewChartAccess { outside: true, ..read(number, "nora", Some("nurse")) };
        world.store.append_log(&(3_000..3_005).map(outside).collect::<Vec<_>>()).await.unwrap();
        let leaders = ["manager".parse().unwrap()];
        let rates = SampleRates { leaders_percent: 20, others_percent: 2 };
        let period = (at(0), at(1_000));
        let draw = async |period| Sample::draw(&world.store, &leaders, period, rates).await.unwrap();
        let sample = draw(period).await;
        assert_eq!((sample.of_leaders, sample.of_others, sample.is_cut), (10, 100, false));
        let leading: Vec<_> = sample.rows.iter().filter(|row| row.of_leader).collect();
        assert_eq!((leading.len(), leading.iter().filter(|row| row.drawn).count()), (10, 2));
        let others: Vec<_> = sample.rows.iter().filter(|row| !row.of_leader).collect();
        assert_eq!((others.len(), others.iter().all(|row| row.drawn)), (2, true));
        assert_eq!(draw(period).await, sample);
        assert_eq!(draw((at(1_000), at(2_000))).await.rows, []);
        // IL-16: all from outside are listed, and more of them drawn than of others.
        let sample = draw((at(2_500), at(4_000))).await;
        assert_eq!((sample.of_leaders, sample.of_others, sample.from_outside), (0, 5, 5));
        assert!(sample.rows.len() == 5 && sample.rows.iter().all(|row| row.access.outside && !row.of_leader));
        assert_eq!(sample.rows.iter().filter(|row| row.drawn).count(), 1, "a fifth");
    })
    .await;
}

#[tokio::test]
async fn who_leaves_or_loses_the_role_has_no_task_any_more() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let task = house.oversight(&["a"]).await;
        let mia = house.people["mia"];
        let mut tx = world.store.begin().await.unwrap();
        mark_person_left(&mut tx, mia, 1, world.now()).await.unwrap();
        world.commit(tx, scruple_store::Subject::Person(mia)).await;
        let (cache, _) = world.fresh_cache().await;
        let held = cache.held("mia", world.now()).await.unwrap().unwrap();
        assert_eq!(held.tasks(&task.order.role, world.now()).count(), 0);
        let gone = house.who("mia");
        assert_eq!(
            house.desk().close_task(gone, task.order.id, task.version, None).await.unwrap_err().code(),
            "actor_gone"
        );
    })
    .await;
}

/// A leaver's tasks are ended in their table by the transaction that takes him out, each with its event; his termination names them.
#[tokio::test]
async fn the_tasks_of_a_leaver_end_with_him() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (active, pia) = (house.oversight(&["a"]).await, house.who("pia"));
        let mia = house.who("mia");
        let ask = house.ask("manager", TaskKind::QualityReview, "", &["b"]);
        let approved = house.desk().submit_task(mia, ask).await.unwrap().now;
        house.desk().approve_task(pia, approved.order.id, 1).await.unwrap();
        let ask = house.ask("manager", TaskKind::Complaint, "", &["c"]);
        let pending = house.desk().submit_task(mia, ask).await.unwrap().now;
        let at = world.now();
        let mut rng = ChaCha20Rng::seed_from_u64(77);
        let (store, lease, clock) = (&world.store, &world.lease, &*world.clock);
        let mut directory = Directory { store, lease, clock, rng: &mut rng, by: world.asker };
        directory.ends_now(mia.person).await.unwrap();
        let state =
            async |id| find_task(&mut world.store.begin_read().await.unwrap(), id).await.unwrap().unwrap().state;
        assert!(matches!(state(active.order.id).await, TaskState::Ended { ended, .. }
                if ended.cause == TaskEnd::Killed && ended.by == Some(world.asker) && ended.at == at));
        for task in [approved.order.id, pending.order.id] {
            assert!(matches!(state(task).await, TaskState::Cancelled { by, .. } if by == world.asker));
        }
        assert_eq!(open_tasks_of(&mut world.store.begin_read().await.unwrap(), mia.person).await.unwrap(), []);
        let ending = endings(&world.store, mia.person).await.unwrap().remove(0);
        let told: Vec<&str> =
            ending.removed.iter().filter(|one| one.kind == "task").map(|one| one.id.as_str()).collect();
        assert_eq!(told.len(), 3);
        assert!(ending.failed.is_empty(), "{:?}", ending.failed);
    })
    .await;
}
