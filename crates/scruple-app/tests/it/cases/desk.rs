//! The desk: what is asked for, given, ended and looked at, and that each of it counts at once and stands in the ledger.

use super::ENGINE;
use crate::support::{TestLog, World, at, roles, with_world};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use scruple_app::evidence::{EvidenceError, evidence};
use scruple_app::{Ask, Declaration, Desk, DeskError, Emergency, Narrower, Rules, Who, opened_by};
use scruple_core::{Id, Phi};
use scruple_flow::directory::{Attributes, Leave, LeaveState};
use scruple_flow::{
    AccessRequest, ApprovalRule, ApproverKind, Backup, DeclaredReason, EmergencyReason, Finding, KindCode, Kinds,
    NewElevation, Opening, PatientRef, QuestionCause, RequestError, RequestTask, ReviewError, RoleCode, Window,
};
use scruple_policy::{Act, ActScope, DeskRules, Reminder};
use scruple_store::{
    NewDirectoryRecord, NewEvent, Person, Subject, emergencies_between, find_case, find_elevation, find_grant,
    find_question, find_request, insert_directory, insert_elevation, insert_enrolment, insert_leave, list_elevations,
    list_open_reviews, mark_person_left, open_grants, use_enrolment,
};
use std::collections::{BTreeMap, BTreeSet};

pub const WORDS: &str = "Peer review of the March falls, case 4711";
/// The text that is read before somebody asks for the role of billers.
pub const READ: &str = "role-0123456789abcdef";

/// Nurses care for patients, managers agree, the privacy office oversees.
pub struct TestRules;

impl Rules for TestRules {
    fn approval(&self, role: &RoleCode, of_patients: Option<&Kinds>) -> Option<ApprovalRule> {
        let role_of = |code: &str| ApproverKind::Role(code.parse().unwrap());
        let names = |kind: &str| {
            let codes = of_patients.and_then(Kinds::codes);
            codes.is_some_and(|codes| codes.iter().any(|code| code.as_str() == kind))
        };
        let apart = |need: &str| need.parse::<ApproverKind>().unwrap();
        let needs = match (role.as_str(), of_patients.is_some()) {
            ("nurse", true) if names("segment:sud_other") => vec![role_of("manager"), role_of("privacy_officer")],
            ("nurse", true) if names("segment:part2") => vec![apart("manager|privacy_officer+outside_line")],
            ("nurse", true) if names("segment:hiv") => vec![apart("manager+other_unit"); 2],
            ("nurse", true) => vec![role_of("manager")],
            ("biller", true) => vec![ApproverKind::LineManager],
            ("nurse" | "biller", false) => vec![role_of("manager"), role_of("privacy_officer")],
            _ => return None,
        };
        let privacy = Backup { kind: role_of("privacy_officer"), after_hours: 3 };
        let backup = needs.contains(&role_of("manager")).then_some(privacy);
        Some(ApprovalRule { needs, hours_max: 8, decide_hours: 4, step_up: false, backup })
    }

    fn kinds(&self, _: &RoleCode, purpose: Option<&str>) -> BTreeSet<KindCode> {
        let all = ["labs", "vitals", "documents", "segment:sud_other", "segment:part2", "segment:hiv"];
        let of_purpose = |kind: &&str| purpose != Some("COC") || *kind == "vitals";
        all.iter().filter(|kind| of_purpose(kind)).map(|kind| kind.parse().unwrap()).collect()
    }

    /// Nurses see all, billers one kind in part and one in full.
    fn effective(&self, roles: &BTreeSet<RoleCode>) -> BTreeMap<String, String> {
        let full = |kind: &str| (kind.to_owned(), "full".to_owned());
        let mut seen = BTreeMap::new();
        if roles.iter().any(|role| role.as_str() == "biller") {
            seen.extend([full("claims"), ("labs".to_owned(), "masked:coded".to_owned())]);
        }
        if roles.iter().any(|role| role.as_str() == "nurse") {
            seen.extend(["labs", "vitals", "documents"].map(full));
        }
        seen
    }

    fn kinds_of_type(&self, resource_type: &str) -> BTreeSet<KindCode> {
        let kinds: &[&str] = match resource_type {
            "Observation" => &["labs", "vitals"],
            "DocumentReference" => &["documents"],
            _ => &[],
        };
        kinds.iter().map(|kind| kind.parse().unwrap()).collect()
    }

    fn may_declare(&self, role: &RoleCode) -> bool {
        role.as_str() == "nurse"
    }

    fn may_break_glass(&self, role: &RoleCode) -> bool {
        role.as_str() == "nurse"
    }

    fn is_practice(&self, patient: &PatientRef) -> bool {
        patient.id() == "practice"
    }

    fn scope(&self, act: Act, roles: &BTreeSet<RoleCode>) -> Option<ActScope> {
        let holds = |code: &str| roles.iter().any(|role| role.as_str() == code);
        match act {
            Act::Ask | Act::Declare | Act::Emergency => Some(ActScope::Own),
            Act::Decide if holds("manager") || holds("privacy_officer") => Some(ActScope::All),
            Act::EndAccess | Act::Reviews | Act::Charts if holds("privacy_officer") => Some(ActScope::All),
            Act::EndAccess if holds("manager") => Some(ActScope::Team),
            _ => None,
        }
    }

