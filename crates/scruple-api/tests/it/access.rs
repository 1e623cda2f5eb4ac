//! What provisioning does to access: it gives none, and takes it.

use crate::support::{SHARD, Service};
use http::{Method, StatusCode};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use scruple_app::directory::{Directory, Finding, findings};
use scruple_core::Clock as _;
use serde_json::{Value, json};

const WORKFORCE: &str = "urn:scruple:params:scim:schemas:extension:workforce:2.0:User";

fn ana() -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "ana",
        "displayName": "canary-name-2f9c",
        "title": "canary-title-2f9c",
        "active": true,
    })
}

fn set(name: &str, value: Value) -> Value {
    json!([{ "op": "replace", "path": name, "value": value }])
}

#[tokio::test]
async fn a_user_who_is_active_holds_nothing_until_it_is_approved() {
    let service = Service::open().await;
    let id = service.user(&ana()).await;
    assert_eq!(service.roles("ana").await, [""; 0]);
    service.grant(&id, "nurse").await;
    assert_eq!(service.roles("ana").await, ["nurse"]);
    // A group that stands for no role gives nothing and is a finding.
    let group = json!({ "displayName": "canary-group-2f9c", "members": [{ "value": id }] });
    let group = service.post("/Groups", &group).await;
    assert_eq!((group.status, service.roles("ana").await), (StatusCode::CREATED, vec!["nurse".to_owned()]));
    let found = findings(&service.store, service.clock.now()).await.unwrap();
    assert_eq!(found.iter().filter(|one| matches!(one, Finding::UnmappedGroup(_))).count(), 1);
}

#[tokio::test]
async fn active_false_is_a_leaver_and_active_true_brings_nothing_back() {
    let service = Service::open().await;
    let id = service.user(&ana()).await;
    let path = format!("/Users/{id}");
    service.grant(&id, "nurse").await;
    let out = service.patch(&path, &set("active", json!(false))).await;
    assert_eq!((out.status, &out.json["active"]), (StatusCode::OK, &json!(false)));
    assert_eq!(service.roles("ana").await, [""; 0]);
    let events = service.store.events_after(SHARD, 0, 500).await.unwrap();
    let left = events.iter().find(|event| event.kind == "person_left").unwrap();
    let facts = String::from_utf8(left.body.expose().clone()).unwrap();
    assert!(facts.contains(&service.service.to_string()) && facts.contains("nurse"), "{facts}");
    for event in &events {
        let facts = String::from_utf8(event.body.expose().clone()).unwrap();
        assert!(!facts.contains("canary"), "{facts}");
    }
    assert_eq!(service.patch(&path, &set("active", json!(true))).await.json["active"], true);
    assert_eq!(service.roles("ana").await, [""; 0]);
    service.grant(&id, "coder").await;
    assert_eq!(service.roles("ana").await, ["coder"]);
    assert_eq!(service.ask(Method::DELETE, &path, &[], None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(service.roles("ana").await, [""; 0]);
    assert_eq!(service.get(&path).await.error(), (404, ""));
    // The same login again is the same human, with nothing.
    assert_eq!(service.user(&ana()).await, id);
    assert_eq!(service.roles("ana").await, [""; 0]);
}

#[tokio::test]
async fn another_title_is_a_move_and_a_leave_suspends() {
    let service = Service::open().await;
    let boss = service.user(&json!({ "userName": "boss" })).await;
    let id = service.user(&ana()).await;
    let path = format!("/Users/{id}");
    let manager = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";
    service.patch(&path, &set(manager, json!({ "value": boss }))).await;
    service.grant(&id, "nurse").await;
    assert_eq!(service.patch(&path, &set("displayName", json!("Ana"))).await.status, StatusCode::OK);
    assert_eq!(service.roles("ana").await, ["nurse"], "a name is no move");
    service.patch(&path, &set("title", json!("Coder"))).await;
    assert_eq!(service.roles("ana").await, [""; 0]);
    service.grant(&id, "coder").await;
    let standing = async || {
        let shown = service.get(&format!("{path}?attributes={WORKFORCE}:standing")).await;
        shown.json[WORKFORCE]["standing"].as_str().unwrap().to_owned()
    };
    for (on_leave, expected) in [(true, "on_leave"), (false, "returning")] {
        service.patch(&path, &set(&format!("{WORKFORCE}:onLeave"), json!(on_leave))).await;
        assert_eq!((service.roles("ana").await, standing().await), (vec![], expected.to_owned()));
    }
}

#[tokio::test]
async fn a_move_takes_after_its_notice_and_leaves_what_was_approved_anew() {
    let service = Service::with_notice("https://scruple.example/scim/v2", 3_600).await;
    let id = service.user(&ana()).await;
    let path = format!("/Users/{id}");
    service.grant(&id, "nurse").await;
    service.patch(&path, &set("title", json!("Coder"))).await;
    assert_eq!(service.roles("ana").await, ["nurse"]);
    service.grant(&id, "coder").await;
    service.clock.advance_micros(3_600_000_000);
    assert_eq!(service.roles("ana").await, ["coder"]);
    service.patch(&path, &set("active", json!(false))).await;
    assert_eq!(service.roles("ana").await, [""; 0], "a leaver does not wait");
}

#[tokio::test]
async fn what_is_only_said_again_does_not_undo_what_was_decided_here() {
    let service = Service::open().await;
    let id = service.user(&ana()).await;
    let path = format!("/Users/{id}");
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let mut directory = Directory {
        store: &service.store,
        lease: &service.lease,
        clock: &*service.clock,
        rng: &mut rng,
        by: service.approver,
    };
    directory.leaves_now(id.parse().unwrap()).await.unwrap();
    assert_eq!(service.get(&path).await.json["active"], false, "as it is, and not as it was said");
    let again = service.put(&path, &ana()).await;
    assert_eq!((again.status, &again.json["active"]), (StatusCode::OK, &json!(false)));
    let titled = service.patch(&path, &set("title", json!("Coder"))).await;
    assert_eq!(titled.json["active"], false);
    let anew = service.patch(&path, &set("active", json!(true))).await;
    assert_eq!(anew.json["active"], true, "said by name, it is meant");
}

#[tokio::test]
async fn said_twice_it_is_done_once() {
    let service = Service::open().await;
    let id = service.user(&ana()).await;
    let path = format!("/Users/{id}");
    let first = service.put(&path, &ana()).await;
    let events = service.store.events_after(SHARD, 0, 500).await.unwrap().len();
    for _ in 0..2 {
        let again = service.put(&path, &ana()).await;
        assert_eq!(again.header("etag"), first.header("etag"));
        service.patch(&path, &set("title", json!("canary-title-2f9c"))).await;
    }
    assert_eq!(service.store.events_after(SHARD, 0, 500).await.unwrap().len(), events);
}
