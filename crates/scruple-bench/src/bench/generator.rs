//! The load generator beside wrk, before nginx and before nginx's upstream: whether it measures the server or itself.

use super::http_fixed::{self, BODY_BYTES};
use super::http_load::{Outcome, Plan, get, run_on};
use super::measure::{ratio, short, table};
use super::nginx::Nginx;
use super::processes::{Cores, Memory, on_core};
use super::{Effort, progress};
use anyhow::{Context as _, Result, ensure};
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

/// Connections, as in the gateway's bench.
pub const CONNECTIONS: [usize; 3] = [1, 16, 128];

/// The section.
///
/// # Errors
/// nginx or wrk is not there or fails.
pub fn generator(effort: Effort) -> Result<String> {
    let cores = Cores::here();
    let upstream = http_fixed::start(cores.upstream)?;
    let nginx = Nginx::start(upstream.address, "/", cores.measured)?;
    let mut rows = Vec::new();
    for (name, server) in [("the upstream alone", upstream.address), ("nginx before it", nginx.address)] {
        for connections in CONNECTIONS {
            progress(&format!("{name}, {connections} connections"));
            let ours = ours(server, connections, effort.seconds, cores.client)?;
            let wrk = wrk(server, connections, effort.seconds, cores.client)?;
            rows.push(vec![
                format!("{name}, {connections} connections"),
                cell(ours.rate(), ours.p50(), ours.p99()),
                cell(wrk.rate, wrk.p50, wrk.p99),
                ratio(ours.rate(), wrk.rate),
            ]);
        }
    }
    let memory = Memory::of(nginx.worker()?)?;
    let header = ["requests/s; p50; p99", "our generator", "wrk", "requests/s, ours ÷ wrk"];
    Ok(format!(
        "Bodies of {BODY_BYTES} bytes, {} s each; {cores}. nginx's worker held {:.1} MB.\n\n{}",
        effort.seconds,
        memory.peak as f64 / 1e6,
        table(&header, &rows)
    ))
}

fn cell(rate: f64, p50: Duration, p99: Duration) -> String {
    format!("{rate:.0}; {}; {}", short(p50), short(p99))
}

fn ours(server: SocketAddr, connections: usize, seconds: u64, core: Option<usize>) -> Result<Outcome> {
    let requests = vec![get(server, "/", &[])];
    let plan = Plan { server, requests, connections, millis: seconds * 1000, warm_up_millis: 500 };
    let outcome = run_on(core, &plan)?;
    ensure!(outcome.errors() == 0, "{} requests failed", outcome.errors());
    Ok(outcome)
}

/// What wrk reached.
#[derive(Debug, PartialEq)]
pub struct Wrk {
    /// Requests a second.
    pub rate: f64,
    /// Half of the answers came within it.
    pub p50: Duration,
    /// 99 of a hundred answers came within it.
    pub p99: Duration,
}

/// Runs wrk with one thread, asking for `/`.
///
/// # Errors
/// It is not installed, fails, or has errors.
pub fn wrk(server: SocketAddr, connections: usize, seconds: u64, core: Option<usize>) -> Result<Wrk> {
    let mut command = on_core(core, "wrk");
    command.args(["--threads", "1", "--latency", "--timeout", "30s"]);
    command.args(["--connections", &connections.to_string(), "--duration", &format!("{seconds}s")]);
    let out = command.arg(format!("http://{server}/")).stdin(Stdio::null()).output()?;
    ensure!(out.status.success(), "wrk ends with {}", out.status);
    read_wrk(&String::from_utf8(out.stdout)?)
}

fn read_wrk(said: &str) -> Result<Wrk> {
    let after = |name: &str| said.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::trim);
    ensure!(after("Socket errors:").is_none() && after("Non-2xx").is_none(), "wrk had errors");
    let rate = after("Requests/sec:").context("wrk tells no rate")?.parse()?;
    let time = |name| after(name).and_then(read_time).context("wrk tells no latency");
    Ok(Wrk { rate, p50: time("50%")?, p99: time("99%")? })
}

/// A time as wrk prints it.
fn read_time(text: &str) -> Option<Duration> {
    let units = [("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0)];
    let (number, unit) = units.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))?;
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * unit).ok()
}

#[cfg(test)]
mod tests {
    use super::{Wrk, read_wrk};
    use std::time::Duration;

    const SAID: &str = "Running 1s test @ http://127.0.0.1:1/\n  1 threads and 4 connections\n  Thread Stats   Avg      Stdev     \
                        Max   +/- Stdev\n    Latency    38.35us   89.96us   2.62ms   98.56%\n  Latency Distribution\n     50%   \
                        25.00us\n     75%   36.00us\n     90%   52.00us\n     99%    1.50ms\n  128143 requests in 1.10s, \
                        540.31MB read\nRequests/sec: 116513.85\nTransfer/sec:    491.26MB\n";

    #[test]
    fn what_wrk_says_is_read() {
        let wrk = Wrk { rate: 116_513.85, p50: Duration::from_micros(25), p99: Duration::from_micros(1500) };
        assert_eq!(read_wrk(SAID).unwrap(), wrk);
        for errors in ["  Socket errors: connect 0, read 3, write 0, timeout 0\n", "  Non-2xx or 3xx responses: 4\n"] {
            assert!(read_wrk(&format!("{SAID}{errors}")).is_err());
        }
        assert!(read_wrk("unable to connect\n").is_err());
    }
}
