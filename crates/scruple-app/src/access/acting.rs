//! Who acts, as a decision takes it: the gateway and those who ask for decisions come through here, so that both hear the same.

use super::{Held, Selected};
use scruple_core::{ConditionMask, Relationship, Timestamp};
use scruple_policy::{Pack, Question, Relationships};
use scruple_release::Asked;

/// Somebody with the role that was selected, for a purpose, as a decision under `pack` takes him.
#[must_use]
pub fn acting(
    held: &Held,
    selected: &Selected,
    (subject, purpose): (&str, String),
    pack: &Pack,
    now: Timestamp,
) -> Asked {
    let (conditions, relationship) = match pack.relationships {
        Relationships::Resolved => (ConditionMask::NONE, Relationship::Resolved),
        Relationships::Assumed => {
            let assumed = pack.condition("relationship").map_or(ConditionMask::NONE, |id| ConditionMask::NONE.with(id));
            (assumed, Relationship::Assumed)
        }
        // Nobody is there who could say so.
        Relationships::Asserted => (ConditionMask::NONE, Relationship::None),
    };
    let opened = held.opened(&selected.role, &purpose, now);
    let limited = held.limited(&selected.role, &purpose, now);
    let elevation = pack.condition("emergency_elevation").filter(|_| purpose == "BTG" && !opened.is_empty());
    // An emergency opens the records that it names, also where a relationship is assumed.
    let (conditions, relationship) =
        if purpose == "BTG" { (ConditionMask::NONE, Relationship::Resolved) } else { (conditions, relationship) };
    let conditions = elevation.map_or(conditions, |id| conditions.with(id));
    Asked {
        subject: subject.to_owned(),
        question: Question { role: selected.role.to_string(), purpose, conditions },
        relationship,
        grant: Some(selected.grant.to_string()),
        practitioners: held.practitioners().iter().map(ToString::to_string).collect(),
        opened,
        limited,
    }
}
