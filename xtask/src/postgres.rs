//! A PostgreSQL server for one run, on a port and in a folder of its own, gone at the end.
//!
//! A guard process holds the other end of a pipe: when this program ends in any way, Ctrl-C and SIGKILL included, the
//! pipe closes, and the guard stops the server and removes its folder.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::shell;

/// How often another port is tried when one was taken in between.
const PORTS_MAX: usize = 3;

/// The guard ends when its standard input does. `$1`: folder; the rest: how to run `pg_ctl`.
/// A start that was cut short may leave its process number a moment later: hence three tries.
const GUARD: &str = r#"
trap '' INT TERM HUP
cat >/dev/null
folder=$1
shift
for try in 1 2 3; do
    "$@" -D "$folder/data" -m immediate -w stop && break
    [ -e "$folder/data/PG_VERSION" ] || break
    sleep 1
done
rm -rf "$folder"
"#;

/// Whether what was committed survives a power cut.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Tests: nothing outlives the run.
    Off,
    /// Benchmarks: as shipped.
    On,
}

/// A running server.
pub struct Postgres {
    guard: Child,
    folder: PathBuf,
    programs: PathBuf,
    port: u16,
}

impl Postgres {
    pub fn start(durability: Durability) -> Result<Self> {
        let programs = programs()?;
        let root = shell::is_root();
        // The server refuses to run as root; its own user cannot see our temporary folder.
        let mut make = if root { Command::new("runuser") } else { Command::new("mktemp") };
        if root {
            make.args(["-u", "postgres", "--", "mktemp"]).env_remove("TMPDIR");
        }
        let folder = shell::output(make.current_dir("/").args(["-d", "-t", "scruple-postgres.XXXXXX"]))?;
        let folder = PathBuf::from(folder.trim());
        let stop = as_server(&programs.join("pg_ctl"));
        let guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(&folder)
            .arg(stop.get_program())
            .args(stop.get_args())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start `sh`")?;
        let mut this = Self { guard, folder, programs, port: 0 };
        this.create()?;
        this.serve(durability)?;
        Ok(this)
    }

    /// The address of its maintenance database.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    fn create(&self) -> Result<()> {
        let mut initdb = as_server(&self.programs.join("initdb"));
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"]);
        shell::output(initdb.arg(self.folder.join("data"))).map(drop)
    }

    fn serve(&mut self, durability: Durability) -> Result<()> {
        let mut failure = None;
        for _ in 0..PORTS_MAX {
            self.port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
            let mut options = format!(
                "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=300",
                self.port
            );
            if durability == Durability::Off {
                options += " -c fsync=off -c synchronous_commit=off -c full_page_writes=off";
            }
            let log = self.folder.join("log");
            let mut start = as_server(&self.programs.join("pg_ctl"));
            start.arg("-D").arg(self.folder.join("data")).arg("-l").arg(&log);
            match shell::output(start.args(["-w", "-t", "60", "-o", &options, "start"])) {
                Ok(_) => return Ok(()),
                Err(error) => failure = Some((error, std::fs::read_to_string(&log).unwrap_or_default())),
            }
        }
        match failure {
            Some((error, log)) => Err(error.context(format!("PostgreSQL does not start: {}", log.trim()))),
            None => bail!("no port was tried"),
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        if let Err(error) = self.guard.wait() {
            eprintln!("warning: cannot tell whether PostgreSQL was stopped: {error}");
        }
    }
}

/// A program of the server, as the user that the server runs under.
fn as_server(program: &Path) -> Command {
    let mut command = if shell::is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/");
    command
}

/// The folder of the newest server's programs.
pub fn programs() -> Result<PathBuf> {
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|e| e.path());
    let debian = installed.filter_map(|path| Some((version(&path)?, path.join("bin"))));
    let newest = debian.filter(|(_, bin)| bin.join("initdb").exists()).max().map(|(_, bin)| bin);
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|p| p.join("initdb").exists() && p.join("pg_ctl").exists())
    };
    newest.or_else(on_path).context("no initdb in /usr/lib/postgresql/*/bin nor on the PATH")
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::{Durability, Postgres, programs};

    #[test]
    fn a_server_runs_for_as_long_as_it_is_held() {
        if programs().is_err() {
            // `cargo xtask test` installs it first; plain `cargo test` may do without.
            return;
        }
        let server = Postgres::start(Durability::Off).unwrap();
        let (port, folder) = (server.port, server.folder.clone());
        assert_eq!(server.url(), format!("postgres://postgres@127.0.0.1:{port}/postgres"));
        assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
        drop(server);
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
        assert!(!folder.exists());
    }
}
