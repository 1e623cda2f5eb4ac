//! The protocol: who may call, statuses, entity tags, uniqueness, bodies.

use crate::support::{Service, TOKEN};
use axum::Router;
use axum::body::Body;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tower_service::Service as _;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

#[tokio::test]
async fn nobody_without_a_good_token_learns_anything() {
    let service = Service::open().await;
    let good = format!("Bearer {TOKEN}");
    for (token, expected) in [
        ("", 401),
        ("Bearer", 401),
        ("Bearer canary-wrong-2f9c", 401),
        (&good.replace("Bearer", "Basic"), 401),
        (&good.replace("Bearer", "bearer"), 200),
        (&good, 200),
    ] {
        for path in ["/Users", "/ServiceProviderConfig"] {
            let request = Request::builder().uri(format!("/scim/v2{path}")).header("authorization", token);
            let answer = service.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, expected, "{token} {path}");
            if expected == 401 {
                assert_eq!((answer.error(), answer.header("www-authenticate")), ((401, ""), "Bearer"));
            }
        }
    }
    let request = Request::builder().uri("/scim/v2/nothing").body(Body::empty()).unwrap();
    assert_eq!(service.send(request).await.status, StatusCode::UNAUTHORIZED, "not even what there is");
    // Beside others on one listener: what is not below `/scim/v2` is theirs, in either order.
    let theirs = || Router::new().fallback(|| async { StatusCode::IM_A_TEAPOT });
    for mut both in [theirs().merge(service.router()), service.router().merge(theirs())] {
        for (path, expected) in
            [("/elsewhere", StatusCode::IM_A_TEAPOT), ("/scim/v2/nothing", StatusCode::UNAUTHORIZED)]
        {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            assert_eq!(both.call(request).await.unwrap().status(), expected, "{path}");
        }
    }
}

