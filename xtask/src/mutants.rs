//! Defences taken out, one at a time: each time a test must fail (tests/mutants/README.md).

use crate::args::Args;
use crate::shell;
use anyhow::{Context as _, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub const HELP: &str = "
cargo xtask mutants [LINE...]

Applies each patch of tests/mutants (or those of these lines) to a copy of the committed tree, and runs the test that README.md
names for it. A mutant whose test passes has survived. It takes a minute or two for each.

  cargo xtask mutants
  cargo xtask mutants l06 l44
";

/// A line of the table: the patch and its test.
struct Mutant {
    line: String,
    test: String,
}

fn folder() -> PathBuf {
    shell::root().join("tests/mutants")
}

fn mutants(text: &str) -> Vec<Mutant> {
    let is_row =
        |line: &&str| line.strip_prefix("| l").is_some_and(|rest| rest.starts_with(|one: char| one.is_ascii_digit()));
    let rows = text.lines().filter(is_row);
    let row = |line: &str| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let (line, test) = (cells.next()?, cells.nth(1)?);
        Some(Mutant { line: line.to_owned(), test: test.trim_matches('`').to_owned() })
    };
    rows.filter_map(row).collect()
}

pub fn run(mut args: Args) -> Result<()> {
    let mut wanted = Vec::new();
    while let Some(line) = args.position() {
        wanted.push(line);
    }
    args.finish()?;
    let table = std::fs::read_to_string(folder().join("README.md")).context("tests/mutants/README.md")?;
    let all = mutants(&table);
    let chosen: Vec<&Mutant> = all.iter().filter(|one| wanted.is_empty() || wanted.contains(&one.line)).collect();
    ensure!(!chosen.is_empty(), "no mutant of that name; tests/mutants/README.md lists them");
    let copy = shell::root().join("target/mutants/tree");
    let _ = shell::output(shell::git().args(["worktree", "remove", "--force"]).arg(&copy));
    shell::output(shell::git().args(["worktree", "add", "--force", "--detach"]).arg(&copy).arg("HEAD"))?;
    let mut survived = Vec::new();
    for mutant in chosen {
        let dead = dies(mutant, &copy)?;
        println!("{:<5} {:<9} {}", mutant.line, if dead { "killed" } else { "SURVIVED" }, mutant.test);
        if !dead {
            survived.push(mutant.line.as_str());
        }
    }
    shell::output(shell::git().args(["worktree", "remove", "--force"]).arg(&copy))?;
    ensure!(survived.is_empty(), "survived: {}", survived.join(", "));
    Ok(())
}

/// Whether the test fails with the patch. It must compile: what does not compile shows nothing.
fn dies(mutant: &Mutant, copy: &Path) -> Result<bool> {
    let patch = folder().join(format!("{}.patch", mutant.line));
    let git = |words: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(copy).args(words);
        git
    };
    shell::output(git(&["apply"]).arg(&patch))?;
    let target = shell::root().join("target/mutants/build");
    let cargo = |words: &[&str]| {
        let mut cargo = shell::cargo();
        cargo.current_dir(copy).env("CARGO_TARGET_DIR", &target).env_remove("CARGO_MANIFEST_DIR").args(words);
        cargo
    };
    shell::output(&mut cargo(&["test", "--quiet", "-p", "scruple-gateway", "--test", "it", "--no-run"]))
        .with_context(|| format!("{} does not compile", mutant.line))?;
    let ran = cargo(&["test", "--quiet", "-p", "scruple-gateway", "--test", "it", "--", "--exact", &mutant.test])
        .stdin(Stdio::null())
        .output()
        .context("cannot start `cargo`")?;
    let said = String::from_utf8_lossy(&ran.stdout);
    shell::output(&mut git(&["checkout", "--quiet", "--", "."]))?;
    if !said.contains("running 1 test") {
        bail!("{}: no test is called `{}`", mutant.line, mutant.test);
    }
    Ok(!ran.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_patch_still_applies_and_has_its_line() {
        let table = std::fs::read_to_string(folder().join("README.md")).unwrap();
        let all = mutants(&table);
        assert!(all.len() >= 10, "{}", all.len());
        for mutant in &all {
            let patch = folder().join(format!("{}.patch", mutant.line));
            let applies = shell::output(shell::git().args(["apply", "--check"]).arg(&patch));
            assert!(applies.is_ok(), "{}: {applies:?}", mutant.line);
        }
        let patches = std::fs::read_dir(folder()).unwrap().filter_map(|item| item.ok()?.file_name().into_string().ok());
        assert_eq!(patches.filter(|name| name.ends_with(".patch")).count(), all.len());
    }
}
