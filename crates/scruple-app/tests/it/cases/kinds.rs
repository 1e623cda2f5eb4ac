use super::ENGINE;
use super::desk::{House, TestRules};
use crate::support::{World, at, with_world};
use scruple_app::charts::AccessFacts;
use scruple_app::{Ask, Change, NOT_SHOWN, Narrower, Rules as _, change_of};
use scruple_core::{Id, Phi};
use scruple_flow::directory::Attributes;
use scruple_flow::{AccessRequest, Elevation, RequestTask, UseFinding};
use scruple_store::{
    AccessBasis, AccessOutcome, HeldGrant, NewChartAccess, NewDirectoryRecord, SourceKind, Subject, find_use_review_of,
    insert_directory, list_elevations_of_request, list_open_use_reviews, open_grants,
};
use std::collections::BTreeMap;

const WORDS: &str = "Peer review of the March falls, case 4711";

#[tokio::test]
async fn a_request_without_task_or_kinds_is_refused_and_its_kinds_become_the_scope_of_what_it_opens() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (nora, mia) = (house.who("nora"), house.who("mia"));
        let asked = |task: Option<RequestTask>, kinds: Option<&str>, patients: &[&str]| Ask {
            task,
            kinds: kinds.map(|kinds| kinds.parse().unwrap()),
            ..House::ask(patients, 2, WORDS)
        };
        let cover = Some(RequestTask::Cover);
        for (ask, code) in [
            (asked(None, Some("labs"), &["a"]), "task_missing"),
            (asked(cover, None, &["a"]), "kinds_missing"),
            (asked(cover, Some("labs claims"), &["a"]), "kinds_not_of_role"),
            (asked(cover, Some("segment:genetic"), &["a"]), "kinds_not_of_role"),
            (Ask { purpose: Some("COC".to_owned()), ..asked(cover, Some("labs"), &["a"]) }, "kinds_not_of_role"),
            (asked(cover, Some("labs"), &[]), "kinds_of_nobody"),
        ] {
            assert_eq!(house.desk().submit(nora, ask).await.unwrap_err().code(), code);
        }
        let request = house.desk().submit(nora, asked(cover, Some("labs vitals"), &["a"])).await.unwrap().now;
        // Who approves leaves less, and adds nothing.
        for (kinds, code) in [("*", "approval_wider"), ("documents", "approval_wider"), ("claims", "kinds_not_of_role")]
        {
            let narrower = Narrower { kinds: Some(kinds.parse().unwrap()), ..Narrower::default() };
            let refused = house.desk().approve(mia, request.id, 1, narrower).await.unwrap_err();
            assert_eq!(refused.code(), code, "{kinds}");
        }
        let narrower = Narrower { kinds: Some("labs".parse().unwrap()), ..Narrower::default() };
        house.desk().approve(mia, request.id, 1, narrower).await.unwrap();
        assert!(house.opened("nora", "TREAT").await.is_empty(), "nothing is open whole");
        let (cache, _) = world.fresh_cache().await;
        let held = cache.held("nora", world.now()).await.unwrap().unwrap();
        let limited = held.limited(&"nurse".parse().unwrap(), "TREAT", world.now());
        assert_eq!(limited["a"].kinds, ["labs".to_owned()].into());
    })
    .await;
}

#[tokio::test]
async fn what_is_specially_protected_waits_for_a_second_approval() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (nora, mia, max, pia) = (house.who("nora"), house.who("mia"), house.who("max"), house.who("pia"));
        let kinds = Some("labs segment:sud_other".parse().unwrap());
        let request = house.desk().submit(nora, Ask { kinds, ..House::ask(&["a"], 2, WORDS) }).await.unwrap().now;
        let once = house.desk().approve(mia, request.id, 1, Narrower::default()).await.unwrap().now;
        assert_eq!(once.state.code(), "pending");
        // The same person again, and another in the same capacity, count for nothing.
        for (who, code) in [(mia, "approved_twice"), (max, "approver_not_eligible")] {
            let refused = house.desk().approve(who, request.id, 2, Narrower::default()).await.unwrap_err();
            assert_eq!(refused.code(), code);
        }
        let twice = house.desk().approve(pia, request.id, 2, Narrower::default()).await.unwrap().now;
        assert_eq!(twice.state.code(), "approved");
    })
    .await;
}

