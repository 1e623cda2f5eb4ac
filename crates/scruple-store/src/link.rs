//! Links: which practitioners of the record system a person is, because a second person confirmed it.
//!
//! A practitioner that several persons have open is *ambiguous*: it is nobody's until one link is left, so that access
//! that rests on a relationship fails closed. A link of a person who has left counts too, until it is ended.

use crate::engine::Conn;
use crate::error::expect_rows;
use crate::limits::{OPEN_LINKS_MAX, PAGE_ROWS_MAX, PRACTITIONER_ID_BYTES_MAX, SUBJECTS_PER_EVENT_MAX};
use crate::{Person, StoreError, Subject, Subjects, Tx};
use scruple_core::{Id, Timestamp};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// A practitioner of the record system, as references name it: `Practitioner/id` or `PractitionerRole/id`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PractitionerRef(String);

/// A text that names no practitioner. It does not repeat the text, which could name a patient.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("practitioner is neither `Practitioner/ID` nor `PractitionerRole/ID`")]
pub struct InvalidPractitioner;

impl PractitionerRef {
    /// As references name it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PractitionerRef {
    type Err = InvalidPractitioner;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id = text.strip_prefix("Practitioner/").or_else(|| text.strip_prefix("PractitionerRole/"));
        let id = id.ok_or(InvalidPractitioner)?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        if id.is_empty() || id.len() > PRACTITIONER_ID_BYTES_MAX || !id.bytes().all(allowed) {
            return Err(InvalidPractitioner);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for PractitionerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a link cannot be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LinkError {
    /// The person would confirm it for himself.
    #[error("a link is confirmed by a second person")]
    TwoPeople,
}

/// Who somebody is said to be in the record system.
#[derive(Clone, Debug)]
pub struct LinkRequest {
    /// Id of the link to be.
    pub id: Id<PractitionerLink>,
    /// The person.
    pub person: Id<Person>,
    /// Who he is there.
    pub practitioner: PractitionerRef,
}

/// A link that a second person has confirmed. There is no other way to make one.
// INVARIANT (two-people): confirmed_by is not the person; the table has the same constraint.
#[derive(Clone, Debug)]
pub struct NewLink {
    request: LinkRequest,
    confirmed_by: Id<Person>,
    confirmed_at: Timestamp,
}

impl NewLink {
    /// What becomes of a request when somebody confirms it.
    ///
    /// # Errors
    /// Nobody confirms it for himself.
    pub fn confirmed(request: LinkRequest, confirmed_by: Id<Person>, at: Timestamp) -> Result<Self, LinkError> {
        if confirmed_by == request.person {
            return Err(LinkError::TwoPeople);
        }
        Ok(Self { request, confirmed_by, confirmed_at: at })
    }
}

/// The end of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkEnd {
    /// Who ended it.
    pub by: Id<Person>,
    /// When.
    pub at: Timestamp,
}

/// What a link gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkState {
    /// The person is the practitioner.
    Open,
    /// Somebody else is linked to the practitioner too: it makes no relationship for either.
    Ambiguous,
    /// It is over.
    Ended(LinkEnd),
}

/// A link with all that is known of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PractitionerLink {
    /// Its id.
    pub id: Id<Self>,
    /// Who it is about.
    pub person: Id<Person>,
    /// Who he is in the record system.
    pub practitioner: PractitionerRef,
    /// Who confirmed it.
    pub confirmed_by: Id<Person>,
    /// When.
    pub confirmed_at: Timestamp,
    /// What it gives now.
    pub state: LinkState,
    /// Version of the row.
    pub version: i64,
}

row! { struct LinkRow {
    id: Uuid, person: Uuid, practitioner: String, confirmed_by: Uuid, confirmed_at: i64, ended_by: Option<Uuid>,
    ended_at: Option<i64>, version: i64, is_shared: bool,
} }

impl TryFrom<LinkRow> for PractitionerLink {
    type Error = StoreError;

