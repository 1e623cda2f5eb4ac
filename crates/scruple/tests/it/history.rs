//! Who opened this chart, and why: with the real program, from a cold start of the demo. The gateway and the logs of three other systems
//! make one time line; a complaint goes from it to the letter.

use crate::node::{Answer, Asking, Node, eventually};
use crate::people::{journey, no_browser};
use crate::rest::{Call, acknowledged};
use crate::routes::{between, enrolled, goes_to, send};
use crate::support::{World, entries_of};
use scruple_core::Clock as _;
use scruple_hospital::Hospital;
use serde_json::Value;
use std::time::{Duration, Instant};

const EPIC: &str = "source = \"epic\"\ntime_zone = \"America/New_York\"\nwhen = \"%m/%d/%Y %H:%M:%S\"\nother_actions = [\"LOGIN\"]\n\
                    [columns]\nwhen = \"ACCESS_TIME\"\nperson = \"USER_ID\"\npatient = \"PAT_MRN\"\naction = \"METRIC\"\n\
                    workstation = \"WORKSTATION_ID\"\n";
const HEAD: &str = "ACCESS_TIME,USER_ID,PAT_MRN,METRIC,WORKSTATION_ID\n";

/// The day before today, in UTC: as RFC 3339 and as the table writes days.
fn yesterday() -> (String, String) {
    let at = crate::node::Machine.now().plus_micros(-24 * 3_600_000_000);
    let (year, month, day) = at.civil_date();
    (format!("{year:04}-{month:02}-{day:02}"), format!("{month:02}/{day:02}/{year:04}"))
}

fn token(line: &Value, role: &str) -> String {
    let personas = line["personas"].as_array().unwrap();
    personas.iter().find(|one| one["role"] == role).unwrap()["token"].as_str().unwrap().to_owned()
}

pub fn reads(node: &Node, line: &Value, role: &str, path: &str) -> Answer {
    let token = token(line, role);
    Asking { method: "GET", target: &format!("/fhir/{path}"), token: Some(token.as_str()), headers: &[], form: None }
        .ask(&node.gateway)
        .unwrap()
}

/// The record number of a patient, as the record itself has it.
pub fn number(node: &Node, line: &Value, patient: &str) -> String {
    let resource = reads(node, line, "nurse", &format!("Patient/{patient}")).is(200).json();
    let identifiers = resource["identifier"].as_array().unwrap();
    let is_record = |one: &&Value| one["type"]["coding"][0]["code"] == "MR";
    identifiers.iter().find(is_record).unwrap()["value"].as_str().unwrap().to_owned()
}

pub fn page(node: &Node, path: &str, cookie: &str) -> Answer {
    let headers = [("Cookie", cookie)];
    Asking { method: "GET", target: path, token: None, headers: &headers, form: None }.ask(&node.console).unwrap()
}

/// A world with a demo and a configuration by which `admin` finds it.
pub fn demo(world: &World) -> (Node, Value) {
    let started = Node::demo(world.command(["demo", "--json", "--listen", "127.0.0.1:0", "--data", "try"]));
    std::fs::write(world.path("demo.toml"), format!("state = \"{}\"\n", world.path("try").display())).unwrap();
    started
}

fn import(world: &World, file: &str, format: &str, mapping: &str, more: &[&str]) -> Value {
    let mapping = world.input(&format!("{file}.toml"), mapping);
    let mapping = mapping.display().to_string();
    let path = world.path("in").join(file).display().to_string();
    let words =
        ["admin", "import-log", &path, "--format", format, "--mapping", &mapping, "--config", "demo.toml", "--json"];
    world.run(words.into_iter().chain(more.iter().copied())).ends(0).json()
}

