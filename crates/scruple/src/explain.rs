//! `scruple explain`: what a role sees of a resource type, element by element, by which rule and for which task.

use crate::pack;
use crate::state::SystemClock;
use crate::terminal::say;
use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use scruple_core::{CategoryId, Clock as _};
use scruple_fhir::dictionary;
use scruple_policy::{Active, Cedar, ElementRow, Question, TypeExplanation, explain_type};
use scruple_release::{Judged, judge, withheld_because};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Who answers.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// The compiled tables that decide
    Native,
    /// The Cedar policies that they are proved equal to
    Cedar,
}

/// Tells, element by element, what a role sees of a resource type, by which rule of the pack, and for which task. It
/// speaks of policy alone; with --resource, of the elements that stand in one record, and of no value.
#[derive(Args)]
#[command(after_help = "Examples:
  scruple explain --role biller --purpose HPAYMT --type Patient
  scruple explain --role nurse --purpose TREAT --type Observation --json
  scruple explain --role front_desk --purpose PATADMIN --resource chart/patient.json")]
pub struct ExplainArgs {
    /// Role, as in the policy pack
    #[arg(long)]
    role: String,
    /// Purpose of use, an HL7 v3 ActReason code
    #[arg(long)]
    purpose: String,
    /// Resource type of FHIR R4
    #[arg(long = "type", value_name = "TYPE", required_unless_present = "resource")]
    type_name: Option<String>,
    /// A file with one resource: only the elements that stand in it
    #[arg(long, value_name = "FILE", conflicts_with = "type_name")]
    resource: Option<PathBuf>,
    /// Who answers
    #[arg(long, value_enum, default_value_t = Engine::Native)]
    engine: Engine,
    /// Folder of a policy pack [default: the shipped one]
    #[arg(long, value_name = "DIR")]
    policy: Option<PathBuf>,
    /// A named condition of the pack that holds (repeatable)
    #[arg(long = "with", value_name = "CONDITION")]
    with: Vec<String>,
    /// Say that there is no relationship to the patient
    #[arg(long)]
    no_relationship: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &ExplainArgs) -> Result<ExitCode> {
    let active = pack::activate(args.policy.as_deref())?;
    let conditions = pack::conditions(&active.pack, &args.with, !args.no_relationship)?;
    let question = Question { role: args.role.clone(), purpose: args.purpose.clone(), conditions };
    let explained = match (&args.type_name, &args.resource) {
        (Some(name), _) => explain_type(&active.pack, &question, name),
        (None, Some(path)) => {
            let record = Record::read(path)?;
            let judged = judge(&active.decider, &question, SystemClock.now(), &record.bytes)?;
            explain_type(&active.pack, &question, &record.type_name)
                .map(|explained| record.narrow(explained, judged, &args.role))
        }
        (None, None) => bail!("give --type or --resource"),
    };
    let mut explained = explained?;
    if args.engine == Engine::Cedar {
        ask_cedar(&active, &question, &mut explained)?;
    }
    say(&if args.json { serde_json::to_string_pretty(&explained)? } else { words(&question, &explained) })?;
    Ok(ExitCode::SUCCESS)
}

/// Puts Cedar's view of each category beside ours; they are equal, or the pack would not be active.
fn ask_cedar(active: &Active, question: &Question, explained: &mut [TypeExplanation]) -> Result<()> {
    let cedar = Cedar::compile(active.pack.clone())?;
    let mut answers: BTreeMap<CategoryId, String> = BTreeMap::new();
    for row in explained.iter_mut().flat_map(|one| &mut one.rows) {
        if let Some(category) = active.pack.category(&row.category) {
            let answer =
                answers.entry(category).or_insert_with(|| active.pack.view_name(cedar.ask(question, category)));
            row.cedar = Some(answer.clone());
        }
    }
    Ok(())
}

/// The element that a row is about: `Patient.identifier(MR|AN)` and `Patient.extension(race)` name a part of one.
fn stands_at(path: &str) -> &str {
    path.split('(').next().unwrap_or(path)
}

