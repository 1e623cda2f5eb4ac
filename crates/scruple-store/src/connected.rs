//! Rows of connected systems: which there are, the rights that each knows, and what the last whole reading of each showed.

use crate::error::expect_rows;
use crate::limits::PAGE_ROWS_MAX;
use crate::{Store, StoreError, Tx};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::connected::{ConnectedSystem, ConnectorKind, ReadFailure, RightMeaning, SystemRight, There};
use scruple_flow::{Person, RoleCode};
use uuid::Uuid;

pub(crate) const RIGHT: &str = "system_right.there";
pub(crate) const ACCOUNT: &str = "system_holding.account";

/// Marks the id of a row of what a reading showed.
#[derive(Debug)]
pub enum Holding {}

/// An account of another system that can be used, or a right that it has there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SystemHolding {
    /// Its id.
    pub id: Id<Holding>,
    /// The system.
    pub system: Id<ConnectedSystem>,
    /// The account there.
    pub account: Phi<There>,
    /// Whose it is; none: nobody's who is known here.
    pub person: Option<Id<Person>>,
    /// The right; none: that the account can be used.
    pub right: Option<Id<SystemRight>>,
    /// When the reading began that showed it last.
    pub read_at: Timestamp,
}

/// Something that is held there and not here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unbacked {
    /// What is held.
    pub holding: SystemHolding,
    /// Whether the ground for it has ended, rather than never been there.
    pub has_ended: bool,
}

/// One text of what a system calls something: the name it is addressed by holds no line end.
pub(crate) fn joined(there: &There) -> String {
    format!("{}\n{}", there.reference, there.name)
}

pub(crate) fn split(text: Phi<String>, inconsistent: StoreError) -> Result<Phi<There>, StoreError> {
    let text = text.into_inner();
    let (reference, name) = text.split_once('\n').ok_or(inconsistent)?;
    Ok(Phi::new(There { reference: reference.to_owned(), name: name.to_owned() }))
}

pub(crate) fn blind(tx: &Tx, column: &'static str, there: &There) -> [u8; 32] {
    tx.store.sealer().blind(column, there.reference.as_bytes())
}

row! { struct SystemRow {
    id: Uuid, code: String, kind: String, owner: Uuid, removes_drift: i64, set_by: Uuid, set_at: i64,
    wanted_at: Option<i64>, looked_at: Option<i64>, read_at: Option<i64>, failure: Option<String>, version: i64,
} }

impl TryFrom<SystemRow> for ConnectedSystem {
    type Error = StoreError;

    fn try_from(row: SystemRow) -> Result<Self, StoreError> {
        let inconsistent = |column| StoreError::Inconsistent { table: "connected_system", column, id: row.id };
        let failure = row.failure.as_deref();
        let failure = failure.map(|code| ReadFailure::of(code).ok_or(inconsistent("failure"))).transpose()?;
        Ok(Self {
            id: Id::from_uuid(row.id),
            code: row.code.parse().map_err(|_| inconsistent("code"))?,
            kind: ConnectorKind::of(&row.kind).ok_or(inconsistent("kind"))?,
            owner: Id::from_uuid(row.owner),
            removes_drift: row.removes_drift == 1,
            set_by: Id::from_uuid(row.set_by),
            set_at: Timestamp::from_micros(row.set_at),
            wanted_at: row.wanted_at.map(Timestamp::from_micros),
            looked_at: row.looked_at.map(Timestamp::from_micros),
            read_at: row.read_at.map(Timestamp::from_micros),
            failure,
            version: row.version,
        })
    }
}

/// Stores a connected system, at version 1.
///
/// # Errors
/// [`StoreError::Conflict`]: there is one with the code.
pub async fn insert_connected_system(tx: &mut Tx, system: &ConnectedSystem) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO connected_system (id, code, kind, owner, removes_drift, set_by, set_at, version)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, 1)";
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(system.id.uuid())
            .bind(system.code.as_str())
            .bind(system.kind.code())
            .bind(system.owner.uuid())
            .bind(i64::from(system.removes_drift))
            .bind(system.set_by.uuid())
            .bind(system.set_at.micros())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Owner, kind, what is removed without asking, and when it is wanted are others now; `system.version` is the one that this was
