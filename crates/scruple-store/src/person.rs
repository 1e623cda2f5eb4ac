//! Persons: sealed columns, and a keyed blind index of the login to find them by.

use crate::error::expect_rows;
use crate::limits::PAGE_ROWS_MAX;
use crate::{Store, StoreError, Tx};
use scruple_core::{Id, Timestamp};
use scruple_flow::{Login, NewPerson, Person};
use uuid::Uuid;

pub(crate) const LOGIN: &str = "person.login";
pub(crate) const NAME: &str = "person.name";
pub(crate) const CONTACT: &str = "person.contact";

fn blind(login: &Login, store: &Store) -> [u8; 32] {
    store.sealer().blind(LOGIN, login.expose().as_bytes())
}

row! { struct PersonRow {
    id: Uuid, login_sealed: Vec<u8>, name_sealed: Vec<u8>, contact_sealed: Option<Vec<u8>>, created_at: i64,
    left_at: Option<i64>, version: i64,
} }

impl PersonRow {
    fn into_person(self, tx: &Tx) -> Result<Person, StoreError> {
        let contact = self.contact_sealed.map(|sealed| tx.open_text(CONTACT, self.id, &sealed)).transpose()?;
        Ok(Person {
            id: Id::from_uuid(self.id),
            login: tx.open_text(LOGIN, self.id, &self.login_sealed)?,
            name: tx.open_text(NAME, self.id, &self.name_sealed)?,
            contact,
            created_at: Timestamp::from_micros(self.created_at),
            left_at: self.left_at.map(Timestamp::from_micros),
            version: self.version,
        })
    }
}

/// Stores a person, at version 1.
///
/// # Errors
/// [`StoreError::Conflict`]: the login is taken.
pub async fn insert_person(tx: &mut Tx, person: &NewPerson) -> Result<(), StoreError> {
    const SQL: &str =
        "INSERT INTO person (id, login_blind, login_sealed, name_sealed, contact_sealed, created_at, version)
                       VALUES ($1, $2, $3, $4, $5, $6, 1)";
    let id = person.id.uuid();
    let blind = blind(&person.login, &tx.store);
    let login = tx.seal(LOGIN, id, person.login.expose().as_bytes())?;
    let name = tx.seal(NAME, id, person.name.expose().as_bytes())?;
    let contact =
        person.contact.as_ref().map(|contact| tx.seal(CONTACT, id, contact.expose().as_bytes())).transpose()?;
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id)
            .bind(blind.as_slice())
            .bind(login)
            .bind(name)
            .bind(contact)
            .bind(person.created_at.micros())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Finds a person by id.
///
/// # Errors
/// The database failed, or a column does not open.
pub async fn find_person(tx: &mut Tx, id: Id<Person>) -> Result<Option<Person>, StoreError> {
    const SQL: &str = "SELECT id, login_sealed, name_sealed, contact_sealed, created_at, left_at, version
                       FROM person WHERE id = $1";
    let row: Option<PersonRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(id.uuid()).fetch_optional(conn).await?);
    row.map(|row| row.into_person(tx)).transpose()
}

/// Finds a person by login, in any case.
///
/// # Errors
/// The database failed, or a column does not open.
pub async fn find_person_by_login(tx: &mut Tx, login: &Login) -> Result<Option<Person>, StoreError> {
    const SQL: &str = "SELECT id, login_sealed, name_sealed, contact_sealed, created_at, left_at, version
                       FROM person WHERE login_blind = $1";
    let blind = blind(login, &tx.store);
    let row: Option<PersonRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(blind.as_slice()).fetch_optional(conn).await?);
    row.map(|row| row.into_person(tx)).transpose()
}

/// All persons, those who have left too, one page of at most [`PAGE_ROWS_MAX`] after one.
///
/// # Errors
/// The database failed, or a column does not open.
pub async fn list_persons(tx: &mut Tx, after: Option<Id<Person>>) -> Result<Vec<Person>, StoreError> {
    const SQL: &str = "SELECT id, login_sealed, name_sealed, contact_sealed, created_at, left_at, version
                       FROM person WHERE id > $1 ORDER BY id LIMIT $2";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let rows: Vec<PersonRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(after).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    rows.into_iter().map(|row| row.into_person(tx)).collect()
}

/// A person leaves at `at`. His grants stay as they are and give nothing from then on.
///
/// # Errors
/// [`StoreError::RowsAffected`]: the version is another, or he has left.
pub async fn mark_person_left(tx: &mut Tx, id: Id<Person>, version: i64, at: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE person SET left_at = $3, version = version + 1
                       WHERE id = $1 AND version = $2 AND left_at IS NULL";
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL).bind(id.uuid()).bind(version).bind(at.micros()).execute(conn).await?.rows_affected()
    });
    expect_rows("person", changed, 1)
}
