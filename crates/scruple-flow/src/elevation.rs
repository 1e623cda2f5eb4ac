//! Elevations: one patient's record opened to one person for a time, beyond what his role relates him to.
//!
//! Three doors lead to one: a request that was approved, a relationship that the person declares ("I am caring for this patient"),
//! an emergency (break-glass). The last two need nobody's yes and are looked at afterwards; an emergency always has its review.

use crate::limits::{DECLARED_HOURS_MAX, EMERGENCY_HOURS_MAX};
use crate::{
    AccessRequest, EmergencyReview, Kinds, PatientRef, Person, Revocation, RoleCode, WeakReason, Window, reason,
};
use scruple_core::{Id, Phi, Timestamp};

const HOUR_MICROS: i64 = 3_600_000_000;

/// How it came to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ElevationKind {
    /// By a request that others approved.
    Asked {
        /// The request.
        request: Id<AccessRequest>,
    },
    /// By the person's word that he cares for the patient.
    Declared(DeclaredReason),
    /// By the person's word that there is no time to ask.
    Emergency {
        /// Why.
        reason: EmergencyReason,
        /// The review of it.
        review: Id<EmergencyReview>,
    },
}

impl ElevationKind {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Asked { .. } => "asked",
            Self::Declared(_) => "declared",
            Self::Emergency { .. } => "emergency",
        }
    }
}

codes! {
    /// Why a person cares for a patient whom the record system does not relate him to.
    DeclaredReason {
        /// He stands in for somebody.
        Covering = "covering",
        /// He was asked for his opinion.
        Consult = "consult",
        /// The patient comes to his unit.
        Transfer = "transfer",
        /// The patient is on the telephone.
        Call = "call",
        /// The visit is not yet in the record system.
        NotYetRecorded = "not_yet_recorded",
    }
}

codes! {
    /// Why there is no time to ask.
    EmergencyReason {
        /// Life or limb is in danger.
        LifeThreat = "life_threat",
        /// The patient cannot speak for himself.
        Unresponsive = "unresponsive",
        /// A poisoning, an allergy, an interaction.
        DrugSafety = "drug_safety",
        /// A rapid response or resuscitation team was called.
        TeamCalled = "team_called",
        /// Many come at once.
        MassEvent = "mass_event",
        /// Something else, said in a sentence.
        Other = "other",
        /// Nothing has happened: it is practised, on a chart that is nobody's.
        Drill = "drill",
    }
}

/// Why a record is not opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ElevationError {
    /// It would last longer than such access may.
    #[error("such access lasts at most {hours_max} hours")]
    TooLong {
        /// The limit.
        hours_max: i64,
    },
    /// What is to be said is not.
    #[error(transparent)]
    Reason(#[from] WeakReason),
    /// Only an emergency opens what is specially protected.
    #[error("what is specially protected is confirmed in an emergency alone")]
    NotAnEmergency,
    /// Somebody else would confirm it.
    #[error("who opened the record confirms it himself")]
    NotTheReader,
    /// It does not open the record now.
    #[error("it does not open the record now")]
    NotOpen,
    /// It is confirmed already.
    #[error("it is confirmed already")]
    Confirmed,
}

impl ElevationError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLong { .. } => "duration_too_long",
            Self::Reason(reason) => reason.code(),
            Self::NotAnEmergency => "not_an_emergency",
            Self::NotTheReader => "not_the_reader",
            Self::NotOpen => "elevation_not_open",
            Self::Confirmed => "protected_confirmed",
        }
    }
}

/// Who opens whose record, in which role, for which time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opening {
    /// Its id.
    pub id: Id<Elevation>,
    /// Who.
    pub person: Id<Person>,
    /// In which role.
    pub role: RoleCode,
    /// For which purpose alone (HL7 v3 ActReason); none: those of the role.
    pub purpose: Option<String>,
    /// Whose record.
    pub patient: PatientRef,
    /// Which kinds of information of it.
    pub kinds: Kinds,
    /// For which time.
    pub window: Window,
    /// What for, in words.
    pub justification: Phi<String>,
}

/// An elevation that may be stored. There is no other way to make one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewElevation {
    opening: Opening,
    kind: ElevationKind,
    at: Timestamp,
}

