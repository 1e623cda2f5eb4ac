//! Searches: who may, what may be read, what may be done. A search that names a patient finds nobody and nothing, alike for
//! every patient: what it found would tell who is a patient, and whose.

use super::evaluate::{as_supported, message, of, undecided};
use super::question::{
    Early, Someone, action, are_short, asked, in_role, nobody, purpose, sign_in, someone, text, what,
};
use super::wire::{ActionSearch, Entity, Found, PageAnswer, PageRequest, Resource, ResourceSearch, SubjectSearch};
use crate::body::Json;
use crate::caller::Caller;
use crate::cursor;
use crate::fail::Fail;
use crate::limits::{RESULTS_DEFAULT, RESULTS_MAX, SUBJECTS_SCANNED_MAX};
use crate::service::Service;
use axum::extract::{Request, State};
use rand_core::CryptoRng;
use scruple_core::{Id, Timestamp, new_id};
use scruple_fhir::dictionary;
use scruple_flow::Person;
use scruple_policy::Pack;
use scruple_release::{Asked, Asking, Evaluation, Ruling, Thing};
use scruple_store::list_persons;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The greatest number that a page may ask for.
const LIMIT_MAX: i64 = 1_000_000;

/// Where a search goes on.
#[derive(Serialize, Deserialize, Default)]
struct Place {
    /// How many were looked at.
    #[serde(default)]
    skip: usize,
    /// Behind whom.
    #[serde(default)]
    after: Option<Id<Person>>,
    limit: usize,
}

/// A page under way.
struct Paging {
    place: Place,
    bound: Vec<u8>,
}

impl Paging {
    /// The page that is asked for. A token is good for the same search by the same system alone.
    fn of(
        service: &Service,
        caller: &Caller,
        kind: &str,
        said: &Value,
        page: Option<&PageRequest>,
    ) -> Result<Self, Fail> {
        let mut same = said.clone();
        if let Value::Object(fields) = &mut same {
            fields.remove("page");
        }
        same.sort_all_objects();
        let bound = cursor::bound(caller.person(), &[b"search 1", kind.as_bytes(), same.to_string().as_bytes()]);
        let limit = match page.and_then(|page| page.limit) {
            None => None,
            Some(limit) if limit > LIMIT_MAX => return Err(Fail::MALFORMED),
            Some(limit) => Some(usize::try_from(limit).map_err(|_| Fail::MALFORMED)?.min(RESULTS_MAX)),
        };
        let token = page.and_then(|page| page.token.as_deref()).filter(|token| !token.is_empty());
        let place = match token {
            None => Place { limit: limit.unwrap_or(RESULTS_DEFAULT), ..Place::default() },
            Some(token) => {
                let place: Place = cursor::open(&service.parts.seal, &bound, token).ok_or(Fail::CURSOR)?;
                if limit.is_some_and(|limit| limit != place.limit) {
                    return Err(Fail::CURSOR);
                }
                place
            }
        };
        Ok(Self { place, bound })
    }

    fn next(&self, service: &Service, place: Option<Place>, rng: &mut dyn CryptoRng) -> Result<String, Fail> {
        match place {
            Some(place) => cursor::seal(&service.parts.seal, &self.bound, &place, rng),
            None => Ok(String::new()),
        }
    }
}

/// What a search has found, and how it goes on.
struct Results {
    entities: Vec<Entity>,
    next: Option<Place>,
    /// Of the first of them, for the record.
    first: Option<Ruling>,
    /// Why there is nothing.
    early: Option<Early>,
    who: Asked,
    /// Conditions of sign-in, device and place that do not hold.
    lacking: Vec<String>,
}

const fn nothing(who: Asked, early: Option<Early>) -> Results {
    Results { entities: Vec::new(), next: None, first: None, early, who, lacking: Vec::new() }
}

const OF_PATIENTS: Early = Early {
    code: "search_of_patients",
    words: "Nobody and nothing is searched for by a patient; ask for one decision.",
    role: None,
};

