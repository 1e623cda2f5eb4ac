//! Two of the three doors: "I am caring for this patient" and emergency. They need nobody's yes and are looked at afterwards.

use super::{ASKED_OPEN_MAX, Desk, DeskError, Done, OPEN_MAX, Who, has_room, roles_of};
use crate::message::{Told, tell};
use crate::record::Record;
use scruple_core::{Id, Phi, Timestamp, new_id};
use scruple_flow::limits::EMERGENCY_HOURS_MAX;
use scruple_flow::{
    AlertOf, DeclaredReason, Elevation, ElevationKind, EmergencyReason, EmergencyReview, Kinds, NewElevation, Opening,
    PatientRef, Person, RequestError, Revocation, RoleCode, Sentence, Window,
};
use scruple_policy::Act;
use scruple_store::{
    NewReview, Tx, confirm_protected, end_elevation, find_elevation, find_request, insert_elevation, insert_review,
};

const HOUR_MICROS: i64 = 3_600_000_000;
/// Days after which the review of an emergency is late.
const REVIEW_DAYS: i64 = 7;

/// "I am caring for this patient."
#[derive(Clone, Debug)]
pub struct Declaration {
    /// In which role.
    pub role: RoleCode,
    /// Whom.
    pub patient: PatientRef,
    /// Why the record system does not know.
    pub reason: DeclaredReason,
    /// Until when: the end of the shift.
    pub ends_at: Timestamp,
    /// What there is to say beside it; may be empty.
    pub words: Phi<String>,
}

/// "There is no time to ask."
#[derive(Clone, Debug)]
pub struct Emergency {
    /// In which role.
    pub role: RoleCode,
    /// Whose record.
    pub patient: PatientRef,
    /// Why.
    pub reason: EmergencyReason,
    /// The sentence, if there was time for it.
    pub words: Phi<String>,
}