impl NewElevation {
    /// What an approved request gives for one of its patients; none: the request does not give it.
    #[must_use]
    pub fn asked(request: &AccessRequest, id: Id<Elevation>, patient: &PatientRef) -> Option<Self> {
        let crate::RequestState::Approved { at, .. } = request.state else { return None };
        let wanted = &request.wanted;
        let window = Window::new(wanted.window.starts_at().max(at), wanted.window.ends_at()).ok()?;
        let opening = Opening {
            id,
            person: request.person,
            role: wanted.role.clone(),
            purpose: wanted.purpose.clone(),
            patient: wanted.patients.get(patient)?.clone(),
            kinds: wanted.kinds.clone(),
            window,
            justification: request.justification.clone(),
        };
        Some(Self { opening, kind: ElevationKind::Asked { request: request.id }, at })
    }

    /// A relationship that the person declares.
    ///
    /// # Errors
    /// It would last longer than a shift.
    pub fn declared(opening: Opening, reason: DeclaredReason, at: Timestamp) -> Result<Self, ElevationError> {
        within(opening.window, DECLARED_HOURS_MAX)?;
        Ok(Self { opening, kind: ElevationKind::Declared(reason), at })
    }

    /// An emergency, with the review that is owed. The sentence may come before the shift ends, but `other` says nothing by itself.
    ///
    /// # Errors
    /// It would last too long, or the sentence that there must be is none.
    pub fn emergency(
        opening: Opening,
        why: EmergencyReason,
        review: Id<EmergencyReview>,
        at: Timestamp,
    ) -> Result<Self, ElevationError> {
        within(opening.window, EMERGENCY_HOURS_MAX)?;
        if why == EmergencyReason::Other {
            reason(opening.justification.expose(), None)?;
        }
        Ok(Self { opening, kind: ElevationKind::Emergency { reason: why, review }, at })
    }

    /// Who opens whose record.
    #[must_use]
    pub const fn opening(&self) -> &Opening {
        &self.opening
    }

    /// How it came to be.
    #[must_use]
    pub const fn kind(&self) -> ElevationKind {
        self.kind
    }

    /// When.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }
}

fn within(window: Window, hours_max: i64) -> Result<(), ElevationError> {
    let lasts = window.ends_at().micros().saturating_sub(window.starts_at().micros());
    if lasts > hours_max.saturating_mul(HOUR_MICROS) { Err(ElevationError::TooLong { hours_max }) } else { Ok(()) }
}

/// An elevation as it is held: what a decision needs of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldElevation {
    /// Its id.
    pub id: Id<Elevation>,
    /// Who holds it.
    pub person: Id<Person>,
    /// In which role.
    pub role: RoleCode,
    /// For which purpose alone; none: those of the role.
    pub purpose: Option<String>,
    /// Whose record it opens.
    pub patient: PatientRef,
    /// Which kinds of information of it.
    pub kinds: Kinds,
    /// How it came to be.
    pub kind: ElevationKind,
    /// For which time.
    pub window: Window,
    /// When the person confirmed, in an emergency, that he needs what is specially protected too.
    pub protected_at: Option<Timestamp>,
}

/// An elevation with all that is known of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Elevation {
    /// What a decision needs of it.
    pub held: HeldElevation,
    /// When it was given.
    pub granted_at: Timestamp,
    /// What for, in words.
    pub justification: Phi<String>,
    /// Its end before its time.
    pub ended: Option<Revocation>,
    /// Version of the row.
    pub version: i64,
}

