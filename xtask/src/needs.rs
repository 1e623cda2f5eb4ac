//! What tests and benchmarks need beyond a Rust toolchain and a C compiler, and how it comes onto the machine.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{postgres, shell};

/// One thing that a command needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    Postgres,
    Node,
    Chromium,
    Nginx,
    Wrk,
    Openssl,
    Python,
}

/// What building Helios needs.
pub const OF_HELIOS: &[Need] = &[Need::Openssl];

/// What the tests need.
pub const OF_TESTS: &[Need] = &[Need::Postgres, Need::Node, Need::Chromium, Need::Python];

/// The oldest Node that the packages of npm run on: Debian 12 has it.
const NODE_MIN: u32 = 18;

struct Facts {
    need: Need,
    name: &'static str,
    why: &'static str,
    is_there: fn() -> bool,
    /// Packages of Debian and its children.
    apt: &'static [&'static str],
}

/// Tests run without a network; only this table, `npm.rs` and `pip.rs` may use one.
const FACTS: &[Facts] = &[
    Facts {
        need: Need::Postgres,
        name: "PostgreSQL",
        why: "the conformance suite of the store runs on both engines",
        is_there: || postgres::programs().is_ok(),
        apt: &["postgresql"],
    },
    Facts {
        need: Need::Node,
        name: "Node.js 18 or later, with npm",
        why: "the gateway is tested in front of Medplum's server, and its pages in a browser",
        is_there: || node_is_there() && shell::is_there("npm", "--version"),
        apt: &["nodejs", "npm"],
    },
    Facts {
        need: Need::Chromium,
        name: "Chromium",
        why: "the console's pages are tested in a browser",
        is_there: || chromium().is_ok(),
        apt: &["chromium"],
    },
    Facts {
        need: Need::Nginx,
        name: "nginx",
        why: "the gateway is measured beside a plain proxy",
        is_there: || shell::program(NGINX).is_some(),
        apt: &["nginx"],
    },
    Facts {
        need: Need::Wrk,
        name: "wrk",
        why: "it shows that our load generator is not what limits",
        is_there: || shell::program(&["wrk"]).is_some(),
        apt: &["wrk"],
    },
    Facts {
        need: Need::Python,
        name: "Python 3 with pip",
        why: "the SCIM service is tested by the tester of python-scim",
        is_there: || shell::output(Command::new("python3").args(["-m", "pip", "--version"])).is_ok(),
        apt: &["python3", "python3-pip"],
    },
    Facts {
        need: Need::Openssl,
        name: "OpenSSL's headers, with pkg-config",
        why: "Helios is built with them",
        is_there: || shell::output(Command::new("pkg-config").args(["--exists", "openssl"])).is_ok(),
        apt: &["libssl-dev", "pkg-config"],
    },
];

/// Debian keeps it outside the PATH of users.
const NGINX: &[&str] = &["nginx", "/usr/sbin/nginx"];

/// Where Chromium is, by its usual names.
pub fn chromium() -> Result<PathBuf> {
    shell::program(&["chromium", "chromium-browser", "google-chrome"]).context("no Chromium on the PATH")
}

fn node_is_there() -> bool {
    shell::output(Command::new("node").arg("--version")).is_ok_and(|text| node_version(&text) >= Some(NODE_MIN))
}

/// The major version in what `node --version` prints.
fn node_version(text: &str) -> Option<u32> {
    text.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// Installs what is missing, where that can be done without a question; else says what to install.
pub fn ensure(needs: &[Need]) -> Result<()> {
    let asked = FACTS.iter().filter(|facts| needs.contains(&facts.need));
    let missing: Vec<&Facts> = asked.filter(|facts| !(facts.is_there)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    install(&missing)?;
    match missing.iter().find(|facts| !(facts.is_there)()) {
        Some(facts) => bail!("{} was installed and is still not found ({})", facts.apt.join(" "), facts.name),
        None => Ok(()),
    }
}

/// What to do without us: what is missing, why it is needed, and the command.
fn by_hand(missing: &[&Facts]) -> String {
    let lines = missing.iter().map(|facts| format!("{} is missing ({}).\n", facts.name, facts.why));
    let command = format!("Install and start again: sudo apt-get install {}", packages(missing).join(" "));
    lines.chain([command]).collect()
}

fn packages(missing: &[&Facts]) -> Vec<&'static str> {
    missing.iter().flat_map(|facts| facts.apt).copied().collect()
}

fn install(missing: &[&Facts]) -> Result<()> {
    let by_hand = by_hand(missing);
    if !shell::is_there("apt-get", "--version") {
        bail!("{by_hand} (or what your system calls them)");
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
            apt(&words.into_iter().chain(packages(missing)).collect::<Vec<_>>())
        })
        .with_context(|| by_hand)
}

#[cfg(test)]
mod tests {
    use super::{FACTS, NODE_MIN, Need, OF_HELIOS, OF_TESTS, by_hand, node_version};

    #[test]
    fn each_need_has_its_facts_once_and_says_what_to_install() {
        for need in [Need::Postgres, Need::Node, Need::Chromium, Need::Nginx, Need::Wrk, Need::Openssl] {
            let facts: Vec<_> = FACTS.iter().filter(|facts| facts.need == need).collect();
            assert_eq!(facts.len(), 1, "{need:?}");
        }
        let text = by_hand(&FACTS.iter().take(2).collect::<Vec<_>>());
        assert_eq!(
            text,
            "PostgreSQL is missing (the conformance suite of the store runs on both engines).\n\
             Node.js 18 or later, with npm is missing (the gateway is tested in front of Medplum's server, and its pages \
             in a browser).\n\
             Install and start again: sudo apt-get install postgresql nodejs npm"
        );
        assert!(!OF_TESTS.contains(&Need::Nginx) && !OF_TESTS.contains(&Need::Wrk), "only the bench needs them");
        assert!(OF_HELIOS.iter().all(|need| !OF_TESTS.contains(need)), "only who builds Helios needs them");
    }

    #[test]
    fn the_version_of_node_is_read() {
        let cases = [("v18.20.4\n", Some(18)), ("v22.0.0", Some(22)), ("18.1", None), ("", None), ("vx", None)];
        for (text, version) in cases {
            assert_eq!(node_version(text), version, "{text:?}");
        }
        assert!(node_version("v12.22.12") < Some(NODE_MIN) && node_version("v18.0.0") >= Some(NODE_MIN));
    }
}
