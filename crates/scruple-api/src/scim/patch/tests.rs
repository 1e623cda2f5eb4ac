//! Operations on a document, one row each.

use super::*;
use crate::scim::schema::{GROUPS, USERS};
use serde_json::json;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn user() -> Value {
    json!({
        "userName": "ana",
        "name": { "givenName": "Ana", "familyName": "Lee" },
        "emails": [
            { "type": "work", "value": "w@x", "primary": true },
            { "type": "home", "value": "h@x" },
        ],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "ED" },
    })
}

/// What the operations make of the user, or the keyword of the error.
fn patched(operations: &Value) -> Result<Value, &'static str> {
    let document = user().as_object().unwrap().clone();
    let done = apply(&USERS, document, &json!({ "Operations": operations }));
    done.map(|done| done.document.into()).map_err(|error| error.kind.unwrap())
}

/// The user with one member put, or taken away by null.
fn with(path: &str, value: Value) -> Value {
    let mut user = user();
    match value {
        Value::Null => drop(user.as_object_mut().unwrap().remove(path)),
        value => user[path] = value,
    }
    user
}

#[test]
fn each_operation_does_what_the_rfc_says() {
    let both = |primary: &str| {
        let mut list = json!([{ "type": "work", "value": "w@x" }, { "type": "home", "value": "h@x" }]);
        let place = usize::from(primary == "home");
        list[place]["primary"] = true.into();
        list
    };
    for (operation, expected) in [
        (json!({ "op": "add", "path": "title", "value": "RN" }), with("title", json!("RN"))),
        (json!({ "op": "Replace", "path": "TITLE", "value": "RN" }), with("title", json!("RN"))),
        (json!({ "op": "add", "value": { "title": "RN", "unknown": 1, "id": "x" } }), with("title", json!("RN"))),
        (
            json!({ "op": "replace", "path": "name.givenName", "value": "Ann" }),
            with("name", json!({ "givenName": "Ann", "familyName": "Lee" })),
        ),
        (
            json!({ "op": "replace", "path": "name", "value": { "givenName": "Ann" } }),
            with("name", json!({ "givenName": "Ann", "familyName": "Lee" })),
        ),
        (
            json!({ "op": "replace", "value": { "name.givenName": "Ann" } }),
            with("name", json!({ "givenName": "Ann", "familyName": "Lee" })),
        ),
        (json!({ "op": "remove", "path": "name.givenName" }), with("name", json!({ "familyName": "Lee" }))),
        (json!({ "op": "remove", "path": "name" }), with("name", Value::Null)),
        (json!({ "op": "replace", "path": "title", "value": null }), user()),
        (
            json!({ "op": "add", "path": "emails", "value": [{ "type": "home", "value": "h@x", "primary": true }] }),
            with("emails", both("home")),
        ),
        (
            json!({ "op": "replace", "path": "emails[type eq \"home\"].primary", "value": true }),
            with("emails", both("home")),
        ),
        (
            json!({ "op": "replace", "path": "emails[type eq \"work\"].value", "value": "n@x" }),
            with(
                "emails",
                json!([{ "type": "work", "value": "n@x", "primary": true }, { "type": "home", "value": "h@x" }]),
            ),
        ),
        (
            json!({ "op": "replace", "path": "emails", "value": [{ "value": "n@x" }] }),
            with("emails", json!([{ "value": "n@x" }])),
        ),
        (
            json!({ "op": "remove", "path": "emails[type eq \"home\"]" }),
            with("emails", json!([{ "type": "work", "value": "w@x", "primary": true }])),
        ),
        (json!({ "op": "remove", "path": "emails" }), with("emails", Value::Null)),
        (
            json!({ "op": "add", "path": "emails[type eq \"other\"].value", "value": "o@x" }),
            with(
                "emails",
                json!([{ "type": "work", "value": "w@x", "primary": true }, { "type": "home", "value": "h@x" },
                               { "type": "other", "value": "o@x" }]),
            ),
        ),
        (
            json!({ "op": "add", "path": format!("{ENTERPRISE}:department"), "value": "ICU" }),
            with(ENTERPRISE, json!({ "department": "ICU" })),
        ),
        (
            json!({ "op": "add", "value": { format!("{ENTERPRISE}:manager"): "M1" } }),
            with(ENTERPRISE, json!({ "department": "ED", "manager": { "value": "M1" } })),
        ),
        (
            json!({ "op": "replace", "value": { ENTERPRISE: { "costCenter": "7", "unknown": 1 } } }),
            with(ENTERPRISE, json!({ "department": "ED", "costCenter": "7" })),
        ),
        (json!({ "op": "remove", "path": ENTERPRISE }), with(ENTERPRISE, Value::Null)),
        (json!({ "op": "replace", "path": "active", "value": "False" }), with("active", json!(false))),
        (json!({ "op": "add", "path": "addresses[type eq \"work\"].locality", "value": "X" }), user()),
        (json!({ "op": "add", "path": "password", "value": "canary" }), user()),
    ] {
        assert_eq!(patched(&json!([operation])), Ok(expected), "{operation}");
    }
}

