//! A generated resource and its two forms: bytes, and a `serde_json` value for tests and tools.

use crate::json::Json;

/// A FHIR R4 resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    kind: &'static str,
    id: String,
    fields: Vec<(&'static str, Json)>,
}

impl Resource {
    pub(crate) fn new(kind: &'static str, id: String, fields: Vec<(&'static str, Json)>) -> Self {
        let head = [("resourceType", Json::from(kind)), ("id", Json::from(&id))];
        Self { kind, id, fields: head.into_iter().chain(fields).collect() }
    }

    /// The resource type.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.kind
    }

    /// The logical id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The compact JSON, `resourceType` first.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1_024);
        self.write(&mut out);
        out
    }

    /// The resource as a value. Decimals lose trailing zeros; compare [`Self::to_json`] where they matter.
    ///
    /// # Errors
    /// Never for a generated resource; the type is that of the parser.
    pub fn to_value(&self) -> Result<serde_json::Value, serde_json::Error> {
        serde_json::from_slice(&self.to_json())
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        // The fields are written as one object without building it.
        Json::write_object(&self.fields, out);
    }

    pub(crate) fn set(&mut self, key: &'static str, value: Json) {
        match self.fields.iter_mut().find(|(name, _)| *name == key) {
            Some((_, old)) => *old = value,
            None => self.fields.push((key, value)),
        }
    }

    pub(crate) fn fields_mut(&mut self) -> &mut Vec<(&'static str, Json)> {
        &mut self.fields
    }
}
