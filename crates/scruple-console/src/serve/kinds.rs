//! Kinds of information and tasks, as people choose and read them.

use crate::pages::parts::{Choice, Coded, Pick};
use crate::pages::requests::ask::{Kind, KindGroup};
use scruple_flow::{AccessRequest, KindCode, Kinds, RequestTask, RoleCode};
use scruple_policy::Pack;
use std::collections::{BTreeMap, BTreeSet};

/// What the form sends where all that the role has is asked for.
pub(super) const WHOLE: &str = "*";

pub(super) const fn task(task: RequestTask) -> &'static str {
    match task {
        RequestTask::Cover => "I stand in for somebody",
        RequestTask::Consult => "I was asked for my opinion",
        RequestTask::FollowUp => "I follow up what I did before",
        RequestTask::Billing => "A bill, a claim, an appeal",
        RequestTask::Quality => "Quality, safety, a registry",
        RequestTask::Records => "A record is corrected, joined or given out",
        RequestTask::Investigation => "A complaint, an audit, an investigation",
        RequestTask::Research => "A study that was approved",
        RequestTask::Duty => "A new duty",
        RequestTask::Other => "Something else",
    }
}

/// The tasks that can be chosen.
pub(super) fn tasks(chosen: &str) -> Pick {
    let all = RequestTask::ALL.iter().map(|one| (one.code(), task(*one)));
    let choices: Vec<(&str, &str)> = std::iter::once(("", "Choose one")).chain(all).collect();
    super::words::pick(&choices, chosen)
}

/// The kinds that roles have, under their headings.
pub(super) fn groups<'a>(
    pack: &Pack,
    roles: impl Iterator<Item = &'a RoleCode>,
    chosen: &BTreeSet<String>,
) -> Vec<KindGroup> {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for role in roles {
        known.extend(pack.kinds(role.as_str(), None));
    }
    if known.is_empty() {
        return Vec::new();
    }
    let kind = |value: &str, label: &str| Kind {
        value: value.to_owned(),
        label: label.to_owned(),
        chosen: chosen.contains(value),
        held: false,
        protected: pack.is_elevated(value),
    };
    let headings = ["Who the patient is and how to reach him", "Visits and payment", "Care", "Specially protected"];
    let mut groups: Vec<KindGroup> =
        headings.map(|label| KindGroup { label: label.to_owned(), kinds: Vec::new() }).to_vec();
    // In the order in which the policy names them.
    let order = pack.categories.iter().map(|one| one.name.clone());
    let order = order.chain(pack.segments.iter().map(|one| format!("{}{}", KindCode::SEGMENT, one.name)));
    for code in order {
        if let (Some(label), Some(group)) = (known.get(&code), groups.get_mut(heading(&code))) {
            group.kinds.push(kind(&code, label));
        }
    }
    groups.retain(|group| !group.kinds.is_empty());
    let whole = kind(WHOLE, "Everything that the role has; whoever approves it is told so");
    groups.push(KindGroup { label: "All of it".to_owned(), kinds: vec![whole] });
    groups
}

fn heading(code: &str) -> usize {
    const PERSON: [&str; 6] = ["id_", "contact_", "demo_", "photo_", "relatives_", "access_needs"];
    const VISIT: [&str; 7] =
        ["schedule", "visit_reason", "encounter_admin", "coverage", "claims", "balance", "consent_legal"];
    match code {
        _ if code.starts_with(KindCode::SEGMENT) => 3,
        _ if PERSON.iter().any(|start| code.starts_with(start)) => 0,
        _ if VISIT.contains(&code) => 1,
        _ => 2,
    }
}

/// The label of a kind; of one that the policy no longer knows, its code.
pub(super) fn label(pack: &Pack, code: &KindCode) -> Coded {
    let code = code.as_str();
    let known = match code.strip_prefix(KindCode::SEGMENT) {
        Some(name) => pack.segments.iter().find(|one| one.name == name).map(|one| one.label.as_str()),
        None => pack.categories.iter().find(|one| one.name == code).map(|one| one.label.as_str()),
    };
    Coded { words: known.unwrap_or(code).to_owned(), code: code.to_owned() }
}

/// What is opened, in words.
pub(super) fn named(pack: &Pack, kinds: &Kinds) -> Vec<Coded> {
    match kinds.codes() {
        None => vec![Coded { words: "everything that the role has".to_owned(), code: String::new() }],
        Some(codes) => codes.iter().map(|code| label(pack, code)).collect(),
    }
}

/// The kinds of a request that can stay, all of them ticked.
pub(super) fn staying(pack: &Pack, request: &AccessRequest) -> Pick {
    let all = offered(pack, request);
    let one = |code: &KindCode| {
        let Coded { words, code } = label(pack, code);
        Choice { value: code, label: words, chosen: true }
    };
    Pick { choices: all.iter().map(one).collect(), ..Pick::default() }
}

/// The kinds of a request: those that it names, or all that its role has.
fn offered(pack: &Pack, request: &AccessRequest) -> BTreeSet<KindCode> {
    let wanted = &request.wanted;
    let of_role = || pack.kinds(wanted.role.as_str(), wanted.purpose.as_deref());
    match wanted.kinds.codes() {
        _ if wanted.patients.is_empty() => BTreeSet::new(),
        Some(codes) => codes.clone(),
        None => of_role().keys().filter_map(|code| code.parse().ok()).collect(),
    }
}

/// What an approver leaves: `Ok(None)` where all stays, an error where nothing does.
pub(super) fn left<'a>(
    pack: &Pack,
    request: &AccessRequest,
    ticked: impl Iterator<Item = &'a str>,
) -> Result<Option<Kinds>, ()> {
    let all = offered(pack, request);
    if all.is_empty() {
        return Ok(None);
    }
    let ticked: BTreeSet<KindCode> = ticked.filter_map(|code| code.parse().ok()).collect();
    if ticked == all {
        return Ok(None);
    }
    Kinds::named(ticked).map(Some).ok_or(())
}
