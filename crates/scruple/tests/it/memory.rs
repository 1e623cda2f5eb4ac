//! Memory does not grow with the input.

use crate::support::{World, biller, patient};
use std::process::Stdio;

/// Bytes of the input, many times what may be in memory of it at once.
const INPUT_BYTES: usize = 60 << 20;
/// About twice what was measured, in kibibytes.
const PEAK_KIB_MAX: u64 = 96 << 10;

#[test]
fn memory_does_not_grow_with_the_input() {
    let world = World::new();
    let pack = world.pack(&["biller"]);
    let line = patient("a", &"A".repeat(8_000)) + "\n";
    let input = world.input("in.ndjson", line.repeat(INPUT_BYTES / line.len()));
    let mut command = world.command(biller(&pack, &input, &world.path("out.ndjson")));
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
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    };
    assert_eq!(code, Some(0));
    assert!(world.path("out.ndjson").metadata().unwrap().len() > INPUT_BYTES as u64 / 2);
    println!("peak {peak} KiB");
    assert!(peak > 10 << 10, "{peak} KiB: it was looked at while it ran");
    assert!(peak < PEAK_KIB_MAX, "{peak} KiB");
}
