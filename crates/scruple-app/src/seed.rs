//! The workforce of a demo: persons, and the grants that give them their roles.
//!
//! The grants are made as any other: asked for by one person, approved by a second, for a time, each with its event.
//! A login that is there already is left as it is, with the grants that it has or has no longer: seeding again gives
//! nobody back what was taken from him.

use crate::limits::SEED_PEOPLE_MAX;
use rand_core::Rng;
use scruple_core::{Clock, Id, Phi, Timestamp, new_id};
use scruple_store::{
    Aggregate, Event, Grant, GrantError, GrantRequest, InvalidLogin, InvalidSubject, Login, NewEvent, NewGrant,
    NewPerson, Person, Position, RoleCode, ShardLease, Store, StoreError, Subject, Tx, Window, find_person_by_login,
    insert_grant, insert_person,
};

/// The login of the person who asks for the grants of a demo.
pub const DEMO_REQUESTER: &str = "demo-requester";
/// The login of the person who approves them.
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
}

/// What was added.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Seeded {
    /// Persons, those who ask and approve included.
    pub persons: usize,
    /// Grants.
    pub grants: usize,
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
        source: InvalidSubject,
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
    /// The database failed. Persons that were added before stay, each with all their grants.
    #[error("workforce cannot be stored")]
    Store(#[from] StoreError),
}

/// A person to be, with all roles.
struct Planned<'a> {
    login: Login,
    name: &'a str,
    roles: Vec<(usize, RoleCode)>,
}

/// Adds the people who are not there, each in one transaction with all his grants: from now on, for 365 days.
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

/// Reads the lines, and brings those of one login together; the first one's name counts.
fn plan<'a>(people: &[SeedPerson<'a>]) -> Result<Vec<Planned<'a>>, SeedError> {
    if people.len() > SEED_PEOPLE_MAX {
        return Err(SeedError::TooMany);
    }
    let mut planned: Vec<Planned<'a>> = Vec::new();
    for (line, person) in (1..).zip(people) {
        let login: Login = person.login.parse().map_err(|source| SeedError::Login { line, source })?;
        let role: RoleCode = person.role.parse().map_err(|source| SeedError::Role { line, source })?;
        match planned.iter_mut().find(|known| known.login == login) {
            Some(known) if known.roles.iter().any(|(_, other)| *other == role) => {}
            Some(known) => known.roles.push((line, role)),
            None => planned.push(Planned { login, name: person.name, roles: vec![(line, role)] }),
        }
    }
    Ok(planned)
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
        if find_person_by_login(&mut tx, &planned.login).await?.is_some() {
            return Ok(());
        }
        let at = self.clock.now();
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
        self.commit(tx, &records).await?;
        self.done.persons += 1;
        self.done.grants += planned.roles.len();
        Ok(())
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
        let events: Vec<_> = records.iter().map(|record| record.event(new_id(record.at, self.rng))).collect();
        let positions = tx.commit(self.lease, &events).await?;
        self.done.last = positions.last().copied();
        Ok(())
    }
}

/// What an event will tell.
struct Record {
    aggregate: Aggregate,
    at: Timestamp,
    kind: &'static str,
    person: Id<Person>,
    body: Vec<u8>,
}

impl Record {
    fn person_added(person: Id<Person>, at: Timestamp) -> Self {
        let body = serde_json::json!({ "person": person.to_string() });
        let body = body.to_string().into_bytes();
        Self { aggregate: Aggregate::new("person", person), at, kind: "person_added", person, body }
    }

    fn granted(request: &GrantRequest, approved_by: Id<Person>, at: Timestamp) -> Self {
        let grant: Id<Grant> = request.id;
        let body = serde_json::json!({
            "grant": grant.to_string(),
            "person": request.person.to_string(),
            "role": request.role.as_str(),
            "starts_at": request.window.starts_at().micros(),
            "ends_at": request.window.ends_at().micros(),
            "requested_by": request.requested_by.to_string(),
            "approved_by": approved_by.to_string(),
        });
        let body = body.to_string().into_bytes();
        Self { aggregate: Aggregate::new("grant", grant), at, kind: "role_granted", person: request.person, body }
    }

    fn event(&self, id: Id<Event>) -> NewEvent<'_> {
        NewEvent {
            id,
            aggregate: self.aggregate.clone(),
            version: 1,
            at: self.at,
            kind: self.kind,
            subjects: Subject::Person(self.person).into(),
            body: &self.body,
        }
    }
}
