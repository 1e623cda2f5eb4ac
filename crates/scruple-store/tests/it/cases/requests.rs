use super::ENGINE;
use crate::support::{TestDb, at, with_db};
use scruple_core::{Id, Phi};
use scruple_flow::{
    AccessRequest, ApprovalRule, Approver, ApproverKind, Backup, Extended, Kinds, RequestState, RequestTask, Wanted,
    Window,
};
use scruple_store::{
    Aggregate, Person, StoreError, Subject, find_request, insert_request, list_overdue_requests, list_pending_requests,
    list_pending_requests_after, list_requests, list_requests_decided_by, list_requests_of, mark_person_left,
    requests_between, update_request,
};

const WORDS: &str = "Peer review of the March falls, case 4711";

pub fn privacy() -> ApproverKind {
    ApproverKind::Role("privacy_officer".parse().unwrap())
}

/// A request of the second of three people for the first one, handed in at second 0.
pub fn pending(db: &TestDb, people: [Id<Person>; 3], patients: &[&str], needs: &[ApproverKind]) -> AccessRequest {
    let draft = AccessRequest {
        id: db.id(),
        person: people[0],
        requested_by: people[1],
        wanted: Wanted {
            role: "nurse".parse().unwrap(),
            purpose: Some("TREAT".to_owned()),
            patients: patients.iter().map(|id| id.parse().unwrap()).collect(),
            task: RequestTask::Quality,
            kinds: if patients.is_empty() { Kinds::Whole } else { "labs vitals".parse().unwrap() },
            window: Window::new(at(0), at(3_600)).unwrap(),
        },
        justification: Phi::new(WORDS.to_owned()),
        ticket: Some("INC-4711".to_owned()),
        rule: ApprovalRule { needs: needs.to_vec(), hours_max: 8, decide_hours: 4, step_up: true, backup: None },
        submitted_at: at(0),
        decide_by: at(0),
        extends: None,
        acknowledged: None,
        state: RequestState::Draft,
        version: 1,
    };
    draft.submit(None, at(0)).unwrap()
}

pub fn approver(person: Id<Person>, kinds: &[ApproverKind]) -> Approver {
    Approver { person, acting_for: None, kinds: kinds.iter().cloned().collect(), stepped_up: true }
}

pub async fn stored(db: &TestDb, request: &AccessRequest) {
    let mut tx = db.begin().await;
    insert_request(&mut tx, request).await.unwrap();
    db.commit(tx, Subject::Person(request.person)).await.unwrap();
}

pub async fn changed(db: &TestDb, request: &AccessRequest, version: i64) -> Result<(), StoreError> {
    let mut tx = db.begin().await;
    update_request(&mut tx, request, version).await?;
    db.commit(tx, Subject::Person(request.person)).await.map(drop)
}

async fn found(db: &TestDb, id: Id<AccessRequest>) -> AccessRequest {
    find_request(&mut db.read().await, id).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_request_is_found_as_it_was_made_and_as_it_was_decided() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let second = db.person("second-approver").await;
        let request = pending(db, people, &["a", "b"], &[ApproverKind::LineManager, privacy()]);
        stored(db, &request).await;
        assert_eq!(found(db, request.id).await, request);
        assert_eq!(find_request(&mut db.read().await, db.id()).await.unwrap(), None);

        let manager = approver(people[2], &[ApproverKind::LineManager]);
        let narrower = Wanted {
            patients: [("b").parse().unwrap()].into(),
            window: Window::new(at(0), at(1_800)).unwrap(),
            kinds: "labs".parse().unwrap(),
            ..request.wanted.clone()
        };
        let once = request.approve(&manager, Some(narrower), at(60)).unwrap();
        changed(db, &once, 1).await.unwrap();
        let once = found(db, once.id).await;
        assert_eq!(
            (once.version, once.wanted.patients.len(), once.wanted.kinds.to_string()),
            (2, 1, "labs".to_owned())
        );
        let twice = once.approve(&approver(second, &[privacy()]), None, at(120)).unwrap();
        changed(db, &twice, 2).await.unwrap();
        let last = found(db, twice.id).await;
        assert_eq!(last, AccessRequest { version: 3, ..twice });
        assert_eq!(last.state.code(), "approved");

        for (name, of) in [("denied", 0), ("cancelled", 1), ("expired", 2)] {
            let request = pending(db, people, &[], &[privacy()]);
            stored(db, &request).await;
            let ended = match of {
                0 => request.deny(&approver(second, &[privacy()]), Phi::new(WORDS.to_owned()), at(9)),
                1 => request.cancel(people[1], at(9)),
                _ => request.expire(at(14_400)),
            };
            let ended = ended.unwrap();
            changed(db, &ended, 1).await.unwrap();
            assert_eq!(found(db, ended.id).await, AccessRequest { version: 2, ..ended });
            assert_eq!(found(db, last.id).await.state.code(), "approved", "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn of_all_that_a_role_has_an_approver_leaves_some_kinds_and_nobody_adds_to_them() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let second = db.person("second-approver").await;
        let mut request = pending(db, people, &["a"], &[ApproverKind::LineManager, privacy()]);
        request.wanted.kinds = Kinds::Whole;
        stored(db, &request).await;
        assert_eq!(found(db, request.id).await, request);
        let manager = approver(people[2], &[ApproverKind::LineManager]);
        let fewer = Wanted { kinds: "labs segment:hiv".parse().unwrap(), ..request.wanted.clone() };
        let once = request.approve(&manager, Some(fewer), at(60)).unwrap();
        changed(db, &once, 1).await.unwrap();
        let once = found(db, once.id).await;
        assert_eq!(once.wanted.kinds.to_string(), "labs segment:hiv");
        let twice = once.clone().approve(&approver(second, &[privacy()]), None, at(120)).unwrap();
        let mut more = twice.clone();
        more.wanted.kinds = "documents labs segment:hiv".parse().unwrap();
        let refused = changed(db, &more, 2).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        changed(db, &twice, 2).await.unwrap();
        assert_eq!(found(db, twice.id).await.wanted.kinds.to_string(), "labs segment:hiv");
    })
    .await;
}