/// Records a search, and tells it.
async fn told(
    service: &Service,
    caller: &Caller,
    (kind, resource): (&str, Option<String>),
    paging: &Paging,
    results: Results,
    rng: &mut (dyn CryptoRng + Send),
) -> Result<Json<Found>, Fail> {
    let Results { entities, next, first, early, who, lacking } = results;
    let now = service.now();
    let asking = Asking {
        evaluation: new_id::<Found>(now, rng).to_string(),
        caller: caller.login.clone(),
        action: format!("search/{kind}"),
        resource,
        patient: None,
        lacking,
        request_id: caller.request_id.clone(),
    };
    let name = |entity: &Entity| entity.id.clone().or_else(|| entity.name.clone()).unwrap_or_default();
    let found: Vec<String> = entities.iter().map(name).collect();
    let none = early.clone().unwrap_or(Early { code: "found_nothing", words: "Nothing is permitted.", role: None });
    let ruling = first.map_or_else(|| none.ruling(), |first| Ruling { code: "found", ..first });
    service.parts.pipeline.ruled(asking, &who, &ruling, found, now).await.map_err(|no| undecided(&no))?;
    let mut context = Map::new();
    context.insert("policy".to_owned(), json!({ "pack": service.pack().hash.to_string() }));
    if let Some(early) = early {
        context.insert("reason".to_owned(), json!(early.code));
        context.insert("reason_user".to_owned(), json!({ "en": early.words }));
    }
    let page = PageAnswer { next_token: paging.next(service, next, rng)?, count: entities.len() };
    Ok(Json(Found { page, context, results: entities }))
}

/// Decides one of what is searched for.
async fn ruled(
    service: &Service,
    who: &Asked,
    (thing, labels, whole): (Thing, scruple_core::SegmentSet, bool),
    context: Option<&Map<String, Value>>,
    now: Timestamp,
) -> Result<Ruling, Fail> {
    let question = Evaluation { asked: who, thing, patient: None, labels, whole, now };
    let ruling = service.parts.pipeline.rule(&question).await.map_err(|no| undecided(&no))?;
    Ok(as_supported(ruling, context))
}

