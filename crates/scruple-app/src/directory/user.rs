//! Persons of the directory: told of, told otherwise, out.

use super::apply::About;
use super::read::{UserView, place_of, view};
use super::{Directory, DirectoryError, Done};
use crate::record::Record;
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::directory::{Attributes, Change, Employment, Place, Presence, Standing, changes};
use scruple_flow::is_generic;
use scruple_store::{
    Aggregate, DirectoryRecord, Login, NewDirectoryRecord, NewPerson, Person, Position, StoreError, Subject, Tx,
    find_directory, find_open_leave, find_person, find_person_by_login, groups_of, insert_directory, insert_person,
    mark_directory_deleted, remove_member, update_directory, update_person,
};
use serde_json::json;

/// What the directory tells of one person, whole.
#[derive(Clone, Debug)]
pub struct UserOrder {
    /// What he signs in with.
    pub login: Login,
    /// His name.
    pub name: Phi<String>,
    /// How to reach him.
    pub contact: Option<Phi<String>>,
    /// What is told of his place. A manager whom nobody knows is none.
    pub attributes: Attributes,
    /// What is told of his being here.
    pub presence: Presence,
    /// The directory's own words, opaque here.
    pub document: Phi<Vec<u8>>,
    /// From when on a move counts; `None` is now.
    pub effective_at: Option<Timestamp>,
}

