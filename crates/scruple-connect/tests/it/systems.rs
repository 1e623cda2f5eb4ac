//! Connected systems: all of one or an error, whatever it answers; what is asked of it to remove something; files that are whole.

use crate::support::{CANARY, within};
use scruple_app::ports::{NotRemoved, RemovalOrder, Shown, SystemConnector as _};
use scruple_connect::{Roots, ScimSystem, TableColumns, TableSystem, Web};
use scruple_core::Phi;
use scruple_flow::connected::{ReadFailure, RemovalFailure, There};
use scruple_testkit::log::Log;
use scruple_testkit::upstream_faults::{Answer, Fault, FaultServer, Seen};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn system(server: &FaultServer) -> ScimSystem {
    ScimSystem::new(Web::new(Roots::Public), &server.url("/scim/v2/"), SecretString::from(CANARY))
}

fn page(seen: &Seen, all: &[Value]) -> Answer {
    let query = seen.target.split_once('?').map_or("", |(_, query)| query);
    let number = |name: &str| {
        let pair = query.split('&').find_map(|pair| pair.strip_prefix(name));
        pair.and_then(|text| text.parse::<usize>().ok()).unwrap()
    };
    let (start, count) = (number("startIndex="), number("count="));
    let some: Vec<_> = all.iter().skip(start - 1).take(count.min(40)).cloned().collect();
    Answer::json(json!({ "totalResults": all.len(), "startIndex": start, "Resources": some }).to_string())
}

fn users(many: usize) -> Vec<Value> {
    (0..many)
        .map(
            |number| json!({ "id": format!("u{number}"), "userName": format!("login{number}"), "active": number != 7 }),
        )
        .collect()
}

fn groups() -> Vec<Value> {
    vec![
        json!({ "id": "g1", "displayName": "Wards", "members": [{ "value": "u1" }, { "value": "g2", "type": "Group" }] }),
        json!({ "id": "g2", "displayName": "Night", "members": [{ "value": "u7" }, { "value": "g1" }, { "value": "lost" }] }),
        // The list leaves its members out.
        json!({ "id": "g/3", "displayName": "Labs" }),
    ]
}

fn answer(seen: &Seen) -> Answer {
    assert_eq!(seen.header("authorization"), Some(format!("Bearer {CANARY}").as_str()));
    match (seen.method.as_str(), seen.target.split('?').next().unwrap()) {
        ("GET", "/scim/v2/Users") => page(seen, &users(95)),
        ("GET", "/scim/v2/Groups") => page(seen, &groups()),
        ("GET", "/scim/v2/Groups/g%2F3") => {
            Answer::json(json!({ "id": "g/3", "displayName": "Labs", "members": [{ "value": "u2" }] }).to_string())
        }
        ("PATCH", _) => Answer::json("").with_status(204),
        _ => Answer::json("{}").with_status(404),
    }
}

fn rights_of(shown: &Shown, reference: &str) -> Vec<String> {
    let account = shown.accounts.iter().find(|one| one.there.expose().reference == reference).unwrap();
    account.rights.iter().cloned().collect()
}

#[tokio::test]
async fn a_system_is_read_page_by_page_with_groups_in_groups_and_members_that_a_list_leaves_out() {
    let server = FaultServer::start(answer).unwrap();
    let shown = within(system(&server).read()).await.unwrap();
    assert_eq!((shown.accounts.len(), shown.rights.len()), (96, 3), "and one of whom the users do not tell");
    let off: Vec<_> =
        shown.accounts.iter().filter(|one| !one.is_active).map(|one| one.there.expose().reference.clone()).collect();
    assert_eq!(off, ["lost", "u7"]);
    assert_eq!(rights_of(&shown, "u1"), ["g1", "g2"], "each group is in the other");
    assert_eq!(rights_of(&shown, "u7"), ["g1", "g2"], "what an account that is off would have again is told");
    assert_eq!(rights_of(&shown, "lost"), ["g1", "g2"]);
    assert_eq!(rights_of(&shown, "u2"), ["g/3"]);
    assert_eq!(rights_of(&shown, "u3"), Vec::<String>::new());
}

