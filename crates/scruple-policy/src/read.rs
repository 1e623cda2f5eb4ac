//! Reads a pack from its files. Every problem is collected with file, line and advice; nothing stops at the first.

use crate::model::{Category, Condition, Pack, Permit, Purpose, Role, Segment, SegmentWord, Task, position};
use crate::source::{PackFiles, Problem, Row, Table, line_of};
use scruple_core::{
    CATEGORIES_MAX, CONDITIONS_MAX, CategoryId, ConditionId, ConditionMask, MaskId, SEGMENTS_MAX, SegmentId,
    SegmentLimit, SegmentSet, View,
};
use scruple_fhir::{Annotation, Discriminator, Form, KnownExtension, Mask, MaskFunction, Place, dictionary};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The version of the pack format that this build reads.
const FORMAT: u32 = 1;

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
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleToml {
    label: String,
    purpose: String,
    #[serde(default)]
    also: Vec<String>,
    relationship: String,
    emergency_access: bool,
    #[serde(default)]
    treating: bool,
    risk_tier: String,
    defence: String,
    #[serde(default)]
    trap: String,
    tasks: BTreeMap<String, String>,
    #[serde(default)]
    permit: Vec<PermitToml>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PermitToml {
    view: toml::Spanned<String>,
    #[serde(default)]
    tasks: Vec<String>,
    categories: Vec<toml::Spanned<String>>,
    when: Option<Vec<toml::Spanned<String>>>,
    purposes: Option<Vec<toml::Spanned<String>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileToml {
    label: String,
    law: String,
    purposes: Vec<String>,
    withheld: Vec<String>,
    narrative: bool,
    unknown_extensions: bool,
}

/// Reads a pack.
///
/// # Errors
/// Every problem that was found, in the order of file and line.
pub fn read(files: &PackFiles) -> Result<Pack, Vec<Problem>> {
    let mut reader = Reader { files, problems: Vec::new() };
    let pack = reader.pack();
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
        self.problems.push(Problem { file: file.to_owned(), line, what, advice: advice.to_owned() });
    }

    fn toml<T: for<'de> Deserialize<'de>>(&mut self, file: &str) -> Option<T> {
        let Some(text) = self.files.0.get(file) else {
            self.problem(file, 0, "the file is missing".to_owned(), "add it");
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
            .map(|row| Category { name: row.field(0).to_owned(), label: row.field(1).to_owned() })
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
        let mut annotation = Annotation { labelled, masks, lists, segments: segments.len(), ..Annotation::default() };
        let names =
            Names { categories: &categories, purposes: &purposes, conditions: &conditions, segments: &segments };
        self.head(head.as_ref(), &names, &mut annotation);
        self.elements(&names, &mut annotation);
        self.discriminators(&names, &mut annotation);
        self.extensions(&names, &mut annotation);
        self.groups(&mut annotation);
        self.codes(&names, &mut annotation);
        self.sources(&names, &mut annotation);
        let words = self.segment_words(&names);
        let by_role = self.segments_by_role(&names, &words);
        let mut roles = self.roles(&names, &annotation, &by_role);
        self.profiles(&names, &mut roles);
        for name in by_role.keys().filter(|name| !roles.contains_key(*name)) {
            self.problem(
                "segment-by-role.csv",
                0,
                format!("role `{name}` has no file in roles/"),
                "add the role, or take the line out",
            );
        }
        Pack {
            name: head.as_ref().map_or_else(String::new, |head| head.name.clone()),
            version: head.as_ref().map_or_else(String::new, |head| head.version.clone()),
            owner: head.as_ref().map_or_else(String::new, |head| head.owner.clone()),
            criteria: head.map_or_else(Vec::new, |head| head.criteria),
            hash: self.files.hash(),
            categories,
            purposes,
            conditions,
            segments,
            roles,
            annotation: Arc::new(annotation),
        }
    }

    fn head(&mut self, head: Option<&PackToml>, names: &Names<'_>, annotation: &mut Annotation) {
        let Some(head) = head else { return };
        if head.format != FORMAT {
            self.problem("pack.toml", 1, format!("format {} is not known", head.format), "this build reads format 1");
        }
        if !matches!(head.relationships.as_str(), "asserted" | "resolved") {
            self.problem(
                "pack.toml",
                0,
                format!("`relationships` is `{}`", head.relationships),
                "write asserted or resolved",
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
                None => self.problems.push(Problem {
                    file: "categories.csv".to_owned(),
                    line: 0,
                    what: format!("category `{name}` is missing"),
                    advice: "the engine needs it".to_owned(),
                }),
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
        let segment = |row: &Row| Segment {
            name: row.field(0).to_owned(),
            label: row.field(1).to_owned(),
            ground: row.field(2).to_owned(),
            enforced: row.field(7).to_owned(),
        };
        table.rows.iter().map(segment).collect()
    }

    fn masks(&mut self) -> (Vec<Mask>, Vec<BTreeSet<(String, String)>>) {
        let mut lists = Vec::new();
        let mut list_names: Vec<String> = Vec::new();
        let list_files: Vec<String> = self.files.in_folder("lists").map(|(name, _)| name.to_owned()).collect();
        for file in list_files {
            let table = self.table(&file, &["system", "code", "display"]);
            lists.push(table.rows.iter().map(|row| (row.field(0).to_owned(), row.field(1).to_owned())).collect());
            list_names.push(file.trim_start_matches("lists/").trim_end_matches(".csv").to_owned());
        }
        let table = self.table("masks.csv", &["mask", "selector", "function", "note"]);
        let mut masks: Vec<Mask> = Vec::new();
        for row in &table.rows {
            let name = row.field(0);
            let index = masks.iter().position(|mask| mask.name == name).unwrap_or_else(|| {
                masks.push(Mask { name: name.to_owned(), rules: HashMap::new() });
                masks.len() - 1
            });
            let function = match row.field(2) {
                "keep" => Some(MaskFunction::Keep),
                "into" => Some(MaskFunction::Into),
                "none" => Some(MaskFunction::Withhold),
                "code" => Some(MaskFunction::Code),
                "coding" => Some(MaskFunction::Coding),
                "year" => Some(MaskFunction::Year),
                "age" => Some(MaskFunction::Age),
                "zip3" => Some(MaskFunction::Zip3),
                "last4" => Some(MaskFunction::Last4),
                "token" => Some(MaskFunction::Token),
                "shape" => Some(MaskFunction::Shape),
                other => other
                    .strip_prefix("listed:")
                    .and_then(|list| list_names.iter().position(|known| known == list))
                    .and_then(|index| u16::try_from(index).ok())
                    .map(MaskFunction::Listed),
            };
            let Some(function) = function else {
                self.problems.push(table.problem(
                    row.line,
                    format!("unknown function `{}`", row.field(2)),
                    "docs/policy-pack.md lists them",
                ));
                continue;
            };
            let selector = row.field(1);
            if let Some(advice) = unfit_selector(selector, function) {
                self.problems.push(table.problem(
                    row.line,
                    format!("`{selector}` does not fit `{}`", row.field(2)),
                    advice,
                ));
            }
            if let Some(mask) = masks.get_mut(index)
                && mask.rules.insert(selector.to_owned(), function).is_some()
            {
                self.problems.push(table.problem(
                    row.line,
                    format!("`{selector}` stands twice in mask `{name}`"),
                    "keep one of the lines",
                ));
            }
        }
        (masks, lists)
    }

    fn place(&mut self, table: &Table, row: &Row, field: usize, names: &Names<'_>) -> Option<Place> {
        let word = row.field(field);
        match word {
            "structure" => Some(Place::Structure),
            "withheld" => Some(Place::Withheld),
            "class" => Some(Place::Class),
            name => {
                let category = names.category(name);
                if category.is_none() {
                    self.problems.push(table.problem(
                        row.line,
                        format!("unknown category `{name}`"),
                        "categories.csv has the names; or structure, withheld, class",
                    ));
                }
                category.map(Place::Category)
            }
        }
    }

    fn elements(&mut self, names: &Names<'_>, annotation: &mut Annotation) {
        let table = self.table("elements.csv", &["path", "category", "note"]);
        let mut seen = BTreeSet::new();
        for row in &table.rows {
            let path = row.field(0);
            let Some(place) = self.place(&table, row, 1, names) else { continue };
            if !seen.insert(path.to_owned()) {
                self.problems.push(table.problem(row.line, format!("`{path}` stands twice"), "keep one of the lines"));
            }
            let known = if let Some((target, element)) =
                path.strip_prefix("Reference(").and_then(|rest| rest.split_once(")."))
            {
                annotation.references.insert((target.to_owned(), element.to_owned()), place);
                dictionary().resource(target).is_some() && matches!(element, "display" | "identifier")
            } else if let Some(name) = path.strip_suffix(".*") {
                annotation.rest.insert(name.to_owned(), place);
                is_type(name)
            } else if path.contains('.') {
                annotation.places.insert(path.to_owned(), place);
                dictionary().resolve(path).is_some() || path.split_once('.').is_some_and(|(name, _)| is_abstract(name))
            } else {
                annotation.homes.insert(path.to_owned(), place);
                is_type(path)
            };
            if !known {
                self.problems.push(table.problem(
                    row.line,
                    format!("FHIR R4 has no `{path}`"),
                    "write the path as in the definitions, with [x] for a choice",
                ));
            }
        }
        for id in dictionary().resources() {
            let name = dictionary().get(*id).name;
            if !annotation.homes.contains_key(name) {
                self.problems.push(table.problem(
                    0,
                    format!("`{name}` has no home"),
                    "add a line with the type alone; withheld if nobody may see it",
                ));
            }
        }
    }

    fn discriminators(&mut self, names: &Names<'_>, annotation: &mut Annotation) {
        let table = self.table("discriminators.csv", &["element", "system", "code", "category"]);
        for row in &table.rows {
            let (element, system, code) = (row.field(0), row.field(1), row.field(2));
            let Some(category) = names.category(row.field(3)) else {
                self.problems.push(table.problem(
                    row.line,
                    format!("unknown category `{}`", row.field(3)),
                    "categories.csv has the names",
                ));
                continue;
            };
            let fits = dictionary()
                .resolve(element)
                .is_some_and(|found| found.type_names.iter().all(|name| matches!(*name, "CodeableConcept" | "Coding")));
            if !fits {
                self.problems.push(table.problem(
                    row.line,
                    format!("`{element}` is no CodeableConcept or Coding of FHIR R4"),
                    "a discriminator needs one",
                ));
            }
            let coding = (system != "default").then(|| (system.to_owned(), code.to_owned()));
            annotation.discriminators.push(Discriminator { element: element.to_owned(), coding, category });
        }
    }

    fn extensions(&mut self, names: &Names<'_>, annotation: &mut Annotation) {
        let table = self.table("extensions.csv", &["url", "on", "category", "note"]);
        for row in &table.rows {
            let Some(place) = self.place(&table, row, 2, names) else { continue };
            annotation.extensions.push(KnownExtension {
                url: row.field(0).to_owned(),
                on: row.field(1).to_owned(),
                place,
            });
        }
    }

    fn groups(&mut self, annotation: &mut Annotation) {
        let table = self.table("groups.csv", &["group", "type", "elements", "note"]);
        for row in &table.rows {
            let name = row.field(1);
            let elements: Vec<String> = row.field(2).split(';').map(|element| element.trim().to_owned()).collect();
            for element in &elements {
                if dictionary().resolve(&format!("{name}.{element}")).is_none() {
                    self.problems.push(table.problem(
                        row.line,
                        format!("FHIR R4 has no `{name}.{element}`"),
                        "write the path as in the definitions",
                    ));
                }
            }
            annotation.groups.push((name.to_owned(), elements));
        }
    }

    fn codes(&mut self, names: &Names<'_>, annotation: &mut Annotation) {
        let table = self.table("code-systems.csv", &["system", "label", "form", "note"]);
        for row in &table.rows {
            match Form::parse(row.field(2)) {
                Some(form) => annotation.codes.add_system(row.field(0), form),
                None => self.problems.push(table.problem(
                    row.line,
                    format!("unknown form `{}`", row.field(2)),
                    "docs/projection.md lists the forms",
                )),
            }
        }
        let table = self.table("security-labels.csv", &["system", "code", "meaning", "note"]);
        for row in &table.rows {
            let segments = match row.field(2) {
                "none" => SegmentSet::EMPTY,
                "unclassified" => SegmentSet::UNCLASSIFIED,
                name => match names.segment(name) {
                    Some(segment) => SegmentSet::EMPTY.with(segment),
                    None => {
                        self.problems.push(table.problem(
                            row.line,
                            format!("unknown segment `{name}`"),
                            "segments.csv has the names; or none, unclassified",
                        ));
                        continue;
                    }
                },
            };
            annotation.codes.add_security_label(row.field(0), row.field(1), segments);
        }
        let files: Vec<String> = self
            .files
            .in_folder("segments")
            .map(|(name, _)| name.to_owned())
            .filter(|name| name.ends_with(".csv"))
            .collect();
        for file in files {
            let name = file.trim_start_matches("segments/").trim_end_matches(".csv").to_owned();
            let Some(segment) = names.segment(&name) else {
                self.problem(
                    &file,
                    0,
                    format!("unknown segment `{name}`"),
                    "name the file after a segment of segments.csv",
                );
                continue;
            };
            annotation.code_segments = annotation.code_segments.with(segment);
            let table = self.table(&file, &["system", "code", "match", "display", "source"]);
            for row in &table.rows {
                let (system, code, how) = (row.field(0), row.field(1), row.field(2));
                if !matches!(how, "exact" | "prefix") {
                    self.problems.push(table.problem(row.line, format!("`match` is `{how}`"), "write exact or prefix"));
                }
                if row.field(4).is_empty() {
                    self.problems.push(table.problem(
                        row.line,
                        "no source".to_owned(),
                        "say where the line comes from",
                    ));
                }
                if !annotation.codes.add_code(system, code, how == "prefix", SegmentSet::EMPTY.with(segment)) {
                    self.problems.push(table.problem(
                        row.line,
                        format!("`{system}` is no listed code system"),
                        "add it to code-systems.csv",
                    ));
                } else if how == "exact" && !annotation.codes.knows(system.as_bytes(), code.as_bytes()) {
                    self.problems.push(table.problem(
                        row.line,
                        format!("`{code}` has not the form of its system"),
                        "check its digits",
                    ));
                }
            }
        }
    }

    fn sources(&mut self, names: &Names<'_>, annotation: &mut Annotation) {
        let table = self.table("sources.csv", &["kind", "value", "segment", "note"]);
        for row in &table.rows {
            let Some(segment) = names.segment(row.field(2)) else {
                self.problems.push(table.problem(
                    row.line,
                    format!("unknown segment `{}`", row.field(2)),
                    "segments.csv has the names",
                ));
                continue;
            };
            let target = match row.field(0) {
                "reference" => &mut annotation.reference_sources,
                "meta.source" => &mut annotation.meta_sources,
                other => {
                    self.problems.push(table.problem(
                        row.line,
                        format!("unknown kind `{other}`"),
                        "write reference or meta.source",
                    ));
                    continue;
                }
            };
            let known = target.entry(row.field(1).to_owned()).or_default();
            *known = known.with(segment);
        }
    }

    fn segment_words(&mut self, names: &Names<'_>) -> BTreeMap<String, SegmentWord> {
        let table = self.table("segment-words.csv", &["word", "limit", "condition", "obligation", "note"]);
        self.names(&table, "word", 64);
        let mut words = BTreeMap::new();
        for row in &table.rows {
            let limit = match row.field(1) {
                "none" => SegmentLimit::None,
                "coded" => SegmentLimit::Coded,
                "follow" => SegmentLimit::Follow,
                other => {
                    self.problems.push(table.problem(
                        row.line,
                        format!("unknown limit `{other}`"),
                        "write none, coded or follow",
                    ));
                    continue;
                }
            };
            let condition = match row.field(2) {
                "" => None,
                name => {
                    let id = names.condition(name);
                    if id.is_none() {
                        self.problems.push(table.problem(
                            row.line,
                            format!("unknown condition `{name}`"),
                            "conditions.csv has the names",
                        ));
                        continue;
                    }
                    id
                }
            };
            let word = row.field(0).to_owned();
            words.insert(word.clone(), SegmentWord { word, limit, condition, obligation: row.field(3).to_owned() });
        }
        words
    }

    fn segments_by_role(
        &mut self,
        names: &Names<'_>,
        words: &BTreeMap<String, SegmentWord>,
    ) -> BTreeMap<String, Vec<SegmentWord>> {
        let table = self.table("segment-by-role.csv", &["role"]);
        let columns: Vec<String> = table.header.iter().skip(1).cloned().collect();
        let expected: Vec<&str> = names.segments.iter().map(|segment| segment.name.as_str()).collect();
        if columns != expected {
            self.problems.push(table.problem(
                1,
                "the columns are not the segments in their order".to_owned(),
                "use the order of segments.csv",
            ));
            return BTreeMap::new();
        }
        let mut by_role = BTreeMap::new();
        for row in &table.rows {
            let mut cells = Vec::new();
            for (index, segment) in columns.iter().enumerate() {
                let word = row.field(index + 1);
                match words.get(word) {
                    Some(known) => cells.push(known.clone()),
                    None => self.problems.push(table.problem(
                        row.line,
                        format!("unknown word `{word}` for {segment}"),
                        "segment-words.csv has the words",
                    )),
                }
            }
            if by_role.insert(row.field(0).to_owned(), cells).is_some() {
                self.problems.push(table.problem(
                    row.line,
                    format!("role `{}` stands twice", row.field(0)),
                    "keep one of the lines",
                ));
            }
        }
        by_role
    }

    fn roles(
        &mut self,
        names: &Names<'_>,
        annotation: &Annotation,
        by_role: &BTreeMap<String, Vec<SegmentWord>>,
    ) -> BTreeMap<String, Role> {
        let files: Vec<String> = self.files.in_folder("roles").map(|(name, _)| name.to_owned()).collect();
        let mut roles = BTreeMap::new();
        for file in files {
            let name = file.trim_start_matches("roles/").trim_end_matches(".toml").to_owned();
            let Some(read) = self.toml::<RoleToml>(&file) else { continue };
            for purpose in std::iter::once(&read.purpose).chain(&read.also) {
                if !names.is_purpose(purpose) {
                    let line = self.line_with(&file, purpose);
                    self.problem(&file, line, format!("unknown purpose `{purpose}`"), "purposes.csv has the codes");
                }
            }
            if read.defence.trim().is_empty() {
                self.problem(
                    &file,
                    0,
                    "no `defence`".to_owned(),
                    "write down why this is the minimum for the job (RB-22)",
                );
            }
            if read.tasks.is_empty() {
                self.problem(
                    &file,
                    0,
                    "no tasks".to_owned(),
                    "a role is a job with tasks; list them under [tasks] (RB-08)",
                );
            }
            let permits =
                read.permit.iter().filter_map(|permit| self.permit(&file, &read, permit, names, annotation)).collect();
            let segments = by_role.get(&name).cloned().unwrap_or_default();
            if segments.is_empty() {
                self.problem(
                    "segment-by-role.csv",
                    0,
                    format!("role `{name}` has no line"),
                    "add one: a word for each segment",
                );
            }
            let role = Role {
                name: name.clone(),
                file: file.clone(),
                label: read.label,
                purpose: read.purpose,
                also: read.also,
                relationship: read.relationship,
                emergency_access: read.emergency_access,
                passes: read.treating,
                risk_tier: read.risk_tier,
                defence: read.defence,
                trap: read.trap,
                tasks: read.tasks.into_iter().map(|(name, label)| Task { name, label }).collect(),
                permits,
                segments,
                never_pass: SegmentSet::EMPTY,
                is_profile: false,
            };
            roles.insert(name, role);
        }
        roles
    }

    fn line_with(&self, file: &str, word: &str) -> usize {
        let text = self.files.0.get(file).map_or("", String::as_str);
        text.find(&format!("\"{word}\"")).map_or(0, |at| line_of(text, at))
    }

    fn permit(
        &mut self,
        file: &str,
        role: &RoleToml,
        permit: &PermitToml,
        names: &Names<'_>,
        annotation: &Annotation,
    ) -> Option<Permit> {
        let text = self.files.0.get(file).cloned().unwrap_or_default();
        let line_at = |span: std::ops::Range<usize>| line_of(&text, span.start);
        let line = line_at(permit.view.span());
        let view = match permit.view.get_ref().as_str() {
            "full" => Some(View::Full),
            other => {
                let mask = other
                    .strip_prefix("masked:")
                    .and_then(|name| position(&annotation.masks, |mask| mask.name == name));
                if mask.is_none() {
                    self.problem(
                        file,
                        line,
                        format!("unknown view `{other}`"),
                        "write full, or masked: and a mask of masks.csv; none is the default and is not written",
                    );
                }
                mask.map(|mask| View::Masked(MaskId(mask)))
            }
        };
        if permit.tasks.is_empty() {
            self.problem(
                file,
                line,
                "a permit without a task".to_owned(),
                "name the tasks that need it: tasks = [\"...\"] (RB-08)",
            );
        }
        for task in permit.tasks.iter().filter(|task| !role.tasks.contains_key(*task)) {
            self.problem(file, line, format!("unknown task `{task}`"), "list it under [tasks]");
        }
        let mut categories = Vec::new();
        for name in &permit.categories {
            let at = line_at(name.span());
            match (name.get_ref().as_str(), names.category(name.get_ref())) {
                ("*", _) => self.problem(
                    file,
                    at,
                    "a wildcard".to_owned(),
                    "name each category: broad access by default is refused (RB-13)",
                ),
                (_, Some(category)) if categories.contains(&category) => {
                    self.problem(file, at, format!("`{}` stands twice", name.get_ref()), "keep one");
                }
                (_, Some(category)) => categories.push(category),
                (unknown, None) => {
                    self.problem(file, at, format!("unknown category `{unknown}`"), "categories.csv has the names")
                }
            }
        }
        let mut when = ConditionMask::NONE;
        let listed = permit.when.iter().flatten().map(|name| (name.get_ref().as_str(), line_at(name.span())));
        let wanted: Vec<(&str, usize)> =
            if permit.when.is_some() { listed.collect() } else { vec![("relationship", line)] };
        for (name, at) in wanted {
            match names.condition(name) {
                Some(condition) => when = when.with(condition),
                None => self.problem(file, at, format!("unknown condition `{name}`"), "conditions.csv has the names"),
            }
        }
        let mut purposes: Vec<String> = std::iter::once(&role.purpose).chain(&role.also).cloned().collect();
        if let Some(listed) = &permit.purposes {
            purposes = listed.iter().map(|purpose| purpose.get_ref().clone()).collect();
            for purpose in listed {
                let known = std::iter::once(&role.purpose).chain(&role.also).any(|own| own == purpose.get_ref());
                if !known {
                    let advice = "a permit's purposes are among `purpose` and `also` of its role";
                    self.problem(
                        file,
                        line_at(purpose.span()),
                        format!("purpose `{}` is not the role's", purpose.get_ref()),
                        advice,
                    );
                }
            }
        }
        Some(Permit { line, view: view?, tasks: permit.tasks.clone(), categories, when, purposes })
    }

    /// The profiles of callers outside the workforce become roles of their own; that of own treating staff narrows
    /// what passes for the roles with `treating = true`.
    fn profiles(&mut self, names: &Names<'_>, roles: &mut BTreeMap<String, Role>) {
        let file = "profiles.toml";
        let Some(profiles) = self.toml::<BTreeMap<String, ProfileToml>>(file) else { return };
        for wanted in ["individual", "treating_provider", "own_treating_staff"] {
            if !profiles.contains_key(wanted) {
                self.problem(
                    file,
                    0,
                    format!("profile `{wanted}` is missing"),
                    "the three pass-through profiles belong to every pack",
                );
            }
        }
        for (name, profile) in profiles {
            let mut withheld_segments = SegmentSet::EMPTY;
            let mut withheld_categories = Vec::new();
            for word in &profile.withheld {
                let (category, segment) = (names.category(word), names.segment(word));
                if category.is_none() && segment.is_none() {
                    let line = self.line_with(file, word);
                    self.problem(
                        file,
                        line,
                        format!("`{word}` is no category and no segment"),
                        "categories.csv and segments.csv have the names",
                    );
                }
                withheld_categories.extend(category);
                withheld_segments = segment.map_or(withheld_segments, |segment| withheld_segments.with(segment));
            }
            if !profile.narrative || !profile.unknown_extensions {
                self.problem(
                    file,
                    0,
                    format!("profile `{name}` does not pass narrative and unknown extensions"),
                    "a pass-through profile passes both; withholding there can be unlawful (45 CFR part 171)",
                );
            }
            if name == "own_treating_staff" {
                for role in roles.values_mut().filter(|role| role.passes) {
                    role.never_pass = withheld_segments;
                }
                continue;
            }
            let role = names.profile_role(&name, file, profile, &withheld_categories, withheld_segments);
            roles.insert(name, role);
        }
    }
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

    fn profile_role(
        &self,
        name: &str,
        file: &str,
        profile: ProfileToml,
        withheld: &[CategoryId],
        segments: SegmentSet,
    ) -> Role {
        let task = Task { name: "law".to_owned(), label: profile.law.clone() };
        let all = (0..self.categories.len()).filter_map(|index| u8::try_from(index).ok()).map(CategoryId);
        let when = self.condition("relationship").map_or(ConditionMask::NONE, |id| ConditionMask::NONE.with(id));
        let permit = Permit {
            line: 1,
            view: View::Full,
            tasks: vec![task.name.clone()],
            categories: all.filter(|category| !withheld.contains(category)).collect(),
            when,
            purposes: profile.purposes.clone(),
        };
        let word = |limit: SegmentLimit| SegmentWord {
            word: if limit == SegmentLimit::Follow { "follow" } else { "none" }.to_owned(),
            limit,
            condition: None,
            obligation: String::new(),
        };
        let limits = (0..self.segments.len()).filter_map(|index| u8::try_from(index).ok()).map(SegmentId);
        let limits = limits
            .map(|segment| word(if segments.contains(segment) { SegmentLimit::None } else { SegmentLimit::Follow }));
        let (purpose, also) = profile
            .purposes
            .split_first()
            .map_or((String::new(), Vec::new()), |(first, rest)| (first.clone(), rest.to_vec()));
        Role {
            name: name.to_owned(),
            file: file.to_owned(),
            label: profile.label,
            purpose,
            also,
            relationship: "the caller is who the profile says".to_owned(),
            emergency_access: false,
            passes: true,
            risk_tier: "profile".to_owned(),
            defence: profile.law,
            trap: String::new(),
            tasks: vec![task],
            permits: vec![permit],
            segments: limits.collect(),
            never_pass: segments,
            is_profile: true,
        }
    }
}

fn is_abstract(name: &str) -> bool {
    matches!(name, "Resource" | "DomainResource" | "Element" | "BackboneElement")
}

fn is_type(name: &str) -> bool {
    dictionary().find(name).is_some() || is_abstract(name)
}

/// Advice where a function cannot be carried by what the selector names.
fn unfit_selector(selector: &str, function: MaskFunction) -> Option<&'static str> {
    let types: Vec<&str> = if let Some(element) = dictionary().resolve(selector).filter(|_| selector.contains('.')) {
        element.type_names.clone()
    } else if selector.starts_with("*.") {
        return None;
    } else if selector.contains('.') {
        return Some("FHIR R4 has no such element; write the path as in the definitions");
    } else {
        vec![selector]
    };
    let any = |wanted: &[&str]| types.iter().any(|name| wanted.contains(name));
    let text = |name: &&str| name.starts_with(char::is_lowercase);
    match function {
        MaskFunction::Year | MaskFunction::Age if !any(&["date", "dateTime"]) => {
            Some("an instant or time has no partial form; only date and dateTime carry it")
        }
        MaskFunction::Coding | MaskFunction::Listed(_) if !any(&["Coding", "CodeableConcept", "code"]) => {
            Some("only a Coding or CodeableConcept carries it")
        }
        MaskFunction::Code if !any(&["code", "uri", "canonical"]) => Some("only a code carries it"),
        MaskFunction::Zip3 | MaskFunction::Last4 if !any(&["string"]) => Some("only a string carries it"),
        MaskFunction::Shape | MaskFunction::Token if !types.iter().any(text) && !any(&["Reference"]) => {
            Some("only a primitive carries it; use `into` on the type around it")
        }
        _ => None,
    }
}
