//! The index of who opened which chart, from a real ledger; questions and complaints at the desk; logs of other systems.

use super::ENGINE;
use super::desk::TestRules;
use crate::support::{World, at, with_world};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use scruple_app::charts::{AccessFacts, Indexer, LogReader, Watching};
use scruple_app::directory::{Directory, Finding, UserOrder, findings};
use scruple_app::evidence::evidence;
use scruple_app::{CaseAsk, ChartAsk, Desk, DeskError, Viewer, Who};
use scruple_core::{Actor, Counts, DecisionFacts, Entry, EntryBody, Id, Phi, Relationship, RequestFacts, Timestamp};
use scruple_flow::directory::{Attributes, Presence};
use scruple_flow::{CaseError, CaseFinding, CaseState, ChartQuestion, QuestionCause, RoleCode};
use scruple_formats::Mapping;
use scruple_ledger::{Ledger, OpenOptions};
use scruple_store::{
    AccessBasis, AccessOutcome, ChartAccess, Grant, ImportCounts, Person, RefusedLine, SourceKind, list_chart_accesses,
    list_imports, list_refused_lines,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|one| (*one).to_owned()).collect()
}

fn actor(subject: &str) -> Actor {
    Actor { subject: subject.to_owned(), role: "nurse".to_owned() }
}

fn decision(grant: Option<Id<Grant>>) -> DecisionFacts {
    DecisionFacts {
        purpose: "TREAT".to_owned(),
        pack: "aa".to_owned(),
        table: "bb".to_owned(),
        views: BTreeMap::new(),
        conditions: Vec::new(),
        relationship: Relationship::Resolved,
        valid_until: at(1_000_000),
        justification: "tasks of the nurse".to_owned(),
        grant: grant.map(|grant| grant.to_string()),
    }
}

fn request(id: &str) -> Option<RequestFacts> {
    Some(RequestFacts {
        interaction: "read".to_owned(),
        resource_type: Some("Patient".to_owned()),
        id: Some(id.to_owned()),
        parameters: Vec::new(),
        request_id: None,
        source: None,
        lacking: Vec::new(),
    })
}

const RELEASE: &str = "0198c0de-0000-7000-8000-000000000007";

/// Entries as the gateway writes them: one whole release, and one in parts.
fn entries(grant: Id<Grant>) -> Vec<EntryBody> {
    vec![
        EntryBody::Notice { code: "node_started".to_owned(), facts: BTreeMap::new() },
        EntryBody::Release {
            release: "0198c0de-0000-7000-8000-000000000001".to_owned(),
            actor: actor("ana"),
            decision: decision(Some(grant)),
            request: request("p"),
            references: strings(&["Patient/p"]),
            patients: strings(&["Patient/p"]),
            relations: strings(&["Patient/p encounter Encounter/e"]),
            kinds: Vec::new(),
            sha256: String::new(),
            bytes: 10,
            counts: Counts::default(),
        },
        EntryBody::ReleaseOpen {
            release: RELEASE.to_owned(),
            actor: actor("ana"),
            decision: decision(Some(grant)),
            request: None,
        },
        EntryBody::ReleaseChunk {
            release: RELEASE.to_owned(),
            chunk: 0,
            references: strings(&["Observation/1", "Observation/2"]),
            patients: strings(&["Patient/q"]),
            relations: Vec::new(),
            kinds: Vec::new(),
            sha256: String::new(),
            bytes: 10,
        },
        EntryBody::ReleaseClose {
            release: RELEASE.to_owned(),
            chunks: 1,
            counts: Counts::default(),
            outcome: "complete".to_owned(),
        },
        EntryBody::Refusal {
            actor: actor("stranger"),
            purpose: None,
            code: "role_not_selected".to_owned(),
            request: request("p"),
        },
    ]
}

