//! Rows of accounts: when each was last used, which lies idle, and what is registered of those that systems have. That an idle account
//! ends is compared when access is decided; no job is needed for it.

use crate::error::expect_rows;
use crate::limits::PAGE_ROWS_MAX;
use crate::{Store, StoreError, Tx};
use scruple_core::{Id, Timestamp};
use scruple_flow::directory::{Employment, Suspension};
use scruple_flow::{Account, AccountKind, Dormancy, DormancyState, Person, SERVICE_ROLE, unregistered_until};
use uuid::Uuid;

pub(crate) const PURPOSE: &str = "account.purpose";

/// An account with what its idle rule depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccountUse {
    /// Whose it is.
    pub person: Id<Person>,
    /// When it was last used, or came to be.
    pub used_at: Timestamp,
    /// As what it is registered.
    pub registered: Option<AccountKind>,
    /// How the person belongs to the organisation.
    pub employment: Option<Employment>,
}

/// Begins the record of use of an account that has none.
///
/// # Errors
/// The database failed.
pub async fn begin_use(tx: &mut Tx, person: Id<Person>, at: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO account_use (person, used_at) VALUES ($1, $2)
                       ON CONFLICT (person) DO UPDATE SET used_at = $2 WHERE account_use.used_at < $2";
    on_engine!(tx, |conn| {
        sqlx::query(SQL).bind(person.uuid()).bind(at.micros()).execute(conn).await?;
    });
    Ok(())
}

impl Store {
    /// Writes down that accounts were used: by login or id the caller knows whose they are. It is no change of state, and has no
    /// event: the session or the access that it was has one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn note_use(&self, used: &[(Id<Person>, Timestamp)]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for (person, at) in used {
            begin_use(&mut tx, *person, *at).await?;
        }
        Ok(tx.conn.commit().await?)
    }
}

/// When an account was last used.
///
/// # Errors
/// The database failed.
pub async fn last_used(tx: &mut Tx, person: Id<Person>) -> Result<Option<Timestamp>, StoreError> {
    const SQL: &str = "SELECT used_at FROM account_use WHERE person = $1";
    let row: Option<(i64,)> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(person.uuid()).fetch_optional(conn).await?);
    Ok(row.map(|(at,)| Timestamp::from_micros(at)))
}

row! { struct UseRow { person: Uuid, used_at: i64, kind: Option<String>, employment: Option<String> } }

/// Accounts that nobody has used since `before`, that have something to end and that are not noticed yet: one page of at most
/// [`PAGE_ROWS_MAX`] after a person.
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn unused_since(
    tx: &mut Tx,
    (before, now): (Timestamp, Timestamp),
    after: Option<Id<Person>>,
) -> Result<Vec<AccountUse>, StoreError> {
    const SQL: &str =
        "SELECT account_use.person, account_use.used_at, account.kind, directory.employment
                       FROM account_use JOIN person ON person.id = account_use.person
                       LEFT JOIN account ON account.person = account_use.person
                       LEFT JOIN directory ON directory.person = account_use.person AND deleted_at IS NULL
                       WHERE account_use.person > $1 AND used_at <= $2 AND (left_at IS NULL OR left_at > $3)
                         AND NOT EXISTS (SELECT 1 FROM dormancy WHERE dormancy.person = account_use.person AND closed_at IS NULL)
                         AND (account.kind IS NOT NULL OR directory.person IS NOT NULL
                              OR EXISTS (SELECT 1 FROM role_grant WHERE role_grant.person = account_use.person
                                         AND revoked_at IS NULL AND role_grant.ends_at > $3)
                              OR EXISTS (SELECT 1 FROM credential WHERE credential.person = account_use.person
                                         AND removed_at IS NULL))
                       ORDER BY account_use.person LIMIT $4";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let rows: Vec<UseRow> = on_engine!(tx, |conn| {
        let query = sqlx::query_as(SQL).bind(after).bind(before.micros()).bind(now.micros()).bind(PAGE_ROWS_MAX);
        query.fetch_all(conn).await?
    });
    rows.into_iter().map(read_use).collect()
}

