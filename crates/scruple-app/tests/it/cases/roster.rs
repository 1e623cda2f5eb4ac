//! People by name: found as they are called now, whoever came or changed since.

use super::ENGINE;
use crate::support::with_world;
use scruple_app::Roster;
use scruple_core::Phi;
use scruple_store::{Subject, find_person, update_person};

#[tokio::test]
async fn people_are_found_by_part_of_what_they_are_called_now() {
    with_world(ENGINE, async |world| {
        let roster = Roster::default();
        let find = async |wanted: &str| roster.find(&world.store, wanted, (None, 10)).await.unwrap();
        assert_eq!(find("ana").await, []);
        let ana = world.person("ana.ruiz").await;
        let bea = world.person("bea.anand").await;
        let (first, second) = (ana.min(bea), ana.max(bea));
        assert_eq!(find("ana").await, [first, second]);
        assert_eq!(find("ruiz").await, [ana]);
        assert_eq!(roster.find(&world.store, "ana", (Some(first), 10)).await.unwrap(), [second]);
        assert_eq!(roster.find(&world.store, "ana", (None, 1)).await.unwrap(), [first]);
        let known = find_person(&mut world.store.begin_read().await.unwrap(), ana).await.unwrap().unwrap();
        let (name, login) = (Phi::new("Ana ØSTBERG".to_owned()), "ana.ostberg".parse().unwrap());
        let mut tx = world.store.begin().await.unwrap();
        update_person(&mut tx, ana, known.version, &login, &name, None).await.unwrap();
        world.commit(tx, Subject::Person(ana)).await;
        assert_eq!(find("østberg").await, [ana]);
        assert_eq!(find("ruiz").await, []);
        // What crosses from the name to the login is neither.
        assert_eq!(find("østbergana").await, []);
        assert_eq!(find("\n").await, []);
    })
    .await;
}