#[tokio::test]
async fn what_does_not_add_up_is_no_reading() {
    type Broken = fn(&Seen, usize, &mut Value);
    let wrong: [(&str, Broken, ReadFailure); 8] = [
        (
            "half a page, and it says that there is more",
            |_, page, body| {
                if page > 0 {
                    body["Resources"] = json!([]);
                }
            },
            ReadFailure::Incomplete,
        ),
        (
            "the same page twice",
            |_, page, body| {
                if page == 1 {
                    body["Resources"] = json!(users(40));
                }
            },
            ReadFailure::Incomplete,
        ),
        ("more than it says", |_, _, body| body["totalResults"] = json!(3), ReadFailure::Incomplete),
        (
            "it changes while it is read",
            |_, page, body| body["totalResults"] = json!(95 + page),
            ReadFailure::Incomplete,
        ),
        ("no total", |_, _, body| body["totalResults"] = Value::Null, ReadFailure::Malformed),
        ("no list", |_, _, body| body["Resources"] = json!({}), ReadFailure::Malformed),
        (
            "somebody without an id",
            |_, _, body| body["Resources"][0] = json!({ "userName": "x" }),
            ReadFailure::Malformed,
        ),
        ("more than is taken", |_, _, body| body["totalResults"] = json!(1_000_000), ReadFailure::TooLarge),
    ];
    for (name, change, failure) in wrong {
        let pages = Arc::new(AtomicUsize::new(0));
        let server = FaultServer::start(move |seen| {
            if !seen.target.starts_with("/scim/v2/Users") {
                return answer(seen);
            }
            let mut body: Value = serde_json::from_slice(&answer(seen).body).unwrap();
            change(seen, pages.fetch_add(1, Ordering::SeqCst), &mut body);
            Answer::json(body.to_string())
        })
        .unwrap();
        assert_eq!(within(system(&server).read()).await.unwrap_err(), failure, "{name}");
    }
    for members in [json!("u1"), json!([{ "display": "no value" }])] {
        let server = FaultServer::start(move |seen| {
            if seen.target.starts_with("/scim/v2/Groups?") {
                page(seen, &[json!({ "id": "g1", "displayName": "Wards", "members": members })])
            } else {
                answer(seen)
            }
        })
        .unwrap();
        assert_eq!(within(system(&server).read()).await.unwrap_err(), ReadFailure::Malformed);
    }
}

#[tokio::test]
async fn whatever_goes_wrong_on_the_way_is_no_reading_and_tells_nothing() {
    let log = Log::capture();
    let server = FaultServer::start(answer).unwrap();
    let system = system(&server);
    // Slow ones take as long as a call may; a plain type and a refusal are told apart below.
    let told = |fault: &&Fault| {
        !matches!(
            fault,
            Fault::SlowFirstByte
                | Fault::SlowTrickle
                | Fault::LengthTooLong
                | Fault::WrongType
                | Fault::NoType
                | Fault::Charset
        )
    };
    for fault in Fault::ALL.iter().filter(told) {
        server.always(Some(*fault));
        assert!(within(system.read()).await.is_err(), "{fault:?}");
    }
    for (status, failure) in [
        (401, ReadFailure::Refused),
        (403, ReadFailure::Refused),
        (404, ReadFailure::Malformed),
        (429, ReadFailure::Busy),
        (500, ReadFailure::Busy),
    ] {
        server.always(Some(Fault::Status(status)));
        assert_eq!(within(system.read()).await.unwrap_err(), failure, "{status}");
    }
    server.always(None);
    assert!(within(system.read()).await.is_ok());
    let nowhere = ScimSystem::new(Web::new(Roots::Public), "http://127.0.0.1:1/scim", SecretString::from(CANARY));
    assert_eq!(within(nowhere.read()).await.unwrap_err(), ReadFailure::Unreachable);
    assert!(!log.text().contains(CANARY));
}

fn order(right: Option<&str>) -> RemovalOrder {
    let there = |reference: &str| Phi::new(There { reference: reference.to_owned(), name: "x".to_owned() });
    RemovalOrder { account: there("u\"1"), right: right.map(there) }
}

