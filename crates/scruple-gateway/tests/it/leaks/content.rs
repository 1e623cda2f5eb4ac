//! What stands inside a resource: L24 to L29, L31.

use super::*;

/// A read of the one resource that differs in what is hidden; what shows of it.
fn shown(alike: &Alike, who: Who, path: &str) -> Value {
    let response = alike.get(who, path);
    assert_eq!(response.status, 200, "{who:?} {path}: {}", text(&response));
    json_of(&response)
}

fn extension(url: &str, value: &str) -> Value {
    json!({ "url": url, "valueString": value })
}

fn race(code: &str) -> Value {
    let coding = json!({ "system": "urn:oid:2.16.840.1.113883.6.238", "code": code });
    json!({
        "url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race",
        "extension": [{ "url": "ombCategory", "valueCoding": coding }, { "url": "text", "valueString": "of some race" }],
    })
}

#[test]
fn l24_a_narrative_that_tells_what_is_hidden() {
    let told = |words: &str| {
        let div = format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">born {words}</div>");
        with(insured("p1", words), "text", json!({ "status": "generated", "div": div }))
    };
    let alike = Alike::new(&[store([told("999-12-3456")]), store([told("000-00-0000")])]);
    for who in [NURSE, ANALYST, CODER] {
        let patient = shown(&alike, who, "/fhir/Patient/p1");
        assert!(!patient.to_string().contains("born") && patient["gender"] == "female", "{who:?}: {patient}");
    }
    // The front desk sees the last four of it: stores that differ there are others to it.
    let alike = Alike::new(&[store([told("999-12-3456")]), store([told("000-99-3456")])]);
    for path in
        ["/fhir/Patient/p1", "/fhir/Patient?_id=p1", "/fhir/Patient?_summary=text", "/fhir/Patient?_elements=text"]
    {
        let response = alike.get(DESK, path);
        assert!(response.status == 200 && !text(&response).contains("born"), "{path}: {}", text(&response));
    }
    assert!(shown(&alike, DESK, "/fhir/Patient/p1")["identifier"].to_string().contains("3456"));
}

#[test]
fn l25_extensions() {
    let extended = |code: &str, importance: &str| {
        let unknown = extension("http://example.org/importance", importance);
        let birth_time = json!({ "extension": [extension("http://example.org/other", importance)] });
        let all = with(patient("p1"), "extension", json!([race(code), unknown]));
        store([with(all, "_birthDate", birth_time)])
    };
    let alike = Alike::new(&[extended("2106-3", "VIP"), extended("2054-5", "none")]);
    let patient = shown(&alike, DESK, "/fhir/Patient/p1");
    assert!(patient["extension"].is_null() && patient["_birthDate"].is_null(), "{patient}");
    assert_eq!(patient["birthDate"], "1980-01-02");
    // The nurse sees the race, and not what nobody knows.
    let alike = Alike::new(&[extended("2106-3", "VIP"), extended("2106-3", "none")]);
    let patient = shown(&alike, NURSE, "/fhir/Patient/p1");
    assert!(patient["extension"].to_string().contains("2106-3"), "{patient}");
    assert!(!patient.to_string().contains("importance"), "{patient}");
    // What is modified by what nobody knows is not there.
    let modified = with(self::patient("p2"), "modifierExtension", json!([extension("http://example.org/not", "x")]));
    let ruled = with(self::patient("p2"), "implicitRules", json!("http://example.org/rules"));
    let alike = Alike::new(&[
        store([self::patient("p1")]),
        store([self::patient("p1"), modified]),
        store([self::patient("p1"), ruled]),
    ]);
    for who in [DESK, NURSE] {
        alike.absent(who, "/fhir/Patient/p2");
        assert_eq!(alike.found(who, "/fhir/Patient"), ["Patient/p1"]);
    }
}