#[tokio::test]
async fn the_table_lets_no_request_go_another_way() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let request = pending(db, people, &["a"], &[privacy()]);
        stored(db, &request).await;
        let refused =
            |found: Result<(), StoreError>| assert!(matches!(found, Err(StoreError::Refused(_))), "{found:?}");
        // Approved by nobody, decided by who asked, wider, another person's, a draft again.
        let none = RequestState::Approved { approvals: Vec::new(), at: at(1) };
        refused(changed(db, &AccessRequest { state: none, ..request.clone() }, 1).await);
        let own = RequestState::Denied { by: people[1], at: at(1), comment: Phi::new(WORDS.to_owned()) };
        refused(changed(db, &AccessRequest { state: own, ..request.clone() }, 1).await);
        let longer = Wanted { window: Window::new(at(0), at(7_200)).unwrap(), ..request.wanted.clone() };
        refused(changed(db, &AccessRequest { wanted: longer, ..request.clone() }, 1).await);
        let any = Wanted { purpose: None, ..request.wanted.clone() };
        refused(changed(db, &AccessRequest { wanted: any, ..request.clone() }, 1).await);
        assert!(db.raw("UPDATE access_request SET task = 'other'").await.is_err());
        assert!(db.raw("UPDATE access_request SET whole = 1").await.is_err());
        assert!(db.raw("UPDATE request_kind SET kind = 'documents'").await.is_err());
        for kinds in ["*", "labs segment:hiv vitals"] {
            let more = Wanted { kinds: kinds.parse().unwrap(), ..request.wanted.clone() };
            let mut tx = db.begin().await;
            update_request(&mut tx, &request, 1).await.unwrap();
            refused(update_request(&mut tx, &AccessRequest { wanted: more, ..request.clone() }, 2).await);
        }
        refused(changed(db, &AccessRequest { state: RequestState::Draft, ..request.clone() }, 1).await);
        // Two people: neither who asks, nor who gets, nor for either of them.
        for (by, acting_for) in [(people[0], None), (people[1], None), (people[2], Some(people[0]))] {
            let approval = scruple_flow::Approval { by, acting_for, kind: privacy(), at: at(1) };
            let state = RequestState::Approved { approvals: vec![approval], at: at(1) };
            refused(changed(db, &AccessRequest { state, ..request.clone() }, 1).await);
        }
        let ended = request.clone().cancel(people[1], at(1)).unwrap();
        changed(db, &ended, 1).await.unwrap();
        refused(changed(db, &AccessRequest { version: 2, ..request.clone() }, 2).await);
        let begins = RequestState::Expired { at: at(1) };
        let other = AccessRequest { id: db.id(), state: begins, ..request };
        let inserted = insert_request(&mut db.begin().await, &other).await;
        assert!(inserted.is_err());
        for table in ["access_request", "request_patient", "request_kind", "request_approval"] {
            assert!(db.raw(&format!("DELETE FROM {table}")).await.is_err() || table == "request_approval");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_decide_at_one_time_one_wins() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let second = db.person("second-approver").await;
        let deadline = |request: &AccessRequest| request.clone().expire(request.decide_by).unwrap();
        let approve = |by: Id<Person>| {
            move |request: &AccessRequest| request.clone().approve(&approver(by, &[privacy()]), None, at(9)).unwrap()
        };
        let withdraw = |request: &AccessRequest| request.clone().cancel(request.requested_by, at(9)).unwrap();
        let others: [&dyn Fn(&AccessRequest) -> AccessRequest; 3] = [&approve(second), &withdraw, &deadline];
        for other in others {
            let request = pending(db, people, &["a"], &[privacy()]);
            stored(db, &request).await;
            let mut tasks = tokio::task::JoinSet::new();
            for ended in [approve(people[2])(&request), other(&request)] {
                let (store, lease) = (db.second_store().await, db.lease.clone());
                let event = db.event(2, &Aggregate::new("access_request", request.id), Subject::Person(people[0]));
                tasks.spawn(async move {
                    let mut tx = store.begin().await.unwrap();
                    update_request(&mut tx, &ended, 1).await?;
                    tx.commit(&lease, &[event]).await.map(|_| ended)
                });
            }
            let results = tasks.join_all().await;
            let winners: Vec<_> = results.iter().flatten().collect();
            assert_eq!(winners.len(), 1, "{results:?}");
            let last = found(db, request.id).await;
            assert_eq!(last.state, winners[0].state);
        }
    })
    .await;
}

