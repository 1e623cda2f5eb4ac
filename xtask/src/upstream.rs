//! A FHIR server of others for one run: a program that prints `{"base":"http://..."}` when it is ready, and ends when its
//! standard input closes. So it is gone when this program ends, Ctrl-C and SIGKILL included.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::{npm, shell};

/// Tells tests and long runs the base of a Medplum server.
pub const MEDPLUM_VARIABLE: &str = "SCRUPLE_TEST_MEDPLUM";

/// The first line of the program.
#[derive(Deserialize)]
struct Ready {
    base: String,
}

/// A running server.
pub struct Upstream {
    program: Child,
    /// Its base, without a slash at the end.
    pub base: String,
}

impl Upstream {
    /// Medplum's router, out of the box.
    pub fn medplum() -> Result<Self> {
        let mut command = medplum("server.mjs")?;
        Self::start(&mut command).context("Medplum does not start")
    }

    fn start(command: &mut Command) -> Result<Self> {
        let mut program = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("it cannot be run")?;
        let mut line = String::new();
        let said = program.stdout.take().map(|out| BufReader::new(out).read_line(&mut line));
        match serde_json::from_str::<Ready>(&line) {
            Ok(ready) if matches!(said, Some(Ok(_))) => Ok(Self { program, base: ready.base }),
            _ => {
                drop(program.stdin.take());
                let _ = program.kill();
                bail!("it ended with {} in place of telling its base", program.wait()?)
            }
        }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        drop(self.program.stdin.take());
        if let Err(error) = self.program.wait() {
            eprintln!("warning: cannot tell whether an upstream was stopped: {error}");
        }
    }
}

/// Holds what `upstreams/README.md` says of Medplum against its server.
pub fn check_medplum() -> Result<String> {
    shell::output(&mut medplum("check.mjs")?).map(|said| said.trim().to_owned())
}

fn medplum(script: &str) -> Result<Command> {
    let folder = shell::root().join("upstreams/medplum");
    let mut command = Command::new("node");
    command.arg(folder.join(script)).arg("--modules").arg(npm::packages(&folder)?);
    Ok(command)
}

/// Where the program of Helios is, when somebody has built it: it needs a quarter of an hour and a workspace of its own.
pub fn helios_program() -> PathBuf {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_else(|| shell::root().join("target"));
    home.join(".cache/scruple/upstreams/helios")
}

/// Helios, if its program is there.
pub fn helios() -> Result<Option<Upstream>> {
    let program = helios_program();
    if !program.is_file() {
        return Ok(None);
    }
    Upstream::start(&mut Command::new(program)).context("Helios does not start").map(Some)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::Upstream;

    fn sh(script: &str) -> anyhow::Result<Upstream> {
        let mut command = Command::new("sh");
        Upstream::start(command.args(["-c", script]))
    }

    #[test]
    fn a_server_tells_its_base_and_ends_when_it_is_let_go() {
        let upstream = sh(r#"echo '{"base":"http://127.0.0.1:1/fhir/R4"}'; cat >/dev/null"#).unwrap();
        assert_eq!(upstream.base, "http://127.0.0.1:1/fhir/R4");
        let id = upstream.program.id();
        assert!(std::fs::exists(format!("/proc/{id}")).unwrap());
        drop(upstream);
        assert!(!std::fs::exists(format!("/proc/{id}")).unwrap());
    }

    #[test]
    fn a_server_that_does_not_tell_its_base_is_an_error() {
        for script in ["exit 3", "echo ready; cat >/dev/null", r#"echo '{"bass":1}'"#] {
            assert!(sh(script).is_err(), "{script}");
        }
    }
}
