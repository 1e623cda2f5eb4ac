//! Record before release through HTTP: in the order of system calls, across kills, and on a full disk.

use crate::node::{
    Asking, Node, config, eventually, issuer, notices, request_ids, seed, serving, token, with_a_biller,
};
use crate::support::{World, entries_of};
use scruple_hospital::Hospital;
use serde_json::Value;
use std::fs::File;
use std::io::Write as _;
use std::net::TcpStream;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// One system call, from its beginning to its end in the order of the trace.
#[derive(Debug)]
struct Call {
    name: String,
    text: String,
    begun: usize,
    ended: usize,
    result: i64,
}

/// The calls of a trace; those that another thread's interrupt are put together.
fn calls(trace: &str) -> Vec<Call> {
    let mut open: std::collections::BTreeMap<&str, (usize, &str)> = std::collections::BTreeMap::new();
    let mut found = Vec::new();
    for (at, line) in trace.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(begun) = rest.strip_suffix("<unfinished ...>") {
            open.insert(thread, (at, begun));
            continue;
        }
        let (begun, text) = match open.remove(thread) {
            Some((begun, text)) if rest.starts_with("<... ") => (begun, text),
            _ => (at, rest),
        };
        let Some((name, _)) = text.split_once('(') else { continue };
        let result = rest.rsplit_once(" = ").map_or("-1", |(_, result)| result.split(' ').next().unwrap());
        let result = result.parse().unwrap_or(-1);
        found.push(Call { name: name.to_owned(), text: text.to_owned(), begun, ended: at, result });
    }
    found
}

#[test]
fn the_log_is_durable_before_the_first_byte_to_the_client() {
    let world = World::new();
    if !world.can_trace() {
        return;
    }
    let (pack, keys) = with_a_biller(&world);
    let trace = "trace=read,recvfrom,write,writev,sendto,sendmsg,pwrite64,pwritev,fsync,fdatasync";
    // With -D the node is the child, and strace its grandchild.
    let strace = ["-D", "-f", "-yy", "-s", "16", "-o", "trace", "-e", trace, env!("CARGO_BIN_EXE_scruple")];
    let args = strace.map(str::to_owned).into_iter().chain(serving(&config(&world, &pack, "")));
    let mut node = Node::serve(world.under("strace", args));
    let ben = token(&keys, "ben.bill", "biller", "HPAYMT");
    let patient = Hospital::patient_id(1);
    let mut ports = Vec::new();
    let mut ask = |asking: &Asking<'_>, status: u16| {
        let stream = TcpStream::connect(&node.gateway).unwrap();
        ports.push(stream.local_addr().unwrap().port());
        asking.ask_by(stream, &node.gateway).unwrap().is(status)
    };
    let read = format!("/fhir/Patient/{patient}");
    let search = format!("/fhir/Encounter?patient={patient}&_count=5");
    for _ in 0..3 {
        ask(&Asking::get(&read, Some(&ben)), 200);
        let bundle = ask(&Asking::get(&search, Some(&ben)), 200).json();
        assert!(bundle["entry"].as_array().is_some_and(|entries| !entries.is_empty()), "{bundle}");
        // A no is a decision about somebody as well.
        ask(&Asking::get("/fhir/Patient/nobody", Some(&ben)), 404);
        ask(&Asking::get("/fhir/Patient/nobody", None), 401);
    }
    node.stops();
    let text = eventually("the end of the trace", Duration::from_secs(20), || {
        let text = std::fs::read_to_string(world.path("trace")).unwrap();
        text.trim_end().lines().last().is_some_and(|line| line.contains("+++ exited with 0")).then_some(text)
    });
    let calls = calls(&text);
    assert_eq!(ports.len(), 12);
    for port in ports {
        // The other end of the connection.
        let socket = format!("->127.0.0.1:{port}]");
        let on = |call: &&Call| call.text.contains(&socket);
        let sent = |call: &&Call| ["write", "writev", "sendto", "sendmsg"].contains(&call.name.as_str());
        let read = |call: &&Call| ["read", "recvfrom"].contains(&call.name.as_str()) && call.result > 0;
        let first = calls.iter().find(|call| on(call) && sent(call)).expect("the client gets an answer");
        let asked = calls.iter().find(|call| on(call) && read(call)).expect("the request is read");
        let between = |call: &&Call| call.begun > asked.ended && call.ended < first.begun;
        let in_log = |call: &&Call| call.text.contains("/state/ledger/wal/");
        let written = |call: &&Call| ["write", "writev", "pwrite64", "pwritev"].contains(&call.name.as_str());
        let durable = |call: &&Call| ["fsync", "fdatasync"].contains(&call.name.as_str()) && call.result == 0;
        let write = calls.iter().find(|call| between(call) && in_log(call) && written(call));
        let write = write.unwrap_or_else(|| panic!("nothing is recorded for {port} between {asked:?} and {first:?}"));
        let synced =
            calls.iter().any(|call| between(&call) && in_log(&call) && durable(&call) && call.begun > write.ended);
        assert!(synced, "nothing is durable for {port} between {write:?} and {first:?}");
    }
}

