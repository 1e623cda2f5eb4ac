//! The exception to the ban on `*`: approved, shown, and over on its day (RB-13).

use crate::{changed, day, question};
use scruple_core::{Timestamp, View};
use scruple_policy::{ActivationError, PackFiles, Severity, activate, check, table};

const FILE: &str = "roles/physician.toml";

fn broad(expires: &str, approved_by: &str) -> PackFiles {
    let mut files = changed(
        FILE,
        "[[permit]]\nview = \"masked:payer\"\ntasks = [\"prescribe\", \"refer\"]\ncategories = [\"coverage\"]",
        "",
    );
    let text = files.0.get_mut(FILE).unwrap();
    let permits = text.find("[[permit]]").unwrap();
    text.truncate(permits);
    text.push_str("[[permit]]\nview = \"full\"\ntasks = [\"treat\"]\ncategories = [\"*\"]\n");
    let exception = format!(
        "# while the roles are made\n[[broad]]\nrole = \"physician\"\ncategory = \"*\"\nreason = \"go-live\"\napproved_by = \"{approved_by}\"\nexpires = \"{expires}\"\n"
    );
    files.0.insert("exceptions.toml".to_owned(), exception);
    files
}

fn said(files: &PackFiles, at: Timestamp) -> Vec<(Severity, usize, String)> {
    let problems = check(files, at).problems.into_iter().filter(|problem| problem.file == "exceptions.toml");
    problems.map(|problem| (problem.severity, problem.line, problem.what)).collect()
}

#[test]
fn an_exception_opens_until_its_day_and_is_reported() {
    let files = broad("2026-06-30", "A. Ruiz, privacy officer");
    let said = said(&files, day("2026-06-30"));
    let expected =
        "broad access: `physician` sees every category until 2026-06-30, approved by A. Ruiz, privacy officer: go-live";
    assert_eq!(said, [(Severity::Information, 3, expected.to_owned())]);
    let active = activate(&files, day("2026-06-30")).unwrap_or_else(|error| panic!("{error:?}"));
    let question = question(&active.pack, "physician", "TREAT", &["relationship"]);
    let decided = table(&active.pack, &question).unwrap();
    assert_eq!(decided.view(active.pack.category("psychotherapy_notes").unwrap()), View::Full);
    // The decision ends with the exception.
    assert_eq!(decided.valid_until, Some(Timestamp::parse("2026-07-01T00:00:00Z").unwrap()));
    assert_eq!(active.pack.broad.len(), 1);
}

#[test]
fn an_exception_that_is_over_refuses_the_pack() {
    let files = broad("2026-06-30", "A. Ruiz");
    let refused = activate(&files, Timestamp::parse("2026-07-01T00:00:00Z").unwrap());
    let Err(ActivationError::Refused(problems)) = refused else { panic!("it is activated") };
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!((problems[0].file.as_str(), problems[0].line), ("exceptions.toml", 3));
    assert!(problems[0].what.contains("ended with 2026-06-30"), "{problems:?}");
}

#[test]
fn an_exception_is_signed_dated_and_for_a_year_at_most() {
    let refused = |files: &PackFiles, what: &str| {
        let said = said(files, day("2026-03-01"));
        assert!(said.iter().any(|(severity, _, text)| *severity == Severity::Error && text.contains(what)), "{said:?}");
    };
    refused(&broad("2026-06-30", " "), "no `approved_by`");
    refused(&broad("next year", "A. Ruiz"), "`expires` is `next year`");
    refused(&broad("2028-06-30", "A. Ruiz"), "runs until 2028-06-30");
    let mut files = broad("2026-06-30", "A. Ruiz");
    let text = files.0.get_mut("exceptions.toml").unwrap();
    *text = text.replace("\"physician\"", "\"physicist\"");
    assert!(!check(&files, day("2026-03-01")).is_publishable());
}

#[test]
fn an_exception_that_nothing_uses_is_a_warning() {
    let mut files = PackFiles::embedded();
    files.0.insert("exceptions.toml".to_owned(), broad("2026-06-30", "A. Ruiz").0["exceptions.toml"].clone());
    let said = said(&files, day("2026-03-01"));
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].0, Severity::Warning);
}
