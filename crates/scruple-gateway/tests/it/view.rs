//! What a caller sees because of a relationship, and does not because of a label (docs/view.md), with what the ledger says.

use crate::support::{Failing, World, code, login, noon, resolved};
use crate::two::{NURSE, PROGRAMME, Two, condition, observation, patient, store, to, visit};
use scruple_core::{DecisionFacts, EntryBody, Relationship};
use scruple_pairs::Behind;
use scruple_policy::{PackFiles, activate};
use scruple_release::{UpstreamError, UpstreamQuery};
use scruple_testkit::interfere::{Store, Stored};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

fn last(world: &World) -> (DecisionFacts, Vec<String>, Vec<String>) {
    match world.entries().pop().unwrap().body {
        EntryBody::Release { decision, relations, patients, .. } => (decision, relations, patients),
        _ => unreachable!("the last entry tells of something else"),
    }
}

fn part2() -> Value {
    json!({ "security": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "42CFRPart2" }] })
}

fn world(values: &[Value]) -> World {
    World::under(resolved(), Behind::Raw.upstream(&store(values), noon()).unwrap())
}

fn put(world: &World, values: &[Value]) {
    world.upstream.put(Behind::Raw.upstream(&store(values), noon()).unwrap());
}

fn team(status: &str) -> Value {
    json!({ "resourceType": "CareTeam", "id": "t1", "status": status, "subject": to("Patient/p1"),
            "participant": [{ "member": to("Practitioner/prac-nurse-6") }] })
}

#[test]
fn a_care_team_that_is_left_ends_with_the_next_read_and_the_record_says_so() {
    let world = world(&[patient("p1", "1980-05-17"), team("active")]);
    assert_eq!(world.get("nurse", "TREAT", "/fhir/Patient/p1").status, 200);
    let (decision, relations, patients) = last(&world);
    assert_eq!(decision.relationship, Relationship::Resolved);
    assert_eq!(relations, ["Patient/p1 care_team CareTeam/t1"]);
    assert_eq!(patients, ["Patient/p1"]);
    put(&world, &[patient("p1", "1980-05-17"), team("inactive")]);
    assert_eq!(world.get("nurse", "TREAT", "/fhir/Patient/p1").status, 404);
    let (decision, relations, patients) = last(&world);
    assert_eq!((decision.relationship, relations.len(), patients.len()), (Relationship::None, 0, 0));
    assert!(!decision.conditions.contains(&"relationship".to_owned()));
}

#[test]
fn each_kind_of_relationship_is_one_and_is_named() {
    let appointment = json!({ "resourceType": "Appointment", "id": "a1", "status": "booked", "start": "2026-03-02T15:00:00Z",
        "end": "2026-03-02T15:30:00Z", "participant": [{ "status": "accepted", "actor": to("Patient/p1") },
        { "status": "accepted", "actor": to("Practitioner/prac-physician-1") }] });
    let mut panel = patient("p1", "1980-05-17");
    panel["generalPractitioner"] = json!([to("PractitionerRole/role-physician-7")]);
    let mut seen = visit("e1", "Patient/p1");
    seen["participant"] = json!([{ "individual": to("Practitioner/prac-physician-2") }]);
    for (values, expected) in [
        (vec![patient("p1", "1980-05-17"), appointment], "Patient/p1 appointment Appointment/a1"),
        (vec![panel], "Patient/p1 panel Patient/p1"),
        (vec![patient("p1", "1980-05-17"), seen], "Patient/p1 encounter Encounter/e1"),
    ] {
        let world = world(&values);
        assert_eq!(world.get("physician", "TREAT", "/fhir/Patient/p1").status, 200, "{expected}");
        assert_eq!(last(&world).1, [expected]);
        // A search for all finds what a read finds.
        let all: Value =
            serde_json::from_slice(&world.get("physician", "TREAT", "/fhir/Patient?_total=accurate").body).unwrap();
        assert_eq!(all["total"], 1, "{expected}");
        assert_eq!(world.get("nurse", "TREAT", "/fhir/Patient/p1").status, 404, "{expected}");
    }
}