/// decided on.
///
/// # Errors
/// [`StoreError::RowsAffected`]: the version is another.
pub async fn update_connected_system(tx: &mut Tx, system: &ConnectedSystem) -> Result<(), StoreError> {
    const SQL: &str =
        "UPDATE connected_system SET kind = $3, owner = $4, removes_drift = $5, set_by = $6, set_at = $7, wanted_at = $8,
                                                    version = version + 1
                       WHERE id = $1 AND version = $2";
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(system.id.uuid())
            .bind(system.version)
            .bind(system.kind.code())
            .bind(system.owner.uuid())
            .bind(i64::from(system.removes_drift))
            .bind(system.set_by.uuid())
            .bind(system.set_at.micros())
            .bind(system.wanted_at.map(Timestamp::micros))
            .execute(conn)
            .await?
            .rows_affected()
    });
    expect_rows("connected_system", changed, 1)
}

/// It was tried to read a system at `looked`: what it showed stood at an instant, or why it was not read.
///
/// # Errors
/// [`StoreError::RowsAffected`]: a later whole reading is known.
pub async fn note_reading(
    tx: &mut Tx,
    system: Id<ConnectedSystem>,
    looked: Timestamp,
    read: Result<Timestamp, ReadFailure>,
) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE connected_system SET looked_at = $2, read_at = COALESCE($3, read_at), failure = $4
                       WHERE id = $1 AND (CAST($3 AS BIGINT) IS NULL OR read_at IS NULL OR read_at <= $3)";
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(system.uuid())
            .bind(looked.micros())
            .bind(read.ok().map(Timestamp::micros))
            .bind(read.err().map(ReadFailure::code))
            .execute(conn)
            .await?
            .rows_affected()
    });
    expect_rows("connected_system", changed, 1)
}

impl Store {
    /// Takes a system for one worker until an instant, so that no two read it at a time or order the same there; whether it could. It
    /// is no change of state, and has no event.
    ///
    /// # Errors
    /// The database failed.
    pub async fn claim_system(
        &self,
        system: Id<ConnectedSystem>,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE connected_system SET claimed_until = $3 WHERE id = $1 AND claimed_until <= $2";
        let mut tx = self.begin().await?;
        let changed = on_engine!(tx, |conn| {
            let query = sqlx::query(SQL).bind(system.uuid()).bind(now.micros()).bind(until.micros());
            query.execute(conn).await?.rows_affected()
        });
        tx.conn.commit().await?;
        Ok(changed == 1)
    }

    /// Notes that a system was looked at and showed what was read before, as it stood then. It is no change of state, and has no event.
    ///
    /// # Errors
    /// The database failed.
    pub async fn note_look(
        &self,
        system: Id<ConnectedSystem>,
        looked: Timestamp,
        stood: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        note_reading(&mut tx, system, looked, Ok(stood)).await?;
        Ok(tx.conn.commit().await?)
    }

    /// Gives a system back that was taken until an instant.
    ///
    /// # Errors
    /// The database failed.
    pub async fn release_system(&self, system: Id<ConnectedSystem>, until: Timestamp) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE connected_system SET claimed_until = 0 WHERE id = $1 AND claimed_until = $2";
        let mut tx = self.begin().await?;
        on_engine!(tx, |conn| {
            sqlx::query(SQL).bind(system.uuid()).bind(until.micros()).execute(conn).await?;
        });
        Ok(tx.conn.commit().await?)
    }
}

/// Finds a connected system.
///
/// # Errors
/// The database failed, or the row is inconsistent.
pub async fn find_connected_system(
    tx: &mut Tx,
    id: Id<ConnectedSystem>,
) -> Result<Option<ConnectedSystem>, StoreError> {
    const SQL: &str =
        "SELECT id, code, kind, owner, removes_drift, set_by, set_at, wanted_at, looked_at, read_at, failure, version
                       FROM connected_system WHERE id = $1";
    let row: Option<SystemRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(id.uuid()).fetch_optional(conn).await?);
    row.map(TryInto::try_into).transpose()
}

