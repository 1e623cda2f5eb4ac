//! The office with the real program: papers behind walls, projects before their roles, "leaves now" by human resources, one search.

use crate::history::{demo, page, reads};
use crate::node::{Answer, Machine, Node, eventually};
use crate::routes::{between, enrolled, goes_to, send};
use crate::support::{World, entries_of, files};
use scruple_core::Clock as _;
use scruple_hospital::Hospital;
use serde_json::Value;
use std::time::Duration;

const CANARY: &str = "CanaryMemo of counsel";

fn version(text: &str) -> String {
    between(text, "name=\"version\" value=\"", "\"").to_owned()
}

fn without_query(path: &str) -> String {
    path.split('?').next().unwrap().to_owned()
}

/// A complaint about the nurse of the demo, and where it stands.
fn complaint(node: &Node, line: &Value, ines: &str) -> String {
    let patient = Hospital::patient_id(2);
    reads(node, line, "nurse", &format!("Patient/{patient}")).is(200);
    let there = goes_to(&send(node, "/charts", ines, &format!("patient={patient}&period=month-0&cause=complaint")));
    let shown = eventually("the read", Duration::from_secs(20), || {
        let shown = page(node, &there, ines).is(200).text();
        shown.contains("Megan Doyle").then_some(shown)
    });
    let reader = between(shown.split_once("Megan Doyle").unwrap().1, "name=\"reader\" value=\"", "\"").to_owned();
    let words = "My+former+husband+works+there+and+I+fear+that+he+looked";
    let case =
        send(node, &format!("{}/case", without_query(&there)), ines, &format!("reader={reader}&complaint={words}"));
    without_query(&goes_to(&case))
}

#[test]
fn a_privileged_paper_goes_into_no_file_before_counsel_lets_it_out() {
    let world = World::new();
    let (mut node, line) = demo(&world);
    let ines = enrolled(&node, &line, "ines.vogt", "privacy_officer").cookie;
    let clara = enrolled(&node, &line, "clara.stein", "counsel").cookie;
    let hugo = enrolled(&node, &line, "hugo.lind", "human_resources").cookie;
    let megan = enrolled(&node, &line, "megan.doyle", "nurse").cookie;
    let case = complaint(&node, &line, &ines);
    let papers = format!("{case}/papers");
    let written = |who: &str, text: &str, wall: &str| -> Answer {
        send(&node, &papers, who, &format!("text={text}&wall={wall}"))
    };
    goes_to(&written(&ines, "Notes+of+the+office", ""));
    goes_to(&written(&clara, &CANARY.replace(' ', "+"), "counsel"));
    goes_to(&written(&hugo, "A+matter+of+staff", "staff"));
    assert_eq!(written(&clara, "", "counsel").status, 422);
    assert_eq!(written(&clara, "x", "").status, 422, "counsel has no place in the file itself");
    assert_eq!(written(&megan, "x", "counsel").status, 403);
    let sees = |who: &str| -> Vec<bool> {
        let text = page(&node, &papers, who).is(200).text();
        ["Notes of the office", CANARY, "A matter of staff"].map(|words| text.contains(words)).to_vec()
    };
    assert_eq!(sees(&ines), [true, false, false]);
    assert_eq!(sees(&clara), [true, true, false]);
    assert_eq!(sees(&hugo), [false, false, true]);
    let file = |who: &str| send(&node, &format!("{case}/pack"), who, "go=1");
    let made = file(&ines).is(200).text();
    assert!(made.contains("Notes of the office") && made.contains("former husband"), "{made}");
    assert!(!made.contains(CANARY) && !made.contains("matter of staff"), "{made}");
    for who in [&clara, &hugo, &megan] {
        assert_eq!(file(who).status, 403);
    }
    // Counsel lets it out, with a reason; the office cannot, whatever it sends.
    let shown = page(&node, &papers, &clara).is(200).text();
    let (_, of_memo) = shown.split_once(CANARY).unwrap();
    let release = between(of_memo, "action=\"", "\"").to_owned();
    assert!(release.ends_with("/release"), "{release}");
    let why = "reason=The+regulator+has+asked+for+our+assessment&version=1";
    assert_eq!(send(&node, &release, &ines, why).status, 404);
    assert_eq!(send(&node, &release, &hugo, why).status, 404);
    assert_eq!(send(&node, &release, &clara, "reason=ok&version=1").status, 422);
    goes_to(&send(&node, &release, &clara, why));
    let made = file(&ines).is(200).text();
    assert!(made.contains(CANARY) && !made.contains("matter of staff"), "{made}");
    node.stops();
    let entries = entries_of(&world.run(["ledger", "show", "--json", "try/ledger"]).ends(0));
    let told = |word: &str| entries.iter().filter(|one| one["entry"]["body"]["event"] == word).count();
    assert_eq!([told("paper_written"), told("paper_released"), told("case_pack_made")], [3, 1, 2]);
    // What was written lies nowhere in clear.
    for path in files(&world.path("try")) {
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()), "{}", path.display());
    }
}

