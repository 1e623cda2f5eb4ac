//! `scruple demo`: gateway and console over a synthetic hospital, with people to be and tokens for them.

mod files;

use crate::config::Config;
use crate::node::{self, Addresses, Plan, Someone};
use crate::serve::runtime;
use crate::state;
use crate::terminal::{say, tell};
use anyhow::Result;
use clap::Args;
use scruple_hospital::{Hospital, StaffMember, staff};
use scruple_identity::session::SessionToken;
use scruple_identity::{Claims, Parties};
use scruple_seal::SystemRng;
use serde_json::json;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Issuer and audience of the demo's tokens: no address, so that they hold on any port.
const ISSUER: &str = "https://demo.scruple.example";
const AUDIENCE: &str = "https://demo.scruple.example/fhir";
/// Seconds that a token lasts.
const TOKEN_SECONDS: u32 = 8 * 3_600;
/// Index of the patient whom the curl lines ask for: one who lives with HIV.
const PATIENT: usize = 1;
/// The people of the demo: role and purpose.
const PERSONAS: [(&str, &str); 6] = [
    ("front_desk", "PATADMIN"),
    ("biller", "HPAYMT"),
    ("nurse", "TREAT"),
    ("physician", "TREAT"),
    ("quality_analyst", "HQUALIMP"),
    ("it_support", "HSYSADMIN"),
];

/// Starts gateway and console over a synthetic hospital, and prints people to be.
///
/// Everything in it is synthetic. It goes on until Ctrl-C or SIGTERM.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  scruple demo\n  scruple demo --upstream http://127.0.0.1:8080/fhir\n  scruple demo --json --listen 127.0.0.1:0 --data try\n  scruple demo --ties\n  scruple demo --files --dir try-files"
)]
pub struct DemoArgs {
    /// Prints one JSON line when ready: {"console","gateway","health","ledger","personas":[{"name","role","purpose","token"}],"sign_in":[{"login","role","link"}],"scim","scim_token","api","api_token","authzen","authzen_token"}
    #[arg(long)]
    json: bool,
    /// Address of the gateway; console and health take ports of their own on it [default: 127.0.0.1:8480, or a free port]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Folder of ledger, database and keys, kept from run to run [default: demo-node in the state folder]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// FHIR R4 server behind the gateway, in place of the embedded hospital
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// Shows the same on files, without a server, and ends
    #[arg(long, conflicts_with_all = ["json", "listen", "data", "upstream"])]
    files: bool,
    /// Looks up who treats whom, as before a real server: a nurse sees her patients and asks for others. Without it each role sees its
    /// part of every record
    #[arg(long, conflicts_with_all = ["files", "upstream"])]
    ties: bool,
    /// With --files: folder for the hospital, the outputs and the ledger, made anew [default: demo in the state folder]
    #[arg(long, value_name = "DIR", requires = "files")]
    dir: Option<PathBuf>,
}

/// People of the demo who work in the console alone: name and role.
const OFFICE: [(&str, &str); 5] = [
    ("Mara Keller", "manager"),
    ("Ines Vogt", "privacy_officer"),
    ("Ola Lund", "administrator"),
    ("Clara Stein", scruple_policy::COUNSEL),
    ("Hugo Lind", scruple_policy::HUMAN_RESOURCES),
];

struct Persona {
    name: String,
    login: String,
    /// Who it is in the record system; of one who treats nobody none.
    practitioner: Option<String>,
    role: &'static str,
    purpose: &'static str,
    token: String,
}

/// Tokens for programs.
struct ServiceTokens {
    /// Of the privacy officer, who has just confirmed that it is she.
    api: String,
    /// Of a system that asks for decisions.
    authzen: String,
    scim: String,
}

