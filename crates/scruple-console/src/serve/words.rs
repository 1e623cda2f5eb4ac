//! Words of the pages of people: times, roles, what was done, and why not.

use crate::pages::parts::{Choice, Coded, Field, Pick, When};
use scruple_app::DeskError;
pub(crate) use scruple_app::words::{declared, emergency, task_kind};
use scruple_core::Timestamp;
use scruple_flow::{
    AccessRequest, CaseError, DeputyError, ElevationError, MappingError, PackError, PaperError, ProjectError,
    RequestError, RequestState, ReviewError, RoleCode, TaskError, UseError, WeakReason,
};
use scruple_policy::{ADMINISTRATOR, COUNSEL, HUMAN_RESOURCES, Pack, SERVICE_ACCOUNT, purpose_words};

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
/// A day, in microseconds.
pub(crate) const DAY: i64 = 24 * HOUR;
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A moment, in UTC until people have a time zone.
pub(crate) fn when(at: Timestamp) -> When {
    let iso = at.to_string();
    let mut parts = iso.split(['-', 'T', ':', '.', 'Z']);
    let mut next = || parts.next().unwrap_or_default();
    let (year, month, day, hour, minute) = (next(), next(), next(), next(), next());
    let month = month.parse::<usize>().ok().and_then(|month| MONTHS.get(month.checked_sub(1)?)).copied();
    let words = format!("{} {} {year}, {hour}:{minute} UTC", day.trim_start_matches('0'), month.unwrap_or_default());
    When { iso, words }
}

/// `3 hours`, `2 days`: rounded up, so that a time of twelve hours is one a second after it began, too.
pub(crate) fn length(micros: i64) -> String {
    let up = |unit: i64| micros.max(0).saturating_add(unit - 1) / unit;
    match (up(MINUTE), up(HOUR), up(DAY)) {
        (minutes, ..) if minutes < 60 => counted(minutes, "minute"),
        (_, hours, _) if hours < 48 => counted(hours, "hour"),
        (.., days) => counted(days, "day"),
    }
}

fn counted(number: i64, word: &str) -> String {
    let many = if number == 1 { "" } else { "s" };
    format!("{number} {word}{many}")
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
            "Protected information of this chart, if it has any, is open to you too, until the emergency ends."
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

/// Why a use case did not do what was asked, with what to do.
pub(crate) fn sentence(error: &DeskError) -> String {
    match error {
        DeskError::Unknown => "There is no such thing here.".to_owned(),
        DeskError::Gone => "You are no longer known here. Call the service desk.".to_owned(),
        DeskError::PersonGone => "The person is no longer here.".to_owned(),
        DeskError::RoleNotHeld => {
            "The role is not held now, so that no chart can be opened in it. Ask for the role itself.".to_owned()
        }
        DeskError::Forbidden => "This is not for your role to do.".to_owned(),
        DeskError::NotAllowed => "The policy does not give this in that role.".to_owned(),
        DeskError::TooMany { max } => {
            format!("No more than {max} charts are open to one person at a time. Give back those that are done.")
        }
        DeskError::ApproverLapsed => {
            "Somebody who approved it before may not any more: his role has ended, or he is away. It has to be asked for anew."
                .to_owned()
        }
        DeskError::Changed => "Somebody else was first. Look at it again as it is now.".to_owned(),
        DeskError::Unowned => {
            "Nobody answers for this system. Register its account with an owner who is here, then approve it.".to_owned()
        }
        DeskError::Training => {
            "Training incomplete: the person has not taken the steps that the role asks for. Approve it when they are taken.".to_owned()
        }
        DeskError::Step(_) => "The policy asks for no such step, or somebody else tells of it.".to_owned(),
        DeskError::Request(error) => request(error),
        DeskError::Elevation(ElevationError::TooLong { hours_max }) => {
            format!("Such access lasts at most {hours_max} hours.")
        }
        DeskError::Elevation(ElevationError::NotAnEmergency | ElevationError::NotTheReader) => {
            "Protected information is opened by who opened the chart in an emergency.".to_owned()
        }
        DeskError::Elevation(ElevationError::NotOpen) => {
            "The emergency is over. Open the chart again if you still need it.".to_owned()
        }
        DeskError::Elevation(ElevationError::Confirmed) => "It is confirmed already.".to_owned(),
        DeskError::Elevation(ElevationError::Reason(error))
        | DeskError::Review(ReviewError::Reason(error))
        | DeskError::Case(CaseError::Reason(error)) => weak(*error).to_owned(),
        DeskError::Use(UseError::Reason(error)) => weak(*error).to_owned(),
        DeskError::Use(UseError::Own) => "Somebody else than the reader has to look at it.".to_owned(),
        DeskError::Use(UseError::Closed(_)) => "Somebody has closed it meanwhile.".to_owned(),
        DeskError::Case(CaseError::NotIndependent) => {
            "Somebody outside the reader's team has to look into it.".to_owned()
        }
        DeskError::Case(_) => "The case has gone on meanwhile. Look at it again.".to_owned(),
        DeskError::Review(ReviewError::NotIndependent) => {
            "Somebody outside the reader's team has to review it.".to_owned()
        }
        DeskError::Review(_) => "The review has gone on meanwhile. Look at it again.".to_owned(),
        DeskError::Task(error) => task(*error),
        DeskError::Pack(error) => policy(error),
        DeskError::Paper(error) => paper(*error).to_owned(),
        DeskError::Project(error) => project(*error),
        DeskError::Mapping(error) => mapping(error),
        DeskError::Deputy(error) => deputy(*error).to_owned(),
        DeskError::Grant(_) => "The time that is asked for is over.".to_owned(),
        DeskError::Store(_) => "Something broke. Try again.".to_owned(),
    }
}

const fn paper(error: PaperError) -> &'static str {
    match error {
        PaperError::Transition { .. } => "The paper has gone on meanwhile. Look at it again.",
        PaperError::NotBehind => "This is for those behind the wall.",
        PaperError::StepUp => "Confirm first that it is you.",
        PaperError::Length => "Write something, and at most 32 kilobytes of it.",
        PaperError::Reason(error) => weak(error),
    }
}

