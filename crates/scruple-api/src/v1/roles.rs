//! The roles of the active policy, and how many hold them at an instant.

use super::query::Query;
use super::shown::{parse_time, time};
use crate::body::Json;
use crate::caller::Caller;
use crate::fail::Fail;
use crate::service::Service;
use axum::extract::{Path, RawQuery, State};
use scruple_core::{Id, Timestamp};
use scruple_policy::Role;
use scruple_store::{Grant, grants_as_of, limits::PAGE_ROWS_MAX};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use utoipa::ToSchema;

/// A role.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct RoleShown {
    /// Its code.
    pub id: String,
    pub label: String,
    /// Its main purpose of use, and the others.
    pub purposes_of_use: Vec<String>,
    pub risk_tier: String,
    /// What it is for.
    pub tasks: Vec<String>,
    /// Why this is the minimum.
    pub defence: String,
    /// May open a record in an emergency.
    pub emergency_access: bool,
}

/// The roles of a policy.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Roles {
    pub items: Vec<RoleShown>,
    /// The hash of the policy.
    pub policy: String,
}

/// A role with what it opens and how many hold it.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct RoleSheet {
    #[serde(flatten)]
    pub role: RoleShown,
    /// By main purpose, with a relationship: each kind of information as `full`, or `masked:` and the mask.
    pub opens: BTreeMap<String, String>,
    /// How many held it.
    pub held_by: u64,
    /// When.
    #[schema(format = DateTime)]
    pub as_of: String,
    /// The hash of the policy, which is the one of now.
    pub policy: String,
}

fn shown(role: &Role) -> RoleShown {
    RoleShown {
        id: role.name.clone(),
        label: role.label.clone(),
        purposes_of_use: role.purposes().into_iter().map(str::to_owned).collect(),
        risk_tier: role.risk_tier.clone(),
        tasks: role.tasks.iter().map(|task| task.label.clone()).collect(),
        defence: role.defence.clone(),
        emergency_access: role.emergency_access,
    }
}

/// Lists the roles of the policy.
#[utoipa::path(
    get,
    path = "/api/v1/roles",
    operation_id = "list_roles",
    tag = "Roles",
    responses((status = 200, description = "The roles", body = Roles), super::Refusals)
)]
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    _: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Roles>, Fail> {
    Query::of(query.as_deref(), &[])?;
    let pack = service.pack();
    let items = pack.roles.values().filter(|role| !role.is_profile).map(shown).collect();
    Ok(Json(Roles { items, policy: pack.hash.to_string() }))
}

/// Reads a role, and how many held it at an instant.
#[utoipa::path(
    get,
    path = "/api/v1/roles/{id}",
    operation_id = "get_role",
    tag = "Roles",
    params(
        ("id" = String, Path, description = "Its code"),
        ("at" = Option<String>, Query, description = "When; without it now", format = DateTime),
    ),
    responses((status = 200, description = "The role", body = RoleSheet), super::Refusals)
)]
pub(crate) async fn one(
    State(service): State<Arc<Service>>,
    _: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<RoleSheet>, Fail> {
    let query = Query::of(query.as_deref(), &["at"])?;
    let at = query.text("at").map(|text| parse_time(text).ok_or(Fail::TIME)).transpose()?.unwrap_or(service.now());
    let pack = service.pack();
    let role = pack.roles.get(&id).filter(|role| !role.is_profile).ok_or(Fail::NOT_FOUND)?;
    let held_by = holders(&service, &id, at).await?;
    let opens = service.parts.pipeline.policy().opens(&role.name, &role.purpose);
    Ok(Json(RoleSheet { role: shown(role), opens, held_by, as_of: time(at), policy: pack.hash.to_string() }))
}

/// How many people held a role at an instant.
async fn holders(service: &Service, role: &str, at: Timestamp) -> Result<u64, Fail> {
    let mut tx = service.parts.store.begin_read().await?;
    let (mut people, mut after): (BTreeSet<_>, Option<Id<Grant>>) = (BTreeSet::new(), None);
    loop {
        let page = grants_as_of(&mut tx, at, after, PAGE_ROWS_MAX).await?;
        let Some(last) = page.last() else { return Ok(people.len() as u64) };
        after = Some(last.id);
        people.extend(page.iter().filter(|grant| grant.role.as_str() == role).map(|grant| grant.person));
    }
}
