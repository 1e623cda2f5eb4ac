//! What an access opened and how, as it stands sealed in the index.

use scruple_core::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What an access opened and how. A field that the source does not tell is empty.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AccessFacts {
    /// Types of FHIR resources, each with how many.
    pub types: BTreeMap<String, u64>,
    /// Of types whose resources are of several kinds of information, which these were: `Observation vitals`.
    pub kinds: Vec<String>,
    /// Patients whom the same answer told of; 0: not known.
    pub patients: u64,
    /// What was asked of the gateway.
    pub interaction: String,
    /// What it rested on: `encounter Encounter/e1`.
    pub relation: String,
    /// What the log calls the act.
    pub action: String,
    /// Where it was done.
    pub workstation: String,
    /// In which part of the record system.
    pub module: String,
    /// The clock was put back in that hour: it may also have been then.
    pub or_at: Option<Timestamp>,
}

impl AccessFacts {
    /// As it is stored.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut told = json!({});
        if let Value::Object(fields) = &mut told {
            if !self.types.is_empty() {
                fields.insert("types".to_owned(), json!(self.types));
            }
            if !self.kinds.is_empty() {
                fields.insert("kinds".to_owned(), json!(self.kinds));
            }
            if self.patients > 0 {
                fields.insert("patients".to_owned(), json!(self.patients));
            }
            if let Some(at) = self.or_at {
                fields.insert("or_at".to_owned(), json!(at.micros()));
            }
            for (name, text) in [
                ("interaction", &self.interaction),
                ("relation", &self.relation),
                ("action", &self.action),
                ("workstation", &self.workstation),
                ("module", &self.module),
            ] {
                if !text.is_empty() {
                    fields.insert(name.to_owned(), json!(text));
                }
            }
        }
        told.to_string().into_bytes()
    }

    /// As it was stored; what cannot be read is empty.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let told: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let text = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let types = told.get("types").and_then(Value::as_object).into_iter().flatten();
        Self {
            types: types.filter_map(|(name, count)| Some((name.clone(), count.as_u64()?))).collect(),
            kinds: told
                .get("kinds")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|kind| kind.as_str().map(str::to_owned))
                .collect(),
            patients: told.get("patients").and_then(Value::as_u64).unwrap_or(0),
            interaction: text("interaction"),
            relation: text("relation"),
            action: text("action"),
            workstation: text("workstation"),
            module: text("module"),
            or_at: told.get("or_at").and_then(Value::as_i64).map(Timestamp::from_micros),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_back_as_they_were_stored() {
        let facts = AccessFacts {
            types: BTreeMap::from([("Observation".to_owned(), 3)]),
            kinds: vec!["Observation vitals".to_owned()],
            patients: 1,
            relation: "encounter Encounter/e1".to_owned(),
            workstation: "4W-12".to_owned(),
            or_at: Some(Timestamp::from_micros(5)),
            ..AccessFacts::default()
        };
        assert_eq!(AccessFacts::from_bytes(&facts.to_bytes()), facts);
        assert_eq!(AccessFacts::from_bytes(&AccessFacts::default().to_bytes()), AccessFacts::default());
        assert_eq!(AccessFacts::from_bytes(b"not json"), AccessFacts::default());
    }
}
