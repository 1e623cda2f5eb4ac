//! The table against the definitions that `scruple-fhir` keeps: as data, for this crate does not name that one.

use super::*;
use std::collections::BTreeSet;
use std::path::Path as FilePath;

fn definitions(name: &str) -> String {
    let path = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../scruple-fhir/src/dictionary").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// Element to types, by object type.
fn objects(text: &str) -> BTreeMap<&str, BTreeMap<&str, Vec<&str>>> {
    let mut objects: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    let mut current = "";
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.starts_with(" ~")) {
        if let Some(rest) = line.strip_prefix("type ") {
            current = rest.split(' ').next().unwrap();
        } else {
            let words: Vec<&str> = line.trim().splitn(3, ' ').collect();
            objects.entry(current).or_default().insert(words[0], words[2].split('|').collect());
        }
    }
    objects
}

fn bare(declared: &str) -> &str {
    declared.trim_start_matches('#').split('(').next().unwrap()
}

#[test]
fn every_line_parses_once() {
    let mut seen = BTreeSet::new();
    for line in lines() {
        let (resource_type, parameter) = Parameter::parse(line).unwrap_or_else(|| panic!("{line}"));
        assert!(seen.insert((resource_type, parameter.name)), "{line} twice");
        let canonical = parameter.is_canonical();
        let readers: Vec<Reader> =
            parameter.paths.iter().flat_map(|path| &path.leaves).map(|leaf| leaf.reader).collect();
        assert!(!canonical || readers.iter().all(|reader| *reader == Reader::Canonical), "{line} mixes");
    }
    assert_eq!(seen.len(), table().values().map(|all| all.len() - 1).sum::<usize>());
}

#[test]
fn lines_that_are_no_parameter_do_not_parse() {
    for line in [
        "Patient name string",
        "Patient name number name:string",
        "Patient name string name",
        "Patient name string name:Coding",
        "Patient name string name:string(x)",
        "Patient name string name:string|markdown",
        "Patient name string name..x:string",
        "Patient subject reference subject:Reference(Patient",
    ] {
        assert_eq!(Parameter::parse(line), None, "{line}");
    }
}

/// What the table says of a parameter: its kind, and its paths without the types.
#[test]
fn the_table_has_what_the_definitions_have_and_no_more() {
    let text = definitions("search.txt");
    let mut expected = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let [resource_type, name, kind, paths] = words[..] else { panic!("{line}") };
        let known = table().contains_key(resource_type) && Kind::parse(kind).is_some() && paths != "withheld";
        if !known || matches!(name, "phonetic" | "near") {
            continue;
        }
        let contact = matches!(name, "email" | "phone");
        for path in paths.split('|').filter(|path| !contact || path.ends_with(".telecom")) {
            let path = path.split_once('.').unwrap().1.trim_end_matches("[x]");
            expected.insert(format!("{resource_type} {name} {kind} {path}"));
        }
    }
    let mut actual = BTreeSet::new();
    for line in lines() {
        let words: Vec<&str> = line.split(' ').collect();
        for path in &words[3..] {
            let path = path.split(':').next().unwrap().trim_end_matches("[x]");
            actual.insert(format!("{} {} {} {path}", words[0], words[1], words[2]));
        }
    }
    assert_eq!(actual, expected);
}

#[test]
fn every_path_leads_to_an_element_of_its_types() {
    let text = definitions("r4.txt");
    let objects = objects(&text);
    for line in lines() {
        let words: Vec<&str> = line.split(' ').collect();
        for word in &words[3..] {
            let (path, reads) = word.split_once(':').unwrap();
            let steps: Vec<&str> = path.split('.').collect();
            let (last, before) = steps.split_last().unwrap();
            let owner = before.iter().fold(words[0], |owner, step| {
                let types = objects[owner].get(step).unwrap_or_else(|| panic!("{line}: {step}"));
                assert_eq!(types.len(), 1, "{line}: {step}");
                bare(types[0])
            });
            let declared = objects[owner].get(last).unwrap_or_else(|| panic!("{line}: {last}"));
            for read in reads.split('|') {
                let found = declared.iter().find(|declared| bare(declared) == bare(read));
                let found = found.unwrap_or_else(|| panic!("{line}: {read} is none of {declared:?}"));
                let target = read.strip_prefix("Reference(").and_then(|rest| rest.strip_suffix(')'));
                let named = target.is_none_or(|target| {
                    target.to_lowercase() == words[1] && (found.contains(target) || found.contains("(Resource)"))
                });
                assert!(named, "{line}: {read} of {found}");
            }
        }
    }
}

/// A parameter that has the name of a type to which its element may point reads references to that type alone.
#[test]
fn parameters_named_as_a_type_read_that_type() {
    let text = definitions("r4.txt");
    let types: BTreeMap<String, &str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("type ")?.strip_suffix(" resource"))
        .map(|name| (name.to_lowercase(), name))
        .collect();
    for line in lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if let (Some(target), "reference") = (types.get(words[1]), words[2]) {
            for path in &words[3..] {
                assert!(path.ends_with(&format!(":Reference({target})")) || !path.contains("Reference"), "{line}");
            }
        }
    }
}

#[test]
fn a_type_outside_the_table_has_its_id() {
    assert_eq!(of("Nonsense").iter().map(|parameter| parameter.name).collect::<Vec<_>>(), ["_id"]);
    assert_eq!(of("Patient")[0].name, "_id");
}