#[test]
fn the_gateway_and_three_logs_make_one_time_line_and_a_complaint_goes_from_it_to_the_letter() {
    let world = World::new();
    let (mut node, line) = demo(&world);
    let patient = Hospital::patient_id(1);
    let number = number(&node, &line, &patient);
    reads(&node, &line, "physician", &format!("Observation?patient={patient}&_count=5")).is(200);
    let (day, us_day) = yesterday();

    world.input(
        "epic.csv",
        format!(
            "{HEAD}{us_day} 12:00:00,mara.keller,{number},Chart Review,4W-12\n{us_day} 12:05:00,former.husband,{number},Chart Review,4W-13\n\
             {us_day} 12:06:00,mara.keller,,LOGIN,4W-12\nyesterday,mara.keller,{number},Chart Review,4W-12\n"
        ),
    );
    world.input(
        "hapi.ndjson",
        format!(
            "{{\"resourceType\":\"AuditEvent\",\"id\":\"e1\",\"recorded\":\"{day}T13:00:00Z\",\"type\":{{\"code\":\"rest\"}},\"agent\":\
             [{{\"requestor\":true,\"altId\":\"megan.doyle\"}}],\"entity\":[{{\"what\":{{\"reference\":\"Patient/{patient}\"}}}},\
             {{\"what\":{{\"reference\":\"MedicationRequest/m1\"}}}}]}}\n"
        ),
    );
    world.input(
        "pacs.log",
        format!(
            "<85>1 {day}T14:00:00Z pacs a - - - <AuditMessage><EventIdentification EventDateTime=\"{day}T14:00:00Z\" \
             EventOutcomeIndicator=\"0\"><EventID originalText=\"Images shown\"/></EventIdentification><ActiveParticipant \
             UserID=\"ines.vogt\" UserIsRequestor=\"true\"/><ParticipantObjectIdentification ParticipantObjectID=\"{number}^^^A\" \
             ParticipantObjectTypeCode=\"1\" ParticipantObjectTypeCodeRole=\"1\"/></AuditMessage>\n"
        ),
    );
    let refused_to = world.path("refused.csv").display().to_string();
    let epic = import(&world, "epic.csv", "csv", EPIC, &["--refused", &refused_to]);
    assert_eq!((&epic["added"], &epic["refused"], &epic["other_records"]), (&2.into(), &1.into(), &1.into()), "{epic}");
    assert_eq!(epic["unknown_people"], 1);
    assert_eq!(epic["refused_lines"][0]["line"], 5);
    assert_eq!(epic["refused_lines"][0]["field"], "ACCESS_TIME");
    assert!(std::fs::read_to_string(&refused_to).unwrap().starts_with("yesterday,mara.keller"));
    let plain = |source: &str| format!("source = \"{source}\"\ntime_zone = \"UTC\"\n");
    assert_eq!(import(&world, "hapi.ndjson", "fhir", &plain("hapi"), &[])["added"], 1);
    assert_eq!(import(&world, "pacs.log", "atna", &plain("pacs"), &[])["added"], 1);
    // The same once more adds nothing.
    let again = import(&world, "epic.csv", "csv", EPIC, &[]);
    assert_eq!((&again["added"], &again["known"]), (&0.into(), &2.into()), "{again}");
    assert_eq!(import(&world, "hapi.ndjson", "fhir", &plain("hapi"), &["--check-patients"])["unknown_patients"], 0);
    let strange = format!(
        "{HEAD}{us_day} 12:00:00,mara.keller,99-0000,Chart Review,4W-12\n{us_day} 12:00:00,mara.keller,{number},x,\n"
    );
    world.input("strange.csv", strange);
    let strange = import(&world, "strange.csv", "csv", EPIC, &["--check-patients"]);
    assert_eq!((&strange["unknown_patients"], &strange["added"]), (&1.into(), &2.into()), "{strange}");

    // The question: a record number and a time, by POST; the answer's address names no patient.
    let ines = enrolled(&node, &line, "ines.vogt", "privacy_officer").cookie;
    let there = goes_to(&send(&node, "/charts", &ines, &format!("patient={number}&period=days&cause=complaint")));
    assert!(!there.contains(&number) && !there.contains(&patient), "{there}");
    let shown = page(&node, &there, &ines).is(200).text();
    for word in [
        "Mara Keller",
        "Megan Doyle",
        "former.husband",
        "Nobody here is known by that name.",
        "log of epic",
        "log of hapi",
        "log of pacs",
        "enforced and recorded by the gateway",
        "Chart Review",
        "at 4W-13",
        "Did, as the log calls it: Chart Review.",
        "nobody here has this login. Have the person added with it",
        "The privacy office asked about this chart.",
        &format!("MR {number}"),
    ] {
        assert!(shown.contains(word), "{word} is not in\n{shown}");
    }
    // Nothing explains the stranger, who stands first.
    let place = |word: &str| shown.find(word).unwrap_or_else(|| panic!("no {word}"));
    assert!(place("Nothing explains it") < place("former.husband"));
    if let Some(explained) = shown.find("id=\"explained\"") {
        assert!(place("former.husband") < explained);
    }
    let csv = page(&node, &format!("{there}/export"), &ines).is(200).text();
    assert!(csv.lines().count() >= 6, "{csv}");
    let report = page(&node, &format!("{there}/report"), &ines).is(200).text();
    assert!(report.contains("Who opened your record") && report.contains("Megan Doyle"), "{report}");
    assert!(!report.contains("former.husband"), "the patient is told no account of a stranger");
    for word in ["Opened your record once", "The log calls it: Chart Review.", "it may have been a part"] {
        assert!(report.contains(word), "{word} is not in\n{report}");
    }
    let today = page(&node, "/", &ines).is(200).text();
    assert!(today.contains("enforced: through the gateway") && today.contains("watched: told by the logs"), "{today}");

    a_complaint(&world, &mut node, &line, (ines.as_str(), there.as_str(), [patient.as_str(), number.as_str()]));
}

