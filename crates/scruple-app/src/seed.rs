//! The workforce of a demo: persons, the grants that give them their roles, and the links that tell who they are in the
//! record system.
//!
//! The grants are made as any other: asked for by one person, approved by a second, for a time, each with its event; the
//! links are confirmed by the one who approves. A login that is there already is left as it is, with the grants that it
//! has or has no longer: seeding again gives nobody back what was taken from him. Only one who never had a link gets his.

use crate::limits::SEED_PEOPLE_MAX;
use crate::record::Record;
use rand_core::Rng;
use scruple_core::{Clock, Id, Phi, Timestamp, new_id};
use scruple_store::{
    GrantError, GrantRequest, InvalidLogin, InvalidPractitioner, InvalidRole, LinkError, LinkRequest, Login, NewGrant,
    NewLink, NewPerson, Person, Position, PractitionerRef, RoleCode, ShardLease, Store, StoreError, Tx, Window,
    confirm_link, find_person_by_login, insert_grant, insert_person, list_links,
};

/// The login of the person who asks for the grants of a demo.
pub const DEMO_REQUESTER: &str = "demo-requester";
/// The login of the person who approves them, and confirms the links.
pub const DEMO_APPROVER: &str = "demo-approver";

const GRANT_DAYS: i64 = 365;
const DAY_MICROS: i64 = 24 * 3_600 * 1_000_000;

/// One line of a workforce: a person and a role. Who has several roles stands in several lines.
#[derive(Clone, Copy, Debug)]
pub struct SeedPerson<'a> {
    /// What the person signs in with: the `sub` of his tokens.
    pub login: &'a str,
    /// His name.
    pub name: &'a str,
    /// A role that he gets.
    pub role: &'a str,
    /// Who he is in the record system: `Practitioner/id` or `PractitionerRole/id`; of all his lines together.
    pub practitioners: &'a [&'a str],
}

/// What was added.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Seeded {
    /// Persons, those who ask and approve included.
    pub persons: usize,
    /// Grants.
    pub grants: usize,
    /// Links to practitioners.
    pub links: usize,
    /// The last event of it, to wait for.
    pub last: Option<Position>,
}

/// Why a workforce was not seeded. Lines are counted from 1.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// There are too many lines.
    #[error("more than {} people", SEED_PEOPLE_MAX)]
    TooMany,
    /// A login is none.
    #[error("login of line {line}")]
    Login {
        /// The line.
        line: usize,
        /// Why.
        #[source]
        source: InvalidLogin,
    },
    /// A role is none.
    #[error("role of line {line}")]
    Role {
        /// The line.
        line: usize,
        /// Why.
        #[source]
        source: InvalidRole,
    },
    /// A practitioner is none.
    #[error("practitioner of line {line}")]
    Practitioner {
        /// The line.
        line: usize,
        /// Why.
        #[source]
        source: InvalidPractitioner,
    },
    /// A grant cannot be made.
    #[error("grant of line {line}")]
    Grant {
        /// The line.
        line: usize,
        /// Why.
        #[source]
        source: GrantError,
    },
    /// A link cannot be made.
    #[error("link of line {line}")]
    Link {
        /// The line.
        line: usize,
        /// Why.
        #[source]
        source: LinkError,
    },
    /// The database failed. Persons that were added before stay, each with all their grants and links.
    #[error("workforce cannot be stored")]
    Store(#[from] StoreError),
}

/// A person to be, with all roles and practitioners, each of the line that names it first.
struct Planned<'a> {
    login: Login,
    name: &'a str,
    roles: Vec<(usize, RoleCode)>,
    practitioners: Vec<(usize, PractitionerRef)>,
}

/// Adds the people who are not there, each in one transaction with all his grants, from now on, for 365 days, and
/// links.
///
/// # Errors
/// A line is malformed: then nothing was added. Or the database failed.
pub async fn seed_workforce(
    store: &Store,
    lease: &ShardLease,
    clock: &dyn Clock,
    rng: &mut (dyn Rng + Send),
    people: &[SeedPerson<'_>],
) -> Result<Seeded, SeedError> {
    let planned = plan(people)?;
    let mut seeding = Seeding { store, lease, clock, rng, done: Seeded::default() };
    let requester = seeding.system_person(DEMO_REQUESTER, "Demo requester").await?;
    let approver = seeding.system_person(DEMO_APPROVER, "Demo approver").await?;
    for person in &planned {
        seeding.person(person, requester, approver).await?;
    }
    Ok(seeding.done)
}

/// The person behind a program that changes things here, added at first use: each change names who made it.
///
/// # Errors
/// The database failed.
pub async fn program_person(
    store: &Store,
    lease: &ShardLease,
    clock: &dyn Clock,
    rng: &mut (dyn Rng + Send),
    login: &str,
    name: &str,
) -> Result<Id<Person>, SeedError> {
    Seeding { store, lease, clock, rng, done: Seeded::default() }.system_person(login, name).await
}

/// Reads the lines, and brings those of one login together; the first one's name counts.
fn plan<'a>(people: &[SeedPerson<'a>]) -> Result<Vec<Planned<'a>>, SeedError> {
    if people.len() > SEED_PEOPLE_MAX {
        return Err(SeedError::TooMany);
    }
    let mut planned: Vec<Planned<'a>> = Vec::new();
    for (line, person) in (1..).zip(people) {
        let login: Login = person.login.parse().map_err(|source| SeedError::Login { line, source })?;
        let role: RoleCode = person.role.parse().map_err(|source| SeedError::Role { line, source })?;
        let place = planned.iter().position(|known| known.login == login).unwrap_or(planned.len());
        if place == planned.len() {
            planned.push(Planned { login, name: person.name, roles: Vec::new(), practitioners: Vec::new() });
        }
        let Some(known) = planned.get_mut(place) else { continue };
        add(&mut known.roles, line, role);
        for practitioner in person.practitioners {
            let practitioner = practitioner.parse().map_err(|source| SeedError::Practitioner { line, source })?;
            add(&mut known.practitioners, line, practitioner);
        }
    }
    Ok(planned)
}

