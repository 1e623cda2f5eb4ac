//! What the directory of HR tells of each person: one row beside the person's own, every text sealed.

use crate::error::expect_rows;
use crate::limits::PAGE_ROWS_MAX;
use crate::{StoreError, Tx};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::Person;
use scruple_flow::directory::{Attributes, Employment};
use uuid::Uuid;

pub(crate) const EMPLOYEE_NUMBER: &str = "directory.employee_number";
pub(crate) const EXTERNAL_ID: &str = "directory.external_id";
pub(crate) const TITLE: &str = "directory.title";
pub(crate) const DEPARTMENT: &str = "directory.department";
pub(crate) const ORGANISATION: &str = "directory.organisation";
pub(crate) const DOCUMENT: &str = "directory.document";

/// What is told of a person, to be stored.
#[derive(Clone, Debug)]
pub struct NewDirectoryRecord {
    /// Of whom.
    pub person: Id<Person>,
    /// What is told.
    pub attributes: Attributes,
    /// The directory's own words, opaque here.
    pub document: Phi<Vec<u8>>,
    /// When.
    pub at: Timestamp,
}

/// What is told of a person, beside the person himself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirectoryRecord {
    /// Of whom.
    pub person: Person,
    /// What is told.
    pub attributes: Attributes,
    /// The directory's own words, opaque here.
    pub document: Phi<Vec<u8>>,
    /// When the directory first told of him.
    pub created_at: Timestamp,
    /// When it last told something else.
    pub changed_at: Timestamp,
    /// When the directory took him out.
    pub deleted_at: Option<Timestamp>,
    /// Version of the row.
    pub version: i64,
}

row! { struct DirectoryRow {
    person: Uuid, login_sealed: Vec<u8>, name_sealed: Vec<u8>, contact_sealed: Option<Vec<u8>>, person_created_at: i64,
    left_at: Option<i64>, person_version: i64, employee_number_sealed: Option<Vec<u8>>,
    external_id_sealed: Option<Vec<u8>>, title_sealed: Option<Vec<u8>>, department_sealed: Option<Vec<u8>>,
    organisation_sealed: Option<Vec<u8>>, manager: Option<Uuid>, employment: Option<String>, document_sealed: Vec<u8>,
    created_at: i64, changed_at: i64, deleted_at: Option<i64>, version: i64,
} }

impl DirectoryRow {
    fn into_record(self, tx: &Tx) -> Result<DirectoryRecord, StoreError> {
        let id = self.person;
        let open = |column, sealed: &Option<Vec<u8>>| {
            sealed.as_deref().map(|sealed| tx.open_text(column, id, sealed)).transpose()
        };
        let employment = |text: &str| {
            let inconsistent = StoreError::Inconsistent { table: "directory", column: "employment", id };
            Employment::told(text).filter(|kind| kind.as_str() == text).ok_or(inconsistent)
        };
        Ok(DirectoryRecord {
            person: Person {
                id: Id::from_uuid(id),
                login: tx.open_text(crate::person::LOGIN, id, &self.login_sealed)?,
                name: tx.open_text(crate::person::NAME, id, &self.name_sealed)?,
                contact: open(crate::person::CONTACT, &self.contact_sealed)?,
                created_at: Timestamp::from_micros(self.person_created_at),
                left_at: self.left_at.map(Timestamp::from_micros),
                version: self.person_version,
            },
            attributes: Attributes {
                employee_number: open(EMPLOYEE_NUMBER, &self.employee_number_sealed)?,
                external_id: open(EXTERNAL_ID, &self.external_id_sealed)?,
                title: open(TITLE, &self.title_sealed)?,
                department: open(DEPARTMENT, &self.department_sealed)?,
                organisation: open(ORGANISATION, &self.organisation_sealed)?,
                manager: self.manager.map(Id::from_uuid),
                employment: self.employment.as_deref().map(employment).transpose()?,
            },
            document: tx.open(DOCUMENT, id, &self.document_sealed)?,
            created_at: Timestamp::from_micros(self.created_at),
            changed_at: Timestamp::from_micros(self.changed_at),
            deleted_at: self.deleted_at.map(Timestamp::from_micros),
            version: self.version,
        })
    }
}

