//! The constraints of severity error of the clinical, financial and base types, each a function of its own.
//!
//! The texts are HL7's; `docs/validity.md` lists them. Where a value is a marker, a constraint on values holds.

use super::node::{Node, codings, is_marker, number};
use crate::slow::json::Value;
use crate::slow::model::{each_object, resource_type};

/// A constraint.
pub struct Constraint {
    /// FHIR's key.
    pub key: &'static str,
    /// The types of the objects that it is on; `*` any, `resource` any resource.
    pub on: &'static [&'static str],
    /// The text.
    pub text: &'static str,
    /// Whether it holds.
    pub holds: fn(&Node<'_>) -> bool,
}

impl Constraint {
    /// Whether it is about that object.
    #[must_use]
    pub fn is_on(&self, node: &Node<'_>) -> bool {
        self.on.iter().any(|name| match *name {
            "*" => true,
            "resource" => node.object.is_resource,
            name => name == node.object.name,
        })
    }
}

macro_rules! constraints {
    ($($key:literal on $($on:literal),+ : $text:literal => $function:ident;)+) => {
        /// All of them.
        pub const CONSTRAINTS: &[Constraint] =
            &[$(Constraint { key: $key, on: &[$($on),+], text: $text, holds: $function }),+];
    };
}

constraints! {
    "age-1" on "Age": "a code if there is a value; the system is UCUM; the value is positive" => age_1;
    "ait-1" on "AllergyIntolerance": "clinicalStatus unless entered in error" => ait_1;
    "ait-2" on "AllergyIntolerance": "no clinicalStatus if entered in error" => ait_2;
    "app-1" on "Appointment.participant": "type or actor" => app_1;
    "app-2" on "Appointment": "both start and end, or neither" => app_2;
    "app-3" on "Appointment": "only proposed, cancelled or waitlisted without start and end" => app_3;
    "app-4" on "Appointment": "cancelationReason only if cancelled or no-show" => app_4;
    "apr-1" on "AppointmentResponse": "participantType or actor" => apr_1;
    "att-1" on "Attachment": "contentType if data" => att_1;
    "bdl-1" on "Bundle": "total only in searchset and history" => bdl_1;
    "bdl-2" on "Bundle": "entry.search only in searchset" => bdl_2;
    "bdl-3" on "Bundle": "entry.request in batch, transaction and history, and nowhere else" => bdl_3;
    "bdl-4" on "Bundle": "entry.response in responses and history, and nowhere else" => bdl_4;
    "bdl-5" on "Bundle.entry": "a resource, a request or a response" => bdl_5;
    "bdl-7" on "Bundle": "fullUrl with versionId only once, but in history" => bdl_7;
    "bdl-8" on "Bundle.entry": "fullUrl names no version" => bdl_8;
    "ces-1" on "CoverageEligibilityResponse.insurance.item": "category or productOrService, not both" => ces_1;
    "cmp-1" on "Composition.section": "text, entry or section" => cmp_1;
    "cmp-2" on "Composition.section": "emptyReason only without entries" => cmp_2;
    "cnt-3" on "Count": "a code 1 if there is a value; the system is UCUM; the value is whole" => cnt_3;
    "con-1" on "Condition.stage": "summary or assessment" => con_1;
    "con-2" on "Condition.evidence": "code or detail" => con_2;
    "con-4" on "Condition": "if abated, inactive, resolved or in remission" => con_4;
    "con-5" on "Condition": "no clinicalStatus if entered in error" => con_5;
    "cpl-3" on "CarePlan.activity": "not both detail and reference" => cpl_3;
    "cpt-2" on "ContactPoint": "a system if there is a value" => cpt_2;
    "dis-1" on "Distance": "a code if there is a value; the system is UCUM" => dis_1;
    "dom-2" on "resource": "no contained resource in a contained one" => dom_2;
    "dom-3" on "resource": "what is contained is referred to, or refers to its container" => dom_3;
    "dom-4" on "resource": "no versionId or lastUpdated in what is contained" => dom_4;
    "dom-5" on "resource": "no security label in what is contained" => dom_5;
    "drt-1" on "Duration": "if there is a code, UCUM and a value" => drt_1;
    "ele-1" on "*": "a value or children" => ele_1;
    "ext-1" on "Extension": "extension or value, not both" => ext_1;
    "fhs-1" on "FamilyMemberHistory": "not both age and born" => fhs_1;
    "fhs-2" on "FamilyMemberHistory": "estimatedAge only with age" => fhs_2;
    "gol-1" on "Goal.target": "measure if detail" => gol_1;
    "grp-1" on "Group": "members only if actual" => grp_1;
    "imm-1" on "Immunization.education": "documentType or reference" => imm_1;
    "imr-1" on "ImmunizationRecommendation.recommendation": "vaccineCode or targetDisease" => imr_1;
    "inv-1" on "Parameters.parameter": "one of value, resource and part" => inv_1;
    "lst-1" on "List": "emptyReason only without entries" => lst_1;
    "lst-2" on "List": "deleted only if the mode is changes" => lst_2;
    "lst-3" on "List": "an entry's date only if the mode is working" => lst_3;
    "mad-1" on "MedicationAdministration.dosage": "dose or rate" => mad_1;
    "obs-3" on "Observation.referenceRange": "low, high or text" => obs_3;
    "obs-6" on "Observation": "dataAbsentReason only without a value" => obs_6;
    "obs-7" on "Observation": "no value if a component has the same code" => obs_7;
    "org-1" on "Organization": "name or identifier" => org_1;
    "pat-1" on "Patient.contact": "name, telecom, address or organization" => pat_1;
    "per-1" on "Period": "the start is not after the end" => per_1;
    "ppc-1" on "Consent": "policy or policyRule" => ppc_1;
    "prr-1" on "ServiceRequest": "orderDetail only with code" => prr_1;
    "qrs-1" on "QuestionnaireResponse.item": "not both answer and item" => qrs_1;
    "qty-3" on "Quantity", "Age", "Count", "Distance", "Duration": "a system if there is a code" => qty_3;
    "rat-1" on "Ratio": "both numerator and denominator, or an extension" => rat_1;
    "ref-1" on "Reference": "what a local reference names is contained" => ref_1;
    "rng-2" on "Range": "low is not above high" => rng_2;
    "rqg-1" on "RequestGroup.action": "resource or action, not both" => rqg_1;
    "tim-1" on "Timing.repeat": "durationUnit if duration" => tim_1;
    "tim-2" on "Timing.repeat": "periodUnit if period" => tim_2;
    "tim-4" on "Timing.repeat": "duration is not negative" => tim_4;
    "tim-5" on "Timing.repeat": "period is not negative" => tim_5;
    "tim-6" on "Timing.repeat": "periodMax only with period" => tim_6;
    "tim-7" on "Timing.repeat": "durationMax only with duration" => tim_7;
    "tim-8" on "Timing.repeat": "countMax only with count" => tim_8;
    "tim-9" on "Timing.repeat": "offset only with when, and not with a meal" => tim_9;
    "tim-10" on "Timing.repeat": "not both timeOfDay and when" => tim_10;
}

