//! Versions (`docs/view.md`, 5): of what shows now, and shows with its changes.

use super::{Look, Sight, Told, View, links};
use crate::interfere::store::{Stored, Version};
use crate::slow::json::{Value, parse};
use std::collections::BTreeMap;

/// What shows of a version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShownVersion {
    /// The `meta.versionId` of the raw version, by which it is asked for.
    pub id: Option<String>,
    /// What shows of it.
    pub bytes: Vec<u8>,
}

/// By type and id of what shows: the versions that show, newest first, each as a read of it gives it.
pub type Past = BTreeMap<(String, String), Vec<ShownVersion>>;

impl Sight {
    /// Whether times of change show under the table.
    fn sees_changes(&self, is_near: bool) -> bool {
        match &self.far {
            Some((far, _)) if !is_near => far.sees_changes,
            _ => self.near.sees_changes,
        }
    }
}

impl Look<'_, '_> {
    /// The versions of all that a view holds.
    ///
    /// Reading: the caller has to see times of change by the table under which the current resource shows.
    pub fn past(&mut self, view: &View) -> Past {
        let named = view.iter().map(|(resource_type, id, _)| (resource_type, id));
        named.filter_map(|own| Some(((own.0.clone(), own.1.clone()), self.versions(own.0, own.1)?))).collect()
    }

    fn versions(&mut self, resource_type: &str, id: &str) -> Option<Vec<ShownVersion>> {
        let current = self.store.get(resource_type, id)?;
        let told = self.told.get(&(resource_type, id)).copied()?;
        if !self.sight.sees_changes(told.is_near) {
            return None;
        }
        let told = Told { inherited: told.inherited.union(self.hand.labels(current)), ..told };
        let all = self.store.versions(resource_type, id);
        Some(all.iter().rev().filter_map(|version| self.version(version, told)).collect())
    }

    /// What shows of a version beside what is told of the current resource. A deletion is nothing that shows.
    fn version(&mut self, version: &Version, current: Told) -> Option<ShownVersion> {
        let Version::Stored(stored) = version else { return None };
        let told = self.told_beside(stored, current);
        let mut bytes = Vec::new();
        self.hand.project(stored, told, &mut bytes).ok()?;
        let bytes = links::linked(&stored.resource_type, &stored.id, &bytes)?;
        Some(ShownVersion { id: version.id().map(str::to_owned), bytes })
    }

    fn told_beside(&self, stored: &Stored, current: Told) -> Told {
        Told {
            is_near: current.is_near && self.sight.is_near(stored, self.related),
            inherited: current.inherited.union(self.labels.inherited(stored)),
        }
    }
}

/// What a history lists of versions that show, newest first: one that says what the next older one says is left out.
#[must_use]
pub fn history(versions: &[ShownVersion]) -> Vec<&ShownVersion> {
    let older = versions.iter().skip(1).map(Some).chain([None]);
    let differs =
        |newer: &ShownVersion, older: Option<&ShownVersion>| older.is_none_or(|older| said(newer) != said(older));
    versions.iter().zip(older).filter(|(newer, older)| differs(newer, *older)).map(|(newer, _)| newer).collect()
}

/// All that a version says but its `meta`, as it is written.
fn said(version: &ShownVersion) -> Option<String> {
    let Value::Object(mut members) = parse(&version.bytes).ok()? else { return None };
    members.retain(|member| member.key != "meta");
    Some(Value::Object(members).print())
}

#[cfg(test)]
mod tests;
