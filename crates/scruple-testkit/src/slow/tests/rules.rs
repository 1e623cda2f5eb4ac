//! Faults, unknown keys, places, extensions, groups, emptiness.

use super::{Limit, Withheld, sees};

#[test]
fn malformed_resources_are_withheld() {
    let caller = sees("demographics names");
    for input in [
        r#"{}"#,
        r#"[]"#,
        r#"{"resourceType":"Patient"} x"#,
        r#"{"resourceType":"Shoe"}"#,
        r#"{"resourceType":"SubscriptionStatus"}"#,
        r#"{"resourceTyp\u0065":"Patient"}"#,
        r#"{"resourceType":"Patient","resourceType":"Patient"}"#,
        r#"{"resourceType":"Patient","gender":"male","gender":"male"}"#,
        r#"{"resourceType":"Patient","deceasedBoolean":true,"deceasedDateTime":"2020"}"#,
        r#"{"resourceType":"Patient","gender":1}"#,
        r#"{"resourceType":"Patient","gender":null}"#,
        r#"{"resourceType":"Patient","gender":["male"]}"#,
        r#"{"resourceType":"Patient","active":"true"}"#,
        r#"{"resourceType":"Patient","name":{"family":"A"}}"#,
        r#"{"resourceType":"Patient","name":[]}"#,
        r#"{"resourceType":"Patient","name":[null]}"#,
        r#"{"resourceType":"Patient","name":["A"]}"#,
        r#"{"resourceType":"Patient","name":[{"family":"A","family":"B"}]}"#,
        r#"{"resourceType":"Patient","_gender":"x"}"#,
        r#"{"resourceType":"Patient","_gender":null}"#,
        r#"{"resourceType":"Patient","_gender":{"extension":{}}}"#,
        r#"{"resourceType":"Patient","photo":[{"size":"1"}]}"#,
        r#"{"resourceType":"Patient","contained":[{"id":"a"}]}"#,
        r#"{"resourceType":"Patient","contained":[{"resourceType":"Patient","gender":1}]}"#,
        "{\"resourceType\":\"Patient\",\"gender\":\"\t\"}",
    ] {
        caller.withholds(input, Withheld::Malformed);
    }
    let long = format!("{{\"resourceType\":\"Patient\"}}{}", " ".repeat(super::RESOURCE_BYTES_MAX));
    caller.withholds(&long, Withheld::TooLarge);
}

#[test]
fn x_and_its_underscore_count_apart() {
    sees("demographics").check(
        r#"{"resourceType":"Patient","deceasedBoolean":true,"_deceasedDateTime":{"id":"a"}}"#,
        r#"{"resourceType":"Patient",META,"deceasedBoolean":true}"#,
    );
}

#[test]
fn unknown_keys_are_skipped_and_escaped_ones_refused() {
    sees("demographics names").check(
        r#" { "shoe" : [ { "a" : null } ], "shoe": 1, "resourceType" : "Patient",
            "name" : [ { "family" : "Caf\u00e9", "shoe" : 1, "given" : [ "A" ] } ], "birthDate" : "1981-02" } "#,
        r#"{"resourceType":"Patient",META,"name":[{"family":"Caf\u00e9","given":["A"]}],"birthDate":"1981-02"}"#,
    );
    sees("demographics").withholds(r#"{"birth\u0044ate":"1980","resourceType":"Patient"}"#, Withheld::Malformed);
}

#[test]
fn numbers_stay_as_written() {
    sees("vitals labs").check(
        r#"{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"718-7"}]},
            "valueQuantity":{"value":1.50e+0}}"#,
        r#"{"resourceType":"Observation",META,"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"718-7"}]},"valueQuantity":{"value":1.50e+0}}"#,
    );
}

