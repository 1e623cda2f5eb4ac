//! Accounts: what is registered of those that systems have, that they are looked at, the return of idle ones; terminations; and what
//! is wrong with any of it now.

use super::parameters::{OnceKey, SeenVersion};
use super::people::find;
use super::query::Query;
use super::requests::{message, viewer};
use super::shown::{parse_time, time};
use crate::body::{self, Json};
use crate::caller::Caller;
use crate::fail::Fail;
use crate::replay::{self, Done};
use crate::service::Service;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use scruple_app::Rules as _;
use scruple_app::directory::{
    AccountOrder, Directory, DirectoryError, Ending, Entitlement, Finding, endings, findings,
};
use scruple_core::{Id, Phi};
use scruple_flow::{Account, AccountKind, Person};
use scruple_policy::{Act, ActScope};
use scruple_store::{Position, find_account, find_person};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// What is registered of an account.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct AccountShown {
    #[schema(format = Uuid)]
    pub person: String,
    /// `service`, `vendor` or `emergency`.
    pub kind: String,
    /// Who answers for it; missing: nobody, and it obtains nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Uuid)]
    pub owner: Option<String>,
    pub purpose: String,
    /// What its tokens may be used for: scopes of this API, and `fhir` for the gateway.
    pub scopes: Vec<String>,
    #[schema(format = DateTime)]
    pub rotate_by: String,
    pub review_days: u16,
    #[schema(format = DateTime)]
    pub reviewed_at: String,
    #[schema(format = DateTime)]
    pub review_due_at: String,
    #[schema(format = DateTime)]
    pub ends_at: String,
    /// The version that `If-Match` names, in quotation marks.
    pub version: i64,
}

/// What is to be registered of an account.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAccount {
    /// `service`, `vendor` or `emergency`.
    pub kind: String,
    /// Who answers for it.
    #[schema(format = Uuid)]
    pub owner: String,
    /// What it is for, in a sentence.
    #[schema(max_length = 2000)]
    pub purpose: String,
    /// What its tokens may be used for: scopes of this API, and `fhir` for the gateway.
    #[schema(min_items = 1, max_items = 16)]
    pub scopes: Vec<String>,
    #[schema(format = DateTime)]
    pub rotate_by: String,
    #[schema(minimum = 1, maximum = 366)]
    #[serde(deserialize_with = "body::whole")]
    pub review_days: i64,
    #[schema(format = DateTime)]
    pub ends_at: String,
}

/// Something that somebody has to see to.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct FindingShown {
    /// What it is.
    pub code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Uuid)]
    pub person: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Uuid)]
    pub group: Option<String>,
    /// Roles that a mover kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// When an idle account was last used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub used_at: Option<String>,
    /// From when on it gives nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub disabled_at: Option<String>,
}

/// Findings: each is open for as long as it is true.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Findings {
    pub items: Vec<FindingShown>,
    #[schema(format = DateTime)]
    pub as_of: String,
}

/// One thing that a person had.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct EntitlementShown {
    /// `role`, `chart`, `link`, `session`, `account`, `report` or `request`; in a connected system `system_right` or `system_account`.
    pub kind: String,
    /// Which; of sessions, how many.
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The code of the connected system, where it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
}

/// A termination.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct EndingShown {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Uuid)]
    pub requested_by: Option<String>,
    /// Always `rule`: a leaver is out at once, and nobody has to approve that.
    pub approved_by: &'static str,
    #[schema(format = DateTime)]
    pub requested_at: String,
    #[schema(format = DateTime)]
    pub completed_at: String,
    pub took_ms: i64,
    pub removed: Vec<EntitlementShown>,
    pub passed_on: Vec<EntitlementShown>,
    /// To whom; missing: the privacy office.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Uuid)]
    pub passed_on_to: Option<String>,
    /// What was not removed.
    pub failed: Vec<EntitlementShown>,
    /// What is to be removed in connected systems, and not known to be yet.
    pub waiting: Vec<EntitlementShown>,
}

