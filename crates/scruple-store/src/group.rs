//! Groups of the directory, who is in them, and which role a group stands for. A group gives nothing: a role that it
//! stands for explains a grant, and is lost with it. A group that stands for none is told of as a finding.

use crate::error::expect_rows;
use crate::limits::{GROUP_MEMBERS_MAX, GROUPS_PER_PERSON_MAX, PAGE_ROWS_MAX};
use crate::{StoreError, Tx};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::{Person, RoleCode};
use uuid::Uuid;

pub(crate) const DISPLAY: &str = "scim_group.display";
pub(crate) const EXTERNAL_ID: &str = "scim_group.external_id";

/// Which role a group stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupMapping {
    /// The role.
    pub role: RoleCode,
    /// Who said so.
    pub by: Id<Person>,
    /// When.
    pub at: Timestamp,
}

/// A group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// Its id.
    pub id: Id<Self>,
    /// What it is called.
    pub display: Phi<String>,
    /// Its id in the directory.
    pub external_id: Option<Phi<String>>,
    /// Which role it stands for.
    pub mapping: Option<GroupMapping>,
    /// When the directory first told of it.
    pub created_at: Timestamp,
    /// When it last changed, its members included.
    pub changed_at: Timestamp,
    /// Version of the row.
    pub version: i64,
}

/// A group that a person is in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupOf {
    /// The group.
    pub id: Id<Group>,
    /// What it is called.
    pub display: Phi<String>,
    /// Which role it stands for.
    pub role: Option<RoleCode>,
}

row! { struct GroupRow {
    id: Uuid, display_sealed: Vec<u8>, external_id_sealed: Option<Vec<u8>>, role: Option<String>,
    mapped_by: Option<Uuid>, mapped_at: Option<i64>, created_at: i64, changed_at: i64, version: i64,
} }

impl GroupRow {
    pub(crate) fn into_group(self, tx: &Tx) -> Result<Group, StoreError> {
        let id = self.id;
        let mapping = match (self.role, self.mapped_by, self.mapped_at) {
            (None, None, None) => None,
            (Some(role), Some(by), Some(at)) => Some(GroupMapping {
                role: role.parse().map_err(|_| inconsistent(id))?,
                by: Id::from_uuid(by),
                at: Timestamp::from_micros(at),
            }),
            _ => return Err(inconsistent(id)),
        };
        let external = self.external_id_sealed.map(|sealed| tx.open_text(EXTERNAL_ID, id, &sealed)).transpose()?;
        Ok(Group {
            id: Id::from_uuid(id),
            display: tx.open_text(DISPLAY, id, &self.display_sealed)?,
            external_id: external,
            mapping,
            created_at: Timestamp::from_micros(self.created_at),
            changed_at: Timestamp::from_micros(self.changed_at),
            version: self.version,
        })
    }
}

const fn inconsistent(id: Uuid) -> StoreError {
    StoreError::Inconsistent { table: "scim_group", column: "role", id }
}

/// A group is found by what it is called in any case (RFC 7643, 4.2: `displayName` is not exact).
fn display_blind(tx: &Tx, display: &Phi<String>) -> [u8; 32] {
    let folded: String = display.expose().chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
    tx.store.sealer().blind(DISPLAY, folded.as_bytes())
}

/// Stores a group that stands for no role, at version 1.
///
/// # Errors
/// The database failed.
pub async fn insert_group(
    tx: &mut Tx,
    id: Id<Group>,
    display: &Phi<String>,
    external_id: Option<&Phi<String>>,
    at: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str =
        "INSERT INTO scim_group (id, display_blind, display_sealed, external_id_blind, external_id_sealed,
                                               created_at, changed_at, version)
                       VALUES ($1, $2, $3, $4, $5, $6, $6, 1)";
    let blind = display_blind(tx, display);
    let sealed = tx.seal(DISPLAY, id.uuid(), display.expose().as_bytes())?;
    let external_blind = external_id.map(|value| crate::directory::blind(tx, EXTERNAL_ID, value).to_vec());
    let external = external_id.map(|value| tx.seal(EXTERNAL_ID, id.uuid(), value.expose().as_bytes())).transpose()?;
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id.uuid())
            .bind(blind.as_slice())
            .bind(sealed)
            .bind(external_blind)
            .bind(external)
            .bind(at.micros())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// A group is called otherwise, or its members are others: its version goes on.
///
/// # Errors
/// [`StoreError::RowsAffected`]: the version is another, or it is deleted.
pub async fn update_group(
    tx: &mut Tx,
    (id, version): (Id<Group>, i64),
    display: &Phi<String>,
    external_id: Option<&Phi<String>>,
    at: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE scim_group
                       SET display_blind = $3, display_sealed = $4, external_id_blind = $5, external_id_sealed = $6,
                           changed_at = $7, version = version + 1
                       WHERE id = $1 AND version = $2 AND deleted_at IS NULL";
    let blind = display_blind(tx, display);
    let sealed = tx.seal(DISPLAY, id.uuid(), display.expose().as_bytes())?;
    let external_blind = external_id.map(|value| crate::directory::blind(tx, EXTERNAL_ID, value).to_vec());
    let external = external_id.map(|value| tx.seal(EXTERNAL_ID, id.uuid(), value.expose().as_bytes())).transpose()?;
    let changed = on_engine!(tx, |conn| {
        let query = sqlx::query(SQL).bind(id.uuid()).bind(version).bind(blind.as_slice()).bind(sealed);
        query.bind(external_blind).bind(external).bind(at.micros()).execute(conn).await?.rows_affected()
    });
    expect_rows("scim_group", changed, 1)
}

