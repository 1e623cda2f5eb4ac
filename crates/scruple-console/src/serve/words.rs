//! Words of the pages of people: times, roles, what was done, and why not.

use crate::pages::parts::{Choice, Coded, Field, Pick, When};
pub(crate) use scruple_app::refusals::{sentence, weak};
pub(crate) use scruple_app::times::length;
use scruple_app::times::{counted, moment};
pub(crate) use scruple_app::words::{declared, emergency, task_kind};
use scruple_core::Timestamp;
use scruple_flow::{AccessRequest, RequestState, RoleCode};
use scruple_policy::{ADMINISTRATOR, COUNSEL, HUMAN_RESOURCES, Pack, SERVICE_ACCOUNT, purpose_words};

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
/// A day, in microseconds.
pub(crate) const DAY: i64 = 24 * HOUR;

/// A moment, in UTC until people have a time zone.
pub(crate) fn when(at: Timestamp) -> When {
    When { iso: at.to_string(), words: moment(at) }
}

/// `in 3 hours`; `over`.
pub(crate) fn left(until: Timestamp, now: Timestamp) -> String {
    let micros = until.micros().saturating_sub(now.micros());
    if micros <= 0 { "over".to_owned() } else { format!("in {}", length(micros)) }
}

/// `40 minutes ago`: what is over is not rounded up, but for the first minute.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    let micros = now.micros().saturating_sub(at.micros()).max(0);
    let said = match micros {
        _ if micros < HOUR => counted((micros / MINUTE).max(1), "minute"),
        _ if micros < 2 * DAY => counted(micros / HOUR, "hour"),
        _ => counted(micros / DAY, "day"),
    };
    format!("{said} ago")
}

/// The name of a role.
pub(crate) fn role(pack: &Pack, code: &RoleCode) -> String {
    match pack.roles.get(code.as_str()) {
        Some(role) => role.label.clone(),
        None if code.as_str() == ADMINISTRATOR => "Administrator of Scruple".to_owned(),
        None if code.as_str() == COUNSEL => "Counsel".to_owned(),
        None if code.as_str() == HUMAN_RESOURCES => "Human resources".to_owned(),
        None if code.as_str() == SERVICE_ACCOUNT => "A system that asks for decisions".to_owned(),
        None => code.to_string(),
    }
}

/// The same with its code.
pub(crate) fn role_coded(pack: &Pack, code: &RoleCode) -> Coded {
    Coded { words: role(pack, code), code: code.to_string() }
}

/// A purpose of use, or those of the role.
pub(crate) fn purpose(purpose: Option<&str>) -> Coded {
    match purpose {
        Some(code) => Coded { words: purpose_words(code).to_owned(), code: code.to_owned() },
        None => Coded { words: "the purposes of the role".to_owned(), code: String::new() },
    }
}

/// `2 patients`, `those whom the role relates him to`.
pub(crate) fn patients(request: &AccessRequest) -> String {
    match request.wanted.patients.len() {
        0 => "those whom the role relates to".to_owned(),
        1 => "1 patient".to_owned(),
        many => format!("{many} patients"),
    }
}

/// Where a request stands, for its mark.
pub(crate) fn state(request: &AccessRequest, now: Timestamp) -> crate::words::RequestState {
    use crate::words::RequestState as Shown;
    match request.state_at(now) {
        RequestState::Draft | RequestState::Pending { .. } => Shown::Waiting,
        RequestState::Approved { .. } if request.wanted.window.ends_at() <= now => Shown::Expired,
        RequestState::Approved { .. } if request.wanted.window.starts_at() > now => Shown::Approved,
        RequestState::Approved { .. } => Shown::Active,
        RequestState::Denied { .. } => Shown::Refused,
        RequestState::Expired { .. } => Shown::Lapsed,
        RequestState::Cancelled { .. } => Shown::Withdrawn,
        RequestState::Failed { .. } => Shown::Failed,
    }
}

