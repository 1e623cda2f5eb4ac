//! Somebody leaves at one node, and is refused at the other: with the feed, and where that node cannot read it.

use super::client::ask;
use super::fill::Filled;
use super::nodes::{Nodes, SCIM_TOKEN};
use super::relay::{Relay, State};
use super::{Size, progress};
use crate::bench::measure::{Times, short, table};
use anyhow::{Context as _, Result, ensure};
use std::time::{Duration, Instant};

/// What is asked: it needs no patient, and is refused to nobody who is here.
const TARGET: &str = "/fhir/Practitioner?_count=1";
/// Between two looks.
const LOOK: Duration = Duration::from_millis(5);
/// How long is waited for a refusal, or for the node to serve again.
const PATIENCE: Duration = Duration::from_secs(30);
/// Who leaves.
const ROLE: &str = "physician";

/// The table.
pub fn measure(nodes: &Nodes, filled: &Filled, relay: &Relay, size: Size) -> Result<String> {
    let mut leavers = filled.people.iter().filter(|(_, _, role)| role == ROLE);
    let mut rows = Vec::new();
    for (title, state, count) in [
        ("the other node reads the feed", State::Open, size.leavers),
        ("its database's connections are cut", State::Cut, size.leavers.min(5)),
        ("its database does not answer", State::Hung, size.leavers.min(5)),
    ] {
        progress(title);
        let mut times = Vec::new();
        for _ in 0..count {
            let (login, person, _) = leavers.next().context("everybody has left")?;
            let bearer = nodes.bearer(login, ROLE)?;
            let looks = |until: fn(u16) -> bool, what: &str| {
                let began = Instant::now();
                loop {
                    let answer = ask(nodes.second.gateway, ("GET", TARGET), &[("authorization", &bearer)], "")?;
                    if until(answer.status) {
                        return anyhow::Ok(Instant::now());
                    }
                    ensure!(began.elapsed() < PATIENCE, "{what} within {PATIENCE:?}: still {}", answer.status);
                    std::thread::park_timeout(LOOK);
                }
            };
            looks(|status| status == 200, "the node does not serve")?;
            relay.is(state);
            leaves(nodes, &person.to_string())?;
            let left = Instant::now();
            let refused = looks(|status| status != 200, "he is not refused")?;
            times.push(refused.saturating_duration_since(left));
            relay.is(State::Open);
        }
        let times = Times::new(times);
        rows.push(vec![title.to_owned(), count.to_string(), short(times.median()), short(times.at(100))]);
    }
    Ok(format!(
        "From the answer that somebody has left (SCIM, at the first node) to the first refusal at the second:\n\n{}",
        table(&["", "leavers", "p50", "largest"], &rows)
    ))
}

fn leaves(nodes: &Nodes, person: &str) -> Result<()> {
    let body = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":false}]}"#;
    let bearer = format!("Bearer {SCIM_TOKEN}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/scim+json")];
    let answer = ask(nodes.first.console, ("PATCH", &format!("/scim/v2/Users/{person}")), &headers, body)?;
    ensure!(matches!(answer.status, 200 | 204), "{}: {}", answer.status, answer.body);
    Ok(())
}
