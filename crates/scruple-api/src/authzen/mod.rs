//! AuthZEN Authorization API 1.0: other systems ask here what the gateway would let somebody read, and enforce the answer.
//!
//! A subject is a person here, by login. A resource is a kind of information (`category`), a type of resource (`fhir`, or a
//! resource of one by the type's own name), or the record of a patient (`patient`). Reasons come from policy alone: whether
//! there is such a patient, and what labels his data carries, is not told. Each evaluation is an entry of the ledger before
//! it is told.

mod answer;
mod evaluate;
mod question;
mod search;
pub(crate) mod wire;

pub(crate) use answer::Denial;
pub(crate) use evaluate::{__path_evaluation, __path_evaluations, evaluation, evaluations};
pub(crate) use search::{
    __path_search_action, __path_search_resource, __path_search_subject, search_action, search_resource, search_subject,
};

use crate::body::Json;
use crate::service::Service;
use axum::extract::State;
use std::sync::Arc;
use wire::Metadata;

/// Where the endpoints are, and what they can.
#[utoipa::path(
    get,
    path = "/.well-known/authzen-configuration",
    operation_id = "get_authzen_configuration",
    tag = "AuthZEN",
    security(()),
    responses((status = 200, description = "The addresses of the decision point", body = Metadata))
)]
pub(crate) async fn metadata(State(service): State<Arc<Service>>) -> Json<Metadata> {
    let base = &service.parts.base;
    let at = |path: &str| format!("{base}{path}");
    Json(Metadata {
        policy_decision_point: base.clone(),
        access_evaluation_endpoint: at("/access/v1/evaluation"),
        access_evaluations_endpoint: at("/access/v1/evaluations"),
        search_subject_endpoint: at("/access/v1/search/subject"),
        search_resource_endpoint: at("/access/v1/search/resource"),
        search_action_endpoint: at("/access/v1/search/action"),
        access_request_endpoint: at("/api/v1/access-requests"),
        supported_obligations: vec![answer::OBLIGATION_TYPE.to_owned()],
    })
}