fn indexer(world: &World, folder: &Path, seed: u64) -> Indexer {
    let rng = Box::new(ChaCha20Rng::seed_from_u64(seed));
    Indexer::new(world.store.clone(), (folder.to_owned(), 1), Arc::clone(&world.clock) as _, rng).0
}

async fn of_chart(world: &World, key: &str) -> Vec<ChartAccess> {
    let mut tx = world.store.begin_read().await.unwrap();
    list_chart_accesses(&mut tx, key, (at(-1_000_000), at(1_000_000)), None).await.unwrap()
}

#[tokio::test]
async fn each_entry_is_taken_in_once_over_restarts_races_and_a_new_index() {
    with_world(ENGINE, async |world| {
        let (ana, grant) = world.nurse("ana").await;
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("ledger");
        let ledger =
            Ledger::create(&folder, OpenOptions::new("log.example/test", Arc::clone(&world.clock) as _)).unwrap();
        let mut first = indexer(world, &folder, 1);
        for (number, body) in entries(grant).into_iter().enumerate() {
            ledger.append(&Entry::new(at(0), body).to_bytes().unwrap(), None).unwrap();
            // The process ends in the middle of the release, and another goes on: it knows whose the release is.
            if number == 2 {
                assert_eq!(first.catch_up().await.unwrap(), 3);
                assert_eq!(first.catch_up().await.unwrap(), 3);
            }
        }
        let (mut second, mut third) = (indexer(world, &folder, 2), indexer(world, &folder, 3));
        // Both read the same; one of them finds the mark moved, or comes after.
        let (one, other) = tokio::join!(second.catch_up(), third.catch_up());
        assert!(one.is_ok() || other.is_ok(), "{one:?} {other:?}");
        assert_eq!(second.catch_up().await.unwrap(), 6);

        let check = async || {
            let p = of_chart(world, "Patient/p").await;
            assert_eq!(p.len(), 2);
            let opened = p.iter().find(|one| one.outcome == AccessOutcome::Opened).unwrap();
            assert_eq!((opened.person, opened.grant, opened.basis), (Some(ana), Some(grant), AccessBasis::Encounter));
            assert_eq!((opened.role.as_deref(), opened.entry), (Some("nurse"), Some(1)));
            let refused = p.iter().find(|one| one.outcome == AccessOutcome::Refused).unwrap();
            assert_eq!((refused.person, refused.actor.expose().as_str()), (None, "stranger"));
            let q = of_chart(world, "Patient/q").await;
            assert_eq!((q.len(), q[0].person, q[0].basis), (1, Some(ana), AccessBasis::Role));
            assert_eq!(AccessFacts::from_bytes(q[0].facts.expose()).types["Observation"], 2);
        };
        check().await;
        assert_eq!(world.store.empty_index().await.unwrap(), 3);
        assert_eq!(of_chart(world, "Patient/p").await, []);
        assert_eq!(indexer(world, &folder, 4).catch_up().await.unwrap(), 6);
        check().await;
    })
    .await;
}

#[tokio::test]
async fn an_entry_that_does_not_open_stops_the_index_and_says_so() {
    with_world(ENGINE, async |world| {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("ledger");
        let ledger =
            Ledger::create(&folder, OpenOptions::new("log.example/test", Arc::clone(&world.clock) as _)).unwrap();
        ledger.append(b"from a newer version", None).unwrap();
        let error = indexer(world, &folder, 1).catch_up().await.unwrap_err();
        assert_eq!(error.code(), "entry_unreadable");
        let gone = indexer(world, &folder.join("other"), 1).catch_up().await.unwrap_err();
        assert_eq!(gone.code(), "ledger_unreadable");
    })
    .await;
}

struct Quiet(Vec<(u64, String, String)>);

impl Watching for Quiet {
    fn goes_on(&mut self, _: &ImportCounts) {}

    fn refused(&mut self, line: &RefusedLine) -> io::Result<()> {
        self.0.push((line.line, line.field.clone(), line.reason.clone()));
        Ok(())
    }
}

