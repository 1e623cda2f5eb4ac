//! Rows of the index of who opened which chart: fed from the ledger of each node and from the logs of other systems, each once.
//!
//! What comes of the ledger is derived: [`Store::empty_index`] takes it away, and it is made again. Nothing here is a change of
//! state, so that no event goes with it; imports have events of their own.

use crate::limits::ACCESS_ROWS_MAX;
use crate::{Store, StoreError, Tx};
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::{Elevation, Grant, Person};
use uuid::Uuid;

pub(crate) const PATIENT: &str = "chart_access.patient";
pub(crate) const ACTOR: &str = "chart_access.actor";
pub(crate) const FACTS: &str = "chart_access.facts";
pub(crate) const ONCE: &str = "chart_access.once";
pub(crate) const PLACE: &str = "chart_access.place";
pub(crate) const RELEASE: &str = "access_release.facts";

/// Where accesses are known from: this gateway, or the log of another system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessSource {
    /// Its id.
    pub id: Id<Self>,
    /// What kind of log.
    pub kind: SourceKind,
    /// What people call it.
    pub code: String,
    /// The first access that it tells of, if it tells of any.
    pub first: Option<Timestamp>,
    /// The last one.
    pub last: Option<Timestamp>,
}

/// What kind of log accesses are known from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SourceKind {
    /// The ledger: what was opened through the gateway.
    Gateway,
    /// A table of a record system.
    Csv,
    /// FHIR AuditEvent.
    Fhir,
    /// IHE ATNA: DICOM audit messages.
    Atna,
}

impl SourceKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Gateway, Self::Csv, Self::Fhir, Self::Atna];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Csv => "csv",
            Self::Fhir => "fhir",
            Self::Atna => "atna",
        }
    }

    /// The one of a code.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.code() == code)
    }
}

/// What came of an access.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum AccessOutcome {
    /// Something of the chart was shown.
    Opened,
    /// It was asked for, and nothing of it was shown.
    Nothing,
    /// It was refused before anything was looked at.
    Refused,
}

impl AccessOutcome {
    const ALL: [Self; 3] = [Self::Opened, Self::Nothing, Self::Refused];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Nothing => "nothing",
            Self::Refused => "refused",
        }
    }
}

/// What an access rested on when it was made, as its record says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum AccessBasis {
    /// A visit.
    Encounter,
    /// An appointment.
    Appointment,
    /// A care team.
    CareTeam,
    /// The panel of a doctor.
    Panel,
    /// A request that was approved.
    Asked,
    /// The word of who opened it.
    Declared,
    /// An emergency.
    Emergency,
    /// A question of the privacy office about the chart.
    Inquiry,
    /// The role alone: its policy asks for no relationship to what was shown.
    Role,
    /// The policy assumed a relationship; nothing was looked up.
    Assumed,
    /// The log does not say.
    Unknown,
}

impl AccessBasis {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Encounter,
        Self::Appointment,
        Self::CareTeam,
        Self::Panel,
        Self::Asked,
        Self::Declared,
        Self::Emergency,
        Self::Inquiry,
        Self::Role,
        Self::Assumed,
        Self::Unknown,
    ];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Encounter => "encounter",
            Self::Appointment => "appointment",
            Self::CareTeam => "care_team",
            Self::Panel => "panel",
            Self::Asked => "asked",
            Self::Declared => "declared",
            Self::Emergency => "emergency",
            Self::Inquiry => "inquiry",
            Self::Role => "role",
            Self::Assumed => "assumed",
            Self::Unknown => "unknown",
        }
    }

    /// The one of a code.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.code() == code)
    }
}

