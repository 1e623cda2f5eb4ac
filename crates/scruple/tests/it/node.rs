//! A running node: the real program with real sockets, a client of a few lines, and the people and keys that `serve` needs.

use crate::support::World;
use scruple_app::{SeedPerson, StoreKeys, seed_workforce};
use scruple_core::{Clock, Timestamp};
use scruple_identity::{Claims, Issuer, Parties};
use scruple_seal::{RootKey, Secret, SystemRng};
use scruple_store::{Durability, Options, ShardId, Store};
use serde_json::Value;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

pub const ISSUER: &str = "https://issuer.example";
pub const AUDIENCE: &str = "https://gateway.example/fhir";
/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a client waits for bytes.
const CLIENT_PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// The machine's clock: these tests run real processes, which read it as well.
pub struct Machine;

impl Clock for Machine {
    #[expect(clippy::disallowed_methods, reason = "the program under test reads the machine's clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap())
    }
}

/// What was heard, and whether that is all.
type Said = Mutex<(Vec<u8>, bool)>;

/// What a stream of the program has given so far.
#[derive(Clone, Default)]
pub struct Heard(Arc<(Said, Condvar)>);

impl Heard {
    pub fn listen(stream: impl Read + Send + 'static) -> Self {
        let heard = Self::default();
        let shared = heard.clone();
        std::thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            loop {
                let mut line = Vec::new();
                let read = stream.read_until(b'\n', &mut line).unwrap_or(0);
                let mut state = shared.0.0.lock().unwrap();
                state.0.extend(line);
                state.1 = read == 0;
                shared.0.1.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        heard
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.0.0.lock().unwrap().0.clone()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.bytes()).unwrap()
    }

    /// Waits until something is found in it.
    #[track_caller]
    pub fn find<T>(&self, what: &str, look: impl Fn(&str) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            let (text, ended) = {
                let state = self.0.0.lock().unwrap();
                (String::from_utf8_lossy(&state.0).into_owned(), state.1)
            };
            if let Some(found) = look(&text) {
                return found;
            }
            assert!(!ended && Instant::now() < end, "{what} was not said:\n{text}");
            let state = self.0.0.lock().unwrap();
            drop(self.0.1.wait_timeout(state, LOOK).unwrap());
        }
    }

    /// Waits for these words.
    #[track_caller]
    pub fn says(&self, words: &str) {
        self.find(words, |text| text.contains(words).then_some(()));
    }
}

/// Waits until there is something.
#[track_caller]
pub fn eventually<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + within;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what} did not come within {within:?}");
        std::thread::park_timeout(LOOK);
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The stable code of a no.
    pub fn code(&self) -> String {
        let coded = self.json();
        coded["issue"][0]["details"]["coding"][0]["code"].as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}

/// The bytes of a request, on a connection of its own.
pub struct Asking<'a> {
    pub method: &'a str,
    pub target: &'a str,
    pub token: Option<&'a str>,
    pub headers: &'a [(&'a str, &'a str)],
    pub form: Option<&'a str>,
}

impl<'a> Asking<'a> {
    pub const fn get(target: &'a str, token: Option<&'a str>) -> Self {
        Self { method: "GET", target, token, headers: &[], form: None }
    }

    fn bytes(&self, host: &str) -> String {
        let mut text = format!("{} {} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n", self.method, self.target);
        if let Some(token) = self.token {
            text += &format!("Authorization: Bearer {token}\r\n");
        }
        for (name, value) in self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        let form = self.form.map(|form| {
            format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}", form.len())
        });
        text + &form.unwrap_or_else(|| "\r\n".to_owned())
    }

    /// Asks; an answer that is not whole is an error.
    pub fn ask(&self, address: &str) -> io::Result<Answer> {
        self.ask_by(TcpStream::connect(address)?, address)
    }

    /// Asks on a connection that is there.
    pub fn ask_by(&self, stream: TcpStream, host: &str) -> io::Result<Answer> {
        Answer::to(stream, &self.bytes(host))
    }
}

