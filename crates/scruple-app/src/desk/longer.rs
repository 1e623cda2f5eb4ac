//! Access that is about to end is asked for again: a new request, decided anew by the same rule, as often and as long as the policy lets
//! it be prolonged.

use super::{Desk, DeskError, Done, Who, holds, roles_of};
use scruple_core::{Id, Phi, Timestamp, new_id};
use scruple_flow::{
    AccessRequest, ElevationKind, ExtensionRule, PatientRef, RequestError, RequestState, Wanted, Window,
};
use scruple_policy::Act;
use scruple_store::{Tx, find_grant, find_project_of_request, find_request, open_elevations};
use std::collections::BTreeSet;

/// How access is to be prolonged.
#[derive(Clone, Debug)]
pub struct Longer {
    /// Until when.
    pub ends_at: Timestamp,
    /// What it is still needed for.
    pub justification: Phi<String>,
    /// The id of the text on what is minimum necessary here, which he says that he has read.
    pub acknowledged: Option<String>,
}

impl Desk<'_> {
    /// Asks for what a request opened, from its end on.
    ///
    /// # Errors
    /// See [`DeskError`]. [`DeskError::Changed`]: it is being prolonged already.
    pub async fn extend(
        &mut self,
        who: Who,
        earlier: Id<AccessRequest>,
        longer: Longer,
    ) -> Result<Done<AccessRequest>, DeskError> {
        let id = new_id(self.clock.now(), self.rng);
        self.extend_as(who, (earlier, id), longer).await
    }

    /// The same under an id that was drawn before.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn extend_as(
        &mut self,
        who: Who,
        (earlier, id): (Id<AccessRequest>, Id<AccessRequest>),
        longer: Longer,
    ) -> Result<Done<AccessRequest>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let own = roles_of(&mut tx, who.person, at).await?;
        self.permits(Act::Ask, &own)?;
        let project = find_project_of_request(&mut tx, earlier).await?.map(|project| project.id);
        let earlier = find_request(&mut tx, earlier).await?;
        // Whose it is not is told nothing of it.
        let earlier = earlier.filter(|one| [one.person, one.requested_by].contains(&who.person));
        let earlier = earlier.ok_or(DeskError::Unknown)?;
        let is_of_patients = !earlier.wanted.patients.is_empty();
        let patients = standing(&mut tx, &earlier, at).await?.ok_or(RequestError::NotStanding)?;
        if is_of_patients {
            holds(&mut tx, earlier.person, &earlier.wanted.role, at).await?;
        }
        let kinds = is_of_patients.then_some(&earlier.wanted.kinds);
        let rule = self.rules.approval(&earlier.wanted.role, kinds).ok_or(DeskError::NotAllowed)?;
        let extends = earlier.extended(longer.ends_at, (self.extensions(), rule.hours_max), at)?;
        let window = Window::new(earlier.wanted.window.ends_at(), longer.ends_at).map_err(|_| RequestError::Over)?;
        let draft = AccessRequest {
            id,
            requested_by: who.person,
            wanted: Wanted { patients, window, ..earlier.wanted },
            justification: longer.justification,
            rule,
            submitted_at: at,
            decide_by: at,
            extends: Some(extends),
            acknowledged: longer.acknowledged,
            state: RequestState::Draft,
            version: 1,
            ..earlier
        };
        self.hand_in(tx, (who, at), draft, project).await
    }

    /// How far the policy lets access be prolonged.
    #[must_use]
    pub fn extensions(&self) -> ExtensionRule {
        extension_rule(self.rules.desk())
    }
}

/// How far house rules let access be prolonged.
#[must_use]
pub const fn extension_rule(rules: scruple_policy::DeskRules) -> ExtensionRule {
    ExtensionRule {
        count_max: rules.extensions_max,
        last_part: rules.extension_last_part,
        times: rules.extension_times,
    }
}

/// What a request opened and nobody has ended: the patients that are left, or the role, of which there are none. `None`: nothing is left.
async fn standing(
    tx: &mut Tx,
    request: &AccessRequest,
    at: Timestamp,
) -> Result<Option<BTreeSet<PatientRef>>, DeskError> {
    if request.wanted.patients.is_empty() {
        let grant = find_grant(tx, Id::from_uuid(request.id.uuid())).await?;
        return Ok(grant.filter(|grant| grant.revoked.is_none()).map(|_| BTreeSet::new()));
    }
    let open = open_elevations(tx, request.person, at).await?.into_iter();
    let left = open.filter(|one| matches!(one.kind, ElevationKind::Asked { request: of } if of == request.id));
    let left: BTreeSet<PatientRef> = left.map(|one| one.patient).collect();
    Ok(Some(left).filter(|left| !left.is_empty()))
}
