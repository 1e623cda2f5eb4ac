//! `scruple.toml`: one file, every key documented in docs/configuration.md, unknown keys refused, and each key may come from the
//! environment instead (`SCRUPLE__SECTION__KEY`).

use anyhow::{Context as _, Result, bail};
use scruple_flow::{IdleRule, IdleRules};
use scruple_http::Networks;
use serde::Deserialize;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// One key, for the reference.
pub struct Key {
    pub section: &'static str,
    pub name: &'static str,
    /// The default as TOML, or what is meant without it.
    pub default: &'static str,
    pub what: &'static str,
}

const fn key(section: &'static str, name: &'static str, default: &'static str, what: &'static str) -> Key {
    Key { section, name, default, what }
}

/// The numbers of nodes over one database.
const SHARDS: RangeInclusive<i64> = 1..=999;

/// Every key of the file.
pub const KEYS: &[Key] = &[
    key("", "state", "`$SCRUPLE_STATE`, else the account's state folder", "Folder of ledger, database and keys."),
    key("", "node", "\"scruple\"", "Name of this node; the lease of its shard is held under it."),
    key(
        "",
        "shard",
        "`1`",
        "Number of this node, 1 to 999: of the nodes over one database each has its own, with its own state folder and the same `root-key`. Number 1 also takes what `scruple admin` does to its ledger.",
    ),
    key(
        "listen",
        "gateway",
        "\"127.0.0.1:8480\"",
        "Address of the FHIR gateway, below `/fhir`. Port 0 takes a free one.",
    ),
    key(
        "listen",
        "console",
        "\"127.0.0.1:8481\"",
        "Address of the console. It speaks plain HTTP, so that it must be a loopback address: TLS stands before it (`console.public_url`).",
    ),
    key("listen", "health", "\"127.0.0.1:8482\"", "Address of `/healthz`, `/readyz` and `/metrics`."),
    key(
        "listen",
        "tls_certificate",
        "none: plain HTTP",
        "PEM file with the gateway's certificate chain. Both TLS keys or none.",
    ),
    key("listen", "tls_key", "none: plain HTTP", "PEM file with its private key."),
    key(
        "gateway",
        "public_url",
        "`http://` and the gateway's address, with `/fhir`",
        "The base under which callers know the gateway: it stands in links, and is the audience of tokens unless `tokens.audience` says else.",
    ),
    key(
        "gateway",
        "allow_assumed_relationships",
        "false",
        "Serve a pack that assumes the relationship of caller and patient in front of a real server. Without it such a pack is served only over the embedded hospital.",
    ),
    key(
        "gateway",
        "timing",
        "\"by-role\"",
        "When answers leave. `plain`: as soon as they are made. `bucket`: at the next of 25, 50, 100, 250, 500, 1000 ms since the request came, then at whole seconds, so that how long an answer took tells little of what is hidden. `by-role`: `bucket` for the roles of which the pack says `timing = \"bucket\"` (researchers, vendors, patients' apps as shipped), `plain` for all others and for who has no role.",
    ),
    key(
        "gateway",
        "inside_networks",
        "\"\"",
        "Networks of the organisation, with blanks between them, such as `10.0.0.0/8 fd00::/8`. Whoever asks from elsewhere, or from nobody knows where, asks from outside: by the shipped policy, what is specially protected opens to him only if he has just confirmed that it is he. Without any, everybody is outside.",
    ),
    key(
        "gateway",
        "trusted_proxies",
        "\"\"",
        "Networks of proxies before the gateway. A connection from one of them counts as from the last address in `X-Forwarded-For` that is no proxy; from anywhere else that header means nothing. Where a proxy stands before the gateway, name it here and not in `inside_networks` alone: else everybody behind it is inside.",
    ),
    key(
        "policy",
        "dir",
        "the embedded pack",
        "Folder of the policy pack. It is read again on SIGHUP, and when a file of it changes.",
    ),
    key(
        "policy",
        "watch_ms",
        "2000",
        "How often the folder is looked at for changes, in milliseconds; 0: only on SIGHUP.",
    ),
    key("upstream", "url", "the embedded synthetic hospital", "Base of the FHIR R4 server behind the gateway."),
    key("upstream", "search_by", "\"post\"", "`post` (`_search`, so that its logs hold no query) or `get`."),
    key(
        "upstream",
        "search_values",
        "\"standard\"",
        "`standard`: strings and references of a search go to the server as they came. `plain`: only what servers with gaps answer in full; the gateway then reads more and judges itself. What is answered is the same.",
    ),
    key(
        "upstream",
        "bearer_file",
        "none",
        "File with the bearer token that the gateway shows the server. A file that changes is read again within seconds: put the next token in its place with a rename. The caller's token is never forwarded.",
    ),
    key(
        "upstream",
        "basic_file",
        "none",
        "File with `user:password` for the server, in place of a bearer token. Read again as that is.",
    ),
    key(
        "upstream",
        "ca_file",
        "the public authorities",
        "PEM file with the authorities that the server's certificate is checked against.",
    ),
    key("upstream", "timeout_ms", "30000", "Milliseconds that one call may take."),
    key(
        "console",
        "public_url",
        "`http://localhost:` and the console's port",
        "The origin under which people open the console, such as `https://scruple.example`. Passkeys are bound to its host, so that it does not change.",
    ),
    key("console", "help", "\"the service desk\"", "Whom the console tells people to call."),
    key(
        "console",
        "sample_managers_percent",
        "20",
        "Of a hundred accesses of managers, how many are drawn each month to be looked at. All of them are listed.",
    ),
    key("console", "sample_others_percent", "2", "The same of everybody else."),
    key(
        "oidc",
        "issuer",
        "none: people sign in here alone",
        "The organisation's identity provider (OpenID Connect), such as `https://login.example.org/realm`. At the provider the console is registered with the address `/sign-in/back` below `console.public_url`.",
    ),
    key("oidc", "client_id", "needed with `oidc.issuer`", "The name of the console at the provider."),
    key(
        "oidc",
        "client_secret_file",
        "none: a public client",
        "File with its secret there. PKCE (S256) is used with and without one.",
    ),
    key("oidc", "label", "\"your organisation\"", "What people call the provider: `Sign in with ...`."),
    key(
        "oidc",
        "login_claim",
        "\"preferred_username\"",
        "The claim that says the login by which SCIM knows the person: `preferred_username`, `email` (if the provider has verified it) or `sub`. The first who comes under a login binds it to his `sub`; another `sub` under that login is refused until the person is enrolled anew.",
    ),
    key(
        "oidc",
        "acr_values",
        "\"\"",
        "Authentication classes, with blanks between them, of which the provider must have met one.",
    ),
    key(
        "oidc",
        "second_factor",
        "true",
        "Without `acr_values`: the provider must say that several factors were shown (`amr` has `mfa`, RFC 8176).",
    ),
    key(
        "oidc",
        "ca_file",
        "the public authorities",
        "PEM file with the authorities that its certificate is checked against.",
    ),
    key(
        "messages",
        "smtp",
        "none: no mail",
        "The mail server: `smtps://host`, or `smtp://host` with STARTTLS; with a port if it is another than 465 or 587. In clear to this machine alone.",
    ),
    key("messages", "smtp_user", "none", "The user at the mail server."),
    key("messages", "smtp_password_file", "none", "File with his password."),
    key(
        "messages",
        "from",
        "needed with `messages.smtp`",
        "Whom mails are from, such as `Scruple <scruple@example.org>`.",
    ),
    key(
        "messages",
        "privacy",
        "\"\"",
        "Mail addresses, with blanks between them, that are told of emergencies and of reviews that are late. A mail names nobody: it has a link that asks for sign-in.",
    ),
    key(
        "messages",
        "requests",
        "\"\"",
        "Mail addresses that are told of requests that wait to be decided, and once more when half of the time is over.",
    ),
    key(
        "messages",
        "people_domain",
        "none",
        "The domain of the addresses of people of whom SCIM tells none, such as `example.org`: what is for one person alone goes to `login@example.org`, or to the login where it is an address.",
    ),
    key(
        "messages",
        "webhook_url",
        "none",
        "Each message is also sent here as JSON by POST, signed (`Scruple-Signature: t=SECONDS,v1=HMAC-SHA256`).",
    ),
    key(
        "messages",
        "webhook_secret_file",
        "needed with `messages.webhook_url`",
        "File with the secret of the signature.",
    ),
    key(
        "messages",
        "ca_file",
        "the public authorities",
        "PEM file with the authorities that the certificates of both are checked against.",
    ),
    key(
        "api",
        "audience",
        "`tokens.audience`",
        "Audience of the access tokens that are shown at `/api/v1` and `/access/v1` of the console's address (claim `aud`). Issuer and keys are those of `tokens`.",
    ),
    key(
        "scim",
        "token_file",
        "none: no SCIM",
        "File with the bearer token that the HR system or identity provider shows at `/scim/v2` of the console's address.",
    ),
    key(
        "scim",
        "move_notice_hours",
        "24",
        "Hours from when another title or department is told to when it takes what the old one gave.",
    ),
    key("accounts", "human_idle_days", "45", "Days after which an account that nobody uses is noticed (house rule)."),
    key("accounts", "agency_idle_days", "30", "The same for people whom an agency has sent."),
    key("accounts", "trainee_idle_days", "45", "The same for trainees."),
    key("accounts", "service_idle_days", "90", "The same for systems."),
    key("accounts", "vendor_idle_days", "30", "The same for people and systems of business associates."),
    key(
        "accounts",
        "notice_days",
        "14",
        "Days from when an idle account is noticed to when it is disabled, at least one. Of agencies and vendors half of them.",
    ),
    key(
        "systems",
        "file",
        "none: no connected systems",
        "File that names the ways to connected systems (docs/systems.md). It is read at the start; tokens stand in files of their own.",
    ),
    key("systems", "read_minutes", "15", "Minutes between two readings of a connected system, at least one."),
    key(
        "systems",
        "stale_hours",
        "24",
        "Hours without a whole reading after which it is a finding that nothing new is known of a connected system.",
    ),
    key("embedded", "patients", "50", "Patients of the embedded hospital."),
    key("embedded", "seed", "1", "Another seed, other people."),
    key(
        "embedded",
        "assume_relationships",
        "true",
        "Over the embedded hospital the shipped policy takes it that every caller has a tie with every patient, so that each role can be tried. `false`: ties are looked up, as before a real server; then clerks, whose work is in no record there, see nobody.",
    ),
    key("tokens", "issuer", "needed by `serve`", "Issuer of access tokens (RFC 9068, claim `iss`)."),
    key("tokens", "audience", "`gateway.public_url`", "Audience of access tokens (claim `aud`)."),
    key("tokens", "jwks_file", "needed by `serve`", "File with the issuer's keys (JWKS, ES256). Read again on SIGHUP."),
    key(
        "tokens",
        "device_claim",
        "\"device_id\"",
        "The claim of access tokens, and of the ID token of `oidc.issuer`, that names the device as its management does.",
    ),
    key(
        "signals",
        "issuer",
        "none: nobody tells of devices",
        "The transmitter of device compliance (OpenID Shared Signals, CAEP): the `iss` of the security event tokens that it pushes to `/api/v1/security-events` of the console's address (RFC 8935).",
    ),
    key(
        "signals",
        "audience",
        "`console.public_url` with `/api/v1/security-events`",
        "The `aud` of these tokens: the name by which the transmitter knows the receiver.",
    ),
    key(
        "signals",
        "jwks_file",
        "needed with `signals.issuer`",
        "File with the transmitter's keys (JWKS, ES256). Read again on SIGHUP.",
    ),
    key("store", "address", "`scruple.db` in the state folder", "Database: `sqlite:FILE` or `postgres://...`."),
    key("ledger", "dir", "`ledger` in the state folder", "Folder of the ledger, on a disk that outlives the node."),
    key(
        "ledger",
        "reserve",
        "`ledger-reserve` in the state folder",
        "Folder of the emergency reserve: 64 MiB are written ahead there, for treatment when the ledger's disk is full.",
    ),
    key(
        "ledger",
        "second",
        "none",
        "Folder of a second ledger, better on another disk, for when the reserve is used up.",
    ),
    key("log", "format", "\"text\"", "`text` or `json`, on standard error."),
    key("log", "level", "\"info\"", "`error`, `warn`, `info`, `debug` or `trace`."),
];

