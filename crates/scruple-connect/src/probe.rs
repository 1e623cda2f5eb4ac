//! What a server says of itself at start-up: its FHIR version, and whether it takes searches by POST.

use crate::counts::CallKind;
use crate::options::SearchBy;
use crate::upstream::{Ask, HttpUpstream, some};
use scruple_release::{UpstreamError, UpstreamQuery};
use serde_json::Value;

/// Bytes of a CapabilityStatement.
const METADATA_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Letters of a name or version that are kept.
const NAME_CHARS_MAX: usize = 64;

/// Why a server is not taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// There is no answer to be used.
    #[error("the upstream's metadata cannot be had")]
    Upstream(#[from] UpstreamError),
    /// The answer is no CapabilityStatement.
    #[error("the upstream's metadata is no CapabilityStatement")]
    NoCapabilityStatement,
    /// It speaks another FHIR than 4.0.
    #[error("the upstream speaks FHIR `{0}`, and 4.0 is needed")]
    FhirVersion(String),
}

/// Whether searches go by POST.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PostSearch {
    /// A search by POST was answered by a searchset.
    Supported,
    /// It was refused: [`SearchBy::Get`] is needed, and the server's logs will hold queries.
    Refused,
}

/// What a server says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Probe {
    /// Its FHIR version.
    pub fhir_version: String,
    /// The name and version of its software, if it tells.
    pub software: Option<String>,
    /// Whether searches go by POST.
    pub post_search: PostSearch,
    /// Whether it says that versions of patients can be read.
    pub lists_vread: bool,
    /// Whether it says that the history of a patient can be read.
    pub lists_history: bool,
}

impl HttpUpstream {
    /// Asks for `metadata`, and tries a search by POST that matches nothing.
    ///
    /// # Errors
    /// The server cannot be reached, refuses us, or speaks another FHIR.
    pub async fn probe(&self) -> Result<Probe, ProbeError> {
        let ask = Ask::get(&format!("{}/metadata", self.base().path()));
        let limit = METADATA_BYTES_MAX.min(self.answer_bytes_max());
        let fetched = some(self.call(CallKind::Probe, ask, limit).await?)?;
        let statement: Value = serde_json::from_slice(&fetched).map_err(|_| ProbeError::NoCapabilityStatement)?;
        if statement.get("resourceType").and_then(Value::as_str) != Some("CapabilityStatement") {
            return Err(ProbeError::NoCapabilityStatement);
        }
        let fhir_version = clean(statement.get("fhirVersion")).unwrap_or_default();
        if fhir_version != "4.0" && !fhir_version.starts_with("4.0.") {
            return Err(ProbeError::FhirVersion(fhir_version));
        }
        let software = clean(statement.pointer("/software/name")).map(|name| {
            clean(statement.pointer("/software/version")).map_or(name.clone(), |version| format!("{name} {version}"))
        });
        let post_search = self.post_search(&statement).await?;
        let lists = |code| types_with(&statement, code).contains(&"Patient");
        let (lists_vread, lists_history) = (lists("vread"), lists("history-instance"));
        Ok(Probe { fhir_version, software, post_search, lists_vread, lists_history })
    }

    async fn post_search(&self, statement: &Value) -> Result<PostSearch, UpstreamError> {
        let query = UpstreamQuery {
            resource_type: searchable(statement),
            parameters: vec![("_id".to_owned(), "scruple-probe".to_owned())],
        };
        let ask = self.search_ask(&query, SearchBy::Post);
        match self.call(CallKind::Probe, ask, METADATA_BYTES_MAX.min(self.answer_bytes_max())).await {
            Ok(Some(fetched)) => {
                let bundle: Option<Value> = serde_json::from_slice(&fetched).ok();
                let is_set =
                    bundle.is_some_and(|bundle| bundle.get("type").and_then(Value::as_str) == Some("searchset"));
                Ok(if is_set { PostSearch::Supported } else { PostSearch::Refused })
            }
            Ok(None) | Err(UpstreamError::Status(_) | UpstreamError::NotJson | UpstreamError::Malformed(_)) => {
                Ok(PostSearch::Refused)
            }
            Err(error) => Err(error),
        }
    }
}

/// A type that the server says can be searched: Patient if it is one of them.
fn searchable(statement: &Value) -> String {
    let types = types_with(statement, "search-type");
    let patient = types.iter().find(|name| **name == "Patient");
    patient.or(types.first()).map_or("Patient", |name| name).to_owned()
}

/// The types of which the server says that they have this interaction.
fn types_with<'a>(statement: &'a Value, interaction: &str) -> Vec<&'a str> {
    let is_wanted = |listed: &Value| listed.get("code").and_then(Value::as_str) == Some(interaction);
    let resources =
        statement.pointer("/rest/0/resource").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    resources
        .iter()
        .filter(|resource| {
            resource.get("interaction").and_then(Value::as_array).is_some_and(|list| list.iter().any(is_wanted))
        })
        .filter_map(|resource| resource.get("type").and_then(Value::as_str))
        .collect()
}

/// A short text of printable ASCII: it is shown and logged.
fn clean(value: Option<&Value>) -> Option<String> {
    let text = value?.as_str()?;
    let text: String =
        text.chars().filter(|letter| letter.is_ascii_graphic() || *letter == ' ').take(NAME_CHARS_MAX).collect();
    Some(text).filter(|text| !text.is_empty())
}
