//! Connected systems: which there are, what their rights stand for, where they grant what nobody holds here, and what becomes of that.

use super::parameters::{OnceKey, SeenVersion};
use super::query::Query;
use super::requests::{message, viewer};
use super::shown::{parse_time, time};
use crate::body::{self, Json};
use crate::caller::Caller;
use crate::fail::Fail;
use crate::replay::{self, Done};
use crate::service::Service;
use axum::extract::{Path, RawQuery, Request, State};
use axum::response::Response;
use scruple_app::directory::{self, Directory, DirectoryError, SystemOrder, SystemsReach};
use scruple_core::{Id, Timestamp};
use scruple_flow::RoleCode;
use scruple_flow::connected::{
    ConnectedSystem, ConnectorKind, Drift, DriftState, RightMeaning, SystemCode, SystemRight,
};
use scruple_policy::Pack;
use scruple_store::{
    DriftFilter, Tx, find_connected_system, find_system_right, list_connected_systems, list_drift, list_system_rights,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// A connected system.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct SystemShown {
    #[schema(format = Uuid)]
    pub id: String,
    /// Its code, as the configuration names its connector.
    pub code: String,
    /// `scim` or `file`.
    pub kind: String,
    /// Who answers for it.
    #[schema(format = Uuid)]
    pub owner: String,
    /// Whether rights that nobody holds here are removed there without asking.
    pub removes_drift: bool,
    /// When what is known of it stood; missing: it was never read whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub read_at: Option<String>,
    /// When it was last tried to read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub looked_at: Option<String>,
    /// Why the last reading failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The version that `If-Match` names, in quotation marks.
    pub version: i64,
}

/// Connected systems.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Systems {
    pub items: Vec<SystemShown>,
}

/// A right that a connected system knows.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct RightShown {
    #[schema(format = Uuid)]
    pub id: String,
    /// What the system calls it.
    pub name: String,
    /// How the system addresses it.
    pub reference: String,
    /// `undecided`, `role` or `nothing`.
    pub meaning: String,
    /// The role of which holders may have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Who has decided that.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Uuid)]
    pub decided_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub decided_at: Option<String>,
    /// The version that `If-Match` names, in quotation marks.
    pub version: i64,
}

/// The rights of a connected system.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct SystemRights {
    pub items: Vec<RightShown>,
}

/// Where a connected system and what is held here differ.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct DriftShown {
    #[schema(format = Uuid)]
    pub id: String,
    #[schema(format = Uuid)]
    pub system: String,
    /// `extra`, `orphan`, `missing`, `undecided` or `stale`.
    pub kind: String,
    /// `drift`: it was granted there and never here. `ended`: it was held here, and that has ended.
    pub cause: String,
    /// The account there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Whose it is, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Uuid)]
    pub person: Option<String>,
    /// The right there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Uuid)]
    pub right: Option<String>,
    /// What the system calls the right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right_name: Option<String>,
    #[schema(format = DateTime)]
    pub opened_at: String,
    /// `open`, `asked`, `excepted`, `confirmed` or `closed`.
    pub state: String,
    /// How often it was tried to remove it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// What came of the last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Why it is let be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Until when it is let be.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub until: Option<String>,
    /// When the whole reading began that showed that it is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub read_at: Option<String>,
    /// The version that `If-Match` names, in quotation marks.
    pub version: i64,
}

/// Where connected systems and what is held here differ.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Drifts {
    pub items: Vec<DriftShown>,
    /// Where the list goes on; missing: it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What is said of a connected system.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSystem {
    /// Its code, as the configuration names its connector.
    #[schema(min_length = 1, max_length = 64, pattern = "^[a-z0-9_-]+$")]
    pub code: String,
    /// `scim` or `file`.
    pub kind: String,
    /// Who answers for it.
    #[schema(format = Uuid)]
    pub owner: String,
    /// Whether rights that nobody holds here are removed there without asking. What has ended here always is.
    #[serde(default)]
    pub removes_drift: bool,
}

/// What a right stands for.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RightDecision {
    /// The role of which holders may have it; missing: it opens nothing that the policy is about.
    pub role: Option<String>,
}

/// Why drift is let be, and until when.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DriftException {
    /// In a sentence.
    #[schema(max_length = 2000)]
    pub why: String,
    /// At most 180 days ahead.
    #[schema(format = DateTime)]
    pub until: String,
}

fn system_shown(system: &ConnectedSystem) -> SystemShown {
    SystemShown {
        id: system.id.to_string(),
        code: system.code.to_string(),
        kind: system.kind.code().to_owned(),
        owner: system.owner.to_string(),
        removes_drift: system.removes_drift,
        read_at: system.read_at.map(time),
        looked_at: system.looked_at.map(time),
        failure: system.failure.map(|failure| failure.code().to_owned()),
        version: system.version,
    }
}