/// The file, read.
#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub state: Option<PathBuf>,
    pub node: Option<String>,
    pub shard: Option<i64>,
    pub listen: Listen,
    pub gateway: GatewayConfig,
    pub policy: PolicyConfig,
    pub upstream: UpstreamConfig,
    pub console: ConsoleConfig,
    pub oidc: OidcConfig,
    pub messages: MessagesConfig,
    pub api: ApiConfig,
    pub scim: ScimConfig,
    pub accounts: AccountsConfig,
    pub systems: SystemsConfig,
    pub embedded: Embedded,
    pub tokens: Tokens,
    pub signals: SignalsConfig,
    pub store: StoreConfig,
    pub ledger: LedgerConfig,
    pub log: Log,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    pub gateway: SocketAddr,
    pub console: SocketAddr,
    pub health: SocketAddr,
    pub tls_certificate: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
}

impl Default for Listen {
    fn default() -> Self {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self { gateway: at(8480), console: at(8481), health: at(8482), tls_certificate: None, tls_key: None }
    }
}

#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayConfig {
    pub public_url: Option<String>,
    pub allow_assumed_relationships: bool,
    pub timing: Timing,
    pub inside_networks: String,
    pub trusted_proxies: String,
}

#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct ApiConfig {
    pub audience: Option<String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Default, Debug)]
