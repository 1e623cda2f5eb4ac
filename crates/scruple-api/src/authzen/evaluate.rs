//! One evaluation, and several.

use super::answer::{About, Askable, OBLIGATION_TYPE, decision};
use super::question::{Early, action, are_short, asked, nobody, purpose, sign_in, someone, text, what};
use super::wire::{Decision, Decisions, EvaluationRequest, EvaluationsRequest, Semantic};
use crate::body;
use crate::body::Json;
use crate::caller::Caller;
use crate::fail::Fail;
use crate::limits::EVALUATIONS_MAX;
use crate::service::Service;
use axum::extract::{Request, State};
use rand_core::CryptoRng;
use scruple_core::new_id;
use scruple_release::{Asking, Evaluation, No, Ruling};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// What a body says, by the rules of AuthZEN: what is not JSON, or not what is asked for, is 400.
pub(super) async fn message(request: Request) -> Result<Value, Fail> {
    let (parts, body) = request.into_parts();
    if !body::is_json(&parts.headers) {
        return Err(Fail::MEDIA_400);
    }
    body::parsed(&body::bytes(body).await?)
}

pub(super) fn of<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Fail> {
    serde_json::from_value(value).map_err(|_| Fail::MALFORMED)
}

/// The state of the system does not let it be decided: the same for every question.
pub(super) fn undecided(no: &No) -> Fail {
    if no.code == "not_recorded" { Fail::UNRECORDED } else { Fail::UNAVAILABLE }
}

/// Decides whether a person may read something.
#[utoipa::path(
    post,
    path = "/access/v1/evaluation",
    operation_id = "evaluate",
    tag = "AuthZEN",
    security(("token" = ["scruple.evaluate"])),
    request_body = EvaluationRequest,
    responses(
        (status = 200, description = "The decision", body = Decision),
        crate::v1::Refusals,
    )
)]
pub(crate) async fn evaluation(
    State(service): State<Arc<Service>>,
    caller: Caller,
    request: Request,
) -> Result<Json<Decision>, Fail> {
    let asked: EvaluationRequest = of(message(request).await?)?;
    let mut rng = (service.parts.rng)();
    one(&service, &caller, &asked, &mut *rng).await.map(Json)
}

