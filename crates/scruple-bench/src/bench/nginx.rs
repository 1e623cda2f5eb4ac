//! nginx from Debian as a plain proxy: what somebody would put before a FHIR server who wants nothing withheld.
//!
//! One worker, connections to the upstream kept, no access log, everything in a folder of its own, as the current user.

use super::processes::{current_user, on_core, stop};
use anyhow::{Context as _, Result, bail};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use super::http_load::{Plan, get, run};

/// Another process may take a free port before nginx does.
const PORTS_MAX: usize = 3;
/// Tries at reaching it, and the pause between them.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// A running nginx.
pub struct Nginx {
    master: Child,
    /// Where it listens.
    pub address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Nginx {
    /// Starts it before an upstream, on this core if one is given, and waits until the upstream answers through it.
    ///
    /// # Errors
    /// It is not installed, does not start, or the upstream does not answer `path`.
    pub fn start(upstream: SocketAddr, path: &str, core: Option<usize>) -> Result<Self> {
        let program = program().context("nginx is not installed")?;
        let mut failure = None;
        for _ in 0..PORTS_MAX {
            match Self::start_once(&program, upstream, path, core) {
                Ok(nginx) => return Ok(nginx),
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or_else(|| bail!("no port was tried"), Err)
    }

    fn start_once(program: &Path, upstream: SocketAddr, path: &str, core: Option<usize>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("scruple-bench-nginx-").tempdir()?;
        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let (user, group) = current_user()?;
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, configuration(folder.path(), address, upstream, (&user, &group)))?;
        let log = folder.path().join("error.log");
        let mut command = on_core(core, program);
        command.arg("-p").arg(folder.path()).arg("-e").arg(&log).arg("-c").arg(&file);
        let master = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut nginx = Self { master, address, _folder: folder };
        nginx.wait_for_answer(path).with_context(|| {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            format!("nginx does not answer: {}", said.lines().last().unwrap_or("it says nothing"))
        })?;
        Ok(nginx)
    }

    fn wait_for_answer(&mut self, path: &str) -> Result<()> {
        // A pause is a wait for a message that does not come.
        let (_sender, never) = channel::<()>();
        for _ in 0..TRIES {
            if let Some(status) = self.master.try_wait()? {
                bail!("it ends with {status}");
            }
            let requests = vec![get(self.address, path, &[])];
            let plan = Plan { server: self.address, requests, connections: 1, millis: 1, warm_up_millis: 0 };
            if run(&plan)?.answers > 0 {
                return Ok(());
            }
            let _ = never.recv_timeout(PAUSE);
        }
        bail!("nothing within {:?}", PAUSE * TRIES)
    }

    /// The process of the worker.
    ///
    /// # Errors
    /// There is none.
    pub fn worker(&self) -> Result<u32> {
        let master = self.master.id();
        let children = std::fs::read_to_string(format!("/proc/{master}/task/{master}/children"))?;
        children.split_whitespace().next().context("nginx has no worker")?.parse().context("no process id")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master alone can stop its worker.
        stop(&mut self.master);
    }
}

/// Debian keeps it outside the PATH of users.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    places.push("/usr/sbin".into());
    places.into_iter().map(|folder| folder.join("nginx")).find(|file| file.is_file())
}

fn configuration(folder: &Path, address: SocketAddr, upstream: SocketAddr, user: (&str, &str)) -> String {
    // Only the superuser's nginx changes its user, and would to one that cannot read the folder.
    let user = if user.0 == "root" { format!("user {} {};\n", user.0, user.1) } else { String::new() };
    let folder = folder.display();
    let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("    {name}_temp_path \"{folder}/{name}\";\n"))
        .collect();
    format!(
        r#"{user}daemon off;
worker_processes 1;
pid "{folder}/pid";
error_log "{folder}/error.log" warn;
events {{
    worker_connections 2048;
}}
http {{
    access_log off;
{paths}    keepalive_requests 1000000000;
    upstream fhir {{
        server {upstream};
        keepalive 256;
        keepalive_requests 1000000000;
    }}
    server {{
        listen {address};
        location / {{
            proxy_pass http://fhir;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
}}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::{Nginx, configuration, program};
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::path::Path;

    #[test]
    fn the_configuration_keeps_connections_and_stays_in_its_folder() {
        let at = |port| ([127, 0, 0, 1], port).into();
        let text = configuration(Path::new("/x"), at(1), at(2), ("root", "root"));
        for line in [
            "user root root;",
            "worker_processes 1;",
            "pid \"/x/pid\";",
            "access_log off;",
            "listen 127.0.0.1:1;",
            "server 127.0.0.1:2;",
            "keepalive 256;",
            "proxy_http_version 1.1;",
            "proxy_set_header Connection \"\";",
            "proxy_temp_path \"/x/proxy\";",
        ] {
            assert!(text.lines().any(|found| found.trim() == line), "{line}");
        }
        assert!(!configuration(Path::new("/x"), at(1), at(2), ("me", "us")).contains("user "));
    }

    #[test]
    fn it_runs_for_as_long_as_it_is_held() {
        if program().is_none() {
            // Only the bench needs it, and has it installed.
            return;
        }
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let upstream = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, mut buffer) = (stream.unwrap(), [0; 4096]);
                while stream.read(&mut buffer).is_ok_and(|n| n > 0) {
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
                }
            }
        });
        let nginx = Nginx::start(upstream, "/", None).unwrap();
        let (address, worker) = (nginx.address, nginx.worker().unwrap());
        let folder = nginx._folder.path().to_path_buf();
        assert!(Path::new(&format!("/proc/{worker}")).exists());
        drop(nginx);
        assert!(TcpStream::connect(address).is_err());
        assert!(!folder.exists());
    }
}
