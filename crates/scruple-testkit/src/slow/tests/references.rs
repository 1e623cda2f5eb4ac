//! References and contained resources.

use super::{Limit, sees};

fn patient(references: &str) -> String {
    format!(r#"{{"resourceType":"Patient","generalPractitioner":[{references}]}}"#)
}

fn shown(references: &str) -> String {
    if references.is_empty() {
        return r#"{"resourceType":"Patient",META}"#.to_owned();
    }
    format!(r#"{{"resourceType":"Patient",META,"generalPractitioner":[{references}]}}"#)
}

#[test]
fn a_literal_shows_only_if_its_target_can() {
    let caller = sees("demographics directory");
    caller.check(
        &patient(r#"{"reference":"Practitioner/1","type":"Practitioner"}"#),
        &shown(r#"{"reference":"Practitioner/1","type":"Practitioner"}"#),
    );
    caller.check(
        &patient(r#"{"reference":"Practitioner/1/_history/2"}"#),
        &shown(r#"{"reference":"Practitioner/1/_history/2"}"#),
    );
    // No home, or a home that is none: the whole Reference, with what stands beside.
    caller.check(&patient(r#"{"reference":"PractitionerRole/1","type":"PractitionerRole"}"#), &shown(""));
    sees("demographics").check(&patient(r#"{"reference":"Practitioner/1","type":"Practitioner"}"#), &shown(""));
    // What cannot be told points to anything.
    caller.check(&patient(r#"{"reference":"Shoe/1"},{"reference":"Pr\u0061ctitioner/1"},{"reference":"urn:uuid:1","type":"Practitioner"}"#), &shown(""));
    caller
        .knows("urn:uuid:1")
        .check(&patient(r#"{"reference":"urn:uuid:1"}"#), &shown(r#"{"reference":"urn:uuid:1"}"#));
}

#[test]
fn a_target_that_a_label_can_hide_shows_if_the_caller_says_so() {
    let input = r#"{"resourceType":"Encounter","status":"finished","class":{"code":"AMB"},"reasonReference":[{"reference":"Condition/1"},{"reference":"Condition/2/_history/1"}]}"#;
    let with = |references: &str| {
        format!(r#"{{"resourceType":"Encounter",META,"status":"finished","class":{{"code":"AMB"}}{references}}}"#)
    };
    let caller = sees("admin problems");
    let both = r#","reasonReference":[{"reference":"Condition/1"},{"reference":"Condition/2/_history/1"}]"#;
    caller.check(input, &with(both));
    let caller = caller.limit("vip", Limit::Coded);
    caller.check(input, &with(""));
    caller.clone().knows("Condition/1").check(input, &with(r#","reasonReference":[{"reference":"Condition/1"}]"#));
    caller.knows("Condition/1").knows("Condition/2").check(input, &with(both));
}

#[test]
fn literals_with_identifiers_need_the_identifiers_view() {
    let input = patient(
        r#"{"reference":"Organization?identifier=a|b","type":"Organization"},{"reference":"http://x.example/Practitioner/1"}"#,
    );
    sees("demographics directory")
        .check(&input, &shown(r#"{"reference":"Organization?identifier=a|b","type":"Organization"}"#));
    sees("demographics directory mrn").check(
        &input,
        &shown(r#"{"reference":"Organization?identifier=a|b","type":"Organization"},{"reference":"http://x.example/Practitioner/1"}"#),
    );
}

#[test]
fn displays_and_identifiers_are_of_the_type_that_is_pointed_to() {
    let reference = |name: &str| format!(r#"{{"reference":"{name}/1","identifier":{{"value":"I"}},"display":"D"}}"#);
    let input = patient(&format!("{},{}", reference("Organization"), reference("Practitioner")));
    sees("demographics directory")
        .check(&input, &shown(&format!("{},{}", reference("Organization"), r#"{"reference":"Practitioner/1"}"#)));
    sees("demographics directory mrn free_text")
        .check(&input, &shown(&format!("{},{}", reference("Organization"), reference("Practitioner"))));
    // No literal, and the only allowed target.
    sees("demographics directory").check(
        r#"{"resourceType":"Patient","managingOrganization":{"display":"D"},"generalPractitioner":[{"display":"D","type":"Organization"},{"display":"E"}]}"#,
        r#"{"resourceType":"Patient",META,"managingOrganization":{"display":"D"},"generalPractitioner":[{"display":"D","type":"Organization"}]}"#,
    );
}

const CHAIN: &str = r##"{"resourceType":"Patient","contained":[
    {"resourceType":"Practitioner","id":"a","meta":{"versionId":"1"},"gender":"female","contained":[{"resourceType":"Practitioner","id":"z"}]},
    {"resourceType":"Organization","id":"b","name":"B"},
    {"resourceType":"Organization","id":"c","name":"C","partOf":{"reference":"#b"}},
    {"resourceType":"Organization","id":"d","name":"D","partOf":{"reference":"#d"}},
    {"resourceType":"Observation","id":"e","status":"final","code":{"text":"T"}},
    {"resourceType":"Organization","name":"no id"}],
  "gender":"male","generalPractitioner":[{"reference":"#a"},{"reference":"#e"},{"reference":"#none"},{"reference":"#"}],"managingOrganization":{"reference":"#c"}}"##;

#[test]
fn contained_resources_show_if_referred_to_and_allowed() {
    sees("demographics directory").check(
        CHAIN,
        concat!(
            r##"{"resourceType":"Patient",META,"contained":[{"resourceType":"Practitioner","id":"a","gender":"female"},"##,
            r##"{"resourceType":"Organization","id":"b","name":"B"},{"resourceType":"Organization","id":"c","name":"C","partOf":{"reference":"#b"}}],"##,
            r##""gender":"male","generalPractitioner":[{"reference":"#a"},{"reference":"#"}],"managingOrganization":{"reference":"#c"}}"##
        ),
    );
    sees("demographics")
        .check(CHAIN, r##"{"resourceType":"Patient",META,"gender":"male","generalPractitioner":[{"reference":"#"}]}"##);
}

#[test]
fn a_chain_of_contained_resources_falls_from_its_head() {
    // The head (a Specimen) does not show, so what only it refers to goes too.
    let input = r##"{"resourceType":"Encounter","status":"finished","class":{"code":"AMB"},
        "contained":[{"resourceType":"Specimen","id":"s","subject":{"reference":"#p"}},{"resourceType":"Patient","id":"p","gender":"male","managingOrganization":{"reference":"#o"}},
        {"resourceType":"Organization","id":"o","name":"O"}],"basedOn":[{"reference":"#s"}]}"##;
    let start = r#"{"resourceType":"Encounter",META,"status":"finished","class":{"code":"AMB"}}"#;
    sees("admin demographics directory").check(input, start);
    assert!(sees("admin demographics directory labs").project(input).expect("shown").contains("#p"));
}

#[test]
fn an_extension_with_a_reference_that_must_not_show_does_not_show() {
    let input = r#"{"resourceType":"Patient","extension":[{"url":"https://scruple.example/ext/race","valueReference":{"reference":"Observation/1"}},
        {"url":"https://scruple.example/ext/race","valueReference":{"reference":"Patient/1","display":"D"}}]}"#;
    sees("demographics").check(
        input,
        r#"{"resourceType":"Patient",META,"extension":[{"url":"https://scruple.example/ext/race","valueReference":{"reference":"Patient/1","display":"D"}}]}"#,
    );
}

#[test]
fn an_extension_whose_value_shows_in_nothing_does_not_show() {
    let extension =
        |value: &str| format!(r#""extension":[{{"url":"https://scruple.example/ext/race","valueReference":{value}}}]"#);
    let input = |value: &str| format!(r#"{{"resourceType":"Patient","gender":"male",{}}}"#, extension(value));
    sees("demographics").check(&input(r#"{"type":"Shoe"}"#), r#"{"resourceType":"Patient",META,"gender":"male"}"#);
    let kept = format!(r#"{{"resourceType":"Patient",META,"gender":"male",{}}}"#, extension(r#"{"type":"Patient"}"#));
    sees("demographics").check(&input(r#"{"type":"Patient"}"#), &kept);
}