    fn try_from(row: LinkRow) -> Result<Self, StoreError> {
        let inconsistent = |column| StoreError::Inconsistent { table: "practitioner_link", column, id: row.id };
        let state = match (row.ended_by, row.ended_at) {
            (None, None) if row.is_shared => LinkState::Ambiguous,
            (None, None) => LinkState::Open,
            (Some(by), Some(at)) => LinkState::Ended(LinkEnd { by: Id::from_uuid(by), at: Timestamp::from_micros(at) }),
            _ => return Err(inconsistent("ended_at")),
        };
        // relies on (two-people)
        if row.confirmed_by == row.person {
            return Err(inconsistent("confirmed_by"));
        }
        Ok(Self {
            id: Id::from_uuid(row.id),
            person: Id::from_uuid(row.person),
            practitioner: row.practitioner.parse().map_err(|_| inconsistent("practitioner"))?,
            confirmed_by: Id::from_uuid(row.confirmed_by),
            confirmed_at: Timestamp::from_micros(row.confirmed_at),
            state,
            version: row.version,
        })
    }
}

/// Stores a link, at version 1. The row of the person is locked: he cannot leave meanwhile.
///
/// Answers with whom the event must name: the person, and whoever has the practitioner open, whose link this makes
/// ambiguous.
///
/// # Errors
/// [`StoreError::RowsAffected`]: there is no such person, or he has left. [`StoreError::Conflict`]: he has this
/// practitioner open. [`StoreError::Refused`]: nobody knows who confirms it. [`StoreError::Limit`]: the person has
/// [`OPEN_LINKS_MAX`] open.
pub async fn confirm_link(tx: &mut Tx, link: &NewLink) -> Result<Subjects, StoreError> {
    const SQL_PERSON: &str = "UPDATE person SET version = version WHERE id = $1 AND left_at IS NULL";
    const SQL: &str = "INSERT INTO practitioner_link (id, person, practitioner, confirmed_by, confirmed_at, version)
                       VALUES ($1, $2, $3, $4, $5, 1)";
    const SQL_COUNT: &str = "SELECT COUNT(*) FROM practitioner_link WHERE person = $1 AND ended_at IS NULL";
    let NewLink { request, confirmed_by, confirmed_at } = link;
    let (person, practitioner) = (request.person, &request.practitioner);
    lock_practitioner(tx, practitioner).await?;
    let locked =
        on_engine!(tx, |conn| sqlx::query(SQL_PERSON).bind(person.uuid()).execute(conn).await?.rows_affected());
    expect_rows("person", locked, 1)?;
    on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(request.id.uuid())
            .bind(person.uuid())
            .bind(practitioner.as_str())
            .bind(confirmed_by.uuid())
            .bind(confirmed_at.micros())
            .execute(conn)
            .await?;
    });
    let (open,): (i64,) = on_engine!(tx, |conn| sqlx::query_as(SQL_COUNT).bind(person.uuid()).fetch_one(conn).await?);
    if open > OPEN_LINKS_MAX {
        return Err(too_many());
    }
    touched(tx, person, practitioner).await
}

/// Ends a link. A clock that runs behind does not keep it alive: its end is then its beginning.
///
/// Answers with whom the event must name: the person, and whoever has the practitioner open, whose link this may make
/// usable.
///
/// # Errors
/// [`StoreError::RowsAffected`]: there is no such link, the version is another, or it was ended.
/// [`StoreError::Refused`]: nobody knows who ends it.
pub async fn end_link(
    tx: &mut Tx,
    id: Id<PractitionerLink>,
    version: i64,
    end: LinkEnd,
) -> Result<Subjects, StoreError> {
    const SQL: &str = "UPDATE practitioner_link
                       SET ended_by = $3, version = version + 1,
                           ended_at = CASE WHEN confirmed_at > CAST($4 AS BIGINT) THEN confirmed_at
                                           ELSE CAST($4 AS BIGINT) END
                       WHERE id = $1 AND version = $2 AND ended_at IS NULL";
    let Some(link) = find_link(tx, id).await? else {
        return Err(StoreError::RowsAffected { table: "practitioner_link", expected: 1, changed: 0 });
    };
    lock_practitioner(tx, &link.practitioner).await?;
    let changed = on_engine!(tx, |conn| {
        let query = sqlx::query(SQL).bind(id.uuid()).bind(version).bind(end.by.uuid()).bind(end.at.micros());
        query.execute(conn).await?.rows_affected()
    });
    expect_rows("practitioner_link", changed, 1)?;
    touched(tx, link.person, &link.practitioner).await
}

