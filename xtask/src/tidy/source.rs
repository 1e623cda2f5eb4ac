//! Rules about Rust source: tests that hide, attributes, module docs, lengths.

use super::rust_text::has_word;
use super::{Finding, Tree, edges::Edges};

/// Lines from which a Rust file is named in a note.
const FILE_LINES_NOTE: usize = 600;
/// Lines that a Rust file may have unless `edges.toml` gives a reason.
const FILE_LINES_MAX: usize = 1_000;
/// Lines of Rust that a crate may have in `src`.
const CRATE_LINES_MAX: usize = 20_000;
/// The same for scruple-core: a change there rebuilds everything.
const CORE_LINES_MAX: usize = 4_000;

/// `#[ignore]` hides a test.
pub fn ignored_tests(tree: &Tree, _: &Edges) -> Vec<Finding> {
    attributes(tree, |inner| {
        names(inner, "ignore").then(|| {
            (
                "ignored-test",
                "an ignored test is no test: mend it, or make it a long run (`cargo xtask long`)".to_owned(),
            )
        })
    })
}

/// Tests wait on a condition with a bound, or advance the clock.
pub fn sleeps(tree: &Tree, _: &Edges) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, _, rust) in tree.rust() {
        for word in ["sleep", "sleep_ms", "sleep_until"] {
            for line in rust.lines_with_word(word).filter(|&line| rust.is_test(line)) {
                let text = "tests do not sleep: wait on a condition with a bound, or advance the clock";
                findings.push(Finding::new("sleep-in-test", path, line, text));
            }
        }
    }
    findings
}

/// An exception to a lint is expected, and says why.
pub fn allows(tree: &Tree, _: &Edges) -> Vec<Finding> {
    attributes(tree, |inner| {
        if names(inner, "allow") {
            Some(("allow", "write #[expect(..., reason = \"...\")]: it goes when the lint no longer fires".to_owned()))
        } else if names(inner, "expect") && !has_word(inner, "reason") {
            Some(("allow", "an exception to a lint has a reason".to_owned()))
        } else {
            None
        }
    })
}

/// Who may name what stands between PHI and a caller, in code that is no test: what projects, and what decides.
/// Everybody else goes through `scruple-release`, which decides, projects and records. `scruple-testkit` ships nowhere: it
/// projects whole stores, to say what an answer may hold.
const DECISION: [(&str, &[&str]); 3] = [
    ("Projector", &["scruple-fhir", "scruple-release", "scruple-bench", "scruple-testkit"]),
    ("Projection", &["scruple-fhir", "scruple-release", "scruple-bench", "scruple-testkit"]),
    (
        "DecisionTable",
        &["scruple-core", "scruple-policy", "scruple-fhir", "scruple-release", "scruple-bench", "scruple-testkit"],
    ),
];

/// No path of code reaches PHI past the decision (PF-09).
pub fn past_the_decision(tree: &Tree, _: &Edges) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, _, rust) in tree.rust() {
        let package = tree.package_of(path).map(|package| package.name.as_str());
        for (word, may) in DECISION.iter().filter(|(_, may)| !package.is_some_and(|name| may.contains(&name))) {
            for line in rust.lines_with_word(word).filter(|line| !rust.is_test(*line)) {
                let text = format!("`{word}` is for {} alone: release through scruple-release", may.join(", "));
                findings.push(Finding::new("decision", path, line, text));
            }
        }
    }
    findings
}

/// No unsafe code, and no way round the lint that forbids it.
pub fn unsafe_code(tree: &Tree, _: &Edges) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, _, rust) in tree.rust() {
        let lifted = rust.attributes.iter().filter(|(_, inner)| has_word(inner, "unsafe_code")).map(|(line, _)| *line);
        for line in rust.lines_with_word("unsafe").chain(lifted) {
            findings.push(Finding::new("unsafe", path, line, "safe Rust only"));
        }
    }
    if let Some(manifest) = tree.files.get("Cargo.toml") {
        let forbids = |t: &toml::Table| {
            let level = t.get("workspace")?.get("lints")?.get("rust")?.get("unsafe_code")?;
            Some(level.as_str() == Some("forbid"))
        };
        let held = manifest.text.parse::<toml::Table>().ok().and_then(|t| forbids(&t)) == Some(true);
        if !held {
            findings.push(Finding::new(
                "unsafe",
                "Cargo.toml",
                None,
                "[workspace.lints.rust] unsafe_code = \"forbid\"",
            ));
        }
    }
    findings
}

fn attributes(tree: &Tree, judge: impl Fn(&str) -> Option<(&'static str, String)>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, _, rust) in tree.rust() {
        for (line, inner) in &rust.attributes {
            findings.extend(judge(inner).map(|(rule, text)| Finding::new(rule, path, *line, text)));
        }
    }
    findings
}

/// Whether the attribute is `name`, or may become it by `cfg_attr`.
fn names(inner: &str, name: &str) -> bool {
    let inner = inner.trim();
    let path = inner.split(['(', ' ', '=']).next().unwrap_or("");
    path == name || (path == "cfg_attr" && has_word(inner, name))
}

/// Rust files that grow long, for a note.
pub fn long_files(tree: &Tree) -> Vec<String> {
    let mut files: Vec<(usize, &str)> = tree.rust().map(|(path, file, _)| (file.text.lines().count(), path)).collect();
    files.retain(|(lines, _)| *lines > FILE_LINES_NOTE);
    files.sort_unstable_by(|a, b| b.cmp(a));
    files.iter().map(|(lines, path)| format!("{path} has {lines} lines (aim: under {FILE_LINES_NOTE})")).collect()
}

pub fn file_lengths(tree: &Tree, edges: &Edges) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, file, _) in tree.rust() {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX && !edges.long_files.contains_key(path) {
            let text =
                format!("{lines} lines: split it by theme (at most {FILE_LINES_MAX}, aim under {FILE_LINES_NOTE})");
            findings.push(Finding::new("file-length", path, None, text));
        }
    }
    findings
}

pub fn crate_lengths(tree: &Tree, _: &Edges) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &tree.packages {
        let src = format!("{}/src/", package.folder);
        let files = tree.rust_of(package).filter(|(path, _, _)| path.starts_with(&src));
        let lines: usize = files.map(|(_, file, _)| file.text.lines().count()).sum();
        let max = if package.name == "scruple-core" { CORE_LINES_MAX } else { CRATE_LINES_MAX };
        if lines > max {
            let text = format!("{} has {lines} lines in src: split it by domain (at most {max})", package.name);
            findings.push(Finding::new("crate-length", &package.folder, None, text));
        }
    }
    findings
}

/// Each module says what it is for, and what it does not do.
pub fn module_docs(tree: &Tree, _: &Edges) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &tree.packages {
        let src = format!("{}/src/", package.folder);
        for (path, file, _) in tree.rust_of(package).filter(|(path, _, _)| path.starts_with(&src)) {
            let first = file.text.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
            if !first.starts_with("//!") {
                findings.push(Finding::new("module-doc", path, 1, "begin with //!: what the module is for"));
            }
        }
    }
    findings
}