/// Has HR say whom somebody reports to, and where he works.
async fn works(house: &House<'_>, person: &str, manager: Option<&str>, unit: Option<&str>) {
    let new = NewDirectoryRecord {
        person: house.people[person],
        attributes: Attributes {
            manager: manager.map(|manager| house.people[manager]),
            department: unit.map(|unit| Phi::new(unit.to_owned())),
            ..Attributes::default()
        },
        document: Phi::new(b"{}".to_vec()),
        at: house.world.now(),
    };
    let mut tx = house.world.store.begin().await.unwrap();
    insert_directory(&mut tx, &new).await.unwrap();
    house.world.commit(tx, Subject::Person(new.person)).await;
}

/// What each of these, in turn, is told who would approve what the nurse asks for: the state of the request, or why not.
async fn approved_by(house: &mut House<'_>, kinds: &str, approvers: &[&str]) -> Vec<String> {
    let nora = house.who("nora");
    let words = format!("{WORDS}, {kinds} for {}", approvers.join(" and "));
    let ask = Ask { kinds: Some(kinds.parse().unwrap()), ..House::ask(&["a"], 2, &words) };
    let request = house.desk().submit(nora, ask).await.unwrap().now;
    let (mut version, mut told) = (1, Vec::new());
    for login in approvers {
        let who = house.who(login);
        told.push(match house.desk().approve(who, request.id, version, Narrower::default()).await {
            Ok(done) => {
                version = done.now.version;
                done.now.state.code().to_owned()
            }
            Err(error) => error.code().to_owned(),
        });
    }
    told
}

#[tokio::test]
async fn nobody_of_the_line_of_who_asks_agrees_where_the_rule_says_so() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        // Nora reports to Mia, who reports to Pia.
        works(&house, "nora", Some("mia"), None).await;
        works(&house, "mia", Some("pia"), None).await;
        let told = approved_by(&mut house, "segment:part2", &["mia", "pia", "max"]).await;
        assert_eq!(told, ["approver_not_eligible", "approver_not_eligible", "approved"]);
        // Without such a rule the line may agree.
        assert_eq!(approved_by(&mut house, "labs", &["mia"]).await, ["approved"]);
        // To say no one need not stand apart.
        let (nora, mia) = (house.who("nora"), house.who("mia"));
        let kinds = Some("segment:part2".parse().unwrap());
        let ask = Ask { kinds, ..House::ask(&["a"], 2, "Second look at the consent of last week") };
        let request = house.desk().submit(nora, ask).await.unwrap().now;
        let comment = Phi::new("The programme has its own nurse".to_owned());
        let denied = house.desk().deny(mia, request.id, 1, comment).await.unwrap().now;
        assert_eq!(denied.state.code(), "denied");
    })
    .await;
}

#[tokio::test]
async fn a_line_in_a_circle_has_nobody_outside() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        works(&house, "nora", Some("mia"), None).await;
        works(&house, "mia", Some("nora"), None).await;
        assert_eq!(approved_by(&mut house, "segment:part2", &["max"]).await, ["approver_not_eligible"]);
    })
    .await;
}