    fn reminder(&self, role: &RoleCode, _: bool) -> Option<Reminder> {
        (role.as_str() == "biller").then(|| Reminder { id: READ.to_owned(), sentences: Vec::new() })
    }

    fn desk(&self) -> DeskRules {
        DeskRules::default()
    }
}

/// A nurse, a biller, two managers and the privacy office, each for 100,000 seconds.
pub struct House<'a> {
    pub world: &'a World,
    rng: ChaCha20Rng,
    pub people: BTreeMap<&'static str, Id<Person>>,
}

impl<'a> House<'a> {
    pub async fn open(world: &'a World) -> Self {
        let mut people = BTreeMap::new();
        for (login, role) in
            [("nora", "nurse"), ("bob", "biller"), ("mia", "manager"), ("max", "manager"), ("pia", "privacy_officer")]
        {
            let person = world.person(login).await;
            world.grant(person, role, (0, 100_000)).await;
            people.insert(login, person);
        }
        Self { world, rng: ChaCha20Rng::seed_from_u64(5), people }
    }

    pub fn who(&self, login: &str) -> Who {
        Who { person: self.people[login], stepped_up: false }
    }

    pub fn desk(&mut self) -> Desk<'_> {
        let World { store, lease, clock, .. } = self.world;
        Desk { store, lease, clock: clock.as_ref(), rng: &mut self.rng, rules: &TestRules }
    }

    pub fn ask(patients: &[&str], hours: i64, words: &str) -> Ask {
        Ask {
            person: None,
            role: "nurse".parse().unwrap(),
            purpose: None,
            patients: patients.iter().map(|id| id.parse().unwrap()).collect(),
            task: Some(RequestTask::Cover),
            kinds: Some(Kinds::Whole),
            starts_at: None,
            ends_at: at(hours * 3_600),
            justification: Phi::new(words.to_owned()),
            ticket: None,
            acknowledged: Some(READ.to_owned()),
        }
    }

    pub async fn submitted(&mut self, patients: &[&str]) -> AccessRequest {
        let nora = self.who("nora");
        let words = format!("{WORDS} {}", self.world.id::<Person>());
        self.desk().submit(nora, Self::ask(patients, 2, &words)).await.unwrap().now
    }

    /// The patients whose records are open to a login now, through a cache whose feed was just read.
    pub async fn opened(&self, login: &str, purpose: &str) -> Vec<String> {
        let (cache, _) = self.world.fresh_cache().await;
        let held = cache.held(login, self.world.now()).await.unwrap().unwrap();
        held.opened(&"nurse".parse().unwrap(), purpose, self.world.now()).into_keys().collect()
    }

    pub async fn roles(&self, login: &str) -> Vec<String> {
        let (cache, _) = self.world.fresh_cache().await;
        roles(&cache.held(login, self.world.now()).await.unwrap().unwrap(), self.world.now())
    }
}

#[tokio::test]
async fn what_a_manager_approves_is_open_at_once_and_over_at_its_end_without_any_job() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let request = house.submitted(&["a", "b", "c"]).await;
        assert_eq!(request.state.code(), "pending");
        assert_eq!(house.opened("nora", "TREAT").await, Vec::<String>::new());
        let mia = house.who("mia");
        let less = Narrower {
            patients: Some(["a".parse().unwrap(), "b".parse().unwrap()].into()),
            kinds: None,
            ends_at: Some(at(3_600)),
            against: None,
        };
        let done = house.desk().approve(mia, request.id, 1, less).await.unwrap();
        assert_eq!((done.now.state.code(), done.now.version), ("approved", 2));
        assert_eq!(house.opened("nora", "TREAT").await, ["a", "b"]);
        assert_eq!(house.opened("nora", "BTG").await, Vec::<String>::new());
        assert_eq!(house.opened("bob", "TREAT").await, Vec::<String>::new());
        world.clock.advance_micros(3_600_000_000 - 1);
        assert_eq!(house.opened("nora", "TREAT").await, ["a", "b"]);
        world.clock.advance_micros(1);
        assert_eq!(house.opened("nora", "TREAT").await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn a_request_is_ended_once_all_that_it_opened_was_ended_before_its_time() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (mia, pia) = (house.who("mia"), house.who("pia"));
        let request = house.submitted(&["a", "b"]).await;
        let opened = async |request: &AccessRequest| {
            opened_by(&mut world.store.begin_read().await.unwrap(), request).await.unwrap()
        };
        assert_eq!(opened(&request).await.count(), 0);
        let request = house.desk().approve(mia, request.id, 1, Narrower::default()).await.unwrap().now;
        let both = opened(&request).await;
        assert_eq!((both.count(), both.ended()), (2, None));
        for (place, chart) in both.charts.iter().enumerate() {
            world.clock.advance_micros(1_000_000);
            house.desk().end_elevation(pia, chart.held.id, chart.version).await.unwrap();
            let now = opened(&request).await;
            assert_eq!(now.ends().len(), place + 1);
            assert_eq!(now.ended().map(|end| end.by), (place == 1).then_some(pia.person));
        }
        // A role that a request gave, in the same way.
        let bob = house.who("bob");
        let request = house.desk().submit(bob, House::ask(&[], 8, WORDS)).await.unwrap().now;
        house.desk().approve(mia, request.id, 1, Narrower::default()).await.unwrap();
        let request = house.desk().approve(pia, request.id, 2, Narrower::default()).await.unwrap().now;
        assert_eq!(opened(&request).await.ended(), None);
        house.desk().end_grant(bob, Id::from_uuid(request.id.uuid()), 1).await.unwrap();
        assert_eq!(opened(&request).await.ended().map(|end| end.by), Some(bob.person));
    })
    .await;
}

