//! Who opened a chart, and complaints, by the API and the command line: from the question to the letter, and what each kind of caller is
//! not told.

use crate::node::{eventually, token};
use crate::rest::{Api, Call, EVERY_SCOPE};
use crate::search::find_in_folder;
use crate::support::{World, entries_of};
use scruple_core::Timestamp;
use scruple_hospital::Hospital;
use serde_json::{Value, json};
use std::time::Duration;

const CHARTS: &str = "/api/v1/charts";
const CASES: &str = "/api/v1/cases";
const SOON: Duration = Duration::from_secs(20);
const COMPLAINT: &str = "My former husband works there, CanaryComplaint, and I fear that he looked";
const ACCOUNT: &str = "I was the nurse of that bed in the night, CanaryAccount";
const RATIONALE: &str = "The roster has her on that unit in that night, CanaryRationale";
const LETTER: &str = "Dear patient,\n\nWe looked into it, CanaryLetter, and found that the work needed it.";
const CANARIES: [&str; 4] = ["CanaryComplaint", "CanaryAccount", "CanaryRationale", "CanaryLetter"];

const PEOPLE: &[(&str, &str)] = &[
    ("nia.nurse", "nurse"),
    ("mara.keller", "manager"),
    ("ines.vogt", "privacy_officer"),
    ("paul.orth", "privacy_officer"),
    ("ola.lund", "administrator"),
];

/// A node on which a nurse has read the first patient's record, and that patient's id.
fn serve(world: &World) -> (Api, String) {
    let api = Api::serve(world, PEOPLE, true);
    let patient = Hospital::patient_id(1);
    let nurse = token(&api.keys, "nia.nurse", "nurse", "TREAT");
    api.node.get(&format!("/fhir/Patient/{patient}"), &nurse).is(200);
    (api, patient)
}

fn rows(answer: &Value) -> &Vec<Value> {
    answer["items"].as_array().unwrap()
}

/// What a history tells of somebody, once it does.
fn of_person(api: &Api, path: &str, token: &str, login: &str) -> (Value, Value) {
    eventually("the access in the history", SOON, || {
        let history = api.get(path, token).is(200).json();
        let found = rows(&history).iter().find(|one| one["person"]["login"] == login).cloned();
        found.map(|one| (history, one))
    })
}

#[track_caller]
fn code(api: &Api, target: &str, token: &str, body: &Value, version: &str) -> (u16, String) {
    let answer = api.post(target, token, body, &[("If-Match", version)]);
    let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
    (answer.status, code)
}

