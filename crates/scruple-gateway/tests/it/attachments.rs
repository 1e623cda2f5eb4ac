//! Attachments and the Binaries that they name (docs/view.md, 8).
use crate::support::request;
use crate::two::{BILLER, NURSE, Two, observation, patient, to, visit};
use serde_json::{Value, json};

#[test]
fn a_binary_is_read_by_the_link_in_its_attachment_alone() {
    let letter = |attachment: Value| {
        json!({ "resourceType": "DocumentReference", "id": "d1", "status": "current", "subject": to("Patient/p1"),
            "type": { "coding": [{ "system": "http://loinc.org", "code": "11506-3" }] },
            "content": [{ "attachment": attachment }] })
    };
    let binary =
        |id: &str| json!({ "resourceType": "Binary", "id": id, "contentType": "application/pdf", "data": "AAAA" });
    let seen =
        [visit("e1", "Patient/p1"), patient("p1", "1980-05-17"), letter(json!({ "url": "Binary/b1", "size": 3 }))];
    let two = Two::related(&seen, &[binary("b1"), binary("b2")], &[binary("b1")]);
    // By itself a Binary is not there, in whichever form it is asked for.
    for path in [
        "/fhir/Binary/b1",
        "/fhir/Binary/b2",
        "/fhir/Binary/b1?of=DocumentReference/d1&seal=0",
        "/fhir/Binary/b1?seal=0",
    ] {
        two.refused(NURSE, path, 404, "not_found");
    }
    two.refused(NURSE, "/fhir/Binary?_id=b1", 403, "type_not_permitted");
    two.refused(NURSE, "/fhir/Binary/b1/_history/1", 403, "type_not_permitted");
    let raw = two.ask(NURSE, &request("GET", "/fhir/Binary/b1").with_header("accept", "application/pdf"));
    assert_eq!(raw.status, 406);
    two.refused(NURSE, "/fhir/DocumentReference?location=Binary/b1", 403, "parameter_not_permitted");
    // The letter gives a link, and the link the Binary.
    let read: Value = serde_json::from_slice(&two.get(NURSE, "/fhir/DocumentReference/d1").body).unwrap();
    let link = read["content"][0]["attachment"]["url"].as_str().unwrap();
    let opened = two.get(NURSE, &format!("/fhir/{link}"));
    assert_eq!(opened.status, 200);
    assert_eq!(serde_json::from_slice::<Value>(&opened.body).unwrap()["data"], "AAAA");
    // It is this caller's, for this Binary of this letter: no other's, and no other.
    two.refused(BILLER, &format!("/fhir/{link}"), 404, "not_found");
    two.refused(("physician", "TREAT"), &format!("/fhir/{link}"), 404, "not_found");
    two.refused(NURSE, &format!("/fhir/{}", link.replace("Binary/b1", "Binary/b2")), 404, "not_found");
    two.refused(
        NURSE,
        &format!("/fhir/{}", link.replace("DocumentReference/d1", "DocumentReference/d2")),
        404,
        "not_found",
    );
    two.refused(NURSE, &format!("/fhir/{link}&seal=x"), 404, "not_found");
    // An address that leads around the gateway goes.
    for address in ["https://ehr.example/fhir/Binary/b1", "https://files.example/1?sig=abc", "Binary/b1/_history/1"] {
        let seen =
            [visit("e1", "Patient/p1"), patient("p1", "1980-05-17"), letter(json!({ "url": address, "size": 3 }))];
        let read = Two::related(&seen, &[], &[binary("b1")]).get(NURSE, "/fhir/DocumentReference/d1");
        assert_eq!(read.status, 200);
        let read: Value = serde_json::from_slice(&read.body).unwrap();
        let attachment = &read["content"][0]["attachment"];
        assert!(
            attachment.get("url").is_none() && attachment["_url"]["extension"][0]["valueCode"] == "masked",
            "{read}"
        );
    }
}

