//! A store of raw resources, as an upstream holds them, with their past, and edits of it.

use super::oracle::Sees;
use scruple_core::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One raw resource.
#[derive(Clone, PartialEq, Debug)]
pub struct Stored {
    /// Its type.
    pub resource_type: String,
    /// Its id.
    pub id: String,
    /// The resource.
    pub value: Value,
    /// The same as bytes.
    pub bytes: Vec<u8>,
}

impl Stored {
    /// Of a resource with a type and an id.
    #[must_use]
    pub fn new(mut value: Value) -> Option<Self> {
        plain_numbers(&mut value);
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let (resource_type, id) = (text("resourceType")?, text("id")?);
        let bytes = value.to_string().into_bytes();
        Some(Self { resource_type, id, value, bytes })
    }

    /// Whether it is this one.
    #[must_use]
    pub fn is(&self, resource_type: &str, id: &str) -> bool {
        self.resource_type == resource_type && self.id == id
    }

    /// `meta.versionId`.
    #[must_use]
    pub fn version_id(&self) -> Option<&str> {
        self.value.pointer("/meta/versionId").and_then(Value::as_str)
    }

    /// `meta.lastUpdated`, or nothing.
    #[must_use]
    pub fn last_updated(&self) -> &str {
        self.value.pointer("/meta/lastUpdated").and_then(Value::as_str).unwrap_or_default()
    }
}

/// A version of a raw resource.
#[derive(Clone, PartialEq, Debug)]
pub enum Version {
    /// It stood like this.
    Stored(Arc<Stored>),
    /// It was deleted.
    Deleted {
        /// The version that the deletion is.
        version: String,
        /// When.
        at: Timestamp,
    },
}

impl Version {
    /// Its `meta.versionId`, or that of the deletion.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Stored(stored) => stored.version_id(),
            Self::Deleted { version, .. } => Some(version),
        }
    }
}

/// Raw resources in the order in which they came. No type and id stands twice. What it says of resources is of the current
/// ones, save where it says versions or past.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Store {
    resources: Vec<Arc<Stored>>,
    /// By type and id: what came before the current one, oldest first.
    past: BTreeMap<(String, String), Vec<Version>>,
}

