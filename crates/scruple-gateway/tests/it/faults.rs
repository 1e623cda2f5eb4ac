//! Upstreams that misbehave, policies that change, a ledger that is full: a clear refusal, recorded, and no byte of PHI.

use crate::support::{Failing, World, code, embedded_hospital, request};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use scruple_connect::{Base, HttpUpstream, Options};
use scruple_core::{Entry, EntryBody, FixedClock};
use scruple_hospital::Hospital;
use scruple_ledger::Payload;
use scruple_ledger::simulate::{Keep, SimStorage};
use scruple_release::{Fetched, Share, Upstream, UpstreamError, UpstreamFuture, UpstreamQuery};
use std::sync::Arc;

/// Answers the same bytes whatever is asked.
struct Says(Result<Vec<u8>, UpstreamError>);

impl Upstream for Says {
    fn read<'a>(&'a self, _: &'a str, _: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        Box::pin(std::future::ready(self.0.clone().map(|bytes| Some(bytes.into()))))
    }

    fn version<'a>(&'a self, _: &'a str, _: &'a str, _: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        Box::pin(std::future::ready(self.0.clone().map(|bytes| Some(bytes.into()))))
    }

    fn history<'a>(&'a self, _: &'a str, _: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        Box::pin(std::future::ready(self.0.clone().map(|bytes| Some(bytes.into()))))
    }

    fn search<'a>(&'a self, _: &'a UpstreamQuery) -> UpstreamFuture<'a, Fetched> {
        Box::pin(std::future::ready(self.0.clone().map(Fetched::from)))
    }

    fn page<'a>(&'a self, _: &'a str) -> UpstreamFuture<'a, Fetched> {
        Box::pin(std::future::ready(self.0.clone().map(Fetched::from)))
    }
}

const CANARY: &str = "CANARY-UPSTREAM";

