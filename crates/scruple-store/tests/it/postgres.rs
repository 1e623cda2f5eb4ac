//! The PostgreSQL server of a test run: the one that `cargo xtask test` names in `SCRUPLE_TEST_POSTGRES`, else one that
//! the tests start from the machine's own binaries and share. It stops by itself when the last of them has ended.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The variable that holds the address of a running server, `postgres://postgres@127.0.0.1:PORT/postgres`.
pub const VARIABLE: &str = "SCRUPLE_TEST_POSTGRES";
/// Another process may take a free port between our asking and the server's binding it.
const START_ATTEMPTS_MAX: u32 = 5;

/// Where the server's programs are, and who runs them: PostgreSQL refuses root.
#[derive(Debug)]
pub struct Programs {
    folder: PathBuf,
    user: u32,
    group: u32,
}

impl Programs {
    /// The newest version under `/usr/lib/postgresql`, if there is one that we can run.
    pub fn find() -> Option<Self> {
        let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
        let folder = fs::read_dir("/usr/lib/postgresql")
            .ok()?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.join("bin/initdb").is_file() && path.join("bin/postgres").is_file())
            .max_by_key(|path| version(path))?
            .join("bin");
        let own = fs::metadata("/proc/self").ok()?;
        if own.uid() != 0 {
            return Some(Self { folder, user: own.uid(), group: own.gid() });
        }
        let accounts = fs::read_to_string("/etc/passwd").ok()?;
        let mut account = accounts.lines().find_map(|line| line.strip_prefix("postgres:"))?.split(':').skip(1);
        let (user, group) = (account.next()?.parse().ok()?, account.next()?.parse().ok()?);
        Some(Self { folder, user, group })
    }

    /// A silent command that runs as the server's user.
    fn command(&self, program: impl AsRef<OsStr>) -> io::Result<Command> {
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
        if fs::metadata("/proc/self")?.uid() == 0 {
            command.uid(self.user).gid(self.group);
        }
        Ok(command)
    }

    pub fn run(&self, program: &str, arguments: &[&str]) -> io::Result<()> {
        let status = self.command(self.folder.join(program))?.args(arguments).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("{program}: {status}"))) }
    }
}

/// Starts a server whose data are in `folder`; answers with its address. `fsync`: off where nothing outlives the tests, on where
/// a node is to take it.
pub fn start(programs: &Programs, folder: &Path, fsync: &str) -> io::Result<String> {
    fs::create_dir(folder)?;
    chown(folder, Some(programs.user), Some(programs.group))?;
    let (data, log) = (folder.join("data"), folder.join("log"));
    let (data, log) = (data.to_string_lossy(), log.to_string_lossy());
    let cluster = ["--pgdata", &data, "--username", "postgres", "--auth", "trust", "--encoding", "UTF8"];
    programs.run("initdb", &[&cluster[..], &["--locale", "C", "--no-sync"]].concat())?;
    let mut attempt = 1;
    loop {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let settings = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync={fsync} -c max_connections=300"
        );
        match programs.run("pg_ctl", &["start", "--wait", "--pgdata", &data, "--log", &log, "--options", &settings]) {
            Ok(()) => return Ok(format!("postgres://postgres@127.0.0.1:{port}/postgres")),
            Err(_) if attempt < START_ATTEMPTS_MAX => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Stops the server and removes `folder` when no process holds the file `users` any more: a lock goes with its process,
/// however that ends. A few seconds bridge the gap between two tests that run in processes of their own.
fn stop_when_unused(programs: &Programs, folder: &Path, users: &Path) -> io::Result<()> {
    const SCRIPT: &str = r#"
        exec 9<"$1"
        while flock -x 9; do
            flock -u 9
            sleep 5
            if flock -n -x 9; then
                "$2/pg_ctl" stop --mode immediate --pgdata "$3/data"
                exec rm -rf "$3"
            fi
        done"#;
    let mut command = programs.command("sh")?;
    command.args(["-c", SCRIPT, "sh"]).arg(users).arg(&programs.folder).arg(folder).process_group(0);
    command.spawn().map(drop)
}

/// The use of a server that several processes share.
#[derive(Debug)]
pub struct Shared {
    /// Its address.
    pub address: String,
    _users: Option<File>,
}

/// The server of this run. No address and no binaries on this machine: `Ok(None)`.
pub fn shared() -> io::Result<Option<Shared>> {
    if let Some(address) = std::env::var(VARIABLE).ok().filter(|address| !address.is_empty()) {
        return Ok(Some(Shared { address, _users: None }));
    }
    let Some(programs) = Programs::find() else {
        return Ok(None);
    };
    let root = std::env::temp_dir().join(format!("scruple-test-postgres-{}", programs.user));
    fs::create_dir_all(&root)?;
    let owner = fs::metadata(&root)?.uid();
    if owner != programs.user && owner != fs::metadata("/proc/self")?.uid() {
        return Err(io::Error::other("the folder of the test server belongs to somebody else"));
    }
    chown(&root, Some(programs.user), Some(programs.group))?;
    let open = |name: &str| File::options().create(true).append(true).read(true).open(root.join(name));
    let starting = open("starting")?;
    starting.lock()?;
    // Waits for a server that is just being stopped.
    let users = open("users")?;
    users.lock_shared()?;
    let cluster = root.join("cluster");
    let noted = cluster.join("address");
    if noted.is_file()
        && programs.run("pg_ctl", &["status", "--pgdata", &cluster.join("data").to_string_lossy()]).is_ok()
    {
        return Ok(Some(Shared { address: fs::read_to_string(noted)?, _users: Some(users) }));
    }
    if cluster.exists() {
        fs::remove_dir_all(&cluster)?;
    }
    let address = start(&programs, &cluster, "off")?;
    fs::write(noted, &address)?;
    stop_when_unused(&programs, &cluster, &root.join("users"))?;
    Ok(Some(Shared { address, _users: Some(users) }))
}
