//! Words on the page for what code and policy name: purposes, masks, stories of patients, reasons.
//!
//! A name that is not listed stands for itself: an organisation's own policy may have others.

mod marks;

pub(crate) use marks::{Area, Depth, ExceptionKind, Mark, PersonState, RequestState, ReviewState};
pub use scruple_app::words::lower_first;
use scruple_hospital::Persona;
use scruple_policy::Pack;

/// A label up to its first comma: `Billing, collections` in a sentence is `Billing`.
#[must_use]
pub fn short(label: &str) -> &str {
    label.split([',', ';']).next().unwrap_or(label).trim()
}

/// Tasks as one phrase: `build and correct claims; post payments`.
#[must_use]
pub fn tasks(tasks: &[String]) -> String {
    tasks.join("; ")
}

/// A purpose of use (HL7 v3 ActReason).
#[must_use]
pub fn purpose(code: &str) -> &str {
    scruple_policy::purpose_words(code)
}

/// What a mask leaves.
#[must_use]
pub fn mask(name: &str) -> String {
    scruple_policy::mask_words(name)
}

/// What a synthetic patient is there for.
#[must_use]
pub const fn persona(persona: Persona) -> &'static str {
    match persona {
        Persona::Showcase => "every kind of information",
        Persona::Ordinary => "an ordinary record",
        Persona::Hiv => "HIV care",
        Persona::EdSubstanceUse => "substance use in an emergency note",
        Persona::Part2Labelled => "a Part 2 programme, labelled",
        Persona::Part2BySource => "a Part 2 programme, by its source",
        Persona::Depression => "depression",
        Persona::BehavioralInpatient => "a behavioural health stay",
        Persona::Psychotherapy => "psychotherapy notes kept apart",
        Persona::Sti => "a sexually transmitted infection",
        Persona::Reproductive => "reproductive care",
        Persona::GenderAffirming => "gender-affirming care",
        Persona::Abuse => "abuse by a partner",
        Persona::Genetic => "genetic tests",
        Persona::MinorConfidential => "a minor's confidential service",
        Persona::Vip => "a well-known person",
        Persona::Employee => "an employee as patient",
        Persona::Deceased => "a deceased patient",
        Persona::Twin => "a twin",
        Persona::ConfidentialAddress => "a confidential address",
        Persona::SelfPay => "a self-paid visit",
        Persona::Delivery => "a delivery",
        Persona::IntensiveCare => "intensive care",
        Persona::Restricted => "an agreed restriction",
        Persona::ResearchConfidential => "a confidential study",
        Persona::Canary => "canary values",
    }
}

/// Why an element is withheld although its kind is not, as the policy says it.
#[must_use]
pub fn because(pack: &Pack, text: &str) -> String {
    if let Some(name) = text.strip_prefix("the type's home `").and_then(|rest| rest.strip_suffix("` is none")) {
        let label = pack.category(name).and_then(|id| pack.categories.get(usize::from(id.0)));
        let label = label.map_or(name, |category| category.label.as_str());
        return format!("The record is of a kind that the role does not have: {label}.");
    }
    match text {
        "withheld from everyone" => "Withheld from everyone.".to_owned(),
        "the type is withheld from everyone" => "The type is withheld from everyone.".to_owned(),
        "the mask does not carry it" => "The mask leaves it out.".to_owned(),
        "what it belongs to is withheld" => "What it belongs to is withheld.".to_owned(),
        "a required or modifying element would be withheld" => {
            "An element that must not be left out would be withheld, so that all of it is.".to_owned()
        }
        other => match other.strip_suffix(" does not carry it") {
            Some(view) => format!("Left out: {}.", lower_first(&mask(view.trim_start_matches("masked:")))),
            None => format!("{other}."),
        },
    }
}

/// Parts of the resource that the projector handles by rules of its own (docs/projection.md, 3 and 5).
#[must_use]
pub fn general(key: &str) -> Option<&'static str> {
    Some(match key.trim_start_matches('_') {
        "resourceType" => "Says what the record is; it always shows with it.",
        "id" => "The id of a record shows with it: links need it.",
        "meta" => {
            "Marks and versions. What leaves is marked as narrowed; times of change are a permission of their own."
        }
        "text" => "The narrative repeats the record in words, so that it leaves only where all of the record does.",
        "language" => "The language of the record shows with it.",
        "contained" => "A contained record is judged by its own type.",
        "extension" => "An extension that the policy does not name is withheld.",
        "modifierExtension" | "implicitRules" => "It changes the meaning of the record.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_stand_in_sentences() {
        assert_eq!(short("Billing, collections"), "Billing");
        assert_eq!(short("Researcher"), "Researcher");
        assert_eq!(lower_first("Notes, letters"), "notes, letters");
        assert_eq!(lower_first("SSN, passport"), "SSN, passport");
    }

    #[test]
    fn a_name_that_is_not_listed_stands_for_itself() {
        assert_eq!(purpose("XPURPOSE"), "XPURPOSE");
        assert_eq!(mask("own"), "In part, by the mask own");
    }
}