const UCUM: &str = "http://unitsofmeasure.org";

/// `left.empty() or right.exists()`
fn needs(node: &Node<'_>, left: &str, right: &str) -> bool {
    !node.has(left) || node.has(right)
}

/// Not both.
fn not_both(node: &Node<'_>, one: &str, other: &str) -> bool {
    !(node.has(one) && node.has(other))
}

fn measure_with_code(node: &Node<'_>) -> bool {
    needs(node, "value", "code") && (!node.has("system") || node.is("system", &[UCUM]))
}

fn age_1(node: &Node<'_>) -> bool {
    measure_with_code(node) && node.number("value").is_none_or(|value| value > 0.0)
}

fn ait_1(node: &Node<'_>) -> bool {
    let system = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification";
    node.has("clinicalStatus")
        || node.marked("verificationStatus")
        || node.has_code("verificationStatus", system, &["entered-in-error"])
}

fn ait_2(node: &Node<'_>) -> bool {
    let system = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification";
    !(node.has("clinicalStatus") && node.has_code("verificationStatus", system, &["entered-in-error"]))
}

fn app_1(node: &Node<'_>) -> bool {
    node.any(&["type", "actor"])
}

fn app_2(node: &Node<'_>) -> bool {
    node.has("start") == node.has("end")
}

fn app_3(node: &Node<'_>) -> bool {
    node.count(&["start", "end"]) == 2 || node.is("status", &["proposed", "cancelled", "waitlist"])
}

