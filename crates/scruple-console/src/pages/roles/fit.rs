//! `/roles/fit`: whether the roles fit: what is granted and nobody used, roles that are alike or that nobody needs, mappings to be
//! looked at, and whether the five parts of role-based access are there.

use crate::pages::Frame;
use crate::pages::parts::{Coded, Person, When};
use crate::pages::samples::{CSRF, PLAIN, Sample, VOICES, Voice, coded, officer, sample, when};
use crate::words::{Area, Mark};
use askama::Template;

#[derive(Template, Clone)]
#[template(path = "roles/fit.html")]
pub(crate) struct Fit {
    pub(crate) frame: Frame,
    pub(crate) csrf: String,
    pub(crate) as_of: When,
    /// `the last 90 days`.
    pub(crate) period: String,
    pub(crate) unused: Vec<UnusedRow>,
    /// Whoever looks may draft a policy without it.
    pub(crate) may_draft: bool,
    /// `30 roles, 412 people who hold one`.
    pub(crate) sprawl: String,
    /// Sentences of what is alike and of what nobody needs.
    pub(crate) alike: Vec<(Mark, String)>,
    pub(crate) checks: Vec<CheckRow>,
    /// `15 of 18`.
    pub(crate) aligned: String,
    /// How that is counted.
    pub(crate) formula: &'static str,
    /// People who are here and hold no role: nothing is shown to them.
    pub(crate) without: Vec<Person>,
    pub(crate) mappings: Vec<MappingRow>,
}

#[derive(Clone)]
pub(crate) struct UnusedRow {
    pub(crate) href: String,
    pub(crate) role: Coded,
    /// `1 access`, `1204 accesses`.
    pub(crate) accesses: String,
    pub(crate) granted: usize,
    pub(crate) kinds: Vec<Coded>,
}

#[derive(Clone)]
pub(crate) struct CheckRow {
    pub(crate) mark: Mark,
    pub(crate) part: &'static str,
    pub(crate) evidence: String,
    pub(crate) href: &'static str,
}

#[derive(Clone)]
pub(crate) struct MappingRow {
    pub(crate) href: String,
    pub(crate) role: Coded,
    pub(crate) cause: &'static str,
    pub(crate) due: When,
    pub(crate) late: bool,
}

fn view(voice: &Voice) -> Fit {
    let check = |is_good: bool, part: &'static str, evidence: &str| CheckRow {
        mark: if is_good { Mark::good("There") } else { Mark::bad("Missing") },
        part,
        evidence: evidence.to_owned(),
        href: "/roles",
    };
    Fit {
        frame: officer(voice, Some(Area::Roles)),
        csrf: CSRF.to_owned(),
        as_of: when("2026-03-01T08:00:00Z", "1 March, 08:00"),
        period: "the last 90 days".to_owned(),
        unused: vec![
            UnusedRow {
                href: "/roles/coder".to_owned(),
                role: coded("Medical coder, CDI", "coder"),
                accesses: "1204 accesses".to_owned(),
                granted: 25,
                kinds: vec![coded("vital signs", "vitals"), coded("implants, devices", "devices")],
            },
            UnusedRow {
                href: "/roles/x".to_owned(),
                role: coded(voice.label, "x"),
                accesses: "1 access".to_owned(),
                granted: 4,
                kinds: vec![coded(voice.label, "y")],
            },
        ],
        may_draft: true,
        sprawl: "30 roles, 412 people who hold one; the most that one person holds: 3".to_owned(),
        alike: vec![
            (
                Mark::wait("Alike"),
                "“Patient access, registration” and “Scheduling, referrals intake” overlap by 84 %.".to_owned(),
            ),
            (Mark::over("Nobody"), format!("Nobody holds {}.", voice.label)),
        ],
        checks: vec![
            check(true, "inventory", "412 people are here, 0 of them without a role"),
            check(true, "mapping", "30 roles name kinds of information with tasks and a reason, 0 do not"),
            check(
                true,
                "enforcement",
                "each of the 91520 answers of the policy was worked out in two ways, and both agree",
            ),
            check(false, "review", "2 mappings are late"),
            check(true, "exceptions", "0 exceptions to the ban on broad access, 0 of them over"),
        ],
        aligned: "15 of 18".to_owned(),
        formula: "active people whose roles are those of their job, divided by active people with such a role",
        without: vec![voice.first()],
        mappings: vec![MappingRow {
            href: "/roles/mappings/0198c0de".to_owned(),
            role: coded("Medical coder, CDI", "coder"),
            cause: "A version of the policy has changed the role",
            due: when("2026-03-14T00:00:00Z", "14 March 2026"),
            late: true,
        }],
    }
}

fn nothing() -> Fit {
    Fit { without: Vec::new(), mappings: Vec::new(), may_draft: false, ..view(&PLAIN) }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = VOICES.iter().map(|voice| sample(voice.name, &view(voice))).collect();
    let page = Fit { unused: Vec::new(), alike: Vec::new(), ..nothing() };
    samples.push(sample("all fits", &page));
    samples
}
