//! A store of raw resources, as an upstream holds them, and edits of it.

use super::oracle::Sees;
use serde_json::Value;
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

    /// `meta.lastUpdated`, or nothing.
    #[must_use]
    pub fn last_updated(&self) -> &str {
        self.value.pointer("/meta/lastUpdated").and_then(Value::as_str).unwrap_or_default()
    }
}

/// Raw resources in the order in which they came. No type and id stands twice.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Store {
    resources: Vec<Arc<Stored>>,
}

impl Store {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self { resources: Vec::new() }
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

    /// Takes a resource away.
    pub fn remove(&mut self, resource_type: &str, id: &str) {
        self.resources.retain(|stored| !stored.is(resource_type, id));
    }

    /// Applies an edit. One that names what is not there does nothing.
    pub fn apply(&mut self, edit: &Edit) {
        match edit {
            Edit::Put(stored) => self.put(Arc::clone(stored)),
            Edit::Remove(resource_type, id) => self.remove(resource_type, id),
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
    /// The resource of this type and id is gone.
    Remove(String, String),
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
