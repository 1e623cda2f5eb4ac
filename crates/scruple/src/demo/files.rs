//! `scruple demo --files`: a synthetic hospital through five roles, what each sees of one patient and why, and the proof.

use crate::state::SystemClock;
use crate::terminal::say;
use crate::{filter, pack, state};
use anyhow::{Context as _, Result};
use scruple_core::{Clock as _, Entry, Relationship, View};
use scruple_hospital::{Hospital, Options};
use scruple_ledger::{VerifyOptions, verify};
use scruple_policy::{Active, Question, admit, explain};
use scruple_release::Asked;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::process::ExitCode;

/// The five roles of the demo, each for its main purpose.
const ROLES: [(&str, &str); 5] = [
    ("front_desk", "PATADMIN"),
    ("biller", "HPAYMT"),
    ("nurse", "TREAT"),
    ("physician", "TREAT"),
    ("quality_analyst", "HQUALIMP"),
];
/// Kinds of information that the table of the demo shows.
const CATEGORIES: [&str; 12] = [
    "id_name",
    "id_birth_sex",
    "id_national",
    "contact_address",
    "schedule",
    "visit_reason",
    "diagnoses",
    "medications",
    "labs",
    "documents",
    "free_text",
    "claims",
];
const PATIENTS: usize = 25;
const SEED: u64 = 1;

