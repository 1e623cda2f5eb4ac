//! What somebody who asks, and somebody who decides, reads on the pages of the console afterwards.

use crate::history::{demo, page, reads};
use crate::node::{Node, eventually};
use crate::rest::acknowledged;
use crate::routes::{between, enrolled, goes_to, send};
use crate::support::World;
use scruple_policy::ReminderOf;
use std::time::Duration;

/// A request for one chart of a nurse; where it stands.
fn asked(node: &Node, nurse: &str, reason: &str) -> String {
    let fields = format!(
        "role=nurse&task=cover&kind=labs&patients=numbers&numbers=MR-4471&until=shift&reason={reason}&acknowledged={}",
        acknowledged("nurse", ReminderOf::Patients)
    );
    goes_to(&send(node, "/ask", nurse, &fields)).split('?').next().unwrap().to_owned()
}

#[test]
fn what_was_ended_early_is_said_on_its_request_in_the_lists_and_on_today() {
    let world = World::new();
    let (mut node, line) = demo(&world);
    let megan = enrolled(&node, &line, "megan.doyle", "nurse").cookie;
    let mara = enrolled(&node, &line, "mara.keller", "manager").cookie;
    let ines = enrolled(&node, &line, "ines.vogt", "privacy_officer").cookie;
    let there = asked(&node, &megan, "Float+pool+until+the+roster+comes");
    goes_to(&send(&node, &format!("{there}/approve"), &mara, "version=1&kind=labs"));
    let text = |path: &str, who: &str| page(&node, path, who).is(200).text();
    assert!(text(&there, &megan).contains("</span>Active</span>"));
    assert!(text("/", &megan).contains(&there), "the answer stands on Today");
    // Who agreed to it, who has it, and who oversees access may end it, on its own page.
    let end = format!("{there}/end");
    for who in [&megan, &mara, &ines] {
        assert!(text(&there, who).contains(&end));
    }
    assert!(text(&end, &ines).contains("Removes 1 right."));
    goes_to(&send(&node, &end, &ines, "go=1"));
    for who in [&megan, &mara, &ines] {
        let shown = text(&there, who);
        assert!(shown.contains("</span>Ended early</span>") && shown.contains("Ines Vogt ended it."), "{shown}");
        assert!(!shown.contains("</span>Active</span>") && !shown.contains("it ends by itself"), "{shown}");
        assert!(!shown.contains(&end), "nothing is left to end: {shown}");
    }
    assert_eq!(page(&node, &end, &ines).status, 404);
    // The lists: one's own, what one has decided, everybody's by state.
    for (path, who) in [
        ("/requests?whose=mine", &megan),
        ("/requests?whose=decided", &mara),
        ("/requests?whose=all", &ines),
        ("/requests?whose=all&state=over", &ines),
        ("/", &megan),
    ] {
        let shown = text(path, who);
        assert!(shown.contains(&there) && shown.contains("</span>Ended early</span>"), "{path}: {shown}");
    }
    for state in ["active", "waiting", "refused"] {
        assert!(!text(&format!("/requests?whose=all&state={state}"), &ines).contains(&there), "{state}");
    }
    // Whoever decides the next one reads how the last one ended.
    let next = asked(&node, &megan, "Cover+for+the+night+shift+on+4+West");
    let shown = text(&next, &mara);
    assert!(shown.contains("</span>Ended early</span>") && !shown.contains("</span>Active</span>"), "{shown}");
    node.stops();
}

#[test]
fn a_refusal_names_its_ground_and_whoever_asked_reads_it_on_today() {
    let world = World::new();
    let (mut node, line) = demo(&world);
    let megan = enrolled(&node, &line, "megan.doyle", "nurse").cookie;
    let mara = enrolled(&node, &line, "mara.keller", "manager").cookie;
    let there = asked(&node, &megan, "Float+pool+until+the+roster+comes");
    let refuse = |fields: &str| send(&node, &format!("{there}/refuse"), &mara, &format!("version=1&{fields}"));
    let without = refuse("ground=&reason=The+ward+has+its+own+nurse+tonight");
    assert_eq!(without.status, 422);
    let shown = without.text();
    assert!(shown.contains("Choose a ground.") && shown.contains("The ward has its own nurse tonight"), "{shown}");
    let short = refuse("ground=other&reason=no");
    assert_eq!(short.status, 422);
    let shown = short.text();
    assert!(shown.contains("value=\"other\" selected") && shown.contains("three words are too few"), "{shown}");
    goes_to(&refuse("ground=other&reason=The+ward+has+its+own+nurse+tonight"));
    let read = page(&node, &there, &megan).is(200).text();
    assert!(read.contains("Somebody else should do it. The ward has its own nurse tonight"), "{read}");
    let today = page(&node, "/", &megan).is(200).text();
    assert!(today.contains(&there) && today.contains("</span>Refused</span>"), "{today}");
    assert!(page(&node, "/requests?whose=decided", &mara).is(200).text().contains(&there));
    node.stops();
}