/// The sentence of an act that was done, by its code.
pub(crate) fn done(code: &str) -> Option<&'static str> {
    Some(match code {
        "asked" => "It is asked for. Those who decide see it now.",
        "approved" => "Approved. It counts within a second.",
        "seconded" => "Your approval is recorded. Somebody else has to approve it too.",
        "refused" => "Refused. The person reads why.",
        "withdrawn" => "Withdrawn.",
        "ended" => "Ended. It counts within a second.",
        "acknowledged" => "Written down: you have read it.",
        "named" => "Named. It counts once the person has accepted.",
        "accepted" => "You stand in from its beginning on, until its end.",
        "deputy-ended" => "Ended. Nobody stands in by it any more.",
        "declared" => "The chart is open to you until the end of the time shown below.",
        "emergency" => "The chart is open to you for four hours. Write one sentence why before your shift ends.",
        "protected" => {
            "Protected information of this chart, if it has any, is open to you too, until the emergency ends. Psychotherapy notes stay closed, and so does what is restricted without a reason."
        }
        "said" => "It is written down.",
        "closed" => "The review is closed.",
        "closed_alike" => "The reviews are closed.",
        "closed_some" => {
            "Some are closed. The others were left: they have gone on meanwhile, are decided by themselves, or somebody outside their team has to review them."
        }
        "use_closed" => "It is closed, with your sentence.",
        "questioned" => "The reader is asked. It stands on the reader's own page until there is an answer.",
        "told" => "Your sentence is with the review.",
        "case-opened" => "A case is open. Nobody but the privacy office knows of it yet.",
        "answered" => "Your answer is with the privacy office.",
        "case-decided" => "It is decided. The letter is next.",
        "lettered" => "The letter is made. It ends the case.",
        "drafted" => "It is drafted and found good. It decides nothing until it is proposed, approved and activated.",
        "proposed" => "It is proposed. A second person sees its difference and its replay now.",
        "agreed" => "Approved. It decides nothing until it is activated.",
        "activated" => "It is active. Every node takes it within a second.",
        "mapped" => "The review of the mapping is closed, and its next day is set.",
        "begun" => "You have begun. The records of the task are open to you, and each read is recorded under it.",
        "unmasked" => "The field is shown until its time is over. It is recorded with your reason.",
        "recorded" => "The recording is with the task.",
        "paper-written" => "The paper is written. It is not changed any more.",
        "paper-walled" => "It stands behind the wall. Packs that are made from now on do not have it.",
        "paper-released" => "It is let out. Packs that are made from now on have it.",
        "project-proposed" => "It is proposed. Somebody who has not proposed it decides.",
        "project-approved" => "Approved. What is asked for under it stays within it, and ends with it.",
        "project-refused" => "Refused. Who proposed it reads why.",
        "project-ended" => "Ended, with every role and record that was given for it.",
        "left" => "The person has left. Everything is closed, on every node.",
        "nothing" => "There is nothing to draft: all that is granted was used.",
        "reading" => "The system is read next. What was found stands here then.",
        "removing" => "It is asked for there, again and again until a reading shows that it is gone.",
        "let-be" => "It is let be until its end. Then somebody decides anew.",
        "confirmed" => "Thank you. Now do it once more.",
        _ => return None,
    })
}

pub(crate) fn field(value: &str) -> Field {
    Field { value: value.to_owned(), ..Field::default() }
}

pub(crate) fn wrong(value: &str, error: &str) -> Field {
    Field { value: value.to_owned(), error: Some(error.to_owned()), ..Field::default() }
}

/// Options, of which one may be chosen.
pub(crate) fn pick<V: AsRef<str>, L: AsRef<str>>(choices: &[(V, L)], chosen: &str) -> Pick {
    let one = |(value, label): &(V, L)| Choice {
        value: value.as_ref().to_owned(),
        label: label.as_ref().to_owned(),
        chosen: value.as_ref() == chosen,
    };
    Pick { choices: choices.iter().map(one).collect(), ..Pick::default() }
}