/// Runs the command.
pub fn run(args: &DemoArgs) -> Result<ExitCode> {
    if args.files {
        return files::run(args.dir.as_deref());
    }
    let data = match &args.data {
        Some(data) => data.clone(),
        None => state::folder()?.join("demo-node"),
    };
    state::make_private(&data)?;
    let data = std::path::absolute(&data)?;
    let mut config = Config { state: Some(data.clone()), ..Config::default() };
    config.upstream.url = args.upstream.clone();
    config.gateway.allow_assumed_relationships = true;
    config.embedded.assume_relationships = !args.ties;
    // Whoever tries it sits before this machine.
    config.gateway.inside_networks = "127.0.0.0/8 ::1".to_owned();
    config.tokens.issuer = Some(ISSUER.to_owned());
    config.tokens.audience = Some(AUDIENCE.to_owned());
    listen(&mut config, args.listen);
    let parties = Parties { issuer: ISSUER.to_owned(), audience: AUDIENCE.to_owned() };
    let issuer = node::issuer(&data, parties)?;
    // With an upstream too: it may hold what `scruple synth` has made.
    let caregivers = node::hospital(&config, node::now()).caregivers();
    let mut personas = Vec::new();
    for (role, purpose) in PERSONAS {
        let caregiver = caregivers.iter().copied().find(|member| member.role == role);
        let Some(member) = caregiver.or_else(|| staff().iter().find(|member| member.role == role)) else { continue };
        let login = login(member.name);
        let claims = Claims {
            subject: login.clone(),
            client_id: "scruple-demo".to_owned(),
            roles: vec![role.to_owned()],
            purpose: Some(purpose.to_owned()),
            lifetime_seconds: TOKEN_SECONDS,
        };
        let token = issuer.issue(&claims, node::now(), &mut SystemRng)?;
        let practitioner = caregiver.map(StaffMember::reference);
        personas.push(Persona { name: member.name.to_owned(), login, practitioner, role, purpose, token });
    }
    let someone = |one: &Persona| Someone {
        login: one.login.clone(),
        name: one.name.clone(),
        role: one.role.to_owned(),
        practitioners: one.practitioner.iter().cloned().collect(),
    };
    let mut people: Vec<Someone> = personas.iter().map(someone).collect();
    let mut invited: Vec<String> =
        personas.iter().filter(|one| matches!(one.role, "nurse" | "physician")).map(|one| one.login.clone()).collect();
    for (name, role) in OFFICE {
        let login = login(name);
        invited.push(login.clone());
        people.push(Someone { login, name: name.to_owned(), role: role.to_owned(), practitioners: Vec::new() });
    }
    let service = "demo-crm".to_owned();
    people.push(Someone {
        login: service.clone(),
        name: "A system that asks for decisions".to_owned(),
        role: scruple_policy::SERVICE_ACCOUNT.to_owned(),
        practitioners: Vec::new(),
    });
    let scoped = |subject: &str, scope: &str, confirmed| {
        let claims = Claims {
            subject: subject.to_owned(),
            client_id: "scruple-demo".to_owned(),
            roles: Vec::new(),
            purpose: None,
            lifetime_seconds: TOKEN_SECONDS,
        };
        issuer.issue_scoped(&claims, (scope, confirmed), node::now(), &mut SystemRng)
    };
    let tokens = ServiceTokens {
        api: scoped("ines.vogt", "scruple.read scruple.write", true)?,
        authzen: scoped(&service, "scruple.evaluate scruple.search scruple.write", false)?,
        scim: SessionToken::generate(&mut SystemRng).expose().to_string(),
    };
    let scim_token = tokens.scim.clone();
    let (with_json, ties, patients) = (args.json, args.ties, config.embedded.patients);
    let embedded = args.upstream.is_none();
    let mut log = config.log;
    log.level = crate::config::Level::Warn;
    node::start_log(log);
    if !args.json && embedded {
        tell(&format!("Making a synthetic hospital of {patients} patients and proving the policy ..."));
    }
    let plan = Plan { config, jwks: Some(issuer.jwks().to_owned()), people, invited, scim_token: Some(scim_token) };
    runtime()?.block_on(node::run(plan, |at| {
        let folder = write_tokens(&data, &personas, &tokens)?;
        if with_json {
            print_json(at, &personas, &tokens)
        } else {
            print_words(at, &personas, &folder, (embedded, ties))
        }
    }))?;
    Ok(ExitCode::SUCCESS)
}

/// The addresses: the one given and free ports beside it; else the defaults, or free ports where they are taken.
fn listen(config: &mut Config, given: Option<SocketAddr>) {
    match given {
        Some(address) => {
            let beside = SocketAddr::new([127, 0, 0, 1].into(), 0);
            (config.listen.gateway, config.listen.console, config.listen.health) = (address, beside, beside);
        }
        None => {
            for address in [&mut config.listen.gateway, &mut config.listen.console, &mut config.listen.health] {
                if TcpListener::bind(*address).is_err() {
                    address.set_port(0);
                }
            }
        }
    }
}

/// `Maria Lopez, RN` as `maria.lopez`.
fn login(name: &str) -> String {
    let plain = name.split(',').next().unwrap_or_default();
    let words =
        plain.split_whitespace().map(|word| word.chars().filter(char::is_ascii_alphanumeric).collect::<String>());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(".").to_ascii_lowercase()
}

/// Each token in a file of its own, so that a command line can take it.
fn write_tokens(data: &Path, personas: &[Persona], tokens: &ServiceTokens) -> Result<PathBuf> {
    let folder = data.join("tokens");
    state::make_private(&folder)?;
    let own = personas.iter().map(|persona| (persona.role, persona.token.as_str()));
    for (name, token) in own.chain([("api", tokens.api.as_str()), ("authzen", tokens.authzen.as_str())]) {
        let path = folder.join(name);
        if path.exists() {
            std::fs::remove_file(&path)?;
        }
        node::private_file(&path, token.as_bytes())?;
    }
    Ok(folder)
}

