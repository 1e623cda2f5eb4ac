//! Hostile files into the pack's reader; what it takes is decided with and projected with.
//!
//! A case is a JSON object of files that stand in place of the base pack's (`null`: the file is missing). The base is the
//! shipped pack with its long lists cut, so that a case takes a millisecond.

use super::projector::{Around, hospital};
use super::run::Fuzz;
use super::{Draw, mutate};
use anyhow::{Result, anyhow};
use rand_chacha::ChaCha20Rng;
use scruple_core::{ConditionMask, Timestamp, View};
use scruple_fhir::{Projection, Projector};
use scruple_policy::{Pack, PackFiles, Problem, Question, check, read, table};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Lines that are left of a long list.
const LIST_LINES: usize = 40;
/// Every how many cases a pack that reads is checked whole and projected with: both take longer than reading it.
const PROJECT_EVERY: usize = 16;

/// Files in place of the base's.
type Overlay = BTreeMap<String, Option<String>>;

/// The fuzzer.
pub struct FuzzPack {
    base: PackFiles,
    names: Vec<String>,
    records: Vec<Vec<u8>>,
}

impl FuzzPack {
    /// From the shipped pack.
    ///
    /// # Errors
    /// The base does not read.
    pub fn new() -> Result<Self> {
        let mut base = PackFiles::embedded();
        for (name, text) in &mut base.0 {
            if name.starts_with("segments/") || name == "security-labels.csv" {
                *text = text.lines().take(LIST_LINES).fold(String::new(), |text, line| text + line + "\n");
            }
        }
        read(&base).map_err(|problems| {
            anyhow!("the base pack does not read: {}", problems.first().map(ToString::to_string).unwrap_or_default())
        })?;
        let names = base.0.keys().cloned().collect();
        let records = hospital(1).into_iter().step_by(9).collect();
        Ok(Self { base, names, records })
    }

    fn overlaid(&self, overlay: &Overlay) -> PackFiles {
        let mut files = self.base.clone();
        for (name, text) in overlay {
            match text {
                Some(text) => drop(files.0.insert(name.clone(), text.clone())),
                None => drop(files.0.remove(name)),
            }
        }
        files
    }

    /// A problem names a file and, where it names a line, one of that file.
    fn check_problem(files: &PackFiles, problem: &Problem) -> Result<(), String> {
        if problem.file.is_empty() && !files.0.contains_key("") {
            return Err("a problem names no file".to_owned());
        }
        if problem.what.is_empty() || problem.advice.is_empty() {
            return Err("a problem lacks its words".to_owned());
        }
        let lines = files.0.get(&problem.file).map_or(0, |text| text.lines().count().max(1));
        // The end of a text that ends too early stands behind its last line.
        if problem.line > lines + 1 {
            return Err("a problem names a line that its file does not have".to_owned());
        }
        Ok(())
    }

    /// Decisions for every role: they are made or refused, and none shows a category that is not there.
    fn check_decisions(pack: &Pack) -> Result<(), String> {
        for role in pack.roles.values() {
            for purpose in role.purposes() {
                for conditions in [ConditionMask::NONE, ConditionMask(u64::MAX)] {
                    let question = Question { role: role.name.clone(), purpose: purpose.to_owned(), conditions };
                    let Ok(table) = table(pack, &question) else { continue };
                    if table.views.iter().skip(pack.categories.len()).any(|view| *view != View::None) {
                        return Err("a category that the pack does not have shows".to_owned());
                    }
                }
            }
        }
        Ok(())
    }

    /// Projects with the decision of one role, under every condition.
    fn check_projection(&self, pack: &Pack, which: usize) -> Result<(), String> {
        let Some(role) = pack.roles.values().nth(which % pack.roles.len().max(1)) else { return Ok(()) };
        let conditions = ConditionMask(u64::MAX);
        let question = Question { role: role.name.clone(), purpose: role.purpose.clone(), conditions };
        let Ok(table) = table(pack, &question) else { return Ok(()) };
        let projection = Projection::new(Arc::clone(&pack.annotation), table);
        let around = Around::new();
        let mut projector = Projector::new(&projection, &around);
        for record in &self.records {
            let mut out = Vec::new();
            if projector.project(record, &mut out).is_err() && !out.is_empty() {
                return Err("bytes are left of a withheld resource".to_owned());
            }
        }
        Ok(())
    }