#[tokio::test]
async fn a_role_needs_each_approval_that_the_policy_names() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (bob, mia, max, pia) = (house.who("bob"), house.who("mia"), house.who("max"), house.who("pia"));
        let request = house.desk().submit(bob, House::ask(&[], 8, WORDS)).await.unwrap().now;
        let once = house.desk().approve(mia, request.id, 1, Narrower::default()).await.unwrap().now;
        assert_eq!(once.state.code(), "pending");
        let again = house.desk().approve(max, request.id, 2, Narrower::default()).await.unwrap_err();
        assert!(matches!(again, DeskError::Request(RequestError::NotEligible)), "{again:?}");
        assert_eq!(house.roles("bob").await, ["biller"]);
        house.desk().approve(pia, request.id, 2, Narrower::default()).await.unwrap();
        assert_eq!(house.roles("bob").await, ["biller", "nurse"]);
        let id = Id::from_uuid(request.id.uuid());
        let grant = find_grant(&mut world.store.begin_read().await.unwrap(), id).await.unwrap().unwrap();
        assert_eq!((grant.requested_by, grant.approved_by), (bob.person, pia.person));

        // Taken back by somebody who has nothing to do with it: there is no such thing for him.
        let nora = house.who("nora");
        let refused = house.desk().end_grant(nora, id, 1).await.unwrap_err();
        assert!(matches!(refused, DeskError::Unknown), "{refused:?}");
        let late = house.desk().end_grant(pia, id, 2).await.unwrap_err();
        assert!(matches!(late, DeskError::Changed), "{late:?}");
        house.desk().end_grant(pia, id, 1).await.unwrap();
        assert_eq!(house.roles("bob").await, ["biller"]);
        let twice = house.desk().end_grant(bob, id, 2).await.unwrap_err();
        assert!(matches!(twice, DeskError::Changed), "{twice:?}");
    })
    .await;
}

#[tokio::test]
async fn who_asks_does_not_approve_whatever_he_becomes_meanwhile() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let request = house.submitted(&["a"]).await;
        let nora = house.who("nora");
        let refused = house.desk().approve(nora, request.id, 1, Narrower::default()).await.unwrap_err();
        assert!(matches!(refused, DeskError::Forbidden), "{refused:?}");
        world.grant(nora.person, "manager", (0, 100_000)).await;
        let refused = house.desk().approve(nora, request.id, 1, Narrower::default()).await.unwrap_err();
        assert!(matches!(refused, DeskError::Request(RequestError::OwnRequest)), "{refused:?}");
        // On behalf: neither of the two.
        let mia = house.who("mia");
        let for_bob = Ask { person: Some(house.people["bob"]), ..House::ask(&[], 8, WORDS) };
        let request = house.desk().submit(mia, for_bob).await.unwrap().now;
        let refused = house.desk().approve(mia, request.id, 1, Narrower::default()).await.unwrap_err();
        assert!(matches!(refused, DeskError::Request(RequestError::OwnRequest)), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn nobody_s_answer_is_a_no_with_or_without_the_job_that_writes_it_down() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let request = house.submitted(&["a"]).await;
        world.clock.advance_micros(2 * 3_600_000_000);
        let mia = house.who("mia");
        let refused = house.desk().approve(mia, request.id, 1, Narrower::default()).await.unwrap_err();
        assert_eq!(refused.code(), "invalid_task_state");
        assert_eq!(house.desk().expire_requests().await.unwrap(), 1);
        assert_eq!(house.desk().expire_requests().await.unwrap(), 0);
        let found = find_request(&mut world.store.begin_read().await.unwrap(), request.id).await.unwrap().unwrap();
        assert_eq!(found.state.code(), "expired");
    })
    .await;
}

#[tokio::test]
async fn a_request_is_refused_for_what_it_is_and_its_text_is_kept_by_nobody() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (nora, bob) = (house.who("nora"), house.who("bob"));
        let mut refused = async |who: Who, ask: Ask| house.desk().submit(who, ask).await.unwrap_err().code();
        assert_eq!(refused(nora, House::ask(&["a"], 9, WORDS)).await, "duration_too_long");
        assert_eq!(refused(nora, House::ask(&["a"], 0, WORDS)).await, "window_over");
        assert_eq!(refused(nora, House::ask(&["a"], 1, "test")).await, "reason_short");
        assert_eq!(refused(bob, House::ask(&["a"], 1, WORDS)).await, "role_not_held");
        let unknown = Ask { role: "surgeon".parse().unwrap(), ..House::ask(&[], 1, WORDS) };
        assert_eq!(refused(nora, unknown).await, "not_requestable");
        let nobody = Who { person: world.id(), stepped_up: false };
        assert_eq!(refused(nobody, House::ask(&[], 1, WORDS)).await, "actor_gone");
        house.desk().submit(nora, House::ask(&["a"], 1, WORDS)).await.unwrap();
        let again = house.desk().submit(nora, House::ask(&["a"], 1, WORDS)).await.unwrap_err();
        assert_eq!(again.code(), "reason_same_as_last");
    })
    .await;
}

