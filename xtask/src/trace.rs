//! `cargo xtask trace`: each requirement beside the tests that show it, from `docs/traceability.toml`.
//!
//! It checks that the named tests exist and are test code. Whether they show what the row says is for a reader.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::args::Args;
use crate::shell;
use crate::tidy::{Tree, has_word};

pub const HELP: &str = "
usage: cargo xtask trace [--list done|partial|open]

Reads docs/traceability.toml, checks that each named test exists, and prints how many rows of each group are done.

  --list STATUS   print the rows of this status";

const FILE: &str = "docs/traceability.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// Groups whose rows do not stand here yet, with their number of rows.
    unlisted: BTreeMap<String, usize>,
    #[serde(rename = "row")]
    rows: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    /// The requirement, in our words.
    line: String,
    /// Sections of title 45 (or 42) of the Code of Federal Regulations; `house` where no law asks for it.
    cfr: String,
    status: Status,
    /// `crate::module::test_name`.
    tests: Vec<String>,
    #[serde(default)]
    note: String,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
enum Status {
    Done,
    Partial,
    Open,
}

impl std::str::FromStr for Status {
    type Err = std::io::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "done" => Ok(Self::Done),
            "partial" => Ok(Self::Partial),
            "open" => Ok(Self::Open),
            _ => Err(std::io::Error::other("it is one of done, partial, open")),
        }
    }
}

pub fn run(mut args: Args) -> Result<()> {
    let list = args.value::<Status>("--list")?;
    args.finish()?;
    let tree = Tree::read(&shell::root())?;
    let text = &tree.files.get(FILE).with_context(|| format!("{FILE} is missing"))?.text;
    let table: Table = toml::from_str(text).context(FILE)?;
    if let Some(status) = list {
        for row in table.rows.iter().filter(|row| row.status == status) {
            println!("{}  {} [{}]", row.id, row.line, row.cfr);
        }
    }
    let problems = check(&table, &tree);
    print!("{}", totals(&table));
    if !problems.is_empty() {
        problems.iter().for_each(|problem| println!("{FILE}: {problem}"));
        bail!("trace: {} to mend", problems.len());
    }
    Ok(())
}

fn check(table: &Table, tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for row in &table.rows {
        let id = &row.id;
        if !seen.insert(id) {
            problems.push(format!("{id} stands there twice"));
        }
        if table.unlisted.contains_key(group(id)) {
            problems.push(format!("{id} stands there, and its group is called unlisted"));
        }
        if row.line.trim().is_empty() || row.cfr.trim().is_empty() {
            problems.push(format!("{id} lacks its line or its citation"));
        }
        match row.status {
            Status::Done | Status::Partial if row.tests.is_empty() => {
                let name = if row.status == Status::Done { "done" } else { "partial" };
                problems.push(format!("{id} is called {name} and names no test"));
            }
            Status::Partial if row.note.trim().is_empty() => {
                problems.push(format!("{id} is partial: its note says what is left"));
            }
            Status::Open if !row.tests.is_empty() => {
                problems.push(format!("{id} is called open and names tests"));
            }
            _ => {}
        }
        for test in &row.tests {
            if let Err(error) = find(test, tree) {
                problems.push(format!("{id}: {error}"));
            }
        }
    }
    problems
}

/// Whether `crate::module::name` is a function in test code of that crate, in a file or module of these names.
fn find(test: &str, tree: &Tree) -> Result<()> {
    let mut parts: Vec<&str> = test.split("::").collect();
    let name = parts.pop().unwrap_or("");
    ensure!(!parts.is_empty() && !name.is_empty(), "`{test}` is not crate::module::test_name");
    let package = parts.remove(0).replace('_', "-");
    let package =
        tree.packages.iter().find(|p| p.name == package).with_context(|| format!("`{test}`: no crate {package}"))?;
    let mut elsewhere = false;
    for (path, _, rust) in tree.rust_of(package) {
        let declared = |line: &str| {
            line.match_indices("fn ").any(|(at, fun)| {
                let rest = line.get(at + fun.len()..).unwrap_or("");
                rest.split(|c: char| c != '_' && !c.is_alphanumeric()).next() == Some(name)
            })
        };
        let mut lines = rust.code.lines().enumerate();
        if !lines.any(|(number, line)| has_word(line, name) && declared(line) && rust.is_test(number + 1)) {
            continue;
        }
        let stems: Vec<&str> = path.split('/').map(|part| part.strip_suffix(".rs").unwrap_or(part)).collect();
        let is_here = |module: &str| stems.contains(&module) || rust.code.contains(&format!("mod {module} "));
        if parts.iter().all(|module| is_here(module)) {
            return Ok(());
        }
        elsewhere = true;
    }
    if elsewhere {
        bail!("`{test}`: there is such a test, in another module");
    }
    bail!("`{test}`: no such test")
}

fn group(id: &str) -> &str {
    id.split('-').next().unwrap_or(id)
}

