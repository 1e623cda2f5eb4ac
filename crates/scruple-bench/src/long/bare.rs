//! What servers that others wrote tell of hidden things when their answers are filtered and nothing more is done: a table for
//! each in `docs/servers-alone.md`. It finds no fault of ours; what it counts is what the gateway is for.

use super::pairs::{CALLERS, Shared};
use super::run::{Counter, Limit, Report, Settings, progress};
use crate::node::{BASE, NOON};
use crate::workspace;
use anyhow::{Context as _, Result, anyhow, ensure};
use scruple_pairs::{BareServer, Behind};
use scruple_testkit::interfere::Pairs;
use scruple_testkit::interfere::bare::Census;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Requests of a pair of stores.
const OF_A_PAIR: usize = 60;
/// The path of the base.
const ROOT: &str = "/fhir";
const FILE: &str = "docs/servers-alone.md";
const BEGIN: &str = "<!-- tables: begin -->\n";
const END: &str = "<!-- tables: end -->";

/// Asks each server that is named, in turn, for each caller in turn.
///
/// # Errors
/// No server is named, or the page cannot be written.
pub fn bare(settings: &Settings) -> Result<Report> {
    let servers: Vec<Behind> = Behind::of_others();
    ensure!(!servers.is_empty(), "no server of others is named: `cargo xtask long bare` starts them");
    let shared = Shared::new()?;
    let counter = Counter::new(match settings.limit {
        Limit::Cases(cases) => Limit::Cases(cases.div_ceil(OF_A_PAIR as u64)),
        minutes @ Limit::Minutes(_) => minutes,
    });
    let mut seen: BTreeMap<String, Census> = BTreeMap::new();
    let mut cases = 0;
    while let Some(number) = counter.take() {
        let at = usize::try_from(number)?;
        let (Some(behind), Some(who)) =
            (servers.get(at % servers.len()), CALLERS.get(at / servers.len() % CALLERS.len()))
        else {
            break;
        };
        let server = || BareServer::new(behind, ROOT).context("no server of others");
        let (mut a, mut b) = (server()?, server()?);
        let pairs = behind.takes(Pairs::new(settings.seed, NOON).map_err(|error| anyhow!("no pairs: {error}"))?);
        let census = seen.entry(behind.to_string()).or_default();
        shared.caller(*who)?.census((&pairs, BASE), (&mut a, &mut b), (1, OF_A_PAIR), settings.seed ^ number, census);
        cases = seen.values().flat_map(Census::values).map(|told| told.asked as u64).sum();
        if settings.progress && number.is_multiple_of(20) {
            progress(&format!("bare: {cases} requests"));
        }
    }
    if settings.progress {
        write(&seen)?;
    }
    Ok(Report { cases, ..Report::default() })
}

fn write(seen: &BTreeMap<String, Census>) -> Result<()> {
    let path = workspace::root().join(FILE);
    let text = std::fs::read_to_string(&path).context(FILE)?;
    let (before, rest) = text.split_once(BEGIN).context("docs/servers-alone.md has no place for its tables")?;
    let (_, behind) = rest.split_once(END).context("docs/servers-alone.md has no end of its tables")?;
    std::fs::write(&path, format!("{before}{BEGIN}{}{END}{behind}", tables(seen)?)).context(FILE)
}

fn tables(seen: &BTreeMap<String, Census>) -> Result<String> {
    let mut text = String::new();
    for (server, census) in seen {
        writeln!(
            text,
            "\n## {server}\n\n| request | asked | answered | told apart | of 1,000 | the shortest that tells |"
        )?;
        writeln!(text, "|---|---|---|---|---|---|")?;
        for (kind, told) in census {
            let share = told.apart * 1_000 / told.asked.max(1);
            let example = told.example.replace('|', "\\|");
            let example = if example.is_empty() { String::new() } else { format!("`{example}`") };
            writeln!(text, "| {kind} | {} | {} | {} | {share} | {example} |", told.asked, told.answered, told.apart)?;
        }
    }
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use scruple_testkit::interfere::bare::Told;

    #[test]
    fn a_table_tells_counts_and_the_share() {
        let told = Told { asked: 40, answered: 30, apart: 2, example: "GET /Patient?a=b|c".to_owned() };
        let seen = BTreeMap::from([("Shoebox".to_owned(), Census::from([("chain", told)]))]);
        let text = tables(&seen).unwrap();
        assert!(text.contains("## Shoebox\n"), "{text}");
        assert!(text.contains("| chain | 40 | 30 | 2 | 50 | `GET /Patient?a=b\\|c` |"), "{text}");
    }
}
