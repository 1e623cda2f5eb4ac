//! One connection that asks two things in turn and times each answer: what a caller can do who wants to tell them apart.

use super::http_load::Connection;
use super::processes::{given_plan, run_role};
use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Instant;

/// The first argument of the program that asks: the plan on standard input, the times on standard output.
pub const ROLE: &str = "http-alternately";

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The server.
    pub server: SocketAddr,
    /// Pairs of whole requests, taken in turn.
    pub pairs: Vec<[String; 2]>,
    /// How often a pair is asked.
    pub rounds: usize,
    /// How often before, without being timed.
    pub warm_up: usize,
    /// The status of every answer.
    pub status: u16,
}

/// Nanoseconds of each answer, in the order of the rounds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Timed {
    /// Of the first of each pair.
    pub first: Vec<u64>,
    /// Of the second.
    pub second: Vec<u64>,
}

/// Runs the plan in a process of its own, on this core if one is given.
///
/// # Errors
/// The process fails, or an answer tells the two apart without a clock: by status or length.
pub fn run_on(core: Option<usize>, plan: &Plan) -> Result<Timed> {
    run_role(core, ROLE, plan)
}

/// The role of the process that `run_on` starts.
///
/// # Errors
/// The plan cannot be read or run.
pub fn role() -> Result<String> {
    let plan: Plan = given_plan()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(serde_json::to_string(&runtime.block_on(run(&plan))?)?)
}

async fn run(plan: &Plan) -> Result<Timed> {
    ensure!(!plan.pairs.is_empty(), "the plan asks nothing");
    let mut connection = Connection::open(plan.server).await?;
    let mut timed = Timed::default();
    for round in 0..plan.warm_up + plan.rounds {
        let pair = plan.pairs.get(round % plan.pairs.len()).context("no pair")?;
        let (first, second);
        // Neither is always asked behind the other, nor each pair in one order.
        if (round + round / plan.pairs.len()).is_multiple_of(2) {
            first = ask(&mut connection, &pair[0], plan.status).await?;
            second = ask(&mut connection, &pair[1], plan.status).await?;
        } else {
            second = ask(&mut connection, &pair[1], plan.status).await?;
            first = ask(&mut connection, &pair[0], plan.status).await?;
        }
        ensure!(first.1 == second.1, "answers of {} and {} bytes: the length tells them apart", first.1, second.1);
        if round >= plan.warm_up {
            timed.first.push(first.0);
            timed.second.push(second.0);
        }
    }
    Ok(timed)
}

/// Nanoseconds until the whole answer was there, and bytes of its body.
async fn ask(connection: &mut Connection, request: &str, status: u16) -> Result<(u64, u64)> {
    let begin = Instant::now();
    let answer = connection.ask(request).await?;
    let nanos = u64::try_from(begin.elapsed().as_nanos())?;
    ensure!(answer.status == status, "status {} in place of {status}", answer.status);
    ensure!(!answer.closes, "the server closes the connection");
    Ok((nanos, answer.body_bytes))
}
