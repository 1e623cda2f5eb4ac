//! From the words of AuthZEN to a question of the engine. What has no place in our policy is denied, and says why.

use super::wire::{Action, Resource, Subject};
use crate::fail::Fail;
use crate::limits::{NAME_CHARS_MAX, SEGMENTS_MAX};
use crate::service::Service;
use scruple_app::{Circumstances, Held, RoleError, Rules, Selected, SignIn, SignInRefused, acting, select_role};
use scruple_core::{ConditionMask, Id, Relationship, SegmentSet, Timestamp};
use scruple_fhir::dictionary;
use scruple_flow::{PatientRef, Person, RoleCode};
use scruple_identity::NAME_BYTES_MAX;
use scruple_policy::{Pack, Question};
use scruple_release::{Asked, Ruling, Thing};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The type of people.
pub(super) const USER: &str = "user";

/// A no before the engine is asked: stable code and a sentence, from policy and the question alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Early {
    pub code: &'static str,
    pub words: &'static str,
    /// A role that was named, is not held, and could be asked for.
    pub role: Option<(RoleCode, Id<Person>)>,
}

const fn early(code: &'static str, words: &'static str) -> Early {
    Early { code, words, role: None }
}

impl Early {
    pub fn ruling(&self) -> Ruling {
        Ruling {
            permitted: false,
            code: self.code,
            words: self.words.to_owned(),
            shown: None,
            decision: None,
            relations: Vec::new(),
        }
    }
}

/// What is to be read, whose, and with which labels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct What {
    pub thing: Thing,
    pub patient: Option<PatientRef>,
    pub labels: SegmentSet,
}

/// Somebody in one role.
pub(super) struct Someone {
    pub held: Arc<Held>,
    pub selected: Selected,
}

pub(super) fn text<'a>(properties: Option<&'a Map<String, Value>>, name: &str) -> Option<&'a str> {
    properties?.get(name)?.as_str()
}

/// Whether every name is short enough to be kept.
pub(super) fn are_short(names: &[&str]) -> Result<(), Fail> {
    if names.iter().all(|name| name.chars().count() <= NAME_CHARS_MAX) { Ok(()) } else { Err(Fail::MALFORMED) }
}

/// The person and the role that he acts in now.
pub(super) async fn someone(service: &Service, subject: &Subject) -> Result<Result<Someone, Early>, Fail> {
    if subject.r#type != USER {
        return Ok(Err(early("subject_unknown", "A subject is of the type `user`.")));
    }
    let access = &service.parts.access;
    let held = match access.try_held(&subject.id, service.now()) {
        Some(held) => Some(held),
        None => access.held(&subject.id, service.now()).await?,
    };
    // Whoever is not here is told of as one who holds nothing.
    let Some(held) = held else {
        return Ok(Err(early("role_not_selected", "The role that is named is not granted, or none is.")));
    };
    let now = service.now();
    Ok(in_role(service, held, text(subject.properties.as_ref(), "role"), now))
}

/// Somebody in the role that is named, or in the only one that is held.
pub(super) fn in_role(
    service: &Service,
    held: Arc<Held>,
    role: Option<&str>,
    now: Timestamp,
) -> Result<Someone, Early> {
    let named: Vec<String> = role.map(str::to_owned).into_iter().collect();
    match select_role(&held, &named, now) {
        Ok(selected) if !held.missing(&Rules::steps(&*service.pack(), &selected.role), now).is_empty() => {
            Err(early("training_incomplete", "Training incomplete: the role waits for a step that was not taken."))
        }
        Ok(selected) => Ok(Someone { held, selected }),
        Err(RoleError::NotSelected) => {
            Err(early("role_not_selected", "Name the role in `subject.properties.role`: several are held."))
        }
        Err(RoleError::NotGranted) => {
            let code = role.and_then(|role| role.parse::<RoleCode>().ok());
            let askable =
                code.filter(|code| service.pack().approval(code.as_str(), false).is_some() && !held.has_left(now));
            let role = askable.map(|code| (code, held.person()));
            Err(Early { role, ..early("role_not_selected", "The role that is named is not granted, or none is.") })
        }
    }
}