/// Ends every open link of a person. Answers with which, and with whom the event must name.
///
/// # Errors
/// As [`end_link`].
pub async fn end_links(
    tx: &mut Tx,
    person: Id<Person>,
    end: LinkEnd,
) -> Result<(Vec<Id<PractitionerLink>>, Subjects), StoreError> {
    // In the order of the practitioners: of two that wait for each other's locks neither would go on.
    const SQL: &str = "SELECT id, version FROM practitioner_link
                       WHERE person = $1 AND ended_at IS NULL ORDER BY practitioner LIMIT $2";
    let rows: Vec<(Uuid, i64)> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(person.uuid()).bind(OPEN_LINKS_MAX.saturating_add(1)).fetch_all(conn).await?
    });
    let mut ended = Vec::new();
    let mut subjects = vec![Subject::Person(person)];
    for (id, version) in rows {
        let id = Id::from_uuid(id);
        subjects.extend(end_link(tx, id, version, end).await?.iter().cloned());
        ended.push(id);
    }
    let subjects = Subjects::new(subjects).unwrap_or_else(|_| Subject::Everyone.into());
    Ok((ended, subjects))
}

/// Finds a link by id.
///
/// # Errors
/// The database failed, or the row is inconsistent.
pub async fn find_link(tx: &mut Tx, id: Id<PractitionerLink>) -> Result<Option<PractitionerLink>, StoreError> {
    const SQL: &str = "SELECT id, person, practitioner, confirmed_by, confirmed_at, ended_by, ended_at, version,
                              EXISTS (SELECT 1 FROM practitioner_link AS other
                                      WHERE other.practitioner = own.practitioner AND other.person <> own.person
                                        AND other.ended_at IS NULL) AS is_shared
                       FROM practitioner_link AS own WHERE id = $1";
    let row: Option<LinkRow> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(id.uuid()).fetch_optional(conn).await?);
    row.map(TryInto::try_into).transpose()
}

/// The link of a person to a practitioner that has not ended.
///
/// # Errors
/// The database failed, or the row is inconsistent.
pub async fn find_open_link(
    tx: &mut Tx,
    person: Id<Person>,
    practitioner: &PractitionerRef,
) -> Result<Option<PractitionerLink>, StoreError> {
    const SQL: &str = "SELECT id, person, practitioner, confirmed_by, confirmed_at, ended_by, ended_at, version,
                              EXISTS (SELECT 1 FROM practitioner_link AS other
                                      WHERE other.practitioner = own.practitioner AND other.person <> own.person
                                        AND other.ended_at IS NULL) AS is_shared
                       FROM practitioner_link AS own WHERE person = $1 AND practitioner = $2 AND ended_at IS NULL";
    let row: Option<LinkRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(person.uuid()).bind(practitioner.as_str()).fetch_optional(conn).await?
    });
    row.map(TryInto::try_into).transpose()
}