#[tokio::test]
async fn every_answer_is_what_the_rfc_says_and_is_kept_nowhere() {
    let service = Service::open().await;
    let user = service.post("/Users", &json!({ "userName": "Ana", "password": "canary-2f9c", "shoe": 7 })).await;
    assert_eq!(
        (user.status, &user.json["userName"], &user.json["active"]),
        (StatusCode::CREATED, &json!("Ana"), &json!(true))
    );
    assert!(!user.text.contains("canary") && !user.text.contains("shoe"), "{}", user.text);
    assert_eq!(user.header("location"), format!("https://scruple.example/scim/v2/Users/{}", user.id()));
    assert_eq!(user.json["meta"]["location"], user.header("location"));
    assert_eq!(user.json["meta"]["version"], user.header("etag"));
    for (name, value) in [
        ("content-type", "application/scim+json"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(user.header(name), value);
    }
    for (method, path, expected) in [
        (Method::GET, "/nothing", (404, "")),
        (Method::GET, "/Users/7", (404, "")),
        (Method::GET, "/Groups/019ca869-5000-7000-8000-000000000001", (404, "")),
        (Method::GET, "/Schemas/urn:x", (404, "")),
        (Method::POST, "/Schemas", (405, "")),
        (Method::PUT, "/Users", (405, "")),
        (Method::GET, "/Me", (501, "")),
        (Method::POST, "/Bulk", (501, "")),
        (Method::DELETE, "/Users/019ca869-5000-7000-8000-000000000001", (404, "")),
    ] {
        assert_eq!(service.ask(method.clone(), path, &[], None).await.error(), expected, "{method} {path}");
    }
    let schema = service.get(&format!("/Schemas/{ENTERPRISE}")).await;
    assert_eq!((schema.status, &schema.json["name"]), (StatusCode::OK, &json!("EnterpriseUser")));
    assert_eq!(service.get("/ResourceTypes/User").await.json["schemaExtensions"][0]["schema"], ENTERPRISE);
}

#[tokio::test]
async fn bodies_are_bounded_and_of_the_right_kind() {
    let service = Service::open().await;
    let send = async |kind: &str, body: String| {
        let request = Request::builder().method("POST").uri("/scim/v2/Users").header("content-type", kind);
        let request = request.header("authorization", format!("Bearer {TOKEN}"));
        service.send(request.body(Body::from(body)).unwrap()).await
    };
    let user = || json!({ "userName": "ana" }).to_string();
    let huge = json!({ "userName": "ana", "title": "canary".repeat(200_000) }).to_string();
    let long = json!({ "userName": "bob", "title": "x".repeat(1_025) }).to_string();
    let control = json!({ "userName": "bob", "title": "canary\u{7}" }).to_string();
    for (kind, body, expected) in [
        ("text/plain", user(), (415, "")),
        ("application/scim+json", "{\"userName\": \"canary".to_owned(), (400, "invalidSyntax")),
        ("application/scim+json", "[]".to_owned(), (400, "invalidSyntax")),
        ("application/scim+json", "{}".to_owned(), (400, "invalidValue")),
        ("application/scim+json", json!({ "userName": "a b canary" }).to_string(), (400, "invalidValue")),
        ("application/scim+json", long, (400, "invalidValue")),
        ("application/scim+json", control, (400, "invalidValue")),
        ("application/scim+json", huge, (413, "")),
    ] {
        assert_eq!(send(kind, body).await.error(), expected, "{kind}");
    }
    assert_eq!(send("application/json; charset=utf-8", user()).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_login_and_a_number_are_one_person_s() {
    let service = Service::open().await;
    let user = |login: &str, number: &str| json!({ "userName": login, ENTERPRISE: { "employeeNumber": number } });
    let ana = service.user(&user("ana", "1")).await;
    let bob = service.user(&user("bob", "2")).await;
    for body in [user("ANA", "3"), user("eve", "1")] {
        assert_eq!(service.post("/Users", &body).await.error(), (409, "uniqueness"), "{body}");
        assert_eq!(service.put(&format!("/Users/{bob}"), &body).await.error(), (409, "uniqueness"), "{body}");
    }
    assert_eq!(service.put(&format!("/Users/{ana}"), &user("ANA.B", "1")).await.json["userName"], "ANA.B");
    let unknown = json!({ "displayName": "N", "members": [{ "value": "019ca869-5000-7000-8000-00000000dead" }] });
    assert_eq!(service.post("/Groups", &unknown).await.error(), (400, "invalidValue"));
}

/// Who holds what through a group is seen by looking at that group: none stands in another.
#[tokio::test]
async fn a_group_is_no_member_of_a_group() {
    let service = Service::open().await;
    let made = service.post("/Groups", &json!({ "displayName": "Nurses" })).await;
    let inner = json!({ "value": made.id(), "type": "Group" });
    let outer = json!({ "displayName": "Everybody", "members": [inner] });
    assert_eq!(service.post("/Groups", &outer).await.error(), (400, "invalidValue"));
    let path = format!("/Groups/{}", service.post("/Groups", &json!({ "displayName": "Staff" })).await.id());
    let add = json!([{ "op": "add", "path": "members", "value": [inner] }]);
    assert_eq!(service.patch(&path, &add).await.error(), (400, "invalidValue"));
    assert_eq!(service.get(&path).await.json["members"], Value::Null);
}

#[tokio::test]
async fn an_entity_tag_saves_a_read_and_guards_a_write() {
    let service = Service::open().await;
    for (path, body) in [("/Users", json!({ "userName": "ana" })), ("/Groups", json!({ "displayName": "N" }))] {
        let made = service.post(path, &body).await;
        let (path, tag) = (format!("{path}/{}", made.id()), made.header("etag").to_owned());
        assert!(tag.starts_with("W/\"1-"), "{tag}");
        let known = service.ask(Method::GET, &path, &[("if-none-match", &format!("\"x\", {tag}"))], None).await;
        assert_eq!(
            (known.status, known.text.as_str(), known.header("etag")),
            (StatusCode::NOT_MODIFIED, "", tag.as_str())
        );
        assert_eq!(service.ask(Method::GET, &path, &[("if-none-match", "\"x\"")], None).await.status, StatusCode::OK);
        let mut other = body.clone();
        other["externalId"] = "7".into();
        let stale = service.ask(Method::PUT, &path, &[("if-match", "W/\"9-x\"")], Some(&other)).await;
        assert_eq!(stale.error(), (412, ""));
        let good = service.ask(Method::PUT, &path, &[("if-match", &tag)], Some(&other)).await;
        assert_eq!((good.status, good.header("etag") == tag), (StatusCode::OK, false));
        for method in [Method::PUT, Method::PATCH, Method::DELETE] {
            let body = (method != Method::DELETE).then_some(&body);
            let patch = json!({ "Operations": [{ "op": "remove", "path": "externalId" }] });
            let body = if method == Method::PATCH { Some(&patch) } else { body };
            assert_eq!(service.ask(method, &path, &[("if-match", &tag)], body).await.error(), (412, ""));
        }
        assert_eq!(service.ask(Method::DELETE, &path, &[("if-match", "*")], None).await.status, StatusCode::NO_CONTENT);
    }
}

#[tokio::test]
async fn members_and_groups_show_each_other_and_change_each_other_s_tags() {
    let service = Service::open().await;
    let ana = service.user(&json!({ "userName": "ana" })).await;
    let before = service.get(&format!("/Users/{ana}")).await;
    let group = service.post("/Groups", &json!({ "displayName": "Nurses" })).await;
    let path = format!("/Groups/{}", group.id());
    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": ana }] }]);
    let with = service.patch(&path, &add).await;
    assert_eq!(with.json["members"][0]["value"], ana.as_str());
    assert_eq!(with.json["members"][0]["$ref"], format!("https://scruple.example/scim/v2/Users/{ana}"));
    let after = service.get(&format!("/Users/{ana}")).await;
    assert_eq!(
        (&after.json["groups"][0]["value"], &after.json["groups"][0]["display"]),
        (&json!(group.id()), &json!("Nurses"))
    );
    assert_ne!(before.header("etag"), after.header("etag"));
    service.ask(Method::DELETE, &format!("/Users/{ana}"), &[], None).await;
    let without = service.get(&path).await;
    assert_eq!((&without.json["members"], without.header("etag") == with.header("etag")), (&Value::Null, false));
}
