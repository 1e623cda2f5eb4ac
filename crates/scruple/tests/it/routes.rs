//! Every route of the console with everybody: nobody, each kind of person, somebody whose session is over, a form of another site. No
//! list of exceptions: what the policy does not let somebody do is refused, and recorded.

use crate::node::{Answer, Asking, Node};
use crate::rest::acknowledged;
use crate::support::{World, entries_of};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use scruple_core::Clock as _;
use scruple_policy::{PackFiles, ReminderOf, read};
use serde_json::Value;

/// Somebody's cookie.
pub struct Signed {
    role: &'static str,
    pub cookie: String,
}

pub fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("no {before}")).1;
    rest.split_once(after).unwrap().0
}

fn cookie_of(answer: &Answer, name: &str) -> String {
    let cookies = answer.headers.iter().filter(|(header, _)| header == "set-cookie");
    let found =
        cookies.filter_map(|(_, value)| value.split(';').next()?.strip_prefix(name)).find(|value| !value.is_empty());
    format!("{name}{}", found.unwrap_or_else(|| panic!("no {name}")))
}

/// What an authenticator app shows (RFC 6238), so many steps from now.
fn code(secret: &str, later: u64) -> String {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: String =
        secret.chars().filter_map(|letter| letters.find(letter)).map(|place| format!("{place:05b}")).collect();
    let bits = bits.as_bytes();
    let byte = |bits: &[u8]| u8::from_str_radix(std::str::from_utf8(bits).unwrap(), 2).unwrap();
    let key: Vec<u8> = bits.chunks_exact(8).map(byte).collect();
    let step = u64::try_from(crate::node::Machine.now().micros() / 30_000_000).unwrap() + later;
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key), &step.to_be_bytes());
    let offset = usize::from(tag.as_ref()[19] & 15);
    let number = u32::from_be_bytes(tag.as_ref()[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

pub fn enrolled(node: &Node, line: &Value, login: &str, role: &'static str) -> Signed {
    enrolled_with_app(node, line, login, role).0
}

/// The same, with the secret that stands in the app.
fn enrolled_with_app(node: &Node, line: &Value, login: &str, role: &'static str) -> (Signed, String) {
    let links = line["sign_in"].as_array().unwrap();
    let link = links.iter().find(|one| one["login"] == login).unwrap()["link"].as_str().unwrap();
    let path = format!("/{}", link.splitn(4, '/').nth(3).unwrap());
    let page = Asking::get(&path, None).ask(&node.console).unwrap().is(200);
    let form_cookie = cookie_of(&page, "__Host-scruple-form=");
    let text = page.text();
    let field = |name: &str| between(&text, &format!("name=\"{name}\" value=\""), "\"").to_owned();
    let secret = between(&text, "<code class=\"secret\">", "</code>").to_owned();
    let form = format!("csrf={}&token={}&code={}", field("csrf"), field("token"), code(&secret, 0));
    let headers = [("Cookie", form_cookie.as_str())];
    let asking = Asking { method: "POST", target: "/enrol/code", token: None, headers: &headers, form: Some(&form) };
    let entered = asking.ask(&node.console).unwrap().is(200);
    (Signed { role, cookie: cookie_of(&entered, "__Host-scruple=") }, secret)
}

fn csrf(cookie: &str) -> String {
    let token = cookie.split_once('=').unwrap().1;
    URL_SAFE_NO_PAD.encode(digest(&SHA256, format!("scruple form {token}").as_bytes()))
}

/// Asks as somebody, with the token of his forms or without.
fn ask(node: &Node, method: &str, path: &str, cookie: Option<&str>, with_token: bool) -> u16 {
    let target = path.replace("{id}", "0198c0de-0000-7000-8000-000000000000").replace("{kind}", "role");
    let target = target.replace("{role}", "nurse");
    let target = target.replace("{right}", "0198c0de-0000-7000-8000-000000000001");
    let headers: Vec<(&str, &str)> = cookie.map(|cookie| ("Cookie", cookie)).into_iter().collect();
    let form = cookie.filter(|_| with_token).map(|cookie| format!("csrf={}", csrf(cookie))).unwrap_or_default();
    let form = (method == "POST").then_some(form.as_str());
    let asking = Asking { method, target: &target, token: None, headers: &headers, form };
    asking.ask(&node.console).unwrap().status
}

/// A link in a mail leads to its page, also for whoever has to sign in first, with the code of an app and without JavaScript.
#[test]
fn who_signs_in_with_an_app_arrives_at_the_page_that_was_wanted() {
    let world = World::new();
    let (mut node, line) = Node::demo(world.command(["demo", "--json", "--listen", "127.0.0.1:0", "--data", "try"]));
    let (_, secret) = enrolled_with_app(&node, &line, "megan.doyle", "nurse");
    let sent = |target: &str, cookies: &str, form: Option<&str>| {
        let headers = [("Cookie", cookies)];
        let method = if form.is_some() { "POST" } else { "GET" };
        Asking { method, target, token: None, headers: &headers, form }.ask(&node.console).unwrap()
    };
    let wanted = Asking::get("/requests", None).ask(&node.console).unwrap().is(303);
    assert_eq!(wanted.header("location"), Some("/sign-in"));
    let to = cookie_of(&wanted, "__Host-scruple-to=");
    let first = Asking::get("/sign-in", None).ask(&node.console).unwrap().is(200);
    let cookies = format!("{}; {to}", cookie_of(&first, "__Host-scruple-form="));
    let signs_in = |code: &str| {
        let page = sent("/sign-in", &cookies, None).text();
        let csrf = between(&page, "name=\"csrf\" value=\"", "\"").to_owned();
        let second =
            sent("/sign-in", &cookies, Some(&format!("csrf={csrf}&login=megan.doyle&device=own"))).is(200).text();
        let attempt = between(&second, "name=\"attempt\" value=\"", "\"");
        sent("/sign-in/code", &cookies, Some(&format!("csrf={csrf}&attempt={attempt}&code={code}")))
    };
    assert_eq!(signs_in("000000").status, 401);
    let entered = signs_in(&code(&secret, 1)).is(303);
    assert_eq!(entered.header("location"), Some("/requests"));
    let session = cookie_of(&entered, "__Host-scruple=");
    assert_eq!(sent("/requests", &session, None).status, 200);
    node.stops();
}

#[test]
fn every_route_refuses_and_records_whoever_may_not() {
    let world = World::new();
    let (mut node, line) = Node::demo(world.command(["demo", "--json", "--listen", "127.0.0.1:0", "--data", "try"]));
    let pack = read(&PackFiles::embedded()).unwrap();
    let people = [
        ("megan.doyle", "nurse"),
        ("mara.keller", "manager"),
        ("ines.vogt", "privacy_officer"),
        ("ola.lund", "administrator"),
        ("clara.stein", "counsel"),
        ("hugo.lind", "human_resources"),
    ];
    let people = people.map(|(login, role)| enrolled(&node, &line, login, role));
    let routes: Vec<_> = scruple_console::routes().collect();
    assert!(routes.len() > 30 && routes.iter().filter(|(.., act)| act.is_none()).count() < 12);
    let mut refused = 0;
    for (method, path, act) in &routes {
        let Some(act) = act else { continue };
        // Nobody: to the sign-in, or told that nothing was changed.
        let status = ask(&node, method, path, None, false);
        assert_eq!(status, if *method == "GET" { 303 } else { 401 }, "{method} {path} for nobody");
        refused += 1;
        for person in &people {
            if *path == "/sign-out" {
                continue;
            }
            let may = pack.console.scope(*act, [person.role]).is_some();
            let status = ask(&node, method, path, Some(&person.cookie), true);
            assert_eq!(status == 403, !may, "{method} {path} for {}: {status}", person.role);
            assert!(![401, 500, 503].contains(&status), "{method} {path} for {}: {status}", person.role);
            refused += usize::from(!may);
            if *method == "POST" {
                // A form of another site, or of nobody's.
                assert_eq!(ask(&node, method, path, Some(&person.cookie), false), 403, "{path} for {}", person.role);
                refused += 1;
            }
        }
    }
    // Whose session is over is nobody.
    for person in &people {
        assert_eq!(ask(&node, "POST", "/sign-out", Some(&person.cookie), true), 303);
        for (method, path, act) in routes.iter().filter(|(.., act)| act.is_some()) {
            let status = ask(&node, method, path, Some(&person.cookie), true);
            assert_eq!(status, if *method == "GET" { 303 } else { 401 }, "{method} {path} {act:?} after the end");
            refused += 1;
        }
    }
    let count = |code: &str, entries: &[Value]| {
        let bodies = entries.iter().map(|entry| &entry["entry"]["body"]);
        let here = bodies.filter(|body| body["code"] == "console_refused" && body["facts"]["code"] == code);
        here.count()
    };
    node.stops();
    let entries = entries_of(&world.run(["ledger", "show", "--json", "try/ledger"]).ends(0));
    let recorded: usize =
        ["not_signed_in", "act_not_permitted", "form_not_of_this_site"].map(|code| count(code, &entries)).iter().sum();
    assert_eq!(recorded, refused);
}

pub fn send(node: &Node, path: &str, cookie: &str, fields: &str) -> Answer {
    let form = format!("csrf={}&{fields}", csrf(cookie));
    let headers = [("Cookie", cookie)];
    Asking { method: "POST", target: path, token: None, headers: &headers, form: Some(&form) }
        .ask(&node.console)
        .unwrap()
}

pub fn goes_to(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer.headers.iter().find(|(name, _)| name == "location").unwrap().1.clone()
}

/// What is decided is what the page showed, and who unticks every patient leaves nobody instead of everybody.
#[test]
fn a_decision_is_on_what_was_seen() {
    let world = World::new();
    let (mut node, line) = Node::demo(world.command(["demo", "--json", "--listen", "127.0.0.1:0", "--data", "try"]));
    let nurse = enrolled(&node, &line, "megan.doyle", "nurse").cookie;
    let manager = enrolled(&node, &line, "mara.keller", "manager").cookie;
    let ask = "role=nurse&task=cover&kind=labs&kind=vitals&patients=numbers&numbers=MR-4471%0AMR-5120&until=shift&reason=Float+pool+until+the+roster+comes";
    // Not before what is the least here was read: the page shows it, and asks for the word.
    let unread = send(&node, "/ask", &nurse, ask);
    assert_eq!(unread.status, 422);
    let read = acknowledged("nurse", ReminderOf::Patients);
    assert!(unread.text().contains(&read) && unread.text().contains("Name the patients"), "{}", unread.text());
    let there = goes_to(&send(&node, "/ask", &nurse, &format!("{ask}&acknowledged={read}")));
    let there = there.split('?').next().unwrap();
    let state = |cookie: &str| {
        let headers = [("Cookie", cookie)];
        let page = Asking { method: "GET", target: there, token: None, headers: &headers, form: None };
        page.ask(&node.console).unwrap().is(200).text()
    };
    assert!(state(&manager).contains("name=\"version\" value=\"1\""));
    for (fields, status) in [
        ("version=", 409),
        ("version=2", 409),
        ("version=1&narrower=yes&until=", 422),
        ("version=1&narrower=yes&until=&patient=7&kind=labs", 422),
        ("version=1&narrower=yes&until=&patient=1", 422),
        ("version=1&narrower=yes&until=&patient=1&kind=documents", 422),
    ] {
        let answer = send(&node, &format!("{there}/approve"), &manager, fields);
        assert_eq!(answer.status, status, "{fields}: {}", answer.text());
    }
    for (path, cookie, fields) in [
        ("refuse", &manager, "version=2&ground=other&reason=The+ward+has+its+own+nurse+tonight"),
        ("withdraw", &nurse, "version=2"),
    ] {
        assert_eq!(send(&node, &format!("{there}/{path}"), cookie, fields).status, 409, "{path}");
    }
    goes_to(&send(&node, &format!("{there}/approve"), &manager, "version=1&narrower=yes&until=&patient=1&kind=labs"));
    let after = state(&nurse);
    assert!(after.contains("1 patient"), "{after}");
    assert!(after.contains("Laboratory results") && !after.contains("Vital signs"), "{after}");
    node.stops();
}

/// JX-15, JX-03, JX-11: the register and one exception as files: not before what a copy means was read, and never without an entry.
#[test]
fn a_list_leaves_only_when_it_was_read_what_that_means_and_the_ledger_says_who_took_it() {
    let world = World::new();
    let (mut node, line) = Node::demo(world.command(["demo", "--json", "--listen", "127.0.0.1:0", "--data", "try"]));
    let nurse = enrolled(&node, &line, "megan.doyle", "nurse").cookie;
    let manager = enrolled(&node, &line, "mara.keller", "manager").cookie;
    let ines = enrolled(&node, &line, "ines.vogt", "privacy_officer").cookie;
    let ask = format!(
        "role=nurse&task=cover&kind=labs&patients=numbers&numbers=MR-4471&until=shift&reason=Float+pool+until+the+roster+comes&acknowledged={}",
        acknowledged("nurse", ReminderOf::Patients)
    );
    let there = goes_to(&send(&node, "/ask", &nurse, &ask));
    let there = there.split('?').next().unwrap();
    goes_to(&send(&node, &format!("{there}/approve"), &manager, "version=1&kind=labs"));
    let read = acknowledged("nurse", ReminderOf::Export);
    for (path, fields) in [
        ("/exceptions/export".to_owned(), "kind=asked&state=active&format=csv"),
        (format!("{there}/export"), "format=csv"),
    ] {
        for wrong in ["", "&acknowledged=", "&acknowledged=export-0000000000000000"] {
            assert_eq!(send(&node, &path, &ines, &format!("{fields}{wrong}")).status, 422, "{path} {wrong}");
        }
        for other in [&nurse, &manager] {
            assert_eq!(send(&node, &path, other, &format!("{fields}&acknowledged={read}")).status, 403, "{path}");
        }
    }
    let list = send(&node, "/exceptions/export", &ines, &format!("kind=asked&state=active&acknowledged={read}"));
    let list = list.is(200).text();
    let lines: Vec<&str> = list.lines().collect();
    assert!(lines.len() >= 2 && lines[0].starts_with("kind,who,"), "{list}");
    assert!(list.contains("Float pool until the roster comes") && list.contains("..471"), "{list}");
    assert!(!list.contains("MR-4471"), "four digits are enough: {list}");
    // As many as the page says that there are.
    let headers = [("Cookie", ines.as_str())];
    let asking = Asking {
        method: "GET",
        target: "/exceptions?kind=asked&state=active",
        token: None,
        headers: &headers,
        form: None,
    };
    let page = asking.ask(&node.console).unwrap().is(200).text();
    assert!(page.contains(&format!("of {}</span>", lines.len() - 1)), "{page}");

    let one = send(&node, &format!("{there}/export"), &ines, &format!("format=json&acknowledged={read}"));
    let one: Value = serde_json::from_str(&one.is(200).text()).unwrap();
    assert_eq!((&one["state"], &one["approvals"][0]["by"]["login"]), (&"approved".into(), &"mara.keller".into()));
    assert_eq!(one["acknowledged"], acknowledged("nurse", ReminderOf::Patients));
    for field in
        ["justification", "person", "role", "patients", "opened", "events", "needs", "decide_by", "kinds", "task"]
    {
        assert!(!one[field].is_null(), "{field} of {one}");
    }
    // Which kinds of information were asked for, and which were opened.
    assert_eq!(
        (&one["kinds"], &one["opened"][0]["kinds"]),
        (&serde_json::json!(["labs"]), &serde_json::json!(["labs"]))
    );
    assert_eq!(one["task"], "cover");
    let table = send(&node, &format!("{there}/export"), &ines, &format!("format=csv&acknowledged={read}"));
    let table = table.is(200).text();
    assert!(table.starts_with("field,value") && table.contains("approvals.0.by.login,mara.keller"), "{table}");
    node.stops();

    let entries = entries_of(&world.run(["ledger", "show", "--json", "try/ledger"]).ends(0));
    let taken = entries.iter().filter(|entry| entry["entry"]["body"]["code"] == "console_exported").count();
    assert_eq!(taken, 3, "each of them is an entry");
    // Each event is in the ledger, where and as the evidence says.
    for link in one["events"].as_array().unwrap() {
        let here = entries
            .iter()
            .find(|entry| entry["origin"]["position"] == link["position"] && entry["origin"]["shard"] == link["shard"]);
        let here = here.unwrap_or_else(|| panic!("{link} is nowhere"));
        assert_eq!((&here["sha256"], &here["entry"]["body"]["event"]), (&link["entry_sha256"], &link["event"]));
    }
}