/// The connected systems, at most [`PAGE_ROWS_MAX`] after one.
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn list_connected_systems(
    tx: &mut Tx,
    after: Option<Id<ConnectedSystem>>,
) -> Result<Vec<ConnectedSystem>, StoreError> {
    const SQL: &str =
        "SELECT id, code, kind, owner, removes_drift, set_by, set_at, wanted_at, looked_at, read_at, failure, version
                       FROM connected_system WHERE id > $1 ORDER BY id LIMIT $2";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let rows: Vec<SystemRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(after).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    rows.into_iter().map(TryInto::try_into).collect()
}

row! { struct RightRow {
    id: Uuid, system: Uuid, there_sealed: Vec<u8>, meaning: String, role: Option<String>, decided_by: Option<Uuid>,
    decided_at: Option<i64>, version: i64,
} }

impl RightRow {
    fn into_right(self, tx: &Tx) -> Result<SystemRight, StoreError> {
        let id = self.id;
        let inconsistent = |column| StoreError::Inconsistent { table: "system_right", column, id };
        let (by, at) = (self.decided_by.map(Id::from_uuid), self.decided_at.map(Timestamp::from_micros));
        let meaning = match (self.meaning.as_str(), self.role, by, at) {
            ("undecided", None, None, None) => RightMeaning::Undecided,
            ("role", Some(role), Some(by), Some(at)) => {
                RightMeaning::Role { role: role.parse().map_err(|_| inconsistent("role"))?, by, at }
            }
            ("nothing", None, Some(by), Some(at)) => RightMeaning::Nothing { by, at },
            _ => return Err(inconsistent("meaning")),
        };
        Ok(SystemRight {
            id: Id::from_uuid(id),
            system: Id::from_uuid(self.system),
            there: split(tx.open_text(RIGHT, id, &self.there_sealed)?, inconsistent("there_sealed"))?,
            meaning,
            version: self.version,
        })
    }
}

/// Stores a right on which nobody has decided, at version 1.
///
/// # Errors
/// [`StoreError::Conflict`]: it is known.
pub async fn insert_system_right(tx: &mut Tx, right: &SystemRight) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO system_right (id, system, there_blind, there_sealed, meaning, version)
                       VALUES ($1, $2, $3, $4, 'undecided', 1)";
    let id = right.id.uuid();
    let there = right.there.expose();
    let blind = blind(tx, RIGHT, there);
    let sealed = tx.seal(RIGHT, id, joined(there).as_bytes())?;
    on_engine!(tx, |conn| {
        let query = sqlx::query(SQL).bind(id).bind(right.system.uuid()).bind(blind.as_slice()).bind(sealed);
        query.execute(conn).await?;
    });
    Ok(())
}

/// What a right stands for, and what it is called there, are others now; `right.version` is the one that this was decided on.
///
/// # Errors
/// [`StoreError::RowsAffected`]: the version is another.
pub async fn update_system_right(tx: &mut Tx, right: &SystemRight) -> Result<(), StoreError> {
    const SQL: &str =
        "UPDATE system_right SET there_sealed = $3, meaning = $4, role = $5, decided_by = $6, decided_at = $7,
                                                version = version + 1
                       WHERE id = $1 AND version = $2";
    let id = right.id.uuid();
    let sealed = tx.seal(RIGHT, id, joined(right.there.expose()).as_bytes())?;
    let (by, at) = match &right.meaning {
        RightMeaning::Undecided => (None, None),
        RightMeaning::Role { by, at, .. } | RightMeaning::Nothing { by, at } => (Some(*by), Some(*at)),
    };
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id)
            .bind(right.version)
            .bind(sealed)
            .bind(right.meaning.code())
            .bind(right.meaning.role().map(RoleCode::as_str))
            .bind(by.map(Id::uuid))
            .bind(at.map(Timestamp::micros))
            .execute(conn)
            .await?
            .rows_affected()
    });
    expect_rows("system_right", changed, 1)
}