/// A link is good as long as what holds it shows, and for what that shows.
#[test]
fn a_link_ends_with_what_it_stands_in() {
    let letter = |url: &str, labels: Value| {
        json!({ "resourceType": "DocumentReference", "id": "d1", "status": "current", "subject": to("Patient/p1"),
            "meta": labels,
            "type": { "coding": [{ "system": "http://loinc.org", "code": "11506-3" }] },
            "content": [{ "attachment": { "url": url } }] })
    };
    let binary = json!({ "resourceType": "Binary", "id": "b1", "contentType": "text/plain", "data": "AAAA" });
    let seen = |letter: Value| [visit("e1", "Patient/p1"), patient("p1", "1980-05-17"), letter, binary.clone()];
    let before = Two::related(&seen(letter("Binary/b1", json!({}))), &[], &[]);
    let read: Value = serde_json::from_slice(&before.get(NURSE, "/fhir/DocumentReference/d1").body).unwrap();
    let link = format!("/fhir/{}", read["content"][0]["attachment"]["url"].as_str().unwrap());
    assert_eq!(before.get(NURSE, &link).status, 200);
    let secret =
        json!({ "security": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "42CFRPart2" }] });
    for after in [letter("Binary/b1", secret.clone()), letter("Binary/other", json!({}))] {
        Two::related(&seen(after), &[], &[]).refused(NURSE, &link, 404, "not_found");
    }
    let mut closed = binary.clone();
    closed["meta"] = secret;
    let seen = [visit("e1", "Patient/p1"), patient("p1", "1980-05-17"), letter("Binary/b1", json!({})), closed];
    Two::related(&seen, &[], &[]).refused(NURSE, &link, 404, "not_found");
}

/// A Binary that names whom it is for does not show through a letter that names the Binary alone.
#[test]
fn a_binary_shows_only_where_its_security_context_does() {
    let part2 =
        json!({ "security": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "42CFRPart2" }] });
    let letter = |id: &str, of: &str, labels: Value| {
        json!({ "resourceType": "DocumentReference", "id": id, "status": "current", "subject": to(of), "meta": labels,
            "type": { "coding": [{ "system": "http://loinc.org", "code": "11506-3" }] },
            "content": [{ "attachment": { "url": "Binary/b1" } }] })
    };
    let check = |context: Option<Value>, status: u16| {
        let mut binary = json!({ "resourceType": "Binary", "id": "b1", "contentType": "text/plain", "data": "AAAA" });
        if let Some(context) = &context {
            binary["securityContext"] = context.clone();
        }
        let seen = [
            visit("e1", "Patient/p1"),
            patient("p1", "1980-05-17"),
            letter("d1", "Patient/p1", json!({})),
            letter("labelled", "Patient/p1", part2.clone()),
            letter("others", "Patient/p2", json!({})),
            binary,
        ];
        let two = Two::related(&seen, &[], &[]);
        let read: Value = serde_json::from_slice(&two.get(NURSE, "/fhir/DocumentReference/d1").body).unwrap();
        let link = format!("/fhir/{}", read["content"][0]["attachment"]["url"].as_str().unwrap());
        assert_eq!(two.get(NURSE, &link).status, status, "{context:?}");
    };
    check(None, 200);
    check(Some(to("DocumentReference/d1")), 200);
    check(Some(to("Patient/p1")), 200);
    check(Some(to("DocumentReference/labelled")), 404);
    check(Some(to("DocumentReference/others")), 404);
    check(Some(to("DocumentReference/none")), 404);
    check(Some(json!({ "identifier": { "value": "x" } })), 404);
    check(Some(json!([to("DocumentReference/d1")])), 404);
}

/// Extensions stand beside primitives and in References too, and so do Attachments in them.
#[test]
fn an_address_goes_wherever_an_attachment_can_stand() {
    let inside = json!({ "extension": [{ "url": "http://vendor.example/e",
        "valueAttachment": { "url": "https://files.example/1?sig=CANARY-SIGNED" } }] });
    let mut observed = observation("o1", "Patient/p1", "2026-01-02", 90.0);
    observed["_status"] = inside.clone();
    observed["subject"]["extension"] = inside["extension"].clone();
    observed["note"] = json!([{ "text": "seen", "_text": inside }]);
    let seen = [visit("e1", "Patient/p1"), patient("p1", "1980-05-17"), observed];
    for policy in ["nurse", "physician"] {
        let two = Two::new(&seen, &[], &[]);
        let read = two.get((policy, "TREAT"), "/fhir/Observation/o1");
        assert_eq!(read.status, 200);
        assert!(!String::from_utf8_lossy(&read.body).contains("CANARY-SIGNED"), "{policy}");
    }
}