fn a_complaint(world: &World, node: &mut Node, line: &Value, (ines, there, patient): (&str, &str, [&str; 2])) {
    let megan = enrolled(node, line, "megan.doyle", "nurse").cookie;
    let shown = page(node, there, ines).is(200).text();
    let (_, of_megan) = shown.split_once("Megan Doyle").unwrap();
    let reader = between(of_megan, "name=\"reader\" value=\"", "\"").to_owned();
    // A case needs words; what was typed stays.
    let refused = send(node, &format!("{there}/case"), ines, &format!("reader={reader}&complaint=he"));
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("three words are too few"));
    let words = "My+former+husband+works+there+and+I+fear+that+he+looked";
    let case = goes_to(&send(node, &format!("{there}/case"), ines, &format!("reader={reader}&complaint={words}")));
    let case = case.split('?').next().unwrap().to_owned();
    let version = |text: &str| between(text, "name=\"version\" value=\"", "\"").to_owned();

    // Before he is asked the reader sees nothing of it; asked, a day and no more.
    assert_eq!(page(node, &format!("{case}/answer"), &megan).status, 404);
    assert_eq!(page(node, &case, &megan).status, 403);
    goes_to(&send(node, &format!("{case}/ask"), ines, "version=1"));
    let home = page(node, "/", &megan).is(200).text();
    assert!(home.contains("The privacy office asks about a chart"), "{home}");
    let asked = page(node, &format!("{case}/answer"), &megan).is(200).text();
    for name in patient.into_iter().chain(["former husband", "Ines Vogt"]) {
        assert!(!asked.contains(name) && !home.contains(name), "{name}");
    }
    let answer = format!("version={}&account=I+was+the+nurse+of+that+bed+in+the+night", version(&asked));
    goes_to(&send(node, &format!("{case}/answer"), &megan, &answer));
    assert_eq!(page(node, &format!("{case}/answer"), &megan).status, 404, "answered");

    // What is decided is what was seen; the letter is proposed, and names nobody.
    let seen = page(node, &case, ines).is(200).text();
    assert!(seen.contains("I was the nurse of that bed in the night"), "{seen}");
    assert_eq!(send(node, &format!("{case}/decide"), ines, "version=1&decision=permitted&note=a+b").status, 409);
    let decided =
        format!("version={}&decision=permitted&note=The+roster+has+her+on+that+unit+in+that+night", version(&seen));
    goes_to(&send(node, &format!("{case}/decide"), ines, &decided));
    let seen = page(node, &case, ines).is(200).text();
    assert!(
        seen.contains("We found that the person&#39;s work needed it") || seen.contains("work needed it"),
        "{seen}"
    );
    assert!(seen.contains("The complaint") && seen.contains("You asked us whether"), "{seen}");
    assert!(!seen.contains("We asked the person") && !seen.contains("acted on it"), "it claims nothing: {seen}");
    assert_eq!(page(node, &format!("{case}/letter"), ines).status, 404, "not made yet");
    let letter = "letter=Dear+patient%2C%0D%0A%0D%0AWe+looked+into+it+and+found+that+the+work+needed+it.";
    goes_to(&send(node, &format!("{case}/letter"), ines, &format!("version={}&{letter}", version(&seen))));
    let printed = page(node, &format!("{case}/letter"), ines).is(200).text();
    assert!(printed.contains("Dear patient,") && printed.contains("We looked into it"), "{printed}");
    let text = page(node, &format!("{case}/letter.txt"), ines).is(200).text();
    assert!(text.contains("Dear patient,\n\nWe looked"), "{text}");
    assert_eq!(page(node, &format!("{case}/letter"), &megan).status, 403);
    assert!(page(node, there, ines).is(200).text().contains("Letter made"), "linked both ways");

    // The index is made again from the ledger, and tells the same.
    let before = page(node, &format!("{there}/export"), ines).is(200).text().lines().count();
    world.run(["admin", "rebuild-history", "--config", "demo.toml"]).ends(0);
    eventually("the index again", Duration::from_secs(20), || {
        let now = page(node, &format!("{there}/export"), ines).is(200).text().lines().count();
        (now >= before).then_some(())
    });
    let told =
        |entries: &[Value], word: &str| entries.iter().filter(|one| one["entry"]["body"]["event"] == word).count();
    node.stops();
    let entries = entries_of(&world.run(["ledger", "show", "--json", "try/ledger"]).ends(0));
    for (event, count) in [
        ("chart_asked", 1),
        ("case_opened", 1),
        ("case_reader_asked", 1),
        ("case_answered", 1),
        ("case_decided", 1),
        ("case_lettered", 1),
        ("log_import_begun", 6),
        ("log_import_ended", 6),
    ] {
        assert_eq!(told(&entries, event), count, "{event}");
    }
    world.run(["ledger", "verify", "try/ledger"]).ends(0);
}