fn app_4(node: &Node<'_>) -> bool {
    !node.has("cancelationReason") || node.is("status", &["noshow", "cancelled"])
}

fn apr_1(node: &Node<'_>) -> bool {
    node.any(&["participantType", "actor"])
}

fn att_1(node: &Node<'_>) -> bool {
    needs(node, "data", "contentType")
}

fn bdl_1(node: &Node<'_>) -> bool {
    !node.has("total") || node.is("type", &["searchset", "history"])
}

fn bdl_2(node: &Node<'_>) -> bool {
    node.all("entry").iter().all(|entry| entry.get("search").is_none()) || node.is("type", &["searchset"])
}

fn bdl_3(node: &Node<'_>) -> bool {
    let wanted = node.is("type", &["batch", "transaction", "history"]);
    node.marked("type") || node.all("entry").iter().all(|entry| entry.get("request").is_some() == wanted)
}

fn bdl_4(node: &Node<'_>) -> bool {
    let wanted = node.is("type", &["batch-response", "transaction-response", "history"]);
    node.marked("type") || node.all("entry").iter().all(|entry| entry.get("response").is_some() == wanted)
}

fn bdl_5(node: &Node<'_>) -> bool {
    node.any(&["resource", "request", "response"])
}

fn bdl_7(node: &Node<'_>) -> bool {
    let mut urls: Vec<String> = node
        .all("entry")
        .iter()
        .filter_map(|entry| {
            let version = entry.get("resource")?.get("meta").and_then(|meta| meta.get("versionId")).map(Value::print);
            Some(format!("{} {}", entry.get("fullUrl")?.print(), version.unwrap_or_default()))
        })
        .collect();
    urls.sort();
    node.is("type", &["history"]) || urls.windows(2).all(|pair| pair[0] != pair[1])
}

fn bdl_8(node: &Node<'_>) -> bool {
    !node.one("fullUrl").and_then(Value::text).is_some_and(|url| url.contains("/_history/"))
}

fn ces_1(node: &Node<'_>) -> bool {
    node.count(&["category", "productOrService"]) == 1
}

fn cmp_1(node: &Node<'_>) -> bool {
    node.any(&["text", "entry", "section"])
}

fn cmp_2(node: &Node<'_>) -> bool {
    not_both(node, "emptyReason", "entry")
}

fn cnt_3(node: &Node<'_>) -> bool {
    measure_with_code(node)
        && (!node.has("code") || node.is("code", &["1"]))
        && !matches!(node.one("value"), Some(Value::Number(raw)) if raw.contains('.'))
}

fn con_1(node: &Node<'_>) -> bool {
    node.any(&["summary", "assessment"])
}

fn con_2(node: &Node<'_>) -> bool {
    node.any(&["code", "detail"])
}

fn con_4(node: &Node<'_>) -> bool {
    let system = "http://terminology.hl7.org/CodeSystem/condition-clinical";
    !node.has("abatement[x]")
        || node.marked("clinicalStatus")
        || node.has_code("clinicalStatus", system, &["resolved", "remission", "inactive"])
}

fn con_5(node: &Node<'_>) -> bool {
    let system = "http://terminology.hl7.org/CodeSystem/condition-ver-status";
    !(node.has("clinicalStatus") && node.has_code("verificationStatus", system, &["entered-in-error"]))
}

fn cpl_3(node: &Node<'_>) -> bool {
    not_both(node, "detail", "reference")
}

fn cpt_2(node: &Node<'_>) -> bool {
    needs(node, "value", "system")
}

fn dis_1(node: &Node<'_>) -> bool {
    measure_with_code(node)
}

fn contained<'a>(node: &Node<'a>) -> Vec<&'a Value> {
    node.all("contained")
}

fn dom_2(node: &Node<'_>) -> bool {
    contained(node).iter().all(|inner| inner.get("contained").is_none())
}

fn dom_3(node: &Node<'_>) -> bool {
    let inner = contained(node);
    let text_is = |value: &Value, wanted: &str| refers(value, wanted);
    inner.iter().all(|one| {
        let id = one.get("id").and_then(Value::text).unwrap_or_default();
        let named = !id.is_empty() && text_is(node.value, &format!("#{id}"));
        named || text_is(one, "#")
    })
}