impl Answer {
    /// The answer to the text of a request; one that is not whole is an error.
    pub fn to(mut stream: TcpStream, request: &str) -> io::Result<Self> {
        stream.set_read_timeout(Some(CLIENT_PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let end = memchr::memmem::find(&bytes, b"\r\n\r\n").ok_or_else(cut)?;
        let head = String::from_utf8(bytes[..end].to_vec()).map_err(io::Error::other)?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).ok_or_else(cut)?;
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let answer = Self { status, headers, body: bytes.split_off(end + 4) };
        let length = answer.header("content-length").expect("no answer of these is in chunks").to_owned();
        if answer.body.len().to_string() == length { Ok(answer) } else { Err(cut()) }
    }
}

/// A running node.
pub struct Node {
    pub child: Child,
    /// The process itself, where another one was started to start it.
    pub pid: u32,
    pub out: Heard,
    pub err: Heard,
    pub gateway: String,
    pub console: String,
    pub health: String,
}

fn host(url: &str) -> String {
    url.trim_start_matches("http://").split('/').next().unwrap().to_owned()
}

impl Node {
    /// Starts `serve`, and waits until it serves.
    pub fn serve(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let (out, err) = (Heard::listen(child.stdout.take().unwrap()), Heard::listen(child.stderr.take().unwrap()));
        let [gateway, console, health] = ["gateway ", "console ", "health  "].map(|name| {
            err.find("where it can be reached", |text| {
                let (_, rest) = text.split_once(&format!("{name}http://"))?;
                Some(host(rest.split_once('\n')?.0))
            })
        });
        Self { pid: child.id(), child, out, err, gateway, console, health }
    }

    /// Starts `demo --json`, and waits for its line.
    pub fn demo(mut command: Command) -> (Self, Value) {
        let mut child = command.spawn().unwrap();
        let (out, err) = (Heard::listen(child.stdout.take().unwrap()), Heard::listen(child.stderr.take().unwrap()));
        let line = out.find("the line of the demo", |text| Some(text.split_once('\n')?.0.to_owned()));
        let line: Value = serde_json::from_str(&line).unwrap();
        let [gateway, console, health] = ["gateway", "console", "health"].map(|key| host(line[key].as_str().unwrap()));
        (Self { pid: child.id(), child, out, err, gateway, console, health }, line)
    }

    #[track_caller]
    pub fn get(&self, target: &str, token: &str) -> Answer {
        Asking::get(target, Some(token)).ask(&self.gateway).unwrap()
    }

    #[track_caller]
    pub fn post(&self, target: &str, token: &str, form: &str) -> Answer {
        Asking { method: "POST", form: Some(form), ..Asking::get(target, Some(token)) }.ask(&self.gateway).unwrap()
    }

    #[track_caller]
    pub fn health(&self, target: &str) -> Answer {
        Asking::get(target, None).ask(&self.health).unwrap()
    }

    /// The code of one check of `/readyz`.
    #[track_caller]
    pub fn check(&self, name: &str) -> String {
        let ready = self.health("/readyz").json();
        let checks = ready["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["name"] == name).unwrap();
        check["code"].as_str().unwrap().to_owned()
    }

    pub fn signal(&self, name: &str) {
        let script = format!("kill -{name} {}", self.pid);
        assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success(), "{script}");
    }

    /// The exit code, within so long.
    #[track_caller]
    pub fn ends(&mut self, within: Duration) -> Option<i32> {
        let child = &mut self.child;
        eventually("the end", within, || child.try_wait().unwrap()).code()
    }

