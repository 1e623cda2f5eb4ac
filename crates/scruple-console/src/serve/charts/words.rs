//! What somebody opened and why, in words.

use crate::pages::parts::{Coded, When};
use crate::serve::words;
use crate::words::Mark;
use scruple_app::charts::{self, AccessFacts, Approvers, Explained, History, Opening, Standing, Why, explained};
use scruple_core::Timestamp;
use scruple_flow::{CaseState, QuestionCause};
use scruple_policy::Pack;
use scruple_store::{AccessBasis, AccessOutcome, AccessSource, SourceKind};

/// Why somebody asks.
pub(super) const fn cause(cause: QuestionCause) -> &'static str {
    match cause {
        QuestionCause::Complaint => "Somebody complains",
        QuestionCause::Patient => "The patient wants to know",
        QuestionCause::Routine => "The regular review",
        QuestionCause::Incident => "An incident is looked into",
        QuestionCause::Other => "Something else",
    }
}

/// How people stand, in the order of the page: id of the section, heading, mark.
pub(super) const fn standing(standing: Standing) -> (&'static str, &'static str, Mark) {
    match standing {
        Standing::Unexplained => ("unexplained", "Nothing explains it", Mark::bad("Unexplained")),
        Standing::Emergency => ("emergency", "In an emergency", Mark::wait("Emergency")),
        Standing::RoleAlone => ("role", "By the role alone", Mark::wait("By role")),
        Standing::Tried => ("tried", "Tried, and saw nothing", Mark::over("Saw nothing")),
        Standing::Explained => ("explained", "Explained", Mark::good("Explained")),
    }
}

/// The kinds of information in what was shown, each once; the types behind each on hover.
pub(super) fn seen<'a>(facts: impl Iterator<Item = &'a AccessFacts>) -> Vec<Coded> {
    let one = |(words, types): (&str, Vec<&str>)| Coded { words: words.to_owned(), code: types.join(", ") };
    charts::seen(facts).into_iter().map(one).collect()
}

/// The same, and where a log names no type, what it calls what was done.
pub(super) fn kinds<'a>(facts: impl Iterator<Item = &'a AccessFacts>) -> Vec<Coded> {
    let all: Vec<&AccessFacts> = facts.collect();
    let mut kinds = seen(all.iter().copied());
    let acts = charts::acts(all.into_iter().filter(|facts| facts.types.is_empty()));
    kinds.extend(acts.into_iter().map(|act| Coded { words: format!("did: {act}"), code: String::new() }));
    kinds
}

/// The last of two moments, unless it is said as the first is.
pub(super) fn other(last: Timestamp, first: Timestamp) -> Option<When> {
    let last = words::when(last);
    (last.words != words::when(first).words).then_some(last)
}

/// The sources that begin after an instant, each with its first access.
pub(super) fn late(history: &History, from: Timestamp) -> Vec<(When, String)> {
    history.late(from).into_iter().map(|(first, one)| (words::when(first), source(Some(one)).0)).collect()
}

/// The kinds of information that were opened, in a sentence.
pub(in crate::serve) fn opened(facts: &AccessFacts) -> String {
    let kinds: Vec<String> = kinds(std::iter::once(facts)).into_iter().map(|kind| kind.words).collect();
    if kinds.is_empty() { "the chart".to_owned() } else { kinds.join(", ") }
}

/// What one opening showed, how and where.
pub(super) fn what(opening: &Opening) -> String {
    let facts = &opening.facts;
    let mut parts: Vec<String> = kinds(std::iter::once(facts)).into_iter().map(|kind| kind.words).collect();
    match opening.access.outcome {
        AccessOutcome::Opened => {}
        AccessOutcome::Nothing => parts.push("nothing was shown".to_owned()),
        AccessOutcome::Refused => parts.push("refused".to_owned()),
    }
    if facts.patients > 1 {
        parts.push(format!("in a list of {} patients", facts.patients));
    }
    if !facts.types.is_empty() && !facts.action.is_empty() {
        parts.push(format!("did: {}", facts.action));
    }
    if !facts.module.is_empty() {
        parts.push(format!("in {}", facts.module));
    }
    if !facts.workstation.is_empty() {
        parts.push(format!("at {}", facts.workstation));
    }
    if let Some(at) = facts.or_at {
        parts.push(format!("or at {}: the clock was put back", words::when(at).words));
    }
    if parts.is_empty() { "the chart".to_owned() } else { parts.join(", ") }
}

/// Why, as a sentence.
pub(super) fn why(why: &Why, pack: &Pack, role: Option<&str>, approvers: &Approvers) -> Coded {
    let Explained { words, code } = explained(why, pack, role, approvers);
    Coded { words, code }
}