/// Managers and administrators see nothing of it; a chart that nobody knows is asked about all the same, and says so; days that are
/// typed are what is asked about.
#[test]
fn a_manager_and_an_administrator_see_no_history_and_an_unknown_number_says_so() {
    let world = World::new();
    let (mut node, line) = demo(&world);
    let patient = Hospital::patient_id(2);
    reads(&node, &line, "nurse", &format!("Patient/{patient}")).is(200);
    let ines = enrolled(&node, &line, "ines.vogt", "privacy_officer").cookie;
    let there = goes_to(&send(&node, "/charts", &ines, &format!("patient={patient}&period=month-0&cause=routine")));
    assert!(page(&node, &there, &ines).is(200).text().contains("Megan Doyle"));
    for (login, role) in [("mara.keller", "manager"), ("ola.lund", "administrator"), ("megan.doyle", "nurse")] {
        let cookie = enrolled(&node, &line, login, role).cookie;
        assert_eq!(page(&node, &there, &cookie).status, 403, "{login}");
        assert_eq!(page(&node, "/charts", &cookie).status, 403, "{login}");
        assert_eq!(send(&node, "/charts", &cookie, &format!("patient={patient}&period=days")).status, 403, "{login}");
        let people = page(&node, "/people", &cookie);
        if people.status == 200 {
            assert!(!people.text().contains(&patient), "{login}");
        }
    }
    let nobody = goes_to(&send(&node, "/charts", &ines, "patient=99-0000&period=days&cause=other"));
    let shown = page(&node, &nobody, &ines).is(200).text();
    assert!(shown.contains("The record system knows no patient by this number."), "{shown}");
    assert!(shown.contains("The record system knows no such number, and no log here tells of it."), "{shown}");
    assert!(!shown.contains("Nobody opened this chart") && !shown.contains("Report for the patient"), "{shown}");
    assert_eq!(page(&node, &format!("{nobody}/report"), &ines).status, 404, "there is nobody to write to");
    // From a read to its right, and from there to the role.
    let read = page(&node, &there, &ines).is(200).text();
    let (_, of_megan) = read.split_once("Megan Doyle").unwrap();
    let right = between(of_megan, "href=\"/reads/role/", "\"").to_owned();
    let right = page(&node, &format!("/reads/role/{right}"), &ines).is(200).text();
    assert!(right.contains("href=\"/roles/nurse\">Where it comes from"), "{right}");
    // Days that are typed are asked about, whatever is chosen above them.
    let days = format!("patient={patient}&period=days&from=2020-01-01&until=2020-01-31&cause=routine");
    let dated = page(&node, &goes_to(&send(&node, "/charts", &ines, &days)), &ines).is(200).text();
    for words in ["1 January 2020, 00:00 UTC", "Nothing was recorded in that time", "Recorded since "] {
        assert!(dated.contains(words), "{words} is not in\n{dated}");
    }
    for (fields, words) in [
        ("patient=&period=days", "Type a record number"),
        ("patient=%3Cx%3E&period=days", "Type a record number"),
        ("patient=1&period=dates&from=soon&until=2026-01-01", "Write the first day"),
        ("patient=1&period=dates&from=2026-02-01&until=2026-01-01", "The last day is before the first."),
        ("patient=1&period=month-1&from=2026-01-01&until=2026-02-01", "Leave one of them out."),
        ("patient=1&period=days&from=2026-01-01&until=", "Write the last day"),
    ] {
        let refused = send(&node, "/charts", &ines, fields);
        assert_eq!(refused.status, 422, "{fields}");
        assert!(refused.text().contains(words), "{fields}: {}", refused.text());
    }
    node.stops();
    // What was refused was asked by nobody.
    let entries = entries_of(&world.run(["ledger", "show", "--json", "try/ledger"]).ends(0));
    assert_eq!(entries.iter().filter(|one| one["entry"]["body"]["event"] == "chart_asked").count(), 3);
}