fn read_use(row: UseRow) -> Result<AccountUse, StoreError> {
    let inconsistent = |table, column| StoreError::Inconsistent { table, column, id: row.person };
    let kind = |text: &String| AccountKind::of(text).ok_or(inconsistent("account", "kind"));
    let employment = |text: &String| Employment::told(text).ok_or(inconsistent("directory", "employment"));
    Ok(AccountUse {
        person: Id::from_uuid(row.person),
        used_at: Timestamp::from_micros(row.used_at),
        registered: row.kind.as_ref().map(kind).transpose()?,
        employment: row.employment.as_ref().map(employment).transpose()?,
    })
}

row! { struct DormancyRow {
    id: Uuid, person: Uuid, used_at: i64, noticed_at: i64, disabled_at: i64, outcome: Option<String>,
    closed_by: Option<Uuid>, closed_at: Option<i64>, version: i64,
} }

impl TryFrom<DormancyRow> for Dormancy {
    type Error = StoreError;

    fn try_from(row: DormancyRow) -> Result<Self, StoreError> {
        let (closed_at, by) = (row.closed_at.map(Timestamp::from_micros), row.closed_by.map(Id::from_uuid));
        let state = match (row.outcome.as_deref(), closed_at, by) {
            (None, None, None) => DormancyState::Noticed,
            (Some("used"), Some(at), None) => DormancyState::Used { at },
            (Some("restored"), Some(at), Some(by)) => DormancyState::Restored { at, by },
            (Some("left"), Some(at), Some(by)) => DormancyState::Left { at, by },
            _ => return Err(StoreError::Inconsistent { table: "dormancy", column: "outcome", id: row.id }),
        };
        Ok(Self {
            id: Id::from_uuid(row.id),
            person: Id::from_uuid(row.person),
            used_at: Timestamp::from_micros(row.used_at),
            noticed_at: Timestamp::from_micros(row.noticed_at),
            disabled_at: Timestamp::from_micros(row.disabled_at),
            state,
            version: row.version,
        })
    }
}

/// Stores that an account lies idle, at version 1.
///
/// # Errors
/// [`StoreError::Conflict`]: it is noticed already.
pub async fn insert_dormancy(tx: &mut Tx, one: &Dormancy) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO dormancy (id, person, used_at, noticed_at, disabled_at, version)
                       VALUES ($1, $2, $3, $4, $5, 1)";
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(one.id.uuid())
            .bind(one.person.uuid())
            .bind(one.used_at.micros())
            .bind(one.noticed_at.micros())
            .bind(one.disabled_at.micros())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// The notice of an idle account is over, in the state that is given; `one.version` is the one that this was decided on.
///
/// # Errors
/// [`StoreError::RowsAffected`]: it is over already, or not in the state given. [`StoreError::Refused`]: the person would bring himself
/// back.
pub async fn close_dormancy(tx: &mut Tx, one: &Dormancy) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE dormancy SET outcome = $3, closed_at = $4, closed_by = $5, version = version + 1
                       WHERE id = $1 AND version = $2 AND closed_at IS NULL";
    let (outcome, at, by) = match one.state {
        DormancyState::Noticed => (None, None, None),
        DormancyState::Used { at } => (Some("used"), Some(at), None),
        DormancyState::Restored { at, by } => (Some("restored"), Some(at), Some(by)),
        DormancyState::Left { at, by } => (Some("left"), Some(at), Some(by)),
    };
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(one.id.uuid())
            .bind(one.version)
            .bind(outcome)
            .bind(at.map(Timestamp::micros))
            .bind(by.map(Id::uuid))
            .execute(conn)
            .await?
            .rows_affected()
    });
    expect_rows("dormancy", changed, 1)
}

/// The notice of a person's account that is not over.
///
/// # Errors
/// The database failed, or the row is inconsistent.
pub async fn find_dormancy(tx: &mut Tx, person: Id<Person>) -> Result<Option<Dormancy>, StoreError> {
    const SQL: &str = "SELECT id, person, used_at, noticed_at, disabled_at, outcome, closed_by, closed_at, version
                       FROM dormancy WHERE person = $1 AND closed_at IS NULL";
    let row: Option<DormancyRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(person.uuid()).fetch_optional(conn).await?);
    row.map(TryInto::try_into).transpose()
}