#[test]
fn what_was_left_open_is_said_beside_its_field_and_what_was_typed_stays() {
    let world = World::new();
    let (mut node, line) = demo(&world);
    let megan = enrolled(&node, &line, "megan.doyle", "nurse").cookie;
    let mara = enrolled(&node, &line, "mara.keller", "manager").cookie;
    let again = |path: &str, who: &str, fields: &str, said: &[&str]| {
        let answer = send(&node, path, who, fields);
        assert_eq!(answer.status, 422, "{path}: {}", answer.text());
        let text = answer.text();
        for words in said {
            assert!(text.contains(words), "{path}: `{words}` is not in {text}");
        }
        text
    };
    // No reason ticked at the door: the doors again, with the number in the form.
    let doors = again("/door/care", &megan, "about=MR-4471", &["Choose why it is not in the system.", "MR-4471"]);
    assert!(doors.contains("It is an emergency") && !doors.contains("The policy does not give this"), "{doors}");
    // Nothing chosen on the form for access: all of it is named at once.
    let form = again(
        "/ask",
        &megan,
        "patients=numbers&ticket=INC-7&reason=no",
        &[
            "Choose a role.",
            "Choose for what kind of task it is.",
            "three words are too few",
            "Choose at least one kind of information",
            "Type the record number of each patient",
            "Choose how long you need it.",
            "value=\"INC-7\"",
        ],
    );
    assert!(!form.contains("There is no such thing here"), "{form}");
    again("/tasks/ask", &mara, "kind=&numbers=&reason=", &["Choose a task.", "Type the record numbers of the case"]);
    node.stops();
}

#[test]
fn the_door_s_number_goes_on_in_a_form_and_what_is_never_given_is_not_offered() {
    let world = World::new();
    let (mut node, line) = demo(&world);
    let megan = enrolled(&node, &line, "megan.doyle", "nurse").cookie;
    let doors = send(&node, "/door", &megan, "patient=MR-4471").is(200).text();
    assert!(doors.contains("action=\"/door/ask\"") && !doors.contains("href=\"/ask?"), "{doors}");
    let form = send(&node, "/door/ask", &megan, "about=MR-4471").is(200).text();
    assert!(form.contains(">MR-4471</textarea>"), "{form}");
    // Her one role is chosen; charts are given for three days, a role for longer.
    for shown in [
        "<option value=\"nurse\" selected>",
        "The charts of single patients: 3 days at most.",
        "7 days, for a role alone",
        "30 days, for a role alone",
    ] {
        assert!(form.contains(shown), "`{shown}` is not in {form}");
    }
    assert!(form.contains("24 hours</label>") && !form.contains("24 hours, for"), "{form}");
    node.stops();
}

#[test]
fn a_person_s_page_says_who_agreed_and_what_is_over() {
    let world = World::new();
    let (mut node, line) = demo(&world);
    let megan = enrolled(&node, &line, "megan.doyle", "nurse").cookie;
    let mara = enrolled(&node, &line, "mara.keller", "manager").cookie;
    let ines = enrolled(&node, &line, "ines.vogt", "privacy_officer").cookie;
    let text = |path: &str, who: &str| page(&node, path, who).is(200).text();
    let found = send(&node, "/search", &ines, "q=megan").is(200).text();
    let person = format!("/people/{}", between(&found, "href=\"/people/", "\""));
    assert!(!text(&person, &ines).contains("<h2>History</h2>"), "nothing of hers is over");
    let there = asked(&node, &megan, "Float+pool+until+the+roster+comes");
    goes_to(&send(&node, &format!("{there}/approve"), &mara, "version=1&kind=labs"));
    let shown = text(&person, &ines);
    assert!(shown.contains("from the request of ") && !shown.contains("from the asked"), "{shown}");
    assert!(shown.contains("Mara Keller"), "who agreed: {shown}");
    let mine = text("/access", &megan);
    assert!(mine.contains("From your request; <bdi>Mara Keller</bdi> agreed"), "{mine}");
    goes_to(&send(&node, &format!("{there}/end"), &ines, "go=1"));
    let shown = text(&person, &ines);
    assert!(shown.contains("<h2>History</h2>") && shown.contains("; Ines Vogt ended it."), "{shown}");
    // What HR has not told is a dash, and said once.
    let people = text("/people", &ines);
    assert!(
        people.contains("HR does not tell how the person belongs") && !people.contains("not told by HR"),
        "{people}"
    );
    assert!(text("/people", &mara).contains("You have no team here yet."));
    node.stops();
}