fn totals(table: &Table) -> String {
    let mut groups: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for row in &table.rows {
        let [done, partial, open] = groups.entry(group(&row.id)).or_default();
        *match row.status {
            Status::Done => done,
            Status::Partial => partial,
            Status::Open => open,
        } += 1;
    }
    let mut text = format!("{:<8}{:>6}{:>9}{:>6}\n", "group", "done", "partial", "open");
    for (name, [done, partial, open]) in groups {
        text += &format!("{name:<8}{done:>6}{partial:>9}{open:>6}\n");
    }
    let all = |status| table.rows.iter().filter(|row| row.status == status).count();
    let (done, partial, open) = (all(Status::Done), all(Status::Partial), all(Status::Open));
    text += &format!("{:<8}{done:>6}{partial:>9}{open:>6}\n", "total");
    let unlisted: usize = table.unlisted.values().sum();
    text + &format!("not yet listed: {unlisted} rows in {} groups\n", table.unlisted.len())
}

#[cfg(test)]
mod tests {
    use super::{Table, check, totals};
    use crate::tidy::Tree;

    fn tree() -> Tree {
        let file = |path: &str, text: &str| (path.to_owned(), text.to_owned());
        let texts = vec![
            file(
                "crates/scruple-fhir/src/mask.rs",
                "fn plain() {}\n#[cfg(test)]\nmod tests {\n    fn masks_year() {}\n}\n",
            ),
            file("crates/scruple-fhir/tests/it/golden.rs", "#[test]\nfn biller() {}\n// fn gone() {}\n"),
        ];
        let metadata = r#"{"packages":[{"name":"scruple-fhir","manifest_path":"/here/crates/scruple-fhir/Cargo.toml",
                           "dependencies":[]}],"workspace_root":"/here"}"#;
        Tree::new(texts, metadata).unwrap()
    }

    fn problems(rows: &str) -> Vec<String> {
        let table: Table = toml::from_str(&format!("[unlisted]\nIL = 17\n{rows}")).unwrap();
        check(&table, &tree())
    }

    fn row(id: &str, status: &str, tests: &str, note: &str) -> String {
        format!(
            "[[row]]\nid = \"{id}\"\nline = \"x\"\ncfr = \"house\"\nstatus = \"{status}\"\ntests = [{tests}]\nnote = \"{note}\"\n"
        )
    }

    #[track_caller]
    fn named(test: &str, problem: Option<&str>) {
        let found = problems(&row("RB-01", "done", &format!("\"{test}\""), ""));
        assert_eq!(found.len(), usize::from(problem.is_some()), "{found:?}");
        if let Some(problem) = problem {
            assert!(found[0].contains(problem), "{found:?}");
        }
    }

    #[test]
    fn a_named_test_must_exist_where_it_is_said_to_be() {
        named("scruple-fhir::mask::tests::masks_year", None);
        named("scruple_fhir::it::golden::biller", None);
        named("scruple-fhir::it::golden::bill", Some("no such test"));
        named("scruple-fhir::it::golden::gone", Some("no such test"));
        named("scruple-fhir::mask::plain", Some("no such test"));
        named("scruple-fhir::it::other::biller", Some("another module"));
        named("scruple-none::it::golden::biller", Some("no crate"));
        named("biller", Some("crate::module::test_name"));
    }

    #[test]
    fn a_row_says_only_what_it_can_show() {
        let test = "\"scruple-fhir::it::golden::biller\"";
        assert_eq!(problems(&row("RB-01", "done", "", "")), ["RB-01 is called done and names no test"]);
        assert_eq!(problems(&row("RB-01", "partial", "", "x")), ["RB-01 is called partial and names no test"]);
        assert_eq!(problems(&row("RB-01", "partial", test, "")), ["RB-01 is partial: its note says what is left"]);
        assert_eq!(problems(&row("RB-01", "open", test, "")), ["RB-01 is called open and names tests"]);
        assert_eq!(problems(&row("RB-01", "open", "", "").repeat(2)), ["RB-01 stands there twice"]);
        assert_eq!(problems(&row("IL-01", "open", "", "")).len(), 1);
        assert_eq!(problems(&row("RB-01", "open", "", "").replace("house", "")).len(), 1);
        assert_eq!(problems(&row("RB-01", "done", test, "")), [""; 0]);
    }

    #[test]
    fn totals_are_counted_per_group() {
        let rows =
            [row("RB-01", "open", "", ""), row("RB-02", "done", "", ""), row("AB-01", "partial", "", "")].concat();
        let table: Table = toml::from_str(&format!("[unlisted]\nIL = 17\nJX = 2\n{rows}")).unwrap();
        let expected = "group     done  partial  open\nAB           0        1     0\nRB           1        0     1\n\
                        total        1        1     1\nnot yet listed: 19 rows in 2 groups\n";
        assert_eq!(totals(&table), expected);
    }
}