/// One record, and the paths of the elements that stand in it.
struct Record {
    bytes: Vec<u8>,
    type_name: String,
    present: BTreeSet<String>,
}

impl Record {
    fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        // The error of the parser can quote the text: only its place is told.
        let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| {
            anyhow::anyhow!("`{}` is no JSON: line {}, column {}", path.display(), error.line(), error.column())
        })?;
        let Some(name) = value
            .get("resourceType")
            .and_then(serde_json::Value::as_str)
            .filter(|name| dictionary().resource(name).is_some())
        else {
            bail!("`{}` holds no resource of FHIR R4", path.display());
        };
        let mut present = BTreeSet::new();
        collect(name, &value, &mut present);
        Ok(Self { type_name: name.to_owned(), present, bytes })
    }

    /// What of the type's explanation is about this record. Where it is withheld whole, nothing of it shows.
    fn narrow(&self, mut explained: Vec<TypeExplanation>, judged: Judged, role: &str) -> Vec<TypeExplanation> {
        for one in &mut explained {
            one.rows.retain(|row| self.present.contains(stands_at(&row.path)));
            one.passes = judged == Judged::Passes;
            if let (true, Judged::Withheld(code)) = (one.shows, judged) {
                for row in one.rows.iter_mut().filter(|row| row.because.is_none()) {
                    (row.view, row.function, row.because) =
                        ("none".to_owned(), None, Some("the record is withheld whole".to_owned()));
                }
                let why = withheld_because(code, role, "");
                (one.shows, one.because) = (false, Some(format!("the record is withheld whole (`{code}`). {why}")));
            }
        }
        explained
    }
}

fn collect(at: &str, value: &serde_json::Value, paths: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect(at, item, paths)),
        serde_json::Value::Object(members) => {
            for (key, member) in members {
                let key = key.trim_start_matches('_');
                let plain = format!("{at}.{key}");
                let path = if dictionary().resolve(&plain).is_some() { plain } else { choice(at, key) };
                paths.insert(path.clone());
                collect(&path, member, paths);
            }
        }
        _ => {}
    }
}

/// `Observation.valueQuantity` is `Observation.value[x]`.
fn choice(at: &str, key: &str) -> String {
    let ends = key.char_indices().filter(|(_, letter)| letter.is_ascii_uppercase()).map(|(end, _)| end);
    let named = ends.filter_map(|end| Some(format!("{at}.{}[x]", key.get(..end)?)));
    named.into_iter().find(|path| dictionary().resolve(path).is_some()).unwrap_or_else(|| format!("{at}.{key}"))
}

fn words(question: &Question, explained: &[TypeExplanation]) -> String {
    let mut lines = vec![format!("{} for {}", question.role, question.purpose)];
    for one in explained {
        let class = one.class.as_ref().map_or_else(String::new, |class| format!(" ({class})"));
        let how = match (&one.because, one.passes, one.shows) {
            (Some(because), _, false) => format!("does not show: {because}"),
            (_, true, _) => "passes as it is: every kind of information in it is full for this role".to_owned(),
            (_, _, true) => "shows in part".to_owned(),
            _ => "does not show".to_owned(),
        };
        lines.push(format!("\n{}{class}: {how}", one.type_name));
        lines.extend(one.rows.iter().map(row));
    }
    lines.join("\n")
}

fn row(row: &ElementRow) -> String {
    let why = match (&row.rule, &row.because) {
        (_, Some(because)) => because.clone(),
        (Some(rule), None) => format!("{} ({})", rule.place, rule.tasks.join("; ")),
        (None, None) if !row.missing.is_empty() => format!("needs {}", row.missing.join(", ")),
        (None, None) => String::new(),
    };
    let cedar = row.cedar.as_ref().map_or_else(String::new, |cedar| format!(" Cedar: {} {cedar}", row.category));
    format!("  {:<52} {:<16} {:<20} {why}{cedar}", row.path, row.view, row.category)
}