/// An access to be stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewChartAccess {
    /// Its id.
    pub id: Id<ChartAccess>,
    /// Where it is known from.
    pub source: Id<AccessSource>,
    /// What makes it this one: the same twice is stored once.
    pub once: Phi<String>,
    /// When.
    pub at: Timestamp,
    /// Whose chart: `Patient/` and an id, or `number:` and a record number.
    pub patient: Phi<String>,
    /// Who, if he is known here.
    pub person: Option<Id<Person>>,
    /// Who, as its source names him.
    pub actor: Phi<String>,
    /// In which role.
    pub role: Option<String>,
    /// For which purpose (HL7 v3 ActReason).
    pub purpose: Option<String>,
    /// What came of it.
    pub outcome: AccessOutcome,
    /// What it rested on.
    pub basis: AccessBasis,
    /// The grant by which the role was held.
    pub grant: Option<Id<Grant>>,
    /// The elevation that opened it.
    pub elevation: Option<Id<Elevation>>,
    /// Where it stands in the ledger.
    pub entry: Option<i64>,
    /// It came from outside the networks of the organisation, or from nobody knows where.
    pub outside: bool,
    /// From which place of its source it came, an address or a workstation, if that is known. It is kept under a key alone: equal
    /// places are found, and none is read back.
    pub place: Option<Phi<String>>,
    /// What was opened and how, as JSON.
    pub facts: Phi<Vec<u8>>,
}

/// An access as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChartAccess {
    /// Its id.
    pub id: Id<Self>,
    /// Where it is known from.
    pub source: Id<AccessSource>,
    /// When.
    pub at: Timestamp,
    /// Whose chart.
    pub patient: Phi<String>,
    /// Who, if he is known here.
    pub person: Option<Id<Person>>,
    /// Who, as its source names him.
    pub actor: Phi<String>,
    /// In which role.
    pub role: Option<String>,
    /// For which purpose.
    pub purpose: Option<String>,
    /// What came of it.
    pub outcome: AccessOutcome,
    /// What it rested on.
    pub basis: AccessBasis,
    /// The grant by which the role was held.
    pub grant: Option<Id<Grant>>,
    /// The elevation that opened it.
    pub elevation: Option<Id<Elevation>>,
    /// Where it stands in the ledger.
    pub entry: Option<i64>,
    /// It came from outside the networks of the organisation, or from nobody knows where.
    pub outside: bool,
    /// What was opened and how, as JSON.
    pub facts: Phi<Vec<u8>>,
}

row! { pub(crate) struct AccessRow {
    id: Uuid, source: Uuid, at: i64, patient_sealed: Vec<u8>, person: Option<Uuid>, actor_sealed: Vec<u8>,
    role: Option<String>, purpose: Option<String>, outcome: String, basis: String, grant_id: Option<Uuid>,
    elevation: Option<Uuid>, entry: Option<i64>, outside: i64, facts_sealed: Vec<u8>,
} }

impl AccessRow {
    pub(crate) fn into_access(self, tx: &Tx) -> Result<ChartAccess, StoreError> {
        let id = self.id;
        let inconsistent = |column| StoreError::Inconsistent { table: "chart_access", column, id };
        let outcome = AccessOutcome::ALL.into_iter().find(|one| one.code() == self.outcome);
        Ok(ChartAccess {
            id: Id::from_uuid(id),
            source: Id::from_uuid(self.source),
            at: Timestamp::from_micros(self.at),
            patient: tx.open_text(PATIENT, id, &self.patient_sealed)?,
            person: self.person.map(Id::from_uuid),
            actor: tx.open_text(ACTOR, id, &self.actor_sealed)?,
            role: self.role,
            purpose: self.purpose,
            outcome: outcome.ok_or_else(|| inconsistent("outcome"))?,
            basis: AccessBasis::of(&self.basis).ok_or_else(|| inconsistent("basis"))?,
            grant: self.grant_id.map(Id::from_uuid),
            elevation: self.elevation.map(Id::from_uuid),
            entry: self.entry,
            outside: self.outside == 1,
            facts: tx.open(FACTS, id, &self.facts_sealed)?,
        })
    }
}

row! { struct SourceRow { id: Uuid, kind: String, code: String, first_at: Option<i64>, last_at: Option<i64> } }

