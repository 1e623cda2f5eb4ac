//! Hostile page tokens into a gateway: what is none of the caller's own, letter by letter and where it was given, opens
//! nothing, and is refused in the same way whatever it was.
//!
//! A case is a line: a type, a space, and a query.

use super::run::Fuzz;
use super::standing::OverStore;
use super::{Draw, mutate};
use crate::node::Person;
use crate::shipped;
use anyhow::{Context as _, Result, ensure};
use rand_chacha::ChaCha20Rng;
use scruple_fhir::search::{decode_pairs, encode};
use scruple_pairs::Behind;
use scruple_testkit::interfere::{Request, Response, Store, Stored, System as _};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Runtime;

/// Requests to one gateway, until another takes its place: each is a record.
const ASKS_MAX: u64 = 20_000;
/// Searches that have more than a page.
const SEARCHES: [(&str, &str); 5] = [
    ("Observation", "_count=2"),
    ("Observation", "_count=3&_sort=-date"),
    ("Observation", "_count=2&_total=accurate&status=final"),
    ("Encounter", "_count=2"),
    ("Encounter", "_count=1&_sort=date,_id"),
];
const CALLER: (&str, &str) = ("biller", "HPAYMT");
const OTHERS: [(&str, &str); 2] = [("nurse", "TREAT"), ("physician", "TREAT")];

/// A token and the type that it was given for.
type Given = (String, String);

struct Standing {
    over: OverStore,
    asks: u64,
}

/// The fuzzer.
pub struct FuzzPage {
    runtime: Arc<Runtime>,
    idle: Mutex<Vec<Standing>>,
    own: BTreeSet<Given>,
    all: Vec<Given>,
}

fn resources() -> Vec<Value> {
    let to = |id: &str| json!({ "reference": id });
    let mut all = vec![json!({ "resourceType": "Patient", "id": "p1", "birthDate": "1980-05-17" })];
    for number in 0..7 {
        let day = format!("2026-01-{:02}", 20 - number);
        all.push(json!({
            "resourceType": "Encounter", "id": format!("e{number}"), "status": "finished", "subject": to("Patient/p1"),
            "class": { "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB" },
            "period": { "start": day, "end": day },
        }));
        all.push(json!({
            "resourceType": "Observation", "id": format!("o{number}"), "status": "final", "subject": to("Patient/p1"),
            "code": { "coding": [{ "system": "http://loinc.org", "code": "8867-4" }] }, "effectiveDateTime": day,
        }));
    }
    all
}

fn person((role, purpose): (&str, &str)) -> Person {
    let login = format!("fuzz.{role}");
    Person { login, role: role.to_owned(), purpose: purpose.to_owned(), practitioners: Vec::new() }
}

fn standing(runtime: &Arc<Runtime>, who: (&str, &str)) -> Result<OverStore> {
    let mut over = OverStore::new(runtime, &shipped::active()?, &person(who), &Behind::Raw)?;
    let mut store = Store::new();
    for resource in resources() {
        store.put(Arc::new(Stored::new(resource).context("no resource")?));
    }
    over.load(&store);
    Ok(over)
}

fn asked(over: &mut OverStore, kind: &str, query: &str, seed: u64) -> Response {
    let request = Request {
        method: "GET".to_owned(),
        path: format!("/fhir/{kind}"),
        query: Some(query.to_owned()),
        headers: Vec::new(),
        body: Vec::new(),
    };
    over.ask(&request, seed)
}

/// The token behind which the next page is.
fn next(response: &Response) -> Option<String> {
    let bundle: Value = serde_json::from_slice(&response.body).ok()?;
    let links = bundle.get("link")?.as_array()?;
    let next = links.iter().find(|link| link.get("relation").is_some_and(|relation| relation == "next"))?;
    let (_, token) = next.get("url")?.as_str()?.split_once("_page=")?;
    Some(token.to_owned())
}

/// The tokens that somebody is given: of each search, of each of its pages.
fn tokens(over: &mut OverStore, seed: u64) -> Vec<Given> {
    let mut given = Vec::new();
    for (kind, query) in SEARCHES {
        let mut query = query.to_owned();
        while let Some(token) = next(&asked(over, kind, &query, seed)) {
            query = format!("_page={token}");
            given.push((kind.to_owned(), token));
        }
    }
    given
}

