//! The pack that a command uses: the shipped one, or a folder.

use crate::state::SystemClock;
use anyhow::{Context as _, Result, bail};
use scruple_core::{Clock as _, ConditionMask};
use scruple_policy::{ActivationError, Active, Pack, PackFiles};
use std::path::Path;

/// Bytes of one file of a pack.
const PACK_FILE_BYTES_MAX: u64 = 16 << 20;

/// Reads the files of a pack.
pub fn files(dir: Option<&Path>) -> Result<PackFiles> {
    let Some(dir) = dir else { return Ok(PackFiles::embedded()) };
    let mut files = PackFiles::default();
    collect(dir, dir, &mut files).with_context(|| format!("cannot read the policy pack in `{}`", dir.display()))?;
    if files.0.is_empty() {
        bail!("`{}` holds no policy pack: no .toml, .csv or .cedar file is in it", dir.display());
    }
    Ok(files)
}

fn collect(root: &Path, dir: &Path, files: &mut PackFiles) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "csv" || extension == "toml" || extension == "cedar")
        {
            let bytes = path.metadata()?.len();
            if bytes > PACK_FILE_BYTES_MAX {
                bail!("`{}` is over {PACK_FILE_BYTES_MAX} bytes", path.display());
            }
            let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            let name = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
            // What some programs write at the beginning of a text.
            files.0.insert(name, text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned));
        }
    }
    Ok(())
}

/// Activates a pack: read, checked, proved. Every command that decides comes through here.
pub fn activate(dir: Option<&Path>) -> Result<Active> {
    activate_files(&files(dir)?)
}

/// The same of files that were read.
pub fn activate_files(files: &PackFiles) -> Result<Active> {
    match scruple_policy::activate(files, SystemClock.now()) {
        Ok(active) => Ok(active),
        Err(ActivationError::Refused(problems)) => {
            let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
            bail!("the policy pack has errors, so that nothing is decided:\n{}", list.join("\n"))
        }
        Err(error) => Err(error.into()),
    }
}

/// The conditions with these names, and the relationship unless it is denied.
pub fn conditions(pack: &Pack, names: &[String], relationship: bool) -> Result<ConditionMask> {
    if !relationship && names.iter().any(|name| name == "relationship") {
        bail!("`--no-relationship` and `--with relationship` contradict each other");
    }
    let mut mask = ConditionMask::NONE;
    for name in names {
        let Some(condition) = pack.condition(name) else {
            let known: Vec<&str> = pack.conditions.iter().map(|condition| condition.name.as_str()).collect();
            bail!("unknown condition `{name}`; the pack has {}", known.join(", "));
        };
        mask = mask.with(condition);
    }
    Ok(match pack.condition("relationship") {
        Some(condition) if relationship => mask.with(condition),
        _ => mask,
    })
}