/// A group stands for a role, or for none any more.
///
/// # Errors
/// [`StoreError::RowsAffected`]: the version is another, or it is deleted. [`StoreError::Refused`]: nobody knows who
/// says so.
pub async fn map_group(
    tx: &mut Tx,
    (id, version): (Id<Group>, i64),
    role: Option<&RoleCode>,
    by: Id<Person>,
    at: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE scim_group SET role = $3, mapped_by = $4, mapped_at = $5, changed_at = $6,
                                             version = version + 1
                       WHERE id = $1 AND version = $2 AND deleted_at IS NULL";
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id.uuid())
            .bind(version)
            .bind(role.map(RoleCode::as_str))
            .bind(role.map(|_| by.uuid()))
            .bind(role.map(|_| at.micros()))
            .bind(at.micros())
            .execute(conn)
            .await?
            .rows_affected()
    });
    expect_rows("scim_group", changed, 1)
}

/// A group is gone: it stands for nothing and has no members.
///
/// # Errors
/// [`StoreError::RowsAffected`]: the version is another, or it is deleted.
pub async fn mark_group_deleted(tx: &mut Tx, id: Id<Group>, version: i64, at: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE scim_group SET deleted_at = $3, changed_at = $3, version = version + 1
                       WHERE id = $1 AND version = $2 AND deleted_at IS NULL";
    const SQL_MEMBERS: &str = "DELETE FROM scim_member WHERE scim_group = $1";
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL).bind(id.uuid()).bind(version).bind(at.micros()).execute(conn).await?.rows_affected()
    });
    expect_rows("scim_group", changed, 1)?;
    on_engine!(tx, |conn| {
        sqlx::query(SQL_MEMBERS).bind(id.uuid()).execute(conn).await?;
    });
    Ok(())
}

/// Finds a group that is not deleted.
///
/// # Errors
/// The database failed, the row is inconsistent, or a column does not open.
pub async fn find_group(tx: &mut Tx, id: Id<Group>) -> Result<Option<Group>, StoreError> {
    const SQL: &str =
        "SELECT id, display_sealed, external_id_sealed, role, mapped_by, mapped_at, created_at, changed_at,
                              version
                       FROM scim_group WHERE id = $1 AND deleted_at IS NULL";
    let row: Option<GroupRow> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(id.uuid()).fetch_optional(conn).await?);
    row.map(|row| row.into_group(tx)).transpose()
}

/// The groups that are called so, in any case, at most [`PAGE_ROWS_MAX`].
///
/// # Errors
/// As [`find_group`].
pub async fn find_groups_by_display(tx: &mut Tx, display: &Phi<String>) -> Result<Vec<Group>, StoreError> {
    const SQL: &str =
        "SELECT id, display_sealed, external_id_sealed, role, mapped_by, mapped_at, created_at, changed_at,
                              version
                       FROM scim_group WHERE display_blind = $1 AND deleted_at IS NULL ORDER BY id LIMIT $2";
    let blind = display_blind(tx, display);
    let rows: Vec<GroupRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(blind.as_slice()).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    rows.into_iter().map(|row| row.into_group(tx)).collect()
}

/// The groups with this id at the directory, at most [`PAGE_ROWS_MAX`].
///
/// # Errors
/// As [`find_group`].
pub async fn find_groups_by_external_id(tx: &mut Tx, external: &Phi<String>) -> Result<Vec<Group>, StoreError> {
    const SQL: &str =
        "SELECT id, display_sealed, external_id_sealed, role, mapped_by, mapped_at, created_at, changed_at,
                              version
                       FROM scim_group WHERE external_id_blind = $1 AND deleted_at IS NULL ORDER BY id LIMIT $2";
    let blind = crate::directory::blind(tx, EXTERNAL_ID, external);
    let rows: Vec<GroupRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(blind.as_slice()).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    rows.into_iter().map(|row| row.into_group(tx)).collect()
}

/// Groups, one page of at most [`PAGE_ROWS_MAX`] after a group.
///
/// # Errors
/// As [`find_group`].
pub async fn list_groups(tx: &mut Tx, after: Option<Id<Group>>, limit: i64) -> Result<Vec<Group>, StoreError> {
    const SQL: &str =
        "SELECT id, display_sealed, external_id_sealed, role, mapped_by, mapped_at, created_at, changed_at,
                              version
                       FROM scim_group WHERE id > $1 AND deleted_at IS NULL ORDER BY id LIMIT $2";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let limit = limit.clamp(1, PAGE_ROWS_MAX);
    let rows: Vec<GroupRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(after).bind(limit).fetch_all(conn).await?);
    rows.into_iter().map(|row| row.into_group(tx)).collect()
}