#[test]
fn every_answer_before_a_kill_is_in_the_ledger() {
    let world = World::new();
    let (pack, keys) = with_a_biller(&world);
    let config = config(&world, &pack, "");
    let ben = token(&keys, "ben.bill", "biller", "HPAYMT");
    let mut known = 0;
    for enough in [5, 40, 120] {
        let mut node = Node::serve(world.command(serving(&config)));
        let (got, answered) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for client in 0..4 {
                let (ben, gateway) = (ben.as_str(), node.gateway.as_str());
                let (got, answered) = (&got, &answered);
                scope.spawn(move || {
                    let patient = Hospital::patient_id(client % 3);
                    let targets = [format!("/fhir/Patient/{patient}"), format!("/fhir/Encounter?patient={patient}")];
                    // Until it is killed: an answer that is not whole is none.
                    for target in targets.iter().cycle() {
                        let Ok(answer) = Asking::get(target, Some(ben)).ask(gateway) else { return };
                        if answer.status == 200 {
                            got.lock().unwrap().push(answer.header("x-request-id").unwrap().to_owned());
                        }
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            eventually("answers", Duration::from_secs(30), || {
                (answered.load(Ordering::SeqCst) >= enough).then_some(())
            });
            node.child.kill().unwrap();
        });
        assert_eq!(node.ends(Duration::from_secs(5)), None, "it was killed");
        let got = got.into_inner().unwrap();
        assert!(got.len() >= enough / 2, "{}", got.len());
        // Before the next start.
        let entries = world.entries();
        let recorded = request_ids(&entries);
        let lost: Vec<&String> = got.iter().filter(|id| !recorded.contains(id)).collect();
        assert!(lost.is_empty(), "{} of {} answers are not recorded: {lost:?}", lost.len(), got.len());
        assert!(entries.len() >= known + got.len());
        known = entries.len();
        assert_eq!(world.run(["ledger", "verify", "--json"]).ends(0).json()["good"], true);
    }
    // And it goes on.
    let mut node = Node::serve(world.command(serving(&config)));
    node.get(&format!("/fhir/Patient/{}", Hospital::patient_id(1)), &ben).is(200);
    node.stops();
    let report = world.run(["ledger", "verify", "--json"]).ends(0).json();
    assert_eq!((&report["good"], &report["not_under_checkpoint"]), (&true.into(), &0.into()), "{report}");
    assert!(world.entries().len() > known);
}

/// Writes until nothing fits any more.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    for size in [1 << 20, 4_096, 1] {
        while file.write_all(&vec![b'x'; size]).is_ok() {}
    }
}

/// A node whose ledger is on a file system of its own: gone with the process, and reached through the open folder.
fn on_a_small_disk(world: &World, config: &Path) -> Option<(Node, File, PathBuf)> {
    std::fs::create_dir(world.path("disk")).unwrap();
    if !world.under("unshare", ["--mount", "mount", "-t", "tmpfs", "none", "disk"]).status().ok()?.success() {
        println!("not run: nothing may be mounted here");
        return None;
    }
    // Two segments of 32 MiB, and a little beside them.
    let script = "mount -t tmpfs -o size=80m none disk && exec \"$@\"";
    let args = ["--mount", "sh", "-c", script, "sh", env!("CARGO_BIN_EXE_scruple")].map(str::to_owned);
    let node = Node::serve(world.under("unshare", args.into_iter().chain(serving(config))));
    let root = format!("/proc/{}/root{}", node.pid, world.path("disk").display());
    let disk = File::open(root).unwrap();
    let path = PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), disk.as_raw_fd()));
    Some((node, disk, path))
}