impl Directory<'_> {
    /// The directory tells of somebody who is not in it. He gets no access by that. One who is known here all the same (he
    /// was in it before, or was added otherwise) keeps his id: who had left begins with nothing.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn create_user(&mut self, order: &UserOrder) -> Result<Done<UserView>, DirectoryError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        self.check_by(&mut tx, at).await?;
        self.check_login(&mut tx, order, at).await?;
        let known = find_person_by_login(&mut tx, &order.login).await?;
        let mut records = Vec::new();
        let (person, record, standing) = if let Some(person) = known {
            let record = find_directory(&mut tx, person.id).await?;
            if record.as_ref().is_some_and(|record| record.deleted_at.is_none()) {
                return Err(DirectoryError::LoginTaken);
            }
            let leave = find_open_leave(&mut tx, person.id).await?;
            let standing = Standing::at(at, person.left_at, leave.as_ref());
            (self.rename(&mut tx, person, order).await?, record, standing)
        } else {
            let id = self.new_id(at);
            let UserOrder { login, name, contact, .. } = order.clone();
            let new = NewPerson { id, login, name, contact, created_at: at };
            insert_person(&mut tx, &new).await.map_err(|error| taken(error, DirectoryError::LoginTaken))?;
            records.push(Record::person_added(id, at));
            let person = find_person(&mut tx, id).await?.ok_or(DirectoryError::NoPerson)?;
            (person, None, Standing::Unknown)
        };
        // Of one who is only now told of, no move is known.
        let place = Place::default();
        let changes = changes(standing, &place, &place, order.presence);
        let new = self.told(&mut tx, person.id, order, at).await?;
        let version = match &record {
            Some(record) => {
                let updated = update_directory(&mut tx, record.version, &new).await;
                updated.map_err(|error| taken(error, DirectoryError::NumberTaken))?;
                record.version.saturating_add(1)
            }
            None => {
                let inserted = insert_directory(&mut tx, &new).await;
                inserted.map_err(|error| taken(error, DirectoryError::NumberTaken))?;
                1
            }
        };
        records.push(self.directory_record((person.id, version), "directory_added", at, &changes));
        records.extend(self.apply(&mut tx, about(&person, at, order.effective_at), &changes).await?);
        let value = view(&mut tx, person.id, at).await?.ok_or(DirectoryError::NoPerson)?;
        let position = self.commit(tx, &records).await?;
        Ok(Done { value, changes, position })
    }

    /// The directory tells of somebody whom it has told of, whole. `version` is the one that was read, if that matters.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn replace_user(
        &mut self,
        person: Id<Person>,
        version: Option<i64>,
        order: &UserOrder,
    ) -> Result<Done<UserView>, DirectoryError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        self.check_by(&mut tx, at).await?;
        let record = in_directory(&mut tx, person, version).await?;
        let leave = find_open_leave(&mut tx, person).await?;
        let standing = Standing::at(at, record.person.left_at, leave.as_ref());
        let before = place_of(&mut tx, &record).await?;
        let new = self.told(&mut tx, person, order, at).await?;
        let after = Place { roles: before.roles.clone(), ..place(&new.attributes) };
        let changes = changes(standing, &before, &after, order.presence);
        let same = changes.is_empty()
            && new.attributes == record.attributes
            && new.document == record.document
            && !renames(&record.person, order);
        if same {
            let value = view(&mut tx, person, at).await?.ok_or(DirectoryError::NoPerson)?;
            return Ok(Done { value, changes, position: None });
        }
        if record.person.login.expose() != order.login.expose() {
            self.check_login(&mut tx, order, at).await?;
        }
        let known = self.rename(&mut tx, record.person, order).await?;
        let updated = update_directory(&mut tx, record.version, &new).await;
        updated.map_err(|error| taken(error, DirectoryError::NumberTaken))?;
        let version = record.version.saturating_add(1);
        let mut records = vec![self.directory_record((person, version), "directory_changed", at, &changes)];
        records.extend(self.apply(&mut tx, about(&known, at, order.effective_at), &changes).await?);
        let value = view(&mut tx, person, at).await?.ok_or(DirectoryError::NoPerson)?;
        let position = self.commit(tx, &records).await?;
        Ok(Done { value, changes, position })
    }

    /// "Leaves now": out with the commit. Of one who has left: nothing is to be done.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn leaves_now(&mut self, person: Id<Person>) -> Result<Done<UserView>, DirectoryError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        self.check_by(&mut tx, at).await?;
        let record = in_directory(&mut tx, person, None).await?;
        let standing = Standing::at(at, record.person.left_at, None);
        let place = Place::default();
        let changes = changes(standing, &place, &place, Presence { active: Some(false), on_leave: None });
        if changes.is_empty() {
            let value = view(&mut tx, person, at).await?.ok_or(DirectoryError::NoPerson)?;
            return Ok(Done { value, changes, position: None });
        }
        let DirectoryRecord { attributes, document, version, .. } = record;
        update_directory(&mut tx, version, &NewDirectoryRecord { person, attributes, document, at }).await?;
        let version = version.saturating_add(1);
        let mut records = vec![self.directory_record((person, version), "directory_changed", at, &changes)];
        records.extend(self.apply(&mut tx, about(&record.person, at, None), &changes).await?);
        let value = view(&mut tx, person, at).await?.ok_or(DirectoryError::NoPerson)?;
        let position = self.commit(tx, &records).await?;
        Ok(Done { value, changes, position })
    }

    /// "Leaves now" for whoever is here, also one of whom HR does not tell. Nobody says it of himself; of one who has left nothing is
    /// to be done.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn ends_now(&mut self, person: Id<Person>) -> Result<Option<Position>, DirectoryError> {
        if person == self.by {
            return Err(DirectoryError::Own);
        }
        match self.leaves_now(person).await {
            Ok(done) => return Ok(done.position),
            Err(DirectoryError::NoPerson) => {}
            Err(error) => return Err(error),
        }
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        self.check_by(&mut tx, at).await?;
        let known = find_person(&mut tx, person).await?.ok_or(DirectoryError::NoPerson)?;
        if known.left_at.is_some_and(|left| left <= at) {
            return Ok(None);
        }
        let records = self.apply(&mut tx, about(&known, at, None), &[Change::Leaver]).await?;
        self.commit(tx, &records).await
    }

    /// The directory takes somebody out: he leaves, if he has not, and is in no group any more.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn delete_user(&mut self, person: Id<Person>, version: Option<i64>) -> Result<Done<()>, DirectoryError> {
        let mut tx = self.store.begin().await?;
        let at = self.clock.now();
        self.check_by(&mut tx, at).await?;
        let record = in_directory(&mut tx, person, version).await?;
        let standing = Standing::at(at, record.person.left_at, None);
        let place = Place::default();
        let changes = changes(standing, &place, &place, Presence { active: Some(false), on_leave: None });
        mark_directory_deleted(&mut tx, person, record.version, at).await?;
        let mut groups = Vec::new();
        for group in groups_of(&mut tx, person).await? {
            remove_member(&mut tx, group.id, person).await?;
            groups.push(group.id.to_string());
        }
        let body = json!({ "person": person.to_string(), "by": self.by.to_string(), "groups": groups });
        let aggregate = (Aggregate::new("directory", person), record.version.saturating_add(1));
        let mut records = vec![Record::new(aggregate, "directory_removed", at, Subject::Person(person), &body)];
        records.extend(self.apply(&mut tx, about(&record.person, at, None), &changes).await?);
        let position = self.commit(tx, &records).await?;
        Ok(Done { value: (), changes, position })
    }

    /// A login that names a place or a job is a system's that somebody who is here answers for, and no human's.
    async fn check_login(&mut self, tx: &mut Tx, order: &UserOrder, at: Timestamp) -> Result<(), DirectoryError> {
        if !is_generic(&order.login) {
            return Ok(());
        }
        let owner = match (order.attributes.employment, order.attributes.manager) {
            (Some(Employment::Service), Some(owner)) => find_person(tx, owner).await?,
            _ => None,
        };
        let has_owner = owner.is_some_and(|owner| owner.left_at.is_none_or(|left| left > at));
        if has_owner { Ok(()) } else { Err(DirectoryError::Generic) }
    }

    /// What is told, with a manager who is known or none: an id that we did not give is nobody's.
    async fn told(
        &mut self,
        tx: &mut Tx,
        person: Id<Person>,
        order: &UserOrder,
        at: Timestamp,
    ) -> Result<NewDirectoryRecord, DirectoryError> {
        let mut attributes = order.attributes.clone();
        if let Some(manager) = attributes.manager {
            let known = manager != person && find_person(tx, manager).await?.is_some();
            attributes.manager = Some(manager).filter(|_| known);
        }
        Ok(NewDirectoryRecord { person, attributes, document: order.document.clone(), at })
    }

    /// Login, name and contact as they are told; answers with the person as he is then.
    async fn rename(&mut self, tx: &mut Tx, person: Person, order: &UserOrder) -> Result<Person, DirectoryError> {
        if !renames(&person, order) {
            return Ok(person);
        }
        let UserOrder { login, name, contact, .. } = order;
        let renamed = update_person(tx, person.id, person.version, login, name, contact.as_ref()).await;
        renamed.map_err(|error| taken(error, DirectoryError::LoginTaken))?;
        find_person(tx, person.id).await?.ok_or(DirectoryError::NoPerson)
    }

    fn directory_record(
        &self,
        (person, version): (Id<Person>, i64),
        kind: &'static str,
        at: Timestamp,
        changes: &[Change],
    ) -> Record {
        let meant: Vec<_> = changes.iter().map(code).collect();
        let body = json!({ "person": person.to_string(), "by": self.by.to_string(), "changes": meant });
        Record::new((Aggregate::new("directory", person), version), kind, at, Subject::Person(person), &body)
    }
}