#[test]
fn treatment_without_a_relationship_sees_nobody_and_is_recorded() {
    let values =
        [patient("p1", "1980-05-17"), observation("o1", "Patient/p1", "2026-01-01", 1.0), visit("e1", "Patient/p1")];
    let world = world(&values);
    for (role, purpose) in
        [("physician", "TREAT"), ("physician", "ETREAT"), ("biller", "HPAYMT"), ("front_desk", "PATADMIN")]
    {
        assert_eq!(world.get(role, purpose, "/fhir/Patient/p1").status, 404, "{role} {purpose}");
        let (decision, ..) = last(&world);
        assert_eq!(decision.relationship, Relationship::None, "{role}");
        let found: Value =
            serde_json::from_slice(&world.get(role, purpose, "/fhir/Patient?_total=accurate").body).unwrap();
        assert_eq!((&found["total"], &found["entry"]), (&json!(0), &Value::Null), "{role}");
    }
}

/// Who looks for why an answer was empty must not think that the relationship is missing.
#[test]
fn the_record_of_what_a_label_closes_says_that_there_is_a_relationship() {
    let mut closed = patient("p1", "1980-05-17");
    closed["meta"] = part2();
    let world = world(&[closed, visit("e1", "Patient/p1")]);
    for path in ["/fhir/Patient/p1", "/fhir/Patient?_total=accurate"] {
        world.get("nurse", "TREAT", path);
        let (decision, relations, patients) = last(&world);
        assert_eq!(decision.relationship, Relationship::Resolved, "{path}");
        assert_eq!((relations.len(), patients.len()), (0, 0), "nothing is told of him: {path}");
    }
    assert_eq!(world.get("nurse", "TREAT", "/fhir/Patient/p2").status, 404);
    assert_eq!(last(&world).0.relationship, Relationship::None);
}

#[test]
fn a_resource_about_two_patients_shows_to_those_who_have_both() {
    let both = json!({ "resourceType": "Appointment", "id": "a9", "status": "booked", "start": "2026-03-05T15:00:00Z", "end": "2026-03-05T16:00:00Z",
        "participant": [{ "status": "accepted", "actor": to("Patient/p1") }, { "status": "accepted", "actor": to("Patient/p2") }] });
    let mine = [patient("p1", "1980-05-17"), patient("p2", "1970-01-01"), visit("e1", "Patient/p1"), both];
    let world = world(&mine);
    assert_eq!(world.get("nurse", "TREAT", "/fhir/Appointment/a9").status, 404);
    put(&world, &[mine.as_slice(), &[visit("e2", "Patient/p2")]].concat());
    assert_eq!(world.get("nurse", "TREAT", "/fhir/Appointment/a9").status, 200);
    assert_eq!(last(&world).1, ["Patient/p1 encounter Encounter/e1", "Patient/p2 encounter Encounter/e2"]);
}

#[test]
fn what_is_done_in_a_visit_to_a_programme_is_its_record_and_a_diagnosis_elsewhere_is_not() {
    // 42 CFR 2.11, 2.12: by source. An opioid diagnosis in the emergency department is no Part 2 record.
    let mut elsewhere = condition("c1", "Patient/p1", None);
    elsewhere["code"]["coding"][0]["code"] = json!("F11.20");
    // An appointment and a laboratory result of the clinic are, without any such code.
    let mut at_clinic = visit("e2", "Patient/p1");
    at_clinic["serviceProvider"] = to(PROGRAMME);
    let mut result = observation("o2", "Patient/p1", "2026-01-02", 90.0);
    result["encounter"] = to("Encounter/e2");
    let report = json!({ "resourceType": "DiagnosticReport", "id": "r2", "status": "final", "subject": to("Patient/p1"),
        "code": { "coding": [{ "system": "http://loinc.org", "code": "2345-7" }] }, "result": [to("Observation/o2")] });
    let both = [patient("p1", "1980-05-17"), elsewhere];
    let two = Two::new(&both, &[at_clinic, result, report], &[]);
    two.found(NURSE, "/fhir/Condition?patient=p1", &["Condition/c1"]);
    for path in ["/fhir/Encounter/e2", "/fhir/Observation/o2", "/fhir/DiagnosticReport/r2"] {
        two.refused(NURSE, path, 404, "not_found");
    }
    two.found(NURSE, "/fhir/Patient/p1/$everything", &["Patient/p1", "Condition/c1"]);
}

