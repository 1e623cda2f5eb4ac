//! What measures are made of: facts of a period, a row each, without a word of what they are about.

use crate::limits::FACTS_MAX;
use crate::{StoreError, Tx};
use scruple_core::{Id, Timestamp};
use scruple_flow::measure::{EmergencyFact, RevocationFact};
use scruple_flow::{Finding, Person, RoleCode};
use uuid::Uuid;

/// One emergency of a period.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EmergencyRow {
    /// Who opened the record.
    pub reader: Id<Person>,
    /// The patient, as an index that tells nothing but the same from another.
    pub patient: Vec<u8>,
    /// What is counted.
    pub fact: EmergencyFact,
}

row! { struct EmergencyFactRow {
    reader: Uuid, patient_blind: Vec<u8>, granted_at: i64, state: String, moved_at: Option<i64>, id: Uuid,
} }

/// The emergencies that began in a period, the first one first. Drills are none.
///
/// # Errors
/// The database failed, a row is inconsistent, or there are more than [`FACTS_MAX`].
pub async fn emergencies_between(
    tx: &mut Tx,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<EmergencyRow>, StoreError> {
    const SQL: &str =
        "SELECT emergency_review.reader, elevation.patient_blind, elevation.granted_at, emergency_review.state,
                              emergency_review.moved_at, emergency_review.id
                       FROM elevation JOIN emergency_review ON emergency_review.id = elevation.review
                       WHERE elevation.granted_at >= $1 AND elevation.granted_at < $2 AND elevation.reason <> 'drill'
                       ORDER BY elevation.granted_at, elevation.id LIMIT $3";
    let rows: Vec<EmergencyFactRow> = on_engine!(tx, |conn| {
        let limit = FACTS_MAX.saturating_add(1);
        sqlx::query_as(SQL).bind(from.micros()).bind(until.micros()).bind(limit).fetch_all(conn).await?
    });
    within_limit(rows.len(), "emergencies of a period")?;
    let read = |row: EmergencyFactRow| {
        let closed = match (row.state.as_str(), row.moved_at) {
            ("open" | "asked", _) => None,
            (code, Some(at)) => Finding::of(code).map(|finding| (Timestamp::from_micros(at), finding)),
            (_, None) => None,
        };
        if closed.is_none() && !matches!(row.state.as_str(), "open" | "asked") {
            return Err(StoreError::Inconsistent { table: "emergency_review", column: "state", id: row.id });
        }
        let fact = EmergencyFact { opened_at: Timestamp::from_micros(row.granted_at), closed };
        Ok(EmergencyRow { reader: Id::from_uuid(row.reader), patient: row.patient_blind, fact })
    };
    rows.into_iter().map(read).collect()
}

row! { struct TakenRow { shard: i64, seq: i64, at: i64, node: Option<String>, applied_at: Option<i64> } }

/// One revocation, with when the last of the nodes that count had applied it.
fn confirmed(rows: &[TakenRow]) -> Option<RevocationFact> {
    let decided_at = rows.first()?.at;
    let nodes = rows.iter().filter(|row| row.node.is_some());
    let confirmed = nodes.map(|row| row.applied_at).try_fold(decided_at, |last, at| Some(last.max(at?)));
    Some(RevocationFact {
        decided_at: Timestamp::from_micros(decided_at),
        confirmed_at: confirmed.map(Timestamp::from_micros),
    })
}

/// What was taken back in a period, the first one first, with when the last node had applied it. Nodes count that followed the feed
/// before it was taken back and hold a shard at `now`: a node that has lost its shard decides nothing.
///
/// # Errors
/// The database failed, or there is more than [`FACTS_MAX`].
pub async fn revocations_between(
    tx: &mut Tx,
    from: Timestamp,
    until: Timestamp,
    now: Timestamp,
) -> Result<Vec<RevocationFact>, StoreError> {
    // The instants at which a node has come further grow with how far it has come: the first of them is the earliest.
    const SQL: &str =
        "SELECT taken.shard, taken.seq, taken.at, live.node,
                (SELECT applied.at FROM feed_applied AS applied
                 WHERE applied.node = live.node AND applied.shard = taken.shard AND applied.seq >= taken.seq
                 ORDER BY applied.seq LIMIT 1) AS applied_at
         FROM (SELECT shard, seq, at FROM event
               WHERE kind IN ('role_revoked', 'elevation_ended', 'person_left', 'person_moved', 'move_settled', 'leave_started')
                 AND at >= $1 AND at < $2
               ORDER BY at, shard, seq LIMIT $4) AS taken
         LEFT JOIN (SELECT node, MIN(at) AS since FROM feed_applied
                    WHERE node IN (SELECT shard.node FROM shard WHERE lease_until > $3) GROUP BY node) AS live
           ON live.since <= taken.at
         ORDER BY taken.at, taken.shard, taken.seq";
    let rows: Vec<TakenRow> = on_engine!(tx, |conn| {
        let query = sqlx::query_as(SQL).bind(from.micros()).bind(until.micros()).bind(now.micros());
        query.bind(FACTS_MAX.saturating_add(1)).fetch_all(conn).await?
    });
    // One row for each node that counts, or one without a node.
    let events = rows.chunk_by(|one, other| (one.shard, one.seq) == (other.shard, other.seq));
    let facts: Vec<RevocationFact> = events.filter_map(confirmed).collect();
    within_limit(facts.len(), "what was taken back in a period")?;
    Ok(facts)
}

/// One request of a period.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestRow {
    /// Who asked.
    pub requested_by: Id<Person>,
    /// In which role.
    pub role: RoleCode,
    /// When.
    pub submitted_at: Timestamp,
    /// Where it stands: the stable code, `expired` where its time is over.
    pub state: String,
    /// Since when, where it is decided.
    pub decided_at: Option<Timestamp>,
}

