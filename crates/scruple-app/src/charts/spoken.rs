//! A history in plain words: what was seen, what was done, how often, and what a patient is told of it. Times stay instants: how they
//! are said is the page's.

use super::{AccessFacts, History, Opening, Sight, Standing, Why};
use scruple_core::Timestamp;
use scruple_flow::{CaseFinding, ChartQuestion, ElevationKind, QuestionCause};
use scruple_store::{AccessBasis, AccessSource};
use std::collections::{BTreeMap, BTreeSet};

/// The kinds of information in resources of a type.
#[must_use]
pub fn kind(resource_type: &str) -> &str {
    match resource_type {
        "Patient" => "identity record",
        "Observation" => "results and vital signs",
        "Condition" => "diagnoses",
        "MedicationRequest"
        | "MedicationStatement"
        | "MedicationAdministration"
        | "MedicationDispense"
        | "Medication" => "medications",
        "AllergyIntolerance" => "allergies",
        "Encounter" | "EpisodeOfCare" => "visits",
        "DocumentReference" | "Composition" | "Binary" => "notes and documents",
        "DiagnosticReport" => "reports",
        "Procedure" => "procedures",
        "Immunization" => "vaccinations",
        "Coverage" => "insurance",
        "Claim" | "ClaimResponse" | "ExplanationOfBenefit" => "claims",
        "Account" | "Invoice" | "ChargeItem" => "charges and balances",
        "Appointment" | "AppointmentResponse" | "Schedule" | "Slot" => "appointments",
        "CareTeam" => "care team",
        "CarePlan" | "Goal" => "care plans",
        "ServiceRequest" | "Task" | "NutritionOrder" | "DeviceRequest" => "orders",
        "ImagingStudy" | "Media" => "imaging",
        "Consent" => "consents",
        "RelatedPerson" => "relatives",
        "Communication" | "CommunicationRequest" => "messages",
        "FamilyMemberHistory" => "family history",
        "Questionnaire" | "QuestionnaireResponse" => "questionnaires",
        "Specimen" => "specimens",
        other => other,
    }
}

/// The kinds of information in what was shown, each once, with the types behind it.
#[must_use]
pub fn seen<'a>(facts: impl Iterator<Item = &'a AccessFacts>) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut kinds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in facts.flat_map(|facts| facts.types.keys()) {
        let types = kinds.entry(kind(name)).or_default();
        if !types.contains(&name.as_str()) {
            types.push(name);
        }
    }
    kinds
}

/// What logs call what was done, each once.
#[must_use]
pub fn acts<'a>(facts: impl Iterator<Item = &'a AccessFacts>) -> Vec<String> {
    let acts: BTreeSet<&str> = facts.map(|facts| facts.action.as_str()).filter(|act| !act.is_empty()).collect();
    acts.into_iter().map(str::to_owned).collect()
}

/// Whether the record system knew the patient when it was asked about him.
#[must_use]
pub fn is_known(question: &ChartQuestion) -> bool {
    question.patient.expose().starts_with("Patient/")
}

/// Somebody outside asked: a patient, or who complains. Else the office looks into it of its own accord.
#[must_use]
pub const fn is_of_patient(cause: QuestionCause) -> bool {
    matches!(cause, QuestionCause::Complaint | QuestionCause::Patient)
}

impl History {
    /// The sources that begin after an instant, the first one first.
    #[must_use]
    pub fn late(&self, from: Timestamp) -> Vec<(Timestamp, &AccessSource)> {
        let begins = self.sources.values().filter_map(|source| Some((source.first?, source)));
        let mut late: Vec<(Timestamp, &AccessSource)> = begins.filter(|(first, _)| *first > from).collect();
        late.sort_by_key(|(first, source)| (*first, source.id));
        late
    }
}

/// Who only asked who opened a chart, or saw nothing of it, has not opened it.
const fn has_not_opened(why: &Why) -> bool {
    matches!(why, Why::Inquiry | Why::SawNothing)
}

