//! What was used, held against what was asked for: compared when access to some kinds of information is over, closed by somebody else.

use super::{Desk, DeskError, Done, Rules, Who, roles_of};
use crate::charts::AccessFacts;
use crate::record::Record;
use scruple_core::{Id, Phi, Timestamp, new_id};
use scruple_flow::{
    AccessRequest, Elevation, ElevationKind, Person, RequestState, UseFinding, UseReview, UseState, Used,
};
use scruple_policy::{Act, ActScope};
use scruple_store::limits::ACCESS_ROWS_MAX;
use scruple_store::{
    AccessOutcome, Tx, close_use_review, find_elevation, find_request, find_use_review, insert_use_review,
    list_chart_accesses, list_uncompared,
};

/// So long after its end an access is compared: what was read is indexed by then.
const SETTLED_MICROS: i64 = 3_600_000_000;

impl Desk<'_> {
    /// Compares what was used with what was asked for, of each access that has ended and was not compared; answers how many differ.
    ///
    /// # Errors
    /// The database failed; those that were compared stay so.
    pub async fn compare_uses(&mut self) -> Result<usize, DeskError> {
        let over_at = self.clock.now().plus_micros(-SETTLED_MICROS);
        let uncompared = list_uncompared(&mut self.store.begin_read().await?, over_at).await?;
        let mut differ = 0;
        for elevation in uncompared {
            let (mut tx, at) = self.begin().await?;
            let Some(elevation) = find_elevation(&mut tx, elevation).await? else { continue };
            let used = used(&mut tx, self.rules, &elevation).await?;
            let id = new_id(at, self.rng);
            let Some(review) = UseReview::compare(id, &elevation, &used, at) else { continue };
            match insert_use_review(&mut tx, &review).await.map_err(DeskError::from) {
                // Another node has compared it meanwhile.
                Err(DeskError::Changed) => continue,
                other => other?,
            }
            differ += usize::from(review.state == UseState::Open);
            let record = Record::use_review(&review, 1, at, elevation.held.person);
            self.commit(tx, &[record], ()).await?;
        }
        Ok(differ)
    }

    /// Closes a difference, as it was seen at `version`: by who reviews, or who agreed to the access.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn close_use(
        &mut self,
        who: Who,
        id: Id<UseReview>,
        version: i64,
        (finding, comment): (UseFinding, Phi<String>),
    ) -> Result<Done<UseReview>, DeskError> {
        let (mut tx, at) = self.begin().await?;
        let roles = roles_of(&mut tx, who.person, at).await?;
        let review = find_use_review(&mut tx, id).await?.ok_or(DeskError::Unknown)?;
        let oversees = self.rules.scope(Act::Reviews, &roles) == Some(ActScope::All);
        if !oversees && !agreed(&mut tx, review.elevation, who.person, at).await? {
            return Err(DeskError::Unknown);
        }
        if review.version != version {
            return Err(DeskError::Changed);
        }
        let closed = review.close(who.person, finding, comment, at)?;
        close_use_review(&mut tx, &closed, version).await?;
        let record = Record::use_review(&closed, version + 1, at, who.person);
        self.commit(tx, &[record], UseReview { version: version + 1, ..closed }).await
    }
}

/// What its holder opened of its patient while it lasted, by whatever right.
async fn used(tx: &mut Tx, rules: &dyn Rules, of: &Elevation) -> Result<Used, DeskError> {
    let held = &of.held;
    let until = of.ended.map_or(held.window.ends_at(), |end| end.at.min(held.window.ends_at()));
    let key = format!("Patient/{}", held.patient.id());
    let (mut used, mut after) = (Used::default(), None);
    loop {
        let rows = list_chart_accesses(tx, &key, (held.window.starts_at(), until), after).await?;
        let is_last = i64::try_from(rows.len()) != Ok(ACCESS_ROWS_MAX);
        after = rows.last().map(|access| (access.at, access.id));
        let own = |access: &&scruple_store::ChartAccess| {
            access.person == Some(held.person) && access.outcome == AccessOutcome::Opened
        };
        for access in rows.iter().filter(own) {
            used.under += u64::from(access.elevation == Some(held.id));
            let facts = AccessFacts::from_bytes(access.facts.expose());
            for name in facts.types.into_keys() {
                let told = facts.kinds.iter().filter_map(|kind| kind.strip_prefix(&name)?.strip_prefix(' '));
                let told: Vec<&str> = told.collect();
                // Where the record says which of its kinds they were, each is held against what was asked for by itself.
                for kind in &told {
                    used.types.entry(format!("{name} {kind}")).or_insert_with(|| kind.parse().into_iter().collect());
                }
                if told.is_empty() {
                    let kinds = rules.kinds_of_type(&name);
                    used.types.entry(name).or_insert(kinds);
                }
            }
        }
        if is_last {
            return Ok(used);
        }
    }
}

/// Whether somebody agreed to what opened an elevation, and still may agree to something.
async fn agreed(tx: &mut Tx, elevation: Id<Elevation>, by: Id<Person>, at: Timestamp) -> Result<bool, DeskError> {
    let Some(elevation) = find_elevation(tx, elevation).await? else { return Ok(false) };
    let ElevationKind::Asked { request } = elevation.held.kind else { return Ok(false) };
    let request = find_request(tx, request).await?;
    Ok(request.is_some_and(|request| approved_by(&request, by)) && !roles_of(tx, by, at).await?.is_empty())
}

/// Whether somebody is among those who agreed to a request.
#[must_use]
pub fn approved_by(request: &AccessRequest, person: Id<Person>) -> bool {
    match &request.state {
        RequestState::Approved { approvals, .. } => approvals.iter().any(|approval| approval.by == person),
        _ => false,
    }
}