row! { struct RequestFactRow {
    id: Uuid, requested_by: Uuid, role: String, submitted_at: i64, decide_by: i64, state: String, decided_at: Option<i64>,
} }

/// The requests that were handed in in a period, the first one first, as they stand at `now`.
///
/// # Errors
/// The database failed, a row is inconsistent, or there are more than [`FACTS_MAX`].
pub async fn requests_between(
    tx: &mut Tx,
    from: Timestamp,
    until: Timestamp,
    now: Timestamp,
) -> Result<Vec<RequestRow>, StoreError> {
    const SQL: &str = "SELECT id, requested_by, role, submitted_at, decide_by, state, decided_at FROM access_request
                       WHERE submitted_at >= $1 AND submitted_at < $2 AND state <> 'draft'
                       ORDER BY submitted_at, id LIMIT $3";
    let rows: Vec<RequestFactRow> = on_engine!(tx, |conn| {
        let limit = FACTS_MAX.saturating_add(1);
        sqlx::query_as(SQL).bind(from.micros()).bind(until.micros()).bind(limit).fetch_all(conn).await?
    });
    within_limit(rows.len(), "requests of a period")?;
    let read = |row: RequestFactRow| {
        let id = row.id;
        // relies on (no-silence-is-yes): a request is over at its instant, whether that was written down or not.
        let is_over = row.state == "pending" && row.decide_by <= now.micros();
        Ok(RequestRow {
            requested_by: Id::from_uuid(row.requested_by),
            role: row.role.parse().map_err(|_| StoreError::Inconsistent {
                table: "access_request",
                column: "role",
                id,
            })?,
            submitted_at: Timestamp::from_micros(row.submitted_at),
            state: if is_over { "expired".to_owned() } else { row.state },
            decided_at: row.decided_at.or(is_over.then_some(row.decide_by)).map(Timestamp::from_micros),
        })
    };
    rows.into_iter().map(read).collect()
}

const fn within_limit(rows: usize, what: &'static str) -> Result<(), StoreError> {
    let max = FACTS_MAX.unsigned_abs();
    if rows as u64 > max { Err(StoreError::Limit { what, max }) } else { Ok(()) }
}
