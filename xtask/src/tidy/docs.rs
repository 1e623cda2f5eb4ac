//! Rules about documents: what they point at is there.

use super::{Finding, Tree, edges::Edges};

/// Folders at the top of the repository, also those that are gone: a path that begins with one is a path of ours.
const TOP_FOLDERS: &[&str] = &[".cargo", ".ci", ".config", "crates", "docs", "fuzz", "policy", "upstreams", "xtask"];

/// Paths named in ARCHITECTURE.md exist.
pub fn architecture_paths(tree: &Tree, _: &Edges) -> Vec<Finding> {
    let name = "ARCHITECTURE.md";
    let Some(file) = tree.files.get(name) else {
        return vec![Finding::new("stale-path", name, None, "the code map is missing")];
    };
    let mut findings = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        for token in line.split(|c: char| c.is_whitespace() || "`()[]<>\"',;|*".contains(c)) {
            let path = token.trim_end_matches(['.', ':']).trim_start_matches("./");
            let path = path.split('#').next().unwrap_or(path);
            if is_path(path) && !tree.has(path) {
                findings.push(Finding::new("stale-path", name, number + 1, format!("`{path}` does not exist")));
            }
        }
    }
    findings
}

fn is_path(token: &str) -> bool {
    let Some((top, rest)) = token.split_once('/') else { return false };
    let placeholder = |c: char| "{}$".contains(c);
    TOP_FOLDERS.contains(&top) && !rest.contains("..") && !rest.contains("NNNN") && !token.contains(placeholder)
}

/// Relative links in the documents lead to a file.
pub fn links(tree: &Tree, _: &Edges) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, file) in &tree.files {
        let at_top = !path.contains('/');
        let ours = at_top || ["docs/", "policy/", "crates/", "xtask/"].iter().any(|d| path.starts_with(d));
        if !path.ends_with(".md") || !ours {
            continue;
        }
        let mut fenced = false;
        for (number, line) in file.text.lines().enumerate() {
            fenced ^= line.trim_start().starts_with("```");
            if fenced {
                continue;
            }
            for target in targets(line) {
                let target = target.split('#').next().unwrap_or("");
                let elsewhere = target.is_empty() || target.contains("://") || target.starts_with("mailto:");
                if !elsewhere && !resolve(path, target).is_some_and(|p| p.is_empty() || tree.has(&p)) {
                    findings.push(Finding::new("dead-link", path, number + 1, format!("`{target}` leads nowhere")));
                }
            }
        }
    }
    findings
}

/// What stands in the round brackets of `[text](target)`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next())
}

/// The path from the root that a relative link means; `None` if it leads out of the repository.
fn resolve(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    if let Some(absolute) = target.strip_prefix('/') {
        return Some(absolute.to_owned());
    }
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}
