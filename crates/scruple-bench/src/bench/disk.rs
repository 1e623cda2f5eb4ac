//! What the disk can do: the floor under every durable record.

use super::measure::Times;
use anyhow::Result;
use scruple_ledger::{FileSystem, Mode, Storage as _};
use std::path::Path;
use std::time::Instant;

/// Writes that are measured.
const SYNCS: u64 = 1_000;
/// Bytes of each.
const BYTES: usize = 4096;

/// Times of an fdatasync after each write of 4 KiB into a file that is already written, in this folder.
pub fn fdatasync(dir: &Path) -> Result<Times> {
    let path = dir.join("disk");
    let mut file = FileSystem.create(&path, Mode::Common)?;
    file.write_at(0, &vec![0; usize::try_from(SYNCS)? * BYTES])?;
    file.sync()?;
    let mut times = Vec::new();
    for step in 0..SYNCS {
        let begin = Instant::now();
        file.write_at(step * BYTES as u64, &[1; BYTES])?;
        file.sync()?;
        times.push(begin.elapsed());
    }
    std::fs::remove_file(path)?;
    Ok(Times::new(times))
}

#[cfg(test)]
mod tests {
    use super::fdatasync;
    use std::time::Duration;

    #[test]
    fn the_probe_measures_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let times = fdatasync(dir.path()).unwrap();
        assert!(times.best() > Duration::ZERO && times.median() <= times.at(99));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