const MAPPING: &str =
    "source = 'epic'\ntime_zone = 'UTC'\n[columns]\nwhen = 'T'\nperson = 'U'\npatient = 'P'\naction = 'A'\n";

async fn import(world: &World, seed: u64, log: &str) -> (scruple_app::charts::Imported, Quiet) {
    import_by(world, (MAPPING, seed), log).await
}

async fn import_by(world: &World, (mapping, seed): (&str, u64), log: &str) -> (scruple_app::charts::Imported, Quiet) {
    let mapping = Mapping::parse(mapping).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut quiet = Quiet(Vec::new());
    let reader = LogReader::new((&world.store, &world.lease), world.clock.as_ref(), &mut rng, &mapping);
    let read = reader.read((SourceKind::Csv, log.as_bytes()), "operator:test", &mut quiet).await.unwrap();
    (read, quiet)
}

#[tokio::test]
async fn a_log_read_twice_adds_nothing_and_what_is_wrong_is_kept_apart() {
    with_world(ENGINE, async |world| {
        let (ana, _) = world.nurse("ana").await;
        let log = "T,U,P,A\n2026-02-28T07:10:00Z,ANA,4471,open\n2026-02-28T07:10:00Z,nobody,4471,open\nsoon,ana,1,x\n\
                   2027-01-01T00:00:00Z,ana,1,x\n";
        let (first, quiet) = import(world, 1, log).await;
        let counts = ImportCounts { lines: 4, added: 2, known: 0, refused: 2, unknown_people: 1 };
        assert_eq!(first.counts, counts);
        let told = |line, field: &str, reason: &str| (line, field.to_owned(), reason.to_owned());
        assert_eq!(quiet.0, [told(4, "T", "time_malformed"), told(5, "when", "time_in_future")]);
        let found = of_chart(world, "number:4471").await;
        assert_eq!(found.iter().filter_map(|one| one.person).collect::<Vec<_>>(), [ana]);
        assert!(found.iter().all(|one| one.basis == AccessBasis::Unknown && one.entry.is_none()));
        let (again, _) = import(world, 2, log).await;
        assert_eq!(again.counts, ImportCounts { added: 0, known: 2, ..counts });
        let mut tx = world.store.begin_read().await.unwrap();
        let lines = list_refused_lines(&mut tx, first.import, 0).await.unwrap();
        assert_eq!(lines[0].text.expose(), "soon,ana,1,x");
        let imports = list_imports(&mut tx, None).await.unwrap();
        assert!(imports.len() == 2 && imports.iter().all(|one| one.ended_at.is_some()));
    })
    .await;
}

/// IL-01: told by the log of another system.
#[tokio::test]
async fn an_account_that_a_log_has_at_two_workstations_in_turns_is_a_finding() {
    with_world(ENGINE, async |world| {
        let (ana, _) = world.nurse("ana").await;
        world.nurse("bob").await;
        let log = "T,U,P,A,W\n2026-02-28T07:10:00Z,ana,1,open,4W-12\n2026-02-28T07:10:00Z,bob,1,open,4W-14\n\
                   2026-02-28T07:12:00Z,ana,2,open,4W-13\n2026-02-28T07:12:00Z,bob,2,open,4W-15\n\
                   2026-02-28T07:14:00Z,ana,1,open,4W-12\n2026-02-28T07:14:00Z,bob,1,open,\n";
        let (read, _) = import_by(world, (&format!("{MAPPING}workstation = 'W'\n"), 1), log).await;
        assert_eq!((read.counts.added, read.counts.unknown_people), (6, 0));
        let all = findings(&world.store, world.now()).await.unwrap();
        let shared = all.iter().filter(|one| one.code() == "account_used_at_two_places");
        assert_eq!(shared.filter_map(Finding::person).collect::<Vec<_>>(), [ana]);
    })
    .await;
}