impl FuzzPage {
    /// With the tokens of a few callers.
    ///
    /// # Errors
    /// A gateway cannot be put together, or gives no tokens.
    pub fn new() -> Result<Self> {
        let runtime = Arc::new(tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?);
        let mut over = standing(&runtime, CALLER)?;
        let own: BTreeSet<Given> = [1, 2].into_iter().flat_map(|seed| tokens(&mut over, seed)).collect();
        ensure!(own.len() > 10, "{} tokens were given", own.len());
        let mut all: Vec<Given> = own.iter().cloned().collect();
        for who in OTHERS {
            let others = tokens(&mut standing(&runtime, who)?, 1);
            ensure!(!others.is_empty(), "{} is given no token", who.0);
            all.extend(others);
        }
        Ok(Self { runtime, idle: Mutex::new(vec![Standing { over, asks: 0 }]), own, all })
    }

    fn ask(&self, kind: &str, query: &str, seed: u64) -> Result<Response, String> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let free = idle().pop();
        let mut free = match free {
            Some(free) => free,
            None => Standing { over: standing(&self.runtime, CALLER).map_err(|why| why.to_string())?, asks: 0 },
        };
        let response = asked(&mut free.over, kind, query, seed);
        free.asks += 1;
        if free.asks < ASKS_MAX {
            idle().push(free);
        }
        Ok(response)
    }
}

impl Fuzz for FuzzPage {
    fn name(&self) -> &'static str {
        "fuzz-page"
    }

    fn make(&self, rng: &mut ChaCha20Rng) -> Vec<u8> {
        let mut draw = Draw(rng);
        let (kind, token) = draw.pick(&self.all).clone();
        let mut token = token.into_bytes();
        let (other_kind, other) = draw.pick(&self.all).clone();
        match draw.below(8) {
            // As it was given, perhaps to another, perhaps for another type.
            0 => {}
            1 => {
                let at = draw.below(token.len());
                token.truncate(at);
                token.extend_from_slice(other.as_bytes().get(at..).unwrap_or_default());
            }
            2 => {
                let length = draw.below(600);
                token = (0..length).map(|_| *draw.pick(b"ABCDEFabcdef0123-_".as_slice())).collect();
            }
            3 => token.extend_from_slice(draw.pick::<&[u8]>(&[
                b"=",
                b"==",
                b"A",
                b"%00",
                b"%3D",
                b"+",
                b"&_page=x",
                b"\n",
            ])),
            _ => mutate::bytes(&mut draw, &mut token, other.as_bytes()),
        }
        let kind = if draw.once_in(6) { other_kind } else { kind };
        let beside = *draw.pick(&["", "", "", "", "_count=2&", "_sort=date&", "status=final&"]);
        let mut case = format!("{kind} {beside}_page=").into_bytes();
        case.extend_from_slice(&token);
        case
    }

    fn check(&self, case: &[u8]) -> Result<(), String> {
        let Ok(text) = std::str::from_utf8(case) else { return Ok(()) };
        let Some((kind, query)) = text.split_once(' ') else { return Ok(()) };
        if !SEARCHES.iter().any(|(known, _)| *known == kind) {
            return Ok(());
        }
        let pairs = decode_pairs(query).unwrap_or_default();
        let is_own = matches!(pairs.as_slice(), [(name, token)] if name == "_page"
            && self.own.contains(&(kind.to_owned(), token.clone())));
        // Whatever cannot stand in a URL is sent as a client would have to.
        let sendable = query.bytes().all(|byte| {
            byte.is_ascii_graphic()
                && !matches!(byte, b'#' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
        });
        let sent = if sendable { query.to_owned() } else { encode(&pairs).to_string() };
        let first = self.ask(kind, &sent, 7)?;
        match first.status {
            200 if is_own => {}
            200 if !pairs.iter().any(|(name, _)| name == "_page") => {}
            200 => return Err("a token that was not given opens a page".to_owned()),
            status if is_own => return Err(format!("a token that was given is answered with {status}")),
            400 | 403 => {}
            status => return Err(format!("a token is answered with {status}")),
        }
        let token = pairs.iter().find(|(name, _)| name == "_page").map_or("", |(_, token)| token.as_str());
        let quotes = token.len() > 12 && String::from_utf8_lossy(&first.body).contains(token);
        if first.status != 200 && quotes {
            return Err("a refusal holds the token".to_owned());
        }
        let again = self.ask(kind, &sent, 7)?;
        if (first.status, &first.body) != (again.status, &again.body) {
            return Err("another answer the second time".to_owned());
        }
        Ok(())
    }
}