/// The terminations of a person.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Endings {
    pub items: Vec<EndingShown>,
}

fn shown(account: &Account) -> AccountShown {
    AccountShown {
        person: account.person.to_string(),
        kind: account.kind.as_str().to_owned(),
        owner: account.owner.map(|owner| owner.to_string()),
        purpose: account.purpose.expose().clone(),
        scopes: account.scopes.clone(),
        rotate_by: time(account.rotate_by),
        review_days: account.review_days,
        reviewed_at: time(account.reviewed_at),
        review_due_at: time(account.review_due_at()),
        ends_at: time(account.ends_at),
        version: account.version,
    }
}

/// Runs a use case of the directory, and waits until it is in the ledger.
async fn act<T>(
    service: &Service,
    caller: &Caller,
    run: impl AsyncFnOnce(&mut Directory<'_>) -> Result<(T, Option<Position>), DirectoryError>,
) -> Result<T, Fail> {
    let mut rng = (service.parts.rng)();
    let (store, lease, clock) = (&service.parts.store, &service.parts.lease, service.parts.clock.as_ref());
    let mut directory = Directory { store, lease, clock, rng: &mut *rng, by: caller.person() };
    let (done, position) = run(&mut directory).await?;
    service.recorded(position).await;
    Ok(done)
}

/// Lists what is wrong with people and accounts now: of everybody, or of those whose line manager the caller is.
#[utoipa::path(
    get,
    path = "/api/v1/findings",
    operation_id = "list_findings",
    tag = "Accounts",
    responses((status = 200, description = "What somebody has to see to", body = Findings), super::Refusals)
)]
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Findings>, Fail> {
    Query::of(query.as_deref(), &[])?;
    let (now, pack) = (service.now(), service.pack());
    let viewer = viewer(&service, &caller).await?;
    let sees_all = pack.scope(Act::People, &viewer.roles) == Some(ActScope::All);
    let found = findings(&service.parts.store, now).await?;
    let is_his = |finding: &&Finding| match finding.person() {
        Some(person) => viewer.reaches(&*pack, Act::People, person),
        None => sees_all,
    };
    let items = found.iter().filter(is_his).map(finding).collect();
    Ok(Json(Findings { items, as_of: time(now) }))
}

fn finding(finding: &Finding) -> FindingShown {
    let (mut group, mut roles, mut used_at, mut disabled_at) = (None, Vec::new(), None, None);
    match finding {
        Finding::UnmappedGroup(id) => group = Some(id.to_string()),
        Finding::LeftOver { grants, .. } => roles = grants.iter().map(|(_, role)| role.to_string()).collect(),
        Finding::Idle { used_at: used, disabled_at: disabled, .. } => {
            used_at = Some(time(*used));
            disabled_at = Some(time(*disabled));
        }
        _ => {}
    }
    let person = finding.person().map(|person| person.to_string());
    FindingShown { code: finding.code().to_owned(), person, group, roles, used_at, disabled_at }
}