/// `5 people opened this chart 31 times. Nothing explains what 1 of them did.` What is not counted is said.
#[must_use]
pub fn summary(history: &History, question: &ChartQuestion) -> String {
    let openings = || history.readers.iter().flat_map(|reader| &reader.openings);
    let opened = || openings().filter(|one| !has_not_opened(&one.why));
    let readers =
        || history.readers.iter().filter(|reader| !reader.openings.iter().all(|one| has_not_opened(&one.why)));
    let people = readers().count();
    let unexplained = readers().filter(|reader| reader.standing() == Standing::Unexplained).count();
    let mut told = if people > 0 {
        let who = if people == 1 { "person" } else { "people" };
        let often = match opened().count() {
            1 => "once".to_owned(),
            times => format!("{times} times"),
        };
        let listed = match opened().filter(|one| one.sight() == Sight::List).count() {
            0 => String::new(),
            1 => ", 1 of these in a list of several patients".to_owned(),
            number => format!(", {number} of these in lists of several patients"),
        };
        let rest = match unexplained {
            0 => "All of it is explained, or stands below with what it rests on.".to_owned(),
            number => format!("Nothing explains what {number} of them did."),
        };
        format!("{people} {who} opened this chart {often}{listed}. {rest}")
    } else if !is_known(question) {
        "The record system knows no such number, and no log here tells of it. Look at the number again.".to_owned()
    } else if !history.sources.values().filter_map(|source| source.first).any(|first| first < question.until) {
        "Nothing was recorded in that time, so that nobody can say who opened it.".to_owned()
    } else {
        "Nobody opened this chart in that time, as far as the logs here tell.".to_owned()
    };
    let mut apart = Vec::new();
    match openings().filter(|one| matches!(one.why, Why::SawNothing)).count() {
        0 => {}
        1 => apart.push("1 try that showed nothing".to_owned()),
        tries => apart.push(format!("{tries} tries that showed nothing")),
    }
    match openings().filter(|one| matches!(one.why, Why::Inquiry)).count() {
        0 => {}
        1 => apart.push("1 look of the privacy office".to_owned()),
        looks => apart.push(format!("{looks} looks of the privacy office")),
    }
    if !apart.is_empty() {
        told.push_str(&format!(" Not counted: {}.", apart.join(", ")));
    }
    told
}

/// What of somebody's openings was no opening of the record itself: `2 in a list of several patients, 1 showed nothing`.
#[must_use]
pub fn apart(openings: &[Opening]) -> String {
    let of = |sight: Sight| openings.iter().filter(|one| one.sight() == sight).count();
    let (lists, tries) = (of(Sight::List), of(Sight::Nothing));
    let mut parts = Vec::new();
    if lists > 0 {
        parts.push(format!("{lists} in a list of several patients"));
    }
    if tries > 0 {
        parts.push(format!("{tries} showed nothing"));
    }
    parts.join(", ")
}

/// What somebody did, as the patient is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deed {
    /// `Opened your record 3 times: medications.`
    pub sentence: String,
    /// When it was first.
    pub first: Timestamp,
    /// When it was last.
    pub last: Timestamp,
}

/// What somebody did: what he opened, in which lists the patient stood, what he asked for in vain. Of what was shown no more is said
/// than is recorded.
#[must_use]
pub fn deeds(openings: &[Opening]) -> Vec<Deed> {
    let mut told = Vec::new();
    for sight in [Sight::Record, Sight::List, Sight::Nothing] {
        let of: Vec<&Opening> = openings.iter().filter(|opening| opening.sight() == sight).collect();
        let (Some(first), Some(last)) = (of.first(), of.last()) else { continue };
        told.push(Deed { sentence: deed(sight, &of), first: first.access.at, last: last.access.at });
    }
    told
}

fn deed(sight: Sight, of: &[&Opening]) -> String {
    let facts = || of.iter().map(|opening| &opening.facts);
    let times = if of.len() == 1 { "once".to_owned() } else { format!("{} times", of.len()) };
    let kinds: Vec<&str> = seen(facts()).into_keys().collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(": {}", kinds.join(", ")) };
    let acts = acts(facts()).join(", ");
    let acts = if acts.is_empty() { String::new() } else { format!(" The log calls it: {acts}.") };
    match sight {
        Sight::Record => format!("Opened your record {times}{kinds}.{acts}"),
        Sight::List => {
            let most = facts().map(|facts| facts.patients).max().unwrap_or(0);
            let list = if of.len() == 1 {
                format!("a list of {most} patients")
            } else {
                format!("lists of up to {most} patients")
            };
            format!("Had you {times} in {list}{kinds}.{acts}")
        }
        Sight::Nothing => format!("Asked for your record {times}, and was shown nothing.{acts}"),
    }
}

