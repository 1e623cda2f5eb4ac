//! Which crate may name which: the manifests against `edges.toml`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::rust_text::has_word;
use super::{Finding, Tree};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edges {
    #[serde(rename = "crate")]
    crates: Vec<Row>,
    only: Vec<Only>,
    pure: Pure,
    /// Crates that may hold SQL, each with its reason.
    pub sql: BTreeMap<String, String>,
    /// Rust files that may be long, each with its reason.
    pub long_files: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    uses: BTreeMap<String, String>,
    #[serde(default)]
    tests: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Only {
    name: String,
    crates: Vec<String>,
    #[serde(default = "yes")]
    tests: bool,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pure {
    crates: Vec<String>,
    no_crates: Vec<String>,
    no_paths: Vec<String>,
}

const fn yes() -> bool {
    true
}

impl Edges {
    /// The data of this repository.
    pub fn shipped() -> Result<Self> {
        Self::parse(include_str!("edges.toml")).context("xtask/src/tidy/edges.toml")
    }

    pub fn parse(text: &str) -> Result<Self> {
        let edges: Self = toml::from_str(text)?;
        let reasons = edges
            .crates
            .iter()
            .flat_map(|row| row.uses.iter().chain(&row.tests))
            .chain(&edges.sql)
            .chain(&edges.long_files)
            .chain(edges.only.iter().map(|only| (&only.name, &only.why)));
        for (name, why) in reasons {
            anyhow::ensure!(!why.trim().is_empty(), "`{name}` has no reason");
        }
        Ok(edges)
    }

    fn row(&self, name: &str) -> Option<&Row> {
        self.crates.iter().find(|row| row.name == name)
    }

    /// What a crate may name: what stands beside it, and what that may name.
    fn allowed<'a>(&'a self, row: &'a Row, with_tests: bool) -> BTreeSet<&'a str> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<&str> = row.uses.keys().map(String::as_str).collect();
        if with_tests {
            open.extend(row.tests.keys().map(String::as_str));
        }
        while let Some(name) = open.pop() {
            if reached.insert(name)
                && let Some(next) = self.row(name)
            {
                open.extend(next.uses.keys().map(String::as_str));
            }
        }
        reached
    }
}

/// Own crates: every edge stands in the data.
pub fn check(tree: &Tree, edges: &Edges) -> Vec<Finding> {
    let ours: BTreeSet<&str> = tree.packages.iter().map(|p| p.name.as_str()).collect();
    let mut findings = Vec::new();
    for package in &tree.packages {
        let manifest = format!("{}/Cargo.toml", package.folder);
        let Some(row) = edges.row(&package.name) else {
            findings.push(Finding::new("edge", &manifest, None, "the crate has no row in xtask/src/tidy/edges.toml"));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|d| ours.contains(d.name.as_str())) {
            let dev = dependency.kind.as_deref() == Some("dev");
            let name = dependency.name.as_str();
            if name != package.name && !edges.allowed(row, dev).contains(name) {
                let kind = if dev { "may not test with" } else { "may not depend on" };
                let text = format!("{} {kind} {name}; a new edge stands in edges.toml with its reason", package.name);
                findings.push(Finding::new("edge", &manifest, None, text));
            }
        }
    }
    findings
}

/// Third-party crates that are kept to some of ours.
pub fn third_party(tree: &Tree, edges: &Edges) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &tree.packages {
        for dependency in &package.dependencies {
            let dev = dependency.kind.as_deref() == Some("dev");
            for only in edges.only.iter().filter(|o| o.name == dependency.name) {
                if only.crates.contains(&package.name) || (dev && only.tests) {
                    continue;
                }
                let text = format!("{} is for {} only: {}", only.name, only.crates.join(", "), only.why);
                findings.push(Finding::new("third-party", &format!("{}/Cargo.toml", package.folder), None, text));
            }
        }
    }
    findings
}

/// The lower layers do no IO.
pub fn pure(tree: &Tree, edges: &Edges) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in tree.packages.iter().filter(|p| edges.pure.crates.contains(&p.name)) {
        for dependency in package.dependencies.iter().filter(|d| d.kind.is_none()) {
            if edges.pure.no_crates.contains(&dependency.name) {
                let text = format!("{} does no IO and needs no {}", package.name, dependency.name);
                findings.push(Finding::new("pure", &format!("{}/Cargo.toml", package.folder), None, text));
            }
        }
        let src = format!("{}/src/", package.folder);
        for (path, _, rust) in tree.rust_of(package).filter(|(path, _, _)| path.starts_with(&src)) {
            for name in &edges.pure.no_paths {
                for (number, line) in rust.code.lines().enumerate() {
                    if has_word(line, name) && !rust.is_test(number + 1) {
                        let text = format!("{} does no IO: `{name}`", package.name);
                        findings.push(Finding::new("pure", path, number + 1, text));
                    }
                }
            }
        }
    }
    findings
}

/// Rows of the data whose crate is not there.
pub fn absent(tree: &Tree, edges: &Edges) -> Vec<String> {
    let is_there = |name: &str| tree.packages.iter().any(|p| p.name == name);
    let rows = edges.crates.iter().filter(|row| !is_there(&row.name));
    rows.map(|row| format!("edges.toml: {} is no member of the workspace", row.name)).collect()
}
