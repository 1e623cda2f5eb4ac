//! What is refused, as problem details (RFC 9457). Codes are stable and texts are constants: nothing of a request, of a person
//! or of a record gets into one.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use scruple_app::charts::{ChartError, NumberError};
use scruple_app::directory::DirectoryError;
use scruple_app::{AccessError, DeskError};
use scruple_flow::connected::DriftError;
use scruple_flow::unused::UnusedError;
use scruple_flow::{CaseError, DeputyError, DormancyError, ElevationError, ProjectError, RequestError, TaskError};
use scruple_http::Problem;
use scruple_store::StoreError;

/// A refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fail {
    pub status: StatusCode,
    pub code: &'static str,
    pub title: &'static str,
    pub detail: Option<&'static str>,
    /// The challenge of a 401 or 403 (RFC 6750, RFC 9470).
    pub challenge: Option<&'static str>,
    /// A URI of the kind of problem.
    pub kind: Option<&'static str>,
}

const fn fail(status: StatusCode, code: &'static str, title: &'static str) -> Fail {
    Fail { status, code, title, detail: None, challenge: None, kind: None }
}

const fn challenged(status: StatusCode, code: &'static str, title: &'static str, challenge: &'static str) -> Fail {
    Fail { challenge: Some(challenge), ..fail(status, code, title) }
}

/// The problems of the access request profile of AuthZEN.
const BINDING: &str = "urn:openid:authzen:access-request:error:invalid_denial_binding";
const DENIAL_OVER: &str = "urn:openid:authzen:access-request:error:expired_denial";
const TASK_STATE: &str = "urn:openid:authzen:access-request:error:invalid_task_state";
const NOT_REQUESTABLE: &str = "urn:openid:authzen:access-request:error:not_requestable";

