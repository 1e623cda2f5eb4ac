//! Charts that are opened beyond a relationship: by a person's word, in an emergency, by a request; each until its end and no longer,
//! each named in the record.

use crate::leaks::next;
use crate::support::{World, active, code, login, noon, resolved};
use crate::two::{condition, observation, patient, store, visit};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use scruple_app::{Ask, Declaration, Desk, Emergency, Narrower, Who};
use scruple_core::{EntryBody, Id, Phi};
use scruple_flow::{DeclaredReason, Elevation, EmergencyReason, Login, Person, RequestTask};
use scruple_pairs::Behind;
use scruple_policy::ReminderOf;
use scruple_store::{find_person_by_login, open_elevations, open_grants};
use scruple_testkit::interfere::Response;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

const HOUR: i64 = 3_600_000_000;

fn world() -> World {
    let values = [patient("p1", "1980-05-17"), patient("p2", "1981-06-18"), patient("p3", "1982-07-19")];
    World::under(resolved(), Behind::Raw.upstream(&store(&values), noon()).unwrap())
}

/// Who somebody in a role is.
fn who(world: &World, role: &str) -> Who {
    let login: Login = login(role).parse().unwrap();
    let person: Id<Person> = world.runtime.block_on(async {
        let mut tx = world.state.0.begin_read().await.unwrap();
        find_person_by_login(&mut tx, &login).await.unwrap().unwrap().id
    });
    Who { person, stepped_up: true }
}