    /// The whole check ends, and its problems name their places too.
    fn check_whole(files: &PackFiles) -> Result<(), String> {
        let checked = check(files, Timestamp::from_micros(1_772_352_000_000_000));
        checked.problems.iter().try_for_each(|problem| Self::check_problem(files, problem))
    }
}

impl Fuzz for FuzzPack {
    fn name(&self) -> &'static str {
        "fuzz-pack"
    }

    fn make(&self, rng: &mut ChaCha20Rng) -> Vec<u8> {
        let mut draw = Draw(rng);
        let mut overlay = Overlay::new();
        for _ in 0..=draw.below(2) {
            let name = draw.pick(&self.names).clone();
            let other = self.base.0.get(draw.pick(&self.names)).map_or("", String::as_str);
            let text = self.base.0.get(&name).map_or("", String::as_str);
            match draw.below(20) {
                0 => drop(overlay.insert(name, None)),
                1 => drop(overlay.insert(name, Some(other.to_owned()))),
                2 => {
                    let new = *draw.pick(&[
                        "roles/new.toml",
                        "roles/a/b.toml",
                        "segments/new.csv",
                        "lists/x.csv",
                        "notes.txt",
                        "",
                        "../x.csv",
                    ]);
                    overlay.insert(new.to_owned(), Some(mutate::text(&mut draw, text, other)));
                }
                _ => drop(overlay.insert(name, Some(mutate::text(&mut draw, text, other)))),
            }
        }
        serde_json::to_vec(&overlay).unwrap_or_default()
    }

    fn check(&self, case: &[u8]) -> Result<(), String> {
        let Ok(overlay) = serde_json::from_slice::<Overlay>(case) else { return Ok(()) };
        let files = self.overlaid(&overlay);
        match (read(&files), read(&files)) {
            (Err(problems), Err(again)) => {
                if problems.is_empty() {
                    return Err("refused without a problem".to_owned());
                }
                if problems != again {
                    return Err("other problems the second time".to_owned());
                }
                problems.iter().try_for_each(|problem| Self::check_problem(&files, problem))
            }
            (Ok(pack), Ok(_)) => {
                if pack.hash != files.hash() {
                    return Err("the hash is not that of the files".to_owned());
                }
                Self::check_decisions(&pack)?;
                // Which cases are projected follows from the case: a regression file shows the same again.
                let sum = case.iter().fold(0_usize, |sum, byte| sum.wrapping_add(usize::from(*byte)));
                if !sum.is_multiple_of(PROJECT_EVERY) {
                    return Ok(());
                }
                Self::check_whole(&files)?;
                self.check_projection(&pack, sum / PROJECT_EVERY)
            }
            _ => Err("another verdict the second time".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scruple_policy::Severity;

    #[test]
    fn problems_must_name_a_place_that_is_there() {
        let files = PackFiles(BTreeMap::from([("a.csv".to_owned(), "one\ntwo\n".to_owned())]));
        let problem = |file: &str, line| Problem {
            file: file.to_owned(),
            line,
            what: "x".to_owned(),
            advice: "y".to_owned(),
            severity: Severity::Error,
            unread: false,
        };
        assert_eq!(FuzzPack::check_problem(&files, &problem("a.csv", 2)), Ok(()));
        assert_eq!(FuzzPack::check_problem(&files, &problem("missing.csv", 0)), Ok(()));
        assert!(FuzzPack::check_problem(&files, &problem("a.csv", 4)).is_err());
        assert!(FuzzPack::check_problem(&files, &problem("", 0)).is_err());
    }
}
