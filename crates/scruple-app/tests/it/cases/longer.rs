//! What happens with time: nobody answers, and access that is about to end is asked for again.

use super::ENGINE;
use super::desk::{House, READ, WORDS};
use crate::support::{at, with_world};
use scruple_app::{Ask, DeskError, Longer, Narrower};
use scruple_core::{Id, Phi};
use scruple_flow::{AccessRequest, RequestError, RequestState};
use scruple_store::find_request;

const HOUR_MICROS: i64 = 3_600_000_000;

async fn approve(house: &mut House<'_>, who: &str, request: &AccessRequest) -> Result<AccessRequest, &'static str> {
    let who = house.who(who);
    let done = house.desk().approve(who, request.id, request.version, Narrower::default()).await;
    done.map(|done| done.now).map_err(|error| error.code())
}

#[tokio::test]
async fn where_the_approver_is_silent_the_backup_decides_from_its_instant_on_and_silence_is_a_no() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let eight = House::ask(&["a"], 8, WORDS);
        let nora = house.who("nora");
        let request = house.desk().submit(nora, eight).await.unwrap().now;
        assert_eq!((request.escalates_at(), request.decide_by), (Some(at(3 * 3_600)), at(4 * 3_600)));
        world.clock.advance_micros(3 * HOUR_MICROS - 1);
        assert_eq!(approve(&mut house, "pia", &request).await, Err("approver_not_eligible"), "not yet");
        world.clock.advance_micros(1);
        assert_eq!(approve(&mut house, "bob", &request).await, Err("act_not_permitted"));
        assert_eq!(house.opened("nora", "TREAT").await, Vec::<String>::new(), "an escalation is no yes");
        let decided = approve(&mut house, "pia", &request).await.unwrap();
        assert_eq!(decided.state.code(), "approved");
        assert_eq!(house.opened("nora", "TREAT").await, ["a"]);

        let words = format!("{WORDS} and of April");
        let silent = house.desk().submit(nora, House::ask(&["b"], 8, &words)).await.unwrap().now;
        world.clock.advance_micros(4 * HOUR_MICROS);
        for who in ["mia", "pia"] {
            assert_eq!(approve(&mut house, who, &silent).await, Err("invalid_task_state"), "{who}");
        }
        assert_eq!(house.desk().expire_requests().await.unwrap(), 1);
        let found = find_request(&mut world.store.begin_read().await.unwrap(), silent.id).await.unwrap().unwrap();
        assert!(matches!(found.state, RequestState::Expired { .. }), "{found:?}");
    })
    .await;
}

fn longer(hours: i64, words: &str) -> Longer {
    let justification = Phi::new(format!("{WORDS}, {words}"));
    Longer { ends_at: at(hours * 3_600), justification, acknowledged: None }
}

async fn extend(
    house: &mut House<'_>,
    who: &str,
    earlier: Id<AccessRequest>,
    longer: Longer,
) -> Result<AccessRequest, &'static str> {
    let who = house.who(who);
    house.desk().extend(who, earlier, longer).await.map(|done| done.now).map_err(|error| error.code())
}