/// Finds a right.
///
/// # Errors
/// The database failed, or the row is inconsistent.
pub async fn find_system_right(tx: &mut Tx, id: Id<SystemRight>) -> Result<Option<SystemRight>, StoreError> {
    const SQL: &str = "SELECT id, system, there_sealed, meaning, role, decided_by, decided_at, version
                       FROM system_right WHERE id = $1";
    let row: Option<RightRow> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(id.uuid()).fetch_optional(conn).await?);
    row.map(|row| row.into_right(tx)).transpose()
}

/// The rights that a system knows, or knew: one page of at most [`PAGE_ROWS_MAX`] after one.
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn list_system_rights(
    tx: &mut Tx,
    system: Id<ConnectedSystem>,
    after: Option<Id<SystemRight>>,
) -> Result<Vec<SystemRight>, StoreError> {
    const SQL: &str = "SELECT id, system, there_sealed, meaning, role, decided_by, decided_at, version
                       FROM system_right WHERE system = $1 AND id > $2 ORDER BY id LIMIT $3";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let rows: Vec<RightRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(system.uuid()).bind(after).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    rows.into_iter().map(|row| row.into_right(tx)).collect()
}

/// The rights of a system on which nobody has decided and that somebody has there, at most [`PAGE_ROWS_MAX`] after one.
///
/// # Errors
/// The database failed.
pub async fn undecided_rights(
    tx: &mut Tx,
    system: Id<ConnectedSystem>,
    after: Option<Id<SystemRight>>,
) -> Result<Vec<Id<SystemRight>>, StoreError> {
    const SQL: &str = "SELECT id FROM system_right WHERE system = $1 AND id > $2 AND meaning = 'undecided'
                         AND EXISTS (SELECT 1 FROM system_holding WHERE system_holding.right_id = system_right.id)
                       ORDER BY id LIMIT $3";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let rows: Vec<(Uuid,)> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(system.uuid()).bind(after).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(|(id,)| Id::from_uuid(id)).collect())
}

row! { struct HoldingRow {
    id: Uuid, system: Uuid, account_sealed: Vec<u8>, person: Option<Uuid>, right_id: Option<Uuid>, read_at: i64,
} }

impl HoldingRow {
    fn into_holding(self, tx: &Tx) -> Result<SystemHolding, StoreError> {
        let id = self.id;
        let inconsistent = StoreError::Inconsistent { table: "system_holding", column: "account_sealed", id };
        Ok(SystemHolding {
            id: Id::from_uuid(id),
            system: Id::from_uuid(self.system),
            account: split(tx.open_text(ACCOUNT, id, &self.account_sealed)?, inconsistent)?,
            person: self.person.map(Id::from_uuid),
            right: self.right_id.map(Id::from_uuid),
            read_at: Timestamp::from_micros(self.read_at),
        })
    }
}

/// Stores what a reading showed.
///
/// # Errors
/// [`StoreError::Conflict`]: it is known.
pub async fn insert_holding(tx: &mut Tx, holding: &SystemHolding) -> Result<(), StoreError> {
    const SQL: &str =
        "INSERT INTO system_holding (id, system, account_blind, account_sealed, person, right_id, read_at)
                       VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let id = holding.id.uuid();
    let blind = blind(tx, ACCOUNT, holding.account.expose());
    let sealed = tx.seal(ACCOUNT, id, joined(holding.account.expose()).as_bytes())?;
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id)
            .bind(holding.system.uuid())
            .bind(blind.as_slice())
            .bind(sealed)
            .bind(holding.person.map(Id::uuid))
            .bind(holding.right.map(Id::uuid))
            .bind(holding.read_at.micros())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// A whole reading does not show it any more.
///
/// # Errors
/// The database failed.
pub async fn delete_holding(tx: &mut Tx, id: Id<Holding>) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM system_holding WHERE id = $1";
    on_engine!(tx, |conn| {
        sqlx::query(SQL).bind(id.uuid()).execute(conn).await?;
    });
    Ok(())
}

/// What the last whole reading of a system showed, one page of at most [`PAGE_ROWS_MAX`] after a row.
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn list_holdings(
    tx: &mut Tx,
    system: Id<ConnectedSystem>,
    after: Option<Id<Holding>>,
) -> Result<Vec<SystemHolding>, StoreError> {
    const SQL: &str = "SELECT id, system, account_sealed, person, right_id, read_at
                       FROM system_holding WHERE system = $1 AND id > $2 ORDER BY id LIMIT $3";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let rows: Vec<HoldingRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(system.uuid()).bind(after).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    rows.into_iter().map(|row| row.into_holding(tx)).collect()
}

