//! Roles, their permits, the words of their segments, and the pass-through profiles.

use super::{Names, Reader, is_name};
use crate::model::{Broad, Permit, RelatedBy, Role, SegmentWord, Task, Timing, position};
use crate::source::line_of;
use scruple_core::{CategoryId, ConditionMask, MaskId, SegmentId, SegmentLimit, SegmentSet, View};
use scruple_fhir::Annotation;
use serde::Deserialize;
use std::collections::BTreeMap;

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
    defence: toml::Spanned<String>,
    #[serde(default)]
    trap: String,
    #[serde(default)]
    administrative: bool,
    timing: Option<toml::Spanned<String>>,
    tasks: BTreeMap<String, toml::Spanned<String>>,
    #[serde(default)]
    permit: Vec<PermitToml>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PermitToml {
    view: toml::Spanned<String>,
    #[serde(default)]
    tasks: Vec<toml::Spanned<String>>,
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
    timing: Option<toml::Spanned<String>>,
    narrative: bool,
    unknown_extensions: bool,
}

const WILDCARD_ADVICE: &str =
    "name each one: broad access by default is refused; exceptions.toml takes an approved one that ends (RB-13)";

/// A line of `segment-by-role.csv`.
#[derive(Clone, Default)]
pub(super) struct RoleWords {
    cells: Vec<SegmentWord>,
    at: String,
}

/// What a permit is read by.
struct RoleFacts<'a> {
    file: &'a str,
    role: &'a RoleToml,
    names: &'a Names<'a>,
    annotation: &'a Annotation,
    exception: Option<&'a mut Broad>,
}