/// Adds what no line before has named.
fn add<T: PartialEq>(list: &mut Vec<(usize, T)>, line: usize, item: T) {
    if list.iter().all(|(_, known)| *known != item) {
        list.push((line, item));
    }
}

struct Seeding<'a> {
    store: &'a Store,
    lease: &'a ShardLease,
    clock: &'a dyn Clock,
    rng: &'a mut (dyn Rng + Send),
    done: Seeded,
}

impl Seeding<'_> {
    async fn system_person(&mut self, login: &str, name: &str) -> Result<Id<Person>, SeedError> {
        let login: Login = login.parse().map_err(|source| SeedError::Login { line: 0, source })?;
        let mut tx = self.store.begin().await?;
        if let Some(known) = find_person_by_login(&mut tx, &login).await? {
            return Ok(known.id);
        }
        let at = self.clock.now();
        let (id, recorded) = self.insert_person(&mut tx, login, name, at).await?;
        self.commit(tx, &[recorded]).await?;
        self.done.persons += 1;
        Ok(id)
    }

    async fn person(
        &mut self,
        planned: &Planned<'_>,
        requester: Id<Person>,
        approver: Id<Person>,
    ) -> Result<(), SeedError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        if let Some(known) = find_person_by_login(&mut tx, &planned.login).await? {
            return self.link_known(tx, &known, planned, approver).await;
        }
        let (person, recorded) = self.insert_person(&mut tx, planned.login.clone(), planned.name, at).await?;
        let mut records = vec![recorded];
        for (line, role) in &planned.roles {
            let failed = |source| SeedError::Grant { line: *line, source };
            let window = Window::new(at, at.plus_micros(GRANT_DAYS * DAY_MICROS)).map_err(failed)?;
            let request = GrantRequest {
                id: new_id(at, self.rng),
                person,
                role: role.clone(),
                window,
                requested_by: requester,
                justification: Phi::new(format!("works as {role} in the demo")),
            };
            let record = Record::granted(&request, approver, at);
            let grant = NewGrant::approved(request, approver, at).map_err(failed)?;
            insert_grant(&mut tx, &grant).await?;
            records.push(record);
        }
        records.extend(self.link(&mut tx, person, planned, (approver, at)).await?);
        self.commit(tx, &records).await?;
        self.done.persons += 1;
        self.done.grants += planned.roles.len();
        self.done.links += planned.practitioners.len();
        Ok(())
    }

    /// Links one who is there already and never had a link: a folder from before there were any.
    async fn link_known(
        &mut self,
        mut tx: Tx,
        known: &Person,
        planned: &Planned<'_>,
        approver: Id<Person>,
    ) -> Result<(), SeedError> {
        let has_some = !list_links(&mut tx, known.id, None, 1).await?.is_empty();
        if has_some || planned.practitioners.is_empty() || known.left_at.is_some() {
            return Ok(());
        }
        let records = self.link(&mut tx, known.id, planned, (approver, self.clock.now())).await?;
        self.commit(tx, &records).await?;
        self.done.links += planned.practitioners.len();
        Ok(())
    }

    async fn link(
        &mut self,
        tx: &mut Tx,
        person: Id<Person>,
        planned: &Planned<'_>,
        (by, at): (Id<Person>, Timestamp),
    ) -> Result<Vec<Record>, SeedError> {
        let mut records = Vec::new();
        for (line, practitioner) in &planned.practitioners {
            let request = LinkRequest { id: new_id(at, self.rng), person, practitioner: practitioner.clone() };
            let link = NewLink::confirmed(request.clone(), by, at);
            let link = link.map_err(|source| SeedError::Link { line: *line, source })?;
            let subjects = confirm_link(tx, &link).await?;
            records.push(Record::linked(&request, by, at, subjects));
        }
        Ok(records)
    }

    async fn insert_person(
        &mut self,
        tx: &mut Tx,
        login: Login,
        name: &str,
        at: Timestamp,
    ) -> Result<(Id<Person>, Record), StoreError> {
        let id = new_id(at, self.rng);
        let person = NewPerson { id, login, name: Phi::new(name.to_owned()), contact: None, created_at: at };
        insert_person(tx, &person).await?;
        Ok((id, Record::person_added(id, at)))
    }

    async fn commit(&mut self, tx: Tx, records: &[Record]) -> Result<(), StoreError> {
        let events: Vec<_> = records.iter().map(|record| record.event(new_id(record.at(), self.rng))).collect();
        let positions = tx.commit(self.lease, &events).await?;
        self.done.last = positions.last().copied();
        Ok(())
    }
}
