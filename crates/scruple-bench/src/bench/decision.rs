//! Decisions: the memo and the cold native table, beside bare Cedar and the Cerbos server. All must agree first.

use super::cedar::BareCedar;
use super::cerbos::{Cerbos, VERSION};
use super::measure::{Times, per, ratio, short, table, time};
use super::{Effort, progress};
use crate::shipped;
use anyhow::{Result, ensure};
use scruple_core::DecisionTable;
use scruple_policy::{Decider, Pack, Question, table as cold};
use std::hint::black_box;
use std::time::Duration;

/// Times that a memoised question is asked in one run.
const MEMOISED: usize = 1_000_000;
/// Requests to the server in one run.
const REQUESTS: usize = 300;

/// The section of the decision.
///
/// # Errors
/// The engines do not agree, or Cedar fails.
pub fn decision(effort: Effort) -> Result<String> {
    let decider = shipped::decider()?;
    let pack = decider.pack();
    let questions: Vec<(Question, DecisionTable)> = shipped::questions(pack)?
        .into_iter()
        .filter_map(|question| cold(pack, &question).ok().map(|table| (question, table)))
        .collect();
    progress("cedar");
    let cedar = BareCedar::compile(pack)?;
    for (question, table) in &questions {
        let views = cedar.views(pack, question, true)?;
        ensure!(views == table.views, "Cedar and the native table do not agree for {}", question.role);
    }
    let mut rows = Vec::new();
    let native = native(&decider, &questions, effort, &mut rows);
    let mut notes = vec![format!(
        "{} questions (each role with each of its purposes, under no, one and all conditions), {} categories, {} policies. \
         The views of all questions are the same natively and in Cedar, checked before measuring.",
        questions.len(),
        pack.categories.len(),
        cedar.policies()
    )];
    for (name, sliced) in [("bare Cedar, the role's policies", true), ("bare Cedar, all policies", false)] {
        progress(name);
        // One pass over all questions takes seconds where nothing is sliced.
        let some: Vec<&Question> = questions.iter().map(|(q, _)| q).step_by(if sliced { 1 } else { 7 }).collect();
        let mut times = Vec::new();
        for _ in 0..effort.runs.min(3) {
            for question in &some {
                let (took, views) = time(|| cedar.views(pack, question, sliced));
                black_box(views?);
                times.push(took);
            }
        }
        rows.push(row(&format!("{name}: {} is_authorized", pack.categories.len()), &Times::new(times), native));
    }
    match Cerbos::start(pack).and_then(|mut server| cerbos(&mut server, pack, &questions, effort)) {
        Ok(times) => {
            rows.push(row(&format!("Cerbos {VERSION} (npm), HTTP on this machine, one call"), &times, native));
            notes.push(
                "Cerbos is another process: its time holds HTTP, JSON and two context switches. Its views agree too."
                    .to_owned(),
            );
        }
        Err(error) => notes.push(format!("Cerbos: not run: {error:#}.")),
    }
    let header = ["one decision over all categories", "median", "p99", "worst", "÷ cold native"];
    Ok(format!("{}\n\n{}", notes.join(" "), table(&header, &rows)))
}

/// The native rows; the median of the cold one.
fn native(
    decider: &Decider,
    questions: &[(Question, DecisionTable)],
    effort: Effort,
    rows: &mut Vec<Vec<String>>,
) -> Duration {
    progress("native");
    let pack = decider.pack();
    let asked = |role: &str| questions.iter().map(|(q, _)| q).find(|q| q.role == role);
    for question in ["biller", "physician"].into_iter().filter_map(asked) {
        let _ = black_box(decider.decide(question));
        let runs = (0..effort.runs).map(|_| {
            let (took, ()) = time(|| {
                for _ in 0..MEMOISED {
                    let _ = black_box(decider.decide(black_box(question)));
                }
            });
            took
        });
        let times = Times::new(runs.collect());
        rows.push(vec![
            format!("memoised, {} {}", question.role, question.purpose),
            per(times.median(), MEMOISED),
            "-".to_owned(),
            per(times.at(100), MEMOISED),
            "-".to_owned(),
        ]);
    }
    let mut times = Vec::new();
    for _ in 0..effort.runs {
        for (question, _) in questions {
            let (took, table) = time(|| cold(pack, question));
            let _ = black_box(table);
            times.push(took);
        }
    }
    let times = Times::new(times);
    rows.push(row("cold native table", &times, times.median()));
    times.median()
}

fn row(name: &str, times: &Times, native: Duration) -> Vec<String> {
    vec![
        name.to_owned(),
        short(times.median()),
        short(times.at(99)),
        short(times.at(100)),
        ratio(times.median().as_secs_f64(), native.as_secs_f64()),
    ]
}

fn cerbos(server: &mut Cerbos, pack: &Pack, questions: &[(Question, DecisionTable)], effort: Effort) -> Result<Times> {
    progress("cerbos");
    for (question, table) in questions.iter().step_by(5) {
        let (_, views) = server.views(pack, question)?;
        ensure!(views == table.views, "its views and the native table do not agree for {}", question.role);
    }
    let mut times = Vec::new();
    for (question, _) in questions.iter().cycle().take(REQUESTS * effort.runs.min(3)) {
        times.push(server.views(pack, question)?.0);
    }
    Ok(Times::new(times))
}