/// The notices that are not over, one page of at most [`PAGE_ROWS_MAX`] after one.
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn list_dormancies(tx: &mut Tx, after: Option<Id<Dormancy>>) -> Result<Vec<Dormancy>, StoreError> {
    const SQL: &str = "SELECT id, person, used_at, noticed_at, disabled_at, outcome, closed_by, closed_at, version
                       FROM dormancy WHERE id > $1 AND closed_at IS NULL ORDER BY id LIMIT $2";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let rows: Vec<DormancyRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(after).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Notices of accounts that were used since, before they were disabled: with when. At most [`PAGE_ROWS_MAX`].
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn used_dormancies(tx: &mut Tx) -> Result<Vec<(Dormancy, Timestamp)>, StoreError> {
    const SQL: &str =
        "SELECT id, dormancy.person, dormancy.used_at, noticed_at, disabled_at, outcome, closed_by, closed_at, version
                       FROM dormancy JOIN account_use ON account_use.person = dormancy.person
                       WHERE closed_at IS NULL AND account_use.used_at > dormancy.used_at
                         AND account_use.used_at < disabled_at
                       ORDER BY id LIMIT $1";
    let rows: Vec<DormancyRow> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let one = Dormancy::try_from(row)?;
        if let Some(at) = last_used(tx, one.person).await? {
            found.push((one, at));
        }
    }
    Ok(found)
}

/// When an account gives nothing from `now` on: after it lay idle or, of a system, while nobody answers for it.
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn account_suspensions(
    tx: &mut Tx,
    person: Id<Person>,
    now: Timestamp,
) -> Result<Vec<Suspension>, StoreError> {
    let mut suspended = idle_suspensions(tx, person, now).await?;
    suspended.extend(system_suspensions(tx, person, now).await?);
    Ok(suspended)
}

// relies on (idle-ends)
async fn idle_suspensions(tx: &mut Tx, person: Id<Person>, now: Timestamp) -> Result<Vec<Suspension>, StoreError> {
    const SQL: &str = "SELECT disabled_at, closed_at FROM dormancy
                       WHERE person = $1 AND (closed_at IS NULL OR closed_at > $2) ORDER BY disabled_at LIMIT $3";
    let rows: Vec<(i64, Option<i64>)> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(person.uuid()).bind(now.micros()).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    let one = |(disabled_at, closed_at): (i64, Option<i64>)| Suspension {
        from: Some(Timestamp::from_micros(disabled_at)),
        until: closed_at.map(Timestamp::from_micros),
    };
    Ok(rows.into_iter().map(one).collect())
}

row! { struct AccountRow {
    person: Uuid, kind: String, owner: Option<Uuid>, purpose_sealed: Vec<u8>, scopes: String, rotate_by: i64,
    review_days: i64, reviewed_at: i64, ends_at: i64, version: i64,
} }

impl AccountRow {
    fn into_account(self, tx: &Tx) -> Result<Account, StoreError> {
        let inconsistent = |column| StoreError::Inconsistent { table: "account", column, id: self.person };
        Ok(Account {
            person: Id::from_uuid(self.person),
            kind: AccountKind::of(&self.kind).filter(|kind| kind.is_owned()).ok_or(inconsistent("kind"))?,
            owner: self.owner.map(Id::from_uuid),
            purpose: tx.open_text(PURPOSE, self.person, &self.purpose_sealed)?,
            scopes: self.scopes.split_ascii_whitespace().map(str::to_owned).collect(),
            rotate_by: Timestamp::from_micros(self.rotate_by),
            review_days: u16::try_from(self.review_days).map_err(|_| inconsistent("review_days"))?,
            reviewed_at: Timestamp::from_micros(self.reviewed_at),
            ends_at: Timestamp::from_micros(self.ends_at),
            version: self.version,
        })
    }
}

