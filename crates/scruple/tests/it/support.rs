//! A world of its own for each test: state folder, temporary folder, inputs; and what a run of the program gave.

use crate::search::{Found, find, find_in_folder};
use serde_json::Value;
use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The policy packs' source.
pub fn shipped_pack() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policy")
}

/// What a run gave.
pub struct Ran {
    /// The exit code; a signal is none.
    pub code: Option<i32>,
    /// Standard output.
    pub out: Vec<u8>,
    /// Standard error.
    pub err: String,
}

impl Ran {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: output.stdout,
            err: String::from_utf8(output.stderr).expect("errors are UTF-8"),
        }
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.out).expect("output is UTF-8")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.out).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.text(), self.err))
    }

    /// The exit code is this one.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        let out = String::from_utf8_lossy(&self.out[..self.out.len().min(2_000)]);
        assert_eq!(self.code, Some(code), "{out}\n{}", self.err);
        self
    }

    /// Standard error holds all of these.
    #[track_caller]
    pub fn tells(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.err.contains(word), "`{word}` is not in: {}", self.err);
        }
        self
    }
}

/// A folder for one test.
pub struct World {
    dir: tempfile::TempDir,
}

impl World {
    pub fn new() -> Self {
        // Each run syncs many files: in memory that costs nothing, where there is such a folder.
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        for name in ["tmp", "in"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        Self { dir }
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn ledger(&self) -> PathBuf {
        self.path("state/ledger")
    }

    /// Writes an input.
    pub fn input(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path("in").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// The shipped pack with these roles alone, which is proved in a tenth of the time, and with relationships assumed: most of
    /// these roles are related to nobody.
    pub fn pack(&self, roles: &[&str]) -> PathBuf {
        let to = self.path("pack");
        copy_folder(&shipped_pack(), &to);
        for entry in std::fs::read_dir(to.join("roles")).unwrap() {
            let path = entry.unwrap().path();
            if !roles.contains(&path.file_stem().unwrap().to_str().unwrap()) {
                std::fs::remove_file(path).unwrap();
            }
        }
        let head = std::fs::read_to_string(to.join("pack.toml")).unwrap();
        assert!(head.contains("relationships = \"resolved\""));
        std::fs::write(
            to.join("pack.toml"),
            head.replace("relationships = \"resolved\"", "relationships = \"assumed\""),
        )
        .unwrap();
        for file in ["segment-by-role.csv", "relationships.csv"] {
            let by_role = to.join(file);
            let text = std::fs::read_to_string(&by_role).unwrap();
            let keep = |line: &&str| {
                let name = line.split(',').next().unwrap_or_default();
                line.starts_with('#') || name == "role" || roles.contains(&name)
            };
            let lines: Vec<&str> = text.lines().filter(keep).collect();
            std::fs::write(by_role, lines.join("\n") + "\n").unwrap();
        }
        // Who agrees, and what the console lets whom do, names roles that are gone: nobody, and nothing.
        for file in ["approvals.csv", "console.csv", "tasks.csv", "systems.csv", "reminders.csv", "projects.csv"] {
            let text = std::fs::read_to_string(to.join(file)).unwrap();
            std::fs::write(to.join(file), text.split_once('\n').unwrap().0.to_owned() + "\n").unwrap();
        }
        to
    }

    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        self.under(env!("CARGO_BIN_EXE_scruple"), args)
    }

    /// Whether `strace` is here and may trace; says so if not.
    pub fn can_trace(&self) -> bool {
        let can = self.under("strace", ["-f", "true"]).status().is_ok_and(|status| status.success());
        if !can {
            println!("not run: strace is not here, or may not trace");
        }
        can
    }

    /// Another program, with the same surroundings.
    pub fn under<S: AsRef<OsStr>>(&self, program: &str, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.dir.path())
            .env("SCRUPLE_STATE", self.path("state"))
            .env("TMPDIR", self.path("tmp"))
            // Whatever a library would say if it were asked to.
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "full")
            .env("USER", "tester")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        Ran::of(self.command(args).output().unwrap())
    }

    /// `filter` for a biller with the small pack, from a path to standard output.
    pub fn filter(&self, pack: &Path, input: &Path, more: &[&str]) -> Ran {
        self.filter_to(pack, input, Path::new("-"), more)
    }

    pub fn filter_to(&self, pack: &Path, input: &Path, output: &Path, more: &[&str]) -> Ran {
        self.run(biller(pack, input, output).iter().map(String::as_str).chain(more.iter().copied()))
    }

    /// `filter` for a biller from standard input to standard output.
    pub fn filter_through(&self, pack: &Path, bytes: &[u8], more: &[&str]) -> Ran {
        let args = biller(pack, Path::new("-"), Path::new("-"));
        let mut command = self.command(args.iter().map(String::as_str).chain(more.iter().copied()));
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || stdin.write_all(bytes));
            Ran::of(collect(child))
        })
    }

    /// The entries of the ledger in the state folder, as `ledger show --json` prints them.
    pub fn entries(&self) -> Vec<Value> {
        entries_of(&self.run(["ledger", "show", "--json"]).ends(0))
    }

    /// Canaries in everything that is not an input, nor an output that was asked for: state and temporary files.
    pub fn leaks(&self, ran: &Ran, canaries: &[&str]) -> Vec<Found> {
        let mut found = find(ran.err.as_bytes(), canaries);
        for folder in ["state", "tmp"] {
            if self.path(folder).exists() {
                found.extend(find_in_folder(&self.path(folder), canaries));
            }
        }
        found
    }
}

/// The arguments of a biller's `filter`.
pub fn biller(pack: &Path, input: &Path, output: &Path) -> Vec<String> {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let mut args: Vec<String> = ["filter", "--role", "biller", "--purpose", "HPAYMT"].map(str::to_owned).into();
    args.extend(["--policy".to_owned(), text(pack), "--in".to_owned(), text(input), "--out".to_owned(), text(output)]);
    args
}

/// The lines of `ledger show --json`.
pub fn entries_of(ran: &Ran) -> Vec<Value> {
    ran.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Reads both streams to the end, and waits.
pub fn collect(mut child: Child) -> Output {
    let mut pipe = child.stderr.take().unwrap();
    let errors = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).map(|_| bytes)
    });
    let mut stdout = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
    let stderr = errors.join().unwrap().unwrap();
    Output { status: child.wait().unwrap(), stdout, stderr }
}

pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &name);
        } else {
            std::fs::copy(&path, &name).unwrap();
        }
    }
}

/// Every file below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Changes the byte at this place, or the one in the middle of a shorter file.
pub fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    let at = at.min(bytes.len() / 2);
    bytes[at] ^= 0x10;
    std::fs::write(path, bytes).unwrap();
}

/// A patient of whom a biller sees name and id.
pub fn patient(id: &str, family: &str) -> String {
    format!(r#"{{"resourceType":"Patient","id":"{id}","gender":"female","name":[{{"family":"{family}"}}]}}"#)
}

/// The ids of the resources in NDJSON.
pub fn ids(ndjson: &[u8]) -> Vec<String> {
    let lines = std::str::from_utf8(ndjson).unwrap().lines();
    let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
    lines.map(id).collect()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

pub fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}