impl Fail {
    pub const NO_TOKEN: Self =
        challenged(StatusCode::UNAUTHORIZED, "token_missing", "an access token is needed", "Bearer");
    pub const BAD_TOKEN: Self = challenged(
        StatusCode::UNAUTHORIZED,
        "token_refused",
        "the access token is not accepted",
        "Bearer error=\"invalid_token\"",
    );
    pub const NOBODY: Self = challenged(
        StatusCode::UNAUTHORIZED,
        "person_not_here",
        "whom the token names is not here",
        "Bearer error=\"invalid_token\"",
    );
    pub const SCOPE: Self = challenged(
        StatusCode::FORBIDDEN,
        "insufficient_scope",
        "the access token has not the scope that this needs",
        "Bearer error=\"insufficient_scope\"",
    );
    pub const ACT: Self =
        fail(StatusCode::FORBIDDEN, "act_not_permitted", "the policy does not let the caller do this");
    pub const NOT_FOUND: Self = fail(StatusCode::NOT_FOUND, "not_found", "there is no such thing here");
    pub const METHOD: Self =
        fail(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this does not take the method");
    pub const MEDIA: Self = fail(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type", "the body is not application/json");
    pub const MEDIA_400: Self = fail(StatusCode::BAD_REQUEST, "media_type", "the body is not application/json");
    pub const TOO_LARGE: Self = fail(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body is too large");
    pub const BODY: Self = fail(StatusCode::BAD_REQUEST, "body_broken", "the body did not arrive");
    pub const MALFORMED: Self =
        fail(StatusCode::BAD_REQUEST, "malformed", "the request is not what the schema asks for");
    pub const VALUE: Self =
        fail(StatusCode::UNPROCESSABLE_ENTITY, "value_invalid", "a role, a patient's id or a ticket is none");
    pub const QUERY: Self =
        fail(StatusCode::BAD_REQUEST, "query_malformed", "a parameter is unknown, stands twice, or has a wrong value");
    pub const TIME: Self = fail(
        StatusCode::UNPROCESSABLE_ENTITY,
        "time_malformed",
        "a time is an instant of RFC 3339 that a clock can show",
    );
    pub const POLICY_OF_FOLDER: Self = fail(
        StatusCode::CONFLICT,
        "policy_of_folder",
        "the policy of this node is a folder of its configuration: no version takes its place",
    );
    pub const POLICY_FAULTY: Self = fail(StatusCode::UNPROCESSABLE_ENTITY, "policy_faulty", "the policy has errors");
    pub const NOT_PROVED: Self =
        fail(StatusCode::UNPROCESSABLE_ENTITY, "policy_not_proved", "the two evaluations of the policy differ");
    pub const TOO_RECENT: Self = fail(
        StatusCode::UNPROCESSABLE_ENTITY,
        "as_of_too_recent",
        "what stood at an instant can be told a minute later",
    );
    pub const CURSOR: Self = fail(
        StatusCode::UNPROCESSABLE_ENTITY,
        "cursor_invalid",
        "the cursor is not of this list, not of this caller, or too old",
    );
    pub const TOO_MANY: Self =
        fail(StatusCode::BAD_REQUEST, "evaluations_too_many", "too many evaluations in one request");
    pub const NO_VERSION: Self = fail(
        StatusCode::PRECONDITION_REQUIRED,
        "version_missing",
        "what is changed is named by its version: If-Match with the ETag that was read",
    );
    pub const OLD_VERSION: Self = fail(StatusCode::PRECONDITION_FAILED, "changed", "it has changed since it was read");
    pub const BAD_KEY: Self =
        fail(StatusCode::BAD_REQUEST, "idempotency_key_invalid", "Idempotency-Key is no text of at most 255 letters");
    pub const OTHER_BODY: Self = fail(
        StatusCode::UNPROCESSABLE_ENTITY,
        "idempotency_key_reused",
        "this Idempotency-Key came with another request before",
    );
    pub const IN_PROGRESS: Self = fail(
        StatusCode::CONFLICT,
        "idempotency_key_in_use",
        "a request with this Idempotency-Key is being worked on: try again",
    );
    pub const NOBODY_STAYS: Self = fail(
        StatusCode::UNPROCESSABLE_ENTITY,
        "nobody_stays",
        "an approval leaves at least one patient, of those that were asked for",
    );
    pub const BINDING: Self = Self {
        kind: Some(BINDING),
        ..fail(StatusCode::UNPROCESSABLE_ENTITY, "invalid_denial_binding", "the request is not for what was denied")
    };
    pub const DENIAL_OVER: Self = Self {
        kind: Some(DENIAL_OVER),
        ..fail(StatusCode::UNPROCESSABLE_ENTITY, "expired_denial", "the denial is too old: ask for the decision again")
    };
    pub const OWN: Self = fail(StatusCode::FORBIDDEN, "own_leaving", "nobody tells of himself that he leaves");
    pub const ACCOUNT: Self = fail(
        StatusCode::UNPROCESSABLE_ENTITY,
        "account_invalid",
        "an account has an owner who is here, a purpose in a sentence, scopes, and a rotation, a review and an end within two years",
    );
    pub const REASON: Self =
        fail(StatusCode::UNPROCESSABLE_ENTITY, "reason_weak", "the reason does not say what it is for");
    pub const NOTICE: Self = fail(StatusCode::CONFLICT, "notice_state", "the notice stands where this does not follow");
    pub const DRIFT: Self = fail(StatusCode::CONFLICT, "drift_state", "it stands where this does not follow");
    pub const NOT_LET_BE: Self = fail(
        StatusCode::UNPROCESSABLE_ENTITY,
        "drift_not_let_be",
        "somebody else lets drift be that has not ended here, for at most 180 days",
    );
    pub const SYSTEM_TAKEN: Self =
        fail(StatusCode::CONFLICT, "system_taken", "a system with this code is connected already");
    pub const NO_ROLE: Self = fail(StatusCode::UNPROCESSABLE_ENTITY, "role_unknown", "the policy has no such role");
    pub const NOT_IDLE: Self = fail(StatusCode::CONFLICT, "not_disabled", "the account is not disabled");
    pub const NOT_THE_MANAGER: Self = fail(
        StatusCode::FORBIDDEN,
        "not_the_manager",
        "an account is brought back by the nearest manager who is here, or by who answers for it",
    );
    pub const NUMBER: Self =
        fail(StatusCode::UNPROCESSABLE_ENTITY, "number_invalid", "a patient is named by a record number or an id");
    pub const NUMBER_OF_SEVERAL: Self = fail(
        StatusCode::UNPROCESSABLE_ENTITY,
        "number_of_several",
        "more than one patient has this number: name one by the id of the record system",
    );
    pub const RECORD_SYSTEM: Self = fail(
        StatusCode::SERVICE_UNAVAILABLE,
        "record_system_unavailable",
        "the record system does not answer, so that it is not known whose number it is",
    );
    pub const PERIOD: Self = fail(
        StatusCode::UNPROCESSABLE_ENTITY,
        "period_invalid",
        "a period is a month, or an instant and a later one; without either, the last 30 days",
    );
    pub const UNRECORDED: Self = fail(
        StatusCode::SERVICE_UNAVAILABLE,
        "not_recorded",
        "the ledger does not record, and what is not recorded is not told",
    );
    pub const UNAVAILABLE: Self =
        fail(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the state cannot be reached now: try again");
    pub const STALE: Self = fail(
        StatusCode::SERVICE_UNAVAILABLE,
        "access_feed_stale",
        "who may see what cannot be told right now: try again",
    );
    pub const INTERNAL: Self = fail(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the request failed");

    /// What the desk refuses.
    pub fn of_desk(error: &DeskError) -> Self {
        let status = match error {
            DeskError::Store(source) => return Self::of_store(source),
            DeskError::Unknown => return Self::NOT_FOUND,
            DeskError::Changed => return Self::OLD_VERSION,
            DeskError::Gone => return Self::NOBODY,
            DeskError::Request(RequestError::StepUp) | DeskError::Task(TaskError::StepUp) => {
                return challenged(
                    StatusCode::UNAUTHORIZED,
                    "step_up_required",
                    "this needs a token of somebody who has just confirmed that it is he",
                    "Bearer error=\"insufficient_user_authentication\", max_age=300",
                );
            }
            DeskError::Forbidden => return Self::ACT,
            DeskError::NotAllowed => {
                return Self {
                    kind: Some(NOT_REQUESTABLE),
                    ..fail(StatusCode::FORBIDDEN, "not_requestable", "the policy does not give this in the role")
                };
            }
            DeskError::RoleNotHeld => StatusCode::FORBIDDEN,
            DeskError::Request(RequestError::Transition { .. }) => {
                return Self {
                    kind: Some(TASK_STATE),
                    ..fail(StatusCode::CONFLICT, "invalid_task_state", "the request stands where this does not follow")
                };
            }
            DeskError::Request(RequestError::OwnRequest | RequestError::NotEligible | RequestError::Twice) => {
                StatusCode::FORBIDDEN
            }
            DeskError::Task(TaskError::Transition { .. }) => {
                return Self {
                    kind: Some(TASK_STATE),
                    ..fail(StatusCode::CONFLICT, "invalid_task_state", "the task stands where this does not follow")
                };
            }
            DeskError::Task(TaskError::OwnTask | TaskError::NotEligible | TaskError::NotYours) => StatusCode::FORBIDDEN,
            DeskError::Deputy(DeputyError::NotYours) => StatusCode::FORBIDDEN,
            DeskError::Deputy(DeputyError::Transition { .. }) => StatusCode::CONFLICT,
            DeskError::Project(ProjectError::Own | ProjectError::NotInvolved) => StatusCode::FORBIDDEN,
            DeskError::Project(ProjectError::Transition { .. }) => StatusCode::CONFLICT,
            DeskError::Case(CaseError::Transition { .. }) => {
                return Self {
                    kind: Some(TASK_STATE),
                    ..fail(StatusCode::CONFLICT, "invalid_task_state", "the case stands where this does not follow")
                };
            }
            DeskError::Case(CaseError::NotIndependent | CaseError::NotTheReader) => StatusCode::FORBIDDEN,
            DeskError::Elevation(ElevationError::NotOpen | ElevationError::Confirmed) => StatusCode::CONFLICT,
            DeskError::Review(scruple_flow::ReviewError::NotIndependent) => StatusCode::FORBIDDEN,
            DeskError::Review(scruple_flow::ReviewError::Transition { .. }) => StatusCode::CONFLICT,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        fail(status, error.code(), title(error))
    }

    /// What the database refuses. Its chain goes to the log, and nowhere else.
    pub fn of_store(error: &StoreError) -> Self {
        match error {
            StoreError::Busy(_) | StoreError::Fenced { .. } => Self::UNAVAILABLE,
            StoreError::RowsAffected { .. } | StoreError::Conflict(_) => Self::OLD_VERSION,
            error => {
                tracing::error!(error = %error, "the state cannot be stored or read: {error}");
                Self::INTERNAL
            }
        }
    }
}

/// The sentence of what the desk refuses: the same for every occurrence.
fn title(error: &DeskError) -> &'static str {
    match error {
        DeskError::PersonGone => "the person is not known here, or has left",
        DeskError::RoleNotHeld => "the role is not held",
        DeskError::Unowned => "a system's account has an owner who is here before it gets a role",
        DeskError::Training => "training incomplete: the person has not taken the steps that the role asks for",
        DeskError::Step(_) => "the policy asks for no such step, or it is told by who may not tell it",
        DeskError::TooMany { .. } => "no more records are opened to one person at a time",
        DeskError::Request(RequestError::OwnRequest) => "a request is decided by a second person",
        DeskError::Request(RequestError::NotEligible) => "the policy asks for the approval of others",
        DeskError::Request(RequestError::Twice) => "the same person has approved it already",
        DeskError::Request(RequestError::Wider) => "an approval can narrow a request and never widen it",
        DeskError::Request(RequestError::TooLong { .. }) => "it would last longer than the policy allows",
        DeskError::Request(RequestError::Over) => "the time that is asked for is over",
        DeskError::Request(RequestError::TooManyPatients) => "a request names at most 25 patients",
        DeskError::Request(RequestError::NoTask) => "a request says for what kind of task it is",
        DeskError::Request(RequestError::NoKinds) => {
            "a request for patients names the kinds of information, or says that it is for all of them"
        }
        DeskError::Request(RequestError::KindsNotOfRole) => {
            "a kind of information is named that the role does not have"
        }
        DeskError::Request(RequestError::KindsOfNobody) => {
            "kinds of information are named for the records of patients alone"
        }
        DeskError::Task(error) => title_of_task(*error),
        DeskError::Project(error) => title_of_project(*error),
        DeskError::Request(RequestError::NotRead) => "the text on what is minimum necessary here is read first",
        DeskError::Request(RequestError::NotStanding) => {
            "only access that stands is prolonged, to an end behind its own"
        }
        DeskError::Request(RequestError::TooEarly { .. }) => "access is prolonged in the last part of its time",
        DeskError::Request(RequestError::Cap { .. }) => "it was prolonged as often or as long as the policy allows",
        DeskError::Deputy(DeputyError::Himself) => "nobody is his own deputy",
        DeskError::Deputy(DeputyError::TooLong) => "a deputy stands in for at most 30 days",
        DeskError::Deputy(DeputyError::Over) => "the time that is named is over",
        DeskError::Deputy(DeputyError::NotYours) => "the deputy accepts, and one of the two ends it",
        DeskError::Deputy(DeputyError::Transition { .. }) => "it stands where this does not follow",
        DeskError::Request(RequestError::Reason(_)) | DeskError::Review(scruple_flow::ReviewError::Reason(_)) => {
            "the reason does not say what it is for"
        }
        DeskError::Review(scruple_flow::ReviewError::NotIndependent) => {
            "emergency access is reviewed by somebody outside the reader's team"
        }
        DeskError::Review(scruple_flow::ReviewError::Transition { .. }) => "the review is closed",
        DeskError::Case(CaseError::NotIndependent) => "a complaint is handled by somebody outside the reader's team",
        DeskError::Case(CaseError::NotTheReader) => "only the reader answers",
        DeskError::Case(CaseError::Reason(_)) => "the words do not say what it is about",
        DeskError::Elevation(ElevationError::NotAnEmergency) => {
            "what is specially protected is confirmed in an emergency alone"
        }
        DeskError::Elevation(ElevationError::NotOpen) => "it does not open the record now",
        DeskError::Elevation(ElevationError::Confirmed) => "it is confirmed already",
        _ => "this cannot be done",
    }
}

const fn title_of_project(error: ProjectError) -> &'static str {
    match error {
        ProjectError::Transition { .. } => "the project stands where this does not follow",
        ProjectError::Own => "a project is assessed by somebody who has not proposed it and does not answer for it",
        ProjectError::NotInvolved => "this is for who proposed it, answers for it or oversees it",
        ProjectError::Title => "a project has a title and a purpose",
        ProjectError::Roles => "a project names at least one role and at most 16",
        ProjectError::Kinds => "a project names the kinds of information that it needs",
        ProjectError::Dates => "a project ends within a year",
        ProjectError::Said { .. } => "flows, retention, level and comment are said in a sentence each",
        ProjectError::Missing => "this role is given for a project that was assessed",
        ProjectError::NotApproved => "no project that is named here is approved and under way",
        ProjectError::Beyond => "the assessment of the project does not name this role or these kinds of information",
        ProjectError::Longer => "the project ends before what is asked for",
    }
}

const fn title_of_task(error: TaskError) -> &'static str {
    match error {
        TaskError::OwnTask => "a task is decided by a second person",
        TaskError::NotEligible => "the policy asks for the approval of others",
        TaskError::NotYours => "only who asked for the task does this",
        TaskError::NoTicket => "support is bound to a ticket and a system, and nothing else is",
        TaskError::Patients => "a task names at least one patient and at most 25",
        TaskError::TooLong { .. } => "it would last longer than the policy allows",
        TaskError::Recording => {
            "a remote session closes with the place of its recording and its SHA-256, and nothing else does"
        }
        TaskError::Reason(_) => "the reason does not say what it is for",
        _ => "this cannot be done",
    }
}

impl From<DeskError> for Fail {
    fn from(error: DeskError) -> Self {
        Self::of_desk(&error)
    }
}

impl From<StoreError> for Fail {
    fn from(error: StoreError) -> Self {
        Self::of_store(&error)
    }
}

impl From<ChartError> for Fail {
    fn from(error: ChartError) -> Self {
        match error {
            ChartError::Store(error) => Self::of_store(&error),
        }
    }
}

impl From<NumberError> for Fail {
    fn from(error: NumberError) -> Self {
        match error {
            NumberError::Malformed => Self::NUMBER,
            NumberError::Several => Self::NUMBER_OF_SEVERAL,
            NumberError::Upstream(error) => {
                tracing::warn!(code = error.code(), "nobody can be asked whose number it is");
                Self::RECORD_SYSTEM
            }
        }
    }
}

impl From<AccessError> for Fail {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Stale => Self::STALE,
            _ => Self::UNAVAILABLE,
        }
    }
}

impl From<DirectoryError> for Fail {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::NoPerson | DirectoryError::NoGroup => Self::NOT_FOUND,
            DirectoryError::Changed => Self::OLD_VERSION,
            DirectoryError::Own => Self::OWN,
            DirectoryError::Account(_) | DirectoryError::Purpose => Self::ACCOUNT,
            DirectoryError::NotIdle | DirectoryError::Dormancy(DormancyError::NotDisabled | DormancyError::Closed) => {
                Self::NOT_IDLE
            }
            DirectoryError::Dormancy(_) | DirectoryError::NotTheOwner => Self::NOT_THE_MANAGER,
            DirectoryError::Unused(UnusedError::NotTheManager | UnusedError::NotHis) => Self::NOT_THE_MANAGER,
            DirectoryError::Unused(UnusedError::Reason(_)) => Self::REASON,
            DirectoryError::Unused(_) => Self::NOTICE,
            DirectoryError::NoSystem => Self::NOT_FOUND,
            DirectoryError::SystemTaken => Self::SYSTEM_TAKEN,
            DirectoryError::NoRole => Self::NO_ROLE,
            DirectoryError::Drift(DriftError::Reason(_)) => Self::REASON,
            DirectoryError::Drift(DriftError::Own | DriftError::Ended | DriftError::Until) => Self::NOT_LET_BE,
            DirectoryError::Drift(_) => Self::DRIFT,
            DirectoryError::By => Self::NOBODY,
            DirectoryError::Store(error) => Self::of_store(&error),
            _ => Self::OLD_VERSION,
        }
    }
}

impl IntoResponse for Fail {
    fn into_response(self) -> Response {
        let Self { status, code, title, detail, challenge, kind } = self;
        let problem = Problem { status, code, title, detail, kind, instance: None };
        let mut response = problem.into_response().map(Body::from);
        if let Some(challenge) = challenge {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response.extensions_mut().insert(Refused(code));
        response
    }
}

/// The code of a refusal, for the record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused(pub &'static str);
