//! Rivals that are programs of their own: found, or installed from their registry into the cache.

use anyhow::{Context as _, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::measure::time;
use crate::workspace;

/// The version of jaq that is measured.
const JAQ: &str = "3.1.2";

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
