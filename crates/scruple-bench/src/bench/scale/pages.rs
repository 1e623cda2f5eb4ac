//! The console's pages, as those who work there open them.

use super::Size;
use super::client::ask;
use super::fill::Filled;
use super::nodes::Nodes;
use crate::bench::measure::{Times, short, time};
use crate::bench::progress;
use anyhow::{Context as _, Result};
use std::time::Duration;

/// A page, who opens it, and where it is; `{person}` is another person each time, `{chart}` another question.
const PAGES: [(&str, &str, &str); 23] = [
    ("today of the privacy office", "privacy_officer", "/"),
    ("today of a manager", "manager", "/"),
    ("my access of a nurse", "nurse", "/access"),
    ("ask", "nurse", "/ask"),
    ("the door", "nurse", "/door"),
    ("requests", "privacy_officer", "/requests"),
    ("requests in numbers", "privacy_officer", "/requests/figures"),
    ("exceptions", "privacy_officer", "/exceptions"),
    ("emergencies", "privacy_officer", "/emergency"),
    ("emergencies in numbers", "privacy_officer", "/emergency/figures"),
    ("people", "privacy_officer", "/people"),
    ("people who are called so", "privacy_officer", "/people?q={login}"),
    ("people of a manager", "manager", "/people"),
    ("what is wrong with accounts", "privacy_officer", "/people/findings"),
    ("one person", "privacy_officer", "/people/{person}"),
    ("who opened this chart", "privacy_officer", "{chart}"),
    ("the most opened chart", "privacy_officer", "{known}"),
    ("charts", "privacy_officer", "/charts"),
    ("roles", "privacy_officer", "/roles"),
    ("one role", "privacy_officer", "/roles/nurse"),
    ("fit of roles", "privacy_officer", "/roles/fit"),
    ("versions", "privacy_officer", "/roles/versions"),
    ("the lens", "privacy_officer", "/lens"),
];
/// Questions about charts.
const CHARTS: usize = 20;

/// A row for each, and one for all together.
pub fn measure(nodes: &Nodes, filled: &Filled, size: Size) -> Result<Vec<Vec<String>>> {
    let server = nodes.first.console;
    let charts: Vec<String> =
        filled.patients.iter().take(CHARTS + 1).map(|number| question(nodes, number)).collect::<Result<_>>()?;
    let (known, others) = charts.split_first().context("nobody's chart was asked for")?;
    let (mut rows, mut all) = (Vec::new(), Vec::new());
    for (title, role, target) in PAGES {
        progress(title);
        let cookie = nodes.cookie(role)?;
        let mut times: Vec<Duration> = Vec::with_capacity(size.looks);
        for look in 0..size.looks {
            let (login, person, _) =
                filled.people.get(look * 997 % filled.people.len().max(1)).context("there is nobody")?;
            let target = target
                .replace("{login}", login)
                .replace("{person}", &person.to_string())
                .replace("{known}", known)
                .replace("{chart}", others.get(look % others.len().max(1)).unwrap_or(known));
            let (took, answer) = time(|| ask(server, ("GET", &target), &[("cookie", cookie)], ""));
            answer?.is(200).with_context(|| format!("{title}: {target}"))?;
            times.push(took);
        }
        all.extend_from_slice(&times);
        rows.push(row(title, times));
    }
    rows.push(row("**all of them**", all));
    Ok(rows)
}

fn row(title: &str, times: Vec<Duration>) -> Vec<String> {
    let times = Times::new(times);
    vec![title.to_owned(), short(times.median()), short(times.at(99)), short(times.at(100))]
}

/// Asks about a chart, and says where the answer is.
fn question(nodes: &Nodes, number: &str) -> Result<String> {
    let (server, cookie) = (nodes.first.console, nodes.cookie("privacy_officer")?);
    let page = ask(server, ("GET", "/charts"), &[("cookie", cookie)], "")?.is(200)?;
    let (_, rest) = page.body.split_once("name=\"csrf\" value=\"").context("the page has no form")?;
    let csrf = rest.split('"').next().unwrap_or_default();
    let fields = format!("csrf={csrf}&patient={number}&period=days&cause=routine");
    let headers = [("cookie", cookie), ("content-type", "application/x-www-form-urlencoded")];
    let answer = ask(server, ("POST", "/charts"), &headers, &fields)?.is(303)?;
    Ok(answer.header("location").context("the answer leads nowhere")?.to_owned())
}