/// Registers what is asked of a system's account, at version 1.
///
/// # Errors
/// [`StoreError::Conflict`]: it is registered already.
pub async fn insert_account(tx: &mut Tx, account: &Account) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO account (person, kind, owner, purpose_sealed, scopes, rotate_by, review_days,
                                            reviewed_at, ends_at, version)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1)";
    let purpose = tx.seal(PURPOSE, account.person.uuid(), account.purpose.expose().as_bytes())?;
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account.person.uuid())
            .bind(account.kind.as_str())
            .bind(account.owner.map(Id::uuid))
            .bind(purpose)
            .bind(account.scopes.join(" "))
            .bind(account.rotate_by.micros())
            .bind(i64::from(account.review_days))
            .bind(account.reviewed_at.micros())
            .bind(account.ends_at.micros())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Registers it otherwise; `account.version` is the one that this was decided on.
///
/// # Errors
/// [`StoreError::RowsAffected`]: the version is another.
pub async fn update_account(tx: &mut Tx, account: &Account) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE account SET kind = $3, owner = $4, purpose_sealed = $5, scopes = $6, rotate_by = $7,
                                          review_days = $8, reviewed_at = $9, ends_at = $10, version = version + 1
                       WHERE person = $1 AND version = $2";
    let purpose = tx.seal(PURPOSE, account.person.uuid(), account.purpose.expose().as_bytes())?;
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(account.person.uuid())
            .bind(account.version)
            .bind(account.kind.as_str())
            .bind(account.owner.map(Id::uuid))
            .bind(purpose)
            .bind(account.scopes.join(" "))
            .bind(account.rotate_by.micros())
            .bind(i64::from(account.review_days))
            .bind(account.reviewed_at.micros())
            .bind(account.ends_at.micros())
            .execute(conn)
            .await?
            .rows_affected()
    });
    expect_rows("account", changed, 1)
}

/// What is registered of a person's account.
///
/// # Errors
/// The database failed, or the row is inconsistent.
pub async fn find_account(tx: &mut Tx, person: Id<Person>) -> Result<Option<Account>, StoreError> {
    const SQL: &str =
        "SELECT person, kind, owner, purpose_sealed, scopes, rotate_by, review_days, reviewed_at, ends_at, version
                       FROM account WHERE person = $1";
    let row: Option<AccountRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(person.uuid()).fetch_optional(conn).await?);
    row.map(|row| row.into_account(tx)).transpose()
}

/// The accounts that a person answers for, at most [`PAGE_ROWS_MAX`].
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn list_accounts_owned(tx: &mut Tx, owner: Id<Person>) -> Result<Vec<Account>, StoreError> {
    const SQL: &str =
        "SELECT person, kind, owner, purpose_sealed, scopes, rotate_by, review_days, reviewed_at, ends_at, version
                       FROM account WHERE owner = $1 ORDER BY person LIMIT $2";
    let rows: Vec<AccountRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(owner.uuid()).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    rows.into_iter().map(|row| row.into_account(tx)).collect()
}

row! { struct SystemRow { person: Uuid, kind: Option<String>, employment: Option<String>, owner: Option<Uuid>, owner_left: Option<i64> } }

/// Somebody who is a system, or is registered as one, with who answers for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SystemAccount {
    /// The person that stands for it.
    pub person: Id<Person>,
    /// Its kind.
    pub kind: AccountKind,
    /// Whether its purpose, scopes, rotation, review and end are registered.
    pub is_registered: bool,
    /// Who answers for it: as it is registered, else the manager whom the directory names.
    pub owner: Option<Id<Person>>,
    /// When whoever answers for it has left, or will.
    pub owner_left: Option<Timestamp>,
}

impl SystemAccount {
    /// Whether whoever answers for it is here.
    #[must_use]
    pub fn has_owner(&self, now: Timestamp) -> bool {
        self.owner.is_some() && self.owner_left.is_none_or(|left| left > now)
    }
}

fn read_system(row: &SystemRow) -> Result<Option<SystemAccount>, StoreError> {
    let inconsistent = |table, column| StoreError::Inconsistent { table, column, id: row.person };
    let known = |text: &String| AccountKind::of(text).ok_or(inconsistent("account", "kind"));
    let told = |text: &String| Employment::told(text).ok_or(inconsistent("directory", "employment"));
    let registered = row.kind.as_ref().map(known).transpose()?;
    let kind = AccountKind::judged(registered, row.employment.as_ref().map(told).transpose()?);
    // A human of a vendor has an account of his own; a system's, and one that is registered, has an owner.
    let is_system = registered.is_some() || kind == AccountKind::Service;
    Ok(is_system.then(|| SystemAccount {
        person: Id::from_uuid(row.person),
        kind,
        is_registered: registered.is_some(),
        owner: row.owner.map(Id::from_uuid),
        owner_left: row.owner_left.map(Timestamp::from_micros),
    }))
}

