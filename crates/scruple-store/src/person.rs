//! Persons: sealed columns, and a keyed blind index of the login to find them by.

use crate::account::begin_use;
use crate::error::expect_rows;
use crate::limits::PAGE_ROWS_MAX;
use crate::{Store, StoreError, Tx};
use scruple_core::{Id, Phi, Timestamp};
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
    // Who has never used his account is idle since it came to be.
    begin_use(tx, person.id, person.created_at).await
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

/// How many persons there are, and the sum of their versions. Both only grow: where they are the same, nobody came and nobody changed.
///
/// # Errors
/// The database failed.
pub async fn persons_mark(tx: &mut Tx) -> Result<(i64, i64), StoreError> {
    const SQL: &str = "SELECT COUNT(*), CAST(COALESCE(SUM(version), 0) AS BIGINT) FROM person";
    Ok(on_engine!(tx, |conn| sqlx::query_as(SQL).fetch_one(conn).await?))
}

/// Every person's id with the version of the row.
///
/// # Errors
/// The database failed.
pub async fn person_versions(tx: &mut Tx) -> Result<Vec<(Id<Person>, i64)>, StoreError> {
    const SQL: &str = "SELECT id, version FROM person ORDER BY id";
    let rows: Vec<(Uuid, i64)> = on_engine!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await?);
    Ok(rows.into_iter().map(|(id, version)| (Id::from_uuid(id), version)).collect())
}

/// What a person signs in with, his name and how to reach him are others now.
///
/// # Errors
/// [`StoreError::RowsAffected`]: the version is another. [`StoreError::Conflict`]: the login is taken.
pub async fn update_person(
    tx: &mut Tx,
    id: Id<Person>,
    version: i64,
    login: &Login,
    name: &Phi<String>,
    contact: Option<&Phi<String>>,
) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE person SET login_blind = $3, login_sealed = $4, name_sealed = $5, contact_sealed = $6,
                                         version = version + 1
                       WHERE id = $1 AND version = $2";
    let blind = blind(login, &tx.store);
    let login = tx.seal(LOGIN, id.uuid(), login.expose().as_bytes())?;
    let name = tx.seal(NAME, id.uuid(), name.expose().as_bytes())?;
    let contact = contact.map(|contact| tx.seal(CONTACT, id.uuid(), contact.expose().as_bytes())).transpose()?;
    let changed = on_engine!(tx, |conn| {
        let query = sqlx::query(SQL).bind(id.uuid()).bind(version).bind(blind.as_slice()).bind(login).bind(name);
        query.bind(contact).execute(conn).await?.rows_affected()
    });
    expect_rows("person", changed, 1)
}

/// Holds the row of a person until the transaction ends: no grant of his is made meanwhile, and he does not leave.
///
/// # Errors
/// [`StoreError::RowsAffected`]: there is no such person.
pub async fn lock_person(tx: &mut Tx, id: Id<Person>) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE person SET version = version WHERE id = $1";
    let changed = on_engine!(tx, |conn| sqlx::query(SQL).bind(id.uuid()).execute(conn).await?.rows_affected());
    expect_rows("person", changed, 1)
}

/// A person who had left is here again, with nothing: he cannot be while a grant of his is neither revoked nor over at
/// the time when he left.
///
/// # Errors
/// [`StoreError::RowsAffected`]: the version is another, he has not left, or there is such a grant.
// relies on (as-of): his grants ended no later than he left, so that no past instant gets another answer.
pub async fn revive_person(tx: &mut Tx, id: Id<Person>, version: i64) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE person SET left_at = NULL, version = version + 1
                       WHERE id = $1 AND version = $2 AND left_at IS NOT NULL
                         AND NOT EXISTS (SELECT 1 FROM role_grant
                                         WHERE role_grant.person = person.id AND revoked_at IS NULL
                                           AND ends_at > person.left_at)";
    let changed =
        on_engine!(tx, |conn| sqlx::query(SQL).bind(id.uuid()).bind(version).execute(conn).await?.rows_affected());
    expect_rows("person", changed, 1)
}

/// A person leaves at `at`, or earlier than was noted. His grants stay as they are and give nothing from then on.
///
/// # Errors
/// [`StoreError::RowsAffected`]: the version is another, or he has left by then.
pub async fn mark_person_left(tx: &mut Tx, id: Id<Person>, version: i64, at: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE person SET left_at = $3, version = version + 1
                       WHERE id = $1 AND version = $2 AND (left_at IS NULL OR left_at > $3)";
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL).bind(id.uuid()).bind(version).bind(at.micros()).execute(conn).await?.rows_affected()
    });
    expect_rows("person", changed, 1)
}