fn right_shown(right: &SystemRight) -> RightShown {
    let decided = match &right.meaning {
        RightMeaning::Undecided => None,
        RightMeaning::Role { by, at, .. } | RightMeaning::Nothing { by, at } => Some((*by, *at)),
    };
    RightShown {
        id: right.id.to_string(),
        name: right.there.expose().name.clone(),
        reference: right.there.expose().reference.clone(),
        meaning: right.meaning.code().to_owned(),
        role: right.meaning.role().map(ToString::to_string),
        decided_by: decided.map(|(by, _)| by.to_string()),
        decided_at: decided.map(|(_, at)| time(at)),
        version: right.version,
    }
}

fn drift_shown(drift: &Drift, right: Option<&SystemRight>) -> DriftShown {
    let excepted = match &drift.state {
        DriftState::Excepted { reason, until, .. } => Some((reason.expose().clone(), time(*until))),
        _ => None,
    };
    let read_at = if let DriftState::Confirmed { read_at, .. } = drift.state { Some(time(read_at)) } else { None };
    DriftShown {
        id: drift.id.to_string(),
        system: drift.system.to_string(),
        kind: drift.kind.code().to_owned(),
        cause: drift.cause.code().to_owned(),
        account: drift.account.as_ref().map(|there| there.expose().name.clone()),
        person: drift.person.map(|person| person.to_string()),
        right: drift.right.map(|right| right.to_string()),
        right_name: right.map(|right| right.there.expose().name.clone()),
        opened_at: time(drift.opened_at),
        state: drift.state.code().to_owned(),
        attempts: drift.removal().map(|removal| removal.attempts),
        failure: drift.removal().and_then(|removal| removal.failure).map(|failure| failure.code().to_owned()),
        reason: excepted.as_ref().map(|(reason, _)| reason.clone()),
        until: excepted.map(|(_, until)| until),
        read_at,
        version: drift.version,
    }
}

async fn shown_with_right(tx: &mut Tx, drift: &Drift) -> Result<DriftShown, Fail> {
    let right = match drift.right {
        Some(right) => find_system_right(tx, right).await?,
        None => None,
    };
    Ok(drift_shown(drift, right.as_ref()))
}

/// All connected systems, by their ids.
async fn all_systems(tx: &mut Tx) -> Result<BTreeMap<Id<ConnectedSystem>, ConnectedSystem>, Fail> {
    let (mut found, mut after) = (BTreeMap::new(), None);
    loop {
        let page = list_connected_systems(tx, after).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(last.id);
        found.extend(page.into_iter().map(|system| (system.id, system)));
    }
}

/// Lists the connected systems of which the caller sees all: those that he answers for, or every one.
#[utoipa::path(
    get,
    path = "/api/v1/systems",
    operation_id = "list_systems",
    tag = "Connected systems",
    responses((status = 200, description = "The systems", body = Systems), super::Refusals)
)]
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Systems>, Fail> {
    Query::of(query.as_deref(), &[])?;
    let (pack, viewer) = (service.pack(), viewer(&service, &caller).await?);
    let reach = SystemsReach::new(&viewer, &*pack);
    let mut tx = service.parts.store.begin_read().await?;
    let all = all_systems(&mut tx).await?;
    Ok(Json(Systems { items: all.values().filter(|system| reach.sees_all(system)).map(system_shown).collect() }))
}

/// Lists the rights that a connected system knows, and what each stands for.
#[utoipa::path(
    get,
    path = "/api/v1/systems/{id}/rights",
    operation_id = "list_system_rights",
    tag = "Connected systems",
    params(("id" = String, Path, description = "The id of the system", format = Uuid)),
    responses((status = 200, description = "The rights", body = SystemRights), super::Refusals)
)]
pub(crate) async fn rights(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<SystemRights>, Fail> {
    let id: Id<ConnectedSystem> = id.parse().map_err(|_| Fail::NOT_FOUND)?;
    let (pack, viewer) = (service.pack(), viewer(&service, &caller).await?);
    let reach = SystemsReach::new(&viewer, &*pack);
    let mut tx = service.parts.store.begin_read().await?;
    let system = find_connected_system(&mut tx, id).await?.filter(|system| reach.sees_all(system));
    let system = system.ok_or(Fail::NOT_FOUND)?;
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let page = list_system_rights(&mut tx, system.id, after).await?;
        let Some(last) = page.last() else { return Ok(Json(SystemRights { items })) };
        after = Some(last.id);
        items.extend(page.iter().map(right_shown));
    }
}