/// Decides several of these, one after the other.
#[utoipa::path(
    post,
    path = "/access/v1/evaluations",
    operation_id = "evaluate_several",
    tag = "AuthZEN",
    security(("token" = ["scruple.evaluate"])),
    request_body = EvaluationsRequest,
    responses(
        (status = 200, description = "The decisions, in their order; the one decision where there is no list", body = Decisions),
        crate::v1::Refusals,
    )
)]
pub(crate) async fn evaluations(
    State(service): State<Arc<Service>>,
    caller: Caller,
    request: Request,
) -> Result<Json<Decisions>, Fail> {
    let said = message(request).await?;
    // What is wrong at the top is wrong for all of them.
    let several: EvaluationsRequest = of(said.clone())?;
    let subject = several.subject.iter().flat_map(|one| [one.r#type.as_str(), one.id.as_str()]);
    let resource = several.resource.iter().flat_map(|one| [one.r#type.as_str(), one.id.as_str()]);
    are_short(&subject.chain(resource).chain(several.action.iter().map(|one| one.name.as_str())).collect::<Vec<_>>())?;
    let mut rng = (service.parts.rng)();
    let list = several.evaluations.unwrap_or_default();
    if !list.iter().all(Value::is_object) {
        return Err(Fail::MALFORMED);
    }
    if list.is_empty() {
        let asked: EvaluationRequest = of(said)?;
        return Ok(Json(Decisions::One(one(&service, &caller, &asked, &mut *rng).await?)));
    }
    if list.len() > EVALUATIONS_MAX {
        return Err(Fail::TOO_MANY);
    }
    let semantic = several.options.and_then(|options| options.evaluations_semantic).unwrap_or_default();
    let mut decided = Vec::with_capacity(list.len());
    for item in list {
        let answer = match whole(&said, item) {
            Some(asked) => one(&service, &caller, &asked, &mut *rng).await?,
            None => incomplete(&service, &caller, &mut *rng).await?,
        };
        let stops = match semantic {
            Semantic::ExecuteAll => false,
            Semantic::DenyOnFirstDeny => !answer.decision,
            Semantic::PermitOnFirstPermit => answer.decision,
        };
        decided.push(answer);
        if stops {
            break;
        }
    }
    Ok(Json(Decisions::Several { evaluations: decided }))
}

/// An item with what it leaves out from the top, entity by entity; none if something is still missing.
fn whole(top: &Value, item: Value) -> Option<EvaluationRequest> {
    let Value::Object(mut item) = item else { return None };
    for name in ["subject", "action", "resource", "context"] {
        if !item.contains_key(name)
            && let Some(default) = top.get(name)
        {
            item.insert(name.to_owned(), default.clone());
        }
    }
    serde_json::from_value(Value::Object(item)).ok()
}

/// The answer to an item that is no question.
async fn incomplete(service: &Service, caller: &Caller, rng: &mut (dyn CryptoRng + Send)) -> Result<Decision, Fail> {
    let early = Early {
        code: "evaluation_malformed",
        words: "A question has a subject, an action and a resource.",
        role: None,
    };
    let now = service.now();
    let evaluation = new_id::<Decision>(now, rng).to_string();
    let ruling = early.ruling();
    let asking = Asking {
        evaluation: evaluation.clone(),
        caller: caller.login.clone(),
        action: "none".to_owned(),
        resource: None,
        patient: None,
        lacking: Vec::new(),
        request_id: caller.request_id.clone(),
    };
    let record = service.parts.pipeline.ruled(asking, &nobody("nobody", None, None), &ruling, Vec::new(), now).await;
    record.map_err(|no| undecided(&no))?;
    let about =
        About { evaluation, caller: caller.person(), role: None, purpose: None, holds_until: None, step_up: None, now };
    let mut answer = decision(service, &about, &ruling, None, rng)?;
    answer.context.insert("error".to_owned(), json!({ "status": 400, "message": ruling.words }));
    Ok(answer)
}

/// Decides one question, and records it before it is told.
async fn one(
    service: &Service,
    caller: &Caller,
    request: &EvaluationRequest,
    rng: &mut (dyn CryptoRng + Send),
) -> Result<Decision, Fail> {
    let EvaluationRequest { subject, action: doing, resource, context } = request;
    are_short(&[&subject.r#type, &subject.id, &doing.name, &resource.r#type, &resource.id])?;
    let pack = service.pack();
    let evaluation = new_id::<Decision>(service.now(), rng).to_string();
    let found = someone(service, subject).await?;
    let now = service.now();
    let asking = |patient: Option<String>, lacking: Vec<String>| Asking {
        evaluation: evaluation.clone(),
        caller: caller.login.clone(),
        action: doing.name.clone(),
        resource: Some(format!("{}/{}", resource.r#type, resource.id)),
        patient,
        lacking,
        request_id: caller.request_id.clone(),
    };
    let known = found.and_then(|someone| {
        let whole = action(doing)?;
        let what = what(&pack, resource)?;
        let purpose = purpose(Some(doing), context.as_ref())?;
        Ok((someone, what, purpose, whole))
    });
    let (someone, what, purpose, whole) = match known {
        Ok(known) => known,
        Err(early) => {
            let role = text(subject.properties.as_ref(), "role");
            let named = purpose(Some(doing), context.as_ref()).ok();
            let who = nobody(&subject.id, role, named.clone());
            let ruling = early.ruling();
            record(service, asking(None, Vec::new()), &who, &ruling, now).await?;
            let about = About {
                evaluation: evaluation.clone(),
                caller: caller.person(),
                role: None,
                purpose: named.as_deref(),
                holds_until: None,
                step_up: None,
                now,
            };
            return decision(service, &about, &ruling, Askable::of_early(&early).as_ref(), rng);
        }
    };
    let sign_in = sign_in(service, context.as_ref());
    let acting = asked(service, (&pack, &sign_in), &someone, (&subject.id, purpose), now).await?;
    let who = &acting.asked;
    let patient = what.patient.as_ref();
    let question = Evaluation {
        asked: who,
        thing: what.thing,
        patient: patient.map(scruple_flow::PatientRef::id),
        labels: what.labels,
        whole,
        now,
    };
    let ruling = match acting.early() {
        Some(early) => early.ruling(),
        None => service.parts.pipeline.rule(&question).await.map_err(|no| undecided(&no))?,
    };
    let ruling = as_supported(ruling, context.as_ref());
    let named = patient.map(|patient| format!("Patient/{}", patient.id()));
    record(service, asking(named, acting.lacking.clone()), who, &ruling, now).await?;
    let asks = patient.filter(|_| ruling.code == "not_open").and_then(|patient| {
        Askable::of_patient(&pack, someone.held.person(), &who.question.role, &who.question.purpose, patient)
    });
    let about = About {
        evaluation: evaluation.clone(),
        caller: caller.person(),
        role: Some(&who.question.role),
        purpose: Some(&who.question.purpose),
        holds_until: Some(
            acting.until.map_or(someone.selected.valid_until, |until| until.min(someone.selected.valid_until)),
        ),
        step_up: acting.step_up(&pack),
        now,
    };
    decision(service, &about, &ruling, asks.as_ref(), rng)
}

async fn record(
    service: &Service,
    asking: Asking,
    who: &scruple_release::Asked,
    ruling: &Ruling,
    now: scruple_core::Timestamp,
) -> Result<(), Fail> {
    let recorded = service.parts.pipeline.ruled(asking, who, ruling, Vec::new(), now).await;
    recorded.map_err(|no| undecided(&no))
}

/// What a system that says which obligations it can meet is told: no, where it cannot meet those that go with a yes.
pub(super) fn as_supported(ruling: Ruling, context: Option<&Map<String, Value>>) -> Ruling {
    let Some(supported) = context.and_then(|context| context.get("supported_obligations")) else { return ruling };
    let can = supported.as_array().is_some_and(|all| all.iter().any(|one| one == OBLIGATION_TYPE));
    let needs = ruling.shown.as_ref().is_some_and(|shown| !shown.is_whole);
    if can || !needs {
        return ruling;
    }
    Early {
        code: "obligation_not_supported",
        words: "What may be shown here is a part, and the asking system says that it cannot leave out the rest.",
        role: None,
    }
    .ruling()
}