/// What a person has in all connected systems, as they were last read, at most [`PAGE_ROWS_MAX`].
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn list_holdings_of(tx: &mut Tx, person: Id<Person>) -> Result<Vec<SystemHolding>, StoreError> {
    const SQL: &str = "SELECT id, system, account_sealed, person, right_id, read_at
                       FROM system_holding WHERE person = $1 ORDER BY id LIMIT $2";
    let rows: Vec<HoldingRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(person.uuid()).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    rows.into_iter().map(|row| row.into_holding(tx)).collect()
}

/// Finds an account in what was read last: that it can be used, or a right of it.
///
/// # Errors
/// The database failed, or the row is inconsistent.
pub async fn find_holding(
    tx: &mut Tx,
    system: Id<ConnectedSystem>,
    account: &There,
    right: Option<Id<SystemRight>>,
) -> Result<Option<SystemHolding>, StoreError> {
    const SQL: &str = "SELECT id, system, account_sealed, person, right_id, read_at
                       FROM system_holding WHERE system = $1 AND account_blind = $2 AND COALESCE(right_id, $3) = $3
                         AND (right_id IS NULL) = ($4 = 1)";
    let blind = blind(tx, ACCOUNT, account);
    let row: Option<HoldingRow> = on_engine!(tx, |conn| {
        let query = sqlx::query_as(SQL).bind(system.uuid()).bind(blind.as_slice());
        query.bind(right.map_or(Uuid::nil(), Id::uuid)).bind(i64::from(right.is_none())).fetch_optional(conn).await?
    });
    row.map(|row| row.into_holding(tx)).transpose()
}

row! { struct UnbackedRow {
    id: Uuid, system: Uuid, account_sealed: Vec<u8>, person: Option<Uuid>, right_id: Option<Uuid>, read_at: i64,
    has_ended: i64,
} }

/// What a system grants at `now` and nobody here holds: accounts of nobody, and of those who have left with all that they have; rights
/// that stand for a role which the person does not hold. One page of at most [`PAGE_ROWS_MAX`] after a row. A leave or an account that
/// lies idle takes nothing there.
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn unbacked_holdings(
    tx: &mut Tx,
    system: Id<ConnectedSystem>,
    now: Timestamp,
    after: Option<Id<Holding>>,
) -> Result<Vec<Unbacked>, StoreError> {
    const SQL: &str =
        "SELECT system_holding.id, system_holding.system, account_sealed, system_holding.person, right_id, read_at,
                              CASE WHEN left_at <= $2 THEN 1
                                   WHEN EXISTS (SELECT 1 FROM role_grant AS had
                                                WHERE had.person = system_holding.person AND had.role = system_right.role
                                                  AND had.starts_at <= $2) THEN CAST(1 AS BIGINT)
                                   ELSE CAST(0 AS BIGINT) END AS has_ended
                       FROM system_holding
                       LEFT JOIN person ON person.id = system_holding.person
                       LEFT JOIN system_right ON system_right.id = system_holding.right_id
                       WHERE system_holding.system = $1 AND system_holding.id > $3
                         AND (left_at <= $2
                              OR (system_holding.person IS NULL AND right_id IS NULL)
                              OR (system_right.meaning = 'role'
                                  AND NOT EXISTS (SELECT 1 FROM role_grant
                                                  WHERE role_grant.person = system_holding.person AND role_grant.role = system_right.role
                                                    AND role_grant.starts_at <= $2 AND role_grant.ends_at > $2 AND revoked_at IS NULL
                                                    AND NOT EXISTS (SELECT 1 FROM unused_notice
                                                                    WHERE unused_notice.grant_id = role_grant.id
                                                                      AND unused_notice.ends_at <= $2 AND closed_at IS NULL)
                                                    AND NOT EXISTS (SELECT 1 FROM person_move
                                                                    WHERE person_move.person = role_grant.person
                                                                      AND covers_until >= granted_at
                                                                      AND (settled_at IS NULL OR effective_at > noted_at)
                                                                      AND effective_at <= $2
                                                                      AND (person_move.role IS NULL
                                                                           OR person_move.role = role_grant.role)))))
                       ORDER BY system_holding.id LIMIT $4";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let rows: Vec<UnbackedRow> = on_engine!(tx, |conn| {
        let query = sqlx::query_as(SQL).bind(system.uuid()).bind(now.micros()).bind(after).bind(PAGE_ROWS_MAX);
        query.fetch_all(conn).await?
    });
    let read = |row: UnbackedRow| {
        let UnbackedRow { id, system, account_sealed, person, right_id, read_at, has_ended } = row;
        let holding = HoldingRow { id, system, account_sealed, person, right_id, read_at }.into_holding(tx)?;
        Ok(Unbacked { holding, has_ended: has_ended == 1 })
    };
    rows.into_iter().map(read).collect()
}