#[test]
fn a_label_hides_in_reads_searches_includes_and_what_rests_on_it() {
    // Mental health is no segment of a social worker without a referral.
    let social = ("social_worker", "TREAT");
    let mut labelled = condition("c2", "Patient/p1", None);
    labelled["code"]["coding"][0]["code"] = json!("F32.1");
    let mut caused = condition("c3", "Patient/p1", None);
    caused["evidence"] = json!([{ "detail": [to("Condition/c2")] }]);
    let both = [patient("p1", "1980-05-17"), condition("c1", "Patient/p1", None)];
    let two = Two::new(&both, &[labelled, caused], &[]);
    two.refused(social, "/fhir/Condition/c2", 404, "not_found");
    two.refused(social, "/fhir/Condition/c3", 404, "not_found");
    let found =
        two.found(social, "/fhir/Condition?_total=accurate&_include=Condition:evidence-detail", &["Condition/c1"]);
    assert_eq!(found["total"], 1);
    two.found(social, "/fhir/Patient?_id=p1&_revinclude=Condition:patient", &["Patient/p1", "Condition/c1"]);
    // One who holds it sees it.
    assert_eq!(two.world_a().get("physician", "TREAT", "/fhir/Condition/c2").status, 200);
    assert_eq!(two.world_a().get("physician", "TREAT", "/fhir/Condition/c3").status, 200);
}

/// Words of `segment-by-role.csv` that open a segment to whoever has a relationship, and no other condition.
const OPEN: [&str; 4] = ["follow", "watch", "replace", "not_to_plan"];

/// Every security label that means a segment, to roles that hold it and to roles that do not: told from the pack's tables.
#[test]
fn each_label_of_a_segment_opens_to_those_who_hold_the_segment_alone() {
    let files = PackFiles::embedded();
    let lines = |file: &str| -> Vec<Vec<String>> {
        let text = files.0.get(file).unwrap().lines().filter(|line| !line.starts_with('#'));
        text.map(|line| line.split(',').map(str::to_owned).collect()).collect()
    };
    let by_role = lines("segment-by-role.csv");
    let opens = |role: &str, segment: &str| {
        let at = by_role[0].iter().position(|name| name == segment);
        let row = by_role.iter().find(|row| row[0] == role).unwrap();
        at.is_some_and(|at| OPEN.contains(&row[at].as_str()))
    };
    let mut labels: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for line in lines("security-labels.csv").into_iter().skip(1) {
        if by_role[0].contains(&line[2]) {
            labels.entry((line[0].clone(), line[1].clone())).or_default().push(line[2].clone());
        }
    }
    let mut held = vec![patient("p1", "1980-05-17")];
    for (number, (system, code)) in labels.keys().enumerate() {
        let mut value = condition(&format!("c{number}"), "Patient/p1", None);
        value["meta"] = json!({ "security": [{ "system": system, "code": code }] });
        held.push(value);
    }
    let world = World::new(Behind::Raw.upstream(&store(&held), noon()).unwrap());
    for role in ["nurse", "physician", "social_worker"] {
        let expected: BTreeSet<String> = labels
            .values()
            .enumerate()
            .filter(|(_, segments)| segments.iter().all(|segment| opens(role, segment)))
            .map(|(number, _)| format!("c{number}"))
            .collect();
        let found = world.get(role, "TREAT", "/fhir/Condition?patient=p1&_count=200");
        let found: Value = serde_json::from_slice(&found.body).unwrap();
        let entries = found["entry"].as_array().into_iter().flatten();
        let found: BTreeSet<String> =
            entries.map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(found, expected, "{role}");
        assert!(!expected.is_empty() && expected.len() < labels.len(), "{role}: {} of {}", found.len(), labels.len());
    }
    let segments: BTreeSet<&String> = labels.values().flatten().collect();
    assert!(segments.len() >= 16, "{segments:?}");
}

/// A flag of a patient is a label of all that is said of him.
#[test]
fn a_flag_of_a_patient_closes_his_records_to_those_who_hold_no_such_segment() {
    let mut files = PackFiles::embedded().assuming_relationships();
    let rows = files.0.get_mut("segment-by-role.csv").unwrap();
    let nurse = "nurse,none,none,consent,follow,follow,follow,follow,follow,follow,grant,follow,follow,agreed,follow,replace,watch,";
    assert!(rows.contains(nurse));
    *rows = rows.replace(nurse, &nurse.replace("watch", "none"));
    let policy = Arc::new(activate(&files, noon()).unwrap());
    let mut flagged = patient("p2", "1970-01-01");
    flagged["meta"] =
        json!({ "security": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "CEL" }] });
    let values = [
        patient("p1", "1980-05-17"),
        observation("o1", "Patient/p1", "2026-01-02", 90.0),
        flagged,
        observation("o2", "Patient/p2", "2026-01-02", 90.0),
    ];
    let world = World::under(policy, Behind::Raw.upstream(&store(&values), noon()).unwrap());
    for (path, status) in [("Patient/p1", 200), ("Observation/o1", 200), ("Patient/p2", 404), ("Observation/o2", 404)] {
        assert_eq!(world.get("nurse", "TREAT", &format!("/fhir/{path}")).status, status, "{path}");
    }
    assert_eq!(world.get("physician", "TREAT", "/fhir/Observation/o2").status, 200);
}

