//! What is required and does not show; what constraints ask for.

use super::{Withheld, sees};

#[test]
fn required_elements_are_marked_whether_or_not_they_stood_there() {
    let caller = sees("admin");
    let shown = concat!(
        r#"{"resourceType":"Encounter",META,"status":"finished","class":{"code":"AMB"},"statusHistory":[{"status":"planned","period":MASKED}],"#,
        r#""location":[{"status":"planned","location":MASKED}]}"#
    );
    // What its target hides takes the part with it: a marker would tell that there is one.
    caller.check(
        r#"{"resourceType":"Encounter","status":"finished","class":{"code":"AMB"},"statusHistory":[{"status":"planned"}],"location":[{"status":"planned","location":{"reference":"Location/1"}}]}"#,
        &shown.replace(r#","location":[{"status":"planned","location":MASKED}]"#, ""),
    );
    caller.check(
        r#"{"resourceType":"Encounter","status":"finished","class":{"code":"AMB"},"statusHistory":[{"status":"planned","period":{"id":"x"}}],"location":[{"status":"planned"}]}"#,
        shown,
    );
}

#[test]
fn markers_are_of_the_elements_type() {
    // A primitive, an array of objects, an object; a choice: the first type of the definition.
    sees("problems").check(
        r#"{"resourceType":"CarePlan","status":"active","intent":"plan","activity":[{"detail":{"status":"scheduled"}},{"progress":[{"time":"2020"}]}]}"#,
        r#"{"resourceType":"CarePlan",META,"status":"active","intent":"plan","activity":[{"detail":{"status":"scheduled"}},{"progress":[{"time":"2020","_text":MASKED}]}],"subject":MASKED}"#,
    );
    sees("problems").check(
        r#"{"resourceType":"MedicationRequest","status":"active","intent":"order"}"#,
        r#"{"resourceType":"MedicationRequest",META,"status":"active","intent":"order","medicationCodeableConcept":MASKED,"subject":MASKED}"#,
    );
    sees("documents").check(
        r#"{"resourceType":"DocumentReference","status":"current"}"#,
        r#"{"resourceType":"DocumentReference",META,"status":"current","content":[{"attachment":MASKED}]}"#,
    );
    // A part in a part, and instants: under none they are marked.
    sees("admin").check(
        r#"{"resourceType":"Provenance","reason":[{"coding":[{"code":"a"}]}]}"#,
        r#"{"resourceType":"Provenance",META,"reason":[{"coding":[{"code":"a"}]}],"target":[MASKED],"_recorded":MASKED,"agent":[{"who":MASKED}]}"#,
    );
}

#[test]
fn a_required_modifier_cannot_be_marked() {
    sees("problems").withholds(r#"{"resourceType":"CarePlan","intent":"plan"}"#, Withheld::Required);
    sees("problems").check(
        r#"{"resourceType":"CarePlan","status":"active","intent":"plan","activity":[{"detail":{"kind":"Task"}}],"subject":{"reference":"Patient/1"}}"#,
        r#"{"resourceType":"CarePlan",META,"status":"active","intent":"plan","subject":MASKED}"#,
    );
    // A marked part would need one: the resource goes.
    sees("problems").withholds(
        r#"{"resourceType":"ImmunizationRecommendation","date":"2020","identifier":[{"value":"1"}]}"#,
        Withheld::Required,
    );
}

#[test]
fn markers_alone_do_not_make_an_object_show() {
    sees("admin").check(
        r#"{"resourceType":"Encounter","status":"finished","class":{"code":"AMB"},"location":[{"location":{"reference":"Location/1"}}]}"#,
        r#"{"resourceType":"Encounter",META,"status":"finished","class":{"code":"AMB"}}"#,
    );
}

#[test]
fn constraints_ask_for_markers_after_the_required_ones() {
    sees("problems").check(
        r#"{"resourceType":"Goal","lifecycleStatus":"active","target":[{"detailString":"D","detailQuantity":null}]}"#
            .replace(r#","detailQuantity":null"#, "")
            .as_str(),
        r#"{"resourceType":"Goal",META,"lifecycleStatus":"active","description":MASKED,"subject":MASKED}"#,
    );
    sees("problems free_text").check(
        r#"{"resourceType":"Goal","lifecycleStatus":"active","target":[{"detailString":"D"}],"description":{"text":"T"},"subject":{"display":"S"}}"#,
        r#"{"resourceType":"Goal",META,"lifecycleStatus":"active","target":[{"detailString":"D","measure":MASKED}],"description":{"text":"T"},"subject":MASKED}"#,
    );
    sees("admin").check(
        r#"{"resourceType":"Encounter","status":"finished","class":{"code":"AMB"},"length":{"value":1,"code":"h"}}"#,
        r#"{"resourceType":"Encounter",META,"status":"finished","class":{"code":"AMB"},"length":{"value":1,"code":"h","_system":MASKED}}"#,
    );
    sees("directory").check(
        r#"{"resourceType":"Organization","active":true}"#,
        r#"{"resourceType":"Organization",META,"active":true,"_name":MASKED}"#,
    );
    sees("directory").check(
        r#"{"resourceType":"Organization","identifier":[{"value":"1"}]}"#,
        r#"{"resourceType":"Organization",META,"identifier":[{"value":"1"}]}"#,
    );
    // A marked part has what its own constraints ask for.
    sees("admin").check(
        r#"{"resourceType":"Appointment","status":"booked","start":"2026-01-01T00:00:00Z"}"#,
        r#"{"resourceType":"Appointment",META,"status":"booked","start":"2026-01-01T00:00:00Z","participant":[{"_status":MASKED,"type":[MASKED]}],"_end":MASKED}"#,
    );
}