/// The action, as far as it is one of ours.
pub(super) fn action(action: &Action) -> Result<bool, Early> {
    if !matches!(action.name.as_str(), "read" | "search") {
        return Err(early("action_unknown", "An action is `read` or `search`."));
    }
    match action.properties.as_ref().and_then(|all| all.get("view")) {
        None => Ok(false),
        Some(Value::String(view)) if view == "full" => Ok(true),
        Some(Value::String(view)) if view == "any" => Ok(false),
        Some(_) => Err(early("view_unknown", "`action.properties.view` is `any` or `full`.")),
    }
}

/// The purpose that is named, by the action or else by the context.
pub(super) fn purpose(action: Option<&Action>, context: Option<&Map<String, Value>>) -> Result<String, Early> {
    let of_action = action.and_then(|action| text(action.properties.as_ref(), "purpose_of_use"));
    let named = of_action.or_else(|| text(context, "purpose_of_use"));
    named.map(str::to_owned).ok_or(early(
        "purpose_missing",
        "Name one purpose of use (HL7 v3 ActReason) in `action.properties.purpose_of_use` or `context.purpose_of_use`.",
    ))
}

/// The resource, as far as it is one of ours.
pub(super) fn what(pack: &Pack, resource: &Resource) -> Result<What, Early> {
    let properties = resource.properties.as_ref();
    let labels = labels(pack, properties)?;
    let named = match properties.and_then(|all| all.get("patient")) {
        None => None,
        Some(patient) => Some(patient.as_str().and_then(|text| text.parse::<PatientRef>().ok()).ok_or(PATIENT)?),
    };
    let (thing, patient) = match resource.r#type.as_str() {
        "category" => {
            let category = pack.category(&resource.id);
            let unknown = early("resource_unknown", "The policy has no such kind of information.");
            (Thing::Category(category.ok_or(unknown)?), named)
        }
        "fhir" => {
            let unknown = early("resource_unknown", "FHIR R4 has no such resource type.");
            (Thing::Type(dictionary().resource(&resource.id).ok_or(unknown)?), named)
        }
        "patient" => (Thing::Record, Some(resource.id.parse::<PatientRef>().map_err(|_| PATIENT)?)),
        other => {
            let unknown = "A resource is a `category`, a `fhir` type, a `patient`, or of a FHIR R4 resource type.";
            let kind = dictionary().resource(other).ok_or(early("resource_unknown", unknown))?;
            // An id of a resource has the form of a patient's.
            let id = resource.id.parse::<PatientRef>().map_err(|_| PATIENT)?;
            (Thing::Type(kind), if other == "Patient" { Some(id) } else { named })
        }
    };
    Ok(What { thing, patient, labels })
}

const PATIENT: Early = early("resource_malformed", "An id is at most 64 letters, digits, `-` and `.`.");

/// The labels that are named. One that the policy does not know may mean any.
pub(super) fn labels(pack: &Pack, properties: Option<&Map<String, Value>>) -> Result<SegmentSet, Early> {
    let malformed = early("segments_malformed", "`resource.properties.segments` is a list of at most 64 names.");
    let list = match properties.and_then(|all| all.get("segments")) {
        None => return Ok(SegmentSet::EMPTY),
        Some(Value::Array(list)) if list.len() <= SEGMENTS_MAX => list,
        Some(_) => return Err(malformed),
    };
    let mut labels = SegmentSet::EMPTY;
    for one in list {
        let name = one.as_str().ok_or_else(|| malformed.clone())?;
        labels = match pack.segment(name) {
            Some(segment) => labels.with(segment),
            None if name == "unclassified" => labels.union(SegmentSet::UNCLASSIFIED),
            None => labels.union(SegmentSet::UNREADABLE),
        };
    }
    Ok(labels)
}