#[test]
fn what_a_server_keeps_from_us_closes_what_rests_on_it() {
    // A reference that cannot be read may be to anything.
    let mut elsewhere = observation("o2", "Patient/p1", "2026-01-02", 90.0);
    elsewhere["encounter"] = to("https://other.example/fhir/Encounter/e9");
    let two = Two::new(&[patient("p1", "1980-05-17")], &[elsewhere], &[]);
    two.refused(NURSE, "/fhir/Observation/o2", 404, "not_found");
}

/// Asks with something that nests too deep for anybody to tell which resource it is, in place of a hidden one.
#[test]
fn a_hidden_neighbour_that_cannot_be_read_changes_nothing_of_what_refers_to_others() {
    let ordered = |id: &str, order: &str| {
        let mut value = observation(id, "Patient/p1", "2026-01-02", 90.0);
        value["basedOn"] = json!([to(order)]);
        value
    };
    let mut labelled = ordered("o2", "ServiceRequest/s2");
    labelled["meta"] = part2();
    let order = json!({ "resourceType": "ServiceRequest", "id": "s2", "status": "active", "intent": "order",
        "subject": to("Patient/p1"), "meta": part2() });
    let deep = (0..80).fold(json!("x"), |inner, _| json!([{ "extension": inner }]));
    // Before its id.
    let mut unreadable = json!({ "contained": deep });
    unreadable.as_object_mut().unwrap().extend(order.as_object().unwrap().clone());
    let both = [patient("p1", "1980-05-17"), visit("e1", "Patient/p1"), ordered("o1", "ServiceRequest/s1"), labelled];
    let two = Two::related(&both, &[order], &[unreadable]);
    two.found(NURSE, "/fhir/Observation?patient=Patient/p1", &["Observation/o1"]);
    assert_eq!(two.get(NURSE, "/fhir/Observation/o1").status, 200);
}

#[test]
fn an_id_that_the_server_will_not_search_for_spoils_no_other() {
    let ordered = |id: &str, order: &str| {
        let mut value = observation(id, "Patient/p1", "2026-01-02", 90.0);
        value["basedOn"] = json!([to(order)]);
        value
    };
    let order = json!({ "resourceType": "ServiceRequest", "id": "s1", "status": "active", "intent": "order",
        "subject": to("Patient/p1") });
    let values = [
        patient("p1", "1980-05-17"),
        visit("e1", "Patient/p1"),
        ordered("o1", "ServiceRequest/s1"),
        ordered("o2", "ServiceRequest/s2"),
        order,
    ];
    // It will not search for a list in which one id stands.
    let search = |query: &UpstreamQuery| {
        let has = query.parameters.iter().any(|(name, ids)| name == "_id" && ids.split(',').any(|id| id == "s2"));
        has.then_some(UpstreamError::Status(400))
    };
    let inner = Behind::Raw.upstream(&store(&values), noon()).unwrap();
    let world = World::under(resolved(), Arc::new(Failing { inner, search, history: None }));
    let found = world.get("nurse", "TREAT", "/fhir/Observation?patient=Patient/p1");
    let found: Value = serde_json::from_slice(&found.body).unwrap();
    assert_eq!(found["total"], Value::Null);
    let entries = found["entry"].as_array().unwrap();
    assert_eq!(entries.len(), 1, "what rests on s2 has every label: {found}");
    assert_eq!(entries[0]["resource"]["basedOn"][0]["reference"], "ServiceRequest/s1");
}

/// What a resource contains makes nobody its patient: a search for the caller's patients would not find it.
#[test]
fn a_patient_whom_only_a_contained_resource_names_makes_no_relationship() {
    let letter = json!({ "resourceType": "DocumentReference", "id": "d1", "status": "current",
        "content": [{ "attachment": { "title": "letter" } }],
        "type": { "coding": [{ "system": "http://loinc.org", "code": "11506-3" }] },
        "contained": [{ "resourceType": "Encounter", "id": "c", "status": "finished", "subject": to("Patient/p1"),
            "class": { "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP" } }],
        "context": { "encounter": [to("#c")] } });
    let two = Two::related(&[patient("p1", "1980-05-17"), visit("e1", "Patient/p1")], &[letter], &[]);
    two.refused(NURSE, "/fhir/DocumentReference/d1", 404, "not_found");
    assert_eq!(two.world_a().get("nurse", "TREAT", "/fhir/Encounter/e1").status, 200);
    for search in ["/fhir/DocumentReference?_id=d1", "/fhir/DocumentReference"] {
        two.found(NURSE, search, &[]);
    }
}

