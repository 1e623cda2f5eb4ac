//! A client of the API: JSON with a bearer token, and a node with people in many roles.

use crate::node::{AUDIENCE, Answer, ISSUER, Machine, Node, config, issuer, seed, serving};
use crate::support::{World, shipped_pack};
use scruple_core::Clock as _;
use scruple_identity::{Claims, Issuer};
use scruple_seal::SystemRng;
use serde_json::Value;
use std::net::TcpStream;

pub const EVERY_SCOPE: &str = "scruple.read scruple.write scruple.evaluate scruple.search";

/// One call.
pub struct Call<'a> {
    pub method: &'a str,
    pub target: &'a str,
    pub token: Option<&'a str>,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: Option<&'a str>,
}

impl<'a> Call<'a> {
    pub const fn get(target: &'a str, token: &'a str) -> Self {
        Self { method: "GET", target, token: Some(token), headers: &[], body: None }
    }

    #[track_caller]
    pub fn ask(&self, host: &str) -> Answer {
        let mut text = format!("{} {} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n", self.method, self.target);
        if let Some(token) = self.token {
            text += &format!("Authorization: Bearer {token}\r\n");
        }
        let named = |name: &str| self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        if self.body.is_some() && !named("content-type") {
            text += "Content-Type: application/json\r\n";
        }
        for (name, value) in self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        let body = self.body.unwrap_or_default();
        text += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        Answer::to(TcpStream::connect(host).unwrap(), &text).unwrap()
    }
}

/// A node with the shipped pack, and an issuer of tokens for its people.
pub struct Api {
    pub node: Node,
    pub keys: Issuer,
}

impl Api {
    /// A node; `assumed`: with relationships assumed, for a pack's own decisions.
    pub fn serve(world: &World, people: &[(&str, &str)], assumed: bool) -> Self {
        let pack = if assumed { assuming(world) } else { shipped_pack() };
        seed(&world.path("state"), people);
        let keys = issuer(world, "jwks.json");
        let node = Node::serve(world.command(serving(&config(world, &pack, ""))));
        Self { node, keys }
    }

    /// A token with these scopes of somebody who has just confirmed that it is he.
    pub fn token(&self, login: &str, scope: &str) -> String {
        self.token_for(login, scope, 3_600, true)
    }

    pub fn token_for(&self, login: &str, scope: &str, lifetime_seconds: u32, confirmed: bool) -> String {
        let claims = Claims {
            subject: login.to_owned(),
            client_id: "tests".to_owned(),
            roles: Vec::new(),
            purpose: None,
            lifetime_seconds,
        };
        assert_eq!((self.keys.parties().issuer.as_str(), self.keys.parties().audience.as_str()), (ISSUER, AUDIENCE));
        // One that is over was issued long ago.
        let at = if lifetime_seconds == 0 { Machine.now().plus_micros(-3_600_000_000) } else { Machine.now() };
        self.keys.issue_scoped(&claims, (scope, confirmed), at, &mut SystemRng).unwrap()
    }

    #[track_caller]
    pub fn get(&self, target: &str, token: &str) -> Answer {
        Call::get(target, token).ask(&self.node.console)
    }

    #[track_caller]
    pub fn post(&self, target: &str, token: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        let text = body.to_string();
        let body = (!body.is_null()).then_some(text.as_str());
        Call { method: "POST", target, token: Some(token), headers, body }.ask(&self.node.console)
    }
}

/// The shipped pack with relationships assumed.
pub fn assuming(world: &World) -> std::path::PathBuf {
    let to = world.path("assuming");
    let mut folders = vec![(shipped_pack(), to.clone())];
    while let Some((from, to)) = folders.pop() {
        std::fs::create_dir_all(&to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            let at = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                folders.push((entry.path(), at));
            } else {
                std::fs::copy(entry.path(), at).unwrap();
            }
        }
    }
    let head = std::fs::read_to_string(to.join("pack.toml")).unwrap();
    let assumed = head.replace("relationships = \"resolved\"", "relationships = \"assumed\"");
    assert_ne!(head, assumed);
    std::fs::write(to.join("pack.toml"), assumed).unwrap();
    to
}

/// The id of the text that the shipped policy has read before somebody asks.
pub fn acknowledged(role: &str, what: scruple_policy::ReminderOf) -> String {
    let pack = scruple_policy::read(&scruple_policy::PackFiles::embedded()).unwrap();
    pack.reminder(what, role).unwrap().id
}