/// Every source, with the first and the last access that each tells of. There are few.
///
/// # Errors
/// The database failed, or a row is inconsistent.
pub async fn list_sources(tx: &mut Tx) -> Result<Vec<AccessSource>, StoreError> {
    const SQL: &str = "SELECT id, kind, code,
                              (SELECT MIN(at) FROM chart_access WHERE chart_access.source = access_source.id) AS first_at,
                              (SELECT MAX(at) FROM chart_access WHERE chart_access.source = access_source.id) AS last_at
                       FROM access_source ORDER BY code LIMIT $1";
    let rows: Vec<SourceRow> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(ACCESS_ROWS_MAX).fetch_all(conn).await?);
    let one = |row: SourceRow| {
        let inconsistent = StoreError::Inconsistent { table: "access_source", column: "kind", id: row.id };
        Ok(AccessSource {
            id: Id::from_uuid(row.id),
            kind: SourceKind::of(&row.kind).ok_or(inconsistent)?,
            code: row.code,
            first: row.first_at.map(Timestamp::from_micros),
            last: row.last_at.map(Timestamp::from_micros),
        })
    };
    rows.into_iter().map(one).collect()
}

/// Stores an access. False: it is there already.
///
/// # Errors
/// The database failed, or refuses the row.
pub async fn insert_chart_access(tx: &mut Tx, new: &NewChartAccess) -> Result<bool, StoreError> {
    const SQL: &str = "INSERT INTO chart_access (id, source, once_blind, at, patient_blind, patient_sealed, person, actor_blind,
                                                 actor_sealed, role, purpose, outcome, basis, grant_id, elevation, entry,
                                                 outside, facts_sealed, place_blind)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
                       ON CONFLICT (once_blind) DO NOTHING";
    let id = new.id.uuid();
    let blind = |column, text: &Phi<String>| tx.store.sealer().blind(column, text.expose().as_bytes());
    let (once, of, by) = (blind(ONCE, &new.once), blind(PATIENT, &new.patient), blind(ACTOR, &new.actor));
    let place = new.place.as_ref().map(|place| blind(PLACE, place));
    let patient = tx.seal(PATIENT, id, new.patient.expose().as_bytes())?;
    let actor = tx.seal(ACTOR, id, new.actor.expose().as_bytes())?;
    let facts = tx.seal(FACTS, id, new.facts.expose())?;
    let added = on_engine!(tx, |conn| {
        sqlx::query(SQL)
            .bind(id)
            .bind(new.source.uuid())
            .bind(once.as_slice())
            .bind(new.at.micros())
            .bind(of.as_slice())
            .bind(patient)
            .bind(new.person.map(Id::uuid))
            .bind(by.as_slice())
            .bind(actor)
            .bind(new.role.as_deref())
            .bind(new.purpose.as_deref())
            .bind(new.outcome.code())
            .bind(new.basis.code())
            .bind(new.grant.map(Id::uuid))
            .bind(new.elevation.map(Id::uuid))
            .bind(new.entry)
            .bind(i64::from(new.outside))
            .bind(facts)
            .bind(place.as_ref().map(<[u8; 32]>::as_slice))
            .execute(conn)
            .await?
            .rows_affected()
    });
    Ok(added == 1)
}

/// What was read of a ledger in one go.
#[derive(Clone, Copy, Debug)]
pub struct LedgerPart<'a> {
    /// The number of the ledger: that of its node's shard.
    pub log: i64,
    /// The index of the first entry that was read.
    pub from: i64,
    /// The index of the next one.
    pub next: i64,
    /// Releases that began in it, with what their chunks will need.
    pub opened: &'a [(Uuid, Phi<Vec<u8>>)],
    /// Releases that ended in it.
    pub closed: &'a [Uuid],
    /// What it tells of accesses.
    pub accesses: &'a [NewChartAccess],
}

