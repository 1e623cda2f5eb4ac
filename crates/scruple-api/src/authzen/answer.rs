//! From a ruling to the words of AuthZEN: reason, policy, obligations (Obligations profile), and the way to ask (access request
//! profile).

use super::question::Early;
use super::wire::Decision;
use crate::cursor;
use crate::fail::Fail;
use crate::limits::DENIAL_MINUTES;
use crate::service::Service;
use rand_core::CryptoRng;
use scruple_app::Rules;
use scruple_core::{ENGINE_VERSION, Id, Timestamp};
use scruple_flow::{PatientRef, Person, RequestTask, RoleCode};
use scruple_policy::Pack;
use scruple_release::{Ruling, Shown};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The type of our obligations: no registered type is for masks.
pub(super) const OBLIGATION_TYPE: &str = "custom";
const MINUTE_MICROS: i64 = 60_000_000;

/// What a denial is bound to: sealed, so that who shows it again cannot have changed it.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Denial {
    /// The evaluation that was denied.
    pub evaluation: String,
    /// Whom it was about.
    pub person: Id<Person>,
    /// The role that access is asked for in.
    pub role: String,
    /// The purpose.
    pub purpose: Option<String>,
    /// The patient; none: the role itself.
    pub patient: Option<String>,
    /// Until when it can be asked about.
    pub expires_at: i64,
}

impl Denial {
    /// What it is sealed for: the system that was denied.
    fn bound(caller: Id<Person>) -> Vec<u8> {
        cursor::bound(caller, &[b"denial 1"])
    }

    /// The denial that a system shows.
    pub fn open(service: &Service, caller: Id<Person>, token: &str) -> Option<Self> {
        cursor::open(&service.parts.seal, &Self::bound(caller), token)
    }

    fn seal(&self, service: &Service, caller: Id<Person>, rng: &mut dyn CryptoRng) -> Result<String, Fail> {
        cursor::seal(&service.parts.seal, &Self::bound(caller), self, rng)
    }
}

/// What can be asked for after a denial.
pub(super) struct Askable {
    pub person: Id<Person>,
    pub role: RoleCode,
    pub purpose: Option<String>,
    pub patient: Option<PatientRef>,
}

impl Askable {
    /// What the early no of a role leads to.
    pub fn of_early(early: &Early) -> Option<Self> {
        let (role, person) = early.role.clone()?;
        Some(Self { person, role, purpose: None, patient: None })
    }

    /// What a no about a patient leads to: the same whether or not there is such a patient.
    pub fn of_patient(
        pack: &Pack,
        person: Id<Person>,
        role: &str,
        purpose: &str,
        patient: &PatientRef,
    ) -> Option<Self> {
        pack.approval(role, true)?;
        let role = role.parse().ok()?;
        // An emergency is not asked for; it has a door of its own.
        let purpose = Some(purpose.to_owned()).filter(|purpose| !matches!(purpose.as_str(), "BTG" | "ETREAT"));
        Some(Self { person, role, purpose, patient: Some(patient.clone()) })
    }
}

/// Who asks and what is known of the question.
pub(super) struct About<'a> {
    pub evaluation: String,
    pub caller: Id<Person>,
    pub role: Option<&'a str>,
    pub purpose: Option<&'a str>,
    /// Until when what the person holds does not change, as far as is known.
    pub holds_until: Option<Timestamp>,
    /// How the person can mend a denial by signing in.
    pub step_up: Option<Value>,
    pub now: Timestamp,
}

/// The answer to one question.
pub(super) fn decision(
    service: &Service,
    about: &About<'_>,
    ruling: &Ruling,
    askable: Option<&Askable>,
    rng: &mut dyn CryptoRng,
) -> Result<Decision, Fail> {
    let mut context = Map::new();
    let mut put = |name: &str, value: Value| context.insert(name.to_owned(), value);
    put("evaluation_id", json!(about.evaluation));
    put("evaluated_at", json!(about.now.to_string()));
    put("reason", json!(ruling.code));
    put("reason_user", json!({ "en": ruling.words }));
    put("policy", json!({ "pack": service.pack().hash.to_string(), "engine": ENGINE_VERSION }));
    if let Some(role) = about.role {
        put("role", json!(role));
    }
    if let Some(purpose) = about.purpose {
        put("purpose_of_use", json!(purpose));
    }
    if let Some(decision) = &ruling.decision {
        let until = about.holds_until.map_or(decision.valid_until, |holds| holds.min(decision.valid_until));
        put("valid_until", json!(until.to_string()));
    }
    if let Some(shown) = ruling.shown.as_ref().filter(|shown| !shown.is_whole) {
        put("obligations", json!([obligation(shown)]));
    }
    if let Some(askable) = askable {
        put("access_request", access_request(service, about, askable, rng)?);
        put("next_action", json!("request"));
    } else if let (false, Some(step_up)) = (ruling.permitted, &about.step_up) {
        put("step_up", step_up.clone());
        put("next_action", json!("step_up"));
    } else if !ruling.permitted {
        put("next_action", json!("none"));
    }
    Ok(Decision { decision: ruling.permitted, context })
}

