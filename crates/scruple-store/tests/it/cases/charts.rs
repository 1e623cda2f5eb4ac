use super::ENGINE;
use crate::support::{TestDb, at, with_db};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::directory::{Attributes, Employment};
use scruple_flow::{
    CaseFinding, CaseState, CaseWorker, ChartCase, ChartQuestion, DeclaredReason, NewCase, NewElevation, QuestionCause,
};
use scruple_store::{
    AccessBasis, AccessOutcome, AccessSource, ChartAccess, Grant, ImportCounts, LedgerPart, LogImport, NewChartAccess,
    NewDirectoryRecord, Person, RefusedLine, SourceKind, StoreError, Subject, access_cursor, begin_import,
    count_accesses, count_accesses_under, end_import, find_access, find_case, find_question, find_release,
    insert_account, insert_case, insert_chart_access, insert_directory, insert_elevation, insert_question, last_use,
    list_accesses_between, list_accesses_by_grant, list_accesses_of_person, list_accesses_under, list_cases,
    list_cases_asked_of, list_cases_of_question, list_chart_accesses, list_grants_of, list_imports, list_open_cases,
    list_questions, list_refused_lines, list_sources, persons_reading_in_turns, update_case,
};
use uuid::Uuid;

const WORDS: &str = "She fears that her former husband looked";

async fn source(db: &TestDb, kind: SourceKind, code: &str) -> Id<AccessSource> {
    db.store.ensure_source(db.id(), (kind, code), at(0)).await.unwrap().unwrap()
}

fn access(db: &TestDb, source: Id<AccessSource>, once: &str, patient: &str, second: i64) -> NewChartAccess {
    NewChartAccess {
        id: db.id(),
        source,
        once: Phi::new(once.to_owned()),
        at: at(second),
        patient: Phi::new(patient.to_owned()),
        person: None,
        actor: Phi::new("ana.ruiz".to_owned()),
        role: Some("nurse".to_owned()),
        purpose: Some("TREAT".to_owned()),
        outcome: AccessOutcome::Opened,
        basis: AccessBasis::Encounter,
        grant: None,
        elevation: None,
        entry: Some(second),
        outside: false,
        place: None,
        facts: Phi::new(b"{}".to_vec()),
    }
}

async fn of_chart(db: &TestDb, key: &str, period: (i64, i64)) -> Vec<ChartAccess> {
    let period = (at(period.0), at(period.1));
    list_chart_accesses(&mut db.read().await, key, period, None).await.unwrap()
}

/// A record that somebody has opened by a grant of the role nurse, at a second.
pub async fn opened_by_grant(db: &TestDb, (person, grant): (Id<Person>, Id<Grant>), second: i64) {
    let gateway = source(db, SourceKind::Gateway, "gateway").await;
    let once = format!("{grant} {second}");
    let one =
        NewChartAccess { person: Some(person), grant: Some(grant), ..access(db, gateway, &once, "Patient/p", second) };
    assert_eq!(db.store.append_log(&[one]).await.unwrap(), 1);
}

