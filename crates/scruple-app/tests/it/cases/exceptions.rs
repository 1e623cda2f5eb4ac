//! The register and its evidence: totals are those of the events, and each link leads to its entry of the ledger.

use super::ENGINE;
use super::desk::{House, WORDS};
use crate::support::{TestLog, with_world};
use scruple_app::{Declaration, Emergency, Narrower, exception};
use scruple_core::Phi;
use scruple_flow::{DeclaredReason, EmergencyReason};
use scruple_store::{ElevationFilter, count_elevations};

#[tokio::test]
async fn each_event_of_an_exception_is_found_in_the_ledger_where_its_evidence_says_as_it_says() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let request = house.submitted(&["a", "b"]).await;
        let (mia, nora) = (house.who("mia"), house.who("nora"));
        house.desk().approve(mia, request.id, 1, Narrower::default()).await.unwrap();
        let told = exception(&world.store, request.id).await.unwrap().unwrap();
        let id = told.opened[0].held.id;
        house.desk().end_elevation(nora, id, 1).await.unwrap();
        let told = exception(&world.store, request.id).await.unwrap().unwrap();
        assert_eq!((told.request.id, told.opened.len(), told.grant.is_none()), (request.id, 2, true));
        assert!(told.opened[0].ended.is_some());
        let kinds: Vec<&str> = told.events.iter().map(|link| link.kind.as_str()).collect();
        let expected =
            ["request_submitted", "request_approved", "elevation_granted", "elevation_granted", "elevation_ended"];
        assert_eq!(kinds, expected);
        let log = TestLog::new();
        world.drainer(&log).0.drain().await.unwrap();
        let entries = log.entries();
        for link in &told.events {
            let here = entries.iter().find(|(origin, _)| i64::try_from(origin.seq) == Ok(link.origin.1));
            let (_, entry) = here.unwrap_or_else(|| panic!("{link:?} is in no entry"));
            assert_eq!(link.entry, Some(entry.to_bytes().unwrap()), "{link:?}");
            assert!(!link.facts.expose().is_empty());
        }
        assert!(exception(&world.store, world.id()).await.unwrap().is_none());
    })
    .await;
}

/// JX-15: the register has as many rows as there are events that opened something, and what is over is not among those in force.
#[tokio::test]
async fn the_totals_of_the_register_are_those_of_the_events_at_every_instant() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let (nora, mia) = (house.who("nora"), house.who("mia"));
        let request = house.submitted(&["a", "b", "c"]).await;
        house.desk().approve(mia, request.id, 1, Narrower::default()).await.unwrap();
        let declared = Declaration {
            role: "nurse".parse().unwrap(),
            patient: "d".parse().unwrap(),
            reason: DeclaredReason::Covering,
            ends_at: crate::support::at(3_600),
            words: Phi::new(WORDS.to_owned()),
        };
        house.desk().declare(nora, declared).await.unwrap();
        let emergency = Emergency {
            role: "nurse".parse().unwrap(),
            patient: "e".parse().unwrap(),
            reason: EmergencyReason::LifeThreat,
            words: Phi::new(String::new()),
        };
        house.desk().break_glass(nora, emergency).await.unwrap();
        let log = TestLog::new();
        world.drainer(&log).0.drain().await.unwrap();
        let kinds = log.kinds();
        let events = |kind: &str| i64::try_from(kinds.get(kind).copied().unwrap_or(0)).unwrap();
        // Declared for an hour, asked for two, an emergency for four.
        for (hours, open) in [(0, 5), (1, 4), (2, 1), (4, 0)] {
            let at = crate::support::at(hours * 3_600);
            let count = async |is_open: bool, kind: Option<&'static str>| {
                let filter = ElevationFilter { at, is_open, kind };
                count_elevations(&mut world.store.begin_read().await.unwrap(), filter).await.unwrap()
            };
            assert_eq!(count(true, None).await, open, "after {hours} hours");
            for (kind, event) in [
                ("asked", "elevation_granted"),
                ("declared", "relationship_declared"),
                ("emergency", "emergency_activated"),
            ] {
                let all = count(true, Some(kind)).await + count(false, Some(kind)).await;
                assert_eq!(all, events(event), "{kind} after {hours} hours");
            }
        }
    })
    .await;
}
