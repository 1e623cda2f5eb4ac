//! `cargo xtask tidy`: the rules of the house that no compiler knows.
//!
//! A rule is a function from the tree to findings, with a test that shows it catching a violation. What rustc, clippy
//! and rustfmt check is not checked again here.

mod docs;
mod edges;
mod manifests;
mod rust_text;
mod source;
mod sql;
#[cfg(test)]
mod tests;
mod text;
mod tree;

use std::fmt;

use anyhow::{Result, bail};

use crate::args::Args;
use crate::shell;

pub use edges::Edges;
pub use rust_text::has_word;
pub use tree::Tree;

pub const HELP: &str = "
usage: cargo xtask tidy

Checks, over every file that git tracks or would add:
  edges       which crate names which, against xtask/src/tidy/edges.toml; no IO in the pure layers
  source      no #[ignore], no sleep in tests, #[expect(.., reason)] in place of #[allow], no unsafe,
              module docs, lengths of files and crates
  manifests   lints, reasons of dependencies, dependencies that nothing uses
  sql         SQL only in scruple-store; migrations alike on both engines
  docs        paths in ARCHITECTURE.md and relative links exist
  text        white space, machine paths, registry hosts";

/// One thing to mend.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    rule: &'static str,
    /// File, and line from 1 where there is one.
    path: String,
    line: Option<usize>,
    text: String,
}

impl Finding {
    fn new(rule: &'static str, path: &str, line: impl Into<Option<usize>>, text: impl Into<String>) -> Self {
        Self { rule, path: path.to_owned(), line: line.into(), text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}: {}", self.path, self.rule, self.text),
            None => write!(f, "{}: {}: {}", self.path, self.rule, self.text),
        }
    }
}

type Rule = fn(&Tree, &Edges) -> Vec<Finding>;

/// Every rule, by its name in findings.
const RULES: &[(&str, Rule)] = &[
    ("edge", edges::check),
    ("third-party", edges::third_party),
    ("pure", edges::pure),
    ("ignored-test", source::ignored_tests),
    ("sleep-in-test", source::sleeps),
    ("allow", source::allows),
    ("unsafe", source::unsafe_code),
    ("decision", source::past_the_decision),
    ("file-length", source::file_lengths),
    ("crate-length", source::crate_lengths),
    ("module-doc", source::module_docs),
    ("lints", manifests::lints),
    ("dependency-reason", manifests::reasons),
    ("unused-dependency", manifests::unused),
    ("sql", sql::only_in_store),
    ("migrations", sql::migrations),
    ("stale-path", docs::architecture_paths),
    ("dead-link", docs::links),
    ("white-space", text::white_space),
    ("machine-path", text::machine_paths),
    ("registry-host", text::registry_hosts),
];

pub fn run(args: Args) -> Result<()> {
    args.finish()?;
    let edges = Edges::shipped()?;
    let tree = Tree::read(&shell::root())?;
    for note in source::long_files(&tree) {
        println!("note: {note}");
    }
    for note in edges::absent(&tree, &edges) {
        println!("note: {note}");
    }
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|(_, rule)| rule(&tree, &edges)).collect();
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!(
                "tidy: {} rules hold over {} files and {} crates",
                RULES.len(),
                tree.files.len(),
                tree.packages.len()
            );
            Ok(())
        }
        n => bail!("tidy: {n} to mend"),
    }
}
