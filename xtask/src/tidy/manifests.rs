//! Rules about manifests: lints, reasons of dependencies, dependencies that nothing uses.

use std::collections::BTreeSet;

use super::{Finding, Tree, edges::Edges};

/// Each crate takes the lints of the workspace.
pub fn lints(tree: &Tree, _: &Edges) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &tree.packages {
        let path = format!("{}/Cargo.toml", package.folder);
        let text = tree.files.get(&path).map_or("", |file| &file.text);
        let taken = |t: &toml::Table| t.get("lints")?.get("workspace")?.as_bool();
        if text.parse::<toml::Table>().ok().and_then(|t| taken(&t)) != Some(true) {
            findings.push(Finding::new("lints", &path, None, "[lints] workspace = true is missing"));
        }
    }
    findings
}

/// The lines of `[workspace.dependencies]`: line number, name, and whether a comment tells why it is there.
fn workspace_dependencies(manifest: &str) -> Vec<(usize, &str, bool)> {
    let mut rows = Vec::new();
    let (mut inside, mut grouped) = (false, false);
    for (number, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            inside = line == "[workspace.dependencies]";
            grouped = false;
        } else if line.is_empty() {
            grouped = false;
        } else if let Some(comment) = line.strip_prefix('#') {
            grouped = !comment.trim().is_empty();
        } else if inside && let Some((name, value)) = line.split_once('=') {
            // A `#` in a value stands inside quotes: no version or feature has one.
            let reasoned = value.split_once('#').is_some_and(|(_, why)| !why.trim().is_empty());
            rows.push((number + 1, name.trim(), reasoned || grouped));
        }
    }
    rows
}

/// A dependency is a decision, with one line why.
pub fn reasons(tree: &Tree, _: &Edges) -> Vec<Finding> {
    let Some(manifest) = tree.files.get("Cargo.toml") else { return Vec::new() };
    let rows = workspace_dependencies(&manifest.text);
    let bare = rows.iter().filter(|(_, name, reasoned)| !reasoned && !is_ours(name));
    bare.map(|(line, name, _)| {
        let text = format!("`{name}` needs a comment on its line, or one over its group, that says why it is there");
        Finding::new("dependency-reason", "Cargo.toml", *line, text)
    })
    .collect()
}

/// A dependency that nothing names goes: in the workspace, and in each crate.
pub fn unused(tree: &Tree, _: &Edges) -> Vec<Finding> {
    let mut findings = Vec::new();
    let named: BTreeSet<&str> =
        tree.packages.iter().flat_map(|p| p.dependencies.iter().map(|d| d.name.as_str())).collect();
    if let Some(manifest) = tree.files.get("Cargo.toml") {
        for (line, name, _) in workspace_dependencies(&manifest.text) {
            if !named.contains(name) && !is_ours(name) {
                let text = format!("no crate depends on `{name}`: take the line out");
                findings.push(Finding::new("unused-dependency", "Cargo.toml", line, text));
            }
        }
    }
    for package in &tree.packages {
        for dependency in &package.dependencies {
            let name = dependency.rename.as_deref().unwrap_or(&dependency.name).replace('-', "_");
            if !tree.rust_of(package).any(|(_, _, rust)| rust.lines_with_word(&name).next().is_some()) {
                let text = format!("{} does not use `{}`", package.name, dependency.name);
                let path = format!("{}/Cargo.toml", package.folder);
                findings.push(Finding::new("unused-dependency", &path, None, text));
            }
        }
    }
    findings
}

fn is_ours(name: &str) -> bool {
    name == "scruple" || name.starts_with("scruple-")
}