impl Store {
    /// The source of a code; it is made if there is none. `None`: another kind of log has this code.
    ///
    /// # Errors
    /// The database failed.
    pub async fn ensure_source(
        &self,
        new: Id<AccessSource>,
        (kind, code): (SourceKind, &str),
        at: Timestamp,
    ) -> Result<Option<Id<AccessSource>>, StoreError> {
        const SQL: &str = "INSERT INTO access_source (id, kind, code, created_at) VALUES ($1, $2, $3, $4)
                           ON CONFLICT (code) DO NOTHING";
        const SQL_FIND: &str = "SELECT id, kind FROM access_source WHERE code = $1";
        let mut tx = self.begin().await?;
        on_engine!(tx, |conn| {
            sqlx::query(SQL).bind(new.uuid()).bind(kind.code()).bind(code).bind(at.micros()).execute(conn).await?;
        });
        let row: Option<(Uuid, String)> =
            on_engine!(tx, |conn| sqlx::query_as(SQL_FIND).bind(code).fetch_optional(conn).await?);
        tx.conn.commit().await?;
        Ok(row.filter(|(_, found)| found == kind.code()).map(|(id, _)| Id::from_uuid(id)))
    }

    /// Takes a part of a ledger into the index, and moves the mark behind it: both or neither.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`]: somebody else has moved the mark.
    pub async fn index_ledger(&self, part: &LedgerPart<'_>) -> Result<(), StoreError> {
        const SQL_FIRST: &str = "INSERT INTO access_cursor (log, next_at) VALUES ($1, 0) ON CONFLICT (log) DO NOTHING";
        const SQL_MOVE: &str = "UPDATE access_cursor SET next_at = $3 WHERE log = $1 AND next_at = $2";
        const SQL_OPENED: &str = "INSERT INTO access_release (log, release_id, facts_sealed) VALUES ($1, $2, $3)
                                  ON CONFLICT (log, release_id) DO NOTHING";
        const SQL_CLOSED: &str = "DELETE FROM access_release WHERE log = $1 AND release_id = $2";
        let mut tx = self.begin().await?;
        on_engine!(tx, |conn| {
            sqlx::query(SQL_FIRST).bind(part.log).execute(conn).await?;
        });
        let moved = on_engine!(tx, |conn| {
            sqlx::query(SQL_MOVE).bind(part.log).bind(part.from).bind(part.next).execute(conn).await?.rows_affected()
        });
        crate::error::expect_rows("access_cursor", moved, 1)?;
        for (release, facts) in part.opened {
            let sealed = tx.seal(RELEASE, *release, facts.expose())?;
            on_engine!(tx, |conn| {
                sqlx::query(SQL_OPENED).bind(part.log).bind(*release).bind(sealed).execute(conn).await?;
            });
        }
        for access in part.accesses {
            insert_chart_access(&mut tx, access).await?;
        }
        for release in part.closed {
            on_engine!(tx, |conn| {
                sqlx::query(SQL_CLOSED).bind(part.log).bind(*release).execute(conn).await?;
            });
        }
        Ok(tx.conn.commit().await?)
    }

    /// Stores accesses of the log of another system; returns how many were new.
    ///
    /// # Errors
    /// The database failed, or refuses a row; then none is stored.
    pub async fn append_log(&self, accesses: &[NewChartAccess]) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let mut added = 0_u64;
        for access in accesses {
            added = added.saturating_add(u64::from(insert_chart_access(&mut tx, access).await?));
        }
        tx.conn.commit().await?;
        Ok(added)
    }

    /// Takes what the index has of the ledgers away, so that it is made again from their first entries.
    ///
    /// # Errors
    /// The database failed; then nothing is taken.
    pub async fn empty_index(&self) -> Result<u64, StoreError> {
        const SQL: &str = "DELETE FROM chart_access WHERE entry IS NOT NULL";
        const SQL_RELEASES: &str = "DELETE FROM access_release";
        const SQL_MARKS: &str = "UPDATE access_cursor SET next_at = 0";
        let mut tx = self.begin().await?;
        let gone = on_engine!(tx, |conn| sqlx::query(SQL).execute(conn).await?.rows_affected());
        for statement in [SQL_RELEASES, SQL_MARKS] {
            on_engine!(tx, |conn| {
                sqlx::query(statement).execute(conn).await?;
            });
        }
        tx.conn.commit().await?;
        Ok(gone)
    }
}

