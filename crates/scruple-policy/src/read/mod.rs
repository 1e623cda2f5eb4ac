//! Reads a pack from its files. Every problem is collected with file, line and advice; nothing stops at the first.

mod dictionary;
mod exceptions;
mod people;
mod relations;
mod roles;
mod sign_in;
mod tasks;

use crate::guardrail::Guardrails;
use crate::model::{Category, Condition, Pack, Purpose, Relationships, Role, Segment, position};
use crate::reminder::DeskRules;
use crate::source::{PackFiles, Problem, Row, Table, line_of};
use scruple_core::{CATEGORIES_MAX, CONDITIONS_MAX, CategoryId, ConditionId, MaskId, SEGMENTS_MAX, SegmentId, View};
use scruple_fhir::{Annotation, mask_covers};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The version of the pack format that this build reads.
const FORMAT: u32 = 1;
/// Names that Cedar reads as words of its own, and the one of the context that is no condition.
const RESERVED: &[&str] = &["true", "false", "if", "then", "else", "in", "is", "like", "has", "purpose"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PackToml {
    format: u32,
    name: String,
    version: String,
    owner: String,
    criteria: Vec<String>,
    relationships: String,
    coded_categories: Vec<String>,
    not_phi: Vec<String>,
    #[serde(default)]
    practice_patients: BTreeSet<String>,
    #[serde(default)]
    desk: DeskRules,
    #[serde(default)]
    sign_in: sign_in::SignInToml,
}

/// Reads a pack.
///
/// # Errors
/// Every problem that was found, in the order of file and line.
pub fn read(files: &PackFiles) -> Result<Pack, Vec<Problem>> {
    let mut reader = Reader { files, problems: Vec::new() };
    let mut pack = reader.pack();
    reader.unknown_files();
    if reader.problems.is_empty() {
        // Only now: rules in Cedar are read by the names of a pack that has them right.
        match Guardrails::read(files, &pack) {
            Ok(guardrails) => pack.guardrails = guardrails,
            Err(problems) => reader.problems = problems,
        }
    }
    if reader.problems.iter().any(|problem| problem.unread) {
        // What follows from a file that cannot be read would only hide it.
        reader.problems.retain(|problem| problem.unread);
    }
    reader.problems.sort();
    reader.problems.dedup();
    if reader.problems.is_empty() { Ok(pack) } else { Err(reader.problems) }
}

struct Reader<'a> {
    files: &'a PackFiles,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn table(&mut self, file: &str, columns: &[&str]) -> Table {
        Table::read(self.files, file, columns, &mut self.problems)
    }

    fn problem(&mut self, file: &str, line: usize, what: String, advice: &str) {
        self.problems.push(Problem::error(file, line, what, advice));
    }

    fn toml<T: for<'de> Deserialize<'de>>(&mut self, file: &str) -> Option<T> {
        let Some(text) = self.files.0.get(file) else {
            self.problems.push(Problem::error(file, 0, "the file is missing", "add it").unread());
            return None;
        };
        match toml::from_str(text) {
            Ok(value) => Some(value),
            Err(error) => {
                let line = error.span().map_or(0, |span| line_of(text, span.start));
                self.problem(file, line, error.message().to_owned(), "docs/policy-pack.md tells the keys");
                None
            }
        }
    }

    fn names(&mut self, table: &Table, what: &str, most: usize) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for row in &table.rows {
            let name = row.field(0);
            if name == "*" {
                self.problems.push(table.problem(
                    row.line,
                    "a wildcard".to_owned(),
                    "name each one: broad access by default is refused (RB-13)",
                ));
            } else if name.is_empty() || names.iter().any(|known| known == name) {
                self.problems.push(table.problem(
                    row.line,
                    format!("{what} `{name}` is empty or stands twice"),
                    "give each its own name",
                ));
            }
            if !is_name(name, what == "purpose") && name != "*" && !name.is_empty() {
                self.problems.push(table.problem(
                    row.line,
                    format!("`{name}` is no name of a {what}"),
                    "lower case letters, digits and underscores, a letter first; a purpose in capitals; no word of Cedar",
                ));
            }
            names.push(name.to_owned());
        }
        if names.len() > most {
            let what = format!("{} lines, at most {most} fit", names.len());
            self.problems.push(table.problem(0, what, "split the pack"));
        }
        names
    }

    fn pack(&mut self) -> Pack {
        let head: Option<PackToml> = self.toml("pack.toml");
        let table = self.table("categories.csv", &["category", "label", "segments", "note"]);
        self.names(&table, "category", CATEGORIES_MAX);
        let categories: Vec<Category> = table
            .rows
            .iter()
            .map(|row| Category {
                name: row.field(0).to_owned(),
                label: row.field(1).to_owned(),
                phi: !head.as_ref().is_some_and(|head| head.not_phi.iter().any(|name| name == row.field(0))),
            })
            .collect();
        let labelled = table
            .rows
            .iter()
            .enumerate()
            .filter(|(_, row)| row.field(2) == "yes")
            .fold(0, |bits, (index, _)| bits | 1_u64 << (index & 63));
        for row in table.rows.iter().filter(|row| !matches!(row.field(2), "yes" | "no")) {
            self.problems.push(table.problem(row.line, format!("`segments` is `{}`", row.field(2)), "write yes or no"));
        }

        let purposes = self.purposes();
        let conditions = self.conditions();
        let segments = self.segments();
        let (masks, lists) = self.masks();
        let not_phi = (0_u32..).zip(&categories).filter(|(_, category)| !category.phi);
        let not_phi = not_phi.fold(0, |bits, (index, _)| bits | 1_u64 << (index & 63));
        let mut annotation =
            Annotation { labelled, not_phi, masks, lists, segments: segments.len(), ..Annotation::default() };
        let names =
            Names { categories: &categories, purposes: &purposes, conditions: &conditions, segments: &segments };
        self.head(head.as_ref(), &names, &mut annotation);
        self.elements(&names, &mut annotation);
        self.discriminators(&names, &mut annotation);
        self.extensions(&names, &mut annotation);
        self.groups(&mut annotation);
        self.codes(&names, &mut annotation);
        self.sources(&names, &mut annotation);
        self.inheritance(&names, &mut annotation);
        let words = self.segment_words(&names);
        let by_role = self.segments_by_role(&names, &words);
        let mut broad = self.broad();
        let mut roles = self.roles(&names, &annotation, &by_role, &mut broad);
        self.profiles(&names, &mut roles);
        self.relationships(&mut roles);
        let approvals = self.approvals(&roles);
        let console = self.console(&roles);
        let steps = self.steps(&roles);
        let needs_project = self.projects(&roles);
        let systems = self.systems(&roles);
        let tasks = self.access_tasks(&roles);
        let desk = head.as_ref().map_or_else(DeskRules::default, |head| head.desk);
        self.desk(desk);
        let reminders = self.reminders(&roles);
        let sign_in = self.sign_in(head.as_ref().map(|head| &head.sign_in), &names, &roles);
        let has_file = |name: &str| self.files.0.contains_key(&format!("roles/{name}.toml"));
        let alone: Vec<&String> = by_role.keys().filter(|name| !roles.contains_key(*name) && !has_file(name)).collect();
        for name in alone {
            self.problem(
                "segment-by-role.csv",
                0,
                format!("role `{name}` has no file in roles/"),
                "add the role, or take the line out",
            );
        }
        let wider_masks = wider_masks(&annotation, &roles);
        Pack {
            broad,
            guardrails: Guardrails::default(),
            wider_masks,
            name: head.as_ref().map_or_else(String::new, |head| head.name.clone()),
            version: head.as_ref().map_or_else(String::new, |head| head.version.clone()),
            owner: head.as_ref().map_or_else(String::new, |head| head.owner.clone()),
            relationships: head.as_ref().and_then(|head| Relationships::of(&head.relationships)).unwrap_or_default(),
            practice_patients: head.as_ref().map_or_else(BTreeSet::new, |head| head.practice_patients.clone()),
            criteria: head.map_or_else(Vec::new, |head| head.criteria),
            hash: self.files.hash(),
            categories,
            purposes,
            conditions,
            segments,
            roles,
            annotation: Arc::new(annotation),
            approvals,
            steps,
            needs_project,
            console,
            tasks,
            systems,
            desk,
            reminders,
            sign_in,
        }
    }

    fn head(&mut self, head: Option<&PackToml>, names: &Names<'_>, annotation: &mut Annotation) {
        let Some(head) = head else { return };
        if head.format != FORMAT {
            self.problem("pack.toml", 1, format!("format {} is not known", head.format), "this build reads format 1");
        }
        if Relationships::of(&head.relationships).is_none() {
            self.problem(
                "pack.toml",
                0,
                format!("`relationships` is `{}`", head.relationships),
                "write asserted, assumed or resolved",
            );
        }
        if head.criteria.iter().all(|line| line.trim().is_empty()) {
            self.problem(
                "pack.toml",
                0,
                "no criteria of role design".to_owned(),
                "write down by which criteria the roles were made (RB-22)",
            );
        }
        let is_id = |id: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
            (1..=64).contains(&id.len()) && id.bytes().all(allowed)
        };
        for id in head.practice_patients.iter().filter(|id| !is_id(id)) {
            self.problem(
                "pack.toml",
                0,
                format!("`practice_patients` has `{id}`"),
                "write the id of the patient in the record system: letters, digits, - and .",
            );
        }
        for name in head.not_phi.iter().filter(|name| names.category(name).is_none()) {
            self.problem("pack.toml", 0, format!("unknown category `{name}`"), "categories.csv has the names");
        }
        for name in &head.coded_categories {
            match names.category(name) {
                Some(category) => annotation.coded_categories |= 1 << (category.0 & 63),
                None => {
                    self.problem("pack.toml", 0, format!("unknown category `{name}`"), "categories.csv has the names")
                }
            }
        }
        annotation.coded_mask = annotation
            .masks
            .iter()
            .position(|mask| mask.name == "coded")
            .and_then(|index| u8::try_from(index).ok())
            .map(MaskId);
        for (name, place) in
            [("free_text", &mut annotation.free_text), ("change_metadata", &mut annotation.change_metadata)]
        {
            match names.category(name) {
                Some(category) => *place = category,
                None => self.problems.push(Problem::error(
                    "categories.csv",
                    0,
                    format!("category `{name}` is missing"),
                    "the engine needs it",
                )),
            }
        }
    }

    fn purposes(&mut self) -> Vec<Purpose> {
        let columns = ["purpose", "ground", "minimum_necessary_applies", "in_528_accounting", "default_level"];
        let table = self.table("purposes.csv", &columns);
        self.names(&table, "purpose", 256);
        let purpose = |row: &Row| Purpose {
            code: row.field(0).to_owned(),
            ground: row.field(1).to_owned(),
            minimum_necessary: row.field(2).to_owned(),
            in_accounting: row.field(3).to_owned(),
            default_level: row.field(4).to_owned(),
        };
        table.rows.iter().map(purpose).collect()
    }

    fn conditions(&mut self) -> Vec<Condition> {
        let table = self.table("conditions.csv", &["condition", "label", "judged_by", "enforced"]);
        self.names(&table, "condition", CONDITIONS_MAX);
        for row in &table.rows {
            if !matches!(row.field(3), "now" | "asserted" | "not yet") {
                self.problems.push(table.problem(
                    row.line,
                    format!("`enforced` is `{}`", row.field(3)),
                    "write now, asserted or not yet",
                ));
            }
        }
        let condition = |row: &Row| Condition {
            name: row.field(0).to_owned(),
            label: row.field(1).to_owned(),
            judged_by: row.field(2).to_owned(),
            enforced: row.field(3).to_owned(),
        };
        table.rows.iter().map(condition).collect()
    }

    fn segments(&mut self) -> Vec<Segment> {
        let columns = [
            "segment",
            "label",
            "ground",
            "hl7_actcode",
            "how_labelled",
            "held_by_default",
            "emergency_access_opens",
            "enforced",
        ];
        let table = self.table("segments.csv", &columns);
        self.names(&table, "segment", SEGMENTS_MAX);
        for row in &table.rows {
            if emergency_opens(row.field(6)).is_none() {
                self.problems.push(table.problem(
                    row.line,
                    format!("`emergency_access_opens` is `{}`", row.field(6)),
                    "begin with yes, no, n/a or `2.51 record`",
                ));
            }
        }
        let segment = |row: &Row| Segment {
            name: row.field(0).to_owned(),
            label: row.field(1).to_owned(),
            ground: row.field(2).to_owned(),
            in_emergency: emergency_opens(row.field(6)).unwrap_or_default(),
            enforced: row.field(7).to_owned(),
        };
        table.rows.iter().map(segment).collect()
    }

    /// A file that nothing reads is a name with a slip of the pen: what it says would be lost without a word.
    fn unknown_files(&mut self) {
        let unknown: Vec<String> = self.files.0.keys().filter(|name| !PackFiles::belongs(name)).cloned().collect();
        for file in unknown {
            self.problem(&file, 0, "no file of a pack".to_owned(), "docs/policy-pack.md lists the files");
        }
    }
}