#[test]
fn an_emergency_stands_in_the_history_and_its_review_lists_what_was_read() {
    let world = World::new();
    let (mut node, line) = demo(&world);
    let patient = Hospital::patient_id(3);
    let megan = enrolled(&node, &line, "megan.doyle", "nurse").cookie;
    let ines = enrolled(&node, &line, "ines.vogt", "privacy_officer").cookie;
    goes_to(&send(&node, "/door/emergency", &megan, &format!("about={patient}&reason=unresponsive")));
    let there = goes_to(&send(&node, "/charts", &ines, &format!("patient={patient}&period=days&cause=incident")));
    // It counts at the gateway within a second; each read from then on rests on it.
    let shown = eventually("a read under the emergency", Duration::from_secs(20), || {
        reads(&node, &line, "nurse", &format!("Patient/{patient}")).is(200);
        let shown = page(&node, &there, &ines).is(200).text();
        shown.contains("Opened it in an emergency: the patient cannot answer.").then_some(shown)
    });
    assert!(shown.contains("id=\"emergency\""), "{shown}");
    let reviews = page(&node, "/emergency", &ines).is(200).text();
    assert!(reviews.contains("identity record") && reviews.contains("Each of the "), "{reviews}");
    node.stops();
}

/// BG-09: one table of all activations, with reason, scope, duration and reads; as many as the ledger has.
#[test]
fn the_log_of_exceptions_counts_as_many_reads_as_the_ledger_has() {
    let world = World::new();
    let (mut node, line) = demo(&world);
    let patient = Hospital::patient_id(3);
    let megan = enrolled(&node, &line, "megan.doyle", "nurse").cookie;
    let ines = enrolled(&node, &line, "ines.vogt", "privacy_officer").cookie;
    goes_to(&send(&node, "/door/emergency", &megan, &format!("about={patient}&reason=unresponsive")));
    let export = format!(
        "kind=emergency&state=active&format=csv&acknowledged={}",
        acknowledged("nurse", scruple_policy::ReminderOf::Export)
    );
    // The cells of the only row, by their headings.
    let row = || {
        let table = send(&node, "/exceptions/export", &ines, &export).is(200).text();
        let lines: Vec<Vec<String>> = table.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect();
        assert_eq!(lines.len(), 2, "{table}");
        let cell = |name: &str| lines[1][lines[0].iter().position(|heading| heading == name).unwrap()].clone();
        (cell("kind"), cell("kinds of information"), cell("why"), cell("lasts"), cell("reads"))
    };
    let counted = || row().4.parse::<usize>().unwrap();
    eventually("a read under the emergency", Duration::from_secs(20), || {
        reads(&node, &line, "nurse", &format!("Patient/{patient}")).is(200);
        (counted() > 0).then_some(())
    });
    for _ in 0..5 {
        reads(&node, &line, "nurse", &format!("Patient/{patient}")).is(200);
    }
    // The index is there when it has stood still for a while behind the last read.
    let (mut last, mut since) = (0, Instant::now());
    eventually("the index", Duration::from_secs(60), || {
        let now = counted();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        (last >= 6 && since.elapsed() > Duration::from_secs(5)).then_some(())
    });
    let (kind, scope, why, lasts, counted) = row();
    assert_eq!((kind.as_str(), scope.as_str(), lasts.as_str()), ("Emergency", "all kinds of the role", "4 hours"));
    assert!(!why.is_empty());
    for sort in ["since", "until"] {
        let shown = page(&node, &format!("/exceptions?kind=emergency&state=active&sort={sort}"), &ines).is(200).text();
        assert!(shown.contains(&format!(">{counted}</a>")), "{sort}: {counted} in {shown}");
    }
    node.stops();
    let entries = entries_of(&world.run(["ledger", "show", "--json", "try/ledger"]).ends(0));
    let under = |entry: &&Value| {
        let relations = entry["entry"]["body"]["relations"].as_array();
        relations.is_some_and(|all| all.iter().any(|one| one.as_str().unwrap().contains(" emergency Elevation/")))
    };
    assert_eq!(entries.iter().filter(under).count().to_string(), counted);
}

