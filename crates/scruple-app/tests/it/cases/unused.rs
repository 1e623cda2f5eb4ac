//! Roles that are held and not used: notice, objection, the manager's word, and the clock.

use super::ENGINE;
use crate::support::{World, at, with_world};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use scruple_app::directory::{Directory, DirectoryError, UnusedLook, UserOrder};
use scruple_core::{Id, Phi};
use scruple_flow::directory::{Attributes, Employment, Presence};
use scruple_flow::unused::{UnusedError, UnusedNotice};
use scruple_policy::{Pack, PackFiles, read};
use scruple_store::{AccessBasis, AccessOutcome, Grant, NewChartAccess, Person, SourceKind, find_grant, list_unused};
use std::sync::LazyLock;

static PACK: LazyLock<Pack> = LazyLock::new(|| read(&PackFiles::embedded()).unwrap());
const DAY: i64 = 86_400;
const WHY: &str = "I cover the ward again from June on";

async fn acting<T>(world: &World, by: Id<Person>, act: impl AsyncFnOnce(&mut Directory<'_>) -> T) -> T {
    world.clock.advance_micros(1_000_000);
    let mut rng = ChaCha20Rng::seed_from_u64(world.now().micros().unsigned_abs());
    let (store, lease, clock) = (&world.store, &world.lease, &*world.clock);
    act(&mut Directory { store, lease, clock, rng: &mut rng, by }).await
}

async fn told(world: &World, login: &str, manager: Option<Id<Person>>) -> Id<Person> {
    let order = UserOrder {
        login: login.parse().unwrap(),
        name: Phi::new(login.to_owned()),
        contact: None,
        attributes: Attributes { manager, employment: Some(Employment::Employee), ..Attributes::default() },
        presence: Presence { active: Some(true), on_leave: None },
        document: Phi::new(b"{}".to_vec()),
        effective_at: None,
    };
    let done = acting(world, world.asker, async |directory| directory.create_user(&order).await).await;
    done.unwrap().value.record.person.id
}

async fn look(world: &World) -> UnusedLook {
    acting(world, world.asker, async |directory| directory.look_for_unused(&PACK).await).await.unwrap()
}

/// Somebody opens a record by a grant, now.
async fn opens(world: &World, person: Id<Person>, grant: Id<Grant>) {
    let source = world.store.ensure_source(world.id(), (SourceKind::Gateway, "gateway"), at(0)).await.unwrap().unwrap();
    let access = NewChartAccess {
        id: world.id(),
        source,
        once: Phi::new(format!("{grant} {}", world.now())),
        at: world.now(),
        patient: Phi::new("Patient/p".to_owned()),
        person: Some(person),
        actor: Phi::new("somebody".to_owned()),
        role: Some("nurse".to_owned()),
        purpose: Some("TREAT".to_owned()),
        outcome: AccessOutcome::Opened,
        basis: AccessBasis::Encounter,
        grant: Some(grant),
        elevation: None,
        entry: Some(1),
        outside: false,
        place: None,
        facts: Phi::new(b"{}".to_vec()),
    };
    assert_eq!(world.store.append_log(&[access]).await.unwrap(), 1);
}

async fn notice_of(world: &World, person: Id<Person>) -> UnusedNotice {
    let mut tx = world.store.begin_read().await.unwrap();
    list_unused(&mut tx, Some(person), None).await.unwrap().remove(0)
}

fn to_day(world: &World, day: i64) {
    let until = at(day * DAY).micros() - world.now().micros();
    assert!(until > 0);
    world.clock.advance_micros(until);
}

async fn has_role(world: &World, login: &str) -> bool {
    let (cache, _) = world.fresh_cache().await;
    !world.roles(&cache, login).await.unwrap().is_empty()
}

#[tokio::test]
async fn a_role_that_is_unused_for_ninety_days_is_noticed_and_then_taken_unless_its_holder_objects() {
    with_world(ENGINE, async |world| {
        let boss = told(world, "boss", None).await;
        let mut grants = Vec::new();
        for login in ["silent", "objects", "refused", "returns", "busy"] {
            let person = told(world, login, Some(boss)).await;
            grants.push((person, world.grant(person, "nurse", (0, 400 * DAY)).await));
        }
        let [silent, objects, refused, returns, busy] = grants.as_slice() else { unreachable!() };
        to_day(world, 60);
        opens(world, busy.0, busy.1).await;
        to_day(world, 89);
        assert_eq!(look(world).await, UnusedLook::default());
        to_day(world, 91);
        assert_eq!(look(world).await, UnusedLook { noticed: 4, used: 0, taken: 0 });
        assert_eq!(look(world).await, UnusedLook::default(), "once");
        // The holder hears of it himself, and his manager; what is over by then is not told.
        let mut letters = super::messages::letters(world).await;
        letters.sort();
        let mut expected: Vec<_> =
            ["objects", "refused", "returns", "silent"].map(|login| ("role_unused", Some(login.to_owned()))).into();
        expected.extend(vec![("role_unused_in_team", Some("boss".to_owned())); 4]);
        assert_eq!(letters, expected);
        // Who objects says why, once, and of his own alone.
        for who in [objects, refused] {
            let notice = notice_of(world, who.0).await;
            let other = acting(world, busy.0, async |directory| directory.object((notice.id, 1), WHY).await).await;
            assert!(matches!(other, Err(DirectoryError::NoPerson)), "{other:?}");
            let weak = acting(world, who.0, async |directory| directory.object((notice.id, 1), "needed").await).await;
            assert!(matches!(weak, Err(DirectoryError::Unused(UnusedError::Reason(_)))), "{weak:?}");
            acting(world, who.0, async |directory| directory.object((notice.id, 1), WHY).await).await.unwrap();
            let late = acting(world, who.0, async |directory| directory.object((notice.id, 1), WHY).await).await;
            assert!(matches!(late, Err(DirectoryError::Changed)), "{late:?}");
        }
        let letters = super::messages::letters(world).await;
        assert_eq!(letters, vec![("role_objected", Some("boss".to_owned())); 2], "the manager is to decide");
        to_day(world, 100);
        opens(world, returns.0, returns.1).await;
        // The manager decides, and nobody else.
        for (who, keeps) in [(objects, true), (refused, false)] {
            let notice = notice_of(world, who.0).await;
            for by in [who.0, busy.0, world.approver] {
                let no = acting(world, by, async |directory| directory.decide_unused((notice.id, 2), true).await).await;
                assert!(matches!(no, Err(DirectoryError::Unused(UnusedError::NotTheManager))), "{no:?}");
            }
            acting(world, boss, async |directory| directory.decide_unused((notice.id, 2), keeps).await).await.unwrap();
        }
        assert_eq!(look(world).await, UnusedLook { noticed: 0, used: 1, taken: 0 });
        assert!(!has_role(world, "refused").await, "at once");
        to_day(world, 106);
        // No job has run: the clock has taken it.
        assert!(!has_role(world, "silent").await);
        for login in ["objects", "returns", "busy"] {
            assert!(has_role(world, login).await, "{login}");
        }
        assert_eq!(look(world).await, UnusedLook { noticed: 0, used: 0, taken: 1 });
        assert_eq!(look(world).await, UnusedLook::default());
        for (who, is_taken) in [(silent, true), (refused, true), (objects, false), (busy, false)] {
            let grant = find_grant(&mut world.store.begin_read().await.unwrap(), who.1).await.unwrap().unwrap();
            assert_eq!(grant.revoked.is_some(), is_taken);
        }
    })
    .await;
}