#[test]
fn what_cannot_be_done_ends_it_with_its_keyword() {
    for (operation, expected) in [
        (json!({ "op": "move", "path": "title" }), "invalidSyntax"),
        (json!({ "path": "title" }), "invalidSyntax"),
        (json!({ "op": "add", "path": "shoe", "value": 1 }), "invalidPath"),
        (json!({ "op": "add", "path": "name.shoe", "value": 1 }), "invalidPath"),
        (json!({ "op": "add", "path": "title[type eq 1]", "value": 1 }), "invalidPath"),
        (json!({ "op": "add", "path": "emails[type eq]", "value": 1 }), "invalidPath"),
        (json!({ "op": "add", "path": 7, "value": 1 }), "invalidPath"),
        (json!({ "op": "add", "path": "title" }), "invalidValue"),
        (json!({ "op": "add", "path": "title", "value": 7 }), "invalidValue"),
        (json!({ "op": "add", "path": "active", "value": "yes" }), "invalidValue"),
        (json!({ "op": "add", "path": "title", "value": "x".repeat(1_025) }), "invalidValue"),
        (json!({ "op": "add", "value": "RN" }), "invalidValue"),
        (json!({ "op": "remove" }), "noTarget"),
        (json!({ "op": "remove", "path": "emails[type eq \"fax\"]" }), "noTarget"),
        (json!({ "op": "replace", "path": "emails[type eq \"fax\"].value", "value": "x" }), "noTarget"),
        (json!({ "op": "replace", "path": "id", "value": "x" }), "mutability"),
        (json!({ "op": "replace", "path": "groups", "value": [] }), "mutability"),
        (json!({ "op": "replace", "path": "meta.version", "value": "x" }), "mutability"),
        (json!({ "op": "remove", "path": "userName" }), "mutability"),
        (json!({ "op": "replace", "path": "userName", "value": " " }), "invalidValue"),
        (
            json!({ "op": "replace", "path": "emails",
                 "value": [{ "value": "a", "primary": true }, { "value": "b", "primary": true }] }),
            "invalidValue",
        ),
        (json!({ "op": "replace", "path": "emails", "value": vec![json!({ "value": "a" }); 33] }), "invalidValue"),
    ] {
        assert_eq!(patched(&json!([operation])), Err(expected), "{operation}");
    }
    assert_eq!(patched(&json!([])), Err("invalidSyntax"));
    let many = vec![json!({ "op": "add", "path": "title", "value": "x" }); PATCH_OPERATIONS_MAX + 1];
    assert_eq!(patched(&json!(many)), Err("invalidSyntax"));
}

#[test]
fn members_come_and_go_one_by_one_or_by_their_value() {
    let group = |ids: &[&str]| {
        let members: Vec<_> = ids.iter().map(|id| json!({ "value": id })).collect();
        if ids.is_empty() { json!({ "displayName": "N" }) } else { json!({ "displayName": "N", "members": members }) }
    };
    let after = |operation: Value| {
        let document = group(&["a", "b"]).as_object().unwrap().clone();
        let done = apply(&GROUPS, document, &json!({ "Operations": [operation] }));
        done.map(|done| Value::from(done.document)).map_err(|error| error.kind.unwrap())
    };
    for (operation, expected) in [
        (
            json!({ "op": "add", "path": "members", "value": [{ "value": "c" }, { "value": "a" }] }),
            Ok(group(&["a", "b", "c"])),
        ),
        (json!({ "op": "add", "value": { "members": { "value": "c" } } }), Ok(group(&["a", "b", "c"]))),
        (json!({ "op": "remove", "path": "members[value eq \"a\"]" }), Ok(group(&["b"]))),
        (
            json!({ "op": "remove", "path": "members", "value": [{ "value": "b" }, { "value": "z" }] }),
            Ok(group(&["a"])),
        ),
        (json!({ "op": "remove", "path": "members" }), Ok(group(&[]))),
        (json!({ "op": "replace", "path": "members", "value": [] }), Ok(group(&[]))),
        (json!({ "op": "replace", "path": "members[value eq \"a\"].value", "value": "c" }), Err("mutability")),
        (json!({ "op": "remove", "path": "displayName" }), Err("mutability")),
    ] {
        assert_eq!(after(operation.clone()), expected, "{operation}");
    }
}

#[test]
fn what_was_named_is_told() {
    let document = user().as_object().unwrap().clone();
    let request = json!({ "operations": [
        { "op": "replace", "value": { "active": true, "name.givenName": "A" } },
        { "op": "add", "path": "urn:scruple:params:scim:schemas:extension:workforce:2.0:User:onLeave", "value": true },
    ] });
    let touched = apply(&USERS, document, &request).unwrap().touched;
    assert_eq!(touched.into_iter().collect::<Vec<_>>(), ["active", "name", "onLeave"]);
}