impl Elevation {
    /// Who opened a record in an emergency confirms that he needs what is specially protected too, whether there is any or not. What
    /// an emergency never opens stays closed (**never-psychotherapy**).
    ///
    /// # Errors
    /// It is no emergency, not his, not open at `at`, or confirmed already.
    pub fn confirm_protected(self, by: Id<Person>, at: Timestamp) -> Result<Self, ElevationError> {
        if !matches!(self.held.kind, ElevationKind::Emergency { .. }) {
            return Err(ElevationError::NotAnEmergency);
        }
        if by != self.held.person {
            return Err(ElevationError::NotTheReader);
        }
        if self.ended.is_some() || !self.held.window.contains(at) {
            return Err(ElevationError::NotOpen);
        }
        if self.held.protected_at.is_some() {
            return Err(ElevationError::Confirmed);
        }
        let protected_at = Some(at.max(self.granted_at));
        Ok(Self { held: HeldElevation { protected_at, ..self.held }, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn opening(hours: i64, words: &str) -> Opening {
        let at = Timestamp::from_micros(0);
        Opening {
            id: Id::from_uuid(Uuid::from_u128(1)),
            person: Id::from_uuid(Uuid::from_u128(2)),
            role: "nurse".parse().unwrap(),
            purpose: None,
            patient: "p".parse().unwrap(),
            kinds: Kinds::Whole,
            window: Window::new(at, at.plus_micros(hours * HOUR_MICROS)).unwrap(),
            justification: Phi::new(words.to_owned()),
        }
    }

    #[test]
    fn what_nobody_approves_is_short() {
        let at = Timestamp::from_micros(0);
        let review = Id::from_uuid(Uuid::from_u128(3));
        let declared = |hours| NewElevation::declared(opening(hours, ""), DeclaredReason::Covering, at);
        assert!(declared(DECLARED_HOURS_MAX).is_ok());
        assert_eq!(
            declared(DECLARED_HOURS_MAX + 1).unwrap_err(),
            ElevationError::TooLong { hours_max: DECLARED_HOURS_MAX }
        );
        let emergency = |hours, words, why| NewElevation::emergency(opening(hours, words), why, review, at);
        assert!(emergency(EMERGENCY_HOURS_MAX, "", EmergencyReason::LifeThreat).is_ok());
        assert!(emergency(EMERGENCY_HOURS_MAX + 1, "", EmergencyReason::LifeThreat).is_err());
        assert_eq!(emergency(1, "", EmergencyReason::Other).unwrap_err(), ElevationError::Reason(WeakReason::Short));
        assert!(emergency(1, "The ward telephone is down, transfer now", EmergencyReason::Other).is_ok());
    }

    #[test]
    fn every_state_of_an_elevation_meets_the_second_confirmation() {
        let (at, reader) = (Timestamp::from_micros, Id::from_uuid(Uuid::from_u128(2)));
        let kinds = [
            ElevationKind::Asked { request: Id::from_uuid(Uuid::from_u128(7)) },
            ElevationKind::Declared(DeclaredReason::Covering),
            ElevationKind::Emergency { reason: EmergencyReason::TeamCalled, review: Id::from_uuid(Uuid::from_u128(8)) },
        ];
        let mut table = String::new();
        for kind in kinds {
            for (state, ended, protected_at, now) in [
                ("to come", None, None, -1),
                ("open", None, None, 0),
                ("confirmed", None, Some(at(0)), 1),
                ("ended", Some(Revocation { by: reader, at: at(1) }), None, 2),
                ("over", None, None, HOUR_MICROS),
            ] {
                let opening = opening(1, "");
                let elevation = Elevation {
                    held: HeldElevation {
                        id: opening.id,
                        person: reader,
                        role: opening.role,
                        purpose: None,
                        patient: opening.patient,
                        kinds: Kinds::Whole,
                        kind,
                        window: opening.window,
                        protected_at,
                    },
                    granted_at: at(0),
                    justification: Phi::new(String::new()),
                    ended,
                    version: 1,
                };
                let by =
                    |who: u128| match elevation.clone().confirm_protected(Id::from_uuid(Uuid::from_u128(who)), at(now))
                    {
                        Ok(confirmed) => format!("confirmed {}", confirmed.held.protected_at.unwrap().micros()),
                        Err(error) => error.code().to_owned(),
                    };
                table.push_str(&format!("{} {state}: {}, another {}\n", kind.code(), by(2), by(3)));
            }
        }
        let none = |kind: &str| {
            let line = |state: &&str| format!("{kind} {state}: not_an_emergency, another not_an_emergency\n");
            ["to come", "open", "confirmed", "ended", "over"].iter().map(line).collect::<String>()
        };
        let expected = none("asked")
            + &none("declared")
            + "emergency to come: elevation_not_open, another not_the_reader\n\
               emergency open: confirmed 0, another not_the_reader\n\
               emergency confirmed: protected_confirmed, another not_the_reader\n\
               emergency ended: elevation_not_open, another not_the_reader\n\
               emergency over: elevation_not_open, another not_the_reader\n";
        assert_eq!(table, expected);
    }

    #[test]
    fn reasons_are_a_closed_list() {
        for one in EmergencyReason::ALL {
            assert_eq!(EmergencyReason::of(one.code()), Some(*one));
        }
        for one in DeclaredReason::ALL {
            assert_eq!(DeclaredReason::of(one.code()), Some(*one));
        }
        assert_eq!(EmergencyReason::of("LIFE_THREAT"), None);
        assert_eq!(DeclaredReason::of(""), None);
    }
}
