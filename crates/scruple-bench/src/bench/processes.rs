//! Other processes: rivals that are found or installed from their registry into the cache; cores, users, memory.

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ffi::OsStr;
use std::fmt;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::sync::oneshot;

use super::measure::time;
use crate::workspace;

/// The version of jaq that is measured.
const JAQ: &str = "3.1.2";

/// Runs a role of this program in a process of its own, on this core if one is given: the plan goes to its standard input,
/// and what it found out comes from its standard output.
pub fn run_role<P: Serialize, T: DeserializeOwned>(core: Option<usize>, role: &str, plan: &P) -> Result<T> {
    let mut command = on_core(core, std::env::current_exe()?);
    let mut child = command.arg(role).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.take().context("no standard input")?.write_all(&serde_json::to_vec(plan)?)?;
    let out = child.wait_with_output()?;
    ensure!(out.status.success(), "{role} ends with {}", out.status);
    serde_json::from_slice(&out.stdout).with_context(|| format!("{role} says something else"))
}

/// The plan that a process got from [`run_role`].
pub fn given_plan<P: DeserializeOwned>() -> Result<P> {
    let mut text = Vec::new();
    std::io::stdin().read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// A program that prints its input minified, `PROGRAM -c . FILE`.
pub struct Printer {
    pub name: String,
    program: PathBuf,
}

impl Printer {
    /// jq, from Debian.
    pub fn jq() -> Result<Self> {
        let out = Command::new("jq").arg("--version").output().context("jq is not installed")?;
        Ok(Self { name: String::from_utf8_lossy(&out.stdout).trim().to_owned(), program: "jq".into() })
    }

    /// jaq, built from its crate with the flags of this run.
    pub fn jaq() -> Result<Self> {
        let cpu = std::env::var("SCRUPLE_BENCH_CPU").unwrap_or_else(|_| "default".to_owned());
        let root = workspace::rivals_folder()?.join(format!("jaq-{JAQ}-{cpu}"));
        let program = root.join("bin/jaq");
        if !program.is_file() {
            super::progress("building jaq, once");
            let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            cargo.args(["install", "--quiet", "--locked", "--version", JAQ, "--root"]).arg(&root).arg("jaq");
            cargo.env("CARGO_TARGET_DIR", root.join("target"));
            ensure!(quiet(&mut cargo)?, "jaq does not build");
            std::fs::remove_dir_all(root.join("target"))?;
        }
        Ok(Self { name: format!("jaq-{JAQ}"), program })
    }

    /// The time of the whole process, its output thrown away.
    pub fn run(&self, file: &Path) -> Result<Duration> {
        let mut command = Command::new(&self.program);
        command.args(["-c", "."]).arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let (took, status) = time(|| command.status());
        ensure!(status?.success(), "{} fails", self.name);
        Ok(took)
    }

    /// Bytes of its output.
    pub fn output_bytes(&self, file: &Path) -> Result<usize> {
        let out = Command::new(&self.program).args(["-c", "."]).arg(file).stdin(Stdio::null()).output()?;
        ensure!(out.status.success(), "{} fails", self.name);
        Ok(out.stdout.len())
    }
}

/// Runs a program that says nothing; whether it went well.
pub fn quiet(command: &mut Command) -> Result<bool> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    Ok(status.with_context(|| format!("cannot start `{name}`"))?.success())
}

/// Which core does what, so that a proxy has one for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cores {
    /// What is measured. `None`: there is one core, or none can be chosen.
    pub measured: Option<usize>,
    /// The server behind it.
    pub upstream: Option<usize>,
    /// The load generator.
    pub client: Option<usize>,
}

impl Cores {
    /// Of this machine.
    pub fn here() -> Self {
        let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let can = quiet(Command::new("taskset").arg("-V")).unwrap_or(false);
        Self::of(if can { count } else { 1 })
    }

    fn of(count: usize) -> Self {
        // The last one is measured: interrupts and everybody else tend to be on the first.
        let nth_last = |n: usize| count.checked_sub(n);
        match count {
            0 | 1 => Self { measured: None, upstream: None, client: None },
            2 => Self { measured: Some(1), upstream: Some(0), client: Some(0) },
            _ => Self { measured: nth_last(1), upstream: nth_last(2), client: nth_last(3) },
        }
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.measured, self.upstream, self.client) {
            (None, ..) => f.write_str("all share one core, or none is chosen"),
            (_, upstream, client) if upstream == client => {
                f.write_str("the proxy has a core for itself, upstream and client share the other")
            }
            _ => f.write_str("proxy, upstream and client have a core each"),
        }
    }
}