#[tokio::test]
async fn approvals_come_from_different_departments_where_the_rule_says_so() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let zoe = world.person("zoe").await;
        world.grant(zoe, "manager", (0, 100_000)).await;
        house.people.insert("zoe", zoe);
        works(&house, "mia", None, Some("4 West")).await;
        works(&house, "max", None, Some(" 4 west ")).await;
        // Max is of the same department, of Zoe none is known.
        let told = approved_by(&mut house, "segment:hiv", &["mia", "mia", "max", "zoe"]).await;
        assert_eq!(told, ["pending", "approved_twice", "approver_not_eligible", "approver_not_eligible"]);
        works(&house, "zoe", None, Some("Pharmacy")).await;
        let told = approved_by(&mut house, "segment:hiv", &["max", "zoe"]).await;
        assert_eq!(told, ["pending", "approved"]);
    })
    .await;
}

/// Moves the clock to a second.
fn until(world: &World, second: i64) {
    world.clock.advance_micros(at(second).micros() - world.now().micros());
}

/// What the index has of a read of one type: who, under which elevation if under one, when.
async fn read(house: &House<'_>, who: &str, resource_type: &str, under: Option<Id<Elevation>>, second: i64) {
    let world = house.world;
    let source = world.store.ensure_source(world.id(), (SourceKind::Csv, "epic"), at(0)).await.unwrap().unwrap();
    // With which of several kinds it was, where the record says so: `Observation vitals`.
    let (name, kinds) = match resource_type.split_once(' ') {
        Some((name, _)) => (name, vec![resource_type.to_owned()]),
        None => (resource_type, Vec::new()),
    };
    let types = BTreeMap::from([(name.to_owned(), 1)]);
    let access = NewChartAccess {
        id: world.id(),
        source,
        once: Phi::new(format!("{who} {resource_type} {second}")),
        at: at(second),
        patient: Phi::new("Patient/a".to_owned()),
        person: Some(house.people[who]),
        actor: Phi::new(who.to_owned()),
        role: Some("nurse".to_owned()),
        purpose: Some("TREAT".to_owned()),
        outcome: AccessOutcome::Opened,
        basis: if under.is_some() { AccessBasis::Asked } else { AccessBasis::Encounter },
        grant: None,
        elevation: under,
        entry: None,
        outside: false,
        place: None,
        facts: Phi::new(AccessFacts { types, kinds, ..AccessFacts::default() }.to_bytes()),
    };
    world.store.append_log(&[access]).await.unwrap();
}

/// An access of the nurse to results of one patient, until second 7,200.
async fn to_labs(house: &mut House<'_>) -> Id<Elevation> {
    let (nora, mia) = (house.who("nora"), house.who("mia"));
    let kinds = Some("labs".parse().unwrap());
    let words = format!("{WORDS}, {}", house.world.id::<Elevation>());
    let request = house.desk().submit(nora, Ask { kinds, ..House::ask(&["a"], 2, &words) }).await.unwrap().now;
    house.desk().approve(mia, request.id, 1, Narrower::default()).await.unwrap();
    let mut tx = house.world.store.begin_read().await.unwrap();
    list_elevations_of_request(&mut tx, request.id).await.unwrap()[0].held.id
}