#[tokio::test]
async fn an_access_is_found_by_patient_and_period_and_by_what_it_was_under() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let gateway = source(db, SourceKind::Gateway, "gateway").await;
        assert_eq!(source(db, SourceKind::Gateway, "gateway").await, gateway);
        assert_eq!(db.store.ensure_source(db.id(), (SourceKind::Csv, "gateway"), at(0)).await.unwrap(), None);
        let grant = db.grant(people, "nurse", (0, 1_000)).await;
        let opening = super::elevations::opening(db, people[0], "p", (0, 100));
        let elevation = opening.id;
        let mut tx = db.begin().await;
        insert_elevation(&mut tx, &NewElevation::declared(opening, DeclaredReason::Covering, at(0)).unwrap())
            .await
            .unwrap();
        db.commit(tx, Subject::Person(people[0])).await.unwrap();

        let declared = NewChartAccess {
            person: Some(people[0]),
            grant: Some(grant),
            elevation: Some(elevation),
            basis: AccessBasis::Declared,
            ..access(db, gateway, "a", "Patient/p", 10)
        };
        let tried = NewChartAccess {
            person: Some(people[0]),
            grant: Some(grant),
            outcome: AccessOutcome::Nothing,
            ..access(db, gateway, "b", "Patient/p", 20)
        };
        let other = access(db, gateway, "c", "Patient/q", 15);
        assert_eq!(db.store.append_log(&[declared.clone(), tried, other.clone()]).await.unwrap(), 3);
        // Once more, whatever its id is.
        let again = NewChartAccess { id: db.id(), ..other };
        assert_eq!(db.store.append_log(std::slice::from_ref(&again)).await.unwrap(), 0);
        let mut tx = db.begin().await;
        assert!(!insert_chart_access(&mut tx, &again).await.unwrap());
        tx.rollback().await.unwrap();

        let found = of_chart(db, "Patient/p", (0, 100)).await;
        assert_eq!(found.iter().map(|one| one.at).collect::<Vec<_>>(), [at(10), at(20)]);
        assert_eq!(found[0].patient.expose(), "Patient/p");
        assert_eq!((found[0].elevation, found[0].basis), (Some(elevation), AccessBasis::Declared));
        assert_eq!(of_chart(db, "Patient/p", (11, 20)).await, []);
        assert_eq!(of_chart(db, "Patient/pp", (0, 100)).await, []);
        let mut tx = db.read().await;
        let period = (at(0), at(100));
        let after = Some((found[0].at, found[0].id));
        let rest = list_chart_accesses(&mut tx, "Patient/p", period, after).await.unwrap();
        assert_eq!(rest.len(), 1);
        assert_eq!(list_accesses_of_person(&mut tx, people[0], period, None).await.unwrap().len(), 2);
        assert_eq!(list_accesses_of_person(&mut tx, people[0], period, after).await.unwrap().len(), 1);
        assert_eq!(list_accesses_of_person(&mut tx, people[1], period, None).await.unwrap(), []);
        assert_eq!(list_accesses_under(&mut tx, elevation, None).await.unwrap().len(), 1);
        assert_eq!(list_accesses_under(&mut tx, elevation, after).await.unwrap(), []);
        assert_eq!(count_accesses_under(&mut tx, elevation).await.unwrap(), 1);
        assert_eq!(count_accesses_under(&mut tx, db.id()).await.unwrap(), 0);
        assert_eq!(list_accesses_by_grant(&mut tx, grant, None).await.unwrap().len(), 2);
        // A sample weighs what was opened, and nothing of the patient.
        let weighed = list_accesses_between(&mut tx, period, None).await.unwrap();
        assert_eq!(weighed.iter().map(|one| one.at).collect::<Vec<_>>(), [at(10), at(15)]);
        assert_eq!(weighed[0].person, Some(people[0]));
        assert_eq!(list_accesses_between(&mut tx, period, after).await.unwrap().len(), 1);
        assert_eq!(list_accesses_between(&mut tx, (at(0), at(10)), None).await.unwrap(), []);
        let whole = find_access(&mut tx, weighed[0].id).await.unwrap().unwrap();
        assert_eq!(whole.patient.expose(), "Patient/p");
        assert_eq!(find_access(&mut tx, db.id()).await.unwrap(), None);
        // What showed nothing is no use of a right.
        assert_eq!(last_use(&mut tx, grant.uuid()).await.unwrap(), Some(at(10)));
        assert_eq!(last_use(&mut tx, elevation.uuid()).await.unwrap(), Some(at(10)));
        assert_eq!(last_use(&mut tx, Uuid::nil()).await.unwrap(), None);
        assert_eq!(count_accesses(&mut tx, (at(0), at(20))).await.unwrap(), [(gateway, 2)]);
        let sources = list_sources(&mut tx).await.unwrap();
        assert_eq!((sources.len(), sources[0].first, sources[0].last), (1, Some(at(10)), Some(at(20))));
        let held = list_grants_of(&mut tx, people[0]).await.unwrap();
        assert_eq!((held.len(), held[0].id), (1, grant));
    })
    .await;
}