    /// SIGTERM, and an orderly end within seconds.
    #[track_caller]
    pub fn stops(&mut self) {
        self.signal("TERM");
        let code = self.ends(Duration::from_secs(10));
        assert_eq!(code, Some(0), "{}", self.err.text());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // A test that fell leaves nothing behind.
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// The issuer of the tests, with its keys in a file.
pub fn issuer(world: &World, name: &str) -> Issuer {
    let parties = Parties { issuer: ISSUER.to_owned(), audience: AUDIENCE.to_owned() };
    let issuer = Issuer::generate(parties, &mut SystemRng).unwrap();
    std::fs::write(world.path(name), issuer.jwks()).unwrap();
    issuer
}

pub fn token(issuer: &Issuer, login: &str, role: &str, purpose: &str) -> String {
    let claims = Claims {
        subject: login.to_owned(),
        client_id: "tests".to_owned(),
        roles: vec![role.to_owned()],
        purpose: Some(purpose.to_owned()),
        lifetime_seconds: 3_600,
    };
    issuer.issue(&claims, Machine.now(), &mut SystemRng).unwrap()
}

/// A pack for billers, the keys of their tokens, and Ben, who is one, in a state folder that no node has used yet.
pub fn with_a_biller(world: &World) -> (PathBuf, Issuer) {
    let (pack, keys) = (world.pack(&["biller"]), issuer(world, "jwks.json"));
    seed(&world.path("state"), &[("ben.bill", "biller")]);
    (pack, keys)
}

/// Puts people with a role each into the database of a state folder that no node has used yet.
pub fn seed(state: &Path, people: &[(&str, &str)]) {
    std::fs::create_dir_all(state).unwrap();
    let secret = Secret::generate(&mut SystemRng);
    std::fs::write(state.join("root-key"), secret.expose()).unwrap();
    let keys = StoreKeys::new(&RootKey::new(secret), Box::new(SystemRng)).unwrap();
    let address = format!("sqlite:{}", state.join("scruple.db").display());
    let people: Vec<SeedPerson<'_>> =
        people.iter().map(|(login, role)| SeedPerson { login, name: "Somebody", role, practitioners: &[] }).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = Options::parse(&address, Durability::Relaxed).unwrap();
        let store = Store::connect(options, Box::new(keys)).await.unwrap();
        store.migrate().await.unwrap();
        let now = Machine.now();
        let lease = store.acquire_shard(ShardId(1), "scruple", now, now.plus_micros(60_000_000)).await.unwrap();
        seed_workforce(&store, &lease.unwrap(), &Machine, &mut SystemRng, &people).await.unwrap();
        store.close().await;
    });
}

/// A `scruple.toml` with free ports, these roles' pack and the embedded hospital; `more` is added to it.
pub fn config(world: &World, pack: &Path, more: &str) -> PathBuf {
    let text = format!(
        "state = {state:?}\n\
         [listen]\ngateway = \"127.0.0.1:0\"\nconsole = \"127.0.0.1:0\"\nhealth = \"127.0.0.1:0\"\n\
         [tokens]\nissuer = \"{ISSUER}\"\naudience = \"{AUDIENCE}\"\njwks_file = {jwks:?}\n\
         [embedded]\npatients = 3\n\
         [policy]\ndir = {pack:?}\nwatch_ms = 100\n{more}",
        state = world.path("state"),
        jwks = world.path("jwks.json"),
    );
    let path = world.path("scruple.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// The arguments of `serve`.
pub fn serving(config: &Path) -> [String; 3] {
    ["serve".to_owned(), "--config".to_owned(), config.to_str().unwrap().to_owned()]
}

/// The id of the request that each entry of a ledger records.
pub fn request_ids(entries: &[Value]) -> Vec<String> {
    let ids = entries.iter().map(|entry| &entry["entry"]["body"]["request"]["request_id"]);
    ids.filter_map(|id| id.as_str().map(str::to_owned)).collect()
}

/// The facts of the notices with this code.
pub fn notices(entries: &[Value], code: &str) -> Vec<Value> {
    let bodies = entries.iter().map(|entry| &entry["entry"]["body"]);
    bodies.filter(|body| body["kind"] == "notice" && body["code"] == code).map(|body| body["facts"].clone()).collect()
}