/// JX-16: eight hours by the rule, prolonged in the last quarter, twice, and for sixteen hours in all.
#[tokio::test]
async fn access_is_prolonged_by_a_new_decision_in_its_last_part_twice_and_not_a_third_time() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let nora = house.who("nora");
        let first = house.desk().submit(nora, House::ask(&["a", "b"], 4, WORDS)).await.unwrap().now;
        assert_eq!(extend(&mut house, "nora", first.id, longer(8, "one")).await, Err("extension_of_nothing"));
        let first = approve(&mut house, "mia", &first).await.unwrap();
        world.clock.advance_micros(3 * HOUR_MICROS - 1);
        assert_eq!(extend(&mut house, "nora", first.id, longer(8, "one")).await, Err("extension_too_early"));
        world.clock.advance_micros(1);
        assert_eq!(extend(&mut house, "bob", first.id, longer(8, "one")).await, Err("unknown"));
        assert_eq!(extend(&mut house, "nora", first.id, longer(13, "one")).await, Err("duration_too_long"));
        assert_eq!(extend(&mut house, "nora", first.id, longer(17, "one")).await, Err("extension_cap"));
        let one = extend(&mut house, "nora", first.id, longer(8, "one")).await.unwrap();
        assert_eq!(one.extends.map(|earlier| (earlier.request, earlier.number)), Some((first.id, 1)));
        assert_eq!(extend(&mut house, "nora", first.id, longer(8, "again")).await, Err("changed"), "one at a time");
        assert_eq!(approve(&mut house, "nora", &one).await, Err("act_not_permitted"));
        // Asked for is not given: it ends at its own time.
        world.clock.advance_micros(HOUR_MICROS - 1);
        let one = approve(&mut house, "mia", &one).await.unwrap();
        world.clock.advance_micros(1);
        assert_eq!(house.opened("nora", "TREAT").await, ["a", "b"], "it goes on without a gap");

        world.clock.advance_micros(3 * HOUR_MICROS);
        let two = extend(&mut house, "nora", one.id, longer(12, "two")).await.unwrap();
        assert_eq!(two.extends.map(|earlier| (earlier.number, earlier.since)), Some((2, at(0))));
        let two = approve(&mut house, "mia", &two).await.unwrap();
        world.clock.advance_micros(4 * HOUR_MICROS);
        assert_eq!(house.opened("nora", "TREAT").await, ["a", "b"]);
        assert_eq!(extend(&mut house, "nora", two.id, longer(13, "three")).await, Err("extension_cap"), "the third");
        world.clock.advance_micros(HOUR_MICROS);
        assert_eq!(house.opened("nora", "TREAT").await, Vec::<String>::new());
        assert_eq!(extend(&mut house, "nora", two.id, longer(14, "late")).await, Err("extension_of_nothing"));
    })
    .await;
}

#[tokio::test]
async fn what_was_given_back_is_not_prolonged_and_of_the_rest_no_more_than_stands() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let request = house.submitted(&["a", "b"]).await;
        let request = approve(&mut house, "mia", &request).await.unwrap();
        world.clock.advance_micros(2 * HOUR_MICROS - 60_000_000);
        let open = scruple_store::open_elevations(
            &mut world.store.begin_read().await.unwrap(),
            house.people["nora"],
            world.now(),
        )
        .await
        .unwrap();
        let of = |patient: &str| open.iter().find(|one| one.patient.id() == patient).unwrap().id;
        let nora = house.who("nora");
        house.desk().end_elevation(nora, of("a"), 1).await.unwrap();
        let more = extend(&mut house, "nora", request.id, longer(4, "more")).await.unwrap();
        assert_eq!(more.wanted.patients.iter().map(|one| one.id()).collect::<Vec<_>>(), ["b"]);
        let (mia, words) = (house.who("mia"), Phi::new("The review is done, says its chair".to_owned()));
        house.desk().deny(mia, more.id, 1, words).await.unwrap();
        house.desk().end_elevation(nora, of("b"), 1).await.unwrap();
        assert_eq!(extend(&mut house, "nora", request.id, longer(4, "all")).await, Err("extension_of_nothing"));
    })
    .await;
}

#[tokio::test]
async fn what_was_read_before_it_was_asked_for_stays_with_the_request_and_without_it_nothing_is_asked_for() {
    with_world(ENGINE, async |world| {
        let mut house = House::open(world).await;
        let bob = house.who("bob");
        let ask = |read: Option<&str>| Ask {
            role: "biller".parse().unwrap(),
            acknowledged: read.map(str::to_owned),
            ..House::ask(&["a"], 2, WORDS)
        };
        for read in [None, Some("role-fedcba9876543210"), Some("")] {
            let refused = house.desk().submit(bob, ask(read)).await.unwrap_err();
            assert!(matches!(refused, DeskError::Request(RequestError::NotRead)), "{read:?}: {refused:?}");
        }
        let made = house.desk().submit(bob, ask(Some(READ))).await.unwrap().now;
        let stored = find_request(&mut world.store.begin_read().await.unwrap(), made.id).await.unwrap().unwrap();
        assert_eq!(stored.acknowledged.as_deref(), Some(READ));
    })
    .await;
}
