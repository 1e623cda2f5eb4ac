//! What somebody may read of requests, elevations, reviews and people: by the matrix of the policy (`console.csv`), the same for
//! everyone who asks. What is not his to see is not there.

mod cases;
mod tasks;

use crate::desk::{DeskError, Rules, deputised};
use scruple_core::{Id, Timestamp};
use scruple_flow::{
    AccessRequest, ApproverKind, DeputyAs, Elevation, ElevationKind, EmergencyReview, Grant, Person, RequestState,
    RoleCode,
};
use scruple_policy::{Act, ActScope};
use scruple_store::{
    Store, StoreError, Tx, find_directory, find_elevation, find_grant, find_person, find_request, find_review,
    list_elevations, list_open_reviews_after, list_pending_requests_after, list_persons, list_reports,
    list_requests_of, open_elevations, open_grants,
};
use std::collections::BTreeSet;

/// People who report to one manager, as far as they are looked at.
const REPORTS_MAX: usize = 1_000;
/// Rows that are looked at for one page.
const SCANNED_MAX: usize = 2_000;

/// Somebody who looks.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// Who.
    pub person: Id<Person>,
    /// The roles in which he looks.
    pub roles: BTreeSet<RoleCode>,
    reports: BTreeSet<Id<Person>>,
    /// Those in whose place he decides, and as what.
    others: Vec<(DeputyAs, Viewer)>,
}

/// Which requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whose {
    /// Those that he has made or would get access by.
    Mine,
    /// Those that he may decide now.
    Decide,
    /// All that wait.
    All,
}

/// One page of a list, and behind what it goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T, P> {
    /// The rows.
    pub rows: Vec<T>,
    /// The place behind the last one; none: it was the last page.
    pub next: Option<P>,
}

/// A person with what belongs to him.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PersonView {
    /// The person.
    pub person: Person,
    /// The roles that he holds now.
    pub roles: BTreeSet<RoleCode>,
    /// The line manager whom the directory names.
    pub manager: Option<Id<Person>>,
}

/// Where a list of requests or reviews goes on: an instant and an id.
pub type Spot<T> = (Timestamp, Id<T>);

impl Viewer {
    /// Somebody with those whose line manager he is, and those in whose place he decides now.
    ///
    /// # Errors
    /// The database failed.
    pub async fn load(
        store: &Store,
        (person, roles): (Id<Person>, BTreeSet<RoleCode>),
        now: Timestamp,
    ) -> Result<Self, DeskError> {
        let mut tx = store.begin_read().await?;
        let mut others = Vec::new();
        for capacity in DeputyAs::ALL {
            for other in deputised(&mut tx, (person, capacity), now).await? {
                others.push((capacity, Self::alone(&mut tx, other.person, other.roles).await?));
            }
        }
        Ok(Self { others, ..Self::alone(&mut tx, person, roles).await? })
    }

    async fn alone(tx: &mut Tx, person: Id<Person>, roles: BTreeSet<RoleCode>) -> Result<Self, StoreError> {
        let mut reports = BTreeSet::new();
        while reports.len() < REPORTS_MAX {
            let more = list_reports(tx, person, reports.last().copied()).await?;
            if more.is_empty() {
                break;
            }
            reports.extend(more);
        }
        Ok(Self { person, roles, reports, others: Vec::new() })
    }

    /// Whether somebody is within what he may see by an act.
    #[must_use]
    pub fn reaches(&self, rules: &dyn Rules, act: Act, person: Id<Person>) -> bool {
        match rules.scope(act, &self.roles) {
            Some(ActScope::All) => true,
            Some(ActScope::Team) => self.reports.contains(&person),
            Some(ActScope::Own) => self.person == person,
            None if act == Act::Reviews => {
                self.as_deputy(DeputyAs::Reviewer).any(|other| other.reaches(rules, act, person))
            }
            None => false,
        }
    }

    /// Those whose line manager he is.
    #[must_use]
    pub const fn reports(&self) -> &BTreeSet<Id<Person>> {
        &self.reports
    }