fn no(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn a_history_tells_each_opening_with_why_and_names_no_patient_in_an_address() {
    let world = World::new();
    let (mut api, patient) = serve(&world);
    let [nurse, manager, ines, paul] =
        ["nia.nurse", "mara.keller", "ines.vogt", "paul.orth"].map(|who| api.token(who, EVERY_SCOPE));
    let question = json!({ "patient": patient, "cause": "complaint" });
    let key = [("Idempotency-Key", "who-opened-it")];
    let made = api.post(CHARTS, &ines, &question, &key).is(201);
    assert_eq!(api.post(CHARTS, &ines, &question, &key).is(201).body, made.body, "once");
    let place = made.header("location").unwrap();
    assert!(!place.contains(&patient) && !made.text().contains(&patient), "{place}: {}", made.text());
    let path = format!("{CHARTS}/{}", made.json()["id"].as_str().unwrap());
    assert!(place.ends_with(&path));

    let (history, opening) = of_person(&api, &path, &ines, "nia.nurse");
    for (field, expected) in [
        ("outcome", "opened"),
        ("role", "nurse"),
        ("purpose_of_use", "TREAT"),
        ("source", "gateway"),
        ("share", "enforced"),
    ] {
        assert_eq!(opening[field], expected, "{opening}");
    }
    assert!(opening["explanation"].as_str().unwrap().ends_with('.'), "{opening}");
    assert!(opening["standing"].is_string() && opening["entry"].is_number(), "{opening}");
    assert_eq!(history["patient"]["is_known"], true);
    assert_eq!((&history["enforced"], &history["watched"]), (&history["accesses"], &json!(0)));
    assert_eq!(history["unseen"].as_array().unwrap().len(), 1, "no log of the record system is read");
    assert_eq!(history["question"]["asked_by"]["login"], "ines.vogt");
    let again = of_person(&api, &path, &ines, "ines.vogt").1;
    assert_eq!(again["explanation"], "The privacy office asked about this chart.", "who looks stands in it");

    // It goes on behind a cursor that is its caller's, and is told as the first page was.
    let (mut target, mut seen, mut pages) = (format!("{path}?limit=1"), Vec::new(), 0);
    loop {
        let page = api.get(&target, &ines).is(200).json();
        seen.extend(rows(&page).iter().map(|one| Timestamp::parse(one["at"].as_str().unwrap()).unwrap()));
        assert_eq!(page.get("patient").is_some(), pages == 0, "the name is looked up once");
        pages += 1;
        let Some(next) = page["next"].as_str() else { break };
        assert_eq!(api.get(&format!("{path}?cursor={next}"), &paul).status, 422, "another's");
        target = format!("{path}?limit=1&cursor={next}");
    }
    assert!(seen.len() >= 2 && seen.is_sorted(), "{seen:?}");
    let listed = api.get(CHARTS, &paul).is(200).json();
    assert_eq!(rows(&listed).len(), 1);
    assert!(!listed.to_string().contains(&patient), "{listed}");

    // Whom the record system does not know is asked about all the same.
    let unknown = api.post(CHARTS, &ines, &json!({ "patient": "99-0000", "cause": "other", "month": "2026-03" }), &[]);
    let unknown = format!("{CHARTS}/{}", unknown.is(201).json()["id"].as_str().unwrap());
    let unknown = api.get(&unknown, &ines).is(200).json();
    assert_eq!((&unknown["patient"]["is_known"], &unknown["items"]), (&json!(false), &json!([])));
    assert!(unknown["question"]["from"].as_str().unwrap().starts_with("2026-03-01T00:00:00"), "{unknown}");

    for (body, status, code) in [
        (json!({ "patient": "", "cause": "other" }), 422, "number_invalid"),
        (json!({ "patient": "<x>", "cause": "other" }), 422, "number_invalid"),
        (json!({ "patient": "Patient/", "cause": "other" }), 422, "number_invalid"),
        (json!({ "patient": "1", "cause": "other", "month": "2026-13" }), 422, "period_invalid"),
        (json!({ "patient": "1", "cause": "other", "from": "2026-03-01T00:00:00Z" }), 422, "period_invalid"),
        (
            json!({ "patient": "1", "cause": "other", "from": "2026-03-02T00:00:00Z", "until": "2026-03-01T00:00:00Z" }),
            422,
            "period_invalid",
        ),
        (json!({ "patient": "1", "cause": "other", "from": "soon", "until": "later" }), 422, "time_malformed"),
        (json!({ "patient": "1", "cause": "curiosity" }), 400, "malformed"),
        (json!({ "patient": "1", "cause": "other", "reason": "x" }), 400, "malformed"),
    ] {
        let refused = api.post(CHARTS, &ines, &body, &[]);
        assert_eq!((refused.status, refused.json()["code"].as_str()), (status, Some(code)), "{body}");
    }
    for who in [&nurse, &manager] {
        assert_eq!(api.get(&path, who).is(403).json()["code"], "act_not_permitted");
        assert_eq!(api.post(CHARTS, who, &question, &[]).is(403).json()["code"], "act_not_permitted");
    }
    let nobody = Call { method: "GET", target: &path, token: None, headers: &[], body: None };
    assert_eq!(nobody.ask(&api.node.console).status, 401);
    assert_eq!(api.get(&format!("{CHARTS}/0198c0de-0000-7000-8000-000000000000"), &ines).status, 404);
    api.node.stops();
    let entries = entries_of(&world.run(["ledger", "show", "--json"]).ends(0));
    let asked = entries.iter().filter(|one| one["entry"]["body"]["event"] == "chart_asked").count();
    assert_eq!(asked, 2, "each question, and once");
    let addresses = entries.iter().filter(|one| one["entry"]["body"]["code"] == "api_viewed");
    assert!(addresses.map(|one| one["entry"]["body"].to_string()).all(|body| !body.contains(&patient)));
}

#[test]
fn a_complaint_goes_to_the_letter_and_its_reader_is_told_the_days_and_no_more() {
    let world = World::new();
    let (mut api, patient) = serve(&world);
    let [nurse, manager, ines, paul] =
        ["nia.nurse", "mara.keller", "ines.vogt", "paul.orth"].map(|who| api.token(who, EVERY_SCOPE));
    let made = api.post(CHARTS, &ines, &json!({ "patient": patient, "cause": "complaint" }), &[]).is(201).json();
    let history = format!("{CHARTS}/{}", made["id"].as_str().unwrap());
    let reader = of_person(&api, &history, &ines, "nia.nurse").1["person"]["id"].as_str().unwrap().to_owned();
    let himself = of_person(&api, &history, &ines, "ines.vogt").1["person"]["id"].as_str().unwrap().to_owned();
    let open = format!("{history}/cases");
    let about = |reader: &str, words: &str| json!({ "reader": reader, "complaint": words });

    // Nobody opens a complaint about himself, about who is in no history, or without words.
    assert_eq!(code(&api, &open, &ines, &about(&himself, COMPLAINT), ""), no(403, "worker_not_independent"));
    let stranger = "0198c0de-0000-7000-8000-000000000000";
    assert_eq!(code(&api, &open, &ines, &about(stranger, COMPLAINT), ""), no(404, "not_found"));
    assert_eq!(code(&api, &open, &ines, &about(&reader, "he"), "").0, 422);
    assert_eq!(code(&api, &open, &manager, &about(&reader, COMPLAINT), ""), no(403, "act_not_permitted"));
    let key = [("Idempotency-Key", "complaint")];
    let opened = api.post(&open, &ines, &about(&reader, COMPLAINT), &key).is(201);
    assert_eq!(api.post(&open, &ines, &about(&reader, COMPLAINT), &key).is(201).body, opened.body);
    assert_eq!((opened.header("etag"), &opened.json()["state"]), (Some("\"1\""), &json!("open")));
    let case = format!("{CASES}/{}", opened.json()["id"].as_str().unwrap());
    assert!(opened.header("location").unwrap().ends_with(&case));
    let [ask, answer, decide, letter] = ["ask", "answer", "decide", "letter"].map(|act| format!("{case}/{act}"));

    // Of a complaint about him the colleague is told nothing, wherever he looks.
    let of_ines = api.post(&open, &paul, &about(&himself, COMPLAINT), &[]).is(201).json();
    let of_ines = format!("{CASES}/{}", of_ines["id"].as_str().unwrap());
    assert_eq!(api.get(&of_ines, &ines).status, 404);
    assert_eq!(rows(&api.get(CASES, &ines).is(200).json()).len(), 1);
    assert_eq!(rows(&api.get(CASES, &paul).is(200).json()).len(), 2);
    assert_eq!(code(&api, &format!("{of_ines}/ask"), &ines, &Value::Null, "\"1\""), no(404, "not_found"));
    assert_eq!(api.get(&format!("{of_ines}/answer"), &ines).status, 404, "nobody has asked him");

    // The reader: nothing before he is asked, then the days.
    assert_eq!(api.get(&answer, &nurse).status, 404);
    assert_eq!(code(&api, &letter, &ines, &json!({ "text": LETTER }), "\"1\""), no(409, "invalid_task_state"));
    assert_eq!(api.post(&ask, &ines, &Value::Null, &[]).is(428).json()["code"], "version_missing");
    assert_eq!(code(&api, &ask, &ines, &Value::Null, "\"2\""), no(412, "changed"));
    assert_eq!(code(&api, &ask, &manager, &Value::Null, "\"1\""), no(403, "act_not_permitted"));
    let asked = api.post(&ask, &ines, &Value::Null, &[("If-Match", "\"1\"")]).is(200);
    assert_eq!((asked.header("etag"), &asked.json()["state"]), (Some("\"2\""), &json!("asked")));
    assert_eq!(code(&api, &ask, &ines, &Value::Null, "\"2\""), no(409, "invalid_task_state"));
    assert_eq!(api.get(&case, &nurse).status, 403, "the complaint is not his to read");
    let questions = api.get("/api/v1/access/questions", &nurse).is(200);
    let own = api.get(&answer, &nurse).is(200);
    assert_eq!((rows(&questions.json()).len(), own.header("etag")), (1, Some("\"2\"")));
    for told in [questions.text(), own.text()] {
        for name in ["CanaryComplaint", "ines", patient.as_str()] {
            assert!(!told.contains(name), "{name}: {told}");
        }
    }
    assert_eq!(own.json()["first_day"].as_str().unwrap().len(), "2026-03-01".len(), "a day, and not the minute");
    let said = json!({ "text": ACCOUNT });
    assert_eq!(code(&api, &answer, &nurse, &said, "\"1\""), no(412, "changed"));
    assert_eq!(code(&api, &answer, &ines, &said, "\"2\""), no(404, "not_found"), "nobody speaks for the reader");
    assert_eq!(code(&api, &answer, &nurse, &json!({ "text": "no" }), "\"2\"").0, 422);
    assert_eq!(api.post(&answer, &nurse, &said, &[("If-Match", "\"2\"")]).is(200).json()["is_answered"], true);
    assert_eq!(code(&api, &answer, &nurse, &said, "\"3\""), no(404, "not_found"), "answered");

    // Decided as it was read, by reasons, and ended by words.
    assert_eq!(api.get(&case, &paul).is(200).json()["answer"], ACCOUNT);
    let verdict = json!({ "finding": "permitted", "rationale": RATIONALE });
    assert_eq!(code(&api, &decide, &ines, &verdict, "\"2\""), no(412, "changed"));
    let short = json!({ "finding": "permitted", "rationale": "fine" });
    assert_eq!(code(&api, &decide, &ines, &short, "\"3\"").0, 422);
    assert_eq!(code(&api, &decide, &ines, &json!({ "finding": "maybe", "rationale": RATIONALE }), "\"3\"").0, 400);
    let decided = api.post(&decide, &ines, &verdict, &[("If-Match", "\"3\"")]).is(200).json();
    assert_eq!((&decided["state"], &decided["decided_by"]["login"]), (&json!("permitted"), &json!("ines.vogt")));
    assert_eq!(code(&api, &decide, &paul, &verdict, "\"4\""), no(409, "invalid_task_state"));
    assert_eq!(code(&api, &letter, &ines, &json!({ "text": " " }), "\"4\"").0, 422);
    let ended = api.post(&letter, &ines, &json!({ "text": LETTER }), &[("If-Match", "\"4\"")]).is(200).json();
    assert_eq!((&ended["state"], &ended["letter"], &ended["version"]), (&json!("lettered"), &json!(LETTER), &json!(5)));
    assert_eq!(code(&api, &ask, &ines, &Value::Null, "\"5\""), no(409, "invalid_task_state"));
    api.node.stops();

    let entries = entries_of(&world.run(["ledger", "show", "--json"]).ends(0));
    let told = |event: &str| entries.iter().filter(|one| one["entry"]["body"]["event"] == event).count();
    for (event, count) in
        [("case_opened", 2), ("case_reader_asked", 1), ("case_answered", 1), ("case_decided", 1), ("case_lettered", 1)]
    {
        assert_eq!(told(event), count, "{event}");
    }
    let words: String = entries.iter().map(ToString::to_string).collect();
    assert!(CANARIES.iter().all(|canary| !words.contains(canary)), "what somebody wrote stands in no entry");
    assert_eq!(find_in_folder(&world.path("state"), &CANARIES).len(), 0, "nor anywhere in clear");
}

#[test]
fn the_command_line_asks_about_a_chart_and_leads_a_complaint_to_its_letter() {
    let world = World::new();
    let (mut api, patient) = serve(&world);
    std::fs::write(world.path("ines-token"), api.token("ines.vogt", EVERY_SCOPE)).unwrap();
    std::fs::write(world.path("nurse-token"), api.token("nia.nurse", EVERY_SCOPE)).unwrap();
    for (file, text) in [
        ("number", patient.as_str()),
        ("complaint", COMPLAINT),
        ("account", ACCOUNT),
        ("rationale", RATIONALE),
        ("letter", LETTER),
    ] {
        std::fs::write(world.path(file), text).unwrap();
    }
    let address = format!("http://{}", api.node.console);
    let common = ["--api", address.as_str(), "--token-file", "ines-token"];
    let admin =
        |words: &[&str]| world.run(["admin"].iter().chain(words).chain(&common).chain(&["--json"])).ends(0).json();
    let asked = admin(&["charts", "ask", "--patient-file", "number", "--cause", "complaint"]);
    let question = asked["id"].as_str().unwrap();
    let opening = eventually("the access in the history", SOON, || {
        let history = admin(&["charts", "show", question]);
        rows(&history).iter().find(|one| one["person"]["login"] == "nia.nurse").cloned()
    });
    let shown = world.run(["admin", "charts", "show", question].iter().chain(&common)).ends(0);
    assert!(shown.text().contains("nia.nurse") && shown.text().contains("not seen: "), "{}", shown.text());
    assert!(!shown.text().contains(&patient), "{}", shown.text());
    assert_eq!(admin(&["charts", "list"])["id"], question);

    let reader = opening["person"]["id"].as_str().unwrap();
    let opened = admin(&["cases", "open", question, "--reader", reader, "--complaint-file", "complaint"]);
    let case = opened["id"].as_str().unwrap();
    assert_eq!(admin(&["cases", "list"])["id"], case);
    assert_eq!(admin(&["cases", "ask", case, "--version", "1"])["state"], "asked");
    let as_reader = ["--api", address.as_str(), "--token-file", "nurse-token", "--json"];
    let reader_says =
        |words: &[&str]| world.run(["admin", "cases"].iter().chain(words).chain(&as_reader)).ends(0).json();
    assert_eq!(reader_says(&["asked"])["id"], case);
    let answered = reader_says(&["answer", case, "--version", "2", "--answer-file", "account"]);
    assert_eq!(answered["is_answered"], true);
    let stale = ["admin", "cases", "ask", case, "--version", "1"];
    world.run(stale.iter().chain(&common)).ends(2).tells(&["(changed, 412)"]);
    let verdict = ["--finding", "not_permitted", "--rationale-file", "rationale"];
    let decided = ["cases", "decide", case, "--version", "3"].iter().chain(&verdict).copied().collect::<Vec<_>>();
    assert_eq!(admin(&decided)["state"], "not_permitted");
    assert_eq!(admin(&["cases", "letter", case, "--version", "4", "--letter-file", "letter"])["state"], "lettered");
    assert_eq!(admin(&["cases", "show", case])["letter"], LETTER);
    api.node.stops();
}
