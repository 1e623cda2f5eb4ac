//! Rows of drift: where a connected system and what is held here differ, and how far each has come.

use crate::connected::{joined, split};
use crate::error::expect_rows;
use crate::limits::PAGE_ROWS_MAX;
use crate::{StoreError, Tx};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::Person;
use scruple_flow::connected::{
    ConnectedSystem, Drift, DriftCause, DriftEnd, DriftKind, DriftState, Removal, RemovalFailure, SystemRight, There,
};
use uuid::Uuid;

pub(crate) const ABOUT: &str = "drift.about";
pub(crate) const ACCOUNT: &str = "drift.account";
pub(crate) const REASON: &str = "drift.reason";

/// Which drift is listed.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct DriftFilter {
    /// Of this system alone.
    pub system: Option<Id<ConnectedSystem>>,
    /// Of this person alone.
    pub person: Option<Id<Person>>,
    /// What is over too.
    pub with_over: bool,
}

impl DriftFilter {
    /// All that is open in a system.
    #[must_use]
    pub const fn open_in(system: Id<ConnectedSystem>) -> Self {
        Self { system: Some(system), person: None, with_over: false }
    }

    /// All that there ever was of a person.
    #[must_use]
    pub const fn ever_of(person: Id<Person>) -> Self {
        Self { system: None, person: Some(person), with_over: true }
    }
}

row! { struct DriftRow {
    id: Uuid, system: Uuid, kind: String, cause: String, account_sealed: Option<Vec<u8>>, person: Option<Uuid>,
    right_id: Option<Uuid>, opened_at: i64, state: String, asked_by: Option<Uuid>, asked_at: Option<i64>, attempts: i64,
    tried_at: Option<i64>, next_at: Option<i64>, failure: Option<String>, excepted_by: Option<Uuid>,
    excepted_at: Option<i64>, reason_sealed: Option<Vec<u8>>, until_at: Option<i64>, read_at: Option<i64>,
    closing: Option<String>, closed_at: Option<i64>, version: i64,
} }

impl DriftRow {
    fn inconsistent(&self, column: &'static str) -> StoreError {
        StoreError::Inconsistent { table: "drift", column, id: self.id }
    }

    fn removal(&self) -> Result<Option<Removal>, StoreError> {
        let (Some(at), Some(next)) = (self.asked_at, self.next_at) else { return Ok(None) };
        let failure = self.failure.as_deref();
        let failure = failure.map(|code| RemovalFailure::of(code).ok_or_else(|| self.inconsistent("failure")));
        Ok(Some(Removal {
            by: self.asked_by.map(Id::from_uuid),
            at: Timestamp::from_micros(at),
            attempts: u32::try_from(self.attempts).map_err(|_| self.inconsistent("attempts"))?,
            tried_at: self.tried_at.map(Timestamp::from_micros),
            next_at: Timestamp::from_micros(next),
            failure: failure.transpose()?,
        }))
    }

    fn state(&self, tx: &Tx) -> Result<DriftState, StoreError> {
        let time = Timestamp::from_micros;
        let closed = self.closed_at.map(time);
        let excepted = (self.excepted_by, self.excepted_at, self.until_at, self.reason_sealed.as_deref());
        Ok(match (self.state.as_str(), self.removal()?, excepted, closed) {
            ("open", None, (None, ..), None) => DriftState::Open,
            ("asked", Some(removal), (None, ..), None) => DriftState::Asked(removal),
            ("excepted", None, (Some(by), Some(at), Some(until), Some(sealed)), None) => DriftState::Excepted {
                by: Id::from_uuid(by),
                at: time(at),
                reason: tx.open_text(REASON, self.id, sealed)?,
                until: time(until),
            },
            ("confirmed", Some(removal), (None, ..), Some(at)) => {
                let read_at = self.read_at.map(time).ok_or_else(|| self.inconsistent("read_at"))?;
                DriftState::Confirmed { removal, read_at, at }
            }
            ("closed", None, (None, ..), Some(at)) => {
                let end = self.closing.as_deref().and_then(DriftEnd::of).ok_or_else(|| self.inconsistent("closing"))?;
                DriftState::Closed { end, at }
            }
            _ => return Err(self.inconsistent("state")),
        })
    }