/// Runs a use case, and has the gateway hear of it.
fn at_the_desk<T>(world: &World, run: impl AsyncFnOnce(&mut Desk<'_>) -> T) -> T {
    let active = resolved();
    // Ids are drawn: each use case has draws of its own, and none of those that made the world.
    static DRAWS: AtomicU64 = AtomicU64::new(1 << 32);
    let mut rng = ChaCha20Rng::seed_from_u64(DRAWS.fetch_add(1, Ordering::Relaxed));
    let (store, lease) = &world.state;
    let mut desk = Desk { store, lease, clock: world.clock.as_ref(), rng: &mut rng, rules: active.pack.as_ref() };
    let done = world.runtime.block_on(run(&mut desk));
    hear(world);
    done
}

fn hear(world: &World) {
    world.runtime.block_on(world.follower.as_ref().unwrap().poll()).unwrap();
}

fn reads(world: &World, purpose: &str, patients: [&str; 3]) -> [u16; 3] {
    patients.map(|patient| world.get("nurse", purpose, &format!("/fhir/Patient/{patient}")).status)
}

const ALL: [&str; 3] = ["p1", "p2", "p3"];

fn last_relations(world: &World) -> Vec<String> {
    match world.entries().pop().unwrap().body {
        EntryBody::Release { relations, .. } => relations,
        _ => unreachable!("the last entry tells of something else"),
    }
}

#[test]
fn a_declared_relationship_opens_one_chart_until_its_end_and_the_record_names_it() {
    let world = world();
    assert_eq!(reads(&world, "TREAT", ALL), [404, 404, 404]);
    let nurse = who(&world, "nurse");
    let declaration = Declaration {
        role: "nurse".parse().unwrap(),
        patient: "p2".parse().unwrap(),
        reason: DeclaredReason::Covering,
        ends_at: noon().plus_micros(8 * HOUR),
        words: Phi::new(String::new()),
    };
    let opened = at_the_desk(&world, async |desk| desk.declare(nurse, declaration).await.unwrap().now);
    assert_eq!(reads(&world, "TREAT", ALL), [404, 200, 404]);
    world.get("nurse", "TREAT", "/fhir/Patient/p2");
    assert_eq!(last_relations(&world), [format!("Patient/p2 declared Elevation/{}", opened.opening().id)]);
    let found = world.get("nurse", "TREAT", "/fhir/Patient?_total=accurate");
    assert_eq!(serde_json::from_slice::<Value>(&found.body).unwrap()["total"], 1);
    // Another person, another role, break-glass: nothing is open.
    assert_eq!(world.get("physician", "TREAT", "/fhir/Patient/p2").status, 404);
    assert_eq!(code(&world.get("nurse", "BTG", "/fhir/Patient/p2")), "elevation_missing");
    world.clock.advance_micros(8 * HOUR - 1);
    hear(&world);
    assert_eq!(reads(&world, "TREAT", ALL), [404, 200, 404]);
    world.clock.advance_micros(1);
    assert_eq!(reads(&world, "TREAT", ALL), [404, 404, 404], "no job and no look at the feed is needed for the end");
}

#[test]
fn an_emergency_opens_its_patient_and_no_other_under_break_glass() {
    let world = world();
    let nurse = who(&world, "nurse");
    let open = |patient: &str| -> Id<Elevation> {
        let emergency = Emergency {
            role: "nurse".parse().unwrap(),
            patient: patient.parse().unwrap(),
            reason: EmergencyReason::LifeThreat,
            words: Phi::new(String::new()),
        };
        at_the_desk(&world, async |desk| desk.break_glass(nurse, emergency).await.unwrap().now.opening().id)
    };
    assert_eq!(reads(&world, "BTG", ALL), [403, 403, 403]);
    let first = open("p1");
    assert_eq!(reads(&world, "BTG", ALL), [200, 404, 404]);
    assert_eq!(reads(&world, "TREAT", ALL), [200, 404, 404]);
    open("p3");
    assert_eq!(reads(&world, "BTG", ALL), [200, 404, 200]);
    let found = world.get("nurse", "BTG", "/fhir/Patient?_total=accurate");
    assert_eq!(serde_json::from_slice::<Value>(&found.body).unwrap()["total"], 2);
    at_the_desk(&world, async |desk| desk.end_elevation(nurse, first, 1).await.unwrap());
    assert_eq!(reads(&world, "BTG", ALL), [404, 404, 200]);
    world.clock.advance_micros(4 * HOUR);
    hear(&world);
    assert_eq!(reads(&world, "BTG", ALL), [403, 403, 403]);
}

#[test]
fn what_is_specially_protected_opens_by_a_second_confirmation_for_that_patient_alone() {
    // Each has a diagnosis that everybody who treats holds, and one of a substance-use programme, by its label.
    let part2 = |id: &str, patient: &str| {
        let mut labelled = diagnosis(id, patient, "I10");
        labelled["meta"]["security"] =
            json!([{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "42CFRPart2" }]);
        labelled
    };
    let notes = |id: &str, patient: &str| {
        let mut labelled = diagnosis(id, patient, "I10");
        labelled["meta"]["security"] =
            json!([{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIPAAPsyNotes" }]);
        labelled
    };
    let mut values = vec![patient("p1", "1980-05-17"), patient("p2", "1981-06-18")];
    for number in ["1", "2"] {
        let of = format!("Patient/p{number}");
        values.push(diagnosis(&format!("plain{number}"), &of, "I10"));
        values.push(part2(&format!("programme{number}"), &of));
        values.push(notes(&format!("notes{number}"), &of));
    }
    let world = World::under(resolved(), Behind::Raw.upstream(&store(&values), noon()).unwrap());
    let nurse = who(&world, "nurse");
    let open = |patient: &str| {
        let emergency = Emergency {
            role: "nurse".parse().unwrap(),
            patient: patient.parse().unwrap(),
            reason: EmergencyReason::LifeThreat,
            words: Phi::new(String::new()),
        };
        at_the_desk(&world, async |desk| desk.break_glass(nurse, emergency).await.unwrap().now.opening().id)
    };
    let sees = |purpose: &str| {
        let status = |id: &str| world.get("nurse", purpose, &format!("/fhir/Condition/{id}")).status;
        ["plain1", "programme1", "notes1", "plain2", "programme2", "notes2"].map(status)
    };
    let (first, second) = (open("p1"), open("p2"));
    assert_eq!(sees("BTG"), [200, 404, 404, 200, 404, 404]);
    let confirmed = at_the_desk(&world, async |desk| desk.confirm_protected(nurse, first, 1).await.unwrap().now);
    assert_eq!((confirmed.version, confirmed.held.protected_at), (2, Some(noon())));
    // At once, of that patient alone; psychotherapy notes never.
    assert_eq!(sees("BTG"), [200, 200, 404, 200, 404, 404]);
    assert_eq!(sees("TREAT"), [200, 200, 404, 200, 404, 404]);
    let found = world.get("nurse", "BTG", "/fhir/Condition?_total=accurate");
    assert_eq!(serde_json::from_slice::<Value>(&found.body).unwrap()["total"], 3);
    // The record says so: under which conditions, and by what.
    world.get("nurse", "BTG", "/fhir/Condition/programme1");
    match world.entries().pop().unwrap().body {
        EntryBody::Release { decision, relations, .. } => {
            assert!(decision.conditions.contains(&"part2_consent".to_owned()), "{:?}", decision.conditions);
            assert_eq!(relations, [format!("Patient/p1 emergency Elevation/{first}")]);
        }
        _ => unreachable!("the last entry tells of something else"),
    }
    // Once, by who opened it, while it is open; a chart without anything protected answers the same.
    let again = at_the_desk(&world, async |desk| desk.confirm_protected(nurse, first, 2).await.unwrap_err());
    assert_eq!(again.code(), "protected_confirmed");
    let other = who(&world, "physician");
    let another = at_the_desk(&world, async |desk| desk.confirm_protected(other, second, 1).await.unwrap_err());
    assert_eq!(another.code(), "unknown");
    at_the_desk(&world, async |desk| desk.end_elevation(nurse, first, 2).await.unwrap());
    assert_eq!(sees("BTG"), [404, 404, 404, 200, 404, 404]);
    world.clock.advance_micros(4 * HOUR);
    hear(&world);
    let late = at_the_desk(&world, async |desk| desk.confirm_protected(nurse, second, 1).await.unwrap_err());
    assert_eq!(late.code(), "elevation_not_open");
}

#[test]
fn an_emergency_opens_no_other_patient_where_relationships_are_assumed() {
    let values = [patient("p1", "1980-05-17"), patient("p2", "1981-06-18"), patient("p3", "1982-07-19")];
    let world = World::under(active(), Behind::Raw.upstream(&store(&values), noon()).unwrap());
    let nurse = who(&world, "nurse");
    let emergency = Emergency {
        role: "nurse".parse().unwrap(),
        patient: "p1".parse().unwrap(),
        reason: EmergencyReason::LifeThreat,
        words: Phi::new(String::new()),
    };
    at_the_desk(&world, async |desk| desk.break_glass(nurse, emergency).await.unwrap());
    assert_eq!(reads(&world, "BTG", ALL), [200, 404, 404]);
    assert_eq!(reads(&world, "TREAT", ALL), [200, 200, 200]);
}

#[test]
fn a_nurse_is_refused_asks_reads_when_it_is_approved_and_is_refused_when_its_time_is_over() {
    let world = world();
    let (nurse, manager) = (who(&world, "nurse"), who(&world, "manager"));
    let ask = |purpose: &str, patients: &[&str]| Ask {
        person: None,
        role: "nurse".parse().unwrap(),
        purpose: Some(purpose.to_owned()),
        patients: patients.iter().map(|id| id.parse().unwrap()).collect(),
        task: Some(RequestTask::Cover),
        kinds: Some("labs vitals".parse().unwrap()),
        starts_at: None,
        ends_at: noon().plus_micros(6 * HOUR),
        justification: Phi::new(format!("Float pool for {purpose}, the roster comes at eight")),
        ticket: None,
        acknowledged: resolved().pack.reminder(ReminderOf::Patients, "nurse").map(|text| text.id),
    };
    assert_eq!(reads(&world, "TREAT", ALL), [404, 404, 404]);
    let request = at_the_desk(&world, async |desk| desk.submit(nurse, ask("TREAT", &["p1", "p2"])).await.unwrap().now);
    assert_eq!(reads(&world, "TREAT", ALL), [404, 404, 404], "asking opens nothing");
    let less = Narrower {
        patients: Some(["p1".parse().unwrap()].into()),
        kinds: None,
        ends_at: Some(noon().plus_micros(2 * HOUR)),
        against: None,
    };
    at_the_desk(&world, async |desk| desk.approve(manager, request.id, 1, less).await.unwrap());
    assert_eq!(reads(&world, "TREAT", ALL), [200, 404, 404]);
    assert!(last_relations_of(&world, "p1").contains(" asked Elevation/"));
    // What is for treatment is for nothing else.
    assert_eq!(reads(&world, "COC", ALL), [404, 404, 404]);
    world.clock.advance_micros(2 * HOUR);
    hear(&world);
    assert_eq!(reads(&world, "TREAT", ALL), [404, 404, 404]);
}

fn last_relations_of(world: &World, patient: &str) -> String {
    world.get("nurse", "TREAT", &format!("/fhir/Patient/{patient}"));
    last_relations(world).join(" ")
}

/// A vital sign.
fn pulse(id: &str, patient: &str) -> Value {
    let mut pulse = observation(id, patient, "2026-02-20", 72.0);
    pulse["category"][0]["coding"][0]["code"] = json!("vital-signs");
    pulse["code"]["coding"][0]["code"] = json!("8867-4");
    pulse
}

/// A diagnosis with this code (ICD-10-CM).
fn diagnosis(id: &str, patient: &str, code: &str) -> Value {
    let mut condition = condition(id, patient, None);
    condition["code"]["coding"][0]["code"] = json!(code);
    condition
}

/// Two patients of nobody and one of the nurse, each with a result, a vital sign, a diagnosis, and a diagnosis of HIV.
fn hospital() -> World {
    let mut values = vec![visit("v3", "Patient/p3")];
    for number in 1..=3 {
        let (id, of) = (format!("p{number}"), format!("Patient/p{number}"));
        values.push(patient(&id, "1980-05-17"));
        values.push(observation(&format!("lab{number}"), &of, "2026-02-20", 96.0));
        values.push(pulse(&format!("pulse{number}"), &of));
        values.push(diagnosis(&format!("plain{number}"), &of, "I10"));
        values.push(diagnosis(&format!("hiv{number}"), &of, "B20"));
    }
    World::under(resolved(), Behind::Raw.upstream(&store(&values), noon()).unwrap())
}

/// The nurse asks for kinds of information of these patients, and the privacy office and a manager agree.
fn opened(world: &World, kinds: &str, patients: &[&str]) {
    let nurse = who(world, "nurse");
    let ask = Ask {
        person: None,
        role: "nurse".parse().unwrap(),
        purpose: Some("TREAT".to_owned()),
        patients: patients.iter().map(|id| id.parse().unwrap()).collect(),
        task: Some(RequestTask::Consult),
        kinds: Some(kinds.parse().unwrap()),
        starts_at: None,
        ends_at: noon().plus_micros(6 * HOUR),
        justification: Phi::new(format!("Asked for an opinion on {kinds} of {} by the ward", patients.join(" and "))),
        ticket: None,
        acknowledged: resolved().pack.reminder(ReminderOf::Patients, "nurse").map(|text| text.id),
    };
    let mut request = at_the_desk(world, async |desk| desk.submit(nurse, ask).await.unwrap().now);
    for role in ["manager", "privacy_officer"] {
        let by = who(world, role);
        if request.state.code() == "pending" {
            let (id, version) = (request.id, request.version);
            request =
                at_the_desk(world, async |desk| desk.approve(by, id, version, Narrower::default()).await.unwrap().now);
        }
    }
    assert_eq!(request.state.code(), "approved");
}

/// What the nurse finds of a type, by id.
fn found(world: &World, query: &str) -> String {
    let answer = world.get("nurse", "TREAT", &format!("/fhir/{query}"));
    assert_eq!(answer.status, 200, "{query}: {}", String::from_utf8_lossy(&answer.body));
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let entries = body["entry"].as_array().into_iter().flatten();
    entries.map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
}

/// The kinds of information that the last entry says were decided to show.
fn last_views(world: &World) -> Vec<String> {
    match world.entries().pop().unwrap().body {
        EntryBody::Release { decision, .. } => decision.views.into_keys().collect(),
        _ => unreachable!("the last entry tells of something else"),
    }
}

#[test]
fn the_kinds_of_information_that_were_asked_for_are_what_the_access_opens() {
    let world = hospital();
    let status = |path: &str| world.get("nurse", "TREAT", &format!("/fhir/{path}")).status;
    assert_eq!(found(&world, "Observation"), "lab3 pulse3");
    opened(&world, "labs", &["p1"]);
    // The result and who the patient is, of this patient; of the nurse's own everything, as before.
    assert_eq!(found(&world, "Observation"), "lab1 lab3 pulse3");
    assert_eq!(found(&world, "Condition"), "hiv3 plain3");
    assert_eq!(found(&world, "Patient"), "p1 p3");
    assert_eq!(found(&world, "Observation?patient=p1"), "lab1");
    for (path, expected) in [
        ("Observation/lab1", 200),
        ("Observation/pulse1", 404),
        ("Condition/plain1", 404),
        ("Observation/lab2", 404),
        ("Patient/p1", 200),
        ("Patient/p2", 404),
        ("Condition/plain3", 200),
    ] {
        assert_eq!(status(path), expected, "{path}");
    }
    // The record says so: the table is the narrow one, and the relation names what opened it.
    status("Observation/lab1");
    assert!(last_relations(&world).iter().all(|on| on.starts_with("Patient/p1 asked Elevation/")));
    let views = last_views(&world);
    assert!(views.iter().any(|kind| kind == "labs") && views.iter().any(|kind| kind == "id_name"), "{views:?}");
    assert!(!views.iter().any(|kind| kind == "vitals" || kind == "diagnoses" || kind == "free_text"), "{views:?}");
    // Another for the same patient opens more, and each is named.
    opened(&world, "vitals", &["p1"]);
    assert_eq!(found(&world, "Observation?patient=p1"), "lab1 pulse1");
    assert_eq!(last_relations(&world).len(), 2);
    // Whoever is related to the patient sees what his role has, whatever was asked for beside.
    opened(&world, "labs", &["p3"]);
    assert_eq!(found(&world, "Condition?patient=p3"), "hiv3 plain3");
    world.clock.advance_micros(6 * HOUR);
    hear(&world);
    assert_eq!(found(&world, "Observation"), "lab3 pulse3");
}

#[test]
fn what_is_specially_protected_is_open_where_the_access_names_it() {
    let world = hospital();
    // What is named is the kind and another label.
    opened(&world, "diagnoses segment:sti", &["p1"]);
    assert_eq!(found(&world, "Condition"), "hiv3 plain1 plain3");
    assert_eq!(world.get("nurse", "TREAT", "/fhir/Condition/hiv1").status, 404);
    // What is protected alone opens no kind of information.
    opened(&world, "segment:hiv", &["p2"]);
    assert_eq!(found(&world, "Condition"), "hiv3 plain1 plain3");
    // Both together do, also where they were asked for one after the other.
    opened(&world, "diagnoses segment:hiv", &["p1"]);
    assert_eq!(found(&world, "Condition"), "hiv1 hiv3 plain1 plain3");
    opened(&world, "diagnoses", &["p2"]);
    assert_eq!(found(&world, "Condition"), "hiv1 hiv2 hiv3 plain1 plain2 plain3");
}

#[test]
fn a_search_by_what_an_access_does_not_open_is_refused() {
    let world = hospital();
    assert_eq!(found(&world, "Patient?gender=female"), "p3");
    opened(&world, "labs", &["p1"]);
    // Who the patient is stays open, so that he is found; where he lives does not.
    assert_eq!(found(&world, "Patient?gender=female"), "p1 p3");
    let refused = world.get("nurse", "TREAT", "/fhir/Patient?telecom=555");
    assert_eq!(code(&refused), "parameter_not_permitted");
}

/// JX-17: taken back between two pages, by the one who asked, by the one who agreed, and by the privacy office.
#[test]
fn what_is_taken_back_during_a_search_is_not_on_its_next_page() {
    let of_nobody = |response: &Response| -> bool {
        let bundle: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        !bundle["entry"]
            .as_array()
            .is_some_and(|entries| entries.iter().any(|entry| entry["search"]["mode"] == "match"))
    };
    for by in ["nurse", "manager", "privacy_officer"] {
        let world = world();
        let (nurse, manager, by) = (who(&world, "nurse"), who(&world, "manager"), who(&world, by));
        let ask = Ask {
            person: None,
            role: "nurse".parse().unwrap(),
            purpose: None,
            patients: ALL.map(|id| id.parse().unwrap()).into(),
            starts_at: None,
            ends_at: noon().plus_micros(6 * HOUR),
            justification: Phi::new("Float pool of the night, the roster comes at eight".to_owned()),
            ticket: None,
            acknowledged: resolved().pack.reminder(ReminderOf::Patients, "nurse").map(|text| text.id),
            kinds: Some("labs".parse().unwrap()),
            task: RequestTask::ALL.first().copied(),
        };
        let request = at_the_desk(&world, async |desk| desk.submit(nurse, ask).await.unwrap().now);
        at_the_desk(&world, async |desk| desk.approve(manager, request.id, 1, Narrower::default()).await.unwrap());
        let first = world.get("nurse", "TREAT", "/fhir/Patient?_count=1");
        assert!(first.status == 200 && !of_nobody(&first));
        let page = next(&first).expect("three patients are three pages");
        let second = world.get("nurse", "TREAT", &page);
        assert!(second.status == 200 && !of_nobody(&second), "it goes on while it stands");
        at_the_desk(&world, async |desk| {
            let open =
                open_elevations(&mut desk.store.begin_read().await.unwrap(), nurse.person, noon()).await.unwrap();
            assert_eq!(open.len(), 3);
            for one in open {
                desk.end_elevation(by, one.id, 1).await.unwrap();
            }
        });
        let after = world.get("nurse", "TREAT", &page);
        assert!(after.status != 200 || of_nobody(&after), "{}", String::from_utf8_lossy(&after.body));
        assert_eq!(reads(&world, "TREAT", ALL), [404, 404, 404]);
    }
    // The role itself: whoever goes on with its page is refused.
    let world = World::under(active(), {
        let values = [patient("p1", "1980-05-17"), patient("p2", "1981-06-18")];
        Behind::Raw.upstream(&store(&values), noon()).unwrap()
    });
    let (nurse, privacy) = (who(&world, "nurse"), who(&world, "privacy_officer"));
    let page = next(&world.get("nurse", "TREAT", "/fhir/Patient?_count=1")).expect("two patients are two pages");
    assert_eq!(world.get("nurse", "TREAT", &page).status, 200);
    at_the_desk(&world, async |desk| {
        let held = open_grants(&mut desk.store.begin_read().await.unwrap(), nurse.person, noon()).await.unwrap();
        for one in held.iter().filter(|one| one.role.as_str() == "nurse") {
            desk.end_grant(privacy, one.id, 1).await.unwrap();
        }
    });
    assert_eq!(world.get("nurse", "TREAT", &page).status, 403);
}

/// The record says which of several kinds of information the resources of one type were: results are told from vital signs.
#[test]
fn the_record_tells_results_from_vital_signs() {
    let values = [
        patient("p1", "1980-05-17"),
        observation("result", "Patient/p1", "2026-02-20", 5.0),
        pulse("pulse", "Patient/p1"),
    ];
    let world = World::under(active(), Behind::Raw.upstream(&store(&values), noon()).unwrap());
    let kinds = |target: &str| {
        assert_eq!(world.get("nurse", "TREAT", target).status, 200, "{target}");
        match world.entries().pop().unwrap().body {
            EntryBody::Release { kinds, .. } => kinds,
            _ => unreachable!("the last entry tells of something else"),
        }
    };
    assert_eq!(kinds("/fhir/Observation/result"), ["Observation labs"]);
    assert_eq!(kinds("/fhir/Observation/pulse"), ["Observation vitals"]);
    assert_eq!(kinds("/fhir/Observation?patient=p1"), ["Observation labs", "Observation vitals"]);
    assert_eq!(kinds("/fhir/Patient/p1"), [] as [&str; 0]);
}
