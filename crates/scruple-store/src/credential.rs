//! Rows of what people sign in with, and of the one-time links by which they enrol.

use crate::error::expect_rows;
use crate::limits::{CREDENTIALS_MAX, PAGE_ROWS_MAX};
use crate::{StoreError, Tx};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::Person;
use uuid::Uuid;

pub(crate) const SECRET: &str = "credential.secret";
pub(crate) const LOOKUP: &str = "credential.lookup";

/// Marks the id of a one-time link.
#[derive(Debug)]
pub enum Enrolment {}

/// What a credential is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CredentialKind {
    /// A passkey (WebAuthn).
    Passkey,
    /// An authenticator app (RFC 6238).
    Totp,
    /// One of the codes for when the others are lost.
    Recovery,
    /// The person's id at an identity provider (OpenID Connect, `iss` and `sub`).
    Oidc,
}

impl CredentialKind {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Passkey => "passkey",
            Self::Totp => "totp",
            Self::Recovery => "recovery",
            Self::Oidc => "oidc",
        }
    }

    fn of(code: &str) -> Option<Self> {
        [Self::Passkey, Self::Totp, Self::Recovery, Self::Oidc].into_iter().find(|kind| kind.code() == code)
    }
}

/// A credential to be stored.
#[derive(Clone, Debug)]
pub struct NewCredential<'a> {
    /// Its id.
    pub id: Id<Credential>,
    /// Whose it is.
    pub person: Id<Person>,
    /// What it is.
    pub kind: CredentialKind,
    /// What no two credentials share: a passkey's id, a recovery code's digest, the secret of an authenticator app, an id at a
    /// provider.
    pub lookup: &'a [u8],
    /// What it is checked with, sealed before it is stored.
    pub secret: &'a [u8],
    /// When it was added.
    pub at: Timestamp,
}

/// A credential that can be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credential {
    /// Its id.
    pub id: Id<Self>,
    /// Whose it is.
    pub person: Id<Person>,
    /// What it is.
    pub kind: CredentialKind,
    /// What it is checked with, opened.
    pub secret: Phi<Vec<u8>>,
    /// When it was added.
    pub added_at: Timestamp,
    /// The last time step of an authenticator app that was used.
    pub last_step: Option<i64>,
    /// Version of the row.
    pub version: i64,
}

row! { struct CredentialRow {
    id: Uuid, person: Uuid, kind: String, secret_sealed: Vec<u8>, added_at: i64, last_step: Option<i64>, version: i64,
} }

/// Stores a one-time link for a person, and who made it. Only the hash of it is kept.
///
/// # Errors
/// The database failed, or there is no such person.
pub async fn insert_enrolment(
    tx: &mut Tx,
    id: Id<Enrolment>,
    (person, made_by): (Id<Person>, Id<Person>),
    secret_hash: [u8; 32],
    (made_at, ends_at): (Timestamp, Timestamp),
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO enrolment (id, person, secret_hash, made_by, made_at, ends_at)
                       VALUES ($1, $2, $3, $4, $5, $6)";
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id.uuid())
            .bind(person.uuid())
            .bind(secret_hash.as_slice())
            .bind(made_by.uuid())
            .bind(made_at.micros())
            .bind(ends_at.micros())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Whose one-time link this is, and until when, if it can still be used.
///
/// # Errors
/// The database failed.
pub async fn find_enrolment(
    tx: &mut Tx,
    secret_hash: [u8; 32],
    now: Timestamp,
) -> Result<Option<(Id<Enrolment>, Id<Person>, Timestamp)>, StoreError> {
    const SQL: &str = "SELECT id, person, ends_at FROM enrolment
                       WHERE secret_hash = $1 AND ends_at > $2 AND used_at IS NULL AND closed_at IS NULL";
    let row: Option<(Uuid, Uuid, i64)> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(secret_hash.as_slice()).bind(now.micros()).fetch_optional(conn).await?
    });
    Ok(row.map(|(id, person, ends_at)| (Id::from_uuid(id), Id::from_uuid(person), Timestamp::from_micros(ends_at))))
}

/// Takes back all links of a person that can still be used. Answers how many.
///
/// # Errors
/// The database failed.
pub async fn close_enrolments(tx: &mut Tx, person: Id<Person>, at: Timestamp) -> Result<u64, StoreError> {
    const SQL: &str = "UPDATE enrolment SET closed_at = $2
                       WHERE person = $1 AND used_at IS NULL AND closed_at IS NULL AND ends_at > $2";
    Ok(on_engine!(tx, |conn| {
        sqlx::query(SQL).bind(person.uuid()).bind(at.micros()).execute(conn).await?.rows_affected()
    }))
}

