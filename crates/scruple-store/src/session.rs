//! Rows of sessions, of ceremonies that are under way, and of failures to sign in.

use crate::error::expect_rows;
use crate::limits::PAGE_ROWS_MAX;
use crate::{Store, StoreError, Tx};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::{DevicePosture, Person};
use uuid::Uuid;

pub(crate) const STATE: &str = "ceremony.state";

/// Marks the id of a ceremony.
#[derive(Debug)]
pub enum Ceremony {}

/// A session to be stored.
#[derive(Clone, Copy, Debug)]
pub struct NewSession<'a> {
    /// Its id.
    pub id: Id<Session>,
    /// Whose it is.
    pub person: Id<Person>,
    /// SHA-256 of its token.
    pub token_hash: [u8; 32],
    /// The class of the device.
    pub device: &'a str,
    /// How the person has signed in.
    pub method: &'a str,
    /// The device itself, where the sign-in has named it.
    pub device_id: Option<Id<DevicePosture>>,
    /// When.
    pub at: Timestamp,
}

/// A session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// Its id.
    pub id: Id<Self>,
    /// Whose it is.
    pub person: Id<Person>,
    /// The class of the device.
    pub device: String,
    /// How the person has signed in.
    pub method: String,
    /// When.
    pub started_at: Timestamp,
    /// When it was last used, as far as was written down.
    pub seen_at: Timestamp,
    /// When the person last confirmed that it is he.
    pub authenticated_at: Timestamp,
    /// Its end.
    pub ended_at: Option<Timestamp>,
}

row! { struct SessionRow {
    id: Uuid, person: Uuid, device: String, method: String, started_at: i64, seen_at: i64, authenticated_at: i64,
    ended_at: Option<i64>,
} }

impl From<SessionRow> for Session {
    fn from(row: SessionRow) -> Self {
        Self {
            id: Id::from_uuid(row.id),
            person: Id::from_uuid(row.person),
            device: row.device,
            method: row.method,
            started_at: Timestamp::from_micros(row.started_at),
            seen_at: Timestamp::from_micros(row.seen_at),
            authenticated_at: Timestamp::from_micros(row.authenticated_at),
            ended_at: row.ended_at.map(Timestamp::from_micros),
        }
    }
}

/// A step of a sign-in that waits for its answer, once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WaitingCeremony {
    /// Whose it is, if that is known.
    pub person: Option<Id<Person>>,
    /// What it has to remember, opened.
    pub state: Phi<Vec<u8>>,
}

/// Stores a session. The row of the person is locked: he cannot leave meanwhile.
///
/// # Errors
/// [`StoreError::RowsAffected`]: there is no such person, or he has left.
pub async fn insert_session(tx: &mut Tx, session: &NewSession<'_>) -> Result<(), StoreError> {
    const SQL_PERSON: &str = "UPDATE person SET version = version WHERE id = $1 AND left_at IS NULL";
    const SQL: &str =
        "INSERT INTO session (id, person, token_hash, device, method, started_at, seen_at, authenticated_at, device_id)
         VALUES ($1, $2, $3, $4, $5, $6, $6, $6, $7)";
    let locked = on_engine!(tx, |conn| {
        sqlx::query(SQL_PERSON).bind(session.person.uuid()).execute(conn).await?.rows_affected()
    });
    expect_rows("person", locked, 1)?;
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(session.id.uuid())
            .bind(session.person.uuid())
            .bind(session.token_hash.as_slice())
            .bind(session.device)
            .bind(session.method)
            .bind(session.at.micros())
            .bind(session.device_id.map(Id::uuid))
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Finds a session by the hash of its token, whether it is over or not.
///
/// # Errors
/// The database failed.
pub async fn find_session(tx: &mut Tx, token_hash: [u8; 32]) -> Result<Option<Session>, StoreError> {
    const SQL: &str = "SELECT id, person, device, method, started_at, seen_at, authenticated_at, ended_at
                       FROM session WHERE token_hash = $1";
    let row: Option<SessionRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(token_hash.as_slice()).fetch_optional(conn).await?);
    Ok(row.map(Into::into))
}