/// `..4471`: so much of the id of a patient is shown to who decides.
pub(crate) fn last_four(id: &str) -> String {
    let length = id.chars().count();
    let skip = length - (length / 2).min(4);
    format!("..{}", id.chars().skip(skip).collect::<String>())
}

/// `chart ..4471`: the same on every page for the same patient. It is the end of his id in the record system, which is what is kept
/// of a patient; the record number is another one, and is not known without asking there.
pub(crate) fn chart(id: &str) -> String {
    format!("chart {}", last_four(id))
}

/// The same of a patient as an index or a log names him: by a record number, where nobody could tell whose it is.
pub(crate) fn chart_of_key(key: &str) -> String {
    match key.strip_prefix("number:") {
        Some(number) => format!("number {}", last_four(number)),
        None => chart(key.trim_start_matches("Patient/")),
    }
}

/// A cell of a table to take away: what a spreadsheet would take for a formula is text.
pub(crate) fn cell(text: &str) -> String {
    let risky = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '|', '%']);
    let text = if risky { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r', ';', '\'']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_no_formula_and_stays_one_cell() {
        for (text, expected) in [
            ("Ana Ruiz", "Ana Ruiz"),
            ("=HYPERLINK(\"http://x\")", "\"'=HYPERLINK(\"\"http://x\"\")\""),
            ("+1", "\"'+1\""),
            ("@x", "\"'@x\""),
            ("-1", "\"'-1\""),
            ("a,b", "\"a,b\""),
            ("a\nb", "\"a\nb\""),
        ] {
            assert_eq!(cell(text), expected, "{text}");
        }
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        assert_eq!(when(at("2028-02-29T08:05:00Z")).words, "29 February 2028, 08:05 UTC");
        let now = at("2026-03-01T08:00:00Z");
        for (until, expected) in [
            ("2026-03-01T08:00:00Z", "over"),
            ("2026-03-01T08:00:01Z", "in 1 minute"),
            ("2026-03-01T08:40:00Z", "in 40 minutes"),
            ("2026-03-01T09:00:00Z", "in 1 hour"),
            ("2026-03-02T20:00:00Z", "in 36 hours"),
            ("2026-03-03T08:00:00Z", "in 2 days"),
        ] {
            assert_eq!(left(at(until), now), expected, "{until}");
        }
        assert_eq!(ago(at("2026-03-01T07:59:59Z"), now), "1 minute ago");
        assert_eq!(ago(at("2026-03-01T06:00:01Z"), now), "1 hour ago");
    }

    #[test]
    fn twelve_hours_are_still_twelve_a_second_later() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let a_second_later = at("2026-03-01T08:00:01Z");
        for (until, expected) in [
            ("2026-03-01T08:40:00Z", "in 40 minutes"),
            ("2026-03-01T09:00:00Z", "in 1 hour"),
            ("2026-03-01T20:00:00Z", "in 12 hours"),
            ("2026-03-03T08:00:00Z", "in 2 days"),
            ("2026-03-31T08:00:00Z", "in 30 days"),
        ] {
            assert_eq!(left(at(until), a_second_later), expected, "{until}");
        }
    }

    #[test]
    fn one_patient_has_one_name_on_every_page() {
        for key in ["pat-0002", "Patient/pat-0002"] {
            assert_eq!(chart_of_key(key), chart("pat-0002"));
        }
        assert_eq!(
            (chart("pat-0002").as_str(), chart_of_key("number:20000001").as_str()),
            ("chart ..0002", "number ..0001")
        );
    }

    #[test]
    fn who_decides_sees_the_end_of_a_number_alone() {
        for (id, shown) in [("93-44714", "..4714"), ("12", "..2"), ("é1234", "..34"), ("7", ".."), ("", "..")] {
            assert_eq!(last_four(id), shown);
        }
    }
}
