//! Measures of everybody: what they count is what the single questions tell.

use super::ENGINE;
use super::requests::{pending, privacy, stored};
use crate::support::{at, with_db};
use scruple_core::{Id, Phi};
use scruple_flow::Window;
use scruple_flow::directory::{Leave, LeaveState};
use scruple_store::{
    Grant, GrantRequest, NewGrant, RoleCode, Subject, add_member, asked_grants, count_members, find_group,
    grants_as_of, insert_grant, insert_group, insert_leave, job_roles, map_group, mark_person_left, people_here,
};
use std::collections::BTreeMap;

#[tokio::test]
async fn who_is_here_which_role_the_job_gives_and_how_many_hold_each() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        let [one, two, three] = people;
        db.grant([one, two, three], "nurse", (0, 100)).await;
        db.grant([two, one, three], "nurse", (0, 50)).await;
        db.grant([two, one, three], "biller", (0, 100)).await;
        let counted = async |second: i64| -> BTreeMap<String, u64> {
            let mut tx = db.read().await;
            let counted = count_members(&mut tx, at(second)).await.unwrap();
            let mut single: BTreeMap<RoleCode, u64> = BTreeMap::new();
            for grant in grants_as_of(&mut tx, at(second), None, 10).await.unwrap() {
                *single.entry(grant.role).or_default() += 1;
            }
            assert_eq!(counted, single, "{second}");
            counted.into_iter().map(|(role, count)| (role.to_string(), count)).collect()
        };
        assert_eq!(counted(10).await, [("biller".to_owned(), 1), ("nurse".to_owned(), 2)].into());
        assert_eq!(counted(60).await, [("biller".to_owned(), 1), ("nurse".to_owned(), 1)].into());
        let mut all = people.map(|person| (person, false));
        all.sort_unstable();
        assert_eq!(people_here(&mut db.read().await, at(10)).await.unwrap(), all);

        let mut tx = db.begin().await;
        let leave =
            Leave { id: db.id(), person: two, starts_at: at(20), noted_by: three, state: LeaveState::Open, version: 1 };
        insert_leave(&mut tx, &leave, at(10)).await.unwrap();
        mark_person_left(&mut tx, three, 1, at(30)).await.unwrap();
        db.commit(tx, Subject::Everyone).await.unwrap();
        let here = people_here(&mut db.read().await, at(40)).await.unwrap();
        let mut expected = [(one, false), (two, true)];
        expected.sort_unstable();
        assert_eq!(here, expected);
        assert_eq!(counted(40).await, [("nurse".to_owned(), 1)].into());

        let group = db.id();
        let mut tx = db.begin().await;
        insert_group(&mut tx, group, &Phi::new("Nurses".to_owned()), None, at(1)).await.unwrap();
        add_member(&mut tx, group, one, at(1)).await.unwrap();
        db.commit(tx, Subject::Everyone).await.unwrap();
        assert_eq!(job_roles(&mut db.read().await).await.unwrap(), []);
        let mut tx = db.begin().await;
        let version = find_group(&mut tx, group).await.unwrap().unwrap().version;
        map_group(&mut tx, (group, version), Some(&"nurse".parse().unwrap()), two, at(2)).await.unwrap();
        db.commit(tx, Subject::Everyone).await.unwrap();
        assert_eq!(job_roles(&mut db.read().await).await.unwrap(), [(one, "nurse".parse().unwrap())]);
    })
    .await;
}

#[tokio::test]
async fn what_was_asked_for_and_approved_is_told_from_what_was_given() {
    with_db(ENGINE, async |db| {
        let people = db.three().await;
        db.grant(people, "nurse", (0, 100)).await;
        let request = pending(db, people, &[], &[privacy()]);
        stored(db, &request).await;
        assert_eq!(asked_grants(&mut db.read().await, at(1)).await.unwrap(), [].into());
        let id: Id<Grant> = Id::from_uuid(request.id.uuid());
        let by = super::requests::approver(people[2], &[privacy()]);
        let approved = request.approve(&by, None, at(2)).unwrap();
        super::requests::changed(db, &approved, 1).await.unwrap();
        let grant = GrantRequest {
            id,
            person: people[0],
            role: "nurse".parse().unwrap(),
            window: Window::new(at(2), at(50)).unwrap(),
            requested_by: people[1],
            justification: Phi::new("Peer review of the March falls".to_owned()),
        };
        let mut tx = db.begin().await;
        insert_grant(&mut tx, &NewGrant::approved(grant, people[2], at(2)).unwrap()).await.unwrap();
        db.commit(tx, Subject::Person(people[0])).await.unwrap();
        assert_eq!(asked_grants(&mut db.read().await, at(10)).await.unwrap(), [id].into());
        assert_eq!(asked_grants(&mut db.read().await, at(50)).await.unwrap(), [].into());
    })
    .await;
}
