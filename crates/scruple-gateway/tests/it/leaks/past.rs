//! Versions and deletions: L22, L23.

use super::*;

fn version(resource: Value, version: u32) -> Value {
    let mut resource = resource;
    resource["meta"]["versionId"] = json!(version.to_string());
    resource["meta"]["lastUpdated"] = json!(format!("2026-01-0{version}T00:00:00Z"));
    resource
}

/// A store in which these follow each other.
fn revised(versions: impl IntoIterator<Item = Value>) -> Store {
    let mut store = store([patient("p1")]);
    for (place, resource) in versions.into_iter().enumerate() {
        store.revise(Arc::new(Stored::new(version(resource, place as u32 + 1)).unwrap()));
    }
    store
}

fn status(visit: Value, status: &str) -> Value {
    with(visit, "status", json!(status))
}

fn versions(response: &Response) -> Vec<String> {
    let bundle = json_of(response);
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    entries.iter().map(|entry| entry["resource"]["meta"]["versionId"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn l22_versions_before_a_label_and_elements_since_removed() {
    // The first version has a label, and the current one has none.
    let was_hidden = |said: &str| {
        revised([
            labelled(status(visit("e1", "p1"), said), "HIV"),
            visit("e1", "p1"),
            status(visit("e1", "p1"), "finished"),
        ])
    };
    let never = revised([
        with(labelled(visit("e1", "p1"), "MH"), "priority", json!({ "text": "x" })),
        visit("e1", "p1"),
        status(visit("e1", "p1"), "finished"),
    ]);
    let alike = Alike::new(&[was_hidden("planned"), was_hidden("cancelled"), never]);
    let history = alike.get(GUARD, "/fhir/Encounter/e1/_history");
    assert_eq!((history.status, versions(&history)), (200, vec!["3".to_owned(), "2".to_owned()]));
    alike.absent(GUARD, "/fhir/Encounter/e1/_history/1");
    alike.absent(GUARD, "/fhir/Encounter/e1/_history/9");
    assert_eq!(json_of(&alike.get(GUARD, "/fhir/Encounter/e1/_history/2"))["status"], "in-progress");
    // An element that the role does not see was there, and is there no more: the versions look the same, and are one.
    let married = |code: Value| revised([with(patient("p1"), "maritalStatus", code), patient("p1")]);
    let alike = Alike::new(&["M", "W"].map(|code| married(json!({ "text": code }))));
    let history = alike.get(GUARD, "/fhir/Patient/p1/_history");
    assert_eq!((history.status, versions(&history).len()), (200, 1), "{}", text(&history));
    assert!(!text(&history).contains("maritalStatus"));
    // Who does not see times of change has no history, of anything.
    for who in [NURSE, DESK, ANALYST, BILLER, CODER] {
        for path in ["/fhir/Patient/p1/_history", "/fhir/Patient/p1/_history/1", "/fhir/Patient/never/_history"] {
            alike.refused(who, path, 403, "history_not_permitted");
        }
    }
    for path in ["/fhir/Patient/_history", "/fhir/_history", "/fhir/_history?_since=2020-01-01T00:00:00Z"] {
        alike.refused(GUARD, path, 400, "interaction_not_supported");
        alike.refused(NURSE, path, 400, "interaction_not_supported");
    }
}

#[test]
fn l23_versions_after_a_label_deletions_and_etags() {
    // What has a label now has no past; what was deleted has none either, and both look as if they had never been.
    let relabelled = revised([visit("e1", "p1"), labelled(visit("e1", "p1"), "HIV")]);
    let gone = deleted(&revised([visit("e1", "p1")]), version(visit("e1", "p1"), 2), "3");
    let alike = Alike::new(&[relabelled, gone, store([patient("p1")])]);
    for path in ["", "/_history", "/_history/1", "/_history/2", "/_history/3"] {
        alike.absent(GUARD, &format!("/fhir/Encounter/e1{path}"));
    }
    assert!(alike.found(GUARD, "/fhir/Encounter?_id=e1").is_empty());
    assert_eq!(alike.get(GUARD, "/fhir/Patient/p1").status, 200);
    // The ETag follows what shows, and not the version: the nurse has the same before and after a hidden change.
    let changed = |ssn: &str, number: u32| store([version(insured("p1", ssn), number)]);
    let alike = Alike::new(&[changed("999-12-3456", 1), changed("000-00-0000", 7)]);
    let read = alike.get(NURSE, "/fhir/Patient/p1");
    let etag = read.header("etag").unwrap().to_owned();
    assert!(etag.starts_with("W/\"") && etag.len() == 36 && read.header("last-modified").is_none(), "{etag}");
    let known = request("GET", "/fhir/Patient/p1").with_header("if-none-match", &etag);
    let unchanged = alike.ask(Some(NURSE), &known);
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
    for (name, value) in [
        ("if-none-match", "W/\"7\""),
        ("if-match", "W/\"1\""),
        ("if-modified-since", "Sat, 03 Jan 2026 00:00:00 GMT"),
        ("if-unmodified-since", "Sat, 03 Jan 2026 00:00:00 GMT"),
    ] {
        let asked = request("GET", "/fhir/Patient/p1").with_header(name, value);
        assert_eq!(alike.ask(Some(NURSE), &asked), read, "{name}");
    }
    // What another role sees has another ETag, and a change that shows changes it.
    let other = Alike::new(&[store([version(insured("p1", "1"), 1)]), store([version(insured("p1", "2"), 1)])]);
    assert_eq!(other.get(NURSE, "/fhir/Patient/p1").header("etag"), Some(etag.as_str()));
    let renamed = Alike::new(&[store([with(patient("p1"), "gender", json!("male"))])]);
    assert_ne!(renamed.get(NURSE, "/fhir/Patient/p1").header("etag"), Some(etag.as_str()));
}
