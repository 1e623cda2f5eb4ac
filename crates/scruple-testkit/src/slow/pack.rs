//! The policy pack as the slow projector reads it: tables of text, looked up one line after the other.
//!
//! It does not check a pack; that is `scruple-policy`'s. A file that is missing is an empty table, so that nothing shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The pack as text.
#[derive(Clone, Debug, Default)]
pub struct SlowPack {
    /// Category and whether its codes can put a segment on a resource.
    pub categories: BTreeMap<String, bool>,
    /// Path and category of `elements.csv`.
    pub elements: BTreeMap<String, String>,
    /// `discriminators.csv`.
    pub discriminators: Vec<Discriminator>,
    /// `extensions.csv`.
    pub extensions: Vec<KnownExtension>,
    /// `groups.csv`: type and elements.
    pub groups: Vec<(String, Vec<String>)>,
    /// Mask and selector to function.
    pub masks: BTreeMap<(String, String), String>,
    /// Name of a list to system and code.
    pub lists: BTreeMap<String, BTreeSet<(String, String)>>,
    /// `segments.csv`.
    pub segments: Vec<String>,
    /// The codes of each segment that has a file.
    pub segment_codes: BTreeMap<String, Vec<SegmentCode>>,
    /// System and code to a segment, `none` or `unclassified`.
    pub security_labels: BTreeMap<(String, String), Vec<String>>,
    /// Kind, value and segment of `sources.csv`.
    pub sources: Vec<(String, String, String)>,
    /// System (or `system/*`) to form.
    pub code_systems: BTreeMap<String, String>,
    /// Categories that a `coded` limit leaves coded.
    pub coded_categories: BTreeSet<String>,
    /// Categories that are nobody's PHI.
    pub not_phi: BTreeSet<String>,
}

/// A line of `discriminators.csv`.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns")]
pub struct Discriminator {
    pub element: String,
    pub system: String,
    pub code: String,
    pub category: String,
}

/// A line of `extensions.csv`.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns")]
pub struct KnownExtension {
    pub url: String,
    pub on: String,
    pub category: String,
}

/// A line of a file in `segments/`.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns")]
pub struct SegmentCode {
    pub system: String,
    pub code: String,
    pub prefix: bool,
}

/// Why a pack was not read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say it")]
pub enum PackFault {
    #[error("could not read `{file}`")]
    Read { file: String, source: std::io::Error },
    #[error("`{file}` has no column `{column}`")]
    Column { file: String, column: &'static str },
    #[error("`{file}` has a quote that does not end")]
    Quote { file: String },
}

/// A table with a header.
struct Table {
    file: String,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl SlowPack {
    /// Reads a pack's folder.
    ///
    /// # Errors
    /// A file that cannot be read or lacks a column.
    pub fn load(folder: &Path) -> Result<Self, PackFault> {
        let mut pack = Self::default();
        for row in table(&folder.join("categories.csv"))?.columns(["category", "segments"])? {
            let [category, segments] = row;
            pack.categories.insert(category, segments == "yes");
        }
        for [path, category] in table(&folder.join("elements.csv"))?.columns(["path", "category"])? {
            pack.elements.insert(path, category);
        }
        for [element, system, code, category] in
            table(&folder.join("discriminators.csv"))?.columns(["element", "system", "code", "category"])?
        {
            pack.discriminators.push(Discriminator { element, system, code, category });
        }
        for [url, on, category] in table(&folder.join("extensions.csv"))?.columns(["url", "on", "category"])? {
            pack.extensions.push(KnownExtension { url, on, category });
        }
        for [on, elements] in table(&folder.join("groups.csv"))?.columns(["type", "elements"])? {
            pack.groups.push((on, elements.split(';').map(|name| name.trim().to_owned()).collect()));
        }
        for [mask, selector, function] in table(&folder.join("masks.csv"))?.columns(["mask", "selector", "function"])? {
            pack.masks.insert((mask, selector), function);
        }
        for (name, list) in tables(&folder.join("lists"))? {
            pack.lists.insert(
                name,
                list.columns(["system", "code"])?.into_iter().map(|[system, code]| (system, code)).collect(),
            );
        }
        for [segment] in table(&folder.join("segments.csv"))?.columns(["segment"])? {
            pack.segments.push(segment);
        }
        for (name, codes) in tables(&folder.join("segments"))? {
            let rows = codes.columns(["system", "code", "match"])?.into_iter();
            let codes = rows.map(|[system, code, how]| SegmentCode { system, code, prefix: how == "prefix" });
            pack.segment_codes.insert(name, codes.collect());
        }
        for [system, code, meaning] in
            table(&folder.join("security-labels.csv"))?.columns(["system", "code", "meaning"])?
        {
            pack.security_labels.entry((system, code)).or_default().push(meaning);
        }
        for [kind, value, segment] in table(&folder.join("sources.csv"))?.columns(["kind", "value", "segment"])? {
            pack.sources.push((kind, value, segment));
        }
        for [system, form] in table(&folder.join("code-systems.csv"))?.columns(["system", "form"])? {
            pack.code_systems.insert(system, form);
        }
        pack.not_phi = strings_of(&text(&folder.join("pack.toml"))?, "not_phi");
        pack.coded_categories = strings_of(&text(&folder.join("pack.toml"))?, "coded_categories");
        Ok(pack)
    }

    /// Every segment: those of the table and those with a file.
    pub fn all_segments(&self) -> impl Iterator<Item = &String> {
        self.segments.iter().chain(self.segment_codes.keys().filter(|name| !self.segments.contains(name)))
    }
}

fn text(path: &Path) -> Result<String, PackFault> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(source) => Err(PackFault::Read { file: path.display().to_string(), source }),
    }
}

