//! Two nodes of the program over one database, the second behind a relay.

use super::fill::{Filled, OFFICERS, commit};
use crate::bench::{processes::stop, progress};
use crate::node::{ROOT_KEY, SystemClock};
use anyhow::{Context as _, Result, bail};
use scruple_core::{Clock as _, new_id};
use scruple_identity::session::{DeviceClass, SessionToken};
use scruple_identity::{Claims, Issuer, Parties};
use scruple_seal::SystemRng;
use scruple_store::{NewSession, insert_session};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const PARTIES: [&str; 2] = ["https://issuer.invalid", "https://gateway.invalid/fhir"];
/// What shows itself at `/scim/v2`.
pub const SCIM_TOKEN: &str = "scale-token-of-a-directory-that-is-none";
/// Seconds that a token lasts.
const TOKEN_SECONDS: u32 = 4 * 3_600;

/// One of them.
pub struct Node {
    child: Child,
    pub gateway: SocketAddr,
    pub console: SocketAddr,
}

/// Both.
pub struct Nodes {
    pub first: Node,
    /// The one behind the relay.
    pub second: Node,
    issuer: Issuer,
    /// Cookies of the officers, in the order of [`OFFICERS`].
    pub cookies: Vec<String>,
}

impl Nodes {
    /// Starts them, and signs the officers in.
    pub fn start(program: &Path, dir: &Path, filled: &Filled, relayed: &str) -> Result<Self> {
        let parties = Parties { issuer: PARTIES[0].to_owned(), audience: PARTIES[1].to_owned() };
        let issuer = Issuer::generate(parties, &mut SystemRng)?;
        std::fs::write(dir.join("jwks.json"), issuer.jwks())?;
        std::fs::write(dir.join("scim-token"), SCIM_TOKEN)?;
        let first = Node::start(program, dir, (1, &filled.database), &filled.pack)?;
        let second = Node::start(program, dir, (2, relayed), &filled.pack)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let cookies = runtime.block_on(async {
            let mut cookies = Vec::new();
            for person in &filled.officers {
                let (token, now) = (SessionToken::generate(&mut SystemRng), SystemClock.now());
                let mut tx = filled.store.begin().await?;
                let device = DeviceClass::Personal.code();
                let session = NewSession {
                    id: new_id(now, &mut SystemRng),
                    person: *person,
                    token_hash: token.hash(),
                    device,
                    method: "totp",
                    device_id: None,
                    at: now,
                };
                insert_session(&mut tx, &session).await?;
                commit(tx, &filled.lease).await?;
                cookies.push(format!("__Host-scruple={}", token.expose().as_str()));
            }
            anyhow::Ok(cookies)
        })?;
        Ok(Self { first, second, issuer, cookies })
    }

    /// The cookie of the officer in a role.
    pub fn cookie(&self, role: &str) -> Result<&str> {
        let place = OFFICERS.iter().position(|(_, known)| *known == role);
        place.and_then(|place| self.cookies.get(place)).map(String::as_str).context("nobody is signed in in this role")
    }

    /// The header of somebody who reads at the gateway.
    pub fn bearer(&self, login: &str, role: &str) -> Result<String> {
        let claims = Claims {
            subject: login.to_owned(),
            client_id: "bench".to_owned(),
            roles: vec![role.to_owned()],
            purpose: Some("TREAT".to_owned()),
            lifetime_seconds: TOKEN_SECONDS,
        };
        Ok(format!("Bearer {}", self.issuer.issue(&claims, SystemClock.now(), &mut SystemRng)?))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // A bench that fails leaves no node behind.
        stop(&mut self.child);
    }
}

impl Node {
    fn start(program: &Path, dir: &Path, (number, database): (u32, &str), pack: &Path) -> Result<Self> {
        let state = dir.join(format!("state-{number}"));
        std::fs::create_dir_all(&state)?;
        std::fs::write(state.join("root-key"), ROOT_KEY)?;
        let config = dir.join(format!("scruple-{number}.toml"));
        let text = format!(
            "state = {state:?}\nnode = \"scale-{number}\"\nshard = {number}\n\
             [listen]\ngateway = \"127.0.0.1:0\"\nconsole = \"127.0.0.1:0\"\nhealth = \"127.0.0.1:0\"\n\
             [store]\naddress = {database:?}\n\
             [tokens]\nissuer = {:?}\naudience = {:?}\njwks_file = {:?}\n\
             [scim]\ntoken_file = {:?}\n\
             [embedded]\npatients = 50\n\
             [policy]\ndir = {pack:?}\nwatch_ms = 0\n\
             [log]\nlevel = \"warn\"\n",
            PARTIES[0],
            PARTIES[1],
            dir.join("jwks.json"),
            dir.join("scim-token"),
        );
        std::fs::write(&config, text)?;
        let mut child = Command::new(program)
            .args(["serve", "--config"])
            .arg(&config)
            .env_remove("SCRUPLE_STATE")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("the program does not start")?;
        let said = BufReader::new(child.stderr.take().context("the program has no standard error")?);
        let (mut gateway, mut console, mut heard) = (None, None, String::new());
        let mut lines = said.lines();
        while let (None, _) | (_, None) = (gateway, console) {
            let Some(line) = lines.next().transpose()? else { bail!("node {number} ended: {heard}") };
            let address = |name: &str| line.split_once(&format!("{name}http://"))?.1.split('/').next()?.parse().ok();
            gateway = gateway.or_else(|| address("gateway "));
            console = console.or_else(|| address("console "));
            heard = heard + &line + "\n";
        }
        // It goes on to the terminal: it tells nothing of a record.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| progress(&line)));
        let (gateway, console) = gateway.zip(console).context("the node does not say where it is")?;
        Ok(Self { child, gateway, console })
    }
}