const FIRST: &str = "canary-place-4w12";
const OTHER: &str = "canary-place-4w13";

/// Reads of one log, each with its place, if it has one, and its second.
async fn reads(db: &TestDb, person: Id<Person>, log: Id<AccessSource>, all: &[(&str, i64)]) {
    for (number, (place, second)) in all.iter().enumerate() {
        let once = format!("{person} {log} {number} {second}");
        let place = Some(*place).filter(|place| !place.is_empty()).map(|place| Phi::new(place.to_owned()));
        let one = NewChartAccess { person: Some(person), place, ..access(db, log, &once, "Patient/p", *second) };
        assert_eq!(db.store.append_log(&[one]).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn who_reads_from_two_places_in_turns_is_found_and_who_walks_from_one_to_the_other_is_not() {
    with_db(ENGINE, async |db| {
        let gateway = source(db, SourceKind::Gateway, "gateway").await;
        type Readings = &'static [(&'static str, i64)];
        let cases: [(&str, Readings, bool); 10] = [
            ("in.turns", &[(FIRST, 10), (OTHER, 100), (FIRST, 610)], true),
            ("too.slow", &[(FIRST, 10), (OTHER, 100), (FIRST, 611)], false),
            ("walks", &[(FIRST, 10), (FIRST, 60), (OTHER, 100), (OTHER, 200), (OTHER, 700)], false),
            ("walks.back", &[(FIRST, 10), (OTHER, 100), (OTHER, 800), (FIRST, 900), (FIRST, 950)], false),
            ("nowhere", &[(FIRST, 10), ("", 20), (FIRST, 30)], false),
            // An answer about several patients is one reading.
            ("many", &[(FIRST, 10), (FIRST, 10), (OTHER, 20), (OTHER, 20), (FIRST, 30), (FIRST, 30)], true),
            // What is at one instant is not between.
            ("at.once", &[(FIRST, 10), (OTHER, 10), (FIRST, 20), (OTHER, 20)], false),
            ("at.once.between", &[(FIRST, 10), (FIRST, 20), (OTHER, 20), (FIRST, 30)], true),
            // The next reading is in time, the one after it is not.
            ("once.more.later", &[(FIRST, 10), (OTHER, 50), (FIRST, 100), (FIRST, 700)], true),
            ("later.between", &[(FIRST, 10), (FIRST, 100), (OTHER, 300), (FIRST, 701)], false),
        ];
        let mut expected = Vec::new();
        for (login, all, is_found) in cases {
            let person = db.person(login).await;
            reads(db, person, gateway, all).await;
            if is_found {
                expected.push(person);
            }
        }
        expected.sort();
        // Each log names places in its own way.
        let (twice, epic) = (db.person("two.logs").await, source(db, SourceKind::Csv, "epic").await);
        reads(db, twice, gateway, &[(FIRST, 10), (FIRST, 30)]).await;
        reads(db, twice, epic, &[(OTHER, 20)]).await;
        // Systems run at several places: one that the directory tells of, and one that is registered.
        let [told, registered] = [db.person("told").await, db.person("registered").await];
        let attributes = Attributes { employment: Some(Employment::Service), ..Attributes::default() };
        let record = NewDirectoryRecord { person: told, attributes, document: Phi::new(b"{}".to_vec()), at: at(0) };
        let mut tx = db.begin().await;
        insert_directory(&mut tx, &record).await.unwrap();
        insert_account(&mut tx, &super::accounts::account(registered, Some(twice))).await.unwrap();
        db.commit(tx, Subject::Everyone).await.unwrap();
        for system in [told, registered] {
            reads(db, system, gateway, &[(FIRST, 10), (OTHER, 20), (FIRST, 30)]).await;
        }
        let found = async |since| persons_reading_in_turns(&mut db.read().await, at(since)).await.unwrap();
        assert_eq!(found(0).await, expected);
        assert_eq!(found(10).await, [], "that is too long ago");
        let newest = db.person("newest").await;
        reads(db, newest, gateway, &[(FIRST, 2_000), (OTHER, 2_010), (FIRST, 2_020)]).await;
        expected.insert(0, newest);
        assert_eq!(found(0).await, expected, "whoever did it last stands first");
        assert!(!db.holds(b"canary-place").await);
    })
    .await;
}

#[tokio::test]
async fn a_ledger_is_taken_in_once_whoever_repeats_it_and_what_other_logs_tell_stays() {
    with_db(ENGINE, async |db| {
        let gateway = source(db, SourceKind::Gateway, "gateway").await;
        let epic = source(db, SourceKind::Csv, "epic").await;
        let release = Uuid::from_u128(7);
        let told = NewChartAccess { entry: None, ..access(db, epic, "line 1", "number:4471", 5) };
        db.store.append_log(&[told]).await.unwrap();
        let rows = [access(db, gateway, "ledger 1 0 p", "Patient/p", 10)];
        let opened = [(release, Phi::new(b"{\"role\":\"nurse\"}".to_vec()))];
        let part = LedgerPart { log: 1, from: 0, next: 5, opened: &opened, closed: &[], accesses: &rows };
        db.store.index_ledger(&part).await.unwrap();
        // Whoever has read the same finds the mark moved, and stores nothing.
        assert!(matches!(db.store.index_ledger(&part).await, Err(StoreError::RowsAffected { .. })));
        let mut tx = db.read().await;
        assert_eq!(access_cursor(&mut tx, 1).await.unwrap(), 5);
        assert_eq!(access_cursor(&mut tx, 2).await.unwrap(), 0);
        let begun = find_release(&mut tx, 1, release).await.unwrap().unwrap();
        assert_eq!(begun.expose(), b"{\"role\":\"nurse\"}");
        assert_eq!(find_release(&mut tx, 2, release).await.unwrap(), None);
        drop(tx);
        let part = LedgerPart { log: 1, from: 5, next: 6, opened: &[], closed: &[release], accesses: &[] };
        db.store.index_ledger(&part).await.unwrap();
        assert_eq!(find_release(&mut db.read().await, 1, release).await.unwrap(), None);

        assert!(db.raw("UPDATE chart_access SET role = 'other'").await.is_err());
        assert!(db.raw("DELETE FROM chart_access").await.is_err());
        assert_eq!(db.store.empty_index().await.unwrap(), 1);
        assert_eq!(of_chart(db, "Patient/p", (0, 100)).await, []);
        assert_eq!(of_chart(db, "number:4471", (0, 100)).await.len(), 1);
        assert_eq!(access_cursor(&mut db.read().await, 1).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn an_import_ends_once_with_numbers_that_add_up_and_its_refused_lines_are_kept() {
    with_db(ENGINE, async |db| {
        let epic = source(db, SourceKind::Csv, "epic").await;
        let import: Id<LogImport> = db.id();
        let mut tx = db.begin().await;
        begin_import(&mut tx, import, epic, at(0)).await.unwrap();
        db.commit(tx, Subject::Everyone).await.unwrap();
        let line = RefusedLine {
            id: db.id(),
            line: 3,
            field: "when".to_owned(),
            reason: "time_malformed".to_owned(),
            text: Phi::new("yesterday,ana,4471".to_owned()),
        };
        db.store.keep_refused_lines(import, std::slice::from_ref(&line)).await.unwrap();
        assert_eq!(list_refused_lines(&mut db.read().await, import, 0).await.unwrap(), [line]);
        assert_eq!(list_refused_lines(&mut db.read().await, import, 3).await.unwrap(), []);
        let end = async |counts: ImportCounts| {
            let mut tx = db.begin().await;
            end_import(&mut tx, import, &counts, at(9)).await?;
            db.commit(tx, Subject::Everyone).await.map(drop)
        };
        let counts = ImportCounts { lines: 10, added: 7, known: 2, refused: 1, unknown_people: 3 };
        assert!(matches!(end(ImportCounts { lines: 11, ..counts }).await, Err(StoreError::Refused(_))));
        end(counts).await.unwrap();
        assert!(matches!(end(counts).await, Err(StoreError::RowsAffected { .. })));
        let imports = list_imports(&mut db.read().await, None).await.unwrap();
        assert_eq!(imports.iter().map(|one| (one.counts, one.ended_at)).collect::<Vec<_>>(), [(counts, Some(at(9)))]);
        assert!(db.raw("UPDATE log_import SET ended_at = NULL").await.is_err());
    })
    .await;
}

async fn asked(db: &TestDb, by: Id<Person>) -> ChartQuestion {
    let question = ChartQuestion {
        id: db.id(),
        patient: Phi::new("Patient/p".to_owned()),
        keys: Phi::new(vec!["Patient/p".to_owned(), "number:4471".to_owned()]),
        from: at(0),
        until: at(100),
        cause: QuestionCause::Complaint,
        asked_by: by,
        asked_at: at(5),
    };
    let mut tx = db.begin().await;
    insert_question(&mut tx, &question).await.unwrap();
    db.commit(tx, Subject::Everyone).await.unwrap();
    question
}

pub async fn opened(db: &TestDb, [reader, office, _]: [Id<Person>; 3]) -> ChartCase {
    let question = asked(db, office).await.id;
    let complaint = Phi::new(WORDS.to_owned());
    let new = NewCase { id: db.id(), question, reader, about: (at(10), at(20)), complaint };
    let case = ChartCase::open(new, CaseWorker { person: office, is_of_the_same_line: false }, at(6)).unwrap();
    let mut tx = db.begin().await;
    insert_case(&mut tx, &case).await.unwrap();
    db.commit(tx, Subject::Everyone).await.unwrap();
    case
}

async fn put(db: &TestDb, case: &ChartCase, version: i64) -> Result<(), StoreError> {
    let mut tx = db.begin().await;
    update_case(&mut tx, case, version).await?;
    db.commit(tx, Subject::Everyone).await.map(drop)
}

async fn found(db: &TestDb, id: Id<ChartCase>) -> ChartCase {
    find_case(&mut db.read().await, id).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_case_goes_from_complaint_to_letter_and_its_question_keeps_whose_chart_it_is() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let office = CaseWorker { person: people[1], is_of_the_same_line: false };
        let words = || Phi::new(WORDS.to_owned());
        let case = opened(db, people).await;
        assert_eq!(found(db, case.id).await, case);
        let asked = case.ask(office, at(7)).unwrap();
        put(db, &asked, 1).await.unwrap();
        assert!(matches!(put(db, &asked, 1).await, Err(StoreError::RowsAffected { .. })));
        let of_reader = list_cases_asked_of(&mut db.read().await, people[0]).await.unwrap();
        assert_eq!(of_reader.iter().map(|case| case.id).collect::<Vec<_>>(), [asked.id]);
        assert_eq!(list_cases_asked_of(&mut db.read().await, people[2]).await.unwrap(), []);
        let answered = found(db, asked.id).await.answer(people[0], words(), at(8)).unwrap();
        put(db, &answered, 2).await.unwrap();
        let decided = found(db, asked.id).await.decide(office, CaseFinding::NotPermitted, words(), at(9)).unwrap();
        put(db, &decided, 3).await.unwrap();
        assert_eq!(list_open_cases(&mut db.read().await).await.unwrap().len(), 1);
        let lettered = found(db, asked.id).await.letter(office, words(), at(10)).unwrap();
        put(db, &lettered, 4).await.unwrap();
        let over = found(db, asked.id).await;
        assert_eq!(over, ChartCase { version: 5, ..lettered });
        assert_eq!(over.answer.as_ref().map(|(text, _)| text.expose().as_str()), Some(WORDS));
        assert_eq!(list_open_cases(&mut db.read().await).await.unwrap(), []);
        assert_eq!(list_cases(&mut db.read().await, None).await.unwrap(), std::slice::from_ref(&over));
        assert_eq!(list_cases(&mut db.read().await, Some(over.id)).await.unwrap(), []);
        let of_question = list_cases_of_question(&mut db.read().await, over.question).await.unwrap();
        assert_eq!(of_question, std::slice::from_ref(&over));
        let question = find_question(&mut db.read().await, over.question).await.unwrap().unwrap();
        assert_eq!(question.keys.expose(), &["Patient/p", "number:4471"]);
        assert_eq!(list_questions(&mut db.read().await, None).await.unwrap(), std::slice::from_ref(&question));
        assert_eq!(list_questions(&mut db.read().await, Some(question.id)).await.unwrap(), []);
        assert_eq!(find_question(&mut db.read().await, db.id()).await.unwrap(), None);
        assert!(db.raw("UPDATE chart_question SET cause = 'other'").await.is_err());
        assert!(db.raw("DELETE FROM chart_case").await.is_err());
    })
    .await;
}

#[tokio::test]
async fn the_table_refuses_a_case_that_goes_another_way_or_is_judged_by_its_reader() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let case = opened(db, people).await;
        let verdict = |by: Id<Person>| scruple_flow::CaseVerdict {
            finding: CaseFinding::Permitted,
            by,
            at: at(9),
            rationale: Phi::new(WORDS.to_owned()),
        };
        let letter = scruple_flow::CaseLetter { text: Phi::new(WORDS.to_owned()), by: people[1], at: at(9) };
        let answered = (Phi::new(WORDS.to_owned()), at(8));
        for wrong in [
            ChartCase { answer: Some(answered.clone()), state: CaseState::Answered, ..case.clone() },
            ChartCase { state: CaseState::Lettered(verdict(people[1]), letter), ..case.clone() },
            ChartCase { state: CaseState::Decided(verdict(people[0])), ..case.clone() },
            ChartCase { asked: Some((people[0], at(7))), state: CaseState::Asked, ..case.clone() },
        ] {
            let refused = put(db, &wrong, 1).await;
            assert!(matches!(refused, Err(StoreError::Refused(_))), "{} {refused:?}", wrong.state.code());
        }
        put(db, &ChartCase { state: CaseState::Decided(verdict(people[1])), ..case.clone() }, 1).await.unwrap();
        for wrong in [
            ChartCase { asked: Some((people[1], at(9))), state: CaseState::Asked, ..case.clone() },
            ChartCase { state: CaseState::Decided(verdict(people[1])), ..case.clone() },
        ] {
            assert!(matches!(put(db, &wrong, 2).await, Err(StoreError::Refused(_))), "{}", wrong.state.code());
        }
        assert!(db.raw("UPDATE chart_case SET finding = 'not_permitted', state = 'not_permitted'").await.is_err());
        let never = Timestamp::from_micros(0);
        assert!(found(db, case.id).await.opened_at > never);
    })
    .await;
}

#[tokio::test]
async fn neither_patient_nor_reader_stands_in_clear_in_the_database() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let gateway = source(db, SourceKind::Gateway, "gateway").await;
        let canary = NewChartAccess {
            actor: Phi::new("canary.actor".to_owned()),
            place: Some(Phi::new("CanaryPlace".to_owned())),
            facts: Phi::new(b"CanaryFacts".to_vec()),
            ..access(db, gateway, "canary once", "Patient/CanaryPatient", 10)
        };
        db.store.append_log(&[canary]).await.unwrap();
        opened(db, people).await;
        let Some(file) = &db.file else { return };
        for ending in ["", "-wal"] {
            let bytes = std::fs::read(format!("{}{ending}", file.display())).unwrap_or_default();
            for word in [
                "CanaryPatient",
                "CanaryPlace",
                "canary.actor",
                "CanaryFacts",
                "canary once",
                "former husband",
                "number:4471",
            ] {
                assert!(!bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{word} in {ending}");
            }
        }
    })
    .await;
}