#[tokio::test]
async fn the_two_doors_that_need_no_yes_are_for_those_who_care_for_patients() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (nora, bob, pia) = (house.who("nora"), house.who("bob"), house.who("pia"));
        let declaration = |role: &str, hours: i64| Declaration {
            role: role.parse().unwrap(),
            patient: "a".parse().unwrap(),
            reason: DeclaredReason::Covering,
            ends_at: at(hours * 3_600),
            words: Phi::new(String::new()),
        };
        let emergency = |role: &str| Emergency {
            role: role.parse().unwrap(),
            patient: "e".parse().unwrap(),
            reason: EmergencyReason::LifeThreat,
            words: Phi::new(String::new()),
        };
        let code = |error: DeskError| error.code();
        assert_eq!(
            house.desk().declare(bob, declaration("biller", 1)).await.map_err(code).unwrap_err(),
            "not_requestable"
        );
        assert_eq!(
            house.desk().declare(bob, declaration("nurse", 1)).await.map_err(code).unwrap_err(),
            "role_not_held"
        );
        assert_eq!(
            house.desk().declare(nora, declaration("nurse", 14)).await.map_err(code).unwrap_err(),
            "duration_too_long"
        );
        assert_eq!(
            house.desk().break_glass(bob, emergency("biller")).await.map_err(code).unwrap_err(),
            "not_requestable"
        );

        house.desk().declare(nora, declaration("nurse", 8)).await.unwrap();
        assert_eq!(house.opened("nora", "TREAT").await, ["a"]);
        let opened = house.desk().break_glass(nora, emergency("nurse")).await.unwrap().now;
        assert_eq!(house.opened("nora", "BTG").await, ["e"]);
        // A review that nobody has closed is not in the way of the next emergency.
        house.desk().break_glass(nora, emergency("nurse")).await.unwrap();
        let reviews = list_open_reviews(&mut world.store.begin_read().await.unwrap()).await.unwrap();
        assert_eq!(reviews.len(), 2);
        let review = reviews.iter().find(|review| review.elevation == opened.opening().id).unwrap().clone();

        let words = || Phi::new("Resuscitation in room four, allergies were needed".to_owned());
        let own = house.desk().close_review(nora, review.id, 1, Finding::Justified, words()).await.unwrap_err();
        assert_eq!(own.code(), "act_not_permitted");
        world.grant(nora.person, "privacy_officer", (0, 100_000)).await;
        let own = house.desk().close_review(nora, review.id, 1, Finding::Justified, words()).await.unwrap_err();
        assert!(matches!(own, DeskError::Review(ReviewError::NotIndependent)), "{own:?}");
        house.desk().ask_reader(pia, review.id, 1, words()).await.unwrap();
        house.desk().tell_review(nora, review.id, 2, words()).await.unwrap();
        let closed = house.desk().close_review(pia, review.id, 3, Finding::Unjustified, words()).await.unwrap();
        assert_eq!(closed.now.state.code(), "unjustified");
        // What was not justified is a case about the reader, in the same transaction.
        let case = Id::from_uuid(review.id.uuid());
        let case = find_case(&mut world.store.begin_read().await.unwrap(), case).await.unwrap().unwrap();
        assert_eq!((case.reader, case.opened_by, case.state.code()), (nora.person, pia.person, "open"));
        let question =
            find_question(&mut world.store.begin_read().await.unwrap(), case.question).await.unwrap().unwrap();
        assert_eq!((question.patient.expose().as_str(), question.cause), ("Patient/e", QuestionCause::Incident));
        let twice = house.desk().close_review(pia, review.id, 4, Finding::Justified, words()).await.unwrap_err();
        assert_eq!(twice.code(), "invalid_task_state");

        let id = opened.opening().id;
        let refused = house.desk().end_elevation(bob, id, 1).await.unwrap_err();
        assert_eq!(refused.code(), "unknown");
        house.desk().end_elevation(pia, id, 1).await.unwrap();
        let found = find_elevation(&mut world.store.begin_read().await.unwrap(), id).await.unwrap().unwrap();
        assert_eq!(found.ended.map(|end| end.by), Some(pia.person));
    })
    .await;
}