/// How many groups there are.
///
/// # Errors
/// The database failed.
pub async fn count_groups(tx: &mut Tx) -> Result<i64, StoreError> {
    const SQL: &str = "SELECT COUNT(*) FROM scim_group WHERE deleted_at IS NULL";
    let (count,): (i64,) = on_engine!(tx, |conn| sqlx::query_as(SQL).fetch_one(conn).await?);
    Ok(count)
}

/// Which group stands at a place of [`list_groups`], counted from 0.
///
/// # Errors
/// The database failed.
pub async fn group_place(tx: &mut Tx, place: i64) -> Result<Option<Id<Group>>, StoreError> {
    const SQL: &str = "SELECT id FROM scim_group WHERE deleted_at IS NULL ORDER BY id LIMIT 1 OFFSET $1";
    let row: Option<(Uuid,)> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(place).fetch_optional(conn).await?);
    Ok(row.map(|(id,)| Id::from_uuid(id)))
}

/// A person comes into a group; whether he was not in it. The version of the group is the caller's to move on.
///
/// # Errors
/// [`StoreError::Refused`]: there is no such group or person. [`StoreError::Limit`]: the group has
/// [`GROUP_MEMBERS_MAX`], or the person is in [`GROUPS_PER_PERSON_MAX`].
pub async fn add_member(tx: &mut Tx, group: Id<Group>, person: Id<Person>, at: Timestamp) -> Result<bool, StoreError> {
    const SQL: &str = "INSERT INTO scim_member (scim_group, person, since) VALUES ($1, $2, $3)
                       ON CONFLICT (scim_group, person) DO NOTHING";
    const SQL_COUNT: &str = "SELECT (SELECT COUNT(*) FROM scim_member WHERE scim_group = $1),
                                    (SELECT COUNT(*) FROM scim_member WHERE person = $2)";
    let added = on_engine!(tx, |conn| {
        let query = sqlx::query(SQL).bind(group.uuid()).bind(person.uuid()).bind(at.micros());
        query.execute(conn).await?.rows_affected()
    });
    let (members, groups): (i64, i64) =
        on_engine!(tx, |conn| sqlx::query_as(SQL_COUNT).bind(group.uuid()).bind(person.uuid()).fetch_one(conn).await?);
    if members > GROUP_MEMBERS_MAX {
        return Err(StoreError::Limit { what: "members of one group", max: GROUP_MEMBERS_MAX.unsigned_abs() });
    }
    if groups > GROUPS_PER_PERSON_MAX {
        return Err(StoreError::Limit { what: "groups of one person", max: GROUPS_PER_PERSON_MAX.unsigned_abs() });
    }
    Ok(added > 0)
}

/// A person leaves a group; whether he was in it.
///
/// # Errors
/// The database failed.
pub async fn remove_member(tx: &mut Tx, group: Id<Group>, person: Id<Person>) -> Result<bool, StoreError> {
    const SQL: &str = "DELETE FROM scim_member WHERE scim_group = $1 AND person = $2";
    let removed = on_engine!(tx, |conn| {
        sqlx::query(SQL).bind(group.uuid()).bind(person.uuid()).execute(conn).await?.rows_affected()
    });
    Ok(removed > 0)
}

/// Who is in a group, one page of at most [`PAGE_ROWS_MAX`] after a person.
///
/// # Errors
/// The database failed.
pub async fn list_members(
    tx: &mut Tx,
    group: Id<Group>,
    after: Option<Id<Person>>,
) -> Result<Vec<Id<Person>>, StoreError> {
    const SQL: &str = "SELECT person FROM scim_member WHERE scim_group = $1 AND person > $2 ORDER BY person LIMIT $3";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let rows: Vec<(Uuid,)> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(group.uuid()).bind(after).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(|(person,)| Id::from_uuid(person)).collect())
}

row! { struct GroupOfRow { id: Uuid, display_sealed: Vec<u8>, role: Option<String> } }

/// The groups that a person is in.
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn groups_of(tx: &mut Tx, person: Id<Person>) -> Result<Vec<GroupOf>, StoreError> {
    const SQL: &str = "SELECT id, display_sealed, role
                       FROM scim_member JOIN scim_group ON scim_group.id = scim_member.scim_group
                       WHERE scim_member.person = $1 AND deleted_at IS NULL ORDER BY id LIMIT $2";
    let rows: Vec<GroupOfRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(person.uuid()).bind(GROUPS_PER_PERSON_MAX).fetch_all(conn).await?
    });
    let one = |row: GroupOfRow| {
        let role = row.role.map(|role| role.parse()).transpose();
        Ok(GroupOf {
            id: Id::from_uuid(row.id),
            display: tx.open_text(DISPLAY, row.id, &row.display_sealed)?,
            role: role.map_err(|_| inconsistent(row.id))?,
        })
    };
    rows.into_iter().map(one).collect()
}