#[tokio::test]
async fn a_log_of_any_length_is_read_in_batches() {
    with_world(ENGINE, async |world| {
        let mut log = "T,U,P,A\n".to_owned();
        for number in 0..1_203 {
            log.push_str(&format!("2026-02-28T07:10:00Z,ana,{},open\n", number % 7));
        }
        // Rows that agree in every cell are one access.
        let (read, _) = import(world, 1, &log).await;
        assert_eq!((read.counts.lines, read.counts.added, read.counts.known), (1_203, 7, 1_196));
    })
    .await;
}

struct Office<'a> {
    world: &'a World,
    rng: ChaCha20Rng,
}

impl Office<'_> {
    fn desk(&mut self) -> Desk<'_> {
        let World { store, lease, clock, .. } = self.world;
        Desk { store, lease, clock: clock.as_ref(), rng: &mut self.rng, rules: &TestRules }
    }
}

fn ask() -> ChartAsk {
    ChartAsk {
        patient: Phi::new("Patient/p".to_owned()),
        keys: Phi::new(vec!["Patient/p".to_owned()]),
        period: (at(0), at(10)),
        cause: QuestionCause::Complaint,
    }
}

fn case(question: Id<ChartQuestion>, reader: Id<Person>, words: &str) -> CaseAsk {
    let about: (Timestamp, Timestamp) = (at(1), at(2));
    CaseAsk { question, reader, about, complaint: Phi::new(words.to_owned()) }
}

const WORDS: &str = "Her former husband works there and she fears he looked";

#[tokio::test]
async fn the_privacy_office_alone_asks_and_the_reader_neither_judges_nor_is_spoken_for() {
    with_world(ENGINE, async |world| {
        let mut people = Vec::new();
        for (login, role) in
            [("nora", "nurse"), ("pia", "privacy_officer"), ("mia", "manager"), ("pat", "privacy_officer")]
        {
            let person = world.person(login).await;
            world.grant(person, role, (0, 100_000)).await;
            people.push(Who { person, stepped_up: false });
        }
        let [nora, pia, mia, pat] = people[..] else { panic!() };
        let mut office = Office { world, rng: ChaCha20Rng::seed_from_u64(8) };
        for who in [nora, mia] {
            assert!(matches!(office.desk().ask_about_chart(who, ask()).await, Err(DeskError::Forbidden)));
        }
        let question = office.desk().ask_about_chart(pia, ask()).await.unwrap().now;
        let opening = office.desk().open_case(mia, case(question.id, nora.person, WORDS)).await;
        assert!(matches!(opening, Err(DeskError::Forbidden)));
        // Of the office itself nobody opens, or decides, a case about himself.
        let own = office.desk().open_case(pat, case(question.id, pat.person, WORDS)).await;
        assert!(matches!(own, Err(DeskError::Case(CaseError::NotIndependent))));
        let opened = office.desk().open_case(pia, case(question.id, pat.person, WORDS)).await.unwrap().now;
        let words = || Phi::new(WORDS.to_owned());
        let judged = office.desk().decide_case(pat, opened.id, 1, CaseFinding::Permitted, words()).await;
        assert!(matches!(judged, Err(DeskError::Case(CaseError::NotIndependent))));
        let asked = office.desk().ask_about_case(pia, opened.id, 1).await.unwrap().now;
        assert!(matches!(office.desk().ask_about_case(pia, opened.id, 1).await, Err(DeskError::Changed)));
        let spoken = office.desk().answer_case(pia, opened.id, asked.version, words()).await;
        assert!(matches!(spoken, Err(DeskError::Case(CaseError::NotTheReader))));
        // Two people decide at once: one of them is first.
        let decided =
            office.desk().decide_case(pia, opened.id, 2, CaseFinding::NotPermitted, words()).await.unwrap().now;
        let late = office.desk().decide_case(pia, opened.id, 2, CaseFinding::Permitted, words()).await;
        assert!(matches!(late, Err(DeskError::Changed)));
        let over = office.desk().letter_case(pia, opened.id, decided.version, words()).await.unwrap().now;
        assert!(matches!(over.state, CaseState::Lettered(..)));
        assert!(matches!(
            office.desk().open_case(pia, case(world.id(), nora.person, WORDS)).await,
            Err(DeskError::Unknown)
        ));
    })
    .await;
}

