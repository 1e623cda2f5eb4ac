//! Persons as SCIM has them, and what a SCIM document orders.

use super::error::ScimError;
use super::etag;
use super::schema::{ENTERPRISE, USER, WORKFORCE};
use scruple_app::directory::{UserOrder, UserView};
use scruple_core::{Id, Phi};
use scruple_flow::directory::{Attributes, Employment, Presence, Standing, value};
use scruple_store::{Login, Person};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

type Document = Map<String, Value>;

/// What a document orders. `before` is the one that is known; `touched` the attributes that a PATCH named.
///
/// That somebody is here, or is back, counts where it is said anew: a directory that says again what it said before does
/// not undo what was decided here meanwhile. That he is gone counts each time.
pub fn order(
    document: &Document,
    before: Option<&Document>,
    touched: &BTreeSet<&'static str>,
) -> Result<UserOrder, ScimError> {
    let text = |urn: Option<&str>, name: &str| {
        let holder = urn.map_or(Some(document), |urn| document.get(urn).and_then(Value::as_object));
        holder.and_then(|holder| holder.get(name)).and_then(Value::as_str)
    };
    let kept = |urn, name| text(urn, name).map_or(Ok(None), |text| value(text).map_err(|_| ScimError::VALUE));
    let login: Login = text(None, "userName").unwrap_or_default().parse().map_err(|_| ScimError::VALUE)?;
    let manager = document.get(ENTERPRISE).and_then(|own| own.get("manager")).and_then(|manager| manager.get("value"));
    let manager = manager.and_then(Value::as_str).and_then(|id| id.parse::<Id<Person>>().ok());
    let attributes = Attributes {
        employee_number: kept(Some(ENTERPRISE), "employeeNumber")?,
        external_id: kept(None, "externalId")?,
        title: kept(None, "title")?,
        department: kept(Some(ENTERPRISE), "department")?,
        organisation: kept(Some(ENTERPRISE), "organization")?,
        manager,
        employment: text(None, "userType").and_then(Employment::told),
    };
    let active = |document: &Document| document.get("active").and_then(Value::as_bool);
    let leave =
        |document: &Document| document.get(WORKFORCE).and_then(|own| own.get("onLeave")).and_then(Value::as_bool);
    let anew = |name: &str, now: Option<bool>, then: Option<bool>| {
        if touched.contains(name) || now != then { now } else { None }
    };
    let presence = Presence {
        active: match active(document) {
            Some(false) => Some(false),
            now => anew("active", now, before.and_then(active)),
        },
        on_leave: anew("onLeave", leave(document), before.and_then(leave)),
    };
    Ok(UserOrder {
        name: name(document, &login),
        contact: contact(document),
        login,
        attributes,
        presence,
        document: Phi::new(Value::Object(document.clone()).to_string().into_bytes()),
        effective_at: None,
    })
}

fn name(document: &Document, login: &Login) -> Phi<String> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let part = |name| text(document.get("name").and_then(|parts| parts.get(name)));
    let both = || {
        let parts: Vec<_> = [part("givenName"), part("familyName")].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    };
    let name = text(document.get("displayName")).or_else(|| part("formatted")).or_else(both);
    Phi::new(name.unwrap_or_else(|| login.expose().to_owned()))
}

fn contact(document: &Document) -> Option<Phi<String>> {
    let emails = document.get("emails")?.as_array()?;
    let primary = emails.iter().find(|email| email.get("primary") == Some(&Value::Bool(true)));
    let email = primary.or_else(|| emails.first())?;
    Some(Phi::new(email.get("value")?.as_str()?.to_owned()))
}

/// The document that is known of a person.
pub fn document(user: &UserView) -> Result<Document, ScimError> {
    serde_json::from_slice(user.record.document.expose()).map_err(|_| ScimError::INTERNAL)
}

/// A person as a resource.
pub fn render(user: &UserView, base: &str) -> Result<Value, ScimError> {
    let mut resource = document(user)?;
    let record = &user.record;
    let id = record.person.id.to_string();
    let mut schemas = vec![USER];
    if resource.contains_key(ENTERPRISE) {
        schemas.push(ENTERPRISE);
    }
    if resource.contains_key(WORKFORCE) {
        schemas.push(WORKFORCE);
    }
    let standing = match user.standing {
        Standing::Unknown | Standing::Here => "here",
        Standing::LeavePlanned => "leave_planned",
        Standing::OnLeave => "on_leave",
        Standing::Returning => "returning",
        Standing::Left => "left",
    };
    let workforce = resource.entry(WORKFORCE.to_owned()).or_insert_with(|| Map::new().into());
    if let Some(workforce) = workforce.as_object_mut() {
        workforce.insert("standing".to_owned(), standing.into());
    }
    // As it is, and not as it was said.
    if let Some(active) = resource.get_mut("active") {
        *active = (user.standing != Standing::Left).into();
    }
    if !user.groups.is_empty() {
        let groups = user.groups.iter().map(|group| {
            json!({
                "value": group.id.to_string(),
                "$ref": format!("{base}/Groups/{}", group.id),
                "display": group.display.expose(),
                "type": "direct",
            })
        });
        resource.insert("groups".to_owned(), groups.collect());
    }
    resource.insert("schemas".to_owned(), json!(schemas));
    resource.insert("id".to_owned(), id.clone().into());
    resource.insert(
        "meta".to_owned(),
        json!({
            "resourceType": "User",
            "created": record.created_at.to_string(),
            "lastModified": record.changed_at.to_string(),
            "location": format!("{base}/Users/{id}"),
            "version": tag(user),
        }),
    );
    Ok(resource.into())
}

/// The entity tag: another one where what is shown is another, the groups and the standing included.
pub fn tag(user: &UserView) -> String {
    let groups = user.groups.iter().map(|group| format!("{}{}", group.id, group.display.expose()));
    etag::tag(user.record.version, groups.chain([format!("{:?}", user.standing)]))
}