#[serde(rename_all = "kebab-case")]
pub enum Timing {
    Plain,
    Bucket,
    #[default]
    ByRole,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    pub dir: Option<PathBuf>,
    pub watch_ms: u64,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self { dir: None, watch_ms: 2_000 }
    }
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Default, Debug)]
#[serde(rename_all = "snake_case")]
pub enum SearchMethod {
    #[default]
    Post,
    Get,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Default, Debug)]
#[serde(rename_all = "snake_case")]
pub enum SearchValues {
    #[default]
    Standard,
    Plain,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct UpstreamConfig {
    pub url: Option<String>,
    pub search_by: SearchMethod,
    pub search_values: SearchValues,
    pub bearer_file: Option<PathBuf>,
    pub basic_file: Option<PathBuf>,
    pub ca_file: Option<PathBuf>,
    pub timeout_ms: u64,
}

impl Default for UpstreamConfig {
    fn default() -> Self {
        Self {
            url: None,
            search_by: SearchMethod::Post,
            search_values: SearchValues::Standard,
            bearer_file: None,
            basic_file: None,
            ca_file: None,
            timeout_ms: 30_000,
        }
    }
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct ConsoleConfig {
    pub public_url: Option<String>,
    pub help: String,
    pub sample_managers_percent: u8,
    pub sample_others_percent: u8,
}

impl Default for ConsoleConfig {
    fn default() -> Self {
        let help = "the service desk".to_owned();
        Self { public_url: None, help, sample_managers_percent: 20, sample_others_percent: 2 }
    }
}

/// The claim that says the login.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Default, Debug)]
#[serde(rename_all = "snake_case")]
pub enum LoginClaim {
    #[default]
    PreferredUsername,
    Email,
    Sub,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct OidcConfig {
    pub issuer: Option<String>,
    pub client_id: Option<String>,
    pub client_secret_file: Option<PathBuf>,
    pub label: String,
    pub login_claim: LoginClaim,
    pub acr_values: String,
    pub second_factor: bool,
    pub ca_file: Option<PathBuf>,
}

impl Default for OidcConfig {
    fn default() -> Self {
        Self {
            issuer: None,
            client_id: None,
            client_secret_file: None,
            label: "your organisation".to_owned(),
            login_claim: LoginClaim::PreferredUsername,
            acr_values: String::new(),
            second_factor: true,
            ca_file: None,
        }
    }
}

#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct MessagesConfig {
    pub smtp: Option<String>,
    pub smtp_user: Option<String>,
    pub smtp_password_file: Option<PathBuf>,
    pub from: Option<String>,
    pub privacy: String,
    pub requests: String,
    pub people_domain: Option<String>,
    pub webhook_url: Option<String>,
    pub webhook_secret_file: Option<PathBuf>,
    pub ca_file: Option<PathBuf>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct ScimConfig {
    pub token_file: Option<PathBuf>,
    pub move_notice_hours: u32,
}

impl Default for ScimConfig {
    fn default() -> Self {
        Self { token_file: None, move_notice_hours: 24 }
    }
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct AccountsConfig {
    pub human_idle_days: u16,
    pub agency_idle_days: u16,
    pub trainee_idle_days: u16,
    pub service_idle_days: u16,
    pub vendor_idle_days: u16,
    pub notice_days: u16,
}

impl Default for AccountsConfig {
    fn default() -> Self {
        let rules = IdleRules::default();
        Self {
            human_idle_days: rules.human.idle_days,
            agency_idle_days: rules.agency.idle_days,
            trainee_idle_days: rules.trainee.idle_days,
            service_idle_days: rules.service.idle_days,
            vendor_idle_days: rules.vendor.idle_days,
            notice_days: rules.human.notice_days,
        }
    }
}

impl AccountsConfig {
    /// The rules for accounts that nobody uses.
    pub fn rules(&self) -> IdleRules {
        let (whole, half) = (self.notice_days, self.notice_days / 2);
        let rule = |idle_days, notice_days| IdleRule { idle_days, notice_days };
        IdleRules {
            human: rule(self.human_idle_days, whole),
            agency: rule(self.agency_idle_days, half),
            trainee: rule(self.trainee_idle_days, whole),
            service: rule(self.service_idle_days, whole),
            vendor: rule(self.vendor_idle_days, half),
        }
    }
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct SystemsConfig {
    pub file: Option<PathBuf>,
    pub read_minutes: u32,
    pub stale_hours: u32,
}

impl Default for SystemsConfig {
    fn default() -> Self {
        Self { file: None, read_minutes: 15, stale_hours: 24 }
    }
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct Embedded {
    pub patients: usize,
    pub seed: u64,
    pub assume_relationships: bool,
}

impl Default for Embedded {
    fn default() -> Self {
        Self { patients: 50, seed: 1, assume_relationships: true }
    }
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct Tokens {
    pub issuer: Option<String>,
    pub audience: Option<String>,
    pub jwks_file: Option<PathBuf>,
    pub device_claim: String,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { issuer: None, audience: None, jwks_file: None, device_claim: "device_id".to_owned() }
    }
}

#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct SignalsConfig {
    pub issuer: Option<String>,
    pub audience: Option<String>,
    pub jwks_file: Option<PathBuf>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    pub address: Option<String>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct LedgerConfig {
    pub dir: Option<PathBuf>,
    pub reserve: Option<PathBuf>,
    pub second: Option<PathBuf>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Default, Debug)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Default, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

#[derive(Deserialize, Clone, Copy, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    pub format: LogFormat,
    pub level: Level,
}

impl Config {
    /// Reads a file, if one is given, and the environment.
    pub fn load(path: Option<&Path>) -> Result<Self> {
        let text = match path {
            Some(path) => std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?,
            None => String::new(),
        };
        let name = path.map_or_else(String::new, |path| path.display().to_string());
        let environment =
            std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
        Self::read(&text, &name, environment)
    }