#[test]
fn human_resources_ends_the_work_of_somebody_in_two_clicks_and_a_search_finds_him_as_far_as_one_may() {
    let world = World::new();
    let (mut node, line) = demo(&world);
    let hugo = enrolled(&node, &line, "hugo.lind", "human_resources").cookie;
    let megan = enrolled(&node, &line, "megan.doyle", "nurse").cookie;
    let ines = enrolled(&node, &line, "ines.vogt", "privacy_officer").cookie;
    let found = |who: &str, asked: &str| send(&node, "/search", who, &format!("q={asked}")).is(200).text();
    // Each sees what he may: HR a person, no chart and no role; a nurse no person.
    let by_hr = found(&hugo, "megan");
    assert!(by_hr.contains("Megan Doyle") && !by_hr.contains("Who opened a chart"), "{by_hr}");
    assert!(!found(&megan, "megan").contains("/people/"), "a nurse finds nobody");
    assert!(found(&ines, "complaint").contains("/charts"), "a page by what people call it");
    assert!(found(&megan, "necessary").contains("/guide#minimum"), "a rule");
    assert!(found(&ines, "nurse").contains("/roles/nurse"), "a role");
    assert!(found(&ines, "x").contains("Type two letters at least."));
    assert!(found(&ines, "zzzz").contains("Nothing found."));
    let person = between(&by_hr, "href=\"/people/", "\"").to_owned();
    assert!(found(&ines, &person).contains("Megan Doyle"), "by its number");
    assert!(!found(&megan, &person).contains("/people/"), "a nurse finds nobody by his number either");

    let patient = Hospital::patient_id(2);
    reads(&node, &line, "nurse", &format!("Patient/{patient}")).is(200);
    let shown = page(&node, &format!("/people/{person}"), &hugo).is(200).text();
    assert!(shown.contains(&format!("/people/{person}/leave")), "{shown}");
    assert!(!shown.contains("Used in the last 90 days"), "what she opened is not for HR");
    let asks = page(&node, &format!("/people/{person}/leave"), &hugo).is(200).text();
    assert!(
        asks.contains("Megan Doyle leaves now?") && asks.contains("Ends 1 role, 0 open charts and 1 session, "),
        "{asks}"
    );
    goes_to(&send(&node, &format!("/people/{person}/leave"), &hugo, "go=1"));
    eventually("she is out", Duration::from_secs(20), || {
        (reads(&node, &line, "nurse", &format!("Patient/{patient}")).status == 403).then_some(())
    });
    assert_eq!(page(&node, "/", &megan).status, 303, "her session is over");
    let after = page(&node, &format!("/people/{person}"), &hugo).is(200).text();
    assert!(after.contains("Hugo Lind told that the work here ended"), "{after}");
    assert!(!after.contains(&format!("/people/{person}/leave")), "{after}");
    let findings = page(&node, "/people/findings", &ines).is(200).text();
    assert!(findings.contains("What is wrong with accounts"), "{findings}");
    // Nobody ends his own work here.
    let own = between(&found(&hugo, "hugo"), "href=\"/people/", "\"").to_owned();
    assert_eq!(page(&node, &format!("/people/{own}/leave"), &hugo).status, 404);
    node.stops();
}