    /// Whether somebody for whom he stands in may do this, and he in his place.
    #[must_use]
    pub fn stands_in(&self, rules: &dyn Rules, act: Act) -> bool {
        let capacity = match act {
            Act::Decide => DeputyAs::Approver,
            Act::Reviews => DeputyAs::Reviewer,
            _ => return false,
        };
        self.as_deputy(capacity).any(|other| rules.scope(act, &other.roles).is_some())
    }

    fn as_deputy(&self, capacity: DeputyAs) -> impl Iterator<Item = &Self> {
        self.others.iter().filter(move |(known, _)| *known == capacity).map(|(_, other)| other)
    }

    /// Whether he is among those who must approve, or their backup by now, himself or in somebody's place, and neither of the two has
    /// to do with the request.
    #[must_use]
    pub fn may_decide(&self, request: &AccessRequest, now: Timestamp) -> bool {
        let has_approved = match &request.state {
            RequestState::Pending { approvals } => approvals.iter().any(|approval| approval.by == self.person),
            _ => true,
        };
        let is_named = |one: &Self| {
            !one.is_involved(request) && request.decided_in(now).any(|kind| one.is_named(kind, request.person))
        };
        !self.is_involved(request)
            && !has_approved
            && (is_named(self) || self.as_deputy(DeputyAs::Approver).any(is_named))
    }

    fn is_named(&self, need: &ApproverKind, of: Id<Person>) -> bool {
        need.names(&self.roles, self.reports.contains(&of))
    }

    /// Whether the policy names him for a request and lets him decide.
    fn decides(&self, rules: &dyn Rules, request: &AccessRequest, now: Timestamp) -> bool {
        let mut kinds = request.rule.needs.iter().chain(request.backup_at(now));
        kinds.any(|kind| self.is_named(kind, request.person)) && rules.scope(Act::Decide, &self.roles).is_some()
    }

    /// Whether he asked, or would get the access.
    #[must_use]
    pub fn is_involved(&self, request: &AccessRequest) -> bool {
        [request.person, request.requested_by].contains(&self.person)
    }

    /// Of requests he sees his own, those that he decides or has decided, or all of them.
    #[must_use]
    pub fn sees(&self, rules: &dyn Rules, request: &AccessRequest, now: Timestamp) -> bool {
        let has_decided = match &request.state {
            RequestState::Pending { approvals } | RequestState::Approved { approvals, .. } => {
                approvals.iter().any(|approval| approval.by == self.person)
            }
            RequestState::Denied { by, .. } => *by == self.person,
            _ => false,
        };
        self.is_involved(request)
            || has_decided
            || std::iter::once(self)
                .chain(self.as_deputy(DeputyAs::Approver))
                .any(|one| one.decides(rules, request, now))
            || rules.scope(Act::Requests, &self.roles) == Some(ActScope::All)
    }

    /// A request.
    ///
    /// # Errors
    /// The database failed.
    pub async fn request(
        &self,
        store: &Store,
        rules: &dyn Rules,
        (id, now): (Id<AccessRequest>, Timestamp),
    ) -> Result<Option<AccessRequest>, StoreError> {
        let found = find_request(&mut store.begin_read().await?, id).await?;
        Ok(found.filter(|request| self.sees(rules, request, now)))
    }