/// A nurse whose line manager is this person.
async fn nurse_under(world: &World, manager: Id<Person>) -> Id<Person> {
    let order = UserOrder {
        login: "nora".parse().unwrap(),
        name: Phi::new("x".to_owned()),
        contact: None,
        attributes: Attributes { manager: Some(manager), ..Attributes::default() },
        presence: Presence { active: Some(true), on_leave: None },
        document: Phi::new(b"x".to_vec()),
        effective_at: None,
    };
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let (store, lease, clock) = (&world.store, &world.lease, &*world.clock);
    let mut directory = Directory { store, lease, clock, rng: &mut rng, by: world.asker };
    directory.create_user(&order).await.unwrap().value.record.person.id
}

#[tokio::test]
async fn of_a_complaint_neither_its_reader_nor_his_line_is_told() {
    with_world(ENGINE, async |world| {
        let [pia, bea] = [world.person("pia").await, world.person("bea").await];
        for person in [pia, bea] {
            world.grant(person, "privacy_officer", (0, 100_000)).await;
        }
        let nora = nurse_under(world, bea).await;
        let who = |person| Who { person, stepped_up: false };
        let mut office = Office { world, rng: ChaCha20Rng::seed_from_u64(8) };
        let question = office.desk().ask_about_chart(who(pia), ask()).await.unwrap().now.id;
        let close = office.desk().open_case(who(bea), case(question, nora, WORDS)).await;
        assert!(matches!(close, Err(DeskError::Case(CaseError::NotIndependent))));
        let opened = office.desk().open_case(who(pia), case(question, nora, WORDS)).await.unwrap().now;
        let asked = office.desk().ask_about_case(who(pia), opened.id, 1).await.unwrap().now;
        assert_eq!(asked.state, CaseState::Asked);
        // What each is told of it: the case, the lists, and whether he is asked to answer.
        let told = async |person: Id<Person>, role: &str| {
            let roles: BTreeSet<RoleCode> = [role.parse().unwrap()].into();
            let viewer = Viewer::load(&world.store, (person, roles), world.now()).await.unwrap();
            let (store, rules) = (&world.store, &TestRules);
            let one = viewer.case(store, rules, opened.id).await.unwrap();
            let all = viewer.cases(store, rules, (None, 10)).await.unwrap().rows;
            let open = viewer.open_cases(store, rules).await.unwrap();
            let of = viewer.cases_of(store, rules, question).await.unwrap();
            let own = viewer.asked_case(store, opened.id).await.unwrap();
            let questions = viewer.questions(store, rules, (None, 10)).await.unwrap().rows.len();
            ([usize::from(one.is_some()), all.len(), open.len(), of.len()], own.is_some(), questions)
        };
        assert_eq!(told(pia, "privacy_officer").await, ([1; 4], false, 1));
        assert_eq!(told(bea, "privacy_officer").await, ([0; 4], false, 1), "the reader's manager");
        assert_eq!(told(nora, "privacy_officer").await, ([0; 4], true, 1), "the reader, whatever else he is");
        assert_eq!(told(pia, "nurse").await, ([0; 4], false, 0), "in another role");
        // Whoever may read what stood at an instant may be the reader.
        world.clock.advance_micros(120_000_000);
        let made = evidence(&world.store, world.now().plus_micros(-60_000_000), world.now()).await.unwrap();
        let cases = serde_json::to_string(&made.standing["chart_case"]).unwrap();
        assert!(cases.contains("case_reader_asked"), "{cases}");
        for id in [nora.to_string(), question.to_string(), pia.to_string()] {
            assert!(!cases.contains(&id), "{cases}");
        }
    })
    .await;
}
