//! Running programs. Nothing goes through a shell, save the guard of `postgres.rs`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The folder of the workspace: of the clone that cargo runs us for, which may share its artefacts with another.
pub fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.parent().map(Path::to_path_buf).unwrap_or(here)
}

/// The cargo that started us.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// The folder of what is built.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Builds the programs that are measured, with the features of the whole workspace: one build serves them all.
pub fn build_release(rust_flags: Option<String>) -> Result<()> {
    let mut command = cargo();
    command.args(["build", "--release", "--quiet", "--workspace", "--exclude", "xtask", "--bins"]);
    run(command.envs(rust_flags.map(|flags| ("RUSTFLAGS", flags))))
}

/// One of those programs, with what `cargo run` would tell it.
pub fn released(name: &str) -> Command {
    let mut command = Command::new(target().join("release").join(name));
    command.current_dir(root()).env("CARGO_MANIFEST_DIR", root().join("crates/scruple-bench"));
    command
}

pub fn git() -> Command {
    let mut command = Command::new("git");
    command.current_dir(root());
    command
}

/// What a program prints; an error with what it said if it fails.
pub fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let out = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{name}`"))?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        bail!("`{name}` ended with {}: {}", out.status, said.trim());
    }
    String::from_utf8(out.stdout).with_context(|| format!("`{name}` printed something that is not text"))
}

/// Runs a program that talks to the terminal itself.
pub fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot start `{name}`"))?;
    if !status.success() {
        bail!("`{name}` ended with {status}");
    }
    Ok(())
}

/// Whether a program can be started.
pub fn is_there(program: &str, version_flag: &str) -> bool {
    Command::new(program)
        .arg(version_flag)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

/// The first of these programs that is there: by its path, or by its name on the PATH.
pub fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    // A name that begins with a slash replaces the folder.
    names.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file()))
}

/// Whether we are the superuser.
pub fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

/// A date as the system tells it, by a format of `date`, in UTC.
pub fn date(format: &str) -> Result<String> {
    Ok(output(Command::new("date").args(["-u", &format!("+{format}")]))?.trim().to_owned())
}

/// The commit that a result belongs to; `+` marks a tree with changes.
pub fn commit() -> Result<String> {
    let id = output(git().args(["rev-parse", "--short=12", "HEAD"]))?;
    let changes = output(git().args(["status", "--porcelain", "--untracked-files=no"]))?;
    // The files that these tasks write themselves do not count.
    let ours = ["docs/benchmarks.md", "docs/long-runs.md"];
    let changed = changes.lines().any(|line| !ours.iter().any(|f| line.ends_with(f)));
    Ok(format!("{}{}", id.trim(), if changed { "+" } else { "" }))
}

/// Cores that this machine lends us.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// A variable of the environment that is set and not empty.
pub fn given(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::program;

    #[test]
    fn programs_are_found_by_name_and_by_path() {
        let sh = program(&["no-such-program", "sh"]).unwrap();
        assert!(sh.is_absolute() && sh.ends_with("sh"));
        assert_eq!(program(&["/bin/sh"]), Some(PathBuf::from("/bin/sh")));
        assert_eq!(program(&["no-such-program", "/no/such/program"]), None);
    }
}