impl Store {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self { resources: Vec::new(), past: BTreeMap::new() }
    }

    /// The resources in their order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Stored>> + ExactSizeIterator {
        self.resources.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.resources.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// The resource of that type and id.
    #[must_use]
    pub fn get(&self, resource_type: &str, id: &str) -> Option<&Arc<Stored>> {
        self.resources.iter().find(|stored| stored.is(resource_type, id))
    }

    /// The resource at a place of the order.
    #[must_use]
    pub fn at(&self, place: usize) -> Option<&Arc<Stored>> {
        self.resources.get(place)
    }

    /// Puts a resource: in the place of the one with its type and id, or behind all.
    pub fn put(&mut self, stored: Arc<Stored>) {
        match self.resources.iter_mut().find(|old| old.is(&stored.resource_type, &stored.id)) {
            Some(old) => *old = stored,
            None => self.resources.push(stored),
        }
    }

    /// Takes a resource away, and its past with it, as if it had never been.
    pub fn remove(&mut self, resource_type: &str, id: &str) {
        self.resources.retain(|stored| !stored.is(resource_type, id));
        self.past.remove(&key(resource_type, id));
    }

    /// Sets what came before the current resource of this type and id, oldest first. Where none is current the last of them is
    /// a deletion; what follows that is nothing.
    pub fn set_past(&mut self, resource_type: &str, id: &str, past: Vec<Version>) {
        if past.is_empty() {
            self.past.remove(&key(resource_type, id));
        } else {
            self.past.insert(key(resource_type, id), past);
        }
    }

    /// Puts a resource, and the one in whose place it comes to its past.
    pub fn revise(&mut self, stored: Arc<Stored>) {
        if let Some(old) = self.get(&stored.resource_type, &stored.id).map(Arc::clone) {
            let past = self.past.entry(key(&stored.resource_type, &stored.id)).or_default();
            past.push(Version::Stored(old));
        }
        self.put(stored);
    }

    /// Deletes a resource that is there: it becomes past, and so does its deletion.
    pub fn delete(&mut self, resource_type: &str, id: &str, version: &str, at: Timestamp) {
        let Some(place) = self.resources.iter().position(|stored| stored.is(resource_type, id)) else { return };
        let old = self.resources.remove(place);
        let past = self.past.entry(key(resource_type, id)).or_default();
        past.extend([Version::Stored(old), Version::Deleted { version: version.to_owned(), at }]);
    }

    /// All versions of a resource, oldest first; the current one, or a deletion, is the last. A version id stands once, where it
    /// came last, and what is past and has none is no version. Nothing: there never was one.
    #[must_use]
    pub fn versions(&self, resource_type: &str, id: &str) -> Vec<Version> {
        let past = self.past.get(&key(resource_type, id)).map_or(&[][..], Vec::as_slice);
        let now = self.get(resource_type, id).map(|stored| Version::Stored(Arc::clone(stored)));
        let all: Vec<Version> = match now {
            Some(now) => past.iter().cloned().chain([now]).collect(),
            None => {
                let deleted = past.iter().rposition(|version| matches!(version, Version::Deleted { .. }));
                past.iter().take(deleted.map_or(0, |place| place + 1)).cloned().collect()
            }
        };
        let stands = |(place, version): &(usize, &Version)| {
            let is_last = place + 1 == all.len();
            let comes_again = all.iter().skip(place + 1).any(|later| later.id() == version.id());
            is_last || version.id().is_some() && !comes_again
        };
        all.iter().enumerate().filter(stands).map(|(_, version)| version.clone()).collect()
    }

    /// Type and id of the resources that were deleted and are not there again.
    pub fn deleted(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.past.keys().map(|(resource_type, id)| (resource_type.as_str(), id.as_str()));
        all.filter(|(resource_type, id)| {
            self.get(resource_type, id).is_none() && !self.versions(resource_type, id).is_empty()
        })
    }

    /// What came before the current resources, by type and id, as it was set.
    pub fn past(&self) -> impl Iterator<Item = (&str, &str, &[Version])> {
        self.past.iter().map(|((resource_type, id), past)| (resource_type.as_str(), id.as_str(), past.as_slice()))
    }

    /// Applies an edit. One that names what is not there does nothing.
    pub fn apply(&mut self, edit: &Edit) {
        match edit {
            Edit::Put(stored) => self.put(Arc::clone(stored)),
            Edit::Remove(resource_type, id) => self.remove(resource_type, id),
            Edit::Past(resource_type, id, past) => self.set_past(resource_type, id, past.clone()),
            Edit::Move(resource_type, id, to) => {
                if let Some(from) = self.resources.iter().position(|stored| stored.is(resource_type, id)) {
                    let stored = self.resources.remove(from);
                    self.resources.insert((*to).min(self.resources.len()), stored);
                }
            }
        }
    }

    /// The store after all edits of these mutations.
    #[must_use]
    pub fn after(&self, mutations: &[Mutation]) -> Self {
        let mut store = self.clone();
        mutations.iter().flat_map(|mutation| &mutation.edits).for_each(|edit| store.apply(edit));
        store
    }
}

fn key(resource_type: &str, id: &str) -> (String, String) {
    (resource_type.to_owned(), id.to_owned())
}

impl Sees for Store {
    fn of_type<'a>(&'a self, resource_type: &str) -> Vec<&'a Value> {
        let of_type = self.resources.iter().filter(|stored| stored.resource_type == resource_type);
        of_type.map(|stored| &stored.value).collect()
    }

    fn find<'a>(&'a self, resource_type: &str, id: &str) -> Option<&'a Value> {
        self.get(resource_type, id).map(|stored| &stored.value)
    }
}

impl FromIterator<Stored> for Store {
    fn from_iter<I: IntoIterator<Item = Stored>>(stored: I) -> Self {
        let mut store = Self::new();
        stored.into_iter().for_each(|stored| store.put(Arc::new(stored)));
        store
    }
}