/// What is nobody's may contain what is somebody's. By whichever table it showed, a search could tell what the other hides.
#[test]
fn a_directory_entry_with_a_patient_in_it_shows_to_nobody() {
    let role = |start: &str| {
        json!({ "resourceType": "PractitionerRole", "id": "r1", "period": { "start": start },
            "contained": [{ "resourceType": "Encounter", "id": "c", "subject": to("Patient/p1") }] })
    };
    let seen = [patient("p1", "1980-05-17"), visit("e1", "Patient/p1")];
    let two = Two::related(&seen, &[role("2026-03-01")], &[role("2026-09-01")]);
    two.refused(NURSE, "/fhir/PractitionerRole/r1", 404, "not_found");
    two.found(NURSE, "/fhir/PractitionerRole?date=ge2026-06-01", &[]);
}

/// A version that was another patient's shows by the other table, which may heed labels that the near one does not.
#[test]
fn a_version_has_the_labels_that_the_current_one_inherits_whichever_table_it_shows_by() {
    let mut files = PackFiles::embedded();
    let mut change = |file: &str, from: &str, to: &str| {
        let text = files.0.get_mut(file).unwrap();
        assert!(text.contains(from), "{file}: {from}");
        *text = text.replace(from, to);
    };
    change(
        "segment-words.csv",
        "follow,follow,,,",
        "near,follow,relationship,,for patients of one's own\nfollow,follow,,,",
    );
    let row = |hiv: &str| format!("nurse,none,none,consent,follow,follow,{hiv},");
    change("segment-by-role.csv", &row("follow"), &row("near"));
    change(
        "roles/nurse.toml",
        ", \"id_mrn\", \"photo_biometric\", \"care_team\", \"encounter_admin\"]",
        ", \"photo_biometric\", \"care_team\"]",
    );
    let open = "\n[[permit]]\nview = \"full\"\ntasks = [\"plan\"]\ncategories = [\"change_metadata\", \"encounter_admin\", \"id_mrn\"]\nwhen = []\n";
    change(
        "roles/nurse.toml",
        "\n[[permit]]\nview = \"masked:payer\"",
        &format!("{open}\n[[permit]]\nview = \"masked:payer\""),
    );
    let policy = Arc::new(activate(&files, noon()).unwrap());
    let mut labelled = visit("whole", "Patient/p1");
    labelled["meta"] =
        json!({ "security": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIV" }] });
    let mut now = visit("e1", "Patient/p1");
    now["partOf"] = to("Encounter/whole");
    let mut misfiled = visit("e1", "Patient/p2");
    misfiled.as_object_mut().unwrap().remove("participant");
    let version = |mut value: Value, version: &str| {
        value["meta"] = json!({ "versionId": version, "lastUpdated": format!("2026-01-0{version}T00:00:00Z") });
        Arc::new(Stored::new(value).unwrap())
    };
    let mut held =
        store(&[patient("p1", "1980-05-17"), patient("p2", "1970-01-01"), labelled, visit("e9", "Patient/p1")]);
    held.put(version(misfiled, "1"));
    held.revise(version(now, "2"));
    let mut without = held.clone();
    let world = World::under(Arc::clone(&policy), Behind::Raw.upstream(&held, noon()).unwrap());
    assert_eq!(world.get("nurse", "TREAT", "/fhir/Encounter/e1").status, 200);
    assert_eq!(world.get("nurse", "TREAT", "/fhir/Encounter/e1/_history/2").status, 200);
    assert_eq!(world.get("nurse", "TREAT", "/fhir/Encounter/e1/_history/1").status, 404);
    // It is the label that hides it.
    without.put(Arc::new(Stored::new(visit("whole", "Patient/p1")).unwrap()));
    world.upstream.put(Behind::Raw.upstream(&without, noon()).unwrap());
    assert_eq!(world.get("nurse", "TREAT", "/fhir/Encounter/e1/_history/1").status, 200);
}

#[test]
fn an_id_that_the_server_will_not_search_for_is_nobodys() {
    let options = scruple_hospital::Options { patients: 1, seed: 1, as_of: noon(), canary: false };
    let server = scruple_hospital::upstream::Server::new(
        &scruple_hospital::Hospital::generate(&options),
        scruple_connect::EMBEDDED_BASE,
    );
    let clock = Arc::new(scruple_core::FixedClock::new(noon()));
    let world = World::under(resolved(), Arc::new(scruple_connect::EmbeddedUpstream::new(server, clock)));
    assert_eq!(world.get("nurse", "TREAT", "/fhir/Patient/a_b").status, 404);
    assert_eq!(world.get("nurse", "TREAT", "/fhir/Patient/nobody").status, 404);
}

#[test]
fn ten_thousand_refusals_are_as_many_records() {
    let world = World::new(Behind::Raw.upstream(&Store::new(), noon()).unwrap());
    let before = world.entries().len();
    let token = world.token_of(login("biller"), &["biller"], Some("HPAYMT"));
    let asked = crate::support::request("GET", "/fhir/DocumentReference/secret-1");
    for seed in 0..10_000 {
        let response = world.ask(&asked, Some(&token), seed);
        assert_eq!((response.status, code(&response).as_str()), (403, "type_not_permitted"));
    }
    let entries = world.entries();
    assert_eq!(entries.len() - before, 10_000);
    assert!(
        entries
            .iter()
            .skip(before)
            .all(|entry| matches!(&entry.body, EntryBody::Refusal { code, .. } if code == "type_not_permitted"))
    );
}

/// In Yakima 23 security guards opened the charts of 419 people (OCR, 2023). Eight roles, each saying "treatment" and what else
/// its tokens may say, with nobody in their care.
#[test]
fn who_works_where_care_is_given_opens_none_of_419_charts_whatever_purpose_he_names() {
    let charts: Vec<Value> = (0..419).map(|number| patient(&format!("p{number}"), "1980-05-17")).collect();
    let world = world(&charts);
    let roles =
        ["front_desk", "biller", "it_support", "quality_analyst", "coder", "social_worker", "nurse", "physician"];
    let before = world.entries().len();
    let mut refused = BTreeSet::new();
    for number in 0..419 {
        let role = roles[number % roles.len()];
        let purpose = ["TREAT", "ETREAT", "BTG", "HOPERAT"][number / roles.len() % 4];
        let response = world.get(role, purpose, &format!("/fhir/Patient/p{number}"));
        assert!(matches!(response.status, 403 | 404), "{role} {purpose}: {}", response.status);
        refused.insert(code(&response));
        // Nor does a search find one.
        if number.is_multiple_of(60) {
            let found = world.get(role, purpose, "/fhir/Patient?_summary=count");
            let found: Value = serde_json::from_slice(&found.body).unwrap();
            assert!(found["total"] == 0 || found["resourceType"] == "OperationOutcome", "{role} {purpose}: {found}");
        }
    }
    assert!(refused.contains("not_found") && refused.len() > 1, "{refused:?}");
    let entries = world.entries();
    assert_eq!(entries.len() - before, 419 + 419_usize.div_ceil(60));
    let told = |entry: &scruple_core::Entry| match &entry.body {
        EntryBody::Release { patients, .. } => patients.len(),
        _ => 0,
    };
    assert_eq!(entries.iter().skip(before).map(told).sum::<usize>(), 0, "no record tells of a chart that was shown");
}

/// What lifts minimum necessary is that a provider treats, not that somebody says so (164.502(b)(2)(i)): the same table comes
/// out for a use inside, and who is in the patient's care sees what his role sees, and no more.
#[test]
fn that_the_purpose_is_treatment_lifts_no_limit_of_a_role() {
    let hidden = observation("o9", "Patient/p1", "2026-01-01", 1.0);
    let hidden = {
        let mut one = hidden;
        one["meta"] = json!({ "security": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "42CFRPart2" }] });
        one
    };
    let world = world(&[patient("p1", "1980-05-17"), team("active"), hidden]);
    for purpose in ["TREAT", "COC"] {
        assert_eq!(world.get("nurse", purpose, "/fhir/Observation/o9").status, 404, "{purpose}");
    }
    assert_eq!(world.get("nurse", "TREAT", "/fhir/Patient/p1").status, 200);
    for purpose in ["ETREAT", "BTG", "HPAYMT", "HOPERAT", "PATRQT"] {
        let response = world.get("nurse", purpose, "/fhir/Observation/o9");
        assert!(matches!(response.status, 403 | 404), "{purpose}: {}", response.status);
    }
}
