//! The record of a termination, as the log tells it: who asked, when it was complete, what was removed, what was passed on to whom, and
//! what was not removed.

use super::DirectoryError;
use scruple_core::{Id, Timestamp};
use scruple_flow::connected::{DriftCause, DriftState};
use scruple_store::{
    Aggregate, DriftFilter, Event, Person, Store, Tx, find_connected_system, find_system_right, history, list_drift,
};
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
    /// What was still open when it was read again, and what a connected system has not removed though that was tried.
    pub failed: Vec<Entitlement>,
    /// What is to be removed in connected systems, and not known to be yet.
    pub waiting: Vec<Entitlement>,
}

/// One thing that a person had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entitlement {
    /// What: `role`, `chart`, `task`, `link`, `session`, `account`, `report`, `request`; in a connected system `system_right` or
    /// `system_account`.
    pub kind: String,
    /// Which; of sessions, how many.
    pub id: String,
    /// The role, where it is one.
    pub role: Option<String>,
    /// The code of the connected system, where it is there.
    pub system: Option<String>,
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
        let Some(last) = page.last() else { break };
        after = last.version;
        found.extend(page.iter().filter(|event| event.kind == "person_left").filter_map(read));
    }
    elsewhere(&mut tx, person, &mut found).await?;
    Ok(found)
}

/// What has become of what he had in connected systems, as it is known now: each belongs to the last termination before it was asked.
async fn elsewhere(tx: &mut Tx, person: Id<Person>, endings: &mut [Ending]) -> Result<(), DirectoryError> {
    let mut after = None;
    loop {
        let page = list_drift(tx, DriftFilter::ever_of(person), after).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        for drift in &page {
            let Some(removal) = drift.removal() else { continue };
            let ending = endings.iter_mut().rev().find(|ending| ending.requested_at <= removal.at);
            let Some(ending) = ending.filter(|_| drift.cause == DriftCause::Ended) else { continue };
            let right = match drift.right {
                Some(right) => find_system_right(tx, right).await?,
                None => None,
            };
            let system = find_connected_system(tx, drift.system).await?;
            let one = Entitlement {
                kind: if drift.right.is_some() { "system_right" } else { "system_account" }.to_owned(),
                id: drift.id.to_string(),
                role: right.and_then(|right| right.meaning.role().map(ToString::to_string)),
                system: system.map(|system| system.code.to_string()),
            };
            match &drift.state {
                DriftState::Confirmed { .. } => ending.removed.push(one),
                _ if removal.failure.is_some() => ending.failed.push(one),
                _ => ending.waiting.push(one),
            }
        }
    }
}

fn read(event: &Event) -> Option<Ending> {
    let body: Body = serde_json::from_slice(event.body.expose()).ok()?;
    let one = |kind: &str, id: String| Entitlement { kind: kind.to_owned(), id, role: None, system: None };
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
        waiting: Vec::new(),
    })
}