    fn into_drift(self, tx: &Tx) -> Result<Drift, StoreError> {
        let sealed = self.account_sealed.as_deref();
        let account = sealed.map(|sealed| tx.open_text(ACCOUNT, self.id, sealed)).transpose()?;
        Ok(Drift {
            id: Id::from_uuid(self.id),
            system: Id::from_uuid(self.system),
            kind: DriftKind::of(&self.kind).ok_or_else(|| self.inconsistent("kind"))?,
            cause: DriftCause::of(&self.cause).ok_or_else(|| self.inconsistent("cause"))?,
            account: account.map(|text| split(text, self.inconsistent("account_sealed"))).transpose()?,
            person: self.person.map(Id::from_uuid),
            right: self.right_id.map(Id::from_uuid),
            opened_at: Timestamp::from_micros(self.opened_at),
            state: self.state(tx)?,
            version: self.version,
        })
    }
}

/// What drift is about, as a keyed index: there is one of a kind for an account and a right of a system at a time.
fn about(tx: &Tx, kind: DriftKind, account: Option<&There>, right: Option<Id<SystemRight>>) -> [u8; 32] {
    let right = right.map_or(Uuid::nil(), Id::uuid);
    let account = account.map_or("", |there| there.reference.as_str());
    tx.store.sealer().blind(ABOUT, format!("{} {right} {account}", kind.code()).as_bytes())
}

/// Stores drift that is open or asked to be removed, at version 1.
///
/// # Errors
/// [`StoreError::Conflict`]: it is known.
pub async fn insert_drift(tx: &mut Tx, drift: &Drift) -> Result<(), StoreError> {
    const SQL: &str =
        "INSERT INTO drift (id, system, kind, cause, about_blind, account_sealed, person, right_id, opened_at, state,
                                          asked_by, asked_at, attempts, next_at, version)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, $13, 1)";
    let id = drift.id.uuid();
    let account = drift.account.as_ref().map(Phi::expose);
    let about = about(tx, drift.kind, account, drift.right);
    let account = account.map(|there: &There| tx.seal(ACCOUNT, id, joined(there).as_bytes())).transpose()?;
    let removal = drift.removal();
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id)
            .bind(drift.system.uuid())
            .bind(drift.kind.code())
            .bind(drift.cause.code())
            .bind(about.as_slice())
            .bind(account)
            .bind(drift.person.map(Id::uuid))
            .bind(drift.right.map(Id::uuid))
            .bind(drift.opened_at.micros())
            .bind(drift.state.code())
            .bind(removal.and_then(|removal| removal.by).map(Id::uuid))
            .bind(removal.map(|removal| removal.at.micros()))
            .bind(removal.map(|removal| removal.next_at.micros()))
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Drift comes to the state that is given; `drift.version` is the one that this was decided on.
///
/// # Errors
/// [`StoreError::RowsAffected`]: the version is another. [`StoreError::Refused`]: it does not go this way.
pub async fn update_drift(tx: &mut Tx, drift: &Drift) -> Result<(), StoreError> {
    const SQL: &str =
        "UPDATE drift SET cause = $3, person = $4, state = $5, asked_by = $6, asked_at = $7, attempts = $8, tried_at = $9,
                                        next_at = $10, failure = $11, excepted_by = $12, excepted_at = $13, reason_sealed = $14,
                                        until_at = $15, read_at = $16, closing = $17, closed_at = $18, version = version + 1
                       WHERE id = $1 AND version = $2 AND closed_at IS NULL";
    let id = drift.id.uuid();
    let removal = drift.removal();
    let (mut excepted, mut sealed, mut read_at, mut closing, mut closed_at) = (None, None, None, None, None);
    match &drift.state {
        DriftState::Open | DriftState::Asked(_) => {}
        DriftState::Excepted { by, at, reason, until } => {
            excepted = Some((*by, *at, *until));
            sealed = Some(tx.seal(REASON, id, reason.expose().as_bytes())?);
        }
        DriftState::Confirmed { read_at: read, at, .. } => {
            read_at = Some(*read);
            closed_at = Some(*at);
        }
        DriftState::Closed { end, at } => {
            closing = Some(end.code());
            closed_at = Some(*at);
        }
    }
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id)
            .bind(drift.version)
            .bind(drift.cause.code())
            .bind(drift.person.map(Id::uuid))
            .bind(drift.state.code())
            .bind(removal.and_then(|removal| removal.by).map(Id::uuid))
            .bind(removal.map(|removal| removal.at.micros()))
            .bind(removal.map_or(0, |removal| i64::from(removal.attempts)))
            .bind(removal.and_then(|removal| removal.tried_at).map(Timestamp::micros))
            .bind(removal.map(|removal| removal.next_at.micros()))
            .bind(removal.and_then(|removal| removal.failure).map(RemovalFailure::code))
            .bind(excepted.map(|(by, ..)| by.uuid()))
            .bind(excepted.map(|(_, at, _)| at.micros()))
            .bind(sealed)
            .bind(excepted.map(|(.., until)| until.micros()))
            .bind(read_at.map(Timestamp::micros))
            .bind(closing)
            .bind(closed_at.map(Timestamp::micros))
            .execute(conn)
            .await?
            .rows_affected()
    });
    expect_rows("drift", changed, 1)
}