/// How somebody has signed in, as the asking system says. What it does not say is not so.
pub(super) fn sign_in(service: &Service, context: Option<&Map<String, Value>>) -> SignIn {
    let said = context.and_then(|context| context.get("sign_in")).and_then(Value::as_object);
    let several =
        said.and_then(|said| said.get("amr")?.as_array()).is_some_and(|amr| amr.iter().any(|one| one == "mfa"));
    let seconds = said.and_then(|said| said.get("auth_time")?.as_i64());
    let address = text(said, "ip").and_then(|address| address.parse().ok());
    let short = |name: &str| text(said, name).filter(|text| text.len() <= NAME_BYTES_MAX).map(str::to_owned);
    SignIn {
        several_factors: several,
        acr: short("acr"),
        at: seconds.and_then(|seconds| seconds.checked_mul(1_000_000)).map(Timestamp::from_micros),
        device: short("device_id"),
        inside: service.parts.networks.is_inside(address),
    }
}

/// Somebody as a decision takes him.
pub(super) struct Acting {
    /// Until when what was judged of the sign-in can be relied on.
    pub until: Option<Timestamp>,
    pub asked: Asked,
    /// Conditions of sign-in, device and place that do not hold.
    pub lacking: Vec<String>,
    /// No record shows, or more would show to who confirms.
    pub refused: Option<SignInRefused>,
    pub may_confirm: bool,
}

impl Acting {
    /// The no of a sign-in that is not enough.
    pub fn early(&self) -> Option<Early> {
        self.refused.map(|why| early(why.code(), why.words()))
    }

    /// What the person is to do (RFC 9470), where a denial can be mended so.
    pub fn step_up(&self, pack: &Pack) -> Option<Value> {
        let rules = &pack.sign_in;
        let factors = self.refused == Some(SignInRefused::Factors);
        if !(factors || self.refused.is_none() && self.may_confirm) {
            return None;
        }
        let mut step_up = Map::new();
        step_up.insert("error".to_owned(), json!(SignInRefused::Factors.code()));
        if !rules.acr_values.is_empty() {
            let classes: Vec<&str> = rules.acr_values.iter().map(String::as_str).collect();
            step_up.insert("acr_values".to_owned(), json!(classes.join(" ")));
        }
        if !factors {
            step_up.insert("max_age".to_owned(), json!(u64::from(rules.confirmed_minutes) * 60));
        }
        Some(Value::Object(step_up))
    }
}

/// Somebody as a decision takes him, who has signed in so.
pub(super) async fn asked(
    service: &Service,
    (pack, sign_in): (&Pack, &SignIn),
    someone: &Someone,
    (login, purpose): (&str, String),
    now: Timestamp,
) -> Result<Acting, Fail> {
    let (held, selected) = (&someone.held, &someone.selected);
    let of = (&**held, &selected.role, purpose.as_str());
    let judged = service.parts.access.circumstances(of, sign_in, pack, now).await?;
    let asked = acting(held, selected, (login, purpose), judged.conditions, pack, now);
    let Circumstances { lacking, refused, may_confirm, until, .. } = judged;
    Ok(Acting { asked, lacking, refused, may_confirm, until })
}

/// Whoever was not found, for the record.
pub(super) fn nobody(login: &str, role: Option<&str>, purpose: Option<String>) -> Asked {
    Asked {
        subject: login.to_owned(),
        question: Question {
            role: role.unwrap_or_default().to_owned(),
            purpose: purpose.unwrap_or_default(),
            conditions: ConditionMask::NONE,
        },
        relationship: Relationship::None,
        grant: None,
        practitioners: Vec::new(),
        opened: BTreeMap::new(),
        limited: BTreeMap::new(),
    }
}