#[test]
fn a_role_for_projects_waits_for_an_assessment_that_somebody_else_has_made() {
    let world = World::new();
    let (mut node, line) = demo(&world);
    let ines = enrolled(&node, &line, "ines.vogt", "privacy_officer").cookie;
    let megan = enrolled(&node, &line, "megan.doyle", "nurse").cookie;
    let mara = enrolled(&node, &line, "mara.keller", "manager").cookie;
    let said = "It+needs+codes+and+dates+of+sepsis+and+nothing+else";
    let (year, month, day) = Machine.now().plus_micros(60 * 24 * 3_600_000_000).civil_date();
    let day = format!("{year:04}-{month:02}-{day:02}");
    let fields = |kind: &str| {
        format!(
            "headline=Sepsis+study&purpose=HRESCH&role=researcher{kind}&level=limited&level_reason={said}&flows={said}&retention={said}&ends={day}"
        )
    };
    let wrong = send(&node, "/projects/new", &megan, &fields(""));
    assert_eq!(wrong.status, 422);
    assert!(
        wrong.text().contains("Choose the kinds of information that it needs") && wrong.text().contains("Sepsis study")
    );
    let project = without_query(&goes_to(&send(&node, "/projects/new", &megan, &fields("&kind=diagnoses"))));
    let id = project.rsplit('/').next().unwrap().to_owned();
    let ask = |project: &str| {
        let words = format!(
            "task=research&role=researcher&patients=related&until=week&reason=The+study+of+sepsis+needs+codes+and+dates&project={project}"
        );
        let first = send(&node, "/ask", &megan, &words);
        let text = first.text();
        if first.status == 422 && text.contains("name=\"acknowledged\"") {
            let read = between(&text, "name=\"acknowledged\" value=\"", "\"").to_owned();
            return send(&node, "/ask", &megan, &format!("{words}&acknowledged={read}"));
        }
        first
    };
    let refused = ask("");
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("This role is given for a project that was assessed"), "{}", refused.text());
    assert!(ask(&id).text().contains("The project is not approved, or it is over."));
    // Who proposed it does not decide; neither does who may not.
    let decision = format!("version=1&decision=approve&comment={said}");
    assert_eq!(send(&node, &format!("{project}/decide"), &megan, &decision).status, 403);
    assert_eq!(page(&node, &project, &mara).status, 404, "it is not his to see");
    let seen = page(&node, &project, &ines).is(200).text();
    assert_eq!(version(&seen), "1");
    assert_eq!(send(&node, &format!("{project}/decide"), &ines, "version=1&decision=approve&comment=ok").status, 422);
    goes_to(&send(&node, &format!("{project}/decide"), &ines, &decision));
    goes_to(&ask(&id));
    let shown = page(&node, &project, &megan).is(200).text();
    assert!(shown.contains("Asked for under it"), "{shown}");
    goes_to(&send(&node, &format!("{project}/end"), &megan, &format!("version={}", version(&shown))));
    assert!(ask(&id).text().contains("The project is not approved, or it is over."));
    node.stops();
}

/// RB-15: everything of a patient as billing gets it: what a claim needs, and no document, note or narrative.
#[test]
fn the_biller_s_everything_has_codes_and_no_prose() {
    let world = World::new();
    let (mut node, line) = demo(&world);
    let path = format!("Patient/{}/$everything", Hospital::patient_id(2));
    let types = |role: &str| -> (Vec<String>, String) {
        let answer = reads(&node, &line, role, &path).is(200);
        let bundle = answer.json();
        let entries = bundle["entry"].as_array().unwrap();
        let types = entries.iter().map(|entry| entry["resource"]["resourceType"].as_str().unwrap().to_owned());
        (types.collect(), answer.text())
    };
    let (of_biller, text) = types("biller");
    for needed in ["Claim", "Coverage", "Encounter", "Condition"] {
        assert!(of_biller.iter().any(|one| one == needed), "{needed}: {of_biller:?}");
    }
    for hidden in ["DocumentReference", "Observation", "DiagnosticReport", "Communication"] {
        assert!(!of_biller.iter().any(|one| one == hidden), "{hidden}");
    }
    assert!(!text.contains("\"note\"") && !text.contains("\"div\""), "{text}");
    // The record has what is not shown.
    let (of_nurse, _) = types("nurse");
    assert!(of_nurse.iter().any(|one| one == "Observation"), "{of_nurse:?}");
    node.stops();
}