/// The sessions of a person that nobody has ended, newest first, at most [`PAGE_ROWS_MAX`]. Some can be over by their limits.
///
/// # Errors
/// The database failed.
pub async fn open_sessions(tx: &mut Tx, person: Id<Person>) -> Result<Vec<Session>, StoreError> {
    const SQL: &str = "SELECT id, person, device, method, started_at, seen_at, authenticated_at, ended_at
                       FROM session WHERE person = $1 AND ended_at IS NULL ORDER BY id DESC LIMIT $2";
    let rows: Vec<SessionRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(person.uuid()).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    Ok(rows.into_iter().map(Into::into).collect())
}

/// The person has confirmed again that it is he.
///
/// # Errors
/// [`StoreError::RowsAffected`]: the session is over.
pub async fn confirm_session(tx: &mut Tx, id: Id<Session>, at: Timestamp) -> Result<(), StoreError> {
    const SQL: &str =
        "UPDATE session SET authenticated_at = $2, seen_at = CASE WHEN seen_at < $2 THEN $2 ELSE seen_at END
                       WHERE id = $1 AND ended_at IS NULL AND authenticated_at <= $2";
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL).bind(id.uuid()).bind(at.micros()).execute(conn).await?.rows_affected()
    });
    expect_rows("session", changed, 1)
}

/// Ends a session.
///
/// # Errors
/// [`StoreError::RowsAffected`]: it is over.
pub async fn end_session(
    tx: &mut Tx,
    id: Id<Session>,
    by: Id<Person>,
    reason: &'static str,
    at: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str =
        "UPDATE session SET ended_at = $2, ended_by = $3, end_reason = $4 WHERE id = $1 AND ended_at IS NULL";
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id.uuid())
            .bind(at.micros())
            .bind(by.uuid())
            .bind(reason)
            .execute(conn)
            .await?
            .rows_affected()
    });
    expect_rows("session", changed, 1)
}

/// Ends all sessions of a person but one. Answers how many.
///
/// # Errors
/// The database failed.
pub async fn end_sessions_of(
    tx: &mut Tx,
    person: Id<Person>,
    but: Option<Id<Session>>,
    by: Id<Person>,
    (reason, at): (&'static str, Timestamp),
) -> Result<u64, StoreError> {
    const SQL: &str = "UPDATE session SET ended_at = $2, ended_by = $3, end_reason = $4
                       WHERE person = $1 AND ended_at IS NULL AND id <> $5";
    let but = but.map_or(Uuid::nil(), Id::uuid);
    Ok(on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(person.uuid())
            .bind(at.micros())
            .bind(by.uuid())
            .bind(reason)
            .bind(but)
            .execute(conn)
            .await?
            .rows_affected()
    }))
}

