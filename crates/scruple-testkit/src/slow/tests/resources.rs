//! `meta`, `id`, Bundles, Parameters, passing.

use super::{Limit, Withheld, sees};

#[test]
fn meta_is_built_and_not_copied() {
    let input = r#"{"id":"p","meta":{"tag":[{"code":"x"}],"lastUpdated":"2026-01-01T00:00:00Z","source":"s","versionId":"7","profile":["http://own.example/p","http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"]},
        "language":"en","text":{"status":"generated","div":"<div>A</div>"},"resourceType":"Patient","_id":{"extension":[{"url":"https://scruple.example/ext/anywhere","valueBoolean":true}]}}"#;
    let with = |dates: &str| {
        r#"{"resourceType":"Patient",META,"id":"p","language":"en"}"#.replace(
            r#"META"#,
            &super::META.replace(
                r#""meta":{"#,
                &format!(
                    r#""meta":{{{dates}"profile":["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"],"#
                ),
            ),
        )
    };
    sees("demographics").check(input, &with(""));
    sees("demographics change_metadata")
        .check(input, &with(r#""versionId":"7","lastUpdated":"2026-01-01T00:00:00Z","#));
}

#[test]
fn entries_are_projected_each_on_its_own() {
    let caller = sees("demographics").limit("hiv", Limit::None);
    caller.check(
        r#"{"resourceType":"Bundle","id":"b","meta":{"versionId":"1"},"type":"document","total":4,"timestamp":"2026-01-01T00:00:00Z","identifier":{"value":"I"},
            "link":[{"relation":"self","url":"u"}],"entry":[
            {"link":[{"relation":"self","url":"u"}],"fullUrl":"http://x.example/fhir/Patient/p","resource":{"resourceType":"Patient","id":"p","gender":"male"},"search":{"mode":"match","score":0.5},
             "request":{"method":"POST","url":"Patient?identifier=a|b","ifNoneExist":"x"},"response":{"status":"200","etag":"W/1","outcome":{"resourceType":"OperationOutcome"}}},
            {"fullUrl":"http://x.example/fhir/Patient/other","resource":{"resourceType":"Patient","id":"q"},"request":{"method":"PUT","url":"Patient/q"}},
            {"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient","id":"r"},"request":{"method":"PUT","url":"http://x.example/Patient/r"}},
            {"resource":{"resourceType":"Condition","subject":{"display":"S"}}},
            {"resource":{"resourceType":"Patient","implicitRules":"http://x.example"}},
            {"request":{"method":"DELETE","url":"Patient/9"}}]}"#,
        concat!(
            r#"{"resourceType":"Bundle","id":"b","type":"collection","entry":["#,
            r#"{"fullUrl":"http://x.example/fhir/Patient/p","resource":{"resourceType":"Patient",META,"id":"p","gender":"male"},"search":{"mode":"match"},"request":{"method":"POST","url":"Patient"},"response":{"status":"200"}},"#,
            r#"{"resource":{"resourceType":"Patient",META,"id":"q"},"request":{"method":"PUT","url":"Patient/q"}},"#,
            r#"{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient",META,"id":"r"},"request":{"method":"PUT","_url":MASKED}}]}"#
        ),
    );
    caller.check(
        r#"{"resourceType":"Bundle","type":"searchset","entry":[{"request":{"method":"GET","url":"x"}}]}"#,
        r#"{"resourceType":"Bundle","type":"searchset"}"#,
    );
    caller.withholds(
        r#"{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Patient","gender":1}}]}"#,
        Withheld::Malformed,
    );
}

#[test]
fn parameters_are_projected_each_on_its_own() {
    sees("demographics free_text").check(
        r#"{"resourceType":"Parameters","parameter":[{"name":"a","resource":{"resourceType":"Patient","gender":"male"}},{"name":"b","resource":{"resourceType":"Condition","subject":{"display":"S"}}},
            {"name":"c","part":[{"name":"d","valueBoolean":true}]},{"name":"e"}]}"#,
        concat!(
            r#"{"resourceType":"Parameters",META,"parameter":[{"name":"a","resource":{"resourceType":"Patient",META,"gender":"male"}},"#,
            r#"{"name":"c","part":[{"name":"d","valueBoolean":true}]},{"name":"e","_valueBase64Binary":MASKED}]}"#
        ),
    );
}

const RECORD: &str = r##"{ "resourceType":"Organization", "shoe":[ 1.0 ],"meta":{"versionId":"1"},
    "text":{"status":"generated","div":"<div/>"}, "contained":[{"resourceType":"Organization","id":"x","shoe":1,"name":"X"}], "partOf":{"reference":"Observation/1"},"name":"N"}"##;

#[test]
fn what_is_full_passes_as_it_is() {
    let all = sees("directory free_text").passes();
    all.check(
        RECORD,
        r##"{"resourceType":"Organization","shoe":[1.0],"meta":{"versionId":"1"},"text":{"status":"generated","div":"<div/>"},"contained":[{"resourceType":"Organization","id":"x","shoe":1,"name":"X"}],"partOf":{"reference":"Observation/1"},"name":"N"}"##,
    );
    // Without free text, or without the decision's word, it is projected.
    for caller in [sees("directory").passes(), sees("directory free_text")] {
        caller.check(RECORD, r#"{"resourceType":"Organization",META,"name":"N"}"#);
    }
    all.withholds(r#"{"resourceType":"Organization","name":1}"#, Withheld::Malformed);
    let ruled = r#"{"resourceType":"Organization","implicitRules":"http://x.example","name":"N"}"#;
    all.check(ruled, ruled);
    sees("directory").passes().withholds(ruled, Withheld::ImplicitRules);
    // A withheld segment: the category is not full.
    let labelled = r#"{"resourceType":"Organization","meta":{"source":"urn:oid:2.999.7"},"name":"N"}"#;
    all.clone().limit("part2", Limit::None).withholds(labelled, Withheld::Label);
    all.check(labelled, r#"{"resourceType":"Organization","meta":{"source":"urn:oid:2.999.7"},"name":"N"}"#);
}

#[test]
fn what_contains_a_resource_that_does_not_pass_is_projected() {
    let caller = sees("directory free_text demographics").passes();
    caller.check(
        r##"{"resourceType":"Organization","shoe":1,"name":"N","contained":[{"resourceType":"Patient","id":"p","shoe":1,"gender":"male","name":[{"family":"A"}]}],"extension":[{"url":"u","valueReference":{"reference":"#p"}}]}"##,
        r#"{"resourceType":"Organization",META,"name":"N"}"#,
    );
    // It does not show at all: then nothing passes.
    sees("directory free_text").passes().check(
        r##"{"resourceType":"Organization","shoe":1,"name":"N","contained":[{"resourceType":"Patient","id":"p"}]}"##,
        r#"{"resourceType":"Organization",META,"name":"N"}"#,
    );
}