/// Reads what is registered of an account.
#[utoipa::path(
    get,
    path = "/api/v1/people/{id}/account",
    operation_id = "get_account",
    tag = "Accounts",
    params(("id" = String, Path, description = "The id of the person that stands for it", format = Uuid)),
    responses(
        (status = 200, description = "The account", body = AccountShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn one(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Done, Fail> {
    let found = find(&service, &caller, &id).await?;
    let mut tx = service.parts.store.begin_read().await.map_err(DirectoryError::from)?;
    let account = find_account(&mut tx, found.person.id).await.map_err(DirectoryError::from)?;
    let account = account.ok_or(Fail::NOT_FOUND)?;
    Done::now(&shown(&account), account.version)
}

fn order(new: &NewAccount) -> Result<AccountOrder, Fail> {
    Ok(AccountOrder {
        kind: AccountKind::of(&new.kind).ok_or(Fail::VALUE)?,
        owner: new.owner.parse().map_err(|_| Fail::VALUE)?,
        purpose: Phi::new(new.purpose.trim().to_owned()),
        scopes: new.scopes.clone(),
        rotate_by: parse_time(&new.rotate_by).ok_or(Fail::TIME)?,
        review_days: u16::try_from(new.review_days).map_err(|_| Fail::VALUE)?,
        ends_at: parse_time(&new.ends_at).ok_or(Fail::TIME)?,
    })
}

/// Registers an account: without `If-Match` anew, with it otherwise than at that version.
#[utoipa::path(
    post,
    path = "/api/v1/people/{id}/account",
    operation_id = "register_account",
    tag = "Accounts",
    params(
        ("id" = String, Path, description = "The id of the person that stands for it", format = Uuid),
        ("If-Match" = Option<String>, Header, description = "The version that was read", example = "\"1\"", pattern = "^\"[0-9]{1,18}\"$"),
        OnceKey,
    ),
    request_body = NewAccount,
    responses(
        (status = 200, description = "The account as it is now", body = AccountShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn register(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let new: NewAccount = body::parsed(&bytes)?;
    let is_new = !parts.headers.contains_key(header::IF_MATCH);
    let version = if is_new { None } else { Some(replay::version(&parts.headers)?) };
    let said = (&parts.headers, parts.uri.path(), bytes.as_ref());
    replay::once(&service, &caller, said, async |_| {
        let person: Id<Person> = id.parse().map_err(|_| Fail::NOT_FOUND)?;
        let order = order(&new)?;
        let run = async |directory: &mut Directory<'_>| {
            let done = directory.register_account(person, version, &order).await?;
            Ok((done.value, done.position))
        };
        let account = act(&service, &caller, run).await?;
        Done::now(&shown(&account), account.version)
    })
    .await
}

/// Says that an account is needed as it is: by who answers for it, at the version that was read.
#[utoipa::path(
    post,
    path = "/api/v1/people/{id}/account/review",
    operation_id = "review_account",
    tag = "Accounts",
    params(
        ("id" = String, Path, description = "The id of the person that stands for it", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    responses(
        (status = 200, description = "The account as it is now", body = AccountShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn review(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let parts = request.into_parts().0;
    let version = replay::version(&parts.headers)?;
    replay::once(&service, &caller, (&parts.headers, parts.uri.path(), b""), async |_| {
        let person: Id<Person> = id.parse().map_err(|_| Fail::NOT_FOUND)?;
        let run = async |directory: &mut Directory<'_>| {
            let done = directory.review_account(person, version).await;
            // Who does not answer for it does not learn that it is there.
            let done = done.map_err(|error| match error {
                DirectoryError::NotTheOwner => DirectoryError::NoPerson,
                error => error,
            })?;
            Ok((done.value, done.position))
        };
        let account = act(&service, &caller, run).await?;
        Done::now(&shown(&account), account.version)
    })
    .await
}

/// Brings back an account that lay idle and was disabled: by the nearest manager who is here or, of a system, by who answers for it.
#[utoipa::path(
    post,
    path = "/api/v1/people/{id}/restore",
    operation_id = "restore_account",
    tag = "Accounts",
    params(
        ("id" = String, Path, description = "The person's id", format = Uuid),
        OnceKey,
    ),
    responses((status = 200, description = "The person as he is now", body = super::people::PersonShown), super::Refusals)
)]
pub(crate) async fn restore(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let parts = request.into_parts().0;
    replay::once(&service, &caller, (&parts.headers, parts.uri.path(), b""), async |_| {
        let found = find(&service, &caller, &id).await?;
        let person = found.person.id;
        let run = async |directory: &mut Directory<'_>| {
            let done = directory.restore_account(person).await?;
            Ok(((), done.position))
        };
        act(&service, &caller, run).await?;
        Done::plain(&super::people::shown(find(&service, &caller, &id).await?))
    })
    .await
}

async fn ended(service: &Service, caller: &Caller, id: &str) -> Result<Vec<Ending>, Fail> {
    let person: Id<Person> = id.parse().map_err(|_| Fail::NOT_FOUND)?;
    let viewer = viewer(service, caller).await?;
    if !viewer.reaches(&*service.pack(), Act::People, person) {
        return Err(Fail::NOT_FOUND);
    }
    let mut tx = service.parts.store.begin_read().await.map_err(DirectoryError::from)?;
    find_person(&mut tx, person).await.map_err(DirectoryError::from)?.ok_or(Fail::NOT_FOUND)?;
    drop(tx);
    Ok(endings(&service.parts.store, person).await?)
}

fn entitlements(all: &[Entitlement]) -> Vec<EntitlementShown> {
    let one = |one: &Entitlement| EntitlementShown {
        kind: one.kind.clone(),
        id: one.id.clone(),
        role: one.role.clone(),
        system: one.system.clone(),
    };
    all.iter().map(one).collect()
}

fn took_ms(ending: &Ending) -> i64 {
    ending.completed_at.micros().saturating_sub(ending.requested_at.micros()) / 1_000
}

/// Reads the terminations of a person: every entitlement that was removed, passed on, or not removed.
#[utoipa::path(
    get,
    path = "/api/v1/people/{id}/endings",
    operation_id = "list_endings_of_person",
    tag = "Accounts",
    params(("id" = String, Path, description = "The person's id", format = Uuid)),
    responses((status = 200, description = "The terminations", body = Endings), super::Refusals)
)]
pub(crate) async fn endings_of(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Endings>, Fail> {
    let one = |ending: &Ending| EndingShown {
        requested_by: ending.requested_by.map(|by| by.to_string()),
        approved_by: "rule",
        requested_at: time(ending.requested_at),
        completed_at: time(ending.completed_at),
        took_ms: took_ms(ending),
        removed: entitlements(&ending.removed),
        passed_on: entitlements(&ending.passed_on),
        passed_on_to: ending.heir.map(|heir| heir.to_string()),
        failed: entitlements(&ending.failed),
        waiting: entitlements(&ending.waiting),
    };
    Ok(Json(Endings { items: ended(&service, &caller, &id).await?.iter().map(one).collect() }))
}

/// The same as a table: a row for each entitlement. Ids, codes and instants alone: no cell can be taken for a formula.
#[utoipa::path(
    get,
    path = "/api/v1/people/{id}/endings.csv",
    operation_id = "export_endings_of_person",
    tag = "Accounts",
    params(("id" = String, Path, description = "The person's id", format = Uuid)),
    responses((status = 200, description = "The terminations", body = String, content_type = "text/csv"), super::Refusals)
)]
pub(crate) async fn endings_as_table(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Fail> {
    let mut text = "requested_at,requested_by,completed_at,outcome,kind,id,role,to,system\r\n".to_owned();
    for ending in ended(&service, &caller, &id).await? {
        let rows = [
            ("removed", &ending.removed),
            ("passed_on", &ending.passed_on),
            ("failed", &ending.failed),
            ("waiting", &ending.waiting),
        ];
        for (outcome, entitlements) in rows {
            for one in entitlements {
                let to = ending.heir.filter(|_| outcome == "passed_on").map(|heir| heir.to_string());
                let by = ending.requested_by.map(|by| by.to_string()).unwrap_or_default();
                text.push_str(&format!(
                    "{},{by},{},{outcome},{},{},{},{},{}\r\n",
                    time(ending.requested_at),
                    time(ending.completed_at),
                    one.kind,
                    one.id,
                    one.role.as_deref().unwrap_or_default(),
                    to.unwrap_or_default(),
                    one.system.as_deref().unwrap_or_default(),
                ));
            }
        }
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"terminations.csv\""),
    ];
    Ok((headers, text).into_response())
}
