//! The files of a pack, and a reader of CSV and TOML that knows its lines.

use aws_lc_rs::digest;
use scruple_core::PackHash;
use std::collections::BTreeMap;
use std::fmt;

/// How much a [`Problem`] weighs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// The pack is refused.
    Error,
    /// The pack stands; someone should look.
    Warning,
    /// What a reader of the pack should know.
    Information,
}

/// Something in a pack that is wrong: where, what, and what to do.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Problem {
    /// File in the pack.
    pub file: String,
    /// Line, from 1; 0 = the file as a whole.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub advice: String,
    /// How much it weighs.
    pub severity: Severity,
    /// The file could not be read at all, so that others can seem wrong.
    pub unread: bool,
}

impl Problem {
    /// Something that refuses the pack.
    pub(crate) fn error(file: &str, line: usize, what: impl Into<String>, advice: &str) -> Self {
        Self {
            file: file.to_owned(),
            line,
            what: what.into(),
            advice: advice.to_owned(),
            severity: Severity::Error,
            unread: false,
        }
    }

    /// The same, of a file of which nothing could be read.
    pub(crate) fn unread(self) -> Self {
        Self { unread: true, ..self }
    }

    /// The same, weighing less.
    pub(crate) fn weighing(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = match self.severity {
            Severity::Error => "",
            Severity::Warning => "warning: ",
            Severity::Information => "note: ",
        };
        match self.line {
            0 => write!(f, "{}: ", self.file)?,
            line => write!(f, "{}:{line}: ", self.file)?,
        }
        write!(f, "{weight}{}; {}", self.what, self.advice)
    }
}

/// The texts of a pack, by file name with forward slashes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PackFiles(pub BTreeMap<String, String>);

/// The files in the pack's own folder.
const FILES: &[&str] = &[
    "pack.toml",
    "categories.csv",
    "elements.csv",
    "discriminators.csv",
    "extensions.csv",
    "groups.csv",
    "purposes.csv",
    "conditions.csv",
    "masks.csv",
    "segments.csv",
    "segment-words.csv",
    "segment-by-role.csv",
    "security-labels.csv",
    "sources.csv",
    "inheritance.csv",
    "relationships.csv",
    "approvals.csv",
    "console.csv",
    "tasks.csv",
    "systems.csv",
    "reminders.csv",
    "code-systems.csv",
    "profiles.toml",
    "exceptions.toml",
    "steps.csv",
    "projects.csv",
];

/// The pack that ships with this build.
const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

impl PackFiles {
    /// The shipped pack.
    #[must_use]
    pub fn embedded() -> Self {
        Self(EMBEDDED.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
    }

    /// The same where every caller is taken to be related to every patient: before a synthetic hospital, and in tests.
    #[must_use]
    pub fn assuming_relationships(mut self) -> Self {
        if let Some(text) = self.0.get_mut("pack.toml") {
            let is_key = |line: &&str| line.trim_start().starts_with("relationships ");
            let line = text.lines().find(is_key).map(str::to_owned);
            *text = line.map_or_else(|| text.clone(), |line| text.replace(&line, "relationships = \"assumed\""));
        }
        self
    }

    /// SHA-256 over names and texts, each with its length before it.
    #[must_use]
    pub fn hash(&self) -> PackHash {
        let mut context = digest::Context::new(&digest::SHA256);
        for (name, text) in &self.0 {
            for part in [name, text] {
                context.update(&(part.len() as u64).to_be_bytes());
                context.update(part.as_bytes());
            }
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        PackHash(hash)
    }

    /// Whether a file of that name belongs to a pack; another .csv, .toml or .cedar in its folder refuses it.
    #[must_use]
    pub fn belongs(name: &str) -> bool {
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        match folder {
            "" => FILES.contains(&file),
            "roles" => file.ends_with(".toml"),
            "lists" | "segments" => file.ends_with(".csv"),
            "guardrails" => file.ends_with(".cedar"),
            _ => false,
        }
    }

    /// The names of the files in a folder of the pack.
    pub(crate) fn in_folder<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter_map(move |(name, text)| {
            let rest = name.strip_prefix(folder)?.strip_prefix('/')?;
            (!rest.contains('/')).then_some((name.as_str(), text.as_str()))
        })
    }
}

/// One line of a CSV file.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub line: usize,
    pub fields: Vec<String>,
}

/// A CSV file with the header that it must have.
#[derive(Debug)]
pub(crate) struct Table {
    pub file: String,
    pub header: Vec<String>,
    pub rows: Vec<Row>,
}

impl Table {
    /// Reads `file`; `columns` is the header that it must begin with. Problems are added to the list.
    pub fn read(files: &PackFiles, file: &str, columns: &[&str], problems: &mut Vec<Problem>) -> Self {
        let mut table = Self { file: file.to_owned(), header: Vec::new(), rows: Vec::new() };
        let Some(text) = files.0.get(file) else {
            let missing = table.problem(0, "the file is missing".to_owned(), "add it, with its header line");
            problems.push(missing.unread());
            return table;
        };
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let Some(fields) = split(line) else {
                problems.push(table.problem(
                    index + 1,
                    "a quoted field does not end".to_owned(),
                    "close the quote on the same line",
                ));
                continue;
            };
            if table.header.is_empty() {
                if !columns.iter().zip(&fields).all(|(want, have)| want == have) || fields.len() < columns.len() {
                    let expected = columns.join(",");
                    let what = "the header line is another one".to_owned();
                    problems.push(table.problem(index + 1, what, &format!("begin with `{expected}`")).unread());
                    return table;
                }
                table.header = fields;
            } else if fields.len() != table.header.len() {
                let what = format!("{} fields where the header has {}", fields.len(), table.header.len());
                problems.push(table.problem(index + 1, what, "put a field with a comma in quotes"));
            } else {
                table.rows.push(Row { line: index + 1, fields });
            }
        }
        table
    }

    pub fn wildcard(&self, line: usize) -> Problem {
        self.problem(line, "a wildcard".to_owned(), "name each one: broad access by default is refused (RB-13)")
    }

    pub fn problem(&self, line: usize, what: String, advice: &str) -> Problem {
        Problem::error(&self.file, line, what, advice)
    }
}

impl Row {
    pub fn field(&self, index: usize) -> &str {
        self.fields.get(index).map_or("", |field| field.trim())
    }
}

fn split(line: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if quoted || field.is_empty() => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    fields.push(field);
    (!quoted).then_some(fields)
}

/// The line of a byte offset, from 1.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_may_be_quoted() {
        assert_eq!(split(r#"a,"b, c","d ""e""",f"#).unwrap(), ["a", "b, c", r#"d "e""#, "f"]);
        assert_eq!(split(r#"a,"b"#), None);
    }

    #[test]
    fn the_hash_tells_where_a_name_ends() {
        let one = PackFiles(BTreeMap::from([("a".to_owned(), "bc".to_owned())]));
        let other = PackFiles(BTreeMap::from([("ab".to_owned(), "c".to_owned())]));
        assert_ne!(one.hash(), other.hash());
    }
}
