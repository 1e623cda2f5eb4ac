//! What `check` finds of servers that behave, and of those that do not. Nothing of a patient is told.

use crate::support::{CANARY, within};
use scruple_connect::{Base, Credential, HttpUpstream, Options, Verdict};
use scruple_core::Timestamp;
use scruple_hospital::upstream::{Request, Server};
use scruple_testkit::upstream_faults::{Answer, FaultServer, Seen};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

const TOKEN: &str = "Bearer check-token";

/// How a server differs from one that behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Odd {
    Nothing,
    Open,
    NoPost,
    Lax,
    OneIdAtATime,
    LinksElsewhere,
    NoNextPage,
    NoVersion,
    NoHistory,
    OtherHistory,
    Unlisted,
    Unversioned,
    OtherVersion,
    Html,
}

/// A server of four patients with ids like these.
fn start(odd: Odd, ids: [&str; 4]) -> FaultServer {
    let patients = ids.map(|id| {
        let meta = if odd == Odd::Unversioned { "" } else { r#""meta":{"versionId":"7"},"# };
        let text = format!(
            r#"{{"resourceType":"Patient","id":"{id}",{meta}"identifier":[{{"value":"MRN {id}9"}}],"name":[{{"family":"{CANARY}"}}]}}"#
        );
        ("Patient".to_owned(), id.to_owned(), text.into_bytes())
    });
    let server = Arc::new(Mutex::new(Server::from_resources(patients, "http://unset.invalid/fhir")));
    let answering = Arc::clone(&server);
    let faulty = FaultServer::start(move |seen| answer(odd, &answering.lock().unwrap(), seen)).unwrap();
    let base =
        if odd == Odd::LinksElsewhere { "https://elsewhere.example/fhir".to_owned() } else { faulty.url("/fhir") };
    server.lock().unwrap().set_base(&base);
    faulty
}

fn answer(odd: Odd, server: &Server, seen: &Seen) -> Answer {
    let outcome = |status| Answer::json(r#"{"resourceType":"OperationOutcome"}"#).with_status(status);
    if odd != Odd::Open && seen.header("authorization") != Some(TOKEN) {
        return outcome(401);
    }
    if odd == Odd::Html {
        return Answer { content_type: Some("text/html".to_owned()), ..Answer::json("<html>") };
    }
    if odd == Odd::NoPost && seen.method == "POST" {
        return outcome(405);
    }
    let is_history = seen.target.ends_with("/_history?_count=200");
    if odd == Odd::NoVersion && seen.target.contains("/_history/") || odd == Odd::NoHistory && is_history {
        return outcome(405);
    }
    let (path, query) =
        seen.target.split_once('?').map_or((seen.target.as_str(), None), |(path, query)| (path, Some(query)));
    let mut body = String::from_utf8(seen.body.clone()).unwrap();
    let mut query = query.map(str::to_owned);
    for text in query.iter_mut().chain([&mut body]) {
        if odd == Odd::Lax {
            *text = text.replace("scruple-unknown=1&", "");
        }
        if odd == Odd::OneIdAtATime {
            *text = text.replace("_id=b%2C", "_id=").replace("_id=c2%2C", "_id=");
        }
    }
    let response = server.respond(&Request {
        method: &seen.method,
        path: path.strip_prefix("/fhir").unwrap_or("/"),
        query: query.as_deref(),
        content_type: seen.header("content-type"),
        accept: seen.header("accept"),
        body: body.as_bytes(),
        now: Timestamp::parse("2026-03-02T12:00:00Z").unwrap(),
    });
    let mut text = String::from_utf8(response.body).unwrap();
    if odd == Odd::NoNextPage {
        text = text.replace(r#""relation":"next""#, r#""relation":"last""#);
    }
    if odd == Odd::OtherHistory && is_history {
        text = text.replace(r#""type":"history""#, r#""type":"searchset""#);
    }
    if odd == Odd::Unlisted {
        text = text.replace(r#"{"code":"vread"},{"code":"history-instance"},"#, "");
    }
    if odd == Odd::OtherVersion {
        text = text.replace(r#""fhirVersion":"4.0.1""#, r#""fhirVersion":"5.0.0""#);
    }
    Answer::json(text).with_status(response.status)
}

async fn verdicts(odd: Odd, ids: [&str; 4], tweak: impl FnOnce(&mut Options)) -> BTreeMap<&'static str, Verdict> {
    let server = start(odd, ids);
    let mut options = Options::new(Base::parse(&server.url("/fhir")).unwrap());
    let stranger = HttpUpstream::new(&options).unwrap();
    options.credential = Credential::Bearer(TOKEN.trim_start_matches("Bearer ").to_owned().into());
    tweak(&mut options);
    let checks = within(HttpUpstream::new(&options).unwrap().check(&stranger)).await;
    let told = format!("{checks:?}");
    assert!(!told.contains(CANARY) && !told.contains("MRN"), "{told}");
    checks.into_iter().map(|check| (check.name, check.verdict)).collect()
}

const IDS: [&str; 4] = ["b", "c2", "d-3", "e.4"];

#[tokio::test]
async fn a_server_that_behaves_is_good() {
    let verdicts = verdicts(Odd::Nothing, IDS, |_| {}).await;
    let names = [
        "around",
        "id_lists",
        "ids",
        "pages",
        "post",
        "relationships",
        "sort",
        "strict",
        "transport",
        "version",
        "versions",
    ];
    assert_eq!(verdicts.keys().copied().collect::<Vec<_>>(), names);
    assert!(verdicts.values().all(|verdict| *verdict == Verdict::Good), "{verdicts:?}");
}

#[tokio::test]
async fn what_a_server_does_not_do_is_found() {
    for (odd, name, expected) in [
        (Odd::Open, "around", Verdict::Bad),
        (Odd::NoPost, "post", Verdict::Warn),
        (Odd::Lax, "strict", Verdict::Warn),
        (Odd::OneIdAtATime, "id_lists", Verdict::Bad),
        (Odd::LinksElsewhere, "pages", Verdict::Bad),
        (Odd::NoNextPage, "pages", Verdict::Bad),
        (Odd::NoVersion, "versions", Verdict::Warn),
        (Odd::NoHistory, "versions", Verdict::Warn),
        (Odd::OtherHistory, "versions", Verdict::Warn),
        (Odd::Unlisted, "versions", Verdict::Good),
        (Odd::Unversioned, "versions", Verdict::Unknown),
    ] {
        let by_get = |options: &mut Options| {
            if odd == Odd::NoPost {
                options.search_by = scruple_connect::SearchBy::Get;
            }
        };
        let found = verdicts(odd, IDS, by_get).await;
        for (check, verdict) in found {
            let wanted = if check == name { expected } else { Verdict::Good };
            assert_eq!(verdict, wanted, "{name}: {check}");
        }
    }
    let numbers = verdicts(Odd::Nothing, ["1", "2", "3", "4"], |_| {}).await;
    assert_eq!(numbers["ids"], Verdict::Warn);
    let telling = verdicts(Odd::Nothing, ["MRN10021", "MRN10022", "MRN10023", "MRN10024"], |_| {}).await;
    assert_eq!(telling["ids"], Verdict::Warn);
}

#[tokio::test]
async fn what_cannot_be_asked_is_told_first_and_alone() {
    let alone = [("transport", Verdict::Good), ("version", Verdict::Bad)];
    for odd in [Odd::OtherVersion, Odd::Html] {
        assert_eq!(verdicts(odd, IDS, |_| {}).await.into_iter().collect::<Vec<_>>(), alone);
    }
    let nobody = |options: &mut Options| options.credential = Credential::None;
    assert_eq!(verdicts(Odd::Nothing, IDS, nobody).await.into_iter().collect::<Vec<_>>(), alone);
}
