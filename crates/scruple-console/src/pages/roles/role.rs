//! `/roles/{role}`: one role as the table of 164.514(d)(2): persons or classes, categories, conditions; to print.

use crate::pages::Frame;
use crate::pages::parts::{Coded, Person, When};
use crate::pages::samples::{PLAIN, Sample, VOICES, Voice, coded, officer, sample, when};
use crate::words::{Area, Depth, Mark};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "roles/role.html")]
pub(crate) struct RolePage {
    pub(crate) frame: Frame,
    pub(crate) as_of: When,
    pub(crate) role: Coded,
    pub(crate) version: String,
    pub(crate) active_since: When,
    /// Who proposed it and who activated it: two persons.
    pub(crate) proposed: Person,
    pub(crate) activated: Person,
    pub(crate) owner: Person,
    pub(crate) risk: Mark,
    pub(crate) review: When,
    pub(crate) late: bool,
    pub(crate) rationale: String,
    pub(crate) purposes: Vec<Coded>,
    pub(crate) tasks: Vec<String>,
    /// Kinds that it sees, in full or in part.
    pub(crate) kinds: Vec<KindRow>,
    /// Kinds that it does not see.
    pub(crate) none: Vec<Coded>,
    /// Conditions of the whole role.
    pub(crate) conditions: Vec<String>,
    pub(crate) members: Vec<Person>,
    pub(crate) members_all: usize,
    /// All of them.
    pub(crate) members_href: String,
    pub(crate) change: Option<Change>,
    /// A sample record through the role.
    pub(crate) lens: String,
}

#[derive(Clone)]
pub(crate) struct KindRow {
    pub(crate) kind: Coded,
    pub(crate) depth: Mark,
    /// What a mask leaves; empty where it is in full.
    pub(crate) mask: String,
    pub(crate) tasks: Vec<String>,
    /// Beyond the conditions of the role.
    pub(crate) conditions: Vec<String>,
    /// `roles/nurse.toml:31`.
    pub(crate) rule: String,
}

/// Against the version before.
#[derive(Clone)]
pub(crate) struct Change {
    pub(crate) from: String,
    /// Sentences: `Now sees immunizations in full.`
    pub(crate) lines: Vec<(Mark, String)>,
    pub(crate) replay: Option<Replay>,
}

/// What the version would have done to the accesses of a period.
#[derive(Clone)]
pub(crate) struct Replay {
    pub(crate) refused: String,
    pub(crate) all: String,
    /// `the last 30 days`.
    pub(crate) period: String,
    /// Those that it would have refused.
    pub(crate) href: String,
}

fn view(voice: &Voice) -> RolePage {
    let kind =
        |words: &str, code: &str, depth: Depth, mask: &str, tasks: &[&str], conditions: &[&str], line: usize| KindRow {
            kind: coded(words, code),
            depth: depth.mark(),
            mask: mask.to_owned(),
            tasks: tasks.iter().map(|task| (*task).to_owned()).collect(),
            conditions: conditions.iter().map(|text| (*text).to_owned()).collect(),
            rule: format!("roles/nurse.toml:{line}"),
        };
    RolePage {
        frame: officer(voice, Some(Area::Roles)),
        as_of: when("2026-03-01T08:00:00Z", "1 March, 08:00"),
        role: coded(if voice.name == PLAIN.name { "Registered nurse" } else { voice.other }, "nurse"),
        version: "3.2".to_owned(),
        active_since: when("2026-02-12T09:00:00Z", "12 February 2026"),
        proposed: voice.first(),
        activated: voice.second(),
        owner: voice.second(),
        risk: Mark::wait("Medium"),
        review: when("2026-09-01T00:00:00Z", "1 September 2026"),
        late: false,
        rationale: if voice.name == PLAIN.name {
            "Care at the bedside needs the whole clinical record of the patients in care, and nothing of money."
                .to_owned()
        } else {
            voice.said.to_owned()
        },
        purposes: vec![
            coded("treatment", "TREAT"),
            coded("emergency treatment", "ETREAT"),
            coded("coordination of care", "COC"),
        ],
        tasks: ["assess and plan care", "give medicines safely", "hand over", "teach and discharge", "call back"]
            .map(str::to_owned)
            .to_vec(),
        kinds: vec![
            kind("Patient name", "id_name", Depth::Full, "", &["give medicines safely", "call back"], &[], 12),
            kind(
                "SSN, driver licence, passport, other outside numbers",
                "id_national",
                Depth::Masked,
                "The last four characters only",
                &["hand over"],
                &[],
                15,
            ),
            kind(
                "Insurance, member and group numbers",
                "coverage",
                Depth::Masked,
                "Who pays, without numbers",
                &["teach and discharge"],
                &[],
                18,
            ),
            kind("Allergies and intolerances", "allergies", Depth::Full, "", &["give medicines safely"], &[], 21),
            kind("Medications", "medications", Depth::Full, "", &["give medicines safely", "hand over"], &[], 24),
            kind(
                "Notes, letters, reports, scans, all attachments",
                "documents",
                Depth::Full,
                "",
                &["assess and plan care"],
                &["Only of the visit, and of the 12 months before it."],
                31,
            ),
            kind(voice.label, "x", Depth::Full, "", &["teach and discharge", voice.label], &[], 40),
        ],
        none: vec![
            coded("charges, balances, payments", "balance"),
            coded("claims", "claims"),
            coded("psychotherapy notes", "psychotherapy_notes"),
            coded("research", "research"),
        ],
        conditions: vec![
            "The patient is of the unit or the visit; it ends 72 hours after transfer or discharge.".to_owned(),
            "From a device of the hospital.".to_owned(),
        ],
        members: vec![voice.first(), voice.second()],
        members_all: 412,
        members_href: "/people?role=nurse".to_owned(),
        change: Some(Change {
            from: "3.1".to_owned(),
            lines: vec![
                (Mark::good("More"), "Sees immunizations in full.".to_owned()),
                (Mark::bad("Less"), "No longer sees charges; no task asked for them.".to_owned()),
                (Mark::wait("Changed"), format!("{} only from a device of the hospital.", voice.label)),
            ],
            replay: Some(Replay {
                refused: "12".to_owned(),
                all: "48,210".to_owned(),
                period: "the last 30 days".to_owned(),
                href: "/roles/nurse/replay".to_owned(),
            }),
        }),
        lens: "/lens?role=nurse".to_owned(),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    let page = RolePage {
        kinds: Vec::new(),
        members: Vec::new(),
        members_all: 0,
        change: None,
        tasks: Vec::new(),
        conditions: Vec::new(),
        late: true,
        ..view(&PLAIN)
    };
    samples.push(sample("a role without anything", &page));
    samples
}
