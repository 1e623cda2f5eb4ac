//! `cargo xtask mutants`: the product with one defence taken out, and the test that must then fail.
//!
//! It works on a copy of the tree, so that the tree itself is never without a defence. What fails to compile shows nothing,
//! and is an error of the mutant. Too slow for every change: there, a test looks only whether each patch still applies.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::args::Args;
use crate::shell;

pub const HELP: &str = "
usage: cargo xtask mutants [--target-dir DIR] [NAME...]

For each patch in tests/mutants (or for those that are named, as l02; `gateway` and `simulate` name those of a crate):
copies the tree to target/mutants/tree, applies the patch there, and runs the one test that README.md beside it names. The test must fail. One that passes lets the
command fail, as does a patch that does not apply or compile, and a test that fails without the patch.

  --target-dir DIR   where the copies are compiled; default target/mutants/build. Not the target folder of the tree itself:
                     cargo would take what was made of one for what was made of the other";

const FOLDER: &str = "tests/mutants";

/// What nextest ends with where a test failed.
const TEST_FAILED: i32 = 100;

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
struct Mutant {
    name: String,
    defence: String,
    package: String,
    test: String,
}

impl Mutant {
    /// By its own name, or by that of the crate whose test finds it.
    fn is_called(&self, name: &str) -> bool {
        self.name == name || self.package.strip_prefix("scruple-") == Some(name)
    }

    fn patch(&self) -> PathBuf {
        shell::root().join(FOLDER).join(format!("{}.patch", self.name))
    }
}

pub fn run(mut args: Args) -> Result<()> {
    let target = args.value::<PathBuf>("--target-dir")?;
    let mut names = Vec::new();
    while let Some(name) = args.position() {
        names.push(name);
    }
    args.finish()?;
    let folder = shell::root().join("target/mutants");
    let place = Place { tree: folder.join("tree"), target: target.unwrap_or_else(|| folder.join("build")) };
    let mutants = chosen(mutants()?, &names)?;
    place.renew()?;
    println!("without a mutant");
    if let Some(failed) = place.failing(&mutants)? {
        bail!("{failed} fails without a mutant, so that it shows nothing");
    }
    let mut missed = Vec::new();
    let mut table = String::new();
    for mutant in &mutants {
        println!("{} takes out: {}", mutant.name, mutant.defence);
        place.renew()?;
        let (state, more) = match place.judge(mutant) {
            Ok(true) => ("found", mutant.test.clone()),
            Ok(false) => ("SURVIVED", mutant.test.clone()),
            Err(error) => ("BROKEN", format!("{error:#}")),
        };
        if state != "found" {
            missed.push(mutant.name.as_str());
        }
        let row = format!("{:<6}{state:<10}{more}\n", mutant.name);
        print!("{row}");
        table += &row;
    }
    place.renew()?;
    print!("\n{table}");
    if missed.is_empty() { Ok(()) } else { bail!("no test finds {}", missed.join(", ")) }
}

fn chosen(all: Vec<Mutant>, names: &[String]) -> Result<Vec<Mutant>> {
    if let Some(unknown) = names.iter().find(|name| all.iter().all(|mutant| !mutant.is_called(name))) {
        bail!("there is no mutant `{unknown}`");
    }
    let is_asked = |mutant: &Mutant| names.is_empty() || names.iter().any(|name| mutant.is_called(name));
    Ok(all.into_iter().filter(is_asked).collect())
}

/// The mutants, as the table names them.
fn mutants() -> Result<Vec<Mutant>> {
    let path = shell::root().join(FOLDER).join("README.md");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(rows(&text))
}

/// The rows of the first table.
fn rows(text: &str) -> Vec<Mutant> {
    let table = text.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, defence, package, test] = cells.as_slice() else { return None };
        let [name, defence, package, test] = [name, defence, package, test].map(|cell| (*cell).to_owned());
        Some(Mutant { name, defence, package, test })
    };
    table.take_while(|line| line.starts_with('|')).filter_map(row).collect()
}

/// Where mutants live.
struct Place {
    tree: PathBuf,
    target: PathBuf,
}