/// Lists where connected systems and what is held here differ, as far as the caller sees it: in the systems that he answers for, of those
/// whom he may see.
#[utoipa::path(
    get,
    path = "/api/v1/drift",
    operation_id = "list_drift",
    tag = "Connected systems",
    params(
        ("system" = Option<String>, Query, description = "Of this system alone", format = Uuid),
        ("all" = Option<bool>, Query, description = "What is over too"),
        ("cursor" = Option<String>, Query, description = "Where the list goes on"),
    ),
    responses((status = 200, description = "The drift", body = Drifts), super::Refusals)
)]
pub(crate) async fn drift(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Drifts>, Fail> {
    let query = Query::of(query.as_deref(), &["system", "all", "cursor"])?;
    let system = query.parsed("system", |text| text.parse::<Id<ConnectedSystem>>().ok())?;
    let with_over = query.parsed("all", |text| text.parse::<bool>().ok())?.unwrap_or(false);
    let after: Option<Id<Drift>> = query.place(&service, &caller, "drift")?;
    let (pack, viewer) = (service.pack(), viewer(&service, &caller).await?);
    let reach = SystemsReach::new(&viewer, &*pack);
    let mut tx = service.parts.store.begin_read().await?;
    let systems = all_systems(&mut tx).await?;
    let page = list_drift(&mut tx, DriftFilter { system, person: None, with_over }, after).await?;
    let mut items = Vec::new();
    for drift in &page {
        if systems.get(&drift.system).is_some_and(|system| reach.sees(system, drift)) {
            items.push(shown_with_right(&mut tx, drift).await?);
        }
    }
    let next = query.next(&service, &caller, "drift", page.last().map(|last| &last.id))?;
    Ok(Json(Drifts { items, next }))
}

fn order(new: &NewSystem) -> Result<SystemOrder, Fail> {
    Ok(SystemOrder {
        code: new.code.parse::<SystemCode>().map_err(|_| Fail::VALUE)?,
        kind: ConnectorKind::of(&new.kind).ok_or(Fail::VALUE)?,
        owner: new.owner.parse().map_err(|_| Fail::VALUE)?,
        removes_drift: new.removes_drift,
    })
}

/// Runs a use case, and waits until it is in the ledger.
async fn act<T>(
    service: &Service,
    caller: &Caller,
    run: impl AsyncFnOnce(&mut Directory<'_>, SystemsReach<'_>, &Pack) -> Result<directory::Done<T>, DirectoryError>,
) -> Result<T, Fail> {
    let (pack, viewer) = (service.pack(), viewer(service, caller).await?);
    let mut rng = (service.parts.rng)();
    let (store, lease, clock) = (&service.parts.store, &service.parts.lease, service.parts.clock.as_ref());
    let mut directory = Directory { store, lease, clock, rng: &mut *rng, by: caller.person() };
    let done = run(&mut directory, SystemsReach::new(&viewer, &*pack), &pack).await?;
    service.recorded(done.position).await;
    Ok(done.value)
}

/// Connects a system: a connector of the configuration has its code, and somebody who is here answers for it.
#[utoipa::path(
    post,
    path = "/api/v1/systems",
    operation_id = "connect_system",
    tag = "Connected systems",
    params(OnceKey),
    request_body = NewSystem,
    responses(
        (status = 200, description = "The system", body = SystemShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn create(
    State(service): State<Arc<Service>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    replay::once(&service, &caller, (&parts.headers, parts.uri.path(), bytes.as_ref()), async |_| {
        let order = order(&body::parsed(&bytes)?)?;
        let run =
            async |directory: &mut Directory<'_>, _: SystemsReach<'_>, _: &Pack| directory.connect_system(&order).await;
        let system = act(&service, &caller, run).await?;
        Done::now(&system_shown(&system), system.version)
    })
    .await
}

/// Says something else of a connected system; its code stays.
#[utoipa::path(
    post,
    path = "/api/v1/systems/{id}",
    operation_id = "change_system",
    tag = "Connected systems",
    params(
        ("id" = String, Path, description = "The id of the system", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    request_body = NewSystem,
    responses(
        (status = 200, description = "The system as it is now", body = SystemShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn change(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let version = replay::version(&parts.headers)?;
    replay::once(&service, &caller, (&parts.headers, parts.uri.path(), bytes.as_ref()), async |_| {
        let id = id.parse().map_err(|_| Fail::NOT_FOUND)?;
        let order = order(&body::parsed(&bytes)?)?;
        let run = async |directory: &mut Directory<'_>, _: SystemsReach<'_>, _: &Pack| {
            directory.change_system((id, version), &order).await
        };
        let system = act(&service, &caller, run).await?;
        Done::now(&system_shown(&system), system.version)
    })
    .await
}

/// Has a connected system read now; it is done when `looked_at` is later.
#[utoipa::path(
    post,
    path = "/api/v1/systems/{id}/read",
    operation_id = "read_system",
    tag = "Connected systems",
    params(
        ("id" = String, Path, description = "The id of the system", format = Uuid),
        OnceKey,
    ),
    responses(
        (status = 200, description = "The system as it is now", body = SystemShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn read(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let parts = request.into_parts().0;
    replay::once(&service, &caller, (&parts.headers, parts.uri.path(), b""), async |_| {
        let id = id.parse().map_err(|_| Fail::NOT_FOUND)?;
        let run = async |directory: &mut Directory<'_>, reach: SystemsReach<'_>, _: &Pack| {
            directory.want_reading(reach, id).await
        };
        let system = act(&service, &caller, run).await?;
        Done::now(&system_shown(&system), system.version)
    })
    .await
}

/// Says what a right of a connected system stands for.
#[utoipa::path(
    post,
    path = "/api/v1/system-rights/{id}/decide",
    operation_id = "decide_system_right",
    tag = "Connected systems",
    params(
        ("id" = String, Path, description = "The id of the right", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    request_body = RightDecision,
    responses(
        (status = 200, description = "The right as it is now", body = RightShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn decide(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let version = replay::version(&parts.headers)?;
    replay::once(&service, &caller, (&parts.headers, parts.uri.path(), bytes.as_ref()), async |_| {
        let id = id.parse().map_err(|_| Fail::NOT_FOUND)?;
        let said: RightDecision = body::parsed(&bytes)?;
        let role = said.role.map(|role| role.parse::<RoleCode>().map_err(|_| Fail::VALUE)).transpose()?;
        let run = async |directory: &mut Directory<'_>, _: SystemsReach<'_>, pack: &Pack| {
            directory.decide_right(pack, (id, version), role).await
        };
        let right = act(&service, &caller, run).await?;
        Done::now(&right_shown(&right), right.version)
    })
    .await
}

/// Asks for what a system should not grant to be removed there: it is tried until a reading shows that it is gone.
#[utoipa::path(
    post,
    path = "/api/v1/drift/{id}/remove",
    operation_id = "remove_drift",
    tag = "Connected systems",
    params(
        ("id" = String, Path, description = "The id of the drift", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    responses(
        (status = 200, description = "The drift as it is now", body = DriftShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn remove(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let parts = request.into_parts().0;
    let version = replay::version(&parts.headers)?;
    replay::once(&service, &caller, (&parts.headers, parts.uri.path(), b""), async |_| {
        let id: Id<Drift> = id.parse().map_err(|_| Fail::NOT_FOUND)?;
        let run = async |directory: &mut Directory<'_>, reach: SystemsReach<'_>, _: &Pack| {
            directory.remove_drift(reach, (id, version)).await
        };
        let drift = act(&service, &caller, run).await?;
        let shown = shown_with_right(&mut service.parts.store.begin_read().await?, &drift).await?;
        Done::now(&shown, drift.version)
    })
    .await
}

/// Lets drift be for a time: somebody else than whose right it is, with a reason and an end.
#[utoipa::path(
    post,
    path = "/api/v1/drift/{id}/except",
    operation_id = "except_drift",
    tag = "Connected systems",
    params(
        ("id" = String, Path, description = "The id of the drift", format = Uuid),
        SeenVersion,
        OnceKey,
    ),
    request_body = DriftException,
    responses(
        (status = 200, description = "The drift as it is now", body = DriftShown, headers(("etag" = String, description = "Its version"))),
        super::Refusals,
    )
)]
pub(crate) async fn except(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fail> {
    let (parts, bytes) = message(request).await?;
    let version = replay::version(&parts.headers)?;
    replay::once(&service, &caller, (&parts.headers, parts.uri.path(), bytes.as_ref()), async |_| {
        let id: Id<Drift> = id.parse().map_err(|_| Fail::NOT_FOUND)?;
        let said: DriftException = body::parsed(&bytes)?;
        let until: Timestamp = parse_time(&said.until).ok_or(Fail::TIME)?;
        let run = async |directory: &mut Directory<'_>, reach: SystemsReach<'_>, _: &Pack| {
            directory.except_drift(reach, (id, version), (&said.why, until)).await
        };
        let drift = act(&service, &caller, run).await?;
        let shown = shown_with_right(&mut service.parts.store.begin_read().await?, &drift).await?;
        Done::now(&shown, drift.version)
    })
    .await
}
