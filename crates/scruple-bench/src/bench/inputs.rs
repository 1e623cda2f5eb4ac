//! What the projection is measured on: public synthetic data where it is there, else the synthetic hospital.

use crate::json::Node;
use crate::workspace;
use anyhow::{Context as _, Result};
use scruple_core::Timestamp;
use scruple_hospital::{Hospital, Options};
use std::path::PathBuf;

/// Public synthetic data beside the workspace.
const SYNTHEA: &str = "../shared/data/fhir/synthea-hiv-small";

/// The two inputs, of the same resources.
pub struct Inputs {
    /// Where they come from, in words.
    pub source: String,
    /// Bundles, pretty as Synthea prints them.
    pub bundles: Vec<Vec<u8>>,
    /// Resources, minified, a line each.
    pub lines: Vec<Vec<u8>>,
}

impl Inputs {
    /// Reads or makes them, about so many bytes of Bundles.
    ///
    /// # Errors
    /// A file cannot be read, or is no Bundle.
    pub fn load(megabytes: usize) -> Result<Self> {
        let folder = workspace::root().join(SYNTHEA);
        let found = if folder.is_dir() { Some(synthea(&folder, megabytes)?) } else { None };
        let (source, bundles) = match found {
            Some(bundles) => ("Synthea, 14 patients (public synthetic data)".to_owned(), bundles),
            None => ("the synthetic hospital of scruple-hospital, seed 1".to_owned(), hospital(megabytes)?),
        };
        let mut lines = Vec::new();
        for bundle in &bundles {
            let tree = std::str::from_utf8(bundle).ok().and_then(Node::parse).context("an input is not JSON")?;
            let entries = member(&tree, "entry").context("an input is no Bundle")?;
            let Node::Array(entries) = entries else { continue };
            lines.extend(entries.iter().filter_map(|entry| member(entry, "resource")).map(|r| r.print().into_bytes()));
        }
        Ok(Self { source, bundles, lines })
    }
}

fn member<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    let Node::Object(members) = node else { return None };
    members.iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

fn synthea(folder: &std::path::Path, megabytes: usize) -> Result<Vec<Vec<u8>>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let mut bundles = Vec::new();
    let mut bytes = 0;
    for path in paths {
        let bundle = std::fs::read(&path).context("an input cannot be read")?;
        bytes += bundle.len();
        bundles.push(bundle);
        if bytes >= megabytes << 20 {
            break;
        }
    }
    Ok(bundles)
}

fn hospital(megabytes: usize) -> Result<Vec<Vec<u8>>> {
    let as_of = Timestamp::from_micros(1_772_352_000_000_000);
    let hospital = Hospital::generate(&Options { patients: usize::MAX, seed: 1, as_of, canary: false });
    let mut bundles = Vec::new();
    let mut bytes = 0;
    for index in 0.. {
        let mut text = String::from(r#"{"resourceType":"Bundle","type":"transaction","entry":["#);
        for (place, resource) in hospital.record(index).resources.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            let url = format!("{}/{}", resource.kind(), resource.id());
            text += &format!(r#"{comma}{{"fullUrl":"https://hospital.example/fhir/{url}","resource":"#);
            text += &String::from_utf8(resource.to_json()).context("a record is not UTF-8")?;
            text += &format!(r#","request":{{"method":"PUT","url":"{url}"}}}}"#);
        }
        text += "]}";
        let bundle = Node::parse(&text).context("a record is not JSON")?.pretty().into_bytes();
        bytes += bundle.len();
        bundles.push(bundle);
        if bytes >= megabytes << 20 {
            break;
        }
    }
    Ok(bundles)
}
