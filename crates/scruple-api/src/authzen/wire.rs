//! What goes over the wire. Unknown fields of requests are ignored (AuthZEN 1.0, transport).

use crate::body::{object, object_if_any, whole_if_any};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// The person whom it is about.
#[derive(Clone, Deserialize, Debug, ToSchema)]
pub(crate) struct Subject {
    /// `user`.
    #[schema(max_length = 256, example = "user")]
    pub r#type: String,
    /// The login.
    #[schema(max_length = 256, example = "megan.doyle")]
    pub id: String,
    /// `role`: in which of his roles he acts.
    pub properties: Option<Map<String, Value>>,
}

/// People who are searched for.
#[derive(Clone, Deserialize, Debug, ToSchema)]
pub(crate) struct SubjectType {
    /// `user`.
    #[schema(max_length = 256, example = "user")]
    pub r#type: String,
    /// `role`: in which role they act.
    pub properties: Option<Map<String, Value>>,
}

/// What is to be done.
#[derive(Clone, Deserialize, Debug, ToSchema)]
pub(crate) struct Action {
    /// `read` or `search`.
    #[schema(max_length = 256, example = "read")]
    pub name: String,
    /// `purpose_of_use`: an HL7 v3 ActReason code; `view`: `full`, where a part is not enough.
    pub properties: Option<Map<String, Value>>,
}

/// What it is to be done to.
#[derive(Clone, Deserialize, Debug, ToSchema)]
pub(crate) struct Resource {
    /// `category`, `fhir`, `patient`, or a FHIR resource type.
    #[schema(max_length = 256, example = "category")]
    pub r#type: String,
    /// The kind of information, the resource type, the patient's id, or the resource's.
    #[schema(max_length = 256, example = "labs")]
    pub id: String,
    /// `patient`: whose it is; `segments`: the labels that it carries.
    pub properties: Option<Map<String, Value>>,
}

/// Resources that are searched for.
#[derive(Clone, Deserialize, Debug, ToSchema)]
pub(crate) struct ResourceTypeOf {
    /// `category` or `fhir`.
    #[schema(max_length = 256, example = "category")]
    pub r#type: String,
    /// `segments`: the labels that they carry.
    pub properties: Option<Map<String, Value>>,
}

/// One question.
#[derive(Clone, Deserialize, Debug, ToSchema)]
pub(crate) struct EvaluationRequest {
    #[serde(deserialize_with = "object")]
    pub subject: Subject,
    #[serde(deserialize_with = "object")]
    pub action: Action,
    #[serde(deserialize_with = "object")]
    pub resource: Resource,
    /// `purpose_of_use`, where the action names none; `supported_obligations`.
    pub context: Option<Map<String, Value>>,
}

/// Several questions. What one of them leaves out is taken from the top.
#[derive(Clone, Deserialize, Debug, ToSchema)]
#[expect(dead_code, reason = "read for their types: what an item inherits is taken as it was said")]
pub(crate) struct EvaluationsRequest {
    #[serde(default, deserialize_with = "object_if_any")]
    pub subject: Option<Subject>,
    #[serde(default, deserialize_with = "object_if_any")]
    pub action: Option<Action>,
    #[serde(default, deserialize_with = "object_if_any")]
    pub resource: Option<Resource>,
    pub context: Option<Map<String, Value>>,
    /// The questions, at most 100; without any the top is the one question.
    #[schema(value_type = Option<Vec<Object>>, max_items = 100)]
    pub evaluations: Option<Vec<Value>>,
    #[serde(default, deserialize_with = "object_if_any")]
    pub options: Option<Options>,
}

/// How several questions are answered.
#[derive(Clone, Deserialize, Debug, Default, ToSchema)]
pub(crate) struct Options {
    /// When to stop.
    pub evaluations_semantic: Option<Semantic>,
}