#[test]
fn l26_contained_resources() {
    let claim = |note: &str, ssn: &str| {
        json!({
            "resourceType": "ExplanationOfBenefit", "id": "x1", "status": "active", "use": "claim", "outcome": "complete",
            "contained": [
                { "resourceType": "ServiceRequest", "id": "sr", "status": "active", "intent": "order",
                  "subject": { "reference": "Patient/p1" }, "note": [{ "text": note }] },
                { "resourceType": "Coverage", "id": "cov", "status": "active", "type": { "text": note },
                  "beneficiary": { "reference": "Patient/p1" }, "payor": [{ "display": "Payer" }] },
                { "resourceType": "Patient", "id": "pat", "identifier": [{ "system": "http://hl7.org/fhir/sid/us-ssn", "value": ssn }] },
            ],
            "type": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/claim-type", "code": "professional" }] },
            "patient": { "reference": "Patient/p1" }, "created": "2026-01-01",
            "insurer": { "display": "Payer" }, "provider": { "display": "House" },
            "referral": { "reference": "#sr" }, "insurance": [{ "focal": true, "coverage": { "reference": "#cov" } }],
        })
    };
    let held = |note: &str, ssn: &str| store([patient("p1"), claim(note, ssn)]);
    let alike = Alike::new(&[held("for HIV", "999-12-3456"), held("for flu", "000-00-0000")]);
    for who in [ANALYST, BILLER] {
        let benefit = alike.get(who, "/fhir/ExplanationOfBenefit/x1");
        assert_eq!((benefit.status, &json_of(&benefit)["outcome"]), (200, &json!("complete")));
        assert!(!text(&benefit).contains("for ") && !text(&benefit).contains("999"), "{}", text(&benefit));
    }
    // A label inside closes what is around it.
    let labelled = |inner: Value| {
        let outer = with(result("o1", "p1", HEMOGLOBIN, 14.0), "contained", json!([inner]));
        store([patient("p1"), with(outer, "specimen", reference("#s"))])
    };
    let specimen = |label: &str| labelled_specimen(label);
    let alike = Alike::new(&[labelled(specimen("GDIS")), store([patient("p1")])]);
    alike.absent(NURSE, "/fhir/Observation/o1");
    assert!(alike.found(NURSE, "/fhir/Observation").is_empty());
    let alike = Alike::new(&[labelled(specimen("HIV"))]);
    assert_eq!(alike.found(NURSE, "/fhir/Observation"), ["Observation/o1"]);
}

fn labelled_specimen(label: &str) -> Value {
    labelled(json!({ "resourceType": "Specimen", "id": "s", "status": "available" }), label)
}