#[tokio::test]
async fn who_has_left_does_nothing_and_gets_nothing() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let request = house.submitted(&["a"]).await;
        let mut tx = world.store.begin().await.unwrap();
        let mia = house.who("mia");
        mark_person_left(&mut tx, mia.person, 1, world.now()).await.unwrap();
        mark_person_left(&mut tx, house.people["nora"], 1, world.now()).await.unwrap();
        world.commit(tx, Subject::Everyone).await;
        let refused = house.desk().approve(mia, request.id, 1, Narrower::default()).await.unwrap_err();
        assert_eq!(refused.code(), "actor_gone");
        let max = house.who("max");
        let refused = house.desk().approve(max, request.id, 1, Narrower::default()).await.unwrap_err();
        assert_eq!(refused.code(), "person_gone");
        let nora = house.who("nora");
        assert_eq!(house.desk().cancel(nora, request.id, 1).await.unwrap_err().code(), "actor_gone");
    })
    .await;
}

#[tokio::test]
async fn each_transition_is_one_entry_of_the_ledger() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (nora, mia, bob) = (house.who("nora"), house.who("mia"), house.who("bob"));
        let approved = house.submitted(&["a"]).await;
        house.desk().approve(mia, approved.id, 1, Narrower::default()).await.unwrap();
        let denied = house.submitted(&["b"]).await;
        house.desk().deny(mia, denied.id, 1, Phi::new("Not your patient this week".to_owned())).await.unwrap();
        let cancelled = house.submitted(&["c"]).await;
        let refused = house.desk().cancel(bob, cancelled.id, 1).await.unwrap_err();
        assert_eq!(refused.code(), "unknown");
        house.desk().cancel(nora, cancelled.id, 1).await.unwrap();
        let log = TestLog::new();
        let (drainer, _) = world.drainer(&log);
        drainer.drain().await.unwrap();
        let kinds = log.kinds();
        for (kind, count) in [
            ("request_submitted", 3),
            ("request_approved", 1),
            ("elevation_granted", 1),
            ("request_denied", 1),
            ("request_cancelled", 1),
        ] {
            assert_eq!(kinds.get(kind), Some(&count), "{kind} of {kinds:?}");
        }
    })
    .await;
}

/// Has HR say whom somebody reports to.
async fn reports_to(house: &mut House<'_>, person: &str, manager: Option<&str>) {
    let attributes = Attributes { manager: manager.map(|manager| house.people[manager]), ..Attributes::default() };
    let new = NewDirectoryRecord {
        person: house.people[person],
        attributes,
        document: Phi::new(b"{}".to_vec()),
        at: house.world.now(),
    };
    let mut tx = house.world.store.begin().await.unwrap();
    insert_directory(&mut tx, &new).await.unwrap();
    house.world.commit(tx, Subject::Person(new.person)).await;
}

#[tokio::test]
async fn a_line_manager_is_the_one_of_the_directory_and_no_other_manager() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        reports_to(&mut house, "bob", Some("mia")).await;
        let (bob, mia, max) = (house.who("bob"), house.who("mia"), house.who("max"));
        let ask = Ask { role: "biller".parse().unwrap(), ..House::ask(&["a"], 2, WORDS) };
        let request = house.desk().submit(bob, ask).await.unwrap().now;
        let refused = house.desk().approve(max, request.id, 1, Narrower::default()).await.unwrap_err();
        assert!(matches!(refused, DeskError::Request(RequestError::NotEligible)), "{refused:?}");
        house.desk().approve(mia, request.id, 1, Narrower::default()).await.unwrap();
        // The end of a grant with which neither had to do: the line manager's to order, not another manager's.
        let grant = open_grants(&mut world.store.begin_read().await.unwrap(), bob.person, world.now()).await.unwrap();
        let refused = house.desk().end_grant(max, grant[0].id, 1).await.unwrap_err();
        assert!(matches!(refused, DeskError::Unknown), "{refused:?}");
        house.desk().end_grant(mia, grant[0].id, 1).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn nobody_of_the_reader_s_line_reviews_his_emergency() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let words = || Phi::new("Resuscitation in room four, allergies were needed".to_owned());
        let pia = house.who("pia");
        reports_to(&mut house, "nora", Some("mia")).await;
        reports_to(&mut house, "pia", Some("mia")).await;
        let nora = house.who("nora");
        let emergency = Emergency {
            role: "nurse".parse().unwrap(),
            patient: "e".parse().unwrap(),
            reason: EmergencyReason::LifeThreat,
            words: Phi::new(String::new()),
        };
        house.desk().break_glass(nora, emergency).await.unwrap();
        let review = list_open_reviews(&mut world.store.begin_read().await.unwrap()).await.unwrap().remove(0);
        let refused = house.desk().close_review(pia, review.id, 1, Finding::Justified, words()).await.unwrap_err();
        assert!(matches!(refused, DeskError::Review(ReviewError::NotIndependent)), "{refused:?}");
        world.grant(house.people["max"], "privacy_officer", (0, 100_000)).await;
        let max = house.who("max");
        house.desk().close_review(max, review.id, 1, Finding::Justified, words()).await.unwrap();
    })
    .await;
}

