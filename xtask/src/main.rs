//! Tasks of the project: `cargo xtask COMMAND`.
//!
//! Small on purpose, because it is built before anything else: no argument parser, no Rust parser, no crate of the
//! product. What needs those runs as a program that a task starts.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for a terminal")]

mod args;
mod bench;
mod dictionary;
mod helios;
mod long;
mod mutants;
mod needs;
mod npm;
mod pip;
mod postgres;
mod shell;
mod test;
mod tidy;
mod trace;
mod upstream;

use std::process::ExitCode;

use args::Args;

struct Command {
    name: &'static str,
    about: &'static str,
    help: &'static str,
    run: fn(Args) -> anyhow::Result<()>,
}

const COMMANDS: &[Command] = &[
    Command { name: "test", about: "everything that can fail: tests, tidy, trace", help: test::HELP, run: test::run },
    Command { name: "tidy", about: "the rules of the house that no compiler knows", help: tidy::HELP, run: tidy::run },
    Command {
        name: "trace",
        about: "each requirement beside the tests that show it",
        help: trace::HELP,
        run: trace::run,
    },
    Command { name: "bench", about: "one benchmark, kept in docs/benchmarks.md", help: bench::HELP, run: bench::run },
    Command { name: "long", about: "one long run, kept in docs/long-runs.md", help: long::HELP, run: long::run },
    Command { name: "helios", about: "builds the Helios FHIR server, for tests", help: helios::HELP, run: helios::run },
    Command {
        name: "mutants",
        about: "one defence taken out at a time: its test must fail",
        help: mutants::HELP,
        run: mutants::run,
    },
    Command {
        name: "dictionary",
        about: "the FHIR dictionary, from the official definitions",
        help: dictionary::HELP,
        run: dictionary::run,
    },
];

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let Some(name) = words.next() else {
        eprint!("{}", overview());
        return ExitCode::from(2);
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        print!("{}", overview());
        return ExitCode::SUCCESS;
    }
    let Some(command) = COMMANDS.iter().find(|c| c.name == name) else {
        eprintln!("error: unknown command `{name}`\n\n{}", overview());
        return ExitCode::from(2);
    };
    let mut args = Args::new(words);
    if args.asks_for_help() {
        println!("cargo xtask {}: {}\n\n{}", command.name, command.about, command.help.trim());
        return ExitCode::SUCCESS;
    }
    match (command.run)(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn overview() -> String {
    let mut text = "usage: cargo xtask COMMAND [OPTIONS]\n\n".to_owned();
    for command in COMMANDS {
        text += &format!("  {:<12}{}\n", command.name, command.about);
    }
    text + "\n`cargo xtask COMMAND --help` tells more.\n"
}