fn show(world: &World, ledger: &Path) -> Vec<Value> {
    entries_of(&world.run(["ledger", "show", "--json", ledger.to_str().unwrap()]).ends(0))
}

#[test]
fn treatment_goes_on_while_the_disk_of_the_ledger_is_full() {
    let world = World::new();
    let pack = world.pack(&["biller", "nurse"]);
    let keys = issuer(&world, "jwks.json");
    seed(&world.path("state"), &[("ben.bill", "biller"), ("cid.nurse", "nurse")]);
    let more = format!("[ledger]\ndir = {:?}\n", world.path("disk/ledger"));
    let Some((mut node, _disk, disk)) = on_a_small_disk(&world, &config(&world, &pack, &more)) else { return };
    let ledger = disk.join("ledger");
    let ben = token(&keys, "ben.bill", "biller", "HPAYMT");
    let treat = token(&keys, "cid.nurse", "nurse", "TREAT");
    let emergency = token(&keys, "cid.nurse", "nurse", "ETREAT");
    let target = format!("/fhir/Patient/{}", Hospital::patient_id(1));
    let family = node.get(&target, &ben).is(200).json()["name"][0]["family"].as_str().unwrap().to_owned();

    fill(&disk.join("fill"));
    let mut given = Vec::new();
    let refused = eventually("the refusal", Duration::from_secs(20), || {
        let answer = node.get(&target, &ben);
        if answer.status == 200 {
            given.push(answer.header("x-request-id").unwrap().to_owned());
        }
        (answer.status != 200).then_some(answer)
    });
    let mut refusals = 1_u64;
    let refuses = |answer: &crate::node::Answer| {
        assert_eq!((answer.status, answer.code().as_str()), (503, "ledger_unavailable"), "{}", answer.text());
        let everything = format!("{:?} {}", answer.headers, answer.text());
        assert!(!everything.contains(&family) && !everything.contains(&Hospital::patient_id(1)), "{everything}");
    };
    refuses(&refused);
    for _ in 0..3 {
        for (token, what) in [(&treat, "TREAT"), (&emergency, "ETREAT")] {
            let answer = node.get(&target, token);
            assert_eq!(answer.status, 200, "{what}: {}", answer.text());
            assert_eq!(answer.json()["name"][0]["family"], *family);
            given.push(answer.header("x-request-id").unwrap().to_owned());
        }
        let search = node.get("/fhir/Observation?category=laboratory&_count=3", &treat).is(200);
        given.push(search.header("x-request-id").unwrap().to_owned());
        refuses(&node.get(&target, &ben));
        refuses(&node.get("/fhir/Encounter", &ben));
        // Who asks nothing in the name of care has no way into the reserve, not even with a refusal.
        refuses(&node.get("/fhir/Nothing", &ben));
        refusals += 3;
    }
    assert_eq!(node.check("ledger"), "reserve");
    assert_eq!(node.health("/readyz").status, 200, "treatment goes on: the node stays in service");
    node.err.says("treatment is recorded in the reserve");

    // Room again.
    std::fs::remove_file(disk.join("fill")).unwrap();
    eventually("the ledger's return", Duration::from_secs(10), || (node.check("ledger") == "ok").then_some(()));
    given.push(node.get(&target, &ben).is(200).header("x-request-id").unwrap().to_owned());
    node.stops();

    let report = world.run(["ledger", "verify", "--json", ledger.to_str().unwrap()]).ends(0).json();
    assert_eq!((&report["good"], &report["not_under_checkpoint"]), (&true.into(), &0.into()), "{report}");
    let entries = show(&world, &ledger);
    let recorded = request_ids(&entries);
    let lost: Vec<&String> = given.iter().filter(|id| !recorded.contains(id)).collect();
    assert!(lost.is_empty(), "{lost:?} of {} are not recorded", given.len());
    let told = notices(&entries, "refused_while_ledger_was_down");
    let counted: u64 = told.iter().map(|facts| facts["refused HPAYMT"].as_str().unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(counted, refusals, "{told:?}");
    let merged = notices(&entries, "ledger_reserve_merged");
    assert_eq!(merged.len(), 1, "{merged:?}");
    assert!(merged[0]["entries"].as_str().unwrap().parse::<u64>().unwrap() >= 9, "{merged:?}");
}
