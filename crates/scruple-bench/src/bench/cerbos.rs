//! The Cerbos server from npm, asked over HTTP on one kept connection: one call for all categories of a decision.
//!
//! It has a policy for each category with a rule for each permit; actions are the views. Conditions and purpose are
//! attributes of the principal. Audit and telemetry are off.

use super::measure::time;
use super::processes::quiet;
use super::progress;
use crate::workspace;
use anyhow::{Context as _, Result, bail, ensure};
use scruple_core::{CATEGORIES_MAX, View};
use scruple_policy::{Pack, Question};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// The version that is measured.
pub const VERSION: &str = "0.51.0";
/// Tries at reaching the server, and the pause between them.
const TRIES: u32 = 200;
const PAUSE: Duration = Duration::from_millis(100);
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// A running server.
pub struct Cerbos {
    server: Child,
    stream: BufReader<TcpStream>,
    _folder: tempfile::TempDir,
}

impl Cerbos {
    /// Installs it if need be, writes the policies and starts it.
    ///
    /// # Errors
    /// It cannot be had or does not start.
    pub fn start(pack: &Pack) -> Result<Self> {
        let program = install()?;
        let folder = tempfile::tempdir()?;
        let policies = folder.path().join("policies");
        std::fs::create_dir(&policies)?;
        for (index, category) in pack.categories.iter().enumerate() {
            let text = policy(pack, index, &category.name)?;
            std::fs::write(policies.join(format!("{}.yaml", category.name)), text)?;
        }
        let (http, grpc) = (port()?, port()?);
        let config = folder.path().join("config.yaml");
        std::fs::write(&config, configuration(http, grpc, &policies))?;
        let server = Command::new(program)
            .args(["server", "--log-level=error", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start the Cerbos server")?;
        let mut starting = Starting(Some(server));
        let stream = connect(http, &mut starting)?;
        let server = starting.0.take().context("the Cerbos server is gone")?;
        Ok(Self { server, stream, _folder: folder })
    }

    /// Asks for the views of a question; how long the answer took.
    ///
    /// # Errors
    /// The server does not answer as it should.
    pub fn views(&mut self, pack: &Pack, question: &Question) -> Result<(Duration, [View; CATEGORIES_MAX])> {
        let body = request(pack, question)?;
        let (took, answer) = time(|| post(&mut self.stream, "/api/check/resources", &body));
        let answer: Value = serde_json::from_slice(&answer?)?;
        let mut views = [View::None; CATEGORIES_MAX];
        for result in answer.get("results").and_then(Value::as_array).context("the answer has no results")? {
            let kind = result.pointer("/resource/kind").and_then(Value::as_str).unwrap_or_default();
            let category = pack.category(kind).context("an answer about another category")?;
            let allowed = |view: &View| {
                let name = action(pack, *view);
                result.pointer("/actions").and_then(|a| a.get(&name)).and_then(Value::as_str) == Some("EFFECT_ALLOW")
            };
            let allowed: Vec<View> = actions(pack).into_iter().filter(allowed).collect();
            if let Some(view) = views.get_mut(usize::from(category.0)) {
                *view = allowed
                    .iter()
                    .copied()
                    .find(|v| *v == View::Full)
                    .or(allowed.first().copied())
                    .unwrap_or(View::None);
            }
        }
        Ok((took, views))
    }
}

impl Drop for Cerbos {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A server that is not reached yet: it goes if that fails.
struct Starting(Option<Child>);

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(mut server) = self.0.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

fn install() -> Result<PathBuf> {
    let folder = workspace::rivals_folder()?.join(format!("cerbos-{VERSION}"));
    let program = folder.join("node_modules/@cerbos/cerbos-linux-x64/cerbos-linux-x64");
    if !program.is_file() {
        progress("installing cerbos from npm, once");
        std::fs::create_dir_all(&folder)?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--prefix"]).arg(&folder).arg(format!("cerbos@{VERSION}"));
        ensure!(quiet(&mut npm)? && program.is_file(), "npm does not install cerbos@{VERSION} for this machine");
    }
    Ok(program)
}

fn port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn configuration(http: u16, grpc: u16, policies: &Path) -> String {
    format!(
        "server:\n  httpListenAddr: 127.0.0.1:{http}\n  grpcListenAddr: 127.0.0.1:{grpc}\ntelemetry:\n  disabled: true\n\
         audit:\n  enabled: false\nstorage:\n  driver: disk\n  disk:\n    directory: {}\n    watchForChanges: false\n",
        policies.display()
    )
}

/// The views that the pack's permits have, as Cerbos's actions.
fn actions(pack: &Pack) -> Vec<View> {
    let mut views: Vec<View> = Vec::new();
    for view in pack.roles.values().flat_map(|role| &role.permits).map(|permit| permit.view) {
        if view.shows() && !views.contains(&view) {
            views.push(view);
        }
    }
    views
}

fn action(pack: &Pack, view: View) -> String {
    pack.view_name(view).replace(':', "-")
}

/// The policy of one category. JSON is YAML.
fn policy(pack: &Pack, index: usize, category: &str) -> Result<String> {
    let mut rules = Vec::new();
    for role in pack.roles.values() {
        for permit in &role.permits {
            if !permit.view.shows() || !permit.categories.iter().any(|one| usize::from(one.0) == index) {
                continue;
            }
            let mut when = String::from("P.attr.purpose in [");
            for (place, purpose) in permit.purposes.iter().enumerate() {
                write!(when, "{}\"{purpose}\"", if place > 0 { ", " } else { "" })?;
            }
            when.push(']');
            for name in pack.condition_names(permit.when) {
                write!(when, " && P.attr.{name}")?;
            }
            rules.push(json!({
                "actions": [action(pack, permit.view)], "effect": "EFFECT_ALLOW", "roles": [role.name],
                "condition": { "match": { "expr": when } },
            }));
        }
    }
    let policy = json!({
        "apiVersion": "api.cerbos.dev/v1",
        "resourcePolicy": { "resource": category, "version": "default", "rules": rules },
    });
    Ok(serde_json::to_string_pretty(&policy)?)
}

fn request(pack: &Pack, question: &Question) -> Result<Vec<u8>> {
    let role = pack.roles.get(&question.role).context("unknown role")?;
    let mut attributes = serde_json::Map::new();
    attributes.insert("purpose".to_owned(), json!(role.effective_purpose(&question.purpose)));
    for (bit, condition) in pack.conditions.iter().enumerate() {
        attributes.insert(condition.name.clone(), json!(question.conditions.0 & 1 << bit != 0));
    }
    let actions: Vec<String> = actions(pack).into_iter().map(|view| action(pack, view)).collect();
    let resources: Vec<Value> = pack
        .categories
        .iter()
        .map(|category| json!({ "actions": actions, "resource": { "kind": category.name, "id": "1" } }))
        .collect();
    let principal = json!({ "id": "p", "roles": [role.name], "attr": attributes });
    Ok(serde_json::to_vec(&json!({ "requestId": "r", "principal": principal, "resources": resources }))?)
}

fn connect(port: u16, server: &mut Starting) -> Result<BufReader<TcpStream>> {
    // A pause is a wait for a message that does not come.
    let (_sender, never) = channel::<()>();
    for _ in 0..TRIES {
        if let Some(status) = server.0.as_mut().map(Child::try_wait).transpose()?.flatten() {
            bail!("the Cerbos server ends with {status}");
        }
        if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_secs(20)))?;
            return Ok(BufReader::new(stream));
        }
        let _ = never.recv_timeout(PAUSE);
    }
    bail!("the Cerbos server does not listen")
}