#[tokio::test]
async fn lists_hold_what_is_open_what_is_over_and_what_is_somebody_s() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let mut ids = Vec::new();
        for _ in 0..3 {
            let request = pending(db, people, &["a"], &[privacy()]);
            stored(db, &request).await;
            ids.push(request.id);
        }
        ids.sort();
        let of = |list: Vec<AccessRequest>| {
            let mut found: Vec<_> = list.iter().map(|request| request.id).collect();
            found.sort();
            found
        };
        let mut tx = db.read().await;
        // What is asked for is over after an hour, before the four in which it can be decided.
        assert_eq!(of(list_pending_requests(&mut tx, at(3_599)).await.unwrap()), ids);
        assert_eq!(of(list_pending_requests(&mut tx, at(3_600)).await.unwrap()), []);
        assert_eq!(of(list_overdue_requests(&mut tx, at(3_599)).await.unwrap()), []);
        assert_eq!(of(list_overdue_requests(&mut tx, at(3_600)).await.unwrap()), ids);
        // Page by page, by when it is to be decided and its id: each once.
        let (mut after, mut paged) = (None, Vec::new());
        loop {
            let page = list_pending_requests_after(&mut tx, at(0), after).await.unwrap();
            let Some(first) = page.first() else { break };
            after = Some((first.decide_by, first.id));
            paged.push(first.id);
        }
        assert_eq!(paged, ids);
        for (person, expected) in [(people[0], &ids[..]), (people[1], &ids[..]), (people[2], &[][..])] {
            assert_eq!(of(list_requests_of(&mut tx, person, None).await.unwrap()), expected);
        }
        let newest = list_requests_of(&mut tx, people[0], None).await.unwrap();
        assert_eq!(newest[0].id, ids[2]);
        assert_eq!(of(list_requests_of(&mut tx, people[0], Some(ids[1])).await.unwrap()), &ids[..1]);
    })
    .await;
}

#[tokio::test]
async fn what_somebody_has_decided_is_his_list_and_all_is_everybody_s() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let second = db.person("second-approver").await;
        let (mut ids, mut yes_or_no) = (Vec::new(), Vec::new());
        for of in 0..4 {
            let needs = [ApproverKind::LineManager, privacy()];
            let request = pending(db, people, &["a"], if of == 0 { &needs[..] } else { &needs[1..] });
            stored(db, &request).await;
            ids.push(request.id);
            if of < 3 {
                yes_or_no.push(request.id);
            }
            let office = approver(second, &[privacy()]);
            let decided = match of {
                // One yes of two is a decision too.
                0 | 1 => request.approve(&office, None, at(9)),
                2 => request.deny(&office, Phi::new(WORDS.to_owned()), at(9)),
                _ => request.cancel(people[1], at(9)),
            };
            changed(db, &decided.unwrap(), 1).await.unwrap();
        }
        ids.sort();
        yes_or_no.sort();
        let back = |ids: &[Id<AccessRequest>]| ids.iter().rev().copied().collect::<Vec<_>>();
        let of = |list: Vec<AccessRequest>| list.iter().map(|request| request.id).collect::<Vec<_>>();
        let mut tx = db.read().await;
        assert_eq!(of(list_requests(&mut tx, None).await.unwrap()), back(&ids));
        assert_eq!(of(list_requests(&mut tx, Some(ids[1])).await.unwrap()), &ids[..1]);
        let decided = of(list_requests_decided_by(&mut tx, second, None).await.unwrap());
        assert_eq!(decided, back(&yes_or_no));
        let older = list_requests_decided_by(&mut tx, second, Some(yes_or_no[1])).await.unwrap();
        assert_eq!(of(older), &yes_or_no[..1]);
        assert_eq!(of(list_requests_decided_by(&mut tx, people[1], None).await.unwrap()), []);
    })
    .await;
}