const fn code(change: &Change) -> &'static str {
    match change {
        Change::Joiner => "joiner",
        Change::Mover(_) => "mover",
        Change::LeaveStarts => "leave_starts",
        Change::LeaveEnds => "leave_ends",
        Change::Leaver => "leaver",
        Change::Rehired => "rehired",
    }
}

/// Who is in the directory, at the version that is expected.
pub(super) async fn in_directory(
    tx: &mut Tx,
    person: Id<Person>,
    version: Option<i64>,
) -> Result<DirectoryRecord, DirectoryError> {
    let record = find_directory(tx, person).await?.filter(|record| record.deleted_at.is_none());
    let record = record.ok_or(DirectoryError::NoPerson)?;
    if version.is_some_and(|version| version != record.version) {
        return Err(DirectoryError::Changed);
    }
    Ok(record)
}

pub(super) fn place(attributes: &Attributes) -> Place {
    Place {
        title: attributes.title.clone(),
        department: attributes.department.clone(),
        organisation: attributes.organisation.clone(),
        ..Place::default()
    }
}

pub(super) fn about(person: &Person, at: Timestamp, effective_at: Option<Timestamp>) -> About {
    About {
        person: person.id,
        version: person.version,
        left_at: person.left_at,
        at,
        effective_at: effective_at.unwrap_or(at),
    }
}

fn renames(person: &Person, order: &UserOrder) -> bool {
    person.login.expose() != order.login.expose() || person.name != order.name || person.contact != order.contact
}

/// A row with this key exists: whose it is is known from which row that is.
fn taken(error: StoreError, as_what: DirectoryError) -> DirectoryError {
    match error {
        StoreError::Conflict(_) => as_what,
        other => other.into(),
    }
}