#[test]
fn l27_names_and_numbers_in_references() {
    let held = |name: &str, mrn: &str| {
        let subject =
            json!({ "reference": "Patient/p1", "display": name, "identifier": { "system": "urn:mrn", "value": mrn } });
        store([patient("p1"), with(visit("e1", "p1"), "subject", subject)])
    };
    let alike = Alike::new(&[held("Ana Visible", "MRN-p1"), held("Eve Hidden", "MRN-p9")]);
    for path in ["/fhir/Encounter/e1", "/fhir/Encounter?subject=Patient/p1"] {
        let response = alike.get(ANALYST, path);
        let said = text(&response);
        assert!(response.status == 200 && said.contains(r#""reference":"Patient/p1""#), "{said}");
        assert!(!said.contains("MRN") && !said.contains("display"), "{said}");
    }
    // A reference to what is hidden goes whole, its words with it.
    let named = |name: &str| {
        let hidden = json!({ "reference": "Encounter/e9", "display": name });
        store([
            patient("p1"),
            secret(visit("e9", "p1")),
            with(result("o1", "p1", HEMOGLOBIN, 14.0), "encounter", hidden),
        ])
    };
    let alike = Alike::new(&[named("genetic counselling"), named("surgery")]);
    let result = shown(&alike, CODER, "/fhir/Observation/o1");
    assert!(result["encounter"].is_null() && result["valueQuantity"]["value"] == 14, "{result}");
}

#[test]
fn l28_words() {
    let held = |words: &str| {
        let code = json!({
            "coding": [{ "system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "E11.9", "display": words }], "text": words,
        });
        let noted = with(condition("c1", "p1", "E11.9"), "note", json!([{ "text": words }]));
        let said = with(result("o1", "p1", HEMOGLOBIN, 1.0), "valueString", json!(words));
        let mut said = with(said, "note", json!([{ "text": words }]));
        said.as_object_mut().unwrap().remove("valueQuantity");
        store([patient("p1"), with(noted, "code", code), said])
    };
    let alike = Alike::new(&[held("after the affair"), held("HIV, told in confidence")]);
    for path in [
        "/fhir/Condition/c1",
        "/fhir/Condition",
        "/fhir/Observation/o1",
        "/fhir/Observation",
        "/fhir/Condition?_summary=data",
    ] {
        let response = alike.get(ANALYST, path);
        assert_eq!(response.status, 200, "{path}");
        assert!(!text(&response).contains("affair"), "{path}: {}", text(&response));
    }
    assert_eq!(shown(&alike, ANALYST, "/fhir/Condition/c1")["code"]["coding"][0]["code"], "E11.9");
    assert_eq!(shown(&alike, ANALYST, "/fhir/Observation/o1")["code"]["coding"][0]["code"], HEMOGLOBIN);
    let said = Alike::new(&[held("as it was said")]);
    assert!(shown(&said, NURSE, "/fhir/Observation/o1")["valueString"] == "as it was said", "the nurse sees the words");
}

#[test]
fn l29_attachments() {
    let document = |data: &str| {
        json!({
            "resourceType": "DocumentReference", "id": "d1", "status": "current", "subject": { "reference": "Patient/p1" },
            "content": [{ "attachment": { "contentType": "text/plain", "data": data, "url": format!("https://store.example/{data}?sig=1") } }],
        })
    };
    let binary = |data: &str| {
        json!({
            "resourceType": "Binary", "id": "b1", "contentType": "application/pdf", "data": data,
            "securityContext": { "reference": "DocumentReference/d1" },
        })
    };
    let held = |data: &str| store([patient("p1"), visit("e1", "p1"), document(data), binary(data)]);
    let alike = Alike::new(&[held("SElW"), held("Zmx1")]);
    for who in [BILLER, ANALYST] {
        for path in ["/fhir/DocumentReference/d1", "/fhir/Binary?_id=b1", "/fhir/DocumentReference"] {
            alike.refused(who, path, 403, "type_not_permitted");
        }
        alike.absent(who, "/fhir/Binary/b1");
    }
    // Whatever is asked for, what comes is FHIR JSON, and nothing raw.
    for accept in ["application/pdf", "text/plain", "application/octet-stream"] {
        let asked = request("GET", "/fhir/Binary/b1").with_header("accept", accept);
        alike.refuses(Some(CODER), &asked, 406, "format_not_supported");
    }
    // A document of somebody else's is not reached by its Binary.
    let hidden = |data: &str| {
        store([
            patient("p1"),
            visit("e1", "p1"),
            patient("p2"),
            with(document(data), "subject", reference("Patient/p2")),
            binary(data),
        ])
    };
    let alike = Alike::related(&[hidden("SElW"), hidden("Zmx1"), store([patient("p1"), visit("e1", "p1")])]);
    for path in ["/fhir/DocumentReference/d1", "/fhir/Binary/b1"] {
        alike.absent(NURSE, path);
        let raw = request("GET", path).with_header("accept", "*/*");
        assert_eq!(alike.ask(Some(NURSE), &raw).status, 404);
    }
    let own = Alike::related(&[held("SElW")]);
    let response = own.get(NURSE, "/fhir/DocumentReference/d1");
    assert!(response.status == 200 && text(&response).contains("SElW"), "{}", text(&response));
    assert_eq!(response.header("content-type"), Some("application/fhir+json; charset=utf-8"));
}

/// A document with a label and its Binary, which has none of its own.
#[test]
fn l29_a_binary_of_a_document_with_a_label() {
    let held = |data: Option<&str>| {
        let document = json!({
            "resourceType": "DocumentReference", "id": "d1", "status": "current", "subject": { "reference": "Patient/p1" },
            "content": [{ "attachment": { "contentType": "text/plain", "url": "Binary/b1" } }],
        });
        let binary = data.map(|data| {
            json!({
                "resourceType": "Binary", "id": "b1", "contentType": "text/plain", "data": data,
                "securityContext": { "reference": "DocumentReference/d1" },
            })
        });
        store([patient("p1"), secret(document)].into_iter().chain(binary))
    };
    let alike = Alike::new(&[held(Some("SElW")), held(Some("Zmx1")), held(None)]);
    alike.absent(CODER, "/fhir/DocumentReference/d1");
    alike.absent(CODER, "/fhir/Binary/b1");
}

#[test]
fn l31_meta() {
    let held = |source: &str, version: &str, at: &str| {
        let meta = json!({
            "versionId": version, "lastUpdated": at, "source": source, "profile": [format!("http://example.org/{version}")],
            "tag": [{ "system": "http://example.org/tags", "code": source }],
        });
        store([with(patient("p1"), "meta", meta), visit("e1", "p1")])
    };
    let alike = Alike::new(&[
        held("http://hiv-clinic.example", "1", "2026-01-01T00:00:00Z"),
        held("http://desk.example", "812", "2026-02-01T00:00:00Z"),
    ]);
    for who in [DESK, BILLER, ANALYST, NURSE] {
        let meta = shown(&alike, who, "/fhir/Patient/p1")["meta"].clone();
        assert!(
            meta["tag"].to_string().contains("SUBSETTED") && meta["security"].to_string().contains("REDACTED"),
            "{meta}"
        );
        assert!(
            meta["source"].is_null() && meta["versionId"].is_null() && meta["lastUpdated"].is_null(),
            "{who:?}: {meta}"
        );
        alike.refused(who, "/fhir/Patient?_lastUpdated=gt2026-01-15", 403, "parameter_not_permitted");
        alike.refused(who, "/fhir/Patient?_sort=_lastUpdated", 403, "parameter_not_permitted");
    }
    // A label narrows the biller's view to codes: of which segment it is does not show.
    let coded = |label: &str| store([patient("p1"), labelled(condition("c1", "p1", "E11.9"), label)]);
    let alike = Alike::new(&["HIV", "MH", "STD", "SEX"].map(coded));
    let condition = shown(&alike, BILLER, "/fhir/Condition/c1");
    assert_eq!(condition["code"]["coding"][0]["code"], "E11.9");
    assert!(!condition["meta"].to_string().contains("HIV"), "{condition}");
    // Who sees the type of change sees it, and the tags stand there all the same.
    let guard = Alike::new(&[held("http://desk.example", "812", "2026-02-01T00:00:00Z")]);
    assert_eq!(shown(&guard, GUARD, "/fhir/Patient/p1")["meta"]["versionId"], "812");
}
