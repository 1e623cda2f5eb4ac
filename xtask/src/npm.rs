//! Packages from npm, by a lock file of ours, in a folder outside the repository.
//!
//! A folder is named by what its lock file holds and made once: all clones share it, and no file in it ever changes.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell;

/// The files that say what is installed.
const FILES: &[&str] = &["package.json", "package-lock.json"];

/// Whether a folder of the repository asks for packages.
pub fn asks(folder: &Path) -> bool {
    FILES.iter().all(|name| folder.join(name).is_file())
}

/// The folder whose `node_modules` holds what `folder` asks for; installed if need be.
pub fn packages(folder: &Path) -> Result<PathBuf> {
    packages_in(&cache("npm"), folder, |at| {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--engine-strict=false", "--loglevel=error"]);
        shell::run(npm.current_dir(at))
    })
}

fn packages_in(cache: &Path, folder: &Path, install: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let made = made_once(cache, folder, FILES, "node_modules", install);
    made.with_context(|| format!("npm cannot install what {} asks for", folder.display()))
}

/// The folder in `cache` that belongs to what the `files` of `folder` hold; if it has no `part` yet, it is made of copies
/// of them and what `install` puts beside.
pub fn made_once(
    cache: &Path,
    folder: &Path,
    files: &[&str],
    part: &str,
    install: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let mut texts = Vec::new();
    for name in files {
        texts.push((name, std::fs::read(folder.join(name)).with_context(|| format!("cannot read {name}"))?));
    }
    let place = cache.join(key(texts.iter().map(|(_, text)| text.as_slice())));
    if place.join(part).is_dir() {
        return Ok(place);
    }
    // Made beside its place and moved there when it is whole, so that nobody finds half of it.
    let making = cache.join(format!("making-{}", std::process::id()));
    std::fs::create_dir_all(&making).with_context(|| format!("cannot make {}", making.display()))?;
    let made = texts
        .iter()
        .try_for_each(|(name, text)| std::fs::write(making.join(name), text).context("cannot write"))
        .and_then(|()| install(&making))
        .and_then(|()| match std::fs::rename(&making, &place) {
            // Another run was quicker.
            Err(_) if place.join(part).is_dir() => std::fs::remove_dir_all(&making).context("cannot remove"),
            moved => moved.context("cannot move"),
        });
    if made.is_err() {
        let _ = std::fs::remove_dir_all(&making);
    }
    made.map(|()| place)
}

/// Below the home folder; without one, beside cargo's artefacts.
pub fn cache(kind: &str) -> PathBuf {
    match shell::given("HOME") {
        Some(home) => PathBuf::from(home).join(".cache/scruple").join(kind),
        None => shell::root().join("target").join(kind),
    }
}

/// A name for these texts: FNV-1a, which no release of Rust changes. It guards against nothing: npm checks what it gets.
fn key<'a>(texts: impl Iterator<Item = &'a [u8]>) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for text in texts {
        for byte in text.iter().chain(&[0]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use anyhow::bail;

    use super::{asks, key, packages_in};

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("scruple-xtask-{name}-{}", std::process::id()));
            std::fs::create_dir_all(folder.join("asks")).unwrap();
            Self(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn lock(folder: &Path, text: &str) {
        std::fs::write(folder.join("package.json"), "{}").unwrap();
        std::fs::write(folder.join("package-lock.json"), text).unwrap();
    }

    #[test]
    fn a_folder_is_made_once_for_each_lock_file_and_never_half() {
        let folder = Folder::new("npm");
        let (cache, wish) = (folder.0.join("cache"), folder.0.join("asks"));
        assert!(!asks(&wish));
        lock(&wish, "one");
        assert!(asks(&wish));
        let install = |at: &Path| {
            assert_eq!(std::fs::read(at.join("package-lock.json"))?, b"one");
            Ok(std::fs::create_dir(at.join("node_modules"))?)
        };
        let first = packages_in(&cache, &wish, install).unwrap();
        assert!(first.join("node_modules").is_dir());
        assert_eq!(packages_in(&cache, &wish, |_| bail!("asked twice")).unwrap(), first);

        lock(&wish, "two");
        let error = packages_in(&cache, &wish, |_| bail!("no network")).unwrap_err();
        assert!(format!("{error:#}").contains("no network"));
        let left: Vec<_> = std::fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(left, [first]);
    }

    #[test]
    fn the_name_of_a_folder_tells_its_texts_apart() {
        let of = |texts: &[&str]| key(texts.iter().map(|text| text.as_bytes()));
        assert_eq!(of(&[]), "cbf29ce484222325");
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
        assert_ne!(of(&["a", "b"]), of(&["ab", ""]));
        assert_ne!(of(&["a", "b"]), of(&["b", "a"]));
    }
}