/// Finds drift.
///
/// # Errors
/// The database failed, or the row is inconsistent.
pub async fn find_drift(tx: &mut Tx, id: Id<Drift>) -> Result<Option<Drift>, StoreError> {
    const SQL: &str =
        "SELECT id, system, kind, cause, account_sealed, person, right_id, opened_at, state, asked_by, asked_at, attempts,
                              tried_at, next_at, failure, excepted_by, excepted_at, reason_sealed, until_at, read_at, closing, closed_at, version
                       FROM drift WHERE id = $1";
    let row: Option<DriftRow> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(id.uuid()).fetch_optional(conn).await?);
    row.map(|row| row.into_drift(tx)).transpose()
}

/// The drift of a kind with an account and a right of a system that is not over, whoever's it was taken to be.
///
/// # Errors
/// The database failed, or the row is inconsistent.
pub async fn find_open_drift(
    tx: &mut Tx,
    system: Id<ConnectedSystem>,
    kind: DriftKind,
    (account, right): (Option<&There>, Option<Id<SystemRight>>),
) -> Result<Option<Drift>, StoreError> {
    const SQL: &str =
        "SELECT id, system, kind, cause, account_sealed, person, right_id, opened_at, state, asked_by, asked_at, attempts,
                              tried_at, next_at, failure, excepted_by, excepted_at, reason_sealed, until_at, read_at, closing, closed_at, version
                       FROM drift WHERE system = $1 AND about_blind = $2 AND closed_at IS NULL";
    let about = about(tx, kind, account, right);
    let row: Option<DriftRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(system.uuid()).bind(about.as_slice()).fetch_optional(conn).await?
    });
    row.map(|row| row.into_drift(tx)).transpose()
}

/// Drift, one page of at most [`PAGE_ROWS_MAX`] after one.
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn list_drift(tx: &mut Tx, filter: DriftFilter, after: Option<Id<Drift>>) -> Result<Vec<Drift>, StoreError> {
    const SQL: &str =
        "SELECT id, system, kind, cause, account_sealed, person, right_id, opened_at, state, asked_by, asked_at, attempts,
                              tried_at, next_at, failure, excepted_by, excepted_at, reason_sealed, until_at, read_at, closing, closed_at, version
                       FROM drift
                       WHERE id > $1 AND (closed_at IS NULL OR $2 = 1) AND (system = $3 OR $4 = 1) AND (person = $5 OR $6 = 1)
                       ORDER BY id LIMIT $7";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let rows: Vec<DriftRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(after)
            .bind(i64::from(filter.with_over))
            .bind(filter.system.map_or(Uuid::nil(), Id::uuid))
            .bind(i64::from(filter.system.is_none()))
            .bind(filter.person.map_or(Uuid::nil(), Id::uuid))
            .bind(i64::from(filter.person.is_none()))
            .bind(PAGE_ROWS_MAX)
            .fetch_all(conn)
            .await?
    });
    rows.into_iter().map(|row| row.into_drift(tx)).collect()
}

/// Removals in a system that are to be tried at `now`, the longest waiting first, at most [`PAGE_ROWS_MAX`].
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn due_removals(tx: &mut Tx, system: Id<ConnectedSystem>, now: Timestamp) -> Result<Vec<Drift>, StoreError> {
    const SQL: &str =
        "SELECT id, system, kind, cause, account_sealed, person, right_id, opened_at, state, asked_by, asked_at, attempts,
                              tried_at, next_at, failure, excepted_by, excepted_at, reason_sealed, until_at, read_at, closing, closed_at, version
                       FROM drift WHERE system = $1 AND state = 'asked' AND next_at <= $2 ORDER BY next_at, id LIMIT $3";
    let rows: Vec<DriftRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(system.uuid()).bind(now.micros()).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    rows.into_iter().map(|row| row.into_drift(tx)).collect()
}