fn project(error: ProjectError) -> String {
    match error {
        ProjectError::Transition { .. } => "The project has gone on meanwhile. Look at it again.".to_owned(),
        ProjectError::Own => "Nobody assesses what he has proposed or answers for. Somebody else has to.".to_owned(),
        ProjectError::NotInvolved => "Only who proposed it, answers for it or oversees it does this.".to_owned(),
        ProjectError::Title => "Give it a title of at most 200 letters, and choose what it is for.".to_owned(),
        ProjectError::Roles => "Choose the roles of those who work in it, at most 16.".to_owned(),
        ProjectError::Kinds => "Choose the kinds of information that it needs. All of them is no answer.".to_owned(),
        ProjectError::Dates => "It ends within a year, and not before today. Then it is assessed anew.".to_owned(),
        ProjectError::Said { reason, .. } => weak(reason).to_owned(),
        ProjectError::Missing => {
            "This role is given for a project that was assessed. Choose one, or propose it under Projects.".to_owned()
        }
        ProjectError::NotApproved => "The project is not approved, or it is over.".to_owned(),
        ProjectError::Beyond => {
            "The project was assessed for other roles or fewer kinds of information. Ask for less, or have it assessed anew."
                .to_owned()
        }
        ProjectError::Longer => "The project ends before that. Ask for less time.".to_owned(),
    }
}

fn task(error: TaskError) -> String {
    match error {
        TaskError::Transition { .. } => "The task has gone on meanwhile. Look at it again.".to_owned(),
        TaskError::OwnTask => "Somebody else than who asks decides.".to_owned(),
        TaskError::NotEligible => "The policy asks for the approval of others.".to_owned(),
        TaskError::StepUp => "Confirm first that it is you.".to_owned(),
        TaskError::NotYours => "Only who asked for the task does this.".to_owned(),
        TaskError::NoTicket => "Support is bound to a ticket and a system: name both.".to_owned(),
        TaskError::Patients => {
            "Name the patients of the case: at least one, and no more than the form says.".to_owned()
        }
        TaskError::TooLong { minutes_max } => format!("It lasts at most {minutes_max} minutes."),
        TaskError::NoRule => "The policy does not give this in that role.".to_owned(),
        TaskError::Recording => {
            "A remote session closes with the place of its recording and its SHA-256, 64 hexadecimal digits.".to_owned()
        }
        TaskError::Reason(error) => weak(error).to_owned(),
    }
}