    /// Reads a text, named `name` in errors, and variables of an environment.
    pub fn read(text: &str, name: &str, environment: impl Iterator<Item = (String, String)>) -> Result<Self> {
        let mut config: Self = toml::from_str(text).map_err(|error| at(name, text, &error))?;
        let mut overrides: Vec<(String, String)> =
            environment.filter(|(key, _)| key.starts_with("SCRUPLE__")).collect();
        if !overrides.is_empty() {
            overrides.sort();
            let mut table: toml::Table = toml::from_str(text).map_err(|error| at(name, text, &error))?;
            for (variable, value) in overrides {
                put(&mut table, &variable, &value)?;
                // One after the other, so that an error names the variable.
                config = table.clone().try_into().with_context(|| format!("environment variable `{variable}`"))?;
            }
        }
        config.check()?;
        Ok(config)
    }

    /// The networks of the organisation, and its proxies.
    pub fn networks(&self) -> Result<Networks> {
        let GatewayConfig { inside_networks, trusted_proxies, .. } = &self.gateway;
        Networks::parse(inside_networks, trusted_proxies)
            .context("`gateway.inside_networks` and `gateway.trusted_proxies` are networks with blanks between them")
    }

    fn check(&self) -> Result<()> {
        if let Some(number) = self.shard.filter(|number| !SHARDS.contains(number)) {
            bail!("`shard` is {number}: a node is numbered from {} to {}", SHARDS.start(), SHARDS.end());
        }
        if !self.listen.console.ip().is_loopback() {
            bail!(
                "`listen.console` is {}: the console speaks plain HTTP and listens on a loopback address; put TLS before it and name it in `console.public_url`",
                self.listen.console
            );
        }
        if let Some(url) = &self.console.public_url {
            origin(url).context("`console.public_url`")?;
        }
        if self.listen.tls_certificate.is_some() != self.listen.tls_key.is_some() {
            bail!("`listen.tls_certificate` and `listen.tls_key` go together");
        }
        if self.upstream.bearer_file.is_some() && self.upstream.basic_file.is_some() {
            bail!("`upstream.bearer_file` and `upstream.basic_file` exclude each other");
        }
        self.networks()?;
        if self.signals.issuer.is_some() != self.signals.jwks_file.is_some() {
            bail!("`signals.issuer` and `signals.jwks_file` go together");
        }
        if let Some(url) = &self.gateway.public_url
            && (!url.starts_with("http") || url.ends_with('/') || url.contains(['?', '#', '"', '\\', ' ']))
        {
            bail!("`gateway.public_url` is an http or https URL without slash, query or fragment at its end");
        }
        Ok(())
    }
}

/// `file:line: what is wrong`.
fn at(name: &str, text: &str, error: &toml::de::Error) -> anyhow::Error {
    let line = error.span().map(|span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
    let line = line.map(|line| format!(":{line}")).unwrap_or_default();
    anyhow::anyhow!("{name}{line}: {} (docs/configuration.md lists the keys)", error.message().replace('\n', ", "))
}

/// Puts a variable (`SCRUPLE__LISTEN__GATEWAY`) into its place.
fn put(table: &mut toml::Table, variable: &str, value: &str) -> Result<()> {
    let path = variable.trim_start_matches("SCRUPLE__").to_lowercase();
    let known = KEYS.iter().find(|key| {
        let full = if key.section.is_empty() { key.name.to_owned() } else { format!("{}__{}", key.section, key.name) };
        full == path
    });
    let Some(key) = known else {
        bail!("environment variable `{variable}` names no key of the configuration; docs/configuration.md lists them");
    };
    // A number or a truth value as such, anything else as text.
    let parsed = match value.parse::<i64>() {
        Ok(number) => toml::Value::Integer(number),
        Err(_) => match value {
            "true" => toml::Value::Boolean(true),
            "false" => toml::Value::Boolean(false),
            text => toml::Value::String(text.to_owned()),
        },
    };
    let holder = if key.section.is_empty() {
        table
    } else {
        let section = table.entry(key.section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        section.as_table_mut().with_context(|| format!("`{}` is no section", key.section))?
    };
    holder.insert(key.name.to_owned(), parsed);
    Ok(())
}

/// The host of an origin: `https://scruple.example`, or with a port.
pub fn origin(url: &str) -> Result<&str> {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://localhost").map(|_| "localhost"));
    let host = host.with_context(|| format!("`{url}` is no address of the form https://scruple.example"))?;
    let host = host.split(':').next().unwrap_or_default();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    if host.is_empty() || !host.bytes().all(allowed) || url.ends_with('/') {
        bail!("`{url}` is no address of the form https://scruple.example, without a path");
    }
    Ok(host)
}

/// The reference of all keys, as Markdown.
pub fn reference() -> String {
    let mut text = String::from(
        "# Configuration\n\n`scruple serve --config scruple.toml`. Made by `scruple config reference`; a test compares. Unknown keys are refused with\n\
         their line. Each key can come from the environment: `SCRUPLE__SECTION__KEY`, such as `SCRUPLE__UPSTREAM__URL`.\n",
    );
    let mut section = "-";
    for key in KEYS {
        if key.section != section {
            section = key.section;
            let title = if section.is_empty() { "At the top".to_owned() } else { format!("[{section}]") };
            text += &format!("\n## {title}\n\n| key | default | what |\n|---|---|---|\n");
        }
        let default = if key.default.starts_with('"')
            || key.default.bytes().all(|byte| byte.is_ascii_digit())
            || key.default == "false"
        {
            format!("`{}`", key.default)
        } else {
            key.default.to_owned()
        };
        text += &format!("| `{}` | {default} | {} |\n", key.name, key.what);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config> {
        let environment = environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Config::read(text, "scruple.toml", environment)
    }

    fn error(text: &str, environment: &[(&str, &str)]) -> String {
        format!("{:#}", read(text, environment).unwrap_err())
    }

    /// A text with a value for each key, in the form that the key takes.
    fn every_key() -> String {
        let mut text = String::new();
        let mut section = "";
        for key in KEYS {
            if key.section != section {
                section = key.section;
                text += &format!("[{section}]\n");
            }
            let value = match (key.section, key.name) {
                ("listen", "gateway" | "console" | "health") => "\"127.0.0.1:0\"",
                ("gateway", "public_url") => "\"https://gateway.example/fhir\"",
                ("console", "public_url") => "\"https://scruple.example\"",
                ("gateway", "allow_assumed_relationships")
                | ("embedded", "assume_relationships")
                | ("oidc", "second_factor") => "true",
                ("oidc", "login_claim") => "\"sub\"",
                ("gateway", "timing") => "\"bucket\"",
                ("gateway", "inside_networks" | "trusted_proxies") => "\"10.0.0.0/8\"",
                ("upstream", "search_by") => "\"get\"",
                ("upstream", "search_values") => "\"plain\"",
                ("upstream", "basic_file") => continue,
                ("log", "format") => "\"json\"",
                ("log", "level") => "\"debug\"",
                (_, "watch_ms" | "timeout_ms" | "patients" | "seed" | "move_notice_hours" | "shard") => "7",
                ("console", "sample_managers_percent" | "sample_others_percent") => "7",
                ("accounts", _) | ("systems", "read_minutes" | "stale_hours") => "7",
                _ => "\"a\"",
            };
            text += &format!("{} = {value}\n", key.name);
        }
        text
    }

    #[test]
    fn every_documented_key_is_read() {
        let config = read(&every_key(), &[]).unwrap();
        assert_eq!((config.embedded.patients, config.upstream.timeout_ms), (7, 7));
        for key in KEYS {
            let path =
                if key.section.is_empty() { key.name.to_owned() } else { format!("{}__{}", key.section, key.name) };
            let variable = format!("SCRUPLE__{}", path.to_uppercase());
            let wrong = error("", &[(&variable, "\u{0}"), ("SCRUPLE__LOG__LEVEL", "none")]);
            assert!(wrong.contains("environment variable `SCRUPLE__"), "{wrong}");
        }
    }

    #[test]
    fn the_reference_is_the_file_in_docs() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, reference(), "run `cargo run -p scruple -- config reference > docs/configuration.md`");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        assert!(error("\n[listen]\ngatewy = 1\n", &[]).starts_with("scruple.toml:3: unknown field `gatewy`"));
        assert!(error("[listen]\ngateway = \"here\"\n", &[]).starts_with("scruple.toml:2: "));
        assert!(error("[listen]\nconsole = \"0.0.0.0:1\"\n", &[]).contains("loopback"));
        assert!(error("[listen]\ntls_key = \"k\"\n", &[]).contains("go together"));
        assert!(error("[upstream]\nbearer_file = \"a\"\nbasic_file = \"b\"\n", &[]).contains("exclude"));
        assert!(error("[gateway]\npublic_url = \"https://a/\"\n", &[]).contains("public_url"));
        assert!(error("[gateway]\ninside_networks = \"10.0.0.1/8\"\n", &[]).contains("is no network"));
        assert!(error("[signals]\nissuer = \"a\"\n", &[]).contains("go together"));
        assert!(error("", &[("SCRUPLE__LISTEN__GATEWY", "1")]).contains("names no key"));
    }

    #[test]
    fn the_environment_goes_before_the_file() {
        let config = read(
            "[upstream]\nurl = \"a\"\n",
            &[("SCRUPLE__UPSTREAM__URL", "b"), ("PATH", "x"), ("SCRUPLE__EMBEDDED__SEED", "9")],
        );
        let config = config.unwrap();
        assert_eq!((config.upstream.url.as_deref(), config.embedded.seed), (Some("b"), 9));
    }
}