row! { struct MissingRow {
    id: Uuid, system: Uuid, account_sealed: Vec<u8>, person: Option<Uuid>, right_id: Option<Uuid>, read_at: i64,
} }

/// Accounts of people who hold a role at `now` for which a system has rights, and have none of these: each with the first right of
/// the role. One page of at most [`PAGE_ROWS_MAX`] after an account.
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn missing_holdings(
    tx: &mut Tx,
    system: Id<ConnectedSystem>,
    now: Timestamp,
    after: Option<(Id<Holding>, Id<SystemRight>)>,
) -> Result<Vec<SystemHolding>, StoreError> {
    const SQL: &str =
        "SELECT system_holding.id, system_holding.system, account_sealed, system_holding.person, system_right.id AS right_id, read_at
                       FROM system_holding JOIN system_right
                         ON system_right.system = system_holding.system AND system_right.meaning = 'role'
                       WHERE system_holding.system = $1 AND system_holding.right_id IS NULL
                         AND (system_holding.id > $3 OR (system_holding.id = $3 AND system_right.id > $4))
                         AND NOT EXISTS (SELECT 1 FROM system_right AS earlier
                                         WHERE earlier.system = system_right.system AND earlier.role = system_right.role
                                           AND earlier.id < system_right.id)
                         AND NOT EXISTS (SELECT 1 FROM system_holding AS has JOIN system_right AS its ON its.id = has.right_id
                                         WHERE has.system = system_holding.system AND has.person = system_holding.person
                                           AND its.role = system_right.role)
                         AND EXISTS (SELECT 1 FROM role_grant JOIN person ON person.id = role_grant.person
                                     WHERE role_grant.person = system_holding.person AND role_grant.role = system_right.role
                                       AND (left_at IS NULL OR left_at > $2)
                                       AND role_grant.starts_at <= $2 AND role_grant.ends_at > $2 AND revoked_at IS NULL
                                       AND NOT EXISTS (SELECT 1 FROM unused_notice
                                                       WHERE unused_notice.grant_id = role_grant.id
                                                         AND unused_notice.ends_at <= $2 AND closed_at IS NULL)
                                       AND NOT EXISTS (SELECT 1 FROM person_move
                                                       WHERE person_move.person = role_grant.person AND covers_until >= granted_at
                                                         AND (settled_at IS NULL OR effective_at > noted_at)
                                                         AND effective_at <= $2
                                                         AND (person_move.role IS NULL OR person_move.role = role_grant.role)))
                       ORDER BY system_holding.id, system_right.id LIMIT $5";
    let (holding, right) = after.map_or((Uuid::nil(), Uuid::nil()), |(holding, right)| (holding.uuid(), right.uuid()));
    let rows: Vec<MissingRow> = on_engine!(tx, |conn| {
        let query = sqlx::query_as(SQL).bind(system.uuid()).bind(now.micros()).bind(holding).bind(right);
        query.bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    let read = |row: MissingRow| {
        let MissingRow { id, system, account_sealed, person, right_id, read_at } = row;
        HoldingRow { id, system, account_sealed, person, right_id, read_at }.into_holding(tx)
    };
    rows.into_iter().map(read).collect()
}