/// One change of a store.
#[derive(Clone, PartialEq, Debug)]
pub enum Edit {
    /// This resource stands there now.
    Put(Arc<Stored>),
    /// The resource of this type and id is gone, and its past with it.
    Remove(String, String),
    /// This is the past of the resource of this type and id, oldest first ([`Store::set_past`]). A deletion is a
    /// [`Self::Remove`] and a past that ends with [`Version::Deleted`].
    Past(String, String, Vec<Version>),
    /// It stands at this place of the order now.
    Move(String, String, usize),
}

/// Edits that go together, and what they are.
#[derive(Clone, PartialEq, Debug)]
pub struct Mutation {
    /// What was changed, in words.
    pub what: &'static str,
    /// The edits.
    pub edits: Vec<Edit>,
}

/// Whole numbers without a fraction: servers print numbers anew, and which of `185.0` and `185` comes back is no matter of
/// what a caller sees. That decimals stay as written is shown elsewhere.
fn plain_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(whole) = number.as_f64().filter(|whole| whole.fract() == 0.0 && whole.abs() < 1e15) {
                let whole = whole as i64;
                *number = whole.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(plain_numbers),
        Value::Object(members) => members.values_mut().for_each(plain_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn stored(version: Option<&str>, gender: &str) -> Arc<Stored> {
        let meta = version.map_or_else(|| json!({}), |version| json!({ "versionId": version }));
        let value = json!({ "resourceType": "Patient", "id": "p", "meta": meta, "gender": gender });
        Arc::new(Stored::new(value).unwrap())
    }

    fn deleted(version: &str) -> Version {
        Version::Deleted { version: version.to_owned(), at: Timestamp::from_micros(0) }
    }

    /// Ids of versions; `-` where there is none, and `!` behind deletions.
    fn ids(store: &Store) -> Vec<String> {
        let mark = |version: &Version| if matches!(version, Version::Deleted { .. }) { "!" } else { "" };
        let versions = store.versions("Patient", "p");
        versions.iter().map(|version| format!("{}{}", version.id().unwrap_or("-"), mark(version))).collect()
    }

    #[test]
    fn revisions_and_deletions_are_its_versions() {
        let mut store = Store::new();
        assert_eq!(ids(&store), Vec::<String>::new());
        store.delete("Patient", "p", "1", Timestamp::from_micros(0));
        assert_eq!(store, Store::new(), "what is not there is not deleted");
        store.revise(stored(Some("1"), "male"));
        store.revise(stored(Some("2"), "other"));
        assert_eq!((ids(&store), store.len()), (vec!["1".to_owned(), "2".to_owned()], 1));
        store.delete("Patient", "p", "3", Timestamp::from_micros(0));
        assert_eq!((ids(&store), store.len()), (["1", "2", "3!"].map(str::to_owned).to_vec(), 0));
        assert_eq!(store.deleted().collect::<Vec<_>>(), [("Patient", "p")]);
        store.revise(stored(Some("4"), "female"));
        assert_eq!(ids(&store), ["1", "2", "3!", "4"]);
        assert_eq!(store.deleted().count(), 0);
        store.remove("Patient", "p");
        assert_eq!(store, Store::new());
    }

    #[test]
    fn a_version_stands_once_and_has_an_id() {
        let past = |versions: &[Version], now: Option<Arc<Stored>>| {
            let edits = [Some(Edit::Past("Patient".to_owned(), "p".to_owned(), versions.to_vec())), now.map(Edit::Put)];
            ids(&Store::new().after(&[Mutation { what: "past", edits: edits.into_iter().flatten().collect() }]))
        };
        let of = |version: Option<&str>| Version::Stored(stored(version, "male"));
        assert_eq!(past(&[of(Some("1")), of(None), of(Some("2"))], Some(stored(Some("1"), "male"))), ["2", "1"]);
        assert_eq!(past(&[of(Some("1"))], Some(stored(None, "male"))), ["1", "-"]);
        assert_eq!(past(&[of(Some("1")), deleted("2"), of(Some("3"))], None), ["1", "2!"], "it ends with its deletion");
        assert_eq!(past(&[of(Some("1"))], None), Vec::<String>::new());
    }
}
