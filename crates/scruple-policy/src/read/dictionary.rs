//! What the pack says about the dictionary: masks, elements, discriminators, extensions, groups, codes, sources.

use super::{Names, Reader, is_name};
use crate::source::{Row, Table};
use scruple_core::SegmentSet;
use scruple_fhir::{Annotation, Discriminator, Form, KnownExtension, Mask, MaskFunction, Place, dictionary};
use std::collections::{BTreeSet, HashMap};

impl Reader<'_> {
    pub(super) fn masks(&mut self) -> (Vec<Mask>, Vec<BTreeSet<(String, String)>>) {
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
                if !is_name(name, false) {
                    let advice = "lower case letters, digits and underscores, a letter first";
                    self.problems.push(table.problem(row.line, format!("`{name}` is no name of a mask"), advice));
                }
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

    pub(super) fn place(&mut self, table: &Table, row: &Row, field: usize, names: &Names<'_>) -> Option<Place> {
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

    pub(super) fn elements(&mut self, names: &Names<'_>, annotation: &mut Annotation) {
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

    pub(super) fn discriminators(&mut self, names: &Names<'_>, annotation: &mut Annotation) {
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

    pub(super) fn extensions(&mut self, names: &Names<'_>, annotation: &mut Annotation) {
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

    pub(super) fn groups(&mut self, annotation: &mut Annotation) {
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

    pub(super) fn codes(&mut self, names: &Names<'_>, annotation: &mut Annotation) {
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

    pub(super) fn sources(&mut self, names: &Names<'_>, annotation: &mut Annotation) {
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
    } else if let Some(name) = selector.strip_prefix("*.") {
        let named = dictionary().types().iter().filter_map(|object| object.element(name));
        let types: Vec<&str> = named.flat_map(|element| element.type_names.iter().copied()).collect();
        if types.is_empty() && function != MaskFunction::Withhold {
            return Some("FHIR R4 has no element of that name");
        }
        types
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