impl Place {
    /// Makes the copy as the tree is. What has not changed is left alone, so that it is not compiled again.
    fn renew(&self) -> Result<()> {
        let listed =
            shell::output(shell::git().args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]))?;
        for name in listed.split('\0').filter(|name| !name.is_empty()) {
            copy(&shell::root().join(name), &self.tree.join(name))?;
        }
        Ok(())
    }

    /// Git that takes the copy for no part of a repository: it would pass over what is in no folder of its own.
    fn git(&self) -> Command {
        let mut git = shell::git();
        git.current_dir(&self.tree);
        if let Some(above) = self.tree.parent() {
            git.env("GIT_CEILING_DIRECTORIES", above);
        }
        git
    }

    fn nextest(&self, package: &str) -> Command {
        let mut cargo = shell::cargo();
        cargo.current_dir(&self.tree).env("CARGO_TARGET_DIR", &self.target).env_remove("CARGO_MANIFEST_DIR");
        cargo.args(["nextest", "run", "--package", package]);
        cargo
    }

    /// Whether the mutant's test finds it.
    fn judge(&self, mutant: &Mutant) -> Result<bool> {
        shell::run(self.git().arg("apply").arg(mutant.patch())).context("it does not apply")?;
        self.compile(mutant).context("it does not compile")?;
        self.fails(mutant)
    }

    fn compile(&self, mutant: &Mutant) -> Result<()> {
        shell::run(self.nextest(&mutant.package).arg("--no-run"))
    }

    /// Whether the mutant's test fails.
    fn fails(&self, mutant: &Mutant) -> Result<bool> {
        let mut command = self.nextest(&mutant.package);
        command.args(["-E", &format!("test(={})", mutant.test)]);
        let status = command.stdin(Stdio::null()).stderr(Stdio::null()).status().context("cannot start cargo")?;
        match status.code() {
            Some(0) => Ok(false),
            Some(TEST_FAILED) => Ok(true),
            _ => bail!("the test of {} could not be run: {status}", mutant.name),
        }
    }

    /// The first of the tests that fails as things are.
    fn failing<'a>(&self, mutants: &'a [Mutant]) -> Result<Option<&'a str>> {
        let mut seen = BTreeSet::new();
        for mutant in mutants.iter().filter(|mutant| seen.insert((&mutant.package, &mutant.test))) {
            self.compile(mutant)?;
            if self.fails(mutant)? {
                return Ok(Some(&mutant.test));
            }
        }
        Ok(None)
    }
}

/// Copies a file, if it is there and not the same yet; one that is gone goes.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let told = || format!("cannot copy {} to {}", from.display(), to.display());
    let bytes = match fs::read(from) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let gone = fs::remove_file(to);
            return gone
                .or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
                .with_context(told);
        }
        Err(error) => return Err(error).with_context(told),
    };
    if fs::read(to).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(told)?;
    }
    fs::write(to, bytes).with_context(told)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::{FOLDER, chosen, mutants, rows};
    use crate::shell;

    #[test]
    fn each_mutant_still_applies_and_its_test_is_there() {
        let mutants = mutants().unwrap();
        assert!(!mutants.is_empty());
        for mutant in &mutants {
            let checked = shell::output(shell::git().args(["apply", "--check"]).arg(mutant.patch()));
            assert!(checked.is_ok(), "{}: {checked:?}", mutant.name);
            let (folder, name) = mutant.test.rsplit_once("::").unwrap();
            let places = ["tests/it", "src"].map(|place| {
                shell::root().join(format!("crates/{}/{place}/{}.rs", mutant.package, folder.replace("::", "/")))
            });
            let is_there = |text: String| text.contains(&format!("fn {name}()"));
            let found = places.iter().any(|file| fs::read_to_string(file).is_ok_and(is_there));
            assert!(found, "{}: no test `{}`", mutant.package, mutant.test);
        }
        let files = fs::read_dir(shell::root().join(FOLDER)).unwrap().map(|file| file.unwrap().file_name());
        let files: BTreeSet<String> =
            files.filter_map(|file| Some(file.to_str()?.strip_suffix(".patch")?.to_owned())).collect();
        assert_eq!(files, mutants.into_iter().map(|mutant| mutant.name).collect(), "each patch has its row");
    }

    #[test]
    fn mutants_are_called_by_their_names_or_by_their_crate() {
        let all = || mutants().unwrap();
        let names = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            chosen(all(), &names).map(|chosen| chosen.len())
        };
        assert_eq!(names(&[]).unwrap(), all().len());
        assert_eq!(names(&["l02"]).unwrap(), 1);
        assert!(names(&["simulate"]).unwrap() >= 10);
        assert_eq!(names(&["simulate", "gateway", "flow"]).unwrap(), all().len());
        assert!(names(&["simulat"]).is_err());
    }

    #[test]
    fn rows_are_read_from_the_first_table() {
        let rows = rows(
            "# x\n\n| a | b | c | d |\n|---|---|---|---|\n| l1 | no `x` | p | a::b |\n| odd |\n\n|---|\n| l2 | y | p | c |\n",
        );
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].name.as_str(), rows[0].test.as_str()), ("l1", "a::b"));
    }

    /// The draw that README.md tells of.
    #[test]
    fn the_lines_are_those_that_were_drawn() {
        let (mut x, mut drawn) = (20_261_128_u64, Vec::new());
        while drawn.len() < 11 {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let line = format!("l{:02}", (x >> 33) % 45 + 1);
            if !drawn.contains(&line) {
                drawn.push(line);
            }
        }
        let names = mutants().unwrap().into_iter().map(|mutant| mutant.name);
        let ours: BTreeSet<String> = names.filter(|name| name.starts_with('l')).collect();
        assert_eq!(ours, drawn.into_iter().filter(|line| line != "l30").collect());
    }
}