/// Finds the people who may do something.
#[utoipa::path(
    post,
    path = "/access/v1/search/subject",
    operation_id = "search_subjects",
    tag = "AuthZEN",
    security(("token" = ["scruple.search"])),
    request_body = SubjectSearch,
    responses(
        (status = 200, description = "Those who may", body = Found),
        crate::v1::Refusals,
    )
)]
pub(crate) async fn search_subject(
    State(service): State<Arc<Service>>,
    caller: Caller,
    request: Request,
) -> Result<Json<Found>, Fail> {
    let said = message(request).await?;
    let search: SubjectSearch = of(said.clone())?;
    are_short(&[&search.subject.r#type, &search.action.name, &search.resource.r#type, &search.resource.id])?;
    let paging = Paging::of(&service, &caller, "subject", &said, search.page.as_ref())?;
    let mut rng = (service.parts.rng)();
    let results = subjects(&service, &search, &paging.place).await?;
    let resource = Some(format!("{}/{}", search.resource.r#type, search.resource.id));
    told(&service, &caller, ("subject", resource), &paging, results, &mut *rng).await
}

async fn subjects(service: &Service, search: &SubjectSearch, place: &Place) -> Result<Results, Fail> {
    let pack = service.pack();
    let role = text(search.subject.properties.as_ref(), "role");
    let named = purpose(Some(&search.action), search.context.as_ref());
    let nobody = || nobody("*", role, named.clone().ok());
    let known = action(&search.action)
        .and_then(|whole| what(&pack, &search.resource).map(|what| (whole, what)))
        .and_then(|known| named.clone().map(|purpose| (known, purpose)));
    let ((whole, what), purpose) = match known {
        Ok(known) if search.subject.r#type == super::question::USER => known,
        Ok(_) => return Ok(nothing(nobody(), None)),
        Err(early) => return Ok(nothing(nobody(), Some(early))),
    };
    if what.patient.is_some() {
        return Ok(nothing(nobody(), Some(OF_PATIENTS)));
    }
    let sign_in = sign_in(service, search.context.as_ref());
    let mut results = nothing(nobody(), None);
    let (mut after, mut looked) = (place.after, 0);
    loop {
        let people = list_persons(&mut service.parts.store.begin_read().await?, after).await?;
        if people.is_empty() {
            return Ok(results);
        }
        for person in people {
            if results.entities.len() >= place.limit || looked >= SUBJECTS_SCANNED_MAX {
                results.next = Some(Place { skip: 0, after, limit: place.limit });
                return Ok(results);
            }
            (after, looked) = (Some(person.id), looked + 1);
            let login = person.login.into_inner();
            let Some(held) = service.parts.access.held(&login, service.now()).await? else { continue };
            let now = service.now();
            let mut roles: Vec<String> = held.active(now).map(|active| active.role.to_string()).collect();
            roles.retain(|held| role.is_none_or(|role| role == held));
            let mut may = Vec::new();
            for role in roles {
                let Ok(someone) = in_role(service, Arc::clone(&held), Some(&role), now) else { continue };
                let acting = asked(service, (&pack, &sign_in), &someone, (&login, purpose.clone()), now).await?;
                if acting.refused.is_some() {
                    continue;
                }
                let who = acting.asked;
                let ruling =
                    ruled(service, &who, (what.thing, what.labels, whole), search.context.as_ref(), now).await?;
                if ruling.permitted {
                    results.first.get_or_insert(ruling);
                    may.push(role);
                }
            }
            if !may.is_empty() {
                let properties = Map::from_iter([("roles".to_owned(), json!(may))]);
                results.entities.push(Entity {
                    r#type: Some(super::question::USER.to_owned()),
                    id: Some(login),
                    name: None,
                    properties,
                });
            }
        }
    }
}

/// Finds what somebody may do something to.
#[utoipa::path(
    post,
    path = "/access/v1/search/resource",
    operation_id = "search_resources",
    tag = "AuthZEN",
    security(("token" = ["scruple.search"])),
    request_body = ResourceSearch,
    responses(
        (status = 200, description = "What may be read", body = Found),
        crate::v1::Refusals,
    )
)]
pub(crate) async fn search_resource(
    State(service): State<Arc<Service>>,
    caller: Caller,
    request: Request,
) -> Result<Json<Found>, Fail> {
    let said = message(request).await?;
    let search: ResourceSearch = of(said.clone())?;
    are_short(&[&search.subject.r#type, &search.subject.id, &search.action.name, &search.resource.r#type])?;
    let paging = Paging::of(&service, &caller, "resource", &said, search.page.as_ref())?;
    let mut rng = (service.parts.rng)();
    let results = resources(&service, &search, &paging.place).await?;
    told(&service, &caller, ("resource", Some(search.resource.r#type)), &paging, results, &mut *rng).await
}

/// Everything of a type that can be decided without a patient.
fn things(pack: &Pack, kind: &str) -> Option<Vec<String>> {
    match kind {
        "category" => Some(pack.categories.iter().map(|category| category.name.clone()).collect()),
        "fhir" => Some(dictionary().resources().iter().map(|id| dictionary().get(*id).name.to_owned()).collect()),
        _ => None,
    }
}

async fn resources(service: &Service, search: &ResourceSearch, place: &Place) -> Result<Results, Fail> {
    let pack = service.pack();
    let named = purpose(Some(&search.action), search.context.as_ref());
    let role = text(search.subject.properties.as_ref(), "role");
    let nobody = || nobody(&search.subject.id, role, named.clone().ok());
    let someone = match someone(service, &search.subject).await? {
        Ok(someone) => someone,
        Err(early) => return Ok(nothing(nobody(), Some(early))),
    };
    let known = action(&search.action).and_then(|whole| named.clone().map(|purpose| (whole, purpose)));
    let (whole, purpose) = match known {
        Ok(known) => known,
        Err(early) => return Ok(nothing(nobody(), Some(early))),
    };
    let kind = search.resource.r#type.as_str();
    let Some(all) = things(&pack, kind) else {
        let of_patients = kind == "patient" || dictionary().resource(kind).is_some();
        return Ok(nothing(nobody(), of_patients.then_some(OF_PATIENTS)));
    };
    let of_patient = search.resource.properties.as_ref().is_some_and(|all| all.contains_key("patient"));
    if of_patient {
        return Ok(nothing(nobody(), Some(OF_PATIENTS)));
    }
    let now = service.now();
    let sign_in = sign_in(service, search.context.as_ref());
    let acting = asked(service, (&pack, &sign_in), &someone, (&search.subject.id, purpose), now).await?;
    let early = acting.early();
    let mut results = Results { lacking: acting.lacking, ..nothing(acting.asked, early) };
    if results.early.is_some() {
        return Ok(results);
    }
    for (number, id) in all.into_iter().enumerate().skip(place.skip) {
        if results.entities.len() >= place.limit {
            results.next = Some(Place { skip: number, after: None, limit: place.limit });
            break;
        }
        let properties = search.resource.properties.clone();
        let resource = Resource { r#type: kind.to_owned(), id, properties };
        let what = match what(&pack, &resource) {
            Ok(what) => what,
            Err(early) => return Ok(nothing(results.who, Some(early))),
        };
        let ruling =
            ruled(service, &results.who, (what.thing, what.labels, whole), search.context.as_ref(), now).await?;
        if ruling.permitted {
            let view = ruling.shown.as_ref().and_then(|shown| shown.categories.get(&resource.id)).cloned();
            let properties = view.map(|view| ("view".to_owned(), json!(view))).into_iter().collect();
            results.first.get_or_insert(ruling);
            let Resource { r#type, id, .. } = resource;
            results.entities.push(Entity { r#type: Some(r#type), id: Some(id), name: None, properties });
        }
    }
    Ok(results)
}

/// Finds what somebody may do with something.
#[utoipa::path(
    post,
    path = "/access/v1/search/action",
    operation_id = "search_actions",
    tag = "AuthZEN",
    security(("token" = ["scruple.search"])),
    request_body = ActionSearch,
    responses(
        (status = 200, description = "What may be done", body = Found),
        crate::v1::Refusals,
    )
)]
pub(crate) async fn search_action(
    State(service): State<Arc<Service>>,
    caller: Caller,
    request: Request,
) -> Result<Json<Found>, Fail> {
    let said = message(request).await?;
    let search: ActionSearch = of(said.clone())?;
    are_short(&[&search.subject.r#type, &search.subject.id, &search.resource.r#type, &search.resource.id])?;
    let paging = Paging::of(&service, &caller, "action", &said, search.page.as_ref())?;
    let mut rng = (service.parts.rng)();
    let results = actions(&service, &search, &paging.place).await?;
    let resource = Some(format!("{}/{}", search.resource.r#type, search.resource.id));
    told(&service, &caller, ("action", resource), &paging, results, &mut *rng).await
}

/// The actions that there are: each with a purpose of the role, or with the one that the context names.
fn offered(pack: &Pack, someone: &Someone, context: Option<&Map<String, Value>>) -> Vec<(&'static str, String)> {
    let role = pack.roles.get(someone.selected.role.as_str());
    let purposes = match text(context, "purpose_of_use") {
        Some(named) => vec![named.to_owned()],
        None => role.map_or_else(Vec::new, |role| role.purposes().into_iter().map(str::to_owned).collect()),
    };
    ["read", "search"]
        .into_iter()
        .flat_map(|name| purposes.iter().map(move |purpose| (name, purpose.clone())))
        .collect()
}

async fn actions(service: &Service, search: &ActionSearch, place: &Place) -> Result<Results, Fail> {
    let pack = service.pack();
    let role = text(search.subject.properties.as_ref(), "role");
    let nobody =
        || nobody(&search.subject.id, role, text(search.context.as_ref(), "purpose_of_use").map(str::to_owned));
    let someone = match someone(service, &search.subject).await? {
        Ok(someone) => someone,
        Err(early) => return Ok(nothing(nobody(), Some(early))),
    };
    let what = match what(&pack, &search.resource) {
        Ok(what) => what,
        Err(early) => return Ok(nothing(nobody(), Some(early))),
    };
    if what.patient.is_some() {
        return Ok(nothing(nobody(), Some(OF_PATIENTS)));
    }
    let now = service.now();
    let sign_in = sign_in(service, search.context.as_ref());
    let mut results = nothing(nobody(), None);
    for (number, (name, purpose)) in offered(&pack, &someone, search.context.as_ref()).into_iter().enumerate() {
        if number < place.skip {
            continue;
        }
        if results.entities.len() >= place.limit {
            results.next = Some(Place { skip: number, after: None, limit: place.limit });
            break;
        }
        let of = (search.subject.id.as_str(), purpose.clone());
        let acting = asked(service, (&pack, &sign_in), &someone, of, now).await?;
        results.lacking.clone_from(&acting.lacking);
        if let Some(early) = acting.early() {
            results.early = Some(early);
            continue;
        }
        let who = acting.asked;
        let ruling = ruled(service, &who, (what.thing, what.labels, false), search.context.as_ref(), now).await?;
        if ruling.permitted {
            results.first.get_or_insert(ruling);
            results.early = None;
            results.who = who;
            let properties = Map::from_iter([("purpose_of_use".to_owned(), json!(purpose))]);
            results.entities.push(Entity { r#type: None, id: None, name: Some(name.to_owned()), properties });
        }
    }
    Ok(results)
}