/// The whole way on the demo that looks ties up, with the record number that people know: refused, asked for, agreed to, read, ended,
/// refused; then by one's own word, and in an emergency.
#[test]
fn a_record_number_that_is_asked_for_is_the_chart_that_opens_and_closes() {
    let world = World::new();
    let (mut node, line) =
        Node::demo(world.command(["demo", "--json", "--ties", "--listen", "127.0.0.1:0", "--data", "try"]));
    let megan = enrolled(&node, &line, "megan.doyle", "nurse").cookie;
    let mara = enrolled(&node, &line, "mara.keller", "manager").cookie;
    let ids = |role: &str| -> Vec<String> {
        let bundle = reads(&node, &line, role, "Patient?_count=100").is(200).json();
        let rows = bundle["entry"].as_array().unwrap();
        rows.iter().map(|one| one["resource"]["id"].as_str().unwrap().to_owned()).collect()
    };
    let results = |role: &str, patient: &str| -> usize {
        let search = format!("Observation?patient={patient}&category=laboratory&_count=5");
        // What changes while an answer is made is refused: ask again.
        let found = eventually("an answer", Duration::from_secs(20), || {
            let answer = reads(&node, &line, role, &search);
            (answer.status == 200).then(|| answer.json())
        });
        found["entry"].as_array().map_or(0, Vec::len)
    };
    // Of her own some are restricted: the results of theirs show, and who they are does not.
    let is_other = |id: &String| results("physician", id) > 0 && results("nurse", id) == 0;
    let others: Vec<String> = ids("physician").into_iter().filter(is_other).collect();
    let number = |patient: &str| {
        let record = reads(&node, &line, "physician", &format!("Patient/{patient}")).is(200).json();
        let mut all = record["identifier"].as_array().unwrap().iter();
        let found = all.find(|one| one["type"]["coding"][0]["code"] == "MR").unwrap();
        found["value"].as_str().unwrap().to_owned()
    };
    let is_open = |patient: &str| results("nurse", patient) > 0;
    let becomes = |patient: &str, expected: bool| {
        eventually("the decision at the gateway", Duration::from_secs(20), || {
            (is_open(patient) == expected).then_some(())
        });
    };
    let (asked_for, declared, urgent) = (&others[0], &others[1], &others[2]);
    for patient in [asked_for, declared, urgent] {
        assert!(!is_open(patient));
    }
    let fields = format!(
        "role=nurse&task=cover&kind=labs&patients=numbers&numbers={}&until=shift&reason=Float+pool+until+the+roster+comes&acknowledged={}",
        number(asked_for),
        acknowledged("nurse", ReminderOf::Patients)
    );
    let there = goes_to(&send(&node, "/ask", &megan, &fields)).split('?').next().unwrap().to_owned();
    assert!(!is_open(asked_for), "nobody has agreed to it");
    goes_to(&send(&node, &format!("{there}/approve"), &mara, "version=1&kind=labs"));
    becomes(asked_for, true);
    goes_to(&send(&node, &format!("{there}/end"), &mara, "go=1"));
    becomes(asked_for, false);
    goes_to(&send(&node, "/door/care", &megan, &format!("about={}&reason=covering", number(declared))));
    becomes(declared, true);
    goes_to(&send(&node, "/door/emergency", &megan, &format!("about={}&reason=unresponsive", number(urgent))));
    becomes(urgent, true);
    assert!(!is_open(asked_for));
    node.stops();
}