impl Desk<'_> {
    /// Opens a record to one who says that he cares for the patient.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn declare(&mut self, who: Who, declaration: Declaration) -> Result<Done<NewElevation>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        self.may_act(&mut tx, who, Act::Declare, &declaration.role, at).await?;
        if !self.rules.may_declare(&declaration.role) {
            return Err(DeskError::NotAllowed);
        }
        let window = Window::new(at, declaration.ends_at).map_err(|_| RequestError::Over)?;
        let opening = self.opening(who.person, declaration.role, declaration.patient, window, declaration.words);
        let new = NewElevation::declared(opening, declaration.reason, at)?;
        has_room(&mut tx, who.person, 1, ASKED_OPEN_MAX, at).await?;
        insert_elevation(&mut tx, &new).await?;
        let record = Record::elevated(&new);
        self.commit(tx, &[record], new).await
    }

    /// Opens a record in an emergency, with the review that is owed for it in the same transaction.
    ///
    /// # Errors
    /// See [`DeskError`]. An earlier review that nobody has closed is no reason (care-continues).
    pub async fn break_glass(&mut self, who: Who, emergency: Emergency) -> Result<Done<NewElevation>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        self.may_act(&mut tx, who, Act::Emergency, &emergency.role, at).await?;
        if !self.rules.may_break_glass(&emergency.role) {
            return Err(DeskError::NotAllowed);
        }
        // A drill opens no patient's chart: it would be the way around the review.
        let is_drill = emergency.reason == EmergencyReason::Drill;
        if is_drill && !self.rules.is_practice(&emergency.patient) {
            return Err(DeskError::NotAllowed);
        }
        let review: Id<EmergencyReview> = new_id(at, self.rng);
        let window = Window::new(at, at.plus_micros(EMERGENCY_HOURS_MAX * HOUR_MICROS))?;
        let opening = self.opening(who.person, emergency.role, emergency.patient, window, emergency.words);
        let new = NewElevation::emergency(opening, emergency.reason, review, at)?;
        has_room(&mut tx, who.person, 1, OPEN_MAX, at).await?;
        let due_at = at.plus_micros(REVIEW_DAYS * 24 * HOUR_MICROS);
        insert_review(&mut tx, &NewReview { id: review, reader: who.person, opened_at: at, due_at }).await?;
        insert_elevation(&mut tx, &new).await?;
        let told = if is_drill { Told::Drill(review) } else { Told::EmergencyOpened(review) };
        tell(&mut tx, self.rng, told, at, at).await?;
        let mut records = vec![Record::review_opened(review, &new, due_at), Record::elevated(&new)];
        if !is_drill {
            tell(&mut tx, self.rng, Told::ReviewLate(review), at, due_at).await?;
            if new.opening().justification.expose().is_empty() {
                tell(&mut tx, self.rng, Told::SentenceOwed(review), at, Sentence::reminded(at)).await?;
                tell(&mut tx, self.rng, Told::SentenceNotGiven(review), at, Sentence::due(at)).await?;
            }
            // Too often is told, and is in nobody's way (care-continues).
            let often = self.rules.desk().emergencies_per_30_days;
            records.extend(self.watch(&mut tx, AlertOf::EmergenciesOfPerson(who.person), often, at).await?);
        }
        self.commit(tx, &records, new).await
    }

    /// Opens what is specially protected too, of one patient, in an emergency that is open: the second confirmation, by who opened it.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn confirm_protected(
        &mut self,
        who: Who,
        id: Id<Elevation>,
        version: i64,
    ) -> Result<Done<Elevation>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let roles = roles_of(&mut tx, who.person, at).await?;
        let elevation = find_elevation(&mut tx, id).await?.filter(|one| one.held.person == who.person);
        let elevation = elevation.ok_or(DeskError::Unknown)?;
        self.permits(Act::Emergency, &roles)?;
        if !roles.contains(&elevation.held.role) {
            return Err(DeskError::RoleNotHeld);
        }
        if elevation.version != version {
            return Err(DeskError::Changed);
        }
        let confirmed = elevation.confirm_protected(who.person, at)?;
        confirm_protected(&mut tx, id, version, at).await?;
        if let ElevationKind::Emergency { reason, review } = confirmed.held.kind
            && reason != EmergencyReason::Drill
        {
            tell(&mut tx, self.rng, Told::EmergencyProtected(review), at, at).await?;
        }
        let record = Record::protected_confirmed(&confirmed, version + 1, at);
        self.commit(tx, &[record], Elevation { version: version + 1, ..confirmed }).await
    }

    async fn may_act(
        &mut self,
        tx: &mut Tx,
        who: Who,
        act: Act,
        role: &RoleCode,
        at: Timestamp,
    ) -> Result<(), DeskError> {
        let held = roles_of(tx, who.person, at).await?;
        self.permits(act, &held)?;
        if held.contains(role) { Ok(()) } else { Err(DeskError::RoleNotHeld) }
    }

    fn opening(
        &mut self,
        person: Id<Person>,
        role: RoleCode,
        patient: PatientRef,
        window: Window,
        justification: Phi<String>,
    ) -> Opening {
        let id = new_id(window.starts_at(), self.rng);
        Opening { id, person, role, purpose: None, patient, kinds: Kinds::Whole, window, justification }
    }

    /// Ends an elevation before its time: by who holds it, by those who asked for it or agreed to it, or by whoever oversees access.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn end_elevation(
        &mut self,
        who: Who,
        id: Id<Elevation>,
        version: i64,
    ) -> Result<Done<Elevation>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let roles = roles_of(&mut tx, who.person, at).await?;
        let elevation = find_elevation(&mut tx, id).await?.ok_or(DeskError::Unknown)?;
        let mut involved = vec![elevation.held.person];
        if let ElevationKind::Asked { request } = elevation.held.kind
            && let Some(request) = find_request(&mut tx, request).await?
        {
            involved.push(request.requested_by);
            if let scruple_flow::RequestState::Approved { approvals, .. } = &request.state {
                involved.extend(approvals.iter().map(|approval| approval.by));
            }
        }
        if !involved.contains(&who.person) && !self.may_end(&mut tx, who, &roles, elevation.held.person).await? {
            return Err(DeskError::Unknown);
        }
        if elevation.version != version || elevation.ended.is_some() {
            return Err(DeskError::Changed);
        }
        let revocation = Revocation { by: who.person, at };
        end_elevation(&mut tx, id, version, revocation).await?;
        let record = Record::elevation_ended(&elevation, revocation);
        self.commit(tx, &[record], Elevation { ended: Some(revocation), version: version + 1, ..elevation }).await
    }
}
