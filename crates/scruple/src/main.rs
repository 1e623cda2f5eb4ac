//! The command line of Scruple: wiring, files, words for the terminal. What is decided and shown is decided elsewhere.

mod admin;
mod check_upstream;
mod config;
mod demo;
mod explain;
mod filter;
mod import_log;
mod ledger;
mod node;
mod pack;
mod policy;
mod serve;
mod state;
mod synth;
mod terminal;

use clap::{CommandFactory as _, Parser, Subcommand};
use std::process::ExitCode;

/// It gives back what a burst took. glibc keeps the most that each of its arenas ever held: under load with large answers
/// the memory of a node never stopped growing.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit code of what failed or was refused.
const EXIT_FAILED: u8 = 2;

/// Each person gets the health information that the task needs, and no more; and you can prove it.
#[derive(Parser)]
#[command(name = "scruple", version, max_term_width = 110, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Shows in a minute what Scruple does, on a synthetic hospital
    Demo(demo::DemoArgs),
    /// Serves the gateway before a FHIR server, with the console
    Serve(serve::ServeArgs),
    /// Asks a FHIR server whether it can stand behind the gateway
    CheckUpstream(check_upstream::CheckUpstreamArgs),
    /// Changes what a node's database says of people
    #[command(subcommand)]
    Admin(admin::AdminCommand),
    /// Explains the configuration
    #[command(subcommand)]
    Config(serve::ConfigCommand),
    /// Tells, element by element, what a role sees and why
    Explain(explain::ExplainArgs),
    /// Checks and shows a policy pack
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Gives a role what it needs of FHIR files, and records what was released
    Filter(filter::FilterArgs),
    /// Reads and verifies the ledger
    #[command(subcommand)]
    Ledger(ledger::LedgerCommand),
    /// Makes a synthetic hospital to try things with
    Synth(synth::SynthArgs),
    /// Prints completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
    terminal::keep_panics_quiet();
    // What fell has been told; the exit code is that of any failure.
    std::panic::catch_unwind(run).unwrap_or(ExitCode::from(EXIT_FAILED))
}

fn run() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::CheckUpstream(args) => check_upstream::run(&args),
        Command::Admin(command) => admin::run(&command),
        Command::Config(command) => serve::run_config(&command),
        Command::Explain(args) => explain::run(&args),
        Command::Policy(command) => policy::run(&command),
        Command::Filter(args) => filter::run(&args),
        Command::Ledger(command) => ledger::run(&command),
        Command::Synth(args) => synth::run(&args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "scruple", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    };
    result.unwrap_or_else(|error| {
        if error.is::<terminal::Gone>() {
            return ExitCode::SUCCESS;
        }
        terminal::tell(&format!("scruple: {}", terminal::chain(error.as_ref())));
        ExitCode::from(EXIT_FAILED)
    })
}