/// Who made the link by which a person signs in could have used it himself.
pub async fn vouch(house: &House<'_>, by: &str, person: &str) {
    let mut tx = house.world.store.begin().await.unwrap();
    let (id, hash) = (house.world.id(), [house.people.len().to_le_bytes()[0]; 32]);
    let (person, by) = (house.people[person], house.people[by]);
    insert_enrolment(&mut tx, id, (person, by), hash, (at(0), at(100))).await.unwrap();
    use_enrolment(&mut tx, id, at(0)).await.unwrap();
    house.world.commit(tx, Subject::Person(person)).await;
}

#[tokio::test]
async fn whose_link_was_made_by_who_asks_does_not_agree_to_it() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let request = house.submitted(&["a"]).await;
        vouch(&house, "nora", "mia").await;
        let (mia, max) = (house.who("mia"), house.who("max"));
        let refused = house.desk().approve(mia, request.id, 1, Narrower::default()).await;
        assert!(matches!(refused, Err(DeskError::Request(RequestError::OwnRequest))), "{refused:?}");
        // A no of his takes nothing from anybody.
        let other = house.submitted(&["b"]).await;
        let words = Phi::new("Not the patient of this week".to_owned());
        assert!(house.desk().deny(mia, other.id, 1, words).await.is_ok());
        assert!(house.desk().approve(max, request.id, 1, Narrower::default()).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn whose_link_was_made_by_the_reader_does_not_review_his_emergency() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        vouch(&house, "nora", "pia").await;
        let nora = house.who("nora");
        let emergency = Emergency {
            role: "nurse".parse().unwrap(),
            patient: "a".parse().unwrap(),
            reason: EmergencyReason::TeamCalled,
            words: Phi::new(String::new()),
        };
        house.desk().break_glass(nora, emergency).await.unwrap();
        let review = list_open_reviews(&mut world.store.begin_read().await.unwrap()).await.unwrap().remove(0);
        let pia = house.who("pia");
        let words = Phi::new("Seen with the ward's list of that night".to_owned());
        let refused = house.desk().close_review(pia, review.id, 1, Finding::Justified, words).await;
        assert!(matches!(refused, Err(DeskError::Review(ReviewError::NotIndependent))), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn who_is_on_leave_agrees_to_nothing() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let request = house.submitted(&["a"]).await;
        let (mia, max) = (house.who("mia"), house.who("max"));
        let mut tx = world.store.begin().await.unwrap();
        let leave = Leave {
            id: world.id(),
            person: mia.person,
            starts_at: world.now(),
            noted_by: max.person,
            state: LeaveState::Open,
            version: 1,
        };
        insert_leave(&mut tx, &leave, world.now()).await.unwrap();
        world.commit(tx, Subject::Person(mia.person)).await;
        let refused = house.desk().approve(mia, request.id, 1, Narrower::default()).await;
        assert!(matches!(refused, Err(DeskError::Forbidden)), "{refused:?}");
        assert!(house.desk().approve(max, request.id, 1, Narrower::default()).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn a_role_that_ended_while_others_decided_opens_no_chart() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let request = house.submitted(&["a"]).await;
        let (nora, mia) = (house.who("nora"), house.who("mia"));
        let held = open_grants(&mut world.store.begin_read().await.unwrap(), nora.person, world.now()).await.unwrap();
        house.desk().end_grant(nora, held[0].id, 1).await.unwrap();
        let refused = house.desk().approve(mia, request.id, 1, Narrower::default()).await;
        assert!(matches!(refused, Err(DeskError::RoleNotHeld)), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn a_yes_of_somebody_whose_role_has_ended_since_opens_nothing() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (nora, mia, pia) = (house.who("nora"), house.who("mia"), house.who("pia"));
        let ask = Ask { role: "biller".parse().unwrap(), ..House::ask(&[], 2, WORDS) };
        let request = house.desk().submit(nora, ask).await.unwrap().now;
        let first = house.desk().approve(mia, request.id, 1, Narrower::default()).await.unwrap();
        assert_eq!(first.now.state.code(), "pending");
        let held = open_grants(&mut world.store.begin_read().await.unwrap(), mia.person, world.now()).await.unwrap();
        house.desk().end_grant(mia, held[0].id, 1).await.unwrap();
        let refused = house.desk().approve(pia, request.id, 2, Narrower::default()).await;
        assert!(matches!(refused, Err(DeskError::ApproverLapsed)), "{refused:?}");
        assert_eq!(house.roles("nora").await, ["nurse"]);
        let mut tx = world.store.begin().await.unwrap();
        mark_person_left(&mut tx, mia.person, 1, world.now()).await.unwrap();
        world.commit(tx, Subject::Person(mia.person)).await;
        let refused = house.desk().approve(pia, request.id, 2, Narrower::default()).await;
        assert!(matches!(refused, Err(DeskError::ApproverLapsed)), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn so_many_charts_are_open_to_one_person_and_there_is_room_for_an_emergency() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let nora = house.who("nora");
        let declaration = |number: usize| Declaration {
            role: "nurse".parse().unwrap(),
            patient: format!("p{number}").parse().unwrap(),
            reason: DeclaredReason::Covering,
            ends_at: at(3_600),
            words: Phi::new(String::new()),
        };
        let mut tx = world.store.begin().await.unwrap();
        for number in 0..800 {
            let Declaration { role, patient, reason, ends_at, words } = declaration(number);
            let opening = Opening {
                id: world.id(),
                person: nora.person,
                role,
                purpose: None,
                patient,
                kinds: Kinds::Whole,
                window: Window::new(world.now(), ends_at).unwrap(),
                justification: words,
            };
            insert_elevation(&mut tx, &NewElevation::declared(opening, reason, world.now()).unwrap()).await.unwrap();
        }
        world.commit(tx, Subject::Person(nora.person)).await;
        let refused = house.desk().declare(nora, declaration(800)).await;
        assert!(matches!(refused, Err(DeskError::TooMany { max: 800 })), "{refused:?}");
        let emergency = Emergency {
            role: "nurse".parse().unwrap(),
            patient: "p800".parse().unwrap(),
            reason: EmergencyReason::LifeThreat,
            words: Phi::new(String::new()),
        };
        assert!(house.desk().break_glass(nora, emergency).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn like_cases_are_closed_by_one_sentence_and_what_went_on_meanwhile_is_left() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (nora, pia) = (house.who("nora"), house.who("pia"));
        for patient in ["a", "b", "c", "d"] {
            let emergency = Emergency {
                role: "nurse".parse().unwrap(),
                patient: patient.parse().unwrap(),
                reason: EmergencyReason::TeamCalled,
                words: Phi::new(String::new()),
            };
            house.desk().break_glass(nora, emergency).await.unwrap();
        }
        // One of them is pia's own.
        world.grant(pia.person, "nurse", (0, 100_000)).await;
        let own = Emergency {
            role: "nurse".parse().unwrap(),
            patient: "e".parse().unwrap(),
            reason: EmergencyReason::TeamCalled,
            words: Phi::new(String::new()),
        };
        house.desk().break_glass(pia, own).await.unwrap();
        let open = async || list_open_reviews(&mut world.store.begin_read().await.unwrap()).await.unwrap();
        let reviews = open().await;
        let seen: Vec<_> = reviews.iter().map(|review| (review.id, review.version)).collect();
        let asked = reviews.iter().find(|review| review.reader == nora.person).unwrap().id;
        house.desk().ask_reader(pia, asked, 1, Phi::new(String::new())).await.unwrap();

        let weak = house.desk().justify_alike(pia, &seen, &Phi::new("ok".to_owned())).await;
        assert!(matches!(weak, Err(DeskError::Review(ReviewError::Reason(_)))), "{weak:?}");
        assert_eq!(open().await.len(), 5);
        let words = Phi::new("Called by the rapid response team, as the log of the switchboard has it".to_owned());
        let refused = house.desk().justify_alike(nora, &seen, &words).await;
        assert!(matches!(refused, Err(DeskError::Forbidden)), "{refused:?}");
        let alike = house.desk().justify_alike(pia, &seen, &words).await.unwrap();
        assert_eq!((alike.closed, alike.left), (3, 2));
        let left: BTreeSet<_> = open().await.iter().map(|review| (review.reader, review.state.code())).collect();
        assert_eq!(left, [(nora.person, "asked"), (pia.person, "open")].into());
        let again = house.desk().justify_alike(pia, &seen, &words).await.unwrap();
        assert_eq!((again.closed, again.left), (0, 5));
    })
    .await;
}

#[tokio::test]
async fn what_is_protected_and_what_somebody_asked_about_is_never_closed_together_with_others() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (nora, pia) = (house.who("nora"), house.who("pia"));
        let mut opened = Vec::new();
        for patient in ["a", "b", "c", "d"] {
            let emergency = Emergency {
                role: "nurse".parse().unwrap(),
                patient: patient.parse().unwrap(),
                reason: EmergencyReason::TeamCalled,
                words: Phi::new("The team was called to room four at night".to_owned()),
            };
            opened.push(house.desk().break_glass(nora, emergency).await.unwrap().now);
        }
        let reviews = list_open_reviews(&mut world.store.begin_read().await.unwrap()).await.unwrap();
        let of = |place: usize| reviews.iter().find(|one| one.elevation == opened[place].opening().id).unwrap().id;
        let (protected, asked, answered, plain) = (of(0), of(1), of(2), of(3));
        house.desk().confirm_protected(nora, opened[0].opening().id, 1).await.unwrap();
        let question = Phi::new("Why was the whole chart opened?".to_owned());
        house.desk().ask_reader(pia, asked, 1, question.clone()).await.unwrap();
        house.desk().ask_reader(pia, answered, 1, question.clone()).await.unwrap();
        let answer = Phi::new("Two of the medicines of the night were unknown".to_owned());
        house.desk().tell_review(nora, answered, 2, answer).await.unwrap();
        // As they are now: nothing is left because it was changed meanwhile.
        let seen = [(protected, 1), (asked, 2), (answered, 3), (plain, 1)];
        let words = Phi::new("Called by the rapid response team, as the log of the switchboard has it".to_owned());
        let alike = house.desk().justify_alike(pia, &seen, &words).await.unwrap();
        assert_eq!((alike.closed, alike.left), (1, 3));
        let open = list_open_reviews(&mut world.store.begin_read().await.unwrap()).await.unwrap();
        let left: BTreeSet<_> = open.iter().map(|one| one.id).collect();
        assert_eq!(left, [protected, asked, answered].into());
        // What was asked is kept with its words, and each is closed by itself.
        let told = open.iter().find(|one| one.id == answered).and_then(|one| one.asked.clone()).unwrap();
        assert_eq!((told.words, told.by, told.answered_at.is_some()), (question, pia.person, true));
        for (id, version) in [(protected, 1), (answered, 3)] {
            house.desk().close_review(pia, id, version, Finding::Justified, words.clone()).await.unwrap();
        }
        // Nor do its words stand in what is told of an instant.
        let then = world.now();
        world.clock.advance_micros(86_400_000_000);
        let stood = evidence(&world.store, then, world.now()).await.unwrap();
        let stood = serde_json::to_string(&stood).unwrap();
        assert!(stood.contains(&asked.to_string()) && !stood.contains("whole chart"), "{stood}");
    })
    .await;
}