fn policy(error: &PackError) -> String {
    match error {
        PackError::Transition { .. } => "The version has gone on meanwhile. Look at it again.".to_owned(),
        PackError::OwnProposal => "Nobody decides on the policy that he has drafted. Somebody else has to.".to_owned(),
        PackError::StepUp => "Confirm first that it is you.".to_owned(),
        PackError::NotYours => "Only who drafted it can do that.".to_owned(),
        PackError::BaseChanged => {
            "Another policy became active since this one was proposed. Propose it anew, so that its difference is the right one."
                .to_owned()
        }
        PackError::Reason(error) => weak(*error).to_owned(),
    }
}

const fn deputy(error: DeputyError) -> &'static str {
    match error {
        DeputyError::Transition { .. } => "It has gone on meanwhile, or its time is over.",
        DeputyError::Himself => "Nobody is his own deputy. Name somebody else.",
        DeputyError::TooLong => "A deputy stands in for at most 30 days. Name him for less.",
        DeputyError::Over => "The time that is named is over before it begins.",
        DeputyError::NotYours => "The deputy accepts, and one of the two ends it.",
    }
}

fn mapping(error: &MappingError) -> String {
    match error {
        MappingError::Closed => "The review is closed already.".to_owned(),
        MappingError::Undecided(kind) => format!("Decide on each kind of information: {kind} is left."),
        MappingError::NotOfRole(_) => "The role has changed meanwhile. Look at it again.".to_owned(),
        MappingError::Reason(error) => weak(*error).to_owned(),
    }
}

fn request(error: &RequestError) -> String {
    match error {
        RequestError::Transition { .. } => "It is decided already, or its time is over.".to_owned(),
        RequestError::OwnRequest => "Nobody decides what he asks for himself. Somebody else has to.".to_owned(),
        RequestError::NotEligible => "The policy asks for the approval of others.".to_owned(),
        RequestError::Twice => "You have approved it already. Somebody else has to approve it too.".to_owned(),
        RequestError::StepUp => "Confirm first that it is you.".to_owned(),
        RequestError::Wider => "You can leave less than was asked for, and not more.".to_owned(),
        RequestError::TooLong { hours_max } => {
            format!("It is given for at most {}. Ask for less time.", length(hours_max.saturating_mul(HOUR)))
        }
        RequestError::Over => "The time that is asked for is over before it begins.".to_owned(),
        RequestError::TooManyPatients => "One request names at most 25 patients.".to_owned(),
        RequestError::NoTask => "Choose for what kind of task it is.".to_owned(),
        RequestError::NoKinds => "Choose at least one kind of information, or everything that the role has.".to_owned(),
        RequestError::KindsNotOfRole => {
            "The role does not have all of these kinds of information. Choose others, or another role.".to_owned()
        }
        RequestError::KindsOfNobody => "Kinds of information are chosen for the charts of single patients.".to_owned(),
        RequestError::NoRule => "The policy does not say who could approve this.".to_owned(),
        RequestError::Reason(error) => weak(*error).to_owned(),
        RequestError::NotYours => "It is somebody else's request.".to_owned(),
        RequestError::NotRead => "Read what is the least that the task needs, and say so.".to_owned(),
        RequestError::NotStanding => {
            "It is over, or it does not end later than it does now. Ask for it anew.".to_owned()
        }
        RequestError::TooEarly { from } => format!("You can ask for more time from {} on.", when(*from).words),
        RequestError::Cap { count_max, hours_max } => format!(
            "It is prolonged at most {count_max} times, and for {} in all. Ask for it anew, or speak with the privacy office.",
            length(hours_max.saturating_mul(HOUR))
        ),
    }
}

/// What is missing in a reason.
pub(crate) const fn weak(error: WeakReason) -> &'static str {
    match error {
        WeakReason::Short => "Say in a sentence what has to be done and why: three words are too few.",
        WeakReason::Long => "Say it in fewer words.",
        WeakReason::Repeats => "Say it in words that somebody else understands.",
        WeakReason::SameAsLast => "You wrote this the last time. Say what it is for now.",
    }
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