/// The links of a person, those that have ended included, one page of at most [`PAGE_ROWS_MAX`] after a link.
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn list_links(
    tx: &mut Tx,
    person: Id<Person>,
    after: Option<Id<PractitionerLink>>,
    limit: i64,
) -> Result<Vec<PractitionerLink>, StoreError> {
    const SQL: &str = "SELECT id, person, practitioner, confirmed_by, confirmed_at, ended_by, ended_at, version,
                              EXISTS (SELECT 1 FROM practitioner_link AS other
                                      WHERE other.practitioner = own.practitioner AND other.person <> own.person
                                        AND other.ended_at IS NULL) AS is_shared
                       FROM practitioner_link AS own WHERE person = $1 AND id > $2 ORDER BY id LIMIT $3";
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let limit = limit.clamp(1, PAGE_ROWS_MAX);
    let rows: Vec<LinkRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(person.uuid()).bind(after).bind(limit).fetch_all(conn).await?
    });
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Who a person is in the record system now, in order: the practitioners of his open links, without those that somebody
/// else has open too.
///
/// # Errors
/// The database failed, a row is inconsistent, or there are more than [`OPEN_LINKS_MAX`].
// INVARIANT (unambiguous): no practitioner is given for two persons.
pub(crate) async fn usable_practitioners(tx: &mut Tx, person: Id<Person>) -> Result<Vec<PractitionerRef>, StoreError> {
    const SQL: &str = "SELECT id, practitioner FROM practitioner_link AS own
                       WHERE person = $1 AND ended_at IS NULL
                         AND NOT EXISTS (SELECT 1 FROM practitioner_link AS other
                                         WHERE other.practitioner = own.practitioner AND other.person <> own.person
                                           AND other.ended_at IS NULL)
                       ORDER BY id LIMIT $2";
    let rows: Vec<(Uuid, String)> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(person.uuid()).bind(OPEN_LINKS_MAX.saturating_add(1)).fetch_all(conn).await?
    });
    if rows.len() as u64 > OPEN_LINKS_MAX.unsigned_abs() {
        return Err(too_many());
    }
    let parsed = rows.into_iter().map(|(id, practitioner)| {
        let inconsistent = |_| StoreError::Inconsistent { table: "practitioner_link", column: "practitioner", id };
        practitioner.parse().map_err(inconsistent)
    });
    let mut practitioners = parsed.collect::<Result<Vec<PractitionerRef>, _>>()?;
    practitioners.sort_unstable();
    Ok(practitioners)
}

const fn too_many() -> StoreError {
    StoreError::Limit { what: "open links of one person", max: OPEN_LINKS_MAX.unsigned_abs() }
}

/// Lets one change of the links to a practitioner go on at a time: of two that do not see each other, neither event would
/// name the other's person. SQLite has one writer anyway.
async fn lock_practitioner(tx: &mut Tx, practitioner: &PractitionerRef) -> Result<(), StoreError> {
    // Two practitioners with one hash wait for each other, no more.
    const SQL_POSTGRES: &str = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
    if let Conn::Postgres(conn) = &mut tx.conn {
        sqlx::query(SQL_POSTGRES).bind(practitioner.as_str()).execute(&mut **conn).await?;
    }
    Ok(())
}

/// Whose access a change of a link alters. To be read after the change, under the lock.
async fn touched(tx: &mut Tx, person: Id<Person>, practitioner: &PractitionerRef) -> Result<Subjects, StoreError> {
    const SQL: &str = "SELECT person FROM practitioner_link WHERE practitioner = $1 AND ended_at IS NULL LIMIT $2";
    let most = i64::try_from(SUBJECTS_PER_EVENT_MAX).unwrap_or(i64::MAX).saturating_add(1);
    let rows: Vec<(Uuid,)> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(practitioner.as_str()).bind(most).fetch_all(conn).await?);
    let others = rows.into_iter().map(|(person,)| Id::from_uuid(person));
    let subjects = Subjects::new(std::iter::once(person).chain(others).map(Subject::Person));
    Ok(subjects.unwrap_or_else(|_| Subject::Everyone.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_practitioner_is_a_literal_of_two_types_and_nothing_else() {
        let longest = "a".repeat(PRACTITIONER_ID_BYTES_MAX);
        for right in ["Practitioner/abc", "PractitionerRole/A-1.z", &format!("Practitioner/{longest}")] {
            assert_eq!(right.parse::<PractitionerRef>().unwrap().as_str(), right);
        }
        for wrong in [
            "",
            "Practitioner",
            "Practitioner/",
            "practitioner/abc",
            "Patient/abc",
            "PractitionerRoles/abc",
            "Practitioner/a b",
            "Practitioner/a_b",
            "Practitioner/é",
            "Practitioner/abc/_history/1",
            " Practitioner/abc",
            "Practitioner/abc\n",
            "https://ehr.example/fhir/Practitioner/abc",
            "#abc",
            &format!("Practitioner/{longest}a"),
        ] {
            let error = wrong.parse::<PractitionerRef>().unwrap_err();
            assert!(!error.to_string().contains("abc"), "{wrong}");
        }
    }
}