/// A person's account as a system's, if it is one.
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn find_system(tx: &mut Tx, person: Id<Person>) -> Result<Option<SystemAccount>, StoreError> {
    const SQL: &str =
        "SELECT person.id AS person, account.kind, directory.employment, above.id AS owner, above.left_at AS owner_left
                       FROM person LEFT JOIN account ON account.person = person.id
                       LEFT JOIN directory ON directory.person = person.id AND deleted_at IS NULL
                       LEFT JOIN person AS above
                         ON above.id = CASE WHEN account.kind IS NULL THEN directory.manager ELSE account.owner END
                       WHERE person.id = $1 AND (account.kind IS NOT NULL OR directory.employment = 'service')";
    let row: Option<SystemRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(person.uuid()).fetch_optional(conn).await?);
    row.map_or(Ok(None), |row| read_system(&row))
}

/// The accounts of systems that are here, one page of at most [`PAGE_ROWS_MAX`] after one.
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn list_systems(
    tx: &mut Tx,
    now: Timestamp,
    after: Option<Id<Person>>,
) -> Result<Vec<SystemAccount>, StoreError> {
    const SQL: &str =
        "SELECT person.id AS person, account.kind, directory.employment, above.id AS owner, above.left_at AS owner_left
                       FROM person LEFT JOIN account ON account.person = person.id
                       LEFT JOIN directory ON directory.person = person.id AND deleted_at IS NULL
                       LEFT JOIN person AS above
                         ON above.id = CASE WHEN account.kind IS NULL THEN directory.manager ELSE account.owner END
                       WHERE person.id > $1 AND (person.left_at IS NULL OR person.left_at > $2)
                         AND (account.kind IS NOT NULL OR directory.employment = 'service')
                       ORDER BY person.id LIMIT $3";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let rows: Vec<SystemRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(after).bind(now.micros()).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    Ok(rows.iter().map(read_system).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// When a system's account gives nothing: while nobody who is here answers for it, and from its end on.
// INVARIANT (system-owned): a system's account without an owner who is here obtains nothing.
async fn system_suspensions(tx: &mut Tx, person: Id<Person>, now: Timestamp) -> Result<Vec<Suspension>, StoreError> {
    let mut suspended = Vec::new();
    let Some(system) = find_system(tx, person).await? else {
        suspended.extend(unregistered(tx, person, now).await?);
        return Ok(suspended);
    };
    if !system.is_registered {
        suspended.extend(unregistered(tx, person, now).await?);
    }
    match (system.owner, system.owner_left) {
        (None, _) => suspended.push(Suspension { from: None, until: None }),
        // Gone is gone, whatever the clock that noted it.
        (Some(_), Some(left)) if left <= now => suspended.push(Suspension { from: None, until: None }),
        (Some(_), Some(left)) => suspended.push(Suspension { from: Some(left), until: None }),
        (Some(_), None) => {}
    }
    if let Some(account) = find_account(tx, person).await? {
        suspended.push(Suspension { from: Some(account.ends_at), until: None });
    }
    Ok(suspended)
}

/// From when on somebody who acts as a system, and is not registered as one, obtains nothing: so long after he was given the role.
// relies on (system-registered)
async fn unregistered(tx: &mut Tx, person: Id<Person>, now: Timestamp) -> Result<Option<Suspension>, StoreError> {
    const SQL: &str = "SELECT MIN(granted_at) FROM role_grant
                       WHERE person = $1 AND role = $2 AND revoked_at IS NULL AND ends_at > $3";
    let (given_at,): (Option<i64>,) = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(person.uuid()).bind(SERVICE_ROLE).bind(now.micros()).fetch_one(conn).await?
    });
    let from = given_at.map(|at| unregistered_until(Timestamp::from_micros(at)));
    Ok(from.map(|from| Suspension { from: Some(from), until: None }))
}
