//! A draft of a pack in which roles no longer have what they are shown not to need: text in, text out, with the comments of
//! those who wrote it. What cannot be taken out by itself stays, and is told.

use crate::model::{Pack, Role};
use crate::read::read;
use crate::source::PackFiles;
use scruple_core::CategoryId;
use std::collections::{BTreeMap, BTreeSet};

/// A draft, and what it takes out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trimmed {
    /// The texts of the draft.
    pub files: PackFiles,
    /// Roles and the categories that they lose.
    pub taken: BTreeMap<String, BTreeSet<String>>,
    /// Roles of which nothing could be taken out, and why.
    pub left: BTreeMap<String, String>,
}

/// Takes categories out of roles. A role of which it cannot be done, or which would not be readable then, stays as it is.
#[must_use]
pub fn trim(files: &PackFiles, pack: &Pack, take: &BTreeMap<String, BTreeSet<String>>) -> Trimmed {
    let mut draft = Trimmed { files: files.clone(), taken: BTreeMap::new(), left: BTreeMap::new() };
    for (name, categories) in take.iter().filter(|(_, categories)| !categories.is_empty()) {
        match without(&draft.files, pack, name, categories) {
            Ok(text) => {
                let file = pack.roles.get(name).map_or_else(String::new, |role| role.file.clone());
                let before = draft.files.0.insert(file.clone(), text);
                match read(&draft.files) {
                    Ok(_) => {
                        draft.taken.insert(name.clone(), categories.clone());
                    }
                    Err(problems) => {
                        let why = problems.first().map_or_else(String::new, ToString::to_string);
                        draft.left.insert(name.clone(), why);
                        if let Some(before) = before {
                            draft.files.0.insert(file, before);
                        }
                    }
                }
            }
            Err(why) => {
                draft.left.insert(name.clone(), why);
            }
        }
    }
    draft
}

/// The text of a role without categories.
fn without(files: &PackFiles, pack: &Pack, name: &str, take: &BTreeSet<String>) -> Result<String, String> {
    let role = pack.roles.get(name).filter(|role| !role.is_profile).ok_or("it is no role of the workforce")?;
    let text = files.0.get(&role.file).ok_or("its file is missing")?;
    let take: BTreeSet<CategoryId> = take.iter().filter_map(|category| pack.category(category)).collect();
    if role.permits.iter().any(|permit| permit.until.is_some()) {
        return Err("a permit of every kind by exception has no categories to take out".to_owned());
    }
    let mut lines: Vec<Option<String>> = text.lines().map(|line| Some(line.to_owned())).collect();
    for permit in &role.permits {
        if permit.categories.iter().all(|category| take.contains(category)) {
            whole(role, &mut lines, permit.line)?;
            continue;
        }
        for (category, line) in permit.categories.iter().zip(&permit.category_lines) {
            if take.contains(category) {
                one(&mut lines, *line, pack.category_name(*category))?;
            }
        }
    }
    let kept: Vec<String> = lines.into_iter().flatten().collect();
    Ok(format!("{}\n", kept.join("\n").trim_end()))
}

/// Takes a permit out: from its heading to the next heading; the comment that leads to the next one stays.
fn whole(role: &Role, lines: &mut [Option<String>], line: usize) -> Result<(), String> {
    let is_heading = |line: &Option<String>| line.as_deref().is_some_and(|line| line.trim_start().starts_with('['));
    let is_permit = |line: &Option<String>| line.as_deref().is_some_and(|line| line.trim() == "[[permit]]");
    let above = lines.iter().take(line).rposition(is_permit);
    let start = above.ok_or_else(|| format!("{}:{line}: the permit does not begin with [[permit]]", role.file))?;
    let end = lines.iter().skip(start + 1).position(is_heading).map_or(lines.len(), |next| start + 1 + next);
    let is_lead =
        |line: &Option<String>| line.as_deref().is_some_and(|line| line.trim().is_empty() || line.starts_with('#'));
    let lead = lines.get(start..end).unwrap_or_default().iter().rev().take_while(|line| is_lead(line)).count();
    let own =
        lines.iter().take(start).rev().take_while(|line| line.as_deref().is_some_and(|line| line.starts_with('#')));
    let own = own.count();
    for line in lines.iter_mut().take(end - lead).skip(start - own) {
        *line = None;
    }
    Ok(())
}

/// Takes one category out of its line.
fn one(lines: &mut [Option<String>], number: usize, category: &str) -> Result<(), String> {
    let quoted = format!("\"{category}\"");
    let slot = number.checked_sub(1).and_then(|index| lines.get_mut(index));
    let line = slot.and_then(|slot| slot.as_mut()).ok_or_else(|| format!("line {number} is not there"))?;
    let forms = [format!("{quoted}, "), format!(", {quoted}"), format!("{quoted},"), quoted.clone()];
    let form = forms.iter().find(|form| line.contains(form.as_str()));
    let form = form.ok_or_else(|| format!("`{category}` does not stand in line {number} as it was read"))?;
    *line = line.replacen(form.as_str(), "", 1).trim_end().to_owned();
    Ok(())
}