/// The columns of [`Attributes`], sealed, with their indexes.
struct Sealed {
    employee_number: Column,
    external_id: Column,
    title: Option<Vec<u8>>,
    department: Column,
    organisation: Option<Vec<u8>>,
    manager: Option<Uuid>,
    employment: Option<&'static str>,
    document: Vec<u8>,
}

type Column = (Option<Vec<u8>>, Option<Vec<u8>>);

impl Sealed {
    fn new(tx: &Tx, person: Id<Person>, told: &Attributes, document: &Phi<Vec<u8>>) -> Result<Self, StoreError> {
        let id = person.uuid();
        let seal = |column, value: &Option<Phi<String>>| {
            value.as_ref().map(|value| tx.seal(column, id, value.expose().as_bytes())).transpose()
        };
        let indexed = |column, value: &Option<Phi<String>>| {
            let blind = value.as_ref().map(|value| blind(tx, column, value).to_vec());
            Ok::<Column, StoreError>((blind, seal(column, value)?))
        };
        Ok(Self {
            employee_number: indexed(EMPLOYEE_NUMBER, &told.employee_number)?,
            external_id: indexed(EXTERNAL_ID, &told.external_id)?,
            title: seal(TITLE, &told.title)?,
            department: indexed(DEPARTMENT, &told.department)?,
            organisation: seal(ORGANISATION, &told.organisation)?,
            manager: told.manager.map(Id::uuid),
            employment: told.employment.map(Employment::as_str),
            document: tx.seal(DOCUMENT, id, document.expose())?,
        })
    }
}

pub(crate) fn blind(tx: &Tx, column: &'static str, value: &Phi<String>) -> [u8; 32] {
    tx.store.sealer().blind(column, value.expose().as_bytes())
}

/// Stores what is told of a person, at version 1.
///
/// # Errors
/// [`StoreError::Conflict`]: of this person it is told already, or the employee number is another's.
/// [`StoreError::Refused`]: there is no such person or manager, or he would be his own.
pub async fn insert_directory(tx: &mut Tx, new: &NewDirectoryRecord) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO directory (person, employee_number_blind, employee_number_sealed, external_id_blind,
                                              external_id_sealed, title_sealed, department_blind, department_sealed,
                                              organisation_sealed, manager, employment, document_sealed, created_at,
                                              changed_at, version)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, 1)";
    let sealed = Sealed::new(tx, new.person, &new.attributes, &new.document)?;
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(new.person.uuid())
            .bind(sealed.employee_number.0)
            .bind(sealed.employee_number.1)
            .bind(sealed.external_id.0)
            .bind(sealed.external_id.1)
            .bind(sealed.title)
            .bind(sealed.department.0)
            .bind(sealed.department.1)
            .bind(sealed.organisation)
            .bind(sealed.manager)
            .bind(sealed.employment)
            .bind(sealed.document)
            .bind(new.at.micros())
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// The directory tells something else of a person. Of one whom it had taken out it tells again.
///
/// # Errors
/// As [`insert_directory`], and [`StoreError::RowsAffected`]: the version is another.
pub async fn update_directory(tx: &mut Tx, version: i64, new: &NewDirectoryRecord) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE directory
                       SET employee_number_blind = $3, employee_number_sealed = $4, external_id_blind = $5,
                           external_id_sealed = $6, title_sealed = $7, department_blind = $8, department_sealed = $9,
                           organisation_sealed = $10, manager = $11, employment = $12, document_sealed = $13,
                           changed_at = $14, deleted_at = NULL, version = version + 1
                       WHERE person = $1 AND version = $2";
    let sealed = Sealed::new(tx, new.person, &new.attributes, &new.document)?;
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(new.person.uuid())
            .bind(version)
            .bind(sealed.employee_number.0)
            .bind(sealed.employee_number.1)
            .bind(sealed.external_id.0)
            .bind(sealed.external_id.1)
            .bind(sealed.title)
            .bind(sealed.department.0)
            .bind(sealed.department.1)
            .bind(sealed.organisation)
            .bind(sealed.manager)
            .bind(sealed.employment)
            .bind(sealed.document)
            .bind(new.at.micros())
            .execute(conn)
            .await?
            .rows_affected()
    });
    expect_rows("directory", changed, 1)
}