#[test]
fn the_numbers_of_today_are_those_that_the_api_lists() {
    let world = World::new();
    let (mut node, line) = demo(&world);
    let megan = enrolled(&node, &line, "megan.doyle", "nurse").cookie;
    let ines = enrolled(&node, &line, "ines.vogt", "privacy_officer").cookie;
    let counted = || -> Vec<usize> {
        let today = page(&node, "/", &ines).is(200).text();
        let numbers = today.split("<span class=\"number\">").skip(1);
        numbers.map(|rest| rest.split('<').next().unwrap().parse().unwrap()).collect()
    };
    let listed = || -> Vec<usize> {
        let rows = |path: &str| {
            let answer = Call::get(path, line["api_token"].as_str().unwrap()).ask(&node.console).is(200).json();
            assert!(answer["next"].is_null(), "one page holds them: {answer}");
            answer["items"].as_array().unwrap().clone()
        };
        let pending =
            rows("/api/v1/access-requests?whose=all&limit=100").into_iter().filter(|one| one["state"] == "pending");
        vec![pending.count(), rows("/api/v1/emergency-reviews?limit=100").len()]
    };
    assert_eq!(counted(), listed());
    for number in 1..=3 {
        let about = format!("about={}&reason=unresponsive", Hospital::patient_id(number));
        goes_to(&send(&node, "/door/emergency", &megan, &about));
        assert_eq!((counted(), counted()[1]), (listed(), number));
    }
    node.stops();
}

/// Days of six years, the youngest first, as the table writes them.
fn six_years() -> impl Iterator<Item = String> {
    (2..6 * 365).map(|days: i64| {
        let (year, month, day) = crate::node::Machine.now().plus_micros(-days * 24 * 3_600_000_000).civil_date();
        format!("{month:02}/{day:02}/{year:04}")
    })
}

/// A new user, from a cold start of the demo over six years of accesses, with a stop watch.
#[test]
fn who_opened_this_chart_and_why_is_answered_in_ninety_seconds() {
    if no_browser() {
        return;
    }
    let world = World::new();
    let (mut node, line) = demo(&world);
    let patient = Hospital::patient_id(1);
    let number = number(&node, &line, &patient);
    for role in ["physician", "front_desk", "biller"] {
        let _ = reads(&node, &line, role, &format!("Patient/{patient}"));
    }
    let (_, us_day) = yesterday();
    let mut log = format!("{HEAD}{us_day} 12:00:00,mara.keller,{number},Chart Review,4W-12\n");
    for (count, day) in six_years().enumerate() {
        // He himself every other month, by somebody who is gone; else two others each day.
        if count % 60 == 0 {
            log += &format!("{day} 09:00:00,former.clerk,{number},Chart Review,1E-01\n");
        }
        for (hour, other) in [(10, count), (11, count * 31 + 7)] {
            log += &format!("{day} {hour}:00:00,mara.keller,9{:06},Chart Review,4W-12\n", other % 1_000);
        }
    }
    world.input("epic.csv", log);
    assert_eq!(import(&world, "epic.csv", "csv", EPIC, &[])["added"], 1 + 2 * 2_188 + 37);
    let link = |login: &str| {
        let links = line["sign_in"].as_array().unwrap();
        links.iter().find(|one| one["login"] == login).unwrap()["link"].as_str().unwrap().to_owned()
    };
    let port = node.console.rsplit_once(':').unwrap().1;
    let site = format!("http://localhost:{port}");
    journey(&world, "history", &[&site, &link("ines.vogt"), &link("megan.doyle"), &number, &patient]);
    node.stops();
    world.run(["ledger", "verify", "try/ledger"]).ends(0);
}

#[test]
fn twenty_emergencies_of_a_night_are_reviewed_in_groups() {
    if no_browser() {
        return;
    }
    let world = World::new();
    let (mut node, line) = demo(&world);
    let numbers: Vec<String> = (1..=20).map(Hospital::patient_id).collect();
    let link = |login: &str| {
        let links = line["sign_in"].as_array().unwrap();
        links.iter().find(|one| one["login"] == login).unwrap()["link"].as_str().unwrap().to_owned()
    };
    let site = format!("http://localhost:{}", node.console.rsplit_once(':').unwrap().1);
    journey(&world, "twenty", &[&site, &link("ines.vogt"), &link("megan.doyle"), &numbers.join(",")]);
    node.stops();
    world.run(["ledger", "verify", "try/ledger"]).ends(0);
}
