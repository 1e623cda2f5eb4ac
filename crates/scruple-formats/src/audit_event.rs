//! FHIR R4 AuditEvent, as servers keep them and as IHE BALP profiles them.

use crate::record::{beside, name, placed};
use crate::{LogRecord, Mapping, Reading, Refused};
use scruple_core::Phi;
use serde_json::Value;

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn items<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// The type and id of a literal reference, whatever server it is on.
fn named(reference: &str) -> Option<(&str, &str)> {
    let mut parts = reference.split("/_history/").next()?.rsplit('/');
    let id = parts.next().filter(|id| !id.is_empty())?;
    Some((parts.next()?, id))
}

/// The user of an event: the agent that requested it, one with a login rather than a name.
fn user(event: &Value) -> Option<&Value> {
    let is_requestor = |agent: &&Value| agent.get("requestor") == Some(&Value::Bool(true));
    let agents: Vec<&Value> = items(event, "agent").collect();
    // A system that requests on behalf of a person stands beside him in BALP: whoever has a login comes first.
    let known = |agent: &&&Value| !text(agent, "/altId").is_empty() || !text(agent, "/who/identifier/value").is_empty();
    agents
        .iter()
        .filter(|agent| is_requestor(agent))
        .find(known)
        .or_else(|| agents.iter().find(|agent| is_requestor(agent)))
        .or_else(|| agents.iter().find(known))
        .copied()
}

/// What an agent is called: by a login rather than a name.
fn person(agent: &Value) -> Option<&str> {
    let reference = named(text(agent, "/who/reference")).map(|(_, id)| id);
    [text(agent, "/altId"), text(agent, "/who/identifier/value"), reference.unwrap_or_default(), text(agent, "/name")]
        .into_iter()
        .find(|name| !name.is_empty())
}

/// The patients of an event, and the types of what else it names.
fn entities(event: &Value, mapping: &Mapping) -> (Vec<String>, Vec<String>) {
    let (mut patients, mut types): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for entity in items(event, "entity") {
        let what = named(text(entity, "/what/reference"));
        let is_patient = what.is_some_and(|(kind, _)| kind == "Patient") || text(entity, "/role/code") == "1";
        let key = match what {
            Some(("Patient", id)) => Some(format!("Patient/{id}")),
            Some((kind, _)) => {
                if kind.bytes().all(|byte| byte.is_ascii_alphabetic()) && !types.iter().any(|known| known == kind) {
                    types.push(kind.to_owned());
                }
                None
            }
            None => None,
        };
        let number = text(entity, "/what/identifier/value");
        let key = key.or_else(|| (is_patient && !number.is_empty()).then(|| mapping.patient_key(number)));
        if let Some(key) = key.filter(|key| !patients.contains(key)) {
            patients.push(key);
        }
    }
    (patients, types)
}

