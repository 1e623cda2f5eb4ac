//! What a patient is in the hospital for: the ordinary many, and each kind of specially protected information.
//!
//! The first indices carry one of each kind, so that a hospital of 40 patients has them all; later ones are drawn.

use crate::draw::{Draw, Stream};

/// The story of a patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Persona {
    /// The patient `pat-0001` of the demo, with every category.
    Showcase,
    /// No specially protected information by design.
    Ordinary,
    /// HIV with viral load, CD4 count and antiretrovirals (B20).
    Hiv,
    /// Substance use in an emergency note (F11.20): not 42 CFR Part 2.
    EdSubstanceUse,
    /// Enrolled in the Part 2 programme; resources carry the label.
    Part2Labelled,
    /// Enrolled in the Part 2 programme; only the organisation tells.
    Part2BySource,
    /// Depression in outpatient care (F32.1), with PHQ-9.
    Depression,
    /// On the inpatient behavioural health unit now.
    BehavioralInpatient,
    /// Psychotherapy notes, declared by the therapist and stored apart.
    Psychotherapy,
    /// Genital chlamydia (A56).
    Sti,
    /// Termination of pregnancy and its complication (Z33.2, O04).
    Reproductive,
    /// Gender-affirming care (F64.0).
    GenderAffirming,
    /// Abuse by a partner (T74).
    Abuse,
    /// BRCA1 carrier with genetic reports.
    Genetic,
    /// A minor who consented to a confidential service alone.
    MinorConfidential,
    /// Well known; labelled CEL.
    Vip,
    /// Works here; labelled EMP.
    Employee,
    /// Died in the hospital.
    Deceased,
    /// One of two twins of one mother.
    Twin,
    /// In an address confidentiality programme.
    ConfidentialAddress,
    /// Paid out of pocket and told the plan is not to know.
    SelfPay,
    /// In labour now.
    Delivery,
    /// In intensive care now.
    IntensiveCare,
    /// Agreed restriction under 164.522(a).
    Restricted,
    /// In a study under a certificate of confidentiality.
    ResearchConfidential,
    /// The patient of the canary values; only on demand.
    Canary,
}

/// Index 0 is the showcase, then one of each kind. The twins stand on an even and the next odd index.
const FIXED: &[Persona] = &[
    Persona::Showcase,
    Persona::Hiv,
    Persona::EdSubstanceUse,
    Persona::Part2Labelled,
    Persona::Part2BySource,
    Persona::Depression,
    Persona::Sti,
    Persona::Reproductive,
    Persona::GenderAffirming,
    Persona::Abuse,
    Persona::Genetic,
    Persona::MinorConfidential,
    Persona::Vip,
    Persona::Employee,
    Persona::Deceased,
    Persona::ConfidentialAddress,
    Persona::Twin,
    Persona::Twin,
    Persona::SelfPay,
    Persona::Delivery,
    Persona::IntensiveCare,
    Persona::Restricted,
    Persona::Psychotherapy,
    Persona::ResearchConfidential,
    Persona::BehavioralInpatient,
];

/// Chances per 10,000 of the rest, near what a US community hospital sees.
const SHARES: &[(Persona, i64)] = &[
    (Persona::Hiv, 45),
    (Persona::EdSubstanceUse, 120),
    (Persona::Part2Labelled, 40),
    (Persona::Part2BySource, 60),
    (Persona::Depression, 700),
    (Persona::BehavioralInpatient, 10),
    (Persona::Psychotherapy, 40),
    (Persona::Sti, 110),
    (Persona::Reproductive, 60),
    (Persona::GenderAffirming, 40),
    (Persona::Abuse, 50),
    (Persona::Genetic, 40),
    (Persona::MinorConfidential, 60),
    (Persona::Vip, 4),
    (Persona::Employee, 60),
    (Persona::Deceased, 150),
    (Persona::ConfidentialAddress, 10),
    (Persona::SelfPay, 60),
    (Persona::Delivery, 20),
    (Persona::IntensiveCare, 15),
    (Persona::Restricted, 20),
    (Persona::ResearchConfidential, 10),
];
/// One pair of neighbours in so many are twins.
const PAIRS_PER_TWINS: i64 = 60;

impl Persona {
    /// The persona of the patient with this index; depends on nothing else.
    #[must_use]
    pub fn of(seed: u64, index: usize) -> Self {
        if let Some(persona) = FIXED.get(index) {
            return *persona;
        }
        // The pair that straddles the end of the fixed indices stays single.
        let index = index as u64;
        let pair = index / 2;
        if pair > FIXED.len() as u64 / 2 && Draw::new(seed, Stream::Pair, pair).range(1, PAIRS_PER_TWINS) == 1 {
            return Self::Twin;
        }
        let mut ticket = Draw::new(seed, Stream::Persona, index).range(0, 9_999);
        for (persona, share) in SHARES {
            ticket -= share;
            if ticket < 0 {
                return *persona;
            }
        }
        Self::Ordinary
    }

    /// Every persona that a hospital without the canary patient has.
    #[must_use]
    pub const fn fixed() -> &'static [Self] {
        FIXED
    }

    /// Youngest and oldest age in years.
    pub(crate) const fn ages(self) -> (i64, i64) {
        match self {
            Self::Ordinary => (0, 96),
            Self::Twin => (0, 9),
            Self::MinorConfidential => (14, 17),
            Self::Delivery | Self::Reproductive => (19, 41),
            Self::Sti => (18, 45),
            Self::Deceased | Self::IntensiveCare => (48, 93),
            Self::Employee => (25, 62),
            _ => (20, 74),
        }
    }

    /// The only sex in question, if there is one.
    pub(crate) const fn sex(self) -> Option<crate::person::Sex> {
        match self {
            Self::Reproductive | Self::Delivery | Self::Genetic | Self::Showcase | Self::Canary => {
                Some(crate::person::Sex::Female)
            }
            _ => None,
        }
    }
}
