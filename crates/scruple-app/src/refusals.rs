//! Why something was not done, in sentences for people, with what to do.

use crate::DeskError;
use crate::times::{length, moment};
use scruple_flow::{
    CaseError, DeputyError, ElevationError, MappingError, PackError, PaperError, ProjectError, RequestError,
    ReviewError, TaskError, UseError, WeakReason,
};

const HOUR: i64 = 3_600_000_000;

/// Why a use case did not do what was asked, with what to do.
#[must_use]
pub fn sentence(error: &DeskError) -> String {
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
        RequestError::TooEarly { from } => format!("You can ask for more time from {} on.", moment(*from)),
        RequestError::Cap { count_max, hours_max } => format!(
            "It is prolonged at most {count_max} times, and for {} in all. Ask for it anew, or speak with the privacy office.",
            length(hours_max.saturating_mul(HOUR))
        ),
    }
}

/// What is missing in a reason.
#[must_use]
pub const fn weak(error: WeakReason) -> &'static str {
    match error {
        WeakReason::Short => "Say in a sentence what has to be done and why: three words are too few.",
        WeakReason::Long => "Say it in fewer words.",
        WeakReason::Repeats => "Say it in words that somebody else understands.",
        WeakReason::SameAsLast => "You wrote this the last time. Say what it is for now.",
    }
}
