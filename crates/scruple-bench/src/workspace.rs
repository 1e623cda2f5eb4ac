//! Where the workspace and its artefacts lie on this machine.

use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

/// The folder of the workspace: of the clone that cargo runs us for.
#[must_use]
pub fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.parent().and_then(Path::parent).map_or(here.clone(), Path::to_path_buf)
}

/// The folder of the fuzzers' corpora and regression cases.
#[must_use]
pub fn fuzz_folder() -> PathBuf {
    root().join("fuzz")
}

/// Where programs that are only rivals are kept between runs.
///
/// # Errors
/// There is no home folder.
pub fn rivals_folder() -> Result<PathBuf> {
    let home = std::env::var_os("HOME").context("no home folder")?;
    Ok(PathBuf::from(home).join(".cache/scruple/rivals"))
}

/// The `scruple` program of this build: the one beside this program if no source is newer, else cargo makes it.
///
/// # Errors
/// It cannot be built.
pub fn scruple() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let dir = own.parent().context("this program lies nowhere")?;
    // Tests lie one folder deeper, in `deps`.
    let dir = if dir.ends_with("deps") { dir.parent().unwrap_or(dir) } else { dir };
    let program = dir.join("scruple");
    if program.metadata().and_then(|file| file.modified()).is_ok_and(|made| newest_source() < Some(made)) {
        return Ok(program);
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--workspace", "--bin", "scruple"]).current_dir(root());
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    if let Some(target) = dir.parent() {
        cargo.env("CARGO_TARGET_DIR", target);
    }
    let status = cargo.stdin(Stdio::null()).stdout(Stdio::null()).status().context("cannot start `cargo`")?;
    if !status.success() || !program.is_file() {
        bail!("cannot build `scruple`: {status}");
    }
    Ok(program)
}

/// When the youngest source of the product was changed.
fn newest_source() -> Option<SystemTime> {
    fn newest(path: &Path) -> Option<SystemTime> {
        let metadata = path.metadata().ok()?;
        if !metadata.is_dir() {
            return metadata.modified().ok();
        }
        std::fs::read_dir(path).ok()?.flatten().filter_map(|entry| newest(&entry.path())).max()
    }
    ["crates", "policy", "Cargo.lock"].iter().filter_map(|name| newest(&root().join(name))).max()
}
