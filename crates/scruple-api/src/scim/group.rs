//! Groups as SCIM has them, and what a SCIM document orders.

use super::error::ScimError;
use super::etag;
use super::schema::GROUP;
use scruple_app::directory::{GroupOrder, GroupView};
use scruple_core::{Id, Phi};
use scruple_flow::directory::value;
use scruple_store::Person;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

type Document = Map<String, Value>;

/// What a document orders.
pub fn order(document: &Document) -> Result<GroupOrder, ScimError> {
    let kept = |name: &str| {
        let text = document.get(name).and_then(Value::as_str).unwrap_or_default();
        value(text).map_err(|_| ScimError::VALUE)
    };
    let display = kept("displayName")?.ok_or(ScimError::VALUE)?;
    let mut members = BTreeSet::new();
    for member in document.get("members").and_then(Value::as_array).into_iter().flatten() {
        let id = member.get("value").and_then(Value::as_str).ok_or(ScimError::VALUE)?;
        members.insert(id.parse::<Id<Person>>().map_err(|_| ScimError::MEMBER)?);
    }
    Ok(GroupOrder { display, external_id: kept("externalId")?, members })
}

/// The document of a group: what a client may say of it.
pub fn document(group: &GroupView, base: &str) -> Document {
    let mut document = Document::new();
    document.insert("displayName".to_owned(), group.group.display.expose().clone().into());
    if let Some(external) = group.group.external_id.as_ref().map(Phi::expose) {
        document.insert("externalId".to_owned(), external.clone().into());
    }
    if !group.members.is_empty() {
        let member = |person: &Id<Person>| json!({ "value": person.to_string(), "$ref": format!("{base}/Users/{person}"), "type": "User" });
        document.insert("members".to_owned(), group.members.iter().map(member).collect());
    }
    document
}

/// A group as a resource.
pub fn render(group: &GroupView, base: &str) -> Value {
    let mut resource = document(group, base);
    let id = group.group.id.to_string();
    resource.insert("schemas".to_owned(), json!([GROUP]));
    resource.insert("id".to_owned(), id.clone().into());
    resource.insert(
        "meta".to_owned(),
        json!({
            "resourceType": "Group",
            "created": group.group.created_at.to_string(),
            "lastModified": group.group.changed_at.to_string(),
            "location": format!("{base}/Groups/{id}"),
            "version": tag(group),
        }),
    );
    resource.into()
}

/// The entity tag: another one where what is shown is another, the members included.
pub fn tag(group: &GroupView) -> String {
    etag::tag(group.group.version, group.members.iter().map(ToString::to_string))
}