/// The directory takes a person out. What it told stays, for the past.
///
/// # Errors
/// [`StoreError::RowsAffected`]: the version is another, or he is out.
pub async fn mark_directory_deleted(
    tx: &mut Tx,
    person: Id<Person>,
    version: i64,
    at: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE directory SET deleted_at = $3, changed_at = $3, version = version + 1
                       WHERE person = $1 AND version = $2 AND deleted_at IS NULL";
    let changed = on_engine!(tx, |conn| {
        sqlx::query(SQL).bind(person.uuid()).bind(version).bind(at.micros()).execute(conn).await?.rows_affected()
    });
    expect_rows("directory", changed, 1)
}

/// What is told of a person, also of one whom the directory has taken out.
///
/// # Errors
/// The database failed, the row is inconsistent, or a column does not open.
pub async fn find_directory(tx: &mut Tx, person: Id<Person>) -> Result<Option<DirectoryRecord>, StoreError> {
    const SQL: &str = "SELECT directory.person, login_sealed, name_sealed, contact_sealed,
                              person.created_at AS person_created_at, left_at, person.version AS person_version,
                              employee_number_sealed, external_id_sealed, title_sealed, department_sealed,
                              organisation_sealed, manager, employment, document_sealed, directory.created_at,
                              changed_at, deleted_at, directory.version
                       FROM directory JOIN person ON person.id = directory.person WHERE directory.person = $1";
    let row: Option<DirectoryRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(person.uuid()).fetch_optional(conn).await?);
    row.map(|row| row.into_record(tx)).transpose()
}

/// Who has this employee number, of those who are in the directory.
///
/// # Errors
/// As [`find_directory`].
pub async fn find_directory_by_employee_number(
    tx: &mut Tx,
    number: &Phi<String>,
) -> Result<Option<DirectoryRecord>, StoreError> {
    const SQL: &str = "SELECT directory.person, login_sealed, name_sealed, contact_sealed,
                              person.created_at AS person_created_at, left_at, person.version AS person_version,
                              employee_number_sealed, external_id_sealed, title_sealed, department_sealed,
                              organisation_sealed, manager, employment, document_sealed, directory.created_at,
                              changed_at, deleted_at, directory.version
                       FROM directory JOIN person ON person.id = directory.person
                       WHERE employee_number_blind = $1 AND deleted_at IS NULL";
    let blind = blind(tx, EMPLOYEE_NUMBER, number);
    let row: Option<DirectoryRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(blind.as_slice()).fetch_optional(conn).await?);
    row.map(|row| row.into_record(tx)).transpose()
}

/// Who has this id at the directory that tells of them, of those who are in it, at most [`PAGE_ROWS_MAX`].
///
/// # Errors
/// As [`find_directory`].
pub async fn find_directory_by_external_id(
    tx: &mut Tx,
    external: &Phi<String>,
) -> Result<Vec<DirectoryRecord>, StoreError> {
    const SQL: &str = "SELECT directory.person, login_sealed, name_sealed, contact_sealed,
                              person.created_at AS person_created_at, left_at, person.version AS person_version,
                              employee_number_sealed, external_id_sealed, title_sealed, department_sealed,
                              organisation_sealed, manager, employment, document_sealed, directory.created_at,
                              changed_at, deleted_at, directory.version
                       FROM directory JOIN person ON person.id = directory.person
                       WHERE external_id_blind = $1 AND deleted_at IS NULL ORDER BY directory.person LIMIT $2";
    let blind = blind(tx, EXTERNAL_ID, external);
    let rows: Vec<DirectoryRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(blind.as_slice()).bind(PAGE_ROWS_MAX).fetch_all(conn).await?);
    rows.into_iter().map(|row| row.into_record(tx)).collect()
}