fn tables(folder: &Path) -> Result<Vec<(String, Table)>, PackFault> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|source| PackFault::Read { file: folder.display().to_string(), source })?.path();
        if path.extension().is_some_and(|extension| extension == "csv") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            found.push((name, table(&path)?));
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(found)
}

fn table(path: &Path) -> Result<Table, PackFault> {
    let file = path.display().to_string();
    let mut records = records(&text(path)?).ok_or_else(|| PackFault::Quote { file: file.clone() })?;
    let header = if records.is_empty() { Vec::new() } else { records.remove(0) };
    Ok(Table { file, header, rows: records })
}

impl Table {
    fn columns<const N: usize>(&self, names: [&'static str; N]) -> Result<Vec<[String; N]>, PackFault> {
        if self.header.is_empty() {
            return Ok(Vec::new());
        }
        let mut places = [0; N];
        for (place, column) in places.iter_mut().zip(names) {
            *place = self
                .header
                .iter()
                .position(|name| name == column)
                .ok_or_else(|| PackFault::Column { file: self.file.clone(), column })?;
        }
        Ok(self.rows.iter().map(|row| places.map(|place| row.get(place).cloned().unwrap_or_default())).collect())
    }
}

/// The records of a CSV text, without comments and empty lines; `None` where a quote does not end.
fn records(text: &str) -> Option<Vec<Vec<String>>> {
    let mut records = Vec::new();
    let mut letters = text.chars().peekable();
    while letters.peek().is_some() {
        let comment = letters.peek() == Some(&'#');
        let mut record = vec![String::new()];
        let mut quoted = false;
        loop {
            match letters.next() {
                None if quoted && !comment => return None,
                None => break,
                Some('\n') if !quoted => break,
                Some('\r') if !quoted => {}
                Some('"') if !comment => {
                    if quoted && letters.peek() == Some(&'"') {
                        letters.next();
                        record.last_mut()?.push('"');
                    } else {
                        quoted = !quoted;
                    }
                }
                Some(',') if !quoted => record.push(String::new()),
                Some(letter) => record.last_mut()?.push(letter),
            }
        }
        if !comment && record.iter().any(|field| !field.trim().is_empty()) {
            records.push(record.into_iter().map(|field| field.trim().to_owned()).collect());
        }
    }
    Some(records)
}

/// The strings of `key = ["...", ...]`, over as many lines as it takes.
fn strings_of(toml: &str, key: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut inside = false;
    for line in toml.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if !inside {
            let Some((name, value)) = line.split_once('=') else { continue };
            if name.trim() != key {
                continue;
            }
            inside = true;
            found.extend(value.split('"').skip(1).step_by(2).map(str::to_owned));
        } else {
            found.extend(line.split('"').skip(1).step_by(2).map(str::to_owned));
        }
        if line.ends_with(']') {
            return found;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_has_quotes_and_comments() {
        let read = records("a,b\n# c,\"d\n\"x,\"\"y\"\"\",2\r\n\n\"two\nlines\",3").unwrap_or_default();
        assert_eq!(read, [["a", "b"], ["x,\"y\"", "2"], ["two\nlines", "3"]]);
        assert!(records("\"a").is_none());
    }

    #[test]
    fn toml_lists_of_strings() {
        let toml = "name = \"x\"\ncoded_categories = [ # why\n  \"a\", \"b\",\n  \"c\",\n]\nother = [\"d\"]\n";
        assert_eq!(strings_of(toml, "coded_categories").into_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(strings_of("coded_categories = [\"z\"]\nx = [\"d\"]", "coded_categories").len(), 1);
    }
}
