//! What a FHIR server does, found by asking it: what the gateway needs of it, and what would go around the gateway.
//!
//! It reads a few patients with the gateway's credential. Nothing of them is told: findings are words and numbers.

use crate::options::SearchBy;
use crate::probe::{PostSearch, Probe, ProbeError};
use crate::upstream::HttpUpstream;
use scruple_fhir::bundle;
use scruple_release::{Upstream, UpstreamError, UpstreamQuery, history_page, page, relationship_searches};
use serde_json::Value;
use std::collections::BTreeSet;

/// Patients that are looked at.
const SAMPLE: usize = 20;
/// Letters of an id that make it more than a number of a few digits by chance.
const TELLING_CHARS_MIN: usize = 4;

/// An id that nobody has.
const NOBODY: &str = "scruple-nobody";

/// How a check ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Not tried: the server holds too little, or did not answer.
    Unknown,
    /// It works, at a price.
    Warn,
    /// Records are missing or unprotected as it is.
    Bad,
}

impl Verdict {
    /// Its name for people and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Unknown => "unknown",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// One thing that was checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// Its stable name.
    pub name: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// What was found and what to do, in words. No value of a record.
    pub words: String,
}

fn check(name: &'static str, verdict: Verdict, words: impl Into<String>) -> Check {
    Check { name, verdict, words: words.into() }
}

/// Ids of a page in their order, the values of their identifiers, and the link to the next page.
#[derive(Default)]
struct Sample {
    ids: Vec<String>,
    identifiers: BTreeSet<String>,
    next: Option<String>,
}

impl Sample {
    fn of(bytes: &[u8]) -> Result<Self, UpstreamError> {
        let plain = bundle::plain(bytes);
        let page = page(&plain)?;
        let mut sample = Self { next: page.next.map(|link| link.into_owned()), ..Self::default() };
        for resource in page.resources {
            let Some((_, id)) = bundle::identity(resource) else { continue };
            sample.ids.push(id.to_owned());
            let value: Value = serde_json::from_slice(resource).unwrap_or_default();
            let identifiers = value.get("identifier").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let values = identifiers.iter().filter_map(|identifier| identifier.get("value")?.as_str());
            sample.identifiers.extend(values.map(letters));
        }
        Ok(sample)
    }
}