/// Who made the links by which a person came to what he signs in with, save himself.
///
/// # Errors
/// The database failed.
pub async fn inviters(tx: &mut Tx, person: Id<Person>) -> Result<Vec<Id<Person>>, StoreError> {
    const SQL: &str = "SELECT DISTINCT made_by FROM enrolment
                       WHERE person = $1 AND used_at IS NOT NULL AND made_by <> $1 ORDER BY made_by LIMIT $2";
    let rows: Vec<(Uuid,)> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(person.uuid()).bind(PAGE_ROWS_MAX.saturating_add(1)).fetch_all(conn).await?
    });
    if rows.len() as u64 > PAGE_ROWS_MAX.unsigned_abs() {
        return Err(StoreError::Limit { what: "makers of one person's links", max: PAGE_ROWS_MAX.unsigned_abs() });
    }
    Ok(rows.into_iter().map(|(person,)| Id::from_uuid(person)).collect())
}

/// Uses a one-time link up.
///
/// # Errors
/// [`StoreError::RowsAffected`]: it was used, or its time is over.
pub async fn use_enrolment(tx: &mut Tx, id: Id<Enrolment>, at: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE enrolment SET used_at = $2
                       WHERE id = $1 AND used_at IS NULL AND closed_at IS NULL AND ends_at > $2";
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL).bind(id.uuid()).bind(at.micros()).execute(conn).await?.rows_affected()
    });
    expect_rows("enrolment", changed, 1)
}

/// Stores a credential, at version 1.
///
/// # Errors
/// [`StoreError::Conflict`]: somebody has it already. [`StoreError::RowsAffected`]: there is no such person, or he has left.
pub async fn insert_credential(tx: &mut Tx, new: &NewCredential<'_>) -> Result<(), StoreError> {
    const SQL_PERSON: &str = "UPDATE person SET version = version WHERE id = $1 AND left_at IS NULL";
    const SQL: &str = "INSERT INTO credential (id, person, kind, lookup_blind, secret_sealed, added_at, version)
                       VALUES ($1, $2, $3, $4, $5, $6, 1)";
    let blind = tx.store.sealer().blind(LOOKUP, new.lookup);
    let secret = tx.seal(SECRET, new.id.uuid(), new.secret)?;
    let locked =
        on_engine!(tx, |conn| sqlx::query(SQL_PERSON).bind(new.person.uuid()).execute(conn).await?.rows_affected());
    expect_rows("person", locked, 1)?;
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(new.id.uuid())
            .bind(new.person.uuid())
            .bind(new.kind.code())
            .bind(blind.as_slice())
            .bind(secret)
            .bind(new.at.micros())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// The credentials of a person that can be used, in the order in which they were added.
///
/// # Errors
/// The database failed, a column does not open, or there are more than [`CREDENTIALS_MAX`].
pub async fn list_credentials(tx: &mut Tx, person: Id<Person>) -> Result<Vec<Credential>, StoreError> {
    const SQL: &str = "SELECT id, person, kind, secret_sealed, added_at, last_step, version
                       FROM credential WHERE person = $1 AND removed_at IS NULL ORDER BY id LIMIT $2";
    let rows: Vec<CredentialRow> = on_engine!(tx, |conn| {
        let limit = CREDENTIALS_MAX.saturating_add(1);
        sqlx::query_as(SQL).bind(person.uuid()).bind(limit).fetch_all(conn).await?
    });
    if rows.len() as u64 > CREDENTIALS_MAX.unsigned_abs() {
        return Err(StoreError::Limit { what: "credentials of one person", max: CREDENTIALS_MAX.unsigned_abs() });
    }
    let mut credentials = Vec::with_capacity(rows.len());
    for row in rows {
        let kind = CredentialKind::of(&row.kind);
        let inconsistent = StoreError::Inconsistent { table: "credential", column: "kind", id: row.id };
        credentials.push(Credential {
            id: Id::from_uuid(row.id),
            person: Id::from_uuid(row.person),
            kind: kind.ok_or(inconsistent)?,
            secret: tx.open(SECRET, row.id, &row.secret_sealed)?,
            added_at: Timestamp::from_micros(row.added_at),
            last_step: row.last_step,
            version: row.version,
        });
    }
    Ok(credentials)
}

/// Stores what the use of a credential has changed: what it is checked with, and the time step that was used.
///
/// # Errors
/// [`StoreError::RowsAffected`]: it was used meanwhile, or removed.
pub async fn update_credential(tx: &mut Tx, credential: &Credential) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE credential SET secret_sealed = $3, last_step = $4, version = version + 1
                       WHERE id = $1 AND version = $2 AND removed_at IS NULL";
    let secret = tx.seal(SECRET, credential.id.uuid(), credential.secret.expose())?;
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(credential.id.uuid())
            .bind(credential.version)
            .bind(secret)
            .bind(credential.last_step)
            .execute(conn)
            .await?
            .rows_affected()
    });
    expect_rows("credential", changed, 1)
}

/// Takes a credential away; a recovery code, when it is used.
///
/// # Errors
/// [`StoreError::RowsAffected`]: it was used meanwhile, or removed.
pub async fn remove_credential(tx: &mut Tx, id: Id<Credential>, version: i64, at: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE credential SET removed_at = $3, version = version + 1
                       WHERE id = $1 AND version = $2 AND removed_at IS NULL";
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL).bind(id.uuid()).bind(version).bind(at.micros()).execute(conn).await?.rows_affected()
    });
    expect_rows("credential", changed, 1)
}