#[test]
fn a_path_is_stronger_than_the_type_and_what_no_line_covers_is_withheld() {
    let input = r#"{"resourceType":"Patient","id":"p","gender":"male","name":[{"id":"n","family":"A"}],"telecom":[{"system":"phone","value":"1"}]}"#;
    sees("demographics").check(input, r#"{"resourceType":"Patient",META,"id":"p","gender":"male"}"#);
    sees("demographics names")
        .check(input, r#"{"resourceType":"Patient",META,"id":"p","gender":"male","name":[{"family":"A"}]}"#);
    sees("names contact").withholds(input, Withheld::Policy);
    sees("directory").withholds(r#"{"resourceType":"Media","status":"completed"}"#, Withheld::Policy);
    sees("directory").check(
        r#"{"resourceType":"Practitioner","birthDate":"1980-01-01","gender":"female"}"#,
        r#"{"resourceType":"Practitioner",META,"gender":"female"}"#,
    );
}

#[test]
fn a_part_with_a_line_of_its_own_shows_below_one_that_is_none() {
    let input = r#"{"resourceType":"Patient","contact":[{"gender":"male","name":{"family":"K"}},{"gender":"male"}]}"#;
    sees("demographics names").check(input, r#"{"resourceType":"Patient",META,"contact":[{"name":{"family":"K"}}]}"#);
    sees("demographics relatives")
        .check(input, r#"{"resourceType":"Patient",META,"contact":[{"gender":"male","name":MASKED},{"gender":"male","name":MASKED}]}"#);
}

#[test]
fn a_line_through_a_data_type_takes_the_place_of_both() {
    let input = r#"{"resourceType":"Patient","photo":[{"contentType":"image/png","title":"T"}]}"#;
    sees("demographics").check(input, r#"{"resourceType":"Patient",META,"photo":[{"contentType":"image/png"}]}"#);
    sees("demographics photo")
        .check(input, r#"{"resourceType":"Patient",META,"photo":[{"contentType":"image/png","title":"T"}]}"#);
    let organization =
        r#"{"resourceType":"Organization","name":"N","type":[{"coding":[{"code":"a","display":"D"}],"text":"T"}]}"#;
    sees("directory").check(
        organization,
        r#"{"resourceType":"Organization",META,"name":"N","type":[{"coding":[{"code":"a","display":"D"}]}]}"#,
    );
}

#[test]
fn prose_that_only_the_type_covers_is_free_text_too() {
    let input = r#"{"resourceType":"Appointment","status":"proposed","comment":"C","description":"D","participant":[{"status":"accepted","type":[{"text":"T"}]}],
        "start":"2026-01-01T00:00:00Z","end":"2026-01-01T00:00:00Z"}"#;
    sees("admin").check(
        input,
        r#"{"resourceType":"Appointment",META,"status":"proposed","participant":[{"status":"accepted","type":[MASKED]}],"start":"2026-01-01T00:00:00Z","end":"2026-01-01T00:00:00Z"}"#,
    );
    sees("admin free_text").check(
        input,
        r#"{"resourceType":"Appointment",META,"status":"proposed","comment":"C","description":"D","participant":[{"status":"accepted","type":[{"text":"T"}]}],"start":"2026-01-01T00:00:00Z","end":"2026-01-01T00:00:00Z"}"#,
    );
    // A line of its own, here for the nested item too.
    sees("directory").check(
        r#"{"resourceType":"Questionnaire","status":"active","title":"T","item":[{"linkId":"1","type":"group","text":"a","prefix":"p","item":[{"linkId":"2","type":"string","text":"b"}]}]}"#,
        r#"{"resourceType":"Questionnaire",META,"status":"active","item":[{"type":"group","text":"a","item":[{"type":"string","text":"b","_linkId":MASKED}],"_linkId":MASKED}]}"#,
    );
}

#[test]
fn free_text_of_data_types_is_narrowed_wherever_it_stands() {
    let input = r#"{"resourceType":"Encounter","status":"finished","class":{"code":"AMB","display":"D"},"type":[{"text":"T"}],"length":{"value":1,"unit":"min"}}"#;
    sees("admin").check(
        input,
        r#"{"resourceType":"Encounter",META,"status":"finished","class":{"code":"AMB"},"length":{"value":1}}"#,
    );
    sees("admin free_text").check(
        input,
        r#"{"resourceType":"Encounter",META,"status":"finished","class":{"code":"AMB","display":"D"},"type":[{"text":"T"}],"length":{"value":1,"unit":"min"}}"#,
    );
    sees("admin").check(
        r#"{"resourceType":"Encounter","status":"finished","class":{"code":"AMB"},"length":{"value":1,"unit":"min","system":"http://unitsofmeasure.org","code":"min"}}"#,
        r#"{"resourceType":"Encounter",META,"status":"finished","class":{"code":"AMB"},"length":{"value":1,"system":"http://unitsofmeasure.org","code":"min"}}"#,
    );
}

#[test]
fn an_identifier_is_of_the_category_that_its_type_chooses() {
    let input = r#"{"resourceType":"Patient","identifier":[
        {"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR"}]},"value":"1"},
        {"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"SS"}]},"value":"2"},
        {"value":"3","assigner":{"display":"A"}}]}"#;
    let mr =
        r#"{"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR"}]},"value":"1"}"#;
    let ss = mr.replace("MR", "SS").replace("\"1\"", "\"2\"");
    sees("demographics mrn").check(input, &format!(r#"{{"resourceType":"Patient",META,"identifier":[{mr}]}}"#));
    sees("demographics national")
        .check(input, &format!(r#"{{"resourceType":"Patient",META,"identifier":[{ss},{{"value":"3"}}]}}"#));
}

#[test]
fn extensions_show_whole_if_known_and_full() {
    let input = r#"{"resourceType":"Patient","extension":[
          {"url":"https://scruple.example/ext/race","id":"x","extension":[{"url":"nested","valueString":"R","shoe":1}]},
          {"url":"https://scruple.example/ext/unknown","valueString":"U"},
          {"url":"https:\u002f/scruple.example/ext/race","valueString":"escaped"},
          {"url":"https://scruple.example/ext/geo","valueString":"elsewhere"}],
        "birthDate":"1980-01-01","_birthDate":{"id":"b","extension":[{"url":"https://scruple.example/ext/birth-time","valueDateTime":"1980-01-01T08:00:00Z"}]},
        "_gender":{"extension":[{"url":"https://scruple.example/ext/anywhere","valueBoolean":true}]},
        "name":[{"family":"van A","_family":{"extension":[{"url":"https://scruple.example/ext/particle","valueString":"van"}]}}],
        "address":[{"city":"C","extension":[{"url":"https://scruple.example/ext/geo","valueDecimal":1.0}]}]}"#;
    sees("demographics").check(
        input,
        concat!(
            r#"{"resourceType":"Patient",META,"extension":[{"url":"https://scruple.example/ext/race","extension":[{"url":"nested","valueString":"R"}]}],"#,
            r#""birthDate":"1980-01-01","_birthDate":{"extension":[{"url":"https://scruple.example/ext/birth-time","valueDateTime":"1980-01-01T08:00:00Z"}]},"#,
            r#""_gender":{"extension":[{"url":"https://scruple.example/ext/anywhere","valueBoolean":true}]}}"#
        ),
    );
    sees("demographics names contact").check(
        r#"{"resourceType":"Patient","name":[{"family":"van A","_family":{"extension":[{"url":"https://scruple.example/ext/particle","valueString":"van"}]}}],
            "address":[{"city":"C","extension":[{"url":"https://scruple.example/ext/geo","valueDecimal":1.0}]}]}"#,
        concat!(
            r#"{"resourceType":"Patient",META,"name":[{"family":"van A","_family":{"extension":[{"url":"https://scruple.example/ext/particle","valueString":"van"}]}}],"#,
            r#""address":[{"city":"C","extension":[{"url":"https://scruple.example/ext/geo","valueDecimal":1.0}]}]}"#
        ),
    );
    // Under a mask it does not show.
    sees("demographics").masked("limited", "contact").check(
        r#"{"resourceType":"Patient","address":[{"state":"MA","extension":[{"url":"https://scruple.example/ext/geo","valueDecimal":1.0}]}]}"#,
        r#"{"resourceType":"Patient",META,"address":[{"state":"MA"}]}"#,
    );
}

#[test]
fn a_group_stands_or_falls_together() {
    let input = r#"{"resourceType":"Observation","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}]}],
        "code":{"coding":[{"system":"http://loinc.org","code":"718-7"}]},"valueString":"V",
        "interpretation":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"H"}]}]}"#;
    // valueString is prose: not by policy, since value[x] has other types.
    let shown = |value: &str| {
        format!(
            concat!(
                r#"{{"resourceType":"Observation",META,"status":"final","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}}]}}],"#,
                r#""code":{{"coding":[{{"system":"http://loinc.org","code":"718-7"}}]}},{}"interpretation":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"H"}}]}}]}}"#
            ),
            value
        )
    };
    sees("labs").check(input, &shown(""));
    sees("labs free_text").check(input, &shown(r#""valueString":"V","#));
    // Under `coded` dataAbsentReason goes into a CodeableConcept, so all four can show. Under `listed` referenceRange
    // is a part without a function: none by policy, and with it the three others.
    sees("")
        .masked("listed", "labs")
        .check(input, r#"{"resourceType":"Observation",META,"status":"final","code":MASKED}"#);
}

#[test]
fn a_withheld_modifier_closes_its_object() {
    // HumanName.use has a function under `shape`, ContactPoint.use has none under `dates`.
    sees("demographics").masked("shape", "names").check(
        r#"{"resourceType":"Patient","name":[{"use":"official","family":"Ab-9"}]}"#,
        r#"{"resourceType":"Patient",META,"name":[{"use":"xxxxxxxx","family":"Xx-9"}]}"#,
    );
    let input = r#"{"resourceType":"Patient","birthDate":"1980-01-01","telecom":[{"system":"phone","value":"1"}]}"#;
    sees("demographics")
        .masked("dates", "contact")
        .check(input, r#"{"resourceType":"Patient",META,"birthDate":"1980-01-01"}"#);
    // Patient.active has none, so the whole resource goes, whether or not it stood there.
    sees("contact").masked("dates", "demographics").withholds(input, Withheld::Required);
    // A modifier that its own data hides closes what holds it too; where it does not stand, nothing is closed.
    let refuted = r#"{"resourceType":"Condition","verificationStatus":{"text":"refuted"},"recordedDate":"2020"}"#;
    sees("").masked("coded", "problems").withholds(refuted, Withheld::Required);
    sees("").masked("coded", "problems").check(
        r#"{"resourceType":"Condition","recordedDate":"2020"}"#,
        r#"{"resourceType":"Condition",META,"recordedDate":"2020","subject":MASKED}"#,
    );
}

#[test]
fn a_modifier_extension_closes_what_holds_it() {
    let caller = sees("demographics relatives names problems free_text");
    caller.withholds(
        r#"{"resourceType":"Patient","gender":"male","modifierExtension":[{"url":"u","valueBoolean":true}]}"#,
        Withheld::ModifierExtension,
    );
    caller.check(
        r#"{"resourceType":"Patient","contact":[{"gender":"male","modifierExtension":[{"url":"u","valueBoolean":true}]},{"gender":"female"}]}"#,
        r#"{"resourceType":"Patient",META,"contact":[{"gender":"female","name":MASKED}]}"#,
    );
    caller.withholds(r#"{"resourceType":"Patient","implicitRules":"http://x.example"}"#, Withheld::ImplicitRules);
    caller.withholds(r#"{"resourceType":"Patient","_implicitRules":{"id":"a"}}"#, Withheld::ImplicitRules);
    caller.check(
        r##"{"resourceType":"Patient","gender":"male","contained":[{"resourceType":"Patient","id":"a","implicitRules":"http://x.example"}],"link":[{"other":{"reference":"#a"},"type":"refer"}]}"##,
        r#"{"resourceType":"Patient",META,"gender":"male","link":[{"type":"refer","other":MASKED}]}"#,
    );
}

#[test]
fn what_is_empty_is_removed_and_arrays_keep_their_places() {
    let caller = sees("demographics names");
    caller.check(
        r#"{"resourceType":"Patient","name":[{"given":["A",null,"C",null],"_given":[null,{"extension":[{"url":"https://scruple.example/ext/anywhere","valueBoolean":true}]},{"extension":[{"url":"u","valueString":"U"}]},{"id":"i"}]}]}"#,
        r#"{"resourceType":"Patient",META,"name":[{"given":["A",null,"C"],"_given":[null,{"extension":[{"url":"https://scruple.example/ext/anywhere","valueBoolean":true}]},null]}]}"#,
    );
    caller.check(
        r#"{"resourceType":"Patient","name":[{"given":[null],"_given":[{"id":"i"}]},{"id":"x"},{"shoe":1},{}]}"#,
        r#"{"resourceType":"Patient",META}"#,
    );
}

#[test]
fn labels_narrow_by_their_limit() {
    let input = r#"{"resourceType":"Condition","clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]},
        "code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"B20"}],"text":"T"},"subject":{"reference":"Patient/1"}}"#;
    let caller = sees("problems demographics").knows("Patient/1");
    let shown = concat!(
        r#"{"resourceType":"Condition",META,"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]},"#,
        r#""code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"B20"}]},"subject":{"reference":"Patient/1"}}"#
    );
    caller.check(input, shown);
    caller.clone().limit("hiv", Limit::None).withholds(input, Withheld::Label);
    caller.clone().limit("hiv", Limit::Coded).check(input, shown);
    // `demographics` is no coded category.
    let mut limited = caller.limit("hiv", Limit::Coded);
    limited.decision.views.remove("problems");
    limited.withholds(input, Withheld::Policy);
    sees("demographics").limit("hiv", Limit::Coded).withholds(
        r#"{"resourceType":"Patient","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}]}}"#,
        Withheld::Label,
    );
}