/// How far the index has come in a ledger: the index of the next entry.
///
/// # Errors
/// The database failed.
pub async fn access_cursor(tx: &mut Tx, log: i64) -> Result<i64, StoreError> {
    const SQL: &str = "SELECT next_at FROM access_cursor WHERE log = $1";
    let row: Option<(i64,)> = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(log).fetch_optional(conn).await?);
    Ok(row.map_or(0, |(next,)| next))
}

/// What the chunks of a release that has begun need to know of it.
///
/// # Errors
/// The database failed, or the column does not open.
pub async fn find_release(tx: &mut Tx, log: i64, release: Uuid) -> Result<Option<Phi<Vec<u8>>>, StoreError> {
    const SQL: &str = "SELECT facts_sealed FROM access_release WHERE log = $1 AND release_id = $2";
    let row: Option<(Vec<u8>,)> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(log).bind(release).fetch_optional(conn).await?);
    row.map(|(sealed,)| tx.open(RELEASE, release, &sealed)).transpose()
}

/// Where in a list of accesses to go on: behind this one.
pub type AfterAccess = Option<(Timestamp, Id<ChartAccess>)>;

pub(crate) fn behind(after: AfterAccess, from: Timestamp) -> (i64, Uuid) {
    after.map_or((from.micros(), Uuid::nil()), |(at, id)| (at.micros(), id.uuid()))
}

/// The accesses to a chart in a period, oldest first, one page of at most [`ACCESS_ROWS_MAX`]. `key`: as logs name the patient.
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_chart_accesses(
    tx: &mut Tx,
    key: &str,
    (from, until): (Timestamp, Timestamp),
    after: AfterAccess,
) -> Result<Vec<ChartAccess>, StoreError> {
    const SQL: &str =
        "SELECT id, source, at, patient_sealed, person, actor_sealed, role, purpose, outcome, basis, grant_id,
                              elevation, entry, outside, facts_sealed
                       FROM chart_access
                       WHERE patient_blind = $1 AND at < $2 AND (at > $3 OR (at = $3 AND id > $4))
                       ORDER BY at, id LIMIT $5";
    let blind = tx.store.sealer().blind(PATIENT, key.as_bytes());
    let (at, id) = behind(after, from);
    let rows: Vec<AccessRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(blind.as_slice())
            .bind(until.micros())
            .bind(at)
            .bind(id)
            .bind(ACCESS_ROWS_MAX)
            .fetch_all(conn)
            .await?
    });
    rows.into_iter().map(|row| row.into_access(tx)).collect()
}

/// What a person opened in a period, oldest first, one page of at most [`ACCESS_ROWS_MAX`].
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_accesses_of_person(
    tx: &mut Tx,
    person: Id<Person>,
    (from, until): (Timestamp, Timestamp),
    after: AfterAccess,
) -> Result<Vec<ChartAccess>, StoreError> {
    const SQL: &str =
        "SELECT id, source, at, patient_sealed, person, actor_sealed, role, purpose, outcome, basis, grant_id,
                              elevation, entry, outside, facts_sealed
                       FROM chart_access
                       WHERE person = $1 AND at < $2 AND (at > $3 OR (at = $3 AND id > $4))
                       ORDER BY at, id LIMIT $5";
    let (at, id) = behind(after, from);
    let rows: Vec<AccessRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(person.uuid())
            .bind(until.micros())
            .bind(at)
            .bind(id)
            .bind(ACCESS_ROWS_MAX)
            .fetch_all(conn)
            .await?
    });
    rows.into_iter().map(|row| row.into_access(tx)).collect()
}

