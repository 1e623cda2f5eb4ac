//! The first two people: an administrator and somebody of the privacy office, each agreed to by the other, so that no access ever
//! has one person behind it alone. The administrator sees no record through Scruple (RB-12).

use crate::record::Record;
use rand_core::CryptoRng;
use scruple_core::{Clock, Id, Phi, new_id};
use scruple_flow::{GrantError, GrantRequest, Login, NewGrant, NewPerson, Person, RoleCode, Window};
use scruple_identity::session::SessionToken;
use scruple_policy::ADMINISTRATOR;
use scruple_store::{
    Position, ShardLease, Store, StoreError, find_person_by_login, holders, insert_enrolment, insert_grant,
    insert_person,
};

const DAY_MICROS: i64 = 24 * 3_600_000_000;
/// How long the first two hold their roles: then they are asked for as everybody's.
const FIRST_DAYS: i64 = 90;
const PRIVACY_OFFICER: &str = "privacy_officer";

/// Somebody to be added.
#[derive(Clone, Debug)]
pub struct Newcomer {
    /// What he signs in with.
    pub login: Login,
    /// His name.
    pub name: Phi<String>,
}

/// The two who were added.
pub struct Bootstrapped {
    /// Whose each link is, with its secret, the administrator's first.
    pub links: [(Id<Person>, SessionToken); 2],
    /// The last event of it, to wait for.
    pub position: Position,
}

/// Why nobody was added.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// There is somebody who runs Scruple here: he adds people.
    #[error("there is an administrator here already")]
    AlreadyDone,
    /// The two are one.
    #[error("the administrator and the privacy office are two people")]
    OnePerson,
    /// A login is taken.
    #[error("a login is taken")]
    Taken,
    /// A grant cannot be made.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// A role is none.
    #[error("a role cannot be named")]
    Role,
    /// The database failed; nothing was changed, or it says what is not known.
    #[error("it cannot be stored")]
    Store(#[from] StoreError),
}

/// Adds the first two people with their roles and one-time links, in one transaction. It works while nobody runs Scruple here.
///
/// # Errors
/// See [`BootstrapError`].
pub async fn bootstrap(
    store: &Store,
    lease: &ShardLease,
    clock: &dyn Clock,
    rng: &mut (dyn CryptoRng + Send),
    administrator: Newcomer,
    privacy: Newcomer,
) -> Result<Bootstrapped, BootstrapError> {
    if administrator.login == privacy.login {
        return Err(BootstrapError::OnePerson);
    }
    let mut tx = store.begin().await?;
    let at = clock.now();
    let roles: [RoleCode; 2] = [role(ADMINISTRATOR)?, role(PRIVACY_OFFICER)?];
    if !holders(&mut tx, roles.get(..1).unwrap_or_default(), at, None).await?.is_empty() {
        return Err(BootstrapError::AlreadyDone);
    }
    let mut records = Vec::new();
    let mut ids: Vec<Id<Person>> = Vec::new();
    for newcomer in [&administrator, &privacy] {
        if find_person_by_login(&mut tx, &newcomer.login).await?.is_some() {
            return Err(BootstrapError::Taken);
        }
        let id = new_id(at, rng);
        let person =
            NewPerson { id, login: newcomer.login.clone(), name: newcomer.name.clone(), contact: None, created_at: at };
        insert_person(&mut tx, &person).await?;
        records.push(Record::person_added(id, at));
        ids.push(id);
    }
    let [first, second] = ids.as_slice() else { return Err(BootstrapError::OnePerson) };
    let (first, second) = (*first, *second);
    let mut links = Vec::new();
    for ((person, other), role) in [(first, second), (second, first)].into_iter().zip(roles) {
        let request = GrantRequest {
            id: new_id(at, rng),
            person,
            role,
            window: Window::new(at, at.plus_micros(FIRST_DAYS * DAY_MICROS))?,
            requested_by: person,
            justification: Phi::new("one of the first two people here".to_owned()),
        };
        records.push(Record::granted(&request, other, at));
        insert_grant(&mut tx, &NewGrant::approved(request, other, at)?).await?;
        let secret = SessionToken::generate(rng);
        let ends_at = at.plus_micros(DAY_MICROS);
        let id = new_id(at, rng);
        insert_enrolment(&mut tx, id, (person, person), secret.hash(), (at, ends_at)).await?;
        records.push(Record::invited(id, person, other, at, ends_at));
        links.push((person, secret));
    }
    let mut events = Vec::with_capacity(records.len());
    for record in &records {
        events.push(record.event(new_id(at, rng)));
    }
    let positions = tx.commit(lease, &events).await?;
    let position = positions.last().copied().ok_or(StoreError::NoEvent)?;
    let links = links.try_into().map_err(|_| BootstrapError::OnePerson)?;
    Ok(Bootstrapped { links, position })
}

fn role(code: &str) -> Result<RoleCode, BootstrapError> {
    code.parse().map_err(|_| BootstrapError::Role)
}
