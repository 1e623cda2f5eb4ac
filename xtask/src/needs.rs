//! What the tests need beyond a Rust toolchain and a C compiler, and how it comes onto the machine.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{postgres, shell};

struct Need {
    name: &'static str,
    why: &'static str,
    is_there: fn() -> bool,
    /// Packages of Debian and its children.
    apt: &'static [&'static str],
}

/// Tests run without a network; only this table may use one.
const NEEDS: &[Need] = &[Need {
    name: "PostgreSQL",
    why: "the conformance suite of the store runs on both engines",
    is_there: || postgres::programs().is_ok(),
    apt: &["postgresql"],
}];

/// Installs what is missing, where that can be done without a question; else says what to install.
pub fn ensure() -> Result<()> {
    for need in NEEDS.iter().filter(|need| !(need.is_there)()) {
        install(need)?;
        if !(need.is_there)() {
            bail!("{} was installed and is still not found", need.name);
        }
    }
    Ok(())
}

fn install(need: &Need) -> Result<()> {
    let by_hand = format!(
        "{} is missing ({}). Install it and start again: sudo apt-get install {}",
        need.name,
        need.why,
        need.apt.join(" ")
    );
    if !shell::is_there("apt-get", "--version") {
        bail!("{by_hand} (or what your system calls it)");
    }
    let apt = |words: &[&str]| {
        let mut command = if shell::is_root() {
            Command::new("apt-get")
        } else {
            let mut sudo = Command::new("sudo");
            sudo.args(["-n", "apt-get"]);
            sudo
        };
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command.args(["-q", "-o", "Acquire::Retries=2", "-o", "Acquire::http::Timeout=60"]).args(words);
        shell::run(&mut command)
    };
    if !shell::is_root() && shell::output(Command::new("sudo").args(["-n", "true"])).is_err() {
        bail!("{by_hand}");
    }
    apt(&["update"])
        .and_then(|()| {
            let words = ["install", "--yes", "--no-install-recommends"];
            apt(&words.iter().chain(need.apt).copied().collect::<Vec<_>>())
        })
        .with_context(|| by_hand)
}