/// Who is in the directory, one page of at most [`PAGE_ROWS_MAX`] after a person.
///
/// # Errors
/// As [`find_directory`].
pub async fn list_directory(
    tx: &mut Tx,
    after: Option<Id<Person>>,
    limit: i64,
) -> Result<Vec<DirectoryRecord>, StoreError> {
    const SQL: &str = "SELECT directory.person, login_sealed, name_sealed, contact_sealed,
                              person.created_at AS person_created_at, left_at, person.version AS person_version,
                              employee_number_sealed, external_id_sealed, title_sealed, department_sealed,
                              organisation_sealed, manager, employment, document_sealed, directory.created_at,
                              changed_at, deleted_at, directory.version
                       FROM directory JOIN person ON person.id = directory.person
                       WHERE directory.person > $1 AND deleted_at IS NULL ORDER BY directory.person LIMIT $2";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let limit = limit.clamp(1, PAGE_ROWS_MAX);
    let rows: Vec<DirectoryRow> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(after).bind(limit).fetch_all(conn).await?);
    rows.into_iter().map(|row| row.into_record(tx)).collect()
}

/// How many are in the directory.
///
/// # Errors
/// The database failed.
pub async fn count_directory(tx: &mut Tx) -> Result<i64, StoreError> {
    const SQL: &str = "SELECT COUNT(*) FROM directory WHERE deleted_at IS NULL";
    let (count,): (i64,) = on_engine!(tx, |conn| sqlx::query_as(SQL).fetch_one(conn).await?);
    Ok(count)
}

/// Who stands at a place of [`list_directory`], counted from 0.
///
/// # Errors
/// The database failed.
pub async fn directory_place(tx: &mut Tx, place: i64) -> Result<Option<Id<Person>>, StoreError> {
    const SQL: &str = "SELECT person FROM directory WHERE deleted_at IS NULL ORDER BY person LIMIT 1 OFFSET $1";
    let row: Option<(Uuid,)> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(place).fetch_optional(conn).await?);
    Ok(row.map(|(person,)| Id::from_uuid(person)))
}

/// Whoever reported to somebody reports to another now, who may be one of them: he does not report to himself.
///
/// # Errors
/// The database failed.
pub async fn pass_reports_on(tx: &mut Tx, from: Id<Person>, to: Id<Person>, at: Timestamp) -> Result<u64, StoreError> {
    const SQL: &str = "UPDATE directory SET manager = $2, version = version + 1,
                              changed_at = CASE WHEN changed_at < $3 THEN $3 ELSE changed_at END
                       WHERE manager = $1 AND person <> $2 AND deleted_at IS NULL";
    Ok(on_engine!(tx, |conn| {
        sqlx::query(SQL).bind(from.uuid()).bind(to.uuid()).bind(at.micros()).execute(conn).await?.rows_affected()
    }))
}

/// Who reports to a manager, of those who are in the directory, one page of at most [`PAGE_ROWS_MAX`] after a person.
///
/// # Errors
/// The database failed.
pub async fn list_reports(
    tx: &mut Tx,
    manager: Id<Person>,
    after: Option<Id<Person>>,
) -> Result<Vec<Id<Person>>, StoreError> {
    const SQL: &str = "SELECT person FROM directory
                       WHERE manager = $1 AND person > $2 AND deleted_at IS NULL ORDER BY person LIMIT $3";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let rows: Vec<(Uuid,)> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(manager.uuid()).bind(after).bind(PAGE_ROWS_MAX).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(|(person,)| Id::from_uuid(person)).collect())
}