/// A program that runs on one core, if one is given. It gets SIGTERM when the thread that starts it ends, however that comes.
pub fn on_core(core: Option<usize>, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "--"]);
    if let Some(core) = core {
        command.args(["taskset", "-c", &core.to_string()]);
    }
    command.arg(program);
    command
}

/// A server in a process of its own: it says where it listens, and ends when its standard input closes.
pub struct Served {
    process: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Served {
    /// Starts it.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("no standard output")?).read_line(&mut line)?;
        match line.trim().parse() {
            Ok(address) => Ok(Self { process, address }),
            Err(error) => {
                let _ = process.kill();
                let _ = process.wait();
                Err(error).context("the upstream does not start")
            }
        }
    }

    /// From the side of the process: resolves when its standard input has closed.
    pub fn ending() -> oneshot::Receiver<()> {
        let (closed, ending) = oneshot::channel();
        std::thread::spawn(move || {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            let _ = closed.send(());
        });
        ending
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// Asks a process to end, and waits for it.
pub fn stop(process: &mut Child) {
    let asked = quiet(Command::new("kill").args(["-TERM", &process.id().to_string()]));
    if !asked.unwrap_or(false) {
        let _ = process.kill();
    }
    let _ = process.wait();
}

/// The name and the group of whoever runs this.
pub fn current_user() -> Result<(String, String)> {
    let ask = |word: &str| -> Result<String> {
        let out = Command::new("id").arg(word).output().context("cannot start `id`")?;
        Ok(String::from_utf8(out.stdout)?.trim().to_owned())
    };
    Ok((ask("-un")?, ask("-gn")?))
}

/// Seconds of processor time that a process has had.
///
/// # Errors
/// It is gone, or the system does not tell.
pub fn cpu_seconds(process: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    ticks(&stat).map(|ticks| ticks as f64 / TICKS_A_SECOND).context("the system does not tell")
}

/// What Linux counts processor time in, on every machine of today.
const TICKS_A_SECOND: f64 = 100.0;

/// User and system time. The name before them may hold anything but ends with the last parenthesis.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// Bytes of memory that a process holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident now.
    pub resident: u64,
    /// The most that was ever resident.
    pub peak: u64,
}

impl Memory {
    /// Of this process.
    ///
    /// # Errors
    /// It is gone, or the system does not tell.
    pub fn of(process: u32) -> Result<Self> {
        Self::read(&std::fs::read_to_string(format!("/proc/{process}/status"))?).context("the system does not tell")
    }

    fn read(status: &str) -> Option<Self> {
        let kilobytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
        };
        Some(Self { resident: kilobytes("VmRSS")? * 1024, peak: kilobytes("VmHWM")? * 1024 })
    }
}

#[cfg(test)]
mod tests {
    use super::{Cores, Memory, cpu_seconds, on_core, stop, ticks};
    use std::process::{Command, Stdio};

    #[test]
    fn memory_is_read_from_what_the_system_tells() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\nThreads:\t1\n";
        assert_eq!(Memory::read(status), Some(Memory { resident: 1 << 20, peak: 2 << 20 }));
        assert_eq!(Memory::read("Name:\tx\n"), None);
        let own = Memory::of(std::process::id()).unwrap();
        assert!(own.resident > 100_000 && own.peak >= own.resident);
        assert!(Memory::of(u32::MAX).is_err());
    }

    #[test]
    fn processor_time_is_read_from_what_the_system_tells() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 9 0 0 0 250 31 0 0 20 0 3 0 100 1 1";
        assert_eq!(ticks(stat), Some(281));
        assert_eq!(ticks("7 (a"), None);
        assert!(cpu_seconds(std::process::id()).unwrap() >= 0.0 && cpu_seconds(u32::MAX).is_err());
    }

    #[test]
    fn what_is_measured_shares_its_core_with_nobody() {
        for (count, measured, upstream, client) in [
            (1, None, None, None),
            (2, Some(1), Some(0), Some(0)),
            (3, Some(2), Some(1), Some(0)),
            (8, Some(7), Some(6), Some(5)),
        ] {
            assert_eq!(Cores::of(count), Cores { measured, upstream, client });
        }
    }

    #[test]
    fn a_process_runs_on_its_core_and_ends_when_it_is_asked() {
        let out = on_core(Some(0), "grep").args(["Cpus_allowed_list", "/proc/self/status"]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&out.stdout).split_whitespace().last(), Some("0"));
        let mut process = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let _input = process.stdin.take();
        stop(&mut process);
        assert!(process.try_wait().unwrap().is_some_and(|status| !status.success()));
    }
}
