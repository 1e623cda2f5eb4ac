//! Rules about any text: white space, and what belongs to one machine only.

use super::{Finding, Tree, edges::Edges};

/// Kinds of files whose white space we write ourselves. Snapshots, tables and test data keep what they hold.
const WRITTEN: &[&str] = &[".rs", ".toml", ".md", ".sh", ".sql", ".yml", ".yaml", ".html", ".css", ".js", "/run"];

/// Folders whose files are data for tests, byte for byte.
const DATA: &[&str] = &["fixtures", "testdata", "corpus", "golden"];

/// Folders of a developer's machine. `true`: tests may name it.
const MACHINE: &[(&str, bool)] =
    &[(concat!("/wo", "rk/"), false), (concat!("/ro", "ot/"), false), (concat!("/tm", "p/"), true)];

/// Hosts of registries, and the settings that name one.
const REGISTRIES: &[&str] = &[
    concat!("index.crates", ".io"),
    concat!("static.crates", ".io"),
    concat!("registry.npmjs", ".org"),
    concat!("registry.yarnpkg", ".com"),
    concat!("files.pythonhosted", ".org"),
    concat!("pypi", ".org/simple"),
    concat!("proxy.golang", ".org"),
    concat!("deb.debian", ".org"),
    concat!("replace", "-with"),
    concat!("index", "-url"),
];

/// The one registry that Cargo.lock names.
const LOCK_SOURCE: &str = concat!("registry+https://github.com/rust-lang/crates", ".io-index");

/// No space at the end of a line, no tab in Rust, one newline at the end.
pub fn white_space(tree: &Tree, _: &Edges) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, file) in &tree.files {
        if !WRITTEN.iter().any(|end| path.ends_with(end)) || is_data(path) || file.text.is_empty() {
            continue;
        }
        for (number, line) in file.text.split('\n').enumerate() {
            if line.ends_with([' ', '\t', '\r']) {
                findings.push(Finding::new("white-space", path, number + 1, "white space at the end of the line"));
            }
            if path.ends_with(".rs") && line.contains('\t') {
                findings.push(Finding::new("white-space", path, number + 1, "a tab"));
            }
        }
        if !file.text.ends_with('\n') || file.text.ends_with("\n\n") {
            findings.push(Finding::new("white-space", path, None, "the file ends with one newline"));
        }
    }
    findings
}

/// No path of one machine.
pub fn machine_paths(tree: &Tree, _: &Edges) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, file) in &tree.files {
        let in_tests = path.split('/').any(|part| part == "tests");
        for (number, line) in file.text.lines().enumerate() {
            let is_test = in_tests || file.rust.as_ref().is_some_and(|rust| rust.is_test(number + 1));
            for (folder, tests_may) in MACHINE {
                if !(is_test && *tests_may) && begins_path(line, folder) {
                    let text = format!("`{folder}` is a folder of one machine");
                    findings.push(Finding::new("machine-path", path, number + 1, text));
                }
            }
        }
    }
    findings
}

/// Whether `folder` begins a path in the line: as part of a URL or of a longer path it is something else.
fn begins_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line.get(..at).and_then(|t| t.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || "._-/~})*".contains(c))
    })
}

/// Which registry is asked is a setting of a machine.
pub fn registry_hosts(tree: &Tree, _: &Edges) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, file) in &tree.files {
        let lock = path.ends_with("Cargo.lock");
        for (number, line) in file.text.lines().enumerate() {
            let foreign = lock && line.starts_with("source = ") && !line.contains(LOCK_SOURCE);
            if foreign || REGISTRIES.iter().any(|host| line.contains(host)) {
                let text = "a registry's address is a setting of a machine, not of the project";
                findings.push(Finding::new("registry-host", path, number + 1, text));
            }
        }
    }
    findings
}

fn is_data(path: &str) -> bool {
    path.split('/').any(|part| DATA.contains(&part))
}
