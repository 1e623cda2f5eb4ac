//! Whose answers wait for the next of a few times, and that they do.

use crate::support::{World, embedded_hospital, request};
use bytes::Bytes;
use http_body_util::Full;
use hyper::service::Service as _;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use scruple_core::Clock;
use scruple_gateway::{AnswerTiming, GatewayService};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

#[test]
fn a_researchers_answers_wait_as_shipped_and_a_nurses_do_not() {
    for (timing, expected) in [
        (AnswerTiming::ByRole, [true, true, false, false, false]),
        (AnswerTiming::Bucket, [true; 5]),
        (AnswerTiming::Plain, [false; 5]),
    ] {
        let world = World::timed(embedded_hospital(), timing);
        let held = |token: Option<&str>, path: &str| world.handle(&request("GET", path), token, 1).unwrap().0.held;
        let researcher = world.token("researcher", "HRESCH");
        let nurse = world.token("nurse", "TREAT");
        let asked = [
            // Refused or answered, for what is there or not.
            held(Some(&researcher), "/fhir/Observation?_count=1"),
            held(Some(&researcher), "/fhir/Patient/absent"),
            held(Some(&nurse), "/fhir/Patient/absent"),
            held(None, "/fhir/Patient/absent"),
            held(None, "/fhir/metadata"),
        ];
        assert_eq!(asked, expected, "{timing:?}");
    }
}

#[test]
fn a_batch_waits_as_a_whole() {
    let world = World::timed(embedded_hospital(), AnswerTiming::ByRole);
    let mut batch = request("POST", "/fhir");
    batch.headers.push(("content-type".to_owned(), "application/fhir+json".to_owned()));
    batch.body =
        br#"{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient/a"}}]}"#
            .to_vec();
    for (role, purpose, expected) in [("researcher", "HRESCH", true), ("nurse", "TREAT", false)] {
        let (response, _) = world.handle(&batch, Some(&world.token(role, purpose)), 1).unwrap();
        assert_eq!((response.status, response.held), (200, expected), "{role}");
    }
}

/// The CapabilityStatement is there at once: whoever has to wait for it is held.
#[test]
fn an_answer_that_waits_is_not_there_when_it_is_made() {
    for (timing, is_there) in [(AnswerTiming::Plain, true), (AnswerTiming::Bucket, false)] {
        let world = World::timed(embedded_hospital(), timing);
        let service = GatewayService {
            gateway: Arc::clone(&world.gateway),
            clock: Arc::clone(&world.clock) as Arc<dyn Clock>,
            rng: || Box::new(ChaCha20Rng::seed_from_u64(1)),
        };
        let request = http::Request::get("/fhir/metadata").body(Full::<Bytes>::default()).unwrap();
        world.runtime.block_on(async {
            let mut answering = service.call(request);
            let first = poll_fn(|context| Poll::Ready(answering.as_mut().poll(context).is_ready())).await;
            assert_eq!(first, is_there, "{timing:?}");
            if !first {
                assert_eq!(answering.await.unwrap().status(), 200);
            }
        });
    }
}
