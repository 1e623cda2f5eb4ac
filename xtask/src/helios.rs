//! `cargo xtask helios`: the program of `upstreams/helios`, built once and kept outside the repository.

use std::path::Path;

use anyhow::{Context, Result};

use crate::args::Args;
use crate::{needs, shell, upstream};

pub const HELP: &str = "
usage: cargo xtask helios

Builds upstreams/helios, a workspace of its own, and puts the program at ~/.cache/scruple/upstreams/helios. From then on
`cargo xtask test --upstream helios` and `cargo xtask long pairs` run the gateway in front of it.

The first time takes a quarter of an hour on two idle cores, 5 GB of memory and 3 GB of disk, below ~/.cache/scruple; later
only what has changed is built. It needs OpenSSL's headers and pkg-config (libssl-dev, pkg-config), which are installed
where that can be done without a question.";

/// rustc's own 8 MB end in a stack overflow on the types of FHIR.
const RUST_STACK_BYTES: &str = "16777216";
const PROGRAM: &str = "release/helios-upstream";

pub fn run(args: Args) -> Result<()> {
    args.finish()?;
    needs::ensure(needs::OF_HELIOS)?;
    let place = upstream::helios_program();
    let cache = place.parent().and_then(Path::parent).context("no folder to build in")?;
    let target = cache.join("target-helios");
    let mut cargo = shell::cargo();
    cargo.current_dir(shell::root().join("upstreams/helios"));
    cargo.args(["build", "--release", "--locked", "--target-dir"]).arg(&target);
    // The profile stands in its own Cargo.toml, whatever is set for the product.
    cargo.env_remove("RUSTFLAGS").env("RUST_MIN_STACK", RUST_STACK_BYTES);
    shell::run(&mut cargo)?;
    install(&target.join(PROGRAM), &place)?;
    println!("{}", place.display());
    Ok(())
}

/// Beside its place first, so that a server that runs is not written over.
fn install(built: &Path, place: &Path) -> Result<()> {
    let folder = place.parent().context("no folder for the program")?;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let making = folder.join(format!("making-{}", std::process::id()));
    std::fs::copy(built, &making).with_context(|| format!("cannot copy {}", built.display()))?;
    std::fs::rename(&making, place).with_context(|| format!("cannot write {}", place.display()))
}

#[cfg(test)]
mod tests {
    use super::install;

    #[test]
    fn a_program_takes_the_place_of_an_earlier_one() {
        let folder = std::env::temp_dir().join(format!("scruple-xtask-helios-{}", std::process::id()));
        let place = folder.join("upstreams/helios");
        std::fs::create_dir_all(&folder).unwrap();
        for text in ["one", "two"] {
            std::fs::write(folder.join("built"), text).unwrap();
            install(&folder.join("built"), &place).unwrap();
            assert_eq!(std::fs::read_to_string(&place).unwrap(), text);
        }
        assert!(install(&folder.join("none"), &place).is_err());
        assert_eq!(std::fs::read_dir(folder.join("upstreams")).unwrap().count(), 1);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
