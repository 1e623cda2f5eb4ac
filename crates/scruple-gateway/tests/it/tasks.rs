//! Access tasks at the gateway: support has a session by its ticket, sees shapes, and one field unmasked for minutes.

use crate::support::{World, login, noon, resolved};
use crate::two::store;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use scruple_app::{Desk, TaskAsk, UnmaskAsk, Who};
use scruple_core::{EntryBody, Id, Phi};
use scruple_flow::{AccessTask, Login, Person, TaskKind, Ticket};
use scruple_pairs::Behind;
use scruple_store::find_person_by_login;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

const MINUTE: i64 = 60_000_000;

fn patient(id: &str, birth: &str) -> Value {
    let mut patient = crate::two::patient(id, birth);
    let of = json!({ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR" }] });
    patient["identifier"] = json!([{ "type": of, "system": "urn:mrn", "value": format!("MR-000{birth}") }]);
    patient
}

fn world() -> World {
    let values = vec![patient("p1", "1980-05-17"), patient("p2", "1981-06-18"), patient("p3", "1982-07-19")];
    World::under(resolved(), Behind::Raw.upstream(&store(&values), noon()).unwrap())
}

fn who(world: &World, role: &str) -> Who {
    let login: Login = login(role).parse().unwrap();
    let person: Id<Person> = world.runtime.block_on(async {
        let mut tx = world.state.0.begin_read().await.unwrap();
        find_person_by_login(&mut tx, &login).await.unwrap().unwrap().id
    });
    Who { person, stepped_up: true }
}

fn hear(world: &World) {
    world.runtime.block_on(world.follower.as_ref().unwrap().poll()).unwrap();
}

/// Runs a use case, and has the gateway hear of it.
fn at_the_desk<T>(world: &World, run: impl AsyncFnOnce(&mut Desk<'_>) -> T) -> T {
    let active = resolved();
    static DRAWS: AtomicU64 = AtomicU64::new(1_000);
    let mut rng = ChaCha20Rng::seed_from_u64(DRAWS.fetch_add(1, Ordering::Relaxed));
    let (store, lease) = &world.state;
    let mut desk = Desk { store, lease, clock: world.clock.as_ref(), rng: &mut rng, rules: active.pack.as_ref() };
    let done = world.runtime.block_on(run(&mut desk));
    hear(world);
    done
}

/// Of which of the three patients something is open.
fn reads(world: &World, role: &str, purpose: &str) -> [bool; 3] {
    ["p1", "p2", "p3"].map(|patient| world.get(role, purpose, &format!("/fhir/Patient/{patient}")).status == 200)
}

fn ask(role: &str, kind: TaskKind, system: &str, patients: &[&str]) -> TaskAsk {
    let ticket = Ticket { system: system.to_owned(), number: Phi::new("INC-4711".to_owned()) };
    TaskAsk {
        role: role.parse().unwrap(),
        kind,
        ticket: kind.is_support().then_some(ticket),
        patients: patients.iter().map(|id| id.parse().unwrap()).collect(),
        minutes: None,
        justification: Phi::new(format!("Case of {system} and {}", patients.join(" and "))),
    }
}

fn begun(world: &World, role: &str, ask: TaskAsk) -> AccessTask {
    let (own, office) = (who(world, role), who(world, "privacy_officer"));
    at_the_desk(world, async |desk| {
        let id = desk.submit_task(own, ask).await.unwrap().now.order.id;
        desk.approve_task(office, id, 1).await.unwrap();
        desk.begin_task(own, id, 2).await.unwrap().now
    })
}

fn patient_of(world: &World, role: &str, purpose: &str, id: &str) -> Value {
    let answer = world.get(role, purpose, &format!("/fhir/Patient/{id}"));
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    serde_json::from_slice(&answer.body).unwrap()
}

fn last_conditions(world: &World) -> Vec<String> {
    match world.entries().pop().unwrap().body {
        EntryBody::Release { decision, .. } => decision.conditions,
        other => unreachable!("the last entry tells of something else: {other:?}"),
    }
}

#[test]
fn support_has_no_session_without_a_ticket_and_none_on_another_system_and_the_kill_switch_ends_it() {
    let world = world();
    assert_eq!(reads(&world, "it_support", "HSYSADMIN"), [false, false, false]);
    begun(&world, "it_support", ask("it_support", TaskKind::Support, "warehouse", &["p1"]));
    assert_eq!(reads(&world, "it_support", "HSYSADMIN"), [false, false, false]);
    let task = begun(&world, "it_support", ask("it_support", TaskKind::Support, "ehr", &["p1"]));
    assert_eq!(reads(&world, "it_support", "HSYSADMIN"), [true, false, false]);
    let office = who(&world, "privacy_officer");
    at_the_desk(&world, async |desk| desk.end_task(office, task.order.id).await.unwrap());
    assert_eq!(reads(&world, "it_support", "HSYSADMIN"), [false, false, false]);
    // Its limit needs no job: what is read keeps it from ending idle, not from ending.
    let last = begun(&world, "it_support", ask("it_support", TaskKind::Support, "ehr", &["p2", "p3"]));
    world.clock.advance_micros(15 * MINUTE - 1);
    hear(&world);
    assert_eq!(reads(&world, "it_support", "HSYSADMIN"), [false, true, true]);
    let seen = world.gateway.access().take_seen();
    assert!(seen.contains(&last.order.id));
    world.clock.advance_micros(1);
    assert_eq!(reads(&world, "it_support", "HSYSADMIN"), [false, false, false]);
}

#[test]
fn support_sees_every_identifier_masked_and_one_field_unmasked_until_its_minutes_are_over() {
    let world = world();
    let task = begun(&world, "it_support", ask("it_support", TaskKind::Support, "ehr", &["p1", "p2"]));
    let own = who(&world, "it_support");
    let clear = patient("p1", "1980-05-17");
    let masked = patient_of(&world, "it_support", "HSYSADMIN", "p1");
    assert_ne!(masked["birthDate"], clear["birthDate"]);
    for field in ["name", "birthDate", "identifier", "telecom", "address"] {
        assert!(clear.get(field).is_none() || masked.get(field) != clear.get(field), "{field} is not masked: {masked}");
    }
    let unmask = UnmaskAsk {
        task: task.order.id,
        patient: "p1".parse().unwrap(),
        category: "id_birth_sex".to_owned(),
        minutes: 5,
        reason: Phi::new("The interface refuses the date of birth".to_owned()),
    };
    at_the_desk(&world, async |desk| desk.unmask(own, unmask).await.unwrap());
    let shown = patient_of(&world, "it_support", "HSYSADMIN", "p1");
    assert_eq!(shown["birthDate"], clear["birthDate"]);
    assert_eq!(last_conditions(&world).iter().filter(|name| name.starts_with("unmask_")).count(), 1);
    for field in ["name", "identifier", "telecom", "address"] {
        assert_eq!(shown.get(field), masked.get(field), "{field}");
    }
    // Meanwhile no other record of the task is open.
    assert_eq!(reads(&world, "it_support", "HSYSADMIN"), [true, false, false]);
    world.clock.advance_micros(5 * MINUTE);
    hear(&world);
    assert_eq!(patient_of(&world, "it_support", "HSYSADMIN", "p1"), masked);
    assert_eq!(reads(&world, "it_support", "HSYSADMIN"), [true, true, false]);
}