/// What one AuditEvent tells.
///
/// # Errors
/// The field that is missing or wrong.
pub fn audit_event(bytes: &[u8], mapping: &Mapping) -> Result<Reading, Refused> {
    let event: Value = serde_json::from_slice(bytes).map_err(|_| Refused::new("resource", "not_json"))?;
    // An entry of a Bundle holds its resource.
    let event =
        if event.get("resourceType").is_none() { event.get("resource").cloned().unwrap_or(event) } else { event };
    if text(&event, "/resourceType") != "AuditEvent" {
        return Err(Refused::new("resourceType", "not_an_audit_event"));
    }
    let (patients, types) = entities(&event, mapping);
    if patients.is_empty() {
        return Ok(Reading::Other);
    }
    let (at, or_at) = placed("recorded", text(&event, "/recorded"), mapping)?;
    let user = user(&event);
    let person = name("agent", user.and_then(person).unwrap_or_default())?;
    for patient in &patients {
        name("entity", patient)?;
    }
    let coded = |pointer: &str| {
        let display = text(&event, &format!("{pointer}/display")).to_owned();
        if display.is_empty() { text(&event, &format!("{pointer}/code")).to_owned() } else { display }
    };
    let action = [coded("/subtype/0"), coded("/type"), text(&event, "/action").to_owned()];
    let action = action.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let purposes =
        [text(&event, "/purposeOfEvent/0/coding/0/code"), text(&event, "/agent/0/purposeOfUse/0/coding/0/code")];
    let purpose = purposes.into_iter().find(|code| !code.is_empty()).map(beside);
    let id = text(&event, "/id");
    let once = if id.is_empty() {
        // The same facts make the same event, in whatever order they are written.
        format!("{} event {event}", mapping.source)
    } else {
        format!("{} id {id}", mapping.source)
    };
    let own = user.map(|agent| text(agent, "/network/address")).filter(|address| !address.is_empty());
    let mut addresses = items(&event, "agent").map(|agent| text(agent, "/network/address"));
    let workstation = addresses.find(|address| !address.is_empty()).map(beside).unwrap_or_default();
    Ok(Reading::Access(Box::new(LogRecord {
        at,
        or_at,
        person: Phi::new(person),
        patients: Phi::new(patients),
        action: beside(&action),
        workstation,
        place: own.map(beside),
        module: beside(text(&event, "/source/site")),
        purpose,
        types,
        has_failed: !matches!(text(&event, "/outcome"), "" | "0"),
        once: Phi::new(once),
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(event: &str, expected: &str) {
        let mapping = Mapping::parse("source = 'hapi'\ntime_zone = 'UTC'").unwrap();
        let found = match audit_event(event.as_bytes(), &mapping) {
            Ok(Reading::Access(record)) => format!(
                "{} {} {} [{}] {} {:?}{}",
                record.at,
                record.person.expose(),
                record.patients.expose().join(","),
                record.types.join(","),
                record.action,
                record.purpose,
                if record.has_failed { " failed" } else { "" }
            ),
            Ok(Reading::Other) => "other".to_owned(),
            Err(refused) => refused.to_string(),
        };
        assert_eq!(found, expected, "{event}");
    }

    const READ: &str = r#"{"resourceType":"AuditEvent","id":"e1","recorded":"2026-03-03T07:10:00-07:00","action":"R","outcome":"0",
        "type":{"code":"rest"},"subtype":[{"code":"read"}],
        "agent":[{"requestor":false,"who":{"display":"gateway"}},{"requestor":true,"altId":"ana.ruiz","name":"Ana",
          "purposeOfUse":[{"coding":[{"code":"TREAT"}]}]}],
        "purposeOfEvent":[{"coding":[{"code":"TREAT"}]}],
        "entity":[{"what":{"reference":"https://ehr.example/fhir/Observation/o1/_history/2"}},
          {"what":{"reference":"Patient/p1"},"role":{"code":"1"}}]}"#;

    #[test]
    fn an_event_tells_who_whose_and_what() {
        check(READ, "2026-03-03T14:10:00.000000Z ana.ruiz Patient/p1 [Observation] read Some(\"TREAT\")");
        check(
            &format!(r#"{{"fullUrl":"x","resource":{READ}}}"#),
            "2026-03-03T14:10:00.000000Z ana.ruiz Patient/p1 [Observation] read Some(\"TREAT\")",
        );
        let by_number = READ.replace(r#"{"reference":"Patient/p1"}"#, r#"{"identifier":{"value":"4471"}}"#);
        check(&by_number, "2026-03-03T14:10:00.000000Z ana.ruiz number:4471 [Observation] read Some(\"TREAT\")");
        check(
            &READ.replace(r#""outcome":"0""#, r#""outcome":"4""#),
            "2026-03-03T14:10:00.000000Z ana.ruiz Patient/p1 [Observation] read Some(\"TREAT\") failed",
        );
    }

    #[test]
    fn the_place_of_an_event_is_that_of_its_user_and_of_no_server() {
        let mapping = Mapping::parse("source = 'hapi'\ntime_zone = 'UTC'").unwrap();
        let place = |event: &str| match audit_event(event.as_bytes(), &mapping) {
            Ok(Reading::Access(record)) => (record.workstation, record.place),
            other => panic!("{other:?}"),
        };
        assert_eq!(place(READ), (String::new(), None));
        let server = r#"{"display":"gateway"},"network":{"address":"10.0.0.9"}}"#;
        let by_server = READ.replace(r#"{"display":"gateway"}}"#, server);
        assert_eq!(place(&by_server), ("10.0.0.9".to_owned(), None));
        let own = READ.replace(r#""name":"Ana","#, r#""name":"Ana","network":{"address":"10.0.0.7"},"#);
        assert_eq!(place(&own), ("10.0.0.7".to_owned(), Some("10.0.0.7".to_owned())));
    }

    #[test]
    fn what_tells_of_no_chart_is_another_event_and_what_is_wrong_is_named() {
        check(r#"{"resourceType":"AuditEvent","recorded":"2026-03-03T07:10:00Z","entity":[]}"#, "other");
        check(r#"{"resourceType":"Patient","id":"p"}"#, "resourceType: not_an_audit_event");
        check("{", "resource: not_json");
        check(&READ.replace("2026-03-03T07:10:00-07:00", "soon"), "recorded: time_malformed");
        check(&READ.replace(r#""altId":"ana.ruiz","name":"Ana","#, ""), "agent: missing");
    }
}
