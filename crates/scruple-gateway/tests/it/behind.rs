//! The servers that pairs are tried before tell the same of versions, whatever else they do.

use crate::support::noon;
use scruple_core::Timestamp;
use scruple_fhir::bundle::{self, Version};
use scruple_pairs::Behind;
use scruple_release::{Upstream, history_page};
use scruple_testkit::interfere::{Store, Stored};
use serde_json::{Value, json};
use std::sync::Arc;

fn observation(id: &str, version: &str, status: &str) -> Arc<Stored> {
    let value = json!({
        "resourceType": "Observation", "id": id, "status": status, "code": { "text": "x" },
        "meta": { "versionId": version, "lastUpdated": format!("2026-01-01T00:00:{:02}Z", version.len()) },
    });
    Arc::new(Stored::new(value).unwrap())
}

/// `o` has 250 versions, of which the 100th is a deletion; `d` is deleted; `n` never changed.
fn store() -> Store {
    let mut store = Store::new();
    store.put(observation("n", "1", "final"));
    for version in 1..=250 {
        if version == 100 {
            store.delete("Observation", "o", "100", Timestamp::from_micros(0));
        } else {
            store.revise(observation("o", &version.to_string(), if version % 2 == 0 { "final" } else { "amended" }));
        }
    }
    store.put(observation("d", "1", "final"));
    store.delete("Observation", "d", "2", Timestamp::from_micros(0));
    store
}

/// The versions of all pages that are of this resource: its bytes, or that it was deleted.
async fn history(upstream: &dyn Upstream, id: &str) -> Option<Vec<Option<Value>>> {
    let mut fetched = upstream.history("Observation", id).await.unwrap()?;
    let mut all = Vec::new();
    loop {
        let plain = bundle::plain(&fetched);
        let page = history_page(&plain).unwrap();
        for version in page.versions {
            match version {
                Version::Deleted => all.push(None),
                Version::Resource(bytes) if bundle::identity(bytes).is_some_and(|(_, its)| its == id) => {
                    all.push(Some(serde_json::from_slice(bytes).unwrap()));
                }
                Version::Resource(_) => {}
            }
        }
        let Some(next) = page.next.map(|next| next.into_owned()) else { return Some(all) };
        fetched = upstream.page(&next).await.unwrap();
    }
}

#[tokio::test]
async fn servers_behind_a_gateway_tell_the_same_of_versions() {
    let store = store();
    let value = |id: &str, version: u32| {
        let status = if version.is_multiple_of(2) { "final" } else { "amended" };
        observation(id, &version.to_string(), status).value.clone()
    };
    let newest_first: Vec<Option<Value>> =
        (1..=250).rev().map(|version| (version != 100).then(|| value("o", version))).collect();
    for behind in [Behind::Raw, Behind::Unruly, Behind::Embedded] {
        let upstream = behind.upstream(&store, noon()).unwrap();
        let version = async |id: &str, version: &str| {
            let fetched = upstream.version("Observation", id, version).await.unwrap();
            fetched.map(|fetched| serde_json::from_slice::<Value>(&fetched).unwrap())
        };
        assert_eq!(version("o", "7").await, Some(value("o", 7)), "{behind}");
        assert_eq!(version("o", "250").await, Some(value("o", 250)), "{behind}");
        assert_eq!(version("d", "1").await, Some(observation("d", "1", "final").value.clone()), "{behind}");
        for (id, absent) in [("o", "100"), ("o", "251"), ("d", "2"), ("n", "2"), ("x", "1")] {
            assert_eq!(version(id, absent).await, None, "{behind}: {id} {absent}");
        }
        assert_eq!(history(&*upstream, "o").await.as_ref(), Some(&newest_first), "{behind}");
        let deleted = vec![None, Some(observation("d", "1", "final").value.clone())];
        assert_eq!(history(&*upstream, "d").await, Some(deleted), "{behind}");
        assert_eq!(history(&*upstream, "n").await.map(|all| all.len()), Some(1), "{behind}");
        assert_eq!(history(&*upstream, "x").await, None, "{behind}");
        assert_eq!(upstream.read("Observation", "d").await.unwrap(), None, "{behind}");
        assert!(upstream.read("Observation", "o").await.unwrap().is_some(), "{behind}");
    }
}