/// Why, to the patient.
#[must_use]
pub fn why_to_patient(why: &Why) -> &'static str {
    match why {
        Why::Related { kind: AccessBasis::Encounter, .. } => "Takes part in a visit of yours.",
        Why::Related { kind: AccessBasis::Appointment, .. } => "Has an appointment with you.",
        Why::Related { kind: AccessBasis::CareTeam, .. } => "Is of your care team.",
        Why::Related { kind: AccessBasis::Panel, .. } => "Is your own doctor.",
        Why::Related { .. } => "Is related to your care.",
        Why::Opened(elevation) => match elevation.held.kind {
            ElevationKind::Declared(_) => "Said to care for you.",
            ElevationKind::Emergency { .. } => "Opened it in an emergency.",
            ElevationKind::Asked { .. } => "Was allowed to, for a task.",
        },
        Why::Tasked(_) => "Was allowed to, for a case that somebody else approved.",
        Why::Inquiry => "The privacy office asked who opened your record.",
        Why::Role => "As part of the job.",
        Why::Nothing | Why::Left | Why::NoRole | Why::Stranger | Why::NotAsked => "We do not know yet.",
        Why::SawNothing => "Asked for it, and saw nothing.",
    }
}

/// The letter that ends a case as it is proposed: without the name of a colleague, and with where else to complain (164.530(d)). It
/// claims nothing that was done besides. `period`: `on 3 March 2026`; `help`: whom to call.
#[must_use]
pub fn letter_draft(finding: Option<CaseFinding>, of_patient: bool, period: &str, help: &str) -> String {
    let (asked, about) = if of_patient {
        ("You asked us whether somebody opened your record who should not have.\n\n", "What you asked about")
    } else {
        ("", "What this letter is about")
    };
    let found = match finding {
        Some(CaseFinding::NotPermitted) => {
            "We found that the person's work did not need it. That was against our rules. What we do about a member of our staff is \
             between us and that person."
        }
        _ => "We found that the person's work needed it.",
    };
    format!(
        "{asked}We looked into who opened your record, and when. {about} was opened {period}.\n\n{found}\n\nYou can ask us for a list of \
         everybody who opened your record. If you do not agree, tell us, or call {help}. You may also complain to the Office for Civil \
         Rights of the U.S. Department of Health and Human Services. Nobody may hold it against you.\n\nThe privacy office"
    )
}

#[cfg(test)]
mod tests {
    use super::super::Reader;
    use super::*;
    use scruple_core::Phi;
    use scruple_store::{AccessOutcome, ChartAccess};

    const ID: &str = "0198c0de-0000-7000-8000-000000000001";

    fn opening(at: &str, outcome: AccessOutcome, facts: AccessFacts) -> Opening {
        let access = ChartAccess {
            id: ID.parse().unwrap(),
            source: ID.parse().unwrap(),
            at: Timestamp::parse(at).unwrap(),
            patient: Phi::new("Patient/p".to_owned()),
            person: None,
            actor: Phi::new("ana".to_owned()),
            role: None,
            purpose: None,
            outcome,
            basis: AccessBasis::Role,
            grant: None,
            elevation: None,
            entry: None,
            outside: false,
            facts: Phi::new(Vec::new()),
        };
        Opening { access, facts, why: Why::Role }
    }

    fn facts(types: &[&str], patients: u64, action: &str) -> AccessFacts {
        AccessFacts {
            types: types.iter().map(|name| ((*name).to_owned(), 1)).collect(),
            patients,
            action: action.to_owned(),
            ..AccessFacts::default()
        }
    }

    fn because(why: Why, patients: u64) -> Opening {
        let outcome = if why == Why::SawNothing { AccessOutcome::Refused } else { AccessOutcome::Opened };
        Opening { why, ..opening("2026-03-01T15:42:10Z", outcome, facts(&[], patients, "")) }
    }

    fn history(readers: Vec<Vec<Opening>>) -> History {
        let accesses = readers.iter().map(Vec::len).sum();
        let reader = |openings| Reader { person: None, actor: "ana".to_owned(), openings };
        let readers = readers.into_iter().map(reader).collect();
        History { readers, accesses, is_cut: false, sources: BTreeMap::new() }
    }

    fn question(patient: &str) -> ChartQuestion {
        ChartQuestion {
            id: ID.parse().unwrap(),
            patient: Phi::new(patient.to_owned()),
            keys: Phi::new(Vec::new()),
            from: Timestamp::from_micros(0),
            until: Timestamp::from_micros(1),
            cause: QuestionCause::Routine,
            asked_by: ID.parse().unwrap(),
            asked_at: Timestamp::from_micros(0),
        }
    }