/// Runs the tour of the files in a folder, the default one if none is given.
pub fn run(dir: Option<&Path>) -> Result<ExitCode> {
    let dir = match dir {
        Some(dir) => dir.to_owned(),
        None => state::folder()?.join("demo"),
    };
    prepare(&dir)?;
    let active = pack::activate(None)?;
    let now = SystemClock.now();
    say(&format!("Scruple demo in {}\n", dir.display()))?;

    let hospital = Hospital::generate(&Options { patients: PATIENTS, seed: SEED, as_of: now, canary: false });
    let from = dir.join("hospital");
    std::fs::create_dir_all(&from)?;
    let totals = hospital.write_ndjson(|kind| File::create(from.join(format!("{kind}.ndjson"))).map(BufWriter::new))?;
    let resources: u64 = totals.resources.values().sum();
    say(&format!(
        "1. A synthetic hospital: {PATIENTS} patients, {resources} resources of {} types. Nobody in it exists.\n",
        totals.resources.len()
    ))?;

    say("2. The same hospital as five people need it:")?;
    let ledger = state::open_ledger(&dir.join("ledger"))?;
    for (role, purpose) in ROLES {
        let summary =
            filter::folder(&active.decider, &ledger, &asked(&active, role, purpose)?, &from, &dir.join(role))?;
        let withheld: u64 = summary.withheld.values().sum();
        say(&format!("   {role:<16} {purpose:<9} {:>5} resources, {withheld:>5} withheld", summary.released))?;
    }
    ledger.close().context("the ledger did not close")?;

    say(&format!("\n3. What each sees of a patient, and why:\n{}", table(&active)?))?;
    let Some(patient) = seen_by_all(&dir)? else {
        anyhow::bail!("no patient of the hospital is seen by all five roles")
    };
    say(&format!("\n4. One patient, {patient}, as each gets the record (hospital/Patient.ndjson holds all of it):"))?;
    for (role, _) in ROLES {
        say(&format!("   {role:<16} {}", excerpt(&dir.join(role), &patient)?))?;
    }

    let validator = |_: u64, payload: &[u8]| Entry::from_bytes(payload).map(drop).map_err(|error| error.to_string());
    let report = verify(
        &dir.join("ledger"),
        VerifyOptions { validator: Some(Box::new(validator)), ..VerifyOptions::default() },
    )?;
    let state = if report.is_good() { "nothing is wrong" } else { "SOMETHING IS WRONG" };
    say(&format!("\n5. The ledger: {} entries, written before each chunk left; verified: {state}.", report.entries))?;
    say(&next(&dir))?;
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Empties the folder of an earlier demo; anything else in it is left alone, and refused.
fn prepare(dir: &Path) -> Result<()> {
    const MARK: &str = ".scruple-demo";
    if dir.exists() {
        let is_ours = dir.join(MARK).exists() || std::fs::read_dir(dir)?.next().is_none();
        anyhow::ensure!(is_ours, "`{}` is not a folder of the demo; name another with --dir", dir.display());
        std::fs::remove_dir_all(dir).with_context(|| format!("cannot empty `{}`", dir.display()))?;
    }
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
    File::create(dir.join(MARK))?;
    Ok(())
}

fn question(active: &Active, role: &str, purpose: &str) -> Result<Question> {
    Ok(Question {
        role: role.to_owned(),
        purpose: purpose.to_owned(),
        conditions: pack::conditions(&active.pack, &[], true)?,
    })
}

fn asked(active: &Active, role: &str, purpose: &str) -> Result<Asked> {
    Ok(Asked {
        subject: "operator:demo".to_owned(),
        question: question(active, role, purpose)?,
        relationship: Relationship::Asserted,
        grant: None,
        practitioners: Vec::new(),
        opened: std::collections::BTreeMap::new(),
        limited: std::collections::BTreeMap::new(),
    })
}

/// Kinds of information by roles, and below each role's task for one of them.
fn table(active: &Active) -> Result<String> {
    let mut lines = vec![format!("   {:<18}{}", "", ROLES.map(|(role, _)| format!("{role:<19}")).concat())];
    for name in CATEGORIES {
        let Some(category) = active.pack.category(name) else { continue };
        let mut line = format!("   {name:<18}");
        for (role, purpose) in ROLES {
            let view = active.decider.decide(&question(active, role, purpose)?)?.view(category);
            let words = if view == View::None { "-".to_owned() } else { active.pack.view_name(view) };
            line.push_str(&format!("{words:<19}"));
        }
        lines.push(line.trim_end().to_owned());
    }
    for (role, purpose, name) in [
        ("front_desk", "PATADMIN", "contact_address"),
        ("biller", "HPAYMT", "claims"),
        ("nurse", "TREAT", "medications"),
    ] {
        let question = question(active, role, purpose)?;
        let found = active.pack.category(name).map(|category| {
            explain(&active.pack, admit(&active.pack, &question)?, &question, category)
                .0
                .ok_or(scruple_policy::Refusal::UnknownRole(role.to_owned()))
        });
        if let Some(Ok(rule)) = found {
            lines.push(format!("   {role} has {name} by {}: {}", rule.place, rule.tasks.join("; ")));
        }
    }
    Ok(lines.join("\n"))
}

/// The first patient whose record no label hides from any of the five.
fn seen_by_all(dir: &Path) -> Result<Option<String>> {
    for index in 0..PATIENTS {
        let id = Hospital::patient_id(index);
        let mut shown = true;
        for (role, _) in ROLES {
            shown = shown && patient(&dir.join(role), &id)?.is_some();
        }
        if shown {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

fn patient(dir: &Path, id: &str) -> Result<Option<serde_json::Value>> {
    for entry in std::fs::read_dir(dir)? {
        let text = std::fs::read_to_string(entry?.path())?;
        let found = text.lines().filter(|line| line.starts_with(r#"{"resourceType":"Patient""#)).find_map(|line| {
            let patient: serde_json::Value = serde_json::from_str(line).ok()?;
            (patient.get("id")?.as_str()? == id).then_some(patient)
        });
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Name, birth date and address of a patient in an output folder.
fn excerpt(dir: &Path, id: &str) -> Result<String> {
    let Some(patient) = patient(dir, id)? else { return Ok("not shown".to_owned()) };
    let at = |pointer: &str| patient.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or("-");
    let age = patient.pointer("/_birthDate/extension/1/valueAge/value");
    let born = age.map_or_else(|| format!("born {}", at("/birthDate")), |age| format!("aged {age}"));
    Ok(format!(
        "name {}, {born}, street {}, city {}, number {}",
        at("/name/0/family"),
        at("/address/0/line/0"),
        at("/address/0/city"),
        at("/identifier/0/value")
    ))
}

fn next(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "
What to try next:
   scruple explain --role biller --purpose HPAYMT --type Encounter
   scruple filter --role roi_clerk --purpose RECORDMGT --with case_approved --in {dir}/hospital --out {dir}/roi --ledger {dir}/ledger
   scruple policy show --role front_desk
   scruple ledger tail {dir}/ledger
   printf x | dd of={dir}/ledger/checkpoint bs=1 seek=40 conv=notrunc; scruple ledger verify {dir}/ledger   (it tells)
(`cargo run -p scruple --` in place of `scruple` in a source tree)"
    )
}