/// Whether an emergency opens a segment, by its first words.
fn emergency_opens(text: &str) -> Option<bool> {
    match text.split(", ").next()? {
        "yes" | "2.51 record" => Some(true),
        "no" | "n/a" => Some(false),
        _ => None,
    }
}

/// The masks that meet in a cell of a role, as (wider, narrower), where one shows all that the other does.
fn wider_masks(annotation: &Annotation, roles: &BTreeMap<String, Role>) -> BTreeSet<(MaskId, MaskId)> {
    let mut pairs = BTreeSet::new();
    for role in roles.values() {
        for (index, one) in role.permits.iter().enumerate() {
            for other in role.permits.iter().skip(index + 1) {
                if let (View::Masked(a), View::Masked(b)) = (one.view, other.view)
                    && a != b
                    && one.categories.iter().any(|category| other.categories.contains(category))
                {
                    pairs.extend([(a, b), (b, a)]);
                }
            }
        }
    }
    pairs.retain(|(wide, narrow)| mask_covers(annotation, *wide, *narrow));
    pairs
}

fn is_name(name: &str, capitals: bool) -> bool {
    let letter = |byte: u8| if capitals { byte.is_ascii_uppercase() } else { byte.is_ascii_lowercase() };
    name.bytes().next().is_some_and(letter)
        && name.bytes().all(|byte| letter(byte) || byte.is_ascii_digit() || byte == b'_')
        && !RESERVED.contains(&name)
}

struct Names<'a> {
    categories: &'a [Category],
    purposes: &'a [Purpose],
    conditions: &'a [Condition],
    segments: &'a [Segment],
}

impl Names<'_> {
    fn category(&self, name: &str) -> Option<CategoryId> {
        position(self.categories, |category| category.name == name).map(CategoryId)
    }

    fn condition(&self, name: &str) -> Option<ConditionId> {
        position(self.conditions, |condition| condition.name == name).map(ConditionId)
    }

    fn segment(&self, name: &str) -> Option<SegmentId> {
        position(self.segments, |segment| segment.name == name).map(SegmentId)
    }

    fn is_purpose(&self, code: &str) -> bool {
        self.purposes.iter().any(|purpose| purpose.code == code)
    }
}