/// Whether a reference, canonical, uri or url anywhere in the resource is this text.
fn refers(resource: &Value, wanted: &str) -> bool {
    let mut found = false;
    if let Some(object) = resource_type(resource) {
        each_object(object, resource, &mut |inner, value| {
            for member in value.members() {
                let Some(key) = crate::slow::model::key(inner, &member.key).filter(|key| !key.underscore) else {
                    continue;
                };
                let kind = inner.elements[key.element].type_names[key.target];
                let literal = inner.name == "Reference" && member.key == "reference";
                if literal || matches!(kind, "canonical" | "uri" | "url") {
                    found |= member.value.items().iter().any(|item| item.text() == Some(wanted));
                }
            }
        });
    }
    found
}

fn dom_4(node: &Node<'_>) -> bool {
    let meta = |inner: &&Value, key: &str| inner.get("meta").is_some_and(|meta| meta.get(key).is_some());
    contained(node).iter().all(|inner| !meta(inner, "versionId") && !meta(inner, "lastUpdated"))
}

fn dom_5(node: &Node<'_>) -> bool {
    contained(node).iter().all(|inner| inner.get("meta").is_none_or(|meta| meta.get("security").is_none()))
}

fn drt_1(node: &Node<'_>) -> bool {
    !node.has("code") || node.is("system", &[UCUM]) && node.has("value")
}

fn ele_1(node: &Node<'_>) -> bool {
    let empty = |value: &Value| match value {
        Value::Object(members) => members.is_empty(),
        Value::List(items) => items.iter().all(|item| *item == Value::Null),
        Value::Text(raw) => raw.is_empty(),
        Value::Null => true,
        _ => false,
    };
    let children = node.value.members().iter().any(|member| !matches!(member.key.as_str(), "id" | "resourceType"));
    (children || node.object.is_resource) && !node.value.members().iter().any(|member| empty(&member.value))
}

fn ext_1(node: &Node<'_>) -> bool {
    node.count(&["extension", "value[x]"]) == 1
}

fn fhs_1(node: &Node<'_>) -> bool {
    not_both(node, "age[x]", "born[x]")
}

fn fhs_2(node: &Node<'_>) -> bool {
    needs(node, "estimatedAge", "age[x]")
}

fn gol_1(node: &Node<'_>) -> bool {
    needs(node, "detail[x]", "measure")
}

fn grp_1(node: &Node<'_>) -> bool {
    !node.has("member") || node.marked("actual") || node.one("actual") == Some(&Value::Bool(true))
}

fn imm_1(node: &Node<'_>) -> bool {
    node.any(&["documentType", "reference"])
}

fn imr_1(node: &Node<'_>) -> bool {
    node.any(&["vaccineCode", "targetDisease"])
}

fn inv_1(node: &Node<'_>) -> bool {
    node.count(&["value[x]", "resource", "part"]) == 1
}

fn lst_1(node: &Node<'_>) -> bool {
    not_both(node, "emptyReason", "entry")
}

fn lst_2(node: &Node<'_>) -> bool {
    let stands = |entry: &&Value| entry.get("deleted").is_some() || entry.get("_deleted").is_some();
    node.is("mode", &["changes"]) || !node.all("entry").iter().any(stands)
}

fn lst_3(node: &Node<'_>) -> bool {
    let stands = |entry: &&Value| entry.get("date").is_some() || entry.get("_date").is_some();
    node.is("mode", &["working"]) || !node.all("entry").iter().any(stands)
}

fn mad_1(node: &Node<'_>) -> bool {
    node.any(&["dose", "rate[x]"])
}

fn obs_3(node: &Node<'_>) -> bool {
    node.any(&["low", "high", "text"])
}

fn obs_6(node: &Node<'_>) -> bool {
    not_both(node, "dataAbsentReason", "value[x]")
}

fn obs_7(node: &Node<'_>) -> bool {
    let own: Vec<String> = node.all("code").into_iter().flat_map(codings).map(Value::print).collect();
    let components = node.all("component");
    let same = components
        .iter()
        .filter_map(|component| component.get("code"))
        .flat_map(codings)
        .any(|coding| own.contains(&coding.print()));
    !(node.has("value[x]") && same)
}

fn org_1(node: &Node<'_>) -> bool {
    node.any(&["name", "identifier"])
}

fn pat_1(node: &Node<'_>) -> bool {
    node.any(&["name", "telecom", "address", "organization"])
}