impl Reader<'_> {
    pub(super) fn segment_words(&mut self, names: &Names<'_>) -> BTreeMap<String, SegmentWord> {
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

    pub(super) fn segments_by_role(
        &mut self,
        names: &Names<'_>,
        words: &BTreeMap<String, SegmentWord>,
    ) -> BTreeMap<String, RoleWords> {
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
                    None if word == "*" => self.problems.push(table.wildcard(row.line)),
                    None => self.problems.push(table.problem(
                        row.line,
                        format!("unknown word `{word}` for {segment}"),
                        "segment-words.csv has the words",
                    )),
                }
            }
            if row.field(0) == "*" {
                self.problems.push(table.wildcard(row.line));
            }
            let words = RoleWords { cells, at: format!("{}:{}", table.file, row.line) };
            if by_role.insert(row.field(0).to_owned(), words).is_some() {
                self.problems.push(table.problem(
                    row.line,
                    format!("role `{}` stands twice", row.field(0)),
                    "keep one of the lines",
                ));
            }
        }
        by_role
    }

    pub(super) fn roles(
        &mut self,
        names: &Names<'_>,
        annotation: &Annotation,
        by_role: &BTreeMap<String, RoleWords>,
        broad: &mut [Broad],
    ) -> BTreeMap<String, Role> {
        let files: Vec<String> = self.files.in_folder("roles").map(|(name, _)| name.to_owned()).collect();
        let mut roles = BTreeMap::new();
        for file in files {
            let name = file.trim_start_matches("roles/").trim_end_matches(".toml").to_owned();
            let Some(read) = self.toml::<RoleToml>(&file) else { continue };
            for purpose in std::iter::once(&read.purpose).chain(&read.also) {
                if purpose == "*" {
                    let line = self.line_with(&file, purpose);
                    self.problem(&file, line, "a wildcard".to_owned(), WILDCARD_ADVICE);
                } else if !names.is_purpose(purpose) {
                    let line = self.line_with(&file, purpose);
                    self.problem(&file, line, format!("unknown purpose `{purpose}`"), "purposes.csv has the codes");
                }
            }
            if !is_name(&name, false) {
                let what = format!("`{name}` is no name of a role");
                self.problem(&file, 0, what, "lower case letters, digits and underscores, a letter first");
            }
            if read.defence.get_ref().trim().is_empty() {
                let text = self.files.0.get(&file).map_or("", String::as_str);
                let line = line_of(text, read.defence.span().start);
                self.problem(
                    &file,
                    line,
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
            let exception = broad.iter_mut().find(|exception| exception.role == name);
            let mut facts = RoleFacts { file: &file, role: &read, names, annotation, exception };
            let permits = read.permit.iter().filter_map(|permit| self.permit(&mut facts, permit)).collect();
            let words = by_role.get(&name).cloned().unwrap_or_default();
            if words.cells.is_empty() {
                self.problem(
                    "segment-by-role.csv",
                    0,
                    format!("role `{name}` has no line"),
                    "add one: a word for each segment",
                );
            }
            let timing = self.timing(&file, read.timing.as_ref());
            let role = Role {
                name: name.clone(),
                file: file.clone(),
                label: read.label,
                purpose: read.purpose,
                also: read.also,
                relationship: read.relationship,
                related_by: RelatedBy::default(),
                emergency_access: read.emergency_access,
                passes: read.treating,
                risk_tier: read.risk_tier,
                defence: read.defence.into_inner(),
                trap: read.trap,
                tasks: self.tasks(&file, read.tasks),
                permits,
                segments: words.cells,
                segments_at: words.at,
                administrative: read.administrative,
                never_pass: SegmentSet::EMPTY,
                timing,
                is_profile: false,
            };
            roles.insert(name, role);
        }
        roles
    }

    fn tasks(&mut self, file: &str, tasks: BTreeMap<String, toml::Spanned<String>>) -> Vec<Task> {
        let text = self.files.0.get(file).map_or("", String::as_str);
        let made = tasks.into_iter().map(|(name, label)| {
            let line = line_of(text, label.span().start);
            Task { name, label: label.into_inner(), line }
        });
        let tasks: Vec<Task> = made.collect();
        for task in tasks.iter().filter(|task| task.label.trim().is_empty()) {
            let what = format!("task `{}` says nothing", task.name);
            self.problem(file, task.line, what, "write in words what is done (RB-08)");
        }
        tasks
    }

    fn timing(&mut self, file: &str, word: Option<&toml::Spanned<String>>) -> Timing {
        let Some(word) = word else { return Timing::Plain };
        let timing = Timing::of(word.get_ref());
        if timing.is_none() {
            let line = line_of(self.files.0.get(file).map_or("", String::as_str), word.span().start);
            let what = format!("unknown timing `{}`", word.get_ref());
            self.problem(file, line, what, "write plain, or bucket: answers wait for the next of a few times");
        }
        timing.unwrap_or_default()
    }

    fn line_with(&self, file: &str, word: &str) -> usize {
        let text = self.files.0.get(file).map_or("", String::as_str);
        text.find(&format!("\"{word}\"")).map_or(0, |at| line_of(text, at))
    }

    fn permit(&mut self, facts: &mut RoleFacts<'_>, permit: &PermitToml) -> Option<Permit> {
        let (file, role, names) = (facts.file, facts.role, facts.names);
        let text = self.files.0.get(file).map_or("", String::as_str);
        let line_at = |span: std::ops::Range<usize>| line_of(text, span.start);
        let line = line_at(permit.view.span());
        let view = match permit.view.get_ref().as_str() {
            "full" => Some(View::Full),
            other => {
                let mask = other
                    .strip_prefix("masked:")
                    .and_then(|name| position(&facts.annotation.masks, |mask| mask.name == name));
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
            let advice = "name the tasks that need it: tasks = [\"...\"] (RB-08)";
            self.problem(file, line, "a permit without a task".to_owned(), advice);
        }
        for task in permit.tasks.iter().filter(|task| !role.tasks.contains_key(task.get_ref())) {
            let what = format!("unknown task `{}`", task.get_ref());
            self.problem(file, line_at(task.span()), what, "list it under [tasks]");
        }
        let mut categories = Vec::new();
        let mut category_lines = Vec::new();
        let mut until = None;
        for name in &permit.categories {
            let at = line_at(name.span());
            match (name.get_ref().as_str(), names.category(name.get_ref()), facts.exception.as_deref_mut()) {
                ("*", _, Some(exception)) => {
                    exception.used = true;
                    until = Some(exception.until);
                    let all = (0..names.categories.len()).filter_map(|index| u8::try_from(index).ok()).map(CategoryId);
                    categories = all.collect();
                    category_lines = vec![at; categories.len()];
                }
                ("*", _, None) => self.problem(file, at, "a wildcard".to_owned(), WILDCARD_ADVICE),
                (_, Some(category), _) if categories.contains(&category) => {
                    self.problem(file, at, format!("`{}` stands twice", name.get_ref()), "keep one");
                }
                (_, Some(category), _) => {
                    categories.push(category);
                    category_lines.push(at);
                }
                (unknown, None, _) => {
                    self.problem(file, at, format!("unknown category `{unknown}`"), "categories.csv has the names");
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
        let own: Vec<&String> = std::iter::once(&role.purpose).chain(&role.also).collect();
        let mut purposes: Vec<String> = own.iter().copied().cloned().collect();
        if let Some(listed) = &permit.purposes {
            purposes = listed.iter().map(|purpose| purpose.get_ref().clone()).collect();
            for purpose in listed {
                let (code, at) = (purpose.get_ref(), line_at(purpose.span()));
                if code == "*" {
                    self.problem(file, at, "a wildcard".to_owned(), WILDCARD_ADVICE);
                } else if !names.is_purpose(code) {
                    self.problem(file, at, format!("unknown purpose `{code}`"), "purposes.csv has the codes");
                } else if !own.contains(&code) {
                    let advice = "a permit's purposes are among `purpose` and `also` of its role";
                    self.problem(file, at, format!("purpose `{code}` is not the role's"), advice);
                }
            }
        }
        let tasks = permit.tasks.iter().map(|task| task.get_ref().clone()).collect();
        Some(Permit { line, view: view?, tasks, categories, category_lines, until, when, purposes })
    }

    /// The profiles of callers outside the workforce become roles of their own; that of own treating staff narrows
    /// what passes for the roles with `treating = true`.
    pub(super) fn profiles(&mut self, names: &Names<'_>, roles: &mut BTreeMap<String, Role>) {
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
            let text = self.files.0.get(file).map_or("", String::as_str);
            let line = text.find(&format!("[{name}]")).map_or(0, |at| line_of(text, at));
            let place = (file, line);
            let timing = self.timing(file, profile.timing.as_ref());
            let role = names.profile_role(&name, place, profile, &withheld_categories, withheld_segments);
            roles.insert(name, Role { timing, ..role });
        }
    }
}

impl Names<'_> {
    fn profile_role(
        &self,
        name: &str,
        (file, line): (&str, usize),
        profile: ProfileToml,
        withheld: &[CategoryId],
        segments: SegmentSet,
    ) -> Role {
        let task = Task { name: "law".to_owned(), label: profile.law.clone(), line };
        let all = (0..self.categories.len()).filter_map(|index| u8::try_from(index).ok()).map(CategoryId);
        let when = self.condition("relationship").map_or(ConditionMask::NONE, |id| ConditionMask::NONE.with(id));
        let categories: Vec<CategoryId> = all.filter(|category| !withheld.contains(category)).collect();
        let permit = Permit {
            line,
            view: View::Full,
            tasks: vec![task.name.clone()],
            category_lines: vec![line; categories.len()],
            categories,
            until: None,
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
            related_by: RelatedBy::default(),
            emergency_access: false,
            passes: true,
            risk_tier: "profile".to_owned(),
            defence: profile.law,
            trap: String::new(),
            tasks: vec![task],
            permits: vec![permit],
            segments: limits.collect(),
            segments_at: format!("{file}:{line}"),
            administrative: false,
            never_pass: segments,
            timing: Timing::Plain,
            is_profile: true,
        }
    }
}