/// What an access rested on, in a list.
pub(super) const fn basis(basis: AccessBasis) -> &'static str {
    match basis {
        AccessBasis::Encounter => "a visit",
        AccessBasis::Appointment => "an appointment",
        AccessBasis::CareTeam => "a care team",
        AccessBasis::Panel => "being the patient's doctor",
        AccessBasis::Asked => "a request",
        AccessBasis::Declared => "declared care",
        AccessBasis::Emergency => "an emergency",
        AccessBasis::Inquiry => "a question of the privacy office",
        AccessBasis::Role => "the role alone",
        AccessBasis::Assumed => "a tie that the policy assumed",
        AccessBasis::Unknown => "what the log does not say",
    }
}

/// Where an access is known from.
pub(super) fn source(source: Option<&AccessSource>) -> (String, String) {
    match source {
        Some(source) if source.kind == SourceKind::Gateway => {
            ("gateway".to_owned(), "enforced and recorded by the gateway".to_owned())
        }
        Some(source) => (format!("log of {}", source.code), format!("from the log of {}", source.code)),
        None => ("unknown".to_owned(), "from an unknown log".to_owned()),
    }
}

/// What a history is told from, and until when.
pub(super) fn sources<'a>(all: impl Iterator<Item = &'a AccessSource>, now: Timestamp) -> Vec<String> {
    let (gateway, others): (Vec<&AccessSource>, Vec<&AccessSource>) =
        all.partition(|source| source.kind == SourceKind::Gateway);
    let begins = gateway.iter().find_map(|source| source.first).map(|first| words::when(first).words);
    let begins = begins.map_or_else(String::new, |first| format!(" Its first access is of {first}."));
    let mut told =
        vec![format!("What is opened through the gateway: enforced, and recorded before it is shown.{begins}")];
    for source in &others {
        told.push(match (source.first, source.last) {
            (Some(first), Some(last)) => format!(
                "The log of {}: watched. Its first access is of {}, its last one of {}, {}.",
                source.code,
                words::when(first).words,
                words::when(last).words,
                words::ago(last, now)
            ),
            _ => format!("The log of {}: nothing of it was read.", source.code),
        });
    }
    if others.is_empty() {
        told.push(
            "Not seen: what people open in the record system itself. Whoever runs Scruple can have its access log read here."
                .to_owned(),
        );
    }
    told
}

/// Where a case stands.
pub(in crate::serve) const fn case(state: &CaseState) -> Mark {
    match state {
        CaseState::Open => Mark::wait("To look into"),
        CaseState::Asked => Mark::wait("Reader asked"),
        CaseState::Answered => Mark::wait("Answered"),
        CaseState::Decided(verdict) => match verdict.finding {
            scruple_flow::CaseFinding::Permitted => Mark::good("The work needed it"),
            scruple_flow::CaseFinding::NotPermitted => Mark::bad("The work did not need it"),
        },
        CaseState::Lettered(..) => Mark::over("Letter made"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_named_once_with_their_types() {
        let facts = |types: &[&str]| AccessFacts {
            types: types.iter().map(|name| ((*name).to_owned(), 1)).collect(),
            ..AccessFacts::default()
        };
        let all = [facts(&["MedicationRequest", "Patient"]), facts(&["MedicationStatement"]), facts(&[])];
        let told: Vec<String> =
            kinds(all.iter()).into_iter().map(|one| format!("{} ({})", one.words, one.code)).collect();
        // The type is recorded, and not what a mask left of it: nobody is said to have seen a name.
        assert_eq!(told, ["identity record (Patient)", "medications (MedicationRequest, MedicationStatement)"]);
    }

    #[test]
    fn what_a_log_calls_an_act_was_done_and_not_seen() {
        let of = |types: &[&str], action: &str| AccessFacts {
            types: types.iter().map(|name| ((*name).to_owned(), 1)).collect(),
            action: action.to_owned(),
            ..AccessFacts::default()
        };
        let all = [of(&[], "Print"), of(&["Patient"], "View"), of(&[], "Print")];
        let words = |coded: Vec<Coded>| coded.into_iter().map(|one| one.words).collect::<Vec<_>>();
        assert_eq!(words(seen(all.iter())), ["identity record"]);
        assert_eq!(charts::acts(all.iter()), ["Print", "View"]);
        assert_eq!(words(kinds(all.iter())), ["identity record", "did: Print"]);
    }

    #[test]
    fn a_minute_is_said_once() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        assert!(other(at("2026-03-01T15:42:50Z"), at("2026-03-01T15:42:10Z")).is_none());
        assert!(other(at("2026-03-01T15:43:00Z"), at("2026-03-01T15:42:10Z")).is_some());
    }

    #[test]
    fn what_is_unseen_is_said() {
        let now = Timestamp::from_micros(0);
        let told = sources(std::iter::empty(), now);
        assert!(told[1].starts_with("Not seen:") && !told[1].contains('`'), "{told:?}");
    }
}