fn print_json(at: &Addresses, personas: &[Persona], tokens: &ServiceTokens) -> Result<()> {
    let link =
        |(login, link): &(String, String)| json!({ "login": login, "role": role_of(login, personas), "link": link });
    let links: Vec<serde_json::Value> = at.links.iter().map(link).collect();
    let personas: Vec<serde_json::Value> = personas
        .iter()
        .map(|one| json!({ "name": one.name, "role": one.role, "purpose": one.purpose, "token": one.token }))
        .collect();
    let line = json!({
        "console": at.console,
        "gateway": at.gateway,
        "health": at.health,
        "ledger": at.ledger,
        "personas": personas,
        "sign_in": links,
        "scim": at.scim,
        "scim_token": tokens.scim,
        "api": format!("{}/api/v1", at.api),
        "api_token": tokens.api,
        "authzen": format!("{}/access/v1", at.api),
        "authzen_token": tokens.authzen,
    });
    say(&line.to_string())
}

fn print_words(at: &Addresses, personas: &[Persona], tokens: &Path, (embedded, ties): (bool, bool)) -> Result<()> {
    let behind =
        if embedded { "an embedded synthetic hospital: nobody in it exists" } else { "the server of --upstream" };
    say(&format!("Scruple demo, before {behind}.\n"))?;
    say(&format!(
        "  Lens, in a browser   {}lens\n  Gateway, FHIR R4     {}\n  Ledger               {}\n",
        at.console,
        at.gateway,
        at.ledger.display()
    ))?;
    say(match (embedded, ties) {
        (false, _) => "Who treats whom is looked up in your server.\n",
        (true, true) => {
            "Who treats whom is looked up: nurses read their own patients, and ask for others. Clerks, whose work stands in no record here, see nobody.\n"
        }
        (true, false) => {
            "Every role sees its part of every record here, so that each can be tried. With --ties it is looked up who treats whom,\n  as before a real server: nurses are refused, ask, and read once somebody agreed.\n"
        }
    })?;
    say(&format!("  {:<22} {:<16} {:<10} token (8 hours)", "who", "role", "purpose"))?;
    for one in personas {
        say(&format!("  {:<22} {:<16} {:<10} {}/{}", one.name, one.role, one.purpose, tokens.display(), one.role))?;
    }
    if !at.links.is_empty() {
        say("\nThe console, in a browser; each link sets up sign-in once, with a passkey or an authenticator app:\n")?;
        for (login, link) in &at.links {
            say(&format!("  {login:<22} {:<16} {link}", role_of(login, personas)))?;
        }
    }
    let bearer = |role: &str| {
        let file = tokens.join(role);
        format!("-H \"Authorization: Bearer $(cat {})\"", for_a_shell(&file.display().to_string()))
    };
    let gateway = &at.gateway;
    let patient = Hospital::patient_id(PATIENT);
    let (one, observations) = if embedded {
        (format!("Patient/{patient}"), format!("Observation?patient={patient}&category=laboratory&_count=5"))
    } else {
        // Whom your server holds, nobody here knows. Do not point a demo at the records of real people.
        ("Patient?_count=1".to_owned(), "Observation?_count=5".to_owned())
    };
    say(&format!(
        "\nOne patient, three people:\n\n  curl -s {} '{gateway}/{one}'\n  curl -s {} '{gateway}/{one}'\n  curl -s {} '{gateway}/{observations}'\n",
        bearer("front_desk"),
        bearer("biller"),
        bearer("nurse"),
    ))?;
    say(&format!(
        "What other systems ask (AuthZEN), and the API:\n\n  curl -s {} -H 'Content-Type: application/json' {}/access/v1/evaluation -d '{{\"subject\":{{\"type\":\"user\",\"id\":\"{}\"}},\"action\":{{\"name\":\"read\",\"properties\":{{\"purpose_of_use\":\"HPAYMT\"}}}},\"resource\":{{\"type\":\"category\",\"id\":\"labs\"}}}}'\n  curl -s {} {}/api/v1/people\n",
        bearer("authzen"),
        at.api,
        personas.iter().find(|one| one.role == "biller").map_or("", |one| &one.login),
        bearer("api"),
        at.api,
    ))?;
    let ledger = for_a_shell(&at.ledger.display().to_string());
    say(&format!("Then: scruple ledger tail {ledger}   (after Ctrl-C here, which ends the demo)"))
}

/// The role of somebody of the demo, by login.
fn role_of<'a>(wanted: &str, personas: &'a [Persona]) -> &'a str {
    let office = OFFICE.iter().find(|(name, _)| login(name) == wanted).map(|(_, role)| *role);
    let caregiver = || personas.iter().find(|one| one.login == wanted).map(|one| one.role);
    office.or_else(caregiver).unwrap_or_default()
}

/// A path as one word of a shell.
fn for_a_shell(path: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+,:@".contains(letter);
    if path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}