/// Letters and digits alone, small.
fn letters(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

impl HttpUpstream {
    /// Checks the server. `stranger` reaches the same server without a credential.
    pub async fn check(&self, stranger: &Self) -> Vec<Check> {
        let mut checks = vec![self.transport()];
        let probe = match self.probe().await {
            Ok(probe) => {
                let software = probe.software.as_ref().map_or_else(String::new, |software| format!(" ({software})"));
                checks.push(check("version", Verdict::Good, format!("FHIR {}{software}", probe.fhir_version)));
                checks.push(match probe.post_search {
                    PostSearch::Supported if self.search_by == SearchBy::Get => check(
                        "post",
                        Verdict::Warn,
                        "takes searches by POST, and `upstream.search_by = \"get\"` writes names and numbers of patients into its access logs all the same: set `post`",
                    ),
                    PostSearch::Supported => check("post", Verdict::Good, "takes searches by POST: its logs hold no query"),
                    PostSearch::Refused => check(
                        "post",
                        Verdict::Warn,
                        "refuses searches by POST: set `upstream.search_by = \"get\"`, and protect its access logs, which will hold names and numbers of patients",
                    ),
                });
                probe
            }
            Err(error) => {
                let advice = match &error {
                    ProbeError::Upstream(UpstreamError::Credential(_)) => ": give the gateway's credential",
                    ProbeError::Upstream(UpstreamError::Unreachable) => ": is the address right, and the server up?",
                    ProbeError::Upstream(UpstreamError::Status(_)) | ProbeError::NoCapabilityStatement => {
                        ": is this the base, the part of its addresses before `/Patient`?"
                    }
                    _ => "",
                };
                let cause = std::error::Error::source(&error).map_or_else(String::new, |cause| format!(", {cause}"));
                checks.push(check("version", Verdict::Bad, format!("{error}{cause}{advice}")));
                return checks;
            }
        };
        checks.push(stranger.open().await);
        checks.push(self.strict().await);
        match self.patients(&[("_count", &SAMPLE.to_string())]).await {
            Ok(sample) => {
                checks.push(self.lists(&sample.ids).await);
                checks.push(self.pages(&sample.ids).await);
                checks.push(self.sorts(&sample.ids).await);
                checks.push(ids(&sample));
                checks.push(self.versions(&probe, &sample.ids).await);
                checks.push(self.relationships().await);
            }
            Err(error) => checks.push(check("search", Verdict::Bad, format!("no search of patients: {error}"))),
        }
        checks
    }

    async fn patients(&self, parameters: &[(&str, &str)]) -> Result<Sample, UpstreamError> {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Sample::of(&self.search(&UpstreamQuery { resource_type: "Patient".to_owned(), parameters }).await?)
    }

    /// Whether the searches are answered by which relationships are found.
    async fn relationships(&self) -> Check {
        let mut refused = Vec::new();
        for (resource_type, patient, caller) in relationship_searches() {
            let nobody = if patient == "_id" { NOBODY.to_owned() } else { format!("Patient/{NOBODY}") };
            let parameters = vec![(patient.to_owned(), nobody), (caller.to_owned(), format!("Practitioner/{NOBODY}"))];
            let query = UpstreamQuery { resource_type: resource_type.to_owned(), parameters };
            let answered = self.search(&query).await.and_then(|bytes| page(&bundle::plain(&bytes)).map(drop));
            if let Err(error) = answered {
                refused.push(format!("{resource_type}?{caller}=&{patient}=: {error}"));
            }
        }
        if refused.is_empty() {
            let words = "searches by which relationships are looked up are answered";
            return check("relationships", Verdict::Good, words);
        }
        let words = format!(
            "relationships cannot be looked up so: {}; take these out of relationships.csv, or let the server index them",
            refused.join("; ")
        );
        check("relationships", Verdict::Bad, words)
    }

    fn transport(&self) -> Check {
        match (self.base().is_https(), self.base().is_clear_text()) {
            (true, _) => check("transport", Verdict::Good, "reached by TLS"),
            (false, false) => check("transport", Verdict::Good, "on this machine"),
            (false, true) => check(
                "transport",
                Verdict::Bad,
                "reached without TLS: records and credential cross the network in clear",
            ),
        }
    }

    /// Whether it gives records to somebody without a credential.
    async fn open(&self) -> Check {
        let name = "around";
        match self.patients(&[("_count", "1")]).await {
            Err(UpstreamError::Credential(_)) => check(
                name,
                Verdict::Good,
                "refuses who has no credential; let its network be reached from the gateway alone as well",
            ),
            Ok(_) => check(
                name,
                Verdict::Bad,
                "answers without a credential: whoever reaches it goes around the gateway. Have it ask for one, and let its network be reached from the gateway alone",
            ),
            Err(error) => check(name, Verdict::Unknown, format!("asked without a credential: {error}")),
        }
    }

    async fn strict(&self) -> Check {
        let name = "strict";
        match self.patients(&[("scruple-unknown", "1"), ("_count", "1")]).await {
            Err(UpstreamError::Status(400..=422)) => {
                check(name, Verdict::Good, "refuses parameters that it does not know (`Prefer: handling=strict`)")
            }
            Ok(_) => check(
                name,
                Verdict::Warn,
                "ignores parameters that it does not know: nothing leaks, since the gateway judges every criterion itself, but a search by one of them fetches more",
            ),
            Err(error) => check(name, Verdict::Unknown, format!("asked by an unknown parameter: {error}")),
        }
    }

    /// Whether several resources are found by their ids: references are looked up so.
    async fn lists(&self, ids: &[String]) -> Check {
        let name = "id_lists";
        let [one, other, ..] = ids else { return check(name, Verdict::Unknown, "needs two patients") };
        let wanted: BTreeSet<&String> = [one, other].into();
        match self.patients(&[("_id", &format!("{one},{other}")), ("_count", "10")]).await {
            Ok(found) if found.ids.iter().collect::<BTreeSet<_>>() == wanted => {
                check(name, Verdict::Good, "finds several resources by their ids in one search")
            }
            Ok(found) => check(
                name,
                Verdict::Bad,
                format!(
                    "finds {} of 2 patients by a list of ids: references that must be looked up will be withheld",
                    found.ids.len()
                ),
            ),
            Err(error) => check(
                name,
                Verdict::Bad,
                format!("a search by a list of ids: {error}. References that must be looked up will be withheld"),
            ),
        }
    }

    /// Whether a page has a next one, and its link leads back here.
    async fn pages(&self, ids: &[String]) -> Check {
        let name = "pages";
        let [_, _, ..] = ids else { return check(name, Verdict::Unknown, "needs two patients") };
        let first = match self.patients(&[("_count", "1")]).await {
            Ok(first) => first,
            Err(error) => return check(name, Verdict::Bad, format!("a page of one: {error}")),
        };
        let Some(next) = &first.next else {
            return match first.ids.len() {
                0 | 1 => {
                    check(name, Verdict::Bad, "gives no next page: what stands behind a first page will be missing")
                }
                _ => check(name, Verdict::Warn, "takes no `_count`: a search fetches all at once"),
            };
        };
        match self.page(next).await.and_then(|bytes| Sample::of(&bytes)) {
            Ok(second) if second.ids.is_empty() || second.ids == first.ids => check(
                name,
                Verdict::Bad,
                "a next page repeats the first or holds nothing: what stands behind it will be missing",
            ),
            Ok(_) => check(name, Verdict::Good, "gives pages, and its next links lead back to it"),
            Err(UpstreamError::ForeignLink) => check(
                name,
                Verdict::Bad,
                "its next links lead to another address than its base, and are not followed: set its public base URL to the one that the gateway uses",
            ),
            Err(error) => check(name, Verdict::Bad, format!("a next page: {error}")),
        }
    }

    /// Whether versions can be read. A server need not have them.
    async fn versions(&self, probe: &Probe, ids: &[String]) -> Check {
        let name = "versions";
        let listed = match (probe.lists_vread, probe.lists_history) {
            (true, true) => "its CapabilityStatement lists vread and history-instance",
            (true, false) => "its CapabilityStatement lists vread without history-instance",
            (false, true) => "its CapabilityStatement lists history-instance without vread",
            (false, false) => "its CapabilityStatement lists neither vread nor history-instance",
        };
        let Some(id) = ids.first() else {
            return check(name, Verdict::Unknown, format!("{listed}; needs a patient to try them"));
        };
        let failed = |what: &str, tried: &Result<Option<bool>, UpstreamError>| match tried {
            Ok(Some(true) | None) => None,
            Ok(Some(false)) => Some(format!("{what}: not what was asked for")),
            Err(error) => Some(format!("{what}: {error}")),
        };
        let (vread, history) = (self.vread(id).await, self.history_of(id).await);
        let failures: Vec<String> =
            [failed("a version", &vread), failed("a history", &history)].into_iter().flatten().collect();
        if !failures.is_empty() {
            let advice = "Versions cannot be read through the gateway; nothing else depends on it";
            return check(name, Verdict::Warn, format!("{listed}; {}. {advice}", failures.join("; ")));
        }
        match vread {
            Ok(None) => check(name, Verdict::Unknown, format!("{listed}; a patient has no version to be read by")),
            _ if probe.lists_vread && probe.lists_history => {
                check(name, Verdict::Good, "gives a version of a resource, and its history")
            }
            _ => check(name, Verdict::Good, format!("gives a version of a resource, and its history, though {listed}")),
        }
    }

    /// Whether the version that a patient says to be is found. None: it says none.
    async fn vread(&self, id: &str) -> Result<Option<bool>, UpstreamError> {
        let Some(current) = self.read("Patient", id).await? else { return Ok(None) };
        let current: Value = serde_json::from_slice(&current).unwrap_or_default();
        let Some(version) = current.pointer("/meta/versionId").and_then(Value::as_str) else { return Ok(None) };
        let found = self.version("Patient", id, version).await?;
        Ok(Some(found.is_some_and(|found| bundle::identity(&found).is_some_and(|(_, found)| found == id))))
    }

    /// Whether a patient has a history of at least one version.
    async fn history_of(&self, id: &str) -> Result<Option<bool>, UpstreamError> {
        let Some(found) = self.history("Patient", id).await? else { return Ok(Some(false)) };
        Ok(Some(!history_page(&bundle::plain(&found))?.versions.is_empty()))
    }

    async fn sorts(&self, ids: &[String]) -> Check {
        let name = "sort";
        let [_, _, ..] = ids else { return check(name, Verdict::Unknown, "needs two patients") };
        let ordered = |sample: &Sample| sample.ids.is_sorted() && sample.ids.len() > 1;
        match self.patients(&[("_sort", "_id"), ("_count", &SAMPLE.to_string())]).await {
            Ok(sample) if ordered(&sample) => check(name, Verdict::Good, "sorts by id"),
            Ok(_) | Err(UpstreamError::Status(_)) => check(
                name,
                Verdict::Good,
                "does not sort by id; nothing depends on it, the gateway has an order of its own",
            ),
            Err(error) => check(name, Verdict::Unknown, format!("sorted by id: {error}")),
        }
    }
}

/// Whether ids tell something: they show as they are.
fn ids(sample: &Sample) -> Check {
    let name = "ids";
    let count = sample.ids.len();
    let of_record = |id: &&String| {
        let id = letters(id);
        id.len() >= TELLING_CHARS_MIN
            && sample.identifiers.iter().any(|value| {
                value.len() >= TELLING_CHARS_MIN && (id.contains(value.as_str()) || value.contains(id.as_str()))
            })
    };
    let telling = sample.ids.iter().filter(of_record).count();
    let numbers = sample.ids.iter().filter(|id| id.parse::<u64>().is_ok()).count();
    if count == 0 {
        check(name, Verdict::Unknown, "needs a patient")
    } else if telling > 0 {
        let words = format!(
            "{telling} of {count} ids of patients hold an identifier of theirs: whoever may see an id sees a record number"
        );
        check(name, Verdict::Warn, words)
    } else if numbers == count {
        check(
            name,
            Verdict::Warn,
            "ids are numbers: they tell in which order patients were registered, and can be guessed",
        )
    } else {
        check(name, Verdict::Good, format!("none of {count} ids of patients is a number or holds an identifier"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_tell_are_found() {
        let verdict = |all: &[(&str, &str)]| {
            let entries = all.iter().map(|(id, value)| {
                format!(
                    r#"{{"resource":{{"resourceType":"Patient","id":"{id}","identifier":[{{"value":"{value}"}}]}}}}"#
                )
            });
            let entries: Vec<String> = entries.collect();
            let text = format!(r#"{{"resourceType":"Bundle","type":"searchset","entry":[{}]}}"#, entries.join(","));
            ids(&Sample::of(text.as_bytes()).unwrap()).verdict
        };
        assert_eq!(verdict(&[]), Verdict::Unknown);
        assert_eq!(verdict(&[("0b6c2c5e", "MRN-1002"), ("7711ff02", "MRN-1003")]), Verdict::Good);
        assert_eq!(verdict(&[("0b6c2c5e", "MRN-1002"), ("mrn.1003", "MRN-1003")]), Verdict::Warn);
        assert_eq!(verdict(&[("p-10023", "10023")]), Verdict::Warn);
        assert_eq!(verdict(&[("17", "A-1"), ("18", "A-2")]), Verdict::Warn);
    }
}