#[tokio::test]
async fn who_opens_notes_by_his_role_while_he_holds_access_to_results_is_asked_about() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let elevation = to_labs(&mut house).await;
        read(&house, "nora", "Observation", Some(elevation), 60).await;
        read(&house, "nora", "DocumentReference", None, 120).await;
        // Somebody else's read, and one after the end, are none of his.
        read(&house, "bob", "DocumentReference", None, 130).await;
        read(&house, "nora", "DocumentReference", None, 7_200).await;
        // It is compared an hour after its end, once.
        until(world, 7_200 + 3_599);
        assert_eq!(house.desk().compare_uses().await.unwrap(), 0);
        assert_eq!(find_use_review_of(&mut world.store.begin_read().await.unwrap(), elevation).await.unwrap(), None);
        until(world, 7_200 + 3_600);
        assert_eq!(house.desk().compare_uses().await.unwrap(), 1);
        assert_eq!(house.desk().compare_uses().await.unwrap(), 0);
        let open = list_open_use_reviews(&mut world.store.begin_read().await.unwrap(), None).await.unwrap();
        let beside: Vec<String> = open[0].beside.iter().map(ToString::to_string).collect();
        assert_eq!((open.len(), open[0].elevation, beside), (1, elevation, vec!["documents".to_owned()]));
        assert!(!open[0].unused);
        // The reader does not close it, nor a manager who had nothing to do with it; who agreed does, with a sentence, once.
        let (id, nora, max, mia) = (open[0].id, house.who("nora"), house.who("max"), house.who("mia"));
        let said = |words: &str| (UseFinding::Explained, Phi::new(words.to_owned()));
        let why = "The ward had asked her about the note as well";
        for (who, version, words, code) in [
            (nora, 1, why, "unknown"),
            (max, 1, why, "unknown"),
            (mia, 2, why, "changed"),
            (mia, 1, "fine", "reason_short"),
        ] {
            let refused = house.desk().close_use(who, id, version, said(words)).await.unwrap_err();
            assert_eq!(refused.code(), code);
        }
        let closed = house.desk().close_use(mia, id, 1, said(why)).await.unwrap().now;
        assert_eq!((closed.state.code(), closed.version), ("explained", 2));
        let pia = house.who("pia");
        assert_eq!(house.desk().close_use(pia, id, 2, said(why)).await.unwrap_err().code(), "invalid_task_state");
        assert!(list_open_use_reviews(&mut world.store.begin_read().await.unwrap(), None).await.unwrap().is_empty());
    })
    .await;
}

/// JX-18: within one type of resources, results are told from vital signs where the record says which they were.
#[tokio::test]
async fn vital_signs_are_beside_results_though_both_are_observations() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let elevation = to_labs(&mut house).await;
        read(&house, "nora", "Observation labs", Some(elevation), 60).await;
        read(&house, "nora", "Observation vitals", None, 120).await;
        until(world, 7_200 + 3_600);
        assert_eq!(house.desk().compare_uses().await.unwrap(), 1);
        let open = list_open_use_reviews(&mut world.store.begin_read().await.unwrap(), None).await.unwrap();
        let beside: Vec<String> = open[0].beside.iter().map(ToString::to_string).collect();
        assert_eq!((beside, open[0].unused), (vec!["vitals".to_owned()], false));
    })
    .await;
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let elevation = to_labs(&mut house).await;
        read(&house, "nora", "Observation labs", Some(elevation), 60).await;
        until(world, 7_200 + 3_600);
        assert_eq!(house.desk().compare_uses().await.unwrap(), 0, "results were asked for");
    })
    .await;
}

#[tokio::test]
async fn access_that_was_used_as_asked_matches_and_what_nobody_used_is_told() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let used = to_labs(&mut house).await;
        read(&house, "nora", "Observation", Some(used), 60).await;
        read(&house, "nora", "Patient", Some(used), 61).await;
        until(world, 7_200 + 3_600);
        assert_eq!(house.desk().compare_uses().await.unwrap(), 0);
        let mut tx = world.store.begin_read().await.unwrap();
        let matched = find_use_review_of(&mut tx, used).await.unwrap().unwrap();
        assert_eq!((matched.state.code(), matched.unused), ("matched", false));
        drop(tx);
        let pia = house.who("pia");
        let said = (UseFinding::Explained, Phi::new("There is nothing to be explained".to_owned()));
        assert_eq!(house.desk().close_use(pia, matched.id, 1, said).await.unwrap_err().code(), "invalid_task_state");
    })
    .await;
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let unused = to_labs(&mut house).await;
        until(world, 7_200 + 3_600);
        assert_eq!(house.desk().compare_uses().await.unwrap(), 1);
        let mut tx = world.store.begin_read().await.unwrap();
        let told = find_use_review_of(&mut tx, unused).await.unwrap().unwrap();
        assert_eq!((told.state.code(), told.unused, told.beside.len()), ("open", true, 0));
    })
    .await;
}

