//! The record of a termination, as the log tells it: who asked, when it was complete, what was removed, what was passed on to whom, and
//! what was not removed.

use super::DirectoryError;
use scruple_core::{Id, Timestamp};
use scruple_store::{Aggregate, Event, Person, Store, history};
use serde::Deserialize;

/// A termination.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ending {
    /// Who told of it. A leaver is out at once, by rule: nobody has to approve that.
    pub requested_by: Option<Id<Person>>,
    /// When it was told.
    pub requested_at: Timestamp,
    /// When all of it was done.
    pub completed_at: Timestamp,
    /// What was removed.
    pub removed: Vec<Entitlement>,
    /// What others have now.
    pub passed_on: Vec<Entitlement>,
    /// To whom; none: the privacy office.
    pub heir: Option<Id<Person>>,
    /// What was still open when it was read again.
    pub failed: Vec<Entitlement>,
}

/// One thing that a person had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entitlement {
    /// What: `role`, `chart`, `task`, `link`, `session`, `account`, `report`, `request`.
    pub kind: String,
    /// Which; of sessions, how many.
    pub id: String,
    /// The role, where it is one.
    pub role: Option<String>,
}

#[derive(Deserialize)]
struct Body {
    requested_by: Option<String>,
    left_at: i64,
    completed_at: i64,
    #[serde(default)]
    grants: Vec<GrantBody>,
    #[serde(default)]
    charts: Vec<String>,
    #[serde(default)]
    tasks: Vec<String>,
    #[serde(default)]
    sessions: u64,
    #[serde(default)]
    links: Vec<String>,
    #[serde(default)]
    passed_on: PassedBody,
    #[serde(default)]
    failed: Vec<FailedBody>,
}

#[derive(Deserialize)]
struct GrantBody {
    grant: String,
    role: String,
}

#[derive(Deserialize, Default)]
struct PassedBody {
    to: Option<String>,
    #[serde(default)]
    accounts: Vec<String>,
    #[serde(default)]
    reports: Vec<String>,
    #[serde(default)]
    requests: Vec<String>,
}

#[derive(Deserialize)]
struct FailedBody {
    kind: String,
    id: String,
}

/// The terminations of a person, the first one first.
///
/// # Errors
/// The database failed.
pub async fn endings(store: &Store, person: Id<Person>) -> Result<Vec<Ending>, DirectoryError> {
    let mut tx = store.begin_read().await?;
    let (aggregate, mut after, mut found) = (Aggregate::new("person", person), 0, Vec::new());
    loop {
        let page = history(&mut tx, &aggregate, after).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = last.version;
        found.extend(page.iter().filter(|event| event.kind == "person_left").filter_map(read));
    }
}

fn read(event: &Event) -> Option<Ending> {
    let body: Body = serde_json::from_slice(event.body.expose()).ok()?;
    let one = |kind: &str, id: String| Entitlement { kind: kind.to_owned(), id, role: None };
    let all = |kind: &'static str, ids: Vec<String>| ids.into_iter().map(move |id| one(kind, id));
    let role = |grant: GrantBody| Entitlement { role: Some(grant.role), ..one("role", grant.grant) };
    let mut removed: Vec<Entitlement> = body.grants.into_iter().map(role).collect();
    removed.extend(all("chart", body.charts));
    removed.extend(all("task", body.tasks));
    removed.extend(all("link", body.links));
    if body.sessions > 0 {
        removed.push(one("session", body.sessions.to_string()));
    }
    let PassedBody { to, accounts, reports, requests } = body.passed_on;
    let passed_on = all("account", accounts).chain(all("report", reports)).chain(all("request", requests));
    Some(Ending {
        requested_by: body.requested_by.and_then(|id| id.parse().ok()),
        requested_at: Timestamp::from_micros(body.left_at),
        completed_at: Timestamp::from_micros(body.completed_at),
        removed,
        passed_on: passed_on.collect(),
        heir: to.and_then(|id| id.parse().ok()),
        failed: body.failed.into_iter().map(|failed| one(&failed.kind, failed.id)).collect(),
    })
}