#[tokio::test]
async fn what_stood_at_an_instant_is_the_same_text_after_everything_has_changed() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (nora, mia, pia) = (house.who("nora"), house.who("mia"), house.who("pia"));
        let request = house.submitted(&["canary-patient"]).await;
        let opened = house.desk().approve(mia, request.id, 1, Narrower::default()).await.unwrap();
        let waiting = house.submitted(&["b"]).await;
        world.clock.advance_micros(100_000_000);
        let then = at(30);
        let made = async || serde_json::to_string(&evidence(&world.store, then, world.now()).await.unwrap()).unwrap();
        let text = made().await;
        // Everything goes on, as it does.
        house.desk().deny(mia, waiting.id, 1, Phi::new("Not without the roster of that day".to_owned())).await.unwrap();
        let elevation = list_elevations(&mut world.store.begin_read().await.unwrap(), nora.person, None).await.unwrap();
        house.desk().end_elevation(pia, elevation[0].held.id, 1).await.unwrap();
        house.submitted(&["c"]).await;
        let mut tx = world.store.begin().await.unwrap();
        mark_person_left(&mut tx, mia.person, 1, world.now()).await.unwrap();
        let event = NewEvent { at: world.now(), ..world.event(Subject::Person(mia.person)) };
        tx.commit(&world.lease, &[event]).await.unwrap();
        world.clock.advance_micros(86_400_000_000);
        assert_eq!(made().await, text);
        // What it says is what stood.
        let told = evidence(&world.store, then, world.now()).await.unwrap();
        assert_eq!(told.grants.len(), 5);
        assert_eq!(told.exceptions.len(), 1);
        let requests = &told.standing["access_request"];
        let state = |id: Id<AccessRequest>| requests[&id.to_string()].facts["state"].as_str().unwrap().to_owned();
        assert_eq!((state(opened.now.id), state(waiting.id)), ("approved".to_owned(), "pending".to_owned()));
        assert_eq!(requests[&request.id.to_string()].history.len(), 2);
        for written in ["canary", "Peer review", "case 4711"] {
            assert!(!text.contains(written), "{written}");
        }
        // What is being committed would be missing from it.
        let early = evidence(&world.store, world.now(), world.now()).await.unwrap_err();
        assert!(matches!(early, EvidenceError::TooRecent));
        let later = evidence(&world.store, world.now().plus_micros(-60_000_000), world.now()).await.unwrap();
        assert_eq!(later.exceptions, []);
    })
    .await;
}