/// One request of HTTP/1.1 on a connection that stays.
fn post(stream: &mut BufReader<TcpStream>, path: &str, body: &[u8]) -> Result<Vec<u8>> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.get_mut().write_all(&[head.as_bytes(), body].concat())?;
    let mut status = String::new();
    stream.read_line(&mut status)?;
    let (mut length, mut chunked) = (None, false);
    loop {
        let mut line = String::new();
        ensure!(stream.read_line(&mut line)? > 0, "the answer ends in its head");
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = Some(value.trim().parse::<usize>()?);
        }
        chunked |= line.starts_with("transfer-encoding:") && line.ends_with("chunked");
    }
    let mut answer = Vec::new();
    loop {
        let count = match (chunked, length) {
            (true, _) => {
                let mut line = String::new();
                stream.read_line(&mut line)?;
                usize::from_str_radix(line.trim(), 16)?
            }
            (false, Some(length)) => length,
            (false, None) => bail!("the answer does not tell its length"),
        };
        ensure!(answer.len() + count <= ANSWER_BYTES_MAX, "the answer is too long");
        let from = answer.len();
        answer.resize(from + count, 0);
        stream.read_exact(answer.get_mut(from..).unwrap_or_default())?;
        if !chunked {
            break;
        }
        let mut end = String::new();
        stream.read_line(&mut end)?;
        if count == 0 {
            break;
        }
    }
    ensure!(status.contains(" 200 "), "the Cerbos server answers {}", status.trim());
    Ok(answer)
}