/// What was opened under an elevation, oldest first, one page of at most [`ACCESS_ROWS_MAX`] (JX-06, BG-09).
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_accesses_under(
    tx: &mut Tx,
    elevation: Id<Elevation>,
    after: AfterAccess,
) -> Result<Vec<ChartAccess>, StoreError> {
    const SQL: &str =
        "SELECT id, source, at, patient_sealed, person, actor_sealed, role, purpose, outcome, basis, grant_id,
                              elevation, entry, outside, facts_sealed
                       FROM chart_access WHERE elevation = $1 AND (at > $2 OR (at = $2 AND id > $3))
                       ORDER BY at, id LIMIT $4";
    let (at, id) = behind(after, Timestamp::from_micros(i64::MIN));
    let rows: Vec<AccessRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(elevation.uuid()).bind(at).bind(id).bind(ACCESS_ROWS_MAX).fetch_all(conn).await?
    });
    rows.into_iter().map(|row| row.into_access(tx)).collect()
}

/// How many accesses of a chart were made under an elevation: as many as [`list_accesses_under`] lists.
///
/// # Errors
/// The database failed.
pub async fn count_accesses_under(tx: &mut Tx, elevation: Id<Elevation>) -> Result<i64, StoreError> {
    const SQL: &str = "SELECT COUNT(*) FROM chart_access WHERE elevation = $1";
    let (count,): (i64,) = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(elevation.uuid()).fetch_one(conn).await?);
    Ok(count)
}

/// What was opened in a role by the grant that gives it, oldest first, one page of at most [`ACCESS_ROWS_MAX`] (JX-06).
///
/// # Errors
/// The database failed, a row is inconsistent, or a column does not open.
pub async fn list_accesses_by_grant(
    tx: &mut Tx,
    grant: Id<Grant>,
    after: AfterAccess,
) -> Result<Vec<ChartAccess>, StoreError> {
    const SQL: &str =
        "SELECT id, source, at, patient_sealed, person, actor_sealed, role, purpose, outcome, basis, grant_id,
                              elevation, entry, outside, facts_sealed
                       FROM chart_access WHERE grant_id = $1 AND (at > $2 OR (at = $2 AND id > $3))
                       ORDER BY at, id LIMIT $4";
    let (at, id) = behind(after, Timestamp::from_micros(i64::MIN));
    let rows: Vec<AccessRow> = on_engine!(tx, |conn| {
        sqlx::query_as(SQL).bind(grant.uuid()).bind(at).bind(id).bind(ACCESS_ROWS_MAX).fetch_all(conn).await?
    });
    rows.into_iter().map(|row| row.into_access(tx)).collect()
}

/// When a grant or an elevation was last used for a chart.
///
/// # Errors
/// The database failed.
pub async fn last_use(tx: &mut Tx, right: Uuid) -> Result<Option<Timestamp>, StoreError> {
    const SQL: &str = "SELECT MAX(at) FROM chart_access WHERE grant_id = $1 AND outcome = 'opened'";
    const SQL_OPENED: &str = "SELECT MAX(at) FROM chart_access WHERE elevation = $1 AND outcome = 'opened'";
    let by_grant: (Option<i64>,) = on_engine!(tx, |conn| sqlx::query_as(SQL).bind(right).fetch_one(conn).await?);
    let opened: (Option<i64>,) = on_engine!(tx, |conn| sqlx::query_as(SQL_OPENED).bind(right).fetch_one(conn).await?);
    Ok(by_grant.0.max(opened.0).map(Timestamp::from_micros))
}

/// How many accesses each source tells of in a period.
///
/// # Errors
/// The database failed.
pub async fn count_accesses(
    tx: &mut Tx,
    (from, until): (Timestamp, Timestamp),
) -> Result<Vec<(Id<AccessSource>, i64)>, StoreError> {
    const SQL: &str = "SELECT source, COUNT(*) FROM chart_access WHERE at >= $1 AND at < $2 GROUP BY source";
    let rows: Vec<(Uuid, i64)> =
        on_engine!(tx, |conn| sqlx::query_as(SQL).bind(from.micros()).bind(until.micros()).fetch_all(conn).await?);
    Ok(rows.into_iter().map(|(source, count)| (Id::from_uuid(source), count)).collect())
}