impl Store {
    /// Writes down that a session was used. A session that is over stays so.
    ///
    /// # Errors
    /// The database failed.
    pub async fn touch_session(&self, id: Id<Session>, at: Timestamp) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE session SET seen_at = $2 WHERE id = $1 AND ended_at IS NULL AND seen_at < $2";
        let mut tx = self.begin().await?;
        on_engine!(tx, |conn| {
            sqlx::query(SQL).bind(id.uuid()).bind(at.micros()).execute(conn).await?;
        });
        Ok(tx.conn.commit().await?)
    }

    /// Keeps what a step of a sign-in has to remember until its answer comes. What is over goes.
    ///
    /// # Errors
    /// The database failed.
    pub async fn begin_ceremony(
        &self,
        id: Id<Ceremony>,
        kind: &'static str,
        person: Option<Id<Person>>,
        state: &[u8],
        (now, ends_at): (Timestamp, Timestamp),
    ) -> Result<(), StoreError> {
        const SQL_OVER: &str = "DELETE FROM ceremony WHERE ends_at <= $1";
        const SQL: &str = "INSERT INTO ceremony (id, kind, person, state_sealed, ends_at) VALUES ($1, $2, $3, $4, $5)";
        let mut tx = self.begin().await?;
        let sealed = tx.seal(STATE, id.uuid(), state)?;
        on_engine!(tx, |conn| {
            sqlx::query(SQL_OVER).bind(now.micros()).execute(conn).await?;
        });
        on_engine!(tx, |conn| {
            sqlx::query(SQL)
                .bind(id.uuid())
                .bind(kind)
                .bind(person.map(Id::uuid))
                .bind(sealed)
                .bind(ends_at.micros())
                .execute(conn)
                .await?;
        });
        Ok(tx.conn.commit().await?)
    }

    /// Takes what a step has to remember, once: whoever asks again finds nothing.
    ///
    /// # Errors
    /// The database failed, or the column does not open.
    pub async fn take_ceremony(
        &self,
        id: Id<Ceremony>,
        kind: &'static str,
        now: Timestamp,
    ) -> Result<Option<WaitingCeremony>, StoreError> {
        const SQL: &str = "DELETE FROM ceremony WHERE id = $1 AND kind = $2 AND ends_at > $3
                           RETURNING person, state_sealed";
        let mut tx = self.begin().await?;
        let row: Option<(Option<Uuid>, Vec<u8>)> = on_engine!(tx, |conn| {
            sqlx::query_as(SQL).bind(id.uuid()).bind(kind).bind(now.micros()).fetch_optional(conn).await?
        });
        let Some((person, sealed)) = row else { return Ok(None) };
        let state = tx.open(STATE, id.uuid(), &sealed)?;
        tx.conn.commit().await?;
        Ok(Some(WaitingCeremony { person: person.map(Id::from_uuid), state }))
    }
}

/// How often signing in has failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SignInFailures {
    /// Since the instant that was asked for.
    pub lately: i64,
    /// Since the person last signed in.
    pub in_a_row: i64,
}

/// How often signing in has failed: since an instant, and since it last succeeded.
///
/// # Errors
/// The database failed.
pub async fn sign_in_failures(tx: &mut Tx, person: Id<Person>, since: Timestamp) -> Result<SignInFailures, StoreError> {
    const SQL: &str =
        "SELECT CASE WHEN since > $2 THEN failures ELSE 0 END, in_a_row FROM sign_in_failure WHERE person = $1";
    let row: Option<(i64, i64)> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(person.uuid()).bind(since.micros()).fetch_optional(conn).await?
    });
    Ok(row.map_or_else(SignInFailures::default, |(lately, in_a_row)| SignInFailures { lately, in_a_row }))
}

/// Counts a failure; those before `since` count only among those in a row.
///
/// # Errors
/// The database failed.
pub async fn count_sign_in_failure(
    tx: &mut Tx,
    person: Id<Person>,
    since: Timestamp,
    at: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO sign_in_failure (person, failures, since, in_a_row) VALUES ($1, 1, $3, 1)
                       ON CONFLICT (person) DO UPDATE
                       SET failures = CASE WHEN sign_in_failure.since > $2 THEN sign_in_failure.failures + 1 ELSE 1 END,
                           since = CASE WHEN sign_in_failure.since > $2 THEN sign_in_failure.since ELSE $3 END,
                           in_a_row = sign_in_failure.in_a_row + 1";
    on_engine!(tx, |conn| {
        sqlx::query(SQL).bind(person.uuid()).bind(since.micros()).bind(at.micros()).execute(conn).await?;
    });
    Ok(())
}

/// Forgets the failures: the person has signed in.
///
/// # Errors
/// The database failed.
pub async fn clear_sign_in_failures(tx: &mut Tx, person: Id<Person>) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM sign_in_failure WHERE person = $1";
    on_engine!(tx, |conn| {
        sqlx::query(SQL).bind(person.uuid()).execute(conn).await?;
    });
    Ok(())
}