    #[test]
    fn the_summary_counts_what_the_list_under_it_has_and_says_what_it_leaves_out() {
        let history = history(vec![
            vec![because(Why::Nothing, 1), because(Why::SawNothing, 0), because(Why::Nothing, 46)],
            vec![because(Why::Role, 1), because(Why::Role, 1)],
            vec![because(Why::SawNothing, 0)],
            vec![because(Why::Inquiry, 1)],
        ]);
        // 3 + 2 + 1 + 1 stand in the list: 4, 2 and 1.
        assert_eq!(
            summary(&history, &question("Patient/p")),
            "2 people opened this chart 4 times, 1 of these in a list of several patients. Nothing explains what 1 of them did. \
             Not counted: 2 tries that showed nothing, 1 look of the privacy office."
        );
        assert_eq!(apart(&history.readers[0].openings), "1 in a list of several patients, 1 showed nothing");
        let standing: Vec<Standing> = history.readers.iter().map(Reader::standing).collect();
        assert_eq!(standing, [Standing::Unexplained, Standing::RoleAlone, Standing::Tried, Standing::Explained]);
    }

    #[test]
    fn who_was_refused_once_and_opened_it_for_a_reason_has_not_only_tried() {
        let history = history(vec![vec![because(Why::SawNothing, 0), because(Why::Inquiry, 1)]]);
        assert_eq!(history.readers[0].standing(), Standing::Explained);
    }

    #[test]
    fn a_number_that_nobody_knows_is_not_said_to_be_a_chart_that_nobody_opened() {
        let nobody = history(Vec::new());
        assert!(summary(&nobody, &question("number:99-0000")).starts_with("The record system knows no such number"));
        assert!(summary(&nobody, &question("Patient/p")).starts_with("Nothing was recorded in that time"));
    }

    #[test]
    fn a_try_and_a_list_of_many_patients_are_not_told_as_an_opened_record() {
        let openings = [
            opening("2026-03-01T15:42:10Z", AccessOutcome::Opened, facts(&["Patient", "Condition"], 1, "")),
            opening("2026-03-01T15:42:50Z", AccessOutcome::Opened, facts(&["Patient"], 1, "")),
            opening("2026-03-01T15:43:00Z", AccessOutcome::Opened, facts(&["Observation"], 46, "")),
            opening("2026-03-01T15:44:00Z", AccessOutcome::Refused, facts(&[], 0, "")),
            opening("2026-03-02T15:44:00Z", AccessOutcome::Nothing, facts(&[], 0, "")),
        ];
        let told = deeds(&openings);
        let sentences: Vec<&str> = told.iter().map(|one| one.sentence.as_str()).collect();
        // The type is recorded, and not what a mask left of it: nobody is said to have seen a name.
        assert_eq!(
            sentences,
            [
                "Opened your record 2 times: diagnoses, identity record.",
                "Had you once in a list of 46 patients: results and vital signs.",
                "Asked for your record 2 times, and was shown nothing.",
            ]
        );
        assert_eq!((told[2].first, told[2].last), (openings[3].access.at, openings[4].access.at));
        let printed = [opening("2026-03-01T15:42:10Z", AccessOutcome::Opened, facts(&[], 1, "Print"))];
        assert_eq!(deeds(&printed)[0].sentence, "Opened your record once. The log calls it: Print.");
    }

    #[test]
    fn a_letter_is_proposed_without_an_act_that_nobody_did_and_without_a_complaint_that_nobody_made() {
        for finding in [CaseFinding::Permitted, CaseFinding::NotPermitted] {
            let draft = |of_patient| letter_draft(Some(finding), of_patient, "on 3 March 2026", "5550");
            let (asked, own) = (draft(true), draft(false));
            for text in [&asked, &own] {
                for claim in ["acted", "sorry", "asked the person", "compared", "look into what it means"] {
                    assert!(!text.contains(claim), "{claim} in {text}");
                }
                assert!(text.contains("was opened on 3 March 2026.") && text.contains("call 5550."), "{text}");
            }
            assert!(asked.starts_with("You asked us") && !own.contains("You asked us"), "{own}");
            assert!(!own.contains("asked about"), "{own}");
        }
        let outside = QuestionCause::ALL.into_iter().filter(|cause| is_of_patient(*cause)).map(QuestionCause::code);
        assert_eq!(outside.collect::<Vec<_>>(), ["complaint", "patient"]);
    }
}
