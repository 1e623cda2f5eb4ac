//! `scruple policy check`: every mistake of a pack with file, line and advice.
//!
//! Names are judged while the pack is read ([`crate::read`]); here is judged what the names say together: permits among
//! themselves, roles, exceptions to the ban on `*`, and what the projector would make of the tables.

mod permits;
mod projection;

use crate::model::Pack;
use crate::read::read;
use crate::source::{PackFiles, Problem, Severity, Table};
use scruple_core::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Days for which an exception to the ban on `*` may be given.
const EXCEPTION_DAYS_MAX: i64 = 366;
const DAY_MICROS: i64 = 24 * 3_600 * 1_000_000;

/// A checked pack.
#[derive(Debug)]
pub struct Checked {
    /// The pack, if every name in it could be resolved.
    pub pack: Option<Arc<Pack>>,
    /// All that was found, in the order of file and line.
    pub problems: Vec<Problem>,
}

impl Checked {
    /// Whether nothing that was found refuses the pack.
    #[must_use]
    pub fn is_publishable(&self) -> bool {
        self.pack.is_some() && self.problems.iter().all(|problem| problem.severity != Severity::Error)
    }
}

/// Checks a pack as of an instant: exceptions end.
#[must_use]
pub fn check(files: &PackFiles, at: Timestamp) -> Checked {
    let pack = match read(files) {
        Ok(pack) => Arc::new(pack),
        Err(problems) => return Checked { pack: None, problems },
    };
    let mut problems = Vec::new();
    let lines = Lines::of(files);
    broad(&pack, at, &mut problems);
    permits::check(&pack, &mut problems);
    projection::check(&pack, &lines, &mut problems);
    problems.sort();
    problems.dedup();
    Checked { pack: Some(pack), problems }
}

/// Exceptions: of a known role, used, not over, and not for ever (RB-13).
fn broad(pack: &Pack, at: Timestamp, problems: &mut Vec<Problem>) {
    let file = "exceptions.toml";
    for exception in &pack.broad {
        let role = &exception.role;
        let mut error = |what: String, advice: &str| problems.push(Problem::error(file, exception.line, what, advice));
        if pack.roles.get(role).is_none_or(|role| role.is_profile) {
            error(format!("unknown role `{role}`"), "roles/ has the names");
        } else if at >= exception.until {
            let what = format!("the exception of `{role}` ended with {}", exception.expires);
            error(what, "name the categories in the role, or let the exception be approved anew");
        } else if exception.until > at.plus_micros((EXCEPTION_DAYS_MAX + 1) * DAY_MICROS) {
            let what = format!("the exception of `{role}` runs until {}", exception.expires);
            error(what, "an exception is for a year at most");
        } else if exception.used {
            let what = format!(
                "broad access: `{role}` sees every category until {}, approved by {}: {}",
                exception.expires, exception.approved_by, exception.reason
            );
            let note = Problem::error(file, exception.line, what, "name the categories before that day");
            problems.push(note.weighing(Severity::Information));
        } else {
            let what = format!("no permit of `{role}` uses the exception");
            problems.push(Problem::error(file, exception.line, what, "take it out").weighing(Severity::Warning));
        }
    }
}

/// Where the lines of tables stand, by their first field or two.
struct Lines {
    elements: BTreeMap<String, usize>,
    groups: BTreeMap<String, usize>,
    purposes: BTreeMap<String, usize>,
}

impl Lines {
    fn of(files: &PackFiles) -> Self {
        let by = |file: &str, columns: &[&str], field: usize| {
            let table = Table::read(files, file, columns, &mut Vec::new());
            table.rows.iter().map(|row| (row.field(field).to_owned(), row.line)).collect()
        };
        Self {
            elements: by("elements.csv", &["path"], 0),
            groups: by("groups.csv", &["group", "type"], 1),
            purposes: by("purposes.csv", &["purpose"], 0),
        }
    }

    /// The line of `elements.csv` that decides an element: its path or the longest before it, then `Type.*`, then `Type`.
    fn element(&self, path: &str) -> usize {
        let mut prefix = path;
        while prefix.contains('.') {
            if let Some(line) = self.elements.get(prefix) {
                return *line;
            }
            prefix = prefix.rsplit_once('.').map_or("", |(before, _)| before);
        }
        self.elements.get(&format!("{prefix}.*")).or_else(|| self.elements.get(prefix)).copied().unwrap_or(0)
    }
}
