//! The files and crates that the rules read. Rules are functions of these values, so that a test can make up a tree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::rust_text::RustText;
use crate::shell;

/// Every file that git tracks or would add, and every crate of the workspace.
pub struct Tree {
    pub files: BTreeMap<String, File>,
    pub packages: Vec<Package>,
}

pub struct File {
    /// The text; empty for a file that is not text.
    pub text: String,
    /// Taken apart, when it is Rust.
    pub rust: Option<RustText>,
}

/// A crate, as `cargo metadata` tells it.
#[derive(Deserialize)]
pub struct Package {
    pub name: String,
    #[serde(deserialize_with = "folder")]
    #[serde(rename = "manifest_path")]
    pub folder: String,
    pub dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
pub struct Dependency {
    pub name: String,
    pub rename: Option<String>,
    /// `None`: normal; else `dev` or `build`.
    pub kind: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: String,
}

impl Tree {
    /// Reads the working tree.
    pub fn read(root: &Path) -> Result<Self> {
        let listed = shell::output(shell::git().current_dir(root).args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ]))?;
        let paths: BTreeSet<&str> = listed.split('\0').filter(|p| !p.is_empty()).collect();
        let mut texts = Vec::new();
        for path in paths {
            match std::fs::read(root.join(path)) {
                Ok(bytes) => texts.push((path.to_owned(), String::from_utf8(bytes).unwrap_or_default())),
                // Deleted in the working tree and not yet in the index, or a link to nowhere.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error).with_context(|| format!("cannot read {path}")),
            }
        }
        let json = shell::output(shell::cargo().current_dir(root).args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ]))?;
        Self::new(texts, &json)
    }

    /// A tree of these files and this output of `cargo metadata`.
    pub fn new(texts: Vec<(String, String)>, metadata: &str) -> Result<Self> {
        let metadata: Metadata = serde_json::from_str(metadata).context("cannot read the output of cargo metadata")?;
        let mut packages = metadata.packages;
        for package in &mut packages {
            let prefix = format!("{}/", metadata.workspace_root);
            package.folder = package.folder.strip_prefix(&prefix).unwrap_or(&package.folder).to_owned();
        }
        let mut files = BTreeMap::new();
        for (path, text) in texts {
            let rust = path.ends_with(".rs").then(|| RustText::new(&text, is_test_path(&path)));
            files.insert(path, File { text, rust });
        }
        mark_test_modules(&mut files);
        Ok(Self { files, packages })
    }

    /// The Rust files.
    pub fn rust(&self) -> impl Iterator<Item = (&str, &File, &RustText)> {
        self.files.iter().filter_map(|(path, file)| Some((path.as_str(), file, file.rust.as_ref()?)))
    }

    /// The Rust files of a crate, in any of its folders.
    pub fn rust_of(&self, package: &Package) -> impl Iterator<Item = (&str, &File, &RustText)> {
        let prefix = format!("{}/", package.folder);
        self.rust().filter(move |(path, _, _)| path.starts_with(&prefix))
    }

    /// The crate that a file belongs to.
    pub fn package_of(&self, path: &str) -> Option<&Package> {
        self.packages.iter().find(|p| path.strip_prefix(&p.folder).is_some_and(|rest| rest.starts_with('/')))
    }

    /// Whether a file, or a folder with a file in it, is there.
    pub fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let inside = format!("{path}/");
        self.files.contains_key(path)
            || self.files.range(inside.clone()..).next().is_some_and(|(p, _)| p.starts_with(&inside))
    }
}

/// Whether the place of a file says that it is test code.
fn is_test_path(path: &str) -> bool {
    let mut parts = path.split('/');
    let file = parts.next_back().unwrap_or("");
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    stem == "tests" || stem.ends_with("_tests") || parts.any(|p| matches!(p, "tests" | "fuzz"))
}

/// Files of `#[cfg(test)] mod name;` are test code, and all that lies below them.
fn mark_test_modules(files: &mut BTreeMap<String, File>) {
    let mut stems = Vec::new();
    for (path, file) in files.iter() {
        let Some(rust) = &file.rust else { continue };
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let below = match name {
            "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
            _ => format!("{folder}/{}", name.trim_end_matches(".rs")),
        };
        stems.extend(rust.test_modules.iter().map(|module| format!("{below}/{module}")));
    }
    for (path, file) in files.iter_mut() {
        let is_test = stems
            .iter()
            .any(|stem| path.strip_prefix(stem.as_str()).is_some_and(|rest| rest == ".rs" || rest.starts_with('/')));
        if let (true, Some(rust)) = (is_test, &mut file.rust) {
            rust.test_lines.fill(true);
        }
    }
}

/// The folder of a manifest.
fn folder<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let path = String::deserialize(deserializer)?;
    Ok(path.trim_end_matches("/Cargo.toml").to_owned())
}
