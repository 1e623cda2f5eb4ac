//! Packages from PyPI, by a list of ours that names each with its version, in a folder outside the repository.
//!
//! A folder is named by what its list holds and made once, as those of `npm.rs` are.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::{npm, shell};

const LIST: &str = "requirements.txt";

/// Whether a folder of the repository asks for packages.
pub fn asks(folder: &Path) -> bool {
    folder.join(LIST).is_file()
}

/// The folder that holds what `folder` asks for, for `PYTHONPATH`; installed if need be.
pub fn packages(folder: &Path) -> Result<PathBuf> {
    npm::made_once(&npm::cache("pip"), folder, &[LIST], "site", |at| {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--no-input", "--disable-pip-version-check"]);
        pip.args(["--only-binary=:all:", "--target", "site", "--requirement", LIST]);
        shell::run(pip.current_dir(at))
    })
    .map(|place| place.join("site"))
    .with_context(|| format!("pip cannot install what {} asks for", folder.display()))
}
