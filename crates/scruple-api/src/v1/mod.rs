//! `/api/v1`: what people do in the console, for programs that act for them. The same use cases and the same matrix.

pub(crate) mod access;
pub(crate) mod accounts;
pub(crate) mod asked;
pub(crate) mod cases;
pub(crate) mod charts;
pub(crate) mod deputies;
pub(crate) mod elevations;
pub(crate) mod evidence;
pub(crate) mod figures;
pub(crate) mod longer;
mod parameters;
pub(crate) mod people;
pub(crate) mod projects;
mod query;
pub(crate) mod reads;
pub(crate) mod requests;
pub(crate) mod reviews;
pub(crate) mod roles;
pub(crate) mod shown;
mod shown_tasks;
pub(crate) mod signals;
pub(crate) mod steps;
pub(crate) mod systems;
pub(crate) mod tasks;
pub(crate) mod unused;
pub(crate) mod versions;

use crate::authzen;
use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, Modify, OpenApi, ToSchema};

/// Problem details (RFC 9457).
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Problem {
    /// A URI of the kind of problem, or `about:blank`.
    pub r#type: String,
    /// What is wrong, the same for every occurrence.
    pub title: String,
    pub status: u16,
    /// What can be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The stable code.
    pub code: String,
    /// The request that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

/// What every route can answer beside what it is for.
pub(crate) struct Refusals;

const REFUSALS: [(u16, &str); 12] = [
    (400, "The request is not what the schema asks for"),
    (401, "No token, one that is not accepted, or one of somebody who must confirm first that it is he"),
    (403, "The token has not the scope, or the policy does not let the caller do this"),
    (404, "There is no such thing, or not for the caller"),
    (409, "It stands where this does not follow"),
    (412, "It has changed since it was read"),
    (413, "The body is too large"),
    (415, "The body is not application/json"),
    (422, "The policy does not allow what is asked, or the key came with another request"),
    (428, "If-Match is missing"),
    (500, "The request failed"),
    (503, "Not now: what cannot be decided, stored or recorded is not told"),
];

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let content = || ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let one = |(status, description): (u16, &str)| {
            let response =
                ResponseBuilder::new().description(description).content("application/problem+json", content());
            (status.to_string(), RefOr::T(response.build()))
        };
        REFUSALS.into_iter().map(one).collect()
    }
}

struct Tokens;

impl Modify for Tokens {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_with(Default::default);
        let token = Http::builder()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("An access token (RFC 9068) of a person or service account who is here"))
            .build();
        components.add_security_scheme("token", SecurityScheme::Http(token));
    }
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Scruple", version = "1", description = "Access, requests, reviews and decisions under the minimum necessary standard"),
    modifiers(&Tokens),
    security(("token" = [])),
    paths(
        authzen::metadata, authzen::evaluation, authzen::evaluations, authzen::search_subject, authzen::search_resource,
        authzen::search_action, document, access::mine, requests::list, requests::create, requests::one, requests::approve,
    requests::refuse, requests::withdraw, elevations::list, elevations::one, elevations::end, elevations::end_grant, evidence::pack, reviews::list, reviews::one, reviews::close, people::list, people::one, people::grants, people::leave, roles::list, roles::one, versions::list, versions::one, versions::draft, reads::under, reads::by_grant, accounts::list, accounts::one, accounts::register, accounts::review, accounts::restore, accounts::endings_of, accounts::endings_as_table, figures::of_approvers, figures::of_roles, figures::unreviewed, steps::mine, steps::acknowledge, steps::record, steps::of_person, unused::list, unused::object, unused::decide, tasks::list, tasks::create, tasks::one, tasks::approve, tasks::refuse, tasks::begin, tasks::close, tasks::record, tasks::end, tasks::unmask, tasks::close_ticket, longer::extend, longer::reminder, deputies::list, deputies::create, deputies::accept, deputies::end, projects::list, projects::create, projects::one, projects::approve, projects::refuse, projects::withdraw, projects::end, signals::take, elevations::confirm_protected, systems::list, systems::create, systems::change, systems::read, systems::rights, systems::decide, systems::drift, systems::remove, systems::except, charts::list, charts::create, charts::one, cases::create, cases::list, cases::one, cases::ask, cases::decide, cases::letter, asked::list, asked::one, asked::answer,
    ),
    components(schemas(Problem, versions::Faulty))
)]
struct Document;

/// The OpenAPI document.
#[must_use]
pub fn openapi() -> String {
    Document::openapi().to_pretty_json().unwrap_or_default()
}

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(openapi()));

/// This document.
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    operation_id = "get_openapi",
    tag = "API",
    security(()),
    responses((status = 200, description = "The OpenAPI document", body = Object))
)]
pub(crate) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.clone()).into_response()
}