/// What the other system must do with what it shows: an allow-list, and what is not named is withheld.
fn obligation(shown: &Shown) -> Value {
    let mut properties = json!({
        "vendor": "scruple",
        "action": "project",
        "otherwise": "withhold",
        "categories": shown.categories,
        "segments": { "withheld": shown.withheld_segments, "coded": shown.coded_segments, "unknown": "withhold" },
    });
    if let (Some(elements), Value::Object(fields)) = (&shown.elements, &mut properties) {
        let one = |element: &scruple_release::ElementShown| match element.function {
            Some(function) => json!({ "view": element.view, "mask": function }),
            None => json!({ "view": element.view }),
        };
        let all: Map<String, Value> = elements.iter().map(|(path, element)| (path.clone(), one(element))).collect();
        fields.insert("elements".to_owned(), Value::Object(all));
    }
    json!({ "id": "project", "type": OBLIGATION_TYPE, "properties": properties })
}

fn access_request(
    service: &Service,
    about: &About<'_>,
    askable: &Askable,
    rng: &mut dyn CryptoRng,
) -> Result<Value, Fail> {
    let expires_at = about.now.plus_micros(DENIAL_MINUTES * MINUTE_MICROS);
    let denial = Denial {
        evaluation: about.evaluation.clone(),
        person: askable.person,
        role: askable.role.to_string(),
        purpose: askable.purpose.clone(),
        patient: askable.patient.as_ref().map(|patient| patient.id().to_owned()),
        expires_at: expires_at.micros(),
    };
    let of_patient = askable.patient.is_some();
    let base = &service.parts.base;
    let text = Rules::reminder(&*service.pack(), &askable.role, of_patient);
    let longest = service.pack().approval(askable.role.as_str(), of_patient).map_or(0, |rule| rule.hours);
    let mut fields = json!({
        "role": { "const": askable.role.as_str() },
        "task": { "enum": RequestTask::ALL.iter().map(|task| task.code()).collect::<Vec<_>>(), "title": "What kind of task it is" },
        "justification": { "type": "string", "minLength": 12, "maxLength": 2000, "title": "What it is for" },
        "ends_at": { "type": "string", "format": "date-time", "title": format!("Until when, at most {longest} hours") },
        // The token is beside it, and is sent back as it is.
        "denial": { "type": "object", "required": ["binding_token"] },
    });
    if let Value::Object(all) = &mut fields {
        if let Some(patient) = &denial.patient {
            let kinds = service.pack().kinds(askable.role.as_str(), askable.purpose.as_deref());
            let one = |(code, label): (&String, &String)| json!({ "const": code, "title": label });
            all.insert("patients".to_owned(), json!({ "const": [patient] }));
            all.insert(
                "kinds".to_owned(),
                json!({
                    "type": "array", "minItems": 1, "uniqueItems": true, "title": "Which kinds of information",
                    "items": { "oneOf": kinds.iter().map(one).collect::<Vec<_>>() },
                }),
            );
            all.insert("whole".to_owned(), json!({ "const": true, "title": "All that the role has" }));
        }
        if let Some(purpose) = &askable.purpose {
            all.insert("purpose_of_use".to_owned(), json!({ "const": purpose }));
        }
        // What is to be shown and read before it is sent.
        if let Some(text) = &text {
            let said =
                json!({ "const": text.id, "title": "I have read this", "description": text.sentences.join(" ") });
            all.insert("acknowledged".to_owned(), said);
        }
    }
    let mut required = vec!["role", "task", "justification", "ends_at", "denial"];
    required.extend(text.map(|_| "acknowledged"));
    // Either of them, and not both.
    let kinds = of_patient.then(|| json!([{ "required": ["kinds"] }, { "required": ["whole"] }]));
    if of_patient {
        required.push("patients");
    }
    let parts = [
        ("$schema", Some(json!("https://json-schema.org/draft/2020-12/schema"))),
        ("type", Some(json!("object"))),
        ("properties", Some(fields)),
        ("oneOf", kinds),
        ("required", Some(json!(required))),
    ];
    let schema: Map<String, Value> =
        parts.into_iter().filter_map(|(name, part)| Some((name.to_owned(), part?))).collect();
    Ok(json!({
        "endpoint": format!("{base}/api/v1/access-requests"),
        "template": if of_patient { "patients" } else { "role" },
        "expires_at": expires_at.to_string(),
        "binding_token": denial.seal(service, about.caller, rng)?,
        "form_url": format!("{base}/ask"),
        "request_schema_url": format!("{base}/api/openapi.json"),
        "request_schema": schema,
    }))
}
