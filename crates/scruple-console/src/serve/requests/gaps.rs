//! What of the form for access was left open: all of it at once, each said beside its field.

use super::ask::Typed;
use super::{PRESETS, words};
use scruple_flow::{InvalidPatient, PatientRef};
use std::collections::BTreeSet;

/// For each field what to do; none: it is filled in.
#[derive(Default, PartialEq, Eq, Debug)]
pub(super) struct Gaps {
    pub(super) task: Option<&'static str>,
    pub(super) reason: Option<&'static str>,
    pub(super) role: Option<&'static str>,
    pub(super) kinds: Option<&'static str>,
    pub(super) patients: Option<&'static str>,
    pub(super) numbers: Option<&'static str>,
    pub(super) until: Option<&'static str>,
}

impl Gaps {
    pub(super) fn of(typed: &Typed) -> Self {
        let is_of_patients = typed.patients == "numbers";
        let if_left = |is_left: bool, said: &'static str| is_left.then_some(said);
        Self {
            task: if_left(typed.task.is_empty(), "Choose for what kind of task it is."),
            reason: scruple_flow::reason(&typed.reason, None).err().map(words::weak),
            role: if_left(typed.role.is_empty(), "Choose a role."),
            kinds: if_left(
                is_of_patients && typed.kinds.is_empty(),
                "Choose at least one kind of information, or everything that the role has.",
            ),
            patients: if_left(!is_of_patients && typed.patients != "related", "Choose for whom it is."),
            numbers: match numbers(&typed.numbers) {
                _ if !is_of_patients => None,
                Ok(numbers) => if_left(numbers.is_empty(), "Type the record number of each patient, one a line."),
                Err(_) => Some("One record number a line: letters, digits, `-` and `.`."),
            },
            until: if_left(hours(&typed.until).is_none(), "Choose how long you need it."),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The record numbers of a field.
pub(super) fn numbers(text: &str) -> Result<BTreeSet<PatientRef>, InvalidPatient> {
    text.split(['\n', ',', ';']).map(str::trim).filter(|number| !number.is_empty()).map(str::parse).collect()
}

/// How long an option of the field `until` is.
pub(super) fn hours(until: &str) -> Option<i64> {
    PRESETS.iter().find(|(code, ..)| *code == until).map(|(.., hours)| *hours).or((until == "month").then_some(30 * 24))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_was_left_open_is_said_at_once() {
        let nothing = Gaps::of(&Typed { patients: "numbers".to_owned(), ..Typed::default() });
        let all = [nothing.task, nothing.reason, nothing.role, nothing.kinds, nothing.numbers, nothing.until];
        assert!(all.iter().all(Option::is_some), "{nothing:?}");
        let typed = Typed {
            task: "cover".to_owned(),
            reason: "Float pool until the roster comes".to_owned(),
            role: "nurse".to_owned(),
            kinds: ["labs".to_owned()].into(),
            patients: "numbers".to_owned(),
            numbers: "MR-4471, MR-5120\nMR-5120".to_owned(),
            until: "month".to_owned(),
            ..Typed::default()
        };
        assert!(Gaps::of(&typed).is_empty(), "{:?}", Gaps::of(&typed));
        let wrong = Gaps::of(&Typed { numbers: "MR 4471".to_owned(), until: "ever".to_owned(), ..typed });
        assert!(wrong.numbers.is_some() && wrong.until.is_some() && wrong.role.is_none(), "{wrong:?}");
        let of_role = Gaps::of(&Typed { patients: "related".to_owned(), ..Typed::default() });
        assert!(of_role.kinds.is_none() && of_role.numbers.is_none() && of_role.patients.is_none(), "{of_role:?}");
        assert!(Gaps::of(&Typed::default()).patients.is_some());
    }
}
