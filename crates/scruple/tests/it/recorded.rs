//! Record before release: the ledger accounts for exactly the bytes that came out.

use crate::support::{World, biller, copy_folder, entries_of, files, gunzip, gzip, patient};
use aws_lc_rs::digest;
use serde_json::{Value, json};
use std::path::Path;

pub fn sha256(bytes: &[u8]) -> String {
    digest::digest(&digest::SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hash and length of each chunk that the entries record, in their order.
pub fn chunks(entries: &[Value]) -> Vec<(String, usize)> {
    let bodies = entries.iter().map(|entry| &entry["entry"]["body"]);
    let chunks = bodies.filter(|body| body["sha256"].is_string());
    chunks.map(|body| (body["sha256"].as_str().unwrap().to_owned(), usize_of(&body["bytes"]))).collect()
}

fn usize_of(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

/// The bytes of a whole run are its chunks, and `Type/id` of every line stands in the record of its chunk.
#[track_caller]
fn account_for(entries: &[Value], out: &[u8], summary: &Value) {
    let body = |entry: &Value| entry["entry"]["body"].clone();
    let bodies: Vec<Value> = entries.iter().map(body).filter(|body| body["release"] == summary["release"]).collect();
    let counts = json!({ "read": summary["read"], "released": summary["released"], "withheld": summary["withheld"] });
    let chunks: &[Value] = if bodies.len() == 1 {
        assert_eq!(bodies[0]["kind"], "release");
        assert_eq!(bodies[0]["counts"], counts);
        &bodies
    } else {
        let (open, close) = (&bodies[0], &bodies[bodies.len() - 1]);
        assert_eq!((&open["kind"], &close["kind"]), (&"release_open".into(), &"release_close".into()));
        assert_eq!((&close["outcome"], &close["counts"]), (&"complete".into(), &counts));
        let chunks = &bodies[1..bodies.len() - 1];
        assert_eq!(close["chunks"], chunks.len());
        for (number, chunk) in chunks.iter().enumerate() {
            assert_eq!((&chunk["kind"], &chunk["chunk"]), (&"release_chunk".into(), &number.into()));
        }
        chunks
    };
    let mut at = 0;
    for chunk in chunks {
        let bytes = &out[at..at + usize_of(&chunk["bytes"])];
        assert_eq!(chunk["sha256"], sha256(bytes), "bytes {at} and on");
        at += bytes.len();
        if out.starts_with(br#"{"resourceType":"Bundle""#) {
            continue;
        }
        let reference = |line: &str| {
            let resource: Value = serde_json::from_str(line).unwrap();
            format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap())
        };
        let references: Vec<String> = std::str::from_utf8(bytes).unwrap().lines().map(reference).collect();
        assert_eq!(chunk["references"], json!(references));
    }
    assert_eq!(at, out.len(), "all that came out is recorded");
    assert_eq!(summary["bytes_out"], out.len());
}

#[test]
fn the_entries_account_for_exactly_the_bytes_that_came_out() {
    let world = World::new();
    let pack = world.pack(&["biller"]);
    world.run(["synth", "--patients", "2", "--seed", "7", "--out", "in/hospital"]).ends(0);
    let many =
        world.input("many.ndjson", (0..1_000).map(|n| patient(&format!("p{n}"), "A") + "\n").collect::<String>());
    let entry = |n: usize| format!(r#"{{"resource":{}}}"#, patient(&format!("p{n}"), "A"));
    let bundle = (0..600).map(entry).collect::<Vec<_>>().join(",");
    let bundle = format!(r#"{{"resourceType":"Bundle","type":"collection","entry":[{bundle}]}}"#);
    let one = world.input("one.json", patient("one", "A"));
    let malformed = world.input("malformed.json", "{");
    let runs: [(&Path, Option<&str>, usize); 6] = [
        (&one, None, 1),
        (&malformed, None, 1),
        (&many, None, 4),
        (&world.input("bundle.json", bundle), None, 3),
        (&world.input("packed.ndjson.gz", gzip(&std::fs::read(&many).unwrap())), Some("packed.ndjson.gz"), 4),
        (&world.path("in/hospital"), Some("hospital"), 40),
    ];
    let (mut all, mut summaries) = (Vec::new(), Vec::new());
    for (input, output, chunks_min) in runs {
        let output = output.map(|name| world.path("out").join(name));
        std::fs::create_dir_all(world.path("out")).unwrap();
        let ran = world.filter_to(&pack, input, output.as_deref().unwrap_or(Path::new("-")), &["--json"]);
        assert!(matches!(ran.code, Some(0 | 1)), "{}", ran.err);
        let (out, summary) = match &output {
            None => (ran.out, ran.err),
            Some(path) if path.is_dir() => {
                let bytes = files(path).iter().flat_map(|file| std::fs::read(file).unwrap()).collect();
                (bytes, String::from_utf8(ran.out).unwrap())
            }
            Some(path) => (gunzip(&std::fs::read(path).unwrap()), String::from_utf8(ran.out).unwrap()),
        };
        summaries.push((out, serde_json::from_str::<Value>(&summary).unwrap(), chunks_min));
        all = world.entries();
    }
    for (out, summary, chunks_min) in &summaries {
        account_for(&all, out, summary);
        let of_it = all.iter().filter(|entry| entry["entry"]["body"]["release"] == summary["release"]);
        assert!(of_it.count() >= *chunks_min, "the run is of so many chunks");
    }
    let released: usize = summaries.iter().map(|(out, ..)| out.len()).sum();
    assert_eq!(chunks(&all).iter().map(|(_, bytes)| bytes).sum::<usize>(), released, "nothing else is recorded");
}

/// What of a trace matters here, in its order.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Call {
    LogWritten,
    LogDurable,
    OutputWritten,
}

#[test]
fn the_log_is_durable_before_any_byte_is_written_to_the_output() {
    let world = World::new();
    if !world.can_trace() {
        return;
    }
    let pack = world.pack(&["biller"]);
    let lines = (0..2_000).map(|n| patient(&format!("p{n}"), "A") + "\n").collect::<String>();
    let input = world.input("in.ndjson", lines);
    let output = world.path("out.ndjson");
    let strace = ["-f", "-y", "-s", "8", "-o", "trace", "-e", "trace=write,pwrite64,writev,pwritev,fsync,fdatasync"];
    let program = [env!("CARGO_BIN_EXE_scruple")].map(str::to_owned);
    let args = strace.map(str::to_owned).into_iter().chain(program).chain(biller(&pack, &input, &output));
    let ran = world.under("strace", args).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let trace = std::fs::read_to_string(world.path("trace")).unwrap();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let name = line.split_once(' ').map_or("", |(_, call)| call.trim_start());
        if line.contains("/state/ledger/wal/") {
            // A sync that another thread's call interrupts in the trace counts when it is done.
            let synced = name.starts_with("fdatasync(") || name.starts_with("fsync(");
            match (synced, line.contains("unfinished"), name.contains("write")) {
                (true, false, _) => calls.push(Call::LogDurable),
                (_, _, true) => calls.push(Call::LogWritten),
                _ => {}
            }
        } else if name.contains("sync resumed>") && line.ends_with("= 0") {
            calls.push(Call::LogDurable);
        } else if line.contains("/out.ndjson.partial>") && name.contains("write") {
            calls.push(Call::OutputWritten);
        }
    }
    let first = calls.iter().position(|call| *call == Call::OutputWritten).expect("the output is written");
    assert!(calls[..first].contains(&Call::LogWritten), "{calls:?}");
    let writes = calls.iter().filter(|call| **call == Call::OutputWritten).count();
    assert!(writes >= 3, "the output is written piece by piece: {calls:?}");
    for (at, call) in calls.iter().enumerate().filter(|(_, call)| **call == Call::OutputWritten) {
        let before = calls[..at].iter().rev().find(|call| **call != Call::OutputWritten);
        assert_eq!(before, Some(&Call::LogDurable), "{call:?} at {at}: {calls:?}");
    }
}

#[test]
fn a_full_disk_releases_nothing_that_is_not_recorded() {
    let world = World::new();
    let pack = world.pack(&["biller"]);
    let one = world.input("one.json", patient("one", "A"));
    world.filter(&pack, &one, &[]).ends(0);
    let lines = (0..40_000).map(|n| patient(&format!("p{n}"), "A") + "\n").collect::<String>();
    let input = world.input("in.ndjson", &lines);
    std::fs::create_dir(world.path("disk")).unwrap();
    // A file system of its own, gone with the process; what the ledger has become is copied out of it.
    let inside = |fill: &str, input: &Path| {
        let script = format!(
            "mount -t tmpfs -o size=67m none disk && cp -r state/ledger disk/ledger && {{ {fill}; }}; \
             \"$@\" --ledger disk/ledger; code=$?; rm -rf copy; rm -f disk/fill; cp -r disk/ledger copy; exit $code"
        );
        let args = ["--mount", "sh", "-c", &script, "sh", env!("CARGO_BIN_EXE_scruple")].map(str::to_owned);
        let args = args.into_iter().chain(biller(&pack, input, Path::new("-")));
        crate::support::Ran::of(world.under("unshare", args).output().unwrap())
    };
    if !world.under("unshare", ["--mount", "mount", "-t", "tmpfs", "none", "disk"]).status().unwrap().success() {
        println!("not run: nothing may be mounted here");
        return;
    }
    // Full from the beginning.
    let ran = inside("dd if=/dev/zero of=disk/fill bs=4k 2>/dev/null", &one).ends(2);
    let ran = ran.tells(&["disk is full"]);
    assert_eq!(ran.out, b"");
    // Full soon after: whether at a chunk or at the end is a matter of time.
    let fill = "dd if=/dev/zero of=disk/fill bs=4k 2>/dev/null; truncate -s -64k disk/fill";
    let ran = inside(fill, &input).tells(&["disk is full"]);
    let code = ran.code;
    assert!(code == Some(2) || code == Some(1), "{code:?}");
    let entries = entries_of(&world.run(["ledger", "show", "--json", "copy"]));
    let recorded: usize = chunks(&entries).iter().skip(1).map(|(_, bytes)| bytes).sum();
    assert!(code == Some(2) || ran.out.len() == recorded, "{} came out, {recorded} are recorded", ran.out.len());
    assert!(ran.out.len() <= recorded, "{} came out, {recorded} are recorded", ran.out.len());
    // With room again it goes on.
    copy_folder(&world.path("copy"), &world.path("again"));
    let ran = world.filter(&pack, &one, &["--ledger", "again"]).ends(0);
    assert!(!ran.out.is_empty());
    world.run(["ledger", "verify", "again"]).ends(0);
}