#[tokio::test]
async fn a_member_is_removed_and_a_user_deactivated_by_patch_and_a_system_says_when_it_may_be_asked_again() {
    let server = FaultServer::start(answer).unwrap();
    let system = system(&server);
    within(system.remove(&order(Some("g/3")))).await.unwrap();
    within(system.remove(&order(None))).await.unwrap();
    let seen: Vec<Seen> = server.seen().into_iter().filter(|seen| seen.method == "PATCH").collect();
    let targets: Vec<&str> = seen.iter().map(|seen| seen.target.as_str()).collect();
    assert_eq!(targets, ["/scim/v2/Groups/g%2F3", "/scim/v2/Users/u%221"]);
    let operations: Vec<Value> =
        seen.iter().map(|seen| serde_json::from_slice::<Value>(&seen.body).unwrap()["Operations"].clone()).collect();
    assert_eq!(
        operations,
        [
            json!([{ "op": "remove", "path": "members[value eq \"u\\\"1\"]" }]),
            json!([{ "op": "replace", "path": "active", "value": false }]),
        ]
    );
    assert!(seen.iter().all(|seen| seen.header("content-type") == Some("application/scim+json")));
    for (status, expected) in [
        (200, Ok(())),
        (404, Ok(())),
        (400, Err(NotRemoved { failure: RemovalFailure::Refused, wait_s: Some(120) })),
        (403, Err(NotRemoved { failure: RemovalFailure::Refused, wait_s: Some(120) })),
        (429, Err(NotRemoved { failure: RemovalFailure::Busy, wait_s: Some(120) })),
        (503, Err(NotRemoved { failure: RemovalFailure::Busy, wait_s: Some(120) })),
    ] {
        let server =
            FaultServer::start(move |_| Answer::json("{}").with_status(status).with_header("Retry-After", "120"))
                .unwrap();
        let system = ScimSystem::new(Web::new(Roots::Public), &server.url("/scim"), SecretString::from("t"));
        assert_eq!(within(system.remove(&order(None))).await, expected, "{status}");
    }
    let nowhere = ScimSystem::new(Web::new(Roots::Public), "http://127.0.0.1:1/scim", SecretString::from("t"));
    let failed = within(nowhere.remove(&order(None))).await.unwrap_err();
    assert_eq!(failed.failure, RemovalFailure::Unreachable);
}

#[tokio::test]
async fn a_file_is_read_by_its_headers_and_one_that_is_not_whole_is_no_reading() {
    let folder = std::env::temp_dir().join(format!("scruple-table-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("rights.csv");
    let columns = || TableColumns {
        account: "Login".to_owned(),
        right: "Profile".to_owned(),
        active: Some("Enabled".to_owned()),
    };
    let read = async |text: &str| {
        std::fs::write(&path, text).unwrap();
        within(TableSystem::new(path.clone(), b';', columns()).read()).await
    };
    let text = "Enabled;Profile;Login;Note\nyes;Radiology;Ana;\nyes;\"Night; on call\";ana;\"two\nlines\"\nno;Radiology;ben;\nyes;;cyd;\n";
    let shown = read(text).await.unwrap();
    let written = std::fs::metadata(&path).unwrap().modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(shown.as_of.unwrap().micros(), i64::try_from(written.as_micros()).unwrap());
    let accounts: Vec<_> =
        shown.accounts.iter().map(|one| (one.there.expose().name.as_str(), one.is_active, one.rights.len())).collect();
    assert_eq!(accounts, [("ana", true, 2), ("ben", false, 1), ("cyd", true, 0)]);
    assert_eq!(shown.rights.len(), 2);
    let head = "Enabled;Profile;Login\n";
    for (name, text, failure) in [
        ("cut off", format!("{head}yes;Radiology;ana"), ReadFailure::Incomplete),
        ("nothing", String::new(), ReadFailure::Empty),
        ("another header", "Enabled;Profil;Login\nyes;Radiology;ana\n".to_owned(), ReadFailure::Malformed),
        ("a header twice", "Enabled;Profile;Login;Login\nyes;R;ana;ben\n".to_owned(), ReadFailure::Malformed),
        ("a cell is missing", format!("{head}yes;ana\n"), ReadFailure::Malformed),
        ("a quote is open", format!("{head}yes;\"Radiology;ana\n"), ReadFailure::Malformed),
        ("nobody's row", format!("{head}yes;Radiology;\n"), ReadFailure::Malformed),
    ] {
        assert_eq!(read(&text).await.unwrap_err(), failure, "{name}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
    let gone = within(TableSystem::new(path.clone(), b';', columns()).read()).await;
    assert_eq!(gone.unwrap_err(), ReadFailure::Unreachable);
    let system = TableSystem::new(path, b';', columns());
    assert!(within(system.remove(&order(None))).await.is_err(), "nothing is asked of a file");
}