fn told(change: &Change) -> Vec<String> {
    change.changed.iter().map(|one| format!("{}: {} -> {}", one.kind, one.before, one.after)).collect()
}

async fn change(house: &mut House<'_>, request: &AccessRequest) -> Change {
    let (world, now) = (house.world, house.world.now());
    change_of(&mut world.store.begin_read().await.unwrap(), house.desk().rules, request, now).await.unwrap()
}

/// IL-10: before and after, and what is approved is that and nothing else.
#[tokio::test]
async fn a_request_shows_what_it_changes_and_approving_it_applies_exactly_that() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (bob, mia, pia) = (house.who("bob"), house.who("mia"), house.who("pia"));
        let request = house.desk().submit(bob, House::ask(&[], 8, WORDS)).await.unwrap().now;
        let seen = change(&mut house, &request).await;
        let nurse = ["documents: none -> full", "labs: masked:coded -> full", "vitals: none -> full"];
        assert_eq!(told(&seen), nurse);
        // His own role ends meanwhile: what was shown is not what would be changed.
        let own = open_grants(&mut world.store.begin_read().await.unwrap(), bob.person, world.now()).await.unwrap();
        house.desk().end_grant(pia, own[0].id, 1).await.unwrap();
        let against = |change: &Change| Narrower { against: Some(change.basis.clone()), ..Narrower::default() };
        for who in [mia, pia] {
            let stale = house.desk().approve(who, request.id, 1, against(&seen)).await.unwrap_err();
            assert_eq!(stale.code(), "changed");
        }
        let fresh = change(&mut house, &request).await;
        assert_eq!(told(&fresh), ["documents: none -> full", "labs: none -> full", "vitals: none -> full"]);
        let roles = |held: &[HeldGrant]| held.iter().map(|grant| grant.role.clone()).collect();
        let before = TestRules.effective(&roles(&[]));
        house.desk().approve(mia, request.id, 1, against(&fresh)).await.unwrap();
        house.desk().approve(pia, request.id, 2, against(&fresh)).await.unwrap();
        let held = open_grants(&mut world.store.begin_read().await.unwrap(), bob.person, world.now()).await.unwrap();
        let after = TestRules.effective(&roles(&held));
        for one in &fresh.changed {
            let was = before.get(&one.kind).map_or(NOT_SHOWN, String::as_str);
            let is = after.get(&one.kind).map_or(NOT_SHOWN, String::as_str);
            assert_eq!((was, is), (one.before.as_str(), one.after.as_str()), "{}", one.kind);
        }
        let named: Vec<&String> = fresh.changed.iter().map(|one| &one.kind).collect();
        assert!(after.keys().all(|kind| named.contains(&kind)), "and nothing beside it: {after:?}");

        // Of patients: the kinds that are named; what is open already is no change.
        let nora = house.who("nora");
        let some = |kinds: &str, words: &str| Ask {
            kinds: Some(kinds.parse().unwrap()),
            ..House::ask(&["a"], 2, &format!("{WORDS} {words}"))
        };
        let first = house.desk().submit(nora, some("labs", "first")).await.unwrap().now;
        let seen = change(&mut house, &first).await;
        assert_eq!(told(&seen), ["labs: none -> full"]);
        let second = house.desk().submit(nora, some("labs vitals", "second")).await.unwrap().now;
        let both = change(&mut house, &second).await;
        assert_eq!(told(&both), ["labs: none -> full", "vitals: none -> full"]);
        house.desk().approve(mia, first.id, 1, against(&seen)).await.unwrap();
        let stale = house.desk().approve(mia, second.id, 1, against(&both)).await.unwrap_err();
        assert_eq!(stale.code(), "changed");
        let rest = change(&mut house, &second).await;
        assert_eq!(told(&rest), ["vitals: none -> full"]);
        house.desk().approve(mia, second.id, 1, against(&rest)).await.unwrap();
    })
    .await;
}