#[test]
fn an_upstream_that_is_wrong_gives_a_constant_refusal() {
    let world = World::new(embedded_hospital());
    let says = |text: &str| Says(Ok(text.replace("CANARY", CANARY).into_bytes()));
    let check = |upstream: Says, path: &str, expected: &str| {
        world.upstream.put(Arc::new(upstream));
        let response = world.get("physician", "TREAT", path);
        assert_eq!((response.status, code(&response).as_str()), (503, expected), "{path}");
        assert!(!String::from_utf8_lossy(&response.body).contains(CANARY));
        let last = world.entries().pop().unwrap().body;
        assert!(matches!(&last, EntryBody::Refusal { code, .. } if code == expected), "{last:?}");
    };
    let read = "/fhir/Patient/1";
    let search = "/fhir/Patient?name=a";
    check(says(r#"{"resourceType":"Patient","id":"1","name":[{"family":"CANARY"}]}"#), search, "upstream_malformed");
    check(
        says(r#"{"resourceType":"Bundle","type":"searchset","entry":[{"resource":"CANARY"}]}"#),
        search,
        "upstream_malformed",
    );
    check(
        says(r#"{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Pat"#),
        search,
        "upstream_malformed",
    );
    check(
        says(r#"{"resourceType":"Bundle","type":"searchset","link":[{"relation":"next","url":"http://x/again"}]}"#),
        search,
        "upstream_malformed",
    );
    for error in [
        UpstreamError::Unreachable,
        UpstreamError::Timeout { limit_ms: 1 },
        UpstreamError::Status(500),
        UpstreamError::Credential(401),
        UpstreamError::NotJson,
        UpstreamError::TooLarge { limit: 1 },
        UpstreamError::ForeignLink,
    ] {
        let expected = error.code();
        // A page that is too large is about how much was asked for.
        if matches!(error, UpstreamError::TooLarge { .. }) {
            check(Says(Err(error)), search, "too_costly");
            continue;
        }
        check(Says(Err(error.clone())), read, expected);
        check(Says(Err(error)), search, expected);
    }
}

#[test]
fn a_history_that_is_too_large_is_too_costly_and_not_absent() {
    let history = Some(UpstreamError::TooLarge { limit: 1 });
    let world = World::new(Arc::new(Failing { inner: embedded_hospital(), search: |_| None, history }));
    let path = format!("/fhir/Patient/{}", Hospital::patient_id(1));
    assert_eq!(world.get("privacy_officer", "HCOMPL", &path).status, 200);
    let history = world.get("privacy_officer", "HCOMPL", &format!("{path}/_history"));
    assert_eq!((history.status, code(&history).as_str()), (503, "too_costly"));
}

#[test]
fn a_resource_that_cannot_be_read_is_as_absent() {
    let world = World::new(embedded_hospital());
    let absent = world.get("nurse", "TREAT", "/fhir/Patient/none");
    for text in [
        r#"{"resourceType":"Patient","id":"none","id":"none"}"#,
        r#"{"resourceType":"Patient","id":"none","birthDate":7}"#,
        r#"{"resourceType":"Patient","id":"none","implicitRules":"http://x","name":[{"family":"CANARY"}]}"#,
        r#"{"resourceType":"Patient","id":"none","modifierExtension":[{"url":"http://x","valueString":"CANARY"}]}"#,
    ] {
        world.upstream.put(Arc::new(Says(Ok(text.as_bytes().to_vec()))));
        let response = world.get("nurse", "TREAT", "/fhir/Patient/none");
        assert_eq!(response.body, absent.body);
        assert_eq!(response.status, 404);
    }
}

#[test]
fn more_candidates_than_a_search_may_meet_is_refused_whole() {
    let world = World::new(embedded_hospital());
    let mut bundle = br#"{"resourceType":"Bundle","type":"searchset","entry":["#.to_vec();
    for number in 0..10_001 {
        let comma = if number == 0 { "" } else { "," };
        bundle.extend_from_slice(
            format!(r#"{comma}{{"resource":{{"resourceType":"Patient","id":"p{number}"}}}}"#).as_bytes(),
        );
    }
    bundle.extend_from_slice(b"]}");
    world.upstream.put(Arc::new(Says(Ok(bundle))));
    let response = world.get("nurse", "TREAT", "/fhir/Patient?gender=female");
    assert_eq!((response.status, code(&response).as_str()), (503, "too_costly"));
}

#[test]
fn a_real_server_that_is_down_is_told_as_that() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let options = Options::new(Base::parse(&format!("http://{address}/fhir")).unwrap());
    let world = World::new(Arc::new(HttpUpstream::new(&options).unwrap()));
    let response = world.get("nurse", "TREAT", "/fhir/Patient/1");
    assert_eq!((response.status, code(&response).as_str()), (503, "upstream_unreachable"));
}

#[test]
fn on_a_full_ledger_disk_treatment_goes_on_all_else_is_refused_and_both_are_recorded_once_there_is_room() {
    let disk = SimStorage::new();
    let world = World::on_disk(embedded_hospital(), &disk);
    let path = format!("/fhir/Patient/{}", Hospital::patient_id(1));
    let before = world.get("nurse", "TREAT", &path);
    assert_eq!(before.status, 200);
    disk.set_room(Some(disk.used_bytes()));
    let main = world.recorder.main().unwrap();
    while main.integrate_now().is_ok() {
        let _ = main.append(&[0; 1_000], None);
    }
    drop(main);
    for _ in 0..3 {
        let nurse = world.get("nurse", "TREAT", &path);
        assert_eq!((nurse.status, &nurse.body), (200, &before.body));
        assert_eq!(world.get("nurse", "ETREAT", &path).status, 200);
        let biller = world.get("biller", "HPAYMT", &path);
        assert_eq!((biller.status, code(&biller).as_str()), (503, "ledger_unavailable"));
        // A refusal that cannot be recorded is the same constant, whatever it is about.
        let refused = world.get("biller", "HPAYMT", "/fhir/DocumentReference/1");
        assert_eq!((refused.status, &refused.body), (503, &biller.body));
    }
    disk.set_room(None);
    let recovered = world.recorder.recover().unwrap();
    assert!(recovered.reopened);
    assert_eq!(recovered.refused, 6);
    assert_eq!(world.get("biller", "HPAYMT", &path).status, 200);
    let read = scruple_ledger::entries("/ledger".as_ref(), Arc::new(disk.clone()), None, 0).unwrap();
    let bodies: Vec<EntryBody> = read
        .filter_map(|entry| match entry.unwrap().payload {
            Payload::Open(bytes) => Entry::from_bytes(&bytes).ok().map(|entry| entry.body),
            _ => None,
        })
        .collect();
    let releases = |purpose: &str| {
        let of = |body: &&EntryBody| matches!(body, EntryBody::Release { decision, .. } if decision.purpose == purpose);
        bodies.iter().filter(of).count()
    };
    assert_eq!((releases("TREAT"), releases("ETREAT"), releases("HPAYMT")), (4, 3, 1));
    assert!(
        bodies.iter().any(
            |body| matches!(body, EntryBody::Notice { code, facts } if code == "refused" && facts["HPAYMT"] == "6")
        )
    );
    assert!(bodies.iter().any(|body| matches!(body, EntryBody::Notice { code, .. } if code == "merged")));
}

#[test]
fn an_answer_that_was_given_has_its_record_after_a_power_cut() {
    for (seed, keep) in [Keep::None, Keep::Some, Keep::Some].into_iter().enumerate() {
        let disk = SimStorage::new();
        let world = World::on_disk(embedded_hospital(), &disk);
        let mut given = Vec::new();
        for number in 0..6 {
            let response = world.get("nurse", "TREAT", &format!("/fhir/Patient/{}", Hospital::patient_id(1 + number)));
            given.extend(response.header("x-request-id").map(str::to_owned));
        }
        assert_eq!(given.len(), 6);
        // The power goes: of what was not synced, any part is lost.
        let after = disk.after_power_cut(keep, &mut ChaCha20Rng::seed_from_u64(seed as u64));
        drop(world);
        let reopened = World::on_disk(embedded_hospital(), &after);
        let read = scruple_ledger::entries("/ledger".as_ref(), Arc::new(after.clone()), None, 0).unwrap();
        let recorded: Vec<String> = read
            .filter_map(|entry| match entry.unwrap().payload {
                Payload::Open(bytes) => match Entry::from_bytes(&bytes).ok()?.body {
                    EntryBody::Release { request, .. } => request?.request_id,
                    _ => None,
                },
                _ => None,
            })
            .collect();
        for id in &given {
            assert!(recorded.contains(id), "an answer without its record");
        }
        drop(reopened);
    }
}

#[test]
fn requests_under_way_and_after_a_change_of_policy_are_decided_by_one_policy_each() {
    let world = World::new(embedded_hospital());
    let path = format!("/fhir/Patient/{}", Hospital::patient_id(1));
    let before = world.get("nurse", "TREAT", &path);
    let policy = scruple_release::Policy::new(crate::support::active());
    world.gateway.set_policy(policy, crate::support::noon());
    let after = world.get("nurse", "TREAT", &path);
    assert_eq!(before.body, after.body);
    let token = world.token("nurse", "TREAT");
    assert_eq!(world.ask(&request("GET", "/fhir/metadata"), Some(&token), 1).status, 200);
}

#[test]
fn a_record_that_cannot_be_used_looks_as_if_there_were_none() {
    let world = World::new(embedded_hospital());
    let absent = world.get("front_desk", "PATADMIN", "/fhir/Patient/x");
    for says in [
        Ok(r#"{"resourceType":"Patient","id":"\u0078"}"#),
        Ok(r#"{"resourceType":"Patient","id":"other"}"#),
        Ok(r#"{"resourceType":"Patient","id":"x","name":"#),
        Err(UpstreamError::TooLarge { limit: 1 }),
        Err(UpstreamError::Credential(403)),
    ] {
        world.upstream.put(Arc::new(Says(says.map(|text| text.as_bytes().to_vec()))));
        let response = world.get("front_desk", "PATADMIN", "/fhir/Patient/x");
        assert_eq!((response.status, &response.body), (404, &absent.body));
    }
}

#[test]
fn an_answer_about_thousands_of_patients_is_recorded_and_released() {
    let world = World::new(embedded_hospital());
    let answer = |patients: usize| {
        let actors: Vec<String> = (0..3_000)
            .map(|number| {
                format!(r#"{{"actor":{{"reference":"Patient/{:036}"}},"status":"accepted"}}"#, number % patients)
            })
            .collect();
        let text = format!(
            r#"{{"resourceType":"Appointment","id":"a","status":"booked","participant":[{}]}}"#,
            actors.join(",")
        );
        world.upstream.put(Arc::new(One { read: text.into_bytes() }));
        world.get("it_support", "HSYSADMIN", "/fhir/Appointment/a")
    };
    // Who takes part is hidden from this caller, and so is how many they are.
    let (one, many) = (answer(1), answer(3_000));
    assert_eq!((one.status, many.status), (200, 200));
    assert_eq!(one.body, many.body);
}

/// Reads this, and finds nothing.
struct One {
    read: Vec<u8>,
}

impl Upstream for One {
    fn read<'a>(&'a self, _: &'a str, _: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        Box::pin(std::future::ready(Ok(Some(self.read.clone().into()))))
    }

    fn version<'a>(&'a self, _: &'a str, _: &'a str, _: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        Box::pin(std::future::ready(Err(UpstreamError::Status(405))))
    }

    fn history<'a>(&'a self, _: &'a str, _: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        Box::pin(std::future::ready(Err(UpstreamError::Status(405))))
    }

    fn search<'a>(&'a self, _: &'a UpstreamQuery) -> UpstreamFuture<'a, Fetched> {
        Box::pin(std::future::ready(Ok(br#"{"resourceType":"Bundle","type":"searchset"}"#.to_vec().into())))
    }

    fn page<'a>(&'a self, _: &'a str) -> UpstreamFuture<'a, Fetched> {
        Box::pin(std::future::ready(Err(UpstreamError::ForeignLink)))
    }
}

/// Gives a share with each answer of the embedded hospital.
struct Shared(Arc<dyn Upstream>, Arc<()>);

impl Shared {
    fn with_share(&self, fetched: Fetched) -> Fetched {
        Fetched { share: Share::of(Arc::clone(&self.1)), ..fetched }
    }
}

impl Upstream for Shared {
    fn read<'a>(&'a self, kind: &'a str, id: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        Box::pin(async move { Ok(self.0.read(kind, id).await?.map(|fetched| self.with_share(fetched))) })
    }

    fn version<'a>(&'a self, kind: &'a str, id: &'a str, version: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        Box::pin(async move { Ok(self.0.version(kind, id, version).await?.map(|fetched| self.with_share(fetched))) })
    }

    fn history<'a>(&'a self, kind: &'a str, id: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        Box::pin(async move { Ok(self.0.history(kind, id).await?.map(|fetched| self.with_share(fetched))) })
    }

    fn search<'a>(&'a self, query: &'a UpstreamQuery) -> UpstreamFuture<'a, Fetched> {
        Box::pin(async move { Ok(self.with_share(self.0.search(query).await?)) })
    }

    fn page<'a>(&'a self, link: &'a str) -> UpstreamFuture<'a, Fetched> {
        Box::pin(async move { Ok(self.with_share(self.0.page(link).await?)) })
    }
}

#[test]
fn the_memory_of_an_answer_is_given_back_once_it_is_sent() {
    let world = World::new(embedded_hospital());
    let held = Arc::new(());
    world.upstream.put(Arc::new(Shared(embedded_hospital(), Arc::clone(&held))));
    let token = world.token("nurse", "TREAT");
    let patient = Hospital::patient_id(1);
    let check = |path: &str, status: u16, shares: usize| {
        let (response, id) = world.handle(&request("GET", path), Some(&token), 1).unwrap();
        assert_eq!(response.status, status, "{path}");
        assert_eq!(Arc::strong_count(&held), 2 + shares, "{path}: while it is sent");
        let http = response.into_http(&id);
        assert_eq!(Arc::strong_count(&held), 2 + shares, "{path}: while it is sent");
        drop(http);
        assert_eq!(Arc::strong_count(&held), 2, "{path}: afterwards");
    };
    check(&format!("/fhir/Patient/{patient}"), 200, 1);
    check(&format!("/fhir/Observation?patient={patient}"), 200, 1);
    check("/fhir/Patient/nobody", 404, 0);
    // Answers to others take it all: the answer says so, and it is recorded.
    world.upstream.put(Arc::new(Says(Err(UpstreamError::NoRoom))));
    let refused = world.get("nurse", "TREAT", "/fhir/Patient?name=a");
    assert_eq!((refused.status, code(&refused).as_str()), (503, "overloaded"));
    assert!(matches!(world.entries().pop().unwrap().body, EntryBody::Refusal { code, .. } if code == "overloaded"));
}

/// Takes its time over a read: the clock goes on meanwhile.
struct Slow(Arc<FixedClock>, i64);

impl Upstream for Slow {
    fn read<'a>(&'a self, _: &'a str, _: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        self.0.advance_micros(self.1);
        Box::pin(std::future::ready(Ok(Some(
            br#"{"resourceType":"Patient","id":"x","gender":"male"}"#.to_vec().into(),
        ))))
    }

    fn version<'a>(&'a self, _: &'a str, _: &'a str, _: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        Box::pin(std::future::ready(Err(UpstreamError::Status(405))))
    }

    fn history<'a>(&'a self, _: &'a str, _: &'a str) -> UpstreamFuture<'a, Option<Fetched>> {
        Box::pin(std::future::ready(Err(UpstreamError::Status(405))))
    }

    fn search<'a>(&'a self, _: &'a UpstreamQuery) -> UpstreamFuture<'a, Fetched> {
        Box::pin(std::future::ready(Err(UpstreamError::Unreachable)))
    }

    fn page<'a>(&'a self, _: &'a str) -> UpstreamFuture<'a, Fetched> {
        Box::pin(std::future::ready(Err(UpstreamError::Unreachable)))
    }
}

#[test]
fn a_token_that_ends_while_records_are_fetched_releases_nothing() {
    let world = World::new(embedded_hospital());
    let token = world.token("nurse", "TREAT");
    let lasts = 3_600_000_000 + 5_000_000;
    // Half a second before its end the feed is made fresh, so that the token alone decides.
    world.clock.advance_micros(lasts - 500_000);
    world.runtime.block_on(world.follower.as_ref().unwrap().poll()).unwrap();
    world.upstream.put(Arc::new(Slow(Arc::clone(&world.clock), 100_000)));
    assert_eq!(world.ask(&request("GET", "/fhir/Patient/x"), Some(&token), 1).status, 200);
    world.upstream.put(Arc::new(Slow(Arc::clone(&world.clock), 450_000)));
    let late = world.ask(&request("GET", "/fhir/Patient/x"), Some(&token), 1);
    assert_eq!((late.status, code(&late).as_str()), (401, "token_expired"));
    let last = world.entries().pop().unwrap().body;
    assert!(matches!(&last, EntryBody::Refusal { code, .. } if code == "token_expired"), "{last:?}");
}

#[test]
fn pages_whose_references_go_to_many_targets_are_answered() {
    let world = World::new(embedded_hospital());
    for (role, purpose) in [("nurse", "TREAT"), ("biller", "HPAYMT")] {
        for kind in ["Encounter", "MedicationRequest", "Claim", "DiagnosticReport", "Observation"] {
            let response = world.get(role, purpose, &format!("/fhir/{kind}?_count=200"));
            assert!(matches!(response.status, 200 | 403), "{role} {kind}: {} {}", response.status, code(&response));
        }
    }
}