/// When to stop.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq, Debug, Default, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Semantic {
    /// Never.
    #[default]
    ExecuteAll,
    /// At the first no.
    DenyOnFirstDeny,
    /// At the first yes.
    PermitOnFirstPermit,
}

/// Who may do this?
#[derive(Clone, Deserialize, Debug, ToSchema)]
pub(crate) struct SubjectSearch {
    #[serde(deserialize_with = "object")]
    pub subject: SubjectType,
    #[serde(deserialize_with = "object")]
    pub action: Action,
    #[serde(deserialize_with = "object")]
    pub resource: Resource,
    pub context: Option<Map<String, Value>>,
    #[serde(default, deserialize_with = "object_if_any")]
    pub page: Option<PageRequest>,
}

/// To what may somebody do this?
#[derive(Clone, Deserialize, Debug, ToSchema)]
pub(crate) struct ResourceSearch {
    #[serde(deserialize_with = "object")]
    pub subject: Subject,
    #[serde(deserialize_with = "object")]
    pub action: Action,
    #[serde(deserialize_with = "object")]
    pub resource: ResourceTypeOf,
    pub context: Option<Map<String, Value>>,
    #[serde(default, deserialize_with = "object_if_any")]
    pub page: Option<PageRequest>,
}

/// What may somebody do with this?
#[derive(Clone, Deserialize, Debug, ToSchema)]
pub(crate) struct ActionSearch {
    #[serde(deserialize_with = "object")]
    pub subject: Subject,
    #[serde(deserialize_with = "object")]
    pub resource: Resource,
    pub context: Option<Map<String, Value>>,
    #[serde(default, deserialize_with = "object_if_any")]
    pub page: Option<PageRequest>,
}

/// Which part of what is found.
#[derive(Clone, Deserialize, Debug, Default, ToSchema)]
pub(crate) struct PageRequest {
    /// `next_token` of the page before.
    pub token: Option<String>,
    /// At most so many; more than 100 are 100.
    #[serde(default, deserialize_with = "whole_if_any")]
    #[schema(minimum = 0, maximum = 1000000)]
    pub limit: Option<i64>,
}

/// An answer.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Decision {
    /// Whether it may be done.
    pub decision: bool,
    /// Why, by which policy, and what goes with it.
    #[schema(value_type = Object)]
    pub context: Map<String, Value>,
}

/// Answers, in the order of the questions; or the one answer.
#[derive(Serialize, Debug, ToSchema)]
#[serde(untagged)]
pub(crate) enum Decisions {
    /// To several questions.
    Several {
        /// In their order.
        evaluations: Vec<Decision>,
    },
    /// To one.
    One(Decision),
}

/// What was found.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Found {
    pub page: PageAnswer,
    /// Why nothing is found where nothing can be.
    #[schema(value_type = Object)]
    pub context: Map<String, Value>,
    /// Subjects, resources or actions.
    pub results: Vec<Entity>,
}

/// One of them.
#[derive(Serialize, Debug, PartialEq, Eq, ToSchema)]
pub(crate) struct Entity {
    /// Of a subject or resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// Of a subject or resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Of an action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The role of a subject, the view of a resource, the purpose of use of an action.
    #[schema(value_type = Object)]
    pub properties: Map<String, Value>,
}

/// Where it goes on.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct PageAnswer {
    /// The token of the next page; empty at the end.
    pub next_token: String,
    /// How many are here.
    pub count: usize,
}

/// Where the endpoints are.
#[derive(Serialize, Debug, ToSchema)]
pub(crate) struct Metadata {
    pub policy_decision_point: String,
    pub access_evaluation_endpoint: String,
    pub access_evaluations_endpoint: String,
    pub search_subject_endpoint: String,
    pub search_resource_endpoint: String,
    pub search_action_endpoint: String,
    /// Where a denial that can be asked for is asked for.
    pub access_request_endpoint: String,
    /// Types of obligations that an answer may carry.
    pub supported_obligations: Vec<String>,
}