#[tokio::test]
async fn a_drill_goes_the_whole_way_on_a_practice_chart_alone_and_counts_nowhere() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (nora, bob, pia) = (house.who("nora"), house.who("bob"), house.who("pia"));
        let drill = |patient: &str, role: &str| Emergency {
            role: role.parse().unwrap(),
            patient: patient.parse().unwrap(),
            reason: EmergencyReason::Drill,
            words: Phi::new(String::new()),
        };
        // It is no way to a patient's chart past the review, and not for whoever may not open one in an emergency.
        for (who, patient, role) in [(nora, "e", "nurse"), (bob, "practice", "biller")] {
            let refused = house.desk().break_glass(who, drill(patient, role)).await.unwrap_err();
            assert_eq!(refused.code(), "not_requestable", "{patient}");
        }
        house.desk().break_glass(nora, drill("practice", "nurse")).await.unwrap();
        assert_eq!(house.opened("nora", "BTG").await, ["practice"]);
        let mut tx = world.store.begin_read().await.unwrap();
        assert_eq!(emergencies_between(&mut tx, at(0), at(10)).await.unwrap(), []);
        let reviews = list_open_reviews(&mut tx).await.unwrap();
        drop(tx);
        let words = Phi::new("The drill went well, the chart opened within seconds".to_owned());
        house.desk().close_review(pia, reviews[0].id, 1, Finding::Justified, words).await.unwrap();
        let real = Emergency { reason: EmergencyReason::LifeThreat, ..drill("practice", "nurse") };
        house.desk().break_glass(nora, real).await.unwrap();
        let mut tx = world.store.begin_read().await.unwrap();
        assert_eq!(emergencies_between(&mut tx, at(0), at(10)).await.unwrap().len(), 1);
    })
    .await;
}
