//! `scruple synth`: a synthetic hospital as FHIR files.

use crate::state::SystemClock;
use crate::terminal::say;
use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use scruple_core::{Clock as _, Timestamp};
use scruple_hospital::{Hospital, Options, Totals};
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How the hospital is written.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// A file for each resource type, a resource a line
    Ndjson,
    /// A transaction Bundle for the directory and one for each patient
    Bundles,
}

/// Makes a synthetic hospital: patients, charts, claims, staff. Nobody in it exists. The same seed makes the same bytes.
#[derive(Args)]
#[command(after_help = "Example: scruple synth --patients 100 --seed 7 --out hospital/")]
pub struct SynthArgs {
    /// Number of patients
    #[arg(long, default_value_t = 25)]
    patients: usize,
    /// Seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder, new or empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
    /// The instant that the charts end at, RFC 3339 [default: now]
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// Print the totals as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &SynthArgs) -> Result<ExitCode> {
    if std::fs::read_dir(&args.out).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("folder `{}` is not empty; give an empty or a new one", args.out.display());
    }
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot make folder `{}`", args.out.display()))?;
    let as_of = match &args.as_of {
        Some(text) => Timestamp::parse(text)?,
        None => SystemClock.now(),
    };
    let hospital = Hospital::generate(&Options { patients: args.patients, seed: args.seed, as_of, canary: false });
    let totals = write(&hospital, &args.out, args.format)
        .with_context(|| format!("cannot write to `{}`", args.out.display()))?;
    let resources: u64 = totals.resources.values().sum();
    say(&if args.json {
        let totals = serde_json::json!({
            "patients": args.patients, "seed": args.seed, "as_of": as_of.to_string(), "bytes": totals.bytes, "resources": totals.resources,
        });
        totals.to_string()
    } else {
        let types = totals.resources.len();
        format!(
            "{} patients, {resources} resources of {types} types, {} bytes in {}",
            args.patients,
            totals.bytes,
            args.out.display()
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

fn write(hospital: &Hospital, dir: &Path, format: Format) -> std::io::Result<Totals> {
    let create = |name: String| File::create(dir.join(name)).map(BufWriter::new);
    match format {
        Format::Ndjson => hospital.write_ndjson(|kind| create(format!("{kind}.ndjson"))),
        Format::Bundles => hospital.write_bundles(|name| create(format!("{name}.json"))),
    }
}