    /// Requests: his own, the newest first; or those that wait, the most urgent first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn requests(
        &self,
        store: &Store,
        rules: &dyn Rules,
        (whose, now): (Whose, Timestamp),
        (after, limit): (Option<Spot<AccessRequest>>, usize),
    ) -> Result<Page<AccessRequest, Spot<AccessRequest>>, StoreError> {
        let mut tx = store.begin_read().await?;
        let (mut rows, mut next, mut looked): (Vec<AccessRequest>, _, usize) = (Vec::new(), after, 0);
        loop {
            let page = match whose {
                Whose::Mine => list_requests_of(&mut tx, self.person, next.map(|(_, id)| id)).await?,
                Whose::Decide | Whose::All => list_pending_requests_after(&mut tx, now, next).await?,
            };
            if page.is_empty() {
                return Ok(Page { rows, next: None });
            }
            for request in page {
                if rows.len() >= limit || looked >= SCANNED_MAX {
                    return Ok(Page { rows, next });
                }
                (next, looked) = (Some((request.decide_by, request.id)), looked + 1);
                let is_wanted = match whose {
                    Whose::Mine => true,
                    Whose::Decide => self.may_decide(&request, now) && self.sees(rules, &request, now),
                    Whose::All => self.sees(rules, &request, now),
                };
                if is_wanted {
                    rows.push(request);
                }
            }
        }
    }

    /// An elevation: his own, one that he asked for or agreed to, or one of somebody within his reach.
    ///
    /// # Errors
    /// The database failed.
    pub async fn elevation(
        &self,
        store: &Store,
        rules: &dyn Rules,
        id: Id<Elevation>,
    ) -> Result<Option<Elevation>, StoreError> {
        let mut tx = store.begin_read().await?;
        let Some(found) = find_elevation(&mut tx, id).await? else { return Ok(None) };
        let mut may = found.held.person == self.person || self.reaches(rules, Act::People, found.held.person);
        if let ElevationKind::Asked { request } = found.held.kind
            && !may
        {
            let request = find_request(&mut tx, request).await?;
            may = request.is_some_and(|request| self.is_involved(&request) || agreed(&request, self.person));
        }
        Ok(Some(found).filter(|_| may))
    }

    /// The elevations of a person, those that are over included, the newest first. Of one who is out of reach: none.
    ///
    /// # Errors
    /// The database failed.
    pub async fn elevations(
        &self,
        store: &Store,
        rules: &dyn Rules,
        of: Id<Person>,
        (before, limit): (Option<Id<Elevation>>, usize),
    ) -> Result<Page<Elevation, Id<Elevation>>, StoreError> {
        if of != self.person && !self.reaches(rules, Act::People, of) {
            return Ok(Page { rows: Vec::new(), next: None });
        }
        let mut rows = list_elevations(&mut store.begin_read().await?, of, before).await?;
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().map(|last| last.held.id).filter(|_| has_more);
        Ok(Page { rows, next })
    }

    /// A grant of his own, or one that he asked for or agreed to, or of somebody within his reach.
    ///
    /// # Errors
    /// The database failed.
    pub async fn grant(&self, store: &Store, rules: &dyn Rules, id: Id<Grant>) -> Result<Option<Grant>, StoreError> {
        let found = find_grant(&mut store.begin_read().await?, id).await?;
        Ok(found.filter(|grant| {
            [grant.held.person, grant.requested_by, grant.approved_by].contains(&self.person)
                || self.reaches(rules, Act::People, grant.held.person)
        }))
    }

    /// A review of an emergency with the emergency, for those who review.
    ///
    /// # Errors
    /// The database failed.
    pub async fn review(
        &self,
        store: &Store,
        rules: &dyn Rules,
        id: Id<EmergencyReview>,
    ) -> Result<Option<(EmergencyReview, Elevation)>, StoreError> {
        let mut tx = store.begin_read().await?;
        let Some(review) = find_review(&mut tx, id).await? else { return Ok(None) };
        if !self.reaches(rules, Act::Reviews, review.reader) {
            return Ok(None);
        }
        Ok(find_elevation(&mut tx, review.elevation).await?.map(|elevation| (review, elevation)))
    }

    /// The reviews that nobody has closed, what is due first before what is due later.
    ///
    /// # Errors
    /// The database failed.
    pub async fn reviews(
        &self,
        store: &Store,
        rules: &dyn Rules,
        (after, limit): (Option<Spot<EmergencyReview>>, usize),
    ) -> Result<Page<(EmergencyReview, Elevation), Spot<EmergencyReview>>, StoreError> {
        let mut tx = store.begin_read().await?;
        let (mut rows, mut next) = (Vec::new(), after);
        loop {
            let page = list_open_reviews_after(&mut tx, next).await?;
            if page.is_empty() {
                return Ok(Page { rows, next: None });
            }
            for review in page {
                if rows.len() >= limit {
                    return Ok(Page { rows, next });
                }
                next = Some((review.due_at, review.id));
                if !self.reaches(rules, Act::Reviews, review.reader) {
                    continue;
                }
                if let Some(elevation) = find_elevation(&mut tx, review.elevation).await? {
                    rows.push((review, elevation));
                }
            }
        }
    }

    /// A person within reach.
    ///
    /// # Errors
    /// The database failed.
    pub async fn person(
        &self,
        store: &Store,
        rules: &dyn Rules,
        (id, now): (Id<Person>, Timestamp),
    ) -> Result<Option<PersonView>, StoreError> {
        if !self.reaches(rules, Act::People, id) {
            return Ok(None);
        }
        let mut tx = store.begin_read().await?;
        match find_person(&mut tx, id).await? {
            Some(person) => whole(&mut tx, person, now).await.map(Some),
            None => Ok(None),
        }
    }

    /// The people within reach whose name or login holds a text.
    ///
    /// # Errors
    /// The database failed.
    pub async fn people(
        &self,
        store: &Store,
        rules: &dyn Rules,
        (search, now): (&str, Timestamp),
        (after, limit): (Option<Id<Person>>, usize),
    ) -> Result<Page<PersonView, Id<Person>>, StoreError> {
        let search = search.to_lowercase();
        let mut tx = store.begin_read().await?;
        let (mut rows, mut next, mut looked) = (Vec::new(), after, 0_usize);
        loop {
            let page = self.next_people(&mut tx, rules, next).await?;
            if page.is_empty() {
                return Ok(Page { rows, next: None });
            }
            for person in page {
                if rows.len() >= limit || looked >= SCANNED_MAX {
                    return Ok(Page { rows, next });
                }
                (next, looked) = (Some(person.id), looked + 1);
                let is_found =
                    person.name.expose().to_lowercase().contains(&search) || person.login.expose().contains(&search);
                if is_found {
                    rows.push(whole(&mut tx, person, now).await?);
                }
            }
        }
    }

    async fn next_people(
        &self,
        tx: &mut Tx,
        rules: &dyn Rules,
        after: Option<Id<Person>>,
    ) -> Result<Vec<Person>, StoreError> {
        let one = match rules.scope(Act::People, &self.roles) {
            Some(ActScope::All) => return list_persons(tx, after).await,
            Some(ActScope::Team) => {
                self.reports.iter().copied().find(|report| after.is_none_or(|after| *report > after))
            }
            Some(ActScope::Own) => Some(self.person).filter(|_| after.is_none()),
            None => None,
        };
        match one {
            Some(one) => Ok(find_person(tx, one).await?.into_iter().collect()),
            None => Ok(Vec::new()),
        }
    }

    /// What somebody has now: roles and opened records.
    ///
    /// # Errors
    /// The database failed.
    pub async fn rights(
        &self,
        store: &Store,
        (of, now): (Id<Person>, Timestamp),
    ) -> Result<(Vec<Grant>, Vec<Elevation>), StoreError> {
        let mut tx = store.begin_read().await?;
        let mut grants = Vec::new();
        for held in open_grants(&mut tx, of, now).await? {
            grants.extend(find_grant(&mut tx, held.id).await?);
        }
        let mut opened = Vec::new();
        for held in open_elevations(&mut tx, of, now).await? {
            opened.extend(find_elevation(&mut tx, held.id).await?);
        }
        Ok((grants, opened))
    }
}

/// Whether somebody has said yes to a request.
fn agreed(request: &AccessRequest, person: Id<Person>) -> bool {
    match &request.state {
        RequestState::Approved { approvals, .. } => approvals.iter().any(|approval| approval.by == person),
        _ => false,
    }
}

async fn whole(tx: &mut Tx, person: Person, now: Timestamp) -> Result<PersonView, StoreError> {
    let held = open_grants(tx, person.id, now).await?.into_iter();
    let roles = held.filter(|grant| grant.window.contains(now)).map(|grant| grant.role).collect();
    let manager = find_directory(tx, person.id).await?.and_then(|record| record.attributes.manager);
    Ok(PersonView { person, roles, manager })
}
