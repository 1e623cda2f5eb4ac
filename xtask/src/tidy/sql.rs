//! Rules about SQL: one crate holds it, and both engines have the same migrations.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Tree, edges::Edges};

const ENGINES: [&str; 2] = ["sqlite", "postgres"];
const MIGRATIONS: &str = "crates/scruple-store/migrations/";
/// Servers that others wrote, with their own storage: none of it is the product's.
const UPSTREAMS: &str = "upstreams/";

/// How a statement begins. `*` stands for any word.
const STATEMENTS: &[&[&str]] = &[
    &["SELECT"],
    &["INSERT", "INTO"],
    &["INSERT", "OR"],
    &["UPDATE", "*", "SET"],
    &["DELETE", "FROM"],
    &["CREATE", "TABLE"],
    &["CREATE", "INDEX"],
    &["CREATE", "UNIQUE"],
    &["CREATE", "TRIGGER"],
    &["CREATE", "DATABASE"],
    &["ALTER", "TABLE"],
    &["DROP", "TABLE"],
    &["DROP", "DATABASE"],
    &["PRAGMA"],
    &["BEGIN", "IMMEDIATE"],
    &["WITH", "*", "AS"],
];

/// SQL in string literals, and `.sql` files.
pub fn only_in_store(tree: &Tree, edges: &Edges) -> Vec<Finding> {
    let may = |path: &str| {
        path.starts_with(UPSTREAMS) || tree.package_of(path).is_some_and(|p| edges.sql.contains_key(&p.name))
    };
    let mut findings = Vec::new();
    for (path, _, rust) in tree.rust().filter(|(path, _, _)| !may(path)) {
        for (line, literal) in rust.literals.iter().filter(|(_, literal)| is_statement(literal)) {
            let start: String = literal.trim().chars().take(24).collect();
            findings.push(Finding::new("sql", path, *line, format!("SQL belongs in scruple-store: `{start}...`")));
        }
    }
    for path in tree.files.keys().filter(|p| p.ends_with(".sql") && !may(p)) {
        findings.push(Finding::new("sql", path, None, "SQL belongs in scruple-store"));
    }
    findings
}

/// A lone word, such as those above, is no statement.
fn is_statement(literal: &str) -> bool {
    let words: Vec<&str> = literal.split_whitespace().take(3).collect();
    let begins = |start: &&[&str]| {
        words.len() >= start.len() && start.iter().zip(&words).all(|(want, word)| *want == "*" || want == word)
    };
    words.len() > 1 && STATEMENTS.iter().any(begins)
}

/// The same numbers and names on both engines, each number once.
pub fn migrations(tree: &Tree, _: &Edges) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut per_engine: BTreeMap<&str, BTreeSet<&str>> = ENGINES.iter().map(|e| (*e, BTreeSet::new())).collect();
    for path in tree.files.keys() {
        let Some(rest) = path.strip_prefix(MIGRATIONS) else { continue };
        let found = rest.split_once('/').and_then(|(engine, name)| Some((per_engine.get_mut(engine)?, name)));
        let Some((names, name)) = found else {
            findings.push(Finding::new("migrations", path, None, "migrations lie in sqlite/ and postgres/"));
            continue;
        };
        if !is_numbered(name) {
            findings.push(Finding::new("migrations", path, None, "a migration is named NNNN_name.sql"));
        }
        let number = name.get(..5).unwrap_or(name);
        if names.iter().any(|other| other.starts_with(number)) {
            findings.push(Finding::new("migrations", path, None, "its number is taken by another migration"));
        }
        names.insert(name);
    }
    for engine in ENGINES {
        for other in ENGINES.iter().filter(|o| **o != engine) {
            let (Some(here), Some(there)) = (per_engine.get(engine), per_engine.get(other)) else { continue };
            for name in here.difference(there) {
                let text = format!("{other} has no migration of this number and name");
                findings.push(Finding::new("migrations", &format!("{MIGRATIONS}{engine}/{name}"), None, text));
            }
        }
    }
    findings
}

fn is_numbered(name: &str) -> bool {
    let Some((number, rest)) = name.split_once('_') else { return false };
    let Some(words) = rest.strip_suffix(".sql") else { return false };
    number.len() == 4
        && number.bytes().all(|b| b.is_ascii_digit())
        && !words.is_empty()
        && words.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}
