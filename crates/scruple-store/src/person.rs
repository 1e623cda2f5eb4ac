//! Persons: sealed columns, and a keyed blind index of the login to find them by.

use crate::error::expect_rows;
use crate::limits::LOGIN_BYTES_MAX;
use crate::{Store, StoreError, Tx};
use scruple_core::{Id, Phi, Timestamp};
use std::str::FromStr;
use uuid::Uuid;

pub(crate) const LOGIN: &str = "person.login";
pub(crate) const NAME: &str = "person.name";
pub(crate) const CONTACT: &str = "person.contact";

/// What a person signs in with, or the identifier that the identity provider knows him by, in one canonical case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login(Phi<String>);

/// A text that is no login. It does not repeat the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("login is empty, too long, or holds white space or control characters")]
pub struct InvalidLogin;

impl FromStr for Login {
    type Err = InvalidLogin;

    /// Folds the case here and not in the database, whose rules differ by engine and locale. Letter by letter, through
    /// upper case, so that `ß` meets `SS` and a final sigma meets a plain one.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.is_empty()
            || text.len() > LOGIN_BYTES_MAX
            || text.chars().any(|letter| letter.is_whitespace() || letter.is_control())
        {
            return Err(InvalidLogin);
        }
        let folded = text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
        Ok(Self(Phi::new(folded)))
    }
}

impl Login {
    fn blind(&self, store: &Store) -> [u8; 32] {
        store.sealer().blind(LOGIN, self.0.expose().as_bytes())
    }
}

/// A person to be stored.
#[derive(Clone, Debug)]
pub struct NewPerson {
    /// Its id.
    pub id: Id<Person>,
    /// What he signs in with.
    pub login: Login,
    /// His name.
    pub name: Phi<String>,
    /// How to reach him.
    pub contact: Option<Phi<String>>,
    /// When he was stored.
    pub created_at: Timestamp,
}

/// A person of the workforce, or a system, that may hold grants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// Its id.
    pub id: Id<Self>,
    /// What he signs in with, in canonical case.
    pub login: Phi<String>,
    /// His name.
    pub name: Phi<String>,
    /// How to reach him.
    pub contact: Option<Phi<String>>,
    /// When he was stored.
    pub created_at: Timestamp,
    /// When he left; from then on he holds nothing.
    pub left_at: Option<Timestamp>,
    /// Version of the row.
    pub version: i64,
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
    let blind = person.login.blind(&tx.store);
    let login = tx.seal(LOGIN, id, person.login.0.expose().as_bytes())?;
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
    let blind = login.blind(&tx.store);
    let row: Option<PersonRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(blind.as_slice()).fetch_optional(conn).await?);
    row.map(|row| row.into_person(tx)).transpose()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_meet_whatever_their_case() {
        let same = |left: &str, right: &str| assert_eq!(left.parse::<Login>(), right.parse::<Login>(), "{left}");
        same(" Ana.Sørensen@Clinic.Example ", "ANA.SØRENSEN@CLINIC.EXAMPLE");
        same("straße", "STRASSE");
        same("ΟΔΟΣ", "οδος");
        assert_ne!("ana".parse::<Login>(), "anna".parse::<Login>());
        for wrong in ["", "  ", "a b", "a\u{0}b", &"a".repeat(LOGIN_BYTES_MAX + 1)] {
            assert!(wrong.parse::<Login>().is_err());
        }
    }
}
