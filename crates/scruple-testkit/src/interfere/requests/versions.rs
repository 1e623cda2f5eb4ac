//! Histories and versions: of what shows, of what does not, of what was deleted, and of what never was.

use super::{Asker, Step};
use crate::interfere::store::{Edit, Store};
use crate::interfere::wire::Request;
use crate::tree::Numbers;

impl Asker<'_> {
    pub(super) fn of_versions(&self, numbers: &mut Numbers) -> Vec<Step> {
        let Some((kind, id)) = self.with_versions(numbers) else { return Vec::new() };
        let history = Request::get(format!("{}/{kind}/{id}/_history", self.root));
        let request = if numbers.chance(400) {
            history
        } else {
            let version = self.version_id(kind, id, numbers);
            Request::get(format!("{}/{version}", history.path))
        };
        let request = match numbers.below(40) {
            0 | 1 => request.with_query("_format=json"),
            2 => request.with_query("_count=1"),
            3 => request.with_query("_since=2025-01-01"),
            4 => request.with_header("If-None-Match", "*"),
            _ => request,
        };
        vec![Step::Ask(request)]
    }

    /// Type and id of a resource, mostly of one with a past; half of the time of one that a mutation touched.
    fn with_versions(&self, numbers: &mut Numbers) -> Option<(&str, &str)> {
        if numbers.chance(400)
            && let Some(touched) = self.of_a_changed_past(numbers)
        {
            return Some(touched);
        }
        if numbers.chance(500) {
            let known: Vec<_> = self.either(numbers).past().map(|(kind, id, _)| (kind, id)).collect();
            if let Some(found) = numbers.one_of(&known) {
                return Some(*found);
            }
        }
        let stored = self.subject(numbers)?;
        Some((&stored.resource_type, &stored.id))
    }

    fn of_a_changed_past(&self, numbers: &mut Numbers) -> Option<(&str, &str)> {
        let edits = self.pair.mutations.iter().flat_map(|mutation| &mutation.edits);
        let pasts = edits.filter_map(|edit| match edit {
            Edit::Past(kind, id, _) => Some((kind.as_str(), id.as_str())),
            Edit::Put(_) | Edit::Remove(..) | Edit::Move(..) => None,
        });
        numbers.one_of(&pasts.collect::<Vec<_>>()).copied()
    }

    /// The id of a version, in either store; or one that is in neither.
    fn version_id(&self, kind: &str, id: &str, numbers: &mut Numbers) -> String {
        let of = |store: &Store| store.versions(kind, id);
        let all: Vec<_> = of(&self.pair.a).into_iter().chain(of(&self.pair.b)).collect();
        let known: Vec<&str> = all.iter().filter_map(|version| version.id()).collect();
        match numbers.below(10) {
            0 => (1 + numbers.below(9)).to_string(),
            1 => numbers.one_of(&["0", "x", "a_b", "..", "%31", "2000", "1,2"]).copied().unwrap_or("0").to_owned(),
            _ => numbers.one_of(&known).copied().unwrap_or("1").to_owned(),
        }
    }
}
