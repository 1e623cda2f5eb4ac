//! Attachments and the Binaries that they name (docs/view.md, 8).
use crate::support::request;
use crate::two::{BILLER, NURSE, Two, patient, to, visit};
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