#[tokio::test]
async fn nobody_asks_for_one_who_is_gone() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let request = pending(db, people, &[], &[privacy()]);
        let mut tx = db.begin().await;
        mark_person_left(&mut tx, people[0], 1, at(0)).await.unwrap();
        db.commit(tx, Subject::Person(people[0])).await.unwrap();
        let refused = insert_request(&mut db.begin().await, &request).await;
        assert!(matches!(refused, Err(StoreError::RowsAffected { table: "person", .. })), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn no_patient_and_no_word_stands_in_clear() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let request = pending(db, people, &["canary-patient-93"], &[privacy()]);
        stored(db, &request).await;
        let denied =
            request.deny(&approver(people[2], &[privacy()]), Phi::new("canary comment of a refusal".to_owned()), at(9));
        changed(db, &denied.unwrap(), 1).await.unwrap();
        for needle in ["canary-patient-93", "canary comment", "Peer review of the March", "INC-4711"] {
            assert!(!db.holds(needle.as_bytes()).await, "{needle}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_requests_of_a_period_are_counted_as_they_stand_then() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let first = pending(db, people, &["a"], &[privacy()]);
        let second = pending(db, people, &["b"], &[privacy()]);
        stored(db, &first).await;
        stored(db, &second).await;
        let approved = first.approve(&approver(people[2], &[privacy()]), None, at(60)).unwrap();
        changed(db, &approved, 1).await.unwrap();
        let states = async |until: i64, now: i64| -> Vec<(String, Option<i64>)> {
            let facts = requests_between(&mut db.read().await, at(0), at(until), at(now)).await.unwrap();
            let seconds = |decided: scruple_core::Timestamp| (decided.micros() - at(0).micros()) / 1_000_000;
            let mut told: Vec<_> = facts.into_iter().map(|row| (row.state, row.decided_at.map(seconds))).collect();
            told.sort();
            told
        };
        let text = |state: &str| state.to_owned();
        assert_eq!(states(1, 3_599).await, [(text("approved"), Some(60)), (text("pending"), None)]);
        // Nobody wrote it down, and it is over.
        assert_eq!(states(1, 3_600).await, [(text("approved"), Some(60)), (text("expired"), Some(3_600))]);
        assert_eq!(states(0, 3_600).await, Vec::new());
    })
    .await;
}

#[tokio::test]
async fn a_request_keeps_its_backup_what_was_read_and_what_it_prolongs_once_at_a_time() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let backup = Some(Backup { kind: privacy(), after_hours: 2 });
        let mut first = pending(db, people, &[], &[ApproverKind::LineManager]);
        first.rule.backup = backup;
        first.acknowledged = Some("role-0123456789abcdef".to_owned());
        stored(db, &first).await;
        assert_eq!(found(db, first.id).await, first);
        let approved = first.approve(&approver(people[2], &[ApproverKind::LineManager]), None, at(60)).unwrap();
        changed(db, &approved, 1).await.unwrap();

        let longer = |number: i64, since: i64, until: i64| AccessRequest {
            wanted: Wanted { window: Window::new(at(3_600), at(until)).unwrap(), ..approved.wanted.clone() },
            extends: Some(Extended { request: approved.id, number, since: at(since) }),
            ..pending(db, people, &[], &[ApproverKind::LineManager])
        };
        let insert = async |request: &AccessRequest| {
            let mut tx = db.begin().await;
            insert_request(&mut tx, request).await?;
            db.commit(tx, Subject::Everyone).await.map(drop)
        };
        // Not the first extension, of another beginning, of somebody else.
        let other = AccessRequest { person: people[2], ..longer(1, 0, 7_200) };
        for wrong in [longer(2, 0, 7_200), longer(1, 5, 7_200), other] {
            let refused = insert(&wrong).await;
            assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        }
        let one = longer(1, 0, 7_200);
        insert(&one).await.unwrap();
        assert_eq!(found(db, one.id).await, one);
        let again = insert(&longer(1, 0, 7_200)).await;
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
        let taken_back = one.cancel(people[0], at(70)).unwrap();
        changed(db, &taken_back, 1).await.unwrap();
        insert(&longer(1, 0, 7_200)).await.unwrap();
        for attempt in [
            "UPDATE access_request SET acknowledged = NULL, version = version + 1",
            "UPDATE access_request SET backup = NULL, escalate_hours = NULL, version = version + 1",
            "UPDATE access_request SET extension = 1, version = version + 1 WHERE extension IS NULL",
        ] {
            assert!(db.raw(attempt).await.is_err(), "{attempt}");
        }
    })
    .await;
}
