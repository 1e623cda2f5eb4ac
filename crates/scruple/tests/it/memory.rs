//! Memory does not grow with the input.

use crate::support::{World, biller, patient};
use std::path::Path;
use std::process::Stdio;

/// Bytes of the inputs: a small one, and one that is larger by far more than what may be in memory of it at once.
const SMALL_BYTES: usize = 8 << 20;
const LARGE_BYTES: usize = 136 << 20;
/// By how much more memory the large one may take, in kibibytes: half of that by which it is larger. Which pages are in use
/// at once differs from run to run.
const GROWTH_KIB_MAX: u64 = 64 << 10;

#[test]
fn memory_does_not_grow_with_the_input() {
    let world = World::new();
    let pack = world.pack(&["biller"]);
    let (small, large) = (peak_kib(&world, &pack, SMALL_BYTES), peak_kib(&world, &pack, LARGE_BYTES));
    println!("{small} KiB, then {large} KiB");
    assert!(large < small + GROWTH_KIB_MAX, "{small} KiB, then {large} KiB");
}

/// The most memory that the program takes while it filters so much.
fn peak_kib(world: &World, pack: &Path, bytes: usize) -> u64 {
    let line = patient("a", &"A".repeat(8_000)) + "\n";
    let input = world.input(&format!("{bytes}.ndjson"), line.repeat(bytes / line.len()));
    let output = world.path(format!("out{bytes}.ndjson"));
    let mut command = world.command(biller(pack, &input, &output));
    let mut child = command.args(["--threads", "2"]).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let code = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        // Of a process that has ended, this line is missing.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let kib = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        peak = peak.max(kib.map_or(0, |kib| kib.parse::<u64>().unwrap()));
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    };
    assert_eq!(code, Some(0));
    assert!(output.metadata().unwrap().len() > bytes as u64 / 2);
    assert!(peak > 10 << 10, "{peak} KiB: it was looked at while it ran");
    peak
}