fn per_1(node: &Node<'_>) -> bool {
    let (start, end) = (node.one("start").and_then(Value::text), node.one("end").and_then(Value::text));
    let (Some(start), Some(end)) = (start, end) else { return true };
    match (minutes(start), minutes(end)) {
        (Some(start), Some(end)) => start <= end,
        _ => {
            // What differs in precision is compared as far as both go; across a zone's midnight nothing is said.
            let length = start.len().min(end.len()).min(7);
            start.get(..length) <= end.get(..length)
        }
    }
}

/// Minutes since a fixed day, in UTC, of a full dateTime with a zone.
fn minutes(raw: &str) -> Option<i64> {
    let part = |from: usize, to: usize| raw.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    if raw.get(10..11)? != "T" {
        return None;
    }
    let zone = raw.get(16..)?;
    let offset = match zone.find(['+', '-']) {
        Some(at) => {
            let (hours, rest) =
                (zone.get(at + 1..at + 3)?.parse::<i64>().ok()?, zone.get(at + 4..at + 6)?.parse::<i64>().ok()?);
            (hours * 60 + rest) * if zone.as_bytes().get(at) == Some(&b'-') { -1 } else { 1 }
        }
        None => 0,
    };
    // Days since 0000-03-01 of the proleptic calendar.
    let (shifted_year, shifted_month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * shifted_year + shifted_year / 4 - shifted_year / 100
        + shifted_year / 400
        + (153 * shifted_month + 2) / 5
        + day;
    Some(days * 1440 + part(11, 13)? * 60 + part(14, 16)? - offset)
}

fn ppc_1(node: &Node<'_>) -> bool {
    node.any(&["policy", "policyRule"])
}

fn prr_1(node: &Node<'_>) -> bool {
    needs(node, "orderDetail", "code")
}

fn qrs_1(node: &Node<'_>) -> bool {
    not_both(node, "answer", "item")
}

fn qty_3(node: &Node<'_>) -> bool {
    needs(node, "code", "system")
}

fn rat_1(node: &Node<'_>) -> bool {
    node.has("numerator") == node.has("denominator") && node.any(&["numerator", "extension"])
}

fn ref_1(node: &Node<'_>) -> bool {
    let Some(id) = node.one("reference").and_then(Value::text).and_then(|raw| raw.strip_prefix('#')) else {
        return true;
    };
    let inner = node.root.get("contained").map(Value::items).unwrap_or_default();
    id.is_empty() || inner.iter().any(|inner| inner.get("id").and_then(Value::text) == Some(id))
}

fn rng_2(node: &Node<'_>) -> bool {
    let (Some(low), Some(high)) = (node.one("low"), node.one("high")) else { return true };
    let same = ["unit", "system", "code"].iter().all(|key| low.get(key) == high.get(key));
    let values = (low.get("value").and_then(number), high.get("value").and_then(number));
    match values {
        (Some(low_value), Some(high_value)) if same && !is_marker(low) && !is_marker(high) => low_value <= high_value,
        _ => true,
    }
}

fn rqg_1(node: &Node<'_>) -> bool {
    node.count(&["resource", "action"]) == 1
}

fn tim_1(node: &Node<'_>) -> bool {
    needs(node, "duration", "durationUnit")
}

fn tim_2(node: &Node<'_>) -> bool {
    needs(node, "period", "periodUnit")
}

fn tim_4(node: &Node<'_>) -> bool {
    node.number("duration").is_none_or(|duration| duration >= 0.0)
}

fn tim_5(node: &Node<'_>) -> bool {
    node.number("period").is_none_or(|period| period >= 0.0)
}

fn tim_6(node: &Node<'_>) -> bool {
    needs(node, "periodMax", "period")
}

fn tim_7(node: &Node<'_>) -> bool {
    needs(node, "durationMax", "duration")
}

fn tim_8(node: &Node<'_>) -> bool {
    needs(node, "countMax", "count")
}

fn tim_9(node: &Node<'_>) -> bool {
    let meal = |value: &&Value| matches!(value.text(), Some("C" | "CM" | "CD" | "CV"));
    !node.has("offset") || node.has("when") && !node.all("when").iter().any(meal)
}

fn tim_10(node: &Node<'_>) -> bool {
    not_both(node, "timeOfDay", "when")
}
